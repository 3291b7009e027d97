/*
 * http-01: answers the CA's request for a challenge from the live segment.
 *
 * A request is ours only if its path is exactly the challenge prefix and an
 * outstanding token. Every other request is somebody else's and passes with
 * all of the server's redirects and access control in force, so that other
 * clients' challenge files keep working and the path is no way around them.
 *
 *   quick_handler      answers, before rewriting, proxying, access control
 *                      and caches; the connection stays open. One function
 *                      for this, for redirects to https and for hosts with
 *                      the stand-in: more would cost every request more
 *   post_read_request  runs before that, and other modules refuse or
 *                      redirect there. It asks them first. Only when one of
 *                      them objects to a challenge it answers at once, and
 *                      httpd closes the connection as after any answer from
 *                      that hook
 *
 * Source: RFC 8555 8.3.
 */
#include "mod_acme.h"

#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

#include <apr_strings.h>

#include "counters.h"

APLOG_USE_MODULE(acme);

int acme_answers;

#define CHALLENGE_PREFIX "/.well-known/acme-challenge/"
#define PREFIX_LEN       (sizeof(CHALLENGE_PREFIX) - 1)

apr_status_t acme_http01_start(server_rec *s, apr_pool_t *pconf)
{
    acme_state_t *state = acme_state_get();
    const char *path = acme_live_path(), *error;
    apr_status_t rv;
    int without;

    /* Also where there is no domain yet: who makes the first one can have
     * its challenges answered before httpd knows of it. */
    rv = live_parent_open(&state->live, path,
                          acme_certificates_ids(0, pconf),
                          acme_certificates_ids(1, pconf), &error, pconf);
    if (rv != APR_SUCCESS) {
        state->live = NULL;
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                     "ACME0200: challenges will not be answered, and new "
                     "certificates need a restart: %s", error);
        return rv;
    }
    without = acme_certificates_place(state->live);
    if (without > 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "ACME0204: %d of the "
                     "certificates have no place in the live segment %s, "
                     "which holds %d: httpd is restarted gracefully when one "
                     "of them is renewed", without, path, LIVE_SLOTS_MAX);
    }
    return APR_SUCCESS;
}

/* 0 for nearly every request of a server's life: the cost of the module. */
static inline int challenge_perhaps(const request_rec *r)
{
    const char *path = r->parsed_uri.path;

    return path && path[0] == '/' && path[1] == '.';
}

/*
 * The token's key authorization in keyauth; 0 if the request is not ours.
 * parsed_uri.path is the path as the client sent it: httpd has not decoded
 * or normalised anything yet. A CA sends it plainly (base64url needs no
 * escape), so what has to be decoded first is no challenge.
 */
static apr_size_t challenge_find(request_rec *r, char *keyauth)
{
    const char *path = r->parsed_uri.path;
    const live_t *live = acme_state_get()->live;

    /* A forward proxy's client asks for another server's challenge. */
    if (!live || r->proxyreq == PROXYREQ_PROXY
        || strncmp(path, CHALLENGE_PREFIX, PREFIX_LEN)) {
        return 0;
    }
    path += PREFIX_LEN;
    return live_child_token(live, path, strlen(path), keyauth,
                            r->request_time);
}

static int challenge_refuse(request_rec *r)
{
    acme_count(ACME_COUNT_HTTP01_REFUSED);
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                  "ACME0201: a challenge is read by GET or HEAD, not by %s",
                  r->method);
    /* httpd adds HEAD. */
    ap_allow_methods(r, REPLACE_ALLOW, "GET", NULL);
    return HTTP_METHOD_NOT_ALLOWED;
}

static int challenge_answer(request_rec *r, const char *keyauth,
                            apr_size_t len)
{
    int status;

    if (r->method_number != M_GET) {
        return challenge_refuse(r);
    }
    /* A body is allowed; unread, it would be taken for the next request. */
    status = ap_discard_request_body(r);
    if (status != OK) {
        return status;
    }
    r->status = HTTP_OK;
    ap_set_content_type(r, "application/octet-stream");
    ap_set_content_length(r, (apr_off_t)len);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    if (!r->header_only) {
        ap_rwrite(keyauth, (int)len, r);
    }
    acme_count(ACME_COUNT_HTTP01_ANSWERED);
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                  "ACME0202: answered the challenge with token %.*s",
                  (int)(strchr(keyauth, '.') - keyauth), keyauth);
    return DONE;
}

/* Another client's challenge, or one that came too late. */
static void unknown_count(const request_rec *r)
{
    const char *path = r->parsed_uri.path;

    if (!strncmp(path, CHALLENGE_PREFIX, PREFIX_LEN)
        && r->proxyreq != PROXYREQ_PROXY
        && live_token_valid(path + PREFIX_LEN, strlen(path + PREFIX_LEN))) {
        acme_count(ACME_COUNT_HTTP01_UNKNOWN);
    }
}

static int challenge_handle(request_rec *r)
{
    char keyauth[LIVE_KEYAUTH_MAX + 1];
    apr_size_t len = challenge_find(r, keyauth);

    if (len == 0) {
        unknown_count(r);
        return DECLINED;
    }
    return challenge_answer(r, keyauth, len);
}

static int quick_handler(request_rec *r, int lookup)
{
    int status = DECLINED;

    if (challenge_perhaps(r) && !lookup) {
        status = challenge_handle(r);
    }
    if (status != DECLINED || !acme_answers) {
        return status;
    }
    status = acme_require_https_handle(r, lookup);
    return status == DECLINED ? acme_standin_handle(r, lookup) : status;
}

/* Run the hook again without this function in it: would anybody object? */
static int others_ask(request_rec *r)
{
    static char asking;
    int status;

    if (ap_get_module_config(r->request_config, &acme_module)) {
        return DECLINED;
    }
    ap_set_module_config(r->request_config, &acme_module, &asking);
    status = ap_run_post_read_request(r);
    ap_set_module_config(r->request_config, &acme_module, NULL);
    return status;
}

static int challenge_defend(request_rec *r)
{
    char keyauth[LIVE_KEYAUTH_MAX + 1];
    apr_size_t len = challenge_find(r, keyauth);
    int status;

    if (len == 0) {
        return DECLINED;
    }
    status = others_ask(r);
    /* DONE: somebody has sent an answer, a second one would be too many. */
    if (status == OK || status == DECLINED || status == DONE) {
        return status;
    }
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r,
                  "ACME0203: another module would answer this challenge "
                  "with status %d", status);
    apr_table_clear(r->headers_out);
    apr_table_clear(r->err_headers_out);
    return challenge_answer(r, keyauth, len);
}

static int post_read_request(request_rec *r)
{
    return challenge_perhaps(r) ? challenge_defend(r) : DECLINED;
}

void acme_http01_register(apr_pool_t *p)
{
    ap_hook_post_read_request(post_read_request, NULL, NULL,
                              APR_HOOK_REALLY_FIRST);
    ap_hook_quick_handler(quick_handler, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
