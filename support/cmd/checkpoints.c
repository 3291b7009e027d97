/*
 * checkpoints.c: acmectl checkpoints [ID]
 */
#include "cmd/internal.h"

static void list(cmd_t *cmd, const journal_t *journal)
{
    apr_array_header_t *checkpoints = NULL;
    json_t *array = json_array();
    int i;

    json_object_set_new(cmd->result, "checkpoints", array);
    if (journal && journal_list(&checkpoints, journal, &cmd->err, cmd->pool)
                   != APR_SUCCESS) {
        return;
    }
    /* As "rollback N" counts them. */
    for (i = checkpoints ? checkpoints->nelts - 1 : -1; i >= 0; i--) {
        json_array_append_new(array, cmd_checkpoint_json(
            &APR_ARRAY_IDX(checkpoints, i, journal_checkpoint_t),
            cmd->pool));
    }
}

static void show(cmd_t *cmd, const journal_t *journal, unsigned long id)
{
    journal_checkpoint_t *checkpoint;
    const char *diff;

    if (!journal) {
        base_err_set(&cmd->err, APR_ENOENT, BASE_EXIT_FAILED,
                     "there is no checkpoint %lu: there is none at all", id);
    }
    else if (journal_show(&checkpoint, &diff, journal, id, &cmd->err,
                          cmd->pool) == APR_SUCCESS) {
        json_t *array = json_array();

        json_array_append_new(array, cmd_checkpoint_json(checkpoint,
                                                         cmd->pool));
        json_object_set_new(cmd->result, "checkpoints", array);
        json_object_set_new(cmd->result, "diff", json_string_nocheck(diff));
    }
}

void cmd_checkpoints(cmd_t *cmd)
{
    const char *arg = cmd->args->nelts > 0
                      ? APR_ARRAY_IDX(cmd->args, 0, const char *) : NULL;
    unsigned long id = arg ? cmd_number(arg) : 0;
    journal_t *journal;

    if (cmd->args->nelts > 1 || (arg && id == 0)) {
        base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                     "checkpoints takes nothing, or the number of one; "
                     "\"acmectl checkpoints\" lists them");
        return;
    }
    if (cmd_journal_open(cmd, &journal) != APR_SUCCESS) {
        return;
    }
    if (id) {
        show(cmd, journal, id);
    }
    else {
        list(cmd, journal);
    }
}
