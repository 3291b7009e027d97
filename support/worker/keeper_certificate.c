/*
 * keeper_certificate.c: check a chain, keep it, tell httpd.
 */
#include <apr_strings.h>

#include "worker/keeper.h"

/** What is remembered of a certificate: schemas/state/certificate.json. */
static json_t *make_meta(keeper_t *keeper, int job,
                         const crypto_cert_info_t *info, apr_pool_t *pool)
{
    const worker_job_t *wj = keeper_job(keeper, job);
    base_clock_t *clock = keeper->options.clock;
    json_t *names = json_array();
    acme_err_t ignored = { 0 };
    json_t *meta;
    int i;

    for (i = 0; i < wj->order.names->nelts; i++) {
        json_array_append_new(names, json_string(
            APR_ARRAY_IDX(wj->order.names, i, const char *)));
    }
    meta = json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s,"
                     " s:s}",
                     "schema", "acme-certificate/1",
                     "name", wj->order.name, "names", names,
                     "key_type", info->key_type,
                     "ca", keeper_ca(keeper, wj->ca)->url,
                     "issuer", info->issuer, "serial", info->serial,
                     "sha256", info->sha256,
                     "not_before", base_time_text(info->not_before, pool),
                     "not_after", base_time_text(info->not_after, pool),
                     "issued", base_time_text(clock->wall(clock), pool));
    json_object_set_new(meta, "must_staple", json_boolean(
        keeper->options.jobs[job].must_staple));
    if (info->ocsp
        && base_url_check_plain(info->ocsp, &ignored) == APR_SUCCESS) {
        json_object_set_new(meta, "ocsp", json_string(info->ocsp));
    }
    return base_json_own(meta, pool);
}

static apr_status_t chain_pem(const char **ptext, const apr_array_header_t *c,
                              acme_err_t *err, apr_pool_t *pool)
{
    const char *text = "";
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 1; rv == APR_SUCCESS && i < c->nelts; i++) {
        char *pem;

        rv = crypto_cert_pem(&pem, APR_ARRAY_IDX(c, i, crypto_cert_t *), err,
                             pool);
        if (rv == APR_SUCCESS) {
            text = apr_pstrcat(pool, text, pem, NULL);
        }
    }
    *ptext = text;
    return rv;
}

/** The key that a job's certificate must fit.
 *  @param pkey_pem  its text where we keep it, else NULL */
static apr_status_t job_key(keeper_t *keeper, int job, crypto_key_t **pkey,
                            const char **pkey_pem, acme_err_t *err,
                            apr_pool_t *pool)
{
    const keeper_job_t *kj = &keeper->options.jobs[job];
    apr_array_header_t *names;
    unsigned char *der;
    apr_size_t len;
    char *pem;
    apr_status_t rv;

    *pkey_pem = NULL;
    if (kj->csr) {
        return crypto_csr_read(&der, &len, &names, pkey, kj->csr,
                               kj->csr_len, err, pool);
    }
    rv = store_order_key_read(&pem, &len, keeper->options.store, kj->id, err,
                              pool);
    if (rv == APR_SUCCESS) {
        rv = crypto_key_read(pkey, pem, len, err, pool);
    }
    if (rv == APR_SUCCESS) {
        *pkey_pem = pem;
    }
    return rv;
}

/** Check a chain against what was asked for. */
static apr_status_t check_chain(keeper_t *keeper, int job, const char *pem,
                                apr_size_t len, apr_array_header_t **pcerts,
                                const char **pkey_pem, acme_err_t *err,
                                apr_pool_t *pool)
{
    base_clock_t *clock = keeper->options.clock;
    crypto_key_t *key = NULL;
    apr_status_t rv;

    rv = job_key(keeper, job, &key, pkey_pem, err, pool);
    if (rv == APR_SUCCESS) {
        rv = crypto_chain_read(pcerts, pem, len, err, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = crypto_chain_check(*pcerts, key,
                                keeper_job(keeper, job)->order.names,
                                clock->wall(clock), err, pool);
    }
    return rv;
}

static apr_status_t save_chain(keeper_t *keeper, int job,
                               apr_array_header_t *certs,
                               const char *key_pem, acme_err_t *err,
                               apr_pool_t *pool)
{
    const crypto_cert_t *leaf = APR_ARRAY_IDX(certs, 0, crypto_cert_t *);
    store_certificate_t kept = { 0 };
    crypto_cert_info_t info;
    char *pem;
    apr_status_t rv;

    rv = crypto_cert_info(&info, leaf, err, pool);
    if (rv == APR_SUCCESS) {
        rv = crypto_cert_pem(&pem, leaf, err, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = chain_pem(&kept.chain, certs, err, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    kept.cert = pem;
    kept.key = key_pem;
    kept.meta = make_meta(keeper, job, &info, pool);
    return store_certificate_write(keeper->options.store,
                                   keeper->options.jobs[job].id, &kept, err,
                                   pool);
}

/** Clients refuse a certificate that must be stapled as long as it is not;
 *  whoever runs the keeper gets a response first, and then publishes. */
static void serve_or_defer(keeper_t *keeper, int job,
                           const crypto_cert_t *leaf, apr_pool_t *pool)
{
    acme_err_t ignored = { 0 };
    crypto_cert_info_t info;

    if (crypto_cert_info(&info, leaf, &ignored, pool) == APR_SUCCESS
        && info.must_staple && info.ocsp) {
        keeper->outcomes[job].deferred = 1;
        return;
    }
    keeper_live_serve(keeper, job, leaf, pool);
}

apr_status_t keeper_certificate_save(acme_host_t *host, int job,
                                     const char *pem, apr_size_t len,
                                     acme_err_t *err)
{
    keeper_t *keeper = KEEPER(host);
    const worker_job_t *wj = keeper_job(keeper, job);
    apr_array_header_t *certs;
    const char *key_pem;
    apr_pool_t *pool;
    apr_status_t rv;

    if (wj->kind != WORKER_ORDER) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                            "job %d orders no certificate", job);
    }
    apr_pool_create(&pool, keeper->pool);
    rv = check_chain(keeper, job, pem, len, &certs, &key_pem, err, pool);
    if (rv != APR_SUCCESS) {
        base_err_wrap(err, "the certificate that %s sent for %s was not kept",
                      keeper_ca(keeper, wj->ca)->url, wj->order.name);
    }
    else if (!keeper->options.jobs[job].dry_run) {
        rv = save_chain(keeper, job, certs, key_pem, err, pool);
        if (rv == APR_SUCCESS && key_pem) {
            serve_or_defer(keeper, job,
                           APR_ARRAY_IDX(certs, 0, crypto_cert_t *), pool);
        }
    }
    apr_pool_destroy(pool);
    return rv;
}
