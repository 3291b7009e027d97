/*
 * clock.c: tests of support/base/clock.c.
 */
#include "unit.h"

#define SECOND APR_USEC_PER_SEC
#define YEAR (APR_INT64_C(365) * 24 * 3600 * SECOND)
/* 2026-11-23T19:08:00Z */
#define NOW (APR_INT64_C(1795460880) * SECOND)

/* The system's clock knows the time, and its other half never goes back. */
START_TEST(system_clock)
{
    base_clock_t *clock = base_clock_system();
    apr_time_t before = apr_time_now(), first, second;

    ck_assert_int_le(before, clock->wall(clock));
    ck_assert_int_le(clock->wall(clock), apr_time_now() + SECOND);
    first = clock->mono(clock);
    second = clock->mono(clock);
    ck_assert_int_le(first, second);
    ck_assert_ptr_eq(clock, base_clock_system());
}
END_TEST

/* A manual clock stands still until it is moved, and only forward. */
START_TEST(manual_clock)
{
    base_clock_t *clock = base_clock_manual(NOW, pool);
    base_clock_t *other = base_clock_manual(7, pool);

    ck_assert_int_eq(clock->wall(clock), NOW);
    ck_assert_int_eq(clock->mono(clock), 0);
    base_clock_advance(clock, 5 * SECOND);
    base_clock_advance(clock, 1);
    ck_assert_int_eq(clock->wall(clock), NOW + 5 * SECOND + 1);
    ck_assert_int_eq(clock->mono(clock), 5 * SECOND + 1);
    base_clock_advance(clock, -SECOND);
    ck_assert_int_eq(clock->mono(clock), 5 * SECOND + 1);
    ck_assert_int_eq(other->wall(other), 7);
    ck_assert_int_eq(other->mono(other), 0);
}
END_TEST

static const struct {
    const char *text;
    apr_time_t time;
    const char *again;      /* NULL: the same as text */
} times[] = {
    { "1970-01-01T00:00:00Z", 0, NULL },
    { "2026-11-23T19:08:00Z", NOW, NULL },
    { "2026-11-23t19:08:00z", NOW, "2026-11-23T19:08:00Z" },
    { "2026-11-23T19:08:00.5Z", NOW + 500000, "2026-11-23T19:08:00Z" },
    { "2026-11-23T19:08:00.000001Z", NOW + 1, "2026-11-23T19:08:00Z" },
    { "2026-11-23T19:08:00.123456789123456789Z", NOW + 123456,
      "2026-11-23T19:08:00Z" },
    { "2026-11-23T20:08:00+01:00", NOW, "2026-11-23T19:08:00Z" },
    { "2026-11-23T13:38:00-05:30", NOW, "2026-11-23T19:08:00Z" },
    { "2026-11-23T19:08:00-00:00", NOW, "2026-11-23T19:08:00Z" },
    { "2026-11-24T18:07:00+22:59", NOW, "2026-11-23T19:08:00Z" },
    { "2024-02-29T00:00:00Z", APR_INT64_C(1709164800) * SECOND, NULL },
    { "2000-02-29T00:00:00Z", APR_INT64_C(951782400) * SECOND, NULL },
    /* a leap second is the second behind it */
    { "2016-12-31T23:59:60Z", APR_INT64_C(1483228800) * SECOND,
      "2017-01-01T00:00:00Z" },
    /* the zero of a language in which CAs are written */
    { "0001-01-01T00:00:00Z", APR_INT64_C(-62135596800) * SECOND, NULL },
    { "1969-12-31T23:59:59.5Z", -500000, "1969-12-31T23:59:59Z" },
    { "9999-12-31T23:59:59Z", APR_INT64_C(253402300799) * SECOND, NULL },
};

#define TIMES ((int)(sizeof(times) / sizeof(times[0])))

/* Every RFC 3339 text is one time, and is written in UTC. */
START_TEST(parses)
{
    apr_time_t time = -1;

    unit_ok(base_time_parse(&time, times[_i].text));
    ck_assert_int_eq(time, times[_i].time);
    ck_assert_str_eq(base_time_text(time, pool),
                     times[_i].again ? times[_i].again : times[_i].text);
}
END_TEST

