/* SPDX-License-Identifier: MIT */
/* What the program behind the library does: the actions of do and on. */
#include "transcript.h"

static uint32_t flags_of(const words *w, size_t from)
{
    uint32_t bits = 0;
    size_t i;
    for (i = from; i < w->count; i++) {
        const token *t = &w->tokens[i];
        if (is_word(t, "trusted"))
            bits |= TENON_TRUSTED;
        if (is_word(t, "last"))
            bits |= TENON_LAST;
        if (is_word(t, "copy"))
            bits |= TENON_COPY;
        if (!t->quoted && strncmp(t->word, "rsv=", 4) == 0)
            bits |= (uint32_t)(t->word[4] - '0') << 4;
    }
    return bits;
}

static int is_flag(const token *t)
{
    return is_word(t, "trusted") || is_word(t, "last") || is_word(t, "copy")
           || (!t->quoted && strncmp(t->word, "rsv=", 4) == 0);
}

/* The octets of the tokens from first up to the flags. */
static octets payload_of(run *r, const words *w, size_t first)
{
    octets value = {NULL, 0, 0};
    size_t end = first;
    while (end < w->count && !is_flag(&w->tokens[end]))
        end++;
    if (first < end && !w->tokens[first].quoted && strchr("tbcp", w->tokens[first].word[0]) != NULL
        && w->tokens[first].word[0] >= 'g')
        fail(r, "octets are wanted, not %s", w->tokens[first].word);
    else if (!data_of(w, first, end, &value))
        fail(r, "octets are wanted");
    return value;
}

static int opcode_of(run *r, const words *w, size_t i)
{
    if (i < w->count && is_word(&w->tokens[i], "text"))
        return TENON_TEXT;
    if (i < w->count && is_word(&w->tokens[i], "binary"))
        return TENON_BINARY;
    if (i < w->count && is_word(&w->tokens[i], "control"))
        return TENON_OP_PING;
    fail(r, "text or binary is wanted");
    return 0;
}

/* A copy of exactly that size, so that reading beyond it shows. */
static uint8_t *exact(const octets *o)
{
    uint8_t *copy = take_memory(o->size);
    if (o->size > 0)
        memcpy(copy, o->data, o->size);
    return copy;
}

/* ---------------------------------------------------------------- references */

static reference *keep(run *r, const octets *value)
{
    size_t i;
    for (i = 0; i < REFERENCES_MAX; i++) {
        if (r->references[i].state == 0) {
            r->references[i].data = exact(value);
            r->references[i].size = value->size;
            r->references[i].state = 1;
            return &r->references[i];
        }
    }
    fail(r, "too many references in one case");
    return &r->references[0];
}

/* The octets come back changed by nobody, and only once. */
void release(run *r, void *cookie)
{
    reference *ref = cookie;
    if (ref < r->references || ref >= r->references + REFERENCES_MAX || ref->state != 1) {
        fail(r, "RELEASED with a cookie that is not lent");
        return;
    }
    free(ref->data);
    ref->data = NULL;
    ref->state = 2;
}

static int refused(run *r, reference *ref, int status)
{
    if (status != TENON_OK) {
        free(ref->data);
        memset(ref, 0, sizeof *ref);
    }
    (void)r;
    return status;
}

/* -------------------------------------------------------------------- sends */

static int act_send(run *r, const words *w, size_t i)
{
    uint32_t flags = flags_of(w, i);
    int opcode = opcode_of(r, w, i + 1), status;
    octets value = payload_of(r, w, i + 2);
    uint8_t *data = exact(&value);
    if (is_word(&w->tokens[i], "part"))
        status = tenon_send_part(r->conn, opcode, data, value.size, flags);
    else
        status = tenon_send(r->conn, opcode, data, value.size, flags);
    free(data);
    free_octets(&value);
    return status;
}

static int act_ref(run *r, const words *w, size_t i)
{
    octets value = payload_of(r, w, i + 2);
    reference *ref = keep(r, &value);
    int status = tenon_send_ref(r->conn, opcode_of(r, w, i + 1), ref->data, ref->size, flags_of(w, i), ref);
    free_octets(&value);
    return refused(r, ref, status);
}

static int act_prepared(run *r, const words *w, size_t i)
{
    tenon_prepared prepared;
    octets value = payload_of(r, w, i + 2);
    reference *ref = keep(r, &value);
    uint32_t flags = flags_of(w, i);
    int status = tenon_prepare(&prepared, sizeof prepared, opcode_of(r, w, i + 1), ref->data, ref->size, 0);
    if (status == TENON_OK)
        status = tenon_send_prepared(r->conn, &prepared, flags, ref);
    free_octets(&value);
    if (flags & TENON_COPY) {
        free(ref->data);
        memset(ref, 0, sizeof *ref);
        return status;
    }
    return refused(r, ref, status);
}

