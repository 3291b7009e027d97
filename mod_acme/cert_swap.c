/*
 * Certificates swapped without a reload: a virtual host serves what acmectl
 * has put into its slots of the live segment, from the next handshake on.
 *
 *   post_config      certificates get their slots, httpd loads the store
 *   ssl init_server  keeps what the SSL_CTX was given, installs the callback
 *   handshake        nothing in any slot: the SSL_CTX serves, as ever
 *                    else all pairs of this SSL are set anew: swapped ones
 *                    from the process's cache, others as at the start
 *   resumption       the callback is not called; set them afterwards, so
 *                    that SSL_SERVER_* is about what is served now
 *   renegotiation    keeps what the connection began with: clients refuse
 *                    a certificate that changes in between
 *
 * A child never touches a SSL_CTX: SSL_new copies it without a lock. Which
 * host it is comes with the callback's argument, which SSL_set_SSL_CTX of
 * mod_ssl's SNI replaces along with the certificates.
 */
#include "mod_acme.h"

#include <http_config.h>
#include <http_connection.h>
#include <http_log.h>
#include <http_ssl.h>

#include <apr_hash.h>
#include <apr_optional_hooks.h>
#include <apr_strings.h>

#include <mod_ssl_openssl.h>
#include <openssl/err.h>

#include "cert_cache.h"
#include "counters.h"
#include "staple.h"

APLOG_USE_MODULE(acme);

/* What a SSL_CTX was given by mod_ssl. */
typedef struct startup_t {
    X509 *leaf;                  /* NULL: none */
    EVP_PKEY *key;
    STACK_OF(X509) *chain;       /* NULL: none */
} startup_t;

/* A virtual host whose certificates are ours. Constant in children. */
struct acme_swap_host_t {
    server_rec *s;
    const apr_array_header_t *certificates;  /* of acme_certificate_t * */
    startup_t startup[ACME_KEYS_MAX];        /* one for each of them */
};
typedef struct acme_swap_host_t swap_host_t;

/* ----------------------------------------------------------- certificates */

apr_array_header_t *acme_certificates_make(const acme_domain_t *domain,
                                           apr_pool_t *pconf)
{
    const apr_array_header_t *types = acme_domain_keys(domain);
    apr_array_header_t *all = apr_array_make(pconf, types->nelts,
                                             sizeof(acme_certificate_t *));
    int i;

    for (i = 0; i < types->nelts; i++) {
        acme_certificate_t *certificate = apr_pcalloc(pconf,
                                                      sizeof(*certificate));
        char *type = apr_pstrdup(pconf,
                                 APR_ARRAY_IDX(types, i, const char *));

        certificate->key_type = APR_ARRAY_IDX(types, i, const char *);
        ap_str_tolower(type);
        certificate->id = i == 0 ? domain->name
                                 : apr_pstrcat(pconf, domain->name, "~", type,
                                               NULL);
        certificate->slot = LIVE_NO_SLOT;
        certificate->status = LIVE_NO_SLOT;
        APR_ARRAY_PUSH(all, acme_certificate_t *) = certificate;
    }
    return all;
}

apr_array_header_t *acme_certificates_ids(int unserved, apr_pool_t *p)
{
    const apr_array_header_t *domains = acme_state_get()->domains;
    apr_array_header_t *ids = apr_array_make(p, domains->nelts,
                                             sizeof(const char *));
    int i, k;

    for (i = 0; i < domains->nelts; i++) {
        const acme_domain_t *domain = APR_ARRAY_IDX(domains, i,
                                                    acme_domain_t *);

        for (k = 0; (unserved || acme_domain_user(domain))
             && k < domain->certificates->nelts; k++) {
            APR_ARRAY_PUSH(ids, const char *) =
                APR_ARRAY_IDX(domain->certificates, k,
                              acme_certificate_t *)->id;
        }
    }
    return ids;
}

