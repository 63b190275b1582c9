# SPDX-License-Identifier: MIT
"""The foreign side of each profile: the websockets library as server and as client.

Both go through one set of messages with tenon, which echoes them: texts and binaries
from nothing to a mebibyte, fragments with a Ping between them, a Ping of its own, and
a close code that must come back.
"""
import asyncio
import collections
import logging

import websockets

from common import Failure, check, same, within

logging.getLogger("websockets").setLevel(logging.CRITICAL)  # it tells of each refusal, and there are many


def be_quiet(loop):
    """Pongs that nobody waits for any more, on connections that were ended, are no news."""
    def handler(where, context):
        if not isinstance(context.get("exception"), websockets.ConnectionClosed):
            where.default_exception_handler(context)
    loop.set_exception_handler(handler)


CODE, WORDS = 4001, "goodbye"
UNIT = "aé€😀"  # one to four octets

MESSAGES = [
    "Grüße, 世界 𝄞",
    "",
    b"",
    bytes(range(256)),
    UNIT * 12,                            # 126 octets or so: the first extended length
    bytes(i * 7 % 251 for i in range(65536)),
    UNIT * (1048576 // 10),
]
FRAGMENTS = ["frag", "", "ment€", "ed 😀", UNIT * 100]


async def fragments(ws):
    for part in FRAGMENTS:
        yield part
        await ws.ping()


async def go_through(ws):
    """The whole set, ended by a Close of this side."""
    for message in MESSAGES:
        await ws.send(message)
        same(await within(ws.recv(), "an echo"), message, "echo")
    await ws.send(fragments(ws))
    same(await within(ws.recv(), "the echo of fragments"), "".join(FRAGMENTS), "echo of fragments")
    await within(await ws.ping(b"are you there"), "a Pong")
    await within(ws.close(CODE, WORDS), "the end of closing")
    same(ws.close_code, CODE, "close code")  # RFC 6455, 5.5.1: typically the code is echoed


class Origin:
    """A server of websockets; what it does with a client is in the first part of the path:

    /set.NAME   goes through the set of messages     /echo.NAME  echoes
    /hold.NAME  says nothing
    """

    def __init__(self):
        self.outcomes = collections.defaultdict(asyncio.get_running_loop().create_future)

    async def __aenter__(self):
        self.server = await websockets.serve(self.serve, "127.0.0.1", 0, max_size=None, ping_interval=None,
                                             subprotocols=["chat"], close_timeout=5)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()

    async def serve(self, ws, *_):
        what, _, name = ws.path.rsplit("/", 1)[-1].partition(".")
        try:
            if what == "set":
                await go_through(ws)
                self.outcomes[name].set_result("done")
            elif what == "echo":
                async for message in ws:
                    await ws.send(message)
            else:
                await ws.wait_closed()
        except (Failure, websockets.ConnectionClosed) as problem:
            if what == "set":
                self.outcomes[name].set_result(str(problem))


def connect(port, name, **more):
    """A client of websockets; it answers Pings, and sends none."""
    return websockets.connect("ws://127.0.0.1:%d/%s" % (port, name), max_size=None, ping_interval=None,
                              subprotocols=["chat", "superchat"], open_timeout=25, close_timeout=5, **more)


async def set_as_client(port, name):
    ws = await connect(port, name)
    try:
        await go_through(ws)
    finally:
        await ws.close()


async def refused_as_client(port, name):
    """The status of a connection that must not come about."""
    try:
        ws = await connect(port, name)
    except websockets.InvalidStatusCode as refusal:
        return refusal.status_code
    await ws.close()
    raise Failure("expected a refusal, actual: a connection")


async def ended_as_client(port, name):
    """The close code of a connection that must end while the set goes through it."""
    ws = await connect(port, name)
    try:
        await go_through(ws)
    except websockets.ConnectionClosed:
        return ws.close_code
    raise Failure("expected the connection to end early, actual: it came through")


async def held_as_client(port, name, seconds):
    """A client that says nothing for so long, and then is served all the same."""
    ws = await connect(port, name)
    done, _ = await asyncio.wait([asyncio.ensure_future(ws.wait_closed())], timeout=seconds)
    check(not done, "the connection to be open after %.1f s" % seconds, "closed with %s" % ws.close_code)
    await ws.send("still there")
    same(await within(ws.recv(), "an echo"), "still there", "echo")
    await ws.close(1000)
    same(ws.close_code, 1000, "close code")


async def idle_as_client(port, name, least):
    """A client that says nothing: the close code of the connection, which ends by itself."""
    loop = asyncio.get_running_loop()
    ws = await connect(port, name)
    since = loop.time()
    await within(ws.wait_closed(), "an end of the idle connection")
    check(loop.time() - since >= least * 0.9, "an end after %.2f s" % least, "after %.2f s" % (loop.time() - since))
    return ws.close_code
