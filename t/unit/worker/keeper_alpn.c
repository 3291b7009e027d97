/*
 * How the keeper proves control of names by tls-alpn-01, in a real live
 * segment.
 */
#include <openssl/sha.h>

#include "acme_live.h"
#include "desk.h"

#define ALPN "tls-alpn-01"
#define OTHER_TOKEN "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"

static live_t *live;
static live_name_t memory;

static void allow(int number)
{
    APR_ARRAY_PUSH(job(number)->order.challenges, const char *) = ALPN;
}

static void alpn_setup(void)
{
    const char *fault = NULL;
    apr_status_t rv;

    setup();
    options.live = apr_pstrcat(pool, dir, "/live", NULL);
    rv = live_parent_open(&live, options.live, NULL, NULL, &fault, pool);
    ck_assert_msg(rv == APR_SUCCESS, "%d: %s", (int)rv, fault);
    allow(0);
    /* Job 1 is for the same names, with another type of key. */
    job(1)->order.names = job(0)->order.names;
    allow(1);
    restart();
}

static apr_status_t put(int number, const char *name, const char *token)
{
    base_err_clear(&err);
    return host->challenge_put(host, number, ALPN, name, token,
                               FIX_NOW + apr_time_from_sec(3600), &err);
}

static int pending(const char *name, live_answer_t *panswer)
{
    return live_child_name(panswer, &memory, live, name, FIX_NOW);
}

static apr_status_t x509_free(void *x509)
{
    X509_free(x509);
    return APR_SUCCESS;
}

static X509 *cert_of(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    BIO_free(bio);
    ck_assert_ptr_nonnull(x509);
    apr_pool_cleanup_register(pool, x509, x509_free, apr_pool_cleanup_null);
    return x509;
}

/* 1 if the certificate is for this token of our account at CA 0. */
static int is_for(X509 *x509, const char *token)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    unsigned char want[34] = { 4, 32 };
    const ASN1_OCTET_STRING *value;
    const char *thumbprint, *text;

    unit_ok(crypto_jwk_thumbprint(&thumbprint,
                                  fix_key(account_evp(CA0), pool), &err,
                                  pool));
    text = apr_pstrcat(pool, token, ".", thumbprint, NULL);
    SHA256((const unsigned char *)text, strlen(text), want + 2);
    value = X509_EXTENSION_get_data(X509_get_ext(
        x509, X509_get_ext_by_OBJ(x509, oid, -1)));
    ASN1_OBJECT_free(oid);
    return ASN1_STRING_length(value) == 34
        && !memcmp(ASN1_STRING_get0_data(value), want, 34);
}

/* When the call returns httpd has a certificate of each type, each with its
 * key, for the key authorization; until it is taken back. */
START_TEST(names_are_served)
{
    static const char *const types[] = { "EC", "RSA" };
    live_answer_t answer;
    int i;

    unit_ok(put(0, "n0.example", TOKEN));
    ck_assert(pending("n0.example", &answer));
    for (i = 0; i < LIVE_ANSWER_TYPES; i++) {
        X509 *x509 = cert_of(answer.cert[i]);
        EVP_PKEY *evp = evp_of_pem(answer.key[i]);

        ck_assert_int_eq(EVP_PKEY_is_a(evp, types[i]), 1);
        ck_assert_int_eq(X509_check_private_key(x509, evp), 1);
        ck_assert(is_for(x509, TOKEN));
        ck_assert_int_eq(X509_check_host(x509, "n0.example", 0, 0, NULL), 1);
    }
    unit_ok(host->challenge_remove(host, 0, ALPN, TOKEN, &err));
    ck_assert(!pending("n0.example", &answer));
    unit_ok(host->challenge_remove(host, 0, ALPN, TOKEN, &err));
}
END_TEST

/* One pair of keys serves all challenges of a run. */
START_TEST(keys_are_made_once)
{
    live_answer_t answer;
    const char *key;

    unit_ok(put(0, "n0.example", TOKEN));
    ck_assert(pending("n0.example", &answer));
    key = apr_pstrdup(pool, answer.key[LIVE_ANSWER_RSA]);
    allow(2);
    unit_ok(put(2, "n2.example", OTHER_TOKEN));
    ck_assert(pending("n2.example", &answer));
    ck_assert_str_eq(answer.key[LIVE_ANSWER_RSA], key);
}
END_TEST

