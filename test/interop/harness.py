# SPDX-License-Identifier: MIT
"""What the Python scripts share: the runner, programs, and sockets that speak octets."""
import asyncio
import contextlib
import inspect
import os
import pathlib
import queue
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback

BUILD = pathlib.Path(os.environ.get("TENON_INTEROP_BUILD", "build"))
TEST_SECONDS = 20
STEP_SECONDS = 10

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
FIN = 0x80
KEY = bytes.fromhex("37fa213d")


class Failure(Exception):
    """What was expected and did not come."""


def short(value):
    text = repr(value)
    return text if len(text) <= 200 else "%s... (%d characters)" % (text[:160], len(text))


def same(actual, expected, what):
    if actual != expected:
        raise Failure("%s: expected %s, actual %s" % (what, short(expected), short(actual)))


def check(condition, expected, actual):
    if not condition:
        raise Failure("expected %s, actual %s" % (expected, short(actual)))


# ----------------------------------------------------------------- runner

def on_alarm(_signal, _frame):
    raise Failure("expected an end within %d s, actual: still running" % TEST_SECONDS)


def attempt(name, test):
    """Runs one test; returns whether it passed."""
    signal.alarm(TEST_SECONDS)
    try:
        if inspect.iscoroutinefunction(test):
            asyncio.run(test())
        else:
            test()
    except Exception as problem:  # whatever it is, the next test runs
        signal.alarm(0)
        where = "" if isinstance(problem, Failure) else "\n" + traceback.format_exc()
        print("FAIL %s: %s%s" % (name, str(problem) or type(problem).__name__, where), flush=True)
        return False
    finally:
        signal.alarm(0)
    print("OK " + name, flush=True)
    log = os.environ.get("TENON_INTEROP_LOG")
    if log:
        with open(log, "a", encoding="utf-8") as file:
            file.write("OK %s\n" % name)
    return True


def main(names):
    """Runs each test_ function of a module, in the order of the file."""
    signal.signal(signal.SIGALRM, on_alarm)
    tests = [(name, test) for name, test in names.items() if name.startswith("test_")]
    wanted = sys.argv[1:]
    results = [attempt(name, test) for name, test in tests if not wanted or name in wanted]
    # Told by the lines; a status other than 0 means that the script itself broke.
    sys.exit(0 if results else 1)


# --------------------------------------------------------------- programs

class Program:
    """A program under test. Its lines are read as they come, so that it never blocks."""

    def __init__(self, path, *arguments, typed=False):
        self.errors = tempfile.TemporaryFile()
        self.lines = queue.Queue()
        self.text = []
        self.name = pathlib.PurePath(path).name
        self.process = subprocess.Popen([str(BUILD / path), *map(str, arguments)], stdout=subprocess.PIPE,
                                        stdin=subprocess.PIPE if typed else subprocess.DEVNULL,
                                        stderr=self.errors)
        self.reader = threading.Thread(target=self.drain, daemon=True)
        self.reader.start()

    def drain(self):
        for line in self.process.stdout:
            text = line.decode("utf-8", "replace").rstrip("\n")
            self.text.append(text)
            self.lines.put(text)

    def line(self):
        try:
            return self.lines.get(timeout=STEP_SECONDS)
        except queue.Empty:
            raise Failure("%s: expected a line of output, actual: none; %s" % (self.name, self.output())) from None

    def until(self, pattern):
        """Reads lines up to one that matches the whole pattern; that match."""
        while True:
            found = re.fullmatch(pattern, self.line())
            if found:
                return found

    def type(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def output(self):
        """All that it has printed."""
        self.errors.seek(0)
        return "\n".join(self.text) + "\n" + self.errors.read().decode("utf-8", "replace")

    def wait(self, seconds=STEP_SECONDS):
        """Its exit status and output."""
        try:
            status = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure("%s: expected an exit within %d s, actual: running; %s"
                          % (self.name, seconds, self.output())) from None
        self.reader.join(STEP_SECONDS)
        return status, self.output()

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Server(Program):
    """The echo server, on a port that the system chooses."""

    path = "examples/echo_server"

    def __init__(self, *arguments, port=0):
        super().__init__(self.path, "--port", port, *arguments)
        try:
            line = self.line()
            found = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)", line)
            check(found, "listening on 127.0.0.1:PORT", line)
        except BaseException:
            self.kill()
            raise
        self.port = int(found.group(1))
        self.url = "ws://127.0.0.1:%d/" % self.port

    def end(self):
        """SIGTERM must end it, and with status 0: so memory errors and leaks show too."""
        self.terminate()
        status, output = self.wait()
        check(status == 0, "exit status 0 of the server after SIGTERM", (status, output))


class ChatServer(Server):
    path = "examples/chat_server"


@contextlib.contextmanager
def served(server):
    """The server ends with the block, and in order if the block did."""
    try:
        yield server
        server.end()
    except BaseException:
        server.kill()
        print(server.output().strip(), flush=True)
        raise


def echo_server(*arguments):
    return served(Server(*arguments))


@contextlib.contextmanager
def program(path, *arguments, typed=False):
    """Any other program; what is left of it is killed."""
    started = Program(path, *arguments, typed=typed)
    try:
        yield started
    finally:
        started.kill()


async def outcome(path, *arguments):
    """Runs a program beside the servers of this process: exit status and output."""
    with program(path, *arguments) as started:
        return await asyncio.to_thread(started.wait)


