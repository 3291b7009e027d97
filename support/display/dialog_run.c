/*
 * dialog_run.c: the child that draws, and the terminal it draws on.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "display/dialog.h"

/** More than the numbers of any list whose texts fit an argv. */
#define ANSWER_MAX (1024 * 1024)
#define COMPLAINT_MAX 1000

/** The child's answers are 0, 1, and: */
#define STATUS_ERROR 254
#define STATUS_ESC 255

/** Descriptors at and above this are in nobody's way. */
#define FD_FREE 10

/** How long a child may take to end that was asked to. */
#define PATIENCE apr_time_from_msec(500)

/* --------------------------------------------------------------- terminal */

void dialog_terminal_keep(dialog_terminal_t *terminal, int fd)
{
    terminal->fd = fd;
    terminal->known = tcgetattr(fd, &terminal->mode) == 0;
}

/* A child that was killed could not do this itself: the main screen, the
 * cursor, plain keys, no mouse, plain letters, and nothing on it.
 * Source: ctlseqs (xterm); console_codes(4). */
#define PLAIN "\033[?1049l\033[?25h\033[?1l\033>\033[?1000l\033[m\033(B" \
    "\033[H\033[2J"

void dialog_terminal_restore(const dialog_terminal_t *terminal)
{
    ssize_t n;

    if (terminal->known) {
        tcsetattr(terminal->fd, TCSANOW, &terminal->mode);
    }
    n = write(terminal->fd, PLAIN, sizeof(PLAIN) - 1);
    (void)n;
}

/* ------------------------------------------------------------------ child */

/** What the child's environment is. */
static char **environment(apr_pool_t *pool)
{
    static const char *const names[] = {
        "TERM", "TERMINFO", "TERMINFO_DIRS", "COLORTERM", "LANG",
        "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "NEWT_COLORS"
    };
    size_t count = sizeof(names) / sizeof(names[0]);
    char **env = apr_pcalloc(pool, (count + 5) * sizeof(char *));
    char **e = env;
    size_t i;

    for (i = 0; i < count; i++) {
        const char *value = getenv(names[i]);

        if (value) {
            *e++ = apr_pstrcat(pool, names[i], "=", value, NULL);
        }
    }
    /* whiptail has these two for one; only a failing one complains. */
    *e++ = apr_psprintf(pool, "DIALOG_ERROR=%d", STATUS_ERROR);
    *e++ = apr_psprintf(pool, "DIALOG_ESC=%d", STATUS_ESC);
    *e++ = apr_psprintf(pool, "BSDDIALOG_ERROR=%d", STATUS_ERROR);
    *e++ = apr_psprintf(pool, "BSDDIALOG_ESC=%d", STATUS_ESC);
    return env;
}

/** argv as exec wants it. */
static char **vector(const apr_array_header_t *argv, apr_pool_t *pool)
{
    char **words = apr_pcalloc(pool, ((apr_size_t)argv->nelts + 1)
                                     * sizeof(char *));
    int i;

    for (i = 0; i < argv->nelts; i++) {
        words[i] = APR_ARRAY_IDX(argv, i, char *);
    }
    return words;
}

/** Let the child have fds as 0 to 4 and no other descriptor of ours. */
static void map_files(posix_spawn_file_actions_t *actions, int high[5],
                      const int fds[5])
{
    int i;

    for (i = 0; i < 5; i++) {
        high[i] = fds[i] == -1 ? -1
                               : fcntl(fds[i], F_DUPFD_CLOEXEC, FD_FREE);
        if (high[i] != -1) {
            posix_spawn_file_actions_adddup2(actions, high[i], i);
        }
    }
}

int dialog_spawn(pid_t *ppid, const apr_array_header_t *argv,
                 const int fds[5], apr_pool_t *pool)
{
    char **words = vector(argv, pool);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int high[5];
    int error, i;

    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    map_files(&actions, high, fds);
    error = posix_spawn(ppid, words[0], &actions, &attributes, words,
                        environment(pool));
    for (i = 0; i < 5; i++) {
        if (high[i] != -1) {
            close(high[i]);
        }
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/** 1 if it ended within limit. */
static int has_ended(pid_t pid, apr_interval_time_t limit, int *pstatus)
{
    base_clock_t *clock = base_clock_system();
    apr_time_t until = clock->mono(clock) + limit;

    for (;;) {
        if (waitpid(pid, pstatus, WNOHANG) != 0) {
            return 1;
        }
        if (clock->mono(clock) >= until) {
            return 0;
        }
        apr_sleep(apr_time_from_msec(2));
    }
}

int dialog_reap(pid_t pid, apr_interval_time_t limit)
{
    int status = 0;

    if (!has_ended(pid, limit, &status)) {
        kill(pid, SIGTERM);
        if (!has_ended(pid, PATIENCE, &status)) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
        }
    }
    return status;
}

/* ------------------------------------------------------------------ a run */

/** What comes from a child. */
typedef struct stream_t {
    int fd;             /**< -1: it has ended */
    int end;            /**< the child's; -1: closed */
    char *text;
    apr_size_t len;
    apr_size_t size;
} stream_t;

static int stream_open(stream_t *stream, apr_size_t size, apr_pool_t *pool)
{
    int fds[2];

    memset(stream, 0, sizeof(*stream));
    stream->fd = stream->end = -1;
    stream->size = size;
    stream->text = apr_palloc(pool, size + 1);
    stream->text[0] = '\0';
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return errno;
    }
    stream->fd = fds[0];
    stream->end = fds[1];
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd != -1) {
        close(*fd);
        *fd = -1;
    }
}

