/*
 * orders.c: order certificates, record how it went, see that httpd serves
 * them.
 */
#include <string.h>

#include <apr_strings.h>

#include "cmd/internal.h"

#define LETSENCRYPT "https://acme-v02.api.letsencrypt.org/directory"
#define LETSENCRYPT_STAGING \
    "https://acme-staging-v02.api.letsencrypt.org/directory"

/** One run of orders. */
typedef struct run_t {
    cmd_t *cmd;
    worker_plan_t *plan;
    apr_array_header_t *keeper_jobs;   /**< of keeper_job_t, as plan->jobs */
    apr_array_header_t *certificates;  /**< of const cmd_certificate_t * */
    json_t *ledger;
    keeper_t *keeper;
    char *begun;                       /**< per job: 1 after its first step */
    apr_array_header_t *setups;        /**< cmd_setups_make's */
    cmd_challenges_t challenges;
    int issued;                        /**< certificates new in the store */
    int waiting;                       /**< … that a virtual host serves
                                            when httpd has been restarted */
    int asked;                         /**< results added */
    int failed;
    acme_err_t first;                  /**< the first failure */
} run_t;

void cmd_result_add(cmd_t *cmd, const cmd_certificate_t *certificate,
                    const char *result, const acme_err_t *err,
                    const acme_result_t *outcome)
{
    json_t *results = json_object_get(cmd->result, "results");
    json_t *object;

    if (!results) {
        results = json_array();
        json_object_set_new(cmd->result, "results", results);
    }
    object = json_pack("{s:s, s:s, s:s, s:i, s:f}",
                       "name", cmd_domain_name(certificate->domain),
                       "key_type", certificate->key_type,
                       "result", result,
                       "requests", outcome ? outcome->requests : 0,
                       "seconds", outcome ? (double)outcome->elapsed
                                            / APR_USEC_PER_SEC : 0.0);
    json_object_set_new(object, "error", err && err->status != APR_SUCCESS
                        ? cmd_error_json(err) : json_null());
    json_array_append_new(results, object);
}

static void add_failure(run_t *run, const cmd_certificate_t *certificate,
                        const acme_err_t *err, const acme_result_t *outcome)
{
    if (run->failed++ == 0) {
        run->first = *err;
    }
    run->asked++;
    if (run->cmd->resident || strcmp(run->cmd->log_target, "stderr") != 0) {
        base_log(BASE_LOG_ERROR, "%s: %s", certificate->id, err->message);
    }
    cmd_result_add(run->cmd, certificate, "failed", err, outcome);
}

/** What the events of a job are about. */
static cmd_subject_t event_of(const run_t *run, int job)
{
    int ca = APR_ARRAY_IDX(run->plan->jobs, job, worker_job_t).ca;
    cmd_subject_t of;

    of.certificate = APR_ARRAY_IDX(run->certificates, job,
                                   const cmd_certificate_t *);
    of.ca = APR_ARRAY_IDX(run->plan->cas, ca, acme_ca_t).url;
    return of;
}

/** Tell ACMENotify's program of a job, unless it is only a trial. */
static void tell(const run_t *run, notify_kind_t kind, int job,
                 const json_t *error)
{
    cmd_subject_t of = event_of(run, job);

    if (!run->cmd->options.dry_run) {
        cmd_notify(run->cmd, kind, &of, error);
    }
}

static void show_progress(void *baton, int job, const char *step)
{
    run_t *run = baton;
    const cmd_certificate_t *c = APR_ARRAY_IDX(run->certificates, job,
                                               const cmd_certificate_t *);

    if (!run->begun[job]) {
        run->begun[job] = 1;
        tell(run, NOTIFY_RENEWING, job, NULL);
        if (!run->cmd->options.dry_run) {
            cmd_report_begin(run->cmd, c);
        }
    }
    base_log(BASE_LOG_INFO, "%s: %s", c->id, step);
    display_progress(run->cmd->display, cmd_domain_name(c->domain), step);
}

/** The CA to be asked; a dry run goes to its staging directory, where one
 *  is known. */
static const char *choose_ca(const run_t *run, const cmd_certificate_t *c)
{
    const char *ca = cmd_domain_ca(c->domain, (int)cmd_failures(c->entry));

    if (run->cmd->options.dry_run && strcmp(ca, LETSENCRYPT) == 0) {
        return LETSENCRYPT_STAGING;
    }
    return ca;
}

