/*
 * validator: is what was asked for really served? A table of checks, each
 * a function with a name, a question and an answer, asked of a running
 * httpd over its own sockets, in a child that has given up root.
 */
#ifndef ACME_VALIDATOR_H
#define ACME_VALIDATOR_H

#include "base/base.h"

/** Where a server listens. */
typedef struct validator_address_t {
    const char *address;     /**< IP address; 0.0.0.0 and :: are asked on
                                  loopback */
    int port;
} validator_address_t;

/** What one name should be like. Borrowed. */
typedef struct validator_target_t {
    const char *name;
    apr_array_header_t *http;    /**< of validator_address_t; may be empty */
    apr_array_header_t *https;   /**< of validator_address_t; not empty */
    const char *chain;           /**< nullable: PEM of the chain that was
                                      issued, or is configured */
    const char *key_type;        /**< nullable: "P-256", ... */
    const char *roots;           /**< nullable: PEM file of more trust roots
                                      (ACMECACertificateFile is not one) */
    int redirect;                /**< 1 wanted, 0 not wanted, -1 whatever */
    int hsts;                    /**< as redirect */
    int stapling;                /**< as redirect */
    int managed;                 /**< 1: mod_acme serves the host, so the
                                      challenge path must be free */
} validator_target_t;

/** An answer. */
typedef struct validator_check_t {
    const char *name;            /**< of the target */
    const char *check;           /**< "tcp", "tls", "chain", "name", ... */
    int ok;                      /**< 1, 0, or -1: cannot be told, or does
                                      not apply */
    int required;                /**< 1: a run that changed something is
                                      undone when this is 0 */
    const char *detail;          /**< one sentence for people */
} validator_check_t;

typedef struct validator_options_t {
    apr_interval_time_t timeout;  /**< of each conversation, µs */
    apr_interval_time_t deadline; /**< of all of it, µs */
    void (*progress)(void *baton, const char *name, const char *check);
    void *baton;
} validator_options_t;

/** One row of the table, for --help and the manual. */
typedef struct validator_row_t {
    const char *check;
    const char *question;
    int required;
} validator_row_t;

/** All checks in the order they are asked; ended by a NULL check. */
const validator_row_t *validator_rows(void);

/**
 * Ask all checks of all targets.
 * Source: ours; 2014's Validator; RFC 9110, 6797, 6066 (8), 8555 (8.3).
 *
 * @param targets  of validator_target_t
 * @param pchecks  of validator_check_t, in the order of targets and rows
 * @return APR_SUCCESS whatever the answers are; APR_EGENERAL if the child
 *         could not be run
 */
apr_status_t validator_run(apr_array_header_t **pchecks,
                           const apr_array_header_t *targets,
                           const validator_options_t *options,
                           acme_err_t *err, apr_pool_t *result_pool);

/** The first required check that failed; NULL: all is well. */
const validator_check_t *validator_failed(const apr_array_header_t *checks);

#endif
