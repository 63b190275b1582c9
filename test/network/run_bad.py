# SPDX-License-Identifier: MIT
"""Connections over bad lines: cut, slow, stalled, dead in one or both directions.

usage: run_bad.py [--seed N] [--count N] [CLASS]...

Each class of faults is run a number of times, each at another place of the stream,
chosen by the seed, which is printed. What must hold of each: both sides end within
their timeouts and with the cause that belongs to the fault; what arrived is a correct
prefix of what was sent; and whoever else talks to the server is served meanwhile.
"""
import argparse
import asyncio
import random

import peers
from common import Failure, Probe, Report, check, main, same, serve
from cutter import PASSED_HEAD, Cutter, Fault

PER_CLASS = 20
AT_A_TIME = 90

# A request of the probe is longer than this, and so is an answer.
HEAD = 120

# Milliseconds. Faults of a lasting kind outlast them, passing ones are far below.
PING, PONG, CLOSE, STALL, IDLE = 300, 1500, 1000, 1200, 1200
PATIENCE = 8000

# However busy the machine is: what ends later hangs.
BOUND = 15000

TALK = {"handshake": PATIENCE, "ping": PING, "pong": PATIENCE, "close": PATIENCE, "stall": 10000,
        "count": 24, "expect": 24, "max": 3000}
MORTAL = {**TALK, "pong": PONG, "close": CLOSE}
QUIET = {**MORTAL, "count": 0, "expect": 0, "ping": "off"}


class Kind:
    """A class of scenarios: how to make one, and what has to come of it."""

    def __init__(self, name, what, make, client, server, client_options=None, server_options=None, check_more=None):
        self.name, self.what, self.make = name, what, make
        self.client, self.server = client, server
        self.client_options = client_options or MORTAL
        self.server_options = server_options or (TALK if client_options else MORTAL)
        self.check_more = check_more


def somewhere(rng):
    """A place in the stream after the heads and before the last of the messages."""
    return rng.randint(300, 20000)


def way(rng):
    return rng.choice(("up", "down"))


def fault_in_stream(kind, **fixed):
    def make(rng):
        return Fault(kind, trigger=way(rng), at=somewhere(rng), **fixed)
    return make


def fault_in_handshake(kind):
    def make(rng):
        return Fault(kind, trigger=way(rng), at=rng.randint(0, HEAD))
    return make


def in_close(kind, trigger, first, last, **fixed):
    """Behind so many octets of the Close, where that is all that is said."""
    return lambda rng: Fault(kind, trigger=trigger, at=PASSED_HEAD, past=rng.randint(first, last), **fixed)


def at_open(kind, direction, **fixed):
    return lambda rng: Fault(kind, way=direction, trigger="down", at=PASSED_HEAD, **fixed)


CLEAN = "NONE"
CLOSER = {**TALK, "closer": 1} # with a fault that lasts nobody closes, so that only the fault ends it
FIN_RULES, RST_RULES = ("EOF",), ("ABORT",)


def complete(ends):
    """Nothing was lost."""
    for end in ends:
        same((end["clean"], end["code"]), (1, 1000), "clean end")
        same((end["got"], end["said"]), (TALK["count"], TALK["count"]), "messages got and said")


def least_quiet(role, ms):
    """A timer must not fire before its time: so long nothing had been heard."""
    def look(ends):
        end = next(end for end in ends if end["role"] == role)
        check(end["quiet"] >= ms - 1, "%s to have heard nothing for %d ms" % (role, ms), end["quiet"])
        same(end["cause"], "local", "cause")
    return look


def least_age(role, ms):
    def look(ends):
        end = next(end for end in ends if end["role"] == role)
        check(end["ms"] >= ms - 1, "%s to last %d ms" % (role, ms), end["ms"])
        same(end["cause"], "local", "cause")
    return look


def most_age(role, ms):
    def look(ends):
        end = next(end for end in ends if end["role"] == role)
        check(end["ms"] < ms, "%s to last less than %d ms" % (role, ms), end["ms"])
    return look


def closed_clean(ends):
    """Both have said and heard 1000, whatever the line did then."""
    for end in ends:
        same((end["clean"], end["code"], end["sent"], end["received"]), (1, 1000, 1000, 1000), "clean end")


