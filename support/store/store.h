/*
 * store: accounts, keys, certificates, unfinished orders and the ledger,
 * as files below ACMEStoreDir. LAYOUT beside this file draws them.
 *
 * Keys are PEM text here; nobody in this room looks inside. Every write is
 * atomic, every key 0600 from its first byte. Reading needs no lock;
 * writing needs store_lock.
 */
#ifndef ACME_STORE_H
#define ACME_STORE_H

#include "base/base.h"

/** An open store. Holds paths only. */
typedef struct store_t store_t;

/** The number behind "acme-store" in STORE/format. */
#define STORE_FORMAT 1

/**
 * Open a store.
 * Source: ours (LAYOUT).
 *
 * @param dir     absolute path
 * @param create  1: make what is missing
 * @return APR_SUCCESS; APR_ENOENT when it is absent and create is 0;
 *         APR_EACCES when its owner or mode let others in; APR_EINVAL for
 *         a format number of another version
 */
apr_status_t store_open(store_t **pstore, const char *dir, int create,
                        acme_err_t *err, apr_pool_t *result_pool);

/** Become the one writer until pool is cleared (base_lock_take), and prove
 *  by a written and removed file that there is room, before any CA is
 *  asked. What a killed writer left half-done is removed (sweep.c). */
apr_status_t store_lock(store_t *store, const char *holder,
                        apr_interval_time_t wait, acme_err_t *err,
                        apr_pool_t *pool);

/** The directory given to store_open. */
const char *store_dir(const store_t *store);

/* -------------------------------------------------------------- accounts */

/**
 * The account kept for a CA.
 * Source: ours (schemas/state/account.json).
 *
 * @param ca  directory URL
 * @return APR_ENOENT if there is none; APR_EINVAL if the folder belongs to
 *         another directory URL or its file is damaged
 */
apr_status_t store_account_read(json_t **paccount, const store_t *store,
                                const char *ca, acme_err_t *err,
                                apr_pool_t *result_pool);

/** Keep account for ca; its "directory" must be ca. */
apr_status_t store_account_write(store_t *store, const char *ca,
                                 const json_t *account, acme_err_t *err,
                                 apr_pool_t *scratch_pool);

/** Directory URLs of all accounts, sorted, of const char *. */
apr_status_t store_account_list(apr_array_header_t **pcas,
                                const store_t *store, acme_err_t *err,
                                apr_pool_t *result_pool);

/** The account's key, PEM. @return APR_ENOENT if there is none */
apr_status_t store_account_key_read(char **ppem, apr_size_t *plen,
                                    const store_t *store, const char *ca,
                                    acme_err_t *err, apr_pool_t *result_pool);

/** Keep the account's key; an existing one is never overwritten
 *  (APR_EEXIST). */
apr_status_t store_account_key_write(store_t *store, const char *ca,
                                     const char *pem, apr_size_t len,
                                     acme_err_t *err,
                                     apr_pool_t *scratch_pool);

/** The cached directory of a CA and when it was fetched.
 *  @return APR_ENOENT if there is none */
apr_status_t store_directory_read(json_t **pdirectory, apr_time_t *pfetched,
                                  const store_t *store, const char *ca,
                                  acme_err_t *err, apr_pool_t *result_pool);

/** Cache a CA's directory, fetched now. */
apr_status_t store_directory_write(store_t *store, const char *ca,
                                   const json_t *directory, apr_time_t now,
                                   acme_err_t *err, apr_pool_t *scratch_pool);

/* ---------------------------------------------------------- certificates */

/** The id of a certificate: the domain's name for the first of its key
 *  types, NAME~TYPE (lower case) for each further one. */
const char *store_certificate_id(const char *name, const char *key_type,
                                 int first, apr_pool_t *pool);

/** A certificate to be kept. Texts are PEM. */
typedef struct store_certificate_t {
    const json_t *meta;       /**< schemas/state/certificate.json */
    const char *cert;         /**< the leaf */
    const char *chain;        /**< the rest; perhaps "" */
    const char *key;          /**< nullable: the key is kept elsewhere */
} store_certificate_t;

/** The current generation's meta.json. @return APR_ENOENT if there is none */
apr_status_t store_certificate_meta(json_t **pmeta, const store_t *store,
                                    const char *id, acme_err_t *err,
                                    apr_pool_t *result_pool);

/** Keep a new generation and make it current by one rename; generations
 *  older than the last three are removed. */
