/* What a plan holds while it grows. */
#include "configurator/site.h"

#define HOST "<VirtualHost *:80>\nServerName a.test\n</VirtualHost>\n"

/* A file is open once, by whatever path; the later step counts. */
START_TEST(files)
{
    plan_file_t *a, *b;

    site_one(HOST);
    tree_link("link", "sites/a.conf");
    unit_ok(plan_file(&a, site_plan, tree_path("sites/a.conf"),
                      JOURNAL_STEP_HOSTS, &err));
    unit_ok(plan_file(&b, site_plan, tree_path("link"),
                      JOURNAL_STEP_PORTS, &err));
    ck_assert_ptr_eq(a, b);
    ck_assert_int_eq(a->step, JOURNAL_STEP_HOSTS);
    unit_fails(plan_file(&b, site_plan, tree_path("no/such"),
                         JOURNAL_STEP_HOSTS, &err), APR_ENOENT, "no/such");
}
END_TEST

/* A host is open once, too. */
START_TEST(hosts)
{
    plan_host_t *a, *b;

    site_one(HOST);
    ck_assert_ptr_null(plan_host_find(site_plan, 0));
    unit_ok(plan_host(&a, site_plan, 0, &err));
    unit_ok(plan_host(&b, site_plan, 0, &err));
    ck_assert_ptr_eq(a, b);
    ck_assert_ptr_eq(plan_host_find(site_plan, 0), a);
    ck_assert_ptr_null(plan_new_find(site_plan, 0));
}
END_TEST

/* Wishes and words are kept once each. */
START_TEST(wishes)
{
    site_one(HOST);
    plan_want_listen(site_plan, NULL, 443);
    plan_want_listen(site_plan, "127.0.0.1", 443);
    plan_want_listen(site_plan, NULL, 443);
    plan_want_listen(site_plan, apr_pstrdup(pool, "127.0.0.1"), 443);
    plan_want_listen(site_plan, NULL, 8443);
    ck_assert_int_eq(site_plan->listens->nelts, 3);
    plan_want_module(site_plan, "ssl", "first");
    plan_want_module(site_plan, "ssl", "second");
    ck_assert_str_eq(apr_hash_get(site_plan->modules, "ssl",
                                  APR_HASH_KEY_STRING), "first");
    plan_step(site_plan, "%d", 1);
    plan_step(site_plan, "%s", "1");
    plan_warn(site_plan, "2");
    ck_assert_int_eq(site_plan->steps->nelts, 1);
    ck_assert_int_eq(site_plan->warnings->nelts, 1);
}
END_TEST

/* A refusal is one sentence; what was to be pasted before is forgotten. */
START_TEST(refusal)
{
    site_one(HOST);
    plan_refuse(site_plan, "text", &err, "no");
    ck_assert_str_eq(configurator_paste(site_plan), "text");
    base_err_clear(&err);
    ck_assert_int_eq(plan_refuse(site_plan, NULL, &err, "%s", "why"),
                     APR_ENOTIMPL);
    ck_assert_str_eq(err.message, "why");
    ck_assert_int_eq(err.exit, BASE_EXIT_FAILED);
    ck_assert_ptr_null(configurator_paste(site_plan));
}
END_TEST

/* The line of a directive that httpd told. */
START_TEST(lines)
{
    directive_t d = { "ServerName", "a.test", "", 3, "", 0 };
    plan_file_t *file;

    site_one(HOST "servername \\\nb.test\n");
    unit_ok(plan_file(&file, site_plan, tree_path("sites/a.conf"),
                      JOURNAL_STEP_HOSTS, &err));
    ck_assert_int_eq(plan_line_of(file, &d), -1);
    d.line = 2;
    ck_assert_int_eq(plan_line_of(file, &d), 1);
    d.line = 5;
    ck_assert_int_eq(plan_line_of(file, &d), 3);
}
END_TEST

Suite *plan_suite(void)
{
    Suite *suite = suite_create("configurator/plan");
    TCase *tc = unit_case(suite, "plan");

    tcase_add_test(tc, files);
    tcase_add_test(tc, hosts);
    tcase_add_test(tc, wishes);
    tcase_add_test(tc, refusal);
    tcase_add_test(tc, lines);
    return suite;
}
