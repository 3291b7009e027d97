/*
 * keeper.c: the host of production. It holds the keys and the store, and
 * decides again whatever the engine asks for:
 *
 *   keeper_account.c      the account's key is ours; one that is lost is
 *                         not replaced behind the CA's back
 *   keeper_sign.c         only URLs of the CA's own origin; the account's
 *                         own name (kid) is ours, not the caller's
 *   keeper_order.c        only the names of the plan, a key of our own, only
 *                         tokens of their alphabet and not for ever
 *   keeper_save.c         only what has its shape
 *   keeper_certificate.c  only a chain that fits key, names and dates
 *   keeper_staple.c       only an OCSP response that clients will believe
 *   keeper_live.c         tells the httpd that runs what is new
 */
#include <apr_strings.h>

#include "worker/keeper.h"

const acme_ca_t *keeper_ca(const keeper_t *keeper, int ca)
{
    return &APR_ARRAY_IDX(keeper->options.plan->cas, ca, acme_ca_t);
}

const worker_job_t *keeper_job(const keeper_t *keeper, int job)
{
    return &APR_ARRAY_IDX(keeper->options.plan->jobs, job, worker_job_t);
}

void keeper_url_keep(keeper_t *keeper, char **pkept, const char *url)
{
    if (!*pkept) {
        *pkept = apr_palloc(keeper->pool, KEEPER_URL_SIZE);
    }
    apr_cpystrn(*pkept, url ? url : "", KEEPER_URL_SIZE);
}

static void keeper_progress(acme_host_t *host, int job, const char *step)
{
    keeper_t *keeper = KEEPER(host);

    if (keeper->options.progress) {
        keeper->options.progress(keeper->options.baton, job, step);
    }
}

static void keeper_done(acme_host_t *host, int job,
                        const acme_result_t *result)
{
    keeper_t *keeper = KEEPER(host);

    keeper->outcomes[job].done = 1;
    keeper->outcomes[job].result = *result;
    if (keeper->options.ended) {
        keeper->options.ended(keeper->options.baton, job);
    }
}

const keeper_outcome_t *keeper_outcome(const keeper_t *keeper, int job)
{
    return &keeper->outcomes[job];
}

acme_host_t *keeper_host(keeper_t *keeper)
{
    return &keeper->host;
}

keeper_t *keeper_make(const keeper_options_t *options,
                      apr_pool_t *result_pool)
{
    keeper_t *keeper = apr_pcalloc(result_pool, sizeof(*keeper));
    int cas = options->plan->cas->nelts;
    int jobs = options->plan->jobs->nelts;

    keeper->options = *options;
    keeper->pool = result_pool;
    keeper->accounts = apr_pcalloc(result_pool, (apr_size_t)(cas + 1)
                                                * sizeof(keeper_account_t));
    keeper->outcomes = apr_pcalloc(result_pool, (apr_size_t)(jobs + 1)
                                                * sizeof(keeper_outcome_t));
    keeper->order_urls = apr_pcalloc(result_pool, (apr_size_t)(jobs + 1)
                                                  * sizeof(char *));
    keeper->host.sign = keeper_sign;
    keeper->host.csr = keeper_csr;
    keeper->host.challenge_put = keeper_challenge_put;
    keeper->host.challenge_remove = keeper_challenge_remove;
    keeper->host.directory_save = keeper_directory_save;
    keeper->host.account_save = keeper_account_save;
    keeper->host.order_save = keeper_order_save;
    keeper->host.certificate_save = keeper_certificate_save;
    keeper->host.staple_save = keeper_staple_save;
    keeper->host.progress = keeper_progress;
    keeper->host.done = keeper_done;
    return keeper;
}
