/*
 * mod_acme.h: what the files of mod_acme know of each other.
 *
 * The configuration passes through three shapes:
 *
 *   directives.c   each directive is checked and kept: settings in the
 *                  record of the main server or of one <ACMEDomain>, every
 *                  ACMEDomain as a claim, in the order of definition
 *   config.c       records: created unset, merged into new ones; defaults
 *                  live in the getters below and nowhere else
 *   domains.c      check_config, which httpd -t and every start run alike:
 *                  claims become domains, each name in one of them, and
 *                  virtual hosts find the domain whose certificate they use
 *
 * Afterwards all of it is constant. Everything lives in pconf: a restart
 * builds it anew.
 */
#ifndef MOD_ACME_H
#define MOD_ACME_H

#include <httpd.h>
#include <http_config.h>

#include <apr_hash.h>
#include <apr_pools.h>
#include <apr_tables.h>

#include <openssl/ssl.h>

#include "acme_live.h"
#include "cert_cache.h"

#define ACME_NAMES_WARN  100   /**< public CAs refuse more in a certificate */
#define ACME_NAMES_MAX   1000
#define ACME_KEYS_MAX    5    /**< key types that ACMEPrivateKeys knows */
#define ACME_ALPN        "acme-tls/1"  /**< RFC 8737 6.2 */
#define ACME_LIVE_NAME   "acme-live"  /**< in httpd's runtime directory */

extern module AP_MODULE_DECLARE_DATA acme_module;

/** ACMERenewMode */
typedef enum acme_renew_t {
    ACME_RENEW_UNSET = -1,
    ACME_RENEW_AUTO,     /**< what a virtual host uses */
    ACME_RENEW_ALWAYS,
    ACME_RENEW_MANUAL
} acme_renew_t;

/** ACMERequireHTTPS */
typedef enum acme_require_t {
    ACME_REQUIRE_UNSET = -1,
    ACME_REQUIRE_OFF,
    ACME_REQUIRE_TEMPORARY,
    ACME_REQUIRE_PERMANENT
} acme_require_t;

/** ACMERenewWindow */
typedef enum acme_window_unit_t {
    ACME_WINDOW_UNSET = -1,
    ACME_WINDOW_DEFAULT, /**< 33 %, 50 % under 10 days of lifetime */
    ACME_WINDOW_PERCENT,
    ACME_WINDOW_DAYS
} acme_window_unit_t;

typedef struct acme_window_t {
    acme_window_unit_t unit;
    int n;               /**< percent 1..99 or days 1..3650 */
} acme_window_t;

/**
 * What may stand in the main server and in <ACMEDomain>, each unset until a
 * directive sets it. Read it by the getters, which know the defaults.
 */
typedef struct acme_settings_t {
    apr_array_header_t *ca;          /**< of const char *: URLs */
    const char *ca_certificate_file; /**< absolute */
    int agreement;                   /**< -1: unset */
    apr_array_header_t *contact;     /**< of const char *: URIs; may be empty */
    apr_array_header_t *challenges;  /**< of const char * */
    apr_array_header_t *keys;        /**< of const char * */
    acme_renew_t renew_mode;
    acme_window_t window;
    acme_require_t require_https;
    int must_staple;                 /**< -1: unset, else 0 or 1 */
} acme_settings_t;

/** An OCSP response that was found in the store; of staple.c. */
typedef struct acme_staple_t acme_staple_t;

/** A certificate of a domain: one for each of its key types. */
typedef struct acme_certificate_t {
    const char *id;              /**< in the store: the domain's name, or
                                      NAME~TYPE for further types */
    const char *key_type;        /**< "P-256", ... */
    uint32_t slot;               /**< in the live segment; LIVE_NO_SLOT:
                                      nobody serves it */
    uint32_t status;             /**< in the live segment; LIVE_NO_SLOT:
                                      pages know nothing of it */
    uint64_t loaded;             /**< the store's generation of it that
                                      mod_ssl was given; 0: none */
    const X509 *leaf;            /**< as mod_ssl loaded it, of its SSL_CTX;
                                      NULL: none */
    const acme_staple_t *staple; /**< about that one; NULL: none */
    acme_cached_t cached;        /**< this process's; by cert_cache.h */
} acme_certificate_t;

