#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The include graph of lib/: a file uses its own header and those of lower layers.

usage: layers.py [ROOT]
"""
import pathlib
import re
import sys

# Every file of lib/ by its stem; x.c and x.h are in the same layer.
LAYERS = {
    0: "base text",
    1: "sha1 base64 cpu kernel kernel_avx2 kernel_ssse3 kernel_neon kernel_sha short mask utf8",
    2: "key frame http1 field uri",
    3: "negotiate handshake_server handshake_client connect message queue deflate agree",
    4: "conn next send recv timer server client backoff compress prepare",
    5: "run",
}
LAYER = {stem: layer for layer, stems in LAYERS.items() for stem in stems.split()}

# Headers that files of the same layer may include: what all share, the state
# machine's, and those of the two halves of the HTTP grammar.
SHARED = {"base", "conn", "http1", "field", "negotiate", "cpu", "kernel", "short", "utf8"}

# Kernels for one kind of processor share the header of the generic version.
KERNEL = re.compile(r"_(x86|arm)$")

# Codecs, in directories of their own: the public headers, and what they wrap.
CODECS = {"zlib/zlib": {"string.h", "zlib.h"}}

# What a freestanding compiler brings, and string.h for the memory functions.
SYSTEM = {"limits.h", "stdbool.h", "stddef.h", "stdint.h", "string.h"}
# Kernels also need the intrinsics of their processor.
SYSTEM_KERNEL = {"immintrin.h", "arm_neon.h", "cpuid.h"}

# How the library is given on.
NO_SOURCE = re.compile(r"/lib/(amalgamate\.py|install/[^/]+\.in)$")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(\S.*?)[ \t]*$', re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def judge(stem, target):
    """Why a file called stem may not include the target, or None."""
    form, name = target[0], target.strip('<>"')
    if form == "<":
        allowed = SYSTEM | (SYSTEM_KERNEL if LAYER[stem] == 1 else set())
        return None if name in allowed else "a system header outside the list"
    if form != '"':
        return "an include that this check cannot read"
    if re.fullmatch(r"tenon/\w+\.h", name):
        return None
    other = name[:-2]
    if not name.endswith(".h") or other not in LAYER:
        return "no header of a known layer"
    if other == KERNEL.sub("", stem) or LAYER[other] < LAYER[stem]:
        return None
    if LAYER[other] == LAYER[stem] and other in SHARED:
        return None
    return "layer %d may not use layer %d" % (LAYER[stem], LAYER[other])


def judge_codec(codec, target):
    """Why a codec may not include the target, or None."""
    name = target.strip('<>"')
    if target[0] == "<":
        return None if name in CODECS[codec] else "a system header outside the list"
    return None if re.fullmatch(r'"tenon/\w+\.h"', target) else "only public headers are allowed here"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    files = sorted(p for p in (root / "lib").rglob("*") if p.is_file() and not NO_SOURCE.search("/" + p.relative_to(root).as_posix()))
    bad, edges = [], 0
    for path in files:
        name = path.relative_to(root)
        codec = path.relative_to(root / "lib").with_suffix("").as_posix()
        codec = codec if codec in CODECS and path.suffix == ".c" else None
        if not codec and (path.parent != root / "lib" or path.suffix not in (".c", ".h") or path.stem not in LAYER):
            bad.append("%s: not in the layer table" % name)
            continue
        text = COMMENT.sub(lambda m: re.sub(r"[^\n]", "", m.group()) or " ", path.read_text(encoding="utf-8"))
        for found in INCLUDE.finditer(text):
            edges += 1
            why = judge_codec(codec, found.group(1)) if codec else judge(path.stem, found.group(1))
            if why:
                line = text.count("\n", 0, found.start()) + 1
                bad.append("%s:%d: includes %s: %s" % (name, line, found.group(1), why))
    if not files:
        bad.append("no files in lib/")
    for message in bad:
        print("layers: " + message, file=sys.stderr)
    if not bad:
        print("OK layers: %d files, %d includes" % (len(files), edges))
    return 1 if bad else 0


sys.exit(main())
