/* SPDX-License-Identifier: MIT */
/*
 * The peer libwebsockets.
 *
 *   libwebsockets server
 *   libwebsockets client PORT MESSAGES CODE REASON
 *
 * It does not tell a client the code of the server's Close when the client has sent
 * one first, so the client prints none.
 */
#include <libwebsockets.h>
#include <stdlib.h>

#include "set.h"

/* A message that waits to be sent, behind the room that lws_write wants. */
typedef struct message {
    struct message *next;
    enum lws_write_protocol kind;
    size_t size;
    unsigned char data[];
} message;

typedef struct session {
    message *first, **last; /* echoes of the server */
    unsigned char *in;      /* the message that comes in */
    size_t in_size;
} session;

static struct {
    struct lws_context *context;
    set set;
    int code;
    const char *reason;
    unsigned sent, piece; /* of the line: messages, and pieces of the next one */
    size_t at;
    int is_closed, bad;
    int received;         /* the code of the other side's Close, if that came first */
    unsigned char *out;   /* the message that is being sent */
} client;

/* One more piece of the message that comes in: 1 if it is whole now. */
static int take(session *s, struct lws *wsi, const void *data, size_t size)
{
    unsigned char *larger = realloc(s->in, s->in_size + size + 1);
    if (larger == NULL)
        abort();
    memcpy(larger + s->in_size, data, size);
    s->in = larger;
    s->in_size += size;
    return lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;
}

static void clear(session *s)
{
    free(s->in);
    s->in = NULL;
    s->in_size = 0;
}

/* --------------------------------------------------------------------- echo */

static void queue_echo(session *s, struct lws *wsi)
{
    message *m = malloc(sizeof *m + LWS_PRE + s->in_size);
    if (m == NULL)
        abort();
    m->next = NULL;
    m->kind = lws_frame_is_binary(wsi) ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
    m->size = s->in_size;
    memcpy(m->data + LWS_PRE, s->in, s->in_size);
    *s->last = m;
    s->last = &m->next;
    clear(s);
    lws_callback_on_writable(wsi);
}

static int send_echo(session *s, struct lws *wsi)
{
    message *m = s->first;
    int sent;
    if (m == NULL)
        return 0;
    sent = lws_write(wsi, m->data + LWS_PRE, m->size, m->kind);
    s->first = m->next;
    if (s->first == NULL)
        s->last = &s->first;
    else
        lws_callback_on_writable(wsi);
    free(m);
    return sent < 0 ? -1 : 0;
}

/* The Close that the other side began. */
static void print_closed(const unsigned char *octets, size_t size)
{
    client.received = size < 2 ? 1005 : octets[0] << 8 | octets[1];
    printf("closed %d %.*s\n", client.received, size < 2 ? 0 : (int)size - 2, (const char *)octets + 2);
}

static int on_server(struct lws *wsi, enum lws_callback_reasons why, void *user, void *data, size_t size)
{
    session *s = user;
    switch (why) {
    case LWS_CALLBACK_ESTABLISHED:
        memset(s, 0, sizeof *s);
        s->last = &s->first;
        return 0;
    case LWS_CALLBACK_RECEIVE:
        if (take(s, wsi, data, size))
            queue_echo(s, wsi);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return send_echo(s, wsi);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        print_closed(data, size);
        return 0;
    case LWS_CALLBACK_CLOSED:
        clear(s);
        return 0;
    default:
        return lws_callback_http_dummy(wsi, why, user, data, size);
    }
}

/* ------------------------------------------------------------------- client */

/* Sends one piece, and asks for the next turn if the line has more. -1 closes. */
static int send_some(struct lws *wsi)
{
    const set_line *line = set_now(&client.set);
    int kind, sent;
    if (line == NULL && client.code == SET_GOING_AWAY) {
        puts("waiting");
        return 0;
    }
    if (line == NULL) {
        lws_close_reason(wsi, (enum lws_close_status)client.code, (unsigned char *)client.reason,
                         strlen(client.reason));
        return -1;
    }
    if (client.sent == line->count)
        return 0; /* its echoes are awaited */
    if (client.piece == 0) {
        set_make(&client.set, client.sent, client.out + LWS_PRE);
        client.at = 0;
    }
    kind = client.piece > 0 ? LWS_WRITE_CONTINUATION : line->kind == SET_TEXT ? LWS_WRITE_TEXT : LWS_WRITE_BINARY;
    if (line->kind == SET_PING)
        kind = LWS_WRITE_PING;
    if (client.piece + 1 < line->pieces)
        kind |= LWS_WRITE_NO_FIN;
    /* The header goes in front of the piece, over octets that have been sent. */
    sent = lws_write(wsi, client.out + LWS_PRE + client.at, line->piece[client.piece], (enum lws_write_protocol)kind);
    client.at += line->piece[client.piece];
    if (++client.piece == line->pieces) {
        client.piece = 0;
        client.sent++;
    }
    lws_callback_on_writable(wsi);
    return sent < 0 ? -1 : 0;
}

