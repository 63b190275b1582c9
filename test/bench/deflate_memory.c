/* SPDX-License-Identifier: MIT */
/*
 * Prints how much memory permessage-deflate takes for a connection, as a Markdown
 * table: from the library's own functions, for a connection that has agreed on each
 * combination. Without takeover a block is lent for the time of a message only.
 */
#include <stdio.h>
#include <string.h>

#include "tenon/deflate.h"
#include "tenon/zlib.h"

typedef struct sizes {
    unsigned long out, in;
} sizes;

/* What a server's connection asks for once it is open: 0, or -1. */
static int measure(unsigned bits, unsigned memory_level, unsigned flags, sizes *s)
{
    static tenon_storage storage;
    tenon_config config;
    tenon_deflate deflate;
    tenon_agreed agreed;
    tenon_conn *conn;
    memset(&deflate, 0, sizeof deflate);
    deflate.size = sizeof deflate;
    deflate.codec = &tenon_zlib;
    deflate.out_bits = deflate.in_bits = (uint8_t)bits;
    deflate.memory_level = (uint8_t)memory_level;
    deflate.flags = flags;
    memset(&agreed, 0, sizeof agreed);
    agreed.size = sizeof agreed;
    agreed.on = 1;
    agreed.out_bits = agreed.in_bits = (uint8_t)bits;
    agreed.flags = (uint8_t)flags;
    if (tenon_config_open(&config, sizeof config, TENON_SERVER) != TENON_OK)
        return -1;
    if (tenon_config_deflate(&config, &deflate) != TENON_OK ||
        tenon_init(&storage, sizeof storage, &config, &conn) != TENON_OK ||
        tenon_deflate_set(conn, &agreed) != TENON_OK)
        return -1;
    s->out = (unsigned long)tenon_deflate_size(conn);
    s->in = (unsigned long)tenon_inflate_size(conn);
    return s->out == tenon_prepare_size(&deflate, bits) ? 0 : -1;
}

int main(void)
{
    static const unsigned windows[] = {15, 12, 10, 9}, levels[] = {8, 5, 1};
    unsigned flags = TENON_DEFLATE_RESET_OUT | TENON_DEFLATE_RESET_IN;
    sizes kept, fresh;
    int i, j;
    printf("| window bits | memory level | to compress | to inflate | both | an idle connection, takeover "
           "| an idle connection, no takeover |\n|---|---|---|---|---|---|---|\n");
    for (i = 0; i < 4; i++) {
        for (j = 0; j < 3; j++) {
            if (measure(windows[i], levels[j], 0, &kept) != 0 || measure(windows[i], levels[j], flags, &fresh) != 0 ||
                kept.out != fresh.out || kept.in != fresh.in) {
                fprintf(stderr, "deflate_memory: the sizes do not agree\n");
                return 1;
            }
            printf("| %u | %u | %lu | %lu | %lu | %lu | 0 |\n", windows[i], levels[j], kept.out, kept.in,
                   kept.out + kept.in, kept.out + kept.in);
        }
    }
    return 0;
}