# ----------------------------------------------------------------- octets

def masked(data, key=KEY):
    """The data, exclusive or with the key."""
    size = len(data)
    stream = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


def frame(first, payload=b"", mask=True):
    """One frame; first is its first octet."""
    flag, size = (0x80 if mask else 0), len(payload)
    if size < 126:
        head = struct.pack("!BB", first, flag | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, flag | 126, size)
    else:
        head = struct.pack("!BBQ", first, flag | 127, size)
    return head + (KEY + masked(payload) if mask else payload)


def text(words, mask=True):
    return frame(FIN | TEXT, words.encode(), mask)


def close_body(code, reason=b""):
    return struct.pack("!H", code) + reason


def closing(code, reason=b"", mask=True):
    return frame(FIN | CLOSE, close_body(code, reason), mask)


class Wire:
    """A connected socket and what was read from it but not yet asked for."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(STEP_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = bytearray()
        self.part = None  # of a message whose frames have not all come: opcode and payload

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, *pieces):
        self.sock.sendall(b"".join(pieces))

    def more(self):
        piece = self.sock.recv(65536)
        self.data += piece
        return len(piece)

    def take(self, size):
        piece = bytes(self.data[:size])
        del self.data[:size]
        return piece

    def read(self, size):
        while len(self.data) < size:
            if not self.more():
                raise Failure("expected %d octets, actual: the stream ended after %s" % (size, short(bytes(self.data))))
        return self.take(size)

    def head(self):
        """A head of HTTP: its first line, and its fields by name in lower case."""
        while b"\r\n\r\n" not in self.data:
            if not self.more():
                raise Failure("expected a head, actual: the stream ended after %s" % short(bytes(self.data)))
        lines = self.take(self.data.index(b"\r\n\r\n") + 4).decode("latin-1").split("\r\n")[:-2]
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            fields.setdefault(name.lower(), []).append(value.strip())
        return lines[0], fields

    def size(self, first_length):
        """The payload length; it must be in its shortest form."""
        if first_length < 126:
            return first_length
        size, least = {126: (2, 126), 127: (8, 65536)}[first_length]
        size = int.from_bytes(self.read(size), "big")
        check(size >= least, "a length in its shortest form", size)
        return size

    def whole(self):
        """The next frame: first octet, mask key or None, payload unmasked."""
        first, second = self.read(2)
        same(first & 0x70, 0, "reserved bits")
        size = self.size(second & 0x7F)
        key = self.read(4) if second & 0x80 else None
        payload = self.read(size)
        return first, key, masked(payload, key) if key else payload

    def next(self, mask=False):
        """The next control frame or whole message, in the order of their ends."""
        while True:
            first, key, payload = self.whole()
            opcode = first & 0x0F
            same(key is not None, mask, "mask")
            if opcode >= CLOSE:
                return opcode, payload
            same(opcode == 0, self.part is not None, "whether a frame continues a message")
            opcode, begun = self.part or (opcode, b"")
            self.part = opcode, begun + payload
            if first & FIN:
                self.part = None
                return opcode, begun + payload

    def expect(self, opcode, payload, what, mask=False):
        same(self.next(mask), (opcode, payload), what)

    def expect_close(self, code, what, mask=False):
        """A Close with this code, whatever its reason."""
        opcode, payload = self.next(mask)
        same((opcode, payload[:2]), (CLOSE, close_body(code)), what)

    def end(self, what="the end of the stream", seconds=STEP_SECONDS):
        """Nothing more comes, and the stream ends in order: no reset."""
        same(bytes(self.data), b"", what + ": octets left")
        self.sock.settimeout(seconds)
        try:
            rest = self.sock.recv(65536)
        except ConnectionResetError:
            raise Failure("expected %s, actual: a reset" % what) from None
        except socket.timeout:
            raise Failure("expected %s within %d s, actual: nothing" % (what, seconds)) from None
        same(rest, b"", what)

    def quiet(self, seconds, what):
        """The peer neither sends nor ends the stream for so long."""
        same(bytes(self.data), b"", what + ": octets left")
        ready, _, _ = select.select([self.sock], [], [], seconds)
        if ready:
            raise Failure("expected %s, actual: %s" % (what, short(self.sock.recv(100))))

    def reset(self):
        """Ends the connection the hard way."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


REQUEST = [
    "GET / HTTP/1.1",
    "Host: 127.0.0.1",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
]
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def request(lines=None):
    return ("\r\n".join(REQUEST if lines is None else lines) + "\r\n\r\n").encode("latin-1")


def connect(port, buffers=0):
    """A socket to the echo server; buffers: octets of each of its two buffers."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if buffers:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
    sock.settimeout(STEP_SECONDS)
    sock.connect(("127.0.0.1", port))
    return Wire(sock)


def opened(port, buffers=0):
    """The same, behind the opening handshake."""
    wire = connect(port, buffers)
    wire.send(request())
    status, fields = wire.head()
    check(status.startswith("HTTP/1.1 101 "), "HTTP/1.1 101", status)
    same(fields.get("sec-websocket-accept"), [ACCEPT], "Sec-WebSocket-Accept")
    return wire


def echoes(port, words="still there"):
    """Another client is served."""
    with opened(port) as wire:
        wire.send(text(words))
        wire.expect(TEXT, words.encode(), "echo to another client")
        wire.send(closing(1000))
        wire.expect(CLOSE, close_body(1000), "Close to another client")
        wire.end()
