# SPDX-License-Identifier: MIT
"""An intermediary of HTTP that does to a WebSocket what its profile says.

It takes connections on the loopback and makes one to the origin for each. A profile
(profiles.py) changes heads, answers in the origin's place, cuts the stream anew, ends
it. What it did is counted, so that a test knows that it was done.
"""
import asyncio
import base64
import hashlib
import random
import select

from common import Link, open_listener

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
HEAD_MAX = 1 << 18

# Of a stream cut into single octets only so much is, for it takes a system call each.
OCTETS_MAX = 8192


class Head:
    """A head of HTTP whose lines can be changed one by one."""

    def __init__(self, raw):
        lines = raw[:-4].split(b"\r\n")
        self.start = lines[0]
        self.fields = []  # name, what stands between, value
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            self.fields.append([name, b": ", value.strip()])

    def values(self, name):
        return [field[2] for field in self.fields if field[0].lower() == name.lower()]

    def drop(self, *names):
        low = [name.lower() for name in names]
        self.fields = [field for field in self.fields if field[0].lower() not in low]

    def add(self, name, value):
        self.fields.append([name, b": ", value])

    def replace(self, name, value):
        for field in self.fields:
            if field[0].lower() == name.lower():
                field[2] = value

    def render(self):
        return b"\r\n".join([self.start] + [b"".join(field) for field in self.fields]) + b"\r\n\r\n"


async def read_head(link, data=b""):
    """The next head, and what came behind it. None at the end of the stream."""
    while b"\r\n\r\n" not in data:
        piece = await link.recv()
        if not piece or len(data) > HEAD_MAX:
            return None, data
        data += piece
    at = data.index(b"\r\n\r\n") + 4
    return Head(data[:at]), data[at:]


def accept_value(key):
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


# ------------------------------------------------------------------- cutting

class Octets:
    """One at a time, and after a while at random."""

    def __init__(self, rng):
        self.left = OCTETS_MAX
        self.later = RandomCuts(rng)

    def pieces(self, data):
        alone, rest = data[:self.left], data[self.left:]
        self.left -= len(alone)
        return [alone[i:i + 1] for i in range(len(alone))] + self.later.pieces(rest)


class RandomCuts:
    def __init__(self, rng):
        self.rng = rng

    def pieces(self, data):
        out, at = [], 0
        while at < len(data):
            size = self.rng.choice((1, 2, 7, 125, 700, 1460, 16000))
            out.append(data[at:at + size])
            at += size
        return out


class FrameCuts:
    """Where it hurts: in the header, the length, the mask, and inside code points."""

    def __init__(self, rng):
        self.rng = rng
        self.header = b""
        self.left = self.done = 0  # of the payload
        self.key, self.is_text = b"", False

    def header_size(self):
        if len(self.header) < 2:
            return 2
        length = self.header[1] & 0x7F
        return 2 + {126: 2, 127: 8}.get(length, 0) + (4 if self.header[1] & 0x80 else 0)

    def begin_payload(self):
        size, masked = self.header_size(), self.header[1] & 0x80
        length = self.header[1] & 0x7F
        extended = {126: 2, 127: 8}.get(length, 0)
        self.left = int.from_bytes(self.header[2:2 + extended], "big") if extended else length
        self.done = 0
        self.key = self.header[size - 4:] if masked else b""
        if self.header[0] & 0x0F in (1, 2):
            self.is_text = self.header[0] & 0x0F == 1
        self.header = b""

    def text_cuts(self, data, begin, end):
        """Up to three places inside a code point."""
        if not self.is_text:
            return []
        places = range(begin, min(end, begin + 400))
        inside = [at for at in places if (data[at] ^ self.mask_octet(at - begin)) & 0xC0 == 0x80]
        return self.rng.sample(inside, min(3, len(inside)))

    def mask_octet(self, offset):
        return self.key[(self.done + offset) % 4] if self.key else 0

    def pieces(self, data):
        cuts, at = {0, len(data)}, 0
        while at < len(data):
            if self.left == 0:
                self.header += data[at:at + 1]
                at += 1
                cuts.add(at)  # after each octet of a header
                if len(self.header) >= 2 and len(self.header) == self.header_size():
                    self.begin_payload()
                continue
            end = min(len(data), at + self.left)
            cuts.update((min(at + 1, end), max(at, end - 1), end))
            cuts.update(self.text_cuts(data, at, end))
            self.left -= end - at
            self.done += end - at
            at = end
        places = sorted(cuts)
        return [data[a:b] for a, b in zip(places, places[1:])]


