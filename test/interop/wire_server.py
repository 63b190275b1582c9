# SPDX-License-Identifier: MIT
"""Servers written by hand, octet by octet, for the echo client."""
import base64
import contextlib
import hashlib
import os
import socket
import struct

from harness import (BINARY, CLOSE, FIN, PING, PONG, STEP_SECONDS, TEXT, Wire, check, close_body, closing, frame, main,
                     masked, program, same, text)

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CLIENT = "examples/echo_client"


class Listener:
    """Accepts the one client of a test."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.settimeout(STEP_SECONDS)
        self.port = self.sock.getsockname()[1]
        self.url = "ws://127.0.0.1:%d/" % self.port

    def accept(self):
        return Wire(self.sock.accept()[0])


@contextlib.contextmanager
def client(*arguments, path=""):
    """The echo client, connected: it, the wire, and the head of its request."""
    listener = Listener()
    with contextlib.closing(listener.sock), program(CLIENT, *arguments, listener.url + path) as started:
        with listener.accept() as wire:
            line, fields = wire.head()
            yield started, wire, line, fields


def answer(fields, **changes):
    """The 101 to these request fields, with changes by name: None leaves one out."""
    key = fields["sec-websocket-key"][0]
    digest = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
    lines = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": digest}
    lines.update((name.replace("_", "-"), value) for name, value in changes.items())
    kept = ["%s: %s" % (name, value) for name, value in lines.items() if value is not None]
    return ("\r\n".join(["HTTP/1.1 101 Switching Protocols"] + kept) + "\r\n\r\n").encode()


@contextlib.contextmanager
def opened(*arguments):
    """The echo client behind the opening handshake."""
    with client(*arguments) as (started, wire, _, fields):
        wire.send(answer(fields))
        yield started, wire


def succeeds(started, what):
    status, output = started.wait()
    same(status, 0, "exit status: %s; %s" % (what, output))


def fails(started, what, *words):
    """It exits with a small status of its own, and tells why."""
    status, output = started.wait()
    check(0 < status < 64, "a failure: %s" % what, (status, output))
    for word in words:
        check(word.lower() in output.lower(), "%r in what it prints: %s" % (word, what), output)


def finish(started, wire, code=1000):
    """The server's side of an orderly end."""
    wire.send(closing(code, mask=False))
    wire.expect(CLOSE, close_body(code), "Close answered", mask=True)
    wire.sock.close()
    succeeds(started, "orderly end")


# -------------------------------------------------------------- handshake

# covers: 6455-4.1-06 6455-4.1-07 6455-4.1-08 6455-4.1-09 6455-4.1-10 6455-4.1-14 6455-4.1-17 9110-9.3.1-01
def test_client_request_on_the_wire():
    with client(path="a/b?c=d") as (started, wire, line, fields):
        same(line, "GET /a/b?c=d HTTP/1.1", "request line")
        host = "127.0.0.1:%d" % wire.sock.getsockname()[1]
        same(fields["host"], [host], "Host")
        same([value.lower() for value in fields["upgrade"]], ["websocket"], "Upgrade")
        check("upgrade" in fields["connection"][0].lower(), "Connection: Upgrade", fields["connection"])
        same(fields["sec-websocket-version"], ["13"], "Sec-WebSocket-Version")
        for name in ("content-length", "transfer-encoding", "sec-websocket-protocol", "sec-websocket-extensions"):
            same(fields.get(name), None, name)
        wire.send(answer(fields))
        finish(started, wire)


# covers: 6455-4.1-11 6455-4.1-12
def test_client_keys_are_fresh():
    keys = set()
    for _ in range(5):
        with client() as (_, _, _, fields):
            key, = fields["sec-websocket-key"]
            same((len(key), len(base64.b64decode(key, validate=True))), (24, 16), "size of the key")
            keys.add(key)
    same(len(keys), 5, "different keys")


