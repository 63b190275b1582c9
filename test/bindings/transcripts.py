#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every transcript through the Python binding: the events and the output that the C
runner expects, octet for octet.

usage: transcripts.py [--filter NAME] [FILE...]      (TENON_LIBRARY names the library)

Each case in each of its roles: its input whole, octet by octet, cut in the middle and
at random; lent as bytes and as a bytearray, pulled, through run and through pump.
"""
import pathlib
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "examples/bindings/python")]

import tenon  # noqa: E402
from transcript_run import Failure, Run, Stream, Variant  # noqa: E402
from transcript_text import read_cases  # noqa: E402

MODES = [("pull", False), ("pull", True), ("run", False), ("run", True), ("pump", False)]
SEEDS = 2
# Octet by octet costs Python much; of long inputs it is done in one mode.
LONG = 600


def variants(role, size):
    for mode, constant in MODES:
        yield Variant(role, mode, constant, "whole", 0)
        yield Variant(role, mode, constant, "one", size // 2)
        if size <= LONG:
            yield Variant(role, mode, constant, "octets", 0)
        for seed in range(1, SEEDS + 1):
            yield Variant(role, mode, constant, "random", seed)
    yield Variant(role, "pull", False, "octets", 1)


def run_case(case):
    """The number of runs; Failure if one is not as expected or its output differs."""
    runs = 0
    for role in case.roles:
        stream, outputs = Stream(case, role), set()
        for variant in variants(role, len(stream.octets)):
            try:
                outputs.add(Run(case, variant, stream).play())
                if len(outputs) > 1:
                    raise Failure("output with masks differs from that of the first variant")
            except Failure as problem:
                raise Failure("%s\n  %s" % (problem, variant)) from problem
            runs += 1
    return runs


def main(arguments):
    wanted = ""
    if arguments[:1] == ["--filter"]:
        wanted, arguments = arguments[1], arguments[2:]
    files = [pathlib.Path(name) for name in arguments] or sorted((HERE.parent / "transcripts").glob("*.txt"))
    passed = failed = runs = 0
    for path in files:
        for case in read_cases(path):
            if wanted not in case.name:
                continue
            try:
                runs += run_case(case)
                passed += 1
            except Failure as problem:
                failed += 1
                print("FAIL python %s %s: %s" % (path.name, case.name, problem), flush=True)
    if failed == 0 and passed > 0:
        print("OK python: %d cases of the transcripts in %d runs, tenon %#x" % (passed, runs, tenon.lib.version()))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
