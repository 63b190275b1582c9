# SPDX-License-Identifier: MIT
"""The metrics: their form, and where they are."""
import re

import harness
from harness import check, same
from support import alive, bye, head_lines, head_of, paired, relaying, response


def ask(port, lines):
    with harness.connect(port) as wire:
        wire.send(head_of(lines))
        return response(wire)


def test_metrics_form():
    """The text format of Prometheus: each value behind its HELP and TYPE, once."""
    with relaying() as relay:
        with paired(relay) as ends:
            alive(*ends)
            bye(*ends)
        status, fields, body = ask(relay.metrics_port, ["GET /metrics HTTP/1.1", "Host: m"])
        same((status, fields["content-type"]), (200, ["text/plain; version=0.0.4; charset=utf-8"]), "status and type")
        kinds, values = {}, {}
        for line in body.decode().splitlines():
            told = re.fullmatch(r"# (HELP|TYPE) ([a-z_]+) (.+)", line)
            value = re.fullmatch(r"([a-z_]+)(\{[a-z]+=\"[^\"]+\"(,[a-z]+=\"[^\"]+\")*\})? ([0-9.]+)", line)
            check(told or value, "a line of the format", line)
            if told and told.group(1) == "TYPE":
                kinds[told.group(2)] = told.group(3)
            if value:
                name = re.sub("_(bucket|sum|count)$", "", value.group(1))
                check(name in kinds, "a TYPE before the value", line)
                key = value.group(1) + (value.group(2) or "")
                check(key not in values, "each value once", line)
                values[key] = float(value.group(4))
        same({name for name, kind in kinds.items() if kind == "counter" and not name.endswith("_total")}, set(),
             "counters not named _total")
        same(values["relay_connections_total"], 1, "relay_connections_total")
        same(values['relay_messages_total{side="origin",direction="out"}'], 1, "messages to the origin")
        check(values['relay_octets_total{side="client",direction="in"}'] > 150, "octets of the client", values)
    return "%d values of %d metrics" % (len(values), len(kinds))


def test_metrics_place():
    """On a port of their own: /metrics of the other port is the origin's."""
    with relaying() as relay:
        same(ask(relay.metrics_port, ["GET /other HTTP/1.1", "Host: m"])[0], 404, "status of another path")
        same(ask(relay.metrics_port, ["POST /metrics HTTP/1.1", "Host: m"])[0], 405, "status of POST")
        same(ask(relay.metrics_port, head_lines("/other"))[0], 404, "status of an upgrade there")
        with relay.ask(head_lines("/metrics")):
            end, line, _fields = relay.origin.asked()
            end.sock.close()
            same(line, "GET /metrics HTTP/1.1", "what the origin is asked")
    return "404 and 405 elsewhere"
