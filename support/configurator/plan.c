/*
 * plan: what a plan holds, while it grows.
 */
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "configurator/internal.h"
#include "configurator/server.h"

apr_status_t configurator_plan(configurator_plan_t **pplan,
                               configurator_t *c, acme_err_t *err,
                               apr_pool_t *result_pool)
{
    configurator_plan_t *plan = apr_pcalloc(result_pool, sizeof(*plan));

    (void)err;
    plan->c = c;
    plan->pool = result_pool;
    plan->files = apr_array_make(result_pool, 4, sizeof(plan_file_t *));
    plan->hosts = apr_array_make(result_pool, 4, sizeof(plan_host_t *));
    plan->twins = apr_array_make(result_pool, 4, sizeof(plan_new_t *));
    plan->domains = apr_array_make(result_pool, 4,
                                   sizeof(apr_array_header_t *));
    plan->modules = apr_hash_make(result_pool);
    plan->listens = apr_array_make(result_pool, 2, sizeof(plan_listen_t));
    plan->changes = apr_array_make(result_pool, 4, sizeof(journal_change_t));
    plan->early = apr_array_make(result_pool, 4, sizeof(journal_change_t));
    plan->settings = apr_array_make(result_pool, 4, sizeof(char *));
    plan->steps = apr_array_make(result_pool, 4, sizeof(char *));
    plan->warnings = apr_array_make(result_pool, 4, sizeof(char *));
    *pplan = plan;
    return APR_SUCCESS;
}

/* ----------------------------------------------------------------- files */

static plan_file_t *file_find(const configurator_plan_t *plan,
                              const char *real)
{
    int i;

    for (i = 0; i < plan->files->nelts; i++) {
        plan_file_t *file = APR_ARRAY_IDX(plan->files, i, plan_file_t *);

        if (strcmp(file->real, real) == 0) {
            return file;
        }
    }
    return NULL;
}

