/*
 * exec.c: run a program, read what it prints, end it when its time is up.
 *
 * The child is the leader of a session of its own: what it starts is ended
 * with it, and it finds no terminal to ask questions on. It inherits stdin
 * (/dev/null) and two pipes and nothing else.
 */
#include "httpd/httpd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/** What is kept of stderr, bytes. */
#define ERR_MAX (64 * 1024)

/** How long to sleep between looks at a child, ms: while its pipes are
 *  open (their end wakes us) and after it closed them. */
#define STEP_OPEN 50
#define STEP_CLOSED 1

/** Output of a pipe. */
typedef struct stream_t {
    int fd;                /* -1 after its end */
    char *data;            /* malloc, freed with the result pool */
    apr_size_t len;
    apr_size_t size;
    apr_size_t max;
    int over;              /* more than max came */
} stream_t;

typedef struct run_t {
    pid_t pid;             /* 0 after it was waited for */
    int wait_status;
    apr_time_t deadline;   /* mono */
    stream_t out;
    stream_t err;
} run_t;

/** Both ends of the pipes between us and the child. */
typedef struct pipes_t {
    int out[2];
    int err[2];
    int fault[2];          /* carries errno when exec fails */
} pipes_t;

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static void pipes_close(pipes_t *pipes)
{
    int i;

    for (i = 0; i < 2; i++) {
        close_fd(&pipes->out[i]);
        close_fd(&pipes->err[i]);
        close_fd(&pipes->fault[i]);
    }
}

static int pipe_cloexec(int ends[2])
{
    if (pipe(ends) != 0) {
        ends[0] = ends[1] = -1;
        return 0;
    }
    return fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0
        && fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0;
}

static int pipes_open(pipes_t *pipes)
{
    memset(pipes, 0xff, sizeof(*pipes));
    if (pipe_cloexec(pipes->out) && pipe_cloexec(pipes->err)
        && pipe_cloexec(pipes->fault)) {
        return 1;
    }
    pipes_close(pipes);
    return 0;
}

/* ---------------------------------------------------------------- child */
/* Between fork and exec: async-signal-safe calls only. */

static void child_exec(const pipes_t *pipes, const char *const *argv)
{
    /* Above 2, so that the dup2 calls below overwrite none of them, even
     * if we were started with closed standard descriptors. */
    int out = fcntl(pipes->out[1], F_DUPFD, 3);
    int err = fcntl(pipes->err[1], F_DUPFD, 3);
    int fault = fcntl(pipes->fault[1], F_DUPFD_CLOEXEC, 3);
    int null = open("/dev/null", O_RDONLY);
    int saved;

    (void)setsid();
    base_signals_reset();
    if (null >= 0 && dup2(null, 0) == 0 && dup2(out, 1) == 1
        && dup2(err, 2) == 2) {
        base_close_from(3, fault);
        execv(argv[0], (char *const *)argv);
    }
    saved = errno;
    if (write(fault, &saved, sizeof(saved)) < 0) {
        _exit(126);
    }
    _exit(127);
}

/* --------------------------------------------------------------- parent */

