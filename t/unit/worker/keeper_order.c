/*
 * What the keeper does for an order: its CSR and the answers to its
 * challenges, in a real live segment.
 */
#include "acme_live.h"
#include "desk.h"

#define DAY apr_time_from_sec(FIX_DAY)

/* -------------------------------------------------------------------- csr */

/* "name name" of its subjectAltName. */
static const char *names_of(const char *csr)
{
    X509_REQ *req = parse_req(csr);
    STACK_OF(X509_EXTENSION) *exts = X509_REQ_get_extensions(req);
    GENERAL_NAMES *san = X509V3_get_d2i(exts, NID_subject_alt_name, NULL,
                                        NULL);
    const char *names = "";
    int i;

    for (i = 0; i < sk_GENERAL_NAME_num(san); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(san, i);

        ck_assert_int_eq(name->type, GEN_DNS);
        names = apr_pstrcat(pool, names, i ? " " : "",
                            ASN1_STRING_get0_data(name->d.dNSName), NULL);
    }
    GENERAL_NAMES_free(san);
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    X509_REQ_free(req);
    return names;
}

/* A CSR has the names of the plan, and a key of its own that is in the
 * store before anybody sees the CSR. */
START_TEST(csrs_have_the_names_of_the_plan)
{
    const char *csr;
    apr_size_t len;
    char *pem;

    APR_ARRAY_PUSH(job(0)->order.names, const char *) = "www.n0.example";
    csr = csr_of(0);
    ck_assert_str_eq(names_of(csr), "n0.example www.n0.example");
    unit_ok(store_order_key_read(&pem, &len, store, "n0.example", &err,
                                 pool));
    ck_assert_int_eq(EVP_PKEY_eq(evp_of_pem(pem), key_of(csr)), 1);
    ck_assert_str_eq(names_of(csr_of(1)), "n1.example");
    ck_assert_int_ne(EVP_PKEY_eq(key_of(csr_of(1)), key_of(csr)), 1);
}
END_TEST

/* Asked again, also by the next process, it has the same key. */
START_TEST(csrs_keep_their_key)
{
    EVP_PKEY *evp = key_of(csr_of(0));

    ck_assert_int_eq(EVP_PKEY_eq(key_of(csr_of(0)), evp), 1);
    restart();
    ck_assert_int_eq(EVP_PKEY_eq(key_of(csr_of(0)), evp), 1);
}
END_TEST

/* The configured key type decides; a kept key of another type, or one that
 * cannot be read, gives way. */
START_TEST(csrs_have_the_configured_key_type)
{
    ck_assert_int_eq(EVP_PKEY_get_bits(key_of(csr_of(0))), 256);
    jobs[0].key_type = "P-384";
    ck_assert_int_eq(EVP_PKEY_get_bits(key_of(csr_of(0))), 384);
    jobs[0].key_type = "RSA-2048";
    ck_assert_int_eq(EVP_PKEY_get_bits(key_of(csr_of(0))), 2048);
    unit_ok(store_order_key_write(store, "n0.example", "no key", 6, &err,
                                  pool));
    ck_assert_int_eq(EVP_PKEY_get_bits(key_of(csr_of(0))), 2048);
    jobs[0].key_type = "P-1";
    csr_fails(0, APR_EINVAL, "\"P-1\" is no key type");
}
END_TEST

/* Jobs that order nothing have no CSR. */
START_TEST(other_jobs_have_no_csr)
{
    job(0)->kind = WORKER_ACCOUNT;
    job(1)->kind = WORKER_REVOKE;
    csr_fails(0, APR_EACCES, "job 0 has no CSR");
    csr_fails(1, APR_EACCES, "job 1 has no CSR");
}
END_TEST

/* A CSR from outside is passed on as it is, and no key is made. */
START_TEST(given_csrs_are_passed_on)
{
    give_csr(0, fix_key(fix_evp("RSA", pool), pool));
    ck_assert_str_eq(csr_of(0), base_b64url_encode(jobs[0].csr,
                                                   jobs[0].csr_len, pool));
    ck_assert(!exists("orders/n0.example"));
    jobs[0].csr_len--;
    csr_fails(0, APR_EINVAL, "certificate request");
}
END_TEST

/* An account's key certifies no name, and no order is made for it. Source:
 * RFC 8555 11.1. */
START_TEST(account_keys_are_not_certified)
{
    signed_as(ACME_SIGN_NEW_ACCOUNT, 0, -1, NEW_ACCOUNT);
    give_csr(0, fix_key(account_evp(CA0), pool));
    sign_fails(ACME_SIGN_ACCOUNT, 0, 0, CA0, APR_EINVAL,
               "the CSR is made with the account's key");
    csr_fails(0, APR_EINVAL, "the CSR is made with the account's key");
}
END_TEST

