/*
 * What the tests of support/httpd share: a directory per test, programs in
 * it, and a false httpd.
 *
 * The false httpd is this test program under the name DIR/httpd, because a
 * running server is known by its executable. `-t` refuses what the file
 * DIR/complaint holds; otherwise it is a parent that answers SIGUSR1 as
 * DIR/mode says: restart (a new DIR/pid), generation (a new DIR/generation,
 * the pid file as it was), both (as httpd does: first the generation, then
 * the pid file and DIR/serving), gone (the same without a generation), die,
 * late (restart, then die), ignore.
 */
#ifndef ACME_UNIT_HTTPD_RIG_H
#define ACME_UNIT_HTTPD_RIG_H

#include <sys/types.h>

#include "httpd/httpd.h"

/** main() of the false httpd. */
int rig_httpd(int argc, char **argv);

/** A new directory, removed with pool. */
const char *rig_dir(apr_pool_t *pool);

/** DIR/name. */
const char *rig_path(const char *dir, const char *name, apr_pool_t *pool);

/** Write DIR/name. @return its path */
const char *rig_file(const char *dir, const char *name, const char *text,
                     apr_pool_t *pool);

/** A shell script DIR/name with this body. @return its path */
const char *rig_script(const char *dir, const char *name, const char *body,
                       apr_pool_t *pool);

/** Make DIR/httpd the false httpd. @return its path */
const char *rig_httpd_make(const char *dir, apr_pool_t *pool);

/** Start DIR/httpd as a server with DIR/mode = mode; returns when DIR/pid
 *  is written. It is killed with pool. */
pid_t rig_httpd_start(const char *dir, const char *mode, apr_pool_t *pool);

/** DIR/generation as a number (0 if there is none); baton is dir. */
unsigned long long rig_generation(void *baton);

#endif
