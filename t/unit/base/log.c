/*
 * log.c: tests of support/base/log.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "faults.h"
#include "unit.h"

#define LINE_START "^\\[(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} " \
    "[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6} [0-9]{4}\\] " \
    "\\[acme:%s\\] \\[pid %ld\\] "

/* Assert that line has the level and ends with text. */
static void check_line(const char *line, const char *level, const char *text)
{
    char pattern[512];
    regex_t re;

    snprintf(pattern, sizeof(pattern), LINE_START "%s\n$", level,
             (long)getpid(), text);
    ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    ck_assert_msg(regexec(&re, line, 0, NULL, 0) == 0, "%s against %s", line,
                  pattern);
    regfree(&re);
}

static const char *log_path(void)
{
    return apr_pstrcat(pool, unit_dir(), "/log", NULL);
}

static const char *content(const char *path)
{
    char *data;
    apr_size_t len;

    unit_ok(base_file_read(&data, &len, path, 1 << 20, &err, pool));
    return data;
}

/* Open the log on a file. @return its path */
static const char *open_file(base_log_level_t level)
{
    const char *path = log_path();

    unit_ok(base_log_open(apr_pstrcat(pool, "file:", path, NULL), level,
                          &err, pool));
    return path;
}

/* A line looks like one of httpd's error log. */
START_TEST(line)
{
    const char *path = open_file(BASE_LOG_INFO);

    base_log(BASE_LOG_ERROR, "cannot find %s", "it");
    check_line(content(path), "error", "cannot find it");
}
END_TEST

static const char *const names[] = {
    "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug",
    "trace1", "trace2", "trace3", "trace4", "trace5", "trace6", "trace7",
    "trace8"
};

/* Levels go by httpd's names, in its order. */
START_TEST(levels)
{
    base_log_level_t level;

    unit_ok(base_log_level_parse(&level, names[_i]));
    ck_assert_int_eq(level, _i);
}
END_TEST

/* Case does not matter; other words are no levels. */
START_TEST(level_names)
{
    static const char *const bad[] = {
        "", "warning", "err", "trace", "trace0", "trace9", "trace11", "error ",
        " error", "3", "inf", "infos"
    };
    base_log_level_t level = BASE_LOG_CRIT;
    size_t i;

    unit_ok(base_log_level_parse(&level, "NoTice"));
    ck_assert_int_eq(level, BASE_LOG_NOTICE);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(base_log_level_parse(&level, bad[i]), APR_EINVAL);
    }
    ck_assert_int_eq(level, BASE_LOG_NOTICE);
}
END_TEST

/* Lines less urgent than the level are not written. */
START_TEST(filters)
{
    const char *path = open_file((base_log_level_t)_i);
    int level, lines = 0;
    const char *s;

    for (level = BASE_LOG_EMERG; level <= BASE_LOG_TRACE8; level++) {
        base_log((base_log_level_t)level, "x");
    }
    for (s = content(path); (s = strchr(s, '\n')) != NULL; s++) {
        lines++;
    }
    ck_assert_int_eq(lines, _i + 1);
}
END_TEST

/* A message is one line whatever it holds, and errno survives it. */
START_TEST(one_line)
{
    const char *path = open_file(BASE_LOG_INFO);

    errno = EDOM;
    base_log(BASE_LOG_INFO, "%s", "a\n[Mon] forged\x1b\xff");
    ck_assert_int_eq(errno, EDOM);
    check_line(content(path), "info",
               "a\\\\x0A\\[Mon\\] forged\\\\x1B\\\\xFF");
}
END_TEST

/* An endless message is cut, and its line still ends. */
START_TEST(overlong)
{
    const char *path = open_file(BASE_LOG_INFO), *text;
    char *big = apr_pcalloc(pool, 50001);

    memset(big, 'x', 50000);
    base_log(BASE_LOG_INFO, "%s", big);
    base_log(BASE_LOG_INFO, "next");
    text = content(path);
    ck_assert_uint_lt(strlen(text), 8192);
    text = strchr(text, '\n');
    check_line(text + 1, "info", "next");
}
END_TEST

/* The log is made as httpd's are, whatever the mask, and only ever appended
 * to. */
START_TEST(appends)
{
    const char *path = log_path();
    const char *target = apr_pstrcat(pool, "file:", path, NULL);
    struct stat st;

    unit_ok(base_file_create(path, "old\n", 4, 0600, &err));
    unit_ok(base_log_open(target, BASE_LOG_INFO, &err, pool));
    base_log(BASE_LOG_INFO, "new");
    ck_assert(strncmp(content(path), "old\n", 4) == 0);
    check_line(content(path) + 4, "info", "new");
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    unit_ok(base_file_remove(path, &err, pool));
    umask(077);
    unit_ok(base_log_open(target, BASE_LOG_INFO, &err, pool));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
}
END_TEST

