# SPDX-License-Identifier: MIT
"""The chat server and the chat client, against each other and against sockets that speak octets."""
import contextlib
import http.client
import os
import pathlib
import re
import socket
import subprocess
import time

from harness import (ACCEPT, BINARY, BUILD, CLOSE, FIN, PING, PONG, REQUEST, STEP_SECONDS, TEXT, ChatServer, Failure,
                     check, close_body, closing, connect, frame, main, program, request, same, served, text)

PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "examples/chat/page.html"
CLIENT = "examples/chat_client"
OFFER = "Sec-WebSocket-Protocol: chat.tenon"
TOKEN = "0123456789abcdef-%04d"
LINE_MAX = 1 << 20
QUICK = ("--retry-first", 20, "--retry-base", 20, "--retry-cap", 100)


def chat(*arguments, port=0):
    return served(ChatServer(*arguments, port=port))


def asking(path="/chat", *more):
    return request(["GET %s HTTP/1.1" % path] + REQUEST[1:] + list(more))


def refused(server, octets):
    """The status that an upgrade is answered with."""
    with connect(server.port) as wire:
        wire.send(octets)
        return int(wire.head()[0].split()[1])


def get(server, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=STEP_SECONDS)
    with contextlib.closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, dict((name.lower(), value) for name, value in answer.getheaders()), answer.read()


def metrics(server):
    status, _, body = get(server, "/metrics")
    same(status, 200, "status of /metrics")
    return dict(line.rsplit(" ", 1) for line in body.decode().splitlines() if not line.startswith("#"))


class Member:
    """One that came in, by the octets."""

    def __init__(self, server, number=0, last=0, name="n", buffers=0):
        self.wire = connect(server.port, buffers)
        self.wire.send(asking("/chat", OFFER))
        status, fields = self.wire.head()
        check(status.startswith("HTTP/1.1 101 "), "HTTP/1.1 101", status)
        same(fields.get("sec-websocket-protocol"), ["chat.tenon"], "subprotocol")
        same(fields.get("sec-websocket-accept"), [ACCEPT], "Sec-WebSocket-Accept")
        self.send("hello %s %d %s" % (TOKEN % number, last, name))
        self.id, self.seq = (int(word) for word in self.expect("welcome").split())
        self.number = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.sock.close()

    def send(self, words):
        self.wire.send(text(words))

    def say(self, seq, words):
        self.send("say %d %s" % (seq, words))

    def message(self):
        """The next text; pings are answered."""
        while True:
            opcode, payload = self.wire.next()
            if opcode == PING:
                self.wire.send(frame(FIN | PONG, payload))
            elif opcode == CLOSE:
                raise Failure("expected a text, actual: Close %r" % payload)
            else:
                same(opcode, TEXT, "opcode")
                return payload.decode()

    def expect(self, verb):
        """The rest of the next message with this verb."""
        while True:
            found, _, rest = self.message().partition(" ")
            if found == verb:
                return rest
            check(found in ("people", "rtt", "ping", verb), verb, found)

    def said(self):
        """The next line: id, seq, name and text; the numbers of lines grow."""
        head, _, words = self.expect("said").partition("\n")
        number, identity, seq, name = head.split(" ", 3)
        check(int(number) > self.number, "a number over %d" % self.number, number)
        self.number = int(number)
        return int(identity), int(seq), name, words

    def closed(self):
        """What the Close carries that comes next but for texts."""
        while True:
            opcode, payload = self.wire.next()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()


# ------------------------------------------------------------------------ HTTP

def test_chat_page():
    with chat() as server:
        status, fields, body = get(server, "/")
        same((status, body), (200, PAGE.read_bytes()), "the page")
        same(fields["content-type"], "text/html; charset=utf-8", "its type")
        check("default-src 'none'" in fields["content-security-policy"], "a policy", fields)
        same(get(server, "/?from=here")[0], 200, "with a query")
        same(get(server, "/nothing")[0], 404, "another path")
        same(get(server, "/chat")[0], 426, "the chat without an upgrade")
        same(get(server, "/", "POST")[0], 405, "another method")


