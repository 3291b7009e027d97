/*
 * match: which host answers, exactly as httpd finds it.
 *
 *     connection to A:P --> spot (A, P), else (A, every port),
 *                           else (others, P), else (others, every port),
 *                           else the main server
 *     Host: name        --> of the spot's hosts, in order of definition:
 *                           the first with the name as its ServerName or
 *                           ServerAlias, else the first with the name in
 *                           its <VirtualHost> header, else the first
 *
 * Source: server/vhost.c: ap_fini_vhost_config, find_ipaddr,
 * find_default_server, update_server_from_aliases.
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "configurator/internal.h"

/* ----------------------------------------------------------------- spots */

static const char *spot_key(const char *address, int port, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s %d", address ? address : "*", port);
}

static spot_t *spot_find(const configurator_t *c, const char *address,
                         int port)
{
    char key[128];

    apr_snprintf(key, sizeof(key), "%s %d", address ? address : "*", port);
    return apr_hash_get(c->spots, key, APR_HASH_KEY_STRING);
}

const spot_t *match_exact(const configurator_t *c, const char *address,
                          int port)
{
    return spot_find(c, address, port);
}

static void spot_add(configurator_t *c, const address_t *address, int host)
{
    spot_t *spot = spot_find(c, address->address, address->port);

    if (!spot) {
        spot = apr_pcalloc(c->pool, sizeof(*spot));
        spot->address = address->address;
        spot->port = address->port;
        spot->hosts = apr_array_make(c->pool, 1, sizeof(int));
        apr_hash_set(c->spots, spot_key(spot->address, spot->port, c->pool),
                     APR_HASH_KEY_STRING, spot);
    }
    APR_ARRAY_PUSH(spot->hosts, int) = host;
}

void match_read(configurator_t *c)
{
    int i, j;

    c->spots = apr_hash_make(c->pool);
    for (i = 0; i < c->hosts->nelts; i++) {
        const host_t *host = host_at(c, i);

        for (j = 0; j < host->addresses->nelts; j++) {
            spot_add(c, &APR_ARRAY_IDX(host->addresses, j, address_t), i);
        }
    }
}

const spot_t *match_spot(const configurator_t *c, const address_t *address,
                         int port)
{
    const spot_t *spot;

    if (address->port != port && address->port != 0) {
        return NULL;
    }
    spot = spot_find(c, address->address, port);
    /* every port counts only where nobody has this very port */
    if (spot && address->port == 0) {
        return NULL;
    }
    return spot ? spot : spot_find(c, address->address, 0);
}

const spot_t *match_connection(const configurator_t *c, const char *address,
                               int port)
{
    const spot_t *spot = spot_find(c, address, port);

    if (!spot) {
        spot = spot_find(c, address, 0);
    }
    if (!spot && address) {
        spot = match_connection(c, NULL, port);
    }
    return spot;
}

/* 1 if a listener that hears own (text as the dump has it) hears address;
 * NULL: one that no host names. */
static int hears(const configurator_t *c, const char *text,
                 const char *address, int port)
{
    const char *own = address_plain(text);

    if (!address) {
        return !own || (!spot_find(c, own, port) && !spot_find(c, own, 0));
    }
    /* 0.0.0.0 hears no IPv6; :: hears IPv4 too, or has a 0.0.0.0 at its
     * side */
    return own ? strcmp(own, address) == 0
               : strchr(text, ':') || !strchr(address, ':');
}

int match_arrives(const configurator_t *c, const char *address, int port)
{
    const json_t *listener;
    size_t i;

    json_array_foreach(json_object_get(server_of(c), "listeners"), i,
                       listener) {
        if (json_integer_value(json_object_get(listener, "port")) == port
            && hears(c, json_string_value(json_object_get(listener,
                                                          "address")),
                     address, port)) {
            return 1;
        }
    }
    return 0;
}

/* ----------------------------------------------------------------- names */

