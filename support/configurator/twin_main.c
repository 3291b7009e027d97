/*
 * twin_main: a site of the main server gets a virtual host for TLS at the
 * end of the main file. It inherits the rest.
 */
#include <strings.h>

#include <apr_strings.h>

#include "configurator/internal.h"
#include "configurator/server.h"

static void line_add(plan_new_t *twin, const char *name, const char *args,
                     apr_pool_t *pool)
{
    APR_ARRAY_PUSH(twin->lines, const char *) = apr_pstrcat(pool, name, " ",
                                                            args, NULL);
}

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

void twin_main_lines(plan_new_t *twin, const host_t *host,
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
        rv = domain_plan(plan, &insert, pchanged, deploy->names, err);
    }
    if (rv == APR_SUCCESS) {
        rv = plan_host_file(&stand.file, plan, path, err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pchanged = 1;
    stand.behind = CONFIGURATOR_MAIN;
    stand.header = address_header(addresses, plan->pool);
    twin_main_lines(&stand, host, deploy, insert, plan->pool);
    twin_note(plan, &stand, host, deploy, addresses);
    if (host_directive(host, "RewriteRule", 0) >= 0) {
        plan_warn(plan, "The rewrite rules of the main server do not hold in "
                  "the new virtual host: see RewriteOptions Inherit.");
    }
    plan_step(plan, "add a virtual host for TLS at the end of %s, for %s",
              path, apr_array_pstrcat(plan->pool, deploy->names, ' '));
    return APR_SUCCESS;
}
