/*
 * engine.c: the event loop, its timers, and the making of CAs and jobs.
 *
 *   start jobs ─> fire due timers ─> jobs left? ─ no ─> return
 *       ^                                │ yes
 *       └──────── transport->wait <──────┘
 *
 * A started job always has its deadline's timer armed, so the wait is
 * never endless.
 */
#include "acme/engine.h"

#include <apr_strings.h>

/* ----------------------------------------------------------------- timers */

apr_time_t acme_now(const acme_engine_t *engine)
{
    return engine->clock->mono(engine->clock);
}

void acme_timer_stop(acme_timer_t *timer)
{
    if (timer->armed) {
        TAILQ_REMOVE(&timer->engine->timers, timer, link);
        timer->armed = 0;
    }
}

void acme_timer_start(acme_engine_t *engine, acme_timer_t *timer,
                      apr_time_t due)
{
    acme_timer_stop(timer);
    timer->engine = engine;
    timer->due = due;
    timer->armed = 1;
    TAILQ_INSERT_TAIL(&engine->timers, timer, link);
}

/* Only started jobs and their requests have timers, so a list is enough.
 * Of timers due at the same time the one started first wins. */
static acme_timer_t *timer_first(acme_engine_t *engine)
{
    acme_timer_t *timer, *first = NULL;

    TAILQ_FOREACH(timer, &engine->timers, link) {
        if (!first || timer->due < first->due) {
            first = timer;
        }
    }
    return first;
}

/* @return 1 if a timer was due */
static int fire_one(acme_engine_t *engine)
{
    acme_timer_t *timer = timer_first(engine);

    if (!timer || timer->due > acme_now(engine)) {
        return 0;
    }
    acme_timer_stop(timer);
    timer->fire(timer->baton);
    return 1;
}

/* ----------------------------------------------------------------- making */

static void options_init(acme_options_t *options, const acme_options_t *given)
{
    memset(options, 0, sizeof(*options));
    if (given) {
        *options = *given;
    }
    if (options->max_parallel <= 0) {
        options->max_parallel = ACME_MAX_PARALLEL;
    }
    if (options->order_deadline <= 0) {
        options->order_deadline = ACME_ORDER_DEADLINE;
    }
    if (options->retry_after_max <= 0) {
        options->retry_after_max = ACME_RETRY_AFTER_MAX;
    }
}

apr_status_t acme_engine_make(acme_engine_t **pengine,
                              http_transport_t *transport,
                              acme_host_t *host, base_clock_t *clock,
                              const schema_set_t *schemas,
                              const acme_options_t *options,
                              acme_err_t *err, apr_pool_t *result_pool)
{
    acme_engine_t *engine = apr_pcalloc(result_pool, sizeof(*engine));
    apr_status_t rv = apr_pool_create(&engine->pool, result_pool);

    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "no memory for the ACME engine");
    }
    engine->transport = transport;
    engine->host = host;
    engine->clock = clock;
    engine->schemas = schemas;
    options_init(&engine->options, options);
    engine->servers = apr_array_make(engine->pool, 1,
                                     sizeof(acme_server_t *));
    engine->jobs = apr_array_make(engine->pool, 8, sizeof(acme_job_t *));
    TAILQ_INIT(&engine->timers);
    *pengine = engine;
    return APR_SUCCESS;
}

/* What the caller remembers of a CA is used as if it had been fetched; a
 * cached directory that is no good is fetched again. */
static void server_recall(acme_server_t *server)
{
    const acme_ca_t *ca = server->ca;
    acme_err_t ignored;

    base_err_clear(&ignored);
    if (ca->directory
        && acme_directory_check(server, ca->directory, &ignored)
           == APR_SUCCESS) {
        server->directory = ca->directory;
        server->directory_state = ACME_SHARED_READY;
        server->directory_cached = 1;
    }
    if (ca->account) {
        server->account = ca->account;
        server->account_state = ACME_SHARED_READY;
    }
}

