/* SPDX-License-Identifier: MIT */
/*
 * tenon: the WebSocket protocol (RFC 6455) without the socket.
 *
 * Bytes from your transport go in, events come out; messages go in, bytes for
 * your transport come out. tenon opens no socket, allocates nothing, reads no
 * clock and draws no random numbers: all of these are yours.
 *
 *      your socket                     tenon                   your program
 *   read() ──bytes──▶ tenon_recv ──▶ tenon_next ──event──▶ handle
 *  write() ◀─iovecs── tenon_out  ◀── tenon_send ◀─message─ answer
 *          ──n──────▶ tenon_sent     tenon_wants ─what it needs now─▶ your loop
 *   clock  ──now────▶ tenon_tick     tenon_deadline ─when──▶ your timer
 *
 * CONVENTIONS
 *
 * Status. A function that can fail returns an int: zero or positive is good,
 * negative is one of the TENON_ERR_ values. A call that returns an error has
 * changed nothing, except that AGAIN calls for WRITABLE and RANDOM ends the
 * connection. Counts go out through pointers. What the peer does wrong is never
 * an error of a call: it is told by the CLOSED event, with the rule that was
 * broken (tenon_rule_text), its RFC section and the offset in the stream.
 *
 * NULL. A NULL connection, event or output pointer gives TENON_ERR_NULL. A NULL
 * data pointer is legal when its size is zero. Functions that ask a connection
 * and return no status (tenon_wants, tenon_state, tenon_deadline and their like)
 * take NULL, and say what they give then.
 *
 * Sizes are octets: size_t in memory, uint64_t on the wire. Times are
 * milliseconds on any clock that does not go back; only differences count.
 *
 * Lifetimes. Memory lent (tenon_init, tenon_lend_rx, tenon_lend_tx,
 * tenon_lend_stats, tenon_recv) stays yours and must stay valid until the CLOSED
 * event, or until taken back; that of tenon_init for as long as calls are made.
 * The slices of an event are valid until the next tenon_next, tenon_run or
 * tenon_pump on that connection.
 *
 * Strings. A size of zero beside a pointer means "ends with NUL" in tenon_header
 * and in the structs of the handshake; a tenon_str always carries its size.
 *
 * Threads. One connection on one thread at a time; different connections on
 * different threads without locks. A tenon_config and a tenon_prepared are
 * shared by any number of threads once filled.
 *
 * Re-entry. Inside a callback everything may be called that sends, closes,
 * accepts, rejects or reads state. tenon_next, tenon_run, tenon_pump, tenon_recv
 * and tenon_unlend return TENON_ERR_REENTRY there (but after CLOSED, when there
 * is nothing left to call them for).
 *
 * Structs that may grow begin with their size, which you set; later versions add
 * at the end. In them zero means "the documented default", and in limits and
 * timeouts TENON_OFF means "off" or "no limit".
 *
 * TWO WAYS TO DRIVE IT
 *
 * tenon_pump reads, delivers, times and writes through callbacks that you wire
 * to your socket; call it whenever the socket is ready or the deadline passes.
 * The pull calls that it is made of (tenon_recv, tenon_next, tenon_out,
 * tenon_sent, tenon_tick) are public, and everything can be done with them.
 */
#ifndef TENON_TENON_H
#define TENON_TENON_H

#include <stddef.h>
#include <stdint.h>

#if defined(TENON_SHARED) && (defined(__GNUC__) || defined(__clang__)) && !defined(_WIN32)
#define TENON_API __attribute__((visibility("default")))
#else
#define TENON_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define TENON_VERSION_MAJOR 0
#define TENON_VERSION_MINOR 1
#define TENON_VERSION_PATCH 0

/* "Off" or "no limit", in every limit and timeout of tenon_config. */
#define TENON_OFF 0xFFFFFFFFu

/* What tenon_deadline returns when no timer runs. */
#define TENON_NEVER UINT64_MAX

/* Octets of a connection's storage: the same for a whole major version. */
#define TENON_STORAGE_SIZE 384

/*
 * Least sizes of the lent buffers. The opening handshake has all of rx; then 128
 * octets of it are kept for a control frame that arrives in pieces and for the
 * peer's close reason, and the rest assembles messages. Of tx, 256 octets are kept
 * for one waiting Pong and one waiting Close; the rest is the output queue. A client
 * needs room in the queue for its whole request, and tenon_send for the whole
 * message with the headers of its frames (one for each max_frame_out, of at most
 * 14 octets).
 */
#define TENON_RX_MIN 256
#define TENON_RX_RESERVE 128
#define TENON_TX_MIN 512
#define TENON_TX_RESERVE 256

/* Most payload octets of a control frame, and of a close reason (RFC 6455, 5.5). */
#define TENON_CONTROL_MAX 125
#define TENON_REASON_MAX 123

/* ------------------------------------------------------------------ status */

enum {
    TENON_OK = 0,      /* done; for tenon_next: nothing to tell now */
    TENON_EVENT = 1,   /* tenon_next filled the event */
    TENON_STOPPED = 2, /* tenon_run, tenon_pump: the callback asked to stop */
    TENON_DONE = 3,    /* tenon_run, tenon_pump: CLOSED was delivered; the connection is not touched again */
    TENON_MORE = 4,    /* tenon_pump: there may be more; call again soon */
    TENON_WAIT = 5,    /* your transport: would block; decoders: needs more octets */
    TENON_END = 6,     /* your transport: end of the stream; iterators: no more elements */

