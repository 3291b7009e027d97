/*
 * jws.c: the envelope of every signed request (RFC 7515 7.2.2; RFC 8555
 * 6.2). Pure: whoever holds the key calls it with a function that signs.
 */
#include "acme/acme.h"

#include <string.h>

#include <apr_strings.h>

/* Source: RFC 8555 6.2: alg, nonce, url and exactly one of jwk and kid. */
static apr_status_t protected_header(const char **ptext,
                                     const acme_sign_t *to_sign,
                                     const char *alg, const char *kid,
                                     const json_t *jwk,
                                     const schema_set_t *schemas,
                                     acme_err_t *err, apr_pool_t *pool)
{
    json_t *header;
    char *bytes;
    apr_status_t rv;

    if (kid) {
        header = json_pack("{s:s, s:s, s:s, s:s}", "alg", alg, "nonce",
                           to_sign->nonce, "url", to_sign->url, "kid", kid);
    }
    else {
        header = json_pack("{s:s, s:s, s:s, s:O}", "alg", alg, "nonce",
                           to_sign->nonce, "url", to_sign->url, "jwk", jwk);
    }
    if (!header) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "a request to %s cannot be signed: its header "
                            "has no valid text", to_sign->url);
    }
    base_json_own(header, pool);
    rv = schema_message_write(&bytes, schemas, "jose/protected-header",
                              header, err, pool);
    if (rv == APR_SUCCESS) {
        *ptext = base_b64url_encode(bytes, strlen(bytes), pool);
    }
    return rv;
}

/* RFC 8555 6.2: newAccount and a revocation by the certificate's key name
 * the key itself, everything else names the account. */
static apr_status_t signer_check(const acme_sign_t *to_sign, const char *kid,
                                 const json_t *jwk, acme_err_t *err)
{
    int by_account = to_sign->signer == ACME_SIGN_ACCOUNT;

    if (by_account ? !kid : kid || !jwk) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "a request to %s must be signed with %s",
                            to_sign->url, by_account
                            ? "an account URL" : "a key and no account URL");
    }
    return APR_SUCCESS;
}

apr_status_t acme_jws_make(const char **pjws, const acme_sign_t *sign,
                           const char *alg, const char *kid,
                           const json_t *jwk, acme_jws_sign_fn *fn,
                           void *baton, const schema_set_t *schemas,
                           acme_err_t *err, apr_pool_t *result_pool)
{
    const char *header = NULL, *payload, *input;
    unsigned char *sig;
    apr_size_t sig_len;
    json_t *jws;
    char *bytes;
    apr_status_t rv;

    rv = signer_check(sign, kid, jwk, err);
    if (rv == APR_SUCCESS) {
        rv = protected_header(&header, sign, alg, kid, jwk, schemas, err,
                              result_pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    payload = base_b64url_encode(sign->payload, strlen(sign->payload),
                                 result_pool);
    input = apr_pstrcat(result_pool, header, ".", payload, NULL);
    rv = fn(baton, input, strlen(input), &sig, &sig_len, err, result_pool);
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "signing the request to %s failed", sign->url);
    }
    jws = json_pack("{s:s, s:s, s:s}", "protected", header, "payload",
                    payload, "signature",
                    base_b64url_encode(sig, sig_len, result_pool));
    rv = schema_message_write(&bytes, schemas, "jose/jws",
                              base_json_own(jws, result_pool), err,
                              result_pool);
    if (rv == APR_SUCCESS) {
        *pjws = bytes;
    }
    return rv;
}