apr_status_t store_certificate_write(store_t *store, const char *id,
                                     const store_certificate_t *certificate,
                                     acme_err_t *err,
                                     apr_pool_t *scratch_pool);

/** The number of the current generation. @return APR_ENOENT if there is
 *  none */
apr_status_t store_certificate_generation(unsigned long *pnumber,
                                          const store_t *store,
                                          const char *id, acme_err_t *err,
                                          apr_pool_t *scratch_pool);

/** Replace the current generation's meta.json. */
apr_status_t store_certificate_meta_write(store_t *store, const char *id,
                                          const json_t *meta,
                                          acme_err_t *err,
                                          apr_pool_t *scratch_pool);

/** Keep an OCSP response (DER) beside the current generation, in the place
 *  of the last one. */
apr_status_t store_certificate_staple_write(store_t *store, const char *id,
                                            const char *der, apr_size_t len,
                                            acme_err_t *err,
                                            apr_pool_t *scratch_pool);

/** A file of the current generation ("cert.pem"), for reading.
 *  @return APR_ENOENT if there is none */
apr_status_t store_certificate_file(char **ptext, apr_size_t *plen,
                                    const store_t *store, const char *id,
                                    const char *file, acme_err_t *err,
                                    apr_pool_t *result_pool);

/** Absolute path of a file of the current generation ("cert.pem"). */
const char *store_certificate_path(const store_t *store, const char *id,
                                   const char *file, apr_pool_t *pool);

/* ---------------------------------------------------------------- orders */

/** The state of id's unfinished order (schemas/state/order.json).
 *  @return APR_ENOENT if it has none */
apr_status_t store_order_read(json_t **pstate, const store_t *store,
                              const char *id, acme_err_t *err,
                              apr_pool_t *result_pool);

/** The key that its CSR is made with, PEM. @return APR_ENOENT if none was
 *  made yet */
apr_status_t store_order_key_read(char **ppem, apr_size_t *plen,
                                  const store_t *store, const char *id,
                                  acme_err_t *err, apr_pool_t *result_pool);

/** Keep the state of id's order. */
apr_status_t store_order_write(store_t *store, const char *id,
                               const json_t *state, acme_err_t *err,
                               apr_pool_t *scratch_pool);

/** Keep the key of id's order. */
apr_status_t store_order_key_write(store_t *store, const char *id,
                                   const char *pem, apr_size_t len,
                                   acme_err_t *err, apr_pool_t *scratch_pool);

/** Forget id's order and its key; absent is success. */
apr_status_t store_order_remove(store_t *store, const char *id,
                                acme_err_t *err, apr_pool_t *scratch_pool);

/* ---------------------------------------------------- ledger and config */

/** Failures and waits (schemas/state/ledger.json); an absent one reads as
 *  an empty one. */
apr_status_t store_ledger_read(json_t **pledger, const store_t *store,
                               acme_err_t *err, apr_pool_t *result_pool);

/** Replace the ledger. */
apr_status_t store_ledger_write(store_t *store, const json_t *ledger,
                                acme_err_t *err, apr_pool_t *scratch_pool);

/** The last good document of DUMP_ACME, not checked.
 *  @return APR_ENOENT if none is kept */
apr_status_t store_config_read(json_t **pconfig, const store_t *store,
                               acme_err_t *err, apr_pool_t *result_pool);

/** Remember that httpd may have loaded files that are being put back, until
 *  store_reload_done: who does that may be killed.
 *  @param restored  1: they are back, and httpd alone has not heard */
apr_status_t store_reload_due(store_t *store, int restored, acme_err_t *err,
                              apr_pool_t *scratch_pool);

/** 1 if that is remembered. */
int store_reload_is_due(const store_t *store, apr_pool_t *scratch_pool);

/** Since when, µs UTC; 0: it is not. @param prestored  set, as it was said */
apr_time_t store_reload_since(const store_t *store, int *prestored,
                              apr_pool_t *scratch_pool);

/** httpd has loaded the files as they are, or does not run. */
apr_status_t store_reload_done(store_t *store, acme_err_t *err,
                               apr_pool_t *scratch_pool);

/** Keep the last good document of DUMP_ACME, byte for byte as httpd told it;
 *  nothing is written where it is kept already. */
apr_status_t store_config_write(store_t *store, const char *text,
                                apr_size_t len, acme_err_t *err,
                                apr_pool_t *scratch_pool);

#endif
