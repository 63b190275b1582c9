/* SPDX-License-Identifier: MIT */
/*
 * The public conformance suite, cases 12.1.1 to 13.7.18: an echo under its offers and
 * answers, message sizes and fragment sizes, against a peer on zlib. Where the suite
 * sends 1000 messages, as many are sent here as make 200 KiB, but at least three. Its
 * data are files of JSON, a bitmap, prose, HTML and a PDF; here they are made by rule.
 */
#include "deflate_peer.h"

#define NAME "permessage-deflate"
#define SR "; server_no_context_takeover"
#define CR "; client_no_context_takeover"
#define SB "; server_max_window_bits"
#define CB "; client_max_window_bits"

enum { CASES = 18, LARGEST = 131072, TOTAL = 200 << 10 };

/* By the last number of a case: characters of a message, and octets of a frame. */
static const struct {
    size_t size, fragment;
} sizes[CASES] = {
    {16, 0}, {64, 0}, {256, 0}, {1024, 0}, {4096, 0}, {8192, 0}, {16384, 0}, {32768, 0}, {65536, 0}, {131072, 0},
    {8192, 256}, {16384, 256}, {32768, 256}, {65536, 256}, {131072, 256}, {131072, 1024}, {131072, 4096},
    {131072, 32768},
};

/* ----------------------------------------------------------------------------- data */

static uint8_t data[4 << 20];
static size_t data_size;

static void put(const char *text)
{
    size_t n = strlen(text);
    assert_true(n <= sizeof data - data_size);
    memcpy(data + data_size, text, n);
    data_size += n;
}

static void make_text(const char *const *parts, size_t count, size_t size, uint64_t seed)
{
    char number[32];
    data_size = 0;
    while (data_size < size) {
        put(parts[draw(&seed) % count]);
        snprintf(number, sizeof number, "%u", (unsigned)(draw(&seed) % 100000));
        put(number);
    }
}

static void json(void)
{
    static const char *const parts[] = {"{\"id\": ", ", \"name\": \"item ", "\"},\n  {\"value\": -", ", \"list\": [1, ",
                                        "], \"text\": \"gr\xc3\xbc\xc3\x9f", "\", \"price\": \"\xe2\x82\xac "};
    make_text(parts, COUNT_OF(parts), 194056, 1);
}

static void prose(void)
{
    static const char *const parts[] = {"It was a bright cold day in the year ", ", said the old man. \"No. ",
                                        "\"\r\n\r\nAnd so they went, all ", " of them, down to the sea "};
    make_text(parts, COUNT_OF(parts), 222218, 2);
}

static void html(void)
{
    static const char *const parts[] = {"<tr><td class=\"n", "\">", "</td></tr>\n<!-- ", " --><a href=\"/page/",
                                        "\">\xe6\x97\xa5\xe6\x9c\xac</a> &amp; "};
    make_text(parts, COUNT_OF(parts), 263647, 3);
}

/* Slow waves with a little noise in the low bits. */
static void bitmap(void)
{
    uint64_t seed = 4;
    for (data_size = 0; data_size < 263222; data_size++)
        data[data_size] = (uint8_t)(data_size / 512 + data_size % 512 / 4 + draw(&seed) % 3);
}

/* Mostly what is compressed already, and some plain structure. */
static void pdf(void)
{
    uint64_t seed = 5;
    data_size = 0;
    while (data_size < 1042328) {
        put("endstream\nendobj\n123 0 obj\n<< /Length 3000 /Filter /FlateDecode >>\nstream\n");
        fill_noise(data + data_size, 3000, &seed);
        data_size += 3000;
    }
}

/* ------------------------------------------------------------------------------ cases */

/* The offers of the suite's client, and the answers of its server to the offer that
 * the library makes by default. */
