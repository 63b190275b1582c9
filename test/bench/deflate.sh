#!/bin/sh
# SPDX-License-Identifier: MIT
# Compressed echo: echo_server, ws and websocketpp compared by CPU time of the server.
#
# usage: sh test/bench/deflate.sh [BUILD_DIR] [ROUNDS]      (default: build, 5)
#
# The table goes to stdout and to BUILD_DIR/bench/deflate.md. What is not installed is
# left out, with a line that says so. Nothing is asserted about times.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=$(cd "${1:-build}" && pwd) || exit 1
out=$build/bench
mkdir -p "$out" || exit 1

libraries="$build/libtenon_zlib.a $build/libtenon.a -lz"
cc -std=c99 -O2 -Wall -Wextra -Wshadow -Werror "$here/deflate_load.c" -o "$out/deflate_load" -lz || exit 1
# shellcheck disable=SC2086
cc -std=c99 -O2 -Wall -Wextra -Wshadow -Werror -I"$here/../../include" "$here/deflate_memory.c" \
    -o "$out/deflate_memory" $libraries || exit 1
if [ ! "$out/deflate_websocketpp" -nt "$here/deflate_websocketpp.cpp" ]; then
    timeout 240 c++ -std=c++14 -O2 -w "$here/deflate_websocketpp.cpp" -o "$out/deflate_websocketpp" -lz -lpthread \
        2>"$out/build.log" || echo "websocketpp does not compile: see $out/build.log" >&2
fi
exec timeout 600 /usr/bin/python3 "$here/deflate.py" "$build" "${2:-5}"
