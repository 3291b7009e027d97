/*
 * request.c: one request to a CA with all its retries (RFC 8555 6.2-6.7).
 *
 *            ┌──────────────── attempt <──────────────┬──────────────┐
 *            │ no nonce           │ submitted         │              │
 *            v                    v                   │              │
 *          NONCE ──a nonce──>   FLIGHT                │              │
 *            │                    │ reply or failure  │              │
 *            │                    v                   │              │
 *            │                 ARRIVED ──badNonce─────┤              │
 *            │                    │ ├─5xx, Retry-After──> ASLEEP ────┤
 *            │                    │ └─old endpoint──> DIRECTORY ─────┘
 *            v                    v                       │
 *          ENDED ─────────────> done() <──────────────────┘
 *
 * done() is only ever called from the timer of the request, so a caller of
 * acme_request_send never sees it before send returns.
 */
#include "acme/engine.h"

#include <apr_strings.h>

#define CONTENT_TYPE "application/jose+json"

static void fire(void *baton);

acme_request_t *acme_request_make(acme_server_t *server, acme_job_t *job,
                                  acme_job_t *owner, const char *what,
                                  acme_reply_fn *done, void *baton)
{
    acme_request_t *request;
    apr_pool_t *pool;

    apr_pool_create(&pool, server->pool);
    request = apr_pcalloc(pool, sizeof(*request));
    apr_pool_create(&request->try_pool, pool);
    request->pool = pool;
    request->server = server;
    request->job = job;
    request->owner = owner;
    request->what = what;
    request->method = "POST";
    request->is_signed = 1;
    request->signer = ACME_SIGN_ACCOUNT;
    request->payload = "";
    request->max = SCHEMA_MESSAGE_MAX;
    request->done = done;
    request->baton = baton;
    request->timer.fire = fire;
    request->timer.baton = request;
    TAILQ_INSERT_TAIL(&server->requests, request, link);
    return request;
}

void acme_request_json(acme_request_t *request, const char *schema,
                       const json_t *message)
{
    char *bytes;

    request->payload = NULL;
    if (schema_message_write(&bytes, request->server->engine->schemas,
                             schema, message, &request->err, request->pool)
        == APR_SUCCESS) {
        request->payload = bytes;
    }
    else {
        base_err_wrap(&request->err, "%s", request->what);
    }
}

/* ---------------------------------------------------------------- ending */

static void later(acme_request_t *request, acme_phase_t phase,
                  apr_time_t due)
{
    request->phase = phase;
    acme_timer_start(request->server->engine, &request->timer, due);
}

/* done() in the next round of the loop. */
static void end_soon(acme_request_t *request)
{
    later(request, ACME_PHASE_ENDED, 0);
}

static void drop(acme_request_t *request)
{
    acme_timer_stop(&request->timer);
    TAILQ_REMOVE(&request->server->requests, request, link);
    apr_pool_destroy(request->pool);
}

/* Out of the list first: done() may end the job, which drops the rest of
 * what the job owns. */
static void end_now(acme_request_t *request)
{
    acme_timer_stop(&request->timer);
    TAILQ_REMOVE(&request->server->requests, request, link);
    if (request->done) {
        request->done(request);
    }
    apr_pool_destroy(request->pool);
}

void acme_request_abandon(acme_server_t *server, const acme_job_t *job)
{
    acme_request_t *request, *next;

    for (request = TAILQ_FIRST(&server->requests); request; request = next) {
        next = TAILQ_NEXT(request, link);
        if (request->owner != job) {
            continue;
        }
        /* The transport writes into the pool of a request in flight, so
         * that one stays until its reply (and nonce) came. */
        if (request->phase == ACME_PHASE_FLIGHT) {
            request->owner = NULL;
            request->done = NULL;
        }
        else {
            drop(request);
        }
    }
}

/* --------------------------------------------------------------- sending */