# covers: 6455-4.1-19
def test_client_sends_nothing_before_the_answer():
    with client("--send", "early") as (started, wire, _, fields):
        wire.quiet(0.2, "no frame before the answer")
        whole = answer(fields)
        wire.send(whole[:-1])
        wire.quiet(0.1, "no frame before the end of the answer")
        wire.send(whole[-1:])
        wire.expect(TEXT, b"early", "the message of --send", mask=True)
        finish(started, wire)


# covers: 6455-4.1-24
def test_client_bad_accept():
    for bad in ("AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "", None):
        with client("--send", "never") as (started, wire, _, fields):
            wire.send(answer(fields, Sec_WebSocket_Accept=bad))
            wire.end("the end without a frame")
            fails(started, "Accept %r" % bad, "Sec-WebSocket-Accept")


# covers: 6455-4.1-21 6455-4.1-23 6455-4.1-25 6455-4.1-26 6455-7.1.7-05
def test_client_bad_answers():
    cases = [({"Upgrade": "h2c"}, "Upgrade"), ({"Upgrade": None}, "Upgrade"),
             ({"Connection": "close"}, "Connection"), ({"Connection": None}, "Connection"),
             ({"Sec_WebSocket_Extensions": "permessage-deflate"}, "Sec-WebSocket-Extensions"),
             ({"Sec_WebSocket_Protocol": "chat"}, "Sec-WebSocket-Protocol")]
    for changes, word in cases:
        with client("--send", "never") as (started, wire, _, fields):
            wire.send(answer(fields, **changes), text("never", mask=False))
            wire.end("the end without a frame")
            fails(started, str(changes), word)


# covers: 6455-4.1-20
def test_client_other_statuses():
    for line in ("200 OK", "302 Found", "401 Unauthorized", "403 Forbidden", "404 Not Found", "426 Upgrade Required",
                 "503 Service Unavailable"):
        with client("--send", "never") as (started, wire, _, _):
            wire.send(("HTTP/1.1 %s\r\nContent-Length: 7\r\nConnection: close\r\n\r\nrefused" % line).encode())
            wire.sock.shutdown(socket.SHUT_WR)
            wire.end("the end without a frame")
            fails(started, line, line[:3])


# covers: 9110-15.2-01
def test_client_skips_interim_answers():
    with client() as (started, wire, _, fields):
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", answer(fields))
        finish(started, wire)


# covers: 6455-4.1-30
def test_client_frames_behind_the_answer():
    with client() as (started, wire, _, fields):
        wire.send(answer(fields), text("at once", mask=False), frame(FIN | BINARY, b"\0\1", mask=False))
        wire.expect(TEXT, b"at once", "the first echo", mask=True)
        wire.expect(BINARY, b"\0\1", "the second echo", mask=True)
        finish(started, wire)


def test_client_server_that_is_no_http():
    with client() as (started, wire, _, _):
        wire.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        wire.end("the end without a frame")
        fails(started, "no HTTP")


def test_client_answer_cut_short():
    with client() as (started, wire, _, fields):
        wire.send(answer(fields)[:-2])
        wire.sock.shutdown(socket.SHUT_WR)
        wire.end("the end without a frame")
        fails(started, "half an answer")


def test_client_nobody_listens():
    listener = Listener()
    listener.sock.close()
    with program(CLIENT, "--send", "never", listener.url) as started:
        fails(started, "nobody listens", "refused")


def test_client_bad_addresses():
    for url in ("http://127.0.0.1/", "ws://127.0.0.1/#part", "ws:/127.0.0.1/", "ws://127.0.0.1:99999/", ""):
        with program(CLIENT, "--send", "never", url) as started:
            fails(started, "address %r" % url)


# ----------------------------------------------------------------- frames

# covers: 6455-5.1-01 6455-5.3-01 6455-5.5.1-08
def test_client_masks_every_frame():
    with opened("--send", "first") as (started, wire):
        keys = [wire.whole()[1]]
        for number in range(50):
            wire.send(frame(FIN | (PING if number % 2 else TEXT), b"same", mask=False))
            first, key, payload = wire.whole()
            same((first, payload), (FIN | (PONG if number % 2 else TEXT), b"same"), "answer")
            keys.append(key)
        same(None in keys, False, "a frame without a mask")
        check(len(set(keys)) > 48, "a fresh key for each frame", len(set(keys)))
        finish(started, wire)


# covers: 6455-5.2-07 6455-5.2-09
def test_client_lengths_on_the_wire():
    heads = {0: "8280", 1: "8281", 125: "82fd", 126: "82fe007e", 127: "82fe007f", 128: "82fe0080", 65535: "82feffff",
             65536: "82ff0000000000010000"}
    with opened() as (started, wire):
        for size, head in heads.items():
            data = os.urandom(size)
            wire.send(frame(FIN | BINARY, data, mask=False))
            same(wire.read(len(head) // 2).hex(), head, "head of a frame of %d octets" % size)
            key = wire.read(4)
            check(masked(wire.read(size), key) == data, "the echo of %d octets" % size, "another")
        finish(started, wire)


def test_client_echoes_all_sizes():
    with opened() as (started, wire):
        for size in (0, 1, 125, 126, 127, 65535, 65536, 65537, 1 << 20):
            for opcode, data in ((TEXT, b"x" * size), (BINARY, os.urandom(size))):
                wire.send(frame(FIN | opcode, data, mask=False))
                check(wire.next(mask=True) == (opcode, data), "the echo of %d octets" % size, "another")
        finish(started, wire)


def test_client_pongs_within_a_message():
    with opened() as (started, wire):
        wire.send(frame(TEXT, b"\xc3", mask=False), frame(FIN | PING, b"between", mask=False))
        wire.expect(PONG, b"between", "Pong between fragments", mask=True)
        wire.send(frame(FIN, b"\xa9", mask=False))
        wire.expect(TEXT, b"\xc3\xa9", "the message", mask=True)
        finish(started, wire)


# covers: 6455-5.1-04
def test_client_broken_frames():
    cases = [(text("Hello"), 1002), (closing(1000), 1002), (frame(0xC0 | TEXT, b"x", mask=False), 1002),
             (frame(FIN | 3, mask=False), 1002), (frame(FIN | TEXT, b"\xed\xa0\x80", mask=False), 1007),
             (frame(FIN | CLOSE, struct.pack("!H", 1005), mask=False), 1002)]
    for bad, code in cases:
        with opened() as (started, wire):
            wire.send(text("before", mask=False), bad, text("never", mask=False))
            wire.expect(TEXT, b"before", "echo before %s" % bad[:8].hex(), mask=True)
            wire.expect_close(code, "Close for %s" % bad[:8].hex(), mask=True)
            wire.end("nothing behind the Close")
            wire.sock.close()
            fails(started, bad[:8].hex())


# ---------------------------------------------------------------- closing

# covers: 6455-5.5.1-17
def test_client_waits_for_the_server_to_end():
    with opened() as (started, wire):
        wire.send(closing(1000, mask=False))
        wire.expect(CLOSE, close_body(1000), "Close answered", mask=True)
        wire.quiet(0.5, "a client that waits for the server")
        same(started.process.poll(), None, "the client runs until the server ends the connection")
        wire.sock.close()
        succeeds(started, "orderly end")


# covers: 6455-7.1.1-03
def test_client_waits_not_for_ever():
    with opened() as (started, wire):
        wire.send(closing(1000, mask=False))
        wire.expect(CLOSE, close_body(1000), "Close answered", mask=True)
        wire.end("the end by the client")
        started.wait()


# covers: 6455-7.2.1-01
def test_client_lost_connections():
    with opened() as (started, wire):
        wire.sock.shutdown(socket.SHUT_WR)
        fails(started, "the stream ended without a Close", "without a Close")
    with opened("--send", "hello") as (started, wire):
        wire.expect(TEXT, b"hello", "the message of --send", mask=True)
        wire.reset()
        fails(started, "the connection was reset", "lost")


if __name__ == "__main__":
    main(globals())
