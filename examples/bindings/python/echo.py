#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Echoes what comes, as server or as client.

usage: echo.py server [PORT]
       echo.py client URI

A text "close CODE REASON" has it close, "ping DATA" has it ping. For each connection it
prints how it ended.
"""
import asyncio
import sys

import aio
import tenon


async def echo(socket):
    try:
        async for message in socket:
            words = message.split(" ", 2) if isinstance(message, str) else [""]
            if words[0] == "close":
                await socket.close(int(words[1]), words[2])
            elif words[0] == "ping":
                await socket.ping(words[1])
            else:
                await socket.send(message)
    except aio.Closed:
        pass
    event = await socket.ended
    print("closed", event.code, (event.data or b"").decode(), tenon.rule_name(event.rule), flush=True)


async def main(role, where):
    if role == "client":
        await echo(await aio.connect(where))
        return
    server = await aio.serve(echo, "127.0.0.1", int(where))
    print("listening on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("server", "client") or sys.argv[1:] == ["client"]:
        sys.exit(__doc__.strip())
    try:
        asyncio.run(main(sys.argv[1], (sys.argv + ["9001"])[2]))
    except KeyboardInterrupt:
        pass
