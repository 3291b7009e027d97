/*
 * Decide whether a chain may be installed. It has been read; what it says
 * has not been believed yet.
 */
#include <openssl/err.h>

#include <apr_strings.h>

#include "crypto/internal.h"

/* Clocks of CA and server may differ that much at the start of validity. */
#define CLOCK_SKEW apr_time_from_sec(3600)

static const crypto_cert_t *cert_at(const apr_array_header_t *certs, int i)
{
    return APR_ARRAY_IDX(certs, i, const crypto_cert_t *);
}

static apr_status_t check_key(const crypto_cert_t *leaf,
                              const crypto_key_t *key, acme_err_t *err)
{
    const EVP_PKEY *evp = X509_get0_pubkey(leaf->x509);

    if (!evp || EVP_PKEY_eq(evp, key->evp) != 1) {
        ERR_clear_error();
        return crypto_fail(err, APR_EINVAL, "the certificate is for another "
                           "key than the one of the request: order it again, "
                           "then report it to the CA");
    }
    return APR_SUCCESS;
}

static apr_status_t check_times(const crypto_cert_t *leaf, apr_time_t now,
                                acme_err_t *err, apr_pool_t *pool)
{
    apr_time_t from;
    apr_time_t to;
    apr_status_t rv = crypto_cert_times(&from, &to, leaf, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (from >= to) {
        return crypto_fail(err, APR_EINVAL, "the certificate's validity ends "
                           "(%s) before it begins: report it to the CA",
                           base_time_text(to, pool));
    }
    if (now + CLOCK_SKEW < from) {
        return crypto_fail(err, APR_EINVAL, "the certificate is not valid "
                           "before %s: check this server's clock",
                           base_time_text(from, pool));
    }
    if (now >= to) {
        return crypto_fail(err, APR_EINVAL, "the certificate expired at %s: "
                           "check this server's clock, then order it again",
                           base_time_text(to, pool));
    }
    return APR_SUCCESS;
}

/* names in lower case; copies. */
static apr_array_header_t *names_lower(const apr_array_header_t *names,
                                       apr_pool_t *pool)
{
    apr_array_header_t *lower = apr_array_make(pool, names->nelts + 1,
                                               sizeof(char *));
    int i;

    for (i = 0; i < names->nelts; i++) {
        APR_ARRAY_PUSH(lower, char *) =
            crypto_lower(apr_pstrdup(pool, APR_ARRAY_IDX(names, i,
                                                         const char *)));
    }
    return lower;
}

/* The first of a's names that b lacks. @return NULL if there is none */
static const char *names_missing(const apr_array_header_t *a,
                                 const apr_array_header_t *b)
{
    int i;

    for (i = 0; i < a->nelts; i++) {
        const char *name = APR_ARRAY_IDX(a, i, const char *);

        if (!base_list_has(b, name)) {
            return name;
        }
    }
    return NULL;
}

static apr_status_t check_names(const crypto_cert_t *leaf,
                                const apr_array_header_t *names,
                                acme_err_t *err, apr_pool_t *pool)
{
    const apr_array_header_t *wanted = names_lower(names, pool);
    apr_array_header_t *found;
    const char *name;
    int others = 0;
    apr_status_t rv;

    rv = crypto_cert_names(&found, &others, leaf, err, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    name = names_missing(wanted, found);
    if (name) {
        return crypto_fail(err, APR_EINVAL, "the certificate lacks %s, which "
                           "was ordered: order it again, then report it to "
                           "the CA", name);
    }
    name = names_missing(found, wanted);
    if (name) {
        return crypto_fail(err, APR_EINVAL, "the certificate names %s, which "
                           "was not ordered: report it to the CA", name);
    }
    if (others) {
        return crypto_fail(err, APR_EINVAL, "the certificate names more than "
                           "domains, which was not ordered: report it to the "
                           "CA");
    }
    return APR_SUCCESS;
}

static apr_status_t check_twice(const apr_array_header_t *certs,
                                acme_err_t *err)
{
    int i;
    int j;

    for (i = 0; i < certs->nelts; i++) {
        for (j = i + 1; j < certs->nelts; j++) {
            if (X509_cmp(cert_at(certs, i)->x509, cert_at(certs, j)->x509)
                == 0) {
                return crypto_fail(err, APR_EINVAL, "certificates %d and %d "
                                   "of the chain are the same one: report it "
                                   "to the CA", i + 1, j + 1);
            }
        }
    }
    return APR_SUCCESS;
}

/* 1 if issuer is a CA, has the name subject asks for, and signed it. */
static int cert_signs(const crypto_cert_t *issuer,
                      const crypto_cert_t *subject)
{
    EVP_PKEY *evp = X509_get0_pubkey(issuer->x509);

    return evp && X509_check_ca(issuer->x509)
        && X509_check_issued(issuer->x509, subject->x509) == X509_V_OK
        && X509_verify(subject->x509, evp) == 1;
}

int crypto_chain_ordered(const apr_array_header_t *certs, int *pat)
{
    int i;

    for (i = 0; i + 1 < certs->nelts; i++) {
        if (!cert_signs(cert_at(certs, i + 1), cert_at(certs, i))) {
            *pat = i;
            return 0;
        }
    }
    return 1;
}

/* RFC 8555 9.1 (RFC 8446 4.4.2): each one certifies the one before it. */
static apr_status_t check_order(const apr_array_header_t *certs,
                                acme_err_t *err)
{
    int at;

    if (!crypto_chain_ordered(certs, &at)) {
        return crypto_fail(err, APR_EINVAL, "certificate %d of the chain is "
                           "not issued by certificate %d: report it to the "
                           "CA or choose another chain", at + 1, at + 2);
    }
    return APR_SUCCESS;
}

apr_status_t crypto_chain_check(const apr_array_header_t *certs,
                                const crypto_key_t *key,
                                const apr_array_header_t *names,
                                apr_time_t now, acme_err_t *err,
                                apr_pool_t *scratch_pool)
{
    apr_status_t rv = APR_SUCCESS;

    ERR_clear_error();
    if (certs->nelts == 0) {
        return crypto_fail(err, APR_EINVAL, "the chain is empty: try again, "
                           "then report it to the CA");
    }
    if (key) {
        rv = check_key(cert_at(certs, 0), key, err);
    }
    if (rv == APR_SUCCESS) {
        rv = check_names(cert_at(certs, 0), names, err, scratch_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = check_times(cert_at(certs, 0), now, err, scratch_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = check_twice(certs, err);
    }
    if (rv == APR_SUCCESS) {
        rv = check_order(certs, err);
    }
    return rv;
}