    TENON_ERR_NULL = -1,         /* a pointer that must not be NULL is */
    TENON_ERR_SIZE = -2,         /* a buffer, storage or struct is too small or misaligned */
    TENON_ERR_ARG = -3,          /* an argument outside its range */
    TENON_ERR_STATE = -4,        /* not possible in this state (tenon_state) */
    TENON_ERR_REENTRY = -5,      /* called from inside a callback of the same connection */
    TENON_ERR_BUSY = -6,         /* memory is in use: lent octets are left, or an event is held */
    TENON_ERR_AGAIN = -7,        /* no room now; WRITABLE tells when to try again */
    TENON_ERR_TOO_BIG = -8,      /* can never fit into the lent buffer */
    TENON_ERR_UTF8 = -9,         /* text to be sent is not UTF-8 */
    TENON_ERR_CODE = -10,        /* a close code that must not be sent */
    TENON_ERR_CONTROL_SIZE = -11,/* a control payload over 125 or a reason over 123 octets */
    TENON_ERR_RANDOM = -12,      /* the random callback failed or is missing */
    TENON_ERR_HEADER = -13,      /* a header name or value that must not go into a head */
    TENON_ERR_URI = -14,         /* not a ws: or wss: URI */
    TENON_ERR_SUBPROTOCOL = -15, /* not a token, repeated, or not offered */
    TENON_ERR_EXTENSION = -16,   /* not in the grammar, or not offered */
    TENON_ERR_ACK = -17,         /* tenon_sent: more than tenon_out offered */
    TENON_ERR_STATUS = -18,      /* an HTTP status that cannot refuse an upgrade */
    TENON_ERR_PROTOCOL = -19,    /* decoders of frame.h and handshake.h: a rule is broken */
    TENON_ERR_IO = -20           /* your transport: failed */
};

/* What event callbacks return. */
enum {
    TENON_CONTINUE = 0, /* done with the event; go on */
    TENON_STOP = 1,     /* done with the event; leave the loop */
    /* Keep the event: the same one comes again; leave the loop. Meanwhile nothing is
     * read, so of the timers only those of the handshake, of the close and of stalled
     * output run; they drop the event, unless it is RELEASED. The silence that idle_ms
     * and pong_ms measure begins anew behind it. */
    TENON_AGAIN = 2
};

/* ---------------------------------------------------------------- protocol */

enum { TENON_SERVER = 1, TENON_CLIENT = 2 };

enum {
    TENON_CONTINUATION = 0,
    TENON_TEXT = 1,
    TENON_BINARY = 2,
    TENON_OP_CLOSE = 8,
    TENON_OP_PING = 9,
    TENON_OP_PONG = 10
};

/* Close codes (RFC 6455, 7.4.1, and the IANA registry). */
enum {
    TENON_CLOSE_NORMAL = 1000,
    TENON_CLOSE_GOING_AWAY = 1001,
    TENON_CLOSE_PROTOCOL = 1002,
    TENON_CLOSE_UNSUPPORTED = 1003,
    TENON_CLOSE_NONE = 1005,     /* never on the wire: the Close had no code; to tenon_close: send none */
    TENON_CLOSE_ABNORMAL = 1006, /* never on the wire: no Close was received */
    TENON_CLOSE_DATA = 1007,
    TENON_CLOSE_POLICY = 1008,
    TENON_CLOSE_TOO_BIG = 1009,
    TENON_CLOSE_EXTENSION = 1010,
    TENON_CLOSE_INTERNAL = 1011,
    TENON_CLOSE_RESTART = 1012,
    TENON_CLOSE_LATER = 1013,
    TENON_CLOSE_GATEWAY = 1014
};

/* States (tenon_state). */
enum {
    TENON_CONNECTING = 0, /* the opening handshake is not over */
    TENON_OPEN = 1,
    TENON_CLOSING = 2,    /* a Close was sent or received, or the connection failed */
    TENON_CLOSED = 3      /* CLOSED was delivered, or only RELEASED and CLOSED are to come */
};

/*
 * The rule that was broken, or why the connection ended. Numbers are pinned.
 * tenon_rule_text gives a sentence, tenon_rule_section the RFC section.
 */
