#!/bin/sh
# SPDX-License-Identifier: MIT
# A program links only what it calls.
#
# usage: sh test/checks/pay.sh OUT
#
# For each program: the files of lib/ of which nothing may be in it, and one of
# which something must be. A global that a file defines stands for the file, for
# all else in it is reached through one.
set -eu
out=$1
flags='-std=c99 -Os -ffunction-sections -fdata-sections -Iinclude -Ilib'
figures=

fail() {
    echo "pay: $*" >&2
    exit 1
}

# globals FILE: what it defines for others, one a line.
globals() {
    nm -g -P --defined-only "$1" | sed 's/ .*//' | sort -u
}

# linked FILE PROGRAM: the globals of the library's file that are in the program.
linked() {
    [ -f "$out/$1.o" ] || fail "there is no lib/$1.c"
    globals "$out/$1.o" | grep -Fx -f "$out/$2.symbols" || :
}

# check PROGRAM PRESENT ABSENT...
check() {
    program=$1
    present=$2
    shift 2
    gcc $flags -Wall -Wextra -Werror "test/checks/$program.c" "$out"/lib.a -Wl,--gc-sections -o "$out/$program"
    # Local and hidden symbols too: all that is left.
    nm -P --defined-only "$out/$program" | sed 's/ .*//' | sort -u >"$out/$program.symbols"
    "$out/$program" || fail "$program does not run"
    [ -n "$(linked "$present" "$program")" ] || fail "$program has nothing of lib/$present.c"
    for file; do
        found=$(linked "$file" "$program")
        [ -z "$found" ] || fail "$program has of lib/$file.c:" $found
    done
    figures="$figures, $program $(grep -c '^tenon_' "$out/$program.symbols")"
}

rm -rf "$out"
mkdir -p "$out"
for source in lib/*.c; do
    gcc $flags -c "$source" -o "$out/$(basename "$source" .c).o"
done
ar rcs "$out/lib.a" "$out"/*.o

check pay_open recv \
    http1 uri key sha1 kernel_sha base64 negotiate connect handshake_server handshake_client server client backoff \
    agree deflate compress prepare
check pay_server handshake_server \
    handshake_client client connect backoff agree deflate compress prepare

globals "$out/lib.a" | grep -c '^tenon_' >"$out/total"
echo "OK pay: globals linked of $(cat "$out/total")$figures"