static int act_control(run *r, const words *w, size_t i)
{
    octets value = payload_of(r, w, i + 1);
    uint8_t *data = exact(&value);
    int status = is_word(&w->tokens[i], "ping") ? tenon_ping(r->conn, data, value.size)
                                                : tenon_pong(r->conn, data, value.size);
    free(data);
    free_octets(&value);
    return status;
}

static int act_close(run *r, const words *w, size_t i)
{
    uint64_t code = TENON_CLOSE_NONE;
    octets reason = {NULL, 0, 0};
    uint8_t *text;
    int status;
    if (i + 1 >= w->count || (!is_word(&w->tokens[i + 1], "none") && !number_of(w->tokens[i + 1].word, &code)))
        fail(r, "a code or none is wanted");
    else
        reason = payload_of(r, w, i + 2);
    text = exact(&reason);
    status = tenon_close(r->conn, (int)code, reason.size > 0 ? (char *)text : NULL, reason.size);
    free(text);
    free_octets(&reason);
    return status;
}

static int act_echo(run *r, const tenon_event *e)
{
    if (e == NULL || e->type != TENON_EV_DATA) {
        fail(r, "echo without DATA");
        return TENON_OK;
    }
    return tenon_send(r->conn, e->opcode, e->data, e->size, 0);
}

/* -------------------------------------------------------------- the handshake */

static char *text_of(const token *t)
{
    char *text;
    if (t == NULL)
        return NULL;
    text = take_memory(t->value.size + 1);
    if (t->value.size > 0)
        memcpy(text, t->value.data, t->value.size);
    text[t->value.size] = '\0';
    return text;
}

/* header="Name: value" as a field whose parts live in *text. */
static size_t header_of(run *r, const words *w, size_t i, char **text, tenon_header *header)
{
    char *colon;
    memset(header, 0, sizeof *header);
    *text = text_of(find_key(w, i, "header"));
    if (*text == NULL)
        return 0;
    colon = strchr(*text, ':');
    if (colon == NULL || colon[1] != ' ') {
        fail(r, "a header is Name: value");
        return 0;
    }
    *colon = '\0';
    header->name = *text;
    header->value = colon + 2;
    return 1;
}

static int act_accept(run *r, const words *w, size_t i)
{
    tenon_answer answer;
    tenon_header header;
    char *protocol = text_of(find_key(w, i, "protocol"));
    char *extensions = text_of(find_key(w, i, "extensions"));
    char *text;
    int status;
    memset(&answer, 0, sizeof answer);
    answer.size = (uint32_t)sizeof answer;
    answer.subprotocol = protocol;
    answer.extensions = extensions;
    answer.header_count = header_of(r, w, i, &text, &header);
    answer.headers = &header;
    status = tenon_accept(r->conn, w->count == i + 1 ? NULL : &answer);
    free(protocol);
    free(extensions);
    free(text);
    return status;
}

static int act_reject(run *r, const words *w, size_t i)
{
    static const octets none = {NULL, 0, 0};
    tenon_refusal refusal;
    tenon_header header;
    const token *body = find_key(w, i, "body");
    char *reason = text_of(find_key(w, i, "reason"));
    char *text;
    uint64_t status = 0;
    reference *ref = keep(r, body != NULL ? &body->value : &none);
    int answer;
    if (i + 1 >= w->count || !number_of(w->tokens[i + 1].word, &status))
        fail(r, "a status is wanted");
    memset(&refusal, 0, sizeof refusal);
    refusal.size = (uint32_t)sizeof refusal;
    refusal.status = (uint16_t)status;
    refusal.reason = reason;
    refusal.header_count = header_of(r, w, i, &text, &header);
    refusal.headers = &header;
    refusal.body = ref->data;
    refusal.body_size = ref->size;
    refusal.flags = flags_of(w, i);
    refusal.cookie = ref;
    answer = tenon_reject(r->conn, &refusal);
    if (answer != TENON_OK || refusal.body_size == 0 || (refusal.flags & TENON_COPY) != 0)
        refused(r, ref, TENON_ERR_STATE);
    free(reason);
    free(text);
    return answer;
}

/* The strings of a request live until it is decided. */
static int act_connect(run *r, const words *w, size_t i)
{
    static const char *names[4];
    static tenon_header header;
    static char *text;
    tenon_request *q = &r->request;
    char *list = text_of(find_key(w, i, "protocol"));
    int status;
    memset(q, 0, sizeof *q);
    q->size = (uint32_t)sizeof *q;
    q->uri = text_of(find_key(w, i, "uri"));
    q->authority = text_of(find_key(w, i, "authority"));
    q->target = text_of(find_key(w, i, "target"));
    q->origin = text_of(find_key(w, i, "origin"));
    q->extensions = text_of(find_key(w, i, "extensions"));
    names[0] = list;
    while (list != NULL && q->subprotocol_count < 4) {
        names[q->subprotocol_count++] = list;
        list = strchr(list, ',');
        if (list != NULL)
            *list++ = '\0';
    }
    q->subprotocols = names;
    q->header_count = header_of(r, w, i, &text, &header);
    q->headers = &header;
    status = tenon_connect(r->conn, q);
    return status;
}

