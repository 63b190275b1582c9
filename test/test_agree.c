/* SPDX-License-Identifier: MIT */
/*
 * Agreeing on permessage-deflate: RFC 7692, sections 5 and 7. What may be offered and
 * answered comes from there, never from what the library writes.
 */
#include "harness.h"

#include "agree.h"
#include "tenon/zlib.h"

#define NAME "permessage-deflate"
#define SR "; server_no_context_takeover"
#define CR "; client_no_context_takeover"
#define SB "; server_max_window_bits"
#define CB "; client_max_window_bits"

#define OUT TENON_DEFLATE_RESET_OUT
#define IN TENON_DEFLATE_RESET_IN

#define LINES_MAX 3

static tenon_deflate settings_of(uint32_t flags, unsigned out_bits, unsigned in_bits)
{
    tenon_deflate d;
    memset(&d, 0, sizeof d);
    d.size = (uint32_t)sizeof d;
    d.flags = flags;
    d.codec = &tenon_zlib;
    d.out_bits = (uint8_t)out_bits;
    d.in_bits = (uint8_t)in_bits;
    return d;
}

/* Field lines of Sec-WebSocket-Extensions, among others that mean nothing. */
static tenon_fields fields_of(tenon_header list[LINES_MAX + 2], const char *const lines[LINES_MAX])
{
    tenon_fields fields;
    size_t i;
    memset(list, 0, (LINES_MAX + 2) * sizeof *list);
    memset(&fields, 0, sizeof fields);
    list[0].name = "X-Extensions";
    list[0].value = NAME SR;
    for (i = 0; i < LINES_MAX && lines[i] != NULL; i++) {
        list[i + 1].name = i == 1 ? "sec-websocket-EXTENSIONS" : "Sec-WebSocket-Extensions";
        list[i + 1].value = lines[i];
    }
    fields.array = list;
    fields.count = i + 1;
    return fields;
}

static void assert_agreed(const tenon_agreed *agreed, unsigned out_bits, unsigned in_bits, unsigned flags)
{
    assert_int_equal(agreed->size, sizeof *agreed);
    assert_int_equal(agreed->on, 1);
    assert_int_equal(agreed->out_bits, out_bits);
    assert_int_equal(agreed->in_bits, in_bits);
    assert_int_equal(agreed->flags, flags);
}

static void assert_nothing(const tenon_agreed *agreed)
{
    assert_int_equal(agreed->size, sizeof *agreed);
    assert_int_equal(agreed->on | agreed->out_bits | agreed->in_bits | agreed->flags, 0);
}

/* -------------------------------------------------------------------- server */

typedef struct answer_row {
    uint32_t flags;
    unsigned own_out, own_in;
    const char *offers[LINES_MAX];
    const char *text; /* "": declined */
    unsigned out_bits, in_bits, agreed;
} answer_row;

static void check_answers(const answer_row *rows, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++) {
        tenon_deflate d = settings_of(rows[i].flags, rows[i].own_out, rows[i].own_in);
        tenon_header list[LINES_MAX + 2];
        tenon_fields fields = fields_of(list, rows[i].offers);
        tenon_agreed agreed;
        char text[TENON_DEFLATE_TEXT];
        memset(&agreed, 0xa5, sizeof agreed);
        agreed.size = (uint32_t)sizeof agreed;
        memset(text, 0x5a, sizeof text);
        assert_int_equal(tenon_deflate_answer(&d, &fields, text, &agreed), TENON_OK);
        if (strcmp(text, rows[i].text) != 0)
            print_error("row %u, offer %s\n", (unsigned)i, rows[i].offers[0]);
        assert_string_equal(text, rows[i].text);
        if (rows[i].text[0] == '\0')
            assert_nothing(&agreed);
        else
            assert_agreed(&agreed, rows[i].out_bits, rows[i].in_bits, rows[i].agreed);
    }
}

/* covers: 7692-4-01 7692-5-03 7692-7.1.1.1-02 7692-7.1.1.1-03 7692-7.1.1.1-04 7692-7.1.1.2-02
 * 7692-7.1.2.1-01 7692-7.1.2.1-02 7692-7.1.2.2-01 7692-7.1.2.2-02 7692-7.1.2.2-04 7692-7.1.2.2-05 */
static void test_server_answers_what_it_agrees_to(void **state)
{
    static const answer_row rows[] = {
        {0, 0, 0, {NAME}, NAME, 15, 15, 0},
        {0, 0, 0, {NAME SR}, NAME SR, 15, 15, OUT},
        {0, 0, 0, {NAME CR}, NAME CR, 15, 15, IN}, /* a hint, taken up */
        {0, 0, 0, {NAME CR SR}, NAME SR CR, 15, 15, OUT | IN},
        {OUT, 0, 0, {NAME}, NAME SR, 15, 15, OUT}, /* unasked: both are allowed */
        {IN, 0, 0, {NAME}, NAME CR, 15, 15, IN},
        {0, 0, 0, {NAME SB "=15"}, NAME SB "=15", 15, 15, 0},
        {0, 0, 0, {NAME SB "=10"}, NAME SB "=10", 10, 15, 0},
        {0, 0, 0, {NAME SB "=9"}, NAME SB "=9", 9, 15, 0},
        {0, 9, 0, {NAME SB "=10"}, NAME SB "=9", 9, 15, 0}, /* the same or smaller */
        {0, 12, 0, {NAME SB "=10"}, NAME SB "=10", 10, 15, 0},
        {0, 12, 0, {NAME}, NAME, 12, 15, 0}, /* of its own it may do so, and need not say it */
        {0, 0, 0, {NAME CB}, NAME, 15, 15, 0}, /* nothing to be said */
        {0, 0, 10, {NAME CB}, NAME CB "=10", 15, 10, 0},
        {0, 0, 14, {NAME CB}, NAME CB "=14", 15, 14, 0}, /* the largest that has to be said */
        {0, 0, 14, {NAME}, "", 0, 0, 0},
        {0, 0, 10, {NAME CB "=15"}, NAME CB "=10", 15, 10, 0},
        {0, 0, 10, {NAME CB "=9"}, NAME CB "=9", 15, 9, 0},
        {0, 0, 0, {NAME CB "=12"}, NAME CB "=12", 15, 12, 0},
        {0, 0, 0, {NAME CB "=15"}, NAME, 15, 15, 0},
        {0, 0, 0, {NAME CB "=8"}, NAME CB "=8", 15, 9, 0}, /* never more than was offered */
        {0, 0, 8, {NAME CB}, NAME CB "=9", 15, 9, 0},       /* what clients with zlib can do */
        {0, 0, 10, {NAME}, "", 0, 0, 0}, /* a client that cannot be told must not be */
        {IN | OUT, 11, 12, {NAME CB SB "=13"}, NAME SR CR SB "=11" CB "=12", 11, 12, IN | OUT},
    };
    (void)state;
    check_answers(rows, COUNT_OF(rows));
}

