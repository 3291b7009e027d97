/*
 * notify.c: what ACMENotify's program is told, and when.
 *
 *   renewing             an order makes its first step
 *   challenge-setup      an answer is served, the CA is not told yet
 *   challenge-teardown   once for each of them, when the order has ended
 *   renewed              the certificate is in the store
 *   installed            httpd serves it
 *   errored              an order failed; once for each rung of the ladder
 *   expiring             less than half of the window of renewal is left,
 *                        and it is still due; once a day
 *
 * When the last two were told is kept in the ledger ("told"). A dry run
 * tells of challenges alone: they are real.
 */
#include <strings.h>

#include <apr_strings.h>

#include "cmd/internal.h"

#define DAY apr_time_from_sec(24 * 3600)

/* A challenge that was set up. */
typedef struct setup_t {
    int job;                 /* -1: torn down again */
    const char *type;
    const char *identifier;
    unsigned int ticket;
} setup_t;

static const json_t *program(const cmd_t *cmd)
{
    return json_object_get(json_object_get(cmd->config, "server"), "notify");
}

static int is_wanted(const cmd_t *cmd)
{
    return cmd->notify && json_array_size(program(cmd)) > 0;
}

void cmd_notify_begin(cmd_t *cmd)
{
    notify_options_t options = { 0 };
    acme_err_t err = { 0 };

    if (!is_wanted(cmd)) {
        return;
    }
    options.program = cmd_strings(program(cmd), cmd->pool);
    options.user = WORKER_USER;
    options.log_target = cmd->log_target;
    options.log_level = cmd->log_level;
    options.follow = cmd->resident;
    if (notify_begin(cmd->notify, &options, &err) != APR_SUCCESS) {
        base_log(BASE_LOG_WARN, "ACMENotify: nothing is told of: %s",
                 err.message);
    }
}

/* ----------------------------------------------------------------- events */

/** The name of domain that identifier is; NULL if it is none of them: what
 *  a CA calls itself blames no name of ours. @param identifier nullable */
static const char *our_name(const json_t *domain, const char *identifier)
{
    json_t *name;
    size_t i;

    json_array_foreach(json_object_get(domain, "names"), i, name) {
        if (identifier
            && strcasecmp(json_string_value(name), identifier) == 0) {
            return json_string_value(name);
        }
    }
    return NULL;
}

