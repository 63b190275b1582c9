# SPDX-License-Identifier: MIT
"""Which fields of a head go on to the other side."""
from harness import check, same
from support import accept_of, answer, head_lines, relaying


def asked_with(relay, more=(), **options):
    """What the origin sees of a request with these fields: first line and fields."""
    with relay.ask(head_lines(more=more, **options)):
        end, line, fields = relay.origin.asked()
        end.sock.close()
    return line, fields


def test_passed_to_origin():
    more = ["Origin: https://a.example", "Cookie: a=b; c=d", "Authorization: Bearer x", "X-Custom: one",
            "X-Custom: two", "X-Empty:", "User-Agent: test", "Sec-WebSocket-Protocol: b, a, b",
            "Sec-WebSocket-Protocol: c"]
    with relaying() as relay:
        line, fields = asked_with(relay, more, path="/chat/x%20y?a=b&c=%2F")
        same(line, "GET /chat/x%20y?a=b&c=%2F HTTP/1.1", "request line")
        same(fields["host"], ["127.0.0.1:%d" % relay.origin.port], "Host")
        same(fields["origin"], ["https://a.example"], "Origin")
        same(fields["cookie"], ["a=b; c=d"], "Cookie")
        same(fields["authorization"], ["Bearer x"], "Authorization")
        same(fields["x-custom"], ["one", "two"], "a field of two lines")
        same(fields["x-empty"], [""], "an empty field")
        same(fields["user-agent"], ["test"], "User-Agent")
        same(fields["sec-websocket-protocol"], ["b, a, c"], "subprotocols, each once, in their order")
        same(fields["sec-websocket-version"], ["13"], "Sec-WebSocket-Version")
        same(fields["via"], ["1.1 relay"], "Via")
        check(fields["sec-websocket-key"] != ["dGhlIHNhbXBsZSBub25jZQ=="], "a key of the relay's own", fields)
    return "target, Origin, Cookie, Authorization, subprotocols, others"


def test_absolute_target():
    with relaying() as relay:
        line, fields = asked_with(relay, path="http://front.example:81/a?b")
        same(line, "GET /a?b HTTP/1.1", "request line")
        same(fields["x-forwarded-host"], ["front.example:81"], "X-Forwarded-Host")
    return "origin-form, and its authority as X-Forwarded-Host"


SPOOFED = ["X-Forwarded-For: 1.2.3.4", "x-forwarded-for: 5.6.7.8", "X_Forwarded_For: 9.9.9.9",
           "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "X-Forwarded-Port: 1",
           "Forwarded: for=1.2.3.4", "X-Real-IP: 1.2.3.4"]


def test_forwarded_replaced():
    with relaying() as relay:
        _line, fields = asked_with(relay, SPOOFED)
        same({name: values for name, values in fields.items() if "forward" in name or "real" in name},
             {"x-forwarded-for": ["127.0.0.1"], "x-forwarded-host": ["relay.test"], "x-forwarded-proto": ["http"]},
             "what tells of proxies")
    return "nothing of what the client claims"


def test_forwarded_trusted():
    with relaying("--trust-forwarded") as relay:
        _line, fields = asked_with(relay, [line for line in SPOOFED if "_" not in line])
        same(fields["x-forwarded-for"], ["1.2.3.4, 5.6.7.8, 127.0.0.1"], "X-Forwarded-For")
        same(fields["x-forwarded-host"], ["evil.example"], "X-Forwarded-Host")
        same(fields["x-forwarded-proto"], ["https"], "X-Forwarded-Proto")
        same(fields["forwarded"], ["for=1.2.3.4"], "Forwarded")
        _line, fields = asked_with(relay)
        same(fields["x-forwarded-for"], ["127.0.0.1"], "X-Forwarded-For of a client without")
        same(fields["x-forwarded-host"], ["relay.test"], "X-Forwarded-Host of a client without")
    return "appended to what a trusted client says"


