/* One program, from its start to its end. */
#include "rig.h"

#include <pwd.h>
#include <sys/wait.h>

static notify_run_t run;

static int start(const char *path, apr_interval_time_t limit)
{
    static const char *const env[] = { "PATH=/usr/bin:/bin", "X=1", NULL };
    const char *argv[] = { path, "a", "two words", "$(reboot)", NULL };

    return notify_run_start(&run, "renewed a.example", argv, env, "nobody",
                            limit);
}

static notify_state_t finish(void)
{
    notify_state_t state;

    while ((state = notify_run_look(&run)) == NOTIFY_RUNNING) {
        apr_sleep(2000);
    }
    return state;
}

/* Run text to its end. */
static notify_state_t finish_script(const char *text,
                                    apr_interval_time_t limit)
{
    ck_assert_int_eq(start(script("hook", text), limit), 0);
    return finish();
}

static const char *end_text(notify_state_t state)
{
    return notify_run_end_text(&run, state, apr_palloc(pool, 1000), 1000);
}

/* It is given its arguments and its environment, and nothing else. */
START_TEST(is_given)
{
    ck_assert_int_eq(finish_script(
        "printf '%s\\n' \"$@\" >$D/args; env | grep -v -e ^PWD -e ^_ "
        "-e ^OLDPWD -e ^SHLVL | sort >$D/env; pwd >$D/pwd; umask >$D/umask; "
        "ls /proc/self/fd | wc -l >$D/fds; readlink /proc/$$/fd/0 >$D/null; "
        "cut -d' ' -f5,6 /proc/$$/stat >$D/ids; echo $$ $$ >$D/pid",
        NOTIFY_LIMIT), NOTIFY_ENDED);
    ck_assert_int_eq(run.status, 0);
    ck_assert_str_eq(said("args"), "a\ntwo words\n$(reboot)\n");
    ck_assert_str_eq(said("env"), "PATH=/usr/bin:/bin\nX=1\n");
    ck_assert_str_eq(said("pwd"), "/\n");
    ck_assert_str_eq(said("umask"), "0022\n");
    ck_assert_str_eq(said("null"), "/dev/null\n");
    /* The leader of its own group and session. */
    ck_assert_str_eq(said("ids"), said("pid"));
    /* 0, 1, 2 and the directory that ls reads. */
    ck_assert_int_eq(atoi(said("fds")), 4);
}
END_TEST

/* Nothing that this process has open reaches it, however it was opened. */
START_TEST(inherits_no_descriptor)
{
    int fd = open("/dev/zero", O_RDONLY);

    ck_assert_int_ge(fcntl(fd, F_DUPFD, 200), 200);
    finish_script("ls -l /proc/$$/fd | grep -c zero >$D/zero", NOTIFY_LIMIT);
    ck_assert_str_eq(said("zero"), "0\n");
}
END_TEST

/* Signals that are ignored or blocked here are not there. */
START_TEST(signals_are_reset)
{
    sigset_t set;

    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    finish_script("grep -E '^Sig(Blk|Ign)' /proc/self/status >$D/signals",
                  NOTIFY_LIMIT);
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    ck_assert_str_eq(said("signals"), "SigBlk:\t0000000000000000\n"
                     "SigIgn:\t0000000000000000\n");
}
END_TEST

/* It runs as the unprivileged user, where we are root. */
START_TEST(user)
{
    const struct passwd *pw = getpwnam("nobody");

    if (geteuid() == 0 && pw) {
        finish_script("id -u >$D/uid; id -G >$D/gids", NOTIFY_LIMIT);
        ck_assert_int_eq(atoi(said("uid")), (int)pw->pw_uid);
        ck_assert_str_eq(said("gids"), apr_psprintf(pool, "%d\n",
                                                    (int)pw->pw_gid));
    }
}
END_TEST

/* How it ended is told, with the last line of what it said. */
START_TEST(ends)
{
    ck_assert_int_eq(finish_script("echo first; echo; echo last >&2; echo; "
                                   "exit 3", NOTIFY_LIMIT), NOTIFY_ENDED);
    ck_assert_str_eq(end_text(NOTIFY_ENDED),
                     "ended with status 3: last");
    unlink(in_dir("hook"));
    finish_script("printf unfinished; kill -9 $$", NOTIFY_LIMIT);
    ck_assert_str_eq(end_text(NOTIFY_ENDED),
                     "was killed by signal 9: unfinished");
    unlink(in_dir("hook"));
    finish_script("exit 0", NOTIFY_LIMIT);
    ck_assert_str_eq(end_text(NOTIFY_ENDED), "ended with status 0");
}
END_TEST

