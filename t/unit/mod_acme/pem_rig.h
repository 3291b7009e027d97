/*
 * Certificates with their keys as acmectl writes them, for the tests of what
 * httpd makes of them.
 */
#ifndef ACME_PEM_RIG_H
#define ACME_PEM_RIG_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "crypto/fixture.h"

/** A key as PKCS #8, which is how acmectl keeps it. */
static inline char *pem_key(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    long len;

    ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0,
                                                   NULL, NULL), 1);
    len = BIO_get_mem_data(bio, &data);
    data = apr_pstrmemdup(pool, data, (apr_size_t)len);
    BIO_free(bio);
    return data;
}

/** The certificate of a key, self-signed. */
static inline X509 *pem_cert(EVP_PKEY *key)
{
    fix_spec_t spec = { .cn = "a.test", .key = key };

    return fix_cert(&spec, pool);
}

/** The CA's, of a new key. */
static inline char *pem_issuer(const char *cn)
{
    fix_spec_t spec = { .cn = cn, .ca = 1, .key = fix_evp("P-256", pool) };

    return fix_pem(pool, fix_cert(&spec, pool), NULL);
}

#endif
