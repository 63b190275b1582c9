/* SPDX-License-Identifier: MIT */
#if defined(__unix__) && !defined(FUZZ_NO_MMAP)
#define _DEFAULT_SOURCE
#include <sys/mman.h>
#include <unistd.h>
#define GUARDED 1
#endif

#include "common.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#if __has_feature(memory_sanitizer)
#define WITH_MSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define WITH_ASAN 1
#endif

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#define HIDE(p, n) __asan_poison_memory_region(p, n)
#define SHOW(p, n) __asan_unpoison_memory_region(p, n)
#else
#define HIDE(p, n) (void)0
#define SHOW(p, n) (void)0
#endif

#ifdef WITH_MSAN
#include <sanitizer/msan_interface.h>
#define FORGET(p, n) __msan_poison(p, n)
#define KNOW(p, n) __msan_unpoison(p, n)
#else
#define FORGET(p, n) (void)0
#define KNOW(p, n) (void)0
#endif

/* What memory holds that nobody has written. */
#define FILL 0xa5

void fuzz_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

/* ----------------------------------------------------------------- progress */

/* Not 0: constructors that the compiler makes may be counted too. */
static uint64_t steps_left = FUZZ_STEPS;

void fuzz_allow(uint64_t steps)
{
    steps_left = steps;
}

void fuzz_step(void)
{
    if (steps_left == 0)
        fuzz_failed("fuzz", 0, "ERROR: more steps than this input may take");
    steps_left--;
}

#ifdef FUZZ_EDGES
/* libFuzzer has one of its own that does nothing, so the linker is told to wrap it. */
void __wrap___sanitizer_cov_trace_pc(void);

void __wrap___sanitizer_cov_trace_pc(void)
{
    fuzz_step();
}
#endif

/* ------------------------------------------------------------------- memory */

/* Memory in use, or kept for the next one who wants as much. */
typedef struct block {
    struct block *next;
    uint8_t *base;
    size_t room; /* up to what is not mapped */
    uint8_t *data;
    size_t n;
} block;

static block *used, *spare;

static void *checked(void *memory)
{
    if (memory == NULL)
        fuzz_failed("fuzz", 0, "ERROR: out of memory");
    return memory;
}

#ifdef GUARDED
static size_t room_for(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (n + page) / page * page; /* at least one octet in front */
}

static uint8_t *map(size_t room)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *base = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + room, page, PROT_NONE) != 0)
        return NULL;
    return base;
}
#else
static size_t room_for(size_t n)
{
    return n > 0 ? n : 1;
}

static uint8_t *map(size_t room)
{
    return malloc(room);
}
#endif

/* A block of that room, filled. */
static block *find_block(size_t room)
{
    block **at = &spare, *found;
    while (*at != NULL && (*at)->room != room)
        at = &(*at)->next;
    if (*at != NULL) {
        found = *at;
        *at = found->next;
    } else {
        found = checked(malloc(sizeof *found));
        found->base = checked(map(room));
        found->room = room;
        memset(found->base, FILL, room);
        HIDE(found->base, room);
    }
    found->next = used;
    used = found;
    return found;
}

static void *memory_of(size_t n, size_t behind)
{
    block *b = find_block(room_for(n + behind));
    b->data = b->base + b->room - n - behind;
    b->n = n;
    SHOW(b->data, n);
    FORGET(b->data, n);
    return b->data;
}

void *fuzz_memory(size_t n)
{
    return memory_of(n, 0);
}

void *fuzz_aligned(size_t n)
{
#ifdef GUARDED
    return memory_of(n, (16 - n % 16) % 16);
#else
    return memory_of(n, 0); /* as malloc aligns it */
#endif
}

void *fuzz_copy(const void *data, size_t n)
{
    void *copy = fuzz_memory(n);
    if (n > 0)
        memcpy(copy, data, n);
    return copy;
}

static int is_filled(const uint8_t *p, size_t n)
{
    return n == 0 || (p[0] == FILL && memcmp(p, p + 1, n - 1) == 0);
}

