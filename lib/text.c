/* SPDX-License-Identifier: MIT */
#include "base.h"

/* A table in the order of its numbers would need the gaps filled, so each entry says its own. */
typedef struct entry {
    int number;
    const char *name;
    const char *text;
    const char *section;
} entry;

static const entry rules[] = {
    {TENON_RULE_NONE, "NONE", "no rule was broken", ""},
    {TENON_RULE_RSV, "RSV", "a reserved bit is set that no extension defines", "RFC 6455, 5.2"},
    {TENON_RULE_OPCODE, "OPCODE", "the opcode is reserved", "RFC 6455, 5.2"},
    {TENON_RULE_CONTROL_FIN, "CONTROL_FIN", "a control frame is fragmented", "RFC 6455, 5.5"},
    {TENON_RULE_CONTROL_SIZE, "CONTROL_SIZE", "a control frame is longer than 125 octets", "RFC 6455, 5.5"},
    {TENON_RULE_MASK_MISSING, "MASK_MISSING", "a client's frame is not masked", "RFC 6455, 5.1"},
    {TENON_RULE_MASK_PRESENT, "MASK_PRESENT", "a server's frame is masked", "RFC 6455, 5.1"},
    {TENON_RULE_LENGTH_MINIMAL, "LENGTH_MINIMAL", "the payload length is not in its shortest form", "RFC 6455, 5.2"},
    {TENON_RULE_LENGTH_RANGE, "LENGTH_RANGE", "the highest bit of the payload length is set", "RFC 6455, 5.2"},
    {TENON_RULE_CONTINUATION, "CONTINUATION", "a continuation frame continues no message", "RFC 6455, 5.4"},
    {TENON_RULE_UNFINISHED, "UNFINISHED", "a message begins inside an unfinished one", "RFC 6455, 5.4"},
    {TENON_RULE_UTF8, "UTF8", "text is not UTF-8", "RFC 6455, 8.1"},
    {TENON_RULE_UTF8_END, "UTF8_END", "text ends inside a code point", "RFC 6455, 8.1"},
    {TENON_RULE_CLOSE_SIZE, "CLOSE_SIZE", "a Close frame has half a status code", "RFC 6455, 5.5.1"},
    {TENON_RULE_CLOSE_CODE, "CLOSE_CODE", "a Close frame carries a status code that must not be sent", "RFC 6455, 7.4"},
    {TENON_RULE_CLOSE_UTF8, "CLOSE_UTF8", "the reason of a Close frame is not UTF-8", "RFC 6455, 5.5.1"},
    {TENON_RULE_MESSAGE_SIZE, "MESSAGE_SIZE", "a message is larger than the limit", "RFC 6455, 10.4"},
    {TENON_RULE_FRAGMENTS, "FRAGMENTS", "a message has more frames than the limit", "RFC 6455, 10.4"},
    {TENON_RULE_CONTROL_FLOOD, "CONTROL_FLOOD", "more control frames than the limit, without data", "RFC 6455, 10.4"},
    {TENON_RULE_DEFLATE, "DEFLATE", "the compressed message is not DEFLATE", "RFC 7692, 7.2.2"},
    {TENON_RULE_DEFLATE_END, "DEFLATE_END", "the compressed message ends inside a block", "RFC 7692, 7.2.2"},
    {TENON_RULE_DEFLATE_EMPTY, "DEFLATE_EMPTY", "the compressed message has no octet", "RFC 7692, 7.2.3.6"},
    {TENON_RULE_DEFLATE_AGREED, "DEFLATE_AGREED", "the agreement on compression is not valid", "RFC 7692, 7"},
    {TENON_RULE_CODEC, "CODEC", "the codec failed to compress", "RFC 7692, 7.2.1"},
    {TENON_RULE_START_LINE, "START_LINE", "the request or status line is malformed", "RFC 9112, 3 and 4"},
    {TENON_RULE_LINE_END, "LINE_END", "CR or LF stands alone", "RFC 9112, 2.2"},
    {TENON_RULE_FIELD_NAME, "FIELD_NAME", "a field name is not a token, or no colon follows it", "RFC 9112, 5.1"},
    {TENON_RULE_FIELD_VALUE, "FIELD_VALUE", "a field value holds a control character", "RFC 9110, 5.5"},
    {TENON_RULE_FOLD, "FOLD", "a line begins with white space", "RFC 9112, 5.2"},
    {TENON_RULE_HEAD_SIZE, "HEAD_SIZE", "the head is larger than the limit", "RFC 9110, 5.4"},
    {TENON_RULE_TARGET_SIZE, "TARGET_SIZE", "the request target is longer than the limit", "RFC 9112, 3"},
    {TENON_RULE_HEADERS, "HEADERS", "there are more header fields than the limit", "RFC 9110, 5.4"},
    {TENON_RULE_HTTP_VERSION, "HTTP_VERSION", "the HTTP version cannot carry the upgrade", "RFC 6455, 4.1"},
    {TENON_RULE_METHOD, "METHOD", "the method is not GET", "RFC 6455, 4.1"},
    {TENON_RULE_TARGET, "TARGET", "the request target has a form that GET cannot have", "RFC 9112, 3.2"},
    {TENON_RULE_HOST, "HOST", "Host is missing, repeated or malformed", "RFC 9112, 3.2"},
    {TENON_RULE_BODY, "BODY", "an upgrade announces content, or its framing is ambiguous", "RFC 9112, 6.3"},
    {TENON_RULE_TRANSFER_CODING, "TRANSFER_CODING", "the transfer coding is unknown", "RFC 9112, 6.1"},
    {TENON_RULE_EXPECT, "EXPECT", "the expectation cannot be met", "RFC 9110, 10.1.1"},
    {TENON_RULE_UPGRADE, "UPGRADE", "Upgrade does not name websocket", "RFC 6455, 4.1 and 4.2.1"},
    {TENON_RULE_CONNECTION, "CONNECTION", "Connection does not name Upgrade", "RFC 6455, 4.1 and 4.2.1"},
    {TENON_RULE_KEY, "KEY", "Sec-WebSocket-Key is missing, repeated or not 16 octets", "RFC 6455, 4.2.1"},
    {TENON_RULE_VERSION, "VERSION", "Sec-WebSocket-Version is not 13", "RFC 6455, 4.2.1 and 4.4"},
    {TENON_RULE_SUBPROTOCOL, "SUBPROTOCOL", "Sec-WebSocket-Protocol is malformed or names what was not offered",
     "RFC 6455, 4.1 and 11.3.4"},
    {TENON_RULE_EXTENSION, "EXTENSION", "Sec-WebSocket-Extensions is malformed or names what was not offered",
     "RFC 6455, 9.1"},
    {TENON_RULE_ACCEPT, "ACCEPT", "Sec-WebSocket-Accept is missing, repeated or wrong", "RFC 6455, 4.1"},
    {TENON_RULE_STATUS, "STATUS", "the server did not switch protocols", "RFC 6455, 4.1"},
    {TENON_RULE_INTERIM, "INTERIM", "too many interim answers", "RFC 9110, 15.2"},
    {TENON_RULE_EARLY, "EARLY", "the server spoke before it was asked", "RFC 9112, 9.2"},
    {TENON_RULE_PSEUDO, "PSEUDO", "a pseudo-header is missing, repeated, unknown or out of place", "RFC 8441, 4"},
    {TENON_RULE_PROTOCOL, "PROTOCOL", ":protocol is not websocket", "RFC 9220, 3"},
    {TENON_RULE_SCHEME, "SCHEME", ":scheme is neither http nor https", "RFC 8441, 5"},
    {TENON_RULE_FIELD_FORBIDDEN, "FIELD_FORBIDDEN", "a field that HTTP/2 and HTTP/3 forbid", "RFC 9113, 8.2"},
    {TENON_RULE_HANDSHAKE_TIMEOUT, "HANDSHAKE_TIMEOUT", "the opening handshake took too long", "RFC 6455, 10.4"},
    {TENON_RULE_IDLE_TIMEOUT, "IDLE_TIMEOUT", "nothing was received for too long", "RFC 6455, 7.3"},
    {TENON_RULE_PONG_TIMEOUT, "PONG_TIMEOUT", "nothing was received after a Ping", "RFC 6455, 5.5.2"},
    {TENON_RULE_CLOSE_TIMEOUT, "CLOSE_TIMEOUT", "the peer did not finish the closing handshake in time",
     "RFC 6455, 7.1.1"},
    {TENON_RULE_STALL_TIMEOUT, "STALL_TIMEOUT", "the transport took no output for too long", "RFC 6455, 10.4"},
    {TENON_RULE_EOF, "EOF", "the stream ended without a Close frame", "RFC 6455, 7.1.5"},
    {TENON_RULE_ABORT, "ABORT", "the transport was lost or given up", "RFC 6455, 7.1.5"},
    {TENON_RULE_RANDOM, "RANDOM", "no random octets were to be had", "RFC 6455, 10.3"},
    {TENON_RULE_REJECTED, "REJECTED", "the program refused the request", "RFC 6455, 4.2.2"},
};

