/* SPDX-License-Identifier: MIT */
/*
 * URIs, and what goes into Host and into a request line, against the grammars of RFC
 * 3986 and RFC 6455, 3. A URI that is good is put together again from its parts, and
 * says the same. The input is the text.
 */
#include "common.h"
#include "reference.h"
#include "tenon/handshake.h"
#include "uri.h"

static void same_slice(tenon_str got, tenon_str want)
{
    REQUIRE(got.size == want.size);
    REQUIRE(want.size == 0 || got.data == want.data);
}

static void same_uri(const tenon_uri *got, const ref_uri *want)
{
    same_slice(got->host, want->host);
    same_slice(got->authority, want->authority);
    same_slice(got->path, want->path);
    same_slice(got->query, want->query);
    REQUIRE((got->query.data == NULL) == (want->query.data == NULL));
    REQUIRE(got->port == want->port && got->secure == want->secure && got->reserved == 0);
}

/* What the parts are good for. */
static void check_parts(const tenon_uri *uri)
{
    REQUIRE(tenon_host_valid(uri->authority));
    REQUIRE(uri->host.size > 0 && uri->port > 0);
    REQUIRE(uri->path.size == 0 || tenon_target_valid(uri->path));
}

static int equal(tenon_str a, tenon_str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void put_together(const tenon_uri *uri)
{
    bytes text = {NULL, 0, 0};
    tenon_uri again;
    char *copy;
    bytes_string(&text, uri->secure ? "WSS://" : "Http://");
    bytes_add(&text, uri->authority.data, uri->authority.size);
    bytes_add(&text, uri->path.data, uri->path.size);
    if (uri->query.data != NULL) {
        bytes_string(&text, "?");
        bytes_add(&text, uri->query.data, uri->query.size);
    }
    bytes_octet(&text, 0);
    copy = fuzz_copy(text.data, text.size);
    REQUIRE(tenon_uri_parse(copy, 0, &again, NULL) == TENON_OK);
    REQUIRE(equal(again.host, uri->host) && equal(again.authority, uri->authority));
    REQUIRE(equal(again.path, uri->path) && equal(again.query, uri->query));
    REQUIRE(again.port == uri->port && again.secure == uri->secure);
    bytes_free(&text);
}

/* The text up to its first NUL, read with its size and as a string. */
static void check_string(const char *text, size_t n, int status, const tenon_uri *uri)
{
    char *copy = fuzz_memory(n + 1);
    tenon_uri other;
    memset(&other, 0x5a, sizeof other);
    if (memchr(text, 0, n) != NULL)
        return;
    memcpy(copy, text, n);
    copy[n] = '\0';
    REQUIRE(tenon_uri_parse(copy, 0, &other, NULL) == status);
    if (status == TENON_OK)
        REQUIRE(other.port == uri->port && equal(other.authority, uri->authority) && equal(other.path, uri->path));
}

int fuzz_target(const uint8_t *data, size_t size)
{
    tenon_str s;
    tenon_uri uri, untouched;
    ref_uri want;
    size_t at = 9999, want_at;
    int status;
    s.data = (const char *)data;
    s.size = size;
    fuzz_allow(1000000 + 200 * size);
    REQUIRE(tenon_host_valid(s) == ref_is_host(s));
    REQUIRE(tenon_target_valid(s) == ref_is_target(s));
    if (size == 0)
        return 0;
    memset(&uri, 0x5a, sizeof uri);
    untouched = uri;
    status = tenon_uri_parse(s.data, s.size, &uri, &at);
    REQUIRE(status == TENON_OK || status == TENON_ERR_URI);
    REQUIRE((status == TENON_OK) == ref_uri_read(s, &want, &want_at));
    if (status == TENON_OK) {
        same_uri(&uri, &want);
        check_parts(&uri);
        put_together(&uri);
    } else {
        REQUIRE(at == want_at);
        REQUIRE(memcmp(&uri, &untouched, sizeof uri) == 0);
    }
    check_string(s.data, s.size, status, &uri);
    return 0;
}
