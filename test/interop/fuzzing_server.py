# SPDX-License-Identifier: MIT
"""A small fuzzing server, of the kind that public test suites run, against the conformance client."""
import asyncio
import contextlib
import random
import urllib.parse

import websockets

from harness import STEP_SECONDS, check, main, outcome, same


async def echo(ws, data):
    await ws.send(data)
    joined = data if isinstance(data, (str, bytes)) else data[0][:0].join(data)
    got = await ws.recv()
    same(type(got), type(joined), "type of the echo")
    check(got == joined, "the echo is what was sent (%d)" % len(joined), got)


async def case_text(ws):
    await echo(ws, "Hello")


async def case_empty(ws):
    await echo(ws, "")
    await echo(ws, b"")


async def case_sizes(ws):
    for size in (125, 126, 127, 65535, 65536, 1 << 20):
        await echo(ws, random.randbytes(size))


async def case_large(ws):
    await echo(ws, random.randbytes(16 << 20))


async def case_fragments(ws):
    await echo(ws, ["frag", "", "ments \u20ac"])


async def case_pings(ws):
    waiting = [await ws.ping(b"payload-%d" % number) for number in range(10)]
    await asyncio.wait_for(asyncio.gather(*waiting), STEP_SECONDS)


async def case_close(ws):
    await ws.close(3000, "the end")
    same(ws.close_code, 3000, "Close echoed")


async def case_invalid_text(ws):
    """The client must end it by itself."""
    await ws.write_frame(True, 1, b"\xed\xa0\x80")
    await asyncio.wait_for(ws.wait_closed(), STEP_SECONDS)
    same(ws.close_code, 1007, "code of the client")


async def case_dropped(ws):
    """The connection is lost; the client goes on with the next case."""
    ws.transport.abort()
    await asyncio.wait_for(ws.wait_closed(), STEP_SECONDS)


class Suite:
    """What was asked for, in order, and how each case ended."""

    def __init__(self, cases):
        self.cases, self.asked, self.results = cases, [], {}

    async def handler(self, ws, path):
        url = urllib.parse.urlsplit(path)
        query = dict(urllib.parse.parse_qsl(url.query))
        self.asked.append((url.path, query))
        if url.path == "/getCaseCount":
            await ws.send(str(len(self.cases)))
        elif url.path == "/runCase":
            await self.run(ws, int(query["case"]))

    async def run(self, ws, number):
        try:
            await self.cases[number - 1](ws)
            self.results[number] = "passed"
        except Exception as problem:  # told at the end
            self.results[number] = "%s: %s" % (type(problem).__name__, problem)

    def judge(self, agent):
        count = len(self.cases)
        runs = [("/runCase", {"case": str(number + 1), "agent": agent}) for number in range(count)]
        same(self.asked, [("/getCaseCount", {})] + runs + [("/updateReports", {"agent": agent})], "requests")
        same(self.results, {number + 1: "passed" for number in range(count)}, "results")


@contextlib.asynccontextmanager
async def serving(suite):
    async with websockets.serve(suite.handler, "127.0.0.1", 0, max_size=None, ping_interval=None,
                                close_timeout=STEP_SECONDS) as server:
        yield "ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1]


async def drive(suite, *agent):
    async with serving(suite) as url:
        return await outcome("test/conformance_client", url, *agent)


async def test_conformance_suite():
    suite = Suite([case_text, case_empty, case_sizes, case_large, case_fragments, case_pings, case_close,
                   case_invalid_text, case_text])
    status, output = await drive(suite, "tenon")
    suite.judge("tenon")
    same(status, 0, "exit status; " + output)


async def test_conformance_goes_on_after_a_lost_case():
    suite = Suite([case_dropped, case_text])
    status, output = await drive(suite, "tenon")
    suite.judge("tenon")
    same(status, 0, "exit status; " + output)


async def test_conformance_without_cases():
    suite = Suite([])
    status, output = await drive(suite, "tenon")
    check(status != 0, "a failure when there is nothing to run", (status, output))
    same(suite.asked[0], ("/getCaseCount", {}), "the first request")


async def test_conformance_default_agent():
    suite = Suite([case_text])
    status, output = await drive(suite)
    same(status, 0, "exit status; " + output)
    agents = {query.get("agent") for path, query in suite.asked if path != "/getCaseCount"}
    check(len(agents) == 1 and all(agents), "one agent for all requests", agents)
    suite.judge(agents.pop())


async def test_conformance_without_server():
    suite = Suite([])
    async with serving(suite) as url:
        pass
    status, output = await outcome("test/conformance_client", url, "tenon")
    check(status != 0, "a failure when nobody listens", (status, output))


if __name__ == "__main__":
    main(globals())
