/*
 * url.c: https URLs. A CA's URL is opaque text that is sent back as it
 * came (RFC 8555 6.4); only copies are taken apart here.
 */
#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include "base/base.h"

#define URL_MAX 2048

/** Host and port of an https URL, without touching a pool. */
typedef struct origin_t {
    const char *host;
    apr_size_t host_len;
    const char *port;      /**< digits, or NULL for 443 */
    apr_size_t port_len;
} origin_t;

static int has_authority(origin_t *origin, const char *url)
{
    const char *end;
    const char *colon;

    memset(origin, 0, sizeof(*origin));
    if (strncasecmp(url, "https://", 8) != 0) {
        return 0;
    }
    origin->host = url + 8;
    end = origin->host + strcspn(origin->host, "/?#\\");
    if (memchr(origin->host, '@', (size_t)(end - origin->host))) {
        return 0;
    }
    if (*origin->host == '[') {
        colon = memchr(origin->host, ']', (size_t)(end - origin->host));
        if (!colon) {
            return 0;
        }
        colon++;
    }
    else {
        colon = origin->host + strcspn(origin->host, ":/?#\\");
    }
    origin->host_len = (apr_size_t)(colon - origin->host);
    if (colon < end) {
        origin->port = colon + 1;
        origin->port_len = (apr_size_t)(end - origin->port);
        if (*colon != ':' || origin->port_len < 1 || origin->port_len > 5
            || strspn(origin->port, "0123456789") < origin->port_len) {
            return 0;
        }
    }
    return origin->host_len > 0;
}

apr_status_t base_url_check(const char *url, acme_err_t *err)
{
    origin_t origin;
    const char *fault = NULL;
    const char *c;

    for (c = url; *c > 0x20 && *c < 0x7f; c++) {
    }
    if (*c) {
        fault = "it contains a blank or a character that is not ASCII";
    }
    else if (c - url > URL_MAX) {
        fault = "it is longer than 2048 characters";
    }
    else if (!has_authority(&origin, url)) {
        fault = "it must be https://HOST[:PORT]/…, without user or password";
    }
    else if (strchr(url, '#')) {
        fault = "it has a fragment";
    }
    if (fault) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "the URL \"%.200s\" is not acceptable: %s", url,
                            fault);
    }
    return APR_SUCCESS;
}

static apr_size_t port_number(const origin_t *origin)
{
    apr_size_t port = 0;
    apr_size_t i;

    for (i = 0; i < origin->port_len; i++) {
        port = port * 10 + (apr_size_t)(origin->port[i] - '0');
    }
    return origin->port ? port : 443;
}

int base_url_same_origin(const char *a, const char *b)
{
    origin_t x;
    origin_t y;

    return has_authority(&x, a) && has_authority(&y, b)
           && x.host_len == y.host_len
           && strncasecmp(x.host, y.host, x.host_len) == 0
           && port_number(&x) == port_number(&y);
}

/** Path without "." and ".." segments. Source: RFC 3986 5.2.4. */
static char *remove_dots(const char *path, apr_pool_t *pool)
{
    char *out = apr_palloc(pool, strlen(path) + 2);
    char *o = out;

    while (*path) {
        apr_size_t len = strcspn(path + 1, "/") + 1;

        if (len == 2 && strncmp(path, "/.", 2) == 0) {
            if (!path[len]) {
                *o++ = '/';
            }
        }
        else if (len == 3 && strncmp(path, "/..", 3) == 0) {
            while (o > out && *--o != '/') {
            }
            if (!path[len]) {
                *o++ = '/';
            }
        }
        else {
            memcpy(o, path, len);
            o += len;
        }
        path += len;
    }
    *o = '\0';
    return out;
}

char *base_url_resolve(const char *base, const char *ref, apr_pool_t *pool)
{
    apr_uri_t b;
    apr_uri_t r;
    const char *path;
    const char *slash;

    if (apr_uri_parse(pool, base, &b) != APR_SUCCESS || !b.scheme
        || !b.hostinfo || apr_uri_parse(pool, ref, &r) != APR_SUCCESS) {
        return NULL;
    }
    if (r.scheme) {
        return apr_pstrdup(pool, ref);
    }
    if (strncmp(ref, "//", 2) == 0) {
        return apr_pstrcat(pool, b.scheme, ":", ref, NULL);
    }
    if (!b.path) {
        b.path = apr_pstrdup(pool, "/");
    }
    if (!r.path || !*r.path) {
        path = b.path;
        if (!r.query) {
            r.query = b.query;
        }
    }
    else if (*r.path == '/') {
        path = remove_dots(r.path, pool);
    }
    else {
        slash = strrchr(b.path, '/');
        path = remove_dots(apr_pstrcat(pool,
                                       apr_pstrmemdup(pool, b.path,
                                                      slash ? (apr_size_t)
                                                      (slash - b.path) : 0),
                                       "/", r.path, NULL), pool);
    }
    return apr_pstrcat(pool, b.scheme, "://", b.hostinfo, path,
                       r.query ? "?" : "", r.query ? r.query : "", NULL);
}
