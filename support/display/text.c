/*
 * text.c: a result object as people read it: tables and sentences. Every
 * string was made printable where it entered (base_err_set, crypto); what
 * comes from files is written as one line here all the same.
 */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <apr_strings.h>

#include "display/internal.h"

#define RED "31"
#define GREEN "32"
#define YELLOW "33"
#define BOLD "1"

/** A color for words that tell how something stands; NULL for others. */
static const char *word_color(const char *word)
{
    static const struct {
        const char *word;
        const char *color;
    } colors[] = {
        { "valid", GREEN }, { "issued", GREEN }, { "revoked", GREEN },
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

static void put_word(display_t *display, const char *word, const char *color)
{
    FILE *out = display->options.out;

    if (display->color && color) {
        fprintf(out, "\033[%sm%s\033[0m", color, word);
    }
    else {
        fputs(word, out);
    }
}

/** text without control characters. */
static const char *one_line(const char *text, apr_pool_t *pool)
{
    acme_err_t clean = { 0 };

    base_err_set(&clean, APR_EGENERAL, BASE_EXIT_OK, "%s", text);
    return apr_pstrdup(pool, clean.message);
}

static const char *text_of(const json_t *object, const char *member,
                           apr_pool_t *pool)
{
    const json_t *value = json_object_get(object, member);

    return json_is_string(value) ? one_line(json_string_value(value), pool)
                                 : "-";
}

/** Columns a text takes on a terminal. */
static int width_of(const char *text)
{
    mbstate_t state;
    int width = 0;

    memset(&state, 0, sizeof(state));
    while (*text) {
        wchar_t wc;
        size_t n = mbrtowc(&wc, text, strlen(text), &state);

        if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
            memset(&state, 0, sizeof(state));
            width++;
            text++;
            continue;
        }
        width += wcwidth(wc) > 0 ? wcwidth(wc) : 0;
        text += n;
    }
    return width;
}

/* ----------------------------------------------------------------- tables */

#define COLUMNS_MAX 8

/** A table of texts, row by row, the heading first. */
typedef struct table_t {
    int columns;
    apr_array_header_t *cells;   /**< of const char * */
} table_t;

static void put_table(display_t *display, const table_t *table)
{
    FILE *out = display->options.out;
    int widths[COLUMNS_MAX] = { 0 };
    int i;

    for (i = 0; i < table->cells->nelts; i++) {
        int width = width_of(APR_ARRAY_IDX(table->cells, i, const char *));

        if (width > widths[i % table->columns]) {
            widths[i % table->columns] = width;
        }
    }
    for (i = 0; i < table->cells->nelts; i++) {
        const char *cell = APR_ARRAY_IDX(table->cells, i, const char *);
        int last = (i + 1) % table->columns == 0;

        put_word(display, cell, i < table->columns ? BOLD
                                                   : word_color(cell));
        fprintf(out, "%*s", last ? 0 : widths[i % table->columns]
                                       - width_of(cell) + 2, "");
        if (last) {
            fputc('\n', out);
        }
    }
}

static table_t *make_table(int columns, apr_pool_t *pool)
{
    table_t *table = apr_pcalloc(pool, sizeof(*table));

    table->columns = columns;
    table->cells = apr_array_make(pool, 32, sizeof(const char *));
    return table;
}

static void add_cell(table_t *table, const char *text)
{
    APR_ARRAY_PUSH(table->cells, const char *) = text;
}

/** "2026-11-23" of an RFC 3339 time, "-" of none. */
static const char *day_of(const json_t *object, const char *member,
                          apr_pool_t *pool)
{
    return apr_pstrndup(pool, text_of(object, member, pool), 10);
}

static const char *join_names(const json_t *names, apr_pool_t *pool)
{
    const char *text = "";
    json_t *name;
    size_t i;

    json_array_foreach(names, i, name) {
        text = apr_pstrcat(pool, text, i ? " " : "",
                           one_line(json_string_value(name), pool), NULL);
    }
    return *text ? text : "-";
}

/* --------------------------------------------------------------- sections */

static void put_certificates(display_t *display, const json_t *list)
{
    static const char *const heads[] = {
        "NAME", "STATE", "KEY", "NOT AFTER", "RENEW", "ISSUER", "NAMES"
    };
    apr_pool_t *pool = display->pool;
    table_t *table = make_table(7, pool);
    json_t *item;
    size_t i;

    if (json_array_size(list) == 0) {
        fputs("no certificate is managed: the configuration has no "
              "ACMEDomain\n", display->options.out);
        return;
    }
    for (i = 0; i < 7; i++) {
        add_cell(table, heads[i]);
    }
    json_array_foreach(list, i, item) {
        add_cell(table, text_of(item, "name", pool));
        add_cell(table, text_of(item, "state", pool));
        add_cell(table, text_of(item, "key_type", pool));
        add_cell(table, day_of(item, "not_after", pool));
        add_cell(table, day_of(item, "renew_at", pool));
        add_cell(table, text_of(item, "issuer", pool));
        add_cell(table, join_names(json_object_get(item, "names"), pool));
    }
    put_table(display, table);
    json_array_foreach(list, i, item) {
        const json_t *error = json_object_get(item, "last_error");

        if (json_is_string(json_object_get(item, "why"))) {
            fprintf(display->options.out, "%s: %s\n",
                    text_of(item, "name", pool), text_of(item, "why", pool));
        }
        if (json_is_object(error)) {
            fprintf(display->options.out, "%s: last error (%s): %s\n",
                    text_of(item, "name", pool), text_of(error, "at", pool),
                    text_of(error, "detail", pool));
        }
    }
}

static void put_result(display_t *display, const json_t *item)
{
    FILE *out = display->options.out;
    const char *result = text_of(item, "result", display->pool);
    const json_t *error = json_object_get(item, "error");

    fprintf(out, "%s: ", text_of(item, "name", display->pool));
    put_word(display, result, word_color(result));
    if (json_is_object(error)) {
        fprintf(out, ": %s", text_of(error, "detail", display->pool));
    }
    else if (strcmp(result, "skipped") == 0) {
        fputs(" (the certificate at hand is valid and not due)", out);
    }
    else {
        fprintf(out, " (%d requests, %.2f s)",
                (int)json_integer_value(json_object_get(item, "requests")),
                json_number_value(json_object_get(item, "seconds")));
    }
    fputc('\n', out);
}

static void put_results(display_t *display, const json_t *list)
{
    json_t *item;
    size_t i;

    if (json_array_size(list) == 0) {
        fputs("nothing to do\n", display->options.out);
    }
    json_array_foreach(list, i, item) {
        put_result(display, item);
    }
}

static void put_accounts(display_t *display, const json_t *list)
{
    FILE *out = display->options.out;
    apr_pool_t *pool = display->pool;
    json_t *item;
    size_t i;

    if (json_array_size(list) == 0) {
        fputs("there is no account, and no ACMEDomain that needs one\n",
              out);
    }
    json_array_foreach(list, i, item) {
        put_word(display, text_of(item, "ca", pool), BOLD);
        fprintf(out, "\n  account     %s\n  status      %s\n"
                "  contact     %s\n  thumbprint  %s\n",
                text_of(item, "url", pool), text_of(item, "status", pool),
                join_names(json_object_get(item, "contact"), pool),
                text_of(item, "thumbprint", pool));
    }
}

static void put_config(display_t *display, const json_t *config)
{
    char *text = json_dumps(config, JSON_INDENT(2));

    fprintf(display->options.out, "%s\n", text ? text : "");
    free(text);
}

static void put_httpd(display_t *display, const json_t *httpd)
{
    if (json_is_true(json_object_get(httpd, "running"))) {
        fprintf(display->options.out, "httpd runs (pid %d)\n",
                (int)json_integer_value(json_object_get(httpd, "pid")));
    }
}

static void put_notes(display_t *display, const json_t *notes)
{
    json_t *note;
    size_t i;

    json_array_foreach(notes, i, note) {
        fprintf(display->options.out, "%s\n",
                one_line(json_string_value(note), display->pool));
    }
}

static const struct {
    const char *member;
    void (*put)(display_t *display, const json_t *value);
} sections[] = {
    { "certificates", put_certificates },
    { "results", put_results },
    { "accounts", put_accounts },
    { "config", put_config },
    { "httpd", put_httpd },
    { "notes", put_notes }
};

void display_text(display_t *display, const json_t *result)
{
    const json_t *error = json_object_get(result, "error");
    size_t i;

    for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        const json_t *value = json_object_get(result, sections[i].member);

        if (value) {
            sections[i].put(display, value);
        }
    }
    if (json_is_object(error)) {
        fflush(display->options.out);
        fprintf(display->options.err, "acmectl: %s\n",
                text_of(error, "detail", display->pool));
    }
}
