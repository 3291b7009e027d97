/*
 * account.c: accounts/CA/ - our account at a CA, its key, the CA's
 * directory as last fetched.
 */
#include <string.h>

#include <apr_strings.h>

#include "store/internal.h"

#define ACCOUNTS "accounts"

/** accounts/CA for a directory URL. */
static const char *account_folder(const store_t *store, const char *ca,
                                  apr_pool_t *pool)
{
    const char *name = strncmp(ca, "https://", 8) == 0 ? ca + 8 : ca;

    return store_folder(store, ACCOUNTS, name, pool);
}

static apr_status_t account_folder_make(const char **pfolder,
                                        const store_t *store, const char *ca,
                                        acme_err_t *err, apr_pool_t *pool)
{
    const char *name = strncmp(ca, "https://", 8) == 0 ? ca + 8 : ca;

    return store_folder_make(pfolder, store, ACCOUNTS, name, err, pool);
}

/** Two URLs may spell the same folder: the file says whose it is. */
static apr_status_t check_owner(const json_t *account, const char *ca,
                                const char *path, acme_err_t *err)
{
    const char *owner = json_string_value(json_object_get(account,
                                                          "directory"));

    if (!owner || strcmp(owner, ca) != 0) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s belongs to the CA %s, not to %s; move that "
                            "folder away to make a new account", path,
                            owner ? owner : "(none named)", ca);
    }
    return APR_SUCCESS;
}

apr_status_t store_account_read(json_t **paccount, const store_t *store,
                                const char *ca, acme_err_t *err,
                                apr_pool_t *result_pool)
{
    const char *path = store_path(account_folder(store, ca, result_pool),
                                  "account.json", result_pool);
    apr_status_t rv;

    rv = base_json_read(paccount, path, STORE_JSON_MAX, err, result_pool,
                        result_pool);
    if (rv == APR_SUCCESS) {
        rv = check_owner(*paccount, ca, path, err);
    }
    return rv;
}

apr_status_t store_account_write(store_t *store, const char *ca,
                                 const json_t *account, acme_err_t *err,
                                 apr_pool_t *scratch_pool)
{
    const char *folder;
    apr_status_t rv;

    rv = account_folder_make(&folder, store, ca, err, scratch_pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = check_owner(account, ca, folder, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return base_json_write(store_path(folder, "account.json", scratch_pool),
                           account, STORE_FILE_MODE, err, scratch_pool);
}

/** Add the directory URL that a folder's account.json names, if any. */
static void list_one(apr_array_header_t *cas, const store_t *store,
                     const char *name, apr_pool_t *pool)
{
    const char *folder = store_folder(store, ACCOUNTS, name, pool);
    acme_err_t ignored = { 0 };
    const char *ca;
    json_t *account;

    if (base_json_read(&account, store_path(folder, "account.json", pool),
                       STORE_JSON_MAX, &ignored, pool, pool)
        == APR_SUCCESS) {
        ca = json_string_value(json_object_get(account, "directory"));
        if (ca) {
            APR_ARRAY_PUSH(cas, const char *) = apr_pstrdup(pool, ca);
        }
    }
}

apr_status_t store_account_list(apr_array_header_t **pcas,
                                const store_t *store, acme_err_t *err,
                                apr_pool_t *result_pool)
{
    acme_err_t found = { 0 };
    apr_array_header_t *names;
    apr_status_t rv;
    int i;

    *pcas = apr_array_make(result_pool, 4, sizeof(const char *));
    rv = base_dir_list(&names, store_path(store->dir, ACCOUNTS, result_pool),
                       &found, result_pool);
    if (APR_STATUS_IS_ENOENT(rv)) {
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        *err = found;
        return rv;
    }
    for (i = 0; i < names->nelts; i++) {
        list_one(*pcas, store, APR_ARRAY_IDX(names, i, const char *),
                 result_pool);
    }
    return APR_SUCCESS;
}

apr_status_t store_account_key_read(char **ppem, apr_size_t *plen,
                                    const store_t *store, const char *ca,
                                    acme_err_t *err, apr_pool_t *result_pool)
{
    const char *folder = account_folder(store, ca, result_pool);

    return base_file_read(ppem, plen, store_path(folder, "key.pem",
                                                 result_pool),
                          STORE_PEM_MAX, err, result_pool);
}

apr_status_t store_account_key_write(store_t *store, const char *ca,
                                     const char *pem, apr_size_t len,
                                     acme_err_t *err,
                                     apr_pool_t *scratch_pool)
{
    acme_err_t absent = { 0 };
    const char *folder;
    const char *path;
    apr_size_t old_len;
    char *old;
    apr_status_t rv;

    rv = account_folder_make(&folder, store, ca, err, scratch_pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    path = store_path(folder, "key.pem", scratch_pool);
    rv = base_file_read(&old, &old_len, path, STORE_PEM_MAX, &absent,
                        scratch_pool);
    if (!APR_STATUS_IS_ENOENT(rv)) {
        return base_err_set(err, APR_EEXIST, BASE_EXIT_FAILED,
                            "%s exists already; an account's key is never "
                            "overwritten", path);
    }
    return base_file_write(path, pem, len, STORE_FILE_MODE, err,
                           scratch_pool);
}

apr_status_t store_directory_read(json_t **pdirectory, apr_time_t *pfetched,
                                  const store_t *store, const char *ca,
                                  acme_err_t *err, apr_pool_t *result_pool)
{
    const char *path = store_path(account_folder(store, ca, result_pool),
                                  "directory.json", result_pool);
    const char *fetched;
    json_t *cache;
    apr_status_t rv;

    rv = base_json_read(&cache, path, STORE_JSON_MAX, err, result_pool,
                        result_pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    fetched = json_string_value(json_object_get(cache, "fetched"));
    *pdirectory = json_object_get(cache, "directory");
    if (!fetched || base_time_parse(pfetched, fetched) != APR_SUCCESS
        || !json_is_object(*pdirectory)) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s is damaged; remove it, it is a cache", path);
    }
    return APR_SUCCESS;
}

apr_status_t store_directory_write(store_t *store, const char *ca,
                                   const json_t *directory, apr_time_t now,
                                   acme_err_t *err, apr_pool_t *scratch_pool)
{
    const char *folder;
    json_t *cache;
    apr_status_t rv;

    rv = account_folder_make(&folder, store, ca, err, scratch_pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    cache = json_pack("{s:s, s:O}", "fetched",
                      base_time_text(now, scratch_pool), "directory",
                      (json_t *)directory);
    base_json_own(cache, scratch_pool);
    return base_json_write(store_path(folder, "directory.json",
                                      scratch_pool),
                           cache, STORE_FILE_MODE, err, scratch_pool);
}
