/*
 * certificates.c: acmectl certificates, acmectl status
 */
#include <stdlib.h>
#include <string.h>

#include "cmd/internal.h"

/** The store for reading; one that is not there yet is empty. */
static apr_status_t open_for_reading(cmd_t *cmd)
{
    apr_status_t rv = cmd_read_config(cmd);

    return rv == APR_SUCCESS ? cmd_look_into_store(cmd) : rv;
}

static void list(cmd_t *cmd)
{
    apr_array_header_t *certificates = apr_array_make(cmd->pool, 16,
                                                      sizeof(void *));
    json_t *array = json_array();
    json_t *ledger = NULL;
    json_t *domain;
    size_t i;
    int k;

    json_object_set_new(cmd->result, "certificates", array);
    if (cmd->store && cmd_read_ledger(cmd, &ledger) != APR_SUCCESS) {
        return;
    }
    json_array_foreach(json_object_get(cmd->config, "domains"), i, domain) {
        cmd_certificates_of(cmd, domain, ledger, certificates);
    }
    for (k = 0; k < certificates->nelts; k++) {
        json_array_append_new(array, cmd_certificate_json(
            cmd, APR_ARRAY_IDX(certificates, k, cmd_certificate_t *)));
    }
}

void cmd_certificates(cmd_t *cmd)
{
    if (open_for_reading(cmd) == APR_SUCCESS) {
        list(cmd);
    }
}

/** The line of the manager's lock ends in "pid N". */
static pid_t holder_pid(const char *holder)
{
    const char *text = strstr(holder, "pid ");

    return text ? (pid_t)strtol(text + 4, NULL, 10) : 0;
}

static json_t *manager_json(cmd_t *cmd)
{
    const char *holder = "";
    int running = cmd->store && base_lock_holder(
        &holder, cmd_manager_lock(cmd->store, cmd->pool), cmd->pool)
        == APR_SUCCESS;
    pid_t pid = running ? holder_pid(holder) : 0;

    return json_pack("{s:O, s:b, s:o}", "enabled", json_object_get(
                         json_object_get(cmd->config, "server"), "manager"),
                     "running", running,
                     "pid", pid ? json_integer(pid) : json_null());
}

/** What the journal holds; that it cannot be read is a note. */
static void add_journal(cmd_t *cmd)
{
    acme_err_t first = cmd->err;

    base_err_clear(&cmd->err);
    if (cmd_journal_json(cmd) != APR_SUCCESS) {
        cmd_note(cmd, "%s", cmd->err.message);
    }
    cmd->err = first;
}

/** While httpd refuses its configuration the journal, where it can be
 *  found, is what helps. */
static void add_journal_alone(cmd_t *cmd)
{
    const char *dir;
    acme_err_t first = cmd->err;

    base_err_clear(&cmd->err);
    if (cmd_find_store(cmd, &dir) == APR_SUCCESS) {
        add_journal(cmd);
        /* Why httpd did not tell where it is: the error says it. */
        json_object_del(cmd->result, "notes");
    }
    cmd->err = first;
}

void cmd_status(cmd_t *cmd)
{
    json_t *httpd;
    pid_t pid = 0;

    if (open_for_reading(cmd) != APR_SUCCESS) {
        add_journal_alone(cmd);
        return;
    }
    list(cmd);
    add_journal(cmd);
    httpd = json_pack("{s:b}", "running", cmd_httpd_running(cmd, &pid));
    json_object_set_new(httpd, "pid", pid ? json_integer(pid) : json_null());
    json_object_set_new(cmd->result, "httpd", httpd);
    json_object_set_new(cmd->result, "manager", manager_json(cmd));
    if (!pid) {
        cmd_note(cmd, "httpd is not running");
    }
}