/** 1 and err set if the CA asked not to be asked again yet. */
static int must_wait(const run_t *run, const cmd_certificate_t *c,
                     acme_err_t *err)
{
    apr_time_t at = cmd_held_until(c->entry, "retry_at",
                                   run->cmd->clock->wall(run->cmd->clock));

    if (run->cmd->options.force || !at) {
        return 0;
    }
    base_err_set(err, APR_EAGAIN, BASE_EXIT_BUSY,
                 "the CA asked to wait until %s; --force asks again now",
                 base_time_text(at, run->cmd->pool));
    err->retry_at = at;
    return 1;
}

static void add_order(run_t *run, const cmd_order_t *order, int ca,
                      apr_array_header_t *types)
{
    cmd_t *cmd = run->cmd;
    const cmd_certificate_t *c = order->certificate;
    keeper_job_t *kj = apr_array_push(run->keeper_jobs);
    worker_job_t *wj = apr_array_push(run->plan->jobs);
    acme_err_t ignored = { 0 };
    json_t *unfinished;

    memset(kj, 0, sizeof(*kj));
    memset(wj, 0, sizeof(*wj));
    kj->id = cmd->options.dry_run
             ? apr_pstrcat(cmd->pool, c->id, "~dry-run", NULL) : c->id;
    kj->key_type = c->key_type;
    kj->csr = order->csr;
    kj->csr_len = order->csr_len;
    kj->must_staple = json_is_true(json_object_get(
        json_object_get(c->domain, "settings"), "must_staple"));
    kj->dry_run = cmd->options.dry_run;
    wj->kind = WORKER_ORDER;
    wj->ca = ca;
    wj->order.name = cmd_domain_name(c->domain);
    wj->order.names = order->names;
    wj->order.challenges = types;
    if (store_order_read(&unfinished, cmd->store, kj->id, &ignored,
                         cmd->pool) == APR_SUCCESS) {
        wj->order.resume = unfinished;
    }
    APR_ARRAY_PUSH(run->certificates, const cmd_certificate_t *) = c;
}

/** Put one order into the plan, or its failure into the results. */
static void plan_order(run_t *run, const cmd_order_t *order,
                       const char *obstacle)
{
    const cmd_certificate_t *c = order->certificate;
    acme_err_t err = { 0 };
    const char *url = choose_ca(run, c), *own;
    apr_array_header_t *types = cmd_challenge_types(
        &run->challenges, c->domain, &own, run->cmd->pool);
    int ca = 0;

    obstacle = obstacle ? obstacle : own;
    if (obstacle) {
        base_err_set(&err, APR_EGENERAL, BASE_EXIT_FAILED, "%s", obstacle);
    }
    else if (!must_wait(run, c, &err)) {
        cmd_plan_ca(run->cmd, run->plan, url,
                    json_object_get(c->domain, "settings"), &ca, &err);
    }
    if (err.status != APR_SUCCESS) {
        add_failure(run, c, &err, NULL);
        return;
    }
    add_order(run, order, ca, types);
}

/** 1 if httpd serves the certificate, as it is configured now. */
static int is_served(cmd_t *cmd, const cmd_certificate_t *c)
{
    json_t *users = cmd_domain_users(cmd, c->domain);
    int served = json_array_size(users) > 0 && !cmd->options.csr;

    json_decref(users);
    return served;
}

/** A challenge is up. */
static apr_status_t presented(void *baton, int job, const char *type,
                              const char *identifier)
{
    run_t *run = baton;
    cmd_subject_t of = event_of(run, job);

    return cmd_notify_setup(run->cmd, run->setups, &of, job, type,
                            identifier);
}

/** Record how an order ended, and tell of a failure, once for each rung of
 *  the ladder: who tries by hand knows it already. */
static void record(run_t *run, int job, const cmd_certificate_t *c,
                   const acme_err_t *err)
{
    cmd_t *cmd = run->cmd;
    apr_time_t now = cmd->clock->wall(cmd->clock);
    const json_t *entry = json_object_get(
        json_object_get(run->ledger, "certificates"), c->id);
    int is_news = cmd_told_due(entry, "errored",
                               cmd_ladder_wait(cmd_failures(entry), 0), now);
    json_t *error;

    cmd_ledger_record(run->ledger, c->id, err, now, cmd->pool);
    if (err->status == APR_SUCCESS || !is_news) {
        return;
    }
    cmd_ledger_tell(run->ledger, c->id, "errored", now, cmd->pool);
    error = cmd_error_json(err);
    tell(run, NOTIFY_ERRORED, job, error);
    json_decref(error);
}

