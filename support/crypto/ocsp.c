/*
 * OCSP: ask whether a certificate is revoked, and judge the answer as a
 * client of RFC 6066 8 will, so that nothing is stapled that it would
 * refuse. The responder is the issuer itself or one that it has appointed
 * (extended key usage OCSPSigning); nobody else speaks for the issuer.
 */
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/ocsp.h>

#include <apr_strings.h>

#include "crypto/internal.h"

/* How far the responder's clock may be ahead of ours. */
#define SKEW apr_time_from_sec(300)

/* What one response is about. */
typedef struct single_t {
    int status;                       /* V_OCSP_CERTSTATUS_* */
    int reason;                       /* OCSP_REVOKED_STATUS_*, or -1 */
    const ASN1_GENERALIZEDTIME *revoked;
    const ASN1_GENERALIZEDTIME *this_update;
    const ASN1_GENERALIZEDTIME *next_update;   /* NULL: not said */
} single_t;

/* -------------------------------------------------------------- request */

/* RFC 5019 2.1.1: one certificate, SHA-1, no nonce and no signature; any
 * responder knows that, and may answer from its cache. */
static OCSP_REQUEST *request_make(const crypto_cert_t *cert,
                                  const crypto_cert_t *issuer)
{
    OCSP_REQUEST *request = OCSP_REQUEST_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), cert->x509, issuer->x509);

    if (!request || !id || !OCSP_request_add0_id(request, id)) {
        OCSP_CERTID_free(id);
        OCSP_REQUEST_free(request);
        return NULL;
    }
    return request;
}

apr_status_t crypto_ocsp_request(unsigned char **pder, apr_size_t *plen,
                                 const crypto_cert_t *cert,
                                 const crypto_cert_t *issuer,
                                 acme_err_t *err, apr_pool_t *result_pool)
{
    OCSP_REQUEST *request;
    unsigned char *der = NULL;
    int len = -1;

    ERR_clear_error();
    request = request_make(cert, issuer);
    if (request) {
        len = i2d_OCSP_REQUEST(request, &der);
        OCSP_REQUEST_free(request);
    }
    if (len <= 0) {
        return crypto_fail(err, APR_EGENERAL, "cannot make an OCSP request: "
                           "check the installation of OpenSSL");
    }
    *pder = apr_pmemdup(result_pool, der, (apr_size_t)len);
    *plen = (apr_size_t)len;
    OPENSSL_free(der);
    return APR_SUCCESS;
}

/* ------------------------------------------------------------ the answer */

/* The response with nothing behind it. @return NULL if it is none */
static OCSP_RESPONSE *response_parse(const void *der, apr_size_t len)
{
    const unsigned char *at = der;
    OCSP_RESPONSE *response;

    if (len == 0 || len > CRYPTO_OCSP_MAX) {
        return NULL;
    }
    response = d2i_OCSP_RESPONSE(NULL, &at, (long)len);
    if (response && at != (const unsigned char *)der + len) {
        OCSP_RESPONSE_free(response);
        response = NULL;
    }
    return response;
}

/* The signed part of an answer; RFC 6960 4.2.1. */
static apr_status_t basic_parse(OCSP_BASICRESP **pbasic, const void *der,
                                apr_size_t len, acme_err_t *err)
{
    OCSP_RESPONSE *response = response_parse(der, len);
    int status;

    if (!response) {
        return crypto_fail(err, APR_EINVAL, "the responder's answer is no "
                           "OCSP response");
    }
    status = OCSP_response_status(response);
    *pbasic = status == OCSP_RESPONSE_STATUS_SUCCESSFUL
        ? OCSP_response_get1_basic(response) : NULL;
    OCSP_RESPONSE_free(response);
    if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        return crypto_fail(err, APR_EGENERAL, "the responder answered "
                           "\"%s\"", OCSP_response_status_str(status));
    }
    if (!*pbasic) {
        return crypto_fail(err, APR_EINVAL, "the responder's answer is of a "
                           "kind that nobody knows");
    }
    return APR_SUCCESS;
}

/* --------------------------------------------------------------- signer */

/* A store that trusts the issuer and nobody else, at that moment. */
static X509_STORE *issuer_store(X509 *issuer, apr_time_t now)
{
    X509_STORE *store = X509_STORE_new();
    X509_VERIFY_PARAM *param;

    if (!store || !X509_STORE_add_cert(store, issuer)) {
        X509_STORE_free(store);
        return NULL;
    }
    param = X509_STORE_get0_param(store);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_time(param, (time_t)apr_time_sec(now));
    return store;
}

/* RFC 6960 4.2.2.2: signed by the issuer, or by whom it has appointed. */
static int signer_verify(OCSP_BASICRESP *basic, X509 *issuer, apr_time_t now)
{
    X509_STORE *store = issuer_store(issuer, now);
    STACK_OF(X509) *certs = sk_X509_new_null();
    int ok;

    ok = store && certs && sk_X509_push(certs, issuer)
        && OCSP_basic_verify(basic, certs, store, OCSP_NOEXPLICIT) == 1;
    sk_X509_free(certs);
    X509_STORE_free(store);
    return ok;
}

