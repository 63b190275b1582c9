/* SPDX-License-Identifier: MIT */
#include "agree.h"

#include "field.h"

/* The parameters of one element. */
typedef struct terms {
    uint8_t server_reset;
    uint8_t client_reset;
    uint8_t server_bits; /* 0: not there */
    uint8_t client_bits;
    uint8_t has_client_bits; /* also without a value, in an offer */
} terms;

/* ------------------------------------------------------------------- reading */

/* 8 to 15 in decimal without leading zero, or 0. A value that was quoted may have
 * backslashes, which stand for nothing. */
static uint8_t window_bits(tenon_str value)
{
    unsigned number = 0;
    size_t i, digits = 0;
    for (i = 0; i < value.size; i++) {
        char c = value.data[i];
        if (c == '\\')
            continue;
        if (c < '0' || c > '9' || (digits == 0 && c == '0') || digits == 2)
            return 0;
        digits++;
        number = number * 10 + (unsigned)(c - '0');
    }
    return number >= 8 && number <= 15 ? (uint8_t)number : 0;
}

/* Takes a parameter without value, once: 1, or 0. */
static int take_flag(uint8_t *flag, tenon_str value)
{
    int first = *flag == 0;
    *flag = 1;
    return first && value.data == NULL;
}

static int take_bits(uint8_t *bits, tenon_str value)
{
    int first = *bits == 0;
    *bits = window_bits(value);
    return first && *bits != 0;
}

static int is_name(tenon_str name, const char *text)
{
    return tenon_same(name, tenon_string(text, 0));
}

/* One parameter: 1 if it is defined, valid and there for the first time. */
static int take_term(terms *t, tenon_str name, tenon_str value, int is_offer)
{
    if (is_name(name, "server_no_context_takeover"))
        return take_flag(&t->server_reset, value);
    if (is_name(name, "client_no_context_takeover"))
        return take_flag(&t->client_reset, value);
    if (is_name(name, "server_max_window_bits"))
        return take_bits(&t->server_bits, value);
    if (!is_name(name, "client_max_window_bits") || t->has_client_bits)
        return 0;
    t->has_client_bits = 1;
    if (is_offer && value.data == NULL)
        return 1;
    return take_bits(&t->client_bits, value);
}

/* All parameters of an element: 1 if they are good. */
static int read_terms(const tenon_extension *element, int is_offer, terms *t)
{
    size_t position = 0;
    tenon_str name, value;
    int status;
    memset(t, 0, sizeof *t);
    while ((status = tenon_parameter_next(element, &position, &name, &value)) == TENON_OK) {
        if (!take_term(t, name, value, is_offer))
            return 0;
    }
    return status == TENON_END;
}

/* The next element that is permessage-deflate: TENON_OK or TENON_END. */
static int next_element(const tenon_fields *fields, tenon_cursor *cursor, tenon_extension *element)
{
    int status;
    do {
        status = tenon_extension_next(fields, cursor, element);
    } while (status == TENON_OK && !is_name(element->name, TENON_AGREE_NAME));
    return status;
}

/* ------------------------------------------------------------------- writing */

static void put(char *text, const char *more)
{
    size_t at = strlen(text);
    memcpy(text + at, more, strlen(more) + 1);
}

static void put_bits(char *text, const char *name, unsigned bits)
{
    char number[4] = {'=', '1', '0', '\0'};
    put(text, "; ");
    put(text, name);
    if (bits < 10) {
        number[1] = (char)('0' + bits);
        number[2] = '\0';
    } else {
        number[2] = (char)('0' + bits - 10);
    }
    put(text, number);
}

/* -------------------------------------------------------------------- windows */

static uint8_t standard(uint8_t bits)
{
    return bits == 0 ? 15 : bits;
}

