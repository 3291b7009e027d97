/*
 * exec.c: run a program without a shell, with a deadline.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>

#include "httpd/httpd.h"

#define STDERR_MAX (64 * 1024)

/** One of the child's outputs, as it grows. */
typedef struct pipe_t {
    int fd;              /**< our end; -1: at its end */
    char *data;
    apr_size_t len;
    apr_size_t size;     /**< allocated */
    apr_size_t max;
    int overflow;
} pipe_t;

/** In the child: outputs on 1 and 2, nothing on 0, no other descriptor. */
static void become(const char *const *argv, int out, int err)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (null >= 0 && dup2(null, 0) == 0 && dup2(out, 1) == 1
        && dup2(err, 2) == 2) {
        execv(argv[0], (char *const *)argv);
    }
    _exit(errno == ENOENT ? 127 : 126);
}

static apr_status_t start(pid_t *ppid, pipe_t *out, pipe_t *err_pipe,
                          const char *const *argv)
{
    int o[2];
    int e[2];
    int error;

    if (pipe2(o, O_CLOEXEC) != 0) {
        return errno;
    }
    if (pipe2(e, O_CLOEXEC) != 0) {
        error = errno;
        close(o[0]);
        close(o[1]);
        return error;
    }
    *ppid = fork();
    if (*ppid == 0) {
        become(argv, o[1], e[1]);
    }
    error = errno;
    close(o[1]);
    close(e[1]);
    out->fd = o[0];
    err_pipe->fd = e[0];
    if (*ppid < 0) {
        close(o[0]);
        close(e[0]);
        return error;
    }
    return APR_SUCCESS;
}

static void grow(pipe_t *p, apr_pool_t *pool)
{
    char *bigger = apr_palloc(pool, p->size * 2 + 4096);

    memcpy(bigger, p->data ? p->data : "", p->len);
    p->size = p->size * 2 + 4096;
    p->data = bigger;
}

/** Read what is there; what is over max is read and dropped. */
static void drain(pipe_t *p, apr_pool_t *pool)
{
    char buf[16384];
    ssize_t n = read(p->fd, buf, sizeof(buf));

    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (n <= 0) {
        close(p->fd);
        p->fd = -1;
        return;
    }
    if (p->len + (apr_size_t)n > p->max) {
        p->overflow = 1;
        n = (ssize_t)(p->max - p->len);
    }
    while (p->len + (apr_size_t)n + 1 > p->size) {
        grow(p, pool);
    }
    memcpy(p->data + p->len, buf, (size_t)n);
    p->len += (apr_size_t)n;
}

/** Read both outputs to their ends. @return APR_TIMEUP */
static apr_status_t collect(pipe_t *out, pipe_t *err_pipe, apr_time_t until,
                            apr_pool_t *pool)
{
    base_clock_t *clock = base_clock_system();

    while (out->fd >= 0 || err_pipe->fd >= 0) {
        struct pollfd fds[2] = { { out->fd, POLLIN, 0 },
                                 { err_pipe->fd, POLLIN, 0 } };
        apr_interval_time_t left = until - clock->mono(clock);

        if (left <= 0) {
            return APR_TIMEUP;
        }
        if (poll(fds, 2, (int)(left / 1000) + 1) < 0 && errno != EINTR) {
            return errno;
        }
        if (fds[0].revents) {
            drain(out, pool);
        }
        if (fds[1].revents) {
            drain(err_pipe, pool);
        }
    }
    return APR_SUCCESS;
}

/** Wait for pid's end, at most until the deadline; kill it then. */
static int reap(pid_t pid, int kill_it, apr_time_t until)
{
    base_clock_t *clock = base_clock_system();
    int status = 0;

    for (;;) {
        pid_t got;

        if (kill_it) {
            kill(pid, SIGKILL);
        }
        got = waitpid(pid, &status, kill_it ? 0 : WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR)) {
            return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                       : WEXITSTATUS(status);
        }
        kill_it = clock->mono(clock) >= until;
        if (!kill_it) {
            apr_sleep(1000);
        }
    }
}

static void finish_output(httpd_output_t *output, const pipe_t *out,
                          const pipe_t *err_pipe)
{
    output->out = out->data ? out->data : "";
    output->out_len = out->len;
    output->err = err_pipe->data ? err_pipe->data : "";
    if (out->data) {
        out->data[out->len] = '\0';
    }
    if (err_pipe->data) {
        err_pipe->data[err_pipe->len] = '\0';
    }
}

static apr_status_t judge(const httpd_output_t *output, const char *program,
                          const pipe_t *out, apr_status_t rv,
                          apr_interval_time_t deadline, acme_err_t *err)
{
    char buf[200];

    if (APR_STATUS_IS_TIMEUP(rv)) {
        return base_err_set(err, APR_TIMEUP, BASE_EXIT_FAILED,
                            "%s did not end within %d s and was killed",
                            program, (int)apr_time_sec(deadline));
    }
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED, "cannot read what %s "
                            "prints: %s", program,
                            base_strerror(rv, buf, sizeof(buf)));
    }
    if (output->status == 127 && output->out_len == 0 && !*output->err) {
        return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                            "there is no program %s; say where httpd is "
                            "with --httpd PATH", program);
    }
    if (output->status == 126 && output->out_len == 0 && !*output->err) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                            "%s cannot be run", program);
    }
    if (out->overflow) {
        return base_err_set(err, APR_ENOSPC, BASE_EXIT_FAILED,
                            "%s printed more than %" APR_SIZE_T_FMT
                            " bytes", program, out->max);
    }
    return APR_SUCCESS;
}

apr_status_t httpd_exec(httpd_output_t *output, const char *const *argv,
                        apr_interval_time_t deadline, apr_size_t max,
                        acme_err_t *err, apr_pool_t *result_pool)
{
    base_clock_t *clock = base_clock_system();
    apr_time_t until = clock->mono(clock) + deadline;
    pipe_t out = { -1, NULL, 0, 0, max, 0 };
    pipe_t err_pipe = { -1, NULL, 0, 0, STDERR_MAX, 0 };
    char buf[200];
    pid_t pid = -1;
    apr_status_t rv;

    rv = start(&pid, &out, &err_pipe, argv);
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED, "cannot start %s: %s",
                            argv[0], base_strerror(rv, buf, sizeof(buf)));
    }
    rv = collect(&out, &err_pipe, until, result_pool);
    if (out.fd >= 0) {
        close(out.fd);
    }
    if (err_pipe.fd >= 0) {
        close(err_pipe.fd);
    }
    output->status = reap(pid, rv != APR_SUCCESS, until);
    finish_output(output, &out, &err_pipe);
    return judge(output, argv[0], &out, rv, deadline, err);
}
