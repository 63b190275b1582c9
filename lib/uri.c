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

/* Octets of a known scheme and "://", or 0. Sets what the scheme says. */
static size_t read_scheme(tenon_str s, tenon_uri *uri)
{
    static const char schemes[4][9] = {"ws://", "http://", "wss://", "https://"};
    size_t i;
    for (i = 0; i < 4; i++) {
        tenon_str head = {s.data, strlen(schemes[i])};
        if (head.size <= s.size && tenon_is(head, schemes[i])) {
            uri->secure = i >= 2;
            uri->port = i >= 2 ? 443 : 80;
            return head.size;
        }
    }
    return 0;
}

/* What a good authority says; port: what was read from it. */
static void take_authority(tenon_uri *uri, size_t host_size, uint32_t port)
{
    uri->host.data = uri->authority.data;
    uri->host.size = host_size;
    if (port == 0 || port == uri->port)
        uri->authority.size = host_size;
    else
        uri->port = (uint16_t)port;
    if (*uri->host.data == '[') {
        uri->host.data++;
        uri->host.size -= 2;
    }
}

/* What a good rest says. */
static void take_path(tenon_uri *uri, tenon_str rest)
{
    tenon_take(&rest, '?', &uri->path);
    if (rest.size > 0)
        uri->query = rest;
}

int tenon_uri_parse(const char *text, size_t n, tenon_uri *uri, size_t *at)
{
    tenon_uri found;
    tenon_str rest;
    size_t begin, end, index, host_size;
    uint32_t port;
    if (text == NULL || uri == NULL)
        return TENON_ERR_NULL;
    memset(&found, 0, sizeof found);
    rest = tenon_string(text, n);
    n = rest.size;
    begin = read_scheme(rest, &found);
    end = begin; /* of the authority: where path, query or fragment begins */
    while (begin > 0 && end < n && text[end] != '/' && text[end] != '?' && text[end] != '#')
        end++;
    found.authority.data = text + begin;
    found.authority.size = end - begin;
    index = begin + read_authority(found.authority, &host_size, &port);
    if (index == end && end > begin) {
        rest.data = text + end;
        rest.size = n - end;
        index += read_path(rest);
        if (index == n) {
            take_authority(&found, host_size, port);
            take_path(&found, rest);
            *uri = found;
            return TENON_OK;
        }
    }
    if (at != NULL)
        *at = index;
    return TENON_ERR_URI;
}

int tenon_place_parse(const tenon_request *request, int secure, tenon_place *place)
{
    memset(place, 0, sizeof *place);
    if (request->uri != NULL) {
        tenon_uri uri;
        /* Both ways to say it could contradict each other. */
        if (request->authority != NULL || request->target != NULL
            || tenon_uri_parse(request->uri, 0, &uri, NULL) != TENON_OK)
            return TENON_ERR_URI;
        place->authority = uri.authority;
        place->path = uri.path;
        place->query = uri.query;
        place->secure = uri.secure;
        return TENON_OK;
    }
    place->authority = tenon_string(request->authority, 0);
    place->path = tenon_string(request->target, 0);
    place->secure = secure;
    if (!tenon_host_valid(place->authority) || (place->path.data != NULL && !tenon_target_valid(place->path)))
        return TENON_ERR_URI;
    return TENON_OK;
}
