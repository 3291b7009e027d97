/*
 * Which OCSP responses the keeper keeps, and what httpd gets of them.
 */
#include <openssl/ocsp.h>

#include "acme_live.h"
#include "desk.h"
#include "worker/keeper.h"

#define HOUR 3600

static EVP_PKEY *ca_key;
static X509 *ca_cert;
static X509 *leaf_cert;
static live_t *live;

/* The certificate of n0.example, which names a responder or does not. */
static void make_leaf(const char *responder)
{
    fix_spec_t spec = { .san = "DNS:n0.example", .issuer = ca_cert,
                        .issuer_key = ca_key };
    X509_EXTENSION *ext;

    spec.key = fix_evp("P-256", pool);
    leaf_cert = fix_unsigned(&spec, pool);
    if (responder) {
        ext = X509V3_EXT_conf_nid(NULL, NULL, NID_info_access,
                                  apr_pstrcat(pool, "OCSP;URI:", responder,
                                              NULL));
        ck_assert(X509_add_ext(leaf_cert, ext, -1));
        X509_EXTENSION_free(ext);
    }
    fix_sign(leaf_cert, &spec);
}

/* Keep it, as job 0's next generation. */
static void keep_leaf(void)
{
    store_certificate_t c = { parse("{}"), fix_pem(pool, leaf_cert, NULL),
                              fix_pem(pool, ca_cert, NULL), "KEY\n" };

    unit_ok(store_certificate_write(store, "n0.example", &c, &err, pool));
}

static apr_status_t make_job(void)
{
    return keeper_staple_job(job(0), &jobs[0], store, "n0.example", &err,
                             pool);
}

/* httpd runs and serves n0.example; job 0 asks about it. */
static void staple_setup(void)
{
    fix_spec_t spec = { .cn = "Test CA", .ca = 1 };
    apr_array_header_t *ids;
    const char *fault = NULL;

    setup();
    ids = apr_array_make(pool, 1, sizeof(char *));
    APR_ARRAY_PUSH(ids, const char *) = "n0.example";
    ca_key = fix_evp("P-256", pool);
    spec.key = ca_key;
    ca_cert = fix_cert(&spec, pool);
    make_leaf("http://ocsp.example/");
    keep_leaf();
    unit_ok(make_job());
    options.live = apr_pstrcat(pool, dir, "/live", NULL);
    ck_assert_int_eq(live_parent_open(&live, options.live, ids, NULL, &fault,
                                      pool),
                     APR_SUCCESS);
    restart();
}

/* An answer about cert with a status, until so many seconds from now. */
static unsigned char *make(apr_size_t *plen, X509 *cert, int status, long to)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), cert, ca_cert);
    ASN1_TIME *from = ASN1_TIME_adj(NULL, FIX_NOW_SECONDS, 0, -2 * HOUR);
    ASN1_TIME *until = ASN1_TIME_adj(NULL, FIX_NOW_SECONDS, 0, to);
    OCSP_RESPONSE *response;
    unsigned char *der = NULL;
    unsigned char *copy;
    int len;

    OCSP_basic_add1_status(basic, id, status, 1, from, from, until);
    ck_assert(OCSP_basic_sign(basic, ca_cert, ca_key, EVP_sha256(), NULL, 0));
    response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    len = i2d_OCSP_RESPONSE(response, &der);
    copy = apr_pmemdup(pool, der, (apr_size_t)len);
    *plen = (apr_size_t)len;
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return copy;
}

static apr_status_t save_der(const unsigned char *der, apr_size_t len)
{
    base_err_clear(&err);
    return host->staple_save(host, 0, der, len, &err);
}

static apr_status_t save(int status)
{
    apr_size_t len;
    unsigned char *der = make(&len, leaf_cert, status, HOUR);

    return save_der(der, len);
}

/* 1 if a child finds a response for that generation. */
static int stapled(uint64_t generation)
{
    live_staple_t staple;

    return live_child_staple(&staple, live,
                             live_parent_slot(live, "n0.example"),
                             generation, FIX_NOW) == APR_SUCCESS;
}

/* ------------------------------------------------------------ the question */

/* Who is asked stands in the certificate, and what about in the store; http
 * will do, for the answer is signed. */