int acme_certificates_place(const live_t *live)
{
    const apr_array_header_t *domains = acme_state_get()->domains;
    int i, k, without = 0;

    for (i = 0; i < domains->nelts; i++) {
        const acme_domain_t *domain = APR_ARRAY_IDX(domains, i,
                                                    acme_domain_t *);

        for (k = 0; k < domain->certificates->nelts; k++) {
            acme_certificate_t *certificate =
                APR_ARRAY_IDX(domain->certificates, k, acme_certificate_t *);

            certificate->slot = live_parent_slot(live, certificate->id);
            certificate->status = live_child_status_find(live,
                                                         certificate->id);
            without += certificate->slot == LIVE_NO_SLOT
                && acme_domain_user(domain) != NULL;
        }
    }
    return without;
}

static int certificate_swapped(const acme_certificate_t *certificate,
                               const live_t *live)
{
    return certificate->slot != LIVE_NO_SLOT
        && live_child_version(live, certificate->slot);
}

int acme_domain_swapped(const acme_domain_t *domain)
{
    const live_t *live = acme_state_get()->live;
    int i;

    for (i = 0; live && i < domain->certificates->nelts; i++) {
        const acme_certificate_t *certificate =
            APR_ARRAY_IDX(domain->certificates, i, acme_certificate_t *);

        if (certificate->slot != LIVE_NO_SLOT
            && acme_cache_serves(&certificate->cached, live,
                                 certificate->slot)) {
            return 1;
        }
    }
    return 0;
}

/* -------------------------------------------------------------- handshake */

static acme_certificate_t *host_certificate(const swap_host_t *host, int i)
{
    return APR_ARRAY_IDX(host->certificates, i, acme_certificate_t *);
}

/* 1 if a slot of the host holds anything; what every handshake costs. */
static int host_swapped(const swap_host_t *host)
{
    const live_t *live = acme_state_get()->live;
    int i;

    for (i = 0; i < host->certificates->nelts; i++) {
        if (certificate_swapped(host_certificate(host, i), live)) {
            return 1;
        }
    }
    return 0;
}

static void certificate_complain(const swap_host_t *host,
                                 const acme_certificate_t *certificate,
                                 const char *fault)
{
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, host->s, "ACME0400: the new "
                 "certificate %s cannot be served, %s: the last good one "
                 "stays; get another by acmectl renew --force",
                 certificate->id, fault);
}

/* @param taken  set: what the process's cache has, or NULL
 * @return how many are not NULL */
static int host_take(const swap_host_t *host, acme_parsed_t **taken)
{
    const live_t *live = acme_state_get()->live;
    int i, n = 0;

    for (i = 0; i < host->certificates->nelts; i++) {
        acme_certificate_t *certificate = host_certificate(host, i);
        char fault[ACME_FAULT_MAX] = "";

        taken[i] = certificate->slot == LIVE_NO_SLOT ? NULL
            : acme_cache_take(&certificate->cached, live, certificate->slot,
                              fault);
        if (*fault) {
            certificate_complain(host, certificate, fault);
        }
        n += taken[i] != NULL;
    }
    return n;
}

/* Give the SSL one more pair; replaces one of the same kind of key. */
static int pair_set(SSL *ssl, X509 *leaf, EVP_PKEY *key,
                    STACK_OF(X509) *chain)
{
    int ok = leaf && SSL_use_cert_and_key(ssl, leaf, key, chain, 1) == 1;

    if (!ok) {
        ERR_clear_error();
    }
    return ok;
}

static void host_set(const swap_host_t *host, SSL *ssl,
                     acme_parsed_t *const *taken)
{
    int i;

    /* Else a key type that is not set anew would stay what it was when the
     * SSL_CTX was made. */
    SSL_certs_clear(ssl);
    for (i = 0; i < host->certificates->nelts; i++) {
        acme_certificate_t *certificate = host_certificate(host, i);
        const startup_t *startup = &host->startup[i];

        if (taken[i] && pair_set(ssl, taken[i]->leaf, taken[i]->key,
                                 taken[i]->chain)) {
            continue;
        }
        if (taken[i] && acme_cache_refuse(&certificate->cached, taken[i])) {
            certificate_complain(host, certificate, "OpenSSL finds it "
                                 "too weak");
        }
        pair_set(ssl, startup->leaf, startup->key, startup->chain);
    }
}

