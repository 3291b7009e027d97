#include "rig.h"

#include "acme/engine.h"

#include <apr_strings.h>

Suite *authz_suite(void);

/* All authorizations of an order are read at once, all challenges answered
 * at once, and the order alone is looked at. */
START_TEST(all_at_once)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_ok(rig_order(rig, "a.example b.example c.example d.example"));
    ck_assert_int_eq(rig_elapsed(rig), apr_time_from_msec(9 * 10 + 2 * 40));
    ck_assert_int_eq(rig_count(rig, "authz"), 4);
    ck_assert_int_eq(rig_count(rig, "chall"), 4);
    ck_assert_int_eq(rig_count(rig, "order"), 2);
    ck_assert_int_eq(rig->puts, 4);
    ck_assert_int_eq(rig->removes, 4);
}
END_TEST

/* Names that the CA validated before are skipped; if all were, the order
 * only has to be looked at. */
START_TEST(valid_already)
{
    static const rig_rule_t one[] = {
        { .on = "authz", .to = 1, .patch = "{\"status\":\"valid\"}" }, { 0 }
    };
    static const rig_rule_t all[] = {
        { .on = "authz", .patch = "{\"status\":\"valid\"}" },
        { .on = "order", .to = 1, .patch = "{\"status\":\"ready\"}" },
        { .on = "finalize", .patch = "{\"status\":\"valid\",\"certificate\":"
          "\"https://ca.example/cert/1\"}", .status = 200 }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->looks_pending = 1000000;
    rig->options.order_deadline = apr_time_from_sec(1);
    rig_order_rules(rig, "a.example b.example", one);
    ck_assert_int_eq(rig_count(rig, "chall"), 1);
    ck_assert_int_eq(rig->puts, 1);

    rig = rig_make(pool);
    rig_known(rig);
    rig_order_rules(rig, "a.example b.example", all);
    ck_assert_int_eq(rig_count(rig, "chall"), 0);
    ck_assert_int_eq(rig->puts, 0);
    ck_assert_int_eq(rig_count(rig, "finalize"), 1);
}
END_TEST

/* The authorization of a wildcard bears the bare name and "wildcard". */
START_TEST(wildcard)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_ok(rig_order(rig, "*.a.example a.example"));
    ck_assert_int_eq(rig->puts, 2);
}
END_TEST

/* An authorization for a name that nobody asked for is not acted on. */
START_TEST(foreign_name)
{
    static const char *const patches[] = {
        "{\"identifier\":{\"type\":\"dns\",\"value\":\"evil.example\"}}",
        "{\"wildcard\":true}",
        "{\"identifier\":{\"type\":\"dns\",\"value\":\"example\"}}"
    };
    rig_rule_t rules[] = { { .on = "authz" }, { 0 } };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rules[0].patch = patches[_i];
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_FAILED,
              "which nobody asked for");
    ck_assert_int_eq(rig->puts, 0);
}
END_TEST

/* A new order with a dead authorization fails and says which name. */
START_TEST(dead_in_a_new_order)
{
    static const char *const statuses[] = {
        "expired", "deactivated", "revoked", "invalid"
    };
    rig_rule_t rules[] = { { .on = "authz" }, { 0 } };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rules[0].patch = apr_psprintf(pool, "{\"status\":\"%s\"}", statuses[_i]);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_FAILED,
              "of a.example ");
    ck_assert_str_eq(rig->results[0].err.identifier, "a.example");
    ck_assert_ptr_null(rig->saved[0]);
}
END_TEST

/* When an order turns invalid its authorizations tell which name failed,
 * by which challenge and why; other names' authorizations are given back. */
