# SPDX-License-Identifier: MIT
"""Allowances of messages and octets."""
import select
import socket
import threading
import time

from harness import BINARY, CLOSE, FIN, PING, PONG, STEP_SECONDS, TEXT, check, frame, same
from support import alive, bye, paired, relaying, until


class Flood(threading.Thread):
    """Sends the same frame again and again until the connection ends."""

    def __init__(self, end, octets):
        super().__init__(daemon=True)
        self.end, self.octets = end, octets
        self.start()

    def run(self):
        try:
            while True:
                self.end.sock.sendall(self.octets)
        except OSError:
            pass


def drain(end):
    """Reads until the end, in a thread of its own."""
    def run():
        try:
            while end.sock.recv(65536):
                pass
        except OSError:
            pass
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_messages_slowed_down():
    with relaying("--messages-per-second", 50) as relay, paired(relay) as (client, origin):
        began = time.monotonic()
        client.send(b"".join(frame(FIN | TEXT, b"%d" % i) for i in range(100)))
        for i in range(100):
            origin.gets(TEXT, b"%d" % i)
        took = time.monotonic() - began
        check(0.8 < took < 2.5, "100 messages, of which 50 are free, in about a second", took)
        check(relay.metric("relay_rate_paused_total") > 0, "pauses", 0)
        began = time.monotonic()
        for i in range(200):  # the other direction has no limit
            origin.put(FIN | TEXT, b"x")
        for i in range(200):
            client.gets(TEXT, b"x")
        check(time.monotonic() - began < 1, "200 messages to the client at once", "slow")
        bye(client, origin)
    return "a burst of 100 at 50 a second took %.1f s; none lost" % took


def test_pings_count():
    with relaying("--messages-per-second", 50) as relay, paired(relay) as (client, origin):
        began = time.monotonic()
        client.send(frame(FIN | PING, b"p") * 100)
        for _ in range(100):
            origin.gets(PING, b"p")
        took = time.monotonic() - began
        check(0.8 < took < 2.5, "100 Pings in about a second", took)
    return "as messages do"


def test_octets_slowed_down():
    with relaying("--octets-per-second", 200000) as relay, paired(relay) as (client, origin):
        octets = bytes(range(256)) * 1600
        client.put(FIN | BINARY, octets[:150000])
        origin.gets(BINARY, octets[:150000])
        same(relay.metric("relay_rate_paused_total"), 0, "pauses within the first second's worth")
        client.has_nothing(1.2)
        began = time.monotonic()
        client.put(FIN | BINARY, octets)
        origin.gets(BINARY, octets)
        took = time.monotonic() - began
        check(0.7 < took < 2.5, "409,600 octets, of which 200,000 are free, in about a second", took)
        bye(client, origin)
    return "400 KiB at 200 KB a second took %.1f s" % took


def test_small_pieces_cost():
    """Each piece becomes a frame; its header counts, or tiny ones would be free."""
    with relaying("--octets-per-second", 2000) as relay, paired(relay) as (client, origin):
        began = time.monotonic()
        client.send(frame(FIN | TEXT, b"") * 500)
        for _ in range(500):
            origin.gets(TEXT, b"")
        took = time.monotonic() - began
        check(0.8 < took < 2.5, "500 empty messages, of which 250 are free, in about a second", took)
    return "500 empty messages count as 4,000 octets"


def excess(relay, octets):
    with paired(relay) as (client, origin):
        began = time.monotonic()
        drain(origin)
        Flood(client, octets)
        reason = client.gets_close(1008)
        took = time.monotonic() - began
        check("more than" in reason, "a reason", reason)
        for end in (client, origin):
            end.sock.shutdown(socket.SHUT_RDWR)  # which its thread notices
        return took


def test_excess_closed():
    with relaying("--messages-per-second", 100, "--octets-per-second", 100000, "--rate-patience", 500) as relay:
        for octets in (frame(FIN | TEXT, b"x"), frame(FIN | BINARY, bytes(50000))):
            took = excess(relay, octets)
            check(0.4 < took < 4, "1008 behind the burst and 0.5 s", took)
        relay.counts("relay_rate_closed_total", 2)
        relay.counts('relay_ended_total{by="rate"}', 2)
        with paired(relay) as (client, origin):  # and what the origin gets
            Flood(client, frame(FIN | TEXT, b"x"))
            opcode = TEXT
            while opcode == TEXT:
                opcode, payload = origin.message()
            same((opcode, payload[:2]), (CLOSE, b"\x03\xe9"), "Close to the origin")
            client.sock.shutdown(socket.SHUT_RDWR)
    return "1008 for messages and for octets, 1001 to the origin"


