/*
 * faults.c: see faults.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include "faults.h"

int fault_fsync;
int fault_fsync_calls;
int fault_short;
int fault_write;
char fault_syslog[1024];
int fault_syslog_priority = -1;

static int calls;

void fault_clear(void)
{
    fault_fsync = 0;
    fault_fsync_calls = 0;
    fault_short = 0;
    fault_write = 0;
}

int fsync(int fd)
{
    fault_fsync_calls++;
    if (fault_fsync) {
        errno = fault_fsync;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

/* What is left of len; 0 for an interruption. */
static size_t shorten(size_t len)
{
    if (!fault_short || len == 0) {
        return len;
    }
    return ++calls % 2 ? 0 : 1;
}

ssize_t read(int fd, void *data, size_t len)
{
    size_t some = shorten(len);

    if (some == 0 && len > 0) {
        errno = EINTR;
        return -1;
    }
    return syscall(SYS_read, fd, data, some);
}

ssize_t write(int fd, const void *data, size_t len)
{
    size_t some = shorten(len);

    if (fault_write && len == 1) {
        errno = fault_write;
        return -1;
    }
    if (fault_write && len > 0) {
        some = len - 1;
    }
    if (some == 0 && len > 0) {
        errno = EINTR;
        return -1;
    }
    return syscall(SYS_write, fd, data, some);
}

static void keep(int priority, const char *fmt, va_list ap)
{
    fault_syslog_priority = priority;
    vsnprintf(fault_syslog, sizeof(fault_syslog), fmt, ap);
}

void syslog(int priority, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    keep(priority, fmt, ap);
    va_end(ap);
}

/* What syslog is called when the compiler fortifies. */
void __syslog_chk(int priority, int flag, const char *fmt, ...);
void __syslog_chk(int priority, int flag, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    keep(priority, fmt, ap);
    va_end(ap);
}
