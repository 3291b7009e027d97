/* The ACMEDomain that the names of a certificate are in. */
#include "configurator/site.h"

static int insert, changed;

/* A host with these lines; and a main server with those. */
static void with(const char *main, const char *host)
{
    base_err_clear(&err);
    tree = NULL;
    site_main(apr_pstrcat(pool, SITE_LISTEN, main, NULL));
    tree_put("snippet", "");
    tree_put("sites/a.conf", apr_pstrcat(pool, "<VirtualHost *:80>\n"
             "ServerName a.test\nServerAlias b.test\n", host,
             "</VirtualHost>\n", NULL));
    site_read();
}

static apr_status_t ask(const char *names)
{
    insert = changed = 0;
    return domain_plan(site_plan, &insert, &changed, site_words(names),
                       &err);
}

/* Names that are in none get a new one, once. */
START_TEST(new_domain)
{
    with("", "");
    unit_ok(ask("a.test b.test"));
    ck_assert_int_eq(insert, 1);
    ck_assert_int_eq(changed, 1);
    ck_assert_int_eq(site_plan->acme, 1);
    unit_ok(ask("B.test a.test"));
    ck_assert_int_eq(insert, 0);
    ck_assert_int_eq(changed, 0);
    unit_ok(ask("b.test"));
    ck_assert_int_eq(insert, 0);
    ck_assert_int_eq(site_plan->domains->nelts, 1);
}
END_TEST

/* Those of one that is there need nothing. */
START_TEST(there)
{
    with("ACMEDomain A.test b.test c.test\n", "");
    unit_ok(ask("c.test a.test"));
    ck_assert_int_eq(insert + changed, 0);
    ck_assert_int_eq(site_plan->domains->nelts, 0);
}
END_TEST

/* A name has one certificate: no two are put together. */
START_TEST(two)
{
    with("ACMEDomain a.test\nACMEDomain b.test\n", "");
    unit_fails(ask("a.test b.test"), APR_EEXIST, "a.test and b.test");
    with("ACMEDomain a.test\n", "");
    unit_ok(ask("b.test"));
    unit_fails(ask("a.test b.test"), APR_EEXIST, "one by one");
    with("", "");
    unit_ok(ask("a.test"));
    unit_fails(ask("a.test b.test"), APR_EEXIST, "the other names");
}
END_TEST

/* One without arguments has the host's names, and is written out. */
START_TEST(without_arguments)
{
    with("", "ACMEDomain\n");
    unit_ok(ask("a.test c.test"));
    ck_assert_int_eq(insert, 0);
    ck_assert_int_eq(changed, 1);
    site_check("");
    ck_assert(strstr(site_text("sites/a.conf"),
                     "\nACMEDomain a.test b.test c.test\n"));
}
END_TEST

/* Where it does not stand in a file of its host, its names are told. */
START_TEST(elsewhere)
{
    with("", "Include \"@/snippet\"\n");
    tree_put("snippet", "ACMEDomain a.test\n");
    site_read();
    unit_fails(ask("a.test b.test"), APR_ENOTIMPL, "snippet:1): give it the "
               "names a.test b.test by hand");
    with("<Macro d $n>\nACMEDomain $n\n</Macro>\nUse d a.test\n", "");
    unit_fails(ask("a.test b.test"), APR_ENOTIMPL, "made by a macro");
    with("<ACMEDomain a.test>\n</ACMEDomain>\n", "");
    unit_fails(ask("a.test b.test"), APR_ENOTIMPL, "by a section");
}
END_TEST

Suite *domain_suite(void)
{
    Suite *suite = suite_create("configurator/domain");
    TCase *tc = unit_case(suite, "domain");

    tcase_add_test(tc, new_domain);
    tcase_add_test(tc, there);
    tcase_add_test(tc, two);
    tcase_add_test(tc, without_arguments);
    tcase_add_test(tc, elsewhere);
    return suite;
}
