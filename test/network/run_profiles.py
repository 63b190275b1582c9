# SPDX-License-Identifier: MIT
"""Runs every profile of profiles.py, with tenon as client and as server.

usage: run_profiles.py [NAME]...

As the client: echo_client and the probe, through the intermediary, to the websockets
library. As the server: the libraries websockets and ws, through it, to echo_server, or
to the probe where the cause at the server is asked for. Writes profiles.md.
"""
import asyncio
import sys

import documents
import peers
from common import BUILD, Failure, Probe, Report, check, main, run, same, serve, within
from intermediary import Intermediary
from profiles import PROFILES, THROUGH, Ended, Refused

WORKING = 3  # profiles at work at a time; those that wait are besides
HELD = 2.2   # an idle connection with pings is looked at for so many cut-offs

# The probe's client, which speaks first and expects it back.
TALK = {"count": 50, "expect": 50, "max": 4000, "echoed": 1, "closer": 1}
PONG_MS = 500


def ms(seconds):
    return int(seconds * 1000)


def outcome(expected):
    if isinstance(expected, Ended):
        return "%s (%s)" % (expected.rule, expected.section)
    if isinstance(expected, Refused):
        return "status %s%s" % (" or ".join(map(str, expected.status)), ", " + expected.rule if expected.rule else "")
    return expected


class Bench:
    """What all profiles share."""

    def __init__(self, origin, probe, echo_port, pinging_port):
        self.origin, self.probe = origin, probe
        self.echo_port, self.pinging_port = echo_port, pinging_port
        self.working = asyncio.Semaphore(WORKING)


# ------------------------------------------------------------ tenon, client

def check_words(profile, status, output):
    """What echo_client told a person about the end."""
    expected = profile.client
    if expected == THROUGH:
        check(status == 0 and "closed cleanly: %d" % peers.CODE in output and peers.WORDS in output,
              "echo_client to end with 0 and closed cleanly: %d" % peers.CODE, (status, output))
        return
    section = "(RFC 6455, 4.1," if isinstance(expected, Refused) else "(%s," % expected.section
    check(status == 1 and section in output, "echo_client to end with 1 and to name %s" % section, (status, output[-400:]))
    if isinstance(expected, Refused):
        check(any("the server answered with status %d" % each in output for each in expected.status),
              "echo_client to tell the status %s" % (expected.status,), output)


def check_end(expected, end):
    """How a connection of the probe ended, as a client."""
    if expected == THROUGH:
        same((end["rule"], end["clean"], end["code"], end["bad"]), ("NONE", 1, 1000, 0), "end")
        same(end["got"], TALK["expect"], "messages back")
    elif isinstance(expected, Refused):
        same((end["rule"], end["section"], end["open"]), ("STATUS", "RFC 6455, 4.1", 0), "end")
        check(end["status"] in expected.status, "status %s" % (expected.status,), end["status"])
    else:
        same((end["rule"], end["section"], end["code"], end["bad"]), expected + (0,), "rule, section, code and wrong octets")


def check_refusal(profile, end):
    """What the program can know of a refusal beside its status."""
    if profile.answer is not None:
        head, _, body = profile.answer.partition(b"\r\n\r\n")
        same(end["body"], len(body), "octets of the body")
        if b"Retry-After: " in head:
            same(str(end["retry"]), head.split(b"Retry-After: ")[1].split(b"\r\n")[0].decode(), "Retry-After")


async def by_echo_client(bench, profile, edge):
    name = "set." + profile.name
    status, output = await run("examples/echo_client", "ws://127.0.0.1:%d/%s" % (edge.port, name))
    check_words(profile, status, output)
    if profile.client == THROUGH:
        same(await within(bench.origin.outcomes[profile.name], "an outcome at the server"), "done", "outcome at the server")


async def by_probe(bench, profile, edge):
    name = "echo." + profile.name
    bench.probe.connect(name, edge.port, **TALK, **profile.offers)
    end = await bench.probe.end(name, "client")
    check_end(profile.client, end)
    same(end["protocol"], profile.protocol, "subprotocol")
    check_refusal(profile, end)
    if profile.ends_within:
        check(end["ms"] <= ms(profile.ends_within), "an end within %g s" % profile.ends_within, "%d ms" % end["ms"])


async def as_client(bench, profile):
    async with Intermediary(profile, bench.origin.port) as edge:
        ways = []
        if not profile.offers and not profile.is_eager:
            ways.append(by_echo_client(bench, profile, edge))
        if not profile.glues_answer:
            ways.append(by_probe(bench, profile, edge))
        await asyncio.gather(*ways)
        check(edge.happened > 0, "the intermediary to do what it is for", "nothing")


