#!/bin/sh
# SPDX-License-Identifier: MIT
# A program links only what it calls, from the library and from the one file alike.
#
# usage: sh test/checks/pay.sh OUT
#
# For each program: the files of lib/ of which nothing may be in it, and those of which
# something must be. A global that a file defines stands for the file, for all else in
# it is reached through one. Prints what of the library is not there.
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

# linked FILE SYMBOLS: the globals of the library's file that are in the program.
linked() {
    [ -f "$out/$1.o" ] || fail "there is no lib/$1.c"
    globals "$out/$1.o" | grep -Fx -f "$2" || :
}

# build NAME LIBRARY PROGRAM FLAG...: the program, run, and what symbols are in it.
build() {
    name=$1
    library=$2
    program=$3
    shift 3
    gcc $flags -Wall -Wextra -Werror "test/checks/pay_$program.c" "$@" "$library" -Wl,--gc-sections -lz -o "$out/$name"
    # Local and hidden symbols too: all that is left.
    nm -P --defined-only "$out/$name" | sed 's/ .*//' | sort -u >"$out/$name.symbols"
    "$out/$name" || fail "$name does not run"
}

# check PROGRAM PRESENT ABSENT FLAG...: with the library, and with the one file.
check() {
    program=$1
    present=$2
    absent=$3
    shift 3
    [ $# -eq 0 ] && what=$program || what=${program}_deflate
    build "$what" "$out/lib.a" "$program" "$@"
    build "one_$what" "$out/one.o" "$program" "$@"
    for name in "$what" "one_$what"; do
        for file in $present; do
            [ -n "$(linked "$file" "$out/$name.symbols")" ] || fail "$name has nothing of lib/$file.c"
        done
        for file in $absent; do
            found=$(linked "$file" "$out/$name.symbols")
            [ -z "$found" ] || fail "$name has of lib/$file.c:" $found
        done
    done
    echo "not in $what:" $(globals "$out/lib.a" | grep '^tenon_' | grep -vFx -f "$out/$what.symbols")
    figures="$figures, $what $(grep -c '^tenon_[a-z0-9_]*$' "$out/$what.symbols")"
}

rm -rf "$out"
mkdir -p "$out"
for source in lib/*.c lib/zlib/zlib.c; do
    gcc $flags -c "$source" -o "$out/$(basename "$source" .c).o"
done
mv "$out/zlib.o" "$out/codec"
ar rcs "$out/lib.a" "$out"/*.o
python3 lib/amalgamate.py . "$out/one"
gcc $flags -c "$out/one/tenon.c" -o "$out/one.o"

http='http1 uri key sha1 kernel_sha base64 negotiate connect handshake_server handshake_client server client backoff'
deflate='agree deflate compress prepare'
# With compression: the codec, and its object.
compressed="-DPAY_DEFLATE $out/codec"

check open 'recv send' "$http $deflate"
check server 'handshake_server sha1' "handshake_client client connect backoff $deflate"
check client 'handshake_client client sha1 uri' "handshake_server server connect backoff $deflate"
check both 'handshake_server server handshake_client client' "connect backoff $deflate"
# Compression is agreed on in fields: their grammar comes with it, the handshake does not.
check open 'recv compress deflate' \
    'http1 key sha1 base64 connect handshake_server handshake_client server client backoff prepare' $compressed
check server 'server compress' 'handshake_client client connect backoff prepare' $compressed
check client 'client compress' 'handshake_server server connect backoff prepare' $compressed
check both 'server client compress' 'connect backoff prepare' $compressed

globals "$out/lib.a" | grep -c '^tenon_' >"$out/total"
echo "OK pay: globals linked of $(cat "$out/total")$figures"