static const char *text_of(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

/** What can be said of a certificate as it stands in the store. */
static void fill(notify_event_t *event, cmd_t *cmd, const cmd_subject_t *of,
                 apr_pool_t *pool)
{
    const cmd_certificate_t *c = of->certificate;
    acme_err_t ignored = { 0 };
    const char *until;
    json_t *meta;

    event->name = cmd_domain_name(c->domain);
    event->names = cmd_strings(json_object_get(c->domain, "names"), pool);
    event->key_type = c->key_type;
    event->ca = of->ca;
    if (store_certificate_meta(&meta, cmd->store, c->id, &ignored, pool)
        == APR_SUCCESS) {
        event->certificate = store_certificate_path(cmd->store, c->id,
                                                    "fullchain.pem", pool);
        until = text_of(meta, "not_after");
        if (!until || base_time_parse(&event->not_after, until)
                      != APR_SUCCESS) {
            event->not_after = 0;
        }
    }
}

void cmd_notify(cmd_t *cmd, notify_kind_t kind, const cmd_subject_t *of,
                const json_t *error)
{
    notify_event_t event = { 0 };
    apr_pool_t *pool;

    if (!is_wanted(cmd)) {
        return;
    }
    apr_pool_create(&pool, cmd->pool);
    event.kind = kind;
    fill(&event, cmd, of, pool);
    event.identifier = our_name(of->certificate->domain,
                                text_of(error, "identifier"));
    event.error_type = text_of(error, "type");
    event.error = text_of(error, "detail");
    notify_send(cmd->notify, &event, 0);
    apr_pool_destroy(pool);
}

/* ------------------------------------------------------------- challenges */

static unsigned int tell_challenge(cmd_t *cmd, notify_kind_t kind,
                                   const cmd_subject_t *of,
                                   const setup_t *setup)
{
    notify_event_t event = { 0 };
    unsigned int ticket;
    apr_pool_t *pool;

    apr_pool_create(&pool, cmd->pool);
    event.kind = kind;
    fill(&event, cmd, of, pool);
    event.identifier = setup->identifier;
    event.challenge = setup->type;
    ticket = notify_send(cmd->notify, &event,
                         kind == NOTIFY_CHALLENGE_SETUP);
    apr_pool_destroy(pool);
    return ticket;
}

apr_array_header_t *cmd_setups_make(apr_pool_t *pool)
{
    return apr_array_make(pool, 8, sizeof(setup_t));
}

static setup_t *find_setup(const apr_array_header_t *setups, int job,
                           const char *type, const char *identifier)
{
    int i;

    for (i = 0; i < setups->nelts; i++) {
        setup_t *setup = &APR_ARRAY_IDX(setups, i, setup_t);

        if (setup->job == job && strcmp(setup->type, type) == 0
            && strcmp(setup->identifier, identifier) == 0) {
            return setup;
        }
    }
    return NULL;
}

apr_status_t cmd_notify_setup(cmd_t *cmd, apr_array_header_t *setups,
                              const cmd_subject_t *of, int job,
                              const char *type, const char *identifier)
{
    const char *name = our_name(of->certificate->domain, identifier);
    setup_t *setup;

    if (!is_wanted(cmd) || !name) {
        return APR_SUCCESS;
    }
    setup = find_setup(setups, job, type, name);
    if (!setup) {
        setup = apr_array_push(setups);
        setup->job = job;
        setup->type = apr_pstrdup(cmd->pool, type);
        setup->identifier = name;
        setup->ticket = tell_challenge(cmd, NOTIFY_CHALLENGE_SETUP, of,
                                       setup);
    }
    return notify_waits(cmd->notify, setup->ticket) ? APR_EAGAIN
                                                    : APR_SUCCESS;
}

void cmd_notify_teardown(cmd_t *cmd, apr_array_header_t *setups,
                         const cmd_subject_t *of, int job)
{
    int i;

    for (i = 0; i < setups->nelts; i++) {
        setup_t *setup = &APR_ARRAY_IDX(setups, i, setup_t);

        if (setup->job == job) {
            tell_challenge(cmd, NOTIFY_CHALLENGE_TEARDOWN, of, setup);
            setup->job = -1;
        }
    }
}

/* --------------------------------------------------------------- expiring */

/** 1 if c is due and half of the time for its renewal is over. */
static int is_expiring(const cmd_certificate_t *c, apr_time_t now)
{
    const char *text = text_of(c->meta, "not_after");
    apr_time_t not_after;

    return cmd_certificate_due(c) && c->opens && text
           && base_time_parse(&not_after, text) == APR_SUCCESS
           && now > not_after - (not_after - c->opens) / 2;
}

int cmd_notify_wants_expiring(cmd_t *cmd, const cmd_certificate_t *c)
{
    apr_time_t now = cmd->clock->wall(cmd->clock);

    return is_wanted(cmd) && is_expiring(c, now)
           && cmd_told_due(c->entry, "expiring", DAY, now);
}

void cmd_notify_expiring(cmd_t *cmd, apr_array_header_t *certificates,
                         json_t *ledger)
{
    apr_array_header_t *told = apr_array_make(cmd->pool, 4, sizeof(void *));
    apr_time_t now = cmd->clock->wall(cmd->clock);
    acme_err_t err = { 0 };
    int i;

    for (i = 0; is_wanted(cmd) && i < certificates->nelts; i++) {
        cmd_certificate_t *c = APR_ARRAY_IDX(certificates, i,
                                             cmd_certificate_t *);

        cmd_certificate_refresh(cmd, c, ledger);
        if (cmd_notify_wants_expiring(cmd, c)) {
            cmd_ledger_tell(ledger, c->id, "expiring", now, cmd->pool);
            APR_ARRAY_PUSH(told, cmd_certificate_t *) = c;
        }
    }
    /* Kept first: it must not come at every look of a full disk. */
    if (told->nelts > 0
        && store_ledger_write(cmd->store, ledger, &err, cmd->pool)
           != APR_SUCCESS) {
        base_log(BASE_LOG_WARN, "ACMENotify: expiring certificates are not "
                 "told of: %s", err.message);
        return;
    }
    for (i = 0; i < told->nelts; i++) {
        cmd_subject_t of;

        of.certificate = APR_ARRAY_IDX(told, i, cmd_certificate_t *);
        of.ca = cmd_domain_ca(of.certificate->domain,
                              (int)cmd_failures(of.certificate->entry));
        cmd_notify(cmd, NOTIFY_EXPIRING, &of, json_object_get(
            of.certificate->entry, "last_error"));
    }
}
