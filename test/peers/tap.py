# SPDX-License-Identifier: MIT
"""Stands between one client and one server, passes on every octet, and tells what it saw."""
import collections
import re
import socket
import struct
import threading
import time

WAIT_SECONDS = 30
# For so long the end of one side is kept from the other, to see whether that ends by
# itself: a server should (RFC 6455, 7.1.1), a client may, and some do.
HOLD_SECONDS = {"client": 4, "server": 0.3}

CLOSE = 8

# How a side ended: "end" or "reset", whether it had been told that the other has ended,
# and how long after the last octet of either side.
End = collections.namedtuple("End", "how knew seconds")


class Direction:
    """The octets of one side: its head, and what there is to know of its frames."""

    def __init__(self):
        self.rest = bytearray()
        self.skip = 0          # octets of a payload that are still to come
        self.head = None
        self.control = []      # opcode and payload, in order
        self.keys = set()      # masks; None for a frame without
        self.frames = self.reserved = 0
        self.parts = 0         # data frames of the message that is not yet finished
        self.most_parts = self.largest = self.empty_parts = 0

    def take(self, data):
        self.rest += data
        if self.head is None:
            head, found, after = self.rest.partition(b"\r\n\r\n")
            if not found:
                return
            self.head, self.rest = head.decode("latin-1"), after
        while self.frame():
            pass

    def frame(self):
        """Takes the next frame, or what has come of its payload: whether there may be more."""
        gone = min(self.skip, len(self.rest))
        del self.rest[:gone]
        self.skip -= gone
        if self.skip or len(self.rest) < 2:
            return False
        first, second = self.rest[:2]
        wide = {126: 2, 127: 8}.get(second & 127, 0)
        masked = bool(second & 128)
        start = 2 + wide + 4 * masked
        size = int.from_bytes(self.rest[2:2 + wide], "big") if wide else second & 127
        if len(self.rest) < start + (size if first & 8 else 0):
            return False
        key = bytes(self.rest[start - 4:start]) if masked else None
        self.note(first, size, key)
        if first & 8:
            body = self.rest[start:start + size]
            self.control.append((first & 15, bytes(c ^ key[i % 4] if key else c for i, c in enumerate(body))))
        del self.rest[:start]
        self.skip = size
        return True

    def note(self, first, size, key):
        self.frames += 1
        self.keys.add(key)
        self.reserved |= first & 0x70
        if first & 8:
            return
        self.parts += 1
        self.empty_parts += size == 0 and (self.parts > 1 or first < 128)
        self.largest = max(self.largest, size)
        self.most_parts = max(self.most_parts, self.parts)
        if first & 128:
            self.parts = 0

    def field(self, name):
        """The value of a header field, or None."""
        found = re.search(r"\r\n%s:[ \t]*([^\r]*)" % name, self.head or "", re.I)
        return found and found.group(1)

    def payload(self, opcode):
        """Of each control frame of that kind."""
        return [data for kind, data in self.control if kind == opcode]

    def close(self):
        """The body of the only Close, or None."""
        bodies = self.payload(CLOSE)
        return bodies[0] if len(bodies) == 1 else None


class Tap:
    """For one connection to the port; done is set when it is over."""

    def __init__(self, port):
        self.upstream = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(WAIT_SECONDS)
        self.port = self.listener.getsockname()[1]
        self.client, self.server = Direction(), Direction()
        self.ends = {}     # of each side
        self.told = set()  # sides that were told of the other's end
        self.last = time.monotonic()
        self.lock = threading.Lock()
        self.ended = {"client": threading.Event(), "server": threading.Event()}
        self.done = threading.Event()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            with self.listener, self.listener.accept()[0] as client, \
                    socket.create_connection(("127.0.0.1", self.upstream), WAIT_SECONDS) as server:
                for one in client, server:
                    one.settimeout(WAIT_SECONDS)
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                other = threading.Thread(target=self.pass_on, args=("client", client, "server", server), daemon=True)
                other.start()
                self.pass_on("server", server, "client", client)
                other.join(WAIT_SECONDS)
        except OSError as problem:
            self.ends["tap"] = str(problem)
        finally:
            self.done.set()

    def pass_on(self, side, source, other, sink):
        direction = getattr(self, side)
        how = "end"
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                direction.take(data)
                self.last = time.monotonic()
                try:
                    sink.sendall(data)
                except (BrokenPipeError, ConnectionResetError):
                    self.note_end(other, "reset")
        except ConnectionResetError:
            how = "reset"
        except OSError as problem:
            how = str(problem)
        self.note_end(side, how)
        self.ended[other].wait(HOLD_SECONDS[side])
        self.told.add(other)
        self.tell(sink, how)

    def note_end(self, side, how):
        with self.lock:
            self.ends.setdefault(side, End(how, side in self.told, time.monotonic() - self.last))
        self.ended[side].set()

    @staticmethod
    def tell(sink, how):
        """Ends the connection to the other side the same way; a reset comes when it is closed."""
        try:
            if how == "reset":
                sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sink.shutdown(socket.SHUT_RD)
            else:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it is gone already
