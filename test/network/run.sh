#!/bin/sh
# SPDX-License-Identifier: MIT
# Misbehaving intermediaries and bad networks, on loopback and in namespaces.
#
# usage: sh test/network/run.sh [BUILD_DIR] [--seed N]      (default: build)
#
#   run_profiles.py  what content networks do to a WebSocket, profile by profile
#   run_chat.py      the chat through them: it falls back and tries again
#   run_bad.py       lines that are cut, slow, stalled or dead, at places that the seed chooses
#   run_kernel.py    the same by the kernel's queueing disciplines, where that is permitted
#
# One line for each thing tested: OK or FAIL; "seed" and "note" lines besides. Writes
# BUILD_DIR/network/profiles.md. In a build with TENON_SANITIZE leaks count as well.
# Needs python3-websockets, nodejs, npm (for ws), a C compiler; iproute2 and root for the last.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
cd "$here/../.." || exit 1
build=build
if [ $# -gt 0 ]; then
    build=$1
    shift
fi
mkdir -p "$build/network" && build=$(cd "$build" && pwd) || exit 1
export TENON_NETWORK_BUILD="$build" PYTHONDONTWRITEBYTECODE=1

failed=0
fail() {
    echo "FAIL $1  - $2"
    failed=1
}

for program in echo_server echo_client chat_server chat_client; do
    [ -x "$build/examples/$program" ] || fail "$program" "expected in $build/examples, actual: not there; build it first"
done
/usr/bin/python3 -c 'import websockets' 2>/dev/null ||
    fail websockets "expected with the system's Python (Debian: python3-websockets), actual: not there"
for tool in cc node npm; do
    command -v $tool >/dev/null || fail $tool 'expected, actual: not there (Debian: gcc, nodejs, npm)'
done

# The version of ws that test/interop pins.
pinned=$(sed -n 's/.*"ws": "\([0-9.]*\)".*/\1/p' test/interop/package.json)
installed() {
    node -p 'require(process.argv[1]).version' "$build/npm/node_modules/ws/package.json" 2>/dev/null
}
install_ws() {
    [ "$(installed)" = "$pinned" ] && return 0
    mkdir -p "$build/npm" && cp test/interop/package.json test/interop/.npmrc "$build/npm/" &&
        (cd "$build/npm" && timeout 120 npm install --ignore-scripts --omit=optional --loglevel=error) >&2 &&
        [ "$(installed)" = "$pinned" ]
}

build_probe() {
    flags=
    if grep -q '^TENON_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" 2>/dev/null; then
        flags='-fsanitize=address,undefined -fno-sanitize-recover=all'
    fi
    # shellcheck disable=SC2086  # the flags are words
    cc -std=c99 -O1 -g -Wall -Wextra -Wshadow -Werror $flags -Iinclude -Iexamples "$here/probe.c" \
        "$build/libexample_common.a" "$build/libtenon.a" -o "$build/network/probe"
}

[ $failed -ne 0 ] || build_probe || fail probe 'expected it to compile'
[ $failed -ne 0 ] || install_ws || fail ws "expected npm to install version $pinned"
[ $failed -eq 0 ] || exit 1

# run SCRIPT ARGUMENT...: its lines tell what failed, but for a script that does not end.
run() {
    script=$1
    shift
    timeout -k 10 120 /usr/bin/python3 "$here/$script" "$@"
    status=$?
    [ $status -eq 0 ] || failed=1
    [ $status -le 1 ] || fail "$script" "expected status 0 or 1, actual $status"
}

run run_profiles.py
run run_chat.py
run run_bad.py "$@"
run run_kernel.py
exit $failed