def unanswered(ends):
    """The client has said 1000, and nobody has answered."""
    client = next(end for end in ends if end["role"] == "client")
    same((client["clean"], client["code"], client["sent"], client["received"]), (0, 1006, 1000, 0), "end of the client")


def of_both(look, ms):
    def looks(ends):
        look("client", ms)(ends)
        look("server", ms)(ends)
    return looks


def status_408(ends):
    client = next(end for end in ends if end["role"] == "client")
    same((client["status"], client["open"]), (408, 0), "status")


def never_open(ends):
    client = next(end for end in ends if end["role"] == "client")
    same((client["open"], client["code"]), (0, 1006), "open and code of the client")


def going_away(ends):
    for end in ends:
        same((end["sent"], end["received"]), (1001, 0), "codes sent and received")


LOAD = {**QUIET, "count": 300, "min": 20000, "max": 30000, "stall": STALL, "sndbuf": 16384, "rcvbuf": 16384}
SINK = {**LOAD, "count": 0}
BIG = {**TALK, "count": 60, "expect": 60, "min": 20000, "max": 30000}

# Who closes says so 50 ms after the opening. A Close with a code has these octets.
CLOSING = {**QUIET, "closeafter": 50}
WAITING = {**CLOSING, "close": PATIENCE} # for an answer, however busy the line is
CLOSE_UP, CLOSE_DOWN = 8, 4
LATE = 10 # seconds

