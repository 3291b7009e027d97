/*
 * table.c: words, widths and tables.
 *
 * A table whose last column does not fit the terminal has that column cut;
 * where even this is too wide, each row becomes a block of lines. Nothing
 * is cut that does not go to a terminal.
 */
#include <string.h>
#include <wchar.h>

#include <apr_strings.h>

#include "display/internal.h"

#define RED "31"
#define GREEN "32"
#define YELLOW "33"
#define BOLD "1"

#define COLUMNS_MAX 8

/** Blanks between two columns. */
#define GAP 2

/** The last column is not cut below this. */
#define LAST_MIN 12

struct display_table_t {
    int columns;
    int state;                   /**< column of state words */
    apr_array_header_t *cells;   /**< of const char *, the heading first */
    int widths[COLUMNS_MAX];
};

/* ------------------------------------------------------------------ words */

/** A color for words that tell how something stands; NULL for others. */
static const char *state_color(const char *word)
{
    static const struct {
        const char *word;
        const char *color;
    } colors[] = {
        { "valid", GREEN }, { "issued", GREEN }, { "revoked", GREEN },
        { "ok", GREEN }, { "warning", YELLOW },
        { "due", YELLOW }, { "missing", YELLOW },
        { "expired", RED }, { "error", RED }, { "failed", RED }
    };
    size_t i;

    for (i = 0; i < sizeof(colors) / sizeof(colors[0]); i++) {
        if (strcmp(word, colors[i].word) == 0) {
            return colors[i].color;
        }
    }
    return NULL;
}

static void put_colored(display_t *display, const char *word,
                        const char *color)
{
    FILE *out = display->options.out;

    if (display->color && color) {
        fprintf(out, "\033[%sm%s\033[0m", color, word);
    }
    else {
        fputs(word, out);
    }
}

void display_state(display_t *display, const char *word)
{
    put_colored(display, word, state_color(word));
}

void display_title(display_t *display, const char *word)
{
    put_colored(display, word, BOLD);
}

const char *display_line(const char *text, apr_pool_t *pool)
{
    acme_err_t clean = { 0 };

    base_err_set(&clean, APR_EGENERAL, BASE_EXIT_OK, "%s", text ? text : "");
    return apr_pstrdup(pool, clean.message);
}

const char *display_lines(const char *text, apr_pool_t *pool)
{
    const char *lines = "";

    while (*text) {
        apr_size_t len = strcspn(text, "\n");

        lines = apr_pstrcat(pool, lines,
                            display_line(apr_pstrmemdup(pool, text, len),
                                         pool),
                            text[len] ? "\n" : "", NULL);
        text += len + (text[len] == '\n');
    }
    return lines;
}

/* ----------------------------------------------------------------- widths */

/** The next character of text: its bytes, and the columns it takes. Bytes
 *  that the locale does not know count one each. */
static size_t next_char(const char *text, mbstate_t *state, int *columns)
{
    wchar_t wc;
    size_t n = mbrtowc(&wc, text, strlen(text), state);

    *columns = 1;
    if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
        memset(state, 0, sizeof(*state));
        return 1;
    }
    *columns = wcwidth(wc) > 0 ? wcwidth(wc) : 0;
    return n;
}

int display_width(const char *text)
{
    mbstate_t state;
    int width = 0;

    memset(&state, 0, sizeof(state));
    while (*text) {
        int columns;

        text += next_char(text, &state, &columns);
        width += columns;
    }
    return width;
}

const char *display_cut(const char *text, int width, apr_pool_t *pool)
{
    const char *t = text;
    mbstate_t state;
    int used = 0;

    if (display_width(text) <= width) {
        return text;
    }
    memset(&state, 0, sizeof(state));
    for (;;) {
        int columns;
        size_t n = next_char(t, &state, &columns);

        if (used + columns > width - 3) {
            break;
        }
        used += columns;
        t += n;
    }
    return apr_pstrcat(pool, apr_pstrmemdup(pool, text, (size_t)(t - text)),
                       "...", NULL);
}

/** What stands before the rest of a line that was folded. */
#define HANG "    "

/** How many bytes of a line, which is wider, fit width columns; up to a
 *  blank in the second half of them, if there is one. */
static size_t fold_at(const char *line, int width)
{
    const char *t = line;
    const char *blank = NULL;
    mbstate_t state;
    int used = 0;

    memset(&state, 0, sizeof(state));
    for (;;) {
        int columns;
        size_t n = next_char(t, &state, &columns);

        if (*t == ' ' && used > width / 2) {
            blank = t;
        }
        if (used + columns > width) {
            break;
        }
        used += columns;
        t += n;
    }
    return (size_t)((blank ? blank : t) - line);
}

