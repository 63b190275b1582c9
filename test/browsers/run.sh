#!/bin/sh
# SPDX-License-Identifier: MIT
# The chat's page, and WebSocket from pages, in Chromium and Firefox.
#
# usage: sh test/browsers/run.sh [BUILD_DIR [test_NAME...]]      (default: build)
#
# The drivers, from npm, are installed into BUILD_DIR/browsers/npm; screenshots go to
# BUILD_DIR/browsers.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=$(cd "${1:-build}" && pwd) || exit 1
[ $# -eq 0 ] || shift
export TENON_BUILD="$build"
npm=$build/browsers/npm

fail() {
    echo "FAIL browsers - $*"
    exit 1
}

for program in chat_server echo_server; do
    [ -x "$build/examples/$program" ] || fail "examples/$program is not in $build: build it first"
done
[ -x /usr/bin/chromium ] || fail 'there is no Chromium (Debian: chromium)'
[ -x /usr/bin/firefox-esr ] || fail 'there is no Firefox (Debian: firefox-esr)'
command -v npm >/dev/null || fail 'there is no npm (Debian: npm)'

if ! cmp -s "$here/package.json" "$npm/package.json" || [ ! -d "$npm/node_modules/puppeteer-core" ]; then
    rm -rf "$npm" && mkdir -p "$npm" && cp "$here/package.json" "$here/.npmrc" "$npm/" || fail "no room in $npm"
    (cd "$npm" && timeout 180 npm install --ignore-scripts --omit=optional --loglevel=error) ||
        fail 'npm could not install the drivers'
fi
exec node "$here/browsers.js" "$@"
