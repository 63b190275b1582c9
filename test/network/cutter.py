# SPDX-License-Identifier: MIT
"""A bad line between a client and a server: one fault, at one place of the stream.

Ways: "up" from the client to the server, "down" back. A Fault happens when so many
octets have gone one way, heads included, or so many behind the head; before and
without it, what goes through may be cut, delayed and throttled.
"""
import asyncio
import dataclasses
import random

from common import Link, open_listener

PASSED_HEAD = "after the request or the 101"
BUFFER = 16384  # of the cutter's sockets where a stall must be felt soon


@dataclasses.dataclass
class Fault:
    kind: str = "none"        # none, fin, rst, half, drop, pause
    way: str = "up"           # in which it happens; "both" for pause and drop
    trigger: str = "up"       # of which way the octets are counted
    at: object = 0            # octets, or PASSED_HEAD
    past: int = 0             # octets more, behind the head
    seconds: float = 0.0      # of a pause
    split: int = 0            # largest piece; 0: as it comes
    delay: tuple = (0, 0)     # seconds of each piece
    rate: int = 0             # octets a second
    drip: float = 0.0         # seconds between single octets, towards the trigger
    small: bool = False       # small buffers

    def hits(self, way):
        return self.way in (way, "both")


class Cutter:
    """One connection through a bad line."""

    def __init__(self, fault, port, seed):
        self.fault, self.port = fault, port
        self.rng = random.Random(seed)
        self.passed = {"up": 0, "down": 0}
        self.head = b""              # of the way that is counted, until it has passed
        self.is_on = False           # the fault has happened
        self.go_on = asyncio.Event() # after a pause
        self.links = []
        self.task = None

    async def __aenter__(self):
        self.sock = open_listener(BUFFER if self.fault.small else 0)
        self.task = asyncio.create_task(self.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        for link in self.links:
            link.close()
        self.sock.close()

    @property
    def listens_on(self):
        return self.sock.getsockname()[1]

    async def run(self):
        sock, _ = await asyncio.get_running_loop().sock_accept(self.sock)
        client = Link(sock)
        self.links.append(client)
        server = await Link.connect(self.port, BUFFER if self.fault.small else 0)
        self.links.append(server)
        tasks = [asyncio.create_task(self.pump(client, server, "up")),
                 asyncio.create_task(self.pump(server, client, "down"))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------ the fault

    def begins_at(self, way, data):
        """How much of the data goes before the fault; None if it does not begin in it."""
        fault = self.fault
        if self.is_on or fault.kind == "none" or way != fault.trigger:
            return None
        at = fault.at
        if at == PASSED_HEAD:
            if b"\r\n\r\n" not in self.head:
                self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return None
            at = end + 4 + fault.past
        left = at - self.passed[way]
        return left if left <= len(data) else None

    def begin(self):
        self.is_on = True
        client, server = self.links
        if self.fault.kind == "fin":
            client.fin()
            server.fin()
        elif self.fault.kind == "rst":
            self.reset_both()
        elif self.fault.kind == "half":
            (server if self.fault.way == "up" else client).fin()
        elif self.fault.kind == "pause":
            asyncio.get_running_loop().call_later(self.fault.seconds, self.go_on.set)

    def is_dropped(self, way):
        return self.is_on and self.fault.kind == "drop" and self.fault.hits(way)

    async def wait_if_paused(self, way):
        if self.is_on and self.fault.kind == "pause" and self.fault.hits(way):
            await self.go_on.wait()

    def reset_both(self):
        for link in self.links:
            link.reset()
        self.task.cancel()

    # -------------------------------------------------------------- passing

    def pieces(self, way, data):
        size = 1 if self.fault.drip and way == self.fault.trigger else self.fault.split
        if size == 0:
            return [data]
        out, at = [], 0
        while at < len(data):
            n = 1 if size == 1 else self.rng.randint(1, size)
            out.append(data[at:at + n])
            at += n
        return out

    async def forward(self, sink, way, data):
        for piece in self.pieces(way, data):
            wait = self.rng.uniform(*self.fault.delay)
            if self.fault.rate:
                wait += len(piece) / self.fault.rate
            if self.fault.drip and way == self.fault.trigger:
                wait += self.fault.drip
            if wait:
                await asyncio.sleep(wait)
            await self.wait_if_paused(way)
            if not self.is_dropped(way):
                await sink.send(piece)

    async def handle(self, sink, way, data):
        before = self.begins_at(way, data)
        if before is not None:
            await self.forward(sink, way, data[:before])
            self.passed[way] += before
            self.begin()
            data = data[before:]
        self.passed[way] += len(data)
        await self.forward(sink, way, data)

    async def pump(self, source, sink, way):
        """Everything of one way. Its end goes on as well, behind the octets: FIN as FIN,
        RST as RST."""
        is_reset = False
        while True:
            await self.wait_if_paused(way)
            try:
                data = await source.recv(4096 if self.fault.small else 65536)
            except OSError:
                data, is_reset = b"", True
            if not data:
                break
            try:
                await self.handle(sink, way, data)
            except OSError:
                sink.is_shut = True  # that end is gone; what it said last may still be on the way
        if not self.is_dropped(way):
            sink.reset() if is_reset else sink.fin()


