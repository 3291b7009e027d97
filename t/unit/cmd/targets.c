/*
 * What the validator is to ask: where a name arrives, and what its hosts
 * promise, by the document of DUMP_ACME.
 */
#include "desk.h"

/** A host with these members besides the required ones. */
static const char *host_text(const char *name, const char *aliases,
                             const char *addresses, const char *more)
{
    json_t *host = parse_json(apr_psprintf(pool,
        "{\"server_name\":\"%s\",\"aliases\":[%s],\"addresses\":[%s],"
        "\"file\":\"/f\",\"line\":1,\"macro\":false,\"defined\":\"/f:1\","
        "\"ssl\":false,\"certificate_file\":false,\"stapling\":false,"
        "\"require_https\":null,\"document_root\":null,\"directives\":[]}",
        name, aliases, addresses));

    json_object_update(host, parse_json(apr_psprintf(pool, "{%s}", more)));
    return base_json_text(host, pool);
}

#define ANY(port) "{\"text\":\"*\",\"address\":\"0.0.0.0\",\"port\":" port \
                  "},{\"text\":\"*\",\"address\":\"::\",\"port\":" port "}"
#define AT(ip, port) "{\"text\":\"" ip "\",\"address\":\"" ip "\"," \
                     "\"port\":" port "}"
#define TLS "\"ssl\":true"

/** httpd listens there (inner JSON text). */
static void listens(const char *listeners)
{
    json_object_set(json_object_get(cmd->config, "server"), "listeners",
                    parse_json(apr_psprintf(pool, "[%s]", listeners)));
}

#define LISTENER(ip, port) "{\"address\":\"" ip "\",\"port\":" port "," \
                           "\"protocol\":null}"

/** What is to be asked about one name. */
static validator_target_t *target(const char *name)
{
    apr_array_header_t *names = apr_array_make(pool, 1, sizeof(char *));
    apr_array_header_t *targets;

    APR_ARRAY_PUSH(names, const char *) = name;
    targets = cmd_targets(cmd, names);
    ck_assert_int_eq(targets->nelts, 1);
    return &APR_ARRAY_IDX(targets, 0, validator_target_t);
}

/** Addresses as "IP PORT, IP PORT". */
static const char *text(const apr_array_header_t *addresses)
{
    const char *line = "";
    int i;

    for (i = 0; i < addresses->nelts; i++) {
        const validator_address_t *a = &APR_ARRAY_IDX(addresses, i,
                                                      validator_address_t);

        line = apr_psprintf(pool, "%s%s%s %d", line, i ? ", " : "",
                            a->address, a->port);
    }
    return line;
}

/** A host by http and its twin by TLS. */
static void twins(const char *http, const char *tls)
{
    configure("", apr_pstrcat(pool,
        host_text("a.test", "\"www.a.test\"", ANY("80"), http), ",",
        host_text("a.test", "\"www.a.test\"", ANY("443"), tls), NULL));
    listens(LISTENER("::", "80") "," LISTENER("0.0.0.0", "443"));
}

/* ---------------------------------------------------------------- addresses */

/* A host for all addresses is asked where httpd listens on its port. */
START_TEST(any_address)
{
    twins("", TLS);
    ck_assert_str_eq(text(target("a.test")->http), ":: 80");
    ck_assert_str_eq(text(target("a.test")->https), "0.0.0.0 443");
    ck_assert_str_eq(text(target("WWW.a.test")->https), "0.0.0.0 443");
    ck_assert_str_eq(text(target("b.test")->https), "");
}
END_TEST

/* An address of its own is asked itself, if anything arrives there. */
START_TEST(own_address)
{
    configure("", apr_pstrcat(pool,
        host_text("a.test", "", AT("192.0.2.1", "443") ","
                  AT("2001:db8::1", "443") "," AT("192.0.2.1", "444"), TLS),
        ",", host_text("a.test", "", AT("192.0.2.1", "80"), ""), NULL));
    listens(LISTENER("0.0.0.0", "443") "," LISTENER("192.0.2.2", "80"));
    ck_assert_str_eq(text(target("a.test")->https), "192.0.2.1 443");
    /* not its own: whoever answers at the http port */
    ck_assert_str_eq(text(target("a.test")->http), "192.0.2.2 80");
    listens(LISTENER("::", "443"));
    ck_assert_str_eq(text(target("a.test")->https),
                     "192.0.2.1 443, 2001:db8::1 443");
}
END_TEST

