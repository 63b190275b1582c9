/* SPDX-License-Identifier: MIT */
/*
 * permessage-deflate: messages compressed one by one (RFC 7692). Off unless a
 * config names it; a program that does not links none of it.
 *
 *   static const tenon_deflate deflate = {sizeof deflate, 0, &tenon_zlib};
 *   tenon_config_server(&config, sizeof config);
 *   tenon_config_deflate(&config, &deflate);
 *
 * The handshake then agrees on it by itself (do not name it in the extensions of a
 * request or an answer): a server takes the first offer that it
 * can keep to, a client offers and checks the answer. After OPEN, tenon_deflate_get
 * tells what was agreed. Messages are compressed, and arrive inflated, in the calls
 * and events of tenon.h; limits and the check of UTF-8 apply to what was inflated.
 *
 * MEMORY. A connection needs one block to compress and one to inflate, of sizes that
 * depend on what was agreed (tenon_deflate_size, tenon_inflate_size). They are lent
 * like rx and tx: when TENON_WANTS_DEFLATE or TENON_WANTS_INFLATE asks for them, or
 * before, from OPEN on; without its block a send that is to be compressed gives
 * TENON_ERR_AGAIN. Each may be taken back when tenon_wants shows its FREE bit: the one that
 * compresses between any two messages (the next one then starts afresh), the one
 * that inflates only if the peer has agreed to start afresh with each message. A block
 * just lent is free until it is used: look again after the tenon_next, or the send, that
 * it was wanted for.
 *
 * WORK. An octet received can become 1032. Each tenon_next inflates no more than rx
 * holds: of a long message a piece with TENON_CHUNKS, else the whole of it, up to
 * max_message. tenon_pump leaves it at about a mebibyte a turn (TENON_MORE); tenon_run
 * goes on until all that is lent is told, or you return TENON_STOP. Messages that
 * TENON_DROP_AFTER_CLOSE keeps back are not told, so one tenon_next may inflate many of
 * them: how long that takes is bounded by how much you lend at a time.
 *
 * SECRETS. Whoever can put text of his own beside a secret into one compressed stream
 * and see the sizes can find the secret out (RFC 7692, 8). Send secrets with
 * TENON_UNCOMPRESSED, or agree on TENON_DEFLATE_RESET_OUT, which keeps messages apart.
 */
#ifndef TENON_DEFLATE_H
#define TENON_DEFLATE_H

#include "tenon/tenon.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A codec: DEFLATE (RFC 1951) and nothing of WebSocket, for raw streams without
 * header and checksum. Its state lives in memory that it is given, of the size that
 * it named or more, aligned for any type, and does not move. There is no end: the
 * memory is taken away between messages, or with the connection, without a word, so the
 * state must hold nothing that has to be given back. All functions are required, and are
 * called for different memories from different threads at once. The sizes of input and
 * room that they are given are never beyond UINT32_MAX.
 */
typedef struct tenon_codec {
    uint32_t size;
    uint8_t min_bits; /* the smallest window, as a power of two, that deflate keeps to; 8 to 15 */
    uint8_t max_bits; /* and the largest */
    uint8_t reserved[2];

    /* Octets of memory for a window of 2^bits and a memory level of 1 to 9. */
    size_t (*deflate_size)(unsigned bits, unsigned memory_level);
    size_t (*inflate_size)(unsigned bits);

    /* Most octets that n octets (1 or more) become, for any parameters and data, with a
     * flush behind them. What is accepted for sending is judged by it; one that makes more
     * than that of a message has failed. */
    size_t (*bound)(size_t n);

    /* Makes a compressor that refers back by at most 2^bits. level: 1 to 9.
     * TENON_OK or TENON_ERR_SIZE (any other value is taken for it). */
    int (*deflate_begin)(void *memory, size_t size, unsigned bits, unsigned memory_level, unsigned level);

    /* Compresses *in_size octets at *in to *out_size octets at *out; moves both on, until
     * the input is used up or the room is. Blocks are not final. flush: when the input is
     * used up, brings everything out and ends with an empty stored block: its three bits,
     * zeros up to the next octet, 00 00 ff ff. That is done when *out_size is not 0
     * behind the call; else it is called again with flush, and puts what is still to
     * come, which may be nothing, or another empty block. Without flush octets may be held
     * back for the next call. The window goes on from call to call, flushed or not.
     * TENON_OK, or TENON_ERR_PROTOCOL: it failed; the connection ends with 1011, and
     * nothing of this memory is called again. */
    int (*deflate)(void *memory, const uint8_t **in, size_t *in_size, uint8_t **out, size_t *out_size, int flush);

    /* Forgets the window, and what was held back; at any time, also in the middle of a
     * message that is broken off. */
    void (*deflate_reset)(void *memory);

    /* Makes a decompressor for what refers back by up to 2^bits. bits: 8 to 15, whatever
     * min_bits and max_bits are. TENON_OK or TENON_ERR_SIZE. */
    int (*inflate_begin)(void *memory, size_t size, unsigned bits);

    /* Inflates until the input is used up or the room is; moves both on. Where the room
     * was used up it is called again, perhaps without input, for what is still inside.
     * TENON_OK; TENON_END: a final block has ended before *in (bits up to the next octet
     * are skipped), and the next begins there, with the same window; TENON_ERR_PROTOCOL:
     * this is not DEFLATE, or refers back beyond all there was (beyond 2^bits is to be
     * refused too, as far as the codec can tell). */
    int (*inflate)(void *memory, const uint8_t **in, size_t *in_size, uint8_t **out, size_t *out_size);

    /* 1 if all octets given belong to blocks that are whole: the next one would begin a
     * block. Asked when a message is over and its last octets, 00 00 ff ff, were given. */
    int (*inflate_whole)(const void *memory);

    /* Forgets the window; between messages. */
    void (*inflate_reset)(void *memory);
} tenon_codec;

