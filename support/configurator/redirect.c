/*
 * redirect: the directives of a host that send requests to https, and
 * whether they would send a request that came by TLS to itself.
 *
 * Tried, not guessed: a request over TLS for each of the host's names is
 * given to the directive; where it leads to a name of this host, its target
 * is given to it as the next request. Who is sent on again goes round in
 * circles.
 */
#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "configurator/internal.h"
#include "configurator/rewrite.h"

/* Names tried of one host. */
#define NAMES_MAX 32
/* Stands for a name where the host has none, and for what is in a path. */
#define PROBE_NAME "name.invalid"
#define PROBE_PART "acme-probe"
#define PROBE_PATH "/acme-probe/y"

/* One directive, taken apart. */
typedef struct rule_t {
    const char *pattern;         /* of the path */
    const char *target;
    int prefix;                  /* 1: pattern is the start of the path */
    int relative;                /* 1: matched without the first slash */
    int nocase;
    apr_array_header_t *conditions;  /* of apr_array_header_t *: words */
} rule_t;

/* What is looked at. */
typedef struct look_t {
    const configurator_t *c;
    const host_t *host;
    int port;                    /* of TLS */
    apr_array_header_t *names;   /* const char * */
    apr_array_header_t *engines; /* of int: the host's RewriteEngines */
    const apr_array_header_t *plain; /* NULL: what says https is looked for;
                                    else what says http, and leads to one of
                                    these names */
    apr_pool_t *pool;            /* cleared after each directive */
} look_t;

/* ----------------------------------------------------------- directives */

apr_array_header_t *directive_words(const directive_t *directive,
                                    apr_pool_t *pool)
{
    const char *line = apr_pstrcat(pool, directive->name, " ",
                                   directive->args, "\n", NULL);
    acme_err_t ignored = { 0 };
    text_t *text;

    if (text_make(&text, directive->file, line, strlen(line), &ignored, pool)
        != APR_SUCCESS || text->lines->nelts == 0) {
        return apr_array_make(pool, 1, sizeof(char *));
    }
    return text_words(text, &APR_ARRAY_IDX(text->lines, 0, scan_line_t),
                      pool);
}

static const char *word(const apr_array_header_t *words, int n)
{
    return n < words->nelts ? APR_ARRAY_IDX(words, n, const char *) : NULL;
}

static int is_https(const char *target)
{
    return target && strncasecmp(target, "https://", 8) == 0;
}

/* The path of the section around a directive, where that is one of paths;
 * NULL. */
static const char *location_of(const directive_t *directive, int *pregex,
                               apr_pool_t *pool)
{
    directive_t section = *directive;
    const char *path, *space = strchr(directive->within, ' ');
    apr_array_header_t *words;

    if (!space || strncasecmp(directive->within, "Location", 8) != 0) {
        return NULL;
    }
    section.name = "Location";
    section.args = space + 1;
    words = directive_words(&section, pool);
    path = word(words, 0);
    *pregex = strncasecmp(directive->within, "LocationMatch", 13) == 0
              || (path && strcmp(path, "~") == 0);
    return path && strcmp(path, "~") == 0 ? word(words, 1) : path;
}

/* The same URL by https. */
static const char *as_https(const char *target, apr_pool_t *pool)
{
    return target && strncasecmp(target, "http://", 7) == 0
           ? apr_pstrcat(pool, "https://", target + 7, NULL) : NULL;
}

/* Redirect and its kin. @return 0: it leads nowhere by https */
static int alias_read(rule_t *rule, const directive_t *directive,
                      apr_pool_t *pool)
{
    const apr_array_header_t *words = directive_words(directive, pool);
    int n = words->nelts, regex = strcasecmp(directive->name,
                                             "RedirectMatch") == 0;

    rule->target = n ? word(words, n - 1) : NULL;
    rule->conditions = apr_array_make(pool, 1, sizeof(apr_array_header_t *));
    if (!is_https(rule->target)) {
        return 0;
    }
    rule->pattern = n > 1 ? word(words, n - 2) : NULL;
    /* "Redirect permanent URL" in a Location has no path of its own */
    if (!rule->pattern || (!regex && rule->pattern[0] != '/')) {
        rule->pattern = location_of(directive, &regex, pool);
    }
    rule->prefix = !regex;
    return rule->pattern != NULL;
}