def test_forwarded_named():
    """A client cannot have the relay's own fields taken away by naming them in Connection."""
    names = ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Via"]
    lines = head_lines(more=[line for line in SPOOFED if "_" not in line])
    lines[3] = "Connection: Upgrade, " + ", ".join(names)
    for options, peers in (((), "127.0.0.1"), (("--trust-forwarded",), "1.2.3.4, 5.6.7.8, 127.0.0.1")):
        with relaying(*options) as relay, relay.ask(lines):
            end, _line, fields = relay.origin.asked()
            end.sock.close()
        same([fields.get(name.lower()) for name in names], [[peers], ["relay.test"], ["http"], ["1.1 relay"]],
             "fields named in Connection, with %s" % (options,))
    return "the relay's own stand in their place"


def test_hop_by_hop_to_origin():
    lines = head_lines(more=["X-Private: 1", "X-Kept: 1", "TE: trailers", "Keep-Alive: timeout=5",
                             "Proxy-Authorization: Basic eA==", "Proxy-Connection: keep-alive", "Trailer: X",
                             "Sec-WebSocket-Unknown: x"])
    lines[3] = "Connection: keep-alive, Upgrade, x-private"
    with relaying() as relay, relay.ask(lines):
        end, _line, fields = relay.origin.asked()
        with end:
            known = {"host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version", "via",
                     "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
            same(set(fields) - known, {"x-kept"}, "fields other than the relay's own")
            same(fields["connection"], ["Upgrade"], "Connection")
    return "neither the usual ones nor those that Connection names"


def test_answer_passed_to_client():
    more = ["Set-Cookie: a=b; Path=/", "Set-Cookie: c=d", "Server: origin", "X-Private: 1", "Connection: X-Private",
            "Keep-Alive: timeout=5", "Sec-WebSocket-Protocol: b"]
    with relaying() as relay, relay.ask(head_lines(more=["Sec-WebSocket-Protocol: a, b"])) as client:
        end, _line, asked = relay.origin.asked()
        with end:
            answer(end, asked, more)
            line, fields = client.head()
            same(line.split()[1], "101", "status")
            same(fields["set-cookie"], ["a=b; Path=/", "c=d"], "Set-Cookie")
            same(fields["server"], ["origin"], "Server")
            same(fields["sec-websocket-protocol"], ["b"], "subprotocol")
            same(fields["sec-websocket-accept"], [accept_of("dGhlIHNhbXBsZSBub25jZQ==")], "Sec-WebSocket-Accept")
            same(fields["connection"], ["Upgrade"], "Connection")
            same({"x-private", "keep-alive"} & set(fields), set(), "fields of the other connection")
    return "cookies, subprotocol, others; not the connection's own"


def test_extensions():
    """Only one that does not mind new frame boundaries goes through (RFC 6455, 5.4)."""
    offer = ["Sec-WebSocket-Extensions: x-webkit-deflate-frame, permessage-deflate; client_max_window_bits",
             "Sec-WebSocket-Extensions: permessage-deflate;server_no_context_takeover, mux"]
    with relaying() as relay:
        with relay.ask(head_lines(more=offer)) as client:
            end, _line, asked = relay.origin.asked()
            with end:
                same(asked["sec-websocket-extensions"],
                     ["permessage-deflate; client_max_window_bits, permessage-deflate;server_no_context_takeover"],
                     "offer to the origin")
                chosen = 'permessage-deflate; client_max_window_bits="12"'
                answer(end, asked, ["Sec-WebSocket-Extensions: " + chosen])
                _line, fields = client.head()
                same(fields["sec-websocket-extensions"], [chosen], "answer to the client")
        with relay.ask(head_lines(more=offer)) as client:
            end, _line, asked = relay.origin.asked()
            with end:
                answer(end, asked)
                _line, fields = client.head()
                check("sec-websocket-extensions" not in fields, "none, as the origin chose none", fields)
        _line, fields = asked_with(relay, ["Sec-WebSocket-Extensions: mux"])
        check("sec-websocket-extensions" not in fields, "no offer without one that is passed", fields)
    return "permessage-deflate with its parameters, both ways; others not"