/* --------------------------------------------------------------- status */

/* 1 if one response of the answer is about cert; it may name issuer and
 * certificate by another hash than we did. */
static int single_is_about(OCSP_SINGLERESP *one, const X509 *cert,
                           const X509 *issuer)
{
    const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(one);
    ASN1_OBJECT *algorithm;
    const EVP_MD *md;
    OCSP_CERTID *wanted;
    int same;

    OCSP_id_get0_info(NULL, &algorithm, NULL, NULL, (OCSP_CERTID *)id);
    md = EVP_get_digestbyobj(algorithm);
    if (!md) {
        return 0;
    }
    wanted = OCSP_cert_to_id(md, cert, issuer);
    same = wanted && OCSP_id_cmp(wanted, id) == 0;
    OCSP_CERTID_free(wanted);
    return same;
}

/* What the answer says of cert. @return 0 if it does not */
static int single_find(single_t *single, OCSP_BASICRESP *basic,
                       const X509 *cert, const X509 *issuer)
{
    int i, n = OCSP_resp_count(basic);

    for (i = 0; i < n; i++) {
        OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
        ASN1_GENERALIZEDTIME *times[3] = { NULL, NULL, NULL };

        if (single_is_about(one, cert, issuer)) {
            single->reason = -1;
            single->status = OCSP_single_get0_status(
                one, &single->reason, &times[0], &times[1], &times[2]);
            single->revoked = times[0];
            single->this_update = times[1];
            single->next_update = times[2];
            return 1;
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- times */

static apr_status_t times_check(const crypto_ocsp_t *ocsp, apr_time_t now,
                                acme_err_t *err)
{
    if (ocsp->this_update > now + SKEW) {
        return crypto_fail(err, APR_EINVAL, "the OCSP response is from the "
                           "future: check this machine's clock and the "
                           "responder's");
    }
    if (ocsp->next_update <= now) {
        return crypto_fail(err, APR_EINVAL, "the OCSP response is over: "
                           "tell the responder's operator");
    }
    return APR_SUCCESS;
}

static apr_status_t times_read(crypto_ocsp_t *ocsp, const single_t *single,
                               acme_err_t *err)
{
    if (!single->next_update) {
        return crypto_fail(err, APR_EINVAL, "the OCSP response does not say "
                           "how long it holds (nextUpdate), so no client "
                           "could trust it once it is stapled: have the "
                           "responder say it");
    }
    if (!crypto_time(&ocsp->this_update, single->this_update)
        || !crypto_time(&ocsp->next_update, single->next_update)
        || ocsp->next_update <= ocsp->this_update
        || (single->revoked
            && !crypto_time(&ocsp->revoked_at, single->revoked))) {
        return crypto_fail(err, APR_EINVAL, "the times of the OCSP response "
                           "make no sense");
    }
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- check */

static apr_status_t basic_check(crypto_ocsp_t *pocsp, OCSP_BASICRESP *basic,
                                const apr_array_header_t *certs,
                                apr_time_t now, acme_err_t *err)
{
    X509 *cert = APR_ARRAY_IDX(certs, 0, crypto_cert_t *)->x509;
    X509 *issuer = APR_ARRAY_IDX(certs, 1, crypto_cert_t *)->x509;
    single_t single;
    apr_status_t rv;

    if (!signer_verify(basic, issuer, now)) {
        return crypto_fail(err, APR_EINVAL, "the OCSP response is not signed "
                           "by the certificate's issuer, nor by whom it has "
                           "appointed");
    }
    if (!single_find(&single, basic, cert, issuer)) {
        return crypto_fail(err, APR_EINVAL, "the OCSP response is about "
                           "another certificate");
    }
    rv = times_read(pocsp, &single, err);
    if (rv == APR_SUCCESS) {
        rv = times_check(pocsp, now, err);
    }
    pocsp->status = single.status == V_OCSP_CERTSTATUS_GOOD
        ? CRYPTO_OCSP_GOOD : single.status == V_OCSP_CERTSTATUS_REVOKED
        ? CRYPTO_OCSP_REVOKED : CRYPTO_OCSP_UNKNOWN;
    pocsp->reason = single.reason >= 0 ? OCSP_crl_reason_str(single.reason)
                                       : "no reason given";
    return rv;
}

apr_status_t crypto_ocsp_read(crypto_ocsp_t *pocsp, const void *der,
                              apr_size_t len,
                              const apr_array_header_t *certs,
                              apr_time_t now, acme_err_t *err)
{
    OCSP_BASICRESP *basic;
    apr_status_t rv;

    memset(pocsp, 0, sizeof(*pocsp));
    ERR_clear_error();
    if (certs->nelts < 2) {
        return crypto_fail(err, APR_EINVAL, "the certificate's chain lacks "
                           "its issuer, so no OCSP response can be checked");
    }
    rv = basic_parse(&basic, der, len, err);
    if (rv == APR_SUCCESS) {
        rv = basic_check(pocsp, basic, certs, now, err);
        OCSP_BASICRESP_free(basic);
    }
    ERR_clear_error();
    return rv;
}
