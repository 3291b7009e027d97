/*
 * log.c: the process's log, in the form of httpd's error log.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/base.h"

static const char *const level_names[] = {
    "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug",
    "trace1"
};

#define LEVELS ((int)(sizeof(level_names) / sizeof(level_names[0])))

/* The one log of this process: a descriptor, or syslog (-1). */
static int log_fd = STDERR_FILENO;
static base_log_level_t log_level = BASE_LOG_WARN;

static apr_status_t open_file(int *pfd, const char *path, acme_err_t *err)
{
    char buf[200];
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
                  0600);

    if (fd < 0) {
        apr_status_t rv = apr_get_os_error();

        return base_err_set(err, rv, BASE_EXIT_USAGE,
                            "cannot open the log %s: %s; give --log another "
                            "place", path,
                            base_strerror(rv, buf, sizeof(buf)));
    }
    *pfd = fd;
    return APR_SUCCESS;
}

apr_status_t base_log_open(const char *target, base_log_level_t level,
                           acme_err_t *err, apr_pool_t *pool)
{
    int fd = STDERR_FILENO;
    apr_status_t rv = APR_SUCCESS;

    (void)pool;
    if (strcmp(target, "syslog") == 0) {
        openlog("acmectl", LOG_PID, LOG_DAEMON);
        fd = -1;
    }
    else if (strncmp(target, "file:", 5) == 0 && target[5]) {
        rv = open_file(&fd, target + 5, err);
    }
    else if (strcmp(target, "stderr") != 0) {
        rv = base_err_set(err, APR_EINVAL, BASE_EXIT_USAGE,
                          "--log %s is not known; use stderr, syslog or "
                          "file:PATH", target);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (log_fd > STDERR_FILENO) {
        close(log_fd);
    }
    log_fd = fd;
    log_level = level;
    return APR_SUCCESS;
}

apr_status_t base_log_level_parse(base_log_level_t *plevel, const char *name)
{
    int i;

    for (i = 0; i < LEVELS; i++) {
        if (strcasecmp(name, level_names[i]) == 0) {
            *plevel = (base_log_level_t)i;
            return APR_SUCCESS;
        }
    }
    return APR_EINVAL;
}

/** Write a line of httpd's error log form to the descriptor. */
static void write_line(base_log_level_t level, const char *text)
{
    char when[APR_CTIME_LEN];
    char line[sizeof(((acme_err_t *)NULL)->message) + 200];
    apr_time_t now = apr_time_now();
    int n;

    apr_ctime(when, now);
    /* "Mon Nov 23 19:08:00 2026": the microseconds go before the year. */
    n = snprintf(line, sizeof(line), "[%.19s.%06d%s] [acme:%s] [pid %d] %s\n",
                 when, (int)(now % APR_USEC_PER_SEC), when + 19,
                 level_names[level], (int)getpid(), text);
    if (n >= (int)sizeof(line)) {
        n = (int)sizeof(line);
        line[n - 1] = '\n';
    }
    /* One write a line, so that processes do not mix theirs. A log that
     * cannot be written is no reason to fail. */
    if (n > 0 && write(log_fd, line, (size_t)n) < 0) {
        return;
    }
}

void base_log(base_log_level_t level, const char *fmt, ...)
{
    char text[sizeof(((acme_err_t *)NULL)->message)];
    acme_err_t clean = { 0 };
    va_list ap;

    if (level > log_level) {
        return;
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    /* base_err_set makes any text one printable line. */
    base_err_set(&clean, APR_EGENERAL, BASE_EXIT_FAILED, "%s", text);
    if (log_fd < 0) {
        syslog(level < BASE_LOG_DEBUG ? (int)level : LOG_DEBUG, "%s",
               clean.message);
        return;
    }
    write_line(level, clean.message);
}
