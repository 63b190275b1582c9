# SPDX-License-Identifier: MIT
"""Silence and sudden ends: what an intermediary does to an idle connection, and what
its own death does to the two ends."""
import asyncio
import time

from echo import back, foreign_client, opened
from kinds import LONG, Route
from support import CLIENT, POLL, clients, echoing, proxied, running, soon
from harness import Failure, check, same

READ_TIMEOUT = 1  # seconds, at the proxy
IDLE = 3.5        # seconds: more than three timeouts
PING, PONG = 300, 500  # milliseconds: interval, timeout

EOF = "closed: 1006, abnormal closure; the stream ended without a Close frame (RFC 6455, 7.1.5, offset "


async def ends(client, seconds):
    """Waits for a program to end; the seconds that it took, and its status and output."""
    since = time.monotonic()
    status, output = await asyncio.to_thread(client.wait, seconds)
    return time.monotonic() - since, status, output


async def gone(client):
    """The end of a program, for as long as a test takes; no thread stays with it."""
    while client.process.poll() is None:
        await asyncio.sleep(POLL)


async def outlasts(waiting, seconds, what):
    """What is waited for must not come in this time."""
    _, pending = await asyncio.wait([asyncio.ensure_future(waiting)], timeout=seconds)
    if not pending:
        raise Failure("expected %s to last for %g s, actual: it ended" % (what, seconds))
    for task in pending:
        task.cancel()


async def test_idle_cut(kind):
    """Silence, and a proxy that does not stand it: both ends notice, and say what it was.
    Without this the next test would show nothing. The same silence on another route, with
    a long timeout: nobody pings, and the connection lasts."""
    with echoing() as server, echoing() as patient, proxied(
            kind, Route("/echo", server.port, timeout=READ_TIMEOUT), Route("/patient", patient.port)) as proxy:
        with running(CLIENT, "--trace", proxy.url("/echo")) as client:
            await opened(client)
            async with foreign_client(proxy.url("/patient")) as ws:
                words = await cut_off(kind, client, server)
                await outlasts(ws.wait_closed(), READ_TIMEOUT, "the connection with the long timeout")
                await back(ws, "still there")
    return words + "; alive where the timeout is %d s" % LONG


async def cut_off(kind, client, server):
    """Waits for the end of a silent connection, if there is one; what there is to tell."""
    if not kind.cuts_silence:
        await outlasts(gone(client), IDLE, "the connection")
        return "%g s of silence: this one cuts nothing" % IDLE
    took, status, output = await ends(client, 3 * READ_TIMEOUT)
    check(took > READ_TIMEOUT * 0.8, "a cut after the %d s of the proxy" % READ_TIMEOUT, took)
    check(status == 1 and EOF in output, "1006 and the rule at the client", output)
    await soon(lambda: clients(server) == 0, "the end of the connection at the server", 2)
    return "%d s of silence: cut after %.1f s, 1006 and EOF at the client, gone at the server" % (READ_TIMEOUT, took)


async def test_idle_pinged(kind):
    """The same proxy, and a server that pings: the programs are silent for more than three timeouts."""
    if not kind.cuts_silence:
        return None
    with echoing("--ping-interval", PING) as server:
        with proxied(kind, Route("/echo", server.port, timeout=READ_TIMEOUT)) as proxy:
            with running(CLIENT, "--trace", proxy.url("/echo")) as tenon:
                await opened(tenon)
                async with foreign_client(proxy.url("/echo")) as ws:
                    await outlasts(ws.wait_closed(), IDLE, "the connection")
                    await back(ws, "still there")
                same(tenon.process.poll(), None, "exit status of the tenon client after %g s" % IDLE)
                server.terminate()
                status, output = await asyncio.to_thread(tenon.wait)
                check(status == 0 and "closed cleanly: 1001" in output, "an end in order", output[-300:])
    return "a server that pings every %d ms: alive after %g s, still echoes" % (PING, IDLE)


async def test_idle_pinging(kind):
    """The same, and the client is the one that pings: tenon's Pongs keep the connection."""
    if not kind.cuts_silence:
        return None
    with echoing() as server, proxied(kind, Route("/echo", server.port, timeout=READ_TIMEOUT)) as proxy:
        async with foreign_client(proxy.url("/echo"), ping_interval=PING / 1000, ping_timeout=PONG / 1000) as ws:
            await outlasts(ws.wait_closed(), IDLE, "the connection")
            await back(ws, "still there")
    return "a client that pings every %d ms: alive after %g s, still echoes" % (PING, IDLE)


async def test_killed(kind):
    """SIGKILL: the kernel ends the proxy's connections, and both ends hear that at once."""
    with echoing() as server, proxied(kind, Route("/echo", server.port)) as proxy:
        with running(CLIENT, "--trace", proxy.url("/echo")) as client:
            await opened(client)
            same(clients(server), 1, "connections at the server")
            proxy.kill()
            took, status, output = await ends(client, 2)
            check(status == 1 and EOF in output, "1006 and the rule at the client", output[-300:])
            await soon(lambda: clients(server) == 0, "the end of the connection at the server", 2)
    return "SIGKILL: EOF and 1006 at the client, gone at the server, at once"


async def test_frozen(kind):
    """SIGSTOP: the connection stays up and silent. Only a server that pings notices;
    one that does not is the proof that nothing else tells."""
    limit = (PING + PONG) / 1000
    with echoing("--ping-interval", PING, "--pong-timeout", PONG, "--trace") as pinging, echoing() as trusting:
        with proxied(kind, Route("/pinging", pinging.port), Route("/trusting", trusting.port)) as proxy:
            with running(CLIENT, "--trace", proxy.url("/pinging")) as client, \
                    running(CLIENT, "--trace", proxy.url("/trusting")) as other:
                await opened(client)
                await opened(other)
                await soon(lambda: answered(pinging), "a Ping that was answered")
                since = time.monotonic()
                proxy.freeze()
                await soon(lambda: clients(pinging) == 0, "the end at the server that pings", limit + 1)
                took = time.monotonic() - since
                check(took > PONG * 0.9 / 1000, "no end before the timeout", took)
                check(not answered(pinging), "a Ping without answer as the last thing", pinging.text[-1])
                same(clients(trusting), 1, "connections at the server that does not ping")
                same((client.process.poll(), other.process.poll()), (None, None), "whether the clients ended")
                proxy.kill()
                for program in (client, other):
                    _, status, output = await ends(program, 2)
                    check(status == 1 and EOF in output, "1006 and the rule at the client", output[-300:])
    return "SIGSTOP: gone at the server %.2f s later (interval and timeout: %.1f s), not without pings" % (took, limit)


def answered(server):
    """Whether the last thing in the trace of this server is a Pong."""
    return server.text[-1].startswith("client -> server  pong")


TESTS = [test_idle_cut, test_idle_pinged, test_idle_pinging, test_killed, test_frozen]
