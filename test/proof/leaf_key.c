/* SPDX-License-Identifier: MIT */
/* Base64, SHA-1 and the keys made of them, over unknown octets. */
#include "proof.h"
#include "base64.h"
#include "sha1.h"
#include "tenon/handshake.h"

static char out[4 * ((N + 2) / 3) + 1];
static uint8_t digest[TENON_SHA1_SIZE];
static char accept[TENON_ACCEPT_SIZE + 1], key[TENON_KEY_SIZE + 1];

void main(void)
{
    size_t n;
    //@ loop unroll N + 1;
    for (n = 0; n <= N; n++) {
        CASE(tenon_base64_encode(unknown(n), n, out + sizeof out - 1 - (n + 2) / 3 * 4));
        CASE(tenon_sha1((const char *)unknown(n), n, "ab", digest));
        CASE(tenon_base64_is16((const char *)unknown(n), n));
        CASE(tenon_key_accept((const char *)unknown(n), n, accept));
        if (n == 16)
            CASE(tenon_key_make(unknown(n), key));
    }
}
