/*
 * Signatures in the forms JSON Web Signatures want.
 */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include "crypto/internal.h"

const char *crypto_sign_alg(const crypto_key_t *key)
{
    return key->kind->alg;
}

/* DER of an ECDSA signature as R || S, each of the curve's width.
 * @return NULL if der is no such signature */
static unsigned char *ec_raw(const unsigned char *der, apr_size_t der_len,
                             int width, apr_pool_t *pool)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
    unsigned char *raw = NULL;

    if (sig) {
        raw = apr_palloc(pool, (apr_size_t)width * 2);
        if (BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, width) != width
            || BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + width, width)
               != width) {
            raw = NULL;
        }
    }
    ECDSA_SIG_free(sig);
    return raw;
}

/* The signature as OpenSSL makes it. @return NULL on failure */
static unsigned char *evp_sign(apr_size_t *plen, const crypto_key_t *key,
                               const void *data, apr_size_t len,
                               apr_pool_t *pool)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char *sig = NULL;
    size_t size = 0;

    if (ctx && EVP_DigestSignInit_ex(ctx, NULL, key->kind->digest, NULL,
                                     NULL, key->evp, NULL)
        && EVP_DigestSign(ctx, NULL, &size, data, len)) {
        sig = apr_palloc(pool, size);
        if (!EVP_DigestSign(ctx, sig, &size, data, len)) {
            sig = NULL;
        }
    }
    EVP_MD_CTX_free(ctx);
    *plen = size;
    return sig;
}

apr_status_t crypto_sign(unsigned char **psig, apr_size_t *plen,
                         const crypto_key_t *key, const void *data,
                         apr_size_t len, acme_err_t *err,
                         apr_pool_t *result_pool)
{
    int width = crypto_kind_width(key->kind);
    unsigned char *sig;
    apr_size_t sig_len;

    ERR_clear_error();
    if (!key->secret) {
        return crypto_fail(err, APR_EINVAL, "a public key cannot sign: give "
                           "the private key");
    }
    sig = evp_sign(&sig_len, key, data, len, result_pool);
    if (sig && crypto_kind_ec(key->kind)) {
        sig = ec_raw(sig, sig_len, width, result_pool);
        sig_len = (apr_size_t)width * 2;
    }
    if (!sig) {
        return crypto_fail(err, APR_EGENERAL, "cannot sign with a %s key: "
                           "check the installation of OpenSSL",
                           key->kind->name);
    }
    *psig = sig;
    *plen = sig_len;
    return APR_SUCCESS;
}
