/*
 * rig.c: the CA and the clock of rig.h.
 */
#include "rig.h"

#include <stdio.h>

#include <apr_strings.h>

#define ORIGIN "https://ca.example"

static const char *const resources[] = {
    "dir", "nonce", "new-account", "acct", "new-order", "order", "authz",
    "chall", "finalize", "cert", "revoke", "?", NULL
};

/** A reply on its way. */
typedef struct reply_t {
    apr_time_t due;
    http_response_t *response;   /* NULL: failure */
    acme_err_t err;
    http_done_fn *done;
    void *baton;
} reply_t;

/** A request being served. */
typedef struct serving_t {
    const http_request_t *http;
    int resource;
    int order, authz;            /* from the path */
    json_t *jws;                 /* what our host "signed"; or NULL */
    const char *payload;
    apr_pool_t *pool;            /* of the reply */
    http_response_t *response;
} serving_t;

/* ---------------------------------------------------------------- books */

static int resource_of(const char *url, int *order, int *authz)
{
    char name[32] = "?";
    int i = 0;

    *order = *authz = 0;
    if (strncmp(url, ORIGIN "/", sizeof(ORIGIN)) == 0) {
        sscanf(url + sizeof(ORIGIN), "%31[a-z-]/%d/%d", name, order, authz);
    }
    while (strcmp(resources[i], name) && strcmp(resources[i], "?")) {
        i++;
    }
    return i;
}

int rig_count(const rig_t *rig, const char *resource)
{
    int i = 0;

    while (strcmp(resources[i], resource)) {
        i++;
    }
    return rig->count_of[i];
}

static const char *nonce_new(rig_t *rig)
{
    const char *nonce = apr_psprintf(rig->pool, "nonce-%d",
                                     ++rig->nonce_serial);

    APR_ARRAY_PUSH(rig->nonces, const char *) = nonce;
    return nonce;
}

/* A nonce is good once. */
static int nonce_use(rig_t *rig, const char *nonce)
{
    int i;

    for (i = 0; nonce && i < rig->nonces->nelts; i++) {
        const char **one = &APR_ARRAY_IDX(rig->nonces, i, const char *);

        if (*one && strcmp(*one, nonce) == 0) {
            *one = NULL;
            return 1;
        }
    }
    return 0;
}

/* A fixed pseudo-random sequence: the same in every run. */
static int chance(rig_t *rig, int percent)
{
    rig->seed = rig->seed * 1103515245u + 12345u;
    return (int)((rig->seed >> 16) % 100) < percent;
}

static const rig_rule_t *rule_find(const rig_t *rig, int resource)
{
    const rig_rule_t *rule;
    int nth = rig->count_of[resource];

    for (rule = rig->rules; rule && rule->on; rule++) {
        if (!strcmp(rule->on, resources[resource]) && nth >= rule->from
            && (!rule->to || nth <= rule->to)) {
            return rule;
        }
    }
    return NULL;
}

/* --------------------------------------------------------------- replies */

static void body_set(serving_t *s, json_t *json)
{
    s->response->body = base_json_text(json, s->pool);
    s->response->body_len = strlen(s->response->body);
    s->response->content_type = "application/json";
    json_decref(json);
}

static void problem(serving_t *s, int status, const char *type)
{
    s->response->status = status;
    body_set(s, json_pack("{s:s+, s:s+}", "type", URN, type, "detail",
                          "because of ", type));
    s->response->content_type = "application/problem+json";
}

static json_t *order_json(rig_t *rig, int number)
{
    const rig_order_t *order = &rig->orders[number];
    json_t *identifiers = json_array(), *authzs = json_array();
    json_t *json;
    int i;

    /* Backwards on purpose: RFC 8555 7.4 promises no order. */
    for (i = order->count - 1; i >= 0; i--) {
        json_array_append_new(identifiers, json_pack(
            "{s:s, s:s}", "type", "dns", "value", order->names[i]));
        json_array_append_new(authzs, json_sprintf(
            "%s/authz/%d/%d", rig->order_base, number, i));
    }
    json = json_pack("{s:s, s:s, s:o, s:o, s:o, s:n}", "status",
                     order->status, "expires", "2026-11-30T19:00:00.5Z",
                     "identifiers", identifiers, "authorizations", authzs,
                     "finalize", json_sprintf("%s/finalize/%d",
                                              rig->order_base, number),
                     "error");
    if (!strcmp(order->status, "valid")) {
        json_object_set_new(json, "certificate", json_sprintf(
            "%s/cert/%d", rig->order_base, number));
    }
    return json;
}