enum {
    TENON_RULE_NONE = 0,
    /* frames: RFC 6455, section 5 */
    TENON_RULE_RSV = 1,               /* an RSV bit that nothing negotiated defines */
    TENON_RULE_OPCODE = 2,            /* a reserved opcode */
    TENON_RULE_CONTROL_FIN = 3,       /* a fragmented control frame */
    TENON_RULE_CONTROL_SIZE = 4,      /* a control frame over 125 octets */
    TENON_RULE_MASK_MISSING = 5,      /* a client's frame without mask */
    TENON_RULE_MASK_PRESENT = 6,      /* a server's frame with mask */
    TENON_RULE_LENGTH_MINIMAL = 7,    /* a length not in its shortest form */
    TENON_RULE_LENGTH_RANGE = 8,      /* a 64-bit length with the high bit set */
    TENON_RULE_CONTINUATION = 9,      /* a continuation without a message */
    TENON_RULE_UNFINISHED = 10,       /* a new message inside an unfinished one */
    TENON_RULE_UTF8 = 11,             /* text that is not UTF-8 */
    TENON_RULE_UTF8_END = 12,         /* text that ends inside a code point */
    TENON_RULE_CLOSE_SIZE = 13,       /* a Close of one octet */
    TENON_RULE_CLOSE_CODE = 14,       /* a close code that must not be on the wire */
    TENON_RULE_CLOSE_UTF8 = 15,       /* a close reason that is not UTF-8 */
    TENON_RULE_MESSAGE_SIZE = 16,     /* max_message */
    TENON_RULE_FRAGMENTS = 17,        /* max_fragments */
    TENON_RULE_CONTROL_FLOOD = 18,    /* max_control */
    /* permessage-deflate: RFC 7692 */
    TENON_RULE_DEFLATE = 20,          /* a compressed message that is not DEFLATE */
    TENON_RULE_DEFLATE_END = 21,      /* a compressed message that ends inside a block */
    TENON_RULE_DEFLATE_EMPTY = 22,    /* a compressed message without any octet */
    TENON_RULE_DEFLATE_AGREED = 23,   /* an agreement outside the grammar or the offer */
    TENON_RULE_CODEC = 24,            /* the codec failed to compress */
    /* HTTP heads: RFC 9112 */
    TENON_RULE_START_LINE = 40,       /* request or status line outside the grammar */
    TENON_RULE_LINE_END = 41,         /* a bare CR or LF */
    TENON_RULE_FIELD_NAME = 42,       /* a field name that is not a token, or no colon */
    TENON_RULE_FIELD_VALUE = 43,      /* NUL or another control in a value */
    TENON_RULE_FOLD = 44,             /* a folded line in a request, or white space before the first field */
    TENON_RULE_HEAD_SIZE = 45,        /* max_head */
    TENON_RULE_TARGET_SIZE = 46,      /* max_target */
    TENON_RULE_HEADERS = 47,          /* max_headers */
    TENON_RULE_HTTP_VERSION = 48,     /* not HTTP/1.x, or an answer of HTTP/1.0 */
    TENON_RULE_METHOD = 49,           /* not GET; not CONNECT, where it is extended */
    TENON_RULE_TARGET = 50,           /* a request target that GET cannot have */
    TENON_RULE_HOST = 51,             /* Host missing, repeated or not valid */
    TENON_RULE_BODY = 52,             /* an upgrade with content, or ambiguous framing */
    TENON_RULE_TRANSFER_CODING = 53,  /* an unknown transfer coding */
    TENON_RULE_EXPECT = 54,           /* an expectation */
    /* the upgrade: RFC 6455, section 4 */
    TENON_RULE_UPGRADE = 60,          /* Upgrade does not name websocket */
    TENON_RULE_CONNECTION = 61,       /* Connection does not name Upgrade */
    TENON_RULE_KEY = 62,              /* Sec-WebSocket-Key missing, repeated or not 16 octets */
    TENON_RULE_VERSION = 63,          /* Sec-WebSocket-Version is not one 13 */
    TENON_RULE_SUBPROTOCOL = 64,      /* Sec-WebSocket-Protocol outside its grammar, or not offered */
    TENON_RULE_EXTENSION = 65,        /* Sec-WebSocket-Extensions outside its grammar, or not offered */
    TENON_RULE_ACCEPT = 66,           /* Sec-WebSocket-Accept missing, repeated or wrong */
    TENON_RULE_STATUS = 67,           /* the answer was not 101 */
    TENON_RULE_INTERIM = 68,          /* too many 1xx answers */
    TENON_RULE_EARLY = 69,            /* octets from the server before there was a request */
    /* extended CONNECT: RFC 8441, 9220 */
    TENON_RULE_PSEUDO = 80,           /* a pseudo-header missing, repeated, unknown or out of place */
    TENON_RULE_PROTOCOL = 81,         /* :protocol is not websocket */
    TENON_RULE_SCHEME = 82,           /* :scheme is neither http nor https */
    TENON_RULE_FIELD_FORBIDDEN = 83,  /* a field that HTTP/2 and /3 forbid, or a name not in lower case */
    /* time */
    TENON_RULE_HANDSHAKE_TIMEOUT = 100,
    TENON_RULE_IDLE_TIMEOUT = 101,
    TENON_RULE_PONG_TIMEOUT = 102,
    TENON_RULE_CLOSE_TIMEOUT = 103,
    TENON_RULE_STALL_TIMEOUT = 104,
    /* the transport and the program */
    TENON_RULE_EOF = 110,             /* the stream ended without a Close */
    TENON_RULE_ABORT = 111,           /* tenon_abort */
    TENON_RULE_RANDOM = 112,          /* the random callback failed */
    TENON_RULE_REJECTED = 113         /* tenon_reject */
};

/* Which side ended the connection (tenon_event.cause, tenon_abort). */
enum { TENON_CAUSE_NONE = 0, TENON_LOCAL = 1, TENON_REMOTE = 2 };

/* ------------------------------------------------------------ small types */

typedef struct tenon_conn tenon_conn;

/* Octets that need not end with NUL. data is NULL when the thing is absent. */
typedef struct tenon_str {
    const char *data;
    size_t size;
} tenon_str;

/* One piece of output; laid out like POSIX struct iovec. */
typedef struct tenon_iov {
    const void *base;
    size_t size;
} tenon_iov;

/* One header field. A size of 0 means that the string ends with NUL. */
typedef struct tenon_header {
    const char *name;
    const char *value;
    size_t name_size;
    size_t value_size;
} tenon_header;

/*
 * A set of header fields to look through: either an array of yours, or the
 * lines of a received head. Fill array and count and leave head NULL for your
 * own fields; tenon_head_get fills the other form.
 */
typedef struct tenon_fields {
    const tenon_header *array;
    size_t count;
    const char *head; /* first field line; each ends with CR LF */
    size_t head_size;
} tenon_fields;

/* Storage for one connection: static, on the stack, in a pool, anywhere. */
typedef union tenon_storage {
    uint64_t align_u64;
    void *align_ptr;
    unsigned char bytes[TENON_STORAGE_SIZE];
} tenon_storage;

/* ------------------------------------------------------------------ events */

