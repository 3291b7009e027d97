/*
 * twin: the TLS twin of an http host: all of its text, with
 *
 *     its addresses on the TLS port (address.c)
 *     ServerName without "http://" and port
 *     no SSLEngine and certificate of its own, nothing of the http host's
 *         redirect, no directive that may stand only once, no redirect that
 *         would lead to itself
 *     ACMEDomain NAME..., the files of a certificate, SSLEngine on
 *
 * What stands in a snippet that the host includes is in the twin as it is
 * there: what must not be in it makes the whole refused.
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
static const char *place_of(const directive_t *directive, apr_pool_t *pool)
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
                               place_of(d, plan->pool),
                               host_place(host, plan->pool));
        }
        if (strcasecmp(d->name, "SSLCertificateFile") == 0 && !is_static) {
            return plan_refuse(plan, NULL, err, "SSLCertificateFile in %s "
                               "would take the place of the managed "
                               "certificate in the TLS twin of %s: remove it",
                               place_of(d, plan->pool),
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
                       place_of(directive_at(main, i), plan->pool));
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
static int is_counted(const host_t *host, int rule, apr_pool_t *pool)
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
                          place_of(d, plan->pool),
                          host_place(host, plan->pool));
    }
    if (strcasecmp(d->name, "RewriteRule") == 0
        && is_counted(host, redirect->last, plan->pool)) {
        return !redirect->loops ? APR_SUCCESS
            : plan_refuse(plan, NULL, err, "the RewriteRule in %s would send "
                          "TLS requests to themselves, and cannot be left out "
                          "of the twin because rules beside it skip or chain "
                          "others", place_of(d, plan->pool));
    }
    for (i = redirect->first; i <= redirect->last && rv == APR_SUCCESS;
         i++) {
        rv = remove_directive(plan, twin, directive_at(host, i), err);
    }
    plan_step(plan, "%s in %s leads to https and is left out of the TLS "
              "twin.", d->name, place_of(d, plan->pool));
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

/* ----------------------------------------------------------- looked over */

static const char *node_word(const block_node_t *node, int n)
{
    return n < node->words->nelts ? APR_ARRAY_IDX(node->words, n,
                                                  const char *) : "";
}

/* 1 if a word leads to the host itself by plain http. */
static int is_own_http(const host_t *host, const char *word,
                       apr_pool_t *pool)
{
    const char *name = word + strlen("http://");

    if (strncasecmp(word, "http://", strlen("http://")) != 0) {
        return 0;
    }
    return *name == '%'
           || host_has_name(host, name_lower(apr_pstrmemdup(pool, name,
                                                 strcspn(name, ":/$?")),
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
        for (i = 1; i < node->words->nelts && !found; i++) {
            found = is_own_http(host, node_word(node, i), pool);
        }
    }
    return found;
}

/* Whether that is right only the admin knows. */
static void http_tell(configurator_plan_t *plan, const block_t *twin,
                      const host_t *host)
{
    const apr_array_header_t *nodes = block_nodes(twin);
    int i;

    for (i = 0; i < nodes->nelts; i++) {
        const block_node_t *node = &APR_ARRAY_IDX(nodes, i, block_node_t);

        if (node->kind == SCAN_DIRECTIVE
            && says_http(host, node, plan->pool)) {
            plan_warn(plan, "%s in %s:%d says http in the TLS twin, too: "
                      "look whether it should.", node->name, host->file,
                      node->line);
        }
    }
}

/* --------------------------------------------------------------- changed */

/* "http://NAME:80" is NAME. */
static const char *name_bare(const char *word, apr_pool_t *pool)
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
        const char *bare = name_bare(word, pool);

        if (strcmp(word, bare) != 0 && !strstr(word, "${")) {
            rv = block_set(twin, i, 0, bare, err);
        }
    }
    return rv;
}

