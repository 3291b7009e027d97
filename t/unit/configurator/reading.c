/* Lens and scanner compared. */
#include "configurator/text_rig.h"

/** The readings of some lines of a text. */
static apr_array_header_t *take(const char *data, int first, int last)
{
    augeas_base_t *base = rig_base();
    apr_array_header_t *readings;

    unit_ok(reading_take(&readings, base, rig_text(data), first, last, &err,
                         pool));
    return readings;
}

/** Assert that a text's lines are refused, with what is said. */
static void refused(const char *data, const char *says)
{
    augeas_base_t *base = rig_base();
    text_t *text = rig_text(data);
    apr_array_header_t *readings;

    unit_fails(reading_take(&readings, base, text, 0,
                            text->lines->nelts - 1, &err, pool),
               APR_EINVAL, says);
    base_err_clear(&err);
}

static const reading_t *reading(const apr_array_header_t *readings, int i)
{
    ck_assert_int_lt(i, readings->nelts);
    return &APR_ARRAY_IDX(readings, i, reading_t);
}

/* Any run of lines is read, numbered as in the file. */
START_TEST(lines)
{
    apr_array_header_t *r = take("Foo {x\nA b\n# c\n<If d>\n#\n\nE \\\n f\n"
                                 "</If>\nG {y\n", 1, 7);

    ck_assert_int_eq(r->nelts, 4);
    ck_assert_str_eq(reading(r, 0)->node.name, "A");
    ck_assert_int_eq(reading(r, 0)->node.line, 2);
    ck_assert_int_eq(reading(r, 1)->node.kind, SCAN_COMMENT);
    ck_assert_int_eq(reading(r, 2)->node.parent, -1);
    ck_assert_int_eq(reading(r, 3)->node.parent, 2);
    ck_assert_int_eq(reading(r, 3)->node.depth, 1);
    ck_assert_int_eq(reading(r, 3)->node.line, 8);
    ck_assert_int_eq(reading(r, 3)->line, 6);
    ck_assert_str_eq(reading(r, 3)->path, "/t/If/directive");
}
END_TEST

/* The file's last line needs no end of line. */
START_TEST(last_line)
{
    ck_assert_int_eq(take("A b\nC d", 0, 1)->nelts, 2);
    ck_assert_int_eq(take("<If a>\n</If>", 0, 1)->nelts, 1);
}
END_TEST

/* Comments of nothing are no nodes; those behind a tag are httpd's to
 * ignore. */
START_TEST(comments)
{
    ck_assert_int_eq(take("#\n# \t\n #\r\n##\n", 0, 3)->nelts, 1);
    ck_assert_int_eq(take("<If a> # b\n# c\nA\n</If> #d\n# e\n", 0, 4)
                     ->nelts, 4);
    ck_assert_int_eq(take("# caf\xe9 \\\n more\nA\n", 0, 1)->nelts, 2);
}
END_TEST

/* The line that the lens cannot read is found in a long section. */
START_TEST(culprit)
{
    apr_array_header_t *parts = apr_array_make(pool, 64,
                                               sizeof(const char *));
    int i;

    APR_ARRAY_PUSH(parts, const char *) = "<If a>\n";
    for (i = 2; i < 60; i++) {
        APR_ARRAY_PUSH(parts, const char *) = i == 47
            ? "  Foo \"C:\\x\\\"\n" : "  A \"b\" c\n";
    }
    APR_ARRAY_PUSH(parts, const char *) = "</If>\n";
    refused(apr_array_pstrcat(pool, parts, 0),
            "site.conf:47: Augeas cannot read this line, change the file by "
            "hand: Foo \"C:\\x\\\"");
}
END_TEST

/* Where both read, but not the same, nothing is edited. */
START_TEST(disagreement)
{
    refused("A b\nSer\\\nver c\n", "site.conf:2: Augeas reads this "
            "otherwise");
    refused("<If a> B c\n</If>\n", "site.conf:2: Augeas reads more");
    refused("<arg a>\nB\n</arg>\n", "Augeas reads this otherwise");
    refused("<Macro a>\n<If b>\n</If>\n</Macro>\n",
            "site.conf:2: Augeas reads this otherwise");
}
END_TEST

/* Perl code is left alone, and never taken for the culprit. */
START_TEST(perl)
{
    ck_assert_int_eq(take("<PERL>\n{x;\n</perl>\nA\n", 0, 3)->nelts, 2);
    refused("<Perl>\n$x{y;\n</Perl>\n<If z>\nB {x\n</If>\n",
            "site.conf:5:");
}
END_TEST

/** A section of n times the same. */
static const char *many(const char *before, int n, const char *what,
                        const char *behind)
{
    apr_array_header_t *parts = apr_array_make(pool, n + 2,
                                               sizeof(const char *));

    APR_ARRAY_PUSH(parts, const char *) = before;
    while (n-- > 0) {
        APR_ARRAY_PUSH(parts, const char *) = what;
    }
    APR_ARRAY_PUSH(parts, const char *) = behind;
    return apr_array_pstrcat(pool, parts, 0);
}

/* What would take the lens minutes is refused at once. */
START_TEST(too_much)
{
    refused(many("<If a>\n", 5000, "A b\n", "</If>\n"),
            "site.conf:5001: the section is too large");
    refused(many("<If a>\nB\nA ", 10000, " x", " y\n</If>\n"),
            "site.conf:3: the section is too large");
    refused(many("<If a>\nA ", 524288, "x", "\n</If>\n"),
            "site.conf:2: the section is too large");
    refused(apr_pstrcat(pool, many("", 500, "<If a>\n", ""),
                        many("", 500, "</If>\n", ""), NULL),
            "site.conf:402: the section is too large");
    ck_assert_int_eq(take(many("<If a>\nA ", 500, " x", "\n</If>\n"), 0, 2)
                     ->nelts, 2);
}
END_TEST

/* A tree that both agreed on is made again. */
START_TEST(again)
{
    augeas_base_t *base = rig_base();
    text_t *text = rig_text("A\n<If b>\nC d\n</If>\n");
    apr_array_header_t *readings;
    const char *first, *second;

    unit_ok(reading_take(&readings, base, text, 1, 3, &err, pool));
    unit_ok(augeas_base_dump(&first, base, &err, pool));
    augeas_base_clear(base);
    unit_ok(reading_again(base, text, 1, 3, &err, pool));
    unit_ok(augeas_base_dump(&second, base, &err, pool));
    ck_assert_str_eq(first, second);
}
END_TEST

Suite *reading_suite(void)
{
    Suite *suite = suite_create("reading");
    TCase *tc = unit_case(suite, "reading");

    tcase_add_test(tc, lines);
    tcase_add_test(tc, last_line);
    tcase_add_test(tc, comments);
    tcase_add_test(tc, culprit);
    tcase_add_test(tc, disagreement);
    tcase_add_test(tc, perl);
    tcase_add_test(tc, too_much);
    tcase_add_test(tc, again);
    return suite;
}
