# SPDX-License-Identifier: MIT
"""The chat through intermediaries that refuse, cut and forget: it falls back, tries
again, and each line is said once.

usage: run_chat.py
"""
import asyncio
import re

import peers
from common import Failure, Program, Report, check, main, same, serve
from intermediary import Intermediary
from profiles import SCALE, Profile, answered, CLOSE

LINES = ["line %d €" % i for i in range(1, 21)]
QUICK = ("--retry-first", "20", "--retry-base", "20", "--retry-cap", "100", "--retries", "20")

PLAIN = Profile("plain", "")
BUSY = Profile("busy", "", answer=answered(b"503 Service Unavailable", b"Retry-After: 1", CLOSE))
FIREWALL = Profile("firewall", "", answer=answered(b"403 Forbidden", CLOSE, framing="chunked"))


async def client(port, name, *more):
    return await Program.start("examples/chat_client", "--name", name, *more, "ws://127.0.0.1:%d/chat" % port)


async def watcher(port):
    """Someone who is there directly, and sees what is said."""
    who = await client(port, "watcher")
    await who.found("open")
    return who


async def check_said(who, name):
    """Each line once, and in order, as another member sees it."""
    pattern = re.compile(re.escape(name) + ": (.*)")

    def said():
        return [m.group(1) for m in map(pattern.fullmatch, who.lines) if m]
    await who.until(lambda: len(said()) >= len(LINES), "%d lines of %s" % (len(LINES), name))
    same(said(), LINES, "lines said")


async def say_all(talker, rounds):
    """Says the lines in as many parts as connections will open, each when one is open."""
    part = len(LINES) // rounds
    for i in range(rounds):
        await talker.until(lambda: talker.lines.count("open") > i, "connection %d" % (i + 1))
        for line in LINES[i * part:(i + 1) * part]:
            talker.say(line)


async def talk_through(port, name, profiles, rounds, *seen):
    """Says the lines through the profiles, one a connection, and looks for what must be printed."""
    who = await watcher(port)
    async with Intermediary(profiles, port) as edge:
        talker = await client(edge.port, name, *QUICK)
        try:
            await say_all(talker, rounds)
            talker.finish()
            status, output = await talker.wait()
            check(status == 0, "chat_client to exit with 0", (status, output))
            await check_said(who, name)
            for pattern, count in seen:
                same(len(re.findall(pattern, output, re.M)), count, "how often it printed %s" % pattern)
            same(edge.count, len(profiles), "connections")
        finally:
            await talker.kill()
            who.finish()
            await who.wait()


async def refused(port):
    await talk_through(port, "refused", [BUSY, FIREWALL, BUSY, PLAIN], 1,
                       ("^refused: 503$", 2), ("^refused: 403$", 1), (r"^retry in \d+ ms$", 3), ("^open$", 1))
    return "503, 403 and 503 first; each is told, and then all is said once"


async def cut(port, how, words):
    """Cut after so many octets towards the client: in the handshake's wake, in the middle
    of the welcome, between acknowledgements."""
    cuts = [Profile("cut", "", end=how, end_after=octets) for octets in (3, 40, 100, 150)]
    await talk_through(port, "cut-" + how, [*cuts, PLAIN], 5, ("^open$", 5),
                       (r"^closed: 1006, .*%s \(RFC 6455, 7\.1\.5\)$" % words, 4), (r"^retry in \d+ ms$", 4))
    return "four connections ended without a Close; each end is named, and all is said once"


async def cut_fin(port):
    return await cut(port, "fin", "the stream ended without a Close frame")


async def cut_rst(port):
    return await cut(port, "rst", "the transport was lost or given up")


async def idle(port):
    """Cut off when idle for 100 s, scaled. With pings the connection stays; without, it is made again."""
    seconds = 100 / SCALE
    profile = Profile("idle", "", idle=seconds)
    async with Intermediary(profile, port) as busy, Intermediary(profile, port) as quiet:
        pinging = await client(busy.port, "pinging", *QUICK, "--ping-interval", str(int(seconds * 250)))
        still = await client(quiet.port, "still", *QUICK)
        try:
            await pinging.found("open")
            await still.until(lambda: still.lines.count("open") >= 2, "a second connection")
            await still.found(r"closed: 1006, .*the stream ended without a Close frame \(RFC 6455, 7\.1\.5\)")
            same(pinging.lines.count("open"), 1, "connections of the one that pings")
            for program in (pinging, still):
                program.say("here")
                program.finish()
                status, output = await program.wait()
                check(status == 0, "chat_client to exit with 0", (status, output))
            same((busy.happened, quiet.happened > 0), (0, True), "cut-offs with pings, and some without")
        finally:
            await pinging.kill()
            await still.kill()
    return "idle for 100 s, here %.1f s: with pings it stays open, without it connects again" % seconds


TESTS = {"chat_refused": refused, "chat_cut_fin": cut_fin, "chat_cut_rst": cut_rst, "chat_idle": idle}


async def attempt(report, name, test, port):
    try:
        report.ok(name, await test(port))
    except (Failure, OSError) as problem:
        report.fail(name, problem)


async def run_all():
    report = Report()
    peers.be_quiet(asyncio.get_running_loop())
    server, port = await serve("examples/chat_server", "--ping-interval", "60000", "--lines-per-second", "1000")
    try:
        await asyncio.gather(*(attempt(report, name, test, port) for name, test in TESTS.items()))
        try:
            await server.terminate("chat_server")
            report.ok("chat_server_after", "ends with 0 on SIGTERM")
        except Failure as problem:
            report.fail("chat_server_after", problem)
    finally:
        await server.kill()
    report.end()


if __name__ == "__main__":
    main(run_all())