static const char *fold_line(const char *line, int width, apr_pool_t *pool)
{
    const char *folded = "";

    while (display_width(line) > width) {
        size_t len = fold_at(line, width);

        folded = apr_pstrcat(pool, folded,
                             apr_pstrmemdup(pool, line, len), "\n", NULL);
        line += len;
        line = apr_pstrcat(pool, HANG, line + strspn(line, " "), NULL);
    }
    return apr_pstrcat(pool, folded, line, NULL);
}

const char *display_fold(const char *text, int width, apr_pool_t *pool)
{
    apr_array_header_t *lines = apr_array_make(pool, 32,
                                               sizeof(const char *));

    while (*text) {
        apr_size_t len = strcspn(text, "\n");

        APR_ARRAY_PUSH(lines, const char *) =
            fold_line(apr_pstrmemdup(pool, text, len), width, pool);
        text += len + (text[len] == '\n');
    }
    APR_ARRAY_PUSH(lines, const char *) = "";
    return apr_array_pstrcat(pool, lines, '\n');
}

/* ----------------------------------------------------------------- tables */

display_table_t *display_table(const char *const *heads, int state,
                               apr_pool_t *pool)
{
    display_table_t *table = apr_pcalloc(pool, sizeof(*table));

    while (heads[table->columns]) {
        table->columns++;
    }
    table->state = state;
    table->cells = apr_array_make(pool, 32, sizeof(const char *));
    while (*heads) {
        display_table_add(table, *heads++);
    }
    return table;
}

void display_table_add(display_table_t *table, const char *text)
{
    int column = table->cells->nelts % table->columns;
    int width = display_width(text);

    if (width > table->widths[column]) {
        table->widths[column] = width;
    }
    APR_ARRAY_PUSH(table->cells, const char *) = text;
}

static const char *cell(const display_table_t *table, int row, int column)
{
    return APR_ARRAY_IDX(table->cells, row * table->columns + column,
                         const char *);
}

static int rows(const display_table_t *table)
{
    return table->cells->nelts / table->columns;
}

static void put_padding(display_t *display, int columns)
{
    fprintf(display->options.out, "%*s", columns, "");
}

static void put_row(display_t *display, const display_table_t *table,
                    int row)
{
    int last = table->columns - 1;
    int i;

    for (i = 0; i <= last; i++) {
        const char *text = cell(table, row, i);

        if (i == last) {
            text = display_cut(text, table->widths[last], display->pool);
        }
        if (row == 0) {
            display_title(display, text);
        }
        else if (i == table->state) {
            display_state(display, text);
        }
        else {
            fputs(text, display->options.out);
        }
        if (i < last) {
            put_padding(display,
                        table->widths[i] - display_width(text) + GAP);
        }
    }
    fputc('\n', display->options.out);
}

/** A row as lines: its first cell as title, then heading and cell. */
static void put_block(display_t *display, const display_table_t *table,
                      int row, int label)
{
    int i;

    display_title(display, cell(table, row, 0));
    fputc('\n', display->options.out);
    for (i = 1; i < table->columns; i++) {
        const char *head = cell(table, 0, i);

        fprintf(display->options.out, "  %s", head);
        put_padding(display, label - display_width(head) + GAP);
        if (i == table->state) {
            display_state(display, cell(table, row, i));
        }
        else {
            fputs(cell(table, row, i), display->options.out);
        }
        fputc('\n', display->options.out);
    }
}

/** Make the table fit. @return 0 if it cannot */
static int fit(const display_t *display, display_table_t *table)
{
    int last = table->columns - 1;
    int before = 0;
    int i;

    for (i = 0; i < last; i++) {
        before += table->widths[i] + GAP;
    }
    if (!display->width
        || before + table->widths[last] <= display->width) {
        return 1;
    }
    table->widths[last] = display->width - before;
    return table->widths[last] >= LAST_MIN;
}

void display_table_put(display_t *display, display_table_t *table)
{
    int label = 0;
    int i;

    if (fit(display, table)) {
        for (i = 0; i < rows(table); i++) {
            put_row(display, table, i);
        }
        return;
    }
    for (i = 1; i < table->columns; i++) {
        int width = display_width(cell(table, 0, i));

        label = width > label ? width : label;
    }
    for (i = 1; i < rows(table); i++) {
        put_block(display, table, i, label);
    }
}
