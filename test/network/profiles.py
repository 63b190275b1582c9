# SPDX-License-Identifier: MIT
"""What intermediaries do to a WebSocket: one profile for each behaviour.

Each has what it stands for, the documents by which a network is named for it
(documents.py), and what has to come of it, written down from the RFCs, for tenon as
the client and as the server behind it:

  THROUGH          the set of messages comes back as it was sent, and the close code too
  Refused(...)     no connection, but a status for the program: RFC 6455, 4.1 and 4.2.2
  Ended(...)       a connection or an attempt that ends with this rule and section
  None             the profile does nothing to this side

Time. One second here is a minute there (SCALE), for everything that is idle.
"""
import collections
import dataclasses

SCALE = 60

THROUGH = "comes through"
# status: those allowed at the client; rule: of tenon's server, or None where it is not tenon that refuses
Refused = collections.namedtuple("Refused", "status rule", defaults=(None,))
Ended = collections.namedtuple("Ended", "rule section code", defaults=(1006,))

EOF = Ended("EOF", "RFC 6455, 7.1.5")
LOST = Ended("ABORT", "RFC 6455, 7.1.5")


@dataclasses.dataclass(frozen=True)
class Profile:
    name: str
    stands: str
    client: object = THROUGH
    server: object = THROUGH
    documents: tuple = ()
    request: tuple = ()           # changes of the request's head
    response: tuple = ()          # changes of the answer's head
    answer: bytes = None          # in the origin's place
    stays_open: bool = False      # after that answer
    ends_within: float = 0.0      # seconds, where waiting for a timeout would be wrong
    before: tuple = ()            # interim answers
    request_delay: float = 0.0
    answer_delay: float = 0.0
    glues_answer: bool = False    # 101 in one piece with the first frames
    is_eager: bool = False        # says 101 itself; request in one piece with the first frames
    flow: str = "plain"           # how the stream is cut
    end: str = None               # how it ends: fin, rst, fin_client, fin_origin
    end_after: int = 0            # octets towards the client
    closes_both: bool = False     # when one side ends
    idle: float = 0.0
    idle_counts: tuple = ("up", "down")
    idle_end: str = "fin"
    offers: dict = dataclasses.field(default_factory=dict)  # what the probe asks for as a client
    protocol: str = "-"           # the subprotocol that the probe must end up with

    @property
    def slow(self):
        """Waits for time to pass, rather than works."""
        return bool(self.idle or self.stays_open or self.answer_delay or self.request_delay)


# ------------------------------------------------------------------ changes

def add(*fields):
    def change(head):
        for name, value in fields:
            head.add(name, value)
    return change


def replace(name, value):
    return lambda head: head.replace(name, value)


def drop(*names):
    return lambda head: head.drop(*names)


def start(old, new):
    def change(head):
        head.start = head.start.replace(old, new)
    return change


def reason(text):
    def change(head):
        head.start = b" ".join(head.start.split(b" ")[:2]) + text
    return change


def names(convert):
    def change(head):
        for field in head.fields:
            field[0] = convert(field[0])
    return change


def swap_case(value):
    return bytes(octet ^ 0x20 if chr(octet).isalpha() and at % 2 else octet for at, octet in enumerate(value))


def between(text):
    """What stands between a name and its value, and behind the value."""
    def change(head):
        for at, field in enumerate(head.fields):
            field[1] = b":" + text[at % len(text)]
            field[2] += text[(at + 1) % len(text)]
    return change


def reverse(head):
    """Host first, as RFC 9110, 7.2 has it; all else the other way round."""
    head.fields.reverse()
    head.fields.sort(key=lambda field: field[0].lower() != b"host")


def join(head):
    """Fields of one name as one field, at the place of the first."""
    joined = {}
    for name, between_, value in head.fields:
        old = joined.setdefault(name.lower(), [name, between_, None])
        old[2] = value if old[2] is None else old[2] + b", " + value
    head.fields = list(joined.values())


LISTS = (b"connection", b"sec-websocket-protocol", b"sec-websocket-extensions", b"via", b"upgrade")