START_TEST(asks_whom_the_certificate_names)
{
    const unsigned char *at;
    OCSP_REQUEST *ask;

    ck_assert_int_eq(job(0)->kind, WORKER_OCSP);
    ck_assert_str_eq(job(0)->ocsp.url, "http://ocsp.example/");
    ck_assert_uint_eq(jobs[0].generation, 1);
    at = (const unsigned char *)job(0)->ocsp.request;
    ask = d2i_OCSP_REQUEST(NULL, &at, (long)job(0)->ocsp.request_len);
    ck_assert_ptr_nonnull(ask);
    ck_assert_int_eq(OCSP_request_onereq_count(ask), 1);
    OCSP_REQUEST_free(ask);
}
END_TEST

/* Nobody is asked about a certificate that names nobody, or something that
 * is no place of the web. */
START_TEST(asks_nobody_else)
{
    make_leaf(NULL);
    keep_leaf();
    unit_fails(make_job(), APR_ENOTIMPL, "names no OCSP responder");
    base_err_clear(&err);
    make_leaf("file:///etc/passwd");
    keep_leaf();
    unit_fails(make_job(), APR_EINVAL, "http:// or https://");
    base_err_clear(&err);
    make_leaf("ldap://x.example/");
    keep_leaf();
    unit_fails(make_job(), APR_EINVAL, "http:// or https://");
    base_err_clear(&err);
    unit_fails(keeper_staple_job(job(0), &jobs[0], store, "n9.example", &err,
                                 pool), APR_ENOENT, "n9.example");
}
END_TEST

/* -------------------------------------------------------------- the answer */

/* A good answer is kept beside the certificate, for root alone, and httpd
 * has it for that generation. */
START_TEST(good_ones_are_kept)
{
    struct stat st;

    unit_ok(save(V_OCSP_CERTSTATUS_GOOD));
    ck_assert_int_eq(stat(store_certificate_path(store, "n0.example",
                                                 "ocsp.der", pool), &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    ck_assert(stapled(1));
    ck_assert(!stapled(2));
    ck_assert(keeper_outcome(keeper, 0)->believed);
    ck_assert_int_eq(keeper_outcome(keeper, 0)->ocsp.status,
                     CRYPTO_OCSP_GOOD);
    ck_assert_int_eq(keeper_outcome(keeper, 0)->ocsp.next_update,
                     FIX_NOW + apr_time_from_sec(HOUR));
}
END_TEST

/* Anything else leaves the last good one: revoked and unknown, which are
 * told apart, … */
START_TEST(others_leave_the_last)
{
    unit_ok(save(V_OCSP_CERTSTATUS_GOOD));
    unit_fails(save(V_OCSP_CERTSTATUS_REVOKED), APR_EACCES,
               "is revoked since 2027-01-15T06:00:00Z (keyCompromise)");
    ck_assert_int_eq(keeper_outcome(keeper, 0)->ocsp.status,
                     CRYPTO_OCSP_REVOKED);
    ck_assert(stapled(1));
    unit_fails(save(V_OCSP_CERTSTATUS_UNKNOWN), APR_ENOENT,
               "does not know the certificate");
    ck_assert(stapled(1));
}
END_TEST

/* … one that is over, or about another certificate, or no answer at all. */
START_TEST(unbelievable_ones_are_not_kept)
{
    X509 *mine = leaf_cert;
    unsigned char *der;
    apr_size_t len;

    der = make(&len, mine, V_OCSP_CERTSTATUS_GOOD, -60);
    unit_fails(save_der(der, len), APR_EINVAL, "is over");
    make_leaf("http://ocsp.example/");
    der = make(&len, leaf_cert, V_OCSP_CERTSTATUS_GOOD, HOUR);
    unit_fails(save_der(der, len), APR_EINVAL, "another certificate");
    unit_fails(save_der((const unsigned char *)"<html>", 6), APR_EINVAL,
               "no OCSP response");
    unit_fails(save_der((const unsigned char *)"", 0), APR_EINVAL,
               "no OCSP response");
    ck_assert(!exists("domains/n0.example/00000001/ocsp.der"));
    ck_assert(!stapled(1));
    ck_assert(!keeper_outcome(keeper, 0)->believed);
}
END_TEST

/* One that would not fit into httpd's memory is not kept either. */
START_TEST(large_ones_are_not_kept)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), leaf_cert, ca_cert);
    ASN1_TIME *from = ASN1_TIME_adj(NULL, FIX_NOW_SECONDS, 0, -HOUR);
    ASN1_TIME *to = ASN1_TIME_adj(NULL, FIX_NOW_SECONDS, 0, HOUR);
    OCSP_RESPONSE *response;
    unsigned char *der = NULL;
    int i, len;

    for (i = 0; i < 60; i++) {
        OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL,
                               from, to);
    }
    OCSP_basic_sign(basic, ca_cert, ca_key, EVP_sha256(), NULL, 0);
    response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    len = i2d_OCSP_RESPONSE(response, &der);
    ck_assert_int_gt(len, LIVE_STAPLE_MAX);
    unit_fails(save_der(der, (apr_size_t)len), APR_ENOSPC,
               "4096 are stapled");
    ck_assert(!exists("domains/n0.example/00000001/ocsp.der"));
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
}
END_TEST

