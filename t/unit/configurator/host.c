/* The document's hosts as C sees them. */
#include "configurator/site.h"

static const host_t *host;

static void one(const char *text)
{
    site_one(text);
    host = host_at(site, 0);
}

/* "*" is one address; IPv4 in IPv6's clothes is IPv4. */
START_TEST(addresses)
{
    one("<VirtualHost *:80 127.0.0.1:80 127.0.0.1:80 *:81>\n"
        "ServerName a.test\n</VirtualHost>\n");
    ck_assert_int_eq(host->addresses->nelts, 3);
    ck_assert_ptr_null(APR_ARRAY_IDX(host->addresses, 0,
                                     address_t).address);
    ck_assert_str_eq(APR_ARRAY_IDX(host->addresses, 1, address_t).text,
                     "127.0.0.1");
    ck_assert_int_eq(host_has_port(host, 81), 1);
    ck_assert_int_eq(host_has_port(host, 82), 0);
    ck_assert_ptr_null(address_plain("::"));
    ck_assert_ptr_null(address_plain("0.0.0.0"));
    ck_assert_str_eq(address_plain("::ffff:192.0.2.1"), "192.0.2.1");
    ck_assert_str_eq(address_plain("::ffff:1"), "::ffff:1");
    one("<VirtualHost *>\nServerName a.test\n</VirtualHost>\n");
    ck_assert_int_eq(host_has_port(host, 8080), 1);
}
END_TEST

/* Patterns have * and ?, and no other character means more than itself. */
START_TEST(patterns)
{
    static const struct { const char *pattern, *name; int has; } cases[] = {
        { "*.a.test", "x.a.test", 1 }, { "*.a.test", "x.y.a.test", 1 },
        { "*.a.test", "a.test", 0 }, { "?.a.test", "x.a.test", 1 },
        { "?.a.test", ".a.test", 0 }, { "*", "any", 1 },
        { "*a*b*", "xxayybzz", 1 }, { "*a*b*", "xxbyyazz", 0 },
        { "a*test", "a.test", 1 }, { "a*test", "a.tests", 0 },
        { "[a]*.test", "a.test", 0 }, { "**.a", "x.a", 1 }
    };
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        one(apr_pstrcat(pool, "<VirtualHost *:80>\nServerName z.test\n"
                        "ServerAlias ", cases[i].pattern,
                        "\n</VirtualHost>\n", NULL));
        ck_assert_int_eq(host_has_name(host, cases[i].name, 1),
                         cases[i].has);
        ck_assert_int_eq(host_has_name(host, cases[i].name, 0), 0);
    }
}
END_TEST

/* A host without ServerName has none, and answers to the main server's. */
START_TEST(nameless)
{
    one("<VirtualHost *:80>\n</VirtualHost>\n");
    ck_assert_ptr_null(host->server_name);
    ck_assert_int_eq(host_has_name(host, "main.test", 0), 1);
}
END_TEST

/* Directives in order, with the section around them. */
START_TEST(directives)
{
    const directive_t *d;

    one("<VirtualHost *:80>\nServerName a.test\n"
        "Redirect /x https://a.test/\n"
        "<Location /y>\n<If \"true\">\nredirect https://a.test/\n</If>\n"
        "</Location>\n</VirtualHost>\n");
    d = &APR_ARRAY_IDX(host->directives, 0, directive_t);
    ck_assert_str_eq(d->within, "");
    ck_assert_int_eq(d->conditional, 0);
    ck_assert_int_eq(d->line, 3);
    ck_assert_int_eq(host_directive(host, "redirect", 0), 0);
    ck_assert_int_eq(host_directive(host, "Redirect", 1), 1);
    ck_assert_int_eq(host_directive(host, "Redirect", 2), -1);
    ck_assert_int_eq(d[1].conditional, 1);
    ck_assert_str_eq(APR_ARRAY_IDX(directive_words(d, pool), 1,
                                   const char *), "https://a.test/");
}
END_TEST

/* Where they are, for people. */
START_TEST(places)
{
    one("<Macro vh $n>\n<VirtualHost *:80>\nServerName $n\n</VirtualHost>\n"
        "</Macro>\nUse vh a.test\n");
    ck_assert_int_eq(host->macro, 1);
    ck_assert_ptr_null(host->file);
    ck_assert_ptr_nonnull(strstr(host_place(host, pool), "macro 'vh'"));
    ck_assert_str_eq(configurator_place(site, CONFIGURATOR_MAIN, pool),
                     "the main server");
}
END_TEST

/* The domain of a name, in any case of the document. */
START_TEST(domains)
{
    one("<VirtualHost *:80>\nServerName a.test\nACMEDomain A.test b.test\n"
        "</VirtualHost>\n");
    ck_assert_ptr_nonnull(domain_of(site, "b.test"));
    ck_assert_ptr_eq(domain_of(site, "a.test"), domain_of(site, "b.test"));
    ck_assert_ptr_null(domain_of(site, "c.test"));
}
END_TEST

Suite *host_suite(void)
{
    Suite *suite = suite_create("configurator/host");
    TCase *tc = unit_case(suite, "host");

    tcase_add_test(tc, addresses);
    tcase_add_test(tc, patterns);
    tcase_add_test(tc, nameless);
    tcase_add_test(tc, directives);
    tcase_add_test(tc, places);
    tcase_add_test(tc, domains);
    return suite;
}
