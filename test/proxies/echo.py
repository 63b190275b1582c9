# SPDX-License-Identifier: MIT
"""Both echo programs through each intermediary, while all goes well or ends in order."""
import asyncio
import contextlib
import random

import websockets

from kinds import Route
from support import CLIENT, clients, deaf_port, echoing, proxied, resident, running, soon
from harness import ACCEPT, BINARY, CLOSE, FIN, REQUEST, STEP_SECONDS, TEXT
from harness import Failure, check, close_body, closing, connect, frame, request, same

SIZES = (0, 1, 125, 126, 65535, 65536, 1 << 20)
REASON = "bis bald \u2026"


def foreign_client(url, **options):
    options.setdefault("ping_interval", None)
    return websockets.connect(url, max_size=None, open_timeout=STEP_SECONDS, close_timeout=STEP_SECONDS, **options)


@contextlib.asynccontextmanager
async def foreign_server(body, **options):
    """A server of python3-websockets; what went wrong in its handler is raised here."""
    problems = []

    async def handler(ws, _path):
        try:
            await asyncio.wait_for(body(ws), STEP_SECONDS)
        except Exception as problem:  # raised again below
            problems.append(problem)

    async with websockets.serve(handler, "127.0.0.1", 0, max_size=None, ping_interval=None,
                                close_timeout=STEP_SECONDS, **options) as server:
        yield server.sockets[0].getsockname()[1]
    if problems:
        raise problems[0]


async def back(ws, data, expected=None):
    """Sends, and expects the same thing, of the same type."""
    await ws.send(data)
    expected = data if expected is None else expected
    got = await asyncio.wait_for(ws.recv(), STEP_SECONDS)
    same(type(got), type(expected), "type of an echo")
    check(got == expected, "the echo of %d" % len(expected), got)


async def between_pings(ws, count):
    """The pieces of a message, each followed by a Ping whose Pong must come first."""
    for number in range(count):
        yield "part %d " % number
        await asyncio.wait_for(await ws.ping(b"between %d" % number), STEP_SECONDS)


async def conversation(ws):
    """Sizes, fragments and pings, whichever end the other program is."""
    for size in SIZES:
        await back(ws, "x" * size)
        await back(ws, random.randbytes(size))
    await back(ws, ["", "middle", ""], "middle")
    await back(ws, [b"a" * 65536] * 8, b"a" * 524288)
    await back(ws, between_pings(ws, 3), "part 0 part 1 part 2 ")
    for data in (b"", b"x" * 125):
        await asyncio.wait_for(await ws.ping(data), STEP_SECONDS)


async def test_echo(kind):
    """A foreign client, the proxy, the echo server: messages, and the Close as both ends saw it."""
    with echoing("--trace", "--ping-interval", 200) as server, proxied(kind, Route("/echo", server.port)) as proxy:
        async with foreign_client(proxy.url("/echo")) as ws:
            await conversation(ws)
            await soon(lambda: any("client -> server  pong" in line for line in server.text),
                       "an answer to the server's own Ping")
        for code, reason in ((1000, ""), (1000, "done"), (3456, REASON)):
            async with foreign_client(proxy.url("/echo")) as ws:
                await ws.close(code, reason)
                same((ws.close_code, ws.close_reason), (code, ""), "the Close that came back")
            seen = 'client -> server  close %d%s (' % (code, ' "%s"' % reason if reason else "")
            await soon(lambda: any(line.startswith(seen) for line in server.text), "%r in the server's trace" % seen)
        await soon(lambda: clients(server) == 0, "no connection left at the server")
    return "0 to 1 MiB, fragments, pings of both ends, closes 1000 and 3456 seen at both ends"


async def test_client(kind):
    """The echo client, the proxy, a foreign server."""
    codes = []

    async def body(ws):
        await conversation(ws)
        await ws.close(3456, REASON)
        codes.append((ws.close_code, ws.close_reason))

    async with foreign_server(body) as port:
        with proxied(kind, Route("/echo", port)) as proxy:
            with running(CLIENT, proxy.url("/echo")) as client:
                status, output = await asyncio.to_thread(client.wait)
    same(codes, [(3456, "")], "the Close that the client sent back")
    check("closed cleanly: 3456, " in output and '"%s"' % REASON in output, "3456 and its reason", output)
    same(status, 0, "exit status of the client; " + output)
    return "the tenon client against a foreign server: the same, and 3456 with its reason"


async def test_ends(kind):
    """Tenon at both ends: the client closes; and at SIGTERM the server does."""
    with echoing() as server, proxied(kind, Route("/echo", server.port)) as proxy:
        with running(CLIENT, "--send", "hello", proxy.url("/echo")) as client:
            status, output = await asyncio.to_thread(client.wait)
            same((status, output.split("\n")[:3]),
                 (0, ["open", 'text "hello" (5 octets)', "closed cleanly: 1000, normal closure"]), "what it printed")
        with running(CLIENT, "--trace", proxy.url("/echo")) as idle:
            await opened(idle)
            async with foreign_client(proxy.url("/echo")) as ws:
                await back(ws, "here")
                server.terminate()
                await asyncio.wait_for(ws.wait_closed(), STEP_SECONDS)
                same(ws.close_code, 1001, "the code that the foreign client got")
            status, output = await asyncio.to_thread(idle.wait)
            check(status == 0 and "closed cleanly: 1001, going away" in output, "1001 at the tenon client", output)
        same((await asyncio.to_thread(server.wait))[0], 0, "exit status of the server")
    return "tenon at both ends: 1000; SIGTERM at the server gives 1001 at the clients"


