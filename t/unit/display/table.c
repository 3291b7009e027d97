/* Words, widths and tables. */
#include <locale.h>

#include "display/rig.h"
#include "unit.h"

/* Widths are columns, not bytes: wide characters take two, combining ones
 * none. */
START_TEST(widths)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8")) {
        return;
    }
    ck_assert_int_eq(display_width(""), 0);
    ck_assert_int_eq(display_width("example.org"), 11);
    ck_assert_int_eq(display_width("b\xc3\xbc""cher"), 6);
    ck_assert_int_eq(display_width("\xe6\x97\xa5\xe6\x9c\xac"), 4);
    ck_assert_int_eq(display_width("e\xcc\x81"), 1);
}
END_TEST

/* Bytes that the locale does not know count one each and end nothing. */
START_TEST(unknown_bytes)
{
    setlocale(LC_CTYPE, "C");
    ck_assert_int_eq(display_width("a\xc3\xbc"), 3);
    if (setlocale(LC_CTYPE, "C.UTF-8")) {
        ck_assert_int_eq(display_width("a\xff\xc3z"), 4);
        ck_assert_int_eq(display_width("a\xc3"), 2);
    }
}
END_TEST

/* A text is cut between characters, never in one. */
START_TEST(cut)
{
    ck_assert_str_eq(display_cut("example.org", 11, pool), "example.org");
    ck_assert_str_eq(display_cut("example.org", 10, pool), "example...");
    ck_assert_str_eq(display_cut("example.org", 3, pool), "...");
    if (setlocale(LC_CTYPE, "C.UTF-8")) {
        ck_assert_str_eq(display_cut("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
                                     6, pool),
                         "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
        ck_assert_str_eq(display_cut("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
                                     5, pool), "\xe6\x97\xa5...");
        ck_assert_str_eq(display_cut("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
                                     4, pool), "...");
    }
}
END_TEST

/* A line is what is printable of a text; none is an empty one. */
START_TEST(line)
{
    ck_assert_str_eq(display_line("caf\xc3\xa9", pool), "caf\xc3\xa9");
    ck_assert_str_eq(display_line(NULL, pool), "");
    ck_assert(strpbrk(display_line("a\nb\033c\x7f", pool), "\n\033\x7f")
              == NULL);
    ck_assert(strchr(display_line("\xff", pool), '\xff') == NULL);
}
END_TEST

static const char *const heads[] = { "NAME", "STATE", "NAMES", NULL };

/** A table of one row. */
static void put(rig_t *rig, const char *names)
{
    display_table_t *table = display_table(heads, 1, pool);

    display_table_add(table, "valid");
    display_table_add(table, "valid");
    display_table_add(table, names);
    display_table_put(rig->display, table);
}

/* Columns are aligned by what is seen; nothing follows the last one. */
START_TEST(aligned)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);
    display_table_t *table = display_table(heads, 1, pool);

    if (!setlocale(LC_CTYPE, "C.UTF-8")) {
        return;
    }
    display_table_add(table, "b\xc3\xbc""cher.test");
    display_table_add(table, "due");
    display_table_add(table, "x");
    display_table_add(table, "buecher.test");
    display_table_add(table, "valid");
    display_table_add(table, "y");
    display_table_put(rig->display, table);
    ck_assert_str_eq(rig_out(rig),
                     "NAME          STATE  NAMES\n"
                     "b\xc3\xbc""cher.test   due    x\n"
                     "buecher.test  valid  y\n");
}
END_TEST

/* Only the column of states is colored: a name may be any word. */
START_TEST(state_column)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_ALWAYS, pool);

    put(rig, "valid");
    ck_assert_str_eq(strchr(rig_out(rig), '\n') + 1,
                     "valid  \033[32mvalid\033[0m  valid\n");
}
END_TEST

/* What goes to no terminal is never cut. */
START_TEST(no_terminal)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);

    setenv("COLUMNS", "10", 1);
    put(rig, "one.example.org two.example.org three.example.org");
    ck_assert_str_eq(rig_out(rig),
                     "NAME   STATE  NAMES\n"
                     "valid  valid  one.example.org two.example.org "
                     "three.example.org\n");
}
END_TEST

