#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The transcripts and an echo exchange on other processors, systems and compilers.

usage: run.py [--full] OUT [TARGET...]

Each target must bring about what the host does, bit for bit: the transcript runner
prints a checksum of all events and octets of each case, the exchange prints its
events. Prints a line OK or FAIL for each thing, and writes OUT/ports.md.

--full: all transcripts on emulated processors too, not only those of QUICK, in every
variant where there is a system; and the unit tests where cmocka can be had.
"""
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TRANSCRIPTS = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "test/transcripts").glob("*.txt"))
QUICK = ["rfc6455_control.txt", "rfc6455_text.txt", "server_accepts.txt", "timers.txt"]
PICOLIBC = ["--specs=picolibc.specs", "--oslib=semihost", "--crt0=hosted"]
QUIET = ["-nographic", "-monitor", "none", "-serial", "none"]


def memory(flash, flash_size, ram, ram_size, stack):
    names = {"__flash": flash, "__flash_size": flash_size, "__ram": ram, "__ram_size": ram_size, "__stack_size": stack}
    return ["-Wl,--defsym=%s=0x%x" % item for item in names.items()]


class Target:
    """How to compile for it, how to run there, and what can run there."""

    def __init__(self, words, compiler, flags=(), link=(), run=(), zlib="none", arch=None, bare=None):
        self.words, self.compiler, self.flags, self.link = words, compiler, list(flags), list(link)
        self.run, self.zlib, self.arch, self.bare = list(run), zlib, arch, bare

    def command(self, program, arguments):
        if not self.bare:
            return self.run + [str(program)] + arguments
        asked = ["enable=on", "target=native"] + ["arg=" + a for a in ["program"] + arguments]
        return self.bare + QUIET + ["-semihosting-config", ",".join(asked), "-kernel", str(program)]


ARM = memory(0, 0x400000, 0x21000000, 0x1000000, 0x4000)
RISCV = memory(0x80000000, 0x400000, 0x80400000, 0x4000000, 0x4000)
TARGETS = {
    "host": Target("x86-64, Linux, gcc", "gcc", zlib="system"),
    "host_plain": Target("x86-64, generic kernels, no zlib", "gcc", ["-DTENON_NO_SIMD"]),
    "i686": Target("i686, Linux, gcc", "i686-linux-gnu-gcc", run=["qemu-i386", "-L", "/usr/i686-linux-gnu"],
                   zlib="root", arch="i386"),
    "armhf": Target("ARMv7, Linux, gcc", "arm-linux-gnueabihf-gcc", run=["qemu-arm", "-L", "/usr/arm-linux-gnueabihf"],
                    zlib="root", arch="armhf"),
    "aarch64": Target("AArch64 with NEON, Linux, gcc", "aarch64-linux-gnu-gcc",
                      run=["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"], zlib="root", arch="arm64"),
    "s390x": Target("s390x, big-endian, Linux, gcc", "s390x-linux-gnu-gcc",
                    run=["qemu-s390x", "-L", "/usr/s390x-linux-gnu"], zlib="root", arch="s390x"),
    "musl": Target("x86-64, Linux, musl", "musl-gcc", link=["-static"]),
    "tcc": Target("x86-64, Linux, tcc", "tcc", zlib="system"),
    "mingw": Target("x86-64, Windows (wine), mingw", "x86_64-w64-mingw32-gcc", link=["-static"], run=["wine"],
                    zlib="system"),
    "m0": Target("Cortex-M0, microbit, 16 KB RAM", "arm-none-eabi-gcc", ["-mcpu=cortex-m0", "-mthumb"] + PICOLIBC,
                 memory(0, 0x40000, 0x20000000, 0x4000, 0x900), bare=["qemu-system-arm", "-M", "microbit"]),
    "m3": Target("Cortex-M3, mps2-an385", "arm-none-eabi-gcc", ["-mcpu=cortex-m3", "-mthumb"] + PICOLIBC, ARM,
                 bare=["qemu-system-arm", "-M", "mps2-an385"]),
    "m4": Target("Cortex-M4, mps2-an386", "arm-none-eabi-gcc", ["-mcpu=cortex-m4", "-mthumb"] + PICOLIBC, ARM,
                 bare=["qemu-system-arm", "-M", "mps2-an386"]),
    "rv32": Target("RV32, virt", "riscv64-unknown-elf-gcc",
                   ["-march=rv32imac", "-mabi=ilp32", "-mcmodel=medany"] + PICOLIBC, RISCV,
                   bare=["qemu-system-riscv32", "-M", "virt", "-bios", "none"]),
}
SMALL = ("m0",)  # too little memory for the transcript runner


class Failed(Exception):
    pass


def run(command, limit=600, cwd=ROOT, variables=None):
    """What it said. Failed when it fails, or takes too long."""
    environment = dict(os.environ, WINEDEBUG="-all", **(variables or {}))
    try:
        # By semihosting and cmocka it comes on the standard error; wine itself talks there.
        errors = subprocess.PIPE if command[0] == "wine" else subprocess.STDOUT
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL,
                              cwd=cwd, env=environment, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        raise Failed("%s: not done in %d s" % (command[0], limit)) from None
    text = done.stdout.decode(errors="replace").replace("\r\n", "\n")
    if done.returncode != 0:
        raise Failed("%s: status %d\n%s" % (" ".join(command)[:200], done.returncode, text[-2000:] + (done.stderr or b"").decode(errors="replace")[-2000:]))
    return text


# ------------------------------------------------------------------ private root

def private_root(out, arch):
    """cmocka and zlib for another architecture, unpacked into a directory of their own."""
    base = out / "apt" / arch
    root, debs = base / "root", base / "deb"
    if (root / "usr/include/cmocka.h").exists():
        return root
    for path in (base / "state/lists/partial", base / "cache/archives/partial", debs, root):
        path.mkdir(parents=True, exist_ok=True)
    (base / "status").touch()
    settings = {"Dir::State": base / "state", "Dir::State::status": base / "status", "Dir::Cache": base / "cache",
                "APT::Architecture": arch, "APT::Architectures": arch, "Acquire::Languages": "none",
                "APT::Sandbox::User": "root"}
    options = ["-q"] + ["-o%s=%s" % item for item in settings.items()]
    try:
        run(["apt-get"] + options + ["update"])
    except Failed:
        pass  # some list may be missing; what counts is whether the packages are there
    run(["apt-get"] + options + ["download", "libcmocka-dev", "libcmocka0", "zlib1g-dev", "zlib1g"], cwd=debs)
    for deb in debs.glob("*.deb"):
        run(["dpkg", "-x", str(deb), str(root)])
    return root


# ------------------------------------------------------------------------- build

def compile_all(target, place, sources, flags):
    place.mkdir(parents=True, exist_ok=True)
    level = "-Os" if target.bare else "-O2"
    objects = []
    for source in sources:
        objects.append(place / (source.replace("/", "_") + ".o"))
        if objects[-1].exists() and objects[-1].stat().st_mtime > newest():
            continue
        run([target.compiler, "-std=c99", level, "-Wall", "-ffunction-sections"] + target.flags + flags +
            ["-Iinclude", "-Ilib", "-Itest", "-c", source, "-o", str(objects[-1])])
    return [str(o) for o in objects]


def newest():
    """When a source was changed last."""
    if not hasattr(newest, "time"):
        files = [p for d in ("lib", "include", "test") for p in (ROOT / d).rglob("*.[ch]")]
        newest.time = max(p.stat().st_mtime for p in files)
    return newest.time


class Place:
    """What is built for one target."""

    def __init__(self, name, out):
        self.name, self.target, self.out = name, TARGETS[name], out / name
        self.root = private_root(out, self.target.arch) if self.target.arch else None
        self.with_zlib = self.target.zlib != "none"
        self.library = compile_all(self.target, self.out, sorted(
            str(p.relative_to(ROOT)) for p in (ROOT / "lib").glob("*.c")), [])

    def zlib(self):
        if not self.with_zlib:
            return compile_all(self.target, self.out, ["test/ports/no_zlib.c"], []), []
        include = ["-idirafter", str(self.root / "usr/include")] if self.root else []
        if not self.root:
            return compile_all(self.target, self.out, ["lib/zlib/zlib.c"], include), ["-lz"]
        # zconf.h of Debian lies in a directory of the architecture.
        lib = next((self.root / "usr/lib").glob("*/libz.a"))
        include += ["-idirafter", str(self.root / "usr/include" / lib.parent.name)]
        return compile_all(self.target, self.out, ["lib/zlib/zlib.c"], include), [str(lib)]

    def link(self, name, objects, libraries=()):
        program = self.out / (name + (".exe" if self.name == "mingw" else ".elf" if self.target.bare else ""))
        gc = [] if self.target.compiler == "tcc" else ["-Wl,--gc-sections"]
        run([self.target.compiler] + self.target.flags + objects + list(libraries) + gc + self.target.link +
            ["-o", str(program)])
        return program

    def main_of(self, source):
        """Objects with a main function that gets arguments."""
        if not self.target.bare:
            return compile_all(self.target, self.out, [source], [])
        return (compile_all(self.target, self.out / "renamed", [source], ["-Dmain=program_main"]) +
                compile_all(self.target, self.out, ["test/ports/semihost_main.c"], []))

    def echo(self):
        program = self.link("echo", self.library + compile_all(self.target, self.out, ["test/ports/echo.c"], []))
        return run(self.target.command(program, []), 120)

    def transcripts(self, files, brief):
        parts = ["test/transcript_%s.c" % part for part in ("read", "log", "act", "drive")]
        codec, libraries = self.zlib()
        program = self.link("transcript", self.library + compile_all(self.target, self.out, parts, []) + codec +
                            self.main_of("test/transcript.c"), libraries)
        flags = ["--sums"] + (["--brief"] if brief else [])
        return run(self.target.command(program, flags + files), 3000)

    def replay(self, records):
        """The calls of the runner on the host, made here."""
        flags = ["-DSEMIHOST", "-DLINE=256"]
        objects = (compile_all(self.target, self.out, ["test/ports/replay.c"], ["-Dmain=program_main"] + flags) +
                   compile_all(self.target, self.out, ["test/ports/semihost_main.c"], flags))
        return run(self.target.command(self.link("replay", self.library + objects), [str(records)]), 600)

    def unit(self, source):
        codec, libraries = self.zlib()
        lib = next((self.root / "usr/lib").glob("*/libcmocka.so")).parent
        include = ["-idirafter", str(self.root / "usr/include"), "-idirafter",
                   str(self.root / "usr/include" / lib.name)]
        program = self.link(pathlib.Path(source).stem, compile_all(self.target, self.out, [source], include) +
                            self.library + codec, libraries + ["-L%s" % lib, "-lcmocka", "-Wl,-rpath=%s" % lib])
        return run(self.target.command(program, []), 600)


# ------------------------------------------------------------------------ compare

def sums(text):
    """Checksums by case and role, and how many cases passed."""
    counts = re.search(r"^(\d+) passed, 0 failed$", text, re.M)
    if not counts:
        raise Failed("no count at the end: " + text[-500:])
    return dict(re.findall(r"^SUM (\S+ \S+ \S+) (\d+ \w+)$", text, re.M)), int(counts.group(1))


def compare(got, want):
    if set(got) != set(want):
        raise Failed("other cases than on the host: %s" % sorted(set(got) ^ set(want))[:5])
    other = [key for key in want if got[key] != want[key]]
    if other or not want:
        raise Failed("%d of %d differ from the host: %s" % (len(other), len(want), other[:5]))
    return sum(int(value.split()[0]) for value in got.values())


class Report:
    def __init__(self):
        self.rows, self.bad = {}, 0

    def step(self, target, what, do):
        since = time.time()
        try:
            said = do()
        except Failed as why:
            self.bad += 1
            print("FAIL %s: %s: %s" % (TARGETS[target].words, what, why), flush=True)
            said = "FAILED"
        else:
            print("OK %s: %s: %s (%d s)" % (TARGETS[target].words, what, said, time.time() - since), flush=True)
        self.rows.setdefault(target, []).append("%s: %s" % (what, said))

    def table(self):
        lines = ["| target | what ran there, with what the host brings about, bit for bit |", "|---|---|"]
        lines += ["| %s | %s |" % (TARGETS[name].words, "; ".join(parts)) for name, parts in self.rows.items()]
        return "\n".join(lines) + "\n"


class Run:
    def __init__(self, out, full):
        self.out, self.full, self.report = out, full, Report()
        host = Place("host", out)
        self.echo = host.echo()
        self.sums = {}
        for name in ("host", "host_plain"):
            for brief in {True, not full}:
                self.sums[name, brief], _ = sums(Place(name, out).transcripts(TRANSCRIPTS, brief))

    def files(self, target):
        if self.full or not target.run + (target.bare or []):
            return TRANSCRIPTS
        return ["test/transcripts/" + name for name in QUICK]

    def transcripts(self, place):
        files = self.files(place.target)
        brief = not self.full or place.target.bare is not None
        got, cases = sums(place.transcripts(files, brief))
        names = {pathlib.Path(f).name for f in files}
        reference = self.sums["host" if place.with_zlib else "host_plain", brief]
        runs = compare(got, {k: v for k, v in reference.items() if k.split()[0] in names})
        left = not place.with_zlib and any(k.split()[0] in names and k not in reference for k in self.sums["host", brief])
        return "%d cases in %d runs%s" % (cases, runs, ", without those of compression" if left else "")

    def exchange(self, place):
        if place.echo() != self.echo:
            raise Failed("other events than on the host")
        return self.echo.strip().splitlines()[-1].split(",")[0]

    def records(self):
        """What the runner calls on the host, and what came of it."""
        place, file = Place("host_plain", self.out), self.out / "calls"
        recorded = compile_all(place.target, self.out / "record",
                               ["test/transcript_%s.c" % part for part in ("read", "log", "act", "drive")],
                               ["-DRECORD_CALLS", "-include", "test/ports/record.h"])
        rest = compile_all(place.target, self.out / "record",
                           ["test/transcript.c", "test/ports/record.c", "test/ports/no_zlib.c"], [])
        program = place.link("record", recorded + rest + place.library)
        run([str(program), "--brief"] + TRANSCRIPTS, 600, variables={"TENON_RECORD": str(file)})
        return file

    def replay(self, place):
        text = place.replay(self.records())
        found = re.search(r"^(\d+) runs, (\d+) calls, (\d+) left out, 0 bad", text, re.M)
        if not found:
            raise Failed("no count: " + text[-500:])
        names = sorted(set(re.findall(r"^LEFT OUT \S+ (\S+)", text, re.M)))
        cases = {key.rpartition(" ")[0] for key in self.sums["host_plain", True]}
        (self.out / "left_out.txt").write_text("\n".join(names) + "\n")
        if len(names) > 30:
            raise Failed("%d cases left out" % len(names))
        return "%s runs, %s calls, of %d cases; %s runs of %d cases need more memory" % (
            found.group(1), found.group(2), len(cases), found.group(3), len(names))

    def units(self, place):
        count = 0
        for source in sorted((ROOT / "test").glob("test_*.c")):
            text = place.unit(str(source.relative_to(ROOT)))
            passed = re.search(r"\[  PASSED  \] (\d+) test", text)
            if not passed:
                raise Failed("%s: no count: %s" % (source.name, text[-300:]))
            count += int(passed.group(1))
        return "%d" % count

    def target(self, name):
        place = Place(name, self.out)
        self.report.step(name, "echo exchange", lambda: self.exchange(place))
        if name in SMALL:
            self.report.step(name, "transcripts, their calls made again", lambda: self.replay(place))
        else:
            self.report.step(name, "transcripts", lambda: self.transcripts(place))
        if self.full and place.root:
            self.report.step(name, "unit tests", lambda: self.units(place))


def main(arguments):
    flags = {a for a in arguments if a.startswith("--")}
    names = [a for a in arguments if a not in flags]
    if not names or flags - {"--full"} or set(names[1:]) - set(TARGETS):
        raise SystemExit(__doc__)
    out = pathlib.Path(names[0]).resolve()
    os.environ.setdefault("WINEPREFIX", str(out / "wine"))
    out.mkdir(parents=True, exist_ok=True)
    try:
        whole = Run(out, "--full" in flags)
        for name in names[1:] or [n for n in TARGETS if not n.startswith("host")]:
            whole.target(name)
    except Failed as why:
        print("FAIL ports: %s" % why)
        return 1
    if not names[1:]:
        (out / "ports.md").write_text(whole.report.table())
    return 1 if whole.report.bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
