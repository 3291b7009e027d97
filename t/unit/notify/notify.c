/* The keeper's side: nothing that a program does holds it up. */
#include "teller.h"

/* An event that is waited for is over when the program has ended. */
START_TEST(waits)
{
    unsigned int ticket;

    begin(script("hook", "sleep 1; echo done >$D/told"), NOTIFY_LIMIT);
    ticket = tell(NOTIFY_CHALLENGE_SETUP, "a.example", 1);
    ck_assert_uint_gt(ticket, 0);
    ck_assert_int_eq(notify_waits(notify, ticket), 1);
    await(ticket);
    ck_assert_str_eq(said("told"), "done\n");
    ck_assert_int_eq(notify_waits(notify, 0), 0);
    ck_assert_int_eq(notify_waits(notify, ticket + 1), 0);
}
END_TEST

/* However it ended. */
START_TEST(waits_for_failures)
{
    begin(script("hook", "exit 1"), NOTIFY_LIMIT);
    ck_assert_int_lt(await(tell(NOTIFY_CHALLENGE_SETUP, "a.example", 1)),
                     apr_time_from_sec(9));
    begin(in_dir("absent"), NOTIFY_LIMIT);
    ck_assert_int_lt(await(tell(NOTIFY_CHALLENGE_SETUP, "a.example", 1)),
                     apr_time_from_sec(9));
    notify_end(notify);
}
END_TEST

/* Other events are sent and forgotten. */
START_TEST(does_not_wait)
{
    apr_time_t start = apr_time_now();

    begin(script("hook", "exec sleep 50"), NOTIFY_LIMIT);
    ck_assert_uint_eq(tell(NOTIFY_RENEWED, "a.example", 0), 0);
    ck_assert_int_lt(apr_time_now() - start, apr_time_from_sec(9));
    notify_stop(notify);
}
END_TEST

/* A program that was too slow is not waited for in the same run, whatever
 * the event was; in the next run it is again. */
START_TEST(too_slow)
{
    unsigned int ticket;

    begin(script("hook", "[ $1 != renewing ] || exec sleep 50; sleep 0.1"),
          LIMIT);
    tell(NOTIFY_RENEWING, "a.example", 0);
    ticket = tell(NOTIFY_CHALLENGE_SETUP, "a.example", 1);
    ck_assert_int_ge(await(ticket), LIMIT / 2);
    ck_assert_uint_eq(tell(NOTIFY_CHALLENGE_SETUP, "b.example", 1), 0);
    ck_assert_ptr_nonnull(strstr(said("log"), "in this run no order waits "
                                 "for it any more"));
    begin(in_dir("hook"), LIMIT);
    ticket = tell(NOTIFY_CHALLENGE_SETUP, "a.example", 1);
    ck_assert_uint_gt(ticket, 0);
    await(ticket);
    notify_end(notify);
}
END_TEST

/* Hundreds of events of a hanging program cost one limit. */
START_TEST(many)
{
    apr_time_t start = apr_time_now();
    unsigned int tickets[300];
    int i;

    begin(script("hook", "exec sleep 50"), LIMIT);
    for (i = 0; i < 300; i++) {
        tickets[i] = tell(NOTIFY_CHALLENGE_SETUP, "a.example", 1);
    }
    for (i = 0; i < 300; i++) {
        await(tickets[i]);
    }
    ck_assert_int_lt(apr_time_now() - start, apr_time_from_sec(9));
    notify_stop(notify);
}
END_TEST

/* The end of a run comes when all is told. */
START_TEST(end)
{
    begin(script("hook", "echo $2 >>$D/told"), NOTIFY_LIMIT);
    tell(NOTIFY_RENEWED, "a.example", 0);
    tell(NOTIFY_RENEWED, "b.example", 0);
    notify_end(notify);
    ck_assert_str_eq(said("told"), "a.example\nb.example\n");
    notify_end(notify);
}
END_TEST

/* Stopped, it drops what is not told, and ends the program. */
START_TEST(stop)
{
    begin(script("hook", "echo $$ >$D/self; echo >$D/ready; exec sleep 50"),
          NOTIFY_LIMIT);
    tell(NOTIFY_RENEWED, "a.example", 0);
    tell(NOTIFY_RENEWED, "b.example", 0);
    says("ready", "\n");
    notify_stop(notify);
    is_gone(said("self"));
    notify_stop(notify);
}
END_TEST

/* Without a notifier nothing is told, and nothing waits. */
START_TEST(none)
{
    notify = notify_make(pool);
    ck_assert_uint_eq(tell(NOTIFY_CHALLENGE_SETUP, "a.example", 1), 0);
    ck_assert_int_eq(notify_waits(notify, 1), 0);
    notify_end(notify);
}
END_TEST

/* One that was killed is replaced when the next run begins. */
START_TEST(killed)
{
    unsigned int ticket;

    begin(script("hook", "echo $PPID >$D/notifier; echo >$D/ready"),
          NOTIFY_LIMIT);
    tell(NOTIFY_RENEWED, "a.example", 0);
    says("ready", "\n");
    ticket = tell(NOTIFY_CHALLENGE_SETUP, "a.example", 1);
    kill(atoi(said("notifier")), SIGKILL);
    await(ticket);
    unlink(in_dir("ready"));
    begin(in_dir("hook"), NOTIFY_LIMIT);
    tell(NOTIFY_RENEWED, "a.example", 0);
    notify_end(notify);
    ck_assert_str_eq(said("ready"), "\n");
}
END_TEST

/* Another program in the next run needs no other notifier. */
START_TEST(another_program)
{
    begin(script("hook", "echo $PPID >$D/one"), NOTIFY_LIMIT);
    await(tell(NOTIFY_CHALLENGE_SETUP, "a.example", 1));
    begin(script("other", "echo $PPID >$D/two"), NOTIFY_LIMIT);
    tell(NOTIFY_RENEWED, "a.example", 0);
    notify_end(notify);
    ck_assert_str_ne(said("one"), "");
    ck_assert_str_eq(said("one"), said("two"));
}
END_TEST

Suite *notify_suite(void);
Suite *notify_suite(void)
{
    Suite *suite = suite_create("notify");
    TCase *tc = tcase_create("notify");

    tcase_add_checked_fixture(tc, teller_setup, unit_teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, waits);
    tcase_add_test(tc, waits_for_failures);
    tcase_add_test(tc, does_not_wait);
    tcase_add_test(tc, too_slow);
    tcase_add_test(tc, many);
    tcase_add_test(tc, end);
    tcase_add_test(tc, stop);
    tcase_add_test(tc, none);
    tcase_add_test(tc, killed);
    tcase_add_test(tc, another_program);
    return suite;
}
