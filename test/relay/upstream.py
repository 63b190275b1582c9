# SPDX-License-Identifier: MIT
"""The origin during the opening handshake: what it answers, or does not."""
import contextlib
import os
import resource
import select
import socket

from harness import BINARY, CLOSE, FIN, PING, TEXT, check, frame, same
from support import Origin, Relay, accept_of, alive, answer, bye, head_lines, head_of, paired, relaying, response, until


def test_waits_for_101():
    with relaying() as relay, relay.ask() as client:
        end, _line, fields = relay.origin.asked()
        with end:
            client.has_nothing()
            answer(end, fields)
            line, _fields = client.head()
            same(line.split()[1], "101", "status")
            alive(client, end)
            bye(client, end)
    return "nothing before the origin's 101"


def answered_with(relay, octets, ends=True):
    """What the client gets for an answer of the origin."""
    with relay.ask() as client:
        end, _line, _fields = relay.origin.asked()
        with end:
            end.send(octets)
            if ends:
                end.sock.shutdown(socket.SHUT_WR)
            got = response(client)
            end.gone("the end of the relay's request", seconds=2)
            return got


def test_refusal_passed():
    body = b'{"why": "not you"}'
    with relaying() as relay:
        status, fields, got = answered_with(relay, head_of([
            "HTTP/1.1 403 Not For You", "Content-Type: application/json", "Content-Length: %d" % len(body),
            "Set-Cookie: a=b", "Connection: keep-alive, X-Mine", "X-Mine: 1"]) + body, ends=False)
        same((status, got), (403, body), "status and body")
        same(fields["content-type"], ["application/json"], "Content-Type")
        same(fields["set-cookie"], ["a=b"], "Set-Cookie")
        same(fields["connection"], ["close"], "Connection")
        check("x-mine" not in fields, "no field of the other connection", fields)
        relay.counts('relay_origin_failures_total{kind="status"}', 1)
    return "403 with fields and body, without waiting for the end of the stream"


def test_refusal_forms():
    chunked = b"4;x=y\r\nnot \r\n1\r\ny\r\n00c\r\nou at all!!!\r\n0\r\nX-Trailer: t\r\n\r\n"
    cases = [
        (["HTTP/1.1 401 Unauthorized", "WWW-Authenticate: Basic", "Transfer-Encoding: chunked"], chunked, 401,
         b"not you at all!!!"),
        (["HTTP/1.1 403 No", "Transfer-Encoding: chunked"], b"1\r\nx\r\n" * 20 + b"0\r\n\r\n", 403, b"x" * 20),
        (["HTTP/1.1 302 Found", "Location: /elsewhere", "Content-Length: 0"], b"", 302, b""),
        (["HTTP/1.1 500 Empty"], b"", 500, b""),
        (["HTTP/1.0 503 Busy"], b"until the end", 503, b"until the end"),
        (["HTTP/1.1 200 OK", "Content-Length: 5"], b"hello", 200, b"hello"),
        (["HTTP/1.1 204 Nothing"], b"", 204, b""),
        (["HTTP/1.1 103 Early", "Link: x", "", "HTTP/1.1 404 Gone", "Content-Length: 2"], b"no", 404, b"no"),
    ]
    with relaying() as relay:
        for lines, octets, status, body in cases:
            got_status, fields, got = answered_with(relay, head_of(lines) + octets)
            same((got_status, got), (status, body), lines[0])
            check("transfer-encoding" not in fields, "no transfer coding", fields)
            if status == 302:
                same(fields["location"], ["/elsewhere"], "Location")
            if status == 401:
                same(fields["www-authenticate"], ["Basic"], "WWW-Authenticate")
    return "chunks, empty, up to the end, 200, 204, behind a 103"


def test_refusal_too_long():
    size = 65536
    with relaying() as relay:
        for fits, head, octets in [
                (True, ["Content-Length: %d" % size], b"x" * size),
                (False, ["Content-Length: %d" % (size + 1)], b"x" * 1000),
                (False, ["Transfer-Encoding: chunked"], b"10001\r\n" + b"x" * (size + 1)),
                (False, [], b"x" * (size + 1))]:
            status, fields, got = answered_with(relay, head_of(["HTTP/1.1 403 No", "Content-Type: text/html",
                                                                "Content-Encoding: gzip", *head]) + octets)
            same(status, 403, "status")
            same(got == octets, fits, "whether the body was passed on (%s)" % head)
            same("content-encoding" in fields, fits, "whether the fields about it were")
            check(fits or b"too long" in got, "a text that says so", got[:100])
    return "64 KiB pass; of more, the status and a text of the relay's"


