/*
 * twin_plain: what says "http" in a TLS twin as in its original.
 *
 *     leads to a name of the certificate    says https in the twin
 *     the same, and then would lead         left out: it is there to send
 *         a request to itself                   TLS requests back to http
 *     anything else of the host             is named, for the admin to look
 *
 * A redirect elsewhere, and one that never concerns TLS, stays as it is.
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "configurator/internal.h"

#define HTTP "http://"
#define HTTP_LEN (sizeof(HTTP) - 1)

static const char *node_word(const block_node_t *node, int n)
{
    return n < node->words->nelts ? APR_ARRAY_IDX(node->words, n,
                                                  const char *) : "";
}

/* 1 if a word leads to the host itself by plain http. */
static int is_own_http(const host_t *host, const char *word,
                       apr_pool_t *pool)
{
    const char *name;

    if (strncasecmp(word, HTTP, HTTP_LEN) != 0) {
        return 0;
    }
    name = word + HTTP_LEN;
    return *name == '%'
           || host_has_name(host, name_lower(apr_pstrmemdup(pool, name,
                                                 strcspn(name, ":/?#$%")),
                                             pool), 1);
}

/* 1 if a directive tells clients or programs behind httpd that they are
 * spoken to by http. */
static int says_http(const host_t *host, const block_node_t *node,
                     apr_pool_t *pool)
{
    int i, found = 0;

    if (strcasecmp(node->name, "RequestHeader") == 0) {
        return strcasecmp(node_word(node, 1), "X-Forwarded-Proto") == 0
               && strcasecmp(node_word(node, 2), "http") == 0;
    }
    if (strncasecmp(node->name, "Redirect", strlen("Redirect")) == 0
        || strcasecmp(node->name, "RewriteRule") == 0) {
        for (i = 0; i < node->words->nelts && !found; i++) {
            found = is_own_http(host, node_word(node, i), pool);
        }
    }
    return found;
}

/* 1 if word n of a node leads to a name of the certificate, on http's own
 * port. */
static int is_certified(const block_node_t *node, int n,
                        const apr_array_header_t *names, apr_pool_t *pool)
{
    const char *url = APR_ARRAY_IDX(node->words, n, const char *);
    const char *own;
    apr_size_t len;

    if (strncasecmp(url, HTTP, HTTP_LEN) != 0) {
        return 0;
    }
    len = strcspn(url + HTTP_LEN, ":/?#");
    own = apr_pstrmemdup(pool, url + HTTP_LEN, len);
    return url[HTTP_LEN + len] != ':' && base_list_has_name(names, own);
}

/* 1 if a node is in a section that holds for some requests only. */
static int is_conditional(const block_t *block, const block_node_t *node)
{
    const block_node_t *around;

    for (; node->parent >= 0; node = around) {
        around = &APR_ARRAY_IDX(block_nodes(block), node->parent,
                                block_node_t);
        if (strncasecmp(around->name, "If", 2) == 0
            ? strlen(around->name) == 2
            : strncasecmp(around->name, "Else", 4) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Let argument n of a node say https. */
static apr_status_t https_say(configurator_plan_t *plan, block_t *twin,
                              const host_t *host, int i, int n,
                              acme_err_t *err)
{
    const block_node_t *node = &APR_ARRAY_IDX(block_nodes(twin), i,
                                              block_node_t);
    const char *url = APR_ARRAY_IDX(node->words, n, const char *);

    plan_step(plan, "%s in %s:%d says https in the TLS twin.", node->name,
              host->file, node->line);
    return block_set(twin, i, n, apr_pstrcat(plan->pool, "https://",
                                             url + HTTP_LEN, NULL), err);
}

static void warn(configurator_plan_t *plan, const host_t *host,
                 const block_node_t *node)
{
    plan_warn(plan, "%s in %s:%d says http in the TLS twin, too: look "
              "whether it should.", node->name, host->file, node->line);
}

/* What is known of the RewriteRule of a node; NULL: nothing. */
static const redirect_t *rule_of(const apr_array_header_t *rules,
                                 const host_t *host,
                                 const block_node_t *node)
{
    int i;

    for (i = 0; i < rules->nelts; i++) {
        const redirect_t *rule = &APR_ARRAY_IDX(rules, i, redirect_t);
        const directive_t *d = &APR_ARRAY_IDX(host->directives, rule->last,
                                              directive_t);

        if (d->line == node->line && strcmp(d->file, host->file) == 0) {
            return rule;
        }
    }
    return NULL;
}

/* Take a rule with its conditions out of the twin. */
static apr_status_t rule_leave(configurator_plan_t *plan, block_t *twin,
                               const host_t *host, const redirect_t *rule,
                               acme_err_t *err)
{
    const directive_t *list = (const directive_t *)host->directives->elts;
    apr_status_t rv = APR_SUCCESS;
    int i, node;

    for (i = rule->first; i <= rule->last && rv == APR_SUCCESS; i++) {
        node = block_node_of(twin, &list[i]);
        rv = node < 0 ? plan_refuse(plan, NULL, err, "%s:%d is not the %s "
                                    "that httpd has read there",
                                    list[i].file, list[i].line, list[i].name)
                      : block_remove(twin, node, err);
    }
    plan_step(plan, "RewriteRule in %s:%d sends TLS requests back to http "
              "and is left out of the TLS twin.", host->file,
              list[rule->last].line);
    return rv;
}

static apr_status_t rule_change(configurator_plan_t *plan, block_t *twin,
                                const host_t *host, int i,
                                const redirect_t *rule, acme_err_t *err)
{
    const block_node_t *node = &APR_ARRAY_IDX(block_nodes(twin), i,
                                              block_node_t);

    if (rule && rule->dead) {
        return APR_SUCCESS;
    }
    if (rule && rule->loops
        && !twin_is_counted(host, rule->last, plan->pool)) {
        return rule_leave(plan, twin, host, rule, err);
    }
    if (rule && !rule->loops && !rule->strange) {
        return https_say(plan, twin, host, i, 1, err);
    }
    warn(plan, host, node);
    return APR_SUCCESS;
}

apr_status_t twin_plain_apply(configurator_plan_t *plan, block_t *twin,
                              const host_t *host,
                              const apr_array_header_t *names, int port,
                              acme_err_t *err)
{
    const apr_array_header_t *rules = redirects_plain(plan->c, host, port,
                                                      names, plan->pool);
    const apr_array_header_t *nodes = block_nodes(twin);
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < nodes->nelts && rv == APR_SUCCESS; i++) {
        const block_node_t *node = &APR_ARRAY_IDX(nodes, i, block_node_t);
        int last = node->words->nelts - 1;

        if (node->kind != SCAN_DIRECTIVE
            || !says_http(host, node, plan->pool)) {
            continue;
        }
        if (strcasecmp(node->name, "RewriteRule") == 0) {
            rv = rule_change(plan, twin, host, i, rule_of(rules, host, node),
                             err);
        }
        else if (strncasecmp(node->name, "Redirect", 8) == 0
                 && is_certified(node, last, names, plan->pool)
                 && !is_conditional(twin, node)) {
            rv = https_say(plan, twin, host, i, last, err);
        }
        else {
            warn(plan, host, node);
        }
    }
    return rv;
}
