/*
 * publish.c: give httpd what the store has and it has not.
 *
 * A run keeps a certificate first and tells httpd then. One that is killed
 * in between leaves a certificate in the store that nothing is due for, and
 * a httpd that serves the last one, or none, until it is restarted. So who
 * finds nothing to do compares what httpd serves with the store.
 */
#include <string.h>

#include "cmd/internal.h"

/** The store's generation of a certificate; 0: none, or it cannot be told. */
static unsigned long kept(const cmd_t *cmd, const char *id, apr_pool_t *pool)
{
    acme_err_t ignored = { 0 };
    unsigned long number = 0;

    return store_certificate_generation(&number, cmd->store, id, &ignored,
                                        pool) == APR_SUCCESS ? number : 0;
}

/** 1 if httpd serves another generation of c than the store has. One that
 *  must be stapled waits for its response; staple.c takes care of it. */
static int is_behind(const cmd_t *cmd, live_writer_t *writer,
                     const cmd_certificate_t *c, apr_pool_t *pool)
{
    uint64_t serves = 0;
    unsigned long number;

    if (!c->meta
        || (json_is_true(json_object_get(c->meta, "must_staple"))
            && json_object_get(c->meta, "ocsp"))
        || live_writer_serves(writer, &serves, c->id) != APR_SUCCESS) {
        return 0;
    }
    number = kept(cmd, c->id, pool);
    return number != 0 && number != serves;
}

apr_array_header_t *cmd_behind(cmd_t *cmd,
                               const apr_array_header_t *certificates)
{
    live_writer_t *writer = cmd_live_writer(cmd);
    apr_array_header_t *behind = apr_array_make(cmd->pool, 1, sizeof(void *));
    apr_pool_t *iterpool;
    int i;

    apr_pool_create(&iterpool, cmd->pool);
    for (i = 0; writer && i < certificates->nelts; i++) {
        const cmd_certificate_t *c = APR_ARRAY_IDX(certificates, i,
                                                   const cmd_certificate_t *);

        apr_pool_clear(iterpool);
        if (is_behind(cmd, writer, c, iterpool)) {
            APR_ARRAY_PUSH(behind, const cmd_certificate_t *) = c;
        }
    }
    apr_pool_destroy(iterpool);
    return behind;
}

void cmd_publish(cmd_t *cmd, const apr_array_header_t *behind)
{
    apr_size_t jobs = (apr_size_t)behind->nelts;
    keeper_options_t options = { 0 };
    worker_plan_t *plan = cmd_plan_make(cmd);
    keeper_job_t *kj = apr_pcalloc(cmd->pool, (jobs + 1) * sizeof(*kj));
    keeper_t *keeper;
    apr_size_t i;

    for (i = 0; i < jobs; i++) {
        worker_job_t *wj = apr_array_push(plan->jobs);

        memset(wj, 0, sizeof(*wj));
        kj[i].id = APR_ARRAY_IDX(behind, i, const cmd_certificate_t *)->id;
    }
    options.plan = plan;
    options.jobs = kj;
    options.store = cmd->store;
    options.schemas = cmd->schemas;
    options.clock = cmd->clock;
    options.live = json_string_value(json_object_get(
        json_object_get(cmd->config, "server"), "live"));
    keeper = keeper_make(&options, cmd->pool);
    for (i = 0; i < jobs; i++) {
        keeper_publish(keeper, (int)i, cmd->pool);
        if (keeper_outcome(keeper, (int)i)->live) {
            base_log(BASE_LOG_NOTICE, "%s: the certificate that an earlier "
                     "run has left is served now", kj[i].id);
        }
    }
}
