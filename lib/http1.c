/* SPDX-License-Identifier: MIT */
#include "http1.h"

#include "field.h"

/* What the next octet belongs to. */
enum {
    STATE_FORM,        /* the version, and what stands in a fixed form behind it */
    STATE_BEGIN,       /* a request, or an empty line in front of it */
    STATE_METHOD,
    STATE_TARGET,
    STATE_CODE_END,    /* behind the status code */
    STATE_REASON,
    STATE_LINE,        /* the first octet of a line */
    STATE_NAME,
    STATE_VALUE,
    /* Those that have seen a CR, and only those, are above STATE_VALUE. */
    STATE_BEGIN_LF,
    STATE_LINE_LF,     /* the end of the start line or of a field */
    STATE_HEAD_LF,     /* the end of the head */
    /* In these two nothing is taken any more. */
    STATE_DONE,
    STATE_NONE         /* a rule is broken */
};

/* Kinds of octets; LF comes only where it is due, and then it is a control like any other. */
enum { KIND_CONTROL, KIND_SP, KIND_HTAB, KIND_CR, KIND_COLON, KIND_TCHAR, KIND_VISIBLE, KIND_HIGH };

/* The states that the kinds of octets lead to, in four bits each. */
#define ROW(control, sp, htab, cr, colon, tchar, visible, high)                                                        \
    ((uint32_t)(control) | (uint32_t)(sp) << 4 | (uint32_t)(htab) << 8 | (uint32_t)(cr) << 12 | (uint32_t)(colon) << 16 \
     | (uint32_t)(tchar) << 20 | (uint32_t)(visible) << 24 | (uint32_t)(high) << 28)

/* From STATE_BEGIN on; STATE_FORM has a function. */
static const uint32_t rows[] = {
    ROW(STATE_NONE, STATE_NONE, STATE_NONE, STATE_BEGIN_LF, STATE_NONE, STATE_METHOD, STATE_NONE, STATE_NONE),
    ROW(STATE_NONE, STATE_TARGET, STATE_NONE, STATE_NONE, STATE_NONE, STATE_METHOD, STATE_NONE, STATE_NONE),
    ROW(STATE_NONE, STATE_FORM, STATE_NONE, STATE_NONE, STATE_TARGET, STATE_TARGET, STATE_TARGET, STATE_NONE),
    ROW(STATE_NONE, STATE_REASON, STATE_NONE, STATE_LINE_LF, STATE_NONE, STATE_NONE, STATE_NONE, STATE_NONE),
    ROW(STATE_NONE, STATE_REASON, STATE_REASON, STATE_LINE_LF, STATE_REASON, STATE_REASON, STATE_REASON, STATE_REASON),
    ROW(STATE_NONE, STATE_VALUE, STATE_VALUE, STATE_HEAD_LF, STATE_NONE, STATE_NAME, STATE_NONE, STATE_NONE),
    ROW(STATE_NONE, STATE_NONE, STATE_NONE, STATE_NONE, STATE_VALUE, STATE_NAME, STATE_NONE, STATE_NONE),
    ROW(STATE_NONE, STATE_VALUE, STATE_VALUE, STATE_LINE_LF, STATE_VALUE, STATE_VALUE, STATE_VALUE, STATE_VALUE),
    ROW(STATE_METHOD, STATE_NONE, STATE_NONE, STATE_NONE, STATE_NONE, STATE_NONE, STATE_NONE, STATE_NONE),
    ROW(STATE_LINE, STATE_NONE, STATE_NONE, STATE_NONE, STATE_NONE, STATE_NONE, STATE_NONE, STATE_NONE),
    ROW(STATE_DONE, STATE_NONE, STATE_NONE, STATE_NONE, STATE_NONE, STATE_NONE, STATE_NONE, STATE_NONE),
};

