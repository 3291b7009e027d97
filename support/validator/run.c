/*
 * run.c: the parent of the askers.
 *
 *     fork CHILDREN_MAX children, each with a pipe and its share of targets
 *     read a line per answer, which has to be the one that is due next
 *     until all have answered, or the deadline and a grace are over
 *
 * A child that dies, or says what it may not, fails the run; one that hangs
 * is killed, and what it owes counts as failed: nobody has seen it work.
 */
#include "validator/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "acme_live.h"

/** Most children at a time: they wait more than they work. */
#define CHILDREN_MAX 16

/** Children mind the deadline themselves; then this is waited. */
#define GRACE apr_time_from_msec(500)

/** How long children may be left without a look, ms. */
#define STEP 200

/** The longest text of a token's key authorization. */
#define TOKEN_BYTES 24

typedef struct run_t run_t;

typedef struct child_t {
    run_t *run;
    pid_t pid;                   /* 0: it was waited for */
    int fd;                      /* -1: it has said all */
    int target;                  /* whose answer is due */
    int row;
    apr_size_t len;              /* of line */
    char line[LINE_MAX_BYTES];
} child_t;

struct run_t {
    plan_t plan;
    const validator_options_t *options;
    validator_check_t *checks;   /* VALIDATOR_ROWS a target */
    child_t *children;
    int n;
    const char *fault;           /* a child said what it may not */
    apr_pool_t *pool;            /* of the checks */
};

static apr_time_t mono(void)
{
    base_clock_t *clock = base_clock_system();

    return clock->mono(clock);
}

static const char *target_name(const run_t *run, int target)
{
    return APR_ARRAY_IDX(run->plan.targets, target, validator_target_t).name;
}

/* -------------------------------------------------------------- answers */

/** Take the answer of a line: it has to be the one that is due. */
static apr_status_t answer_take(child_t *child, acme_err_t *err,
                                apr_pool_t *pool)
{
    run_t *run = child->run;
    validator_check_t *check;
    char clean[LINE_MAX_BYTES];
    const char *detail;
    int target, row, ok, required;
    json_t *json;
    json_error_t error;

    if (base_json_parse(&json, child->line, child->len, LINE_MAX_BYTES,
                        "an answer", err, pool) != APR_SUCCESS) {
        return err->status;
    }
    if (json_unpack_ex(json, &error, JSON_STRICT,
                       "{s:i, s:i, s:i, s:i, s:s}", "target", &target, "row",
                       &row, "ok", &ok, "required", &required, "detail",
                       &detail) != 0
        || target != child->target || row != child->row || ok < -1 || ok > 1
        || required < 0 || required > 1) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "it is not the answer that is due");
    }
    check = &run->checks[target * VALIDATOR_ROWS + row];
    check->ok = ok;
    check->required = required;
    check->detail = apr_pstrdup(run->pool, base_clean(clean, sizeof(clean),
                                                      detail));
    if (run->options->progress) {
        run->options->progress(run->options->baton, check->name,
                               check->check);
    }
    return APR_SUCCESS;
}

/** A line is complete: the next answer is due then. */
static void line_take(child_t *child)
{
    run_t *run = child->run;
    acme_err_t err = { 0 };
    apr_pool_t *pool;

    apr_pool_create(&pool, run->pool);
    if (child->target >= run->plan.targets->nelts) {
        run->fault = "an answer that nobody asked for";
    }
    else if (answer_take(child, &err, pool) != APR_SUCCESS) {
        run->fault = apr_pstrdup(run->pool, err.message);
    }
    else if (++child->row == VALIDATOR_ROWS) {
        child->row = 0;
        child->target += run->n;
    }
    apr_pool_destroy(pool);
    child->len = 0;
}

static void bytes_take(void *baton, const char *data, apr_size_t len)
{
    child_t *child = baton;
    apr_size_t i;

    for (i = 0; i < len && !child->run->fault; i++) {
        if (data[i] == '\n') {
            line_take(child);
        }
        else if (child->len < sizeof(child->line)) {
            child->line[child->len++] = data[i];
        }
        else {
            child->run->fault = "a line without an end";
        }
    }
}

/* ------------------------------------------------------------- children */

static apr_status_t child_start(run_t *run, int number, acme_err_t *err,
                                apr_pool_t *pool)
{
    child_t *child = &run->children[number];
    pid_t parent = getpid();
    char buf[128];
    int ends[2] = { -1, -1 };
    int error;

    child->run = run;
    child->target = number;
    if (pipe(ends) == 0) {
        child->pid = fork();
        if (child->pid == 0) {
            asker_main(ends[1], &run->plan, number, run->n, parent, pool);
        }
        error = errno;
        close(ends[1]);
        if (child->pid > 0) {
            fcntl(ends[0], F_SETFL, O_NONBLOCK);
            fcntl(ends[0], F_SETFD, FD_CLOEXEC);
            child->fd = ends[0];
            return APR_SUCCESS;
        }
        child->pid = 0;
        close(ends[0]);
        errno = error;
    }
    return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                        "cannot start a process that validates: %s",
                        base_strerror(APR_FROM_OS_ERROR(errno), buf,
                                      sizeof(buf)));
}

