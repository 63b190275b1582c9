#!/bin/sh
# SPDX-License-Identifier: MIT
# tenon on the wire, from a clean clone on a bare Debian.
#
# usage: sh examples/demo.sh
#
# Installs what is missing with apt-get, builds the examples into build/demo, and
# lets the echo server and the echo client talk with each other and with the
# websockets package of Python. Ends by itself, with 0 if all went well.
set -eu
cd "$(dirname "$0")/.."
build=build/demo
python=/usr/bin/python3
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

# ----------------------------------------------------------------- packages

lacking() {
    command -v gcc >/dev/null 2>&1 || printf ' gcc libc6-dev'
    [ -e /usr/include/stdio.h ] || printf ' libc6-dev'
    command -v cmake >/dev/null 2>&1 || printf ' cmake'
    command -v make >/dev/null 2>&1 || printf ' make'
    [ -x $python ] || printf ' python3'
    $python -c 'import websockets' 2>/dev/null || printf ' python3-websockets'
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
# waits for its first line, which ends with its port. It has a minute to live.
listen() {
    mkfifo "$scratch/said"
    timeout 60 "$@" >"$scratch/said" &
    server=$!
    exec 3<"$scratch/said"
    rm "$scratch/said"
    read -r line <&3 || fail "the server did not start"
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

# ------------------------------------------------------------------ scripts

python_client='
import asyncio, sys, websockets

async def main():
    async with websockets.connect("ws://127.0.0.1:%s/" % sys.argv[1], max_size=None) as socket:
        await socket.send("hello from Python")
        print("  Python received %r" % await socket.recv())
        await socket.send(["in ", "three ", "fragments"])
        print("  Python received %r" % await socket.recv())
        await socket.send(bytes(range(256)) * 150)
        print("  Python received %d octets" % len(await socket.recv()))
        await (await socket.ping(b"are you there"))
        print("  Python received a pong")

asyncio.run(asyncio.wait_for(main(), 20))
'

python_server='
import asyncio, websockets

async def main():
    done = asyncio.Event()

    async def echo(socket):
        async for message in socket:
            await socket.send(message)
        done.set()

    async with websockets.serve(echo, "127.0.0.1", 0) as server:
        print("listening on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
        await done.wait()

asyncio.run(main())
'

# --------------------------------------------------------------------- demo

install_lacking
scratch=$(mktemp -d)

say "Building into $build"
{ cmake -S . -B $build -DCMAKE_BUILD_TYPE=Release -DTENON_BUILD_TESTS=OFF && cmake --build $build -j 2; } \
    >"$scratch/log" 2>&1 || { cat "$scratch/log" && fail "it does not build"; }
ls -l $build/libtenon.a $build/examples/echo_server $build/examples/echo_client | awk '{ print "  " $NF ", " $5 " octets" }'

say "The echo server, and the echo client"
listen $build/examples/echo_server --port 0 --trace
for text in hello 'Grüße von tenon'; do
    timeout 20 $build/examples/echo_client --send "$text" "ws://127.0.0.1:$port/" >"$scratch/said" ||
        fail "the client ended with $?"
    show_wire
    sed 's/^/  the client says: /' "$scratch/said"
    rm "$scratch/said"
done

say "The echo server, and a client in Python"
timeout 30 $python -c "$python_client" "$port" >"$scratch/said" || fail "the client in Python ended with $?"
show_wire
cat "$scratch/said"
rm "$scratch/said"

say "The end of the server, by SIGTERM to process $server"
end_server
echo "  It has closed all connections and ended with 0."

say "A server in Python, and the echo client"
listen $python -c "$python_server"
timeout 20 $build/examples/echo_client --trace --send 'hello from C' "ws://127.0.0.1:$port/" >"$scratch/said" ||
    fail "the client ended with $?"
sed 's/^/  /' "$scratch/said"
rm "$scratch/said"
wait "$server" || fail "the server in Python ended with $?"
server=
exec 3<&-

say "All went well. To go on by yourself"
cat <<END
  $build/examples/echo_server --port 9001

then connect to ws://127.0.0.1:9001/ with any WebSocket client, this one for instance:

  $build/examples/echo_client --send hello --trace ws://127.0.0.1:9001/

END
