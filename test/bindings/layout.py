#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares what the bindings declare with what a C compiler makes of the headers.

usage: layout.py BUILD_DIR [NAME=COMMAND]...

Each command prints what a binding declares; a field's size is - if its language does
not tell:

    struct NAME SIZE
    field STRUCT FIELD OFFSET SIZE
    number NAME VALUE

A C program with sizeof and offsetof of the same names says what is right. Between the
fields of a struct there must be no more room than their alignment takes, so that none
was forgotten.
"""
import collections
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 60


def declared(command):
    """The lines of a binding, split."""
    done = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, timeout=SECONDS, check=True)
    return [line.split() for line in done.stdout.decode().splitlines() if line.strip()]


def program(names):
    """C that prints the same lines, and the alignment of each field."""
    yield "#include <stdio.h>\n#include <stddef.h>\n#include <tenon/zlib.h>\n#include <tenon/frame.h>"
    yield "#include <tenon/handshake.h>\nint main(void)\n{"
    for kind, *words in sorted(names):
        if kind == "struct":
            yield '    printf("struct %s %%lu\\n", (unsigned long)sizeof(%s));' % (words[0], words[0])
        elif kind == "field":
            owner, field = words
            yield '    printf("field %s %s %%lu %%lu\\n", (unsigned long)offsetof(%s, %s),' % (owner, field, owner, field)
            yield "           (unsigned long)sizeof(((%s *)0)->%s));" % (owner, field)
        else:
            yield '    printf("number %s %%lld\\n", (long long)%s);' % (words[0], words[0])
    yield "    return 0;\n}"


def compiled(names, build):
    """What the compiler says of the names."""
    source, binary = build / "layout.c", build / "layout"
    source.write_text("/* made by layout.py */\n" + "\n".join(program(names)) + "\n", encoding="ascii")
    subprocess.run(["cc", "-std=c99", "-I", str(ROOT / "include"), str(source), "-o", str(binary)], check=True,
                   timeout=SECONDS)
    return {tuple(line[:-2] if line[0] == "field" else line[:-1]): line for line in declared(str(binary))}


def name_of(line):
    return tuple(line[:3] if line[0] == "field" else line[:2])


def gaps(lines, truth):
    """Structs in which the fields leave more room than alignment takes."""
    fields = collections.defaultdict(list)
    for line in lines:
        if line[0] == "field":
            _, owner, field, offset, size = truth[name_of(line)]
            fields[owner].append((int(offset), int(size), field))
    for owner, found in fields.items():
        at = 0
        for offset, size, field in sorted(found) + [(int(truth["struct", owner][2]), 8, "the end")]:
            if offset - at >= min(size, 8) or offset < at:
                yield "%s: %d octets in front of %s are not declared" % (owner, offset - at, field)
            at = offset + size


def judge(name, lines, truth):
    """Prints what differs; whether nothing did."""
    problems = list(gaps(lines, truth))
    for line in lines:
        right = truth[name_of(line)]
        if any(mine not in ("-", its) for mine, its in zip(line, right)):
            problems.append("%s, and C has %s" % (" ".join(line), " ".join(right[len(name_of(line)):])))
    for problem in problems:
        print("FAIL %s layout: %s" % (name, problem))
    if not lines:
        print("FAIL %s layout: nothing is declared" % name)
    if lines and not problems:
        count = collections.Counter(line[0] for line in lines)
        print("OK %s layout: %d structs, %d fields, %d numbers as C has them"
              % (name, count["struct"], count["field"], count["number"]))
    return bool(lines) and not problems


def main():
    build = pathlib.Path(sys.argv[1])
    bindings = {name: declared(command) for name, _, command in (word.partition("=") for word in sys.argv[2:])}
    truth = compiled({name_of(line) for lines in bindings.values() for line in lines}, build)
    good = [judge(name, lines, truth) for name, lines in bindings.items()]
    return 0 if good and all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