/* Nothing may have been written around what was lent; then all is as it was. */
static void give_back(block *b)
{
    size_t before = (size_t)(b->data - b->base);
    SHOW(b->base, b->room);
    if (!is_filled(b->base, before) || !is_filled(b->data + b->n, b->room - before - b->n))
        fuzz_failed("fuzz", 0, "ERROR: something was written in front of memory that was lent, or behind it");
    memset(b->data, FILL, b->n);
    KNOW(b->base, b->room);
    HIDE(b->base, b->room);
#ifdef GUARDED
    b->next = spare;
    spare = b;
#else
    free(b->base); /* so that the next one of another size has no more than it wants */
    free(b);
#endif
}

void fuzz_release(void *memory)
{
    block **at = &used, *found;
    if (memory == NULL)
        return;
    while (*at != NULL && (*at)->data != memory)
        at = &(*at)->next;
    found = *at;
    if (found == NULL)
        fuzz_failed("fuzz", 0, "ERROR: memory released that is not in use");
    *at = found->next;
    give_back(found);
}

static void release_all(void)
{
    while (used != NULL) {
        block *b = used;
        used = b->next;
        give_back(b);
    }
}

void bytes_add(bytes *to, const void *data, size_t n)
{
    if (to->room - to->size < n || to->data == NULL) {
        to->room = (to->room + n + 32) * 2;
        to->data = checked(realloc(to->data, to->room));
    }
    if (n > 0)
        memcpy(to->data + to->size, data, n);
    to->size += n;
}

void bytes_octet(bytes *to, unsigned octet)
{
    uint8_t one = (uint8_t)octet;
    bytes_add(to, &one, 1);
}

void bytes_string(bytes *to, const char *text)
{
    bytes_add(to, text, strlen(text));
}

void bytes_free(bytes *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}

/* -------------------------------------------------------------------- input */

unsigned source_octet(source *s)
{
    if (s->left == 0)
        return 0;
    s->left--;
    return *s->p++;
}

unsigned source_below(source *s, unsigned bound)
{
    return source_octet(s) % bound;
}

uint32_t source_u32(source *s)
{
    uint32_t value = 0;
    int i;
    for (i = 0; i < 4; i++)
        value = value << 8 | source_octet(s);
    return value;
}

uint64_t source_u64(source *s)
{
    uint64_t high = source_u32(s);
    return high << 32 | source_u32(s);
}

const uint8_t *source_take(source *s, size_t *n)
{
    const uint8_t *p = s->p;
    if (*n > s->left)
        *n = s->left;
    s->p += *n;
    s->left -= *n;
    return p;
}

uint32_t fuzz_draw(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* ------------------------------------------------------------------- cutting */

#define SPLITS 3

int fuzz_every_split;

void splits_begin(splits *s, size_t n, uint32_t seed)
{
    s->n = n;
    s->next = 0;
    s->seed = seed | 1;
    s->left = SPLITS;
}

int splits_next(splits *s, size_t *cut)
{
    if (fuzz_every_split || s->n < SPLITS) {
        *cut = s->next++;
        return *cut <= s->n;
    }
    *cut = fuzz_draw(&s->seed) % (s->n + 1);
    return s->left-- > 0;
}

/* -------------------------------------------------------------------- entry */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *copy = fuzz_copy(data, size);
    int result;
    fuzz_allow(FUZZ_STEPS);
    result = fuzz_target(copy, size);
    if (memcmp(copy, data, size) != 0)
        fuzz_failed("fuzz", 0, "ERROR: the input was written to");
    release_all();
    return result;
}

#ifdef FUZZ_REPLAY
static int replay(const char *name)
{
    static uint8_t octets[1 << 20];
    FILE *file = fopen(name, "rb");
    size_t n;
    if (file == NULL) {
        perror(name);
        return 1;
    }
    n = fread(octets, 1, sizeof octets, file);
    fclose(file);
    fprintf(stderr, "%s\n", name); /* the last one named is the one that failed */
    (void)LLVMFuzzerTestOneInput(octets, n);
    return 0;
}

int main(int argc, char **argv)
{
    int i, bad = 0;
    fuzz_every_split = 1;
    for (i = 1; i < argc; i++)
        bad |= replay(argv[i]);
    printf("%d inputs replayed\n", argc - 1);
    return bad;
}
#endif
