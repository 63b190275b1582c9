#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the tests have reached, from what llvm-cov exports.

usage: judge.py EXPORT.json

Code of a header counts once: what one of the files that include it reaches is
reached. Prints a line for each file of lib/, a line for each place that is not
reached, and a line for all; exit status 1 if there is such a place.
"""
import json
import os
import sys

MEASURES = ("lines", "branches", "conditions")


def new_file():
    return {measure: {} for measure in MEASURES}


def add(places, place, reached):
    places[place] = places.get(place, False) or reached


def add_lines(file, segments):
    """A line counts where code begins in it or goes on from the one before, and is
    reached if some code in it is."""
    around = None  # the segment that the line begins in
    at = 0
    for line in range(segments[0][0], segments[-1][0] + 1) if segments else ():
        inside = []
        while at < len(segments) and segments[at][0] == line:
            inside.append(segments[at])
            at += 1
        counts = [s[2] for s in inside if s[3] and s[4] and not s[5]]
        if around is not None and around[3] and not around[5]:
            counts.append(around[2])
        if around is not None and around[5]:  # from a gap between two statements: what comes behind it
            counts += [s[2] for s in inside[:1] if s[3] and not s[5]]
        if counts:
            add(file["lines"], (line, 1, "line not reached"), max(counts) > 0)
        if inside:
            around = inside[-1]


def add_function(files, function):
    names = function["filenames"]
    for branch in function["branches"]:
        file = files.setdefault(names[branch[6]], new_file())
        for side, count in (("true", branch[4]), ("false", branch[5])):
            add(file["branches"], (branch[0], branch[1], "branch never " + side), count > 0)
    for record in function["mcdc_records"]:
        place = tuple(record[:4])
        file = files.setdefault(names[0], new_file())
        for number, shown in enumerate(record[-1], 1):
            what = "condition %d of %d, up to %d:%d, decides nothing" % (number, len(record[-1]), *place[2:])
            add(file["conditions"], place[:2] + (what,), shown)


def ratio(places):
    return sum(places.values()), len(places)


def figure(reached, count):
    return "%d of %d" % (reached, count)


def main():
    with open(sys.argv[1], encoding="utf-8") as export:
        data = json.load(export)["data"][0]
    files = {}
    for file in data["files"]:
        add_lines(files.setdefault(file["filename"], new_file()), file["segments"])
    for function in data["functions"]:
        add_function(files, function)
    root = os.path.join(os.getcwd(), "lib", "")
    files = {name[len(root):]: file for name, file in sorted(files.items()) if name.startswith(root)}
    total = dict.fromkeys(MEASURES, (0, 0))
    missing = []
    for name, file in files.items():
        found = {measure: ratio(file[measure]) for measure in MEASURES}
        if found["lines"][1] == 0:
            continue
        print("lib/%-22s" % name, ", ".join("%s %s" % (measure, figure(*found[measure])) for measure in MEASURES))
        total = {m: (total[m][0] + found[m][0], total[m][1] + found[m][1]) for m in MEASURES}
        missing += ["lib/%s:%d:%d: %s" % (name, *place)
                    for measure in MEASURES for place, reached in sorted(file[measure].items()) if not reached]
    for place in missing:
        print(place)
    good = total["lines"][1] > 0 and not missing
    print("%s coverage: %s" % ("OK" if good else "FAIL", ", ".join(
        "%s %s (%.2f %%)" % (m, figure(*total[m]), 100 * total[m][0] / max(total[m][1], 1)) for m in MEASURES)))
    return 0 if good else 1


sys.exit(main())