void tenon_http1_init(tenon_http1 *h, int role)
{
    memset(h, 0, sizeof *h);
    h->role = (uint8_t)role;
    h->state = role == TENON_SERVER ? STATE_BEGIN : STATE_FORM;
}

/* -------------------------------------------------------------- one octet */

static unsigned int kind_of(uint8_t c)
{
    if (tenon_is_tchar(c))
        return KIND_TCHAR;
    if (c == ':')
        return KIND_COLON;
    if (c == '\t')
        return KIND_HTAB;
    if (c == '\r')
        return KIND_CR;
    if (c < ' ' || c == 0x7f)
        return KIND_CONTROL;
    return c >= 0x80 ? KIND_HIGH : c == ' ' ? KIND_SP : KIND_VISIBLE;
}

/*
 * "HTTP/" DIGIT "." DIGIT, where case counts (RFC 9112, 2.3), and the end of the line, or
 * the status code: 0 stands for a digit, 1 for one but 0. h->count is the place.
 */
static unsigned int step_form(tenon_http1 *h, uint8_t c)
{
    const char *form = h->role == TENON_SERVER ? "HTTP/0.0\r" : "HTTP/0.0 100";
    uint8_t want = (uint8_t)form[h->count];
    if (want == '0' || want == '1' ? c < want || c > '9' : c != want)
        return TENON_RULE_START_LINE;
    if (h->count == 5)
        h->major = c;
    if (h->count == 8 && h->major != '1')
        return TENON_RULE_HTTP_VERSION;
    if (form[++h->count] == '\0') {
        h->count = 0;
        h->state = h->role == TENON_SERVER ? STATE_LINE_LF : STATE_CODE_END;
    }
    return 0;
}

/* A good octet where such are counted: those of method and target, and lines. */
static unsigned int step_counted(tenon_http1 *h, const tenon_http1_limits *limits, unsigned int state, uint8_t c)
{
    uint32_t count = h->count, limit = TENON_METHOD_MAX;
    unsigned int rule = TENON_RULE_METHOD;
    if (h->state == STATE_VALUE) /* a client goes on with the value (RFC 9112, 5.2), if there is one */
        return h->role == TENON_SERVER || count == 0 ? TENON_RULE_FOLD : 0;
    if (c == ' ') {
        h->count = 0;
        return count == 0 ? TENON_RULE_START_LINE : 0;
    }
    if (state == STATE_TARGET) {
        limit = limits->target;
        rule = TENON_RULE_TARGET_SIZE;
    } else if (state == STATE_LINE) {
        limit = limits->headers;
        rule = TENON_RULE_HEADERS;
    }
    if (count >= limit)
        return rule;
    h->count++;
    return 0;
}

/* The rule that the octet breaks, or 0. */
static unsigned int step(tenon_http1 *h, const tenon_http1_limits *limits, uint8_t c)
{
    unsigned int state = h->state;
    if (c == '\n' ? state <= STATE_VALUE : state > STATE_VALUE)
        return TENON_RULE_LINE_END;
    if (state == STATE_FORM)
        return step_form(h, c);
    h->state = rows[state - STATE_BEGIN] >> 4 * kind_of(c) & 15;
    if (h->state == STATE_NONE)
        return state < STATE_LINE ? TENON_RULE_START_LINE
                                  : state == STATE_VALUE ? TENON_RULE_FIELD_VALUE : TENON_RULE_FIELD_NAME;
    return (state <= STATE_TARGET || state == STATE_LINE) && c != '\r' ? step_counted(h, limits, state, c) : 0;
}

/* One in each octet of a word. */
#define ONES (SIZE_MAX / 255)

/* How many octets at the beginning are from lowest (not 0) to 0x7e. Words are added up without
 * carry: an octet of up to 0x7f comes to 0x80 from lowest on, and with 1 from 0x7f on. */
