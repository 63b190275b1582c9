# SPDX-License-Identifier: MIT
"""What the tests of networks share: lines of output, programs, and sockets by hand."""
import asyncio
import os
import pathlib
import re
import signal
import socket
import struct
import sys

BUILD = pathlib.Path(os.environ.get("TENON_NETWORK_BUILD", "build"))
PROBE = BUILD / "network" / "probe"

# No wait is longer, whatever goes wrong. A busy machine may need most of it.
STEP_SECONDS = 30


class Failure(Exception):
    """What was expected and did not come."""


def short(value):
    text = value if isinstance(value, str) else repr(value)
    text = text.replace("\n", " | ")
    return text if len(text) <= 300 else "%s... (%d characters)" % (text[:240], len(text))


def check(condition, expected, actual):
    if not condition:
        raise Failure("expected %s, actual %s" % (expected, short(actual)))


def same(actual, expected, what):
    check(actual == expected, "%s %s" % (what, short(expected)), actual)


async def within(awaitable, what, seconds=STEP_SECONDS):
    """Its result, or a Failure that says what did not come in time."""
    try:
        return await asyncio.wait_for(awaitable, seconds)
    except asyncio.TimeoutError:
        raise Failure("expected %s within %g s, actual: nothing" % (what, seconds)) from None


def main(work):
    """Runs a script. SIGTERM ends it as it should, with all that it has started."""
    async def guarded():
        task = asyncio.current_task()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await work
    asyncio.run(guarded())


class Report:
    """One line for each thing tested."""

    def __init__(self):
        self.passed = self.failed = 0

    def ok(self, name, detail):
        self.passed += 1
        print("OK %s  - %s" % (name, detail), flush=True)

    def fail(self, name, problem):
        self.failed += 1
        print("FAIL %s  - %s" % (name, short(str(problem) or type(problem).__name__)), flush=True)

    def end(self):
        sys.exit(0 if self.passed > 0 and self.failed == 0 else 1)


# --------------------------------------------------------------- programs

class Program:
    """A program whose output lines are read as they come."""

    def __init__(self, process):
        self.process = process
        self.lines = []
        self.news = asyncio.Condition()
        self.tasks = [asyncio.create_task(self.read(process.stdout)), asyncio.create_task(self.read(process.stderr))]

    @classmethod
    async def start(cls, *argv):
        """argv[0] is a path in the build directory, or an absolute one."""
        path = BUILD / argv[0]
        return cls(await asyncio.create_subprocess_exec(
            str(path), *map(str, argv[1:]), stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1 << 22))

    async def read(self, stream):
        while True:
            line = await stream.readline()
            if not line:
                return
            async with self.news:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self.on_line(self.lines[-1])
                self.news.notify_all()

    def on_line(self, line):
        """For those who want to know."""

    def output(self):
        return "\n".join(self.lines)

    async def until(self, condition, what, seconds=STEP_SECONDS):
        """Waits for the lines to fulfil something; its value."""
        async def wait():
            async with self.news:
                while not condition():
                    await self.news.wait()
        try:
            await asyncio.wait_for(wait(), seconds)
        except asyncio.TimeoutError:
            raise Failure("expected %s within %g s, actual: %s" % (what, seconds, short(self.output()))) from None
        return condition()

    async def found(self, pattern, seconds=STEP_SECONDS):
        """Waits for a line like this; the match."""
        return await self.until(lambda: next((m for m in map(re.compile(pattern).match, self.lines) if m), None),
                                "a line like %s" % pattern, seconds)

    def say(self, line):
        self.process.stdin.write((line + "\n").encode())

    def finish(self):
        """The end of its stdin."""
        self.process.stdin.close()

    async def wait(self, seconds=STEP_SECONDS):
        """Its exit status, and all that it said."""
        try:
            status = await asyncio.wait_for(self.process.wait(), seconds)
        except asyncio.TimeoutError:
            await self.kill()
            raise Failure("expected an end within %g s, actual: it hangs; %s" % (seconds, short(self.output()))) from None
        await asyncio.gather(*self.tasks)
        return status, self.output()

    async def kill(self):
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await asyncio.gather(*self.tasks)

    async def terminate(self, name):
        """SIGTERM must end it with 0: so memory errors and leaks show too."""
        if self.process.returncode is None:
            self.process.terminate()
        status, output = await self.wait()
        check(status == 0, "%s to exit with 0" % name, "%s: %s" % (status, output[-2000:]))


