# SPDX-License-Identifier: MIT
"""permessage-deflate against python3-websockets: each parameter, in both roles."""
import asyncio
import itertools
import random

import websockets
from websockets.extensions.permessage_deflate import (ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory)

from harness import STEP_SECONDS, check, echo_server, main, outcome, same

SERVERS = [["--deflate"], ["--deflate", "--no-takeover"], ["--deflate", "--memory-level", 1]]
CLIENTS = [["--deflate"], ["--deflate", "--no-takeover"], ["--deflate", "--window-bits", 9],
           ["--deflate", "--no-takeover", "--window-bits", 12]]
BITS = (9, 10, 11, 12, 13, 14, 15)


def messages():
    """Text that refers back to earlier text, octets that do not compress, nothing, fragments."""
    words = "tenon and mortise, dovetail and dowel; "
    yield from ("", "a", words * 3, words * 3, words * 2000, "grüße €𝄞 " * 3000, bytes(1 << 20))
    yield random.Random(7).randbytes(70000)
    yield [words, "", words * 500, "end"]
    yield from (words[number:] * 3 for number in range(20))


def joined(message):
    return "".join(message) if isinstance(message, list) else message


async def converse(ws):
    """Every message comes back, alone and in a burst."""
    for message in messages():
        await ws.send(message)
        check(await ws.recv() == joined(message), "the echo of a message", len(joined(message)))
    for number in range(100):
        await ws.send("small %d " % number * 10)
    for number in range(100):
        same(await ws.recv(), "small %d " % number * 10, "one of many")


async def visit(port, **terms):
    factory = ClientPerMessageDeflateFactory(**terms)
    async with websockets.connect("ws://127.0.0.1:%d/" % port, compression=None, extensions=[factory],
                                  max_size=None) as ws:
        check([one.name for one in ws.extensions] == ["permessage-deflate"], "an agreement", (terms, ws.extensions))
        await converse(ws)
        return ws.extensions[0], ws.response_headers["Sec-WebSocket-Extensions"]


async def test_deflate_server_takeover():
    """covers: 7692-5-08"""
    for options, ours, theirs in itertools.product(SERVERS, (False, True), (False, True)):
        with echo_server(*options) as server:
            _, answer = await visit(server.port, server_no_context_takeover=ours, client_no_context_takeover=theirs)
            always = "--no-takeover" in options
            same("server_no_context_takeover" in answer, ours or always, "server_no_context_takeover; " + answer)
            same("client_no_context_takeover" in answer, theirs or always, "client_no_context_takeover; " + answer)


async def test_deflate_server_windows():
    """Each window of either side, with takeover and without."""
    with echo_server("--deflate") as server:
        for ours, server_resets, client_resets in itertools.product(BITS, (False, True), (False, True)):
            theirs = BITS[0] + BITS[-1] - ours
            found, answer = await visit(server.port, server_max_window_bits=ours, client_max_window_bits=theirs,
                                        server_no_context_takeover=server_resets,
                                        client_no_context_takeover=client_resets)
            check("server_max_window_bits=%d" % ours in answer, "a window of %d" % ours, answer)
            same(found.local_max_window_bits, theirs, "the window of the client")
            same((found.remote_no_context_takeover, found.local_no_context_takeover), (server_resets, client_resets),
                 "takeover")


async def test_deflate_server_small():
    """A server with small windows answers with them."""
    for bits in BITS[:-1]:
        with echo_server("--deflate", "--window-bits", bits) as server:
            found, answer = await visit(server.port, client_max_window_bits=True, server_max_window_bits=15)
            check("server_max_window_bits=%d" % bits in answer, "its window", answer)
            same(found.local_max_window_bits, bits, "the window of the client")


async def serve(options, **terms):
    """tenon's client with these options against a server with these terms: what was agreed."""
    seen = asyncio.get_running_loop().create_future()

    async def handler(ws):
        try:
            await asyncio.wait_for(converse(ws), STEP_SECONDS)
            seen.set_result([str(one) for one in ws.extensions])
        except BaseException as problem:
            seen.set_exception(problem)

    factory = ServerPerMessageDeflateFactory(**terms)
    async with websockets.serve(handler, "127.0.0.1", 0, compression=None, extensions=[factory], max_size=None) as server:
        url = "ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        status, output = await outcome("examples/echo_client", *options, url)
    found = await seen
    same(status, 0, "exit status; " + output[-500:])
    return found


async def test_deflate_client():
    for options, ours, theirs in itertools.product(CLIENTS, (False, True), (False, True)):
        found = await serve(options, server_no_context_takeover=ours, client_no_context_takeover=theirs)
        same(len(found), 1, "agreements for %s" % options)
        always = "--no-takeover" in options
        check("local_no_context_takeover=%s" % (ours or always) in found[0], "the server's takeover", found)
        check("remote_no_context_takeover=%s" % (theirs or always) in found[0], "the client's takeover", found)


async def test_deflate_client_windows():
    """Each window of either side, with takeover and without."""
    for ours, server_resets, client_resets in itertools.product(BITS, (False, True), (False, True)):
        theirs = BITS[0] + BITS[-1] - ours
        found = await serve(["--deflate"], server_max_window_bits=theirs, client_max_window_bits=ours,
                            server_no_context_takeover=server_resets, client_no_context_takeover=client_resets)
        for part in ("remote_max_window_bits=%d" % ours, "local_max_window_bits=%d" % theirs,
                     "remote_no_context_takeover=%s" % client_resets, "local_no_context_takeover=%s" % server_resets):
            check(part in found[0], part, found)


if __name__ == "__main__":
    main(dict(globals()))
