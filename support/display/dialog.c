/*
 * dialog.c: which program, and its arguments. The three take the same
 * options; what differs is in the table.
 */
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "display/dialog.h"

/** A box's text is cut behind this, in bytes. */
#define TEXT_MAX 8000

struct dialog_program_t {
    const char *name;
    const char *options[3];    /**< that take line ends as line ends */
    const char *scroll[2];     /**< that let a long text box scroll: where
                                    the keys then go to the text, not to
                                    the button, only if there is need */
};

/* In the order in which they are looked for.
 * Source: dialog(1), whiptail(1), bsddialog(1). */
static const dialog_program_t programs[] = {
    { "dialog", { "--cr-wrap", "--no-nl-expand", NULL }, { NULL } },
    { "whiptail", { NULL }, { "--scrolltext", NULL } },
    { "bsddialog", { "--cr-wrap", NULL }, { NULL } }
};

#define PROGRAMS (sizeof(programs) / sizeof(programs[0]))

/* ---------------------------------------------------------------- program */

static const dialog_t *make_dialog(const char *path,
                                   const dialog_program_t *program,
                                   apr_pool_t *pool)
{
    dialog_t *dialog = apr_palloc(pool, sizeof(*dialog));

    dialog->path = path;
    dialog->program = program;
    return dialog;
}

/** The program where the system keeps it; NULL if it does not. */
static const dialog_t *find_program(const dialog_program_t *program,
                                    apr_pool_t *pool)
{
    static const char *const directories[] = {
        "/usr/bin/", "/bin/", "/usr/local/bin/"
    };
    size_t i;

    for (i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        const char *path = apr_pstrcat(pool, directories[i], program->name,
                                       NULL);

        if (access(path, X_OK) == 0) {
            return make_dialog(path, program, pool);
        }
    }
    return NULL;
}

const dialog_t *dialog_find(const char *wanted, apr_pool_t *pool)
{
    const char *slash = wanted ? strrchr(wanted, '/') : NULL;
    const char *name = slash ? slash + 1 : wanted;
    size_t i;

    for (i = 0; i < PROGRAMS; i++) {
        const dialog_t *dialog;

        if (name && strcmp(name, programs[i].name) != 0) {
            continue;
        }
        if (slash) {
            return *wanted == '/' && access(wanted, X_OK) == 0
                   ? make_dialog(wanted, &programs[i], pool) : NULL;
        }
        dialog = find_program(&programs[i], pool);
        if (dialog) {
            return dialog;
        }
    }
    return NULL;
}

/* -------------------------------------------------------------- arguments */

static void add(apr_array_header_t *argv, const char *word)
{
    APR_ARRAY_PUSH(argv, const char *) = word;
}

static void add_all(apr_array_header_t *argv, const char *const *words)
{
    while (*words) {
        add(argv, *words++);
    }
}

/** text so that nobody takes it for an option or for nothing. */
static const char *guarded(const char *text, apr_pool_t *pool)
{
    return *text == '-' || !*text ? apr_pstrcat(pool, " ", text, NULL)
                                  : text;
}

/** Lines as a box can hold them. */
static const char *box_text(const char *text, apr_pool_t *pool)
{
    const char *lines = display_lines(text, pool);

    if (strlen(lines) > TEXT_MAX) {
        apr_size_t len = TEXT_MAX;

        /* Not within a character. Source: RFC 3629 3. */
        while (len > 0 && ((unsigned char)lines[len] & 0xC0) == 0x80) {
            len--;
        }
        lines = apr_pstrcat(pool, apr_pstrmemdup(pool, lines, len), "...",
                            NULL);
    }
    return guarded(lines, pool);
}

apr_array_header_t *dialog_begin(const dialog_t *dialog, const char *title,
                                 apr_pool_t *pool)
{
    apr_array_header_t *argv = apr_array_make(pool, 32,
                                              sizeof(const char *));

    add(argv, dialog->path);
    add_all(argv, dialog->program->options);
    add(argv, "--output-fd");
    add(argv, "3");
    add(argv, "--title");
    add(argv, guarded(display_line(title, pool), pool));
    return argv;
}

void dialog_add(apr_array_header_t *argv, const char *box, const char *text,
                apr_pool_t *pool)
{
    add(argv, apr_pstrcat(pool, "--", box, NULL));
    add(argv, box_text(text, pool));
    add(argv, "0");
    add(argv, "0");
}

void dialog_add_items(apr_array_header_t *argv,
                      const apr_array_header_t *items, int width, int marks,
                      apr_pool_t *pool)
{
    int i;

    /* As many lines as the program likes. */
    add(argv, "0");
    for (i = 0; i < items->nelts; i++) {
        const display_item_t *item = &APR_ARRAY_IDX(items, i,
                                                    display_item_t);
        const char *text = display_line(item->tag, pool);

        if (*item->text) {
            text = apr_pstrcat(pool, text, "  ",
                               display_line(item->text, pool), NULL);
        }
        /* What is answered is the number: no quoting can go wrong. */
        add(argv, apr_itoa(pool, i + 1));
        add(argv, guarded(display_cut(text, width, pool), pool));
        if (marks) {
            add(argv, item->on ? "on" : "off");
        }
    }
}

/** What a box takes besides its text: edges, buttons, a bar to scroll. */
#define BOX_LINES 7
#define BOX_COLUMNS 8
#define BOX_COLUMNS_MIN 40

/** The smaller one, where the other is known. */
static int at_most(int number, int max)
{
    return max > 0 && number > max ? max : number;
}

void dialog_add_file(apr_array_header_t *argv, const dialog_t *dialog,
                     const char *text, const struct winsize *size,
                     apr_pool_t *pool)
{
    int columns = BOX_COLUMNS_MIN;
    int lines = BOX_LINES;

    while (*text) {
        apr_size_t len = strcspn(text, "\n");
        int width = display_width(apr_pstrmemdup(pool, text, len))
                    + BOX_COLUMNS;

        columns = width > columns ? width : columns;
        lines++;
        text += len + (text[len] == '\n');
    }
    if (at_most(lines, size->ws_row - 2) < lines) {
        add_all(argv, dialog->program->scroll);
    }
    add(argv, "--textbox");
    add(argv, "/dev/fd/4");
    /* The programs do not size it well themselves. */
    add(argv, apr_itoa(pool, at_most(lines, size->ws_row - 2)));
    add(argv, apr_itoa(pool, at_most(columns, size->ws_col - 2)));
}

void dialog_add_gauge(apr_array_header_t *argv, const char *text,
                      int percent, apr_pool_t *pool)
{
    add(argv, "--gauge");
    add(argv, box_text(text, pool));
    /* A box that is sized by its first text would be too narrow for the
     * next. */
    add(argv, "8");
    add(argv, "70");
    add(argv, apr_itoa(pool, percent));
}
