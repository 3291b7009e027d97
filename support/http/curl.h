/*
 * curl.h: what the files of the libcurl transport share. Nothing outside
 * support/http includes it.
 *
 * A request travels in a transfer_t:
 *
 *      submit ──> FLYING ──(reply)──> redirect allowed? ──yes──> FLYING
 *                   │                        │no
 *                   └──(failure)──> failed   └──> delivered
 *
 * and goes back to the list of idle ones, where it keeps its easy handle.
 */
#ifndef ACME_HTTP_CURL_H
#define ACME_HTTP_CURL_H

#include "http/http.h"

#include <curl/curl.h>

/** Most header lines and bytes of one request, redirects included. */
#define HEADER_LINES_MAX 200
#define HEADER_BYTES_MAX (64 * 1024)

/** A longer header value reads as absent. */
#define HEADER_VALUE_MAX 2048

typedef struct transfer_t transfer_t;

typedef struct curl_transport_t {
    http_transport_t transport;   /**< first: they are cast to each other */
    CURLM *multi;
    base_clock_t *clock;
    http_options_t options;       /**< copied, defaults filled in */
    transfer_t *all;              /**< every transfer ever made */
    transfer_t *idle;             /**< those that carry nothing */
} curl_transport_t;

struct transfer_t {
    curl_transport_t *owner;
    transfer_t *next;             /**< in curl_transport_t.all */
    transfer_t *next_idle;        /**< in curl_transport_t.idle */
    CURL *easy;
    struct curl_slist *headers;   /**< of the request; ours to free */
    char *body;                   /**< of the reply; malloc */
    apr_size_t body_size;         /**< bytes allocated */

    /* Valid from submit to done only. */
    apr_pool_t *pool;             /**< the one given to submit */
    const char *url;
    apr_size_t max;
    int redirects;                /**< how many may still follow */
    apr_time_t deadline;          /**< mono */
    apr_time_t quiet;             /**< mono; since when nothing has come */
    int moved;                    /**< 1: something has come meanwhile */
    int nudged;                   /**< 1: it was told to look by itself */
    int doubted;                  /**< 1: its connection may be dead */
    http_done_fn *done;
    void *baton;

    http_response_t *response;    /**< being filled */
    const char **last;            /**< value that a fold would spoil */
    int headers_ended;            /**< the empty line behind them came */
    int header_lines;
    apr_size_t header_bytes;
    const char *refused;          /**< nullable: which limit was passed */
    char reason[CURL_ERROR_SIZE];
};

/** A duration for libcurl: whole milliseconds, at least 1, because 0 would
 *  mean "no limit" to it. */
long http_curl_ms(apr_interval_time_t us);

/* reply.c */

/** Forget what an interim or redirecting reply said. */
void http_reply_restart(transfer_t *t);

/** CURLOPT_HEADERFUNCTION: count a header line and keep what is wanted. */
size_t http_reply_header(char *line, size_t size, size_t n, void *baton);

/** CURLOPT_WRITEFUNCTION: collect the body up to t->max. */
size_t http_reply_body(char *data, size_t size, size_t n, void *baton);

/** Complete t->response from what libcurl measured and was collected. */
void http_reply_finish(transfer_t *t, int status);

/* failure.c */

/** Say in err why code ended the transfer and what to do about it. */
void http_failure(acme_err_t *err, transfer_t *t, CURLcode code);

/* transfer.c */

/** An idle transfer, made if there is none. @return NULL without memory */
transfer_t *http_transfer_take(curl_transport_t *owner);

/** Put request on its way; t is released when that fails. */
CURLcode http_transfer_submit(transfer_t *t, const http_request_t *request,
                              http_done_fn *done, void *baton,
                              apr_pool_t *pool);

/** libcurl ended the transfer: follow a redirect, or release it and call
 *  done. @return 1 if done was called */
int http_transfer_end(transfer_t *t, CURLcode code);

/** Let transfers that have been quiet for long look for input, whether the
 *  socket has any or not; doubt the connection of those that find none.
 *  @param now mono */
void http_transfers_watch(curl_transport_t *owner, apr_time_t now);

/** Free every transfer of owner, in flight or not. */
void http_transfers_free(curl_transport_t *owner);

#endif