/** errno of the child's exec; 0 when it succeeded. */
static int exec_fault(int fd)
{
    int fault = 0;
    ssize_t n;

    do {
        n = read(fd, &fault, sizeof(fault));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(fault) ? fault : 0;
}

static apr_status_t err_start(acme_err_t *err, const char *program,
                              int error)
{
    char buf[128];

    return base_err_set(err, APR_FROM_OS_ERROR(error), BASE_EXIT_FAILED,
                        "cannot run %s: %s%s", program,
                        base_strerror(APR_FROM_OS_ERROR(error), buf,
                                      sizeof(buf)),
                        error == ENOENT
                        ? "; name the right program with --httpd" : "");
}

static void child_reap(run_t *run)
{
    while (waitpid(run->pid, &run->wait_status, 0) < 0 && errno == EINTR) {
        continue;
    }
    run->pid = 0;
}

static apr_status_t run_start(run_t *run, const char *const *argv,
                              acme_err_t *err)
{
    pipes_t pipes;
    int fault;

    if (!pipes_open(&pipes)) {
        return err_start(err, argv[0], errno);
    }
    run->pid = fork();
    if (run->pid == 0) {
        child_exec(&pipes, argv);
    }
    if (run->pid < 0) {
        fault = errno;
        run->pid = 0;
    }
    else {
        close_fd(&pipes.fault[1]);
        fault = exec_fault(pipes.fault[0]);
        if (fault) {
            child_reap(run);
        }
    }
    if (fault) {
        pipes_close(&pipes);
        return err_start(err, argv[0], fault);
    }
    run->out.fd = pipes.out[0];
    run->err.fd = pipes.err[0];
    pipes.out[0] = pipes.err[0] = -1;
    pipes_close(&pipes);
    fcntl(run->out.fd, F_SETFL, O_NONBLOCK);
    fcntl(run->err.fd, F_SETFL, O_NONBLOCK);
    return APR_SUCCESS;
}

static void stream_keep(void *baton, const char *data, apr_size_t len)
{
    stream_t *stream = baton;
    apr_size_t size = stream->size ? stream->size : 4096;
    char *grown;

    if (len > stream->max - stream->len) {
        stream->over = 1;
        len = stream->max - stream->len;
    }
    /* One more for the NUL behind the last byte. */
    while (size < stream->len + len + 1) {
        size *= 2;
    }
    if (size != stream->size) {
        grown = realloc(stream->data, size);
        if (!grown) {
            stream->over = 1;
            return;
        }
        stream->data = grown;
        stream->size = size;
    }
    memcpy(stream->data + stream->len, data, len);
    stream->len += len;
    stream->data[stream->len] = '\0';
}

/** 1 if the child has ended; it is waited for. */
static int child_ended(run_t *run)
{
    if (run->pid && waitpid(run->pid, &run->wait_status, WNOHANG)
                    == run->pid) {
        run->pid = 0;
    }
    return run->pid == 0;
}

/**
 * Read until the child has ended. What outlives it and holds its pipes
 * open is not waited for.
 * @return 0 when the deadline came or too much was printed
 */
static int run_carry(run_t *run)
{
    base_clock_t *clock = base_clock_system();

    for (;;) {
        struct pollfd fds[2] = {
            { .events = POLLIN }, { .events = POLLIN }
        };
        int ended = child_ended(run);

        base_pipe_drain(&run->out.fd, stream_keep, &run->out);
        base_pipe_drain(&run->err.fd, stream_keep, &run->err);
        if (ended) {
            return !run->out.over;
        }
        if (run->out.over || clock->mono(clock) >= run->deadline) {
            return 0;
        }
        fds[0].fd = run->out.fd;
        fds[1].fd = run->err.fd;
        poll(fds, 2, run->out.fd < 0 && run->err.fd < 0 ? STEP_CLOSED
                                                        : STEP_OPEN);
        base_tick();
    }
}

static void run_stop(run_t *run)
{
    if (run->pid) {
        kill(-run->pid, SIGKILL);
        /* It may have left its group. */
        kill(run->pid, SIGKILL);
        child_reap(run);
    }
    close_fd(&run->out.fd);
    close_fd(&run->err.fd);
}

static apr_status_t free_data(void *data)
{
    free(data);
    return APR_SUCCESS;
}

/** The text of a stream, owned by pool. */
static const char *stream_text(stream_t *stream, apr_pool_t *pool)
{
    if (!stream->data) {
        return "";
    }
    apr_pool_cleanup_register(pool, stream->data, free_data,
                              apr_pool_cleanup_null);
    return stream->data;
}

apr_status_t httpd_exec(httpd_output_t *output, const char *const *argv,
                        apr_interval_time_t deadline, apr_size_t max,
                        acme_err_t *err, apr_pool_t *result_pool)
{
    base_clock_t *clock = base_clock_system();
    run_t run;
    int complete;

    memset(&run, 0, sizeof(run));
    memset(output, 0, sizeof(*output));
    run.out.max = max;
    run.err.max = ERR_MAX;
    run.deadline = clock->mono(clock) + deadline;
    base_children_keep();
    if (run_start(&run, argv, err) != APR_SUCCESS) {
        return err->status;
    }
    complete = run_carry(&run);
    run_stop(&run);
    output->out = stream_text(&run.out, result_pool);
    output->out_len = run.out.len;
    output->err = stream_text(&run.err, result_pool);
    output->status = WIFSIGNALED(run.wait_status)
        ? 128 + WTERMSIG(run.wait_status) : WEXITSTATUS(run.wait_status);
    if (run.out.over) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s printed more than %" APR_SIZE_T_FMT
                            " bytes and was stopped", argv[0], max);
    }
    if (!complete) {
        return base_err_set(err, APR_TIMEUP, BASE_EXIT_FAILED,
                            "%s did not end within %.1f s and was killed",
                            argv[0], (double)deadline / APR_USEC_PER_SEC);
    }
    return APR_SUCCESS;
}
