/*
 * names: all names that are served by plain http.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "configurator/internal.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(((const configurator_name_t *)a)->name,
                  ((const configurator_name_t *)b)->name);
}

/* Look at one name. */
static void name_add(apr_array_header_t *names, const configurator_t *c,
                     const char *name, apr_pool_t *pool)
{
    configurator_choice_t choice;
    configurator_name_t *new;
    const host_t *tls;

    choose_hosts(&choice, c, name, pool);
    if (choice.hosts->nelts == 0) {
        return;
    }
    new = apr_array_push(names);
    new->name = name;
    new->host = APR_ARRAY_IDX(choice.hosts, 0, configurator_host_t);
    new->tls = c->https ? match_tls(c, host_at(c, new->host), name, c->https)
                        : CONFIGURATOR_NONE;
    if (new->tls == CONFIGURATOR_NONE) {
        return;
    }
    tls = host_at(c, new->tls);
    new->certified = tls->ssl && tls->certificate_file;
    new->managed = domain_serves(c, tls, name);
}

/* The same, if a CA would certify it. */
static void name_consider(apr_array_header_t *names, const configurator_t *c,
                          const char *name, apr_pool_t *result_pool,
                          apr_pool_t *scratch_pool)
{
    acme_err_t unfit = { 0 };
    const char *checked;

    if (base_name_check(&checked, name, 0, &unfit, scratch_pool)
        == APR_SUCCESS) {
        name_add(names, c, name, result_pool);
    }
}

apr_array_header_t *configurator_names(const configurator_t *c,
                                       apr_pool_t *result_pool)
{
    apr_array_header_t *names = apr_array_make(result_pool, 16,
                                               sizeof(configurator_name_t));
    const char *main_name = c->main->hostname;
    apr_pool_t *iterpool;
    apr_hash_index_t *hi;

    apr_pool_create(&iterpool, result_pool);
    for (hi = apr_hash_first(result_pool, c->by_name); hi;
         hi = apr_hash_next(hi)) {
        apr_pool_clear(iterpool);
        name_consider(names, c, apr_hash_this_key(hi), result_pool, iterpool);
    }
    /* the main server's own, where no virtual host has it as well */
    if (main_name
        && !apr_hash_get(c->by_name, main_name, APR_HASH_KEY_STRING)) {
        name_consider(names, c, main_name, result_pool, iterpool);
    }
    apr_pool_destroy(iterpool);
    qsort(names->elts, names->nelts, names->elt_size, by_name);
    return names;
}
