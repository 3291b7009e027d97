/*
 * validator: is what was asked for really served? A table of checks, each
 * a function with a name, a question and an answer, asked of a running
 * httpd over its own sockets, in children that have given up root.
 *
 * A name is met once on each of its addresses: TCP, TLS on those of https,
 * then "GET /". Most checks look at what was seen then. What a check needs
 * and lacks ("not asked: no TLS") makes its answer -1, so that one fault is
 * told once.
 *
 * A name that begins with "*." is asked for as one below it.
 */
#ifndef ACME_VALIDATOR_H
#define ACME_VALIDATOR_H

#include "base/base.h"

/** Where a server listens. */
typedef struct validator_address_t {
    const char *address;     /**< IP address; 0.0.0.0 and :: are asked on
                                  loopback */
    int port;
    int aside;               /**< 1: of http, beside the public port (8080):
                                  no redirect to https is expected there */
} validator_address_t;

/** What one name should be like. Borrowed. */
typedef struct validator_target_t {
    const char *name;            /**< as base_name_check wants it, "*."
                                      allowed */
    apr_array_header_t *http;    /**< of validator_address_t; may be empty */
    apr_array_header_t *https;   /**< of validator_address_t; empty: only
                                      "http" is of use, and tells whether
                                      http answers, and not with 5xx */
    const char *chain;           /**< nullable: PEM of the chain that was
                                      issued, or is configured */
    const char *key_type;        /**< nullable: "P-256", ...; of several
                                      certificates that of this type is
                                      asked for */
    const char *roots;           /**< nullable: PEM file of more trust roots
                                      (ACMECACertificateFile is not one) */
    int redirect;                /**< 1 wanted, 0 not wanted, -1 whatever */
    int hsts;                    /**< as redirect */
    int stapling;                /**< as redirect */
    int broken;                  /**< 1: GET / had no good answer before,
                                      so that https need not have one */
    int managed;                 /**< 1: mod_acme serves the host, so its
                                      challenges must be answered */
} validator_target_t;

/** An answer. */
typedef struct validator_check_t {
    const char *name;            /**< of the target */
    const char *check;           /**< of a row: "tcp", "tls", ... */
    int ok;                      /**< 1, 0, or -1: cannot be told, or does
                                      not apply */
    int required;                /**< 1: a run that changed something is
                                      undone when this is 0 */
    const char *detail;          /**< one sentence for people, printable, with
                                      the address it is about; of several
                                      addresses the first that failed */
} validator_check_t;

typedef struct validator_options_t {
    apr_interval_time_t timeout;  /**< of each conversation, µs */
    apr_interval_time_t deadline; /**< of all of it, µs: 16 names are asked
                                       at a time */
    apr_interval_time_t settle;   /**< behind a restart, µs: until then a
                                       name with a failure that counts is
                                       asked again, as old children may have
                                       answered; 0: what is seen counts */
    void (*progress)(void *baton, const char *name, const char *check);
    void *baton;
    const char *live;             /**< nullable: path of httpd's live segment;
                                       a token is put there for the time of
                                       the run, and managed hosts have to
                                       answer it */
} validator_options_t;

struct validator_ask_t;
struct validator_answer_t;

/** One row of the table, for --help and the manual. */
typedef struct validator_row_t {
    const char *check;
    const char *question;
    int required;                 /**< what a check's required is at first */
    void (*ask)(struct validator_ask_t *ask,
                struct validator_answer_t *answer);   /**< the room's own */
} validator_row_t;

/** How many rows there are. */
#define VALIDATOR_ROWS 13

/**
 * All checks in the order they are asked; ended by a NULL check.
 *
 *     tcp         each address of http and https takes connections
 *     tls         a handshake with the name succeeds
 *     protocol    TLS 1.2 or later; whether 1.0 and 1.1 are refused is told
 *     name        the certificate covers the name (RFC 9525)
 *     expiry      now lies in its validity
 *     chain       the chain served is the chain issued, byte for byte; -1
 *                 where that is not known
 *     verify      links, signatures and times are right up to a trust root of
 *                 the system or of target->roots; -1 where the root is not
 *                 known, 0 again for the stand-in of a managed host
 *     key-type    as wanted; not required
 *     http        https answers GET / no worse than http does, 5xx never
 *                 unless http is broken, too, or was so before (-1); -1 for
 *                 an answer that does not come in time where http only
 *                 redirects; goes in no circles
 *     redirect    wanted: http redirects / and a deep path with a query to
 *                 the same on https, which goes in no circles; not wanted: it
 *                 does not (not required)
 *     hsts        wanted: max-age > 0 on https, no header on http (the
 *                 latter not required); not wanted: none (not required)
 *     stapling    wanted: a good OCSP response comes within 5 s; required
 *                 only where the certificate demands it (must-staple)
 *     challenge   a managed host answers a token from the live segment by
 *                 http; without options->live -1 where it cannot be told
 */
const validator_row_t *validator_rows(void);

/**
 * Ask all checks of all targets.
 * Source: ours; 2014's Validator; RFC 9110, 6797, 6066 (8), 8555 (8.3).
 *
 * @param targets  of validator_target_t
 * @param pchecks  of validator_check_t, in the order of targets and rows;
 *                 what was not answered by the deadline failed
 * @return APR_SUCCESS whatever the answers are; APR_EGENERAL if a child
 *         could not be run, died or sent what is no answer; APR_EINVAL if a
 *         name holds what no host's does; base_file_read's for target->roots
 */
apr_status_t validator_run(apr_array_header_t **pchecks,
                           const apr_array_header_t *targets,
                           const validator_options_t *options,
                           acme_err_t *err, apr_pool_t *result_pool);

/** The first required check that failed; NULL: all is well. */
const validator_check_t *validator_failed(const apr_array_header_t *checks);

#endif
