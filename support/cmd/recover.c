/*
 * recover.c: acmectl recover [--merge|--force|--keep]
 */
#include "cmd/internal.h"

static journal_drift_t drift_of(const cmd_options_t *options)
{
    return options->merge ? JOURNAL_DRIFT_MERGE
           : options->force ? JOURNAL_DRIFT_FORCE
           : options->keep ? JOURNAL_DRIFT_KEEP : JOURNAL_DRIFT_REFUSE;
}

/** Nothing was there to be undone. */
static void tell_nothing(cmd_t *cmd)
{
    if (!json_object_get(cmd->result, "recovered")) {
        json_object_set_new(cmd->result, "recovered",
                            json_pack("{s:i, s:[], s:[]}", "count", 0,
                                      "files", "conflicts"));
    }
}

void cmd_recover(cmd_t *cmd)
{
    const cmd_options_t *options = &cmd->options;
    journal_t *journal;
    int count;

    if (options->merge + options->force + options->keep > 1) {
        base_err_set(&cmd->err, APR_EINVAL, BASE_EXIT_USAGE,
                     "recover takes one of --merge, --force and --keep");
        return;
    }
    if (cmd_journal_open(cmd, &journal) != APR_SUCCESS
        || (journal && cmd_journal_take(cmd, journal) != APR_SUCCESS)) {
        return;
    }
    if (journal
        && (cmd_journal_recover(cmd, journal, drift_of(options), &count,
                                &cmd->err) != APR_SUCCESS
            || cmd_undone_reload(cmd, &cmd->err) != APR_SUCCESS)) {
        return;
    }
    tell_nothing(cmd);
}