/* A link is not followed: it may point at anybody's file, or at none. */
START_TEST(link_refused)
{
    const char *path = log_path();
    const char *target = apr_pstrcat(pool, "file:", path, NULL);
    const char *victim = apr_pstrcat(pool, unit_dir(), "/victim", NULL);

    ck_assert_int_eq(symlink(victim, path), 0);
    unit_fails(base_log_open(target, BASE_LOG_INFO, &err, pool), ELOOP,
               "is a symbolic link; name the file it points at");
    ck_assert_int_ne(access(victim, F_OK), 0);
    unit_ok((base_err_clear(&err), base_file_create(victim, "", 0, 0600,
                                                    &err)));
    unit_fails(base_log_open(target, BASE_LOG_INFO, &err, pool), ELOOP,
               path);
}
END_TEST

/* A log that was moved away is made anew when it is opened again; until
 * then, and where that fails, lines go where they went. */
START_TEST(rotated)
{
    const char *path = open_file(BASE_LOG_INFO);
    const char *old = apr_pstrcat(pool, path, ".1", NULL);

    base_log(BASE_LOG_INFO, "before");
    ck_assert_int_eq(rename(path, old), 0);
    base_log(BASE_LOG_INFO, "between");
    unit_ok(base_log_reopen(&err));
    base_log(BASE_LOG_INFO, "after");
    check_line(content(path), "info", "after");
    check_line(strchr(content(old), '\n') + 1, "info", "between");
    unit_ok(base_file_remove(path, &err, pool));
    ck_assert_int_eq(mkdir(path, 0700), 0);
    unit_fails(base_log_reopen(&err), EISDIR, "cannot open the log");
    base_log(BASE_LOG_ERROR, "still");
}
END_TEST

/* What is no file is not opened again. */
START_TEST(not_rotated)
{
    const char *path = open_file(BASE_LOG_INFO);
    int next;

    unit_ok(base_log_open("stderr", BASE_LOG_INFO, &err, pool));
    next = dup(STDERR_FILENO);
    close(next);
    ck_assert_int_eq(rename(path, apr_pstrcat(pool, path, ".1", NULL)), 0);
    unit_ok(base_log_reopen(&err));
    unit_ok(base_log_open("syslog", BASE_LOG_INFO, &err, pool));
    unit_ok(base_log_reopen(&err));
    ck_assert_int_ne(access(path, F_OK), 0);
    /* Nor has it left a descriptor open. */
    ck_assert_int_eq(dup(STDERR_FILENO), next);
    close(next);
}
END_TEST

/* Where the journal reads standard error a line begins with its priority;
 * a log in a file, or another standard error, keeps the time. */
START_TEST(journald)
{
    static const struct {
        base_log_level_t level;
        const char *begin;
    } rows[] = {
        { BASE_LOG_EMERG, "<0>[acme:emerg] [pid " },
        { BASE_LOG_ERROR, "<3>[acme:error] [pid " },
        { BASE_LOG_WARN, "<4>[acme:warn] [pid " },
        { BASE_LOG_INFO, "<6>[acme:info] [pid " },
        { BASE_LOG_TRACE8, "<7>[acme:trace8] [pid " }
    };
    const char *path = log_path();
    int saved = dup(STDERR_FILENO);
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
    struct stat st;
    const char *text;
    size_t i;

    ck_assert_int_eq(fstat(fd, &st), 0);
    setenv("JOURNAL_STREAM", apr_psprintf(pool, "%lu:%lu",
        (unsigned long)st.st_dev, (unsigned long)st.st_ino), 1);
    unit_ok(base_log_open("stderr", BASE_LOG_TRACE8, &err, pool));
    ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
    for (i = 0; i < 5; i++) {
        base_log(rows[i].level, "text\n<0>forged");
    }
    setenv("JOURNAL_STREAM", apr_psprintf(pool, "%lu:%lu",
        (unsigned long)st.st_dev, (unsigned long)st.st_ino + 1), 1);
    base_log(BASE_LOG_WARN, "elsewhere");
    setenv("JOURNAL_STREAM", "nonsense", 1);
    base_log(BASE_LOG_WARN, "elsewhere");
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fd);
    text = content(path);
    for (i = 0; i < 5; i++) {
        ck_assert_msg(strncmp(text, rows[i].begin, strlen(rows[i].begin))
                      == 0, "%s", text);
        text = strchr(text, '\n') + 1;
    }
    check_line(apr_pstrmemdup(pool, text, strcspn(text, "\n") + 1), "warn",
               "elsewhere");
    check_line(strchr(text, '\n') + 1, "warn", "elsewhere");
}
END_TEST

