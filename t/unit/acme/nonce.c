#include "rig.h"

#include "acme/engine.h"

#include <apr_strings.h>

Suite *nonce_suite(void);

/* A nonce is of the base64url alphabet, neither empty nor endless. */
START_TEST(what_a_nonce_is)
{
    static const char *const good[] = {
        "a", "A-_09z", "oFvnlFP1wIhRlYS2jTaXbA"
    };
    static const char *const bad[] = {
        "", "a b", "a\n", "abc=", "a+b", "a/b", "a\"b", "\xc3\xa4", "a,b"
    };
    char *text = apr_pcalloc(pool, ACME_NONCE_LEN_MAX + 2);
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        ck_assert(acme_nonce_valid(good[i]));
    }
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ck_assert(!acme_nonce_valid(bad[i]));
    }
    ck_assert(!acme_nonce_valid(NULL));
    memset(text, 'a', ACME_NONCE_LEN_MAX);
    ck_assert(acme_nonce_valid(text));
    text[ACME_NONCE_LEN_MAX] = 'a';
    ck_assert(!acme_nonce_valid(text));
}
END_TEST

/* The pool gives the newest nonce first and never grows beyond its bound;
 * what is no nonce does not get in. */
START_TEST(pool_is_bounded)
{
    acme_server_t *server = apr_pcalloc(pool, sizeof(*server));
    char nonce[ACME_NONCE_LEN_MAX + 1];
    int i;

    ck_assert(!acme_nonce_take(server, nonce));
    acme_nonce_keep(server, NULL);
    acme_nonce_keep(server, "no nonce");
    ck_assert_int_eq(server->nonce_count, 0);
    for (i = 0; i < ACME_NONCES_MAX + 10; i++) {
        acme_nonce_keep(server, apr_psprintf(pool, "n%d", i));
    }
    ck_assert_int_eq(server->nonce_count, ACME_NONCES_MAX);
    ck_assert(acme_nonce_take(server, nonce));
    ck_assert_str_eq(nonce, apr_psprintf(pool, "n%d", ACME_NONCES_MAX - 1));
}
END_TEST

/* A CA that refuses half of all nonces still issues, order after order,
 * and nobody notices. */
START_TEST(half_of_all_nonces_refused)
{
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine;
    int i;

    rig_known(rig);
    rig->nonce_reject = 50;
    engine = rig_engine(rig);
    for (i = 0; i < 100; i++) {
        acme_engine_order(engine, 0, rig_job(rig, apr_psprintf(
            pool, "n%d.example", i)));
    }
    rig_run(rig, engine);
    for (i = 0; i < 100; i++) {
        rig_ok(&rig->results[i]);
    }
    ck_assert_int_eq(rig->certificates, 100);
    ck_assert_int_le(rig_count(rig, "nonce"), 20);
}
END_TEST

/* A CA that refuses every nonce does not keep us for ever: 31 tries, then
 * the order is left for a later run. */
START_TEST(all_nonces_refused)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->nonce_reject = 100;
    rig_fails(rig_order(rig, "a.example"), BASE_EXIT_BUSY,
              "the CA refused nonce after nonce");
    ck_assert_int_eq(rig_count(rig, "new-order"), ACME_BAD_NONCES_MAX + 1);
    ck_assert_int_eq(rig_count(rig, "nonce"), 1);
}
END_TEST

/* A badNonce error must be answered with the nonce it carries (RFC 8555
 * 6.5); where it carries none, or none that can be one, a new one is
 * fetched. */
