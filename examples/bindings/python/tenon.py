# SPDX-License-Identifier: MIT
"""tenon from Python: the calls of tenon.h over ctypes, without a compiler.

The shared library is TENON_LIBRARY of the environment, or libtenon.so.0 beside this
file, or wherever the system's loader finds it. Names are those of the header without
their TENON_; a call that fails raises the error of the library's own name, ERR_AGAIN
and the like, all of them an Error.

    connection = tenon.Connection(tenon.Config.server())
    connection.recv(octets)
    for event in connection.events():
        if event.type == tenon.EV_REQUEST:
            connection.accept()
        if event.type == tenon.EV_DATA:
            connection.send(event.opcode, event.data)
    transport.write(connection.take_output())

A Connection owns its storage, its buffers and all that it has been lent; an Event is a
copy. So nothing that Python keeps can outlive the memory that it lies in.
"""
import ctypes
import os
import pathlib
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p

# ------------------------------------------------------------------ numbers

STORAGE_SIZE = 384
OFF = 0xFFFFFFFF
NEVER = 2**64 - 1
FRAME_HEADER_MAX = 14

OK, EVENT, STOPPED, DONE, MORE, WAIT, END = range(7)
CONTINUE, STOP, AGAIN = range(3)
SERVER, CLIENT = 1, 2
CONTINUATION, TEXT, BINARY, OP_CLOSE, OP_PING, OP_PONG = 0, 1, 2, 8, 9, 10
CLOSE_NORMAL, CLOSE_GOING_AWAY, CLOSE_PROTOCOL, CLOSE_UNSUPPORTED = range(1000, 1004)
CLOSE_NONE, CLOSE_ABNORMAL, CLOSE_DATA, CLOSE_POLICY, CLOSE_TOO_BIG = range(1005, 1010)
CLOSE_EXTENSION, CLOSE_INTERNAL, CLOSE_RESTART, CLOSE_LATER, CLOSE_GATEWAY = range(1010, 1015)
CONNECTING, OPEN, CLOSING, CLOSED = range(4)
CAUSE_NONE, LOCAL, REMOTE = range(3)
(EV_REQUEST, EV_RESPONSE, EV_OPEN, EV_DATA, EV_BODY, EV_PING, EV_PONG, EV_CLOSE, EV_WRITABLE, EV_RELEASED,
 EV_CLOSED) = range(1, 12)

FIRST, LAST, FRAME_FIRST, FRAME_LAST = 0x0001, 0x0002, 0x0004, 0x0008
RSV3, RSV2, RSV1 = 0x0010, 0x0020, 0x0040
CLEAN, OWN, PLAIN = 0x0100, 0x0200, 0x0400
TRUSTED, COPY, COMPRESS, UNCOMPRESSED = 0x1000, 0x2000, 0x4000, 0x8000
OPAQUE = 0x0001

CHUNKS, RELAY, PLAIN_GET, REQUIRE_SUBPROTOCOL, DROP_AFTER_CLOSE = 0x01, 0x02, 0x04, 0x08, 0x10

WANTS_READ, WANTS_WRITE, WANTS_RX, WANTS_TX = 0x01, 0x02, 0x04, 0x08
WANTS_DECISION, WANTS_SHUT_WR, WANTS_CLOSE, WANTS_NEXT = 0x10, 0x20, 0x40, 0x80
WANTS_DEFLATE, WANTS_INFLATE, FREE_DEFLATE, FREE_INFLATE = 0x100, 0x200, 0x400, 0x800

DEFLATE_RESET_OUT, DEFLATE_RESET_IN, DEFLATE_REQUIRED = 0x01, 0x02, 0x04

# ------------------------------------------------------------------ structs

RANDOM_FN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)
RECV_FN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t, POINTER(c_size_t))
NOW_FN = CFUNCTYPE(c_uint64, c_void_p)
SHUT_FN = CFUNCTYPE(None, c_void_p)


class StrStruct(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("size", c_size_t)]

    def octets(self):
        return None if self.data is None else ctypes.string_at(self.data, self.size)


class IovStruct(ctypes.Structure):
    _fields_ = [("base", c_void_p), ("size", c_size_t)]


class HeaderStruct(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("value", c_char_p), ("name_size", c_size_t), ("value_size", c_size_t)]


class FieldsStruct(ctypes.Structure):
    _fields_ = [("array", POINTER(HeaderStruct)), ("count", c_size_t), ("head", c_void_p), ("head_size", c_size_t)]


