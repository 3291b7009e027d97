/*
 * ask_dialog.c: questions in boxes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "display/dialog.h"

#define TITLE "acmectl"

/** What a list needs beside its texts: frames, numbers, marks. */
#define LIST_EDGES 24
#define LIST_MIN 20
#define LIST_WIDTH 200

static apr_status_t dialog_yesno(display_t *display, int *panswer,
                                 const char *question, int otherwise,
                                 acme_err_t *err, apr_pool_t *pool)
{
    apr_array_header_t *argv = dialog_begin(display->dialog, TITLE, pool);
    apr_status_t rv;
    int yes;

    if (!otherwise) {
        APR_ARRAY_PUSH(argv, const char *) = "--defaultno";
    }
    dialog_add(argv, "yesno", question, pool);
    rv = dialog_run(display, argv, -1, NULL, &yes, err);
    if (rv == APR_SUCCESS) {
        *panswer = yes;
    }
    return rv;
}

/** Columns for an item's text. */
static int list_width(const display_t *display)
{
    int columns = display->terminal ? display->err_width : display->width;
    int width = columns - LIST_EDGES;

    if (columns == 0 || width > LIST_WIDTH) {
        return LIST_WIDTH;
    }
    return width > LIST_MIN ? width : LIST_MIN;
}

/** What is no number of an item, or too many, is no answer of a box. */
static apr_status_t strange(const display_t *display, acme_err_t *err)
{
    return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                        "%s gave an answer that is none; use --display text",
                        display->dialog->path);
}

/** The next number of an answer, 1 to max; 0 at its end, -1 for what is
 *  none. */
static long next_number(const char **panswer, int max)
{
    const char *text = *panswer + strspn(*panswer, " \n");
    char *end;
    long number;

    *panswer = text;
    if (!*text) {
        return 0;
    }
    number = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
    if (number < 1 || number > max || !strchr(" \n", *end)) {
        return -1;
    }
    *panswer = end;
    return number;
}

static apr_status_t run_list(display_t *display, apr_array_header_t *argv,
                             const char **panswer, acme_err_t *err)
{
    apr_status_t rv;
    int yes = 0;

    rv = dialog_run(display, argv, -1, panswer, &yes, err);
    return rv == APR_SUCCESS && !yes ? ECANCELED : rv;
}

static apr_status_t dialog_menu(display_t *display, int *pchoice,
                                const char *title,
                                const apr_array_header_t *items,
                                acme_err_t *err, apr_pool_t *pool)
{
    apr_array_header_t *argv = dialog_begin(display->dialog, TITLE, pool);
    const char *answer;
    apr_status_t rv;
    long number;

    dialog_add(argv, "menu", title, pool);
    dialog_add_items(argv, items, list_width(display), 0, pool);
    rv = run_list(display, argv, &answer, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    number = next_number(&answer, items->nelts);
    if (number < 1 || next_number(&answer, items->nelts) != 0) {
        return strange(display, err);
    }
    *pchoice = (int)number - 1;
    return APR_SUCCESS;
}

static apr_status_t dialog_checklist(display_t *display, const char *title,
                                     apr_array_header_t *items,
                                     acme_err_t *err, apr_pool_t *pool)
{
    apr_array_header_t *argv = dialog_begin(display->dialog, TITLE, pool);
    char *on = apr_pcalloc(pool, (apr_size_t)items->nelts);
    const char *answer;
    apr_status_t rv;
    long number;
    int i;

    APR_ARRAY_PUSH(argv, const char *) = "--separate-output";
    dialog_add(argv, "checklist", title, pool);
    dialog_add_items(argv, items, list_width(display), 1, pool);
    rv = run_list(display, argv, &answer, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    while ((number = next_number(&answer, items->nelts)) > 0) {
        on[number - 1] = 1;
    }
    if (number < 0) {
        return strange(display, err);
    }
    for (i = 0; i < items->nelts; i++) {
        APR_ARRAY_IDX(items, i, display_item_t).on = on[i];
    }
    return APR_SUCCESS;
}

static apr_status_t dialog_show(display_t *display, const char *title,
                                const char *text, acme_err_t *err,
                                apr_pool_t *pool)
{
    apr_array_header_t *argv = dialog_begin(display->dialog, title, pool);
    FILE *file = tmpfile();
    struct winsize size;
    apr_status_t rv;
    int yes;

    if (!file || fputs(text, file) == EOF || fflush(file) != 0) {
        rv = base_err_path(err, errno, "write", "a temporary file");
    }
    else {
        memset(&size, 0, sizeof(size));
        ioctl(fileno(display_terminal(display)), TIOCGWINSZ, &size);
        dialog_add_file(argv, display->dialog, text, &size, pool);
        rv = dialog_run(display, argv, fileno(file), NULL, &yes, err);
    }
    if (file) {
        fclose(file);
    }
    return rv;
}

const display_asker_t display_ask_dialog = {
    dialog_yesno, dialog_menu, dialog_checklist, dialog_show
};
