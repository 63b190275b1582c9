# SPDX-License-Identifier: MIT
"""How it ends."""
import select
import socket
import struct
import time

from harness import BINARY, CLOSE, FIN, PING, PONG, STEP_SECONDS, TEXT, Server, check, frame, same
from support import Relay, alive, bye, paired, relaying, response, until


def crosses(relay, code, reason, answer_code, answer_reason):
    """A Close of each side in turn, and the other's answer to it."""
    for first in ("client", "origin"):
        with paired(relay) as (client, origin):
            closer, other = (client, origin) if first == "client" else (origin, client)
            closer.close(code, reason)
            other.gets_close(code, reason, "Close of the %s" % first)
            other.close(answer_code, answer_reason)
            closer.gets_close(answer_code, answer_reason, "the answer to it")
            client.end()
            origin.leaves()


def test_codes():
    codes = [None, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
    with relaying() as relay:
        for code in codes:
            reason = b"" if code is None else "reason – %d".encode() % code
            crosses(relay, code, reason, code, reason)
        crosses(relay, 1000, b"x" * 123, 4000, "€".encode() * 41)
        crosses(relay, None, b"", 1000, b"")
        relay.counts('relay_ended_total{by="client_close"}', len(codes) + 2)
        relay.counts('relay_ended_total{by="origin_close"}', len(codes) + 2)
    return "%d codes from each side, and their answers, with reasons" % len(codes)


def test_code_1010():
    """A client's goes through; servers must not send it (RFC 6455, 7.4.1)."""
    with relaying() as relay:
        with paired(relay) as (client, origin):
            client.close(1010, b"no extension")
            origin.gets_close(1010, b"no extension")
        with paired(relay) as (client, origin):
            origin.close(1010)
            client.gets_close(1011)
    return "from the client as it is, from the origin as 1011"


def test_both_at_once():
    with relaying() as relay, paired(relay) as (client, origin):
        client.close(4001, b"client")
        origin.close(4002, b"origin")
        origin.gets_close(4001, b"client")
        client.gets_close(4002, b"origin")
        client.end()
        origin.leaves()
    return "each gets the other's"


def test_close_behind_data():
    """What was said before the Close arrives before it, also when there is no room."""
    octets = bytes(range(256)) * 20000
    with relaying() as relay:
        for way in (0, 1):
            with paired(relay) as ends:
                sender, getter = ends[way], ends[1 - way]
                sender.sock.setblocking(False)
                data = frame(FIN | BINARY, octets, sender.masks) + frame(FIN | CLOSE, b"\x0f\xa0", sender.masks)
                while data:
                    try:
                        data = data[sender.sock.send(data):]
                    except BlockingIOError:
                        getter.more()
                getter.gets(BINARY, octets, "5 MB")
                getter.gets_close(4000)
    return "5 MB, then the Close, both ways"


def test_close_unanswered():
    """Who waits for an answer gets one, if not from the other end; the relay waits quietly."""
    with relaying() as relay, paired(relay) as (client, origin):
        began, before = time.monotonic(), relay.cpu_seconds()
        client.close(4000, b"bye")
        client.sock.shutdown(socket.SHUT_WR)
        origin.gets_close(4000, b"bye")
        client.gets_close(4000)
        took, used = time.monotonic() - began, relay.cpu_seconds() - before
        check(2.5 < took < 4.5, "the relay's answer after 3 s", took)
        check(used < 0.3, "less than 0.3 s of the processor meanwhile", used)
        client.end()
    return "the relay answers after 3 s"


def test_close_half_closed():
    """Who ends its side behind its Close still gets the answer to it."""
    with relaying() as relay:
        for first in (0, 1):
            with paired(relay) as ends:
                closer, other = ends[first], ends[1 - first]
                closer.close(4000, b"bye")
                closer.sock.shutdown(socket.SHUT_WR)
                other.gets_close(4000, b"bye")
                closer.has_nothing(0.1)
                other.close(4000, b"you too")
                closer.gets_close(4000, b"you too", "the answer")
                closer.gone()
                other.sock.shutdown(socket.SHUT_WR)
                other.gone()
    return "the other end's answer arrives, from each side"


def test_close_unread():
    """Who has sent its Close need not read any more, while the other end's answer is behind
    data that nobody wants: the relay drops them, and finds the answer."""
    octets = frame(FIN | BINARY, bytes(30_000_000), False) + frame(FIN | CLOSE, struct.pack("!H", 1000), False)
    with relaying() as relay, paired(relay, buffers=65536) as (client, origin):
        sent = fill(origin, octets)
        client.close(1000, b"enough")
        origin.gets_close(1000, b"enough")
        origin.send(octets[sent:])
        first = 0
        while first != FIN | CLOSE:
            first, payload = client.piece()
        same(payload, struct.pack("!H", 1000), "the answer, behind what was queued")
        client.end()
        origin.leaves()
        for side in ("client", "origin"):
            relay.counts('relay_closes_total{side="%s",rule="NONE"}' % side, 1)
    return "30 MB in front of the answer are dropped"


def test_close_cut_off():
    """The other end breaks off instead of answering: the answer comes at once."""
    with relaying() as relay:
        for first in (0, 1):
            with paired(relay) as ends:
                closer, other = ends[first], ends[1 - first]
                closer.close(4000, b"bye")
                other.gets_close(4000, b"bye")
                other.reset()
                closer.gets_close(4000)
                closer.sock.shutdown(socket.SHUT_WR)
                closer.gone()
    return "the relay answers in its place"


# ------------------------------------------------------------------ breaking off

def lost(how, begun=False):
    """The origin breaks off: what the client gets."""
    with relaying() as relay, paired(relay) as (client, origin):
        alive(client, origin)
        if begun:
            origin.put(TEXT, b"half a ")
            same(client.piece(), (TEXT, b"half a "), "the first half")
        how(origin)
        reason = client.gets_close(1014)
        check("origin" in reason, "a reason about the origin", reason)
        client.close(1014)
        client.end()
        relay.counts('relay_ended_total{by="origin_lost"}', 1)
        relay.counts('relay_origin_failures_total{kind="lost"}', 1)
        with paired(relay) as ends:  # another one is served
            alive(*ends)
            bye(*ends)


def test_origin_lost():
    for begun in (False, True):
        lost(lambda origin: origin.reset(), begun)
        lost(lambda origin: origin.sock.close(), begun)
        lost(lambda origin: origin.sock.shutdown(socket.SHUT_WR), begun)
    return "reset, end, half-close; also inside of a message: 1014"


def test_origin_killed():
    server = Server()
    relay = None
    try:
        relay = Relay("ws://127.0.0.1:%d" % server.port)
        with relay.ask() as client:
            line, _fields = client.head()
            same(line.split()[1], "101", "status")
            client.put(FIN | TEXT, b"hello")
            client.gets(TEXT, b"hello")
            client.put(TEXT, b"half")
            client.piece()
            server.kill()
            client.gets_close(1014)
            same(relay.refused()[0], 502, "status for the next client")
        relay.end()
    finally:
        server.kill()
        if relay is not None:
            relay.kill()
    return "SIGKILL: 1014, then 502"


def test_client_lost():
    for how in (lambda client: client.reset(), lambda client: client.sock.close(),
                lambda client: client.sock.shutdown(socket.SHUT_WR)):
        for begun in (False, True):
            with relaying() as relay, paired(relay) as (client, origin):
                alive(client, origin)
                if begun:
                    client.put(TEXT, b"half a ")
                    same(origin.piece(), (TEXT, b"half a "), "the first half")
                how(client)
                reason = origin.gets_close(1001)
                check("client" in reason, "a reason about the client", reason)
                origin.close(1001)
                origin.leaves()
                relay.counts('relay_ended_total{by="client_lost"}', 1)
                relay.counts("relay_connections", 0)
    return "reset, end, half-close; also inside of a message: 1001"


def fill(end, octets):
    """Sends until nothing goes any more: how much did."""
    end.sock.setblocking(False)
    sent = 0
    while select.select([], [end.sock], [], 0.3)[1]:
        sent += end.sock.send(octets[sent:sent + 65536])
    end.sock.settimeout(STEP_SECONDS)
    return sent


def test_half_closed():
    """The end of the stream behind a message: the message arrives; and what is on its way
    to the side that has only stopped sending arrives there."""
    with relaying() as relay, paired(relay, buffers=65536) as (client, origin):
        fill(origin, frame(FIN | BINARY, bytes(30_000_000), False))
        client.put(FIN | TEXT, b"last words")
        client.sock.shutdown(socket.SHUT_WR)
        origin.gets(TEXT, b"last words")
        origin.gets_close(1001)
        # The relay's queue holds more than one segment; and no frame ends in between.
        while client.more():
            pass
        while client.data:
            client.piece()
    return "last words forwarded, then 1001; the queue goes to who still reads"


# --------------------------------------------------------------------- by the relay

def test_terminated():
    with relaying() as relay:
        with paired(relay) as (client, origin), relay.ask() as waiting, relay.connect() as silent:
            pending, _line, _fields = relay.origin.asked()
            with pending:
                alive(client, origin)
                until(lambda: relay.metric("relay_pending") == 2, "two clients pending")
                relay.terminate()
                for end in (client, origin):
                    check("shutting down" in end.gets_close(1001), "a reason", "another")
                    end.close(1001)
                client.end()
                origin.leaves()
                status, _fields, body = response(waiting)
                waiting.sock.close()
                same((status, b"shutting down" in body), (503, True), "status for who waits for the origin")
                pending.gone()
                silent.gone()
                status, output = relay.wait(3)
                same(status, 0, "exit status: %s" % output)
    return "1001 to both ends, 503 to who waits, status 0"


def test_terminated_deaf():
    """Ends that do not answer the Close do not keep the relay."""
    with relaying() as relay, paired(relay):
        relay.terminate()
        status, _output = relay.wait(8)
        same(status, 0, "exit status")
    return "status 0 in any case"


def test_idle():
    """Only messages count; either direction does for both."""
    with relaying("--idle-timeout", 400) as relay:
        with paired(relay) as (client, origin):
            began = time.monotonic()
            while time.monotonic() - began < 1:
                origin.put(FIN | TEXT, b"news")
                client.gets(TEXT, b"news")
                time.sleep(0.1)
            began = time.monotonic()
            client.sock.settimeout(0.1)
            while time.monotonic() - began < 3:
                origin.put(FIN | PING, b"")
                opcode, payload = client.message()
                if opcode == CLOSE:
                    break
                client.put(FIN | PONG, b"")
                origin.gets(PONG, b"")
                time.sleep(0.05)
            took = time.monotonic() - began
            same((opcode, payload[:2]), (CLOSE, struct.pack("!H", 1001)), "Close to the client")
            check(0.25 < took < 1.5, "the end 0.4 s behind the last message", took)
            origin.gets_close(1001)
            relay.counts('relay_ended_total{by="idle"}', 1)
    return "a stream in one direction lives, pings alone do not"


def test_silent_peer():
    """--ping-interval finds who is there no more, for each side on its own."""
    for silent, code in ((0, 1001), (1, 1014)):
        with relaying("--ping-interval", 100, "--pong-timeout", 300) as relay, paired(relay) as ends:
            other = ends[1 - silent]
            began = time.monotonic()
            opcode = PING
            while opcode == PING:
                opcode, payload = other.message()
                other.put(FIN | PONG, payload)
            took = time.monotonic() - began
            same((opcode, payload[:2]), (CLOSE, struct.pack("!H", code)), "Close to the other side")
            check(0.25 < took < 1.5, "the end behind 0.1 and 0.3 s", took)
            relay.counts('relay_closes_total{side="%s",rule="PONG_TIMEOUT"}' % ("client", "origin")[silent], 1)
    return "1001 to the origin, 1014 to the client"
