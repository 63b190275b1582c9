#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every row of test/requirements.tsv is shown by a test that ran, or waived.

usage: traceability.py --junit FILE.xml --transcripts DIRECTORY --scripts FILE.log

Tests name the rows that they show:

  C           /* covers: id id */ above   static void test(void **state)
  transcripts covers id id        inside  case NAME; suite:N.N.N is no row, but a
              case of the public conformance suite
  scripts     # covers: id id     above   def test_NAME(  or  test_NAME()

What ran and passed is read from what the run left: the output of cmocka within
the results of ctest; the logs of the transcript runner, a line "OK file case"
each; the log of the scripts, a line "OK test_NAME" each.
"""
import argparse
import pathlib
import re
import sys
import xml.etree.ElementTree

HERE = pathlib.Path("test")

C_COVERS = re.compile(r"/\*\s*covers:(.*?)\*/[ \t]*\n?([^\n]*)", re.S)
C_TEST = re.compile(r"static void (\w+)\(void ?\*\* ?\w+\)")
CMOCKA_OK = re.compile(r"\[ +OK \] (\w+)")

SCRIPT_COVERS = re.compile(r"\s*(?:#|//)\s*covers:(.*)")
SCRIPT_TEST = re.compile(r"\s*(?:(?:async\s+)?def\s+|(?:async\s+)?function\s+)?(test_\w+)\s*\(")
SCRIPT_SUFFIXES = {".py", ".sh", ".js", ".mjs"}

problems = []


def rows(path):
    """The fields of each line that is no comment."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def column(path, least):
    """The ids of a table whose lines have at least so many fields, none empty."""
    ids = set()
    for fields in rows(path):
        if len(fields) < least or not all(f.strip() for f in fields):
            problems.append("%s: %s: a field is missing" % (path, fields[0]))
        if fields[0] in ids:
            problems.append("%s: %s is there twice" % (path, fields[0]))
        ids.add(fields[0])
    return ids


def c_claims():
    """Yields (file, test), ids for the cmocka tests."""
    for path in sorted(HERE.glob("test_*.c")):
        text = path.read_text(encoding="utf-8")
        for found in C_COVERS.finditer(text):
            test = C_TEST.match(found.group(2))
            if test:
                yield (path.stem, test.group(1)), re.sub(r"\n\s*\*?", " ", found.group(1)).split()
            else:
                line = text.count("\n", 0, found.start()) + 1
                problems.append("%s:%d: covers without a test below" % (path, line))


def transcript_claims():
    """Yields (file, case), ids for the transcripts."""
    for path in sorted((HERE / "transcripts").glob("*.txt")):
        case = None
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            words = line.split()
            if words[:1] == ["case"] and len(words) > 1:
                case = words[1]
            elif words[:1] in (["covers"], ["covers:"]):
                if case is None:
                    problems.append("%s:%d: covers outside a case" % (path, number))
                yield (path.stem, case), [w for w in words[1:] if not w.startswith("suite:")]


def script_claims():
    """Yields ("", test), ids for the tests in scripts."""
    paths = [p for p in HERE.rglob("*") if p.suffix in SCRIPT_SUFFIXES]
    seen = {}
    for path in sorted(paths):
        if {"checks", "node_modules"} & set(path.parts):
            continue
        ids, since = [], 0
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            covers, test = SCRIPT_COVERS.match(line), SCRIPT_TEST.match(line)
            if covers:
                ids, since = ids + covers.group(1).split(), number
            elif ids and test:
                if test.group(1) in seen:
                    problems.append("%s: %s is also in %s" % (path, test.group(1), seen[test.group(1)]))
                seen[test.group(1)] = path
                yield ("", test.group(1)), ids
                ids = []
            elif ids and not line.strip().startswith(("#", "//", "@")):
                problems.append("%s:%d: covers without a test below" % (path, since))
                ids = []
        if ids:
            problems.append("%s:%d: covers without a test below" % (path, since))


def passed(options):
    """The tests that ran and passed, named as the claims name them."""
    ran = set()
    if not options.junit.is_file():
        sys.exit("traceability: %s is not there: ctest did not run" % options.junit)
    for case in xml.etree.ElementTree.parse(options.junit).iter("testcase"):
        output = case.findtext("system-out") or ""
        ran.update((case.get("name"), test) for test in CMOCKA_OK.findall(output))
    for path in options.transcripts.glob("*.log"):
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            if len(words) == 3 and words[0] == "OK":
                ran.add((pathlib.PurePath(words[1]).stem, words[2]))
    if options.scripts.is_file():
        for line in options.scripts.read_text(encoding="utf-8").splitlines():
            if line.startswith("OK "):
                ran.add(("", line.split()[1]))
    return ran


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--junit", type=pathlib.Path, required=True)
    parser.add_argument("--transcripts", type=pathlib.Path, required=True)
    parser.add_argument("--scripts", type=pathlib.Path, required=True)
    options = parser.parse_args()

    required = column(HERE / "requirements.tsv", 4)
    waived = column(HERE / "waived.tsv", 2)
    ran = passed(options)
    covered, tests = set(), set()
    for claims in (c_claims(), transcript_claims(), script_claims()):
        for test, ids in claims:
            name = " ".join(part for part in test if part)
            tests.add(test)
            covered.update(ids)
            problems.extend("%s covers %s, which is no row" % (name, i) for i in ids if i not in required)
            if not ids:
                problems.append("%s covers nothing" % name)
            if test not in ran:
                problems.append("%s did not run and pass" % name)

    problems.extend("waived.tsv has %s, which is no row" % i for i in sorted(waived - required))
    problems.extend("%s is waived and covered" % i for i in sorted(waived & covered))
    problems.extend("%s has no test" % i for i in sorted(required - waived - covered))
    for problem in dict.fromkeys(problems):
        print("traceability: " + problem, file=sys.stderr)
    if not problems:
        print("OK traceability: %d rows, %d covered by %d tests, %d waived"
              % (len(required), len(covered), len(tests), len(waived)))
    return 1 if problems else 0


sys.exit(main())