static size_t plain_size(const uint8_t *data, size_t n, uint8_t lowest)
{
    size_t i = 0, word, low;
    for (; n - i >= sizeof word; i += sizeof word) {
        memcpy(&word, data + i, sizeof word);
        low = word & ONES * 0x7f;
        if (((~(low + ONES * (0x80u - lowest)) | (low + ONES) | word) & ONES * 0x80) != 0)
            break;
    }
    while (i < n && data[i] >= lowest && data[i] < 0x7f)
        i++;
    return i;
}

/* In a field line: goes on over names, values and line ends for as long as lines are
 * plain and another begins behind. */
static size_t run_lines(tenon_http1 *h, const tenon_http1_limits *limits, const uint8_t *data, size_t n)
{
    size_t i = 0;
    for (;;) {
        if (h->state == STATE_NAME) {
            i += tenon_token_size((const char *)data + i, n - i);
            if (i == n || data[i] != ':')
                return i;
            i++;
            h->state = STATE_VALUE;
        }
        i += plain_size(data + i, n - i, ' ');
        if (n - i < 3 || data[i] != '\r' || data[i + 1] != '\n' || !tenon_is_tchar(data[i + 2])
            || h->count >= limits->headers)
            return i;
        i += 3;
        h->count++;
        h->state = STATE_NAME;
    }
}

/*
 * Takes octets that are good beyond doubt: the runs of plain ones that heads consist
 * of. Limits end a run, and step() judges what is behind it; so a run that ends
 * early costs time, and nothing else.
 */
static size_t run(tenon_http1 *h, const tenon_http1_limits *limits, const uint8_t *data, size_t n)
{
    size_t room = h->size < limits->head ? limits->head - h->size : 0;
    if (n > room)
        n = room;
    if (h->state == STATE_NAME || h->state == STATE_VALUE) {
        n = run_lines(h, limits, data, n);
    } else if (h->state == STATE_TARGET) {
        room = h->count < limits->target ? limits->target - h->count : 0;
        n = plain_size(data, n < room ? n : room, '!');
        h->count += (uint32_t)n;
    } else {
        n = 0;
    }
    h->size += (uint32_t)n;
    return n;
}

int tenon_http1_feed(tenon_http1 *h, const tenon_http1_limits *limits, const uint8_t *data, size_t n, size_t *used)
{
    size_t i;
    for (i = 0; i < n && h->state < STATE_DONE; i++) {
        unsigned int rule;
        if (!TENON_SMALL)
            i += h->state != STATE_FORM ? run(h, limits, data + i, n - i) : 0;
        if (i == n)
            break;
        rule = step(h, limits, data[i]);
        /* size stays within the limit, so it cannot overflow. */
        if (rule == 0 && h->size >= limits->head)
            rule = TENON_RULE_HEAD_SIZE;
        if (rule != 0) {
            h->rule = (uint16_t)rule;
            h->state = STATE_NONE;
            break;
        }
        h->size++;
    }
    *used = i;
    if (h->state == STATE_NONE)
        return TENON_ERR_PROTOCOL;
    return h->state == STATE_DONE ? TENON_OK : TENON_WAIT;
}

/* ------------------------------------------------------------ a whole head */

void tenon_http1_unfold(char *text, size_t n)
{
    size_t i;
    for (i = 0; n - i > 2; i++) {
        if (text[i] == '\r' && (text[i + 2] == ' ' || text[i + 2] == '\t')) {
            text[i] = ' ';
            text[i + 1] = ' ';
        }
    }
}

void tenon_http1_start(const char *text, size_t n, tenon_str *line, tenon_fields *fields)
{
    tenon_str rest;
    size_t empty = *text == '\r' ? 2 : 0; /* the empty line in front of a request */
    rest.data = text + empty;
    rest.size = n - empty;
    tenon_take(&rest, '\r', line);
    fields->array = NULL;
    fields->count = 0;
    fields->head = rest.data + 1;
    fields->head_size = rest.size - 3; /* the LF, and the empty line at the end */
}

