/* SPDX-License-Identifier: MIT */
#include "reference.h"

/* --------------------------------------------------------------- characters */

static int is_alpha(int c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static int is_digit(int c)
{
    return c >= '0' && c <= '9';
}

int ref_is_tchar(int c)
{
    return is_alpha(c) || is_digit(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

int ref_is_token(tenon_str s)
{
    size_t i;
    for (i = 0; i < s.size; i++) {
        if (!ref_is_tchar((unsigned char)s.data[i]))
            return 0;
    }
    return s.size > 0;
}

int ref_is_text(int c)
{
    return c == '\t' || c == ' ' || (c >= 0x21 && c <= 0x7e) || (c >= 0x80 && c <= 0xff);
}

int ref_is_blank(int c)
{
    return c == ' ' || c == '\t';
}

tenon_str ref_trim(tenon_str s)
{
    for (; s.size > 0 && ref_is_blank(s.data[0]); s.size--)
        s.data++;
    while (s.size > 0 && ref_is_blank(s.data[s.size - 1]))
        s.size--;
    return s;
}

int ref_equal(tenon_str a, tenon_str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int ref_same(tenon_str a, const char *b)
{
    return a.size == strlen(b) && (a.size == 0 || memcmp(a.data, b, a.size) == 0);
}

int ref_alike(tenon_str a, const char *b)
{
    size_t i;
    if (a.size != strlen(b))
        return 0;
    for (i = 0; i < a.size; i++) {
        int x = (unsigned char)a.data[i], y = (unsigned char)b[i];
        if (x != y && !(is_alpha(x) && is_alpha(y) && (x | 0x20) == (y | 0x20)))
            return 0;
    }
    return 1;
}

/* ------------------------------------------------------------ fields and lists */

size_t ref_field(const ref_fields *f, const char *name, tenon_str *value)
{
    size_t i, count = 0;
    value->data = NULL;
    value->size = 0;
    for (i = 0; i < f->count; i++) {
        if (!ref_alike(f->field[i].name, name))
            continue;
        if (count++ == 0)
            *value = f->field[i].value;
    }
    return count;
}

static void list_line(tenon_str line, ref_list *list)
{
    size_t i, from = 0;
    for (i = 0; i <= line.size; i++) {
        tenon_str element;
        if (i < line.size && line.data[i] != ',')
            continue;
        element.data = line.data + from;
        element.size = i - from;
        element = ref_trim(element);
        if (element.size > 0 && list->count < REF_ELEMENTS)
            list->element[list->count++] = element;
        from = i + 1;
    }
}

size_t ref_list_read(const ref_fields *f, const char *name, ref_list *list)
{
    size_t i, lines = 0;
    list->count = 0;
    for (i = 0; i < f->count; i++) {
        if (!ref_alike(f->field[i].name, name))
            continue;
        lines++;
        if (f->field[i].value.size > 0)
            list_line(f->field[i].value, list);
    }
    return lines;
}

int ref_list_has(const ref_fields *f, const char *name, const char *member)
{
    static ref_list list;
    size_t i;
    ref_list_read(f, name, &list);
    for (i = 0; i < list.count; i++) {
        if (ref_alike(list.element[i], member))
            return 1;
    }
    return 0;
}

/* --------------------------------------------------------------- extensions */

static void skip_blanks(tenon_str *s)
{
    for (; s->size > 0 && ref_is_blank(s->data[0]); s->size--)
        s->data++;
}

/* Takes one octet off, if it is c. */
static int take_octet(tenon_str *s, char c)
{
    if (s->size == 0 || s->data[0] != c)
        return 0;
    s->data++;
    s->size--;
    return 1;
}

static int take_token(tenon_str *s, tenon_str *token)
{
    token->data = s->data;
    token->size = 0;
    while (s->size > 0 && ref_is_tchar((unsigned char)s->data[0])) {
        s->data++;
        s->size--;
        token->size++;
    }
    return token->size > 0;
}

/* quoted-string (RFC 9110, 5.6.4) behind its first quote. */
static int take_quoted(tenon_str *s, struct ref_parameter *p)
{
    size_t plain = 0;
    p->value.data = s->data;
    for (;;) {
        p->value.size = (size_t)(s->data - p->value.data);
        if (take_octet(s, '"'))
            return plain > 0;
        (void)take_octet(s, '\\');
        if (s->size == 0 || !ref_is_tchar((unsigned char)s->data[0]))
            return 0;
        if (plain < sizeof p->plain - 1)
            p->plain[plain++] = s->data[0];
        s->data++;
        s->size--;
    }
}

static int take_parameter(tenon_str *s, struct ref_parameter *p)
{
    memset(p, 0, sizeof *p);
    skip_blanks(s);
    if (!take_token(s, &p->name))
        return 0;
    skip_blanks(s);
    if (!take_octet(s, '='))
        return 1;
    skip_blanks(s);
    if (take_octet(s, '"'))
        return take_quoted(s, p);
    if (!take_token(s, &p->value))
        return 0;
    memcpy(p->plain, p->value.data, p->value.size < sizeof p->plain ? p->value.size : sizeof p->plain - 1);
    return 1;
}

int ref_extension_read(tenon_str element, ref_extension *e)
{
    tenon_str s = ref_trim(element);
    e->count = 0;
    if (!take_token(&s, &e->name))
        return 0;
    for (;;) {
        skip_blanks(&s);
        if (s.size == 0)
            return 1;
        if (!take_octet(&s, ';') || e->count == REF_ELEMENTS || !take_parameter(&s, &e->parameter[e->count]))
            return 0;
        e->count++;
    }
}

/* ------------------------------------------------------- permessage-deflate */

/* RFC 7692, 7.1.2: a decimal integer from 8 to 15 without leading zeros. */
static unsigned bits_of(const struct ref_parameter *p)
{
    static const char *const good[] = {"8", "9", "10", "11", "12", "13", "14", "15"};
    unsigned i;
    for (i = 0; i < COUNT_OF(good); i++) {
        if (p->value.data != NULL && strcmp(p->plain, good[i]) == 0)
            return 8 + i;
    }
    return 0;
}

static int take_term(const struct ref_parameter *p, int is_offer, ref_terms *t)
{
    int bare = p->value.data == NULL;
    if (ref_same(p->name, "server_no_context_takeover"))
        return bare && t->server_reset++ == 0;
    if (ref_same(p->name, "client_no_context_takeover"))
        return bare && t->client_reset++ == 0;
    if (ref_same(p->name, "server_max_window_bits") && t->server_bits == 0)
        return (t->server_bits = bits_of(p)) != 0;
    if (ref_same(p->name, "client_max_window_bits") && t->client_bits == 0)
        return (t->client_bits = bare && is_offer ? 1 : bits_of(p)) != 0;
    return 0; /* not defined, or there twice */
}

int ref_terms_read(const ref_extension *e, int is_offer, ref_terms *t)
{
    size_t i;
    memset(t, 0, sizeof *t);
    for (i = 0; i < e->count; i++) {
        if (!take_term(&e->parameter[i], is_offer, t))
            return 0;
    }
    return 1;
}