/* A job that asks nobody has no answer to be kept. */
START_TEST(other_jobs_keep_no_response)
{
    unit_fails(host->staple_save(host, 1, (const unsigned char *)"x", 1,
                                 &err), APR_EACCES, "asks no OCSP");
}
END_TEST

/* Where httpd cannot be told, the response is kept all the same: httpd
 * reads it when it is restarted. */
START_TEST(kept_without_httpd)
{
    unlink(options.live);
    restart();
    unit_ok(save(V_OCSP_CERTSTATUS_GOOD));
    ck_assert(exists("domains/n0.example/00000001/ocsp.der"));
}
END_TEST

/* A response about a certificate that is still to be published is there
 * when that comes. */
START_TEST(response_before_certificate)
{
    live_certificate_t cert;
    uint32_t slot = live_parent_slot(live, "n0.example");

    unit_ok(save(V_OCSP_CERTSTATUS_GOOD));
    ck_assert_uint_eq(live_child_version(live, slot), 0);
    keeper_publish(keeper, 0, pool);
    ck_assert(keeper_outcome(keeper, 0)->live);
    ck_assert_int_eq(live_child_certificate(&cert, live, slot), APR_SUCCESS);
    ck_assert_uint_eq(cert.generation, 1);
    ck_assert(stapled(1));
}
END_TEST

/* One that waits for its response is published with it, … */
START_TEST(published_with_its_response)
{
    jobs[0].publish = 1;
    unit_ok(save(V_OCSP_CERTSTATUS_GOOD));
    ck_assert(keeper_outcome(keeper, 0)->live);
    ck_assert_uint_eq(live_child_generation(live, live_parent_slot(
        live, "n0.example")), 1);
    ck_assert(stapled(1));
}
END_TEST

/* … by the keeper that has issued it, if that has put it off, and not
 * without one. */
START_TEST(published_by_its_issuer)
{
    keeper_t *issuer = keeper_make(&options, pool);

    jobs[0].publish = 1;
    jobs[0].publisher = issuer;
    ck_assert_int_ne(save(V_OCSP_CERTSTATUS_UNKNOWN), APR_SUCCESS);
    ck_assert(!keeper_outcome(issuer, 0)->live);
    unit_ok(save(V_OCSP_CERTSTATUS_GOOD));
    ck_assert_msg(!keeper_outcome(issuer, 0)->live, "it was not put off");
    issuer->outcomes[0].deferred = 1;
    unit_ok(save(V_OCSP_CERTSTATUS_GOOD));
    ck_assert(keeper_outcome(issuer, 0)->live);
    ck_assert(!keeper_outcome(keeper, 0)->live);
    ck_assert(stapled(1));
}
END_TEST

Suite *keeper_staple_suite(void);
Suite *keeper_staple_suite(void)
{
    Suite *suite = suite_create("keeper_staple");
    TCase *tc = desk_case(suite, "question", staple_setup);

    tcase_add_test(tc, asks_whom_the_certificate_names);
    tcase_add_test(tc, asks_nobody_else);
    tc = desk_case(suite, "answer", staple_setup);
    tcase_add_test(tc, good_ones_are_kept);
    tcase_add_test(tc, others_leave_the_last);
    tcase_add_test(tc, unbelievable_ones_are_not_kept);
    tcase_add_test(tc, large_ones_are_not_kept);
    tcase_add_test(tc, other_jobs_keep_no_response);
    tcase_add_test(tc, kept_without_httpd);
    tcase_add_test(tc, response_before_certificate);
    tcase_add_test(tc, published_with_its_response);
    tcase_add_test(tc, published_by_its_issuer);
    return suite;
}
