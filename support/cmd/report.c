/*
 * report.c: let the httpd that runs show how certificates stand, and what
 * acmectl does. Nothing here is a fault of the run: where httpd cannot be
 * told, its pages know less.
 */
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "acme_live.h"
#include "cmd/internal.h"

live_writer_t *cmd_live_writer(cmd_t *cmd)
{
    const char *path = json_string_value(json_object_get(
        json_object_get(cmd->config, "server"), "live"));
    const char *reason = NULL;

    if (cmd->live || cmd->live_failed || !path) {
        return cmd->live;
    }
    if (live_writer_open(&cmd->live, path, &reason, cmd->pool)
        != APR_SUCCESS) {
        base_log(BASE_LOG_DEBUG, "httpd shows no status: %s",
                 reason ? reason : path);
        cmd->live = NULL;
        cmd->live_failed = 1;
    }
    return cmd->live;
}

static void say(apr_status_t rv)
{
    char buf[200];

    if (rv != APR_SUCCESS) {
        base_log(BASE_LOG_DEBUG, "httpd cannot be told the status: %s",
                 base_strerror(rv, buf, sizeof(buf)));
    }
}

/* ------------------------------------------------------------ certificates */

static const char *text_of(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

static apr_time_t time_of(const json_t *object, const char *member)
{
    const char *text = text_of(object, member);
    apr_time_t t;

    return text && base_time_parse(&t, text) == APR_SUCCESS ? t : 0;
}

static uint32_t state_of(const cmd_certificate_t *c)
{
    static const struct { const char *name; live_state_t state; } states[] = {
        { "valid", LIVE_STATE_VALID }, { "due", LIVE_STATE_DUE },
        { "expired", LIVE_STATE_EXPIRED }, { "missing", LIVE_STATE_MISSING },
        { "error", LIVE_STATE_ERROR }
    };
    size_t i;

    for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(c->state, states[i].name) == 0) {
            return states[i].state;
        }
    }
    return LIVE_STATE_UNKNOWN;
}

/** 1 if status is already about this certificate. */
static int is_same(const live_status_t *status, const json_t *meta)
{
    const char *serial = text_of(meta, "serial");

    return status->not_after
           && strcmp(status->serial, serial ? serial : "") == 0;
}

static void put_certificate(live_status_t *status, const json_t *meta)
{
    if (is_same(status, meta) && status->ca[0]) {
        return;
    }
    status->not_before = time_of(meta, "not_before");
    status->not_after = time_of(meta, "not_after");
    live_text(status->serial, sizeof(status->serial), text_of(meta,
                                                              "serial"));
    live_text(status->issuer, sizeof(status->issuer), text_of(meta,
                                                              "issuer"));
    live_text(status->ca, sizeof(status->ca), text_of(meta, "ca"));
}

/** What the ledger says: how the last orders ended. */
static void put_ledger(live_status_t *status, const json_t *entry,
                       apr_time_t now)
{
    const json_t *error = json_object_get(entry, "last_error");
    apr_time_t ours = cmd_held_until(entry, "next_try", now);
    apr_time_t theirs = cmd_held_until(entry, "retry_at", now);

    status->failures = (uint32_t)cmd_failures(entry);
    status->next_try = theirs > ours ? theirs : ours;
    if (json_object_get(entry, "last_success")) {
        status->last_success = time_of(entry, "last_success");
    }
    live_text(status->error_type, sizeof(status->error_type),
              text_of(error, "type"));
    live_text(status->error_detail, sizeof(status->error_detail),
              text_of(error, "detail"));
}

typedef struct report_t {
    const cmd_certificate_t *const *certificates;
    apr_time_t now;
    int ends;                   /**< 1: their order has just ended */
} report_t;

static void put_status(void *baton, int i, live_status_t *status)
{
    const report_t *report = baton;
    const cmd_certificate_t *c = report->certificates[i];
    live_status_t before = *status;

    status->state = state_of(c);
    status->renew_at = c->renew_at;
    if (report->ends) {
        status->ordering = 0;
    }
    put_certificate(status, c->meta);
    put_ledger(status, c->entry, report->now);
    live_text(status->why, sizeof(status->why), c->why);
    /* A record that says the same is not touched. */
    if (!status->written || memcmp(&before, status, sizeof(before)) != 0) {
        status->written = report->now;
    }
}

static apr_array_header_t *ids_of(apr_array_header_t *certificates,
                                  apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, certificates->nelts + 1,
                                             sizeof(const char *));
    int i;

    for (i = 0; i < certificates->nelts; i++) {
        APR_ARRAY_PUSH(ids, const char *) =
            APR_ARRAY_IDX(certificates, i, cmd_certificate_t *)->id;
    }
    return ids;
}

