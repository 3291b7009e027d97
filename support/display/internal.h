/* display: what its files share. */
#ifndef ACME_DISPLAY_INTERNAL_H
#define ACME_DISPLAY_INTERNAL_H

#include <poll.h>
#include <signal.h>

#include "display/display.h"

/** How questions are asked. */
typedef struct display_asker_t display_asker_t;

/** The program that draws boxes (dialog.h), and its gauge. */
typedef struct dialog_t dialog_t;

struct display_t {
    display_options_t options;
    const display_asker_t *asker;
    const dialog_t *dialog;  /**< NULL: nothing is drawn in boxes */
    struct dialog_gauge_t *gauge;
    int color;               /**< escapes may be written to out */
    int width;               /**< columns of out's terminal; 0: no limit */
    int out_terminal;        /**< out is a terminal: no byte may reach it
                                  that it obeys */
    int terminal;            /**< err is a terminal: a line may be redrawn */
    int err_width;           /**< columns of err's terminal; 0: no limit */
    apr_time_t opened;       /**< mono clock */
    apr_pool_t *step_pool;   /**< what step is in; NULL: not yet */
    const char *step;        /**< what goes on; NULL: nothing known */
    int shown;               /**< 1: the step was */
    int seconds;             /**< … when the run had taken so long */
    int percent;             /**< of what can be counted, done last */
    int drawn;               /**< a progress line stands on the terminal */
    apr_pool_t *pool;
};

/** Render a result as text, but for its error. */
void display_text(display_t *display, const json_t *result);

/** The same as text that fits the terminal, or a box on it, in pool. */
const char *display_rendered(display_t *display, const json_t *result,
                             apr_pool_t *pool);

/** Render what tells of the journal: "recovered", "checkpoints", "files",
 *  "conflicts", "diff". */
void display_changes(display_t *display, const json_t *result);

/* ------------------------------------------------------------- questions */

/**
 * A way to ask. Whether anybody can be asked has been looked at, items is
 * not empty. Statuses are display.h's; a cancellation is ECANCELED with
 * nothing in err. Pools are for scratch.
 */
struct display_asker_t {
    apr_status_t (*yesno)(display_t *display, int *panswer,
                          const char *question, int otherwise,
                          acme_err_t *err, apr_pool_t *pool);
    apr_status_t (*menu)(display_t *display, int *pchoice, const char *title,
                         const apr_array_header_t *items, acme_err_t *err,
                         apr_pool_t *pool);
    apr_status_t (*checklist)(display_t *display, const char *title,
                              apr_array_header_t *items, acme_err_t *err,
                              apr_pool_t *pool);
    /** Show lines of text. */
    apr_status_t (*show)(display_t *display, const char *title,
                         const char *text, acme_err_t *err,
                         apr_pool_t *pool);
};

/** Questions as lines, answers as lines (ask_text.c). */
extern const display_asker_t display_ask_text;

/** The terminal on which questions are asked: stderr's, else stdout's. */
FILE *display_terminal(const display_t *display);

/** SIGINT, SIGTERM and SIGHUP cancel a question instead of ending the
 *  process. */
typedef struct display_guard_t {
    struct sigaction kept[3];
    sigset_t mask;             /**< as it was */
} display_guard_t;

void display_guard_begin(display_guard_t *guard);
void display_guard_end(display_guard_t *guard);

/** 1 if a signal came that nobody has looked at yet. */
int display_guard_pending(void);

/** Wait until one of fds can be read. @return ECANCELED after a signal */
apr_status_t display_guard_wait(const display_guard_t *guard,
                                struct pollfd *fds, int count);

/** text line by line, each printable, in pool. */
const char *display_lines(const char *text, apr_pool_t *pool);

/* ------------------------------------------------------------------ texts */

/** Render "steps", "candidates", "checks", "warnings", "paste". */
void display_findings(display_t *display, const json_t *result);

/** Write text of a file: to a terminal printable, else byte by byte. */
void display_block(display_t *display, const char *text);

/** Remove the progress line, if one is drawn. */
void display_progress_end(display_t *display);

/** text (nullable) as one line of printable UTF-8, in pool. */
const char *display_line(const char *text, apr_pool_t *pool);

/** Columns a text takes on a terminal. Source: wcwidth(3). */
int display_width(const char *text);

/** text cut to width columns, "..." at its end; text itself if it fits.
 *  @param width  at least 3 */
const char *display_cut(const char *text, int width, apr_pool_t *pool);

/** Lines of text, those wider than width columns folded, each with its end.
 *  @param width  at least 8 */
const char *display_fold(const char *text, int width, apr_pool_t *pool);

/** Write a word that tells how something stands ("valid") in its color. */
void display_state(display_t *display, const char *word);

/** Write a heading. */
void display_title(display_t *display, const char *word);

/** A table of texts, filled cell by cell. Cells are borrowed. */
typedef struct display_table_t display_table_t;

/** A table. @param heads  at most 8, a NULL behind the last
 *  @param state  number of the column that holds state words, or -1 */
display_table_t *display_table(const char *const *heads, int state,
                               apr_pool_t *pool);
void display_table_add(display_table_t *table, const char *text);

/** Write it, as wide as out's terminal allows. */
void display_table_put(display_t *display, display_table_t *table);

#endif
