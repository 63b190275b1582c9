#!/bin/sh
# SPDX-License-Identifier: MIT
# Fuzzes, or runs again what was found.
#
# usage: sh fuzz/run.sh SECONDS [JOBS]      libFuzzer (clang-19)
#        sh fuzz/run.sh --afl SECONDS       AFL++ (afl-clang-fast)
#        sh fuzz/run.sh --replay [memory]   the committed corpus, at every split
#
# SECONDS: for all targets together, each having its share. JOBS: processes at a time,
# for each target in turn; 1. Builds into build/fuzz/, and keeps there what was found:
# corpus/, and the inputs that failed in failures/. To see one again:
# build/fuzz/libfuzzer/TARGET FILE.
#
# The replay needs any C99 compiler (CC; gcc) and takes the sanitizers for addresses and
# undefined behaviour where there are any; "memory" takes the one for uninitialised
# memory, which clang has. Every mode prints a line of figures at its end.
# FUZZ_SEED: where chance begins; 0, the default, is another place each time.
set -eu
cd "$(dirname "$0")/.."

# NAME SHARE LENGTH SOURCE: of each target. Those of the whole connection get the most.
targets='
server    6 1024 conn
client    6 1024 conn
deflate   5 1024 deflate
pair      5  512 pair
run       4  512 run
head      3  800 head
negotiate 2  400 negotiate
field     2  500 field
frame     1  200 frame
uri       1  200 uri
utf8      1  300 utf8
mask      1  200 mask
'
warnings='-std=c99 -g -O1 -fno-omit-frame-pointer -Wall -Wextra -Wshadow -Werror -Iinclude -Ilib'

usage() {
    sed -n 's/^# usage: /usage: /p; s/^#        sh/       sh/p' "$0" >&2
    exit 2
}

number() {
    case $1 in
    '' | *[!0-9]* | 0*) usage ;;
    esac
}

names() {
    echo "$targets" | awk 'NF { print $1 }'
}

# of NAME COLUMN
of() {
    echo "$targets" | awk -v name="$1" -v column="$2" '$1 == name { print $column }'
}

# options NAME_OF_BUILD NAME: what the compiler is told for this target alone.
options() {
    case $1.$2 in
    replay*) ;; # one program takes both roles
    *.server | *.client) echo "-DTENON_FUZZ_ROLE=TENON_$(echo "$2" | tr a-z A-Z)" ;;
    esac
}

# left_out NAME_OF_BUILD NAME: zlib is not built to be watched for uninitialised memory.
left_out() {
    case $1.$2 in
    replay*.client | replay_memory.deflate) return 0 ;;
    *) return 1 ;;
    esac
}

