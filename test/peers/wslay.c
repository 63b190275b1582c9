/* SPDX-License-Identifier: MIT */
/*
 * The peer wslay, by its event API.
 *
 *   wslay server
 *   wslay client PORT MESSAGES CODE REASON
 *
 * wslay has no handshake: the least one is written by hand here, with OpenSSL for the
 * digest. The client's key is always that of RFC 6455, 1.3, so that it knows the answer.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <poll.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wslay/wslay.h>

#include "set.h"

#define HEAD_MAX 4096
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

typedef struct peer {
    int fd, is_client;
    int code;            /* client: to close with */
    const char *reason;
    int received;        /* the code of the other side's Close */
    int bad;
    set set;
    unsigned piece;      /* of the message in fragments that is being sent: the next one, */
    size_t piece_at;     /* how much of it is gone, */
    size_t at;           /* and of the message */
    unsigned char message[SET_LARGEST];
} peer;

/* ---------------------------------------------------------------- callbacks */

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t size, int flags, void *user)
{
    peer *p = user;
    ssize_t got = recv(p->fd, buf, size, MSG_DONTWAIT);
    (void)flags;
    if (got > 0)
        return got;
    wslay_event_set_error(ctx, got < 0 && errno == EAGAIN ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t size, int flags, void *user)
{
    peer *p = user;
    ssize_t sent = send(p->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)flags;
    if (sent < 0)
        wslay_event_set_error(ctx, errno == EAGAIN ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return sent;
}

static int on_mask(wslay_event_context_ptr ctx, uint8_t *buf, size_t size, void *user)
{
    (void)ctx;
    (void)user;
    return getrandom(buf, size, 0) == (ssize_t)size ? 0 : -1;
}

/* Some of a message in fragments: each call makes a frame. To return nothing means
 * "nothing yet", so there are no empty fragments. */
static ssize_t on_read(wslay_event_context_ptr ctx, uint8_t *buf, size_t size,
                       const union wslay_event_msg_source *source, int *eof, void *user)
{
    peer *p = user;
    const set_line *line = source->data;
    size_t count;
    (void)ctx;
    for (; p->piece_at == line->piece[p->piece]; p->piece++)
        p->piece_at = 0;
    count = line->piece[p->piece] - p->piece_at;
    if (count > size)
        count = size;
    memcpy(buf, p->message + p->at, count);
    p->piece_at += count;
    p->at += count;
    *eof = p->at == line->size;
    return (ssize_t)count;
}

static void send_message(peer *p, wslay_event_context_ptr ctx, const set_line *line)
{
    struct wslay_event_msg message = {0, p->message, line->size};
    struct wslay_event_fragmented_msg parts = {0, {0}, on_read};
    message.opcode = parts.opcode = line->kind == SET_TEXT ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME;
    if (line->kind == SET_PING)
        message.opcode = WSLAY_PING;
    p->at = p->piece_at = p->piece = 0;
    parts.source.data = (void *)line;
    if ((line->pieces > 1 ? wslay_event_queue_fragmented_msg(ctx, &parts) : wslay_event_queue_msg(ctx, &message)) != 0)
        p->bad = 1;
}

/* Client: queues the next line, or the Close. */
static void go_on(peer *p, wslay_event_context_ptr ctx)
{
    const set_line *line = set_now(&p->set);
    unsigned i;
    if (line == NULL && p->code == SET_GOING_AWAY) {
        puts("waiting");
        return;
    }
    if (line == NULL) {
        wslay_event_queue_close(ctx, (uint16_t)p->code, (const uint8_t *)p->reason, strlen(p->reason));
        return;
    }
    for (i = 0; i < line->count; i++) {
        set_make(&p->set, i, p->message);
        send_message(p, ctx, line);
    }
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *arg, void *user)
{
    peer *p = user;
    char reason[128] = "";
    struct wslay_event_msg echo = {arg->opcode, arg->msg, arg->msg_length};
    char kind = arg->opcode == WSLAY_PONG ? SET_PING : arg->opcode == WSLAY_TEXT_FRAME ? SET_TEXT : SET_BINARY;
    if (arg->opcode == WSLAY_CONNECTION_CLOSE) {
        p->received = arg->status_code;
        printf("closed %u ", arg->status_code);
        puts(arg->msg_length > 2 ? (const char *)memcpy(reason, arg->msg + 2, arg->msg_length - 2) : "");
    } else if (p->is_client) {
        int status = set_back(&p->set, kind, arg->msg, arg->msg_length);
        if (status < 0)
            p->bad = 1;
        else if (status > 0)
            go_on(p, ctx);
    } else if (!wslay_is_ctrl_frame(arg->opcode)) {
        wslay_event_queue_msg(ctx, &echo);
    }
}

/* ---------------------------------------------------------------- handshake */

/* Reads up to the end of a head, octet by octet, so that nothing behind it is taken. */
static int read_head(int fd, char *head)
{
    size_t n = 0;
    while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0)
        if (n + 1 == HEAD_MAX || recv(fd, head + n++, 1, 0) != 1)
            return -1;
    head[n] = '\0';
    return 0;
}

/* The value of a field, ended with NUL in place, or NULL. */
static char *field(char *head, const char *name)
{
    char *line;
    for (line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) != 0 || line[strlen(name)] != ':')
            continue;
        line += strlen(name) + 1;
        line += strspn(line, " ");
        line[strcspn(line, "\r")] = '\0';
        return line;
    }
    return NULL;
}

