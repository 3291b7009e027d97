/*
 * serve.c: the keeper's side of the socket. Calls come from a process that
 * strangers talk to, so nothing in them is believed: shapes and numbers are
 * checked here, everything else by the host (keeper.c). A call that does
 * not fit ends the worker.
 */
#include <limits.h>
#include <string.h>

#include <apr_strings.h>

#include "worker/frame.h"

/* An engine makes a step at least this often: its longest wait for a reply
 * or for a Retry-After, and room. */
#define SILENCE_MAX apr_time_from_sec(15 * 60)

/* An answer is read at once: who asked does nothing but wait for it. */
#define DEAFNESS_MAX apr_time_from_sec(60)

typedef struct server_t {
    acme_host_t *host;
    const worker_plan_t *plan;
    char *done;               /**< per job: 1 once it was reported */
    int ended;
    acme_err_t outcome;       /**< what the engine said at its end */
    const char *value;        /**< of the answer to the present call */
} server_t;

/** Handle one call. @return APR_BADARG if the call itself does not fit */
typedef apr_status_t call_fn(server_t *server, json_t *call, acme_err_t *err,
                             apr_pool_t *pool);

/** The whole number in member, if it is 0 .. limit - 1; else -1. */
static int number_below(const json_t *call, const char *member, int limit)
{
    const json_t *number = json_object_get(call, member);
    json_int_t n = json_integer_value(number);

    return json_is_integer(number) && n >= 0 && n < limit ? (int)n : -1;
}

/** Member "job". @return -1 if it is no job of the plan */
static int job_of(const server_t *server, const json_t *call)
{
    return number_below(call, "job", server->plan->jobs->nelts);
}

/** Member "ca". @return -1 if it is no CA of the plan */
static int ca_of(const server_t *server, const json_t *call)
{
    return number_below(call, "ca", server->plan->cas->nelts);
}

/** 1 if member "job" says that the request is the CA's own. */
static int is_of_no_job(const json_t *call)
{
    const json_t *job = json_object_get(call, "job");

    return json_is_integer(job) && json_integer_value(job) == -1;
}

static apr_status_t call_sign(server_t *server, json_t *call,
                              acme_err_t *err, apr_pool_t *pool)
{
    int signer = number_below(call, "signer", ACME_SIGN_CERTIFICATE + 1);
    acme_sign_t sign;

    sign.ca = ca_of(server, call);
    sign.job = job_of(server, call);
    if (json_unpack(call, "{s:s, s:s, s:s}", "url", &sign.url,
                    "nonce", &sign.nonce, "payload", &sign.payload) != 0
        || signer < 0 || sign.ca < 0
        || (sign.job < 0 && !is_of_no_job(call))) {
        return APR_BADARG;
    }
    sign.signer = (acme_signer_t)signer;
    return server->host->sign(server->host, &sign, &server->value, err,
                              pool);
}

static apr_status_t call_csr(server_t *server, json_t *call, acme_err_t *err,
                             apr_pool_t *pool)
{
    int job = job_of(server, call);

    if (job < 0) {
        return APR_BADARG;
    }
    return server->host->csr(server->host, job, &server->value, err, pool);
}

static apr_status_t call_challenge_put(server_t *server, json_t *call,
                                       acme_err_t *err, apr_pool_t *pool)
{
    int job = job_of(server, call);
    const char *type;
    const char *identifier;
    const char *token;
    json_int_t expires;

    (void)pool;
    if (json_unpack(call, "{s:s, s:s, s:s, s:I}", "type", &type,
                    "identifier", &identifier, "token", &token,
                    "expires", &expires) != 0 || job < 0) {
        return APR_BADARG;
    }
    return server->host->challenge_put(server->host, job, type, identifier,
                                       token, expires, err);
}

static apr_status_t call_challenge_remove(server_t *server, json_t *call,
                                          acme_err_t *err, apr_pool_t *pool)
{
    int job = job_of(server, call);
    const char *type;
    const char *token;

    (void)pool;
    if (json_unpack(call, "{s:s, s:s}", "type", &type, "token", &token) != 0
        || job < 0) {
        return APR_BADARG;
    }
    return server->host->challenge_remove(server->host, job, type, token,
                                          err);
}

