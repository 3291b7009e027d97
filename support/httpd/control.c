/*
 * control.c: is the server up; restart it gracefully and prove it.
 *
 *      running? ──no──> APR_ENOENT
 *         │yes
 *      configuration test, unless it was done ──refused──> APR_EINVAL
 *         │
 *      still the same parent? ──no──> APR_ENOENT
 *         │
 *      SIGUSR1, then look every STEP until
 *         parent gone                        ──> APR_EGENERAL
 *         new generation and new pid file    ──> SURVIVAL later alive?
 *         deadline                           ──> APR_TIMEUP
 *
 * The generation of the live segment rises while httpd prepares its new
 * configuration. Only afterwards it writes its pid file anew, takes signals
 * again (one that comes earlier is lost) and starts children. Where there
 * is no segment, or none any more, the pid file alone is the sign.
 */
#include "httpd/httpd.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#define STEP (10 * 1000)

/** How long the parent must live on after that, µs: children that cannot
 *  start take it with them at once. */
#define SURVIVAL (50 * 1000)

/** Files are stamped by a clock of coarse steps, µs behind the real one. */
#define COARSE (20 * 1000)

/** Largest pid file, bytes. */
#define PID_MAX 32

/** Which pid file it is: httpd replaces it by a rename or writes it anew. */
typedef struct stamp_t {
    ino_t ino;
    struct timespec changed;
} stamp_t;

static void stamp_read(stamp_t *stamp, const char *path)
{
    struct stat st;

    memset(stamp, 0, sizeof(*stamp));
    if (stat(path, &st) == 0) {
        stamp->ino = st.st_ino;
        stamp->changed = st.st_mtim;
    }
}

/** 1 if there is a pid file and it is another one than it was. */
static int stamp_is_new(const stamp_t *old, const char *path)
{
    stamp_t now;

    stamp_read(&now, path);
    return now.ino != 0
        && (now.ino != old->ino
            || now.changed.tv_sec != old->changed.tv_sec
            || now.changed.tv_nsec != old->changed.tv_nsec);
}

static apr_status_t pid_read(pid_t *ppid, const char *path, acme_err_t *err,
                             apr_pool_t *pool)
{
    char *text;
    char *end;
    apr_size_t len;
    long pid;

    if (base_file_read(&text, &len, path, PID_MAX, err, pool)
        != APR_SUCCESS) {
        return err->status;
    }
    errno = 0;
    pid = strtol(text, &end, 10);
    if (errno || end == text || end[strspn(end, "\r\n \t")] || pid <= 1
        || pid != (pid_t)pid) {
        return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                            "%s holds no process id", path);
    }
    *ppid = (pid_t)pid;
    return APR_SUCCESS;
}

/** 1 if the process runs binary, or if that cannot be seen. */
static int runs_binary(pid_t pid, const char *binary, apr_pool_t *pool)
{
    char *link = apr_psprintf(pool, "/proc/%ld/exe", (long)pid);
    char exe[PATH_MAX];
    char wanted[PATH_MAX];
    char *deleted;
    ssize_t len = readlink(link, exe, sizeof(exe) - 1);

    if (len < 0) {
        /* Another user's process, or a system without /proc. */
        return errno == EACCES || access("/proc/self/exe", F_OK) != 0;
    }
    exe[len] = '\0';
    /* A package upgrade replaced the file under the running server. */
    deleted = strstr(exe, " (deleted)");
    if (deleted && strcmp(deleted, " (deleted)") == 0) {
        *deleted = '\0';
    }
    return realpath(binary, wanted) != NULL && strcmp(exe, wanted) == 0;
}

static int is_alive(pid_t pid, const char *binary, apr_pool_t *pool)
{
    return (kill(pid, 0) == 0 || errno == EPERM)
        && runs_binary(pid, binary, pool);
}

apr_status_t httpd_running(pid_t *ppid, const char *pid_file,
                           const char *binary, acme_err_t *err,
                           apr_pool_t *scratch_pool)
{
    acme_err_t reason;
    pid_t pid = 0;
    apr_status_t rv;

    base_err_clear(&reason);
    rv = pid_read(&pid, pid_file, &reason, scratch_pool);
    if (APR_STATUS_IS_ENOENT(rv)) {
        return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                            "httpd is not running: %s", reason.message);
    }
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "cannot see whether httpd is running: %s",
                            reason.message);
    }
    if (!is_alive(pid, binary, scratch_pool)) {
        return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                            "httpd is not running: process %ld of %s is "
                            "gone or is not %s", (long)pid, pid_file,
                            binary);
    }
    *ppid = pid;
    return APR_SUCCESS;
}

