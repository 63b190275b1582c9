/* SPDX-License-Identifier: MIT */
#include "key.h"

#include "base64.h"
#include "sha1.h"

#define GUID_SIZE 36 /* RFC 6455, 1.3 */

int tenon_key_make(const uint8_t nonce[16], char key[TENON_KEY_SIZE + 1])
{
    if (nonce == NULL || key == NULL)
        return TENON_ERR_NULL;
    tenon_base64_encode(nonce, 16, key);
    key[TENON_KEY_SIZE] = '\0';
    return TENON_OK;
}

/* Puts the digest at the beginning of text, which is room for what is hashed. */
static void digest_in(char text[TENON_KEY_SIZE + GUID_SIZE], const char key[TENON_KEY_SIZE])
{
    /* The key goes in as received: decoding and encoding again would lose pad
     * bits that are not zero, and the peer hashes what it sent. */
    memcpy(text, key, TENON_KEY_SIZE);
    memcpy(text + TENON_KEY_SIZE, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", GUID_SIZE); /* NOLINT(bugprone-not-null-terminated-result) */
    tenon_sha1(text, TENON_KEY_SIZE + GUID_SIZE, (uint8_t *)text);
}

void tenon_key_digest(const char key[TENON_KEY_SIZE], uint8_t digest[TENON_SHA1_SIZE])
{
    char text[TENON_KEY_SIZE + GUID_SIZE];
    digest_in(text, key);
    memcpy(digest, text, TENON_SHA1_SIZE);
}

void tenon_key_hash(const char key[TENON_KEY_SIZE], char accept[TENON_ACCEPT_SIZE + 1])
{
    char text[TENON_KEY_SIZE + GUID_SIZE];
    digest_in(text, key);
    tenon_base64_encode((const uint8_t *)text, TENON_SHA1_SIZE, accept);
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