class EventStruct(ctypes.Structure):
    _fields_ = [
        ("type", c_uint16), ("flags", c_uint16), ("opcode", c_uint8), ("cause", c_uint8), ("rule", c_uint16),
        ("code", c_uint16), ("sent_code", c_uint16), ("received_code", c_uint16), ("reserved16", c_uint16),
        ("offset", c_uint64), ("frame_size", c_uint64), ("data", c_void_p), ("size", c_size_t),
        ("cookie", c_void_p), ("rtt_ms", c_uint32), ("reserved", c_uint8 * (28 - 3 * ctypes.sizeof(c_void_p)))]


class ConfigStruct(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("role", c_uint32), ("flags", c_uint32), ("max_head", c_uint32),
        ("max_target", c_uint32), ("max_headers", c_uint32), ("max_message", c_uint64),
        ("max_fragments", c_uint32), ("max_control", c_uint32), ("max_frame_out", c_uint32),
        ("handshake_ms", c_uint32), ("idle_ms", c_uint32), ("ping_ms", c_uint32), ("pong_ms", c_uint32),
        ("close_ms", c_uint32), ("stall_ms", c_uint32), ("reserved", c_uint32), ("random", RANDOM_FN),
        ("random_user", c_void_p), ("handshake", c_void_p), ("transform", c_void_p), ("transform_config", c_void_p)]


class StatsStruct(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("reserved", c_uint32)] + [(name, c_uint64) for name in (
        "octets_in", "octets_out", "frames_in", "frames_out", "messages_in", "messages_out", "pings_in",
        "pongs_in", "pongs_skipped", "queue_peak", "steps")]


class PreparedStruct(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("flags", c_uint16), ("opcode", c_uint8), ("window_bits", c_uint8),
        ("data", c_void_p), ("data_size", c_size_t), ("deflated", c_void_p), ("deflated_size", c_size_t)]


class HeadStruct(ctypes.Structure):
    _fields_ = [
        ("method", StrStruct), ("target", StrStruct), ("authority", StrStruct), ("origin", StrStruct),
        ("reason", StrStruct), ("status", c_uint16), ("version", c_uint16), ("fields", FieldsStruct)]


class AnswerStruct(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("reserved", c_uint32), ("subprotocol", c_char_p), ("subprotocol_size", c_size_t),
        ("extensions", c_char_p), ("extensions_size", c_size_t), ("headers", POINTER(HeaderStruct)),
        ("header_count", c_size_t)]


class RefusalStruct(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("status", c_uint16), ("reserved", c_uint16), ("reason", c_char_p),
        ("reason_size", c_size_t), ("headers", POINTER(HeaderStruct)), ("header_count", c_size_t),
        ("body", c_char_p), ("body_size", c_size_t), ("flags", c_uint32), ("reserved2", c_uint32),
        ("cookie", c_void_p)]


class RequestStruct(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("reserved", c_uint32), ("uri", c_char_p), ("authority", c_char_p),
        ("target", c_char_p), ("origin", c_char_p), ("subprotocols", POINTER(c_char_p)),
        ("subprotocol_count", c_size_t), ("extensions", c_char_p), ("headers", POINTER(HeaderStruct)),
        ("header_count", c_size_t)]


EVENT_FN = CFUNCTYPE(c_int, c_void_p, POINTER(EventStruct), c_void_p)
SEND_FN = CFUNCTYPE(c_int, c_void_p, POINTER(IovStruct), c_size_t, POINTER(c_size_t))


class IoStruct(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("recv", RECV_FN), ("send", SEND_FN), ("now", NOW_FN), ("event", EVENT_FN),
        ("user", c_void_p), ("buf", c_void_p), ("buf_size", c_size_t), ("shut", SHUT_FN)]


class BackoffStruct(ctypes.Structure):
    _fields_ = [(name, c_uint32) for name in ("size", "first_ms", "base_ms", "cap_ms", "stable_ms", "failures")]


class FrameStruct(ctypes.Structure):
    _fields_ = [
        ("payload_size", c_uint64), ("first", c_uint8), ("masked", c_uint8), ("key", c_uint8 * 4),
        ("header_size", c_uint8), ("reserved", c_uint8)]


class DeflateStruct(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32), ("flags", c_uint32), ("codec", c_void_p), ("threshold", c_uint32),
        ("out_bits", c_uint8), ("in_bits", c_uint8), ("level", c_uint8), ("memory_level", c_uint8)]


class AgreedStruct(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("on", c_uint8), ("out_bits", c_uint8), ("in_bits", c_uint8), ("flags", c_uint8)]


class UriStruct(ctypes.Structure):
    _fields_ = [
        ("host", StrStruct), ("authority", StrStruct), ("path", StrStruct), ("query", StrStruct),
        ("port", c_uint16), ("secure", c_uint8), ("reserved", c_uint8)]


