#!/bin/sh
# SPDX-License-Identifier: MIT
# The same frames to tenon, wslay and websocketpp: whoever judges otherwise than tenon is
# in explained.tsv, with the reason.
#
# usage: sh test/differential/run.sh BUILD_DIR [OPTION...]     (options of differential.c)
#
# Needs BUILD_DIR/libtenon.a. A peer that is not installed is left out; one has to be.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
shift
out=$build/differential
mkdir -p "$out"
include="-I$here -I$here/../../include"
peers=
libraries=
with=
if echo '#include <wslay/wslay.h>' | cc -E - >/dev/null 2>&1; then
    cc -std=c99 -O2 -Wall -Wextra -Wshadow -Werror $include -c "$here/wslay.c" -o "$out/wslay.o"
    peers="$peers $out/wslay.o"
    libraries=-lwslay
    with="$with -DWITH_WSLAY"
fi
if echo '#include <websocketpp/processors/hybi13.hpp>' | c++ -x c++ -E - >/dev/null 2>&1; then
    c++ -std=c++17 -O2 -w $include -c "$here/websocketpp.cpp" -o "$out/websocketpp.o"
    peers="$peers $out/websocketpp.o"
    with="$with -DWITH_WEBSOCKETPP"
fi
if [ -z "$peers" ]; then
    echo 'differential: neither libwslay-dev nor libwebsocketpp-dev is here' >&2
    exit 1
fi
cc -std=c99 -O2 -Wall -Wextra -Wshadow -Werror $include $with -c "$here/differential.c" -o "$out/differential.o"
c++ "$out/differential.o" $peers "$build/libtenon.a" $libraries -lpthread -o "$out/differential"
exec "$out/differential" "$here/explained.tsv" "$@"
