/*
 * challenge.c: challenges (RFC 8555 7.1.5, 7.5.1, 8): choose one for each
 * authorization, have the host present it, tell the CA, take it down.
 *
 * The host is asked for all of an order before the CA is told of any: a CA
 * may validate at once.
 */
#include "acme/engine.h"

#include <apr_strings.h>

/* What a presented challenge outlives its job at most. */
#define GRACE apr_time_from_sec(60)

static acme_authz_t *authz_at(const acme_job_t *job, int i)
{
    return &APR_ARRAY_IDX(job->order->authzs, i, acme_authz_t);
}

/* -------------------------------------------------------------- choosing */

/* Unknown types may look like anything (one has no token); only the fields
 * of the type that is wanted are read. */
static int is_offered(const json_t *challenge, const char *type)
{
    const char *offered = json_string_value(json_object_get(challenge,
                                                            "type"));
    acme_status_t status = acme_status_parse(json_string_value(
        json_object_get(challenge, "status")));

    return offered && !strcmp(offered, type)
           && (status == ACME_PENDING || status == ACME_PROCESSING)
           && json_is_string(json_object_get(challenge, "url"))
           && json_is_string(json_object_get(challenge, "token"));
}

static const json_t *find_type(const json_t *challenges, const char *type)
{
    const json_t *challenge;
    size_t i;

    json_array_foreach(challenges, i, challenge) {
        if (is_offered(challenge, type)) {
            return challenge;
        }
    }
    return NULL;
}

static const char *offer_text(const json_t *challenges, apr_pool_t *pool)
{
    const json_t *challenge;
    const char *text = "";
    size_t i;

    json_array_foreach(challenges, i, challenge) {
        const char *type = json_string_value(json_object_get(challenge,
                                                             "type"));

        text = apr_pstrcat(pool, text, *text ? ", " : "",
                           type ? type : "?", NULL);
    }
    return *text ? text : "nothing";
}

apr_status_t acme_challenge_choose(acme_authz_t *authz,
                                   const json_t *challenges,
                                   acme_err_t *err)
{
    const apr_array_header_t *types = authz->job->order_job->challenges;
    apr_pool_t *pool = authz->job->order->pool;
    const json_t *found = NULL;
    int i;

    for (i = 0; i < types->nelts && !found; i++) {
        authz->type = APR_ARRAY_IDX(types, i, const char *);
        found = acme_fallback_failed(authz->job, authz->type)
                ? NULL : find_type(challenges, authz->type);
    }
    if (!found) {
        authz->type = NULL;
        base_err_set(err, APR_ENOTIMPL, BASE_EXIT_FAILED,
                     "no way to validate %s: the CA offers %s, and this "
                     "server can do or is allowed %s",
                     authz->identifier, offer_text(challenges, pool),
                     types->nelts > 0
                     ? apr_array_pstrcat(pool, types, ' ') : "nothing");
        apr_cpystrn(err->identifier, authz->identifier,
                    sizeof(err->identifier));
        return err->status;
    }
    authz->token = apr_pstrdup(pool, json_string_value(
        json_object_get(found, "token")));
    authz->challenge = apr_pstrdup(pool, json_string_value(
        json_object_get(found, "url")));
    return APR_SUCCESS;
}

/* ------------------------------------------------------------ presenting */

/* Until the job is over, and no longer than the CA would look for it: a
 * killed helper leaves nothing behind for long. */
static apr_time_t put_expires(const acme_authz_t *authz)
{
    acme_engine_t *engine = authz->job->engine;
    apr_time_t until = engine->clock->wall(engine->clock) + GRACE
                       + authz->job->until - acme_now(engine);

    return authz->expires && authz->expires < until ? authz->expires : until;
}

static apr_status_t put_one(acme_authz_t *authz, acme_err_t *err)
{
    acme_job_t *job = authz->job;
    acme_host_t *host = job->engine->host;
    apr_status_t rv;

    authz->put = 1;
    rv = host->challenge_put(host, job->number, authz->type,
                             authz->identifier, authz->token,
                             put_expires(authz), err);
    authz->ready = rv == APR_SUCCESS;
    return rv;
}

/* One that needs time does not keep the others from beginning. */
static apr_status_t put_all(acme_job_t *job, acme_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;
    acme_err_t one;
    int i;

    for (i = 0; i < job->order->authzs->nelts; i++) {
        acme_authz_t *authz = authz_at(job, i);
        apr_status_t status;

        if (authz->status != ACME_PENDING || authz->ready) {
            continue;
        }
        base_err_clear(&one);
        status = put_one(authz, &one);
        if (status != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(status)) {
            *err = one;
            return status;
        }
        rv = status != APR_SUCCESS ? status : rv;
    }
    return rv;
}

void acme_challenge_remove(acme_job_t *job, acme_err_t *err)
{
    acme_host_t *host = job->engine->host;
    int i;

    for (i = 0; i < job->order->authzs->nelts; i++) {
        acme_authz_t *authz = authz_at(job, i);
        acme_err_t one;

        if (!authz->put) {
            continue;
        }
        authz->put = 0;
        authz->ready = 0;
        base_err_clear(&one);
        if (host->challenge_remove(host, job->number, authz->type,
                                   authz->token, &one) != APR_SUCCESS
            && err->status == APR_SUCCESS) {
            *err = one;
        }
    }
}

/* ------------------------------------------------------------- answering */

static void answered(acme_request_t *request)
{
    acme_job_t *job = request->baton;

    if (request->err.status != APR_SUCCESS) {
        acme_job_fail(job, &request->err);
        return;
    }
    if (--job->pending == 0) {
        job->order->answered = 1;
        acme_order_pause_first(job->order, request->response->elapsed);
        acme_job_go(job, ACME_STATE_VALIDATE);
    }
}

/* RFC 8555 7.5.1: "{}" says that the answer is up; "" would only look. */
static void answer(acme_authz_t *authz)
{
    acme_request_t *request = acme_job_request(authz->job,
                                               "answering a challenge",
                                               answered, authz->job);

    request->url = authz->challenge;
    request->schema = "acme/challenge";
    acme_request_json(request, "acme/challenge-response",
                      base_json_own(json_object(), request->pool));
    acme_request_send(request);
}

static void again(void *baton)
{
    acme_challenge_step(baton);
}

void acme_challenge_step(acme_job_t *job)
{
    acme_err_t err;
    apr_status_t rv;
    int i;

    base_err_clear(&err);
    rv = put_all(job, &err);
    if (APR_STATUS_IS_EAGAIN(rv)) {
        job->timer.fire = again;
        job->timer.baton = job;
        acme_timer_start(job->engine, &job->timer,
                         acme_now(job->engine) + ACME_PUT_AGAIN);
        return;
    }
    if (rv != APR_SUCCESS) {
        acme_job_fail_host(job, rv, &err, "presenting the challenge");
        return;
    }
    job->pending = acme_authz_pending(job);
    for (i = 0; i < job->order->authzs->nelts; i++) {
        if (authz_at(job, i)->status == ACME_PENDING) {
            answer(authz_at(job, i));
        }
    }
}
