/* display: what its files share. */
#ifndef ACME_DISPLAY_INTERNAL_H
#define ACME_DISPLAY_INTERNAL_H

#include "display/display.h"

struct display_t {
    display_options_t options;
    int color;               /**< escapes may be written to out */
    int terminal;            /**< err is a terminal: a line may be redrawn */
    apr_time_t opened;       /**< mono clock */
    int drawn;               /**< a progress line stands on the terminal */
    apr_pool_t *pool;
};

/** Render a result as text. */
void display_text(display_t *display, const json_t *result);

/** Remove the progress line, if one is drawn. */
void display_progress_end(display_t *display);

#endif