apr_status_t plan_file(plan_file_t **pfile, configurator_plan_t *plan,
                       const char *path, journal_step_t step,
                       acme_err_t *err)
{
    const char *real;
    plan_file_t *file;
    text_t *text;
    apr_status_t rv = base_path_real(&real, path, err, plan->pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    file = file_find(plan, real);
    if (!file) {
        rv = text_read(&text, path, err, plan->pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        file = apr_pcalloc(plan->pool, sizeof(*file));
        file->text = text;
        file->real = real;
        file->edits = edits_make(text, plan->c->lens, plan->pool);
        APR_ARRAY_PUSH(plan->files, plan_file_t *) = file;
    }
    if (step > file->step) {
        file->step = step;
    }
    *pfile = file;
    return APR_SUCCESS;
}

apr_status_t plan_host_file(plan_file_t **pfile, configurator_plan_t *plan,
                            const char *path, acme_err_t *err)
{
    const char *who;
    apr_status_t rv = plan_file(pfile, plan, path, JOURNAL_STEP_HOSTS, err);

    if (rv == APR_SUCCESS && apache_is_generated((*pfile)->text, &who)) {
        rv = plan_refuse(plan, NULL, err, "%s is written by %s, which would "
                         "undo a change: change it there", path, who);
    }
    return rv;
}

int plan_line_of(const plan_file_t *file, const directive_t *directive)
{
    int i;

    for (i = 0; i < file->text->lines->nelts; i++) {
        const scan_line_t *line = &APR_ARRAY_IDX(file->text->lines, i,
                                                 scan_line_t);

        if (line->last == directive->line
            && strcasecmp(line->name, directive->name) == 0) {
            return i;
        }
    }
    return -1;
}

/* ----------------------------------------------------------------- hosts */

plan_host_t *plan_host_find(const configurator_plan_t *plan,
                            configurator_host_t index)
{
    int i;

    for (i = 0; i < plan->hosts->nelts; i++) {
        plan_host_t *host = APR_ARRAY_IDX(plan->hosts, i, plan_host_t *);

        if (host->host->index == index) {
            return host;
        }
    }
    return NULL;
}

plan_new_t *plan_new_find(const configurator_plan_t *plan,
                          configurator_host_t of)
{
    int i;

    for (i = 0; i < plan->twins->nelts; i++) {
        plan_new_t *twin = APR_ARRAY_IDX(plan->twins, i, plan_new_t *);

        if (twin->of == of) {
            return twin;
        }
    }
    return NULL;
}

/* Another host with the same text: a file that is included twice. */
static const host_t *host_shares(const configurator_t *c,
                                 const host_t *host)
{
    int i;

    for (i = 0; i < c->hosts->nelts; i++) {
        const host_t *other = host_at(c, i);

        if (other != host && other->file && other->line == host->line
            && strcmp(other->file, host->file) == 0) {
            return other;
        }
    }
    return NULL;
}

/* Find the section that httpd has read. */
static apr_status_t section_find(int *popen, configurator_plan_t *plan,
                                 const plan_file_t *file, const host_t *host,
                                 acme_err_t *err)
{
    const text_t *text = file->text;

    *popen = text_section_at(text, "VirtualHost", host->line);
    return *popen >= 0 ? APR_SUCCESS
        : plan_refuse(plan, NULL, err, "%s:%d is not the virtual host that "
                      "httpd has read there: the file has changed since",
                      text->path, host->line);
}

apr_status_t plan_section(plan_file_t **pfile, int *popen,
                          configurator_plan_t *plan, const host_t *host,
                          acme_err_t *err)
{
    apr_status_t rv;

    if (host->macro || !host->file) {
        return plan_refuse(plan, NULL, err, "the virtual host at %s is made "
                           "by a macro or on the command line: its text "
                           "cannot be edited safely",
                           host_place(host, plan->pool));
    }
    if (host_shares(plan->c, host)) {
        return plan_refuse(plan, NULL, err, "the virtual host at %s is "
                           "included more than once: a change would be made "
                           "in each of them",
                           host_place(host, plan->pool));
    }
    rv = plan_host_file(pfile, plan, host->file, err);
    return rv == APR_SUCCESS ? section_find(popen, plan, *pfile, host, err)
                             : rv;
}

apr_status_t plan_host(plan_host_t **phost, configurator_plan_t *plan,
                       configurator_host_t index, acme_err_t *err)
{
    const host_t *host = host_at(plan->c, index);
    plan_host_t *found = plan_host_find(plan, index);
    acme_err_t why = { 0 };
    apr_status_t rv;

    if (found) {
        *phost = found;
        return APR_SUCCESS;
    }
    found = apr_pcalloc(plan->pool, sizeof(*found));
    found->host = host;
    found->stapling = -1;
    found->certificate = -1;
    found->aliases = apr_array_make(plan->pool, 1, sizeof(char *));
    rv = plan_section(&found->file, &found->open, plan, host, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (block_open(&found->block, plan->c->lens, found->file->text,
                   found->open, &why, plan->pool) != APR_SUCCESS) {
        return plan_refuse(plan, NULL, err, "%s", why.message);
    }
    APR_ARRAY_PUSH(plan->hosts, plan_host_t *) = found;
    *phost = found;
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- wishes */

void plan_want_module(configurator_plan_t *plan, const char *name,
                      const char *what_for)
{
    if (!apr_hash_get(plan->modules, name, APR_HASH_KEY_STRING)) {
        apr_hash_set(plan->modules, name, APR_HASH_KEY_STRING, what_for);
    }
}

void plan_want_listen(configurator_plan_t *plan, const char *address,
                      int port)
{
    plan_listen_t *new;
    int i;

    for (i = 0; i < plan->listens->nelts; i++) {
        const plan_listen_t *old = &APR_ARRAY_IDX(plan->listens, i,
                                                  plan_listen_t);

        if (old->port == port && address_is_same(old->address, address)) {
            return;
        }
    }
    new = apr_array_push(plan->listens);
    new->address = address;
    new->port = port;
}

void plan_add(configurator_plan_t *plan, const journal_change_t *change)
{
    APR_ARRAY_PUSH(plan->changes, journal_change_t) = *change;
}

void plan_add_early(configurator_plan_t *plan,
                    const journal_change_t *change)
{
    APR_ARRAY_PUSH(plan->early, journal_change_t) = *change;
}

/* ----------------------------------------------------------------- words */

static void sentence_add(apr_array_header_t *list, const char *sentence)
{
    if (!base_list_has(list, sentence)) {
        APR_ARRAY_PUSH(list, const char *) = sentence;
    }
}

void plan_step(configurator_plan_t *plan, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    sentence_add(plan->steps, apr_pvsprintf(plan->pool, fmt, args));
    va_end(args);
}

void plan_warn(configurator_plan_t *plan, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    sentence_add(plan->warnings, apr_pvsprintf(plan->pool, fmt, args));
    va_end(args);
}

apr_status_t plan_refuse(configurator_plan_t *plan, const char *paste,
                         acme_err_t *err, const char *fmt, ...)
{
    va_list args;

    plan->paste = paste;
    va_start(args, fmt);
    base_err_set(err, APR_ENOTIMPL, BASE_EXIT_FAILED, "%s",
                 apr_pvsprintf(plan->pool, fmt, args));
    va_end(args);
    return APR_ENOTIMPL;
}
