/* SPDX-License-Identifier: MIT */
/*
 * The normalised log: one line an event, adjacent pieces as one, WRITABLE and
 * RELEASED left out. What is expected is brought into the same form.
 */
#include "transcript.h"

#define MANY 64

uint64_t checksum(uint64_t sum, const uint8_t *data, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++)
        sum = (sum ^ data[i]) * 1099511628211u;
    return sum;
}

void put_hex(octets *to, const uint8_t *data, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    size_t i, shown = n > 4 * MANY ? MANY : n;
    for (i = 0; i < shown; i++) {
        char two[2];
        two[0] = digits[data[i] >> 4];
        two[1] = digits[data[i] & 15];
        put_octets(to, two, 2);
    }
    if (shown < n)
        put_text(to, "... %lu octets, sum %016llx", (unsigned long)n, (unsigned long long)checksum(SUM_BEGIN, data, n));
}

/* As text if it is short and plain, else as hexadecimal digits. */
static void put_value(octets *to, const uint8_t *data, size_t n)
{
    size_t i;
    int plain = n <= MANY;
    for (i = 0; i < n && plain; i++)
        plain = data[i] >= 0x20 && data[i] < 0x7f;
    if (!plain) {
        put_hex(to, data, n);
        return;
    }
    put_octets(to, "\"", 1);
    put_octets(to, data, n);
    put_octets(to, "\"", 1);
}

/* -------------------------------------------------------------------- names */

int status_number(const char *name)
{
    int status;
    for (status = 0; status >= -100; status--) {
        if (strncmp(tenon_status_name(status), "TENON_ERR_", 10) == 0
            && strcmp(tenon_status_name(status) + 10, name) == 0)
            return status;
    }
    return 0;
}

int event_number(const char *name)
{
    int type;
    for (type = TENON_EV_REQUEST; type <= TENON_EV_CLOSED; type++) {
        if (strcmp(tenon_event_name(type), name) == 0)
            return type;
    }
    return 0;
}

int state_number(const char *name)
{
    int state;
    for (state = TENON_CONNECTING; state <= TENON_CLOSED; state++) {
        if (strcmp(tenon_state_name(state), name) == 0)
            return state;
    }
    return -1;
}

static int rule_known(const char *name)
{
    int rule;
    for (rule = 0; rule < 200; rule++) {
        if (strcmp(tenon_rule_name(rule), name) == 0)
            return strcmp(name, "unknown") != 0;
    }
    return 0;
}

/* --------------------------------------------------------------- what comes */

enum { DATA_FIRST = TENON_FIRST, DATA_LAST = TENON_LAST, DATA_CUT = 0x8000 };

static void put_data_line(octets *log, int chunks, int opcode, int marks, const uint8_t *data, size_t n)
{
    put_text(log, "DATA %s ", opcode == TENON_TEXT ? "text" : opcode == TENON_BINARY ? "binary" : "?");
    put_value(log, data, n);
    if (marks & 0x70)
        put_text(log, " rsv=%d", (marks >> 4) & 7);
    if (chunks)
        put_text(log, "%s%s%s", marks & DATA_FIRST ? " first" : "", marks & DATA_LAST ? " last" : "",
                 marks & DATA_CUT ? " cut" : "");
    put_text(log, "\n");
}

void log_flush(run *r)
{
    int chunks = (r->test->config.flags & TENON_CHUNKS) != 0;
    if (r->pending_type == TENON_EV_DATA)
        put_data_line(&r->log, chunks, r->pending_opcode, r->pending_flags, r->pending.data, r->pending.size);
    if (r->pending_type == TENON_EV_BODY) {
        put_text(&r->log, "BODY ");
        put_value(&r->log, r->pending.data, r->pending.size);
        put_text(&r->log, "\n");
    }
    r->pending_type = 0;
    clear_octets(&r->pending);
}

