/*
 * proxy.c: the engine's host on the net worker's side of the socket. Each
 * call is one frame and, but for progress and done, one answer.
 */
#include <string.h>

#include <apr_strings.h>

#include "worker/frame.h"

typedef struct proxy_t {
    acme_host_t host;
    int fd;
    apr_pool_t *pool;    /**< cleared after each call */
} proxy_t;

/** Send call and read the answer's two members. */
static apr_status_t exchange(proxy_t *proxy, const json_t *call,
                             acme_err_t *theirs, const char **pvalue,
                             acme_err_t *err)
{
    json_t *answer;
    apr_status_t rv;

    rv = frame_write(proxy->fd, call, -1, err);
    if (rv == APR_SUCCESS) {
        rv = frame_read(&answer, proxy->fd, -1, err, proxy->pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pvalue = json_string_value(json_object_get(answer, "value"));
    if (!*pvalue || frame_err_unpack(theirs, json_object_get(answer,
                                                             "error"))
                    != APR_SUCCESS) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "the keeper's answer cannot be read");
    }
    return APR_SUCCESS;
}

/**
 * Send call (taken) and wait for its answer.
 * @param pvalue  nullable: the answer's "value", copied to result_pool
 */
static apr_status_t ask(proxy_t *proxy, json_t *call, const char **pvalue,
                        acme_err_t *err, apr_pool_t *result_pool)
{
    acme_err_t theirs;
    const char *value;
    apr_status_t rv;

    if (!call) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "a message to the keeper is not UTF-8");
    }
    base_json_own(call, proxy->pool);
    rv = exchange(proxy, call, &theirs, &value, err);
    if (rv == APR_SUCCESS && theirs.status != APR_SUCCESS) {
        if (err->status == APR_SUCCESS) {
            *err = theirs;
        }
        rv = theirs.status;
    }
    if (rv == APR_SUCCESS && pvalue) {
        *pvalue = apr_pstrdup(result_pool, value);
    }
    apr_pool_clear(proxy->pool);
    return rv;
}

/**
 * ask with a call that holds what a CA made. What was within the limits of
 * JSON alone need not be so inside a frame, or when jansson has written it
 * again (numbers grow); the keeper ends a worker that sends such a frame,
 * and one CA must not end the orders at the others.
 */
static apr_status_t ask_foreign(proxy_t *proxy, json_t *call,
                                const char *what, acme_err_t *err)
{
    const char *text = call ? base_json_text(call, proxy->pool) : NULL;
    json_t *again;
    apr_status_t rv;

    if (text) {
        rv = base_json_parse(&again, text, strlen(text), FRAME_MAX, what,
                             err, proxy->pool);
        if (rv != APR_SUCCESS) {
            json_decref(call);
            apr_pool_clear(proxy->pool);
            return rv;
        }
    }
    return ask(proxy, call, NULL, err, NULL);
}

static apr_status_t proxy_sign(acme_host_t *host, const acme_sign_t *sign,
                               const char **pjws, acme_err_t *err,
                               apr_pool_t *result_pool)
{
    return ask((proxy_t *)host,
               json_pack("{s:s, s:i, s:i, s:i, s:s, s:s, s:s}",
                         "call", "sign", "signer", (int)sign->signer,
                         "ca", sign->ca, "job", sign->job, "url", sign->url,
                         "nonce", sign->nonce, "payload", sign->payload),
               pjws, err, result_pool);
}

static apr_status_t proxy_csr(acme_host_t *host, int job, const char **pcsr,
                              acme_err_t *err, apr_pool_t *result_pool)
{
    return ask((proxy_t *)host,
               json_pack("{s:s, s:i}", "call", "csr", "job", job),
               pcsr, err, result_pool);
}

static apr_status_t proxy_challenge_put(acme_host_t *host, int job,
                                        const char *type,
                                        const char *identifier,
                                        const char *token,
                                        apr_time_t expires, acme_err_t *err)
{
    return ask((proxy_t *)host,
               json_pack("{s:s, s:i, s:s, s:s, s:s, s:I}",
                         "call", "challenge_put", "job", job, "type", type,
                         "identifier", identifier, "token", token,
                         "expires", (json_int_t)expires),
               NULL, err, NULL);
}

static apr_status_t proxy_challenge_remove(acme_host_t *host, int job,
                                           const char *type,
                                           const char *token,
                                           acme_err_t *err)
{
    return ask((proxy_t *)host,
               json_pack("{s:s, s:i, s:s, s:s}", "call", "challenge_remove",
                         "job", job, "type", type, "token", token),
               NULL, err, NULL);
}