typedef struct terms {
    const char *offer;
    const char *agreed; /* what the library's server has to answer, for its defaults */
    const char *answer;
    unsigned server_bits, client_bits; /* that follow for the server's part, and the client's */
    int server_resets, client_resets;  /* with the library as server; and as client */
    int answer_resets;
} terms;

static const terms standard = {NAME CR CB, NAME CR, NAME, 15, 15, 0, 1, 0};
static const terms sets[7] = {
    {NAME CR CB, NAME CR, NAME, 15, 15, 0, 1, 0},
    {NAME CR CB SR, NAME SR CR, NAME CR, 15, 15, 1, 1, 1},
    {NAME CR CB SB "=9", NAME CR SB "=9", NAME CB "=9", 9, 9, 0, 1, 0},
    {NAME CR CB SB "=15", NAME CR SB "=15", NAME CB "=15", 15, 15, 0, 1, 0},
    {NAME CR CB SR SB "=9", NAME SR CR SB "=9", NAME CR CB "=9", 9, 9, 1, 1, 1},
    {NAME CR CB SR SB "=15", NAME SR CR SB "=15", NAME CR CB "=15", 15, 15, 1, 1, 1},
    {NAME CR CB SR SB "=9, " NAME CR CB SR ", " NAME CR CB, NAME SR CR SB "=9", NAME CR CB "=9", 9, 9, 1, 1, 1},
};

static void wire_has(bench *b, const char *line)
{
    char head[4097];
    flush_out(b);
    assert_true(b->wire_size < sizeof head);
    memcpy(head, b->wire, b->wire_size);
    head[b->wire_size] = '\0';
    assert_non_null(strstr(head, line));
}

static void open_pair(pair *p, int role, const terms *t)
{
    tenon_request request = request_to("ws://example.com/");
    char head[2048], line[512];
    memset(p, 0, sizeof *p);
    if (role == TENON_SERVER)
        bench_server(&p->b);
    else
        bench_client(&p->b);
    p->deflate.size = (uint32_t)sizeof p->deflate;
    p->deflate.codec = &tenon_zlib;
    assert_int_equal(tenon_config_deflate(&p->b.config, &p->deflate), TENON_OK);
    p->b.config.max_message = 2 * LARGEST;
    bench_start(&p->b, 2 * LARGEST + TENON_RX_RESERVE, 3 * LARGEST);
    if (role == TENON_SERVER) {
        snprintf(head, sizeof head, REQUEST_FIELDS "Sec-WebSocket-Extensions: %s\r\n\r\n", t->offer);
        give_text(&p->b, head);
        assert_next(&p->b, TENON_EV_REQUEST);
        assert_int_equal(tenon_accept(p->b.conn, NULL), TENON_OK);
        snprintf(line, sizeof line, "Sec-WebSocket-Extensions: %s\r\n", t->agreed);
        wire_has(&p->b, line);
    } else {
        assert_int_equal(tenon_connect(p->b.conn, &request), TENON_OK);
        wire_has(&p->b, "Sec-WebSocket-Extensions: " NAME CB "\r\n");
        snprintf(line, sizeof line, "Sec-WebSocket-Extensions: %s\r\n", t->answer);
        make_answer(&p->b, head, sizeof head, line);
        give_text(&p->b, head);
    }
    assert_next(&p->b, TENON_EV_OPEN);
    assert_none(&p->b);
    p->b.read = p->b.wire_size;
    p->agreed.out_bits = (uint8_t)(role == TENON_SERVER ? t->server_bits : t->client_bits);
    p->agreed.in_bits = 15;
    if (role == TENON_SERVER)
        p->agreed.flags = (uint8_t)((t->server_resets ? RESET_OUT : 0) | (t->client_resets ? RESET_IN : 0));
    else
        p->agreed.flags = (uint8_t)(t->answer_resets ? RESET_OUT : 0);
    peer_start(p);
    lend_blocks(p, 0);
}

