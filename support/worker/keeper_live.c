/*
 * keeper_live.c: tell the httpd that runs what is new.
 */
#include "worker/keeper.h"

apr_status_t keeper_live_open(keeper_t *keeper, const char *what,
                              acme_err_t *err)
{
    const char *reason = NULL;
    apr_pool_t *pool;
    apr_status_t rv;

    if (keeper->live) {
        return APR_SUCCESS;
    }
    if (!keeper->options.live) {
        return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                            "there is no live segment to tell httpd of %s "
                            "with; start httpd", what);
    }
    apr_pool_create(&pool, keeper->pool);
    rv = live_writer_open(&keeper->live, keeper->options.live, &reason,
                          pool);
    if (rv != APR_SUCCESS) {
        base_err_set(err, rv, BASE_EXIT_FAILED, "httpd cannot be told of %s: "
                     "%s; start httpd with mod_acme loaded", what,
                     reason ? reason : keeper->options.live);
        keeper->live = NULL;
        apr_pool_destroy(pool);
    }
    return rv;
}

/** Why a certificate cannot be put into the live segment. */
static const char *put_fault(apr_status_t rv)
{
    if (rv == APR_NOTFOUND) {
        return "it was started with another configuration";
    }
    if (APR_STATUS_IS_ENOSPC(rv)) {
        return "there is no space left for its live segment";
    }
    if (rv == APR_EINVAL) {
        return "key or chain is too long for its live segment";
    }
    return "its live segment is gone or locked";
}

/** Read what the store has for id now, and put it into the segment. */
static apr_status_t publish(keeper_t *keeper, const char *id,
                            apr_time_t not_after, acme_err_t *err,
                            apr_pool_t *pool)
{
    store_t *store = keeper->options.store;
    unsigned long number = 0;
    apr_size_t len;
    char *chain = NULL;
    char *key = NULL;
    apr_status_t rv = keeper_live_open(keeper, "its certificate", err);

    if (rv == APR_SUCCESS) {
        rv = store_certificate_generation(&number, store, id, err, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = store_certificate_file(&chain, &len, store, id, "fullchain.pem",
                                    err, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = store_certificate_file(&key, &len, store, id, "key.pem", err,
                                    pool);
    }
    if (rv == APR_SUCCESS) {
        rv = live_writer_certificate_put(keeper->live, id, number, chain,
                                         key, not_after);
        if (rv != APR_SUCCESS) {
            base_err_set(err, rv, BASE_EXIT_FAILED, "httpd has to be "
                         "restarted for it: %s", put_fault(rv));
        }
    }
    return rv;
}

void keeper_publish(keeper_t *keeper, int job, apr_pool_t *scratch_pool)
{
    const char *id = keeper->options.jobs[job].id;
    apr_array_header_t *certs;
    acme_err_t err = { 0 };
    apr_size_t len;
    char *pem;
    apr_status_t rv = store_certificate_file(&pem, &len,
                                             keeper->options.store, id,
                                             "cert.pem", &err, scratch_pool);

    if (rv == APR_SUCCESS) {
        rv = crypto_chain_read(&certs, pem, len, &err, scratch_pool);
    }
    if (rv != APR_SUCCESS) {
        base_log(BASE_LOG_INFO, "%s: %s", id, err.message);
        return;
    }
    keeper_live_serve(keeper, job, APR_ARRAY_IDX(certs, 0, crypto_cert_t *),
                      scratch_pool);
}

void keeper_live_serve(keeper_t *keeper, int job, const crypto_cert_t *leaf,
                       apr_pool_t *scratch_pool)
{
    const char *id = keeper->options.jobs[job].id;
    acme_err_t err = { 0 };
    crypto_cert_info_t info;
    apr_status_t rv = crypto_cert_info(&info, leaf, &err, scratch_pool);

    if (rv == APR_SUCCESS) {
        rv = publish(keeper, id, info.not_after, &err, scratch_pool);
    }
    if (rv != APR_SUCCESS) {
        base_log(BASE_LOG_INFO, "%s: %s", id, err.message);
    }
    keeper->outcomes[job].live = rv == APR_SUCCESS;
}
