/*
 * serve.c: acmectl serve [--parent PID]: the manager.
 *
 *       ┌────────────────────────── SIGHUP ──────────────────────────┐
 *       v                                                            |
 *     read the configuration ──> look what is due ──nothing──> sleep─┤
 *                                  ^     | something                 |
 *                                  |     v                           |
 *                                  |   wait for httpd, lock,         |
 *                                  |   look again, order, activate   |
 *                                  |     v                           |
 *                                  └── unlock; failed: pause         |
 *                                                                    |
 *     SIGTERM, or the parent is gone: the net worker is killed,   <──┘
 *     its orders stay resumable, and this ends
 *
 * Whatever goes wrong is logged once and tried again later; this process
 * ends by a signal only. What it allocates belongs to one pass, or to the
 * configuration that was read last.
 *
 * A change of the configuration that a killed acmectl left is undone before
 * the configuration is read, and before each look.
 *
 * The configuration is that of the last restart: it is read at the start
 * and at SIGHUP. One that cannot be read leaves the last good one in use.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <apr_strings.h>

#include "cmd/internal.h"

/* Certificates ordered under one lock: another acmectl need not wait for
 * ten thousand. */
#define BATCH 100

#define SECOND apr_time_from_sec(1)
#define MINUTE apr_time_from_sec(60)
#define HOUR (60 * MINUTE)

/* The longest sleep, and the longest time without a look at the wall
 * clock, which may jump, and at the parent. */
#define SLEEP_MAX (12 * HOUR)
#define LOOK_EVERY MINUTE

/* Passes that fail as a whole pause as the ladder says, up to this. */
#define PAUSE_MAX (10 * MINUTE)
#define PAUSE_BUSY (10 * SECOND)

#define LOCK_WAIT (5 * SECOND)
#define SETTLE_WAIT (30 * SECOND)
#define SETTLE_KNOWN (3 * SECOND)
#define SETTLE_STEP (20 * 1000)

/* Between two batches, so that a waiting acmectl gets the lock. */
#define YIELD (100 * 1000)

/* After SIGTERM, seconds: whatever is under way then is cut off. */
#define END_WAIT 2

typedef struct serve_t {
    cmd_t *cmd;               /* the verb's own */
    json_t *config;           /* the last good one; NULL: none yet */
    apr_pool_t *config_pool;
    apr_pool_t *lock_pool;    /* of the manager's lock; NULL: not held */
    const char *locked;       /* the store it is held for */
    apr_time_t begun;         /* wall clock */
    apr_time_t told;          /* wall clock of the last SIGHUP; 0: none */
    int stale;                /* 1: the configuration is to be read */
    int compare;              /* 1: since then httpd was not compared with
                                 the store */
    int failures;             /* passes in a row */
    apr_time_t pause;         /* no pass before it, monotonic */
    char said[512];           /* the last complaint */
} serve_t;

/* ---------------------------------------------------------------- signals */

static volatile sig_atomic_t stopping;
static volatile sig_atomic_t hung_up;

static void on_end(int number)
{
    (void)number;
    stopping = 1;
    worker_stop();
    alarm(END_WAIT);
}

static void on_hangup(int number)
{
    (void)number;
    hung_up = 1;
}

