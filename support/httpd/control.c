/*
 * control.c: is httpd up, and its graceful restart.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "httpd/httpd.h"

#define PID_FILE_MAX 100
#define POLL_INTERVAL (10 * 1000)

/* Without a generation to watch: how long a parent must live on after the
 * signal, to tell one that reads its configuration from one that dies. */
#define SURVIVAL apr_time_from_sec(2)

/** 1 if the process pid runs binary; a replaced binary counts. */
static int runs_binary(pid_t pid, const char *binary, apr_pool_t *pool)
{
    const char *link = apr_psprintf(pool, "/proc/%ld/exe", (long)pid);
    char exe[PATH_MAX];
    char real[PATH_MAX];
    ssize_t n = readlink(link, exe, sizeof(exe) - 1);
    char *deleted;

    if (n < 0) {
        return 0;
    }
    exe[n] = '\0';
    deleted = strstr(exe, " (deleted)");
    if (deleted) {
        *deleted = '\0';
    }
    return strcmp(exe, realpath(binary, real) ? real : binary) == 0;
}

static apr_status_t not_running(const char *pid_file, acme_err_t *err)
{
    return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                        "httpd is not running (pid file %s)", pid_file);
}

apr_status_t httpd_running(pid_t *ppid, const char *pid_file,
                           const char *binary, acme_err_t *err,
                           apr_pool_t *scratch_pool)
{
    acme_err_t found = { 0 };
    apr_size_t len;
    char *text;
    char *end;
    apr_status_t rv;
    long pid;

    rv = base_file_read(&text, &len, pid_file, PID_FILE_MAX, &found,
                        scratch_pool);
    if (APR_STATUS_IS_ENOENT(rv)) {
        return not_running(pid_file, err);
    }
    if (rv != APR_SUCCESS) {
        *err = found;
        return rv;
    }
    pid = strtol(text, &end, 10);
    if (end == text || pid <= 1 || pid > INT_MAX
        || (kill((pid_t)pid, 0) != 0 && errno == ESRCH)
        || !runs_binary((pid_t)pid, binary, scratch_pool)) {
        return not_running(pid_file, err);
    }
    *ppid = (pid_t)pid;
    return APR_SUCCESS;
}

/** Wait until the new generation serves, the parent dies, or time is up. */
static apr_status_t watch(pid_t pid, const char *pid_file,
                          const char *binary,
                          unsigned long long (*generation)(void *baton),
                          void *baton, unsigned long long before,
                          apr_interval_time_t deadline, acme_err_t *err,
                          apr_pool_t *pool)
{
    base_clock_t *clock = base_clock_system();
    apr_time_t begun = clock->mono(clock);
    apr_pool_t *iterpool;
    apr_status_t rv = APR_EINCOMPLETE;

    apr_pool_create(&iterpool, pool);
    while (rv == APR_EINCOMPLETE) {
        apr_time_t passed = clock->mono(clock) - begun;
        acme_err_t gone = { 0 };
        pid_t now = 0;

        apr_pool_clear(iterpool);
        if (httpd_running(&now, pid_file, binary, &gone, iterpool)
            != APR_SUCCESS || now != pid) {
            rv = base_err_set(err, APR_EGENERAL, BASE_EXIT_HTTPD,
                              "httpd ended while it restarted; its error "
                              "log says why, and apachectl start starts it "
                              "again");
        }
        else if (generation ? generation(baton) > before
                            : passed >= SURVIVAL) {
            rv = APR_SUCCESS;
        }
        else if (passed >= deadline) {
            rv = base_err_set(err, APR_TIMEUP, BASE_EXIT_FAILED,
                              "httpd did not restart within %d s; see its "
                              "error log", (int)apr_time_sec(deadline));
        }
        else {
            apr_sleep(POLL_INTERVAL);
        }
    }
    apr_pool_destroy(iterpool);
    return rv;
}

apr_status_t httpd_graceful(const httpd_args_t *args, const char *pid_file,
                            unsigned long long (*generation)(void *baton),
                            void *baton, apr_interval_time_t deadline,
                            acme_err_t *err, apr_pool_t *scratch_pool)
{
    const char *server = args->server ? args->server : args->binary;
    unsigned long long before;
    char buf[200];
    pid_t pid;
    apr_status_t rv;

    rv = httpd_running(&pid, pid_file, server, err, scratch_pool);
    if (rv == APR_SUCCESS) {
        rv = httpd_configtest(args, err, scratch_pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    before = generation ? generation(baton) : 0;
    if (kill(pid, SIGUSR1) != 0) {
        rv = errno;
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "cannot restart httpd (pid %ld): %s", (long)pid,
                            base_strerror(rv, buf, sizeof(buf)));
    }
    return watch(pid, pid_file, server, generation, baton, before,
                 deadline, err, scratch_pool);
}
