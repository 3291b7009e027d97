/*
 * dialog_gauge.c: one box that shows progress for as long as there is any.
 *
 *      none ── show ──> drawn ── end ──> none
 *        │                │
 *        │ cannot start   │ the child has died
 *        └──────> given up: lines, from now on
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "display/dialog.h"

/** A step's text is cut to this, in columns: the box is 70 wide. */
#define STEP_WIDTH 62

/** How long the child may take to end. */
#define PATIENCE apr_time_from_msec(500)

struct dialog_gauge_t {
    pid_t pid;              /**< 0: none is drawn */
    int fd;                 /**< the child's input */
    int given_up;
    dialog_terminal_t terminal;
    int own;                /**< a copy of the terminal's descriptor */
    FILE *held;             /**< what was logged meanwhile; NULL: nothing
                                 is kept back */
};

/* -------------------------------------------------------------------- log */

/** Keep back what would be logged into the box. */
static void hold(dialog_gauge_t *gauge)
{
    gauge->held = isatty(STDERR_FILENO) ? tmpfile() : NULL;
    if (gauge->held) {
        base_log_hold(fileno(gauge->held));
    }
}

/** Write it where it was to go. */
static void release(dialog_gauge_t *gauge)
{
    char buf[4096];
    size_t n;

    if (!gauge->held) {
        return;
    }
    base_log_hold(-1);
    rewind(gauge->held);
    while ((n = fread(buf, 1, sizeof(buf), gauge->held)) > 0
           && write(STDERR_FILENO, buf, n) == (ssize_t)n) {
        continue;
    }
    fclose(gauge->held);
    gauge->held = NULL;
}

/* ------------------------------------------------------------------ child */

/** Start the child. SIGINT ends acmectl and not the box, which then ends
 *  by the end of its input, and tidies up. */
static int spawn(display_t *display, dialog_gauge_t *gauge, int input,
                 const char *text, int percent)
{
    apr_array_header_t *argv;
    void (*interrupt)(int);
    apr_pool_t *pool;
    /* It answers nothing, but wants to know where. */
    int fds[5] = { input, gauge->own, gauge->own, gauge->own, -1 };
    int error;

    apr_pool_create(&pool, display->pool);
    argv = dialog_begin(display->dialog, "acmectl", pool);
    dialog_add_gauge(argv, text, percent, pool);
    interrupt = signal(SIGINT, SIG_IGN);
    error = dialog_spawn(&gauge->pid, argv, fds, pool);
    signal(SIGINT, interrupt);
    apr_pool_destroy(pool);
    return error;
}

/** Wait until the child has set the terminal for itself, a little while: it
 *  then changes no more. */
static void await_mode(const dialog_gauge_t *gauge)
{
    base_clock_t *clock = base_clock_system();
    apr_time_t until = clock->mono(clock) + PATIENCE;
    struct termios mode;

    while (gauge->terminal.known && clock->mono(clock) < until
           && tcgetattr(gauge->own, &mode) == 0
           && mode.c_lflag == gauge->terminal.mode.c_lflag) {
        apr_sleep(apr_time_from_msec(5));
    }
}

/** A program that reads keys itself takes Ctrl-C as one: let it interrupt
 *  this run, which its gauge otherwise would not let end. */
static void let_interrupt(const dialog_gauge_t *gauge)
{
    struct termios mode;

    if (gauge->terminal.known && tcgetattr(gauge->own, &mode) == 0) {
        mode.c_lflag |= ISIG;
        mode.c_cc[VINTR] = gauge->terminal.mode.c_cc[VINTR];
        tcsetattr(gauge->own, TCSANOW, &mode);
    }
}

/** @return 0 if there is no gauge now */
static int gauge_begin(display_t *display, dialog_gauge_t *gauge,
                       const char *text, int percent)
{
    int ends[2];
    int error;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return 0;
    }
    gauge->own = dup(fileno(display_terminal(display)));
    dialog_terminal_keep(&gauge->terminal, fileno(display->options.in));
    error = spawn(display, gauge, ends[0], text, percent);
    close(ends[0]);
    if (error) {
        close(ends[1]);
        close(gauge->own);
        gauge->pid = 0;
        return 0;
    }
    gauge->fd = ends[1];
    hold(gauge);
    await_mode(gauge);
    let_interrupt(gauge);
    return 1;
}

/** It has ended: the terminal is ours again. */
static void gauge_over(dialog_gauge_t *gauge)
{
    close(gauge->fd);
    gauge->pid = 0;
    gauge->terminal.fd = gauge->own;
    dialog_terminal_restore(&gauge->terminal);
    close(gauge->own);
    release(gauge);
}

/** Let the child draw. @return 0: it is gone */
static int gauge_put(dialog_gauge_t *gauge, const char *text, int percent,
                     apr_pool_t *pool)
{
    const char *step = apr_psprintf(pool, "XXX\n%d\n%s\nXXX\n", percent,
                                    text);

    /* A step that a busy child has no room for is not missed. */
    return send(gauge->fd, step, strlen(step), MSG_NOSIGNAL | MSG_DONTWAIT)
           != -1 || errno == EAGAIN;
}

/* ------------------------------------------------------------------ gauge */

int dialog_gauge_show(display_t *display, const char *text, int percent)
{
    dialog_gauge_t *gauge = display->gauge;
    apr_pool_t *pool;
    int shown;

    if (!gauge) {
        gauge = display->gauge = apr_pcalloc(display->pool, sizeof(*gauge));
    }
    if (gauge->given_up || !display_can_ask(display)) {
        return 0;
    }
    apr_pool_create(&pool, display->pool);
    text = display_cut(text, STEP_WIDTH, pool);
    shown = gauge->pid ? gauge_put(gauge, text, percent, pool)
                       : gauge_begin(display, gauge, text, percent);
    apr_pool_destroy(pool);
    if (!shown) {
        dialog_gauge_end(display);
        gauge->given_up = 1;
    }
    return shown;
}

void dialog_gauge_end(display_t *display)
{
    dialog_gauge_t *gauge = display->gauge;

    if (gauge && gauge->pid) {
        shutdown(gauge->fd, SHUT_WR);
        dialog_reap(gauge->pid, PATIENCE);
        gauge_over(gauge);
    }
}
