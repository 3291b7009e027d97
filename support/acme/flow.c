/*
 * flow.c: the states of a job and what drives it from one to the next.
 *
 *   QUEUED ─> DIRECTORY ─┬─> ACCOUNT ─┬─> (account job) ───────────> DONE
 *                        │            ├─> REVOKE ──────────────────> DONE
 *                        ├─> SHOW ────┼────────────────────────────> DONE
 *                        └─> REVOKE   │   (by the certificate's key)
 *             ┌───────────────────────┤
 *             v                       v
 *          RESUME ──no use any more─> NEW_ORDER
 *             └───────────┬───────────┘
 *                         v
 *     the order's status (RFC 8555 7.1.6) says where to go, here and
 *     after every look at it:
 *
 *     pending ─────> AUTHZ ─> CHALLENGE ─> VALIDATE ─┐ look again until
 *                                             ^──────┘ it is not pending
 *     ready ───────> FINALIZE
 *     processing ──> ISSUE ──┐ look again until
 *                      ^─────┘ it is valid or invalid
 *     valid ───────> CERTIFICATE ─> DONE
 *     invalid ─────> BLAME ─┬─> failure
 *                           └─> a validation failed and another type of
 *                               challenge is left: (DEACTIVATE) NEW_ORDER
 *
 *   failure ─> (order dead, authorizations pending) DEACTIVATE ─> DONE
 *           └─> DONE: challenges are down, done() is called
 *
 * accountDoesNotExist leads from anywhere back to ACCOUNT, once.
 */
#include "acme/engine.h"

#include <apr_strings.h>

typedef void step_fn(acme_job_t *job);

/* What is done on entering a state, and how people call it. */
static const struct {
    const char *name;         /* NULL: has none */
    step_fn *step;
} flow[] = {
    [ACME_STATE_QUEUED] = { NULL, NULL },
    [ACME_STATE_DIRECTORY] = { "reading the CA's directory",
                               acme_directory_step },
    [ACME_STATE_ACCOUNT] = { "getting the account", acme_account_step },
    [ACME_STATE_SHOW] = { "reading the account", acme_account_show_step },
    [ACME_STATE_RESUME] = { "taking an earlier order up again",
                            acme_order_resume_step },
    [ACME_STATE_NEW_ORDER] = { "ordering", acme_order_new_step },
    [ACME_STATE_AUTHZ] = { "reading the authorizations", acme_authz_step },
    [ACME_STATE_CHALLENGE] = { "answering the challenges",
                               acme_challenge_step },
    [ACME_STATE_VALIDATE] = { "waiting for validation",
                              acme_order_wait_step },
    [ACME_STATE_FINALIZE] = { "sending the certificate request",
                              acme_finalize_step },
    [ACME_STATE_ISSUE] = { "waiting for the certificate",
                           acme_order_wait_step },
    [ACME_STATE_CERTIFICATE] = { "fetching the certificate",
                                 acme_certificate_step },
    [ACME_STATE_BLAME] = { "asking why the order failed",
                           acme_authz_blame_step },
    [ACME_STATE_REVOKE] = { "revoking", acme_revoke_step },
    [ACME_STATE_DEACTIVATE] = { "giving authorizations back",
                                acme_authz_deactivate_step },
    [ACME_STATE_DONE] = { NULL, NULL }
};

/* ------------------------------------------------------------------- going */

void acme_job_progress(acme_job_t *job, const char *step)
{
    job->engine->host->progress(job->engine->host, job->number, step);
}

/* Most jobs only pass through what the jobs of a server share; who really
 * asks for it tells so himself. */
static int is_shared(acme_state_t state)
{
    return state == ACME_STATE_DIRECTORY || state == ACME_STATE_ACCOUNT;
}

void acme_job_go(acme_job_t *job, acme_state_t state)
{
    if (state != job->state && !is_shared(state)) {
        acme_job_progress(job, flow[state].name);
    }
    job->state = state;
    flow[state].step(job);
}

void acme_job_wake(acme_server_t *server, acme_state_t state)
{
    const apr_array_header_t *jobs = server->engine->jobs;
    int i;

    for (i = 0; i < jobs->nelts; i++) {
        acme_job_t *job = APR_ARRAY_IDX(jobs, i, acme_job_t *);

        if (job->server == server && job->state == state) {
            flow[state].step(job);
        }
    }
}

acme_request_t *acme_job_request(acme_job_t *job, const char *what,
                                 acme_reply_fn *done, void *baton)
{
    return acme_request_make(job->server, job, job, what, done, baton);
}

/* Where an order of this status goes from here. The CA may show an older
 * status than we know of (it answers from a copy that lags): before the
 * challenges are answered, or once finalize was accepted, an earlier status
 * only means to look again. */
static acme_state_t state_of(const acme_order_t *order)
{
    switch (order->status) {
    case ACME_PENDING:
        if (order->finalized) {
            return ACME_STATE_ISSUE;
        }
        return order->answered ? ACME_STATE_VALIDATE : ACME_STATE_AUTHZ;
    case ACME_READY:
        return order->finalized ? ACME_STATE_ISSUE : ACME_STATE_FINALIZE;
    case ACME_PROCESSING:
        return ACME_STATE_ISSUE;
    case ACME_VALID:
        return order->certificate ? ACME_STATE_CERTIFICATE
                                  : ACME_STATE_ISSUE;
    case ACME_INVALID:
    case ACME_DEACTIVATED:
    case ACME_EXPIRED:
    case ACME_REVOKED:
    case ACME_STATUS_UNKNOWN:
        return ACME_STATE_BLAME;
    }
    return ACME_STATE_BLAME;
}

