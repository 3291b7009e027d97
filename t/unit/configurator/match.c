/* httpd's own matching: address, port, name. What is found here httpd -S
 * says as well: t/roots.t. */
#include "configurator/site.h"

#define HOST(address, name) "<VirtualHost " address ">\nServerName " name \
    "\n</VirtualHost>\n"

static void with(const char *listens, const char *text)
{
    tree = NULL;
    site_main(listens);
    tree_put("sites/a.conf", text);
    site_read();
}

static const spot_t *spot_of(int host, int address, int port)
{
    return match_spot(site, &APR_ARRAY_IDX(host_at(site, host)->addresses,
                                           address, address_t), port);
}

/* A host of every port gives way to those of this very port. */
START_TEST(spots)
{
    with(SITE_LISTEN, HOST("*", "a.test") HOST("*:80", "b.test")
         HOST("127.0.0.1", "c.test") HOST("_default_:80", "d.test"));
    ck_assert_ptr_null(spot_of(0, 0, 80));
    ck_assert_ptr_nonnull(spot_of(0, 0, 443));
    ck_assert_int_eq(spot_of(1, 0, 80)->hosts->nelts, 2);
    ck_assert_ptr_null(spot_of(1, 0, 443));
    ck_assert_str_eq(spot_of(2, 0, 80)->address, "127.0.0.1");
    ck_assert_ptr_eq(spot_of(3, 0, 80), match_exact(site, NULL, 80));
    ck_assert_ptr_null(match_exact(site, "127.0.0.1", 80));
}
END_TEST

/* Where a connection goes: address and port, address, all, the main
 * server. */
START_TEST(connections)
{
    with(SITE_LISTEN, HOST("127.0.0.1:80", "a.test")
         HOST("127.0.0.1", "b.test") HOST("*:443", "c.test"));
    ck_assert_int_eq(match_connection(site, "127.0.0.1", 80)->port, 80);
    ck_assert_int_eq(match_connection(site, "127.0.0.1", 443)->port, 0);
    ck_assert_ptr_null(match_connection(site, "127.0.0.2", 443)->address);
    ck_assert_ptr_null(match_connection(site, "127.0.0.2", 80));
    ck_assert_ptr_null(match_connection(site, NULL, 80));
}
END_TEST

/* Which listeners lead to which addresses. */
START_TEST(listeners)
{
    with("Listen 127.0.0.1:80\nListen 0.0.0.0:81\nListen [::]:82\n",
         HOST("127.0.0.1:80", "a.test"));
    ck_assert_int_eq(match_arrives(site, "127.0.0.1", 80), 1);
    ck_assert_int_eq(match_arrives(site, "127.0.0.2", 80), 0);
    ck_assert_int_eq(match_arrives(site, NULL, 80), 0);
    ck_assert_int_eq(match_arrives(site, "127.0.0.2", 81), 1);
    ck_assert_int_eq(match_arrives(site, "::1", 81), 0);
    ck_assert_int_eq(match_arrives(site, NULL, 81), 1);
    ck_assert_int_eq(match_arrives(site, "::1", 82), 1);
    ck_assert_int_eq(match_arrives(site, "::1", 83), 0);
}
END_TEST

/* Names, then names in headers, then the default host. */
START_TEST(hosts)
{
    const spot_t *spot;
    int named;

    with(SITE_LISTEN, HOST("*:80", "z.test\nServerAlias *.y.test")
         HOST("*:80", "a.y.test") HOST("*:80", "b.test")
         HOST("localhost:80 *:80", "d.test"));
    spot = match_exact(site, NULL, 80);
    ck_assert_int_eq(match_host(site, spot, "a.y.test", &named), 0);
    ck_assert_int_eq(named, 1);
    ck_assert_int_eq(match_host(site, spot, "b.test", &named), 2);
    ck_assert_int_eq(match_host(site, spot, "localhost", &named), 3);
    ck_assert_int_eq(named, 1);
    ck_assert_int_eq(match_host(site, spot, "other.test", &named), 0);
    ck_assert_int_eq(named, 0);
    ck_assert_int_eq(match_candidates(site, "a.y.test", pool)->nelts, 2);
    ck_assert_int_eq(match_candidates(site, "y.test", pool)->nelts, 0);
}
END_TEST

/* TLS hosts where the http host has its addresses, by name only. */
START_TEST(tls)
{
    with(SITE_LISTEN, HOST("127.0.0.1:80", "a.test")
         HOST("*:443", "z.test") HOST("*:443", "a.test\nSSLEngine on")
         HOST("127.0.0.2:80", "a.test") HOST("127.0.0.2:443", "b.test"));
    ck_assert_int_eq(match_tls(site, host_at(site, 0), "a.test", 443), 2);
    ck_assert_int_eq(match_tls(site, host_at(site, 0), "x.test", 443),
                     CONFIGURATOR_NONE);
    ck_assert_int_eq(match_tls(site, host_at(site, 3), "a.test", 443),
                     CONFIGURATOR_NONE);
    ck_assert_int_eq(match_tls(site, host_at(site, 3), "b.test", 443), 4);
    ck_assert_int_eq(match_tls(site, site->main, "a.test", 443), 2);
    ck_assert_int_eq(match_tls(site, host_at(site, 0), "a.test", 444),
                     CONFIGURATOR_NONE);
}
END_TEST

/* A host of every port counts as TLS host only if it speaks TLS. */
START_TEST(every_port)
{
    with(SITE_LISTEN, HOST("*", "a.test") HOST("*", "b.test\nSSLEngine on"));
    ck_assert_int_eq(match_tls(site, host_at(site, 0), "a.test", 443),
                     CONFIGURATOR_NONE);
    ck_assert_int_eq(match_tls(site, host_at(site, 0), "b.test", 443), 1);
}
END_TEST

Suite *match_suite(void)
{
    Suite *suite = suite_create("configurator/match");
    TCase *tc = unit_case(suite, "match");

    tcase_add_test(tc, spots);
    tcase_add_test(tc, connections);
    tcase_add_test(tc, listeners);
    tcase_add_test(tc, hosts);
    tcase_add_test(tc, tls);
    tcase_add_test(tc, every_port);
    return suite;
}
