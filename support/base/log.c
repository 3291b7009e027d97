/*
 * log: the process's one log, in the format of httpd's error log so that
 * the same eyes and tools can read both.
 *
 * Everything is static because a log line must be possible anywhere. Each
 * line is one write(2) to a descriptor opened for append: lines of several
 * processes never mix.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "base/base.h"

#define TEXT_MAX 4096
#define FILE_PREFIX "file:"
#define PREFIX_MAX 64

static const struct {
    const char *name;
    int priority;       /* syslog's */
} levels[] = {
    { "emerg", LOG_EMERG }, { "alert", LOG_ALERT }, { "crit", LOG_CRIT },
    { "error", LOG_ERR }, { "warn", LOG_WARNING }, { "notice", LOG_NOTICE },
    { "info", LOG_INFO }, { "debug", LOG_DEBUG }, { "trace1", LOG_DEBUG },
    { "trace2", LOG_DEBUG }, { "trace3", LOG_DEBUG }, { "trace4", LOG_DEBUG },
    { "trace5", LOG_DEBUG }, { "trace6", LOG_DEBUG }, { "trace7", LOG_DEBUG },
    { "trace8", LOG_DEBUG }
};

/* fd is -1 for syslog; path is NULL where it is no file; pool is the one
 * that ends it, NULL at the start. */
static struct {
    base_log_level_t level;
    int fd;
    const char *path;
    apr_pool_t *pool;
} the_log = { BASE_LOG_WARN, STDERR_FILENO, NULL, NULL };

/* What the terminal needs before a line, and where lines to it go instead
 * (-1: nowhere else), of which process. */
static struct {
    void (*clear)(void *baton);
    void *baton;
    int held;
    pid_t pid;
} the_terminal = { NULL, NULL, -1, 0 };

void base_log_before(void (*clear)(void *baton), void *baton)
{
    the_terminal.clear = clear;
    the_terminal.baton = baton;
    the_terminal.pid = getpid();
}

void base_log_hold(int fd)
{
    the_terminal.held = fd;
    the_terminal.pid = getpid();
}

/* Where a line goes now; what stands there is cleared. */
static int log_target(void)
{
    if (the_log.fd != STDERR_FILENO || the_terminal.pid != getpid()) {
        return the_log.fd;
    }
    if (the_terminal.held != -1) {
        return the_terminal.held;
    }
    if (the_terminal.clear) {
        the_terminal.clear(the_terminal.baton);
    }
    return the_log.fd;
}

/* A pool cleanup: back to standard error. */
static apr_status_t log_close(void *unused)
{
    if (the_log.fd == -1) {
        closelog();
    }
    else if (the_log.fd != STDERR_FILENO) {
        close(the_log.fd);
    }
    the_log.fd = STDERR_FILENO;
    the_log.path = NULL;
    the_log.pool = NULL;
    return APR_SUCCESS;
}

#define OPEN_FLAGS (O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW)

/** Open a log, or make it as httpd's are, whatever the mask; -1 and errno.
 *  Whoever may write in its directory could point a link at any file. */
static int open_or_make(const char *path)
{
    int fd = open(path, OPEN_FLAGS | O_CREAT | O_EXCL, 0640);

    if (fd != -1) {
        fchmod(fd, 0640);
    }
    else if (errno == EEXIST) {
        fd = open(path, OPEN_FLAGS);
    }
    return fd;
}

static apr_status_t log_file_open(int *pfd, const char *path,
                                  acme_err_t *err)
{
    int tries = 3;
    int fd;

    do {
        /* It may be moved away between the two looks. */
        fd = open_or_make(path);
    } while (fd == -1 && (errno == EINTR || errno == ENOENT) && tries-- > 0);
    if (fd == -1 && errno == ELOOP) {
        return base_err_set(err, ELOOP, BASE_EXIT_FAILED,
                            "the log %s is a symbolic link; name the file it "
                            "points at", path);
    }
    if (fd == -1) {
        return base_err_path(err, errno, "open the log", path);
    }
    *pfd = fd;
    return APR_SUCCESS;
}

