/*
 * ask_text.c: questions as lines on the terminal, answers as lines from it.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "display/internal.h"

/** So often a question is asked before it is given up. */
#define TRIES 5

/** Longer than a line that a terminal edits can be. Source: termios(3). */
#define LINE_SIZE 4097

/* ---------------------------------------------------------------- answers */

/** Cut blanks at both ends off. */
static char *trim(char *line)
{
    char *end = line + strlen(line);

    while (end > line && apr_isspace(end[-1])) {
        *--end = '\0';
    }
    while (apr_isspace(*line)) {
        line++;
    }
    return line;
}

/** What the user types next, without blanks around it.
 *  @return ECANCELED: nothing any more, or a signal */
static apr_status_t read_answer(display_t *display, char **panswer,
                                char line[LINE_SIZE])
{
    struct pollfd fd = { .fd = fileno(display->options.in),
                         .events = POLLIN };
    display_guard_t guard;
    apr_status_t rv;
    ssize_t n = 0;

    display_guard_begin(&guard);
    rv = display_guard_wait(&guard, &fd, 1);
    if (rv == APR_SUCCESS) {
        n = read(fd.fd, line, LINE_SIZE - 1);
    }
    display_guard_end(&guard);
    if (n <= 0) {
        /* What comes next begins on a line of its own. */
        fputc('\n', display_terminal(display));
        fflush(display_terminal(display));
        return rv == APR_SUCCESS ? ECANCELED : rv;
    }
    line[n] = '\0';
    *panswer = trim(line);
    return APR_SUCCESS;
}

/** What takes an answer. @return NULL if it has understood it; else what to
 *  answer instead */
typedef const char *take_fn(void *baton, char *answer);

/** Prompt until an answer is understood. */
static apr_status_t ask(display_t *display, const char *prompt,
                        take_fn *take, void *baton)
{
    FILE *terminal = display_terminal(display);
    char line[LINE_SIZE];
    char *answer;
    int tries;

    for (tries = 0; tries < TRIES; tries++) {
        const char *wrong;
        apr_status_t rv;

        fputs(prompt, terminal);
        fflush(terminal);
        rv = read_answer(display, &answer, line);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        wrong = take(baton, answer);
        if (!wrong) {
            return APR_SUCCESS;
        }
        fprintf(terminal, "%s\n", wrong);
    }
    return ECANCELED;
}

/** The number at *ptext, 1 to max, which is moved behind it; 0 if there is
 *  none. */
static int take_number(char **ptext, int max)
{
    char *text = *ptext;
    int number = 0;

    while (apr_isdigit(*text) && number <= max) {
        number = 10 * number + (*text++ - '0');
    }
    if (apr_isdigit(*text) || number > max) {
        return 0;
    }
    *ptext = text;
    return number;
}

/* -------------------------------------------------------------- questions */

static const char *take_yesno(void *baton, char *answer)
{
    int *yes = baton;

    if (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0) {
        *yes = 1;
    }
    else if (strcasecmp(answer, "n") == 0 || strcasecmp(answer, "no") == 0) {
        *yes = 0;
    }
    else if (*answer) {
        return "Please answer yes or no.";
    }
    return NULL;
}

static apr_status_t text_yesno(display_t *display, int *panswer,
                               const char *question, int otherwise,
                               acme_err_t *err, apr_pool_t *pool)
{
    int answer = otherwise;
    apr_status_t rv;

    rv = ask(display, apr_pstrcat(pool, display_lines(question, pool),
                                  otherwise ? " [Y/n] " : " [y/N] ", NULL),
             take_yesno, &answer);
    if (rv == APR_SUCCESS) {
        *panswer = answer;
    }
    return rv;
}

/** Write the items, numbered. @param marks  1: say which are on */
static void put_items(display_t *display, const char *title,
                      const apr_array_header_t *items, int marks,
                      apr_pool_t *pool)
{
    FILE *terminal = display_terminal(display);
    int digits = (int)strlen(apr_itoa(pool, items->nelts));
    int width = 0;
    int i;

    fprintf(terminal, "%s\n", display_lines(title, pool));
    for (i = 0; i < items->nelts; i++) {
        const display_item_t *item = &APR_ARRAY_IDX(items, i,
                                                    display_item_t);
        int columns = display_width(display_line(item->tag, pool));

        width = columns > width ? columns : width;
    }
    for (i = 0; i < items->nelts; i++) {
        const display_item_t *item = &APR_ARRAY_IDX(items, i,
                                                    display_item_t);
        const char *tag = display_line(item->tag, pool);
        const char *text = display_line(item->text, pool);

        fprintf(terminal, "  %*d  %s%s", digits, i + 1,
                !marks ? "" : item->on ? "[x] " : "[ ] ", tag);
        if (*text) {
            fprintf(terminal, "%*s  %s", width - display_width(tag), "",
                    text);
        }
        fputc('\n', terminal);
    }
}

