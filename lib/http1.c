/* SPDX-License-Identifier: MIT */
#include "http1.h"

#include "field.h"

/* What the next octet belongs to. */
enum {
    STATE_BEGIN,       /* a request, or an empty line in front of it */
    STATE_METHOD,
    STATE_TARGET,
    STATE_VERSION,
    STATE_VERSION_END,
    STATE_CODE,
    STATE_CODE_END,
    STATE_REASON,
    STATE_LINE,        /* the first octet of a line */
    STATE_NAME,
    STATE_VALUE,
    STATE_DONE,
    /* Those that have seen a CR, and only those, are above STATE_DONE. */
    STATE_BEGIN_LF,
    STATE_LINE_LF,     /* the end of the start line or of a field */
    STATE_HEAD_LF      /* the end of the head */
};

void tenon_http1_init(tenon_http1 *h, int role)
{
    memset(h, 0, sizeof *h);
    h->role = (uint8_t)role;
    h->state = role == TENON_SERVER ? STATE_BEGIN : STATE_VERSION;
}

/* --------------------------------------------------- one function a state */

static uint16_t step_method(tenon_http1 *h, uint8_t c)
{
    if (c == '\r' && h->state == STATE_BEGIN) {
        h->state = STATE_BEGIN_LF;
        return 0;
    }
    h->state = STATE_METHOD;
    if (c == ' ' && h->index > 0) {
        h->index = 0;
        h->state = STATE_TARGET;
        return 0;
    }
    if (!tenon_is_tchar(c))
        return TENON_RULE_START_LINE;
    if (h->index == TENON_METHOD_MAX)
        return TENON_RULE_METHOD;
    h->index++;
    return 0;
}

static uint16_t step_target(tenon_http1 *h, const tenon_http1_limits *limits, uint8_t c)
{
    if (c == ' ' && h->count > 0) {
        h->count = 0;
        h->state = STATE_VERSION;
        return 0;
    }
    if (c <= ' ' || c >= 0x7f)
        return TENON_RULE_START_LINE;
    if (h->count >= limits->target)
        return TENON_RULE_TARGET_SIZE;
    h->count++;
    return 0;
}

/* "HTTP/" DIGIT "." DIGIT; case counts (RFC 9112, 2.3). */
static uint16_t step_version(tenon_http1 *h, uint8_t c)
{
    static const char form[] = "HTTP/0.0";
    uint8_t want = (uint8_t)form[h->index];
    if (want == '0' ? c < '0' || c > '9' : c != want)
        return TENON_RULE_START_LINE;
    if (h->index == 5)
        h->major = c;
    if (++h->index == sizeof form - 1) {
        h->index = 0;
        h->state = STATE_VERSION_END;
    }
    return 0;
}

static uint16_t step_version_end(tenon_http1 *h, uint8_t c)
{
    int server = h->role == TENON_SERVER;
    if (c != (server ? '\r' : ' '))
        return TENON_RULE_START_LINE;
    if (h->major != '1')
        return TENON_RULE_HTTP_VERSION;
    h->state = server ? STATE_LINE_LF : STATE_CODE;
    return 0;
}

static uint16_t step_code(tenon_http1 *h, uint8_t c)
{
    if (c < (h->index == 0 ? '1' : '0') || c > '9')
        return TENON_RULE_START_LINE;
    if (++h->index == 3)
        h->state = STATE_CODE_END;
    return 0;
}

static uint16_t step_reason(tenon_http1 *h, uint8_t c)
{
    if (c == '\r') {
        h->state = STATE_LINE_LF;
        return 0;
    }
    if (h->state == STATE_CODE_END ? c != ' ' : !tenon_is_text(c))
        return TENON_RULE_START_LINE;
    h->state = STATE_REASON;
    return 0;
}

static uint16_t step_line(tenon_http1 *h, const tenon_http1_limits *limits, uint8_t c)
{
    if (c == '\r') {
        h->state = STATE_HEAD_LF;
        return 0;
    }
    if (c == ' ' || c == '\t') {
        /* A client goes on with the value (RFC 9112, 5.2), if there is one. */
        h->state = STATE_VALUE;
        return h->role == TENON_SERVER || h->count == 0 ? TENON_RULE_FOLD : 0;
    }
    if (!tenon_is_tchar(c))
        return TENON_RULE_FIELD_NAME;
    if (h->count >= limits->headers)
        return TENON_RULE_HEADERS;
    h->count++;
    h->state = STATE_NAME;
    return 0;
}

static uint16_t step_name(tenon_http1 *h, uint8_t c)
{
    if (c == ':') {
        h->state = STATE_VALUE;
        return 0;
    }
    return tenon_is_tchar(c) ? 0 : TENON_RULE_FIELD_NAME;
}

