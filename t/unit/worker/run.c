/*
 * A whole run with a real net worker: whatever happens to it, each job is
 * reported exactly once and no process is left.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rig.h"
#include "stall.h"
#include "unit.h"

static script_t *script;
static worker_plan_t *plan;

static acme_ca_t *ca(int i)
{
    return &APR_ARRAY_IDX(plan->cas, i, acme_ca_t);
}

static worker_job_t *job(int i)
{
    return &APR_ARRAY_IDX(plan->jobs, i, worker_job_t);
}

static void setup(void)
{
    unit_setup();
    script = rig_script(pool);
    plan = rig_plan(1, 3, pool);
}

static apr_status_t run(void)
{
    return worker_run(plan, &script->host, &err, pool);
}

/* Every job was reported, and so often. */
static void all_done_once(void)
{
    int i;

    for (i = 0; i < plan->jobs->nelts; i++) {
        ck_assert_msg(script->done_count[i] == 1, "job %d: %d times", i,
                      script->done_count[i]);
    }
}

static void failed_with(int i, base_exit_t exit_status, const char *text)
{
    const acme_err_t *failure = &script->results[i].err;

    ck_assert_int_ne(failure->status, APR_SUCCESS);
    ck_assert_int_eq(failure->exit, exit_status);
    ck_assert_msg(strstr(failure->message, text) != NULL, "%s",
                  failure->message);
}

/* No child is left, not even a dead one. */
static void no_children(void)
{
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}

/* A CA that cannot be reached fails its jobs, of whatever kind, and each
 * says so; the run itself is in order. */
START_TEST(unreachable_cas_fail_their_jobs)
{
    int i;

    ca(0)->url = stall_nobody(pool);
    job(1)->kind = WORKER_ACCOUNT;
    job(2)->kind = WORKER_REVOKE;
    job(2)->revoke.name = "n2.example";
    job(2)->revoke.certificate = "AAAA";
    job(2)->revoke.reason = ACME_REASON_NONE;
    unit_ok(run());
    all_done_once();
    for (i = 0; i < 3; i++) {
        failed_with(i, BASE_EXIT_BUSY, ca(0)->url);
    }
    no_children();
}
END_TEST

/* A run without jobs is over at once. */
START_TEST(empty_plans_end_in_order)
{
    plan = rig_plan(0, 0, pool);
    unit_ok(run());
    ck_assert_str_eq(script->log, "");
    no_children();
}
END_TEST

static volatile int *ended;

/* The worker may be killed once it has reported a job. */
static void look_for_done(pid_t worker, FILE *out)
{
    int i;

    (void)worker;
    for (i = 0; i < 6000 && *ended == 0; i++) {
        apr_sleep(5000);
    }
    fprintf(out, "%d done", *ended);
}

/* When the worker is killed, the jobs that it had reported keep their
 * result and the others are reported as lost, with the reason. */
START_TEST(killed_workers_lose_no_job)
{
    stall_t *stall;

    ended = mmap(NULL, sizeof(*ended), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne((void *)ended, MAP_FAILED);
    script->ended = ended;
    stall = stall_start(look_for_done, pool);
    plan = rig_plan(2, 3, pool);
    ca(0)->url = stall_nobody(pool);
    ca(1)->url = stall->url;
    job(1)->ca = 1;
    job(2)->ca = 1;
    job(2)->kind = WORKER_ACCOUNT;
    unit_fails(run(), APR_EGENERAL, "was killed by signal 9; run the "
               "command again, unfinished orders go on");
    ck_assert_str_eq(stall_seen(stall, pool), "1 done");
    all_done_once();
    failed_with(0, BASE_EXIT_BUSY, ca(0)->url);
    failed_with(1, BASE_EXIT_FAILED, "was killed by signal 9");
    failed_with(2, BASE_EXIT_FAILED, "was killed by signal 9");
    no_children();
}
END_TEST

/* A plan that makes no sense to the engine ends the run with that reason,
 * and the jobs with it. */
START_TEST(senseless_plans_fail_every_job)
{
    int i;

    job(1)->kind = (worker_kind_t)99;
    unit_fails(run(), APR_EINVAL, "job 1 of the plan makes no sense");
    all_done_once();
    for (i = 0; i < 3; i++) {
        failed_with(i, BASE_EXIT_FAILED, "job 1 of the plan");
    }
    no_children();
}
END_TEST

/* A run that cannot even begin reports every job as failed: what nobody
 * reported would look like a success. */
START_TEST(runs_that_cannot_begin_fail_every_job)
{
    const char *preload = getenv("LD_PRELOAD");
    struct rlimit limit;
    int fds[64];
    int n = 0;
    int i;

    /* valgrind closes sockets beyond the limit, but calls it a success */
    if (strstr(preload ? preload : "", "vgpreload")) {
        return;
    }
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (i = 0; i < 64 && (fds[n] = dup(1)) >= 0; i++) {
        n++;
    }
    ck_assert_int_lt(n, 64);
    unit_fails(run(), EMFILE, "cannot make a socket pair");
    while (n > 0) {
        close(fds[--n]);
    }
    all_done_once();
    for (i = 0; i < 3; i++) {
        failed_with(i, BASE_EXIT_FAILED, "cannot make a socket pair");
    }
}
END_TEST

/* Whoever starts us may ignore SIGCHLD; the worker is reaped all the
 * same. */
START_TEST(ignored_sigchld_does_no_harm)
{
    signal(SIGCHLD, SIG_IGN);
    ca(0)->url = stall_nobody(pool);
    unit_ok(run());
    all_done_once();
    no_children();
}
END_TEST

Suite *run_suite(void);
Suite *run_suite(void)
{
    Suite *suite = suite_create("run");
    TCase *tc = tcase_create("run");

    tcase_add_checked_fixture(tc, setup, unit_teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, unreachable_cas_fail_their_jobs);
    tcase_add_test(tc, empty_plans_end_in_order);
    tcase_add_test(tc, killed_workers_lose_no_job);
    tcase_add_test(tc, senseless_plans_fail_every_job);
    tcase_add_test(tc, runs_that_cannot_begin_fail_every_job);
    tcase_add_test(tc, ignored_sigchld_does_no_harm);
    return suite;
}
