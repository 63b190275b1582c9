#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the seeds of the fuzzer.

usage: seeds.py [DIRECTORY]      (default: the directory of this file)

Those of fuzz_conn.c go to corpus/: the octets of the plan are read by plan_limits,
plan_program and plan_time; the stream follows. Those of fuzz_deflate.c go to
corpus_deflate/: the plan is read by plan_side, round_trip_begin and attack_begin;
commands follow.
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


def write(out, made):
    out.mkdir(parents=True, exist_ok=True)
    for name, data in made:
        (out / name).write_bytes(data)


def main():
    here = pathlib.Path(__file__).resolve().parent
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    write(out / "corpus", seeds())
    write(out / "corpus_deflate", deflate_seeds())


main()
