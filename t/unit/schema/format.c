#include "schema_unit.h"

/* What each format takes and refuses. */
static const struct {
    const char *format;
    const char *text;
    int good;
} cases[] = {
    { "date-time", "2026-11-23T19:08:00Z", 1 },
    { "date-time", "2026-11-23t19:08:00.123456789z", 1 },
    { "date-time", "2026-11-23T19:08:00+01:30", 1 },
    { "date-time", "0001-01-01T00:00:00Z", 1 },
    { "date-time", "2024-02-29T00:00:00Z", 1 },
    { "date-time", "2000-02-29T00:00:00Z", 1 },
    { "date-time", "1998-12-31T23:59:60Z", 1 },
    { "date-time", "1998-12-31T15:59:60.123-08:00", 1 },
    { "date-time", "", 0 },
    { "date-time", "2026-11-23", 0 },
    { "date-time", "2026-11-23 19:08:00Z", 0 },
    { "date-time", "2026-11-23T19:08:00", 0 },
    { "date-time", "2026-11-23T19:08Z", 0 },
    { "date-time", "2026-11-23T19:08:00.Z", 0 },
    { "date-time", "2026-11-23T19:08:00Zx", 0 },
    { "date-time", "2026-11-23T19:08:00Z\n", 0 },
    { "date-time", "2026-11-23T24:08:00Z", 0 },
    { "date-time", "2026-11-23T19:60:00Z", 0 },
    { "date-time", "2026-11-23T19:08:61Z", 0 },
    { "date-time", "2026-11-23T19:08:60Z", 0 },
    { "date-time", "2026-11-23T19:08:00+24:00", 0 },
    { "date-time", "2026-11-23T19:08:00+01:60", 0 },
    { "date-time", "2026-11-23T19:08:00+0100", 0 },
    { "date-time", "2026-13-23T19:08:00Z", 0 },
    { "date-time", "2026-00-23T19:08:00Z", 0 },
    { "date-time", "2026-11-31T19:08:00Z", 0 },
    { "date-time", "2026-11-00T19:08:00Z", 0 },
    { "date-time", "2023-02-29T00:00:00Z", 0 },
    { "date-time", "1900-02-29T00:00:00Z", 0 },
    { "date-time", "+2026-11-23T19:08:00Z", 0 },
    { "date", "2026-11-23", 1 },
    { "date", "2026-11-23T", 0 },
    { "date", "26-11-23", 0 },
    { "date", "2026-11-2\xd9\xa3", 0 },
    { "time", "19:08:00Z", 1 },
    { "time", "19:08:00", 0 },
    { "time", "T19:08:00Z", 0 },
    { "ipv4", "192.0.2.1", 1 },
    { "ipv4", "192.0.2", 0 },
    { "ipv4", "192.0.2.256", 0 },
    { "ipv4", "192.0.2.01", 0 },
    { "ipv4", "0x7f.0.0.1", 0 },
    { "ipv4", "192.0.2.1 ", 0 },
    { "ipv6", "2001:db8::1", 1 },
    { "ipv6", "::", 1 },
    { "ipv6", "::ffff:192.0.2.1", 1 },
    { "ipv6", "2001:db8::1::2", 0 },
    { "ipv6", "fe80::1%eth0", 0 },
    { "ipv6", "[::1]", 0 },
    { "json-pointer", "", 1 },
    { "json-pointer", "/a~1b/~0", 1 },
    { "json-pointer", "a", 0 },
    { "json-pointer", "/~", 0 },
    { "json-pointer", "/~2", 0 }
};

START_TEST(formats)
{
    const schema_format_t *format = schema_format_find(cases[_i].format);

    ck_assert_ptr_nonnull(format);
    ck_assert_msg(format->test(cases[_i].text, strlen(cases[_i].text))
                  == cases[_i].good, "%s: %s", cases[_i].format,
                  cases[_i].text);
}
END_TEST

/* A NUL ends no text: what stands behind it counts. */
START_TEST(nul_in_text)
{
    ck_assert(!schema_format_find("date")->test("2026-11-23\0x", 12));
    ck_assert(!schema_format_find("time")->test("19:08:00Z\0", 10));
    ck_assert(!schema_format_find("date-time")
              ->test("2026-11-23T19:08:00Z\0", 21));
    ck_assert(!schema_format_find("ipv4")->test("192.0.2.1\0", 10));
    ck_assert(!schema_format_find("ipv6")->test("::1\0", 4));
}
END_TEST

/* Formats outside the subset are not found. */
START_TEST(unknown)
{
    ck_assert_ptr_null(schema_format_find("uri"));
    ck_assert_ptr_null(schema_format_find("hostname"));
    ck_assert_ptr_null(schema_format_find("Date"));
    ck_assert_ptr_null(schema_format_find(""));
}
END_TEST

/* A format speaks of strings only; its message says what was expected. */
START_TEST(in_a_schema)
{
    fits("{\"format\": \"date\"}", "5");
    fits("{\"format\": \"date\"}", "\"2026-11-23\"");
    misfits("{\"format\": \"date\"}", "\"23.11.2026\"",
            ": found \"23.11.2026\", expected a date like 2026-11-23 "
            "(RFC 3339)");
}
END_TEST

Suite *format_suite(void)
{
    Suite *suite = suite_create("format");
    TCase *tc = unit_case(suite, "format");

    tcase_add_loop_test(tc, formats, 0, sizeof(cases) / sizeof(cases[0]));
    tcase_add_test(tc, nul_in_text);
    tcase_add_test(tc, unknown);
    tcase_add_test(tc, in_a_schema);
    return suite;
}
