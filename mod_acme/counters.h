/*
 * counters: what this httpd has done, counted by all of its processes.
 *
 * They live in shared memory that every process can write and that holds
 * nothing secret. It is retained data: counters survive restarts and begin
 * at 0 when httpd is started.
 */
#ifndef ACME_COUNTERS_H
#define ACME_COUNTERS_H

#include <stdint.h>

#include <httpd.h>

/** What is counted. Add at the end only: a restart can bring a newer module
 *  to the counters of an older one. */
typedef enum acme_counter_t {
    ACME_COUNT_HTTP01_ANSWERED,     /**< with the key authorization */
    ACME_COUNT_HTTP01_REFUSED,      /**< right path, wrong method */
    ACME_COUNT_HTTP01_UNKNOWN,      /**< challenge path, no such token */
    ACME_COUNT_TLSALPN01_ANSWERED,  /**< with the challenge's certificate */
    ACME_COUNT_TLSALPN01_REFUSED,   /**< pending, but cannot be served */
    ACME_COUNT_TLSALPN01_UNKNOWN,   /**< acme-tls/1 offered, no such name */
    ACME_COUNT_HANDSHAKES_SWAPPED,  /**< full ones, by a certificate that
                                         came since httpd's (re)start */
    ACME_COUNTERS
} acme_counter_t;

/** Count one more; in any process and thread. */
void acme_count(acme_counter_t counter);

/** How many so far, of all processes. */
uint64_t acme_counter(acme_counter_t counter);

/** Find the shared memory, or make it. Called in post_config; where it
 *  cannot be made it has logged why, and each process counts for itself.
 *  @param s  the main server */
void acme_counters_start(server_rec *s);

#endif
