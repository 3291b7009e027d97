/*
 * Which types of challenge can work, as httpd is configured and whether it
 * runs.
 */
#include "desk.h"

static json_t *server(void)
{
    return json_object_get(cmd->config, "server");
}

/* ------------------------------------------------------------------ anyone */

static void obstacle(const char *text)
{
    const char *found = cmd_challenge_obstacle(cmd);

    ck_assert_ptr_nonnull(found);
    ck_assert_msg(strstr(found, text) != NULL, "%s", found);
}

/* Nothing is in the way when httpd runs and listens where the public port
 * 80 arrives. */
START_TEST(no_obstacle)
{
    configure("", "");
    ck_assert_ptr_null(cmd_challenge_obstacle(cmd));
    json_object_set(json_object_get(server(), "port_map"), "http",
                    parse_json("8080"));
    json_object_set(server(), "listeners", parse_json(
        "[{\"address\":\"::\",\"port\":443,\"protocol\":\"https\"},"
        "{\"address\":\"127.0.0.1\",\"port\":8080,\"protocol\":null}]"));
    ck_assert_ptr_null(cmd_challenge_obstacle(cmd));
}
END_TEST

/* It is when httpd does not run: no pid file, a stale or damaged one, or
 * another program. */
START_TEST(httpd_does_not_run)
{
    const char *pid_file;

    configure("", "");
    pid_file = member(server(), "pid_file");
    write_file(pid_file, "1\n");
    obstacle("httpd is not running");
    write_file(pid_file, "4194305\n");
    obstacle("httpd is not running");
    write_file(pid_file, "");
    obstacle("httpd is not running");
    unlink(pid_file);
    obstacle("httpd is not running, so nobody would answer the CA's "
             "challenge; start it");
    write_file(pid_file, apr_psprintf(pool, "%d", (int)getpid()));
    ck_assert_ptr_null(cmd_challenge_obstacle(cmd));
    json_object_set_new(server(), "binary", json_string("/bin/true"));
    obstacle("httpd is not running");
}
END_TEST

/* When port 80 does not arrive here. */
START_TEST(port_80_does_not_arrive)
{
    configure("", "");
    json_object_set_new(json_object_get(server(), "port_map"), "http",
                        json_null());
    obstacle("ACMEPortMap says that it does not arrive here (http:-)");
}
END_TEST

/* When nobody listens there. */
START_TEST(nobody_listens)
{
    configure("", "");
    json_object_set_new(json_object_get(server(), "port_map"), "http",
                        json_integer(8080));
    obstacle("http-01 needs port 8080, and httpd does not listen on it; "
             "add \"Listen 8080\"");
    json_object_set_new(server(), "listeners", json_array());
    obstacle("Listen 8080");
}
END_TEST

/* One type that can work is enough. */
START_TEST(one_type_is_enough)
{
    configure("", "");
    json_object_set_new(server(), "listeners", json_array());
    obstacle("tls-alpn-01 needs mod_ssl");
    json_object_set_new(server(), "listeners", json_pack(
        "[{s:s, s:i, s:s}]", "address", "::", "port", 443, "protocol",
        "https"));
    json_object_set_new(json_object_get(cmd->config, "modules"), "ssl",
                        json_true());
    json_object_set_new(cmd->config, "virtual_hosts", json_pack(
        "[{s:b, s:[{s:i}]}]", "ssl", 1, "addresses", "port", 443));
    ck_assert_ptr_null(cmd_challenge_obstacle(cmd));
}
END_TEST

/* ------------------------------------------------------------------- types */

/* A configuration where both types work. */
static void both(void)
{
    configure("", "");
    json_object_set_new(server(), "listeners", json_pack(
        "[{s:i}, {s:i}]", "port", 80, "port", 443));
    json_object_set_new(json_object_get(cmd->config, "modules"), "ssl",
                        json_true());
    json_object_set_new(cmd->config, "virtual_hosts", json_pack(
        "[{s:b, s:[{s:i}]}, {s:b, s:[{s:i}, {s:i}]}]", "ssl", 0,
        "addresses", "port", 443, "ssl", 1, "addresses", "port", 80, "port",
        443));
}

static const char *why;

/* "type type", and why if there is none. */
static const char *types_of(const char *allowed)
{
    json_t *domain = parse_json(domain_text("\"a.example\"",
        apr_psprintf(pool, "\"challenges\":[%s]", allowed)));
    cmd_challenges_t challenges;
    apr_array_header_t *types;

    cmd_challenges_look(&challenges, cmd);
    types = cmd_challenge_types(&challenges, domain, &why, pool);
    ck_assert_int_eq(types->nelts == 0, why != NULL);
    return apr_array_pstrcat(pool, types, ' ');
}

