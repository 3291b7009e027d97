/*
 * order.c: orders (RFC 8555 7.1.3, 7.4): make one, take one up again, look
 * at it, keep where it stands.
 *
 * What is kept (schemas/state/order.json), and when:
 *
 *   newOrder ── "ordered" ── challenges ── "finalizing" ── finalize ──
 *   "finalized" ── certificate stored ── nothing any more
 */
#include "acme/engine.h"

#include <apr_lib.h>
#include <apr_strings.h>

#define STATE_FORMAT "acme-order/1"

/* ---------------------------------------------------------------- status */

static const char *const statuses[] = {
    "pending", "ready", "processing", "valid", "invalid", "deactivated",
    "expired", "revoked", "unknown"
};

acme_status_t acme_status_parse(const char *text)
{
    int status = 0;

    while (status < ACME_STATUS_UNKNOWN
           && (!text || strcmp(statuses[status], text) != 0)) {
        status++;
    }
    return (acme_status_t)status;
}

const char *acme_status_text(acme_status_t status)
{
    return statuses[status];
}

/* --------------------------------------------------------------- reading */

static int has_name(const apr_array_header_t *names, const char *name)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        if (!apr_strnatcasecmp(APR_ARRAY_IDX(names, i, const char *), name)) {
            return 1;
        }
    }
    return 0;
}

/* RFC 8555 7.4: the CA may sort identifiers as it likes. */
static apr_status_t identifiers_check(const acme_job_t *job,
                                      const json_t *identifiers,
                                      acme_err_t *err)
{
    const apr_array_header_t *names = job->order_job->names;
    const json_t *identifier;
    size_t i;

    json_array_foreach(identifiers, i, identifier) {
        const char *value = json_string_value(json_object_get(identifier,
                                                              "value"));

        if (!value || !has_name(names, value)) {
            return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                                "the CA's order is for \"%s\" too, which "
                                "nobody asked for", value ? value : "");
        }
    }
    if ((int)json_array_size(identifiers) != names->nelts) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "the CA's order is for %d names instead of %d",
                            (int)json_array_size(identifiers),
                            names->nelts);
    }
    return APR_SUCCESS;
}

static int has_authz(const acme_order_t *order, const char *url)
{
    int i;

    for (i = 0; i < order->authzs->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(order->authzs, i, acme_authz_t).url,
                    url)) {
            return 1;
        }
    }
    return 0;
}

/* RFC 8555 7.1.3: a client treats an order whose identifiers or
 * authorizations change as invalid. */
static apr_status_t unchanged(const acme_job_t *job, const json_t *message,
                              acme_err_t *err)
{
    const json_t *urls = json_object_get(message, "authorizations");
    const json_t *url;
    size_t i;

    if (identifiers_check(job, json_object_get(message, "identifiers"), err)
        != APR_SUCCESS) {
        return err->status;
    }
    json_array_foreach(urls, i, url) {
        if (!has_authz(job->order, json_string_value(url))) {
            return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                                "the CA added the authorization %s to an "
                                "order under way (RFC 8555 7.1.3)",
                                json_string_value(url));
        }
    }
    return APR_SUCCESS;
}

static apr_time_t expires_of(const json_t *message)
{
    const char *text = json_string_value(json_object_get(message,
                                                         "expires"));
    apr_time_t at;

    return text && base_time_parse(&at, text) == APR_SUCCESS ? at : 0;
}

/* Each authorization once, even if the CA lists one twice. */
static apr_status_t authzs_init(acme_job_t *job, const json_t *urls,
                                acme_err_t *err)
{
    acme_order_t *order = job->order;
    const json_t *element;
    size_t i;

    order->authzs = apr_array_make(order->pool,
                                   (int)json_array_size(urls) + 1,
                                   sizeof(acme_authz_t));
    json_array_foreach(urls, i, element) {
        const char *url = json_string_value(element);
        acme_authz_t *authz;

        if (acme_server_url_check(job->server, url, "authorization URL",
                                  err) != APR_SUCCESS) {
            return err->status;
        }
        if (has_authz(order, url)) {
            continue;
        }
        authz = apr_array_push(order->authzs);
        memset(authz, 0, sizeof(*authz));
        authz->job = job;
        authz->url = apr_pstrdup(order->pool, url);
        authz->status = ACME_STATUS_UNKNOWN;
    }
    return APR_SUCCESS;
}

