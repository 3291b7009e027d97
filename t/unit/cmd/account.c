/*
 * acmectl account: what is shown, and that no key is in memory when the
 * net worker is forked.
 */
#include "desk.h"
#include "worker/stall.h"

static void run(const char *what)
{
    APR_ARRAY_PUSH(cmd->args, const char *) = what;
    cmd_account(cmd);
}

static const json_t *account(size_t i)
{
    return json_array_get(json_object_get(cmd->result, "accounts"), i);
}

static void configure_ca(const char *url)
{
    configure(domain_text("\"a.example\"",
                          apr_psprintf(pool, "\"ca\":[\"%s\"]", url)), "");
}

/* A CA without an account is shown as such, once. */
START_TEST(absent_accounts_are_shown)
{
    configure(apr_pstrcat(pool, domain_text("\"a.example\"", ""), ",",
                          domain_text("\"b.example\"", ""), NULL), "");
    run("show");
    unit_ok(cmd->err.status);
    ck_assert_ptr_null(account(1));
    ck_assert_str_eq(base_json_text(account(0), pool),
                     "{\"ca\":\"" CA0 "\",\"contact\":[],\"status\":"
                     "\"none\",\"thumbprint\":null,\"url\":null}");
}
END_TEST

/* One that is kept is shown with its key's thumbprint, also where no
 * domain names its CA any more. */
START_TEST(kept_accounts_are_shown)
{
    crypto_key_t *key;
    const char *thumbprint;
    apr_size_t len;
    char *pem;

    unit_ok(store_account_write(cmd->store, CA1, parse_json(
        "{\"directory\":\"" CA1 "\",\"url\":\"https://ca1.example/a/1\","
        "\"status\":\"valid\",\"contact\":[\"mailto:a@b.example\"]}"),
        &err, pool));
    unit_ok(crypto_key_generate(&key, CRYPTO_P256, &err, pool));
    unit_ok(crypto_key_write(&pem, &len, key, &err, pool));
    unit_ok(crypto_jwk_thumbprint(&thumbprint, key, &err, pool));
    unit_ok(store_account_key_write(cmd->store, CA1, pem, len, &err, pool));
    configure("", "");
    run("show");
    unit_ok(cmd->err.status);
    ck_assert_str_eq(member(account(0), "url"), "https://ca1.example/a/1");
    ck_assert_str_eq(member(account(0), "thumbprint"), thumbprint);
}
END_TEST

/* A damaged key has no thumbprint; the account is shown all the same. */
START_TEST(damaged_keys_are_no_obstacle)
{
    unit_ok(store_account_key_write(cmd->store, CA0, "x", 1, &err, pool));
    configure_ca(CA0);
    run("show");
    unit_ok(cmd->err.status);
    ck_assert(json_is_null(json_object_get(account(0), "thumbprint")));
}
END_TEST

/* Without a store there are no accounts yet. */
START_TEST(absent_stores_are_empty)
{
    configure_ca(CA0);
    cmd->store_dir = apr_pstrcat(pool, dir, "/absent", NULL);
    run("show");
    unit_ok(cmd->err.status);
    ck_assert_str_eq(member(account(0), "status"), "none");
}
END_TEST

/* It does two things. */
START_TEST(other_arguments_are_refused)
{
    run("delete");
    ck_assert_int_eq(cmd->err.exit, BASE_EXIT_USAGE);
    base_err_clear(&cmd->err);
    run("show");
    ck_assert_int_eq(cmd->err.exit, BASE_EXIT_USAGE);
}
END_TEST

/* Registering where no CA is configured is the admin's mistake. */
START_TEST(a_ca_is_needed)
{
    configure("", "");
    run("register");
    ck_assert_int_eq(cmd->err.exit, BASE_EXIT_USAGE);
}
END_TEST

/* A CA that cannot be reached: the error is the verb's, nothing changed,
 * and what is known is shown. */
START_TEST(failures_are_the_verbs)
{
    const char *url = stall_nobody(pool);

    configure_ca(url);
    run("register");
    ck_assert_int_eq(cmd->err.exit, BASE_EXIT_BUSY);
    ck_assert_ptr_nonnull(strstr(cmd->err.message, url));
    ck_assert(json_is_false(json_object_get(cmd->result, "changed")));
    ck_assert_str_eq(member(account(0), "status"), "none");
}
END_TEST

/* While the net worker runs, nothing of an account's key can be found in
 * its memory, though the thumbprint is shown afterwards. */
START_TEST(keys_are_not_inherited)
{
    stall_t *stall;

    stall_store = cmd->store_dir = apr_pstrcat(pool, dir, "/made", NULL);
    stall = stall_start(stall_look_for_key, pool);
    stall_make_store(cmd->store_dir, stall->url);
    configure_ca(stall->url);
    run("register");
    ck_assert_str_eq(stall_seen(stall, pool), STALL_NO_KEY);
    ck_assert_ptr_nonnull(member(account(0), "thumbprint"));
}
END_TEST

Suite *account_suite(void);
Suite *account_suite(void)
{
    Suite *suite = suite_create("account");
    TCase *tc = desk_case(suite, "account", store_setup);

    tcase_add_test(tc, absent_accounts_are_shown);
    tcase_add_test(tc, kept_accounts_are_shown);
    tcase_add_test(tc, damaged_keys_are_no_obstacle);
    tcase_add_test(tc, absent_stores_are_empty);
    tcase_add_test(tc, other_arguments_are_refused);
    tcase_add_test(tc, a_ca_is_needed);
    tcase_add_test(tc, failures_are_the_verbs);
    if (geteuid() == 0) {
        tcase_add_test(tc, keys_are_not_inherited);
    }
    return suite;
}
