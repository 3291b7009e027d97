/*
 * context.c: what most verbs begin and end with: httpd's configuration,
 * the store, a restart.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "acme_live.h"
#include "cmd/internal.h"

static const char *server_string(const cmd_t *cmd, const char *member)
{
    return json_string_value(json_object_get(
        json_object_get(cmd->config, "server"), member));
}

apr_status_t cmd_config_parse(cmd_t *cmd, json_t **pconfig, const char *text,
                              apr_size_t len)
{
    static const char what[] = "the document of httpd -t -D DUMP_ACME";
    json_t *config = len <= HTTPD_DUMP_MAX ? cmd_document_read(cmd, text, len)
                                       : NULL;
    apr_status_t rv;

    if (config) {
        *pconfig = config;
        return APR_SUCCESS;
    }
    rv = base_json_parse(&config, text, len, HTTPD_DUMP_MAX, what, &cmd->err,
                         cmd->pool);
    if (rv == APR_SUCCESS) {
        rv = schema_check(schema_find(cmd->schemas, "state/config-dump"),
                          config, what, &cmd->err);
    }
    if (rv == APR_SUCCESS) {
        *pconfig = config;
    }
    return rv;
}

apr_status_t cmd_read_config(cmd_t *cmd)
{
    const char *text;
    apr_size_t len;

    if (cmd->config) {
        return APR_SUCCESS;
    }
    display_progress(cmd->display, "httpd", "reading the configuration");
    if (httpd_dump_with(&text, &len, &cmd->httpd,
                        cmd->brings_module ? cmd->module : NULL, &cmd->err,
                        cmd->pool) != APR_SUCCESS
        || cmd_config_parse(cmd, &cmd->config, text, len) != APR_SUCCESS) {
        return cmd->err.status;
    }
    /* It is in this document: but does the configuration load it itself? */
    cmd->config_text = text;
    cmd->config_len = len;
    json_object_set_new(json_object_get(cmd->config, "modules"), "acme",
                        json_boolean(!cmd->httpd.module));
    cmd->httpd.server = server_string(cmd, "binary");
    return APR_SUCCESS;
}

apr_status_t cmd_open_store(cmd_t *cmd, int create)
{
    const char *dir = cmd->store_dir ? cmd->store_dir
                                     : server_string(cmd, "store");
    apr_status_t rv;

    rv = store_open(&cmd->store, dir, create, &cmd->err, cmd->pool);
    if (rv == APR_SUCCESS && create) {
        apr_pool_create(&cmd->lock_pool, cmd->pool);
        rv = store_lock(cmd->store, cmd_holder(cmd), cmd->options.wait,
                        &cmd->err, cmd->lock_pool);
    }
    /* While httpd has not heard of what was put back, what it has loaded is
     * what was kept before. */
    if (rv == APR_SUCCESS && create && cmd->config && cmd->config_text
        && !store_reload_is_due(cmd->store, cmd->pool)) {
        rv = store_config_write(cmd->store, cmd->config_text,
                                cmd->config_len, &cmd->err, cmd->pool);
    }
    return rv;
}

apr_status_t cmd_look_into_store(cmd_t *cmd)
{
    if (APR_STATUS_IS_ENOENT(cmd_open_store(cmd, 0))) {
        base_err_clear(&cmd->err);
        cmd->store = NULL;
    }
    return cmd->err.status;
}

void cmd_unlock_store(cmd_t *cmd)
{
    if (cmd->lock_pool) {
        apr_pool_destroy(cmd->lock_pool);
    }
    cmd->lock_pool = NULL;
}

apr_status_t cmd_read_ledger(cmd_t *cmd, json_t **pledger)
{
    apr_status_t rv;

    rv = store_ledger_read(pledger, cmd->store, &cmd->err, cmd->pool);
    if (rv == APR_SUCCESS) {
        rv = schema_check(schema_find(cmd->schemas, "state/ledger"),
                          *pledger, "ledger.json", &cmd->err);
        if (rv != APR_SUCCESS) {
            base_err_wrap(&cmd->err, "%s/ledger.json is damaged; move it "
                          "away to begin a new one", store_dir(cmd->store));
        }
    }
    return rv;
}

int cmd_httpd_running(cmd_t *cmd, pid_t *ppid)
{
    acme_err_t ignored = { 0 };
    pid_t pid;

    if (httpd_running(&pid, server_string(cmd, "pid_file"),
                      server_string(cmd, "binary"), &ignored, cmd->pool)
        != APR_SUCCESS) {
        return 0;
    }
    if (ppid) {
        *ppid = pid;
    }
    return 1;
}

static unsigned long long live_generation(void *baton)
{
    return live_writer_generation(baton);
}

apr_status_t cmd_activate(cmd_t *cmd)
{
    const char *reason = NULL;
    live_writer_t *live = NULL;

    /* Without a segment the restart is watched by the parent's pid alone. */
    if (live_writer_open(&live, server_string(cmd, "live"), &reason,
                         cmd->pool) != APR_SUCCESS) {
        live = NULL;
    }
    return httpd_graceful(&cmd->httpd, server_string(cmd, "pid_file"),
                          live ? live_generation : NULL, live,
                          CMD_GRACEFUL_DEADLINE, &cmd->err, cmd->pool);
}

void cmd_note(cmd_t *cmd, const char *fmt, ...)
{
    json_t *notes = json_object_get(cmd->result, "notes");
    char clean[sizeof(cmd->err.message)];
    const char *text;
    va_list ap;

    va_start(ap, fmt);
    text = apr_pvsprintf(cmd->pool, fmt, ap);
    va_end(ap);
    if (!notes) {
        notes = json_array();
        json_object_set_new(cmd->result, "notes", notes);
    }
    json_array_append_new(notes, json_string(
        base_clean(clean, sizeof(clean), text)));
}

json_t *cmd_error_json(const acme_err_t *err)
{
    json_t *error = json_pack("{s:s, s:s}", "type", err->type[0]
                              ? err->type : "acmectl", "detail",
                              err->message);

    if (error && err->identifier[0]) {
        json_object_set_new(error, "identifier",
                            json_string(err->identifier));
    }
    return error;
}

base_exit_t cmd_exit_for(int failed, int all, const acme_err_t *first)
{
    if (failed == 0) {
        return BASE_EXIT_OK;
    }
    return failed < all ? BASE_EXIT_PARTIAL : first->exit;
}
