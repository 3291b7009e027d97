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
 *
 * The first host of an address is its default one, and the first with a
 * name has it. So that both stay, a twin stands behind the default host and
 * behind those with which it shares names; if one of these has a name by a
 * pattern for which the twin is made, there is no place for it.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* One of these exact names of a host that another has too, but for those of
 * except; NULL. */
static const char *shared_name(const host_t *host, const host_t *other,
                               const apr_array_header_t *except)
{
    int i;

    for (i = -1; i < host->aliases->nelts; i++) {
        const char *name = i < 0 ? host->hostname
                           : APR_ARRAY_IDX(host->aliases, i, const char *);

        if (name && !strpbrk(name, "*?")
            && !base_list_has_name(except, name)
            && host_has_name(other, name, 1)) {
            return name;
        }
    }
    return NULL;
}

/* A name of the certificate that another host has. */
static const char *claimed_name(const host_t *other,
                                const apr_array_header_t *names,
                                apr_pool_t *pool)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        if (host_has_name(other, name_lower(name, pool), 1)) {
            return name;
        }
    }
    return NULL;
}

/* Look at the hosts of one spot. */
static void stand_look(address_stand_t *stand, const configurator_t *c,
                       const spot_t *spot, const host_t *host,
                       const apr_array_header_t *names, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < spot->hosts->nelts; i++) {
        int index = APR_ARRAY_IDX(spot->hosts, i, int);
        const host_t *other = host_at(c, index);
        const char *shared;

        if (index <= stand->behind || other == host) {
            continue;
        }
        shared = shared_name(other, host, names);
        if (!shared) {
            shared = shared_name(host, other, names);
        }
        if (i > 0 && !shared) {
            continue;
        }
        if (claimed_name(other, names, pool)) {
            stand->conflict = index;
            stand->name = shared ? shared : claimed_name(other, names, pool);
        }
        stand->behind = index;
    }
}

address_stand_t address_stand(const configurator_t *c,
                              const apr_array_header_t *addresses,
                              const host_t *host,
                              const apr_array_header_t *names,
                              apr_pool_t *pool)
{
    address_stand_t stand = { host->index, CONFIGURATOR_NONE, NULL };
    int i;

    for (i = 0; i < addresses->nelts; i++) {
        const address_t *a = &APR_ARRAY_IDX(addresses, i, address_t);
        const spot_t *spot = match_exact(c, a->address, a->port);

        if (spot) {
            stand_look(&stand, c, spot, host, names, pool);
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

const char *address_header(const apr_array_header_t *addresses,
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
