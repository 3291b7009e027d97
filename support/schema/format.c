/*
 * The formats that are checked. Any other is refused when a schema that
 * names it is loaded.
 */
#include "schema/internal.h"

#include <string.h>

#include <arpa/inet.h>

#include <apr_lib.h>

/* ----------------------------------------------------------------- time */

/* len decimal digits at *pat as a number, -1 if there are fewer. */
static int digits(const char **pat, int len)
{
    int value = 0;

    while (len--) {
        if (!apr_isdigit(**pat)) {
            return -1;
        }
        value = value * 10 + (*(*pat)++ - '0');
    }
    return value;
}

static int one_of(const char **pat, const char *chars)
{
    if (!**pat || !strchr(chars, **pat)) {
        return 0;
    }
    (*pat)++;
    return 1;
}

static int days_of_month(int year, int month)
{
    static const int days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* RFC 3339 5.6 full-date. */
static int read_date(const char **pat)
{
    int year, month, day;

    year = digits(pat, 4);
    if (year < 0 || !one_of(pat, "-")) {
        return 0;
    }
    month = digits(pat, 2);
    if (month < 1 || month > 12 || !one_of(pat, "-")) {
        return 0;
    }
    day = digits(pat, 2);
    return day >= 1 && day <= days_of_month(year, month);
}

/* RFC 3339 5.6 time-offset. @param pminutes  east of UTC */
static int read_offset(const char **pat, int *pminutes)
{
    int sign = **pat == '-' ? -1 : 1;
    int hours, minutes;

    *pminutes = 0;
    if (one_of(pat, "Zz")) {
        return 1;
    }
    if (!one_of(pat, "+-")) {
        return 0;
    }
    hours = digits(pat, 2);
    if (hours < 0 || hours > 23 || !one_of(pat, ":")) {
        return 0;
    }
    minutes = digits(pat, 2);
    *pminutes = sign * (hours * 60 + minutes);
    return minutes >= 0 && minutes <= 59;
}

static int read_fraction(const char **pat)
{
    if (!one_of(pat, ".")) {
        return 1;
    }
    if (digits(pat, 1) < 0) {
        return 0;
    }
    while (apr_isdigit(**pat)) {
        (*pat)++;
    }
    return 1;
}

/* RFC 3339 5.6 full-time. A leap second is one only at 23:59:60 UTC (5.7). */
static int read_time(const char **pat)
{
    int hour, minute, second, offset;

    hour = digits(pat, 2);
    if (hour < 0 || hour > 23 || !one_of(pat, ":")) {
        return 0;
    }
    minute = digits(pat, 2);
    if (minute < 0 || minute > 59 || !one_of(pat, ":")) {
        return 0;
    }
    second = digits(pat, 2);
    if (second < 0 || second > 60 || !read_fraction(pat)
        || !read_offset(pat, &offset)) {
        return 0;
    }
    return second < 60
        || (hour * 60 + minute - offset + 2 * 1440) % 1440 == 1439;
}

static int test_date(const char *text, apr_size_t len)
{
    const char *at = text;

    return read_date(&at) && at == text + len;
}

static int test_time(const char *text, apr_size_t len)
{
    const char *at = text;

    return read_time(&at) && at == text + len;
}

static int test_date_time(const char *text, apr_size_t len)
{
    const char *at = text;

    return read_date(&at) && one_of(&at, "Tt") && read_time(&at)
        && at == text + len;
}

/* ------------------------------------------------------------ addresses */

static int test_ipv4(const char *text, apr_size_t len)
{
    struct in_addr address;

    return strlen(text) == len && inet_pton(AF_INET, text, &address) == 1;
}

static int test_ipv6(const char *text, apr_size_t len)
{
    struct in6_addr address;

    return strlen(text) == len && inet_pton(AF_INET6, text, &address) == 1;
}

/* ----------------------------------------------------------------- json */

/* RFC 6901 3: "~" only as ~0 and ~1. */
static int test_json_pointer(const char *text, apr_size_t len)
{
    apr_size_t i;

    if (len > 0 && text[0] != '/') {
        return 0;
    }
    for (i = 0; i < len; i++) {
        if (text[i] == '~' && text[i + 1] != '0' && text[i + 1] != '1') {
            return 0;
        }
    }
    return 1;
}

static const schema_format_t formats[] = {
    { "date", "a date like 2026-11-23 (RFC 3339)", test_date },
    { "date-time", "a time like 2026-11-23T19:08:00Z (RFC 3339)",
      test_date_time },
    { "ipv4", "an IPv4 address", test_ipv4 },
    { "ipv6", "an IPv6 address", test_ipv6 },
    { "json-pointer", "a JSON pointer (RFC 6901)", test_json_pointer },
    { "time", "a time of day like 19:08:00Z (RFC 3339)", test_time },
    { NULL, NULL, NULL }
};

const schema_format_t *schema_format_find(const char *name)
{
    const schema_format_t *format;

    for (format = formats; format->name; format++) {
        if (strcmp(format->name, name) == 0) {
            return format;
        }
    }
    return NULL;
}