/* Compares an echo; behind the last of a line the next line is due. */
static int check(struct lws *wsi, char kind, const void *data, size_t size)
{
    int status = set_back(&client.set, kind, data, size);
    if (status < 0) {
        client.bad = 1;
        return -1;
    }
    if (status > 0) {
        client.sent = 0;
        lws_callback_on_writable(wsi);
    }
    return 0;
}

static int on_client(struct lws *wsi, enum lws_callback_reasons why, void *user, void *data, size_t size)
{
    session *s = user;
    int status;
    switch (why) {
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        fprintf(stderr, "not connected: %s\n", data == NULL ? "?" : (const char *)data);
        client.is_closed = client.bad = 1;
        return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        memset(s, 0, sizeof *s);
        lws_callback_on_writable(wsi);
        return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return send_some(wsi);
    case LWS_CALLBACK_CLIENT_RECEIVE:
        if (!take(s, wsi, data, size))
            return 0;
        status = check(wsi, lws_frame_is_binary(wsi) ? SET_BINARY : SET_TEXT, s->in, s->in_size);
        clear(s);
        return status;
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
        return check(wsi, SET_PING, data, size);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        print_closed(data, size);
        return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
        client.is_closed = 1;
        return 0;
    default:
        return lws_callback_http_dummy(wsi, why, user, data, size);
    }
}

/* ------------------------------------------------------------------- set up */

static const struct lws_extension extensions[] = {
    {"permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate; client_max_window_bits"},
    {NULL, NULL, NULL}};

static int connect_to(int port)
{
    struct lws_client_connect_info info;
    memset(&info, 0, sizeof info);
    info.context = client.context;
    info.address = info.host = info.origin = "127.0.0.1";
    info.port = port;
    info.path = "/echo";
    info.local_protocol_name = "client"; /* without .protocol no subprotocol is offered */
    return lws_client_connect_via_info(&info) != NULL ? 0 : -1;
}

int main(int argc, char **argv)
{
    static const struct lws_protocols protocols[] = {
        {"server", on_server, sizeof(session), 0, 0, NULL, 0},
        {"client", on_client, sizeof(session), 0, 0, NULL, 0},
        {NULL, NULL, 0, 0, 0, NULL, 0}};
    struct lws_context_creation_info info;
    struct lws_vhost *vhost;
    int is_server = argc < 6;
    memset(&info, 0, sizeof info);
    info.port = is_server ? 0 : CONTEXT_PORT_NO_LISTEN;
    info.iface = "127.0.0.1";
    info.protocols = protocols;
    info.extensions = extensions;
    info.gid = info.uid = (unsigned)-1;
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    setvbuf(stdout, NULL, _IOLBF, 0);
    lws_set_log_level(LLL_ERR | LLL_WARN, NULL);
    client.context = lws_create_context(&info);
    vhost = client.context == NULL ? NULL : lws_create_vhost(client.context, &info);
    if (vhost == NULL)
        return 1;
    if (is_server)
        printf("listening on 127.0.0.1:%d\n", lws_get_vhost_listen_port(vhost));
    client.out = malloc(LWS_PRE + SET_LARGEST);
    if (!is_server && (set_read(&client.set, argv[3]) != 0 || connect_to(atoi(argv[2])) != 0))
        return 2;
    client.code = is_server ? 0 : atoi(argv[4]);
    client.reason = is_server ? "" : argv[5];
    while (!client.is_closed && lws_service(client.context, 0) >= 0)
        ;
    lws_context_destroy(client.context);
    free(client.out);
    set_report(&client.set);
    if (client.code == SET_GOING_AWAY && client.received != client.code)
        return 1;
    return client.bad || set_now(&client.set) != NULL;
}