int acme_engine_ca(acme_engine_t *engine, const acme_ca_t *ca)
{
    acme_server_t *server = apr_pcalloc(engine->pool, sizeof(*server));

    apr_pool_create(&server->pool, engine->pool);
    server->engine = engine;
    server->number = engine->servers->nelts;
    server->ca = ca;
    TAILQ_INIT(&server->requests);
    server_recall(server);
    APR_ARRAY_PUSH(engine->servers, acme_server_t *) = server;
    return server->number;
}

static acme_job_t *job_add(acme_engine_t *engine, int ca,
                           acme_job_kind_t kind)
{
    acme_job_t *job = apr_pcalloc(engine->pool, sizeof(*job));

    job->engine = engine;
    job->server = APR_ARRAY_IDX(engine->servers, ca, acme_server_t *);
    job->number = engine->jobs->nelts;
    job->kind = kind;
    job->state = ACME_STATE_QUEUED;
    APR_ARRAY_PUSH(engine->jobs, acme_job_t *) = job;
    engine->unfinished++;
    return job;
}

int acme_engine_order(acme_engine_t *engine, int ca,
                      const acme_order_job_t *job)
{
    acme_job_t *added = job_add(engine, ca, ACME_JOB_ORDER);

    added->order_job = job;
    return added->number;
}

int acme_engine_account(acme_engine_t *engine, int ca)
{
    return job_add(engine, ca, ACME_JOB_ACCOUNT)->number;
}

int acme_engine_revoke(acme_engine_t *engine, int ca,
                       const acme_revoke_job_t *job)
{
    acme_job_t *added = job_add(engine, ca, ACME_JOB_REVOKE);

    added->revoke_job = job;
    return added->number;
}

/* ------------------------------------------------------------------- loop */

/* The next job of server that has not been started, or NULL. */
static acme_job_t *queue_next(acme_server_t *server)
{
    const apr_array_header_t *jobs = server->engine->jobs;

    for (; server->next < jobs->nelts; server->next++) {
        acme_job_t *job = APR_ARRAY_IDX(jobs, server->next, acme_job_t *);

        if (job->server == server && job->state == ACME_STATE_QUEUED) {
            return job;
        }
    }
    return NULL;
}

/* @return 1 if a job was started */
static int start_one(acme_engine_t *engine)
{
    int i;

    for (i = 0; i < engine->servers->nelts; i++) {
        acme_server_t *server = APR_ARRAY_IDX(engine->servers, i,
                                              acme_server_t *);
        acme_job_t *job;

        if (server->active < engine->options.max_parallel
            && (job = queue_next(server)) != NULL) {
            acme_job_start(job);
            return 1;
        }
    }
    return 0;
}

/* The loop itself broke: end what is left with the loop's own error. */
static void end_all(acme_engine_t *engine, const acme_err_t *err)
{
    int i;

    for (i = 0; i < engine->jobs->nelts; i++) {
        acme_job_t *job = APR_ARRAY_IDX(engine->jobs, i, acme_job_t *);

        if (job->state != ACME_STATE_DONE) {
            job->err = *err;
            job->keep = 1;
            acme_job_end(job);
        }
    }
}

apr_status_t acme_engine_run(acme_engine_t *engine, acme_err_t *err)
{
    for (;;) {
        apr_status_t rv;

        while (start_one(engine) || fire_one(engine)) {
            continue;
        }
        if (engine->unfinished == 0) {
            return APR_SUCCESS;
        }
        rv = engine->transport->wait(engine->transport,
                                     timer_first(engine)->due, err);
        if (rv != APR_SUCCESS) {
            base_err_set(err, rv, BASE_EXIT_FAILED,
                         "waiting for the CA's replies failed");
            end_all(engine, err);
            return rv;
        }
    }
}

apr_status_t acme_server_url_check(const acme_server_t *server,
                                   const char *url, const char *what,
                                   acme_err_t *err)
{
    apr_status_t rv = base_url_check(url, err);

    if (rv != APR_SUCCESS) {
        return base_err_wrap(err, "the CA's %s", what);
    }
    if (!base_url_same_origin(url, server->ca->url)) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "the CA's %s %s is not at the origin of its "
                            "directory %s; nothing is sent there",
                            what, url, server->ca->url);
    }
    return APR_SUCCESS;
}
