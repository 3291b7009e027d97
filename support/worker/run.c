/*
 * run.c: fork the net worker, serve it, reap it.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/frame.h"

/* How long a worker without a socket may take to end. */
#define ENDING_MAX apr_time_from_sec(2)

/* For worker_stop, which may run between any two instructions. */
static volatile pid_t running;
static volatile sig_atomic_t stopped;

void worker_stop(void)
{
    pid_t pid = running;

    stopped = 1;
    if (pid > 0) {
        kill(pid, SIGKILL);
    }
}

int worker_stopped(void)
{
    return stopped != 0;
}

/** Let worker_stop know the worker, or end it if it came before. */
static void note_running(pid_t pid)
{
    running = pid;
    if (stopped) {
        kill(pid, SIGKILL);
    }
}

/** Reap the worker. @return how it ended, for waitpid's macros */
static int reap(pid_t pid)
{
    siginfo_t info;
    int status = 0;

    /* Until it is reaped its number is nobody else's. */
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) != 0
           && errno == EINTR) {
        continue;
    }
    running = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        continue;
    }
    return status;
}

/** Say how a worker ended that did not say "end". */
static apr_status_t say_lost(int status, acme_err_t *err)
{
    if (WIFSIGNALED(status)) {
        return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                            "the network process was killed by signal %d; "
                            "run the command again, unfinished orders go on",
                            WTERMSIG(status));
    }
    return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                        "the network process ended with status %d; run the "
                        "command again, unfinished orders go on",
                        WEXITSTATUS(status));
}

/** 1 if the process pid has ended; it is left to be reaped. */
static int has_ended(pid_t pid)
{
    siginfo_t info;

    memset(&info, 0, sizeof(info));
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0
           && info.si_pid == pid;
}

/** Give a worker that closed its socket the time to end by itself. */
static int wait_ended(pid_t pid)
{
    base_clock_t *clock = base_clock_system();
    apr_time_t until = clock->mono(clock) + ENDING_MAX;

    while (!has_ended(pid)) {
        if (clock->mono(clock) >= until) {
            return 0;
        }
        apr_sleep(1000);
    }
    return 1;
}

/** Serve the worker on fd until it ends; it is gone when this returns. */
static apr_status_t serve(int fd, pid_t pid, const worker_plan_t *plan,
                          acme_host_t *host, char *done, acme_err_t *err,
                          apr_pool_t *pool)
{
    int ended = 0;
    apr_status_t rv = serve_calls(fd, host, plan, done, &ended, err, pool);

    close(fd);
    if (!ended && APR_STATUS_IS_EOF(rv) && wait_ended(pid)) {
        /* A lost socket says less than how the process ended. */
        base_err_clear(err);
        return say_lost(reap(pid), err);
    }
    /* It has said its last word, or one too many. */
    kill(pid, SIGKILL);
    reap(pid);
    return rv;
}

/** Report the jobs that the worker left without a word. */
static void end_jobs(const worker_plan_t *plan, acme_host_t *host,
                     const char *done, const acme_err_t *why)
{
    acme_result_t result;
    int i;

    memset(&result, 0, sizeof(result));
    result.err = *why;
    for (i = 0; i < plan->jobs->nelts; i++) {
        if (!done[i]) {
            base_err_set(&result.err, APR_EGENERAL, BASE_EXIT_FAILED,
                         "the network process ended before this was done");
            host->done(host, i, &result);
        }
    }
}

/** Fork the worker. @param pfd the keeper's end of the socket */
static apr_status_t start(pid_t *ppid, int *pfd, const worker_plan_t *plan,
                          acme_err_t *err, apr_pool_t *pool)
{
    pid_t keeper = getpid();
    char buf[200];
    int fds[2];
    int error;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        error = errno;
        return base_err_set(err, error, BASE_EXIT_FAILED,
                            "cannot make a socket pair: %s",
                            base_strerror(error, buf, sizeof(buf)));
    }
    /* Where it was inherited as ignored, the kernel would reap the worker
     * and give its number to somebody else. */
    signal(SIGCHLD, SIG_DFL);
    *ppid = fork();
    if (*ppid == 0) {
        signal(SIGTERM, SIG_DFL);
        signal(SIGINT, SIG_DFL);
        signal(SIGHUP, SIG_IGN);
        net_main(fds[1], keeper, plan, pool);
    }
    error = errno;
    close(fds[1]);
    if (*ppid < 0) {
        close(fds[0]);
        return base_err_set(err, error, BASE_EXIT_FAILED,
                            "cannot start the network process: %s",
                            base_strerror(error, buf, sizeof(buf)));
    }
    *pfd = fds[0];
    return APR_SUCCESS;
}

apr_status_t worker_run(const worker_plan_t *plan, acme_host_t *host,
                        acme_err_t *err, apr_pool_t *scratch_pool)
{
    char *done = apr_pcalloc(scratch_pool, (apr_size_t)plan->jobs->nelts + 1);
    pid_t pid = -1;
    int fd = -1;

    if (start(&pid, &fd, plan, err, scratch_pool) == APR_SUCCESS) {
        note_running(pid);
        serve(fd, pid, plan, host, done, err, scratch_pool);
    }
    end_jobs(plan, host, done, err);
    return err->status;
}
