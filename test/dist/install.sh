#!/bin/sh
# SPDX-License-Identifier: MIT
# The library as others find it: installed, moved, as a part of their build, for other
# processors. Each time a program is built and run, or at least linked.
#
# usage: sh test/dist/install.sh BUILD OUT        what BUILD has built, installed
#        sh test/dist/install.sh BUILD OUT all    also what has to be built for it
set -eu
cd "$(dirname "$0")/../.."
root=$PWD
build=$1
out=$2
all=${3:-}
case $out in '' | / | . | ..) exit 2 ;; esac
rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)
version=$(sed -n 's/^#define TENON_VERSION_[A-Z]* //p' include/tenon/tenon.h | paste -sd .)
count=0

fail() {
    echo "install: $*" >&2
    exit 1
}

# quietly WHAT COMMAND...: and shows what it said if it failed.
quietly() {
    what=$1
    shift
    "$@" >"$out/said.txt" 2>&1 || { tail -n 30 "$out/said.txt" >&2 && fail "$what"; }
}

# talks WHAT PROGRAM
talks() {
    "$2" >"$out/talk.txt" 2>&1 || { cat "$out/talk.txt" >&2 && fail "does not run: $1"; }
    grep -q 'ended with 1000 and 1000' "$out/talk.txt" || fail "did not talk: $1"
    count=$((count + 1))
}

# needs PROGRAM: the shared libraries of ours that it needs.
needs() {
    objdump -p "$1" | sed -n 's/^ *NEEDED *\(libtenon.*\)/\1/p' | paste -sd ' '
}

# project NAME LINES: one of CMake with two programs, how it gets the library in LINES.
project() {
    mkdir -p "$out/$1"
    cp test/dist/talk.c "$out/$1"
    cat >"$out/$1/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.20)
project(consumer C)
$2
add_executable(talk talk.c)
target_link_libraries(talk PRIVATE tenon::tenon)
add_executable(talk_zlib talk.c)
target_compile_definitions(talk_zlib PRIVATE TALK_ZLIB)
target_link_libraries(talk_zlib PRIVATE tenon::zlib)
END
}

# consumes NAME OPTION...: builds and runs it.
consumes() {
    name=$1
    shift
    quietly "configure $name" cmake -S "$out/$name" -B "$out/$name/build" "$@"
    quietly "build $name" cmake --build "$out/$name/build"
    talks "$name" "$out/$name/build/talk"
    talks "$name, zlib" "$out/$name/build/talk_zlib"
    rm -rf "$out/$name/build.last"
    mv "$out/$name/build" "$out/$name/build.last"
}

# --------------------------------------------------- installed, staged, moved

quietly 'cmake --install' env DESTDIR="$out/stage" cmake --install "$build" --prefix /opt/somewhere
mv "$out/stage/opt/somewhere" "$out/moved"
libdir=$(dirname "$(find "$out/moved" -name libtenon.a)")
for file in libtenon.a libtenon.so libtenon.so.${version%%.*} libtenon.so.$version libtenon_zlib.a libtenon_zlib.so \
    pkgconfig/tenon.pc pkgconfig/tenon-zlib.pc cmake/tenon/tenonConfig.cmake cmake/tenon/tenonConfigVersion.cmake; do
    [ -e "$libdir/$file" ] || fail "not installed: $file"
done
objdump -p "$libdir/libtenon.so" | grep -q "SONAME *libtenon\.so\.${version%%.*}\$" || fail 'the soname'
python3 test/checks/symbols.py --exports "$libdir/libtenon.so" "$out"/moved/include/tenon/[dfht]*.h >/dev/null ||
    fail 'what the installed library exports'
[ "$(nm -D -P --defined-only "$libdir/libtenon_zlib.so" | sed 's/ .*//')" = tenon_zlib ] || fail 'what the codec exports'
if grep -rl "$root\|/opt/somewhere" "$libdir/cmake" "$libdir/pkgconfig"; then
    fail 'names a place of the build'
fi

# find_package, with both kinds, and what it must refuse.
project found 'find_package(tenon REQUIRED COMPONENTS zlib)'
consumes found -DCMAKE_PREFIX_PATH="$out/moved" -DBUILD_SHARED_LIBS=OFF
[ -z "$(needs "$out/found/build.last/talk_zlib")" ] || fail 'asked for static libraries, got others'
consumes found -DCMAKE_PREFIX_PATH="$out/moved" -DBUILD_SHARED_LIBS=ON
needs "$out/found/build.last/talk_zlib" | grep -q 'libtenon_zlib.so' || fail 'asked for shared libraries, got others'
project refused 'find_package(tenon 99 REQUIRED)'
if cmake -S "$out/refused" -B "$out/refused/build" -DCMAKE_PREFIX_PATH="$out/moved" >"$out/refused.txt" 2>&1; then
    fail 'version 99 was found'
