#include "rig.h"

#include "acme/engine.h"

#include <apr_strings.h>

Suite *flow_suite(void);

#define VALID "\"status\":\"valid\",\"certificate\":" \
              "\"https://ca.example/cert/1\""

/* With an account and a cached directory a certificate for one name takes
 * eight requests, and no more time than their round trips and the CA's two
 * pauses of 50 ms less what the round trip took already. */
START_TEST(one_name_takes_eight_requests)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_ok(rig_order(rig, "a.example"));
    ck_assert_str_eq(rig->log, "nonce new-order authz chall order finalize "
                     "order cert");
    ck_assert_int_eq(rig->results[0].requests, 8);
    ck_assert_int_eq(rig_elapsed(rig), apr_time_from_msec(8 * 10 + 2 * 40));
    ck_assert_int_eq(rig->results[0].elapsed, rig_elapsed(rig));
    ck_assert_int_eq(rig->results[0].replies, 8);
    ck_assert_int_eq(rig->results[0].latency, apr_time_from_msec(8 * 10));
    ck_assert_int_eq(rig->results[0].slowest, apr_time_from_msec(10));
    ck_assert_int_eq(rig->certificates, 1);
    ck_assert_int_eq(rig->saves, 3);
    ck_assert_int_eq(rig->forgets, 1);
    ck_assert_ptr_null(rig->saved[0]);
    ck_assert_int_eq(rig->puts, 1);
    ck_assert_int_eq(rig->removes, 1);
    ck_assert_int_eq(rig->bad_requests, 0);
}
END_TEST

/* The first order ever takes two more: the directory and the account. */
START_TEST(first_order_takes_ten)
{
    rig_t *rig = rig_make(pool);

    rig_ok(rig_order(rig, "a.example"));
    ck_assert_str_eq(rig->log, "dir nonce new-account new-order authz chall "
                     "order finalize order cert");
    ck_assert_int_eq(rig->results[0].requests, 10);
    ck_assert_int_eq(rig->directories, 1);
}
END_TEST

/* People are told of every step, once; of what jobs share by the job that
 * asks for it. */
START_TEST(steps_are_told)
{
    rig_t *rig = rig_make(pool);

    rig->looks_pending = 3;
    rig_ok(rig_order(rig, "a.example"));
    ck_assert_str_eq(rig->steps, "reading the CA's directory\n"
                     "making the account\nordering\n"
                     "reading the authorizations\nanswering the challenges\n"
                     "waiting for validation\n"
                     "sending the certificate request\n"
                     "waiting for the certificate\n"
                     "fetching the certificate\n");
    rig = rig_make(pool);
    rig_known(rig);
    rig_ok(rig_order(rig, "a.example"));
    ck_assert_int_eq(strncmp(rig->steps, "ordering\n", 9), 0);
}
END_TEST

/* RFC 8555 7.1.6: whatever status an order shows in the reply to newOrder,
 * to the look behind the challenges, to finalize and to the look behind
 * it, the job goes where that status leads. */
static const struct {
    const char *on, *patch;
    const char *log;
} statuses[] = {
    { "new-order", "{\"status\":\"ready\"}",
      "nonce new-order finalize order cert" },
    { "new-order", "{\"status\":\"processing\"}",
      "nonce new-order order finalize order cert" },
    { "new-order", "{" VALID "}", "nonce new-order cert" },
    { "new-order", "{\"status\":\"invalid\"}", "nonce new-order authz" },
    { "order", "{\"status\":\"processing\"}",
      "nonce new-order authz chall order order finalize order cert" },
    { "order", "{" VALID "}", "nonce new-order authz chall order cert" },
    { "order", "{\"status\":\"invalid\"}",
      "nonce new-order authz chall order authz" },
    { "finalize", "{" VALID "}",
      "nonce new-order authz chall order finalize cert" },
    { "finalize", "{\"status\":\"invalid\"}",
      "nonce new-order authz chall order finalize authz" },
    /* A lagging copy: look again. */
    { "finalize", "{\"status\":\"pending\"}",
      "nonce new-order authz chall order finalize order cert" },
    { "finalize", "{\"status\":\"ready\"}",
      "nonce new-order authz chall order finalize order cert" },
    /* Valid without a certificate: look again. */
    { "finalize", "{\"status\":\"valid\"}",
      "nonce new-order authz chall order finalize order cert" },
    { "finalize", "{\"status\":\"valid\",\"certificate\":null}",
      "nonce new-order authz chall order finalize order cert" }
};