KINDS = [
    Kind("split", "cut at random", lambda rng: Fault(split=rng.choice((1, 3, 20, 500))), (CLEAN,), (CLEAN,),
         {**CLOSER, "max": 400}, {**TALK, "max": 400}, complete),
    Kind("delayed", "each piece late by up to 100 ms", lambda rng: Fault(delay=(0, 0.1)), (CLEAN,), (CLEAN,), CLOSER,
         check_more=complete),
    Kind("throttled", "30 to 300 KB/s", lambda rng: Fault(rate=rng.randint(30000, 300000), split=2000),
         (CLEAN,), (CLEAN,), CLOSER, check_more=complete),
    Kind("paused", "stalls for 0.2 to 0.7 s, in one direction or both", lambda rng: Fault(
        "pause", way=rng.choice(("up", "down", "both")), trigger=way(rng), at=somewhere(rng),
        seconds=rng.uniform(0.2, 0.7)), (CLEAN,), (CLEAN,), CLOSER, check_more=complete),
    Kind("fin", "ends without a Close", fault_in_stream("fin"), FIN_RULES, FIN_RULES),
    Kind("fin_in_handshake", "ends within the heads", fault_in_handshake("fin"), FIN_RULES, FIN_RULES,
         check_more=never_open),
    Kind("rst", "resets both sides", fault_in_stream("rst"), RST_RULES, RST_RULES),
    Kind("rst_in_handshake", "resets within the heads", fault_in_handshake("rst"), RST_RULES, RST_RULES,
         check_more=never_open),
    Kind("half_to_server", "half-closes towards the server", fault_in_stream("half", way="up"), FIN_RULES, FIN_RULES),
    Kind("half_to_client", "half-closes towards the client", fault_in_stream("half", way="down"), FIN_RULES, FIN_RULES),
    Kind("dead_up", "swallows what the client sends", fault_in_stream("drop", way="up"), FIN_RULES, ("PONG_TIMEOUT",),
         check_more=least_quiet("server", PONG)),
    Kind("dead_down", "swallows what the server sends", fault_in_stream("drop", way="down"), ("PONG_TIMEOUT",), FIN_RULES,
         check_more=least_quiet("client", PONG)),
    Kind("dead", "swallows everything, FIN too", fault_in_stream("drop", way="both"), ("PONG_TIMEOUT",), ("PONG_TIMEOUT",),
         check_more=of_both(least_quiet, PONG)),
    Kind("dead_idle", "swallows everything, with idle timeouts for pings", fault_in_stream("drop", way="both"),
         ("IDLE_TIMEOUT",), ("IDLE_TIMEOUT",), {**MORTAL, "ping": "off", "idle": IDLE},
         {**MORTAL, "ping": "off", "idle": IDLE}, lambda ends: (of_both(least_quiet, IDLE)(ends), going_away(ends))),
    Kind("stall_down", "takes nothing from the server for 3 s", at_open("pause", "down", seconds=3, small=True),
         FIN_RULES, ("STALL_TIMEOUT",), SINK, LOAD, least_age("server", STALL)),
    Kind("stall_up", "takes nothing from the client for 3 s", at_open("pause", "up", seconds=3, small=True),
         ("STALL_TIMEOUT",), FIN_RULES, LOAD, SINK, least_age("client", STALL)),
    Kind("close_unanswered", "swallows the server's Close", at_open("drop", "down"), ("CLOSE_TIMEOUT",), (CLEAN,),
         CLOSING, QUIET, least_age("client", CLOSE + 50)),
    Kind("close_lost", "swallows the client's Close", at_open("drop", "up"), ("CLOSE_TIMEOUT",), ("IDLE_TIMEOUT",),
         CLOSING, {**QUIET, "idle": 4000}, least_age("client", CLOSE + 50)),
    Kind("close_after_rest", "a good line at rest for 2 s, longer than the wait for a Close", lambda rng: Fault(),
         (CLEAN,), (CLEAN,), {**QUIET, "closeafter": 2000}, QUIET, lambda ends: least_age("client", 2000)(ends)),
    Kind("big_half_to_server", "half-closes towards the server within messages of 20 to 30 KB, both ways",
         lambda rng: Fault("half", way="up", trigger=way(rng), at=rng.randint(30000, 400000)), FIN_RULES, FIN_RULES, BIG, BIG),
    Kind("big_half_to_client", "the same towards the client",
         lambda rng: Fault("half", way="down", trigger=way(rng), at=rng.randint(30000, 400000)), FIN_RULES, FIN_RULES, BIG, BIG),
    Kind("big_rst", "resets both sides within such messages",
         lambda rng: Fault("rst", trigger=way(rng), at=rng.randint(30000, 400000)), RST_RULES, RST_RULES, BIG, BIG),
    Kind("close_half", "half-closes towards the server within the client's Close",
         in_close("half", "up", 1, CLOSE_UP - 1, way="up"), FIN_RULES, FIN_RULES, WAITING, QUIET, unanswered),
    Kind("close_rst", "resets both sides within the client's Close", in_close("rst", "up", 1, CLOSE_UP - 1),
         RST_RULES, RST_RULES, WAITING, QUIET, unanswered),
    Kind("close_answer_rst", "resets both sides within the server's Close",
         in_close("rst", "down", 1, CLOSE_DOWN - 1), RST_RULES, (CLEAN,), WAITING, QUIET, unanswered),
    Kind("closed_half", "half-closes towards the server behind the client's Close",
         in_close("half", "up", CLOSE_UP, CLOSE_UP, way="up"), (CLEAN,), (CLEAN,), WAITING, QUIET, closed_clean),
    Kind("closed_rst", "resets both sides behind the Close of both", in_close("rst", "down", CLOSE_DOWN, CLOSE_DOWN),
         (CLEAN,), (CLEAN,), WAITING, QUIET, closed_clean),
    Kind("fin_late", "keeps the server's FIN back, for longer than the client waits for it",
         in_close("pause", "down", CLOSE_DOWN, CLOSE_DOWN, way="down", seconds=LATE), (CLEAN,), (CLEAN,), CLOSING, QUIET,
         lambda ends: (closed_clean(ends), least_age("client", CLOSE + 50)(ends), most_age("client", LATE * 1000)(ends))),
    Kind("handshake_paused", "stalls for 0.2 to 0.7 s within the heads, in both directions",
         lambda rng: Fault("pause", way="both", trigger=way(rng), at=rng.randint(0, HEAD), seconds=rng.uniform(0.2, 0.7)),
         (CLEAN,), (CLEAN,), CLOSER, check_more=complete),
    Kind("handshake_stalled", "stalls for 3 s within the request, in both directions",
         lambda rng: Fault("pause", way="both", trigger="up", at=rng.randint(0, HEAD), seconds=3),
         ("HANDSHAKE_TIMEOUT",), ("HANDSHAKE_TIMEOUT",), {**MORTAL, "handshake": 700}, {**MORTAL, "handshake": 700},
         lambda ends: (of_both(least_age, 700)(ends), never_open(ends))),
    Kind("request_lost", "swallows the request from some octet on",
         lambda rng: Fault("drop", way="up", trigger="up", at=rng.randint(0, HEAD)),
         ("HANDSHAKE_TIMEOUT",), ("HANDSHAKE_TIMEOUT",), {**TALK, "handshake": 700}, {**TALK, "handshake": 2500},
         lambda ends: (of_both(least_age, 700)(ends), never_open(ends))),
    Kind("answer_lost", "swallows the answer from some octet on",
         lambda rng: Fault("drop", way="down", trigger="down", at=rng.randint(0, HEAD)),
         ("HANDSHAKE_TIMEOUT",), FIN_RULES, {**TALK, "handshake": 700}, TALK,
         lambda ends: (least_age("client", 700)(ends), never_open(ends))),
    Kind("request_dripped", "an octet of the request each 30 ms", lambda rng: Fault(drip=0.03, trigger="up"),
         ("STATUS",), ("HANDSHAKE_TIMEOUT",), {**TALK, "handshake": 10000}, {**TALK, "handshake": 700},
         lambda ends: (least_age("server", 700)(ends), status_408(ends))),
    Kind("answer_dripped", "an octet of the answer each 30 ms", lambda rng: Fault(drip=0.03, trigger="down"),
         ("HANDSHAKE_TIMEOUT",), FIN_RULES + RST_RULES, {**TALK, "handshake": 700}, TALK,
         lambda ends: (least_age("client", 700)(ends), never_open(ends))),
]

