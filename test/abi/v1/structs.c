/* SPDX-License-Identifier: MIT */
/* Every struct that has a size, as this version knows it, in a call that looks at it.
 * Built with the sanitizer for addresses, it also shows that no call goes beyond. */
#include <stdio.h>
#include <string.h>
#include <tenon/frame.h>
#include <tenon/handshake.h>
#include <tenon/zlib.h>

static const tenon_deflate deflate = {sizeof deflate, 0, &tenon_zlib, 0, 0, 0, 0, 0};
static tenon_config config;
static tenon_stats stats;
static tenon_prepared prepared;
static tenon_storage storage;
static unsigned char rx[4096], tx[8192], out[4096];
static union {
    long double align;
    unsigned char octets[300000];
} block;
static int failed;

static void check(const char *what, int good)
{
    if (good)
        return;
    failed = 1;
    printf("not as it was: %s\n", what);
}

static tenon_header field(const char *name, const char *value)
{
    tenon_header made;
    memset(&made, 0, sizeof made);
    made.name = name;
    made.value = value;
    return made;
}

/* An open connection, with statistics and an agreement. */
static void connection(void)
{
    static const char words[] = "words words words words words words words words words words words words words";
    tenon_conn *conn;
    tenon_agreed agreed;
    memset(&agreed, 0, sizeof agreed);
    agreed.size = sizeof agreed;
    agreed.on = 1;
    agreed.out_bits = agreed.in_bits = 15;
    stats.size = sizeof stats;
    check("tenon_config_open", tenon_config_open(&config, sizeof config, TENON_SERVER) == TENON_OK);
    check("tenon_config.size", config.size == sizeof config);
    check("tenon_config_deflate", tenon_config_deflate(&config, &deflate) == TENON_OK);
    check("tenon_init", tenon_init(&storage, sizeof storage, &config, &conn) == TENON_OK);
    check("tenon_lend", tenon_lend(conn, rx, sizeof rx, tx, sizeof tx) == TENON_OK);
    check("tenon_lend_stats", tenon_lend_stats(conn, &stats) == TENON_OK);
    check("tenon_deflate_set", tenon_deflate_set(conn, &agreed) == TENON_OK);
    check("tenon_deflate_get", tenon_deflate_get(conn, &agreed) == TENON_OK && agreed.size == sizeof agreed);
    check("tenon_prepare", tenon_prepare(&prepared, sizeof prepared, TENON_TEXT, words, sizeof words - 1, 0) == TENON_OK);
    check("tenon_prepare_deflate",
          tenon_prepare_deflate(&prepared, &deflate, 15, &block, sizeof block, out, sizeof out) == TENON_OK);
    check("tenon_send_prepared", tenon_send_prepared(conn, &prepared, TENON_COPY, NULL) == TENON_OK);
    check("tenon_stats.frames_out", stats.frames_out == 1);
}

/* The handshake on its own. */
static void handshake(void)
{
    tenon_header headers[5];
    tenon_fields fields;
    tenon_verdict verdict;
    tenon_agreed agreed;
    tenon_str method = {"GET", 3}, target = {"/", 1};
    char text[TENON_DEFLATE_TEXT];
    headers[0] = field("Host", "localhost");
    headers[1] = field("Upgrade", "websocket");
    headers[2] = field("Connection", "Upgrade");
    headers[3] = field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    headers[4] = field("Sec-WebSocket-Version", "13");
    memset(&fields, 0, sizeof fields);
    fields.array = headers;
    fields.count = 5;
    memset(&verdict, 0, sizeof verdict);
    verdict.size = sizeof verdict;
    check("tenon_upgrade_check", tenon_upgrade_check(method, target, 0x0101, &fields, &verdict) == TENON_OK);
    check("tenon_verdict", verdict.size == sizeof verdict && verdict.status == 101);
    check("tenon_deflate_answer", tenon_deflate_answer(&deflate, &fields, text, &agreed) == TENON_OK);
    check("tenon_agreed", agreed.size == sizeof agreed && !agreed.on);
}

/* A server that accepts, refuses, and is pumped: the structs of the calls. */
static void others(void)
{
    tenon_backoff backoff;
    tenon_io io;
    tenon_answer answer;
    tenon_refusal refusal;
    tenon_conn *conn;
    uint32_t delay = 0;
    memset(&backoff, 0, sizeof backoff);
    memset(&io, 0, sizeof io);
    memset(&answer, 0, sizeof answer);
    memset(&refusal, 0, sizeof refusal);
    backoff.size = sizeof backoff;
    io.size = sizeof io;
    answer.size = sizeof answer;
    refusal.size = sizeof refusal;
    check("tenon_backoff_next", tenon_backoff_next(&backoff, 0, out, &delay) == TENON_OK && backoff.failures == 1);
    tenon_config_server(&config, sizeof config);
    tenon_init(&storage, sizeof storage, &config, &conn);
    tenon_lend(conn, rx, sizeof rx, tx, sizeof tx);
    /* Nothing waits for them yet, and no callback is there: that is found after the size. */
    check("tenon_accept", tenon_accept(conn, &answer) == TENON_ERR_STATE);
    check("tenon_reject", tenon_reject(conn, &refusal) == TENON_ERR_STATE);
    check("tenon_pump", tenon_pump(conn, &io) == TENON_ERR_NULL);
}

int main(void)
{
    connection();
    handshake();
    others();
    printf("structs of version %d.%d.%d with tenon %06x: %s\n", TENON_VERSION_MAJOR, TENON_VERSION_MINOR,
           TENON_VERSION_PATCH, (unsigned)tenon_version(), failed ? "failed" : "as they were");
    return failed;
}