/* Octets of so many characters from there. */
static size_t characters(size_t at, size_t count, int text)
{
    size_t n;
    for (n = 0; count > 0 || (text && (data[at + n] & 0xc0) == 0x80); n++)
        count -= !text || (data[at + n] & 0xc0) != 0x80;
    return n;
}

/* One message there and back. */
static void echo(pair *p, int role, const uint8_t *message, size_t n, int text, size_t fragment, uint8_t *octets)
{
    size_t size;
    uint8_t *packed = peer_pack(p, message, n, &size);
    unsigned opcode = text ? TENON_TEXT : TENON_BINARY;
    size = peer_frames(role, octets, text ? 0x41 : 0x42, packed, size, fragment > 0 ? fragment : SIZE_MAX);
    free(packed);
    give(&p->b, octets, size);
    assert_next(&p->b, TENON_EV_DATA);
    assert_int_equal(p->b.event.opcode, opcode);
    assert_data(&p->b, message, n);
    assert_int_equal(tenon_send(p->b.conn, p->b.event.opcode, p->b.event.data, p->b.event.size, 0), TENON_OK);
    assert_none(&p->b);
    flush_out(&p->b);
    assert_message(p, (n >= 64 ? 0xc0u : 0x80u) | opcode, message, n, NULL);
    assert_wire_end(&p->b);
    p->b.read = p->b.wire_size = 0;
}

static void run_group(const terms *t, int text)
{
    uint8_t *octets = malloc(4 * LARGEST);
    int role, i;
    for (role = TENON_SERVER; role <= TENON_CLIENT; role++) {
        for (i = 0; i < CASES; i++) {
            size_t count = TOTAL / sizes[i].size, at = 0;
            pair p;
            open_pair(&p, role, t);
            for (count = count > 1000 ? 1000 : count < 3 ? 3 : count; count > 0; count--) {
                size_t n;
                if (at + 2 * sizes[i].size > data_size)
                    at = 0;
                n = characters(at, sizes[i].size, text);
                echo(&p, role, data + at, n, text, sizes[i].fragment, octets);
                at += n;
            }
            give_frame(&p.b, 0x88, "\x03\xe8", 2);
            assert_next(&p.b, TENON_EV_CLOSE);
            flush_out(&p.b);
            assert_wire_close(&p.b, 1000);
            run_to_closed(&p.b);
            assert_true((p.b.event.flags & TENON_CLEAN) != 0);
            pair_close(&p);
        }
    }
    free(octets);
}

/* covers: 7692-5-08 7692-6-01 7692-6.2-01 7692-7.2.1-01 7692-7.2.2-01 7692-7.2.2-05 */
static void test_suite_12_1(void **state)
{
    (void)state;
    json();
    run_group(&standard, 1);
}

static void test_suite_12_2(void **state)
{
    (void)state;
    bitmap();
    run_group(&standard, 0);
}

static void test_suite_12_3(void **state)
{
    (void)state;
    prose();
    run_group(&standard, 0);
}

static void test_suite_12_4(void **state)
{
    (void)state;
    html();
    run_group(&standard, 1);
}

static void test_suite_12_5(void **state)
{
    (void)state;
    pdf();
    run_group(&standard, 0);
}

/* covers: 7692-7.1.1.1-02 7692-7.1.1.1-03 7692-7.1.1.2-03 7692-7.1.2.1-02 7692-7.1.2.2-06 7692-7.2.1-06
 * 7692-7.2.1-07 7692-7.2.1-08 7692-5-02 */
static void test_suite_13(void **state)
{
    size_t i;
    (void)state;
    json();
    for (i = 0; i < COUNT_OF(sets); i++)
        run_group(&sets[i], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suite_12_1), cmocka_unit_test(test_suite_12_2), cmocka_unit_test(test_suite_12_3),
        cmocka_unit_test(test_suite_12_4), cmocka_unit_test(test_suite_12_5), cmocka_unit_test(test_suite_13),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