/* tenon_deflate.flags: what is offered, or insisted on */
#define TENON_DEFLATE_RESET_OUT 0x01u /* this side starts each message afresh */
#define TENON_DEFLATE_RESET_IN 0x02u  /* the peer is asked to do so; saves the window between messages */
#define TENON_DEFLATE_REQUIRED 0x04u  /* client: without an agreement, Close 1010 */

/*
 * How to compress, and what to agree on. Borrowed by the config. Zeros are the
 * defaults.
 */
typedef struct tenon_deflate {
    uint32_t size;
    uint32_t flags;
    const tenon_codec *codec;
    /* Messages of fewer octets go out plain, if they are sent in one piece; 64.
     * TENON_OFF: none is compressed that does not ask for it (TENON_COMPRESS). */
    uint32_t threshold;
    uint8_t out_bits;     /* the largest window to compress with: what the codec can; 15 */
    uint8_t in_bits;      /* the largest window that the peer may use: 8 (server: 9 is agreed) to 15; 15 */
    uint8_t level;        /* 1 (fast) to 9 (small); 6 */
    uint8_t memory_level; /* 1 (little) to 9; 8 */
} tenon_deflate;

/* Adds it to a config that a tenon_config_ function has filled. Errors: NULL; SIZE;
 * ARG (a field outside its range, or beyond the codec). */
TENON_API int tenon_config_deflate(tenon_config *config, const tenon_deflate *deflate);

/* What was agreed on. */
typedef struct tenon_agreed {
    uint32_t size;
    uint8_t on;       /* 0: nothing, and nothing else is told */
    uint8_t out_bits; /* own window; 8 is possible, then nothing is compressed if the codec cannot */
    uint8_t in_bits;  /* the peer's window */
    uint8_t flags;    /* TENON_DEFLATE_RESET_OUT, TENON_DEFLATE_RESET_IN */
} tenon_agreed;

/* From the OPEN event on. Errors: NULL; SIZE; STATE. */
TENON_API int tenon_deflate_get(const tenon_conn *conn, tenon_agreed *agreed);

/* Octets of the two blocks for this connection, the least that will do: a larger
 * one makes longer frames (compress) or fewer steps (inflate). 0 without agreement, with
 * a window that the codec cannot compress with, and for NULL. */
TENON_API size_t tenon_deflate_size(const tenon_conn *conn);
TENON_API size_t tenon_inflate_size(const tenon_conn *conn);

/*
 * Lends the block, aligned like tenon_storage, or takes it back with NULL and 0. It
 * must not move while it is lent. Errors: NULL; SIZE; STATE (before OPEN, nothing
 * agreed, or a window that the codec does not have); BUSY (in use: TENON_FREE_DEFLATE
 * and TENON_FREE_INFLATE tell when it is not).
 */
TENON_API int tenon_lend_deflate(tenon_conn *conn, void *block, size_t size);
TENON_API int tenon_lend_inflate(tenon_conn *conn, void *block, size_t size);

/*
 * A compressed variant for a prepared message (tenon_prepare), made once and sent
 * to every peer whose window is at least 2^bits. block: memory as for a connection,
 * of tenon_prepare_size, not needed afterwards. out: borrowed like the data; codec's
 * bound of the data's size always suffices. Errors: NULL; SIZE; ARG; TOO_BIG (out is
 * too small, nothing is gained, or the codec failed: the message stays as it was, and is
 * sent plain). The size is 0 for a window that the codec does not have.
 */
TENON_API size_t tenon_prepare_size(const tenon_deflate *deflate, unsigned bits);
TENON_API int tenon_prepare_deflate(tenon_prepared *prepared, const tenon_deflate *deflate, unsigned bits,
                                    void *block, size_t block_size, void *out, size_t out_size);

/* ----------------------------------------- for programs with their own HTTP stack */

/* Octets for the longest value of Sec-WebSocket-Extensions made here, NUL included. */
#define TENON_DEFLATE_TEXT 192

/*
 * Client: the value to offer. Server: the value that answers the first acceptable
 * offer in the request's fields; empty if there is none (then nothing is to be
 * answered). Client again: what an answer's fields mean for what was offered.
 * agreed: for tenon_deflate_set. Errors: NULL; SIZE; EXTENSION (the answer is outside
 * the grammar, or not what was offered).
 */
TENON_API int tenon_deflate_offer(const tenon_deflate *deflate, char text[TENON_DEFLATE_TEXT]);
TENON_API int tenon_deflate_answer(const tenon_deflate *deflate, const tenon_fields *request,
                                   char text[TENON_DEFLATE_TEXT], tenon_agreed *agreed);
TENON_API int tenon_deflate_check(const tenon_deflate *deflate, const tenon_fields *answer, tenon_agreed *agreed);

/* Puts an agreement into force on a connection that starts open, before its first
 * tenon_next. Errors: NULL; SIZE; STATE; ARG. */
TENON_API int tenon_deflate_set(tenon_conn *conn, const tenon_agreed *agreed);

#ifdef __cplusplus
}
#endif

#endif
