/* Which host is meant by a name: httpd's own matching. */
#include "configurator/site.h"

static configurator_choice_t choice;

#define HOST(address, name) "<VirtualHost " address ">\nServerName " name \
    "\n</VirtualHost>\n"

/* Configurations of one file; @ is its tree. */
static void with(const char *listens, const char *text)
{
    base_err_clear(&err);
    tree = NULL;
    site_main(listens);
    tree_put("sites/a.conf", text);
    site_read();
}

/* The hosts chosen for a.test are those at these lines. */
static void chosen(const char *lines)
{
    const char *found = "";
    int i;

    unit_ok(configurator_choose(&choice, site, "a.test", NULL, &err, pool));
    for (i = 0; i < choice.hosts->nelts; i++) {
        const char *place = configurator_place(site,
            APR_ARRAY_IDX(choice.hosts, i, configurator_host_t), pool);
        const char *colon = strrchr(place, ':');

        found = apr_pstrcat(pool, found, i ? " " : "",
                            colon ? colon + 1 : place, NULL);
    }
    ck_assert_str_eq(found, lines);
}

static const char *why(int n)
{
    ck_assert_int_gt(choice.candidates->nelts, n);
    return APR_ARRAY_IDX(choice.candidates, n,
                         configurator_candidate_t).why;
}

/* A name is found as ServerName, as alias, by a pattern, in any case. */
START_TEST(names)
{
    with(SITE_LISTEN, HOST("*:80", "z.test") HOST("*:80", "A.Test"));
    chosen("4");
    with(SITE_LISTEN, HOST("*:80", "z.test")
         HOST("*:80", "y.test\nServerAlias x.test A.test"));
    chosen("4");
    with(SITE_LISTEN, HOST("*:80", "z.test")
         HOST("*:80", "y.test\nServerAlias ?.t*t"));
    chosen("4");
    unit_ok(configurator_choose(&choice, site, "A.TEST.", NULL, &err, pool));
    ck_assert_str_eq(choice.name, "a.test");
}
END_TEST

/* The first in order of definition has it, be it by a pattern; the later
 * is never chosen. */
START_TEST(first_wins)
{
    with(SITE_LISTEN, HOST("*:80", "a.test") HOST("*:80", "a.test"));
    chosen("1");
    ck_assert_ptr_nonnull(strstr(why(1), "never chosen: "));
    ck_assert_ptr_nonnull(strstr(why(1), "a.conf:1 comes first"));
    with(SITE_LISTEN, HOST("*:80", "z.test\nServerAlias *.test")
         HOST("*:80", "a.test"));
    chosen("1");
}
END_TEST

/* An address comes before a wildcard, a port before every port. */
START_TEST(address_first)
{
    with("Listen 127.0.0.1:80\n", HOST("*:80", "a.test")
         HOST("127.0.0.1:80", "a.test"));
    chosen("4");
    with(SITE_LISTEN, HOST("*", "a.test") HOST("*:80", "a.test"));
    chosen("4");
    with("Listen 127.0.0.1:80\n", HOST("127.0.0.1:80", "z.test")
         HOST("127.0.0.1", "a.test") HOST("127.0.0.1:80", "a.test"));
    chosen("7");
}
END_TEST

/* One host per address: all of them are meant. */
START_TEST(several_addresses)
{
    with(SITE_LISTEN, HOST("127.0.0.1:80", "a.test")
         HOST("[::1]:80", "a.test") HOST("*:80", "a.test"));
    chosen("1 4 7");
    with("Listen 0.0.0.0:80\n", HOST("127.0.0.1:80", "a.test")
         HOST("[::1]:80", "a.test"));
    chosen("1");
    ck_assert_ptr_nonnull(strstr(why(1), "nothing listens"));
}
END_TEST

/* IPv4's and IPv6's wildcards are one list, as in httpd. */
START_TEST(wildcards)
{
    with(SITE_LISTEN, HOST("0.0.0.0:80", "z.test") HOST("[::]:80", "a.test")
         HOST("_default_:80", "a.test"));
    chosen("4");
}
END_TEST

/* TLS hosts are no http hosts. */
START_TEST(tls)
{
    with(SITE_LISTEN "Listen 443\n", HOST("*:443", "a.test\nSSLEngine on")
         HOST("*:80", "a.test"));
    chosen("5");
    with(SITE_LISTEN "Listen 443\n", HOST("*:443", "a.test\nSSLEngine on"));
    unit_fails(configurator_choose(&choice, site, "a.test", NULL, &err,
                                   pool), APR_ENOENT, "it speaks TLS");
    ck_assert_int_eq(err.exit, BASE_EXIT_FAILED);
    with(SITE_LISTEN, HOST("*:80", "a.test\nSSLEngine on"));
    unit_fails(configurator_choose(&choice, site, "a.test", NULL, &err,
                                   pool), APR_ENOENT, "it speaks TLS");
}
END_TEST

/* Nobody has the name: the default host is named, and is not it. */
START_TEST(nobody)
{
    with(SITE_LISTEN, HOST("*:80", "z.test") HOST("*:80", "y.test"));
    unit_fails(configurator_choose(&choice, site, "a.test", NULL, &err,
                                   pool), APR_ENOENT, "a.conf:1: it answers "
               "as the default host only");
    ck_assert_int_eq(choice.hosts->nelts, 0);
    base_err_clear(&err);
    unit_fails(configurator_choose(&choice, site, "a.test",
                                   apr_pstrcat(pool, tree,
                                               "/sites/a.conf:1", NULL),
                                   &err, pool), APR_ENOENT, "no virtual");
}
END_TEST