/* On a terminal the last column is cut to its width. */
START_TEST(last_column_is_cut)
{
    rig_t *rig = rig_terminal(DISPLAY_COLOR_NEVER, 30, pool);

    put(rig, "one.example.org two.example.org");
    ck_assert_str_eq(rig_out(rig),
                     "NAME   STATE  NAMES\n"
                     "valid  valid  one.example.o...\n");
}
END_TEST

/* A table of exactly the terminal's width stays whole. */
START_TEST(exact_fit)
{
    rig_t *rig = rig_terminal(DISPLAY_COLOR_NEVER, 29, pool);

    put(rig, "one.example.org");
    ck_assert_str_eq(strchr(rig_out(rig), '\n') + 1,
                     "valid  valid  one.example.org\n");
}
END_TEST

/* On a narrow one each row is a block of lines, and nothing is cut. */
START_TEST(narrow_terminal)
{
    rig_t *rig = rig_terminal(DISPLAY_COLOR_ALWAYS, 20, pool);

    put(rig, "one.example.org two.example.org");
    ck_assert_str_eq(rig_out(rig),
                     "\033[1mvalid\033[0m\n"
                     "  STATE  \033[32mvalid\033[0m\n"
                     "  NAMES  one.example.org two.example.org\n");
}
END_TEST

/* A terminal that does not tell its width has room for all. */
START_TEST(unknown_width)
{
    rig_t *rig = rig_terminal(DISPLAY_COLOR_NEVER, 0, pool);

    put(rig, "one.example.org two.example.org");
    ck_assert_str_eq(strchr(rig_out(rig), '\n') + 1,
                     "valid  valid  one.example.org two.example.org\n");
}
END_TEST

/* ------------------------------------------------------------------ fold */

static const char *fold(const char *text)
{
    return display_fold(text, 20, pool);
}

/* A long line is folded at a blank; what fits stays as it is, and every
 * line has an end. */
START_TEST(folds)
{
    ck_assert_str_eq(fold(""), "");
    ck_assert_str_eq(fold("a\n\nb"), "a\n\nb\n");
    ck_assert_str_eq(fold("12345678901234567890\n"),
                     "12345678901234567890\n");
    ck_assert_str_eq(fold("123456 890 2345 7890 23 5 789 123\n"),
                     "123456 890 2345 7890\n    23 5 789 123\n");
    ck_assert_str_eq(fold("12345678901234567890 \n"),
                     "12345678901234567890\n    \n");
}
END_TEST

/* Where there is no blank, or one too early, it is folded all the same, and
 * never within a character. */
START_TEST(folds_words)
{
    const char *wide = "\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc"
                       "\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc"
                       "\u00fc\u00fc\u00fc\u00fc\u00fc";

    ck_assert_str_eq(fold("1 34567890123456789012345\n"),
                     "1 345678901234567890\n    12345\n");
    ck_assert_str_eq(fold("1234567890123456789012345678901234567890\n"),
                     "12345678901234567890\n    1234567890123456\n"
                     "    7890\n");
    ck_assert(setlocale(LC_CTYPE, "C.UTF-8") != NULL);
    ck_assert_str_eq(fold(wide), apr_pstrcat(pool,
        apr_pstrmemdup(pool, wide, 40), "\n    \u00fc\n", NULL));
}
END_TEST

Suite *table_suite(void)
{
    Suite *suite = suite_create("display/table");
    TCase *tc = unit_case(suite, "table");

    tcase_add_test(tc, widths);
    tcase_add_test(tc, unknown_bytes);
    tcase_add_test(tc, cut);
    tcase_add_test(tc, line);
    tcase_add_test(tc, aligned);
    tcase_add_test(tc, state_column);
    tcase_add_test(tc, no_terminal);
    tcase_add_test(tc, last_column_is_cut);
    tcase_add_test(tc, exact_fit);
    tcase_add_test(tc, narrow_terminal);
    tcase_add_test(tc, unknown_width);
    tcase_add_test(tc, folds);
    tcase_add_test(tc, folds_words);
    return suite;
}
