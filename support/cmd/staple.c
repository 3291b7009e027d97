/*
 * staple.c: OCSP responses: who needs one, when, and what came of it.
 *
 * A certificate needs one if it names a responder and a virtual host that
 * serves it has SSLUseStapling on, or it was ordered with ACMEMustStaple.
 * The ledger remembers for each whose response it is and when the next one
 * is to be fetched:
 *
 *   none, or of another serial    now
 *   fetched                       when half of what it holds for is over
 *   failed                        as the ladder says, but its last rung
 *
 * A failure disturbs nothing: the last good response is stapled until it is
 * over, and renewals go on. That a certificate is revoked is remembered, so
 * that it is replaced; it would be useless to tell clients by a staple what
 * they find out by themselves.
 */
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "cmd/internal.h"

#define SECOND apr_time_from_sec(1)
#define MINUTE apr_time_from_sec(60)
#define HOUR (60 * MINUTE)

/* Nobody is asked more often than this, unless his responses hold for less
 * than the double. */
#define REFRESH_MIN (10 * MINUTE)
#define REFRESH_LEAST (10 * SECOND)
#define REFRESH_MAX (30 * 24 * HOUR)

/* A day's wait would be longer than most responses hold. */
#define RUNGS 3

/* A certificate that is called revoked so soon is not replaced yet: a
 * responder that calls all of them so would make us order in a circle. */
#define REVOKED_MIN HOUR

/* ------------------------------------------------------------------ who */

/** 1 if a virtual host that serves domain's certificates is to staple. */
static int hosts_staple(const cmd_t *cmd, const json_t *domain)
{
    const json_t *hosts = json_object_get(cmd->config, "virtual_hosts");
    json_t *index;
    size_t i;

    json_array_foreach(json_object_get(domain, "virtual_hosts"), i, index) {
        const json_t *host = json_array_get(
            hosts, (size_t)json_integer_value(index));

        if (json_is_true(json_object_get(host, "ssl"))
            && !json_is_true(json_object_get(host, "certificate_file"))
            && json_is_true(json_object_get(host, "stapling"))) {
            return 1;
        }
    }
    return 0;
}

static int is_wanted(const cmd_t *cmd, const json_t *domain,
                     const json_t *meta)
{
    return json_object_get(meta, "ocsp") && !json_object_get(meta, "revoked")
        && (json_is_true(json_object_get(meta, "must_staple"))
            || hosts_staple(cmd, domain));
}

/* ----------------------------------------------------------------- when */

static int same_string(const json_t *a, const json_t *b, const char *member)
{
    const char *x = json_string_value(json_object_get(a, member));
    const char *y = json_string_value(json_object_get(b, member));

    return x && y && strcmp(x, y) == 0;
}

/** The ledger's entry about the certificate of meta; NULL: none. */
static json_t *entry_of(const json_t *ledger, const char *id,
                        const json_t *meta)
{
    json_t *entry = json_object_get(json_object_get(ledger, "staples"), id);

    return same_string(entry, meta, "serial") ? entry : NULL;
}

apr_interval_time_t cmd_staple_wait(apr_time_t this_update,
                                    apr_time_t next_update, apr_time_t now,
                                    apr_uint32_t random)
{
    apr_interval_time_t left = next_update - now;
    apr_interval_time_t wait = this_update + (next_update - this_update) / 2
                               - now;

    if (wait < REFRESH_MIN) {
        wait = left / 2 < REFRESH_MIN ? left / 2 : REFRESH_MIN;
    }
    wait = wait > REFRESH_MAX ? REFRESH_MAX : wait;
    /* Up to an eighth earlier, so that not all come at once. */
    wait -= wait / (8 * 65536) * (apr_interval_time_t)(random >> 16);
    return wait < REFRESH_LEAST ? REFRESH_LEAST : wait;
}

apr_time_t cmd_staple_next(const cmd_t *cmd, const json_t *ledger,
                           const cmd_certificate_t *c, apr_time_t now)
{
    const json_t *entry;
    const char *text;
    apr_time_t at;

    if (!c->meta || !is_wanted(cmd, c->domain, c->meta)) {
        return 0;
    }
    entry = entry_of(ledger, c->id, c->meta);
    text = json_string_value(json_object_get(entry, "next_try"));
    /* A time of years ahead is from a clock that has gone back. */
    if (!text || base_time_parse(&at, text) != APR_SUCCESS
        || at > now + 366 * 24 * HOUR) {
        return now;
    }
    return at > now ? at : now;
}

/* --------------------------------------------------------------- ledger */

static void set_time(json_t *entry, const char *member, apr_time_t at,
                     apr_pool_t *pool)
{
    json_object_set_new(entry, member,
                        json_string(base_time_text(at, pool)));
}