void acme_flow_follow(acme_job_t *job, const http_response_t *reply)
{
    acme_order_t *order = job->order;
    acme_state_t state = state_of(order);
    acme_err_t err;

    if (state == ACME_STATE_VALIDATE || state == ACME_STATE_ISSUE) {
        base_err_clear(&err);
        if (job->state == ACME_STATE_FINALIZE) {
            acme_order_pause_first(order, reply->elapsed);
        }
        else if (acme_order_pause_next(job, reply, &err) != APR_SUCCESS) {
            acme_job_fail(job, &err);
            return;
        }
    }
    acme_job_go(job, state);
}

/* ------------------------------------------------------------ start and end */

/* "Every wait has a deadline": this one covers all of a job's. The order
 * lives on: the CA may only be slow. */
static void overdue(void *baton)
{
    acme_job_t *job = baton;
    acme_err_t err;

    base_err_clear(&err);
    base_err_set(&err, APR_TIMEUP, BASE_EXIT_BUSY,
                 "%s: not done within %d s; try again later%s",
                 flow[job->state].name,
                 (int)apr_time_sec(job->engine->options.order_deadline),
                 job->order ? ", the same order is then taken up" : "");
    acme_job_fail(job, &err);
}

void acme_job_start(acme_job_t *job)
{
    acme_engine_t *engine = job->engine;

    apr_pool_create(&job->pool, engine->pool);
    job->server->active++;
    job->started = acme_now(engine);
    job->until = job->started + engine->options.order_deadline;
    job->deadline.fire = overdue;
    job->deadline.baton = job;
    acme_timer_start(engine, &job->deadline, job->until);
    acme_job_go(job, ACME_STATE_DIRECTORY);
}

/* An order outlives trouble that passes and trouble on our side; a refusal
 * or a failed validation kills it. */
static int order_is_dead(const acme_job_t *job)
{
    return job->order && !job->keep && job->err.exit != BASE_EXIT_BUSY;
}

/* Forgetting the order is the last thing that can fail. After a failure it
 * is told behind the first error; after a success it only means that the
 * next run finds the same certificate again. */
static void clean_up(acme_job_t *job)
{
    acme_host_t *host = job->engine->host;
    acme_err_t one;

    if (!job->order) {
        return;
    }
    base_err_clear(&one);
    acme_challenge_remove(job, &one);
    if (job->err.status == APR_SUCCESS || order_is_dead(job)) {
        host->order_save(host, job->number, NULL, &one);
    }
    if (one.status == APR_SUCCESS) {
        return;
    }
    if (job->err.status != APR_SUCCESS) {
        base_err_append(&job->err, "%s", one.message);
    }
    else {
        acme_job_progress(job, one.message);
    }
}

static void tell(acme_job_t *job)
{
    acme_host_t *host = job->engine->host;
    acme_result_t result;

    result.err = job->err;
    result.requests = job->requests;
    result.elapsed = acme_now(job->engine) - job->started;
    result.replies = job->replies;
    result.latency = job->latency;
    result.slowest = job->slowest;
    host->done(host, job->number, &result);
}

void acme_job_end(acme_job_t *job)
{
    int was_started = job->state != ACME_STATE_QUEUED;

    acme_timer_stop(&job->timer);
    acme_timer_stop(&job->deadline);
    acme_request_abandon(job->server, job);
    if (was_started) {
        clean_up(job);
        job->server->active--;
        apr_pool_destroy(job->pool);
        job->order = NULL;
    }
    job->state = ACME_STATE_DONE;
    job->engine->unfinished--;
    tell(job);
}

/* ----------------------------------------------------------------- failing */

/* The account is gone at the CA: what it ordered is lost with it. */
static int start_over(acme_job_t *job, const acme_err_t *err)
{
    if (!acme_err_is(err, "accountDoesNotExist")
        || job->state == ACME_STATE_ACCOUNT || !acme_account_lost(job)) {
        return 0;
    }
    acme_order_drop(job);
    job->resumed = 0;
    job->renewed = 1;
    acme_job_go(job, ACME_STATE_ACCOUNT);
    return 1;
}

void acme_job_fail(acme_job_t *job, const acme_err_t *err)
{
    if (job->err.status != APR_SUCCESS) {
        acme_job_end(job);
        return;
    }
    acme_timer_stop(&job->timer);
    acme_request_abandon(job->server, job);
    if (start_over(job, err)) {
        return;
    }
    job->err = *err;
    acme_fallback_tell(job);
    if (order_is_dead(job) && acme_authz_pending(job) > 0) {
        acme_job_go(job, ACME_STATE_DEACTIVATE);
        return;
    }
    acme_job_end(job);
}

void acme_job_fail_host(acme_job_t *job, apr_status_t rv, acme_err_t *err,
                        const char *what)
{
    base_err_set(err, rv, BASE_EXIT_FAILED, "%s failed", what);
    job->keep = 1;
    acme_job_fail(job, err);
}
