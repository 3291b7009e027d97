/*
 * changes.c: checkpoints, files and diffs as people read them.
 *
 * A diff goes to a file or a pipe byte by byte, so that patch(1) takes it;
 * on a terminal whatever the terminal would obey is made visible.
 */
#include <string.h>

#include <apr_strings.h>

#include "display/internal.h"

#define BOLD "\033[1m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define CYAN "\033[36m"
#define PLAIN "\033[0m"

static const char *text_of(const json_t *object, const char *member,
                           apr_pool_t *pool)
{
    const json_t *value = json_object_get(object, member);

    return json_is_string(value)
           ? display_line(json_string_value(value), pool) : "-";
}

/* ------------------------------------------------------------------ diffs */

static const char *line_color(const char *line)
{
    if (strncmp(line, "+++ ", 4) == 0 || strncmp(line, "--- ", 4) == 0) {
        return BOLD;
    }
    switch (*line) {
    case '+':
        return GREEN;
    case '-':
        return RED;
    case '@':
        return CYAN;
    default:
        return NULL;
    }
}

/** Write a line, its tabs as they are, all else printable. */
static void put_printable(FILE *out, const char *line, apr_pool_t *pool)
{
    while (*line) {
        apr_size_t len = strcspn(line, "\t");
        apr_size_t size = 4 * len + 8;

        fputs(base_clean(apr_palloc(pool, size), size,
                         apr_pstrmemdup(pool, line, len)), out);
        line += len;
        if (*line) {
            fputc(*line++, out);
        }
    }
}

static void put_line(display_t *display, const char *line,
                     const char *color, apr_pool_t *pool)
{
    FILE *out = display->options.out;

    if (color) {
        fputs(color, out);
    }
    if (display->out_terminal) {
        put_printable(out, line, pool);
    }
    else {
        fputs(line, out);
    }
    fputs(color ? PLAIN "\n" : "\n", out);
}

/** Write lines of a file or, colored, of a diff. */
static void put_text(display_t *display, const char *text, int colored)
{
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, display->pool);
    while (*text) {
        apr_size_t len = strcspn(text, "\n");
        const char *line;

        apr_pool_clear(iterpool);
        line = apr_pstrmemdup(iterpool, text, len);
        put_line(display, line, colored ? line_color(line) : NULL, iterpool);
        text += len + (text[len] == '\n');
    }
    apr_pool_destroy(iterpool);
}

static void put_diff(display_t *display, const char *diff)
{
    put_text(display, diff, display->color);
}

void display_block(display_t *display, const char *text)
{
    put_text(display, text, 0);
}

/* ------------------------------------------------------------------ files */

/** What was done to a file; or, with undone, what undoing it did. */
static const char *word_of(const json_t *file, int undone)
{
    const char *op = json_string_value(json_object_get(file, "op"));

    if (!undone) {
        return op ? op : "-";
    }
    return op && strcmp(op, "modify") == 0 ? "restored" : "removed";
}

static void put_files(display_t *display, const json_t *files, int undone)
{
    apr_pool_t *pool = display->pool;
    json_t *file;
    size_t i;

    json_array_foreach(files, i, file) {
        fprintf(display->options.out, "  %-8s  %s\n", word_of(file, undone),
                text_of(file, "path", pool));
        if (json_object_get(file, "aside")) {
            fprintf(display->options.out, "  %-8s  your version is %s\n", "",
                    text_of(file, "aside", pool));
        }
    }
}

/** Files that somebody edited, and how. */
static void put_conflicts(display_t *display, const json_t *files)
{
    const char *diff;
    json_t *file;
    size_t i;

    json_array_foreach(files, i, file) {
        fprintf(display->options.out, "changed since: %s\n",
                text_of(file, "path", display->pool));
        diff = json_string_value(json_object_get(file, "diff"));
        if (diff) {
            put_diff(display, diff);
        }
    }
}

/* ------------------------------------------------------------ checkpoints */

static void put_list(display_t *display, const json_t *list)
{
    static const char *const heads[] = { "ID", "CREATED", "FILES", "TITLE",
                                         NULL };
    apr_pool_t *pool = display->pool;
    display_table_t *table = display_table(heads, -1, pool);
    json_t *item;
    size_t i;

    if (json_array_size(list) == 0) {
        fputs("there is no checkpoint\n", display->options.out);
        return;
    }
    json_array_foreach(list, i, item) {
        display_table_add(table, apr_psprintf(pool, "%d", (int)
            json_integer_value(json_object_get(item, "id"))));
        display_table_add(table, text_of(item, "created", pool));
        display_table_add(table, apr_psprintf(pool, "%d", (int)
            json_array_size(json_object_get(item, "files"))));
        display_table_add(table, text_of(item, "title", pool));
    }
    display_table_put(display, table);
    json_array_foreach(list, i, item) {
        if (json_object_get(item, "damaged")) {
            fprintf(display->options.out, "checkpoint %d: %s\n",
                    (int)json_integer_value(json_object_get(item, "id")),
                    text_of(item, "damaged", pool));
        }
    }
}

static void put_one(display_t *display, const json_t *item)
{
    FILE *out = display->options.out;
    apr_pool_t *pool = display->pool;
    json_t *note;
    size_t i;

    display_title(display, apr_psprintf(pool, "checkpoint %d", (int)
        json_integer_value(json_object_get(item, "id"))));
    fprintf(out, ", %s: %s\n", text_of(item, "created", pool),
            text_of(item, "title", pool));
    json_array_foreach(json_object_get(item, "notes"), i, note) {
        fprintf(out, "  %s\n", display_line(json_string_value(note), pool));
    }
    put_files(display, json_object_get(item, "files"), 0);
}

/* ------------------------------------------------------------------ parts */

static void put_recovered(display_t *display, const json_t *recovered)
{
    FILE *out = display->options.out;

    if (json_integer_value(json_object_get(recovered, "count")) > 0) {
        fputs("an interrupted change was undone\n", out);
    }
    else if (json_array_size(json_object_get(recovered, "conflicts")) == 0) {
        fputs("nothing is to be recovered\n", out);
    }
    put_files(display, json_object_get(recovered, "files"), 1);
    put_conflicts(display, json_object_get(recovered, "conflicts"));
}

static void put_undone(display_t *display, const json_t *undone)
{
    json_t *id;
    size_t i;

    json_array_foreach(undone, i, id) {
        fprintf(display->options.out, "checkpoint %d was undone\n",
                (int)json_integer_value(id));
    }
}

void display_changes(display_t *display, const json_t *result)
{
    const json_t *recovered = json_object_get(result, "recovered");
    const json_t *list = json_object_get(result, "checkpoints");
    const json_t *diff = json_object_get(result, "diff");
    const json_t *undone = json_object_get(result, "undone");

    if (recovered) {
        put_recovered(display, recovered);
    }
    if (list && !diff) {
        put_list(display, list);
    }
    else if (list) {
        put_one(display, json_array_get(list, 0));
    }
    put_undone(display, undone);
    /* A plan's diff says it all, and so do steps. */
    if (!diff && json_array_size(json_object_get(result, "steps")) == 0) {
        put_files(display, json_object_get(result, "files"), undone != NULL);
    }
    put_conflicts(display, json_object_get(result, "conflicts"));
    if (diff) {
        put_diff(display, json_string_value(diff));
    }
}