def test_patience_without_end():
    with relaying("--messages-per-second", 200, "--rate-patience", 0) as relay, paired(relay) as (client, origin):
        Flood(client, frame(FIN | TEXT, b"x"))
        began = time.monotonic()
        count = 0
        while time.monotonic() - began < 1.5:
            origin.gets(TEXT, b"x")
            count += 1
        check(200 <= count < 700, "about 500 messages in 1.5 s", count)
        client.sock.shutdown(socket.SHUT_RDWR)
    return "%d messages in 1.5 s at 200 a second, and no Close" % count


def test_below_the_rate():
    """Who keeps to the rate is never in excess, however long."""
    with relaying("--messages-per-second", 100, "--rate-patience", 200) as relay, paired(relay) as (client, origin):
        began, count = time.monotonic(), 0
        while time.monotonic() - began < 2:
            client.put(FIN | TEXT, b"x")
            origin.gets(TEXT, b"x")
            count += 1
            wait = began + count / 90 - time.monotonic()
            if wait > 0:
                select.select([client.sock], [], [], wait)
        bye(client, origin)
    return "%d messages in 2 s at 90%% of the rate" % count


def test_bursts():
    """Who exceeds the rate now and then pays it back in between."""
    with relaying("--messages-per-second", 200, "--rate-patience", 300) as relay, paired(relay) as (client, origin):
        held = 0
        for burst in (240, 140, 140, 140):
            began = time.monotonic()
            client.send(frame(FIN | TEXT, b"x") * burst)
            for _ in range(burst):
                origin.gets(TEXT, b"x")
            held += time.monotonic() - began
            client.has_nothing(0.5)  # no Close, and 100 messages are free again
        check(held > 0.4, "more than 0.4 s of waiting in all", held)
        bye(client, origin)
    return "held back for %.1f s in four bursts, with a patience of 0.3 s" % held


def test_others_go_on():
    with relaying("--messages-per-second", 20) as relay, paired(relay) as (client, _origin):
        client.send(frame(FIN | TEXT, b"x") * 100)
        until(lambda: relay.metric("relay_rate_paused_total") > 0, "a pause")
        with paired(relay) as ends:
            began = time.monotonic()
            alive(*ends)
            check(time.monotonic() - began < 0.5, "a quick answer to another client", "slow")
            bye(*ends)
    return "a client beside one that is held back"


def test_held_back_is_no_death():
    """A pause longer than the pong timeout: the client's Pongs wait behind its messages."""
    with relaying("--octets-per-second", 12000, "--ping-interval", 200, "--pong-timeout", 1000) as relay, \
            paired(relay) as (client, origin):
        octets = bytes(32000)
        client.put(FIN | BINARY, octets)
        client.put(FIN | BINARY, octets)
        began, count = time.monotonic(), 0
        while count < 2:
            for end in select.select([client, origin], [], [], STEP_SECONDS)[0]:
                opcode, payload = end.message()
                while opcode == PING:
                    end.put(FIN | PONG, payload)
                    if len(end.data) < 6:
                        break
                    opcode, payload = end.message()
                if opcode != PING:
                    same((end, opcode, payload), (origin, BINARY, octets), "the message")
                    count += 1
        took = time.monotonic() - began
        check(took > 1.3, "a pause longer than the pong timeout", took)
    return "held back for %.1f s, with a pong timeout of 1 s" % took


def test_ends_while_held_back():
    """The pair ends before the client's pause does, and nothing is left of the pause."""
    with relaying("--octets-per-second", 1000, "--rate-patience", 900, "--idle-timeout", 300) as relay, \
            paired(relay) as (client, origin):
        client.put(FIN | BINARY, bytes(20000))
        origin.gets(BINARY, bytes(20000))
        client.put(FIN | TEXT, b"held back")
        client.gets_close(1001)
        client.close(1001)
        client.end()
        origin.gets_close(1001)
        until(lambda: relay.metric('relay_closes_total{side="client",rule="NONE"}') == 1, "the end of the client")
        origin.has_nothing(1)  # it does not answer: half of the pair outlives the pause
        same(relay.metric("relay_connections"), 1, "pairs")
    return "no turn for a client that is gone"