/* covers: 7692-7-01 7692-7-02 7692-7-03 7692-7-04 7692-7.1.2.1-01 7692-7.2.1-09 */
static void test_server_declines(void **state)
{
    static const char *const bad[] = {
        "", "; foo", "; window=3", SR "=1", SR "=true", SR "=\"1\"", CR "=0", SB, SB "=7", SB "=16", SB "=08",
        SB "=010", SB "=+9", SB "=1e1", SB "=0", SB "=9a", SB "=100", SB "=115", SB "=-9", CB "=7", CB "=16",
        CB "=09", CB "=x", SR SR, CR CR, SB "=10" SB "=10", SB "=10" SB "=9", CB CB "=10", CB "=10" CB, CB CB,
        CB "=10" CB "=10", "; Server_No_Context_Takeover", "; SERVER_MAX_WINDOW_BITS=10", SB "=8", SR "; mode=x",
        SB "=10; foo=\"a\"", "; server_max_window_bit=10", "; client_max_window_bits_=10",
    };
    tenon_deflate d = settings_of(0, 0, 0);
    size_t i;
    (void)state;
    for (i = 1; i < COUNT_OF(bad); i++) {
        char text[TENON_DEFLATE_TEXT], offer[256];
        const char *lines[LINES_MAX] = {NULL, NULL, NULL};
        tenon_header list[LINES_MAX + 2];
        tenon_fields fields;
        tenon_agreed agreed;
        assert_true(snprintf(offer, sizeof offer, NAME "%s", bad[i]) < (int)sizeof offer);
        lines[0] = offer;
        fields = fields_of(list, lines);
        assert_int_equal(tenon_deflate_answer(&d, &fields, text, &agreed), TENON_OK);
        if (text[0] != '\0')
            print_error("accepted: %s\n", offer);
        assert_string_equal(text, "");
        assert_nothing(&agreed);
    }
}

/* covers: 7692-5-01 7692-5-02 7692-5-03 7692-7.1.3-01 6455-9.1-05 7692-7-01 7692-7-02 7692-7-03 7692-7-04 */
static void test_server_takes_the_first_offer_that_it_can_keep_to(void **state)
{
    static const answer_row rows[] = {
        {0, 0, 0, {NAME "; foo, " NAME}, NAME, 15, 15, 0},
        {0, 0, 0, {NAME SB "=8, " NAME SB "=9, " NAME}, NAME SB "=9", 9, 15, 0},
        {0, 0, 0, {NAME SB ", " NAME SB "=7, " NAME SR SR ", " NAME SR "=1, " NAME CB "=12"}, NAME CB "=12", 15, 12, 0},
        {0, 0, 0, {NAME, NAME SR}, NAME, 15, 15, 0},
        {0, 0, 0, {NAME SR, NAME}, NAME SR, 15, 15, OUT},
        {0, 0, 0, {NAME "; x", NAME SB "=8", NAME SR}, NAME SR, 15, 15, OUT},
        {0, 0, 0, {"foo, bar; x=1", "permessage-bzip2", NAME}, NAME, 15, 15, 0},
        {0, 0, 0, {"permessage-deflate2, xpermessage-deflate, PERMESSAGE-DEFLATE"}, "", 0, 0, 0},
        {0, 0, 0, {"foo", "bar"}, "", 0, 0, 0},
        {0, 0, 0, {NULL}, "", 0, 0, 0},
        {0, 0, 0, {", ,\t" NAME " ; \tclient_max_window_bits ,,"}, NAME, 15, 15, 0},
        {0, 0, 10, {NAME SR ", " NAME CB}, NAME CB "=10", 15, 10, 0}, /* the first leaves no way to say 10 */
        /* the sample of 7.1.3 */
        {0, 0, 0, {NAME CB SB "=10, " NAME CB}, NAME SB "=10", 10, 15, 0},
        /* a declined offer leaves nothing behind */
        {0, 0, 0, {NAME SR CR SB "=9" CB "=9; x, " NAME}, NAME, 15, 15, 0},
        {0, 0, 0, {NAME SB "=9; x"}, "", 0, 0, 0},
        {0, 0, 0, {NAME SB "=3!"}, "", 0, 0, 0},         /* all digits, and no more than two, */
        {0, 0, 0, {NAME SB "=4294967304"}, "", 0, 0, 0}, /* for this is 8 in 32 bits */
        {0, 0, 0, {NAME CB "=4294967305"}, "", 0, 0, 0},
    };
    (void)state;
    check_answers(rows, COUNT_OF(rows));
}

