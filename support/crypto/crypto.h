/*
 * crypto: keys, signatures, CSRs and certificates. The only room of
 * acmectl that includes OpenSSL.
 *
 * Private keys are opaque and wiped with their pool.
 */
#ifndef ACME_CRYPTO_H
#define ACME_CRYPTO_H

#include "base/base.h"

/* ------------------------------------------------------------------ key */

/** Key types by the names ACMEPrivateKeys uses. */
typedef enum crypto_key_type_t {
    CRYPTO_P256, CRYPTO_P384, CRYPTO_P521,
    CRYPTO_RSA2048, CRYPTO_RSA3072, CRYPTO_RSA4096
} crypto_key_type_t;

/** A private key (or, from a certificate, a public one). */
typedef struct crypto_key_t crypto_key_t;

/** "P-256", …, "RSA-4096". */
const char *crypto_key_type_name(crypto_key_type_t type);

/** Case ignored. @return APR_EINVAL if unknown */
apr_status_t crypto_key_type_parse(crypto_key_type_t *ptype,
                                   const char *name);

/** Make a new private key. @param pkey wiped and freed with result_pool */
apr_status_t crypto_key_generate(crypto_key_t **pkey, crypto_key_type_t type,
                                 acme_err_t *err, apr_pool_t *result_pool);

/**
 * Read an unencrypted private key: PEM, PKCS#8 or traditional.
 * @return APR_EINVAL if it is none, is encrypted, or of another type
 */
apr_status_t crypto_key_read(crypto_key_t **pkey, const char *pem,
                             apr_size_t len, acme_err_t *err,
                             apr_pool_t *result_pool);

/** PKCS#8 PEM text, wiped with result_pool. */
apr_status_t crypto_key_write(char **ppem, apr_size_t *plen,
                              const crypto_key_t *key, acme_err_t *err,
                              apr_pool_t *result_pool);

/** The type of key. */
crypto_key_type_t crypto_key_type(const crypto_key_t *key);

/** 1 if both have the same public half. */
int crypto_key_equal(const crypto_key_t *a, const crypto_key_t *b);

/* ------------------------------------------------------------ jwk, sign */

/** The public key as a JWK, required members only.
 *  Source: RFC 7517, RFC 7518 6.2.1 and 6.3.1. */
apr_status_t crypto_jwk(json_t **pjwk, const crypto_key_t *key,
                        acme_err_t *err, apr_pool_t *result_pool);

/** base64url of the SHA-256 thumbprint. Source: RFC 7638 3. */
apr_status_t crypto_jwk_thumbprint(const char **pthumbprint,
                                   const crypto_key_t *key, acme_err_t *err,
                                   apr_pool_t *result_pool);

/** The JWS "alg" of key: ES256, ES384, ES512 or RS256. */
const char *crypto_sign_alg(const crypto_key_t *key);

/** Sign as JWS wants it: ECDSA as R || S of fixed width (RFC 7518 3.4),
 *  RSA as PKCS#1 v1.5 with SHA-256 (3.3). */
apr_status_t crypto_sign(unsigned char **psig, apr_size_t *plen,
                         const crypto_key_t *key, const void *data,
                         apr_size_t len, acme_err_t *err,
                         apr_pool_t *result_pool);

/* ------------------------------------------------------------------ csr */

/**
 * A certificate request: empty subject, subjectAltName with exactly names.
 * Source: RFC 2986; RFC 8555 7.4.
 *
 * @param pder   DER, plen bytes
 * @param names  of const char *, lower-case A-labels, "*." allowed
 */
apr_status_t crypto_csr_make(unsigned char **pder, apr_size_t *plen,
                             const crypto_key_t *key,
                             const apr_array_header_t *names,
                             acme_err_t *err, apr_pool_t *result_pool);

/** The same with the TLS feature extension: the certificate is to be
 *  served with an OCSP response. Source: RFC 7633 4.1. */
apr_status_t crypto_csr_make_must_staple(unsigned char **pder,
                                         apr_size_t *plen,
                                         const crypto_key_t *key,
                                         const apr_array_header_t *names,
                                         acme_err_t *err,
                                         apr_pool_t *result_pool);

/**
 * Names and public key of a request (PEM or DER) whose own signature
 * verifies.
 * @param pnames  dNSNames, lower case, CN included if it is a name
 * @param pkey    public key; nullable
 */
apr_status_t crypto_csr_read(unsigned char **pder, apr_size_t *plen,
                             apr_array_header_t **pnames,
                             crypto_key_t **pkey, const char *data,
                             apr_size_t len, acme_err_t *err,
                             apr_pool_t *result_pool);

/* ------------------------------------------------------------ alpn_cert */

/**
 * The self-signed certificate that proves control of name by tls-alpn-01.
 * Its key may be the same for any number of them: it proves nothing and is
 * compared with nothing.
 * Source: RFC 8737 3.
 *
 * @param ppem     PEM
 * @param name     a domain name, no wildcard
 * @param keyauth  RFC 8555 8.1
 * @param now      µs UTC
 */