/** A job has ended. */
static void ended(void *baton, int job)
{
    run_t *run = baton;
    cmd_subject_t of = event_of(run, job);
    const keeper_outcome_t *outcome = keeper_outcome(run->keeper, job);
    const acme_result_t *result = &outcome->result;

    cmd_notify_teardown(run->cmd, run->setups, &of, job);
    if (!run->cmd->options.dry_run
        && (result->err.status == APR_SUCCESS || !worker_stopped())) {
        record(run, job, of.certificate, &result->err);
        cmd_report_end(run->cmd, cmd_certificate_again(
            run->cmd, of.certificate, run->ledger), of.ca, result);
    }
    if (result->err.status == APR_SUCCESS) {
        tell(run, NOTIFY_RENEWED, job, NULL);
        if (outcome->live && is_served(run->cmd, of.certificate)) {
            tell(run, NOTIFY_INSTALLED, job, NULL);
        }
    }
}

static void collect_one(run_t *run, int job)
{
    cmd_t *cmd = run->cmd;
    const cmd_certificate_t *c = APR_ARRAY_IDX(run->certificates, job,
                                               const cmd_certificate_t *);
    const keeper_outcome_t *outcome = keeper_outcome(run->keeper, job);
    const acme_result_t *result = &outcome->result;

    if (result->err.status != APR_SUCCESS) {
        add_failure(run, c, &result->err, result);
        return;
    }
    run->asked++;
    base_log(BASE_LOG_NOTICE, "%s: the certificate was issued", c->id);
    cmd_result_add(cmd, c, "issued", NULL, result);
    if (!cmd->options.dry_run) {
        run->issued++;
        run->waiting += !outcome->live && is_served(cmd, c);
    }
}

/** Tell of a certificate that had to wait for its OCSP response; publish it
 *  if that did not come. */
static void publish_deferred(const run_t *run, int job)
{
    const keeper_outcome_t *outcome = keeper_outcome(run->keeper, job);

    if (!outcome->deferred) {
        return;
    }
    if (!outcome->live) {
        keeper_publish(run->keeper, job, run->cmd->pool);
    }
    if (outcome->live && is_served(run->cmd,
                                   event_of(run, job).certificate)) {
        tell(run, NOTIFY_INSTALLED, job, NULL);
    }
}

/** OCSP responses for what was issued; what waits for them is published
 *  then, with one or without. */
static void staple(run_t *run)
{
    apr_array_header_t *issued = apr_array_make(run->cmd->pool, 8,
                                                sizeof(cmd_stapled_t));
    int i;

    for (i = 0; i < run->plan->jobs->nelts; i++) {
        if (keeper_outcome(run->keeper, i)->result.err.status
            == APR_SUCCESS) {
            cmd_stapled_t wish = { event_of(run, i).certificate,
                                   run->keeper, i };

            APR_ARRAY_PUSH(issued, cmd_stapled_t) = wish;
        }
    }
    cmd_staples_fetch(run->cmd, issued, run->ledger);
    for (i = 0; i < run->plan->jobs->nelts; i++) {
        publish_deferred(run, i);
    }
}

static void run_plan(run_t *run)
{
    cmd_t *cmd = run->cmd;
    keeper_options_t options = { 0 };
    int i;

    options.jobs = (const keeper_job_t *)run->keeper_jobs->elts;
    options.live = json_string_value(json_object_get(
        json_object_get(cmd->config, "server"), "live"));
    options.progress = show_progress;
    options.presented = presented;
    options.ended = ended;
    options.baton = run;
    run->begun = apr_pcalloc(cmd->pool, (apr_size_t)run->plan->jobs->nelts);
    run->setups = cmd_setups_make(cmd->pool);
    cmd_plan_run(cmd, &run->keeper, run->plan, &options);
    if (!cmd->options.dry_run) {
        staple(run);
    }
    for (i = 0; i < run->plan->jobs->nelts; i++) {
        collect_one(run, i);
    }
    if (!cmd->options.dry_run) {
        store_ledger_write(cmd->store, run->ledger, &cmd->err, cmd->pool);
    }
}

