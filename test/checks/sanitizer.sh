#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the tests under a sanitizer of clang that gcc does not have.
#
# usage: sh test/checks/sanitizer.sh memory|integer OUT
#
# memory: octets that were never written (-fsanitize-memory-track-origins besides, which
# takes longer, tells where they come from). integer: unsigned arithmetic that wraps and
# conversions that lose something, where that is not meant (TENON_WRAPS in lib/base.h),
# and indices outside of what is in sight. Run what is built with ctest --test-dir OUT.
set -eu
kind=${1:-}
out=${2:-}
case $kind in
memory) flags='-fsanitize=memory' ;;
integer) flags="-fsanitize=integer,implicit-conversion,nullability,local-bounds
    -fsanitize-ignorelist=$PWD/test/checks/integer.txt" ;;
*)
    echo 'usage: sh test/checks/sanitizer.sh memory|integer OUT' >&2
    exit 2
    ;;
esac
[ -n "$out" ]
mkdir -p "$out"
out=$(cd "$out" && pwd)
flags=$(echo $flags)
set --
if [ $kind = memory ]; then
    clang-19 -O1 -g $flags -c test/checks/memory_zlib.c -o "$out/memory_zlib.o"
    set -- "-DCMAKE_EXE_LINKER_FLAGS=$out/memory_zlib.o -Wl,--wrap=deflateInit2_,--wrap=inflateInit2_,--wrap=deflate,--wrap=inflate"
fi
cmake -S . -B "$out" -DCMAKE_C_COMPILER=clang-19 -DCMAKE_BUILD_TYPE=Debug -DTENON_BUILD_EXAMPLES=OFF \
    "-DCMAKE_C_FLAGS=-fno-omit-frame-pointer -fno-sanitize-recover=all $flags" '-DCMAKE_C_FLAGS_DEBUG=-O1 -g' "$@"
cmake --build "$out" -j 2 -- -k