/** 1 if it owes no answer. */
static int child_done(const child_t *child)
{
    return child->target >= child->run->plan.targets->nelts;
}

/** Wait for a child that has closed its pipe. */
static void child_reap(child_t *child, acme_err_t *err)
{
    int status = 0;

    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
        continue;
    }
    child->pid = 0;
    if (child_done(child)) {
        return;
    }
    base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                 WIFSIGNALED(status)
                 ? "the process that validates was killed by signal %d while "
                   "it asked %s of %s"
                 : "the process that validates ended with status %d while it "
                   "asked %s of %s",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                 validator_rows()[child->row].check,
                 target_name(child->run, child->target));
}

static void children_kill(run_t *run)
{
    int i;

    for (i = 0; i < run->n; i++) {
        child_t *child = &run->children[i];

        if (child->fd >= 0) {
            close(child->fd);
            child->fd = -1;
        }
        if (child->pid > 0) {
            kill(child->pid, SIGKILL);
            while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
                continue;
            }
            child->pid = 0;
        }
    }
}

/** Wait until some child has said something, or for a step. */
static void children_wait(const run_t *run)
{
    struct pollfd fds[CHILDREN_MAX];
    int i;

    for (i = 0; i < run->n; i++) {
        fds[i].fd = run->children[i].fd;
        fds[i].events = POLLIN;
    }
    poll(fds, (nfds_t)run->n, STEP);
    base_tick();
}

/** Read what there is. @return how many children are not done */
static int children_read(run_t *run, acme_err_t *err)
{
    int left = 0;
    int i;

    for (i = 0; i < run->n && !run->fault; i++) {
        child_t *child = &run->children[i];

        base_pipe_drain(&child->fd, bytes_take, child);
        if (child->fd < 0 && child->pid > 0 && !run->fault) {
            child_reap(child, err);
        }
        left += child->pid > 0;
    }
    return left;
}

static apr_status_t run_carry(run_t *run, acme_err_t *err)
{
    apr_time_t until = run->plan.until + GRACE;

    while (children_read(run, err) > 0 && err->status == APR_SUCCESS
           && !run->fault && mono() < until) {
        children_wait(run);
    }
    if (run->fault) {
        base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED, "the process that "
                     "validates sent what is no answer: %s", run->fault);
    }
    return err->status;
}

/* ----------------------------------------------------------------- plan */

/** Names go into requests as they are. */
static apr_status_t names_check(const apr_array_header_t *targets,
                                acme_err_t *err)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyz"
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.*";
    int i;

    for (i = 0; i < targets->nelts; i++) {
        const char *name = APR_ARRAY_IDX(targets, i,
                                         validator_target_t).name;
        apr_size_t len = strspn(name, good);

        if (len == 0 || len > 253 || name[len]) {
            return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                                "\"%s\" is no name that a server can be "
                                "asked for", name);
        }
    }
    return APR_SUCCESS;
}

/** What every check is until it is answered. */
static void checks_make(run_t *run)
{
    const validator_row_t *rows = validator_rows();
    int i, row;

    run->checks = apr_pcalloc(run->pool,
                              sizeof(*run->checks) * VALIDATOR_ROWS
                              * ((apr_size_t)run->plan.targets->nelts + 1));
    for (i = 0; i < run->plan.targets->nelts; i++) {
        for (row = 0; row < VALIDATOR_ROWS; row++) {
            validator_check_t *check =
                &run->checks[i * VALIDATOR_ROWS + row];

            check->name = apr_pstrdup(run->pool, target_name(run, i));
            check->check = rows[row].check;
            check->required = rows[row].required;
            check->ok = rows[row].required ? 0 : -1;
            check->detail = apr_psprintf(
                run->pool, "there was no answer within %.1f s",
                (double)run->options->deadline / APR_USEC_PER_SEC);
        }
    }
}

/** The trust roots of one file, or the system's. */
static apr_status_t trust_load(crypto_trust_t **ptrust, const char *path,
                               acme_err_t *err, apr_pool_t *pool)
{
    const char *real;
    char *pem = NULL;
    apr_size_t len = 0;

    if (path && (base_path_real(&real, path, err, pool) != APR_SUCCESS
                 || base_file_read(&pem, &len, real, CRYPTO_ROOTS_MAX, err,
                                   pool) != APR_SUCCESS)) {
        return err->status;
    }
    if (crypto_trust_make(ptrust, pem, len, err, pool) != APR_SUCCESS) {
        return base_err_wrap(err, "%s", path ? path : "trust roots");
    }
    return APR_SUCCESS;
}

