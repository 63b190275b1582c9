# SPDX-License-Identifier: MIT
"""The peer python3-websockets.

usage: websockets_peer.py server
       websockets_peer.py client PORT MESSAGES CODE REASON
"""
import asyncio
import sys

import websockets

from message_set import GOING_AWAY, Score, cut, read, same


async def exchange(ws, line, score):
    if line.kind == "ping":
        for data in line.messages:
            await (await ws.ping(data))
            score.pings += 1
        return
    for data in line.messages:
        await ws.send(data if len(line.pieces) == 1 else cut(line, data))
    for data in line.messages:
        same(await ws.recv(), data)
        score.add(data)


async def client(port, path, code, reason):
    score = Score()
    async with websockets.connect("ws://127.0.0.1:%s/echo" % port, max_size=None) as ws:
        for line in read(path):
            await exchange(ws, line, score)
        if code == GOING_AWAY:
            print("waiting", flush=True)
            await ws.wait_closed()
        await ws.close(int(code), reason)
        score.report(ws.close_code, ws.close_reason)
        return ws.close_code == int(code)


async def echo(ws, _path=None):
    try:
        while True:
            await ws.send(await ws.recv())
    except websockets.ConnectionClosed:
        print("closed", ws.close_code, ws.close_reason, flush=True)


async def server():
    async with websockets.serve(echo, "127.0.0.1", 0, max_size=None) as listener:
        print("listening on 127.0.0.1:%d" % listener.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


if sys.argv[1] == "server":
    asyncio.run(server())
sys.exit(0 if asyncio.run(client(*sys.argv[2:])) else 1)
