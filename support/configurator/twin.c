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
 * twin_rules.c knows what has to be left out.
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "configurator/internal.h"

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
    int i;

    for (i = -1; i < host->aliases->nelts; i++) {
        const char *name = i < 0 ? host->server_name
                           : APR_ARRAY_IDX(host->aliases, i, const char *);

        if (name && !base_list_has_name(names, name)) {
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

plan_new_t *twin_note(configurator_plan_t *plan,
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
        rv = twin_rules_apply(plan, twin, host, deploy->names, port, err);
    }
    return rv == APR_SUCCESS ? tls_add(twin, deploy, insert, err, plan->pool)
                             : rv;
}

apr_status_t twin_check(configurator_plan_t *plan, const host_t *host,
                               const configurator_deploy_t *deploy,
                               const apr_array_header_t *addresses,
                               acme_err_t *err)
{
    apr_status_t rv = twin_rules_check(plan, host, deploy->port,
                                       deploy->certificate != NULL, err);

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
        plan_step(plan, "add the TLS twin of %s behind it, for %s",
                  host_place(of, plan->pool), names);
    }
    else {
        plan_step(plan, "add the TLS twin of %s behind %s, which so stays "
                  "the default host or keeps its names, for %s",
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
