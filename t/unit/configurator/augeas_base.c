/* Trees of the lens: made, listed, changed and written down. */
#include "configurator/text_rig.h"

#define SECTION "<If a>\n  A b \"c d\"\n  # x\n  <Files y>\n    B\n" \
    "  </Files>\n  C {d, e} f\n</If>\n"

/** The lens with a tree of some bytes. */
static augeas_base_t *parsed(const char *data)
{
    augeas_base_t *base = rig_base();
    int line;

    unit_ok(augeas_base_parse(base, &line, data, strlen(data), &err, pool));
    return base;
}

static const char *dump(augeas_base_t *base)
{
    const char *text;

    unit_ok(augeas_base_dump(&text, base, &err, pool));
    return text;
}

/** Assert that a tree is that of other bytes. */
static void is_tree_of(augeas_base_t *base, const char *data)
{
    ck_assert_str_eq(dump(base), dump(parsed(data)));
}

static const augeas_node_t *node(const apr_array_header_t *nodes, int i)
{
    ck_assert_int_lt(i, nodes->nelts);
    return APR_ARRAY_IDX(nodes, i, augeas_node_t *);
}

static const char *mark(augeas_base_t *base, const char *path)
{
    const char *expression;

    unit_ok(augeas_base_mark(&expression, base, path, &err, pool));
    return expression;
}

/* Nodes are listed in the order of the file, with the bytes of their names
 * and the number of their arguments. */
START_TEST(listed)
{
    augeas_base_t *base = parsed(SECTION);
    apr_array_header_t *nodes;

    unit_ok(augeas_base_nodes(&nodes, base, &err, pool));
    ck_assert_int_eq(nodes->nelts, 6);
    ck_assert_str_eq(node(nodes, 0)->label, "If");
    ck_assert_int_eq(node(nodes, 0)->kind, SCAN_OPEN);
    ck_assert_uint_eq(node(nodes, 0)->at, 1);
    ck_assert_int_eq(node(nodes, 0)->args, 1);
    ck_assert_int_eq(node(nodes, 1)->kind, SCAN_DIRECTIVE);
    ck_assert_mem_eq(SECTION + node(nodes, 1)->at, "A", 1);
    ck_assert_uint_eq(node(nodes, 1)->len, 1);
    ck_assert_int_eq(node(nodes, 1)->args, 2);
    ck_assert_int_eq(node(nodes, 2)->kind, SCAN_COMMENT);
    ck_assert_str_eq(node(nodes, 3)->path, "/t/If/Files");
    ck_assert_str_eq(node(nodes, 4)->path, "/t/If/Files/directive");
    ck_assert_int_eq(node(nodes, 5)->args, -1);
}
END_TEST

/* Equal bytes give equal trees; looks do not matter, words and order do. */
START_TEST(dumped)
{
    const char *text = dump(parsed("A b c\nB d\n"));

    ck_assert_str_eq(text, dump(parsed("  A \\\n b\tc\r\n\nB  d")));
    ck_assert_str_ne(text, dump(parsed("A b\nB d\n")));
    ck_assert_str_ne(text, dump(parsed("B d\nA b c\n")));
    ck_assert_str_ne(text, dump(parsed("A b \"c\"\nB d\n")));
    ck_assert_str_ne(text, dump(parsed("a b c\nB d\n")));
    ck_assert_str_ne(text, dump(parsed("A b c\n# x\nB d\n")));
    ck_assert_str_ne(dump(parsed("A \xe9\n")), dump(parsed("A \xc3\xa9\n")));
}
END_TEST

/* A mark stays with its node; what is put before it keeps the order. */
START_TEST(marked)
{
    augeas_base_t *base = parsed("<If a>\nA\n<Files y>\n</Files>\nB\n</If>");
    const char *a = mark(base, "/t/If/directive[1]");
    const char *b = mark(base, "/t/If/directive[2]");
    const char *files = mark(base, "/t/If/Files");

    unit_ok(augeas_base_insert(base, a, "directive", "X", rig_words("1",
            "2", NULL), &err, pool));
    unit_ok(augeas_base_insert(base, b, "directive", "Y", NULL, &err, pool));
    unit_ok(augeas_base_insert(base, files, "#comment", "z", NULL, &err,
                               pool));
    unit_ok(augeas_base_insert(base, files, "directive", "Z", NULL, &err,
                               pool));
    unit_ok(augeas_base_append(base, "/t/If", "directive", "W",
                               rig_words("3", NULL), &err, pool));
    unit_ok(augeas_base_remove(base, a, &err));
    is_tree_of(base, "<If a>\nX 1 2\n# z\nZ\n<Files y>\n</Files>\nY\nB\n"
               "W 3\n</If>\n");
}
END_TEST

