/*
 * configurator: look at a configuration, and end a plan of its changes.
 */
#include <string.h>

#include <apr_strings.h>

#include "configurator/server.h"

/* ----------------------------------------------------------------- probe */

static int port_of(const configurator_t *c, const char *which)
{
    return (int)json_integer_value(json_object_get(
        json_object_get(server_of(c), "port_map"), which));
}

configurator_t *configurator_read(const json_t *config,
                                  const configurator_options_t *options,
                                  apr_pool_t *pool)
{
    configurator_t *c = apr_pcalloc(pool, sizeof(*c));

    c->config = config;
    c->options = options;
    c->pool = pool;
    c->http = port_of(c, "http");
    c->https = port_of(c, "https");
    host_read_all(c);
    match_read(c);
    return c;
}

apr_status_t configurator_probe(configurator_t **pconfigurator,
                                const json_t *config,
                                const configurator_options_t *options,
                                acme_err_t *err, apr_pool_t *result_pool)
{
    configurator_t *c = configurator_read(config, options, result_pool);
    apr_status_t rv = augeas_base_open(&c->lens, err, result_pool);

    *pconfigurator = c;
    return rv;
}

const char *configurator_place(const configurator_t *c,
                               configurator_host_t host, apr_pool_t *pool)
{
    return host_place(host_at(c, host), pool);
}

const char *configurator_paste(const configurator_plan_t *plan)
{
    return plan->paste;
}

/* ---------------------------------------------------------------- finish */

/* Give the edits of a host's block to those of its file. */
static apr_status_t host_finish(const plan_host_t *host, acme_err_t *err)
{
    return block_is_edited(host->block)
           ? edits_block(host->file->edits, host->block, err) : APR_SUCCESS;
}

/* A new host for the main server, at the end of its file. */
static apr_status_t main_finish(const plan_new_t *new, acme_err_t *err,
                               apr_pool_t *pool)
{
    apr_array_header_t *lines = apr_array_make(pool, 12, sizeof(char *));

    APR_ARRAY_PUSH(lines, const char *) = "";
    APR_ARRAY_PUSH(lines, const char *) = "<IfModule ssl_module>";
    APR_ARRAY_PUSH(lines, const char *) =
        apr_psprintf(pool, "<VirtualHost %s>", new->header);
    apr_array_cat(lines, new->lines);
    APR_ARRAY_PUSH(lines, const char *) = "</VirtualHost>";
    APR_ARRAY_PUSH(lines, const char *) = "</IfModule>";
    return edits_insert(new->file->edits, -1, lines, err);
}

static apr_status_t new_finish(const plan_new_t *new, acme_err_t *err,
                               apr_pool_t *pool)
{
    return new->block
           ? edits_copy_behind(new->file->edits, new->block, new->open,
                               new->wrap ? "IfModule" : NULL, new->wrap, err)
           : main_finish(new, err, pool);
}

/* The change of a file. */
static apr_status_t file_finish(configurator_result_t *result,
                                const plan_file_t *file, acme_err_t *err,
                                apr_pool_t *pool)
{
    journal_change_t change = { 0 };
    apr_status_t rv;

    if (!edits_any(file->edits)) {
        return APR_SUCCESS;
    }
    rv = edits_finish(&change.data, &change.len, file->edits, err, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    change.op = JOURNAL_MODIFY;
    change.step = file->step;
    change.path = file->text->path;
    change.parsed = file->text->data;
    change.parsed_len = file->text->len;
    APR_ARRAY_PUSH(result->changes, journal_change_t) = change;
    if (!file->early) {
        return APR_SUCCESS;
    }
    rv = edits_finish(&change.data, &change.len, file->early, err, pool);
    if (rv == APR_SUCCESS) {
        APR_ARRAY_PUSH(result->early, journal_change_t) = change;
    }
    return rv;
}

/* Put in the order in which changes may go live; those of one step keep
 * their order. */
static void sort_by_step(apr_array_header_t *changes)
{
    journal_change_t *list = (journal_change_t *)changes->elts;
    int i, j;

    for (i = 1; i < changes->nelts; i++) {
        journal_change_t moved = list[i];

        for (j = i; j > 0 && list[j - 1].step > moved.step; j--) {
            list[j] = list[j - 1];
        }
        list[j] = moved;
    }
}

apr_status_t configurator_finish(configurator_result_t *result,
                                 configurator_plan_t *plan, acme_err_t *err,
                                 apr_pool_t *result_pool)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    result->changes = apr_array_copy(result_pool, plan->changes);
    result->early = apr_array_copy(result_pool, plan->early);
    result->steps = plan->steps;
    result->warnings = plan->warnings;
    for (i = 0; i < plan->hosts->nelts && rv == APR_SUCCESS; i++) {
        rv = host_finish(APR_ARRAY_IDX(plan->hosts, i, plan_host_t *), err);
    }
    for (i = 0; i < plan->twins->nelts && rv == APR_SUCCESS; i++) {
        rv = new_finish(APR_ARRAY_IDX(plan->twins, i, plan_new_t *), err,
                        result_pool);
    }
    for (i = 0; i < plan->files->nelts && rv == APR_SUCCESS; i++) {
        rv = file_finish(result, APR_ARRAY_IDX(plan->files, i,
                                               plan_file_t *),
                         err, result_pool);
    }
    server_stage_up(plan, result->changes);
    server_stage_up(plan, result->early);
    sort_by_step(result->changes);
    sort_by_step(result->early);
    return rv;
}