def test_chat_origin():
    own = "Origin: http://127.0.0.1"
    with chat() as server:
        same(refused(server, asking("/chat", OFFER, own)), 101, "own origin")
        same(refused(server, asking("/chat", OFFER, "Origin: https://127.0.0.1")), 101, "own origin by TLS")
        same(refused(server, asking("/chat", OFFER)), 101, "no origin")
        for origin in ("http://127.0.0.1.example", "http://127.0.0.1:80", "null", "http://", "ftp://127.0.0.1", ""):
            same(refused(server, asking("/chat", OFFER, "Origin: " + origin)), 403, "origin %r" % origin)
        same(metrics(server)['chat_refused_total{reason="origin"}'], "6", "refused")
    with chat("--origin", "https://one.example", "--origin", "http://two.example:8080") as server:
        same(refused(server, asking("/chat", OFFER, "Origin: https://one.example")), 101, "the first named")
        same(refused(server, asking("/chat", OFFER, "Origin: http://two.example:8080")), 101, "the second named")
        same(refused(server, asking("/chat", OFFER, own)), 403, "own origin, not named")


def test_chat_elsewhere():
    with chat() as server:
        same(refused(server, asking("/other", OFFER)), 404, "another path")
        same(refused(server, asking("/chat")), 400, "no subprotocol")
        same(refused(server, asking("/chat", "Sec-WebSocket-Protocol: chat.other")), 400, "another subprotocol")
        counted = metrics(server)
        same(counted['chat_refused_total{reason="path"}'], "1", "by path")
        same(counted['chat_refused_total{reason="subprotocol"}'], "2", "by subprotocol")


def test_chat_metrics():
    with chat("--ping-interval", 50) as server, Member(server, 1) as one, Member(server, 2) as two:
        one.say(1, "hello")
        one.said(), two.said()
        one.expect("rtt")
        page = get(server, "/metrics")
        same(page[1]["content-type"], "text/plain; version=0.0.4; charset=utf-8", "type")
        sample = re.compile(r'[a-z_]+(\{[a-z]+="[^"]+"\})? \d+(\.\d+)?')
        lines = page[2].decode().splitlines()
        for line in lines:
            check(line.startswith("# HELP ") or line.startswith("# TYPE ") or sample.fullmatch(line), "a sample", line)
        names = {line.split()[2] for line in lines if line.startswith("# TYPE ")}
        for line in lines:
            name = re.sub("_(bucket|sum|count)$", "", re.match("[a-z_]+", line).group()) if line[0] != "#" else None
            check(name is None or name in names, "a type for each sample", line)
        counted = metrics(server)
        same(counted["chat_members"], "2", "members")
        same(counted["chat_connections"], "3", "connections, this one too")
        same(counted["chat_lines_total"], "1", "lines")
        same(counted['chat_messages_total{direction="in"}'], "3", "messages in")
        check(int(counted["chat_round_trip_seconds_count"]) >= 1, "a round trip", counted)
        buckets = [int(value) for name, value in counted.items() if "_bucket" in name]
        same(buckets, sorted(buckets), "buckets grow")
        same(str(buckets[-1]), counted["chat_round_trip_seconds_count"], "the last bucket holds all")


# ---------------------------------------------------------------------- talking

def test_chat_talk():
    with chat() as server, Member(server, 1, name="Änn O'Né") as one, Member(server, 2, name="bob") as two:
        check(one.id != two.id, "two numbers", one.id)
        same((one.seq, two.seq), (0, 0), "nothing said before")
        for member, other, words in ((one, two, "hello"), (two, one, "Grüße,\nin two lines €")):
            member.say(1, words)
            name = "Änn O'Né" if member is one else "bob"
            same(member.said(), (member.id, 1, name, words), "back to who said it")
            same(other.said(), (member.id, 1, name, words), "to the other")
        same(one.expect("people"), "2", "people")


