#include "rig.h"

#include "acme/engine.h"

#include <malloc.h>

#include <apr_strings.h>

Suite *engine_suite(void);

/* No jobs: nothing to do, nothing sent. */
START_TEST(nothing_to_do)
{
    rig_t *rig = rig_make(pool);

    rig_run(rig, rig_engine(rig));
    ck_assert_str_eq(rig->log, "");
}
END_TEST

/* A hundred orders, twenty at a time: never more are open at the CA, and a
 * place that gets free is taken at once, so that all take five times as
 * long as one. Nonces are fetched for the first twenty alone. */
START_TEST(hundred_orders)
{
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine;
    int i, requests = 0;

    rig_known(rig);
    rig->round_trip = apr_time_from_msec(50);
    engine = rig_engine(rig);
    for (i = 0; i < 100; i++) {
        ck_assert_int_eq(acme_engine_order(engine, 0, rig_job(
            rig, apr_psprintf(pool, "n%d.example", i))), i);
    }
    rig_run(rig, engine);
    for (i = 0; i < 100; i++) {
        rig_ok(&rig->results[i]);
        ck_assert_int_eq(rig->done_count[i], 1);
        requests += rig->results[i].requests;
    }
    ck_assert_int_eq(rig->open_max, 20);
    ck_assert_int_eq(requests, 100 * 7 + 20);
    ck_assert_int_eq(rig_elapsed(rig), apr_time_from_msec(50 + 5 * 7 * 50));
}
END_TEST

/* The limit is the caller's to set, for each CA by itself. */
START_TEST(limit_per_ca)
{
    static const acme_ca_t other = { .url = RIG_URL, .agreement = 1 };
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine;
    int i;

    rig_known(rig);
    rig->options.max_parallel = 3;
    engine = rig_engine(rig);
    ck_assert_int_eq(acme_engine_ca(engine, &other), 1);
    for (i = 0; i < 40; i++) {
        acme_engine_order(engine, i % 2, rig_job(rig, "a.example"));
    }
    rig_run(rig, engine);
    ck_assert_int_eq(rig->certificates, 40);
    ck_assert_int_le(rig->open_max, 6);
    ck_assert_int_ge(rig->open_max, 4);
}
END_TEST

/* A job that fails does not disturb the others. */
START_TEST(one_fails)
{
    static const rig_rule_t rules[] = {
        { .on = "new-order", .from = 3, .to = 3, .status = 403,
          .type = "rejectedIdentifier" },
        { .on = "finalize", .from = 4, .to = 4, .status = 400,
          .type = "badCSR" },
        { .on = "authz", .from = 5, .to = 5, .silent = 1 }, { 0 }
    };
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine;
    int i, ok = 0;

    rig_known(rig);
    rig->rules = rules;
    engine = rig_engine(rig);
    for (i = 0; i < 30; i++) {
        acme_engine_order(engine, 0, rig_job(rig, "a.example"));
    }
    rig_run(rig, engine);
    for (i = 0; i < 30; i++) {
        ck_assert_int_eq(rig->done_count[i], 1);
        ok += rig->results[i].err.status == APR_SUCCESS;
    }
    ck_assert_int_eq(ok, 27);
}
END_TEST

/* A job's deadline runs from its own first step, not from the start of the
 * run: the last of many slow orders has as much time as the first. */
START_TEST(deadline_from_first_step)
{
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine;
    int i;

    rig_known(rig);
    rig->options.max_parallel = 1;
    rig->options.order_deadline = apr_time_from_sec(10);
    rig->looks_processing = 6;
    engine = rig_engine(rig);
    for (i = 0; i < 10; i++) {
        acme_engine_order(engine, 0, rig_job(rig, "a.example"));
    }
    rig_run(rig, engine);
    ck_assert_int_gt(rig_elapsed(rig), apr_time_from_sec(30));
    for (i = 0; i < 10; i++) {
        rig_ok(&rig->results[i]);
        ck_assert_int_lt(rig->results[i].elapsed, apr_time_from_sec(10));
    }
}
END_TEST

static apr_status_t broken_wait(http_transport_t *transport,
                                apr_time_t until, acme_err_t *e)
{
    return base_err_set(e, APR_EBADF, BASE_EXIT_FAILED, "the loop broke");
}

