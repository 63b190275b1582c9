# SPDX-License-Identifier: MIT
"""Backpressure: who does not read holds the other side back, and nothing grows."""
import contextlib
import select
import threading
import time
import zlib

from harness import BINARY, FIN, PING, PONG, STEP_SECONDS, TEXT, Failure, check, frame, same
from support import CONTINUATION, alive, bye, paired, relaying, until

MEGA = 1 << 20
TOTAL = 100  # MiB through the relay
HELD_MAX = 40 * MEGA  # four socket buffers of the kernel, and two desks
GROWTH_MAX = 3 * MEGA


class Sender(threading.Thread):
    """Sends one message of so many fragments of 1 MiB, as fast as it may."""

    def __init__(self, end, count):
        super().__init__(daemon=True)
        self.end, self.count, self.sent, self.problem = end, count, 0, None
        self.payload = bytes(range(256)) * (MEGA // 256)
        self.start()

    def run(self):
        try:
            frames = {first: frame(first, self.payload, self.end.masks)
                      for first in (BINARY, CONTINUATION, FIN | CONTINUATION)}
            for i in range(self.count):
                first = BINARY if i == 0 else CONTINUATION if i < self.count - 1 else FIN | CONTINUATION
                octets = memoryview(frames[first])
                while octets:
                    size = self.end.sock.send(octets[:65536])
                    octets = octets[size:]
                    self.sent += size
        except OSError as problem:
            self.problem = problem

    def stops(self):
        """Waits until nothing moves for a while: how much was sent."""
        since, before = time.monotonic(), -1
        deadline = since + STEP_SECONDS
        while time.monotonic() - since < 0.4:
            if self.sent != before:
                since, before = time.monotonic(), self.sent
            check(time.monotonic() < deadline, "that the sender is held back", self.sent)
            time.sleep(0.01)
        return before


def slow_reader(way):
    with relaying() as relay, paired(relay) as ends:
        sender_end, reader = ends[way], ends[1 - way]
        sender_end.sock.settimeout(30)
        alive(*ends)
        before = relay.resident()
        sender = Sender(sender_end, TOTAL)
        held = sender.stops()
        check(held < HELD_MAX, "less than %d octets sent while nobody reads" % HELD_MAX, held)
        most, size, crc, first = relay.resident(), 0, 0, 0
        while not first & FIN:
            first, payload = reader.piece()
            crc = zlib.crc32(payload, crc)
            size += len(payload)
            if size % (10 * MEGA) < len(payload):
                most = max(most, relay.resident())
        sender.join(STEP_SECONDS)
        same((sender.problem, size), (None, TOTAL * MEGA), "octets that arrived")
        same(crc, zlib.crc32(sender.payload * TOTAL), "their check sum")
        growth = most - before
        check(growth < GROWTH_MAX, "a growth of the relay under %d octets" % GROWTH_MAX, growth)
        alive(*ends)
        return "%d MiB; held back at %.1f MiB; the relay grew by %d KiB" % (TOTAL, held / MEGA, growth // 1024)


def test_slow_origin():
    return slow_reader(0)


def test_slow_client():
    return slow_reader(1)


def test_other_direction_flows():
    """A direction that is blocked does not keep up the other one, nor other clients."""
    with relaying() as relay, paired(relay) as (client, origin):
        sender = Sender(client, TOTAL)
        sender.stops()
        for i in range(100):
            origin.put(FIN | TEXT, b"%d" % i)
            client.gets(TEXT, b"%d" % i)
        with paired(relay) as ends:
            alive(*ends)
            bye(*ends)
        client.reset()
    return "100 messages against a blocked stream"


def fill_all(ends):
    """Sends on each until nothing goes any more on any of them."""
    octets = frame(FIN | BINARY, bytes(65536), ends[0].masks)
    rest = {end.sock: b"" for end in ends}
    for end in ends:
        end.sock.setblocking(False)
    while True:
        ready = select.select([], rest, [], 0.3)[1]
        if not ready:
            break
        for sock in ready:
            rest[sock] = rest[sock] or octets
            rest[sock] = rest[sock][sock.send(rest[sock]):]
    for end in ends:
        end.sock.settimeout(STEP_SECONDS)


def test_both_blocked():
    """Both ends send, and none reads: --stall-timeout ends it."""
    count = 8
    with relaying("--stall-timeout", 1500) as relay, contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(paired(relay, buffers=65536)) for _ in range(count)]
        thread = threading.Thread(target=fill_all, args=([client for client, _ in pairs],), daemon=True)
        thread.start()
        fill_all([origin for _, origin in pairs])
        thread.join(STEP_SECONDS)
        same(relay.metric("relay_connections"), count, "pairs that are blocked")
        deadline = time.monotonic() + 10
        while True:
            values = {name: value for name, value in relay.metrics().items()
                      if value and ("ended" in name or "closes" in name)}
            if sum(value for name, value in values.items() if "ended" in name) == count:
                break
            check(time.monotonic() < deadline, "the end of all pairs within 10 s", values)
            time.sleep(0.05)
    return "%d pairs ended by --stall-timeout" % count


def test_stalled_side():
    """Who takes nothing for --stall-timeout is given up; the other side is told which one
    it was, and is not held back any more."""
    for stalled, code in ((0, 1001), (1, 1014)):
        with relaying("--stall-timeout", 700) as relay, paired(relay, buffers=65536) as ends:
            talker = ends[1 - stalled]
            thread = threading.Thread(target=talk_on, args=(talker,), daemon=True)
            began = time.monotonic()
            thread.start()
            talker.gets_close(code)
            took = time.monotonic() - began
            check(took > 0.6, "no end before --stall-timeout", took)
            thread.join(STEP_SECONDS)
            check(not thread.is_alive(), "a talker that can go on", "held back")
            side = ("client", "origin")[stalled]
            relay.counts('relay_closes_total{side="%s",rule="STALL_TIMEOUT"}' % side, 1)
            relay.counts('relay_ended_total{by="%s_lost"}' % side, 1)
    return "a client: 1001 to the origin; an origin: 1014 to the client"


def talk_on(end):
    """64 MiB, whatever becomes of them."""
    octets = frame(FIN | BINARY, bytes(65536), end.masks)
    with contextlib.suppress(OSError):
        for _ in range(1024):
            end.sock.sendall(octets)


def test_blocked_is_quiet():
    """A relay that waits for a reader does not spin, whatever timers run."""
    with relaying("--ping-interval", 50, "--pong-timeout", 60000) as relay, paired(relay) as (client, origin):
        fill_all([client])
        before, since = relay.cpu_seconds(), time.monotonic()
        until(lambda: time.monotonic() - since > 1, "a second")
        used = relay.cpu_seconds() - before
        check(used < 0.15, "less than 0.15 s of the processor in a second", used)
    return "%.2f s of the processor in a second" % used


def test_pings_while_blocked():
    """Not to be read from is no death: the client's Pongs cannot be seen meanwhile."""
    with relaying("--ping-interval", 200, "--pong-timeout", 1500) as relay, paired(relay) as (client, origin):
        sender = Sender(client, 60)
        stop = time.monotonic() + 2.5
        while time.monotonic() < stop:  # the origin answers, but reads nothing more
            origin.sock.sendall(frame(FIN | PONG, b"alive", False))
            opcode, _payload = client.message()
            check(opcode in (PING, PONG), "a Ping or Pong", opcode)
            time.sleep(0.05)
        size, first = 0, 0
        while not first & FIN or first & 0x08:
            first, payload = origin.piece()
            if first & 0x0F == PING:
                origin.put(FIN | PONG, payload)
            elif first & 0x0F in (BINARY, CONTINUATION):
                size += len(payload)
            else:
                raise Failure("expected pieces of a message, actual: %#x %r" % (first, payload[:80]))
        same(size, 60 * MEGA, "octets that arrived")
        sender.join(STEP_SECONDS)
    return "60 MiB behind 2.5 s without a reader, with a pong timeout of 1.5 s"


def test_quiet_pairs_are_small():
    """No desk stays with a pair that has nothing to send."""
    with relaying() as relay:
        with paired(relay) as ends:
            alive(*ends)
            before = relay.resident()
            pairs = [paired(relay) for _ in range(100)]
            opened = [pair.__enter__() for pair in pairs]
            for client, origin in opened:
                client.put(FIN | BINARY, bytes(30000))
                origin.gets(BINARY, bytes(30000))
            growth = (relay.resident() - before) / 100
            for pair in reversed(pairs):
                pair.__exit__(None, None, None)
        check(growth < 16384, "less than 16 KiB for a pair", growth)
    return "%d octets for each of 100 pairs" % growth
