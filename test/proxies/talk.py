# SPDX-License-Identifier: MIT
"""The chat through each intermediary: both ends ping, and the client comes back by itself."""
import asyncio
import contextlib
import signal
import time
import urllib.request

from faults import IDLE, PING, PONG, READ_TIMEOUT, outlasts
from kinds import Route
from support import POLL, proxied, running, serving, soon, unread
from harness import STEP_SECONDS, ChatServer, check, same, short

CLIENT = "examples/chat_client"
NEVER = 60000  # milliseconds between pings: longer than any test
QUICK = ("--retry-first", 20, "--retry-base", 20, "--retry-cap", 100)

CUT = "closed: 1006, abnormal closure; the stream ended without a Close frame (RFC 6455, 7.1.5)"
LOST = "closed: 1006, abnormal closure; the transport was lost or given up (RFC 6455, 7.1.5)"
DEAD = "closed: 1006, abnormal closure; nothing was received after a Ping (RFC 6455, 5.5.2)"


def chatting(*arguments):
    return serving(ChatServer("--lines-per-second", 0, *arguments))


def member(name, url, *arguments, ping=NEVER):
    return running(CLIENT, "--name", name, "--ping-interval", ping, *QUICK, *arguments, url, typed=True)


def direct(server):
    return "ws://127.0.0.1:%d/chat" % server.port


def metrics(port):
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=STEP_SECONDS) as page:
        same(page.status, 200, "status of /metrics")
        lines = page.read().decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def drops(server, rule):
    return int(metrics(server.port).get('chat_drops_total{reason="%s"}' % rule, 0))


def count(program, line):
    return program.text.count(line)


async def printed(program, line, times=1, seconds=STEP_SECONDS):
    """The program prints the line, this many times in all."""
    def late():
        return "%d times %s at the end of %s" % (times, short(line), [text[:80] for text in program.text[-5:]])
    await soon(lambda: count(program, line) >= times, late, seconds)


async def leaves(program):
    """At the end of its input it closes in order."""
    program.process.stdin.close()
    status, output = await asyncio.to_thread(program.wait)
    same((status, program.text[-1]), (0, "closed: 1000, normal closure"), "its end; " + output[-300:])


async def test_chat(kind):
    """Two members behind the proxy, which passes on the Host that the origin is compared with."""
    with chatting() as server, proxied(kind, Route("/chat", server.port), Route("/metrics", server.port)) as proxy:
        own = ("--origin", "http://127.0.0.1:%d" % proxy.port)
        with member("ann", proxy.url("/chat"), *own) as ann, member("bob", proxy.url("/chat"), *own) as bob:
            await printed(ann, "open")
            await printed(bob, "open")
            ann.type("Gr\u00fc\u00dfe, 1 < 2 & \U0001f600\n")
            for program in (ann, bob):
                await printed(program, "ann: Gr\u00fc\u00dfe, 1 < 2 & \U0001f600")
            bob.type("x" * 100000 + "\n")
            for program in (ann, bob):
                await printed(program, "bob: " + "x" * 100000)
            if kind.relays_pages:
                counted = await asyncio.to_thread(metrics, proxy.port)
                same(counted["chat_members"], "2", "members, by way of the proxy")
            with member("eve", proxy.url("/chat"), "--origin", "http://elsewhere.example") as eve:
                await printed(eve, "refused: 403")
                same(count(eve, "open"), 0, "connections of a foreign origin")
            await leaves(ann)
            await leaves(bob)
    return "two members, a line of 100 kB, own origin by Host, 403 for a foreign one%s, 1000" % (
        ", /metrics" if kind.relays_pages else "")


@contextlib.contextmanager
def alone(kind, name, *arguments, **options):
    """A member with a server and a proxy for itself, so that nobody breaks its silence."""
    with chatting(*arguments) as server, proxied(kind, Route("/chat", server.port, timeout=READ_TIMEOUT)) as proxy:
        with member(name, proxy.url("/chat"), **options) as program:
            yield server, program


async def test_chat_idle(kind):
    """A proxy that stands no silence, and three members: one that pings, one that is
    pinged, and one of whom nothing is heard, who is cut off and comes back."""
    if not kind.cuts_silence:
        return None
    with alone(kind, "mute", "--ping-interval", NEVER) as (silent, mute), \
            alone(kind, "ping", "--ping-interval", NEVER, ping=PING) as (_, ping), \
            alone(kind, "pong", "--ping-interval", PING) as (_, pong):
        for program in (mute, ping, pong):
            await printed(program, "open")
        await printed(mute, CUT, seconds=3 * READ_TIMEOUT)
        await printed(mute, "open", 2)
        await soon(lambda: drops(silent, kind.cut_rule) >= 1, "%s in the server's metrics" % kind.cut_rule)
        await outlasts(closes(ping, pong), IDLE, "the connections of those with pings")
        for program, name in ((ping, "ping"), (pong, "pong")):
            program.type("still there\n")
            await printed(program, name + ": still there", seconds=READ_TIMEOUT / 2)
            await leaves(program)
            same(count(program, "open"), 1, "connections of " + name)
    return "%d s of silence: cut, EOF at the client, %s at the server, back by itself; " \
           "with pings of either end alive after %g s" % (READ_TIMEOUT, kind.cut_rule, IDLE)


async def closes(*programs):
    while not any(line.startswith("closed") for program in programs for line in program.text):
        await asyncio.sleep(POLL)


