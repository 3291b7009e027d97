/*
 * url: the https URLs that a CA hands out, and the resolution of relative
 * references. A URL is cut into the five parts of RFC 3986 3 and never
 * decoded, so that nobody reads it in two ways.
 */
#include <string.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/base.h"

#define URL_MAX 2048
#define HTTP_PORT 80
#define HTTPS_PORT 443

/* A piece of a string that somebody else holds; s is NULL if undefined. */
typedef struct piece_t {
    const char *s;
    apr_size_t len;
} piece_t;

/* RFC 3986 3; only the path is always defined, and it may be empty. */
typedef struct parts_t {
    piece_t scheme, authority, path, query, fragment;
} parts_t;

/* The host and port of an https URL; an IPv6 literal has its brackets. */
typedef struct origin_t {
    piece_t host;
    int port;
} origin_t;

/* Up to the first of stops; *ps moves there. */
static piece_t take_until(const char **ps, const char *stops)
{
    piece_t piece;

    piece.s = *ps;
    piece.len = strcspn(*ps, stops);
    *ps += piece.len;
    return piece;
}

/* RFC 3986 3.1: letter, then letters, digits, "+", "-", "." */
static int is_scheme(const char *s, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (!apr_isalpha(s[i]) && (i == 0 || (!apr_isdigit(s[i])
                                              && !strchr("+-.", s[i])))) {
            return 0;
        }
    }
    return len > 0;
}

/* Like the regular expression of RFC 3986 appendix B: never fails. */
static void url_split(parts_t *parts, const char *s)
{
    apr_size_t len = strcspn(s, ":/?#");

    memset(parts, 0, sizeof(*parts));
    if (s[len] == ':' && is_scheme(s, len)) {
        parts->scheme = take_until(&s, ":");
        s++;
    }
    if (s[0] == '/' && s[1] == '/') {
        s += 2;
        parts->authority = take_until(&s, "/?#");
    }
    parts->path = take_until(&s, "?#");
    if (*s == '?') {
        s++;
        parts->query = take_until(&s, "#");
    }
    if (*s == '#') {
        s++;
        parts->fragment = take_until(&s, "");
    }
}

/* RFC 3986 2: characters a URL may be made of; "%" with two hex digits. */
static int has_url_bytes(const char *s)
{
    for (; *s; s++) {
        if (*s == '%' && !(apr_isxdigit(s[1]) && apr_isxdigit(s[2]))) {
            return 0;
        }
        if (!apr_isalnum(*s) && !strchr("-._~:/?#[]@!$&'()*+,;=%", *s)) {
            return 0;
        }
    }
    return 1;
}

/* "[" hex digits, colons and dots "]" or a name or an IPv4 address. */
static int is_host(const char *s, apr_size_t len)
{
    apr_size_t i, end = len;
    int literal = len > 0 && s[0] == '[';

    if (literal && (len < 4 || s[--end] != ']')) {
        return 0;
    }
    for (i = literal ? 1 : 0; i < end; i++) {
        if (literal ? !apr_isxdigit(s[i]) && !strchr(":.", s[i])
                    : !apr_isalnum(s[i]) && !strchr("-._", s[i])) {
            return 0;
        }
    }
    return len > 0;
}

/* ":" and 1 to 65535, or nothing for standard. @return 0 if neither */
static int take_port(const char *s, const char *end, int standard)
{
    int port = 0;

    if (s == end) {
        return standard;
    }
    for (s++; s < end; s++) {
        if (!apr_isdigit(*s) || port > 65535) {
            return 0;
        }
        port = port * 10 + (*s - '0');
    }
    return port > 65535 ? 0 : port;
}

static int scheme_is(const parts_t *parts, const char *scheme)
{
    return parts->scheme.s && parts->authority.s
           && parts->scheme.len == strlen(scheme)
           && apr_cstr_casecmpn(parts->scheme.s, scheme,
                                parts->scheme.len) == 0;
}

/* @param plain  1: http will do
 * @return NULL or what is wrong with the URL */
static const char *url_parse(origin_t *origin, const char *url, int plain)
{
    parts_t parts;
    const char *s, *end;
    int standard;

    if (strlen(url) > URL_MAX) {
        return "it is longer than 2048 bytes";
    }
    if (!has_url_bytes(url)) {
        return "it has a character that no URL may have";
    }
    url_split(&parts, url);
    standard = plain && scheme_is(&parts, "http") ? HTTP_PORT : HTTPS_PORT;
    if (standard == HTTPS_PORT && !scheme_is(&parts, "https")) {
        return plain ? "it does not begin with http:// or https://"
                     : "it does not begin with https://";
    }
    if (parts.fragment.s) {
        return "it has a fragment (#)";
    }
    s = parts.authority.s;
    end = s + parts.authority.len;
    if (memchr(s, '@', parts.authority.len)) {
        return "it has a user or password (@)";
    }
    origin->host.s = s;
    origin->host.len = *s == '[' ? strcspn(s, "]/") + 1 : strcspn(s, ":/?");
    if (origin->host.len > parts.authority.len
        || !is_host(s, origin->host.len)) {
        return "it has no valid host";
    }
    s += origin->host.len;
    origin->port = s == end || *s == ':' ? take_port(s, end, standard)
                                         : 0;
    return origin->port ? NULL : "it has no valid port";
}