uint16_t tenon_http1_version(const char *text)
{
    return (uint16_t)((text[5] - '0') * 256 + (text[7] - '0'));
}

void tenon_http1_request(const char *text, size_t n, tenon_head *head)
{
    tenon_str line;
    memset(head, 0, sizeof *head);
    tenon_http1_start(text, n, &line, &head->fields);
    tenon_take(&line, ' ', &head->method);
    tenon_take(&line, ' ', &head->target);
    head->version = tenon_http1_version(line.data);
}

uint16_t tenon_http1_code(const char *text)
{
    return (uint16_t)(text[0] * 100 + text[1] * 10 + text[2] - '0' * 111);
}

void tenon_http1_response(const char *text, size_t n, tenon_head *head)
{
    tenon_str line;
    memset(head, 0, sizeof *head);
    tenon_http1_start(text, n, &line, &head->fields);
    head->version = tenon_http1_version(line.data);
    head->status = tenon_http1_code(line.data + 9);
    if (line.size > 12) {
        head->reason.data = line.data + 13;
        head->reason.size = line.size - 13;
    }
}

/* By how much the status is above 400. */
static uint8_t above_400(uint16_t rule)
{
    switch (rule) {
    case TENON_RULE_HEAD_SIZE:
    case TENON_RULE_HEADERS:
        return 31;
    case TENON_RULE_TARGET_SIZE:
        return 14;
    case TENON_RULE_HTTP_VERSION:
        return 105;
    case TENON_RULE_METHOD:
    case TENON_RULE_TRANSFER_CODING:
        return 101;
    case TENON_RULE_EXPECT:
        return 17;
    case TENON_RULE_UPGRADE:
        return 26;
    default:
        return 0;
    }
}

uint16_t tenon_http1_status(uint16_t rule)
{
    return (uint16_t)(400 + above_400(rule));
}

/* ------------------------------------------------------------------ writer */

char *tenon_text_take(tenon_text *text, size_t n)
{
    char *room = NULL;
    if (text->used <= text->room && n <= text->room - text->used)
        room = text->out + text->used;
    else if (n > SIZE_MAX - text->used)
        n = SIZE_MAX - text->used; /* used must never come round to a size that fits */
    text->used += n;
    return room;
}

void tenon_text_put(tenon_text *text, const char *data, size_t n)
{
    char *room = tenon_text_take(text, n);
    if (room != NULL && n > 0)
        memcpy(room, data, n);
}

/* As tenon_string: size 0 means that it ends with NUL, NULL that there is nothing. */
static TENON_SMALL_APART void put_string(tenon_text *text, const char *string, size_t size)
{
    if (size == 0 && string != NULL)
        size = strlen(string);
    tenon_text_put(text, string, size);
}

void tenon_text_string(tenon_text *text, const char *string)
{
    put_string(text, string, 0);
}

void tenon_text_number(tenon_text *text, size_t number)
{
    char digits[20]; /* of 2^64 - 1 */
    size_t from = sizeof digits;
    do {
        digits[--from] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    tenon_text_put(text, digits + from, sizeof digits - from);
}

static TENON_APART void put_field(tenon_text *text, const tenon_header *field)
{
    put_string(text, field->name, field->name_size);
    tenon_text_string(text, ": ");
    put_string(text, field->value, field->value_size);
    tenon_text_string(text, "\r\n");
}

void tenon_text_field(tenon_text *text, const char *name, tenon_str value)
{
    tenon_header field;
    field.name = name;
    field.value = value.data; /* if empty, a text that ends with NUL */
    field.name_size = 0;
    field.value_size = value.size;
    put_field(text, &field);
}

int tenon_text_end(tenon_text *text, const tenon_header *headers, size_t count)
{
    for (; count > 0; count--)
        put_field(text, headers++);
    tenon_text_string(text, "\r\n");
    return text->used <= text->room ? TENON_OK : TENON_ERR_TOO_BIG;
}
