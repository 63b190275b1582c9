#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows that each fuzz target can fail: one wrong line at a time in a copy of the
library, and the target that is to find it.

usage: proof.py [SECONDS] [WORD...]     (20 for each; WORDs: only what has one in its name)

Builds upon what "sh fuzz/run.sh SECONDS" has left in build/fuzz/libfuzzer, or
"sh fuzz/run.sh --replay memory" in build/fuzz/replay_memory. A line that is not in
the library any more counts as a failure: write it anew.
"""
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MEMORY = "memory"

# What is wrong, the target, the file, the good line, the wrong one.
WRONG = (
    # the ten that any of these programs must find
    ("off by one past the buffer, masking", "mask", "mask.c",
     "for (i = 0; n - i >= WORD_SIZE;", "for (i = 0; n - i + 1 >= WORD_SIZE;"),
    ("off by one past the buffer, UTF-8", "utf8", "utf8.c", "while (n - i >= WORD_SIZE && is_ascii_word", "while (n - i + 1 >= WORD_SIZE && is_ascii_word"),
    ("off by one past the buffer, head", "head", "http1.c", "if (n - i < 3 ||", "if (n - i < 2 ||"),
    ("off by one past the buffer, field", "field", "field.c",
     "while (s->size > 0 && is_blank(*s->data))", "while (is_blank(*s->data) && s->size > 0)"),
    ("off by one past the buffer, URI", "uri", "uri.c", "n - i > 2", "n - i > 0"),
    ("off by one past the buffer, output", "pair", "queue.c", "queue->used);\n    return n < run ? n : run;",
     "queue->used);\n    return n < run ? n : run + 1;"),
    ("wrapped 64-bit length", "frame", "frame.h", "h->length == 10 && octet >= 0x80)", "h->length == 10 && octet > 0x80)"),
    ("shift into the sign", "head", "sha1.c", "(uint32_t)octets[0] << 24", "(uint32_t)(octets[0] << 24)"),
    ("spin on an empty frame", "server", "recv.c",
     "if (conn->u.frame.left == 0 && (conn->bits & BIT_BAD_TEXT) == 0) {",
     "if (n > 0 && conn->u.frame.left == 0 && (conn->bits & BIT_BAD_TEXT) == 0) {"),
    ("spin on an empty frame, in pieces", "client", "recv.c", "flags |= tenon_recv_frame_done(conn) ?",
     "flags |= n > 0 && tenon_recv_frame_done(conn) ?"),
    ("spin on an empty frame, callbacks", "run", "recv.c", "flags |= tenon_recv_frame_done(conn) ?",
     "flags |= n > 0 && tenon_recv_frame_done(conn) ?"),
    ("truncated UTF-8 accepted", "server", "message.h", "return message->utf8.need == 0;", "return message != NULL;"),
    ("truncated UTF-8 accepted, octets", "utf8", "utf8.c", "i - tenon_utf8_open(p, i);", "i;"),
    ("uninitialised field, event", "memory_run", "conn.c",
     "    memset(event, 0, sizeof *event);\n    event->type = conn->event_type;", "    event->type = conn->event_type;"),
    ("uninitialised field, connection", "memory_pair", "conn.c", "    memset(c, 0, sizeof *c);\n", ""),
    ("uninitialised field, frame", "memory_frame", "frame.c", "    memset(frame, 0, sizeof *frame);\n", ""),
    ("64-to-32 truncation, of a header", "frame", "frame.c", "frame->payload_size = h->size;", "frame->payload_size = (uint32_t)h->size;"),
    ("64-to-32 truncation, in a connection", "server", "recv.c",
     "    conn->u.frame.left = h->size;", "    conn->u.frame.left = (uint32_t)h->size;"),
    ("mask phase wrong after a split", "mask", "mask.c", "{\n    return (phase % 4 + n % 4) % 4;", "{\n    return (phase % 4 + n % 8) % 5 % 4;"),
    ("mask phase wrong after a split, in a connection", "server", "recv.c",
     "(conn->u.frame.header.size - conn->u.frame.left) & 3", "(conn->u.frame.header.size - conn->u.frame.left) & 1"),
    ("Pong inside a frame", "pair", "send.c", "    tenon_queue_put_ref(&conn->queue, conn->ref_data, n, NULL, 0);\n",
     "    if (conn->pong_size > 0)\n        tenon_queue_put(&conn->queue, (const uint8_t *)\"\\x8a\", 2);\n"
     "    tenon_queue_put_ref(&conn->queue, conn->ref_data, n, NULL, 0);\n"),
    ("double CLOSED", "server", "conn.c", "        conn->phase = TENON_PHASE_DEAD;\n",
     "        conn->phase = conn->received_code == 1000 ? TENON_PHASE_END : TENON_PHASE_DEAD;\n"),
    ("double CLOSED, callbacks", "run", "run.c", "        event(conn, &current, user); /*", "        event(conn, &current, user), event(conn, &current, user); /*"),
    # further ones, at least one for each target
    ("a Pong that is not like its Ping", "client", "send.c", "        memcpy(pong_slot(conn), payload, n);",
     "        memcpy(pong_slot(conn), payload, n - 1);"),
    ("text with RSV bits goes unchecked", "client", "conn.h",
     "((conn->config->flags & TENON_RELAY) == 0 || (rsv & tenon_conn_foreign(conn)) == 0);", "(rsv & 0x70) == 0;"),
    ("a Close without its reason", "pair", "send.c", "    conn->close_size = (uint8_t)reason_size;", "    conn->close_size = 0;"),
    ("RELEASED forgotten", "pair", "queue.c", "        if (ref.release)\n            break;\n",
     "        if (ref.release && ref.size > 0)\n            break;\n"),
    ("a kept event is forgotten", "run", "run.c", "    if (answer == TENON_AGAIN)", "    if (answer == TENON_STOP)"),
    ("callbacks may be nested", "run", "run.c", "        answer = event(", "        tenon_guard(conn, 0);\n        answer = event("),
    ("a pump that does not deliver what it has read", "run", "run.c",
     "        read = waiting = 1;\n", "        read = 1, waiting = 0;\n"),
    ("status line, first digit", "head", "http1.c", "? c < want ||", "? c < '0' ||"),
    ("limit of fields, one too many", "head", "http1.c", "|| h->count >= limits->headers)", "|| h->count > limits->headers)"),
    ("folded line in a request", "head", "http1.c", "return h->role == TENON_SERVER || count == 0 ?", "return count == 0 ?"),
    ("Content-Length of an upgrade", "head", "field.c", "if (i == 0 || i < value.size)", "if (i == 0)"),
    ("a second Sec-WebSocket-Key", "head", "handshake_server.c", '"Sec-WebSocket-Key") != 1', '"Sec-WebSocket-Key") == 0'),
    ("accept value of the wrong case", "head", "handshake_client.c",
     "return tenon_same(value, tenon_string(accept, sizeof accept));", "return tenon_alike(value, tenon_string(accept, sizeof accept));"),
    ("escaped octet that is no token", "field", "field.c", "if (i == s.size || !tenon_is_tchar((uint8_t)s.data[i]))",
     "if (i == s.size || (!tenon_is_tchar((uint8_t)s.data[i]) && (i == 0 || s.data[i - 1] != '\\\\')))"),
    ("empty quoted value", "field", "field.c", "return s.size > 0;", "return 1;"),
    ("a list over lines", "field", "field.c", "} while (tenon_field_seek(fields, name, &cursor->position,",
     "} while (cursor->position == 0 && tenon_field_seek(fields, name, &cursor->position,"),
    ("port 65536", "uri", "uri.c", "#define PORT_MAX 65535u", "#define PORT_MAX 65536u"),
    ("fragment in a path", "uri", "uri.c", "&& s[i] < 0x7f && s[i] != '#'", "&& s[i] < 0x7f"),
    ("surrogates", "utf8", "utf8.c", "octet == 0xed ? 0x9f : octet", "octet"),
    ("beyond U+10FFFF", "utf8", "utf8.c", "octet == 0xf4 ? 0x8f : 0xbf", "0xbf"),
    ("beyond U+10FFFF, in the table", "utf8", "utf8.c", "CONT_9 WORD(BAD, GOOD, ONE, BAD, ONE, TWO, TWO, BAD)",
     "CONT_9 WORD(BAD, GOOD, ONE, BAD, ONE, TWO, TWO, TWO)"),
    ("octets behind a bad one are touched", "mask", "mask.c",
     "            tenon_mask(to + i, to + i, end - i, key, phase + i);\n", ""),
    ("window with a leading zero", "negotiate", "agree.c", "|| (digits == 0 && c == '0') ", ""),
    ("a client that cannot be told its window", "negotiate", "agree.c", "if (agreed->in_bits < 15 && !t->has_client_bits)",
     "if (agreed->in_bits < 9 && !t->has_client_bits)"),
    ("an answer without the takeover asked for", "negotiate", "agree.c",
     "if ((deflate->flags & TENON_DEFLATE_RESET_IN) != 0 && !t->server_reset)", "if (deflate->in_bits == 99)"),
    ("a length in more octets than needed", "frame", "frame.h", "h->size < TENON_LENGTH_16 :", "h->size < TENON_LENGTH_16 - 1 :"),
    ("an empty compressed message", "deflate", "deflate.c", "    if (!f->fed)\n", "    if (f->fed > 1)\n"),
)

CLANG = ["clang-19", "-std=c99", "-g", "-O1", "-fno-omit-frame-pointer", "-Iinclude", "-Ilib", "-fno-sanitize-recover=all"]


def flags(memory):
    if memory:
        return ["-fsanitize=memory", "-fsanitize-memory-track-origins", "-fsanitize-coverage=trace-pc"]
    return ["-fsanitize=address,undefined", "-fsanitize=fuzzer-no-link", "-fsanitize-coverage=trace-pc"]


def compile_to(work, options, source):
    here = work / (source.stem + ".o")
    subprocess.run(CLANG[:1] + ["-I" + str(work / "lib")] + CLANG[1:] + options + ["-c", str(source), "-o", str(here)],
                   cwd=ROOT, check=True)
    return here


def of_target(work, target):
    """The target itself, which sees headers of the library, too: as fuzz/run.sh builds it."""
    role = target in ("server", "client")
    options = ["-fsanitize=address,undefined", "-DFUZZ_EDGES"]
    options += ["-DTENON_FUZZ_ROLE=TENON_" + target.upper()] if role else []
    return compile_to(work, options, pathlib.Path("fuzz/fuzz_%s.c" % ("conn" if role else target)))


def make(work, target, memory, name, wrong):
    """A program with that one file wrong."""
    built = ROOT / "build/fuzz" / ("replay_memory" if memory else "libfuzzer")
    source = work / "lib" / name
    shutil.copytree(ROOT / "lib", work / "lib")
    source.write_text(wrong)
    header = source.suffix == ".h"
    here = [compile_to(work, flags(memory), s) for s in (sorted((work / "lib").glob("*.c")) if header else [source])]
    main = of_target(work, target) if header else built / (target + ".o")
    names = [o.name for o in here]
    objects = [str(o) for o in (built / "objects").glob("*.o") if o.name not in names]
    link = ["-fsanitize=memory"] if memory else ["-fsanitize=fuzzer,address,undefined", "-lz"]
    program = work / target
    subprocess.run(["clang-19", *link, "-Wl,--wrap=__sanitizer_cov_trace_pc", str(main), *map(str, here), *objects,
                    "-o", str(program)] + link[1:], cwd=ROOT, check=True)
    return program


def run(program, target, memory, seconds, work):
    corpus = ROOT / "fuzz/corpus" / ("conn" if target in ("server", "client") else target)
    kept = work / "corpus"
    kept.mkdir()
    if memory:
        command = [str(program)] + sorted(str(f) for f in corpus.iterdir())
    else:
        words = ROOT / "fuzz" / (corpus.name + ".dict")
        command = [str(program), "-max_total_time=%d" % seconds, "-timeout=10", "-max_len=600", str(kept), str(corpus)]
        command[1:1] = ["-dict=%s" % words] if words.exists() else []
    since = time.monotonic()
    done = subprocess.run(command, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    took = time.monotonic() - since
    lines = [line for line in done.stdout.decode("latin-1").splitlines()
             if "runtime error:" in line or ".c:" in line and line.startswith("fuzz") or "ERROR: " in line or "WARNING: Mem" in line]
    return done.returncode != 0, took, lines[0].strip() if lines else "?"


def prove(name, target, file, good, bad, seconds):
    memory = target.startswith(MEMORY)
    target = target.split("_")[-1]
    text = (ROOT / "lib" / file).read_text()
    if text.count(good) != 1:
        return "FAIL %s: its line stands %d times in lib/%s" % (name, text.count(good), file)
    work = ROOT / "build/fuzz/proof"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        program = make(work, target, memory, file, text.replace(good, bad))
    except subprocess.CalledProcessError:
        return "FAIL %s: what is wrong does not compile any more" % name
    found, took, line = run(program, target, memory, seconds, work)
    return "%s %s: %s%s, %.1f s, %s" % ("OK" if found else "FAIL", name, target, " (MSan)" if memory else "", took, line[:110])


def main():
    words = sys.argv[1:]
    seconds = int(words.pop(0)) if words and words[0].isdigit() else 20
    bad = 0
    for name, target, file, good, wrong in WRONG:
        if words and not any(word in name for word in words):
            continue
        said = prove(name, target, file, good, wrong, seconds)
        bad += said.startswith("FAIL")
        print(said, flush=True)
    return 1 if bad else 0


sys.exit(main())
