/*
 * authz.c: authorizations (RFC 8555 7.1.4, 7.5): read them all at once,
 * find out which one failed, give pending ones back (7.5.2).
 */
#include "acme/engine.h"

#include <apr_lib.h>
#include <apr_strings.h>

static acme_authz_t *authz_at(const acme_job_t *job, int i)
{
    return &APR_ARRAY_IDX(job->order->authzs, i, acme_authz_t);
}

int acme_authz_pending(const acme_job_t *job)
{
    int i, count = 0;

    for (i = 0; i < job->order->authzs->nelts; i++) {
        count += authz_at(job, i)->status == ACME_PENDING;
    }
    return count;
}

void acme_authz_all_valid(acme_job_t *job)
{
    int i;

    for (i = 0; i < job->order->authzs->nelts; i++) {
        authz_at(job, i)->status = ACME_VALID;
    }
}

/* --------------------------------------------------------------- reading */

static const char *name_find(const acme_job_t *job, const char *name)
{
    const apr_array_header_t *names = job->order_job->names;
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *ours = APR_ARRAY_IDX(names, i, const char *);

        if (!apr_strnatcasecmp(ours, name)) {
            return ours;
        }
    }
    return NULL;
}

/* Which of our names it is for. RFC 8555 7.1.4: the authorization of a
 * wildcard name bears the name without "*." and "wildcard": true. */
static apr_status_t identify(acme_authz_t *authz, const json_t *message,
                             acme_err_t *err, apr_pool_t *pool)
{
    const acme_job_t *job = authz->job;
    const json_t *identifier = json_object_get(message, "identifier");
    const char *value = json_string_value(json_object_get(identifier,
                                                          "value"));
    const char *name;

    name = json_is_true(json_object_get(message, "wildcard"))
           ? apr_pstrcat(pool, "*.", value, NULL) : value;
    authz->identifier = name_find(job, name);
    if (!authz->identifier) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "the CA's authorization %s is for \"%s\", which "
                            "nobody asked for", authz->url, name);
    }
    return APR_SUCCESS;
}

/* An order that an earlier run made: the CA tells what it was tried by. */
static void type_note(acme_authz_t *authz, const char *type)
{
    const apr_array_header_t *types = authz->job->order_job->challenges;
    int i;

    for (i = 0; type && !authz->type && i < types->nelts; i++) {
        const char *ours = APR_ARRAY_IDX(types, i, const char *);

        if (!strcmp(ours, type)) {
            authz->type = ours;
        }
    }
}

/* Add to the order's why what failed about this authorization: the first
 * failure gives type and identifier, further ones are told as well. */
static void blame(acme_authz_t *authz, const json_t *challenges,
                  apr_pool_t *pool)
{
    acme_order_t *order = authz->job->order;
    const json_t *challenge, *problem = NULL;
    const char *type = NULL, *what;
    acme_err_t one;
    size_t i;

    json_array_foreach(challenges, i, challenge) {
        const json_t *error = json_object_get(challenge, "error");

        if (!problem && json_is_object(error)) {
            problem = error;
            type = json_string_value(json_object_get(challenge, "type"));
        }
    }
    type_note(authz, type);
    what = problem && type
           ? apr_psprintf(pool, "validation of %s by %s failed",
                          authz->identifier, type)
           : apr_psprintf(pool, "validation of %s failed",
                          authz->identifier);
    base_err_clear(&one);
    acme_problem_object(&one, problem, what, authz->identifier, pool);
    if (order->blamed) {
        base_err_append(&order->why, "%s", one.message);
    }
    else if (problem || order->why.status == APR_SUCCESS) {
        order->why = one;
        order->blamed = problem != NULL;
    }
}

static apr_status_t authz_read(acme_authz_t *authz, const json_t *message,
                               acme_err_t *err, apr_pool_t *pool)
{
    const json_t *challenges = json_object_get(message, "challenges");
    const char *expires = json_string_value(json_object_get(message,
                                                            "expires"));

    if (identify(authz, message, err, pool) != APR_SUCCESS) {
        return err->status;
    }
    authz->status = acme_status_parse(json_string_value(
        json_object_get(message, "status")));
    authz->expires = 0;
    if (expires && base_time_parse(&authz->expires, expires)) {
        authz->expires = 0;
    }
    if (authz->status == ACME_INVALID) {
        blame(authz, challenges, pool);
    }
    if (authz->status == ACME_PENDING && !authz->type) {
        return acme_challenge_choose(authz, challenges, err);
    }
    return APR_SUCCESS;
}

/* Ask for all at once; job->pending counts down. */
static void fetch_all(acme_job_t *job, acme_reply_fn *done)
{
    int i;

    job->pending = job->order->authzs->nelts;
    for (i = 0; i < job->order->authzs->nelts; i++) {
        acme_authz_t *authz = authz_at(job, i);
        acme_request_t *request = acme_job_request(
            job, "reading an authorization", done, authz);

        request->url = authz->url;
        request->schema = "acme/authorization";
        acme_request_send(request);
    }
}