/* covers: 7692-5.2-01 6455-9-02 */
static void test_quoted_values_are_the_same(void **state)
{
    static const answer_row rows[] = {
        {0, 0, 0, {NAME SB "=\"10\""}, NAME SB "=10", 10, 15, 0},
        {0, 0, 0, {NAME SB "=\"\\10\""}, NAME SB "=10", 10, 15, 0},
        {0, 0, 0, {NAME SB "=\"1\\0\""}, NAME SB "=10", 10, 15, 0},
        {0, 0, 0, {NAME SB "=\"\\1\\0\""}, NAME SB "=10", 10, 15, 0},
        {0, 0, 0, {NAME SB " = \"10\" " CB "=\"9\""}, NAME SB "=10" CB "=9", 10, 9, 0},
        {0, 0, 0, {NAME SB "=\"08\""}, "", 0, 0, 0},
        {0, 0, 0, {NAME SB "=\"16\""}, "", 0, 0, 0},
        {0, 0, 0, {NAME SB "=\"\\a\""}, "", 0, 0, 0},
        {0, 0, 0, {NAME SR "=\"1\""}, "", 0, 0, 0},
    };
    static const char *const answers[] = {NAME SB "=\"1\\2\"", NULL, NULL};
    tenon_deflate d = settings_of(0, 0, 0);
    tenon_header list[LINES_MAX + 2];
    tenon_fields fields = fields_of(list, answers);
    tenon_agreed agreed;
    (void)state;
    check_answers(rows, COUNT_OF(rows));
    assert_int_equal(tenon_deflate_check(&d, &fields, &agreed), TENON_OK);
    assert_agreed(&agreed, 15, 12, 0);
}

/* -------------------------------------------------------------------- client */

/* covers: 7692-4-01 7692-5-01 7692-7.1.1.1-01 7692-7.1.1.2-01 7692-7.1.2.1-01 7692-7.1.2.2-01 7692-7.3-01 */
static void test_client_offers(void **state)
{
    static const struct {
        uint32_t flags;
        unsigned out, in;
        const char *text;
    } rows[] = {
        {0, 0, 0, NAME CB},
        {TENON_DEFLATE_REQUIRED, 15, 15, NAME CB},
        {IN, 0, 0, NAME SR CB},
        {OUT, 0, 0, NAME CR CB},
        {IN | OUT, 0, 0, NAME SR CR CB},
        {0, 0, 10, NAME SB "=10" CB},
        {0, 0, 14, NAME SB "=14" CB},
        {0, 0, 8, NAME SB "=8" CB},
        {0, 9, 0, NAME CB "=9"},
        {IN | OUT, 14, 9, NAME SR CR SB "=9" CB "=14"},
    };
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(rows); i++) {
        tenon_deflate d = settings_of(rows[i].flags, rows[i].out, rows[i].in);
        char text[TENON_DEFLATE_TEXT];
        assert_int_equal(tenon_deflate_offer(&d, text), TENON_OK);
        assert_string_equal(text, rows[i].text);
    }
}

typedef struct check_row {
    uint32_t flags;
    unsigned own_out, own_in;
    const char *answers[LINES_MAX];
    int good;
    unsigned out_bits, in_bits, agreed; /* out_bits 0: nothing agreed */
} check_row;

static void check_checks(const check_row *rows, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++) {
        tenon_deflate d = settings_of(rows[i].flags, rows[i].own_out, rows[i].own_in);
        tenon_header list[LINES_MAX + 2];
        tenon_fields fields = fields_of(list, rows[i].answers);
        tenon_agreed agreed;
        int status;
        memset(&agreed, 0xa5, sizeof agreed);
        agreed.size = (uint32_t)sizeof agreed;
        status = tenon_deflate_check(&d, &fields, &agreed);
        if (status != (rows[i].good ? TENON_OK : TENON_ERR_EXTENSION))
            print_error("row %u: %s\n", (unsigned)i, rows[i].answers[0]);
        assert_int_equal(status, rows[i].good ? TENON_OK : TENON_ERR_EXTENSION);
        if (!rows[i].good)
            assert_int_equal(agreed.on, 0);
        else if (rows[i].out_bits == 0)
            assert_nothing(&agreed);
        else
            assert_agreed(&agreed, rows[i].out_bits, rows[i].in_bits, rows[i].agreed);
    }
}

/* covers: 7692-7.1.1.1-04 7692-7.1.1.2-01 7692-7.1.1.2-02 7692-7.1.2.1-03 7692-7.1.2.2-05 7692-7.1.3-01
 * 7692-7.1.2.1-04 7692-7.1.1.1-05 */
static void test_client_takes_good_answers(void **state)
{
    static const check_row rows[] = {
        {0, 0, 0, {NAME}, 1, 15, 15, 0},
        {0, 0, 0, {"foo, " NAME}, 1, 15, 15, 0},
        {0, 0, 0, {"foo", NAME SR}, 1, 15, 15, IN}, /* unasked */
        {0, 0, 0, {NAME SB "=12"}, 1, 15, 12, 0},    /* unasked too */
        {0, 0, 0, {NAME CR}, 1, 15, 15, OUT},
        {OUT, 0, 0, {NAME}, 1, 15, 15, OUT}, /* only a hint: but one's own wish */
        {OUT, 0, 0, {NAME CR}, 1, 15, 15, OUT},
        {0, 0, 0, {NAME CB "=10"}, 1, 10, 15, 0},
        {0, 0, 0, {NAME CB "=8"}, 1, 8, 15, 0}, /* nothing will be compressed */
        {0, 10, 0, {NAME CB "=12"}, 1, 10, 15, 0}, /* more than asked for: the lesser */
        {0, 12, 0, {NAME CB "=10"}, 1, 10, 15, 0},
        {0, 12, 0, {NAME}, 1, 12, 15, 0},
        {0, 0, 10, {NAME SB "=10"}, 1, 15, 10, 0},
        {0, 0, 10, {NAME SB "=8"}, 1, 15, 8, 0},
        {IN, 0, 0, {NAME SR}, 1, 15, 15, IN},
        {IN | OUT, 9, 9, {NAME SR CR SB "=9" CB "=9"}, 1, 9, 9, IN | OUT},
        /* both answers of the sample of 7.1.3, for the offers that they fit */
        {0, 0, 10, {NAME SB "=10"}, 1, 15, 10, 0},
        {0, 0, 0, {NAME}, 1, 15, 15, 0},
        /* declined */
        {0, 0, 0, {NULL}, 1, 0, 0, 0},
        {IN, 0, 10, {"foo; x"}, 1, 0, 0, 0},
    };
    (void)state;
    check_checks(rows, COUNT_OF(rows));
}

