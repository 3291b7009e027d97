/* Where a TLS host is to answer, and where it may stand. */
#include "configurator/site.h"

#define HOST(address, name) "<VirtualHost " address ">\nServerName " name \
    "\n</VirtualHost>\n"
#define TLS(address, name) "<VirtualHost " address ">\nServerName " name \
    "\nSSLEngine on\n</VirtualHost>\n"

static void with(const char *text)
{
    tree = NULL;
    site_main(SITE_LISTEN "Listen 443\n");
    tree_put("sites/a.conf", text);
    site_read();
}

/* The header of the twin of the first http host. */
static const char *header(configurator_host_t host)
{
    return address_header(twin_addresses(site_plan, host_at(site, host),
                                         443), pool);
}

/* Its place, for a.test. */
static address_stand_t stand(configurator_host_t host)
{
    return address_stand(site, twin_addresses(site_plan, host_at(site, host),
                                              443), host_at(site, host),
                         site_words("a.test"), pool);
}

/* Hosts of the same address are joined, those of others are not. */
START_TEST(addresses)
{
    with(HOST("*:80", "a.test"));
    ck_assert_str_eq(header(0), "*:443");
    ck_assert_str_eq(header(CONFIGURATOR_MAIN), "*:443");
    with(HOST("127.0.0.1:80", "a.test") TLS("127.0.0.1:443", "b.test")
         TLS("*:443", "c.test") HOST("127.0.0.2:80 127.0.0.3:80", "d.test"));
    ck_assert_str_eq(header(0), "127.0.0.1:443");
    ck_assert_str_eq(header(3), "*:443");
    with(HOST("*:80", "a.test") HOST("127.0.0.1:80", "b.test")
         TLS("127.0.0.1:443", "b.test") TLS("[::1]:443", "c.test")
         TLS("127.0.0.9:443", "d.test"));
    /* at 127.0.0.1 another http host answers */
    ck_assert_str_eq(header(0), "*:443 127.0.0.9:443 [::1]:443");
    ck_assert_str_eq(header(1), "127.0.0.1:443");
}
END_TEST

/* Directly behind its original, where that takes nothing from anybody. */
START_TEST(behind_original)
{
    with(TLS("*:443", "z.test") HOST("*:80", "a.test")
         TLS("*:443", "y.test"));
    ck_assert_int_eq(stand(1).behind, 1);
    ck_assert_int_eq(stand(1).conflict, CONFIGURATOR_NONE);
    with(HOST("*:80", "a.test") TLS("127.0.0.1:444", "b.test"));
    ck_assert_int_eq(stand(0).behind, 0);
}
END_TEST

/* Behind the default host of each address, and those that share names. */
START_TEST(behind_others)
{
    with(HOST("*:80", "a.test") TLS("*:443", "z.test")
         TLS("*:443", "y.test"));
    ck_assert_int_eq(stand(0).behind, 1);
    with(HOST("*:80", "a.test") TLS("*:443", "z.test")
         TLS("127.0.0.1:443", "y.test"));
    ck_assert_int_eq(stand(0).behind, 2);
    with(TLS("*:443", "z.test")
         HOST("*:80", "a.test\nServerAlias b.test *.c.test")
         TLS("*:443", "y.test") TLS("*:443", "x.c.test")
         TLS("*:443", "w.test"));
    ck_assert_int_eq(stand(1).behind, 3);
    with(TLS("*:443", "z.test") HOST("*:80", "a.test\nServerAlias b.x.test")
         TLS("*:443", "y.test\nServerAlias *.x.test"));
    ck_assert_int_eq(stand(1).behind, 2);
    ck_assert_int_eq(stand(1).conflict, CONFIGURATOR_NONE);
}
END_TEST

/* Both before and behind another is nowhere. */
START_TEST(conflict)
{
    with(TLS("*:443", "z.org") HOST("*:80", "a.test\nServerAlias b.test")
         TLS("*:443", "y.org\nServerAlias *.test"));
    ck_assert_int_eq(stand(1).conflict, 2);
    ck_assert_str_eq(stand(1).name, "b.test");
    with(HOST("*:80", "a.test") TLS("*:443", "y.org\nServerAlias *.test"));
    ck_assert_int_eq(stand(0).conflict, 1);
    ck_assert_str_eq(stand(0).name, "a.test");
}
END_TEST

/* A TLS host of every port. */
START_TEST(hides)
{
    with(HOST("*:80", "a.test") TLS("*", "z.test"));
    ck_assert_int_eq(address_hides(site, twin_addresses(site_plan,
                         host_at(site, 0), 443)), 1);
    with(HOST("*", "a.test") HOST("*", "z.test"));
    ck_assert_int_eq(address_hides(site, twin_addresses(site_plan,
                         host_at(site, 0), 443)), CONFIGURATOR_NONE);
}
END_TEST

Suite *address_suite(void)
{
    Suite *suite = suite_create("configurator/address");
    TCase *tc = unit_case(suite, "address");

    tcase_add_test(tc, addresses);
    tcase_add_test(tc, behind_original);
    tcase_add_test(tc, behind_others);
    tcase_add_test(tc, conflict);
    tcase_add_test(tc, hides);
    return suite;
}
