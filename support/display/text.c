/*
 * text.c: a result object as people read it: tables and sentences. Every
 * string was made printable where it entered (base_err_set, crypto); what
 * comes from files is written as one line here all the same.
 */
#include <stdlib.h>
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
                           display_line(json_string_value(name), pool), NULL);
    }
    return *text ? text : "-";
}

/* --------------------------------------------------------------- sections */

static void put_certificates(display_t *display, const json_t *list)
{
    static const char *const heads[] = {
        "NAME", "STATE", "KEY", "NOT AFTER", "RENEW", "ISSUER", "NAMES",
        NULL
    };
    apr_pool_t *pool = display->pool;
    display_table_t *table = display_table(heads, 1, pool);
    json_t *item;
    size_t i;

    if (json_array_size(list) == 0) {
        fputs("no certificate is managed: the configuration has no "
              "ACMEDomain\n", display->options.out);
        return;
    }
    json_array_foreach(list, i, item) {
        display_table_add(table, text_of(item, "name", pool));
        display_table_add(table, text_of(item, "state", pool));
        display_table_add(table, text_of(item, "key_type", pool));
        display_table_add(table, day_of(item, "not_after", pool));
        display_table_add(table, day_of(item, "renew_at", pool));
        display_table_add(table, text_of(item, "issuer", pool));
        display_table_add(table, join_names(json_object_get(item, "names"),
                                            pool));
    }
    display_table_put(display, table);
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
        if (json_is_string(json_object_get(item, "next_try"))) {
            fprintf(display->options.out, "%s: next try not before %s\n",
                    text_of(item, "name", pool),
                    text_of(item, "next_try", pool));
        }
    }
}

static void put_result(display_t *display, const json_t *item)
{
    FILE *out = display->options.out;
    const char *result = text_of(item, "result", display->pool);
    const json_t *error = json_object_get(item, "error");

    fprintf(out, "%s: ", text_of(item, "name", display->pool));
    display_state(display, result);
    if (json_is_object(error)) {
        fprintf(out, ": %s", text_of(error, "detail", display->pool));
    }
    else if (strcmp(result, "skipped") == 0) {
        fputs(" (the certificate at hand is valid and not due)", out);
    }
    else {
        int requests = (int)json_integer_value(json_object_get(item,
                                                               "requests"));

        fprintf(out, " (%d %s, %.2f s)", requests,
                requests == 1 ? "request" : "requests",
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
        display_title(display, text_of(item, "ca", pool));
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

static void put_manager(display_t *display, const json_t *manager)
{
    FILE *out = display->options.out;

    if (json_is_true(json_object_get(manager, "running"))) {
        fprintf(out, "the manager runs (pid %d)\n",
                (int)json_integer_value(json_object_get(manager, "pid")));
    }
    else if (json_is_true(json_object_get(manager, "enabled"))) {
        fputs("the manager does not run\n", out);
    }
    else {
        fputs("the manager is off (ACMEManager off)\n", out);
    }
}

static void put_journal(display_t *display, const json_t *journal)
{
    FILE *out = display->options.out;
    apr_pool_t *pool = display->pool;
    int count = (int)json_integer_value(json_object_get(journal,
                                                        "checkpoints"));

    if (json_is_true(json_object_get(journal, "interrupted"))) {
        fputs("an interrupted change of the configuration is to be undone: "
              "acmectl recover\n", out);
    }
    if (json_is_string(json_object_get(journal, "holder"))) {
        fprintf(out, "the journal is held by %s\n",
                text_of(journal, "holder", pool));
    }
    fprintf(out, "the journal holds %d checkpoint%s\n", count,
            count == 1 ? "" : "s");
}

static void put_notes(display_t *display, const json_t *notes)
{
    json_t *note;
    size_t i;

    json_array_foreach(notes, i, note) {
        fprintf(display->options.out, "%s\n",
                display_line(json_string_value(note), display->pool));
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
    { "manager", put_manager },
    { "journal", put_journal },
    { "notes", put_notes }
};

void display_text(display_t *display, const json_t *result)
{
    size_t i;

    put_notes(display, json_object_get(result, "summary"));
    display_changes(display, result);
    for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        const json_t *value = json_object_get(result, sections[i].member);

        if (value) {
            sections[i].put(display, value);
        }
    }
    display_findings(display, result);
}

/** What a box takes of a line. */
#define BOX_EDGES 8

const char *display_rendered(display_t *display, const json_t *result,
                             apr_pool_t *pool)
{
    display_t copy = *display;
    char *text = NULL;
    const char *kept;
    size_t len = 0;

    copy.pool = pool;
    copy.out_terminal = 1;
    copy.width = display->terminal ? display->err_width : display->width;
    if (display->dialog) {
        copy.color = 0;
        copy.width = copy.width > 2 * BOX_EDGES ? copy.width - BOX_EDGES
                                                : copy.width;
    }
    copy.options.out = open_memstream(&text, &len);
    if (!copy.options.out) {
        return "";
    }
    display_text(&copy, result);
    fclose(copy.options.out);
    kept = apr_pstrmemdup(pool, text, len);
    free(text);
    /* What a box cuts off nobody can read. */
    return display->dialog && copy.width > BOX_EDGES
           ? display_fold(kept, copy.width, pool) : kept;
}