/* 1 if validation fails in this order. */
static int fails(const rig_t *rig, int order)
{
    return rig->error && (!rig->error_orders || order <= rig->error_orders);
}

static json_t *challenge_json(rig_t *rig, const serving_t *s,
                              const char *type)
{
    const rig_order_t *order = &rig->orders[s->order];
    const char *status = order->authz[s->authz];
    json_t *json;

    json = json_pack("{s:s, s:s, s:o, s:o}", "type", type, "status", status,
                     "url", json_sprintf("%s/chall/%d/%d", rig->order_base,
                                         s->order, s->authz),
                     "token", json_sprintf("token-token-token-token-%d-%d",
                                           s->order, s->authz));
    if (!strcmp(status, "invalid") && fails(rig, s->order)) {
        json_object_set_new(json, "error", json_pack(
            "{s:s+, s:s}", "type", URN, rig->error, "detail",
            "it did not answer"));
    }
    return json;
}

static void serve_authz(rig_t *rig, serving_t *s)
{
    rig_order_t *order = &rig->orders[s->order];
    const char *name = order->names[s->authz];
    int wildcard = strncmp(name, "*.", 2) == 0;
    json_t *challenges = json_array();
    char *types = apr_pstrdup(s->pool, rig->offers), *type, *state;

    if (strstr(s->payload, "deactivated")) {
        order->authz[s->authz] = "deactivated";
    }
    for (type = apr_strtok(types, " ", &state); type;
         type = apr_strtok(NULL, " ", &state)) {
        json_array_append_new(challenges, challenge_json(rig, s, type));
    }
    body_set(s, json_pack("{s:{s:s, s:s}, s:s, s:s, s:b, s:o}",
                          "identifier", "type", "dns", "value",
                          wildcard ? name + 2 : name, "status",
                          order->authz[s->authz], "expires",
                          "2026-11-30T19:00:00Z", "wildcard", wildcard,
                          "challenges", challenges));
}

/* All validated or one failed: the order follows (RFC 8555 7.1.6). */
static void order_settle(rig_order_t *order)
{
    int i, valid = 0;

    for (i = 0; i < order->count; i++) {
        valid += !strcmp(order->authz[i], "valid");
        if (!strcmp(order->authz[i], "invalid")) {
            order->status = "invalid";
        }
    }
    if (!strcmp(order->status, "pending") && valid == order->count) {
        order->status = "ready";
        order->looks = 0;
    }
}

static void serve_chall(rig_t *rig, serving_t *s)
{
    rig_order_t *order = &rig->orders[s->order];

    if (strcmp(s->payload, "{}")) {
        problem(s, 400, "malformed");
        return;
    }
    order->authz[s->authz] = fails(rig, s->order) ? "invalid" : "valid";
    order->looks = 0;
    body_set(s, challenge_json(rig, s, "http-01"));
}

/* A look: the status changes when it has been looked at often enough. */
static void serve_order(rig_t *rig, serving_t *s)
{
    rig_order_t *order = &rig->orders[s->order];

    if (order->account < rig->accounts_alive_from) {
        problem(s, 403, "unauthorized");
        return;
    }
    if (!strcmp(order->status, "pending")
        && order->looks++ >= rig->looks_pending) {
        order_settle(order);
    }
    else if (!strcmp(order->status, "processing")
             && order->looks++ >= rig->looks_processing) {
        order->status = "valid";
    }
    body_set(s, order_json(rig, s->order));
    s->response->retry_after = rig->retry_after;
}

static void serve_new_order(rig_t *rig, serving_t *s)
{
    json_t *payload = json_loads(s->payload, 0, NULL);
    rig_order_t *order;
    json_t *identifier;
    size_t i;

    ck_assert_int_lt(rig->order_count + 1, RIG_JOBS);
    order = &rig->orders[++rig->order_count];
    json_array_foreach(json_object_get(payload, "identifiers"), i,
                       identifier) {
        apr_cpystrn(order->names[i], json_string_value(
                    json_object_get(identifier, "value")), 64);
        order->authz[i] = rig->valid_at_once ? "valid" : "pending";
        order->count++;
    }
    json_decref(payload);
    order->status = "pending";
    order->account = rig->account_count;
    s->response->status = 201;
    s->response->location = apr_psprintf(s->pool, "%s/order/%d",
                                         rig->order_base, rig->order_count);
    body_set(s, order_json(rig, rig->order_count));
    if (++rig->open_now > rig->open_max) {
        rig->open_max = rig->open_now;
    }
}

