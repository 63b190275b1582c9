# SPDX-License-Identifier: MIT
"""Under the sanitizers: each relay must exit with status 0, which it does only without
errors and leaks."""
import inspect
import os
import pathlib
import random
import socket

import ends
import flow
import frames
import gate
import heads
import rates
import support
import upstream
from harness import BINARY, FIN, TEXT, frame
from support import CONTINUATION, alive, answer, bye, head_lines, head_of, paired, relaying, until

SANITIZED = str(pathlib.Path(os.environ["TENON_RELAY_SANITIZED"], "examples/relay"))


def sanitized(*tests):
    """Runs tests of other modules with the sanitized relay."""
    support.RELAY["path"] = SANITIZED
    try:
        for test in tests:
            test()
    finally:
        support.RELAY["path"] = support.RELAY["usual"]
    return "%d tests" % len(tests)


def tests_of(module, without=()):
    return [test for name, test in vars(module).items()
            if name.startswith("test_") and test not in without and inspect.isfunction(test)]


def leave(end, source):
    how = source.randrange(3)
    if how == 0:
        end.reset()
    elif how == 1:
        end.sock.close()
    else:
        end.sock.shutdown(socket.SHUT_WR)


HEADS = [b"", b"GET", head_of(head_lines())[:-3], head_of(["GET / HTTP/1.1"])]
ANSWERS = [b"", b"HTTP/1.1 1", head_of(["HTTP/1.1 403 No", "Content-Length: 9"]) + b"half",
           head_of(["HTTP/1.1 403 No", "Transfer-Encoding: chunked"]) + b"5\r\nhal",
           head_of(["HTTP/1.1 403 No", "Content-Length: 2"]) + b"no", head_of(["HTTP/1.1 101 Yes"])]


def abort(relay, source):
    """One client that leaves at some point, with an origin that stands at some point."""
    client = relay.connect()
    kept = [client]
    stage = source.randrange(4)
    if stage == 0:
        client.send(source.choice(HEADS))
    else:
        client.send(head_of(head_lines(more=["Sec-WebSocket-Protocol: a, b", "Cookie: c=d"])))
        origin, _line, fields = relay.origin.asked()
        kept.append(origin)
        if stage == 1:
            origin.send(source.choice(ANSWERS))
        else:
            answer(origin, fields, ["Set-Cookie: a=b"])
        if stage == 3:
            client.head()
            client.send(frame(TEXT, b"begun") + frame(CONTINUATION, b"and not finished")[:source.randrange(10)])
            origin.send(frame(FIN | BINARY, bytes(100000), False)[:source.randrange(100000)])
        if source.random() < 0.5:
            leave(kept[1], source)
    leave(client, source)
    return kept


def test_sanitized_aborts():
    source = random.Random(20)
    with relaying(path=SANITIZED) as relay:
        for _ in range(300):
            for end in abort(relay, source):
                end.sock.close()
        until(lambda: relay.metric("relay_pending") + relay.metric("relay_connections") == 0, "no pair left")
        until(lambda: relay.sockets() == 2, "no socket but the two that listen")
    with relaying(path=SANITIZED) as relay:  # SIGTERM while all this is going on
        kept = [end for _ in range(60) for end in abort(relay, source)]
        relay.terminate()
        relay.wait()
        for end in kept:
            end.sock.close()
    return "300 pairs at every stage, and 60 at SIGTERM"


def test_sanitized_timers():
    """No timer of a pair outlives it: the longest runs for 3 s."""
    with relaying("--octets-per-second", 1000, path=SANITIZED) as relay, paired(relay) as kept:
        with paired(relay) as ends_of_pair:
            bye(*ends_of_pair)
        with paired(relay) as (client, origin):  # held back, and gone
            client.put(FIN | BINARY, bytes(4000))
            origin.gets(BINARY, bytes(4000))
            client.put(FIN | TEXT, b"x")
            until(lambda: relay.metric("relay_rate_paused_total") == 1, "a pause")
            origin.reset()
        relay.counts("relay_connections", 1)
        kept[0].has_nothing(3.3)
        alive(*kept)
    return "3 s behind the end of two pairs"


def test_sanitized_handshakes():
    return sanitized(*tests_of(gate, [gate.test_arguments]), *tests_of(heads), *tests_of(upstream))


def test_sanitized_frames():
    return sanitized(*tests_of(frames, [frames.test_rsv_on_empty_fragment]))


def test_sanitized_ends():
    slow = [ends.test_close_unanswered, ends.test_terminated_deaf, ends.test_origin_killed]
    return sanitized(*tests_of(ends, slow), flow.test_other_direction_flows, rates.test_excess_closed,
                     rates.test_ends_while_held_back)
