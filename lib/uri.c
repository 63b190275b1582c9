/* SPDX-License-Identifier: MIT */
#include "uri.h"

#include "field.h"

#define PORT_MAX 65535u

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Not isalpha: that depends on the locale. */
static int is_letter(char c, char last)
{
    c |= 0x20;
    return c >= 'a' && c <= last;
}

static int is_hex(char c)
{
    return is_digit(c) || is_letter(c, 'f');
}

/* Octets of the name or IPv4 address at the beginning of s (RFC 3986, 3.2.2): all that
 * can belong to it. */
static size_t name_size(tenon_str s)
{
    static const char marks[] = "-._~!$&'()*+,;=";
    size_t i = 0;
    while (i < s.size) {
        if (s.data[i] == '%' && s.size - i > 2 && is_hex(s.data[i + 1]) && is_hex(s.data[i + 2]))
            i += 3;
        else if (is_digit(s.data[i]) || is_letter(s.data[i], 'z') || memchr(marks, s.data[i], sizeof marks - 1) != NULL)
            i++;
        else
            break;
    }
    return i;
}

/* Octets of the bracketed address at the beginning of s, or 0. What can only be an
 * IPv6 address is let through; whether it is one, the resolver tells. */
static size_t bracket_size(tenon_str s)
{
    size_t i, colons = 0;
    for (i = 1; i < s.size && s.data[i] != ']'; i++) {
        if (s.data[i] == ':')
            colons++;
        else if (!is_hex(s.data[i]) && s.data[i] != '.')
            return 0;
    }
    return i < s.size && colons >= 2 ? i + 1 : 0;
}

/*
 * Reads host [":" [port]] to the end of s. Returns the index of what is wrong, or
 * s.size. *host_size: with brackets. *port: 0 if none is given.
 */
static size_t read_authority(tenon_str s, size_t *host_size, uint32_t *port)
{
    size_t i = s.size > 0 && s.data[0] == '[' ? bracket_size(s) : name_size(s);
    *host_size = i;
    *port = 0;
    if (i == s.size || i == 0)
        return i;
    if (s.data[i++] != ':')
        return i - 1;
    for (; i < s.size; i++) {
        if (!is_digit(s.data[i]))
            return i;
        *port = *port * 10 + (uint32_t)(s.data[i] - '0');
        if (*port > PORT_MAX)
            return i;
    }
    /* Digits that give 0 name no port, whereas no digits mean the default. */
    return *port == 0 && s.data[s.size - 1] != ':' ? s.size - 1 : s.size;
}

int tenon_host_valid(tenon_str s)
{
    size_t host_size;
    uint32_t port;
    return s.size > 0 && read_authority(s, &host_size, &port) == s.size;
}

/* The index of the first octet of s that no path or query can hold, or s.size. */
static TENON_APART size_t read_path(tenon_str s)
{
    size_t i = 0;
    while (i < s.size && s.data[i] > ' ' && s.data[i] < 0x7f && s.data[i] != '#')
        i++;
    return i;
}

int tenon_target_valid(tenon_str s)
{
    return s.size > 0 && s.data[0] == '/' && read_path(s) == s.size;
}

/* ------------------------------------------------------------------- URIs */

/* What a URI is made of. */
typedef struct parts {
    tenon_str authority; /* without the usual port */
    tenon_str rest;      /* path and query; data NULL if the URI is not good */
    size_t host_size;
    uint32_t port;
    int secure;
} parts;

/* Octets of a known scheme and "://", or 0. Sets what the scheme says. */
static size_t read_scheme(tenon_str s, parts *found)
{
    static const char schemes[4][9] = {"ws://", "http://", "wss://", "https://"};
    size_t i;
    for (i = 0; i < 4; i++) {
        tenon_str head = {s.data, strlen(schemes[i])};
        if (head.size <= s.size && tenon_is(head, schemes[i])) {
            found->secure = i >= 2;
            found->port = i >= 2 ? 443 : 80;
            return head.size;
        }
    }
    return 0;
}

/* Reads a URI to the end of s; returns the index of what is wrong, or s.size. */
static TENON_APART size_t read_uri(tenon_str s, parts *found)
{
    static const char ends[] = {'/', '?', '#'}; /* of an authority */
    size_t begin = read_scheme(s, found), index = begin;
    uint32_t port;
    found->rest.data = NULL;
    while (begin > 0 && index < s.size && memchr(ends, s.data[index], sizeof ends) == NULL)
        index++;
    found->authority.data = s.data + begin;
    found->authority.size = index - begin;
    s.data += index;
    s.size -= index;
    index = read_authority(found->authority, &found->host_size, &port);
    if (index < found->authority.size || index == 0)
        return begin + index;
    if (port == 0 || port == found->port)
        found->authority.size = found->host_size;
    else
        found->port = port;
    begin += index;
    index = read_path(s);
    if (index == s.size)
        found->rest = s;
    return begin + index;
}

static void fill(tenon_uri *uri, const parts *found)
{
    tenon_str rest = found->rest;
    memset(uri, 0, sizeof *uri);
    uri->port = (uint16_t)found->port;
    uri->secure = (uint8_t)found->secure;
    uri->authority = found->authority;
    uri->host.data = found->authority.data;
    uri->host.size = found->host_size;
    if (*uri->host.data == '[') {
        uri->host.data++;
        uri->host.size -= 2;
    }
    tenon_take(&rest, '?', &uri->path);
    if (rest.size > 0)
        uri->query = rest;
}

int tenon_uri_parse(const char *text, size_t n, tenon_uri *uri, size_t *at)
{
    parts found;
    size_t index;
    if (text == NULL || uri == NULL)
        return TENON_ERR_NULL;
    index = read_uri(tenon_string(text, n), &found);
    if (found.rest.data != NULL) {
        fill(uri, &found);
        return TENON_OK;
    }
    if (at != NULL)
        *at = index;
    return TENON_ERR_URI;
}

int tenon_target_split(tenon_str target, tenon_str *path, tenon_str *authority)
{
    parts found;
    if (tenon_target_valid(target)) {
        *path = target;
        return 1;
    }
    /* ws: and wss: are no schemes of HTTP requests. */
    if (target.size == 0 || (target.data[0] | 0x20) != 'h')
        return 0;
    read_uri(target, &found);
    if (found.rest.data == NULL)
        return 0;
    if (found.rest.size == 0 || tenon_is(found.rest, "?"))
        found.rest = tenon_string("/", 1);
    if (*found.rest.data == '?')
        return 0;
    *path = found.rest;
    *authority = found.authority;
    return 1;
}

int tenon_place_parse(const tenon_request *request, int secure, tenon_place *place)
{
    memset(place, 0, sizeof *place);
    if (request->uri != NULL) {
        parts found;
        /* Both ways to say it could contradict each other. */
        if (request->authority != NULL || request->target != NULL)
            return TENON_ERR_URI;
        read_uri(tenon_string(request->uri, 0), &found);
        if (found.rest.data == NULL)
            return TENON_ERR_URI;
        place->authority = found.authority;
        place->secure = found.secure;
        tenon_take(&found.rest, '?', &place->path);
        if (found.rest.size > 0)
            place->query = found.rest;
        return TENON_OK;
    }
    place->authority = tenon_string(request->authority, 0);
    place->path = tenon_string(request->target, 0);
    place->secure = secure;
    if (!tenon_host_valid(place->authority) || (place->path.data != NULL && !tenon_target_valid(place->path)))
        return TENON_ERR_URI;
    return TENON_OK;
}