apr_status_t acme_order_update(acme_job_t *job, const json_t *message,
                               acme_err_t *err, apr_pool_t *scratch_pool)
{
    acme_order_t *order = job->order;
    const json_t *problem = json_object_get(message, "error");
    const char *status, *certificate;

    if (unchanged(job, message, err) != APR_SUCCESS) {
        return err->status;
    }
    status = json_string_value(json_object_get(message, "status"));
    certificate = json_string_value(json_object_get(message, "certificate"));
    if (certificate && !order->certificate) {
        if (acme_server_url_check(job->server, certificate,
                                  "certificate URL", err) != APR_SUCCESS) {
            return err->status;
        }
        order->certificate = apr_pstrdup(order->pool, certificate);
    }
    if (order->status == ACME_VALID
        && acme_status_parse(status) != ACME_VALID) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "the CA's order went from valid back to %s "
                            "(RFC 8555 7.1.6)", status);
    }
    order->status = acme_status_parse(status);
    if (order->status != ACME_PENDING && order->status < ACME_INVALID) {
        /* RFC 8555 7.1.6: it got there by valid authorizations alone. */
        acme_authz_all_valid(job);
    }
    if (order->status == ACME_INVALID && json_is_object(problem)) {
        acme_problem_object(&order->why, problem, "the CA gave the order up",
                            NULL, scratch_pool);
    }
    return APR_SUCCESS;
}

static apr_status_t order_make(acme_job_t *job, const char *url,
                               const json_t *message, acme_err_t *err,
                               apr_pool_t *scratch_pool)
{
    acme_order_t *order;
    apr_pool_t *pool;
    json_t *authorizations;
    const char *finalize;
    json_error_t fault;

    if (json_unpack_ex((json_t *)message, &fault, 0, "{s:o, s:s}",
                       "authorizations", &authorizations, "finalize",
                       &finalize) != 0) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "the CA's order cannot be read: %s", fault.text);
    }
    if (acme_server_url_check(job->server, url, "order URL", err)
        || acme_server_url_check(job->server, finalize, "finalize URL",
                                 err)) {
        return err->status;
    }
    apr_pool_create(&pool, job->pool);
    job->order = order = apr_pcalloc(pool, sizeof(*order));
    order->pool = pool;
    order->url = apr_pstrdup(pool, url);
    order->finalize = apr_pstrdup(pool, finalize);
    order->expires = expires_of(message);
    order->backoff = ACME_POLL_MIN;
    if (authzs_init(job, authorizations, err) != APR_SUCCESS) {
        return err->status;
    }
    return acme_order_update(job, message, err, scratch_pool);
}

/* ---------------------------------------------------------------- keeping */

static json_t *state_make(const acme_job_t *job, const char *step,
                          apr_pool_t *pool)
{
    const apr_array_header_t *names = job->order_job->names;
    const acme_order_t *order = job->order;
    json_t *list = json_array();
    json_t *state;
    int i;

    for (i = 0; i < names->nelts; i++) {
        json_array_append_new(list, json_string(
            APR_ARRAY_IDX(names, i, const char *)));
    }
    state = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}",
                      "schema", STATE_FORMAT, "ca", job->server->ca->url,
                      "account", job->server->account, "url", order->url,
                      "step", step, "names", list);
    if (state && order->expires) {
        json_object_set_new(state, "expires", json_string(
            base_time_text(order->expires, pool)));
    }
    if (state && job->failed) {
        json_object_set_new(state, "failed", acme_fallback_state(job));
    }
    return base_json_own(state, pool);
}

