/*
 * keeper_staple.c: OCSP responses: what is to be asked, what of an answer
 * is kept, and httpd told of it.
 */
#include <string.h>

#include <apr_strings.h>

#include "worker/keeper.h"

/* ------------------------------------------------------------- the question */

/** The certificate that the store has for id now, and its number. */
static apr_status_t kept_read(keeper_job_t *kj, const store_t *store,
                              acme_err_t *err, apr_pool_t *pool)
{
    apr_array_header_t *chain;
    apr_size_t len;
    char *pem;
    apr_status_t rv;

    rv = store_certificate_generation(&kj->generation, store, kj->id, err,
                                      pool);
    if (rv == APR_SUCCESS) {
        rv = store_certificate_file(&pem, &len, store, kj->id,
                                    "fullchain.pem", err, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = crypto_chain_read(&chain, pem, len, err, pool);
    }
    if (rv == APR_SUCCESS) {
        kj->chain = chain;
    }
    return rv;
}

apr_status_t keeper_staple_job(worker_job_t *wj, keeper_job_t *kj,
                               const store_t *store, const char *id,
                               acme_err_t *err, apr_pool_t *result_pool)
{
    const crypto_cert_t *leaf;
    crypto_cert_info_t info;
    unsigned char *der;
    apr_status_t rv;

    memset(wj, 0, sizeof(*wj));
    memset(kj, 0, sizeof(*kj));
    wj->kind = WORKER_OCSP;
    kj->id = id;
    rv = kept_read(kj, store, err, result_pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    leaf = APR_ARRAY_IDX(kj->chain, 0, crypto_cert_t *);
    rv = crypto_cert_info(&info, leaf, err, result_pool);
    if (rv == APR_SUCCESS && (!info.ocsp || kj->chain->nelts < 2)) {
        rv = base_err_set(err, APR_ENOTIMPL, BASE_EXIT_FAILED,
                          "it names no OCSP responder, or its chain lacks "
                          "the issuer");
    }
    /* The one place where http will do: the answer is signed. */
    if (rv == APR_SUCCESS) {
        rv = base_url_check_plain(info.ocsp, err);
    }
    if (rv == APR_SUCCESS) {
        wj->ocsp.url = info.ocsp;
        rv = crypto_ocsp_request(&der, &wj->ocsp.request_len, leaf,
                                 APR_ARRAY_IDX(kj->chain, 1,
                                               crypto_cert_t *), err,
                                 result_pool);
        wj->ocsp.request = (const char *)der;
    }
    return rv;
}

/* --------------------------------------------------------------- the answer */

/** Only "good" is stapled: whoever is told to staple anything else would
 *  lock the clients out that the last good response still lets in. */
static apr_status_t status_check(const crypto_ocsp_t *ocsp, apr_size_t len,
                                 acme_err_t *err, apr_pool_t *pool)
{
    switch (ocsp->status) {
    case CRYPTO_OCSP_GOOD:
        break;
    case CRYPTO_OCSP_REVOKED:
        return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                            "the certificate is revoked since %s (%s), says "
                            "its OCSP responder",
                            base_time_text(ocsp->revoked_at, pool),
                            ocsp->reason);
    case CRYPTO_OCSP_UNKNOWN:
        return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                            "the OCSP responder does not know the "
                            "certificate");
    }
    if (len > LIVE_STAPLE_MAX) {
        return base_err_set(err, APR_ENOSPC, BASE_EXIT_FAILED,
                            "the OCSP response has %" APR_SIZE_T_FMT " bytes, "
                            "and no more than %d are stapled", len,
                            LIVE_STAPLE_MAX);
    }
    return APR_SUCCESS;
}

/** Publish a certificate that waited for its response; just before that is
 *  put, so that neither the old one nor the new one is bare for longer than
 *  a put takes. */
static void certificate_publish(keeper_t *keeper, int job, apr_pool_t *pool)
{
    const keeper_job_t *kj = &keeper->options.jobs[job];
    const keeper_outcome_t *outcome;

    if (!kj->publisher) {
        keeper_publish(keeper, job, pool);
        return;
    }
    outcome = keeper_outcome(kj->publisher, kj->publisher_job);
    if (outcome->deferred && !outcome->live) {
        keeper_publish(kj->publisher, kj->publisher_job, pool);
    }
}

/** Put a response into the live segment. Failing is no fault: httpd reads
 *  the store when it is restarted. */
static void staple_publish(keeper_t *keeper, int job,
                           const unsigned char *der, apr_size_t len,
                           apr_pool_t *pool)
{
    const keeper_job_t *kj = &keeper->options.jobs[job];
    live_staple_t staple;
    acme_err_t err = { 0 };
    apr_status_t rv = keeper_live_open(keeper, "the OCSP response", &err);

    if (rv != APR_SUCCESS) {
        base_log(BASE_LOG_INFO, "%s: %s", kj->id, err.message);
        return;
    }
    memset(&staple, 0, sizeof(staple));
    staple.generation = kj->generation;
    staple.expires = keeper->outcomes[job].ocsp.next_update;
    staple.len = len;
    memcpy(staple.der, der, len);
    if (kj->publish) {
        certificate_publish(keeper, job, pool);
    }
    rv = live_writer_staple_put(keeper->live, kj->id, &staple);
    if (rv == APR_EAGAIN) {
        keeper_publish(keeper, job, pool);
        rv = live_writer_staple_put(keeper->live, kj->id, &staple);
    }
    if (rv != APR_SUCCESS) {
        char text[100];

        base_log(BASE_LOG_INFO, "%s: the httpd that runs cannot be told of "
                 "the OCSP response: %s", kj->id,
                 base_strerror(rv, text, sizeof(text)));
    }
}

apr_status_t keeper_staple_save(acme_host_t *host, int job,
                                const unsigned char *der, apr_size_t len,
                                acme_err_t *err)
{
    keeper_t *keeper = KEEPER(host);
    const keeper_job_t *kj = &keeper->options.jobs[job];
    keeper_outcome_t *outcome = &keeper->outcomes[job];
    base_clock_t *clock = keeper->options.clock;
    apr_pool_t *pool;
    apr_status_t rv;

    if (keeper_job(keeper, job)->kind != WORKER_OCSP) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                            "job %d asks no OCSP responder", job);
    }
    apr_pool_create(&pool, keeper->pool);
    rv = crypto_ocsp_read(&outcome->ocsp, der, len, kj->chain,
                          clock->wall(clock), err);
    if (rv == APR_SUCCESS) {
        outcome->believed = 1;
        rv = status_check(&outcome->ocsp, len, err, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = store_certificate_staple_write(keeper->options.store, kj->id,
                                            (const char *)der, len, err,
                                            pool);
    }
    if (rv == APR_SUCCESS) {
        staple_publish(keeper, job, der, len, pool);
    }
    apr_pool_destroy(pool);
    return rv;
}
