/*
 * display_ask: ask on the terminal and write down what was answered, for
 * the tests that sit at that terminal.
 *
 *   display_ask FILE DISPLAY [WORD [ARGUMENT]]...
 *
 * DISPLAY is text or dialog:PROGRAM. FILE gets a line a question: "yes",
 * "no", a number, a list of them, or "status N: message" and the end.
 * Words, in the order in which they are done:
 *   silent           nobody may be asked
 *   yes              --yes
 *   item TEXT        TEXT is offered from now on; TAG=TEXT has a tag
 *   on TEXT          the same, marked
 *   items N          N items
 *   yesno QUESTION
 *   yesno-yes QUESTION  the same, where an empty answer means yes
 *   menu TITLE
 *   checklist TITLE
 *   show TEXT        as a diff
 *   progress PERCENT
 *   log TEXT         a line on standard error
 *   pause MS         wait: progress is for what takes longer than a second
 *   wait FILE        until it is there, 20 s at most
 *   told TEXT        TEXT into FILE: so far it has come
 *   result TEXT      as a verb's
 *   error TEXT       as a verb's
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "display/display.h"

#define FLAG "--answer"

static apr_pool_t *pool;
static FILE *file;
static display_options_t options;
static display_t *display;
static apr_array_header_t *items;
static acme_err_t err;

static void add_item(const char *text, int on)
{
    display_item_t *item = apr_array_push(items);
    const char *equals = strchr(text, '=');

    item->tag = equals ? apr_pstrmemdup(pool, text,
                                        (apr_size_t)(equals - text)) : text;
    item->text = equals ? equals + 1 : "";
    item->on = on;
}

static void add_items(int count)
{
    int i;

    for (i = 1; i <= count; i++) {
        add_item(apr_psprintf(pool, "host%d.test=/var/www/host%d", i, i), 0);
    }
}

/** Write a failure down. @return 1 if there was none */
static int ok(apr_status_t rv)
{
    if (rv != APR_SUCCESS) {
        fprintf(file, "status %d, exit %d: %s\n", rv, err.exit, err.message);
        base_err_clear(&err);
    }
    return rv == APR_SUCCESS;
}

static void ask_yesno(const char *question, int otherwise)
{
    int answer = 7;

    if (ok(display_yesno(display, &answer, question, otherwise, FLAG,
                         &err))) {
        fprintf(file, "%s\n", answer == 1 ? "yes" : answer == 0 ? "no"
                                                                : "?");
    }
}

static void ask_menu(const char *title)
{
    int choice = -1;

    if (ok(display_menu(display, &choice, title, items, FLAG, &err))) {
        fprintf(file, "%d\n", choice + 1);
    }
}

static void ask_checklist(const char *title)
{
    int i;

    if (!ok(display_checklist(display, title, items, FLAG, &err))) {
        return;
    }
    fputs("on:", file);
    for (i = 0; i < items->nelts; i++) {
        if (APR_ARRAY_IDX(items, i, display_item_t).on) {
            fprintf(file, " %d", i + 1);
        }
    }
    fputc('\n', file);
}

static void wait_for(const char *path)
{
    int i;

    for (i = 0; i < 2000 && access(path, F_OK) != 0; i++) {
        usleep(10000);
    }
}

/** A verb's result; text lines become "notes". */
static void show_result(const char *text, const char *error)
{
    json_t *notes = json_array();
    json_t *result = base_json_own(json_pack("{s:s, s:s, s:b, s:i, s:b}",
        "schema", "acmectl/1", "verb", "secure", "ok", error == NULL, "exit",
        error ? 1 : 0, "changed", 0), pool);
    char *state;
    char *line;

    for (line = apr_strtok(apr_pstrdup(pool, text), "\n", &state); line;
         line = apr_strtok(NULL, "\n", &state)) {
        json_array_append_new(notes, json_string(line));
    }
    json_object_set_new(result, "notes", notes);
    if (error) {
        json_object_set_new(result, "error", json_pack("{s:s, s:s}", "type",
                                                       "acmectl", "detail",
                                                       error));
    }
    display_result(display, result);
}

static void show_diff(const char *text)
{
    json_t *part = base_json_own(json_pack("{s:s}", "diff", text), pool);

    display_show(display, "What would change:", part);
}

/** Words that ask or show. @return 0 if it is none */
static int ask(const char *word, const char *text)
{
    if (strcmp(word, "yesno") == 0) {
        ask_yesno(text, 0);
    }
    else if (strcmp(word, "yesno-yes") == 0) {
        ask_yesno(text, 1);
    }
    else if (strcmp(word, "menu") == 0) {
        ask_menu(text);
    }
    else if (strcmp(word, "checklist") == 0) {
        ask_checklist(text);
    }
    else if (strcmp(word, "show") == 0) {
        show_diff(text);
    }
    else if (strcmp(word, "progress") == 0) {
        display_progress_of(display, (int)strtol(text, NULL, 10), 100,
                            "reading hosts");
    }
    else if (strcmp(word, "result") == 0) {
        show_result(text, NULL);
    }
    else if (strcmp(word, "error") == 0) {
        show_result("", text);
    }
    else {
        return 0;
    }
    return 1;
}

/** Words with an argument. */
static void act(const char *word, const char *text)
{
    if (ask(word, text)) {
        return;
    }
    if (strcmp(word, "item") == 0 || strcmp(word, "on") == 0) {
        add_item(text, word[0] == 'o');
    }
    else if (strcmp(word, "items") == 0) {
        add_items((int)strtol(text, NULL, 10));
    }
    else if (strcmp(word, "log") == 0) {
        base_log(BASE_LOG_WARN, "%s", text);
    }
    else if (strcmp(word, "wait") == 0) {
        wait_for(text);
    }
    else if (strcmp(word, "pause") == 0) {
        apr_sleep(apr_time_from_msec(strtol(text, NULL, 10)));
    }
    else if (strcmp(word, "told") == 0) {
        fprintf(file, "%s\n", text);
    }
    else {
        fprintf(file, "what is %s?\n", word);
    }
    fflush(file);
}

static int begin(const char *kind)
{
    if (strncmp(kind, "dialog:", 7) == 0) {
        options.kind = DISPLAY_DIALOG;
        options.program = kind[7] ? kind + 7 : NULL;
    }
    options.in = stdin;
    options.out = stdout;
    options.err = stderr;
    if (!ok(display_check(&options, &err, pool))) {
        return 0;
    }
    display = display_open(&options, pool);
    base_log_before(display_clear, display);
    items = apr_array_make(pool, 8, sizeof(display_item_t));
    return 1;
}

int main(int argc, char **argv)
{
    int i = 3;

    setlocale(LC_CTYPE, "");
    if (argc < 3 || apr_initialize() != APR_SUCCESS
        || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return 2;
    }
    file = fopen(argv[1], "w");
    if (!file) {
        return 2;
    }
    for (; i < argc; i++) {
        if (strcmp(argv[i], "silent") == 0) {
            options.silent = 1;
        }
        else if (strcmp(argv[i], "yes") == 0) {
            options.yes = 1;
        }
        else {
            break;
        }
    }
    if (begin(argv[2])) {
        for (; i + 1 < argc; i += 2) {
            act(argv[i], argv[i + 1]);
        }
        fputs("end\n", file);
    }
    fclose(file);
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
