# SPDX-License-Identifier: MIT
"""Software that others wrote on both ends, with permessage-deflate through the relay."""
import asyncio
import contextlib
import os
import pathlib
import random

import websockets

from harness import BUILD, STEP_SECONDS, Failure, Server, check, program, same
from support import Relay

HERE = pathlib.Path(__file__).resolve().parent


async def echo(ws):
    with contextlib.suppress(websockets.ConnectionClosed):
        async for message in ws:
            await ws.send(message)


def messages():
    source = random.Random(7692)
    yield from ("", "short", "äöü€𝄞" * 1000, "same again " * 20000, "same again " * 20000, b"", os.urandom(100000))
    for _ in range(20):
        size = source.randrange(0, 50000)
        yield source.choice([bytes(size), source.randbytes(size), "x%d" % size * (size // 8)])


async def through(relay, compression, **options):
    async with websockets.connect(relay.url, compression=compression, max_size=None, **options) as ws:
        names = [extension.name for extension in ws.extensions]
        same(names, ["permessage-deflate"] if compression else [], "extensions of the client")
        for message in messages():
            await ws.send(message)
            same(await asyncio.wait_for(ws.recv(), STEP_SECONDS) == message, True, "whether the echo is the same")
        parts = ["one ", "two ", "three " * 5000]
        await ws.send(parts)  # a fragmented message
        same(await asyncio.wait_for(ws.recv(), STEP_SECONDS), "".join(parts), "a fragmented one")
        await asyncio.wait_for(await ws.ping(), STEP_SECONDS)
        await ws.close(4321, "done")
    same((ws.close_code, ws.close_reason), (4321, "done"), "the Close that came back")


async def test_python_websockets():
    seen, codes = [], []

    async def handler(ws):
        seen.append(([extension.name for extension in ws.extensions], ws.subprotocol))
        await echo(ws)
        await ws.wait_closed()
        codes.append(ws.close_code)

    async with websockets.serve(handler, "127.0.0.1", 0, max_size=None, subprotocols=["b"]) as origin:
        relay = await asyncio.to_thread(Relay, "ws://127.0.0.1:%d" % origin.sockets[0].getsockname()[1],
                                        "--ping-interval", "50")
        try:
            await through(relay, "deflate", subprotocols=["a", "b"])
            await through(relay, None)
            values = await asyncio.to_thread(relay.metrics)
            await asyncio.to_thread(relay.end)
        finally:
            relay.kill()
    same(codes, [4321, 4321], "codes at the origin")
    same(seen, [(["permessage-deflate"], "b"), ([], None)], "extensions and subprotocol at the origin")
    check(values['relay_octets_total{side="origin",direction="in"}'] < 3_000_000, "compressed traffic", values)
    return "with and without permessage-deflate, subprotocol, own pings, Close 4321"


async def test_npm_ws():
    """ws_ends.js: a server and clients of ws, compressing, with and without takeover."""
    process = await asyncio.create_subprocess_exec(
        "node", str(HERE / "ws_ends.js"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "NODE_PATH": str(BUILD / "npm" / "node_modules")})
    relay = None
    try:
        port = int(await asyncio.wait_for(process.stdout.readline(), STEP_SECONDS))
        relay = await asyncio.to_thread(Relay, "ws://127.0.0.1:%d" % port)
        process.stdin.write(b"%d\n" % relay.port)
        output = (await asyncio.wait_for(process.stdout.read(), 20)).decode()
        status = await asyncio.wait_for(process.wait(), STEP_SECONDS)
        check(status == 0 and output.startswith("good"), "good, with status 0", (status, output))
        await asyncio.to_thread(relay.end)
        return output[4:].strip()
    finally:
        if process.returncode is None:
            process.kill()
        if relay is not None:
            relay.kill()


def test_own_programs():
    """echo_client through the relay to echo_server."""
    server = Server()
    relay = None
    try:
        relay = Relay("ws://127.0.0.1:%d" % server.port)
        with program("examples/echo_client", "--send", "hello", relay.url) as client:
            status, output = client.wait()
        check(status == 0 and "hello" in output and "1000" in output, "hello and a clean 1000", (status, output))
        relay.end()
        server.end()
    finally:
        server.kill()
        if relay is not None:
            relay.kill()
    return "closed cleanly"


async def test_page_of_browser_kind():
    """A client of websockets with an Origin that is not allowed sees the status."""
    async with websockets.serve(echo, "127.0.0.1", 0) as origin:
        relay = await asyncio.to_thread(Relay, "ws://127.0.0.1:%d" % origin.sockets[0].getsockname()[1],
                                        "--allow-origin", "https://a.example")
        try:
            try:
                async with websockets.connect(relay.url, origin="https://b.example"):
                    raise Failure("expected 403, actual: open")
            except websockets.InvalidStatusCode as refusal:
                same(refusal.status_code, 403, "status")
            async with websockets.connect(relay.url, origin="https://a.example") as ws:
                await ws.send("in")
                same(await ws.recv(), "in", "echo")
            await asyncio.to_thread(relay.end)
        finally:
            relay.kill()
    return "403 with one Origin, open with the other"