static apr_status_t header_change(block_t *twin,
                                  const apr_array_header_t *addresses,
                                  acme_err_t *err, apr_pool_t *pool)
{
    apr_array_header_t *words = apr_array_make(pool, 2, sizeof(char *));
    int i;

    for (i = 0; i < addresses->nelts; i++) {
        APR_ARRAY_PUSH(words, const char *) =
            address_text(&APR_ARRAY_IDX(addresses, i, address_t), pool);
    }
    return block_set_all(twin, -1, words, err);
}

/* ---------------------------------------------------------------- added */

/* The directives that make a host speak TLS: of const char *, a name and
 * its arguments in turn. */
static apr_array_header_t *tls_directives(const configurator_deploy_t *deploy,
                                          int insert, apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(char *));

    if (insert) {
        APR_ARRAY_PUSH(list, const char *) = "ACMEDomain";
        APR_ARRAY_PUSH(list, const char *) =
            apr_array_pstrcat(pool, deploy->names, ' ');
    }
    if (deploy->certificate) {
        APR_ARRAY_PUSH(list, const char *) = "SSLCertificateFile";
        APR_ARRAY_PUSH(list, const char *) = text_quote(deploy->certificate,
                                                        pool);
        APR_ARRAY_PUSH(list, const char *) = "SSLCertificateKeyFile";
        APR_ARRAY_PUSH(list, const char *) = text_quote(deploy->key, pool);
    }
    APR_ARRAY_PUSH(list, const char *) = "SSLEngine";
    APR_ARRAY_PUSH(list, const char *) = "on";
    return list;
}

apr_status_t block_put(block_t *block, const char *name, const char *word,
                       acme_err_t *err, apr_pool_t *pool)
{
    apr_array_header_t *words = apr_array_make(pool, 1, sizeof(char *));

    APR_ARRAY_PUSH(words, const char *) = word;
    return block_insert(block, -1, name, words, err);
}

static apr_status_t tls_add(block_t *twin,
                            const configurator_deploy_t *deploy, int insert,
                            acme_err_t *err, apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;

    if (insert) {
        rv = block_insert(twin, -1, "ACMEDomain", deploy->names, err);
    }
    if (rv == APR_SUCCESS && deploy->certificate) {
        rv = block_put(twin, "SSLCertificateFile", deploy->certificate, err,
                       pool);
        if (rv == APR_SUCCESS) {
            rv = block_put(twin, "SSLCertificateKeyFile", deploy->key, err,
                           pool);
        }
    }
    return rv == APR_SUCCESS ? block_put(twin, "SSLEngine", "on", err, pool)
                             : rv;
}

/* ------------------------------------------------------------ the whole */

/* 1 if section i of a text, or one around it, is there only with mod_ssl. */
static int is_within_ssl(const text_t *text, int i, apr_pool_t *pool)
{
    const scan_line_t *line = &APR_ARRAY_IDX(text->lines, i, scan_line_t);
    const apr_array_header_t *words;
    const char *module;

    if (i < 0) {
        return 0;
    }
    words = text_words(text, line, pool);
    module = words->nelts ? APR_ARRAY_IDX(words, 0, const char *) : "";
    return (strcasecmp(line->name, "IfModule") == 0
            && (strcasecmp(module, "ssl_module") == 0
                || strcasecmp(module, "mod_ssl.c") == 0))
           || is_within_ssl(text, line->parent, pool);
}

/* Names of the host that the certificate does not cover. */
static void names_warn(configurator_plan_t *plan, const host_t *host,
                       const apr_array_header_t *names)
{
    const char *left = "";
    int i, j;

    for (i = -1; i < host->aliases->nelts; i++) {
        const char *name = i < 0 ? host->server_name
                           : APR_ARRAY_IDX(host->aliases, i, const char *);

        for (j = 0; name && j < names->nelts; j++) {
            if (strcasecmp(name, APR_ARRAY_IDX(names, j, const char *))
                == 0) {
                name = NULL;
            }
        }
        if (name) {
            left = apr_pstrcat(plan->pool, left, *left ? ", " : "", name,
                               NULL);
        }
    }
    if (*left) {
        plan_warn(plan, "%s has names that the certificate does not cover: "
                  "%s.", host_place(host, plan->pool), left);
    }
}