def test_answers_without_sense():
    key = "Sec-WebSocket-Accept: " + accept_of("dGhlIHNhbXBsZSBub25jZQ==")  # of the client's key, not the relay's
    upgrade = ["HTTP/1.1 101 Yes", "Upgrade: websocket", "Connection: Upgrade"]
    cases = [
        head_of([*upgrade, key]), head_of(upgrade), b"SSH-2.0-OpenSSH\r\n",
        head_of(["HTTP/1.1 403 No", "Content-Length: 5", "Content-Length: 6"]) + b"hello",
        head_of(["HTTP/1.1 403 No", "Transfer-Encoding: gzip"]) + b"hello",
        head_of(["HTTP/1.1 403 No", "Transfer-Encoding: chunked"]) + b"zz\r\n",
        head_of(["HTTP/1.1 403 No", "Transfer-Encoding: chunked"]) + b"1\r\nx\r\n\r\n",
        head_of(["HTTP/1.1 403 No", "Transfer-Encoding: chunked"]) + b"1\r\nxyz\r\n0\r\n\r\n",
        head_of(["HTTP/1.1 403 No", "Transfer-Encoding: chunked"]) + b"1\r\nx\r\n",
        head_of(["HTTP/1.1 403 No", "Transfer-Encoding: chunked", "Content-Length: 1"]) + b"1\r\nx\r\n0\r\n\r\n",
        head_of(["HTTP/1.1 403 No", "Content-Length: 9"]) + b"hello",
        head_of(["HTTP/1.1 600 What", "Content-Length: 0"]),
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20000,
    ]
    with relaying() as relay:
        for octets in cases:
            status, _fields, body = answered_with(relay, octets)
            same(status, 502, "status for %r" % octets[:60])
            check(b"origin" in body, "a text about the origin", body)
        relay.counts('relay_refused_total{reason="failure"}', len(cases))
    return "%d kinds: 502" % len(cases)


def test_extension_not_offered():
    """What the client has not offered it must not get (RFC 6455, 4.1)."""
    with relaying() as relay, relay.ask() as client:
        end, _line, fields = relay.origin.asked()
        with end:
            answer(end, fields, ["Sec-WebSocket-Extensions: permessage-deflate"])
            same(response(client)[0], 502, "status")
    return "502"


def test_origin_absent():
    with Origin() as origin:
        relay = Relay(origin.url)
    try:  # the origin is gone now
        for _ in range(3):
            status, _fields, body = relay.refused()
            same(status, 502, "status")
            check(b"reached" in body, "a text that says so", body)
        relay.counts('relay_origin_failures_total{kind="connect"}', 3)
        relay.end()
    finally:
        relay.kill()
    return "502"


def test_origin_breaks_off():
    """Also before the relay has noticed that the connection is there: then it could not
    be reached."""
    with relaying() as relay:
        for how in (lambda end: end.sock.close(), lambda end: end.reset(), lambda end: (end.head(), end.sock.close()),
                    lambda end: (end.head(), end.send(b"HTTP/1.1 101 Swi"), end.sock.close())):
            with relay.ask() as client:
                how(relay.origin.take())
                status, _fields, body = response(client)
                same((status, b"broke off" in body or b"reached" in body), (502, True), "status, and the reason")
        values = relay.metrics()
        same(values['relay_origin_failures_total{kind="handshake"}'] +
             values['relay_origin_failures_total{kind="connect"}'], 4, "failures counted")
    return "502: at once, by reset, behind the request, in the middle of the answer"


def test_origin_never_answers():
    with relaying("--answer-timeout", 300) as relay:
        for octets in (b"", b"HTTP/1.1 101 Swi", head_of(["HTTP/1.1 403 No", "Content-Length: 5"]) + b"hel"):
            with relay.ask() as client:
                end, _line, _fields = relay.origin.asked()
                with end:
                    end.send(octets)
                    status, _fields, body = response(client)
                    same((status, b"does not answer" in body), (504, True), "status, and whether the text says so")
                    end.gone()
        relay.counts('relay_origin_failures_total{kind="timeout"}', 3)
    return "504, and the origin's connection is closed"


def test_origin_does_not_accept():
    """A full backlog: the kernel answers nothing at all."""
    with Origin(backlog=0) as origin, contextlib.ExitStack() as stack:
        for _ in range(4):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", origin.port))
        relay = Relay(origin.url, "--answer-timeout", 300)
        try:
            status, _fields, body = relay.refused()
            same((status, b"does not take" in body), (504, True), "status, and whether the text says so")
            until(lambda: relay.sockets() == 2, "no socket but the two that listen")
            relay.end()
        finally:
            relay.kill()
    return "504 while it waits for the connection"


def arrived(relay):
    """All that has come to the origin, or comes soon."""
    ends = []
    while select.select([relay.origin.sock], [], [], 0.3)[0]:
        ends.append(relay.origin.take())
    return ends