apr_status_t base_log_open(const char *target, base_log_level_t level,
                           acme_err_t *err, apr_pool_t *pool)
{
    apr_size_t len = strlen(FILE_PREFIX);
    int fd = STDERR_FILENO;
    apr_status_t rv;

    if (strncmp(target, FILE_PREFIX, len) == 0 && target[len] != '\0') {
        rv = log_file_open(&fd, target + len, err);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    else if (strcmp(target, "syslog") == 0) {
        fd = -1;
    }
    else if (strcmp(target, "stderr") != 0) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_USAGE,
                            "cannot log to \"%s\": use stderr, syslog or "
                            "file:PATH", target);
    }
    if (the_log.pool) {
        apr_pool_cleanup_run(the_log.pool, NULL, log_close);
    }
    if (fd == -1) {
        openlog("acmectl", LOG_PID, LOG_DAEMON);
    }
    the_log.fd = fd;
    the_log.path = fd == -1 || fd == STDERR_FILENO
                   ? NULL : apr_pstrdup(pool, target + len);
    the_log.level = level;
    the_log.pool = pool;
    apr_pool_cleanup_register(pool, NULL, log_close, apr_pool_cleanup_null);
    return APR_SUCCESS;
}

apr_status_t base_log_reopen(acme_err_t *err)
{
    apr_status_t rv;
    int fd;

    if (!the_log.path) {
        return APR_SUCCESS;
    }
    rv = log_file_open(&fd, the_log.path, err);
    if (rv == APR_SUCCESS) {
        close(the_log.fd);
        the_log.fd = fd;
    }
    return rv;
}

apr_status_t base_log_follow(pid_t pid)
{
    char path[64];
    int fd, error;

    snprintf(path, sizeof(path), "/proc/%ld/fd/2", (long)pid);
    fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY
                    | O_NONBLOCK);
    if (fd == -1) {
        return errno;
    }
    /* Only the opening must not block. */
    error = fcntl(fd, F_SETFL, O_APPEND) == -1
            || dup2(fd, STDERR_FILENO) == -1 ? errno : 0;
    close(fd);
    return error;
}

apr_status_t base_log_level_parse(base_log_level_t *plevel, const char *name)
{
    apr_size_t i;

    for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (apr_cstr_casecmp(name, levels[i].name) == 0) {
            *plevel = (base_log_level_t)i;
            return APR_SUCCESS;
        }
    }
    return APR_EINVAL;
}

/* "Mon Nov 23 19:08:00.123456 2026", local time as httpd writes it. */
static void log_time(char out[APR_CTIME_LEN + 8])
{
    apr_time_t now = apr_time_now();
    char text[APR_CTIME_LEN];

    apr_ctime(text, now);
    snprintf(out, APR_CTIME_LEN + 8, "%.19s.%06d %s", text,
                 (int)apr_time_usec(now), text + 20);
}

/* A log that cannot be written has nobody left to tell. */
static void log_write(int fd, const char *line, apr_size_t len)
{
    ssize_t n;

    while (len > 0) {
        n = write(fd, line, len);
        if (n == -1 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return;
        }
        line += n;
        len -= (apr_size_t)n;
    }
}

/* Whether what goes to standard error is read by the journal, which knows
 * the time itself. Source: systemd.exec(5), JOURNAL_STREAM. */
static int is_journal(int fd)
{
    const char *stream = fd == STDERR_FILENO ? getenv("JOURNAL_STREAM")
                                             : NULL;
    char own[64];
    struct stat st;

    if (!stream || fstat(fd, &st) != 0) {
        return 0;
    }
    snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev,
             (uintmax_t)st.st_ino);
    return strcmp(own, stream) == 0;
}

/* What a line begins with: the time, or what the journal wants there.
 * Source: sd-daemon(3). */
static void log_begin(char out[PREFIX_MAX], base_log_level_t level)
{
    char time[APR_CTIME_LEN + 8];

    if (is_journal(the_log.fd)) {
        snprintf(out, PREFIX_MAX, "<%d>", levels[level].priority);
        return;
    }
    log_time(time);
    snprintf(out, PREFIX_MAX, "[%s] ", time);
}

void base_log(base_log_level_t level, const char *fmt, ...)
{
    char raw[TEXT_MAX], text[TEXT_MAX], line[TEXT_MAX + 128];
    char prefix[PREFIX_MAX];
    const char *name = levels[level].name;
    int saved = errno, len;
    va_list ap;

    if (level > the_log.level) {
        return;
    }
    va_start(ap, fmt);
    vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    base_clean(text, sizeof(text), raw);
    if (the_log.fd == -1) {
        syslog(levels[level].priority, "[acme:%s] [pid %ld] %s", name,
               (long)getpid(), text);
    }
    else {
        log_begin(prefix, level);
        len = snprintf(line, sizeof(line), "%s[acme:%s] [pid %ld] %s\n",
                       prefix, name, (long)getpid(), text);
        log_write(log_target(), line, (apr_size_t)len);
    }
    errno = saved;
}