/** One managed domain. */
typedef struct acme_domain_t {
    const char *name;            /**< the first of names */
    apr_array_header_t *names;   /**< of const char *: lower case, each once,
                                      in the order written; not empty */
    const char *file;            /**< as httpd opened it */
    int line;
    const acme_settings_t *settings;  /**< merged; use the getters */
    apr_array_header_t *servers; /**< of server_rec *: virtual hosts and
                                      the main server that answer to one of
                                      names or hold the ACMEDomain; the main
                                      server first, then in the order of
                                      definition; perhaps empty */
    apr_array_header_t *certificates;  /**< of acme_certificate_t *: one for
                                      each of acme_domain_keys, in order */
} acme_domain_t;

/** One ACMEDomain as written, before resolution. */
typedef struct acme_claim_t {
    apr_array_header_t *names;   /**< checked; empty: those of server */
    const char *file;
    int line;
    server_rec *server;          /**< where it stands */
    acme_settings_t *settings;   /**< of <ACMEDomain>; else NULL */
} acme_claim_t;

/** The record of a server_rec. */
typedef struct acme_server_conf_t {
    const server_rec *server;    /**< whose record it is */
    acme_settings_t *settings;   /**< of the main server; NULL: none set */
    const char *store_dir;       /**< absolute; NULL: unset */
    int port_http;               /**< ACMEPortMap; -1: unset, 0: none */
    int port_https;
    int manager;                 /**< ACMEManager; -1: unset, else 0 or 1 */
    apr_array_header_t *notify;  /**< ACMENotify: program, arguments; NULL:
                                      unset */
    int server_status;           /**< ACMEServerStatus; -1: unset, else 0 or
                                      1 */
    int ssl_engine;              /**< SSLEngine; -1: unset, else 0 or 1 */
    int certificate_file;        /**< SSLCertificateFile; -1: unset, else 1 */
    int stapling;                /**< SSLUseStapling; -1: unset, else 0 or 1 */
    acme_require_t require_https;  /**< ACMERequireHTTPS of the host; unset:
                                      the domain's counts */
    int named;                   /**< 1: a ServerName of its own */
    apr_array_header_t *claimed; /**< of acme_domain_t *: whose ACMEDomain
                                      stands in the host; NULL: none */
    acme_domain_t *domain;       /**< whose certificate it uses or NULL */
    int managed;                 /**< 1: mod_ssl has its certificates from
                                      us; set by cert_files.c */
    int standin;                 /**< 1: mod_ssl has the stand-in for it;
                                      set by cert_files.c */
} acme_server_conf_t;

/** What one process knows of the present configuration. */
typedef struct acme_state_t {
    server_rec *main_server;     /**< NULL until check_config */
    const char *live_path;       /**< of the segment; NULL until then */
    apr_array_header_t *claims;  /**< of acme_claim_t *, as read */
    apr_array_header_t *domains; /**< of acme_domain_t *, as defined */
    acme_claim_t *section;       /**< the <ACMEDomain> being read or NULL */
    live_t *live;                /**< set by acme_http01_start or NULL */
    apr_hash_t *hosts;           /**< of cert_swap.c: SSL_CTX * -> host; NULL:
                                      none */
} acme_state_t;

/* ------------------------------------------------- config.c: the records */

/** This configuration's state; NULL before pre_config. Source: ours. */
acme_state_t *acme_state_get(void);

/** Make a new, empty state in pconf and let it be the present one. */
void acme_state_create(apr_pool_t *pconf);

/** The record of s, never NULL. */
acme_server_conf_t *acme_server_conf(server_rec *s);

