#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the library asks of its surroundings, and what it leaves in them.

usage: symbols.py [--tools PREFIX] FILE.a|FILE.o...
       symbols.py --exports FILE.so HEADER...

The first form: nothing is needed but the memory and string functions named here
and helpers of the compiler; every global begins with tenon_; no writable data but
the one pointer to the kernels of this processor, in cpu.c.
The second: a shared library exports what the headers declare, no more, no less.
"""
import re
import subprocess
import sys

NEEDS = {"memchr", "memcmp", "memcpy", "memmove", "memset", "strchr", "strcmp", "strlen", "strncmp"}
# Arithmetic and switch tables on ARM, and the anchor of position-independent code.
HELPER = re.compile(r"__aeabi_\w+|__gnu_thumb1_case_\w+|_GLOBAL_OFFSET_TABLE_")

# The pointer: in cpu.o, and of its size.
POINTER = re.compile(r"\.data(\.rel(\.local)?)?")

# Constants that hold addresses are in .data.rel.ro when the code may be moved.
WRITABLE = re.compile(r"\.(data(?!\.rel\.ro)|bss|tdata|tbss)|\*COM\*")
CONSTRUCTOR = re.compile(r"\.(init_array|fini_array|ctors|dtors|init|fini)\b")

DECLARED = re.compile(r"^TENON_API\b[^;{]*?\b(tenon_\w+)\s*\(", re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit("symbols: failed: " + " ".join(command))
    return done.stdout.decode()


def symbols(tools, files):
    """Yields where, name and kind: of globals, and of the sections that have octets."""
    for line in run(tools + "nm", "-A", "-P", "-g", *files).splitlines():
        where, rest = line.split(": ", 1)
        name, kind = rest.split()[:2]
        yield where, name, "undefined" if kind in "Uvw" else "defined"
    where = ""
    for line in run(tools + "objdump", "-w", "-h", "-t", *files).splitlines():
        words = line.split()
        if ":     file format" in line:
            where = words[0].rstrip(":")
        elif len(words) > 2 and words[0].isdigit() and words[1].startswith(".") and int(words[2], 16) > 0:
            if re.search(r"\bcpu(\.c)?\.o$", where) and POINTER.fullmatch(words[1]) and int(words[2], 16) == 8:
                continue
            yield where, words[1], "section"
        elif "*COM*" in words:  # in no section yet
            yield where, "*COM* " + words[-1], "section"


def self_contained(tools, files):
    found = list(symbols(tools, files))
    defined = {name for _, name, kind in found if kind == "defined"}
    bad = []
    for where, name, kind in found:
        if kind == "section" and (WRITABLE.search(name) or CONSTRUCTOR.search(name)):
            bad.append("%s: writable data or start-up code: %s" % (where, name))
        elif kind == "defined" and not name.startswith("tenon_"):
            bad.append("%s: global %s does not begin with tenon_" % (where, name))
        elif kind == "undefined" and not (name in NEEDS or name in defined or HELPER.fullmatch(name)):
            bad.append("%s: needs %s" % (where, name))
    if not defined:
        bad.append("no symbols")
    needed = {name for _, name, kind in found if kind == "undefined"} - defined
    return sorted(set(bad)), "%d globals, needs %s" % (len(defined), " ".join(sorted(needed)) or "nothing")


def exports(library, headers):
    declared = set()
    for header in headers:
        with open(header, encoding="utf-8") as file:
            declared.update(DECLARED.findall(COMMENT.sub(" ", file.read())))
    lines = run("nm", "-D", "-P", "--defined-only", library).splitlines()
    exported = {line.split()[0] for line in lines}
    bad = ["exported, but in no header: " + name for name in sorted(exported - declared)]
    bad += ["declared, but not exported: " + name for name in sorted(declared - exported)]
    if not declared:
        bad.append("no declarations")
    return bad, "%d exported, all declared" % len(exported)


def main():
    arguments, tools = sys.argv[1:], ""
    if arguments[0] == "--exports":
        bad, figure = exports(arguments[1], arguments[2:])
    else:
        if arguments[0] == "--tools":
            tools, arguments = arguments[1], arguments[2:]
        bad, figure = self_contained(tools, arguments)
    for message in bad:
        print("symbols: " + message, file=sys.stderr)
    if not bad:
        print("OK symbols: " + figure)
    return 1 if bad else 0


sys.exit(main())
