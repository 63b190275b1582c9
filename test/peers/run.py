# SPDX-License-Identifier: MIT
"""WebSocket implementations of others, each as client and as server, against tenon.

usage: run.py BUILD_DIR [PEER...]

Each pair talks directly, ending with 1000, and through a tap (tap.py), ending with a
code and a reason of a program's own. A peer that is a client is also left by the
server, with 1001.
"""
import collections
import concurrent.futures
import contextlib
import functools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import traceback

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HERE / "../../build"
OUT = BUILD / "peers"
sys.path.append(str(HERE.parent / "interop"))
os.environ["TENON_INTEROP_BUILD"] = str(BUILD)

import message_set  # noqa: E402
from harness import STEP_SECONDS, Failure, Program, check, same, short  # noqa: E402
from tap import Tap  # noqa: E402

MESSAGES = HERE / "messages.txt"
PROGRAM_SECONDS = 30
BUILD_SECONDS = 240
END_SECONDS = 3  # less than any timer of either side
AT_ONCE = 2
REASON = "gr\u00fc\u00dfe \u2713"
OWN_CODE = 3456
GOING_AWAY = 1001
WHOLE = 0xFFFFFFFF  # longest frame of tenon_client, in a talk
PINGS = {9: "ping", 10: "pong"}
DEFLATE = bool(os.environ.get("TENON_PEERS_DEFLATE"))
EXTENSION = "permessage-deflate"

# name; the Debian package it comes from; the command before the role; see peer().
Peer = collections.namedtuple("Peer", "name package command server tells answer remarks deflate")


def peer(name, package, *command, server=True, tells=True, answer=None, remarks=(), deflate=True):
    """server: it has this role, too. tells: a client learns what answers its Close. answer:
    the code that answers a Close, if not that of the Close. deflate: it compresses, and empty messages too."""
    first = shutil.which(command[0]) or command[0]
    return Peer(name, package, [str(word) for word in (first, *command[1:])], server, tells, answer, remarks,
                deflate)


PEERS = [
    peer("autobahn (asyncio)", "python3-autobahn", "/usr/bin/python3", "autobahn_peer.py", "asyncio", answer=1000,
         remarks=["answers any Close with 1000"]),
    peer("autobahn (Twisted)", "python3-autobahn", "/usr/bin/python3", "autobahn_peer.py", "twisted", answer=1000,
         remarks=["answers any Close with 1000"]),
    peer("websockets (Python)", "python3-websockets", "/usr/bin/python3", "websockets_peer.py"),
    peer("ws (Node.js)", "nodejs", "node", "ws.js"),
    peer("Boost.Beast", "libboost-dev", OUT / "beast"),
    peer("websocketpp", "libwebsocketpp-dev", OUT / "websocketpp"),
    peer("libwebsockets", "libwebsockets-dev", OUT / "libwebsockets", tells=False,
         remarks=["does not tell a client the code that answers its own",
                  "with permessage-deflate, stops itself at an empty message"], deflate=False),
    peer("wslay", "libwslay-dev", OUT / "wslay", remarks=["no handshake of its own: one by hand"],
         deflate=False),
    peer("gorilla/websocket", "golang-github-gorilla-websocket-dev", OUT / "gorilla"),
    peer("nhooyr.io/websocket", "golang-nhooyr-websocket-dev", OUT / "nhooyr",
         remarks=["pings have a payload of the library's own"]),
    peer("java.net.http", "openjdk-17-jdk-headless", "java", "HttpClientPeer.java", server=False, deflate=False),
]