static apr_status_t call_directory_save(server_t *server, json_t *call,
                                        acme_err_t *err, apr_pool_t *pool)
{
    const json_t *directory = json_object_get(call, "directory");
    int ca = ca_of(server, call);

    (void)pool;
    if (ca < 0 || !json_is_object(directory)) {
        return APR_BADARG;
    }
    return server->host->directory_save(server->host, ca, directory, err);
}

static apr_status_t call_account_save(server_t *server, json_t *call,
                                      acme_err_t *err, apr_pool_t *pool)
{
    const json_t *account = json_object_get(call, "account");
    const char *url = json_string_value(json_object_get(call, "url"));
    int ca = ca_of(server, call);

    (void)pool;
    if (ca < 0 || !url || !json_is_object(account)) {
        return APR_BADARG;
    }
    return server->host->account_save(server->host, ca, url, account, err);
}

static apr_status_t call_order_save(server_t *server, json_t *call,
                                    acme_err_t *err, apr_pool_t *pool)
{
    const json_t *state = json_object_get(call, "state");
    int job = job_of(server, call);

    (void)pool;
    if (job < 0 || !(json_is_object(state) || json_is_null(state))) {
        return APR_BADARG;
    }
    return server->host->order_save(server->host, job,
                                    json_is_null(state) ? NULL : state, err);
}

static apr_status_t call_certificate_save(server_t *server, json_t *call,
                                          acme_err_t *err, apr_pool_t *pool)
{
    const json_t *pem = json_object_get(call, "pem");
    int job = job_of(server, call);

    (void)pool;
    if (job < 0 || !json_is_string(pem)) {
        return APR_BADARG;
    }
    return server->host->certificate_save(server->host, job,
                                          json_string_value(pem),
                                          json_string_length(pem), err);
}

static apr_status_t call_staple_save(server_t *server, json_t *call,
                                     acme_err_t *err, apr_pool_t *pool)
{
    const char *text = json_string_value(json_object_get(call, "response"));
    int job = job_of(server, call);
    unsigned char *der;
    apr_size_t len;

    if (job < 0 || !text || strlen(text) > CRYPTO_OCSP_MAX * 4 / 3 + 4
        || base_b64url_decode(&der, &len, text, pool) != APR_SUCCESS) {
        return APR_BADARG;
    }
    return server->host->staple_save(server->host, job, der, len, err);
}

static apr_status_t call_progress(server_t *server, json_t *call,
                                  acme_err_t *err, apr_pool_t *pool)
{
    const char *step = json_string_value(json_object_get(call, "step"));
    char clean[200];
    int job = job_of(server, call);

    (void)err;
    (void)pool;
    if (job < 0 || !step) {
        return APR_BADARG;
    }
    server->host->progress(server->host, job,
                           base_clean(clean, sizeof(clean), step));
    return APR_SUCCESS;
}

/** The time in member, in µs; -1 if it is none. */
static apr_interval_time_t time_of(const json_t *call, const char *member)
{
    const json_t *time = json_object_get(call, member);

    return json_is_integer(time) ? json_integer_value(time) : -1;
}

/** What the CA took to answer. @return 0 if it makes no sense */
static int read_timing(acme_result_t *result, const json_t *call)
{
    result->replies = number_below(call, "replies", INT_MAX);
    result->latency = time_of(call, "latency");
    result->slowest = time_of(call, "slowest");
    return result->replies >= 0 && result->latency >= 0
           && result->slowest >= 0;
}

