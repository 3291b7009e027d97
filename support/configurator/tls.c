/*
 * tls: the certificate in a TLS host that is there already.
 *
 *     SSLEngine on, names in an ACMEDomain, no files    nothing to do
 *     no certificate                                    ACMEDomain is put in
 *     no SSLEngine                                      SSLEngine on as well
 *     a certificate of its own                          left, or replaced
 *     names that it has not                             ServerAlias
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "configurator/internal.h"

static const char *const files[] = {
    "SSLCertificateFile", "SSLCertificateKeyFile", "SSLCertificateChainFile"
};
#define FILES ((int)(sizeof(files) / sizeof(files[0])))

static const directive_t *directive_at(const host_t *host, int i)
{
    return &APR_ARRAY_IDX(host->directives, i, directive_t);
}

/* 1 if a host has that directive with that one argument. */
static int says(const host_t *host, const char *name, const char *word,
                apr_pool_t *pool)
{
    int i = host_directive(host, name, 0);
    const apr_array_header_t *words;

    if (i < 0 || !word) {
        return 0;
    }
    words = directive_words(directive_at(host, i), pool);
    return words->nelts == 1
           && strcmp(APR_ARRAY_IDX(words, 0, const char *), word) == 0;
}

/* Take the files of its certificate out of its own text. */
static apr_status_t files_remove(configurator_plan_t *plan,
                                 plan_host_t *edited, acme_err_t *err)
{
    const host_t *host = edited->host;
    apr_status_t rv = APR_SUCCESS;
    int i, n, count = 0;

    for (n = 0; n < FILES; n++) {
        for (i = host_directive(host, files[n], 0);
             i >= 0 && rv == APR_SUCCESS;
             i = host_directive(host, files[n], i + 1)) {
            const directive_t *d = directive_at(host, i);
            int node = block_node_of(edited->block, d);

            count++;
            rv = strcmp(d->file, host->file) == 0 && node >= 0
                 ? block_remove(edited->block, node, err)
                 : plan_refuse(plan, NULL, err, "%s of the virtual host at "
                               "%s stands in %s:%d, which others may include: "
                               "remove it there", d->name,
                               host_place(host, plan->pool), d->file,
                               d->line);
        }
    }
    if (rv == APR_SUCCESS && count == 0) {
        rv = plan_refuse(plan, NULL, err, "the virtual host at %s inherits "
                         "its certificate from the main server: remove "
                         "SSLCertificateFile there",
                         host_place(host, plan->pool));
    }
    return rv;
}

/* SSLEngine on, in place of what is said of it. */
static apr_status_t engine_on(plan_host_t *edited, acme_err_t *err,
                              apr_pool_t *pool)
{
    int node = block_find(edited->block, "SSLEngine", 0, 0);

    edited->ssl = 1;
    return node >= 0 ? block_set(edited->block, node, 0, "on", err)
                     : block_put(edited->block, "SSLEngine", "on", err, pool);
}

static apr_status_t static_put(plan_host_t *edited,
                               const configurator_deploy_t *deploy,
                               acme_err_t *err, apr_pool_t *pool)
{
    apr_status_t rv = block_put(edited->block, files[0], deploy->certificate,
                                err, pool);

    edited->certificate = 1;
    return rv == APR_SUCCESS ? block_put(edited->block, files[1],
                                         deploy->key, err, pool) : rv;
}

/* What is to be done to a TLS host. */
typedef struct work_t {
    int remove;                  /* its certificate's files */
    int put;                     /* the files of ours */
    int domain;                  /* ACMEDomain */
    int engine;                  /* SSLEngine on */
} work_t;