/** create_server_config: everything unset. */
void *acme_server_conf_create(apr_pool_t *p, server_rec *s);

/**
 * merge_server_config: base is the main server's record, add a virtual
 * host's; both stay as they are. Global settings come from base (they are
 * refused in a virtual host), SSLEngine and SSLCertificateFile are
 * inherited as mod_ssl does, domains are resolved afterwards.
 */
void *acme_server_conf_merge(apr_pool_t *p, void *base, void *add);

/** Settings with nothing set. */
acme_settings_t *acme_settings_create(apr_pool_t *p);

/** A new record: what add has set, else what base has. */
acme_settings_t *acme_settings_merge(apr_pool_t *p,
                                     const acme_settings_t *base,
                                     const acme_settings_t *add);

/** The table of directives; directives.c. */
extern const command_rec acme_directives[];

/* ---------------------------------------------- getters: effective values */

/* Those of the whole server are valid from check_config on. */

/** ACMEStoreDir, absolute; default: localstatedir/lib/acme. */
const char *acme_store_dir(void);

/** The live segment's path, absolute. */
const char *acme_live_path(void);

/** Local port on which the public port 80 arrives; 0: it does not. */
int acme_port_http(void);

/** Local port on which the public port 443 arrives; 0: it does not. */
int acme_port_https(void);

/** 1 if httpd keeps "acmectl serve" running. */
int acme_manager_enabled(void);

/** ACMENotify: an absolute path and arguments, of const char *; NULL: none. */
const apr_array_header_t *acme_notify_program(void);

/** 1 if server-status is to show certificates. */
int acme_server_status_enabled(void);

/** Directory URLs in order of fail-over, of const char *; not empty. */
const apr_array_header_t *acme_domain_ca(const acme_domain_t *domain);

/** ACMECACertificateFile, absolute; NULL: the system's trust store. */
const char *acme_domain_ca_certificate_file(const acme_domain_t *domain);

/** 1 if the terms of service are accepted. */
int acme_domain_agreement(const acme_domain_t *domain);

/**
 * Contact URIs ("mailto:..."), of const char *; perhaps empty; in p.
 * Default: the main server's ServerAdmin if that is a mail address.
 */
const apr_array_header_t *acme_domain_contact(const acme_domain_t *domain,
                                              apr_pool_t *p);

/** Challenge types in order of preference, of const char *; not empty. */
const apr_array_header_t *acme_domain_challenges(const acme_domain_t *domain);

/** Key types ("P-256", ...), of const char *, each once; not empty. */
const apr_array_header_t *acme_domain_keys(const acme_domain_t *domain);

/** ACMERenewMode; never ACME_RENEW_UNSET. */
acme_renew_t acme_domain_renew_mode(const acme_domain_t *domain);

/** ACMERenewWindow; unit is never ACME_WINDOW_UNSET. */
acme_window_t acme_domain_renew_window(const acme_domain_t *domain);

/** ACMERequireHTTPS; never ACME_REQUIRE_UNSET. */
acme_require_t acme_domain_require_https(const acme_domain_t *domain);

/** ACMEMustStaple: 1 if its certificates are to carry the TLS feature. */
int acme_domain_must_staple(const acme_domain_t *domain);

/** The protocol of s ("http", "https", ...): its own or that of a listener of
 *  its addresses, also before the MPM has set them up; NULL: none. */
const char *acme_server_protocol(server_rec *s);

/**
 * 1 if mod_ssl will speak TLS for s: SSLEngine on, its own or inherited; or
 * unset, with a certificate file, where the protocol of s is https.
 */
int acme_server_ssl(server_rec *s);

/** 1 if s has an SSLCertificateFile, its own or inherited. */
int acme_server_has_certificate(server_rec *s);

/** 1 if SSLUseStapling is on for s, its own or inherited. */
int acme_server_stapling(server_rec *s);

/** 1 if the virtual host s has a ServerName of its own. */
int acme_server_named(server_rec *s);

