/*
 * program: may a program that the configuration names be run by us?
 */
#ifndef ACME_PROGRAM_H
#define ACME_PROGRAM_H

#include <apr_pools.h>

/**
 * Find out why a program cannot be run or must not be: it is no file that
 * others may execute, or somebody else than root (and than who asks, where
 * that is not root) could change or replace it. Links are followed.
 * Source: ours; the ownership rule is that of suexec.
 *
 * @param path  absolute
 * @return NULL if it may be run; else why not and what to do, in p
 */
const char *acme_program_fault(const char *path, apr_pool_t *p);

#endif