def test_no_descriptors():
    """Out of open files: who is here goes on, and nothing spins. Who comes is served, gets 502
    where there is no descriptor left for the origin, or waits to be taken. When others have
    left there is room again."""
    with relaying() as relay, paired(relay) as ends:
        used = 1 + max(map(int, os.listdir("/proc/%d/fd" % relay.process.pid)))
        resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (used + 5, used + 5))
        before = relay.cpu_seconds()
        clients = [relay.ask() for _ in range(12)]
        served = arrived(relay)
        for end in served:
            answer(end, end.head()[1])
        told = {}

        def are_told():
            for client in select.select([each for each in clients if each not in told], [], [], 0)[0]:
                told[client] = client.head()[0].split()[1]
            return told and list(told.values()).count("101") == len(served)
        until(are_told, "an answer to who was taken, and 101 for each of %d at the origin" % len(served))
        check(len(told) <= 5, "no more than five clients in five descriptors", len(told))
        same(set(told.values()) - {"101", "502"}, set(), "what the others were told")
        alive(*ends)
        check(relay.cpu_seconds() - before < 0.3, "a relay that rests meanwhile", relay.cpu_seconds() - before)
        for end in clients + served:
            end.sock.close()
        relay.counts("relay_accepted_total", 13)  # those that waited are taken, and seen to be gone
        until(lambda: relay.metric("relay_pending") == 0, "no client pending")
        for end in arrived(relay):
            end.sock.close()
        with paired(relay) as others:
            alive(*others)
            bye(*others)
        bye(*ends)
    return "of 12 clients %d let in, %d told 502, the others waited; then there is room again" % (
        len(served), list(told.values()).count("502"))


def test_client_leaves_meanwhile():
    """The origin hears of it at once, not when it answers."""
    with relaying() as relay:
        for leave in (lambda client: client.sock.close(), lambda client: client.reset(),
                      lambda client: client.sock.shutdown(socket.SHUT_WR)):
            client = relay.ask()
            end, _line, _fields = relay.origin.asked()
            with end, client:
                leave(client)
                end.gone("the end of the relay's request", seconds=2)
        until(lambda: relay.metric("relay_pending") == 0, "no client pending")
        same(relay.metric("relay_connections_total"), 0, "connections")
    return "close, reset and half-close end the request to the origin"


def test_early_octets():
    """Frames that the client sends before it is answered are forwarded behind the 101."""
    with relaying() as relay, relay.connect() as client:
        client.send(head_of(head_lines()), frame(FIN | BINARY, b"early"))
        end, _line, fields = relay.origin.asked()
        client.put(FIN | PING, b"p")
        with end:
            before = relay.cpu_seconds()
            client.has_nothing(0.3)
            check(relay.cpu_seconds() - before < 0.1, "a relay that waits without work", "it spins")
            answer(end, fields, ["X: y"])
            client.head()
            end.gets(BINARY, b"early")
            end.gets(PING, b"p")
            alive(client, end)
            bye(client, end)
    return "in their order"


def test_frame_with_the_answer():
    with relaying() as relay, relay.ask() as client:
        end, _line, fields = relay.origin.asked()
        with end:
            end.send(head_of(["HTTP/1.1 101 Yes", "Upgrade: websocket", "Connection: Upgrade",
                              "Sec-WebSocket-Accept: " + accept_of(fields["sec-websocket-key"][0])]),
                     frame(FIN | TEXT, b"at once", False))
            client.head()
            client.gets(TEXT, b"at once")
            bye(client, end)
    return "in one segment with the 101"


def test_close_with_the_answer():
    with relaying() as relay, relay.ask() as client:
        end, _line, fields = relay.origin.asked()
        with end:
            end.send(head_of(["HTTP/1.1 101 Yes", "Upgrade: websocket", "Connection: Upgrade",
                              "Sec-WebSocket-Accept: " + accept_of(fields["sec-websocket-key"][0])]),
                     frame(FIN | CLOSE, b"\x10\x01full", False))
            same(client.head()[0].split()[1], "101", "status")
            client.gets_close(4097, b"full")
            client.close(4097)
            end.gets_close(4097)
            client.end()
            end.leaves()
    return "101, then its Close"


def test_big_head():
    with relaying() as relay:
        big = ["X-Big-%d: %s" % (i, "y" * 900) for i in range(16)]
        with paired(relay, head_lines(more=big), more=big) as ends:
            alive(*ends)
        many = ["X-%d: y" % i for i in range(90)]
        with paired(relay, head_lines(more=many), more=many) as ends:
            alive(*ends)
        same(relay.refused(head_lines(more=["X: " + "y" * 17000]))[0], 431, "status for a head of 17 KB")
    return "15 KB and 96 fields pass both ways, 17 KB: 431"