/** The trust roots of each target, each file read once. */
static apr_status_t plan_trust(plan_t *plan, acme_err_t *err,
                               apr_pool_t *pool)
{
    apr_hash_t *loaded = apr_hash_make(pool);
    int i;

    plan->trust = apr_pcalloc(pool, sizeof(*plan->trust)
                              * ((apr_size_t)plan->targets->nelts + 1));
    for (i = 0; i < plan->targets->nelts; i++) {
        const char *path = APR_ARRAY_IDX(plan->targets, i,
                                         validator_target_t).roots;
        const char *key = path ? path : "";
        crypto_trust_t *trust = apr_hash_get(loaded, key,
                                             APR_HASH_KEY_STRING);

        if (!trust
            && trust_load(&trust, path, err, pool) != APR_SUCCESS) {
            return err->status;
        }
        apr_hash_set(loaded, key, APR_HASH_KEY_STRING, trust);
        plan->trust[i] = trust;
    }
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- token */

/** 1 if some target has to answer a challenge. */
static int wants_token(const plan_t *plan)
{
    int i;

    for (i = 0; i < plan->targets->nelts; i++) {
        const validator_target_t *target =
            &APR_ARRAY_IDX(plan->targets, i, validator_target_t);

        if (target->managed && target->http && target->http->nelts > 0) {
            return 1;
        }
    }
    return 0;
}

/** Publish a token for the time of the run. @return NULL if there is none */
static live_writer_t *token_put(plan_t *plan, const validator_options_t *opt,
                                apr_pool_t *pool)
{
    base_clock_t *clock = base_clock_system();
    live_writer_t *writer = NULL;
    unsigned char bytes[TOKEN_BYTES];
    const char *why = NULL;
    apr_status_t rv;

    if (!opt->live || !wants_token(plan)) {
        return NULL;
    }
    rv = apr_generate_random_bytes(bytes, sizeof(bytes));
    plan->token = base_b64url_encode(bytes, sizeof(bytes), pool);
    plan->keyauth = apr_pstrcat(pool, plan->token, ".acmectl-validate", NULL);
    if (rv == APR_SUCCESS) {
        rv = live_writer_open(&writer, opt->live, &why, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = live_writer_token_put(writer, plan->token, plan->keyauth,
                                   clock->wall(clock) + opt->deadline
                                   + apr_time_from_sec(10));
    }
    if (rv == APR_SUCCESS) {
        return writer;
    }
    plan->token = NULL;
    plan->token_denied = APR_STATUS_IS_EACCES(rv);
    plan->token_fault = apr_psprintf(
        pool, "no challenge can be published in %s: %s", opt->live,
        why ? why : "it has no place for one");
    return NULL;
}

/* ------------------------------------------------------------------ run */

static apr_array_header_t *checks_array(const run_t *run)
{
    int i, n = run->plan.targets->nelts * VALIDATOR_ROWS;
    apr_array_header_t *checks = apr_array_make(run->pool, n + 1,
                                                sizeof(validator_check_t));

    for (i = 0; i < n; i++) {
        APR_ARRAY_PUSH(checks, validator_check_t) = run->checks[i];
    }
    return checks;
}

static void run_children(run_t *run, acme_err_t *err)
{
    int i, targets = run->plan.targets->nelts;
    apr_status_t rv = APR_SUCCESS;

    base_children_keep();
    run->n = targets < CHILDREN_MAX ? targets : CHILDREN_MAX;
    run->children = apr_pcalloc(run->pool, sizeof(*run->children)
                                           * ((apr_size_t)run->n + 1));
    for (i = 0; i < run->n; i++) {
        run->children[i].fd = -1;
    }
    for (i = 0; i < run->n && rv == APR_SUCCESS; i++) {
        rv = child_start(run, i, err, run->pool);
    }
    if (rv == APR_SUCCESS) {
        run_carry(run, err);
    }
    children_kill(run);
}

apr_status_t validator_run(apr_array_header_t **pchecks,
                           const apr_array_header_t *targets,
                           const validator_options_t *options,
                           acme_err_t *err, apr_pool_t *result_pool)
{
    live_writer_t *writer;
    run_t run;

    memset(&run, 0, sizeof(run));
    run.options = options;
    run.pool = result_pool;
    run.plan.targets = targets;
    run.plan.timeout = options->timeout;
    run.plan.until = mono() + options->deadline;
    run.plan.settle = mono() + options->settle;
    base_user_find("nobody", &run.plan.uid, &run.plan.gid);
    if (names_check(targets, err) != APR_SUCCESS
        || plan_trust(&run.plan, err, result_pool) != APR_SUCCESS) {
        return err->status;
    }
    checks_make(&run);
    writer = token_put(&run.plan, options, result_pool);
    run_children(&run, err);
    if (writer) {
        live_writer_token_remove(writer, run.plan.token);
    }
    if (err->status == APR_SUCCESS) {
        *pchecks = checks_array(&run);
    }
    return err->status;
}
