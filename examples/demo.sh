#!/bin/sh
# SPDX-License-Identifier: MIT
# tenon, live: from a clean clone on a bare Debian to a chat in the browser.
#
# usage: sh examples/demo.sh [SECONDS]
#
# Installs what is missing with apt-get, builds the examples into build/demo, shows
# an exchange octet by octet, lets two clients talk over a chat server, and leaves
# that server running, with an address to open: until Ctrl-C at a terminal, else in
# the background for SECONDS (600; 0 ends it at once). Exits with 0 if all went well.
set -eu
cd "$(dirname "$0")/.."
build=build/demo
stay=${1:-600}
scratch=
server=

say() {
    printf '\n== %s\n\n' "$*"
}

fail() {
    echo "demo: $*" >&2
    exit 1
}

leave() {
    status=$?
    [ -z "$server" ] || kill "$server" 2>/dev/null || :
    [ -z "$scratch" ] || rm -rf "$scratch"
    [ $status -eq 0 ] || echo "demo: it did not go well (status $status)" >&2
}
trap leave EXIT
trap 'exit 1' HUP INT TERM

case $stay in
*[!0-9]* | '') fail "usage: sh examples/demo.sh [SECONDS]" ;;
esac

# ----------------------------------------------------------------- packages

lacking() {
    command -v gcc >/dev/null 2>&1 || printf ' gcc libc6-dev'
    [ -e /usr/include/stdio.h ] || printf ' libc6-dev'
    [ -e /usr/include/ev.h ] || printf ' libev-dev'
    [ -e /usr/include/zlib.h ] || printf ' zlib1g-dev'
    command -v cmake >/dev/null 2>&1 || printf ' cmake'
    command -v make >/dev/null 2>&1 || printf ' make'
}

install_lacking() {
    missing=$(lacking)
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null 2>&1 || fail "missing, and there is no apt-get to install it:$missing"
    root=
    if [ "$(id -u)" -ne 0 ]; then
        root=sudo
        command -v sudo >/dev/null 2>&1 || fail "missing, and installing it needs root or sudo:$missing"
    fi
    say "Installing$missing"
    for action in update "install -y --no-install-recommends$missing"; do
        # shellcheck disable=SC2086 # several words are meant
        $root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 $action ||
            fail "could not install$missing"
    done
}

# ------------------------------------------------------------------ helpers

# listen COMMAND...: starts a server, whose output is then at descriptor 3, and
# waits for its first line, which ends with its port.
listen() {
    mkfifo "$scratch/said"
    "$@" >"$scratch/said" 2>"$scratch/errors" &
    server=$!
    exec 3<"$scratch/said"
    rm "$scratch/said"
    read -r line <&3 || {
        cat "$scratch/errors" >&2
        return 1
    }
    port=${line##*:}
}

# What the server has seen, up to the end of a connection.
show_wire() {
    while read -r line <&3; do
        echo "  $line"
        case $line in 'server -> client  close'*) return ;; esac
    done
    fail "the server is gone"
}

end_server() {
    kill -TERM "$server"
    wait "$server" || fail "the server ended with $?"
    server=
    exec 3<&-
}

# await FILE TEXT: until a line with the text is in the file, for ten seconds.
await() {
    timeout 10 tail -n +1 -f "$1" | grep -q -F -m 1 -e "$2" || fail "there was no '$2' in: $(cat "$1")"
}

# join NAME: a chat client, what it is to say at descriptor 4, what it hears in a file.
join() {
    timeout 60 $build/examples/chat_client --name "$1" "ws://127.0.0.1:$port/chat" >"$scratch/$1"
}

# --------------------------------------------------------------------- demo

install_lacking
scratch=$(mktemp -d)

say "Building into $build"
{ cmake -S . -B $build -DCMAKE_BUILD_TYPE=Release -DTENON_BUILD_TESTS=OFF && cmake --build $build -j 2; } \
    >"$scratch/log" 2>&1 || { cat "$scratch/log" && fail "it does not build"; }
for program in libtenon.a examples/echo_server examples/chat_server examples/chat_client examples/relay; do
    printf '  %s, %s octets\n' "$program" "$(wc -c <$build/$program)"
done

say "On the wire: an echo server and its client"
listen timeout 60 $build/examples/echo_server --port 0 --trace || fail "the server did not start"
timeout 20 $build/examples/echo_client --send 'Grüße von tenon' "ws://127.0.0.1:$port/" >"$scratch/client" ||
    fail "the client ended with $?"
show_wire
sed 's/^/  the client says: /' "$scratch/client"
end_server

say "Two people in a chat"
listen $build/examples/chat_server --port 9000 2>/dev/null || listen $build/examples/chat_server --port 0 ||
    fail "the chat server did not start"
mkfifo "$scratch/ann.types" "$scratch/bob.types"
: >"$scratch/ann"
: >"$scratch/bob"
join ann <"$scratch/ann.types" &
ann=$!
join bob <"$scratch/bob.types" &
bob=$!
exec 4>"$scratch/ann.types" 5>"$scratch/bob.types"
await "$scratch/ann" '* 2 people'
echo 'Is anybody there?' >&4
await "$scratch/bob" 'ann: Is'
echo 'Yes, me: bob.' >&5
await "$scratch/ann" 'bob: Yes'
exec 4>&- 5>&-
wait $ann || fail "ann ended with $?"
wait $bob || fail "bob ended with $?"
sed 's/^/  what ann sees:  /' "$scratch/ann"
sed 's/^/  what bob sees:  /' "$scratch/bob"

say "All went well, and the chat goes on"
cat <<END
  Open  http://127.0.0.1:$port/  in a browser, in two windows if you like.
  Its metrics: http://127.0.0.1:$port/metrics
  From a terminal: $build/examples/chat_client --name me ws://127.0.0.1:$port/chat

END
if [ -t 0 ] && [ -t 1 ]; then
    echo "  Ctrl-C ends it."
    trap 'echo; exit 0' INT
    wait "$server" || fail "the server ended with $?"
elif [ "$stay" -gt 0 ]; then
    (sleep "$stay" && kill "$server") >/dev/null 2>&1 3<&- </dev/null &
    echo "  It ends in $stay seconds, or with: kill $server"
    server=
else
    end_server
    echo "  It was asked to end, and has."
fi
