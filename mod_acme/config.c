/*
 * The records behind the directives: created unset, merged into new ones,
 * read by getters. A default is written down here, once, or nowhere.
 */
#include "mod_acme.h"

#include <ap_listen.h>
#include <http_core.h>

#include <apr_strings.h>

#ifndef ACME_STORE_DIR
#error "ACME_STORE_DIR is not defined: build with the Makefile"
#endif

#define ACME_CA_DEFAULT "https://acme-v02.api.letsencrypt.org/directory"

/* Belongs to the configuration being read or in use; a restart makes a new
 * one before the first directive is processed. */
static acme_state_t *state;

/* An array of one constant string, for defaults. */
#define ONE_STRING(name, text)                                   \
    static const char *const name##_elts[] = { text };           \
    static const apr_array_header_t name = {                     \
        NULL, sizeof(const char *), 1, 1, (char *)name##_elts    \
    }

ONE_STRING(ca_default, ACME_CA_DEFAULT);
ONE_STRING(keys_default, "P-256");

static const char *const challenges_elts[] = { "http-01", "tls-alpn-01" };
static const apr_array_header_t challenges_default = {
    NULL, sizeof(const char *), 2, 2, (char *)challenges_elts
};

/* ---------------------------------------------------------------- state */

acme_state_t *acme_state_get(void)
{
    return state;
}

void acme_state_create(apr_pool_t *pconf)
{
    state = apr_pcalloc(pconf, sizeof(*state));
    state->claims = apr_array_make(pconf, 16, sizeof(acme_claim_t *));
    state->domains = apr_array_make(pconf, 16, sizeof(acme_domain_t *));
}

/* -------------------------------------------------------------- records */

acme_server_conf_t *acme_server_conf(server_rec *s)
{
    return ap_get_module_config(s->module_config, &acme_module);
}

void *acme_server_conf_create(apr_pool_t *p, server_rec *s)
{
    acme_server_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    conf->server = s;
    conf->port_http = -1;
    conf->port_https = -1;
    conf->manager = -1;
    conf->server_status = -1;
    conf->ssl_engine = -1;
    conf->certificate_file = -1;
    conf->stapling = -1;
    conf->require_https = ACME_REQUIRE_UNSET;
    return conf;
}

void *acme_server_conf_merge(apr_pool_t *p, void *base, void *add)
{
    const acme_server_conf_t *main_conf = base;
    const acme_server_conf_t *host_conf = add;
    acme_server_conf_t *conf = apr_pmemdup(p, main_conf, sizeof(*conf));

    conf->server = host_conf->server;
    if (host_conf->ssl_engine != -1) {
        conf->ssl_engine = host_conf->ssl_engine;
    }
    if (host_conf->certificate_file != -1) {
        conf->certificate_file = host_conf->certificate_file;
    }
    if (host_conf->stapling != -1) {
        conf->stapling = host_conf->stapling;
    }
    conf->require_https = host_conf->require_https;
    /* httpd merges before it gives a name to hosts that have none. */
    conf->named = host_conf->server->server_hostname != NULL;
    conf->claimed = NULL;
    conf->domain = NULL;
    return conf;
}

acme_settings_t *acme_settings_create(apr_pool_t *p)
{
    acme_settings_t *settings = apr_pcalloc(p, sizeof(*settings));

    settings->agreement = -1;
    settings->renew_mode = ACME_RENEW_UNSET;
    settings->window.unit = ACME_WINDOW_UNSET;
    settings->require_https = ACME_REQUIRE_UNSET;
    settings->must_staple = -1;
    return settings;
}

acme_settings_t *acme_settings_merge(apr_pool_t *p,
                                     const acme_settings_t *base,
                                     const acme_settings_t *add)
{
    acme_settings_t *settings = apr_pmemdup(p, base, sizeof(*settings));

    if (add->ca) {
        settings->ca = add->ca;
    }
    if (add->ca_certificate_file) {
        settings->ca_certificate_file = add->ca_certificate_file;
    }
    if (add->agreement != -1) {
        settings->agreement = add->agreement;
    }
    if (add->contact) {
        settings->contact = add->contact;
    }
    if (add->challenges) {
        settings->challenges = add->challenges;
    }
    if (add->keys) {
        settings->keys = add->keys;
    }
    if (add->renew_mode != ACME_RENEW_UNSET) {
        settings->renew_mode = add->renew_mode;
    }
    if (add->window.unit != ACME_WINDOW_UNSET) {
        settings->window = add->window;
    }
    if (add->require_https != ACME_REQUIRE_UNSET) {
        settings->require_https = add->require_https;
    }
    if (add->must_staple != -1) {
        settings->must_staple = add->must_staple;
    }
    return settings;
}

/* ------------------------------------------------- getters of the server */

const char *acme_store_dir(void)
{
    const acme_server_conf_t *conf = acme_server_conf(state->main_server);

    return conf->store_dir ? conf->store_dir : ACME_STORE_DIR;
}

const char *acme_live_path(void)
{
    return state->live_path;
}

