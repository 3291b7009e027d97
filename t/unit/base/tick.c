/*
 * tick.c: tests of support/base/tick.c.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static int ticks;
static int *counted = &ticks;

static void count(void *baton)
{
    ++*(int *)baton;
}

static void forget(void)
{
    base_tick_set(NULL, NULL);
    ticks = 0;
}

/* Who waits calls what was set, until nothing is. */
START_TEST(called)
{
    base_tick();
    ck_assert_int_eq(ticks, 0);
    base_tick_set(count, counted);
    base_tick();
    base_tick();
    ck_assert_int_eq(ticks, 2);
    base_tick_set(NULL, NULL);
    base_tick();
    ck_assert_int_eq(ticks, 2);
}
END_TEST

/* A child does not tell what its parent does. */
START_TEST(not_in_children)
{
    int status;
    pid_t pid;

    base_tick_set(count, counted);
    pid = fork();
    if (pid == 0) {
        base_tick();
        base_tick_poll(NULL, 0, 10);
        _exit(ticks);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* A long wait ticks some times a second; one that nobody watches does not
 * wake up for it. */
START_TEST(long_wait)
{
    base_clock_t *clock = base_clock_system();
    apr_time_t begin = clock->mono(clock);

    base_tick_set(count, counted);
    ck_assert_int_eq(base_tick_poll(NULL, 0, 600), 0);
    ck_assert_int_eq(ticks, 3);
    ck_assert_int_ge(clock->mono(clock) - begin, apr_time_from_msec(590));
    base_tick_set(NULL, NULL);
    ck_assert_int_eq(base_tick_poll(NULL, 0, 10), 0);
    ck_assert_int_eq(base_tick_poll(NULL, 0, 0), 0);
    ck_assert_int_eq(ticks, 3);
}
END_TEST

/* What is waited for ends the wait, be it there at once or later; so does
 * what cannot be waited for. */
START_TEST(ready)
{
    struct pollfd pfd = { -1, POLLIN, 0 };
    int fds[2];
    pid_t pid;

    base_tick_set(count, counted);
    ck_assert_int_eq(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        apr_sleep(apr_time_from_msec(400));
        _exit(write(fds[1], "x", 1) == 1 ? 0 : 1);
    }
    pfd.fd = fds[0];
    ck_assert_int_eq(base_tick_poll(&pfd, 1, -1), 1);
    ck_assert_int_ge(ticks, 1);
    ticks = 0;
    ck_assert_int_eq(base_tick_poll(&pfd, 1, 60000), 1);
    ck_assert_int_eq(base_tick_poll(&pfd, 1, 0), 1);
    ck_assert_int_eq(ticks, 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    close(fds[0]);
    close(fds[1]);
    ck_assert_int_eq(base_tick_poll(&pfd, 1, -1), 1);
    ck_assert_int_eq(pfd.revents, POLLNVAL);
}
END_TEST

Suite *tick_suite(void)
{
    Suite *suite = suite_create("tick");
    TCase *tc = unit_case(suite, "tick");

    tcase_add_checked_fixture(tc, forget, forget);
    tcase_add_test(tc, called);
    tcase_add_test(tc, not_in_children);
    tcase_add_test(tc, long_wait);
    tcase_add_test(tc, ready);
    return suite;
}