# The same lines in front of echo_server: what the client has to say of each.
ECHO_TALK = {**MORTAL, "echoed": 1}
ECHO_KINDS = [
    ("fin", fault_in_stream("fin"), "EOF"), ("rst", fault_in_stream("rst"), "ABORT"),
    ("half_to_server", fault_in_stream("half", way="up"), "EOF"),
    ("half_to_client", fault_in_stream("half", way="down"), "EOF"),
    ("dead_up", fault_in_stream("drop", way="up"), "EOF"),
    ("dead_down", fault_in_stream("drop", way="down"), "PONG_TIMEOUT"),
    ("dead", fault_in_stream("drop", way="both"), "PONG_TIMEOUT"),
    ("fin_in_handshake", fault_in_handshake("fin"), "EOF"), ("rst_in_handshake", fault_in_handshake("rst"), "ABORT"),
    ("split", lambda rng: Fault(split=20), "NONE"), ("delayed", lambda rng: Fault(delay=(0, 0.05)), "NONE"),
]


class Bench:
    def __init__(self, clients, servers, echo_port, seed):
        self.clients, self.servers, self.echo_port, self.seed = clients, servers, echo_port, seed
        self.room = asyncio.Semaphore(AT_A_TIME)


def check_prefix(receiver, sender):
    """What was delivered is a prefix of what was sent; whole messages, and a piece of the next."""
    same(receiver["bad"], 0, "wrong octets")
    check(receiver["got"] <= sender["said"], "no more messages than the %d sent" % sender["said"], receiver["got"])


async def scenario(bench, kind, number):
    """One connection. Raises Failure."""
    name = "%s.%d" % (kind.name, number)
    rng = random.Random("%d %s" % (bench.seed, name))
    port = await bench.servers.listen(name, once=1, **kind.server_options)
    async with Cutter(kind.make(rng), port, rng.random()) as line:
        bench.clients.connect(name, line.listens_on, **kind.client_options)
        client = await bench.clients.end(name, "client", BOUND / 1000)
        server = await bench.servers.end(name, "server", BOUND / 1000)
    check(client["rule"] in kind.client, "the client's rule %s" % (kind.client,), client)
    check(server["rule"] in kind.server, "the server's rule %s" % (kind.server,), server)
    check_prefix(client, server)
    check_prefix(server, client)
    if kind.check_more:
        kind.check_more((client, server))