# ---------------------------------------------------------------- functions

FUNCTIONS = {
    "version": (c_uint32, []),
    "conn_size": (c_size_t, []),
    "status_name": (c_char_p, [c_int]),
    "event_name": (c_char_p, [c_int]),
    "state_name": (c_char_p, [c_int]),
    "close_name": (c_char_p, [c_int]),
    "rule_name": (c_char_p, [c_int]),
    "rule_text": (c_char_p, [c_int]),
    "rule_section": (c_char_p, [c_int]),
    "config_server": (c_int, [POINTER(ConfigStruct), c_size_t]),
    "config_client": (c_int, [POINTER(ConfigStruct), c_size_t]),
    "config_open": (c_int, [POINTER(ConfigStruct), c_size_t, c_int]),
    "config_deflate": (c_int, [POINTER(ConfigStruct), POINTER(DeflateStruct)]),
    "init": (c_int, [c_void_p, c_size_t, POINTER(ConfigStruct), POINTER(c_void_p)]),
    "lend_rx": (c_int, [c_void_p, c_void_p, c_size_t]),
    "lend_tx": (c_int, [c_void_p, c_void_p, c_size_t]),
    "lend": (c_int, [c_void_p, c_void_p, c_size_t, c_void_p, c_size_t]),
    "rx_needed": (c_size_t, [c_void_p]),
    "lend_stats": (c_int, [c_void_p, POINTER(StatsStruct)]),
    "state": (c_int, [c_void_p]),
    "wants": (c_uint32, [c_void_p]),
    "recv": (c_int, [c_void_p, c_void_p, c_size_t]),
    "recv_const": (c_int, [c_void_p, c_void_p, c_size_t]),
    "unlend": (c_int, [c_void_p, POINTER(c_void_p), POINTER(c_size_t)]),
    "shut": (c_int, [c_void_p]),
    "eof": (c_int, [c_void_p]),
    "abort": (c_int, [c_void_p, c_int]),
    "tick": (c_int, [c_void_p, c_uint64]),
    "deadline": (c_uint64, [c_void_p]),
    "next": (c_int, [c_void_p, POINTER(EventStruct)]),
    "again": (c_int, [c_void_p]),
    "ending": (c_int, [c_void_p, POINTER(EventStruct)]),
    "out": (c_int, [c_void_p, POINTER(IovStruct), c_size_t, POINTER(c_size_t)]),
    "sent": (c_int, [c_void_p, c_size_t]),
    "queued": (c_uint64, [c_void_p]),
    "send": (c_int, [c_void_p, c_int, c_void_p, c_size_t, c_uint32]),
    "send_part": (c_int, [c_void_p, c_int, c_void_p, c_size_t, c_uint32]),
    "send_ref": (c_int, [c_void_p, c_int, c_void_p, c_size_t, c_uint32, c_void_p]),
    "prepare": (c_int, [POINTER(PreparedStruct), c_size_t, c_int, c_void_p, c_size_t, c_uint32]),
    "send_prepared": (c_int, [c_void_p, POINTER(PreparedStruct), c_uint32, c_void_p]),
    "ping": (c_int, [c_void_p, c_void_p, c_size_t]),
    "pong": (c_int, [c_void_p, c_void_p, c_size_t]),
    "close": (c_int, [c_void_p, c_int, c_void_p, c_size_t]),
    "grant": (c_int, [c_void_p, c_uint32, c_uint32, c_uint32]),
    "head_get": (c_int, [c_void_p, POINTER(HeadStruct)]),
    "header_next": (c_int, [POINTER(FieldsStruct), POINTER(c_size_t), POINTER(HeaderStruct)]),
    "header_find": (c_int, [POINTER(FieldsStruct), c_char_p, POINTER(StrStruct)]),
    "accept": (c_int, [c_void_p, POINTER(AnswerStruct)]),
    "reject": (c_int, [c_void_p, POINTER(RefusalStruct)]),
    "connect": (c_int, [c_void_p, POINTER(RequestStruct)]),
    "run": (c_int, [c_void_p, EVENT_FN, c_void_p]),
    "pump": (c_int, [c_void_p, POINTER(IoStruct)]),
    "backoff_next": (c_int, [POINTER(BackoffStruct), c_uint64, c_void_p, POINTER(c_uint32)]),
    "frame_encode": (c_int, [POINTER(FrameStruct), c_void_p, POINTER(c_size_t)]),
    "frame_decode": (c_int, [c_void_p, c_size_t, POINTER(FrameStruct), POINTER(c_uint16), POINTER(c_size_t)]),
    "mask": (c_size_t, [c_void_p, c_void_p, c_size_t, c_void_p, c_size_t]),
    "deflate_get": (c_int, [c_void_p, POINTER(AgreedStruct)]),
    "deflate_set": (c_int, [c_void_p, POINTER(AgreedStruct)]),
    "deflate_size": (c_size_t, [c_void_p]),
    "inflate_size": (c_size_t, [c_void_p]),
    "lend_deflate": (c_int, [c_void_p, c_void_p, c_size_t]),
    "lend_inflate": (c_int, [c_void_p, c_void_p, c_size_t]),
    "uri_parse": (c_int, [c_char_p, c_size_t, POINTER(UriStruct), POINTER(c_size_t)]),
}


