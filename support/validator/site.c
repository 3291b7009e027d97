/*
 * site.c: conversations with one address of a name.
 */
#include "validator/internal.h"

#include <errno.h>
#include <string.h>

#include <apr_strings.h>

/* ----------------------------------------------------------------- make */

/** Where an address is asked: "all of them" on loopback. */
static const char *ip_asked(const char *address, apr_pool_t *pool)
{
    apr_size_t len = address ? strlen(address) : 0;

    if (len == 0 || strcmp(address, "*") == 0
        || strcmp(address, "0.0.0.0") == 0) {
        return "127.0.0.1";
    }
    if (address[0] == '[' && address[len - 1] == ']') {
        address = apr_pstrmemdup(pool, address + 1, len - 2);
    }
    return strcmp(address, "::") == 0 ? "::1" : address;
}

static void site_make(site_t *site, const validator_address_t *address,
                      int secure, apr_pool_t *pool)
{
    site->ip = ip_asked(address->address, pool);
    site->port = address->port;
    site->secure = secure;
    site->aside = address->aside;
    site->where = apr_psprintf(pool, strchr(site->ip, ':') ? "[%s]:%d"
                                                           : "%s:%d",
                               site->ip, site->port);
}

site_t *sites_make(const apr_array_header_t *addresses, int secure,
                   apr_pool_t *pool)
{
    int n = addresses ? addresses->nelts : 0;
    site_t *sites = apr_pcalloc(pool, ((apr_size_t)n + 1) * sizeof(*sites));
    int i;

    for (i = 0; i < n; i++) {
        site_make(&sites[i], &APR_ARRAY_IDX(addresses, i,
                                            validator_address_t),
                  secure, pool);
    }
    return sites;
}

/* -------------------------------------------------------------- converse */

/** When a conversation that begins now has to be over. */
static apr_time_t conversation_end(const validator_ask_t *ask)
{
    base_clock_t *clock = base_clock_system();
    apr_time_t until = clock->mono(clock) + ask->timeout;

    return until < ask->until ? until : ask->until;
}

static apr_status_t connect_to(wire_t *wire, const validator_ask_t *ask,
                               const site_t *site, acme_err_t *err)
{
    return wire_open(wire, site->ip, site->port, conversation_end(ask), err);
}

static apr_status_t greet(wire_t *wire, const validator_ask_t *ask, int old,
                          acme_err_t *err)
{
    crypto_tls_options_t options = { ask->host, "http/1.1",
                                     ask->target->key_type, old, 0 };

    return wire_tls(wire, &options, err, ask->pool);
}

/** Say how long was waited. */
static apr_status_t timed(const validator_ask_t *ask, apr_status_t rv,
                          acme_err_t *err)
{
    base_clock_t *clock = base_clock_system();

    if (rv == APR_TIMEUP && clock->mono(clock) >= ask->until) {
        base_err_append(err, "the time for all checks is up");
    }
    else if (rv == APR_TIMEUP) {
        base_err_append(err, "%.1f s were allowed",
                        (double)ask->timeout / APR_USEC_PER_SEC);
    }
    return rv;
}

static apr_status_t site_tls(site_t *site, wire_t *wire,
                             validator_ask_t *ask, acme_err_t *err)
{
    apr_status_t rv = greet(wire, ask, 0, err);
    const crypto_tls_info_t *info = wire->tls ? crypto_tls_info(wire->tls)
                                              : NULL;

    site->asks = info && info->asks;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    site->cert = APR_ARRAY_IDX(info->certs, 0, const crypto_cert_t *);
    rv = crypto_cert_info(&site->leaf, site->cert, err, ask->pool);
    site->tls = rv == APR_SUCCESS ? info : NULL;
    return rv;
}

static apr_status_t site_steps(site_t *site, wire_t *wire,
                               validator_ask_t *ask, acme_err_t *err)
{
    apr_status_t rv = connect_to(wire, ask, site, err);

    if (rv == APR_SUCCESS) {
        site->stage = STAGE_TCP;
        rv = site->secure ? site_tls(site, wire, ask, err) : rv;
    }
    if (rv == APR_SUCCESS) {
        site->stage = STAGE_TLS;
        rv = exchange(&site->home, wire, ask->host, "/", 0, err, ask->pool);
    }
    if (rv == APR_SUCCESS) {
        site->stage = STAGE_HTTP;
    }
    return rv;
}

/** 1 if it was "::" and this machine has no IPv6: httpd's 0.0.0.0 it is. */
static int is_without_ipv6(const site_t *site, apr_status_t rv)
{
    return strcmp(site->ip, "::1") == 0
        && (rv == EADDRNOTAVAIL || rv == ENETUNREACH || rv == EAFNOSUPPORT);
}

void site_meet(validator_ask_t *ask, site_t *site)
{
    acme_err_t err = { 0 };
    wire_t wire;
    apr_status_t rv = site_steps(site, &wire, ask, &err);

    wire_close(&wire);
    if (is_without_ipv6(site, rv)) {
        base_err_clear(&err);
        site->ip = "127.0.0.1";
        rv = site_steps(site, &wire, ask, &err);
        wire_close(&wire);
    }
    site->slow = rv == APR_TIMEUP;
    if (timed(ask, rv, &err) != APR_SUCCESS) {
        site->fault = apr_pstrdup(ask->pool, err.message);
    }
}

apr_status_t site_ask(reply_t *reply, const validator_ask_t *ask,
                      const site_t *site, const char *path, int body,
                      acme_err_t *err)
{
    wire_t wire;
    apr_status_t rv = connect_to(&wire, ask, site, err);

    memset(reply, 0, sizeof(*reply));
    if (rv == APR_SUCCESS && site->secure) {
        rv = greet(&wire, ask, 0, err);
    }
    if (rv == APR_SUCCESS) {
        rv = exchange(reply, &wire, ask->host, path, body, err, ask->pool);
    }
    wire_close(&wire);
    return timed(ask, rv, err);
}

apr_status_t site_greet(const crypto_tls_info_t **pinfo,
                        const validator_ask_t *ask, const site_t *site,
                        int old, acme_err_t *err)
{
    wire_t wire;
    apr_status_t rv = connect_to(&wire, ask, site, err);

    if (rv == APR_SUCCESS) {
        rv = greet(&wire, ask, old, err);
    }
    if (rv == APR_SUCCESS) {
        *pinfo = crypto_tls_info(wire.tls);
    }
    wire_close(&wire);
    return timed(ask, rv, err);
}