/* One that cannot be run says why. */
START_TEST(cannot_be_run)
{
    const char *text = "no magic number\n";

    ck_assert_int_eq(start(in_dir("absent"), NOTIFY_LIMIT), 0);
    ck_assert_str_eq(end_text(finish()), "ended with status 127: it cannot "
                     "be run: No such file or directory");
    /* No shell takes it instead. */
    unit_ok(base_file_create(in_dir("text"), text, strlen(text), 0700,
                             &err));
    ck_assert_int_eq(chmod(in_dir("text"), 0755), 0);
    ck_assert_int_eq(start(in_dir("text"), NOTIFY_LIMIT), 0);
    ck_assert_str_eq(end_text(finish()), "ended with status 127: it cannot "
                     "be run: Exec format error");
}
END_TEST

/* One that is too slow gets SIGTERM, and may end in order. */
START_TEST(too_slow)
{
    ck_assert_int_eq(finish_script("trap 'echo good-bye; exit 0' TERM; "
                                   "while :; do sleep 0.1; done", LIMIT),
                     NOTIFY_OVERDUE);
    ck_assert_str_eq(end_text(NOTIFY_OVERDUE), "did not end in time and was "
                     "killed: good-bye");
}
END_TEST

/* One that ignores that is killed, with all that it started; that they hold
 * its output open holds nobody up. */
START_TEST(stubborn)
{
    ck_assert_int_eq(finish_script("trap '' TERM; sleep 50 & echo $! "
                                   ">$D/child; echo $$ >$D/self; sleep 60",
                                   LIMIT), NOTIFY_OVERDUE);
    is_gone(said("child"));
    is_gone(said("self"));
    ck_assert_int_eq(run.pid, 0);
    ck_assert_int_eq(run.fd, -1);
}
END_TEST

/* What it leaves behind in its group is killed when it ends; its output is
 * not waited for. */
START_TEST(leaves_children)
{
    apr_time_t begin = apr_time_now();

    ck_assert_int_eq(finish_script("sleep 50 & echo $! >$D/child",
                                   NOTIFY_LIMIT), NOTIFY_ENDED);
    ck_assert_int_lt(apr_time_now() - begin, apr_time_from_sec(9));
    is_gone(said("child"));
}
END_TEST

/* A flood keeps nobody from the limit, and of it twenty lines are logged,
 * each cut and escaped. */
START_TEST(flood)
{
    const char *log;
    int lines = 0;

    log_here();
    ck_assert_int_eq(finish_script("printf '\\033[2J%s\\n' "
        "$(head -c 600 /dev/zero | tr '\\0' x); exec yes yyyy", LIMIT),
        NOTIFY_OVERDUE);
    log = said("log");
    ck_assert_ptr_nonnull(strstr(log, "ACMENotify: renewed a.example: "
                                 "\\x1B[2Jxxx"));
    ck_assert_ptr_null(strchr(log, '\033'));
    ck_assert_ptr_nonnull(strstr(log, " more lines were dropped"));
    while ((log = strstr(log, ": yyyy\n")) != NULL) {
        log++;
        lines++;
    }
    ck_assert_int_eq(lines, 19);
    ck_assert_uint_lt(strlen(said("log")), 4000);
}
END_TEST

/* It can be ended at any time. */
START_TEST(stop)
{
    ck_assert_int_eq(start(script("hook", "sleep 50 & echo $! >$D/child; "
                                  "echo >$D/ready; trap '' TERM; wait"),
                           NOTIFY_LIMIT), 0);
    says("ready", "\n");
    notify_run_stop(&run);
    is_gone(said("child"));
    ck_assert_int_eq(run.pid, 0);
    notify_run_stop(&run);
}
END_TEST

Suite *run_suite(void);
Suite *run_suite(void)
{
    Suite *suite = suite_create("run");
    TCase *tc = tcase_create("run");

    tcase_add_checked_fixture(tc, rig_setup, unit_teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, is_given);
    tcase_add_test(tc, inherits_no_descriptor);
    tcase_add_test(tc, signals_are_reset);
    tcase_add_test(tc, user);
    tcase_add_test(tc, ends);
    tcase_add_test(tc, cannot_be_run);
    tcase_add_test(tc, too_slow);
    tcase_add_test(tc, stubborn);
    tcase_add_test(tc, leaves_children);
    tcase_add_test(tc, flood);
    tcase_add_test(tc, stop);
    return suite;
}
