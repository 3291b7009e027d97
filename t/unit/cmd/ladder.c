/* ladder.c: waits after failures, and whose turn it is. */
#include "unit.h"

#include "cmd/internal.h"

#define MINUTE apr_time_from_sec(60)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* 2026-11-23T12:00:00Z */
#define NOW apr_time_from_sec(APR_INT64_C(1795435200))

static const char *text(apr_time_t t)
{
    return base_time_text(t, pool);
}

static json_t *own(json_t *json)
{
    ck_assert_ptr_nonnull(json);
    return base_json_own(json, pool);
}

static json_t *ledger_make(void)
{
    return own(json_pack("{s:s, s:{}}", "schema", "acme-ledger/1",
                         "certificates"));
}

static json_t *entry_of(json_t *ledger)
{
    return json_object_get(json_object_get(ledger, "certificates"),
                           "a.test");
}

/** Record one failure of a.test at now. */
static void fail_at(json_t *ledger, apr_time_t now, apr_time_t retry_at)
{
    base_err_clear(&err);
    base_err_set(&err, APR_EGENERAL, BASE_EXIT_FAILED, "the CA is ill");
    err.retry_at = retry_at;
    cmd_ledger_record(ledger, "a.test", &err, now, pool);
    base_err_clear(&err);
}

static void succeed_at(json_t *ledger, apr_time_t now)
{
    base_err_clear(&err);
    cmd_ledger_record(ledger, "a.test", &err, now, pool);
}

/** How long the ladder holds a.test back. */
static apr_interval_time_t held(json_t *ledger, apr_time_t now)
{
    return cmd_held_until(entry_of(ledger), "next_try", now) - now;
}

/* ----------------------------------------------------------------- waits */

/* The waits are 1, 10 and 100 minutes, then a day for ever. */
START_TEST(rungs)
{
    const apr_interval_time_t expected[] = {
        MINUTE, 10 * MINUTE, 100 * MINUTE, DAY, DAY, DAY
    };
    int i;

    for (i = 0; i < 6; i++) {
        apr_interval_time_t wait = cmd_ladder_wait(i + 1, 0x80000000u);

        ck_assert_int_eq(wait, expected[i]);
    }
}
END_TEST

/* A wait is never less than 75 % nor more than 125 % of its rung, and both
 * ends are reached. */
START_TEST(jitter)
{
    const apr_interval_time_t steps[] = {
        MINUTE, 10 * MINUTE, 100 * MINUTE, DAY
    };
    apr_uint32_t random;
    int i;

    for (i = 0; i < 4; i++) {
        apr_interval_time_t least = steps[i] / 4 * 3;
        apr_interval_time_t most = steps[i] / 4 * 5;

        ck_assert_int_eq(cmd_ladder_wait(i + 1, 0), least);
        ck_assert_int_gt(cmd_ladder_wait(i + 1, APR_UINT32_MAX),
                         most - steps[i] / 1000);
        for (random = 0; random < APR_UINT32_MAX - 99999; random += 99991) {
            apr_interval_time_t wait = cmd_ladder_wait(i + 1, random);

            ck_assert_int_ge(wait, least);
            ck_assert_int_lt(wait, most);
        }
    }
}
END_TEST

/* No number of failures, real or written by hand, leads to a wait that is
 * zero, negative or longer than the last rung's. */
START_TEST(any_number)
{
    const json_int_t numbers[] = {
        0, -1, 5, 31, 32, 33, 63, 64, 65, 1000000, 2147483647, 2147483648,
        INT64_MAX, INT64_MIN
    };
    size_t i;

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        apr_interval_time_t wait = cmd_ladder_wait(numbers[i],
                                                   APR_UINT32_MAX);

        ck_assert_int_ge(wait, MINUTE / 4 * 3);
        ck_assert_int_le(wait, DAY / 4 * 5);
    }
}
END_TEST

/* A million failures in a row, recorded one by one, a few more after that:
 * the counter stays where it is, and each wait is one of the ladder's. */
START_TEST(million)
{
    json_t *ledger = ledger_make();
    apr_pool_t *main_pool = pool;
    apr_pool_t *iterpool;
    apr_time_t now = NOW;
    int i;

    apr_pool_create(&iterpool, pool);
    pool = iterpool;
    for (i = 1; i <= CMD_FAILURES_MAX + 10; i++) {
        apr_interval_time_t wait;

        fail_at(ledger, now, 0);
        wait = held(ledger, now);
        ck_assert_int_gt(wait, MINUTE / 4 * 3 - APR_USEC_PER_SEC);
        ck_assert_int_le(wait, DAY / 4 * 5);
        now += 2 * APR_USEC_PER_SEC;
        apr_pool_clear(iterpool);
    }
    pool = main_pool;
    ck_assert_int_eq(cmd_failures(entry_of(ledger)), CMD_FAILURES_MAX);
}
END_TEST