/* Interrupted and short writes lose nothing. */
START_TEST(interrupted)
{
    const char *path = open_file(BASE_LOG_INFO);

    fault_short = 1;
    base_log(BASE_LOG_INFO, "whole");
    fault_short = 0;
    check_line(content(path), "info", "whole");
}
END_TEST

/* A full disk under the log stops nobody and does not change errno. */
START_TEST(full)
{
    unit_ok(base_log_open("file:/dev/full", BASE_LOG_INFO, &err, pool));
    errno = EDOM;
    base_log(BASE_LOG_INFO, "lost");
    base_log(BASE_LOG_INFO, "lost");
    ck_assert_int_eq(errno, EDOM);
}
END_TEST

/* Until the log is opened, and after its pool, it is standard error. */
START_TEST(standard_error)
{
    const char *path = log_path();
    apr_pool_t *short_lived;
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
    int saved = dup(STDERR_FILENO);
    const char *text;

    apr_pool_create(&short_lived, pool);
    ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
    base_log(BASE_LOG_WARN, "first");
    base_log(BASE_LOG_NOTICE, "not by default");
    unit_ok(base_log_open("syslog", BASE_LOG_INFO, &err, short_lived));
    base_log(BASE_LOG_INFO, "elsewhere");
    apr_pool_destroy(short_lived);
    base_log(BASE_LOG_INFO, "second");
    unit_ok(base_log_open("stderr", BASE_LOG_ERROR, &err, pool));
    base_log(BASE_LOG_ERROR, "third");
    base_log(BASE_LOG_WARN, "not at error");
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fd);
    text = content(path);
    check_line(apr_pstrmemdup(pool, text, strcspn(text, "\n") + 1), "warn",
               "first");
    text = strchr(text, '\n') + 1;
    check_line(apr_pstrmemdup(pool, text, strcspn(text, "\n") + 1), "info",
               "second");
    check_line(strchr(text, '\n') + 1, "error", "third");
}
END_TEST

static int cleared;

static void clear(void *baton)
{
    cleared += *(int *)baton;
}

/* What stands on the terminal is cleared before a line, of this process and
 * to standard error; not before one that is not written. */
START_TEST(clears)
{
    int own = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
    int status, one = 1;
    pid_t pid;

    ck_assert_int_ge(dup2(null, STDERR_FILENO), 0);
    base_log_before(clear, &one);
    base_log(BASE_LOG_WARN, "x");
    base_log(BASE_LOG_INFO, "not by default");
    pid = fork();
    if (pid == 0) {
        base_log(BASE_LOG_WARN, "x");
        _exit(cleared);
    }
    open_file(BASE_LOG_INFO);
    base_log(BASE_LOG_WARN, "x");
    unit_ok(base_log_open("syslog", BASE_LOG_INFO, &err, pool));
    base_log(BASE_LOG_WARN, "x");
    unit_ok(base_log_open("stderr", BASE_LOG_INFO, &err, pool));
    base_log_before(NULL, NULL);
    base_log(BASE_LOG_WARN, "x");
    dup2(own, STDERR_FILENO);
    close(own);
    close(null);
    ck_assert_int_eq(cleared, 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WEXITSTATUS(status), 1);
}
END_TEST

/* What is held goes elsewhere until it is not: lines of this process to
 * standard error, no others. Nothing is cleared for them. */
