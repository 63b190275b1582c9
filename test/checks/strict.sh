#!/bin/sh
# SPDX-License-Identifier: MIT
# Every way of compiling that must pass without a warning.
#
# usage: sh test/checks/strict.sh OUT
#
# Leaves in OUT/cortex-m4 and OUT/cortex-m0 the objects of the bare-metal builds.
set -eu
out=$1
strict='-std=c99 -pedantic -Wall -Wextra -Wconversion -Wshadow -Werror'
# All that clang knows, but for: padding in structs; indexing itself; declarations behind
# statements, which C99 has; and switches without default, where the compiler sees that all
# cases are there.
everything='-std=c99 -Weverything -Werror -Wno-padded -Wno-unsafe-buffer-usage -Wno-declaration-after-statement
    -Wno-switch-default'
count=0
failed=0

# try WHAT COMMAND...: counts, and says what failed.
try() {
    what=$1
    shift
    count=$((count + 1))
    if ! "$@"; then
        echo "strict: $what" >&2
        failed=$((failed + 1))
    fi
}

rm -rf "$out"
mkdir -p "$out/plain" "$out/cortex-m4" "$out/cortex-m0"

# With no configuration at all.
include=$(cd include && pwd)
sources=
for source in lib/*.c; do
    sources="$sources $PWD/$source"
done
try 'cc -Iinclude -c lib/*.c' sh -c "cd '$out/plain' && cc -I'$include' -c $sources"

# -O2, for warnings that need to follow values.
for source in lib/*.c; do
    for cc in gcc clang-19; do
        try "$source: $cc" $cc $strict -O2 -Iinclude -Ilib -c "$source" -o "$out/strict.o"
    done
    try "$source: clang-19 -Weverything" clang-19 $everything -O2 -Iinclude -Ilib -c "$source" -o "$out/strict.o"
    for cpu in m0 m4; do
        try "$source: arm-none-eabi-gcc, Cortex-$cpu" arm-none-eabi-gcc -std=c99 -ffreestanding \
            -mcpu=cortex-$cpu -mthumb -Os -Wall -Wextra -Werror -Iinclude -Ilib \
            -c "$source" -o "$out/cortex-$cpu/$(basename "$source" .c).o"
    done
done

# Codecs, which are no part of a bare-metal build.
for source in lib/*/*.c; do
    for cc in gcc clang-19; do
        try "$source: $cc" $cc $strict -O2 -Iinclude -Ilib -c "$source" -o "$out/strict.o"
    done
    try "$source: clang-19 -Weverything" clang-19 $everything -O2 -Iinclude -Ilib -c "$source" -o "$out/strict.o"
done

# Each header alone, and twice.
for header in include/tenon/*.h; do
    name=tenon/$(basename "$header")
    printf '#include <%s>\n#include <%s>\nint unit;\n' "$name" "$name" >"$out/header.c"
    cp "$out/header.c" "$out/header.cpp"
    for cc in gcc clang-19; do
        try "$name: $cc" $cc $strict -Iinclude -c "$out/header.c" -o "$out/strict.o"
    done
    for cxx in g++ clang++-19; do
        try "$name: $cxx" $cxx -std=c++11 -Wall -Wextra -Werror -Iinclude -c "$out/header.cpp" -o "$out/strict.o"
    done
done

if [ $failed -gt 0 ]; then
    echo "strict: $failed of $count compilations failed" >&2
    exit 1
fi
echo "OK strict: $count compilations without a warning"
