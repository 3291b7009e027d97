/*
 * fallback.c: when a name cannot be validated by one type of challenge, try
 * the next type that the configuration allows.
 *
 * RFC 8555 7.1.6: one invalid authorization makes its order invalid for
 * ever, so that takes a new order. Each type gets one chance in a job. What
 * has failed is kept with the new order (schemas/state/order.json): a run
 * that takes it up does not begin again with it.
 */
#include "acme/engine.h"

#include <apr_strings.h>

int acme_fallback_failed(const acme_job_t *job, const char *type)
{
    return base_list_has(job->failed, type);
}

static void fail_type(acme_job_t *job, const char *type)
{
    if (!job->failed) {
        job->failed = apr_array_make(job->pool, 2, sizeof(const char *));
    }
    if (!base_list_has(job->failed, type)) {
        APR_ARRAY_PUSH(job->failed, const char *) = type;
    }
}

/* 1 if there is a type that has not failed. */
static int has_chance(const acme_job_t *job)
{
    const apr_array_header_t *types = job->order_job->challenges;
    int i;

    for (i = 0; i < types->nelts; i++) {
        if (!acme_fallback_failed(job, APR_ARRAY_IDX(types, i,
                                                     const char *))) {
            return 1;
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- keeping */

json_t *acme_fallback_state(const acme_job_t *job)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < job->failed->nelts; i++) {
        json_array_append_new(list, json_string(
            APR_ARRAY_IDX(job->failed, i, const char *)));
    }
    return list;
}

/* The configuration may have changed meanwhile: only its types count. */
int acme_fallback_resume(acme_job_t *job, const json_t *state)
{
    const apr_array_header_t *types = job->order_job->challenges;
    const json_t *list = json_object_get(state, "failed"), *one;
    size_t k;
    int i;

    for (i = 0; i < types->nelts; i++) {
        const char *type = APR_ARRAY_IDX(types, i, const char *);

        json_array_foreach(list, k, one) {
            if (!strcmp(json_string_value(one), type)) {
                fail_type(job, type);
            }
        }
    }
    if (has_chance(job)) {
        return 1;
    }
    job->failed = NULL;
    return 0;
}

/* ----------------------------------------------------------------- telling */

/* An order of many names has many reasons: leave room for the next one's. */
#define BEFORE_MAX 900

/* So many bytes of text, and no half a character of UTF-8. */
static int whole(const char *text, int len)
{
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
        len--;
    }
    return len;
}

static void cut(char *text)
{
    if (strlen(text) > BEFORE_MAX) {
        text[whole(text, BEFORE_MAX)] = '\0';
    }
}

void acme_fallback_tell(acme_job_t *job)
{
    acme_err_t last = job->err;

    if (job->before.status == APR_SUCCESS) {
        return;
    }
    job->err = job->before;
    cut(job->err.message);
    base_err_append(&job->err, "then %s", last.message);
    job->err.status = last.status;
    job->err.exit = last.exit;
    job->err.retry_at = last.retry_at;
    if (last.exit == BASE_EXIT_BUSY) {
        apr_cpystrn(job->err.type, last.type, sizeof(job->err.type));
    }
}

/* ------------------------------------------------------------------ trying */

/* The types by which a name could not be validated. @return 0 if that is
 * not known of each invalid authorization */
static int note_failed(acme_job_t *job)
{
    int i, known = 0;

    for (i = 0; i < job->order->authzs->nelts; i++) {
        const acme_authz_t *authz = &APR_ARRAY_IDX(job->order->authzs, i,
                                                   acme_authz_t);

        if (authz->status != ACME_INVALID) {
            continue;
        }
        if (!authz->type) {
            return 0;
        }
        fail_type(job, authz->type);
        known = 1;
    }
    return known;
}

void acme_fallback_go(acme_job_t *job)
{
    acme_timer_stop(&job->timer);
    acme_request_abandon(job->server, job);
    job->falls_back = 0;
    acme_order_drop(job);
    job->resumed = 0;
    acme_job_go(job, ACME_STATE_NEW_ORDER);
}

int acme_fallback_try(acme_job_t *job, const acme_err_t *err)
{
    if (!job->order->blamed || err->exit == BASE_EXIT_BUSY
        || !note_failed(job) || !has_chance(job)) {
        return 0;
    }
    if (job->before.status != APR_SUCCESS) {
        base_err_append(&job->before, "then %s", err->message);
    }
    else {
        job->before = *err;
    }
    acme_job_progress(job, apr_psprintf(job->pool, "%s; trying another type "
                                        "of challenge", err->message));
    if (acme_authz_pending(job) > 0) {
        job->falls_back = 1;
        acme_job_go(job, ACME_STATE_DEACTIVATE);
    }
    else {
        acme_fallback_go(job);
    }
    return 1;
}