async def run(*argv, seconds=STEP_SECONDS, stdin=None):
    """Runs a program to its end: exit status and output."""
    program = await Program.start(*argv)
    if stdin is not None:
        program.process.stdin.write(stdin)
    program.finish()
    return await program.wait(seconds)


async def serve(program, *arguments):
    """Starts a server of the examples: the program and its port."""
    server = await Program.start(program, "--port", "0", *arguments)
    match = await server.found(r"listening on 127\.0\.0\.1:(\d+)")
    return server, int(match.group(1))


def parse(line):
    """A line "closed ID KEY=VALUE... section=TEXT": the ID and a dictionary."""
    head, _, section = line.partition(" section=")
    words = head.split(" ")
    fields = dict(word.split("=", 1) for word in words[2:])
    fields["section"] = section
    return words[1], {key: int(value) if re.fullmatch(r"\d+", value) else value for key, value in fields.items()}


class Probe(Program):
    """The program probe: any number of connections in one process."""

    def __init__(self, process):
        self.ends = {}
        super().__init__(process)

    @classmethod
    async def launch(cls, *before):
        """before: a command that runs it, say in a namespace."""
        argv = [*before, str(PROBE)]
        return await cls.start(*argv)

    def on_line(self, line):
        if line.startswith("closed "):
            name, fields = parse(line)
            self.ends[name, fields["role"]] = fields

    async def listen(self, name, address="127.0.0.1", **options):
        self.say(" ".join(["listen", name, address] + ["%s=%s" % item for item in options.items()]))
        return int((await self.found(r"listening %s (\d+)" % re.escape(name))).group(1))

    def connect(self, name, port, address="127.0.0.1", **options):
        self.say(" ".join(["connect", name, address, str(port)] + ["%s=%s" % item for item in options.items()]))

    async def end(self, name, role, seconds=STEP_SECONDS):
        """How a connection ended."""
        return await self.until(lambda: self.ends.get((name, role)), "an end of %s, %s" % (name, role), seconds)

    async def stop(self):
        """The end; what was left open is named by the program, and counts as a failure."""
        before = set(self.ends)
        self.finish()
        status, output = await self.wait()
        check(status == 0, "probe to exit with 0", "%s: %s" % (status, output[-2000:]))
        same(sorted(set(self.ends) - before), [], "connections left open at the end")


# ---------------------------------------------------------------- sockets

class Link:
    """A connected, non-blocking socket of an intermediary."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_shut = False

    @classmethod
    async def connect(cls, port, rcvbuf=0):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        if rcvbuf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        return cls(sock)

    async def recv(self, size=65536):
        return await asyncio.get_running_loop().sock_recv(self.sock, size)

    def recv_now(self, size=65536):
        """What is there already; b"" if nothing is, or no more comes."""
        try:
            return self.sock.recv(size)
        except OSError:
            return b""

    async def send(self, data):
        if not self.is_shut:
            await asyncio.get_running_loop().sock_sendall(self.sock, data)

    def fin(self):
        """Nothing more is sent; what the peer still sends is taken."""
        self.is_shut = True
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def reset(self):
        """The hard end: what is on the way is lost, and the peer is told by RST."""
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        self.close()

    def close(self):
        if self.sock.fileno() >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self.sock)
            loop.remove_writer(self.sock)
            self.sock.close()


def open_listener(rcvbuf=0):
    """A listening socket on a free port of the loopback."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if rcvbuf:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    sock.bind(("127.0.0.1", 0))
    sock.listen(64)
    sock.setblocking(False)
    return sock
