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
either. Then it is linked, once, to a program of all tests, and these run until one fails:
the unit tests of the file itself (of its name, or in OWN), and the others and the
transcripts that are linked with it, but for those that take longer than SLOW. Which one
is first is a matter of its time, and of what it has killed so far. What survives is run
again with the sanitizers, where the others but QUICK ones are left out.

equivalent.txt lists mutants that no test can tell from the original, each with its
reason. An entry that stands for no mutant is an error. One that stands for several
excuses those that survive.

Prints each survivor, a table of the files, and a line for all with its seconds; exit status 0 if at
least 95 % of the mutants that are not equivalent were killed.
"""
import argparse
import collections
import concurrent.futures
import math
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from mutants import mutants_of

SLOW = 0.5       # seconds of computing that a test may take to be run for each mutant
QUICK = 0.1      # and with the sanitizers
START = 0.02     # that a program takes to start
LEAST = 95       # per cent
OWN = {  # where it is not the test of the same name
    "base": ["conn"], "conn": ["conn", "next"], "compress": ["compress", "inflate"], "deflate": ["deflate", "compress", "inflate"], "kernel_avx2": ["cpu"], "kernel_sha": ["sha1"], "kernel_ssse3": ["cpu"],
    "mask": ["mask", "cpu"], "prepare": ["deflate"], "recv": ["recv", "next", "inflate"], "send": ["send", "compress"],
    "utf8": ["utf8", "cpu"], "zlib": ["deflate"],
}
HERE = pathlib.Path(__file__).resolve().parent
COMPILE = ["gcc", "-std=c99", "-Iinclude", "-Ilib", "-Itest",
           "-Werror=int-conversion", "-Werror=incompatible-pointer-types", "-Werror=uninitialized"]
MODES = {"plain": ["-O1"], "sanitized": ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]}
LIBRARIES = ["-lcmocka", "-lz"]
MEMBER = re.compile(r"[()](\w+)\.o\b")  # lib.a(x.o), or (lib.a)x.o, which is told at the second --trace only
INCLUDE = re.compile(r'^#include "([\w/.]+)"', re.M)


def run(command, seconds, environment=None):
    """The exit status, or None where time is over."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False,
                              stderr=subprocess.DEVNULL, timeout=seconds, env=environment).returncode
    except subprocess.TimeoutExpired:
        return None


def limited(command, mode, seconds):
    """The command with bounds; seconds are of computing, for others may use the machine."""
    bounds = ["--core=0", "--fsize=%d" % (1 << 24), "--cpu=%d" % math.ceil(seconds)]
    return ["prlimit", *bounds, *["--as=%d" % (2 << 30)] * (mode == "plain"), *command]


def must(command):
    if run(command, 300) != 0:
        sys.exit("mutate: failed: " + " ".join(map(str, command)))


class Tests:
    """All that is built from the original, and which tests a file is a matter of."""

    def __init__(self, build, jobs):
        self.build, self.jobs = build, jobs
        self.sources = sorted(p.as_posix() for p in pathlib.Path("lib").rglob("*.c"))
        self.units = sorted(p.stem for p in pathlib.Path("test").glob("test_*.c"))
        self.scripts = sorted(p.as_posix() for p in pathlib.Path("test/transcripts").glob("*.txt"))
        self.includes = {p.as_posix(): INCLUDE.findall(p.read_text(encoding="utf-8"))
                         for p in pathlib.Path("lib").rglob("*.[ch]")}
        self.lock, self.archived, self.times = threading.Lock(), set(), {}
        self.killed = collections.Counter()
        self.archive("plain")
        self.build_tests()

    def object(self, mode, source):
        return self.build / mode / (pathlib.Path(source).stem + ".o")

    def compile(self, mode, sources, *options):
        (self.build / mode).mkdir(exist_ok=True)
        commands = [COMPILE + MODES[mode] + [*options, "-c", source, "-o", self.object(mode, source)] for source in sources]
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(must, commands))
        return [self.object(mode, source) for source in sources]

    def archive(self, mode):
        """What a program is linked with is there."""
        with self.lock:
            if mode not in self.archived:
                must(["ar", "rcs", self.build / mode / "lib.a"] + self.compile(mode, self.sources))
                self.archived.add(mode)

    def build_tests(self):
        """One object of all tests, whose first argument says which of them runs."""
        runner = [p.as_posix() for p in sorted(pathlib.Path("test").glob("transcript*.c"))]
        parts = self.compile("plain", runner, "-Dmain=main_transcript")
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            compiled = list(pool.map(lambda name: self.compile("plain", ["test/%s.c" % name], "-Dmain=main_%s" % name), self.units))
        names = self.units + ["transcript"]
        self.reached = {name: self.members(name, objects) for name, objects in zip(names, compiled + [parts])}
        parts += sum(compiled, [])
        main = self.build / "main.c"
        main.write_text("#include <string.h>\n" + "".join("int main_%s(int, char **);\n" % name for name in names) +
                        "int main(int n, char **texts)\n{\n" +
                        "".join('    if (strcmp(texts[1], "%s") == 0)\n        return main_%s(n - 1, texts + 1);\n' % (name, name)
                                for name in names) + "    return 2;\n}\n", encoding="utf-8")
        must(COMPILE[:1] + ["-r", "-nostdlib", *parts, *self.compile("plain", [main]), "-o", self.build / "tests.o"])

    def members(self, name, objects):
        """The sources that a test is linked with."""
        trace = subprocess.run(COMPILE[:1] + [*objects, "-Wl,--defsym=main=main_%s,--trace,--trace" % name, self.build / "plain/lib.a",
                                              *LIBRARIES, "-o", self.build / "traced"], stdout=subprocess.PIPE, check=True)
        found = set(MEMBER.findall(trace.stdout.decode())) & {pathlib.Path(source).stem for source in self.sources}
        if not found:
            sys.exit("mutate: the linker does not say what %s reaches" % name)
        return found

    def link(self, mode, objects, out):
        """The tests themselves are without sanitizers; what they lend is, as a rule, allocated."""
        return COMPILE[:1] + MODES[mode] + [self.build / "tests.o", *objects, self.build / mode / "lib.a",
                                           *LIBRARIES, "-o", out]

    def prepare_all(self, files):
        """Takes the times of the tests of these files."""
        must(self.link("plain", [], self.build / "tests"))
        wanted = {test: min(test not in self.own(file) for file in files) for file in files for test in self.candidates(file)}
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            self.times.update(pool.map(self.time, sorted(wanted), [wanted[test] for test in sorted(wanted)]))

    @staticmethod
    def command(program, test):
        return [program, "transcript", test] if test.endswith(".txt") else [program, test]

    def time(self, test, bounded):
        command = limited(self.command(self.build / "tests", test), "plain", 2 * SLOW if bounded else 60)
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = status
        used = usage.ru_utime + usage.ru_stime
        if status != 0 and not (bounded and used > SLOW):
            sys.exit("mutate: %s fails without any change: %s" % (test, status))
        return test, used if status == 0 else float("inf")

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
        stems = {pathlib.Path(source).stem for source in self.includers(file)}
        own = sorted(self.own(file))
        others = [name for name in self.units if self.reached[name] & stems]
        scripts = self.scripts if self.reached["transcript"] & stems else []
        return list(dict.fromkeys(own + others + scripts))

    def of(self, file, mode):
        """Those that are run, in order."""
        own = self.own(file)

        def worth(test):
            return (self.times[test] + START) / (1 + self.killed[file, test] + 4 * (test in own))

        return [test for test in sorted(self.candidates(file), key=worth)
                if test in own or self.times[test] <= (SLOW if mode == "plain" else QUICK)]