def test_chat_says_once():
    with chat() as server, Member(server, 9) as reader:
        with Member(server, 1) as member:
            member.say(1, "one")
            member.say(2, "two")
            member.say(2, "two again")
            member.say(1, "one again")
            member.say(3, "three")
            for words in ("one", "two", "three"):
                same(reader.said()[3], words, "once, in order")
        with Member(server, 1) as again:
            same(again.seq, 3, "the last number that was said")
            again.say(3, "three again")
            again.say(4, "four")
            same(reader.said()[1:], (4, "n", "four"), "what is new")


def test_chat_history():
    with chat("--lines-per-second", 0) as server:
        with Member(server, 1) as member:
            numbers = []
            for seq in range(1, 121):
                member.say(seq, "line %d" % seq)
                member.said()
                numbers.append(member.number)
        with Member(server, 2) as newcomer:
            same([newcomer.said()[1] for _ in range(50)], list(range(71, 121)), "the last fifty")
        with Member(server, 3, last=numbers[117]) as returned:
            same([returned.said()[1] for _ in range(2)], [119, 120], "what was missed")
        with Member(server, 4, last=numbers[119] + 1000) as confused:
            confused.say(1, "and now")
            same(confused.said()[3], "and now", "a number of the future gives nothing old")


def test_chat_bad_messages():
    with chat() as server, Member(server, 1) as member:
        for words in ("", "say", "say 1", "say 1 ", "say x y", "say 99999999999999999999 y", "shout 1 y", "sayy 1 y",
                      "hello %s 0 again" % (TOKEN % 1)):
            member.send(words)
            member.expect("error")
        member.say(1, "x" * (LINE_MAX + 1))
        member.expect("error")
        member.say(1, "x" * LINE_MAX)
        same(len(member.said()[3]), LINE_MAX, "the longest line")
        with connect(server.port) as wire:
            wire.send(asking("/chat", OFFER))
            wire.head()
            for words in ("hello short 0 n", "hello %s 0 " % (TOKEN % 2), "hello %s 0 a\nb" % (TOKEN % 2),
                          "hello %s x n" % (TOKEN % 2), "say 1 y", "hello %s 0 %s" % (TOKEN % 2, "n" * 65)):
                wire.send(text(words))
                check(wire.next()[1].startswith(b"error "), "an error", words)
            wire.send(frame(FIN | BINARY, b"x"))
            wire.expect_close(1003, "for a binary message")
        member.send("say 2 " + "x" * (LINE_MAX + 5000))
        same(member.closed()[0], 1009, "for a message over the limit")


def test_chat_counts_people():
    with chat() as server, Member(server, 1) as one:
        same(one.expect("people"), "1", "alone")
        with Member(server, 2):
            same(one.expect("people"), "2", "with another")
        same(one.expect("people"), "1", "alone again")


# ------------------------------------------------------------------ slow and loud

def fill(server, speaker, size, enough):
    """Says more than all buffers on the way hold, then waits until the condition holds; how many."""
    for seq in range(1, 151):
        speaker.say(seq, "x" * size)
        same(speaker.said()[1], seq, "who reads has them all")
    since = time.monotonic()
    while not enough(server):
        check(time.monotonic() < since + STEP_SECONDS, "the drop of the reader", "none")
    return seq


def test_chat_drops_the_slow():
    """One stops reading: it is told why, and nobody else notices."""
    with chat("--slow-timeout", 300, "--lines-per-second", 0, "--stall-timeout", 60000) as server, \
            Member(server, 1) as speaker, Member(server, 2, buffers=4096) as slow:
        count = fill(server, speaker, 100000, lambda s: metrics(s)['chat_drops_total{reason="slow"}'] == "1")
        same(slow.closed(), (1008, "reading too slowly"), "what the slow one reads at the end")
        speaker.say(count + 1, "and on")
        same(speaker.said()[3], "and on", "the others go on")


def test_chat_keeps_who_catches_up():
    """One that falls behind and reads on in time gets every line."""
    with chat("--slow-timeout", 60000, "--lines-per-second", 0) as server, \
            Member(server, 1) as speaker, Member(server, 2, buffers=4096) as late:
        for seq in range(1, 61):
            speaker.say(seq, "%d" % seq * 100000)
            same(speaker.said()[1], seq, "who reads has them all")
        same([late.said()[1] for _ in range(60)], list(range(1, 61)), "the other has them later")