static const entry closes[] = {
    {TENON_CLOSE_NORMAL, "normal closure", NULL, NULL},
    {TENON_CLOSE_GOING_AWAY, "going away", NULL, NULL},
    {TENON_CLOSE_PROTOCOL, "protocol error", NULL, NULL},
    {TENON_CLOSE_UNSUPPORTED, "unsupported data", NULL, NULL},
    {TENON_CLOSE_NONE, "no status code", NULL, NULL},
    {TENON_CLOSE_ABNORMAL, "abnormal closure", NULL, NULL},
    {TENON_CLOSE_DATA, "invalid payload data", NULL, NULL},
    {TENON_CLOSE_POLICY, "policy violation", NULL, NULL},
    {TENON_CLOSE_TOO_BIG, "message too big", NULL, NULL},
    {TENON_CLOSE_EXTENSION, "mandatory extension", NULL, NULL},
    {TENON_CLOSE_INTERNAL, "internal error", NULL, NULL},
    {TENON_CLOSE_RESTART, "service restart", NULL, NULL},
    {TENON_CLOSE_LATER, "try again later", NULL, NULL},
    {TENON_CLOSE_GATEWAY, "bad gateway", NULL, NULL},
};

static const entry statuses[] = {
    {TENON_OK, "TENON_OK", NULL, NULL},
    {TENON_EVENT, "TENON_EVENT", NULL, NULL},
    {TENON_STOPPED, "TENON_STOPPED", NULL, NULL},
    {TENON_DONE, "TENON_DONE", NULL, NULL},
    {TENON_MORE, "TENON_MORE", NULL, NULL},
    {TENON_WAIT, "TENON_WAIT", NULL, NULL},
    {TENON_END, "TENON_END", NULL, NULL},
    {TENON_ERR_NULL, "TENON_ERR_NULL", NULL, NULL},
    {TENON_ERR_SIZE, "TENON_ERR_SIZE", NULL, NULL},
    {TENON_ERR_ARG, "TENON_ERR_ARG", NULL, NULL},
    {TENON_ERR_STATE, "TENON_ERR_STATE", NULL, NULL},
    {TENON_ERR_REENTRY, "TENON_ERR_REENTRY", NULL, NULL},
    {TENON_ERR_BUSY, "TENON_ERR_BUSY", NULL, NULL},
    {TENON_ERR_AGAIN, "TENON_ERR_AGAIN", NULL, NULL},
    {TENON_ERR_TOO_BIG, "TENON_ERR_TOO_BIG", NULL, NULL},
    {TENON_ERR_UTF8, "TENON_ERR_UTF8", NULL, NULL},
    {TENON_ERR_CODE, "TENON_ERR_CODE", NULL, NULL},
    {TENON_ERR_CONTROL_SIZE, "TENON_ERR_CONTROL_SIZE", NULL, NULL},
    {TENON_ERR_RANDOM, "TENON_ERR_RANDOM", NULL, NULL},
    {TENON_ERR_HEADER, "TENON_ERR_HEADER", NULL, NULL},
    {TENON_ERR_URI, "TENON_ERR_URI", NULL, NULL},
    {TENON_ERR_SUBPROTOCOL, "TENON_ERR_SUBPROTOCOL", NULL, NULL},
    {TENON_ERR_EXTENSION, "TENON_ERR_EXTENSION", NULL, NULL},
    {TENON_ERR_ACK, "TENON_ERR_ACK", NULL, NULL},
    {TENON_ERR_STATUS, "TENON_ERR_STATUS", NULL, NULL},
    {TENON_ERR_PROTOCOL, "TENON_ERR_PROTOCOL", NULL, NULL},
    {TENON_ERR_IO, "TENON_ERR_IO", NULL, NULL},
};