/* What is no name is said so. */
START_TEST(no_name)
{
    with(SITE_LISTEN, HOST("*:80", "a.test"));
    unit_fails(configurator_choose(&choice, site, "*.test", NULL, &err,
                                   pool), APR_EINVAL, "wildcard");
    base_err_clear(&err);
    unit_fails(configurator_choose(&choice, site, "", NULL, &err, pool),
               APR_EINVAL, "empty");
}
END_TEST

/* Only on another port: that one, or a question. */
START_TEST(other_ports)
{
    with(SITE_LISTEN "Listen 8080\n", HOST("*:80", "z.test")
         HOST("*:8080", "a.test"));
    chosen("4");
    ck_assert_ptr_nonnull(strstr(why(0), "port 8080"));
    with(SITE_LISTEN "Listen 8080\nListen 8081\nListen 443\n",
         HOST("*:8080", "a.test") HOST("*:8081", "a.test")
         HOST("*:443", "a.test\nSSLEngine on"));
    unit_fails(configurator_choose(&choice, site, "a.test", NULL, &err,
                                   pool), APR_INCOMPLETE, "--vhost a.test=");
    ck_assert_int_eq(err.exit, BASE_EXIT_USAGE);
    ck_assert_int_eq(choice.candidates->nelts, 2);
}
END_TEST

/* The main server serves where no host has the address. */
START_TEST(main_server)
{
    with(SITE_LISTEN "ServerName a.test\n", "");
    chosen("the main server");
    with(SITE_LISTEN "ServerName a.test\n", HOST("*:80", "z.test"));
    unit_fails(configurator_choose(&choice, site, "a.test", NULL, &err,
                                   pool), APR_ENOENT, "no virtual host");
    with(SITE_LISTEN "ServerName a.test\n", HOST("127.0.0.1:80", "z.test"));
    chosen("the main server");
    /* a nameless host has its name */
    with(SITE_LISTEN "ServerName a.test\n",
         HOST("*:80", "z.test") "<VirtualHost *:80>\n</VirtualHost>\n");
    chosen("4");
}
END_TEST

/* An answer is any line of the host, by any path that leads there. */
START_TEST(answers)
{
    const char *text = "Listen 8080\nListen 8081\n"
        "<VirtualHost \\\n*:8080>\nServerName a.test\n</VirtualHost>\n"
        HOST("*:8081", "a.test");
    static const char *const right[] = { "3", "4", "5", "6" };
    static const char *const wrong[] = {
        "2", "", "0", "10", "x", "4x", "99999999999", "-4"
    };
    apr_size_t i;

    with(SITE_LISTEN, text);
    tree_link("link", "sites");
    for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        unit_ok(configurator_choose(&choice, site, "a.test",
            apr_pstrcat(pool, tree, "/link/a.conf:", right[i], NULL), &err,
            pool));
        ck_assert_int_eq(choice.hosts->nelts, 1);
        ck_assert_int_eq(APR_ARRAY_IDX(choice.hosts, 0, int), 0);
    }
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        base_err_clear(&err);
        unit_fails(configurator_choose(&choice, site, "a.test",
            apr_pstrcat(pool, tree, "/sites/a.conf:", wrong[i], NULL), &err,
            pool), APR_INCOMPLETE, "a.conf:4 or ");
        ck_assert_int_eq(err.exit, BASE_EXIT_USAGE);
    }
    base_err_clear(&err);
    unit_fails(configurator_choose(&choice, site, "a.test", "/no/file:4",
                                   &err, pool), APR_INCOMPLETE, "none of");
}
END_TEST

/* An answer takes one of several that are all meant, and none that is
 * never chosen. */
START_TEST(answer_narrows)
{
    with(SITE_LISTEN, HOST("127.0.0.1:80", "a.test")
         HOST("[::1]:80", "a.test") HOST("[::1]:80", "a.test"));
    unit_ok(configurator_choose(&choice, site, "a.test",
        apr_pstrcat(pool, tree, "/sites/a.conf:5", NULL), &err, pool));
    ck_assert_int_eq(choice.hosts->nelts, 1);
    ck_assert_int_eq(APR_ARRAY_IDX(choice.hosts, 0, int), 1);
    unit_fails(configurator_choose(&choice, site, "a.test",
        apr_pstrcat(pool, tree, "/sites/a.conf:7", NULL), &err, pool),
        APR_INCOMPLETE, "is none of");
}
END_TEST

/* The ports of http and https are those of the port map. */
START_TEST(port_map)
{
    with("Listen 8000\nListen 80\nACMEPortMap http:8000 https:8443\n",
         HOST("*:80", "a.test") HOST("*:8000", "a.test"));
    chosen("4");
    with("Listen 8000\nACMEPortMap http:- https:8443\n",
         HOST("*:8000", "a.test"));
    chosen("1");
}
END_TEST

Suite *choose_suite(void)
{
    Suite *suite = suite_create("configurator/choose");
    TCase *tc = unit_case(suite, "choose");

    tcase_add_test(tc, names);
    tcase_add_test(tc, first_wins);
    tcase_add_test(tc, address_first);
    tcase_add_test(tc, several_addresses);
    tcase_add_test(tc, wildcards);
    tcase_add_test(tc, tls);
    tcase_add_test(tc, nobody);
    tcase_add_test(tc, no_name);
    tcase_add_test(tc, other_ports);
    tcase_add_test(tc, main_server);
    tcase_add_test(tc, answers);
    tcase_add_test(tc, answer_narrows);
    tcase_add_test(tc, port_map);
    return suite;
}