apr_status_t acme_order_save(acme_job_t *job, const char *step,
                             acme_err_t *err)
{
    acme_engine_t *engine = job->engine;
    apr_pool_t *pool;
    json_t *state;
    apr_status_t rv;

    apr_pool_create(&pool, job->order->pool);
    state = state_make(job, step, pool);
    rv = schema_check(schema_find(engine->schemas, "state/order"), state,
                      "the order's state", err);
    if (rv == APR_SUCCESS) {
        rv = engine->host->order_save(engine->host, job->number, state, err);
    }
    if (rv != APR_SUCCESS) {
        base_err_set(err, rv, BASE_EXIT_FAILED, "keeping the order failed");
    }
    apr_pool_destroy(pool);
    return rv;
}

void acme_order_drop(acme_job_t *job)
{
    acme_err_t ignored;

    if (job->order) {
        base_err_clear(&ignored);
        acme_challenge_remove(job, &ignored);
        apr_pool_destroy(job->order->pool);
        job->order = NULL;
    }
}

int acme_order_replace(acme_job_t *job)
{
    if (!job->resumed) {
        return 0;
    }
    acme_request_abandon(job->server, job);
    acme_order_drop(job);
    job->resumed = 0;
    job->renewed = 1;
    job->failed = NULL;
    acme_job_go(job, ACME_STATE_NEW_ORDER);
    return 1;
}

/* --------------------------------------------------------------- newOrder */

static json_t *new_order(const acme_job_t *job, apr_pool_t *pool)
{
    const apr_array_header_t *names = job->order_job->names;
    json_t *identifiers = json_array();
    int i;

    for (i = 0; i < names->nelts; i++) {
        json_array_append_new(identifiers, json_pack(
            "{s:s, s:s}", "type", "dns", "value",
            APR_ARRAY_IDX(names, i, const char *)));
    }
    return base_json_own(json_pack("{s:o}", "identifiers", identifiers),
                         pool);
}

static void ordered(acme_request_t *request)
{
    acme_job_t *job = request->baton;
    const char *location, *url = NULL;
    acme_err_t *err = &request->err;

    if (err->status != APR_SUCCESS) {
        acme_job_fail(job, err);
        return;
    }
    location = request->response->location;
    if (location) {
        url = base_url_resolve(request->url, location, request->pool);
    }
    if (!url) {
        base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED, "ordering the "
                     "certificate: the CA's reply from %s has no Location "
                     "header", request->url);
    }
    else {
        order_make(job, url, request->message, err, request->pool);
    }
    if (err->status != APR_SUCCESS) {
        acme_job_fail(job, err);
    }
    else if (acme_order_save(job, "ordered", err) != APR_SUCCESS) {
        acme_job_fail_host(job, err->status, err, "keeping the order");
    }
    else {
        acme_flow_follow(job, request->response);
    }
}

void acme_order_new_step(acme_job_t *job)
{
    acme_request_t *request = acme_job_request(job,
                                               "ordering the certificate",
                                               ordered, job);

    job->renewed = 1;
    request->endpoint = "newOrder";
    request->schema = "acme/order";
    acme_request_json(request, "acme/new-order",
                      new_order(job, request->pool));
    acme_request_send(request);
}

/* ----------------------------------------------------------------- resume */

/* Is what was kept still an order of this account for these names? */
static int resumable(const acme_job_t *job, const json_t *state)
{
    acme_engine_t *engine = job->engine;
    const json_t *names, *name;
    const char *account, *ca;
    apr_time_t expires;
    acme_err_t ignored;
    size_t i;

    base_err_clear(&ignored);
    if (schema_check(schema_find(engine->schemas, "state/order"), state,
                     "the order's state", &ignored) != APR_SUCCESS) {
        return 0;
    }
    names = json_object_get(state, "names");
    account = json_string_value(json_object_get(state, "account"));
    ca = json_string_value(json_object_get(state, "ca"));
    expires = expires_of(state);
    if (strcmp(account, job->server->account) != 0
        || strcmp(ca, job->server->ca->url) != 0
        || (expires && expires <= engine->clock->wall(engine->clock))
        || (int)json_array_size(names) != job->order_job->names->nelts) {
        return 0;
    }
    json_array_foreach(names, i, name) {
        if (!has_name(job->order_job->names, json_string_value(name))) {
            return 0;
        }
    }
    return 1;
}