/** The entry of a certificate, made anew where it is another's. */
static json_t *entry_make(json_t *ledger, const char *id, const json_t *meta)
{
    json_t *all = json_object_get(ledger, "staples");
    json_t *entry = entry_of(ledger, id, meta);

    if (!all) {
        all = json_object();
        json_object_set_new(ledger, "staples", all);
    }
    if (!entry) {
        entry = json_object();
        json_object_set(entry, "serial", json_object_get(meta, "serial"));
        json_object_set_new(all, id, entry);
    }
    return entry;
}

static apr_uint32_t random_bits(void)
{
    apr_uint32_t bits = 0;

    apr_generate_random_bytes((unsigned char *)&bits, sizeof(bits));
    return bits;
}

static void record_good(json_t *entry, const crypto_ocsp_t *ocsp,
                        apr_time_t now, apr_pool_t *pool)
{
    json_object_del(entry, "failures");
    json_object_del(entry, "last_error");
    set_time(entry, "expires", ocsp->next_update, pool);
    set_time(entry, "next_try",
             now + cmd_staple_wait(ocsp->this_update, ocsp->next_update, now,
                                   random_bits()), pool);
}

static void record_failure(json_t *entry, const acme_err_t *err,
                           apr_time_t now, apr_pool_t *pool)
{
    json_int_t failures = cmd_failures(entry);
    json_t *error = cmd_error_json(err);
    apr_time_t next;

    failures += failures < CMD_FAILURES_MAX;
    set_time(error, "at", now, pool);
    json_object_set_new(entry, "last_error", error);
    json_object_set_new(entry, "failures", json_integer(failures));
    next = now + cmd_ladder_wait(failures < RUNGS ? failures : RUNGS,
                                 random_bits());
    set_time(entry, "next_try", err->retry_at > next ? err->retry_at : next,
             pool);
}

/* ---------------------------------------------------------------- a run */

/** One certificate of a run. */
typedef struct staple_t {
    const cmd_certificate_t *certificate;
    json_t *meta;                /**< of the certificate that is kept now */
    int orphan;                  /**< 1: it may be unpublished, and nobody
                                      else cares */
} staple_t;

/** A run. */
typedef struct staples_t {
    cmd_t *cmd;
    json_t *ledger;
    worker_plan_t *plan;
    apr_array_header_t *keeper_jobs;   /**< of keeper_job_t */
    apr_array_header_t *staples;       /**< of staple_t: one a job */
    keeper_t *keeper;
} staples_t;

/** The certificate is revoked: it is to be replaced. */
static void mark_revoked(const staples_t *run, const staple_t *staple,
                         apr_time_t now)
{
    const char *text = json_string_value(json_object_get(staple->meta,
                                                         "issued"));
    acme_err_t err = { 0 };
    apr_time_t issued;

    if (!text || base_time_parse(&issued, text) != APR_SUCCESS
        || now - issued < REVOKED_MIN) {
        return;
    }
    set_time(staple->meta, "revoked", now, run->cmd->pool);
    if (store_certificate_meta_write(run->cmd->store,
                                     staple->certificate->id, staple->meta,
                                     &err, run->cmd->pool) != APR_SUCCESS) {
        base_log(BASE_LOG_ERROR, "%s: %s", staple->certificate->id,
                 err.message);
    }
}

static void tell_failure(const staples_t *run, const staple_t *staple,
                         const json_t *entry, const acme_err_t *err,
                         int revoked)
{
    const char *id = staple->certificate->id;
    const char *expires = json_string_value(json_object_get(entry,
                                                            "expires"));
    const char *next = json_string_value(json_object_get(entry, "next_try"));

    base_log(revoked ? BASE_LOG_ERROR : BASE_LOG_WARN, "%s: no new OCSP "
             "response, %s; %s%s; the next try is at %s", id, err->message,
             expires ? "the last good one is stapled until " :
             "none is stapled", expires ? expires : "", next);
    if (!run->cmd->resident) {
        cmd_note(run->cmd, "%s: no new OCSP response, %s", id, err->message);
    }
}

static void collect_one(staples_t *run, int job)
{
    const staple_t *staple = &APR_ARRAY_IDX(run->staples, job, staple_t);
    const keeper_outcome_t *outcome = keeper_outcome(run->keeper, job);
    apr_time_t now = run->cmd->clock->wall(run->cmd->clock);
    const char *id = staple->certificate->id;
    int revoked = outcome->believed
        && outcome->ocsp.status == CRYPTO_OCSP_REVOKED;
    json_t *entry;

    if (outcome->result.err.status != APR_SUCCESS && worker_stopped()) {
        return;
    }
    entry = entry_make(run->ledger, id, staple->meta);
    if (outcome->result.err.status == APR_SUCCESS) {
        record_good(entry, &outcome->ocsp, now, run->cmd->pool);
        base_log(BASE_LOG_INFO, "%s: the OCSP response is good until %s", id,
                 base_time_text(outcome->ocsp.next_update, run->cmd->pool));
        return;
    }
    record_failure(entry, &outcome->result.err, now, run->cmd->pool);
    tell_failure(run, staple, entry, &outcome->result.err, revoked);
    if (revoked) {
        mark_revoked(run, staple, now);
    }
}

