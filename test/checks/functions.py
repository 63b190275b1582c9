#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The length of functions: from the first line of the definition to its brace.

usage: functions.py FILE.c...
"""
import re
import statistics
import sys

LIMIT = 60

# Comments, literals and preprocessor lines: all that may hide a brace.
NOISE = re.compile(
    r"/\*.*?\*/"
    r"|//(?:[^\n\\]|\\.)*"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'(?:[^'\\\n]|\\.)*'"
    r"|^[ \t]*#(?:[^\n\\/]|\\.|/(?!\*)|/\*.*?\*/)*",
    re.S | re.M)

NAME = re.compile(r"(\w+)\s*\(")
EXTERN_C = re.compile(r'extern\s+""\s*$')


def blank(match):
    """What stands for noise: its line ends, and quotes for a literal."""
    text = match.group()
    return ('""' if text[0] in "\"'" else " ") + "\n" * text.count("\n")


def functions(text):
    """Yields name, first line and number of lines of each function."""
    text = NOISE.sub(blank, text)
    depth, begin = 0, 0  # begin: where the current outermost declaration begins
    opened = None
    for at, char in enumerate(text):
        if char == "{":
            if depth == 0:
                if EXTERN_C.search(text[begin:at]):
                    begin = at + 1
                    continue
                opened = at if text[begin:at].rstrip().endswith(")") else None
            depth += 1
        elif char == "}" and depth == 0:
            begin = at + 1
        elif char == "}":
            depth -= 1
            if depth == 0 and opened is not None:
                head = text[begin:opened]
                first = text.count("\n", 0, begin + len(head) - len(head.lstrip())) + 1
                last = text.count("\n", 0, at) + 1
                # The parameters are the last parentheses that are not an attribute.
                names = [n for n in NAME.findall(head) if n not in ("__attribute__", "target", "visibility")]
                yield (names[0] if names else "?"), first, last - first + 1
                begin = at + 1
        elif char == ";" and depth == 0:
            begin = at + 1
    if depth != 0:
        raise ValueError("braces do not match")


def main():
    found, bad = [], []
    for path in sys.argv[1:]:
        try:
            with open(path, encoding="utf-8") as file:
                found += [(size, name, path, line) for name, line, size in functions(file.read())]
        except ValueError as error:
            bad.append("%s: %s" % (path, error))
    bad += ["%s:%d: %s has %d lines, more than %d" % (path, line, name, size, LIMIT)
            for size, name, path, line in found if size > LIMIT]
    if not found:
        bad.append("no functions found")
    for message in bad:
        print("functions: " + message, file=sys.stderr)
    if not bad:
        size, name, path, _ = max(found)
        print("OK functions: %d, median %d lines, longest %d (%s in %s)"
              % (len(found), statistics.median(s for s, *_ in found), size, name, path))
    return 1 if bad else 0


sys.exit(main())
