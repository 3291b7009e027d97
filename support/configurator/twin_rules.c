/*
 * twin_rules: what may not be in a TLS twin as it is in its original.
 *
 *     in the host's own text   left out, or made fit (see twin_plain.c)
 *     in a snippet, a macro    refused: it is in the twin as it is there
 *     in the main server       refused where every host inherits it
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "configurator/internal.h"
#include "configurator/rewrite.h"

/* Directives that may stand only once in the whole server. */
static const char *const once[] = {
    "FastCgiExternalServer", "FastCgiServer", "MDomain", "WSGIDaemonProcess"
};

/* What a twin has of its own, or has not. */
static const char *const own[] = {
    "ACMEDomain", "ACMERequireHTTPS", "SSLCertificateChainFile",
    "SSLCertificateFile", "SSLCertificateKeyFile", "SSLEngine"
};

static int is_one_of(const char *const *list, int n, const char *name)
{
    int i;

    for (i = 0; i < n; i++) {
        if (strcasecmp(list[i], name) == 0) {
            return 1;
        }
    }
    return 0;
}

#define IS_ONE_OF(list, name) \
    is_one_of(list, (int)(sizeof(list) / sizeof(list[0])), name)

static const directive_t *directive_at(const host_t *host, int i)
{
    return &APR_ARRAY_IDX(host->directives, i, directive_t);
}

int block_node_of(const block_t *block, const directive_t *directive)
{
    int node;

    for (node = block_find(block, directive->name, 0, 1); node >= 0;
         node = block_find(block, directive->name, node + 1, 1)) {
        if (APR_ARRAY_IDX(block_nodes(block), node, block_node_t).line
            == directive->line) {
            return node;
        }
    }
    return -1;
}

/* --------------------------------------------------------------- refusal */

/* "FILE:LINE", as far as it is known. */
const char *directive_place(const directive_t *directive, apr_pool_t *pool)
{
    return *directive->file ? apr_psprintf(pool, "%s:%d", directive->file,
                                           directive->line)
                            : "a macro";
}

/* 1 if it stands in the host's own text. */
static int is_own_text(const host_t *host, const directive_t *directive)
{
    return host->file && strcmp(host->file, directive->file) == 0;
}

/* What includes cannot be left out of the twin. */
static apr_status_t snippets_check(configurator_plan_t *plan,
                                   const host_t *host, int is_static,
                                   acme_err_t *err)
{
    int i;

    for (i = 0; i < host->directives->nelts; i++) {
        const directive_t *d = directive_at(host, i);

        if (is_own_text(host, d)) {
            continue;
        }
        if (IS_ONE_OF(once, d->name)) {
            return plan_refuse(plan, NULL, err, "%s in %s may stand only "
                               "once, but would be in the TLS twin of %s too, "
                               "which includes it: put it where no virtual "
                               "host includes it", d->name,
                               directive_place(d, plan->pool),
                               host_place(host, plan->pool));
        }
        if (strcasecmp(d->name, "SSLCertificateFile") == 0 && !is_static) {
            return plan_refuse(plan, NULL, err, "SSLCertificateFile in %s "
                               "would take the place of the managed "
                               "certificate in the TLS twin of %s: remove it",
                               directive_place(d, plan->pool),
                               host_place(host, plan->pool));
        }
    }
    return APR_SUCCESS;
}

/* The main server's own certificate would be every twin's. */
static apr_status_t main_check(configurator_plan_t *plan, int is_static,
                               acme_err_t *err)
{
    const host_t *main = plan->c->main;
    int i = host_directive(main, "SSLCertificateFile", 0);

    if (i < 0 || is_static || *directive_at(main, i)->within) {
        return APR_SUCCESS;
    }
    return plan_refuse(plan, NULL, err, "SSLCertificateFile in %s is that of "
                       "all virtual hosts and would take the place of the "
                       "managed certificate: move it into those that need it, "
                       "or use --static-files",
                       directive_place(directive_at(main, i), plan->pool));
}

/* 1 if rewrite rules of the main server hold in a host: by its own word or
 * the main server's. */
