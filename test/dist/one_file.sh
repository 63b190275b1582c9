#!/bin/sh
# SPDX-License-Identifier: MIT
# The library in one file: the same octets each time, good for every compiler, several
# copies in one image; and as the library itself in what is tested of its surroundings.
#
# usage: sh test/dist/one_file.sh OUT        the essence
#        sh test/dist/one_file.sh OUT all    more compilers, and more tests
set -eu
cd "$(dirname "$0")/../.."
out=$1
all=${2:-}
case $out in '' | / | . | ..) exit 2 ;; esac
rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)
count=0

fail() {
    echo "one file: $*" >&2
    exit 1
}

# quietly WHAT COMMAND...: without a word, in OUT.
quietly() {
    what=$1
    shift
    (cd "$out" && "$@") >"$out/said.txt" 2>&1 || { cat "$out/said.txt" >&2 && fail "$what"; }
    [ ! -s "$out/said.txt" ] || { cat "$out/said.txt" >&2 && fail "not without a word: $what"; }
    count=$((count + 1))
}

# ------------------------------------------------------------ the same octets

# By the target, which knows no more than the script does.
cmake -S . -B "$out/build" -DTENON_BUILD_TESTS=OFF -DTENON_BUILD_EXAMPLES=OFF >"$out/cmake.txt" 2>&1 || fail 'no configuration'
cmake --build "$out/build" --target amalgamation >>"$out/cmake.txt" 2>&1 || fail 'the target amalgamation'
cp "$out/build/tenon.c" "$out/build/tenon.h" "$out/build/tenon_zlib.c" "$out"