static apr_status_t work_find(work_t *work, int *pchanged,
                              configurator_plan_t *plan, const host_t *tls,
                              const configurator_deploy_t *deploy,
                              acme_err_t *err)
{
    int same = deploy->certificate && tls->certificate_file
               && says(tls, files[0], deploy->certificate, plan->pool)
               && says(tls, files[1], deploy->key, plan->pool);

    work->engine = !tls->ssl;
    work->remove = tls->certificate_file && !same;
    work->put = deploy->certificate && !same;
    if (work->remove && !deploy->replace) {
        int i = host_directive(tls, files[0], 0);

        return base_err_set(err, APR_EEXIST, BASE_EXIT_FAILED,
                            "the virtual host at %s serves %s with a "
                            "certificate of its own%s%s: acmectl issue, then "
                            "acmectl install put another in its place",
                            host_place(tls, plan->pool),
                            APR_ARRAY_IDX(deploy->names, 0, const char *),
                            i < 0 ? "" : ", ",
                            i < 0 ? "" : directive_at(tls, i)->args);
    }
    return domain_plan(plan, &work->domain, pchanged, deploy->names, err);
}

static apr_status_t work_do(configurator_plan_t *plan, const work_t *work,
                            plan_host_t *edited,
                            const apr_array_header_t *aliases,
                            const configurator_deploy_t *deploy,
                            acme_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;

    if (aliases->nelts) {
        rv = block_insert(edited->block, -1, "ServerAlias", aliases, err);
        apr_array_cat(edited->aliases, aliases);
    }
    if (rv == APR_SUCCESS && work->remove) {
        edited->certificate = 0;
        rv = files_remove(plan, edited, err);
    }
    if (rv == APR_SUCCESS && work->put) {
        rv = static_put(edited, deploy, err, plan->pool);
    }
    if (rv == APR_SUCCESS && work->domain) {
        rv = block_insert(edited->block, -1, "ACMEDomain", deploy->names,
                          err);
    }
    return rv == APR_SUCCESS && work->engine
           ? engine_on(edited, err, plan->pool) : rv;
}

/* The ports of a host, where it is the first to speak TLS there. */
static void listen_wish(configurator_plan_t *plan, const host_t *tls)
{
    int i;

    plan_want_module(plan, "ssl", "TLS");
    for (i = 0; i < tls->addresses->nelts; i++) {
        const address_t *a = &APR_ARRAY_IDX(tls->addresses, i, address_t);

        if (a->port) {
            plan_want_listen(plan, a->address, a->port);
        }
    }
}

static void work_tell(configurator_plan_t *plan, const work_t *work,
                      const host_t *tls, const apr_array_header_t *aliases,
                      const configurator_deploy_t *deploy)
{
    const char *place = host_place(tls, plan->pool);

    if (aliases->nelts) {
        plan_step(plan, "add ServerAlias %s to %s",
                  apr_array_pstrcat(plan->pool, aliases, ' '), place);
    }
    if (work->remove) {
        plan_step(plan, "remove the certificate's files from %s", place);
    }
    plan_step(plan, "let %s serve %s with the %s", place,
              apr_array_pstrcat(plan->pool, deploy->names, ' '),
              deploy->certificate ? "certificate's files"
                                  : "managed certificate");
}

apr_status_t tls_plan(configurator_plan_t *plan, int *pchanged,
                      const host_t *tls, const apr_array_header_t *aliases,
                      const configurator_deploy_t *deploy, acme_err_t *err)
{
    work_t work = { 0, 0, 0, 0 };
    plan_host_t *edited;
    apr_status_t rv = work_find(&work, pchanged, plan, tls, deploy, err);

    listen_wish(plan, tls);
    if (rv != APR_SUCCESS || !(aliases->nelts || work.remove || work.put
                               || work.domain || work.engine)) {
        return rv;
    }
    rv = plan_host(&edited, plan, tls->index, err);
    if (rv == APR_SUCCESS) {
        rv = work_do(plan, &work, edited, aliases, deploy, err);
    }
    if (rv == APR_SUCCESS) {
        *pchanged = 1;
        work_tell(plan, &work, tls, aliases, deploy);
    }
    return rv;
}
