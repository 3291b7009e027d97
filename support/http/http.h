/*
 * http: requests to a CA, and to OCSP responders. The only room of acmectl
 * that includes libcurl.
 *
 * A transport carries any number of requests at once on one event loop; no
 * thread, no blocking wait. Two implementations: http_curl_make() and the
 * scripted one of the unit tests.
 */
#ifndef ACME_HTTP_H
#define ACME_HTTP_H

#include "base/base.h"

/** One request. Everything is copied by submit. */
typedef struct http_request_t {
    const char *method;        /**< "GET", "HEAD" or "POST" */
    const char *url;           /**< https (or http, where the transport's
                                    options say so); sent byte for byte */
    const char *content_type;  /**< nullable; of body */
    const char *accept;        /**< nullable */
    const char *body;          /**< nullable */
    apr_size_t body_len;       /**< bytes */
    apr_size_t max;            /**< largest body accepted in reply, bytes */
    int redirects;             /**< how many redirects to follow (GET) */
    const char *roots;         /**< nullable: PEM trust roots; NULL = the
                                    system's; borrowed until done */
} http_request_t;

/** One reply, whatever its status. Header values are at most 2048 bytes of
 *  printable ASCII; others read as absent. */
typedef struct http_response_t {
    int status;                    /**< 100..599 */
    const char *url;               /**< after redirects */
    const char *content_type;      /**< nullable */
    const char *location;          /**< nullable, as received */
    const char *replay_nonce;      /**< nullable, as received */
    const char *retry_after;       /**< nullable, as received */
    apr_array_header_t *links;     /**< of const char *: Link values */
    const char *body;              /**< NUL behind the last byte */
    apr_size_t body_len;           /**< bytes */
    apr_interval_time_t elapsed;   /**< from sending to the reply's end,
                                        connection set-up excluded */
} http_response_t;

/**
 * Called once per submitted request, from wait().
 *
 * @param response  NULL when no reply came; lives in the pool of submit
 * @param err       then says why; exit is BASE_EXIT_BUSY for a CA that
 *                  cannot be reached, BASE_EXIT_FAILED for one whose TLS
 *                  certificate is not trusted
 */
typedef void http_done_fn(void *baton, const http_response_t *response,
                          const acme_err_t *err);

typedef struct http_transport_t http_transport_t;
struct http_transport_t {
    /** Start a request. The reply is allocated in pool, which must live
     *  until done was called; done is never called from submit itself. */
    apr_status_t (*submit)(http_transport_t *transport,
                           const http_request_t *request,
                           http_done_fn *done, void *baton, acme_err_t *err,
                           apr_pool_t *pool);
    /** Carry requests until at least one is done or until (mono clock,
     *  µs) has come. @return APR_SUCCESS in both cases */
    apr_status_t (*wait)(http_transport_t *transport, apr_time_t until,
                         acme_err_t *err);
};

/** What every request of a transport shares. */
typedef struct http_options_t {
    const char *user_agent;                 /**< RFC 8555 6.1 */
    const char *proxy;                      /**< nullable */
    apr_interval_time_t connect_timeout;    /**< µs; 0 = 10 s */
    apr_interval_time_t total_timeout;      /**< µs; 0 = 60 s */
    int responder;                          /**< 1: it asks OCSP responders,
                                                 by http, too; a CA never
                                                 is */
} http_options_t;

/**
 * A transport over libcurl's multi interface: HTTP/2 where the CA offers
 * it (one connection, many streams), TLS 1.2 or later, https only,
 * certificate and name verified, no proxy from the environment.
 * Source: RFC 8555 6.1.
 *
 * @param clock  the clock until is measured by
 */
apr_status_t http_curl_make(http_transport_t **ptransport,
                            const http_options_t *options,
                            base_clock_t *clock, acme_err_t *err,
                            apr_pool_t *result_pool);

#endif
