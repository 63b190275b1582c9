/* SPDX-License-Identifier: MIT */
/*
 * The transcript runner: cases of the protocol as text, each run in many variants
 * that must all come to the same.
 *
 * usage: transcript [--filter NAME] [--verbose] [--sums] [--brief] FILE...
 *
 * Exit status 0 if every case passed. With TENON_TRANSCRIPT_LOG set, a line
 * "OK file case" for each that did is appended to the file of that name. --sums: a
 * line for each case and role, with the number of its runs and a checksum of all that
 * they brought about, which is the same wherever they ran. A codec of no size stands
 * for none: cases of permessage-deflate are then left out, and counted. --brief: of
 * the variants below only whole, octet by octet, and two at random.
 *
 * VARIANTS. Each case runs in each of its roles: the input whole, octet by octet,
 * cut once at every place (of more than 600 octets: the first 300, the last 50 and
 * 60 at random), and in 20 ways at random; lent with tenon_recv and with
 * tenon_recv_const; pulled, through tenon_run and through tenon_pump. In the random
 * ones output is taken in pieces, callbacks ask to stop or for the same event again,
 * and lends are taken back and renewed. Events (adjacent pieces of a frame as one,
 * WRITABLE and RELEASED left out), output and all the rest that is expected must be
 * the same in each; so must the output with masks, octet for octet.
 *
 * FORMAT. A line is words with spaces between them; what follows # is a comment.
 *
 *   case NAME           begins a case
 *   covers ID...        the requirements that it shows; suite:N.N.N: a case of the
 *                       public conformance suite
 *   role server|client|both
 *   config NAME [N|off] a limit or flag of tenon_config by its name in lower case;
 *                       rx N, tx N: sizes of the buffers (4096; 0: none); grow: lend
 *                       a larger rx when it is wanted; handshake: begin with the
 *                       HTTP head, not with an open connection; random_fails N: the
 *                       N-th call of the random source fails
 *   config deflate [required] [reset_out] [reset_in] [out=N] [in=N] [threshold=N]
 *                       permessage-deflate over zlib: offered or answered with
 *                       handshake, else agreed on; blocks are lent when they are wanted
 *   on EVENT ACTION     what the program does whenever that event comes
 *
 * Then steps, in order:
 *
 *   start               nothing: for what comes before all input
 *   in DATA             input, as frames without masks; the runner masks them where we
 *                       are the server. A frame may go over several lines.
 *   raw DATA            input as it is: heads, and frames with the wrong mask
 *   eof                 the stream ends here
 *   tick MS             the clock is at MS now. In a case with ticks it starts at 0,
 *                       in others it never runs.
 *   do ACTION           what the program does, when all input so far is dealt with
 *
 * and expectations: what all steps since the last ones have brought about. Nothing
 * else may have come; a line for each event, in order.
 *
 *   event REQUEST TARGET authority="..." [origin="..."] [plain]
 *   event RESPONSE STATUS "reason"
 *   event OPEN ["subprotocol"]
 *   event DATA text|binary ITEMS [first] [last] [cut] [rsv=N]
 *                       first, last, cut: only with chunks, an event for each frame:
 *                       the first of its message, the last, not come to its end
 *   event BODY ITEMS, event PING ITEMS, event PONG ITEMS [own rtt=N]
 *   event CLOSE CODE [ITEMS]
 *   closed code=N cause=local|remote [sent=N] [received=N] [rule=NAME] [at=N]
 *          [clean=yes] [reason="..."]   what is not given is 0, NONE, no or empty;
 *                       at counts the octets of in and raw as written
 *   out DATA            output, a client's without masks
 *   wire DATA           output as it is
 *   shut                the sending side was shut
 *   silent              nothing came
 *   state NAME, wants NAME..., deadline MS|never
 *
 * DATA is ITEMS, or a frame: text, binary, cont, close, ping or pong, with + behind
 * the name for one without FIN, then for close a code in four digits, then ITEMS: octets
 * in hexadecimal (8105), "text" with the escapes \r \n \t \0 \\ \" \xNN, and both
 * with *N behind for N times.
 *
 * ACTIONs; what they must return stands behind: -> STATE (for TENON_ERR_STATE)
 *
 *   send|part|ref|prepared text|binary ITEMS [last] [trusted] [rsv=N] [copy]
 *           [compress] [uncompressed]
 *   echo | ping ITEMS | pong ITEMS | close CODE|none [ITEMS] | abort local|remote
 *   accept [protocol="..."] [extensions="..."] [header="Name: value"]
 *   reject STATUS [reason="..."] [header="..."] [body="..."] [copy]
 *   connect uri="..." | authority="..." target="..."  [protocol="a,b"]
 *           [extensions="..."] [origin="..."] [header="..."]
 *   head NAME "value"|none     a field of the head that is readable now
 *   grant [first=N] [next=N] [opaque]    N, as in rsv=N: 4 for RSV1, 2, 1
 *   rx N | tx N                lends another buffer
 *   block | unblock            the transport takes no output
 */
