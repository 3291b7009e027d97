/*
 * findings.c: what verbs that change the configuration tell: steps, the
 * hosts to choose from, checks, warnings, and text to paste by hand.
 */
#include <string.h>

#include <apr_strings.h>

#include "display/internal.h"

static const char *text_of(const json_t *object, const char *member,
                           apr_pool_t *pool)
{
    const json_t *value = json_object_get(object, member);

    return json_is_string(value)
           ? display_line(json_string_value(value), pool) : "-";
}

static void put_steps(display_t *display, const json_t *steps)
{
    FILE *out = display->options.out;
    json_t *step;
    size_t i;

    json_array_foreach(steps, i, step) {
        fprintf(out, "%2d. %s\n", (int)i + 1,
                display_line(json_string_value(step), display->pool));
    }
}

static void put_candidates(display_t *display, const json_t *list)
{
    static const char *const heads[] = { "NAME", "PLACE", "WHY", NULL };
    display_table_t *table = display_table(heads, -1, display->pool);
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        display_table_add(table, text_of(item, "name", display->pool));
        display_table_add(table, text_of(item, "place", display->pool));
        display_table_add(table, text_of(item, "why", display->pool));
    }
    if (json_array_size(list) > 0) {
        display_table_put(display, table);
    }
}

/** How a check ended, in a word of table.c. What is not required and is not
 *  so undoes nothing. */
static const char *word_of(const json_t *check)
{
    const json_t *ok = json_object_get(check, "ok");

    if (json_is_boolean(ok)) {
        return json_is_true(ok) ? "ok"
               : json_is_false(json_object_get(check, "required"))
                 ? "warning" : "failed";
    }
    return "-";
}

/** Checks in one line, if none failed. @return 1 if it did */
static int put_few(display_t *display, const json_t *list)
{
    int all = (int)json_array_size(list);
    FILE *out = display->options.out;
    int untold = 0;
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        const json_t *ok = json_object_get(item, "ok");

        if (json_is_false(ok)) {
            return 0;
        }
        untold += !json_is_true(ok);
    }
    fprintf(out, "validated: %d check%s, none failed", all,
            all == 1 ? "" : "s");
    if (untold > 0) {
        fprintf(out, " (%d cannot be told or %s not apply)", untold,
                untold == 1 ? "does" : "do");
    }
    fputc('\n', out);
    return 1;
}

static void put_checks(display_t *display, const json_t *list)
{
    static const char *const heads[] = { "NAME", "CHECK", "OK", "DETAIL",
                                         NULL };
    display_table_t *table = display_table(heads, 2, display->pool);
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        display_table_add(table, text_of(item, "name", display->pool));
        display_table_add(table, text_of(item, "check", display->pool));
        display_table_add(table, word_of(item));
        display_table_add(table, text_of(item, "detail", display->pool));
    }
    display_table_put(display, table);
}

static void put_warnings(display_t *display, const json_t *warnings)
{
    json_t *warning;
    size_t i;

    json_array_foreach(warnings, i, warning) {
        display_state(display, "warning");
        fprintf(display->options.out, ": %s\n",
                display_line(json_string_value(warning), display->pool));
    }
}

/** Nothing stands beside it: it is to be copied as it is. */
static void put_paste(display_t *display, const json_t *paste)
{
    const char *text = json_string_value(paste);

    if (text) {
        fputs("to be added by hand:\n", display->options.out);
        display_block(display, text);
    }
}

/** 1 if people want to see each check, whatever its answer. */
static int wants_checks(const display_t *display, const json_t *result)
{
    const char *verb = json_string_value(json_object_get(result, "verb"));

    return display->options.verbose || (verb && strcmp(verb, "validate") == 0);
}

void display_findings(display_t *display, const json_t *result)
{
    const json_t *checks = json_object_get(result, "checks");
    const char *next = json_string_value(json_object_get(result, "next"));

    /* What failed was not done, or is no more. */
    if (!json_is_false(json_object_get(result, "ok"))) {
        put_steps(display, json_object_get(result, "steps"));
    }
    put_candidates(display, json_object_get(result, "candidates"));
    if (json_array_size(checks) > 0
        && (wants_checks(display, result) || !put_few(display, checks))) {
        put_checks(display, checks);
    }
    put_warnings(display, json_object_get(result, "warnings"));
    put_paste(display, json_object_get(result, "paste"));
    if (next) {
        fprintf(display->options.out, "%s\n",
                display_line(next, display->pool));
    }
}