/** Virtual hosts in the order of definition, of server_rec *, in p. */
apr_array_header_t *acme_server_hosts(server_rec *main_server,
                                      apr_pool_t *p);

/**
 * The domain whose certificate s uses when it has none of its own: the one
 * that has its ServerName, else the one whose ACMEDomain stands in s, else
 * the one that has its first alias of all that some domain has. NULL: none.
 * Constant from check_config on.
 */
acme_domain_t *acme_server_domain(server_rec *s);

/* --------------------------------------------------------- domains.c */

/**
 * Check a domain name as a certificate needs it.
 * Source: RFC 1123 2.1, RFC 5890 2.3.1, RFC 8555 7.1.3; ours (at least two
 * labels; no address, no wildcard yet).
 *
 * @param pname  set on success: lower case
 * @return NULL or the reason, a sentence that begins with the name
 */
const char *acme_name_check(const char **pname, const char *name,
                            apr_pool_t *p);

/**
 * The contact URI of a mail address, with or without "mailto:".
 * Source: RFC 8555 7.3 (one address, no header fields), RFC 6068 2.
 * @return NULL if text is not one address at a domain of two labels or more
 */
const char *acme_mail_uri(const char *text, apr_pool_t *p);

/**
 * check_config: make domains of the claims and find who serves them.
 * Logs every fault of the configuration at its file and line.
 * @return OK; HTTP_INTERNAL_SERVER_ERROR if httpd must not start with it
 */
int acme_domains_resolve(apr_pool_t *pconf, apr_pool_t *ptemp,
                         server_rec *s);

/* ----------------------------------------------------- start_check.c */

/** 1 in httpd -t -D ACME_START_CHECK: this process ends without serving. */
int acme_start_check(void);

/** Keep modules from what a running server uses. Called in pre_config of a
 *  start check. */
void acme_start_check_prepare(apr_pool_t *pconf);

/** Run what a start runs; ends the process with status 1 if that fails.
 *  Called in test_config of a start check. */
void acme_start_check_run(apr_pool_t *pconf, server_rec *s);

/* --------------------------------------------------------- cert_swap.c */

/** The certificates of a domain, in pconf: one for each key type. */
apr_array_header_t *acme_certificates_make(const acme_domain_t *domain,
                                           apr_pool_t *pconf);

/** The ids of all certificates that a virtual host serves, in p.
 *  @param unserved  1: of those that no host serves, too */
apr_array_header_t *acme_certificates_ids(int unserved, apr_pool_t *p);

/** Give each certificate its slot in the new segment; post_config.
 *  @return how many that a virtual host serves have none */
int acme_certificates_place(const live_t *live);

/** 1 if a certificate of domain came since httpd's (re)start and can be
 *  served. Called in children. */
int acme_domain_swapped(const acme_domain_t *domain);

/** What is known of a client's connection. */
typedef struct acme_conn_t {
    SSL *ssl;                    /**< mod_ssl's: use acme_conn_ssl */
    int seen;                    /**< of cert_swap.c: 1: process_connection
                                      has run */
    int challenge;               /**< of tlsalpn01.c: 1: it was switched to
                                      ACME_ALPN */
} acme_conn_t;

/** NULL without TLS, and before the hook pre_handshake. */
acme_conn_t *acme_conn_get(const conn_rec *c);

/** mod_ssl's SSL of a client's connection; NULL without TLS or after a
 *  handshake that failed. Valid from the hook pre_handshake on. */
SSL *acme_conn_ssl(conn_rec *c);

/** Register the hook that tells mod_ssl who staples. */
void acme_staple_register(apr_pool_t *p);

/** Register the hooks that let virtual hosts serve what is in their slots. */
void acme_cert_swap_register(apr_pool_t *p);

/* ------------------------------------------------------------ dump.c */

/** test_config: with -D DUMP_ACME, print the configuration as JSON. */
void acme_dump(apr_pool_t *pconf, server_rec *s);

