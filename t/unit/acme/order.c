#include "rig.h"

#include "acme/engine.h"

#include <apr_strings.h>

Suite *order_suite(void);

/* The first look comes when the CA had 50 ms of its own: round trips count
 * towards it, and a distant CA is not waited for at all. */
START_TEST(first_look)
{
    static const int round_trips[] = { 0, 10, 49, 50, 51, 200 };
    static const int pauses[] = { 50, 40, 1, 0, 0, 0 };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->round_trip = apr_time_from_msec(round_trips[_i]);
    rig_ok(rig_order(rig, "a.example"));
    ck_assert_int_eq(rig_elapsed(rig), apr_time_from_msec(
        8 * round_trips[_i] + 2 * pauses[_i]));
}
END_TEST

/* A Retry-After that comes with finalize's own reply does not delay the
 * first look; the one that a look brings is obeyed to the second. */
START_TEST(retry_after_is_obeyed)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->retry_after = "3";
    rig_ok(rig_order(rig, "a.example"));
    ck_assert_int_eq(rig_elapsed(rig), apr_time_from_msec(8 * 10 + 2 * 40));

    rig = rig_make(pool);
    rig_known(rig);
    rig->retry_after = "3";
    rig->looks_pending = 2;
    rig->looks_processing = 1;
    rig_ok(rig_order(rig, "a.example"));
    ck_assert_int_eq(rig_elapsed(rig), apr_time_from_msec(
        11 * 10 + 2 * 40 + 3 * 3000));
    ck_assert_int_eq(rig->results[0].requests, 11);
}
END_TEST

