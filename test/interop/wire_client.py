# SPDX-License-Identifier: MIT
"""Octets written by hand against the echo server: what is seen on the wire, and in which order."""
import contextlib
import os
import select
import socket
import time

from harness import (ACCEPT, BINARY, CLOSE, FIN, KEY, PING, PONG, REQUEST, STEP_SECONDS, TEXT, check, closing,
                     connect, echo_server, echoes, frame, main, masked, opened, request, same, text)

# Well under the five seconds after which a server gives up waiting.
PROMPT = 3

# More than a small receive buffer holds, and less than the server's send buffer.
UNREAD = bytes(range(256)) * 128


# -------------------------------------------------------------- handshake

def members(fields, name):
    """The elements of a list field, in lower case."""
    return [word.strip().lower() for line in fields.get(name, []) for word in line.split(",")]


def refused(port, lines, first, wanted, behind=b""):
    """The answer is this error, or one of these, with these fields and no frame; then the end."""
    errors, asked = first if isinstance(first, tuple) else (first,), lines[0][:40]
    with connect(port) as wire:
        wire.send(request(lines), behind)
        status, fields = wire.head()
        check(status[:13] in ["HTTP/1.1 %d " % error for error in errors], "%s to %s" % (errors, asked), status)
        for name, value in wanted.items():
            check(value in members(fields, name), "%s: %s in the answer to %s" % (name, value, asked), fields)
        check("close" in members(fields, "connection"), "Connection: close", fields)
        same(fields.get("transfer-encoding"), None, "Transfer-Encoding of a refusal")
        wire.read(int(fields.get("content-length", ["0"])[0]))
        wire.end("the end after a refusal", PROMPT)


def changed(name, *lines):
    """The request with one field replaced by these lines."""
    kept = [line for line in REQUEST if not line.startswith(name + ":")]
    return kept + list(lines)


# covers: 6455-4.2.2-07 6455-4.2.2-08 6455-4.2.2-09 6455-4.2.2-10 9110-8.6-01 9110-15.2.2-01 9112-6.1-01
def test_wire_answer_to_an_upgrade():
    with echo_server() as server, connect(server.port) as wire:
        wire.send(request())
        status, fields = wire.head()
        check(status.startswith("HTTP/1.1 101 "), "HTTP/1.1 101", status)
        wanted = {"upgrade": ["websocket"], "connection": ["Upgrade"], "sec-websocket-accept": [ACCEPT]}
        same({name: fields.get(name) for name in wanted}, wanted, "fields of the answer")
        for name in ("content-length", "transfer-encoding", "sec-websocket-extensions", "sec-websocket-protocol"):
            same(fields.get(name), None, name)
        wire.quiet(0.1, "nothing behind the answer")


# covers: 9112-3-04
def test_wire_long_target():
    with echo_server() as server, connect(server.port) as wire:
        wire.send(request(["GET /" + "a" * 7985 + " HTTP/1.1"] + REQUEST[1:]), text("welcome"))
        status, _ = wire.head()
        check(status.startswith("HTTP/1.1 101 "), "HTTP/1.1 101", status)
        wire.expect(TEXT, b"welcome", "echo")


# covers: 9110-7.8-03 9110-15.5.22-01
def test_wire_plain_get_is_told_to_upgrade():
    with echo_server() as server:
        refused(server.port, ["GET / HTTP/1.1", "Host: h"], 426,
                {"upgrade": "websocket", "connection": "upgrade"})
        echoes(server.port)


# covers: 6455-4.2.1-02
def test_wire_other_methods_are_not_allowed():
    with echo_server() as server:
        for method in ("POST", "HEAD", "get"):
            refused(server.port, [method + " / HTTP/1.1"] + REQUEST[1:], 405, {"allow": "get"})
        echoes(server.port)