static void serve_finalize(rig_t *rig, serving_t *s)
{
    rig_order_t *order = &rig->orders[s->order];

    order_settle(order);
    if (strcmp(order->status, "ready")) {
        problem(s, 403, "orderNotReady");
        return;
    }
    order->status = "processing";
    order->looks = 0;
    body_set(s, order_json(rig, s->order));
    s->response->retry_after = rig->retry_after;
}

static void serve_cert(rig_t *rig, serving_t *s)
{
    rig->open_now--;
    s->response->body = "-----BEGIN CERTIFICATE-----\n";
    s->response->body_len = strlen(s->response->body);
    s->response->content_type = "application/pem-certificate-chain";
}

static void serve_account(rig_t *rig, serving_t *s, int is_new)
{
    if (is_new) {
        rig->account_count++;
        s->response->status = 201;
        s->response->location = apr_psprintf(s->pool, "/acct/%d",
                                             rig->account_count);
    }
    body_set(s, json_pack("{s:s}", "status", "valid"));
}

static void serve_dir(rig_t *rig, serving_t *s)
{
    json_t *dir = json_pack("{s:s, s:s, s:s, s:s, s:s, s:n, s:{s:s*}}",
                            "newNonce", ORIGIN "/nonce",
                            "newAccount", ORIGIN "/new-account",
                            "newOrder", ORIGIN "/new-order",
                            "revokeCert", ORIGIN "/revoke",
                            "Xg3rt", "https://example.org/random",
                            "newAuthz", "meta", "termsOfService",
                            rig->no_terms ? NULL : ORIGIN "/terms");

    body_set(s, dir);
}

static void serve(rig_t *rig, serving_t *s)
{
    switch (s->resource) {
    case 0: serve_dir(rig, s); break;
    case 1: break;
    case 2: serve_account(rig, s, 1); break;
    case 3: serve_account(rig, s, 0); break;
    case 4: serve_new_order(rig, s); break;
    case 5: serve_order(rig, s); break;
    case 6: serve_authz(rig, s); break;
    case 7: serve_chall(rig, s); break;
    case 8: serve_finalize(rig, s); break;
    case 9: serve_cert(rig, s); break;
    case 10: break;
    default: problem(s, 404, "malformed"); break;
    }
}

/* ------------------------------------------------------------- transport */

/* RFC 8555 6.2-6.5: signed, for this URL, by a known account or a key, with
 * a nonce of ours. @return 0 when it was refused */
static int admit(rig_t *rig, serving_t *s)
{
    const char *kid, *url, *nonce;
    int number = 0, by_key = s->resource == 2 || s->resource == 10;

    if (strcmp(s->http->method, "POST")) {
        if (s->resource >= 2) {
            problem(s, 404, "malformed");
            s->response->replay_nonce = NULL;
        }
        return s->resource < 2;
    }
    kid = json_string_value(json_object_get(s->jws, "kid"));
    url = json_string_value(json_object_get(s->jws, "url"));
    nonce = json_string_value(json_object_get(s->jws, "nonce"));
    if (!url || strcmp(url, s->http->url) || s->resource < 2
        || (!kid && !by_key)) {
        rig->bad_requests++;
        problem(s, 400, "malformed");
        return 0;
    }
    if (!nonce_use(rig, nonce) || chance(rig, rig->nonce_reject)) {
        problem(s, 400, "badNonce");
        return 0;
    }
    if (kid && (sscanf(kid, ORIGIN "/acct/%d", &number) != 1
                || number < rig->accounts_alive_from
                || number > rig->account_count)) {
        problem(s, 400, "accountDoesNotExist");
        return 0;
    }
    return 1;
}

static void apply(const rig_rule_t *rule, serving_t *s)
{
    http_response_t *response = s->response;

    if (rule->status) {
        if (rule->type) {
            problem(s, rule->status, rule->type);
        }
        response->status = rule->status;
    }
    if (rule->body) {
        response->body = rule->body;
        response->body_len = strlen(rule->body);
    }
    if (rule->patch) {
        json_t *json = json_loads(response->body, 0, NULL);
        json_t *patch = json_loads(rule->patch, 0, NULL);

        ck_assert_ptr_nonnull(patch);
        if (json) {
            json_object_update(json, patch);
            body_set(s, json);
        }
        json_decref(patch);
    }
    if (rule->content_type) {
        response->content_type = rule->content_type;
    }
    if (rule->retry_after) {
        response->retry_after = rule->retry_after;
    }
    if (rule->location) {
        response->location = *rule->location ? rule->location : NULL;
    }
    if (rule->nonce) {
        response->replay_nonce = *rule->nonce ? rule->nonce : NULL;
    }
}