/* The same with the date form. */
START_TEST(retry_after_as_date)
{
    static const rig_rule_t rules[] = {
        { .on = "order", .to = 1, .patch = "{\"status\":\"pending\"}",
          .retry_after = "Mon, 23 Nov 2026 19:00:30 GMT" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_ok(rig_order_rules(rig, "a.example", rules));
    ck_assert_int_gt(rig_elapsed(rig), apr_time_from_sec(30));
    ck_assert_int_lt(rig_elapsed(rig), apr_time_from_sec(31));
}
END_TEST

/* Without Retry-After, or with one that says nothing, looks come after
 * 100 ms, then twice as long each time, up to 8 s. */
START_TEST(back_off)
{
    static const char *const nothing[] = {
        NULL, "0", "soon", "-5", "", "Mon, 23 Nov 2026 18:00:00 GMT"
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->retry_after = nothing[_i];
    rig->looks_pending = 9;
    rig_ok(rig_order(rig, "a.example"));
    ck_assert_int_eq(rig_elapsed(rig), apr_time_from_msec(
        17 * 10 + 2 * 40 + 100 + 200 + 400 + 800 + 1600 + 3200 + 6400
        + 8000 + 8000));
}
END_TEST

/* A CA that asks for more patience than allowed ends the job as "try
 * later"; the order is kept, and taken up in the next run. */
START_TEST(huge_retry_after)
{
    static const char *const values[] = {
        "61", "31536000", "Wed, 25 Nov 2026 19:00:00 GMT"
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->retry_after = values[_i];
    rig->looks_pending = 1;
    rig_fails(rig_order(rig, "a.example"), BASE_EXIT_BUSY,
              "the order is pending and the CA asks to come back after");
    ck_assert_int_gt(rig->results[0].err.retry_at,
                     RIG_WALL + apr_time_from_sec(60));
    ck_assert_ptr_nonnull(rig->saved[0]);
    ck_assert_int_eq(rig_count(rig, "order"), 1);
}
END_TEST

/* An order that never gets ready is looked at till the deadline, and the
 * looks are far apart then. */
START_TEST(never_ready)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    if (_i) {
        rig->looks_processing = 1000000;
    }
    else {
        rig->looks_pending = 1000000;
    }
    rig_fails(rig_order(rig, "a.example"), BASE_EXIT_BUSY,
              _i ? "waiting for the certificate: not done within 600 s"
                 : "waiting for validation: not done within 600 s");
    ck_assert_int_eq(rig_elapsed(rig), ACME_ORDER_DEADLINE);
    ck_assert_int_lt(rig_count(rig, "order"), 100);
    ck_assert_ptr_nonnull(rig->saved[0]);
}
END_TEST

/* The CA may sort names and authorizations as it likes (the rig's sorts
 * them backwards) and write names in capitals. */
START_TEST(names_in_any_order)
{
    static const rig_rule_t rules[] = {
        { .on = "new-order", .patch = "{\"identifiers\":["
          "{\"type\":\"dns\",\"value\":\"B.Example\"},"
          "{\"type\":\"dns\",\"value\":\"a.example\"}]}" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_ok(rig_order_rules(rig, "a.example b.example", rules));
    ck_assert_int_eq(rig->puts, 2);
    ck_assert_int_eq(rig_count(rig, "order"), 2);
}
END_TEST

/* An order for other names than ours is not acted on, at newOrder, at a
 * look or after finalize. */
START_TEST(other_names)
{
    static const char *const patches[] = {
        "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example\"}]}",
        "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example\"},"
        "{\"type\":\"dns\",\"value\":\"evil.example\"}]}",
        "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example\"},"
        "{\"type\":\"dns\",\"value\":\"b.example\"},"
        "{\"type\":\"dns\",\"value\":\"c.example\"}]}",
        "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"a.example\"},"
        "{\"type\":\"dns\",\"value\":\"a.example\"},"
        "{\"type\":\"dns\",\"value\":\"b.example\"}]}"
    };
    static const char *const where[] = { "new-order", "order", "finalize" };
    rig_rule_t rules[] = { { 0 }, { 0 } };
    size_t i;

    for (i = 0; i < sizeof(patches) / sizeof(*patches); i++) {
        rig_t *rig = rig_make(pool);

        rig_known(rig);
        rules[0].on = where[_i];
        rules[0].patch = patches[i];
        rig_fails(rig_order_rules(rig, "a.example b.example", rules),
                  BASE_EXIT_FAILED, "the CA's order is for ");
        ck_assert_int_eq(rig->certificates, 0);
        ck_assert_ptr_null(rig->saved[0]);
    }
}
END_TEST

/* RFC 8555 7.1.3: an order to which authorizations are added under way is
 * treated as invalid. */
START_TEST(other_authorizations)
{
    static const rig_rule_t rules[] = {
        { .on = "order", .patch = "{\"authorizations\":["
          "\"https://ca.example/authz/1/7\"]}" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_FAILED,
              "added the authorization https://ca.example/authz/1/7");
}
END_TEST

/* newOrder without Location cannot be followed. */
START_TEST(no_location)
{
    static const rig_rule_t rules[] = {
        { .on = "new-order", .location = "" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_FAILED,
              "no Location header");
}
END_TEST

/* A name that is none, or given twice, is found before the CA is asked. */
START_TEST(impossible_names)
{
    static const char *const names[] = {
        "UPPER.example", "a.example a.example", "a..example", "-a.example",
        "a_b.example", "*.*.example"
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order(rig, names[_i]), BASE_EXIT_FAILED,
              "ordering the certificate");
    ck_assert_str_eq(rig->log, "");
}
END_TEST

/* Killed behind any save, the next run takes up the same order: no second
 * newOrder, and what was done is not done again. */
START_TEST(resume)
{
    static const char *const rest[] = {
        "nonce order authz chall order finalize order cert",
        "nonce order finalize order cert",
        "nonce order cert"
    };
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine;
    acme_order_job_t *job;

    rig_known(rig);
    rig->kill_at = _i + 1;
    engine = rig_engine(rig);
    acme_engine_order(engine, 0, rig_job(rig, "a.example"));
    ck_assert_int_eq(acme_engine_run(engine, &err), APR_EINTR);
    ck_assert_ptr_nonnull(rig->saved[0]);
    ck_assert_int_eq(rig->certificates, 0);

    rig->kill_at = rig->killed = rig->challenges_up = 0;
    rig->log = "";
    rig->replies->nelts = 0;
    rig->done_count[0] = 0;
    job = rig_job(rig, "a.example");
    job->resume = json_incref(rig->saved[0]);
    engine = rig_engine(rig);
    acme_engine_order(engine, 0, job);
    rig_run(rig, engine);
    json_decref((json_t *)job->resume);
    rig_ok(&rig->results[0]);
    ck_assert_str_eq(rig->log, rest[_i]);
    ck_assert_int_eq(rig->certificates, 1);
    ck_assert_int_eq(rig->order_count, 1);
    ck_assert_ptr_null(rig->saved[0]);
}
END_TEST

/* What was kept, as it stands at each save, has the drawn shape. */
START_TEST(kept_state)
{
    static const char *const kept_steps[] = {
        "ordered", "finalizing", "finalized"
    };
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine;

    rig_known(rig);
    rig->kill_at = _i + 1;
    engine = rig_engine(rig);
    acme_engine_order(engine, 0, rig_job(rig, "b.example a.example"));
    acme_engine_run(engine, &err);
    ck_assert_str_eq(base_json_text(rig->saved[0], pool), apr_psprintf(pool,
        "{\"account\":\"https://ca.example/acct/1\","
        "\"ca\":\"https://ca.example/dir\","
        "\"expires\":\"2026-11-30T19:00:00Z\","
        "\"names\":[\"b.example\",\"a.example\"],"
        "\"schema\":\"acme-order/1\",\"step\":\"%s\","
        "\"url\":\"https://ca.example/order/1\"}", kept_steps[_i]));
}
END_TEST

static const char state_text[] =
    "{\"schema\":\"acme-order/1\",\"ca\":\"https://ca.example/dir\","
    "\"account\":\"https://ca.example/acct/1\",\"step\":\"ordered\","
    "\"url\":\"https://ca.example/order/1\",\"names\":[\"a.example\"],"
    "\"expires\":\"2026-11-30T19:00:00Z\"}";

/* The rig has an order that waits for its challenges; the job resumes it
 * with a state that patch changes. */
static const acme_result_t *resume_patched(rig_t *rig, const char *patch)
{
    json_t *state = json_loads(state_text, 0, NULL);
    json_t *changes = json_loads(patch, 0, NULL);
    acme_order_job_t *job = rig_job(rig, "a.example");
    acme_engine_t *engine;
    rig_order_t *order = &rig->orders[++rig->order_count];

    ck_assert_ptr_nonnull(changes);
    json_object_update(state, changes);
    json_decref(changes);
    job->resume = base_json_own(state, pool);
    strcpy(order->names[0], "a.example");
    order->authz[0] = "pending";
    order->status = order->status ? order->status : "pending";
    order->count = 1;
    order->account = 1;
    engine = rig_engine(rig);
    acme_engine_order(engine, 0, job);
    rig_run(rig, engine);
    return &rig->results[0];
}

/* The unchanged state resumes: the proof that the next tests can fail. */
START_TEST(resume_works)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_ok(resume_patched(rig, "{}"));
    ck_assert_str_eq(rig->log,
                     "nonce order authz chall order finalize order cert");
}
END_TEST

/* A state that is not ours any more (another account, CA or set of names,
 * expired, damaged) is not even asked about: a new order is made. */
START_TEST(resume_not_tried)
{
    static const char *const patches[] = {
        "{\"account\":\"https://ca.example/acct/2\"}",
        "{\"ca\":\"https://other.example/dir\"}",
        "{\"names\":[\"b.example\"]}",
        "{\"names\":[\"a.example\",\"b.example\"]}",
        "{\"expires\":\"2026-11-23T18:59:59Z\"}",
        "{\"schema\":\"acme-order/2\"}", "{\"url\":\"http://ca.example\"}",
        "{\"step\":\"dancing\"}", "{\"names\":[]}", "{\"more\":1}"
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_ok(resume_patched(rig, patches[_i]));
    ck_assert_str_eq(rig->log, "nonce new-order authz chall order finalize "
                     "order cert");
}
END_TEST

/* An order the CA does not show any more, or shows dead or changed, is
 * replaced by a new one. */
START_TEST(resume_in_vain)
{
    static const rig_rule_t rows[] = {
        { .on = "order", .to = 1, .status = 404, .type = "malformed" },
        { .on = "order", .to = 1, .status = 403, .type = "unauthorized" },
        { .on = "order", .to = 1, .status = 404, .body = "<html>" },
        { .on = "order", .to = 1, .status = 410, .body = "" },
        { .on = "order", .to = 1, .patch = "{\"status\":\"invalid\"}" },
        { .on = "order", .to = 1, .patch = "{\"identifiers\":[{\"type\":"
          "\"dns\",\"value\":\"x.example\"}]}" },
        { .on = "order", .to = 1, .body = "{}" },
        { .on = "order", .to = 1,
          .patch = "{\"finalize\":\"https://evil.example/\"}" },
        { .on = "authz", .to = 1, .patch = "{\"status\":\"expired\"}" },
        { .on = "authz", .to = 1, .patch = "{\"status\":\"deactivated\"}" },
        { .on = "authz", .to = 1, .patch = "{\"status\":\"revoked\"}" },
        { .on = "authz", .to = 1, .patch = "{\"status\":\"invalid\"}" }
    };
    rig_rule_t rules[] = { rows[_i], { 0 } };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->rules = rules;
    rig_ok(resume_patched(rig, "{}"));
    ck_assert_int_eq(rig_count(rig, "new-order"), 1);
    ck_assert_int_eq(rig->certificates, 1);
}
END_TEST

/* But only once: if the new order is dead too, that is the result. */
START_TEST(resume_in_vain_twice)
{
    static const rig_rule_t rules[] = {
        { .on = "authz", .patch = "{\"status\":\"expired\"}" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->rules = rules;
    rig_fails(resume_patched(rig, "{}"), BASE_EXIT_FAILED,
              "authorization of a.example is expired in a new order");
    ck_assert_int_eq(rig_count(rig, "new-order"), 1);
}
END_TEST

/* Trouble that passes leaves the order to be resumed as it is. */
START_TEST(resume_later)
{
    static const rig_rule_t rows[] = {
        { .on = "order", .down = 1 },
        { .on = "order", .status = 503, .body = "", .retry_after = "3600" },
        { .on = "order", .status = 429, .type = "rateLimited" },
        { .on = "order", .silent = 1 }
    };
    rig_rule_t rules[] = { rows[_i], { 0 } };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->rules = rules;
    ck_assert_int_eq(resume_patched(rig, "{}")->err.exit, BASE_EXIT_BUSY);
    ck_assert_int_eq(rig_count(rig, "new-order"), 0);
    ck_assert_int_eq(rig->forgets, 0);
}
END_TEST

/* A host that cannot keep the order stops the job before the step that
 * should have been kept. */
START_TEST(not_kept)
{
    static const char *const before[] = {
        "nonce new-order", "nonce new-order authz chall order",
        "nonce new-order authz chall order finalize"
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->fail = "save";
    rig->fail_from = _i + 1;
    rig_fails(rig_order(rig, "a.example"), BASE_EXIT_FAILED,
              "save says no");
    ck_assert_str_eq(rig->log, before[_i]);
    ck_assert_int_eq(rig->forgets, 0);
}
END_TEST

Suite *order_suite(void)
{
    Suite *suite = suite_create("acme/order");
    TCase *tc = unit_case(suite, "order");

    tcase_add_loop_test(tc, first_look, 0, 6);
    tcase_add_test(tc, retry_after_is_obeyed);
    tcase_add_test(tc, retry_after_as_date);
    tcase_add_loop_test(tc, back_off, 0, 6);
    tcase_add_loop_test(tc, huge_retry_after, 0, 3);
    tcase_add_loop_test(tc, never_ready, 0, 2);
    tcase_add_test(tc, names_in_any_order);
    tcase_add_loop_test(tc, other_names, 0, 3);
    tcase_add_test(tc, other_authorizations);
    tcase_add_test(tc, no_location);
    tcase_add_loop_test(tc, impossible_names, 0, 6);
    tcase_add_loop_test(tc, resume, 0, 3);
    tcase_add_loop_test(tc, kept_state, 0, 3);
    tcase_add_test(tc, resume_works);
    tcase_add_loop_test(tc, resume_not_tried, 0, 10);
    tcase_add_loop_test(tc, resume_in_vain, 0, 12);
    tcase_add_test(tc, resume_in_vain_twice);
    tcase_add_loop_test(tc, resume_later, 0, 4);
    tcase_add_loop_test(tc, not_kept, 0, 3);
    return suite;
}
