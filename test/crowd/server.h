/* SPDX-License-Identifier: MIT */
/* The server that a crowd goes to, as another process sees it. */
#ifndef CROWD_SERVER_H
#define CROWD_SERVER_H

#include <sys/types.h>

typedef struct server {
    pid_t pid;
    unsigned port;
    long peak; /* behind server_wait: the most memory that was ever resident, in octets */
} server;

/* Starts a program (argv ends with NULL), and waits until it listens: 0, or -1 after a
 * message on stderr. It gets SIGKILL if this process ends first. */
int server_start(server *s, char *const argv[]);

/* SIGTERM, which server_wait waits for: the status of exit, 128 + the number of a
 * signal, or -1 if it was still there after so long, and got SIGKILL. */
void server_term(const server *s);
int server_wait(server *s, int ms);

/* Stops it where it is, and lets it go on: 0, or -1. */
int server_freeze(const server *s);
void server_thaw(const server *s);

/* Its resident memory, in octets; how many files it has open. 0: unknown. */
long server_memory(const server *s);
long server_files(const server *s);

/* Waits until it has at most so many files open: 0, or -1. */
int server_await_files(const server *s, long files, int ms);

/* A value of its page /metrics, by the name with the labels, or -1. */
long server_metric(const server *s, const char *name);

/* Waits for a value: 0, or -1. */
int server_await_metric(const server *s, const char *name, long value, int ms);

/* The memory of all TCP sockets of this system, in octets. */
long tcp_memory(void);

#endif
