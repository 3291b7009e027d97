/*
 * keeper_order.c: what an order needs of us: its CSR and the answers to its
 * challenges.
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "worker/keeper.h"

/* Longer than any job lasts; a challenge that is older is forgotten. */
#define CHALLENGE_MAX apr_time_from_sec(24 * 3600)

/* -------------------------------------------------------------------- csr */

/** The key of an order: kept by an earlier run, or made and kept now. */
static apr_status_t order_key(keeper_t *keeper, int job, crypto_key_t **pkey,
                              acme_err_t *err, apr_pool_t *pool)
{
    const keeper_job_t *kj = &keeper->options.jobs[job];
    acme_err_t none = { 0 };
    crypto_key_type_t type;
    apr_size_t len;
    char *pem;
    apr_status_t rv;

    rv = crypto_key_type_parse(&type, kj->key_type);
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "\"%s\" is no key type", kj->key_type);
    }
    if (store_order_key_read(&pem, &len, keeper->options.store, kj->id,
                             &none, pool) == APR_SUCCESS
        && crypto_key_read(pkey, pem, len, &none, pool) == APR_SUCCESS
        && crypto_key_type(*pkey) == type) {
        return APR_SUCCESS;
    }
    rv = crypto_key_generate(pkey, type, err, pool);
    if (rv == APR_SUCCESS) {
        rv = crypto_key_write(&pem, &len, *pkey, err, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = store_order_key_write(keeper->options.store, kj->id, pem, len,
                                   err, pool);
    }
    return rv;
}

/** RFC 8555 11.1: an account's key must never certify a name. */
static apr_status_t refuse_account_key(keeper_t *keeper, int ca,
                                       const crypto_key_t *key,
                                       acme_err_t *err)
{
    keeper_account_t *account;
    apr_status_t rv = keeper_account(keeper, ca, &account, err);

    if (rv == APR_SUCCESS && crypto_key_equal(account->key, key)) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "the CSR is made with the account's key; make "
                            "one with a key of its own (RFC 8555 11.1)");
    }
    return rv;
}

apr_status_t keeper_csr_check(keeper_t *keeper, int job, acme_err_t *err,
                              apr_pool_t *scratch_pool)
{
    const keeper_job_t *kj = &keeper->options.jobs[job];
    apr_array_header_t *names;
    unsigned char *der;
    crypto_key_t *key;
    apr_size_t len;
    apr_status_t rv;

    if (!kj->csr) {
        return APR_SUCCESS;
    }
    rv = crypto_csr_read(&der, &len, &names, &key, kj->csr, kj->csr_len, err,
                         scratch_pool);
    return rv == APR_SUCCESS
           ? refuse_account_key(keeper, keeper_job(keeper, job)->ca, key, err)
           : rv;
}

apr_status_t keeper_csr(acme_host_t *host, int job, const char **pcsr,
                        acme_err_t *err, apr_pool_t *result_pool)
{
    keeper_t *keeper = KEEPER(host);
    const keeper_job_t *kj = &keeper->options.jobs[job];
    const worker_job_t *wj = keeper_job(keeper, job);
    apr_array_header_t *names;
    unsigned char *der;
    crypto_key_t *key;
    apr_size_t len;
    apr_status_t rv;

    if (wj->kind != WORKER_ORDER) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                            "job %d has no CSR", job);
    }
    if (kj->csr) {
        rv = crypto_csr_read(&der, &len, &names, &key, kj->csr, kj->csr_len,
                             err, result_pool);
    }
    else {
        rv = order_key(keeper, job, &key, err, result_pool);
        if (rv == APR_SUCCESS) {
            rv = (kj->must_staple ? crypto_csr_make_must_staple
                                  : crypto_csr_make)
                 (&der, &len, key, wj->order.names, err, result_pool);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = refuse_account_key(keeper, wj->ca, key, err);
    }
    if (rv == APR_SUCCESS) {
        *pcsr = base_b64url_encode(der, len, result_pool);
    }
    return rv;
}

/* ------------------------------------------------------------- challenges */

#define ALPN "tls-alpn-01"

/** The one of texts that is text but for its case, or NULL. */
static const char *find(const apr_array_header_t *texts, const char *text)
{
    int i;

    for (i = 0; i < texts->nelts; i++) {
        const char *ours = APR_ARRAY_IDX(texts, i, const char *);

        if (strcasecmp(ours, text) == 0) {
            return ours;
        }
    }
    return NULL;
}

