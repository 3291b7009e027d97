/*
 * configurator: the web server's configuration files, as they are to be
 * edited: which virtual host serves a name, and what has to change so that
 * it speaks TLS.
 *
 *     configurator_probe      what httpd says of itself (DUMP_ACME)
 *          |
 *     configurator_names      all names that it serves by plain http
 *     configurator_choose     the host that httpd itself would choose
 *          |
 *     configurator_plan       an empty plan; then, in any order and number:
 *          |    configurator_deploy    the TLS twin of a host
 *          |    configurator_enhance   redirect, HSTS, stapling
 *          |    configurator_settings  what the whole server needs
 *          |    configurator_manage    modules, mod_acme, Listen
 *          v
 *     configurator_finish     proves the new texts, hands out the changes
 *          |                  (for journal_stage), the steps, the notes
 *     configurator_expect     after the test of the staged files: does httpd
 *                             read exactly what was planned?
 *
 * Testing, reloading and saving are the caller's, by the rooms httpd and
 * journal: nothing here writes.
 *
 * Idempotence: each planning call looks at what is there first. What is as
 * wished already adds nothing; a plan to which nothing was added has no
 * changes. Calls may name the same host or file again: texts of one plan
 * see each other.
 *
 * What is refused (macro, a text the lens cannot read, a generated file, a
 * snippet that several hosts share): BASE_EXIT_FAILED, one sentence with
 * file, line and reason, and configurator_paste has the text to paste by
 * hand.
 */
#ifndef ACME_CONFIGURATOR_H
#define ACME_CONFIGURATOR_H

#include "base/base.h"
#include "httpd/httpd.h"
#include "journal/journal.h"

/** A configuration, looked at. */
typedef struct configurator_t configurator_t;

/** Changes that are being thought out. */
typedef struct configurator_plan_t configurator_plan_t;

/** How it is found and what may be used. Borrowed. */
typedef struct configurator_options_t {
    const char *module;      /**< path of mod_acme.so */
    const apr_array_header_t *defines;  /**< nullable; const char *: httpd's
                                             -D */
} configurator_options_t;

/**
 * Look at a configuration.
 * Source: ours; 2014 IInstaller.prepare.
 *
 * @param config  borrowed for the configurator's life; a document that has
 *                passed schemas/state/config-dump.json
 * @return APR_SUCCESS; APR_EGENERAL if the lens cannot be loaded
 */
apr_status_t configurator_probe(configurator_t **pconfigurator,
                                const json_t *config,
                                const configurator_options_t *options,
                                acme_err_t *err, apr_pool_t *result_pool);

/* --------------------------------------------------------- names, hosts */

/** A host: an index into the document's "virtual_hosts", or the main
 *  server, where it serves requests itself. */
#define CONFIGURATOR_MAIN (-1)
typedef int configurator_host_t;

/** A name that is served by plain http. */
typedef struct configurator_name_t {
    const char *name;            /**< lower case, as a certificate has it */
    configurator_host_t host;    /**< who serves it on the http port */
    configurator_host_t tls;     /**< who serves it on the https port; -2:
                                      no TLS host has it */
    int managed;                 /**< 1: tls serves it with the certificate
                                      of an ACMEDomain */
    int certified;               /**< 1: with one of its own */
} configurator_name_t;
#define CONFIGURATOR_NONE (-2)

/** All names, as httpd -S tells them, sorted, each once; no patterns, no
 *  addresses, nothing that no CA would certify. Of configurator_name_t. */
apr_array_header_t *configurator_names(const configurator_t *c,
                                       apr_pool_t *result_pool);

/** "FILE:LINE", or "the main server". */
const char *configurator_place(const configurator_t *c,
                               configurator_host_t host, apr_pool_t *pool);

/** A host that could be meant, and why. */
typedef struct configurator_candidate_t {
    configurator_host_t host;
    const char *place;           /**< configurator_place */
    const char *why;             /**< one phrase for people */
} configurator_candidate_t;

/** Which host is meant by a name. */
typedef struct configurator_choice_t {
    const char *name;
    apr_array_header_t *hosts;       /**< of configurator_host_t: chosen; a
                                          name may have one per address */
    apr_array_header_t *candidates;  /**< of configurator_candidate_t; where
                                          a question is open, else all that
                                          were weighed */
} configurator_choice_t;

/**
 * The http hosts that answer for a name, by httpd's own matching: address
 * before wildcard, ServerName and ServerAlias in order of definition.
 * Source: httpd's server/vhost.c; ours.
 *
 * @param answer  nullable: "FILE:LINE" of --vhost
 * @return APR_SUCCESS; APR_INCOMPLETE if a question is open (candidates;
 *         err says it in one sentence, with BASE_EXIT_USAGE); APR_ENOENT if
 *         nobody has the name, candidates may hold the default host
 */
apr_status_t configurator_choose(configurator_choice_t *choice,
                                 const configurator_t *c, const char *name,
                                 const char *answer, acme_err_t *err,
                                 apr_pool_t *result_pool);

/* ----------------------------------------------------------------- plan */

/** An empty plan. */
apr_status_t configurator_plan(configurator_plan_t **pplan,
                               configurator_t *c, acme_err_t *err,
                               apr_pool_t *result_pool);