static void reply_make(rig_t *rig, serving_t *s, const rig_rule_t *rule)
{
    http_response_t *response = apr_pcalloc(s->pool, sizeof(*response));

    s->response = response;
    response->status = 200;
    response->url = apr_pstrdup(s->pool, s->http->url);
    response->links = apr_array_make(s->pool, 1, sizeof(const char *));
    response->body = "";
    response->elapsed = rig->round_trip;
    response->replay_nonce = s->resource ? nonce_new(rig) : NULL;
    /* A rule with a status stands for the CA's whole answer. */
    if (admit(rig, s) && !(rule && rule->status && rule->type)) {
        serve(rig, s);
    }
    if (rule && (rule->status || response->status / 100 == 2)) {
        apply(rule, s);
    }
}

static void log_add(rig_t *rig, const char *resource)
{
    if (!rig->quiet) {
        rig->log = apr_pstrcat(rig->pool, rig->log, *rig->log ? " " : "",
                               resource, NULL);
    }
}

static apr_status_t rig_submit(http_transport_t *transport,
                               const http_request_t *request,
                               http_done_fn *done, void *baton,
                               acme_err_t *e, apr_pool_t *p)
{
    rig_t *rig = (rig_t *)transport;
    const rig_rule_t *rule;
    reply_t reply;
    serving_t s;

    memset(&reply, 0, sizeof(reply));
    memset(&s, 0, sizeof(s));
    if (rig->killed) {
        return APR_SUCCESS;
    }
    s.http = request;
    s.pool = p;
    s.resource = resource_of(request->url, &s.order, &s.authz);
    s.jws = request->body ? json_loads(request->body, 0, NULL) : NULL;
    s.payload = s.jws ? json_string_value(json_object_get(s.jws, "payload"))
                      : "";
    rig->count_of[s.resource]++;
    log_add(rig, resources[s.resource]);
    rule = rule_find(rig, s.resource);
    reply.due = rig->clock->mono(rig->clock) + rig->round_trip;
    reply.done = done;
    reply.baton = baton;
    if (rule && (rule->down || rule->untrusted)) {
        base_err_set(&reply.err, rule->timeup ? APR_TIMEUP
                     : APR_ECONNREFUSED, rule->down
                     ? BASE_EXIT_BUSY : BASE_EXIT_FAILED, rule->down
                     ? "cannot connect" : "its certificate is not trusted");
    }
    else {
        reply_make(rig, &s, rule);
        reply.response = s.response;
    }
    json_decref(s.jws);
    if (!rule || !rule->silent) {
        APR_ARRAY_PUSH(rig->replies, reply_t) = reply;
        if (++rig->flying > rig->flying_max) {
            rig->flying_max = rig->flying;
        }
    }
    return APR_SUCCESS;
}

/* The reply that is due first, taken out; 0 if none is by until. */
static int reply_take(rig_t *rig, apr_time_t until, reply_t *taken)
{
    reply_t *replies = (reply_t *)rig->replies->elts;
    int i, first = -1;

    for (i = 0; i < rig->replies->nelts; i++) {
        if (first < 0 || replies[i].due < replies[first].due) {
            first = i;
        }
    }
    if (first < 0 || replies[first].due > until) {
        return 0;
    }
    *taken = replies[first];
    memmove(&replies[first], &replies[first + 1],
            sizeof(*replies) * (size_t)(rig->replies->nelts - first - 1));
    rig->replies->nelts--;
    rig->flying--;
    return 1;
}

static void move_to(rig_t *rig, apr_time_t when)
{
    apr_time_t now = rig->clock->mono(rig->clock);

    if (when > now) {
        base_clock_advance(rig->clock, when - now);
    }
}