fi
grep -q "version: $version" "$out/refused.txt" || fail 'version 99 is missing for another reason'
count=$((count + 1))

# pkg-config: shared, and static with what the codec needs in turn.
pkg() {
    PKG_CONFIG_PATH=$libdir/pkgconfig pkg-config "$@"
}
[ "$(pkg --modversion tenon-zlib)" = "$version" ] || fail 'the version that pkg-config tells'
quietly 'pkg-config, shared' gcc -DTALK_ZLIB test/dist/talk.c $(pkg --cflags --libs tenon-zlib tenon) -o "$out/pkg_shared"
[ -n "$(needs "$out/pkg_shared")" ] || fail 'pkg-config --libs gives no shared library'
LD_LIBRARY_PATH=$libdir talks 'pkg-config, shared' "$out/pkg_shared"
quietly 'pkg-config, static' gcc -static -DTALK_ZLIB test/dist/talk.c $(pkg --static --cflags --libs tenon-zlib) \
    -o "$out/pkg_static"
talks 'pkg-config, static' "$out/pkg_static"
quietly 'pkg-config, tenon alone' gcc test/dist/talk.c $(pkg --cflags tenon) "$libdir/libtenon.a" -o "$out/pkg_alone"
talks 'pkg-config, tenon alone' "$out/pkg_alone"

# ------------------------------------------------------------- not installed

build=$(cd "$build" && pwd)
consumes found -Dtenon_DIR="$build"
quietly 'pkg-config, not installed' gcc -static -DTALK_ZLIB test/dist/talk.c -o "$out/pkg_build" \
    $(PKG_CONFIG_PATH=$build pkg-config --static --cflags --libs tenon-zlib)
talks 'pkg-config, not installed' "$out/pkg_build"

# ---------------------------------------------------- as a part of a build

if [ -n "$all" ]; then
    project part "add_subdirectory($root tenon)"
    consumes part
    [ ! -e "$out/part/build.last/tenon/tenon.pc" ] || fail 'a part of a build installs itself'
    consumes part -DBUILD_SHARED_LIBS=ON
    [ -n "$(needs "$out/part/build.last/talk")" ] || fail 'add_subdirectory with BUILD_SHARED_LIBS'
    project fetched 'include(FetchContent)
FetchContent_Declare(tenon URL https://example.invalid/tenon.tar.gz)
FetchContent_MakeAvailable(tenon)'
    consumes fetched -DFETCHCONTENT_SOURCE_DIR_TENON="$root" -DFETCHCONTENT_FULLY_DISCONNECTED=ON

    # ------------------------------------------------ for other processors

    library_only='-DTENON_BUILD_TESTS=OFF -DTENON_BUILD_EXAMPLES=OFF -DCMAKE_BUILD_TYPE=MinSizeRel'
    cat >"$out/aarch64.cmake" <<'END'
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
END
    cat >"$out/cortex.cmake" <<'END'
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_C_FLAGS_INIT "-mcpu=cortex-m4 -mthumb -ffreestanding")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
END
    for target in aarch64 cortex; do
        quietly "configure for $target" cmake -S . -B "$out/$target" $library_only \
            -DCMAKE_TOOLCHAIN_FILE="$out/$target.cmake" -DCMAKE_INSTALL_PREFIX="$out/$target-installed"
        quietly "build for $target" cmake --build "$out/$target"
        quietly "install for $target" cmake --install "$out/$target"
    done
    [ -e "$out/cortex-installed/lib/libtenon.a" ] || fail 'no static library for a processor without a system'
    [ -z "$(find "$out/cortex-installed" -name '*.so*')" ] || fail 'a shared library where there can be none'
    arm-none-eabi-nm "$out/cortex-installed/lib/libtenon.a" | grep -q ' T tenon_init$' || fail 'an empty library'
    project crossed 'find_package(tenon REQUIRED)'
    sed -i '/talk_zlib/d' "$out/crossed/CMakeLists.txt"
    quietly 'configure crossed' cmake -S "$out/crossed" -B "$out/crossed/build" -DCMAKE_EXE_LINKER_FLAGS=-static \
        -DCMAKE_TOOLCHAIN_FILE="$out/aarch64.cmake" -Dtenon_DIR="$out/aarch64-installed/lib/cmake/tenon"
    quietly 'build crossed' cmake --build "$out/crossed/build"
    aarch64-linux-gnu-objdump -f "$out/crossed/build/talk" | grep -q aarch64 || fail 'not for aarch64'
    count=$((count + 2))
    if command -v qemu-aarch64 >/dev/null 2>&1; then
        quietly 'run crossed' qemu-aarch64 "$out/crossed/build/talk"
        count=$((count + 1))
    fi
fi
echo "OK install: $count programs and packages"
