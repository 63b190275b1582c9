#!/bin/sh
# SPDX-License-Identifier: MIT
# What of lib/ the unit tests and the transcripts reach: lines, branches, and conditions
# that decide by themselves (MC/DC).
#
# usage: sh test/coverage/run.sh [BUILD]
#
# BUILD: where to build; default build/coverage. Needs clang-19, llvm-19 and
# libclang-rt-19-dev. Prints a line for each file, each place that is not reached, and
# one line for all; exit status 0 if nothing is missing. No corpora of the fuzzers take
# part, and nothing is excluded: what cannot be reached does not belong in the library.
# The generic code and the kernels of x86-64 count; the kernels of other processors are
# compiled to nothing here, and are compared with the generic code where they can run.
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build/coverage}
case $build in
'' | / | . | ..)
    echo "coverage: not a directory to build in: $build" >&2
    exit 2
    ;;
esac
rm -rf "$build/lib" "$build/tests" "$build/profiles"
mkdir -p "$build/lib" "$build/tests" "$build/profiles"

# two_at_a_time: runs the commands that come in, one a line.
two_at_a_time() {
    xargs -P 2 -I '{}' sh -c '{} || exit 255'
}

# Only the library is watched. Optimised, for the tests take long; the counters are
# placed before, and stay exact.
flags='-std=c99 -O1 -Iinclude -Ilib -Itest'
watched='-fprofile-instr-generate -fcoverage-mapping -fcoverage-mcdc'

for source in lib/*.c lib/zlib/*.c; do
    echo "clang-19 $flags $watched -c $source -o $build/lib/$(basename "$source" .c).o"
done | two_at_a_time
ar rcs "$build/lib.a" "$build"/lib/*.o

# What llvm-cov reads the places from: all of the library, whether it is called or not.
echo 'int main(void) { return 0; }' >"$build/whole.c"
clang-19 "$build/whole.c" -Wl,--whole-archive "$build/lib.a" -Wl,--no-whole-archive -lz -fprofile-instr-generate \
    -o "$build/whole"

rest="$build/lib.a -lcmocka -lz -fprofile-instr-generate"
{
    echo "clang-19 $flags test/transcript*.c $rest -o $build/tests/transcript"
    for source in test/test_*.c; do
        echo "clang-19 $flags $source $rest -o $build/tests/$(basename "$source" .c)"
    done
} | two_at_a_time

{
    for file in test/transcripts/*.txt; do
        echo "$build/tests/transcript $file"
    done
    for test in "$build"/tests/test_*; do
        echo "$test"
    done
} | sed "s|.*|timeout 300 & >$build/tests/log.\$\$ 2>\&1 \|\| { cat $build/tests/log.\$\$; exit 255; }|" |
    LLVM_PROFILE_FILE="$build/profiles/%p.profraw" two_at_a_time

llvm-profdata-19 merge -sparse "$build"/profiles/*.profraw -o "$build/all.profdata"
llvm-cov-19 export --instr-profile "$build/all.profdata" "$build/whole" >"$build/all.json"
/usr/bin/python3 test/coverage/judge.py "$build/all.json"