/* head Name "value", head Name none: what the head that is readable holds. */
static int act_head(run *r, const words *w, size_t i)
{
    tenon_head head;
    tenon_str value;
    int found;
    if (i + 3 != w->count) {
        fail(r, "a name and a value are wanted");
        return TENON_OK;
    }
    if (tenon_head_get(r->conn, &head) != TENON_OK)
        return TENON_ERR_STATE;
    found = tenon_header_find(&head.fields, w->tokens[i + 1].word, &value) == TENON_OK;
    if (is_word(&w->tokens[i + 2], "none") ? found
        : !found || value.size != w->tokens[i + 2].value.size
            || (value.size > 0 && memcmp(value.data, w->tokens[i + 2].value.data, value.size) != 0))
        fail(r, "field %s is \"%.*s\"", w->tokens[i + 1].word, found ? (int)value.size : 0, found ? value.data : "");
    return TENON_OK;
}

/* -------------------------------------------------------------------- others */

static int act_abort(run *r, const words *w, size_t i)
{
    int remote = i + 1 < w->count && is_word(&w->tokens[i + 1], "remote");
    return tenon_abort(r->conn, remote ? TENON_REMOTE : TENON_LOCAL);
}

static uint32_t bits_of(const words *w, size_t i, const char *key)
{
    const token *t = find_key(w, i, key);
    return t == NULL ? 0 : (uint32_t)(t->word[strlen(key) + 1] - '0') << 4;
}

static int act_grant(run *r, const words *w, size_t i)
{
    uint32_t opaque = is_word(&w->tokens[w->count - 1], "opaque") ? TENON_OPAQUE : 0;
    return tenon_grant(r->conn, bits_of(w, i, "first"), bits_of(w, i, "next"), opaque);
}

/* rx N: lends a larger one; the old one is spoilt, for nothing may be left in it. */
static int act_rx(run *r, const words *w, size_t i)
{
    uint64_t size = 0;
    uint8_t *rx;
    int status;
    if (i + 2 != w->count || !number_of(w->tokens[i + 1].word, &size))
        fail(r, "a size is wanted");
    rx = size > 0 ? take_memory((size_t)size) : NULL;
    if (rx != NULL)
        memset(rx, 0xA5, (size_t)size);
    status = tenon_lend_rx(r->conn, rx, (size_t)size);
    if (status != TENON_OK) {
        free(rx);
        return status;
    }
    free(r->rx);
    r->rx = rx;
    r->rx_size = (size_t)size;
    return status;
}

static int act_tx(run *r, const words *w, size_t i)
{
    uint64_t size = 0;
    uint8_t *tx;
    int status;
    if (i + 2 != w->count || !number_of(w->tokens[i + 1].word, &size))
        fail(r, "a size is wanted");
    tx = size > 0 ? take_memory((size_t)size) : NULL;
    if (tx != NULL)
        memset(tx, 0xA5, (size_t)size);
    status = tenon_lend_tx(r->conn, tx, (size_t)size);
    if (status != TENON_OK) {
        free(tx);
        return status;
    }
    free(r->tx);
    r->tx = tx;
    return status;
}

static int act_block(run *r, const words *w, size_t i)
{
    r->blocked = is_word(&w->tokens[i], "block");
    return TENON_OK;
}

static const struct {
    const char *name;
    int (*act)(run *r, const words *w, size_t i);
} acts[] = {{"send", act_send},       {"part", act_send},       {"ref", act_ref},       {"prepared", act_prepared},
            {"ping", act_control},    {"pong", act_control},    {"close", act_close},   {"accept", act_accept},
            {"reject", act_reject},   {"connect", act_connect}, {"head", act_head},     {"abort", act_abort},
            {"grant", act_grant},     {"rx", act_rx},           {"tx", act_tx},         {"block", act_block},
            {"unblock", act_block}};

#define ACTS (sizeof acts / sizeof acts[0])

static size_t act_index(const action *a)
{
    size_t i = 0;
    while (i < ACTS && !is_word(&a->words.tokens[a->first], acts[i].name))
        i++;
    return i;
}

int act_known(const action *a)
{
    return act_index(a) < ACTS || is_word(&a->words.tokens[a->first], "echo");
}

void act(run *r, const action *a, const tenon_event *event)
{
    size_t i = act_index(a);
    int status = i < ACTS ? acts[i].act(r, &a->words, a->first) : act_echo(r, event);
    if (status != a->status)
        fail(r, "line %d: %s gave %s, not %s", a->words.line, a->words.tokens[a->first].word,
             tenon_status_name(status), tenon_status_name(a->status));
}
