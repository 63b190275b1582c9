# SPDX-License-Identifier: MIT
"""What the tests share: a proxy as processes, the programs behind it and in front of it."""
import asyncio
import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "interop"))

from harness import STEP_SECONDS, Failure, Program, Server, short  # noqa: E402
from kinds import SYSTEM_PATH  # noqa: E402

CLIENT = "examples/echo_client"
POLL = 0.01

# Lower than the ports that the system gives away: nobody takes one in the moment
# between two proxies on the same port.
PORTS = range(20000, 32000)


def until(condition, what, seconds=STEP_SECONDS):
    """Polls until the condition gives something true, which is returned. what: words,
    or a function that gives them when it is too late."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise Failure("expected %s within %g s, actual: not so" % (what() if callable(what) else what, seconds))
        time.sleep(POLL)


async def soon(condition, what, seconds=STEP_SECONDS):
    """The same beside the servers of this process."""
    return await asyncio.to_thread(until, condition, what, seconds)


# -------------------------------------------------------------------- ports

def is_free(port):
    """Whether nobody listens there."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return True
    return False


def free_port():
    for port in random.sample(PORTS, 200):
        if is_free(port):
            return port
    raise Failure("expected a free port, actual: none of 200")


@contextlib.contextmanager
def deaf_port():
    """A port that refuses connections, and is nobody else's meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


# ------------------------------------------------------------------ proxies

def states(group):
    """Of all threads of a process group that still live. A process may be shown as
    ended while threads of it hold its sockets yet."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getpgid(int(process.name)) == group:
                for thread in (process / "task").iterdir():
                    found.append((thread / "stat").read_text().rpartition(")")[2].split()[0])
    return [state for state in found if state not in "ZX"]


class Proxy:
    """One private instance: a process group of its own, with all its files in one folder."""

    def __init__(self, kind, routes):
        self.kind, self.routes, self.process = kind, routes, None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tenon-proxy-"))
        self.folder.chmod(0o755)  # for workers of another account
        self.port = free_port()

    def url(self, path):
        return "ws://127.0.0.1:%d%s" % (self.port, path)

    def start(self):
        """Starts it, and waits until it accepts; again on the same port after kill."""
        until(lambda: is_free(self.port), "port %d free" % self.port)
        command = self.kind.write(self.folder, self.port, self.routes)
        environment = {"PATH": SYSTEM_PATH, "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder),
                       "XDG_CONFIG_HOME": str(self.folder), "LANG": "C"}
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            cwd=self.folder, env=environment, start_new_session=True)
        until(lambda: accepts(self.port) or self.process.poll() is not None,
              "%s on port %d" % (self.kind.name, self.port))
        if self.process.poll() is not None:
            raise Failure("%s: expected to run, actual: exit status %d; %s"
                          % (self.kind.name, self.process.returncode, self.log()))

    def log(self):
        texts = [(self.folder / name).read_text(errors="replace") for name in ("output", "log")
                 if (self.folder / name).exists()]
        return short("\n".join(texts)[-2000:])

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def freeze(self):
        """SIGSTOP: the kernel keeps its connections up, and nothing answers any more."""
        self.signal(signal.SIGSTOP)
        until(lambda: set(states(self.process.pid)) == {"T"}, "all of %s stopped" % self.kind.name)

    def kill(self):
        """SIGKILL to every process of it, at once."""
        if self.process is None:
            return
        self.signal(signal.SIGKILL)
        self.process.wait(STEP_SECONDS)
        until(lambda: not states(self.process.pid), "the end of %s" % self.kind.name)
        self.process = None

    def remove(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def proxied(kind, *routes):
    proxy = Proxy(kind, routes)
    try:
        for again in (True, True, False):
            try:
                proxy.start()
                break
            except Failure:
                if not again:
                    raise
                proxy.kill()
                proxy.port = free_port()  # it may have been taken in between
        yield proxy
    finally:
        proxy.remove()


# ----------------------------------------------------------------- programs

@contextlib.contextmanager
def serving(server):
    """A server. It must end with status 0 on SIGTERM, if the test did not end it."""
    try:
        yield server
        if server.process.poll() is None:
            server.end()
    finally:
        server.kill()


def echoing(*arguments):
    return serving(Server(*arguments))


@contextlib.contextmanager
def running(path, *arguments, **options):
    started = Program(path, *arguments, **options)
    try:
        yield started
    finally:
        started.kill()


def sockets(program):
    """How many sockets it holds: for a server the listener and one for each client."""
    count = 0
    for entry in os.listdir("/proc/%d/fd" % program.process.pid):
        with contextlib.suppress(OSError):
            count += os.readlink("/proc/%d/fd/%s" % (program.process.pid, entry)).startswith("socket:")
    return count


def clients(server):
    """How many connections a server holds: its sockets but for the listener."""
    return sockets(server) - 1


def unread(port):
    """Octets that the kernel has for the connections of a port, and nobody has read."""
    total = 0
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == "01":  # established
            total += int(fields[4].rpartition(":")[2], 16)
    return total


def resident(program):
    """VmRSS in octets."""
    for line in pathlib.Path("/proc/%d/status" % program.process.pid).read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise Failure("expected VmRSS, actual: none")