/* Arguments are set one by one, or all; those of a section come first. */
START_TEST(arguments)
{
    augeas_base_t *base = parsed("<If a>\nA b c\nB\n</If>\n");
    const char *outer = mark(base, "/t/If");
    const char *a = mark(base, "/t/If/directive[1]");
    const char *b = mark(base, "/t/If/directive[2]");

    unit_ok(augeas_base_set_arg(base, a, 1, "d", &err, pool));
    unit_ok(augeas_base_set_args(base, b, rig_words("x", "y", NULL), &err,
                                 pool));
    unit_ok(augeas_base_set_args(base, outer, rig_words("p", "q", NULL),
                                 &err, pool));
    is_tree_of(base, "<If p q>\nA b d\nB x y\n</If>\n");
    unit_ok(augeas_base_set_args(base, outer, rig_words(NULL), &err, pool));
    unit_ok(augeas_base_set_args(base, a, rig_words(NULL), &err, pool));
    is_tree_of(base, "<If>\nA\nB x y\n</If>\n");
    unit_ok(augeas_base_set_args(base, outer, rig_words("r", NULL), &err,
                                 pool));
    is_tree_of(base, "<If r>\nA\nB x y\n</If>\n");
}
END_TEST

/* A section is wrapped into another one, with all beside it. */
START_TEST(wrapped)
{
    augeas_base_t *base = parsed("# a\n<If b>\nA\n</If>\nB\nC\n");

    unit_ok(augeas_base_wrap(base, "IfModule", "ssl_module", &err, pool));
    is_tree_of(base, "<IfModule ssl_module>\n# a\n<If b>\nA\n</If>\nB\nC\n"
               "</IfModule>\n");
}
END_TEST

/* The line where the lens gives up is told, and no error recorded: it is
 * the caller's to say what it means. */
START_TEST(unreadable)
{
    augeas_base_t *base = rig_base();
    int line;

    ck_assert_int_eq(augeas_base_parse(base, &line, "A\nB {x\n", 7, &err,
                                       pool), APR_EINVAL);
    ck_assert_int_eq(line, 2);
    ck_assert_int_eq(err.status, APR_SUCCESS);
    unit_ok(augeas_base_parse(base, &line, "A\n", 2, &err, pool));
    is_tree_of(base, "A\n");
}
END_TEST

/* What is not there cannot be marked, changed or removed. */
START_TEST(missing)
{
    augeas_base_t *base = parsed("A b\nA c\n");
    const char *expression;

    unit_fails(augeas_base_mark(&expression, base, "/t/directive[3]", &err,
                                pool), APR_EGENERAL, "Augeas cannot find");
    base_err_clear(&err);
    unit_fails(augeas_base_mark(&expression, base, "/t/directive", &err,
                                pool), APR_EGENERAL, "Augeas cannot find");
    base_err_clear(&err);
    unit_fails(augeas_base_set_arg(base, mark(base, "/t/directive[1]"), 1,
                                   "x", &err, pool), APR_EGENERAL,
               "cannot set");
    base_err_clear(&err);
    unit_fails(augeas_base_remove(base, "/t/x", &err), APR_EGENERAL,
               "cannot remove");
    base_err_clear(&err);
    unit_fails(augeas_base_insert(base, "/t/x", "directive", "A", NULL, &err,
                                  pool), APR_EGENERAL, "cannot insert");
}
END_TEST

/* Cleared, nothing is left of a tree or its marks. */
START_TEST(cleared)
{
    augeas_base_t *base = parsed("A b\n");
    const char *expression = mark(base, "/t/directive");
    apr_array_header_t *nodes;

    augeas_base_clear(base);
    unit_ok(augeas_base_nodes(&nodes, base, &err, pool));
    ck_assert_int_eq(nodes->nelts, 0);
    ck_assert_int_eq(augeas_base_remove(base, expression, &err),
                     APR_EGENERAL);
}
END_TEST

/* Where the lens is none, the package that has it is named. */
START_TEST(no_lens)
{
    const char *dir = unit_dir();
    augeas_base_t *base;

    unit_ok(base_file_put(apr_pstrcat(pool, dir, "/httpd.aug", NULL),
                          "module Httpd =\n", 15, 0600, &err));
    setenv("AUGEAS_LENS_LIB", dir, 1);
    unit_fails(augeas_base_open(&base, &err, pool), APR_EGENERAL,
               "install the package that has httpd.aug");
}
END_TEST

Suite *augeas_base_suite(void)
{
    Suite *suite = suite_create("augeas_base");
    TCase *tc = unit_case(suite, "trees");

    tcase_add_test(tc, listed);
    tcase_add_test(tc, dumped);
    tcase_add_test(tc, marked);
    tcase_add_test(tc, arguments);
    tcase_add_test(tc, wrapped);
    tcase_add_test(tc, unreadable);
    tcase_add_test(tc, missing);
    tcase_add_test(tc, cleared);
    tcase_add_test(tc, no_lens);
    return suite;
}