enum {
    /* Server: a request has arrived whole. Decide with tenon_accept or
     * tenon_reject, now or later; until then nothing more is parsed and
     * TENON_WANTS_DECISION is set. The head (tenon_head_get) stays readable
     * until then. Comes once. Flag PLAIN: it asks for no upgrade (only with
     * TENON_PLAIN_GET); answer with tenon_reject. */
    TENON_EV_REQUEST = 1,
    /* Client: the server answered with something other than 101. The head is
     * readable while this event is current. BODY follows, then CLOSED: at the end of
     * the body if its Content-Length tells it, else with that of the stream, or when
     * close_ms pass without an octet. */
    TENON_EV_RESPONSE = 2,
    /* The connection is open. data, size: the subprotocol in use, data NULL
     * without one. The head is readable while this event is current, if there was a
     * handshake. Always the first event of an open connection, also after
     * tenon_config_open. */
    TENON_EV_OPEN = 3,
    /* A message, or with TENON_CHUNKS a piece of one. opcode: TEXT or BINARY.
     * Flags FIRST and LAST of the message, FRAME_FIRST and FRAME_LAST of the
     * frame, RSV1 to RSV3 (with FIRST also those of the first frame). offset: octets
     * of this message before data. frame_size: payload of the current frame (the last
     * one, for a whole message). An empty piece comes only to carry LAST. With
     * TENON_CHUNKS text that is not UTF-8 is told up to its first bad octet, without
     * FRAME_LAST and LAST; else nothing of that message is told. A compressed message
     * (deflate.h) comes inflated, in pieces of their own: FRAME_FIRST and FRAME_LAST
     * go with FIRST and LAST. */
    TENON_EV_DATA = 4,
    /* Client: a piece of the body of a RESPONSE, raw: transfer coding is not undone. */
    TENON_EV_BODY = 5,
    /* A Ping. data: its payload. Its Pong is queued by now, or waits for room in tx,
     * where that to a later Ping takes its place (RFC 6455, 5.5.3); none is sent with
     * TENON_RELAY, nor while no tx is lent. */
    TENON_EV_PING = 6,
    /* A Pong. Flag OWN: it answers the library's own ping, and rtt_ms is set. */
    TENON_EV_PONG = 7,
    /* The peer's Close; it has been answered (unless TENON_RELAY). code: its
     * code, 1005 without one. data: its reason, UTF-8. */
    TENON_EV_CLOSE = 8,
    /* A send that was refused with TENON_ERR_AGAIN has room now. Does not come once the
     * connection is ending. */
    TENON_EV_WRITABLE = 9,
    /* The memory of an accepted reference is yours again. cookie: as given. */
    TENON_EV_RELEASED = 10,
    /* The last event: close the transport now, and free what you like.
     * code: the one to report (RFC 6455, 7.1.5): received, 1005 or 1006.
     * received_code, sent_code: what the Close frames carried, 1005 for an empty
     * one, 0 for none. data: the peer's reason. Flag CLEAN: both sides sent a
     * Close. cause: TENON_LOCAL if this side ended it (tenon_close, tenon_reject,
     * a rule broken by the peer, a timeout), TENON_REMOTE if the peer or the
     * transport did. rule, offset: what was wrong and where in the stream (0 is
     * its first octet). During the handshake code is 1006.
     * A socket that is closed while octets of the peer are unread, or on their way,
     * answers with a reset, and that can take back a Close that the peer has not read
     * yet: a server shuts its sending side first, and reads to the end, for a moment
     * at most (RFC 6455, 7.1.1). */
    TENON_EV_CLOSED = 11
};

/* Flags of events and of sends: one bit means the same in both. */
#define TENON_FIRST 0x0001u       /* first piece of a message */
#define TENON_LAST 0x0002u        /* last piece of a message */
#define TENON_FRAME_FIRST 0x0004u /* first piece of a frame */
#define TENON_FRAME_LAST 0x0008u  /* last piece of a frame */
#define TENON_RSV3 0x0010u        /* the bits of the first octet of a frame */
#define TENON_RSV2 0x0020u
#define TENON_RSV1 0x0040u
#define TENON_CLEAN 0x0100u       /* CLOSED */
#define TENON_OWN 0x0200u         /* PONG */
#define TENON_PLAIN 0x0400u       /* REQUEST */
#define TENON_TRUSTED 0x1000u     /* send: the text is known to be UTF-8 */
#define TENON_COPY 0x2000u        /* send_prepared, reject: copy, so that no RELEASED comes */
#define TENON_COMPRESS 0x4000u    /* send: compressed if that was agreed, however short it is */
#define TENON_UNCOMPRESSED 0x8000u/* send: as it is, whatever was agreed */

typedef struct tenon_event {
    uint16_t type;  /* TENON_EV_ */
    uint16_t flags;
    uint8_t opcode; /* DATA: of the message */
    uint8_t cause;
    uint16_t rule;
    uint16_t code;
    uint16_t sent_code;
    uint16_t received_code;
    uint16_t reserved16;
    uint64_t offset;
    uint64_t frame_size;
    const uint8_t *data;
    size_t size;
    void *cookie;
    uint32_t rtt_ms;
    uint8_t reserved[28 - 3 * sizeof(void *)]; /* zero; fills up to 64 octets */
} tenon_event;

/* ----------------------------------------------------------- configuration */

/*
 * Fills n octets with random ones that nobody can predict (RFC 6455, 10.3;
 * getrandom and its like, never rand). Returns 0, or anything else on failure:
 * the connection then ends instead of using a weak key.
 */
typedef int (*tenon_random_fn)(void *user, void *out, size_t n);

/* tenon_config.flags */
#define TENON_CHUNKS 0x0001u             /* deliver pieces of messages as they arrive */
#define TENON_RELAY 0x0002u              /* validate and forward: no Pong or Close of its own (tenon_pong, tenon_close), */
                                         /* and no UTF-8 check of frames with RSV bits */
#define TENON_PLAIN_GET 0x0004u          /* server: REQUEST also for a GET without Upgrade, instead of 426 */
#define TENON_REQUIRE_SUBPROTOCOL 0x0008u/* client: fail if one was offered and none chosen, as browsers do */
#define TENON_DROP_AFTER_CLOSE 0x0010u   /* no DATA once tenon_close was called, as browsers do */

struct tenon_handshake; /* private */
struct tenon_transform; /* private */

/*
 * What connections have in common. One config serves any number of connections;
 * it is borrowed by tenon_init until the last CLOSED and must not change.
 * Start with one of the tenon_config_ functions, then set what you need.
 */
typedef struct tenon_config {
    uint32_t size; /* of this struct; set by the functions below */
    uint32_t role; /* set by the functions below */
    uint32_t flags;
    /* Most octets of the heads of the handshake; 16384. Never more than rx. Over it a
     * server answers 431, and a client fails. */
    uint32_t max_head;
    /* Server: most octets of a request target; 8192. Over it: 414. */
    uint32_t max_target;
    /* Most header fields; 100. Over it a server answers 431, and a client fails. */
    uint32_t max_headers;
    /* Most octets of a message; 1009 beyond it, from the frame header alone (while it
     * is inflated, if it is compressed). 0: 1 MiB, and never more than the lent rx
     * assembles. An explicit limit may be larger than rx: TENON_WANTS_RX then asks for
     * more (tenon_rx_needed). With TENON_CHUNKS 0 means no limit, for nothing is
     * assembled. */
    uint64_t max_message;
    /* Most frames of a message; 65536. 1008 beyond it. */
    uint32_t max_fragments;
    /* Most control frames since the last data octet or advance of the clock;
     * 65536. 1008 beyond it. */
    uint32_t max_control;
    /* Longest payload of a data frame sent; 65536. Longer messages are
     * fragmented, so that Pong and Close find a frame boundary soon. */
    uint32_t max_frame_out;
    /* From the first tenon_tick to OPEN; 10 s. A server answers 408, or 503 if it is
     * the program that has not decided; a client's connection is CLOSED. */
    uint32_t handshake_ms;
    /* Nothing received for so long: Close 1001. Off by default. */
    uint32_t idle_ms;
    /* A Ping of the library's own every so often, longer than a round trip: a Pong
     * that comes behind the next Ping is not OWN. Off by default. */
    uint32_t ping_ms;
    /* After an own Ping was sent, nothing received for so long: CLOSED; 20 s. */
    uint32_t pong_ms;
    /* From the end of the conversation (Close or refusal sent, failure, the last octet
     * of a RESPONSE's body) to CLOSED; 5 s. */
    uint32_t close_ms;
    /* Output waits and the transport takes nothing for so long: CLOSED; 60 s. */
    uint32_t stall_ms;
    uint32_t reserved;
    /* Client: required, for keys. Server: not used. */
    tenon_random_fn random;
    void *random_user;
    const struct tenon_handshake *handshake; /* private */
    const struct tenon_transform *transform; /* private */
    const void *transform_config;            /* private */
} tenon_config;

