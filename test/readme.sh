#!/bin/sh
# SPDX-License-Identifier: MIT
# The programs of README.md: extracts them, compiles them as a reader would, runs
# the server and the client against each other, and builds a project with CMake.
#
# usage: sh test/readme.sh [OUT]
#
# OUT: where to build; default build/readme.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
out=${1:-build/readme}
server=
strict='-std=c99 -pedantic -Wall -Wextra -Werror'
cc=${CC:-cc}

leave() {
    status=$?
    [ -z "$server" ] || kill "$server" 2>/dev/null || :
    [ $status -eq 0 ] || echo "readme: failed" >&2
}
trap leave EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "readme: $*" >&2
    exit 1
}

# extract KIND NAME: the fenced lines behind <!-- KIND: NAME --> to OUT/NAME.
extract() {
    awk -v mark="<!-- $1: $2 -->" '
        $0 == mark { found = 1; next }
        found && /^```/ { if (inside) exit; inside = 1; next }
        inside { print }' README.md >"$out/$2"
    [ -s "$out/$2" ] || fail "no $1 $2 in README.md"
}

# Nothing of an earlier run may stand for what is missing.
case $out in '' | / | . | ..) fail "not a directory to build in: $out" ;; esac
rm -rf "$out/objects" "$out/project" "$out/installed"
mkdir -p "$out/objects" "$out/project"
out=$(cd "$out" && pwd)

extract program smallest_server.c
extract program smallest_client.c
extract part pull.c
extract part compress.c
extract file CMakeLists.txt
[ "$(grep -c '^<!-- program: ' README.md)" -eq 2 ] || fail "a program of README.md is not looked at"

(cd "$out/objects" && $cc -std=c99 -O1 -I"$root/include" -c "$root"/lib/*.c)
for program in smallest_server smallest_client; do
    $cc $strict -Iinclude "$out/$program.c" "$out"/objects/*.o -o "$out/$program"
done
for part in pull compress; do
    $cc $strict -Iinclude -c "$out/$part.c" -o "$out/$part.o"
done

# The server says where it listens through a pipe: reading it is all the waiting.
rm -f "$out/said"
mkfifo "$out/said"
timeout 30 "$out/smallest_server" 0 >"$out/said" &
server=$!
read -r line <"$out/said"
rm -f "$out/said"
port=${line##*:}
[ "$line" = "listening on 127.0.0.1:$port" ] || fail "the server said: $line"

expected='received: hello
closed: 1000, normal closure'
for round in 1 2 3; do
    answer=$(timeout 10 "$out/smallest_client" 127.0.0.1 "$port") || fail "the client ended with $?"
    case $answer in
    "$expected"*) ;;
    *) fail "the client said: $answer" ;;
    esac
done
kill "$server" && wait "$server" 2>/dev/null || :
server=

# As a directory of a project, then installed.
cp "$out/smallest_server.c" "$out/project/main.c"
cp "$out/CMakeLists.txt" "$out/project/CMakeLists.txt"
ln -s "$root" "$out/project/tenon"
build() {
    { cmake -S "$out/project" -B "$out/project/$1" "-DCMAKE_PREFIX_PATH=$out/installed" -DTENON_INSTALL=ON &&
        cmake --build "$out/project/$1" -j 2; } >"$out/$1.log" 2>&1 ||
        { cat "$out/$1.log" >&2 && fail "CMake, $1"; }
    [ -x "$out/project/$1/mine" ] || fail "CMake, $1: no program"
}
build directory
cmake --install "$out/project/directory" --prefix "$out/installed" >/dev/null
rm "$out/project/tenon"
sed 's/^add_subdirectory(tenon)$/find_package(tenon REQUIRED)/' "$out/CMakeLists.txt" >"$out/project/CMakeLists.txt"
build package
sed -i 's/ tenon::tenon/ tenon::tenon tenon::zlib/' "$out/project/CMakeLists.txt"
build package_with_zlib

echo "OK readme: server and client exchanged $round messages; CMake builds them three ways"