# Elsewhere, with other times, another order in the directory, another language.
mkdir -p "$out/elsewhere/lib/zlib"
for file in $(ls -r lib/*.[ch] lib/zlib/*.c) lib/amalgamate.py LICENSE; do
    cp "$file" "$out/elsewhere/$file"
done
cp -r include "$out/elsewhere"
(cd "$out/elsewhere" && LC_ALL=C PYTHONHASHSEED=7 PYTHONUTF8=0 python3 lib/amalgamate.py . again)
for file in tenon.c tenon.h tenon_zlib.c; do
    cmp "$out/$file" "$out/elsewhere/again/$file" || fail "not the same octets: $file"
done

# The stamp: the version, and a header that does not belong.
version=$(sed -n 's/^#define TENON_VERSION_[A-Z]* //p' include/tenon/tenon.h | paste -sd .)
for file in tenon.c tenon.h tenon_zlib.c; do
    sed -n 3p "$out/$file" | grep -F " tenon $version (" >/dev/null || fail "no version in $file"
    [ "$(grep -c SPDX "$out/$file")" = 1 ] || fail "licence line of $file"
done
mkdir "$out/foreign"
cp "$out/tenon.c" "$out/foreign"
sed 's/^#define TENON_STAMP 0x./&f/' "$out/tenon.h" >"$out/foreign/tenon.h"
if gcc -c "$out/foreign/tenon.c" -o "$out/foreign/tenon.o" 2>"$out/foreign/said.txt"; then
    fail 'a foreign header is not noticed'
fi
grep -q 'of another version' "$out/foreign/said.txt" || fail 'a foreign header is not named'

# ---------------------------------------------------------------- compilers

w='-Wall -Wextra -Werror'
made='tenon tcc'
quietly 'cc -c tenon.c' cc -c tenon.c -o cc.o
quietly gcc gcc -std=c99 -pedantic $w -Wconversion -Wshadow -O2 -ffunction-sections -c tenon.c -o tenon.o
quietly tcc tcc -Wall -Werror -c tenon.c -o tcc.o
quietly 'g++, C++17' g++ -std=c++17 -x c++ $w -c tenon.c -o cxx.o
quietly 'clang-19' clang-19 -std=c99 -pedantic $w -Wconversion -Wshadow -fsyntax-only tenon.c
quietly 'Cortex-M0' arm-none-eabi-gcc -std=c99 -ffreestanding -mcpu=cortex-m0 -mthumb -Os $w -c tenon.c -o cortex-m0.o
quietly 'the codec' gcc -std=c99 -pedantic $w -Wconversion -Wshadow -O2 -c tenon_zlib.c -o zlib.o
quietly 'the codec, C++17' g++ -std=c++17 -x c++ $w -fsyntax-only tenon_zlib.c
if [ -n "$all" ]; then
    made="$made clang plain"
    quietly 'clang-19, -O2' clang-19 -std=c99 $w -O2 -c tenon.c -o clang.o
    quietly 'clang++-19, C++17' clang++-19 -std=c++17 -x c++ $w -c tenon.c -o clangxx.o
    quietly 'clang-19, -Os' clang-19 -std=c99 $w -Os -c tenon.c -o clang_small.o
    quietly 'g++, C++17, -Os' g++ -std=c++17 -x c++ $w -Os -c tenon.c -o cxx_small.o
    quietly 'g++, C++17, -O2' g++ -std=c++17 -x c++ $w -O2 -c tenon.c -o cxx.o
    quietly 'without kernels' gcc -DTENON_NO_SIMD $w -c tenon.c -o plain.o
    quietly 'Cortex-M4' arm-none-eabi-gcc -std=c99 -ffreestanding -mcpu=cortex-m4 -mthumb -Os $w -c tenon.c -o cortex-m4.o
fi

# Needs nothing, leaves nothing behind that is not its own; cpu.o may hold the pointer.
cp "$out/tenon.o" "$out/cpu.o"
python3 test/checks/symbols.py "$out/cpu.o" >"$out/symbols.txt" || fail 'symbols'
python3 test/checks/symbols.py --tools arm-none-eabi- "$out/cortex-m0.o" >>"$out/symbols.txt" || fail 'symbols, Cortex-M0'
if nm "$out/tenon.o" | sed 's/.* //' | grep -vE '^tenon_|^mem|^str|^_GLOBAL|[.]' >"$out/names.txt"; then
    cat "$out/names.txt" >&2
    fail 'names that do not say whose they are'
fi

# ------------------------------------------------------------------ programs

# A program against the header and the objects, by every compiler that made one.
mkdir -p "$out/include/tenon"
for header in include/tenon/*.h; do
    echo '#include "../../tenon.h"' >"$out/include/tenon/$(basename "$header")"
done
cp test/dist/talk.c test/dist/versions.c "$out"
for object in $made; do
    quietly "link $object.o" gcc -std=c99 $w -Iinclude talk.c $object.o -Wl,-z,noexecstack -o talk-$object
    "$out/talk-$object" >"$out/talk.txt" || fail "talk with $object.o"
done
quietly 'link zlib.o' gcc -std=c99 $w -DTALK_ZLIB -Iinclude talk.c tenon.o zlib.o -lz -o talk-zlib
"$out/talk-zlib" >"$out/talk.txt" || fail 'talk with zlib.o'
quietly 'link cxx.o' gcc -std=c99 $w -Iinclude -c talk.c -o talk.o
quietly 'link cxx.o' g++ talk.o cxx.o -o talk-cxx
"$out/talk-cxx" >"$out/talk.txt" || fail 'talk with cxx.o'

# Some tests, with the one file in the place of the library; all of them run in a
# build with TENON_ONE_FILE.
tests=test_recv
[ -z "$all" ] || tests='test_cpu test_recv test_send test_client test_compress'
for test in $tests; do
    quietly "compile $test" gcc -std=c99 -w -Iinclude -I"$OLDPWD/lib" -I"$OLDPWD/test" \
        "$OLDPWD/test/$test.c" tenon.o zlib.o -lcmocka -lz -o $test
    (cd "$out" && ./$test) >"$out/$test.txt" 2>&1 || { tail -n 5 "$out/$test.txt" >&2 && fail "$test"; }
done

# ------------------------------------------------------------------ prefixes

for copy in one two; do
    cmake -S . -B "$out/build" -DTENON_PREFIX=${copy}_ >>"$out/cmake.txt" 2>&1
    cmake --build "$out/build" --target amalgamation >>"$out/cmake.txt" 2>&1 || fail "prefix $copy"
    mkdir "$out/$copy"
    cp "$out/build/tenon.c" "$out/build/tenon.h" "$out/$copy"
    quietly "prefix $copy" gcc -std=c99 $w -c $copy/tenon.c -o $copy.o
    if grep -nE "(^|[^A-Za-z0-9_\"])(tenon|TENON)_" "$out/$copy/tenon.h" >"$out/left.txt"; then
        cat "$out/left.txt" >&2
        fail 'names without the prefix'
    fi
done
quietly 'two copies, one image' gcc -std=c99 $w versions.c one.o two.o -o versions
"$out/versions" >"$out/talk.txt" || fail 'the copies do not talk'
printf '#include "%s"\n' one/tenon.c two/tenon.c tenon.c versions.c >"$out/all.c"
if [ -n "$all" ]; then
    quietly 'all in one source' gcc -std=c99 -O1 $w all.c -o all
    "$out/all" >"$out/talk.txt" || fail 'the copies in one source do not talk'
    quietly 'all in one source, C++17' g++ -std=c++17 -x c++ $w -c all.c -o all.o
fi
echo "OK one file: $count compilations without a word, $(wc -l <"$out/tenon.c") lines"
