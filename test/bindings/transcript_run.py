# SPDX-License-Identifier: MIT
"""One connection of the Python binding through one case of a transcript in one variant,
as test/transcript_drive.c does it in C."""
import bisect
import collections
import random

import tenon
import transcript_text as text

# mode: pull, run or pump; cuts: whole, octets, one or random; how: where to cut, or the seed.
Variant = collections.namedtuple("Variant", "role mode constant cuts how")

KEY = b"\x37\xfa\x21\x3d"
ALL = tenon.FIRST | tenon.LAST | tenon.FRAME_FIRST | tenon.FRAME_LAST
RSV = tenon.RSV1 | tenon.RSV2 | tenon.RSV3
CAUSES = ["none", "local", "remote"]


class Failure(Exception):
    """What differs from what the case expects."""


def judge(good, what, *details):
    if not good:
        raise Failure(what % details)


class Reference:
    """What is sent without a copy, and whether it has come back."""

    def __init__(self):
        self.lent = False


class Log:
    """Events as tuples; adjacent pieces of a frame as one, WRITABLE and RELEASED left out."""

    def __init__(self, run):
        self.run, self.lines = run, []
        self.pending = None  # kind, opcode, octets, rsv, marks
        self.message = self.frame = 0

    def flush(self):
        if self.pending is None:
            return
        kind, opcode, octets, rsv, marks = self.pending
        if kind == tenon.EV_BODY:
            self.lines.append(("BODY", octets))
        else:
            self.lines.append(("DATA", "text" if opcode == tenon.TEXT else "binary", octets, rsv, marks))
        self.pending = None

    def check_piece(self, event):
        """What an event says about its place must fit what came before."""
        inflated = self.run.case.deflate is not None
        size, flags = len(event.data or b""), event.flags
        if not self.run.case.flags & tenon.CHUNKS:
            judge(flags & ALL == ALL and event.offset == 0 and (event.frame_size <= size or inflated),
                  "a whole message with flags %x", flags)
            return
        if flags & tenon.FIRST:
            self.message = 0
        if flags & tenon.FRAME_FIRST:
            self.frame = 0
        judge(event.offset == self.message, "a piece at %d of its message, not %d", event.offset, self.message)
        self.message += size
        self.frame += size
        judge(size or flags & tenon.LAST, "an empty piece that ends nothing")
        judge(not flags & tenon.LAST or flags & tenon.FRAME_LAST, "a message ends inside a frame")
        whole = self.frame == event.frame_size if flags & tenon.FRAME_LAST else self.frame <= event.frame_size
        judge(inflated or whole, "%d octets of a frame of %d", self.frame, event.frame_size)

    def data(self, event):
        self.check_piece(event)
        rsv = (event.flags & RSV) >> 4
        chunks = self.run.case.flags & tenon.CHUNKS
        marks = event.flags & tenon.FIRST if chunks else 0
        octets = event.data or b""
        goes_on = self.pending is not None and self.pending[0] == tenon.EV_DATA
        if goes_on and not event.flags & (tenon.FIRST | tenon.FRAME_FIRST):
            judge(self.pending[1] == event.opcode and self.pending[3] == rsv, "a frame changes in the middle")
            marks = self.pending[4] & text.MARKS["first"]
            octets = self.pending[2] + octets
        else:
            self.flush()
        if chunks:
            marks |= event.flags & tenon.LAST
            marks |= 0 if event.flags & tenon.FRAME_LAST else text.MARKS["cut"]
        self.pending = (tenon.EV_DATA, event.opcode, octets, rsv, marks)

    def take(self, event):
        kind, name = event.type, tenon.event_name(event.type)
        if kind in (tenon.EV_WRITABLE, tenon.EV_RELEASED):
            return
        if kind == tenon.EV_DATA:
            self.data(event)
            return
        if kind == tenon.EV_BODY:
            before = self.pending[2] if self.pending and self.pending[0] == kind else b""
            if not before:
                self.flush()
            self.pending = (kind, 0, before + event.data, 0, 0)
            return
        self.flush()
        self.lines.append(getattr(self, name.lower())(event))

    def request(self, event):
        head = self.run.connection.head()
        judge((head.version, head.status, head.method) == (0x0101, 0, b"GET"), "not the head of a GET")
        return ("REQUEST", head.target, head.authority, head.origin, bool(event.flags & tenon.PLAIN))

    def response(self, _event):
        head = self.run.connection.head()
        return ("RESPONSE", head.status, head.reason)

    @staticmethod
    def open(event):
        return ("OPEN", event.data)

    @staticmethod
    def ping(event):
        return ("PING", event.data or b"")

    @staticmethod
    def pong(event):
        return ("PONG", event.data or b"", event.rtt_ms if event.flags & tenon.OWN else None)

    @staticmethod
    def close(event):
        return ("CLOSE", event.code, event.data or b"")

    def closed(self, event):
        at = self.run.stream.written_place(event.offset) if event.rule else event.offset
        return ("CLOSED", event.code, event.sent_code, event.received_code, CAUSES[event.cause],
                tenon.rule_name(event.rule), at, bool(event.flags & tenon.CLEAN), event.data or b"")


