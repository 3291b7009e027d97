#include "rig.h"

#include <apr_strings.h>

Suite *account_suite(void);

static const acme_result_t *account(rig_t *rig)
{
    acme_engine_t *engine = rig_engine(rig);

    acme_engine_account(engine, 0);
    rig_run(rig, engine);
    ck_assert_int_eq(rig->done_count[0], 1);
    return &rig->results[0];
}

/* Registering takes three requests and keeps the account's URL, which may
 * be relative in the reply. */
START_TEST(registers)
{
    rig_t *rig = rig_make(pool);

    rig_ok(account(rig));
    ck_assert_str_eq(rig->log, "dir nonce new-account");
    ck_assert_str_eq(rig->account, "https://ca.example/acct/1");
    ck_assert_int_eq(rig->results[0].requests, 3);
}
END_TEST

/* An account that is known is asked for its present state. */
START_TEST(shows)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_ok(account(rig));
    ck_assert_str_eq(rig->log, "nonce acct");
}
END_TEST

/* The CA's terms must be accepted by the admin: without ACMEAgreement no
 * account is asked for, and the message has the URL of the terms. */
START_TEST(terms_not_agreed)
{
    rig_t *rig = rig_make(pool);

    rig->ca.agreement = 0;
    rig_fails(account(rig), BASE_EXIT_FAILED, "ACMEAgreement accepted");
    ck_assert_ptr_nonnull(strstr(rig->results[0].err.message,
                                 "https://ca.example/terms"));
    ck_assert_str_eq(rig->log, "dir");
}
END_TEST

/* A CA without terms needs no agreement. */
START_TEST(no_terms)
{
    rig_t *rig = rig_make(pool);

    rig->ca.agreement = 0;
    rig->no_terms = 1;
    rig_ok(account(rig));
}
END_TEST