START_TEST(bad_nonce_without_nonce)
{
    static const char *const nonces[] = { "", "no nonce!" };
    rig_rule_t rules[] = {
        { .on = "new-order", .to = 1, .status = 400, .type = "badNonce" },
        { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rules[0].nonce = nonces[_i];
    rig_ok(rig_order_rules(rig, "a.example", rules));
    ck_assert_int_eq(rig_count(rig, "nonce"), 2);
    ck_assert_int_eq(rig_count(rig, "new-order"), 2);
}
END_TEST

/* Replies without a nonce, or with one that is none, cost a newNonce
 * request each and nothing else. */
START_TEST(replies_without_nonce)
{
    static const char *const nonces[] = { "", "bad nonce", "x=" };
    rig_rule_t rules[] = {
        { .on = "new-order" }, { .on = "authz" }, { .on = "chall" },
        { .on = "order" }, { .on = "finalize" }, { 0 }
    };
    rig_t *rig = rig_make(pool);
    int i;

    rig_known(rig);
    for (i = 0; i < 5; i++) {
        rules[i].nonce = nonces[_i];
    }
    rig_ok(rig_order_rules(rig, "a.example", rules));
    ck_assert_int_eq(rig_count(rig, "nonce"), 7);
    ck_assert_int_eq(rig->bad_requests, 0);
}
END_TEST

/* newNonce without a nonce is an error that says so. */
START_TEST(new_nonce_without_nonce)
{
    static const char *const nonces[] = { "", "not one" };
    rig_rule_t rules[] = { { .on = "nonce" }, { 0 } };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rules[0].nonce = nonces[_i];
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_FAILED,
              "https://ca.example/nonce has no usable Replay-Nonce");
    ck_assert_str_eq(rig->log, "nonce");
}
END_TEST

/* Twenty orders at once fetch twenty nonces at once, in one round trip;
 * after that the replies bring them, even for the orders that follow. */
START_TEST(parallel_orders_fetch_in_parallel)
{
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine;
    int i;

    rig_known(rig);
    engine = rig_engine(rig);
    for (i = 0; i < 60; i++) {
        acme_engine_order(engine, 0, rig_job(rig, apr_psprintf(
            pool, "n%d.example", i)));
    }
    rig_run(rig, engine);
    ck_assert_int_eq(rig->certificates, 60);
    ck_assert_int_eq(rig_count(rig, "nonce"), 20);
    ck_assert_int_eq(strncmp(rig->log, "nonce nonce nonce nonce nonce nonce "
                             "nonce nonce nonce nonce nonce nonce nonce "
                             "nonce nonce nonce nonce nonce nonce nonce "
                             "new-order", 129), 0);
}
END_TEST

/* If one of several newNonce requests fails, one order pays for it. */
START_TEST(one_of_many_fails)
{
    static const rig_rule_t rules[] = {
        { .on = "nonce", .from = 3, .to = 3, .status = 403,
          .type = "unauthorized" },
        { 0 }
    };
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine;
    int i, failed = 0;

    rig_known(rig);
    rig->rules = rules;
    engine = rig_engine(rig);
    for (i = 0; i < 5; i++) {
        acme_engine_order(engine, 0, rig_job(rig, "a.example"));
    }
    rig_run(rig, engine);
    for (i = 0; i < 5; i++) {
        ck_assert_int_eq(rig->done_count[i], 1);
        failed += rig->results[i].err.status != APR_SUCCESS;
    }
    ck_assert_int_le(failed, 1);
    ck_assert_int_eq(rig->certificates, 5 - failed);
}
END_TEST

Suite *nonce_suite(void)
{
    Suite *suite = suite_create("acme/nonce");
    TCase *tc = unit_case(suite, "nonce");

    tcase_add_test(tc, what_a_nonce_is);
    tcase_add_test(tc, pool_is_bounded);
    tcase_add_test(tc, half_of_all_nonces_refused);
    tcase_add_test(tc, all_nonces_refused);
    tcase_add_loop_test(tc, bad_nonce_without_nonce, 0, 2);
    tcase_add_loop_test(tc, replies_without_nonce, 0, 3);
    tcase_add_loop_test(tc, new_nonce_without_nonce, 0, 2);
    tcase_add_test(tc, parallel_orders_fetch_in_parallel);
    tcase_add_test(tc, one_of_many_fails);
    return suite;
}