int httpd_settled(const char *pid_file, apr_time_t since)
{
    stamp_t stamp;

    stamp_read(&stamp, pid_file);
    return stamp.ino != 0
        && apr_time_from_sec((apr_time_t)stamp.changed.tv_sec)
           + stamp.changed.tv_nsec / 1000 + COARSE >= since;
}

/** What a restart is watched by. */
typedef struct watch_t {
    pid_t pid;
    const char *pid_file;
    const char *binary;
    stamp_t stamp;                                 /* before the signal */
    unsigned long long (*generation)(void *baton); /* nullable */
    void *baton;
    unsigned long long first;                      /* before the signal */
} watch_t;

static int is_restarted(const watch_t *watch)
{
    unsigned long long now = watch->generation
        ? watch->generation(watch->baton) : 0;

    /* 0: there was no segment, or httpd could not make another one. */
    return (now == 0 || now > watch->first)
        && stamp_is_new(&watch->stamp, watch->pid_file);
}

/** Look until the restart has happened (1), or the parent is gone or until
 *  has come (0). */
static int watch_done(const watch_t *watch, apr_time_t until,
                      apr_pool_t *pool)
{
    base_clock_t *clock = base_clock_system();
    apr_pool_t *iterpool;
    int done = 0;

    apr_pool_create(&iterpool, pool);
    while (!(done = is_restarted(watch)) && clock->mono(clock) < until
           && is_alive(watch->pid, watch->binary, iterpool)) {
        apr_sleep(STEP);
        base_tick();
        apr_pool_clear(iterpool);
    }
    apr_pool_destroy(iterpool);
    return done;
}

static apr_status_t watch_restart(const watch_t *watch,
                                  apr_interval_time_t deadline,
                                  acme_err_t *err, apr_pool_t *pool)
{
    base_clock_t *clock = base_clock_system();
    int done = watch_done(watch, clock->mono(clock) + deadline, pool);

    if (done) {
        apr_sleep(SURVIVAL);
    }
    if (!is_alive(watch->pid, watch->binary, pool)) {
        return base_err_set(err, APR_EGENERAL, BASE_EXIT_HTTPD,
                            "httpd (process %ld) died at its graceful "
                            "restart although it had accepted its "
                            "configuration; its error log says why",
                            (long)watch->pid);
    }
    if (!done) {
        return base_err_set(err, APR_TIMEUP, BASE_EXIT_FAILED,
                            "httpd (process %ld) did not finish its "
                            "graceful restart within %.1f s; its error log "
                            "may say why", (long)watch->pid,
                            (double)deadline / APR_USEC_PER_SEC);
    }
    return APR_SUCCESS;
}

static apr_status_t signal_parent(const watch_t *watch, acme_err_t *err)
{
    char buf[128];

    if (kill(watch->pid, SIGUSR1) == 0) {
        return APR_SUCCESS;
    }
    if (errno == ESRCH) {
        return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                            "httpd (process %ld) ended before it could be "
                            "restarted", (long)watch->pid);
    }
    return base_err_set(err, APR_FROM_OS_ERROR(errno), BASE_EXIT_FAILED,
                        "cannot restart httpd (process %ld): %s; run this "
                        "as root", (long)watch->pid,
                        base_strerror(APR_FROM_OS_ERROR(errno), buf,
                                      sizeof(buf)));
}

apr_status_t httpd_graceful(const httpd_args_t *args, const char *pid_file,
                            unsigned long long (*generation)(void *baton),
                            void *baton, apr_interval_time_t deadline,
                            acme_err_t *err, apr_pool_t *scratch_pool)
{
    watch_t watch;
    apr_status_t rv;

    memset(&watch, 0, sizeof(watch));
    watch.pid_file = pid_file;
    watch.binary = args->server ? args->server : args->binary;
    watch.generation = generation;
    watch.baton = baton;
    rv = httpd_running(&watch.pid, pid_file, watch.binary, err,
                       scratch_pool);
    if (rv == APR_SUCCESS && !args->tested) {
        rv = httpd_configtest(args, err, scratch_pool);
    }
    if (rv == APR_SUCCESS) {
        /* The test took time; signal nobody else. */
        rv = httpd_running(&watch.pid, pid_file, watch.binary, err,
                           scratch_pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    stamp_read(&watch.stamp, pid_file);
    watch.first = generation ? generation(baton) : 0;
    rv = signal_parent(&watch, err);
    return rv == APR_SUCCESS
        ? watch_restart(&watch, deadline, err, scratch_pool) : rv;
}