static uint8_t lesser(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

/* The largest window of its own, as far as the codec goes. */
static uint8_t own_bits(const tenon_deflate *deflate)
{
    return lesser(standard(deflate->out_bits), deflate->codec->max_bits);
}

/* --------------------------------------------------------------------- server */

/* What the server makes of an offer: 0 if it cannot keep to it. */
static int accept_offer(const tenon_deflate *deflate, const terms *t, tenon_agreed *agreed)
{
    agreed->out_bits = own_bits(deflate);
    agreed->in_bits = standard(deflate->in_bits);
    if (t->server_bits != 0)
        agreed->out_bits = lesser(agreed->out_bits, t->server_bits);
    if (agreed->out_bits < deflate->codec->min_bits)
        return 0;
    if (t->client_bits != 0)
        agreed->in_bits = lesser(agreed->in_bits, t->client_bits);
    if (agreed->in_bits < 15 && !t->has_client_bits)
        return 0; /* the client cannot be told */
    agreed->flags = (uint8_t)(deflate->flags & (TENON_DEFLATE_RESET_OUT | TENON_DEFLATE_RESET_IN));
    if (t->server_reset)
        agreed->flags |= TENON_DEFLATE_RESET_OUT;
    if (t->client_reset)
        agreed->flags |= TENON_DEFLATE_RESET_IN; /* a hint, taken up (RFC 7692, 7.1.1.2) */
    /* Many clients compress with zlib, which has no window of 2^8. */
    if (agreed->in_bits < 9)
        agreed->in_bits = 9;
    agreed->on = 1;
    return 1;
}

void tenon_agree_answer(const tenon_deflate *deflate, const tenon_fields *request, char text[TENON_DEFLATE_TEXT],
                        tenon_agreed *agreed)
{
    tenon_cursor cursor;
    tenon_extension element;
    terms t;
    memset(&cursor, 0, sizeof cursor);
    memset(agreed, 0, sizeof *agreed);
    agreed->size = (uint32_t)sizeof *agreed;
    text[0] = '\0';
    while (next_element(request, &cursor, &element) == TENON_OK) {
        tenon_agreed made = *agreed;
        if (!read_terms(&element, 1, &t) || !accept_offer(deflate, &t, &made))
            continue;
        *agreed = made;
        put(text, TENON_AGREE_NAME);
        if (agreed->flags & TENON_DEFLATE_RESET_OUT)
            put(text, "; server_no_context_takeover");
        if (agreed->flags & TENON_DEFLATE_RESET_IN)
            put(text, "; client_no_context_takeover");
        if (t.server_bits != 0)
            put_bits(text, "server_max_window_bits", agreed->out_bits);
        if (agreed->in_bits < 15) /* no more than was offered (RFC 7692, 7.1.2.2) */
            put_bits(text, "client_max_window_bits", t.client_bits == 8 ? 8 : agreed->in_bits);
        return;
    }
}

/* --------------------------------------------------------------------- client */

void tenon_agree_offer(const tenon_deflate *deflate, char text[TENON_DEFLATE_TEXT])
{
    text[0] = '\0';
    put(text, TENON_AGREE_NAME);
    if (deflate->flags & TENON_DEFLATE_RESET_IN)
        put(text, "; server_no_context_takeover");
    if (deflate->flags & TENON_DEFLATE_RESET_OUT)
        put(text, "; client_no_context_takeover");
    if (standard(deflate->in_bits) < 15)
        put_bits(text, "server_max_window_bits", deflate->in_bits);
    if (own_bits(deflate) < 15)
        put_bits(text, "client_max_window_bits", own_bits(deflate));
    else
        put(text, "; client_max_window_bits");
}

/* Whether the answer keeps to the offer (RFC 7692, 7.1). What it says beyond it is
 * legal, and only a promise of the server's. */
static int keeps_to(const tenon_deflate *deflate, const terms *t)
{
    uint8_t asked = standard(deflate->in_bits);
    if ((deflate->flags & TENON_DEFLATE_RESET_IN) != 0 && !t->server_reset)
        return 0;
    return asked == 15 || (t->server_bits != 0 && t->server_bits <= asked);
}

static void take_answer(const tenon_deflate *deflate, const terms *t, tenon_agreed *agreed)
{
    agreed->on = 1;
    agreed->in_bits = standard(t->server_bits);
    agreed->out_bits = lesser(own_bits(deflate), standard(t->client_bits));
    agreed->flags = (uint8_t)(deflate->flags & TENON_DEFLATE_RESET_OUT);
    if (t->client_reset)
        agreed->flags |= TENON_DEFLATE_RESET_OUT;
    if (t->server_reset)
        agreed->flags |= TENON_DEFLATE_RESET_IN;
}

int tenon_agree_check(const tenon_deflate *deflate, const tenon_fields *answer, tenon_agreed *agreed, const char **at)
{
    tenon_cursor cursor;
    tenon_extension element;
    terms t;
    int status;
    memset(&cursor, 0, sizeof cursor);
    memset(agreed, 0, sizeof *agreed);
    agreed->size = (uint32_t)sizeof *agreed;
    status = next_element(answer, &cursor, &element);
    if (status == TENON_OK) {
        *at = element.name.data;
        if (!read_terms(&element, 0, &t) || !keeps_to(deflate, &t))
            return 0;
        take_answer(deflate, &t, agreed);
        status = next_element(answer, &cursor, &element);
    }
    if (status == TENON_END)
        return 1;
    agreed->on = 0;
    *at = element.name.data;
    return 0;
}

/* ------------------------------------------- for programs with their own HTTP stack */

static int is_good(const tenon_deflate *deflate)
{
    if (deflate == NULL || deflate->codec == NULL)
        return TENON_ERR_NULL;
    return deflate->size < TENON_DEFLATE_LEAST ? TENON_ERR_SIZE : TENON_OK;
}

/* Those who ask do not say the size of theirs: they get what all know. */
static void give(tenon_agreed *agreed, const tenon_agreed *made)
{
    memcpy(agreed, made, TENON_AGREED_LEAST);
    agreed->size = (uint32_t)TENON_AGREED_LEAST;
}

int tenon_deflate_offer(const tenon_deflate *deflate, char text[TENON_DEFLATE_TEXT])
{
    int status = text == NULL ? TENON_ERR_NULL : is_good(deflate);
    if (status == TENON_OK)
        tenon_agree_offer(deflate, text);
    return status;
}

int tenon_deflate_answer(const tenon_deflate *deflate, const tenon_fields *request, char text[TENON_DEFLATE_TEXT],
                         tenon_agreed *agreed)
{
    tenon_agreed made;
    int status = text == NULL || request == NULL || agreed == NULL ? TENON_ERR_NULL : is_good(deflate);
    if (status != TENON_OK)
        return status;
    tenon_agree_answer(deflate, request, text, &made);
    give(agreed, &made);
    return TENON_OK;
}

int tenon_deflate_check(const tenon_deflate *deflate, const tenon_fields *answer, tenon_agreed *agreed)
{
    const char *at = NULL;
    tenon_agreed made;
    int good, status = answer == NULL || agreed == NULL ? TENON_ERR_NULL : is_good(deflate);
    if (status != TENON_OK)
        return status;
    good = tenon_agree_check(deflate, answer, &made, &at);
    give(agreed, &made);
    return good ? TENON_OK : TENON_ERR_EXTENSION;
}
