/*
 * What the keeper signs, with which key and in whose name, and what not.
 */
#include "desk.h"

/* Only URLs of the CA's own origin are signed: not those of another host,
 * port, scheme, user, nor of another CA of the plan; and no key is made
 * for such a request. */
START_TEST(foreign_origins_are_not_signed)
{
    static const char *const urls[] = {
        "https://evil.example/x", "https://ca0.example:8443/x",
        "http://ca0.example/x", "https://ca0.example.evil.example/x",
        "https://ca0.example@evil.example/x", "https://x.ca0.example/x",
        "https://ca1.example/new-account", "//ca0.example/x", "/x", "",
        "https://ca0.example/x y", "https://ca0.example/x#y",
        "ftp://ca0.example/", "https://ca0.exampl\xc3\xa9/x"
    };
    size_t i;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        sign_fails(ACME_SIGN_NEW_ACCOUNT, 0, -1, urls[i], APR_EACCES,
                   "refused to sign a request to");
    }
    ck_assert(!has_account_key(CA0));
}
END_TEST

/* The refusal is for good and names both sides. */
START_TEST(refusals_name_both_sides)
{
    const char *jws;

    sign_as(ACME_SIGN_NEW_ACCOUNT, 0, -1, "https://evil.example/x", &jws);
    ck_assert_int_eq(err.exit, BASE_EXIT_REFUSED);
    ck_assert_str_eq(err.message, "refused to sign a request to "
                     "https://evil.example/x: it is not of the CA " CA0);
}
END_TEST

/* The longest URLs there are fit into the sentence. */
START_TEST(long_urls_are_refused_in_a_sentence)
{
    char *url = apr_palloc(pool, 2049);
    const char *jws;

    memset(url, 'x', 2048);
    memcpy(url, "https://e.example/", 18);
    url[2048] = '\0';
    ck_assert_int_eq(sign_as(ACME_SIGN_NEW_ACCOUNT, 0, -1, url, &jws),
                     APR_EACCES);
    ck_assert_uint_lt(strlen(err.message), sizeof(err.message));
    ck_assert_ptr_nonnull(strstr(err.message, "https://e.example/xxx"));
}
END_TEST

/* A request for a new account is signed by a key that is made and kept
 * for it, 0600, and names that key; nobody else's name stands in it. */
