/*
 * certificate.c: download the chain (RFC 8555 7.4.2) and hand it to the
 * host, which decides whether it is any good.
 */
#include "acme/engine.h"

static void downloaded(acme_request_t *request)
{
    acme_job_t *job = request->baton;
    acme_host_t *host = job->engine->host;
    acme_err_t err = request->err;
    apr_status_t rv;

    if (err.status != APR_SUCCESS) {
        acme_job_fail(job, &err);
        return;
    }
    rv = host->certificate_save(host, job->number, request->response->body,
                                request->response->body_len, &err);
    if (rv == APR_EINVAL) {
        /* A chain that does not fit never will: the order is of no use. */
        base_err_set(&err, rv, BASE_EXIT_FAILED,
                     "the CA's certificate was not accepted");
        acme_job_fail(job, &err);
    }
    else if (rv != APR_SUCCESS) {
        acme_job_fail_host(job, rv, &err, "keeping the certificate");
    }
    else {
        acme_job_end(job);
    }
}

void acme_certificate_step(acme_job_t *job)
{
    acme_request_t *request = acme_job_request(job,
                                               "fetching the certificate",
                                               downloaded, job);

    request->url = job->order->certificate;
    request->accept = "application/pem-certificate-chain";
    request->max = ACME_CHAIN_MAX;
    acme_request_send(request);
}
