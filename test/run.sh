#!/bin/sh
# SPDX-License-Identifier: MIT
# Every test and check, from a clean clone on a bare Debian.
#
# usage: sh test/run.sh [--interop | --full] [--mutants N | all] [--ports]
#
# Installs what is missing with apt-get, builds into build/, runs all steps even
# when one fails, and ends with a line of counts.
#
#   --interop  also the real world: browsers, proxies, peers, bad networks, crowds, other
#              languages; installs what they need, and writes the tables of the README
#   --full     all that, fuzzes for longer, with AFL++ too, looks at what of the library the
#              tests reach, and if they notice changes, and proves again what test/proof claims
#   --mutants  makes so many changes, or all of them, which takes hours; --full alone: 150 of
#              them, in about two minutes
#   --ports    runs all tests on the other processors, not only some, which takes an hour
set -u
cd "$(dirname "$0")/.." || exit 1

fuzz_seconds=20
mutants=
real=
full=
all_ports=
soak=100000
differential=100000

usage() {
    echo "usage: sh test/run.sh [--interop | --full] [--mutants N | all] [--ports]" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    --interop) real=1 ;;
    --full)
        real=1
        full=1
        soak=1000000
        differential=1000000
        fuzz_seconds=45
        mutants=${mutants:-150}
        ;;
    --ports)
        real=1
        all_ports=--full
        ;;
    --mutants)
        [ $# -gt 1 ] || usage
        shift
        mutants=$1
        ;;
    *) usage ;;
    esac
    shift
done
case $mutants in
'') ;;
all) sample=--all ;;
*[!0-9]*) usage ;;
*) sample="--sample $mutants" ;;
esac

# ----------------------------------------------------------------- packages

# has PACKAGE: whether what it brings is here, wherever it came from.
has() {
    case $1 in
    libcmocka-dev) echo '#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>' | gcc -E - ;;
    libnewlib-arm-none-eabi) echo '#include <string.h>' | arm-none-eabi-gcc -E - ;;
    libfuzzer-19-dev) runtime fuzzer ;;
    abigail-tools) command -v abidw && command -v abidiff ;;
    gcc-aarch64-linux-gnu) command -v aarch64-linux-gnu-gcc ;;
    libc6-dev-arm64-cross) echo '#include <stdio.h>' | aarch64-linux-gnu-gcc -E - ;;
    qemu-user) command -v qemu-aarch64 ;;
    python3-websockets) /usr/bin/python3 -c 'import websockets' ;;
    gcc-arm-none-eabi) command -v arm-none-eabi-gcc ;;
    clang-19) command -v clang-19 && command -v clang++-19 ;;
    python3) test -x /usr/bin/python3 ;;
    binutils) command -v nm && command -v objdump && command -v ar ;;
    nodejs) command -v node ;;
    libev-dev) echo '#include <ev.h>' | gcc -E - ;;
    zlib1g-dev) echo '#include <zlib.h>' | gcc -E - ;;
    nginx | haproxy | apache2) PATH=$PATH:/usr/sbin command -v "$1" ;;
    golang-go) command -v go ;;
    golang-github-gorilla-websocket-dev) test -d /usr/share/gocode/src/github.com/gorilla/websocket ;;
    golang-nhooyr-websocket-dev) test -d /usr/share/gocode/src/nhooyr.io/websocket ;;
    default-jdk-headless) command -v javac ;;
    libboost-dev) test -e /usr/include/boost/beast.hpp ;;
    libwebsocketpp-dev) test -d /usr/include/websocketpp ;;
    libwebsockets-dev) test -e /usr/include/libwebsockets.h ;;
    libwslay-dev) test -e /usr/include/wslay/wslay.h ;;
    python3-autobahn) /usr/bin/python3 -c 'import autobahn.asyncio' ;;
    qemu-system-misc) command -v qemu-system-riscv32 ;;
    qemu-user) command -v qemu-s390x && command -v qemu-i386 ;;
    gcc-riscv64-unknown-elf) command -v riscv64-unknown-elf-gcc ;;
    picolibc-*) test -d "/usr/lib/picolibc/${1#picolibc-}" ;;
    gcc-*-linux-gnu | gcc-*-linux-gnueabihf) command -v "${1#gcc-}-gcc" ;;
    libc6-dev-s390x-cross) test -d /usr/s390x-linux-gnu/include ;;
    libc6-dev-i386-cross) test -d /usr/i686-linux-gnu/include ;;
    libc6-dev-armhf-cross) test -d /usr/arm-linux-gnueabihf/include ;;
    libc6-dev-arm64-cross) test -d /usr/aarch64-linux-gnu/include ;;
    musl-tools) command -v musl-gcc ;;
    gcc-mingw-w64-x86-64) command -v x86_64-w64-mingw32-gcc ;;
    libz-mingw-w64-dev) test -e /usr/x86_64-w64-mingw32/include/zlib.h ;;
    wine64) test -e /usr/lib/wine/wine64 ;;
    liblwip-dev) test -d /usr/include/lwip ;;
    iproute2) command -v ip && command -v tc ;;
    llvm-19) command -v llvm-cov-19 && command -v llvm-profdata-19 ;;
    libclang-rt-19-dev) runtime asan && runtime profile ;;
    fonts-dejavu-core) test -d /usr/share/fonts/truetype/dejavu ;;
    frama-c-base) command -v frama-c ;;
    afl++) command -v afl-fuzz && command -v afl-clang-fast ;;
    ca-certificates) test -s /etc/ssl/certs/ca-certificates.crt ;;
    *) command -v "$1" ;;
    esac >/dev/null 2>&1
}

