# SPDX-License-Identifier: MIT
"""Puts tables that a test run has made into a document.

usage: tables.py DOCUMENT TABLE...

A table of the file NAME.md goes between the lines <!-- NAME --> and <!-- end NAME -->.
"""
import pathlib
import sys


def put(document, name, table):
    """The document with the table in its place."""
    begin, end = "<!-- %s -->\n" % name, "<!-- end %s -->\n" % name
    before, found, rest = document.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise SystemExit("expected the lines %s and %s, actual: not both" % (begin.strip(), end.strip()))
    return before + begin + table.strip() + "\n" + end + after


def main(path, *tables):
    path = pathlib.Path(path)
    old = new = path.read_text(encoding="utf-8")
    for table in map(pathlib.Path, tables):
        new = put(new, table.stem, table.read_text(encoding="utf-8"))
    if new != old:
        path.write_text(new, encoding="utf-8")
    print("OK %d tables, %s" % (len(tables), "written" if new != old else "as they were"))


if __name__ == "__main__":
    main(*sys.argv[1:])
