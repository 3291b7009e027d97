/*
 * asker.c: a child that asks. It has given up root, holds nothing of its
 * parent's but a pipe, and believes nothing that a server says; what it
 * writes is checked by the parent all the same.
 */
#include "validator/internal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

/** Longest detail, bytes, so that a line holds it however it is escaped. */
#define DETAIL_MAX 1200

/** How soon a name is asked again while httpd settles. */
#define AGAIN apr_time_from_msec(100)

/* -------------------------------------------------------------- a target */

/** The name that is asked for: of "*.example.org" one below it. */
static const char *host_of(const char *name, apr_pool_t *pool)
{
    return name[0] == '*' && name[1] == '.'
        ? apr_pstrcat(pool, "acmectl-validate", name + 1, NULL) : name;
}

static void ask_make(validator_ask_t *ask, asker_t *asker, int target,
                     apr_pool_t *pool)
{
    const plan_t *plan = asker->plan;

    memset(ask, 0, sizeof(*ask));
    ask->target = &APR_ARRAY_IDX(plan->targets, target, validator_target_t);
    ask->host = host_of(ask->target->name, pool);
    ask->http = sites_make(ask->target->http, 0, pool);
    ask->http_n = ask->target->http ? ask->target->http->nelts : 0;
    ask->https = sites_make(ask->target->https, 1, pool);
    ask->https_n = ask->target->https ? ask->target->https->nelts : 0;
    ask->trust = plan->trust[target];
    ask->token = plan->token;
    ask->keyauth = plan->keyauth;
    ask->token_fault = plan->token_fault;
    ask->token_denied = plan->token_denied;
    ask->timeout = plan->timeout;
    ask->until = plan->until;
    ask->patience = &asker->patience;
    ask->pool = pool;
}

/** Meet it and ask everything. @return 1 if something failed that counts */
static int ask_all(validator_answer_t *answers, asker_t *asker, int target,
                   apr_pool_t *pool)
{
    const validator_row_t *rows = validator_rows();
    validator_ask_t ask;
    int failed = 0;
    int i;

    ask_make(&ask, asker, target, pool);
    for (i = 0; i < ask.https_n; i++) {
        site_meet(&ask, &ask.https[i]);
    }
    for (i = 0; i < ask.http_n; i++) {
        site_meet(&ask, &ask.http[i]);
    }
    for (i = 0; i < VALIDATOR_ROWS; i++) {
        answers[i].ok = -1;
        answers[i].required = rows[i].required;
        answers[i].detail = "";
        rows[i].ask(&ask, &answers[i]);
        failed |= answers[i].ok == 0 && answers[i].required;
    }
    return failed;
}

void asker_target(asker_t *asker, int target, apr_pool_t *pool)
{
    base_clock_t *clock = base_clock_system();
    validator_answer_t answers[VALIDATOR_ROWS];
    apr_pool_t *try_pool;
    int i;

    apr_pool_create(&try_pool, pool);
    while (ask_all(answers, asker, target, try_pool)
           && clock->mono(clock) + AGAIN < asker->plan->settle) {
        apr_pool_clear(try_pool);
        apr_sleep(AGAIN);
    }
    for (i = 0; i < VALIDATOR_ROWS; i++) {
        asker->tell(asker->baton, target, i, &answers[i]);
    }
    apr_pool_destroy(try_pool);
}

/* -------------------------------------------------------------- the child */

static void write_all(int fd, const char *data, apr_size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno != EINTR) {
            _exit(1);
        }
        data += n > 0 ? n : 0;
        len -= n > 0 ? (apr_size_t)n : 0;
    }
}

/** What a child tells with. */
typedef struct line_t {
    int fd;
    apr_pool_t *pool;
} line_t;

static void tell_line(void *baton, int target, int row,
                      const validator_answer_t *answer)
{
    line_t *line = baton;
    char detail[DETAIL_MAX];
    json_t *json = json_pack(
        "{s:i, s:i, s:i, s:i, s:s}", "target", target, "row", row, "ok",
        answer->ok, "required", answer->required, "detail",
        base_clean(detail, sizeof(detail), answer->detail));
    char *text = json ? base_json_text(base_json_own(json, line->pool),
                                       line->pool) : NULL;

    if (!text) {
        _exit(1);
    }
    text = apr_pstrcat(line->pool, text, "\n", NULL);
    write_all(line->fd, text, strlen(text));
}

void asker_main(int fd, const plan_t *plan, int first, int step,
                pid_t parent, apr_pool_t *pool)
{
    line_t line = { fd, NULL };
    asker_t asker = { plan, tell_line, &line, STAPLE_WAIT };
    int i;

    base_signals_reset();
    signal(SIGPIPE, SIG_IGN);
    base_close_from(3, fd);
    if (base_user_become(plan->uid, plan->gid) != 0
        || base_child_confine(parent) != 0) {
        _exit(2);
    }
    apr_pool_create(&line.pool, pool);
    for (i = first; i < plan->targets->nelts; i += step) {
        asker_target(&asker, i, line.pool);
        apr_pool_clear(line.pool);
    }
    _exit(0);
}
