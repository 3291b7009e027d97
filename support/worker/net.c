/*
 * net.c: the net worker: the one process that hears what strangers send.
 * It has no key, opens no file but what the resolver and TLS read, and can
 * gain nothing back.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/http.h"
#include "worker/frame.h"

/** Become user for good. @return errno or 0 */
static int drop_privileges(const char *user)
{
    uid_t uid;
    gid_t gid;

    base_user_find(user, &uid, &gid);
    return base_user_become(uid, gid);
}

/** Keep fd (as 3) and nothing else; 0 to 2 go to /dev/null. @return errno */
static int close_others(int *pfd)
{
    /* Above 3, whatever is free: dup2 must not hit one of the two. */
    int fd = fcntl(*pfd, F_DUPFD, 4);
    int opened = open("/dev/null", O_RDWR);
    int null = opened < 0 ? -1 : fcntl(opened, F_DUPFD, 4);
    int i;

    if (fd < 0 || null < 0 || dup2(fd, 3) < 0) {
        return errno;
    }
    for (i = 0; i <= 2; i++) {
        if (dup2(null, i) < 0) {
            return errno;
        }
    }
    *pfd = 3;
    base_close_from(4, -1);
    return 0;
}

static apr_status_t add_jobs(acme_engine_t *engine, const worker_plan_t *plan,
                             acme_err_t *err)
{
    int i;

    for (i = 0; i < plan->cas->nelts; i++) {
        acme_engine_ca(engine, &APR_ARRAY_IDX(plan->cas, i, acme_ca_t));
    }
    for (i = 0; i < plan->jobs->nelts; i++) {
        worker_job_t *job = &APR_ARRAY_IDX(plan->jobs, i, worker_job_t);
        int number = -1;

        switch (job->kind) {
        case WORKER_ORDER:
            number = acme_engine_order(engine, job->ca, &job->order);
            break;
        case WORKER_ACCOUNT:
            number = acme_engine_account(engine, job->ca);
            break;
        case WORKER_REVOKE:
            number = acme_engine_revoke(engine, job->ca, &job->revoke);
            break;
        case WORKER_OCSP:
            break;
        }
        if (number != i) {
            return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                                "job %d of the plan makes no sense", i);
        }
    }
    return APR_SUCCESS;
}

static apr_status_t run_engine(int fd, const worker_plan_t *plan,
                               acme_err_t *err, apr_pool_t *pool)
{
    base_clock_t *clock = base_clock_system();
    http_options_t options = { 0 };
    http_transport_t *transport;
    schema_set_t *schemas;
    acme_engine_t *engine;
    apr_status_t rv;

    options.user_agent = plan->user_agent;
    rv = schema_set_builtin(&schemas, err, pool);
    if (rv == APR_SUCCESS) {
        rv = http_curl_make(&transport, &options, clock, err, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = acme_engine_make(&engine, transport, proxy_host_make(fd, pool),
                              clock, schemas, &plan->options, err, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = add_jobs(engine, plan, err);
    }
    return rv == APR_SUCCESS ? acme_engine_run(engine, err) : rv;
}

static apr_status_t run_plan(int fd, const worker_plan_t *plan,
                             acme_err_t *err, apr_pool_t *pool)
{
    if (ocsp_plan_is(plan)) {
        return ocsp_run(plan, proxy_host_make(fd, pool), err, pool);
    }
    return run_engine(fd, plan, err, pool);
}

void net_main(int fd, pid_t keeper, const worker_plan_t *plan,
              apr_pool_t *pool)
{
    acme_err_t outcome = { 0 };
    acme_err_t lost = { 0 };
    int error;

    signal(SIGPIPE, SIG_IGN);
    error = close_others(&fd);
    if (!error) {
        error = drop_privileges(plan->user);
    }
    if (!error) {
        error = base_child_confine(keeper);
    }
    if (error) {
        char buf[200];

        base_err_set(&outcome, error, BASE_EXIT_FAILED,
                     "the network process cannot give up its privileges: "
                     "%s", base_strerror(error, buf, sizeof(buf)));
    }
    else {
        run_plan(fd, plan, &outcome, pool);
    }
    /* _exit: the keeper's atexit handlers and buffers are not ours. */
    _exit(proxy_end(fd, &outcome, &lost) == APR_SUCCESS ? 0 : 1);
}
