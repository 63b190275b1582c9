#!/bin/sh
# SPDX-License-Identifier: MIT
# The example programs against WebSocket implementations of others, on loopback.
#
# usage: sh test/interop/run.sh [BUILD_DIR]      (default: build)
#
# Peers: python3-websockets of the system's Python, and the npm package ws, which
# is installed into BUILD_DIR/npm. A test that passes prints "OK test_name", and
# leaves the same line in the file that TENON_INTEROP_LOG names.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
cd "$here/../.." || exit 1
mkdir -p "${1:-build}" && build=$(cd "${1:-build}" && pwd) || exit 1
export TENON_INTEROP_BUILD="$build" PYTHONDONTWRITEBYTECODE=1

failed=0
counted=$build/interop.txt
: >"$counted" || exit 1

# fail WHAT: one more that failed, outside the scripts.
fail() {
    echo "FAIL $1" | tee -a "$counted" >&2
}

for program in examples/echo_server examples/echo_client examples/chat_server examples/chat_client \
    test/conformance_client; do
    [ -x "$build/$program" ] || fail "$program is not in $build: build it first"
done
/usr/bin/python3 -c 'import websockets' 2>/dev/null ||
    fail 'the system Python has no websockets (Debian: python3-websockets)'
command -v node >/dev/null || fail 'there is no node (Debian: nodejs)'
command -v npm >/dev/null || fail 'there is no npm (Debian: npm)'

# The version that package.json pins and the one that is installed.
pinned() {
    sed -n 's/.*"ws": "\([0-9.]*\)".*/\1/p' "$here/package.json"
}
installed() {
    node -p 'require(process.argv[1]).version' "$build/npm/node_modules/ws/package.json" 2>/dev/null
}

install_ws() {
    [ "$(installed)" = "$(pinned)" ] && return 0
    rm -rf "$build/npm" && mkdir -p "$build/npm" &&
        cp "$here/package.json" "$here/.npmrc" "$build/npm/" &&
        (cd "$build/npm" && timeout 120 npm install --ignore-scripts --omit=optional --loglevel=error) &&
        [ "$(installed)" = "$(pinned)" ]
}

# run COMMAND...: one script, which tells by itself which of its tests failed.
run() {
    echo "--- $2" | sed "s,$here/,,"
    { "$@" 2>&1 || echo "FAIL $(basename "$2") ended with status $?"; } | tee -a "$counted"
}

if [ ! -s "$counted" ]; then
    install_ws || fail "npm could not install ws $(pinned)"
fi
if [ ! -s "$counted" ]; then
    for script in wire_client wire_server python_client python_server fuzzing_server chat deflate; do
        run /usr/bin/python3 "$here/$script.py"
    done
    for script in ws_client ws_server deflate; do
        run node "$here/$script.js"
    done
fi

passed=$(grep -c '^OK test_' "$counted")
failed=$(grep -c '^FAIL ' "$counted")
[ "$((passed + failed))" -gt 0 ] || failed=1
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
