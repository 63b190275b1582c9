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

size_t tenon_token_size(const char *data, size_t n)
{
    size_t i = 0;
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

/* Not tolower: that depends on the locale. */
static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

int tenon_same(tenon_str a, tenon_str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int tenon_alike(tenon_str a, tenon_str b)
{
    size_t i;
    if (a.size != b.size)
        return 0;
    if (tenon_same(a, b)) /* most are */
        return 1;
    for (i = 0; i < a.size; i++) {
        if (lower(a.data[i]) != lower(b.data[i]))
            return 0;
    }
    return 1;
}

int tenon_is(tenon_str s, const char *text)
{
    return tenon_alike(s, tenon_string(text, 0));
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

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

tenon_str tenon_trim(tenon_str s)
{
    while (s.size > 0 && is_blank(s.data[0])) {
        s.data++;
        s.size--;
    }
    while (s.size > 0 && is_blank(s.data[s.size - 1]))
        s.size--;
    return s;
}

tenon_str tenon_take(tenon_str *rest, char end)
{
    tenon_str part = *rest;
    const char *found = (const char *)memchr(rest->data, end, rest->size);
    if (found == NULL) {
        rest->size = 0;
        return part;
    }
    part.size = (size_t)(found - part.data);
    rest->data = found + 1;
    rest->size -= part.size + 1;
    return part;
}

/* ------------------------------------------------------------------ fields */

/* The next line of a received head. A line without colon cannot come from the
 * tokenizer; it ends the walk. */
static int line_next(const tenon_fields *fields, size_t *position, tenon_str *name, tenon_str *value)
{
    tenon_str rest;
    if (*position >= fields->head_size)
        return TENON_END;
    rest.data = fields->head + *position;
    rest.size = fields->head_size - *position;
    *value = tenon_take(&rest, '\n');
    *position = fields->head_size - rest.size;
    if (value->size > 0 && value->data[value->size - 1] == '\r')
        value->size--;
    rest = *value;
    *name = tenon_take(value, ':');
    return name->size < rest.size ? TENON_OK : TENON_END;
}

/* The next field of either form. */
static int field_next(const tenon_fields *fields, size_t *position, tenon_str *name, tenon_str *value)
{
    if (fields->head != NULL) {
        if (line_next(fields, position, name, value) != TENON_OK)
            return TENON_END;
    } else {
        const tenon_header *from = fields->array;
        if (from == NULL || *position >= fields->count)
            return TENON_END;
        from += (*position)++;
        *name = tenon_string(from->name, from->name_size);
        *value = tenon_string(from->value, from->value_size);
    }
    *value = tenon_trim(*value);
    return TENON_OK;
}

int tenon_header_next(const tenon_fields *fields, size_t *position, tenon_header *field)
{
    tenon_str name, value;
    if (fields == NULL || position == NULL || field == NULL)
        return TENON_ERR_NULL;
    if (field_next(fields, position, &name, &value) != TENON_OK)
        return TENON_END;
    /* An empty slice must not be taken for a text that ends with NUL somewhere
     * behind it, so it becomes an empty text that does. */
    field->name = name.size > 0 ? name.data : "";
    field->name_size = name.size;
    field->value = value.size > 0 ? value.data : "";
    field->value_size = value.size;
    return TENON_OK;
}

/* The value of the next field of that name. */
static int named_next(const tenon_fields *fields, const char *name, size_t *position, tenon_str *value)
{
    tenon_str want = tenon_string(name, 0), got;
    int status;
    do {
        status = field_next(fields, position, &got, value);
    } while (status == TENON_OK && !tenon_alike(got, want));
    return status;
}

int tenon_field_count(const tenon_fields *fields, const char *name, tenon_str *value)
{
    tenon_str next;
    size_t position = 0;
    int count = 0;
    value->data = NULL;
    value->size = 0;
    while (count < 2 && named_next(fields, name, &position, &next) == TENON_OK) {
        *value = next;
        count++;
    }
    return count;
}

int tenon_header_find(const tenon_fields *fields, const char *name, tenon_str *value)
{
    size_t position = 0;
    if (fields == NULL || name == NULL || value == NULL)
        return TENON_ERR_NULL;
    if (named_next(fields, name, &position, value) == TENON_OK) {
        if (value->data == NULL) /* it is there, and empty */
            value->data = "";
        return TENON_OK;
    }
    value->data = NULL;
    value->size = 0;
    return TENON_END;
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
    for (;;) {
        while (cursor->rest.size > 0) {
            *element = tenon_trim(tenon_take(&cursor->rest, ','));
            if (element->size > 0) {
                cursor->count++;
                return TENON_OK;
            }
        }
        if (named_next(fields, name, &cursor->position, &cursor->rest) != TENON_OK)
            break;
    }
    cursor->rest.size = 0;
    if (cursor->count == 0 && tenon_field_count(fields, name, element) > 0)
        return TENON_ERR_PROTOCOL;
    element->data = NULL;
    element->size = 0;
    return TENON_END;
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
 * The octet at *position behind blanks, or NUL at the end, where nothing wants a
 * NUL. RFC 6455 comes from a time of implied white space, so blanks may stand
 * around ; and = alike.
 */
static char peek(tenon_str s, size_t *position)
{
    while (*position < s.size && is_blank(s.data[*position]))
        (*position)++;
    return (char)(*position < s.size ? s.data[*position] : '\0');
}

/* The token that begins at *position, perhaps empty. */
static tenon_str token(tenon_str s, size_t *position)
{
    tenon_str found;
    found.data = s.data + *position;
    found.size = tenon_token_size(found.data, s.size - *position);
    *position += found.size;
    return found;
}

/* What is between the quotes of which the first is at *position; empty if it is
 * not a token once unescaped (RFC 6455, 9.1), or has no end. */
static tenon_str quoted(tenon_str s, size_t *position)
{
    tenon_str found;
    size_t i = *position + 1;
    found.data = s.data + i;
    found.size = 0;
    while (i < s.size && s.data[i] != '"') {
        if (s.data[i] == '\\')
            i++;
        if (i == s.size || !tenon_is_tchar((uint8_t)s.data[i]))
            return found;
        i++;
    }
    if (i < s.size) {
        found.size = i - *position - 1;
        *position = i + 1;
    }
    return found;
}

static int parameter_next(tenon_str s, size_t *position, tenon_str *name, tenon_str *value)
{
    value->data = NULL;
    value->size = 0;
    if (peek(s, position) != ';')
        return *position >= s.size ? TENON_END : TENON_ERR_PROTOCOL;
    (*position)++;
    (void)peek(s, position);
    *name = token(s, position);
    if (name->size == 0)
        return TENON_ERR_PROTOCOL;
    if (peek(s, position) == '=') {
        (*position)++;
        *value = peek(s, position) == '"' ? quoted(s, position) : token(s, position);
        return value->size > 0 ? TENON_OK : TENON_ERR_PROTOCOL;
    }
    return TENON_OK;
}

int tenon_parameter_next(const tenon_extension *extension, size_t *position, tenon_str *name, tenon_str *value)
{
    if (extension == NULL || position == NULL || name == NULL || value == NULL)
        return TENON_ERR_NULL;
    return parameter_next(extension->parameters, position, name, value);
}

int tenon_extension_next(const tenon_fields *fields, tenon_cursor *cursor, tenon_extension *extension)
{
    tenon_str element, name, value;
    size_t position = 0;
    int status;
    if (fields == NULL || cursor == NULL || extension == NULL)
        return TENON_ERR_NULL;
    memset(extension, 0, sizeof *extension);
    status = tenon_list_next(fields, "Sec-WebSocket-Extensions", cursor, &element);
    if (status != TENON_OK) {
        extension->name = element;
        return status;
    }
    extension->name = token(element, &position);
    (void)peek(element, &position);
    if (position < element.size) {
        extension->parameters.data = element.data + position;
        extension->parameters.size = element.size - position;
    }
    position = 0;
    do {
        status = parameter_next(extension->parameters, &position, &name, &value);
    } while (status == TENON_OK);
    if (status != TENON_END || extension->name.size == 0) {
        extension->name = element; /* what is to be blamed */
        return TENON_ERR_PROTOCOL;
    }
    return TENON_OK;
}