def split(head):
    """Each element of a list as a field of its own."""
    fields = []
    for name, between_, value in head.fields:
        parts = value.split(b",") if name.lower() in LISTS else [value]
        fields += [[name, between_, part.strip()] for part in parts]
    head.fields = fields


def fold(name, value):
    """A field on two lines (RFC 9112, 5.2)."""
    return lambda head: head.fields.append([name, b": ", value.replace(b" ", b"\r\n ")])


def absolute(head):
    method, target, version = head.start.split(b" ")
    host = head.values(b"Host")[0]
    head.start = b" ".join([method, b"http://" + host + target, version])


def strip_upgrade(head):
    """What a proxy does that does not know the protocol (RFC 9110, 7.6.1)."""
    head.drop(b"Upgrade", b"Connection")


# ------------------------------------------------------------------ answers

def answered(status, *fields, body=None, framing="length"):
    body = body or b"<!DOCTYPE html><title>%s</title><h1>%s</h1>\n" % (status, status) + b"<p>sorry</p>\n" * 40
    lines = [b"HTTP/1.1 " + status, b"Content-Type: text/html", b"Server: edge", *fields]
    if framing == "length":
        lines.append(b"Content-Length: %d" % len(body))
    if framing == "chunked":
        lines.append(b"Transfer-Encoding: chunked")
        half = len(body) // 2
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:])) + b"0\r\n\r\n"
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


CLOSE = b"Connection: close"


def refusal(status, stands, *fields, documents=(), framing="length", **more):
    number = int(status[:3])
    name = "refused_%d%s" % (number, {"length": "", "chunked": "_chunked", "none": "_until_end"}[framing])
    return Profile(name, stands, client=Refused((number,)), server=None, documents=documents,
                   answer=answered(status, *fields, CLOSE, framing=framing), **more)


# ----------------------------------------------------------------- profiles

PLAIN = [
    Profile("plain", "passes the upgrade and then every octet",
            documents=("akamai", "azion", "bunny", "cloudflare", "cloudfront", "edgio", "fastly", "gcore", "stackpath")),
]

EDGE = (
    (b"Via", b"1.1 edge-a, 1.1 edge-b (cache)"), (b"X-Forwarded-For", b"203.0.113.1,198.51.100.101"),
    (b"X-Forwarded-Proto", b"https"), (b"X-Forwarded-Host", b"chat.example"), (b"X-Forwarded-Port", b"443"),
    (b"Forwarded", b'for="[2001:db8::1]:4711";proto=https'), (b"CF-Ray", b"230b030023ae2822-SJC"),
    (b"CF-Connecting-IP", b"203.0.113.1"), (b"CF-Visitor", b'{"scheme":"https"}'), (b"CF-IPCountry", b"XX"),
    (b"CDN-Loop", b"cloudflare; subreqs=1"), (b"X-Amz-Cf-Id", b"K2o5Rzz_1FwQ=="), (b"True-Client-IP", b"203.0.113.1"))
BACK = (
    (b"Server", b"edge"), (b"Via", b"1.1 edge-b"), (b"CF-Ray", b"230b030023ae2822-SJC"),
    (b"Alt-Svc", b'h3=":443"; ma=86400, h3-29=":443"; ma=86400'), (b"Strict-Transport-Security", b"max-age=63072000"),
    (b"Set-Cookie", b"__cf_bm=abc; path=/; HttpOnly; Secure"), (b"Set-Cookie", b"AWSALB=def; Path=/"),
    (b"X-Cache", b"Miss from edge"), (b"Server-Timing", b"cdn-cache; desc=MISS"),
    (b"Date", b"Thu, 01 Jan 2026 00:00:00 GMT"))
LONG = tuple((b"Set-Cookie" if i else b"X-Long", b"v=" + b"x" * 3000) for i in range(3))
# RFC 6585, 5: 431 is for this.
TOO_LONG = tuple((b"X-Long-%d" % i, b"x" * 3000) for i in range(7))

