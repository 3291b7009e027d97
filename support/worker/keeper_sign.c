/*
 * keeper_sign.c: sign the engine's requests, and no others.
 */
#include "worker/keeper.h"

static apr_status_t sign_bytes(void *baton, const void *data, apr_size_t len,
                               unsigned char **psig, apr_size_t *psig_len,
                               acme_err_t *err, apr_pool_t *result_pool)
{
    return crypto_sign(psig, psig_len, baton, data, len, err, result_pool);
}

/** The job's key file, for a request to the CA of the job alone. */
static const char *revoke_key_file(const keeper_t *keeper,
                                   const acme_sign_t *sign)
{
    if (sign->job < 0 || keeper_job(keeper, sign->job)->ca != sign->ca) {
        return NULL;
    }
    return keeper->options.jobs[sign->job].revoke_key_file;
}

/** The key of a certificate that is to be revoked. Read only now: the net
 *  worker was forked before. */
static apr_status_t revoke_key(keeper_t *keeper, const acme_sign_t *sign,
                               const crypto_key_t **pkey, acme_err_t *err,
                               apr_pool_t *pool)
{
    const char *file = revoke_key_file(keeper, sign);
    crypto_key_t *key;
    apr_size_t len;
    char *pem;
    apr_status_t rv;

    if (!file) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                            "no certificate's key signs here");
    }
    rv = base_file_read(&pem, &len, file, CRYPTO_CHAIN_MAX, err, pool);
    if (rv == APR_SUCCESS) {
        rv = crypto_key_read(&key, pem, len, err, pool);
    }
    if (rv != APR_SUCCESS) {
        err->exit = BASE_EXIT_USAGE;
        return base_err_wrap(err, "the key %s", file);
    }
    if (!crypto_key_equal(key,
                          keeper->options.jobs[sign->job].revoke_public)) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_USAGE,
                            "the key %s is not the certificate's; give the "
                            "key that the certificate was made for", file);
    }
    *pkey = key;
    return APR_SUCCESS;
}

/** The key that signs, and the account's URL where it is named by it.
 *  @param pool  in which a key lives that is needed for this request only */
static apr_status_t pick_key(keeper_t *keeper, const acme_sign_t *sign,
                             const crypto_key_t **pkey, const char **pkid,
                             acme_err_t *err, apr_pool_t *pool)
{
    keeper_account_t *account;
    apr_status_t rv;

    *pkid = NULL;
    if (sign->signer == ACME_SIGN_CERTIFICATE) {
        return revoke_key(keeper, sign, pkey, err, pool);
    }
    rv = keeper_account(keeper, sign->ca, &account, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pkey = account->key;
    /* Before there is an order: nothing of it could be used. */
    if (sign->job >= 0) {
        rv = keeper_csr_check(keeper, sign->job, err, pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    if (sign->signer == ACME_SIGN_ACCOUNT) {
        *pkid = account->url ? account->url
                             : keeper_ca(keeper, sign->ca)->account;
        if (!*pkid) {
            return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                                "there is no account yet to sign for");
        }
    }
    return APR_SUCCESS;
}

apr_status_t keeper_sign(acme_host_t *host, const acme_sign_t *sign,
                         const char **pjws, acme_err_t *err,
                         apr_pool_t *result_pool)
{
    keeper_t *keeper = KEEPER(host);
    const char *ca = keeper_ca(keeper, sign->ca)->url;
    const crypto_key_t *key = NULL;
    json_t *jwk = NULL;
    const char *kid;
    apr_status_t rv;

    if (!base_url_same_origin(ca, sign->url)) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_REFUSED,
                            "refused to sign a request to %s: it is not of "
                            "the CA %s", sign->url, ca);
    }
    rv = pick_key(keeper, sign, &key, &kid, err, result_pool);
    if (rv == APR_SUCCESS && !kid) {
        rv = crypto_jwk(&jwk, key, err, result_pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return acme_jws_make(pjws, sign, crypto_sign_alg(key), kid, jwk,
                         sign_bytes, (void *)key, keeper->options.schemas,
                         err, result_pool);
}
