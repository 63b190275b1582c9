#!/bin/sh
# SPDX-License-Identifier: MIT
# Speed: tenon beside memcpy, Boost.Beast, wslay and websocketpp; echo_server beside an
# echo that understands nothing.
#
# usage: sh test/bench/speed.sh [BUILD_DIR] [ROUNDS [PART...]]     (default: build, 7, all)
#
# Parts: memory (messages in memory), instructions (the same, counted by valgrind), echo
# and crowd (servers on loopback). With 0 rounds nothing is timed, and only looked
# whether all do right what is asked of them. Tables go to stdout and to
# BUILD_DIR/bench/speed_all.md, the one of the README to BUILD_DIR/bench/speed.md:
#
#   python3 test/tables.py README.md build/bench/speed.md
#
# Needs BUILD_DIR/examples/echo_server, a release build. What is not installed is left
# out. Nothing is asserted about times.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=$(cd "${1:-build}" && pwd) || exit 1
rounds=${2:-7}
out=$build/bench/speed
if [ $# -gt 2 ]; then
    shift 2
else
    set -- memory instructions echo crowd
fi

# compile DIRECTORY MARCH TARGET...
compile() {
    to=$1
    march=$2
    shift 2
    mkdir -p "$to" || exit 1
    for target; do
        timeout 300 make -s -f "$here/speed.mk" OUT="$to" MARCH="$march" "$to/$target" || exit 1
    done
}

compile "$out" '' speed speed_raw speed_load speed_calls.so
case " $* " in
*' instructions '*)
    # What valgrind can run: it knows no AVX-512, which memcpy would use.
    [ "$rounds" = 0 ] || [ "$(uname -m)" != x86_64 ] || compile "$out/v3" -march=x86-64-v3 speed
    ;;
esac
exec timeout 1500 /usr/bin/python3 "$here/speed.py" "$build" "$rounds" "$@"