static void catch(int number, void (*handler)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

/** httpd may have blocked or ignored any of them. */
static void catch_signals(void)
{
    sigset_t none;

    catch(SIGTERM, on_end);
    catch(SIGINT, on_end);
    catch(SIGHUP, on_hangup);
    /* What makes httpd open its logs again. */
    catch(SIGUSR1, on_hangup);
    catch(SIGALRM, SIG_DFL);
    catch(SIGCHLD, SIG_DFL);
    catch(SIGPIPE, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int parent_gone(const serve_t *serve)
{
    pid_t parent = serve->cmd->options.parent;

    return parent && getppid() != parent;
}

/** Sleep until a signal comes or some time has passed. */
static void sleep_some(apr_interval_time_t time)
{
    struct timespec spec;
    sigset_t all;
    sigset_t old;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    /* Nothing can come between this look and the sleep. */
    if (!stopping && !hung_up && time > 0) {
        spec.tv_sec = (time_t)apr_time_sec(time);
        spec.tv_nsec = (long)apr_time_usec(time) * 1000;
        ppoll(NULL, 0, &spec, &old);
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
}

/** Sleep until the wall clock says at and the monotonic one says pause. */
static void sleep_until(serve_t *serve, apr_time_t at)
{
    base_clock_t *clock = serve->cmd->clock;
    apr_time_t end = clock->mono(clock) + SLEEP_MAX;

    while (!stopping && !hung_up) {
        apr_time_t now = clock->mono(clock);
        apr_interval_time_t left = at - clock->wall(clock);

        left = left > end - now ? end - now : left;
        left = left < serve->pause - now ? serve->pause - now : left;
        if (left <= 0) {
            return;
        }
        sleep_some(left > LOOK_EVERY ? LOOK_EVERY : left);
        if (parent_gone(serve)) {
            on_end(0);
        }
    }
}

/* -------------------------------------------------------------- complaints */

/** Log what is wrong, once as long as nothing else is. */
static void complain(serve_t *serve, const char *what)
{
    char text[sizeof(serve->said)];

    apr_cpystrn(text, what, sizeof(text));
    base_log(strcmp(text, serve->said) == 0 ? BASE_LOG_DEBUG
                                            : BASE_LOG_ERROR, "%s", what);
    apr_cpystrn(serve->said, text, sizeof(serve->said));
}

static void pause_for(serve_t *serve, apr_interval_time_t time)
{
    base_clock_t *clock = serve->cmd->clock;

    serve->pause = clock->mono(clock) + time;
}

/** A pass failed as a whole. @param what nullable: it was said already */
static void fail(serve_t *serve, const char *what)
{
    apr_interval_time_t wait = cmd_ladder_wait(++serve->failures,
                                               APR_UINT32_MAX / 2);

    if (what) {
        complain(serve, what);
    }
    serve->failures -= serve->failures > 100;
    pause_for(serve, wait > PAUSE_MAX ? PAUSE_MAX : wait);
}

/* ----------------------------------------------------------- configuration */

/** The verb's context for one pass, in pool. */
static cmd_t *make_pass(const serve_t *serve, apr_pool_t *pool)
{
    cmd_t *pass = apr_pmemdup(pool, serve->cmd, sizeof(*pass));

    pass->pool = pool;
    pass->config = serve->config;
    pass->store = NULL;
    pass->live = NULL;
    pass->live_failed = 0;
    pass->result = base_json_own(json_object(), pool);
    if (pass->config) {
        pass->httpd.server = json_string_value(json_object_get(
            json_object_get(pass->config, "server"), "binary"));
    }
    return pass;
}

static void wait_for_httpd(const serve_t *serve, cmd_t *pass);

/** Undo what a killed run left in the configuration, once httpd takes
 *  signals, for it may have loaded it. @return 1 if something was undone */
static int settle(const serve_t *serve, cmd_t *pass)
{
    journal_t *journal;

    if (!cmd_journal_interrupted(pass, &journal)) {
        return 0;
    }
    if (pass->config) {
        wait_for_httpd(serve, pass);
    }
    return cmd_journal_settle(pass, journal);
}

static void read_configuration(serve_t *serve)
{
    apr_pool_t *pool;
    cmd_t *pass;

    apr_pool_create(&pool, serve->cmd->pool);
    pass = make_pass(serve, pool);
    pass->config = NULL;
    settle(serve, pass);
    if (cmd_read_config_once(pass) != APR_SUCCESS) {
        if (!stopping) {
            fail(serve, pass->err.message);
        }
        apr_pool_destroy(pool);
        return;
    }
    if (serve->config_pool) {
        apr_pool_destroy(serve->config_pool);
    }
    serve->config = pass->config;
    serve->config_pool = pool;
    serve->stale = 0;
    serve->compare = 1;
}

const char *cmd_manager_lock(const store_t *store, apr_pool_t *pool)
{
    return apr_pstrcat(pool, store_dir(store), "/manager", NULL);
}

/** Be the one manager of the store, for as long as it is this store. */
static apr_status_t take_manager_lock(serve_t *serve, cmd_t *pass)
{
    const char *dir = store_dir(pass->store);
    base_lock_t *lock;
    apr_pool_t *pool;
    apr_status_t rv;

    if (serve->lock_pool && strcmp(serve->locked, dir) == 0) {
        return APR_SUCCESS;
    }
    if (serve->lock_pool) {
        apr_pool_destroy(serve->lock_pool);
        serve->lock_pool = NULL;
    }
    apr_pool_create(&pool, serve->cmd->pool);
    rv = base_lock_take(&lock, cmd_manager_lock(pass->store, pool),
                        apr_psprintf(pool, "acmectl serve, pid %d",
                                     (int)getpid()), 0, &pass->err, pool);
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return rv;
    }
    serve->lock_pool = pool;
    serve->locked = apr_pstrdup(pool, dir);
    return APR_SUCCESS;
}

/** The store, made if need be, and the manager's place in it. */
static apr_status_t open_store(serve_t *serve, cmd_t *pass)
{
    const char *dir = pass->store_dir ? pass->store_dir
        : json_string_value(json_object_get(
            json_object_get(pass->config, "server"), "store"));
    apr_status_t rv = store_open(&pass->store, dir, 1, &pass->err,
                                 pass->pool);

    return rv == APR_SUCCESS ? take_manager_lock(serve, pass) : rv;
}

/* ------------------------------------------------------------------ passes */

/** Let httpd show what this process does.
 *  @param next  when it is to look again, wall clock */
static void report(const serve_t *serve, cmd_t *pass, int ordering,
                   apr_time_t next)
{
    base_clock_t *clock = serve->cmd->clock;
    apr_interval_time_t pause = serve->pause - clock->mono(clock);
    apr_time_t now = clock->wall(clock);
    cmd_manager_t manager = { 0 };

    manager.started = serve->begun;
    manager.last_pass = now;
    manager.next_wake = pause > 0 && next < now + pause ? now + pause : next;
    manager.ordering = ordering;
    manager.trouble = serve->said;
    cmd_report_manager(pass, &manager);
}

/** What is to be done now, BATCH certificates of each kind at most. */
typedef struct due_t {
    apr_array_header_t *all;      /**< of cmd_certificate_t *: those that are
                                       renewed by themselves */
    apr_array_header_t *others;   /**< and the rest */
    apr_array_header_t *orders;   /**< what is to be ordered */
    apr_array_header_t *staples;  /**< whose OCSP response is to be fetched:
                                       who renews by hand is stapled, too */
    json_t *ledger;
    apr_time_t now;
    apr_time_t next;              /**< when the next of the others is due */
} due_t;

/** It is due at some time: take it, or remember when. */
static void due_add(due_t *due, apr_array_header_t *list,
                    cmd_certificate_t *c, apr_time_t at)
{
    if (at > due->now) {
        due->next = at < due->next ? at : due->next;
    }
    else if (list->nelts < BATCH) {
        APR_ARRAY_PUSH(list, cmd_certificate_t *) = c;
    }
}

static void find_staples(const cmd_t *pass, due_t *due,
                         const apr_array_header_t *certificates)
{
    int i;

    for (i = 0; i < certificates->nelts; i++) {
        cmd_certificate_t *c = APR_ARRAY_IDX(certificates, i,
                                             cmd_certificate_t *);
        apr_time_t at = cmd_staple_next(pass, due->ledger, c, due->now);

        if (at) {
            due_add(due, due->staples, c, at);
        }
    }
}

/** @param show  1: let httpd show how all of them stand
 *  @return APR_SUCCESS, or pass->err says why not */
static apr_status_t find_due(cmd_t *pass, due_t *due, int show)
{
    int i;

    due->all = apr_array_make(pass->pool, 64, sizeof(void *));
    due->others = apr_array_make(pass->pool, 8, sizeof(void *));
    due->orders = apr_array_make(pass->pool, 8, sizeof(void *));
    due->staples = apr_array_make(pass->pool, 8, sizeof(void *));
    due->now = pass->clock->wall(pass->clock);
    due->next = due->now + SLEEP_MAX;
    if (cmd_read_ledger(pass, &due->ledger) != APR_SUCCESS) {
        return pass->err.status;
    }
    cmd_certificates_automatic(pass, due->ledger, due->all, due->others);
    if (show) {
        cmd_report(pass, due->all);
        cmd_report(pass, due->others);
    }
    cmd_challenges_sort(pass, due->all);
    for (i = 0; i < due->all->nelts; i++) {
        cmd_certificate_t *c = APR_ARRAY_IDX(due->all, i,
                                             cmd_certificate_t *);

        due_add(due, due->orders, c, cmd_certificate_next(c, due->now));
    }
    find_staples(pass, due, due->all);
    find_staples(pass, due, due->others);
    return APR_SUCCESS;
}

/** 1 once httpd runs, by the configuration that this process has. */
static int is_settled(const serve_t *serve, cmd_t *pass)
{
    const char *pid_file = json_string_value(json_object_get(
        json_object_get(pass->config, "server"), "pid_file"));
    pid_t parent = serve->cmd->options.parent;
    pid_t pid;

    if (!cmd_httpd_running(pass, &pid)) {
        return 0;
    }
    /* httpd starts us, and tells us of a restart, before its children are
     * there that can answer for it. Told late, we cannot see it: a while
     * is enough then. */
    return !parent
        || (pid == parent
            && (httpd_settled(pid_file, serve->told)
                || pass->clock->wall(pass->clock) - serve->told
                   > SETTLE_KNOWN));
}

static void wait_for_httpd(const serve_t *serve, cmd_t *pass)
{
    apr_time_t end = pass->clock->mono(pass->clock) + SETTLE_WAIT;

    while (!is_settled(serve, pass) && !stopping && !hung_up
           && pass->clock->mono(pass->clock) < end) {
        sleep_some(SETTLE_STEP);
    }
}

/**
 * Tell ACMENotify's program of certificates that are due for long and that
 * nobody can order now: the ladder or a CA holds them back, or no challenge
 * could be answered. Of those that were ordered just now it is told already.
 *
 * @param all  as find_due saw them
 */
static void tell_expiring(const serve_t *serve, apr_array_header_t *all,
                          apr_pool_t *pool)
{
    cmd_t *pass = make_pass(serve, pool);
    json_t *ledger;
    int wanted = 0;
    int i;

    for (i = 0; i < all->nelts && !wanted; i++) {
        wanted = cmd_notify_wants_expiring(pass, APR_ARRAY_IDX(
            all, i, cmd_certificate_t *));
    }
    pass->options.wait = LOCK_WAIT;
    if (!wanted || cmd_open_store(pass, 1) != APR_SUCCESS
        || cmd_read_ledger(pass, &ledger) != APR_SUCCESS) {
        return;
    }
    cmd_notify_begin(pass);
    cmd_notify_expiring(pass, all, ledger);
}

/** Order what is due. @return APR_SUCCESS when every one was issued */
static apr_status_t order(serve_t *serve, cmd_t *pass)
{
    const char *obstacle;
    due_t due;

    wait_for_httpd(serve, pass);
    if (stopping || hung_up) {
        return APR_EINTR;
    }
    obstacle = cmd_challenge_obstacle(pass);
    if (obstacle) {
        return base_err_set(&pass->err, APR_EGENERAL, BASE_EXIT_FAILED,
                            "%s", obstacle);
    }
    pass->options.wait = LOCK_WAIT;
    if (cmd_open_store(pass, 1) != APR_SUCCESS) {
        return pass->err.status;
    }
    /* Another acmectl may have done it meanwhile. */
    if (find_due(pass, &due, 0) == APR_SUCCESS && due.orders->nelts > 0) {
        report(serve, pass, due.orders->nelts, due.next);
        cmd_certificates_run(pass, due.orders, due.ledger);
    }
    return pass->err.status != APR_SUCCESS ? pass->err.status
           : pass->exit == BASE_EXIT_OK ? APR_SUCCESS : APR_EGENERAL;
}

/** Judge how the pass went. */
static void judge(serve_t *serve, const cmd_t *pass, apr_status_t rv)
{
    if (rv == APR_SUCCESS) {
        serve->failures = 0;
        serve->said[0] = '\0';
        sleep_some(YIELD);
    }
    else if (stopping || rv == APR_EINTR) {
        return;
    }
    else if (APR_STATUS_IS_EBUSY(rv)) {
        base_log(BASE_LOG_INFO, "%s", pass->err.message);
        pause_for(serve, PAUSE_BUSY);
    }
    else {
        fail(serve, pass->err.status != APR_SUCCESS ? pass->err.message
                                                    : NULL);
    }
}

/** Seconds of CPU that this process has used. */
static double cpu_seconds(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/** Order what is due, and tell of what cannot be ordered. */
static void order_due(serve_t *serve, const due_t *due, apr_pool_t *pool)
{
    cmd_t *pass = make_pass(serve, pool);
    apr_status_t rv = order(serve, pass);

    cmd_unlock_store(pass);
    /* Then nothing at all was ordered. */
    if (pass->err.status != APR_SUCCESS && !APR_STATUS_IS_EBUSY(rv)) {
        tell_expiring(serve, due->all, pool);
    }
    judge(serve, pass, rv);
}

/** Fetch the OCSP responses that are due. A responder that fails is asked
 *  again later, as the ledger says, and is no failure of the pass. */
static void staple_due(serve_t *serve, apr_pool_t *pool)
{
    cmd_t *pass = make_pass(serve, pool);
    due_t due;

    pass->options.wait = LOCK_WAIT;
    if (cmd_open_store(pass, 1) == APR_SUCCESS
        && find_due(pass, &due, 0) == APR_SUCCESS) {
        cmd_staples_due(pass, due.staples, due.ledger);
    }
    cmd_unlock_store(pass);
    judge(serve, pass, pass->err.status);
}

/** Publish what a run that was killed has left in the store.
 *  @return 0 if another acmectl is at work: look again then */
static int publish(serve_t *serve, const due_t *due, apr_pool_t *pool)
{
    cmd_t *pass = make_pass(serve, pool);
    apr_status_t rv;

    wait_for_httpd(serve, pass);
    if (stopping || hung_up) {
        return 1;
    }
    pass->options.wait = LOCK_WAIT;
    rv = cmd_open_store(pass, 1);
    if (rv == APR_SUCCESS) {
        cmd_publish(pass, cmd_behind(pass, due->all));
    }
    cmd_unlock_store(pass);
    if (rv != APR_SUCCESS) {
        judge(serve, pass, rv);
    }
    return rv == APR_SUCCESS;
}

/** One look at everything. @return when the next is due, wall clock */
static apr_time_t look(serve_t *serve, apr_pool_t *pool)
{
    cmd_t *pass = make_pass(serve, pool);
    double begin = cpu_seconds();
    due_t due;

    if (open_store(serve, pass) == APR_SUCCESS && settle(serve, pass)) {
        serve->stale = 1;
        return 0;
    }
    pass->config = serve->config;
    if (pass->err.status != APR_SUCCESS
        || find_due(pass, &due, 1) != APR_SUCCESS) {
        judge(serve, pass, pass->err.status);
        return serve->cmd->clock->wall(serve->cmd->clock);
    }
    if (due.orders->nelts == 0 && due.staples->nelts == 0) {
        if (serve->compare && cmd_behind(pass, due.all)->nelts > 0
            && !publish(serve, &due, pool)) {
            return serve->cmd->clock->wall(serve->cmd->clock);
        }
        serve->compare = 0;
        base_log(BASE_LOG_DEBUG, "nothing is due before %s (%.3f s CPU)",
                 base_time_text(due.next, pool), cpu_seconds() - begin);
        tell_expiring(serve, due.all, pool);
        return due.next;
    }
    if (due.orders->nelts > 0) {
        order_due(serve, &due, pool);
    }
    if (due.staples->nelts > 0 && !stopping && !hung_up) {
        staple_due(serve, pool);
    }
    return 0;
}

/* -------------------------------------------------------------------- verb */

/** A restart: the configuration may be another one, and the log. */
static void begin_again(serve_t *serve)
{
    acme_err_t err = { 0 };

    hung_up = 0;
    serve->told = serve->cmd->clock->wall(serve->cmd->clock);
    serve->stale = 1;
    serve->failures = 0;
    serve->pause = 0;
    if (serve->cmd->options.parent
        && strcmp(serve->cmd->log_target, "stderr") == 0) {
        base_log_follow(serve->cmd->options.parent);
    }
    if (base_log_reopen(&err) != APR_SUCCESS) {
        base_log(BASE_LOG_WARN, "%s; the log goes where it went",
                 err.message);
    }
}

static void run(serve_t *serve)
{
    apr_time_t next = 0;
    apr_pool_t *pool;

    apr_pool_create(&pool, serve->cmd->pool);
    while (!stopping) {
        if (hung_up) {
            begin_again(serve);
        }
        if (serve->stale) {
            read_configuration(serve);
        }
        next = serve->config ? look(serve, pool) : 0;
        report(serve, make_pass(serve, pool), 0, next);
        apr_pool_clear(pool);
        sleep_until(serve, next);
    }
    apr_pool_destroy(pool);
}

void cmd_serve(cmd_t *cmd)
{
    serve_t serve = { 0 };
    pid_t parent = cmd->options.parent;

    catch_signals();
    serve.cmd = cmd;
    serve.begun = cmd->clock->wall(cmd->clock);
    serve.stale = 1;
    cmd->resident = 1;
    cmd->display_options.quiet = 1;
    base_tick_set(NULL, NULL);
    base_log_before(NULL, NULL);
    /* Nobody sits at its terminal when it ends. */
    cmd->display_options.silent = 1;
    cmd->display = display_open(&cmd->display_options, cmd->pool);
    /* A parent that is killed has no time to end its children. */
    if (parent && prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) != 0) {
        base_err_path(&cmd->err, errno, "watch the parent of",
                      "acmectl serve");
        return;
    }
    if (parent_gone(&serve)) {
        return;
    }
    base_log(BASE_LOG_INFO, "the manager begins");
    run(&serve);
    notify_stop(cmd->notify);
    alarm(0);
    base_log(BASE_LOG_INFO, "the manager ends");
}
