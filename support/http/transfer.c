/*
 * transfer.c: one request from submit to done. Its easy handle is used
 * again and again; connections belong to the multi handle. libcurl
 * compares the trust roots of a connection with those of the request, so
 * one made with other roots is never shared.
 */
#include "http/curl.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/** A silence: this part of the total timeout without a byte; after the other
 *  the connection is in doubt. */
#define SILENCE_PART 20
#define DOUBT_PART 2

transfer_t *http_transfer_take(curl_transport_t *owner)
{
    transfer_t *t = owner->idle;

    if (t) {
        owner->idle = t->next_idle;
        return t;
    }
    t = calloc(1, sizeof(*t));
    if (!t) {
        return NULL;
    }
    t->easy = curl_easy_init();
    if (!t->easy) {
        free(t);
        return NULL;
    }
    t->owner = owner;
    t->next = owner->all;
    owner->all = t;
    return t;
}

/** The transfer carries nothing any more; its connection stays open. */
static void transfer_release(transfer_t *t)
{
    curl_transport_t *self = t->owner;

    curl_easy_reset(t->easy);
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    t->pool = NULL;
    t->response = NULL;
    t->next_idle = self->idle;
    self->idle = t;
}

/** Append "Name: value"; the list is unchanged when memory is short. */
static CURLcode headers_add(transfer_t *t, const char *name,
                            const char *value)
{
    struct curl_slist *list;

    list = curl_slist_append(t->headers,
                             apr_pstrcat(t->pool, name, value, NULL));
    if (!list) {
        return CURLE_OUT_OF_MEMORY;
    }
    t->headers = list;
    return CURLE_OK;
}

/** Set an option unless an earlier one failed. */
#define SET(option, value) do {                                        \
        if (rv == CURLE_OK) {                                          \
            rv = curl_easy_setopt(t->easy, (option), (value));         \
        }                                                              \
    } while (0)

/** https and nothing else (http, too, for OCSP responders alone: what they
 *  send is signed), for the request and for what libcurl might ever follow
 *  by itself. */
static CURLcode set_protocols(transfer_t *t)
{
    int plain = t->owner->options.responder;
    CURLcode rv = CURLE_OK;

#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, plain ? "http,https" : "https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "https");
#else
    SET(CURLOPT_PROTOCOLS, plain ? (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)
                                 : (long)CURLPROTO_HTTPS);
    SET(CURLOPT_REDIR_PROTOCOLS, (long)CURLPROTO_HTTPS);
#endif
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    return rv;
}

/** TLS 1.2 or later, certificate and name verified against roots alone
 *  where they are given. */
static CURLcode set_tls(transfer_t *t, const char *roots)
{
    CURLcode rv = CURLE_OK;

    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (roots) {
        struct curl_blob blob;

        blob.data = (void *)roots;
        blob.len = strlen(roots);
        blob.flags = CURL_BLOB_NOCOPY;
        SET(CURLOPT_CAINFO, NULL);
        SET(CURLOPT_CAPATH, NULL);
        SET(CURLOPT_CAINFO_BLOB, &blob);
    }
    return rv;
}

/** One HTTP/2 connection for all; no proxy but the configured one. */
static CURLcode set_connection(transfer_t *t, const http_options_t *options)
{
    CURLcode rv = CURLE_OK;

    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_PIPEWAIT, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROXY, options->proxy ? options->proxy : "");
    SET(CURLOPT_NOPROXY, "");
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_USERAGENT, options->user_agent);
    SET(CURLOPT_CONNECTTIMEOUT_MS, http_curl_ms(options->connect_timeout));
    /* A CA may think for long before its first byte, so a stall is given
     * three quarters of the whole time. */
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(CURLOPT_LOW_SPEED_TIME,
        (http_curl_ms(options->total_timeout) * 3 / 4 + 999) / 1000);
    return rv;
}

static CURLcode set_callbacks(transfer_t *t)
{
    CURLcode rv = CURLE_OK;

    SET(CURLOPT_PRIVATE, (char *)t);
    SET(CURLOPT_ERRORBUFFER, t->reason);
    SET(CURLOPT_HEADERFUNCTION, http_reply_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, http_reply_body);
    SET(CURLOPT_WRITEDATA, t);
    return rv;
}

