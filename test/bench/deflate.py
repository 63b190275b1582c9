# SPDX-License-Identifier: MIT
"""Compressed echo: messages for each second of the server's processor, against ws and websocketpp.

usage: deflate.py BUILD_DIR      (a release build, with BUILD_DIR/npm of the interoperability tests)

Both peers use zlib at the same level, memory level and window, as tenon does here; all
keep their windows between messages. The servers take turns; medians of the rounds. Writes
BUILD_DIR/bench/deflate.md. Nothing is asserted but that all messages come back.
"""
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = pathlib.Path(sys.argv[1]).resolve()
OUT = BUILD / "bench"
ROUNDS = 3
LOADS = {"1 KiB of JSON": ("json", 20000), "64 KiB of text": ("text", 150)}
TICK = os.sysconf("SC_CLK_TCK")
SERVERS = {
    "tenon": [BUILD / "examples/echo_server", "--port", "0", "--deflate"],
    "ws": ["node", HERE / "ws_server.js", BUILD],
    "websocketpp": [OUT / "wspp_server"],
}


def compile_all():
    OUT.mkdir(exist_ok=True)
    subprocess.run(["cc", "-std=c99", "-O2", "-I", ROOT / "include", "-I", ROOT / "examples", HERE / "load.c",
                    BUILD / "libexample_common.a", BUILD / "libtenon_zlib.a", BUILD / "libtenon.a", "-lz",
                    "-o", OUT / "load"], check=True)
    subprocess.run(["c++", "-std=c++14", "-O3", "-DNDEBUG", HERE / "wspp_server.cpp", "-lz", "-lpthread",
                    "-o", OUT / "wspp_server"], check=True)


def processor_seconds(pid):
    fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def measure(server, port, kind, count):
    """Messages for each second of the server's processor, and octets on the wire for each."""
    before = processor_seconds(server.pid)
    done = subprocess.run([OUT / "load", str(port), kind, str(count)], stdout=subprocess.PIPE, timeout=60, check=True)
    taken = processor_seconds(server.pid) - before
    back = int(done.stdout.split()[1])
    return count / max(taken, 1 / TICK), back / count


def rounds(servers):
    found = {}
    for load, (kind, count) in LOADS.items():
        for number in range(ROUNDS + 1):
            for name, (server, port) in servers.items():
                rate = measure(server, port, kind, count)
                if number > 0:  # the first warms up
                    found.setdefault((load, name), []).append(rate)
    return {key: [statistics.median(values) for values in zip(*rates)] for key, rates in found.items()}


def table(found):
    yield "| workload | server | messages a CPU second | ratio | octets back, each |"
    yield "|---|---|---|---|---|"
    for (load, name), (rate, octets) in found.items():
        yield "| %s | %s | %.0f | %.2f | %.0f |" % (load, name, rate, rate / found[load, "tenon"][0], octets)


def main():
    compile_all()
    servers = {}
    try:
        for name, command in SERVERS.items():
            process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE)
            servers[name] = process, int(process.stdout.readline().split(b":")[1])
        text = "\n".join(table(rounds(servers))) + "\n"
    finally:
        for process, _ in servers.values():
            process.kill()
            process.wait()
    (OUT / "deflate.md").write_text(text)
    print(text, end="")


main()
