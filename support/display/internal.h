/* display: what its files share. */
#ifndef ACME_DISPLAY_INTERNAL_H
#define ACME_DISPLAY_INTERNAL_H

#include "display/display.h"

struct display_t {
    display_options_t options;
    int color;               /**< escapes may be written to out */
    int width;               /**< columns of out's terminal; 0: no limit */
    int out_terminal;        /**< out is a terminal: no byte may reach it
                                  that it obeys */
    int terminal;            /**< err is a terminal: a line may be redrawn */
    int err_width;           /**< columns of err's terminal; 0: no limit */
    apr_time_t opened;       /**< mono clock */
    int drawn;               /**< a progress line stands on the terminal */
    apr_pool_t *pool;
};

/** Render a result as text. */
void display_text(display_t *display, const json_t *result);

/** Render what tells of the journal: "recovered", "checkpoints", "files",
 *  "conflicts", "diff". */
void display_changes(display_t *display, const json_t *result);

/** Remove the progress line, if one is drawn. */
void display_progress_end(display_t *display);

/** text (nullable) as one line of printable UTF-8, in pool. */
const char *display_line(const char *text, apr_pool_t *pool);

/** Columns a text takes on a terminal. Source: wcwidth(3). */
int display_width(const char *text);

/** text cut to width columns, "..." at its end; text itself if it fits.
 *  @param width  at least 3 */
const char *display_cut(const char *text, int width, apr_pool_t *pool);

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