HEADS = [
    Profile("headers_added", "adds the fields of an edge to request and answer",
            documents=("cloudflare-headers", "cloudfront-behaviour", "fastly-product"),
            request=(add(*EDGE),), response=(add(*BACK),)),
    Profile("headers_long", "adds 9 KB of fields to request and answer", request=(add(*LONG),), response=(add(*LONG),)),
    Profile("request_too_long", "adds 21 KB of fields to the request", request=(add(*TOO_LONG),),
            client=None, server=Refused((431,), "HEAD_SIZE")),
    Profile("answer_too_long", "adds 21 KB of fields to the answer", response=(add(*TOO_LONG),),
            client=Ended("HEAD_SIZE", "RFC 9110, 5.4"), server=None),
    Profile("headers_too_many", "adds 120 fields to the answer",
            response=(add(*((b"X-%d" % i, b"v") for i in range(120))),),
            client=Ended("HEADERS", "RFC 9110, 5.4"), server=None),
    Profile("names_lower", "writes field names in lower case", request=(names(bytes.lower),), response=(names(bytes.lower),)),
    Profile("names_upper", "writes field names in upper case", request=(names(bytes.upper),), response=(names(bytes.upper),)),
    Profile("names_title", "writes field names like Sec-Websocket-Key", request=(names(bytes.title),),
            response=(names(bytes.title),)),
    Profile("names_mixed", "mixes the case of field names", request=(names(swap_case),), response=(names(swap_case),)),
    Profile("reordered", "reverses the order of the fields", request=(reverse,), response=(reverse,)),
    Profile("connection_list", "Connection: keep-alive, Upgrade",
            request=(replace(b"Connection", b"keep-alive, Upgrade"),),
            response=(replace(b"Connection", b"keep-alive, Upgrade"),)),
    Profile("connection_lower", "Connection: upgrade", documents=("azion",),
            request=(replace(b"Connection", b"upgrade"),), response=(replace(b"Connection", b"upgrade"),)),
    Profile("upgrade_case", "Upgrade: WebSocket", documents=("edgio",),
            request=(replace(b"Upgrade", b"WebSocket"),), response=(replace(b"Upgrade", b"WebSocket"),)),
    Profile("fields_joined", "joins repeated fields with commas",
            request=(add((b"Via", b"1.1 a"), (b"Via", b"1.1 b"), (b"Connection", b"keep-alive")), join),
            response=(add((b"Via", b"1.1 a"), (b"Via", b"1.1 b"), (b"Connection", b"keep-alive")), join)),
    Profile("fields_split", "splits lists into repeated fields",
            request=(replace(b"Connection", b"keep-alive, Upgrade"), add((b"Via", b"1.1 a, 1.1 b")), split),
            response=(replace(b"Connection", b"keep-alive, Upgrade"), add((b"Via", b"1.1 a, 1.1 b")), split)),
    Profile("spaces", "no space, several or tabs around values (RFC 9112, 5)",
            request=(between((b"", b"  ", b"\t", b" \t ")),), response=(between((b"\t ", b"", b"   ")),)),
    Profile("empty_elements", "empty list elements (RFC 9110, 5.6.1)",
            request=(replace(b"Connection", b", ,Upgrade ,,"),), response=(replace(b"Connection", b",keep-alive,, Upgrade,"),)),
    Profile("folded_answer", "folds a field of the answer", response=(fold(b"Set-Cookie", b"a=b; path=/; Secure"),),
            server=None),
    Profile("folded_request", "folds a field of the request", request=(fold(b"Cookie", b"a=b; c=d"),),
            client=Refused((400,)), server=Refused((400,), "FOLD")),
    Profile("reason_changed", "another reason phrase", response=(reason(b" WebSocket Protocol Handshake"),), server=None),
    Profile("reason_empty", "an empty reason phrase", response=(reason(b" "),), server=None),
    Profile("reason_foreign", "a reason phrase beyond ASCII", response=(reason(" Protokoll gewechselt, schön".encode()),),
            server=None),
    # A 1xx ends at its empty line, whatever its fields say (RFC 9112, 6.3).
    Profile("answer_length_zero", "101 with Content-Length: 0", response=(add((b"Content-Length", b"0")),), server=None),
    Profile("answer_chunked", "101 with Transfer-Encoding, which must not be there (RFC 9112, 6.1)",
            response=(add((b"Transfer-Encoding", b"chunked")),), client=Ended("BODY", "RFC 9112, 6.3"), server=None),
    Profile("host_replaced", "puts the origin's name and its own agent into the request",
            documents=("cloudfront-behaviour",),
            request=(replace(b"Host", b"origin.internal"), drop(b"User-Agent"), add((b"User-Agent", b"Amazon CloudFront")))),
    Profile("target_absolute", "asks with the whole URI (RFC 9112, 3.2.2)", request=(absolute,)),
]

