/* SPDX-License-Identifier: MIT */
/*
 * Counts how often a program reads and writes: preloaded into it (LD_PRELOAD), writes
 * "reads N writes N" to the file SPEED_CALLS when it ends. A read counts if it brought
 * octets, a write if it took some.
 */
#define _GNU_SOURCE

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static unsigned long reads, writes;

static ssize_t counted(unsigned long *count, long n)
{
    *count += n > 0;
    return (ssize_t)n;
}

ssize_t recv(int fd, void *to, size_t room, int flags)
{
    return counted(&reads, syscall(SYS_recvfrom, fd, to, room, flags, NULL, NULL));
}

ssize_t send(int fd, const void *data, size_t n, int flags)
{
    return counted(&writes, syscall(SYS_sendto, fd, data, n, flags, NULL, 0));
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return counted(&writes, syscall(SYS_sendmsg, fd, message, flags));
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    return counted(&writes, syscall(SYS_writev, fd, pieces, count));
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("SPEED_CALLS");
    FILE *file = path != NULL ? fopen(path, "w") : NULL;
    if (file == NULL)
        return;
    fprintf(file, "reads %lu writes %lu\n", reads, writes);
    fclose(file);
}