static apr_status_t call_done(server_t *server, json_t *call,
                              acme_err_t *err, apr_pool_t *pool)
{
    int job = job_of(server, call);
    acme_result_t result;

    (void)err;
    (void)pool;
    memset(&result, 0, sizeof(result));
    result.requests = number_below(call, "requests", INT_MAX);
    result.elapsed = time_of(call, "elapsed");
    if (job < 0 || server->done[job] || result.requests < 0
        || result.elapsed < 0 || !read_timing(&result, call)
        || frame_err_unpack(&result.err, json_object_get(call, "error"))
           != APR_SUCCESS) {
        return APR_BADARG;
    }
    server->done[job] = 1;
    server->host->done(server->host, job, &result);
    return APR_SUCCESS;
}

static apr_status_t call_end(server_t *server, json_t *call, acme_err_t *err,
                             apr_pool_t *pool)
{
    (void)err;
    (void)pool;
    if (frame_err_unpack(&server->outcome, json_object_get(call, "error"))
        != APR_SUCCESS) {
        return APR_BADARG;
    }
    server->ended = 1;
    return APR_SUCCESS;
}

static const struct {
    const char *name;
    call_fn *fn;
    int answered;
} calls[] = {
    { "sign", call_sign, 1 },
    { "csr", call_csr, 1 },
    { "challenge_put", call_challenge_put, 1 },
    { "challenge_remove", call_challenge_remove, 1 },
    { "directory_save", call_directory_save, 1 },
    { "account_save", call_account_save, 1 },
    { "order_save", call_order_save, 1 },
    { "certificate_save", call_certificate_save, 1 },
    { "staple_save", call_staple_save, 1 },
    { "progress", call_progress, 0 },
    { "done", call_done, 0 },
    { "end", call_end, 0 }
};

#define CALLS ((int)(sizeof(calls) / sizeof(calls[0])))

static int find_call(const json_t *call)
{
    const char *name = json_string_value(json_object_get(call, "call"));
    int i;

    for (i = 0; name && i < CALLS; i++) {
        if (strcmp(name, calls[i].name) == 0) {
            return i;
        }
    }
    return -1;
}

static apr_status_t answer(int fd, const acme_err_t *failure,
                           const char *value, acme_err_t *err)
{
    json_t *reply = json_pack("{s:o, s:s}", "error",
                              frame_err_pack(failure), "value",
                              value ? value : "");
    apr_status_t rv = frame_write(fd, reply, DEAFNESS_MAX, err);

    json_decref(reply);
    return rv;
}

static apr_status_t serve_one(server_t *server, int fd, acme_err_t *err,
                              apr_pool_t *pool)
{
    acme_err_t failure = { 0 };
    json_t *call;
    apr_status_t rv;
    int i;

    rv = frame_read(&call, fd, SILENCE_MAX, err, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    i = find_call(call);
    server->value = NULL;
    rv = i < 0 ? APR_BADARG : calls[i].fn(server, call, &failure, pool);
    if (rv == APR_BADARG && failure.status == APR_SUCCESS) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "the network process sent a call that makes no "
                            "sense (%s); it was stopped",
                            i < 0 ? "unknown" : calls[i].name);
    }
    if (rv != APR_SUCCESS) {
        base_err_set(&failure, rv, BASE_EXIT_FAILED,
                     "the keeper failed without a reason (%s)",
                     calls[i].name);
    }
    return calls[i].answered ? answer(fd, &failure, server->value, err)
                             : APR_SUCCESS;
}

apr_status_t serve_calls(int fd, acme_host_t *host,
                         const worker_plan_t *plan, char *done, int *pended,
                         acme_err_t *err, apr_pool_t *scratch_pool)
{
    server_t server = { 0 };
    apr_status_t rv = APR_SUCCESS;
    apr_pool_t *iterpool;

    server.host = host;
    server.plan = plan;
    server.done = done;
    apr_pool_create(&iterpool, scratch_pool);
    while (rv == APR_SUCCESS && !server.ended) {
        apr_pool_clear(iterpool);
        rv = serve_one(&server, fd, err, iterpool);
    }
    apr_pool_destroy(iterpool);
    *pended = server.ended;
    if (rv == APR_SUCCESS && server.outcome.status != APR_SUCCESS) {
        *err = server.outcome;
        rv = err->status;
    }
    return rv;
}