static const char *origin_parse(origin_t *origin, const char *url)
{
    return url_parse(origin, url, 0);
}

static apr_status_t url_check(const char *url, int plain, acme_err_t *err)
{
    origin_t origin;
    const char *fault = url_parse(&origin, url, plain);

    if (fault) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "cannot use the URL \"%.300s\": %s", url, fault);
    }
    return APR_SUCCESS;
}

apr_status_t base_url_check(const char *url, acme_err_t *err)
{
    return url_check(url, 0, err);
}

apr_status_t base_url_check_plain(const char *url, acme_err_t *err)
{
    return url_check(url, 1, err);
}

int base_url_same_origin(const char *a, const char *b)
{
    origin_t x, y;

    return !origin_parse(&x, a) && !origin_parse(&y, b) && x.port == y.port
           && x.host.len == y.host.len
           && apr_cstr_casecmpn(x.host.s, y.host.s, x.host.len) == 0;
}

/* RFC 3986 5.2.4, in place; path is absolute or empty. */
static void remove_dot_segments(char *path)
{
    const char *in = path;
    char *out = path;
    apr_size_t len;

    while (*in) {
        /* in and out are at a slash or, first of all, at a bare segment */
        len = strcspn(in + 1, "/") + 1;
        if (len <= 3 && strncmp(in, "/..", len) == 0 && len > 1) {
            while (len == 3 && out > path && *--out != '/') {
                continue;
            }
            in += len;
            if (*in == '\0') {
                *out++ = '/';
            }
            continue;
        }
        memmove(out, in, len);
        out += len;
        in += len;
    }
    *out = '\0';
}

/* RFC 3986 5.2.3: ref's path put in place of the last segment of base's. */
static char *merge_paths(const parts_t *base, const parts_t *ref,
                         apr_pool_t *pool)
{
    apr_size_t len = base->path.len;

    if (base->authority.s && len == 0) {
        return apr_psprintf(pool, "/%.*s", (int)ref->path.len, ref->path.s);
    }
    while (len > 0 && base->path.s[len - 1] != '/') {
        len--;
    }
    return apr_psprintf(pool, "%.*s%.*s", (int)len, base->path.s,
                        (int)ref->path.len, ref->path.s);
}

/* The path of the resolved URL; RFC 3986 5.2.2. */
static char *resolve_path(const parts_t *base, const parts_t *ref,
                          apr_pool_t *pool)
{
    char *path;

    if (!ref->scheme.s && !ref->authority.s && ref->path.len == 0) {
        return apr_pstrmemdup(pool, base->path.s, base->path.len);
    }
    if (!ref->scheme.s && !ref->authority.s && ref->path.s[0] != '/') {
        path = merge_paths(base, ref, pool);
    }
    else {
        path = apr_pstrmemdup(pool, ref->path.s, ref->path.len);
    }
    if (path[0] == '/') {
        remove_dot_segments(path);
    }
    return path;
}

/* before, the piece; nothing at all if the piece is undefined. */
static const char *join(const char *before, const piece_t *piece,
                        const char *after, apr_pool_t *pool)
{
    return piece->s ? apr_psprintf(pool, "%s%.*s%s", before, (int)piece->len,
                                   piece->s, after)
                    : "";
}

char *base_url_resolve(const char *base, const char *ref, apr_pool_t *pool)
{
    parts_t b, r;
    const piece_t *authority, *query;
    char *path;

    if (!has_url_bytes(base) || !has_url_bytes(ref)) {
        return NULL;
    }
    url_split(&b, base);
    url_split(&r, ref);
    if (!b.scheme.s) {
        return NULL;
    }
    path = resolve_path(&b, &r, pool);
    authority = r.scheme.s || r.authority.s ? &r.authority : &b.authority;
    query = r.scheme.s || r.authority.s || r.path.len > 0 || r.query.s
            ? &r.query : &b.query;
    return apr_pstrcat(pool, join("", r.scheme.s ? &r.scheme : &b.scheme,
                                  ":", pool),
                       join("//", authority, "", pool), path,
                       join("?", query, "", pool),
                       join("#", &r.fragment, "", pool), NULL);
}
