# SPDX-License-Identifier: MIT
"""The tables of the benchmark of speed.

usage: speed.py BUILD_DIR ROUNDS PART...      (speed.sh compiles what it needs)
"""
import collections
import datetime
import os
import pathlib
import re
import resource
import select
import shutil
import signal
import statistics
import subprocess
import sys

BUILD = pathlib.Path(sys.argv[1]).resolve()
ROUNDS = int(sys.argv[2])
PARTS = sys.argv[3:]
OUT = BUILD / "bench/speed"
ECHO_SERVER = BUILD / "examples/echo_server"
START_SECONDS = 10
LOAD_SECONDS = 130
MEMORY_SECONDS = 900
COUNT_SECONDS = 120
FILES_KEPT = 64  # descriptors that a server needs beside those of its clients

PEERS = ["Beast", "wslay", "websocketpp"]
KEYS = ["memcpy", "tenon"] + PEERS
KERNELS = "AVX2|SSSE3|NEON|plain C"


class Figure:
    """Nanoseconds of CPU for a message of so many octets, in each round."""

    def __init__(self, size):
        self.size = size
        self.times = []

    @property
    def median(self):
        return statistics.median(self.times)

    def to(self, other):
        """Median of the ratios: each round by itself, for what disturbs it disturbs both."""
        return statistics.median(a / b for a, b in zip(self.times, other.times))



def run(*words, seconds, **more):
    return subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, timeout=seconds, check=True,
                          **more).stdout.decode()


# ------------------------------------------------------------------- Markdown


def table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"
    yield ""


def spell(ns):
    """A time with three digits, and its unit."""
    if ns is None:
        return "-"
    for unit, scale in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        if ns < 1000 * scale or unit == "ms":
            value = ns / scale
            return "%.*f %s" % (2 if value < 10 else 1 if value < 100 else 0, value, unit)


def ratio(a, b):
    return "-" if a is None or b is None else "%.2f" % a.to(b)


# ------------------------------------------------------------- work in memory


def measure_memory():
    """Figures by group, workload and contender, in the order in which they came."""
    figures = collections.OrderedDict()
    for number in range(1, ROUNDS + 1):
        for line in run(OUT / "speed", number, seconds=MEMORY_SECONDS).splitlines():
            group, workload, contender, size, time = line.split("\t")
            one = figures.setdefault(group, {}).setdefault(workload, {})
            one.setdefault(contender, Figure(int(size))).times.append(float(time))
    return figures


def fastest(one, peer):
    """The fastest way that a peer has; of tenon the usual one."""
    ways = [one[name] for name in one if name == peer or (peer != "tenon" and name.startswith(peer + ","))]
    return min(ways, key=lambda way: way.median, default=None)


def cell(figure):
    return "-" if figure is None else spell(figure.median)


def compared(one):
    """The cells of a workload: times, ratios, and what tenon has beside its usual way."""
    best = {key: fastest(one, key) for key in KEYS}
    ways = [name for name in one if name.startswith("tenon, ") and not re.search(KERNELS, name)]
    other = min(ways, key=lambda name: one[name].median, default=None)
    return ([cell(best[key]) for key in ["tenon", "memcpy"] + PEERS] + [ratio(best["tenon"], best["memcpy"])] +
            [ratio(best[peer], best["tenon"]) for peer in PEERS] +
            ["%.1f" % (best["tenon"].size / best["tenon"].median)] +
            ["-" if other is None else "%s: %s" % (other.split(", ", 1)[1], cell(one[other]))])


def memory_tables(figures):
    yield "### In memory: CPU time for each message"
    yield ""
    yield ("Median of %d rounds, of times and of ratios. Beast and wslay: the faster of message by message and "
           "piece by piece." % ROUNDS)
    yield ""
    head = (["work", "tenon", "memcpy"] + PEERS + ["tenon/memcpy"] + ["%s/tenon" % peer for peer in PEERS] +
            ["tenon GB/s", "fastest other way of tenon"])
    rows = [["%s: %s" % (group, name)] + compared(one) for group, works in figures.items()
            for name, one in works.items() if group not in ("sizes", "cuts")]
    yield from table(head, rows)
    yield from kernel_tables(figures)
    yield from size_table(figures["sizes"])
    yield from cut_table(figures["cuts"])
    yield from raw_table(figures)