/* The transport's callback: note what came, act in the loop. */
static void arrived(void *baton, const http_response_t *response,
                    const acme_err_t *err)
{
    acme_request_t *request = baton;

    request->response = response;
    if (!response) {
        request->err = *err;
        base_err_set(&request->err, APR_EGENERAL, BASE_EXIT_BUSY,
                     "no reply from %s", request->url);
    }
    later(request, ACME_PHASE_ARRIVED, 0);
}

static apr_status_t sign(acme_request_t *request, const char **pjws)
{
    acme_host_t *host = request->server->engine->host;
    acme_sign_t to_sign;
    apr_status_t rv;

    to_sign.signer = request->signer;
    to_sign.ca = request->server->number;
    to_sign.job = request->owner ? request->owner->number : -1;
    to_sign.url = request->url;
    to_sign.nonce = request->nonce;
    to_sign.payload = request->payload;
    rv = host->sign(host, &to_sign, pjws, &request->err, request->try_pool);
    request->nonce[0] = '\0';
    if (rv != APR_SUCCESS) {
        base_err_set(&request->err, rv, BASE_EXIT_FAILED,
                     "the request to %s was not signed", request->url);
        base_err_wrap(&request->err, "%s", request->what);
    }
    return rv;
}

static apr_status_t submit(acme_request_t *request, const char *jws)
{
    acme_server_t *server = request->server;
    http_transport_t *transport = server->engine->transport;
    http_request_t http;
    apr_status_t rv;

    memset(&http, 0, sizeof(http));
    http.method = request->method;
    http.url = request->url;
    http.content_type = jws ? CONTENT_TYPE : NULL;
    http.accept = request->accept;
    http.body = jws;
    http.body_len = jws ? strlen(jws) : 0;
    http.max = request->max;
    http.redirects = request->redirects;
    http.roots = server->ca->roots;
    request->job->requests++;
    request->phase = ACME_PHASE_FLIGHT;
    rv = transport->submit(transport, &http, arrived, request,
                           &request->err, request->try_pool);
    if (rv != APR_SUCCESS) {
        base_err_set(&request->err, rv, BASE_EXIT_FAILED,
                     "the request to %s could not be sent", request->url);
        base_err_wrap(&request->err, "%s", request->what);
    }
    return rv;
}

/* Where the request goes. Every URL the CA gave us is checked here, right
 * before it is used, whatever object it came in. */
static apr_status_t target(acme_request_t *request)
{
    if (request->endpoint) {
        request->url = acme_directory_url(request->server,
                                          request->endpoint);
    }
    if (!request->url) {
        return base_err_set(&request->err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s: the CA's directory %s has no %s",
                            request->what, request->server->ca->url,
                            request->endpoint);
    }
    if (acme_server_url_check(request->server, request->url, "URL",
                              &request->err) != APR_SUCCESS) {
        return base_err_wrap(&request->err, "%s", request->what);
    }
    return APR_SUCCESS;
}

static void attempt(acme_request_t *request)
{
    const char *jws = NULL;

    request->response = NULL;
    request->message = NULL;
    apr_pool_clear(request->try_pool);
    base_err_clear(&request->err);
    if (target(request) != APR_SUCCESS) {
        end_soon(request);
        return;
    }
    if (request->is_signed) {
        if (!request->nonce[0]
            && !acme_nonce_take(request->server, request->nonce)) {
            request->phase = ACME_PHASE_NONCE;
            acme_nonce_fetch(request->server, request->job);
            return;
        }
        if (sign(request, &jws) != APR_SUCCESS) {
            end_soon(request);
            return;
        }
    }
    if (submit(request, jws) != APR_SUCCESS) {
        end_soon(request);
    }
}

void acme_request_send(acme_request_t *request)
{
    if (request->payload) {
        attempt(request);
    }
    else {
        end_soon(request);
    }
}

/* ---------------------------------------------------------------- nonces */

