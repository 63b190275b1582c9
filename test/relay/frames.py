# SPDX-License-Identifier: MIT
"""What is forwarded, and what is not."""
import os
import random
import struct

from harness import BINARY, CLOSE, FIN, PING, PONG, TEXT, Failure, check, frame, same
from support import CONTINUATION, RSV1, RSV2, alive, bye, head_lines, paired, relaying

DEFLATE = ["Sec-WebSocket-Extensions: permessage-deflate"]


def both_ways(ends):
    """Who sends and who gets: the client first, then the origin."""
    client, origin = ends
    return ((client, origin), (origin, client))


def test_messages():
    sizes = [0, 1, 2, 125, 126, 127, 65535, 65536, 200000]
    with relaying() as relay, paired(relay) as ends:
        for sender, getter in both_ways(ends):
            for size in sizes:
                octets = os.urandom(size)
                sender.put(FIN | BINARY, octets)
                getter.gets(BINARY, octets, "%d octets" % size)
                words = ("ä€𝄞x" * (size // 4 + 1))[:size].encode()
                sender.put(FIN | TEXT, words)
                getter.gets(TEXT, words, "text")
        bye(*ends)
        relay.counts('relay_messages_total{side="client",direction="in"}', 2 * len(sizes))
        for side in ("client", "origin"):
            for direction in ("in", "out"):
                same(relay.metric('relay_messages_total{side="%s",direction="%s"}' % (side, direction)),
                     2 * len(sizes), "messages %s, %s" % (side, direction))
    return "%d sizes up to 200,000, text and binary, both ways" % len(sizes)


def test_mask_keys():
    """To the origin the relay is a client: masked, each frame with a key of its own."""
    with relaying() as relay, paired(relay) as (client, origin):
        keys = set()
        for _ in range(50):
            client.put(FIN | BINARY, b"same")
            origin.read(2)
            keys.add(origin.read(4))
            origin.read(4)
        same(len(keys), 50, "different keys in 50 frames")
        same(bytes(4) in keys, False, "a key of zeros")
    return "50 frames, 50 keys"


def random_message(source):
    """Frames of one message, with pings in between: pieces to send, and what arrives."""
    opcode = source.choice([TEXT, BINARY])
    count = source.randrange(1, 6)
    if opcode == TEXT:
        octets = "".join(source.choice("aé€𝄞") for _ in range(source.randrange(0, 4000))).encode()
    else:
        octets = source.randbytes(source.choice([0, 1, 125, 126, 5000, 70000]))
    cuts = [0, *sorted(source.randrange(len(octets) + 1) for _ in range(count - 1)), len(octets)]
    frames, pings = [], []
    for i in range(count):
        first = (FIN if i == count - 1 else 0) | (opcode if i == 0 else CONTINUATION)
        frames.append((first, octets[cuts[i]:cuts[i + 1]]))
        if i < count - 1 and source.random() < 0.5:
            ping = source.randbytes(source.choice([0, 4, 125]))
            frames.append((FIN | source.choice([PING, PONG]), ping))
            pings.append((frames[-1][0] & 0x0F, ping))
    return frames, pings, (opcode, octets)


def test_random_fragments():
    """Any cut of messages into frames, of frames into segments, with pings between:
    what arrives is the same, in the same order."""
    source = random.Random(6455)
    with relaying() as relay, paired(relay) as ends:
        for sender, getter in both_ways(ends):
            for _ in range(60):
                frames, pings, message = random_message(source)
                octets = b"".join(frame(first, payload, sender.masks) for first, payload in frames)
                while octets:
                    size = source.choice([1, 2, 7, 100, 3000, 40000])
                    sender.send(octets[:size])
                    octets = octets[size:]
                for ping in pings:
                    same(getter.message(), ping, "the control frames, in front of the message's end")
                same(getter.message(), message, "the message")
        bye(*ends)
    return "120 messages in all kinds of pieces"


def streams(sender, getter):
    sender.put(TEXT, b"first ")
    same(getter.piece(), (TEXT, b"first "), "the first fragment")
    sender.put(CONTINUATION, b"middle ")
    same(getter.piece(), (CONTINUATION, b"middle "), "the second")
    sender.put(FIN | CONTINUATION, b"last")
    same(getter.piece(), (FIN | CONTINUATION, b"last"), "the last")
    head = struct.pack("!BBQ", FIN | BINARY, 0x80 * sender.masks | 127, 64 << 20)
    sender.send(head, bytes(4) if sender.masks else b"", b"z" * 1000)
    first, got = getter.piece()
    same(first, BINARY, "the first octet of a piece")
    while len(got) < 1000:
        first, more = getter.piece()
        same(first, CONTINUATION, "the first octet of the next")
        got += more
    same(got, b"z" * 1000, "the pieces")


def test_streams():
    """No reassembly: the first piece is there before the last is sent."""
    with relaying() as relay:
        for way in (0, 1):
            with paired(relay) as ends:
                streams(*both_ways(ends)[way])
    return "pieces pass before their message is whole, even of a frame of 64 MiB"


def test_control_between_pieces():
    """A Ping of one side reaches the other while a long frame is on its way there."""
    with relaying() as relay, paired(relay) as (client, origin):
        head = struct.pack("!BBQ", FIN | BINARY, 0x80 | 127, 1 << 20)
        client.send(head, bytes(4), b"a" * 100)
        same(origin.piece(), (BINARY, b"a" * 100), "the beginning of a long frame")
        origin.put(FIN | PING, b"are you there")
        client.gets(PING, b"are you there")
        client.send(b"b" * ((1 << 20) - 100))
        got = 100
        while got < 1 << 20:
            first, payload = origin.piece()
            same(first & 0x0F, CONTINUATION, "a piece")
            got += len(payload)
        same((got, first & FIN), (1 << 20, FIN), "all of it")
        client.put(FIN | PONG, b"are you there")
        origin.gets(PONG, b"are you there")
        bye(client, origin)
    return "as the relay is always at a boundary of frames"


def test_pings():
    with relaying() as relay, paired(relay) as ends:
        for sender, getter in both_ways(ends):
            for payload in (b"", b"x", b"\0\0\0\1", bytes(range(125))):
                sender.put(FIN | PING, payload)
                getter.gets(PING, payload, "the Ping")
                sender.has_nothing(0.02)  # the relay does not answer it
                getter.put(FIN | PONG, payload)
                sender.gets(PONG, payload, "its Pong")
            getter.put(FIN | PONG, b"unasked")
            sender.gets(PONG, b"unasked", "a Pong that nobody asked for")
        bye(*ends)
    return "each goes to the other end, and so does its Pong"


def test_own_pings():
    """The relay's own conversation with each side is no business of the other's, even
    if the ends use the same payloads. The interval leaves time for each Pong: one that
    comes behind the next Ping answers nothing any more, and is forwarded."""
    with relaying("--ping-interval", 200) as relay, paired(relay) as (client, origin):
        own = []
        for end in (client, origin, client, origin):
            opcode, payload = end.message()
            same((opcode, len(payload)), (PING, 4), "a Ping of the relay")
            own.append(payload)
            end.put(FIN | PONG, payload)
        # the origin pings with the payload of the relay's next Ping
        guess = struct.pack("!I", struct.unpack("!I", own[2])[0] + 1)
        origin.put(FIN | PING, guess)
        seen = [client.message() for _ in range(2)]
        same(seen, [(PING, guess)] * 2, "the relay's Ping and the origin's")
        for opcode, payload in seen:
            client.put(FIN | PONG, payload)
        while True:
            opcode, payload = origin.message()
            if opcode == PONG:
                break
            origin.put(FIN | PONG, payload)  # again the relay's
        same(payload, guess, "the Pong for the origin's Ping")
        values = relay.metrics()
        check(values["relay_client_round_trip_seconds_count"] >= 3, "round trips of the client", values)
        check(values["relay_origin_round_trip_seconds_count"] >= 2, "round trips of the origin", values)
    return "answered here; a Ping of an end with the same payload gets its Pong"


# ------------------------------------------------------------------------ text

def test_cut_code_point():
    """The cut may go through a code point, between frames and between segments."""
    octets = "ä€𝄞".encode()
    with relaying() as relay, paired(relay) as ends:
        for sender, getter in both_ways(ends):
            for cut in range(len(octets) + 1):
                sender.put(TEXT, octets[:cut])
                sender.put(FIN | CONTINUATION, octets[cut:])
                getter.gets(TEXT, octets, "cut at %d" % cut)
            for octet in frame(FIN | TEXT, octets, sender.masks):
                sender.send(bytes([octet]))
            getter.gets(TEXT, octets, "octet by octet")
        bye(*ends)
    return "cut at each octet"


def breaks(octets, code, masks, others_code, forwarded=b"", opens=DEFLATE[:0]):
    """Sends octets that break a rule: the sinner gets the code, the other end another."""
    with relaying() as relay, paired(relay, head_lines(more=opens), more=opens) as (client, origin):
        sinner, other = (client, origin) if masks else (origin, client)
        sinner.send(octets)
        got = b""
        while True:
            first, payload = other.piece()
            if first & 0x08:
                break
            same(first & FIN, 0, "FIN of what was forwarded")
            got += payload
        same(got, forwarded, "what was forwarded")
        same((first, payload[:2]), (FIN | CLOSE, struct.pack("!H", others_code)), "Close to the other end")
        sinner.gets_close(code, what="Close to the sinner")
        other.put(FIN | CLOSE, payload[:2])
        if masks:
            other.leaves()
        else:
            other.end()
        sinner.close(code)
        sinner.sock.shutdown(1)
        sinner.gone()
        side = "client" if masks else "origin"
        relay.counts('relay_ended_total{by="%s_lost"}' % side, 1)


def test_bad_text():
    for masks, other in ((True, 1001), (False, 1014)):
        breaks(frame(FIN | TEXT, b"good\xff", masks), 1007, masks, other, b"good")
        breaks(frame(FIN | TEXT, "€".encode()[:2], masks), 1007, masks, other, "€".encode()[:2])
        breaks(frame(TEXT, b"a", masks) + frame(FIN | CONTINUATION, b"\xc0\x80", masks), 1007, masks, other, b"a")
        breaks(frame(FIN | CLOSE, b"\x03\xe8\xff", masks), 1007, masks, other)
    return "1007 to the sinner, 1001 or 1014 to the other, nothing bad forwarded"


BAD_FRAMES = [
    ("RSV1", lambda masks: frame(FIN | RSV1 | TEXT, b"x", masks), b""),
    ("RSV2", lambda masks: frame(FIN | RSV2 | BINARY, b"x", masks), b""),
    ("opcode 3", lambda masks: frame(FIN | 3, b"x", masks), b""),
    ("opcode 11", lambda masks: frame(FIN | 11, b"x", masks), b""),
    ("wrong mask", lambda masks: frame(FIN | TEXT, b"x", not masks), b""),
    ("fragmented Ping", lambda masks: frame(PING, b"x", masks), b""),
    ("long Ping", lambda masks: frame(FIN | PING, b"x" * 126, masks), b""),
    ("orphan", lambda masks: frame(FIN | CONTINUATION, b"x", masks), b""),
    ("new message inside", lambda masks: frame(TEXT, b"a", masks) + frame(FIN | TEXT, b"x", masks), b"a"),
    ("length not minimal", lambda masks: bytes([FIN | TEXT, 0x80 * masks | 126, 0, 1]) + b"k" * 4 + b"x", b""),
    ("length 2^63", lambda masks: bytes([FIN | TEXT, 0x80 * masks | 127, 0x80, *bytes(7)]) + b"k" * 4 + b"x", b""),
    ("Close of 1 octet", lambda masks: frame(FIN | CLOSE, b"\x03", masks), b""),
    ("Close 1006", lambda masks: frame(FIN | CLOSE, b"\x03\xee", masks), b""),
]


def test_bad_frames():
    for name, octets, forwarded in BAD_FRAMES:
        for masks, other in ((True, 1001), (False, 1014)):
            try:
                breaks(octets(masks), 1002, masks, other, forwarded)
            except Failure as failure:
                raise Failure("%s from the %s: %s" % (name, "client" if masks else "origin", failure)) from None
    return "%d kinds from each side: 1002 to the sinner, 1001 or 1014 to the other" % len(BAD_FRAMES)


def test_too_big():
    with relaying("--max-message", 1000) as relay, paired(relay) as (client, origin):
        client.put(FIN | BINARY, b"x" * 1000)
        origin.gets(BINARY, b"x" * 1000)
        client.put(FIN | BINARY, b"x" * 1001)
        client.gets_close(1009)
        origin.gets_close(1001)
    return "1009 to the sender, at --max-message"


# ------------------------------------------------------------------------- RSV

def test_rsv_with_deflate():
    """With permessage-deflate RSV1 goes through, on the first frame, with payloads as
    they are; without RSV1 text is still checked."""
    opens = head_lines(more=DEFLATE)
    octets = os.urandom(100000)  # neither UTF-8 nor deflated: not the relay's business
    with relaying() as relay, paired(relay, opens, more=DEFLATE) as ends:
        for sender, getter in both_ways(ends):
            sender.put(FIN | RSV1 | TEXT, octets)
            getter.gets(RSV1 | TEXT, octets, "a compressed text in one frame")
            sender.put(RSV1 | BINARY, octets[:50000])
            sender.put(FIN | PING, b"p")
            sender.put(FIN | CONTINUATION, octets[50000:])
            getter.gets(PING, b"p")
            getter.gets(RSV1 | BINARY, octets, "a compressed message of two frames")
            sender.put(FIN | RSV1 | TEXT, b"")
            getter.gets(RSV1 | TEXT, b"", "an empty one")
            sender.put(FIN | TEXT, b"plain")
            getter.gets(TEXT, b"plain", "one that is not compressed")
        bye(*ends)
    for masks, other in ((True, 1001), (False, 1014)):
        breaks(frame(RSV1 | TEXT, b"a", masks) + frame(FIN | RSV1 | CONTINUATION, b"b", masks), 1002, masks, other,
               b"a", DEFLATE)
        breaks(frame(FIN | RSV2 | TEXT, b"a", masks), 1002, masks, other, b"", DEFLATE)
        breaks(frame(FIN | TEXT, b"a\xff", masks), 1007, masks, other, b"a", DEFLATE)
        breaks(frame(FIN | RSV1 | PING, b"", masks), 1002, masks, other, b"", DEFLATE)
    return "RSV1 passes where it is granted, and is 1002 elsewhere"


def test_rsv_on_empty_fragment():
    """The message is compressed, though its first frame holds nothing of it."""
    with relaying() as relay, paired(relay, head_lines(more=DEFLATE), more=DEFLATE) as ends:
        for sender, getter in both_ways(ends):
            sender.put(RSV1 | TEXT, b"")
            sender.put(FIN | CONTINUATION, b"\x4a\x04\x00")
            getter.gets(RSV1 | TEXT, b"\x4a\x04\x00", "a compressed message behind an empty fragment")
        bye(*ends)
    return "RSV1 is kept"


def test_many_small_pieces():
    """A message in 1-octet fragments: all arrive, in order."""
    with relaying() as relay, paired(relay) as (client, origin):
        octets = os.urandom(5000)
        client.send(b"".join(frame((BINARY if i == 0 else CONTINUATION) | (FIN if i == 4999 else 0),
                                   octets[i:i + 1]) for i in range(5000)))
        origin.gets(BINARY, octets)
        bye(client, origin)
    return "5,000 fragments"


def test_alive_after_all():
    with relaying() as relay:
        for _ in range(20):
            with paired(relay) as ends:
                alive(*ends)
                bye(*ends)
        relay.counts('relay_ended_total{by="client_close"}', 20)
        relay.counts("relay_connections", 0)
    return "20 one after another"
