/*
 * pair: a certificate file and its key file. See also
 * cert_parse.h.
 */
#ifndef ACME_PAIR_H
#define ACME_PAIR_H

#include <apr_pools.h>

/** Checks pairs one after the other; what is costly to make is kept. */
typedef struct acme_pair_t acme_pair_t;

/** A checker. @return NULL if OpenSSL is out of memory */
acme_pair_t *acme_pair_create(apr_pool_t *p);

/**
 * Find out, before mod_ssl does, whether mod_ssl can serve a pair: it ends
 * httpd's start when it cannot.
 * Source: ours.
 *
 * @param cert  file with the certificate and its chain, PEM
 * @param key   file with the private key, PEM; one with a pass phrase
 *              cannot be used, nobody is asked for it
 * @return NULL if it can be served; else why not, one sentence in p
 */
const char *acme_pair_fault(acme_pair_t *pair, const char *cert,
                            const char *key, apr_pool_t *p);

/**
 * Make sure path holds a self-signed certificate with its key that is valid
 * for another day at least: the stand-in for certificates that are still to
 * come. A file of another user's or one that others can read is replaced.
 *
 * @param pfault  set on failure: one sentence in p
 * @return APR_SUCCESS; the system's error; APR_EGENERAL for OpenSSL's
 */
apr_status_t acme_pair_standin(acme_pair_t *pair, const char *path,
                               const char **pfault, apr_pool_t *p);

#endif
