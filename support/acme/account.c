/*
 * account.c: our account at a CA (RFC 8555 7.3), once per CA and run.
 *
 *   NONE ──first job──> BUSY ──> READY <── known to the caller
 *    ^                    │        │
 *    │                    v        │ accountDoesNotExist, once per run
 *    │                  FAILED     │
 *    └─────────────────────────────┘
 *
 * account_serial counts the accounts of a run, so that of many jobs that
 * learn of a loss at the same time only the first registers again.
 */
#include "acme/engine.h"

#include <apr_strings.h>

static const json_t *meta(const acme_server_t *server, const char *name)
{
    return json_object_get(json_object_get(server->directory, "meta"), name);
}

/* What must be settled by a person is said before the CA is asked. */
static apr_status_t may_register(const acme_server_t *server,
                                 acme_err_t *err)
{
    const char *terms = json_string_value(meta(server, "termsOfService"));

    if (terms && !server->ca->agreement) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                            "no account at %s: its terms of service %s must "
                            "be agreed to; read them and set "
                            "\"ACMEAgreement accepted\"",
                            server->ca->url, terms);
    }
    if (json_is_true(meta(server, "externalAccountRequired"))) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_REFUSED,
                            "no account at %s: it takes only accounts that "
                            "are bound to one of its customers (external "
                            "account binding), which is not supported; use "
                            "another ACMECertificateAuthority",
                            server->ca->url);
    }
    return APR_SUCCESS;
}

static json_t *new_account(const acme_server_t *server, apr_pool_t *pool)
{
    json_t *message = base_json_own(json_object(), pool);
    json_t *contacts;
    int i;

    if (server->ca->agreement) {
        json_object_set_new(message, "termsOfServiceAgreed", json_true());
    }
    if (server->ca->contact && server->ca->contact->nelts > 0) {
        contacts = json_array();
        for (i = 0; i < server->ca->contact->nelts; i++) {
            json_array_append_new(contacts, json_string(
                APR_ARRAY_IDX(server->ca->contact, i, const char *)));
        }
        json_object_set_new(message, "contact", contacts);
    }
    return message;
}

/* RFC 8555 7.1.2: only a valid account may order. */
static apr_status_t usable(const json_t *account, const char *url,
                           acme_err_t *err)
{
    const char *status = json_string_value(json_object_get(account,
                                                           "status"));

    if (acme_status_parse(status) != ACME_VALID) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_REFUSED,
                            "the account %s is %s at the CA; register a new "
                            "one with a new key", url, status);
    }
    return APR_SUCCESS;
}

static apr_status_t save(acme_server_t *server, const char *url,
                         const json_t *account, acme_err_t *err)
{
    acme_host_t *host = server->engine->host;
    apr_status_t rv = host->account_save(host, server->number, url, account,
                                         err);

    if (rv != APR_SUCCESS) {
        base_err_set(err, rv, BASE_EXIT_FAILED,
                     "keeping the account %s failed", url);
    }
    return rv;
}

/* RFC 8555 7.3: 201 for a new account, 200 for one this key already has;
 * in both cases Location is its URL and from now on the "kid". */
static apr_status_t adopt(acme_server_t *server, acme_request_t *request,
                          acme_err_t *err)
{
    const char *location = request->response->location;
    const char *url = NULL;
    apr_status_t rv;

    if (location) {
        url = base_url_resolve(request->url, location, server->pool);
    }
    if (!url) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "making the account: the CA's reply from %s has "
                            "no Location header", request->url);
    }
    rv = acme_server_url_check(server, url, "account URL", err);
    if (rv == APR_SUCCESS) {
        rv = usable(request->message, url, err);
    }
    if (rv == APR_SUCCESS) {
        rv = save(server, url, request->message, err);
    }
    if (rv == APR_SUCCESS) {
        server->account = url;
        server->account_serial++;
    }
    return rv;
}

static void settle(acme_server_t *server, const acme_err_t *err)
{
    if (err->status == APR_SUCCESS) {
        server->account_state = ACME_SHARED_READY;
    }
    else {
        server->account_state = ACME_SHARED_FAILED;
        server->account_err = *err;
    }
    acme_job_wake(server, ACME_STATE_ACCOUNT);
}

static void registered(acme_request_t *request)
{
    if (request->err.status == APR_SUCCESS) {
        adopt(request->server, request, &request->err);
    }
    settle(request->server, &request->err);
}

static void register_account(acme_server_t *server, acme_job_t *job)
{
    acme_request_t *request;
    acme_err_t err;

    base_err_clear(&err);
    if (may_register(server, &err) != APR_SUCCESS) {
        settle(server, &err);
        return;
    }
    acme_job_progress(job, "making the account");
    server->account_state = ACME_SHARED_BUSY;
    request = acme_request_make(server, job, NULL, "making the account",
                                registered, NULL);
    request->endpoint = "newAccount";
    request->signer = ACME_SIGN_NEW_ACCOUNT;
    request->schema = "acme/account";
    acme_request_json(request, "acme/new-account",
                      new_account(server, request->pool));
    acme_request_send(request);
}

static void account_ready(acme_job_t *job)
{
    job->account_serial = job->server->account_serial;
    switch (job->kind) {
    case ACME_JOB_ORDER:
        acme_job_go(job, job->order_job->resume && !job->renewed
                         ? ACME_STATE_RESUME : ACME_STATE_NEW_ORDER);
        return;
    case ACME_JOB_ACCOUNT:
        acme_job_end(job);
        return;
    case ACME_JOB_REVOKE:
        acme_job_go(job, ACME_STATE_REVOKE);
        return;
    }
}

void acme_account_step(acme_job_t *job)
{
    acme_server_t *server = job->server;

    switch (server->account_state) {
    case ACME_SHARED_NONE:
        register_account(server, job);
        return;
    case ACME_SHARED_BUSY:
        return;
    case ACME_SHARED_READY:
        account_ready(job);
        return;
    case ACME_SHARED_FAILED:
        acme_job_fail(job, &server->account_err);
        return;
    }
}

/* A revocation is never worth a new account: it could not revoke what the
 * old one issued. */
int acme_account_lost(acme_job_t *job)
{
    acme_server_t *server = job->server;

    if (job->kind == ACME_JOB_REVOKE) {
        return 0;
    }
    if (job->account_serial != server->account_serial) {
        return 1;
    }
    if (server->account_state != ACME_SHARED_READY) {
        return server->account_state != ACME_SHARED_FAILED;
    }
    if (server->account_lost) {
        return 0;
    }
    server->account_lost = 1;
    server->account_state = ACME_SHARED_NONE;
    return 1;
}

/* ------------------------------------------------------------------- show */

static void shown(acme_request_t *request)
{
    acme_job_t *job = request->baton;
    acme_err_t *err = &request->err;

    if (err->status == APR_SUCCESS) {
        save(job->server, request->url, request->message, err);
    }
    if (err->status == APR_SUCCESS) {
        usable(request->message, request->url, err);
    }
    if (err->status != APR_SUCCESS) {
        acme_job_fail(job, err);
        return;
    }
    acme_job_end(job);
}

/* RFC 8555 7.3: POST-as-GET; 7.1.2 for the object. */
void acme_account_show_step(acme_job_t *job)
{
    acme_request_t *request = acme_job_request(job, "reading the account",
                                               shown, job);

    job->account_serial = job->server->account_serial;
    request->url = job->server->account;
    request->schema = "acme/account";
    acme_request_send(request);
}
