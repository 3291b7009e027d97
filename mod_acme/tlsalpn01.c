/*
 * tls-alpn-01: answers the CA's handshake for a challenge from the live
 * segment.
 *
 *   post_config        hosts that the public port 443 can reach get
 *                      "acme-tls/1" behind their Protocols: mod_ssl asks no
 *                      module about a protocol that is not among them
 *   protocol_propose   mod_ssl has a client's ALPN offers: take "acme-tls/1"
 *                      if it is the only one and a challenge for the name in
 *                      SNI is pending. Else nobody takes it, and the
 *                      handshake is what it is without us
 *   protocol_switch    mark the connection
 *   answer_challenge   hand over certificate and key, of the type that this
 *                      handshake can use, and let none but that be served
 *   protocol_get       the connection is no http; mod_ssl answers what may
 *                      come through it with 503
 *
 * Whose name it is makes no difference: a name in no virtual host arrives at
 * the first one of its address. Client certificates are asked of nobody then
 * (mod_ssl).
 *
 * Source: RFC 8737 3.
 */
#include "mod_acme.h"

#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_ssl.h>

#include <apr_strings.h>

#include "counters.h"

APLOG_USE_MODULE(acme);

/* ------------------------------------------------------------------ start */

/* 1 if connections to the local port can end at s. */
static int server_reached(server_rec *s, int port)
{
    const server_addr_rec *addr;

    for (addr = s->addrs; addr; addr = addr->next) {
        if (addr->host_port == port || addr->host_port == 0) {
            return 1;
        }
    }
    /* Whatever no virtual host wants ends at the main server. */
    return !s->is_virtual;
}

/* The array may be the main server's, which others inherit. */
static void protocol_add(server_rec *s, apr_pool_t *pconf)
{
    core_server_config *core = ap_get_core_module_config(s->module_config);

    core->protocols = apr_array_copy(pconf, core->protocols);
    if (core->protocols->nelts == 0) {
        /* httpd's default, which ends with the first word. */
        APR_ARRAY_PUSH(core->protocols, const char *) = AP_PROTOCOL_HTTP1;
    }
    /* Last: of others a server tells the clients that they may upgrade. */
    APR_ARRAY_PUSH(core->protocols, const char *) = ACME_ALPN;
}

/* 1 if some domain may be validated so. */
static int is_wanted(const acme_state_t *state)
{
    int i, k;

    for (i = 0; i < state->domains->nelts; i++) {
        const apr_array_header_t *types = acme_domain_challenges(
            APR_ARRAY_IDX(state->domains, i, acme_domain_t *));

        for (k = 0; k < types->nelts; k++) {
            if (!strcmp(APR_ARRAY_IDX(types, k, const char *),
                        "tls-alpn-01")) {
                return 1;
            }
        }
    }
    return 0;
}

void acme_tlsalpn01_start(server_rec *main_server, apr_pool_t *pconf)
{
    const acme_state_t *state = acme_state_get();
    int port = acme_port_https();
    server_rec *s;

    if (!state->live || port == 0 || !is_wanted(state)) {
        return;
    }
    for (s = main_server; s; s = s->next) {
        if (acme_server_ssl(s) && server_reached(s, port)) {
            protocol_add(s, pconf);
        }
    }
}

/* -------------------------------------------------------------- handshake */

/* RFC 8737 3: the client offers "acme-tls/1" and nothing else. */
static int is_challenge(const apr_array_header_t *offers)
{
    return offers->nelts == 1
        && !strcmp(APR_ARRAY_IDX(offers, 0, const char *), ACME_ALPN);
}

static int answer_find(live_answer_t *panswer, live_name_t *memory,
                       const char *name)
{
    const live_t *live = acme_state_get()->live;

    return live && name
        && live_child_name(panswer, memory, live, name, apr_time_now());
}

static int propose(conn_rec *c, request_rec *r, server_rec *s,
                   const apr_array_header_t *offers,
                   apr_array_header_t *proposals)
{
    SSL *ssl;
    live_answer_t answer;
    live_name_t memory;

    if (r || !is_challenge(offers)) {
        return DECLINED;
    }
    ssl = acme_conn_ssl(c);
    if (!ssl
        || !answer_find(&answer, &memory,
                        SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name))) {
        acme_count(ACME_COUNT_TLSALPN01_UNKNOWN);
        return DECLINED;
    }
    APR_ARRAY_PUSH(proposals, const char *) = ACME_ALPN;
    return OK;
}

static int protocol_switch(conn_rec *c, request_rec *r, server_rec *s,
                           const char *protocol)
{
    acme_conn_t *conn = acme_conn_get(c);

    if (r || !conn || strcmp(protocol, ACME_ALPN)) {
        return DECLINED;
    }
    conn->challenge = 1;
    return OK;
}

static const char *protocol_get(const conn_rec *c)
{
    const acme_conn_t *conn = acme_conn_get(c);

    return conn && conn->challenge ? ACME_ALPN : NULL;
}

/* 1 if the client can verify a signature by an EC key. */
static int client_knows_ec(SSL *ssl)
{
    int i, sign, n = SSL_get_sigalgs(ssl, 0, NULL, NULL, NULL, NULL, NULL);

    for (i = 0; i < n; i++) {
        if (SSL_get_sigalgs(ssl, i, &sign, NULL, NULL, NULL, NULL)
            && sign == EVP_PKEY_EC) {
            return 1;
        }
    }
    return 0;
}

/* TLS 1.2 has settled on a cipher by now, and with it on a type of key; of
 * TLS 1.3 only the client's signature algorithms tell. */
static live_answer_type_t answer_type(SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_pending_cipher(ssl);
    int nid = cipher ? SSL_CIPHER_get_auth_nid(cipher) : NID_undef;

    if (nid == NID_auth_rsa) {
        return LIVE_ANSWER_RSA;
    }
    if (nid == NID_auth_ecdsa) {
        return LIVE_ANSWER_EC;
    }
    return client_knows_ec(ssl) ? LIVE_ANSWER_EC : LIVE_ANSWER_RSA;
}

static int answer_challenge(conn_rec *c, const char *name,
                            const char **pcert, const char **pkey)
{
    const acme_conn_t *conn = acme_conn_get(c);
    SSL *ssl = acme_conn_ssl(c);
    live_answer_type_t type;
    live_answer_t answer;
    live_name_t memory;

    if (!conn || !conn->challenge || !ssl) {
        return DECLINED;
    }
    /* Else OpenSSL may prefer another type of key, and one of the host's
     * certificates. If there is no answer any more, the handshake fails. */
    SSL_certs_clear(ssl);
    if (!answer_find(&answer, &memory, name)) {
        acme_count(ACME_COUNT_TLSALPN01_REFUSED);
        return DECLINED;
    }
    type = answer_type(ssl);
    *pcert = apr_pstrdup(c->pool, answer.cert[type]);
    *pkey = apr_pstrdup(c->pool, answer.key[type]);
    acme_count(ACME_COUNT_TLSALPN01_ANSWERED);
    ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, c, "ACME0500: answered the "
                  "challenge for %s by tls-alpn-01", name);
    return OK;
}

void acme_tlsalpn01_register(apr_pool_t *p)
{
    ap_hook_protocol_propose(propose, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_protocol_switch(protocol_switch, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_protocol_get(protocol_get, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_ssl_answer_challenge(answer_challenge, NULL, NULL,
                                 APR_HOOK_MIDDLE);
}