def kernel_tables(figures):
    names = [name for name in figures["mask"]["1 KiB"] if re.search(KERNELS, name)]
    yield "### Each kernel of tenon: times what memcpy takes"
    yield ""
    rows = [["%s: %s" % (group, name)] + [ratio(one[k], one["memcpy"]) for k in names]
            for group, works in figures.items() for name, one in works.items() if names and names[0] in one]
    yield from table(["work"] + [name.split(", ")[1] for name in names], rows)


def size_table(works):
    names = [name for name in next(iter(works.values()))]
    yield "### Sizes of messages: nanoseconds for each octet to decode"
    yield ""
    yield from table(["octets"] + names, [[size] + ["%.4f" % (one[name].median / one[name].size) for name in names]
                                          for size, one in works.items()])


def cut_table(works):
    names = [name for name in next(iter(works.values()))]
    yield "### Reads cut short: nanoseconds for each message to decode"
    yield ""
    yield from table(["messages"] + names, [[cut] + ["%.1f" % one[name].median for name in names]
                                            for cut, one in works.items()])


def raw_table(figures):
    yield "### All figures of the work in memory, in nanoseconds"
    yield ""
    yield from table(["work", "contender", "median", "least", "most"],
                     [["%s: %s" % (group, name), contender, "%.2f" % f.median, "%.2f" % min(f.times), "%.2f" % max(f.times)]
                      for group, works in figures.items() for name, one in works.items()
                      for contender, f in one.items()])


# --------------------------------------------------------------- instructions

COUNTED = ["decode/20 octets", "decode/64 octets", "decode/125 octets", "decode/20 octets of text",
           "decode/64 octets of text", "decode/125 octets of text", "encode/server, 20 octets",
           "encode/client, 20 octets", "handshake/of a browser"]

# valgrind counts each turn of "rep movsb" as an instruction: copies are to go without.
TUNABLES = "glibc.cpu.x86_rep_movsb_threshold=0x7ffffff0:glibc.cpu.x86_rep_stosb_threshold=0x7ffffff0"


def count(program, workload, contender):
    """Instructions for each message, or None if there is nothing to count."""
    words = ["valgrind", "--tool=callgrind", "--toggle-collect=speed_measured", "--callgrind-out-file=/dev/null",
             program, "count", workload, contender]
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=COUNT_SECONDS, env=dict(os.environ, GLIBC_TUNABLES=TUNABLES), check=False)
    found = re.search(r"Collected : (\d+)", done.stderr.decode())
    return int(found.group(1)) / int(done.stdout) if done.returncode == 0 and found else None


def count_all():
    names = ["memcpy", "tenon", "tenon, tenon_run", "tenon, pieces", "tenon, by reference", "tenon, prepared", "Beast",
             "Beast, read_some", "wslay", "wslay, pieces", "websocketpp"]
    return {workload: {name: count(OUT / "v3/speed", workload, name) for name in names} for workload in COUNTED}


def count_tables(counts):
    names = [name for name in next(iter(counts.values())) if any(one[name] is not None for one in counts.values())]
    yield "### Instructions for each message (valgrind, -march=x86-64-v3)"
    yield ""
    yield from table(["work"] + names + ["Beast/tenon"],
                     [[workload.replace("/", ": ")] + ["-" if one[n] is None else "%.0f" % one[n] for n in names] +
                      ["-" if not one["Beast"] else "%.2f" % (one["Beast"] / one["tenon"])]
                      for workload, one in counts.items()])


# ----------------------------------------------------------------------- echo

# octets, connections, messages sent at once on each, messages in all
Echo = collections.namedtuple("Echo", "name size connections burst messages")
ECHOES = [Echo("64 connections, 20 octets", 20, 64, 1, 150000), Echo("64 connections, 16 KiB", 16384, 64, 1, 60000),
          Echo("1 connection, 20 octets, bursts of 1,000", 20, 1, 1000, 4000000),
          Echo("64 connections, 20 octets, bursts of 100", 20, 64, 100, 4000000)]


