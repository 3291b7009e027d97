/*
 * ocsp.c: the net worker asks OCSP responders. They are no CA: no account,
 * no nonce, nothing to sign; one request each, and the keeper judges what
 * came. All are asked at once, each with its own deadline.
 */
#include <string.h>

#include <apr_strings.h>

#include "worker/frame.h"

/* A handshake of a new certificate may wait for this. */
#define CONNECT_MAX apr_time_from_sec(4)
#define REPLY_MAX apr_time_from_sec(8)

/* Under way at the same time. */
#define PARALLEL 100

#define WAKE apr_time_from_sec(1)

typedef struct asking_t asking_t;

/** One request. */
typedef struct question_t {
    asking_t *asking;
    int job;
    apr_time_t began;            /**< mono */
    apr_pool_t *pool;            /**< of its reply */
} question_t;

/** All of a run. */
struct asking_t {
    const worker_plan_t *plan;
    acme_host_t *host;
    http_transport_t *transport;
    base_clock_t *clock;
    int under_way;
    apr_pool_t *pool;
};

static const worker_ocsp_job_t *ocsp_job(const asking_t *asking, int job)
{
    return &APR_ARRAY_IDX(asking->plan->jobs, job, worker_job_t).ocsp;
}

/** Report how a question ended. */
static void question_end(question_t *question, const acme_err_t *err)
{
    asking_t *asking = question->asking;
    acme_result_t result;

    memset(&result, 0, sizeof(result));
    result.err = *err;
    result.requests = 1;
    result.elapsed = asking->clock->mono(asking->clock) - question->began;
    asking->under_way--;
    apr_pool_destroy(question->pool);
    asking->host->done(asking->host, question->job, &result);
}

/** Why a reply is no answer; RFC 6960 A.2. */
static apr_status_t reply_check(const http_response_t *response,
                                apr_time_t now, acme_err_t *err)
{
    apr_time_t at;

    if (response->status == 200) {
        return APR_SUCCESS;
    }
    base_err_set(err, APR_EGENERAL, BASE_EXIT_BUSY,
                 "the OCSP responder %s answered with status %d",
                 response->url, response->status);
    if (response->retry_after
        && base_retry_after(&at, response->retry_after, now)
           == APR_SUCCESS) {
        err->retry_at = at;
    }
    return err->status;
}

static void answered(void *baton, const http_response_t *response,
                     const acme_err_t *failure)
{
    question_t *question = baton;
    asking_t *asking = question->asking;
    acme_err_t err = *failure;

    if (response
        && reply_check(response, asking->clock->wall(asking->clock), &err)
           == APR_SUCCESS) {
        asking->host->staple_save(asking->host, question->job,
                                  (const unsigned char *)response->body,
                                  response->body_len, &err);
    }
    question_end(question, &err);
}

/** RFC 6960 A.1.1: by POST, which is never too long. */
static void ask(asking_t *asking, int job)
{
    const worker_ocsp_job_t *ocsp = ocsp_job(asking, job);
    question_t *question = apr_pcalloc(asking->pool, sizeof(*question));
    http_request_t request;
    acme_err_t err = { 0 };

    memset(&request, 0, sizeof(request));
    request.method = "POST";
    request.url = ocsp->url;
    request.content_type = "application/ocsp-request";
    request.accept = "application/ocsp-response";
    request.body = ocsp->request;
    request.body_len = ocsp->request_len;
    request.max = CRYPTO_OCSP_MAX;
    question->asking = asking;
    question->job = job;
    question->began = asking->clock->mono(asking->clock);
    apr_pool_create(&question->pool, asking->pool);
    asking->under_way++;
    if (asking->transport->submit(asking->transport, &request, answered,
                                  question, &err, question->pool)
        != APR_SUCCESS) {
        question_end(question, &err);
    }
}

apr_status_t ocsp_ask(const worker_plan_t *plan, http_transport_t *transport,
                      acme_host_t *host, base_clock_t *clock,
                      acme_err_t *err, apr_pool_t *pool)
{
    asking_t asking = { plan, host, transport, clock, 0, pool };
    apr_status_t rv = APR_SUCCESS;
    int next = 0;

    while (rv == APR_SUCCESS
           && (next < plan->jobs->nelts || asking.under_way > 0)) {
        while (next < plan->jobs->nelts && asking.under_way < PARALLEL) {
            ask(&asking, next++);
        }
        if (asking.under_way > 0) {
            rv = transport->wait(transport, clock->mono(clock) + WAKE, err);
        }
    }
    return rv;
}

int ocsp_plan_is(const worker_plan_t *plan)
{
    return plan->jobs->nelts > 0
        && APR_ARRAY_IDX(plan->jobs, 0, worker_job_t).kind == WORKER_OCSP;
}

apr_status_t ocsp_run(const worker_plan_t *plan, acme_host_t *host,
                      acme_err_t *err, apr_pool_t *pool)
{
    base_clock_t *clock = base_clock_system();
    http_options_t options = { 0 };
    http_transport_t *transport;
    apr_status_t rv;

    options.user_agent = plan->user_agent;
    options.responder = 1;
    options.connect_timeout = CONNECT_MAX;
    options.total_timeout = REPLY_MAX;
    rv = http_curl_make(&transport, &options, clock, err, pool);
    return rv == APR_SUCCESS
        ? ocsp_ask(plan, transport, host, clock, err, pool) : rv;
}