/** What a TLS host is to serve. */
typedef struct configurator_deploy_t {
    configurator_host_t host;          /**< the http host */
    apr_array_header_t *names;         /**< const char *: of the
                                            certificate, the first names it */
    const char *certificate;           /**< nullable: SSLCertificateFile and */
    const char *key;                   /**< SSLCertificateKeyFile besides
                                            ACMEDomain: httpd serves the
                                            files, not the module */
    int port;                          /**< of TLS; 0: the port map's */
    int replace;                       /**< 1: take the place of another
                                            certificate where a TLS host has
                                            one */
} configurator_deploy_t;

/**
 * Plan that host serves names over TLS: its twin directly behind it, or
 * the certificate in the TLS host that is there already.
 * Source: ours; 2014 deploy_cert, make_vhost_ssl.
 *
 * @param presult  set: 1 something is to be done, 0 it is so already
 * @return APR_SUCCESS; APR_ENOTIMPL if it is refused (see above);
 *         APR_EEXIST if a TLS host has these names with a certificate of
 *         its own and replace is 0
 */
apr_status_t configurator_deploy(configurator_plan_t *plan, int *presult,
                                 const configurator_deploy_t *deploy,
                                 acme_err_t *err);

typedef enum configurator_enhancement_t {
    CONFIGURATOR_REDIRECT,       /**< ACMERequireHTTPS in the http host */
    CONFIGURATOR_HSTS,           /**< Strict-Transport-Security, RFC 6797 */
    CONFIGURATOR_STAPLING        /**< SSLUseStapling, and the cache */
} configurator_enhancement_t;

/**
 * Plan one enhancement of the hosts of a name, on or off. Taken away is
 * what the host's own text says, whoever wrote it.
 *
 * @param host     the http host; its TLS twin is found by the names, also
 *                 one that this plan makes
 * @param presult  as with deploy
 * @return APR_SUCCESS; APR_ENOTIMPL; APR_ENOENT if there is no TLS host
 */
apr_status_t configurator_enhance(configurator_plan_t *plan, int *presult,
                                  configurator_host_t host, const char *name,
                                  configurator_enhancement_t what, int on,
                                  acme_err_t *err);

/** Directives for the whole server; what is NULL or 0 is left as it is. */
typedef struct configurator_settings_t {
    int agreement;                   /**< 1: ACMEAgreement accepted */
    const char *ca;                  /**< ACMECertificateAuthority */
    const char *ca_certificate_file; /**< ACMECACertificateFile */
    const char *contact;             /**< ACMEContact */
} configurator_settings_t;

/** Plan them, where the server does not say the same already. */
apr_status_t configurator_settings(configurator_plan_t *plan, int *presult,
                                   const configurator_settings_t *settings,
                                   acme_err_t *err);

/**
 * Plan what the hosts of this plan need of the server: modules loaded the
 * way the system does it, mod_acme itself, a Listen for each TLS port that
 * nothing listens on. Called last; it knows what deploy and enhance asked
 * for.
 *
 * @return APR_SUCCESS; APR_ENOENT if a module's file is not installed (the
 *         sentence names the package); EADDRINUSE if another program
 *         holds the port (named where it can be seen)
 */
apr_status_t configurator_manage(configurator_plan_t *plan, int *presult,
                                 acme_err_t *err);

/** What a finished plan is. */
typedef struct configurator_result_t {
    apr_array_header_t *changes;   /**< of journal_change_t, in the order in
                                        which they may go live; empty:
                                        nothing to do */
    apr_array_header_t *early;     /**< of journal_change_t: those that must
                                        be live before a certificate can be
                                        issued (mod_acme loaded, settings);
                                        empty: httpd can do it as it is.
                                        Their paths are in changes as well,
                                        with all that is to be done there */
    apr_array_header_t *steps;     /**< of const char *: sentences for
                                        --plan and the checkpoint's notes */
    apr_array_header_t *warnings;  /**< of const char *: what the admin
                                        should look at (WSGI, rewrites left
                                        out, names not covered) */
} configurator_result_t;

/**
 * End a plan: each new text is parsed again by the lens and equals the
 * expected tree, and every byte outside the splices is as it was.
 * Source: ours.
 *
 * @return APR_SUCCESS; APR_EGENERAL if the proof fails: nothing may be
 *         written
 */
apr_status_t configurator_finish(configurator_result_t *result,
                                 configurator_plan_t *plan, acme_err_t *err,
                                 apr_pool_t *result_pool);

/** The text to paste by hand for what was refused last; NULL: none. */
const char *configurator_paste(const configurator_plan_t *plan);

/**
 * Is this what was planned? All hosts of before are there in the same
 * order, with the same names, addresses and default hosts; besides them
 * the planned twins and nothing else.
 * Source: ours.
 *
 * @param after  the document with the changes in place
 * @return APR_SUCCESS; APR_EGENERAL with the first difference
 */
apr_status_t configurator_expect(const configurator_plan_t *plan,
                                 const json_t *after, acme_err_t *err,
                                 apr_pool_t *scratch_pool);

/**
 * Are the ports that httpd is to listen on after, and not before, still
 * free? Asked again right before a restart: httpd ends where one is not.
 * Source: ours.
 *
 * @param before, after  documents; before is what the httpd that runs has
 *                       read
 * @return APR_SUCCESS; EADDRINUSE, as configurator_manage
 */
apr_status_t configurator_ports(const json_t *before, const json_t *after,
                                acme_err_t *err, apr_pool_t *scratch_pool);

#endif
