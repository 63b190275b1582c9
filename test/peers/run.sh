#!/bin/sh
# SPDX-License-Identifier: MIT
# WebSocket implementations of others, each as client and as server, against tenon.
#
# usage: sh test/peers/run.sh [BUILD_DIR] [PEER...]      (default: build, all peers)
#
# One line for each peer and role. Compiles into BUILD_DIR/peers, and leaves there
# table.md, for documents, and facts.txt, which tells how the peers behave.
# TENON_PEERS_DEFLATE=1 wants permessage-deflate of the echo server (--deflate), and
# that whoever offers it gets it.
set -u
[ $# -gt 0 ] || set -- build
exec /usr/bin/python3 "$(dirname "$0")/run.py" "$@"
