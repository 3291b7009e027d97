/*
 * keeper_account.c: the keys of our accounts.
 */
#include "worker/keeper.h"

/** Make the account's key and keep it before any CA hears of it. */
static apr_status_t account_key_make(keeper_t *keeper, const char *ca,
                                     crypto_key_t **pkey, acme_err_t *err,
                                     apr_pool_t *pool)
{
    apr_size_t len;
    char *pem;
    apr_status_t rv;

    /* RFC 8555 6.2: ES256 is what every server has to take. */
    rv = crypto_key_generate(pkey, CRYPTO_P256, err, keeper->pool);
    if (rv == APR_SUCCESS) {
        rv = crypto_key_write(&pem, &len, *pkey, err, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = store_account_key_write(keeper->options.store, ca, pem, len,
                                     err, pool);
    }
    return rv;
}

/** The key of the account at ca. One that is lost is not made again where
 *  the CA knows the account by it: no signature would ever verify. */
static apr_status_t account_key_load(keeper_t *keeper, const acme_ca_t *ca,
                                     crypto_key_t **pkey, acme_err_t *err,
                                     apr_pool_t *pool)
{
    store_t *store = keeper->options.store;
    acme_err_t found = { 0 };
    apr_size_t len;
    char *pem;
    apr_status_t rv;

    rv = store_account_key_read(&pem, &len, store, ca->url, &found, pool);
    if (rv == APR_SUCCESS) {
        return crypto_key_read(pkey, pem, len, err, keeper->pool);
    }
    if (!APR_STATUS_IS_ENOENT(rv)) {
        *err = found;
        return rv;
    }
    if (ca->account) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "%s has no key in the store: restore it, or "
                            "move the account's folder below %s/accounts "
                            "away and a new account is made", ca->account,
                            store_dir(store));
    }
    return account_key_make(keeper, ca->url, pkey, err, pool);
}

apr_status_t keeper_account(keeper_t *keeper, int ca, keeper_account_t **pacct,
                            acme_err_t *err)
{
    keeper_account_t *account = &keeper->accounts[ca];
    const char *url = keeper_ca(keeper, ca)->url;
    crypto_key_t *key = NULL;
    apr_pool_t *pool;
    apr_status_t rv;

    *pacct = account;
    if (account->key) {
        return APR_SUCCESS;
    }
    /* Its text goes, wiped, before the CA is asked for anything. */
    apr_pool_create(&pool, keeper->pool);
    rv = account_key_load(keeper, keeper_ca(keeper, ca), &key, err, pool);
    apr_pool_destroy(pool);
    if (rv == APR_SUCCESS) {
        rv = crypto_jwk_thumbprint(&account->thumbprint, key, err,
                                   keeper->pool);
    }
    if (rv != APR_SUCCESS) {
        return base_err_wrap(err, "the account's key for %s", url);
    }
    account->key = key;
    return APR_SUCCESS;
}