class Stream:
    """All input of a case for a role, and where in it each octet as written lies."""

    def __init__(self, case, role):
        self.octets, self.places = bytearray(), []
        self.header, self.left, self.phase = b"", 0, 0
        for step in case.steps:
            for octet in step.octets:
                self.places.append(len(self.octets))
                if step.raw or role == tenon.CLIENT:
                    self.octets.append(octet)
                else:
                    self.mask(octet)
        self.places.append(len(self.octets))
        self.octets = bytes(self.octets)

    def mask(self, octet):
        """One octet of a frame without mask, as one of a client's frame."""
        if self.left:
            self.octets.append(octet ^ KEY[self.phase & 3])
            self.phase, self.left = self.phase + 1, self.left - 1
            return
        self.header += bytes([octet])
        have = len(self.header)
        self.octets.append(octet | 0x80 if have == 2 else octet)
        if have < 2:
            return
        code = self.header[1] & 0x7f
        if have == {127: 10, 126: 4}.get(code, 2):
            self.octets += KEY
            self.left = int.from_bytes(self.header[2:], "big") if have > 2 else code
            self.header, self.phase = b"", 0

    def written_place(self, offset):
        """Which octet as written that one is; a key belongs to the octet before it."""
        i = bisect.bisect_right(self.places, offset)
        return -1 if i == len(self.places) and self.places[-1] != offset else i - 1


