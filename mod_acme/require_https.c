/*
 * ACMERequireHTTPS: redirects a domain's plain requests to https.
 *
 * A virtual host may say it of the requests that reach it, to the names of
 * whatever domain; where it does not, the domain's setting counts.
 *
 * Not redirected, so that a site never becomes unreachable:
 *   - anything below the challenge path, ours or another client's
 *   - a request that came by TLS, also when a proxy in front ended it (a
 *     ServerName with https://, X-Forwarded-Proto, Forwarded): redirecting
 *     it would go round in circles
 *   - a request on another port than the public port 80's
 *   - a domain that no TLS host serves with a certificate yet
 *
 * 307 and 308 keep the method and the body. Source: RFC 9110 15.4.8, 15.4.9.
 */
#include "mod_acme.h"

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

#include <apr_strings.h>

#define CHALLENGE_PATH "/.well-known/acme-challenge/"

/* Name -> acme_domain_t *, of all that require https, or of all where a host
 * does; NULL: nobody does. Lives in pconf and is only read once requests
 * come. */
static apr_hash_t *required;

static apr_status_t required_forget(void *data)
{
    required = NULL;
    acme_answers = 0;
    return APR_SUCCESS;
}

static void domain_add(const acme_domain_t *domain, apr_pool_t *pconf)
{
    int i;

    if (!required) {
        required = apr_hash_make(pconf);
        apr_pool_cleanup_register(pconf, NULL, required_forget,
                                  apr_pool_cleanup_null);
    }
    for (i = 0; i < domain->names->nelts; i++) {
        apr_hash_set(required, APR_ARRAY_IDX(domain->names, i, const char *),
                     APR_HASH_KEY_STRING, domain);
        acme_answers++;
    }
}

/* 1 if a virtual host requires it, of whatever domain. */
static int is_host_requiring(server_rec *main_server)
{
    server_rec *s;

    for (s = main_server->next; s; s = s->next) {
        if (acme_server_conf(s)->require_https > ACME_REQUIRE_OFF) {
            return 1;
        }
    }
    return 0;
}

void acme_require_https_start(apr_pool_t *pconf)
{
    const apr_array_header_t *domains = acme_state_get()->domains;
    int all = is_host_requiring(acme_state_get()->main_server);
    int i;

    for (i = 0; i < domains->nelts; i++) {
        const acme_domain_t *domain = APR_ARRAY_IDX(domains, i,
                                                    const acme_domain_t *);

        if (all || acme_domain_require_https(domain) != ACME_REQUIRE_OFF) {
            domain_add(domain, pconf);
        }
    }
}

/* 1 if the way to the client is encrypted, as far as anybody tells. */
static int is_secure(request_rec *r)
{
    const char *proto = apr_table_get(r->headers_in, "X-Forwarded-Proto");
    const char *forwarded = apr_table_get(r->headers_in, "Forwarded");

    return !strcmp(ap_http_scheme(r), "https")
           || (proto && !strcasecmp(proto, "https"))
           || (forwarded && ap_strcasestr(forwarded, "proto=https"));
}

/* 1 if a TLS host serves the domain, and not with the stand-in. */
static int is_served(const acme_domain_t *domain)
{
    int i;

    for (i = 0; i < domain->servers->nelts; i++) {
        server_rec *s = APR_ARRAY_IDX(domain->servers, i, server_rec *);

        if (acme_server_ssl(s) && !acme_server_standin(s)) {
            return 1;
        }
    }
    return 0;
}

/* What is required of a request to a name of domain. */
static acme_require_t requirement(request_rec *r, const acme_domain_t *domain)
{
    acme_require_t own = acme_server_conf(r->server)->require_https;

    return own == ACME_REQUIRE_UNSET ? acme_domain_require_https(domain)
                                     : own;
}

/* How r is to be redirected. */
static acme_require_t redirect_kind(request_rec *r)
{
    const acme_domain_t *domain;

    if (!r->hostname || !r->parsed_uri.path
        || r->parsed_uri.path[0] != '/' || r->proxyreq == PROXYREQ_PROXY
        || r->connection->local_addr->port != acme_port_http()
        || acme_port_https() == 0) {
        return ACME_REQUIRE_OFF;
    }
    domain = apr_hash_get(required, r->hostname, APR_HASH_KEY_STRING);
    if (!domain || is_secure(r) || !is_served(domain)
        || !strncmp(r->parsed_uri.path, CHALLENGE_PATH,
                    sizeof(CHALLENGE_PATH) - 1)) {
        return ACME_REQUIRE_OFF;
    }
    return requirement(r, domain);
}

static int redirect(request_rec *r, int status)
{
    /* The path as it was sent: decoding it could change what it means. */
    apr_table_setn(r->headers_out, "Location",
                   apr_pstrcat(r->pool, "https://", r->hostname,
                               r->parsed_uri.path,
                               r->parsed_uri.query ? "?" : NULL,
                               r->parsed_uri.query, NULL));
    return status;
}

int acme_require_https_handle(request_rec *r, int lookup)
{
    int status = DECLINED;

    if (!required || lookup || r->prev) {
        return DECLINED;
    }
    switch (redirect_kind(r)) {
    case ACME_REQUIRE_TEMPORARY:
        status = redirect(r, HTTP_TEMPORARY_REDIRECT);
        break;
    case ACME_REQUIRE_PERMANENT:
        status = redirect(r, HTTP_PERMANENT_REDIRECT);
        break;
    case ACME_REQUIRE_UNSET:
    case ACME_REQUIRE_OFF:
        break;
    }
    return status;
}
