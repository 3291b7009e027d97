#include "rig.h"

#include <apr_strings.h>

Suite *flow_suite(void);

static void assert_ok(const acme_result_t *result)
{
    ck_assert_msg(result->err.status == APR_SUCCESS, "%s",
                  result->err.message);
}

/* With an account and a cached directory a certificate for one name takes
 * eight requests, and no more time than their round trips and the CA's two
 * pauses of 50 ms less what the round trip took already. */
START_TEST(one_name_takes_eight_requests)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    assert_ok(rig_order(rig, "a.example"));
    ck_assert_str_eq(rig->log, "nonce new-order authz chall order finalize "
                     "order cert");
    ck_assert_int_eq(rig->results[0].requests, 8);
    ck_assert_int_eq(rig_elapsed(rig), apr_time_from_msec(8 * 10 + 2 * 40));
    ck_assert_int_eq(rig->results[0].elapsed, rig_elapsed(rig));
    ck_assert_int_eq(rig->certificates, 1);
    ck_assert_int_eq(rig->saves, 3);
    ck_assert_int_eq(rig->forgets, 1);
    ck_assert_ptr_null(rig->saved[0]);
    ck_assert_int_eq(rig->puts, 1);
    ck_assert_int_eq(rig->removes, 1);
    ck_assert_int_eq(rig->bad_requests, 0);
}
END_TEST

Suite *flow_suite(void)
{
    Suite *suite = suite_create("acme/flow");
    TCase *tc = unit_case(suite, "flow");

    tcase_add_test(tc, one_name_takes_eight_requests);
    return suite;
}
