/* SPDX-License-Identifier: MIT */
/* The text of a transcript into cases. What is not understood is an error. */
#include "transcript.h"

/* ------------------------------------------------------------------ octets */

void *take_memory(size_t n)
{
    void *memory = malloc(n > 0 ? n : 1);
    if (memory == NULL) {
        fputs("transcript: no memory\n", stderr);
        exit(2);
    }
    return memory;
}

void put_octets(octets *to, const void *data, size_t n)
{
    if (n > to->room - to->size) {
        size_t room = (to->size + n) * 2 + 64;
        uint8_t *bigger = take_memory(room);
        if (to->size > 0)
            memcpy(bigger, to->data, to->size);
        free(to->data);
        to->data = bigger;
        to->room = room;
    }
    if (n > 0)
        memcpy(to->data + to->size, data, n);
    to->size += n;
}

void put_text(octets *to, const char *format, ...)
{
    char text[512];
    va_list list;
    int n;
    va_start(list, format);
    n = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (n > 0)
        put_octets(to, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void clear_octets(octets *o)
{
    o->size = 0;
}

void free_octets(octets *o)
{
    free(o->data);
    memset(o, 0, sizeof *o);
}

/* ------------------------------------------------------------------- tokens */

static void complain(const char *file, int line, const char *what, const char *detail)
{
    fprintf(stderr, "%s:%d: %s%s%s\n", file, line, what, detail[0] != '\0' ? ": " : "", detail);
    exit(2);
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int number_of(const char *text, uint64_t *out)
{
    uint64_t n = 0;
    if (*text == '\0')
        return 0;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || n > UINT64_MAX / 10 - 1)
            return 0;
        n = n * 10 + (uint64_t)(*text - '0');
    }
    *out = n;
    return 1;
}

/* What follows a backslash: r n t 0 \ " or xNN. Returns where it ends, or NULL. */
static const char *escape(const char *at, octets *out)
{
    static const char names[] = "rnt0\\\"", values[] = "\r\n\t\0\\\"";
    const char *found = *at != '\0' ? strchr(names, *at) : NULL;
    uint8_t octet;
    if (found != NULL) {
        put_octets(out, values + (found - names), 1);
        return at + 1;
    }
    if (*at != 'x' || hex_digit(at[1]) < 0 || hex_digit(at[2]) < 0)
        return NULL;
    octet = (uint8_t)(hex_digit(at[1]) * 16 + hex_digit(at[2]));
    put_octets(out, &octet, 1);
    return at + 3;
}

/* The text between quotes that begins at at; returns what follows it, or NULL. */
static const char *quotation(const char *at, token *t)
{
    octets once = {NULL, 0, 0};
    uint64_t times = 1;
    char digits[24];
    size_t n = 0;
    while (at != NULL && *at != '"' && *at != '\0') {
        if (*at == '\\')
            at = escape(at + 1, &once);
        else
            put_octets(&once, at++, 1);
    }
    if (at != NULL && *at++ == '"') {
        if (*at == '*') {
            for (at++; *at >= '0' && *at <= '9' && n + 1 < sizeof digits; at++)
                digits[n++] = *at;
            digits[n] = '\0';
            if (!number_of(digits, &times))
                at = NULL;
        }
    } else {
        at = NULL;
    }
    for (; times > 0; times--)
        put_octets(&t->value, once.data, once.size);
    free_octets(&once);
    t->quoted = 1;
    return at != NULL && (*at == '\0' || *at == ' ') ? at : NULL;
}

static words split(const char *file, int number, const char *line)
{
    words w = {NULL, 0, NULL, 0};
    size_t room = 0;
    w.file = file;
    w.line = number;
    for (;;) {
        token t;
        size_t n;
        memset(&t, 0, sizeof t);
        while (*line == ' ')
            line++;
        if (*line == '\0' || (*line == '#' && (line[1] == ' ' || line[1] == '\0')))
            return w;
        n = strcspn(line, " \"");
        t.word = take_memory(n + 1);
        memcpy(t.word, line, n);
        t.word[n] = '\0';
        line += n;
        if (*line == '"') {
            line = quotation(line + 1, &t);
            if (line == NULL)
                complain(file, number, "not a quotation", "");
        }
        if (w.count == room) {
            room = room * 2 + 8;
            w.tokens = realloc(w.tokens, room * sizeof *w.tokens);
            if (w.tokens == NULL)
                complain(file, number, "no memory", "");
        }
        w.tokens[w.count++] = t;
    }
}

static void free_words(words *w)
{
    size_t i;
    for (i = 0; i < w->count; i++) {
        free(w->tokens[i].word);
        free_octets(&w->tokens[i].value);
    }
    free(w->tokens);
    memset(w, 0, sizeof *w);
}

int is_word(const token *t, const char *word)
{
    return !t->quoted && strcmp(t->word, word) == 0;
}

/* The token key=value or key="value" among those from first on, or NULL. */
const token *find_key(const words *w, size_t from, const char *key)
{
    size_t i, n = strlen(key);
    for (i = from; i < w->count; i++) {
        if (strncmp(w->tokens[i].word, key, n) == 0 && w->tokens[i].word[n] == '=')
            return &w->tokens[i];
    }
    return NULL;
}

/* --------------------------------------------------------------------- data */

/* 8105, or 2a*125. */
static int hex_word(const char *word, octets *out)
{
    octets once = {NULL, 0, 0};
    uint64_t times = 1;
    const char *at = word;
    while (hex_digit(at[0]) >= 0 && hex_digit(at[1]) >= 0) {
        uint8_t octet = (uint8_t)(hex_digit(at[0]) * 16 + hex_digit(at[1]));
        put_octets(&once, &octet, 1);
        at += 2;
    }
    if (*at == '*' && number_of(at + 1, &times))
        at = "";
    if (*at == '\0') {
        for (; times > 0; times--)
            put_octets(out, once.data, once.size);
    }
    free_octets(&once);
    return *at == '\0';
}

static int items(const words *w, size_t from, size_t to, octets *out)
{
    for (; from < to; from++) {
        const token *t = &w->tokens[from];
        if (t->quoted && t->word[0] == '\0')
            put_octets(out, t->value.data, t->value.size);
        else if (t->quoted || !hex_word(t->word, out))
            return 0;
    }
    return 1;
}

/* The first octet of text, binary, cont, close, ping, pong; + for one without FIN. */
static int frame_name(const char *word, uint8_t *first)
{
    static const char *const names[] = {"cont", "text", "binary", "close", "ping", "pong"};
    static const uint8_t opcodes[] = {0, 1, 2, 8, 9, 10};
    size_t i, n = strlen(word);
    int more = n > 0 && word[n - 1] == '+';
    for (i = 0; i < sizeof opcodes; i++) {
        if (n - (more ? 1u : 0u) == strlen(names[i]) && strncmp(word, names[i], strlen(names[i])) == 0) {
            *first = (uint8_t)(opcodes[i] | (more ? 0 : 0x80));
            return 1;
        }
    }
    return 0;
}

int data_of(const words *w, size_t from, size_t to, octets *out)
{
    octets payload = {NULL, 0, 0};
    tenon_frame frame;
    uint8_t header[TENON_FRAME_HEADER_MAX];
    uint64_t code;
    size_t size;
    int good;
    memset(&frame, 0, sizeof frame);
    if (from == to || w->tokens[from].quoted || !frame_name(w->tokens[from].word, &frame.first))
        return items(w, from, to, out);
    from++;
    if ((frame.first & 15) == 8 && from < to && !w->tokens[from].quoted && strlen(w->tokens[from].word) == 4
        && number_of(w->tokens[from].word, &code)) {
        uint8_t two[2];
        two[0] = (uint8_t)(code >> 8);
        two[1] = (uint8_t)(code & 255);
        put_octets(&payload, two, 2);
        from++;
    }
    good = items(w, from, to, &payload);
    frame.payload_size = payload.size;
    tenon_frame_encode(&frame, header, &size);
    put_octets(out, header, size);
    put_octets(out, payload.data, payload.size);
    free_octets(&payload);
    return good;
}

/* -------------------------------------------------------------------- lines */

static void bad(const words *w, const char *what)
{
    complain(w->file, w->line, what, w->count > 0 ? w->tokens[0].word : "");
}

static step *add_step(test_case *c, const words *w, int kind)
{
    step *s;
    c->steps = realloc(c->steps, (c->step_count + 1) * sizeof *c->steps);
    if (c->steps == NULL)
        bad(w, "no memory");
    s = &c->steps[c->step_count++];
    memset(s, 0, sizeof *s);
    s->kind = kind;
    s->line = w->line;
    s->want.state = -1;
    s->want.wants = -1;
    return s;
}

static uint64_t number_token(const words *w, size_t i)
{
    uint64_t n = 0;
    if (i >= w->count || w->tokens[i].quoted || !number_of(w->tokens[i].word, &n))
        bad(w, "a number is wanted");
    return n;
}

typedef struct setting {
    const char *name;
    size_t offset;
} setting;

static const setting limits[] = {
    {"max_head", offsetof(tenon_config, max_head)},           {"max_target", offsetof(tenon_config, max_target)},
    {"max_headers", offsetof(tenon_config, max_headers)},     {"max_fragments", offsetof(tenon_config, max_fragments)},
    {"max_control", offsetof(tenon_config, max_control)},     {"max_frame_out", offsetof(tenon_config, max_frame_out)},
    {"handshake_ms", offsetof(tenon_config, handshake_ms)},   {"idle_ms", offsetof(tenon_config, idle_ms)},
    {"ping_ms", offsetof(tenon_config, ping_ms)},             {"pong_ms", offsetof(tenon_config, pong_ms)},
    {"close_ms", offsetof(tenon_config, close_ms)},           {"stall_ms", offsetof(tenon_config, stall_ms)}};

static const struct {
    const char *name;
    uint32_t flag;
} flags[] = {{"chunks", TENON_CHUNKS},
             {"relay", TENON_RELAY},
             {"plain_get", TENON_PLAIN_GET},
             {"require_subprotocol", TENON_REQUIRE_SUBPROTOCOL},
             {"drop_after_close", TENON_DROP_AFTER_CLOSE}};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* config chunks; config grow; config handshake */
static int config_flag(test_case *c, const words *w)
{
    size_t i;
    for (i = 0; i < COUNT(flags); i++) {
        if (is_word(&w->tokens[1], flags[i].name)) {
            c->config.flags |= flags[i].flag;
            return 1;
        }
    }
    if (is_word(&w->tokens[1], "grow"))
        return c->grow = 1;
    if (is_word(&w->tokens[1], "handshake"))
        return c->handshake = 1;
    return 0;
}

/* config deflate [required] [reset_out] [reset_in] [out=N] [in=N] [threshold=N] */
static void deflate_line(test_case *c, const words *w)
{
    tenon_deflate *d = &c->deflate;
    size_t i;
    d->size = (uint32_t)sizeof *d;
    d->codec = &tenon_zlib;
    for (i = 2; i < w->count; i++) {
        const char *word = w->tokens[i].word, *sign = strchr(word, '=');
        uint64_t n = 0;
        if (sign != NULL && !number_of(sign + 1, &n))
            bad(w, "a number is wanted");
        if (strcmp(word, "required") == 0)
            d->flags |= TENON_DEFLATE_REQUIRED;
        else if (strcmp(word, "reset_out") == 0)
            d->flags |= TENON_DEFLATE_RESET_OUT;
        else if (strcmp(word, "reset_in") == 0)
            d->flags |= TENON_DEFLATE_RESET_IN;
        else if (strncmp(word, "out=", 4) == 0)
            d->out_bits = (uint8_t)n;
        else if (strncmp(word, "in=", 3) == 0)
            d->in_bits = (uint8_t)n;
        else if (strncmp(word, "threshold=", 10) == 0)
            d->threshold = (uint32_t)n;
        else
            bad(w, "unknown setting");
    }
}

static void config_line(test_case *c, const words *w)
{
    uint64_t value;
    size_t i;
    if (w->count == 2 && config_flag(c, w))
        return;
    if (w->count > 1 && is_word(&w->tokens[1], "deflate")) {
        deflate_line(c, w);
        return;
    }
    if (w->count != 3)
        bad(w, "unknown setting");
    if (is_word(&w->tokens[2], "off"))
        value = TENON_OFF;
    else
        value = number_token(w, 2);
    for (i = 0; i < COUNT(limits); i++) {
        if (is_word(&w->tokens[1], limits[i].name)) {
            uint32_t narrow = (uint32_t)value;
            memcpy((uint8_t *)&c->config + limits[i].offset, &narrow, sizeof narrow);
            return;
        }
    }
    if (is_word(&w->tokens[1], "max_message"))
        c->config.max_message = value;
    else if (is_word(&w->tokens[1], "rx"))
        c->rx = (size_t)value;
    else if (is_word(&w->tokens[1], "tx"))
        c->tx = (size_t)value;
    else if (is_word(&w->tokens[1], "random_fails"))
        c->random_fails = (unsigned)value;
    else
        bad(w, "unknown setting");
}

static void role_line(test_case *c, const words *w)
{
    if (w->count != 2 || c->roles != 0)
        bad(w, "one role is wanted");
    if (is_word(&w->tokens[1], "server") || is_word(&w->tokens[1], "both"))
        c->roles |= 1 << TENON_SERVER;
    if (is_word(&w->tokens[1], "client") || is_word(&w->tokens[1], "both"))
        c->roles |= 1 << TENON_CLIENT;
    if (c->roles == 0)
        bad(w, "server, client or both");
}

/* Takes the words; what is expected stands behind an arrow. */
static action action_of(words *w, size_t first)
{
    action a;
    memset(&a, 0, sizeof a);
    a.first = first;
    if (w->count >= first + 2 && is_word(&w->tokens[w->count - 2], "->")) {
        a.status = status_number(w->tokens[w->count - 1].word);
        if (a.status >= 0)
            bad(w, "unknown status");
        free(w->tokens[--w->count].word);
        free(w->tokens[--w->count].word);
    }
    a.words = *w;
    if (w->count <= first || !act_known(&a))
        bad(w, "unknown action");
    memset(w, 0, sizeof *w);
    return a;
}

static void on_line(test_case *c, words *w)
{
    action *a;
    int event = w->count > 2 ? event_number(w->tokens[1].word) : 0;
    if (event == 0)
        bad(w, "an event and an action are wanted");
    c->on = realloc(c->on, (c->on_count + 1) * sizeof *c->on);
    if (c->on == NULL)
        bad(w, "no memory");
    a = &c->on[c->on_count++];
    *a = action_of(w, 2);
    a->event = event;
}

static const struct {
    const char *name;
    int bit;
} wants_names[] = {{"READ", TENON_WANTS_READ},   {"WRITE", TENON_WANTS_WRITE}, {"RX", TENON_WANTS_RX},
                   {"TX", TENON_WANTS_TX},       {"DECISION", TENON_WANTS_DECISION},
                   {"SHUT_WR", TENON_WANTS_SHUT_WR}, {"CLOSE", TENON_WANTS_CLOSE}, {"NEXT", TENON_WANTS_NEXT},
                   {"FREE_DEFLATE", TENON_FREE_DEFLATE}, {"FREE_INFLATE", TENON_FREE_INFLATE}};

static int wants_of(const words *w)
{
    size_t i, j;
    int bits = 0;
    for (i = 1; i < w->count; i++) {
        for (j = 0; j < COUNT(wants_names) && !is_word(&w->tokens[i], wants_names[j].name); j++) {
        }
        if (j == COUNT(wants_names))
            bad(w, "unknown want");
        bits |= wants_names[j].bit;
    }
    return bits;
}

/* Lines that say what must have come. */
static int check_line(test_case *c, const words *w)
{
    static const char *const names[] = {"event",  "closed", "out",      "wire", "shut",
                                        "silent", "state",  "deadline", "wants"};
    expectation *want;
    size_t i;
    for (i = 0; i < COUNT(names) && !is_word(&w->tokens[0], names[i]); i++) {
    }
    if (i == COUNT(names))
        return 0;
    if (c->step_count == 0)
        bad(w, "nothing was done yet");
    if (c->steps[c->step_count - 1].kind != STEP_CHECK)
        add_step(c, w, STEP_CHECK);
    want = &c->steps[c->step_count - 1].want;
    if (i < 2 && !expected_line(w, &want->log))
        bad(w, "no such expectation");
    if (i == 2 && (w->count < 2 || !data_of(w, 1, w->count, &want->out)))
        bad(w, "octets are wanted");
    if (i == 3 && (w->count < 2 || !data_of(w, 1, w->count, &want->wire)))
        bad(w, "octets are wanted");
    want->has_wire |= i == 3;
    want->shut |= i == 4;
    want->silent |= i == 5;
    if (i == 6 && (w->count != 2 || (want->state = state_number(w->tokens[1].word)) < 0))
        bad(w, "unknown state");
    if (i == 7) {
        want->has_deadline = 1;
        want->deadline = w->count == 2 && is_word(&w->tokens[1], "never") ? TENON_NEVER : number_token(w, 1);
    }
    if (i == 8)
        want->wants = wants_of(w);
    return 1;
}

/* Lines that do something. */
static int step_line(test_case *c, words *w)
{
    step *s;
    if (is_word(&w->tokens[0], "in") || is_word(&w->tokens[0], "raw")) {
        s = add_step(c, w, STEP_INPUT);
        s->raw = is_word(&w->tokens[0], "raw");
        if (w->count < 2 || !data_of(w, 1, w->count, &s->input))
            bad(w, "octets are wanted");
    } else if (is_word(&w->tokens[0], "do")) {
        s = add_step(c, w, STEP_DO);
        s->act = action_of(w, 1);
    } else if (is_word(&w->tokens[0], "tick")) {
        s = add_step(c, w, STEP_TICK);
        s->ms = number_token(w, 1);
        c->ticks = 1;
    } else if (is_word(&w->tokens[0], "eof") && w->count == 1) {
        add_step(c, w, STEP_EOF);
    } else if (is_word(&w->tokens[0], "start") && w->count == 1) {
        add_step(c, w, STEP_INPUT);
    } else {
        return 0;
    }
    return 1;
}

static void check_case(const test_case *c)
{
    size_t i;
    int expects = 0;
    if (c->roles == 0)
        complain(c->file, c->line, "a case without role", c->name);
    for (i = 0; i < c->step_count; i++) {
        const expectation *want = &c->steps[i].want;
        if (c->steps[i].kind != STEP_CHECK)
            continue;
        expects++;
        if (want->silent && (want->log.size > 0 || want->out.size > 0 || want->has_wire || want->shut))
            complain(c->file, c->steps[i].line, "silent, and yet something is expected", c->name);
        if (want->has_wire && want->out.size > 0)
            complain(c->file, c->steps[i].line, "wire and out at once", c->name);
    }
    if (expects == 0 || c->steps[c->step_count - 1].kind != STEP_CHECK)
        complain(c->file, c->line, "a case that does not end with an expectation", c->name);
}

static test_case *new_case(cases *all, const words *w)
{
    test_case *c;
    size_t i;
    if (w->count != 2 || w->tokens[1].quoted)
        bad(w, "a name is wanted");
    for (i = 0; i < all->count; i++) {
        if (strcmp(all->list[i].name, w->tokens[1].word) == 0)
            bad(w, "this name is taken");
    }
    all->list = realloc(all->list, (all->count + 1) * sizeof *all->list);
    if (all->list == NULL)
        bad(w, "no memory");
    c = &all->list[all->count++];
    memset(c, 0, sizeof *c);
    c->file = w->file;
    c->line = w->line;
    c->rx = 4096;
    c->tx = 4096;
    c->name = take_memory(strlen(w->tokens[1].word) + 1);
    strcpy(c->name, w->tokens[1].word);
    return c;
}

static void take_line(cases *all, words *w)
{
    test_case *c = all->count > 0 ? &all->list[all->count - 1] : NULL;
    if (is_word(&w->tokens[0], "case")) {
        if (c != NULL)
            check_case(c);
        new_case(all, w);
        return;
    }
    if (c == NULL)
        bad(w, "a line before the first case");
    if (is_word(&w->tokens[0], "covers") && w->count > 1)
        c->covers = 1;
    else if (is_word(&w->tokens[0], "role"))
        role_line(c, w);
    else if (is_word(&w->tokens[0], "config"))
        config_line(c, w);
    else if (is_word(&w->tokens[0], "on"))
        on_line(c, w);
    else if (!step_line(c, w) && !check_line(c, w))
        bad(w, "unknown keyword");
}

static octets whole_file(const char *file)
{
    octets text = {NULL, 0, 0};
    char part[4096];
    size_t n;
    FILE *in = fopen(file, "rb");
    if (in == NULL)
        complain(file, 0, "cannot be read", "");
    while ((n = fread(part, 1, sizeof part, in)) > 0)
        put_octets(&text, part, n);
    fclose(in);
    put_octets(&text, "\n", 2);
    return text;
}

cases read_cases(const char *file)
{
    cases all = {NULL, 0};
    octets text = whole_file(file);
    char *line = (char *)text.data;
    int number = 1;
    for (; *line != '\0'; number++) {
        char *end = strchr(line, '\n');
        words w;
        *end = '\0';
        w = split(file, number, line);
        if (w.count > 0)
            take_line(&all, &w);
        free_words(&w);
        line = end + 1;
    }
    if (all.count == 0)
        complain(file, number, "no case", "");
    check_case(&all.list[all.count - 1]);
    free_octets(&text);
    return all;
}

void free_cases(cases *all)
{
    size_t i, j;
    for (i = 0; i < all->count; i++) {
        test_case *c = &all->list[i];
        for (j = 0; j < c->on_count; j++)
            free_words(&c->on[j].words);
        for (j = 0; j < c->step_count; j++) {
            free_octets(&c->steps[j].input);
            free_words(&c->steps[j].act.words);
            free_octets(&c->steps[j].want.log);
            free_octets(&c->steps[j].want.out);
            free_octets(&c->steps[j].want.wire);
        }
        free(c->name);
        free(c->on);
        free(c->steps);
    }
    free(all->list);
}
