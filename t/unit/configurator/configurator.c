/* Looking at a configuration, and the end of a plan. */
#include "configurator/site.h"

#define HOST "<VirtualHost *:80>\nServerName a.test\n</VirtualHost>\n"

/* A plan of nothing has no changes, no steps and no warnings. */
START_TEST(nothing)
{
    site_one(HOST);
    unit_ok(configurator_finish(&site_result, site_plan, &err, pool));
    ck_assert_int_eq(site_result.changes->nelts, 0);
    ck_assert_int_eq(site_result.early->nelts, 0);
    ck_assert_int_eq(site_result.steps->nelts, 0);
    ck_assert_int_eq(site_result.warnings->nelts, 0);
    ck_assert_ptr_null(configurator_paste(site_plan));
}
END_TEST

/* A change says what it was computed from, so that a later edit by somebody
 * else is seen; a host that was looked at only is no change. */
START_TEST(parsed)
{
    const journal_change_t *change;
    plan_host_t *looked;
    int changed;

    tree = NULL;
    site_main(SITE_LISTEN);
    tree_put("sites/a.conf", HOST);
    tree_put("sites/b.conf", HOST);
    site_read();
    unit_ok(plan_host(&looked, site_plan, 1, &err));
    unit_ok(site_deploy(0, "a.test", &changed));
    unit_ok(configurator_finish(&site_result, site_plan, &err, pool));
    ck_assert_int_eq(site_result.changes->nelts, 1);
    change = &APR_ARRAY_IDX(site_result.changes, 0, journal_change_t);
    ck_assert_int_eq(change->op, JOURNAL_MODIFY);
    ck_assert_int_eq(change->step, JOURNAL_STEP_HOSTS);
    ck_assert_str_eq(change->path, tree_path("sites/a.conf"));
    ck_assert_int_eq(change->parsed_len, strlen(HOST));
    ck_assert_int_eq(memcmp(change->parsed, HOST, strlen(HOST)), 0);
    ck_assert_int_eq(memcmp(change->data, HOST, strlen(HOST)), 0);
}
END_TEST

/* Changes stand in the order in which they may go live; those that are
 * needed first stand in a list of their own as well. */
START_TEST(order)
{
    static const journal_step_t steps[] = {
        JOURNAL_STEP_ENABLE, JOURNAL_STEP_UNUSED, JOURNAL_STEP_PORTS,
        JOURNAL_STEP_UNUSED
    };
    journal_change_t new = { 0 };
    int i, changed;

    site_one(HOST);
    unit_ok(site_deploy(0, "a.test", &changed));
    for (i = 0; i < 4; i++) {
        new.op = JOURNAL_CREATE;
        new.step = steps[i];
        new.path = apr_psprintf(pool, "/%d", i);
        plan_add(site_plan, &new);
        if (i < 2) {
            plan_add_early(site_plan, &new);
        }
    }
    unit_ok(configurator_finish(&site_result, site_plan, &err, pool));
    ck_assert_int_eq(site_result.changes->nelts, 5);
    for (i = 1; i < 5; i++) {
        ck_assert_int_le(APR_ARRAY_IDX(site_result.changes, i - 1,
                                       journal_change_t).step,
                         APR_ARRAY_IDX(site_result.changes, i,
                                       journal_change_t).step);
    }
    ck_assert_str_eq(APR_ARRAY_IDX(site_result.changes, 0,
                                   journal_change_t).path, "/1");
    ck_assert_str_eq(APR_ARRAY_IDX(site_result.changes, 1,
                                   journal_change_t).path, "/3");
    ck_assert_int_eq(site_result.early->nelts, 2);
    ck_assert_str_eq(APR_ARRAY_IDX(site_result.early, 0,
                                   journal_change_t).path, "/1");
}
END_TEST

Suite *configurator_suite(void)
{
    Suite *suite = suite_create("configurator/configurator");
    TCase *tc = unit_case(suite, "configurator");

    tcase_add_test(tc, nothing);
    tcase_add_test(tc, parsed);
    tcase_add_test(tc, order);
    return suite;
}
