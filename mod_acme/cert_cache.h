/*
 * cert_cache: the certificates of the live segment as OpenSSL has them,
 * parsed once for each process and certificate. Safe for threads.
 */
#ifndef ACME_CERT_CACHE_H
#define ACME_CERT_CACHE_H

#include "acme_live.h"
#include "cert_parse.h"

#define ACME_FAULT_MAX 200

/** What this process has of one slot; zeroed at first. */
typedef struct acme_cached_t {
    acme_parsed_t *good;         /**< the last one that can be served */
    uint32_t bad;                /**< a version that cannot; 0: none */
    int parsing;                 /**< 1: a thread is at it */
} acme_cached_t;

/**
 * Take the certificate that a slot holds, or while that one is no good the
 * last good one. One thread parses, outside of any lock; others that come
 * for the same slot meanwhile wait for it, so that what is returned is never
 * older than what the slot held when this was called (unless a writer stops
 * in the middle of the next one: then the last good one has to do).
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

/** The store's number of the certificate whose leaf this is, if the process
 *  has it as its present one; else 0. @param leaf  compared, not read */
uint64_t acme_cache_generation(const acme_cached_t *cached,
                               const X509 *leaf);

/** Forget everything of one slot. */
void acme_cache_forget(acme_cached_t *cached);

#endif
