#include "rig.h"

Suite *certificate_suite(void);

/* The host decides whether a chain is kept. One that does not fit ends the
 * order for good: it would never fit. */
START_TEST(refused_by_the_host)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->fail = "certificate";
    rig->fail_status = APR_EINVAL;
    rig_fails(rig_order(rig, "a.example"), BASE_EXIT_FAILED,
              "certificate says no");
    ck_assert_int_eq(rig->forgets, 1);
}
END_TEST

/* A full disk is another matter: the order stays, and the next run fetches
 * the same certificate. */
START_TEST(not_kept)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->fail = "certificate";
    rig->fail_status = APR_ENOSPC;
    rig_fails(rig_order(rig, "a.example"), BASE_EXIT_FAILED,
              "certificate says no");
    ck_assert_ptr_nonnull(rig->saved[0]);
}
END_TEST

/* Whatever the content type says, the bytes are what is handed on. */
START_TEST(any_content_type)
{
    static const rig_rule_t rules[] = {
        { .on = "cert", .content_type = "text/plain" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_ok(rig_order_rules(rig, "a.example", rules));
    ck_assert_int_eq(rig->certificates, 1);
}
END_TEST

/* The kept order is forgotten last; if that fails, the certificate is
 * there all the same, and the failure is told on the way. */
START_TEST(not_forgotten)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->fail = "forget";
    rig_ok(rig_order(rig, "a.example"));
    ck_assert_ptr_nonnull(strstr(rig->steps, "forget says no"));
}
END_TEST

Suite *certificate_suite(void)
{
    Suite *suite = suite_create("acme/certificate");
    TCase *tc = unit_case(suite, "certificate");

    tcase_add_test(tc, refused_by_the_host);
    tcase_add_test(tc, not_kept);
    tcase_add_test(tc, any_content_type);
    tcase_add_test(tc, not_forgotten);
    return suite;
}
