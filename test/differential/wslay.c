/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <wslay/wslay.h>

#include "verdict.h"

typedef struct stream {
    const uint8_t *octets;
    size_t left;
    verdict v;
} stream;

static ssize_t read_some(wslay_event_context_ptr context, uint8_t *to, size_t room, int flags, void *user)
{
    stream *s = user;
    size_t n = s->left < room ? s->left : room;
    (void)flags;
    if (n == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(to, s->octets, n);
    s->octets += n;
    s->left -= n;
    return (ssize_t)n;
}

static ssize_t write_some(wslay_event_context_ptr context, const uint8_t *data, size_t n, int flags, void *user)
{
    (void)context;
    (void)data;
    (void)flags;
    (void)user;
    return (ssize_t)n;
}

static int make_mask(wslay_event_context_ptr context, uint8_t *to, size_t n, void *user)
{
    (void)context;
    (void)user;
    memset(to, 0x5a, n);
    return 0;
}

static void on_message(wslay_event_context_ptr context, const struct wslay_event_on_msg_recv_arg *message, void *user)
{
    (void)context;
    if (message->opcode != WSLAY_CONNECTION_CLOSE)
        verdict_add(&((stream *)user)->v, message->opcode, message->msg, message->msg_length);
}

/* It answers by itself; what it has sent tells how it judged. */
verdict judge_wslay(const uint8_t *octets, size_t n, int is_server)
{
    struct wslay_event_callbacks callbacks = {read_some, write_some, make_mask, NULL, NULL, NULL, on_message};
    wslay_event_context_ptr context = NULL;
    stream s;
    int status;
    memset(&s, 0, sizeof s);
    s.octets = octets;
    s.left = n;
    status = is_server ? wslay_event_context_server_init(&context, &callbacks, &s)
                       : wslay_event_context_client_init(&context, &callbacks, &s);
    if (status == 0)
        status = wslay_event_recv(context);
    if (status != 0) {
        s.v.ending = FAILED;
    } else if (wslay_event_get_close_received(context)) {
        s.v.ending = CLOSED_BY_PEER;
        s.v.code = wslay_event_get_status_code_received(context);
    } else if (!wslay_event_get_read_enabled(context)) {
        s.v.ending = FAILED;
        (void)wslay_event_send(context);
        s.v.code = wslay_event_get_status_code_sent(context);
    }
    wslay_event_context_free(context);
    return s.v;
}
