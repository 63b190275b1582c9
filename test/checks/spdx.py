#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""One licence line at the top of each file that can carry a comment.

usage: spdx.py [ROOT]      (a git work tree; files that git ignores do not count)
"""
import pathlib
import re
import subprocess
import sys

# In two pieces, so that this file has only the line at its top.
MARK = "SPDX-" + "License-Identifier:"
WANTED = re.compile(r"\W*" + MARK + r" MIT\b\W*")

NO_COMMENTS = re.compile(r"(^|/)LICENSE$|\.json$|(^|/)corpus/")


def judge(path):
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    lines = text.splitlines()
    top = 1 if lines and lines[0].startswith(("#!", "<!doctype")) else 0
    if len(lines) <= top or not WANTED.fullmatch(lines[top]):
        return "line %d is not the licence line" % (top + 1)
    count = sum(MARK in line for line in lines)
    return None if count == 1 else "%d licence lines" % count


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    # Whoever owns the clone, its names may be listed.
    git = ["git", "-c", "safe.directory=*", "-C", str(root)]
    listed = subprocess.run(git + ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            stdout=subprocess.PIPE, check=False)
    if listed.returncode != 0:
        sys.exit("spdx: git cannot list the files")
    names = sorted(n for n in set(listed.stdout.decode().split("\0")) if n and not NO_COMMENTS.search(n))
    names = [n for n in names if (root / n).is_file()]
    bad = [(n, why) for n in names for why in [judge(root / n)] if why]
    if not names:
        bad.append((str(root), "no files"))
    for name, why in bad:
        print("spdx: %s: %s" % (name, why), file=sys.stderr)
    if not bad:
        print("OK spdx: %d files" % len(names))
    return 1 if bad else 0


sys.exit(main())