def say(line):
    """One write, so that lines of several threads stay whole."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


# ---------------------------------------------------------------------- set up

def run_quietly(words, seconds, **options):
    """Status and output of a command."""
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
                              check=False, **options)
    except (OSError, subprocess.TimeoutExpired) as problem:
        return 1, str(problem)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def package_version(package):
    """The upstream part of the version that is installed, or None."""
    status, output = run_quietly(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", package], 20)
    found = re.fullmatch(r"installed (?:\d+:)?(.+?)(?:-[^-]*)?", output)
    return re.sub(r"[+~].*", "", found.group(1)) if status == 0 and found else None


def ws_version():
    """Installs the npm package ws as test/interop does: its version, or None."""
    source, target = HERE.parent / "interop", BUILD / "npm"
    wanted = re.search(r'"ws": "([\d.]+)"', (source / "package.json").read_text()).group(1)
    manifest = target / "node_modules/ws/package.json"

    def installed():
        return manifest.exists() and '"version": "%s"' % wanted in manifest.read_text()

    if not installed():
        target.mkdir(parents=True, exist_ok=True)
        for name in "package.json", ".npmrc":
            (target / name).write_bytes((source / name).read_bytes())
        run_quietly(["npm", "install", "--ignore-scripts", "--omit=optional", "--loglevel=error"], 120, cwd=target)
    os.environ["WS_MODULE"] = str(target / "node_modules/ws")
    return wanted if installed() else None


def versions(peers):
    """What is installed, by name; None is said and left out later."""
    found = {one.name: package_version(one.package) for one in peers}
    for one in peers:
        if "ws.js" in one.command:
            found[one.name] = found[one.name] and ws_version()
    return found


def compile_all(peers):
    """Compiles what has changed. What went wrong, if anything did, is in build.log."""
    OUT.mkdir(parents=True, exist_ok=True)
    targets = [OUT / "tenon_client"] + [one.command[0] for one in peers if one.command[0].startswith(str(OUT))]
    cache = BUILD / "CMakeCache.txt"
    sanitize = "-fsanitize=address,undefined" if "TENON_SANITIZE:BOOL=ON" in cache.read_text() else ""
    make = ["make", "--no-print-directory", "-C", str(HERE), "BUILD=%s" % BUILD, "OUT=%s" % OUT,
            "SANITIZE=" + sanitize]
    _, output = run_quietly(make + ["-k", "-j2", *map(str, targets)], BUILD_SECONDS)
    (OUT / "build.log").write_text(output)
    for target in map(pathlib.Path, targets):
        if run_quietly(make + ["-q", str(target)], 20)[0] != 0:
            target.unlink(missing_ok=True)  # an older one must not pass for it


# ------------------------------------------------------------------ one talk

RUNNING = []  # all that was started


def start(words):
    program = Program(*words)
    RUNNING.append(program)
    return program


@contextlib.contextmanager
def listening(words):
    """A server and its port. What it printed is shown if the block fails."""
    server = start(words)
    try:
        yield server, int(server.until(r"listening on 127\.0\.0\.1:(\d+)").group(1))
    except BaseException:
        print(server.output().strip()[-2000:], file=sys.stderr)
        raise
    finally:
        if server.process.poll() is None:
            server.terminate()
        with contextlib.suppress(Failure):  # it was killed then
            server.wait(STEP_SECONDS)


def talk(client_words, server, port, code, reason, more=(), tapped=False):
    """Runs a client to its end, which must be a good one: what it printed, and the tap or None."""
    tap = Tap(port) if tapped else None
    client = start([*client_words, "client", tap.port if tap else port, MESSAGES, code, reason, *more])
    try:
        if code == GOING_AWAY:
            client.until("waiting")
            server.terminate()
        status, output = client.wait(PROGRAM_SECONDS)
    finally:
        client.kill()
    expect_echoes(status, output)
    if tap:
        check(tap.done.wait(STEP_SECONDS), "an end of the connection", tap.ends)
    return output, tap


def closed(output):
    """The close code that a client printed, or None."""
    found = re.search(r"^closed (\d+)", output, re.M)
    return found and int(found.group(1))


@functools.cache
def totals():
    """Messages, octets and pings of the set."""
    sizes = collections.defaultdict(list)
    for line in message_set.read(MESSAGES):
        sizes[line.kind == "ping"] += [sum(line.pieces)] * len(line.messages)
    return len(sizes[False]), sum(sizes[False]), len(sizes[True])


def expect_echoes(status, output):
    """Everything came back, and the client is content."""
    wanted = "echoed %d messages, %d octets, %d pings" % totals()
    found = re.search(r"^echoed .*$", output, re.M)
    same((status, found and found.group()), (0, wanted), "status and report of the client (%s)" % short(output.strip()))


def expect_tapped(tap, client_close, server_code):
    """What anybody may see on the wire of a pair."""
    offered, taken = tap.client.field("Sec-WebSocket-Extensions"), tap.server.field("Sec-WebSocket-Extensions")
    if DEFLATE and EXTENSION in (offered or ""):
        check(EXTENSION in (taken or ""), EXTENSION + " taken", taken)
    else:
        same(taken, None, "extensions taken, of %s" % offered)
        same((tap.client.reserved, tap.server.reserved), (0, 0), "reserved bits")
    same((tap.client.close() or b"")[:len(client_close)], client_close, "Close of the client")
    check(tap.server.close() is not None, "one Close of the server", tap.server.control[-5:])
    same(int.from_bytes(tap.server.close()[:2], "big"), server_code, "code of the server's Close")
    same(tap.server.keys, {None}, "masks of the server")
    check(None not in tap.client.keys, "a mask on each frame of the client", tap.client.keys)
    same((len(tap.client.rest), len(tap.server.rest)), (0, 0), "octets of unfinished frames")


# ---------------------------------------------------------------- both roles

def as_client(one):
    """The peer against echo_server."""
    taps = []
    with listening([BUILD / "examples/echo_server", "--port", 0] + ["--deflate"] * DEFLATE) as (server, port):
        for code, reason in (1000, ""), (OWN_CODE, REASON), (GOING_AWAY, ""):
            output, tap = talk(one.command, server, port, code, reason, tapped=code != 1000)
            if one.tells or code == GOING_AWAY:
                same(closed(output), code, "code that the client saw")
            if tap:
                sent = one.answer or code if code == GOING_AWAY else code
                expect_tapped(tap, sent.to_bytes(2, "big") + reason.encode(), code)
                same(tap.ends["server"][:2], ("end", False), "end of echo_server: in order, of its own accord")
                check(tap.ends["server"].seconds < END_SECONDS, "echo_server to end when all is said", tap.ends)
                taps.append(tap)
        same(server.wait()[0], 0, "status of echo_server")
    return taps


def as_server(one):
    """tenon_client against the peer."""
    with listening(one.command + ["server"]) as (server, port):
        for code, reason, frames in (1000, "", []), (OWN_CODE, REASON, [WHOLE]):
            output, tap = talk([OUT / "tenon_client"], server, port, code, reason, frames, tapped=code == OWN_CODE)
            same(closed(output), one.answer or code, "code that tenon_client saw")
            seen = server.until(r"closed (\d+) ?(.*)")
            same(seen.groups(), (str(code), reason), "code and reason that the peer saw")
    expect_tapped(tap, OWN_CODE.to_bytes(2, "big") + REASON.encode(), one.answer or OWN_CODE)
    same(tap.ends["client"][:2], ("end", True), "end of tenon_client: in order, after the server's")
    check(len(tap.client.keys) >= tap.client.frames - 1, "a mask of its own for each frame", len(tap.client.keys))
    return [tap]


def attempt(one, role, version):
    """One line, and what the taps saw if all was well."""
    name = "%s %s as %s%s" % (one.name, version or "(not installed)", role.__name__[3:], ", compressed" * DEFLATE)
    try:
        check(version, "the Debian package %s%s" % (one.package, " and npm's ws" * (one.package == "nodejs")), "none")
        for program in OUT / "tenon_client", one.command[0]:
            check(pathlib.Path(program).exists(), program, "not there; see %s" % (OUT / "build.log"))
        taps = role(one)
    except Exception as problem:  # whatever it is, the next one runs
        if not isinstance(problem, Failure):
            traceback.print_exc()
        say("FAIL %s - %s" % (name, " ".join(str(problem).split()) or type(problem).__name__))
        return None
    codes = "1000, 3456 and, by the server, 1001" if role is as_client else "1000 and 3456"
    say("OK %s - %d messages, %d octets, %d pings each time; closed with %s" % (name, *totals(), codes))
    return taps


# -------------------------------------------------------------------- reports

def ending(seen):
    how = {"end": "ends the stream", "reset": "resets"}.get(seen.how, seen.how)
    return "%s %s, after %.1f s" % (how, "when the other has" if seen.knew else "of its own accord", seen.seconds)


def facts(name, role, taps):
    """How this peer behaves on the wire."""
    tap, own = taps[0], getattr(taps[0], role)
    yield "%s as %s" % (name, role)
    yield "  first line   %s" % (own.head or "").split("\r\n")[0]
    yield "  fields       %s" % "; ".join((own.head or "").split("\r\n")[1:])
    yield "  frames       %d, at most %d of a message, %d octets the largest, %d empty fragments" \
        % (own.frames, own.most_parts, own.largest, own.empty_parts)
    yield "  masks        %d different" % len(own.keys - {None})
    for opcode, word in PINGS.items():
        yield "  %ss        payloads of %s octets" % (word, " ".join(map(str, map(len, own.payload(opcode)))) or "no")
    yield "  Close        %r" % own.close()
    yield "  end          %s" % ending(tap.ends[role])
    for tap in taps[1:]:
        yield "  Close        %r, to that of the server" % getattr(tap, role).close()
        yield "  end          %s (the server has closed)" % ending(tap.ends[role])


def remarks(one, client, server):
    """From what was seen, and what is known of its API."""
    words = []
    if client:
        seen = client[0].client
        if EXTENSION in (seen.field("Sec-WebSocket-Extensions") or ""):
            words.append("offers permessage-deflate")
        if seen.most_parts == 1:
            words.append("as client sends no fragments")
        elif not seen.empty_parts:
            words.append("as client sends no empty fragments")
        if len(seen.keys) < seen.frames - 2:
            words.append("as client repeats masks (%d for %d frames)" % (len(seen.keys), seen.frames))
    for taps, role in (client, "client"), (server, "server"):
        if any(tap.ends[role].how == "reset" for tap in taps or ()):
            words.append("as %s ends with a reset" % role)
    return "; ".join(words + list(one.remarks))


def cell(one, role, taps):
    if role == "server" and not one.server:
        return "has none"
    return "all right" if taps else "**failed**"


def report(rows, whole):
    """The table is for documents, so there is none of some peers only."""
    table = ["| peer | version | as client | as server | remarks |", "|---|---|---|---|---|"]
    told = []
    for one, version, client, server in rows:
        table.append("| %s | %s | %s | %s | %s |" % (one.name, version or "not installed", cell(one, "client", client),
                                                     cell(one, "server", server), remarks(one, client, server)))
        for role, taps in ("client", client), ("server", server):
            told += [*facts(one.name, role, taps), ""] if taps else []
    if whole and not DEFLATE:
        (OUT / "table.md").write_text("\n".join(table) + "\n")
    (OUT / "facts.txt").write_text("\n".join(told))


def on_end(_signal, _frame):
    """Whoever waits for one of them fails then, at once."""
    for program in RUNNING:
        program.kill()
    raise SystemExit(1)


def both_roles(one, version):
    client = attempt(one, as_client, version)
    return one, version, client, attempt(one, as_server, version) if one.server else None


def main(wanted):
    signal.signal(signal.SIGTERM, on_end)
    os.chdir(HERE)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    peers = [one for one in PEERS if not wanted or any(word in one.name for word in wanted)]
    peers = [one for one in peers if one.deflate or not DEFLATE]
    if not (BUILD / "examples/echo_server").exists():
        say("FAIL tenon - expected examples/echo_server in %s, actual: none; build it first" % BUILD)
        return 1
    found = versions(peers)
    compile_all([one for one in peers if found[one.name]])
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        rows = list(pool.map(lambda one: both_roles(one, found[one.name]), peers))
    report(rows, whole=not wanted)
    return 0 if rows and all(client and (server or not one.server) for one, _, client, server in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
