/*
 * rig.h: a program that writes down what it is given, and a directory that
 * everybody may use.
 */
#ifndef ACME_UNIT_NOTIFY_RIG_H
#define ACME_UNIT_NOTIFY_RIG_H

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "notify/internal.h"
#include "unit.h"

/* Long enough for a script to begin on a busy machine. */
#define LIMIT apr_time_from_sec(1)

static const char *dir;

static inline void rig_setup(void)
{
    unit_setup();
    dir = unit_dir();
    ck_assert_int_eq(chmod(dir, 0777), 0);
}

static inline const char *in_dir(const char *name)
{
    return apr_psprintf(pool, "%s/%s", dir, name);
}

/** A script in the directory, which is its $D. */
static inline const char *script(const char *name, const char *text)
{
    const char *path = in_dir(name);

    text = apr_psprintf(pool, "#!/bin/sh\nD=%s\n%s\n", dir, text);
    unit_ok(base_file_create(path, text, strlen(text), 0700, &err));
    ck_assert_int_eq(chmod(path, 0755), 0);
    return path;
}

/** The content of a file that a program wrote; "" if there is none. */
static inline const char *said(const char *name)
{
    acme_err_t ignored = { 0 };
    apr_size_t len;
    char *text;

    return base_file_read(&text, &len, in_dir(name), 1024 * 1024, &ignored,
                          pool) == APR_SUCCESS ? text : "";
}

/** Wait until a file has this text, 10 s at most. */
static inline void says(const char *name, const char *text)
{
    int i;

    for (i = 0; i < 1000 && strcmp(said(name), text) != 0; i++) {
        apr_sleep(10000);
    }
    ck_assert_str_eq(said(name), text);
}

/** Wait until no process has that number, 10 s at most. A process that is
 *  dead and not waited for is none. */
static inline void is_gone(const char *pid)
{
    const char *path = apr_psprintf(pool, "/proc/%d/stat", atoi(pid));
    char text[256] = "";
    int i;

    ck_assert_int_gt(atoi(pid), 1);
    for (i = 0; i < 1000; i++) {
        int fd = open(path, O_RDONLY);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

        if (fd >= 0) {
            close(fd);
        }
        text[n > 0 ? n : 0] = '\0';
        if (n <= 0 || strstr(text, ") Z ")) {
            return;
        }
        apr_sleep(10000);
    }
    ck_abort_msg("process %s still runs", pid);
}

/** Send the log to a file of the directory. */
static inline void log_here(void)
{
    unit_ok(base_log_open(apr_psprintf(pool, "file:%s/log", dir),
                          BASE_LOG_INFO, &err, pool));
}

#endif
