/*
 * main.c: from argv to exit status.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "cmd/internal.h"

/** apachectl beside httpd, where there is one: it brings the environment
 *  that a configuration may need (Debian's needs it); else httpd. */
static const char *default_httpd(apr_pool_t *pool)
{
    const char *slash = strrchr(ACMECTL_HTTPD, '/');
    const char *ctl;

    if (!slash) {
        return ACMECTL_HTTPD;
    }
    ctl = apr_pstrcat(pool, apr_pstrndup(pool, ACMECTL_HTTPD,
                                         (apr_size_t)(slash
                                                      - ACMECTL_HTTPD)),
                      "/apachectl", NULL);
    return access(ctl, X_OK) == 0 ? ctl : ACMECTL_HTTPD;
}

/** mod_acme as it was installed; ACME_MODULE names one that was not. */
static const char *default_module(void)
{
    const char *named = getenv("ACME_MODULE");

    return named && *named == '/' ? named : ACMECTL_MODULE;
}

static cmd_t *make_cmd(apr_pool_t *pool)
{
    cmd_t *cmd = apr_pcalloc(pool, sizeof(*cmd));

    cmd->pool = pool;
    cmd->args = apr_array_make(pool, 8, sizeof(const char *));
    cmd->defines = apr_array_make(pool, 4, sizeof(const char *));
    cmd->options.vhosts = apr_array_make(pool, 4, sizeof(const char *));
    cmd->httpd.binary = default_httpd(pool);
    cmd->httpd.defines = cmd->defines;
    cmd->default_store = ACMECTL_STORE_DIR;
    cmd->module = default_module();
    cmd->log_target = "stderr";
    cmd->log_level = BASE_LOG_WARN;
    cmd->display_options.in = stdin;
    cmd->display_options.out = stdout;
    cmd->display_options.err = stderr;
    cmd->clock = base_clock_system();
    cmd->result = base_json_own(json_object(), pool);
    cmd->notify = notify_make(pool);
    return cmd;
}

/** What the error says is no note as well. */
static void drop_note(json_t *result, const char *message)
{
    json_t *notes = json_object_get(result, "notes");
    size_t i = json_array_size(notes);

    while (i-- > 0) {
        if (strcmp(json_string_value(json_array_get(notes, i)), message)
            == 0) {
            json_array_remove(notes, i);
        }
    }
    if (notes && json_array_size(notes) == 0) {
        json_object_del(result, "notes");
    }
}

/** What every result object has. */
static void finish_result(cmd_t *cmd)
{
    int failed = cmd->err.status != APR_SUCCESS;

    if (failed) {
        cmd->exit = cmd->err.exit;
        /* On stderr the display says the same. */
        if (strcmp(cmd->log_target, "stderr") != 0) {
            base_log(BASE_LOG_ERROR, "acmectl%s%s: %s",
                     cmd->verb ? " " : "", cmd->verb ? cmd->verb : "",
                     cmd->err.message);
        }
        json_object_set_new(cmd->result, "error",
                            cmd_error_json(&cmd->err));
        drop_note(cmd->result, cmd->err.message);
    }
    if (!json_object_get(cmd->result, "changed")) {
        json_object_set_new(cmd->result, "changed", json_false());
    }
    if (cmd->exit_changed && cmd->exit == BASE_EXIT_OK
        && json_is_true(json_object_get(cmd->result, "changed"))) {
        cmd->exit = BASE_EXIT_CHANGED;
    }
    json_object_set_new(cmd->result, "schema", json_string("acmectl/1"));
    json_object_set_new(cmd->result, "verb", cmd->verb
                        ? json_string(cmd->verb) : json_null());
    json_object_set_new(cmd->result, "exit", json_integer(cmd->exit));
    json_object_set_new(cmd->result, "ok",
                        json_boolean(cmd->exit == BASE_EXIT_OK
                                     || cmd->exit == BASE_EXIT_CHANGED));
}

static void run_verb(cmd_t *cmd, const cmd_verb_t *verb)
{
    if (base_log_open(cmd->log_target, cmd->log_level, &cmd->err, cmd->pool)
        != APR_SUCCESS) {
        cmd->log_target = "stderr";
    }
    else if (schema_set_builtin(&cmd->schemas, &cmd->err, cmd->pool)
             == APR_SUCCESS) {
        verb->fn(cmd);
    }
}

int cmd_main(int argc, const char *const *argv, apr_pool_t *pool)
{
    cmd_t *cmd = make_cmd(pool);
    const cmd_verb_t *verb;
    apr_status_t rv = cmd_parse(cmd, &verb, argc, argv);

    if (rv == APR_SUCCESS && !verb) {
        return BASE_EXIT_OK;
    }
    if (rv == APR_SUCCESS) {
        rv = display_check(&cmd->display_options, &cmd->err, pool);
    }
    cmd->display = display_open(&cmd->display_options, pool);
    if (!cmd->display_options.quiet) {
        base_tick_set(display_tick, cmd->display);
        base_log_before(display_clear, cmd->display);
    }
    if (rv == APR_SUCCESS) {
        run_verb(cmd, verb);
    }
    finish_result(cmd);
    base_tick_set(NULL, NULL);
    base_log_before(NULL, NULL);
    display_result(cmd->display, cmd->result);
    /* Who waits for the store need not wait for ACMENotify's program. */
    cmd_unlock_store(cmd);
    notify_end(cmd->notify);
    return cmd->exit;
}
