/*
 * What the tests of support/display share: a display that writes into
 * memory, and one that writes to a terminal of a chosen width.
 */
#ifndef ACME_UNIT_DISPLAY_RIG_H
#define ACME_UNIT_DISPLAY_RIG_H

#include "display/internal.h"

/** What a display wrote. */
typedef struct rig_t {
    display_t *display;
    FILE *out;
    FILE *err;
    FILE *in;            /**< NULL, or err's terminal */
    int master[2];       /**< of the terminals; -1: memory */
    char *text[2];       /**< out, err */
    size_t len[2];
} rig_t;

/** A display into memory: no terminal. */
rig_t *rig_memory(display_kind_t kind, display_color_t color,
                  apr_pool_t *pool);

/** A display on two terminals of this many columns. */
rig_t *rig_terminal(display_color_t color, int columns, apr_pool_t *pool);

/** A display on terminals whose user answers; its input is not echoed. */
rig_t *rig_asking(int columns, apr_pool_t *pool);

/** Type on the terminal of err; '\004' ends the input. */
void rig_type(rig_t *rig, const char *keys);

/** The terminals go away. */
void rig_hang_up(rig_t *rig);

/** Items "item1", "item2", ... to choose from, without text, off. */
apr_array_header_t *rig_items(int count, apr_pool_t *pool);

/** What was written to out / err until now; a terminal's "\r\n" as "\n". */
const char *rig_out(rig_t *rig);
const char *rig_err(rig_t *rig);

/** A result from JSON text with ' for ", checked against
 *  schemas/state/result.json. */
json_t *rig_result(const char *json, apr_pool_t *pool);

/** JSON text with ' for ". */
json_t *rig_part(const char *json, apr_pool_t *pool);

/** Show a result of this JSON text. */
void rig_show(rig_t *rig, const char *json, apr_pool_t *pool);

#endif
