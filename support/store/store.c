/*
 * store.c: opening, locking, paths, the ledger and the last configuration.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "store/internal.h"

#define FORMAT_PREFIX "acme-store "

/* What a run may need at most: a chain, a key and their folders. */
#define PROBE_SIZE (64 * 1024)

const char *store_dir(const store_t *store)
{
    return store->dir;
}

const char *store_path(const char *folder, const char *file,
                       apr_pool_t *pool)
{
    return apr_pstrcat(pool, folder, "/", file, NULL);
}

const char *store_folder(const store_t *store, const char *kind,
                         const char *id, apr_pool_t *pool)
{
    char *name = apr_pstrdup(pool, id);
    char *c;

    /* No separator and no leading dot survives: the result is one
     * component below kind, never "." or "..". */
    for (c = name; *c; c++) {
        if (!apr_isalnum(*c) && !strchr(".~-", *c)) {
            *c = '_';
        }
    }
    if (name[0] == '.') {
        name[0] = '_';
    }
    return apr_pstrcat(pool, store->dir, "/", kind, "/", name, NULL);
}

apr_status_t store_folder_make(const char **pfolder, const store_t *store,
                               const char *kind, const char *id,
                               acme_err_t *err, apr_pool_t *result_pool)
{
    apr_status_t rv;

    rv = base_dir_make(store_path(store->dir, kind, result_pool),
                       STORE_DIR_MODE, err, result_pool);
    if (rv == APR_SUCCESS) {
        *pfolder = store_folder(store, kind, id, result_pool);
        rv = base_dir_make(*pfolder, STORE_DIR_MODE, err, result_pool);
    }
    return rv;
}

/** Make dir's missing parents as any package would (0755). */
static apr_status_t make_parents(const char *dir, acme_err_t *err,
                                 apr_pool_t *pool)
{
    char *parent = apr_pstrdup(pool, dir);
    char *slash = strrchr(parent, '/');
    char buf[200];
    apr_status_t rv;

    if (!slash || slash == parent) {
        return APR_SUCCESS;
    }
    *slash = '\0';
    rv = apr_dir_make_recursive(parent,
                                APR_FPROT_OS_DEFAULT & ~APR_FPROT_WWRITE,
                                pool);
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "cannot make %s for the store: %s; make it, or "
                            "set ACMEStoreDir to another place", parent,
                            base_strerror(rv, buf, sizeof(buf)));
    }
    return rv;
}

static apr_status_t format_write(const char *path, acme_err_t *err,
                                 apr_pool_t *pool)
{
    char *text = apr_psprintf(pool, FORMAT_PREFIX "%d\n", STORE_FORMAT);

    return base_file_write(path, text, strlen(text), STORE_FILE_MODE, err,
                           pool);
}

static apr_status_t format_check(const char *dir, const char *text,
                                 acme_err_t *err)
{
    apr_size_t prefix = sizeof(FORMAT_PREFIX) - 1;
    char *end;

    if (strncmp(text, FORMAT_PREFIX, prefix) != 0
        || strtol(text + prefix, &end, 10) != STORE_FORMAT
        || strcmp(end, "\n") != 0) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s/format does not say \"" FORMAT_PREFIX
                            "%d\": the store is another version's, or the "
                            "directory is not a store; use the acmectl that "
                            "wrote it, or set ACMEStoreDir to another place",
                            dir, STORE_FORMAT);
    }
    return APR_SUCCESS;
}

/** How many of names are not what a run that was killed while it made a
 *  store left. */
static int count_others(const apr_array_header_t *names)
{
    static const char ours[] = ".format.tmp-";
    int i, n = 0;

    for (i = 0; i < names->nelts; i++) {
        n += strncmp(APR_ARRAY_IDX(names, i, const char *), ours,
                     sizeof(ours) - 1) != 0;
    }
    return n;
}

/** A directory that holds something but no format file is not ours. */
static apr_status_t check_empty(const char *dir, acme_err_t *err,
                                apr_pool_t *pool)
{
    apr_array_header_t *names;
    apr_status_t rv;

    rv = base_dir_list(&names, dir, err, pool);
    if (rv == APR_SUCCESS && count_others(names) > 0) {
        rv = base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                          "%s holds files but no store (%s has no file "
                          "\"format\"); set ACMEStoreDir to a directory of "
                          "its own", dir, dir);
    }
    return rv;
}

static apr_status_t format_open(const char *dir, int create,
                                acme_err_t *err, apr_pool_t *pool)
{
    const char *path = store_path(dir, "format", pool);
    acme_err_t none = { 0 };
    apr_size_t len;
    char *text;
    apr_status_t rv;

    rv = base_file_read(&text, &len, path, 100, &none, pool);
    if (rv == APR_SUCCESS) {
        return format_check(dir, text, err);
    }
    if (!APR_STATUS_IS_ENOENT(rv)) {
        *err = none;
        return rv;
    }
    rv = check_empty(dir, err, pool);
    if (rv == APR_SUCCESS) {
        rv = create ? format_write(path, err, pool) : APR_SUCCESS;
    }
    return rv;
}

/**
 * Prove that the store can be written before a CA is asked for anything: a
 * certificate that cannot be kept is lost, and rate limits are not.
 */