apr_status_t crypto_alpn_cert(char **ppem, const crypto_key_t *key,
                              const char *name, const char *keyauth,
                              apr_time_t now, acme_err_t *err,
                              apr_pool_t *result_pool);

/* ----------------------------------------------------------------- cert */

/** A certificate. Immutable; freed with its pool. */
typedef struct crypto_cert_t crypto_cert_t;

/** Largest chain accepted, bytes and certificates. */
#define CRYPTO_CHAIN_MAX (256 * 1024)
#define CRYPTO_CHAIN_CERTS_MAX 10

/**
 * Read a chain, leaf first, that consists of CERTIFICATE blocks and white
 * space and nothing else.
 * Source: RFC 8555 9.1, 11.4 (no other PEM block may hide in it).
 *
 * @param pcerts  array of crypto_cert_t *, at least one
 * @return APR_EINVAL with the reason
 */
apr_status_t crypto_chain_read(apr_array_header_t **pcerts, const char *pem,
                               apr_size_t len, acme_err_t *err,
                               apr_pool_t *result_pool);

/**
 * Decide whether a chain may be installed: the leaf's key is key's, its
 * dNSNames are exactly names (any order), now lies in its validity (an
 * hour of clock skew at the start allowed), and each certificate signs
 * the one before it.
 * Source: RFC 8555 7.4.2; ours.
 *
 * @param key  nullable (a CSR from outside): then not compared
 * @return APR_EINVAL with the reason
 */
apr_status_t crypto_chain_check(const apr_array_header_t *certs,
                                const crypto_key_t *key,
                                const apr_array_header_t *names,
                                apr_time_t now, acme_err_t *err,
                                apr_pool_t *scratch_pool);

/** One certificate as PEM / DER in result_pool. */
apr_status_t crypto_cert_pem(char **ppem, const crypto_cert_t *cert,
                             acme_err_t *err, apr_pool_t *result_pool);
apr_status_t crypto_cert_der(unsigned char **pder, apr_size_t *plen,
                             const crypto_cert_t *cert, acme_err_t *err,
                             apr_pool_t *result_pool);

/** The public key of a certificate. */
apr_status_t crypto_cert_key(crypto_key_t **pkey, const crypto_cert_t *cert,
                             acme_err_t *err, apr_pool_t *result_pool);

/** What people and status pages want to know of a certificate. */
typedef struct crypto_cert_info_t {
    const char *subject;          /**< RFC 2253 text, printable ASCII */
    const char *issuer;           /**< the issuer's CN, else its subject */
    const char *serial;           /**< lower-case hex, two digits a byte */
    const char *sha256;           /**< of the DER, lower-case hex */
    const char *key_type;         /**< "P-256" … or "other" */
    apr_time_t not_before;        /**< µs UTC */
    apr_time_t not_after;
    apr_array_header_t *names;    /**< dNSNames, lower case, in order */
    const char *ocsp;             /**< nullable: URL of its OCSP responder,
                                       printable ASCII (RFC 5280 4.2.2.1) */
    int must_staple;              /**< 1: it may be served only with an OCSP
                                       response (RFC 7633) */
} crypto_cert_info_t;

/** Fill *info; everything lives in result_pool. */
apr_status_t crypto_cert_info(crypto_cert_info_t *info,
                              const crypto_cert_t *cert, acme_err_t *err,
                              apr_pool_t *result_pool);

/* ----------------------------------------------------------------- ocsp */

/** Largest OCSP response read, bytes. */
#define CRYPTO_OCSP_MAX (16 * 1024)

typedef enum crypto_ocsp_status_t {
    CRYPTO_OCSP_GOOD, CRYPTO_OCSP_REVOKED, CRYPTO_OCSP_UNKNOWN
} crypto_ocsp_status_t;

/** What an OCSP response says of a certificate. */
typedef struct crypto_ocsp_t {
    crypto_ocsp_status_t status;
    apr_time_t this_update;       /**< µs UTC */
    apr_time_t next_update;
    apr_time_t revoked_at;        /**< where it is revoked */
    const char *reason;           /**< where it is revoked: RFC 5280's word;
                                       constant */
} crypto_ocsp_t;

/** The request for the status of cert, DER. Source: RFC 5019 2.1. */
apr_status_t crypto_ocsp_request(unsigned char **pder, apr_size_t *plen,
                                 const crypto_cert_t *cert,
                                 const crypto_cert_t *issuer,
                                 acme_err_t *err, apr_pool_t *result_pool);

/**
 * Decide whether an OCSP response may be believed: signed by the issuer or
 * its appointed responder, about this certificate, of its time (five
 * minutes of clock skew at the start allowed, none at the end).
 * Source: RFC 6960 3.2, 4.2.2.2.
 *
 * @param pocsp  set on success, whatever the status
 * @param certs  of crypto_cert_t *: the certificate, its issuer, perhaps
 *               more
 * @return APR_EINVAL with the reason; APR_EGENERAL when the responder says
 *         that it cannot answer
 */
