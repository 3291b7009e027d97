/*
 * keeper_save.c: what the engine wants to be remembered: directories,
 * accounts, unfinished orders.
 */
#include <string.h>

#include "worker/keeper.h"

/** What the worker wants to be kept has to have the shape it is read in. */
static apr_status_t check_shape(const keeper_t *keeper, const char *schema,
                                const json_t *value, const char *what,
                                acme_err_t *err)
{
    return schema_check(schema_find(keeper->options.schemas, schema), value,
                        what, err);
}

apr_status_t keeper_directory_save(acme_host_t *host, int ca,
                                   const json_t *directory,
                                   acme_err_t *err)
{
    keeper_t *keeper = KEEPER(host);
    base_clock_t *clock = keeper->options.clock;
    apr_pool_t *pool;
    apr_status_t rv;

    apr_pool_create(&pool, keeper->pool);
    rv = check_shape(keeper, "acme/directory", directory,
                     "the CA's directory", err);
    if (rv == APR_SUCCESS) {
        rv = store_directory_write(keeper->options.store,
                                   keeper_ca(keeper, ca)->url, directory,
                                   clock->wall(clock), err, pool);
    }
    apr_pool_destroy(pool);
    return rv;
}

/** What is remembered of an account: schemas/state/account.json. */
static json_t *make_account(keeper_t *keeper, int ca, const char *url,
                            const json_t *account, apr_pool_t *pool)
{
    json_t *contact = json_object_get(account, "contact");
    const char *status = json_string_value(json_object_get(account,
                                                           "status"));
    base_clock_t *clock = keeper->options.clock;
    json_t *kept;

    kept = json_pack("{s:s, s:s, s:s, s:s, s:s}", "schema", "acme-account/1",
                     "directory", keeper_ca(keeper, ca)->url, "url", url,
                     "status", status ? status : "valid", "checked",
                     base_time_text(clock->wall(clock), pool));
    json_object_set_new(kept, "contact", json_is_array(contact)
                                         ? json_incref(contact)
                                         : json_array());
    return base_json_own(kept, pool);
}

static apr_status_t write_account(keeper_t *keeper, int ca, const char *url,
                                  const json_t *account, acme_err_t *err,
                                  apr_pool_t *pool)
{
    json_t *kept = make_account(keeper, ca, url, account, pool);
    apr_status_t rv;

    rv = check_shape(keeper, "state/account", kept, "the CA's account object",
                     err);
    if (rv == APR_SUCCESS) {
        rv = store_account_write(keeper->options.store,
                                 keeper_ca(keeper, ca)->url, kept, err, pool);
    }
    return rv;
}

apr_status_t keeper_account_save(acme_host_t *host, int ca,
                                 const char *url,
                                 const json_t *account,
                                 acme_err_t *err)
{
    keeper_t *keeper = KEEPER(host);
    const char *directory = keeper_ca(keeper, ca)->url;
    apr_pool_t *pool;
    apr_status_t rv;

    if (!base_url_same_origin(directory, url)) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_REFUSED,
                            "the CA %s gave the account URL %s, which is not "
                            "its own", directory, url);
    }
    apr_pool_create(&pool, keeper->pool);
    rv = write_account(keeper, ca, url, account, err, pool);
    apr_pool_destroy(pool);
    if (rv == APR_SUCCESS) {
        keeper_url_keep(keeper, &keeper->accounts[ca].url, url);
    }
    return rv;
}

/** 1 if this order is kept already. What a later run needs is the order's
 *  URL alone, the rest it asks the CA; so the steps after the first cost no
 *  writing, which the whole engine would wait for. */
static int is_kept(const keeper_t *keeper, int job, const json_t *state)
{
    const char *url = json_string_value(json_object_get(state, "url"));
    const char *kept = keeper->order_urls[job];

    return url && kept && strcmp(url, kept) == 0;
}

static apr_status_t write_order(keeper_t *keeper, const char *id,
                                const json_t *state, acme_err_t *err,
                                apr_pool_t *pool)
{
    apr_status_t rv;

    if (!state) {
        return store_order_remove(keeper->options.store, id, err, pool);
    }
    rv = check_shape(keeper, "state/order", state, "the order's state", err);
    if (rv == APR_SUCCESS) {
        rv = store_order_write(keeper->options.store, id, state, err, pool);
    }
    return rv;
}

apr_status_t keeper_order_save(acme_host_t *host, int job,
                               const json_t *state, acme_err_t *err)
{
    keeper_t *keeper = KEEPER(host);
    const char *id = keeper->options.jobs[job].id;
    const char *url = json_string_value(json_object_get(state, "url"));
    apr_status_t rv;
    apr_pool_t *pool;

    if (!id || (state && is_kept(keeper, job, state))) {
        return APR_SUCCESS;
    }
    apr_pool_create(&pool, keeper->pool);
    rv = write_order(keeper, id, state, err, pool);
    apr_pool_destroy(pool);
    keeper_url_keep(keeper, &keeper->order_urls[job],
                    rv == APR_SUCCESS ? url : NULL);
    return rv;
}