/* A counter that was edited by hand is taken for the nearest that makes
 * sense. */
START_TEST(edited_counter)
{
    ck_assert_int_eq(cmd_failures(NULL), 0);
    ck_assert_int_eq(cmd_failures(own(json_object())), 0);
    ck_assert_int_eq(cmd_failures(own(json_pack("{s:i}", "failures", -3))),
                     0);
    ck_assert_int_eq(cmd_failures(own(json_pack("{s:I}", "failures",
                                                (json_int_t)INT64_MAX))),
                     CMD_FAILURES_MAX);
    ck_assert_int_eq(cmd_failures(own(json_pack("{s:s}", "failures",
                                                "many"))), 0);
}
END_TEST

/* ---------------------------------------------------------------- ledger */

/* Failures climb the ladder; a success begins it anew. */
START_TEST(success_resets)
{
    json_t *ledger = ledger_make();

    fail_at(ledger, NOW, 0);
    fail_at(ledger, NOW, 0);
    fail_at(ledger, NOW, 0);
    ck_assert_int_gt(held(ledger, NOW), 70 * MINUTE);
    succeed_at(ledger, NOW);
    ck_assert_int_eq(cmd_failures(entry_of(ledger)), 0);
    ck_assert_int_eq(cmd_held_until(entry_of(ledger), "next_try", NOW), 0);
    ck_assert_ptr_null(json_object_get(entry_of(ledger), "last_error"));
    fail_at(ledger, NOW, 0);
    ck_assert_int_lt(held(ledger, NOW), 2 * MINUTE);
}
END_TEST

/* What the CA asked for is kept apart from what the ladder says, and a
 * later failure without it takes it away. */
START_TEST(ca_apart)
{
    json_t *ledger = ledger_make();
    json_t *entry;

    fail_at(ledger, NOW, NOW + 3 * DAY);
    entry = entry_of(ledger);
    ck_assert_int_eq(cmd_held_until(entry, "retry_at", NOW), NOW + 3 * DAY);
    ck_assert_int_lt(held(ledger, NOW), 2 * MINUTE);
    fail_at(ledger, NOW + 4 * DAY, 0);
    ck_assert_ptr_null(json_object_get(entry, "retry_at"));
    fail_at(ledger, NOW + 4 * DAY, NOW);
    ck_assert_ptr_null(json_object_get(entry, "retry_at"));
}
END_TEST

/* What is recorded passes the ledger's schema. */
START_TEST(schema)
{
    json_t *ledger = ledger_make();
    schema_set_t *schemas;

    fail_at(ledger, NOW, NOW + DAY);
    unit_ok(schema_set_builtin(&schemas, &err, pool));
    unit_ok(schema_check(schema_find(schemas, "state/ledger"), ledger,
                         "ledger", &err));
}
END_TEST

/* ----------------------------------------------------------------- clocks */

/* A time that is over, absent, or no time holds nobody back. */
START_TEST(not_held)
{
    json_t *entry = own(json_pack("{s:s, s:s}", "next_try", text(NOW),
                                  "retry_at", "soon"));

    ck_assert_int_eq(cmd_held_until(NULL, "next_try", NOW), 0);
    ck_assert_int_eq(cmd_held_until(entry, "next_try", NOW), 0);
    ck_assert_int_eq(cmd_held_until(entry, "retry_at", NOW), 0);
    ck_assert_int_eq(cmd_held_until(entry, "next_try", NOW - 1), NOW);
}
END_TEST

/* A clock that went back makes waits recorded before it void: a certificate
 * is not held back for years because the battery was empty. */
START_TEST(clock_back)
{
    json_t *ledger = ledger_make();
    json_t *entry;

    fail_at(ledger, NOW, NOW + HOUR);
    entry = entry_of(ledger);
    ck_assert_int_eq(cmd_held_until(entry, "next_try", NOW - 10 * DAY), 0);
    ck_assert_int_eq(cmd_held_until(entry, "retry_at", NOW - 10 * DAY), 0);
    ck_assert_int_eq(cmd_held_until(entry, "retry_at", 0), 0);
    /* Clocks are set by minutes, too: that is no jump. */
    ck_assert_int_eq(cmd_held_until(entry, "retry_at", NOW - 5 * MINUTE),
                     NOW + HOUR);
}
END_TEST

/* Without a record of when it was written, a time beyond what the ladder
 * or a CA may ask for is void as well. */
START_TEST(too_far)
{
    json_t *entry = own(json_pack("{s:s, s:s}",
                                  "next_try", text(NOW + 32 * HOUR),
                                  "retry_at", text(NOW + 367 * DAY)));

    ck_assert_int_eq(cmd_held_until(entry, "next_try", NOW), 0);
    ck_assert_int_eq(cmd_held_until(entry, "retry_at", NOW), 0);
    ck_assert_int_eq(cmd_held_until(entry, "next_try", NOW + 3 * HOUR),
                     NOW + 32 * HOUR);
    ck_assert_int_eq(cmd_held_until(entry, "retry_at", NOW + 2 * DAY),
                     NOW + 367 * DAY);
}
END_TEST

