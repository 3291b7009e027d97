/*
 * dialog: boxes drawn by dialog(1), whiptail(1) or bsddialog(1).
 *
 *   acmectl ── argv ──────────> child: draws on the terminal
 *      │ <── fd 3 ── answer ──────┤
 *      │ <── fd 2 ── complaint ───┤   a child that fails has complained
 *      │ ──> fd 0 ── progress ──> │   gauges only; else the terminal
 *      └ ──> fd 4 ── text ──────> │   text boxes only, an unnamed file
 *
 * No shell is between them, the environment holds the terminal and the
 * language only, and no text of ours can be taken for an option. Whatever
 * becomes of the child, the terminal is set as it was.
 */
#ifndef ACME_DISPLAY_DIALOG_H
#define ACME_DISPLAY_DIALOG_H

#include <sys/ioctl.h>
#include <termios.h>

#include "display/internal.h"

/** What tells one program from the others. */
typedef struct dialog_program_t dialog_program_t;

/** The program that draws. */
struct dialog_t {
    const char *path;
    const dialog_program_t *program;
};

/* --------------------------------------------------------------- dialog.c */

/**
 * Look for the program where the system keeps programs.
 * @param wanted  nullable: "whiptail", or the absolute path of one
 * @return NULL if there is none, or wanted is none
 */
const dialog_t *dialog_find(const char *wanted, apr_pool_t *pool);

/** Arguments that every box begins with, of const char *. Texts are copied,
 *  printable. */
apr_array_header_t *dialog_begin(const dialog_t *dialog, const char *title,
                                 apr_pool_t *pool);

/** Add a box ("yesno") with its text, sized by the program. */
void dialog_add(apr_array_header_t *argv, const char *box, const char *text,
                apr_pool_t *pool);

/** Add a list of items (of display_item_t), numbered, each at most width
 *  columns wide. @param marks  1: say which are on */
void dialog_add_items(apr_array_header_t *argv,
                      const apr_array_header_t *items, int width, int marks,
                      apr_pool_t *pool);

/** Add the box that shows the file at descriptor 4, which holds text.
 *  @param size  of the terminal; zeros where it does not tell */
void dialog_add_file(apr_array_header_t *argv, const dialog_t *dialog,
                     const char *text, const struct winsize *size,
                     apr_pool_t *pool);

/** Add the box that shows progress. */
void dialog_add_gauge(apr_array_header_t *argv, const char *text,
                      int percent, apr_pool_t *pool);

/* ----------------------------------------------------------- dialog_run.c */

/** How a terminal was set. */
typedef struct dialog_terminal_t {
    int fd;
    struct termios mode;
    int known;
} dialog_terminal_t;

void dialog_terminal_keep(dialog_terminal_t *terminal, int fd);

/** Set it as it was, and leave nothing on it. */
void dialog_terminal_restore(const dialog_terminal_t *terminal);

/**
 * Start the program.
 * @param fds  its descriptors 0 to 4; -1: none (4), closed by the caller
 * @return 0; else errno, also of exec
 */
int dialog_spawn(pid_t *ppid, const apr_array_header_t *argv,
                 const int fds[5], apr_pool_t *pool);

/** Wait until it has ended, at most limit; then make it end.
 *  @return what waitpid(2) says */
int dialog_reap(pid_t pid, apr_interval_time_t limit);

/**
 * Run a box until the user is done with it.
 *
 * @param pyes     0: Cancel or No was chosen
 * @param panswer  nullable; what the box answered, in pool
 * @param file     what descriptor 4 is; -1: none
 * @return ECANCELED for Esc and signals; else the failure in err
 */
apr_status_t dialog_run(display_t *display, const apr_array_header_t *argv,
                        int file, const char **panswer, int *pyes,
                        acme_err_t *err);

/* --------------------------------------------------------- dialog_gauge.c */

/** A gauge that stands on the terminal from the first progress to the next
 *  question or the end. What is logged to standard error is kept back
 *  meanwhile where that is a terminal. */
typedef struct dialog_gauge_t dialog_gauge_t;

/** Show progress. @return 0: it cannot; lines have to do */
int dialog_gauge_show(display_t *display, const char *text, int percent);

/** Take the gauge away, if there is one. */
void dialog_gauge_end(display_t *display);

/* ----------------------------------------------------------- ask_dialog.c */

/** Questions in boxes. */
extern const display_asker_t display_ask_dialog;

#endif
