/*
 * teller.h: a notify_t with a program, and events to tell.
 */
#ifndef ACME_UNIT_NOTIFY_TELLER_H
#define ACME_UNIT_NOTIFY_TELLER_H

#include "rig.h"

static notify_t *notify;
static notify_options_t options;

/** Begin a run with a script; it has limit. */
static inline void begin(const char *path, apr_interval_time_t limit)
{
    apr_array_header_t *program = apr_array_make(pool, 1,
                                                 sizeof(const char *));

    APR_ARRAY_PUSH(program, const char *) = path;
    if (!notify) {
        notify = notify_make(pool);
    }
    options.program = program;
    options.user = "nobody";
    options.log_target = apr_psprintf(pool, "file:%s/log", dir);
    options.log_level = BASE_LOG_INFO;
    options.limit = limit;
    unit_ok(notify_begin(notify, &options, &err));
}

static inline unsigned int tell(notify_kind_t kind, const char *name,
                                int awaited)
{
    apr_array_header_t *names = apr_array_make(pool, 1,
                                               sizeof(const char *));
    notify_event_t event = { 0 };

    APR_ARRAY_PUSH(names, const char *) = name;
    event.kind = kind;
    event.name = name;
    event.names = names;
    event.key_type = "P-256";
    event.ca = "https://ca.example/dir";
    return notify_send(notify, &event, awaited);
}

/** Wait until ticket is no longer to be waited for. @return µs */
static inline apr_interval_time_t await(unsigned int ticket)
{
    apr_time_t start = apr_time_now();

    while (notify_waits(notify, ticket)) {
        apr_sleep(2000);
    }
    return apr_time_now() - start;
}

static inline void teller_setup(void)
{
    rig_setup();
    notify = NULL;
    memset(&options, 0, sizeof(options));
    log_here();
}

#endif
