#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The constants of the public headers, which compilers put into programs: their
values must stay, and no description of a binary knows them.

usage: constants.py INCLUDE OUT      writes OUT, one line each: name, value
       constants.py --compare OLD NEW

The second form: what OLD has must be in NEW, as it was, but for the version.
"""
import pathlib
import re
import subprocess
import sys

COMMENT = re.compile(r"/\*.*?\*/", re.S)
MACRO = re.compile(r"^#define (TENON_\w+) (\S.*)$", re.M)
ENUM = re.compile(r"\benum\s*\w*\s*\{([^}]*)\}")
NO_NUMBER = re.compile(r"__attribute__|TENON_API")
HEAD = "# SPDX-" + "License-Identifier: MIT\n"


def names(include):
    found = set()
    for path in sorted((include / "tenon").glob("*.h")):
        text = COMMENT.sub(" ", path.read_text(encoding="utf-8"))
        found.update(name for name, value in MACRO.findall(text) if not NO_NUMBER.search(value))
        for body in ENUM.findall(text):
            found.update(re.findall(r"(?:^|,)\s*(\w+)", body))
    return sorted(found)


def write(include, out):
    lines = ["#include <stdio.h>"]
    lines += ["#include <tenon/%s>" % path.name for path in sorted((include / "tenon").glob("*.h"))]
    lines += ["int main(void)", "{"]
    lines += ['    printf("%s %%lld\\n", (long long)(%s));' % (name, name) for name in names(include)]
    lines += ["    return 0;", "}", ""]
    source, program = out.with_suffix(".c"), out.with_suffix(".program")
    source.write_text("\n".join(lines), encoding="utf-8")
    subprocess.run(["gcc", "-I%s" % include, str(source), "-o", str(program)], check=True)
    done = subprocess.run([str(program.resolve())], stdout=subprocess.PIPE, check=True)
    out.write_text(HEAD + done.stdout.decode(), encoding="utf-8")


def read(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split() for line in lines if not line.startswith("#"))


def compare(old, new):
    bad = []
    for name, value in old.items():
        if name not in new:
            bad.append("%s is gone" % name)
        elif new[name] != value and not name.startswith("TENON_VERSION_"):
            bad.append("%s was %s, and is %s" % (name, value, new[name]))
    bad += ["%s is new" % name for name in new if name not in old]
    if len(old) < 100:
        bad.append("only %d constants are described" % len(old))
    for message in bad:
        print("constants: " + message, file=sys.stderr)
    return 1 if bad else 0


if sys.argv[1] == "--compare":
    sys.exit(compare(read(pathlib.Path(sys.argv[2])), read(pathlib.Path(sys.argv[3]))))
write(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