async def idle_as_client(bench, profile):
    """Without pings the cut-off ends it, and by name; with pings it does not come to that."""
    silent = profile.idle_end == "silent"
    hold, held = "hold." + profile.name, "held." + profile.name
    async with Intermediary(profile, bench.origin.port) as edge, Intermediary(profile, bench.origin.port) as busy:
        bench.probe.connect(held, busy.port, ping=ms(profile.idle / 4), closeafter=ms(profile.idle * HELD))
        options = {"ping": ms(profile.idle * 1.6), "pong": PONG_MS} if silent else {}
        bench.probe.connect(hold, edge.port, **options)
        if not silent:
            status, output = await run("examples/echo_client", "ws://127.0.0.1:%d/%s" % (edge.port, hold))
            check_words(profile, status, output)
        end = await bench.probe.end(hold, "client")
        check_end(profile.client, end)
        check(end["ms"] >= ms(profile.idle) * 0.9, "an end after %d ms" % ms(profile.idle), end["ms"])
        check(edge.happened > 0, "the intermediary to end what is idle", "nothing")
        end = await bench.probe.end(held, "client")
        same((end["rule"], end["clean"], end["code"]), ("NONE", 1, 1000), "end with pings")
        same(busy.happened, 0, "cuts with pings")


# ------------------------------------------------------------ tenon, server

async def as_server(bench, profile):
    if profile.server == THROUGH:
        async with Intermediary(profile, bench.echo_port) as edge:
            await peers.set_as_client(edge.port, profile.name)
            check(edge.happened > 0, "the intermediary to do what it is for", "nothing")
        return
    port = await bench.probe.listen(profile.name, once=1, echo=1)
    async with Intermediary(profile, port) as edge:
        if isinstance(profile.server, Refused):
            status = await within(peers.refused_as_client(edge.port, profile.name), "a refusal")
            check(status in profile.server.status, "status %s" % (profile.server.status,), status)
            rule = profile.server.rule
        else:
            code = await within(peers.ended_as_client(edge.port, profile.name), "an end")
            same(code, profile.server.code, "close code at the client")
            rule = profile.server.rule
        end = await bench.probe.end(profile.name, "server")
        same(end["rule"], rule, "rule at the server")
        if isinstance(profile.server, Ended):
            same((end["section"], end["code"]), profile.server[1:], "section and code at the server")
        check(edge.happened > 0, "the intermediary to do what it is for", "nothing")


async def idle_as_server(bench, profile):
    silent = profile.idle_end == "silent"
    options = {"ping": ms(profile.idle * 1.6), "pong": PONG_MS} if silent else {}
    port = await bench.probe.listen(profile.name, once=1, echo=1, **options)
    async with Intermediary(profile, port) as edge, Intermediary(profile, bench.pinging_port) as busy:
        held = asyncio.create_task(peers.held_as_client(busy.port, profile.name, profile.idle * HELD))
        if silent:
            ws = await peers.connect(edge.port, profile.name)
            end = await bench.probe.end(profile.name, "server")
            ws.transport.abort()
        else:
            same(await peers.idle_as_client(edge.port, profile.name, profile.idle), 1006, "close code at the client")
            end = await bench.probe.end(profile.name, "server")
        same((end["rule"], end["section"], end["code"]), profile.server, "end at the server")
        check(edge.happened > 0, "the intermediary to end what is idle", "nothing")
        await within(held, "an end of the connection with pings", profile.idle * HELD + 30)
        same(busy.happened, 0, "cuts with pings")


async def by_ws(bench, which):
    """All that come through, by the package ws: the problem of each, or None."""
    edges = {profile.name: await Intermediary(profile, bench.echo_port).__aenter__() for profile in which}
    try:
        arguments = ["%s=ws://127.0.0.1:%d/%s" % (name, edge.port, name) for name, edge in edges.items()]
        _, output = await run("/usr/bin/env", "node", sys.path[0] + "/ws_client.js",
                              BUILD / "npm" / "node_modules" / "ws", *arguments, seconds=100)
        lines = output.split("\n")
        problems = {}
        for name, edge in edges.items():
            bad = [line for line in lines if line.startswith("FAIL %s " % name)]
            if "OK " + name not in lines or edge.happened == 0:
                problems[name] = "ws: " + (bad[0] if bad else output[-300:])
        return problems
    finally:
        for edge in edges.values():
            await edge.__aexit__()


# --------------------------------------------------------------- the run