class Trial:
    """One mutant, in a directory of its own."""

    def __init__(self, tests, mutant):
        self.tests, self.mutant = tests, mutant
        self.directory = pathlib.Path(tempfile.mkdtemp(dir=tests.build))

    def write(self):
        """A header is found beside what includes it."""
        if self.mutant.file.endswith(".h"):
            shutil.copytree("lib", self.directory / "lib")
        place = self.directory / self.mutant.file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(self.mutant.text, encoding="utf-8")

    def compile(self, mode):
        """The objects; None if it does not compile or is the same as the original."""
        objects, same = [], True
        for source in self.tests.includers(self.mutant.file):
            out = self.directory / mode / (pathlib.Path(source).stem + ".o")
            out.parent.mkdir(exist_ok=True)
            if run(COMPILE + MODES[mode] + ["-c", self.directory / source, "-o", out], 60) != 0:
                return None
            objects.append(out)
            same = same and out.read_bytes() == self.tests.object(mode, source).read_bytes()
        return None if same and mode == "plain" else objects

    def killer(self, mode):
        """What kills it; "" if it survives, None if it is no mutant."""
        self.tests.archive(mode)
        objects = self.compile(mode)
        if objects is None:
            return None if mode == "plain" else ""
        program = self.directory / mode / "tests"
        if run(self.tests.link(mode, objects, program), 60) != 0:
            return "link"
        # cmocka would go on behind what failed
        environment = dict(os.environ, CMOCKA_TEST_ABORT="1", ASAN_OPTIONS="hard_rss_limit_mb=1500:detect_leaks=0")
        for test in self.tests.of(self.mutant.file, mode):
            seconds = 1 + (4 if mode == "plain" else 24) * self.tests.times[test]
            status = run(limited(self.tests.command(program, test), mode, seconds), 60 + 10 * seconds, environment)
            if status != 0:
                self.tests.killed[self.mutant.file, test] += 1
                over = status is None or status == -signal.SIGXCPU
                return pathlib.Path(test).name + " (time)" * over + (" (%s)" % mode) * (mode != "plain")
        return ""

    def judge(self):
        try:
            self.write()
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


def print_table(files):
    print("%-24s %8s %8s %11s %9s %7s" % ("file", "mutants", "killed", "equivalent", "survived", "%"))
    for file, score in sorted(files.items()):
        print("%-24s %8d %8d %11d %9d %7.1f" % (file, score.killed + score.equivalent + score.survived, score.killed,
                                                score.equivalent, score.survived, score.per_cent()))


def work(options, build):
    since = time.monotonic()
    reasons = read_equivalent(HERE / "equivalent.txt")
    mutants = chosen(options, all_mutants(), reasons)
    tests = Tests(build, options.jobs)
    tests.prepare_all({mutant.file for mutant in mutants})
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
    print_table(files)
    good = wrong == 0 and total.per_cent() >= LEAST and (total.killed > 0 or options.equivalent)
    good = good or (options.equivalent and wrong == 0)
    print("%s mutants: %s, in %d s" % ("OK" if good else "FAIL", total, time.monotonic() - since))
    return 0 if good else 1


def main():
    parser = argparse.ArgumentParser(usage=__doc__.replace("%", "%%"))
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
