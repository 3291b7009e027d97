/*
 * rig.c: a scripted host.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "rig.h"

#define SCRIPT(h) ((script_t *)(h))

static void note(acme_host_t *host, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void note(acme_host_t *host, const char *fmt, ...)
{
    script_t *script = SCRIPT(host);
    va_list args;

    va_start(args, fmt);
    script->log = apr_pstrcat(script->pool, script->log,
                              apr_pvsprintf(script->pool, fmt, args), "\n",
                              NULL);
    va_end(args);
}

static apr_status_t answer(acme_host_t *host, acme_err_t *err)
{
    script_t *script = SCRIPT(host);

    if (script->fail.status != APR_SUCCESS) {
        *err = script->fail;
    }
    return script->mute ? script->mute : script->fail.status;
}

static const char *text_of(acme_host_t *host, const json_t *json)
{
    return json ? base_json_text(json, SCRIPT(host)->pool) : "NULL";
}

static apr_status_t script_sign(acme_host_t *host, const acme_sign_t *sign,
                                const char **pjws, acme_err_t *err,
                                apr_pool_t *result_pool)
{
    note(host, "sign %d %d %d %s %s %s", (int)sign->signer, sign->ca,
         sign->job, sign->url, sign->nonce, sign->payload);
    *pjws = apr_pstrdup(result_pool, SCRIPT(host)->value);
    return answer(host, err);
}

static apr_status_t script_csr(acme_host_t *host, int job, const char **pcsr,
                               acme_err_t *err, apr_pool_t *result_pool)
{
    note(host, "csr %d", job);
    *pcsr = apr_pstrdup(result_pool, SCRIPT(host)->value);
    return answer(host, err);
}

static apr_status_t script_challenge_put(acme_host_t *host, int job,
                                         const char *type,
                                         const char *identifier,
                                         const char *token,
                                         apr_time_t expires, acme_err_t *err)
{
    note(host, "challenge_put %d %s %s %s %" APR_TIME_T_FMT, job, type,
         identifier, token, expires);
    return answer(host, err);
}

static apr_status_t script_challenge_remove(acme_host_t *host, int job,
                                            const char *type,
                                            const char *token,
                                            acme_err_t *err)
{
    note(host, "challenge_remove %d %s %s", job, type, token);
    return answer(host, err);
}

static apr_status_t script_directory_save(acme_host_t *host, int ca,
                                          const json_t *directory,
                                          acme_err_t *err)
{
    note(host, "directory_save %d %s", ca, text_of(host, directory));
    return answer(host, err);
}

static apr_status_t script_account_save(acme_host_t *host, int ca,
                                        const char *url,
                                        const json_t *account,
                                        acme_err_t *err)
{
    note(host, "account_save %d %s %s", ca, url, text_of(host, account));
    return answer(host, err);
}

static apr_status_t script_order_save(acme_host_t *host, int job,
                                      const json_t *state, acme_err_t *err)
{
    note(host, "order_save %d %s", job, text_of(host, state));
    return answer(host, err);
}

static apr_status_t script_certificate_save(acme_host_t *host, int job,
                                            const char *pem, apr_size_t len,
                                            acme_err_t *err)
{
    note(host, "certificate_save %d %lu %s", job, (unsigned long)len, pem);
    return answer(host, err);
}

static apr_status_t script_staple_save(acme_host_t *host, int job,
                                       const unsigned char *der,
                                       apr_size_t len, acme_err_t *err)
{
    note(host, "staple_save %d %.*s", job, (int)len, (const char *)der);
    return answer(host, err);
}

static void script_progress(acme_host_t *host, int job, const char *step)
{
    note(host, "progress %d %s", job, step);
}

static void script_done(acme_host_t *host, int job,
                        const acme_result_t *result)
{
    script_t *script = SCRIPT(host);

    note(host, "done %d", job);
    if (job < 0 || job >= RIG_JOBS) {
        abort();
    }
    script->done_count[job]++;
    script->results[job] = *result;
    if (script->ended) {
        ++*script->ended;
    }
}

static apr_status_t pool_destroy(void *baton)
{
    apr_pool_destroy(baton);
    return APR_SUCCESS;
}

script_t *rig_script(apr_pool_t *p)
{
    script_t *script = apr_pcalloc(p, sizeof(*script));

    apr_pool_create(&script->pool, NULL);
    apr_pool_cleanup_register(p, script->pool, pool_destroy,
                              apr_pool_cleanup_null);
    script->log = "";
    script->value = "VALUE";
    script->host.sign = script_sign;
    script->host.csr = script_csr;
    script->host.challenge_put = script_challenge_put;
    script->host.challenge_remove = script_challenge_remove;
    script->host.directory_save = script_directory_save;
    script->host.account_save = script_account_save;
    script->host.order_save = script_order_save;
    script->host.certificate_save = script_certificate_save;
    script->host.staple_save = script_staple_save;
    script->host.progress = script_progress;
    script->host.done = script_done;
    return script;
}

static void add_job(worker_plan_t *plan, int i, apr_pool_t *p)
{
    worker_job_t *job = apr_array_push(plan->jobs);

    memset(job, 0, sizeof(*job));
    job->kind = WORKER_ORDER;
    job->order.name = apr_psprintf(p, "n%d.example", i);
    job->order.names = apr_array_make(p, 1, sizeof(const char *));
    APR_ARRAY_PUSH(job->order.names, const char *) = job->order.name;
    job->order.challenges = apr_array_make(p, 1, sizeof(const char *));
    APR_ARRAY_PUSH(job->order.challenges, const char *) = "http-01";
}

worker_plan_t *rig_plan(int cas, int jobs, apr_pool_t *p)
{
    worker_plan_t *plan = apr_pcalloc(p, sizeof(*plan));
    int i;

    plan->cas = apr_array_make(p, 2, sizeof(acme_ca_t));
    plan->jobs = apr_array_make(p, 8, sizeof(worker_job_t));
    plan->user_agent = "unit";
    plan->user = "nobody";
    for (i = 0; i < cas; i++) {
        acme_ca_t *ca = apr_array_push(plan->cas);

        memset(ca, 0, sizeof(*ca));
        ca->url = apr_psprintf(p, "https://ca%d.example/dir", i);
        ca->agreement = 1;
        ca->contact = apr_array_make(p, 1, sizeof(const char *));
    }
    for (i = 0; i < jobs; i++) {
        add_job(plan, i, p);
    }
    return plan;
}