def pin():
    """Keeps a process on one processor, server and load on the same: so they take turns,
    with all connections at once, and nobody measures how long a processor takes to wake."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


class Server:
    """A server that was started; closed by end()."""

    def __init__(self, *words, **environment):
        self.process = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE,
                                        env=dict(os.environ, **environment), preexec_fn=pin)
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline().decode() if ready else ""
        found = re.search(r"listening on 127\.0\.0\.1:(\d+)", line)
        if not found:
            self.end()
            raise RuntimeError("%s does not listen" % words[0])
        self.port = found.group(1)

    def load(self, echo, *more):
        """Seconds of its CPU for each message."""
        words = run(OUT / "speed_load", self.port, self.process.pid, echo.connections, echo.size, echo.burst,
                    echo.messages, *more, seconds=LOAD_SECONDS, preexec_fn=pin).split()
        done = dict(zip(words[::2], map(float, words[1::2])))
        return done["cpu"] / done["messages"]

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(START_SECONDS)
        self.process.stdout.close()


def echo_once(echo, is_raw):
    header = 2 if echo.size < 126 else 4
    words = [OUT / "speed_raw", echo.size + header + 4, echo.size + header] if is_raw else [ECHO_SERVER, "--port", "0"]
    server = Server(*words)
    try:
        return server.load(echo, *["raw"] * is_raw)
    finally:
        server.end()


def echo_all(echoes, rounds):
    """Nanoseconds of CPU for each message: pairs of the limit and echo_server, by load."""
    times = {echo: [] for echo in echoes}
    for number in range(rounds):
        for echo in echoes:
            order = (True, False) if number % 2 == 0 else (False, True)
            pair = {is_raw: echo_once(echo, is_raw) * 1e9 for is_raw in order}
            times[echo].append((pair[True], pair[False]))
    return times


def echo_cells(pairs):
    """Both medians, and the median of the ratios of pairs, which were measured one after the other."""
    limit, server = map(statistics.median, zip(*pairs))
    return spell(server), spell(limit), "%.2f" % statistics.median(b / a for a, b in pairs)


def calls_of(echo):
    """Reads and writes of the server, handshakes included."""
    path = OUT / "calls.txt"
    path.unlink(missing_ok=True)
    server = Server(ECHO_SERVER, "--port", "0", LD_PRELOAD=str(OUT / "speed_calls.so"), SPEED_CALLS=str(path))
    try:
        server.load(echo)
    finally:
        server.end()
    words = path.read_text().split()
    return int(words[1]), int(words[3])


def echo_tables(title, times):
    yield "### %s: CPU time of the server for each message" % title
    yield ""
    yield from table(["load", "echo_server", "an echo that understands nothing", "echo_server/limit", "range"],
                     [[echo.name, *echo_cells(pairs), "%.2f to %.2f" % (min(b / a for a, b in pairs),
                                                                        max(b / a for a, b in pairs))]
                      for echo, pairs in times.items()])


def call_tables():
    rows = [(echo, calls_of(echo._replace(messages=echo.messages // 20))) for echo in ECHOES if echo.burst > 1]
    yield "### System calls of echo_server for bursts (counted in a preloaded library)"
    yield ""
    yield from table(["load", "reads", "writes", "messages for each write"],
                     [[echo.name, reads, writes, "%.0f" % (messages_of(echo) / writes)]
                      for echo, (reads, writes) in rows])


def messages_of(echo):
    """Messages of a load with a twentieth of the rounds, its warm-up included."""
    each = echo.connections * echo.burst
    rounds = echo.messages // 20 // each
    return (rounds + 1 + rounds // 10) * each


def crowds():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = 20000 if most == resource.RLIM_INFINITY else min(20000, most) - FILES_KEPT
    sizes = [size for size in (1, 10, 100, 1000, 10000) if size < most] + [most]
    return [Echo("{:,} connection{}, 20 octets".format(size, "s" if size > 1 else ""), 20, size, 1, max(100000, 5 * size)) for size in sizes]


# ----------------------------------------------------------------- the README


def processor():
    found = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    flags = re.search(r"flags\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    widest = [f for f in ("avx512bw", "avx2", "ssse3") if flags and f in flags.group(1).split()]
    return "%s (%d processors, %s)" % (found.group(1) if found else os.uname().machine, os.cpu_count(),
                                       ", ".join(widest) or "no SIMD named")


def versions():
    names = {"Boost.Beast": "libboost-dev", "wslay": "libwslay-dev", "websocketpp": "libwebsocketpp-dev"}
    for name, package in names.items():
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            yield "%s %s" % (name, done.stdout.decode())


def setting():
    compiler = run("cc", "--version", seconds=10).splitlines()[0]
    return "%s; %s, -O3; %s; %s; `sh test/bench/speed.sh build %d`" % (
        processor(), compiler, ", ".join(versions()), datetime.date.today().isoformat(), ROUNDS)


# group, workload, and the way of tenon
CHOSEN = [("decode", "20 octets", "tenon"), ("decode", "125 octets of text", "tenon"),
          ("decode", "16 KiB of ASCII", "tenon"), ("decode", "16 KiB of mixed text", "tenon"),
          ("decode", "1 MiB", "tenon"), ("decode", "1 MiB", "tenon, pieces"), ("encode", "server, 20 octets", "tenon"),
          ("encode", "server, 64 KiB", "tenon"), ("encode", "server, 64 KiB", "tenon, by reference"),
          ("encode", "client, 20 octets", "tenon"), ("encode", "client, 64 KiB", "tenon"), ("mask", "64 KiB", "tenon"),
          ("UTF-8", "ASCII", "tenon"), ("UTF-8", "CJK", "tenon"), ("unmask and check", "1 MiB of CJK", "tenon"),
          ("handshake", "of a browser", "tenon")]


def readme_table(figures, echoes):
    rows = []
    for group, name, way in CHOSEN:
        one = figures[group][name]
        best = dict({key: fastest(one, key) for key in KEYS}, tenon=one[way])
        rows.append(["%s: %s%s" % (group, name, way[len("tenon"):])] +
                    [cell(best[key]) for key in ["tenon", "memcpy"] + PEERS] +
                    [ratio(best["tenon"], best["memcpy"]), ratio(best["Beast"], best["tenon"])])
    for echo, pairs in echoes.items():
        server, limit, more = echo_cells(pairs)
        rows.append(["echo: %s" % echo.name, server, limit, "-", "-", "-", more, "-"])
    head = ["work", "tenon", "limit"] + PEERS + ["tenon/limit", "Beast/tenon"]
    return "\n".join(list(table(head, rows)) + ["Measured on: " + setting() + "."]) + "\n"


# ----------------------------------------------------------------------- main


def only_check():
    """Whether all do it right, without any time."""
    print(run(OUT / "speed", 0, seconds=MEMORY_SECONDS).strip())
    for echo in ECHOES:
        short = echo._replace(messages=2 * echo.connections * echo.burst)
        echo_once(short, True)
        echo_once(short, False)
        reads, writes = calls_of(short)
        if writes > reads:
            raise SystemExit("%s: expected at most as many writes as reads, actual: %d and %d" %
                             (echo.name, writes, reads))
    if "instructions" in PARTS and shutil.which("valgrind") and not count(OUT / "speed", COUNTED[0], "tenon"):
        raise SystemExit("expected instructions of tenon, actual: none")
    print("OK the benchmark of speed: all contenders do it right, and echo_server writes once for a read")


def measure(lines):
    figures, echoes = {}, {}
    if "memory" in PARTS:
        figures = measure_memory()
        lines += memory_tables(figures)
    if "instructions" in PARTS and shutil.which("valgrind") and (OUT / "v3/speed").exists():
        lines += count_tables(count_all())
    if "echo" in PARTS:
        echoes = echo_all(ECHOES, ROUNDS)
        lines += echo_tables("Echo on loopback", echoes)
        lines += call_tables()
    if "crowd" in PARTS:
        lines += echo_tables("More and more connections", echo_all(crowds(), min(ROUNDS, 3)))
    if figures and echoes:
        (BUILD / "bench/speed.md").write_text(readme_table(figures, echoes))


def main():
    if ROUNDS == 0:
        only_check()
        return
    lines = ["Measured on: " + setting() + ".", ""]
    measure(lines)
    text = "\n".join(lines) + "\n"
    (BUILD / "bench/speed_all.md").write_text(text)
    sys.stdout.write(text)


main()
