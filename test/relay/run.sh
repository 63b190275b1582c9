#!/bin/sh
# SPDX-License-Identifier: MIT
# The relay between clients and origins that do everything wrong, on loopback.
#
# usage: sh test/relay/run.sh BUILD_DIR [TEST...]
#
# BUILD_DIR holds examples/relay and examples/echo_server. One line for each test.
# The tests of memory errors and leaks need a relay with the sanitizers: if that of
# BUILD_DIR has none, one is built in BUILD_DIR/relay_sanitized.
#
# Peers: sockets of the tests' own, python3-websockets, and the npm package ws, which
# is installed into BUILD_DIR/npm if it is not there.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
if [ $# -lt 1 ] || [ ! -d "$1" ]; then
    echo "usage: sh test/relay/run.sh BUILD_DIR [TEST...]" >&2
    exit 2
fi
build=$(cd "$1" && pwd) || exit 1
shift
log=$build/relay.log
: >"$log" || exit 1

# fail NAME WHAT
fail() {
    echo "FAIL $1 - $2"
    exit 1
}

for program in relay echo_server; do
    [ -x "$build/examples/$program" ] || fail programs "expected examples/$program in $build, which is not there"
done

is_sanitized() {
    grep -q __asan_init "$1" 2>/dev/null
}

sanitized=$build
if ! is_sanitized "$build/examples/relay"; then
    sanitized=$build/relay_sanitized
    { cmake -S "$here/../.." -B "$sanitized" -DCMAKE_BUILD_TYPE=Debug -DTENON_SANITIZE=ON -DTENON_BUILD_TESTS=OFF &&
        cmake --build "$sanitized" --parallel 2 --target example_relay; } >>"$log" 2>&1 ||
        fail sanitized "expected a relay with the sanitizers; see $log"
fi

# The version of ws that the other tests pin.
interop=$here/../interop
pinned=$(sed -n 's/.*"ws": "\([0-9.]*\)".*/\1/p' "$interop/package.json")
installed() {
    node -p 'require(process.argv[1]).version' "$build/npm/node_modules/ws/package.json" 2>/dev/null
}
if [ "$(installed)" != "$pinned" ]; then
    mkdir -p "$build/npm" && cp "$interop/package.json" "$interop/.npmrc" "$build/npm/" &&
        (cd "$build/npm" && timeout 120 npm install --ignore-scripts --omit=optional --loglevel=error) >>"$log" 2>&1
    [ "$(installed)" = "$pinned" ] || fail ws "expected npm to install ws $pinned; see $log"
fi

export TENON_INTEROP_BUILD="$build" TENON_RELAY_SANITIZED="$sanitized" PYTHONDONTWRITEBYTECODE=1
# Memory that was given back is kept for a while; here it is the amount that counts.
export ASAN_OPTIONS="quarantine_size_mb=1:${ASAN_OPTIONS:-}"
exec /usr/bin/python3 "$here/run.py" "$@"
