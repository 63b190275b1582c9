#!/bin/sh
# SPDX-License-Identifier: MIT
# Fuzzes the connection, as server and as client, and permessage-deflate.
#
# usage: sh fuzz/run.sh SECONDS [JOBS]
#
# SECONDS: for all targets together. JOBS: processes at a time, for each target in
# turn; 1. Builds into build/fuzz/, and keeps there what was found: corpus/, and
# the inputs that failed in failures/. To see one again: build/fuzz/server FILE,
# build/fuzz/client FILE, or build/fuzz/deflate FILE.
set -eu
cd "$(dirname "$0")/.."

seconds=${1:-}
jobs=${2:-1}
case "$seconds.$jobs" in
*[!0-9.]* | .* | *. | 0.* | *.0)
    echo 'usage: sh fuzz/run.sh SECONDS [JOBS]' >&2
    exit 2
    ;;
esac
if ! command -v clang-19 >/dev/null 2>&1; then
    echo 'fuzz: clang-19 is missing (packages clang-19, libclang-rt-19-dev, libfuzzer-19-dev)' >&2
    exit 1
fi

out=$PWD/build/fuzz
rm -rf "$out/objects" "$out/failures"
mkdir -p "$out/objects" "$out/failures"

# The library alone is watched for new paths: those of the harness say nothing.
flags='-std=c99 -g -O1 -fno-omit-frame-pointer -Wall -Wextra -Wshadow -Werror -fno-sanitize-recover=all -Iinclude'
for source in lib/*.c lib/zlib/*.c; do
    clang-19 $flags -fsanitize=fuzzer-no-link,address,undefined -c "$source" \
        -o "$out/objects/$(basename "$source" .c).o"
done
for role in server client; do
    name=TENON_$(echo $role | tr a-z A-Z)
    clang-19 $flags -fsanitize=address,undefined -DTENON_FUZZ_ROLE=$name -c fuzz/fuzz_conn.c -o "$out/fuzz_$role.o"
    clang-19 -fsanitize=fuzzer,address,undefined "$out/fuzz_$role.o" "$out"/objects/*.o -lz -o "$out/$role"
done
clang-19 $flags -fsanitize=address,undefined -c fuzz/fuzz_deflate.c -o "$out/fuzz_deflate.o"
clang-19 -fsanitize=fuzzer,address,undefined "$out/fuzz_deflate.o" "$out"/objects/*.o -lz -o "$out/deflate"

total=0
files=0
failed=0
left=3
for role in server client deflate; do
    corpus=$out/corpus/$role
    mkdir -p "$corpus"
    # The shares make up all of the seconds, and none is 0, which is no limit.
    share=$(((seconds + left - 1) / left))
    seconds=$((seconds - share))
    left=$((left - 1))
    [ $share -gt 0 ] || continue
    seeds=fuzz/corpus
    options='-timeout=3 -dict=fuzz/conn.dict'
    if [ $role = deflate ]; then
        seeds=fuzz/corpus_deflate
        options='-timeout=5'
    fi
    log=$out/$role.log
    rm -f "$log" "$out/$role".*.log
    i=0
    pids=
    while [ $i -lt "$jobs" ]; do
        "$out/$role" -max_total_time=$share $options -max_len=1024 -print_final_stats=1 -reload=1 \
            -artifact_prefix="$out/failures/$role-" "$corpus" $seeds >"$out/$role.$i.log" 2>&1 &
        pids="$pids $!"
        i=$((i + 1))
    done
    for pid in $pids; do
        wait "$pid" || failed=1
    done
    cat "$out/$role".*.log >"$log"
    runs=$(awk '/^stat::number_of_executed_units:/ { n += $2 } END { print n + 0 }' "$log")
    total=$((total + runs))
    files=$((files + $(find "$corpus" -type f | wc -l)))
done

if [ $failed -ne 0 ] || [ -n "$(ls "$out/failures")" ]; then
    for log in "$out"/server.log "$out"/client.log "$out"/deflate.log; do
        [ -f "$log" ] && grep -a -n -A 60 -E '^fuzz_[a-z]*.c:|runtime error:|ERROR: ' "$log" | cut -c 1-200 |
            head -n 100
    done
    echo "fuzz: FAILED after $total executions; the inputs are in build/fuzz/failures" >&2
    exit 1
fi
echo "OK fuzz: $total executions in $1 s, corpus of $files inputs"