/** Read what is there. @return 0 if it is too much */
static int stream_read(stream_t *stream)
{
    apr_size_t room = stream->size - stream->len;
    ssize_t n;

    if (room == 0) {
        return 0;
    }
    n = read(stream->fd, stream->text + stream->len, room);
    if (n <= 0) {
        close_fd(&stream->fd);
        return 1;
    }
    stream->len += (apr_size_t)n;
    stream->text[stream->len] = '\0';
    return 1;
}

/** Read both to their end. @return ECANCELED after a signal; EMSGSIZE if
 *  there is no end */
static apr_status_t stream_drain(stream_t streams[2],
                                 const display_guard_t *guard)
{
    struct pollfd fds[2];
    int i;

    while (streams[0].fd != -1 || streams[1].fd != -1) {
        apr_status_t rv;

        for (i = 0; i < 2; i++) {
            fds[i].fd = streams[i].fd;
            fds[i].events = POLLIN;
            fds[i].revents = 0;
        }
        rv = display_guard_wait(guard, fds, 2);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        for (i = 0; i < 2; i++) {
            if (fds[i].fd != -1 && fds[i].revents
                && !stream_read(&streams[i])) {
                return EMSGSIZE;
            }
        }
    }
    return APR_SUCCESS;
}

/** What the end of the child means. */
static apr_status_t judge(const char *path, int status,
                          const char *complaint, int *pyes, acme_err_t *err)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

    if (WIFSIGNALED(status)) {
        return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                            "%s was killed by signal %d; nothing was "
                            "changed: use --display text", path,
                            WTERMSIG(status));
    }
    /* Some end with 1 also where they cannot draw. */
    if (code != 0 && *complaint) {
        return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                            "%s cannot draw: %s; use --display text", path,
                            complaint);
    }
    if (code == STATUS_ESC) {
        return ECANCELED;
    }
    if (code != 0 && code != 1) {
        return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                            "%s failed with status %d; use --display text",
                            path, code);
    }
    *pyes = code == 0;
    return APR_SUCCESS;
}

/** The first line of what the child complained of. */
static const char *first_line(char *text)
{
    while (*text == '\n' || *text == '\r') {
        text++;
    }
    text[strcspn(text, "\r\n")] = '\0';
    return text;
}

/** Start the child, wait for its end. @return errno of the start, or
 *  ECANCELED */
static int attend(display_t *display, const apr_array_header_t *argv,
                  int file, stream_t streams[2], int *pstatus)
{
    int fds[5] = { fileno(display->options.in),
                   fileno(display_terminal(display)), streams[1].end,
                   streams[0].end, file };
    dialog_terminal_t terminal;
    display_guard_t guard;
    apr_status_t rv;
    pid_t pid;

    dialog_terminal_keep(&terminal, fds[0]);
    display_guard_begin(&guard);
    rv = dialog_spawn(&pid, argv, fds, display->pool);
    close_fd(&streams[0].end);
    close_fd(&streams[1].end);
    if (rv == 0) {
        rv = stream_drain(streams, &guard);
        if (rv != APR_SUCCESS) {
            kill(pid, SIGTERM);
        }
        *pstatus = dialog_reap(pid, PATIENCE);
        /* Ctrl-C reaches the child as well, and it may be the faster. */
        if (display_guard_pending()) {
            rv = ECANCELED;
        }
        terminal.fd = fds[1];
        dialog_terminal_restore(&terminal);
    }
    display_guard_end(&guard);
    return rv;
}

apr_status_t dialog_run(display_t *display, const apr_array_header_t *argv,
                        int file, const char **panswer, int *pyes,
                        acme_err_t *err)
{
    const char *path = APR_ARRAY_IDX(argv, 0, const char *);
    stream_t streams[2];
    int status = 0;
    int rv, failed;

    rv = stream_open(&streams[0], ANSWER_MAX, argv->pool);
    failed = stream_open(&streams[1], COMPLAINT_MAX, argv->pool);
    rv = rv ? rv : failed;
    if (rv == 0) {
        rv = attend(display, argv, file, streams, &status);
    }
    close_fd(&streams[0].fd);
    close_fd(&streams[0].end);
    close_fd(&streams[1].fd);
    close_fd(&streams[1].end);
    if (rv == ECANCELED) {
        return rv;
    }
    if (rv == E2BIG) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "%s cannot offer so many choices; use --display "
                            "text", path);
    }
    if (rv != 0) {
        return base_err_path(err, rv, "run", path);
    }
    if (panswer) {
        *panswer = streams[0].text;
    }
    return judge(path, status, first_line(streams[1].text), pyes, err);
}
