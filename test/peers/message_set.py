# SPDX-License-Identifier: MIT
"""The messages of messages.txt, for the peers in Python."""
import codecs
import collections

Line = collections.namedtuple("Line", "kind pieces messages")

GOING_AWAY = "1001"  # this code is the server's to send: wait for it

WIDE = b"\xf0\x9f\x98\0\xc2\0\xe2\x82\0"


def octets(pattern, n, size):
    if pattern == "letters":
        return bytes(97 + (n + i) % 26 for i in range(size))
    if pattern == "octets":
        return bytes((n + i + i // 256 + i // 65536) % 256 for i in range(size))
    return bytes(WIDE[i % 9] or 128 + (n + i) % 64 for i in range(size))


def read(path):
    """The lines; a text is a str, anything else bytes."""
    number = 0
    with open(path, encoding="ascii") as file:
        for words in map(str.split, file):
            if not words or words[0].startswith("#"):
                continue
            count, (kind, pattern), pieces = int(words[0]), words[1:3], [int(word) for word in words[3:]]
            messages = [octets(pattern, number + i, sum(pieces)) for i in range(count)]
            number += count
            yield Line(kind, pieces, [data.decode() for data in messages] if kind == "text" else messages)


def cut(line, data):
    """The pieces of a message; a code point is never cut, but goes with its last octet."""
    if isinstance(data, bytes):
        raw, decode = data, lambda piece: piece
    else:
        raw, decode = data.encode(), codecs.getincrementaldecoder("utf-8")().decode
    at = 0
    for size in line.pieces:
        yield decode(raw[at:at + size])
        at += size


def same(got, sent):
    """Raises unless they are the same, and of the same type."""
    if type(got) is not type(sent) or got != sent:
        raise ValueError("expected %s of %d, actual: %s of %d, or other octets"
                         % (type(sent).__name__, len(sent), type(got).__name__, len(got)))


class Score:
    """What came back as it was sent."""

    def __init__(self):
        self.messages = self.octets = self.pings = 0

    def add(self, data):
        self.messages += 1
        self.octets += len(data if isinstance(data, bytes) else data.encode())

    def report(self, code, reason):
        print("closed", code, reason or "")
        print("echoed %d messages, %d octets, %d pings" % (self.messages, self.octets, self.pings))
