/*
 * staple: OCSP responses for the certificates that are ours. Between
 * staple.c, cert_files.c, which finds the certificates in the store, and
 * cert_swap.c, which knows which one a handshake serves.
 */
#ifndef ACME_STAPLE_H
#define ACME_STAPLE_H

#include "mod_acme.h"

/** A virtual host of cert_swap.c's. */
typedef struct acme_swap_host_t acme_swap_host_t;

/**
 * Read the OCSP response that lies beside a certificate.
 *
 * @param folder  of the generation
 * @return NULL if there is none, or none that can be used, which is logged;
 *         lives in p
 */
const acme_staple_t *acme_staple_load(const char *folder, server_rec *s,
                                      apr_pool_t *p);

/** Let a host's handshakes staple. Called once for its SSL_CTX.
 *  @param swap  borrowed as long as the SSL_CTX lives */
void acme_staple_host(SSL_CTX *ctx, server_rec *s,
                      const acme_swap_host_t *swap, apr_pool_t *p);

/**
 * Which certificate of a host is it that a handshake serves? Called in
 * children, by any thread.
 *
 * @param leaf         what the SSL has; compared, not read
 * @param pgeneration  set with the result: the store's number of it
 * @return NULL: the stand-in, a challenge's, or one that has been replaced
 *         at this very moment
 */
const acme_certificate_t *acme_swap_certificate(const acme_swap_host_t *host,
                                                const X509 *leaf,
                                                uint64_t *pgeneration);

#endif