static int is_in(const host_t *host, const spot_t *spot)
{
    int i;

    for (i = 0; i < host->addresses->nelts; i++) {
        const address_t *a = &APR_ARRAY_IDX(host->addresses, i, address_t);

        if (a->port == spot->port
            && address_is_same(a->address, spot->address)) {
            return 1;
        }
    }
    return 0;
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

apr_array_header_t *match_candidates(const configurator_t *c,
                                     const char *name, apr_pool_t *pool)
{
    const apr_array_header_t *exact = apr_hash_get(c->by_name, name,
                                                   APR_HASH_KEY_STRING);
    apr_array_header_t *list = exact ? apr_array_copy(pool, exact)
                                     : apr_array_make(pool, 1, sizeof(int));
    int i;

    for (i = 0; i < c->wild->nelts; i++) {
        int index = APR_ARRAY_IDX(c->wild, i, int);

        if (!host_has_name(host_at(c, index), name, 0)
            && host_has_name(host_at(c, index), name, 1)) {
            APR_ARRAY_PUSH(list, int) = index;
        }
    }
    qsort(list->elts, list->nelts, sizeof(int), by_number);
    return list;
}

/* The first host of the spot that has name as an address of its header. */
static configurator_host_t by_header(const configurator_t *c,
                                     const spot_t *spot, const char *name)
{
    int i, j;

    for (i = 0; i < spot->hosts->nelts; i++) {
        int index = APR_ARRAY_IDX(spot->hosts, i, int);
        const host_t *host = host_at(c, index);

        for (j = 0; j < host->addresses->nelts; j++) {
            const address_t *a = &APR_ARRAY_IDX(host->addresses, j,
                                                address_t);

            if (a->text && strcasecmp(a->text, name) == 0) {
                return index;
            }
        }
    }
    return CONFIGURATOR_NONE;
}

/* Is index the first so far, of the spot? */
static configurator_host_t earlier(const configurator_t *c,
                                   const spot_t *spot, int index,
                                   configurator_host_t best)
{
    return (best == CONFIGURATOR_NONE || index < best)
           && is_in(host_at(c, index), spot) ? index : best;
}

configurator_host_t match_host(const configurator_t *c, const spot_t *spot,
                               const char *name, int *pnamed)
{
    const apr_array_header_t *exact = apr_hash_get(c->by_name, name,
                                                   APR_HASH_KEY_STRING);
    configurator_host_t best = CONFIGURATOR_NONE;
    int i;

    for (i = 0; exact && i < exact->nelts; i++) {
        best = earlier(c, spot, APR_ARRAY_IDX(exact, i, int), best);
    }
    for (i = 0; i < c->wild->nelts; i++) {
        int index = APR_ARRAY_IDX(c->wild, i, int);

        if (host_has_name(host_at(c, index), name, 1)) {
            best = earlier(c, spot, index, best);
        }
    }
    if (best == CONFIGURATOR_NONE) {
        best = by_header(c, spot, name);
    }
    *pnamed = best != CONFIGURATOR_NONE;
    return *pnamed ? best : APR_ARRAY_IDX(spot->hosts, 0, int);
}

/* match_tls for one address. */
static configurator_host_t tls_at(const configurator_t *c,
                                  const char *address, const char *name,
                                  int port)
{
    const spot_t *spot = match_connection(c, address, port);
    configurator_host_t found;
    int named;

    if (!spot) {
        return CONFIGURATOR_NONE;
    }
    found = match_host(c, spot, name, &named);
    return named && (spot->port == port || host_at(c, found)->ssl)
           ? found : CONFIGURATOR_NONE;
}

configurator_host_t match_tls(const configurator_t *c, const host_t *host,
                              const char *name, int port)
{
    configurator_host_t found = CONFIGURATOR_NONE;
    int i;

    if (host->addresses->nelts == 0) {
        return tls_at(c, NULL, name, port);
    }
    for (i = 0; i < host->addresses->nelts && found == CONFIGURATOR_NONE;
         i++) {
        found = tls_at(c, APR_ARRAY_IDX(host->addresses, i,
                                        address_t).address, name, port);
    }
    return found;
}
