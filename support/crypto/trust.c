/*
 * What a client thinks of a chain that a server shows: where it leads, and
 * whom it names.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <string.h>

#include <apr_strings.h>

#include "crypto/internal.h"

/* OpenSSL's default for clients: no MD5 and SHA-1, no RSA below 1024. */
#define AUTH_LEVEL 1

struct crypto_trust_t {
    X509_STORE *store;
};

/* ----------------------------------------------------------------- make */

static apr_status_t store_free(void *baton)
{
    X509_STORE_free(baton);
    return APR_SUCCESS;
}

/* Add the certificates of a text. @return their number; -1: a broken one */
static int roots_add(X509_STORE *store, BIO *bio)
{
    X509 *x509;
    int n = 0;

    while ((x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        int ok = X509_STORE_add_cert(store, x509);

        X509_free(x509);
        if (!ok) {
            return -1;
        }
        n++;
    }
    return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE
        ? n : -1;
}

apr_status_t crypto_trust_make(crypto_trust_t **ptrust, const char *pem,
                               apr_size_t len, acme_err_t *err,
                               apr_pool_t *result_pool)
{
    X509_STORE *store;
    BIO *bio = NULL;
    int n = 0;

    ERR_clear_error();
    store = X509_STORE_new();
    if (!store || !X509_STORE_set_default_paths(store)) {
        X509_STORE_free(store);
        return crypto_fail(err, APR_EGENERAL, "cannot load the trust roots of "
                           "this system: check the installation of OpenSSL");
    }
    apr_pool_cleanup_register(result_pool, store, store_free,
                              apr_pool_cleanup_null);
    if (pem && len <= CRYPTO_ROOTS_MAX) {
        bio = BIO_new_mem_buf(pem, (int)len);
        n = bio ? roots_add(store, bio) : -1;
        BIO_free(bio);
    }
    if (pem && n <= 0) {
        return crypto_fail(err, APR_EINVAL, n < 0 ? "a certificate among the "
                           "trust roots is broken"
                           : "there is no certificate among the trust roots");
    }
    ERR_clear_error();
    *ptrust = apr_palloc(result_pool, sizeof(**ptrust));
    (*ptrust)->store = store;
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- check */

/* Goes on where no more is wrong than that the end is unknown. */
static int verify_step(int ok, X509_STORE_CTX *ctx)
{
    int *unknown = X509_STORE_CTX_get_ex_data(ctx, 0);

    if (ok) {
        return 1;
    }
    switch (X509_STORE_CTX_get_error(ctx)) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
        *unknown = 1;
        return 1;
    default:
        return 0;
    }
}

/* What a client of a TLS server wants of the chain. */
static int verify_setup(X509_STORE_CTX *ctx, apr_time_t now, int *unknown)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

    X509_VERIFY_PARAM_set_time(param, (time_t)apr_time_sec(now));
    X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
    X509_STORE_CTX_set_verify_cb(ctx, verify_step);
    return X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER)
        && X509_STORE_CTX_set_ex_data(ctx, 0, unknown);
}

static STACK_OF(X509) *certs_stack(const apr_array_header_t *certs)
{
    STACK_OF(X509) *stack = sk_X509_new_null();
    int i;

    for (i = 0; stack && i < certs->nelts; i++) {
        if (!sk_X509_push(stack, APR_ARRAY_IDX(certs, i,
                                               crypto_cert_t *)->x509)) {
            sk_X509_free(stack);
            return NULL;
        }
    }
    return stack;
}

/* The chain has no known end: then its links are all there is to see. */
static apr_status_t links_check(const apr_array_header_t *certs,
                                acme_err_t *err)
{
    int at;

    if (!crypto_chain_ordered(certs, &at)) {
        return crypto_fail(err, APR_EINVAL, "certificate %d of the chain is "
                           "not issued by certificate %d", at + 1, at + 2);
    }
    ERR_clear_error();
    return crypto_fail(err, APR_NOTFOUND, "it leads to no trust root that is "
                       "known here");
}

static apr_status_t verify(X509_STORE_CTX *ctx, const int *unknown,
                           const apr_array_header_t *certs, acme_err_t *err)
{
    int ok = X509_verify_cert(ctx) == 1;

    ERR_clear_error();
    if (!ok) {
        return crypto_fail(err, APR_EINVAL, "certificate %d of the chain: %s",
                           X509_STORE_CTX_get_error_depth(ctx) + 1,
                           X509_verify_cert_error_string(
                               X509_STORE_CTX_get_error(ctx)));
    }
    return *unknown ? links_check(certs, err) : APR_SUCCESS;
}

apr_status_t crypto_trust_check(const crypto_trust_t *trust,
                                const apr_array_header_t *certs,
                                apr_time_t now, acme_err_t *err)
{
    X509 *leaf = APR_ARRAY_IDX(certs, 0, crypto_cert_t *)->x509;
    STACK_OF(X509) *stack = certs_stack(certs);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int unknown = 0;
    apr_status_t rv;

    if (!stack || !ctx
        || !X509_STORE_CTX_init(ctx, trust->store, leaf, stack)
        || !verify_setup(ctx, now, &unknown)) {
        rv = crypto_fail(err, APR_EGENERAL, "cannot verify a chain: check the "
                         "installation of OpenSSL");
    }
    else {
        rv = verify(ctx, &unknown, certs, err);
    }
    X509_STORE_CTX_free(ctx);
    sk_X509_free(stack);
    return rv;
}

/* ---------------------------------------------------------------- names */

int crypto_cert_covers(const crypto_cert_t *cert, const char *name)
{
    int covers = X509_check_host(cert->x509, name, strlen(name),
                                 X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
                                 | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                                 NULL) == 1;

    ERR_clear_error();
    return covers;
}

int crypto_cert_self_signed(const crypto_cert_t *cert)
{
    int is = X509_self_signed(cert->x509, 1) == 1;

    ERR_clear_error();
    return is;
}