/*
 * Each fills *cfg for one role; size is sizeof *cfg.
 * Errors: NULL; SIZE; ARG (role).
 *
 * server and client speak the HTTP/1.1 upgrade (RFC 6455, 4). open skips it, for
 * a stream that another HTTP stack has upgraded: the connection starts open.
 * Only the function you name is linked, and with it its handshake.
 */
TENON_API int tenon_config_server(tenon_config *cfg, size_t size);
TENON_API int tenon_config_client(tenon_config *cfg, size_t size);
TENON_API int tenon_config_open(tenon_config *cfg, size_t size, int role);

/* ------------------------------------------------------------- life of one */

/* Octets of storage needed; never more than TENON_STORAGE_SIZE. */
TENON_API size_t tenon_conn_size(void);

/*
 * Makes a connection in *memory (size octets, aligned as tenon_storage).
 * Errors: NULL; SIZE (memory too small or misaligned, or a config without its size);
 * ARG (a config without its role: a function above sets both); RANDOM (a client without
 * random).
 * There is nothing to destroy: after CLOSED, or any time you drop it, the memory is
 * yours. Dropping it early gives no RELEASED.
 */
TENON_API int tenon_init(void *memory, size_t size, const tenon_config *cfg, tenon_conn **conn);

/*
 * Lends the working buffers: rx for what must be assembled, tx for the output
 * queue. Either may be lent later, changed, or taken back with NULL and 0.
 *
 * rx may be exchanged while nothing in it is readable by you (no event current
 * whose data lies in it, no head waiting for its decision); what it holds is
 * copied to the new one, which must be large enough. It can be taken back when it
 * holds nothing, which is so between messages. tx can be changed only when the
 * queue is empty.
 * Errors: NULL; SIZE (under the minimum, or under what is held); BUSY.
 */
TENON_API int tenon_lend_rx(tenon_conn *conn, void *rx, size_t size);
TENON_API int tenon_lend_tx(tenon_conn *conn, void *tx, size_t size);
/* Both at once: all or nothing. */
TENON_API int tenon_lend(tenon_conn *conn, void *rx, size_t rx_size, void *tx, size_t tx_size);

/* Octets of rx that the message being received needs. 0: no more than is lent. For a
 * compressed message, whose length nobody knows: twice what there is, up to the limit.
 * SIZE_MAX: more than a connection can use. NULL gives 0. */
TENON_API size_t tenon_rx_needed(const tenon_conn *conn);

/* Counters, in memory that you lend with size set, or NULL to stop. Updated by
 * the connection's own calls. Errors: NULL; SIZE. */
typedef struct tenon_stats {
    uint32_t size;
    uint32_t reserved;
    uint64_t octets_in, octets_out;     /* consumed and acknowledged, heads included */
    uint64_t frames_in, frames_out;     /* data and control */
    uint64_t messages_in, messages_out; /* data messages finished */
    uint64_t pings_in, pongs_in;
    uint64_t pongs_skipped;             /* pings not answered: the next one came first, or no tx was lent */
    uint64_t queue_peak;                /* most octets that tx has held behind a frame */
    uint64_t steps;                     /* state machine steps; linear in octets_in */
} tenon_stats;
TENON_API int tenon_lend_stats(tenon_conn *conn, tenon_stats *stats);

/* TENON_CONNECTING to TENON_CLOSED; NULL gives TENON_CLOSED. */
TENON_API int tenon_state(const tenon_conn *conn);

/* What the connection needs now: bits. NULL gives 0. */
#define TENON_WANTS_READ 0x01u     /* tenon_recv (or tenon_eof) */
#define TENON_WANTS_WRITE 0x02u    /* tenon_out has octets */
#define TENON_WANTS_RX 0x04u       /* a larger rx: tenon_rx_needed */
#define TENON_WANTS_TX 0x08u       /* a tx: a send was refused, or a Close or Ping waits, for want of one */
#define TENON_WANTS_DECISION 0x10u /* tenon_accept or tenon_reject */
#define TENON_WANTS_SHUT_WR 0x20u  /* all is sent: shut the sending side (END_STREAM), go on reading */
#define TENON_WANTS_CLOSE 0x40u    /* CLOSED was delivered: close the transport */
#define TENON_WANTS_NEXT 0x80u     /* tenon_next has something to do now, or a kept event comes again */
#define TENON_WANTS_DEFLATE 0x100u /* a block to compress: tenon_lend_deflate (deflate.h) */
#define TENON_WANTS_INFLATE 0x200u /* a block to inflate: tenon_lend_inflate */
#define TENON_FREE_DEFLATE 0x400u  /* no want: the block to compress may be taken back now */
#define TENON_FREE_INFLATE 0x800u  /* no want: the block to inflate may be taken back now */
TENON_API uint32_t tenon_wants(const tenon_conn *conn);

/* ------------------------------------------------------------------- input */

