#include "rig.h"

#include "acme/engine.h"

#include <apr_strings.h>

Suite *request_suite(void);

/* The resources of an order, in the order in which they are asked. */
static const char *const steps[] = {
    "nonce", "new-order", "authz", "chall", "order", "finalize", "cert"
};
#define STEPS ((int)(sizeof(steps) / sizeof(*steps)))

/* An error of newNonce with a nonce would be as good as a success. */
static void at_step(rig_rule_t *rule, int step)
{
    rule->on = steps[step];
    rule->nonce = step ? NULL : "";
}

/* Trouble at the CA that passes within seven seconds, at any step, is
 * waited out: three tries after 1, 2 and 4 s. */
START_TEST(server_trouble_passes)
{
    rig_rule_t rules[] = {
        { .to = 3, .status = 500, .type = "serverInternal" },
        { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    at_step(&rules[0], _i);
    rig_ok(rig_order_rules(rig, "a.example", rules));
    ck_assert_int_gt(rig_elapsed(rig), apr_time_from_sec(7));
    ck_assert_int_lt(rig_elapsed(rig), apr_time_from_msec(7500));
}
END_TEST

/* Trouble that stays ends the job as "try later" and keeps the order. */
START_TEST(server_trouble_stays)
{
    rig_rule_t rules[] = {
        { .status = 502, .body = "<html>Bad Gateway</html>",
          .content_type = "text/html" },
        { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    at_step(&rules[0], _i);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_BUSY,
              "HTTP 502 from https://ca.example/");
    ck_assert_int_eq(rig_count(rig, steps[_i]), 4);
    ck_assert_int_eq(rig->forgets, 0);
    ck_assert(_i < 2 ? !rig->saved[0] : rig->saved[0] != NULL);
}
END_TEST

/* A connection that breaks is tried again like trouble at the CA, once it
 * is known that the CA is there at all. */
START_TEST(connection_breaks)
{
    rig_rule_t rules[] = { { .to = 2, .down = 1 }, { 0 } };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    at_step(&rules[0], _i);
    rig_ok(rig_order_rules(rig, "a.example", rules));
    ck_assert_int_gt(rig_elapsed(rig), apr_time_from_sec(3));
}
END_TEST

START_TEST(connection_stays_broken)
{
    rig_rule_t rules[] = { { .down = 1 }, { 0 } };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    at_step(&rules[0], _i);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_BUSY,
              "cannot connect");
    ck_assert_int_eq(rig_count(rig, steps[_i]), 4);
    ck_assert_int_eq(rig->forgets, 0);
}
END_TEST

/* A request whose time ran out is sent once more, since another connection
 * may find the way; silence there ends it. */
START_TEST(time_runs_out)
{
    rig_rule_t rules[] = { { .to = 1, .down = 1, .timeup = 1 }, { 0 } };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    at_step(&rules[0], _i);
    rig_ok(rig_order_rules(rig, "a.example", rules));
    rules[0].to = 0;
    rig = rig_make(pool);
    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_BUSY,
              "cannot connect");
    ck_assert_int_eq(rig_count(rig, steps[_i]), 2);
    ck_assert_int_eq(rig->forgets, 0);
}
END_TEST

/* A CA that cannot be reached at all is not waited for: not with a cached
 * directory, not without, and not once for each of many orders. */
START_TEST(unreachable_from_the_start)
{
    static const rig_rule_t rules[] = {
        { .on = "dir", .down = 1 }, { .on = "nonce", .down = 1 }, { 0 }
    };
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine;
    int i;

    if (_i) {
        rig_known(rig);
    }
    rig->rules = rules;
    engine = rig_engine(rig);
    for (i = 0; i < 60; i++) {
        acme_engine_order(engine, 0, rig_job(rig, "a.example"));
    }
    rig_run(rig, engine);
    for (i = 0; i < 60; i++) {
        rig_fails(&rig->results[i], BASE_EXIT_BUSY, "cannot connect");
    }
    ck_assert_int_le(rig_elapsed(rig), rig->round_trip);
    ck_assert_int_eq(rig_count(rig, "nonce") + rig_count(rig, "dir"),
                     _i ? 20 : 1);
}
END_TEST

/* A CA whose own certificate is not trusted is an error, not trouble. */
START_TEST(untrusted)
{
    static const rig_rule_t rules[] = {
        { .on = "dir", .untrusted = 1 }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_FAILED,
              "reading the CA's directory: its certificate is not trusted");
    ck_assert_int_eq(rig_count(rig, "dir"), 1);
}
END_TEST

/* Retry-After with a rate limit, a 429 or a 503 is obeyed in both forms,
 * at any step, if it is short. */
START_TEST(short_retry_after)
{
    static const struct {
        int status;
        const char *type, *retry_after;
    } forms[] = {
        { 429, "rateLimited", "30" },
        { 503, NULL, "30" },
        { 429, NULL, "30" },
        { 503, "rateLimited", "Mon, 23 Nov 2026 19:00:30 GMT" }
    };
    rig_rule_t rules[] = { { .to = 1 }, { 0 } };
    size_t i;

    for (i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        rig_t *rig = rig_make(pool);

        rig_known(rig);
        at_step(&rules[0], _i);
        rules[0].status = forms[i].status;
        rules[0].type = forms[i].type;
        rules[0].retry_after = forms[i].retry_after;
        rules[0].body = forms[i].type ? NULL : "<html>busy</html>";
        rig_ok(rig_order_rules(rig, "a.example", rules));
        ck_assert_int_ge(rig_elapsed(rig), apr_time_from_sec(30));
        ck_assert_int_lt(rig_elapsed(rig), apr_time_from_msec(30500));
        ck_assert_int_eq(rig_count(rig, "new-order"),
                         strcmp(steps[_i], "new-order") ? 1 : 2);
    }
}
END_TEST

/* A long Retry-After, or one behind the job's deadline, ends the job at
 * once; the caller learns when to come back, and the order is kept. */
START_TEST(long_retry_after)
{
    static const char *const values[] = {
        "61", "86400", "99999999999999999999", "Tue, 24 Nov 2026 19:00:00 GMT"
    };
    rig_rule_t rules[] = {
        { .status = 429, .type = "rateLimited" }, { 0 }
    };
    size_t i;

    for (i = 0; i < sizeof(values) / sizeof(*values); i++) {
        rig_t *rig = rig_make(pool);

        rig_known(rig);
        at_step(&rules[0], _i);
        rules[0].retry_after = values[i];
        if (i == 2) {
            /* Not a number any more: the type alone decides. */
            rig_order_rules(rig, "a.example", rules);
            ck_assert_int_eq(rig->results[0].err.exit, BASE_EXIT_BUSY);
            continue;
        }
        rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_BUSY,
                  "the CA limits how often it may be asked");
        ck_assert_int_gt(rig->results[0].err.retry_at, RIG_WALL);
        ck_assert_int_lt(rig_elapsed(rig), apr_time_from_sec(1));
        ck_assert_int_eq(rig_count(rig, steps[_i]), 1);
        ck_assert_int_eq(rig->forgets, 0);
    }
}
END_TEST

