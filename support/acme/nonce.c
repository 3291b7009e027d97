/*
 * nonce.c: newNonce (RFC 8555 7.2) and the nonces replies bring (6.5).
 *
 *   every reply ──keep──> pool (newest last) ──take──> a request
 *                          ^
 *   newNonce  ─────────────┘   as many at once as requests are waiting
 *
 * The newest is taken first: the older a nonce, the likelier the CA has
 * forgotten it.
 */
#include "acme/engine.h"

#include <apr_lib.h>
#include <apr_strings.h>

int acme_nonce_valid(const char *nonce)
{
    apr_size_t i;

    if (!nonce) {
        return 0;
    }
    for (i = 0; nonce[i]; i++) {
        if (i == ACME_NONCE_LEN_MAX
            || (!apr_isalnum(nonce[i]) && nonce[i] != '-'
                && nonce[i] != '_')) {
            return 0;
        }
    }
    return i > 0;
}

void acme_nonce_keep(acme_server_t *server, const char *nonce)
{
    if (server->nonce_count < ACME_NONCES_MAX && acme_nonce_valid(nonce)) {
        apr_cpystrn(server->nonces[server->nonce_count++], nonce,
                    ACME_NONCE_LEN_MAX + 1);
    }
}

int acme_nonce_take(acme_server_t *server, char *nonce)
{
    if (server->nonce_count == 0) {
        return 0;
    }
    apr_cpystrn(nonce, server->nonces[--server->nonce_count],
                ACME_NONCE_LEN_MAX + 1);
    return 1;
}

/* The nonce itself was kept and handed on when the reply came. */
static void fetched(acme_request_t *request)
{
    acme_server_t *server = request->server;
    acme_err_t *err = &request->err;

    server->nonce_fetching--;
    if (err->status == APR_SUCCESS
        && !acme_nonce_valid(request->response->replay_nonce)) {
        base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                     "fetching a nonce: the CA's reply from %s has no "
                     "usable Replay-Nonce header", request->url);
    }
    if (err->status == APR_SUCCESS) {
        return;
    }
    while (acme_request_waiting(server) > server->nonce_fetching) {
        acme_request_starve(server, err);
    }
}

void acme_nonce_fetch(acme_server_t *server, acme_job_t *job)
{
    acme_request_t *request;

    if (server->nonce_fetching >= acme_request_waiting(server)) {
        return;
    }
    server->nonce_fetching++;
    request = acme_request_make(server, job, NULL, "fetching a nonce",
                                fetched, NULL);
    request->method = "HEAD";
    request->endpoint = "newNonce";
    request->is_signed = 0;
    acme_request_send(request);
}