START_TEST(validation_fails)
{
    static const struct {
        const char *type;
        base_exit_t exit;
        const char *text;
    } rows[] = {
        { "connection", BASE_EXIT_FAILED, "could not connect" },
        { "dns", BASE_EXIT_FAILED, "could not look up the name" },
        { "tls", BASE_EXIT_FAILED, "TLS error" },
        { "incorrectResponse", BASE_EXIT_FAILED, "a wrong answer" },
        { "unauthorized", BASE_EXIT_FAILED, "is not authorized" },
        { "malformed", BASE_EXIT_FAILED, "it did not answer" },
        { "caa", BASE_EXIT_REFUSED, "a CAA record" },
        { "serverInternal", BASE_EXIT_BUSY, "has trouble" },
        { "rateLimited", BASE_EXIT_BUSY, "limits how often" },
        { "neverHeardOf", BASE_EXIT_FAILED, "neverHeardOf" }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->error = rows[_i].type;
    rig_fails(rig_order(rig, "a.example"), rows[_i].exit, rows[_i].text);
    ck_assert_ptr_nonnull(strstr(rig->results[0].err.message,
                                 "validation of a.example by "));
    ck_assert_ptr_nonnull(strstr(rig->results[0].err.message,
                                 "it did not answer"));
    ck_assert_str_eq(rig->results[0].err.identifier, "a.example");
    ck_assert_str_eq(rig->results[0].err.type,
                     apr_pstrcat(pool, URN, rows[_i].type, NULL));
    ck_assert_int_eq(rig_count(rig, "authz"), 2);
}
END_TEST

/* Of several names the first failure gives the identifier, and the message
 * names them all. */
START_TEST(several_fail)
{
    rig_t *rig = rig_make(pool);
    const char *message;

    rig_known(rig);
    rig->error = "connection";
    rig_fails(rig_order(rig, "a.example b.example c.example"),
              BASE_EXIT_FAILED, "");
    message = rig->results[0].err.message;
    ck_assert_ptr_nonnull(strstr(message, "validation of a.example"));
    ck_assert_ptr_nonnull(strstr(message, "; validation of b.example"));
    ck_assert_ptr_nonnull(strstr(message, "validation of c.example"));
}
END_TEST

/* The reason may be nowhere, in the order alone, or out of reach. */
START_TEST(no_reason)
{
    static const struct {
        rig_rule_t order, authz;
        const char *text;
        base_exit_t exit;
    } rows[] = {
        { { .on = "order", .patch = "{\"status\":\"invalid\"}" }, { 0 },
          "does not say why", BASE_EXIT_FAILED },
        { { .on = "order", .patch = "{\"status\":\"invalid\",\"error\":"
            "{\"type\":\"" URN "caa\",\"detail\":\"forbidden\"}}" }, { 0 },
          "the CA gave the order up: a CAA record", BASE_EXIT_REFUSED },
        { { .on = "order", .patch = "{\"status\":\"invalid\"}" },
          { .on = "authz", .from = 2, .status = 404, .body = "" },
          "does not say why", BASE_EXIT_FAILED },
        { { .on = "order", .patch = "{\"status\":\"invalid\"}" },
          { .on = "authz", .from = 2,
            .patch = "{\"status\":\"invalid\",\"challenges\":[]}" },
          "validation of a.example failed: the CA gives no reason",
          BASE_EXIT_FAILED },
        { { .on = "order", .patch = "{\"status\":\"canceled\"}" }, { 0 },
          "does not say why", BASE_EXIT_FAILED }
    };
    rig_rule_t rules[] = { rows[_i].order, rows[_i].authz, { 0 } };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example", rules), rows[_i].exit,
              rows[_i].text);
    ck_assert_ptr_null(rig->saved[0]);
}
END_TEST

/* An order that fails behind finalize has its reason in itself, with all
 * subproblems; the authorizations are not asked. */
