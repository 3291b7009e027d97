/*
 * ladder.c: when to try again after a failure, and when a certificate's
 * turn comes.
 *
 * Two times of the ledger hold a certificate back:
 *
 *   retry_at   the CA said so (Retry-After); everybody obeys it
 *   next_try   the ladder said so; the manager obeys it, an administrator
 *              who asks by hand need not
 *
 * The ladder is a table, so that no number of failures can overflow it.
 * Both times were written by some clock: if it has gone back since, they
 * are forgotten, for a wait of years would be worse than one request.
 */
#include <string.h>

#include <apr_general.h>

#include "cmd/internal.h"

#define MINUTE apr_time_from_sec(60)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static const apr_interval_time_t ladder[] = {
    MINUTE, 10 * MINUTE, 100 * MINUTE, DAY
};

#define RUNGS ((json_int_t)(sizeof(ladder) / sizeof(ladder[0])))

/* The longest wait that the ladder can give, and base_retry_after. */
#define LADDER_MAX (DAY + DAY / 4)
#define RETRY_MAX (366 * DAY)

/* Clocks of one machine may be this far apart without having gone back. */
#define CLOCK_SLACK HOUR

/* A certificate that is due by time alone was issued at least this long
 * ago, or a tenth of its lifetime: whatever window and clocks say, no CA is
 * asked in a circle. */
#define SETTLE_MAX HOUR

apr_interval_time_t cmd_ladder_wait(json_int_t failures, apr_uint32_t random)
{
    json_int_t rung = failures < 1 ? 1 : failures > RUNGS ? RUNGS : failures;
    apr_interval_time_t wait = ladder[rung - 1];

    /* 75 % to 125 %, in steps of 1/65536 of the half. */
    return wait / 4 * 3 + wait / 2 * (apr_interval_time_t)(random >> 16)
                          / 65536;
}

json_int_t cmd_failures(const json_t *entry)
{
    json_int_t n = json_integer_value(json_object_get(entry, "failures"));

    return n < 0 ? 0 : n > CMD_FAILURES_MAX ? CMD_FAILURES_MAX : n;
}

static apr_time_t time_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    apr_time_t t;

    return text && base_time_parse(&t, text) == APR_SUCCESS ? t : 0;
}

apr_time_t cmd_held_until(const json_t *entry, const char *member,
                          apr_time_t now)
{
    apr_interval_time_t max = strcmp(member, "retry_at") == 0 ? RETRY_MAX
                                                              : LADDER_MAX;
    apr_time_t until = time_of(entry, member);
    apr_time_t at = time_of(json_object_get(entry, "last_error"), "at");

    if (until <= now || at - now > CLOCK_SLACK
        || until - now > max + CLOCK_SLACK) {
        return 0;
    }
    return until;
}

apr_time_t cmd_certificate_next(const cmd_certificate_t *c, apr_time_t now)
{
    apr_time_t at = 0;
    apr_time_t until[2];
    apr_time_t issued = time_of(c->meta, "issued");
    apr_interval_time_t settle;
    int i;

    if (!cmd_certificate_due(c)) {
        at = c->renew_at;
    }
    else if (c->meta && !c->why && issued && issued <= now) {
        settle = (time_of(c->meta, "not_after")
                  - time_of(c->meta, "not_before")) / 10;
        at = issued + (settle > SETTLE_MAX ? SETTLE_MAX : settle);
    }
    until[0] = cmd_held_until(c->entry, "next_try", now);
    until[1] = cmd_held_until(c->entry, "retry_at", now);
    for (i = 0; i < 2; i++) {
        at = until[i] > at ? until[i] : at;
    }
    return at;
}

/** 32 bits that two servers do not share. */
static apr_uint32_t random_bits(apr_time_t now)
{
    apr_uint32_t bits;

    if (apr_generate_random_bytes((unsigned char *)&bits, sizeof(bits))
        != APR_SUCCESS) {
        /* Microseconds spread retries as well, if less well. */
        bits = (apr_uint32_t)(now * 2654435761u);
    }
    return bits;
}

int cmd_told_due(const json_t *entry, const char *event,
                 apr_interval_time_t interval, apr_time_t now)
{
    apr_time_t at = time_of(json_object_get(entry, "told"), event);

    return !at || at - now > CLOCK_SLACK || now - at >= interval;
}

static void set_time(json_t *entry, const char *member, apr_time_t at,
                     apr_pool_t *pool)
{
    json_object_set_new(entry, member,
                        json_string(base_time_text(at, pool)));
}

/** The entry of id, made if need be. */
static json_t *entry_of(json_t *ledger, const char *id)
{
    json_t *all = json_object_get(ledger, "certificates");
    json_t *entry = json_object_get(all, id);

    if (!entry) {
        entry = json_object();
        json_object_set_new(all, id, entry);
    }
    return entry;
}

void cmd_ledger_tell(json_t *ledger, const char *id, const char *event,
                     apr_time_t now, apr_pool_t *pool)
{
    json_t *entry = entry_of(ledger, id);
    json_t *told = json_object_get(entry, "told");

    if (!told) {
        told = json_object();
        json_object_set_new(entry, "told", told);
    }
    set_time(told, event, now, pool);
}

void cmd_ledger_record(json_t *ledger, const char *id,
                       const acme_err_t *err, apr_time_t now,
                       apr_pool_t *pool)
{
    json_t *entry = entry_of(ledger, id);
    json_int_t failures;
    json_t *error;

    if (err->status == APR_SUCCESS) {
        json_object_clear(entry);
        set_time(entry, "last_success", now, pool);
        return;
    }
    failures = cmd_failures(entry);
    failures += failures < CMD_FAILURES_MAX;
    error = cmd_error_json(err);
    set_time(error, "at", now, pool);
    json_object_set_new(entry, "last_error", error);
    json_object_set_new(entry, "failures", json_integer(failures));
    set_time(entry, "next_try",
             now + cmd_ladder_wait(failures, random_bits(now)), pool);
    json_object_del(entry, "retry_at");
    if (err->retry_at > now) {
        set_time(entry, "retry_at", err->retry_at, pool);
    }
}
