#!/bin/sh
# SPDX-License-Identifier: MIT
# About 20,000 connections to echo_server and to chat_server, on loopback.
#
# usage: sh test/crowd/run.sh [BUILD_DIR]      (default: build)
#
# Compiles the crowd against the libraries of BUILD_DIR and leads it to the servers in
# BUILD_DIR/examples. A line "OK name  - detail" or "FAIL name  - detail" for each check.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=$(cd "${1:-$here/../../build}" && pwd) || exit 1

for file in libtenon.a libexample_common.a examples/echo_server examples/chat_server; do
    [ -e "$build/$file" ] && continue
    echo "FAIL crowd: build  - $file is not in $build: build it first"
    exit 1
done

# With sanitizers, memory is not what it is.
if nm "$build/libtenon.a" 2>/dev/null | grep -q __asan_; then
    echo "FAIL crowd: build  - sizes of memory need a build without sanitizers; $build has them"
    exit 1
fi

mkdir -p "$build/crowd" || exit 1
if ! gcc -std=c99 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wshadow -Werror \
    -I"$here/../../include" -I"$here/../../examples" -o "$build/crowd/crowd" "$here"/*.c \
    "$build/libexample_common.a" "$build/libtenon.a"; then
    echo "FAIL crowd: build  - the crowd does not compile"
    exit 1
fi
timeout 150 "$build/crowd/crowd" --echo "$build/examples/echo_server" --chat "$build/examples/chat_server"
status=$?
[ $status -ne 124 ] || echo "FAIL crowd: time  - all within 150 s, and it was not over"
exit $status
