/* SPDX-License-Identifier: MIT */
/*
 * The kernels themselves, written once for vectors of any kind. A file that includes
 * this has defined, for its processor:
 *
 *   V              a vector of WIDTH octets (16 or 32)
 *   LOAD(p), STORE(p, v), SET(octet), XOR, OR, AND, SUBS (saturating), LOW4(v) and
 *   HIGH4(v) (the halves of each octet), LOOKUP(table, v) (table: 16 octets, as a
 *   vector), TABLE(octets), BEFORE(v, last, k) (v moved on by k octets, those of last
 *   moved in), WORD(word) (a key over the vector), IS_ASCII(v), IS_ZERO(v)
 *   TARGET         what the functions have as their attributes
 *   NAME           a name for the kernels
 *
 * UTF-8 (RFC 3629, 4) is judged by pairs of neighbouring octets: three tables, of the
 * high and the low half of the first and of the high half of the second, tell which
 * mistakes the half could be a part of; what all three agree on is one. The method
 * was published by Keiser and Lemire ("Validating UTF-8 in less than one instruction
 * per byte", 2020).
 */

#define VECTORS (TENON_BLOCK / WIDTH)

/* Mistakes of a pair. The last is none by itself: two continuations, of which the
 * second must be the third or fourth octet of a character. */
enum {
    TOO_SHORT = 1 << 0,  /* a lead, then no continuation */
    TOO_LONG = 1 << 1,   /* ASCII, then a continuation */
    OVERLONG_3 = 1 << 2, /* e0, then 80 to 9f */
    TOO_LARGE = 1 << 3,  /* f4, then 90 and more; f5 and more */
    SURROGATE = 1 << 4,  /* ed, then a0 to bf */
    OVERLONG_2 = 1 << 5, /* c0, c1 */
    OVERLONG_4 = 1 << 6, /* f0, then 80 to 8f; f5 and more, then 80 to 8f */
    TWO_CONTS = 1 << 7
};

/* By the high half of the first octet. */
static const uint8_t first_high[16] = {
    TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, /* 0_ to 7_ */
    TWO_CONTS, TWO_CONTS, TWO_CONTS, TWO_CONTS,                                     /* 8_ to b_ */
    TOO_SHORT | OVERLONG_2, TOO_SHORT,                                              /* c_, d_ */
    TOO_SHORT | OVERLONG_3 | SURROGATE,                                             /* e_ */
    TOO_SHORT | TOO_LARGE | OVERLONG_4,                                             /* f_ */
};

#define ANY (TOO_SHORT | TOO_LONG | TWO_CONTS)

/* By its low half. */
static const uint8_t first_low[16] = {
    ANY | OVERLONG_2 | OVERLONG_3 | OVERLONG_4, /* _0 */
    ANY | OVERLONG_2,                           /* _1 */
    ANY, ANY,                                   /* _2, _3 */
    ANY | TOO_LARGE,                            /* _4 */
    ANY | TOO_LARGE | OVERLONG_4, ANY | TOO_LARGE | OVERLONG_4, ANY | TOO_LARGE | OVERLONG_4,
    ANY | TOO_LARGE | OVERLONG_4, ANY | TOO_LARGE | OVERLONG_4, ANY | TOO_LARGE | OVERLONG_4,
    ANY | TOO_LARGE | OVERLONG_4, ANY | TOO_LARGE | OVERLONG_4,
    ANY | TOO_LARGE | OVERLONG_4 | SURROGATE, /* _d */
    ANY | TOO_LARGE | OVERLONG_4, ANY | TOO_LARGE | OVERLONG_4,
};

#define CONT (TOO_LONG | OVERLONG_2 | TWO_CONTS)

/* By the high half of the second octet. */
static const uint8_t second_high[16] = {
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, /* 0_ to 7_ */
    CONT | OVERLONG_3 | OVERLONG_4,                                                         /* 8_ */
    CONT | OVERLONG_3 | TOO_LARGE,                                                          /* 9_ */
    CONT | SURROGATE | TOO_LARGE, CONT | SURROGATE | TOO_LARGE,                             /* a_, b_ */
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,                                             /* c_ to f_ */
};

/* The most that the last octets of a vector may be if no character goes on behind it. */
static const uint8_t last_most[32] = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0xef, 0xdf, 0xbf,
};

typedef struct judge {
    V high, low, second, most; /* the tables */
    V last;                    /* the vector before */
    V open;                    /* not zero where a character goes on behind it */
    V bad;
} judge;

static inline TARGET judge judge_begin(void)
{
    judge j;
    j.high = TABLE(first_high);
    j.low = TABLE(first_low);
    j.second = TABLE(second_high);
    j.most = LOAD(last_most + 32 - WIDTH);
    j.last = j.open = j.bad = SET(0);
    return j;
}

/* Judges one vector that is not all ASCII. */
static inline TARGET void judge_vector(judge *j, V v)
{
    V one = BEFORE(v, j->last, 1);
    V pair = AND(AND(LOOKUP(j->high, HIGH4(one)), LOOKUP(j->low, LOW4(one))), LOOKUP(j->second, HIGH4(v)));
    V third = SUBS(BEFORE(v, j->last, 2), SET(0xe0 - 0x80)), fourth = SUBS(BEFORE(v, j->last, 3), SET(0xf0 - 0x80));
    V must = AND(OR(third, fourth), SET(0x80));
    j->bad = OR(j->bad, XOR(must, pair));
    j->last = v;
}

/* Judges a block: 1 if it is good so far. */
static inline TARGET int judge_block(judge *j, const V v[VECTORS])
{
    V all = v[0];
    int i;
    for (i = 1; i < VECTORS; i++)
        all = OR(all, v[i]);
    if (IS_ASCII(all)) {
        j->bad = OR(j->bad, j->open);
        j->open = SET(0);
        j->last = v[VECTORS - 1];
        return IS_ZERO(j->bad);
    }
    for (i = 0; i < VECTORS; i++)
        judge_vector(j, v[i]);
    j->open = SUBS(j->last, j->most);
    return IS_ZERO(j->bad);
}

static TARGET void kernel_mask(uint8_t *to, const uint8_t *from, size_t n, uint32_t word)
{
    V key = WORD(word);
    size_t i, k;
    for (i = 0; i < n; i += TENON_BLOCK)
        for (k = 0; k < TENON_BLOCK; k += WIDTH)
            STORE(to + i + k, XOR(LOAD(from + i + k), key));
}

static TARGET size_t kernel_utf8(const uint8_t *text, size_t n)
{
    judge j = judge_begin();
    size_t i;
    int k;
    for (i = 0; i < n; i += TENON_BLOCK) {
        V v[VECTORS];
        for (k = 0; k < VECTORS; k++)
            v[k] = LOAD(text + i + k * WIDTH);
        if (!judge_block(&j, v))
            break;
    }
    return i;
}

static TARGET size_t kernel_mask_utf8(uint8_t *to, const uint8_t *from, size_t n, uint32_t word)
{
    judge j = judge_begin();
    V key = WORD(word);
    size_t i;
    int k;
    for (i = 0; i < n; i += TENON_BLOCK) {
        V v[VECTORS];
        for (k = 0; k < VECTORS; k++)
            v[k] = XOR(LOAD(from + i + k * WIDTH), key);
        if (!judge_block(&j, v))
            break; /* this block stays as it was */
        for (k = 0; k < VECTORS; k++)
            STORE(to + i + k * WIDTH, v[k]);
    }
    return i;
}
