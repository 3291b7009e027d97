/*
 * acme: the ACME protocol (RFC 8555), any number of orders at once.
 *
 * The engine speaks to CAs through an http transport and owns nothing: no
 * key, no file, no clock. What it needs it asks of its host, a vtable. In
 * production the host is on the other side of a socketpair (worker/); in
 * the unit tests it is scripted.
 *
 * One file per resource of RFC 8555 7.1; flow.c holds the table that
 * drives an order from state to state.
 *
 * Call order: acme_engine_make, acme_engine_ca for each CA,
 * acme_engine_order / _account / _revoke for each job, acme_engine_run.
 * CAs and jobs are numbered from 0 in the order in which they were added;
 * the host knows them by these numbers alone.
 */
#ifndef ACME_ACME_H
#define ACME_ACME_H

#include "base/base.h"
#include "http/http.h"
#include "schema/schema.h"

/** A CA and our account there. Borrowed by the engine until run returns. */
typedef struct acme_ca_t {
    const char *url;             /**< of the directory */
    const char *roots;           /**< nullable: PEM trust roots */
    int agreement;               /**< the admin accepts the CA's terms */
    apr_array_header_t *contact; /**< of const char *, mailto:; perhaps 0 */
    const char *account;         /**< nullable: account URL (the kid) */
    const json_t *directory;     /**< nullable: cached, still fresh */
} acme_ca_t;

/** One certificate to order. Borrowed until run returns. */
typedef struct acme_order_job_t {
    const char *name;                /**< for messages */
    apr_array_header_t *names;       /**< of const char *: identifiers */
    apr_array_header_t *challenges;  /**< of const char *: types, in order
                                          of preference */
    const json_t *resume;            /**< nullable: what order_save kept */
} acme_order_job_t;

/** RFC 5280 5.3.1 reason codes; ACME_REASON_NONE sends none. */
#define ACME_REASON_NONE (-1)

/** One certificate to revoke. Borrowed until run returns. */
typedef struct acme_revoke_job_t {
    const char *name;            /**< for messages */
    const char *certificate;     /**< base64url of the DER */
    int reason;                  /**< 0..10 or ACME_REASON_NONE */
    int by_certificate_key;      /**< 1: sign with the certificate's key
                                      (RFC 8555 7.6), no account needed */
} acme_revoke_job_t;

/** Which key signs, and how it is named in the protected header. */
typedef enum acme_signer_t {
    ACME_SIGN_ACCOUNT,       /**< account key, "kid" */
    ACME_SIGN_NEW_ACCOUNT,   /**< account key, "jwk" (newAccount) */
    ACME_SIGN_CERTIFICATE    /**< certificate's key, "jwk" (revokeCert) */
} acme_signer_t;

/** A request to be signed. Source: RFC 8555 6.2-6.5. */
typedef struct acme_sign_t {
    acme_signer_t signer;
    int ca;                  /**< number of the CA */
    int job;                 /**< number of the job; -1: the CA's own */
    const char *url;         /**< exact target */
    const char *nonce;
    const char *payload;     /**< JSON text; "" = POST-as-GET (6.3) */
} acme_sign_t;

/** How a job ended. */
typedef struct acme_result_t {
    acme_err_t err;                /**< status APR_SUCCESS: it succeeded */
    int requests;                  /**< HTTP requests made for this job */
    apr_interval_time_t elapsed;   /**< µs, from its first step */
    int replies;                   /**< those requests that were answered,
                                        however */
    apr_interval_time_t latency;   /**< µs the CA took for them together */
    apr_interval_time_t slowest;   /**< µs it took for one at most */
} acme_result_t;

/**
 * What the engine asks of its owner. Calls are synchronous and short; each
 * returns APR_SUCCESS or records err. The host decides again everything
 * that matters: which URLs are signed, which names get a CSR, which chain
 * is kept.
 */
