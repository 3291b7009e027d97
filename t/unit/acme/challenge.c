#include "rig.h"

#include "acme/engine.h"

#include <apr_strings.h>

Suite *challenge_suite(void);

#define CHALL(type, status, token) \
    "{\"type\":\"" type "\",\"status\":\"" status "\",\"token\":\"" token \
    "\",\"url\":\"https://ca.example/chall/1/0\"}"
#define TOKEN "token-token-token-token"

/* The challenge taken is the first of the job's types that the CA offers
 * and that is still open; unknown types, without token or URL, are passed
 * over. */
START_TEST(choice)
{
    static const struct {
        const char *types, *offer, *chosen;
    } rows[] = {
        { "http-01", CHALL("http-01", "pending", TOKEN), "http-01" },
        { "tls-alpn-01 http-01", CHALL("http-01", "pending", TOKEN) ","
          CHALL("tls-alpn-01", "pending", TOKEN), "tls-alpn-01" },
        { "tls-alpn-01 http-01", CHALL("http-01", "pending", TOKEN) ","
          CHALL("tls-alpn-01", "invalid", TOKEN), "http-01" },
        { "http-01", CHALL("http-01", "processing", TOKEN), "http-01" },
        { "http-01", "{\"type\":\"dns-persist-01\"},{\"type\":\"x\","
          "\"status\":7,\"token\":[]}," CHALL("http-01", "pending", TOKEN),
          "http-01" },
        { "x http-01", "{\"type\":\"x\",\"status\":\"pending\"},"
          CHALL("http-01", "pending", TOKEN), "http-01" },
        { "http-01", CHALL("dns-01", "pending", TOKEN), NULL },
        { "http-01", CHALL("http-01", "valid", TOKEN), NULL },
        { "http-01", "", NULL },
        { "dns-01 x", CHALL("http-01", "pending", TOKEN), NULL },
        { "", CHALL("http-01", "pending", TOKEN), NULL }
    };
    acme_job_t job = { 0 };
    acme_order_job_t order_job = { 0 };
    acme_order_t *order = apr_pcalloc(pool, sizeof(*order));
    acme_authz_t authz = { 0 };
    char *types = apr_pstrdup(pool, rows[_i].types), *type, *state;
    json_t *offer = base_json_own(json_loads(apr_pstrcat(
        pool, "[", rows[_i].offer, "]", NULL), 0, NULL), pool);
    apr_status_t rv;

    ck_assert_ptr_nonnull(offer);
    order_job.challenges = apr_array_make(pool, 2, sizeof(const char *));
    for (type = apr_strtok(types, " ", &state); type;
         type = apr_strtok(NULL, " ", &state)) {
        APR_ARRAY_PUSH(order_job.challenges, const char *) = type;
    }
    job.order_job = &order_job;
    job.order = order;
    order->pool = pool;
    authz.job = &job;
    authz.identifier = "a.example";
    rv = acme_challenge_choose(&authz, offer, &err);
    if (rows[_i].chosen) {
        unit_ok(rv);
        ck_assert_str_eq(authz.type, rows[_i].chosen);
        ck_assert_str_eq(authz.token, TOKEN);
    }
    else {
        ck_assert_int_eq(rv, APR_ENOTIMPL);
        ck_assert_ptr_null(authz.type);
        ck_assert_str_eq(err.identifier, "a.example");
    }
}
END_TEST

/* If nothing fits, the message names what the CA offers and what is
 * allowed here, and the authorization is given back. */
START_TEST(nothing_fits)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->offers = "dns-01 dns-persist-02";
    rig_fails(rig_order(rig, "a.example"), BASE_EXIT_FAILED,
              "no way to validate a.example: the CA offers dns-01, "
              "dns-persist-02, and this server can do or is allowed "
              "http-01");
    ck_assert_str_eq(rig->log, "nonce new-order authz authz");
    ck_assert_str_eq(rig->orders[1].authz[0], "deactivated");
    ck_assert_ptr_null(rig->saved[0]);
}
END_TEST

/* A token that could be anything but a token (a path, a command, too
 * short, too long) is never presented. */
