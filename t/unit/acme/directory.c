#include "rig.h"

#include <apr_strings.h>

Suite *directory_suite(void);

static int order_many(rig_t *rig, int count)
{
    acme_engine_t *engine = rig_engine(rig);
    int i, ok = 0;

    for (i = 0; i < count; i++) {
        acme_engine_order(engine, 0, rig_job(rig, "a.example"));
    }
    rig_run(rig, engine);
    for (i = 0; i < count; i++) {
        ck_assert_int_eq(rig->done_count[i], 1);
        ok += rig->results[i].err.status == APR_SUCCESS;
    }
    return ok;
}

/* Any number of orders read the directory and make the account once, and
 * the first order pays for it. */
START_TEST(once_for_all)
{
    rig_t *rig = rig_make(pool);

    ck_assert_int_eq(order_many(rig, 50), 50);
    ck_assert_int_eq(rig_count(rig, "dir"), 1);
    ck_assert_int_eq(rig->directories, 1);
    ck_assert_int_eq(rig_count(rig, "new-account"), 1);
    ck_assert_int_ge(rig->results[0].requests, 10);
}
END_TEST

/* A directory that cannot be had fails all orders, and is asked for once
 * (with its retries). */
START_TEST(fails_for_all)
{
    static const rig_rule_t rules[] = {
        { .on = "dir", .status = 500, .body = "<html>" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig->rules = rules;
    ck_assert_int_eq(order_many(rig, 50), 0);
    ck_assert_int_eq(rig_count(rig, "dir"), 4);
    ck_assert_int_eq(rig_count(rig, "?") + rig_count(rig, "nonce"), 0);
    rig_fails(&rig->results[49], BASE_EXIT_BUSY, "reading the CA's "
              "directory");
}
END_TEST

/* Not found at all: the URL is wrong, and the message has it. */
START_TEST(wrong_url)
{
    rig_t *rig = rig_make(pool);

    rig->ca.url = "https://ca.example/elsewhere";
    rig_fails(rig_order(rig, "a.example"), BASE_EXIT_REFUSED,
              "HTTP 404 from https://ca.example/elsewhere");
}
END_TEST

/* A directory URL without TLS is refused before anything is sent. */
START_TEST(no_tls)
{
    rig_t *rig = rig_make(pool);

    rig->ca.url = "http://ca.example/dir";
    rig_fails(rig_order(rig, "a.example"), BASE_EXIT_FAILED, "https");
    ck_assert_str_eq(rig->log, "");
}
END_TEST

/* Missing endpoints, wrong types: not taken, not kept. */
START_TEST(not_a_directory)
{
    static const char *const patches[] = {
        "{\"newNonce\":null}", "{\"newAccount\":7}", "{\"newOrder\":\"\"}",
        "{\"newOrder\":\"/relative\"}", "{\"meta\":[]}",
        "{\"revokeCert\":{}}"
    };
    rig_rule_t rules[] = { { .on = "dir" }, { 0 } };
    rig_t *rig = rig_make(pool);

    rules[0].patch = patches[_i];
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_FAILED,
              "reading the CA's directory");
    ck_assert_int_eq(rig->directories, 0);
}
END_TEST

/* A cached directory that is no good (damaged, of another origin) is read
 * anew as if there were none. */
START_TEST(bad_cache)
{
    static const char *const caches[] = {
        "{}", "[]", "{\"newNonce\":\"https://evil.example/nonce\","
        "\"newAccount\":\"https://ca.example/new-account\","
        "\"newOrder\":\"https://ca.example/new-order\"}"
    };
    rig_t *rig = rig_make(pool);

    rig->ca.directory = base_json_own(json_loads(caches[_i], 0, NULL), pool);
    rig_ok(rig_order(rig, "a.example"));
    ck_assert_int_eq(rig_count(rig, "dir"), 1);
}
END_TEST

/* CAs move their endpoints. When one is refused and the directory was a
 * cached one, it is read again, once, and the request goes to the new
 * place. */
START_TEST(endpoint_moved)
{
    static const char *const endpoints[] = {
        "newNonce", "newAccount", "newOrder"
    };
    rig_t *rig = rig_make(pool);
    json_t *cache;

    rig_known(rig);
    if (_i == 1) {
        rig->ca.account = NULL;
    }
    cache = base_json_own(json_deep_copy(rig->ca.directory), pool);
    json_object_set_new(cache, endpoints[_i],
                        json_string("https://ca.example/old"));
    rig->ca.directory = cache;
    ck_assert_int_eq(order_many(rig, 30), 30);
    ck_assert_int_eq(rig_count(rig, "dir"), 1);
    ck_assert_int_eq(rig->directories, 1);
    ck_assert_int_ge(rig_count(rig, "?"), 1);
    ck_assert_int_le(rig_count(rig, "?"), 20);
}
END_TEST

/* If the directory still says the same, the refusal was meant. */
START_TEST(endpoint_not_moved)
{
    static const rig_rule_t rules[] = {
        { .on = "new-order", .status = 404, .type = "malformed" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_REFUSED,
              "ordering the certificate: ");
    ck_assert_str_eq(rig->log, "nonce new-order dir");
}
END_TEST

/* If it cannot be read any more, the refusal is still what is told. */
START_TEST(refresh_fails)
{
    static const rig_rule_t rules[] = {
        { .on = "new-order", .status = 404, .type = "malformed" },
        { .on = "dir", .status = 404 }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_REFUSED,
              "ordering the certificate: ");
    ck_assert_int_eq(rig->directories, 0);
}
END_TEST

/* A refusal that is about the order and not the place reads nothing. */
START_TEST(no_refresh_for_other_refusals)
{
    static const rig_rule_t rules[] = {
        { .on = "new-order", .status = 400, .type = "rejectedIdentifier" },
        { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_REFUSED,
              "does not issue for this name");
    ck_assert_int_eq(rig_count(rig, "dir"), 0);
}
END_TEST

/* A host that cannot keep the directory fails the jobs. */
START_TEST(not_kept)
{
    rig_t *rig = rig_make(pool);

    rig->fail = "directory";
    rig_fails(rig_order(rig, "a.example"), BASE_EXIT_FAILED,
              "directory says no");
}
END_TEST

Suite *directory_suite(void)
{
    Suite *suite = suite_create("acme/directory");
    TCase *tc = unit_case(suite, "directory");

    tcase_add_test(tc, once_for_all);
    tcase_add_test(tc, fails_for_all);
    tcase_add_test(tc, wrong_url);
    tcase_add_test(tc, no_tls);
    tcase_add_loop_test(tc, not_a_directory, 0, 6);
    tcase_add_loop_test(tc, bad_cache, 0, 3);
    tcase_add_loop_test(tc, endpoint_moved, 0, 3);
    tcase_add_test(tc, endpoint_not_moved);
    tcase_add_test(tc, refresh_fails);
    tcase_add_test(tc, no_refresh_for_other_refusals);
    tcase_add_test(tc, not_kept);
    return suite;
}
