#!/bin/sh
# SPDX-License-Identifier: MIT
# Whether the proof can fail: puts one bug at a time into a copy of lib/, and asks the
# harness that should see it. A line that is not there any more is told, and has to be
# written anew.
#
# usage: sh test/proof/seeds.sh [HARNESS]      only those of that harness
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0
only=${1:-}
work=build/proof/seeds
export MACHDEPS=gcc_x86_64 LIB=$work/lib LOGS=$work/logs STOP='-eva-stop-at-nth-alarm 1'

# seed NAME HARNESS FILE FROM TO: replaces the only line that FROM matches.
seed() {
    [ -z "$only" ] || [ "$only" = "$2" ] || return 0
    rm -rf "$work"
    mkdir -p "$work"
    cp -R lib "$work/lib"
    if [ "$(grep -cF -- "$4" "lib/$3")" -ne 1 ]; then
        bad=$((bad + 1))
        echo "FAIL $1: lib/$3 has no such line any more, or several: $4"
        return
    fi
    /usr/bin/python3 -c 'import sys
path, old, new = sys.argv[1:]
text = open(path).read()
open(path, "w").write(text.replace(old, new, 1))' "$work/lib/$3" "$4" "$5"
    told=$(sh test/proof/run.sh "$2")
    case $told in
    *FAIL*alarms* | *FAIL*goals*) echo "OK $1: found by $2" ;;
    *)
        bad=$((bad + 1))
        echo "FAIL $1: not found by $2: $told"
        ;;
    esac
}

seed 'a word read past the end' leaf_mask short.h 'memcpy(&last, from + n - 8, 8);' 'memcpy(&last, from + n - 7, 8);'
seed 'the same, any size' wp short.h 'memcpy(&last, from + n - 8, 8);' 'memcpy(&last, from + n - 7, 8);'
seed 'shift into the sign' leaf_key sha1.c '(uint32_t)octets[0] << 24' 'octets[0] << 24'
seed 'off by one, run of a head' leaf_http1 http1.c 'while (i < n && data[i] >= lowest' 'while (i <= n && data[i] >= lowest'
seed 'off by one, fold' leaf_head http1.c 'n - i > 2' 'n - i > 1'
seed 'off by one, token' leaf_text field.c 'while (i < n && tenon_is_tchar' 'while (i <= n && tenon_is_tchar'
seed 'key one octet too far' leaf_frame frame.h 'h->key[at - h->length] = octet;' 'h->key[at - h->length + 1] = octet;'
seed 'off by one, white space' leaf_list field.c 'while (s->size > 0 && is_blank(*s->data))' 'while (is_blank(*s->data) && s->size > 0)'
seed 'index past a table' leaf_key base64.c 'digits[group & 63]' 'digits[group & 127]'
seed 'no reserve behind the ring' open_frame conn.c 'size - TENON_TX_RESERVE;' 'size;'
seed 'connection not cleared' open_frame conn.c 'memset(c, 0, sizeof *c);' ''
seed 'head longer than rx' shake_server conn.c 'if (limits.head > conn->room + TENON_RX_RESERVE)' 'if (limits.head > 16384)'

[ $bad -eq 0 ]
