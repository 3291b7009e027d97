/*
 * summary.c: what a verb that edits has reached, and what comes next: the
 * first and the last lines that people read.
 */
#include <string.h>

#include <apr_strings.h>

#include "cmd/internal.h"

/** Names that a sentence has, at most. */
#define NAMED 4

const char *cmd_and(const apr_array_header_t *names, const char *before,
                    apr_pool_t *pool)
{
    int shown = names->nelts > NAMED ? NAMED - 1 : names->nelts;
    const char *text = "";
    int i;

    for (i = 0; i < shown; i++) {
        text = apr_pstrcat(pool, text, i == 0 ? ""
                           : i == names->nelts - 1 ? " and " : ", ", before,
                           APR_ARRAY_IDX(names, i, const char *), NULL);
    }
    return shown == names->nelts ? text
           : apr_psprintf(pool, "%s and %d more", text,
                          names->nelts - shown);
}

static void add(cmd_t *cmd, const char *sentence)
{
    json_t *list = json_object_get(cmd->result, "summary");

    if (!list) {
        list = json_array();
        json_object_set_new(cmd->result, "summary", list);
    }
    json_array_append_new(list, json_string(sentence));
}

void cmd_reached(cmd_t *cmd, const char *sentence)
{
    const json_t *id = json_object_get(cmd->result, "checkpoint");

    if (cmd->err.status != APR_SUCCESS || cmd->options.plan
        || !json_is_true(json_object_get(cmd->result, "changed"))) {
        return;
    }
    add(cmd, sentence);
    if (json_is_integer(id)) {
        add(cmd, apr_psprintf(cmd->pool, "this is checkpoint %d: \"acmectl "
                              "rollback\" undoes it",
                              (int)json_integer_value(id)));
    }
}

void cmd_planned(cmd_t *cmd, const char *unless)
{
    if (cmd->err.status == APR_SUCCESS && cmd->options.plan
        && json_object_get(cmd->result, "diff")) {
        json_object_set_new(cmd->result, "next", json_string(apr_psprintf(
            cmd->pool, "this was a plan: nothing was changed; without "
            "--plan it is done%s", unless)));
    }
}
