/*
 * event.c: what a program is told: its arguments and its environment.
 *
 *   ARG... EVENT NAME [IDENTIFIER|-] [ERROR]
 *
 * The environment is made anew. Each variable is always there, empty where
 * an event has nothing to say, so that no test of a script depends on what
 * else is set.
 */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "notify/internal.h"

/* ACME_NAMES is one string of the environment; the kernel's limit is four
 * times that (execve(2), MAX_ARG_STRLEN). */
#define NAMES_MAX (32 * 1024)

static const char *const events[] = {
    "renewing", "renewed", "installed", "expiring", "errored",
    "challenge-setup", "challenge-teardown"
};

/** The error's text: cut, escaped; NULL if there is none. */
static const char *error_text(const notify_event_t *event, apr_pool_t *pool)
{
    char *clean;

    if (!event->error || !*event->error) {
        return NULL;
    }
    clean = apr_palloc(pool, NOTIFY_ERROR_MAX + 1);
    return base_clean(clean, NOTIFY_ERROR_MAX + 1, event->error);
}

/** RFC 8555 6.7: a problem's type is a URI; anything else is no type. */
static const char *error_type(const notify_event_t *event)
{
    const char *c;

    for (c = event->error_type ? event->error_type : ""; *c; c++) {
        if (!apr_isalnum(*c) && !strchr(":/?#@._~%+-", *c)) {
            return "";
        }
    }
    return event->error_type ? event->error_type : "";
}

/** All names, a blank between; "..." behind them where not all fit. */
static const char *names_text(const notify_event_t *event, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, NAMES_MAX + 8);
    char *end = text;
    int i;

    *end = '\0';
    for (i = 0; i < event->names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(event->names, i, const char *);

        if (strlen(name) + 1 > (apr_size_t)(text + NAMES_MAX - end)) {
            name = "...";
            i = event->names->nelts;
        }
        if (end > text) {
            *end++ = ' ';
        }
        end = apr_cpystrn(end, name, (apr_size_t)(text + NAMES_MAX + 8
                                                  - end));
    }
    return text;
}

static json_t *arguments(const notify_event_t *event,
                         const apr_array_header_t *program,
                         apr_pool_t *pool)
{
    const char *error = error_text(event, pool);
    json_t *argv = json_array();
    int i;

    for (i = 0; i < program->nelts; i++) {
        json_array_append_new(argv, json_string(
            APR_ARRAY_IDX(program, i, const char *)));
    }
    json_array_append_new(argv, json_string(events[event->kind]));
    json_array_append_new(argv, json_string(event->name));
    if (event->identifier || error) {
        json_array_append_new(argv, json_string(event->identifier
                                                ? event->identifier : "-"));
    }
    if (error) {
        json_array_append_new(argv, json_string(error));
    }
    return argv;
}

static void put(json_t *env, const char *name, const char *value,
                apr_pool_t *pool)
{
    json_array_append_new(env, json_string(apr_pstrcat(
        pool, name, "=", value ? value : "", NULL)));
}

static json_t *environment(const notify_event_t *event, apr_pool_t *pool)
{
    json_t *env = json_array();

    put(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
        "/sbin:/bin", pool);
    put(env, "HOME", "/", pool);
    put(env, "ACME_EVENT", events[event->kind], pool);
    put(env, "ACME_NAME", event->name, pool);
    put(env, "ACME_NAMES", names_text(event, pool), pool);
    put(env, "ACME_KEY_TYPE", event->key_type, pool);
    put(env, "ACME_CA", event->ca, pool);
    put(env, "ACME_CHALLENGE_TYPE", event->challenge, pool);
    put(env, "ACME_IDENTIFIER", event->identifier, pool);
    put(env, "ACME_ERROR_TYPE", error_type(event), pool);
    put(env, "ACME_ERROR", error_text(event, pool), pool);
    put(env, "ACME_CERTIFICATE", event->certificate, pool);
    put(env, "ACME_NOT_AFTER", event->not_after
        ? base_time_text(event->not_after, pool) : "", pool);
    return env;
}

json_t *notify_message(const notify_event_t *event,
                       const notify_options_t *options, unsigned int id,
                       int awaited, apr_pool_t *scratch_pool)
{
    const char *what = apr_pstrcat(scratch_pool, events[event->kind], " ",
                                   event->identifier && event->challenge
                                   ? event->identifier : event->name, NULL);

    return json_pack("{s:I, s:b, s:s, s:s, s:s, s:o, s:o}",
                     "id", (json_int_t)id, "awaited", awaited,
                     "what", what,
                     "certificate", apr_pstrcat(scratch_pool, event->name,
                                                " ", event->key_type, NULL),
                     "user", options->user,
                     "argv", arguments(event, options->program,
                                       scratch_pool),
                     "env", environment(event, scratch_pool));
}