# build NAME_OF_BUILD COMPILER FLAGS_LIBRARY FLAGS_TARGETS FLAGS_LINK: all programs.
build() {
    out=$PWD/build/fuzz/$1
    rm -rf "$out"
    mkdir -p "$out/objects"
    for source in lib/*.c lib/zlib/*.c; do
        case $1.$source in replay_memory.lib/zlib/*) continue ;; esac
        "$2" $warnings $3 -c "$source" -o "$out/objects/$(basename "$source" .c).o"
    done
    for source in fuzz/common.c fuzz/order.c fuzz/reference_*.c; do
        "$2" $warnings $4 -c "$source" -o "$out/objects/$(basename "$source" .c).o"
    done
    zlib=-lz
    [ "$1" != replay_memory ] || zlib=
    for name in $(names); do
        left_out "$1" "$name" && continue
        "$2" $warnings $4 $(options "$1" "$name") -c "fuzz/fuzz_$(of "$name" 4).c" -o "$out/$name.o"
        "$2" $5 "$out/$name.o" "$out"/objects/*.o $zlib -o "$out/$name"
    done
}

# next_share NAME: sets share, so that all of them make up the seconds that are left.
next_share() {
    share=$((seconds * $(of "$1" 2) / shares))
    shares=$((shares - $(of "$1" 2)))
    seconds=$((seconds - share))
}

# report LOG: what the sanitizers, or the targets, had to say.
report() {
    [ ! -f "$1" ] || grep -a -n -A 40 -E '^fuzz[a-z_/]*(\.c)?:|runtime error:|ERROR: ' "$1" | cut -c 1-200 | head -n 80
}

counts() {
    printf 'OK %s: %s executions in %s s, corpus of %s inputs, 0 failures\n' "$@"
}

# fail MODE EXECUTIONS INPUTS: with one input of each target, for the log may be all that is left.
fail() {
    find build/fuzz/failures -type f | sort | awk -F '[/-]' '!seen[$4]++' | while read -r input; do
        echo "$input: $(od -An -v -tx1 "$input" | tr -d ' \n')"
    done
    echo "$1: FAILED after $2 executions; $3 failures; the inputs are in build/fuzz/failures" >&2
    exit 1
}

# ---------------------------------------------------------------- libFuzzer

dictionary() {
    [ ! -f "fuzz/$1.dict" ] || echo "-$2 fuzz/$1.dict"
}

libfuzzer() {
    command -v clang-19 >/dev/null 2>&1 || {
        echo 'fuzz: clang-19 is missing (packages clang-19, libclang-rt-19-dev, libfuzzer-19-dev)' >&2
        exit 1
    }
    sanitize='-fsanitize=address,undefined -fno-sanitize-recover=all'
    # The library alone is watched for new paths, and its steps alone are counted.
    build libfuzzer clang-19 "$sanitize -fsanitize=fuzzer-no-link -fsanitize-coverage=trace-pc" \
        "$sanitize -DFUZZ_EDGES" '-fsanitize=fuzzer,address,undefined -Wl,--wrap=__sanitizer_cov_trace_pc'
    total=0
    files=0
    failed=0
    for name in $(names); do
        next_share "$name"
        [ "$share" -gt 0 ] || continue # 0 is no limit
        corpus=build/fuzz/corpus/$name
        mkdir -p "$corpus"
        i=0
        pids=
        rm -f "$out/$name".*.log
        while [ $i -lt "$jobs" ]; do
            "$out/$name" -seed="${FUZZ_SEED:-0}" -max_total_time=$share -timeout=10 -max_len="$(of "$name" 3)" -print_final_stats=1 -reload=1 \
                $(dictionary "$(of "$name" 4)" dict | tr ' ' =) -artifact_prefix="build/fuzz/failures/$name-" \
                "$corpus" "fuzz/corpus/$(of "$name" 4)" >"$out/$name.$i.log" 2>&1 &
            pids="$pids $!"
            i=$((i + 1))
        done
        for pid in $pids; do
            wait "$pid" || failed=1
        done
        runs=$(cat "$out/$name".*.log | awk '/^stat::number_of_executed_units:/ { n += $2 } END { print n + 0 }')
        echo "$name: $runs executions in $share s, corpus of $(find "$corpus" -type f | wc -l) inputs"
        total=$((total + runs))
        files=$((files + $(find "$corpus" -type f | wc -l)))
    done
    found=$(find build/fuzz/failures -type f | wc -l)
    if [ $failed -ne 0 ] || [ "$found" -ne 0 ]; then
        for log in "$out"/*.log; do report "$log"; done
        fail fuzz "$total" "$found"
    fi
    counts fuzz "$total" "$1" "$files"
}

# -------------------------------------------------------------------- AFL++

afl() {
    command -v afl-clang-fast >/dev/null 2>&1 || {
        echo 'fuzz: afl-clang-fast is missing (package afl++)' >&2
        exit 1
    }
    export AFL_USE_ASAN=1 AFL_USE_UBSAN=1 AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_QUIET=1
    export AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_SKIP_CRASHES=1
    begin=
    [ "${FUZZ_SEED:-0}" -eq 0 ] || begin="-s $FUZZ_SEED"
    build afl afl-clang-fast '-fno-sanitize-recover=all' '-fno-sanitize-recover=all' '-fsanitize=fuzzer'
    total=0
    files=0
    found=0
    for name in $(names); do
        next_share "$name"
        [ "$share" -gt 0 ] || continue
        state=build/fuzz/afl/state/$name
        mkdir -p "$state"
        afl-fuzz $begin -V $share -t 5000 -i "fuzz/corpus/$(of "$name" 4)" -o "$state" $(dictionary "$(of "$name" 4)" x) \
            -- "$out/$name" >"$out/$name.log" 2>&1 || {
            found=$((found + 1))
            tail -n 20 "$out/$name.log"
        }
        for kind in crashes hangs; do
            for input in "$state/default/$kind"/id*; do
                [ -f "$input" ] || continue
                cp "$input" "build/fuzz/failures/$name-$kind-$(basename "$input" | tr -c 'a-z0-9\n' _)"
                # what the first one says may be what all of them say
                [ -f "$out/$name.report" ] || timeout 60 "$out/$name" "$input" >"$out/$name.report" 2>&1 ||
                    report "$out/$name.report"
            done
        done
        runs=$(sed -n 's/^execs_done *: *//p' "$state/default/fuzzer_stats")
        kept=$(sed -n 's/^corpus_count *: *//p' "$state/default/fuzzer_stats")
        echo "$name: $runs executions in $share s, corpus of $kept inputs"
        total=$((total + runs))
        files=$((files + kept))
    done
    found=$((found + $(find build/fuzz/failures -type f | wc -l)))
    [ "$found" -eq 0 ] || fail 'fuzz with AFL++' "$total" "$found"
    counts 'fuzz with AFL++' "$total" "$1" "$files"
}