async def opened(client):
    """Waits until an echo client with --trace has its connection."""
    await soon(lambda: any(line.startswith("server -> client  HTTP/1.1 101 ") for line in client.text), "101")


# ------------------------------------------------------------------ answers

class Origin:
    """A scripted origin: notes each head as it is on the wire, and answers with the
    same octets, after which it waits for the end of the stream."""

    def __init__(self, answer):
        self.answer, self.heads, self.port = answer, [], None

    async def serve(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            answer = self.answer(self.heads[-1])
            if answer:
                writer.write(answer)
                await writer.drain()
            await reader.read()
        writer.close()

    def fields(self):
        """Of the last head: name as it came, value."""
        lines = self.heads[-1].decode("latin-1").split("\r\n")[1:-2]
        return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def values(self, name):
        return [value for one, value in self.fields() if one.lower() == name.lower()]


@contextlib.asynccontextmanager
async def scripted(answer):
    origin = Origin(answer)
    server = await asyncio.start_server(origin.serve, "127.0.0.1", 0)
    origin.port = server.sockets[0].getsockname()[1]
    async with server:
        yield origin


async def ended(url):
    """The echo client: exit status, what it printed. It waits 10 s for an answer."""
    with running(CLIENT, "--send", "never", url) as client:
        return await asyncio.to_thread(client.wait, 10 + STEP_SECONDS)


async def refused(url, status, what):
    """The client names the status, and the rule by which that is no connection."""
    code, output = await ended(url)
    check(code == 1 and "the server answered with status %d\n" % status in output, "%s: %d" % (what, status), output)
    check("closed: 1006, abnormal closure; the server did not switch protocols (RFC 6455, 4.1, offset" in output,
          "%s: the rule and its section" % what, output)
    check("open" not in output.split("\n"), "%s: no connection" % what, output)


def upgraded(accept, *more):
    """101 with this Accept, and what follows in the same write."""
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
             "Sec-WebSocket-Accept: " + accept]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + b"".join(more)


async def broken(url, rule, what):
    """No answer at all, or not the right one: the client names the rule."""
    code, output = await ended(url)
    check(code == 1 and "closed: 1006, abnormal closure; " + rule in output, "%s: %s" % (what, rule), output)
    check("open" not in output.split("\n"), "%s: no connection" % what, output)


async def test_answers(kind):
    """What the proxy says in the origin's place, or for it."""
    denied = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\nConnection: close\r\n\r\nno!\n"
    with deaf_port() as deaf:
        async with scripted(lambda head: upgraded(ACCEPT)) as liar, scripted(lambda head: denied) as stern:
            routes = [Route("/down", deaf), Route("/liar", liar.port), Route("/stern", stern.port)]
            with proxied(kind, *routes) as proxy:
                await asyncio.gather(
                    refused(proxy.url("/down"), kind.down, "an origin that is down"),
                    refused(proxy.url("/elsewhere"), 404, "a path that is not proxied"),
                    refused(proxy.url("/stern"), 403, "an origin that refuses"),
                    broken(proxy.url("/liar"), "Sec-WebSocket-Accept is missing, repeated or wrong (RFC 6455, 4.1, ",
                           "an Accept for another key"))
    return "%d origin down, 404, 403 of the origin, an Accept for another key: each with its rule" % kind.down


async def test_mute(kind):
    """An origin that takes the request and says nothing."""
    async with scripted(lambda head: None) as mute:
        with proxied(kind, Route("/mute", mute.port, timeout=1)) as proxy:
            if kind.silent:
                await refused(proxy.url("/mute"), kind.silent, "an origin that says nothing")
                return "an origin that says nothing: %d" % kind.silent
            await broken(proxy.url("/mute"), "the opening handshake took too long (RFC 6455, 10.4, ", "no answer")
            return "an origin that says nothing: the client gives up by itself, HANDSHAKE_TIMEOUT"