REFUSALS = [
    refusal(b"200 OK", "a page in place of the upgrade"),
    refusal(b"200 OK", "a page in chunks", framing="chunked"),
    refusal(b"200 OK", "a page that the end of the stream ends", framing="none"),
    refusal(b"302 Found", "sent elsewhere", b"Location: /login"),
    refusal(b"401 Unauthorized", "asks for credentials", b'WWW-Authenticate: Basic realm="x"'),
    refusal(b"403 Forbidden", "a firewall says no (the documents name no status)", documents=("akamai", "cloudflare")),
    refusal(b"403 Forbidden", "a firewall says no, in chunks", framing="chunked"),
    refusal(b"404 Not Found", "no such place", framing="none"),
    refusal(b"407 Proxy Authentication Required", "a proxy asks for credentials", b'Proxy-Authenticate: Basic realm="x"'),
    refusal(b"408 Request Timeout", "the request took too long", documents=("gcore-timeouts",)),
    refusal(b"413 Content Too Large", "the request is too large", documents=("cloudfront-behaviour",)),
    refusal(b"426 Upgrade Required", "another protocol is wanted", b"Upgrade: HTTP/2.0", b"Connection: Upgrade"),
    refusal(b"429 Too Many Requests", "too many", b"Retry-After: 30"),
    refusal(b"502 Bad Gateway", "the origin is not there"),
    refusal(b"502 Bad Gateway", "the origin is not there, no length", framing="none"),
    refusal(b"503 Service Unavailable", "too many connections (the document names no status)", b"Retry-After: 120",
            documents=("bunny",)),
    refusal(b"504 Gateway Timeout", "the origin does not answer"),
    refusal(b"522 ", "the origin takes no connection", documents=("cloudflare-limits",)),
    refusal(b"524 ", "the origin does not answer in time", documents=("cloudflare-limits",)),
    # The body is over where its length says (RFC 9112, 6.3), whatever becomes of the connection.
    Profile("refused_kept_open", "403, and keeps the connection open", client=Refused((403,)), server=None,
            answer=answered(b"403 Forbidden", b"Connection: keep-alive"), stays_open=True, ends_within=3.0),
    Profile("refused_kept_open_chunked", "403 in chunks, and keeps the connection open", client=Refused((403,)),
            server=None, answer=answered(b"403 Forbidden", framing="chunked"), stays_open=True),
]

ACCEPT = Ended("ACCEPT", "RFC 6455, 4.1")


def wrong(name, stands, client, *changes, **more):
    return Profile(name, stands, client=client, server=None, response=changes, **more)