static apr_status_t rig_wait(http_transport_t *transport, apr_time_t until,
                             acme_err_t *e)
{
    rig_t *rig = (rig_t *)transport;
    reply_t reply;

    if (rig->killed) {
        return base_err_set(e, APR_EINTR, BASE_EXIT_FAILED, "killed");
    }
    if (!reply_take(rig, until, &reply)) {
        move_to(rig, until);
        return APR_SUCCESS;
    }
    move_to(rig, reply.due);
    reply.done(reply.baton, reply.response, &reply.err);
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- making */

static apr_status_t rig_cleanup(void *data)
{
    rig_t *rig = data;
    int i;

    for (i = 0; i < RIG_JOBS; i++) {
        json_decref(rig->saved[i]);
    }
    return APR_SUCCESS;
}

rig_t *rig_make(apr_pool_t *p)
{
    rig_t *rig = apr_pcalloc(p, sizeof(*rig));
    acme_err_t e = { 0 };

    rig->pool = p;
    rig->transport.submit = rig_submit;
    rig->transport.wait = rig_wait;
    rig->host = rig_host;
    rig->clock = base_clock_manual(RIG_WALL, p);
    ck_assert_msg(schema_set_builtin(&rig->schemas, &e, p) == APR_SUCCESS,
                  "%s", e.message);
    rig->ca.url = RIG_URL;
    rig->ca.agreement = 1;
    rig->ca.contact = apr_array_make(p, 1, sizeof(const char *));
    rig->round_trip = apr_time_from_msec(10);
    rig->offers = "dns-persist-01 tls-alpn-01 http-01 dns-01";
    rig->order_base = ORIGIN;
    rig->nonces = apr_array_make(p, 64, sizeof(const char *));
    rig->replies = apr_array_make(p, 64, sizeof(reply_t));
    rig->log = rig->steps = rig->types = "";
    rig->seed = 1;
    apr_pool_cleanup_register(p, rig, rig_cleanup, apr_pool_cleanup_null);
    return rig;
}

void rig_known(rig_t *rig)
{
    serving_t s = { 0 };
    json_t *directory;

    s.pool = rig->pool;
    s.response = apr_pcalloc(rig->pool, sizeof(*s.response));
    serve_dir(rig, &s);
    directory = json_loads(s.response->body, 0, NULL);
    rig->ca.directory = base_json_own(directory, rig->pool);
    rig->account_count = 1;
    rig->ca.account = rig->account = ORIGIN "/acct/1";
}

acme_order_job_t *rig_job(rig_t *rig, const char *names)
{
    acme_order_job_t *job = apr_pcalloc(rig->pool, sizeof(*job));
    char *list = apr_pstrdup(rig->pool, names), *name, *state;

    job->names = apr_array_make(rig->pool, 4, sizeof(const char *));
    for (name = apr_strtok(list, " ", &state); name;
         name = apr_strtok(NULL, " ", &state)) {
        APR_ARRAY_PUSH(job->names, const char *) = name;
    }
    job->name = APR_ARRAY_IDX(job->names, 0, const char *);
    job->challenges = apr_array_make(rig->pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(job->challenges, const char *) = "http-01";
    return job;
}

acme_engine_t *rig_engine(rig_t *rig)
{
    acme_engine_t *engine;
    acme_err_t e = { 0 };

    ck_assert_int_eq(acme_engine_make(&engine, &rig->transport, &rig->host,
                                      rig->clock, rig->schemas,
                                      &rig->options, &e, rig->pool), 0);
    ck_assert_int_eq(acme_engine_ca(engine, &rig->ca), 0);
    return engine;
}

void rig_ok(const acme_result_t *result)
{
    ck_assert_msg(result->err.status == APR_SUCCESS, "%s",
                  result->err.message);
}

void rig_fails(const acme_result_t *result, base_exit_t status,
               const char *text)
{
    ck_assert_int_ne(result->err.status, APR_SUCCESS);
    ck_assert_msg(result->err.exit == status, "exit %d: %s",
                  (int)result->err.exit, result->err.message);
    ck_assert_msg(strstr(result->err.message, text) != NULL,
                  "wanted \"%s\", got \"%s\"", text, result->err.message);
}

void rig_run(rig_t *rig, acme_engine_t *engine)
{
    acme_err_t e = { 0 };

    ck_assert_msg(acme_engine_run(engine, &e) == APR_SUCCESS, "%s",
                  e.message);
    ck_assert_int_eq(rig->challenges_up, 0);
}

const acme_result_t *rig_order(rig_t *rig, const char *names)
{
    acme_engine_t *engine = rig_engine(rig);

    acme_engine_order(engine, 0, rig_job(rig, names));
    rig_run(rig, engine);
    ck_assert_int_eq(rig->done_count[0], 1);
    return &rig->results[0];
}

const acme_result_t *rig_order_rules(rig_t *rig, const char *names,
                                     const rig_rule_t *rules)
{
    rig->rules = rules;
    return rig_order(rig, names);
}

apr_time_t rig_elapsed(const rig_t *rig)
{
    return rig->clock->mono(rig->clock);
}