static CURLcode set_method(transfer_t *t, const http_request_t *request)
{
    CURLcode rv = CURLE_OK;

    if (strcmp(request->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
        return rv;
    }
    /* 0 would mean "no limit"; http_reply_body counts in any case. */
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->max);
    if (strcmp(request->method, "GET") == 0) {
        SET(CURLOPT_HTTPGET, 1L);
        return rv;
    }
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
    SET(CURLOPT_COPYPOSTFIELDS, request->body ? request->body : "");
    return rv;
}

/** RFC 8555 6.1: Accept-Language. "Name:" alone makes libcurl omit it. */
static CURLcode set_headers(transfer_t *t, const http_request_t *request)
{
    CURLcode rv = headers_add(t, "Accept-Language: en", "");

    if (rv == CURLE_OK) {
        rv = headers_add(t, "Expect:", "");
    }
    if (rv == CURLE_OK) {
        rv = request->content_type
            ? headers_add(t, "Content-Type: ", request->content_type)
            : headers_add(t, "Content-Type:", "");
    }
    if (rv == CURLE_OK && request->accept) {
        rv = headers_add(t, "Accept: ", request->accept);
    }
    SET(CURLOPT_HTTPHEADER, t->headers);
    return rv;
}

/** 1 if a request is on a connection that may be dead: then the next one
 *  takes another. */
static int in_doubt(const curl_transport_t *self)
{
    const transfer_t *t;

    for (t = self->all; t; t = t->next) {
        if (t->pool && t->doubted) {
            return 1;
        }
    }
    return 0;
}

/** Put the transfer on its way to t->url. */
static CURLcode transfer_start(transfer_t *t)
{
    curl_transport_t *self = t->owner;
    apr_time_t now = self->clock->mono(self->clock);
    CURLcode rv = CURLE_OK;

    t->quiet = now;
    t->moved = 0;
    t->nudged = 0;
    t->doubted = 0;
    http_reply_restart(t);
    t->reason[0] = '\0';
    SET(CURLOPT_URL, t->url);
    /* "sent byte for byte": no squeezing of dot segments. */
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_TIMEOUT_MS, http_curl_ms(t->deadline - now));
    SET(CURLOPT_FRESH_CONNECT, (long)in_doubt(self));
    if (rv == CURLE_OK
        && curl_multi_add_handle(self->multi, t->easy) != CURLM_OK) {
        rv = CURLE_OUT_OF_MEMORY;
    }
    return rv;
}

static CURLcode transfer_prepare(transfer_t *t,
                                 const http_request_t *request)
{
    CURLcode rv = set_protocols(t);

    if (rv == CURLE_OK) {
        rv = set_tls(t, request->roots);
    }
    if (rv == CURLE_OK) {
        rv = set_connection(t, &t->owner->options);
    }
    if (rv == CURLE_OK) {
        rv = set_callbacks(t);
    }
    if (rv == CURLE_OK) {
        rv = set_method(t, request);
    }
    if (rv == CURLE_OK) {
        rv = set_headers(t, request);
    }
    return rv;
}

static void transfer_init(transfer_t *t, const http_request_t *request,
                          apr_pool_t *pool)
{
    curl_transport_t *self = t->owner;

    t->pool = pool;
    t->url = apr_pstrdup(pool, request->url);
    t->max = request->max;
    t->redirects = strcmp(request->method, "GET") == 0
        ? request->redirects : 0;
    t->deadline = self->clock->mono(self->clock)
        + self->options.total_timeout;
    t->response = apr_palloc(pool, sizeof(*t->response));
    t->header_lines = 0;
    t->header_bytes = 0;
    t->refused = NULL;
}

CURLcode http_transfer_submit(transfer_t *t, const http_request_t *request,
                              http_done_fn *done, void *baton,
                              apr_pool_t *pool)
{
    CURLcode rv;

    transfer_init(t, request, pool);
    t->done = done;
    t->baton = baton;
    rv = transfer_prepare(t, request);
    if (rv == CURLE_OK) {
        rv = transfer_start(t);
    }
    if (rv != CURLE_OK) {
        transfer_release(t);
    }
    return rv;
}

static int is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307
        || status == 308;
}

/**
 * Follow a redirect within the CA's own origin.
 * @return APR_SUCCESS when the transfer is on its way again
 */
