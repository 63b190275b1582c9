/* SPDX-License-Identifier: MIT */
/* URIs of unknown octets, and of a known scheme with unknown octets behind it. */
#include "proof.h"
#include "uri.h"

static void whole(size_t n)
{
    tenon_uri uri;
    size_t at;
    tenon_uri_parse((const char *)unknown(n), n, &uri, &at);
}

static void behind_scheme(size_t n)
{
    static const char scheme[5] = {'w', 's', ':', '/', '/'};
    static char text[5 + N];
    char *from = text + N - n;
    tenon_uri uri;
    memcpy(from, scheme, 5);
    if (n > 0)
        memcpy(from + 5, unknown(n), n);
    tenon_uri_parse(from, n + 5, &uri, NULL);
}

void main(void)
{
    size_t n;
    //@ loop unroll N + 1;
    for (n = 1; n <= N; n++) {
        CASE(whole(n));
        CASE(behind_scheme(n));
    }
}