async def echo_scenario(bench, kind, number):
    what, make, rule = ECHO_KINDS[number % len(ECHO_KINDS)]
    name = "echo.%s.%d" % (what, number)
    rng = random.Random("%d %s" % (bench.seed, name))
    async with Cutter(make(rng), bench.echo_port, rng.random()) as line:
        bench.clients.connect(name, line.listens_on, **ECHO_TALK if rule != "NONE" else {**TALK, "echoed": 1, "closer": 1})
        client = await bench.clients.end(name, "client", BOUND / 1000)
    same((client["rule"], client["bad"]), (rule, 0), "rule and wrong octets of %s" % what)
    check(client["got"] <= client["said"], "no more echoes than the %d messages" % client["said"], client["got"])
    if rule == "NONE":
        same((client["clean"], client["got"]), (1, ECHO_TALK["count"]), "clean end and messages")


async def attempt(bench, run, kind, number):
    async with bench.room:
        try:
            await run(bench, kind, number)
            return None
        except (Failure, OSError) as problem:
            return "%s.%d: %s" % (kind.name, number, problem)


async def witness(port, stop):
    """Somebody on a good line, who talks all the while: how often it was echoed."""
    count = 0
    ws = await peers.connect(port, "witness")
    while not stop.is_set():
        await ws.send("are you there %d" % count)
        same(await asyncio.wait_for(ws.recv(), 10), "are you there %d" % count, "echo")
        count += 1
        await asyncio.sleep(0.05)  # not to wait for something: only to leave the machine to the others
    await ws.close(1000)
    same(ws.close_code, 1000, "close code")
    return count


async def run_all(bench, report, kinds, count):
    stop = asyncio.Event()
    other = asyncio.create_task(witness(bench.echo_port, stop))
    jobs = [(kind, scenario, count) for kind in kinds]
    echo_kind = Kind("echo_server", "all of these in front of echo_server", None, (), ())
    jobs.append((echo_kind, echo_scenario, 6 * len(ECHO_KINDS) if count == PER_CLASS else count))
    works = [[attempt(bench, run, kind, i) for i in range(n)] for kind, run, n in jobs]
    # By turns, so that those at work at one time are of many kinds.
    results = await asyncio.gather(*(asyncio.gather(*each) for each in works))
    for (kind, _, n), problems in zip(jobs, results):
        bad = [problem for problem in problems if problem]
        if bad:
            report.fail(kind.name, "%d of %d; the first: %s (again with --seed %d)" % (len(bad), n, bad[0], bench.seed))
        else:
            ends = "; client %s, server %s" % ("/".join(kind.client), "/".join(kind.server)) if kind.client else ""
            report.ok(kind.name, "%d connections: %s%s" % (n, kind.what, ends))
    stop.set()
    try:
        report.ok("witness", "another client was echoed %d times meanwhile" % await other)
    except Exception as problem:  # whatever it is: it was not served
        report.fail("witness", "%s: %s" % (type(problem).__name__, problem))


async def stop_all(report, programs):
    """They must end with 0, and the probes with nothing left open: so leaks show."""
    try:
        for program in programs:
            await (program.stop() if isinstance(program, Probe) else program.terminate("echo_server"))
        report.ok("ends", "echo_server and the probes end with 0, and nothing is left open")
    except Failure as problem:
        report.fail("ends", problem)


async def run_script():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--count", type=int, default=PER_CLASS)
    parser.add_argument("classes", nargs="*")
    options = parser.parse_args()
    peers.be_quiet(asyncio.get_running_loop())
    kinds = [kind for kind in KINDS if not options.classes or kind.name in options.classes]
    report = Report()
    print("bad lines: seed %d" % options.seed, flush=True)
    clients, servers = await Probe.launch(), await Probe.launch()
    echo, echo_port = await serve("examples/echo_server", "--ping-interval", str(PING), "--pong-timeout", str(PONG))
    try:
        await run_all(Bench(clients, servers, echo_port, options.seed), report, kinds, options.count)
        await stop_all(report, (echo, clients, servers))
    finally:
        for program in (echo, clients, servers):
            await program.kill()
    report.end()


if __name__ == "__main__":
    main(run_script())
