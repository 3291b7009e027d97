/*
 * rewrite: what RewriteRule, RewriteCond and Redirect would do with one
 * request, as far as the configuration alone can tell.
 *
 *     request (http or TLS, host, path)
 *        |
 *     conditions --> no / perhaps / yes     "perhaps" for what only a running
 *        |                                  server knows: files, environment
 *     pattern of the path
 *        |
 *     substitution --> where the request is sent
 *
 * Source: mod_rewrite.c, mod_alias.c; regular expressions by PCRE2, as in
 * httpd.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "configurator/rewrite.h"

/* A careless expression is stopped within milliseconds. */
#define MATCH_STEPS_MAX 100000

/* ------------------------------------------------- regular expressions */

/* @return 1, 0, or -1: not one that can be tried */
static int regex_match(const char *pattern, const char *subject, int nocase,
                       rewrite_parts_t *parts, apr_pool_t *pool)
{
    PCRE2_SIZE at, *ends;
    int code, n, i;
    pcre2_code *regex = pcre2_compile((PCRE2_SPTR)pattern,
        PCRE2_ZERO_TERMINATED, nocase ? PCRE2_CASELESS : 0, &code, &at,
        NULL);
    pcre2_match_data *data;
    pcre2_match_context *limits;

    if (!regex) {
        return -1;
    }
    data = pcre2_match_data_create_from_pattern(regex, NULL);
    limits = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(limits, MATCH_STEPS_MAX);
    n = pcre2_match(regex, (PCRE2_SPTR)subject, strlen(subject), 0, 0, data,
                    limits);
    ends = pcre2_get_ovector_pointer(data);
    for (i = 0; parts && n > 0 && i < REWRITE_PARTS; i++) {
        parts->text[i] = i < n && ends[2 * i] != PCRE2_UNSET
            ? apr_pstrmemdup(pool, subject + ends[2 * i],
                             ends[2 * i + 1] - ends[2 * i]) : "";
    }
    pcre2_match_context_free(limits);
    pcre2_match_data_free(data);
    pcre2_code_free(regex);
    return n > 0 ? 1 : n == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

/* ------------------------------------------------------------ variables */

/* @return NULL if only a running server knows */
static const char *variable(const rewrite_request_t *r, const char *name,
                            apr_pool_t *pool)
{
    if (strcasecmp(name, "HTTPS") == 0) {
        return r->tls ? "on" : "off";
    }
    if (strcasecmp(name, "REQUEST_SCHEME") == 0) {
        return r->tls ? "https" : "http";
    }
    if (strcasecmp(name, "SERVER_PORT") == 0) {
        return apr_itoa(pool, r->port);
    }
    if (strcasecmp(name, "HTTP_HOST") == 0
        || strcasecmp(name, "SERVER_NAME") == 0
        || strcasecmp(name, "HTTP:Host") == 0) {
        return r->host;
    }
    if (strcasecmp(name, "REQUEST_URI") == 0) {
        return r->path;
    }
    /* a header that a plain request has not */
    if (strncasecmp(name, "HTTP:", 5) == 0
        || strncasecmp(name, "HTTP_", 5) == 0
        || strcasecmp(name, "QUERY_STRING") == 0) {
        return "";
    }
    return strcasecmp(name, "REQUEST_METHOD") == 0 ? "GET" : NULL;
}

/* The text of %{...}, $N, %N or \C at *s, which moves behind it; NULL: not
 * one of these; sets *pknown to 0 if it cannot be told. */
static const char *piece(const char **s, const rewrite_request_t *r,
                         const rewrite_parts_t *rule,
                         const rewrite_parts_t *cond, int *pknown,
                         apr_pool_t *pool)
{
    const char *at = *s, *end, *value;

    if (*at == '\\' && at[1]) {
        *s += 2;
        return apr_pstrmemdup(pool, at + 1, 1);
    }
    if ((*at == '$' || *at == '%') && apr_isdigit(at[1])) {
        *s += 2;
        value = (*at == '$' ? rule : cond)->text[at[1] - '0'];
        return value ? value : "";
    }
    end = *at == '%' && at[1] == '{' ? strchr(at, '}') : NULL;
    if (!end) {
        return NULL;
    }
    *s = end + 1;
    value = variable(r, apr_pstrmemdup(pool, at + 2, end - at - 2), pool);
    *pknown = *pknown && value;
    return value ? value : "";
}

const char *rewrite_expand(const char *text, const rewrite_request_t *r,
                           const rewrite_parts_t *rule,
                           const rewrite_parts_t *cond, int *pknown,
                           apr_pool_t *pool)
{
    const char *out = "", *s = text;

    *pknown = 1;
    while (*s) {
        apr_size_t plain = strcspn(s, "\\$%");
        const char *found;

        out = apr_pstrcat(pool, out, apr_pstrmemdup(pool, s, plain), NULL);
        s += plain;
        if (!*s) {
            break;
        }
        found = piece(&s, r, rule, cond, pknown, pool);
        if (!found) {
            found = apr_pstrmemdup(pool, s++, 1);
        }
        out = apr_pstrcat(pool, out, found, NULL);
    }
    return out;
}

/* ------------------------------------------------------------ conditions */

/* Is FLAG, or its long name, among "[A,B]"? */
static int has_flag(const char *flags, const char *brief, const char *full)
{
    const char *s = flags;

    while (s && *s) {
        apr_size_t len;

        s += strspn(s, "[], \t");
        len = strcspn(s, "],= \t");
        if ((len == strlen(brief) && strncasecmp(s, brief, len) == 0)
            || (len == strlen(full) && strncasecmp(s, full, len) == 0)) {
            return 1;
        }
        s += len;
        s += *s == '=' ? strcspn(s, "],") : 0;
    }
    return 0;
}

int rewrite_has_flag(const apr_array_header_t *words, int n,
                     const char *brief, const char *full)
{
    return words->nelts > n
           && has_flag(APR_ARRAY_IDX(words, n, const char *), brief, full);
}

static rewrite_answer_t answer(int yes)
{
    return yes ? REWRITE_YES : REWRITE_NO;
}

/* What stands behind "!" is asked of a text that is known. */
static rewrite_answer_t cond_compare(const char *pattern, const char *text,
                                     int nocase, rewrite_parts_t *parts,
                                     apr_pool_t *pool)
{
    int order, found;

    if (*pattern == '=' || *pattern == '<' || *pattern == '>') {
        const char *other = pattern + (strcmp(pattern, "=\"\"") == 0 ? 3 : 1);

        order = nocase ? strcasecmp(text, other) : strcmp(text, other);
        return answer(*pattern == '=' ? order == 0
                      : *pattern == '<' ? order < 0 : order > 0);
    }
    if (*pattern == '-') {
        return REWRITE_PERHAPS;
    }
    found = regex_match(pattern, text, nocase, parts, pool);
    return found < 0 ? REWRITE_PERHAPS : answer(found);
}

/* One RewriteCond. */
static rewrite_answer_t cond_try(const apr_array_header_t *words,
                                 const rewrite_request_t *r,
                                 rewrite_parts_t *parts, apr_pool_t *pool)
{
    const rewrite_parts_t none = { { NULL } };
    const char *text, *pattern;
    rewrite_answer_t found;
    int known, not;

    if (words->nelts < 2) {
        return REWRITE_PERHAPS;
    }
    text = rewrite_expand(APR_ARRAY_IDX(words, 0, const char *), r, &none,
                          parts, &known, pool);
    pattern = APR_ARRAY_IDX(words, 1, const char *);
    not = *pattern == '!';
    if (!known || strcasecmp(text, "expr") == 0) {
        return REWRITE_PERHAPS;
    }
    found = cond_compare(pattern + not, text,
                         rewrite_has_flag(words, 2, "NC", "nocase"),
                         not ? NULL : parts, pool);
    return not ? (rewrite_answer_t)(REWRITE_YES - found) : found;
}

rewrite_answer_t rewrite_conditions(const apr_array_header_t *conditions,
                                    const rewrite_request_t *r,
                                    rewrite_parts_t *parts, apr_pool_t *pool)
{
    rewrite_answer_t all = REWRITE_YES, any = REWRITE_NO;
    int i;

    for (i = 0; i < conditions->nelts; i++) {
        const apr_array_header_t *words =
            APR_ARRAY_IDX(conditions, i, const apr_array_header_t *);
        rewrite_answer_t one = cond_try(words, r, parts, pool);

        any = one > any ? one : any;
        if (i + 1 == conditions->nelts
            || !rewrite_has_flag(words, 2, "OR", "ornext")) {
            all = any < all ? any : all;
            any = REWRITE_NO;
        }
    }
    return all;
}

rewrite_answer_t rewrite_pattern(const char *pattern, const char *path,
                                 int nocase, rewrite_parts_t *parts,
                                 apr_pool_t *pool)
{
    int not = *pattern == '!';
    int found = regex_match(pattern + not, path, nocase, not ? NULL : parts,
                            pool);

    return found < 0 ? REWRITE_PERHAPS : answer(found != not);
}
