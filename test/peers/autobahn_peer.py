# SPDX-License-Identifier: MIT
"""The peer python3-autobahn, on asyncio or on Twisted.

usage: autobahn_peer.py asyncio|twisted server
       autobahn_peer.py asyncio|twisted client PORT MESSAGES CODE REASON
"""
import sys

from autobahn.websocket import compress

from message_set import GOING_AWAY, Score, cut, read, same

FLAVOUR, ROLE = sys.argv[1:3]
if FLAVOUR == "asyncio":
    import asyncio
    from autobahn.asyncio import websocket
else:
    from autobahn.twisted import websocket
    from twisted.internet import reactor


class Client(websocket.WebSocketClientProtocol):
    """Sends the next line when all of the one before has come back."""

    def onOpen(self):
        self.score = Score()
        self.lines = read(sys.argv[4])
        self.waiting = []
        self.advance()

    def advance(self):
        line = next(self.lines, None)
        if line is None:
            if sys.argv[5] == GOING_AWAY:
                print("waiting", flush=True)
            else:
                self.sendClose(int(sys.argv[5]), sys.argv[6] or None)
            return
        self.waiting = list(line.messages)
        for data in line.messages:
            self.put(line, data)

    def put(self, line, data):
        if line.kind == "ping":
            self.sendPing(data)
        elif len(line.pieces) == 1:
            self.sendMessage(data.encode() if line.kind == "text" else data, line.kind == "binary")
        else:
            self.beginMessage(line.kind == "binary")
            for piece in cut(line, data):
                self.sendMessageFrame(piece.encode() if line.kind == "text" else piece)
            self.endMessage()

    def take(self, got):
        try:
            same(got, self.waiting.pop(0))
        except (IndexError, ValueError) as problem:
            print(problem or "more than was sent")
            stop()
            return
        if not self.waiting:
            self.advance()

    def onMessage(self, payload, isBinary):
        self.score.add(payload)
        self.take(payload if isBinary else payload.decode())

    def onPong(self, payload):
        self.score.pings += 1
        self.take(payload)

    def onClose(self, wasClean, code, reason):
        global status
        self.score.report(self.remoteCloseCode, self.remoteCloseReason)
        status = 0 if wasClean and self.remoteCloseCode == int(sys.argv[5]) and not self.waiting else 1
        stop()


class Server(websocket.WebSocketServerProtocol):
    def onMessage(self, payload, isBinary):
        self.sendMessage(payload, isBinary)

    def onClose(self, wasClean, code, reason):
        print("closed", self.remoteCloseCode, self.remoteCloseReason or "", flush=True)


def stop():
    if FLAVOUR == "asyncio":
        asyncio.get_event_loop().stop()
    else:
        reactor.stop()


def listening(port):
    print("listening on 127.0.0.1:%d" % port, flush=True)


def run_asyncio(factory):
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    factory.loop = loop
    if ROLE == "server":
        listener = loop.run_until_complete(loop.create_server(factory, "127.0.0.1", 0))
        listening(listener.sockets[0].getsockname()[1])
    else:
        loop.run_until_complete(loop.create_connection(factory, "127.0.0.1", int(sys.argv[3])))
    loop.run_forever()


def run_twisted(factory):
    if ROLE == "server":
        listening(reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port)
    else:
        reactor.connectTCP("127.0.0.1", int(sys.argv[3]), factory)
    reactor.run()


def accept(offers):
    for offer in offers:
        if isinstance(offer, compress.PerMessageDeflateOffer):
            return compress.PerMessageDeflateOfferAccept(offer)
    return None


def agree(response):
    """A client has to say yes, too."""
    if isinstance(response, compress.PerMessageDeflateResponse):
        return compress.PerMessageDeflateResponseAccept(response)
    return None


status = 1
if ROLE == "server":
    factory = websocket.WebSocketServerFactory()
    factory.protocol = Server
    factory.setProtocolOptions(perMessageCompressionAccept=accept)
else:
    factory = websocket.WebSocketClientFactory("ws://127.0.0.1:%s/echo" % sys.argv[3])
    factory.protocol = Client
    factory.setProtocolOptions(perMessageCompressionOffers=[compress.PerMessageDeflateOffer()],
                               perMessageCompressionAccept=agree)
if FLAVOUR == "asyncio":
    run_asyncio(factory)
else:
    run_twisted(factory)
sys.exit(status)