START_TEST(retry_after_behind_the_deadline)
{
    static const rig_rule_t rules[] = {
        { .on = "new-order", .status = 503, .retry_after = "20",
          .body = "" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->options.order_deadline = apr_time_from_sec(15);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_BUSY,
              "HTTP 503");
    ck_assert_int_lt(rig_elapsed(rig), apr_time_from_sec(1));
    ck_assert_int_gt(rig->results[0].err.retry_at, RIG_WALL);
}
END_TEST

/* "Come back in 0 seconds", for ever, does not make us hammer the CA. */
START_TEST(retry_after_nothing)
{
    static const rig_rule_t rules[] = {
        { .on = "new-order", .status = 429, .type = "rateLimited",
          .retry_after = "0" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_BUSY,
              "the CA limits");
    ck_assert_int_eq(rig_count(rig, "new-order"), ACME_WAITS_MAX + 1);
    ck_assert_int_ge(rig_elapsed(rig), apr_time_from_sec(ACME_WAITS_MAX));
}
END_TEST

/* A server that takes a request and never answers is given up at the
 * deadline, wherever it happens; the order is kept for the next run. */
START_TEST(silence)
{
    static const char *const where[] = {
        "dir", "new-account", "nonce", "new-order", "authz", "chall",
        "order", "finalize", "cert"
    };
    rig_rule_t rules[] = { { .silent = 1 }, { 0 } };
    rig_t *rig = rig_make(pool);

    rules[0].on = where[_i];
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_BUSY,
              "not done within 600 s");
    ck_assert_int_eq(rig_elapsed(rig), ACME_ORDER_DEADLINE);
    ck_assert_int_eq(rig->forgets, 0);
    ck_assert_int_eq(rig->removes, rig->puts);
}
END_TEST

/* Nothing is ever sent to another origin than the directory's, or without
 * TLS, in whatever object its URL stands. */
START_TEST(foreign_urls)
{
    static const struct {
        const char *on, *patch, *location;
    } where[] = {
        { "dir", "{\"newNonce\":\"%s/nonce\"}", NULL },
        { "dir", "{\"newAccount\":\"%s/new-account\"}", NULL },
        { "dir", "{\"newOrder\":\"%s/new-order\"}", NULL },
        { "dir", "{\"revokeCert\":\"%s/revoke\"}", NULL },
        { "new-account", NULL, "%s/acct/1" },
        { "new-order", NULL, "%s/order/1" },
        { "new-order", "{\"finalize\":\"%s/finalize/1\"}", NULL },
        { "new-order", "{\"authorizations\":[\"%s/authz/1/0\"]}", NULL },
        { "authz", "{\"challenges\":[{\"type\":\"http-01\",\"status\":"
          "\"pending\",\"token\":\"token-token-token-token\","
          "\"url\":\"%s/chall/1/0\"}]}", NULL },
        { "order", "{\"status\":\"valid\",\"certificate\":\"%s/cert/1\"}",
          NULL }
    };
    static const char *const origins[] = {
        "https://evil.example", "http://ca.example",
        "https://ca.example:8443", "https://ca.example.evil.example",
        "https://user@ca.example", "file:///etc", "https://127.0.0.1"
    };
    rig_rule_t rules[] = { { 0 }, { 0 } };
    rig_t *rig;
    size_t i;

    for (i = 0; i < sizeof(where) / sizeof(*where); i++) {
        rig = rig_make(pool);
        rules[0].on = where[i].on;
        rules[0].patch = where[i].patch
                         ? apr_psprintf(pool, where[i].patch, origins[_i])
                         : NULL;
        rules[0].location = where[i].location
                            ? apr_psprintf(pool, where[i].location,
                                           origins[_i]) : NULL;
        rig_fails(rig_order_rules(rig, "a.example", rules),
                  BASE_EXIT_FAILED, "");
        ck_assert_int_eq(rig_count(rig, "?"), 0);
        ck_assert_int_eq(rig->certificates, 0);
    }
}
END_TEST

/* Bodies that are no JSON, too deep, of the wrong shape or just empty end
 * the job with a sentence; none is read any further. */
START_TEST(nonsense_instead_of_json)
{
    static const char *const bodies[] = {
        "", "<html></html>", "[]", "null", "{", "{\"status\":\"pending\"}",
        "{\"status\":7}", "{\"status\":\"valid\",\"status\":\"valid\"}",
        "{\"a\":1e999999999999999999999999}",
        "[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]"
    };
    static const char *const where[] = {
        "dir", "new-account", "new-order", "authz", "chall", "order",
        "finalize"
    };
    rig_rule_t rules[] = { { .content_type = "application/json" }, { 0 } };
    rig_t *rig;
    size_t i;

    rules[0].on = where[_i];
    for (i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        rig = rig_make(pool);
        rules[0].body = bodies[i];
        rig_order_rules(rig, "a.example", rules);
        if (i == 5 && !strcmp(where[_i], "chall")) {
            continue;
        }
        rig_fails(&rig->results[0], BASE_EXIT_FAILED, "");
        ck_assert_str_ne(rig->results[0].err.message, "");
    }
}
END_TEST

/* A permanent refusal at any step ends the job at once, with the CA's
 * words, and the order is forgotten. */
START_TEST(refusal)
{
    rig_rule_t rules[] = {
        { .status = 403, .type = "rejectedIdentifier" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    at_step(&rules[0], _i);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_REFUSED,
              "because of rejectedIdentifier");
    ck_assert_str_eq(rig->results[0].err.type, URN "rejectedIdentifier");
    ck_assert_int_eq(rig_count(rig, steps[_i]), 1);
    ck_assert_ptr_null(rig->saved[0]);
}
END_TEST

/* A host that does not sign ends the job; nothing unsigned is sent. */
START_TEST(host_does_not_sign)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->fail = "sign";
    rig->fail_from = _i + 1;
    rig->fail_status = APR_EACCES;
    rig_fails(rig_order(rig, "a.example"), BASE_EXIT_FAILED,
              "sign says no");
    ck_assert_int_eq(rig->bad_requests, 0);
    ck_assert_int_eq(rig->certificates, 0);
}
END_TEST

Suite *request_suite(void)
{
    Suite *suite = suite_create("acme/request");
    TCase *tc = unit_case(suite, "request");

    tcase_add_loop_test(tc, server_trouble_passes, 0, STEPS);
    tcase_add_loop_test(tc, server_trouble_stays, 0, STEPS);
    tcase_add_loop_test(tc, connection_breaks, 1, STEPS);
    tcase_add_loop_test(tc, connection_stays_broken, 1, STEPS);
    tcase_add_loop_test(tc, time_runs_out, 1, STEPS);
    tcase_add_loop_test(tc, unreachable_from_the_start, 0, 2);
    tcase_add_test(tc, untrusted);
    tcase_add_loop_test(tc, short_retry_after, 0, STEPS);
    tcase_add_loop_test(tc, long_retry_after, 0, STEPS);
    tcase_add_test(tc, retry_after_behind_the_deadline);
    tcase_add_test(tc, retry_after_nothing);
    tcase_add_loop_test(tc, silence, 0, 9);
    tcase_add_loop_test(tc, foreign_urls, 0, 7);
    tcase_add_loop_test(tc, nonsense_instead_of_json, 0, 7);
    tcase_add_loop_test(tc, refusal, 0, STEPS);
    tcase_add_loop_test(tc, host_does_not_sign, 0, 7);
    return suite;
}