# ------------------------------------------------------------------- replay

# takes FLAGS: whether the compiler makes a program with them that runs.
takes() {
    echo 'int main(void) { return 0; }' >build/fuzz/probe.c
    "$compiler" "$@" build/fuzz/probe.c -o build/fuzz/probe >/dev/null 2>&1 && build/fuzz/probe >/dev/null 2>&1
}

# counts_edges: whether it can count the steps of the library.
counts_edges() {
    echo 'int probed(void) { return 0; }' >build/fuzz/probed.c
    printf '%s\n' 'int probed(void);' 'static int edges;' 'void __wrap___sanitizer_cov_trace_pc(void);' \
        'void __wrap___sanitizer_cov_trace_pc(void) { edges++; }' \
        'int main(void) { return probed() + (edges == 0); }' >build/fuzz/probe.c
    "$compiler" "$1" -c build/fuzz/probed.c -o build/fuzz/probed.o >/dev/null 2>&1 &&
        "$compiler" "$2" build/fuzz/probe.c build/fuzz/probed.o -o build/fuzz/probe >/dev/null 2>&1 &&
        build/fuzz/probe >/dev/null 2>&1
}

replay() {
    if [ "${1:-}" = memory ]; then
        compiler=${CC:-clang-19}
        sanitize='-fsanitize=memory -fsanitize-memory-track-origins -fno-sanitize-recover=all'
    else
        compiler=${CC:-gcc}
        sanitize='-fsanitize=address,undefined -fno-sanitize-recover=all'
    fi
    edges='-fsanitize-coverage=trace-pc'
    wrap='-Wl,--wrap=__sanitizer_cov_trace_pc'
    # shellcheck disable=SC2086
    takes $sanitize || { [ "${1:-}" != memory ] && sanitize=; }
    defines='-DFUZZ_REPLAY -DFUZZ_EDGES'
    counts_edges "$edges" "$wrap" || { edges= wrap= defines=-DFUZZ_REPLAY; }
    build "replay${1:+_$1}" "$compiler" "$sanitize $edges" "$sanitize $defines" "$sanitize $wrap"
    inputs=0
    programs=0
    for name in $(names); do
        [ -x "$out/$name" ] || continue
        if ! "$out/$name" "fuzz/corpus/$(of "$name" 4)"/* >"$out/$name.log" 2>&1; then
            tail -n 40 "$out/$name.log"
            echo "replay: FAILED in $name" >&2
            exit 1
        fi
        count=$(sed -n 's/ inputs replayed$//p' "$out/$name.log")
        inputs=$((inputs + count))
        programs=$((programs + 1))
    done
    echo "OK replay: $inputs inputs through $programs programs, at every split ($compiler ${sanitize:-without sanitizers})"
}

# --------------------------------------------------------------------------

mkdir -p build/fuzz
rm -rf build/fuzz/failures
mkdir -p build/fuzz/failures
shares=$(echo "$targets" | awk '{ n += $2 } END { print n }')
case "${1:-}" in
--replay)
    [ $# -le 2 ] && case "${2:-}" in '' | memory) ;; *) usage ;; esac
    replay ${2:+"$2"}
    ;;
--afl)
    [ $# -eq 2 ] || usage
    number "$2"
    seconds=$2
    afl "$2"
    ;;
*)
    [ $# -ge 1 ] && [ $# -le 2 ] || usage
    number "$1"
    number "${2:-1}"
    seconds=$1
    jobs=${2:-1}
    libfuzzer "$1"
    ;;
esac
