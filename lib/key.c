/* SPDX-License-Identifier: MIT */
#include "key.h"

#include "base64.h"
#include "sha1.h"

int tenon_key_make(const uint8_t nonce[16], char key[TENON_KEY_SIZE + 1])
{
    if (nonce == NULL || key == NULL)
        return TENON_ERR_NULL;
    tenon_base64_encode(nonce, 16, key);
    key[TENON_KEY_SIZE] = '\0';
    return TENON_OK;
}

void tenon_key_digest(const char key[TENON_KEY_SIZE], uint8_t digest[TENON_SHA1_SIZE])
{
    /* The key goes in as received: decoding and encoding again would lose pad
     * bits that are not zero, and the peer hashes what it sent. */
    tenon_sha1(key, TENON_KEY_SIZE, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", digest); /* RFC 6455, 1.3 */
}

void tenon_key_hash(const char key[TENON_KEY_SIZE], char accept[TENON_ACCEPT_SIZE + 1])
{
    uint8_t digest[TENON_SHA1_SIZE];
    tenon_key_digest(key, digest);
    tenon_base64_encode(digest, sizeof digest, accept);
    accept[TENON_ACCEPT_SIZE] = '\0';
}

int tenon_key_accept(const char *key, size_t size, char accept[TENON_ACCEPT_SIZE + 1])
{
    if (key == NULL || accept == NULL)
        return TENON_ERR_NULL;
    if (!tenon_base64_is16(key, size))
        return TENON_ERR_ARG;
    tenon_key_hash(key, accept);
    return TENON_OK;
}
