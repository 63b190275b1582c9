# SPDX-License-Identifier: MIT
"""Bad networks made by the kernel: two namespaces, a cable between them, and what the
queueing disciplines that are here can do to it.

usage: run_kernel.py

Needs root and iproute2. A bottleneck with a short queue loses packets, a queue of
nothing loses all of them, one way or both; TCP has to deal with it, and tenon with
what TCP makes of it. netem (delay, random loss, reordering) is used where the kernel
has it; else the cutter of run_bad.py stands in for it, and a note says so.
"""
import asyncio
import os
import re
import shutil
import subprocess

from common import Failure, Probe, Report, check, main, same

CONNECTIONS = 8
ADDRESSES = ("10.201.7.1", "10.201.7.2")
SHORT_QUEUE = "tbf rate 3mbit burst 3000 limit 4500"
LONG_QUEUE = "tbf rate 1mbit burst 3000 limit 60000"
NOTHING = "pfifo limit 0"
EMULATED = "netem delay 40ms 20ms loss 3% reorder 20% rate 5mbit"

# Milliseconds. TCP takes its time after a loss: what is to survive waits longer.
TALK = {"handshake": 8000, "ping": 300, "pong": 6000, "close": 6000, "stall": 10000, "count": 24, "expect": 24,
        "max": 3000, "pace": 30}
MORTAL = {**TALK, "pong": 1500, "count": 1000, "expect": 1000}


