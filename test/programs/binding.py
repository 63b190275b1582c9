#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A server's connection from Python, with nothing but ctypes.

usage: binding.py LIBRARY      (a shared build of the library)
"""
import ctypes
import struct
import sys
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p

STORAGE_SIZE = 384
TENON_OK, TENON_EVENT = 0, 1
EV_REQUEST, EV_OPEN, EV_DATA, EV_CLOSE, EV_CLOSED = 1, 3, 4, 8, 11
FIRST, LAST, CLEAN = 0x0001, 0x0002, 0x0100
TEXT = 1

RANDOM = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)


class Config(ctypes.Structure):
    _fields_ = [(name, c_uint32) for name in (
        "size", "role", "flags", "max_head", "max_target", "max_headers")] + [
        ("max_message", c_uint64)] + [(name, c_uint32) for name in (
            "max_fragments", "max_control", "max_frame_out", "handshake_ms", "idle_ms",
            "ping_ms", "pong_ms", "close_ms", "stall_ms", "reserved")] + [
        ("random", RANDOM), ("random_user", c_void_p),
        ("handshake", c_void_p), ("transform", c_void_p), ("transform_config", c_void_p)]


class Event(ctypes.Structure):
    _fields_ = [
        ("type", c_uint16), ("flags", c_uint16), ("opcode", c_uint8), ("cause", c_uint8),
        ("rule", c_uint16), ("code", c_uint16), ("sent_code", c_uint16),
        ("received_code", c_uint16), ("reserved16", c_uint16),
        ("offset", c_uint64), ("frame_size", c_uint64),
        ("data", c_void_p), ("size", c_size_t), ("cookie", c_void_p), ("rtt_ms", c_uint32),
        ("reserved", c_uint8 * (28 - 3 * ctypes.sizeof(c_void_p)))]

    def octets(self):
        return ctypes.string_at(self.data, self.size) if self.data else b""


class Iov(ctypes.Structure):
    _fields_ = [("base", c_void_p), ("size", c_size_t)]


class Str(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("size", c_size_t)]


class Fields(ctypes.Structure):
    _fields_ = [("array", c_void_p), ("count", c_size_t), ("head", c_void_p), ("head_size", c_size_t)]


class Head(ctypes.Structure):
    _fields_ = [("method", Str), ("target", Str), ("authority", Str), ("origin", Str), ("reason", Str),
                ("status", c_uint16), ("version", c_uint16), ("fields", Fields)]


FUNCTIONS = {
    "tenon_version": (c_uint32, []),
    "tenon_conn_size": (c_size_t, []),
    "tenon_event_name": (c_char_p, [c_int]),
    "tenon_status_name": (c_char_p, [c_int]),
    "tenon_config_server": (c_int, [POINTER(Config), c_size_t]),
    "tenon_init": (c_int, [c_void_p, c_size_t, POINTER(Config), POINTER(c_void_p)]),
    "tenon_lend": (c_int, [c_void_p, c_void_p, c_size_t, c_void_p, c_size_t]),
    "tenon_recv": (c_int, [c_void_p, c_void_p, c_size_t]),
    "tenon_next": (c_int, [c_void_p, POINTER(Event)]),
    "tenon_head_get": (c_int, [c_void_p, POINTER(Head)]),
    "tenon_accept": (c_int, [c_void_p, c_void_p]),
    "tenon_send": (c_int, [c_void_p, c_int, c_void_p, c_size_t, c_uint32]),
    "tenon_out": (c_int, [c_void_p, POINTER(Iov), c_size_t, POINTER(c_size_t)]),
    "tenon_sent": (c_int, [c_void_p, c_size_t]),
}

REQUEST = (b"GET /from-python HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"  # RFC 6455, 1.3


def load(path):
    library = ctypes.CDLL(path)
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


def client_frame(first, payload):
    """A masked frame of fewer than 126 octets."""
    key = b"\x37\xfa\x21\x3d"
    masked = bytes(octet ^ key[i % 4] for i, octet in enumerate(payload))
    return bytes([first, 0x80 | len(payload)]) + key + masked


class Connection:
    """The memory of a connection must not move: ctypes keeps it while self lives."""

    def __init__(self, library, config):
        self.library = library
        self.config = config
        self.storage = (c_uint64 * (STORAGE_SIZE // 8))()
        self.rx = ctypes.create_string_buffer(4096)
        self.tx = ctypes.create_string_buffer(4096)
        self.lent = None
        self.conn = c_void_p()
        self.call("tenon_init", ctypes.addressof(self.storage), STORAGE_SIZE, byref(config), byref(self.conn))
        self.call("tenon_lend", self.conn, self.rx, len(self.rx), self.tx, len(self.tx))

    def call(self, name, *arguments):
        status = getattr(self.library, name)(*arguments)
        assert status >= 0, (name, self.library.tenon_status_name(status))
        return status

    def feed(self, octets):
        """Lends octets and yields the events, each valid until the next."""
        self.lent = ctypes.create_string_buffer(octets, len(octets))
        self.call("tenon_recv", self.conn, self.lent, len(octets))
        yield from self.events()

    def events(self):
        event = Event()
        while self.call("tenon_next", self.conn, byref(event)) == TENON_EVENT:
            assert bytes(event.reserved) == bytes(len(event.reserved))
            yield event

    def target(self):
        head = Head()
        self.call("tenon_head_get", self.conn, byref(head))
        return ctypes.string_at(head.target.data, head.target.size)

    def output(self):
        """All that is to be sent, acknowledged."""
        pieces, count, octets = (Iov * 4)(), c_size_t(), b""
        while True:
            self.call("tenon_out", self.conn, pieces, 4, byref(count))
            if count.value == 0:
                return octets
            chunk = b"".join(ctypes.string_at(piece.base, piece.size) for piece in pieces[:count.value])
            self.call("tenon_sent", self.conn, len(chunk))
            octets += chunk


def check_layout(library, config):
    assert library.tenon_version() >= 1 << 8
    assert library.tenon_conn_size() <= STORAGE_SIZE
    assert ctypes.sizeof(Event) == 64, ctypes.sizeof(Event)
    assert library.tenon_config_server(byref(config), ctypes.sizeof(Config) - 1) < 0
    assert library.tenon_config_server(byref(config), ctypes.sizeof(Config)) == TENON_OK
    # The library wrote down what its own struct takes: ours is as long.
    assert config.size == ctypes.sizeof(Config), (config.size, ctypes.sizeof(Config))
    assert config.role == 1 and config.handshake


def exchange(connection):
    seen = []
    for event in connection.feed(REQUEST):
        seen.append(event.type)
        if event.type == EV_REQUEST:
            assert connection.target() == b"/from-python"
            connection.call("tenon_accept", connection.conn, None)
    assert seen == [EV_REQUEST, EV_OPEN], seen
    answer = connection.output()
    assert answer.startswith(b"HTTP/1.1 101 ") and ACCEPT in answer and answer.endswith(b"\r\n\r\n"), answer

    text = "grüß dich".encode()
    for event in connection.feed(client_frame(0x81, text)):
        assert (event.type, event.opcode) == (EV_DATA, TEXT)
        assert event.flags & (FIRST | LAST) == FIRST | LAST
        assert event.octets() == text and event.offset == 0 and event.frame_size == len(text)
        connection.call("tenon_send", connection.conn, event.opcode, event.data, event.size, 0)
    assert connection.output() == bytes([0x81, len(text)]) + text

    code = struct.pack("!H", 1000)
    for event in connection.feed(client_frame(0x88, code + b"done")):
        assert event.type == EV_CLOSE and event.code == 1000 and event.octets() == b"done"
    assert connection.output() == b"\x88\x02" + code
    for event in connection.events():
        assert event.type == EV_CLOSED and event.flags & CLEAN and event.code == 1000
        return
    raise AssertionError("CLOSED did not come")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    library = load(sys.argv[1])
    config = Config()
    check_layout(library, config)
    exchange(Connection(library, config))
    print("OK binding.py")


if __name__ == "__main__":
    main()
