/*
 * clock: time that tests can move, and the two spellings of time that a CA
 * uses: RFC 3339 in its messages, Retry-After in its headers.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <apr_date.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/base.h"

#define YEAR apr_time_from_sec(APR_INT64_C(365) * 24 * 60 * 60)

/* A manual clock; base comes first so that one is the other's address. */
typedef struct manual_t {
    base_clock_t base;
    apr_time_t wall;
    apr_time_t mono;
} manual_t;

static apr_time_t system_wall(base_clock_t *clock)
{
    return apr_time_now();
}

static apr_time_t system_mono(base_clock_t *clock)
{
    struct timespec now;

    /* cannot fail: POSIX systems that httpd runs on have this clock */
    clock_gettime(CLOCK_MONOTONIC, &now);
    return apr_time_from_sec((apr_time_t)now.tv_sec) + now.tv_nsec / 1000;
}

base_clock_t *base_clock_system(void)
{
    static base_clock_t clock = { system_wall, system_mono };

    return &clock;
}

static apr_time_t manual_wall(base_clock_t *clock)
{
    return ((manual_t *)clock)->wall;
}

static apr_time_t manual_mono(base_clock_t *clock)
{
    return ((manual_t *)clock)->mono;
}

base_clock_t *base_clock_manual(apr_time_t wall, apr_pool_t *pool)
{
    manual_t *manual = apr_pcalloc(pool, sizeof(*manual));

    manual->base.wall = manual_wall;
    manual->base.mono = manual_mono;
    manual->wall = wall;
    return &manual->base;
}

void base_clock_advance(base_clock_t *manual, apr_interval_time_t by)
{
    manual_t *m = (manual_t *)manual;

    if (by > 0) {
        m->wall += by;
        m->mono += by;
    }
}

/* Exactly n digits at *ps, the value within low..high; moves *ps on. */
static int take_digits(int *pvalue, const char **ps, int n, int low, int high)
{
    int value = 0;

    for (; n > 0; n--, (*ps)++) {
        if (!apr_isdigit(**ps)) {
            return 0;
        }
        value = value * 10 + (**ps - '0');
    }
    *pvalue = value;
    return value >= low && value <= high;
}

static int take_char(const char **ps, const char *any)
{
    if (**ps == '\0' || !strchr(any, **ps)) {
        return 0;
    }
    (*ps)++;
    return 1;
}

static int days_in(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30,
                                31, 31, 30, 31, 30, 31 };
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* RFC 3339 5.6: full-date "T" partial-time without time-secfrac. */
static int take_date_time(struct tm *tm, const char **ps)
{
    memset(tm, 0, sizeof(*tm));
    if (!take_digits(&tm->tm_year, ps, 4, 0, 9999) || !take_char(ps, "-")
        || !take_digits(&tm->tm_mon, ps, 2, 1, 12) || !take_char(ps, "-")
        || !take_digits(&tm->tm_mday, ps, 2, 1,
                        days_in(tm->tm_year, tm->tm_mon))
        || !take_char(ps, "Tt")
        || !take_digits(&tm->tm_hour, ps, 2, 0, 23) || !take_char(ps, ":")
        || !take_digits(&tm->tm_min, ps, 2, 0, 59) || !take_char(ps, ":")
        || !take_digits(&tm->tm_sec, ps, 2, 0, 60)) {
        return 0;
    }
    tm->tm_year -= 1900;
    tm->tm_mon--;
    return 1;
}

/* time-secfrac, optional; digits behind the microsecond are dropped. */
static int take_fraction(int *pusec, const char **ps)
{
    int unit = 100000;

    *pusec = 0;
    if (!take_char(ps, ".")) {
        return 1;
    }
    if (!apr_isdigit(**ps)) {
        return 0;
    }
    for (; apr_isdigit(**ps); (*ps)++, unit /= 10) {
        *pusec += (**ps - '0') * unit;
    }
    return 1;
}

/* time-offset, in minutes east. */
static int take_offset(int *poffset, const char **ps)
{
    int sign = **ps == '-' ? -1 : 1, hours, minutes;

    *poffset = 0;
    if (take_char(ps, "Zz")) {
        return 1;
    }
    if (!take_char(ps, "+-") || !take_digits(&hours, ps, 2, 0, 23)
        || !take_char(ps, ":") || !take_digits(&minutes, ps, 2, 0, 59)) {
        return 0;
    }
    *poffset = sign * (hours * 60 + minutes);
    return 1;
}

apr_status_t base_time_parse(apr_time_t *ptime, const char *rfc3339)
{
    const char *s = rfc3339;
    struct tm tm;
    int usec, offset;

    if (!take_date_time(&tm, &s) || !take_fraction(&usec, &s)
        || !take_offset(&offset, &s) || *s != '\0') {
        return APR_EINVAL;
    }
    *ptime = apr_time_from_sec((apr_time_t)timegm(&tm) - offset * 60) + usec;
    return APR_SUCCESS;
}

const char *base_time_text(apr_time_t t, apr_pool_t *pool)
{
    /* floor, so that a time before 1970 is not moved into the future */
    time_t seconds = (time_t)(t / APR_USEC_PER_SEC
                              - (t % APR_USEC_PER_SEC < 0));
    struct tm tm;

    if (!gmtime_r(&seconds, &tm)) {
        memset(&tm, 0, sizeof(tm));
    }
    return apr_psprintf(pool, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                        tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                        tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* delay-seconds, cut to a year. @return -1 if value is not digits only */
static apr_interval_time_t delay_parse(const char *value)
{
    apr_interval_time_t delay = 0;

    if (!apr_isdigit(*value)) {
        return -1;
    }
    for (; apr_isdigit(*value); value++) {
        delay = delay * 10 + apr_time_from_sec(*value - '0');
        delay = delay > YEAR ? YEAR : delay;
    }
    value += strspn(value, " \t");
    return *value == '\0' ? delay : -1;
}

apr_status_t base_retry_after(apr_time_t *pat, const char *value,
                              apr_time_t now)
{
    apr_interval_time_t delay;
    apr_time_t at;

    value += strspn(value, " \t");
    delay = delay_parse(value);
    if (delay < 0) {
        at = apr_date_parse_http(value);
        if (at == APR_DATE_BAD) {
            return APR_EINVAL;
        }
        delay = at > now ? at - now : 0;
    }
    *pat = now + (delay > YEAR ? YEAR : delay);
    return APR_SUCCESS;
}
