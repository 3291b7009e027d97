/*
 * rollback.c: acmectl rollback [N|--to ID] [--plan] [--merge|--force]
 *
 *     lock ──> interrupted change? ──yes──> undo it; N counts from another
 *                │no                        end now, so stop (--to goes on)
 *                v
 *              look at all ──edits in the way──> exit 5, nothing touched
 *                │       └──plan──> diff, nothing touched
 *                v
 *              undo ──> reload httpd, if it runs and has loaded it
 */
#include <string.h>

#include "cmd/internal.h"

/** What the command line asks for. */
static apr_status_t parse(cmd_t *cmd, journal_rollback_t *how)
{
    const cmd_options_t *options = &cmd->options;
    const char *n = cmd->args->nelts > 0
                    ? APR_ARRAY_IDX(cmd->args, 0, const char *) : "1";

    memset(how, 0, sizeof(*how));
    how->plan = options->plan;
    how->drift = options->merge ? JOURNAL_DRIFT_MERGE
                 : options->force ? JOURNAL_DRIFT_FORCE
                 : JOURNAL_DRIFT_REFUSE;
    if (options->merge && options->force) {
        return base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                            "rollback takes one of --merge and --force");
    }
    if (options->to) {
        how->to = cmd_number(options->to);
    }
    else {
        how->count = (int)cmd_number(n);
    }
    if (cmd->args->nelts > (options->to ? 0 : 1)
        || (how->count == 0 && how->to == 0)) {
        return base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                            "rollback takes how many checkpoints to undo, "
                            "or --to and the number of one; \"acmectl "
                            "checkpoints\" lists them");
    }
    return APR_SUCCESS;
}

/** httpd's word about a merged configuration. */
static apr_status_t test(void *baton, acme_err_t *err, apr_pool_t *pool)
{
    return httpd_configtest(&((cmd_t *)baton)->httpd, err, pool);
}

/** The newest checkpoint that is there, 0 for none. */
static apr_status_t newest(cmd_t *cmd, const journal_t *journal,
                           unsigned long *pid,
                           apr_array_header_t **pcheckpoints)
{
    apr_status_t rv = journal_list(pcheckpoints, journal, &cmd->err,
                                   cmd->pool);

    if (rv == APR_SUCCESS) {
        int n = (*pcheckpoints)->nelts;

        *pid = n > 0 ? APR_ARRAY_IDX(*pcheckpoints, n - 1,
                                     journal_checkpoint_t).id : 0;
    }
    return rv;
}

/** After an interrupted change was undone. @return 1 if that was all */
static int is_over(cmd_t *cmd, const journal_rollback_t *how,
                   unsigned long last)
{
    if (how->count > 0) {
        /* It may have been the one that was meant. */
        base_err_set(&cmd->err, APR_EGENERAL, BASE_EXIT_FAILED,
                     "an interrupted change was undone first, and no "
                     "checkpoint besides: look at \"acmectl checkpoints\" "
                     "and say again how many");
        return 1;
    }
    if (last < how->to) {
        cmd_note(cmd, "checkpoint %lu is not there any more", how->to);
        return 1;
    }
    return 0;
}

/** "undone", of checkpoints those that are not there any more, and
 *  "checkpoint", the newest that is. @return when the oldest was begun */
static apr_time_t tell_undone(cmd_t *cmd, const journal_t *journal,
                              const apr_array_header_t *checkpoints)
{
    acme_err_t err = cmd->err;
    apr_time_t begun = cmd->clock->wall(cmd->clock);
    json_t *undone = json_array();
    apr_array_header_t *left;
    unsigned long last = 0;
    int i;

    base_err_clear(&cmd->err);
    newest(cmd, journal, &last, &left);
    for (i = checkpoints->nelts - 1; i >= 0; i--) {
        const journal_checkpoint_t *c = &APR_ARRAY_IDX(checkpoints, i,
                                                       journal_checkpoint_t);

        if (c->id > last) {
            json_array_append_new(undone,
                                  json_integer((json_int_t)c->id));
            begun = c->created;
        }
    }
    json_object_set_new(cmd->result, "undone", undone);
    json_object_set_new(cmd->result, "checkpoint", last
                        ? json_integer((json_int_t)last) : json_null());
    if (err.status != APR_SUCCESS) {
        cmd->err = err;
    }
    return begun;
}

