/*
 * cert_parse: a certificate with its key as OpenSSL has them.
 */
#ifndef ACME_CERT_PARSE_H
#define ACME_CERT_PARSE_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "acme_live.h"

/** A certificate with its key. Constant; shared by reference. */
typedef struct acme_parsed_t {
    uint32_t version;            /**< the segment's number of it; by
                                      cert_cache.c */
    uint64_t generation;         /**< the store's; likewise */
    X509 *leaf;
    STACK_OF(X509) *chain;       /**< without the leaf; perhaps empty */
    EVP_PKEY *key;
    char *issuers;               /**< the text of chain, not terminated */
    apr_size_t issuers_len;      /**< bytes */
    int refs;                    /**< guarded by cert_cache.c's lock */
} acme_parsed_t;

/**
 * Parse a certificate with its chain, and a key, and check that the key
 * belongs to it. Safe for threads. All that is costly and the same for every
 * certificate is done once a process.
 * Source: ours; RFC 7468 5, 10 (PEM), RFC 5958 (PKCS #8).
 *
 * @param pparsed  set on success: one reference, for acme_parsed_free; its
 *                 version and generation are 0
 * @param chain    PEM, the leaf first, so many bytes; as key not terminated
 * @param last     nullable; borrowed. Where the certificates behind the leaf
 *                 are the same, its objects are shared
 * @return NULL, or why it cannot be served; leaves OpenSSL's errors behind
 */
const char *acme_parse(acme_parsed_t **pparsed, const char *chain,
                       apr_size_t chain_len, const char *key,
                       apr_size_t key_len, const acme_parsed_t *last);

/** Free what acme_parse returned, whatever its references. */
void acme_parsed_free(acme_parsed_t *parsed);

/** Free what is kept once a process; it comes back when it is needed. */
void acme_parse_forget(void);

#endif