apr_status_t crypto_ocsp_read(crypto_ocsp_t *pocsp, const void *der,
                              apr_size_t len,
                              const apr_array_header_t *certs,
                              apr_time_t now, acme_err_t *err);

/* ---------------------------------------------------------------- trust */

/** Trust roots. Immutable; freed with their pool. */
typedef struct crypto_trust_t crypto_trust_t;

/** Largest file of trust roots read, bytes. */
#define CRYPTO_ROOTS_MAX (4 * 1024 * 1024)

/**
 * The trust roots of the system and those of a PEM text, which may hold
 * other text between the certificates.
 *
 * @param pem  NULL: the system's alone
 * @return APR_EINVAL if pem holds no certificate or a broken one
 */
apr_status_t crypto_trust_make(crypto_trust_t **ptrust, const char *pem,
                               apr_size_t len, acme_err_t *err,
                               apr_pool_t *result_pool);

/**
 * Verify a chain as a client of a TLS server does, its names apart.
 * Source: RFC 5280 6.1.
 *
 * @param certs  of crypto_cert_t *, as served, at least one
 * @param now    µs UTC
 * @return APR_SUCCESS: it leads to a trust root; APR_NOTFOUND with the
 *         reason: links, signatures and times are right, but where it leads
 *         is not known; APR_EINVAL with the reason: something is wrong
 */
apr_status_t crypto_trust_check(const crypto_trust_t *trust,
                                const apr_array_header_t *certs,
                                apr_time_t now, acme_err_t *err);

/** 1 if a client that asks for name takes cert for name's: subjectAltName
 *  alone, "*" as the whole first label alone. Source: RFC 9525 6.3. */
int crypto_cert_covers(const crypto_cert_t *cert, const char *name);

/** 1 if cert is signed by itself. */
int crypto_cert_self_signed(const crypto_cert_t *cert);

/* ------------------------------------------------------------------ tls */

/** A TLS conversation with a server, which proves nothing about it: what it
 *  shows is looked at afterwards. */
typedef struct crypto_tls_t crypto_tls_t;

/** How to begin one. Borrowed. */
typedef struct crypto_tls_options_t {
    const char *name;       /**< nullable: the server name sent (RFC 6066 3) */
    const char *alpn;       /**< nullable: the one protocol offered
                                 (RFC 7301) */
    const char *key_type;   /**< nullable: "P-256", ...: whose certificate is
                                 preferred where the server has several */
    int old;                /**< 1: offer TLS 1.0 and 1.1 and nothing else */
    apr_time_t until;       /**< of the handshake, mono clock, µs */
} crypto_tls_options_t;

/** What the server showed. */
typedef struct crypto_tls_info_t {
    const char *version;           /**< "TLSv1.3" */
    int modern;                    /**< 1: TLS 1.2 or later */
    const char *cipher;            /**< OpenSSL's name of it */
    const char *alpn;              /**< nullable: the protocol chosen */
    apr_array_header_t *certs;     /**< of crypto_cert_t *, as served, one at
                                        least */
    const unsigned char *staple;   /**< nullable: OCSP response, DER */
    apr_size_t staple_len;         /**< CRYPTO_OCSP_MAX at most, bytes */
    int asks;                      /**< 1: it asked for a certificate of the
                                        client, which has none */
} crypto_tls_info_t;

/**
 * Shake hands, whatever certificate the server shows, and ask for an OCSP
 * response.
 * Source: RFC 8446; RFC 6066 8.
 *
 * @param ptls  set in any case; where the handshake fails nullable, and its
 *              info has nothing but "asks"
 * @param fd    connected, not blocking; borrowed until result_pool is cleared
 * @return APR_TIMEUP; APR_EOF when the server closed; APR_ENOTIMPL if this
 *         OpenSSL cannot offer what options say; APR_EGENERAL with OpenSSL's
 *         reason
 */
apr_status_t crypto_tls_open(crypto_tls_t **ptls, int fd,
                             const crypto_tls_options_t *options,
                             acme_err_t *err, apr_pool_t *result_pool);

/** What the server showed; lives as long as tls. */
const crypto_tls_info_t *crypto_tls_info(const crypto_tls_t *tls);

/** Send all of data. @return as crypto_tls_open */
apr_status_t crypto_tls_write(crypto_tls_t *tls, const void *data,
                              apr_size_t len, apr_time_t until,
                              acme_err_t *err);

/**
 * Receive what there is, waiting for the first byte.
 *
 * @param plen  in: the size of buf; out: bytes received, at least one
 * @return APR_EOF at the end; else as crypto_tls_open
 */
apr_status_t crypto_tls_read(crypto_tls_t *tls, char *buf, apr_size_t *plen,
                             apr_time_t until, acme_err_t *err);

/** Say good-bye, without waiting for an answer. */
void crypto_tls_close(crypto_tls_t *tls);

#endif
