/* SPDX-License-Identifier: MIT */
/* wslay as a contender: its event API. It has no handshake, and keeps its kernels to itself. */
#include <string.h>
#include <wslay/wslay.h>

#include "speed.h"

typedef struct pipe_end {
    job *job;
    size_t at, until; /* what may be read now */
} pipe_end;

static ssize_t read_some(wslay_event_context_ptr context, uint8_t *to, size_t room, int flags, void *user)
{
    pipe_end *p = user;
    size_t n = speed_piece(p->until - p->at, room);
    (void)flags;
    if (n == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(to, p->job->in + p->at, n);
    p->at += n;
    return (ssize_t)n;
}

static ssize_t write_some(wslay_event_context_ptr context, const uint8_t *data, size_t n, int flags, void *user)
{
    job *j = ((pipe_end *)user)->job;
    (void)context;
    (void)flags;
    memcpy(j->out + j->out_size, data, n);
    j->out_size += n;
    return (ssize_t)n;
}

static int make_mask(wslay_event_context_ptr context, uint8_t *to, size_t n, void *user)
{
    static uint32_t seed = 1;
    uint32_t four = speed_random(&seed);
    (void)context;
    (void)user;
    memcpy(to, &four, n < 4 ? n : 4);
    return 0;
}

static void on_message(wslay_event_context_ptr context, const struct wslay_event_on_msg_recv_arg *message, void *user)
{
    (void)context;
    speed_take(((pipe_end *)user)->job, message->msg, message->msg_length, 1);
}

static void on_piece(wslay_event_context_ptr context, const struct wslay_event_on_frame_recv_chunk_arg *piece,
                     void *user)
{
    (void)context;
    speed_take(((pipe_end *)user)->job, piece->data, piece->data_length, 0);
}

/* The streams of the benchmark have no fragments. */
static void on_frame_end(wslay_event_context_ptr context, void *user)
{
    (void)context;
    speed_take(((pipe_end *)user)->job, NULL, 0, 1);
}

static int receive(job *j, const struct wslay_event_callbacks *callbacks, int is_in_pieces)
{
    wslay_event_context_ptr context;
    pipe_end p = {j, 0, 0};
    int status = 0;
    if (wslay_event_context_server_init(&context, callbacks, &p) != 0)
        return -1;
    wslay_event_config_set_max_recv_msg_length(context, 1u << 30);
    wslay_event_config_set_no_buffering(context, is_in_pieces);
    while (status == 0 && p.until < j->in_size) {
        p.until += speed_piece(j->in_size - p.until, j->cut);
        status = wslay_event_recv(context);
        if (!wslay_event_get_read_enabled(context))
            status = -1;
    }
    wslay_event_context_free(context);
    return status;
}

static int decode(job *j)
{
    struct wslay_event_callbacks callbacks = {read_some, write_some, make_mask, NULL, NULL, NULL, on_message};
    return receive(j, &callbacks, 0);
}

static int decode_pieces(job *j)
{
    struct wslay_event_callbacks callbacks = {read_some, write_some, make_mask, NULL, on_piece, on_frame_end, NULL};
    return receive(j, &callbacks, 1);
}

static int encode(job *j)
{
    struct wslay_event_callbacks callbacks = {read_some, write_some, make_mask, NULL, NULL, NULL, NULL};
    struct wslay_event_msg message = {WSLAY_BINARY_FRAME, j->in, j->in_size};
    wslay_event_context_ptr context;
    pipe_end p = {j, 0, 0};
    size_t i;
    int status = j->is_client ? wslay_event_context_client_init(&context, &callbacks, &p)
                              : wslay_event_context_server_init(&context, &callbacks, &p);
    if (status != 0)
        return -1;
    for (i = 0; i < j->count && status == 0; i++) {
        j->out_size = 0;
        status = wslay_event_queue_msg(context, &message);
        if (status == 0)
            status = wslay_event_send(context);
    }
    wslay_event_context_free(context);
    return status;
}

const contender speed_wslay[] = {
    {"wslay", DECODE, decode, NULL, 0},
    {"wslay, pieces", DECODE, decode_pieces, NULL, 0},
    {"wslay", ENCODE, encode, NULL, 0},
    {NULL, 0, NULL, NULL, 0},
};