/* RewriteRule number i, and in *pfirst its first condition. */
static int rewrite_read(rule_t *rule, int *pfirst, const look_t *look, int i)
{
    apr_pool_t *pool = look->pool;
    const directive_t *list = (const directive_t *)
                              look->host->directives->elts;
    const apr_array_header_t *words = directive_words(&list[i], pool);
    int first = i, n;

    rule->pattern = word(words, 0);
    rule->target = look->plain ? as_https(word(words, 1), pool)
                               : word(words, 1);
    if (!is_https(rule->target)) {
        return 0;
    }
    rule->nocase = rewrite_has_flag(words, 2, "NC", "nocase");
    rule->relative = *list[i].within && !list[i].conditional;
    while (first > 0 && strcasecmp(list[first - 1].name, "RewriteCond") == 0
           && strcmp(list[first - 1].within, list[i].within) == 0) {
        first--;
    }
    rule->conditions = apr_array_make(pool, i - first + 1,
                                      sizeof(apr_array_header_t *));
    for (n = first; n < i; n++) {
        APR_ARRAY_PUSH(rule->conditions, apr_array_header_t *) =
            directive_words(&list[n], pool);
    }
    *pfirst = first;
    return 1;
}

/* 1 if the rules that stand beside directive i are switched on. */
static int is_rewriting(const look_t *look, int i)
{
    const directive_t *list = (const directive_t *)
                              look->host->directives->elts;
    int n, on = 0;

    for (n = 0; n < look->engines->nelts; n++) {
        const directive_t *engine = &list[APR_ARRAY_IDX(look->engines, n,
                                                        int)];

        if (strcmp(engine->within, list[i].within) == 0) {
            on = strcasecmp(engine->args, "on") == 0;
        }
    }
    return on;
}

/* --------------------------------------------------------------- targets */

/* 1 if "https://HOST[:PORT]/PATH" is this host by TLS. */
static int is_own(const look_t *look, const char *target, const char **phost,
                  const char **ppath)
{
    const char *s = target + 8;
    apr_size_t len = strcspn(s, ":/?#");
    char *host = apr_pstrmemdup(look->pool, s, len), *c;
    int port = 443;

    for (c = host; *c; c++) {
        *c = (char)apr_tolower(*c);
    }
    s += len;
    if (*s == ':') {
        port = (int)apr_strtoi64(s + 1, NULL, 10);
        s += strcspn(s, "/?#");
    }
    *phost = host;
    *ppath = apr_pstrmemdup(look->pool, s, strcspn(s, "?#"));
    if (!**ppath) {
        *ppath = "/";
    }
    return (port == 443 || port == look->port)
           && (!look->plain || base_list_has_name(look->plain, host))
           && (host_has_name(look->host, host, 1)
               || (look->host->server_name == NULL
                   && strcmp(host, PROBE_NAME) == 0));
}

/* 1 if the target has the path of the request itself in it. */
static int keeps_path(const char *target)
{
    const char *path = strpbrk(target + 8, "/%$");

    while (path && *path == '%' && strncasecmp(path, "%{REQUEST_URI}", 14)) {
        path += strcspn(path, "}");
        path = strpbrk(path, "/%$");
    }
    return path && strncasecmp(path, "%{REQUEST_URI}", 14) == 0;
}

static rewrite_answer_t path_try(const rule_t *rule, const char *path,
                                 rewrite_parts_t *parts, apr_pool_t *pool)
{
    apr_size_t len = strlen(rule->pattern);

    if (!rule->prefix) {
        return rewrite_pattern(rule->pattern,
                               path + (rule->relative && *path == '/'),
                               rule->nocase, parts, pool);
    }
    return strncmp(path, rule->pattern, len) == 0
           && (path[len] == '/' || !path[len]
               || (len && path[len - 1] == '/'))
           ? REWRITE_YES : REWRITE_NO;
}

/* What a request for one name leads to. */
static void name_try(const look_t *look, const rule_t *rule,
                     const char *name, int tls, redirect_t *redirect)
{
    rewrite_request_t r = { tls, tls ? 443 : 80, name, PROBE_PATH };
    rewrite_parts_t cond = { { NULL } }, part = { { NULL } };
    rewrite_answer_t holds = rewrite_conditions(rule->conditions, &r, &cond,
                                                look->pool);
    const char *target;
    int known, i;

    if (holds == REWRITE_NO) {
        return;
    }
    redirect->dead = 0;
    if (path_try(rule, r.path, &part, look->pool) != REWRITE_YES) {
        for (i = 0; i < REWRITE_PARTS; i++) {
            part.text[i] = PROBE_PART;
        }
    }
    target = rule->prefix ? rule->target
             : rewrite_expand(rule->target, &r, &part, &cond, &known,
                              look->pool);
    if (!is_https(target) || !is_own(look, target, &r.host, &r.path)) {
        redirect->strange = 1;
    }
    else if (rewrite_conditions(rule->conditions, &r, &cond, look->pool)
                != REWRITE_NO
             && (keeps_path(rule->target)
                 || path_try(rule, r.path, NULL, look->pool)
                    != REWRITE_NO)) {
        redirect->loops = 1;
    }
}

