#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Transcripts in a form that a program of any language reads without a parser.

usage: transcript_dump.py FILE...      (TENON_LIBRARY names the library)

A line is words with tabs between them, the first says what it is. Octets are = and
hexadecimal digits; - stands for what is not there.

    case FILE NAME LINE ROLES RX TX GROW HANDSHAKE TICKS RANDOM_FAILS FLAGS
    limit NAME NUMBER
    deflate FLAGS OUT IN THRESHOLD
    on EVENT LINE STATUS ACTION...
    input LINE RAW OCTETS
    do LINE STATUS ACTION...
    tick LINE MS
    eof LINE
    check LINE WIRE OUT SHUT STATE DEADLINE WANTS
    log EVENT...        of the check in front
"""
import pathlib
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "examples/bindings/python")]

import tenon  # noqa: E402
import transcript_text as text  # noqa: E402
from transcript_run import Run  # noqa: E402


def octets(value):
    if isinstance(value, str):
        value = value.encode()
    return "-" if value is None else "=" + bytes(value).hex()


def number(value):
    return "-" if value is None else str(int(value))


def action(one):
    """The name of an action and its arguments, all of them, in a fixed order."""
    name, tokens, found = one.name, one.tokens, text.keys(one.tokens)
    words = {token.word for token in tokens}
    if name in ("send", "part", "ref", "prepared", "ping", "pong"):
        opcode, data, flags = Run.message(tokens)
        return [name, number(opcode or 0), octets(data), number(flags)]
    if name == "close":
        code = tokens[0].word
        return [name, number(tenon.CLOSE_NONE if code == "none" else code), octets(text.items(tokens[1:]))]
    if name == "abort":
        return [name, number(tenon.REMOTE if "remote" in words else tenon.LOCAL)]
    header = [octets(part) for part in (Run.headers(found) or [(None, None)])[0]]
    if name == "accept":
        return [name, octets(found.get("protocol")), octets(found.get("extensions")), *header]
    if name == "reject":
        return [name, tokens[0].word, octets(found.get("reason")), *header, octets(found.get("body", b"")),
                number(tenon.COPY if "copy" in words else 0)]
    if name == "connect":
        parts = ("uri", "authority", "target", "origin", "extensions", "protocol")
        return [name, *(octets(found.get(part)) for part in parts), *header]
    if name == "head":
        return [name, tokens[0].word, octets(tokens[1].value)]
    if name == "grant":
        return [name, number(int(found.get("first", 0)) << 4), number(int(found.get("next", 0)) << 4),
                number(tenon.OPAQUE if "opaque" in words else 0)]
    return [name, *(token.word for token in tokens)]


def event(line):
    """An event as words: numbers, truths and names as they are, octets in digits."""
    def word(value):
        if isinstance(value, bool):
            return str(int(value))
        return value if isinstance(value, str) else number(value) if isinstance(value, int) else octets(value)
    return [line[0], *map(word, line[1:])]


def step(one):
    if one.kind == "input":
        yield ["input", one.line, int(one.raw), octets(one.octets)]
    elif one.kind == "do":
        yield ["do", one.line, one.action.status, *action(one.action)]
    elif one.kind == "check":
        deadline = tenon.NEVER if one.deadline == "never" else one.deadline
        yield ["check", one.line, octets(one.wire), octets(one.out), int(one.shut), number(one.state),
               number(deadline), number(one.wants)]
        yield from (["log", *event(line)] for line in one.log)
    else:
        yield [one.kind, one.line] + ([one.ms] if one.kind == "tick" else [])


def lines(path):
    for case in text.read_cases(path):
        yield ["case", path.name, case.name, case.line, sum(case.roles), case.rx, case.tx, int(case.grow),
               int(case.handshake), int(case.ticks), case.random_fails, case.flags]
        yield from (["limit", name, value] for name, value in case.limits.items())
        if case.deflate is not None:
            yield ["deflate"] + [case.deflate.get(name, 0) for name in ("flags", "out_bits", "in_bits", "threshold")]
        yield from (["on", one.event, one.line, one.status, *action(one)] for one in case.on)
        for one in case.steps:
            yield from step(one)


def main():
    for name in sys.argv[1:]:
        for line in lines(pathlib.Path(name)):
            print("\t".join(map(str, line)))


if __name__ == "__main__":
    main()
