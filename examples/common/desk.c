/* SPDX-License-Identifier: MIT */
#include "desk.h"

#include <stdlib.h>

/* More than this are not kept when nobody uses them. */
#define SPARE_MAX 16

int desk_take(desk_pool *pool, tenon_conn *conn, desk **d)
{
    if (*d != NULL)
        return 0;
    *d = pool->spare;
    if (*d != NULL) {
        pool->spare = (*d)->next;
        pool->count--;
    } else {
        *d = malloc(sizeof **d);
    }
    return *d == NULL ? -1 : tenon_lend_tx(conn, (*d)->tx, sizeof (*d)->tx);
}

void desk_drop(desk_pool *pool, desk **d)
{
    if (*d != NULL && pool->count < SPARE_MAX) {
        (*d)->next = pool->spare;
        pool->spare = *d;
        pool->count++;
    } else {
        free(*d);
    }
    *d = NULL;
}

/* With output in it, tx cannot be taken back; with input, the library does not want
 * to read. */
void desk_leave(desk_pool *pool, tenon_conn *conn, desk **d)
{
    uint32_t wants = tenon_wants(conn);
    int has_input = (wants & (TENON_WANTS_READ | TENON_WANTS_NEXT)) != TENON_WANTS_READ;
    if (*d != NULL && !has_input && tenon_lend_tx(conn, NULL, 0) == TENON_OK)
        desk_drop(pool, d);
}

void desk_free(desk_pool *pool)
{
    while (pool->spare != NULL) {
        desk *one = pool->spare;
        pool->spare = one->next;
        free(one);
    }
    pool->count = 0;
}
