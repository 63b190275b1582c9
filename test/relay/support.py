# SPDX-License-Identifier: MIT
"""A relay under test, and the two ends of what goes through it: sockets of the test's."""
import base64
import contextlib
import hashlib
import os
import pathlib
import re
import select
import socket
import struct
import time

import harness
from harness import BINARY, CLOSE, FIN, PING, PONG, STEP_SECONDS, TEXT, Failure, Program, Wire, check, frame, same, short

POLL = 0.01
RSV1, RSV2, RSV3 = 0x40, 0x20, 0x10
CONTINUATION = 0
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def until(condition, what, seconds=STEP_SECONDS):
    """Polls until the condition gives something true, which is returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise Failure("expected %s within %g s, actual: not so" % (what, seconds))
        time.sleep(POLL)


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


# -------------------------------------------------------------------- the ends

class End(Wire):
    """One end of a WebSocket: the client, which masks, or the origin, which does not."""

    def __init__(self, sock, masks):
        super().__init__(sock)
        self.masks = masks
        self.pieces = None

    def fileno(self):
        return self.sock.fileno()

    def put(self, first, payload=b""):
        self.send(frame(first, payload, self.masks))

    def piece(self):
        """The next frame: first octet, with RSV bits, and payload."""
        first, second = self.read(2)
        same(bool(second & 0x80), not self.masks, "mask bit of a frame from the relay")
        size = self.size(second & 0x7F)
        key = self.read(4) if second & 0x80 else None
        payload = self.read(size)
        return first, harness.masked(payload, key) if key else payload

    def message(self):
        """The next control frame or whole message: opcode and RSV bits, and payload. A
        control frame inside of a message comes first, as it did on the wire."""
        while True:
            first, payload = self.piece()
            if first & 0x08:
                check(first & FIN, "a control frame in one piece", hex(first))
                return first & 0x7F, payload
            opcode, begun = self.pieces or (first & 0x7F, b"")
            same((first & 0x0F) == 0, self.pieces is not None, "whether a frame continues a message")
            if self.pieces is not None:
                same(first & 0x70, 0, "RSV bits of a continuation")
            self.pieces = opcode, begun + payload
            if first & FIN:
                self.pieces = None
                return opcode, begun + payload

    def gets(self, opcode, payload, what="a message"):
        same(self.message(), (opcode, payload), what)

    def gets_close(self, code, reason=None, what="a Close"):
        """code None: one without a body. reason None: whatever it is. What it was."""
        opcode, payload = self.message()
        same((opcode, payload[:2]), (CLOSE, b"" if code is None else struct.pack("!H", code)), what)
        if reason is not None:
            same(payload[2:], reason, what + ": reason")
        return payload[2:].decode()

    def close(self, code=1000, reason=b""):
        self.put(FIN | CLOSE, b"" if code is None else struct.pack("!H", code) + reason)

    def has_nothing(self, seconds=0.05):
        """Nothing is here, and nothing comes for a moment."""
        self.quiet(seconds, "nothing from the relay")

    def gone(self, what="the end of the connection", seconds=STEP_SECONDS):
        """Whatever still comes, and then the end of the stream, in order or by a reset."""
        self.sock.settimeout(seconds)
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionResetError:
            pass
        except socket.timeout:
            raise Failure("expected %s within %g s, actual: open" % (what, seconds)) from None

    def leaves(self):
        """A server ends the stream first (RFC 6455, 7.1.1); then the relay does."""
        self.sock.shutdown(socket.SHUT_WR)
        self.gone()


def head_lines(path="/", host="relay.test", key="dGhlIHNhbXBsZSBub25jZQ==", more=()):
    return ["GET %s HTTP/1.1" % path, "Host: %s" % host, "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Key: %s" % key, "Sec-WebSocket-Version: 13", *more]


def head_of(lines):
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Origin:
    """What the relay connects to: a listener, and what arrives there."""

    def __init__(self, backlog=128):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(backlog)
        self.sock.settimeout(STEP_SECONDS)
        self.port = self.sock.getsockname()[1]
        self.url = "ws://127.0.0.1:%d" % self.port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def take(self, buffers=0):
        """The next connection of the relay; its head is not read."""
        if buffers:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers)
        sock, _ = self.sock.accept()
        return End(sock, masks=False)

    def asked(self):
        """The same behind the relay's request: the end, its first line, its fields."""
        end = self.take()
        return end, *end.head()

    def has_nobody(self, what):
        ready, _, _ = select.select([self.sock], [], [], 0.05)
        check(not ready, what, "a connection to the origin")


