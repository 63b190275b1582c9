#!/bin/sh
# SPDX-License-Identifier: MIT
# The example programs through the intermediaries that a WebSocket crosses.
#
# usage: sh test/proxies/run.sh [BUILD_DIR] [TEST...]      (default: build)
#
# Private instances of nginx, haproxy, apache2 and caddy, as Debian packages them,
# on loopback. One line for each and each test.
set -u
[ $# -gt 0 ] || set -- build
exec /usr/bin/python3 "$(dirname "$0")/run.py" "$@"
