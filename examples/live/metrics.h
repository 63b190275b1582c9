/* SPDX-License-Identifier: MIT */
/*
 * A page of metrics in the text format of Prometheus, version 0.0.4.
 */
#ifndef EXAMPLES_METRICS_H
#define EXAMPLES_METRICS_H

#include <stddef.h>
#include <stdint.h>

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Text that grows. After a lack of memory, text is NULL and stays so. Begin with
 * zeros; free text. */
typedef struct metrics_page {
    char *text;
    size_t size, room;
    int failed;
} metrics_page;

/* The lines that go before the values of one metric; type: counter, gauge... */
void metrics_begin(metrics_page *page, const char *name, const char *type, const char *help);

/* One value; labels as they stand between the braces, or NULL. */
void metrics_value(metrics_page *page, const char *name, const char *labels, uint64_t value);

/* All of a metric with one value. */
void metrics_one(metrics_page *page, const char *name, const char *type, const char *help, uint64_t value);

/* A histogram of times in milliseconds; shown in seconds, as is the custom. */
#define METRICS_BUCKETS 10

typedef struct metrics_times {
    uint64_t count[METRICS_BUCKETS + 1]; /* the last: longer than all bounds */
    uint64_t sum_ms;
} metrics_times;

void metrics_time(metrics_times *times, uint32_t ms);
void metrics_show_times(metrics_page *page, const char *name, const char *help, const metrics_times *times);

#endif
