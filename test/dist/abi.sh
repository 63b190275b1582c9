#!/bin/sh
# SPDX-License-Identifier: MIT
# The binary interface: what the shared library was described to be in test/abi/, it
# still is; and programs of test/abi/v1/, built with the headers of version 0.1 that
# lie there, run with the library as it is now, and with one whose structs have grown.
#
# usage: sh test/dist/abi.sh OUT            compares
#        sh test/dist/abi.sh OUT renew      describes anew: commit the result
set -eu
cd "$(dirname "$0")/../.."
out=$1
renew=${2:-}
case $out in '' | / | . | ..) exit 2 ;; esac
rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)
description='--drop-private-types --no-corpus-path --no-comp-dir-path --no-show-locs --type-id-style hash'
count=0

fail() {
    echo "abi: $*" >&2
    exit 1
}

# shared DIRECTORY FLAG...: a shared library of the one file there, with all that a
# description needs. One file, so that its header tells what is private.
shared() {
    directory=$1
    shift
    (cd "$directory" && gcc -g -fPIC -shared -fvisibility=hidden -DTENON_SHARED "$@" \
        -Wl,-soname,libtenon.so.0 tenon.c -o libtenon.so.0)
    ln -sf libtenon.so.0 "$directory/libtenon.so"
}

# describe DIRECTORY
describe() {
    abidw $description --header-file "$1/tenon.h" "$1/libtenon.so.0" --out-file "$1/tenon.abi"
}

# compare DIRECTORY: with what is committed. Descriptions on both sides, for they have
# left out alike what is private.
compare() {
    describe "$1"
    abidiff "$out/committed.abi" "$1/tenon.abi"
}

# ---------------------------------------------------------------- description

python3 lib/amalgamate.py . "$out/now"
shared "$out/now"
python3 test/dist/constants.py include "$out/constants.txt"

if [ "$renew" = renew ]; then
    describe "$out/now"
    { sed -n '2s/^# \(.*\)/<!-- \1 -->/p' "$0" && cat "$out/now/tenon.abi"; } >test/abi/tenon.abi
    cp "$out/constants.txt" test/abi/constants.txt
    echo "abi: described anew in test/abi/"
    exit 0
fi

[ "$(uname -m)" = x86_64 ] || fail 'the description is that of x86-64'
sed 1d test/abi/tenon.abi >"$out/committed.abi"
if ! compare "$out/now" || ! python3 test/dist/constants.py --compare test/abi/constants.txt "$out/constants.txt"; then
    cat >&2 <<'END'
abi: the binary interface is not what test/abi/ describes.
  Allowed: a function or constant more; a member more at the end of a struct that begins
  with its size, none of which was padding before. Then describe it anew, and commit that:
      sh test/dist/abi.sh build/dist/abi renew
  Anything else breaks programs that were built before: undo it, or raise the major version.
END
    exit 1
fi
count=$((count + 2))

# -------------------------------------------------------- the comparison itself

# What it must not let pass.
# altered WHAT EXPRESSION: the header, changed by sed, is told apart.
altered() {
    cp -r "$out/now" "$out/altered"
    sed "$2" "$out/now/tenon.h" >"$out/altered/tenon.h"
    if cmp -s "$out/now/tenon.h" "$out/altered/tenon.h"; then
        fail "not in the header any more: $1"
    fi
    shared "$out/altered" -w
    if compare "$out/altered" >"$out/altered.txt" 2>&1; then
        fail "not noticed: $1"
    fi
    rm -r "$out/altered"
    count=$((count + 1))
}

altered 'a member in the middle' 's/^    uint32_t max_head;/    uint32_t intruder, max_head;/'
altered 'a type' 's/^    uint32_t max_head;/    uint64_t max_head;/'
altered 'members exchanged' 's/^    uint32_t idle_ms;/    uint32_t ping_ms;/; t; s/^    uint32_t ping_ms;/    uint32_t idle_ms;/'
altered 'no longer exported' 's/^TENON_API int tenon_ping(/int tenon_ping(/'

sed 's/^TENON_CLOSE_NORMAL .*/TENON_CLOSE_NORMAL 1/' "$out/constants.txt" >"$out/other.txt"
if python3 test/dist/constants.py --compare test/abi/constants.txt "$out/other.txt" 2>/dev/null; then
    fail 'not noticed: a constant that has changed'
fi
count=$((count + 1))

# --------------------------------------------------------------- old programs

# Structs that begin with their size, with more at the end.
mkdir "$out/grown"
cp "$out/now/tenon.c" "$out/now/tenon_zlib.c" "$out/grown"
sized=$(awk '/^typedef struct/ { first = NR + 1 } NR == first { sized = /^    (uint32_t|size_t) size;/ }
    /^} tenon_/ && sized { gsub(/[};]/, ""); print $1; sized = 0 }' "$out/now/tenon.h")
script=
for name in $sized; do
    script="$script;s/^} $name;/    uint64_t later[8];&/"
done
sed "${script#;}" "$out/now/tenon.h" >"$out/grown/tenon.h"
[ "$(grep -c 'uint64_t later' "$out/grown/tenon.h")" -ge 12 ] || fail 'structs with a size are not found'

# old DIRECTORY FLAG...: programs of version 0.1, with the library there.
old() {
    directory=$1
    shift
    for program in talk structs; do
        gcc -std=c99 -w -g "$@" -DTALK_ZLIB -Itest/abi/v1 "test/abi/v1/$program.c" lib/zlib/zlib.c \
            -L"$directory" -ltenon -lz -o "$out/$program"
        LD_LIBRARY_PATH=$directory "$out/$program" || fail "$program of version 0.1 does not run: $directory"
        count=$((count + 1))
    done
}

old "$out/now"
careful='-fsanitize=address,undefined -fno-sanitize-recover=all'
shared "$out/grown" $careful
old "$out/grown" $careful
echo "OK abi: $count comparisons and old programs, $(grep -c '<elf-symbol ' test/abi/tenon.abi) symbols," \
    "$(($(wc -l <test/abi/constants.txt) - 1)) constants"
