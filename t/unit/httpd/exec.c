/* Running a program: what it gets, what is kept of what it prints, how it
 * is ended. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "httpd/rig.h"
#include "unit.h"

#define SECOND APR_USEC_PER_SEC

static httpd_output_t output;

/** Run a script of this body. */
static apr_status_t run(const char *body, apr_interval_time_t deadline,
                        apr_size_t max)
{
    const char *argv[] = { NULL, "first", "second word", NULL };

    argv[0] = rig_script(rig_dir(pool), "program", body, pool);
    return httpd_exec(&output, argv, deadline, max, &err, pool);
}

/* Output, complaints and exit status are told apart. */
START_TEST(both_streams)
{
    unit_ok(run("echo out; echo err >&2; exit 7", 20 * SECOND, 100));
    ck_assert_str_eq(output.out, "out\n");
    ck_assert_uint_eq(output.out_len, 4);
    ck_assert_str_eq(output.err, "err\n");
    ck_assert_int_eq(output.status, 7);
}
END_TEST

/* A silent program leaves empty texts, not NULL. */
START_TEST(silence)
{
    unit_ok(run("exit 0", 20 * SECOND, 100));
    ck_assert_str_eq(output.out, "");
    ck_assert_uint_eq(output.out_len, 0);
    ck_assert_str_eq(output.err, "");
    ck_assert_int_eq(output.status, 0);
}
END_TEST

/* Arguments arrive as they are: no shell splits or expands them. */
START_TEST(arguments)
{
    unit_ok(run("printf '%s|' \"$@\"", 20 * SECOND, 100));
    ck_assert_str_eq(output.out, "first|second word|");
}
END_TEST

/* It leads a session of its own, which has no terminal: nothing can ask. */
START_TEST(no_terminal)
{
    unit_ok(run("read pid name state parent group session tty rest "
                "</proc/$$/stat; [ $pid = $session ] && echo $tty",
                20 * SECOND, 100));
    ck_assert_str_eq(output.out, "0\n");
}
END_TEST

/* The program reads nothing from us. */
START_TEST(stdin_is_empty)
{
    unit_ok(run("cat; echo end", 20 * SECOND, 100));
    ck_assert_str_eq(output.out, "end\n");
}
END_TEST

/* The program inherits the three standard descriptors and no other, not
 * even one that was opened without close-on-exec. */
START_TEST(no_other_descriptor)
{
    int leak = open("/dev/null", O_RDONLY);
    int far = fcntl(leak, F_DUPFD, 200);

    ck_assert_int_ge(leak, 0);
    ck_assert_int_ge(far, 200);
    /* 10 and above are the shell's own, for its script. */
    unit_ok(run("for fd in 3 4 5 6 7 8 9 200; do\n"
                "  [ -e /proc/$$/fd/$fd ] && echo open $fd\n"
                "done; exit 0", 20 * SECOND, 100));
    ck_assert_str_eq(output.out, "");
    close(leak);
    close(far);
}
END_TEST

/* The environment is the caller's: envvars belong to the configuration. */
START_TEST(environment)
{
    setenv("APACHE_RUN_DIR", "/run/unit test", 1);
    unit_ok(run("echo \"$APACHE_RUN_DIR\"", 20 * SECOND, 100));
    ck_assert_str_eq(output.out, "/run/unit test\n");
}
END_TEST

