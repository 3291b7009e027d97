/*
 * ask.c: questions, whatever asks them: may anybody be asked, and what a
 * signal means meanwhile.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "display/internal.h"

/* ------------------------------------------------------------- may we ask */

FILE *display_terminal(const display_t *display)
{
    if (display->terminal) {
        return display->options.err;
    }
    return display->out_terminal ? display->options.out : NULL;
}

/** Why nobody can be asked; NULL if somebody can. */
static const char *obstacle(const display_t *display)
{
    if (display->options.kind == DISPLAY_JSON) {
        return "with JSON";
    }
    if (display->options.silent) {
        return "with --non-interactive";
    }
    if (!display->options.in || !isatty(fileno(display->options.in))
        || !display_terminal(display)) {
        return "without a terminal";
    }
    return NULL;
}

int display_can_ask(const display_t *display)
{
    return obstacle(display) == NULL;
}

/** Refuse a question that cannot be asked. @return APR_SUCCESS if it can */
static apr_status_t may_ask(display_t *display, const char *question,
                            const char *flag, acme_err_t *err)
{
    const char *why = obstacle(display);

    display_progress_end(display);
    if (why) {
        return base_err_set(err, APR_ENOTIMPL, BASE_EXIT_USAGE,
                            "\"%.400s\" cannot be asked %s; answer it by %s",
                            question, why, flag);
    }
    return APR_SUCCESS;
}

static apr_status_t may_choose(display_t *display, const char *title,
                               const apr_array_header_t *items,
                               const char *flag, acme_err_t *err)
{
    if (items->nelts == 0) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "\"%.400s\": there is nothing to choose from",
                            title);
    }
    return may_ask(display, title, flag, err);
}

/** What a question returns. */
static apr_status_t answered(apr_status_t rv, acme_err_t *err)
{
    if (rv == ECANCELED) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "cancelled; nothing was changed");
    }
    return rv;
}

/* ------------------------------------------------------------- questions */

apr_status_t display_yesno(display_t *display, int *panswer,
                           const char *question, int otherwise,
                           const char *flag, acme_err_t *err)
{
    apr_pool_t *pool;
    apr_status_t rv;

    if (display->options.yes) {
        *panswer = 1;
        return APR_SUCCESS;
    }
    rv = may_ask(display, question, flag, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_create(&pool, display->pool);
    rv = answered(display->asker->yesno(display, panswer, question,
                                        otherwise, err, pool), err);
    apr_pool_destroy(pool);
    return rv;
}

apr_status_t display_menu(display_t *display, int *pchoice,
                          const char *title,
                          const apr_array_header_t *items,
                          const char *flag, acme_err_t *err)
{
    apr_status_t rv = may_choose(display, title, items, flag, err);
    apr_pool_t *pool;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_create(&pool, display->pool);
    rv = answered(display->asker->menu(display, pchoice, title, items, err,
                                       pool), err);
    apr_pool_destroy(pool);
    return rv;
}

apr_status_t display_checklist(display_t *display, const char *title,
                               apr_array_header_t *items,
                               const char *flag, acme_err_t *err)
{
    apr_status_t rv = may_choose(display, title, items, flag, err);
    apr_pool_t *pool;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_create(&pool, display->pool);
    rv = answered(display->asker->checklist(display, title, items, err,
                                            pool), err);
    apr_pool_destroy(pool);
    return rv;
}

void display_show(display_t *display, const char *title, const json_t *part)
{
    acme_err_t err = { 0 };
    apr_pool_t *pool;

    if (!display_can_ask(display) || display->options.yes) {
        return;
    }
    display_progress_end(display);
    apr_pool_create(&pool, display->pool);
    /* A question follows, and fails for the same reason. */
    display->asker->show(display, title, display_rendered(display, part,
                                                          pool),
                         &err, pool);
    apr_pool_destroy(pool);
}

/* ---------------------------------------------------------------- signals */

static const int guarded[3] = { SIGINT, SIGTERM, SIGHUP };
static volatile sig_atomic_t caught;

static void catch_signal(int number)
{
    caught = number;
}

void display_guard_begin(display_guard_t *guard)
{
    struct sigaction action;
    sigset_t set;
    int i;

    memset(&action, 0, sizeof(action));
    action.sa_handler = catch_signal;
    sigemptyset(&action.sa_mask);
    sigemptyset(&set);
    caught = 0;
    for (i = 0; i < 3; i++) {
        sigaction(guarded[i], NULL, &guard->kept[i]);
        /* nohup(1) and the like mean it. */
        if (guard->kept[i].sa_handler != SIG_IGN) {
            sigaction(guarded[i], &action, NULL);
        }
        sigaddset(&set, guarded[i]);
    }
    /* They are looked at while the answer is waited for and at no other
     * time: none can get lost in between. */
    sigprocmask(SIG_BLOCK, &set, &guard->mask);
}

void display_guard_end(display_guard_t *guard)
{
    int i;

    sigprocmask(SIG_SETMASK, &guard->mask, NULL);
    for (i = 0; i < 3; i++) {
        sigaction(guarded[i], &guard->kept[i], NULL);
    }
}

int display_guard_pending(void)
{
    sigset_t set;
    int i;

    sigpending(&set);
    for (i = 0; i < 3; i++) {
        if (sigismember(&set, guarded[i])) {
            return 1;
        }
    }
    return 0;
}

apr_status_t display_guard_wait(const display_guard_t *guard,
                                struct pollfd *fds, int count)
{
    while (!caught) {
        if (ppoll(fds, (nfds_t)count, NULL, &guard->mask) > 0) {
            return APR_SUCCESS;
        }
        if (errno != EINTR) {
            return errno;
        }
    }
    return ECANCELED;
}