START_TEST(held)
{
    const char *path = apr_pstrcat(pool, unit_dir(), "/held", NULL);
    const char *errors = apr_pstrcat(pool, unit_dir(), "/errors", NULL);
    int fd = open(path, O_RDWR | O_CREAT, 0600), one = 1;
    int to = open(errors, O_RDWR | O_CREAT | O_APPEND, 0600);
    int own = dup(STDERR_FILENO);
    const char *log;
    pid_t pid;

    ck_assert_int_ge(dup2(to, STDERR_FILENO), 0);
    base_log_before(clear, &one);
    base_log_hold(fd);
    base_log(BASE_LOG_WARN, "held");
    pid = fork();
    if (pid == 0) {
        base_log(BASE_LOG_WARN, "of a child");
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    log = open_file(BASE_LOG_INFO);
    base_log(BASE_LOG_WARN, "of a file");
    unit_ok(base_log_open("stderr", BASE_LOG_INFO, &err, pool));
    ck_assert_int_eq(cleared, 0);
    base_log_hold(-1);
    base_log(BASE_LOG_WARN, "again");
    dup2(own, STDERR_FILENO);
    close(own);
    close(to);
    close(fd);
    base_log_before(NULL, NULL);
    ck_assert_int_eq(cleared, 1);
    check_line(content(path), "warn", "held");
    check_line(content(log), "warn", "of a file");
    ck_assert(strstr(content(errors), "] of a child\n") != NULL);
    check_line(strchr(content(errors), '\n') + 1, "warn", "again");
}
END_TEST

/* syslog gets the line without the time, at its own priority. */
START_TEST(to_syslog)
{
    char want[128];

    unit_ok(base_log_open("syslog", BASE_LOG_TRACE1, &err, pool));
    base_log(BASE_LOG_ERROR, "100%% of %s", "%s%n\n");
    snprintf(want, sizeof(want), "[acme:error] [pid %ld] 100%% of "
             "%%s%%n\\x0A", (long)getpid());
    ck_assert_str_eq(fault_syslog, want);
    ck_assert_int_eq(fault_syslog_priority, LOG_ERR);
    base_log(BASE_LOG_TRACE1, "x");
    ck_assert_int_eq(fault_syslog_priority, LOG_DEBUG);
    base_log(BASE_LOG_EMERG, "x");
    ck_assert_int_eq(fault_syslog_priority, LOG_EMERG);
}
END_TEST

/* Another target is a usage error, and the log stays where it was. */
START_TEST(bad_target)
{
    static const char *const bad[] = {
        "", "file:", "file", "stdout", "STDERR", "syslog:x", "/var/log/x",
        "stderr ", "pipe:x"
    };
    const char *path = open_file(BASE_LOG_INFO);
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        base_err_clear(&err);
        unit_fails(base_log_open(bad[i], BASE_LOG_INFO, &err, pool),
                   APR_EINVAL, "use stderr, syslog or file:PATH");
        ck_assert_int_eq(err.exit, BASE_EXIT_USAGE);
    }
    base_err_clear(&err);
    unit_fails(base_log_open("file:/nonexistent/log", BASE_LOG_INFO, &err,
                             pool), APR_ENOENT,
               "cannot open the log /nonexistent/log");
    base_err_clear(&err);
    unit_fails(base_log_open("file:/", BASE_LOG_INFO, &err, pool), EISDIR,
               "cannot open the log /");
    base_log(BASE_LOG_INFO, "still here");
    check_line(content(path), "info", "still here");
}
END_TEST

/* Standard error can follow that of another process, whose log was
 * rotated; a process that is not there changes nothing. */
START_TEST(follows)
{
    const char *path = apr_pstrcat(pool, unit_dir(), "/theirs", NULL);
    int own = dup(STDERR_FILENO);
    int fd, gate[2];
    pid_t pid;
    char c;

    ck_assert_int_eq(pipe(gate), 0);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        dup2(fd, STDERR_FILENO);
        close(gate[1]);
        _exit(write(STDERR_FILENO, "theirs\n", 7) == 7
              && read(gate[0], &c, 1) == 0 ? 0 : 1);
    }
    close(gate[0]);
    while (lseek(fd, 0, SEEK_END) < 7) {
        apr_sleep(1000);
    }
    ck_assert_int_eq(base_log_follow(pid), APR_SUCCESS);
    ck_assert_int_eq(write(STDERR_FILENO, "ours\n", 5), 5);
    dup2(own, STDERR_FILENO);
    ck_assert_str_eq(content(path), "theirs\nours\n");
    close(gate[1]);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(base_log_follow(pid), ENOENT);
    close(own);
    close(fd);
}
END_TEST

Suite *log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tc = unit_case(suite, "log");

    tcase_add_checked_fixture(tc, fault_clear, fault_clear);
    tcase_add_test(tc, line);
    tcase_add_loop_test(tc, levels, 0, BASE_LOG_TRACE8 + 1);
    tcase_add_test(tc, level_names);
    tcase_add_loop_test(tc, filters, 0, BASE_LOG_TRACE8 + 1);
    tcase_add_test(tc, one_line);
    tcase_add_test(tc, overlong);
    tcase_add_test(tc, appends);
    tcase_add_test(tc, link_refused);
    tcase_add_test(tc, rotated);
    tcase_add_test(tc, not_rotated);
    tcase_add_test(tc, journald);
    tcase_add_test(tc, interrupted);
    tcase_add_test(tc, full);
    tcase_add_test(tc, standard_error);
    tcase_add_test(tc, clears);
    tcase_add_test(tc, held);
    tcase_add_test(tc, to_syslog);
    tcase_add_test(tc, bad_target);
    tcase_add_test(tc, follows);
    return suite;
}