/* A clock that goes forward ends waits early and nothing else. */
START_TEST(clock_forward)
{
    json_t *ledger = ledger_make();

    fail_at(ledger, NOW, 0);
    ck_assert_int_eq(cmd_held_until(entry_of(ledger), "next_try",
                                    NOW + 1000 * DAY), 0);
}
END_TEST

/* -------------------------------------------------------------- whose turn */

static cmd_certificate_t *certificate(const char *state)
{
    cmd_certificate_t *c = apr_pcalloc(pool, sizeof(*c));

    c->id = "a.test";
    c->state = state;
    c->renew_at = NOW + 10 * DAY;
    c->meta = own(json_pack("{s:s, s:s, s:s}",
                            "issued", text(NOW - 30 * DAY),
                            "not_before", text(NOW - 30 * DAY),
                            "not_after", text(NOW + 30 * DAY)));
    return c;
}

/* A valid certificate waits for its window; a missing, changed or expired
 * one has its turn at once. */
START_TEST(turn)
{
    cmd_certificate_t *missing = certificate("missing");

    missing->meta = NULL;
    ck_assert_int_eq(cmd_certificate_next(certificate("valid"), NOW),
                     NOW + 10 * DAY);
    ck_assert_int_le(cmd_certificate_next(certificate("due"), NOW), NOW);
    ck_assert_int_le(cmd_certificate_next(certificate("expired"), NOW), NOW);
    ck_assert_int_le(cmd_certificate_next(certificate("error"), NOW), NOW);
    ck_assert_int_le(cmd_certificate_next(missing, NOW), NOW);
}
END_TEST

/* Failures hold a certificate back that is due; of the ladder's and the
 * CA's time the later one counts. */
START_TEST(turn_held)
{
    cmd_certificate_t *c = certificate("due");

    c->entry = own(json_pack("{s:s, s:s}",
                             "next_try", text(NOW + HOUR),
                             "retry_at", text(NOW + 2 * HOUR)));
    ck_assert_int_eq(cmd_certificate_next(c, NOW), NOW + 2 * HOUR);
    c->entry = own(json_pack("{s:s, s:s}",
                             "next_try", text(NOW + 3 * HOUR),
                             "retry_at", text(NOW + 2 * HOUR)));
    ck_assert_int_eq(cmd_certificate_next(c, NOW), NOW + 3 * HOUR);
    ck_assert_int_le(cmd_certificate_next(c, NOW + 3 * HOUR),
                     NOW + 3 * HOUR);
}
END_TEST

/* A certificate that comes due as soon as it is issued is not ordered in a
 * circle: an hour has to pass, or a tenth of a short lifetime. */
START_TEST(no_circle)
{
    cmd_certificate_t *c = certificate("due");

    c->meta = own(json_pack("{s:s, s:s, s:s}", "issued", text(NOW),
                            "not_before", text(NOW - 30 * DAY),
                            "not_after", text(NOW + DAY)));
    ck_assert_int_eq(cmd_certificate_next(c, NOW), NOW + HOUR);
    c->meta = own(json_pack("{s:s, s:s, s:s}", "issued", text(NOW),
                            "not_before", text(NOW),
                            "not_after", text(NOW + 100 * MINUTE)));
    ck_assert_int_eq(cmd_certificate_next(c, NOW), NOW + 10 * MINUTE);
    /* What the configuration wants otherwise does not wait. */
    c->why = "its names are not the configured ones";
    ck_assert_int_le(cmd_certificate_next(c, NOW), NOW);
    c->why = NULL;
    /* Issued in the future: the clock went back. */
    ck_assert_int_le(cmd_certificate_next(c, NOW - DAY), NOW - DAY);
}
END_TEST

Suite *ladder_suite(void)
{
    Suite *suite = suite_create("ladder");
    TCase *tc = unit_case(suite, "waits");

    tcase_add_test(tc, rungs);
    tcase_add_test(tc, jitter);
    tcase_add_test(tc, any_number);
    tcase_add_test(tc, million);
    tcase_add_test(tc, edited_counter);
    tc = unit_case(suite, "ledger");
    tcase_add_test(tc, success_resets);
    tcase_add_test(tc, ca_apart);
    tcase_add_test(tc, schema);
    tc = unit_case(suite, "clocks");
    tcase_add_test(tc, not_held);
    tcase_add_test(tc, clock_back);
    tcase_add_test(tc, too_far);
    tcase_add_test(tc, clock_forward);
    tc = unit_case(suite, "turn");
    tcase_add_test(tc, turn);
    tcase_add_test(tc, turn_held);
    tcase_add_test(tc, no_circle);
    return suite;
}
