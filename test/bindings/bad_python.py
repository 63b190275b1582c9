#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bad input to the Python binding: an error with the library's name for it, and no crash."""
import ctypes
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples/bindings/python"))

import tenon  # noqa: E402
from tenon import byref, c_uint8, c_void_p, lib  # noqa: E402

UPGRADE = (b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
SERVER = tenon.Config.server()


def opened(role=tenon.SERVER, **options):
    connection = tenon.Connection(tenon.Config.open(role, **options))
    assert connection.next().type == tenon.EV_OPEN
    return connection


def asked():
    """A connection whose request waits for its decision."""
    connection = tenon.Connection(SERVER)
    connection.recv(UPGRADE)
    assert connection.next().type == tenon.EV_REQUEST
    return connection


def ended():
    connection = opened()
    connection.abort()
    assert connection.next().type == tenon.EV_CLOSED
    return connection


def init(size=384, offset=0, config=None, conn=True):
    memory = (c_uint8 * 512)()
    place = c_void_p()
    at = ctypes.addressof(memory)
    at += -at % 16 + offset
    tenon.check(lib.init(at, size, byref(config or SERVER.struct), byref(place) if conn else None))


def shorter_config():
    config = tenon.Config.server().struct
    config.size -= 8
    init(config=config)


def unfilled_config():
    init(config=tenon.ConfigStruct(ctypes.sizeof(tenon.ConfigStruct)))


def pump(size=ctypes.sizeof(tenon.IoStruct)):
    tenon.check(lib.pump(opened()._conn, byref(tenon.IoStruct(size))))


def answer_of_another_size():
    tenon.check(lib.accept(asked()._conn, byref(tenon.AnswerStruct(8))))


def stats_of_another_size():
    tenon.check(lib.lend_stats(opened()._conn, byref(tenon.StatsStruct(8))))


def call(function, *arguments):
    return lambda: tenon.check(function(*arguments))


def client_whose_random(source):
    opened(tenon.CLIENT, random=source).send(tenon.TEXT, "x")


def raise_in_random(_n):
    raise OSError("none")


BAD = [
    ("storage too small", "SIZE", lambda: init(size=100)),
    ("storage misaligned", "SIZE", lambda: init(offset=1)),
    ("storage NULL", "NULL", call(lib.init, None, 384, byref(SERVER.struct), byref(c_void_p()))),
    ("no place for the connection", "NULL", lambda: init(conn=False)),
    ("config NULL", "NULL", call(lib.config_server, None, 112)),
    ("config smaller than the library's", "SIZE", call(lib.config_server, byref(tenon.ConfigStruct()), 104)),
    ("config of another size", "SIZE", shorter_config),
    ("config that nothing has filled", "ARG", unfilled_config),
    ("open config of no role", "ARG", lambda: tenon.Config.open(3)),
    ("limit that does not fit", "ARG", lambda: tenon.Config.server(max_head=1 << 32)),
    ("client without random", "RANDOM", lambda: tenon.Connection(tenon.Config.client(random=None))),
    ("random that raises", "RANDOM", lambda: client_whose_random(raise_in_random)),
    ("random that gives too little", "RANDOM", lambda: client_whose_random(lambda n: b"x")),
    ("rx too small", "SIZE", lambda: tenon.Connection(SERVER, rx=255)),
    ("tx too small", "SIZE", lambda: tenon.Connection(SERVER, tx=511)),
    ("counters of another size", "SIZE", stats_of_another_size),
    ("run without a callback", "NULL", call(lib.run, opened()._conn, tenon.EVENT_FN(), None)),
    ("pump without callbacks", "NULL", pump),
    ("pump with a struct of another size", "SIZE", lambda: pump(size=8)),
    ("connection NULL", "NULL", call(lib.next, None, byref(tenon.EventStruct()))),
    ("event NULL", "NULL", call(lib.next, opened()._conn, None)),
    ("data NULL", "NULL", call(lib.send, opened()._conn, tenon.TEXT, None, 5, 0)),
    ("acknowledged too much", "ACK", lambda: opened().sent(1)),
    ("opcode that is none", "ARG", lambda: opened().send(7, "x")),
    ("text that is not UTF-8", "UTF8", lambda: opened().send(tenon.TEXT, b"\xff")),
    ("ping too long", "CONTROL_SIZE", lambda: opened().ping(b"x" * 126)),
    ("close code that must not be sent", "CODE", lambda: opened().close(1006)),
    ("close code that does not fit", "ARG", lambda: opened().close(2**32 + 1000)),
    ("close reason too long", "CONTROL_SIZE", lambda: opened().close(1000, "x" * 124)),
    ("answer without a request", "STATE", lambda: opened().accept()),
    ("answer of another size", "SIZE", answer_of_another_size),
    ("subprotocol not offered", "SUBPROTOCOL", lambda: asked().accept("chat")),
    ("field with a line end", "HEADER", lambda: asked().accept(headers=[("A", "b\r\nC: d")])),
    ("field with a NUL", "HEADER", lambda: asked().accept(headers=[("A", "b\0c")])),
    ("field without a name", "HEADER", lambda: asked().accept(headers=[("", "b")])),
    ("status that refuses nothing", "STATUS", lambda: asked().reject(101)),
    ("status that does not fit", "ARG", lambda: asked().reject(65536 + 403)),
    ("URI of another scheme", "URI", lambda: tenon.uri_parse("ftp://a/")),
    ("URI that is empty", "URI", lambda: tenon.uri_parse("")),
    ("URI with a NUL", "ARG", lambda: tenon.uri_parse("ws://a/\0b")),
    ("request with a NUL", "ARG", lambda: tenon.Connection(tenon.Config.client()).connect(uri="ws://a/\0b")),
    ("request by a server", "STATE", lambda: tenon.Connection(SERVER).connect(uri="ws://a/")),
    ("input after the end", "STATE", lambda: ended().recv(b"x")),
    ("send after the end", "STATE", lambda: ended().send(tenon.TEXT, "x")),
    ("the same event again, without one", "STATE", lambda: tenon.Connection(SERVER).again()),
]


class Stop(Exception):
    """Raised by a handler."""


def raised_through_run():
    """What a handler raises comes out of run, and the connection goes on."""
    connection = opened()
    connection.recv(b"\x81\x81\0\0\0\0a")

    def handler(_connection, _event):
        raise Stop
    try:
        connection.run(handler)
    except Stop:
        connection.send(tenon.TEXT, "b")
        return connection.take_output() == b"\x81\x01b"
    return False


def empty_value():
    """A size of 0 beside a pointer means NUL: an empty value must not be read beyond."""
    connection = asked()
    connection.accept(headers=[("X-Empty", "")])
    return b"\r\nX-Empty: \r\n\r\n" in connection.take_output()


def unknown_limit():
    try:
        tenon.Config.server(max_heads=1)
    except TypeError:
        return True
    return False


def main():
    failed = 0
    for what, wanted, function in BAD:
        got = "nothing"
        try:
            function()
        except tenon.Error as problem:
            got = problem.name
        good = got == "TENON_ERR_" + wanted
        failed += not good
        print("%s python, %s: %s" % ("OK" if good else "FAIL", what, got))
    for test in raised_through_run, empty_value, unknown_limit:
        good = test()
        failed += not good
        print("%s python, %s" % ("OK" if good else "FAIL", test.__name__.replace("_", " ")))
    return 1 if failed else 0


sys.exit(main())