# covers: 6455-4.2.2-01 6455-4.4-01
def test_wire_other_versions_get_the_list():
    with echo_server() as server:
        for version in (0, 7, 8, 14, 25):
            refused(server.port, changed("Sec-WebSocket-Version", "Sec-WebSocket-Version: %d" % version), 426,
                    {"sec-websocket-version": "13", "upgrade": "websocket", "connection": "upgrade"})
        echoes(server.port)


# covers: 6455-4.2.1-01 6455-7.1.7-05 6455-7.2.2-01 6455-10.7-02 9112-9.6-01
def test_wire_bad_requests_get_an_error_and_the_end():
    with echo_server() as server:
        refused(server.port, changed("Host"), 400, {})
        refused(server.port, changed("Host", "Host: a", "Host: b"), 400, {})
        refused(server.port, changed("Sec-WebSocket-Key"), 400, {})
        refused(server.port, changed("Sec-WebSocket-Key", "Sec-WebSocket-Key: abc"), 400, {})
        refused(server.port, changed("Connection", "Connection: keep-alive"), 400, {})
        refused(server.port, REQUEST + ["Content-Length: 5"], 400, {}, b"hello")
        refused(server.port, REQUEST + ["X: a", " folded"], 400, {})
        refused(server.port, REQUEST + ["Name without a colon"], 400, {})
        refused(server.port, REQUEST + ["X: " + "a" * 20000], 431, {})
        refused(server.port, ["GET /" + "a" * 9000 + " HTTP/1.1"] + REQUEST[1:], (414, 431), {})
        echoes(server.port)


# covers: 9112-11.2-02
def test_wire_nothing_behind_a_refusal_is_read():
    with echo_server() as server:
        behind = request() + text("smuggled")
        refused(server.port, ["GET / HTTP/1.1", "Host: h"], 426, {}, behind)
        refused(server.port, changed("Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"), 426, {}, behind)
        echoes(server.port)


# covers: 6455-4.2.2-11
def test_wire_frames_behind_the_request_are_frames():
    with echo_server() as server, connect(server.port) as wire:
        wire.send(request(), text("at once"), frame(FIN | BINARY, b"\0\1"))
        status, _ = wire.head()
        check(status.startswith("HTTP/1.1 101 "), "HTTP/1.1 101", status)
        wire.expect(TEXT, b"at once", "the first message")
        wire.expect(BINARY, b"\0\1", "the second message")


# covers: 9110-5.3-02
def test_wire_one_octet_at_a_time():
    with echo_server() as server, connect(server.port) as wire:
        head = request()
        for octet in head[:-1]:
            wire.send(bytes([octet]))
        wire.quiet(0.1, "no answer to a head without its end")
        for octet in head[-1:] + frame(TEXT, b"\xc3") + frame(FIN | PING, b"p") + frame(FIN, b"\xa9"):
            wire.send(bytes([octet]))
        status, _ = wire.head()
        check(status.startswith("HTTP/1.1 101 "), "HTTP/1.1 101", status)
        wire.expect(PONG, b"p", "Pong")
        wire.expect(TEXT, b"\xc3\xa9", "echo")


def test_wire_silent_client_hinders_nobody():
    with echo_server() as server, connect(server.port) as silent, connect(server.port) as half:
        half.send(request()[:40])
        echoes(server.port)
        silent.quiet(0.05, "silence towards one that sends nothing")
        half.send(request()[40:], text("late"))
        half.head()
        half.expect(TEXT, b"late", "echo to the one that was late")


# ----------------------------------------------------------------- frames

