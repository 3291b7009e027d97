/*
 * revoke.c: revoke a certificate (RFC 8555 7.6), by the account's key or
 * by the certificate's own.
 */
#include "acme/engine.h"

static void revoked(acme_request_t *request)
{
    acme_job_t *job = request->baton;
    acme_err_t *err = &request->err;

    /* What was wanted is so. */
    if (acme_err_is(err, "alreadyRevoked")) {
        base_err_clear(err);
    }
    if (acme_err_is(err, "accountDoesNotExist")) {
        base_err_append(err, "revoke with the certificate's own key instead");
    }
    if (err->status != APR_SUCCESS) {
        acme_job_fail(job, err);
        return;
    }
    acme_job_end(job);
}

void acme_revoke_step(acme_job_t *job)
{
    const acme_revoke_job_t *revoke = job->revoke_job;
    acme_request_t *request = acme_job_request(job,
                                               "revoking the certificate",
                                               revoked, job);
    json_t *message = base_json_own(json_pack("{s:s}", "certificate",
                                              revoke->certificate),
                                    request->pool);

    if (message && revoke->reason != ACME_REASON_NONE) {
        json_object_set_new(message, "reason", json_integer(revoke->reason));
    }
    request->endpoint = "revokeCert";
    request->signer = revoke->by_certificate_key ? ACME_SIGN_CERTIFICATE
                                                 : ACME_SIGN_ACCOUNT;
    acme_request_json(request, "acme/revoke-cert", message);
    acme_request_send(request);
}
