/* SPDX-License-Identifier: MIT */
#include "field.h"

/* tchar of RFC 9110, 5.6.2: by the low 5 bits of an octet, a bit for each value of the
 * high 3; those of 0x80 and above are not set. */
static const uint8_t tchar_bits[32] = {
    0x08, 0x0e, 0x0c, 0x0e, 0x0e, 0x0e, 0x0e, 0x0e, 0x0c, 0x0c, 0x0e, 0x0e, 0x0c, 0x0e, 0x0e, 0x0c,
    0x0e, 0x0e, 0x0e, 0x0e, 0x0e, 0x0e, 0x0e, 0x0e, 0x0e, 0x0e, 0x0c, 0x00, 0x08, 0x00, 0x0c, 0x04,
};

int tenon_is_tchar(uint8_t c)
{
    return tchar_bits[c & 31] >> (c >> 5) & 1;
}

int tenon_is_text(uint8_t c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

/* One in each octet of a word. */
#define ONES (SIZE_MAX / 255)

/* 1 if all octets of a word are letters and "-", which names mostly consist of. Words are
 * added up without carry: with 0x1f an octet comes to 0x80 from "a" on, with 5 behind "z". */
static int is_plain(size_t word)
{
    size_t low = word & ONES * 0x7f, letters = low | ONES * 0x20;
    size_t letter = (letters + ONES * 0x1f) & ~(letters + ONES * 5);
    size_t dash = ~((low ^ ONES * '-') + ONES * 0x7f);
    return ((letter | dash) & ~word & ONES * 0x80) == ONES * 0x80;
}

size_t tenon_token_size(const char *data, size_t n)
{
    size_t i = 0, word;
    for (; !TENON_SMALL && n - i >= sizeof word; i += sizeof word) {
        memcpy(&word, data + i, sizeof word);
        if (!is_plain(word))
            break;
    }
    while (i < n && tenon_is_tchar((uint8_t)data[i]))
        i++;
    return i;
}

int tenon_is_token(tenon_str s)
{
    return s.size > 0 && tenon_token_size(s.data, s.size) == s.size;
}

int tenon_is_value(tenon_str s)
{
    size_t i;
    for (i = 0; i < s.size; i++) {
        if (!tenon_is_text((uint8_t)s.data[i]))
            return 0;
    }
    return 1;
}

/* 1 if the two are the same but for the case of ASCII letters. Not tolower: that depends
 * on the locale. */
static int same_letter(char a, char b)
{
    unsigned int letter = (unsigned char)a | 0x20u;
    return a == b || ((a ^ b) == 0x20 && letter >= 'a' && letter <= 'z');
}

int tenon_same(tenon_str a, tenon_str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int tenon_alike(tenon_str a, tenon_str b)
{
    size_t i;
    for (i = 0; i < a.size && i < b.size; i++) {
        if (!same_letter(a.data[i], b.data[i]))
            return 0;
    }
    return a.size == b.size;
}

int tenon_is(tenon_str s, const char *text)
{
    size_t i;
    for (i = 0; i < s.size; i++) {
        if (text[i] == '\0' || !same_letter(s.data[i], text[i]))
            return 0;
    }
    return text[i] == '\0';
}

int tenon_is_one_of(tenon_str s, const char *texts)
{
    while (*texts != '\0') {
        if (tenon_is(s, texts))
            return 1;
        texts += strlen(texts) + 1;
    }
    return 0;
}

tenon_str tenon_string(const char *data, size_t size)
{
    tenon_str s;
    s.data = data;
    s.size = data == NULL ? 0 : size != 0 ? size : strlen(data);
    return s;
}

/* Takes n octets off the beginning. */
static void skip(tenon_str *rest, size_t n)
{
    rest->data += n;
    rest->size -= n;
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

void tenon_trim(tenon_str *s)
{
    while (s->size > 0 && is_blank(*s->data))
        skip(s, 1);
    while (s->size > 0 && is_blank(s->data[s->size - 1]))
        s->size--;
}

void tenon_take(tenon_str *rest, char end, tenon_str *part)
{
    const char *found = (const char *)memchr(rest->data, end, rest->size);
    *part = *rest;
    if (found != NULL)
        part->size = (size_t)(found - part->data);
    skip(rest, part->size + (found != NULL));
}

/* ------------------------------------------------------------------ fields */

typedef struct line {
    tenon_str name;
    tenon_str value;
} line;

/* The next line of a received head. A line without colon cannot come from the
 * tokenizer; it ends the walk. */
static int line_next(const tenon_fields *fields, size_t *position, line *field)
{
    tenon_str rest;
    if (*position >= fields->head_size)
        return TENON_END;
    rest.data = fields->head + *position;
    rest.size = fields->head_size - *position;
    tenon_take(&rest, '\n', &field->value);
    *position = fields->head_size - rest.size;
    rest = field->value;
    tenon_take(&field->value, ':', &field->name);
    if (field->name.size == rest.size)
        return TENON_END;
    if (rest.data[rest.size - 1] == '\r')
        field->value.size--;
    return TENON_OK;
}

/* The next field of either form. */
static int field_next(const tenon_fields *fields, size_t *position, line *field)
{
    if (fields->head != NULL) {
        if (line_next(fields, position, field) != TENON_OK)
            return TENON_END;
    } else {
        const tenon_header *from = fields->array;
        if (from == NULL || *position >= fields->count)
            return TENON_END;
        from += (*position)++;
        field->name = tenon_string(from->name, from->name_size);
        field->value = tenon_string(from->value, from->value_size);
    }
    tenon_trim(&field->value);
    return TENON_OK;
}

int tenon_header_next(const tenon_fields *fields, size_t *position, tenon_header *field)
{
    line next;
    if (fields == NULL || position == NULL || field == NULL)
        return TENON_ERR_NULL;
    if (field_next(fields, position, &next) != TENON_OK)
        return TENON_END;
    /* An empty slice must not be taken for a text that ends with NUL somewhere
     * behind it, so it becomes an empty text that does. */
    field->name = next.name.size > 0 ? next.name.data : "";
    field->name_size = next.name.size;
    field->value = next.value.size > 0 ? next.value.data : "";
    field->value_size = next.value.size;
    return TENON_OK;
}

/* The value of the next field of that name; untouched if there is none. */
static int named_next(const tenon_fields *fields, const char *name, size_t *position, tenon_str *value)
{
    line field;
    do {
        if (field_next(fields, position, &field) != TENON_OK)
            return TENON_END;
    } while (!tenon_is(field.name, name));
    *value = field.value;
    return TENON_OK;
}

/* As tenon_field_count, but value is untouched for 0. */
static inline int field_count(const tenon_fields *fields, const char *name, tenon_str *value)
{
    size_t position = 0;
    int count = 0;
    while (count < 2 && named_next(fields, name, &position, value) == TENON_OK)
        count++;
    return count;
}

int tenon_field_count(const tenon_fields *fields, const char *name, tenon_str *value)
{
    value->data = NULL;
    value->size = 0;
    return field_count(fields, name, value);
}

int tenon_header_find(const tenon_fields *fields, const char *name, tenon_str *value)
{
    size_t position = 0;
    if (fields == NULL || name == NULL || value == NULL)
        return TENON_ERR_NULL;
    value->data = NULL;
    value->size = 0;
    if (named_next(fields, name, &position, value) != TENON_OK)
        return TENON_END;
    if (value->data == NULL) /* it is there, and empty */
        value->data = "";
    return TENON_OK;
}

int tenon_no_content(const tenon_fields *fields, const char **at)
{
    tenon_str value;
    size_t position = 0, i;
    while (named_next(fields, "Content-Length", &position, &value) == TENON_OK) {
        *at = value.data;
        for (i = 0; i < value.size && value.data[i] == '0'; i++) {
        }
        if (i == 0 || i < value.size)
            return 0;
    }
    return 1;
}

/* ------------------------------------------------------------------- lists */

int tenon_list_next(const tenon_fields *fields, const char *name, tenon_cursor *cursor, tenon_str *element)
{
    do {
        while (cursor->rest.size > 0) {
            tenon_take(&cursor->rest, ',', element);
            tenon_trim(element);
            if (element->size > 0) {
                cursor->count++;
                return TENON_OK;
            }
        }
    } while (named_next(fields, name, &cursor->position, &cursor->rest) == TENON_OK);
    element->data = NULL;
    element->size = 0;
    return cursor->count == 0 && field_count(fields, name, element) > 0 ? TENON_ERR_PROTOCOL : TENON_END;
}

int tenon_list_has(const tenon_fields *fields, const char *name, const char *member)
{
    tenon_cursor cursor = {0, 0, {NULL, 0}};
    tenon_str element;
    while (tenon_list_next(fields, name, &cursor, &element) == TENON_OK) {
        if (tenon_is(element, member))
            return 1;
    }
    return 0;
}

/* -------------------------------------------------------------- extensions */

/*
 * The first octet of *rest behind blanks, which are taken off, or NUL at the end, where
 * nothing wants a NUL. RFC 6455 comes from a time of implied white space, so blanks may
 * stand around ; and = alike.
 */
static char peek(tenon_str *rest)
{
    while (rest->size > 0 && is_blank(*rest->data))
        skip(rest, 1);
    return (char)(rest->size > 0 ? *rest->data : '\0');
}

/* Takes off the token at the beginning, perhaps empty. */
static void token(tenon_str *rest, tenon_str *found)
{
    found->data = rest->data;
    found->size = tenon_token_size(rest->data, rest->size);
    skip(rest, found->size);
}

/* Takes off the quotes at the beginning; what is between them is empty if it is not a
 * token once unescaped (RFC 6455, 9.1), or has no end. */
static void quoted(tenon_str *rest, tenon_str *found)
{
    size_t i = 1;
    found->data = rest->data + 1;
    found->size = 0;
    while (i < rest->size && rest->data[i] != '"') {
        if (rest->data[i] == '\\')
            i++;
        if (i == rest->size || !tenon_is_tchar((uint8_t)rest->data[i]))
            return;
        i++;
    }
    if (i < rest->size) {
        found->size = i - 1;
        skip(rest, i + 1);
    }
}

/* Takes off a parameter. */
static int parameter_next(tenon_str *rest, tenon_str *name, tenon_str *value)
{
    value->data = NULL;
    value->size = 0;
    if (peek(rest) != ';')
        return rest->size == 0 ? TENON_END : TENON_ERR_PROTOCOL;
    skip(rest, 1);
    (void)peek(rest);
    token(rest, name);
    if (name->size == 0)
        return TENON_ERR_PROTOCOL;
    if (peek(rest) != '=')
        return TENON_OK;
    skip(rest, 1);
    if (peek(rest) == '"')
        quoted(rest, value);
    else
        token(rest, value);
    return value->size > 0 ? TENON_OK : TENON_ERR_PROTOCOL;
}

int tenon_parameter_next(const tenon_extension *extension, size_t *position, tenon_str *name, tenon_str *value)
{
    tenon_str rest;
    int status;
    if (extension == NULL || position == NULL || name == NULL || value == NULL)
        return TENON_ERR_NULL;
    rest = extension->parameters;
    if (*position > 0) /* which is the program's, and may be anything */
        skip(&rest, *position < rest.size ? *position : rest.size);
    status = parameter_next(&rest, name, value);
    *position = extension->parameters.size - rest.size;
    return status;
}

int tenon_extension_next(const tenon_fields *fields, tenon_cursor *cursor, tenon_extension *extension)
{
    tenon_str element, rest, value;
    int status;
    if (fields == NULL || cursor == NULL || extension == NULL)
        return TENON_ERR_NULL;
    memset(extension, 0, sizeof *extension);
    status = tenon_list_next(fields, "Sec-WebSocket-Extensions", cursor, &element);
    rest = element;
    if (status == TENON_OK) {
        tenon_str name;
        token(&rest, &extension->name);
        (void)peek(&rest);
        if (rest.size > 0)
            extension->parameters = rest;
        while (extension->name.size > 0 && (status = parameter_next(&rest, &name, &value)) == TENON_OK) {
        }
        if (status == TENON_END && extension->name.size > 0)
            return TENON_OK;
        status = TENON_ERR_PROTOCOL;
    }
    extension->name = element; /* what is to be blamed */
    return status;
}