def _find(stem, variable):
    """What to give the loader: a path, or the plain name that it looks for by itself."""
    name = stem + ".so.0"
    if os.environ.get(variable):
        return os.environ[variable]
    beside = pathlib.Path(__file__).resolve().parent / name
    if beside.exists():
        return str(beside)
    directory = os.path.dirname(os.environ.get("TENON_LIBRARY", ""))
    there = os.path.join(directory, name)
    return there if directory and os.path.exists(there) else name


class Library:
    """The functions of the shared library, without tenon_ in front."""

    def __init__(self, path):
        library = ctypes.CDLL(path)
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(library, "tenon_" + name)
            function.restype = result
            function.argtypes = arguments
            setattr(self, name, function)


lib = Library(_find("libtenon", "TENON_LIBRARY"))

# ------------------------------------------------------------------- errors


class Error(Exception):
    """A call that was refused, and has changed nothing. name is the library's, as is status."""
    status = 0
    name = ""

    def __str__(self):
        return self.name


def _make_errors():
    """A class for each status below 0, ERR_AGAIN and the like, named as the library names it."""
    found = {}
    for status in range(-1, -100, -1):
        name = lib.status_name(status).decode()
        if name.startswith("TENON_ERR_"):
            short = name[len("TENON_"):]
            found[status] = type(short, (Error,), {"status": status, "name": name, "__module__": __name__})
            globals()[short] = found[status]
    return found


ERRORS = _make_errors()


def check(status):
    """The status of a call that went well; else its error is raised."""
    if status < 0:
        raise ERRORS.get(status, Error)()
    return status


# Numbers of the rules by their names, as the library has them.
RULES = {lib.rule_name(n).decode(): n for n in range(256) if lib.rule_name(n) != b"unknown"}


def _text(function):
    return lambda number: function(number).decode()


status_name, event_name, state_name = _text(lib.status_name), _text(lib.event_name), _text(lib.state_name)
close_name, rule_name = _text(lib.close_name), _text(lib.rule_name)
rule_text, rule_section = _text(lib.rule_text), _text(lib.rule_section)


def _string(value):
    """A str or bytes for a string that ends with NUL, or None. One with a NUL inside would be
    cut short by the library, so it is not let through."""
    if value is None:
        return None
    octets = value.encode() if isinstance(value, str) else bytes(value)
    if b"\0" in octets:
        raise ERRORS[-3]()
    return octets


def _sized(value):
    """Octets that go with their size, or None. If there are none, the library reads up to
    NUL, which bytes of Python end with."""
    return None if value is None else _octets(value)


def _fit(value, ctype):
    """The number, if the C type can hold it; ctypes would cut it short."""
    if ctype(value).value != value:
        raise ERRORS[-3]()
    return value


def _octets(data):
    return data.encode() if isinstance(data, str) else bytes(data)


def _buffer(size):
    return (c_uint8 * size)() if size else None


def _headers(pairs):
    """Fields as the library takes them. A size of 0 stands for a string that ends with NUL:
    bytes of Python do, so an empty value is one, and NUL in a value is refused like others."""
    pairs = [(_octets(name), _octets(value)) for name, value in pairs or ()]
    return (HeaderStruct * len(pairs))(*[(name, value, len(name), len(value)) for name, value in pairs]), len(pairs)


# ------------------------------------------------------------ configuration

LIMITS = ("flags", "max_head", "max_target", "max_headers", "max_message", "max_fragments", "max_control",
          "max_frame_out", "handshake_ms", "idle_ms", "ping_ms", "pong_ms", "close_ms", "stall_ms")


class Deflate:
    """What to agree on of permessage-deflate; the codec is zlib, in a library of its own."""

    def __init__(self, codec=None, **settings):
        self.codec = codec or ctypes.CDLL(_find("libtenon_zlib", "TENON_ZLIB_LIBRARY"))
        address = ctypes.addressof(c_uint8.in_dll(self.codec, "tenon_zlib"))
        self.struct = DeflateStruct(ctypes.sizeof(DeflateStruct), codec=address, **settings)


