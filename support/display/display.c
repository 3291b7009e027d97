/*
 * display.c: opening, results, progress.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <apr_strings.h>

#include "display/dialog.h"

static int wants_color(const display_options_t *options)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    switch (options->color) {
    case DISPLAY_COLOR_ALWAYS:
        return 1;
    case DISPLAY_COLOR_NEVER:
        return 0;
    case DISPLAY_COLOR_AUTO:
        break;
    }
    return !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0)
           && isatty(fileno(options->out));
}

/** Columns of a terminal; 0 for what is none or does not tell. */
static int columns_of(FILE *file)
{
    struct winsize size;

    memset(&size, 0, sizeof(size));
    return isatty(fileno(file))
           && ioctl(fileno(file), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/** Why boxes cannot be drawn; NULL if they can. */
static const char *boxes_obstacle(const display_options_t *options)
{
    const char *term = getenv("TERM");

    if (!options->in || !isatty(fileno(options->in))
        || !(isatty(fileno(options->err)) || isatty(fileno(options->out)))) {
        return "needs a terminal";
    }
    if (!term || !*term || strcmp(term, "dumb") == 0) {
        return "needs a terminal that TERM names";
    }
    return NULL;
}

apr_status_t display_check(const display_options_t *options,
                           acme_err_t *err, apr_pool_t *scratch_pool)
{
    const char *why;

    if (options->kind != DISPLAY_DIALOG) {
        return APR_SUCCESS;
    }
    why = boxes_obstacle(options);
    if (why) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_USAGE,
                            "--display dialog %s; use --display text, or "
                            "json in scripts", why);
    }
    if (!dialog_find(options->program, scratch_pool)) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_USAGE,
                            "--display dialog needs %s; install the package "
                            "dialog, whiptail (newt) or bsddialog, or use "
                            "--display text", options->program
                            ? options->program
                            : "a program that draws boxes");
    }
    return APR_SUCCESS;
}

display_t *display_open(const display_options_t *options, apr_pool_t *pool)
{
    display_t *display = apr_pcalloc(pool, sizeof(*display));

    display->options = *options;
    display->dialog = options->kind == DISPLAY_DIALOG
                      ? dialog_find(options->program, pool) : NULL;
    display->asker = display->dialog ? &display_ask_dialog
                                     : &display_ask_text;
    display->pool = pool;
    display->opened = base_clock_system()->mono(base_clock_system());
    display->color = wants_color(options);
    display->width = columns_of(options->out);
    display->err_width = columns_of(options->err);
    display->out_terminal = isatty(fileno(options->out));
    display->terminal = isatty(fileno(options->err));
    return display;
}

/** A string that holds other bytes than UTF-8 gets them as \xNN. */
static json_t *mend_string(const json_t *value, apr_pool_t *pool)
{
    const char *text = json_string_value(value);
    apr_size_t size = 4 * strlen(text) + 8;
    char *clean = apr_palloc(pool, size);
    json_t *good = json_string(text);
    char *c = clean;

    if (good) {
        return good;
    }
    /* Lines and tabs are what a diff is made of. */
    while (*text) {
        apr_size_t len = strcspn(text, "\n\t");

        base_clean(c, size - (apr_size_t)(c - clean),
                   apr_pstrmemdup(pool, text, len));
        c += strlen(c);
        text += len;
        if (*text) {
            *c++ = *text++;
            *c = '\0';
        }
    }
    return json_string(clean);
}

/** A copy of value that is JSON whatever its strings hold. */
static json_t *mend(const json_t *value, apr_pool_t *pool)
{
    json_t *copy;
    json_t *item;
    const char *key;
    size_t i;

    if (json_is_string(value)) {
        return mend_string(value, pool);
    }
    if (json_is_array(value)) {
        copy = json_array();
        json_array_foreach(value, i, item) {
            json_array_append_new(copy, mend(item, pool));
        }
        return copy;
    }
    if (json_is_object(value)) {
        copy = json_object();
        json_object_foreach((json_t *)value, key, item) {
            json_object_set_new(copy, key, mend(item, pool));
        }
        return copy;
    }
    return json_incref((json_t *)value);
}

static const char *json_of(const json_t *result, apr_pool_t *pool)
{
    const char *text = base_json_text(result, pool);

    /* Strings from files may be no UTF-8, and then are no JSON. */
    return text ? text : base_json_text(base_json_own(mend(result, pool),
                                                      pool), pool);
}

