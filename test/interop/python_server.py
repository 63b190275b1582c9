# SPDX-License-Identifier: MIT
"""The echo client against the server of python3-websockets."""
import asyncio
import contextlib
import http
import random

import websockets

from harness import STEP_SECONDS, check, main, outcome, same

CLIENT = "examples/echo_client"


class Peer:
    """A server with one handler, and what went wrong in it."""

    def __init__(self, body):
        self.body, self.problem, self.served = body, None, 0

    async def handler(self, ws, _path):
        self.served += 1
        try:
            await asyncio.wait_for(self.body(ws), STEP_SECONDS)
        except Exception as problem:  # raised again by the test
            self.problem = problem


@contextlib.asynccontextmanager
async def serving(body, **options):
    peer = Peer(body)
    async with websockets.serve(peer.handler, "127.0.0.1", 0, max_size=None, close_timeout=STEP_SECONDS,
                                ping_interval=None, **options) as server:
        yield peer, "ws://127.0.0.1:%d/" % server.sockets[0].getsockname()[1]


async def against(body, *arguments, **options):
    """Runs the client against this handler: exit status and output."""
    async with serving(body, **options) as (peer, url):
        status, output = await outcome(CLIENT, *arguments, url)
    if peer.problem:
        raise peer.problem
    return status, output, peer


async def succeeds(body, *arguments, **options):
    status, output, peer = await against(body, *arguments, **options)
    same(status, 0, "exit status; " + output)
    same(peer.served, 1, "connections")
    return output


async def echoed(ws, data, joined=None):
    await ws.send(data)
    expected = data if joined is None else joined
    got = await ws.recv()
    same(type(got), type(expected), "type of the echo")
    check(got == expected, "the echo is what was sent (%d)" % len(expected), got)


async def test_client_python_sends_its_text():
    async def body(ws):
        same(await ws.recv(), "Gr\u00fc\u00dfe \U0001f600", "the message of --send")
        await ws.close(1000, "thanks")
    await succeeds(body, "--send", "Gr\u00fc\u00dfe \U0001f600")


async def test_client_python_prints_what_comes():
    async def body(ws):
        await ws.send(await ws.recv())
        await ws.send("something else")
    output = await succeeds(body, "--send", "hello there")
    check("something else" in output, "the message in what it prints", output)


async def test_client_python_echoes():
    async def body(ws):
        for size in (0, 1, 125, 126, 127, 65535, 65536, 1 << 20):
            await echoed(ws, "x" * size)
            await echoed(ws, random.randbytes(size))
        for words in ("\u00a2\u20ac\U0001f600", "\0\x7f\uffff", "\ufeff\ufffd\U0010ffff"):
            await echoed(ws, words)
    await succeeds(body)


async def test_client_python_fragments_and_pings():
    async def body(ws):
        async def parts():
            for number in range(5):
                yield "part %d " % number
                await asyncio.wait_for(await ws.ping(b"between %d" % number), STEP_SECONDS)
        await echoed(ws, parts(), "part 0 part 1 part 2 part 3 part 4 ")
        await echoed(ws, ["", "middle", ""], "middle")
        await echoed(ws, [b"a" * 65536] * 8, b"a" * 524288)
    await succeeds(body)


async def test_client_python_burst_keeps_its_order():
    async def body(ws):
        for number in range(1000):
            await ws.send(str(number))
        got = [await ws.recv() for _ in range(1000)]
        same(got, [str(number) for number in range(1000)], "1000 echoes in order")
    await succeeds(body)


async def test_client_python_close_is_answered():
    seen = []

    async def body(ws):
        await ws.close(1000, "done")
        seen.append(ws.close_code)
    output = await succeeds(body)
    same(seen, [1000], "Close of the client")
    check("done" in output, "the reason in what it prints", output)


async def test_client_python_connection_dropped():
    async def body(ws):
        ws.transport.abort()
    status, output, _ = await against(body)
    check(0 < status < 64 and output.strip(), "a failure and its cause", (status, output))


async def test_client_python_refused():
    for status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
        async def refuse(_path, _headers, status=status):
            return status, [("WWW-Authenticate", "Basic")], b"not for you\n"

        async def body(_ws):
            pass
        code, output, peer = await against(body, "--send", "never", process_request=refuse)
        check(0 < code < 64 and str(status.value) in output, "a failure and %d" % status, (code, output))
        same(peer.served, 0, "connections")


if __name__ == "__main__":
    main(globals())
