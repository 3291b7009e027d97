/*
 * display: what people and scripts see of a run. One result object per
 * verb (schemas/state/result.json), rendered as text or as JSON; progress
 * on stderr.
 */
#ifndef ACME_DISPLAY_H
#define ACME_DISPLAY_H

#include <stdio.h>

#include "base/base.h"

/** --display */
typedef enum display_kind_t { DISPLAY_TEXT, DISPLAY_JSON } display_kind_t;

/** --color; auto: a terminal, and NO_COLOR is not set */
typedef enum display_color_t {
    DISPLAY_COLOR_AUTO, DISPLAY_COLOR_ALWAYS, DISPLAY_COLOR_NEVER
} display_color_t;

/** How to show. */
typedef struct display_options_t {
    display_kind_t kind;
    display_color_t color;
    int quiet;       /**< 1: no progress */
    FILE *out;       /**< results */
    FILE *err;       /**< progress and errors */
} display_options_t;

typedef struct display_t display_t;

/** A display; lives in pool. Source: ours. */
display_t *display_open(const display_options_t *options, apr_pool_t *pool);

/**
 * Show the result of a verb: with DISPLAY_JSON the object itself and
 * nothing else on out; with DISPLAY_TEXT tables and lines on out and the
 * sentence of "error" on err.
 *
 * @param result  {"schema": "acmectl/1", "verb", "ok", "exit", "changed",
 *                "error": {"type", "detail", "identifier"?}|absent, and the
 *                verb's part: "certificates", "results", "accounts",
 *                "config", "httpd", "notes" (sentences, array of strings),
 *                "checkpoints", "files", "conflicts", "diff"; ...}. Strings
 *                of the last four are bytes as they are in files: as text
 *                a diff is written as it is, but to a terminal printable;
 *                in JSON what is no UTF-8 becomes \xNN
 */
void display_result(display_t *display, const json_t *result);

/**
 * A job of name reached step; shown on err once a run takes more than a
 * second, unless it is quiet: on a terminal as one line that is redrawn,
 * elsewhere as a line each.
 */
void display_progress(display_t *display, const char *name,
                      const char *step);

#endif