/* When the transport itself breaks, run says so, and every job still gets
 * its done(), once. */
START_TEST(loop_breaks)
{
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine;
    int i;

    rig_known(rig);
    rig->transport.wait = broken_wait;
    engine = rig_engine(rig);
    for (i = 0; i < 30; i++) {
        acme_engine_order(engine, 0, rig_job(rig, "a.example"));
    }
    unit_fails(acme_engine_run(engine, &err), APR_EBADF, "the loop broke");
    for (i = 0; i < 30; i++) {
        ck_assert_int_eq(rig->done_count[i], 1);
        rig_fails(&rig->results[i], BASE_EXIT_FAILED, "the loop broke");
    }
}
END_TEST

static apr_status_t broken_submit(http_transport_t *transport,
                                  const http_request_t *request,
                                  http_done_fn *done, void *baton,
                                  acme_err_t *e, apr_pool_t *p)
{
    return APR_ENOMEM;
}

/* A request that cannot even be started fails its job. */
START_TEST(submit_fails)
{
    rig_t *rig = rig_make(pool);

    rig->transport.submit = broken_submit;
    rig_fails(rig_order(rig, "a.example"), BASE_EXIT_FAILED,
              "the request to https://ca.example/dir could not be sent");
}
END_TEST

/* Timers fire when they are due, the earliest first, those of one moment in
 * the order in which they were started; a stopped one does not fire. */
static char fired[8];
static void fire(void *baton)
{
    strncat(fired, baton, 1);
}

START_TEST(timers)
{
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine = rig_engine(rig);
    acme_timer_t a = { .fire = fire, .baton = "a" };
    acme_timer_t b = { .fire = fire, .baton = "b" };
    acme_timer_t c = { .fire = fire, .baton = "c" };
    acme_timer_t d = { .fire = fire, .baton = "d" };

    fired[0] = '\0';
    acme_timer_start(engine, &a, 20);
    acme_timer_start(engine, &b, 10);
    acme_timer_start(engine, &c, 20);
    acme_timer_start(engine, &d, 5);
    acme_timer_start(engine, &a, 20);
    acme_timer_stop(&d);
    acme_timer_stop(&d);
    rig_run(rig, engine);
    ck_assert_str_eq(fired, "");
    base_clock_advance(rig->clock, 19);
    rig_run(rig, engine);
    ck_assert_str_eq(fired, "b");
    base_clock_advance(rig->clock, 1);
    rig_run(rig, engine);
    ck_assert_str_eq(fired, "bca");
}
END_TEST

/* What an order of so many looks takes from the system, bytes. */
static long bytes_taken(int looks)
{
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine;
    size_t before;

    rig_known(rig);
    rig->quiet = 1;
    rig->options.order_deadline = apr_time_from_sec(40000);
    rig->looks_pending = looks;
    engine = rig_engine(rig);
    acme_engine_order(engine, 0, rig_job(rig, "a.example"));
    before = mallinfo2().uordblks;
    rig_run(rig, engine);
    rig_ok(&rig->results[0]);
    ck_assert_int_ge(rig_count(rig, "order"), looks);
    return (long)(mallinfo2().uordblks - before);
}

/* Memory does not grow with the number of looks: what three thousand of
 * them take more than ten are the nonces in the rig's own books. */
START_TEST(memory_is_bounded)
{
    long few = bytes_taken(10);

    ck_assert_int_lt(bytes_taken(3000) - few, 256 * 1024);
}
END_TEST

Suite *engine_suite(void)
{
    Suite *suite = suite_create("acme/engine");
    TCase *tc = unit_case(suite, "engine");

    tcase_add_test(tc, nothing_to_do);
    tcase_add_test(tc, hundred_orders);
    tcase_add_test(tc, limit_per_ca);
    tcase_add_test(tc, one_fails);
    tcase_add_test(tc, deadline_from_first_step);
    tcase_add_test(tc, loop_breaks);
    tcase_add_test(tc, submit_fails);
    tcase_add_test(tc, timers);
    tcase_add_test(tc, memory_is_bounded);
    return suite;
}
