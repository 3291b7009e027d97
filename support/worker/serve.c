/*
 * serve.c: the keeper's side of the socket. Calls come from a process that
 * strangers talk to, so nothing in them is believed: shapes and numbers are
 * checked here, everything else by the host (keeper.c). A call that does
 * not fit ends the worker.
 */
#include <string.h>

#include <apr_strings.h>

#include "worker/frame.h"

/* An engine makes a step at least this often: its longest wait for a reply
 * or for a Retry-After, and room. */
#define SILENCE_MAX apr_time_from_sec(15 * 60)

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

static int is_job(const server_t *server, int job)
{
    return job >= 0 && job < server->plan->jobs->nelts;
}

static int is_ca(const server_t *server, int ca)
{
    return ca >= 0 && ca < server->plan->cas->nelts;
}

static apr_status_t call_sign(server_t *server, json_t *call,
                              acme_err_t *err, apr_pool_t *pool)
{
    acme_sign_t sign;
    int signer;

    if (json_unpack(call, "{s:i, s:i, s:i, s:s, s:s, s:s}",
                    "signer", &signer, "ca", &sign.ca, "job", &sign.job,
                    "url", &sign.url, "nonce", &sign.nonce,
                    "payload", &sign.payload) != 0
        || signer < ACME_SIGN_ACCOUNT || signer > ACME_SIGN_CERTIFICATE
        || !is_ca(server, sign.ca)
        || (sign.job != -1 && !is_job(server, sign.job))) {
        return APR_BADARG;
    }
    sign.signer = (acme_signer_t)signer;
    return server->host->sign(server->host, &sign, &server->value, err,
                              pool);
}

static apr_status_t call_csr(server_t *server, json_t *call, acme_err_t *err,
                             apr_pool_t *pool)
{
    int job;

    if (json_unpack(call, "{s:i}", "job", &job) != 0
        || !is_job(server, job)) {
        return APR_BADARG;
    }
    return server->host->csr(server->host, job, &server->value, err, pool);
}

static apr_status_t call_challenge_put(server_t *server, json_t *call,
                                       acme_err_t *err, apr_pool_t *pool)
{
    const char *type;
    const char *identifier;
    const char *token;
    json_int_t expires;
    int job;

    (void)pool;
    if (json_unpack(call, "{s:i, s:s, s:s, s:s, s:I}", "job", &job,
                    "type", &type, "identifier", &identifier,
                    "token", &token, "expires", &expires) != 0
        || !is_job(server, job)) {
        return APR_BADARG;
    }
    return server->host->challenge_put(server->host, job, type, identifier,
                                       token, expires, err);
}

static apr_status_t call_challenge_remove(server_t *server, json_t *call,
                                          acme_err_t *err, apr_pool_t *pool)
{
    const char *type;
    const char *token;
    int job;

    (void)pool;
    if (json_unpack(call, "{s:i, s:s, s:s}", "job", &job, "type", &type,
                    "token", &token) != 0 || !is_job(server, job)) {
        return APR_BADARG;
    }
    return server->host->challenge_remove(server->host, job, type, token,
                                          err);
}

static apr_status_t call_directory_save(server_t *server, json_t *call,
                                        acme_err_t *err, apr_pool_t *pool)
{
    json_t *directory;
    int ca;

    (void)pool;
    if (json_unpack(call, "{s:i, s:o}", "ca", &ca, "directory",
                    &directory) != 0
        || !is_ca(server, ca) || !json_is_object(directory)) {
        return APR_BADARG;
    }
    return server->host->directory_save(server->host, ca, directory, err);
}

static apr_status_t call_account_save(server_t *server, json_t *call,
                                      acme_err_t *err, apr_pool_t *pool)
{
    const char *url;
    json_t *account;
    int ca;

    (void)pool;
    if (json_unpack(call, "{s:i, s:s, s:o}", "ca", &ca, "url", &url,
                    "account", &account) != 0
        || !is_ca(server, ca) || !json_is_object(account)) {
        return APR_BADARG;
    }
    return server->host->account_save(server->host, ca, url, account, err);
}

static apr_status_t call_order_save(server_t *server, json_t *call,
                                    acme_err_t *err, apr_pool_t *pool)
{
    json_t *state;
    int job;

    (void)pool;
    if (json_unpack(call, "{s:i, s:o}", "job", &job, "state", &state) != 0
        || !is_job(server, job)
        || !(json_is_object(state) || json_is_null(state))) {
        return APR_BADARG;
    }
    return server->host->order_save(server->host, job,
                                    json_is_null(state) ? NULL : state, err);
}

static apr_status_t call_certificate_save(server_t *server, json_t *call,
                                          acme_err_t *err, apr_pool_t *pool)
{
    const char *pem;
    size_t len;
    int job;

    (void)pool;
    if (json_unpack(call, "{s:i, s:s%}", "job", &job, "pem", &pem,
                    &len) != 0 || !is_job(server, job)) {
        return APR_BADARG;
    }
    return server->host->certificate_save(server->host, job, pem, len, err);
}

static apr_status_t call_progress(server_t *server, json_t *call,
                                  acme_err_t *err, apr_pool_t *pool)
{
    const char *step;
    int job;

    (void)err;
    (void)pool;
    if (json_unpack(call, "{s:i, s:s}", "job", &job, "step", &step) != 0
        || !is_job(server, job)) {
        return APR_BADARG;
    }
    server->host->progress(server->host, job, step);
    return APR_SUCCESS;
}

static apr_status_t call_done(server_t *server, json_t *call,
                              acme_err_t *err, apr_pool_t *pool)
{
    acme_result_t result;
    json_int_t elapsed;
    json_t *error;
    int job;

    (void)err;
    (void)pool;
    memset(&result, 0, sizeof(result));
    if (json_unpack(call, "{s:i, s:i, s:I, s:o}", "job", &job,
                    "requests", &result.requests, "elapsed", &elapsed,
                    "error", &error) != 0
        || !is_job(server, job) || server->done[job]
        || frame_err_unpack(&result.err, error) != APR_SUCCESS) {
        return APR_BADARG;
    }
    result.elapsed = elapsed;
    server->done[job] = 1;
    server->host->done(server->host, job, &result);
    return APR_SUCCESS;
}

static apr_status_t call_end(server_t *server, json_t *call, acme_err_t *err,
                             apr_pool_t *pool)
{
    (void)err;
    (void)pool;
    server->ended = 1;
    return frame_err_unpack(&server->outcome,
                            json_object_get(call, "error")) == APR_SUCCESS
           ? APR_SUCCESS : APR_BADARG;
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
    apr_status_t rv = frame_write(fd, reply, err);

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
    if (rv == APR_BADARG) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "the network process sent a call that makes no "
                            "sense (%s); it was stopped",
                            i < 0 ? "unknown" : calls[i].name);
    }
    return calls[i].answered ? answer(fd, &failure, server->value, err)
                             : APR_SUCCESS;
}

apr_status_t serve_calls(int fd, acme_host_t *host,
                         const worker_plan_t *plan, char *done,
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
    if (rv == APR_SUCCESS && server.outcome.status != APR_SUCCESS) {
        *err = server.outcome;
        rv = err->status;
    }
    return rv;
}
