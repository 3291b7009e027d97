#include "rig.h"

#include "acme/engine.h"

#include <apr_strings.h>

Suite *fallback_suite(void);

/* A CA that cannot validate anything in its first orders. */
static rig_t *rig_failing(int orders)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->error = "connection";
    rig->error_orders = orders;
    return rig;
}

static acme_order_job_t *job_for(rig_t *rig, const char *names,
                                 const char *types)
{
    acme_order_job_t *job = rig_job(rig, names);
    char *list = apr_pstrdup(pool, types), *type, *state;

    job->challenges->nelts = 0;
    for (type = apr_strtok(list, " ", &state); type;
         type = apr_strtok(NULL, " ", &state)) {
        APR_ARRAY_PUSH(job->challenges, const char *) = type;
    }
    return job;
}

static const acme_result_t *run(rig_t *rig, const acme_order_job_t *job)
{
    acme_engine_t *engine = rig_engine(rig);

    acme_engine_order(engine, 0, job);
    rig_run(rig, engine);
    return &rig->results[0];
}

static const acme_result_t *order(rig_t *rig, const char *names,
                                  const char *types)
{
    return run(rig, job_for(rig, names, types));
}

/* When a name cannot be validated by the first type, the next one is tried
 * in a new order, whichever of them comes first. */
START_TEST(next_type_is_tried)
{
    static const char *const types[] = {
        "http-01 tls-alpn-01", "tls-alpn-01 http-01"
    };
    rig_t *rig = rig_failing(1);

    rig_ok(order(rig, "a.example", types[_i]));
    ck_assert_str_eq(rig->types, types[_i]);
    ck_assert_int_eq(rig->order_count, 2);
    ck_assert_int_eq(rig->certificates, 1);
    ck_assert_int_eq(rig->puts, rig->removes);
    ck_assert_ptr_null(rig->saved[0]);
    ck_assert_ptr_nonnull(strstr(rig->steps, "validation of a.example by"));
    ck_assert_ptr_nonnull(strstr(rig->steps, "; trying another type"));
}
END_TEST

/* Each type gets one chance; the error then tells of all of them, in that
 * order. */
START_TEST(all_fail)
{
    rig_t *rig = rig_failing(0);
    const acme_result_t *result = order(rig, "a.example",
                                        "http-01 tls-alpn-01 dns-01");
    const char *message = result->err.message;

    rig_fails(result, BASE_EXIT_FAILED, "validation of a.example by ");
    message = strstr(message, "; then validation of a.example");
    ck_assert_ptr_nonnull(message);
    ck_assert_ptr_nonnull(strstr(message + 1, "; then validation"));
    ck_assert_str_eq(rig->types, "http-01 tls-alpn-01 dns-01");
    ck_assert_int_eq(rig->order_count, 3);
    ck_assert_str_eq(result->err.identifier, "a.example");
    ck_assert_str_eq(result->err.type, URN "connection");
    ck_assert_ptr_null(rig->saved[0]);
}
END_TEST

/* With one type there is no second order. */
START_TEST(one_type_is_tried_once)
{
    rig_t *rig = rig_failing(0);

    rig_fails(order(rig, "a.example", "tls-alpn-01"), BASE_EXIT_FAILED,
              "could not connect");
    ck_assert_int_eq(rig->order_count, 1);
}
END_TEST

/* A CA that does not offer the other type: both reasons are told. */
START_TEST(other_type_is_not_offered)
{
    rig_t *rig = rig_failing(0);

    rig->offers = "http-01 dns-01";
    rig_fails(order(rig, "a.example", "http-01 tls-alpn-01"),
              BASE_EXIT_FAILED, "; then no way to validate a.example");
    ck_assert_ptr_nonnull(strstr(rig->results[0].err.message,
                                 "validation of a.example by http-01 "
                                 "failed"));
}
END_TEST

/* A CA that has enough of us in between: when to come back is told, and the
 * new order is not given up if there is one. */
START_TEST(limits_end_it)
{
    static const rig_rule_t rules[] = {
        { .on = "new-order", .from = 2, .status = 429, .type = "rateLimited",
          .retry_after = "7200" }, { 0 }
    };
    rig_t *rig = rig_failing(0);
    const acme_result_t *result;

    rig->rules = rules;
    result = order(rig, "a.example", "http-01 tls-alpn-01");
    rig_fails(result, BASE_EXIT_BUSY, "; then ");
    ck_assert_str_eq(result->err.type, URN "rateLimited");
    ck_assert_int_gt(result->err.retry_at, RIG_WALL);
}
END_TEST

/* However long the first reason is, the second has room. */
START_TEST(long_reasons_leave_room)
{
    acme_job_t job;
    int i;

    memset(&job, 0, sizeof(job));
    base_err_set(&job.before, APR_EGENERAL, BASE_EXIT_FAILED, "x");
    for (i = 0; i < 400; i++) {
        base_err_append(&job.before, "\xc3\xbc%d", i);
    }
    base_err_set(&job.err, APR_EGENERAL, BASE_EXIT_FAILED, "the second");
    acme_fallback_tell(&job);
    ck_assert_ptr_nonnull(strstr(job.err.message, "; then the second"));
    ck_assert_int_eq(job.err.message[0], 'x');
}
END_TEST

