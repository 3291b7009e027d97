/*
 * internal.h: what the files of base/ share.
 */
#ifndef ACME_BASE_INTERNAL_H
#define ACME_BASE_INTERNAL_H

#include "base/base.h"

/* The whole regular file behind fd; path is its name for people. */
apr_status_t base_fd_read(char **pdata, apr_size_t *plen, int fd,
                          const char *path, apr_size_t max, acme_err_t *err,
                          apr_pool_t *result_pool);

/* All of data. @return the system's error */
apr_status_t base_fd_write(int fd, const char *data, apr_size_t len);

#endif