def test_chat_drops_the_stalled():
    """One that does not even take the Close is dropped after the stall timeout."""
    with chat("--slow-timeout", 100, "--stall-timeout", 300, "--lines-per-second", 0) as server, \
            Member(server, 1) as speaker, Member(server, 2, buffers=4096):
        fill(server, speaker, 100000, lambda s: metrics(s).get('chat_drops_total{reason="STALL_TIMEOUT"}') == "1")
        same(metrics(server)["chat_members"], "1", "members left")


def test_chat_drops_the_dead():
    """One that answers no ping is gone after the pong timeout."""
    with chat("--ping-interval", 50, "--pong-timeout", 200) as server, Member(server, 1) as alive, Member(server, 2):
        since = time.monotonic()
        alive.expect("people")
        while metrics(server).get('chat_drops_total{reason="PONG_TIMEOUT"}') != "1":
            alive.expect("rtt")
            check(time.monotonic() < since + STEP_SECONDS, "the drop of the dead one", "none")
        same(metrics(server)["chat_members"], "1", "members left")


def test_chat_slows_the_loud():
    """More lines than the rate allows come later, and none is lost."""
    rate, burst = 20, 40
    with chat("--lines-per-second", rate) as server, Member(server, 1) as loud, Member(server, 2) as other:
        since = time.monotonic()
        loud.wire.send(*(text("say %d x" % seq) for seq in range(1, 61)))
        other.say(1, "quick")
        heard = [other.said()[:2] for _ in range(61)]
        took = time.monotonic() - since
        check(took >= (60 - burst) / rate * 0.95, "as long as the rate demands", took)
        same([seq for who, seq in heard if who == loud.id], list(range(1, 61)), "all lines of the loud one")
        check(heard.index((other.id, 1)) <= burst, "the other's line within the burst", heard.index((other.id, 1)))


def told(server, why):
    status, output = server.wait()
    same((status, output.strip()), (1, "chat_server: " + why), "how it ends")


def test_chat_address():
    """It listens where it is told to, and nowhere else."""
    with program(ChatServer.path, "--address", "127.0.0.2", "--port", 0) as server:
        found = re.fullmatch(r"listening on 127\.0\.0\.2:(\d+)", server.line())
        check(found, "listening on 127.0.0.2:PORT", found)
        port = int(found.group(1))
        socket.create_connection(("127.0.0.2", port), timeout=STEP_SECONDS).close()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=STEP_SECONDS).close()
            check(False, "nobody on 127.0.0.1", "somebody")
        except ConnectionRefusedError:
            pass
        with program(ChatServer.path, "--address", "127.0.0.2", "--port", port) as second:
            told(second, "127.0.0.2:%d: Address already in use" % port)
    for wrong in ("localhost", "127.0.0", ""):
        with program(ChatServer.path, "--address", wrong) as server:
            told(server, "%s:9000: Invalid argument" % wrong)


def test_chat_shuts_down():
    with chat() as server:
        with Member(server, 1) as member:
            server.terminate()
            same(member.closed(), (1001, "the server is shutting down"), "at the end of the server")
            member.wire.send(closing(1001))
            member.wire.end()
        same(server.wait()[0], 0, "exit status")


def test_chat_ends_the_loud_at_once():
    """Lines that wait for their rate do not keep a Close waiting that lies behind them."""
    lines = [text("say %d x" % seq) for seq in range(1, 2001)]
    with chat("--lines-per-second", 20) as server:
        with Member(server, 1) as loud, Member(server, 2) as other:
            loud.wire.send(*lines)
            loud.said(), other.said()
            server.terminate()
            for member in (loud, other):
                same(member.closed()[0], 1001, "at the end of the server")
                member.wire.send(closing(1001))
            since = time.monotonic()
            for member in (loud, other):
                member.wire.end()
            check(time.monotonic() - since < 2, "the end before the server gives up", time.monotonic() - since)
        same(server.wait()[0], 0, "exit status")