/* What an event with data says about its place must fit what came before. */
static void check_piece(run *r, const tenon_event *e)
{
    int all = TENON_FIRST | TENON_LAST | TENON_FRAME_FIRST | TENON_FRAME_LAST;
    int inflated = r->test->deflate.codec != NULL; /* then frames have other sizes */
    if ((r->test->config.flags & TENON_CHUNKS) == 0) {
        if ((e->flags & all) != all || e->offset != 0 || (e->frame_size > e->size && !inflated))
            fail(r, "a whole message with flags %x, offset %llu", e->flags, (unsigned long long)e->offset);
        return;
    }
    if (e->flags & TENON_FIRST)
        r->message_size = 0;
    if (e->flags & TENON_FRAME_FIRST)
        r->frame_given = 0;
    if (e->offset != r->message_size)
        fail(r, "a piece at %llu of its message, not %llu", (unsigned long long)e->offset,
             (unsigned long long)r->message_size);
    r->message_size += e->size;
    r->frame_given += e->size;
    if (e->size == 0 && (e->flags & TENON_LAST) == 0)
        fail(r, "an empty piece that ends nothing");
    if ((e->flags & TENON_LAST) != 0 && (e->flags & TENON_FRAME_LAST) == 0)
        fail(r, "a message ends inside a frame");
    if (inflated)
        return;
    /* Text that ends too soon has all its octets told, and no end. */
    if ((e->flags & TENON_FRAME_LAST) ? r->frame_given != e->frame_size : r->frame_given > e->frame_size)
        fail(r, "%llu octets of a frame of %llu", (unsigned long long)r->frame_given,
             (unsigned long long)e->frame_size);
}

static void log_data(run *r, const tenon_event *e)
{
    int goes_on = r->pending_type == TENON_EV_DATA && (e->flags & TENON_FRAME_FIRST) == 0
                  && (e->flags & TENON_FIRST) == 0;
    check_piece(r, e);
    if (!goes_on) {
        log_flush(r);
        r->pending_type = TENON_EV_DATA;
        r->pending_opcode = e->opcode;
        r->pending_flags = e->flags & (TENON_FIRST | 0x70);
    } else if (r->pending_opcode != e->opcode || (r->pending_flags & 0x70) != (e->flags & 0x70)) {
        fail(r, "a frame changes in the middle");
    }
    put_octets(&r->pending, e->data, e->size);
    r->pending_flags &= ~DATA_CUT;
    r->pending_flags |= (int)(e->flags & TENON_LAST);
    if ((e->flags & TENON_FRAME_LAST) == 0)
        r->pending_flags |= DATA_CUT;
}

static void log_request(run *r, const tenon_event *e)
{
    tenon_head head;
    if (tenon_head_get(r->conn, &head) != TENON_OK) {
        fail(r, "REQUEST without a head");
        return;
    }
    put_text(&r->log, "REQUEST ");
    put_value(&r->log, (const uint8_t *)head.target.data, head.target.size);
    put_text(&r->log, " authority=");
    put_value(&r->log, (const uint8_t *)head.authority.data, head.authority.size);
    if (head.origin.data != NULL) {
        put_text(&r->log, " origin=");
        put_value(&r->log, (const uint8_t *)head.origin.data, head.origin.size);
    }
    put_text(&r->log, "%s\n", e->flags & TENON_PLAIN ? " plain" : "");
    if (head.version != 0x0101 || head.status != 0 || head.method.size != 3 || memcmp(head.method.data, "GET", 3) != 0)
        fail(r, "not the head of a GET of HTTP/1.1");
}

static void log_response(run *r)
{
    tenon_head head;
    if (tenon_head_get(r->conn, &head) != TENON_OK) {
        fail(r, "RESPONSE without a head");
        return;
    }
    put_text(&r->log, "RESPONSE %u ", head.status);
    put_value(&r->log, (const uint8_t *)head.reason.data, head.reason.size);
    put_text(&r->log, "\n");
}

/* Which octet of the input as written that one of the stream is; a key belongs to
 * the octet before it. -1: none. */
static long written_place(const run *r, uint64_t offset)
{
    size_t i = r->places_count;
    while (i > 0 && r->places[i - 1] > offset)
        i--;
    return i == r->places_count && r->places[i - 1] != offset ? -1 : (long)i - 1;
}

