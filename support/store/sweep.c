/*
 * sweep.c: what a killed writer left behind.
 *
 *   .NAME.tmp-RANDOM         in any folder: the rename never came; removed
 *   domains/ID/GENERATION    "current" never reached it; removed
 *   orders/ID                empty, or its key is the current certificate's:
 *                            that was kept, and the order not yet forgotten;
 *                            removed, or a renewal would take it up again
 *
 * All other orders stay: the next run goes on with them.
 */
#include <string.h>

#include "store/internal.h"

/** Names of a folder; an absent one is empty, another fault is logged. */
static apr_array_header_t *list(const char *folder, apr_pool_t *pool)
{
    apr_array_header_t *names = NULL;
    acme_err_t err = { 0 };
    apr_status_t rv = base_dir_list(&names, folder, &err, pool);

    if (rv == APR_SUCCESS) {
        return names;
    }
    if (!APR_STATUS_IS_ENOENT(rv)) {
        base_log(BASE_LOG_WARN, "while clearing up: %s", err.message);
    }
    return apr_array_make(pool, 1, sizeof(char *));
}

static void warn_if(apr_status_t rv, const acme_err_t *err)
{
    if (rv != APR_SUCCESS) {
        base_log(BASE_LOG_WARN, "while clearing up: %s", err->message);
    }
}

/** 1 for the temporary names of base_file_write and base_link_switch. */
static int is_temporary(const char *name)
{
    const char *tail = strstr(name, ".tmp-");

    return name[0] == '.' && tail && strlen(tail) == 5 + 16
           && strspn(tail + 5, "0123456789abcdef") == 16;
}

static void sweep_temporaries(const char *folder, apr_pool_t *pool)
{
    apr_array_header_t *names = list(folder, pool);
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        acme_err_t err = { 0 };

        if (is_temporary(name)) {
            warn_if(base_file_remove(store_path(folder, name, pool), &err,
                                     pool), &err);
        }
    }
}

static void sweep_account(const store_t *store, const char *id,
                          apr_pool_t *pool)
{
    sweep_temporaries(store_folder(store, "accounts", id, pool), pool);
}

static void sweep_certificate(const store_t *store, const char *id,
                              apr_pool_t *pool)
{
    const char *folder = store_folder(store, "domains", id, pool);
    acme_err_t err = { 0 };

    sweep_temporaries(folder, pool);
    warn_if(store_certificate_sweep(folder, &err, pool), &err);
    /* Its meta.json is written again by a revocation. */
    sweep_temporaries(store_path(folder, "current", pool), pool);
}

/** 1 if the order's key is the current certificate's. */
static int is_kept(const store_t *store, const char *id, apr_pool_t *pool)
{
    acme_err_t ignored = { 0 };
    apr_size_t order_len;
    apr_size_t len;
    char *order_key;
    char *key;

    if (store_order_key_read(&order_key, &order_len, store, id, &ignored,
                             pool) != APR_SUCCESS) {
        return 0;
    }
    return store_certificate_file(&key, &len, store, id, "key.pem",
                                  &ignored, pool) == APR_SUCCESS
           && len == order_len && memcmp(key, order_key, len) == 0;
}

static void sweep_order(const store_t *store, const char *id,
                        apr_pool_t *pool)
{
    const char *folder = store_folder(store, "orders", id, pool);
    acme_err_t err = { 0 };

    sweep_temporaries(folder, pool);
    if (is_kept(store, id, pool) || list(folder, pool)->nelts == 0) {
        warn_if(store_order_remove((store_t *)store, id, &err, pool), &err);
    }
}

static const struct {
    const char *kind;
    void (*sweep)(const store_t *store, const char *id, apr_pool_t *pool);
} kinds[] = {
    { "accounts", sweep_account },
    { "domains", sweep_certificate },
    { "orders", sweep_order }
};

void store_sweep(const store_t *store, apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;
    apr_size_t k;
    int i;

    apr_pool_create(&iterpool, scratch_pool);
    sweep_temporaries(store->dir, iterpool);
    for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        apr_array_header_t *ids = list(store_path(store->dir, kinds[k].kind,
                                                  scratch_pool),
                                       scratch_pool);

        for (i = 0; i < ids->nelts; i++) {
            apr_pool_clear(iterpool);
            kinds[k].sweep(store, APR_ARRAY_IDX(ids, i, const char *),
                           iterpool);
        }
    }
    apr_pool_destroy(iterpool);
}
