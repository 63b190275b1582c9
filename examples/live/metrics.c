/* SPDX-License-Identifier: MIT */
#include "metrics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const uint32_t bounds[METRICS_BUCKETS] = {1, 2, 5, 10, 25, 50, 100, 250, 1000, 5000};

/* Longer than any line here: names and help are the program's own. */
#define LINE_MAX_SIZE 512

static int make_room(metrics_page *page)
{
    size_t room = page->room * 2 + LINE_MAX_SIZE;
    char *larger;
    if (page->failed)
        return -1;
    if (page->room - page->size >= LINE_MAX_SIZE)
        return 0;
    larger = realloc(page->text, room);
    if (larger == NULL) {
        free(page->text);
        page->text = NULL;
        page->failed = 1;
        return -1;
    }
    page->text = larger;
    page->room = room;
    return 0;
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void add(metrics_page *page, const char *format, ...)
{
    va_list arguments;
    int size;
    if (make_room(page) != 0)
        return;
    va_start(arguments, format);
    size = vsnprintf(page->text + page->size, LINE_MAX_SIZE, format, arguments);
    va_end(arguments);
    if (size > 0 && size < LINE_MAX_SIZE)
        page->size += (size_t)size;
}

void metrics_begin(metrics_page *page, const char *name, const char *type, const char *help)
{
    add(page, "# HELP %s %s\n", name, help);
    add(page, "# TYPE %s %s\n", name, type);
}

void metrics_value(metrics_page *page, const char *name, const char *labels, uint64_t value)
{
    if (labels != NULL)
        add(page, "%s{%s} %llu\n", name, labels, (unsigned long long)value);
    else
        add(page, "%s %llu\n", name, (unsigned long long)value);
}

void metrics_one(metrics_page *page, const char *name, const char *type, const char *help, uint64_t value)
{
    metrics_begin(page, name, type, help);
    metrics_value(page, name, NULL, value);
}

void metrics_time(metrics_times *times, uint32_t ms)
{
    int i = 0;
    while (i < METRICS_BUCKETS && ms > bounds[i])
        i++;
    times->count[i]++;
    times->sum_ms += ms;
}

void metrics_show_times(metrics_page *page, const char *name, const char *help, const metrics_times *times)
{
    uint64_t count = 0;
    int i;
    metrics_begin(page, name, "histogram", help);
    for (i = 0; i < METRICS_BUCKETS; i++) {
        count += times->count[i];
        add(page, "%s_bucket{le=\"%u.%03u\"} %llu\n", name, bounds[i] / 1000, bounds[i] % 1000,
            (unsigned long long)count);
    }
    count += times->count[METRICS_BUCKETS];
    add(page, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)count);
    add(page, "%s_sum %llu.%03u\n", name, (unsigned long long)(times->sum_ms / 1000),
        (unsigned)(times->sum_ms % 1000));
    add(page, "%s_count %llu\n", name, (unsigned long long)count);
}
