/*
 * rig.h: a scripted host and plans for the tests of worker/. The host
 * writes down what it is asked and answers what the test told it to.
 */
#ifndef ACME_UNIT_WORKER_RIG_H
#define ACME_UNIT_WORKER_RIG_H

#include "worker/frame.h"

#define RIG_JOBS 8

typedef struct script_t {
    acme_host_t host;         /**< first: the host is the script */
    apr_pool_t *pool;
    const char *log;          /**< one line a call, newest last */
    acme_err_t fail;          /**< what each call that can fail answers */
    apr_status_t mute;        /**< … or this, without a word */
    const char *value;        /**< of sign and csr */
    volatile int *ended;      /**< nullable: counts done calls; shared
                                   with other processes */
    int done_count[RIG_JOBS];
    acme_result_t results[RIG_JOBS];
} script_t;

/** A host in a pool of its own (root), that goes with p. */
script_t *rig_script(apr_pool_t *p);

/** A plan with so many CAs (https://ca0.example/dir …) and jobs (orders of
 *  the CA 0 for n0.example …). */
worker_plan_t *rig_plan(int cas, int jobs, apr_pool_t *p);

#endif