/* ------------------------------------------------------------- challenges */

static live_t *live;

static void live_setup(void)
{
    const char *fault = NULL;
    apr_status_t rv;

    setup();
    options.live = apr_pstrcat(pool, dir, "/live", NULL);
    rv = live_parent_open(&live, options.live, NULL, NULL, &fault, pool);
    ck_assert_msg(rv == APR_SUCCESS, "%d: %s", (int)rv, fault);
    restart();
}

static apr_status_t put(const char *type, const char *identifier,
                        const char *token)
{
    return host->challenge_put(host, 0, type, identifier, token,
                               FIX_NOW + DAY / 24, &err);
}

static apr_size_t served_at(apr_time_t now, char *keyauth)
{
    return live_child_token(live, TOKEN, strlen(TOKEN), keyauth, now);
}

/* An answer is served by httpd when the call returns: token, dot and
 * thumbprint of the account's key; until it is taken back. */
START_TEST(challenges_are_served)
{
    char keyauth[LIVE_KEYAUTH_MAX + 1] = "";
    const char *thumbprint;

    unit_ok(put("http-01", "n0.example", TOKEN));
    unit_ok(crypto_jwk_thumbprint(&thumbprint,
                                  fix_key(account_evp(CA0), pool), &err,
                                  pool));
    served_at(FIX_NOW, keyauth);
    ck_assert_str_eq(keyauth, apr_pstrcat(pool, TOKEN ".", thumbprint,
                                          NULL));
    unit_ok(host->challenge_remove(host, 0, "http-01", TOKEN, &err));
    ck_assert_uint_eq(served_at(FIX_NOW, keyauth), 0);
    unit_ok(host->challenge_remove(host, 0, "http-01", TOKEN, &err));
}
END_TEST

static int asked;

/* The third question is answered with yes. */
static apr_status_t presented(void *baton, int number, const char *type,
                              const char *identifier)
{
    char keyauth[LIVE_KEYAUTH_MAX + 1];

    ck_assert_ptr_eq(baton, &asked);
    ck_assert_int_eq(number, 0);
    ck_assert_str_eq(type, "http-01");
    ck_assert_str_eq(identifier, "n0.example");
    ck_assert_uint_gt(served_at(FIX_NOW, keyauth), 0);
    return ++asked < 3 ? APR_EAGAIN : APR_SUCCESS;
}

/* Whoever is to be told first is asked when the answer is served already,
 * and as often as the worker asks. What is refused is not told. */
START_TEST(others_are_told_first)
{
    asked = 0;
    options.presented = presented;
    options.baton = &asked;
    restart();
    ck_assert_int_eq(put("http-01", "stranger.example", TOKEN), APR_EACCES);
    ck_assert_int_eq(asked, 0);
    base_err_clear(&err);
    unit_fails(put("http-01", "n0.example", TOKEN), APR_EAGAIN,
               "needs more time");
    base_err_clear(&err);
    unit_fails(put("http-01", "n0.example", TOKEN), APR_EAGAIN,
               "needs more time");
    base_err_clear(&err);
    unit_ok(put("http-01", "n0.example", TOKEN));
    ck_assert_int_eq(asked, 3);
}
END_TEST

/* Names are compared as DNS does. */
START_TEST(names_are_compared_without_case)
{
    unit_ok(put("http-01", "N0.Example", TOKEN));
}
END_TEST

/* No answer is served for longer than a day, whatever the worker says, and
 * one that is over is not served at all. */
START_TEST(challenges_do_not_last)
{
    char keyauth[LIVE_KEYAUTH_MAX + 1];

    unit_ok(host->challenge_put(host, 0, "http-01", "n0.example", TOKEN,
                                APR_INT64_MAX, &err));
    ck_assert_uint_gt(served_at(FIX_NOW + DAY - 1, keyauth), 0);
    ck_assert_uint_eq(served_at(FIX_NOW + DAY + 1, keyauth), 0);
    unit_ok(host->challenge_put(host, 0, "http-01", "n0.example", TOKEN, -1,
                                &err));
    ck_assert_uint_eq(served_at(FIX_NOW, keyauth), 0);
}
END_TEST

/* Other challenges, names that were not ordered, other jobs' names and
 * tokens outside their alphabet are refused, and nothing is served. */