class Whole:
    def __init__(self, rng):
        pass

    def pieces(self, data):
        return [data]


SHAPES = {"plain": Whole, "nagle": Whole, "octets": Octets, "random": RandomCuts, "frames": FrameCuts}

# Between two pieces, so that the receiver sees them apart; for single octets their
# number does it.
PAUSES = {"random": 0, "frames": 0.0005, "octets": 0}
NAGLE_SECONDS = 0.02


# --------------------------------------------------------------- intermediary

class Tunnel:
    """Both directions behind a 101, until both have ended or the profile ends them."""

    def __init__(self, owner, profile, client, origin):
        self.owner, self.profile = owner, profile
        self.client, self.origin = client, origin
        rng = random.Random(owner.seed)
        self.shapes = {way: SHAPES[profile.flow](rng) for way in ("up", "down")}
        self.passed = {"up": 0, "down": 0}
        self.is_silent = False
        self.heard = asyncio.get_running_loop().time()

    async def forward(self, sink, way, data):
        if self.is_silent or sink.is_shut:
            return
        pause = PAUSES.get(self.profile.flow)
        for piece in self.shapes[way].pieces(data):
            try:
                await sink.send(piece)
            except OSError:
                sink.is_shut = True  # that end is gone; what it said last may still be on the way
                return
            if pause is not None:
                self.owner.happened += 1
                await asyncio.sleep(pause)

    async def gather_more(self, source, data):
        """What comes within a moment goes together, as with Nagle's algorithm."""
        await asyncio.sleep(NAGLE_SECONDS)
        more = b"x"
        while more and len(data) < 1 << 16:
            more = source.recv_now()
            data += more
            self.owner.happened += len(more) > 0
        return data

    async def pump(self, source, sink, way, data):
        ends = self.profile.end is not None
        while True:
            if data:
                if way in self.profile.idle_counts:
                    self.heard = asyncio.get_running_loop().time()
                if ends and way == "down" and self.passed[way] < self.profile.end_after <= self.passed[way] + len(data):
                    keep = self.profile.end_after - self.passed[way]
                    await self.forward(sink, way, data[:keep])
                    self.passed[way] += len(data)
                    self.owner.happened += 1
                    self.end(self.profile.end)
                    await self.forward(sink, way, data[keep:])
                else:
                    self.passed[way] += len(data)
                    await self.forward(sink, way, data)
            try:
                data = await source.recv()
            except OSError:
                sink.reset()
                raise ConnectionAbortedError from None
            if data and self.profile.flow == "nagle":
                data = await self.gather_more(source, data)
            if not data:
                break
        if self.profile.closes_both:
            self.owner.happened += 1
            raise ConnectionAbortedError  # one end is gone: so is the other
        if not self.is_silent:
            sink.fin()

    def end(self, how):
        if how == "fin":
            self.client.fin()
            self.origin.fin()
        elif how == "fin_client":
            self.client.fin()
        elif how == "fin_origin":
            self.origin.fin()
        elif how == "silent":
            self.is_silent = True
        else:
            raise ConnectionResetError

    async def watch(self):
        """Ends what is idle. What waits to be read counts, however late we look."""
        loop = asyncio.get_running_loop()
        while True:
            left = self.heard + self.profile.idle - loop.time()
            if left > 0:
                await asyncio.sleep(left)
                continue
            ready, _, _ = select.select([self.client.sock, self.origin.sock], [], [], 0)
            if ready:
                await asyncio.sleep(0.01)
                self.heard = max(self.heard, loop.time() - self.profile.idle + 0.01)
                continue
            self.owner.happened += 1
            self.end(self.profile.idle_end)
            return

    async def run(self, up, down):
        tasks = [asyncio.create_task(self.pump(self.client, self.origin, "up", up)),
                 asyncio.create_task(self.pump(self.origin, self.client, "down", down))]
        if self.profile.idle:
            tasks.append(asyncio.create_task(self.watch()))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        except ConnectionAbortedError:
            pass
        except OSError:
            self.client.reset()
            self.origin.reset()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Intermediary:
    """Listens, and serves each connection by the next of its profiles; the last one stays."""

    def __init__(self, profiles, origin_port, seed=1):
        self.profiles = profiles if isinstance(profiles, (list, tuple)) else [profiles]
        self.origin_port = origin_port
        self.seed = seed
        self.happened = 0
        self.count = 0
        self.tasks = set()

    async def __aenter__(self):
        self.sock = open_listener()
        self.port = self.sock.getsockname()[1]
        self.spawn(self.listen())
        return self

    async def __aexit__(self, *_):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.sock.close()

    def spawn(self, work):
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def listen(self):
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(self.sock)
            profile = self.profiles[min(self.count, len(self.profiles) - 1)]
            self.count += 1
            self.spawn(self.serve(profile, Link(sock)))

    async def serve(self, profile, client):
        links = [client]
        try:
            await self.handle(profile, client, links)
        except OSError:
            for link in links:
                link.reset()
        finally:
            for link in links:
                link.close()

    async def handle(self, profile, client, links):
        head, rest = await read_head(client)
        if head is None:
            return
        if profile.answer is not None:
            await self.refuse(profile, client)
            return
        origin = await Link.connect(self.origin_port)
        links.append(origin)
        for change in profile.request:
            change(head)
            self.happened += 1
        if profile.is_eager:
            rest = await self.answer_early(client, origin, head)
            await Tunnel(self, profile, client, origin).run(b"", rest)
            return
        await self.send_request(profile, origin, head.render() + rest)
        await self.pass_answer(profile, client, origin)

    async def refuse(self, profile, client):
        self.happened += 1
        await client.send(profile.answer)
        if not profile.stays_open:
            client.fin()
        await drain(client)

    async def answer_early(self, client, origin, head):
        """Says 101 in the origin's place, and sends it the request together with what
        the client says next. What comes behind the origin's own 101 is returned."""
        key = head.values(b"Sec-WebSocket-Key")[0]
        await client.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          b"Sec-WebSocket-Accept: " + accept_value(key) + b"\r\n\r\n")
        said = await client.recv()
        await origin.send(head.render() + said)
        self.happened += 1
        _, rest = await read_head(origin)
        return rest

    async def send_request(self, profile, origin, data):
        if profile.request_delay:
            self.happened += 1
            await origin.send(data[:len(data) // 2])
            data = data[len(data) // 2:]
            await asyncio.sleep(profile.request_delay)
        for piece in SHAPES[profile.flow](random.Random(self.seed)).pieces(data):
            await origin.send(piece)

    async def pass_answer(self, profile, client, origin):
        head, rest = await read_head(origin)
        if head is None:
            await client.send(rest)
            client.fin()
            await drain(client)
            return
        for change in profile.response:
            change(head)
            self.happened += 1
        for interim in profile.before:
            await client.send(interim)
            self.happened += 1
        if profile.answer_delay:
            self.happened += 1
            await asyncio.sleep(profile.answer_delay)
        is_open = b" 101" in head.start[:13]
        if is_open and profile.glues_answer:
            rest = rest or await origin.recv()
            self.happened += 1
        data = head.render()
        if profile.flow in ("octets", "random", "frames"):
            for piece in Octets(random.Random(self.seed)).pieces(data):
                await client.send(piece)
            data = b""
        if profile.glues_answer or not is_open:
            data, rest = data + rest, b""
        await client.send(data)
        self.happened += profile.name == "plain" and is_open
        if is_open:
            await Tunnel(self, profile, client, origin).run(b"", rest)
        else:
            await self.pass_rest(client, origin)

    async def pass_rest(self, client, origin):
        data = await origin.recv()
        while data:
            await client.send(data)
            data = await origin.recv()
        client.fin()
        await drain(client)


async def drain(link):
    """Takes what comes until the peer ends, so that nothing of ours is lost to a reset."""
    while await link.recv():
        pass


