/*
 * manage.c: what the hosts of a plan need of the whole server: modules,
 * settings, a place for staples, ports. The files are read as text only if
 * something is missing.
 */
#include "configurator/server.h"

#include <string.h>

#include <apr_strings.h>

/* ----------------------------------------------------------------- edits */

apr_status_t server_file(plan_file_t **pfile, configurator_plan_t *plan,
                         const char *path, journal_step_t step,
                         const apr_array_header_t *lines, acme_err_t *err)
{
    const char *who;
    apr_status_t rv = plan_file(pfile, plan, path, step, err);

    if (rv != APR_SUCCESS || !apache_is_generated((*pfile)->text, &who)) {
        return rv;
    }
    return plan_refuse(plan, apr_array_pstrcat(plan->pool, lines, '\n'), err,
                       "%s is written by %s, which would undo a change: "
                       "make it there", path, who);
}

static edits_t *early_edits(configurator_plan_t *plan, plan_file_t *file)
{
    if (!file->early) {
        file->early = edits_make(file->text, plan->c->lens, plan->pool);
    }
    return file->early;
}

apr_status_t server_insert(configurator_plan_t *plan, plan_file_t *file,
                           int before, const apr_array_header_t *lines,
                           int early, acme_err_t *err)
{
    apr_status_t rv = edits_insert(file->edits, before, lines, err);

    return rv == APR_SUCCESS && early
           ? edits_insert(early_edits(plan, file), before, lines, err) : rv;
}

apr_status_t server_remove(configurator_plan_t *plan, plan_file_t *file,
                           int line, int early, acme_err_t *err)
{
    apr_status_t rv = edits_remove(file->edits, line, err);

    return rv == APR_SUCCESS && early
           ? edits_remove(early_edits(plan, file), line, err) : rv;
}

void server_create(configurator_plan_t *plan, const char *path,
                   journal_step_t step, const char *data, const char *early)
{
    journal_change_t change = { 0 };

    change.op = JOURNAL_CREATE;
    change.step = step;
    change.path = path;
    change.data = data;
    change.len = strlen(data);
    change.mode = 0644;
    plan_add(plan, &change);
    if (early) {
        change.data = early;
        change.len = strlen(early);
        plan_add_early(plan, &change);
    }
}

apr_array_header_t *server_wrap(const char *module,
                                const apr_array_header_t *lines)
{
    apr_array_header_t *all = apr_array_make(lines->pool, lines->nelts + 2,
                                             sizeof(char *));

    APR_ARRAY_PUSH(all, const char *) = apr_pstrcat(lines->pool,
                                                    "<IfModule ", module,
                                                    ">", NULL);
    apr_array_cat(all, lines);
    APR_ARRAY_PUSH(all, const char *) = "</IfModule>";
    return all;
}

void server_take_settings(server_plan_t *server, apr_array_header_t *lines,
                          const char *path)
{
    int i;

    for (i = 0; i < server->settings->nelts; i++) {
        plan_step(server->plan, "set %s in %s",
                  APR_ARRAY_IDX(server->settings, i, const char *), path);
    }
    apr_array_cat(lines, server->settings);
    apr_array_clear(server->settings);
}

/* ---------------------------------------------------------------- manage */

/** The files as text, read once a plan. */
static apr_status_t read_files(configurator_plan_t *plan, acme_err_t *err)
{
    const configurator_t *c = plan->c;
    walk_options_t options = { 0 };

    if (plan->walk) {
        return APR_SUCCESS;
    }
    options.config = json_string_value(json_object_get(server_of(c),
                                                       "config"));
    options.root = json_string_value(json_object_get(server_of(c), "root"));
    options.defines = c->options->defines;
    options.modules = json_object_get(c->config, "modules");
    return walk_run(&plan->walk, &options, err, plan->pool);
}

void server_stage_up(configurator_plan_t *plan, apr_array_header_t *changes)
{
    /* What cannot be read here has been read by httpd: then nothing is
     * known of its includes, and names with a dot do no harm in most. */
    acme_err_t ignored = { 0 };
    int i;

    if (changes->nelts == 0 || read_files(plan, &ignored) != APR_SUCCESS) {
        return;
    }
    for (i = 0; i < changes->nelts; i++) {
        journal_change_t *change = &APR_ARRAY_IDX(changes, i,
                                                  journal_change_t);
        const char *path = change->path, *real;

        if (change->op == JOURNAL_MODIFY
            && base_path_real(&real, path, &ignored, plan->pool)
               == APR_SUCCESS) {
            path = real;
        }
        change->stage_up = walk_bare_levels(plan->walk,
                                            base_path_dir(path, plan->pool),
                                            plan->pool);
    }
}

static apr_status_t look(server_plan_t *server, acme_err_t *err)
{
    apr_status_t rv = read_files(server->plan, err);

    if (rv == APR_SUCCESS) {
        server->walk = server->plan->walk;
        server->layout = layout_find(server->walk, server->plan->pool);
    }
    return rv;
}

apr_status_t configurator_manage(configurator_plan_t *plan, int *presult,
                                 acme_err_t *err)
{
    server_plan_t server = { 0 };
    apr_status_t rv = APR_SUCCESS;

    server.plan = plan;
    server.wanted = apr_array_make(plan->pool, 4, sizeof(char *));
    server.settings = apr_array_copy(plan->pool, plan->settings);
    modules_wanted(&server);
    *presult = server.wanted->nelts > 0 || server.settings->nelts > 0
               || plan->stapling_cache;
    if (!listen_is_complete(plan)) {
        *presult = 1;
    }
    if (*presult) {
        rv = look(&server, err);
    }
    if (rv == APR_SUCCESS && *presult) {
        rv = modules_load(&server, err);
    }
    if (rv == APR_SUCCESS && *presult) {
        rv = settings_put(&server, err);
    }
    return rv == APR_SUCCESS ? listen_put(&server, err) : rv;
}