/* covers: 7692-7-05 7692-7-06 7692-7-07 7692-7-08 7692-7.1.1.1-05 7692-7.1.2.1-04 7692-5-07 6455-9.1-05 */
static void test_client_refuses_bad_answers(void **state)
{
    static const check_row rows[] = {
        {0, 0, 0, {NAME "; foo"}, 0, 0, 0, 0},
        {0, 0, 0, {NAME "; foo=1"}, 0, 0, 0, 0},
        {0, 0, 0, {NAME CB}, 0, 0, 0, 0}, /* no value */
        {0, 0, 0, {NAME CB "=16"}, 0, 0, 0, 0},
        {0, 0, 0, {NAME CB "=7"}, 0, 0, 0, 0},
        {0, 0, 0, {NAME CB "=010"}, 0, 0, 0, 0},
        {0, 0, 0, {NAME CB "=09"}, 0, 0, 0, 0},
        {0, 0, 0, {NAME SB "=09"}, 0, 0, 0, 0},
        {0, 0, 0, {NAME SB}, 0, 0, 0, 0},
        {0, 0, 0, {NAME SB "=16"}, 0, 0, 0, 0},
        {0, 0, 0, {NAME SB "=7"}, 0, 0, 0, 0},
        {0, 0, 0, {NAME SR "=0"}, 0, 0, 0, 0},
        {0, 0, 0, {NAME CR "=1"}, 0, 0, 0, 0},
        {0, 0, 0, {NAME SR SR}, 0, 0, 0, 0},
        {0, 0, 0, {NAME CR CR}, 0, 0, 0, 0},
        {0, 0, 0, {NAME SB "=10" SB "=10"}, 0, 0, 0, 0},
        {0, 0, 0, {NAME CB "=10" CB "=10"}, 0, 0, 0, 0},
        {0, 0, 10, {NAME SB "=11"}, 0, 0, 0, 0}, /* larger than demanded */
        {0, 0, 10, {NAME SB "=15"}, 0, 0, 0, 0},
        {0, 0, 10, {NAME}, 0, 0, 0, 0}, /* or not promised */
        {IN, 0, 0, {NAME}, 0, 0, 0, 0},
        {IN, 0, 0, {NAME CR}, 0, 0, 0, 0},
        {0, 0, 0, {NAME ", " NAME}, 0, 0, 0, 0}, /* twice */
        {0, 0, 0, {NAME, "foo", NAME SR}, 0, 0, 0, 0},
        {0, 0, 0, {NAME ";"}, 0, 0, 0, 0}, /* outside the grammar */
        {0, 0, 0, {NAME SB "="}, 0, 0, 0, 0},
        {0, 0, 0, {NAME SB "=\"\""}, 0, 0, 0, 0},
        {0, 0, 0, {NAME SB "=\"10"}, 0, 0, 0, 0},
        {0, 0, 0, {NAME, "foo;;"}, 0, 0, 0, 0},
        {0, 0, 0, {" , "}, 0, 0, 0, 0}, /* the field is there, and no element */
    };
    (void)state;
    check_checks(rows, COUNT_OF(rows));
}

/* A codec whose largest window is smaller keeps to that. */
static void test_windows_of_the_codec(void **state)
{
    static const char *const offers[] = {NAME SB "=14", NULL, NULL}, *const answers[] = {NAME, NULL, NULL};
    tenon_codec small = tenon_zlib;
    tenon_deflate d = settings_of(0, 0, 0);
    tenon_header list[LINES_MAX + 2];
    tenon_fields fields = fields_of(list, offers);
    tenon_agreed agreed;
    char text[TENON_DEFLATE_TEXT];
    (void)state;
    small.max_bits = 12;
    d.codec = &small;
    assert_int_equal(tenon_deflate_answer(&d, &fields, text, &agreed), TENON_OK);
    assert_string_equal(text, NAME SB "=12");
    assert_agreed(&agreed, 12, 15, 0);
    assert_int_equal(tenon_deflate_offer(&d, text), TENON_OK);
    assert_string_equal(text, NAME CB "=12");
    fields = fields_of(list, answers);
    assert_int_equal(tenon_deflate_check(&d, &fields, &agreed), TENON_OK);
    assert_agreed(&agreed, 12, 15, 0);
    small.min_bits = 8; /* and one that can, takes 8 */
    list[1].value = NAME SB "=8";
    assert_int_equal(tenon_deflate_answer(&d, &fields, text, &agreed), TENON_OK);
    assert_string_equal(text, NAME SB "=8");
    assert_agreed(&agreed, 8, 15, 0);
}