/*
 * Lends n received octets. tenon_recv may unmask them in place, never writing
 * beyond the event that is current; tenon_recv_const leaves them as they are and
 * copies what a client has masked into rx. They stay lent until tenon_next has
 * used them up (TENON_WANTS_READ) or tenon_unlend takes them back. n of 0 does
 * nothing. Errors: NULL; BUSY (octets of the last lend are left, or the current event
 * lies in them: call tenon_next first); STATE (after tenon_eof, or TENON_CLOSED);
 * REENTRY.
 */
TENON_API int tenon_recv(tenon_conn *conn, void *data, size_t n);
TENON_API int tenon_recv_const(tenon_conn *conn, const void *data, size_t n);

/*
 * Ends the lend. *rest and *n: the tail that was not used, untouched; n is 0
 * when all was. Lend it again, first, when you go on (before tenon_eof): so any
 * number of connections share one read buffer. Where TENON_WANTS_RX stays, a message
 * is longer than rx, and goes on with a larger one, or if it is lent again whole,
 * alone in its frame. Errors: NULL; BUSY (the current event lies
 * in the lent octets: call tenon_next first); REENTRY.
 */
TENON_API int tenon_unlend(tenon_conn *conn, const void **rest, size_t *n);

/* You have shut the sending side, as TENON_WANTS_SHUT_WR asked; it will not ask
 * again. Errors: NULL. */
TENON_API int tenon_shut(tenon_conn *conn);

/* The stream has ended behind the lent octets (read returned 0, END_STREAM).
 * Errors: NULL. */
TENON_API int tenon_eof(tenon_conn *conn);

/*
 * The transport is gone, or you want it gone: the current event and all that is
 * queued are dropped; then come RELEASED for each reference, then CLOSED. cause:
 * TENON_REMOTE for a reset by the peer, TENON_LOCAL for your own wish. When a write
 * fails, read what is there first: the peer's Close may be in it.
 * Errors: NULL; ARG; STATE (CLOSED was delivered).
 */
TENON_API int tenon_abort(tenon_conn *conn, int cause);

/* Sets the clock, in milliseconds; one that goes back is ignored. The first tick
 * starts the timers. They fire in tenon_next. None runs while received octets wait for
 * memory (TENON_WANTS_RX, TENON_WANTS_INFLATE): how long a peer has to wait for yours
 * is your decision. Errors: NULL. */
TENON_API int tenon_tick(tenon_conn *conn, uint64_t now_ms);

/* When to call tenon_tick and tenon_next next if nothing else happens; on the
 * clock of tenon_tick. TENON_NEVER: no timer runs. NULL gives TENON_NEVER. */
TENON_API uint64_t tenon_deadline(const tenon_conn *conn);

/*
 * The next event. TENON_EVENT: *event is filled and current until the next call.
 * TENON_OK: nothing to tell; see tenon_wants. After CLOSED: TENON_OK for ever.
 * Errors: NULL; REENTRY.
 */
TENON_API int tenon_next(tenon_conn *conn, tenon_event *event);

/* The current event comes again from the next tenon_next: the same slice, the
 * same flags. What the library did about it is done once. RELEASED goes before an event
 * that is kept, and then comes once, kept or not. Errors: NULL; STATE (no
 * event is current, or it was CLOSED). */
TENON_API int tenon_again(tenon_conn *conn);

/* What CLOSED will say, as far as it is known: TENON_EVENT and *event filled once
 * the connection has failed or is closing, else TENON_OK. Errors: NULL. */
TENON_API int tenon_ending(const tenon_conn *conn, tenon_event *event);

/* ------------------------------------------------------------------ output */

/*
 * Offers what is queued: fills up to max pieces, sets *count. The octets do not
 * move or change until acknowledged, however often tenon_out is called. Errors: NULL.
 */
TENON_API int tenon_out(tenon_conn *conn, tenon_iov *iov, size_t max, size_t *count);

/* The transport took n of the octets offered last. Errors: NULL; ACK. */
TENON_API int tenon_sent(tenon_conn *conn, size_t n);

/* Octets queued and not yet acknowledged; of a reference those of its frames that are
 * queued: two at most, a client's as far as there is room in tx. NULL gives 0. */
TENON_API uint64_t tenon_queued(const tenon_conn *conn);

/*
 * Sends. Each is accepted whole or refused. opcode: TENON_TEXT or TENON_BINARY.
 * Text is checked to be UTF-8 unless TENON_TRUSTED. RSV bits need tenon_grant.
 * Where permessage-deflate was agreed (deflate.h), messages are compressed, unless
 * they are short or flags say otherwise; room is judged on what they can become.
 *
 * Errors common to them: NULL; ARG; STATE (not OPEN, or a streamed message is
 * unfinished where a new one cannot begin); AGAIN (no room or no tx now, a Pong waits,
 * a reference is still being framed, or there is no block to compress with, see
 * TENON_WANTS_TX and TENON_WANTS_DEFLATE: WRITABLE comes when it can be tried again);
 * TOO_BIG (never fits into tx); UTF8; RANDOM (client: the connection fails too, perhaps
 * with the first frames of the message queued).
 */

/* A whole message, copied into tx. */
TENON_API int tenon_send(tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags);

/* The next piece of a streamed message, copied into tx as one frame or more. opcode is
 * that of the message with every piece; TENON_LAST ends it (n may be 0). */
TENON_API int tenon_send_part(tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags);

/* A whole message by reference: data must not change until RELEASED brings the
 * cookie back. A server never copies it; a client masks it through tx as room
 * appears. One is framed at a time; until then data sends give AGAIN. When the
 * peer closes or breaks a rule, a message of several frames ends at the next frame
 * boundary, so that the Close can follow; RELEASED comes all the same. */
TENON_API int tenon_send_ref(tenon_conn *conn, int opcode, const void *data, size_t n, uint32_t flags,
                             void *cookie);

/* A message checked once and sent on many connections. data is borrowed for as
 * long as the struct is used. The fields are private. */
typedef struct tenon_prepared {
    uint32_t size;
    uint16_t flags;
    uint8_t opcode;
    uint8_t window_bits;
    const void *data;
    size_t data_size;
    const void *deflated;
    size_t deflated_size;
} tenon_prepared;
/* Errors: NULL; SIZE; ARG; UTF8. */
TENON_API int tenon_prepare(tenon_prepared *prepared, size_t size, int opcode, const void *data, size_t n,
                            uint32_t flags);
