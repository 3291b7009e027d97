/*
 * address: where a TLS host is to answer, and what that does to the TLS
 * hosts that are there.
 *
 *     http host         TLS hosts there       twin
 *     *:80              none, or at *:443     *:443
 *     *:80              at 192.0.2.1:443      *:443 and 192.0.2.1:443
 *     192.0.2.1:80      none, or there        192.0.2.1:443
 *     192.0.2.1:80      at *:443              *:443: at 192.0.2.1:443 it
 *                                             would hide them all
 */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "configurator/internal.h"

static int by_address(const void *a, const void *b)
{
    return strcmp(((const address_t *)a)->address,
                  ((const address_t *)b)->address);
}

/* Addresses of TLS hosts where the http host answers because it answers
 * wherever no other does. */
static void addresses_join(apr_array_header_t *list,
                           const configurator_t *c, int port)
{
    apr_array_header_t *found = apr_array_make(list->pool, 2,
                                               sizeof(address_t));
    apr_hash_index_t *hi;
    int i;

    for (hi = apr_hash_first(list->pool, c->spots); hi;
         hi = apr_hash_next(hi)) {
        const spot_t *spot = apr_hash_this_val(hi);

        if (spot->address && spot->port == port
            && !match_exact(c, spot->address, c->http)
            && !match_exact(c, spot->address, 0)) {
            address_t new = { spot->address, spot->address, port };

            APR_ARRAY_PUSH(found, address_t) = new;
        }
    }
    qsort(found->elts, found->nelts, sizeof(address_t), by_address);
    for (i = 0; i < found->nelts; i++) {
        address_add(list, &APR_ARRAY_IDX(found, i, address_t));
    }
}

apr_array_header_t *twin_addresses(const configurator_plan_t *plan,
                                   const host_t *host, int port)
{
    const configurator_t *c = plan->c;
    apr_array_header_t *list = apr_array_make(plan->pool, 2,
                                              sizeof(address_t));
    int i, all = host->addresses->nelts == 0;

    for (i = 0; i < host->addresses->nelts; i++) {
        address_t new = APR_ARRAY_IDX(host->addresses, i, address_t);

        new.port = port;
        if (new.address && !match_exact(c, new.address, port)
            && match_exact(c, NULL, port)) {
            new.address = NULL;
            new.text = "*";
        }
        all = all || !APR_ARRAY_IDX(host->addresses, i, address_t).address;
        address_add(list, &new);
    }
    if (host->addresses->nelts == 0) {
        address_t new = { "*", NULL, port };

        address_add(list, &new);
    }
    if (all) {
        addresses_join(list, c, port);
    }
    return list;
}

const char *address_text(const address_t *address, apr_pool_t *pool)
{
    return apr_psprintf(pool, strchr(address->text, ':') ? "[%s]:%d"
                                                         : "%s:%d",
                        address->text, address->port);
}

/* Of two hosts, the default one of those that are later than index. */
static void later_default(configurator_host_t *pdefault,
                          const spot_t *spot, configurator_host_t index)
{
    int first = APR_ARRAY_IDX(spot->hosts, 0, int);

    if (first > index && first > *pdefault) {
        *pdefault = first;
    }
}

configurator_host_t address_stand(const configurator_t *c,
                                  const apr_array_header_t *addresses,
                                  configurator_host_t index)
{
    configurator_host_t stand = index;
    int i;

    for (i = 0; i < addresses->nelts; i++) {
        const address_t *a = &APR_ARRAY_IDX(addresses, i, address_t);
        const spot_t *spot = match_exact(c, a->address, a->port);

        if (spot) {
            later_default(&stand, spot, index);
        }
    }
    return stand;
}

configurator_host_t address_hides(const configurator_t *c,
                                  const apr_array_header_t *addresses)
{
    int i, j;

    for (i = 0; i < addresses->nelts; i++) {
        const address_t *a = &APR_ARRAY_IDX(addresses, i, address_t);
        const spot_t *spot = match_connection(c, a->address, a->port);

        for (j = 0; spot && spot->port == 0 && j < spot->hosts->nelts; j++) {
            int host = APR_ARRAY_IDX(spot->hosts, j, int);

            if (host_at(c, host)->ssl) {
                return host;
            }
        }
    }
    return CONFIGURATOR_NONE;
}
