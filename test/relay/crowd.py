# SPDX-License-Identifier: MIT
"""Many at once."""
import selectors
import socket

from harness import FIN, STEP_SECONDS, TEXT, Server, check, frame, same
from support import End, Relay, head_lines, head_of, until

CROWD = 1000


def gather(clients, is_done, octets):
    """Sends octets(i) to each, and reads until is_done(client) of each."""
    with selectors.DefaultSelector() as selector:
        waiting = set()
        for i, client in enumerate(clients):
            client.send(octets(i))
            selector.register(client.sock, selectors.EVENT_READ, client)
            waiting.add(client)
        while waiting:
            ready = selector.select(STEP_SECONDS)
            check(ready, "all %d answered" % len(clients), "%d wait" % len(waiting))
            for key, _events in ready:
                check(key.data.more(), "an open connection", "its end")
                if is_done(key.data):
                    selector.unregister(key.fileobj)
                    waiting.discard(key.data)


def test_crowd():
    server = Server()
    relay = None
    clients = []
    try:
        relay = Relay("ws://127.0.0.1:%d" % server.port)
        before = relay.resident()
        for _ in range(CROWD):
            sock = socket.create_connection(("127.0.0.1", relay.port), timeout=STEP_SECONDS)
            clients.append(End(sock, masks=True))
        gather(clients, lambda client: b"\r\n\r\n" in client.data, lambda i: head_of(head_lines("/%d" % i)))
        for client in clients:
            same(client.head()[0].split()[1], "101", "status")
        relay.counts("relay_connections", CROWD)
        for turn in range(3):
            words = lambda i: b"%d says %d" % (i, turn)
            gather(clients, lambda client: len(client.data) >= 2 and len(client.data) >= 2 + client.data[1],
                   lambda i: frame(FIN | TEXT, words(i)))
            for i, client in enumerate(clients):
                client.gets(TEXT, words(i), "the echo to client %d" % i)
        # What was lent for all the handshakes at once is not all given back to the system.
        size = (relay.resident() - before) / CROWD
        check(size < 131072, "less than 128 KiB for a pair", size)
        gather(clients, lambda client: len(client.data) >= 4, lambda i: frame(FIN | 8, b"\x03\xe8"))
        for client in clients:
            client.gets_close(1000)
            client.sock.close()
        until(lambda: relay.metric("relay_connections") == 0, "no connection left")
        same(relay.metric('relay_ended_total{by="client_close"}'), CROWD, "pairs ended by a Close")
        relay.end()
    finally:
        for client in clients:
            client.sock.close()
        server.kill()
        if relay is not None:
            relay.kill()
    return "%d pairs, %d octets of the relay for each" % (CROWD, size)