static void test_arguments(void **state)
{
    static const char *const none[] = {NULL, NULL, NULL};
    tenon_deflate d = settings_of(0, 0, 0), no_codec = d, short_one = d;
    tenon_header list[LINES_MAX + 2];
    tenon_fields fields = fields_of(list, none);
    tenon_agreed agreed;
    char text[TENON_DEFLATE_TEXT];
    (void)state;
    no_codec.codec = NULL;
    short_one.size--;
    assert_int_equal(tenon_deflate_offer(NULL, text), TENON_ERR_NULL);
    assert_int_equal(tenon_deflate_offer(&d, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_deflate_offer(&no_codec, text), TENON_ERR_NULL);
    assert_int_equal(tenon_deflate_offer(&short_one, text), TENON_ERR_SIZE);
    assert_int_equal(tenon_deflate_answer(NULL, &fields, text, &agreed), TENON_ERR_NULL);
    assert_int_equal(tenon_deflate_answer(&d, NULL, text, &agreed), TENON_ERR_NULL);
    assert_int_equal(tenon_deflate_answer(&d, &fields, NULL, &agreed), TENON_ERR_NULL);
    assert_int_equal(tenon_deflate_answer(&d, &fields, text, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_deflate_answer(&short_one, &fields, text, &agreed), TENON_ERR_SIZE);
    assert_int_equal(tenon_deflate_check(NULL, &fields, &agreed), TENON_ERR_NULL);
    assert_int_equal(tenon_deflate_check(&d, NULL, &agreed), TENON_ERR_NULL);
    assert_int_equal(tenon_deflate_check(&d, &fields, NULL), TENON_ERR_NULL);
    assert_int_equal(tenon_deflate_check(&short_one, &fields, &agreed), TENON_ERR_SIZE);
}

static void test_config_arguments(void **state)
{
    tenon_config config;
    tenon_codec old = tenon_zlib;
    tenon_deflate d;
    unsigned i;
    (void)state;
    assert_int_equal(tenon_config_open(&config, sizeof config, TENON_SERVER), TENON_OK);
    d = settings_of(0, 0, 0);
    assert_int_equal(tenon_config_deflate(NULL, &d), TENON_ERR_NULL);
    assert_int_equal(tenon_config_deflate(&config, NULL), TENON_ERR_NULL);
    d.codec = NULL;
    assert_int_equal(tenon_config_deflate(&config, &d), TENON_ERR_NULL);
    d = settings_of(0, 0, 0);
    d.size--;
    assert_int_equal(tenon_config_deflate(&config, &d), TENON_ERR_SIZE);
    d = settings_of(0, 0, 0);
    old.size--;
    d.codec = &old;
    assert_int_equal(tenon_config_deflate(&config, &d), TENON_ERR_SIZE);
    for (i = 0; i < 256; i++) {
        d = settings_of(0, i, 0);
        assert_int_equal(tenon_config_deflate(&config, &d), i == 0 || (i >= 9 && i <= 15) ? TENON_OK : TENON_ERR_ARG);
        d = settings_of(0, 0, i);
        assert_int_equal(tenon_config_deflate(&config, &d), i == 0 || (i >= 8 && i <= 15) ? TENON_OK : TENON_ERR_ARG);
        d = settings_of(0, 0, 0);
        d.level = (uint8_t)i;
        assert_int_equal(tenon_config_deflate(&config, &d), i <= 9 ? TENON_OK : TENON_ERR_ARG);
        d = settings_of(0, 0, 0);
        d.memory_level = (uint8_t)i;
        assert_int_equal(tenon_config_deflate(&config, &d), i <= 9 ? TENON_OK : TENON_ERR_ARG);
        d = settings_of(i, 0, 0);
        assert_int_equal(tenon_config_deflate(&config, &d), i <= 7 ? TENON_OK : TENON_ERR_ARG);
    }
}

/* ----------------------------------------------- in the handshakes of connections */

#define REQUEST_WITH(extensions) REQUEST_FIELDS "Sec-WebSocket-Extensions: " extensions "\r\n\r\n"

static void deflate_server(bench *b, const tenon_deflate *d)
{
    bench_server(b);
    assert_int_equal(tenon_config_deflate(&b->config, d), TENON_OK);
    bench_start(b, 4096, 4096);
}

static void deflate_client(bench *b, const tenon_deflate *d)
{
    bench_client(b);
    assert_int_equal(tenon_config_deflate(&b->config, d), TENON_OK);
    bench_start(b, 4096, 4096);
}

/* The value of a field of the head on the wire, or "". */
static void wire_field(bench *b, const char *name, char out[512])
{
    const char *at, *end;
    char head[4097];
    flush_out(b);
    assert_true(b->wire_size < sizeof head);
    memcpy(head, b->wire, b->wire_size);
    head[b->wire_size] = '\0';
    out[0] = '\0';
    at = strstr(head, name);
    if (at == NULL)
        return;
    assert_null(strstr(at + 1, name)); /* one field */
    at += strlen(name) + 2;
    end = strstr(at, "\r\n");
    assert_true(end != NULL && end - at < 512);
    memcpy(out, at, (size_t)(end - at));
    out[end - at] = '\0';
}

static tenon_agreed got(const bench *b)
{
    tenon_agreed agreed;
    memset(&agreed, 0, sizeof agreed);
    agreed.size = (uint32_t)sizeof agreed;
    assert_int_equal(tenon_deflate_get(b->conn, &agreed), TENON_OK);
    return agreed;
}

/* covers: 7692-4-01 7692-5-03 */
static void test_server_connection(void **state)
{
    tenon_deflate d = settings_of(0, 0, 0);
    tenon_agreed agreed;
    bench b;
    char value[512];
    (void)state;
    deflate_server(&b, &d);
    give_text(&b, REQUEST_WITH(NAME SR SB "=10" CB "=11"));
    assert_next(&b, TENON_EV_REQUEST);
    memset(&agreed, 0, sizeof agreed);
    agreed.size = (uint32_t)sizeof agreed;
    assert_int_equal(tenon_deflate_get(b.conn, &agreed), TENON_ERR_STATE);
    assert_int_equal(tenon_accept(b.conn, NULL), TENON_OK);
    wire_field(&b, "Sec-WebSocket-Extensions", value);
    assert_string_equal(value, NAME SR SB "=10" CB "=11");
    assert_next(&b, TENON_EV_OPEN);
    agreed = got(&b);
    assert_agreed(&agreed, 10, 11, OUT);
    assert_int_equal(tenon_deflate_get(NULL, &agreed), TENON_ERR_NULL);
    assert_int_equal(tenon_deflate_get(b.conn, NULL), TENON_ERR_NULL);
    agreed.size--;
    assert_int_equal(tenon_deflate_get(b.conn, &agreed), TENON_ERR_SIZE);
    bench_stop(&b);
}

/* covers: 7692-5-06 7692-6-01 */
static void test_server_connection_without_a_good_offer(void **state)
{
    static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
    tenon_deflate d = settings_of(0, 0, 0);
    tenon_agreed agreed;
    bench b;
    char value[512];
    size_t head;
    (void)state;
    deflate_server(&b, &d);
    give_text(&b, REQUEST_WITH(NAME "; foo, " NAME SB "=8"));
    assert_next(&b, TENON_EV_REQUEST);
    assert_int_equal(tenon_accept(b.conn, NULL), TENON_OK);
    wire_field(&b, "Sec-WebSocket-Extensions", value);
    assert_string_equal(value, "");
    head = b.wire_size;
    b.read = head;
    assert_next(&b, TENON_EV_OPEN);
    agreed = got(&b);
    assert_nothing(&agreed);
    assert_int_equal(tenon_deflate_size(b.conn), 0);
    assert_int_equal(tenon_inflate_size(b.conn), 0);
    assert_none(&b);
    head = strlen(REQUEST_WITH(NAME "; foo, " NAME SB "=8"));
    give_frame(&b, 0xc1, hello, sizeof hello);
    assert_failed(&b, TENON_RULE_RSV, head, 1002);
    bench_stop(&b);
}

/* covers: 7692-5-03 */
static void test_server_connection_with_extensions_of_its_own(void **state)
{
    tenon_deflate d = settings_of(0, 0, 0);
    tenon_answer answer;
    bench b;
    char value[512];
    (void)state;
    memset(&answer, 0, sizeof answer);
    answer.size = (uint32_t)sizeof answer;
    deflate_server(&b, &d);
    give_text(&b, REQUEST_WITH("x-other; mode=1, " NAME));
    assert_next(&b, TENON_EV_REQUEST);
    answer.extensions = "x-unknown";
    assert_int_equal(tenon_accept(b.conn, &answer), TENON_ERR_EXTENSION);
    answer.extensions = "x-other; mode=1";
    assert_int_equal(tenon_accept(b.conn, &answer), TENON_OK); /* a refused try left nothing */
    wire_field(&b, "Sec-WebSocket-Extensions", value);
    assert_string_equal(value, "x-other; mode=1, " NAME);
    assert_next(&b, TENON_EV_OPEN);
    assert_int_equal(got(&b).on, 1);
    bench_stop(&b);
}

/* covers: 7692-5-04 */
static void test_rsv1_has_one_owner(void **state)
{
    tenon_deflate d = settings_of(0, 0, 0);
    bench b;
    char value[512];
    int next_frame;
    (void)state;
    for (next_frame = 0; next_frame < 2; next_frame++) { /* granted before: the server declines */
        uint32_t first = next_frame ? 0 : TENON_RSV1, follow = next_frame ? TENON_RSV1 : 0;
        deflate_server(&b, &d);
        give_text(&b, REQUEST_WITH(NAME ", x-own"));
        assert_next(&b, TENON_EV_REQUEST);
        assert_int_equal(tenon_grant(b.conn, first, follow, 0), TENON_OK);
        assert_int_equal(tenon_accept(b.conn, NULL), TENON_OK);
        wire_field(&b, "Sec-WebSocket-Extensions", value);
        assert_string_equal(value, "");
        assert_next(&b, TENON_EV_OPEN);
        assert_int_equal(got(&b).on, 0);
        assert_int_equal(tenon_grant(b.conn, TENON_RSV1, TENON_RSV1, 0), TENON_OK); /* its own still */
        bench_stop(&b);
    }
    deflate_server(&b, &d); /* agreed before: the grant is refused, other bits are not */
    give_text(&b, REQUEST_WITH(NAME ", x-own"));
    assert_next(&b, TENON_EV_REQUEST);
    assert_int_equal(tenon_accept(b.conn, NULL), TENON_OK);
    assert_int_equal(tenon_grant(b.conn, TENON_RSV1, 0, 0), TENON_ERR_STATE);
    assert_int_equal(tenon_grant(b.conn, 0, TENON_RSV1, 0), TENON_ERR_STATE);
    assert_next(&b, TENON_EV_OPEN);
    assert_int_equal(tenon_grant(b.conn, TENON_RSV1, 0, 0), TENON_ERR_STATE);
    assert_int_equal(tenon_grant(b.conn, TENON_RSV2, TENON_RSV3, 0), TENON_OK);
    assert_int_equal(got(&b).on, 1);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, "a", 1, TENON_RSV1), TENON_ERR_ARG);
    assert_int_equal(tenon_send(b.conn, TENON_BINARY, "a", 1, TENON_RSV2), TENON_OK);
    bench_stop(&b);
}