/* The type of challenge has to be one that the configuration allows. */
START_TEST(types_are_those_of_the_plan)
{
    live_answer_t answer;

    unit_fails(put(2, "n2.example", TOKEN), APR_EACCES,
               "not part of this order");
    ck_assert(!pending("n2.example", &answer));
    job(0)->order.challenges->nelts = 0;
    allow(0);
    base_err_clear(&err);
    unit_fails(host->challenge_put(host, 0, "http-01", "n0.example", TOKEN,
                                   FIX_NOW, &err), APR_EACCES,
               "not part of this order");
    unit_ok(put(0, "N0.example", TOKEN));
}
END_TEST

/* Two orders for one name take turns: the second one is asked to come back
 * until the first is done, and takes nothing away from it. */
START_TEST(orders_take_turns)
{
    live_answer_t answer;

    unit_ok(put(0, "n0.example", TOKEN));
    ck_assert_int_eq(put(1, "n0.example", OTHER_TOKEN), APR_EAGAIN);
    base_err_clear(&err);
    unit_ok(host->challenge_remove(host, 1, ALPN, OTHER_TOKEN, &err));
    unit_ok(host->challenge_remove(host, 1, ALPN, TOKEN, &err));
    ck_assert(pending("n0.example", &answer));
    ck_assert(is_for(cert_of(answer.cert[0]), TOKEN));
    unit_ok(put(0, "n0.example", TOKEN));
    unit_ok(host->challenge_remove(host, 0, ALPN, TOKEN, &err));
    unit_ok(put(1, "n0.example", OTHER_TOKEN));
    ck_assert(pending("n0.example", &answer));
    ck_assert(is_for(cert_of(answer.cert[0]), OTHER_TOKEN));
}
END_TEST

/* What a killed run left behind does not stand in the way of the next. */
START_TEST(killed_runs_hold_nothing)
{
    live_answer_t answer;

    unit_ok(put(0, "n0.example", TOKEN));
    restart();
    unit_ok(put(1, "n0.example", OTHER_TOKEN));
    ck_assert(pending("n0.example", &answer));
    ck_assert(is_for(cert_of(answer.cert[0]), OTHER_TOKEN));
}
END_TEST

/* A wildcard cannot be proved this way. */
START_TEST(wildcards_are_refused)
{
    live_answer_t answer;

    job(0)->order.names = apr_array_make(pool, 1, sizeof(char *));
    APR_ARRAY_PUSH(job(0)->order.names, const char *) = "*.n0.example";
    restart();
    unit_fails(put(0, "*.n0.example", TOKEN), APR_EINVAL, "n0.example");
    ck_assert(!pending("n0.example", &answer));
}
END_TEST

/* A segment that is gone is told, and no name stays held for it. */
START_TEST(lost_segments_are_told)
{
    unit_ok(put(0, "n0.example", TOKEN));
    live_parent_remove(options.live, pool);
    unit_fails(host->challenge_remove(host, 0, ALPN, TOKEN, &err),
               APR_ENOENT, "it expires by itself");
    unit_fails(put(1, "n0.example", TOKEN), APR_ENOENT,
               "cannot put the challenge for n0.example");
}
END_TEST

Suite *keeper_alpn_suite(void);
Suite *keeper_alpn_suite(void)
{
    Suite *suite = suite_create("keeper_alpn");
    TCase *tc = desk_case(suite, "names", alpn_setup);

    tcase_add_test(tc, names_are_served);
    tcase_add_test(tc, keys_are_made_once);
    tcase_add_test(tc, types_are_those_of_the_plan);
    tcase_add_test(tc, orders_take_turns);
    tcase_add_test(tc, killed_runs_hold_nothing);
    tcase_add_test(tc, wildcards_are_refused);
    tcase_add_test(tc, lost_segments_are_told);
    return suite;
}