ANSWERS = [
    wrong("accept_missing", "101 without Sec-WebSocket-Accept", ACCEPT, drop(b"Sec-WebSocket-Accept")),
    wrong("accept_wrong", "101 with another Sec-WebSocket-Accept", ACCEPT,
          replace(b"Sec-WebSocket-Accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")),
    wrong("accept_case", "Sec-WebSocket-Accept in lower case", ACCEPT,
          lambda head: head.replace(b"Sec-WebSocket-Accept", head.values(b"Sec-WebSocket-Accept")[0].lower())),
    wrong("accept_repeated", "Sec-WebSocket-Accept twice, joined", ACCEPT,
          lambda head: head.add(b"Sec-WebSocket-Accept", head.values(b"Sec-WebSocket-Accept")[0]), join),
    wrong("answer_upgrade_missing", "101 without Upgrade", Ended("UPGRADE", "RFC 6455, 4.1 and 4.2.1"), drop(b"Upgrade")),
    wrong("answer_upgrade_other", "101 to another protocol", Ended("UPGRADE", "RFC 6455, 4.1 and 4.2.1"),
          replace(b"Upgrade", b"h2c")),
    wrong("answer_connection_missing", "101 without Connection", Ended("CONNECTION", "RFC 6455, 4.1 and 4.2.1"),
          drop(b"Connection")),
    wrong("answer_connection_close", "101 with Connection: close", Ended("CONNECTION", "RFC 6455, 4.1 and 4.2.1"),
          replace(b"Connection", b"close")),
    wrong("answer_http10", "101 as HTTP/1.0", Ended("HTTP_VERSION", "RFC 6455, 4.1"), start(b"HTTP/1.1", b"HTTP/1.0")),
    wrong("extension_added", "101 with an extension not offered", Ended("EXTENSION", "RFC 6455, 9.1"),
          add((b"Sec-WebSocket-Extensions", b"permessage-deflate"))),
    wrong("subprotocol_added", "101 with a subprotocol not offered", Ended("SUBPROTOCOL", "RFC 6455, 4.1 and 11.3.4"),
          add((b"Sec-WebSocket-Protocol", b"chat"))),
    wrong("subprotocol_changed", "101 with another subprotocol than the one offered",
          Ended("SUBPROTOCOL", "RFC 6455, 4.1 and 11.3.4"), drop(b"Sec-WebSocket-Protocol"),
          add((b"Sec-WebSocket-Protocol", b"superchat")), offers={"protocol": "chat"}),
    wrong("subprotocol_stripped", "the subprotocol is taken out of the 101", THROUGH, drop(b"Sec-WebSocket-Protocol"),
          offers={"protocol": "chat"}),
    wrong("subprotocol_required", "the same, to a client that insists on one",
          Ended("SUBPROTOCOL", "RFC 6455, 4.1 and 11.3.4"), drop(b"Sec-WebSocket-Protocol"),
          offers={"protocol": "chat", "require": 1}),
    wrong("subprotocol_kept", "the subprotocol comes through, its name in lower case", THROUGH, names(bytes.lower),
          offers={"protocol": "chat", "require": 1}, protocol="chat"),
    # The server compresses, for nobody told it: RFC 6455, 5.2, a bit that nothing defines.
    wrong("extension_stripped", "the agreed compression is taken out of the 101", Ended("RSV", "RFC 6455, 5.2"),
          drop(b"Sec-WebSocket-Extensions"), offers={"extensions": "permessage-deflate"}),
]

