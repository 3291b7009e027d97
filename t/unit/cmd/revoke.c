/*
 * acmectl revoke: what it refuses before any CA is asked, and that no key
 * is in memory when the net worker is forked.
 */
#include "crypto/fixture.h"
#include "desk.h"
#include "worker/stall.h"

static const char *cert_file;
static EVP_PKEY *cert_key;

/* A certificate of a.example in a file. */
static void setup(void)
{
    fix_spec_t ca = { .cn = "CA", .ca = 1 };
    fix_spec_t leaf = { .san = "DNS:a.example" };

    store_setup();
    ca.key = fix_evp("P-256", pool);
    cert_key = leaf.key = fix_evp("P-256", pool);
    leaf.issuer = fix_cert(&ca, pool);
    leaf.issuer_key = ca.key;
    cert_file = apr_pstrcat(pool, dir, "/cert.pem", NULL);
    write_file(cert_file, fix_pem(pool, fix_cert(&leaf, pool), NULL));
}

static void configure_ca(const char *url)
{
    configure(domain_text("\"a.example\"",
                          apr_psprintf(pool, "\"ca\":[\"%s\"]", url)), "");
}

static void fails(base_exit_t exit_status, const char *text)
{
    /* with its end the store is unlocked */
    apr_pool_create(&cmd->pool, pool);
    cmd_revoke(cmd);
    apr_pool_destroy(cmd->pool);
    cmd->pool = pool;
    ck_assert_int_eq(cmd->err.exit, exit_status);
    ck_assert_msg(strstr(cmd->err.message, text) != NULL, "%s",
                  cmd->err.message);
    base_err_clear(&cmd->err);
}

/* It wants one name, or --cert FILE; --key goes with the latter. */
START_TEST(arguments_are_checked)
{
    configure_ca(CA0);
    fails(BASE_EXIT_USAGE, "one name, or --cert FILE");
    cmd->options.key = "/k";
    APR_ARRAY_PUSH(cmd->args, const char *) = "a.example";
    fails(BASE_EXIT_USAGE, "--key goes with --cert");
    cmd->options.cert = cert_file;
    fails(BASE_EXIT_USAGE, "one name, or --cert FILE");
}
END_TEST

/* Reasons that are for CAs alone, or for nobody, are refused. */
START_TEST(reasons_are_checked)
{
    static const char *const reasons[] = {
        "cACompromise", "certificateHold", "removeFromCRL", "1", "", "key"
    };
    size_t i;

    configure_ca(CA0);
    cmd->options.cert = cert_file;
    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        cmd->options.reason = reasons[i];
        fails(BASE_EXIT_USAGE, "is not known; use unspecified");
    }
}
END_TEST

/* A name has to be a managed one and to have a certificate. */
START_TEST(names_are_checked)
{
    configure_ca(CA0);
    APR_ARRAY_PUSH(cmd->args, const char *) = "z.example";
    fails(BASE_EXIT_USAGE, "z.example is not a managed domain");
    APR_ARRAY_IDX(cmd->args, 0, const char *) = "a.example";
    fails(BASE_EXIT_FAILED, "there is no certificate for a.example");
}
END_TEST

/* A file has to be a certificate of a CA that is known. */
START_TEST(files_are_checked)
{
    configure("", "");
    cmd->options.cert = cert_file;
    fails(BASE_EXIT_USAGE, "is not known here");
    cmd->options.cert = apr_pstrcat(pool, dir, "/absent", NULL);
    fails(BASE_EXIT_USAGE, "/absent");
    write_file(cert_file, fix_key_pem(cert_key, pool));
    cmd->options.cert = cert_file;
    fails(BASE_EXIT_USAGE, cert_file);
}
END_TEST

/* Without account and key nobody is asked, and no account is made. */
START_TEST(an_account_or_a_key_is_needed)
{
    configure_ca(CA0);
    cmd->options.cert = cert_file;
    fails(BASE_EXIT_FAILED, "give the certificate's own key with --key");
    ck_assert_int_ne(access(apr_pstrcat(pool, cmd->store_dir, "/accounts",
                                        NULL), F_OK), 0);
}
END_TEST

/* A CA that cannot be reached is the result of the certificate. */
START_TEST(failures_are_results)
{
    const char *url = stall_nobody(pool);
    const json_t *result;

    configure_ca(url);
    cmd->options.cert = cert_file;
    cmd->options.key = apr_pstrcat(pool, dir, "/key.pem", NULL);
    write_file(cmd->options.key, fix_key_pem(cert_key, pool));
    cmd_revoke(cmd);
    unit_ok(cmd->err.status);
    result = json_array_get(json_object_get(cmd->result, "results"), 0);
    ck_assert_str_eq(member(result, "result"), "failed");
    ck_assert_ptr_nonnull(strstr(member(json_object_get(result, "error"),
                                        "detail"), url));
    ck_assert_int_eq(cmd->exit, BASE_EXIT_BUSY);
}
END_TEST

/* While the net worker runs, nothing of an account's key can be found in
 * its memory. */
START_TEST(keys_are_not_inherited)
{
    stall_t *stall;

    stall_store = cmd->store_dir = apr_pstrcat(pool, dir, "/made", NULL);
    stall = stall_start(stall_look_for_key, pool);
    stall_make_store(cmd->store_dir, stall->url);
    configure_ca(stall->url);
    cmd->options.cert = cert_file;
    cmd_revoke(cmd);
    ck_assert_str_eq(stall_seen(stall, pool), STALL_NO_KEY);
}
END_TEST

Suite *revoke_suite(void);
Suite *revoke_suite(void)
{
    Suite *suite = suite_create("revoke");
    TCase *tc = desk_case(suite, "revoke", setup);

    tcase_add_test(tc, arguments_are_checked);
    tcase_add_test(tc, reasons_are_checked);
    tcase_add_test(tc, names_are_checked);
    tcase_add_test(tc, files_are_checked);
    tcase_add_test(tc, an_account_or_a_key_is_needed);
    tcase_add_test(tc, failures_are_results);
    if (geteuid() == 0) {
        tcase_add_test(tc, keys_are_not_inherited);
    }
    return suite;
}
