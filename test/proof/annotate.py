#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A copy of lib/ with the contracts of a specification in it, so that lib/ has none.

usage: annotate.py SPEC LIB OUT

SPEC has sections, and comments with #; what follows each is put, as an annotation, in front of what it names:

  file NAME.c
  function NAME          the contract of its definition
  loop NUMBER            what holds in its NUMBER-th loop

Copies of octets into an integer, and back, become those of wp.h.
"""
import pathlib
import re
import shutil
import sys

SECTION = re.compile(r"(file|function|loop) (\S+)$")
LOOP = re.compile(r"^ +(for|while|do)\b")
COPIES = (
    (re.compile(r"memcpy\(&(\w+), &\w+, 1\);"), r"wp_first(&\1);"),
    (re.compile(r"memcpy\(&(\w+), ([^&]*), ([48])\);"), r"wp_load_\3(&\1, \2);"),
    (re.compile(r"memcpy\(&(\w+), ([^&]*), sizeof word\);"), r"wp_load_8(&\1, (const uint8_t *)(\2));"),
    (re.compile(r"memcpy\(([^&]*), &(\w+), ([48])\);"), r"wp_store_\3(\1, &\2);"),
    (re.compile(r"memcpy\(([^&]*), &(\w+), sizeof word\);"), r"wp_store_8(\1, &\2);"),
)


def sections(path):
    name, text, where = None, [], [None, None]
    for line in path.read_text().splitlines() + ["file -"]:
        match = SECTION.match(line)
        if not match:
            text += [line] if not line.startswith("#") else []
            continue
        if name and name[0] != "file":
            yield tuple(where), name, "\n".join(text).strip()
        name, text = match.groups(), []
        if name[0] == "file":
            where = [name[1], None]
        elif name[0] == "function":
            where[1] = name[1]


def definition(lines, function):
    """The lines of a definition: from its name to the brace that ends it. Of two it is the last:
    the first is for size (TENON_SIMPLE)."""
    head = re.compile(r"^\w.*\b%s\(" % function)
    found = None
    for at, line in enumerate(lines):
        if not head.match(line):
            continue
        rest = [i for i in range(at, len(lines)) if lines[i] in "{}" or lines[i].endswith(";")]
        if rest and lines[rest[0]] == "{":
            found = at, next(i for i in range(at, len(lines)) if lines[i] == "}")
    return found


def put(lines, file, function, name, text):
    found = definition(lines, function)
    if found is None:
        sys.exit("annotate: %s has no function %s any more: renew leaves.spec" % (file, function))
    begin, end = found
    if name[0] == "loop":
        loops = [i for i in range(begin, end) if LOOP.match(lines[i]) and not lines[i - 1].endswith("} while")]
        if len(loops) < int(name[1]):
            sys.exit("annotate: %s of %s has %d loops now: renew leaves.spec" % (function, file, len(loops)))
        begin = loops[int(name[1]) - 1]
    lines.insert(begin, "/*@ " + text.replace("\n", "\n    ") + " */")


def main():
    spec, lib, out = map(pathlib.Path, sys.argv[1:])
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(lib, out)
    for (file, function), name, text in sections(spec):
        path = out / file
        lines = path.read_text().split("\n")
        put(lines, file, function, name, text)
        path.write_text("\n".join(lines))
    for path in out.glob("*.[ch]"):
        text = path.read_text()
        for old, new in COPIES:
            text = old.sub(new, text)
        path.write_text(text)


main()
