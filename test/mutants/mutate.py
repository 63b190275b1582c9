#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Changes lib/ in small ways, one at a time, and asks whether a test notices.

usage: mutate.py [--all | --sample N] [--seed S] [--file lib/x.c]... [--jobs N]
                 [--build DIR] [--line N] [--verbose] [--equivalent]

--sample N    so many mutants, drawn with --seed (1); default 300
--all         each mutant; takes hours
--file        only those of this file; more than one may be given
--line N      only those of this line
--verbose     says for each mutant what killed it
--equivalent  runs those listed as equivalent: none may be killed

For each mutant the files that it is a part of are compiled with -O1. What does not
compile is no mutant, and what compiles to the same octets as the original is none
either. Then run, the quickest first, until one fails: the unit tests of the file itself (of
its name, or in OWN), the other unit tests that call it, and the transcripts; of the last
two those that take longer than SLOW are left out. What survives is run again with the
sanitizers, where the others but QUICK ones are left out.

equivalent.txt lists mutants that no test can tell from the original, each with its
reason. An entry that stands for no mutant is an error. One that stands for several
excuses those that survive.

Prints each survivor, a line for each file, and a line for all; exit status 0 if at
least 95 % of the mutants that are not equivalent were killed.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from mutants import mutants_of

SLOW = 1.0       # seconds that a test may take to be run for each mutant
QUICK = 0.3      # and with the sanitizers
LEAST = 95       # per cent
OWN = {  # where it is not the test of the same name
    "compress": ["compress", "inflate"], "kernel_avx2": ["cpu"], "kernel_ssse3": ["cpu"],
    "prepare": ["deflate"], "recv": ["recv", "inflate"], "send": ["send", "compress"], "zlib": ["deflate"],
}
HERE = pathlib.Path(__file__).resolve().parent
COMPILE = ["gcc", "-std=c99", "-Iinclude", "-Ilib", "-Itest",
           "-Werror=int-conversion", "-Werror=incompatible-pointer-types", "-Werror=uninitialized"]
MODES = {"plain": ["-O1"], "sanitized": ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]}
LIBRARIES = ["-lcmocka", "-lz"]
NAME = re.compile(r"\btenon_\w+")
INCLUDE = re.compile(r'^#include "([\w/.]+)"', re.M)


def limits():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 24, 1 << 24))


def limits_plain():
    limits()
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))


