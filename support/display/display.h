/*
 * display: what people and scripts see of a run. One result object per
 * verb (schemas/state/result.json), rendered as text, in dialog boxes or as
 * JSON; progress; questions to whoever sits at the terminal.
 */
#ifndef ACME_DISPLAY_H
#define ACME_DISPLAY_H

#include <stdio.h>

#include "base/base.h"

/** --display */
typedef enum display_kind_t {
    DISPLAY_TEXT, DISPLAY_JSON, DISPLAY_DIALOG
} display_kind_t;

/** --color; auto: a terminal, and NO_COLOR is not set */
typedef enum display_color_t {
    DISPLAY_COLOR_AUTO, DISPLAY_COLOR_ALWAYS, DISPLAY_COLOR_NEVER
} display_color_t;

/** How to show. */
typedef struct display_options_t {
    display_kind_t kind;
    const char *program; /**< nullable: what draws boxes, its name or path */
    display_color_t color;
    int quiet;       /**< 1: no progress */
    int verbose;     /**< 1: all that was checked, also where all is well */
    int silent;      /**< --non-interactive: never ask */
    int yes;         /**< --yes: the answer to every yes-or-no question */
    FILE *in;        /**< answers; NULL: nobody is there to give any */
    FILE *out;       /**< results */
    FILE *err;       /**< progress and errors */
} display_options_t;

typedef struct display_t display_t;

/**
 * Check that a display of this kind can be opened: one of boxes needs a
 * terminal and a program that draws them.
 * @return APR_EINVAL with BASE_EXIT_USAGE
 */
apr_status_t display_check(const display_options_t *options,
                           acme_err_t *err, apr_pool_t *scratch_pool);

/** A display; lives in pool. One of boxes that cannot be drawn is one of
 *  text. Source: ours. */
display_t *display_open(const display_options_t *options, apr_pool_t *pool);

/**
 * Show the result of a verb: with DISPLAY_JSON the object itself and
 * nothing else on out; with DISPLAY_TEXT tables and lines on out and the
 * sentence of "error" on err; with DISPLAY_DIALOG the same, but what would
 * go to a terminal as out is a box.
 *
 * @param result  {"schema": "acmectl/1", "verb", "ok", "exit", "changed",
 *                "error": {"type", "detail", "identifier"?}|absent, and the
 *                verb's part: "certificates", "results", "accounts",
 *                "config", "httpd", "notes" (sentences, array of strings),
 *                "steps", "candidates", "checks", "warnings",
 *                "checkpoints", "files", "conflicts", "diff", "paste"; ...}.
 *                Strings of the last five are bytes as they are in files:
 *                as text diff and paste are written as they are, but to a
 *                terminal printable; in JSON what is no UTF-8 becomes \xNN
 */
void display_result(display_t *display, const json_t *result);

/**
 * A job of name reached step; shown on err once a run takes more than a
 * second, unless it is quiet: on a terminal as one line that is redrawn,
 * elsewhere as a line each, in a box as text of a gauge; all with the
 * seconds that the run has taken.
 */
void display_progress(display_t *display, const char *name,
                      const char *step);

/** The same for work that can be counted: done of all (of what: "reading
 *  virtual hosts"); how much that is is shown as well. */
void display_progress_of(display_t *display, int done, int all,
                         const char *what);

/** A display's function for base_log_before: take its progress line away. */
void display_clear(void *display);

/** A display's base_tick_fn: the step that was reached last goes on. It is
 *  shown now if it could not be when it began; a line that can be redrawn
 *  counts the seconds. */
void display_tick(void *display);

/* ------------------------------------------------------------ questions */

/*
 * Each question blocks until it is answered. All of them return
 *
 *   APR_SUCCESS   it is answered;
 *   APR_ENOTIMPL  nobody may be asked (JSON, --non-interactive, no
 *                 terminal): BASE_EXIT_USAGE, and err names the question
 *                 and the flag that answers it;
 *   ECANCELED     the user does not want to answer: Esc, Cancel, end of
 *                 file, an interrupt, five answers that are none:
 *                 BASE_EXIT_FAILED, "cancelled; nothing was changed". So
 *                 ask before anything is changed;
 *   APR_EINVAL    there is nothing to choose from: a caller's fault;
 *   others        with the dialog display: the program failed or was
 *                 killed, BASE_EXIT_FAILED.
 *
 * An answer is set on APR_SUCCESS only. Texts may hold any bytes and are
 * shown as printable lines; a question or title may have several lines.
 * @param flag  what answers instead ("--redirect or --no-redirect"), for err
 */

/** Something to choose. Borrowed; not NULL. */
typedef struct display_item_t {
    const char *tag;     /**< its short name ("example.org") */
    const char *text;    /**< what there is to say of it; perhaps "" */
    int on;              /**< checklists: chosen, before and after */
} display_item_t;

/** 1 if questions can be asked: not with JSON or --non-interactive, and
 *  stdin and one of stdout and stderr are terminals. */
int display_can_ask(const display_t *display);

/**
 * Ask a question to be answered by yes or no; --yes answers it in every
 * display, unasked.
 * @param panswer    1: yes
 * @param otherwise  what an empty answer means: 1: yes
 */
apr_status_t display_yesno(display_t *display, int *panswer,
                           const char *question, int otherwise,
                           const char *flag, acme_err_t *err);

/** Let one of items (of display_item_t, not empty) be chosen.
 *  @param pchoice  its index */
apr_status_t display_menu(display_t *display, int *pchoice,
                          const char *title,
                          const apr_array_header_t *items,
                          const char *flag, acme_err_t *err);

/** Let any number of items (of display_item_t, not empty) be chosen, none
 *  as well: their "on" is what is offered, and then what was chosen. */
apr_status_t display_checklist(display_t *display, const char *title,
                               apr_array_header_t *items,
                               const char *flag, acme_err_t *err);

/**
 * Before a question: show a part of what is to become the result ("diff",
 * "steps", "warnings", …), rendered as the result is, to whoever will be
 * asked. Nothing where nobody can be, or --yes answers.
 */
void display_show(display_t *display, const char *title,
                  const json_t *part);

#endif
