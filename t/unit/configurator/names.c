/* All names that are served by plain http. */
#include "configurator/site.h"

#define HOST(address, name) "<VirtualHost " address ">\nServerName " name \
    "\n</VirtualHost>\n"

static apr_array_header_t *list;

static const configurator_name_t *name_at(int i)
{
    ck_assert_int_lt(i, list->nelts);
    return &APR_ARRAY_IDX(list, i, configurator_name_t);
}

/* The names of a configuration with one file are these, in this order. */
static void names_are(const char *listens, const char *text,
                      const char *names)
{
    const char *found = "";
    int i;

    tree = NULL;
    site_main(listens);
    tree_put("sites/a.conf", text);
    site_read();
    list = configurator_names(site, pool);
    for (i = 0; i < list->nelts; i++) {
        found = apr_pstrcat(pool, found, i ? " " : "", name_at(i)->name,
                            NULL);
    }
    ck_assert_str_eq(found, names);
}

/* Sorted, lower case, each once; aliases with them. */
START_TEST(sorted)
{
    names_are(SITE_LISTEN, HOST("*:80", "B.test\nServerAlias www.b.test C.b")
              HOST("*:80", "a.test\nServerAlias b.test"),
              "a.test b.test c.b www.b.test");
    ck_assert_int_eq(name_at(0)->host, 1);
    ck_assert_int_eq(name_at(1)->host, 0);
    ck_assert_int_eq(name_at(1)->tls, CONFIGURATOR_NONE);
    ck_assert_int_eq(name_at(1)->managed, 0);
}
END_TEST

/* Nothing that no CA would certify; A-labels are names. */
START_TEST(certifiable)
{
    names_are(SITE_LISTEN,
              HOST("*:80", "localhost\nServerAlias *.a.test 127.0.0.1 "
                   "xn--bcher-kva.test a_b.test ab--c.test a?.test -a.test"),
              "xn--bcher-kva.test");
}
END_TEST

/* Who has TLS, and whether by the module's hand. */
START_TEST(tls)
{
    names_are(SITE_LISTEN "Listen 443\n",
              HOST("*:80", "a.test\nServerAlias b.test c.test")
              HOST("*:443", "a.test\nSSLEngine on\nACMEDomain a.test")
              HOST("*:443", "b.test\nSSLEngine on\n"
                   "SSLCertificateFile \"@/sites/a.conf\"")
              HOST("*:443", "only.test\nSSLEngine on"),
              "a.test b.test c.test");
    ck_assert_int_eq(name_at(0)->tls, 1);
    ck_assert_int_eq(name_at(0)->managed, 1);
    ck_assert_int_eq(name_at(0)->certified, 0);
    ck_assert_int_eq(name_at(1)->tls, 2);
    ck_assert_int_eq(name_at(1)->managed, 0);
    ck_assert_int_eq(name_at(1)->certified, 1);
    ck_assert_int_eq(name_at(2)->tls, CONFIGURATOR_NONE);
    ck_assert_int_eq(name_at(2)->certified, 0);
}
END_TEST

/* The main server's where it serves; hosts on other ports as well. */
START_TEST(others)
{
    names_are(SITE_LISTEN, "", "main.test");
    ck_assert_int_eq(name_at(0)->host, CONFIGURATOR_MAIN);
    names_are(SITE_LISTEN "Listen 8080\n", HOST("*:80", "a.test")
              HOST("*:8080", "b.test"), "a.test b.test");
}
END_TEST

/* Many hosts take no time that grows with their square. */
START_TEST(many)
{
    apr_time_t begun;
    const char *text = "";
    int i;

    for (i = 0; i < 1000; i++) {
        text = apr_psprintf(pool, "%s<VirtualHost *:80>\nServerName "
                            "h%d.test\nServerAlias www.h%d.test\n"
                            "</VirtualHost>\n", i % 100 ? text
                            : apr_pstrdup(pool, text), i, i);
    }
    site_one(text);
    begun = apr_time_now();
    list = configurator_names(site, pool);
    ck_assert_int_eq(list->nelts, 2000);
    ck_assert_int_lt(apr_time_now() - begun, APR_USEC_PER_SEC);
}
END_TEST

Suite *names_suite(void)
{
    Suite *suite = suite_create("configurator/names");
    TCase *tc = unit_case(suite, "names");

    tcase_add_test(tc, sorted);
    tcase_add_test(tc, certifiable);
    tcase_add_test(tc, tls);
    tcase_add_test(tc, others);
    tcase_add_test(tc, many);
    return suite;
}
