/*
 * Keys and certificates for the tests, made with OpenSSL directly so that
 * the room under test has no part in its own evidence.
 */
#ifndef ACME_UNIT_CRYPTO_FIXTURE_H
#define ACME_UNIT_CRYPTO_FIXTURE_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "crypto/crypto.h"

/** The time the tests play at, seconds and µs since 1970. */
#define FIX_NOW_SECONDS 1800000000
#define FIX_NOW apr_time_from_sec((apr_time_t)FIX_NOW_SECONDS)
#define FIX_DAY 86400

/** What a certificate is made of. All zero is a leaf valid now. */
typedef struct fix_spec_t {
    const char *cn;         /**< subject's CN; NULL: empty subject */
    const char *san;        /**< as in openssl.cnf ("DNS:a,DNS:b"); nullable */
    int ca;                 /**< 1: basicConstraints CA:TRUE */
    long from;              /**< seconds from FIX_NOW; 0: a day before */
    long to;                /**< seconds from FIX_NOW; 0: a day behind */
    EVP_PKEY *key;          /**< the subject's */
    X509 *issuer;           /**< NULL: self-signed */
    EVP_PKEY *issuer_key;
} fix_spec_t;

/** A new key by OpenSSL's name for it ("P-256", "RSA"); freed with p. */
EVP_PKEY *fix_evp(const char *name, apr_pool_t *p);

/** An EC key of its published numbers (base64url); d nullable. */
EVP_PKEY *fix_ec(const char *curve, const char *x, const char *y,
                 const char *d, apr_pool_t *p);

/** An RSA key of n, e, d, p, q, dp, dq, qi (base64url, NULL behind the last
 *  one there is: two for a public key). */
EVP_PKEY *fix_rsa(const char *const *numbers, apr_pool_t *p);

/** Traditional PEM where it exists, else PKCS#8. */
char *fix_key_pem(EVP_PKEY *evp, apr_pool_t *p);

/** The room's key of evp's private half. */
crypto_key_t *fix_key(EVP_PKEY *evp, apr_pool_t *p);

/** The room's public key of evp, by way of a certificate. */
crypto_key_t *fix_public(EVP_PKEY *evp, apr_pool_t *p);

/** An unsigned certificate of spec, to be changed before fix_sign. */
X509 *fix_unsigned(const fix_spec_t *spec, apr_pool_t *p);
X509 *fix_sign(X509 *x509, const fix_spec_t *spec);

/** fix_unsigned and fix_sign. */
X509 *fix_cert(const fix_spec_t *spec, apr_pool_t *p);

/** The PEM of certs (a NULL behind the last), one behind the other. */
char *fix_pem(apr_pool_t *p, ...) __attribute__((sentinel));

/** Names (a NULL behind the last) as an array. */
apr_array_header_t *fix_names(apr_pool_t *p, ...) __attribute__((sentinel));

/** 1 if the JWS signature sig of data verifies with evp. */
int fix_verify(EVP_PKEY *evp, const char *digest, const char *data,
               const unsigned char *sig, apr_size_t len);

/** What a BIO holds; frees it. */
char *fix_bio_text(BIO *bio, apr_pool_t *p);

/** "secret" and the like in a callback's shape, for encrypted keys. */
#define FIX_PASSWORD "correct horse"

#endif