class Config:
    """What connections have in common; it stays as it was made, for they borrow it."""

    def __init__(self, fill, random=os.urandom, deflate=None, **limits):
        unknown = set(limits) - set(LIMITS)
        if unknown:
            raise TypeError("no limit of tenon_config: " + ", ".join(sorted(unknown)))
        self.struct = ConfigStruct()
        self.deflate = deflate
        check(fill(byref(self.struct), ctypes.sizeof(self.struct)))
        for name, value in limits.items():
            setattr(self.struct, name, _fit(value, c_uint64 if name == "max_message" else c_uint32))
        if random is not None:
            self.struct.random = _random_fn(random)
        if deflate is not None:
            check(lib.config_deflate(byref(self.struct), byref(deflate.struct)))

    @classmethod
    def server(cls, **options):
        return cls(lib.config_server, **options)

    @classmethod
    def client(cls, **options):
        return cls(lib.config_client, **options)

    @classmethod
    def open(cls, role, **options):
        """For a stream that was upgraded elsewhere: connections start open."""
        return cls(lambda struct, size: lib.config_open(struct, size, role), **options)


def _random_fn(source):
    def fill(_user, out, n):
        try:
            octets = source(n)
            ctypes.memmove(out, octets, n if len(octets) == n else 0)
            return 0 if len(octets) == n else 1
        except Exception:  # whatever it was: without random octets the connection ends
            return 1
    return RANDOM_FN(fill)


# ------------------------------------------------------------------- events

class Event:
    """A copy of what tenon_next told; cookie is the object that was given with a reference."""
    __slots__ = ("type", "flags", "opcode", "cause", "rule", "code", "sent_code", "received_code", "offset",
                 "frame_size", "data", "cookie", "rtt_ms")

    def __init__(self, struct, cookie=None):
        for name in self.__slots__:
            setattr(self, name, getattr(struct, name))
        self.data = None if struct.data is None else ctypes.string_at(struct.data, struct.size)
        self.cookie = cookie

    def __eq__(self, other):
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __repr__(self):
        return "<%s %s>" % (event_name(self.type), self.data)


class Head:
    """A copy of the head of a request or an answer. fields: pairs, in order."""

    def __init__(self, struct):
        for name in ("method", "target", "authority", "origin", "reason"):
            setattr(self, name, getattr(struct, name).octets())
        self.status, self.version = struct.status, struct.version
        self.fields = list(self._walk(struct.fields))

    @staticmethod
    def _walk(fields):
        position, field = c_size_t(), HeaderStruct()
        offset = HeaderStruct.value.offset
        while check(lib.header_next(byref(fields), byref(position), byref(field))) == OK:
            # Read as addresses: these strings do not end with NUL.
            name = c_void_p.from_buffer(field).value
            value = c_void_p.from_buffer(field, offset).value
            yield ctypes.string_at(name, field.name_size), ctypes.string_at(value, field.value_size)

    def find(self, name):
        """The first field of that name, in any case; None without one."""
        wanted = _octets(name).lower()
        return next((value for field, value in self.fields if field.lower() == wanted), None)


class Prepared:
    """A message checked once and sent on many connections."""

    def __init__(self, opcode, data, flags=0):
        self.data = _octets(data)
        self.struct = PreparedStruct()
        check(lib.prepare(byref(self.struct), ctypes.sizeof(self.struct), opcode, self.data, len(self.data), flags))


# --------------------------------------------------------------- connection

