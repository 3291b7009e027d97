/*
 * finalize.c: send the certificate request of a ready order (RFC 8555 7.4).
 */
#include "acme/engine.h"

/* RFC 8555 7.4: "orderNotReady" means that what we know of the order is
 * out of date. Look again and follow; the looks are spaced by the back-off,
 * and after some tries the CA contradicts itself for good. */
static void not_ready(acme_job_t *job, const acme_err_t *err)
{
    acme_order_t *order = job->order;

    if (order->finalizes >= ACME_FINALIZES_MAX) {
        acme_job_fail(job, err);
        return;
    }
    order->pause = order->backoff;
    order->backoff *= 2;
    acme_job_go(job, ACME_STATE_VALIDATE);
}

static void finalized(acme_request_t *request)
{
    acme_job_t *job = request->baton;
    acme_err_t *err = &request->err;

    if (acme_err_is(err, "orderNotReady")) {
        not_ready(job, err);
        return;
    }
    if (err->status == APR_SUCCESS) {
        acme_order_update(job, request->message, err, request->pool);
    }
    if (err->status != APR_SUCCESS) {
        acme_job_fail(job, err);
        return;
    }
    job->order->finalized = 1;
    if (acme_order_save(job, "finalized", err) != APR_SUCCESS) {
        acme_job_fail_host(job, err->status, err, "keeping the order");
        return;
    }
    acme_flow_follow(job, request->response);
}

static void send_csr(acme_job_t *job, acme_request_t *request, const char *csr)
{
    request->url = job->order->finalize;
    request->schema = "acme/order";
    acme_request_json(request, "acme/finalize",
                      base_json_own(json_pack("{s:s}", "csr", csr),
                                    request->pool));
    job->order->finalizes++;
    acme_request_send(request);
}

void acme_finalize_step(acme_job_t *job)
{
    acme_host_t *host = job->engine->host;
    acme_request_t *request;
    const char *csr;
    acme_err_t err;
    apr_status_t rv;

    base_err_clear(&err);
    rv = acme_order_save(job, "finalizing", &err);
    if (rv != APR_SUCCESS) {
        acme_job_fail_host(job, rv, &err, "keeping the order");
        return;
    }
    request = acme_job_request(job, "sending the certificate request",
                               finalized, job);
    rv = host->csr(host, job->number, &csr, &err, request->pool);
    if (rv != APR_SUCCESS) {
        acme_job_fail_host(job, rv, &err, "making the certificate request");
        return;
    }
    send_csr(job, request, csr);
}