/* 1 if every request for one name by http is sent to https here. */
static int http_try(const look_t *look, const rule_t *rule, const char *name)
{
    rewrite_request_t r = { 0, 80, name, PROBE_PATH };
    rewrite_parts_t cond = { { NULL } }, part = { { NULL } };
    const char *target;
    int known;

    if (rewrite_conditions(rule->conditions, &r, &cond, look->pool)
        != REWRITE_YES
        || path_try(rule, r.path, &part, look->pool) != REWRITE_YES) {
        return 0;
    }
    target = rule->prefix ? rule->target
             : rewrite_expand(rule->target, &r, &part, &cond, &known,
                              look->pool);
    return is_https(target) && is_own(look, target, &r.host, &r.path);
}

/* -------------------------------------------------------------- the host */

/* The names that are tried. */
static apr_array_header_t *names_of(const host_t *host, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 4, sizeof(char *));
    int i;

    if (host->server_name) {
        APR_ARRAY_PUSH(names, const char *) = host->server_name;
    }
    for (i = 0; i < host->aliases->nelts && names->nelts < NAMES_MAX; i++) {
        const char *alias = APR_ARRAY_IDX(host->aliases, i, const char *);

        if (!strpbrk(alias, "*?")) {
            APR_ARRAY_PUSH(names, const char *) = alias;
        }
    }
    if (names->nelts == 0) {
        APR_ARRAY_PUSH(names, const char *) = PROBE_NAME;
    }
    return names;
}

/* 1 if the target is one host, whatever the request. */
static int is_one_host(const char *target)
{
    return strcspn(target + 8, "%$\\") >= strcspn(target + 8, "/?#");
}

/* @return 0 if it leads to another host */
static int rule_look(const look_t *look, const rule_t *rule,
                     redirect_t *redirect)
{
    redirect_t there = { 0, 0, 0, 0, 0, 0 };
    const char *host, *path;
    int one = is_one_host(rule->target);
    int i, n = one && rule->conditions->nelts == 0 ? 1 : look->names->nelts;

    if (one && !is_own(look, rule->target, &host, &path)) {
        return 0;
    }
    redirect->dead = 1;
    redirect->whole = 1;
    for (i = 0; i < n; i++) {
        const char *name = APR_ARRAY_IDX(look->names, i, const char *);

        name_try(look, rule, name, 1, redirect);
        name_try(look, rule, name, 0, &there);
        redirect->whole = redirect->whole && http_try(look, rule, name);
    }
    /* What ends it by http ends it by https, too. */
    redirect->loops = redirect->loops && !(look->plain && there.loops);
    return 1;
}

/* Look at directive i. @return 0: it sends nobody to https */
static int directive_look(const look_t *look, int i, redirect_t *found)
{
    const directive_t *d = &APR_ARRAY_IDX(look->host->directives, i,
                                          directive_t);
    rule_t rule = { 0 };

    /* a host may have very many of others */
    if ((d->name[0] | 0x20) != 'r'
        || !strcasestr(d->args, look->plain ? "http://" : "https://")) {
        return 0;
    }
    if (strcasecmp(d->name, "RewriteRule") == 0) {
        return is_rewriting(look, i)
               && rewrite_read(&rule, &found->first, look, i)
               && rule_look(look, &rule, found);
    }
    return strncasecmp(d->name, "Redirect", 8) == 0 && !d->conditional
           && !look->plain
           && alias_read(&rule, d, look->pool)
           && rule_look(look, &rule, found);
}

static apr_array_header_t *look_all(const configurator_t *c,
                                    const host_t *host, int port,
                                    const apr_array_header_t *plain,
                                    apr_pool_t *pool)
{
    look_t look = { c, host, port, names_of(host, pool), NULL, plain, NULL };
    apr_array_header_t *list = apr_array_make(pool, 2, sizeof(redirect_t));
    int i;

    look.engines = apr_array_make(pool, 1, sizeof(int));
    for (i = host_directive(host, "RewriteEngine", 0); i >= 0;
         i = host_directive(host, "RewriteEngine", i + 1)) {
        APR_ARRAY_PUSH(look.engines, int) = i;
    }
    apr_pool_create(&look.pool, pool);
    for (i = 0; i < host->directives->nelts; i++) {
        redirect_t found = { i, i, 0, 0, 0, 0 };

        apr_pool_clear(look.pool);
        if (directive_look(&look, i, &found)) {
            APR_ARRAY_PUSH(list, redirect_t) = found;
        }
    }
    apr_pool_destroy(look.pool);
    return list;
}

apr_array_header_t *redirects_find(const configurator_t *c,
                                   const host_t *host, int port,
                                   apr_pool_t *pool)
{
    return look_all(c, host, port, NULL, pool);
}

apr_array_header_t *redirects_plain(const configurator_t *c,
                                    const host_t *host, int port,
                                    const apr_array_header_t *names,
                                    apr_pool_t *pool)
{
    return look_all(c, host, port, names, pool);
}