static int inherits_rules(const host_t *host, const host_t *main)
{
    int own_word = host_directive(host, "RewriteOptions", 0);
    int down = host_directive(main, "RewriteOptions", 0);

    return (own_word >= 0
            && strcasestr(directive_at(host, own_word)->args, "Inherit"))
           || (down >= 0
               && strcasestr(directive_at(main, down)->args, "InheritDown"));
}

/* What the main server says of redirects is every host's. */
static apr_status_t inherited_check(configurator_plan_t *plan,
                                    const host_t *host, int port,
                                    acme_err_t *err)
{
    const host_t *main = plan->c->main;
    const apr_array_header_t *list;
    host_t heir = *host;
    int i;

    heir.directives = main->directives;
    list = redirects_find(plan->c, &heir, port, plan->pool);
    for (i = 0; i < list->nelts; i++) {
        const redirect_t *one = &APR_ARRAY_IDX(list, i, redirect_t);
        const directive_t *d = directive_at(main, one->last);

        if (one->loops && (strcasecmp(d->name, "RewriteRule") != 0
                           || inherits_rules(host, main))) {
            return plan_refuse(plan, NULL, err, "%s in %s is inherited and "
                               "would send TLS requests to themselves in the "
                               "TLS twin of %s: use ACMERequireHTTPS instead",
                               d->name, directive_place(d, plan->pool),
                               host_place(host, plan->pool));
        }
    }
    return APR_SUCCESS;
}

/* ---------------------------------------------------------- left out */

static apr_status_t remove_directive(configurator_plan_t *plan,
                                     block_t *twin, const directive_t *d,
                                     acme_err_t *err)
{
    int node = block_node_of(twin, d);

    return node < 0 ? plan_refuse(plan, NULL, err, "%s:%d is not the %s that "
                                  "httpd has read there", d->file, d->line,
                                  d->name)
                    : block_remove(twin, node, err);
}

/* Also what a condition hides now: it need not do so for ever. */
static apr_status_t once_leave(configurator_plan_t *plan, block_t *twin,
                               const host_t *host, acme_err_t *err)
{
    const apr_array_header_t *nodes = block_nodes(twin);
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < nodes->nelts && rv == APR_SUCCESS; i++) {
        const block_node_t *node = &APR_ARRAY_IDX(nodes, i, block_node_t);

        if (node->kind == SCAN_DIRECTIVE && IS_ONE_OF(once, node->name)) {
            rv = block_remove(twin, i, err);
            plan_warn(plan, "%s in %s:%d may stand only once and is left out "
                      "of the TLS twin, which shares what it makes.",
                      node->name, host->file, node->line);
        }
    }
    return rv;
}

/* 1 if rules beside it count each other: one cannot be taken away. */
int twin_is_counted(const host_t *host, int rule, apr_pool_t *pool)
{
    int i;

    for (i = host_directive(host, "RewriteRule", 0); i >= 0;
         i = host_directive(host, "RewriteRule", i + 1)) {
        const apr_array_header_t *words;

        if (strcmp(directive_at(host, i)->within,
                   directive_at(host, rule)->within) != 0) {
            continue;
        }
        words = directive_words(directive_at(host, i), pool);
        if (rewrite_has_flag(words, 2, "S", "skip")
            || rewrite_has_flag(words, 2, "C", "chain")) {
            return 1;
        }
    }
    return 0;
}

/* Take a redirect with its conditions out of a copy. */
static apr_status_t redirect_leave(configurator_plan_t *plan, block_t *twin,
                                   const host_t *host,
                                   const redirect_t *redirect,
                                   acme_err_t *err)
{
    const directive_t *d = directive_at(host, redirect->last);
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (!is_own_text(host, d)) {
        return !redirect->loops ? APR_SUCCESS
            : plan_refuse(plan, NULL, err, "%s %s in %s would send TLS "
                          "requests to themselves in the twin of %s, which "
                          "includes it: let it stand in the http host only, "
                          "or use ACMERequireHTTPS", d->name, d->args,
                          directive_place(d, plan->pool),
                          host_place(host, plan->pool));
    }
    if (strcasecmp(d->name, "RewriteRule") == 0
        && twin_is_counted(host, redirect->last, plan->pool)) {
        return !redirect->loops ? APR_SUCCESS
            : plan_refuse(plan, NULL, err, "the RewriteRule in %s would send "
                          "TLS requests to themselves, and cannot be left out "
                          "of the twin because rules beside it skip or chain "
                          "others", directive_place(d, plan->pool));
    }
    for (i = redirect->first; i <= redirect->last && rv == APR_SUCCESS;
         i++) {
        rv = remove_directive(plan, twin, directive_at(host, i), err);
    }
    plan_step(plan, "leave %s in %s out of the TLS twin: it leads to https",
              d->name, directive_place(d, plan->pool));
    return rv;
}

