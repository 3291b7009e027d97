/* Does httpd read what was planned, and nothing else? */
#include "configurator/site.h"

#define HOST(address, name) "<VirtualHost " address ">\nServerName " name \
    "\n</VirtualHost>\n"
#define TLS(address, name) "<VirtualHost " address ">\nServerName " name \
    "\nACMEDomain " name "\nSSLEngine on\n</VirtualHost>\n"

/* Two hosts; the twin of the first is planned. */
static void with_plan(void)
{
    int changed;

    base_err_clear(&err);
    tree = NULL;
    site_main(SITE_LISTEN "Listen 443\n");
    tree_put("x.pem", "x\n");
    tree_put("sites/a.conf", HOST("*:80", "a.test") HOST("*:80", "b.test"));
    site_read();
    unit_ok(site_deploy(0, "a.test", &changed));
}

/* Somebody writes this instead: the first difference is said. */
static void differs(const char *text, const char *how)
{
    with_plan();
    tree_put("sites/a.conf", text);
    unit_fails(configurator_expect(site_plan, site_dump(), &err, pool),
               APR_EGENERAL, how);
    ck_assert_int_eq(err.exit, BASE_EXIT_FAILED);
}

/* What was planned, however it is spelled. */
START_TEST(planned)
{
    with_plan();
    tree_put("sites/a.conf", HOST("*:80", "a.test")
             "# more\n<IfModule ssl_module>\n" TLS("*:443", "a.test")
             "</IfModule>\n" HOST("*:80", "b.test"));
    unit_ok(configurator_expect(site_plan, site_dump(), &err, pool));
}
END_TEST

/* Nothing was written, or less than planned. */
START_TEST(missing)
{
    differs(HOST("*:80", "a.test") HOST("*:80", "b.test"),
            "the twin of ");
    differs(HOST("*:80", "a.test"), "there is no TLS host for ");
    differs(HOST("*:80", "a.test") TLS("*:443", "a.test"),
            "a.conf:4 is no longer there");
    differs("", "a.conf:1 is no longer there");
}
END_TEST

/* The twin is not what it should be. */
START_TEST(twin_differs)
{
    differs(HOST("*:80", "a.test") TLS("*:443", "b.test")
            HOST("*:80", "b.test"), "has other names");
    differs(HOST("*:80", "a.test") TLS("127.0.0.1:443", "a.test")
            HOST("*:80", "b.test"), "has other addresses than *:443");
    differs(HOST("*:80", "a.test") HOST("*:443", "a.test")
            HOST("*:80", "b.test"), "SSLEngine of the twin");
    differs(HOST("*:80", "a.test")
            TLS("*:443", "a.test\nSSLCertificateFile \"@/x.pem\"")
            HOST("*:80", "b.test"), "its certificate of the twin");
    differs(HOST("*:80", "a.test")
            TLS("*:443", "a.test\nSSLUseStapling on")
            HOST("*:80", "b.test"), "SSLUseStapling of the twin");
    differs(HOST("*:80", "a.test")
            HOST("*:443", "a.test\nSSLEngine on") HOST("*:80", "b.test"),
            "a.test is not in the ACMEDomain");
}
END_TEST

/* Another host is not what it was. */
START_TEST(others_differ)
{
    differs(HOST("*:80", "a.test") TLS("*:443", "a.test")
            HOST("*:80", "c.test"), "(b.test) was there is ");
    differs(HOST("*:80", "a.test") TLS("*:443", "a.test")
            HOST("*:80", "b.test\nServerAlias c.test"),
            "a.conf:4 has other names");
    differs(HOST("*:80", "a.test") TLS("*:443", "a.test")
            HOST("*:81", "b.test"), "a.conf:4 has other addresses");
    differs(HOST("*:80", "a.test") TLS("*:443", "a.test")
            HOST("*:80", "b.test\nSSLEngine on"), "SSLEngine of ");
    differs(HOST("*:80", "b.test") HOST("*:80", "a.test")
            TLS("*:443", "a.test"), "(a.test) was there is ");
    differs(HOST("*:80", "a.test") TLS("*:443", "a.test")
            HOST("*:80", "b.test") HOST("*:80", "c.test"),
            "is one virtual host more");
}
END_TEST

/* A default host, a listener, a name of another certificate is lost. */
START_TEST(lost)
{
    with_plan();
    tree_put("sites/a.conf", HOST("*:80", "a.test") TLS("*:443", "a.test")
             HOST("*:80", "b.test"));
    site_main("Listen 80\n");
    unit_fails(configurator_expect(site_plan, site_dump(), &err, pool),
               APR_EGENERAL, "no longer listens on ");
    base_err_clear(&err);
    with_plan();
    site_main("Listen 80\nListen 443\nACMEDomain c.test\n");
    site_read();
    site_main("Listen 80\nListen 443\n");
    unit_fails(configurator_expect(site_plan, site_dump(), &err, pool),
               APR_EGENERAL, "c.test is in no ACMEDomain any more");
}
END_TEST

/* A name that another TLS host had. */
START_TEST(answer_lost)
{
    int changed;

    tree = NULL;
    base_err_clear(&err);
    site_main(SITE_LISTEN "Listen 443\n");
    tree_put("sites/a.conf", TLS("*:443", "d.test")
             HOST("*:80", "a.test\nServerAlias b.test")
             TLS("*:443", "b.test"));
    site_read();
    unit_ok(site_deploy(1, "a.test", &changed));
    ck_assert_int_eq(APR_ARRAY_IDX(site_plan->twins, 0,
                                   plan_new_t *)->behind, 2);
    APR_ARRAY_IDX(site_plan->twins, 0, plan_new_t *)->behind = 1;
    tree_put("sites/a.conf", TLS("*:443", "d.test")
             HOST("*:80", "a.test\nServerAlias b.test")
             "<VirtualHost *:443>\nServerName a.test\n"
             "ServerAlias b.test\nACMEDomain a.test\nSSLEngine on\n"
             "</VirtualHost>\n" TLS("*:443", "b.test"));
    unit_fails(configurator_expect(site_plan, site_dump(), &err, pool),
               APR_EGENERAL, "b.test would no longer be answered by ");
}
END_TEST

/* A planned listener that is not there. */
START_TEST(not_listening)
{
    int changed;

    site_one(HOST("*:80", "a.test"));
    unit_ok(site_deploy(0, "a.test", &changed));
    site_write("");
    unit_fails(configurator_expect(site_plan, site_dump(), &err, pool),
               APR_EGENERAL, "nothing listens on port 443");
}
END_TEST

/* A plan of nothing expects nothing new. */
START_TEST(nothing)
{
    site_one(HOST("*:80", "a.test"));
    unit_ok(configurator_expect(site_plan, site_config, &err, pool));
    tree_put("sites/b.conf", HOST("*:80", "b.test"));
    unit_fails(configurator_expect(site_plan, site_dump(), &err, pool),
               APR_EGENERAL, "b.conf:1 is one virtual host more");
}
END_TEST

Suite *expect_suite(void)
{
    Suite *suite = suite_create("configurator/expect");
    TCase *tc = unit_case(suite, "expect");

    tcase_add_test(tc, planned);
    tcase_add_test(tc, missing);
    tcase_add_test(tc, twin_differs);
    tcase_add_test(tc, others_differ);
    tcase_add_test(tc, lost);
    tcase_add_test(tc, answer_lost);
    tcase_add_test(tc, not_listening);
    tcase_add_test(tc, nothing);
    return suite;
}