static const char *const bad_times[] = {
    "", "2026", "2026-11-23", "2026-11-23T", "2026-11-23T19:08",
    "2026-11-23T19:08:00", "2026-11-23T19:08Z", "2026-11-23 19:08:00Z",
    "2026-11-23T19:08:00 Z", " 2026-11-23T19:08:00Z",
    "2026-11-23T19:08:00Z ", "2026-11-23T19:08:00ZZ",
    "2026-11-23T19:08:00.Z", "2026-11-23T19:08:00,5Z",
    "2026-11-23T19:08:00.-5Z", "2026-11-23T19:08:00+01",
    "2026-11-23T19:08:00+0100", "2026-11-23T19:08:00+1:00",
    "2026-11-23T19:08:00+24:00", "2026-11-23T19:08:00+01:60",
    "2026-11-23T19:08:00+01:00Z", "2026-11-23T19:08:00+ 1:00",
    "2026-00-23T19:08:00Z", "2026-13-23T19:08:00Z", "2026-11-00T19:08:00Z",
    "2026-11-31T19:08:00Z", "2026-02-29T19:08:00Z", "2100-02-29T00:00:00Z",
    "2026-11-23T24:00:00Z", "2026-11-23T19:60:00Z", "2026-11-23T19:08:61Z",
    "26-11-23T19:08:00Z", "02026-11-23T19:08:00Z", "-026-11-23T19:08:00Z",
    "+026-11-23T19:08:00Z", "2026-1-23T19:08:00Z", "2026-11-3T19:08:00Z",
    "2026/11/23T19:08:00Z", "2026-11-23T19-08-00Z", "2026-11- 3T19:08:00Z",
    "2026-11-23T 9:08:00Z", "20261123T190800Z", "now", "1795547280",
    "Mon, 23 Nov 2026 19:08:00 GMT"
};

/* Everything else is none: no guess, no missing part, no 30 February. */
START_TEST(refuses_time)
{
    apr_time_t time = -1;

    ck_assert_int_eq(base_time_parse(&time, bad_times[_i]), APR_EINVAL);
    ck_assert_int_eq(time, -1);
}
END_TEST

static const struct {
    const char *value;
    apr_time_t at;
} waits[] = {
    { "0", NOW },
    { "1", NOW + SECOND },
    { "120", NOW + 120 * SECOND },
    { " 5 ", NOW + 5 * SECOND },
    { "007", NOW + 7 * SECOND },
    { "31536000", NOW + YEAR },
    { "31536001", NOW + YEAR },
    { "99999999999999999999999999999999999999999999999999", NOW + YEAR },
    { "9223372036854775807", NOW + YEAR },
    { "18446744073709551616", NOW + YEAR },
    { "Mon, 23 Nov 2026 19:08:30 GMT", NOW + 30 * SECOND },
    { "Monday, 23-Nov-26 19:08:30 GMT", NOW + 30 * SECOND },
    { "Mon Nov 23 19:08:30 2026", NOW + 30 * SECOND },
    { "Mon, 23 Nov 2026 19:07:30 GMT", NOW },
    { "Fri, 31 Dec 1999 23:59:59 GMT", NOW },
    { "Fri, 31 Dec 2999 23:59:59 GMT", NOW + YEAR },
};

#define WAITS ((int)(sizeof(waits) / sizeof(waits[0])))

/* Retry-After is seconds or a date: never in the past, a year at most. */
START_TEST(retry_after)
{
    apr_time_t at = -1;

    unit_ok(base_retry_after(&at, waits[_i].value, NOW));
    ck_assert_int_eq(at, waits[_i].at);
}
END_TEST

static const char *const bad_waits[] = {
    "", " ", "-1", "+1", "1.5", "1s", "0x10", "1e3", "1,2", "1 2", "soon",
    "2026-11-23T19:08:30Z", "Mon, 23 Nov 2026", "Mon, 41 Foo 2026 19:08:30",
    "\xd9\xa1"
};

/* Neither of the two is not understood, and the caller decides. */
START_TEST(refuses_retry_after)
{
    apr_time_t at = -1;

    ck_assert_int_eq(base_retry_after(&at, bad_waits[_i], NOW), APR_EINVAL);
    ck_assert_int_eq(at, -1);
}
END_TEST

Suite *clock_suite(void)
{
    Suite *suite = suite_create("clock");
    TCase *tc = unit_case(suite, "clock");

    tcase_add_test(tc, system_clock);
    tcase_add_test(tc, manual_clock);
    tcase_add_loop_test(tc, parses, 0, TIMES);
    tcase_add_loop_test(tc, refuses_time, 0,
                        sizeof(bad_times) / sizeof(bad_times[0]));
    tcase_add_loop_test(tc, retry_after, 0, WAITS);
    tcase_add_loop_test(tc, refuses_retry_after, 0,
                        sizeof(bad_waits) / sizeof(bad_waits[0]));
    return suite;
}
