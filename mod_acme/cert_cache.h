/*
 * cert_cache: the certificates of the live segment as OpenSSL has them,
 * parsed once for each process and certificate. Safe for threads.
 */
#ifndef ACME_CERT_CACHE_H
#define ACME_CERT_CACHE_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "acme_live.h"

#define ACME_FAULT_MAX 200

/** A certificate with its key. Constant; shared by reference. */
typedef struct acme_parsed_t {
    uint32_t version;            /**< the segment's number of it */
    uint64_t generation;         /**< the store's */
    X509 *leaf;
    STACK_OF(X509) *chain;       /**< without the leaf; perhaps empty */
    EVP_PKEY *key;
    int refs;                    /**< guarded by the cache's lock */
} acme_parsed_t;

/** What this process has of one slot; zeroed at first. */
typedef struct acme_cached_t {
    acme_parsed_t *good;         /**< the last one that can be served */
    uint32_t bad;                /**< a version that cannot; 0: none */
} acme_cached_t;

/**
 * Take the certificate that a slot holds, or while that one is no good the
 * last good one. Parses outside of any lock: threads that come at the same
 * moment parse each for itself, and the first one's is kept.
 * Source: ours.
 *
 * @param fault  ACME_FAULT_MAX bytes; set to a sentence once a process for
 *               each certificate that cannot be served, else to ""
 * @return NULL if there is none; give it back by acme_cache_release
 */
acme_parsed_t *acme_cache_take(acme_cached_t *cached, const live_t *live,
                               uint32_t slot, char *fault);

/** Give back what acme_cache_take returned. @param parsed nullable */
void acme_cache_release(acme_parsed_t *parsed);

/** OpenSSL refuses to serve parsed: never take it again.
 *  @return 1 the first time in this process */
int acme_cache_refuse(acme_cached_t *cached, const acme_parsed_t *parsed);

/** 1 if the slot holds a certificate that is not known to be bad, or this
 *  process has a good one. One atomic load where there is none. */
int acme_cache_serves(const acme_cached_t *cached, const live_t *live,
                      uint32_t slot);

/** Forget everything of one slot. */
void acme_cache_forget(acme_cached_t *cached);

#endif
