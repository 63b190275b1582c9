# SPDX-License-Identifier: MIT
"""The text of a transcript into cases; test/transcript.c describes the format."""
import collections
import re
import struct

import tenon

ROLES = {"server": [tenon.SERVER], "client": [tenon.CLIENT], "both": [tenon.SERVER, tenon.CLIENT]}
FRAMES = {"cont": 0, "text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}
OPCODES = {"text": tenon.TEXT, "binary": tenon.BINARY, "control": tenon.OP_PING}
CONFIG_FLAGS = {"chunks": tenon.CHUNKS, "relay": tenon.RELAY, "plain_get": tenon.PLAIN_GET,
                "require_subprotocol": tenon.REQUIRE_SUBPROTOCOL, "drop_after_close": tenon.DROP_AFTER_CLOSE}
ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\", '"': b'"'}
WANTS = {name: getattr(tenon, name if name.startswith("FREE_") else "WANTS_" + name) for name in (
    "READ", "WRITE", "RX", "TX", "DECISION", "SHUT_WR", "CLOSE", "NEXT", "FREE_DEFLATE", "FREE_INFLATE")}
STATES = {tenon.state_name(state): state for state in range(4)}
EVENTS = {tenon.event_name(kind): kind for kind in range(1, 12)}
ERRORS = {kind.name[len("TENON_ERR_"):]: status for status, kind in tenon.ERRORS.items()}
MARKS = {"first": 1, "last": 2, "cut": 4}

TOKEN = re.compile(r' *([^ "]*)(?:"((?:[^"\\]|\\.)*)"(?:\*(\d+))?)?(?= |$)')

# word: of key="value" it is key= ; value: what was quoted, or None.
Token = collections.namedtuple("Token", "word value")
Action = collections.namedtuple("Action", "line name tokens status event")


class Step:
    """kind: input, do, tick, eof or check. For a check: what must have come."""

    def __init__(self, kind, line):
        self.kind, self.line = kind, line
        self.octets, self.raw, self.ms, self.action = b"", False, 0, None
        self.log, self.out, self.wire = [], b"", None
        self.shut = self.silent = False
        self.state = self.deadline = self.wants = None  # deadline: a number, or "never"


class Case:
    def __init__(self, name, line):
        self.name, self.line = name, line
        self.roles, self.limits, self.flags = [], {}, 0
        self.rx = self.tx = 4096
        self.grow = self.handshake = self.ticks = False
        self.deflate = None
        self.random_fails = 0
        self.on, self.steps = [], []


def unescape(text):
    out, at = b"", 0
    while at < len(text):
        if text[at] != "\\":
            out += text[at].encode()
            at += 1
        elif text[at + 1] == "x":
            out += bytes.fromhex(text[at + 2:at + 4])
            at += 4
        else:
            out += ESCAPES[text[at + 1]]
            at += 2
    return out


def split(line):
    tokens, at = [], 0
    while line[at:].strip(" "):
        if re.match(r" *#( |$)", line[at:]):
            break
        found = TOKEN.match(line, at)
        if not found or found.end() == at:
            raise ValueError("not a word: " + line[at:])
        word, quoted, times = found.groups()
        tokens.append(Token(word, None if quoted is None else unescape(quoted) * int(times or 1)))
        at = found.end()
    return tokens


def keys(tokens):
    """key="value" and key=word by their keys."""
    found = {}
    for word, value in tokens:
        name, sign, rest = word.partition("=")
        if sign:
            found.setdefault(name, rest if value is None else value)
    return found


def items(tokens):
    out = b""
    for word, value in tokens:
        if value is None:
            digits, _, times = word.partition("*")
            value = bytes.fromhex(digits) * int(times or 1)
        elif word:
            raise ValueError("octets are wanted, not " + word)
        out += value
    return out


def data_of(tokens):
    """The octets that tokens stand for: items, or a frame without mask."""
    if not tokens or tokens[0].value is not None or tokens[0].word.rstrip("+") not in FRAMES:
        return items(tokens)
    name, rest = tokens[0].word, tokens[1:]
    first = FRAMES[name.rstrip("+")] | (0 if name.endswith("+") else 0x80)
    payload = b""
    if first & 15 == 8 and rest and rest[0].value is None and re.fullmatch(r"\d{4}", rest[0].word):
        payload, rest = struct.pack("!H", int(rest[0].word)), rest[1:]
    payload += items(rest)
    return tenon.frame_encode(first, len(payload)) + payload


def number(token):
    return tenon.OFF if token.word == "off" else int(token.word)


# ------------------------------------------------------------- expectations

def divide(tokens):
    """What stands in front of the marks, and the marks."""
    def is_mark(token):
        return token.value is None and (token.word in ("first", "last", "cut", "own", "plain") or "=" in token.word)
    at = next((i for i, token in enumerate(tokens) if is_mark(token)), len(tokens))
    return tokens[:at], tokens[at:]


def expected_data(tokens):
    value, marks = divide(tokens[1:])
    found = keys(marks)
    bits = sum(MARKS[mark.word] for mark in marks if not mark.word.startswith("rsv="))
    return ("DATA", tokens[0].word, data_of(value), int(found.get("rsv", 0)), bits)


def expected_request(tokens):
    found = keys(tokens)
    return ("REQUEST", tokens[0].word.encode(), found["authority"], found.get("origin"), tokens[-1].word == "plain")


def expected_closed(tokens):
    found = keys(tokens)
    if set(found) - set("code sent received cause rule at clean reason".split()):
        raise ValueError("unknown word of closed")
    numbers = tuple(int(found.get(name, 0)) for name in ("code", "sent", "received"))
    rule = found.get("rule", "NONE")
    tenon.RULES[rule]
    return ("CLOSED", *numbers, found["cause"], rule, int(found.get("at", 0)), found.get("clean", "no") == "yes",
            found.get("reason", b""))


def expected_event(tokens):
    kind, rest = tokens[0].word, tokens[1:]
    if kind == "DATA":
        return expected_data(rest)
    if kind == "REQUEST":
        return expected_request(rest)
    if kind == "RESPONSE":
        return (kind, int(rest[0].word), data_of(rest[1:]))
    if kind == "CLOSE":
        return (kind, int(rest[0].word), data_of(rest[1:]))
    if kind == "OPEN":
        return (kind, data_of(rest) if rest else None)
    if kind == "PONG":
        value, marks = divide(rest)
        return (kind, data_of(value), int(keys(marks)["rtt"]) if marks else None)
    if kind not in ("BODY", "PING"):
        raise ValueError("no such event: " + kind)
    return (kind, data_of(rest))


# -------------------------------------------------------------------- lines

def action_of(tokens, line, event=None):
    status = 0
    if len(tokens) > 2 and tokens[-2].word == "->":
        status, tokens = ERRORS[tokens[-1].word], tokens[:-2]
    return Action(line, tokens[0].word, tokens[1:], status, event)


def deflate_line(tokens):
    settings, flags = {}, 0
    names = {"required": tenon.DEFLATE_REQUIRED, "reset_out": tenon.DEFLATE_RESET_OUT,
             "reset_in": tenon.DEFLATE_RESET_IN}
    for token in tokens:
        name, sign, value = token.word.partition("=")
        if sign:
            settings[{"out": "out_bits", "in": "in_bits", "threshold": "threshold"}[name]] = int(value)
        else:
            flags |= names[name]
    return dict(settings, flags=flags)


def config_line(case, tokens):
    name = tokens[0].word
    if name == "deflate":
        case.deflate = deflate_line(tokens[1:])
    elif name in CONFIG_FLAGS:
        case.flags |= CONFIG_FLAGS[name]
    elif name in ("grow", "handshake"):
        setattr(case, name, True)
    elif name in ("rx", "tx", "random_fails"):
        setattr(case, name, number(tokens[1]))
    elif name in tenon.LIMITS:
        case.limits[name] = number(tokens[1])
    else:
        raise ValueError("unknown setting " + name)


def step_line(case, word, rest, line):
    if word not in ("in", "raw", "start", "do", "tick", "eof"):
        return False
    step = Step({"in": "input", "raw": "input", "start": "input"}.get(word, word), line)
    case.steps.append(step)
    if word in ("in", "raw"):
        step.octets, step.raw = data_of(rest), word == "raw"
    if word == "do":
        step.action = action_of(rest, line)
    if word == "tick":
        step.ms, case.ticks = int(rest[0].word), True
    return True


def check_line(case, word, rest, line):
    if not case.steps or case.steps[-1].kind != "check":
        case.steps.append(Step("check", line))
    want = case.steps[-1]
    if word == "event":
        want.log.append(expected_event(rest))
    elif word == "closed":
        want.log.append(expected_closed(rest))
    elif word == "out":
        want.out += data_of(rest)
    elif word == "wire":
        want.wire = (want.wire or b"") + data_of(rest)
    elif word in ("shut", "silent"):
        setattr(want, word, True)
    elif word == "state":
        want.state = STATES[rest[0].word]
    elif word == "deadline":
        want.deadline = "never" if rest[0].word == "never" else int(rest[0].word)
    elif word == "wants":
        want.wants = sum(WANTS[token.word] for token in rest)
    else:
        raise ValueError("unknown keyword " + word)


def take_line(cases, tokens, line):
    word, rest = tokens[0].word, tokens[1:]
    if word == "case":
        cases.append(Case(rest[0].word, line))
        return
    case = cases[-1]
    if word == "role":
        case.roles = ROLES[rest[0].word]
    elif word == "config":
        config_line(case, rest)
    elif word == "on":
        case.on.append(action_of(rest[1:], line, EVENTS[rest[0].word]))
    elif word != "covers" and not step_line(case, word, rest, line):
        check_line(case, word, rest, line)


def read_cases(path):
    """The cases of a file; what is not understood is an error."""
    cases = []
    for line, text in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        try:
            tokens = split(text)
            if tokens:
                take_line(cases, tokens, line)
        except (ValueError, KeyError, IndexError) as problem:
            raise SystemExit("%s:%d: %r" % (path, line, problem)) from problem
    return cases