START_TEST(fails_behind_finalize)
{
    static const rig_rule_t rules[] = {
        { .on = "finalize", .patch = "{\"status\":\"invalid\",\"error\":"
          "{\"type\":\"" URN "compound\",\"subproblems\":[{\"type\":\"" URN
          "caa\",\"detail\":\"no\",\"identifier\":{\"type\":\"dns\","
          "\"value\":\"b.example\"}}]}}" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example b.example", rules),
              BASE_EXIT_REFUSED, "b.example: a CAA record in DNS forbids");
    ck_assert_str_eq(rig->results[0].err.identifier, "b.example");
    ck_assert_int_eq(rig_count(rig, "authz"), 2);
}
END_TEST

/* After a failure what is still pending is given back, but the result does
 * not wait long for it: neither for a silent CA nor for one in trouble. */
START_TEST(gives_pending_back)
{
    static const rig_rule_t rows[] = {
        { .on = "none" },
        { .on = "authz", .from = 4, .silent = 1 },
        { .on = "authz", .from = 4, .status = 500, .body = "" },
        { .on = "authz", .from = 4, .down = 1 },
        { .on = "authz", .from = 4, .status = 429, .type = "rateLimited",
          .retry_after = "1" }
    };
    rig_rule_t rules[] = {
        { .on = "chall", .from = 3, .status = 403, .type = "unauthorized" },
        { .on = "chall", .from = 1, .to = 2, .status = 200,
          .body = "{\"type\":\"http-01\",\"status\":\"pending\",\"url\":"
          "\"https://ca.example/chall/1/0\",\"token\":"
          "\"token-token-token-token\"}" },
        rows[_i], { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example b.example c.example", rules),
              BASE_EXIT_REFUSED, "because of unauthorized");
    ck_assert_int_eq(rig_count(rig, "authz"), 6);
    ck_assert_int_le(rig_elapsed(rig), ACME_DEACTIVATE_MAX
                     + apr_time_from_msec(200));
    ck_assert(_i == 1 || rig_elapsed(rig) < apr_time_from_msec(200));
    ck_assert_int_eq(rig->removes, 3);
}
END_TEST

/* The deadline ends this as well, and the job's own error stays. */
START_TEST(gives_back_till_the_deadline)
{
    static const rig_rule_t rules[] = {
        { .on = "chall", .status = 403, .type = "unauthorized" },
        { .on = "authz", .from = 2, .silent = 1 }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->options.order_deadline = apr_time_from_sec(1);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_REFUSED,
              "because of unauthorized");
    ck_assert_int_eq(rig_elapsed(rig), apr_time_from_sec(1));
}
END_TEST

/* What arrives for a job that has failed meanwhile changes nothing, be it
 * a reply or the news that none comes. */
START_TEST(late_arrivals)
{
    static const rig_rule_t rules[] = {
        { .on = "chall", .to = 1, .status = 403, .type = "unauthorized" },
        { .on = "chall", .from = 2, .to = 2, .down = 1 }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example b.example c.example", rules),
              BASE_EXIT_REFUSED, "because of unauthorized");
    ck_assert_int_eq(rig_count(rig, "chall"), 3);
    ck_assert_int_eq(rig_count(rig, "authz"), 6);
}
END_TEST

Suite *authz_suite(void)
{
    Suite *suite = suite_create("acme/authz");
    TCase *tc = unit_case(suite, "authz");

    tcase_add_test(tc, all_at_once);
    tcase_add_test(tc, valid_already);
    tcase_add_test(tc, wildcard);
    tcase_add_loop_test(tc, foreign_name, 0, 3);
    tcase_add_loop_test(tc, dead_in_a_new_order, 0, 4);
    tcase_add_loop_test(tc, validation_fails, 0, 10);
    tcase_add_test(tc, several_fail);
    tcase_add_loop_test(tc, no_reason, 0, 5);
    tcase_add_test(tc, fails_behind_finalize);
    tcase_add_loop_test(tc, gives_pending_back, 0, 5);
    tcase_add_test(tc, gives_back_till_the_deadline);
    tcase_add_test(tc, late_arrivals);
    return suite;
}
