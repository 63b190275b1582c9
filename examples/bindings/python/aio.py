# SPDX-License-Identifier: MIT
"""WebSocket for asyncio on tenon: connect(), serve(), and what both give.

    socket = await aio.connect("ws://127.0.0.1:9001/")
    await socket.send("hello")
    async for message in socket:
        ...

A slow reader slows the writer: sends wait for room, and nothing more is read from the
transport while messages wait here.
"""
import asyncio
import collections

import tenon

WAITING_MAX = 16       # messages that wait for receive() before reading stops
COPIED_MAX = 4096      # longer ones are sent without a copy
READ_SIZE = 65536
MAX_MESSAGE = 16 << 20


class Closed(Exception):
    """The connection has ended; event says how."""

    def __init__(self, event):
        super().__init__("%d, %s" % (event.code, tenon.rule_text(event.rule)))
        self.event = event


class WebSocket(asyncio.Protocol):
    """One connection, of either role."""

    def __init__(self, config, request=None, on_connected=None):
        self.connection = tenon.Connection(config)
        self.loop = asyncio.get_running_loop()
        self.opened = self.loop.create_future()
        self.ended = self.loop.create_future()  # the event CLOSED
        self.head = None                        # of the request, or of an answer that refuses
        self.subprotocol = None
        self._request, self._on_connected = request, on_connected
        self._transport = self._timer = None
        self._input = collections.deque()
        self._messages = collections.deque()
        self._waiters = set()
        self._full = self._at_eof = self._paused = self._told_eof = self._busy = False

    # what programs call

    async def receive(self):
        """The next message, str or bytes; Closed at the end."""
        await self._until(lambda: self._messages or self.ended.done())
        if not self._messages:
            raise Closed(self.ended.result())
        message = self._messages.popleft()
        if self._paused and len(self._messages) < WAITING_MAX:
            self._paused = False
            self._transport.resume_reading()
            self._turn()
        return message

    def __aiter__(self):
        return self

    async def __anext__(self):
        try:
            return await self.receive()
        except Closed:
            raise StopAsyncIteration from None

    async def send(self, message):
        """str as text, others as binary; returns when there was room for it."""
        opcode, octets = (tenon.TEXT, message.encode()) if isinstance(message, str) else (tenon.BINARY, message)
        send = self.connection.send if len(octets) <= COPIED_MAX else self.connection.send_ref
        await self._when_there_is_room(lambda: send(opcode, octets))

    async def ping(self, data=b""):
        await self._when_there_is_room(lambda: self.connection.ping(data))

    async def close(self, code=tenon.CLOSE_NORMAL, reason=""):
        """Begins the closing handshake and waits for its end; the event CLOSED."""
        self.close_soon(code, reason)
        return await asyncio.shield(self.ended)

    def close_soon(self, code=tenon.CLOSE_NORMAL, reason=""):
        if not self.ended.done():
            self.connection.close(code, reason)
            self._turn()

    # waiting

    async def _until(self, is_so):
        while not is_so():
            waiter = self.loop.create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)

    def _wake(self):
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _when_there_is_room(self, send):
        while True:
            try:
                send()
                break
            except tenon.ERR_AGAIN:
                room = self.connection.queued
                await self._until(lambda: self.connection.queued < room or self.ended.done()
                                  or self.connection.state != tenon.OPEN)
            except tenon.ERR_STATE:
                if self.ended.done():
                    raise Closed(self.ended.result()) from None
                raise
        self._turn()

    # the transport

    def connection_made(self, transport):
        self._transport = transport
        if self._request is not None:
            self.connection.connect(**self._request)
        self._turn()

    def data_received(self, data):
        self._input.extend(data[at:at + READ_SIZE] for at in range(0, len(data), READ_SIZE))
        self._turn()

    def eof_received(self):
        self._at_eof = True
        self._turn()
        return True  # the other direction goes on

    def pause_writing(self):
        self._full = True

    def resume_writing(self):
        self._full = False
        self._turn()

    def connection_lost(self, _problem):
        if not self.ended.done():
            self.connection.abort(tenon.REMOTE)
            self._turn()

    # the library

    def _turn(self):
        """Everything that can be done now."""
        if self._busy:
            return
        self._busy = True
        try:
            self.connection.tick(int(self.loop.time() * 1000))
            while self._step():
                pass
            self._set_timer()
        finally:
            self._busy = False
        self._wake()

    def _step(self):
        connection, moved = self.connection, False
        for event in connection.events():
            self._take(event)
        if not self._full:
            octets = connection.take_output()
            self._transport.write(octets)
            moved = bool(octets)
        wants = connection.wants
        if wants & tenon.WANTS_SHUT_WR:
            connection.shut()
            self._transport.write_eof()
        if wants & tenon.WANTS_READ and not self._paused:
            moved = self._read() or moved
        return connection.lend_wanted() or moved or bool(connection.wants & tenon.WANTS_NEXT)

    def _read(self):
        if self._input:
            self.connection.recv(self._input.popleft())
            return True
        if self._at_eof and not self._told_eof:
            self._told_eof = True
            self.connection.eof()
            return True
        return False

    def _take(self, event):
        if event.type == tenon.EV_REQUEST:
            self.head = self.connection.head()
            self.connection.accept()
        elif event.type == tenon.EV_RESPONSE:
            self.head = self.connection.head()
        elif event.type == tenon.EV_OPEN:
            self.subprotocol = event.data
            self.opened.set_result(self)
            if self._on_connected is not None:
                self._on_connected(self)
        elif event.type == tenon.EV_DATA:
            self._messages.append((event.data or b"").decode() if event.opcode == tenon.TEXT else event.data or b"")
            if len(self._messages) >= WAITING_MAX and not self._paused:
                self._paused = True
                self._transport.pause_reading()
        elif event.type == tenon.EV_CLOSED:
            self._end(event)

    def _end(self, event):
        self.ended.set_result(event)
        if not self.opened.done():
            self.opened.set_exception(Closed(event))
            self.opened.exception()  # whether somebody waits for it or not
        self._transport.close()

    def _set_timer(self):
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.connection.deadline
        if deadline is not None:
            self._timer = self.loop.call_at(deadline / 1000 + 0.001, self._turn)


async def connect(uri, subprotocols=(), headers=(), **limits):
    """An open WebSocket, or Closed."""
    host, port, secure, _ = tenon.uri_parse(uri)
    config = tenon.Config.client(**dict({"max_message": MAX_MESSAGE}, **limits))
    request = {"uri": uri, "subprotocols": subprotocols, "headers": headers}
    loop = asyncio.get_running_loop()
    _, socket = await loop.create_connection(lambda: WebSocket(config, request), host, port, ssl=secure or None)
    return await socket.opened


async def serve(handler, host, port, **limits):
    """An asyncio server: handler(socket) runs for each connection, which is closed behind it."""
    config = tenon.Config.server(**dict({"max_message": MAX_MESSAGE}, **limits))
    tasks = set()

    async def attend(socket):
        try:
            await handler(socket)
        except Closed:
            pass
        except Exception:
            socket.close_soon(tenon.CLOSE_INTERNAL)
            raise
        socket.close_soon()
        await asyncio.shield(socket.ended)

    def start(socket):
        task = asyncio.ensure_future(attend(socket))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: WebSocket(config, on_connected=start), host, port)