/* Let the SSL serve what is current. @return 0: it does already */
static int host_apply(const swap_host_t *host, SSL *ssl)
{
    acme_parsed_t *taken[ACME_KEYS_MAX];
    int i, n = host_take(host, taken);

    if (n > 0) {
        host_set(host, ssl, taken);
    }
    for (i = 0; i < host->certificates->nelts; i++) {
        if (taken[i]) {
            acme_cache_release(taken[i]);
        }
    }
    return n > 0;
}

const acme_certificate_t *acme_swap_certificate(const swap_host_t *host,
                                                const X509 *leaf,
                                                uint64_t *pgeneration)
{
    int i;

    for (i = 0; i < host->certificates->nelts; i++) {
        acme_certificate_t *certificate = host_certificate(host, i);

        *pgeneration = leaf == host->startup[i].leaf ? certificate->loaded
            : acme_cache_generation(&certificate->cached, leaf);
        if (*pgeneration) {
            return certificate;
        }
    }
    return NULL;
}

/* In TLS 1.3 ALPN comes first, and the challenge's certificate is set. */
static int challenge_chosen(const SSL *ssl)
{
    const unsigned char *name;
    unsigned int len;

    SSL_get0_alpn_selected(ssl, &name, &len);
    return len == sizeof(ACME_ALPN) - 1 && !memcmp(name, ACME_ALPN, len);
}

/* 1 if the peer has ended a handshake on this connection before. */
static int renegotiates(const SSL *ssl)
{
    unsigned char none[1];

    return SSL_get_peer_finished(ssl, none, 0) > 0;
}

/* OpenSSL's certificate callback. 1: go on with what the SSL has; anything
 * else would end the handshake, and there is always something to serve. */
static int certificate_choose(SSL *ssl, void *data)
{
    const swap_host_t *host = data;

    if (host_swapped(host) && !challenge_chosen(ssl) && !renegotiates(ssl)
        && host_apply(host, ssl)) {
        acme_count(ACME_COUNT_HANDSHAKES_SWAPPED);
    }
    return 1;
}

/* ------------------------------------------------------------- resumption */

acme_conn_t *acme_conn_get(const conn_rec *c)
{
    return ap_get_module_config(c->conn_config, &acme_module);
}

SSL *acme_conn_ssl(conn_rec *c)
{
    const acme_conn_t *conn = acme_conn_get(c);

    /* mod_ssl frees it when a handshake fails. */
    return conn && ap_ssl_conn_is_ssl(c) ? conn->ssl : NULL;
}

static int pre_handshake(conn_rec *c, SSL *ssl, int is_proxy)
{
    acme_conn_t *conn;

    if (!is_proxy) {
        conn = apr_pcalloc(c->pool, sizeof(*conn));
        conn->ssl = ssl;
        ap_set_module_config(c->conn_config, &acme_module, conn);
    }
    return OK;
}

/* 1 if a connection with this cipher can have been authenticated by key.
 * TLS 1.3 ciphers do not tell. */
static int cipher_fits(SSL *ssl, EVP_PKEY *key)
{
    int nid = SSL_CIPHER_get_auth_nid(SSL_get_current_cipher(ssl));

    return (nid != NID_auth_rsa || EVP_PKEY_is_a(key, "RSA"))
        && (nid != NID_auth_ecdsa || EVP_PKEY_is_a(key, "EC"));
}

/* Of several pairs, let the one be current that suits the session. */
static void current_choose(SSL *ssl)
{
    long more = SSL_set_current_cert(ssl, SSL_CERT_SET_FIRST);

    while (more && SSL_get_privatekey(ssl)
           && !cipher_fits(ssl, SSL_get_privatekey(ssl))) {
        more = SSL_set_current_cert(ssl, SSL_CERT_SET_NEXT);
    }
}

