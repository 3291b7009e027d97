/*
 * Public keys as JSON Web Keys, and their thumbprints.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>

#include "crypto/internal.h"

/*
 * One number of a public key as base64url, big-endian, at least width
 * bytes: RFC 7518 6.2.1.2 wants coordinates padded to the curve's size,
 * 6.3.1.1 wants the RSA numbers without a leading zero (width 0).
 */
static const char *number_text(const crypto_key_t *key, const char *param,
                               int width, apr_pool_t *pool)
{
    const char *text = NULL;
    BIGNUM *number = NULL;
    unsigned char *buf;

    if (EVP_PKEY_get_bn_param(key->evp, param, &number)) {
        if (!width) {
            width = BN_num_bytes(number);
        }
        buf = apr_palloc(pool, (apr_size_t)width);
        if (BN_bn2binpad(number, buf, width) == width) {
            text = base_b64url_encode(buf, (apr_size_t)width, pool);
        }
    }
    BN_free(number);
    return text;
}

static json_t *ec_jwk(const crypto_key_t *key, apr_pool_t *pool)
{
    int width = crypto_kind_width(key->kind);
    const char *x = number_text(key, OSSL_PKEY_PARAM_EC_PUB_X, width, pool);
    const char *y = number_text(key, OSSL_PKEY_PARAM_EC_PUB_Y, width, pool);

    if (!x || !y) {
        return NULL;
    }
    return json_pack("{s:s, s:s, s:s, s:s}", "kty", "EC",
                     "crv", key->kind->name, "x", x, "y", y);
}

static json_t *rsa_jwk(const crypto_key_t *key, apr_pool_t *pool)
{
    const char *n = number_text(key, OSSL_PKEY_PARAM_RSA_N, 0, pool);
    const char *e = number_text(key, OSSL_PKEY_PARAM_RSA_E, 0, pool);

    if (!n || !e) {
        return NULL;
    }
    return json_pack("{s:s, s:s, s:s}", "kty", "RSA", "n", n, "e", e);
}

apr_status_t crypto_jwk(json_t **pjwk, const crypto_key_t *key,
                        acme_err_t *err, apr_pool_t *result_pool)
{
    json_t *jwk;

    ERR_clear_error();
    if (crypto_kind_ec(key->kind)) {
        jwk = ec_jwk(key, result_pool);
    }
    else {
        jwk = rsa_jwk(key, result_pool);
    }
    if (!jwk) {
        return crypto_fail(err, APR_EGENERAL, "cannot write a %s key as a "
                           "JWK: check the installation of OpenSSL",
                           key->kind->name);
    }
    *pjwk = base_json_own(jwk, result_pool);
    return APR_SUCCESS;
}

apr_status_t crypto_jwk_thumbprint(const char **pthumbprint,
                                   const crypto_key_t *key, acme_err_t *err,
                                   apr_pool_t *result_pool)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    const char *text;
    apr_status_t rv;
    size_t len;
    json_t *jwk;

    rv = crypto_jwk(&jwk, key, err, result_pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* RFC 7638 3.3: compact, keys sorted, the required members only; no
     * value of ours needs an escape. */
    text = base_json_text(jwk, result_pool);
    if (!EVP_Q_digest(NULL, "SHA256", NULL, text, strlen(text), hash,
                      &len)) {
        return crypto_fail(err, APR_EGENERAL, "cannot compute SHA-256: "
                           "check the installation of OpenSSL");
    }
    *pthumbprint = base_b64url_encode(hash, len, result_pool);
    return APR_SUCCESS;
}
