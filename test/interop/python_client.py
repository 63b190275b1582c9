# SPDX-License-Identifier: MIT
"""The client of python3-websockets against the echo server."""
import asyncio
import random

import websockets
from websockets.frames import Close

from harness import STEP_SECONDS, check, echo_server, main, same

UNICODE = ["", "plain", "\u00a2\u20ac\U0001f600", "\0\x7f\u0080\u07ff\u0800\uffff", "\ufeffmark\ufffd\ufffe",
           "\ud7ff\ue000\U0010ffff", "e\u0301 \u05d0\u05d1 \u6f22\u5b57",
           "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 50]


def client(server, **options):
    return websockets.connect(server.url, max_size=None, open_timeout=STEP_SECONDS, close_timeout=STEP_SECONDS,
                              **options)


async def back(ws, data, what):
    """Sends and expects the same thing, of the same type."""
    await ws.send(data)
    got = await ws.recv()
    same(type(got), type(data), what + ": type")
    check(got == data, "%s: %d back as sent" % (what, len(data)), got)


async def sizes(ws, numbers):
    for size in numbers:
        await back(ws, "x" * size, "text of %d" % size)
        await back(ws, random.randbytes(size), "binary of %d" % size)


async def closed(ws, code, what):
    await asyncio.wait_for(ws.wait_closed(), STEP_SECONDS)
    same(ws.close_code, code, what)


# covers: 6455-5.2-14
async def test_python_sizes():
    with echo_server() as server:
        async with client(server) as ws:
            same(ws.extensions, [], "extensions, though one was offered")
            same(ws.subprotocol, None, "subprotocol")
            await sizes(ws, (0, 1, 125, 126, 127, 65535, 65536, 65537))


# covers: 6455-4.2.2-06
async def test_python_unwanted_subprotocols():
    with echo_server() as server:
        async with client(server, subprotocols=["chat", "superchat"], origin="http://example.com") as ws:
            same(ws.subprotocol, None, "subprotocol")
            same(ws.response_headers.get("Sec-WebSocket-Protocol"), None, "Sec-WebSocket-Protocol")
            await back(ws, "hello", "text")


async def test_python_large():
    with echo_server("--max-message", 16 << 20) as server:
        async with client(server) as ws:
            await sizes(ws, (1 << 20, 16 << 20))


# covers: 6455-5.4-01 6455-5.4-08 6455-5.4-09
async def test_python_fragments():
    cases = [["one"], ["", "middle", ""], ["", ""], list("letters"), ["\u20ac" * 1000] * 30, ["a" * 65536] * 8]
    with echo_server() as server:
        async with client(server) as ws:
            for parts in cases:
                await ws.send(parts)
                same(await ws.recv(), "".join(parts), "text of %d parts" % len(parts))
                octets = [part.encode() for part in parts]
                await ws.send(octets)
                same(await ws.recv(), b"".join(octets), "binary of %d parts" % len(parts))


async def ping(ws, data):
    """Only a Pong with the same payload ends the wait."""
    await asyncio.wait_for(await ws.ping(data), STEP_SECONDS)


# covers: 6455-5.5.2-01 6455-5.5.2-03
async def test_python_pings():
    with echo_server() as server:
        async with client(server) as ws:
            for data in (b"", b"payload", bytes.fromhex("00fffefdfcfb00ff"), b"x" * 125):
                await ping(ws, data)
            waiting = [await ws.ping(b"payload-%d" % i) for i in range(10)]
            await asyncio.wait_for(asyncio.gather(*waiting), STEP_SECONDS)
            await back(ws, "after", "text after Pings")


async def test_python_pings_within_a_message():
    with echo_server() as server:
        async with client(server) as ws:
            async def parts():
                for number in range(5):
                    yield "part %d " % number
                    await ping(ws, b"between %d" % number)
            await ws.send(parts())
            same(await ws.recv(), "part 0 part 1 part 2 part 3 part 4 ", "the message")


# covers: 6455-8.1-06
async def test_python_unicode():
    with echo_server() as server:
        async with client(server) as ws:
            for words in UNICODE:
                await back(ws, words, "unicode")
                await ws.send(list(words) or [""])
                same(await ws.recv(), words, "unicode in parts")


# covers: 6455-7.4.1-01 6455-7.4.2-03
async def test_python_close_codes():
    with echo_server() as server:
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
            for reason in ("", "bye", "\u2026" * 41):
                async with client(server) as ws:
                    await ws.close(code, reason)
                    await closed(ws, code, "Close %d echoed" % code)


# covers: 6455-5.5.1-03 6455-5.5.1-11
async def test_python_close_without_code():
    with echo_server() as server:
        async with client(server) as ws:
            await ws.write_close_frame(Close(1005, ""), b"")
            await closed(ws, 1005, "Close without a code")


async def test_python_message_beyond_the_limit():
    with echo_server("--max-message", 1000) as server:
        async with client(server) as ws:
            await sizes(ws, (1000,))
            await ws.send("x" * 1001)
            await closed(ws, 1009, "code")
        async with client(server) as ws:
            await back(ws, "another", "text of another client")


async def test_python_many_clients():
    with echo_server() as server:
        clients = await asyncio.gather(*(client(server) for _ in range(200)))
        for turn in range(3):
            await asyncio.gather(*(back(ws, "%d of turn %d" % (i, turn), "text") for i, ws in enumerate(clients)))
        await asyncio.gather(*(ws.close(1000, "done") for ws in clients))
        same({ws.close_code for ws in clients}, {1000}, "all closed")


async def test_python_burst_keeps_its_order():
    with echo_server() as server:
        async with client(server) as ws:
            async def send():
                for number in range(1000):
                    await ws.send(str(number))
            sender = asyncio.ensure_future(send())
            got = [await ws.recv() for _ in range(1000)]
            await sender
            same(got, [str(number) for number in range(1000)], "1000 messages in order")


async def test_python_killed_client():
    with echo_server() as server:
        async with client(server) as other:
            for _ in range(10):
                ws = await client(server)
                await ws.send("x" * 100000)
                ws.transport.abort()
                await asyncio.wait_for(ws.wait_closed(), STEP_SECONDS)
                await back(other, "unharmed", "text of the other client")


async def test_python_slow_reader():
    with echo_server() as server:
        async with client(server, max_queue=1) as ws:
            messages = [random.randbytes(1 << 18) for _ in range(32)]
            sender = asyncio.ensure_future(send_all(ws, messages))
            ws.transport.pause_reading()
            await asyncio.wait([sender], timeout=0.5)
            ws.transport.resume_reading()
            for number, message in enumerate(messages):
                check(await ws.recv() == message, "message %d as sent" % number, "another")
            await sender


async def send_all(ws, messages):
    for message in messages:
        await ws.send(message)


async def test_python_sigterm():
    with echo_server() as server:
        clients = await asyncio.gather(*(client(server) for _ in range(20)))
        await asyncio.gather(*(back(ws, "here", "text") for ws in clients))
        server.terminate()
        await asyncio.gather(*(asyncio.wait_for(ws.wait_closed(), STEP_SECONDS) for ws in clients))
        same({ws.close_code for ws in clients}, {1001}, "codes after SIGTERM")
        status, output = await asyncio.to_thread(server.wait)
        same(status, 0, "exit status after SIGTERM; " + output)


if __name__ == "__main__":
    main(globals())