static int send_all(int fd, const char *text)
{
    return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text) ? 0 : -1;
}

static int shake_server(int fd)
{
    char head[HEAD_MAX], text[512], accept[32];
    unsigned char digest[SHA_DIGEST_LENGTH];
    char *key = read_head(fd, head) == 0 ? field(head, "Sec-WebSocket-Key") : NULL;
    if (key == NULL || strlen(key) != strlen(KEY))
        return -1;
    snprintf(text, sizeof text, "%s" GUID, key);
    SHA1((unsigned char *)text, strlen(text), digest);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
    snprintf(text, sizeof text, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    return send_all(fd, text);
}

static int shake_client(int fd, const char *port)
{
    char head[HEAD_MAX], text[512], *accept;
    snprintf(text, sizeof text, "GET /echo HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n\r\n", port);
    if (send_all(fd, text) != 0 || read_head(fd, head) != 0 || strncmp(head, "HTTP/1.1 101 ", 13) != 0)
        return -1;
    accept = field(head, "Sec-WebSocket-Accept");
    return accept != NULL && strcmp(accept, ACCEPT) == 0 ? 0 : -1;
}

/* --------------------------------------------------------------------- loop */

/* Speaks until both have sent a Close, or something is wrong. */
static void talk(peer *p)
{
    static const struct wslay_event_callbacks callbacks = {on_recv, on_send, on_mask, NULL, NULL, NULL, on_message};
    wslay_event_context_ptr ctx;
    p->bad = (p->is_client ? wslay_event_context_client_init : wslay_event_context_server_init)(&ctx, &callbacks, p);
    if (p->bad)
        return;
    if (p->is_client)
        go_on(p, ctx);
    while (!p->bad && (wslay_event_want_read(ctx) || wslay_event_want_write(ctx))) {
        struct pollfd ready = {p->fd, 0, 0};
        ready.events |= wslay_event_want_read(ctx) ? POLLIN : 0;
        ready.events |= wslay_event_want_write(ctx) ? POLLOUT : 0;
        poll(&ready, 1, -1);
        if ((ready.revents & ~POLLOUT) != 0 && wslay_event_recv(ctx) != 0)
            p->bad = 1;
        if ((ready.revents & POLLOUT) != 0 && wslay_event_send(ctx) != 0)
            p->bad = 1;
    }
    wslay_event_context_free(ctx);
}

static int serve(peer *p, struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)address, size) != 0 || listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)address, &size) != 0)
        return 1;
    printf("listening on 127.0.0.1:%d\n", ntohs(address->sin_port));
    while ((p->fd = accept(listener, NULL, NULL)) >= 0) {
        if (shake_server(p->fd) == 0)
            talk(p);
        close(p->fd);
    }
    return 1;
}

static int converse(peer *p, struct sockaddr_in *address, char **argv)
{
    if (set_read(&p->set, argv[3]) != 0)
        return 2;
    p->is_client = 1;
    p->code = atoi(argv[4]);
    p->reason = argv[5];
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    address->sin_port = htons((uint16_t)atoi(argv[2]));
    if (connect(p->fd, (struct sockaddr *)address, sizeof *address) != 0 || shake_client(p->fd, argv[2]) != 0)
        return 1;
    talk(p);
    while (!p->bad && recv(p->fd, p->message, sizeof p->message, 0) > 0)
        ; /* it is the server that ends the connection (RFC 6455, 7.1.1) */
    close(p->fd);
    set_report(&p->set);
    return p->bad || set_now(&p->set) != NULL || p->received != p->code;
}

int main(int argc, char **argv)
{
    static peer p;
    struct sockaddr_in address = {0};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setvbuf(stdout, NULL, _IOLBF, 0);
    return argc == 6 ? converse(&p, &address, argv) : serve(&p, &address);
}