def answer(end, fields, more=()):
    """101 to the relay."""
    end.send(head_of(["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                      "Sec-WebSocket-Accept: " + accept_of(fields["sec-websocket-key"][0]), *more]))


# ------------------------------------------------------------------- the relay

RELAY = {"usual": "examples/relay", "path": "examples/relay"}


class Relay(Program):
    """The relay before an origin, with its metrics."""

    def __init__(self, origin_url, *arguments, path=None):
        super().__init__(path or RELAY["path"], "--origin-url", origin_url, "--port", "0", "--metrics-port", "0", *arguments)
        try:
            self.port = self.port_in(r"listening on 127\.0\.0\.1:(\d+)")
            self.metrics_port = self.port_in(r"metrics on 127\.0\.0\.1:(\d+)")
        except BaseException:
            self.kill()
            raise
        self.url = "ws://127.0.0.1:%d/" % self.port

    def port_in(self, pattern):
        line = self.line()
        found = re.fullmatch(pattern, line)
        check(found, pattern, line)
        return int(found.group(1))

    def connect(self, buffers=0):
        end = End(harness.connect(self.port, buffers).sock, masks=True)
        return end

    def ask(self, lines=None, buffers=0):
        """A client that has sent its request."""
        end = self.connect(buffers)
        end.send(head_of(head_lines() if lines is None else lines))
        return end

    def refused(self, lines=None):
        """The answer to a request that is not accepted: status, fields, body."""
        with self.ask(lines) as client:
            return response(client)

    def metrics(self):
        """All values, by name and labels as they stand in the page."""
        with harness.connect(self.metrics_port) as wire:
            wire.send(b"GET /metrics HTTP/1.1\r\nHost: m\r\n\r\n")
            status, _fields, body = response(wire)
        same(status, 200, "status of /metrics")
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
                for line in body.decode().splitlines() if not line.startswith("#")}

    def metric(self, name):
        return self.metrics().get(name, 0)

    def counts(self, name, value, seconds=STEP_SECONDS):
        """The metric comes to that value, and no further."""
        until(lambda: self.metric(name) >= value, "%s of %g" % (name, value), seconds)
        same(self.metric(name), value, name)

    def resident(self):
        """VmRSS in octets."""
        for line in pathlib.Path("/proc/%d/status" % self.process.pid).read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise Failure("expected VmRSS, actual: none")

    def sockets(self):
        count = 0
        for entry in os.listdir("/proc/%d/fd" % self.process.pid):
            with contextlib.suppress(OSError):
                count += os.readlink("/proc/%d/fd/%s" % (self.process.pid, entry)).startswith("socket:")
        return count

    def cpu_seconds(self):
        fields = pathlib.Path("/proc/%d/stat" % self.process.pid).read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        """SIGTERM must end it, and with status 0: so memory errors and leaks show too."""
        self.terminate()
        status, output = self.wait()
        check(status == 0, "exit status 0 of the relay after SIGTERM", (status, output[-1500:]))


def response(wire):
    """A whole answer of HTTP: status, fields, body, and the end of the stream."""
    line, fields = wire.head()
    status = int(line.split()[1])
    size = int(fields.get("content-length", ["0"])[0])
    body = wire.read(size)
    wire.end("the end behind an answer")
    return status, fields, body


@contextlib.contextmanager
def relaying(*arguments, path=None):
    """A relay and its origin."""
    with Origin() as origin:
        relay = Relay(origin.url, *arguments, path=path)
        relay.origin = origin
        try:
            yield relay
            if relay.process.poll() is None:
                relay.end()
            same(relay.process.returncode, 0, "exit status of the relay: " + relay.output()[-1500:])
        finally:
            relay.kill()


@contextlib.contextmanager
def paired(relay, lines=None, more=(), buffers=0):
    """A client and the origin's end, open to each other through the relay."""
    with relay.ask(lines, buffers) as client:
        end = relay.origin.take(buffers)
        with end:
            _line, fields = end.head()
            answer(end, fields, more)
            line, _fields = client.head()
            check(line.startswith("HTTP/1.1 101 "), "HTTP/1.1 101", line)
            yield client, end


def alive(client, origin):
    """Both directions work."""
    client.put(FIN | TEXT, b"up")
    origin.gets(TEXT, b"up", "from the client")
    origin.put(FIN | BINARY, b"down")
    client.gets(BINARY, b"down", "from the origin")


def bye(client, origin):
    """An ordinary end."""
    client.close(1000)
    origin.gets_close(1000)
    origin.close(1000)
    client.gets_close(1000)
    client.end()
    origin.leaves()
