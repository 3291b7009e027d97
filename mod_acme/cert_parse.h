/*
 * cert_parse: a certificate of the live segment as OpenSSL has it.
 */
#ifndef ACME_CERT_PARSE_H
#define ACME_CERT_PARSE_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "acme_live.h"

/** A certificate with its key. Constant; shared by reference. */
typedef struct acme_parsed_t {
    uint32_t version;            /**< the segment's number of it */
    uint64_t generation;         /**< the store's */
    X509 *leaf;
    STACK_OF(X509) *chain;       /**< without the leaf; perhaps empty */
    EVP_PKEY *key;
    char *issuers;               /**< the text of chain, not terminated */
    apr_size_t issuers_len;      /**< bytes */
    int refs;                    /**< guarded by cert_cache.c's lock */
} acme_parsed_t;

/**
 * Parse what a slot holds, and check that the key belongs to the leaf. Safe
 * for threads. All that is costly and the same for every certificate is
 * done once a process.
 * Source: ours; RFC 7468 5, 10 (PEM), RFC 5958 (PKCS #8).
 *
 * @param pparsed  set on success: one reference, for acme_parsed_free
 * @param last     nullable; borrowed. Where the certificates behind the leaf
 *                 are the same, its objects are shared
 * @return NULL, or why it cannot be served; leaves OpenSSL's errors behind
 */
const char *acme_parse(acme_parsed_t **pparsed,
                       const live_certificate_t *copy,
                       const acme_parsed_t *last);

/** Free what acme_parse returned, whatever its references. */
void acme_parsed_free(acme_parsed_t *parsed);

#endif
