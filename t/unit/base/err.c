/*
 * err.c: tests of support/base/err.c.
 */
#include <errno.h>
#include <stdio.h>

#include "unit.h"

/* A failure keeps its status, its exit status and its sentence. */
START_TEST(records)
{
    ck_assert_int_eq(base_err_set(&err, APR_EINVAL, BASE_EXIT_USAGE,
                                  "no %s for %d", "name", 7), APR_EINVAL);
    ck_assert_int_eq(err.status, APR_EINVAL);
    ck_assert_int_eq(err.exit, BASE_EXIT_USAGE);
    ck_assert_str_eq(err.message, "no name for 7");
    ck_assert_str_eq(err.type, "");
    ck_assert_int_eq(err.retry_at, 0);
}
END_TEST

/* The first error wins, and a later one returns the first one's status. */
START_TEST(first_wins)
{
    base_err_set(&err, APR_ENOENT, BASE_EXIT_BUSY, "first");
    ck_assert_int_eq(base_err_set(&err, APR_EINVAL, BASE_EXIT_USAGE,
                                  "second"), APR_ENOENT);
    ck_assert_int_eq(base_err_path(&err, EIO, "read", "/x"), APR_ENOENT);
    ck_assert_int_eq(err.exit, BASE_EXIT_BUSY);
    ck_assert_str_eq(err.message, "first");
}
END_TEST

/* A cleared record is as new. */
START_TEST(clears)
{
    static const acme_err_t empty;

    base_err_set(&err, APR_ENOENT, BASE_EXIT_BUSY, "first");
    err.type[0] = 'u';
    base_err_clear(&err);
    ck_assert_mem_eq(&err, &empty, sizeof(err));
}
END_TEST

/* A caller puts its context in front, a clean-up its failure behind. */
START_TEST(wraps_and_appends)
{
    base_err_set(&err, APR_ENOENT, BASE_EXIT_FAILED, "no file");
    ck_assert_int_eq(base_err_wrap(&err, "while renewing %s", "a.example"),
                     APR_ENOENT);
    ck_assert_int_eq(base_err_append(&err, "and %d left", 2), APR_ENOENT);
    ck_assert_str_eq(err.message,
                     "while renewing a.example: no file; and 2 left");
}
END_TEST

/* Where nothing failed there is nothing to wrap. */
START_TEST(wraps_nothing)
{
    ck_assert_int_eq(base_err_wrap(&err, "while"), APR_SUCCESS);
    ck_assert_int_eq(base_err_append(&err, "and"), APR_SUCCESS);
    ck_assert_str_eq(err.message, "");
}
END_TEST

static const struct {
    const char *raw;
    const char *clean;
} texts[] = {
    { "plain ~ text", "plain ~ text" },
    { "a\nb\r\tc", "a\\x0Ab\\x0D\\x09c" },
    { "\x1b[31mred", "\\x1B[31mred" },
    { "\x7f", "\\x7F" },
    { "b\xc3\xbc" "cher \xe2\x82\xac \xf0\x9f\x98\x80",
      "b\xc3\xbc" "cher \xe2\x82\xac \xf0\x9f\x98\x80" },
    { "\xc2\x85", "\\xC2\\x85" },                   /* C1: next line */
    { "\xc2\xad", "\\xC2\\xAD" },                   /* soft hyphen */
    { "\xe2\x80\xa8", "\\xE2\\x80\\xA8" },          /* line separator */
    { "\xe2\x80\xae", "\\xE2\\x80\\xAE" },          /* right to left */
    { "\xe2\x81\xa6", "\\xE2\\x81\\xA6" },          /* isolate */
    { "\xe2\x80\x8b", "\\xE2\\x80\\x8B" },          /* zero width */
    { "\xef\xbb\xbf", "\\xEF\\xBB\\xBF" },          /* byte order mark */
    { "\xf3\xa0\x80\x81", "\\xF3\\xA0\\x80\\x81" }, /* a tag */
    { "\xef\xbf\xbe", "\\xEF\\xBF\\xBE" },          /* no character */
    { "\xc0\xaf", "\\xC0\\xAF" },                   /* overlong */
    { "\xe0\x9f\xbf", "\\xE0\\x9F\\xBF" },
    { "\xf0\x8f\xbf\xbf", "\\xF0\\x8F\\xBF\\xBF" },
    { "\xed\xa0\x80", "\\xED\\xA0\\x80" },          /* surrogate */
    { "\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80" }, /* behind the end */
    { "\xff\xfe", "\\xFF\\xFE" },
    { "\xc3", "\\xC3" },                            /* cut off */
    { "\xe2\x82", "\\xE2\\x82" },
    { "\xf0\x9f\x98", "\\xF0\\x9F\\x98" },
    { "\xc3(", "\\xC3(" },
    { "\x80" "a", "\\x80" "a" },
    { "\\x0A stays", "\\x0A stays" },
};

