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

TENON_SMALL_INLINE int tenon_is_text(uint8_t c)
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

/* A look at a word of them is worth it only where speed counts more than size. */
TENON_SMALL_INLINE size_t tenon_token_size(const char *data, size_t n)
{
    size_t i = 0, word;
    if (!TENON_SMALL) {
        while (n - i >= sizeof word) {
            memcpy(&word, data + i, sizeof word);
            if (!is_plain(word))
                break;
            i += sizeof word;
        }
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
    for (; s.size > 0; s.size--, s.data++, text++) {
        if (*text == '\0' || !same_letter(*s.data, *text))
            return 0;
    }
    return *text == '\0';
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

/* The part of *rest in front of the first end, which stays there with all behind it. */
static void split(tenon_str *rest, char end, tenon_str *part)
{
    const char *found = (const char *)memchr(rest->data, end, rest->size);
    *part = *rest;
    if (found != NULL)
        part->size = (size_t)(found - part->data);
    skip(rest, part->size);
}

void tenon_take(tenon_str *rest, char end, tenon_str *part)
{
    split(rest, end, part);
    if (rest->size > 0)
        skip(rest, 1);
}

/* ------------------------------------------------------------------ fields */

/* The next line of a received head, the value as it stands there. A line without colon
 * cannot come from the tokenizer; it ends the walk. */
static TENON_SMALL_INLINE int line_next(const tenon_fields *fields, size_t *position, tenon_str *name, tenon_str *value)
{
    if (*position >= fields->head_size)
        return 0;
    name->data = fields->head + *position; /* for a moment, all that is left */
    name->size = fields->head_size - *position;
    tenon_take(name, '\n', value);
    *position = fields->head_size - name->size;
    tenon_take(value, ':', name);
    if (value->data == name->data + name->size)
        return 0;
    if (value->size > 0 && value->data[value->size - 1] == '\r')
        value->size--;
    return 1;
}

/* The next field of either form; 0 behind the last. */
static TENON_SMALL_INLINE int field_next(const tenon_fields *fields, size_t *position, tenon_str *name, tenon_str *value)
{
    const tenon_header *field = fields->array;
    if (fields->head != NULL)
        return line_next(fields, position, name, value);
    if (field == NULL || *position >= fields->count)
        return 0;
    field += (*position)++;
    *name = tenon_string(field->name, field->name_size);
    *value = tenon_string(field->value, field->value_size);
    return 1;
}

int tenon_header_next(const tenon_fields *fields, size_t *position, tenon_header *field)
{
    tenon_str name, value;
    if (fields == NULL || position == NULL || field == NULL)
        return TENON_ERR_NULL;
    if (!field_next(fields, position, &name, &value))
        return TENON_END;
    tenon_trim(&value);
    /* An empty slice must not be taken for a text that ends with NUL somewhere
     * behind it, so it becomes an empty text that does. */
    field->name = name.size > 0 ? name.data : "";
    field->name_size = name.size;
    field->value = value.size > 0 ? value.data : "";
    field->value_size = value.size;
    return TENON_OK;
}

int tenon_field_seek(const tenon_fields *fields, const char *name, size_t *position, tenon_str *value)
{
    tenon_str found, beside;
    do {
        if (!field_next(fields, position, &found, &beside))
            return 0;
    } while (!tenon_is(found, name));
    tenon_trim(&beside);
    *value = beside;
    return 1;
}

int tenon_field_count(const tenon_fields *fields, const char *name, tenon_str *value)
{
    size_t position = 0;
    value->data = NULL;
    value->size = 0;
    if (!tenon_field_seek(fields, name, &position, value))
        return 0;
    return 1 + tenon_field_seek(fields, name, &position, value);
}

int tenon_header_find(const tenon_fields *fields, const char *name, tenon_str *value)
{
    size_t position = 0;
    if (fields == NULL || name == NULL || value == NULL)
        return TENON_ERR_NULL;
    value->data = NULL;
    value->size = 0;
    if (!tenon_field_seek(fields, name, &position, value))
        return TENON_END;
    if (value->data == NULL) /* it is there, and empty */
        value->data = "";
    return TENON_OK;
}

int tenon_no_content(const tenon_fields *fields, const char **at)
{
    tenon_str value;
    size_t position = 0, i;
    while (tenon_field_seek(fields, "Content-Length", &position, &value)) {
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
    } while (tenon_field_seek(fields, name, &cursor->position, &cursor->rest));
    if (cursor->count == 0 && tenon_field_count(fields, name, element) > 0)
        return TENON_ERR_PROTOCOL;
    element->data = NULL;
    element->size = 0;
    return TENON_END;
}

int tenon_list_has(const tenon_fields *fields, const char *name, const char *member)
{
    size_t position = 0;
    tenon_str rest, element;
    while (tenon_field_seek(fields, name, &position, &rest)) {
        while (rest.size > 0) {
            tenon_take(&rest, ',', &element);
            tenon_trim(&element);
            if (tenon_is(element, member))
                return 1;
        }
    }
    return 0;
}

/* -------------------------------------------------------------- extensions */

/* 1 if what stands between quotes is a token once unescaped (RFC 6455, 9.1). */
static int is_quotable(tenon_str s)
{
    size_t i;
    for (i = 0; i < s.size; i++) {
        if (s.data[i] == '\\')
            i++;
        if (i == s.size || !tenon_is_tchar((uint8_t)s.data[i]))
            return 0;
    }
    return s.size > 0;
}

/* What stands behind "=": a token, or one in quotes, which are taken off. */
static int is_parameter(tenon_str *value)
{
    skip(value, 1);
    tenon_trim(value);
    if (value->size < 2 || value->data[0] != '"')
        return tenon_is_token(*value);
    skip(value, 1);
    return value->data[--value->size] == '"' && is_quotable(*value);
}

/*
 * Takes off a parameter and the ";" in front of it. No good one has ";" or "=" in its quotes,
 * so these divide it before anything is judged. RFC 6455 comes from a time of implied white
 * space, so blanks may stand around ; and = alike.
 */
static int parameter_next(tenon_str *rest, tenon_str *name, tenon_str *value)
{
    value->data = NULL;
    value->size = 0;
    if (rest->size == 0)
        return TENON_END;
    if (*rest->data != ';')
        return TENON_ERR_PROTOCOL;
    skip(rest, 1);
    split(rest, ';', value);
    split(value, '=', name);
    tenon_trim(name);
    if (value->size == 0)
        value->data = NULL;
    else if (!is_parameter(value))
        return TENON_ERR_PROTOCOL;
    return tenon_is_token(*name) ? TENON_OK : TENON_ERR_PROTOCOL;
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

int tenon_extension_good(tenon_str *element)
{
    tenon_str rest = *element, name, value;
    size_t size;
    int status;
    split(&rest, ';', &name);
    tenon_trim(&name);
    if (!tenon_is_token(name))
        return 0;
    size = name.size;
    do {
        status = parameter_next(&rest, &name, &value);
    } while (status == TENON_OK);
    if (status != TENON_END)
        return 0;
    element->size = size;
    return 1;
}

int tenon_extension_named(const char *list, tenon_str name)
{
    tenon_str left = tenon_string(list, 0), rest, found;
    while (left.size > 0) {
        tenon_take(&left, ',', &rest);
        split(&rest, ';', &found);
        tenon_trim(&found);
        if (tenon_same(found, name))
            return 1;
    }
    return 0;
}

int tenon_extension_next(const tenon_fields *fields, tenon_cursor *cursor, tenon_extension *extension)
{
    tenon_str element;
    int status;
    if (fields == NULL || cursor == NULL || extension == NULL)
        return TENON_ERR_NULL;
    memset(extension, 0, sizeof *extension);
    status = tenon_list_next(fields, TENON_FIELD_EXTENSIONS, cursor, &element);
    extension->name = element; /* or what is to be blamed */
    if (status != TENON_OK)
        return status;
    if (!tenon_extension_good(&extension->name))
        return TENON_ERR_PROTOCOL;
    skip(&element, extension->name.size);
    tenon_trim(&element);
    if (element.size > 0)
        extension->parameters = element;
    return TENON_OK;
}
