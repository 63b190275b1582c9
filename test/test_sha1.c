/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu.h"
#include "sha1.h"

typedef struct vector {
    size_t size;
    const char *digest;
} vector;

/* Octet i of the message of n octets is 7i + n; digests computed elsewhere. The
 * sizes lie around the ends of blocks and of what a last block can hold. */
static const vector vectors[] = {
    {0, "da39a3ee5e6b4b0d3255bfef95601890afd80709"},   {1, "bf8b4530d8d246dd74ac53a13471bba17941dff7"},
    {3, "4201de9f98cb0a9b8cf52398be7802b55d45266a"},   {55, "63ac9708fb581dd150d3647549f9e0cb51dcf1df"},
    {56, "5a0c4d0eb2f15e05bbbff6b8dada9ae767fc03f0"},  {57, "4e77d3077d2ab5167db3434c31cac3d15a3afc12"},
    {63, "d94ff3ad53f9b9327704b812ee9c1f3abbba3d48"},  {64, "5f55a35e13f1865e7ffc22dca1275b1a49b0ff56"},
    {65, "d7f8931010f8342a97383e1410a58c47d057708b"},  {111, "6f3940d34dd76944c03f3ba2825a385c92d8300e"},
    {119, "774001b5ad1f46b40c48e1b94cb092c593ead25b"}, {120, "6ebf3111dc761f11b13f29df0484848785385973"},
    {121, "467945c0e868aaff130a18a6ff44c3963010999f"}, {127, "82d007f6e7e5672722c0717b6bea2ba6f17cd35c"},
    {128, "0a44ac02432f6ead67d86fcb70a4d8ce589e50ec"}, {129, "461b146c523c63566b8bf8852dc8462116cf2e3f"},
    {183, "e56e91fe2d789eafdbc219ec16bf41d6d7adbd6e"}, {184, "d5ee0963bc8663a79fa7d3cac5a9d506e8eb2963"},
    {200, "bafd66c677716439f129c10ff429fa9d431408ec"},
};

/* The digest of the digests of all sizes from 0 to 200, one behind the other. */
#define SIZE_LAST 200
static const char digest_of_all[] = "d0de06f4c5cb01efe13d538b17bbc0bd8144a1c2";

static void fill(uint8_t *data, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++)
        data[i] = (uint8_t)((i * 7 + n) % 256);
}

static void expect_digest(const void *data, size_t n, const char *expected)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t digest[TENON_SHA1_SIZE];
    char text[2 * TENON_SHA1_SIZE + 1];
    size_t i;
    tenon_sha1((const char *)data, n, "", digest);
    for (i = 0; i < sizeof digest; i++) {
        text[2 * i] = hex[digest[i] / 16];
        text[2 * i + 1] = hex[digest[i] % 16];
    }
    text[2 * TENON_SHA1_SIZE] = 0;
    assert_string_equal(text, expected);
}

/* The samples of FIPS 180, and of RFC 6455, 1.3. */
static void test_published(void **state)
{
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    (void)state;
    expect_digest("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
    expect_digest(two_blocks, sizeof two_blocks - 1, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    expect_digest(key, sizeof key - 1, "b37a4f2cc0624f1690f64606cf385945b2bec4ea");
}

static void test_million(void **state)
{
    static uint8_t data[1000000];
    (void)state;
    memset(data, 'a', sizeof data);
    expect_digest(data, sizeof data, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

static void test_sizes(void **state)
{
    uint8_t data[SIZE_LAST];
    size_t i;
    (void)state;
    for (i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        fill(data, vectors[i].size);
        expect_digest(data, vectors[i].size, vectors[i].digest);
    }
}

static void test_every_size(void **state)
{
    uint8_t data[SIZE_LAST] = {0};
    uint8_t digests[(SIZE_LAST + 1) * TENON_SHA1_SIZE];
    size_t n;
    (void)state;
    for (n = 0; n <= SIZE_LAST; n++) {
        fill(data, n);
        tenon_sha1((const char *)data, n, "", digests + n * TENON_SHA1_SIZE);
    }
    expect_digest(digests, sizeof digests, digest_of_all);
}

/* The same message, the tail of it apart: wherever it is cut, and whichever block that is in. */
static void test_tail(void **state)
{
    char text[SIZE_LAST + 1];
    uint8_t whole[TENON_SHA1_SIZE], cut[TENON_SHA1_SIZE];
    size_t n, i;
    (void)state;
    for (n = 0; n <= SIZE_LAST; n++) {
        for (i = 0; i < n; i++)
            text[i] = (char)(i * 7 % 255 + 1);
        text[n] = '\0';
        tenon_sha1(text, n, "", whole);
        for (i = 0; i < n; i++) {
            tenon_sha1(text, i, text + i, cut);
            assert_memory_equal(cut, whole, sizeof whole);
        }
    }
}

static void test_empty_without_data(void **state)
{
    (void)state;
    expect_digest(NULL, 0, vectors[0].digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),  cmocka_unit_test(test_million),
        cmocka_unit_test(test_sizes),      cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_tail),       cmocka_unit_test(test_empty_without_data),
    };
    const tenon_kernels *kernels;
    size_t i = 0;
    int failed = 0;
    do { /* with each of the kernels, and with none */
        kernels = tenon_cpu_list(i++);
        tenon_cpu_use(kernels);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    } while (kernels != NULL);
    return failed;
}
