/*
 * curl.c: the transport that speaks to real CAs, over libcurl's multi
 * interface: one event loop, no thread, no blocking call but the wait for
 * the next event.
 */
#include "http/curl.h"

#include <string.h>

#include <apr_strings.h>

/** Connections to one CA that does not speak HTTP/2. */
#define HOST_CONNECTIONS_MAX 20

#define CONNECT_TIMEOUT (10 * APR_USEC_PER_SEC)
#define TOTAL_TIMEOUT (60 * APR_USEC_PER_SEC)

long http_curl_ms(apr_interval_time_t us)
{
    return us <= 0 ? 1 : (long)((us + 999) / 1000);
}

/** Deliver all that ended. @return how many */
static int transport_deliver(curl_transport_t *self)
{
    CURLMsg *msg;
    int left;
    int delivered = 0;

    while ((msg = curl_multi_info_read(self->multi, &left)) != NULL) {
        char *t = NULL;
        CURLcode code = msg->data.result;

        if (msg->msg == CURLMSG_DONE) {
            curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t);
            delivered += http_transfer_end((transfer_t *)t, code);
        }
    }
    return delivered;
}

static apr_status_t request_check(const curl_transport_t *self,
                                  const http_request_t *request,
                                  acme_err_t *err)
{
    if (strcmp(request->method, "GET") != 0
        && strcmp(request->method, "HEAD") != 0
        && strcmp(request->method, "POST") != 0) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "cannot send %s to %s: only GET, HEAD and POST "
                            "are spoken with a CA", request->method,
                            request->url);
    }
    return self->options.responder ? base_url_check_plain(request->url, err)
                                   : base_url_check(request->url, err);
}

static apr_status_t curl_submit(http_transport_t *transport,
                                const http_request_t *request,
                                http_done_fn *done, void *baton,
                                acme_err_t *err, apr_pool_t *pool)
{
    curl_transport_t *self = (curl_transport_t *)transport;
    transfer_t *t;
    CURLcode rv;

    if (request_check(self, request, err) != APR_SUCCESS) {
        return err->status;
    }
    t = http_transfer_take(self);
    if (!t) {
        return base_err_set(err, APR_ENOMEM, BASE_EXIT_FAILED,
                            "cannot send a request to %s: out of memory",
                            request->url);
    }
    rv = http_transfer_submit(t, request, done, baton, pool);
    if (rv != CURLE_OK) {
        return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                            "cannot send a request to %s: %s", request->url,
                            curl_easy_strerror(rv));
    }
    return APR_SUCCESS;
}

/** Sleep until something can be carried on or until has come. */
static CURLMcode transport_sleep(curl_transport_t *self, apr_time_t until,
                                 apr_time_t now)
{
    /* libcurl wakes up earlier by itself when one of its timers is due. */
    apr_interval_time_t most = APR_USEC_PER_SEC;

    return curl_multi_poll(self->multi, NULL, 0,
                           (int)http_curl_ms(until - now < most ? until - now
                                                         : most), NULL);
}

static apr_status_t curl_wait(http_transport_t *transport, apr_time_t until,
                              acme_err_t *err)
{
    curl_transport_t *self = (curl_transport_t *)transport;
    CURLMcode rv;

    for (;;) {
        apr_time_t now;
        int running;

        rv = curl_multi_perform(self->multi, &running);
        if (rv != CURLM_OK || transport_deliver(self)) {
            break;
        }
        now = self->clock->mono(self->clock);
        if (now >= until) {
            break;
        }
        http_transfers_watch(self, now);
        rv = transport_sleep(self, until, now);
        if (rv != CURLM_OK) {
            break;
        }
    }
    if (rv != CURLM_OK) {
        return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                            "cannot carry requests: %s",
                            curl_multi_strerror(rv));
    }
    return APR_SUCCESS;
}

static apr_status_t transport_cleanup(void *data)
{
    curl_transport_t *self = data;

    http_transfers_free(self);
    curl_multi_cleanup(self->multi);
    curl_global_cleanup();
    return APR_SUCCESS;
}

static void options_copy(http_options_t *to, const http_options_t *from,
                         apr_pool_t *pool)
{
    to->user_agent = apr_pstrdup(pool, from->user_agent);
    to->proxy = apr_pstrdup(pool, from->proxy);
    to->responder = from->responder;
    to->connect_timeout = from->connect_timeout ? from->connect_timeout
                                                : CONNECT_TIMEOUT;
    to->total_timeout = from->total_timeout ? from->total_timeout
                                            : TOTAL_TIMEOUT;
}

apr_status_t http_curl_make(http_transport_t **ptransport,
                            const http_options_t *options,
                            base_clock_t *clock, acme_err_t *err,
                            apr_pool_t *result_pool)
{
    curl_transport_t *self = apr_pcalloc(result_pool, sizeof(*self));

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                            "cannot start libcurl");
    }
    self->multi = curl_multi_init();
    if (!self->multi) {
        curl_global_cleanup();
        return base_err_set(err, APR_ENOMEM, BASE_EXIT_FAILED,
                            "cannot start libcurl: out of memory");
    }
    apr_pool_cleanup_register(result_pool, self, transport_cleanup,
                              apr_pool_cleanup_null);
    self->clock = clock;
    options_copy(&self->options, options, result_pool);
    curl_multi_setopt(self->multi, CURLMOPT_PIPELINING,
                      (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(self->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                      (long)HOST_CONNECTIONS_MAX);
    self->transport.submit = curl_submit;
    self->transport.wait = curl_wait;
    *ptransport = &self->transport;
    return APR_SUCCESS;
}