/* The CA refuses to show the order (gone, or of another account), or what
 * it shows is not ours or dead: then a new one is made. Trouble that passes
 * leaves it as it is for the next run. */
static void resumed(acme_request_t *request)
{
    acme_job_t *job = request->baton;
    acme_err_t *err = &request->err;

    if (err->status == APR_SUCCESS) {
        order_make(job, request->url, request->message, err, request->pool);
    }
    if (err->status == APR_SUCCESS && job->order->status < ACME_INVALID) {
        acme_flow_follow(job, request->response);
    }
    else if (err->exit == BASE_EXIT_BUSY
             || acme_err_is(err, "accountDoesNotExist")) {
        acme_job_fail(job, err);
    }
    else {
        acme_order_replace(job);
    }
}

void acme_order_resume_step(acme_job_t *job)
{
    const json_t *state = job->order_job->resume;
    acme_request_t *request;

    if (!resumable(job, state) || !acme_fallback_resume(job, state)) {
        acme_job_go(job, ACME_STATE_NEW_ORDER);
        return;
    }
    job->resumed = 1;
    request = acme_job_request(job, "taking the order up again", resumed,
                               job);
    request->url = json_string_value(json_object_get(state, "url"));
    request->schema = "acme/order";
    acme_request_send(request);
}

/* ---------------------------------------------------------------- looking */

/* One look comes as soon as the CA had ACME_FIRST_LOOK for itself. A
 * Retry-After in the reply before it does not delay it: a single early look
 * is one cheap request, while CAs say whole seconds there, and every order
 * would pay them. From that look on Retry-After is obeyed to the letter. */
void acme_order_pause_first(acme_order_t *order,
                            apr_interval_time_t round_trip)
{
    order->pause = round_trip < ACME_FIRST_LOOK
                   ? ACME_FIRST_LOOK - round_trip : 0;
    order->backoff = ACME_POLL_MIN;
}

static void back_off(acme_order_t *order)
{
    order->pause = order->backoff;
    order->backoff *= 2;
    if (order->backoff > ACME_POLL_MAX) {
        order->backoff = ACME_POLL_MAX;
    }
}

/* Source: RFC 8555 7.4, 7.5.1 (Retry-After); the back-off is ours. */
apr_status_t acme_order_pause_next(acme_job_t *job,
                                   const http_response_t *reply,
                                   acme_err_t *err)
{
    acme_engine_t *engine = job->engine;
    apr_time_t wall = engine->clock->wall(engine->clock);
    apr_time_t at;

    if (!reply->retry_after
        || base_retry_after(&at, reply->retry_after, wall) != APR_SUCCESS
        || at <= wall) {
        back_off(job->order);
        return APR_SUCCESS;
    }
    job->order->pause = at - wall;
    if (job->order->pause > engine->options.retry_after_max
        || acme_now(engine) + job->order->pause >= job->until) {
        base_err_set(err, APR_EAGAIN, BASE_EXIT_BUSY,
                     "the order is %s and the CA asks to come back after "
                     "%s; the next run goes on with it",
                     acme_status_text(job->order->status),
                     base_time_text(at, job->order->pool));
        err->retry_at = at;
        return err->status;
    }
    return APR_SUCCESS;
}

static void looked(acme_request_t *request)
{
    acme_job_t *job = request->baton;
    acme_err_t *err = &request->err;

    if (err->status == APR_SUCCESS) {
        acme_order_update(job, request->message, err, request->pool);
    }
    if (err->status != APR_SUCCESS) {
        acme_job_fail(job, err);
        return;
    }
    acme_flow_follow(job, request->response);
}

static void look(void *baton)
{
    acme_job_t *job = baton;
    acme_request_t *request = acme_job_request(job, "looking at the order",
                                               looked, job);

    request->url = job->order->url;
    request->schema = "acme/order";
    acme_request_send(request);
}

void acme_order_wait_step(acme_job_t *job)
{
    job->timer.fire = look;
    job->timer.baton = job;
    acme_timer_start(job->engine, &job->timer,
                     acme_now(job->engine) + job->order->pause);
}
