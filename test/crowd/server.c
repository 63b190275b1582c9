/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crowd.h"

#define START_MS 10000
#define ANSWER_MS 10000
#define LOOK_MS 5 /* between two looks at what nobody reports */
#define PAGE_SIZE 65536

static uint64_t now_ms(void)
{
    return now_ns() / 1000000;
}

/* Reads a line, within the time: its size, or -1. */
static int read_line(int fd, char *line, size_t room, int ms)
{
    uint64_t until = now_ms() + (uint64_t)ms;
    size_t size = 0;
    while (size + 1 < room) {
        struct pollfd ready = {fd, POLLIN, 0};
        uint64_t now = now_ms();
        if (now >= until || poll(&ready, 1, (int)(until - now)) <= 0 || read(fd, line + size, 1) != 1)
            return -1;
        if (line[size++] == '\n') {
            line[size] = '\0';
            return (int)size;
        }
    }
    return -1;
}

int server_start(server *s, char *const argv[])
{
    int ends[2];
    char line[128] = "";
    if (pipe(ends) != 0 || (s->pid = fork()) < 0) {
        perror("server");
        return -1;
    }
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execv(argv[0], argv);
        perror(argv[0]);
        _exit(127);
    }
    close(ends[1]);
    if (read_line(ends[0], line, sizeof line, START_MS) < 0 ||
        sscanf(line, "listening on 127.0.0.1:%u", &s->port) != 1) {
        fprintf(stderr, "%s did not say where it listens: '%s'\n", argv[0], line);
        kill(s->pid, SIGKILL);
        server_wait(s, START_MS);
        close(ends[0]);
        return -1;
    }
    close(ends[0]);
    return 0;
}

void server_term(const server *s)
{
    kill(s->pid, SIGTERM);
}

int server_wait(server *s, int ms)
{
    struct pollfd ended = {(int)syscall(SYS_pidfd_open, s->pid, 0), POLLIN, 0};
    struct rusage usage = {0};
    int status = 0, is_late;
    if (s->pid <= 0)
        return -1;
    is_late = ended.fd < 0 || poll(&ended, 1, ms) != 1;
    if (is_late)
        kill(s->pid, SIGKILL);
    wait4(s->pid, &status, 0, &usage);
    s->peak = usage.ru_maxrss * 1024;
    if (ended.fd >= 0)
        close(ended.fd);
    s->pid = 0;
    if (is_late)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int server_freeze(const server *s)
{
    int status;
    return kill(s->pid, SIGSTOP) == 0 && waitpid(s->pid, &status, WUNTRACED) == s->pid && WIFSTOPPED(status) ? 0 : -1;
}

void server_thaw(const server *s)
{
    kill(s->pid, SIGCONT);
}

/* -------------------------------------------------------------------- memory */

long server_memory(const server *s)
{
    char path[64], line[256];
    long kib = 0;
    FILE *file;
    snprintf(path, sizeof path, "/proc/%d/status", (int)s->pid);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kib * 1024;
}

long server_files(const server *s)
{
    char path[64];
    long count = 0;
    DIR *directory;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)s->pid);
    directory = opendir(path);
    if (directory == NULL)
        return 0;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count - 2; /* "." and ".." */
}

int server_await_files(const server *s, long files, int ms)
{
    uint64_t until = now_ms() + (uint64_t)ms;
    while (server_files(s) > files) {
        if (now_ms() >= until)
            return -1;
        poll(NULL, 0, LOOK_MS);
    }
    return 0;
}

long tcp_memory(void)
{
    char line[256];
    long pages = 0;
    FILE *file = fopen("/proc/net/sockstat", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "TCP: %*s %*s %*s %*s %*s %*s %*s %*s mem %ld", &pages) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

/* ------------------------------------------------------------------- metrics */

/* The answer to GET /metrics, until the end of the stream: its size, or -1. */
static int get_page(unsigned port, char *page, size_t room)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    struct timeval limit = {ANSWER_MS / 1000, 0};
    struct sockaddr_in to;
    size_t size = 0;
    ssize_t got = -1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)port);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
        send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof request - 1)
        while (size + 1 < room && (got = recv(fd, page + size, room - 1 - size, 0)) > 0)
            size += (size_t)got;
    close(fd);
    page[size] = '\0';
    return got == 0 && strncmp(page, "HTTP/1.1 200 ", 13) == 0 ? (int)size : -1;
}

long server_metric(const server *s, const char *name)
{
    static char page[PAGE_SIZE];
    size_t size = strlen(name);
    const char *line;
    if (get_page(s->port, page, sizeof page) < 0)
        return -1;
    for (line = page; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, size) == 0 && line[size] == ' ')
            return strtol(line + size, NULL, 10);
    }
    return -1;
}

int server_await_metric(const server *s, const char *name, long value, int ms)
{
    uint64_t until = now_ms() + (uint64_t)ms;
    while (server_metric(s, name) != value) {
        if (now_ms() >= until)
            return -1;
        poll(NULL, 0, LOOK_MS);
    }
    return 0;
}