/* Requests wait in the order in which they were made. */
static acme_request_t *waiting_first(const acme_server_t *server)
{
    acme_request_t *request;

    TAILQ_FOREACH(request, &server->requests, link) {
        if (request->phase == ACME_PHASE_NONCE) {
            return request;
        }
    }
    return NULL;
}

int acme_request_waiting(const acme_server_t *server)
{
    acme_request_t *request;
    int count = 0;

    TAILQ_FOREACH(request, &server->requests, link) {
        count += request->phase == ACME_PHASE_NONCE;
    }
    return count;
}

void acme_request_nonces(acme_server_t *server)
{
    acme_request_t *request;

    while (server->nonce_count > 0
           && (request = waiting_first(server)) != NULL) {
        attempt(request);
    }
}

void acme_request_starve(acme_server_t *server, const acme_err_t *err)
{
    acme_request_t *request = waiting_first(server);

    request->err = *err;
    end_soon(request);
}

/* --------------------------------------------------------------- judging */

/* Sleep until due, unless the job that pays ends before. Then the trouble
 * itself is the better message than the deadline. */
static void sleep_until(acme_request_t *request, apr_time_t due)
{
    if (due >= request->job->until) {
        end_now(request);
    }
    else {
        later(request, ACME_PHASE_ASLEEP, due);
    }
}

static void back_off(acme_request_t *request)
{
    if (request->once || request->retries >= ACME_RETRIES_MAX) {
        end_now(request);
    }
    else {
        apr_interval_time_t pause = apr_time_from_sec(1 << request->retries);

        request->retries++;
        sleep_until(request, acme_now(request->server->engine) + pause);
    }
}

/* RFC 8555 6.6, RFC 9110 10.2.3. A CA that says "0" is asked again after a
 * second all the same, and ten times at most. */
static void wait_retry_after(acme_request_t *request)
{
    acme_engine_t *engine = request->server->engine;
    apr_interval_time_t pause = request->err.retry_at
                                - engine->clock->wall(engine->clock);

    if (pause < apr_time_from_sec(1)) {
        pause = apr_time_from_sec(1);
    }
    if (request->once || request->waits >= ACME_WAITS_MAX
        || pause > engine->options.retry_after_max) {
        end_now(request);
    }
    else {
        request->waits++;
        sleep_until(request, acme_now(engine) + pause);
    }
}

/* A CA that takes a request and says nothing had all the time there is for
 * one, and then once more on another connection, should the way have been
 * lost. More of it would only keep people waiting: what follows is the next
 * run. */
static int is_silent(acme_request_t *request)
{
    return APR_STATUS_IS_TIMEUP(request->err.status)
           && request->timeouts++ >= ACME_TIMEOUTS_MAX;
}

/* No reply. A CA that never replied in this run is down (or its address
 * wrong): every job learns that at once instead of trying for itself. */
static void trouble(acme_request_t *request)
{
    acme_server_t *server = request->server;
    int passes = request->err.exit == BASE_EXIT_BUSY;

    base_err_wrap(&request->err, "%s", request->what);
    if (!server->contacted
        && server->directory_state == ACME_SHARED_READY) {
        server->directory_state = ACME_SHARED_FAILED;
        server->directory_err = request->err;
    }
    if (server->contacted && passes && !is_silent(request)) {
        back_off(request);
    }
    else {
        end_now(request);
    }
}

/* Could the refusal come from a directory that is out of date? CAs move
 * endpoints, and then answer 404 or complain about the "url" in the JWS. */
static int may_be_outdated(const acme_request_t *request)
{
    int status = request->response->status;

    if (!request->endpoint || status / 100 != 4) {
        return 0;
    }
    return status == 404 || status == 405 || status == 410
           || !request->err.type[0]
           || acme_err_is(&request->err, "malformed")
           || acme_err_is(&request->err, "unauthorized");
}

