/*
 * config.c: acmectl config
 */
#include "cmd/internal.h"

void cmd_config(cmd_t *cmd)
{
    if (cmd_read_config(cmd) == APR_SUCCESS) {
        json_object_set(cmd->result, "config", cmd->config);
    }
}