static apr_status_t redirects_leave(configurator_plan_t *plan, block_t *twin,
                                    const host_t *host, int port,
                                    acme_err_t *err)
{
    const apr_array_header_t *list = redirects_find(plan->c, host, port,
                                                    plan->pool);
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < list->nelts && rv == APR_SUCCESS; i++) {
        const redirect_t *one = &APR_ARRAY_IDX(list, i, redirect_t);

        if (one->loops || one->dead) {
            rv = redirect_leave(plan, twin, host, one, err);
        }
    }
    return rv;
}

/* Also what a condition hides now. */
static apr_status_t own_leave(block_t *twin, acme_err_t *err)
{
    const apr_array_header_t *nodes = block_nodes(twin);
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < nodes->nelts && rv == APR_SUCCESS; i++) {
        const block_node_t *node = &APR_ARRAY_IDX(nodes, i, block_node_t);

        if (node->kind == SCAN_DIRECTIVE && IS_ONE_OF(own, node->name)) {
            rv = block_remove(twin, i, err);
        }
    }
    return rv;
}

/* --------------------------------------------------------------- changed */

/* "http://NAME:80" is NAME. */
const char *twin_name_bare(const char *word, apr_pool_t *pool)
{
    const char *scheme = strstr(word, "://");
    const char *name = scheme ? scheme + 3 : word;

    return *name == '[' ? name
                        : apr_pstrmemdup(pool, name, strcspn(name, ":/"));
}

static apr_status_t name_change(block_t *twin, acme_err_t *err,
                                apr_pool_t *pool)
{
    const apr_array_header_t *nodes = block_nodes(twin);
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = block_find(twin, "ServerName", 0, 1);
         i >= 0 && rv == APR_SUCCESS;
         i = block_find(twin, "ServerName", i + 1, 1)) {
        const apr_array_header_t *words = APR_ARRAY_IDX(nodes, i,
                                                        block_node_t).words;
        const char *word = words->nelts ? APR_ARRAY_IDX(words, 0,
                                                        const char *) : "";
        const char *bare = twin_name_bare(word, pool);

        if (strcmp(word, bare) != 0 && !strstr(word, "${")) {
            rv = block_set(twin, i, 0, bare, err);
        }
    }
    return rv;
}

/* ------------------------------------------------------------ the whole */

int twin_rules_leave(const char *name)
{
    return IS_ONE_OF(own, name) || IS_ONE_OF(once, name);
}

apr_status_t twin_rules_check(configurator_plan_t *plan, const host_t *host,
                              int port, int is_static, acme_err_t *err)
{
    apr_status_t rv = main_check(plan, is_static, err);

    if (rv == APR_SUCCESS) {
        rv = inherited_check(plan, host, port, err);
    }
    return rv == APR_SUCCESS ? snippets_check(plan, host, is_static, err)
                             : rv;
}

apr_status_t twin_rules_apply(configurator_plan_t *plan, block_t *twin,
                              const host_t *host,
                              const apr_array_header_t *names, int port,
                              acme_err_t *err)
{
    apr_status_t rv = name_change(twin, err, plan->pool);

    if (rv == APR_SUCCESS) {
        rv = own_leave(twin, err);
    }
    if (rv == APR_SUCCESS) {
        rv = once_leave(plan, twin, host, err);
    }
    if (rv == APR_SUCCESS) {
        rv = redirects_leave(plan, twin, host, port, err);
    }
    return rv == APR_SUCCESS ? twin_plain_apply(plan, twin, host, names,
                                                port, err) : rv;
}
