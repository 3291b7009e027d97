/*
 * Which certificates need an OCSP response, when the next one is fetched,
 * and what is shown of it.
 */
#include "desk.h"

#define ID "a.example"
#define SECOND apr_time_from_sec(1)
#define MINUTE apr_time_from_sec(60)
#define HOUR (60 * MINUTE)

/* ------------------------------------------------------------------- when */

/* A response is replaced when half of what it holds for is over, or up to
 * an eighth of the wait before, so that not all come at once. */
START_TEST(half_over)
{
    ck_assert_int_eq(cmd_staple_wait(NOW, NOW + 4 * DAY, NOW, 0), 2 * DAY);
    ck_assert_int_eq(cmd_staple_wait(NOW - DAY, NOW + 3 * DAY, NOW, 0), DAY);
    ck_assert_int_gt(cmd_staple_wait(NOW, NOW + 4 * DAY, NOW,
                                     APR_UINT32_MAX), 2 * DAY / 8 * 7);
    ck_assert_int_lt(cmd_staple_wait(NOW, NOW + 4 * DAY, NOW,
                                     APR_UINT32_MAX), 2 * DAY / 8 * 7 + HOUR);
}
END_TEST

/* One that is fetched late in its life is not fetched again at once: not
 * within ten minutes, unless it is over before twenty, and never within ten
 * seconds. */
START_TEST(not_too_often)
{
    ck_assert_int_eq(cmd_staple_wait(NOW - 3 * DAY, NOW + DAY, NOW, 0),
                     10 * MINUTE);
    ck_assert_int_eq(cmd_staple_wait(NOW, NOW + 20 * MINUTE, NOW, 0),
                     10 * MINUTE);
    ck_assert_int_eq(cmd_staple_wait(NOW, NOW + 4 * MINUTE, NOW, 0),
                     2 * MINUTE);
    ck_assert_int_eq(cmd_staple_wait(NOW - DAY, NOW + SECOND, NOW, 0),
                     10 * SECOND);
    ck_assert_int_eq(cmd_staple_wait(NOW - DAY, NOW - DAY, NOW,
                                     APR_UINT32_MAX), 10 * SECOND);
}
END_TEST

/* A response of years is replaced within a month: certificates are revoked
 * meanwhile. */
START_TEST(any_length)
{
    ck_assert_int_eq(cmd_staple_wait(NOW, NOW + 100 * DAY, NOW, 0),
                     30 * DAY);
    ck_assert_int_eq(cmd_staple_wait(0, NOW * 4, NOW, 0), 30 * DAY);
    ck_assert_int_gt(cmd_staple_wait(NOW, NOW + 100000 * DAY, NOW,
                                     APR_UINT32_MAX), 26 * DAY);
}
END_TEST

/* -------------------------------------------------------------------- who */

/* A configuration of one host that serves the domain. */
static json_t *domain_with(const char *ssl, const char *file,
                           const char *stapling)
{
    json_t *domain;

    configure(domain_text("\"" ID "\"", ""), apr_psprintf(pool,
        "{\"server_name\":null,\"aliases\":[],\"addresses\":[],"
        "\"file\":\"/f\",\"line\":1,\"macro\":false,\"defined\":\"d\","
        "\"ssl\":%s,\"certificate_file\":%s,\"stapling\":%s,"
        "\"require_https\":null,\"document_root\":null,"
        "\"directives\":[]}", ssl, file, stapling));
    domain = json_array_get(json_object_get(cmd->config, "domains"), 0);
    json_array_append_new(json_object_get(domain, "virtual_hosts"),
                          json_integer(0));
    return domain;
}

static const cmd_certificate_t *certificate(const json_t *domain,
                                            const char *meta)
{
    cmd_certificate_t *c = apr_pcalloc(pool, sizeof(*c));

    c->id = ID;
    c->domain = domain;
    c->meta = parse_json(meta);
    return c;
}

#define RESPONDER "\"serial\":\"01\",\"ocsp\":\"http://o.example/\""

static apr_time_t next(const json_t *domain, const char *meta)
{
    return cmd_staple_next(cmd, NULL, certificate(domain, meta), NOW);
}

/* A certificate that names a responder needs a response where a host that
 * serves it has SSLUseStapling on. */
START_TEST(hosts_that_staple)
{
    json_t *domain = domain_with("true", "false", "true");

    ck_assert_int_eq(next(domain, "{" RESPONDER "}"), NOW);
    ck_assert_int_eq(next(domain, "{\"serial\":\"01\"}"), 0);
    ck_assert_int_eq(next(domain, "{" RESPONDER ",\"revoked\":\"x\"}"), 0);
    ck_assert_int_eq(next(domain_with("true", "false", "false"),
                          "{" RESPONDER "}"), 0);
    ck_assert_int_eq(next(domain_with("false", "false", "true"),
                          "{" RESPONDER "}"), 0);
    ck_assert_int_eq(next(domain_with("true", "true", "true"),
                          "{" RESPONDER "}"), 0);
}
END_TEST

/* One that must be stapled needs one whoever serves it. */
START_TEST(must_staple)
{
    json_t *domain = domain_with("true", "false", "false");

    ck_assert_int_eq(next(domain, "{" RESPONDER ",\"must_staple\":true}"),
                     NOW);
    ck_assert_int_eq(next(domain, "{" RESPONDER ",\"must_staple\":false}"),
                     0);
    ck_assert_int_eq(next(domain, "{\"must_staple\":true}"), 0);
}
END_TEST