REQUESTS = [
    Profile("upgrade_stripped", "forwards the request without Upgrade and Connection (RFC 9110, 7.6.1)",
            documents=("azion", "azion-rules", "cloudfront-behaviour"), request=(strip_upgrade,),
            client=Refused((400, 426)), server=Refused((426,), "UPGRADE")),
    Profile("connection_stripped", "forwards Upgrade but not Connection", documents=("azion",),
            request=(replace(b"Connection", b"keep-alive"),),
            client=Refused((400, 426)), server=Refused((400,), "CONNECTION")),
    # An Upgrade in HTTP/1.0 must be ignored (RFC 9110, 7.8): as if it were not there.
    Profile("http10_origin", "speaks HTTP/1.0 to the origin", request=(start(b"HTTP/1.1", b"HTTP/1.0"),),
            client=Refused((400, 426, 505)), server=Refused((400, 426, 505), "UPGRADE")),
    Profile("key_dropped", "a policy that does not forward Sec-WebSocket-Key", documents=("cloudfront",),
            request=(drop(b"Sec-WebSocket-Key"),), client=Refused((400,)), server=Refused((400,), "KEY")),
    Profile("version_dropped", "a policy that does not forward Sec-WebSocket-Version", documents=("cloudfront",),
            request=(drop(b"Sec-WebSocket-Version"),), client=Refused((400, 426)), server=Refused((400, 426), "VERSION")),
    Profile("offers_dropped", "a policy that forwards only Sec-WebSocket-Key and -Version", documents=("cloudfront",),
            request=(drop(b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions"),), offers={"protocol": "chat"}),
]

INTERIM = Ended("INTERIM", "RFC 9110, 15.2")
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n"

TIMING = [
    Profile("interim_100", "100 before the 101", before=(b"HTTP/1.1 100 Continue\r\n\r\n",), server=None),
    Profile("interim_103", "two 103 before the 101", before=(HINTS, HINTS), server=None),
    Profile("interim_flood", "forty 103 before the 101", before=(HINTS,) * 40, client=INTERIM, server=None),
    Profile("answer_slow", "holds the 101 back for 2 s", answer_delay=2, server=None),
    Profile("answer_late", "holds the 101 back for 11.5 s, longer than the client waits", answer_delay=11.5,
            client=Ended("HANDSHAKE_TIMEOUT", "RFC 6455, 10.4"), server=None),
    Profile("request_slow", "sends half of the request 2 s later", request_delay=2, client=None),
    Profile("request_late", "sends half of the request 11.5 s later, longer than the server waits", request_delay=11.5,
            client=None, server=Refused((408,), "HANDSHAKE_TIMEOUT")),
]

FLOWS = [
    Profile("cut_octets", "one octet at a time (the first 8 KiB of each direction, then at random)", flow="octets"),
    Profile("cut_random", "cut at random", flow="random"),
    Profile("cut_frames", "cut inside headers, lengths, masks and code points", flow="frames"),
    Profile("coalesced", "holds octets back and sends them together", flow="nagle"),
    Profile("answer_glued", "the 101 in one piece with the first frames", glues_answer=True, server=None),
    Profile("request_glued", "the request in one piece with the first frames", is_eager=True),
]

ENDS = [
    Profile("end_fin", "ends TCP on both sides without a Close (the documents do not say how)",
            documents=("akamai", "cloudflare"), end="fin", end_after=40000, client=EOF, server=EOF),
    Profile("end_rst", "resets both sides (the documents do not say how)", documents=("akamai", "cloudflare"),
            end="rst", end_after=40000, client=LOST, server=LOST),
    Profile("end_fin_client", "ends its side towards the client, and keeps the other", end="fin_client", end_after=40000,
            client=EOF, server=EOF),
    Profile("end_fin_origin", "ends its side towards the origin, and keeps the other", end="fin_origin", end_after=40000,
            client=EOF, server=EOF),
    Profile("closes_both", "closes both sides as soon as one ends", documents=("akamai",), closes_both=True),
]


def idle(seconds, stands, documents=(), name=None, **more):
    return Profile(name or "idle_%d" % seconds, stands + ", here %.1f s" % (seconds / SCALE), documents=documents,
                   idle=seconds / SCALE, client=EOF, server=EOF, **more)


IDLE = [
    idle(30, "ends what is idle for 30 s", ("gcore-timeouts",)),
    idle(100, "ends what is idle for 100 s", ("cloudflare-idle",)),
    idle(120, "ends what has heard nothing from the client for 120 s", ("bunny-script",), idle_counts=("up",)),
    idle(300, "ends what is idle for 300 s"),
    idle(600, "ends what has heard nothing from the origin for 600 s", ("cloudfront-quotas",), idle_counts=("down",)),
    dataclasses.replace(idle(100, "resets what is idle for 100 s", name="idle_100_rst", idle_end="rst"),
                        client=LOST, server=LOST),
    # Without a word and without FIN: only who asks finds out (RFC 6455, 5.5.2).
    dataclasses.replace(idle(30, "forgets what is idle for 30 s, and says nothing", name="idle_silent",
                             idle_end="silent"),
                        client=Ended("PONG_TIMEOUT", "RFC 6455, 5.5.2"), server=Ended("PONG_TIMEOUT", "RFC 6455, 5.5.2")),
]

PROFILES = PLAIN + HEADS + REFUSALS + ANSWERS + REQUESTS + TIMING + FLOWS + ENDS + IDLE

assert len({profile.name for profile in PROFILES}) == len(PROFILES)
