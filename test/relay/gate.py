# SPDX-License-Identifier: MIT
"""Who may come in."""
from harness import Failure, Program, check, same
from support import alive, bye, head_lines, paired, relaying

PAGE = "https://app.example"


def refused_with(relay, lines, status, word):
    """The answer says why, and the origin hears nothing of it."""
    got, fields, body = relay.refused(lines)
    same(got, status, "status")
    same(fields["content-type"], ["text/plain; charset=utf-8"], "Content-Type of a refusal")
    check(word in body.decode(), "a text with '%s'" % word, body)
    relay.origin.has_nobody("nothing for the origin")
    return fields


def test_page_on_the_list():
    with relaying("--allow-origin", "https://other.example", "--allow-origin", PAGE) as relay:
        for origin in (PAGE, "https://APP.example"):
            with paired(relay, head_lines(more=["Origin: " + origin])) as ends:
                alive(*ends)
                bye(*ends)
        refused_with(relay, head_lines(more=["Origin: https://app.example.evil"]), 403, "Origin")
        refused_with(relay, head_lines(more=["Origin: http://app.example"]), 403, "Origin")
        refused_with(relay, head_lines(more=["Origin: null"]), 403, "Origin")
        relay.counts('relay_refused_total{reason="origin"}', 3)
        relay.counts("relay_connections_total", 2)
    return "two of the list in, three others 403"


def test_no_page():
    with relaying("--allow-origin", PAGE) as relay, paired(relay) as ends:
        alive(*ends)
        bye(*ends)
    with relaying("--allow-origin", PAGE, "--require-origin") as relay:
        refused_with(relay, head_lines(), 403, "Origin")
    return "without Origin: in, and 403 with --require-origin"


def test_no_list():
    """Then the origin decides; so it has to hear of the Origin."""
    with relaying() as relay, relay.ask(head_lines(more=["Origin: https://any.example"])):
        end, _line, fields = relay.origin.asked()
        with end:
            same(fields["origin"], ["https://any.example"], "Origin at the origin")
    return "any Origin goes on"


def test_token():
    secret = "s3cret-and-long"
    with relaying("--token-header", "X-Relay-Token", "--token", secret) as relay:
        fields = refused_with(relay, head_lines(), 401, "token")
        check("www-authenticate" in fields, "WWW-Authenticate with a 401", fields)
        wrong = ["", "S3cret-and-long", secret[:-1], secret + "x", secret + secret, secret[:-1] + "x"]
        for token in wrong:
            refused_with(relay, head_lines(more=["X-Relay-Token: " + token]), 403, "token")
        refused_with(relay, head_lines(more=["X-Relay-Token: " + secret] * 2), 403, "token")
        with relay.ask(head_lines(more=["x-relay-token: " + secret])):
            end, _line, fields = relay.origin.asked()
            with end:
                leaked = [name for name, values in fields.items() if "token" in name or secret in "".join(values)]
                same(leaked, [], "fields with the token at the origin")
        relay.counts('relay_refused_total{reason="token"}', 2 + len(wrong))
    return "401 without, 403 for %d wrong ones; the right one stays here" % (len(wrong) + 1)


def test_not_an_upgrade():
    cases = [(["GET / HTTP/1.1", "Host: h"], 426), (["POST / HTTP/1.1", "Host: h"], 405),
             ([line for line in head_lines() if "Key" not in line], 400), (["GET / HTTP/1.1"], 400)]
    with relaying() as relay:
        for lines, status in cases:
            same(relay.refused(lines)[0], status, "status for %s" % lines[0])
        relay.origin.has_nobody("nothing for the origin")
        relay.counts('relay_refused_total{reason="request"}', len(cases))
    return "426, 405, 400 without troubling the origin"


def test_smuggling():
    """What two parsers may read in two ways (RFC 9112, 11.2): none of it reaches the origin,
    and what follows is not taken for another request."""
    second = "\r\n\r\nGET /second HTTP/1.1\r\nHost: h\r\n"
    cases = [(["Content-Length: 5"], 400), (["Content-Length: 5", "Content-Length: 6"], 400),
             (["Transfer-Encoding: chunked"], 400), (["Transfer-Encoding: chunked", "Content-Length: 3"], 400),
             (["Transfer-Encoding : chunked"], 400), (["Transfer-Encoding: xchunked"], 501),
             (["X: a\nContent-Length: 5"], 400), (["X: a\rY: b"], 400), (["X: a\r\n folded"], 400),
             (["X: a\0b"], 400), (["Host: other"], 400), (["Expect: 100-continue"], 417),
             (["Sec-WebSocket-Version: 8"], 400), (["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="], 400)]
    with relaying() as relay:
        for more, status in cases:
            same(relay.refused(head_lines(more=[*more, second]))[0], status, "status for %r" % more)
        old = [line.replace("Version: 13", "Version: 12") for line in head_lines()]
        same(relay.refused(old)[0], 426, "status for another version")
        relay.origin.has_nobody("nothing for the origin")
        relay.counts('relay_refused_total{reason="request"}', len(cases) + 1)
    return "%d heads that may be read in two ways" % (len(cases) + 1)


def test_arguments():
    """Each wrong one is named, with status 2."""
    url = ["--origin-url", "ws://127.0.0.1:1"]
    cases = [([], "--origin-url"), (["--origin-url", "127.0.0.1:9"], "--origin-url"),
             (["--origin-url", "wss://h"], "TLS"), (["--origin-url", "ws://h/path"], "path"),
             ([*url, "--port", "70000"], "--port"), ([*url, "--port", "x"], "--port"),
             ([*url, "--ping-interval", "0"], "--ping-interval"), ([*url, "--token", "x"], "--token-header"),
             ([*url, "--allow-origin", "*"], "--allow-origin"), ([*url, "--octets-per-second", "-1"], "--octets"),
             ([*url, "rest"], "rest"), ([*url, "--nothing"], "nothing")]
    for arguments, word in cases:
        started = Program("examples/relay", *arguments)
        try:
            status, output = started.wait()
        finally:
            started.kill()
        if status != 2 or word not in output:
            raise Failure("%s: expected status 2 and '%s', actual %s" % (arguments, word, (status, output)))
    return "%d wrong ones" % len(cases)