typedef struct acme_host_t acme_host_t;
struct acme_host_t {
    /** The flattened JWS for a request. @param pjws in result_pool */
    apr_status_t (*sign)(acme_host_t *host, const acme_sign_t *sign,
                         const char **pjws, acme_err_t *err,
                         apr_pool_t *result_pool);
    /** The CSR of an order job: base64url of its DER. Asked again after a
     *  kill it answers the same. */
    apr_status_t (*csr)(acme_host_t *host, int job, const char **pcsr,
                        acme_err_t *err, apr_pool_t *result_pool);
    /** Be ready to answer a challenge until expires (µs UTC). Returns when
     *  the answer is really served, or APR_EAGAIN: the CA must not be told
     *  yet, ask again. Source: RFC 8555 8.1. */
    apr_status_t (*challenge_put)(acme_host_t *host, int job,
                                  const char *type, const char *identifier,
                                  const char *token, apr_time_t expires,
                                  acme_err_t *err);
    /** The challenge is over; absent is success. */
    apr_status_t (*challenge_remove)(acme_host_t *host, int job,
                                     const char *type, const char *token,
                                     acme_err_t *err);
    /** A directory was fetched: cache it (24 h). */
    apr_status_t (*directory_save)(acme_host_t *host, int ca,
                                   const json_t *directory, acme_err_t *err);
    /** An account was made or found: keep its URL and object. */
    apr_status_t (*account_save)(acme_host_t *host, int ca, const char *url,
                                 const json_t *account, acme_err_t *err);
    /** Keep where an order stands before the next step is made; NULL:
     *  forget it, with its unused key. Shape: schemas/state/order.json. */
    apr_status_t (*order_save)(acme_host_t *host, int job,
                               const json_t *state, acme_err_t *err);
    /** A chain was downloaded: check and keep it. */
    apr_status_t (*certificate_save)(acme_host_t *host, int job,
                                     const char *pem, apr_size_t len,
                                     acme_err_t *err);
    /** An OCSP responder answered about a certificate: check and keep that.
     *  The net worker asks this by itself, for jobs that are none of the
     *  engine's. Source: RFC 6960 3.2. */
    apr_status_t (*staple_save)(acme_host_t *host, int job,
                                const unsigned char *der, apr_size_t len,
                                acme_err_t *err);
    /** A job reached a step ("waiting for validation"), for people. */
    void (*progress)(acme_host_t *host, int job, const char *step);
    /** A job ended; called exactly once for each. */
    void (*done)(acme_host_t *host, int job, const acme_result_t *result);
};

/** Limits of an engine; 0 means the default in parentheses. */
typedef struct acme_options_t {
    int max_parallel;                     /**< orders per CA (20) */
    apr_interval_time_t order_deadline;   /**< µs per job (10 min) */
    apr_interval_time_t retry_after_max;  /**< longest Retry-After slept
                                               through (60 s); a longer one
                                               ends the job, retry_at set */
} acme_options_t;

typedef struct acme_engine_t acme_engine_t;

/** An engine. Everything given is borrowed until run returns. */
apr_status_t acme_engine_make(acme_engine_t **pengine,
                              http_transport_t *transport,
                              acme_host_t *host, base_clock_t *clock,
                              const schema_set_t *schemas,
                              const acme_options_t *options,
                              acme_err_t *err, apr_pool_t *result_pool);

/** Add a CA. @return its number */
int acme_engine_ca(acme_engine_t *engine, const acme_ca_t *ca);

/** Add an order. @return its job number */
int acme_engine_order(acme_engine_t *engine, int ca,
                      const acme_order_job_t *job);

/** Add the making (or finding) of the account; a CA with an account URL
 *  is asked for its present state. @return its job number */
int acme_engine_account(acme_engine_t *engine, int ca);

/** Add a revocation. @return its job number */
int acme_engine_revoke(acme_engine_t *engine, int ca,
                       const acme_revoke_job_t *job);

/**
 * Run every job to its end. A failing job does not disturb the others.
 * @return APR_SUCCESS when every job's done() was called, whatever their
 *         results; an error when the loop itself could not go on
 */
apr_status_t acme_engine_run(acme_engine_t *engine, acme_err_t *err);

/* ------------------------------------------------------------------ jws */

/** Sign bytes for acme_jws_make; baton is the caller's. */
typedef apr_status_t acme_jws_sign_fn(void *baton, const void *data,
                                      apr_size_t len, unsigned char **psig,
                                      apr_size_t *psig_len, acme_err_t *err,
                                      apr_pool_t *result_pool);

/**
 * A flattened JWS in JSON, for hosts that hold the key.
 * Source: RFC 7515 7.2.2; RFC 8555 6.2.
 *
 * @param alg  JWS algorithm of the key
 * @param kid  account URL; or NULL, then jwk is used
 * @param jwk  public key; used where kid is NULL
 */
apr_status_t acme_jws_make(const char **pjws, const acme_sign_t *sign,
                           const char *alg, const char *kid,
                           const json_t *jwk, acme_jws_sign_fn *fn,
                           void *baton, const schema_set_t *schemas,
                           acme_err_t *err, apr_pool_t *result_pool);

#endif