def test_chat_drops_the_slow_who_talk_on():
    """Who is dropped while many lines of his own are on their way reads why, and is said goodbye to."""
    rate = 200
    with chat("--slow-timeout", 300, "--lines-per-second", rate, "--stall-timeout", 60000) as server, \
            Member(server, 1) as speaker, Member(server, 2, buffers=4096) as slow:
        slow.wire.send(*(text("say %d x" % seq) for seq in range(1, rate * 12)))
        for seq in range(1, 101):
            speaker.say(seq, "x" * 40000)
        since = time.monotonic()
        while metrics(server)['chat_drops_total{reason="slow"}'] != "1":
            check(time.monotonic() < since + STEP_SECONDS, "the drop of the reader", "none")
        same(slow.closed(), (1008, "reading too slowly"), "what the slow one reads at the end")
        slow.wire.send(closing(1008))
        since = time.monotonic()
        slow.wire.end()
        check(time.monotonic() - since < 2, "the end before the server gives up", time.monotonic() - since)


def test_chat_close_outlives_what_is_still_sent():
    """Who is refused and has not read anything yet sends on, whole messages and less: the Close is there for him."""
    more = bytes(1 << 20)
    with chat("--lines-per-second", 0) as server, Member(server, 1) as speaker:
        with Member(server, 2, buffers=4096) as hasty:
            speaker.say(1, "x" * 30000)
            speaker.said()
            hasty.wire.send(frame(FIN | BINARY, b"x"))
            hasty.wire.send(closing(1000))
            hasty.wire.send(more)
            same(hasty.said()[3], "x" * 30000, "the line before")
            same(hasty.closed()[0], 1003, "the Close")
            hasty.wire.end()
        speaker.say(2, "and on")
        same(speaker.said()[3], "and on", "another's line")


# ----------------------------------------------------------------------- client

def client(server, *arguments):
    return program(CLIENT, *QUICK, *arguments, "ws://127.0.0.1:%d/chat" % server.port, typed=True)


def test_chat_client_talks():
    long = "y" * 300000
    with chat() as server, Member(server, 1, name="one") as member, client(server, "--name", "Zoë") as zoe:
        zoe.until("open")
        words = "two\nlines \x1b[31m\u009b31m" # ESC and CSI: a terminal would obey either
        member.say(1, words)
        same(member.said()[3], words, "back to who said it")
        zoe.until(r"one: two lines  \[31m 31m")
        zoe.type("hello\n" + long + "\nlast without its end")
        zoe.process.stdin.close()
        for seq, words in enumerate(("hello", long, "last without its end"), 1):
            same(member.said()[1:], (seq, "Zoë", words), "line")
        status, output = zoe.wait()
        same(status, 0, "exit status")
        check("closed: 1000, normal closure" in output, "a clean end", output)


