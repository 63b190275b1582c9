#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the seeds of the fuzzer.

usage: seeds.py [DIRECTORY]      (default: corpus/ beside this file)

A directory for each target. Those of fuzz_conn.c and fuzz_deflate.c begin with a plan:
it is read by plan_limits, plan_program and plan_time there; by plan_side,
round_trip_begin and attack_begin here. What the others begin with is told by the
comment at the top of each.
"""
import pathlib
import sys

HEAD = 24
CLIENT, HTTP, PREPEND, SCRIPT, CHUNKS, RELAY, DROP, PLAIN = (1 << n for n in range(8))

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
REQUEST = (b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
           b"Sec-WebSocket-Key: " + KEY + b"\r\nSec-WebSocket-Version: 13\r\n")
# Of the octets that the fuzzer gives a client for its key.
ACCEPT = b"co/RFh2ahJf1DXmad6CfggKmpfI="
ANSWER = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n")


def plan(how, **octets):
    places = {"limits": 1, "sizes": 2, "grant": 3, "program": 4, "close": 5, "decision": 6, "again": 7, "time": 8,
              "random": 9, "end": 10, "pump": 22}
    head = bytearray(HEAD)
    head[0] = how
    ticks = octets.pop("ticks", [])
    head[19:22] = octets.pop("seed", 1).to_bytes(3, "little")
    for name, value in octets.items():
        head[places[name]] = value
    head[10] |= len(ticks) << 2
    for i, (at, ms) in enumerate(ticks):
        head[11 + 2 * i], head[12 + 2 * i] = at, ms
    return bytes(head)


def frame(first, payload=b"", key=b"\x37\xfa\x21\x3d", size=None):
    n = len(payload) if size is None else size
    mask = 0x80 if key else 0
    if n < 126:
        out = bytes([first, mask | n])
    elif n < 65536:
        out = bytes([first, mask | 126]) + n.to_bytes(2, "big")
    else:
        out = bytes([first, mask | 127]) + n.to_bytes(8, "big")
    if key:
        out += key + bytes(c ^ key[i % 4] for i, c in enumerate(payload))
    else:
        out += payload
    return out


def both(name, how, frames, **octets):
    """A seed for each role: frames is what makes them with or without a key."""
    key = b"\x37\xfa\x21\x3d"
    yield "server_" + name, plan(how, **octets) + frames(key)
    yield "client_" + name, plan(how | CLIENT, **octets) + frames(b"")


def scripts():
    """Frames of each kind, as commands."""
    talk = bytes([0, 5]) + b"hello" + bytes([7, 4, 0x61, 0x80, 0x85, 0x62, 4, 2, 1, 2, 2, 2, 0x63, 0xe2, 3, 1, 0x64,
                                             1, 3, 1, 2, 3, 5, 1, 7, 6, 0])
    long = bytes([9, 40, 9, 255, 4, 63]) + bytes(range(63)) + bytes([6, 0x60, 1, 2, 3])
    empty = bytes([7, 0, 12, 20, 3, 0, 0x4c, 9, 8, 0, 12, 3, 3, 1, 65, 6, 24])
    bad = bytes([0, 1, 65, 13, 3, 0xe2, 0x82, 0x28])
    for name, stream in (("talk", talk), ("long", long), ("empty", empty), ("bad", bad)):
        for chunks in (0, CHUNKS):
            for role in (0, CLIENT):
                yield ("script_%s%s%s" % ("client_" if role else "server_", name, "_chunks" if chunks else ""),
                       plan(HTTP * (not chunks) | PREPEND | SCRIPT | chunks | role, program=len(name) % 8 | 16,
                            again=3, sizes=0x80, seed=len(stream), pump=len(name) & 1) + stream)


def seeds():
    text = "h\u00e9 \u20ac \U0001f600".encode()
    yield "server_request", plan(HTTP, program=1) + REQUEST + b"\r\n" + frame(0x81, b"hi")
    yield "server_offers", plan(HTTP, decision=0x38) + REQUEST + (
        b"Sec-WebSocket-Protocol: chat, x\r\nSec-WebSocket-Extensions: x-fuzz; a=\"1\", y\r\nOrigin: http://a\r\n\r\n")
    yield "server_rejected", plan(HTTP, decision=4) + REQUEST + b"\r\nrest"
    yield "server_later", plan(HTTP, decision=2, time=0x80, ticks=[(20, 1), (255, 5)]) + REQUEST + b"\r\n"
    yield "server_plain", plan(HTTP | PLAIN) + b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"
    yield "server_version", plan(HTTP) + REQUEST.replace(b": 13", b": 8") + b"\r\n"
    yield "server_body", plan(HTTP) + REQUEST + b"Content-Length: 5\r\n\r\nhello"
    yield "client_answer", plan(CLIENT | HTTP, program=1) + ANSWER + b"\r\n" + frame(0x81, b"hi", b"")
    yield "client_chosen", plan(CLIENT | HTTP | PLAIN, decision=0x28) + ANSWER + (
        b"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x-fuzz; a=1\r\n\r\n")
    yield "client_interim", plan(CLIENT | HTTP) + b"HTTP/1.1 100 Go on\r\n\r\n" + ANSWER + b"X: a\r\n b\r\n\r\n"
    yield "client_refused", plan(CLIENT | HTTP) + b"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nbody"
    yield from both("text", 0, lambda k: frame(0x81, text, k) + frame(0x88, b"\x03\xe8bye", k), program=1)
    yield from both("fragments", CHUNKS, lambda k: frame(0x01, text[:2], k) + frame(0x89, b"p", k) +
                    frame(0x00, text[2:5], k) + frame(0x80, text[5:], k), program=2, again=2)
    yield from both("long", 0, lambda k: frame(0x82, bytes(300), k) + frame(0x88, b"", k), program=3, sizes=0x84)
    yield from both("utf8", CHUNKS, lambda k: frame(0x81, b"ok\xed\xa0\x80", k))
    yield from both("utf8_end", 0, lambda k: frame(0x01, b"ok\xf0\x9f", k) + frame(0x80, b"", k))
    yield from both("huge", 0, lambda k: frame(0x82, b"x", k, size=(1 << 63) - 1), limits=2)
    yield from both("rsv", RELAY, lambda k: frame(0xc1, b"\xff\xfe", k) + frame(0x89, b"?", k) +
                    frame(0x88, b"\x03\xe9", k), grant=4, program=0x8c)
    yield from both("rsv_text", CHUNKS, lambda k: frame(0xc1, b"ok\xff\xfe", k), grant=4)
    yield from both("own_close", DROP, lambda k: frame(0x81, b"a", k) + frame(0x81, b"b", k) + frame(0x89, b"c", k) +
                    frame(0x88, b"\x03\xe8", k) + frame(0x81, b"d", k), close=2, program=0x11)
    yield from both("pings", 0, lambda k: frame(0x89, bytes(range(125)), k) * 4 + frame(0x88, b"", k), sizes=0x80)
    yield from both("clock", 0, lambda k: frame(0x8a, b"\0\0\0\1", k) + frame(0x81, b"x", k) * 3, time=0x07,
                    ticks=[(0, 0), (3, 31), (9, 15), (9, 60)])
    # the clock goes on inside a header: that frame counts for the time behind
    yield from both("flood", 0, lambda k: frame(0x89, b"a", k) + frame(0x89, b"b", k) + frame(0x81, b"x", k),
                    limits=0x30, ticks=[(0, 0), (1, 5)])
    yield from both("refs", 0, lambda k: frame(0x82, b"abcdefghij", k) + frame(0x81, b"", k) + frame(0x88, b"", k),
                    limits=0x40, program=0x27)
    yield from both("late", 0, lambda k: frame(0x89, b"a", k) + frame(0x82, bytes(9), k) + frame(0x88, b"", k),
                    sizes=0x40, limits=3, program=0x2a, pump=2)
    yield from scripts()


HOSTILE, UPGRADE, RESET_OUT, RESET_IN = 1, 2, 4, 8
CHUNKS_BOTH = 0xc0


def deflate_plan(how, out_bits=15, in_bits=15, **octets):
    places = {"levels": 3, "levels_client": 4, "sizes": 5, "queue": 6, "more": 7, "cut": 8, "end": 9}
    head = bytearray(13)
    head[0] = how
    head[1] = head[2] = (out_bits - (9 if how & UPGRADE else 8)) | (in_bits - 8) << 3
    head[8] = 0x0a
    head[10] = 1
    for name, value in octets.items():
        head[places[name]] = value
    return bytes(head)


def deflate_seeds():
    hello = b"\x0cHello, hello"
    # each way to send, from both sides; then the same again, and more of it
    talk = bytes([0]) + hello + bytes([9]) + hello + b"\x02" + bytes([2]) + hello + bytes([0x13]) + hello + b"\x06"
    talk += bytes([0x0c]) + hello + b"\x01" + bytes([5]) + b"\x01p" + bytes([6]) + hello + bytes([7]) + hello
    talk += bytes([0x67, 0, 0, 9, 0x6f, 0, 5, 9, 0x80, 99, 0x8a, 30, 0xa1, 60, 0x45, 0x6a, 0, 0, 255])
    bombs = bytes([0x81, 1, 200]) * 3
    raw = bytes.fromhex("f248cdc9c90700")
    for bits in (9, 12, 15):
        yield "talk_%d" % bits, deflate_plan(0, bits, bits, sizes=0xd5, queue=0x0f) + talk
        yield "talk_reset_%d" % bits, deflate_plan(RESET_OUT | RESET_IN | CHUNKS_BOTH, bits, bits, queue=0xcf,
                                                   more=0x55) + talk
    yield "talk_upgrade", deflate_plan(UPGRADE | RESET_IN, 10, 12, sizes=0x0f, queue=0x35, levels=0x11) + talk
    yield "talk_octets", deflate_plan(CHUNKS_BOTH, 15, 9, cut=0x30, queue=0x10) + talk
    yield "talk_plain", deflate_plan(0, 8, 8) + talk
    for kind in range(1, 8):
        # the command, what it is made of, what else the kind takes; in frames of 3, with Pings
        yield "peer_%d" % kind, deflate_plan(HOSTILE, end=6) + (
            bytes([1]) + hello + bytes([0x30 | kind]) + hello + b"\x03\x02" + bytes([8 | kind]) + hello + b"\x01\x02")
    yield "peer_raw", deflate_plan(HOSTILE, end=6) + bytes([0, len(raw)]) + raw + bytes([0, 1, 0, 0, 0])
    yield "peer_bomb", deflate_plan(HOSTILE | CHUNKS_BOTH, end=6) + bombs
    yield "peer_limit", deflate_plan(HOSTILE, end=0) + bombs
    yield "peer_room", deflate_plan(HOSTILE, end=0x12) + bombs
    yield "peer_room_more", deflate_plan(HOSTILE | CHUNKS_BOTH, end=0x52) + bytes([0x81, 1, 20]) + bombs
    yield "peer_window", deflate_plan(HOSTILE, 9, 9, end=14) + bytes([0x81, 2, 60, 0x81, 0, 0, 0, 99, 1]) + hello
    yield "peer_text", deflate_plan(HOSTILE, end=6) + bytes([0x49, 6]) + b"ok\xe2\x82\xac\xff" + bytes([9, 1, 97])


# ------------------------------------------------------------- the small targets

GOOD = (b"Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: " + KEY + b"\r\n")
EURO, GRIN = "\u20ac".encode(), "\U0001f600".encode()


def utf8_seeds():
    yield "ascii", b"plain text, long enough for a word or two"
    yield "mixed", "h\u00e9 \u20ac \U0001f600 \u0800 \ud7ff \ue000 \U0010ffff".encode()
    for name, bad in (("overlong2", b"\xc0\x80"), ("overlong3", b"\xe0\x9f\xbf"), ("overlong4", b"\xf0\x8f\xbf\xbf"),
                      ("surrogate", b"\xed\xa0\x80"), ("beyond", b"\xf4\x90\x80\x80"), ("lead", b"\xf5"),
                      ("stray", b"\x80"), ("broken", b"\xe2\x82a"), ("open2", b"\xdf"), ("open3", b"\xe2\x82"),
                      ("open4", b"\xf0\x9f\x98")):
        yield name, b"ok" + bad
        # behind blocks that a kernel takes: 248 octets and more
        yield "late_" + name, b"\xff\xfa" + EURO + b"\xff\x78" + bad
    for kind in range(8):
        yield "many_%d" % kind, b"a" * kind + bytes([0xff, 0x78 | kind, 0xff, 0x78 | (kind + 3) % 8]) + b"end"


def mask_seeds():
    key = b"\x37\xfa\x21\x3d"
    for phase in range(4):
        yield "long_%d" % phase, key + bytes([phase, phase * 5, 39, 0]) + b"thirty-seven octets of text, as it is"
    yield "text", key + bytes([1, 3, 38, 0]) + "text \u20ac and \U0001f600".encode()
    yield "bad_end", key + bytes([2, 0, 38, 3]) + b"good, good, " + EURO + b"\xed\xa0\x80"
    yield "open_end", key + bytes([3, 1, 38, 2]) + b"good, good, " + EURO + GRIN[:2]
    yield "short", key + bytes([0, 0, 0, 0]) + b"hey"
    yield "bad", key + bytes([0, 0, 20, 0]) + b"\xff\xfe"


def frame_seeds():
    yield "headers", b"\0" + frame(0x81, b"") + frame(0x02, b"", b"") + b"\x8a\x7d\x89\x00\x88\x02"
    yield "lengths", b"\0\x82\x7e\x00\x7e\x82\xfe\xff\xff\1\2\3\4\x82\x7f\0\0\0\0\0\1\0\0\x82\xff\x7f" + b"\xff" * 7 + key4()
    yield "minimal16", b"\0\x82\x7e\x00\x7d"
    yield "minimal64", b"\0\x82\x7f\0\0\0\0\0\0\xff\xff"
    yield "range", b"\0\x82\x7f\x80\0\0\0\0\0\0\0"
    yield "half", b"\0\x82\x7f\0\0\0\1\0\0\0\5"
    yield "control", b"\0\x89\x7e\x09\x00\x88\xfe"
    yield "opcodes", b"\0\x83\0\x87\0\x8b\0\x8f\0"
    for n in range(8):
        numbers = b"".join(bytes([0x01 if i == 0 else 0x00, i, n | i << 3]) for i in range(4))
        yield "sums_%d" % n, bytes([1, n | 0x18]) + numbers + b"\x80\0\x80" + bytes(range(n, n + 8))
    yield "wrap", bytes([1, 0x0d]) + b"\x01\0\x80" + b"\x7f" + b"\xff" * 7 + b"\0\0\x80" + b"\xff" * 8 + b"\x80\0\0"


def key4():
    return b"\x37\xfa\x21\x3d"


def uri_seeds():
    for i, text in enumerate((
            "ws://a", "wss://a.example:8443/chat?x=1", "http://a:80/", "HTTPS://[::1]:443/?", "ws://[fe80::1.2.3.4]",
            "ws://a?q", "ws://a:/b", "ws://a:0/", "ws://a:65535", "ws://a:65536", "ws://a:00080/", "ws://%41b", "ws://%4",
            "ws://u@a/", "ws://a/#f", "ws://a/b c", "ws://[]", "ws://[:]", "ws://[::", "ws:///", "ws://", "wsx://a",
            "a.example:80", "/chat?x=1", "ws://a\u20ac", "ws://a/\0", "ws://a,b;c=d!$&'()*+~_-./%20?a?b")):
        yield "uri_%02d" % i, text.encode()


def head_seeds():
    def request(rest, line=b"GET /chat HTTP/1.1\r\n", how=1, limits=0):
        return bytes([how, limits]) + line + rest + b"\r\n"
    yield "good", request(GOOD)
    yield "offers", request(GOOD + b"Sec-WebSocket-Protocol: x, chat\r\nOrigin: http://a\r\n"
                            b"Sec-WebSocket-Extensions: x-a; b=\"\\1\", x-c\r\n")
    yield "absolute", request(GOOD, b"\r\nGET http://a.example?q HTTP/1.1\r\n")
    yield "absolute_path", request(GOOD, b"GET https://a.example/b HTTP/1.1\r\n")
    yield "old", request(GOOD, b"GET / HTTP/1.0\r\n")
    yield "new", request(GOOD, b"GET / HTTP/2.0\r\n")
    yield "post", request(GOOD, b"POST / HTTP/1.1\r\n")
    yield "method_long", request(b"", b"A" * 40 + b" / HTTP/1.1\r\n")
    yield "short_room", request(GOOD, how=9)
    for n in (1, 2, 4, 8, 16, 32):
        yield "limit_%d" % n, request(GOOD, limits=n)
    for i, line in enumerate((b"Host: b", b"Content-Length: 00", b"Content-Length: 5", b"Transfer-Encoding: chunked",
                              b"Transfer-Encoding: x", b"Expect: 100-continue", b"Sec-WebSocket-Key: x",
                              b"Sec-WebSocket-Version: 8", b"Sec-WebSocket-Protocol: a b", b"Sec-WebSocket-Protocol:",
                              b"Sec-WebSocket-Extensions: a;", b"X : y", b" folded", b"X: \x01", b"X: a\nb", b"X: a\rb",
                              b": empty", b"X:\t \xff \t")):
        yield "more_%02d" % i, request(GOOD + line + b"\r\n")
        yield "put_%02d" % i, bytes([1, 0]) + b"@" + line + b"\r\n"
        yield "answer_%02d" % i, bytes([(i & 7) << 1, 0]) + b"@" + line + b"\r\n"
    yield "answer_chosen", b"\0\0@Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x-a\r\n"
    for accept in (b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", b"S3PPLMBITXAQ9KYGZZHZRBK+XOO=", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo"):
        yield "answer_" + accept[1:4].decode() + str(len(accept)), (
            b"\0\0HTTP/1.1 101 Go\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    yield "answer_folded", b"\0\0@X: a\r\n b\r\n\tc\r\n"
    yield "answer_status", b"\0\0HTTP/1.1 403\r\nContent-Length: 3\r\n\r\n"
    yield "answer_reason", b"\0\0HTTP/1.0 599 Go \xc3\xa4way\r\n\r\nrest"
    yield "answer_bad", b"\0\0HTTP/1.1 099 x\r\n\r\n"


def field_seeds():
    yield "plain", b"Host: a\nX-Y:  b \t\nX-Y:\nz:c,d"
    yield "list", b"B a, b ,,c\nEd\nE,\nCwebsocket, h2c\nC WebSocket"
    yield "list_bad", b"Ba, b c, d"
    yield "list_empty", b"B , ,\nA,"
    yield "extensions", b"Ax-a; b; c=d ; e = \"f\\g\", x-h,x-i;j=1\nA x-k"
    yield "length", b"D0\nD00"
    for i, bad in enumerate((b"x-a;", b"x-a;=b", b"x-a; b=", b"x-a; b=\"\"", b"x-a; b=\"c", b"x-a; b=\"c,d\"", b"x-a b",
                             b"x-a; b=\"\\", b"x-a; b=\"c\"d", b";", b"x/a", b"x-a;;b", b"x-a; b=\"c d\"", b"x-a; b==c")):
        yield "bad_%02d" % i, b"Ax-z, " + bad + b", x-y"


def negotiate_seeds():
    name = b"permessage-deflate"
    offers = (b"", b"; client_max_window_bits", b"; client_max_window_bits=8", b"; client_max_window_bits=15",
              b"; server_max_window_bits=8", b"; server_max_window_bits=12; client_max_window_bits=10",
              b"; server_no_context_takeover", b"; client_no_context_takeover; server_no_context_takeover",
              b"; server_max_window_bits", b"; server_max_window_bits=16", b"; server_max_window_bits=08",
              b"; server_max_window_bits=\"1\\0\"", b"; client_max_window_bits; client_max_window_bits=9",
              b"; server_no_context_takeover=1", b"; x=1", b"; server_no_context_takeover; server_no_context_takeover")
    sides = (b"\xff\x00\xff\x00", b"\x02\x19\xff\x01", b"\x10\x08\x23\x11", b"\x83\x01\x04\x07")
    for i, offer in enumerate(offers):
        yield "offer_%02d" % i, sides[i % 4] + name + offer
    yield "several", sides[0] + name + b"; x, x-a; b=c, " + name + b"; server_max_window_bits=9," + name
    yield "lines", sides[1] + b"x-a\n" + name + offers[1] + b"\n" + name
    yield "broken", sides[2] + name + b"; x, ;" + name
    yield "names", b"\xff\0\xff\0chat,x"
    yield "none", sides[3]


def pair_seeds():
    client, server = 0, 0x80
    talk = b"".join(bytes([side | kind, 5 + kind]) for kind in range(7) for side in (client, server))
    octets = b"".join(bytes([side | what, 3]) for what in (8, 10) for side in (client, server)) * 12
    for how in (0, 1, 3, 0x87):
        for sides in (b"\0\0\0\0", b"\x01\x11\x21\x22", b"\x0b\x55\x33\x30", b"\x3a\x33\x1f\x44"):
            yield "talk_%02x_%02x" % (how, sides[0]), bytes([how]) + sides + talk + octets + talk + b"\x07\x05" + octets + talk
    yield "references", b"\x07\x10\x30\x18\x30" + bytes([2, 90, 0x82, 90, 8, 9, 0x8c, 9, 0x85, 120, 5, 120, 2, 10]) * 2
    yield "too_big", b"\x03\x40\0\x40\0" + bytes([1, 255, 0x81, 250, 8, 15])
    yield "grows", b"\x03\x44\0\x46\0" + bytes([1, 40, 0x81, 45, 2, 90])
    yield "closes", b"\x02\x20\0\x20\0" + bytes([3, 7, 0x83, 9, 7, 2, 9, 1, 0x87, 4, 4, 9])


def run_seeds():
    key, none = key4(), b""
    for role, k in ((0, key), (1, none)):
        stream = (frame(0x81, b"hello", k) + frame(0x01, b"ab", k) + frame(0x89, b"p", k) + frame(0x80, b"c", k) +
                  frame(0x82, bytes(200), k) + frame(0x8a, b"", k) + frame(0x88, b"\x03\xe8bye", k))
        for how in (0, 2 | 4, 8, 16):
            for n, script in enumerate((b"\0" * 12, b"\1\x09\x11" * 4, b"\2\3\0\x0c\4\x14" * 2, b"\4\1\6\x0e\5\x1a\x20\x28" + b"\1" * 4)):
                yield "run_%d_%02d_%d" % (role, how, n), bytes([role | how, (1, 7, 40, 255)[n]]) + script + stream
    yield "aborts", b"\6\x20" + b"\1\7\7\0" + b"\7" * 8 + frame(0x81, b"hello", key)
    yield "refuses", b"\6\x20" + b"\5" * 12 + frame(0x81, b"hello", key)
    yield "late", b"\6\x20" + b"\0" * 12 + frame(0x81, b"hello", key)


def write(out, made):
    out.mkdir(parents=True, exist_ok=True)
    for name, data in made:
        (out / name).write_bytes(data)


def main():
    here = pathlib.Path(__file__).resolve().parent
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "corpus"
    for name, made in (("conn", seeds()), ("deflate", deflate_seeds()), ("frame", frame_seeds()), ("head", head_seeds()),
                       ("field", field_seeds()), ("uri", uri_seeds()), ("utf8", utf8_seeds()), ("mask", mask_seeds()),
                       ("negotiate", negotiate_seeds()), ("pair", pair_seeds()), ("run", run_seeds())):
        write(out / name, made)


main()
