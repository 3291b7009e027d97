/*
 * order.c: orders/ID/ - an order that is not finished, and its key.
 */
#include <apr_strings.h>

#include "store/internal.h"

#define ORDERS "orders"

apr_status_t store_order_read(json_t **pstate, const store_t *store,
                              const char *id, acme_err_t *err,
                              apr_pool_t *result_pool)
{
    const char *folder = store_folder(store, ORDERS, id, result_pool);

    return base_json_read(pstate, store_path(folder, "order.json",
                                             result_pool),
                          STORE_JSON_MAX, err, result_pool, result_pool);
}

apr_status_t store_order_key_read(char **ppem, apr_size_t *plen,
                                  const store_t *store, const char *id,
                                  acme_err_t *err, apr_pool_t *result_pool)
{
    const char *folder = store_folder(store, ORDERS, id, result_pool);

    return base_file_read(ppem, plen, store_path(folder, "key.pem",
                                                 result_pool),
                          STORE_PEM_MAX, err, result_pool);
}

apr_status_t store_order_write(store_t *store, const char *id,
                               const json_t *state, acme_err_t *err,
                               apr_pool_t *scratch_pool)
{
    const char *folder;
    apr_status_t rv;

    rv = store_folder_make(&folder, store, ORDERS, id, err, scratch_pool);
    if (rv == APR_SUCCESS) {
        rv = base_json_write(store_path(folder, "order.json", scratch_pool),
                             state, STORE_FILE_MODE, err, scratch_pool);
    }
    return rv;
}

apr_status_t store_order_key_write(store_t *store, const char *id,
                                   const char *pem, apr_size_t len,
                                   acme_err_t *err, apr_pool_t *scratch_pool)
{
    const char *folder;
    apr_status_t rv;

    rv = store_folder_make(&folder, store, ORDERS, id, err, scratch_pool);
    if (rv == APR_SUCCESS) {
        rv = base_file_write(store_path(folder, "key.pem", scratch_pool),
                             pem, len, STORE_FILE_MODE, err, scratch_pool);
    }
    return rv;
}

apr_status_t store_order_remove(store_t *store, const char *id,
                                acme_err_t *err, apr_pool_t *scratch_pool)
{
    const char *folder = store_folder(store, ORDERS, id, scratch_pool);
    apr_status_t rv;

    /* First what tells to go on: an order without its key could not. */
    rv = base_file_remove(store_path(folder, "order.json", scratch_pool),
                          err, scratch_pool);
    return rv == APR_SUCCESS ? base_dir_remove(folder, err, scratch_pool)
                             : rv;
}