/** 1 if the plan lets the job answer such a challenge, and we can. */
static int type_allowed(const worker_job_t *wj, const char *type)
{
    return find(wj->order.challenges, type)
           && (strcmp(type, "http-01") == 0 || strcmp(type, ALPN) == 0);
}

/** The time until which a token is served: not for ever, whatever the
 *  worker says. */
static apr_time_t serve_until(const keeper_t *keeper, apr_time_t expires)
{
    base_clock_t *clock = keeper->options.clock;
    apr_time_t limit = clock->wall(clock) + CHALLENGE_MAX;

    return expires < limit ? expires : limit;
}

/** The answer is served: may the CA be told? */
static apr_status_t tell_presented(keeper_t *keeper, int job,
                                   const char *type, const char *identifier,
                                   acme_err_t *err)
{
    const keeper_options_t *options = &keeper->options;

    if (options->presented
        && options->presented(options->baton, job, type, identifier)
           != APR_SUCCESS) {
        return base_err_set(err, APR_EAGAIN, BASE_EXIT_BUSY,
                            "the %s challenge for %s needs more time", type,
                            identifier);
    }
    return APR_SUCCESS;
}

/** Whom a challenge is for: set *pname to our own name for it. */
static apr_status_t check(keeper_t *keeper, int job, const char *type,
                          const char *identifier, const char *token,
                          const char **pname, acme_err_t *err)
{
    const worker_job_t *wj = keeper_job(keeper, job);

    *pname = wj->kind == WORKER_ORDER ? find(wj->order.names, identifier)
                                      : NULL;
    if (!*pname || !type_allowed(wj, type)
        || !live_token_valid(token, strlen(token))) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_REFUSED,
                            "refused to answer a %s challenge for %s: it is "
                            "not part of this order", type, identifier);
    }
    return APR_SUCCESS;
}

apr_status_t keeper_challenge_put(acme_host_t *host, int job,
                                  const char *type,
                                  const char *identifier,
                                  const char *token,
                                  apr_time_t expires, acme_err_t *err)
{
    keeper_t *keeper = KEEPER(host);
    keeper_account_t *account;
    char keyauth[LIVE_KEYAUTH_MAX + 1];
    const char *name;
    apr_status_t rv;

    rv = check(keeper, job, type, identifier, token, &name, err);
    if (rv == APR_SUCCESS) {
        rv = keeper_account(keeper, keeper_job(keeper, job)->ca, &account,
                            err);
    }
    if (rv == APR_SUCCESS) {
        rv = keeper_live_open(keeper, "the challenge", err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* RFC 8555 8.1: token "." thumbprint of the account's key. */
    apr_snprintf(keyauth, sizeof(keyauth), "%s.%s", token,
                 account->thumbprint);
    expires = serve_until(keeper, expires);
    rv = strcmp(type, ALPN) == 0
         ? keeper_alpn_put(keeper, job, name, token, keyauth, expires, err)
         : live_writer_token_put(keeper->live, token, keyauth, expires);
    if (rv != APR_SUCCESS && err->status == APR_SUCCESS) {
        base_err_set(err, rv, BASE_EXIT_FAILED,
                     "cannot put the challenge for %s into the live "
                     "segment %s%s", identifier, keeper->options.live,
                     APR_STATUS_IS_ENOSPC(rv)
                     ? ": its disk is full, or more challenges are "
                       "pending than it has room for" : "");
    }
    return rv == APR_SUCCESS
           ? tell_presented(keeper, job, type, identifier, err) : rv;
}

apr_status_t keeper_challenge_remove(acme_host_t *host, int job,
                                     const char *type,
                                     const char *token,
                                     acme_err_t *err)
{
    keeper_t *keeper = KEEPER(host);
    apr_status_t rv;

    if (!keeper->live || !live_token_valid(token, strlen(token))) {
        return APR_SUCCESS;
    }
    rv = strcmp(type, ALPN) == 0
         ? keeper_alpn_remove(keeper, job, token)
         : live_writer_token_remove(keeper->live, token);
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "cannot remove a challenge from the live segment "
                            "%s; it expires by itself",
                            keeper->options.live);
    }
    return rv;
}