/* Trouble that passes is no reason to try otherwise: so say the CA's own
 * failures and its limits. */
START_TEST(passing_trouble_is_waited_for)
{
    static const char *const types[] = { "serverInternal", "rateLimited" };
    rig_t *rig = rig_failing(0);

    rig->error = types[_i];
    rig_fails(order(rig, "a.example", "http-01 tls-alpn-01"),
              BASE_EXIT_BUSY, "validation of a.example");
    ck_assert_int_eq(rig->order_count, 1);
}
END_TEST

/* What else ends an order does not begin another. */
START_TEST(other_failures_are_final)
{
    static const rig_rule_t rows[][2] = {
        { { .on = "order", .patch = "{\"status\":\"invalid\"}" }, { 0 } },
        { { .on = "finalize", .status = 403, .type = "badCSR" }, { 0 } },
        { { .on = "chall", .status = 403, .type = "malformed" }, { 0 } },
        { { .on = "new-order", .status = 403, .type = "rejectedIdentifier" },
          { 0 } }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->rules = rows[_i];
    ck_assert_int_ne(order(rig, "a.example",
                           "http-01 tls-alpn-01")->err.status, 0);
    ck_assert_int_eq(rig_count(rig, "new-order"), 1);
}
END_TEST

/* Names whose validation was still under way are given back before the new
 * order, so that the CA does not show their old authorizations again. */
START_TEST(pending_ones_are_given_back)
{
    static const rig_rule_t rules[] = {
        { .on = "order", .to = 1, .patch = "{\"status\":\"invalid\"}" },
        { .on = "authz", .from = 3, .to = 3, .patch =
          "{\"status\":\"invalid\",\"challenges\":[{\"type\":\"http-01\","
          "\"status\":\"invalid\",\"url\":\"https://ca.example/chall/1/0\","
          "\"token\":\"token-token-token-token\",\"error\":{\"type\":\""
          URN "connection\"}}]}" },
        { .on = "authz", .from = 4, .to = 4, .patch =
          "{\"status\":\"pending\"}" },
        { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->rules = rules;
    rig_ok(order(rig, "a.example b.example", "http-01 tls-alpn-01"));
    ck_assert_int_eq(rig->order_count, 2);
    ck_assert_ptr_nonnull(strstr(rig->steps,
                                 "giving authorizations back\nordering\n"));
    ck_assert_str_eq(rig->types,
                     "http-01 http-01 tls-alpn-01 tls-alpn-01");
}
END_TEST

/* A killed run leaves behind with its order which types have failed: the
 * next one goes on with that order, by the type that is left. */
START_TEST(killed_run_goes_on)
{
    acme_order_job_t *job;
    acme_engine_t *engine;
    acme_err_t e = { 0 };
    rig_t *rig = rig_failing(1);

    job = job_for(rig, "a.example", "http-01 tls-alpn-01");
    rig->kill_at = 2;
    engine = rig_engine(rig);
    acme_engine_order(engine, 0, job);
    ck_assert_int_ne(acme_engine_run(engine, &e), APR_SUCCESS);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(
        rig->saved[0], "failed"), 0)), "http-01");

    rig->killed = rig->kill_at = 0;
    rig->replies->nelts = 0;
    rig->flying = 0;
    rig->types = "";
    rig->challenges_up = 0;
    job->resume = json_deep_copy(rig->saved[0]);
    rig_ok(run(rig, job));
    json_decref((json_t *)job->resume);
    ck_assert_str_eq(rig->types, "tls-alpn-01");
    ck_assert_int_eq(rig->order_count, 2);
}
END_TEST

/* The configuration allows other types now: what has failed before is no
 * obstacle, and neither is what nobody knows any more. */
START_TEST(other_configuration_begins_anew)
{
    acme_order_job_t *job;
    json_t *state;
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    job = job_for(rig, "a.example", "http-01");
    state = json_pack("{s:s, s:s, s:s, s:s, s:s, s:[s], s:[s,s]}",
                      "schema", "acme-order/1", "ca", RIG_URL, "account",
                      rig->account, "url", "https://ca.example/order/7",
                      "step", "ordered", "names", "a.example", "failed",
                      "http-01", "dns-02");
    job->resume = state;
    rig_ok(run(rig, job));
    json_decref(state);
    ck_assert_str_eq(rig->types, "http-01");
    ck_assert_int_eq(rig->order_count, 1);
}
END_TEST

Suite *fallback_suite(void)
{
    Suite *suite = suite_create("fallback");
    TCase *tc = unit_case(suite, "fallback");

    tcase_add_loop_test(tc, next_type_is_tried, 0, 2);
    tcase_add_test(tc, all_fail);
    tcase_add_test(tc, one_type_is_tried_once);
    tcase_add_test(tc, other_type_is_not_offered);
    tcase_add_test(tc, limits_end_it);
    tcase_add_test(tc, long_reasons_leave_room);
    tcase_add_loop_test(tc, passing_trouble_is_waited_for, 0, 2);
    tcase_add_loop_test(tc, other_failures_are_final, 0, 4);
    tcase_add_test(tc, pending_ones_are_given_back);
    tcase_add_test(tc, killed_run_goes_on);
    tcase_add_test(tc, other_configuration_begins_anew);
    return suite;
}
