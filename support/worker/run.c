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

/** Wait for the worker's end and say what is wrong with it, if anything. */
static apr_status_t reap(pid_t pid, acme_err_t *err)
{
    int status;
    pid_t got;

    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    if (got == pid && WIFSIGNALED(status)) {
        return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                            "the network process was killed by signal %d; "
                            "run the command again, unfinished orders go on",
                            WTERMSIG(status));
    }
    if (got == pid && WIFEXITED(status) && WEXITSTATUS(status) != 0) {
        return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                            "the network process ended with status %d; run "
                            "the command again, unfinished orders go on",
                            WEXITSTATUS(status));
    }
    return APR_SUCCESS;
}

/** Serve the worker on fd until it ends; it is gone when this returns. */
static apr_status_t serve(int fd, pid_t pid, const worker_plan_t *plan,
                          acme_host_t *host, char *done, acme_err_t *err,
                          apr_pool_t *pool)
{
    acme_err_t served = { 0 };

    if (serve_calls(fd, host, plan, done, &served, pool) != APR_SUCCESS) {
        kill(pid, SIGKILL);
    }
    close(fd);
    if (served.status == APR_SUCCESS || APR_STATUS_IS_EOF(served.status)) {
        /* A lost socket says less than how the process ended. */
        reap(pid, err);
    }
    else {
        acme_err_t killed = { 0 };

        reap(pid, &killed);
        *err = served;
    }
    return err->status;
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

apr_status_t worker_run(const worker_plan_t *plan, acme_host_t *host,
                        acme_err_t *err, apr_pool_t *scratch_pool)
{
    char *done = apr_pcalloc(scratch_pool, (apr_size_t)plan->jobs->nelts + 1);
    char buf[200];
    int fds[2];
    pid_t pid;
    int error;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        error = errno;
        return base_err_set(err, error, BASE_EXIT_FAILED,
                            "cannot make a socket pair: %s",
                            base_strerror(error, buf, sizeof(buf)));
    }
    pid = fork();
    if (pid == 0) {
        close(fds[0]);
        net_main(fds[1], plan, scratch_pool);
    }
    error = errno;
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return base_err_set(err, error, BASE_EXIT_FAILED,
                            "cannot start the network process: %s",
                            base_strerror(error, buf, sizeof(buf)));
    }
    serve(fds[0], pid, plan, host, done, err, scratch_pool);
    end_jobs(plan, host, done, err);
    return err->status;
}