static void refused_for_good(acme_request_t *request)
{
    acme_server_t *server = request->server;

    if (!may_be_outdated(request)) {
        end_now(request);
    }
    else if (server->directory_cached) {
        request->phase = ACME_PHASE_DIRECTORY;
        acme_directory_refresh(server, request->job);
    }
    else if (server->directory_state == ACME_SHARED_BUSY) {
        request->phase = ACME_PHASE_DIRECTORY;
    }
    else if (strcmp(request->url, acme_directory_url(server,
                                                     request->endpoint))) {
        attempt(request);
    }
    else {
        end_now(request);
    }
}

void acme_request_refreshed(acme_server_t *server)
{
    acme_request_t *request;

    TAILQ_FOREACH(request, &server->requests, link) {
        const char *url;

        if (request->phase != ACME_PHASE_DIRECTORY) {
            continue;
        }
        url = acme_directory_url(server, request->endpoint);
        if (url && strcmp(url, request->url) != 0) {
            attempt(request);
        }
        else {
            end_soon(request);
        }
    }
}

/* RFC 8555 6.5: the nonce of a badNonce error is the one to use. This is
 * no failure: nonces age, and CAs have more than one front end. */
static void again_with_nonce(acme_request_t *request)
{
    const char *nonce = request->response->replay_nonce;

    if (request->bad_nonces++ >= ACME_BAD_NONCES_MAX) {
        end_now(request);
        return;
    }
    if (acme_nonce_valid(nonce)) {
        apr_cpystrn(request->nonce, nonce, sizeof(request->nonce));
    }
    attempt(request);
}

static void keep_nonce(acme_request_t *request)
{
    acme_nonce_keep(request->server, request->response->replay_nonce);
    acme_request_nonces(request->server);
}

static void refuse(acme_request_t *request)
{
    acme_engine_t *engine = request->server->engine;
    acme_react_t react;

    react = acme_problem_reply(&request->err, request->response,
                               engine->schemas, request->what,
                               engine->clock->wall(engine->clock),
                               request->try_pool);
    if (react == ACME_REACT_NONCE && request->is_signed) {
        again_with_nonce(request);
        return;
    }
    keep_nonce(request);
    switch (react) {
    case ACME_REACT_WAIT:
        wait_retry_after(request);
        return;
    case ACME_REACT_RETRY:
        back_off(request);
        return;
    case ACME_REACT_NONCE:
    case ACME_REACT_FAIL:
        refused_for_good(request);
        return;
    }
}

static void accepted(acme_request_t *request)
{
    const http_response_t *response = request->response;

    keep_nonce(request);
    if (request->schema
        && schema_message_read(&request->message,
                               request->server->engine->schemas,
                               request->schema, response->body,
                               response->body_len, &request->err,
                               request->try_pool) != APR_SUCCESS) {
        base_err_wrap(&request->err, "%s from %s", request->what,
                      request->url);
    }
    end_now(request);
}

static void time_reply(acme_job_t *job, const http_response_t *response)
{
    job->replies++;
    job->latency += response->elapsed;
    if (job->slowest < response->elapsed) {
        job->slowest = response->elapsed;
    }
}

static void judge(acme_request_t *request)
{
    int abandoned = !request->done;

    if (!request->response) {
        if (abandoned) {
            drop(request);
        }
        else {
            trouble(request);
        }
        return;
    }
    request->server->contacted = 1;
    if (abandoned) {
        keep_nonce(request);
        drop(request);
        return;
    }
    time_reply(request->job, request->response);
    if (request->response->status / 100 == 2) {
        accepted(request);
    }
    else {
        refuse(request);
    }
}

/* What the timer of a request is for depends on its phase. */
static void fire(void *baton)
{
    acme_request_t *request = baton;

    switch (request->phase) {
    case ACME_PHASE_ARRIVED:
        judge(request);
        return;
    case ACME_PHASE_ASLEEP:
        attempt(request);
        return;
    case ACME_PHASE_ENDED:
    case ACME_PHASE_NEW:
    case ACME_PHASE_NONCE:
    case ACME_PHASE_DIRECTORY:
    case ACME_PHASE_FLIGHT:
        end_now(request);
        return;
    }
}