/* A CA that binds accounts to its customers is refused in plain words. */
START_TEST(external_account)
{
    static const rig_rule_t rules[] = {
        { .on = "dir", .patch = "{\"meta\":{\"externalAccountRequired\":"
          "true}}" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig->rules = rules;
    rig_fails(account(rig), BASE_EXIT_REFUSED, "external account binding");
    ck_assert_str_eq(rig->log, "dir");
}
END_TEST

/* A contact that no CA could take is found here. */
START_TEST(bad_contact)
{
    static const char *const contacts[] = {
        "admin@example.org", "mailto:", "mailto:a@b?subject=x",
        "mailto:a@b,c@d", "tel:+1"
    };
    rig_t *rig = rig_make(pool);

    APR_ARRAY_PUSH(rig->ca.contact, const char *) = contacts[_i];
    rig_fails(account(rig), BASE_EXIT_FAILED, "making the account");
    ck_assert_str_eq(rig->log, "dir");
}
END_TEST

START_TEST(good_contact)
{
    rig_t *rig = rig_make(pool);

    APR_ARRAY_PUSH(rig->ca.contact, const char *) = "mailto:a@example.org";
    rig_ok(account(rig));
}
END_TEST

/* What can be wrong with the CA's reply, and what is made of it. */
START_TEST(bad_replies)
{
    static const struct {
        rig_rule_t rule;
        base_exit_t exit;
        const char *text;
    } rows[] = {
        { { .on = "new-account", .location = "" }, BASE_EXIT_FAILED,
          "no Location header" },
        { { .on = "new-account", .patch = "{\"status\":\"deactivated\"}" },
          BASE_EXIT_REFUSED, "is deactivated at the CA" },
        { { .on = "new-account", .patch = "{\"status\":\"revoked\"}" },
          BASE_EXIT_REFUSED, "is revoked at the CA" },
        { { .on = "new-account", .patch = "{\"status\":\"unheard-of\"}" },
          BASE_EXIT_FAILED, "making the account" },
        { { .on = "new-account", .status = 400, .type = "invalidContact" },
          BASE_EXIT_REFUSED, "does not accept the contact" },
        { { .on = "new-account", .status = 400,
            .type = "unsupportedContact" },
          BASE_EXIT_REFUSED, "this kind of contact" },
        { { .on = "new-account", .status = 403,
            .type = "userActionRequired" },
          BASE_EXIT_REFUSED, "wants somebody to act" },
        { { .on = "new-account", .status = 401,
            .type = "externalAccountRequired" },
          BASE_EXIT_REFUSED, "one of its customers" },
        { { .on = "new-account", .status = 400, .type =
            "accountDoesNotExist" }, BASE_EXIT_REFUSED, "know this account" },
        { { .on = "new-account", .status = 429, .type = "rateLimited",
            .retry_after = "10800" }, BASE_EXIT_BUSY, "limits" }
    };
    rig_rule_t rules[] = { rows[_i].rule, { 0 } };
    rig_t *rig = rig_make(pool);

    rig->rules = rules;
    rig_fails(account(rig), rows[_i].exit, rows[_i].text);
    ck_assert_int_eq(rig_count(rig, "new-account"), 1);
    ck_assert_ptr_null(rig->account);
}
END_TEST

/* A refused account is refused to every order, by one request. */
START_TEST(refused_for_all)
{
    static const rig_rule_t rules[] = {
        { .on = "new-account", .status = 403, .type = "unauthorized" },
        { 0 }
    };
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine;
    int i;

    rig->rules = rules;
    engine = rig_engine(rig);
    for (i = 0; i < 50; i++) {
        acme_engine_order(engine, 0, rig_job(rig, "a.example"));
    }
    rig_run(rig, engine);
    for (i = 0; i < 50; i++) {
        rig_fails(&rig->results[i], BASE_EXIT_REFUSED, "making the account");
    }
    ck_assert_int_eq(rig_count(rig, "new-account"), 1);
}
END_TEST

/* The CA forgot our account: it is registered again, once for all orders,
 * and each of them gets its certificate. */
START_TEST(lost_account)
{
    rig_t *rig = rig_make(pool);
    acme_engine_t *engine;
    int i;

    rig_known(rig);
    rig->accounts_alive_from = 2;
    engine = rig_engine(rig);
    for (i = 0; i < 40; i++) {
        acme_engine_order(engine, 0, rig_job(rig, "a.example"));
    }
    rig_run(rig, engine);
    for (i = 0; i < 40; i++) {
        rig_ok(&rig->results[i]);
    }
    ck_assert_int_eq(rig_count(rig, "new-account"), 1);
    ck_assert_str_eq(rig->account, "https://ca.example/acct/2");
}
END_TEST

/* A CA that forgets the second account as well is not asked for a third. */
START_TEST(lost_again)
{
    static const rig_rule_t rules[] = {
        { .on = "new-order", .status = 400, .type = "accountDoesNotExist" },
        { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(rig_order_rules(rig, "a.example", rules), BASE_EXIT_REFUSED,
              "does not know this account");
    ck_assert_int_eq(rig_count(rig, "new-account"), 1);
    ck_assert_int_eq(rig_count(rig, "new-order"), 2);
}
END_TEST

/* The account is lost in the middle of an order: the order is lost too, a
 * new one is made by the new account. */
START_TEST(lost_in_the_middle)
{
    static const char *const where[] = {
        "authz", "chall", "order", "finalize", "cert"
    };
    rig_rule_t rules[] = {
        { .to = 1, .status = 400, .type = "accountDoesNotExist" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rules[0].on = where[_i];
    rig_ok(rig_order_rules(rig, "a.example b.example", rules));
    ck_assert_int_eq(rig_count(rig, "new-order"), 2);
    ck_assert_int_eq(rig_count(rig, "new-account"), 1);
    ck_assert_int_eq(rig->certificates, 1);
}
END_TEST

/* A lost account that is only looked at is registered again as well. */
START_TEST(lost_and_shown)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->accounts_alive_from = 2;
    rig_ok(account(rig));
    ck_assert_str_eq(rig->log, "nonce acct new-account");
}
END_TEST

/* A known account that was deactivated is refused. */
START_TEST(deactivated)
{
    static const rig_rule_t rules[] = {
        { .on = "acct", .patch = "{\"status\":\"deactivated\"}" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->rules = rules;
    rig_fails(account(rig), BASE_EXIT_REFUSED,
              "https://ca.example/acct/1 is deactivated at the CA");
}
END_TEST

/* A host that cannot keep the account fails the jobs. */
START_TEST(not_kept)
{
    rig_t *rig = rig_make(pool);

    rig->fail = "account";
    rig_fails(account(rig), BASE_EXIT_FAILED, "account says no");
}
END_TEST

Suite *account_suite(void)
{
    Suite *suite = suite_create("acme/account");
    TCase *tc = unit_case(suite, "account");

    tcase_add_test(tc, registers);
    tcase_add_test(tc, shows);
    tcase_add_test(tc, terms_not_agreed);
    tcase_add_test(tc, no_terms);
    tcase_add_test(tc, external_account);
    tcase_add_loop_test(tc, bad_contact, 0, 5);
    tcase_add_test(tc, good_contact);
    tcase_add_loop_test(tc, bad_replies, 0, 10);
    tcase_add_test(tc, refused_for_all);
    tcase_add_test(tc, lost_account);
    tcase_add_test(tc, lost_again);
    tcase_add_loop_test(tc, lost_in_the_middle, 0, 5);
    tcase_add_test(tc, lost_and_shown);
    tcase_add_test(tc, deactivated);
    tcase_add_test(tc, not_kept);
    return suite;
}