# runtime NAME: whether clang has this library for the sanitizers.
runtime() {
    find "$(clang-19 -print-resource-dir)/lib" -name "libclang_rt.$1*.a" | grep .
}

# ca-certificates, npm: for the packages that the interoperability tests pin.
wanted='gcc g++ make cmake binutils git pkg-config ca-certificates libcmocka-dev libev-dev zlib1g-dev
    clang-19 libclang-rt-19-dev libfuzzer-19-dev gcc-arm-none-eabi libnewlib-arm-none-eabi
    python3 python3-websockets nodejs npm tcc abigail-tools'
[ -z "$real" ] || wanted="$wanted
    chromium firefox-esr fonts-dejavu-core nginx haproxy apache2 caddy iproute2 valgrind
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
    libboost-dev libwebsocketpp-dev libwebsockets-dev libwslay-dev python3-autobahn
    golang-go golang-github-gorilla-websocket-dev golang-nhooyr-websocket-dev default-jdk-headless
    qemu-system-arm qemu-system-misc qemu-user gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf
    picolibc-arm-none-eabi gcc-s390x-linux-gnu libc6-dev-s390x-cross gcc-i686-linux-gnu libc6-dev-i386-cross
    gcc-arm-linux-gnueabihf libc6-dev-armhf-cross musl-tools gcc-mingw-w64-x86-64 libz-mingw-w64-dev wine wine64 liblwip-dev gpgv
    luajit rustc"
[ -z "$full" ] || wanted="$wanted afl++ llvm-19"

[ -z "$full" ] || wanted="$wanted clang-tidy-19 frama-c-base why3 cvc4 z3"

lacking() {
    for package in $wanted; do
        has "$package" || printf ' %s' "$package"
    done
}

install_lacking() {
    missing=$(lacking)
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "run.sh: missing, and there is no apt-get to install it:$missing" >&2
        return 1
    fi
    root=
    if [ "$(id -u)" -ne 0 ]; then
        root=sudo
        if ! command -v sudo >/dev/null 2>&1; then
            echo "run.sh: missing, and installing it needs root or sudo:$missing" >&2
            return 1
        fi
    fi
    echo "run.sh: installing$missing"
    $root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 update &&
        $root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 \
            install -y --no-install-recommends $missing
    missing=$(lacking)
    [ -z "$missing" ] && return 0
    echo "run.sh: could not install$missing" >&2
    return 1
}

install_lacking || exit 1

# -------------------------------------------------------------------- steps

passed=0
failed=0
failures=
begin=$(date +%s)
results=$PWD/build/results
rm -rf "$results" build/*/results
mkdir -p "$results"
export TENON_INTEROP_LOG="$results/scripts.log"

# step NAME COMMAND...: runs it, and shows what it said if it failed.
step() {
    name=$1
    log=$results/$(echo "$name" | tr -c 'a-z0-9\n' _).txt
    shift
    since=$(date +%s)
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        echo "pass  $name ($(($(date +%s) - since)) s)" "$(sed -n 's/^OK / - /p' "$log" | tail -n 1)"
    else
        failed=$((failed + 1))
        failures="$failures
  $name"
        echo "FAIL  $name ($(($(date +%s) - since)) s)"
        tail -n 60 "$log" | sed 's/^/      /'
    fi
}

# build DIRECTORY OPTION...: as much as can be built, so that the rest is tested.
build() {
    directory=$1
    shift
    cmake -S . -B "$directory" "$@" && cmake --build "$directory" -j 2 -- -k
}

# cases NAME DIRECTORY [OPTION...]: runs what ctest knows there, and counts its cases.
cases() {
    junit=$results/$1.xml
    where=$2
    label="tests: $1"
    shift 2
    step "$label" ctest --test-dir "$where" "$@" -j 2 --no-tests=error --output-on-failure \
        --test-output-size-passed 100000000 --output-junit "$junit"
    [ -f "$junit" ] || return 0
    run=$(sed -n 's/^[[:space:]]*tests="\([0-9]*\)".*/\1/p' "$junit" | head -n 1)
    bad=$(sed -n 's/^[[:space:]]*failures="\([0-9]*\)".*/\1/p' "$junit" | head -n 1)
    not=$(sed -n 's/^[[:space:]]*\(disabled\|skipped\)="\([0-9]*\)".*/\2/p' "$junit" | awk '{ n += $1 } END { print n + 0 }')
    echo "      $((run - bad - not)) of $run cases"
    passed=$((passed + run - bad - not))
    failed=$((failed + bad + not))
}