START_TEST(other_challenges_are_refused)
{
    static const char *const refused[][3] = {
        { "dns-01", "n0.example", TOKEN },
        { "tls-alpn-01", "n0.example", TOKEN }, { "", "n0.example", TOKEN },
        { "HTTP-01", "n0.example", TOKEN },
        { "http-01", "n1.example", TOKEN },
        { "http-01", "x.n0.example", TOKEN }, { "http-01", "", TOKEN },
        { "http-01", "n0.example.", TOKEN }, { "http-01", "n0.example", "" },
        { "http-01", "n0.example", "short" },
        { "http-01", "n0.example", "../../../../../../etc/passwd" },
        { "http-01", "n0.example", TOKEN "=" },
        { "http-01", "n0.example", TOKEN "\n" },
        { "http-01", "n0.example", TOKEN ".x" }
    };
    char keyauth[LIVE_KEYAUTH_MAX + 1];
    size_t i;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        unit_fails(put(refused[i][0], refused[i][1], refused[i][2]),
                   APR_EACCES, "it is not part of this order");
        ck_assert_int_eq(err.exit, BASE_EXIT_REFUSED);
        base_err_clear(&err);
    }
    job(0)->kind = WORKER_REVOKE;
    unit_fails(put("http-01", "n0.example", TOKEN), APR_EACCES, "refused");
    ck_assert_uint_eq(served_at(FIX_NOW, keyauth), 0);
}
END_TEST

/* The longest token there is has its answer, too. */
START_TEST(longest_tokens_are_served)
{
    char keyauth[LIVE_KEYAUTH_MAX + 1];
    char token[LIVE_TOKEN_MAX + 2];

    memset(token, 'a', sizeof(token));
    token[LIVE_TOKEN_MAX] = '\0';
    unit_ok(put("http-01", "n0.example", token));
    ck_assert_uint_eq(live_child_token(live, token, LIVE_TOKEN_MAX, keyauth,
                                       FIX_NOW), LIVE_TOKEN_MAX + 44);
    token[LIVE_TOKEN_MAX] = 'a';
    token[LIVE_TOKEN_MAX + 1] = '\0';
    unit_fails(put("http-01", "n0.example", token), APR_EACCES, "refused");
}
END_TEST

/* Without a segment the admin is told to start httpd; taking back is no
 * matter then. */
START_TEST(httpd_has_to_run)
{
    unlink(options.live);
    unit_fails(put("http-01", "n0.example", TOKEN), APR_ENOENT,
               "start httpd with mod_acme loaded");
    base_err_clear(&err);
    unit_ok(host->challenge_remove(host, 0, "http-01", TOKEN, &err));
    options.live = NULL;
    restart();
    unit_fails(put("http-01", "n0.example", TOKEN), APR_ENOENT,
               "there is no live segment");
}
END_TEST

/* A segment that appears later is found; one that vanishes is an error of
 * the calls. */
START_TEST(segments_come_and_go)
{
    const char *fault;

    unlink(options.live);
    put("http-01", "n0.example", TOKEN);
    base_err_clear(&err);
    ck_assert_int_eq(live_parent_open(&live, options.live, NULL, NULL,
                                      &fault, pool), APR_SUCCESS);
    unit_ok(put("http-01", "n0.example", TOKEN));
    live_parent_remove(options.live, pool);
    unit_fails(put("http-01", "n0.example", TOKEN), APR_ENOENT,
               "cannot put the challenge for n0.example");
    base_err_clear(&err);
    unit_fails(host->challenge_remove(host, 0, "http-01", TOKEN, &err),
               APR_ENOENT, "it expires by itself");
}
END_TEST

/* A full table is said in words. */
START_TEST(full_tables_are_told)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < LIVE_TOKENS && rv == APR_SUCCESS; i++) {
        rv = put("http-01", "n0.example",
                 apr_psprintf(pool, "token-%016d", i));
    }
    ck_assert_int_eq(rv, APR_ENOSPC);
    ck_assert_ptr_nonnull(strstr(err.message,
                                 "than it has room for"));
}
END_TEST

Suite *keeper_order_suite(void);
Suite *keeper_order_suite(void)
{
    Suite *suite = suite_create("keeper_order");
    TCase *tc = desk_case(suite, "csr", setup);

    tcase_add_test(tc, csrs_have_the_names_of_the_plan);
    tcase_add_test(tc, csrs_keep_their_key);
    tcase_add_test(tc, csrs_have_the_configured_key_type);
    tcase_add_test(tc, other_jobs_have_no_csr);
    tcase_add_test(tc, given_csrs_are_passed_on);
    tcase_add_test(tc, account_keys_are_not_certified);
    tc = desk_case(suite, "challenges", live_setup);
    tcase_add_test(tc, challenges_are_served);
    tcase_add_test(tc, others_are_told_first);
    tcase_add_test(tc, names_are_compared_without_case);
    tcase_add_test(tc, challenges_do_not_last);
    tcase_add_test(tc, other_challenges_are_refused);
    tcase_add_test(tc, longest_tokens_are_served);
    tcase_add_test(tc, httpd_has_to_run);
    tcase_add_test(tc, segments_come_and_go);
    tcase_add_test(tc, full_tables_are_told);
    return suite;
}