#include "transcript.h"

#define RANDOM_CUTS 20
#define RANDOM_CUTS_BRIEF 2

typedef struct options {
    const char *filter;
    int verbose, sums, brief;
    unsigned long passed, failed, left_out;
} options;

static const uint8_t peer_key[4] = {0x37, 0xfa, 0x21, 0x3d};

/* ------------------------------------------------------------------- the input */

/* Where a stream of frames is; a header may break any rule. */
typedef struct masker {
    uint8_t header[14];
    size_t have;
    uint64_t left;
    size_t phase;
} masker;

static size_t header_end(const masker *m)
{
    unsigned code = m->header[1] & 0x7fu;
    if (m->have < 2)
        return 2;
    return code == 127 ? 10 : code == 126 ? 4 : 2;
}

static void begin_payload(masker *m)
{
    size_t i;
    m->left = m->header[1] & 0x7fu;
    if (m->have > 2)
        m->left = 0;
    for (i = 2; i < m->have; i++)
        m->left = m->left << 8 | m->header[i];
    m->phase = 0;
    m->have = 0;
}

/* One octet of a frame without mask, as one of a client's frame. */
static void mask_octet(masker *m, octets *stream, uint8_t octet)
{
    if (m->left > 0) {
        octet ^= peer_key[m->phase++ & 3];
        put_octets(stream, &octet, 1);
        m->left--;
        return;
    }
    m->header[m->have++] = octet;
    if (m->have == 2)
        octet |= 0x80;
    put_octets(stream, &octet, 1);
    if (m->have >= 2 && m->have == header_end(m)) {
        put_octets(stream, peer_key, sizeof peer_key);
        begin_payload(m);
    }
}

/* All input of a case for a role, and where in it each octet as written lies. */
static size_t *make_stream(const test_case *test, int role, octets *stream, size_t *count)
{
    masker m;
    size_t i, j, total = 0, at = 0;
    size_t *places;
    memset(&m, 0, sizeof m);
    for (i = 0; i < test->step_count; i++)
        total += test->steps[i].input.size;
    places = take_memory((total + 1) * sizeof *places);
    for (i = 0; i < test->step_count; i++) {
        const step *s = &test->steps[i];
        for (j = 0; j < s->input.size; j++) {
            places[at++] = stream->size;
            if (s->raw || role == TENON_CLIENT)
                put_octets(stream, &s->input.data[j], 1);
            else
                mask_octet(&m, stream, s->input.data[j]);
        }
    }
    places[at] = stream->size;
    *count = total + 1;
    return places;
}

/* ------------------------------------------------------------------- variants */

typedef struct job {
    const test_case *test;
    int role;
    octets stream;
    size_t *places;
    size_t places_count;
    octets first_out; /* output of the first variant, masks and all */
    int runs;
    uint64_t sum;
} job;

static void report(const job *j, const variant *v, const octets *trouble)
{
    static const char *const modes[] = {"pull", "run", "pump"};
    static const char *const cuts[] = {"whole", "octets", "cut", "random"};
    fprintf(stderr, "%.*s\n  in case %s, %s, %s, %s, %s", (int)trouble->size, (char *)trouble->data, j->test->name,
            j->role == TENON_SERVER ? "server" : "client", modes[v->mode], v->constant ? "const" : "mutable",
            cuts[v->cuts]);
    if (v->cuts == CUT_ONE)
        fprintf(stderr, " at %lu of %lu", (unsigned long)v->cut, (unsigned long)j->stream.size);
    if (v->cuts == CUT_RANDOM)
        fprintf(stderr, " %lu", (unsigned long)v->seed);
    fputc('\n', stderr);
}

static int same_output(job *j, octets *out, octets *trouble)
{
    if (j->runs++ == 0) {
        j->first_out = *out;
        memset(out, 0, sizeof *out);
        return 1;
    }
    if (out->size == j->first_out.size && (out->size == 0 || memcmp(out->data, j->first_out.data, out->size) == 0))
        return 1;
    put_text(trouble, "%s:%d: output with masks differs from that of the first variant\n  first ", j->test->file,
             j->test->line);
    put_hex(trouble, j->first_out.data, j->first_out.size);
    put_text(trouble, "\n  now   ");
    put_hex(trouble, out->data, out->size);
    return 0;
}

static int run_variant(job *j, variant v)
{
    octets out, trouble;
    int good;
    v.role = j->role;
    v.sum = &j->sum;
    good = run_case(j->test, &v, &j->stream, j->places, j->places_count, &out, &trouble);
    if (good)
        good = same_output(j, &out, &trouble);
    if (!good)
        report(j, &v, &trouble);
    free_octets(&out);
    free_octets(&trouble);
    return good;
}

