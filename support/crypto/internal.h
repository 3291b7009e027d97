/*
 * What the files of crypto share and no other room sees.
 */
#ifndef ACME_CRYPTO_INTERNAL_H
#define ACME_CRYPTO_INTERNAL_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/crypto.h"

/** Largest private key or certificate request read, bytes. */
#define CRYPTO_FILE_MAX (64 * 1024)

/** What a key type means to OpenSSL and to JOSE. */
typedef struct crypto_kind_t {
    crypto_key_type_t type;
    const char *name;       /**< as in ACMEPrivateKeys; for EC the JWK crv */
    const char *algorithm;  /**< OpenSSL's: "EC" or "RSA" */
    int nid;                /**< of the curve; 0 for RSA */
    int bits;               /**< of the modulus or the curve's field */
    const char *alg;        /**< JWS "alg", RFC 7518 3.1 */
    const char *digest;     /**< OpenSSL's name of alg's hash */
} crypto_kind_t;

struct crypto_key_t {
    EVP_PKEY *evp;
    const crypto_kind_t *kind;
    int secret;             /**< 1 if the private half is there */
};

struct crypto_cert_t {
    X509 *x509;
};

/** Bytes of one coordinate (or of R, or S) of an EC key. */
int crypto_kind_width(const crypto_kind_t *kind);

/** 1 if kind is an elliptic curve. */
int crypto_kind_ec(const crypto_kind_t *kind);

/** The kind of evp. @return NULL if acmectl does not handle it */
const crypto_kind_t *crypto_kind_of(const EVP_PKEY *evp);

/** kind's hash. @return never NULL with a complete OpenSSL */
const EVP_MD *crypto_kind_digest(const crypto_kind_t *kind);

/**
 * Make a key of evp.
 * Source: ours.
 *
 * @param evp     takes one reference, on failure too; wiped by the pool
 * @param secret  1 if evp has its private half
 * @param what    whose key it is, for the message ("the private key")
 * @return APR_EINVAL if evp is of no type that acmectl handles
 */
apr_status_t crypto_key_own(crypto_key_t **pkey, EVP_PKEY *evp, int secret,
                            const char *what, acme_err_t *err,
                            apr_pool_t *result_pool);

/**
 * Record a failure with the reason of OpenSSL's oldest queued error, if
 * there is one, behind it; empty the queue.
 * Source: ours.
 *
 * @return status
 */
apr_status_t crypto_fail(acme_err_t *err, apr_status_t status,
                         const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** The content of a memory BIO with a NUL behind it; wiped with pool. */
char *crypto_bio_secret(BIO *bio, apr_size_t *plen, apr_pool_t *pool);

/** len bytes as lower-case hex. */
char *crypto_hex(const unsigned char *data, apr_size_t len,
                 apr_pool_t *pool);

/** len bytes with all but printable ASCII, and the backslash, as \xNN. */
char *crypto_printable(const unsigned char *data, apr_size_t len,
                       apr_pool_t *pool);

/** Make text lower case in its place. @return text */
char *crypto_lower(char *text);

/**
 * The dNSNames of a subjectAltName, lower case, printable, in order.
 * Source: RFC 5280 4.2.1.6.
 *
 * @param names    of char *; appended to
 * @param pothers  how many names of other kinds stand beside them; nullable
 */
void crypto_san_names(apr_array_header_t *names, int *pothers,
                      const GENERAL_NAMES *san, apr_pool_t *pool);

/** A subjectAltName of dNSNames, of const char *, in order.
 *  @return NULL on failure */
GENERAL_NAMES *crypto_san_make(const apr_array_header_t *names);

/**
 * The dNSNames of cert, as crypto_san_names.
 * Source: RFC 5280 4.2.1.6.
 *
 * @param pothers  raised by the names of other kinds; nullable
 * @return APR_EINVAL if the extension is malformed
 */
apr_status_t crypto_cert_names(apr_array_header_t **pnames, int *pothers,
                               const crypto_cert_t *cert, acme_err_t *err,
                               apr_pool_t *result_pool);

/** An ASN.1 time as µs UTC. @return 0 if it is malformed */
int crypto_time(apr_time_t *ptime, const ASN1_TIME *text);

/** A certificate of x509, one reference of which it takes. */
crypto_cert_t *crypto_cert_own(X509 *x509, apr_pool_t *result_pool);

/** 1 if each certificate but the first certifies the one before it; else
 *  *pat is the first that is not certified. Source: RFC 8446 4.4.2. */
int crypto_chain_ordered(const apr_array_header_t *certs, int *pat);

/** The validity of cert, µs UTC. @return APR_EINVAL if it is malformed */
apr_status_t crypto_cert_times(apr_time_t *pnot_before,
                               apr_time_t *pnot_after,
                               const crypto_cert_t *cert, acme_err_t *err);

#endif
