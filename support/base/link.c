/*
 * link.c: Link headers (RFC 8288 3).
 *
 *     Link: <target>; rel="a b"; title="x, y", <target2>; rel=c
 */
#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/base.h"

static const char *skip_blanks(const char *s)
{
    while (*s == ' ' || *s == '\t') {
        s++;
    }
    return s;
}

/** 1 if words (separated by blanks) holds rel. */
static int has_word(const char *words, const char *rel)
{
    apr_size_t len = strlen(rel);

    while (*(words = skip_blanks(words))) {
        apr_size_t n = strcspn(words, " \t");

        if (n == len && strncasecmp(words, rel, len) == 0) {
            return 1;
        }
        words += n;
    }
    return 0;
}

/** A parameter's value, token or quoted string. @return behind it, or NULL
 *  for a quoted string without end */
static const char *read_value(const char **pvalue, const char *s,
                              apr_pool_t *pool)
{
    char *out;

    if (*s != '"') {
        apr_size_t len = strcspn(s, ";, \t");

        *pvalue = apr_pstrmemdup(pool, s, len);
        return s + len;
    }
    out = apr_palloc(pool, strlen(s));
    *pvalue = out;
    for (s++; *s && *s != '"'; s++) {
        if (*s == '\\' && s[1]) {
            s++;
        }
        *out++ = *s;
    }
    *out = '\0';
    return *s ? s + 1 : NULL;
}

/**
 * The parameters of one link.
 * @param pmatch  1 if its first rel parameter holds rel (RFC 8288 3.3:
 *                later ones are ignored)
 * @return at "," or the end; NULL for a malformed header
 */
static const char *read_params(int *pmatch, const char *s, const char *rel,
                               apr_pool_t *pool)
{
    int seen = 0;

    *pmatch = 0;
    while (*(s = skip_blanks(s)) == ';') {
        const char *name = s = skip_blanks(s + 1);
        const char *value = "";
        apr_size_t len = strcspn(s, "=;, \t");

        s = skip_blanks(s + len);
        if (*s == '=') {
            s = read_value(&value, skip_blanks(s + 1), pool);
            if (!s) {
                return NULL;
            }
        }
        if (len == 3 && strncasecmp(name, "rel", 3) == 0 && !seen) {
            seen = 1;
            *pmatch = has_word(value, rel);
        }
    }
    return *s == ',' || *s == '\0' ? s : NULL;
}

static void find_in(apr_array_header_t *found, const char *s,
                    const char *rel, const char *base, apr_pool_t *pool)
{
    while (s && *(s = s + strspn(s, " \t,"))) {
        const char *end = *s == '<' ? strchr(s, '>') : NULL;
        const char *target;
        int match;

        if (!end) {
            return;
        }
        target = apr_pstrmemdup(pool, s + 1, (apr_size_t)(end - s - 1));
        s = read_params(&match, end + 1, rel, pool);
        if (s && match) {
            target = base_url_resolve(base, target, pool);
            if (target) {
                APR_ARRAY_PUSH(found, const char *) = target;
            }
        }
    }
}

apr_array_header_t *base_link_find(const apr_array_header_t *headers,
                                   const char *rel, const char *base,
                                   apr_pool_t *pool)
{
    apr_array_header_t *found = apr_array_make(pool, 2,
                                               sizeof(const char *));
    int i;

    for (i = 0; headers && i < headers->nelts; i++) {
        find_in(found, APR_ARRAY_IDX(headers, i, const char *), rel, base,
                pool);
    }
    return found;
}
