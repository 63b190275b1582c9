/* SPDX-License-Identifier: MIT */
/* Layer 5: the callback loops, made of the public calls but for one: tenon_next
 * inside the guard that is kept over all events. */
#include "conn.h"

/* Pieces of one write: a burst of answers lies in one or two. They are on the stack. */
#define PIECES_MAX (TENON_SMALL ? 4 : 16)

/* Writes of one turn, and rounds of delivering what they brought about: so many
 * that a turn gets much done, so few that other connections have theirs. */
#define WRITES_MAX 16
#define ROUNDS_MAX 4

/* Octets told in a row, in one round of a turn: what a read brings, but for a few octets
 * that inflate to many. */
#define TOLD_MAX ((size_t)1 << 20)

/* Reads behind a write that failed. */
#define LAST_READS_MAX 64

/* tenon_run; or TENON_MORE, once so many octets were told. */
static int run(tenon_conn *conn, tenon_event_fn event, void *user, size_t most)
{
    tenon_event current;
    int answer = TENON_CONTINUE, status;
    if (conn == NULL || event == NULL)
        return TENON_ERR_NULL;
    status = tenon_guard(conn, 1);
    if (status != TENON_OK)
        return status;
    do {
        status = tenon_next_here(conn, &current);
        if (status != TENON_EVENT || current.type == TENON_EV_CLOSED)
            break;
        most -= current.size < most ? current.size : most;
        answer = event(conn, &current, user);
    } while (answer == TENON_CONTINUE && most > 0);
    tenon_guard(conn, 0);
    if (status != TENON_EVENT)
        return status;
    if (current.type == TENON_EV_CLOSED) {
        event(conn, &current, user); /* who may have freed the connection */
        return TENON_DONE;
    }
    if (answer == TENON_AGAIN)
        tenon_again(conn);
    return answer == TENON_CONTINUE ? TENON_MORE : TENON_STOPPED;
}

int tenon_run(tenon_conn *conn, tenon_event_fn event, void *user)
{
    return run(conn, event, user, SIZE_MAX);
}

/* Writes until the transport takes no more: TENON_OK, if it took nothing; TENON_EVENT, if
 * there may be events; TENON_MORE, if it might take more, but that is enough for one turn;
 * TENON_END, if it never will; or TENON_ERR_ACK. */
static int flush(tenon_conn *conn, const tenon_io *io)
{
    tenon_iov pieces[PIECES_MAX];
    size_t count = 0, put;
    int writes, status, done = TENON_OK;
    for (writes = 0; writes < WRITES_MAX; writes++) {
        tenon_out(conn, pieces, PIECES_MAX, &count);
        if (count == 0)
            return done;
        put = 0;
        status = io->send(io->user, pieces, count, &put);
        if (status < 0)
            return TENON_END;
        if (status != TENON_OK || put == 0)
            return done;
        done = TENON_EVENT;
        status = tenon_sent(conn, put);
        if (status != TENON_OK)
            return status;
    }
    return tenon_queued(conn) > 0 ? TENON_MORE : done;
}

/* Reads once. 1 if the transport may hold more, else 0. */
static int read_once(tenon_conn *conn, const tenon_io *io)
{
    size_t got = 0;
    int status;
    status = io->recv(io->user, io->buf, io->buf_size, &got);
    if (status < 0 || got > io->buf_size) {
        tenon_abort(conn, TENON_REMOTE);
        return 0;
    }
    if (status == TENON_END) {
        tenon_eof(conn);
        return 0;
    }
    if (status != TENON_OK || got == 0)
        return 0;
    tenon_recv(conn, io->buf, got);
    return 1;
}

/* Delivers and writes by turns, for each brings about the other. TENON_OK,
 * TENON_MORE, TENON_STOPPED, TENON_DONE, TENON_END (of writing) or an error. */
static int deliver(tenon_conn *conn, const tenon_io *io)
{
    int round, status = TENON_OK;
    for (round = 0; round < ROUNDS_MAX; round++) {
        int flushed;
        status = run(conn, io->event, io->user, TOLD_MAX);
        if (status == TENON_DONE)
            return status;
        flushed = flush(conn, io);
        if (flushed < 0 || (flushed == TENON_END && status != TENON_STOPPED))
            return flushed;
        if (flushed == TENON_END)
            tenon_abort(conn, TENON_REMOTE); /* who stops has heard enough */
        if (status != TENON_OK)
            return status;
        if (flushed != TENON_EVENT || (tenon_wants(conn) & TENON_WANTS_NEXT) == 0)
            return flushed == TENON_MORE ? TENON_MORE : TENON_OK;
    }
    return TENON_MORE;
}

/* Nothing can be written any more, but what the peer said before may still be there to
 * be read: its Close, most likely. A program that stops has heard enough: what it waits
 * for, room for an answer perhaps, will not come. */
static int hear_out(tenon_conn *conn, const tenon_io *io)
{
    int status, reads = 0;
    do {
        status = run(conn, io->event, io->user, SIZE_MAX);
        if (status == TENON_DONE)
            return status;
    } while (status == TENON_OK && reads++ < LAST_READS_MAX &&
             (tenon_wants(conn) & TENON_WANTS_READ) != 0 && read_once(conn, io));
    tenon_abort(conn, TENON_REMOTE);
    return status == TENON_OK ? run(conn, io->event, io->user, SIZE_MAX) : status;
}

static int check_io(tenon_conn *conn, const tenon_io *io)
{
    int status;
    if (conn == NULL || io == NULL)
        return TENON_ERR_NULL;
    if (io->size < TENON_IO_LEAST)
        return TENON_ERR_SIZE;
    if (io->recv == NULL || io->send == NULL || io->now == NULL || io->event == NULL || io->buf == NULL)
        return TENON_ERR_NULL;
    if (io->buf_size == 0)
        return TENON_ERR_SIZE;
    status = tenon_guard(conn, 1);
    if (status == TENON_OK)
        tenon_guard(conn, 0);
    return status;
}

/* What follows a flush: events that were waiting, a read, and what it brings. deliver is
 * called in one place, so that it takes no stack of its own. */
static int turn(tenon_conn *conn, const tenon_io *io)
{
    uint32_t wants = tenon_wants(conn);
    int read = 0, more = 0, status = TENON_OK;
    int waiting = (wants & (TENON_WANTS_NEXT | TENON_WANTS_READ)) != TENON_WANTS_READ;
    for (;;) {
        if (waiting) {
            status = deliver(conn, io);
            if (read || (status != TENON_OK && status != TENON_MORE))
                return status == TENON_OK && more ? TENON_MORE : status;
            wants = tenon_wants(conn);
        }
        if ((wants & TENON_WANTS_READ) == 0)
            return status;
        more = read_once(conn, io);
        read = waiting = 1;
    }
}

int tenon_pump(tenon_conn *conn, const tenon_io *io)
{
    int status = check_io(conn, io);
    if (status != TENON_OK)
        return status;
    tenon_tick(conn, io->now(io->user));
    status = flush(conn, io);
    if (status >= 0 && status != TENON_END)
        status = turn(conn, io);
    if (status == TENON_END)
        return hear_out(conn, io);
    if (status != TENON_OK && status != TENON_MORE)
        return status;
    if (tenon_state(conn) == TENON_CLOSING && (tenon_wants(conn) & TENON_WANTS_SHUT_WR) != 0) {
        if (io->shut != NULL)
            io->shut(io->user);
        tenon_shut(conn);
    }
    return status;
}
