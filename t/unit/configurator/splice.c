/* Splices of bytes, and how lines look. */
#include "configurator/text_rig.h"

static apr_array_header_t *none(void)
{
    return apr_array_make(pool, 4, sizeof(splice_t));
}

static void add(apr_array_header_t *splices, int start, int end,
                const char *text, int rank)
{
    splice_t splice = { (apr_size_t)start, (apr_size_t)end, text,
                        strlen(text), rank, 0, 0 };

    APR_ARRAY_PUSH(splices, splice_t) = splice;
}

static const char *render(const char *data, apr_array_header_t *splices)
{
    apr_size_t len;
    const char *out;

    ck_assert_int_eq(splice_sort(splices), -1);
    out = splice_render(&len, data, 0, strlen(data), splices, pool);
    ck_assert_uint_eq(strlen(out), len);
    ck_assert_int_eq(splice_verify(data, strlen(data), out, len, splices),
                     1);
    return out;
}

/* Bytes are put, replaced and taken away, wherever they are. */
START_TEST(rendered)
{
    apr_array_header_t *splices = none();

    ck_assert_str_eq(render("", splices), "");
    ck_assert_str_eq(render("abc", splices), "abc");
    add(splices, 3, 3, "Z", 0);
    add(splices, 1, 2, "XY", 0);
    add(splices, 0, 0, "_", 0);
    ck_assert_str_eq(render("abc", splices), "_aXYcZ");
    splices = none();
    add(splices, 0, 3, "", 0);
    add(splices, 0, 0, "q", -1);
    ck_assert_str_eq(render("abc", splices), "q");
}
END_TEST

/* At one place ranks decide, and then the order of coming. */
START_TEST(in_order)
{
    apr_array_header_t *splices = none();

    add(splices, 1, 1, "2", 0);
    add(splices, 1, 2, "4", 1);
    add(splices, 1, 1, "3", 0);
    add(splices, 1, 1, "1", -1);
    ck_assert_str_eq(render("abc", splices), "a1234c");
}
END_TEST

/* Splices that meet contradict each other. */
START_TEST(overlapping)
{
    apr_array_header_t *splices = none();

    add(splices, 2, 4, "", 0);
    add(splices, 0, 2, "", 0);
    ck_assert_int_eq(splice_sort(splices), -1);
    add(splices, 3, 3, "x", 0);
    ck_assert_int_eq(splice_sort(splices), 2);
    splices = none();
    add(splices, 0, 3, "", 0);
    add(splices, 0, 2, "", 0);
    ck_assert_int_eq(splice_sort(splices), 1);
}
END_TEST

/* Any other byte, one more or one less, is noticed. */
START_TEST(verified)
{
    const char *before = "abcdef";
    apr_array_header_t *splices = none();
    const char *after;
    size_t i;

    add(splices, 2, 3, "XYZ", 0);
    after = render(before, splices);
    for (i = 0; i < strlen(after); i++) {
        char *other = apr_pstrdup(pool, after);

        other[i] ^= 1;
        ck_assert_int_eq(splice_verify(before, 6, other, 8, splices), 0);
        ck_assert_int_eq(splice_verify(before, 6, after, i, splices), 0);
    }
    ck_assert_int_eq(splice_verify(before, 6, "abXYZdefg", 9, splices), 0);
    ck_assert_int_eq(splice_verify(before, 6, "", 0, splices), 0);
    ck_assert_int_eq(splice_verify(before, 5, after, 8, splices), 0);
    ck_assert_int_eq(splice_verify(before, 1, after, 8, splices), 0);
    add(splices, 1, 2, "", 0);
    ck_assert_int_eq(splice_verify(before, 6, after, 8, splices), 0);
}
END_TEST

/* Where a byte is afterwards: behind what was put before it. */
START_TEST(mapped)
{
    apr_array_header_t *splices = none();

    ck_assert_uint_eq(splice_map(splices, 5), 5);
    add(splices, 2, 4, "wxyz", 0);
    add(splices, 6, 6, "!", 0);
    ck_assert_str_eq(render("abcdefgh", splices), "abwxyzef!gh");
    ck_assert_uint_eq(splice_map(splices, 1), 1);
    ck_assert_uint_eq(splice_map(splices, 4), 6);
    ck_assert_uint_eq(splice_map(splices, 5), 7);
    ck_assert_uint_eq(splice_map(splices, 6), 9);
    ck_assert_uint_eq(splice_map(splices, 8), 11);
}
END_TEST

/* Indentation, the step of the file and ends of line are what is there. */
START_TEST(looks)
{
    text_t *text = rig_text("<If a>\n# c\n \tB\n\\\n  C\r\n</If>\r\nD");

    ck_assert_str_eq(splice_indent(text, 0, pool), "");
    ck_assert_str_eq(splice_indent(text, 2, pool), " \t");
    ck_assert_str_eq(splice_indent(text, 3, pool), "  ");
    ck_assert_str_eq(splice_step(text, pool), " \t");
    ck_assert_str_eq(splice_eol(text, 0), "\n");
    ck_assert_str_eq(splice_eol(text, 4), "\r\n");
    ck_assert_str_eq(splice_eol(text, 5), text->eol);
    ck_assert_str_eq(splice_step(rig_text("<If a>\nB\n</If>\n"), pool),
                     "    ");
    ck_assert_str_eq(splice_step(rig_text(" <If a>\n  B\n </If>\n"), pool),
                     " ");
}
END_TEST

Suite *splice_suite(void)
{
    Suite *suite = suite_create("splice");
    TCase *tc = unit_case(suite, "splice");

    tcase_add_test(tc, rendered);
    tcase_add_test(tc, in_order);
    tcase_add_test(tc, overlapping);
    tcase_add_test(tc, verified);
    tcase_add_test(tc, mapped);
    tcase_add_test(tc, looks);
    return suite;
}