/** What takes the answer to a menu. */
typedef struct menu_t {
    const apr_array_header_t *items;
    int choice;
    const char *hint;
} menu_t;

static const char *take_choice(void *baton, char *answer)
{
    menu_t *menu = baton;
    int number = take_number(&answer, menu->items->nelts);
    int i;

    if (number > 0 && !*answer) {
        menu->choice = number - 1;
        return NULL;
    }
    for (i = 0; number == 0 && i < menu->items->nelts; i++) {
        if (*answer && strcmp(answer, APR_ARRAY_IDX(menu->items, i,
                                          display_item_t).tag) == 0) {
            menu->choice = i;
            return NULL;
        }
    }
    return menu->hint;
}

static apr_status_t text_menu(display_t *display, int *pchoice,
                              const char *title,
                              const apr_array_header_t *items,
                              acme_err_t *err, apr_pool_t *pool)
{
    menu_t menu = { items, 0, NULL };
    apr_status_t rv;

    menu.hint = apr_psprintf(pool, "Please give a number, 1 to %d.",
                             items->nelts);
    put_items(display, title, items, 0, pool);
    rv = ask(display, apr_psprintf(pool, "Number (1 to %d): ", items->nelts),
             take_choice, &menu);
    if (rv == APR_SUCCESS) {
        *pchoice = menu.choice;
    }
    return rv;
}

/** What takes the answer to a checklist. */
typedef struct checklist_t {
    apr_size_t count;
    char *on;            /**< count flags: what was chosen … */
    char *typed;         /**< … and what is being read */
    const char *hint;
} checklist_t;

/** "3", "2-4"; moved behind it. @return 0 if it is neither */
static int take_range(checklist_t *list, char **ptext)
{
    int from = take_number(ptext, (int)list->count);
    int to = from;

    if (from && **ptext == '-') {
        ++*ptext;
        to = take_number(ptext, (int)list->count);
    }
    if (!from || to < from || (**ptext && !apr_isspace(**ptext)
                               && **ptext != ',')) {
        return 0;
    }
    memset(list->typed + from - 1, 1, (size_t)(to - from + 1));
    return 1;
}

static const char *take_checklist(void *baton, char *answer)
{
    checklist_t *list = baton;

    if (!*answer) {
        return NULL;
    }
    if (strcasecmp(answer, "all") == 0 || strcasecmp(answer, "none") == 0) {
        memset(list->on, strcasecmp(answer, "all") == 0, list->count);
        return NULL;
    }
    memset(list->typed, 0, list->count);
    while (*answer) {
        if (!take_range(list, &answer)) {
            return list->hint;
        }
        answer += strspn(answer, ", \t");
    }
    memcpy(list->on, list->typed, list->count);
    return NULL;
}

static apr_status_t text_checklist(display_t *display, const char *title,
                                   apr_array_header_t *items,
                                   acme_err_t *err, apr_pool_t *pool)
{
    checklist_t list = { (apr_size_t)items->nelts, NULL, NULL, NULL };
    apr_status_t rv;
    int i;

    list.on = apr_pcalloc(pool, list.count);
    list.typed = apr_pcalloc(pool, list.count);
    list.hint = apr_psprintf(pool, "Please give numbers (1 to %d) or ranges "
                             "such as 2-4, all or none.", items->nelts);
    for (i = 0; i < items->nelts; i++) {
        list.on[i] = APR_ARRAY_IDX(items, i, display_item_t).on != 0;
    }
    put_items(display, title, items, 1, pool);
    rv = ask(display, "Numbers, ranges, all or none (Enter: as marked): ",
             take_checklist, &list);
    for (i = 0; rv == APR_SUCCESS && i < items->nelts; i++) {
        APR_ARRAY_IDX(items, i, display_item_t).on = list.on[i];
    }
    return rv;
}

static apr_status_t text_show(display_t *display, const char *title,
                              const char *text, acme_err_t *err,
                              apr_pool_t *pool)
{
    FILE *terminal = display_terminal(display);

    fprintf(terminal, "%s\n%s", display_lines(title, pool), text);
    fflush(terminal);
    return APR_SUCCESS;
}

const display_asker_t display_ask_text = {
    text_yesno, text_menu, text_checklist, text_show
};
