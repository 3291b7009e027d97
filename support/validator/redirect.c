/*
 * redirect.c: where a reply sends its reader, followed as long as that is
 * the same host. Its addresses are those of the target, whatever the name
 * resolves to.
 */
#include "validator/internal.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_uri.h>

/** Most redirects that are followed. */
#define HOPS_MAX 5

/** A place on the host. */
typedef struct place_t {
    int secure;
    int port;                /* 0: the default one */
    const char *host;
    const char *path;        /* with the query */
} place_t;

int reply_redirects(const reply_t *reply)
{
    int status = reply->status;

    return (status == 301 || status == 302 || status == 303 || status == 307
            || status == 308) && reply->location;
}

static const char *place_text(const place_t *place, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s://%s%s", place->secure ? "https" : "http",
                        place->host, place->path);
}

/** Take a URL apart. @return 0 if it is neither http nor https */
static int place_parse(place_t *place, const char *url, apr_pool_t *pool)
{
    apr_uri_t uri;

    if (apr_uri_parse(pool, url, &uri) != APR_SUCCESS || !uri.scheme
        || !uri.hostname) {
        return 0;
    }
    place->secure = strcasecmp(uri.scheme, "https") == 0;
    place->host = uri.hostname;
    place->port = uri.port_str ? uri.port : 0;
    place->path = apr_pstrcat(pool, uri.path && uri.path[0] ? uri.path : "/",
                              uri.query ? "?" : NULL, uri.query, NULL);
    return place->secure || strcasecmp(uri.scheme, "http") == 0;
}

/** Where a reply sends: another place of the same host.
 *  @return 0 if it does not */
static int place_next(place_t *next, const place_t *from,
                      const reply_t *reply, apr_pool_t *pool)
{
    const char *url;

    if (!reply_redirects(reply)) {
        return 0;
    }
    url = base_url_resolve(place_text(from, pool), reply->location, pool);
    return url && place_parse(next, url, pool)
        && strcasecmp(next->host, from->host) == 0;
}

/* ---------------------------------------------------------------- https */

/** 1 if https may be meant by port: its default, or one of the target's. */
static int port_is_https(const validator_ask_t *ask, int port)
{
    int i;

    for (i = 0; i < ask->https_n && ask->https[i].port != port; i++) {
        continue;
    }
    return port == 0 || port == 443 || i < ask->https_n;
}

int redirects_to_https(const validator_ask_t *ask, const site_t *site,
                       const char *path, const reply_t *reply)
{
    place_t from = { site->secure, 0, ask->host, path };
    place_t to;

    return place_next(&to, &from, reply, ask->pool) && to.secure
        && port_is_https(ask, to.port);
}

/** Check that GET path is sent to the same on https. */
static int sent_right(const validator_ask_t *ask, const site_t *site,
                      const char *path, const reply_t *reply,
                      const char **pdetail)
{
    place_t from = { site->secure, 0, ask->host, path };
    place_t to;

    if (!reply_redirects(reply)) {
        *pdetail = apr_psprintf(ask->pool, "GET %s is answered with status "
                                "%d, not with a redirect", path,
                                reply->status);
        return 0;
    }
    if (redirects_to_https(ask, site, path, reply)
        && place_next(&to, &from, reply, ask->pool)
        && strcmp(to.path, path) == 0 && reply->status != 303) {
        return 1;
    }
    *pdetail = apr_psprintf(ask->pool, "GET %s is redirected with status %d "
                            "to %s, not to https://%s%s", path, reply->status,
                            reply->location, ask->host, path);
    return 0;
}

/* --------------------------------------------------------------- follow */

/** The site that a place is asked at; NULL: none. */
static const site_t *place_site(const validator_ask_t *ask,
                                const place_t *place)
{
    const site_t *sites = place->secure ? ask->https : ask->http;
    int n = place->secure ? ask->https_n : ask->http_n;
    int i;

    for (i = 0; i < n; i++) {
        if (sites[i].port == place->port) {
            return &sites[i];
        }
    }
    return n > 0 ? sites : NULL;
}

/** 1 if place was seen before. */
static int place_seen(const place_t *seen, int n, const place_t *place)
{
    int i;

    for (i = 0; i < n; i++) {
        if (seen[i].secure == place->secure
            && strcmp(seen[i].path, place->path) == 0) {
            return 1;
        }
    }
    return 0;
}

int follow(const validator_ask_t *ask, const site_t *site, const char *path,
           const reply_t *reply, const char **pdetail)
{
    place_t seen[HOPS_MAX + 1] = { { site->secure, 0, ask->host, path } };
    reply_t current = *reply;
    int cookies = current.cookie;
    acme_err_t err = { 0 };
    place_t next;
    int n = 1;

    while (place_next(&next, &seen[n - 1], &current, ask->pool)) {
        site = place_site(ask, &next);
        if (n > HOPS_MAX || place_seen(seen, n, &next)) {
            *pdetail = apr_psprintf(
                ask->pool, n > HOPS_MAX ? "GET %s is still redirected behind "
                "%d redirects, to %s" : "GET %s goes in circles: redirect "
                "%d leads back to %s", path, n > HOPS_MAX ? HOPS_MAX : n,
                place_text(&next, ask->pool));
            return cookies ? -1 : 0;
        }
        if (!site || site_ask(&current, ask, site, next.path, 0, &err)
                     != APR_SUCCESS) {
            return 1;
        }
        cookies |= current.cookie;
        seen[n++] = next;
    }
    return 1;
}

/* ------------------------------------------------------------------ row */

/** A path that no site has, with a query that a careless rule loses. */
#define DEEP "/acmectl-validate/a/b?c=1&d=2"

static int check_wanted(validator_ask_t *ask, site_t *site,
                        const char **pdetail)
{
    acme_err_t err = { 0 };
    reply_t deep;
    int ok;

    if (!sent_right(ask, site, "/", &site->home, pdetail)) {
        return 0;
    }
    if (site_ask(&deep, ask, site, DEEP, 0, &err) != APR_SUCCESS) {
        *pdetail = apr_psprintf(ask->pool, "GET " DEEP ": %s", err.message);
        return 0;
    }
    if (!sent_right(ask, site, DEEP, &deep, pdetail)) {
        return 0;
    }
    *pdetail = apr_psprintf(ask->pool, "http redirects to https with status "
                            "%d, path and query kept", site->home.status);
    ok = follow(ask, site, "/", &site->home, pdetail);
    return ok;
}

static int check_redirect(validator_ask_t *ask, site_t *site,
                          const char **pdetail)
{
    int there;

    if (site->stage < STAGE_HTTP) {
        *pdetail = site->stage == STAGE_NONE ? "not asked: no connection"
                                             : site->fault;
        return site->stage == STAGE_NONE ? -1 : 0;
    }
    if (ask->target->redirect == 1 && !site->aside) {
        return check_wanted(ask, site, pdetail);
    }
    there = redirects_to_https(ask, site, "/", &site->home);
    *pdetail = apr_psprintf(ask->pool, there ? "http redirects to https "
                            "with status %d%s" : "http answers with status "
                            "%d and does not redirect to https%s",
                            site->home.status,
                            there && ask->target->redirect == 0
                            ? ", which was not wanted" : "");
    if (ask->target->redirect == 1) {
        return 1;
    }
    return ask->target->redirect < 0 ? -1 : !there;
}

void row_redirect(validator_ask_t *ask, validator_answer_t *answer)
{
    answer->required = ask->target->redirect == 1;
    ask_each(ask, ask->http, ask->http_n, "there is no address of http",
             check_redirect, answer);
}