# area NAME SECONDS COMMAND...: runs a script that prints a line for each thing it
# tries, "OK ..." or "FAIL ...", shows these lines and counts them.
area() {
    name=$1
    log=$results/$(echo "$name" | tr -c 'a-z0-9\n' _).txt
    since=$(date +%s)
    limit=$2
    shift 2
    timeout "$limit" "$@" >"$log" 2>&1
    status=$?
    good=$(grep -c '^OK ' "$log")
    bad=$(grep -c '^FAIL ' "$log")
    [ $status -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    [ $((good + bad)) -gt 0 ] || bad=1
    echo "      $name: $good good, $bad bad, status $status ($(($(date +%s) - since)) s)"
    sed -n 's/^OK /pass  /p; s/^FAIL /FAIL  /p' "$log"
    passed=$((passed + good))
    failed=$((failed + bad))
    [ "$bad" -eq 0 ] && return
    failures="$failures
  $name"
    [ $status -eq 0 ] || tail -n 30 "$log" | sed 's/^/      /'
}

# check SCRIPT ARGUMENT...
check() {
    script=$1
    shift
    /usr/bin/python3 "test/checks/$script" "$@"
}

# ---------------------------------------------------------------------- lanes
#
# Two lanes run side by side: one computes, the other mostly waits for sockets and clocks.
# A lane tells its counts in files, for it is a process of its own.

lane() {
    passed=0
    failed=0
    failures=
    begun=$(date +%s)
    "$1"
    echo "      $1: $(($(date +%s) - begun)) s"
    echo "$passed $failed" >"$results/$1.counts"
    printf '%s' "$failures" >"$results/$1.failures"
}

# add NAME: the counts of a lane to those of all.
add() {
    if ! read -r good bad 2>/dev/null <"$results/$1.counts"; then
        good=0
        bad=1
        failures="$failures
  $1: it broke off"
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
    failures="$failures$(cat "$results/$1.failures" 2>/dev/null)"
}

both_lanes() {
    lane sockets >"$results/sockets.out" 2>&1 &
    other=$!
    trap 'kill $other 2>/dev/null; exit 130' INT TERM
    (lane computing)
    echo "run.sh: waiting for what talks to others"
    wait $other
    trap - INT TERM
    cat "$results/sockets.out"
    add computing
    add sockets
}

checks() {
    step 'check: licence lines' check spdx.py
    step 'check: layers' check layers.py
    step 'check: length of functions' check functions.py lib/*.[ch] lib/*/*.c
    step 'check: length of functions in examples' check functions.py examples/*.c examples/*/*.[ch]
    step 'check: strict compilation' sh test/checks/strict.sh build/checks/strict
    [ -z "$full" ] || step 'check: clang-tidy' sh test/checks/tidy.sh
    step 'check: symbols' check symbols.py build/libtenon.a
    for cpu in m0 m4; do
        step "check: symbols on cortex-$cpu" check symbols.py --tools arm-none-eabi- build/checks/strict/cortex-$cpu/*.o
    done
    step 'check: exports' check symbols.py --exports build/shared/libtenon.so include/tenon/*.h
    step 'check: pay for what you call' sh test/checks/pay.sh build/checks/pay
}

# What others get: the essence on every run.
distribution() {
    step 'distribution: one file' sh test/dist/one_file.sh build/dist/one_file ${real:+all}
    step 'distribution: installation' sh test/dist/install.sh build build/dist/install ${real:+all}
    step 'distribution: binary interface' sh test/dist/abi.sh build/dist/abi
}

checks_and_distribution() {
    checks
    distribution
}

fuzzing() {
    step 'fuzz: the corpus again' timeout 120 sh fuzz/run.sh --replay
    [ -z "$real" ] || step 'fuzz: the corpus again, for uninitialised memory' timeout 120 sh fuzz/run.sh --replay memory
    step "fuzz: $fuzz_seconds s" timeout $((fuzz_seconds * 2 + 180)) sh fuzz/run.sh $fuzz_seconds
    [ -n "$full" ] || return 0
    step "fuzz: AFL++, $fuzz_seconds s" timeout $((fuzz_seconds * 2 + 300)) sh fuzz/run.sh --afl $fuzz_seconds
    step 'fuzz: targets can fail' timeout 600 /usr/bin/python3 fuzz/proof.py 15 'buffer, masking' 'wrapped 64-bit' \
        'shift into' 'frame, callbacks' 'accepted, octets' 'uninitialised field, frame' '64-to-32 truncation, of' \
        'split, in' 'Pong inside' 'double CLOSED, callbacks'
}

computing() {
    cases sanitizers build/asan
    cases release build
    # What is found by chance is looked for under --full, unless TENON_SAME is set; all else
    # finds the same each time.
    step 'soak' timeout 600 build/test/soak --connections $soak $seed
    step 'soak: sanitizers' timeout 600 build/asan/test/soak --connections $((soak / 10)) $seed
    [ -z "$real" ] || checks_and_distribution
    fuzzing
    if [ -n "$full" ]; then
        for kind in integer memory; do
            step "build: $kind sanitizer" sh test/checks/sanitizer.sh $kind build/$kind
            cases "$kind" build/$kind
        done
    fi
    # No end is set to it: it ends any test that takes too long.
    [ -z "$mutants" ] || step "mutants: $mutants" /usr/bin/python3 test/mutants/mutate.py $sample
    [ -n "$real" ] || return 0
    # What is done otherwise for size, with the loops that stand in for the kernels.
    step 'build: small' build build/small -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=MinSizeRel \
        -DCMAKE_C_FLAGS=-DTENON_NO_SIMD -DTENON_BUILD_EXAMPLES=OFF -DTENON_INSTALL=OFF
    cases small build/small
    step 'build: one file' build build/one_file -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release \
        -DTENON_ONE_FILE=ON -DTENON_INSTALL=OFF
    cases one_file build/one_file
    step 'differential' timeout 200 sh test/differential/run.sh build --streams $differential
    area 'size and stack' 200 /usr/bin/python3 test/size/size.py build/size
    [ -z "$full" ] || step 'coverage' timeout 600 sh test/coverage/run.sh build/coverage
}

sockets() {
    step 'program: binding.py' /usr/bin/python3 test/programs/binding.py build/shared/libtenon.so
    step 'interoperability' timeout 300 sh test/interop/run.sh build/asan
    step 'programs of the README' timeout 120 sh test/readme.sh
    # This lane has little else to do then.
    [ -n "$real" ] || checks_and_distribution
    [ -n "$real" ] || return 0
    step 'demo' timeout 200 sh examples/demo.sh 0
    area 'bindings' 1200 sh test/bindings/run.sh build/shared
    area 'relay' 200 sh test/relay/run.sh build
    area 'peers' 400 sh test/peers/run.sh build
    area 'proxies' 400 sh test/proxies/run.sh build
    area 'networks' 400 sh test/network/run.sh build/asan
    area 'browsers' 400 sh test/browsers/run.sh build
    area 'crowds' 400 sh test/crowd/run.sh build
    area 'firmware' 120 /usr/bin/python3 test/ports/firmware.py build/firmware build/examples/echo_server
    step 'benchmark of speed, untimed' timeout 400 sh test/bench/speed.sh build 0
    area 'ports' 7200 /usr/bin/python3 test/ports/run.py $all_ports build/ports
    [ -n "$full" ] || return 0
    step 'proofs' timeout 900 sh test/proof/run.sh --quick
}

seed='--seed 1'
FUZZ_SEED=1
if [ -n "$full" ] && [ -z "${TENON_SAME:-}" ]; then
    seed=
    FUZZ_SEED=0
fi
export FUZZ_SEED

step 'build: sanitizers' build build/asan -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug \
    '-DCMAKE_C_FLAGS_DEBUG=-O1 -g' -DTENON_SANITIZE=ON -DTENON_INSTALL=OFF
step 'build: release' build build -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release
step 'build: shared' build build/shared -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release \
    -DBUILD_SHARED_LIBS=ON -DTENON_BUILD_TESTS=OFF -DTENON_INSTALL=OFF
both_lanes
[ -z "$real" ] || step 'tables of the README' /usr/bin/python3 test/tables.py README.md build/peers/table.md \
    build/browsers/browsers.md build/ports/ports.md build/firmware/firmware.md build/size/size.md
[ -z "$real" ] || step 'table of the intermediaries' /usr/bin/python3 test/tables.py test/network/README.md \
    build/asan/network/profiles.md

# Last, for it asks what ran.
step 'check: traceability' check traceability.py --junit "$results/sanitizers.xml" \
    --transcripts build/asan/results --scripts "$TENON_INTEROP_LOG"

[ -z "$failures" ] || echo "Failed:$failures"
echo "In $(($(date +%s) - begin)) s."
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