#define BOTH "\"http-01\",\"tls-alpn-01\""

/* The domain says which and in which order; a type that cannot work is left
 * out without a word. */
START_TEST(domains_decide)
{
    both();
    ck_assert_str_eq(types_of(BOTH), "http-01 tls-alpn-01");
    ck_assert_str_eq(types_of("\"tls-alpn-01\",\"http-01\""),
                     "tls-alpn-01 http-01");
    ck_assert_str_eq(types_of("\"tls-alpn-01\""), "tls-alpn-01");
    json_object_set_new(json_object_get(server(), "port_map"), "http",
                        json_null());
    ck_assert_str_eq(types_of(BOTH), "tls-alpn-01");
    json_object_set_new(json_object_get(cmd->config, "modules"), "ssl",
                        json_false());
    ck_assert_str_eq(types_of(BOTH), "");
    ck_assert_ptr_nonnull(strstr(why, "http-01 needs the public port 80"));
    ck_assert_ptr_nonnull(strstr(why, "; tls-alpn-01 needs mod_ssl"));
    ck_assert_str_eq(types_of("\"tls-alpn-01\""), "");
    ck_assert_str_eq(why, "tls-alpn-01 needs mod_ssl, which is not loaded");
}
END_TEST

static void alpn_obstacle(const char *text)
{
    ck_assert_str_eq(types_of("\"tls-alpn-01\""), "");
    ck_assert_msg(strstr(why, text) != NULL, "%s", why);
    ck_assert_str_eq(types_of(BOTH), "http-01");
}

/* tls-alpn-01 needs port 443, whichever that is here, and a host that
 * speaks TLS there. */
START_TEST(alpn_needs_a_host)
{
    both();
    json_object_set_new(json_object_get(server(), "port_map"), "https",
                        json_integer(8443));
    alpn_obstacle("tls-alpn-01 needs port 8443, and httpd does not listen on "
                  "it; add \"Listen 8443\", or say with ACMEPortMap where "
                  "the public port 443 arrives");
    json_array_append_new(json_object_get(server(), "listeners"),
                          json_pack("{s:i}", "port", 8443));
    alpn_obstacle("tls-alpn-01 needs a virtual host with \"SSLEngine on\" at "
                  "port 8443");
    json_array_append_new(json_object_get(cmd->config, "virtual_hosts"),
                          json_pack("{s:b, s:[{s:i}]}", "ssl", 1,
                                    "addresses", "port", 0));
    ck_assert_str_eq(types_of("\"tls-alpn-01\""), "tls-alpn-01");
    json_object_set_new(json_object_get(server(), "port_map"), "https",
                        json_null());
    alpn_obstacle("ACMEPortMap says that it does not arrive here (https:-)");
}
END_TEST

/* What cannot work, as httpd is configured, comes last; both kinds keep
 * their order. */
START_TEST(blocked_come_last)
{
    static const char *const allowed[] = {
        "\"http-01\"", BOTH, "\"http-01\"", "\"tls-alpn-01\""
    };
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(void *));
    cmd_certificate_t all[4];
    static const int want[] = { 1, 3, 0, 2 };
    int i, round;

    both();
    memset(all, 0, sizeof(all));
    for (i = 0; i < 4; i++) {
        all[i].domain = parse_json(domain_text("\"a.example\"",
            apr_psprintf(pool, "\"challenges\":[%s]", allowed[i])));
        APR_ARRAY_PUSH(list, cmd_certificate_t *) = &all[i];
    }
    for (round = 0; round < 2; round++) {
        cmd_challenges_sort(cmd, list);
        ck_assert_int_eq(list->nelts, 4);
        for (i = 0; i < 4; i++) {
            ck_assert_ptr_eq(APR_ARRAY_IDX(list, i, cmd_certificate_t *),
                             &all[round ? want[i] : i]);
        }
        json_object_set_new(json_object_get(server(), "port_map"), "http",
                            json_null());
    }
}
END_TEST

Suite *challenges_suite(void);
Suite *challenges_suite(void)
{
    Suite *suite = suite_create("challenges");
    TCase *tc = desk_case(suite, "anyone", store_setup);

    tcase_add_test(tc, no_obstacle);
    tcase_add_test(tc, httpd_does_not_run);
    tcase_add_test(tc, port_80_does_not_arrive);
    tcase_add_test(tc, nobody_listens);
    tcase_add_test(tc, one_type_is_enough);
    tc = desk_case(suite, "types", store_setup);
    tcase_add_test(tc, domains_decide);
    tcase_add_test(tc, alpn_needs_a_host);
    tcase_add_test(tc, blocked_come_last);
    return suite;
}
