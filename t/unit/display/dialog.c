/* Which program draws, and what it is told. */
#include <sys/stat.h>
#include <unistd.h>

#include "display/dialog.h"
#include "display/rig.h"
#include "unit.h"

/** A program of that name in a place of our own. */
static const dialog_t *program(const char *name)
{
    const char *path = apr_pstrcat(pool, unit_dir(), "/", name, NULL);
    const dialog_t *dialog;

    if (access(path, F_OK) != 0) {
        unit_ok(base_file_create(path, "", 0, 0755, &err));
        ck_assert_int_eq(chmod(path, 0755), 0);
    }
    dialog = dialog_find(path, pool);
    ck_assert(dialog != NULL);
    ck_assert_str_eq(dialog->path, path);
    return dialog;
}

/** The arguments behind the program, "|" between them. */
static const char *words(const apr_array_header_t *argv)
{
    const char *text = "";
    int i;

    for (i = 1; i < argv->nelts; i++) {
        text = apr_pstrcat(pool, text, i > 1 ? "|" : "",
                           APR_ARRAY_IDX(argv, i, const char *), NULL);
    }
    return text;
}

/* ------------------------------------------------------------------ find */

/* A program is known by the last part of its name, and has to be one that
 * can be run; a relative path is none. */
START_TEST(finds)
{
    static const char *const bad[] = {
        "", "/", "sh", "/bin/sh", "./dialog", "bin/dialog", "dialog/",
        "/nonexistent/dialog", "Dialog", "dialog ", "xdialog"
    };
    const char *path = apr_pstrcat(pool, unit_dir(), "/dialog", NULL);
    size_t i;

    program("bsddialog");
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(dialog_find(bad[i], pool) == NULL, "%s", bad[i]);
    }
    unit_ok(base_file_create(path, "", 0, 0600, &err));
    ck_assert_int_eq(chmod(path, 0600), 0);
    ck_assert(dialog_find(path, pool) == NULL);
}
END_TEST

/* ------------------------------------------------------------- arguments */

/* Each program is told in its own words to take line ends as they are. */
START_TEST(dialects)
{
    static const struct {
        const char *name;
        const char *words;
    } rows[] = {
        { "dialog", "--cr-wrap|--no-nl-expand|--output-fd|3|--title|T|"
                    "--yesno|a\nb|0|0" },
        { "whiptail", "--output-fd|3|--title|T|--yesno|a\nb|0|0" },
        { "bsddialog", "--cr-wrap|--output-fd|3|--title|T|--yesno|a\nb|0|0" }
    };
    size_t i;

    for (i = 0; i < 3; i++) {
        apr_array_header_t *argv = dialog_begin(program(rows[i].name), "T",
                                                pool);

        dialog_add(argv, "yesno", "a\nb", pool);
        ck_assert_str_eq(words(argv), rows[i].words);
    }
}
END_TEST

/* No text is an option, nothing, or a command to the terminal. */
START_TEST(texts)
{
    static const char *const rows[][2] = {
        { "--help", " --help" }, { "-", " -" }, { "", " " },
        { "\033[2J", "\\x1B[2J" }, { "a\tb\r", "a\\x09b\\x0D" },
        { "\xff", "\\xFF" }, { "\xc3\xbc", "\xc3\xbc" }, { "%s", "%s" },
        { "$(id) `id` ; '\"", "$(id) `id` ; '\"" }
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        apr_array_header_t *argv = dialog_begin(program("whiptail"),
                                                rows[i][0], pool);

        dialog_add(argv, "yesno", rows[i][0], pool);
        ck_assert_str_eq(words(argv), apr_pstrcat(pool,
            "--output-fd|3|--title|", rows[i][1], "|--yesno|", rows[i][1],
            "|0|0", NULL));
    }
}
END_TEST

