/*
 * stall.h: a CA that accepts a connection and then says nothing, with an
 * observer that looks at the worker which waits for it, and kills it.
 */
#ifndef ACME_UNIT_WORKER_STALL_H
#define ACME_UNIT_WORKER_STALL_H

#include <stdio.h>
#include <sys/types.h>

#include <apr_pools.h>

typedef struct stall_t {
    const char *url;      /**< the silent CA's directory */
    pid_t pid;            /**< the observer */
    int out;              /**< what it writes */
} stall_t;

/** Write what is to be seen of worker to out. */
typedef void stall_look_fn(pid_t worker, FILE *out);

/**
 * Start both. When this process's other child connects, the observer calls
 * look (nullable), then kills that child, and ends.
 */
stall_t *stall_start(stall_look_fn *look, apr_pool_t *p);

/** All that look wrote, in p; the observer is gone. */
char *stall_seen(stall_t *stall, apr_pool_t *p);

/** An https directory URL on loopback where nobody listens. */
const char *stall_nobody(apr_pool_t *p);

/** The child of parent that is not except; 0 if there is none. */
pid_t stall_child_of(pid_t parent, pid_t except);

/** The store with the key that stall_look_for_key looks for; to be set
 *  before stall_start. */
extern const char *stall_store;

/** Write STALL_NO_KEY if the account's key of stall_store is nowhere in
 *  worker's memory. */
stall_look_fn stall_look_for_key;

#define STALL_NO_KEY "0 of many"

/** Make a store with an account's key for ca, in another process, so that
 *  this one never sees it. */
void stall_make_store(const char *dir, const char *ca);

#endif
