/*
 * clock.c: clocks, and the two ways of writing a time.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <apr_date.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/base.h"

#define RETRY_AFTER_MAX (365 * 24 * 3600)

static apr_time_t read_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (apr_time_t)ts.tv_sec * APR_USEC_PER_SEC + ts.tv_nsec / 1000;
}

static apr_time_t system_wall(base_clock_t *clock)
{
    (void)clock;
    return read_clock(CLOCK_REALTIME);
}

static apr_time_t system_mono(base_clock_t *clock)
{
    (void)clock;
    return read_clock(CLOCK_MONOTONIC);
}

base_clock_t *base_clock_system(void)
{
    static base_clock_t system_clock = { system_wall, system_mono };

    return &system_clock;
}

typedef struct manual_clock_t {
    base_clock_t clock;
    apr_time_t wall;
    apr_time_t mono;
} manual_clock_t;

static apr_time_t manual_wall(base_clock_t *clock)
{
    return ((manual_clock_t *)clock)->wall;
}

static apr_time_t manual_mono(base_clock_t *clock)
{
    return ((manual_clock_t *)clock)->mono;
}

base_clock_t *base_clock_manual(apr_time_t wall, apr_pool_t *pool)
{
    manual_clock_t *manual = apr_pcalloc(pool, sizeof(*manual));

    manual->clock.wall = manual_wall;
    manual->clock.mono = manual_mono;
    manual->wall = wall;
    return &manual->clock;
}

void base_clock_advance(base_clock_t *manual, apr_interval_time_t by)
{
    ((manual_clock_t *)manual)->wall += by;
    ((manual_clock_t *)manual)->mono += by;
}

/** "Z", "+hh:mm" or "-hh:mm" at the end; seconds east of UTC. */
static apr_status_t parse_offset(long *pseconds, const char *text)
{
    int hours;
    int minutes;
    int used = 0;

    if ((text[0] == 'Z' || text[0] == 'z') && text[1] == '\0') {
        *pseconds = 0;
        return APR_SUCCESS;
    }
    if ((text[0] != '+' && text[0] != '-')
        || sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2
        || used != 5 || text[6] != '\0' || hours > 23 || minutes > 59) {
        return APR_EINVAL;
    }
    *pseconds = (hours * 3600L + minutes * 60L) * (text[0] == '-' ? -1 : 1);
    return APR_SUCCESS;
}

/** 1 if text has the shape of pattern, where 0 stands for a digit. */
static int has_shape(const char *text, const char *pattern)
{
    for (; *pattern; pattern++, text++) {
        if (*pattern == '0' ? !apr_isdigit(*text)
                            : apr_toupper(*text) != *pattern) {
            return 0;
        }
    }
    return 1;
}

apr_status_t base_time_parse(apr_time_t *ptime, const char *rfc3339)
{
    static const char pattern[] = "0000-00-00T00:00:00";
    const char *rest = rfc3339 + sizeof(pattern) - 1;
    apr_time_exp_t exp = { 0 };
    long fraction = 0;
    long unit = 100000;
    long offset;

    if (!has_shape(rfc3339, pattern)
        || sscanf(rfc3339, "%4d-%2d-%2d%*1c%2d:%2d:%2d", &exp.tm_year,
                  &exp.tm_mon, &exp.tm_mday, &exp.tm_hour, &exp.tm_min,
                  &exp.tm_sec) != 6) {
        return APR_EINVAL;
    }
    if (*rest == '.') {
        if (!apr_isdigit(rest[1])) {
            return APR_EINVAL;
        }
        while (apr_isdigit(*++rest)) {
            fraction += (*rest - '0') * unit;
            unit /= 10;
        }
    }
    if (parse_offset(&offset, rest) != APR_SUCCESS || exp.tm_mon < 1
        || exp.tm_mon > 12 || exp.tm_mday < 1 || exp.tm_mday > 31
        || exp.tm_hour > 23 || exp.tm_min > 59 || exp.tm_sec > 60) {
        return APR_EINVAL;
    }
    exp.tm_year -= 1900;
    exp.tm_mon -= 1;
    if (apr_time_exp_get(ptime, &exp) != APR_SUCCESS) {
        return APR_EINVAL;
    }
    *ptime += fraction - offset * APR_USEC_PER_SEC;
    return APR_SUCCESS;
}

const char *base_time_text(apr_time_t t, apr_pool_t *pool)
{
    apr_time_exp_t exp;

    apr_time_exp_gmt(&exp, t);
    return apr_psprintf(pool, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                        exp.tm_year + 1900, exp.tm_mon + 1, exp.tm_mday,
                        exp.tm_hour, exp.tm_min, exp.tm_sec);
}

apr_status_t base_retry_after(apr_time_t *pat, const char *value,
                              apr_time_t now)
{
    apr_time_t latest = now + apr_time_from_sec(RETRY_AFTER_MAX);
    apr_time_t at;

    if (apr_isdigit(*value)) {
        long seconds = 0;

        for (; apr_isdigit(*value); value++) {
            if (seconds <= RETRY_AFTER_MAX) {
                seconds = seconds * 10 + (*value - '0');
            }
        }
        if (*value) {
            return APR_EINVAL;
        }
        at = now + apr_time_from_sec(seconds);
    }
    else {
        at = apr_date_parse_http(value);
        if (at == APR_DATE_BAD) {
            return APR_EINVAL;
        }
    }
    *pat = at < now ? now : at > latest ? latest : at;
    return APR_SUCCESS;
}
