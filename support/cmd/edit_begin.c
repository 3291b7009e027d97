/*
 * edit_begin.c: how a change of the configuration begins: signals wait,
 * nothing is left of a killed run, store and journal are ours, and what
 * httpd reads is known. Its course is drawn in edit.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_strings.h>

#include "cmd/internal.h"

/** Longer than this, µs, with --wait: the lock was somebody else's. */
#define WAITED (50 * 1000)

/* ---------------------------------------------------------------- signals */

static void on_signal(int number)
{
    (void)number;
    worker_stop();
}

/** A signal ends the run between two steps, and the net worker at once. A
 *  reader that has gone away does not end it: files may be half-changed. */
static void catch_signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action;
    size_t i;

    memset(&action, 0, sizeof(action));
    sigemptyset(&action.sa_mask);
    action.sa_handler = on_signal;
    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sigaction(numbers[i], &action, NULL);
    }
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

/* ------------------------------------------------------------------ begin */

static apr_status_t remove_scratch(void *dir)
{
    acme_err_t ignored = { 0 };
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    base_dir_remove(dir, &ignored, pool);
    apr_pool_destroy(pool);
    return APR_SUCCESS;
}

/** A journal that goes with this process: a plan writes nothing. */
static apr_status_t make_scratch(cmd_edit_t *edit)
{
    cmd_t *cmd = edit->cmd;
    const char *tmp;
    char *dir;

    if (apr_temp_dir_get(&tmp, cmd->pool) != APR_SUCCESS) {
        tmp = "/tmp";
    }
    dir = apr_pstrcat(cmd->pool, tmp, "/acmectl-plan-XXXXXX", NULL);
    if (!mkdtemp(dir)) {
        return base_err_path(&cmd->err, errno, "make a directory like", dir);
    }
    apr_pool_cleanup_register(cmd->pool, dir, remove_scratch,
                              apr_pool_cleanup_null);
    return journal_open(&edit->journal,
                        apr_pstrcat(cmd->pool, dir, "/journal", NULL), 1,
                        &cmd->err, cmd->pool);
}

/** Hold edit->journal and have nothing left in it.
 *  @param pundone  set: 1 files were put back, so that all is to be read
 *                  again */
static apr_status_t take_journal(cmd_edit_t *edit, int *pundone)
{
    cmd_t *cmd = edit->cmd;

    if (cmd_journal_take(cmd, edit->journal) != APR_SUCCESS
        || cmd_journal_recover(cmd, edit->journal, JOURNAL_DRIFT_REFUSE,
                               pundone, &cmd->err) != APR_SUCCESS) {
        return cmd->err.status;
    }
    return cmd->undone.marked ? cmd_undone_reload(cmd, &cmd->err)
                              : APR_SUCCESS;
}

/** A plan reads: neither store nor lock is made. */
static apr_status_t begin_plan(cmd_edit_t *edit)
{
    cmd_t *cmd = edit->cmd;
    const char *named = cmd->store_dir;
    journal_undo_t undo;
    journal_t *journal;

    if (cmd_journal_interrupted(cmd, &journal)) {
        return base_err_set(&cmd->err, APR_EEXIST, BASE_EXIT_JOURNAL,
                            "an interrupted change is still there, and a "
                            "plan undoes nothing: run \"acmectl recover\" "
                            "first");
    }
    cmd->store_dir = named;
    if (cmd_read_config_once(cmd) != APR_SUCCESS) {
        return cmd->err.status;
    }
    if (cmd_look_into_store(cmd) == APR_SUCCESS
        && make_scratch(edit) == APR_SUCCESS
        && cmd_journal_take(cmd, edit->journal) == APR_SUCCESS) {
        journal_recover(&undo, edit->journal, JOURNAL_DRIFT_REFUSE,
                        &cmd->err, cmd->pool, cmd->pool);
    }
    return cmd->err.status;
}

/** Store and journal are ours until the process ends, and what was read is
 *  what they are about. */
static apr_status_t begin_locked(cmd_edit_t *edit)
{
    cmd_t *cmd = edit->cmd;
    apr_time_t asked;
    int undone = 0;

    if (cmd_begin(cmd) != APR_SUCCESS) {
        return cmd->err.status;
    }
    asked = cmd->clock->mono(cmd->clock);
    if (cmd_open_store(cmd, 1) != APR_SUCCESS) {
        return cmd->err.status;
    }
    cmd->journal_store = cmd->store;
    if (journal_open(&edit->journal,
                     apr_pstrcat(cmd->pool, store_dir(cmd->store),
                                 "/journal", NULL), 1, &cmd->err, cmd->pool)
        != APR_SUCCESS
        || take_journal(edit, &undone) != APR_SUCCESS) {
        return cmd->err.status;
    }
    if (undone || (cmd->options.wait > 0
                   && cmd->clock->mono(cmd->clock) - asked > WAITED)) {
        cmd->config = NULL;
    }
    return cmd_read_config(cmd);
}

apr_status_t cmd_edit_begin(cmd_edit_t **pedit, cmd_t *cmd)
{
    cmd_edit_t *edit = apr_pcalloc(cmd->pool, sizeof(*edit));
    configurator_options_t *options = apr_pcalloc(cmd->pool,
                                                  sizeof(*options));
    apr_status_t rv;

    *pedit = edit;
    edit->cmd = cmd;
    cmd->brings_module = 1;
    json_object_set_new(cmd->result, "checkpoint", json_null());
    json_object_set_new(cmd->result, "files", json_array());
    catch_signals();
    rv = cmd->options.plan ? begin_plan(edit) : begin_locked(edit);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    edit->before = cmd->config;
    cmd->running = cmd->config;
    edit->running = cmd_httpd_running(cmd, NULL);
    options->module = cmd->module;
    options->defines = cmd->httpd.defines;
    rv = configurator_probe(&edit->configurator, edit->before, options,
                            &cmd->err, cmd->pool);
    return rv;
}