/** What httpd serves once it is restarted waits for that. */
static void hold(const run_t *run)
{
    cmd_t *cmd = run->cmd;
    int i;

    if (!cmd->held) {
        cmd->held = apr_array_make(cmd->pool, 8, sizeof(cmd_subject_t));
    }
    for (i = 0; i < run->plan->jobs->nelts; i++) {
        const keeper_outcome_t *outcome = keeper_outcome(run->keeper, i);

        if (outcome->result.err.status == APR_SUCCESS && !outcome->live
            && is_served(cmd, event_of(run, i).certificate)) {
            APR_ARRAY_PUSH(cmd->held, cmd_subject_t) = event_of(run, i);
        }
    }
}

void cmd_orders_activated(cmd_t *cmd)
{
    int i;

    for (i = 0; cmd->held && i < cmd->held->nelts; i++) {
        cmd_notify(cmd, NOTIFY_INSTALLED,
                   &APR_ARRAY_IDX(cmd->held, i, cmd_subject_t), NULL);
    }
    cmd->held = NULL;
}

/** Serve what is new. The httpd that runs does already, but for what its
 *  configuration did not have when it started: for that one graceful
 *  restart, for the whole run; by the verb itself where it says so. */
static void activate(run_t *run)
{
    cmd_t *cmd = run->cmd;

    if (cmd->options.dry_run) {
        cmd_note(cmd, "this was a dry run: nothing was kept");
    }
    if (run->issued) {
        json_object_set_new(cmd->result, "changed", json_true());
    }
    if (!run->waiting) {
        return;
    }
    hold(run);
    if (cmd->activates) {
        return;
    }
    display_progress(cmd->display, "httpd", "restarting gracefully");
    if (cmd_activate(cmd) != APR_SUCCESS) {
        base_err_wrap(&cmd->err, "the new certificates are in the store, "
                      "but httpd does not serve them yet");
        return;
    }
    cmd_orders_activated(cmd);
}

void cmd_orders_run(cmd_t *cmd, apr_array_header_t *orders, json_t *ledger)
{
    const char *obstacle = cmd_challenge_obstacle(cmd);
    run_t run = { 0 };
    int i;

    cmd_notify_begin(cmd);
    run.cmd = cmd;
    run.ledger = ledger;
    run.plan = cmd_plan_make(cmd);
    cmd_challenges_look(&run.challenges, cmd);
    run.keeper_jobs = apr_array_make(cmd->pool, 8, sizeof(keeper_job_t));
    run.certificates = apr_array_make(cmd->pool, 8, sizeof(void *));
    for (i = 0; i < orders->nelts; i++) {
        plan_order(&run, &APR_ARRAY_IDX(orders, i, cmd_order_t), obstacle);
    }
    if (run.plan->jobs->nelts > 0) {
        run_plan(&run);
        activate(&run);
    }
    cmd->exit = cmd_exit_for(run.failed, run.asked, &run.first);
}

void cmd_certificates_run(cmd_t *cmd, apr_array_header_t *certificates,
                          json_t *ledger)
{
    apr_array_header_t *orders = apr_array_make(cmd->pool,
                                                certificates->nelts + 1,
                                                sizeof(cmd_order_t));
    apr_array_header_t *skipped = apr_array_make(cmd->pool, 8,
                                                 sizeof(void *));
    int i;

    for (i = 0; i < certificates->nelts; i++) {
        const cmd_certificate_t *c = APR_ARRAY_IDX(certificates, i,
                                                   cmd_certificate_t *);
        cmd_order_t *order;

        if (!cmd->options.force && !cmd->options.dry_run
            && !cmd_certificate_due(c)) {
            cmd_result_add(cmd, c, "skipped", NULL, NULL);
            APR_ARRAY_PUSH(skipped, const cmd_certificate_t *) = c;
            continue;
        }
        order = apr_array_push(orders);
        memset(order, 0, sizeof(*order));
        order->certificate = c;
        order->names = cmd_strings(json_object_get(c->domain, "names"),
                                   cmd->pool);
    }
    if (!json_object_get(cmd->result, "results")) {
        json_object_set_new(cmd->result, "results", json_array());
    }
    if (!cmd->resident) {
        cmd_report(cmd, certificates);
    }
    cmd_orders_run(cmd, orders, ledger);
    if (!cmd->options.dry_run && !worker_stopped()) {
        cmd_publish(cmd, cmd_behind(cmd, skipped));
        cmd_staples_due(cmd, skipped, ledger);
        cmd_notify_expiring(cmd, certificates, ledger);
    }
}