async def attempt(work, what):
    """None, or what went wrong."""
    try:
        await work
        return None
    except (Failure, OSError, asyncio.TimeoutError) as problem:
        return "%s: %s" % (what, str(problem) or type(problem).__name__)
    except Exception as problem:  # of a library: it counts as well
        return "%s: %s: %s" % (what, type(problem).__name__, problem)


async def both(bench, profile):
    is_idle = profile.idle > 0
    works = []
    if profile.client is not None:
        works.append(attempt((idle_as_client if is_idle else as_client)(bench, profile), "as client"))
    if profile.server is not None:
        works.append(attempt((idle_as_server if is_idle else as_server)(bench, profile), "as server"))
    return "; ".join(problem for problem in await asyncio.gather(*works) if problem)


async def one(bench, profile):
    if profile.slow:
        return profile, await both(bench, profile)
    async with bench.working:
        return profile, await both(bench, profile)


def describe(profile):
    parts = [profile.stands]
    with_pings = "; with pings it stays open" if profile.idle else ""
    parts += ["%s: %s%s" % (side, outcome(expected), with_pings)
              for side, expected in (("client", profile.client), ("server", profile.server)) if expected]
    return "; ".join(parts + [", ".join(documents.networks(profile.documents))]).rstrip("; ")


# ------------------------------------------------------------ the tables

def cell(text):
    return text.replace("|", "\\|")


def row(*cells):
    return "| %s |" % " | ".join(map(cell, cells))


def link(document):
    return "[%s](%s)" % (document.title, document.address)


def network_rows(results):
    """What is known of each network, and how it went."""
    for network in documents.NETWORKS:
        keys = [key for key, document in documents.DOCUMENTS.items() if document.network == network]
        if not keys:
            yield row(network, documents.lack(network), "-", "-")
            continue
        mine = [(profile, problem) for profile, problem in results if set(keys) & set(profile.documents)]
        bad = [profile.name for profile, problem in mine if problem]
        yield row(network, "; ".join("%s: %s" % (link(documents.DOCUMENTS[key]), documents.DOCUMENTS[key].says)
                                     for key in keys),
                  ", ".join(profile.name for profile, _ in mine),
                  "not as expected: " + ", ".join(bad) if bad else "as expected")


def profile_rows(results):
    for profile, problem in results:
        yield row(profile.name, profile.stands, ", ".join(documents.networks(profile.documents)) or "-",
                  outcome(profile.client) if profile.client else "-", outcome(profile.server) if profile.server else "-",
                  "not as expected" if problem else "as expected")


def write_table(results):
    lines = ["| network | public documents, and what they say | profiles | result |", "|---|---|---|---|",
             *network_rows(results), "",
             "<details><summary>All %d profiles</summary>" % len(results), "",
             "| profile | what the intermediary does | documented for | tenon as client | tenon as server | result |",
             "|---|---|---|---|---|---|", *profile_rows(results), "", "</details>"]
    (BUILD / "network" / "profiles.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


async def witness(port):
    """Whoever else is served meanwhile."""
    await peers.set_as_client(port, "witness")


async def run_all(wanted):
    report = Report()
    peers.be_quiet(asyncio.get_running_loop())
    chosen = [profile for profile in PROFILES if not wanted or profile.name in wanted]
    echo, echo_port = await serve("examples/echo_server")
    pinging, pinging_port = await serve("examples/echo_server", "--ping-interval", "100")
    probe = await Probe.launch()
    try:
        async with peers.Origin() as origin:
            bench = Bench(origin, probe, echo_port, pinging_port)
            by_server = [each for each in chosen if each.server == THROUGH and not each.slow]
            *results, problems = await asyncio.gather(*(one(bench, each) for each in chosen), by_ws(bench, by_server))
        results = [(each, "; ".join(filter(None, (problem, problems.get(each.name))))) for each, problem in results]
        for each, problem in results:
            report.fail(each.name, problem) if problem else report.ok(each.name, describe(each))
        if not wanted:
            write_table(results)
        problem = "; ".join(filter(None, [
            await attempt(witness(echo_port), "another client"), await attempt(echo.terminate("echo_server"), "the end"),
            await attempt(pinging.terminate("echo_server"), "the end"), await attempt(probe.stop(), "the probe")]))
        report.fail("servers_after_profiles", problem) if problem else report.ok(
            "servers_after_profiles", "echo_server serves another client, and ends with 0 on SIGTERM")
    finally:
        for program in (echo, pinging, probe):
            await program.kill()
    report.end()


if __name__ == "__main__":
    main(run_all(sys.argv[1:]))