def tool(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


IP, TC = tool("ip"), tool("tc")


def call(*words):
    """Runs a command of iproute2; its output, or a Failure."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=10,
                          check=False, text=True)
    check(done.returncode == 0, "%s to work" % " ".join(words), done.stdout)
    return done.stdout


class Cable:
    """Two namespaces, of the server and of the client, and a cable."""

    def __init__(self, name):
        self.ends = ["tenon-%d-%s-%s" % (os.getpid(), name, side) for side in ("server", "client")]

    def __enter__(self):
        try:
            for end in self.ends:
                call(IP, "netns", "add", end)
            call(IP, "link", "add", "cable", "netns", self.ends[0], "type", "veth", "peer", "name", "cable", "netns",
                 self.ends[1])
            for end, address in zip(self.ends, ADDRESSES):
                call(IP, "-n", end, "addr", "add", address + "/30", "dev", "cable")
                call(IP, "-n", end, "link", "set", "cable", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for end in self.ends:
            subprocess.run([IP, "netns", "del", end], stderr=subprocess.DEVNULL, check=False, timeout=10)

    def discipline(self, end, words):
        """What happens to the packets that leave this end."""
        call(IP, "netns", "exec", self.ends[end], TC, "qdisc", "replace", "dev", "cable", "root", *words.split())

    def free(self, end):
        call(IP, "netns", "exec", self.ends[end], TC, "qdisc", "del", "dev", "cable", "root")

    def lost(self, end):
        """How many packets its queue has dropped."""
        text = call(IP, "netns", "exec", self.ends[end], TC, "-s", "qdisc", "show", "dev", "cable")
        return sum(map(int, re.findall(r"dropped (\d+)", text)))

    def sent(self, end):
        text = call(IP, "-n", self.ends[end], "-s", "link", "show", "cable")
        return int(re.search(r"TX:.*\n\s+\d+\s+(\d+)", text).group(1))

    def set(self, *words):
        for end in self.ends:
            call(IP, "-n", end, "link", "set", "cable", *words)


class Scene:
    """A cable, probes at its ends and connections over it."""

    def __init__(self, name, options):
        self.name, self.options = name, options
        self.cable = Cable(name.replace("_", "-"))
        self.names = ["%s.%d" % (name, i) for i in range(CONNECTIONS)]

    async def __aenter__(self):
        self.cable.__enter__()
        self.servers = await Probe.launch(IP, "netns", "exec", self.cable.ends[0])
        self.clients = await Probe.launch(IP, "netns", "exec", self.cable.ends[1])
        return self

    async def __aexit__(self, *_):
        await self.servers.kill()
        await self.clients.kill()
        self.cable.__exit__()

    async def connect(self, **more):
        port = await self.servers.listen("scene", ADDRESSES[0], **self.options)
        for name in self.names:
            self.clients.connect(name, port, ADDRESSES[0], **{**self.options, **more})

    async def opened(self):
        """All are open, and talk."""
        for name in self.names:
            await self.servers.found("open %s$" % re.escape(name))

    async def ends(self):
        """How all have ended: pairs of client and server."""
        pairs = [(await self.clients.end(name, "client"), await self.servers.end(name, "server")) for name in self.names]
        for client, server in pairs:
            same((client["bad"], server["bad"]), (0, 0), "wrong octets")
            check(client["got"] <= server["said"] and server["got"] <= client["said"], "a prefix", (client, server))
        await self.clients.stop()
        await self.servers.stop()
        return pairs


async def check_complete(scene):
    for client, server in await scene.ends():
        for end in (client, server):
            same((end["rule"], end["clean"], end["code"]), ("NONE", 1, 1000), "end")
            same((end["got"], end["said"]), (TALK["count"], TALK["count"]), "messages got and said")


async def check_rules(scene, client_rules, server_rules):
    for client, server in await scene.ends():
        for end, rules in ((client, client_rules), (server, server_rules)):
            check(end["rule"] in rules, "the rule of the %s %s" % (end["role"], rules), end)
            if end["rule"] == "PONG_TIMEOUT":
                check(end["quiet"] >= MORTAL["pong"] - 1, "nothing heard for %d ms" % MORTAL["pong"], end["quiet"])


async def through(name, words, seen=None):
    """A discipline at both ends from the beginning on."""
    async with Scene(name, TALK) as scene:
        for end in (0, 1):
            scene.cable.discipline(end, words)
        await scene.connect(closer=1)
        await check_complete(scene)
        return (seen or (lambda cable: ""))(scene.cable)


async def bottleneck():
    def losses(cable):
        count = cable.lost(0) + cable.lost(1)
        check(count > 0, "the queues to lose packets", count)
        return count
    count = await through("bottleneck", SHORT_QUEUE, losses)
    return "3 Mbit/s and a short queue, %d packets lost; all comes through" % count


async def long_queue():
    await through("long_queue", LONG_QUEUE)
    return "1 Mbit/s and a queue of half a second; all comes through"


async def emulated():
    await through("emulated", EMULATED)
    return "netem: 20 to 60 ms late, 3 % lost, reordered; all comes through"


async def small_packets():
    async with Scene("small_packets", {**TALK, "pace": 5}) as scene:
        scene.cable.set("mtu", "100", "gso_max_segs", "1")
        await scene.connect(closer=1)
        await check_complete(scene)
        packets = scene.cable.sent(0)
        # Each side sends 8 times 24 messages of 1500 octets on average: that is so many packets of 48.
        check(packets > 3000, "more than 3000 packets of at most 100 octets", packets)
        return "an MTU of 100, %d packets; all comes through" % packets


async def outage(name, begin, end):
    async with Scene(name, {**TALK, "pace": 60}) as scene:
        await scene.connect(closer=1)
        await scene.opened()
        begin(scene.cable)
        await asyncio.sleep(0.7)  # so long is the outage
        end(scene.cable)
        await check_complete(scene)


async def silence():
    def begin(cable):
        cable.discipline(0, NOTHING)
        cable.discipline(1, NOTHING)

    def end(cable):
        check(cable.lost(0) + cable.lost(1) > 0, "packets lost", 0)
        cable.free(0)
        cable.free(1)
    await outage("silence", begin, end)
    return "all packets lost for 0.7 s; all comes through afterwards"


async def unplugged():
    await outage("unplugged", lambda cable: cable.set("down"), lambda cable: cable.set("up"))
    return "the cable pulled for 0.7 s; all comes through afterwards"


DEAF = ("PONG_TIMEOUT",)
# Whose own packets are lost still hears the other, until TCP there waits for what is not
# acknowledged; then it is a race between the own timeout and the other's FIN.
MUTE = ("PONG_TIMEOUT", "EOF")


async def dead(name, ends, client_rules, server_rules):
    async with Scene(name, MORTAL) as scene:
        await scene.connect()
        await scene.opened()
        for end in ends:
            scene.cable.discipline(end, NOTHING)
        await check_rules(scene, client_rules, server_rules)


async def dead_both():
    await dead("dead_both", (0, 1), DEAF, DEAF)
    return "all packets lost for good; client PONG_TIMEOUT, server PONG_TIMEOUT"


async def dead_up():
    await dead("dead_up", (1,), MUTE, DEAF)
    return "all packets of the client lost for good; server PONG_TIMEOUT, client that or EOF"


async def dead_down():
    await dead("dead_down", (0,), DEAF, MUTE)
    return "all packets of the server lost for good; client PONG_TIMEOUT, server that or EOF"


TESTS = [bottleneck, long_queue, small_packets, silence, unplugged, dead_both, dead_up, dead_down]


def missing():
    """What this machine lacks for it, or None; and whether it has netem."""
    if not IP or not TC:
        return "no iproute2", False
    try:
        with Cable("try") as cable:
            cable.discipline(0, "tbf rate 1mbit burst 3000 limit 3000")
            cable.discipline(0, NOTHING)
            try:
                cable.discipline(0, EMULATED)
                return None, True
            except Failure:
                return None, False
    except (Failure, OSError) as problem:
        return str(problem), False


async def attempt(report, test):
    name = "kernel_" + test.__name__
    try:
        report.ok(name, "%d connections: %s" % (CONNECTIONS, await test()))
    except (Failure, OSError, subprocess.SubprocessError) as problem:
        report.fail(name, problem)


async def run_all():
    report = Report()
    lack, has_netem = missing()
    if lack:
        print("note: no network namespaces and queueing disciplines here (%s); the cutter alone has to do" % lack)
        return
    if not has_netem:
        print("note: the kernel has no netem here; delay is left to the cutter, loss and rate to tbf and pfifo")
    tests = TESTS + ([emulated] if has_netem else [])
    await asyncio.gather(*(attempt(report, test) for test in tests))
    report.end()


if __name__ == "__main__":
    main(run_all())
