/*
 * run.c: one program, from its start to its end.
 *
 *     RUNNING ──limit──> SIGTERM ──TERM_WAIT──> SIGKILL ──KILL_WAIT──┐
 *        │                  │                      │                 │
 *        └── it ended ──────┴────────── or then ───┘       left alone, as
 *        v                  v                              the kernel holds it
 *      ENDED             OVERDUE <───────────────────────────────────┘
 *
 * Signals go to its process group, which is its own, and so is its session.
 * When it has ended, what is left of the group is killed before its number
 * can be anybody else's. What holds its output open is not waited for, and
 * output is read and dropped as fast as it comes.
 */
#include "notify/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TERM_WAIT apr_time_from_sec(1)
#define KILL_WAIT apr_time_from_sec(1)

/* What a program prints is for people who look for a fault. */
#define LINES_MAX 20

enum { STAGE_RUNNING, STAGE_TERM, STAGE_KILL };

static apr_time_t now(void)
{
    base_clock_t *clock = base_clock_system();

    return clock->mono(clock);
}

/* ---------------------------------------------------------------- child */
/* Between fork and exec: async-signal-safe calls only. */

/** Standard input empty, output and errors to fd, nothing else. */
static int redirect(int fd)
{
    /* Above 2, so that no dup2 below overwrites one of them. */
    int out = fcntl(fd, F_DUPFD, 3);
    int null = open("/dev/null", O_RDONLY);

    if (out < 0 || null < 0 || dup2(null, 0) != 0 || dup2(out, 1) != 1
        || dup2(out, 2) != 2) {
        return errno;
    }
    base_close_from(3, -1);
    return 0;
}

/** Be nobody, at home nowhere, gone with the notifier. */
static int settle(uid_t uid, gid_t gid, pid_t notifier)
{
    int error;

    if (setsid() < 0 || chdir("/") != 0) {
        return errno;
    }
    umask(022);
    error = base_user_become(uid, gid);
    if (error) {
        return error;
    }
    /* Behind the change of user, which forgets it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return errno;
    }
    return getppid() == notifier ? 0 : ESRCH;
}

static void child_exec(int fd, const char *const *argv,
                       const char *const *env, uid_t uid, gid_t gid,
                       pid_t notifier)
{
    static const char text[] = "it cannot be run: ";
    const char *reason;
    int error;

    base_signals_reset();
    error = redirect(fd);
    if (!error) {
        error = settle(uid, gid, notifier);
    }
    if (!error) {
        execve(argv[0], (char *const *)argv, (char *const *)env);
        error = errno;
    }
    reason = strerror(error);
    if (write(2, text, sizeof(text) - 1) < 0
        || write(2, reason, strlen(reason)) < 0) {
        _exit(126);
    }
    _exit(127);
}

/* --------------------------------------------------------------- output */

/** A line is complete: log it, while there are few, and remember it. */
static void end_line(notify_run_t *run)
{
    run->line[run->len] = '\0';
    if (run->len > 0) {
        if (run->lines++ < LINES_MAX) {
            base_log(BASE_LOG_INFO, "ACMENotify: %s: %s", run->what,
                     run->line);
        }
        memcpy(run->last, run->line, run->len + 1);
    }
    run->len = 0;
}

/** Take up output; of a long line its beginning. A NUL ends nothing here. */
static void take(void *baton, const char *data, apr_size_t len)
{
    notify_run_t *run = baton;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (data[i] == '\n') {
            end_line(run);
        }
        else if (run->len < sizeof(run->line) - 1) {
            run->line[run->len++] = data[i] ? data[i] : ' ';
        }
    }
}

/* ------------------------------------------------------------------ run */

static int start(notify_run_t *run, const char *const *argv,
                 const char *const *env, uid_t uid, gid_t gid)
{
    pid_t notifier = getpid();
    int ends[2];
    int error;

    if (pipe(ends) != 0) {
        return errno;
    }
    run->pid = fork();
    if (run->pid == 0) {
        child_exec(ends[1], argv, env, uid, gid, notifier);
    }
    error = errno;
    close(ends[1]);
    if (run->pid < 0) {
        run->pid = 0;
        close(ends[0]);
        return error;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    run->fd = ends[0];
    return 0;
}

int notify_run_start(notify_run_t *run, const char *what,
                     const char *const *argv, const char *const *env,
                     const char *user, apr_interval_time_t limit)
{
    uid_t uid;
    gid_t gid;

    memset(run, 0, sizeof(*run));
    run->fd = -1;
    run->what = what;
    run->until = now() + limit;
    base_user_find(user, &uid, &gid);
    return start(run, argv, env, uid, gid);
}

/** 1 if it has ended; it and its group are no more then. */
static int has_ended(notify_run_t *run)
{
    siginfo_t info;

    memset(&info, 0, sizeof(info));
    if (waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT)
        != 0 || info.si_pid != run->pid) {
        return 0;
    }
    /* Until it is waited for the group's number is nobody else's. */
    kill(-run->pid, SIGKILL);
    waitpid(run->pid, &run->status, 0);
    run->pid = 0;
    return 1;
}

static notify_state_t finish(notify_run_t *run, notify_state_t state)
{
    end_line(run);
    if (run->lines > LINES_MAX) {
        base_log(BASE_LOG_INFO, "ACMENotify: %s: %d more lines were dropped",
                 run->what, run->lines - LINES_MAX);
    }
    if (run->fd >= 0) {
        close(run->fd);
    }
    run->fd = -1;
    run->pid = 0;
    return state;
}

/** Its time is up: the next, harder means. @return 0 if there is none */
static int press(notify_run_t *run)
{
    if (run->stage == STAGE_KILL) {
        return 0;
    }
    run->stage++;
    run->until = now() + (run->stage == STAGE_TERM ? TERM_WAIT : KILL_WAIT);
    kill(-run->pid, run->stage == STAGE_TERM ? SIGTERM : SIGKILL);
    /* It may have left its group. */
    kill(run->pid, run->stage == STAGE_TERM ? SIGTERM : SIGKILL);
    return 1;
}

notify_state_t notify_run_look(notify_run_t *run)
{
    int ended = has_ended(run);

    base_pipe_drain(&run->fd, take, run);
    if (ended) {
        return finish(run, run->stage == STAGE_RUNNING ? NOTIFY_ENDED
                                                       : NOTIFY_OVERDUE);
    }
    if (now() >= run->until && !press(run)) {
        return finish(run, NOTIFY_OVERDUE);
    }
    return NOTIFY_RUNNING;
}

void notify_run_stop(notify_run_t *run)
{
    if (run->pid) {
        kill(-run->pid, SIGKILL);
        kill(run->pid, SIGKILL);
        run->stage = STAGE_KILL;
        run->until = now() + KILL_WAIT;
        while (!has_ended(run) && now() < run->until) {
            apr_sleep(1000);
        }
        finish(run, NOTIFY_OVERDUE);
    }
}

const char *notify_run_end_text(const notify_run_t *run,
                                notify_state_t state, char *buf,
                                apr_size_t size)
{
    const char *colon = run->last[0] ? ": " : "";

    if (state == NOTIFY_OVERDUE) {
        snprintf(buf, size, "did not end in time and was killed%s%s", colon,
                 run->last);
    }
    else if (WIFSIGNALED(run->status)) {
        snprintf(buf, size, "was killed by signal %d%s%s",
                 WTERMSIG(run->status), colon, run->last);
    }
    else {
        snprintf(buf, size, "ended with status %d%s%s",
                 WEXITSTATUS(run->status), colon, run->last);
    }
    return buf;
}