static apr_status_t proxy_directory_save(acme_host_t *host, int ca,
                                         const json_t *directory,
                                         acme_err_t *err)
{
    return ask_foreign((proxy_t *)host,
                       json_pack("{s:s, s:i, s:O}", "call",
                                 "directory_save", "ca", ca, "directory",
                                 (json_t *)directory),
                       "the CA's directory", err);
}

static apr_status_t proxy_account_save(acme_host_t *host, int ca,
                                       const char *url,
                                       const json_t *account,
                                       acme_err_t *err)
{
    return ask_foreign((proxy_t *)host,
                       json_pack("{s:s, s:i, s:s, s:O}", "call",
                                 "account_save", "ca", ca, "url", url,
                                 "account", (json_t *)account),
                       "the CA's account object", err);
}

static apr_status_t proxy_order_save(acme_host_t *host, int job,
                                     const json_t *state, acme_err_t *err)
{
    json_t *call = json_pack("{s:s, s:i}", "call", "order_save", "job", job);

    json_object_set_new(call, "state", state ? json_incref((json_t *)state)
                                             : json_null());
    return ask((proxy_t *)host, call, NULL, err, NULL);
}

/** 1 if pem is of the characters that PEM is made of. */
static int is_pem_text(const char *pem, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if ((pem[i] < ' ' || pem[i] > '~') && pem[i] != '\t'
            && pem[i] != '\r' && pem[i] != '\n') {
            return 0;
        }
    }
    return 1;
}

static apr_status_t proxy_certificate_save(acme_host_t *host, int job,
                                           const char *pem, apr_size_t len,
                                           acme_err_t *err)
{
    if (len > CRYPTO_CHAIN_MAX || !is_pem_text(pem, len)) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "what the CA sent as certificate is not PEM "
                            "text of at most %d bytes; try again, then "
                            "report it to the CA", CRYPTO_CHAIN_MAX);
    }
    return ask((proxy_t *)host,
               json_pack("{s:s, s:i, s:s%}", "call", "certificate_save",
                         "job", job, "pem", pem, len),
               NULL, err, NULL);
}

static apr_status_t proxy_staple_save(acme_host_t *host, int job,
                                      const unsigned char *der,
                                      apr_size_t len, acme_err_t *err)
{
    proxy_t *proxy = (proxy_t *)host;

    return ask(proxy,
               json_pack("{s:s, s:i, s:s}", "call", "staple_save", "job",
                         job, "response", base_b64url_encode(der, len,
                                                             proxy->pool)),
               NULL, err, NULL);
}

/** Send call (taken); nobody answers, and a lost keeper shows at the next
 *  call that is answered. */
static void tell(proxy_t *proxy, json_t *call)
{
    acme_err_t ignored = { 0 };

    if (call) {
        frame_write(proxy->fd, call, -1, &ignored);
        json_decref(call);
    }
}

static void proxy_progress(acme_host_t *host, int job, const char *step)
{
    tell((proxy_t *)host,
         json_pack("{s:s, s:i, s:s}", "call", "progress", "job", job,
                   "step", step));
}

static void proxy_done(acme_host_t *host, int job,
                       const acme_result_t *result)
{
    tell((proxy_t *)host,
         json_pack("{s:s, s:i, s:i, s:I, s:i, s:I, s:I, s:o}", "call",
                   "done", "job", job, "requests", result->requests,
                   "elapsed", (json_int_t)result->elapsed,
                   "replies", result->replies,
                   "latency", (json_int_t)result->latency,
                   "slowest", (json_int_t)result->slowest,
                   "error", frame_err_pack(&result->err)));
}

apr_status_t proxy_end(int fd, const acme_err_t *outcome, acme_err_t *err)
{
    json_t *call = json_pack("{s:s, s:o}", "call", "end", "error",
                             frame_err_pack(outcome));
    apr_status_t rv = frame_write(fd, call, -1, err);

    json_decref(call);
    return rv;
}

acme_host_t *proxy_host_make(int fd, apr_pool_t *pool)
{
    proxy_t *proxy = apr_pcalloc(pool, sizeof(*proxy));

    proxy->fd = fd;
    apr_pool_create(&proxy->pool, pool);
    proxy->host.sign = proxy_sign;
    proxy->host.csr = proxy_csr;
    proxy->host.challenge_put = proxy_challenge_put;
    proxy->host.challenge_remove = proxy_challenge_remove;
    proxy->host.directory_save = proxy_directory_save;
    proxy->host.account_save = proxy_account_save;
    proxy->host.order_save = proxy_order_save;
    proxy->host.certificate_save = proxy_certificate_save;
    proxy->host.staple_save = proxy_staple_save;
    proxy->host.progress = proxy_progress;
    proxy->host.done = proxy_done;
    return &proxy->host;
}
