#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How much of the library a program takes with it, and how much stack.

usage: size.py [--costs] [--no-limits] OUT [TARGET...]

For each target and each way to use the library (program.c): the octets of text
(code and constants), data and bss of the library's own sections that the linker
keeps, and the deepest stack of any call from the program, proved from the call
graph of the compiler. Fails on data, bss, recursion, frames without a bound, calls
through pointers that are not in the lists below, and beyond the limits. Writes
OUT/size.md. --costs: also where the octets are, by file and by function.

Counted as 0, and told apart: what the program's callbacks, the C library's memory
and string functions and the compiler's helpers need themselves.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMON = ["-std=c99", "-Os", "-ffunction-sections", "-fdata-sections", "-fno-asynchronous-unwind-tables",
          "-DTENON_NO_SIMD", "-Wall", "-Wextra", "-Werror", "-I%s/include" % ROOT, "-I%s/lib" % ROOT]

# Name, compiler and its options, options to link without start-up code.
TARGETS = {
    "m0": ("Cortex-M0+", ["arm-none-eabi-gcc", "-mcpu=cortex-m0plus", "-mthumb"], ["-nostartfiles"]),
    "m4": ("Cortex-M4", ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb"], ["-nostartfiles"]),
    "rv32": ("RV32", ["riscv64-unknown-elf-gcc", "-march=rv32imac", "-mabi=ilp32", "--specs=picolibc.specs"],
             ["-nostartfiles"]),
    "x86": ("x86-64", ["gcc", "-fno-pie", "-fcf-protection=none"], ["-no-pie", "-nostartfiles"]),
}

# The programs: what they define. The last has all calls but those of compression.
PROGRAMS = {
    "open, server": ["SERVER"],
    "open, client": ["CLIENT"],
    "server": ["SERVER", "HANDSHAKE"],
    "client": ["CLIENT", "HANDSHAKE"],
    "both roles": ["SERVER", "CLIENT", "HANDSHAKE"],
}

# What one call more costs beside "open, server": it is made behind the macro of its name.
FEATURES = {
    "messages in parts": "PARTS", "by reference": "REFERENCES", "prepared messages": "PREPARED",
    "callbacks (`tenon_run`)": "RUN", "callbacks and transport (`tenon_pump`)": "PUMP",
    "statistics": "STATISTICS", "taking input back": "UNLEND",
    "permessage-deflate, without its codec": "DEFLATE",
}

# Most octets of text on a Cortex-M4, and of stack on what is bare of a system: what
# must hold now, to be lowered when less will do, and what is aimed at.
LIMITS = {"open, server": 7168, "open, client": 7168, "server": 14140, "client": 13650, "both roles": 16530}
AIMS = {"open, server": 7168, "open, client": 7168, "server": 11264, "client": 11264, "both roles": 14336}
STACK_LIMITS, STACK_AIM = {"m0": 464, "m4": 400, "rv32": 512}, 400

# What calls through pointers reach: of the private tables, by "table->member", the
# functions; None: a callback of the program.
SERVER, CLIENT, COMPRESS = "server", "client", "compress"
POINTERS = {"handshake->" + name: [(SERVER, "server_" + name), (CLIENT, "client_" + name)]
            for name in ("begin", "step", "timeout", "head")}
POINTERS.update({"transform->" + name: [(COMPRESS, name)]
                 for name in ("offer answer undo judge opened chosen put put_ref step wants overtaken").split()})
POINTERS.update({"with_refs->out": [("queue", "refs_out")], "with_refs->sent": [("queue", "refs_sent")],
                 "with_refs->release": [("queue", "refs_release")], "with_refs->trim": [("queue", "trim")],
                 "refs->step": [("send", "ref_step")], "refs->cut": [("send", "ref_cut")]})
POINTERS.update({"config->random": None, "io->recv": None, "io->send": None, "io->now": None, "io->shut": None,
                 "event": None})
POINTERS.update({"codec->" + name: None
                 for name in ("deflate_size inflate_size bound deflate_begin deflate deflate_reset inflate_begin "
                              "inflate inflate_whole inflate_reset").split()})
CALL = re.compile(r"(?:(\w+)(?:\(\w*\))?->)?(\w+)\(")

SECTION = re.compile(r"^ (\.[\w.$]+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S+)$", re.M)
DECLARED = re.compile(r"^TENON_API\b[^;{]*?\b(tenon_\w+)\s*\(", re.M)


class Failed(Exception):
    pass


def run(*command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          cwd=ROOT)
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise Failed("failed: %s\n%s" % (" ".join(map(str, command)), text))
    return text


# ------------------------------------------------------------------- text

def compile_library(out, compiler):
    out.mkdir(parents=True, exist_ok=True)
    objects = []
    for source in sorted((ROOT / "lib").glob("*.c")):
        objects.append(out / (source.stem + ".o"))
        run(*compiler, *COMMON, "-fcallgraph-info=su,da", "-c", "lib/" + source.name, "-o", objects[-1])
    return objects


def link(out, compiler, options, objects, name, defines):
    """The sections of the library that the program keeps: [(object, section, size)]."""
    stem = out / ("program_" + re.sub(r"\W+", "_", name))
    listing = stem.with_suffix(".map")
    run(*compiler, *COMMON, *["-D" + d for d in defines], "-c", "test/size/program.c", "-o", stem.with_suffix(".o"))
    run(*compiler, *options, "-Wl,--gc-sections", "-Wl,-e,main", "-Wl,-Map," + str(listing), "-Wl,--no-warn-mismatch",
        stem.with_suffix(".o"), *objects, "-o", stem.with_suffix(".elf"))
    text = listing.read_text().partition("Linker script and memory map")[2]
    text = re.sub(r"^( \.[\w.$]+)\n\s+", r"\1 ", text, flags=re.M)
    ours = {str(o): o.stem for o in objects}
    kept = [(ours.get(where), section, int(size, 16), where) for section, address, size, where in
            SECTION.findall(text) if int(size, 16) > 0]
    return ([k[:3] for k in kept if k[0]],
            sum(size for _, section, size, where in kept
                if section.startswith((".text", ".rodata")) and re.search(r"lib(gcc|c|c_nano)\.a", where)))


def classify(section):
    if section.startswith((".text", ".rodata", ".data.rel.ro", ".srodata")):
        return "text"
    if section.startswith((".data", ".sdata")):
        return "data"
    if section.startswith((".bss", ".sbss", "COMMON")):
        return "bss"
    return None


def sums(kept):
    total = {"text": 0, "data": 0, "bss": 0}
    for _, section, size in kept:
        if classify(section):
            total[classify(section)] += size
    return total


# ------------------------------------------------------------------ stack

def pointer_call(place):
    """What a call through a pointer at file:line:column calls, as a key of POINTERS."""
    name, line, _ = place.split(":")
    lines = (ROOT / name).read_text().splitlines()
    statement = "\n".join(lines[int(line) - 1:int(line) + 2])
    for table, member in CALL.findall(statement):
        key = table + "->" + member if table else member
        if key in POINTERS:
            return key
    raise Failed("%s: a call through a pointer that is not in the list: %s" % (place, statement.split("\n")[0].strip()))


def tail_calls(compiler, entry):
    """What a function only jumps to, its own frame gone: pairs of names."""
    caller, code, kinds = "", "", {}
    for line in run(compiler[0][:-3] + "objdump", "-dr", "--no-show-raw-insn", entry).splitlines():
        section = re.match(r"Disassembly of section \.text\.(?:unlikely\.)?([\w.]+):", line)
        symbol = re.match(r"\s+[0-9a-f]+: R_\w+\s+(?:\.text\.)?([\w.]+?)(?:[-+]0x[0-9a-f]+)?$", line)
        if section:
            caller = section.group(1)
        elif symbol:
            jump = re.match(r"\s+[0-9a-f]+:\s+(b|b\.w|b\.n|jmp|j|auipc\s+t1.*)(\s|$)", code)
            kinds.setdefault((caller, symbol.group(1)), set()).add(bool(jump))
        else:
            code = line
    return {pair for pair, jumps in kinds.items() if jumps == {True}}


def graph_of(compiler, objects):
    """Frames, calls and tail calls: {(file, name): octets}, {(file, name): [callee]}, {(file, name, name)}."""
    frames, calls, globals_, tails = {}, {}, {}, set()
    for stem in [o.stem for o in objects]:
        text = (objects[0].parent / (stem + ".ci")).read_text()
        for title, label in re.findall(r'node: \{ title: "([^"]*)" label: "([^"]*)"', text):
            own = re.search(r"(\d+) bytes \(([^)]*)\)", label)
            if not own:
                continue
            if "dynamic" in own.group(2) and "bounded" not in own.group(2):
                raise Failed("%s: a frame without a bound" % title)
            name = title.rpartition(":")[2]
            frames[stem, name] = int(own.group(1))
            calls[stem, name] = []
            if ":" not in title:
                globals_[name] = (stem, name)
    for entry in objects:
        stem = entry.stem
        tails.update((stem,) + pair for pair in tail_calls(compiler, entry))
        text = entry.with_suffix(".ci").read_text()
        for source, target, label in re.findall(r'edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)" label: "([^"]*)"',
                                                text):
            caller = (stem, source.rpartition(":")[2])
            if target == "__indirect_call":
                calls[caller].append(pointer_call(label))
            elif ":" in target:
                calls[caller].append((stem, target.rpartition(":")[2]))
            else:
                calls[caller].append(globals_.get(target, "extern " + target))
    return frames, calls, tails


def check_tables(compiler, objects, frames):
    """Functions whose address lies in constants are those of the lists."""
    listed = {target for targets in POINTERS.values() if targets for target in targets}
    for name in listed:
        if name not in frames:
            raise Failed("in the list of pointers, but not in the library: %s" % (name,))
    dump = compiler[0][:-3] + "objdump"
    for entry in objects:
        for table in re.split(r"RELOCATION RECORDS FOR ", run(dump, "-r", entry))[1:]:
            if not re.match(r"\[\.(data|rodata)", table):
                continue
            for symbol in re.findall(r"\S+\s+R_\S+\s+(?:\.text\.)?([\w.]+)$", table, re.M):
                name = (entry.stem, symbol)
                if name in frames and name not in listed:
                    raise Failed("a function in a table, but not in the list of pointers: %s" % (name,))


class Stack:
    """The deepest stack below each function of those that are there."""

    def __init__(self, frames, calls, tails, there):
        self.frames, self.calls, self.tails, self.there = frames, calls, tails, there
        self.found, self.active = {}, []

    def below(self, name):
        """Octets and path, for the deepest; and for the deepest that ends in a callback."""
        if name in self.found:
            return self.found[name]
        if name in self.active:
            raise Failed("recursion: " + " -> ".join(n[1] for n in self.active + [name]))
        self.active.append(name)
        frame, own = self.frames[name], name[1]
        best, callback = (frame, [own]), (-1, [])
        for callee in self.calls[name]:
            for target in self.resolve(callee):
                if isinstance(target, str):
                    if not target.startswith("extern "):
                        callback = max(callback, (frame, [own, target]))
                    continue
                deep, back = self.below(target)
                under = 0 if name + (target[1],) in self.tails else frame
                best = max(best, (under + deep[0], [own] + deep[1]))
                if back[0] >= 0:
                    callback = max(callback, (under + back[0], [own] + back[1]))
        self.active.pop()
        self.found[name] = best, callback
        return self.found[name]

    def resolve(self, callee):
        if isinstance(callee, tuple):
            return [callee] if callee in self.there else []
        targets = POINTERS.get(callee)
        return [t for t in targets if t in self.there] if targets else [callee]

    def worst(self, names):
        results = [self.below(name) for name in names]
        return max(r[0] for r in results), max(r[1] for r in results)


# ----------------------------------------------------------------- report

def public():
    names = set()
    for header in (ROOT / "include/tenon").glob("*.h"):
        names.update(DECLARED.findall(header.read_text()))
    return names


def kept_functions(kept, frames):
    there = {(stem, section[len(".text."):]) for stem, section, _ in kept if section.startswith(".text.")}
    there = {(stem, re.sub(r"^(unlikely|startup|hot)\.", "", name)) for stem, name in there}
    lost = [name for name in there if name not in frames]
    if lost:
        raise Failed("kept, but not in the call graph: %s" % lost)
    return there


def costs(kept):
    by_file, functions = {}, []
    for stem, section, size in kept:
        if classify(section) == "text":
            by_file[stem] = by_file.get(stem, 0) + size
            functions.append((size, "%s: %s" % (stem, section)))
    print("    by file: " + ", ".join("%s %d" % (f, n) for f, n in sorted(by_file.items(), key=lambda x: -x[1])))
    for size, name in sorted(functions, reverse=True)[:25]:
        print("    %5d  %s" % (size, name))


def measure(key, out, show):
    """The rows of a target: [(program, sums, helpers, stack, callback)], then the costs of the
    features, by name."""
    _, compiler, options = TARGETS[key]
    objects = compile_library(out / key, compiler)
    frames, calls, tails = graph_of(compiler, objects)
    check_tables(compiler, objects, frames)
    rows = []
    for name, defines in PROGRAMS.items():
        kept, helpers = link(out / key, compiler, options, objects, name, defines)
        there = kept_functions(kept, frames)
        stack, back = Stack(frames, calls, tails, there).worst([f for f in there if f[1] in public()])
        rows.append((name, sums(kept), helpers, stack, back))
        tell(key, rows[-1])
        if show:
            costs(kept)
    plain = rows[0][1]["text"]
    more = {name: sums(link(out / key, compiler, options, objects, "more " + macro, ["SERVER", macro])[0])["text"] - plain
            for name, macro in FEATURES.items()}
    if show:
        print("    more than %s: " % rows[0][0] + ", ".join("%s %d" % item for item in more.items()))
    there = {f for f in frames if f[0] not in ("compress", "deflate", "agree")}
    stack, back = Stack(frames, calls, tails, there).worst([f for f in there if f[1] in public()])
    rows.append(("every call, without compression", None, 0, stack, back))
    tell(key, rows[-1])
    return rows, more


def tell(key, row):
    name, total, helpers, stack, back = row
    print("%s, %s: %sstack %d, in callbacks %d" % (
        key, name, "text %(text)d, data %(data)d, bss %(bss)d, " % total + "helpers %d, " % helpers if total else "",
        stack[0], max(back[0], 0)))
    print("    deepest: " + " > ".join(stack[1]))
    if key == "m4" and total and total["text"] > AIMS[name]:
        print("    text: %d octets above the aim of %d" % (total["text"] - AIMS[name], AIMS[name]))
    if key == "m4" and stack[0] > STACK_AIM:
        print("    stack: %d octets above the aim of %d" % (stack[0] - STACK_AIM, STACK_AIM))


def judge(key, rows):
    bad = []
    for name, total, _, stack, _ in rows:
        if total and total["data"] + total["bss"] > 0:
            bad.append("%s, %s: data %d, bss %d" % (key, name, total["data"], total["bss"]))
        if total and total["text"] == 0:
            bad.append("%s, %s: nothing of the library is there" % (key, name))
        if key == "m4" and total and total["text"] > LIMITS[name]:
            bad.append("m4, %s: %d octets of text, beyond %d" % (name, total["text"], LIMITS[name]))
        if stack[0] > STACK_LIMITS.get(key, stack[0]):
            bad.append("%s, %s: %d octets of stack, beyond %d" % (key, name, stack[0], STACK_LIMITS[key]))
    return bad


def table(results, more):
    keys = list(results)
    lines = ["| octets of code and constants | " + " | ".join(TARGETS[k][0] for k in keys) + " |",
             "|---|" + "---|" * len(keys)]
    for i, name in enumerate(PROGRAMS):
        lines.append("| %s | %s |" % (name, " | ".join("%d" % results[k][i][1]["text"] for k in keys)))
    for name in FEATURES:
        lines.append("| more for %s | %s |" % (name, " | ".join("%d" % more[k][name] for k in keys)))
    lines.append("| data and bss | %s |" % " | ".join(
        "%d" % max(r[1]["data"] + r[1]["bss"] for r in results[k] if r[1]) for k in keys))
    lines.append("| stack, the deepest of these programs | %s |" % " | ".join(
        "%d" % max(r[3][0] for r in results[k] if r[1]) for k in keys))
    lines.append("| stack, the deepest call without compression | %s |" % " | ".join(
        "%d" % results[k][-1][3][0] for k in keys))
    lines.append("| of that below the program's callbacks | %s |" % " | ".join(
        "%d" % max(0, results[k][-1][4][0]) for k in keys))
    return "\n".join(lines) + "\n"


def main(arguments):
    flags = {a for a in arguments if a.startswith("--")}
    names = [a for a in arguments if a not in flags]
    if not names or flags - {"--costs", "--no-limits"} or set(names[1:]) - set(TARGETS):
        raise SystemExit(__doc__)
    out, keys = pathlib.Path(names[0]).resolve(), names[1:] or list(TARGETS)
    try:
        measured = {key: measure(key, out, "--costs" in flags) for key in keys}
    except Failed as why:
        raise SystemExit("FAIL size: %s" % why)
    results, more = ({key: measured[key][i] for key in keys} for i in (0, 1))
    bad = [] if "--no-limits" in flags else [b for key in keys for b in judge(key, results[key])]
    if keys == list(TARGETS):
        (out / "size.md").write_text(table(results, more))
    for line in bad:
        print("FAIL size: " + line)
    if not bad:
        print("OK size: %d programs on %d targets" % (len(PROGRAMS), len(keys)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
