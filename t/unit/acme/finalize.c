#include "rig.h"

#include "acme/engine.h"

Suite *finalize_suite(void);

/* A CA that is done when finalize returns is not looked at again. */
START_TEST(valid_at_once)
{
    static const rig_rule_t rules[] = {
        { .on = "finalize", .patch = "{\"status\":\"valid\",\"certificate\":"
          "\"https://ca.example/cert/1\"}" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_ok(rig_order_rules(rig, "a.example", rules));
    ck_assert_str_eq(rig->log, "nonce new-order authz chall order finalize "
                     "cert");
}
END_TEST

/* orderNotReady: the order is looked at again and its status followed, be
 * it ready (finalize again), still pending, or further than we know. */
START_TEST(not_ready)
{
    static const struct {
        const char *status, *log;
    } rows[] = {
        { "{}", "nonce new-order authz chall order finalize order finalize "
          "order cert" },
        { "{\"status\":\"pending\"}", "nonce new-order authz chall order "
          "finalize order order finalize order cert" }
    };
    rig_rule_t rules[] = {
        { .on = "finalize", .to = 1, .status = 403,
          .type = "orderNotReady" },
        { .on = "order", .from = 2, .to = 2 }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rules[1].patch = rows[_i].status;
    rig_ok(rig_order_rules(rig, "a.example", rules));
    ck_assert_str_eq(rig->log, rows[_i].log);
}
END_TEST

START_TEST(not_ready_because_valid)
{
    static const rig_rule_t rules[] = {
        { .on = "finalize", .status = 403, .type = "orderNotReady" },
        { .on = "order", .from = 2, .patch = "{\"status\":\"valid\","
          "\"certificate\":\"https://ca.example/cert/1\"}" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_ok(rig_order_rules(rig, "a.example", rules));
    ck_assert_int_eq(rig_count(rig, "finalize"), 1);
}
END_TEST

/* A CA that shows the order ready and says orderNotReady for ever is
 * believed after three tries. */
START_TEST(never_ready)
{
    static const rig_rule_t rules[] = {
        { .on = "finalize", .status = 403, .type = "orderNotReady" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_FAILED,
              "the order is not ready");
    ck_assert_int_eq(rig_count(rig, "finalize"), ACME_FINALIZES_MAX);
}
END_TEST

/* A refused CSR ends the job; order and key are forgotten, since the same
 * request would be refused again. */
START_TEST(bad_csr)
{
    static const rig_rule_t rules[] = {
        { .on = "finalize", .status = 400, .type = "badCSR" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_REFUSED,
              "does not accept the certificate request");
    ck_assert_int_eq(rig->forgets, 1);
}
END_TEST

/* A host that cannot make the CSR: nothing is sent, the order stays. */
START_TEST(no_csr)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->fail = "csr";
    rig_fails(rig_order(rig, "a.example"), BASE_EXIT_FAILED, "csr says no");
    ck_assert_int_eq(rig_count(rig, "finalize"), 0);
    ck_assert_ptr_nonnull(rig->saved[0]);
}
END_TEST

Suite *finalize_suite(void)
{
    Suite *suite = suite_create("acme/finalize");
    TCase *tc = unit_case(suite, "finalize");

    tcase_add_test(tc, valid_at_once);
    tcase_add_loop_test(tc, not_ready, 0, 2);
    tcase_add_test(tc, not_ready_because_valid);
    tcase_add_test(tc, never_ready);
    tcase_add_test(tc, bad_csr);
    tcase_add_test(tc, no_csr);
    return suite;
}