class Connection:
    """One connection. Methods are the calls of tenon.h."""

    def __init__(self, config, rx=65536, tx=65536):
        self._config = config
        self._storage = (c_uint64 * (STORAGE_SIZE // 8))()
        self._conn = c_void_p()
        self._rx = self._tx = self._lent = self._stats = self._request = None
        self._deflate = self._inflate = None
        self._references = {}  # by cookie: what is lent, and what the program calls it
        self._released = None  # the one told last, which may be told again
        self._cookies = 0
        self._pieces = (IovStruct * 16)()
        self._event = EventStruct()
        check(lib.init(self._storage, ctypes.sizeof(self._storage), byref(config.struct), byref(self._conn)))
        self.lend(rx, tx)

    # memory

    def lend(self, rx, tx):
        """Working buffers of that many octets; 0 for none."""
        one, two = _buffer(rx), _buffer(tx)
        check(lib.lend(self._conn, one, rx, two, tx))
        self._rx, self._tx = one, two

    def lend_rx(self, size):
        rx = _buffer(size)
        check(lib.lend_rx(self._conn, rx, size))
        self._rx = rx

    def lend_tx(self, size):
        tx = _buffer(size)
        check(lib.lend_tx(self._conn, tx, size))
        self._tx = tx

    def lend_deflate(self, size):
        block = (c_uint64 * (size // 8 + 1))() if size else None
        check(lib.lend_deflate(self._conn, block, size))
        self._deflate = block

    def lend_inflate(self, size):
        block = (c_uint64 * (size // 8 + 1))() if size else None
        check(lib.lend_inflate(self._conn, block, size))
        self._inflate = block

    def count(self):
        """Counters from now on: a struct that the connection keeps up to date."""
        stats = StatsStruct(ctypes.sizeof(StatsStruct))
        check(lib.lend_stats(self._conn, byref(stats)))
        self._stats = stats
        return stats

    def lend_wanted(self):
        """Gives what the connection asks for, of the size that it names; whether it did."""
        wants = self.wants
        if wants & WANTS_RX and self.rx_needed > len(self._rx or ()):
            self.lend_rx(self.rx_needed)
            return True
        if wants & WANTS_INFLATE:
            self.lend_inflate(self.inflate_size)
        if wants & WANTS_DEFLATE:
            self.lend_deflate(self.deflate_size)
        return bool(wants & (WANTS_INFLATE | WANTS_DEFLATE))

    rx_needed = property(lambda self: lib.rx_needed(self._conn))
    deflate_size = property(lambda self: lib.deflate_size(self._conn))
    inflate_size = property(lambda self: lib.inflate_size(self._conn))

    # state

    state = property(lambda self: lib.state(self._conn))
    wants = property(lambda self: lib.wants(self._conn))
    queued = property(lambda self: lib.queued(self._conn))

    @property
    def deadline(self):
        """In milliseconds of the clock of tick, or None."""
        deadline = lib.deadline(self._conn)
        return None if deadline == NEVER else deadline

    def tick(self, now_ms):
        check(lib.tick(self._conn, now_ms))

    def agreed(self):
        """What was agreed on of permessage-deflate."""
        agreed = AgreedStruct(ctypes.sizeof(AgreedStruct))
        check(lib.deflate_get(self._conn, byref(agreed)))
        return agreed

    def agree(self, out_bits=15, in_bits=15, flags=0):
        """Puts an agreement into force on a connection that starts open."""
        agreed = AgreedStruct(ctypes.sizeof(AgreedStruct), 1, out_bits, in_bits, flags)
        check(lib.deflate_set(self._conn, byref(agreed)))

    # input

    def recv(self, data):
        """Received octets: a bytearray is unmasked where it is, others are left alone."""
        if isinstance(data, bytearray):
            lent = (c_uint8 * len(data)).from_buffer(data)
            check(lib.recv(self._conn, lent, len(data)))
        else:
            lent = bytes(data)
            check(lib.recv_const(self._conn, lent, len(lent)))
        if data:
            self._lent = lent

    def unlend(self):
        """The tail of the last recv that was not used."""
        rest, n = c_void_p(), c_size_t()
        check(lib.unlend(self._conn, byref(rest), byref(n)))
        tail = ctypes.string_at(rest, n.value) if n.value else b""
        self._lent = None
        return tail

    def eof(self):
        check(lib.eof(self._conn))

    def shut(self):
        check(lib.shut(self._conn))

    def abort(self, cause=LOCAL):
        check(lib.abort(self._conn, cause))

    # events

    def next(self):
        """The next event, or None."""
        status = check(lib.next(self._conn, byref(self._event)))
        return self._told(self._event) if status == EVENT else None

    def events(self):
        event = self.next()
        while event is not None:
            yield event
            event = self.next()

    def again(self):
        """The last event comes again."""
        check(lib.again(self._conn))

    def ending(self):
        """What CLOSED will say, as far as it is known, or None."""
        event = EventStruct()
        return Event(event) if check(lib.ending(self._conn, byref(event))) == EVENT else None

    def _told(self, struct):
        cookie = None
        if struct.type == EV_RELEASED:
            self._released = self._references.pop(struct.cookie, self._released)
            cookie = self._released[1]
        if struct.type in (EV_OPEN, EV_RESPONSE, EV_CLOSED):
            self._request = None
        return Event(struct, cookie)

    def run(self, handler):
        """Calls handler(connection, event) for each, until there is none: OK, STOPPED, or DONE."""
        trap = _Trap()
        status = lib.run(self._conn, _event_fn(self, handler, trap), None)
        trap.spring()
        return check(status)

    # output

    def out(self, most=16):
        """Copies of up to that many pieces of what is to be sent."""
        count = c_size_t()
        check(lib.out(self._conn, self._pieces, min(most, len(self._pieces)), byref(count)))
        return [ctypes.string_at(piece.base, piece.size) for piece in self._pieces[:count.value]]

    def sent(self, n):
        check(lib.sent(self._conn, n))

    def take_output(self):
        """All that is to be sent, as sent."""
        taken = []
        pieces = self.out()
        while pieces:
            taken += pieces
            self.sent(sum(map(len, pieces)))
            pieces = self.out()
        return b"".join(taken)

    def send(self, opcode, data, flags=0):
        data = _octets(data)
        check(lib.send(self._conn, _fit(opcode, c_int), data, len(data), flags))

    def send_part(self, opcode, data, flags=0):
        data = _octets(data)
        check(lib.send_part(self._conn, _fit(opcode, c_int), data, len(data), flags))

    def send_ref(self, opcode, data, flags=0, cookie=None):
        """Without a copy; the event RELEASED has the cookie."""
        data = _octets(data)
        _fit(opcode, c_int)
        self._lend_out(data, cookie, lambda key: lib.send_ref(self._conn, opcode, data, len(data), flags, key))

    def send_prepared(self, prepared, flags=0, cookie=None):
        """Like send_ref, or with COPY like send."""
        self._lend_out(None if flags & COPY else prepared, cookie,
                       lambda key: lib.send_prepared(self._conn, byref(prepared.struct), flags, key))

    def _lend_out(self, lent, cookie, call):
        """Keeps what is lent from before the call until RELEASED; None: nothing is."""
        self._cookies += 1
        key = self._cookies
        check(call(key))
        if lent is not None:
            self._references[key] = (lent, cookie)

    def ping(self, data=b""):
        data = _octets(data)
        check(lib.ping(self._conn, data, len(data)))

    def pong(self, data=b""):
        data = _octets(data)
        check(lib.pong(self._conn, data, len(data)))

    def close(self, code=CLOSE_NORMAL, reason=b""):
        reason = _octets(reason)
        check(lib.close(self._conn, _fit(code, c_int), reason or None, len(reason)))

    def grant(self, rsv_first=0, rsv_next=0, flags=0):
        check(lib.grant(self._conn, rsv_first, rsv_next, flags))

    # handshake

    def head(self):
        struct = HeadStruct()
        check(lib.head_get(self._conn, byref(struct)))
        return Head(struct)

    def accept(self, subprotocol=None, extensions=None, headers=()):
        subprotocol, extensions = _sized(subprotocol), _sized(extensions)
        fields, count = _headers(headers)
        answer = AnswerStruct(ctypes.sizeof(AnswerStruct), 0, subprotocol, len(subprotocol or b""), extensions,
                              len(extensions or b""), fields, count)
        check(lib.accept(self._conn, byref(answer)))

    def reject(self, status, reason=None, headers=(), body=b"", flags=0, cookie=None):
        reason, body = _sized(reason), _octets(body)
        fields, count = _headers(headers)
        refusal = RefusalStruct(ctypes.sizeof(RefusalStruct), _fit(status, c_uint16), 0, reason, len(reason or b""), fields, count,
                                body, len(body), flags)

        def call(key):
            refusal.cookie = key
            return lib.reject(self._conn, byref(refusal))
        self._lend_out(None if flags & COPY or not body else refusal, cookie, call)

    def connect(self, uri=None, authority=None, target=None, origin=None, subprotocols=(), extensions=None,
                headers=()):
        names = [_string(name) for name in subprotocols]
        fields, count = _headers(headers)
        request = RequestStruct(
            ctypes.sizeof(RequestStruct), 0, _string(uri), _string(authority), _string(target), _string(origin),
            (c_char_p * len(names))(*names), len(names), _string(extensions), fields, count)
        check(lib.connect(self._conn, byref(request)))
        self._request = request  # borrowed until OPEN, RESPONSE or CLOSED


# ---------------------------------------------------------------- callbacks

class _Trap:
    """What a callback raised: it cannot pass through C, so it waits here."""

    def __init__(self):
        self.caught = None

    def call(self, function, otherwise):
        try:
            return function()
        except BaseException as problem:  # all of them, for none may be lost
            self.caught = self.caught or problem
            return otherwise

    def spring(self):
        caught, self.caught = self.caught, None
        if caught is not None:
            raise caught


def _event_fn(connection, handler, trap):
    return EVENT_FN(lambda _conn, event, _user: trap.call(
        lambda: handler(connection, connection._told(event.contents)) or CONTINUE, STOP))


class Pump:
    """tenon_pump: one turn is one call of turn().

    The transport has recv(n) and send(pieces), which give octets (b"": the end) and a
    count, and None or BlockingIOError when they would block; now() in milliseconds; and
    perhaps shut(). An OSError is the end of the transport.
    """

    def __init__(self, connection, transport, handler, size=16384):
        self._connection, self._transport = connection, transport
        self._buf = _buffer(size)
        self._trap = _Trap()
        self._io = IoStruct(
            ctypes.sizeof(IoStruct), RECV_FN(self._recv), SEND_FN(self._send), NOW_FN(self._now),
            _event_fn(connection, handler, self._trap), None, ctypes.addressof(self._buf), size,
            SHUT_FN(self._shut))

    def turn(self):
        status = lib.pump(self._connection._conn, byref(self._io))
        self._trap.spring()
        return check(status)

    def _guarded(self, move):
        """TENON_WAIT, TENON_ERR_IO, or what the move gave."""
        try:
            return move()
        except BlockingIOError:
            return WAIT
        except OSError:
            return -20
        except BaseException as problem:
            return self._trap.call(lambda: _raise(problem), -20)

    def _recv(self, _user, buf, n, got):
        def move():
            octets = self._transport.recv(n)
            if octets is None:
                return WAIT
            got[0] = min(n, len(octets))
            ctypes.memmove(buf, octets, got[0])
            return OK if octets else END
        return self._guarded(move)

    def _send(self, _user, pieces, count, put):
        def move():
            sent = self._transport.send([ctypes.string_at(pieces[i].base, pieces[i].size) for i in range(count)])
            put[0] = sent or 0
            return OK if sent else WAIT
        return self._guarded(move)

    def _now(self, _user):
        return self._trap.call(self._transport.now, 0)

    def _shut(self, _user):
        if hasattr(self._transport, "shut"):
            self._trap.call(self._transport.shut, None)


def _raise(problem):
    raise problem


# ------------------------------------------------------------------- others

class Backoff:
    """When to try again: next() after each failure, in milliseconds."""

    def __init__(self, **settings):
        self.struct = BackoffStruct(ctypes.sizeof(BackoffStruct), **settings)

    def next(self, open_ms=0):
        delay = c_uint32()
        check(lib.backoff_next(byref(self.struct), open_ms, os.urandom(4), byref(delay)))
        return delay.value


def uri_parse(text):
    """host, port, secure and authority of a ws: or wss: URI."""
    octets, uri = _string(text), UriStruct()
    if not octets:
        raise ERRORS[-14]()  # a size of 0 would mean: up to NUL
    check(lib.uri_parse(octets, len(octets), byref(uri), None))
    return uri.host.octets().decode(), uri.port, bool(uri.secure), uri.authority.octets().decode()


def frame_encode(first, payload_size, key=None):
    frame, out, size = FrameStruct(payload_size, first, key is not None), _buffer(FRAME_HEADER_MAX), c_size_t()
    if key is not None:
        frame.key[:] = key
    check(lib.frame_encode(byref(frame), out, byref(size)))
    return bytes(out[:size.value])


def frame_decode(data):
    """first, payload_size, key or None, header_size; None: more octets are needed."""
    frame = FrameStruct()
    if check(lib.frame_decode(data, len(data), byref(frame), None, None)) == WAIT:
        return None
    return frame.first, frame.payload_size, bytes(frame.key) if frame.masked else None, frame.header_size


def mask(data, key, phase=0):
    to = _buffer(len(data))
    lib.mask(to, data, len(data), key, phase)
    return bytes(to or b"")


# -------------------------------------------------------------- self-check

def _judge(good, what):
    if not good:
        raise ImportError("tenon: not the library that this module is for: " + what)


def _self_check():
    """Sizes as the library has them, and a connection that ends at once: its last event
    shows that fields are where they are thought to be."""
    _judge(lib.version() >> 16 == 0 and lib.version() >> 8 & 255 == 1, "version %#x" % lib.version())
    _judge(lib.conn_size() <= STORAGE_SIZE, "storage")
    config = Config.open(SERVER)
    _judge(config.struct.size == ctypes.sizeof(ConfigStruct), "config")
    connection = Connection(config, 256, 512)
    connection.count()
    _judge(connection.next().type == EV_OPEN, "event")
    connection.recv(b"\x81\x85")
    _judge(connection.next() is None and connection.wants == WANTS_READ, "wants")
    connection.abort(REMOTE)
    event = connection.next()
    seen = (event.type, event.code, event.rule, event.cause, event.offset, event.data, connection.state)
    _judge(seen == (EV_CLOSED, CLOSE_ABNORMAL, RULES["ABORT"], REMOTE, 2, None, CLOSED), "event %s" % (seen,))


_self_check()