START_TEST(follows_the_status)
{
    rig_rule_t rules[] = { { .to = 1 }, { 0 } };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rules[0].on = statuses[_i].on;
    rules[0].patch = statuses[_i].patch;
    if (!strcmp(rules[0].on, "new-order")) {
        rig->valid_at_once = 1;
    }
    rig_order_rules(rig, "a.example", rules);
    if (strstr(rules[0].patch, "invalid")) {
        rig_fails(&rig->results[0], BASE_EXIT_FAILED,
                  "the CA gave the order up");
    }
    else {
        rig_ok(&rig->results[0]);
        ck_assert_int_eq(rig->certificates, 1);
    }
    ck_assert_ptr_null(rig->saved[0]);
    ck_assert_str_eq(rig->log, statuses[_i].log);
}
END_TEST

/* An order without authorizations that is still pending is only looked
 * at: nothing is dereferenced that is not there. */
START_TEST(no_authorizations)
{
    static const rig_rule_t rules[] = {
        { .on = "new-order", .patch = "{\"authorizations\":[]}" },
        { .on = "order", .patch = "{\"authorizations\":[]}" },
        { .on = "finalize", .patch = "{\"authorizations\":[]}" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->valid_at_once = 1;
    rig_ok(rig_order_rules(rig, "a.example", rules));
    ck_assert_str_eq(rig->log, "nonce new-order order finalize order cert");
}
END_TEST

/* And one that is ready at once is finalized at once. */
START_TEST(ready_without_authorizations)
{
    static const rig_rule_t rules[] = {
        { .on = "new-order",
          .patch = "{\"status\":\"ready\",\"authorizations\":[]}" },
        { .on = "order", .patch = "{\"authorizations\":[]}" },
        { .on = "finalize", .patch = "{\"authorizations\":[]}" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->valid_at_once = 1;
    rig_ok(rig_order_rules(rig, "a.example", rules));
    ck_assert_str_eq(rig->log, "nonce new-order finalize order cert");
}
END_TEST

/* The same authorization listed twice is read and answered once. */
START_TEST(authorization_twice)
{
    static const rig_rule_t rules[] = {
        { .on = "new-order", .patch = "{\"authorizations\":["
          "\"https://ca.example/authz/1/0\","
          "\"https://ca.example/authz/1/0\"]}" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_ok(rig_order_rules(rig, "a.example", rules));
    ck_assert_int_eq(rig_count(rig, "authz"), 1);
    ck_assert_int_eq(rig_count(rig, "chall"), 1);
}
END_TEST

/* "valid" is the end: an order that goes back from there is not followed,
 * whatever it goes back to. */
START_TEST(back_from_valid)
{
    static const char *const back[] = {
        "{\"status\":\"pending\"}", "{\"status\":\"ready\"}",
        "{\"status\":\"processing\"}", "{\"status\":\"invalid\"}"
    };
    rig_rule_t rules[] = {
        { .on = "finalize", .patch = "{\"status\":\"valid\"}" },
        { .on = "order", .from = 2 }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rules[1].patch = back[_i];
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_FAILED,
              "went from valid back to ");
    ck_assert_int_eq(rig->certificates, 0);
}
END_TEST

/* A status that RFC 8555 does not have is no order. */
START_TEST(unknown_status)
{
    static const rig_rule_t rules[] = {
        { .on = "order", .patch = "{\"status\":\"perhaps\"}" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_FAILED,
              "looking at the order");
}
END_TEST

/* A deadline in any state takes the challenges down and keeps the order,
 * and nothing happens after done(). */
START_TEST(deadline)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->options.order_deadline = apr_time_from_msec(5 + _i * 10);
    rig_order(rig, "a.example b.example");
    if (rig->results[0].err.status == APR_SUCCESS) {
        ck_assert_int_ge(_i, 8);
        return;
    }
    ck_assert_int_eq(rig->results[0].err.exit, BASE_EXIT_BUSY);
    ck_assert_int_le(rig_elapsed(rig), rig->options.order_deadline);
    ck_assert_int_eq(rig->removes, rig->puts);
    ck_assert_int_eq(rig->forgets, 0);
    ck_assert_int_eq(rig->saved[0] != NULL, rig->saves > 0);
}
END_TEST

/* The engine survives a CA of chance: with any seed, requests that fail in
 * any way at any place, each job ends once, challenges are down, and no
 * certificate is kept twice. */
START_TEST(chaos)
{
    static const rig_rule_t kinds[] = {
        { .status = 500, .body = "" },
        { .status = 429, .type = "rateLimited", .retry_after = "2" },
        { .status = 503, .body = "<html>", .retry_after = "99" },
        { .status = 400, .type = "badNonce" },
        { .status = 400, .type = "accountDoesNotExist" },
        { .status = 403, .type = "orderNotReady" },
        { .status = 404, .type = "malformed" },
        { .status = 403, .type = "unauthorized" },
        { .down = 1 }, { .silent = 1 }, { .body = "{}" },
        { .nonce = "" }, { .location = "" },
        { .patch = "{\"status\":\"invalid\"}" },
        { .patch = "{\"status\":\"pending\"}" },
        { .patch = "{\"status\":\"valid\"}" }
    };
    static const char *const where[] = {
        "dir", "nonce", "new-account", "new-order", "authz", "chall",
        "order", "finalize", "cert"
    };
    rig_rule_t rules[4];
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine;
    unsigned int seed = (unsigned int)_i * 2654435761u + 1;
    int i, ok = 0;

    memset(rules, 0, sizeof(rules));
    for (i = 0; i < 3; i++) {
        seed = seed * 1103515245u + 12345u;
        rules[i] = kinds[(seed >> 16) % (sizeof(kinds) / sizeof(*kinds))];
        seed = seed * 1103515245u + 12345u;
        rules[i].on = where[(seed >> 16) % 9];
        seed = seed * 1103515245u + 12345u;
        rules[i].from = 1 + (int)((seed >> 16) % 10);
        rules[i].to = rules[i].from + (int)((seed >> 20) % 5);
    }
    rig->rules = rules;
    rig->nonce_reject = 20;
    rig->seed = seed;
    rig->options.max_parallel = 4;
    engine = rig_engine(rig);
    for (i = 0; i < 12; i++) {
        acme_engine_order(engine, 0, rig_job(rig, "a.example b.example"));
    }
    rig_run(rig, engine);
    for (i = 0; i < 12; i++) {
        ck_assert_int_eq(rig->done_count[i], 1);
        ok += rig->results[i].err.status == APR_SUCCESS;
        ck_assert(rig->results[i].err.status == APR_SUCCESS
                  || rig->results[i].err.message[0]);
    }
    ck_assert_int_eq(rig->certificates, ok);
    ck_assert_int_le(rig_elapsed(rig), 3 * ACME_ORDER_DEADLINE
                     + apr_time_from_sec(60));
}
END_TEST

Suite *flow_suite(void)
{
    Suite *suite = suite_create("acme/flow");
    TCase *tc = unit_case(suite, "flow");

    tcase_add_test(tc, one_name_takes_eight_requests);
    tcase_add_test(tc, first_order_takes_ten);
    tcase_add_test(tc, steps_are_told);
    tcase_add_loop_test(tc, follows_the_status, 0,
                        sizeof(statuses) / sizeof(*statuses));
    tcase_add_test(tc, no_authorizations);
    tcase_add_test(tc, ready_without_authorizations);
    tcase_add_test(tc, authorization_twice);
    tcase_add_loop_test(tc, back_from_valid, 0, 4);
    tcase_add_test(tc, unknown_status);
    tcase_add_loop_test(tc, deadline, 0, 20);
    tcase_add_loop_test(tc, chaos, 0, 300);
    return suite;
}