def run(command, seconds, environment=None, preexec=limits):
    """The exit status, or None where time is over."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False,
                              stderr=subprocess.DEVNULL, timeout=seconds, env=environment, preexec_fn=preexec).returncode
    except subprocess.TimeoutExpired:
        return None


def must(command):
    if run(command, 300) != 0:
        sys.exit("mutate: failed: " + " ".join(map(str, command)))


def name_of(test):
    """The program that a test is run with."""
    return "transcript" if test.endswith(".txt") else test


class Tests:
    """All that is built from the original, and which tests a file is a matter of."""

    def __init__(self, build, jobs):
        self.build = build
        self.sources = sorted(p.as_posix() for p in pathlib.Path("lib").rglob("*.c"))
        self.units = sorted(p.stem for p in pathlib.Path("test").glob("test_*.c"))
        self.includes = {p.as_posix(): INCLUDE.findall(p.read_text(encoding="utf-8"))
                         for p in pathlib.Path("lib").rglob("*.[ch]")}
        self.names = {name: set(NAME.findall(pathlib.Path("test/%s.c" % name).read_text(encoding="utf-8")))
                      for name in self.units}
        self.lock, self.done, self.times = threading.Lock(), {}, {}
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            list(pool.map(lambda source: self.compile("plain", source), self.sources))
        self.archive("plain")

    def object(self, mode, source):
        return self.build / mode / (pathlib.Path(source).stem + ".o")

    def compile(self, mode, source):
        self.object(mode, source).parent.mkdir(exist_ok=True)
        must(COMPILE + MODES[mode] + ["-c", source, "-o", self.object(mode, source)])
        return self.object(mode, source)

    def archive(self, mode):
        must(["ar", "rcs", self.build / mode / "lib.a"] + [self.object(mode, source) for source in self.sources])
        self.done[mode, "lib.a"] = True

    def prepare(self, mode, test):
        """What test is linked from is there."""
        with self.lock:
            if (mode, "lib.a") not in self.done:
                for source in self.sources:
                    self.compile(mode, source)
                self.archive(mode)
            if (mode, test) not in self.done:
                parts = sorted(pathlib.Path("test").glob("transcript*.c" if test == "transcript" else test + ".c"))
                self.done[mode, test] = [self.compile(mode, part) for part in parts]

    def prepare_all(self, files, jobs):
        """Builds the tests of these files, and takes their time."""
        wanted = {test for file in files for test in self.candidates(file)}
        for name in {name_of(test) for test in wanted}:
            self.prepare("plain", name)
            must(self.link("plain", name, [], self.build / "plain" / name))
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            self.times.update(pool.map(self.time, sorted(wanted)))

    def link(self, mode, name, objects, out):
        return COMPILE[:1] + MODES[mode] + [*self.done[mode, name], *objects,
                                           self.build / mode / "lib.a", *LIBRARIES, "-o", out]

    @staticmethod
    def globals(path):
        lines = subprocess.run(["nm", "-P", "-g", "--defined-only", path], stdout=subprocess.PIPE, check=True)
        return {line.split()[0] for line in lines.stdout.decode().splitlines()}

    @staticmethod
    def command(directory, test):
        return [directory / name_of(test)] + [test] * test.endswith(".txt")

    def time(self, test):
        since = time.monotonic()
        status = run(self.command(self.build / "plain", test), 60 if test in self.units else 3 * SLOW)
        if status is None:
            return test, float("inf")
        if status != 0:
            sys.exit("mutate: %s fails without any change: %s" % (test, status))
        return test, time.monotonic() - since

    def includers(self, file):
        """The sources that a file is a part of."""
        if file.endswith(".c"):
            return [file]
        name, found = pathlib.Path(file).name, []
        for other, included in self.includes.items():
            if name in included:
                found += self.includers(other)
        return sorted(set(found))

    def own(self, file):
        """The unit tests of the file itself."""
        stems = {pathlib.Path(source).stem for source in [file] + self.includers(file)}
        return {"test_" + test for stem in stems for test in OWN.get(stem, [stem]) if "test_" + test in self.units}

    def candidates(self, file):
        """The tests of a file: its own, and others."""
        defined = set()
        for source in self.includers(file):
            defined |= self.globals(self.object("plain", source))
        own = sorted(self.own(file))
        calling = [name for name in self.units if self.names[name] & defined]
        scripts = [p.as_posix() for p in pathlib.Path("test/transcripts").glob("*.txt")]
        return [name for name in dict.fromkeys(own + calling + scripts) if name.endswith(".txt") or name in self.units]

    def of(self, file, mode):
        """Those that are run, in order."""
        own = self.own(file)
        tests = sorted(self.candidates(file), key=self.times.get)
        return [test for test in tests if test in own or self.times[test] <= (SLOW if mode == "plain" else QUICK)]


class Trial:
    """One mutant, in a directory of its own."""

    def __init__(self, tests, mutant):
        self.tests, self.mutant = tests, mutant
        self.directory = pathlib.Path(tempfile.mkdtemp(dir=tests.build))

    def compile(self, mode):
        """The objects; None if it does not compile or is the same as the original."""
        sources = self.directory / "lib"
        if mode == "plain":
            shutil.copytree("lib", sources)
            (self.directory / self.mutant.file).write_text(self.mutant.text, encoding="utf-8")
        objects, same = [], True
        for source in self.tests.includers(self.mutant.file):
            out = self.directory / mode / (pathlib.Path(source).stem + ".o")
            out.parent.mkdir(exist_ok=True)
            command = [str(sources) if part == "lib" else part for part in COMPILE]
            command[command.index("-Ilib")] = "-I%s" % sources
            if run(command + MODES[mode] + ["-c", self.directory / source, "-o", out], 60) != 0:
                return None
            objects.append(out)
            same = same and out.read_bytes() == self.tests.object("plain", source).read_bytes()
        return None if same and mode == "plain" else objects

    def killer(self, mode):
        """What kills it; "" if it survives, None if it is no mutant."""
        objects = self.compile(mode)
        if objects is None:
            return None if mode == "plain" else ""
        environment = dict(os.environ, ASAN_OPTIONS="hard_rss_limit_mb=1500:detect_leaks=0")
        slower = 1 if mode == "plain" else 6
        for test in self.tests.of(self.mutant.file, mode):
            name = name_of(test)
            self.tests.prepare(mode, name)
            if not (self.directory / mode / name).exists():
                if run(self.tests.link(mode, name, objects, self.directory / mode / name), 60) != 0:
                    return "link"
            status = run(self.tests.command(self.directory / mode, test), 3 + slower * 8 * self.tests.times[test],
                         environment, limits_plain if mode == "plain" else limits)
            if status != 0:
                return "%s%s%s" % (pathlib.Path(test).name, " (time)" if status is None else "",
                                   "" if mode == "plain" else " (%s)" % mode)
        return ""

    def judge(self):
        try:
            killer = self.killer("plain")
            return self.killer("sanitized") if killer == "" else killer
        finally:
            shutil.rmtree(self.directory)


def read_equivalent(path):
    """The reasons by key. An entry: file and function, - old, + new, = reason."""
    reasons, key = {}, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line == "" or line.startswith("#"):
            continue
        kind, rest = line[0], line[1:].strip()
        if kind not in "-+=":
            key = line.split() if " " in line else [line, ""]
        elif kind == "=" and len(key) == 4 and rest:
            reasons[tuple(key)] = rest
            key = key[:2]
        elif kind == "-" and len(key) >= 2:
            key = key[:2] + [rest]
        elif kind == "+" and len(key) == 3:
            key.append(rest)
        else:
            sys.exit("mutate: %s:%d: not in the format" % (path, number))
    return reasons


def all_mutants():
    found = []
    for path in sorted(pathlib.Path("lib").rglob("*.[ch]")):
        if path.stem != "kernel_neon":  # not compiled here
            found += mutants_of(path.as_posix(), path.read_text(encoding="utf-8"))
    return found


def chosen(options, mutants, reasons):
    keys = collections.Counter(m.key for m in mutants)
    for mutant in mutants:
        mutant.alone = keys[mutant.key] == 1
    stale = [key for key in reasons if key not in keys]
    for key in stale:
        print("mutate: equivalent.txt: there is no such mutant: %s %s\n  - %s\n  + %s" % key)
    if stale:
        sys.exit(1)
    picked = [m for m in mutants if (not options.file or m.file in options.file) and
              (not options.line or m.line in options.line)]
    if options.equivalent:
        return [m for m in picked if m.key in reasons]
    if options.all or options.line:
        return picked
    return random.Random(options.seed).sample(picked, min(options.sample, len(picked)))


class Score:
    def __init__(self):
        self.killed = self.equivalent = self.survived = 0

    def __str__(self):
        count = self.killed + self.survived
        return "%d mutants, %d killed, %d equivalent, %d survived, %.1f %%" % (
            count + self.equivalent, self.killed, self.equivalent, self.survived, self.per_cent())

    def per_cent(self):
        return 100 * self.killed / max(self.killed + self.survived, 1)


def work(options, build):
    reasons = read_equivalent(HERE / "equivalent.txt")
    mutants = chosen(options, all_mutants(), reasons)
    tests = Tests(build, options.jobs)
    tests.prepare_all({mutant.file for mutant in mutants}, options.jobs)
    total, files, wrong = Score(), {}, 0

    def one(mutant):
        if mutant.key in reasons and mutant.alone and not options.equivalent:
            return mutant, "equivalent"
        return mutant, Trial(tests, mutant).judge()

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for mutant, killer in pool.map(one, mutants):
            if killer is None:
                continue
            known = mutant.key in reasons and (mutant.alone or not killer)
            name = "equivalent" if killer == "equivalent" else "killed" if killer else "survived"
            if known and name == "survived":
                name = "equivalent"
            wrong += known and name == "killed"
            if options.verbose or name == "survived" or known and name == "killed":
                print("%s %s:%d %s%s\n  - %s\n  + %s" % (name.upper() if name != "killed" else name, mutant.file,
                      mutant.line, mutant.function, ": " + killer if killer else "", mutant.old, mutant.new), flush=True)
            for score in (total, files.setdefault(mutant.file, Score())):
                setattr(score, name, getattr(score, name) + 1)
    for file, score in sorted(files.items()):
        print("%-24s %s" % (file, score))
    good = wrong == 0 and total.per_cent() >= LEAST and (total.killed > 0 or options.equivalent)
    good = good or (options.equivalent and wrong == 0)
    print("%s mutants: %s" % ("OK" if good else "FAIL", total))
    return 0 if good else 1


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--file", action="append")
    parser.add_argument("--line", action="append", type=int)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/mutants"))
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--equivalent", action="store_true")
    options = parser.parse_args()
    os.chdir(HERE.parent.parent)
    options.build.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.build) as build:
        return work(options, pathlib.Path(build).resolve())


sys.exit(main())