/* Signals that we ignore or block are not ignored or blocked in it. */
START_TEST(signals_are_reset)
{
    sigset_t set;

    signal(SIGTERM, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    unit_ok(run("kill -TERM $$; echo alive", 20 * SECOND, 100));
    ck_assert_str_eq(output.out, "");
    ck_assert_int_eq(output.status, 128 + SIGTERM);
}
END_TEST

/* An ignored SIGCHLD, inherited from whoever started us, costs no status. */
START_TEST(sigchld_ignored)
{
    signal(SIGCHLD, SIG_IGN);
    unit_ok(run("exit 5", 20 * SECOND, 100));
    ck_assert_int_eq(output.status, 5);
}
END_TEST

/* A program that is killed has 128 and its signal as status. */
START_TEST(killed)
{
    unit_ok(run("kill -SEGV $$", 20 * SECOND, 100));
    ck_assert_int_eq(output.status, 128 + SIGSEGV);
}
END_TEST

/* What does not exist or may not be run is an error with its name. */
START_TEST(not_runnable)
{
    const char *argv[] = { "/nonexistent/httpd", NULL };

    unit_fails(httpd_exec(&output, argv, SECOND, 10, &err, pool),
               APR_ENOENT, "cannot run /nonexistent/httpd: No such file or "
               "directory; name the right program with --httpd");
    base_err_clear(&err);
    argv[0] = rig_file(rig_dir(pool), "text", "no program", pool);
    unit_fails(httpd_exec(&output, argv, SECOND, 10, &err, pool),
               EACCES, "Permission denied");
    base_err_clear(&err);
    ck_assert_int_eq(chmod(argv[0], 0700), 0);
    unit_fails(httpd_exec(&output, argv, SECOND, 10, &err, pool),
               ENOEXEC, "Exec format error");
}
END_TEST

/* Output up to max is kept; one byte more stops the program. */
START_TEST(output_limit)
{
    unit_ok(run("printf 12345", 20 * SECOND, 5));
    ck_assert_str_eq(output.out, "12345");
    unit_fails(run("printf 123456; sleep 60", 20 * SECOND, 5), APR_EINVAL,
               "printed more than 5 bytes");
    ck_assert_str_eq(output.out, "12345");
    base_err_clear(&err);
    unit_fails(run("yes", 20 * SECOND, 1000), APR_EINVAL, "printed more");
}
END_TEST

/* Complaints are cut at 64 KiB and never block or fill us. */
START_TEST(complaint_limit)
{
    unit_ok(run("yes complaint | head -c 1000000 >&2; echo done",
                20 * SECOND, 100));
    ck_assert_str_eq(output.out, "done\n");
    ck_assert_uint_eq(strlen(output.err), 64 * 1024);
    unit_fails(run("yes >&2", SECOND / 2, 100), APR_TIMEUP, "was killed");
}
END_TEST

/* Large output comes whole. */
START_TEST(large_output)
{
    unit_ok(run("yes 0123456789abcde | head -c 3200000", 20 * SECOND,
                4000000));
    ck_assert_uint_eq(output.out_len, 3200000);
    ck_assert_int_eq(memcmp(output.out + 3199984, "0123456789abcde\n", 17),
                     0);
}
END_TEST

/** 1 if the process that wrote its id to path is gone within 5 s. */
static int is_gone(const char *path)
{
    char *text;
    apr_size_t len;
    int i;

    unit_ok(base_file_read(&text, &len, path, 100, &err, pool));
    for (i = 0; i < 500; i++) {
        const char *stat = apr_psprintf(pool, "/proc/%s/stat", text);
        char *line;
        acme_err_t ignored = { 0 };

        if (base_file_read(&line, &len, stat, 4096, &ignored, pool)
            != APR_SUCCESS || strstr(line, ") Z ")) {
            return 1;
        }
        usleep(10000);
    }
    return 0;
}

/* At the deadline the program is killed with what it has started. */
START_TEST(deadline)
{
    const char *file = rig_path(rig_dir(pool), "child", pool);
    base_clock_t *clock = base_clock_system();
    apr_time_t start = clock->mono(clock);

    unit_fails(run(apr_psprintf(pool, "sleep 60 & printf %%s $! >%s; "
                                "echo begun; trap '' TERM; wait", file),
                   SECOND, 100), APR_TIMEUP,
               "did not end within 1.0 s and was killed");
    ck_assert_int_lt(clock->mono(clock) - start, 20 * SECOND);
    ck_assert_str_eq(output.out, "begun\n");
    ck_assert_int_eq(output.status, 128 + SIGKILL);
    ck_assert(is_gone(file));
}
END_TEST

/* A program that closes its output and runs on has a deadline, too. */
START_TEST(deadline_after_closing)
{
    unit_fails(run("exec >&- 2>&-; sleep 60", SECOND / 2, 100), APR_TIMEUP,
               "was killed");
}
END_TEST

/* A program is over when it ends, even if something that it left behind
 * keeps its output open. */
START_TEST(left_behind)
{
    const char *file = rig_path(rig_dir(pool), "child", pool);
    char *text;
    apr_size_t len;

    unit_ok(run(apr_psprintf(pool, "sleep 30 & printf %%s $! >%s; echo ok",
                             file), 20 * SECOND, 100));
    ck_assert_str_eq(output.out, "ok\n");
    ck_assert_int_eq(output.status, 0);
    unit_ok(base_file_read(&text, &len, file, 100, &err, pool));
    kill((pid_t)strtol(text, NULL, 10), SIGKILL);
}
END_TEST

/* Running leaves no descriptor behind. */
START_TEST(no_leak)
{
    int before = dup(0);
    int after;
    int i;

    close(before);
    for (i = 0; i < 5; i++) {
        const char *argv[] = { "/nonexistent", NULL };

        unit_ok(run("echo x", 20 * SECOND, 100));
        httpd_exec(&output, argv, SECOND, 10, &err, pool);
        base_err_clear(&err);
    }
    after = dup(0);
    close(after);
    ck_assert_int_eq(after, before);
}
END_TEST

Suite *exec_suite(void)
{
    Suite *suite = suite_create("httpd/exec");
    TCase *tc = unit_case(suite, "exec");

    tcase_add_test(tc, both_streams);
    tcase_add_test(tc, silence);
    tcase_add_test(tc, arguments);
    tcase_add_test(tc, no_terminal);
    tcase_add_test(tc, stdin_is_empty);
    tcase_add_test(tc, no_other_descriptor);
    tcase_add_test(tc, environment);
    tcase_add_test(tc, signals_are_reset);
    tcase_add_test(tc, sigchld_ignored);
    tcase_add_test(tc, killed);
    tcase_add_test(tc, not_runnable);
    tcase_add_test(tc, output_limit);
    tcase_add_test(tc, complaint_limit);
    tcase_add_test(tc, large_output);
    tcase_add_test(tc, deadline);
    tcase_add_test(tc, deadline_after_closing);
    tcase_add_test(tc, left_behind);
    tcase_add_test(tc, no_leak);
    return suite;
}