static apr_status_t probe(const char *dir, acme_err_t *err, apr_pool_t *pool)
{
    const char *path = store_path(dir, "probe", pool);
    char *data = apr_pcalloc(pool, PROBE_SIZE);
    apr_status_t rv;

    /* What a run that was killed here left. */
    rv = base_file_remove(path, err, pool);
    if (rv == APR_SUCCESS) {
        rv = base_file_create(path, data, PROBE_SIZE, STORE_FILE_MODE, err);
    }
    if (rv == APR_SUCCESS) {
        rv = base_file_remove(path, err, pool);
    }
    if (rv != APR_SUCCESS) {
        return base_err_wrap(err, "the store %s cannot be written, so no CA "
                             "was asked", dir);
    }
    return rv;
}

/** The directory itself: made, or found to be ours alone. */
static apr_status_t open_dir(const char *dir, int create, acme_err_t *err,
                             apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_status_t rv;

    rv = apr_stat(&info, dir, APR_FINFO_MIN, pool);
    if (APR_STATUS_IS_ENOENT(rv)) {
        if (!create) {
            return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                                "there is no store at %s yet", dir);
        }
        rv = make_parents(dir, err, pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return base_dir_make(dir, STORE_DIR_MODE, err, pool);
}

apr_status_t store_open(store_t **pstore, const char *dir, int create,
                        acme_err_t *err, apr_pool_t *result_pool)
{
    store_t *store = apr_pcalloc(result_pool, sizeof(*store));
    apr_status_t rv;

    store->dir = apr_pstrdup(result_pool, dir);
    rv = open_dir(dir, create, err, result_pool);
    if (rv == APR_SUCCESS) {
        rv = format_open(dir, create, err, result_pool);
    }
    if (rv == APR_SUCCESS) {
        *pstore = store;
    }
    return rv;
}

apr_status_t store_lock(store_t *store, const char *holder,
                        apr_interval_time_t wait, acme_err_t *err,
                        apr_pool_t *pool)
{
    base_lock_t *lock;
    apr_status_t rv;

    rv = base_lock_take(&lock, store_path(store->dir, "lock", pool),
                        holder, wait, err, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (base_lock_was_left(lock)) {
        store_sweep(store, pool);
    }
    /* Not before: another writer's probe has the same name. */
    return probe(store->dir, err, pool);
}

apr_status_t store_ledger_read(json_t **pledger, const store_t *store,
                               acme_err_t *err, apr_pool_t *result_pool)
{
    acme_err_t found = { 0 };
    apr_status_t rv;

    rv = base_json_read(pledger, store_path(store->dir, "ledger.json",
                                            result_pool),
                        STORE_JSON_MAX, &found, result_pool, result_pool);
    if (APR_STATUS_IS_ENOENT(rv)) {
        *pledger = base_json_own(json_pack("{s:s, s:{}}", "schema",
                                           "acme-ledger/1", "certificates"),
                                 result_pool);
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        *err = found;
    }
    return rv;
}

apr_status_t store_ledger_write(store_t *store, const json_t *ledger,
                                acme_err_t *err, apr_pool_t *scratch_pool)
{
    return base_json_write(store_path(store->dir, "ledger.json",
                                      scratch_pool),
                           ledger, STORE_FILE_MODE, err, scratch_pool);
}

apr_status_t store_config_read(json_t **pconfig, const store_t *store,
                               acme_err_t *err, apr_pool_t *result_pool)
{
    return base_json_read(pconfig, store_path(store->dir, "config.json",
                                              result_pool),
                          STORE_CONFIG_MAX, err, result_pool, result_pool);
}

apr_status_t store_config_write(store_t *store, const char *text,
                                apr_size_t len, acme_err_t *err,
                                apr_pool_t *scratch_pool)
{
    const char *path = store_path(store->dir, "config.json", scratch_pool);
    acme_err_t ignored = { 0 };
    apr_size_t kept_len;
    char *kept;

    /* Most runs find what the last one kept. */
    if (base_file_read(&kept, &kept_len, path, STORE_CONFIG_MAX, &ignored,
                       scratch_pool) == APR_SUCCESS
        && kept_len == len && memcmp(kept, text, len) == 0) {
        return APR_SUCCESS;
    }
    return base_file_write(path, text, len, STORE_FILE_MODE, err,
                           scratch_pool);
}

#define RESTORED "restored\n"

apr_status_t store_reload_due(store_t *store, int restored, acme_err_t *err,
                              apr_pool_t *scratch_pool)
{
    return base_file_write(store_path(store->dir, "reload", scratch_pool),
                           RESTORED, restored ? sizeof(RESTORED) - 1 : 0,
                           STORE_FILE_MODE, err, scratch_pool);
}

int store_reload_is_due(const store_t *store, apr_pool_t *scratch_pool)
{
    return access(store_path(store->dir, "reload", scratch_pool), F_OK) == 0;
}

apr_time_t store_reload_since(const store_t *store, int *prestored,
                              apr_pool_t *scratch_pool)
{
    apr_finfo_t info;

    *prestored = 0;
    if (apr_stat(&info, store_path(store->dir, "reload", scratch_pool),
                 APR_FINFO_MTIME | APR_FINFO_SIZE, scratch_pool)
        != APR_SUCCESS) {
        return 0;
    }
    *prestored = info.size > 0;
    return info.mtime;
}

apr_status_t store_reload_done(store_t *store, acme_err_t *err,
                               apr_pool_t *scratch_pool)
{
    return base_file_remove(store_path(store->dir, "reload", scratch_pool),
                            err, scratch_pool);
}