class Scene:
    """A member behind a proxy, and a reader who needs none; and what was said."""

    def __init__(self, server, proxy, ann, reader):
        self.server, self.proxy, self.ann, self.reader, self.lines = server, proxy, ann, reader, []

    def say(self, *texts):
        self.ann.type("".join(text + "\n" for text in texts))
        self.lines += ["ann: " + text for text in texts]

    async def arrived(self):
        await printed(self.reader, self.lines[-1])

    async def kill_full(self, texts):
        """The proxy is stopped first: what the client has sent is lost on its way."""
        await self.arrived()
        self.proxy.freeze()
        self.say(*texts)
        await soon(lambda: unread(self.proxy.port) > 0, "octets that wait at the proxy")
        self.proxy.kill()
        same(count(self.reader, self.lines[-1]), 0, "how often the last line has arrived")

    async def kill_unheard(self, texts):
        """The server is stopped first: it gets the lines, but no acknowledgement
        reaches the client, who must not say them a second time. More than one read
        would not do: what the server answers to the first is refused, and that ends it."""
        await self.arrived()
        self.server.process.send_signal(signal.SIGSTOP)
        size = sum(frame_size("say %d %s" % (seq, text)) for seq, text in enumerate(texts, len(self.lines) + 1))
        self.say(*texts)
        await soon(lambda: unread(self.server.port) == size, "%d octets that wait at the server" % size)
        self.proxy.kill()
        self.server.process.send_signal(signal.SIGCONT)
        await self.arrived()
        same(count(self.ann, self.lines[-1]), 0, "how often the last line has come back")

    async def kill_flowing(self, texts):
        """The proxy is killed when the first of many lines has arrived."""
        typing = asyncio.ensure_future(asyncio.to_thread(self.say, *texts))
        await printed(self.reader, "ann: " + texts[0])
        self.proxy.kill()
        await typing


def same_lines(actual, expected):
    """Says where they differ first."""
    for number, (one, other) in enumerate(zip(actual, expected)):
        same(one[:40], other[:40], "line %d of what the reader got" % number)
    same(len(actual), len(expected), "how many lines the reader got")


def frame_size(text):
    """Octets of a frame from the client."""
    return len(text) + (6 if len(text) < 126 else 8)


FEW = (100, 100)    # lines, of so many octets: the server takes them all with one read
MANY = (3000, 1000) # fewer than it keeps for a reader who is late


async def test_chat_killed(kind):
    """The proxy is killed again and again, with some lines said while there is none:
    who needs no proxy has each once and in order."""
    with chatting("--ping-interval", NEVER) as server, member("reader", direct(server)) as reader:
        await printed(reader, "open")
        with proxied(kind, Route("/chat", server.port)) as proxy, member("ann", proxy.url("/chat")) as ann:
            scene = Scene(server, proxy, ann, reader)
            await printed(ann, "open")
            proxy.kill()
            await soon(lambda: is_cut(ann), "the end of the connection", 2)
            await soon(lambda: drops(server, "EOF") + drops(server, "ABORT") == 1, "the same at the server", 2)
            kills = ((scene.kill_full, FEW), (scene.kill_unheard, FEW), (scene.kill_flowing, MANY))
            for turn, (kill, (lines, size)) in enumerate(kills):
                scene.say("before %d" % turn)
                proxy.start()
                await printed(ann, "open", turn + 2)
                await kill(["line %d of turn %d, %s" % (number, turn, "x" * size) for number in range(lines)])
                await soon(lambda: is_cut(ann), "the end of that connection")
            scene.say("to the end")
            proxy.start()
            await leaves(ann)
            await scene.arrived()
            same_lines([line for line in reader.text if line.startswith("ann: ")], scene.lines)
            same(count(ann, "open"), len(kills) + 2, "connections")
    return "SIGKILL: noticed at both ends; %d lines over %d connections, each once and in order" % (
        len(scene.lines), count(ann, "open"))


def is_cut(program):
    """Whether the connection opened last has ended. An attempt may end before it is open:
    in the moment when the proxy is killed its port may still take one."""
    last = max(number for number, line in enumerate(program.text) if line == "open")
    return any(line in (CUT, LOST) for line in program.text[last:])


async def test_chat_frozen(kind):
    """The proxy is stopped: both ends notice by their pings alone. The client's next
    attempts end up in the stopped proxy's backlog, until there is another one."""
    limit = (PING + PONG) / 1000
    pongs = ("--pong-timeout", PONG)
    with chatting("--ping-interval", PING, *pongs) as server, member("reader", direct(server)) as reader:
        with proxied(kind, Route("/chat", server.port)) as proxy:
            with member("ann", proxy.url("/chat"), *pongs, ping=PING) as ann:
                await soon(lambda: any(line.startswith("* rtt ") for line in ann.text), "a Ping that was answered")
                same(drops(server, "PONG_TIMEOUT"), 0, "ends for lack of a Pong")
                since = time.monotonic()
                proxy.freeze()
                ann.type("into the ice\n")
                await printed(ann, DEAD, seconds=limit + 1)
                took = time.monotonic() - since
                check(took > PONG * 0.9 / 1000, "no end before the timeout", took)
                await soon(lambda: drops(server, "PONG_TIMEOUT") == 1, "the same at the server", limit + 1)
                proxy.kill()
                proxy.start()
                await printed(ann, "open", 2)
                ann.type("thawed\n")
                await leaves(ann)
            await printed(reader, "ann: thawed")
            lines = [line for line in reader.text if line.startswith("ann: ")]
            same(lines, ["ann: into the ice", "ann: thawed"], "what the other member got")
    return "SIGSTOP: PONG_TIMEOUT at the client after %.2f s (interval and timeout: %.1f s) and at the server; " \
           "back by itself, nothing lost or said twice" % (took, limit)


TESTS = [test_chat, test_chat_idle, test_chat_killed, test_chat_frozen]
