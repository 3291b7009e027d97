/* The process that runs the program, for one event after the other. */
#include "teller.h"

#define TELL "echo $1 $2 >>$D/told"

/* Events are told one after the other, in their order. */
START_TEST(in_order)
{
    begin(script("hook", "echo begin $1 $2 >>$D/told; sleep 0.05; "
                 "echo end >>$D/told"), NOTIFY_LIMIT);
    tell(NOTIFY_RENEWED, "a.example", 0);
    tell(NOTIFY_INSTALLED, "a.example", 0);
    tell(NOTIFY_RENEWED, "b.example", 0);
    notify_end(notify);
    ck_assert_str_eq(said("told"), "begin renewed a.example\nend\n"
                     "begin installed a.example\nend\n"
                     "begin renewed b.example\nend\n");
}
END_TEST

/* One that an order waits for overtakes those of other certificates, never
 * one of its own. */
START_TEST(awaited_first)
{
    begin(script("hook", TELL "; while [ ! -e $D/go ]; do sleep 0.01; done"),
          NOTIFY_LIMIT);
    tell(NOTIFY_RENEWED, "first.example", 0);
    says("told", "renewed first.example\n");
    tell(NOTIFY_RENEWED, "a.example", 0);
    tell(NOTIFY_RENEWING, "b.example", 0);
    tell(NOTIFY_INSTALLED, "a.example", 0);
    tell(NOTIFY_CHALLENGE_SETUP, "b.example", 1);
    tell(NOTIFY_CHALLENGE_SETUP, "c.example", 1);
    unit_ok(base_file_create(in_dir("go"), "", 0, 0600, &err));
    notify_end(notify);
    ck_assert_str_eq(said("told"), "renewed first.example\n"
                     "renewing b.example\nchallenge-setup b.example\n"
                     "challenge-setup c.example\n"
                     "renewed a.example\ninstalled a.example\n");
}
END_TEST

/* A program that is too slow three times in a row is not asked for what
 * waits then; later it has one more chance. */
START_TEST(strikes)
{
    int i;

    begin(script("hook", TELL "; exec sleep 50"), LIMIT);
    for (i = 0; i < 10; i++) {
        tell(NOTIFY_RENEWED, "a.example", 0);
    }
    for (i = 0; i < 1000 && !strstr(said("log"), "dropped"); i++) {
        apr_sleep(10000);
    }
    ck_assert_ptr_nonnull(strstr(said("log"), "ACMENotify: the program was "
                                 "too slow 3 times in a row: 7 events that "
                                 "wait for it are dropped"));
    tell(NOTIFY_INSTALLED, "b.example", 0);
    tell(NOTIFY_INSTALLED, "c.example", 0);
    notify_end(notify);
    ck_assert_str_eq(said("told"), "renewed a.example\nrenewed a.example\n"
                     "renewed a.example\ninstalled b.example\n");
    ck_assert_ptr_nonnull(strstr(said("log"), " 1 events that wait"));
}
END_TEST

/* A failure is one line of the log; a success is none. */
START_TEST(failures_are_logged)
{
    const char *log;

    begin(script("hook", "[ $1 = renewed ] || { echo why; exit 4; }"),
          NOTIFY_LIMIT);
    tell(NOTIFY_RENEWED, "a.example", 0);
    tell(NOTIFY_INSTALLED, "a.example", 0);
    notify_end(notify);
    log = said("log");
    ck_assert_ptr_null(strstr(log, "renewed"));
    log = strstr(log, "acme:warn");
    ck_assert_ptr_nonnull(log);
    ck_assert_ptr_nonnull(strstr(log, apr_psprintf(pool,
        "ACMENotify: installed a.example: %s ended with status 4: why\n",
        in_dir("hook"))));
    ck_assert_ptr_null(strstr(log + 1, "acme:warn"));
}
END_TEST

/* It holds its socket and the log open, and nothing else of its parent's:
 * no lock, which would live as long as it does. */
START_TEST(holds_nothing)
{
    base_lock_t *lock;
    base_lock_t *again;

    unit_ok(base_lock_take(&lock, in_dir("lock"), "unit", 0, &err, pool));
    begin(script("hook", "exec sleep 50"),
          NOTIFY_LIMIT);
    tell(NOTIFY_RENEWED, "a.example", 0);
    base_lock_release(lock);
    unit_ok(base_lock_take(&again, in_dir("lock"), "unit", 0, &err, pool));
    notify_stop(notify);
}
END_TEST

/* A keeper that is killed takes it along, and the program, and what that
 * started. */
START_TEST(keeper_killed)
{
    pid_t keeper = fork();

    if (keeper == 0) {
        begin(script("hook", "trap '' TERM; sleep 50 & echo $! >$D/child; "
                     "echo $$ >$D/self; echo $PPID >$D/notifier; "
                     "echo >$D/ready; wait"), NOTIFY_LIMIT);
        tell(NOTIFY_RENEWED, "a.example", 0);
        apr_sleep(apr_time_from_sec(50));
        _exit(0);
    }
    says("ready", "\n");
    kill(keeper, SIGKILL);
    is_gone(said("notifier"));
    is_gone(said("self"));
    is_gone(said("child"));
}
END_TEST

/* Killed itself, it takes the program along. */
START_TEST(killed)
{
    begin(script("hook", "echo $PPID >$D/notifier; echo $$ >$D/self; "
                 "echo >$D/ready; exec sleep 50"), NOTIFY_LIMIT);
    tell(NOTIFY_RENEWED, "a.example", 0);
    says("ready", "\n");
    kill(atoi(said("notifier")), SIGKILL);
    is_gone(said("self"));
    notify_end(notify);
}
END_TEST

Suite *notifier_suite(void);
Suite *notifier_suite(void)
{
    Suite *suite = suite_create("notifier");
    TCase *tc = tcase_create("notifier");

    tcase_add_checked_fixture(tc, teller_setup, unit_teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, in_order);
    tcase_add_test(tc, awaited_first);
    tcase_add_test(tc, strikes);
    tcase_add_test(tc, failures_are_logged);
    tcase_add_test(tc, holds_nothing);
    tcase_add_test(tc, keeper_killed);
    tcase_add_test(tc, killed);
    return suite;
}