/* ------------------------------------------------------- ACME_STATE_AUTHZ */

/* The first one that is neither valid nor pending, or NULL. */
static acme_authz_t *unusable(acme_job_t *job)
{
    int i;

    for (i = 0; i < job->order->authzs->nelts; i++) {
        acme_authz_t *authz = authz_at(job, i);

        if (authz->status != ACME_VALID && authz->status != ACME_PENDING) {
            return authz;
        }
    }
    return NULL;
}

static void all_read(acme_job_t *job)
{
    const acme_authz_t *authz = unusable(job);
    acme_err_t err = job->order->why;

    if (authz) {
        if (acme_order_replace(job)) {
            return;
        }
        base_err_set(&err, APR_EGENERAL, BASE_EXIT_FAILED,
                     "the CA's authorization of %s is %s in a new order",
                     authz->identifier, acme_status_text(authz->status));
        apr_cpystrn(err.identifier, authz->identifier,
                    sizeof(err.identifier));
        acme_job_fail(job, &err);
    }
    else if (acme_authz_pending(job) > 0) {
        acme_job_go(job, ACME_STATE_CHALLENGE);
    }
    else {
        /* Every name was validated before: the order just has to notice. */
        job->order->answered = 1;
        job->order->pause = 0;
        acme_job_go(job, ACME_STATE_VALIDATE);
    }
}

static void one_read(acme_request_t *request)
{
    acme_authz_t *authz = request->baton;
    acme_job_t *job = authz->job;
    acme_err_t *err = &request->err;

    if (err->status == APR_SUCCESS) {
        authz_read(authz, request->message, err, request->pool);
    }
    if (err->status != APR_SUCCESS) {
        acme_job_fail(job, err);
        return;
    }
    if (--job->pending == 0) {
        all_read(job);
    }
}

void acme_authz_step(acme_job_t *job)
{
    if (job->order->authzs->nelts == 0) {
        all_read(job);
        return;
    }
    fetch_all(job, one_read);
}

/* ------------------------------------------------------- ACME_STATE_BLAME */

static void all_blamed(acme_job_t *job)
{
    acme_err_t err = job->order->why;

    base_err_set(&err, APR_EGENERAL, BASE_EXIT_FAILED,
                 "the CA gave the order up and does not say why");
    if (!acme_fallback_try(job, &err)) {
        acme_job_fail(job, &err);
    }
}

/* The order is dead whatever comes: an authorization that cannot be read
 * any more only leaves its reason unknown. */
static void one_blamed(acme_request_t *request)
{
    acme_authz_t *authz = request->baton;
    acme_job_t *job = authz->job;

    if (request->err.status == APR_SUCCESS) {
        authz_read(authz, request->message, &request->err, request->pool);
    }
    if (--job->pending == 0) {
        all_blamed(job);
    }
}

/* An order that failed after finalize has its reason in itself (RFC 8555
 * 7.1.3, "error"); before that it stands in the challenges. */
void acme_authz_blame_step(acme_job_t *job)
{
    acme_order_t *order = job->order;

    if (order->authzs->nelts == 0
        || (order->why.status != APR_SUCCESS && order->finalizes > 0)) {
        all_blamed(job);
        return;
    }
    fetch_all(job, one_blamed);
}

/* -------------------------------------------------- ACME_STATE_DEACTIVATE */

static void all_deactivated(void *baton)
{
    acme_job_t *job = baton;

    if (job->falls_back) {
        acme_fallback_go(job);
    }
    else {
        acme_job_end(job);
    }
}

static void one_deactivated(acme_request_t *request)
{
    acme_job_t *job = request->baton;

    if (--job->pending == 0) {
        all_deactivated(job);
    }
}

static void deactivate(const acme_authz_t *authz)
{
    acme_request_t *request = acme_job_request(
        authz->job, "giving an authorization back", one_deactivated,
        authz->job);
    json_t *message = base_json_own(json_pack("{s:s}", "status",
                                              "deactivated"),
                                    request->pool);

    request->url = authz->url;
    request->once = 1;
    acme_request_json(request, "acme/authorization-update", message);
    acme_request_send(request);
}

/* RFC 8555 7.5.2. What stays pending counts against the account's limits;
 * but the job's result is known, so whatever goes wrong here is let pass. */
void acme_authz_deactivate_step(acme_job_t *job)
{
    int i;

    job->pending = acme_authz_pending(job);
    job->timer.fire = all_deactivated;
    job->timer.baton = job;
    acme_timer_start(job->engine, &job->timer,
                     acme_now(job->engine) + ACME_DEACTIVATE_MAX);
    for (i = 0; i < job->order->authzs->nelts; i++) {
        if (authz_at(job, i)->status == ACME_PENDING) {
            deactivate(authz_at(job, i));
        }
    }
}
