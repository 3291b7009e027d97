/* Which TLS host gets the certificate of which names. */
#include "configurator/site.h"

#define HTTP "<VirtualHost *:80>\nServerName a.test\n" \
    "ServerAlias b.test c.test\n</VirtualHost>\n"
#define TLS(name) "<VirtualHost *:443>\nServerName " name \
    "\nSSLEngine on\n</VirtualHost>\n"

static int changed;

static void with(const char *text)
{
    base_err_clear(&err);
    tree = NULL;
    site_main(SITE_LISTEN "Listen 443\n");
    tree_put("sites/a.conf", text);
    site_read();
}

/* Each TLS host of one of the names serves it; a name that none has goes to
 * the first. */
START_TEST(several_hosts)
{
    with(HTTP TLS("a.test") TLS("b.test"));
    unit_ok(site_deploy(0, "b.test a.test c.test", &changed));
    ck_assert_int_eq(changed, 1);
    site_check("");
    ck_assert_str_eq(site_text("sites/a.conf"), HTTP
        "<VirtualHost *:443>\nServerName a.test\nSSLEngine on\n"
        "</VirtualHost>\n"
        "<VirtualHost *:443>\nServerName b.test\nSSLEngine on\n"
        "ServerAlias c.test\nACMEDomain b.test a.test c.test\n"
        "</VirtualHost>\n");
    site_read();
    unit_ok(site_deploy(0, "b.test a.test c.test", &changed));
    ck_assert_int_eq(changed, 0);
}
END_TEST

/* A name of the certificate that the http host has not is no alias. */
START_TEST(foreign_name)
{
    with(HTTP TLS("a.test"));
    unit_ok(site_deploy(0, "a.test other.test", &changed));
    site_check("");
    ck_assert_ptr_null(strstr(site_text("sites/a.conf"),
                              "ServerAlias other.test"));
    ck_assert_ptr_nonnull(strstr(site_text("sites/a.conf"),
                                 "ACMEDomain a.test other.test"));
}
END_TEST

/* Asked twice in one plan it is done once; for other names it is refused. */
START_TEST(twice)
{
    with(HTTP);
    unit_ok(site_deploy(0, "a.test b.test", &changed));
    ck_assert_int_eq(changed, 1);
    unit_ok(site_deploy(0, "b.test", &changed));
    ck_assert_int_eq(changed, 0);
    unit_fails(site_deploy(0, "c.test", &changed), APR_EEXIST,
               "give all its names at once");
    ck_assert_int_eq(site_plan->twins->nelts, 1);
}
END_TEST

/* The TLS host of a name: itself, by name, by a pattern that comes first. */
START_TEST(tls_host)
{
    with(HTTP TLS("z.test\nServerAlias *.test") TLS("b.test"));
    ck_assert_int_eq(deploy_tls(site, host_at(site, 0), "A.test", 443),
                     CONFIGURATOR_NONE);
    ck_assert_int_eq(deploy_tls(site, host_at(site, 2), "b.test", 443), 2);
    with(TLS("z.test\nServerAlias *.test") HTTP);
    ck_assert_int_eq(deploy_tls(site, host_at(site, 1), "a.test", 443), 0);
    ck_assert_int_eq(deploy_tls(site, host_at(site, 1), "a.test", 444),
                     CONFIGURATOR_NONE);
}
END_TEST

/* What fails leaves nothing that would be written. */
START_TEST(failure)
{
    with(HTTP TLS("a.test"));
    tree_put("sites/a.conf", "# changed\n" HTTP TLS("a.test"));
    unit_fails(site_deploy(0, "a.test", &changed), APR_ENOTIMPL,
               "has changed");
    ck_assert_ptr_nonnull(configurator_paste(site_plan));
    unit_ok(configurator_finish(&site_result, site_plan, &err, pool));
    ck_assert_int_eq(site_result.changes->nelts, 0);
}
END_TEST

Suite *deploy_suite(void)
{
    Suite *suite = suite_create("configurator/deploy");
    TCase *tc = unit_case(suite, "deploy");

    tcase_add_test(tc, several_hosts);
    tcase_add_test(tc, foreign_name);
    tcase_add_test(tc, twice);
    tcase_add_test(tc, tls_host);
    tcase_add_test(tc, failure);
    return suite;
}
