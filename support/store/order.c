/*
 * order.c: orders/ID/ - an order that is not finished, and its key.
 */
#include <apr_strings.h>

#include "store/internal.h"

#define ORDERS "orders"

/** Turn "absent" into success with nothing read. */
static apr_status_t absent_is_fine(apr_status_t rv, const acme_err_t *found,
                                   acme_err_t *err)
{
    if (rv != APR_SUCCESS && !APR_STATUS_IS_ENOENT(rv)) {
        *err = *found;
        return rv;
    }
    return APR_SUCCESS;
}

apr_status_t store_order_read(store_order_t *order, const store_t *store,
                              const char *id, acme_err_t *err,
                              apr_pool_t *result_pool)
{
    const char *folder = store_folder(store, ORDERS, id, result_pool);
    acme_err_t found = { 0 };
    apr_status_t rv;

    order->state = NULL;
    order->key = NULL;
    order->key_len = 0;
    rv = base_json_read(&order->state, store_path(folder, "order.json",
                                                  result_pool),
                        STORE_JSON_MAX, &found, result_pool, result_pool);
    rv = absent_is_fine(rv, &found, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    base_err_clear(&found);
    rv = base_file_read(&order->key, &order->key_len,
                        store_path(folder, "key.pem", result_pool),
                        STORE_PEM_MAX, &found, result_pool);
    rv = absent_is_fine(rv, &found, err);
    if (rv == APR_SUCCESS && !order->state && !order->key) {
        return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                            "%s has no unfinished order", id);
    }
    return rv;
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
    return base_dir_remove(store_folder(store, ORDERS, id, scratch_pool),
                           err, scratch_pool);
}
