/*
 * directory.c: the directory (RFC 8555 7.1.1), once per CA and run.
 *
 *   NONE ──first job──> BUSY ──> READY <── cached by the caller
 *                         │        │ an endpoint is refused: refreshed once
 *                         └──> FAILED: every job ends with its error
 */
#include "acme/engine.h"

#include <apr_strings.h>

/* Redirects of the directory are followed: CAs moved theirs before. */
#define DIRECTORY_REDIRECTS 5

const char *acme_directory_url(const acme_server_t *server,
                               const char *endpoint)
{
    return json_string_value(json_object_get(server->directory, endpoint));
}

apr_status_t acme_directory_check(const acme_server_t *server,
                                  const json_t *directory, acme_err_t *err)
{
    static const char *const endpoints[] = {
        "newNonce", "newAccount", "newOrder", "revokeCert", NULL
    };
    const char *const *name;
    apr_status_t rv;

    rv = schema_check(schema_find(server->engine->schemas,
                                  "acme/directory"),
                      directory, "the CA's directory", err);
    for (name = endpoints; rv == APR_SUCCESS && *name; name++) {
        const char *url = json_string_value(json_object_get(directory,
                                                            *name));

        if (url) {
            rv = acme_server_url_check(server, url, *name, err);
        }
    }
    return rv;
}

/* Take a fetched directory into use. */
static apr_status_t adopt(acme_server_t *server, acme_request_t *request,
                          acme_err_t *err)
{
    acme_host_t *host = server->engine->host;
    apr_status_t rv;

    /* The directory's origin is what every other URL is held against, so
     * a redirect must not lead away from it. */
    rv = acme_server_url_check(server, request->response->url,
                               "redirected directory", err);
    if (rv == APR_SUCCESS) {
        rv = acme_directory_check(server, request->message, err);
    }
    if (rv != APR_SUCCESS) {
        return base_err_wrap(err, "reading the CA's directory %s",
                             server->ca->url);
    }
    rv = host->directory_save(host, server->number, request->message, err);
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "keeping the CA's directory failed");
    }
    server->directory = base_json_own(json_incref(request->message),
                                      server->pool);
    return APR_SUCCESS;
}

/* First reading: all jobs wait for it. */
static void fetched(acme_request_t *request)
{
    acme_server_t *server = request->server;

    if (request->err.status == APR_SUCCESS) {
        adopt(server, request, &request->err);
    }
    if (request->err.status == APR_SUCCESS) {
        server->directory_state = ACME_SHARED_READY;
    }
    else {
        server->directory_state = ACME_SHARED_FAILED;
        server->directory_err = request->err;
    }
    acme_job_wake(server, ACME_STATE_DIRECTORY);
}

/* A refresh that fails leaves the old directory: the refusal that led to
 * it is the better message. */
static void refreshed(acme_request_t *request)
{
    acme_server_t *server = request->server;

    if (request->err.status == APR_SUCCESS) {
        adopt(server, request, &request->err);
    }
    server->directory_state = ACME_SHARED_READY;
    acme_request_refreshed(server);
    acme_job_wake(server, ACME_STATE_DIRECTORY);
}

static void fetch(acme_server_t *server, acme_job_t *job,
                  acme_reply_fn *done)
{
    acme_request_t *request;

    acme_job_progress(job, "reading the CA's directory");
    server->directory_state = ACME_SHARED_BUSY;
    request = acme_request_make(server, job, NULL,
                                "reading the CA's directory", done, NULL);
    request->method = "GET";
    request->url = server->ca->url;
    request->is_signed = 0;
    request->schema = "acme/directory";
    request->redirects = DIRECTORY_REDIRECTS;
    acme_request_send(request);
}

void acme_directory_refresh(acme_server_t *server, acme_job_t *job)
{
    server->directory_cached = 0;
    fetch(server, job, refreshed);
}

static acme_state_t next_state(const acme_job_t *job)
{
    if (job->kind == ACME_JOB_REVOKE && job->revoke_job->by_certificate_key) {
        return ACME_STATE_REVOKE;
    }
    if (job->kind == ACME_JOB_ACCOUNT && job->server->account) {
        return ACME_STATE_SHOW;
    }
    return ACME_STATE_ACCOUNT;
}

void acme_directory_step(acme_job_t *job)
{
    acme_server_t *server = job->server;

    switch (server->directory_state) {
    case ACME_SHARED_NONE:
        fetch(server, job, fetched);
        return;
    case ACME_SHARED_BUSY:
        return;
    case ACME_SHARED_READY:
        acme_job_go(job, next_state(job));
        return;
    case ACME_SHARED_FAILED:
        acme_job_fail(job, &server->directory_err);
        return;
    }
}