static void put_closed(octets *to, const tenon_event *e, long at)
{
    static const char *const causes[] = {"none", "local", "remote"};
    put_text(to, "CLOSED code=%u sent=%u received=%u cause=%s rule=%s at=%ld clean=%s reason=", e->code, e->sent_code,
             e->received_code, e->cause <= 2 ? causes[e->cause] : "?", tenon_rule_name(e->rule), at,
             e->flags & TENON_CLEAN ? "yes" : "no");
    put_value(to, e->data, e->size);
    put_text(to, "\n");
}

void log_event(run *r, const tenon_event *e)
{
    if (e->type == TENON_EV_WRITABLE || e->type == TENON_EV_RELEASED)
        return;
    if (e->type == TENON_EV_DATA) {
        log_data(r, e);
        return;
    }
    if (e->type == TENON_EV_BODY) {
        if (r->pending_type != TENON_EV_BODY)
            log_flush(r);
        r->pending_type = TENON_EV_BODY;
        put_octets(&r->pending, e->data, e->size);
        return;
    }
    log_flush(r);
    if (e->type == TENON_EV_REQUEST)
        log_request(r, e);
    if (e->type == TENON_EV_RESPONSE)
        log_response(r);
    if (e->type == TENON_EV_CLOSED)
        put_closed(&r->log, e, e->rule == TENON_RULE_NONE ? (long)e->offset : written_place(r, e->offset));
    if (e->type != TENON_EV_OPEN && e->type != TENON_EV_PING && e->type != TENON_EV_PONG && e->type != TENON_EV_CLOSE)
        return;
    put_text(&r->log, "%s ", tenon_event_name(e->type));
    if (e->type == TENON_EV_CLOSE)
        put_text(&r->log, "%u ", e->code);
    if (e->type == TENON_EV_OPEN && e->data == NULL)
        put_text(&r->log, "-");
    else
        put_value(&r->log, e->data, e->size);
    if (e->flags & TENON_OWN)
        put_text(&r->log, " own rtt=%lu", (unsigned long)e->rtt_ms);
    put_text(&r->log, "\n");
}

/* ---------------------------------------------------------- what is expected */

static int is_mark(const token *t)
{
    return is_word(t, "first") || is_word(t, "last") || is_word(t, "cut") || is_word(t, "own")
           || is_word(t, "plain") || (!t->quoted && strchr(t->word, '=') != NULL);
}

/* The octets of the tokens from i up to the marks; *i goes there. */
static int value_of(const words *w, size_t *i, octets *value)
{
    size_t from = *i;
    while (*i < w->count && !is_mark(&w->tokens[*i]))
        (*i)++;
    return data_of(w, from, *i, value);
}

static int expected_data(const words *w, octets *out)
{
    octets value = {NULL, 0, 0};
    int opcode, chunks = 0, marks = 0, good;
    size_t i = 3;
    if (w->count < 4)
        return 0;
    opcode = is_word(&w->tokens[2], "text") ? TENON_TEXT : is_word(&w->tokens[2], "binary") ? TENON_BINARY : 0;
    good = opcode != 0 && value_of(w, &i, &value);
    for (; i < w->count && good; i++) {
        const token *t = &w->tokens[i];
        chunks |= strncmp(t->word, "rsv=", 4) != 0;
        if (is_word(t, "first"))
            marks |= DATA_FIRST;
        else if (is_word(t, "last"))
            marks |= DATA_LAST;
        else if (is_word(t, "cut"))
            marks |= DATA_CUT;
        else if (strlen(t->word) == 5 && strncmp(t->word, "rsv=", 4) == 0)
            marks |= (t->word[4] - '0') << 4;
        else
            good = 0;
    }
    if (good)
        put_data_line(out, chunks, opcode, marks, value.data, value.size);
    free_octets(&value);
    return good;
}