/* Port 0 stands for every port httpd listens on. */
START_TEST(every_port)
{
    configure("", host_text("a.test", "", ANY("0"), TLS));
    listens(LISTENER("::", "443") "," LISTENER("::", "8443"));
    ck_assert_str_eq(text(target("a.test")->https), ":: 443, :: 8443");
}
END_TEST

/* A redirect is expected at the public http port alone. */
START_TEST(aside)
{
    const apr_array_header_t *http;

    configure("", apr_pstrcat(pool,
        host_text("a.test", "", ANY("0"), ""), ",",
        host_text("a.test", "", ANY("443"), TLS), NULL));
    json_object_set_new(json_object_get(cmd->config, "server"), "port_map",
                        json_pack("{s:i, s:i}", "http", 80, "https", 443));
    listens(LISTENER("::", "80") "," LISTENER("::", "8080"));
    http = target("a.test")->http;
    ck_assert_str_eq(text(http), ":: 80, :: 8080");
    ck_assert_int_eq(APR_ARRAY_IDX(http, 0, validator_address_t).aside, 0);
    ck_assert_int_eq(APR_ARRAY_IDX(http, 1, validator_address_t).aside, 1);
    json_object_set_new(json_object_get(cmd->config, "server"), "port_map",
                        json_pack("{s:n, s:i}", "http", "https", 443));
    http = target("a.test")->http;
    ck_assert_int_eq(APR_ARRAY_IDX(http, 1, validator_address_t).aside, 0);
}
END_TEST

/* A pattern serves where no host has the name itself, and itself. */
START_TEST(patterns)
{
    configure("", apr_pstrcat(pool,
        host_text("a.test", "\"*.a.test\"", ANY("443"), TLS), ",",
        host_text("x.a.test", "", AT("192.0.2.1", "443"), TLS), NULL));
    listens(LISTENER("::", "443"));
    ck_assert_str_eq(text(target("y.a.test")->https), ":: 443");
    ck_assert_str_eq(text(target("x.a.test")->https), "192.0.2.1 443");
    ck_assert_str_eq(text(target("*.a.test")->https), ":: 443");
}
END_TEST

/* ----------------------------------------------------------------- promises */

/* What no host says is not asked for. */
START_TEST(nothing_promised)
{
    validator_target_t *t;

    twins("", TLS);
    t = target("a.test");
    ck_assert_int_eq(t->redirect, -1);
    ck_assert_int_eq(t->hsts, -1);
    ck_assert_int_eq(t->stapling, -1);
    ck_assert_int_eq(t->managed, 0);
    ck_assert_ptr_null(t->chain);
    ck_assert_ptr_null(t->key_type);
}
END_TEST

/* What hosts say is. */
START_TEST(promises)
{
    validator_target_t *t;

    twins("\"require_https\":\"permanent\"",
          TLS ",\"stapling\":true,\"directives\":[{\"name\":\"Header\","
          "\"args\":\"always set Strict-Transport-Security max-age=1\","
          "\"file\":\"/f\",\"line\":2,\"within\":[]}]");
    t = target("www.a.test");
    ck_assert_int_eq(t->redirect, 1);
    ck_assert_int_eq(t->hsts, 1);
    ck_assert_int_eq(t->stapling, 1);
}
END_TEST

static int hsts_of(const char *args, const char *within)
{
    twins("", apr_psprintf(pool, TLS ",\"directives\":[{\"name\":"
          "\"Header\",\"args\":\"%s\",\"file\":\"/f\",\"line\":2,"
          "\"within\":[%s]}]", args, within));
    return target("www.a.test")->hsts;
}