/* An endless text is cut, between two characters. */
START_TEST(endless)
{
    apr_array_header_t *argv = dialog_begin(program("whiptail"), "T", pool);
    char *big = apr_pcalloc(pool, 300001);
    const char *text;
    int i;

    for (i = 0; i < 300000; i++) {
        big[i] = i % 1001 == 1000 ? '\n' : i % 1001 % 2 ? '\xbc' : '\xc3';
    }
    dialog_add(argv, "yesno", big, pool);
    text = APR_ARRAY_IDX(argv, 6, const char *);
    ck_assert_uint_le(strlen(text), 8003);
    ck_assert_str_eq(text + strlen(text) - 3, "...");
    ck_assert(strchr(text, '\\') == NULL);
    ck_assert(base_json_own(json_string(text), pool) != NULL);
}
END_TEST

/* Items are numbered, cut to the width, and none is an option. */
START_TEST(list)
{
    apr_array_header_t *argv = apr_array_make(pool, 8, sizeof(char *));
    apr_array_header_t *items = rig_items(3, pool);
    display_item_t *item = (display_item_t *)items->elts;

    item[1].tag = "--clear";
    item[1].text = "\033c";
    item[1].on = 1;
    item[2].text = "much too long a text";
    APR_ARRAY_PUSH(argv, const char *) = "";
    dialog_add_items(argv, items, 15, 1, pool);
    ck_assert_str_eq(words(argv), "0|1|item1|off|2| --clear  \\x1Bc|on|"
                     "3|item3  much ...|off");
    argv->nelts = 1;
    dialog_add_items(argv, items, 15, 0, pool);
    ck_assert_str_eq(words(argv), "0|1|item1|2| --clear  \\x1Bc|"
                     "3|item3  much ...");
}
END_TEST

/** The arguments of a text box on a terminal of that size. */
static const char *text_box(const char *name, const char *text, int rows,
                            int columns)
{
    apr_array_header_t *argv = apr_array_make(pool, 8, sizeof(char *));
    struct winsize size;

    memset(&size, 0, sizeof(size));
    size.ws_row = (unsigned short)rows;
    size.ws_col = (unsigned short)columns;
    APR_ARRAY_PUSH(argv, const char *) = "";
    dialog_add_file(argv, program(name), text, &size, pool);
    return words(argv);
}

/* A text box is as large as its text, if the terminal is; else it scrolls,
 * which whiptail must be told. A terminal may not know its size. */
START_TEST(file)
{
    const char *ten = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
    const char *wide = "12345678901234567890123456789012345678901234567890";

    ck_assert_str_eq(text_box("dialog", "a\nb\n", 24, 80),
                     "--textbox|/dev/fd/4|9|40");
    ck_assert_str_eq(text_box("dialog", wide, 24, 80),
                     "--textbox|/dev/fd/4|8|58");
    ck_assert_str_eq(text_box("dialog", wide, 24, 50),
                     "--textbox|/dev/fd/4|8|48");
    ck_assert_str_eq(text_box("dialog", ten, 12, 80),
                     "--textbox|/dev/fd/4|10|40");
    ck_assert_str_eq(text_box("whiptail", ten, 12, 80),
                     "--scrolltext|--textbox|/dev/fd/4|10|40");
    ck_assert_str_eq(text_box("whiptail", ten, 24, 80),
                     "--textbox|/dev/fd/4|17|40");
    ck_assert_str_eq(text_box("bsddialog", ten, 0, 0),
                     "--textbox|/dev/fd/4|17|40");
}
END_TEST

/* A gauge has one size for all of its steps. */
START_TEST(gauge)
{
    apr_array_header_t *argv = apr_array_make(pool, 8, sizeof(char *));

    APR_ARRAY_PUSH(argv, const char *) = "";
    dialog_add_gauge(argv, "-x\033", 42, pool);
    ck_assert_str_eq(words(argv), "--gauge| -x\\x1B|8|70|42");
}
END_TEST

Suite *dialog_suite(void)
{
    Suite *suite = suite_create("display/dialog");
    TCase *tc = unit_case(suite, "dialog");

    tcase_add_test(tc, finds);
    tcase_add_test(tc, dialects);
    tcase_add_test(tc, texts);
    tcase_add_test(tc, endless);
    tcase_add_test(tc, list);
    tcase_add_test(tc, file);
    tcase_add_test(tc, gauge);
    return suite;
}