/* A client that asked, and the answer's extensions line. */
static void answered(bench *b, const tenon_deflate *d, const char *own, const char *line, char value[512])
{
    static tenon_request request; /* the connection reads it until it is open */
    char answer[2048];
    request = request_to("ws://example.com/");
    request.extensions = own;
    deflate_client(b, d);
    assert_int_equal(tenon_connect(b->conn, &request), TENON_OK);
    wire_field(b, "Sec-WebSocket-Extensions", value);
    make_answer(b, answer, sizeof answer, line);
    give_text(b, answer);
}

/* covers: 7692-5-01 7692-5-08 */
static void test_client_connection(void **state)
{
    tenon_deflate d = settings_of(0, 12, 0);
    tenon_agreed agreed;
    bench b;
    char value[512];
    (void)state;
    answered(&b, &d, NULL, "Sec-WebSocket-Extensions: " NAME SR CB "=11\r\n", value);
    assert_string_equal(value, NAME CB "=12");
    assert_next(&b, TENON_EV_OPEN);
    agreed = got(&b);
    assert_agreed(&agreed, 11, 15, IN);
    bench_stop(&b);
    answered(&b, &d, "x-own; a=1", "Sec-WebSocket-Extensions: x-own\r\nSec-WebSocket-Extensions: " NAME "\r\n", value);
    assert_string_equal(value, "x-own; a=1, " NAME CB "=12");
    assert_next(&b, TENON_EV_OPEN);
    assert_int_equal(got(&b).on, 1);
    assert_int_equal(tenon_grant(b.conn, TENON_RSV1, 0, 0), TENON_ERR_STATE);
    bench_stop(&b);
    answered(&b, &d, "x-own", "Sec-WebSocket-Extensions: x-own\r\n", value);
    assert_next(&b, TENON_EV_OPEN);
    assert_int_equal(got(&b).on, 0);
    assert_int_equal(tenon_state(b.conn), TENON_OPEN);
    assert_int_equal(tenon_grant(b.conn, TENON_RSV1, 0, 0), TENON_OK);
    bench_stop(&b);
}