/* One way to cut, in each way to lend and to drive. */
static int run_modes(job *j, int cuts, size_t cut, uint64_t seed)
{
    static const int modes[][2] = {{MODE_PULL, 0}, {MODE_PULL, 1}, {MODE_RUN, 0}, {MODE_RUN, 1}, {MODE_PUMP, 0}};
    size_t i;
    for (i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        variant v;
        memset(&v, 0, sizeof v);
        v.cuts = cuts;
        v.cut = cut;
        v.seed = seed;
        v.mode = modes[i][0];
        v.constant = modes[i][1];
        if (!run_variant(j, v))
            return 0;
    }
    return 1;
}

/* What is so long is mostly one payload: it is tried in fewer ways. */
static int is_long(size_t n)
{
    return n > 20000;
}

/* Whether a stream of n octets is to be cut there: everywhere, or near its ends and here
 * and there. */
static int cut_there(size_t n, size_t at)
{
    uint64_t mixed = (at ^ n) * 0x9e3779b97f4a7c15u;
    return n <= 600 || at < (is_long(n) ? 60u : 300u) || at >= n - 50 || (mixed >> 20) % n < (is_long(n) ? 30u : 60u);
}

static const char *base_name(const char *file)
{
    const char *slash = strrchr(file, '/');
    return slash != NULL ? slash + 1 : file;
}

static int run_role(const test_case *test, int role, const options *given)
{
    job j;
    size_t at;
    uint64_t seed;
    int good;
    memset(&j, 0, sizeof j);
    j.test = test;
    j.role = role;
    j.sum = SUM_BEGIN;
    j.places = make_stream(test, role, &j.stream, &j.places_count);
    good = run_modes(&j, CUT_NONE, 0, 0) && run_modes(&j, CUT_OCTETS, 0, 0) &&
           (is_long(j.stream.size) || run_modes(&j, CUT_OCTETS, 1, 0));
    for (at = 1; at < j.stream.size && good && !given->brief; at++)
        good = !cut_there(j.stream.size, at) || run_modes(&j, CUT_ONE, at, 0);
    for (seed = 1; seed <= (given->brief ? RANDOM_CUTS_BRIEF : RANDOM_CUTS) && good; seed++)
        good = run_modes(&j, CUT_RANDOM, 0, seed);
    if (given->sums)
        printf("SUM %s %s %s %d %08lx%08lx\n", base_name(test->file), test->name,
               role == TENON_SERVER ? "server" : "client", j.runs, (unsigned long)(j.sum >> 32),
               (unsigned long)(j.sum & 0xffffffffu));
    free(j.places);
    free_octets(&j.stream);
    free_octets(&j.first_out);
    return good;
}

/* ----------------------------------------------------------------------- main */

static int run_one(const test_case *test, FILE *log, const options *given)
{
    int good = 1, role;
    for (role = TENON_SERVER; role <= TENON_CLIENT; role++) {
        if (test->roles & 1 << role)
            good &= run_role(test, role, given);
    }
    if (given->verbose)
        printf("%s %s %s\n", good ? "OK" : "FAILED", base_name(test->file), test->name);
    if (good && log != NULL)
        fprintf(log, "OK %s %s\n", base_name(test->file), test->name);
    return good;
}

static void run_file(const char *file, FILE *log, options *given)
{
    cases all = read_cases(file);
    size_t n;
    for (n = 0; n < all.count; n++) {
        const test_case *test = &all.list[n];
        if (given->filter != NULL && strstr(test->name, given->filter) == NULL)
            continue;
        if (test->deflate.codec != NULL && test->deflate.codec->size == 0)
            given->left_out++;
        else if (run_one(test, log, given))
            given->passed++;
        else
            given->failed++;
    }
    free_cases(&all);
}

int main(int argc, char **argv)
{
    const char *log_name = getenv("TENON_TRANSCRIPT_LOG");
    FILE *log = log_name != NULL && log_name[0] != '\0' ? fopen(log_name, "a") : NULL;
    options given;
    int i;
    memset(&given, 0, sizeof given);
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0)
            given.verbose = 1;
        else if (strcmp(argv[i], "--sums") == 0)
            given.sums = 1;
        else if (strcmp(argv[i], "--brief") == 0)
            given.brief = 1;
        else if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc)
            given.filter = argv[++i];
        else
            run_file(argv[i], log, &given);
    }
    if (log != NULL)
        fclose(log);
    if (given.left_out > 0)
        printf("%lu left out, for there is no codec\n", given.left_out);
    printf("%lu passed, %lu failed\n", given.passed, given.failed);
    return given.failed > 0 || given.passed == 0;
}