/** Show a result in a box. @return 0 if it could not be shown */
static int show_box(display_t *display, const json_t *result)
{
    const char *verb = json_string_value(json_object_get(result, "verb"));
    apr_pool_t *pool = display->pool;
    acme_err_t err = { 0 };
    const char *text;

    if (!display->dialog || !display->out_terminal
        || !display_can_ask(display)) {
        return 0;
    }
    text = display_rendered(display, result, pool);
    /* Esc ends a box as well. */
    return !*text || display->asker->show(display, apr_pstrcat(pool,
                         "acmectl ", verb, NULL), text, &err, pool)
                     == APR_SUCCESS || err.status == APR_SUCCESS;
}

static void put_error(display_t *display, const json_t *error)
{
    const char *detail = json_string_value(json_object_get(error, "detail"));

    if (detail) {
        fflush(display->options.out);
        fprintf(display->options.err, "acmectl: %s\n",
                display_line(detail, display->pool));
    }
}

void display_result(display_t *display, const json_t *result)
{
    display_progress_end(display);
    if (display->options.kind == DISPLAY_JSON) {
        fprintf(display->options.out, "%s\n",
                json_of(result, display->pool));
    }
    else {
        if (!show_box(display, result)) {
            display_text(display, result);
        }
        put_error(display, json_object_get(result, "error"));
    }
    fflush(display->options.out);
}

/* Progress is for what takes longer than this. */
#define PATIENCE apr_time_from_sec(1)

static apr_interval_time_t elapsed(const display_t *display)
{
    base_clock_t *clock = base_clock_system();

    return clock->mono(clock) - display->opened;
}

/* On a terminal one line is drawn again and again; elsewhere (a log, a
 * pipe) each step is a line of its own. */
static void put_progress(display_t *display, apr_pool_t *pool)
{
    FILE *err = display->options.err;
    const char *line = apr_psprintf(pool, "%s (%d s)", display->step,
                                    display->seconds);

    if (display->dialog
        && dialog_gauge_show(display, line, display->percent)) {
        return;
    }
    if (display->terminal) {
        /* A line that wraps could not be removed again. */
        if (display->err_width > 4) {
            line = display_cut(line, display->err_width - 1, pool);
        }
        fprintf(err, "\r\033[K%s", line);
        display->drawn = 1;
    }
    else {
        fprintf(err, "%s\n", line);
    }
    fflush(err);
}

/** Show the step, if it is time to. */
static void show_step(display_t *display)
{
    apr_interval_time_t passed = elapsed(display);
    apr_pool_t *pool;

    if (display->options.quiet || passed < PATIENCE) {
        return;
    }
    display->seconds = (int)apr_time_sec(passed);
    display->shown = 1;
    /* Its own: a long run makes any number of steps. */
    apr_pool_create(&pool, display->pool);
    put_progress(display, pool);
    apr_pool_destroy(pool);
}

/** Another step, of display->step_pool. */
static void take_step(display_t *display, const char *step)
{
    display->step = step;
    display->shown = 0;
    show_step(display);
}

/** Where the next step's text is to be. */
static apr_pool_t *step_pool(display_t *display)
{
    if (!display->step_pool) {
        apr_pool_create(&display->step_pool, display->pool);
    }
    apr_pool_clear(display->step_pool);
    return display->step_pool;
}

void display_progress(display_t *display, const char *name, const char *step)
{
    apr_pool_t *pool = step_pool(display);

    take_step(display, apr_pstrcat(pool, display_line(name, pool), ": ",
                                   display_line(step, pool), NULL));
}

void display_progress_of(display_t *display, int done, int all,
                         const char *what)
{
    int percent = all > 0 && done >= 0 ? (int)(100.0 * done / all) : 0;
    apr_pool_t *pool = step_pool(display);

    display->percent = percent > 100 ? 100 : percent;
    take_step(display, apr_psprintf(pool, "%s: %d of %d, %d %%",
                                    display_line(what, pool), done, all,
                                    display->percent));
}

void display_tick(void *baton)
{
    display_t *display = baton;
    int redrawn = display->dialog || display->terminal;

    if (display->step
        && (!display->shown || (redrawn && display->seconds
                                < (int)apr_time_sec(elapsed(display))))) {
        show_step(display);
    }
}

void display_clear(void *baton)
{
    display_t *display = baton;

    if (display->drawn) {
        fprintf(display->options.err, "\r\033[K");
        fflush(display->options.err);
        display->drawn = 0;
    }
}

void display_progress_end(display_t *display)
{
    dialog_gauge_end(display);
    display_clear(display);
    /* What was going on is over. */
    display->step = NULL;
}