static apr_status_t redirect_follow(transfer_t *t, acme_err_t *err)
{
    const char *to = base_url_resolve(t->url, t->response->location, t->pool);
    acme_err_t ignored;
    CURLcode rv;

    base_err_clear(&ignored);
    if (!to || base_url_check(to, &ignored) != APR_SUCCESS
        || !base_url_same_origin(t->url, to)) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s redirects to %s, which is not https on the "
                            "same host and port; set "
                            "ACMECertificateAuthority to the final URL",
                            t->url, t->response->location);
    }
    t->redirects--;
    t->url = to;
    rv = transfer_start(t);
    if (rv != CURLE_OK) {
        http_failure(err, t, rv);
    }
    return err->status;
}

/** @return 1 when the transfer is over and err or t->response is final */
static int transfer_arrived(transfer_t *t, CURLcode code, acme_err_t *err)
{
    long status = 0;

    if (code == CURLE_OK && !t->headers_ended) {
        /* libcurl takes the end of the connection for theirs. */
        apr_cpystrn(t->reason, "its headers have no end", sizeof(t->reason));
        code = CURLE_PARTIAL_FILE;
    }
    if (code != CURLE_OK) {
        http_failure(err, t, code);
        return 1;
    }
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (t->redirects && is_redirect((int)status) && t->response->location) {
        return redirect_follow(t, err) != APR_SUCCESS;
    }
    http_reply_finish(t, (int)status);
    return 1;
}

/*
 * The end of a pause makes libcurl read, and write what it has kept back,
 * without asking the socket; CURLOPT_LOW_SPEED_TIME begins anew. Neither
 * call can fail here; if one did, the time limits would still hold.
 */
static void transfer_nudge(transfer_t *t)
{
    curl_off_t sent = 0;

    curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
    if (sent) {
        (void)curl_easy_pause(t->easy, CURLPAUSE_RECV);
        (void)curl_easy_pause(t->easy, CURLPAUSE_CONT);
    }
}

/*
 * An HTTP/2 connection whose way is lost (a router forgot it) looks alive
 * for ever: a request that fails on it would be tried again on it. What it
 * carries is told not to leave it behind; libcurl closes it with the last.
 */
static void transfer_doubt(transfer_t *t)
{
    t->doubted = 1;
    (void)curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
}

/** One has been given up: so may be the connection of all that are quiet. */
static void doubt_all(curl_transport_t *owner)
{
    transfer_t *t;

    for (t = owner->all; t; t = t->next) {
        if (t->pool && t->nudged) {
            transfer_doubt(t);
        }
    }
}

int http_transfer_end(transfer_t *t, CURLcode code)
{
    http_done_fn *done = t->done;
    void *baton = t->baton;
    const http_response_t *response;
    acme_err_t err;

    base_err_clear(&err);
    if (code == CURLE_OPERATION_TIMEDOUT) {
        doubt_all(t->owner);
    }
    curl_multi_remove_handle(t->owner->multi, t->easy);
    if (!transfer_arrived(t, code, &err)) {
        return 0;
    }
    response = err.status == APR_SUCCESS ? t->response : NULL;
    /* From here on the transfer may serve a request that done submits. */
    transfer_release(t);
    done(baton, response, &err);
    return 1;
}

/*
 * libcurl can have read the end of one reply together with the beginning of
 * others, and then forget these: 7.88 does when that reply is longer than
 * its buffer. Nothing more comes for them, so nothing wakes them, and every
 * request of that HTTP/2 connection would wait for its time limit. Once in
 * each silence they are told to look.
 */
void http_transfers_watch(curl_transport_t *owner, apr_time_t now)
{
    apr_interval_time_t total = owner->options.total_timeout;
    transfer_t *t;

    for (t = owner->all; t; t = t->next) {
        if (!t->pool) {
            continue;
        }
        if (t->moved) {
            t->moved = 0;
            t->nudged = 0;
            t->quiet = now;
        }
        else if (!t->nudged && now - t->quiet >= total / SILENCE_PART) {
            t->nudged = 1;
            transfer_nudge(t);
        }
        else if (!t->doubted && now - t->quiet >= total / DOUBT_PART) {
            transfer_doubt(t);
        }
    }
}

void http_transfers_free(curl_transport_t *owner)
{
    transfer_t *t = owner->all;

    while (t) {
        transfer_t *next = t->next;

        curl_multi_remove_handle(owner->multi, t->easy);
        curl_easy_cleanup(t->easy);
        curl_slist_free_all(t->headers);
        free(t->body);
        free(t);
        t = next;
    }
}