async def test_head(kind):
    """What the origin gets to see of a client; and a first message right behind the 101."""
    hello = frame(FIN | TEXT, b"at once", mask=False)
    async with scripted(lambda head: upgraded(ACCEPT, hello)) as origin:
        with proxied(kind, Route("/echo", origin.port)) as proxy:
            lines = [REQUEST[0].replace(" / ", " /echo?room=7%20a ")] + REQUEST[1:] + [
                "Origin: http://page.example", "Sec-WebSocket-Protocol: one, two", "X-Forwarded-For: 203.0.113.7"]
            with await asyncio.to_thread(connect, proxy.port) as wire:
                wire.send(request(lines))
                await asyncio.to_thread(upgrade_arrives, wire)
            first = origin.heads[-1].split(b"\r\n")[0]
            same(first, b"GET /echo?room=7%20a HTTP/1.1", "the request line at the origin")
            same(origin.values("Sec-WebSocket-Key"), ["dGhlIHNhbXBsZSBub25jZQ=="], "the key at the origin")
            check(kind.key_name in dict(origin.fields()), "the name %s" % kind.key_name, origin.fields())
            same(origin.values("Host"), ["127.0.0.1"], "Host")
            same(origin.values("Origin"), ["http://page.example"], "Origin")
            same(origin.values("Sec-WebSocket-Protocol"), ["one, two"], "Sec-WebSocket-Protocol")
            forwarded = ", ".join(origin.values("X-Forwarded-For"))
            same(forwarded, "203.0.113.7, 127.0.0.1" if kind.keeps_forwarded else "127.0.0.1", "X-Forwarded-For")
    return "target, Host, key, Origin, subprotocols as sent, X-Forwarded-For %s, a message behind the 101" % forwarded


def upgrade_arrives(wire):
    status, fields = wire.head()
    check(status.startswith("HTTP/1.1 101"), "101", status)
    same(fields.get("sec-websocket-accept"), [ACCEPT], "Sec-WebSocket-Accept")
    wire.expect(TEXT, b"at once", "the message behind the 101")


async def test_no_upgrade(kind):
    """A proxy that was not told to relay upgrades: the usual mistake, so it must be
    told apart. nginx then asks by HTTP/1.0, apache without Upgrade. Either way it
    is not the proxy but the echo server that answers, and 426 says why."""
    if not kind.can_omit_upgrade:
        return None
    with echoing("--trace") as server, proxied(kind, Route("/echo", server.port, upgrade=False)) as proxy:
        await refused(proxy.url("/echo"), 426, "no upgrade relayed")
        await soon(lambda: any(line.startswith("server -> client  HTTP/1.1 426 ") for line in server.text),
                   lambda: "426 in the trace of the echo server; its trace: %s" % server.text)
    return "an upgrade that the proxy does not relay: 426 from the echo server arrives"


# -------------------------------------------------------------- slow reader

MESSAGE = 65536
FILL_MAX = 4096  # messages: 256 MiB; far more than all buffers on the way take
BEHIND = 64      # messages, once it has come to a stop


def numbered(number):
    return number.to_bytes(4, "big") * (MESSAGE // 4)


def stuff(wire):
    """Writes without reading until nothing moves for half a second: how many messages
    were begun, and the rest of the last one."""
    wire.sock.settimeout(0.5)
    for number in range(FILL_MAX):
        rest = memoryview(frame(FIN | BINARY, numbered(number)))
        try:
            while rest:
                rest = rest[wire.sock.send(rest):]
        except TimeoutError:
            wire.sock.settimeout(STEP_SECONDS)
            return number + 1, rest
    raise Failure("expected a stop before %d octets were taken, actual: none" % (FILL_MAX * MESSAGE))


def go_on(wire, rest, begin, end):
    wire.send(rest)
    for number in range(begin, end):
        wire.send(frame(FIN | BINARY, numbered(number)))
    wire.send(closing(1000))


def drain(wire, count):
    for number in range(count):
        opcode, payload = wire.next()
        same((opcode, payload == numbered(number)), (BINARY, True), "message %d as sent" % number)
    wire.expect(CLOSE, close_body(1000), "Close behind them")


def opened_at(port, path):
    wire = connect(port, 65536)
    wire.send(request([REQUEST[0].replace(" / ", " %s " % path)] + REQUEST[1:]))
    status, _ = wire.head()
    check(status.startswith("HTTP/1.1 101"), "101", status)
    return wire


async def test_slow(kind):
    """A client that does not read: it is held up, at no cost for the server; nothing is lost."""
    with echoing() as server, proxied(kind, Route("/echo", server.port)) as proxy:
        async with foreign_client(proxy.url("/echo")) as ws:
            await back(ws, b"x" * (1 << 20))  # so that what a server needs in use is part of the measure
            before = resident(server)
            with await asyncio.to_thread(opened_at, proxy.port, "/echo") as wire:
                begun, rest = await asyncio.to_thread(stuff, wire)
                grown = resident(server) - before
                check(grown < 1 << 20, "less than 1 MiB more in the server", grown)
                await back(ws, "others are served")
                total = begun + BEHIND
                writer = asyncio.ensure_future(asyncio.to_thread(go_on, wire, rest, begun, total))
                await asyncio.to_thread(drain, wire, total)
                await writer
            grown = resident(server) - before
            check(grown < 1 << 20, "less than 1 MiB more in the server afterwards", grown)
    return "held up after %.1f MiB, the server grew by less than 1 MiB, then %.1f MiB in order" % (
        begun * MESSAGE / (1 << 20), total * MESSAGE / (1 << 20))


TESTS = [test_echo, test_client, test_ends, test_answers, test_mute, test_head, test_no_upgrade, test_slow]
