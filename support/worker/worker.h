/*
 * worker: the two processes that share a run.
 *
 *     keeper (root)                         net worker (nobody)
 *       keys, store, live segment             libcurl, JSON of strangers
 *       acme_host_t: keeper.c   <--frames-->  acme_host_t: proxy.c
 *                                             the engine of acme/
 *
 * worker_run() forks the net worker before the keeper has read any key. The
 * worker gives up its privileges, every descriptor but its socket, and the
 * right to gain privileges again; it runs the engine and asks the keeper
 * for whatever the engine asks its host. The keeper decides again: it signs
 * only URLs of the CA's own origin, makes CSRs only for the names of the
 * plan, and keeps a chain only if it fits key, names and dates.
 *
 * A frame is a length (uint32_t, host order) and that many bytes of JSON:
 * {"call": NAME, …} from the worker, {"status": n, …} back. progress, done
 * and end are not answered.
 */
#ifndef ACME_WORKER_H
#define ACME_WORKER_H

#include "acme/acme.h"
#include "base/base.h"
#include "crypto/crypto.h"
#include "store/store.h"

/** Who talks to strangers, and runs the programs of administrators. */
#define WORKER_USER "nobody"

/** What a job does. */
typedef enum worker_kind_t {
    WORKER_ORDER, WORKER_ACCOUNT, WORKER_REVOKE, WORKER_OCSP
} worker_kind_t;

/** One question to an OCSP responder. */
typedef struct worker_ocsp_job_t {
    const char *url;             /**< http or https */
    const char *request;         /**< DER */
    apr_size_t request_len;      /**< bytes */
} worker_ocsp_job_t;

/** One job; its number is its place in worker_plan_t.jobs. */
typedef struct worker_job_t {
    worker_kind_t kind;
    int ca;                      /**< index into worker_plan_t.cas */
    acme_order_job_t order;      /**< where kind is WORKER_ORDER */
    acme_revoke_job_t revoke;    /**< where kind is WORKER_REVOKE */
    worker_ocsp_job_t ocsp;      /**< where kind is WORKER_OCSP */
} worker_job_t;

/** All that one run asks of CAs; or, where the jobs are of WORKER_OCSP, of
 *  OCSP responders and nobody else. Borrowed by worker_run. */
typedef struct worker_plan_t {
    apr_array_header_t *cas;     /**< of acme_ca_t */
    apr_array_header_t *jobs;    /**< of worker_job_t */
    const char *user_agent;
    const char *user;            /**< WORKER_USER: who the net worker
                                      becomes; ignored
                                      where the keeper is not root */
    acme_options_t options;
} worker_plan_t;

/**
 * Run a plan: fork the net worker, serve it until every job is done, reap
 * it. host->done() is called once for each job, also when the worker died.
 * Source: ours.
 *
 * @param host  called in this process only
 * @return APR_SUCCESS when the worker ended in order, whatever its jobs'
 *         results; otherwise what went wrong with the worker
 */
apr_status_t worker_run(const worker_plan_t *plan, acme_host_t *host,
                        acme_err_t *err, apr_pool_t *scratch_pool);

/**
 * End the net worker of a worker_run that is under way, and every later
 * one as soon as it begins; each unfinished job is reported as failed. May
 * be called by a signal handler.
 */
void worker_stop(void);

/** 1 after worker_stop: failures of this run say nothing about a CA. */
int worker_stopped(void);

/* ---------------------------------------------------------------- keeper */

/** The host of production: keys, store and live segment of one run. */
typedef struct keeper_t keeper_t;

/** What the keeper knows of a job beyond the plan. */
typedef struct keeper_job_t {
    const char *id;                  /**< certificate id in the store;
                                          nullable for other jobs */
    const char *key_type;            /**< "P-256" …; of new keys */
    const char *csr;                 /**< nullable: DER from outside … */
    apr_size_t csr_len;              /**< … bytes; then no key is kept */
    const char *revoke_key_file;     /**< nullable: file of the key that
                                          signs a revocation … */
    const crypto_key_t *revoke_public; /**< … and its public half, from the
                                          certificate */
    int must_staple;                 /**< 1: the CSR asks for the TLS
                                          feature extension (RFC 7633) */
    int dry_run;                     /**< 1: check the chain, keep nothing */
    const apr_array_header_t *chain; /**< of crypto_cert_t *: whom a
                                          responder is asked about … */
    unsigned long generation;        /**< … and its number in the store */
    int publish;                     /**< 1: it may wait for its response:
                                          publish it with that … */
    keeper_t *publisher;             /**< … nullable: by the keeper that has
                                          issued it … */
    int publisher_job;               /**< … as this job */
} keeper_job_t;

/** How a job ended, filled by the run. */
typedef struct keeper_outcome_t {
    int done;                        /**< 1: result is set */
    acme_result_t result;
    int live;                        /**< 1: the httpd that runs serves the
                                          certificate; 0: it does when it
                                          has been restarted */
    int deferred;                    /**< 1: the certificate is stored, and
                                          waits for its OCSP response or
                                          keeper_publish to be served */
    int believed;                    /**< 1: an OCSP response came that can
                                          be believed, … */
    crypto_ocsp_t ocsp;              /**< … whatever it says */
} keeper_outcome_t;

/** What a keeper needs. Borrowed. */
typedef struct keeper_options_t {
    const worker_plan_t *plan;
    const keeper_job_t *jobs;        /**< as many as plan->jobs */
    store_t *store;                  /**< locked */
    const schema_set_t *schemas;
    base_clock_t *clock;
    const char *live;                /**< nullable: the live segment */
    /** Called at each step of a job; nullable. */
    void (*progress)(void *baton, int job, const char *step);
    /** Called when the answer to a challenge is served; nullable.
     *  @return APR_SUCCESS; else the CA is not told yet, and it is called
     *          again */
    apr_status_t (*presented)(void *baton, int job, const char *type,
                              const char *identifier);
    /** Called at each end of a job, outcome set; nullable. */
    void (*ended)(void *baton, int job);
    void *baton;
} keeper_options_t;

/**
 * A keeper. It reads an account's key when it first signs, so that it can
 * be made before the net worker is forked.
 */
keeper_t *keeper_make(const keeper_options_t *options,
                      apr_pool_t *result_pool);

/** The host to give to worker_run. */
acme_host_t *keeper_host(keeper_t *keeper);

/** Let httpd serve the certificate of a job that the store has, from now on
 *  if it can; sets the outcome's live. What fails is logged. */
void keeper_publish(keeper_t *keeper, int job, apr_pool_t *scratch_pool);

/**
 * Make the job that asks the OCSP responder of a certificate in the store.
 * Source: RFC 5280 4.2.2.1 (who that is).
 *
 * @param wj, kj  filled; everything in them lives in result_pool
 * @return APR_ENOENT if there is no such certificate; APR_ENOTIMPL if it
 *         names no responder; APR_EINVAL for a URL that is none
 */
apr_status_t keeper_staple_job(worker_job_t *wj, keeper_job_t *kj,
                               const store_t *store, const char *id,
                               acme_err_t *err, apr_pool_t *result_pool);

/** How job ended. */
const keeper_outcome_t *keeper_outcome(const keeper_t *keeper, int job);

#endif