/* One that is not there yet needs none. */
START_TEST(missing)
{
    cmd_certificate_t c = { 0 };

    c.id = ID;
    c.domain = domain_with("true", "false", "true");
    ck_assert_int_eq(cmd_staple_next(cmd, NULL, &c, NOW), 0);
}
END_TEST

/* ----------------------------------------------------------------- ledger */

static json_t *ledger_with(const char *entry)
{
    json_t *ledger = parse_json(apr_psprintf(pool,
        "{\"schema\":\"acme-ledger/1\",\"certificates\":{},"
        "\"staples\":{\"" ID "\":{%s}}}", entry));

    unit_ok(schema_check(schema_find(cmd->schemas, "state/ledger"), ledger,
                         "the test's ledger", &err));
    return ledger;
}

static apr_time_t next_by(const char *entry)
{
    json_t *domain = domain_with("true", "false", "true");

    return cmd_staple_next(cmd, ledger_with(entry),
                           certificate(domain, "{" RESPONDER "}"), NOW);
}

/* The next one is fetched when the ledger says, if that is about this very
 * certificate. */
START_TEST(the_ledger_tells)
{
    const char *at = base_time_text(NOW + HOUR, pool);

    ck_assert_int_eq(next_by(apr_psprintf(pool, "\"serial\":\"01\","
                                          "\"next_try\":\"%s\"", at)),
                     NOW + HOUR);
    ck_assert_int_eq(next_by(apr_psprintf(pool, "\"serial\":\"02\","
                                          "\"next_try\":\"%s\"", at)), NOW);
    ck_assert_int_eq(next_by("\"serial\":\"01\""), NOW);
    ck_assert_int_eq(next_by("\"serial\":\"01\",\"next_try\":\"soon\""),
                     NOW);
    ck_assert_int_eq(next_by(apr_psprintf(
        pool, "\"serial\":\"01\",\"next_try\":\"%s\"",
        base_time_text(NOW - HOUR, pool))), NOW);
    /* Written by a clock that has gone back since. */
    ck_assert_int_eq(next_by(apr_psprintf(
        pool, "\"serial\":\"01\",\"next_try\":\"%s\"",
        base_time_text(NOW + 400 * DAY, pool))), NOW);
}
END_TEST

/* What is shown: until when it is good, and when the next is fetched. */
START_TEST(is_shown)
{
    const cmd_certificate_t *c = certificate(NULL, "{" RESPONDER "}");
    json_t *shown;

    shown = base_json_own(cmd_staple_json(NULL, c), pool);
    ck_assert(json_is_null(shown));
    shown = base_json_own(cmd_staple_json(ledger_with("\"serial\":\"02\""),
                                          c), pool);
    ck_assert(json_is_null(shown));
    shown = base_json_own(cmd_staple_json(ledger_with(
        "\"serial\":\"01\",\"expires\":\"E\",\"failures\":3,"
        "\"next_try\":\"N\""), c), pool);
    ck_assert_str_eq(base_json_text(shown, pool),
                     "{\"expires\":\"E\",\"last_error\":null,"
                     "\"next_try\":\"N\"}");
}
END_TEST

/* A certificate whose meta.json names a responder, but not itself, is no
 * reason to fork anything: what cannot be asked is a failure like others,
 * with its time to try again. */
START_TEST(nobody_to_ask)
{
    apr_array_header_t *all = apr_array_make(pool, 1,
                                             sizeof(cmd_stapled_t));
    cmd_stapled_t wish = { NULL, NULL, 0 };
    store_certificate_t kept = { NULL, "no certificate", "", "K" };
    json_t *ledger = parse_json("{\"schema\":\"acme-ledger/1\","
                                "\"certificates\":{}}");
    json_t *domain = domain_with("true", "false", "true");
    json_t *entry;

    cmd->clock = base_clock_manual(NOW, pool);
    kept.meta = parse_json("{" RESPONDER "}");
    unit_ok(store_certificate_write(cmd->store, ID, &kept, &err, pool));
    wish.certificate = certificate(domain, "{" RESPONDER "}");
    APR_ARRAY_PUSH(all, cmd_stapled_t) = wish;
    cmd_staples_fetch(cmd, all, ledger);
    unit_ok(schema_check(schema_find(cmd->schemas, "state/ledger"), ledger,
                         "the ledger", &err));
    entry = json_object_get(json_object_get(ledger, "staples"), ID);
    ck_assert_int_eq(json_integer_value(json_object_get(entry, "failures")),
                     1);
    ck_assert_ptr_nonnull(json_object_get(entry, "last_error"));
    ck_assert_int_gt(cmd_staple_next(cmd, ledger, wish.certificate, NOW),
                     NOW + 40 * SECOND);
    ck_assert_int_eq(json_array_size(json_object_get(cmd->result, "notes")),
                     1);
}
END_TEST

Suite *staple_suite(void);
Suite *staple_suite(void)
{
    Suite *suite = suite_create("staple");
    TCase *tc = desk_case(suite, "when", store_setup);

    tcase_add_test(tc, half_over);
    tcase_add_test(tc, not_too_often);
    tcase_add_test(tc, any_length);
    tc = desk_case(suite, "who", store_setup);
    tcase_add_test(tc, hosts_that_staple);
    tcase_add_test(tc, must_staple);
    tcase_add_test(tc, missing);
    tc = desk_case(suite, "ledger", store_setup);
    tcase_add_test(tc, the_ledger_tells);
    tcase_add_test(tc, is_shown);
    tcase_add_test(tc, nobody_to_ask);
    return suite;
}