START_TEST(bad_tokens)
{
    static const char *const tokens[] = {
        "", "short", "../../../../etc/passwd-passwd", "a/b/c/d/e/f/g/h/i/j/k",
        "token token token token", "token-token-token-token\\n",
        "token-token-token-token=", "$(reboot)$(reboot)$(reboot)",
        "token-token-token-token.html", "t\\u00f6ken-token-token-token"
    };
    rig_rule_t rules[] = { { .on = "authz" }, { 0 } };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rules[0].patch = apr_psprintf(pool, "{\"challenges\":["
                                  CHALL("http-01", "pending", "%s") "]}",
                                  tokens[_i]);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_FAILED,
              "reading an authorization");
    ck_assert_int_eq(rig->puts, 0);
    ck_assert_int_eq(rig_count(rig, "chall"), 0);
}
END_TEST

/* The CA is told only when every challenge of the order is up; if one
 * cannot be put up, all are taken down and the CA is told nothing. The
 * order stays for the next run. */
START_TEST(cannot_present)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->fail = "put";
    rig->fail_from = _i + 1;
    rig_fails(rig_order(rig, "a.example b.example c.example"),
              BASE_EXIT_FAILED, "put says no");
    ck_assert_int_eq(rig_count(rig, "chall"), 0);
    ck_assert_int_eq(rig->removes, _i + 1);
    ck_assert_ptr_nonnull(rig->saved[0]);
}
END_TEST

/* A challenge that cannot be taken down after a success does not undo it;
 * after a failure it is told behind it. */
START_TEST(cannot_take_down)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->fail = "remove";
    rig_ok(rig_order(rig, "a.example"));
    ck_assert_ptr_nonnull(strstr(rig->steps, "remove says no"));

    rig = rig_make(pool);
    rig_known(rig);
    rig->fail = "remove";
    rig->error = "dns";
    rig_fails(rig_order(rig, "a.example"), BASE_EXIT_FAILED,
              "; remove says no");
}
END_TEST

/* The CA refuses the answer: the job fails with its words. */
START_TEST(answer_refused)
{
    static const rig_rule_t rules[] = {
        { .on = "chall", .status = 400, .type = "malformed" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_REFUSED,
              "answering a challenge: ");
    ck_assert_int_eq(rig->removes, 1);
}
END_TEST

/* A host that needs time is asked again; meanwhile the CA is told nothing,
 * and other orders go on. */
START_TEST(host_needs_time)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->puts_again = 7;
    rig_ok(rig_order(rig, "a.example b.example c.example"));
    ck_assert_int_eq(rig->puts, 3);
    ck_assert_int_eq(rig_count(rig, "chall"), 3);
    ck_assert_int_ge(rig_elapsed(rig), 3 * ACME_PUT_AGAIN);
    ck_assert_int_eq(rig->challenges_up, 0);
}
END_TEST

/* It may need time for one name while another one cannot be presented: the
 * order fails at once. */
START_TEST(host_needs_time_in_vain)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->puts_again = 1;
    rig->fail = "put";
    rig_fails(rig_order(rig, "a.example b.example"), BASE_EXIT_FAILED,
              "put says no");
    ck_assert_int_eq(rig_count(rig, "chall"), 0);
    ck_assert_int_eq(rig->puts, 1);
}
END_TEST

/* A host that is never ready does not hold an order for ever. */
START_TEST(host_is_never_ready)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->puts_again = 1000000;
    rig_fails(rig_order(rig, "a.example"), BASE_EXIT_BUSY,
              "answering the challenges: not done within");
    ck_assert_int_eq(rig_count(rig, "chall"), 0);
}
END_TEST

Suite *challenge_suite(void)
{
    Suite *suite = suite_create("acme/challenge");
    TCase *tc = unit_case(suite, "challenge");

    tcase_add_loop_test(tc, choice, 0, 11);
    tcase_add_test(tc, nothing_fits);
    tcase_add_loop_test(tc, bad_tokens, 0, 10);
    tcase_add_loop_test(tc, cannot_present, 0, 3);
    tcase_add_test(tc, cannot_take_down);
    tcase_add_test(tc, answer_refused);
    tcase_add_test(tc, host_needs_time);
    tcase_add_test(tc, host_needs_time_in_vain);
    tcase_add_test(tc, host_is_never_ready);
    return suite;
}
