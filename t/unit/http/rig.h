/*
 * What the tests of support/http share: a TLS server on loopback with a
 * certificate made at run time, and a client that waits for one reply.
 */
#ifndef ACME_UNIT_HTTP_RIG_H
#define ACME_UNIT_HTTP_RIG_H

#include <openssl/ssl.h>

#include "http/http.h"

/** Counters that the server's processes raise. */
typedef struct rig_counts_t {
    int connections;      /**< accepted */
    int requests;         /**< read completely */
    int most;             /**< open at the same time, connections */
    int open;
} rig_counts_t;

/** One connection, seen by the server. */
typedef struct rig_conn_t {
    SSL *ssl;             /**< NULL when the server speaks no TLS */
    int fd;
    rig_counts_t *counts;
    const char *reply;    /**< rig_options_t.reply */
    int hold;
    int late_ms;          /**< see rig_serve_h2 */
} rig_conn_t;

/** Serves one connection in a process of its own; returning closes it. */
typedef void rig_serve_fn(rig_conn_t *conn);

typedef struct rig_options_t {
    rig_serve_fn *serve;
    const char *reply;    /**< nullable; what rig_serve_reply sends */
    const char *san;      /**< nullable; "IP:127.0.0.1" */
    long days;            /**< 0 = 1; negative: expired so long ago */
    int plain;            /**< 1: no TLS */
    int version_max;      /**< 0 = any; TLS1_1_VERSION … */
    int h2;               /**< 1: ALPN chooses h2 */
    int hold;             /**< see rig_serve_h2 */
    int late_ms;          /**< see rig_serve_h2 */
} rig_options_t;

typedef struct rig_server_t {
    pid_t pid;
    int port;
    const char *pem;      /**< its certificate, the only root needed */
    rig_counts_t *counts; /**< shared with its processes */
    const char *base;     /**< "https://127.0.0.1:PORT" */
} rig_server_t;

/** Start a server; it is killed with the pool. */
rig_server_t *rig_server(const rig_options_t *options, apr_pool_t *pool);

/** A loopback port on which nobody listens. */
int rig_closed_port(void);

/* -- what a server can do with a connection */

/** Read one request, head and body. @return its length; 0 at the end */
int rig_read(rig_conn_t *conn, char *buf, int size);
void rig_write(rig_conn_t *conn, const char *data, int len);
/** Answer 200 with body. */
void rig_answer(rig_conn_t *conn, const char *body);
/** Close with a TCP reset instead of an end. */
void rig_reset(rig_conn_t *conn);
/** Hold the connection open and silent until the client leaves. */
void rig_stall(rig_conn_t *conn);

/** Answer every request with itself. */
void rig_serve_echo(rig_conn_t *conn);
/** Answer every request with conn->reply. */
void rig_serve_reply(rig_conn_t *conn);
/** Speak HTTP/2; the first conn->hold streams are answered together, each
 *  answer begins late_ms milliseconds late. */
void rig_serve_h2(rig_conn_t *conn);
/** The same; but on the first connection nothing is ever answered. */
void rig_serve_h2_second(rig_conn_t *conn);
/** Speak HTTP/2; at the third request the second and third are answered (17000
 *  bytes, 5 bytes) at once, at the fourth the first and that one. */
void rig_serve_h2_burst(rig_conn_t *conn);

/* -- the client */

typedef struct rig_reply_t {
    int done;                         /**< how often done was called */
    const http_response_t *response;  /**< NULL when it failed */
    acme_err_t err;
} rig_reply_t;

/** http_done_fn for a rig_reply_t. */
void rig_done(void *baton, const http_response_t *response,
              const acme_err_t *err);

/** A transport with timeouts of ms milliseconds. */
http_transport_t *rig_transport(int ms, apr_pool_t *pool);

/** A GET of base + path that trusts the server and accepts 64 KiB. */
http_request_t rig_request(const rig_server_t *server, const char *path,
                           apr_pool_t *pool);

/** Wait until *reply is there (30 s at most). */
void rig_wait(http_transport_t *transport, rig_reply_t *reply);

/** Submit and wait. */
void rig_send(rig_reply_t *reply, http_transport_t *transport,
              const http_request_t *request, apr_pool_t *pool);

/** Start a server, send one GET / through a new transport, ms timeouts. */
void rig_once(rig_reply_t *reply, const rig_options_t *options, int ms,
              apr_pool_t *pool);

#endif