/* What httpd must have for a new TLS host. */
static void twin_wish(configurator_plan_t *plan, const plan_new_t *twin)
{
    int i;

    plan_want_module(plan, "ssl", "TLS");
    for (i = 0; i < twin->addresses->nelts; i++) {
        const address_t *a = &APR_ARRAY_IDX(twin->addresses, i, address_t);

        plan_want_listen(plan, a->address, a->port);
    }
}

/* stand says where it is and what it is made of. */
static plan_new_t *twin_note(configurator_plan_t *plan,
                             const plan_new_t *stand, const host_t *host,
                             const configurator_deploy_t *deploy,
                             apr_array_header_t *addresses)
{
    plan_new_t *twin = apr_pmemdup(plan->pool, stand, sizeof(*stand));

    twin->of = host->index;
    twin->names = deploy->names;
    twin->addresses = addresses;
    twin->stapling = -1;
    twin->certificate_file = deploy->certificate != NULL;
    APR_ARRAY_PUSH(plan->twins, plan_new_t *) = twin;
    twin_wish(plan, twin);
    names_warn(plan, host, deploy->names);
    return twin;
}

/* May there be a TLS host at these addresses? */
static apr_status_t place_check(configurator_plan_t *plan,
                                const host_t *host,
                                const apr_array_header_t *addresses,
                                acme_err_t *err)
{
    configurator_host_t hidden = address_hides(plan->c, addresses);

    return hidden == CONFIGURATOR_NONE ? APR_SUCCESS
        : plan_refuse(plan, NULL, err, "a TLS twin of %s would hide the "
                      "virtual host at %s, which has no port of its own: "
                      "give its header the TLS port",
                      host_place(host, plan->pool),
                      host_place(host_at(plan->c, hidden), plan->pool));
}

