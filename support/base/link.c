/*
 * link: Link headers (RFC 8288 3), of which a CA sends several at once:
 *
 *     Link: <https://ca.example/dir>;rel="index", <../alt/1>; rel=alternate
 */
#include <string.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/base.h"

/* One link-value; the strings are NULL until they are met. */
typedef struct link_t {
    const char *target;
    const char *rel;
    int anchored;
} link_t;

static void skip_blanks(const char **ps)
{
    *ps += strspn(*ps, " \t");
}

/* RFC 9110 5.6.4, from the opening quote on. @return NULL if it never ends */
static char *take_quoted(const char **ps, apr_pool_t *pool)
{
    const char *s = *ps + 1;
    char *text = apr_palloc(pool, strlen(s) + 1), *out = text;

    for (; *s != '"'; s++) {
        if (*s == '\\') {
            s++;
        }
        if (*s == '\0') {
            return NULL;
        }
        *out++ = *s;
    }
    *out = '\0';
    *ps = s + 1;
    return text;
}

/* What follows "=": a token or a quoted string. @return NULL if neither */
static char *take_value(const char **ps, apr_pool_t *pool)
{
    apr_size_t len;
    char *text;

    skip_blanks(ps);
    if (**ps == '"') {
        return take_quoted(ps, pool);
    }
    len = strcspn(*ps, ";,\" \t");
    if (len == 0) {
        return NULL;
    }
    text = apr_pstrmemdup(pool, *ps, len);
    *ps += len;
    return text;
}

/* ";" has been read. @return 0 on a fault */
static int take_param(link_t *link, const char **ps, apr_pool_t *pool)
{
    const char *name, *value = "";
    apr_size_t len;

    skip_blanks(ps);
    name = *ps;
    len = strcspn(name, "=;,\"<> \t");
    *ps += len;
    skip_blanks(ps);
    if (**ps == '=') {
        (*ps)++;
        value = take_value(ps, pool);
    }
    if (!value) {
        return 0;
    }
    /* RFC 8288 3.3: only the first rel counts */
    if (len == 3 && apr_cstr_casecmpn(name, "rel", 3) == 0 && !link->rel) {
        link->rel = value;
    }
    if (len == 6 && apr_cstr_casecmpn(name, "anchor", 6) == 0) {
        link->anchored = 1;
    }
    return 1;
}

/* From "<" to the comma or the end behind it. @return 0 on a fault */
static int take_link(link_t *link, const char **ps, apr_pool_t *pool)
{
    apr_size_t len;

    memset(link, 0, sizeof(*link));
    if (**ps != '<') {
        return 0;
    }
    len = strcspn(*ps + 1, "<>");
    if ((*ps)[len + 1] != '>') {
        return 0;
    }
    link->target = apr_pstrmemdup(pool, *ps + 1, len);
    *ps += len + 2;
    for (skip_blanks(ps); **ps == ';'; skip_blanks(ps)) {
        (*ps)++;
        if (!take_param(link, ps, pool)) {
            return 0;
        }
    }
    return **ps == ',' || **ps == '\0';
}

/* RFC 8288 3.3: rel holds words with blanks between, case ignored. */
static int has_word(const char *words, const char *word)
{
    apr_size_t len, wanted = strlen(word);

    for (; words && *words; words += len) {
        words += strspn(words, " \t");
        len = strcspn(words, " \t");
        if (len == wanted && len > 0
            && apr_cstr_casecmpn(words, word, len) == 0) {
            return 1;
        }
    }
    return 0;
}

/*
 * The links of one header. A link with an anchor is not about the resource
 * that was asked for, so it is passed over (RFC 8288 3.2).
 */
static void find_in(apr_array_header_t *targets, const char *s,
                    const char *rel, const char *base, apr_pool_t *pool)
{
    link_t link;
    char *url;

    for (;;) {
        s += strspn(s, " \t,");
        if (*s == '\0' || !take_link(&link, &s, pool)) {
            return;
        }
        if (!link.anchored && has_word(link.rel, rel)) {
            url = base_url_resolve(base, link.target, pool);
            if (url) {
                APR_ARRAY_PUSH(targets, const char *) = url;
            }
        }
    }
}

apr_array_header_t *base_link_find(const apr_array_header_t *headers,
                                   const char *rel, const char *base,
                                   apr_pool_t *pool)
{
    apr_array_header_t *targets = apr_array_make(pool, 4,
                                                 sizeof(const char *));
    int i;

    for (i = 0; headers && i < headers->nelts; i++) {
        find_in(targets, APR_ARRAY_IDX(headers, i, const char *), rel, base,
                pool);
    }
    return targets;
}