static const entry events[] = {
    {TENON_EV_REQUEST, "REQUEST", NULL, NULL},   {TENON_EV_RESPONSE, "RESPONSE", NULL, NULL},
    {TENON_EV_OPEN, "OPEN", NULL, NULL},         {TENON_EV_DATA, "DATA", NULL, NULL},
    {TENON_EV_BODY, "BODY", NULL, NULL},         {TENON_EV_PING, "PING", NULL, NULL},
    {TENON_EV_PONG, "PONG", NULL, NULL},         {TENON_EV_CLOSE, "CLOSE", NULL, NULL},
    {TENON_EV_WRITABLE, "WRITABLE", NULL, NULL}, {TENON_EV_RELEASED, "RELEASED", NULL, NULL},
    {TENON_EV_CLOSED, "CLOSED", NULL, NULL},
};

static const entry states[] = {
    {TENON_CONNECTING, "CONNECTING", NULL, NULL},
    {TENON_OPEN, "OPEN", NULL, NULL},
    {TENON_CLOSING, "CLOSING", NULL, NULL},
    {TENON_CLOSED, "CLOSED", NULL, NULL},
};

static const entry *find(const entry *table, size_t count, int number)
{
    static const entry unknown = {0, "unknown", "unknown", ""};
    size_t i;
    for (i = 0; i < count; i++)
        if (table[i].number == number)
            return &table[i];
    return &unknown;
}

static const entry *find_rule(int rule)
{
    return find(rules, sizeof rules / sizeof *rules, rule);
}

const char *tenon_status_name(int status)
{
    return find(statuses, sizeof statuses / sizeof *statuses, status)->name;
}

const char *tenon_event_name(int type)
{
    return find(events, sizeof events / sizeof *events, type)->name;
}

const char *tenon_state_name(int state)
{
    return find(states, sizeof states / sizeof *states, state)->name;
}

const char *tenon_close_name(int code)
{
    return find(closes, sizeof closes / sizeof *closes, code)->name;
}

const char *tenon_rule_name(int rule)
{
    return find_rule(rule)->name;
}

const char *tenon_rule_text(int rule)
{
    return find_rule(rule)->text;
}

const char *tenon_rule_section(int rule)
{
    return find_rule(rule)->section;
}

uint32_t tenon_version(void)
{
    return (uint32_t)TENON_VERSION_MAJOR << 16 | TENON_VERSION_MINOR << 8 | TENON_VERSION_PATCH;
}