/* Like tenon_send_ref, or with TENON_COPY like tenon_send, without the check. What was
 * not compressed once (tenon_prepare_deflate) goes out plain. Errors: also SIZE (a
 * struct that was not prepared). */
TENON_API int tenon_send_prepared(tenon_conn *conn, const tenon_prepared *prepared, uint32_t flags,
                                  void *cookie);

/* Control frames of your own, up to 125 octets. Legal between the pieces of a
 * message and the frames of a reference. Errors: as above; CONTROL_SIZE. */
TENON_API int tenon_ping(tenon_conn *conn, const void *data, size_t n);
TENON_API int tenon_pong(tenon_conn *conn, const void *data, size_t n);

/*
 * Begins the closing handshake (RFC 6455, 7.1.2), behind what is queued. Always
 * accepted when OPEN with a tx: there is a reserve for it. code: 1000 to 1003, 1007 to 1014
 * (1010: clients only), 3000 to 4999, or TENON_CLOSE_NONE for a Close without
 * body. reason: UTF-8, at most 123 octets, NULL for none. During the handshake it
 * ends the attempt with neither a Close frame nor an answer. Where a Close was sent
 * already, or waits, or the connection has failed, it does nothing; with TENON_RELAY it
 * answers that of the peer. An unfinished streamed message stays unfinished. Errors:
 * NULL; CODE (also a reason without a code); CONTROL_SIZE; UTF8; STATE (TENON_CLOSED, or
 * no tx is lent).
 */
TENON_API int tenon_close(tenon_conn *conn, int code, const char *reason, size_t n);

/*
 * An extension of your own: which RSV bits it owns on the first frame of a
 * message and on continuations (TENON_RSV1 to TENON_RSV3), and whether payloads
 * are opaque (TENON_OPAQUE: no UTF-8 check in either direction). Legal from the
 * REQUEST or OPEN event until the next tenon_next after OPEN, and before the
 * first tenon_next of an open config. RSV1 and permessage-deflate exclude each other:
 * granted at REQUEST, RSV1 keeps it from being agreed on. Errors: NULL; ARG; STATE
 * (also RSV1 where permessage-deflate was agreed on).
 */
#define TENON_OPAQUE 0x0001u
TENON_API int tenon_grant(tenon_conn *conn, uint32_t rsv_first, uint32_t rsv_next, uint32_t flags);

/* --------------------------------------------------------------- handshake */

/* A received head. Slices lie in rx. */
typedef struct tenon_head {
    tenon_str method;     /* request */
    tenon_str target;     /* request: origin-form, whatever form was received */
    tenon_str authority;  /* request: host and port, from Host or an absolute target */
    tenon_str origin;     /* request: Origin; data NULL when absent (not a browser) */
    tenon_str reason;     /* response: reason phrase */
    uint16_t status;      /* response: 100 to 999 */
    uint16_t version;     /* 0x0101 for HTTP/1.1 */
    tenon_fields fields;
} tenon_head;

/* The head received last. Errors: NULL; STATE (none is readable now). */
TENON_API int tenon_head_get(const tenon_conn *conn, tenon_head *head);

/* Walks fields in order: begin with *position 0. TENON_OK and *field filled
 * (white space around the value removed), or TENON_END. Errors: NULL. */
TENON_API int tenon_header_next(const tenon_fields *fields, size_t *position, tenon_header *field);

/* The first field of that name (any case, NUL-terminated). TENON_OK, or TENON_END
 * and data NULL. Errors: NULL. */
TENON_API int tenon_header_find(const tenon_fields *fields, const char *name, tenon_str *value);

/* How to accept. All pointers are read during the call only. */
typedef struct tenon_answer {
    uint32_t size;
    uint32_t reserved;
    const char *subprotocol;    /* one the client offered, or NULL for none */
    size_t subprotocol_size;
    const char *extensions;     /* value for Sec-WebSocket-Extensions, or NULL; each name was offered */
    size_t extensions_size;
    const tenon_header *headers;/* further fields: Set-Cookie and the like */
    size_t header_count;
} tenon_answer;

/*
 * Accepts the request: 101 is queued and OPEN comes next. answer NULL: nothing
 * special. Errors: NULL; SIZE; STATE (no REQUEST is waiting, or it was PLAIN);
 * SUBPROTOCOL, EXTENSION (not offered or malformed); HEADER; TOO_BIG (also when no tx
 * is lent: lend it first).
 *
 * HEADER, here and below: a name that is not a token, a value with controls, or a field
 * that is the library's or the transport's to write: Connection, Content-Length, Expect,
 * Host, Keep-Alive, Origin, Proxy-Connection, TE, Trailer, Transfer-Encoding, Upgrade and
 * all that begins with Sec-WebSocket-.
 */
TENON_API int tenon_accept(tenon_conn *conn, const tenon_answer *answer);

/* How to refuse. Without TENON_COPY the body is referenced until RELEASED. */
typedef struct tenon_refusal {
    uint32_t size;
    uint16_t status;            /* 200 to 599; 204 and 304 take no body */
    uint16_t reserved;
    const char *reason;         /* reason phrase, or NULL for the usual one, if there is one */
    size_t reason_size;
    const tenon_header *headers;
    size_t header_count;
    const void *body;
    size_t body_size;
    uint32_t flags;             /* TENON_COPY */
    uint32_t reserved2;
    void *cookie;
} tenon_refusal;

/*
 * Refuses the request with any status, fields and body. Connection: close and (but for
 * 204 and 304) Content-Length are added, for 405 Allow: GET unless you give one, and
 * for 426 Upgrade and the version. When all is sent, TENON_WANTS_SHUT_WR; CLOSED comes
 * when the peer ends the stream, or after close_ms. A body of 0 octets gives no
 * RELEASED. Errors: NULL; SIZE; STATE; STATUS; HEADER; TOO_BIG (also when no tx is lent).
 */
TENON_API int tenon_reject(tenon_conn *conn, const tenon_refusal *refusal);