class Run:
    """The state of one run; also the transport of its pump."""

    def __init__(self, case, variant, stream):
        self.case, self.how, self.stream = case, variant, stream
        self.dice = random.Random(variant.how)
        self.random_calls, self.keys = 0, []
        self.given = self.limit = self.lent_from = self.nexts = self.clock = self.shuts = 0
        self.lent = None
        self.eof_due = self.eof_told = self.blocked = self.closed = self.in_callback = False
        self.again = None
        self.out_octets, self.all_out, self.plain = bytearray(), bytearray(), bytearray()
        self.unread, self.head_seen = 0, False
        self.references = []
        self.log = Log(self)
        self.grown = case.rx
        self.connection = tenon.Connection(self.make_config(), case.rx, case.tx)
        if case.deflate is not None and not case.handshake:
            settings = case.deflate
            self.connection.agree(settings.get("out_bits", 15), settings.get("in_bits", 15),
                                  settings["flags"] & ~tenon.DEFLATE_REQUIRED)
        self.stats = self.connection.count()
        if case.ticks:
            self.connection.tick(0)
        transport_size = 1 + self.roll(64) if variant.cuts == "random" else len(stream.octets) + 1
        self.pump = tenon.Pump(self.connection, self, self.on_event, transport_size)

    def make_config(self):
        case, role = self.case, self.how.role
        options = dict(case.limits, flags=case.flags, random=self.random if role == tenon.CLIENT else None)
        if case.deflate is not None:
            options["deflate"] = tenon.Deflate(**case.deflate)
        if not case.handshake:
            return tenon.Config.open(role, **options)
        return (tenon.Config.server if role == tenon.SERVER else tenon.Config.client)(**options)

    def roll(self, sides):
        """Below sides; 0 where nothing is random."""
        return self.dice.randrange(sides) if self.how.cuts == "random" else 0

    def random(self, n):
        self.random_calls += 1
        if self.random_calls == self.case.random_fails:
            raise OSError("no random octets")
        if n == 16:
            return bytes(range(1, 17))
        judge(n == 4, "random: %d octets at once", n)
        self.keys.append((0x37fa213d ^ self.random_calls * 2654435761 & 0xffffffff).to_bytes(4, "big"))
        return self.keys[-1]

    # ------------------------------------------------------------------ events

    def take_event(self, event):
        judge(not self.closed, "%r after CLOSED", event)
        if event.type == tenon.EV_CLOSED:
            self.log.take(event)
            judge(not any(one.lent for one in self.references), "CLOSED before RELEASED")
            self.check_stats()
            self.closed = True
            return tenon.CONTINUE
        if self.in_callback:
            self.check_reentry()
        if self.wants_again(event):
            return tenon.AGAIN
        if event.type == tenon.EV_RELEASED:
            judge(event.cookie.lent, "RELEASED with a cookie that is not lent")
            event.cookie.lent = False
        self.log.take(event)
        if event.type == tenon.EV_OPEN and self.connection.deflate_size:
            self.connection.lend_deflate(self.connection.deflate_size)
        for action in self.case.on:
            if action.event == event.type:
                self.act(action, event)
        return tenon.STOP if self.roll(5) == 2 else tenon.CONTINUE

    def on_event(self, connection, event):
        judge(connection is self.connection, "a callback with another connection")
        self.in_callback = True
        try:
            return self.take_event(event)
        finally:
            self.in_callback = False

    def check_reentry(self):
        for call in (self.connection.next, lambda: self.connection.recv(b"x"), self.connection.unlend):
            try:
                call()
            except tenon.ERR_REENTRY:
                continue
            raise Failure("a nested call went through")

    def check_stats(self):
        stats = self.stats
        judge(stats.octets_out == len(self.all_out), "octets_out is %d", stats.octets_out)
        judge(stats.octets_in <= self.given, "octets_in is %d of %d", stats.octets_in, self.given)
        judge(stats.steps <= 4 * stats.octets_in + 4 * self.nexts + 64, "%d steps", stats.steps)

    def wants_again(self, event):
        if self.again is not None:
            judge(self.again == event, "%r came again, changed", event)
            self.again = None
            return False
        if self.roll(4) == 1:
            self.again = event
        return self.again is not None

    # ----------------------------------------------------------------- actions

    def act(self, action, event=None):
        status = 0
        try:
            name = "send" if action.name == "echo" else action.name
            getattr(self, "act_" + name)(action, event)
        except tenon.Error as problem:
            status = problem.status
        judge(status == action.status, "line %d: %s gave %s", action.line, action.name, tenon.status_name(status))

    @staticmethod
    def message(tokens):
        """The opcode if there is one, the octets, and the flags behind them."""
        names = {"trusted": tenon.TRUSTED, "last": tenon.LAST, "copy": tenon.COPY, "compress": tenon.COMPRESS,
                 "uncompressed": tenon.UNCOMPRESSED}
        flags, rest = 0, list(tokens)
        while rest and rest[-1].value is None and (rest[-1].word in names or rest[-1].word.startswith("rsv=")):
            word = rest.pop().word
            flags |= names[word] if word in names else int(word[4:]) << 4
        opcode = text.OPCODES[rest.pop(0).word] if rest and rest[0].word in text.OPCODES else None
        return opcode, text.items(rest), flags

    def act_send(self, action, event):
        if action.name == "echo":
            self.connection.send(event.opcode, event.data or b"")
        else:
            self.connection.send(*self.message(action.tokens))

    def act_part(self, action, _event):
        self.connection.send_part(*self.message(action.tokens))

    def keep(self):
        self.references.append(Reference())
        return self.references[-1]

    def act_ref(self, action, _event):
        reference = self.keep()
        self.connection.send_ref(*self.message(action.tokens), cookie=reference)
        reference.lent = True

    def act_prepared(self, action, _event):
        reference = self.keep()
        opcode, octets, flags = self.message(action.tokens)
        self.connection.send_prepared(tenon.Prepared(opcode, octets), flags, reference)
        reference.lent = not flags & tenon.COPY

    def act_ping(self, action, _event):
        self.connection.ping(self.message(action.tokens)[1])

    def act_pong(self, action, _event):
        self.connection.pong(self.message(action.tokens)[1])

    def act_close(self, action, _event):
        code = action.tokens[0].word
        self.connection.close(tenon.CLOSE_NONE if code == "none" else int(code), text.items(action.tokens[1:]))

    def act_abort(self, action, _event):
        self.connection.abort(tenon.REMOTE if action.tokens[0].word == "remote" else tenon.LOCAL)

    @staticmethod
    def headers(found):
        if "header" not in found:
            return []
        name, _, value = found["header"].partition(b": ")
        return [(name, value)]

    def act_accept(self, action, _event):
        found = text.keys(action.tokens)
        self.connection.accept(found.get("protocol"), found.get("extensions"), self.headers(found))

    def act_reject(self, action, _event):
        found, reference = text.keys(action.tokens), self.keep()
        copy = any(token.word == "copy" for token in action.tokens)
        body = found.get("body", b"")
        self.connection.reject(int(action.tokens[0].word), found.get("reason"), self.headers(found), body,
                               tenon.COPY if copy else 0, reference)
        reference.lent = bool(body) and not copy

    def act_connect(self, action, _event):
        found = text.keys(action.tokens)
        names = found["protocol"].split(b",") if "protocol" in found else []
        self.connection.connect(found.get("uri"), found.get("authority"), found.get("target"), found.get("origin"),
                                names, found.get("extensions"), self.headers(found))

    def act_head(self, action, _event):
        name, wanted = action.tokens
        found = self.connection.head().find(name.word)
        judge(found == wanted.value, "field %s is %r", name.word, found)

    def act_grant(self, action, _event):
        found = text.keys(action.tokens)
        opaque = any(token.word == "opaque" for token in action.tokens)
        self.connection.grant(int(found.get("first", 0)) << 4, int(found.get("next", 0)) << 4,
                              tenon.OPAQUE if opaque else 0)

    def act_rx(self, action, _event):
        self.connection.lend_rx(int(action.tokens[0].word))
        self.grown = int(action.tokens[0].word)

    def act_tx(self, action, _event):
        self.connection.lend_tx(int(action.tokens[0].word))

    def act_block(self, _action, _event):
        self.blocked = True

    def act_unblock(self, _action, _event):
        self.blocked = False

    # ------------------------------------------------------------------ output

    def take_pieces(self, pieces):
        octets = b"".join(pieces)
        judge(all(pieces), "an empty piece of output")
        if self.roll(3) == 1:
            octets = octets[:self.roll(len(octets)) + 1]
        self.out_octets += octets
        self.all_out += octets
        return len(octets)

    def drain(self):
        total = 0
        while not self.blocked:
            pieces = self.connection.out(1 if self.roll(2) == 1 else 16)
            judge(bool(self.connection.wants & tenon.WANTS_WRITE) == bool(pieces), "WANTS_WRITE and %r", pieces)
            if not pieces:
                break
            n = self.take_pieces(pieces)
            self.connection.sent(n)
            total += n
        return total > 0

    # ------------------------------------------------------------------- input

    def next_cut(self):
        if self.how.cuts == "octets":
            return self.given + 1
        if self.how.cuts == "one" and self.given < self.how.how < self.limit:
            return self.how.how
        if self.how.cuts != "random":
            return self.limit
        return min(self.limit, self.given + self.roll([2, 7, 60, 600, 20000][self.how.how % 5]) + 1)

    def drop_lent(self, used=None):
        """A lend is over: what was not for the library to write is as it was."""
        if self.lent is None:
            return
        all_of_it = self.stream.octets[self.lent_from:self.lent_from + len(self.lent)]
        untouched = self.how.constant or self.how.role == tenon.CLIENT
        begin = 0 if untouched else len(self.lent) if used is None else used
        judge(self.lent[begin:] == all_of_it[begin:], "lent octets were written to")
        self.lent = None

    def lend(self):
        end = self.next_cut()
        self.drop_lent()
        octets = self.stream.octets[self.given:end]
        self.lent = octets if self.how.constant else bytearray(octets)
        self.lent_from, self.given = self.given, end
        self.connection.recv(self.lent)

    def lend_anew(self, event):
        """Takes the lend back and gives what is left as a new one."""
        try:
            rest = self.connection.unlend()
        except tenon.ERR_BUSY:
            judge(event.data, "BUSY, and no event lies in what is lent")
            return
        judge(rest == self.stream.octets[self.given - len(rest):self.given], "unlend gave back something else")
        if self.lent is not None:
            self.drop_lent(len(self.lent) - len(rest))
        self.given -= len(rest)
        if rest:
            self.lend()

    # ------------------------------------------------------------ pull and run

    def count_call(self):
        self.nexts += 1
        judge(self.nexts <= 12 * len(self.stream.octets) + 4000, "no progress")

    def check_idle(self):
        judge(not self.connection.wants & tenon.WANTS_NEXT, "WANTS_NEXT after there was nothing to tell")

    def pull(self):
        while True:
            had = self.connection.wants & tenon.WANTS_NEXT
            self.count_call()
            event = self.connection.next()
            if event is None:
                break
            judge(had or self.again is not None, "%r without WANTS_NEXT", event)
            if self.take_event(event) == tenon.AGAIN:
                self.connection.again()
            if self.closed:
                return
            if (self.how.cuts == "octets" and self.how.how == 1) or self.roll(2) == 1:
                self.drain()
            if not self.eof_told and self.again is None and self.roll(4) == 3:
                self.lend_anew(event)
        self.check_idle()

    def run_callbacks(self):
        status = tenon.STOPPED
        while status == tenon.STOPPED:
            self.count_call()
            status = self.connection.run(self.on_event)
            judge((status == tenon.DONE) == self.closed, "run gave %d", status)
        if not self.closed:
            self.check_idle()

    def grow_rx(self):
        need = self.connection.rx_needed
        if not self.case.grow or not self.grown < need <= 1 << 24:
            return False
        self.connection.lend_rx(need)
        self.grown = need
        return True

    def lend_inflate(self):
        size = self.connection.inflate_size
        if size:
            self.connection.lend_inflate(size)
        return bool(size)

    def tell_eof(self):
        self.connection.eof()
        self.eof_told = True

    def next_move(self):
        """Whether something is to be done but waiting for the other side."""
        connection, wants = self.connection, self.connection.wants
        if self.drain() or (wants | connection.wants) & tenon.WANTS_NEXT:
            return True
        if wants & tenon.WANTS_SHUT_WR:
            self.shut()
            connection.shut()
            judge(not connection.wants & tenon.WANTS_SHUT_WR, "SHUT_WR is asked for again")
            return True
        if wants & tenon.WANTS_RX and self.grow_rx() or wants & tenon.WANTS_INFLATE and self.lend_inflate():
            return True
        if wants & tenon.WANTS_READ and self.given < self.limit:
            self.lend()
            if self.eof_due and self.given == self.limit and self.how.how % 2:
                self.tell_eof()  # behind what is lent
            return True
        if self.eof_due and not self.eof_told and self.given == self.limit:
            self.tell_eof()
            return True
        return False

    def work(self):
        while True:
            (self.run_callbacks if self.how.mode == "run" else self.pull)()
            if self.closed or not self.next_move():
                return

    # -------------------------------------------------------------------- pump

    def recv(self, n):
        if self.given == self.limit:
            self.eof_told = self.eof_due
            return b"" if self.eof_due else None
        end = min(self.next_cut(), self.given + n)
        octets, self.given = self.stream.octets[self.given:end], end
        return octets

    def send(self, pieces):
        return None if self.blocked else self.take_pieces(pieces)

    def now(self):
        return self.clock

    def shut(self):
        self.shuts += 1

    def run_pump(self):
        while True:
            before = self.given, len(self.all_out), self.eof_told
            self.count_call()
            status = self.pump.turn()
            judge((status == tenon.DONE) == self.closed, "pump gave %d", status)
            if self.closed:
                return
            if status != tenon.OK or before != (self.given, len(self.all_out), self.eof_told):
                continue
            wants = self.connection.wants
            if not (wants & tenon.WANTS_INFLATE and self.lend_inflate()
                    or wants & tenon.WANTS_RX and self.grow_rx()):
                break
        self.check_idle()

    # ---------------------------------------------------------- what it came to

    def unmask(self, data):
        """Takes the mask off a frame that a client sent; its octets, 0 if it is not whole."""
        frame = tenon.frame_decode(data)
        if frame is None or len(data) < frame[3] + frame[1]:
            return 0
        first, size, key, header_size = frame
        judge(key is not None, "a client's frame without mask")
        judge(self.keys and self.keys.pop(0) == key, "a mask that is not fresh from the random source")
        self.plain += tenon.frame_encode(first, size) + tenon.mask(data[header_size:header_size + size], key)
        return header_size + size

    def read_output(self):
        """Output up to here without masks."""
        while self.unread < len(self.all_out):
            data = bytes(self.all_out[self.unread:])
            n = len(data)
            if self.how.role == tenon.CLIENT and self.case.handshake and not self.head_seen:
                n = data.index(b"\r\n\r\n") + 4 if b"\r\n\r\n" in data else n
                self.head_seen = True
            elif self.how.role == tenon.CLIENT:
                n = self.unmask(data)
                judge(n or self.blocked, "output ends inside a frame")
                if n == 0:
                    return
                self.unread += n
                continue
            self.plain += data[:n]
            self.unread += n

    @staticmethod
    def compare(what, want, got):
        judge(want == got, "%s\n  expected %r\n  actual   %r", what, want, got)

    def check_phase(self, want):
        connection = self.connection
        self.log.flush()
        self.read_output()
        self.compare("events differ", want.log, self.log.lines)
        if want.wire is not None:
            self.compare("output differs", want.wire, bytes(self.out_octets))
        else:
            self.compare("output differs", want.out, bytes(self.plain))
        self.compare("shut differs", int(want.shut), self.shuts)
        if want.state is not None:
            self.compare("state differs", want.state, connection.state)
        if want.deadline is not None:
            self.compare("deadline differs", None if want.deadline == "never" else want.deadline, connection.deadline)
        if want.wants is not None and not self.closed:
            self.compare("wants differ", want.wants, connection.wants)
        self.log.lines = []
        self.out_octets, self.plain, self.shuts = bytearray(), bytearray(), 0

    # ------------------------------------------------------------------ a case

    def settle(self):
        if self.closed:
            return
        (self.run_pump if self.how.mode == "pump" else self.work)()
        if not self.closed and not self.connection.wants & (tenon.WANTS_DECISION | tenon.WANTS_RX):
            judge(self.given == self.limit, "%d octets of input are not taken", self.limit - self.given)

    def do_step(self, step):
        if step.kind in ("do", "tick", "check"):
            self.settle()
        if step.kind == "check":
            self.check_phase(step)
        elif step.kind == "do":
            judge(not self.closed, "an action after CLOSED")
            self.act(step.action)
        elif step.kind == "tick":
            self.clock = step.ms
            if not self.closed and self.how.mode != "pump":
                self.connection.tick(step.ms)
        elif step.kind == "eof":
            self.eof_due = True

    def end(self):
        """Whatever is left ends with one CLOSED, and no event follows it."""
        connection, had = self.connection, self.closed
        self.blocked = False
        if not self.closed:
            connection.abort(tenon.LOCAL)
            self.again = None
            self.how = self.how._replace(cuts="whole")
            self.work()
            judge(self.closed, "no CLOSED after abort")
        judge(connection.next() is None and connection.wants == tenon.WANTS_CLOSE
              and connection.state == tenon.CLOSED and connection.deadline is None, "not at rest after CLOSED")
        judge(not (self.log.lines and had), "events without an expectation")

    def play(self):
        """The output of the case, masks and all; Failure if anything is not as expected."""
        written, line = 0, self.case.line
        try:
            for step in self.case.steps:
                line, written = step.line, written + len(step.octets)
                if step.octets:
                    self.limit = self.stream.places[written]
                self.do_step(step)
            self.end()
        except (Failure, tenon.Error) as problem:
            raise Failure("line %d: %s" % (line, problem)) from problem
        return bytes(self.all_out)