#define TEXTS ((int)(sizeof(texts) / sizeof(texts[0])))

/* Nothing a stranger sent can break a line or repaint a terminal. */
START_TEST(cleans)
{
    char buf[64], again[64];

    ck_assert_ptr_eq(base_clean(buf, sizeof(buf), texts[_i].raw), buf);
    ck_assert_str_eq(buf, texts[_i].clean);
    ck_assert_str_eq(base_clean(again, sizeof(again), buf), buf);
    base_err_set(&err, APR_EGENERAL, BASE_EXIT_FAILED, "%s", texts[_i].raw);
    ck_assert_str_eq(err.message, texts[_i].clean);
}
END_TEST

/* A text that does not fit ends with three dots at a character's end. */
START_TEST(shortens)
{
    char buf[8];

    ck_assert_str_eq(base_clean(buf, 8, "1234567"), "1234567");
    ck_assert_str_eq(base_clean(buf, 8, "12345678"), "1234...");
    ck_assert_str_eq(base_clean(buf, 8, "123\xe2\x82\xac\xe2\x82\xac"),
                     "123...");
    ck_assert_str_eq(base_clean(buf, 8, "1\n\n"), "1...");
    ck_assert_str_eq(base_clean(buf, 8, "\n\n"), "\\x0A...");
    ck_assert_str_eq(base_clean(buf, 8, "12345\n"), "1234...");
}
END_TEST

/* Lengths that would overflow a record fill it and end in three dots. */
START_TEST(overlong)
{
    char *text = apr_pcalloc(pool, 100001);

    memset(text, '\n', 100000);
    base_err_set(&err, APR_EINVAL, BASE_EXIT_FAILED, "%s", text);
    ck_assert_uint_eq(strlen(err.message), 2047);
    ck_assert_str_eq(err.message + 2044, "...");
    base_err_wrap(&err, "front");
    ck_assert_uint_le(strlen(err.message), 2047);
    ck_assert(strncmp(err.message, "front: \\x0A", 11) == 0);
    ck_assert_str_eq(err.message + strlen(err.message) - 3, "...");
    base_err_append(&err, "%s", text);
    ck_assert_uint_le(strlen(err.message), 2047);
    base_err_wrap(&err, "%s", text);
    ck_assert_uint_eq(strlen(err.message), 2047);
}
END_TEST

/* A refusal of the system says what, where, why and what to do. */
START_TEST(paths)
{
    unit_fails(base_err_path(&err, ENOSPC, "write", "/a/b"), ENOSPC,
               "cannot write /a/b: No space left on device: make room on "
               "that file system");
    ck_assert_int_eq(err.exit, BASE_EXIT_FAILED);
    base_err_clear(&err);
    unit_fails(base_err_path(&err, EACCES, "read", "/a\n"), EACCES,
               "cannot read /a\\x0A: Permission denied: run this as root");
    base_err_clear(&err);
    base_err_path(&err, ECHILD, "read", "/a");
    ck_assert_str_eq(err.message, "cannot read /a: No child processes");
}
END_TEST

/* Every status has a text, and it fits any buffer. */
START_TEST(strerrors)
{
    char buf[64], small[4];

    ck_assert_str_eq(base_strerror(ENOENT, buf, sizeof(buf)),
                     "No such file or directory");
    ck_assert_str_ne(base_strerror(APR_EGENERAL, buf, sizeof(buf)), "");
    ck_assert_str_ne(base_strerror(-12345, buf, sizeof(buf)), "");
    ck_assert_uint_le(strlen(base_strerror(ENOENT, small, sizeof(small))),
                      3);
    ck_assert_ptr_eq(base_strerror(ENOENT, small, 0), small);
}
END_TEST

Suite *err_suite(void)
{
    Suite *suite = suite_create("err");
    TCase *tc = unit_case(suite, "err");

    tcase_add_test(tc, records);
    tcase_add_test(tc, first_wins);
    tcase_add_test(tc, clears);
    tcase_add_test(tc, wraps_and_appends);
    tcase_add_test(tc, wraps_nothing);
    tcase_add_loop_test(tc, cleans, 0, TEXTS);
    tcase_add_test(tc, shortens);
    tcase_add_test(tc, overlong);
    tcase_add_test(tc, paths);
    tcase_add_test(tc, strerrors);
    return suite;
}