/*
 * What to ask for. Either uri (ws: or wss:), or authority and target. The struct and
 * all that it points to are borrowed until OPEN, RESPONSE or CLOSED.
 */
typedef struct tenon_request {
    uint32_t size;
    uint32_t reserved;
    const char *uri;            /* ws://host[:port]/path?query, NUL-terminated */
    const char *authority;      /* value for Host: host[:port], NUL-terminated */
    const char *target;         /* /path?query; NULL means / */
    const char *origin;         /* value for Origin, or NULL */
    const char *const *subprotocols; /* in order of preference */
    size_t subprotocol_count;
    const char *extensions;     /* value for Sec-WebSocket-Extensions, or NULL */
    const tenon_header *headers;/* further fields: Authorization, Cookie and the like */
    size_t header_count;
} tenon_request;

/*
 * Queues the request; the caller has connected the transport (to the host and
 * port that tenon_uri_parse gives; TLS for wss: is yours). RFC 6455, 4.1 asks
 * for one attempt at a time to one address and port. Errors: NULL; SIZE; STATE (not
 * a client, or asked before); URI; SUBPROTOCOL; EXTENSION; HEADER; RANDOM;
 * TOO_BIG (tx too small, or none is lent).
 */
TENON_API int tenon_connect(tenon_conn *conn, const tenon_request *request);

/* --------------------------------------------------------------- callbacks */

/*
 * For loops of your own that call back, as tenon_run does: between tenon_guard(conn,
 * 1) and tenon_guard(conn, 0) the calls that must not be nested return
 * TENON_ERR_REENTRY. Errors: NULL; REENTRY (on, and it is on already).
 */
TENON_API int tenon_guard(tenon_conn *conn, int on);

/* Handles one event; returns TENON_CONTINUE, TENON_STOP or TENON_AGAIN. */
typedef int (*tenon_event_fn)(tenon_conn *conn, const tenon_event *event, void *user);

/*
 * Delivers events until there is none. TENON_OK, TENON_STOPPED, or TENON_DONE once it
 * has delivered CLOSED: the callback may have freed the connection then. Errors: NULL;
 * REENTRY.
 */
TENON_API int tenon_run(tenon_conn *conn, tenon_event_fn event, void *user);

/* Your transport, as tenon_pump sees it. */
typedef struct tenon_io {
    size_t size;
    /* Reads up to n octets into buf and sets *got. TENON_OK, TENON_WAIT (would
     * block), TENON_END (the peer has finished) or TENON_ERR_IO. One that waits for
     * octets gives TENON_WAIT while output is left (tenon_queued), for a turn reads
     * once even where it could not write all. */
    int (*recv)(void *user, void *buf, size_t n, size_t *got);
    /* Writes some of the pieces and sets *put. TENON_OK, TENON_WAIT or TENON_ERR_IO.
     * Behind an error of either comes CLOSED, with rule ABORT and cause REMOTE; but
     * if a write fails, what recv still has is told first, for the peer's Close may
     * be in it. */
    int (*send)(void *user, const tenon_iov *iov, size_t count, size_t *put);
    /* The clock in milliseconds. */
    uint64_t (*now)(void *user);
    tenon_event_fn event;
    void *user;
    /* Where recv reads to. Octets may wait here between two calls (a decision or
     * a larger rx is wanted, or the callback stopped): share one buffer between
     * connections only if you call tenon_unlend after each tenon_pump and keep
     * what it returns; while an event is kept (TENON_AGAIN) it stays in use. */
    void *buf;
    size_t buf_size;
    /* Shuts the sending side; may be NULL. */
    void (*shut)(void *user);
} tenon_io;

/*
 * One turn: tick, write, deliver, read once, deliver, write. Call it when the
 * transport is ready for what tenon_wants says, and at the deadline. TENON_OK:
 * wait for readiness; TENON_MORE: the transport may hold more (loop here when it
 * is edge-triggered), or about a mebibyte was told and the rest is for the next turn
 * (TENON_WANTS_NEXT); TENON_STOPPED; TENON_DONE: CLOSED was delivered, the
 * connection is not touched again. Errors: NULL (also for a callback or buf); SIZE;
 * REENTRY; ACK (send claims more than it was given).
 */
TENON_API int tenon_pump(tenon_conn *conn, const tenon_io *io);

/* ------------------------------------------------------------ reconnecting */

/*
 * When to try again (RFC 6455, 7.2.3): the first delay is random within
 * first_ms, then it doubles from base_ms up to cap_ms, each drawn at random from
 * its upper half. Zero means the default.
 */
typedef struct tenon_backoff {
    uint32_t size;
    uint32_t first_ms;  /* 5000 */
    uint32_t base_ms;   /* 1000 */
    uint32_t cap_ms;    /* 60000 */
    uint32_t stable_ms; /* 30000: open for so long, and the count starts again */
    uint32_t failures;  /* state: begin with 0 */
} tenon_backoff;

/*
 * The next delay in *delay_ms; counts the failure. open_ms: how long the
 * connection that ended was open, 0 if it never was. random: 4 octets from your
 * random source. Errors: NULL; SIZE.
 */
TENON_API int tenon_backoff_next(tenon_backoff *backoff, uint64_t open_ms, const uint8_t random[4],
                                 uint32_t *delay_ms);

/* -------------------------------------------------------------------- text */

/* Names and sentences for people; never NULL, "unknown" for other numbers. */
TENON_API const char *tenon_status_name(int status);       /* "TENON_ERR_BUSY" */
TENON_API const char *tenon_event_name(int type);          /* "DATA" */
TENON_API const char *tenon_state_name(int state);         /* "OPEN" */
TENON_API const char *tenon_close_name(int code);          /* "protocol error" */
TENON_API const char *tenon_rule_name(int rule);           /* "RSV" */
TENON_API const char *tenon_rule_text(int rule);           /* "a reserved bit is set" */
TENON_API const char *tenon_rule_section(int rule);        /* "RFC 6455, 5.2" */
TENON_API uint32_t tenon_version(void);                    /* major * 65536 + minor * 256 + patch */

#ifdef __cplusplus
}
#endif

#endif
