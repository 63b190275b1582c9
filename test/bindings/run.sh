#!/bin/sh
# SPDX-License-Identifier: MIT
# The bindings of examples/bindings: what they declare, bad input, all transcripts, and
# their echo programs against a peer, on loopback.
#
# usage: sh test/bindings/run.sh [BUILD_DIR]      (default: build/shared)
#
# BUILD_DIR: a shared build (-DBUILD_SHARED_LIBS=ON) with zlib. The npm packages koffi and
# ws are installed into BUILD_DIR/bindings, where what is compiled goes, too. A line for
# each thing that is tried, "OK ..." or "FAIL ...".
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
cd "$here/../.." || exit 1
build=$(cd "${1:-build/shared}" && pwd) || exit 1
out=$build/bindings
tests=test/bindings
examples=examples/bindings
python=/usr/bin/python3

mkdir -p "$out/npm" || exit 1
export TENON_LIBRARY="$build/libtenon.so.0" LD_LIBRARY_PATH="$build" PYTHONDONTWRITEBYTECODE=1
export KOFFI_MODULE="$out/npm/node_modules/koffi" WS_MODULE="$out/npm/node_modules/ws"

failed=0

# attempt NAME SECONDS COMMAND...: its own lines tell; a failure without one is told here.
attempt() {
    what=$1
    seconds=$2
    shift 2
    timeout "$seconds" "$@" >"$out/said.txt" 2>&1
    status=$?
    cat "$out/said.txt"
    [ $status -eq 0 ] && grep -q '^OK ' "$out/said.txt" && return 0
    failed=1
    grep -q '^FAIL ' "$out/said.txt" || echo "FAIL $what ended with status $status"
    return 1
}

# prepare NAME SECONDS COMMAND...: something that the rest needs; silent if it is well.
prepare() {
    what=$1
    seconds=$2
    shift 2
    timeout "$seconds" "$@" >"$out/said.txt" 2>&1 && return 0
    failed=1
    cat "$out/said.txt"
    echo "FAIL $what"
    return 1
}

install_packages() {
    cmp -s "$here/package.json" "$out/npm/package.json" && [ -d "$KOFFI_MODULE" ] && [ -d "$WS_MODULE" ] && return 0
    rm -rf "$out/npm" && mkdir -p "$out/npm" && cp "$here/package.json" "$here/../interop/.npmrc" "$out/npm/" &&
        (cd "$out/npm" && timeout 120 npm install --ignore-scripts --loglevel=error) >"$out/said.txt" 2>&1 && return 0
    failed=1
    cat "$out/said.txt"
    echo 'FAIL npm could not install koffi and ws'
    return 1
}

# The crate and its programs, as somebody with a compiler and nothing else builds them.
compile() {
    echo "$3" | sed 's,.*/,compiling ,'
    rustc --edition 2021 -O -L "$build" --out-dir "$out" "$@"
}
compile_rust() {
    compile --crate-type rlib --crate-name tenon --cfg 'feature="zlib"' $examples/rust/src/lib.rs &&
        compile --crate-name echo --extern "tenon=$out/libtenon.rlib" $examples/rust/examples/echo.rs || return 1
    for program in transcripts layout bad; do
        compile --crate-name $program --extern "tenon=$out/libtenon.rlib" $tests/rust/$program.rs || return 1
    done
}

# A borrow that the crate must refuse is refused, and for that reason.
check_borrows() {
    compile --crate-name borrows --extern "tenon=$out/libtenon.rlib" $tests/rust/borrows.rs >"$out/borrows.txt" 2>&1 && {
        echo 'FAIL rust borrows: an event can outlive what it shows'
        return 1
    }
    wanted=$(grep -c '// refused' $tests/rust/borrows.rs)
    found=$(grep -c '^error\[E0\(499\|502\|505\|506\|597\)\]' "$out/borrows.txt")
    [ "$wanted" -eq "$found" ] && echo "OK rust borrows: $found uses of an event that is over are refused" && return 0
    cat "$out/borrows.txt"
    echo "FAIL rust borrows: $found of $wanted are refused"
    return 1
}


node=
install_packages && node=1
rust=
if compile_rust >"$out/said.txt" 2>&1; then
    rust=1
else
    failed=1
    cat "$out/said.txt"
    echo 'FAIL rustc'
fi

set -- "python=$python $tests/layout_python.py" "luajit=luajit $tests/layout_luajit.lua"
[ -z "$node" ] || set -- "$@" "node=node $tests/layout_node.js"
[ -z "$rust" ] || set -- "$@" "rust=$out/layout"
attempt layout 100 $python $tests/layout.py "$out" "$@"

attempt 'python, bad input' 60 $python $tests/bad_python.py
attempt 'luajit, bad input' 60 luajit $tests/bad_luajit.lua
[ -z "$node" ] || attempt 'node, bad input' 60 node --expose-gc $tests/bad_node.js
[ -z "$rust" ] || attempt 'rust, bad input' 60 "$out/bad"
[ -z "$rust" ] || check_borrows || failed=1

attempt 'python transcripts' 400 $python $tests/transcripts.py
if [ -n "$rust" ]; then
    prepare 'the transcripts for rust' 60 $python $tests/transcript_dump.py test/transcripts/*.txt &&
        cp "$out/said.txt" "$out/cases.tsv" && attempt 'rust transcripts' 400 "$out/transcripts" "$out/cases.tsv"
fi

if [ -n "$node" ]; then
    attempt 'python and ws' 120 node $tests/interop.js python $python $examples/python/echo.py
    attempt 'node and ws' 120 node $tests/interop.js node node $examples/node/echo.js
    attempt 'luajit and ws' 120 node $tests/interop.js luajit luajit $examples/luajit/echo.lua
    [ -z "$rust" ] || attempt 'rust and ws' 120 node $tests/interop.js rust "$out/echo"
fi
exit $failed