/* covers: 7692-5-05 7692-5-07 7692-7-05 7692-7-06 7692-7-07 7692-7-08 7692-7.1.2.2-03 6455-9.1-05 */
static void test_client_connection_fails(void **state)
{
    static const struct {
        const char *value;
        unsigned rule, at; /* in the value */
    } rows[] = {
        {NAME "; foo", TENON_RULE_DEFLATE_AGREED, 0},
        {NAME CB, TENON_RULE_DEFLATE_AGREED, 0},
        {NAME ", " NAME, TENON_RULE_DEFLATE_AGREED, 20},
        {NAME ", x-webkit-deflate-frame", TENON_RULE_EXTENSION, 20},
        {"x-own, " NAME SB "=16", TENON_RULE_DEFLATE_AGREED, 7},
        {NAME ";;", TENON_RULE_EXTENSION, 0},
    };
    tenon_deflate d = settings_of(0, 0, 0);
    bench b;
    char value[512], line[512], head[2048];
    size_t i;
    (void)state;
    for (i = 0; i < COUNT_OF(rows); i++) {
        snprintf(line, sizeof line, "Sec-WebSocket-Extensions: %s\r\n", rows[i].value);
        answered(&b, &d, "x-own", line, value);
        make_answer(&b, head, sizeof head, line);
        assert_next(&b, TENON_EV_CLOSED);
        assert_string_equal(tenon_rule_name(b.event.rule), tenon_rule_name((int)rows[i].rule));
        assert_int_equal(b.event.offset, (size_t)(strstr(head, rows[i].value) - head) + rows[i].at);
        assert_int_equal(b.event.cause, TENON_LOCAL);
        assert_int_equal(b.event.code, TENON_CLOSE_ABNORMAL);
        bench_stop(&b);
    }
    memset(&b, 0, sizeof b); /* not offered at all */
    bench_client(&b);
    bench_start(&b, 4096, 4096);
    {
        tenon_request request = request_to("ws://example.com/");
        assert_int_equal(tenon_connect(b.conn, &request), TENON_OK);
        flush_out(&b);
        make_answer(&b, head, sizeof head, "Sec-WebSocket-Extensions: " NAME CB "=10\r\n");
        give_text(&b, head);
        assert_next(&b, TENON_EV_CLOSED);
        assert_int_equal(b.event.rule, TENON_RULE_EXTENSION);
    }
    bench_stop(&b);
}

/* covers: 7692-5.1-01 */
static void test_client_that_cannot_do_without(void **state)
{
    tenon_deflate d = settings_of(TENON_DEFLATE_REQUIRED, 0, 0);
    bench b;
    char value[512];
    (void)state;
    answered(&b, &d, NULL, "", value);
    assert_next(&b, TENON_EV_OPEN);
    assert_int_equal(tenon_state(b.conn), TENON_CLOSING);
    assert_int_equal(tenon_send(b.conn, TENON_TEXT, "a", 1, 0), TENON_ERR_STATE);
    b.read = b.wire_size;
    flush_out(&b);
    assert_wire_close(&b, 1010);
    assert_wire_end(&b);
    run_to_closed(&b);
    assert_int_equal(b.event.sent_code, 1010);
    assert_int_equal(b.event.cause, TENON_LOCAL);
    bench_stop(&b);
    answered(&b, &d, NULL, "Sec-WebSocket-Extensions: " NAME "\r\n", value); /* agreed: nothing of that */
    assert_next(&b, TENON_EV_OPEN);
    assert_none(&b);
    assert_int_equal(tenon_state(b.conn), TENON_OPEN);
    bench_stop(&b);
}

/* The Close waits for a tx that was taken back in between. */
/* covers: 7692-5.1-01 */
static void test_client_that_cannot_do_without_and_has_no_tx(void **state)
{
    tenon_deflate d = settings_of(TENON_DEFLATE_REQUIRED, 0, 0);
    tenon_request request = request_to("ws://example.com/");
    bench b;
    char head[2048];
    (void)state;
    deflate_client(&b, &d);
    assert_int_equal(tenon_connect(b.conn, &request), TENON_OK);
    flush_out(&b);
    assert_int_equal(tenon_lend_tx(b.conn, NULL, 0), TENON_OK);
    make_answer(&b, head, sizeof head, "");
    give_text(&b, head);
    assert_next(&b, TENON_EV_OPEN);
    assert_none(&b);
    assert_true((tenon_wants(b.conn) & TENON_WANTS_TX) != 0);
    b.read = b.wire_size;
    assert_int_equal(tenon_lend_tx(b.conn, b.tx, b.tx_size), TENON_OK);
    flush_out(&b);
    assert_wire_close(&b, 1010);
    bench_stop(&b);
}