/** Which checkpoints a plan is about. */
static void tell_meant(cmd_t *cmd, const journal_rollback_t *how,
                       const apr_array_header_t *checkpoints)
{
    int n = checkpoints->nelts;
    int i;

    for (i = n - 1; i >= 0; i--) {
        const journal_checkpoint_t *c = &APR_ARRAY_IDX(checkpoints, i,
                                                       journal_checkpoint_t);

        if (how->count > 0 ? n - i > how->count : c->id < how->to) {
            return;
        }
        cmd_note(cmd, "checkpoint %lu would be undone: %s", c->id,
                 c->title);
    }
}

static void tell_files(cmd_t *cmd, const journal_rollback_t *how,
                       const journal_undo_t *undo)
{
    json_object_set_new(cmd->result, "files",
                        cmd_files_json(undo->files, cmd->pool));
    json_object_set_new(cmd->result, "conflicts",
                        cmd_files_json(undo->conflicts, cmd->pool));
    if (how->plan && how->diff) {
        json_object_set_new(cmd->result, "diff",
                            json_string_nocheck(how->diff));
    }
}

/** @return 1 if httpd may load the files as they are now */
static int undo(cmd_t *cmd, journal_t *journal, journal_rollback_t *how,
                const apr_array_header_t *checkpoints)
{
    journal_undo_t undo;
    apr_time_t begun;
    apr_status_t rv;

    how->test = test;
    how->baton = cmd;
    if (!how->plan) {
        cmd_undone_mark(cmd);
    }
    rv = journal_rollback(&undo, journal, how, &cmd->err, cmd->pool,
                          cmd->pool);
    tell_files(cmd, how, &undo);
    begun = tell_undone(cmd, journal, checkpoints);
    if (how->plan) {
        if (rv == APR_SUCCESS) {
            tell_meant(cmd, how, checkpoints);
        }
        return 0;
    }
    cmd_undone_add(cmd, &undo, begun);
    /* What is half undone is not for httpd to load. */
    return rv == APR_SUCCESS
           || (undo.count == 0 && undo.files->nelts == 0);
}

/** Undo what a killed run left. @return 1 if the rollback goes on */
static int recover(cmd_t *cmd, journal_t *journal,
                   const journal_rollback_t *how)
{
    apr_array_header_t *checkpoints;
    unsigned long last;
    int count = 0;

    if (how->plan) {
        return 1;
    }
    return cmd_journal_recover(cmd, journal, JOURNAL_DRIFT_REFUSE, &count,
                               &cmd->err) == APR_SUCCESS
        && (count == 0
            || (newest(cmd, journal, &last, &checkpoints) == APR_SUCCESS
                && !is_over(cmd, how, last)));
}

/** Let httpd know; the first error is the verb's. */
static void reload(cmd_t *cmd)
{
    acme_err_t err = { 0 };

    if (cmd_undone_reload(cmd, &err) == APR_SUCCESS) {
        return;
    }
    if (cmd->err.status == APR_SUCCESS) {
        cmd->err = err;
    }
    else {
        cmd_note(cmd, "%s", err.message);
    }
}

static void run(cmd_t *cmd, journal_t *journal, journal_rollback_t *how)
{
    apr_array_header_t *checkpoints;
    unsigned long last;
    int whole = 0;

    if (recover(cmd, journal, how)) {
        whole = newest(cmd, journal, &last, &checkpoints) == APR_SUCCESS
                && undo(cmd, journal, how, checkpoints);
    }
    else {
        whole = cmd->err.exit != BASE_EXIT_JOURNAL;
    }
    if (whole) {
        reload(cmd);
    }
}

void cmd_rollback(cmd_t *cmd)
{
    journal_rollback_t how;
    journal_t *journal;

    if (parse(cmd, &how) != APR_SUCCESS
        || cmd_journal_open(cmd, &journal) != APR_SUCCESS) {
        return;
    }
    if (!journal) {
        base_err_set(&cmd->err, APR_ENOENT, BASE_EXIT_FAILED,
                     "there is no checkpoint to undo");
    }
    else if (cmd_journal_take(cmd, journal) == APR_SUCCESS) {
        run(cmd, journal, &how);
    }
}
