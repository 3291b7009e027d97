/* store: what its files share. */
#ifndef ACME_STORE_INTERNAL_H
#define ACME_STORE_INTERNAL_H

#include "store/store.h"

/** Largest files of the store, bytes. */
#define STORE_JSON_MAX (4 * 1024 * 1024)
#define STORE_CONFIG_MAX (64 * 1024 * 1024)
#define STORE_PEM_MAX (512 * 1024)

#define STORE_DIR_MODE 0700
#define STORE_FILE_MODE 0600

struct store_t {
    const char *dir;
};

/** STORE/kind/id; id's bytes other than [A-Za-z0-9.~-] become "_". */
const char *store_folder(const store_t *store, const char *kind,
                         const char *id, apr_pool_t *pool);

/** folder "/" file */
const char *store_path(const char *folder, const char *file,
                       apr_pool_t *pool);

/** Make STORE/kind/id and its parents. */
apr_status_t store_folder_make(const char **pfolder, const store_t *store,
                               const char *kind, const char *id,
                               acme_err_t *err, apr_pool_t *result_pool);

/** Remove what a killed writer left; needs the lock. What cannot be removed
 *  is logged and stays. */
void store_sweep(const store_t *store, apr_pool_t *scratch_pool);

/** Remove generations of the folder domains/ID that "current" never
 *  reached. */
apr_status_t store_certificate_sweep(const char *folder, acme_err_t *err,
                                     apr_pool_t *scratch_pool);

#endif