def test_chat_client_compresses():
    """A long line goes to the server, to a reader that has agreed and to one that has not: compressed, but to him."""
    long, size = ("tenon and mortise; " * 20000).strip(), 380000
    with chat() as server, client(server, "--name", "ann", "--deflate") as ann, \
            client(server, "--name", "bob", "--deflate") as bob:
        bob.until("open")
        for words in (long, "short", long):
            ann.type(words + "\n")
            for one in (ann, bob):
                one.until("ann: " + words)
        counted = metrics(server)
        check(int(counted['chat_octets_total{direction="in"}']) < size // 10, "few octets in", counted)
        check(int(counted['chat_octets_total{direction="out"}']) < size // 5, "few octets out", counted)
        with Member(server, 3) as plain:
            same([plain.said()[3] for _ in range(3)], [long, "short", long], "what a plain one gets")
    with chat("--no-deflate") as server, client(server, "--deflate") as ann:
        ann.type("to one that has none\n")
        ann.until("somebody: to one that has none")


def test_chat_client_reconnects():
    """The server is killed and comes back: each line is said once, in order."""
    with contextlib.ExitStack() as stack:
        first = ChatServer()
        stack.callback(first.kill)
        zoe = stack.enter_context(client(first))
        zoe.type("one\n")
        zoe.until("somebody: one")
        first.kill()
        found = zoe.until(r"closed: (\d+), .*")
        same(found.group(1), "1006", "code")
        zoe.type("two\nthree\n")
        zoe.until(r"retry in \d+ ms")
        server = stack.enter_context(chat(port=first.port))
        member = stack.enter_context(Member(server, 1))
        zoe.until("open")
        zoe.type("four\n")
        zoe.process.stdin.close()
        same([member.said()[1:] for _ in range(3)], [(2, "somebody", "two"), (3, "somebody", "three"),
                                                      (4, "somebody", "four")], "lines")
        same(zoe.wait()[0], 0, "exit status")


def test_chat_client_says_again_what_was_cut_off():
    """The connection breaks behind a line, before or after the server has said it: it is said once."""
    for is_said in (True, False):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(STEP_SECONDS)
            url = "ws://127.0.0.1:%d/chat" % listener.getsockname()[1]
            with program(CLIENT, *QUICK, url, typed=True) as zoe:
                zoe.type("once\n")
                with scripted(listener) as wire:
                    check(wire.next(mask=True)[1].startswith(b"hello "), "hello", "")
                    wire.send(text("welcome 7 0", mask=False))
                    wire.expect(TEXT, b"say 1 once", "the line", mask=True)
                    wire.reset()
                with scripted(listener) as wire:
                    check(wire.next(mask=True)[1].startswith(b"hello "), "hello", "")
                    wire.send(text("welcome 7 %d" % is_said, mask=False))
                    if not is_said:
                        wire.expect(TEXT, b"say 1 once", "the line again", mask=True)
                    zoe.type("next\n")
                    wire.expect(TEXT, b"say 2 next", "the line after it", mask=True)


@contextlib.contextmanager
def scripted(listener):
    """A connection accepted, its upgrade answered."""
    from harness import Wire
    import base64
    import hashlib
    with Wire(listener.accept()[0]) as wire:
        _, fields = wire.head()
        key = fields["sec-websocket-key"][0] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        wire.send(request(["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                           "Sec-WebSocket-Accept: " + accept, "Sec-WebSocket-Protocol: chat.tenon"]))
        yield wire


def test_chat_client_is_refused():
    with chat() as server, client(server, "--origin", "http://elsewhere.example", "--retries", 2) as zoe:
        status, output = zoe.wait()
        same(status, 1, "exit status")
        same(output.count("refused: 403"), 3, "attempts; " + output)
        check("RFC 6455, 4.1" in output, "the rule", output)


def test_chat_client_knows_what_will_never_be():
    """What the server does not understand once, it will not understand the next time."""
    with chat() as server:
        for words in (("--name", "a\tb"), ("--name", ""), ("--name", "\udcff"), ("--token", "short")):
            with client(server, *words) as zoe:
                status, output = zoe.wait()
                same(status, 1, "exit status with %r; %s" % (words, output))
                check("retry in" not in output, "no second try", output)


def test_chat_client_counts_people():
    with chat() as server, client(server) as zoe:
        zoe.until(r"\* 1 person")
        with Member(server, 1):
            same(zoe.line(), "* 2 people", "with another")
        same(zoe.line(), "* 1 person", "alone again")


def test_chat_client_without_stdin():
    with chat() as server:
        done = subprocess.run([BUILD / CLIENT, "ws://127.0.0.1:%d/chat" % server.port], preexec_fn=lambda: os.close(0),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=STEP_SECONDS)
        same(done.returncode, 0, "exit status; %s" % done.stdout)


def test_chat_client_pings():
    """A server that says nothing any more is noticed by the client's own pings."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(STEP_SECONDS)
        url = "ws://127.0.0.1:%d/chat" % listener.getsockname()[1]
        with program(CLIENT, *QUICK, "--ping-interval", 50, "--pong-timeout", 150, url, typed=True) as zoe:
            with scripted(listener):
                found = zoe.until("closed: (.*)").group(1)
                check("1006" in found and "after a Ping" in found, "1006 for want of a Pong", found)
                zoe.until(r"retry in \d+ ms")


if __name__ == "__main__":
    main(dict(globals()))