/* Edit the copy. */
static apr_status_t twin_edit(configurator_plan_t *plan, block_t *twin,
                              const host_t *host,
                              const configurator_deploy_t *deploy,
                              const apr_array_header_t *addresses,
                              int insert, acme_err_t *err)
{
    apr_status_t rv = header_change(twin, addresses, err, plan->pool);
    int port = APR_ARRAY_IDX(addresses, 0, address_t).port;

    if (rv == APR_SUCCESS) {
        rv = name_change(twin, err, plan->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = own_leave(twin, err);
    }
    if (rv == APR_SUCCESS) {
        rv = once_leave(plan, twin, host, err);
    }
    if (rv == APR_SUCCESS) {
        rv = redirects_leave(plan, twin, host, port, err);
    }
    http_tell(plan, twin, host);
    return rv == APR_SUCCESS ? tls_add(twin, deploy, insert, err, plan->pool)
                             : rv;
}

/* All that can be wrong before something is changed. */
static apr_status_t twin_check(configurator_plan_t *plan, const host_t *host,
                               const configurator_deploy_t *deploy,
                               const apr_array_header_t *addresses,
                               acme_err_t *err)
{
    int is_static = deploy->certificate != NULL;
    apr_status_t rv = main_check(plan, is_static, err);

    if (rv == APR_SUCCESS) {
        rv = snippets_check(plan, host, is_static, err);
    }
    return rv == APR_SUCCESS ? place_check(plan, host, addresses, err) : rv;
}

/* Where the twin stands: behind its original, or behind the host that would
 * no longer be the default one or lose names. */
static apr_status_t twin_stand(plan_new_t *twin, configurator_plan_t *plan,
                               const plan_host_t *source,
                               const configurator_deploy_t *deploy,
                               const apr_array_header_t *addresses,
                               acme_err_t *err)
{
    const host_t *host = source->host;
    const char *place = host_place(host, plan->pool);
    address_stand_t stand = address_stand(plan->c, addresses, host,
                                          deploy->names, plan->pool);
    apr_status_t rv = APR_SUCCESS;

    twin->behind = stand.behind;
    twin->file = source->file;
    twin->open = source->open;
    if (stand.conflict != CONFIGURATOR_NONE) {
        return plan_refuse(plan, NULL, err, "the TLS twin of %s would take "
                           "%s from the virtual host at %s", place,
                           stand.name,
                           host_place(host_at(plan->c, stand.conflict),
                                      plan->pool));
    }
    if (stand.behind != host->index) {
        rv = plan_section(&twin->file, &twin->open, plan,
                          host_at(plan->c, stand.behind), err);
        base_err_wrap(err, "the TLS twin of %s must stand behind %s, which "
                      "is the default host or has names of it", place,
                      host_place(host_at(plan->c, stand.behind),
                                 plan->pool));
    }
    if (rv == APR_SUCCESS
        && !is_within_ssl(twin->file->text, twin->open, plan->pool)) {
        twin->wrap = "ssl_module";
    }
    return rv;
}

static void twin_tell(configurator_plan_t *plan, const plan_new_t *twin)
{
    const host_t *of = host_at(plan->c, twin->of);
    const char *names = apr_array_pstrcat(plan->pool, twin->names, ' ');

    if (twin->behind == twin->of) {
        plan_step(plan, "%s: its TLS twin is put behind it, for %s.",
                  host_place(of, plan->pool), names);
    }
    else {
        plan_step(plan, "%s: its TLS twin is put behind %s, which so stays "
                  "the default host or keeps its names, for %s.",
                  host_place(of, plan->pool),
                  host_place(host_at(plan->c, twin->behind), plan->pool),
                  names);
    }
}

apr_status_t twin_plan(configurator_plan_t *plan, int *pchanged,
                       const configurator_deploy_t *deploy, acme_err_t *err)
{
    const host_t *host = host_at(plan->c, deploy->host);
    apr_array_header_t *addresses = twin_addresses(plan, host, deploy->port);
    plan_new_t stand = { 0 };
    plan_host_t *source;
    int insert = 0;
    apr_status_t rv = plan_host(&source, plan, deploy->host, err);

    if (rv == APR_SUCCESS) {
        rv = twin_check(plan, host, deploy, addresses, err);
    }
    if (rv == APR_SUCCESS) {
        rv = twin_stand(&stand, plan, source, deploy, addresses, err);
    }
    if (rv == APR_SUCCESS) {
        rv = domain_plan(plan, &insert, pchanged, deploy->names, err);
    }
    if (rv == APR_SUCCESS) {
        rv = block_copy(&stand.block, source->block, err, plan->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = twin_edit(plan, stand.block, host, deploy, addresses, insert,
                       err);
    }
    if (rv == APR_SUCCESS) {
        *pchanged = 1;
        twin_tell(plan, twin_note(plan, &stand, host, deploy, addresses));
    }
    return rv;
}

/* ------------------------------------------------------ the main server */

static void line_add(plan_new_t *twin, const char *name, const char *args,
                     apr_pool_t *pool)
{
    APR_ARRAY_PUSH(twin->lines, const char *) = apr_pstrcat(pool, name, " ",
                                                            args, NULL);
}

/* Rewrite rules are not inherited; redirects are. */
static apr_status_t main_redirects(configurator_plan_t *plan, int port,
                                   acme_err_t *err)
{
    const host_t *host = plan->c->main;
    const apr_array_header_t *list = redirects_find(plan->c, host, port,
                                                    plan->pool);
    int i;

    for (i = 0; i < list->nelts; i++) {
        const redirect_t *one = &APR_ARRAY_IDX(list, i, redirect_t);
        const directive_t *d = directive_at(host, one->last);

        if (one->loops && strcasecmp(d->name, "RewriteRule") != 0) {
            return plan_refuse(plan, NULL, err, "%s in %s is inherited and "
                               "would send TLS requests to themselves: use "
                               "ACMERequireHTTPS instead", d->name,
                               place_of(d, plan->pool));
        }
    }
    if (host_directive(host, "RewriteRule", 0) >= 0) {
        plan_warn(plan, "The rewrite rules of the main server do not hold in "
                  "the new virtual host: see RewriteOptions Inherit.");
    }
    return APR_SUCCESS;
}

static void main_lines(plan_new_t *twin, const host_t *host,
                       const configurator_deploy_t *deploy, int insert,
                       apr_pool_t *pool)
{
    apr_array_header_t *own_lines = tls_directives(deploy, insert, pool);
    int i;

    twin->lines = apr_array_make(pool, 6, sizeof(char *));
    if (host->hostname) {
        line_add(twin, "ServerName", host->hostname, pool);
    }
    if (host->aliases->nelts) {
        line_add(twin, "ServerAlias",
                 apr_array_pstrcat(pool, host->aliases, ' '), pool);
    }
    for (i = 0; i < own_lines->nelts; i += 2) {
        line_add(twin, APR_ARRAY_IDX(own_lines, i, const char *),
                 APR_ARRAY_IDX(own_lines, i + 1, const char *), pool);
    }
}

static const char *header_of(const apr_array_header_t *addresses,
                             apr_pool_t *pool)
{
    const char *header = "";
    int i;

    for (i = 0; i < addresses->nelts; i++) {
        header = apr_pstrcat(pool, header, i ? " " : "",
                             address_text(&APR_ARRAY_IDX(addresses, i,
                                                         address_t), pool),
                             NULL);
    }
    return header;
}

apr_status_t twin_plan_main(configurator_plan_t *plan, int *pchanged,
                            const configurator_deploy_t *deploy,
                            acme_err_t *err)
{
    const host_t *host = plan->c->main;
    apr_array_header_t *addresses = twin_addresses(plan, host, deploy->port);
    const char *path = json_string_value(json_object_get(server_of(plan->c),
                                                         "config"));
    plan_new_t stand = { 0 };
    int insert = 0;
    apr_status_t rv = twin_check(plan, host, deploy, addresses, err);

    if (rv == APR_SUCCESS) {
        rv = main_redirects(plan, deploy->port, err);
    }
    if (rv == APR_SUCCESS) {
        rv = domain_plan(plan, &insert, pchanged, deploy->names, err);
    }
    if (rv == APR_SUCCESS) {
        rv = plan_file(&stand.file, plan, path, JOURNAL_STEP_HOSTS, err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pchanged = 1;
    stand.behind = CONFIGURATOR_MAIN;
    stand.header = header_of(addresses, plan->pool);
    main_lines(&stand, host, deploy, insert, plan->pool);
    twin_note(plan, &stand, host, deploy, addresses);
    plan_step(plan, "%s: a virtual host for TLS is put at its end, for %s.",
              path, apr_array_pstrcat(plan->pool, deploy->names, ' '));
    return APR_SUCCESS;
}

/* ----------------------------------------------------------------- paste */

const char *twin_paste(const configurator_plan_t *plan,
                       const configurator_deploy_t *deploy)
{
    const host_t *host = host_at(plan->c, deploy->host);
    const json_t *document = host->index == CONFIGURATOR_MAIN
        ? json_object_get(server_of(plan->c), "main")
        : json_array_get(json_object_get(plan->c->config, "virtual_hosts"),
                         host->index);
    const char *root = json_string_value(json_object_get(document,
                                                         "document_root"));
    plan_new_t twin = { 0 };
    const char *text;
    int i;

    main_lines(&twin, host, deploy, 1, plan->pool);
    text = apr_psprintf(plan->pool, "<VirtualHost %s>\n",
                        header_of(twin_addresses(plan, host, deploy->port),
                                  plan->pool));
    for (i = 0; i < twin.lines->nelts; i++) {
        text = apr_pstrcat(plan->pool, text, "    ",
                           APR_ARRAY_IDX(twin.lines, i, const char *), "\n",
                           NULL);
    }
    return apr_psprintf(plan->pool, "%s%s%s%s    # ... and the rest of %s\n"
                        "</VirtualHost>\n", text,
                        root ? "    DocumentRoot \"" : "", root ? root : "",
                        root ? "\"\n" : "", host_place(host, plan->pool));
}