/** Put the question about one certificate into the plan. */
static void plan_one(staples_t *run, const cmd_stapled_t *wish)
{
    const cmd_certificate_t *c = wish->certificate;
    cmd_t *cmd = run->cmd;
    acme_err_t err = { 0 };
    keeper_job_t kj;
    worker_job_t wj;
    staple_t staple;

    staple.certificate = c;
    if (store_certificate_meta(&staple.meta, cmd->store, c->id, &err,
                               cmd->pool) != APR_SUCCESS
        || !is_wanted(cmd, c->domain, staple.meta)) {
        return;
    }
    staple.orphan = 0;
    if (keeper_staple_job(&wj, &kj, cmd->store, c->id, &err, cmd->pool)
        != APR_SUCCESS) {
        json_t *entry = entry_make(run->ledger, c->id, staple.meta);

        record_failure(entry, &err, cmd->clock->wall(cmd->clock), cmd->pool);
        tell_failure(run, &staple, entry, &err, 0);
        return;
    }
    kj.publish = !entry_of(run->ledger, c->id, staple.meta)
        && json_is_true(json_object_get(staple.meta, "must_staple"));
    kj.publisher = wish->keeper;
    kj.publisher_job = wish->job;
    staple.orphan = kj.publish && !kj.publisher;
    APR_ARRAY_PUSH(run->plan->jobs, worker_job_t) = wj;
    APR_ARRAY_PUSH(run->keeper_jobs, keeper_job_t) = kj;
    APR_ARRAY_PUSH(run->staples, staple_t) = staple;
}

/** A run that was killed may have left a certificate that waits for its
 *  response unpublished: who asks for the first one publishes, with one or
 *  without. */
static void publish_orphans(staples_t *run)
{
    int i;

    for (i = 0; i < run->staples->nelts; i++) {
        if (APR_ARRAY_IDX(run->staples, i, staple_t).orphan
            && !keeper_outcome(run->keeper, i)->live) {
            keeper_publish(run->keeper, i, run->cmd->pool);
        }
    }
}

static void run_plan(staples_t *run)
{
    keeper_options_t options = { 0 };
    int i;

    options.jobs = (const keeper_job_t *)run->keeper_jobs->elts;
    options.live = json_string_value(json_object_get(
        json_object_get(run->cmd->config, "server"), "live"));
    cmd_plan_run(run->cmd, &run->keeper, run->plan, &options);
    publish_orphans(run);
    for (i = 0; i < run->plan->jobs->nelts; i++) {
        collect_one(run, i);
    }
}

void cmd_staples_fetch(cmd_t *cmd, const apr_array_header_t *certificates,
                       json_t *ledger)
{
    staples_t run = { 0 };
    int i;

    run.cmd = cmd;
    run.ledger = ledger;
    run.plan = cmd_plan_make(cmd);
    run.keeper_jobs = apr_array_make(cmd->pool, 8, sizeof(keeper_job_t));
    run.staples = apr_array_make(cmd->pool, 8, sizeof(staple_t));
    for (i = 0; i < certificates->nelts; i++) {
        plan_one(&run, &APR_ARRAY_IDX(certificates, i, cmd_stapled_t));
    }
    if (run.plan->jobs->nelts > 0) {
        run_plan(&run);
    }
}

void cmd_staples_due(cmd_t *cmd, const apr_array_header_t *certificates,
                     json_t *ledger)
{
    apr_array_header_t *due = apr_array_make(cmd->pool, 8,
                                             sizeof(cmd_stapled_t));
    apr_time_t now = cmd->clock->wall(cmd->clock);
    int i;

    for (i = 0; i < certificates->nelts; i++) {
        const cmd_certificate_t *c = APR_ARRAY_IDX(certificates, i,
                                                   const cmd_certificate_t *);

        apr_time_t at = cmd_staple_next(cmd, ledger, c, now);

        /* Who asks by hand need not wait after a failure. */
        if (at == now || (at && !cmd->resident && cmd_failures(
                entry_of(ledger, c->id, c->meta)) > 0)) {
            cmd_stapled_t wish = { c, NULL, 0 };

            APR_ARRAY_PUSH(due, cmd_stapled_t) = wish;
        }
    }
    if (due->nelts > 0) {
        cmd_staples_fetch(cmd, due, ledger);
        store_ledger_write(cmd->store, ledger, &cmd->err, cmd->pool);
    }
}

json_t *cmd_staple_json(const json_t *ledger, const cmd_certificate_t *c)
{
    static const char *const members[] = {
        "expires", "next_try", "last_error"
    };
    const json_t *entry = c->meta ? entry_of(ledger, c->id, c->meta) : NULL;
    json_t *object;
    size_t i;

    if (!entry) {
        return json_null();
    }
    object = json_object();
    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        json_t *value = json_object_get(entry, members[i]);

        json_object_set_new(object, members[i],
                            value ? json_incref(value) : json_null());
    }
    return object;
}
