/* SPDX-License-Identifier: MIT */
#include "uri.h"

#include "field.h"

#define PORT_MAX 65535u

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Not isxdigit: that depends on the locale. */
static int is_hex(char c)
{
    char letter = (char)(c | 0x20);
    return is_digit(c) || (letter >= 'a' && letter <= 'f');
}

/* Of the octets below 0x80 those that a name may have: digits, letters and -._~!$&'()*+,;= */
static const uint32_t name_bits[4] = {0, 0x2bff7fd2u, 0x87fffffeu, 0x47fffffeu};

static int is_name(char c)
{
    uint8_t octet = (uint8_t)c;
    return octet < 0x80 && (name_bits[octet / 32] >> octet % 32 & 1) != 0;
}

/* Octets of the name or IPv4 address at the beginning of s (RFC 3986, 3.2.2): all that
 * can belong to it. */
static TENON_SMALL_INLINE size_t name_size(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n) {
        if (s[i] == '%' && n - i > 2 && is_hex(s[i + 1]) && is_hex(s[i + 2]))
            i += 3;
        else if (is_name(s[i]))
            i++;
        else
            break;
    }
    return i;
}

/* Octets of the bracketed address at the beginning of s, or 0. What can only be an
 * IPv6 address is let through; whether it is one, the resolver tells. */
static TENON_SMALL_INLINE size_t bracket_size(const char *s, size_t n)
{
    size_t i, colons = 0;
    for (i = 1; i < n && (is_hex(s[i]) || s[i] == ':' || s[i] == '.'); i++)
        colons += s[i] == ':';
    return i < n && s[i] == ']' && colons >= 2 ? i + 1 : 0;
}

/* What a URI is made of. */
typedef struct parts {
    tenon_str authority; /* without the usual port */
    tenon_str rest;      /* path and query; data NULL if the URI is not good */
    size_t host_size;    /* with brackets */
    uint32_t port;
    int secure;
} parts;

/*
 * Reads host [":" [port]] to the end of s. Returns the index of what is wrong, or n.
 * found->port: 0 if none is given.
 */
static size_t read_authority(const char *s, size_t n, parts *found)
{
    size_t i = n > 0 && *s == '[' ? bracket_size(s, n) : name_size(s, n);
    uint32_t port = 0;
    found->host_size = i;
    if (i > 0 && i < n && s[i] == ':') {
        for (i++; i < n && is_digit(s[i]); i++) {
            uint32_t more = port * 10 + (uint32_t)(s[i] - '0');
            if (more > PORT_MAX)
                break;
            port = more;
        }
        /* Digits that give 0 name no port, whereas no digits mean the default. */
        if (port == 0 && i == n && s[i - 1] != ':')
            i--;
    }
    found->port = port;
    return i;
}

int tenon_host_valid(tenon_str s)
{
    parts found;
    return s.size > 0 && read_authority(s.data, s.size, &found) == s.size;
}

/* The index, from i on, of the first octet of s that no path or query can hold, or n. */
static TENON_APART size_t read_path(const char *s, size_t n, size_t i)
{
    while (i < n && s[i] > ' ' && s[i] < 0x7f && s[i] != '#')
        i++;
    return i;
}

int tenon_target_valid(tenon_str s)
{
    return s.size > 0 && *s.data == '/' && read_path(s.data, s.size, 0) == s.size;
}

/* ------------------------------------------------------------------- URIs */

/* Octets of a known scheme and "://", or 0. */
static TENON_SMALL_INLINE size_t read_scheme(tenon_str s, parts *found)
{
    tenon_str scheme;
    tenon_take(&s, ':', &scheme);
    found->secure = tenon_is_one_of(scheme, "wss\0https\0");
    if (!found->secure && !tenon_is_one_of(scheme, "ws\0http\0"))
        return 0;
    return s.size > 1 && s.data[0] == '/' && s.data[1] == '/' ? scheme.size + 3 : 0;
}

/* Reads a URI to the end of s; returns the index of what is wrong, or s.size. */
static TENON_APART size_t read_uri(tenon_str s, parts *found)
{
    size_t begin = read_scheme(s, found), end = begin, good;
    uint32_t port = found->secure ? 443 : 80;
    found->rest.data = NULL;
    while (begin > 0 && end < s.size && s.data[end] != '/' && s.data[end] != '?' && s.data[end] != '#')
        end++;
    good = read_authority(s.data + begin, end - begin, found);
    if (good == 0 || good < end - begin)
        return begin + good;
    found->authority.data = s.data + begin;
    found->authority.size = good;
    if (found->port == 0 || found->port == port) {
        found->authority.size = found->host_size;
        found->port = port;
    }
    begin = end;
    end = read_path(s.data, s.size, begin);
    if (end == s.size) {
        found->rest.data = s.data + begin;
        found->rest.size = end - begin;
    }
    return end;
}

/* *query stays as it is if there is none, or nothing in it. */
static TENON_SMALL_INLINE void split_query(tenon_str rest, tenon_str *path, tenon_str *query)
{
    tenon_take(&rest, '?', path);
    if (rest.size > 0)
        *query = rest;
}

static void fill(tenon_uri *uri, const parts *found)
{
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
    split_query(found->rest, &uri->path, &uri->query);
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
    if (target.size == 0 || (*target.data | 0x20) != 'h')
        return 0;
    read_uri(target, &found);
    if (found.rest.data == NULL)
        return 0;
    if (found.rest.size == 0 || *found.rest.data == '?') {
        if (found.rest.size > 1)
            return 0;
        found.rest.data = "/";
        found.rest.size = 1;
    }
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
        split_query(found.rest, &place->path, &place->query);
        return TENON_OK;
    }
    place->authority = tenon_string(request->authority, 0);
    place->path = tenon_string(request->target, 0);
    place->secure = secure;
    if (!tenon_host_valid(place->authority) || (place->path.data != NULL && !tenon_target_valid(place->path)))
        return TENON_ERR_URI;
    return TENON_OK;
}