/* Called for each request of a connection in some MPMs. */
static int process_connection(conn_rec *c)
{
    acme_conn_t *conn = acme_conn_get(c);
    apr_hash_t *hosts = acme_state_get()->hosts;
    const swap_host_t *host;
    SSL_CTX *ctx;
    SSL *ssl;

    if (!conn || conn->seen) {
        return DECLINED;
    }
    conn->seen = 1;
    ssl = acme_conn_ssl(c);
    if (!ssl || !hosts || !SSL_session_reused(ssl)) {
        return DECLINED;
    }
    ctx = SSL_get_SSL_CTX(ssl);
    host = apr_hash_get(hosts, &ctx, sizeof(ctx));
    if (host && host_swapped(host) && host_apply(host, ssl)) {
        current_choose(ssl);
    }
    return DECLINED;
}

/* ---------------------------------------------------------------- startup */

/* 1 if a certificate of this key type has such a key. */
static int type_fits(const acme_certificate_t *certificate, EVP_PKEY *key)
{
    int rsa = !strncmp(certificate->key_type, "RSA-", 4);

    return EVP_PKEY_is_a(key, rsa ? "RSA" : "EC");
}

/*
 * Which certificate is it that the SSL_CTX has for this kind of key? It
 * keeps one for each kind: of several loaded, the last.
 */
static startup_t *startup_for(swap_host_t *host, EVP_PKEY *key)
{
    int i;

    for (i = host->certificates->nelts - 1; i >= 0; i--) {
        const acme_certificate_t *certificate = host_certificate(host, i);

        if (certificate->loaded && type_fits(certificate, key)) {
            return &host->startup[i];
        }
    }
    return NULL;
}

/* The SSL_CTX outlives the children, and so do the pointers. The stand-in
 * is nobody's: it goes with the first swap. */
static void startup_keep(swap_host_t *host, SSL_CTX *ctx)
{
    long more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);

    while (more) {
        EVP_PKEY *key = SSL_CTX_get0_privatekey(ctx);
        startup_t *startup = key ? startup_for(host, key) : NULL;

        if (startup) {
            startup->leaf = SSL_CTX_get0_certificate(ctx);
            startup->key = key;
            host_certificate(host, (int)(startup - host->startup))->leaf =
                startup->leaf;
            SSL_CTX_get0_chain_certs(ctx, &startup->chain);
        }
        more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT);
    }
}

static int init_server(server_rec *s, apr_pool_t *p, int is_proxy,
                       SSL_CTX *ctx)
{
    const acme_domain_t *domain = acme_server_domain(s);
    acme_state_t *state = acme_state_get();
    swap_host_t *host;

    if (is_proxy || !domain || !acme_server_conf(s)->managed
        || !state->live) {
        return OK;
    }
    if (!state->hosts) {
        state->hosts = apr_hash_make(p);
    }
    host = apr_pcalloc(p, sizeof(*host));
    host->s = s;
    host->certificates = domain->certificates;
    startup_keep(host, ctx);
    apr_hash_set(state->hosts, apr_pmemdup(p, &ctx, sizeof(ctx)),
                 sizeof(ctx), host);
    SSL_CTX_set_cert_cb(ctx, certificate_choose, host);
    acme_staple_host(ctx, s, host, p);
    return OK;
}

void acme_cert_swap_register(apr_pool_t *p)
{
    static const char *const after[] = { "mod_ssl.c", NULL };
    static const char *const before[] = { "mod_http2.c", "http_core.c",
                                          NULL };

    APR_OPTIONAL_HOOK(ssl, init_server, init_server, NULL, NULL,
                      APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, pre_handshake, pre_handshake, NULL, NULL,
                      APR_HOOK_MIDDLE);
    ap_hook_process_connection(process_connection, after, before,
                               APR_HOOK_MIDDLE);
}
