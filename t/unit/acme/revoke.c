#include "rig.h"

#include <apr_strings.h>

Suite *revoke_suite(void);

static acme_revoke_job_t job;

static const acme_result_t *run_revoke(rig_t *rig, int reason, int by_key)
{
    acme_engine_t *engine = rig_engine(rig);
    char *certificate = apr_palloc(pool, 201);

    memset(certificate, 'M', 200);
    certificate[200] = '\0';
    job.name = "a.example";
    job.certificate = certificate;
    job.reason = reason;
    job.by_certificate_key = by_key;
    acme_engine_revoke(engine, 0, &job);
    rig_run(rig, engine);
    ck_assert_int_eq(rig->done_count[0], 1);
    return &rig->results[0];
}

/* With a known account two requests revoke. */
START_TEST(by_account)
{
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_ok(run_revoke(rig, 4, 0));
    ck_assert_str_eq(rig->log, "nonce revoke");
    ck_assert_int_eq(rig->bad_requests, 0);
}
END_TEST

/* The certificate's own key needs no account, and makes none. */
START_TEST(by_certificate_key)
{
    rig_t *rig = rig_make(pool);

    rig->ca.agreement = 0;
    rig_ok(run_revoke(rig, ACME_REASON_NONE, 1));
    ck_assert_str_eq(rig->log, "dir nonce revoke");
}
END_TEST

/* What is revoked already is as revoked as was wanted. */
START_TEST(already_revoked)
{
    static const rig_rule_t rules[] = {
        { .on = "revoke", .status = 400, .type = "alreadyRevoked" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->rules = rules;
    rig_ok(run_revoke(rig, 0, 0));
}
END_TEST

/* Refusals, each by its sentence. */
START_TEST(refused)
{
    static const struct {
        rig_rule_t rule;
        base_exit_t exit;
        const char *text;
    } rows[] = {
        { { .on = "revoke", .status = 400, .type = "badRevocationReason" },
          BASE_EXIT_REFUSED, "does not accept this reason" },
        { { .on = "revoke", .status = 403, .type = "unauthorized" },
          BASE_EXIT_REFUSED, "not authorized" },
        { { .on = "revoke", .status = 400, .type = "accountDoesNotExist" },
          BASE_EXIT_REFUSED, "the certificate's own key instead" },
        { { .on = "revoke", .status = 404, .body = "<html>" },
          BASE_EXIT_REFUSED, "HTTP 404" },
        { { .on = "revoke", .status = 429, .type = "rateLimited" },
          BASE_EXIT_BUSY, "limits" }
    };
    rig_rule_t rules[] = { rows[_i].rule, { 0 } };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig->rules = rules;
    rig_fails(run_revoke(rig, 1, 0), rows[_i].exit, rows[_i].text);
    ck_assert_int_eq(rig_count(rig, "new-account"), 0);
}
END_TEST

/* A reason that RFC 5280 does not have is found before the CA is asked. */
START_TEST(impossible_reason)
{
    static const int reasons[] = { -2, 7, 11, 1000000 };
    rig_t *rig = rig_make(pool);

    rig_known(rig);
    rig_fails(run_revoke(rig, reasons[_i], 0), BASE_EXIT_FAILED,
              "revoking the certificate");
    ck_assert_str_eq(rig->log, "");
}
END_TEST

/* A CA whose directory has no revokeCert cannot revoke. */
START_TEST(no_endpoint)
{
    static const rig_rule_t rules[] = {
        { .on = "dir", .patch = "{\"revokeCert\":null}" }, { 0 }
    };
    rig_t *rig = rig_make(pool);

    rig->rules = rules;
    rig_fails(run_revoke(rig, 0, 1), BASE_EXIT_FAILED, "has no revokeCert");
}
END_TEST

Suite *revoke_suite(void)
{
    Suite *suite = suite_create("acme/revoke");
    TCase *tc = unit_case(suite, "revoke");

    tcase_add_test(tc, by_account);
    tcase_add_test(tc, by_certificate_key);
    tcase_add_test(tc, already_revoked);
    tcase_add_loop_test(tc, refused, 0, 5);
    tcase_add_loop_test(tc, impossible_reason, 0, 4);
    tcase_add_test(tc, no_endpoint);
    return suite;
}