/** The program that runs, an absolute path. */
const char *acme_httpd_path(apr_pool_t *p);

/** httpd's main file, absolute where the working directory is still the
 *  caller's. */
const char *acme_config_path(server_rec *s, apr_pool_t *p);

/* --------------------------------------------------------- manager.c */

/** post_config, first pass: remember what the second cannot find out. */
void acme_manager_prepare(server_rec *s);

/**
 * post_config, second pass and each restart, last: let the manager run, go
 * on, or end, as the configuration wants it. What fails is logged; httpd
 * starts.
 */
void acme_manager_start(server_rec *s, apr_pool_t *pconf);

/** Register the hook that starts it again after a crash. */
void acme_manager_register(apr_pool_t *p);

/* ----------------- view.c, status.c, status_json.c, metrics.c: being seen */

/** Tell the live segment what this start has loaded. Called in post_config,
 *  second pass only, after mod_ssl's. What fails is logged. */
void acme_view_start(server_rec *s, apr_pool_t *ptemp);

/** Register the section in server-status. */
void acme_status_register(apr_pool_t *p);

/** Register the handler acme-status. */
void acme_status_json_register(apr_pool_t *p);

/** Register the handler acme-metrics. */
void acme_metrics_register(apr_pool_t *p);

/* ---------------------------------------- http01.c, cert_files.c: hooks */

/**
 * How many hosts with the stand-in and names that require https there are:
 * 0 spares every request the two questions. Set in post_config, 0 again
 * when the configuration goes.
 */
extern int acme_answers;

/** Register the hooks that answer http-01 challenges. */
void acme_http01_register(apr_pool_t *p);

/**
 * Open the live segment and put it into acme_state_get()->live. Called in
 * post_config, second pass only, before mod_ssl's.
 *
 * @param s  the main server
 * @return APR_SUCCESS; else it has logged why, and the server starts
 *         without answering challenges
 */
apr_status_t acme_http01_start(server_rec *s, apr_pool_t *pconf);

/**
 * quick_handler's part for virtual hosts with the stand-in: 503 until their
 * first certificate is there. Called for requests that are no challenge.
 * @return HTTP_SERVICE_UNAVAILABLE or DECLINED
 */
int acme_standin_handle(request_rec *r, int lookup);

/** 1 if s is served with the stand-in, so that a client finds nothing, and
 *  no certificate has come since. Called in children. */
int acme_server_standin(server_rec *s);

/** A virtual host that depends on domain for its certificate, or NULL. */
server_rec *acme_domain_user(const acme_domain_t *domain);

/** Register the hooks that hand certificate files to mod_ssl. */
void acme_cert_files_register(apr_pool_t *p);

/**
 * Prepare the files that mod_ssl will be given (stand-ins where no
 * certificate exists yet). Called in post_config, second pass only, after
 * acme_http01_start and before mod_ssl's.
 *
 * @param s  the main server
 * @return APR_SUCCESS; else it has logged why, and the server starts
 */
apr_status_t acme_cert_files_start(server_rec *s, apr_pool_t *pconf);

/* ---------------------------------------------------- tlsalpn01.c */

/**
 * Let the hosts that the public port 443 can reach take tls-alpn-01
 * challenges. Called in post_config, second pass, after acme_http01_start.
 *
 * @param s  the main server
 */
void acme_tlsalpn01_start(server_rec *s, apr_pool_t *pconf);

/** Register the hooks that answer tls-alpn-01 challenges. */
void acme_tlsalpn01_register(apr_pool_t *p);

/* ------------------------------------------------- require_https.c */

/**
 * quick_handler's part for domains that require https. Called for requests
 * that are no challenge.
 * @return 307 or 308 with Location set; DECLINED
 */
int acme_require_https_handle(request_rec *r, int lookup);

/** Note which domains require it. Called in post_config, second pass. */
void acme_require_https_start(apr_pool_t *pconf);

#endif
