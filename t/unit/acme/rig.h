/*
 * rig.h: a CA, a host and a clock for the tests of acme/.
 *
 * The CA is a small honest ACME server behind the transport vtable; rules
 * make it misbehave at chosen requests. The host records what it is asked.
 * Time stands still except in wait(), so that every test is exact.
 *
 * Resources, as rules and log name them: dir nonce new-account acct
 * new-order order authz chall finalize cert revoke; "?" is none of them.
 */
#ifndef ACME_RIG_H
#define ACME_RIG_H

#include "unit.h"

#include "acme/acme.h"

#define RIG_URL   "https://ca.example/dir"
#define RIG_WALL  apr_time_from_sec(1795460400)  /* 2026-11-23T19:00:00Z */
#define RIG_JOBS  256
#define URN       "urn:ietf:params:acme:error:"

/** What the CA does otherwise than usual. A table ends with an empty one. */
typedef struct rig_rule_t {
    const char *on;            /**< resource */
    int from;                  /**< first request that it is for; 0 = 1 */
    int to;                    /**< last one; 0 = no end */
    int status;                /**< HTTP status; 0: the usual reply */
    const char *type;          /**< problem of that type, behind URN */
    const char *body;          /**< nullable: instead of the usual one */
    const char *content_type;  /**< nullable */
    const char *patch;         /**< nullable: JSON laid over the usual one */
    const char *retry_after;   /**< nullable */
    const char *location;      /**< nullable; "" = none */
    const char *nonce;         /**< nullable; "" = none */
    int down;                  /**< cannot be reached */
    int untrusted;             /**< shows an untrusted certificate */
    int silent;                /**< never answers */
    int timeup;                /**< with down: because its time ran out */
} rig_rule_t;

/** An order at the CA. */
typedef struct rig_order_t {
    char names[4][64];
    const char *authz[4];      /**< statuses */
    int count;
    const char *status;
    int looks;                 /**< since its status changed */
    int account;
} rig_order_t;

typedef struct rig_t {
    http_transport_t transport;       /* first: the transport is the rig */
    acme_host_t host;
    apr_pool_t *pool;
    base_clock_t *clock;
    schema_set_t *schemas;
    acme_ca_t ca;
    acme_options_t options;

    /* The CA's ways. */
    const rig_rule_t *rules;          /**< nullable */
    apr_interval_time_t round_trip;   /**< µs */
    int nonce_reject;                 /**< per cent, by a fixed sequence */
    int looks_pending;                /**< looks until a look finds ready */
    int looks_processing;             /**< … until a look finds valid */
    const char *retry_after;          /**< in replies to looks; nullable */
    const char *offers;               /**< challenge types, space between */
    const char *error;                /**< validation error type; nullable */
    int error_orders;                 /**< only in so many orders; 0: all */
    int valid_at_once;                /**< orders need no validation */
    int no_terms;                     /**< has no terms of service */
    const char *order_base;           /**< origin of URLs in orders */

    /* The CA's books. */
    rig_order_t orders[RIG_JOBS];
    int order_count;
    int account_count;
    int accounts_alive_from;          /**< older accounts are forgotten */
    apr_array_header_t *nonces;       /**< valid ones, of const char * */
    int nonce_serial;
    unsigned int seed;
    int count_of[16];                 /**< requests by resource */
    int quiet;                        /**< writes no log */
    char *log;                        /**< resources in order of arrival */
    int open_now, open_max;           /**< orders without a certificate */
    int bad_requests;                 /**< badly signed or unsigned ones */

    /* On their way. */
    apr_array_header_t *replies;
    int flying, flying_max;

    /* The host's books. */
    const char *fail;                 /**< host call that fails; nullable */
    int fail_from;                    /**< at which call of it; 0 = 1 */
    apr_status_t fail_status;
    int kill_at;                      /**< dies behind that order_save */
    int killed;
    int saves, forgets;               /**< order_save with and without */
    json_t *saved[RIG_JOBS];          /**< kept state; NULL = none */
    const char *account;              /**< saved URL */
    int directories;                  /**< directory_save calls */
    int puts, removes, challenges_up;
    char *types;                      /**< of the challenges that were put */
    int puts_again;                   /**< calls that ask for another */
    apr_table_t *late;                /**< identifiers they were for */
    int certificates;
    int done_count[RIG_JOBS];
    acme_result_t results[RIG_JOBS];
    char *steps;                      /**< progress texts */
} rig_t;

/** The host's calls; they find their rig by the host's address. */
extern const acme_host_t rig_host;

/** A rig with an honest CA that knows no account yet. */
rig_t *rig_make(apr_pool_t *p);

/** The CA has an account of ours and we know it and the directory. */
void rig_known(rig_t *rig);

/** An order job for names separated by blanks, http-01 only. */
acme_order_job_t *rig_job(rig_t *rig, const char *names);

/** An engine with the rig's CA. */
acme_engine_t *rig_engine(rig_t *rig);

/** Order names (one job) and run. @return the job's result */
const acme_result_t *rig_order(rig_t *rig, const char *names);

/** The same with a table of rules. */
const acme_result_t *rig_order_rules(rig_t *rig, const char *names,
                                     const rig_rule_t *rules);

/** Assert that a job succeeded / ended with this exit status and says
 *  text. */
void rig_ok(const acme_result_t *result);
void rig_fails(const acme_result_t *result, base_exit_t status,
               const char *text);

/** Run an engine whose jobs the test added itself. */
void rig_run(rig_t *rig, acme_engine_t *engine);

/** Requests the CA got for a resource. */
int rig_count(const rig_t *rig, const char *resource);

/** µs since the rig was made. */
apr_time_t rig_elapsed(const rig_t *rig);

#endif