/* With another HTTP stack: both sides by the functions, then put into force. */
static void test_set(void **state)
{
    tenon_deflate d = settings_of(0, 0, 0);
    tenon_agreed agreed, none;
    bench b;
    unsigned bits;
    (void)state;
    memset(&agreed, 0, sizeof agreed);
    agreed.size = (uint32_t)sizeof agreed;
    none = agreed;
    agreed.on = 1;
    agreed.out_bits = 10;
    agreed.in_bits = 8;
    agreed.flags = IN;
    bench_config(&b, TENON_SERVER); /* no deflate in the config */
    bench_start(&b, 4096, 4096);
    assert_int_equal(tenon_deflate_set(b.conn, &agreed), TENON_ERR_STATE);
    bench_stop(&b);
    bench_config(&b, TENON_SERVER);
    assert_int_equal(tenon_config_deflate(&b.config, &d), TENON_OK);
    bench_start(&b, 4096, 4096);
    assert_int_equal(tenon_deflate_set(NULL, &agreed), TENON_ERR_NULL);
    assert_int_equal(tenon_deflate_set(b.conn, NULL), TENON_ERR_NULL);
    agreed.size--;
    assert_int_equal(tenon_deflate_set(b.conn, &agreed), TENON_ERR_SIZE);
    agreed.size++;
    for (bits = 0; bits < 256; bits++) {
        tenon_agreed wrong = agreed;
        wrong.out_bits = (uint8_t)(bits >= 8 && bits <= 15 ? 7 : bits);
        assert_int_equal(tenon_deflate_set(b.conn, &wrong), TENON_ERR_ARG);
        wrong = agreed;
        wrong.in_bits = (uint8_t)(bits >= 8 && bits <= 15 ? 16 : bits);
        assert_int_equal(tenon_deflate_set(b.conn, &wrong), TENON_ERR_ARG);
        wrong = agreed;
        wrong.flags = (uint8_t)(bits < 4 ? 4 : bits);
        assert_int_equal(tenon_deflate_set(b.conn, &wrong), TENON_ERR_ARG);
    }
    assert_int_equal(tenon_deflate_set(b.conn, &none), TENON_OK);
    assert_int_equal(tenon_deflate_set(b.conn, &agreed), TENON_OK);
    assert_int_equal(tenon_deflate_set(b.conn, &agreed), TENON_ERR_STATE); /* once */
    assert_int_equal(tenon_grant(b.conn, TENON_RSV1, 0, 0), TENON_ERR_STATE);
    assert_next(&b, TENON_EV_OPEN);
    assert_int_equal(tenon_deflate_set(b.conn, &agreed), TENON_ERR_STATE);
    none = got(&b);
    assert_agreed(&none, 10, 8, IN);
    bench_stop(&b);
    bench_config(&b, TENON_SERVER); /* the bit has an owner */
    assert_int_equal(tenon_config_deflate(&b.config, &d), TENON_OK);
    bench_start(&b, 4096, 4096);
    assert_int_equal(tenon_grant(b.conn, 0, TENON_RSV1, 0), TENON_OK);
    assert_int_equal(tenon_deflate_set(b.conn, &agreed), TENON_ERR_STATE);
    assert_int_equal(tenon_grant(b.conn, TENON_RSV1, 0, 0), TENON_OK);
    assert_int_equal(tenon_deflate_set(b.conn, &agreed), TENON_ERR_STATE);
    bench_stop(&b);
    deflate_server(&b, &d); /* a handshake of its own does it */
    assert_int_equal(tenon_deflate_set(b.conn, &agreed), TENON_ERR_STATE);
    bench_stop(&b);
}

/* An answer for which there is no room agrees on nothing; the next one does. */
static void test_answer_without_room(void **state)
{
    static const char *const requests[] = {REQUEST_WITH(NAME), REQUEST};
    char value[512], found[512];
    tenon_header header = {"X-Long", value, 0, sizeof value};
    tenon_answer answer;
    size_t i;
    (void)state;
    memset(value, 'a', sizeof value);
    memset(&answer, 0, sizeof answer);
    answer.size = (uint32_t)sizeof answer;
    answer.headers = &header;
    answer.header_count = 1;
    for (i = 0; i < COUNT_OF(requests); i++) {
        tenon_deflate d = settings_of(0, 0, 0);
        bench b;
        bench_server(&b);
        assert_int_equal(tenon_config_deflate(&b.config, &d), TENON_OK);
        bench_start(&b, 4096, TENON_TX_MIN);
        give_text(&b, requests[i]);
        assert_next(&b, TENON_EV_REQUEST);
        assert_int_equal(tenon_accept(b.conn, &answer), TENON_ERR_TOO_BIG);
        assert_int_equal(tenon_queued(b.conn), 0);
        assert_int_equal(tenon_accept(b.conn, NULL), TENON_OK);
        assert_next(&b, TENON_EV_OPEN);
        wire_field(&b, "Sec-WebSocket-Extensions", found);
        assert_string_equal(found, i == 0 ? NAME : "");
        bench_stop(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer_without_room),
        cmocka_unit_test(test_server_answers_what_it_agrees_to),
        cmocka_unit_test(test_server_declines),
        cmocka_unit_test(test_server_takes_the_first_offer_that_it_can_keep_to),
        cmocka_unit_test(test_quoted_values_are_the_same),
        cmocka_unit_test(test_client_offers),
        cmocka_unit_test(test_client_takes_good_answers),
        cmocka_unit_test(test_client_refuses_bad_answers),
        cmocka_unit_test(test_windows_of_the_codec),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_config_arguments),
        cmocka_unit_test(test_server_connection),
        cmocka_unit_test(test_server_connection_without_a_good_offer),
        cmocka_unit_test(test_server_connection_with_extensions_of_its_own),
        cmocka_unit_test(test_rsv1_has_one_owner),
        cmocka_unit_test(test_client_connection),
        cmocka_unit_test(test_client_connection_fails),
        cmocka_unit_test(test_client_that_cannot_do_without),
        cmocka_unit_test(test_client_that_cannot_do_without_and_has_no_tx),
        cmocka_unit_test(test_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
