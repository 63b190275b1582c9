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
        if (is_word(t, "compress"))
            bits |= TENON_COMPRESS;
        if (is_word(t, "uncompressed"))
            bits |= TENON_UNCOMPRESSED;
        if (!t->quoted && strncmp(t->word, "rsv=", 4) == 0)
            bits |= (uint32_t)(t->word[4] - '0') << 4;
    }
    return bits;
}

static int is_flag(const token *t)
{
    return is_word(t, "trusted") || is_word(t, "last") || is_word(t, "copy") || is_word(t, "compress")
           || is_word(t, "uncompressed")
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

/* A reference that was not taken on. */
static void forget(reference *ref)
{
    free(ref->data);
    memset(ref, 0, sizeof *ref);
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
    if (status != TENON_OK)
        forget(ref);
    return status;
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
    if (status != TENON_OK || (flags & TENON_COPY) != 0)
        forget(ref);
    return status;
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
    const token *t = find_key(w, i, "header");
    char *colon;
    memset(header, 0, sizeof *header);
    *text = text_of(t);
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
    header->name_size = (size_t)(colon - *text);
    header->value_size = t->value.size - header->name_size - 2;
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
    answer.subprotocol_size = protocol != NULL ? find_key(w, i, "protocol")->value.size : 0;
    answer.extensions = extensions;
    answer.extensions_size = extensions != NULL ? find_key(w, i, "extensions")->value.size : 0;
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
    refusal.reason_size = reason != NULL ? find_key(w, i, "reason")->value.size : 0;
    refusal.header_count = header_of(r, w, i, &text, &header);
    refusal.headers = &header;
    refusal.body = ref->data;
    refusal.body_size = ref->size;
    refusal.flags = flags_of(w, i);
    refusal.cookie = ref;
    answer = tenon_reject(r->conn, &refusal);
    if (answer != TENON_OK || refusal.body_size == 0 || (refusal.flags & TENON_COPY) != 0)
        forget(ref);
    free(reason);
    free(text);
    return answer;
}

/* The strings of a request live until it is decided. */
void release_request(run *r)
{
    while (r->borrowed_count > 0)
        free(r->borrowed[--r->borrowed_count]);
    memset(&r->request, 0xA5, sizeof r->request);
}

static char *lend_text(run *r, const words *w, size_t i, const char *key)
{
    char *text = text_of(find_key(w, i, key));
    if (text != NULL)
        r->borrowed[r->borrowed_count++] = text;
    return text;
}

static int act_connect(run *r, const words *w, size_t i)
{
    tenon_request *q = &r->request;
    char *list;
    int status;
    if (r->borrowed_count > 0) /* a second request is refused, so the first one stays */
        return tenon_connect(r->conn, q);
    memset(q, 0, sizeof *q);
    q->size = (uint32_t)sizeof *q;
    q->uri = lend_text(r, w, i, "uri");
    q->authority = lend_text(r, w, i, "authority");
    q->target = lend_text(r, w, i, "target");
    q->origin = lend_text(r, w, i, "origin");
    q->extensions = lend_text(r, w, i, "extensions");
    list = lend_text(r, w, i, "protocol");
    while (list != NULL && q->subprotocol_count < 4) {
        r->names[q->subprotocol_count++] = list;
        list = strchr(list, ',');
        if (list != NULL)
            *list++ = '\0';
    }
    q->subprotocols = r->names;
    q->header_count = header_of(r, w, i, &r->borrowed[r->borrowed_count], &r->header);
    r->borrowed_count += q->header_count;
    q->headers = &r->header;
    status = tenon_connect(r->conn, q);
    if (status != TENON_OK)
        release_request(r);
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

/* rx N, tx N: lends another one; the one before is gone at once. */
static int act_lend(run *r, const words *w, size_t i)
{
    int is_rx = is_word(&w->tokens[i], "rx");
    uint8_t **place = is_rx ? &r->rx : &r->tx;
    uint64_t size = 0;
    uint8_t *memory;
    int status;
    if (i + 2 != w->count || !number_of(w->tokens[i + 1].word, &size))
        fail(r, "a size is wanted");
    memory = size > 0 ? take_memory((size_t)size) : NULL;
    if (memory != NULL)
        memset(memory, 0xA5, (size_t)size);
    status = is_rx ? tenon_lend_rx(r->conn, memory, (size_t)size) : tenon_lend_tx(r->conn, memory, (size_t)size);
    if (status != TENON_OK) {
        free(memory);
        return status;
    }
    free(*place);
    *place = memory;
    if (is_rx)
        r->rx_size = (size_t)size;
    return status;
}

static int act_block(run *r, const words *w, size_t i)
{
    r->blocked = is_word(&w->tokens[i], "block");
    return TENON_OK;
}

/* arguments: the words and keys that it takes, each with a space behind it; # stands
 * for a number or name in front, * for octets. */
static const struct {
    const char *name;
    int (*act)(run *r, const words *w, size_t i);
    const char *arguments;
} acts[] = {{"send", act_send, "*"},
            {"part", act_send, "*"},
            {"ref", act_ref, "*"},
            {"prepared", act_prepared, "*"},
            {"ping", act_control, "*"},
            {"pong", act_control, "*"},
            {"close", act_close, "*"},
            {"accept", act_accept, "protocol= extensions= header= "},
            {"reject", act_reject, "# reason= header= body= copy "},
            {"connect", act_connect, "uri= authority= target= protocol= extensions= origin= header= "},
            {"head", act_head, "# none \" "},
            {"abort", act_abort, "local remote "},
            {"grant", act_grant, "first= next= opaque "},
            {"rx", act_lend, "# "},
            {"tx", act_lend, "# "},
            {"block", act_block, ""},
            {"unblock", act_block, ""}};

#define ACTS (sizeof acts / sizeof acts[0])

static size_t act_index(const action *a)
{
    size_t i = 0;
    while (i < ACTS && !is_word(&a->words.tokens[a->first], acts[i].name))
        i++;
    return i;
}

/* Whether a token is among those of a list of words and keys. */
static int is_listed(const token *t, const char *list)
{
    size_t n = strcspn(t->word, "=");
    n += t->word[n] == '=';
    while (*list != '\0') {
        size_t length = strcspn(list, " ");
        if ((length == n && strncmp(list, t->word, n) == 0) || (*list == '"' && t->quoted && n == 0))
            return 1;
        list += length + 1;
    }
    return 0;
}

int act_known(const action *a)
{
    const words *w = &a->words;
    const char *list;
    size_t i = act_index(a), from = a->first + 1;
    if (i == ACTS)
        return is_word(&w->tokens[a->first], "echo") && w->count == from;
    list = acts[i].arguments;
    if (*list == '*')
        return 1; /* judged when it is done */
    if (*list == '#' && w->count == from++)
        return 0;
    while (from < w->count && is_listed(&w->tokens[from], list))
        from++;
    return from == w->count;
}

void act(run *r, const action *a, const tenon_event *event)
{
    size_t i = act_index(a);
    int status = i < ACTS ? acts[i].act(r, &a->words, a->first) : act_echo(r, event);
    if (status != a->status)
        fail(r, "line %d: %s gave %s, not %s", a->words.line, a->words.tokens[a->first].word,
             tenon_status_name(status), tenon_status_name(a->status));
}