# covers: 6455-5.1-03
def test_wire_lengths_are_minimal_and_unmasked():
    heads = {0: "8200", 1: "8201", 125: "827d", 126: "827e007e", 127: "827e007f"}
    with echo_server() as server, opened(server.port) as wire:
        for size, head in heads.items():
            data = os.urandom(size)
            wire.send(frame(FIN | BINARY, data))
            same(wire.read(len(head) // 2).hex(), head, "head of a frame of %d octets" % size)
            same(wire.read(size), data, "payload of %d octets" % size)
        for size in (65535, 65536, 65537, 1 << 20):
            data = os.urandom(size)
            wire.send(frame(FIN | BINARY, data))
            check(wire.next() == (BINARY, data), "the echo of %d octets" % size, "another")


# covers: 6455-5.4-06 6455-5.5.3-01 6455-5.5.2-04
def test_wire_pongs_come_within_a_message():
    with echo_server() as server, opened(server.port) as wire:
        wire.send(frame(FIN | PING, b"first"))
        wire.expect(PONG, b"first", "Pong before any message")
        wire.send(frame(TEXT, b"frag"), frame(FIN | PING, b"\xff\xfe"), frame(0, b""), frame(FIN | PING, b"p" * 125))
        wire.expect(PONG, b"\xff\xfe", "Pong between fragments")
        wire.expect(PONG, b"p" * 125, "the second Pong")
        wire.send(frame(FIN, b"ments"))
        wire.expect(TEXT, b"fragments", "the message")


# covers: 6455-5.5.3-03
def test_wire_unasked_pong_is_not_answered():
    with echo_server() as server, opened(server.port) as wire:
        wire.send(frame(FIN | PONG), frame(FIN | PONG, b"unasked"), text("next"))
        wire.expect(TEXT, b"next", "echo behind Pongs")


def violate(port, bad, code, behind=b""):
    """An echo, then the Close with this code, then the end: whatever follows the fault."""
    with opened(port) as wire:
        wire.send(text("before"), bad, behind)
        wire.expect(TEXT, b"before", "echo before %s" % bad[:8].hex())
        wire.expect_close(code, "Close for %s" % bad[:8].hex())
        wire.end("the end after %s" % bad[:8].hex(), PROMPT)


def violations(cases, behind=b""):
    with echo_server() as server:
        for bad, code in cases:
            violate(server.port, bad, code, behind)
        echoes(server.port)


# covers: 6455-5.1-02 6455-7.1.7-01
def test_wire_unmasked_frames_are_refused():
    violations([
        (text("Hello", mask=False), 1002),
        (frame(FIN | TEXT, mask=False), 1002),
        (frame(FIN | PING, mask=False), 1002),
        (closing(1000, mask=False), 1002),
    ])


# covers: 6455-5.2-03 6455-7.1.7-02 6455-7.4.1-05
def test_wire_broken_frames_are_refused():
    behind = frame(FIN | PING, b"never") + text("never") + closing(1000)
    violations([
        (frame(0xC0 | TEXT, b"Hello"), 1002),
        (frame(0x90 | PING), 1002),
        (frame(FIN | 3, b"x"), 1002),
        (frame(FIN | 11), 1002),
        (frame(PING, b"fragment"), 1002),
        (frame(FIN | PING, b"x" * 126), 1002),
        (frame(FIN, b"continuation"), 1002),
        (frame(TEXT, b"a") + frame(FIN | TEXT, b"b"), 1002),
        (bytes.fromhex("81fe0005") + KEY + masked(b"Hello"), 1002),
        (bytes.fromhex("82ff0000000000000005") + KEY + masked(b"Hello"), 1002),
        (bytes.fromhex("82ff8000000000000000") + KEY, 1002),
    ], behind)


# covers: 6455-5.2-06 6455-5.5-01
def test_wire_faults_are_judged_from_the_first_octets():
    violations([(b"\xf1", 1002), (b"\x83", 1002), (b"\x09", 1002), (b"\x89\xfe", 1002), (b"\x81\x05", 1002)])


# covers: 6455-5.6-01 6455-7.4.1-07 6455-8.1-01 6455-8.1-08
def test_wire_bad_text_is_refused_at_once():
    start = bytes([FIN | TEXT, 0x80 | 21]) + KEY
    valid = "\u03ba\u1f79\u03c3\u03bc\u03b5".encode()
    violations([
        (frame(FIN | TEXT, b"\xed\xa0\x80"), 1007),
        (frame(FIN | TEXT, b"\xc0\xaf"), 1007),
        (frame(FIN | TEXT, b"\xc3"), 1007),
        (frame(TEXT, valid) + frame(0, b"\xf4\x90"), 1007),
        (start + masked(valid + b"\xf4\x90"), 1007),
    ])


# covers: 6455-5.5.1-02 6455-5.5.1-04 6455-5.5.1-19
def test_wire_bad_closes_are_refused():
    violations([
        (frame(FIN | CLOSE, b"\x03"), 1002),
        (closing(999), 1002),
        (closing(1004), 1002),
        (closing(1005), 1002),
        (closing(1006), 1002),
        (closing(2999), 1002),
        (closing(5000), 1002),
        (closing(1000, b"\xed\xa0\x80"), 1007),
    ])


# covers: 6455-10.4-01 6455-10.4-02 6455-7.4.1-09
def test_wire_message_beyond_the_limit():
    with echo_server("--max-message", 1000) as server:
        with opened(server.port) as wire:
            wire.send(frame(FIN | BINARY, b"x" * 1000), frame(BINARY, b"y" * 500), frame(FIN, b"y" * 500))
            wire.expect(BINARY, b"x" * 1000, "the largest message")
            wire.expect(BINARY, b"y" * 1000, "the largest message in pieces")
        violate(server.port, frame(FIN | BINARY, b"x" * 1001), 1009)
        violate(server.port, frame(BINARY, b"x" * 500) + frame(FIN, b"x" * 501), 1009)
        violate(server.port, bytes.fromhex("82ff1000000000000000"), 1009)
        echoes(server.port)


# ---------------------------------------------------------------- closing

# covers: 6455-5.5.1-16 6455-7.1.1-02 6455-5.5.1-10
def test_wire_server_ends_the_connection_first():
    with echo_server() as server:
        for code in (1000, 1001, 1011, 3000, 4999):
            with opened(server.port) as wire:
                wire.send(closing(code, b"bye"))
                wire.expect_close(code, "Close with %d" % code)
                wire.end("the end at once after both Closes", PROMPT)
        with opened(server.port) as wire:
            wire.send(frame(FIN | CLOSE))
            wire.expect(CLOSE, b"", "Close without a code")
            wire.end("the end at once after both Closes", PROMPT)


# covers: 6455-5.5.1-13 6455-5.5.1-14 6455-5.5.2-02
def test_wire_nothing_is_answered_behind_a_close():
    with echo_server() as server, opened(server.port) as wire:
        wire.send(text("a"), closing(1000), frame(FIN | PING), text("b"), frame(FIN | CLOSE), b"\xf1\xff")
        wire.expect(TEXT, b"a", "echo before the Close")
        wire.expect_close(1000, "the Close")
        wire.end("nothing behind the Close", PROMPT)


# covers: 6455-7.1.1-01
def test_wire_octets_behind_a_fault_cause_no_reset():
    with echo_server() as server, opened(server.port) as wire:
        wire.send(text("a"), b"\xf1", os.urandom(65536))
        wire.expect(TEXT, b"a", "echo before the fault")
        wire.expect_close(1002, "the Close")
        wire.send(os.urandom(65536))
        wire.end("an end in order although octets came behind the fault", PROMPT)


def test_wire_octets_behind_a_close_do_not_hide_it():
    with echo_server() as server:
        for _ in range(20):
            with opened(server.port) as wire:
                wire.send(text("a"), closing(1000), os.urandom(65536))
                wire.expect(TEXT, b"a", "echo before the Close")
                wire.expect_close(1000, "the Close")
        echoes(server.port)


def unread(server):
    """A client with an echo that it has not read, larger than its buffer: what the server sends lies behind that."""
    wire = opened(server.port, 4096)
    wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)  # and sends as fast as it can
    wire.send(frame(FIN | BINARY, UNREAD))
    wire.sock.recv(1, socket.MSG_PEEK)  # the echo is under way
    return wire


def find_close(wire, code, what):
    wire.expect(BINARY, UNREAD, "the echo before " + what)
    wire.expect_close(code, what)


# covers: 6455-7.1.1-01
def test_wire_the_close_outlives_what_the_client_still_sends():
    """The server has ended the connection, the client has read nothing of it and sends on: there is no reset."""
    more = os.urandom(1 << 20)
    with echo_server("--max-message", len(UNREAD)) as server:
        with unread(server) as wire:
            wire.send(closing(1000))
            wire.send(more)
            find_close(wire, 1000, "the Close for its own Close")
            wire.end("an end in order", PROMPT)
        with unread(server) as wire:
            wire.send(frame(FIN | BINARY, more))
            find_close(wire, 1009, "the Close for a message beyond the limit")
            wire.end("an end in order", PROMPT)
        with unread(server) as wire:
            server.terminate()
            until_deaf(server.port)
            wire.send(*(frame(FIN | BINARY, more[:1000]) for _ in range(1000)))
            find_close(wire, 1001, "the Close for the end of the server")
            wire.send(closing(1001))
            wire.send(more)
            wire.end("an end in order", PROMPT)
        same(server.wait()[0], 0, "exit status after SIGTERM")


def test_wire_the_server_lingers_not_for_ever():
    """A client that has said goodbye and stays is left after a while, whether it sends or not."""
    with echo_server() as server, opened(server.port) as still, opened(server.port) as loud:
        for wire in (still, loud):
            wire.send(closing(1000))
            wire.expect_close(1000, "the Close")
            wire.end("the end of the server's side", PROMPT)
        try:
            since = time.monotonic()
            while time.monotonic() < since + STEP_SECONDS:
                loud.send(bytes(1 << 20))
            check(False, "a bound to what is read", "none")
        except (ConnectionResetError, BrokenPipeError):
            pass
        until_reset(still.sock)


def until_deaf(port):
    """Until nobody listens on the port."""
    since = time.monotonic()
    while time.monotonic() < since + STEP_SECONDS:
        try:
            connect(port).sock.close()
        except ConnectionError:
            return
    check(False, "a listener that is closed", "one that is open")


def until_reset(sock):
    """Until the peer's socket is gone, which an octet that is sent there finds out."""
    since = time.monotonic()
    try:
        while time.monotonic() < since + STEP_SECONDS:
            sock.sendall(b"x")
            select.select([], [], [], 0.05)
    except (ConnectionResetError, BrokenPipeError):
        return
    check(False, "a socket that is closed", "one that is open")


# covers: 6455-5.4-12
def test_wire_unfinished_message_is_not_echoed():
    with echo_server() as server, opened(server.port) as wire:
        wire.send(frame(TEXT, b"never whole"), closing(1000))
        wire.expect_close(1000, "only the Close")
        wire.end("the end", PROMPT)


def test_wire_client_that_shuts_its_side_gets_its_echo():
    with echo_server() as server, opened(server.port) as wire:
        wire.send(text("last words"))
        wire.sock.shutdown(1)
        wire.expect(TEXT, b"last words", "echo after the client's side was shut")
        got = wire.sock.recv(100)
        check(got == b"" or got[:1] == bytes([FIN | CLOSE]), "the end or a Close", got)
        echoes(server.port)


def test_wire_killed_clients_leave_the_server_serving():
    with echo_server() as server:
        for last in (b"", text("x" * 100000), frame(TEXT, b"part"), text("whole")[:3], closing(1000)):
            wire = opened(server.port)
            wire.send(last)
            wire.reset()
            echoes(server.port)
        wire = connect(server.port)
        wire.send(request()[:50])
        wire.reset()
        echoes(server.port)


# ------------------------------------------------------------ slow readers

def push(wire, data, patience):
    """Writes until nothing more is taken for so long; returns how much was taken."""
    view, done = memoryview(data), 0
    wire.sock.setblocking(False)
    while done < len(view) and select.select([], [wire.sock], [], patience)[1]:
        done += wire.sock.send(view[done:done + 65536])
    return done


class Echoes:
    """Takes frames apart as their octets come, and joins the payloads."""

    def __init__(self):
        self.head, self.left, self.payload = bytearray(), 0, bytearray()

    def feed(self, data):
        position = 0
        while position < len(data):
            if self.left:
                piece = data[position:position + self.left]
                self.payload += piece
                self.left -= len(piece)
                position += len(piece)
            else:
                self.head.append(data[position])
                position += 1
                self.begin()

    def begin(self):
        if len(self.head) < 2:
            return
        check(self.head[0] & 0x7F in (0, BINARY) and self.head[1] < 128, "unmasked frames of data", bytes(self.head))
        extra = {126: 2, 127: 8}.get(self.head[1], 0)
        if len(self.head) == 2 + extra:
            self.left = int.from_bytes(self.head[2:], "big") if extra else self.head[1]
            self.head.clear()


def exchange(wire, rest, expected):
    """Writes the rest while reading so many octets of payload; returns them."""
    view, echo, deadline = memoryview(rest), Echoes(), time.monotonic() + STEP_SECONDS
    wire.sock.setblocking(False)
    echo.feed(wire.take(len(wire.data)))
    while len(echo.payload) < expected:
        readable, writable, _ = select.select([wire.sock], [wire.sock] if view else [], [], 1)
        if readable:
            piece = wire.sock.recv(262144)
            check(piece, "the rest of the echo", "the end after %d of %d octets" % (len(echo.payload), expected))
            echo.feed(piece)
        if writable:
            view = view[wire.sock.send(view[:65536]):]
        check(time.monotonic() < deadline, "%d octets back" % expected, len(echo.payload))
    return bytes(echo.payload)


def test_wire_slow_reader_loses_nothing():
    payload = os.urandom(8 << 20)
    size = 1 << 18
    frames = b"".join(frame(FIN | BINARY, payload[i:i + size]) for i in range(0, len(payload), size))
    with echo_server() as server, opened(server.port, 65536) as wire:
        done = push(wire, frames, 0.5)
        same(exchange(wire, frames[done:], len(payload)) == payload, True, "the echo is what was sent")


def test_wire_slow_reader_is_held_back():
    size, most = 1 << 16, 64 << 20
    one = frame(FIN | BINARY, bytes(range(256)) * (size // 256))
    frames = one * (most // size)
    with echo_server() as server, opened(server.port, 65536) as wire:
        done = push(wire, frames, 0.5)
        check(done < len(frames), "a server that stops reading before 64 MiB wait for the reader", done)
        echoes(server.port, "another is served meanwhile")
        count = done // len(one) + 1
        got = exchange(wire, frames[done:count * len(one)], count * size)
        same(got == bytes(range(256)) * (count * size // 256), True, "the echo is what was sent")


# ---------------------------------------------------------------- the end

# covers: 6455-7.3-01
def test_wire_sigterm_closes_with_1001():
    with echo_server() as server, contextlib.ExitStack() as stack:
        wires = [stack.enter_context(opened(server.port)) for _ in range(20)]
        idle = stack.enter_context(connect(server.port))
        for number, wire in enumerate(wires):
            wire.send(text(str(number)))
            wire.expect(TEXT, str(number).encode(), "echo before SIGTERM")
        server.terminate()
        for wire in wires:
            wire.expect_close(1001, "Close after SIGTERM")
            wire.send(closing(1001))
            wire.end("the end after both Closes", PROMPT)
        status, output = server.wait()
        same(status, 0, "exit status after SIGTERM; " + output)
        idle.sock.close()


def test_wire_sigterm_waits_not_for_ever():
    with echo_server() as server, opened(server.port) as deaf:
        server.terminate()
        deaf.expect_close(1001, "Close after SIGTERM")
        status, output = server.wait()
        same(status, 0, "exit status although a client never answered; " + output)


if __name__ == "__main__":
    main(globals())
