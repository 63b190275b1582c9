# SPDX-License-Identifier: MIT
"""Compressed echo: messages for each second of the server's CPU time.

usage: deflate.py BUILD_DIR ROUNDS      (deflate.sh compiles what it needs)

All servers run at once and are loaded one after the other, in turn; a figure is the
median of the rounds. All compress with level 6, a window of 2^15 that is kept between
messages, and every message; the memory level is in the name.
"""
import collections
import os
import pathlib
import re
import select
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(sys.argv[1]).resolve()
ROUNDS = int(sys.argv[2])
OUT = BUILD / "bench"
WS = BUILD / "npm/node_modules/ws"
START_SECONDS = 10
LOAD_SECONDS = 70
TICKS = os.sysconf("SC_CLK_TCK")

# octets of a message, and messages of a round
Workload = collections.namedtuple("Workload", "name size messages")
WORKLOADS = [Workload("1 KiB", 1024, 40000), Workload("64 KiB", 65536, 1600)]

# what a row says; the command
Server = collections.namedtuple("Server", "name command")
SERVERS = [
    Server("tenon, memory level 8", [BUILD / "examples/echo_server", "--port", "0", "--deflate"]),
    Server("ws, memory level 8", ["node", HERE / "deflate_ws.js", "8"]),
    Server("tenon, memory level 4",
           [BUILD / "examples/echo_server", "--port", "0", "--deflate", "--memory-level", "4"]),
    Server("ws, memory level 4", ["node", HERE / "deflate_ws.js", "4"]),
    Server("websocketpp, memory level 4", [OUT / "deflate_websocketpp"]),
]
Figure = collections.namedtuple("Figure", "rate speed octets")


class Running:
    """A server that was started; closed by end()."""

    def __init__(self, server):
        self.name = server.name
        self.figures = collections.defaultdict(list)
        environment = dict(os.environ, WS_MODULE=str(WS))
        self.process = subprocess.Popen([str(word) for word in server.command], stdout=subprocess.PIPE,
                                        env=environment)
        try:
            self.port = self.wait_for_port()
        except BaseException:
            self.end()
            raise

    def wait_for_port(self):
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline().decode() if ready else ""
        found = re.search(r"listening on 127\.0\.0\.1:(\d+)", line)
        if not found:
            raise RuntimeError("%s does not listen" % self.name)
        return found.group(1)

    def cpu(self):
        """Seconds of all its threads."""
        fields = pathlib.Path("/proc/%d/stat" % self.process.pid).read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        text = pathlib.Path("/proc/%d/status" % self.process.pid).read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", text).group(1))

    def round(self, workload):
        before = self.cpu()
        done = load(self.port, workload)
        used = self.cpu() - before
        return Figure(done["messages"] / used, done["messages"] / done["seconds"], done["received"] / done["messages"])

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def load(port, workload, *more):
    words = [str(word) for word in (OUT / "deflate_load", port, workload.size, workload.messages, *more)]
    output = subprocess.run(words, stdout=subprocess.PIPE, timeout=LOAD_SECONDS, check=True).stdout.decode().split()
    return {name: float(value) for name, value in zip(output[::2], output[1::2])}


def on_zlib(workload, level):
    """The figure of zlib alone, of the system's library."""
    done = [load("zlib", workload, level) for _ in range(3)]
    rate = statistics.median(one["messages"] / one["seconds"] for one in done)
    return Figure(rate, None, done[0]["received"] / done[0]["messages"])


def measure(servers, workload):
    for server in servers:
        server.round(workload)  # to warm up: a compiler, caches, the heap
    for number in range(ROUNDS):
        start = number % len(servers)
        for server in servers[start:] + servers[:start]:
            server.figures[workload.name].append(server.round(workload))
            time.sleep(0.05)


def median(server, workload):
    return Figure(*map(statistics.median, zip(*server.figures[workload.name])))


def ratio(rates, name, kind):
    """To the server of that kind with the same memory level."""
    other = rates.get("%s, %s" % (kind, name.split(", ")[1]))
    return "%.2f" % (rates[name] / other) if other else "-"


def spread(server, workload):
    rates = [one.rate for one in server.figures[workload.name]]
    return "%.0f to %.0f" % (min(rates), max(rates))


def table(servers, workload):
    figures = {server.name: median(server, workload) for server in servers}
    rates = {name: one.rate for name, one in figures.items()}
    yield "### %s of text, %d messages in a round, %d rounds" % (workload.name, workload.messages, ROUNDS)
    yield ""
    yield "| server | messages/CPU s | range | messages/s | octets/message back | to ws | to websocketpp |"
    yield "|---|---|---|---|---|---|---|"
    for server in servers:
        one = figures[server.name]
        yield "| %s | %.0f | %s | %.0f | %.0f | %s | %s |" % (
            server.name, one.rate, spread(server, workload), one.speed, one.octets,
            ratio(rates, server.name, "ws"), ratio(rates, server.name, "websocketpp"))
    for level in 8, 4:
        one = on_zlib(workload, level)
        rates["zlib alone, memory level %d" % level] = one.rate
        name = "zlib alone, memory level %d" % level
        yield "| %s | %.0f | | | %.0f | %s | %s |" % (name, one.rate, one.octets, ratio(rates, name, "ws"),
                                                     ratio(rates, name, "websocketpp"))
    yield ""


def start_all():
    """Those that can be started."""
    running = []
    try:
        for server in SERVERS:
            try:
                running.append(Running(server))
            except (OSError, RuntimeError) as problem:
                print("left out: %s (%s)" % (server.name, problem), file=sys.stderr)
    except BaseException:
        end_all(running)
        raise
    return running


def end_all(running):
    for server in running:
        server.end()


def report(running):
    for workload in WORKLOADS:
        measure(running, workload)
    lines = [line for workload in WORKLOADS for line in table(running, workload)]
    lines += ["Most memory of the server, KiB: " + "; ".join("%s: %d" % (one.name, one.memory()) for one in running)]
    lines += ["", "### Octets of memory of a connection for permessage-deflate (zlib)", ""]
    lines += subprocess.run([str(OUT / "deflate_memory")], stdout=subprocess.PIPE, timeout=10,
                            check=True).stdout.decode().splitlines()
    return "\n".join(lines) + "\n"


def main():
    running = start_all()
    try:
        text = report(running)
    finally:
        end_all(running)
    (OUT / "deflate.md").write_text(text)
    sys.stdout.write(text)


main()
