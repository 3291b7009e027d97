/*
 * deploy: what makes a host's names served by TLS.
 *
 *     no TLS host has one of the names   the twin of the http host, or a new
 *                                        host where the main server serves
 *     TLS hosts have them                the certificate in each of these;
 *                                        names that none has go to the first
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "configurator/internal.h"

/* The TLS host that answers for a name of host; one that has it only by a
 * pattern and stands behind host does not count, for a twin comes first,
 * unless it is what serves the name by the module's hand already. */
static configurator_host_t tls_of(const configurator_t *c,
                                  const host_t *host, const char *name,
                                  int port)
{
    configurator_host_t found = match_tls(c, host, name, port);

    return found != CONFIGURATOR_NONE && found > host->index
           && host->index != CONFIGURATOR_MAIN
           && !host_has_name(host_at(c, found), name, 0)
           && !domain_serves(c, host_at(c, found), name)
           ? CONFIGURATOR_NONE : found;
}

configurator_host_t deploy_tls(const configurator_t *c, const host_t *host,
                               const char *name, int port)
{
    return host->ssl ? host->index
                     : tls_of(c, host, name_lower(name, c->pool), port);
}

static int is_had(const configurator_plan_t *plan,
                  const apr_array_header_t *hosts, const char *name)
{
    const char *low = name_lower(name, plan->pool);
    int i;

    for (i = 0; i < hosts->nelts; i++) {
        if (host_has_name(host_at(plan->c, APR_ARRAY_IDX(hosts, i, int)),
                          low, 1)) {
            return 1;
        }
    }
    return 0;
}

/* The names of the http host that none of hosts has, not by a pattern
 * either: a twin of a host with patterns has them, too. A certificate may
 * have more names, of other hosts. */
static apr_array_header_t *names_left(const configurator_plan_t *plan,
                                      const host_t *http,
                                      const apr_array_header_t *hosts,
                                      const apr_array_header_t *names)
{
    apr_array_header_t *left = apr_array_make(plan->pool, 1, sizeof(char *));
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        if (host_has_name(http, name_lower(name, plan->pool), 1)
            && !is_had(plan, hosts, name)) {
            APR_ARRAY_PUSH(left, const char *) = name;
        }
    }
    return left;
}

/* The TLS hosts of the names, each once, and the names that have none. */
static apr_array_header_t *tls_hosts(apr_array_header_t **pleft,
                                     const configurator_plan_t *plan,
                                     const host_t *host,
                                     const configurator_deploy_t *deploy)
{
    apr_array_header_t *hosts = apr_array_make(plan->pool, 1, sizeof(int));
    int i, j;

    for (i = 0; i < deploy->names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(deploy->names, i, const char *);
        int found = deploy_tls(plan->c, host, name, deploy->port);

        for (j = 0; j < hosts->nelts; j++) {
            if (APR_ARRAY_IDX(hosts, j, int) == found) {
                break;
            }
        }
        if (found != CONFIGURATOR_NONE && j == hosts->nelts) {
            APR_ARRAY_PUSH(hosts, int) = found;
        }
    }
    *pleft = names_left(plan, host, hosts, deploy->names);
    return hosts;
}

/* The certificate in each host; the first gets the names that none has. */
static apr_status_t hosts_plan(configurator_plan_t *plan, int *pchanged,
                               const apr_array_header_t *hosts,
                               const apr_array_header_t *left,
                               const configurator_deploy_t *deploy,
                               acme_err_t *err)
{
    const apr_array_header_t *none = apr_array_make(plan->pool, 1,
                                                    sizeof(char *));
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < hosts->nelts && rv == APR_SUCCESS; i++) {
        rv = tls_plan(plan, pchanged,
                      host_at(plan->c, APR_ARRAY_IDX(hosts, i, int)),
                      i == 0 ? left : none, deploy, err);
    }
    return rv;
}

/* A host that speaks http on the ports of both cannot speak TLS. */
static apr_status_t both_ports_check(configurator_plan_t *plan,
                                     const apr_array_header_t *hosts,
                                     acme_err_t *err)
{
    int i;

    for (i = 0; i < hosts->nelts; i++) {
        const host_t *host = host_at(plan->c, APR_ARRAY_IDX(hosts, i, int));

        if (!host->ssl && plan->c->http
            && host_has_port(host, plan->c->http)) {
            return plan_refuse(plan, NULL, err, "the virtual host at %s has "
                               "the ports of http and of https and cannot "
                               "speak both: take port %d out of its header",
                               host_place(host, plan->pool),
                               plan->c->https);
        }
    }
    return APR_SUCCESS;
}

/* What this plan makes for the host already. */
static apr_status_t again(configurator_plan_t *plan, int *pchanged,
                          const configurator_deploy_t *deploy,
                          acme_err_t *err)
{
    int insert = 0;
    apr_status_t rv = domain_plan(plan, &insert, pchanged, deploy->names,
                                  err);

    return rv == APR_SUCCESS && insert
           ? base_err_set(err, APR_EEXIST, BASE_EXIT_FAILED,
                          "%s gets a TLS twin for other names already: give "
                          "all its names at once",
                          configurator_place(plan->c, deploy->host,
                                             plan->pool)) : rv;
}

static apr_status_t deploy_plan(configurator_plan_t *plan, int *pchanged,
                                const configurator_deploy_t *deploy,
                                acme_err_t *err)
{
    const host_t *host = host_at(plan->c, deploy->host);
    apr_array_header_t *hosts, *left;
    apr_status_t rv;

    if (plan_new_find(plan, deploy->host)) {
        return again(plan, pchanged, deploy, err);
    }
    hosts = tls_hosts(&left, plan, host, deploy);
    rv = both_ports_check(plan, hosts, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (hosts->nelts) {
        return hosts_plan(plan, pchanged, hosts, left, deploy, err);
    }
    return host->index == CONFIGURATOR_MAIN
           ? twin_plan_main(plan, pchanged, deploy, err)
           : twin_plan(plan, pchanged, deploy, err);
}

apr_status_t configurator_deploy(configurator_plan_t *plan, int *presult,
                                 const configurator_deploy_t *deploy,
                                 acme_err_t *err)
{
    configurator_deploy_t with_port = *deploy;
    apr_status_t rv;

    *presult = 0;
    plan->paste = NULL;
    with_port.port = deploy->port ? deploy->port : plan->c->https;
    if (with_port.port == 0) {
        return plan_refuse(plan, NULL, err, "ACMEPortMap says that no https "
                           "arrives here: no virtual host can serve it");
    }
    rv = deploy_plan(plan, presult, &with_port, err);
    if (rv == APR_ENOTIMPL && !plan->paste) {
        plan->paste = twin_paste(plan, &with_port);
    }
    return rv;
}