int acme_port_http(void)
{
    int port = acme_server_conf(state->main_server)->port_http;

    return port == -1 ? 80 : port;
}

int acme_port_https(void)
{
    int port = acme_server_conf(state->main_server)->port_https;

    return port == -1 ? 443 : port;
}

int acme_manager_enabled(void)
{
    return acme_server_conf(state->main_server)->manager != 0;
}

const apr_array_header_t *acme_notify_program(void)
{
    return acme_server_conf(state->main_server)->notify;
}

int acme_server_status_enabled(void)
{
    return acme_server_conf(state->main_server)->server_status != 0;
}

/* ------------------------------------------------- getters of one domain */

const apr_array_header_t *acme_domain_ca(const acme_domain_t *domain)
{
    return domain->settings->ca ? domain->settings->ca : &ca_default;
}

const char *acme_domain_ca_certificate_file(const acme_domain_t *domain)
{
    return domain->settings->ca_certificate_file;
}

int acme_domain_agreement(const acme_domain_t *domain)
{
    return domain->settings->agreement == 1;
}

const apr_array_header_t *acme_domain_contact(const acme_domain_t *domain,
                                              apr_pool_t *p)
{
    const server_rec *main_server = state->main_server;
    apr_array_header_t *contact = domain->settings->contact;
    const char *uri;

    if (!contact) {
        contact = apr_array_make(p, 1, sizeof(const char *));
        uri = main_server->server_admin
              ? acme_mail_uri(main_server->server_admin, p) : NULL;
        if (uri) {
            APR_ARRAY_PUSH(contact, const char *) = uri;
        }
    }
    return contact;
}

const apr_array_header_t *acme_domain_challenges(const acme_domain_t *domain)
{
    return domain->settings->challenges ? domain->settings->challenges
                                        : &challenges_default;
}

const apr_array_header_t *acme_domain_keys(const acme_domain_t *domain)
{
    return domain->settings->keys ? domain->settings->keys : &keys_default;
}

acme_renew_t acme_domain_renew_mode(const acme_domain_t *domain)
{
    acme_renew_t mode = domain->settings->renew_mode;

    return mode == ACME_RENEW_UNSET ? ACME_RENEW_AUTO : mode;
}

acme_require_t acme_domain_require_https(const acme_domain_t *domain)
{
    acme_require_t require = domain->settings->require_https;

    return require == ACME_REQUIRE_UNSET ? ACME_REQUIRE_OFF : require;
}

int acme_domain_must_staple(const acme_domain_t *domain)
{
    return domain->settings->must_staple == 1;
}

acme_window_t acme_domain_renew_window(const acme_domain_t *domain)
{
    acme_window_t window = domain->settings->window;

    if (window.unit == ACME_WINDOW_UNSET) {
        window.unit = ACME_WINDOW_DEFAULT;
    }
    return window;
}

/* ------------------------------------------- getters of one virtual host */

/* What ap_setup_listeners will find once it runs, after check_config. */
const char *acme_server_protocol(server_rec *s)
{
    const char *protocol = ap_get_server_protocol(s);
    const server_addr_rec *addr;
    const ap_listen_rec *lr;

    for (addr = s->addrs; addr && !protocol; addr = addr->next) {
        for (lr = ap_listeners; lr && !protocol; lr = lr->next) {
            if (lr->bind_addr->port == addr->host_port
                && apr_sockaddr_equal(lr->bind_addr, addr->host_addr)) {
                protocol = lr->protocol;
            }
        }
    }
    return protocol;
}

int acme_server_ssl(server_rec *s)
{
    const char *protocol;

    if (acme_server_conf(s)->ssl_engine != -1) {
        return acme_server_conf(s)->ssl_engine;
    }
    if (!acme_server_has_certificate(s)) {
        return 0;
    }
    protocol = acme_server_protocol(s);
    return protocol && strcmp(protocol, "https") == 0;
}

int acme_server_has_certificate(server_rec *s)
{
    return acme_server_conf(s)->certificate_file == 1;
}

int acme_server_stapling(server_rec *s)
{
    return acme_server_conf(s)->stapling == 1;
}

acme_domain_t *acme_server_domain(server_rec *s)
{
    return acme_server_conf(s)->domain;
}

int acme_server_named(server_rec *s)
{
    return acme_server_conf(s)->named;
}

apr_array_header_t *acme_server_hosts(server_rec *main_server,
                                      apr_pool_t *p)
{
    apr_array_header_t *hosts = apr_array_make(p, 64, sizeof(server_rec *));
    server_rec *s;
    int i, n;

    /* httpd's list has the last one first. */
    for (s = main_server->next; s; s = s->next) {
        APR_ARRAY_PUSH(hosts, server_rec *) = s;
    }
    n = hosts->nelts;
    for (i = 0; i < n / 2; i++) {
        s = APR_ARRAY_IDX(hosts, i, server_rec *);
        APR_ARRAY_IDX(hosts, i, server_rec *) =
            APR_ARRAY_IDX(hosts, n - 1 - i, server_rec *);
        APR_ARRAY_IDX(hosts, n - 1 - i, server_rec *) = s;
    }
    return hosts;
}