static uint16_t step_value(tenon_http1 *h, uint8_t c)
{
    if (c == '\r') {
        h->state = STATE_LINE_LF;
        return 0;
    }
    return tenon_is_text(c) ? 0 : TENON_RULE_FIELD_VALUE;
}

/* An LF where one is due. */
static uint16_t step_lf(tenon_http1 *h)
{
    if (h->state == STATE_BEGIN_LF) {
        h->state = STATE_METHOD;
    } else {
        h->state = h->state == STATE_LINE_LF ? STATE_LINE : STATE_DONE;
    }
    return 0;
}

static uint16_t step(tenon_http1 *h, const tenon_http1_limits *limits, uint8_t c)
{
    if ((h->state > STATE_DONE) != (c == '\n'))
        return TENON_RULE_LINE_END;
    switch (h->state) {
    case STATE_BEGIN:
    case STATE_METHOD:
        return step_method(h, c);
    case STATE_TARGET:
        return step_target(h, limits, c);
    case STATE_VERSION:
        return step_version(h, c);
    case STATE_VERSION_END:
        return step_version_end(h, c);
    case STATE_CODE:
        return step_code(h, c);
    case STATE_CODE_END:
    case STATE_REASON:
        return step_reason(h, c);
    case STATE_LINE:
        return step_line(h, limits, c);
    case STATE_NAME:
        return step_name(h, c);
    case STATE_VALUE:
        return step_value(h, c);
    default:
        return step_lf(h);
    }
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
    for (i = 0; i < n && h->state != STATE_DONE && h->rule == 0; i++) {
        if (!TENON_SMALL)
            i += run(h, limits, data + i, n - i);
        if (i == n)
            break;
        h->rule = step(h, limits, data[i]);
        /* size stays within the limit, so it cannot overflow. */
        if (h->rule == 0 && h->size >= limits->head)
            h->rule = TENON_RULE_HEAD_SIZE;
        if (h->rule != 0)
            break;
        h->size++;
    }
    *used = i;
    if (h->rule != 0)
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
    memset(fields, 0, sizeof *fields);
    rest.data = text;
    rest.size = n;
    tenon_take(&rest, '\r', line);
    if (line->size == 0) { /* the empty line in front of a request */
        rest.data++;
        rest.size--;
        tenon_take(&rest, '\r', line);
    }
    fields->head = rest.data + 1;
    fields->head_size = rest.size - 3; /* the LF, and the empty line at the end */
}

static uint16_t version(const char *text)
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
    head->version = version(line.data);
}

void tenon_http1_response(const char *text, size_t n, tenon_head *head)
{
    tenon_str line;
    const char *code;
    memset(head, 0, sizeof *head);
    tenon_http1_start(text, n, &line, &head->fields);
    code = line.data + 9;
    head->version = version(line.data);
    head->status = (uint16_t)((code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0'));
    if (line.size > 12) {
        head->reason.data = line.data + 13;
        head->reason.size = line.size - 13;
    }
}

uint16_t tenon_http1_status(uint16_t rule)
{
    switch (rule) {
    case TENON_RULE_HEAD_SIZE:
    case TENON_RULE_HEADERS:
        return 431;
    case TENON_RULE_TARGET_SIZE:
        return 414;
    case TENON_RULE_HTTP_VERSION:
        return 505;
    case TENON_RULE_METHOD:
        return 501;
    default:
        return 400;
    }
}

/* ------------------------------------------------------------------ writer */

void tenon_text_put(tenon_text *text, const char *data, size_t n)
{
    if (text->used <= text->room && n <= text->room - text->used) {
        if (n > 0)
            memcpy(text->out + text->used, data, n);
    } else if (n > SIZE_MAX - text->used) {
        n = SIZE_MAX - text->used; /* used must never come round to a size that fits */
    }
    text->used += n;
}

void tenon_text_string(tenon_text *text, const char *string)
{
    tenon_text_put(text, string, strlen(string));
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

static void put_field(tenon_text *text, tenon_str name, tenon_str value)
{
    tenon_text_put(text, name.data, name.size);
    tenon_text_put(text, ": ", 2);
    tenon_text_put(text, value.data, value.size);
    tenon_text_put(text, "\r\n", 2);
}

void tenon_text_field(tenon_text *text, const char *name, tenon_str value)
{
    put_field(text, tenon_string(name, 0), value);
}

int tenon_text_end(tenon_text *text, const tenon_header *headers, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++)
        put_field(text, tenon_string(headers[i].name, headers[i].name_size),
                  tenon_string(headers[i].value, headers[i].value_size));
    tenon_text_put(text, "\r\n", 2);
    return text->used <= text->room ? TENON_OK : TENON_ERR_TOO_BIG;
}