/* A header that is not sent always is no promise. */
START_TEST(hsts_promised)
{
    ck_assert_int_eq(hsts_of("set Strict-Transport-Security max-age=1", ""),
                     1);
    ck_assert_int_eq(hsts_of("always setifempty strict-transport-security "
                             "max-age=10", ""), 1);
    ck_assert_int_eq(hsts_of("unset Strict-Transport-Security", ""), -1);
    ck_assert_int_eq(hsts_of("always unset Strict-Transport-Security", ""),
                     -1);
    ck_assert_int_eq(hsts_of("set Strict-Transport-Security max-age=0", ""),
                     -1);
    ck_assert_int_eq(hsts_of("set Strict-Transport-Security max-age=1 "
                             "env=X", ""), -1);
    ck_assert_int_eq(hsts_of("set Strict-Transport-Security max-age=1",
                             "\"Location /x\""), -1);
    ck_assert_int_eq(hsts_of("set X-Other max-age=1", ""), -1);
}
END_TEST

/* A host's own word on redirects is over its domain's. */
START_TEST(domains_promise)
{
    twins("", TLS);
    json_object_set(cmd->config, "domains", parse_json(apr_psprintf(
        pool, "[%s]", domain_text("\"a.test\"",
                                  "\"require_https\":\"temporary\""))));
    ck_assert_int_eq(target("a.test")->redirect, 1);
    ck_assert_int_eq(target("a.test")->managed, 1);
    json_object_set_new(json_array_get(json_object_get(
        cmd->config, "virtual_hosts"), 0), "require_https",
        json_string("off"));
    ck_assert_int_eq(target("a.test")->redirect, -1);
}
END_TEST

/* -------------------------------------------------------------- certificate */

static void keep_certificate(const char *id)
{
    store_certificate_t kept = { parse_json("{}"), "leaf\n", "issuer\n",
                                 "key\n" };

    unit_ok(store_certificate_write(cmd->store, id, &kept, &err, pool));
}

static void with_domain(const char *keys)
{
    json_object_set(cmd->config, "domains", parse_json(apr_psprintf(
        pool, "[%s]", domain_text("\"a.test\"", keys))));
}

/* The chain is the store's, for a host that is served from there. */
START_TEST(managed_chain)
{
    twins("", TLS);
    with_domain("");
    ck_assert_ptr_null(target("a.test")->chain);
    keep_certificate("a.test");
    ck_assert_str_eq(target("a.test")->chain, "leaf\nissuer\n");
    ck_assert_str_eq(target("a.test")->key_type, "P-256");
}
END_TEST

/* Of several certificates it cannot be told which one a client gets. */
START_TEST(several_chains)
{
    twins("", TLS);
    keep_certificate("a.test");
    with_domain("\"private_keys\":[\"P-256\",\"RSA-2048\"]");
    ck_assert_ptr_null(target("a.test")->chain);
}
END_TEST

/* A host with a certificate file of its own is not served from the store,
 * unless the file is the store's. */
START_TEST(own_certificate)
{
    const char *own = TLS ",\"certificate_file\":true,\"directives\":[{"
        "\"name\":\"SSLCertificateFile\",\"args\":\"%s\",\"file\":\"/f\","
        "\"line\":2,\"within\":[]}]";

    twins("", apr_psprintf(pool, own, "/etc/own.pem"));
    with_domain("");
    keep_certificate("a.test");
    ck_assert_ptr_null(target("a.test")->chain);
    twins("", apr_psprintf(pool, own, store_certificate_path(
        cmd->store, "a.test", "fullchain.pem", pool)));
    with_domain("");
    ck_assert_str_eq(target("a.test")->chain, "leaf\nissuer\n");
}
END_TEST

Suite *targets_suite(void);
Suite *targets_suite(void)
{
    Suite *suite = suite_create("targets");
    TCase *tc = desk_case(suite, "addresses", store_setup);

    tcase_add_test(tc, any_address);
    tcase_add_test(tc, own_address);
    tcase_add_test(tc, every_port);
    tcase_add_test(tc, aside);
    tcase_add_test(tc, patterns);
    tc = desk_case(suite, "promises", store_setup);
    tcase_add_test(tc, nothing_promised);
    tcase_add_test(tc, promises);
    tcase_add_test(tc, hsts_promised);
    tcase_add_test(tc, domains_promise);
    tc = desk_case(suite, "certificate", store_setup);
    tcase_add_test(tc, managed_chain);
    tcase_add_test(tc, several_chains);
    tcase_add_test(tc, own_certificate);
    return suite;
}