START_TEST(new_accounts_are_named_by_their_key)
{
    const char *jws = signed_as(ACME_SIGN_NEW_ACCOUNT, 0, -1, NEW_ACCOUNT);
    EVP_PKEY *evp = account_evp(CA0);
    json_t *header = header_of(jws, evp, "{\"a\":1}");
    struct stat st;

    ck_assert_str_eq(member(header, "alg"), "ES256");
    ck_assert_str_eq(member(header, "nonce"), "nonce-1");
    ck_assert_str_eq(member(header, "url"), NEW_ACCOUNT);
    ck_assert_ptr_null(json_object_get(header, "kid"));
    ck_assert_str_eq(member(json_object_get(header, "jwk"), "crv"), "P-256");
    ck_assert_ptr_null(json_object_get(json_object_get(header, "jwk"), "d"));
    ck_assert_int_eq(stat(apr_pstrcat(pool, dir, "/store/accounts/"
                                      "ca0.example_dir/key.pem", NULL), &st),
                     0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
}
END_TEST

/* Every other request needs an account that is known, and is named by its
 * URL: the one of the plan, or the one that was made in this run. */
START_TEST(accounts_are_named_by_their_url)
{
    json_t *header;

    sign_fails(ACME_SIGN_ACCOUNT, 0, 0, ORDER, APR_EACCES,
               "there is no account yet to sign for");
    unit_ok(host->account_save(host, 0, ACCOUNT,
                               parse("{\"status\":\"valid\"}"), &err));
    header = header_of(signed_as(ACME_SIGN_ACCOUNT, 0, 0, ORDER),
                       account_evp(CA0), "{\"a\":1}");
    ck_assert_str_eq(member(header, "kid"), ACCOUNT);
    ck_assert_ptr_null(json_object_get(header, "jwk"));

    restart();
    ca(0)->account = "https://ca0.example/acct/8";
    header = header_of(signed_as(ACME_SIGN_ACCOUNT, 0, -1, ORDER),
                       account_evp(CA0), "{\"a\":1}");
    ck_assert_str_eq(member(header, "kid"), "https://ca0.example/acct/8");
}
END_TEST

/* POST-as-GET has the empty payload, not an empty object. */
START_TEST(empty_payloads_stay_empty)
{
    acme_sign_t sign = { ACME_SIGN_NEW_ACCOUNT, 0, -1, NEW_ACCOUNT, "N",
                         "" };
    const char *jws;

    unit_ok(host->sign(host, &sign, &jws, &err, pool));
    ck_assert_str_eq(member(parse(jws), "payload"), "");
    header_of(jws, account_evp(CA0), "");
}
END_TEST

/* ------------------------------------------------------- revoking by key */

/* The certificate's key is read when it is needed, signs, and is named in
 * the request; no account is needed, and none is made. */
START_TEST(certificates_keys_sign_revocations)
{
    json_t *header;

    write_file(revoke_file, fix_key_pem(revoke_evp, pool));
    header = header_of(signed_as(ACME_SIGN_CERTIFICATE, 0, 1, REVOKE),
                       revoke_evp, "{\"a\":1}");
    ck_assert_ptr_null(json_object_get(header, "kid"));
    ck_assert_ptr_nonnull(json_object_get(header, "jwk"));
    ck_assert(!has_account_key(CA0));
}
END_TEST

/* Another key than the certificate's is the admin's mistake. */
START_TEST(other_keys_do_not_revoke)
{
    const char *jws;

    write_file(revoke_file, fix_key_pem(fix_evp("P-256", pool), pool));
    sign_as(ACME_SIGN_CERTIFICATE, 0, 1, REVOKE, &jws);
    ck_assert_int_eq(err.exit, BASE_EXIT_USAGE);
    base_err_clear(&err);
    sign_fails(ACME_SIGN_CERTIFICATE, 0, 1, REVOKE, APR_EINVAL,
               "is not the certificate's");
}
END_TEST

/* So is a file that is absent, or no key. */
START_TEST(files_without_a_key_do_not_revoke)
{
    sign_fails(ACME_SIGN_CERTIFICATE, 0, 1, REVOKE, APR_ENOENT, revoke_file);
    write_file(revoke_file, "-----BEGIN CERTIFICATE-----\n");
    sign_fails(ACME_SIGN_CERTIFICATE, 0, 1, REVOKE, APR_EINVAL, revoke_file);
    unlink(revoke_file);
    mkdir(revoke_file, 0700);
    sign_fails(ACME_SIGN_CERTIFICATE, 0, 1, REVOKE, APR_EINVAL, revoke_file);
}
END_TEST

/* The key signs for its own job and that job's CA alone, and never for
 * another origin. */
START_TEST(certificates_keys_sign_nothing_else)
{
    static const char none[] = "no certificate's key signs here";

    write_file(revoke_file, fix_key_pem(revoke_evp, pool));
    sign_fails(ACME_SIGN_CERTIFICATE, 0, 0, REVOKE, APR_EACCES, none);
    sign_fails(ACME_SIGN_CERTIFICATE, 0, -1, REVOKE, APR_EACCES, none);
    sign_fails(ACME_SIGN_CERTIFICATE, 1, 1, "https://ca1.example/revoke",
               APR_EACCES, none);
    sign_fails(ACME_SIGN_CERTIFICATE, 0, 1, "https://ca1.example/revoke",
               APR_EACCES, "refused to sign");
}
END_TEST

Suite *keeper_sign_suite(void);
Suite *keeper_sign_suite(void)
{
    Suite *suite = suite_create("keeper_sign");
    TCase *tc = desk_case(suite, "sign", setup);

    tcase_add_test(tc, foreign_origins_are_not_signed);
    tcase_add_test(tc, refusals_name_both_sides);
    tcase_add_test(tc, long_urls_are_refused_in_a_sentence);
    tcase_add_test(tc, new_accounts_are_named_by_their_key);
    tcase_add_test(tc, accounts_are_named_by_their_url);
    tcase_add_test(tc, empty_payloads_stay_empty);
    tc = desk_case(suite, "revoke", revoke_setup);
    tcase_add_test(tc, certificates_keys_sign_revocations);
    tcase_add_test(tc, other_keys_do_not_revoke);
    tcase_add_test(tc, files_without_a_key_do_not_revoke);
    tcase_add_test(tc, certificates_keys_sign_nothing_else);
    return suite;
}
