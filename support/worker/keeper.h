/* worker: what the files of the keeper share. */
#ifndef ACME_WORKER_KEEPER_H
#define ACME_WORKER_KEEPER_H

#include <apr_hash.h>

#include "acme_live.h"
#include "worker/worker.h"

/** Our account at a CA, read when it is first needed. */
typedef struct keeper_account_t {
    crypto_key_t *key;
    char *url;                 /**< NULL until it was made in this run */
    const char *thumbprint;
} keeper_account_t;

struct keeper_t {
    acme_host_t host;                /**< first: they are cast */
    keeper_options_t options;
    keeper_account_t *accounts;      /**< one a CA */
    keeper_outcome_t *outcomes;      /**< one a job */
    char **order_urls;               /**< one a job: of the kept order */
    live_writer_t *live;             /**< opened when first needed */
    crypto_key_t *alpn_keys[LIVE_ANSWER_TYPES];  /**< of keeper_alpn.c */
    apr_hash_t *holders;             /**< of keeper_alpn.c: by name */
    apr_pool_t *pool;                /**< nothing that a call could repeat */
};

/** Largest URL, with its NUL: base_url_check's limit. */
#define KEEPER_URL_SIZE 2049

#define KEEPER(h) ((keeper_t *)(h))

/** A CA of the plan. */
const acme_ca_t *keeper_ca(const keeper_t *keeper, int ca);

/** A job of the plan. */
const worker_job_t *keeper_job(const keeper_t *keeper, int job);

/** Keep url in *pkept, which is allocated once, whatever it was.
 *  @param url  nullable, shorter than KEEPER_URL_SIZE */
void keeper_url_keep(keeper_t *keeper, char **pkept, const char *url);

/* ------------------------------------------------------ keeper_account.c */

/** The account at a CA with its key, which is made where there is none. */
apr_status_t keeper_account(keeper_t *keeper, int ca,
                            keeper_account_t **paccount, acme_err_t *err);

/* --------------------------------------------------------- keeper_sign.c */

/** acme_host_t.sign: for URLs of the CA's own origin alone. */
apr_status_t keeper_sign(acme_host_t *host, const acme_sign_t *sign,
                         const char **pjws, acme_err_t *err,
                         apr_pool_t *result_pool);

/* -------------------------------------------------------- keeper_order.c */

/** acme_host_t.csr: the names of the plan, a key of our own. */
apr_status_t keeper_csr(acme_host_t *host, int job, const char **pcsr,
                        acme_err_t *err, apr_pool_t *result_pool);

/** Refuse a CSR from outside that is made with the account's key; success
 *  where job has none. Source: RFC 8555 11.1. */
apr_status_t keeper_csr_check(keeper_t *keeper, int job, acme_err_t *err,
                              apr_pool_t *scratch_pool);

/** acme_host_t.challenge_put: names and challenge types of the plan. */
apr_status_t keeper_challenge_put(acme_host_t *host, int job,
                                  const char *type,
                                  const char *identifier,
                                  const char *token,
                                  apr_time_t expires, acme_err_t *err);

/** acme_host_t.challenge_remove. */
apr_status_t keeper_challenge_remove(acme_host_t *host, int job,
                                     const char *type,
                                     const char *token,
                                     acme_err_t *err);

/* --------------------------------------------------------- keeper_alpn.c */

/**
 * Let httpd prove control of name by tls-alpn-01; keeper->live is open.
 * @param name     one of the job's
 * @param token    of at most LIVE_TOKEN_MAX characters
 * @return APR_EAGAIN while another job does; as live_writer_name_put, with
 *         err set unless the segment failed
 */
apr_status_t keeper_alpn_put(keeper_t *keeper, int job, const char *name,
                             const char *token, const char *keyauth,
                             apr_time_t expires, acme_err_t *err);

/** The job's challenge with this token is over. */
apr_status_t keeper_alpn_remove(keeper_t *keeper, int job,
                                const char *token);

/* --------------------------------------------------------- keeper_save.c */

/** acme_host_t.directory_save. */
apr_status_t keeper_directory_save(acme_host_t *host, int ca,
                                   const json_t *directory,
                                   acme_err_t *err);

/** acme_host_t.account_save: URLs of the CA's own origin alone. */
apr_status_t keeper_account_save(acme_host_t *host, int ca,
                                 const char *url,
                                 const json_t *account,
                                 acme_err_t *err);

/** acme_host_t.order_save. */
apr_status_t keeper_order_save(acme_host_t *host, int job,
                               const json_t *state, acme_err_t *err);

/* --------------------------------------------------------- keeper_live.c */

/** Open the live segment as keeper->live, once.
 *  @param what  what httpd is to be told of: "the challenge" */
apr_status_t keeper_live_open(keeper_t *keeper, const char *what,
                              acme_err_t *err);

/** Let httpd serve the certificate that job has just stored, from now on if
 *  it can: sets the outcome's live. Failing is no fault, httpd reads the
 *  store when it is restarted.
 *  @param leaf  the certificate */
void keeper_live_serve(keeper_t *keeper, int job, const crypto_cert_t *leaf,
                       apr_pool_t *scratch_pool);

/* ------------------------------------------------------ keeper_staple.c */

/** acme_host_t.staple_save: a response that is to be believed and says
 *  "good". */
apr_status_t keeper_staple_save(acme_host_t *host, int job,
                                const unsigned char *der, apr_size_t len,
                                acme_err_t *err);

/* -------------------------------------------------- keeper_certificate.c */

/** acme_host_t.certificate_save: a chain that fits key, names, dates. */
apr_status_t keeper_certificate_save(acme_host_t *host, int job,
                                     const char *pem, apr_size_t len,
                                     acme_err_t *err);

#endif