static int expected_request(const words *w, octets *out)
{
    const token *t = find_key(w, 3, "authority");
    size_t marks = 0;
    if (w->count < 4 || t == NULL)
        return 0;
    put_text(out, "REQUEST ");
    put_value(out, (const uint8_t *)w->tokens[2].word, strlen(w->tokens[2].word));
    put_text(out, " authority=");
    put_value(out, t->value.data, t->value.size);
    t = find_key(w, 3, "origin");
    if (t != NULL) {
        put_text(out, " origin=");
        put_value(out, t->value.data, t->value.size);
        marks++;
    }
    if (is_word(&w->tokens[w->count - 1], "plain")) {
        put_text(out, " plain");
        marks++;
    }
    put_text(out, "\n");
    return w->count == 4 + marks;
}

static int number_key(const words *w, const char *key, uint64_t *out)
{
    const token *t = find_key(w, 1, key);
    *out = 0;
    return t == NULL || number_of(t->word + strlen(key) + 1, out);
}

static int expected_closed(const words *w, octets *out)
{
    static const char *const keys[] = {"code", "sent", "received", "cause", "rule", "at", "clean", "reason"};
    uint64_t n[4];
    size_t i, known = 0;
    const token *t;
    const char *cause, *rule = "NONE", *clean = "no";
    for (i = 0; i < sizeof keys / sizeof keys[0]; i++)
        known += find_key(w, 1, keys[i]) != NULL;
    t = find_key(w, 1, "cause");
    if (known != w->count - 1 || t == NULL || find_key(w, 1, "code") == NULL)
        return 0;
    cause = t->word + 6;
    if ((t = find_key(w, 1, "rule")) != NULL)
        rule = t->word + 5;
    if ((t = find_key(w, 1, "clean")) != NULL)
        clean = t->word + 6;
    if (!number_key(w, "code", &n[0]) || !number_key(w, "sent", &n[1]) || !number_key(w, "received", &n[2])
        || !number_key(w, "at", &n[3]) || (find_key(w, 1, "rule") != NULL && !rule_known(rule)))
        return 0;
    put_text(out, "CLOSED code=%u sent=%u received=%u cause=%s rule=%s at=%lu clean=%s reason=", (unsigned)n[0],
             (unsigned)n[1], (unsigned)n[2], cause, rule, (unsigned long)n[3], clean);
    t = find_key(w, 1, "reason");
    put_value(out, t != NULL ? t->value.data : NULL, t != NULL ? t->value.size : 0);
    put_text(out, "\n");
    return 1;
}

/* Events of a name, perhaps a number, and octets. */
static int expected_plain(const words *w, int type, octets *out)
{
    octets value = {NULL, 0, 0};
    uint64_t number;
    size_t i = 2;
    int good;
    put_text(out, "%s ", tenon_event_name(type));
    if (type == TENON_EV_CLOSE || type == TENON_EV_RESPONSE) {
        if (w->count < 3 || !number_of(w->tokens[2].word, &number))
            return 0;
        put_text(out, "%u ", (unsigned)number);
        i = 3;
    }
    if (type == TENON_EV_OPEN && w->count == 2) {
        put_text(out, "-\n");
        return 1;
    }
    good = value_of(w, &i, &value);
    put_value(out, value.data, value.size);
    free_octets(&value);
    if (good && type == TENON_EV_PONG && i + 2 == w->count && is_word(&w->tokens[i], "own")
        && number_key(w, "rtt", &number)) {
        put_text(out, " own rtt=%u", (unsigned)number);
        i += 2;
    }
    put_text(out, "\n");
    return good && i == w->count;
}

int expected_line(const words *w, octets *out)
{
    int type;
    if (is_word(&w->tokens[0], "closed"))
        return expected_closed(w, out);
    type = w->count > 1 ? event_number(w->tokens[1].word) : 0;
    if (type == TENON_EV_DATA)
        return expected_data(w, out);
    if (type == TENON_EV_REQUEST)
        return expected_request(w, out);
    if (type == 0 || type == TENON_EV_CLOSED || type == TENON_EV_WRITABLE || type == TENON_EV_RELEASED)
        return 0;
    return expected_plain(w, type, out);
}
