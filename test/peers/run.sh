#!/bin/sh
# SPDX-License-Identifier: MIT
# WebSocket implementations of others, each as client and as server, against tenon.
#
# usage: sh test/peers/run.sh [BUILD_DIR] [PEER...]      (default: build, all peers)
#
# One line for each peer and role. Compiles into BUILD_DIR/peers, and leaves there
# table.md, for documents, and facts.txt, which tells how the peers behave.
# Then the same again with permessage-deflate, of those that have it.
set -u
[ $# -gt 0 ] || set -- build
here=$(dirname "$0")
/usr/bin/python3 "$here/run.py" "$@"
plain=$?
TENON_PEERS_DEFLATE=1 /usr/bin/python3 "$here/run.py" "$@"
compressed=$?
[ $plain -eq 0 ] && [ $compressed -eq 0 ]