void cmd_report(cmd_t *cmd, apr_array_header_t *certificates)
{
    live_writer_t *writer = cmd_live_writer(cmd);
    report_t report = { 0 };

    if (writer && certificates->nelts > 0) {
        report.certificates =
            (const cmd_certificate_t *const *)certificates->elts;
        report.now = cmd->clock->wall(cmd->clock);
        say(live_writer_status_edit(writer, ids_of(certificates, cmd->pool),
                                    put_status, &report));
    }
}

/* ------------------------------------------------------------------ orders */

static void put_begin(void *baton, int i, live_status_t *status)
{
    const apr_time_t *now = baton;

    (void)i;
    status->ordering = *now;
    status->written = *now;
}

void cmd_report_begin(cmd_t *cmd, const cmd_certificate_t *c)
{
    live_writer_t *writer = cmd_live_writer(cmd);
    apr_array_header_t *ids = apr_array_make(cmd->pool, 1,
                                             sizeof(const char *));
    apr_time_t now = cmd->clock->wall(cmd->clock);

    APR_ARRAY_PUSH(ids, const char *) = c->id;
    if (writer) {
        say(live_writer_status_edit(writer, ids, put_begin, &now));
    }
}

typedef struct order_end_t {
    report_t report;
    const acme_result_t *result;
    const char *ca;
    int order;                  /**< 1: it was an order, not a revocation */
    int resident;
} order_end_t;

static void put_end(void *baton, int i, live_status_t *status)
{
    order_end_t *end = baton;

    put_status(&end->report, i, status);
    status->seconds = end->result->elapsed;
    status->issued += end->result->err.status == APR_SUCCESS;
    status->failed += end->result->err.status != APR_SUCCESS;
}

/** The record of a CA; NULL if there is no room for one more. */
static live_ca_t *ca_of(live_manager_t *manager, const char *url)
{
    char name[sizeof(manager->cas[0].url)];
    int i;

    live_text(name, sizeof(name), url);
    for (i = 0; i < LIVE_CAS_MAX; i++) {
        live_ca_t *ca = &manager->cas[i];

        if (!ca->url[0]) {
            memcpy(ca->url, name, sizeof(name));
        }
        if (strcmp(ca->url, name) == 0) {
            return ca;
        }
    }
    return NULL;
}

static void put_totals(void *baton, live_manager_t *manager)
{
    const order_end_t *end = baton;
    const acme_result_t *result = end->result;
    live_ca_t *ca = ca_of(manager, end->ca);

    if (end->order) {
        manager->issued += result->err.status == APR_SUCCESS;
        manager->failed += result->err.status != APR_SUCCESS;
    }
    if (end->order && end->resident && manager->ordering > 0) {
        manager->ordering--;
    }
    if (ca) {
        ca->requests += (uint64_t)result->requests;
        ca->replies += (uint64_t)result->replies;
        ca->latency += result->latency;
        ca->slowest = result->replies ? result->slowest : ca->slowest;
    }
}

void cmd_report_end(cmd_t *cmd, const cmd_certificate_t *c, const char *ca,
                    const acme_result_t *result)
{
    live_writer_t *writer = cmd_live_writer(cmd);
    apr_array_header_t *ids = apr_array_make(cmd->pool, 1,
                                             sizeof(const char *));
    order_end_t end = { { 0 }, NULL, NULL, 0, 0 };

    if (!writer) {
        return;
    }
    end.result = result;
    end.ca = ca;
    end.order = c != NULL;
    end.resident = cmd->resident;
    if (c) {
        end.report.certificates = &c;
        end.report.now = cmd->clock->wall(cmd->clock);
        end.report.ends = 1;
        APR_ARRAY_PUSH(ids, const char *) = c->id;
        say(live_writer_status_edit(writer, ids, put_end, &end));
    }
    say(live_writer_manager_edit(writer, put_totals, &end));
}

/* ------------------------------------------------------------- the manager */

static void put_manager(void *baton, live_manager_t *manager)
{
    const cmd_manager_t *now = baton;
    uint32_t pid = (uint32_t)getpid();

    if (manager->pid != pid) {
        manager->pid = pid;
        manager->last_pass = 0;
    }
    manager->started = now->started;
    manager->ordering = (uint32_t)now->ordering;
    manager->next_wake = now->next_wake;
    if (now->last_pass) {
        manager->last_pass = now->last_pass;
    }
    live_text(manager->trouble, sizeof(manager->trouble), now->trouble);
}

void cmd_report_manager(cmd_t *cmd, const cmd_manager_t *manager)
{
    live_writer_t *writer = cmd_live_writer(cmd);
    cmd_manager_t copy = *manager;

    if (writer) {
        say(live_writer_manager_edit(writer, put_manager, &copy));
    }
}
