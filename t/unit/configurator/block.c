/* Sections: what is in them, and edits of it. */
#include <locale.h>

#include "configurator/text_rig.h"

/** A block of one text with its edits. */
typedef struct one_t {
    text_t *text;
    block_t *block;
    edits_t *edits;
} one_t;

/** The first section of some bytes. */
static one_t open_one(const char *data)
{
    augeas_base_t *base = rig_base();
    one_t one;

    one.text = rig_text(data);
    one.block = rig_block(base, one.text, 0);
    one.edits = edits_make(one.text, base, pool);
    unit_ok(edits_block(one.edits, one.block, &err));
    return one;
}

/** Assert what the text is after the edits. */
static void becomes(const one_t *one, const char *want)
{
    ck_assert_str_eq(rig_finish(one->edits), want);
}

static const block_node_t *node(const block_t *block, int i)
{
    ck_assert_int_lt(i, block_nodes(block)->nelts);
    return &APR_ARRAY_IDX(block_nodes(block), i, block_node_t);
}

/** Assert that the first section of some bytes is refused. */
static void refused(const char *data, const char *says)
{
    block_t *block;

    unit_fails(block_open(&block, rig_base(), rig_text(data), 0, &err, pool),
               APR_EINVAL, says);
    base_err_clear(&err);
}

#define HOST "<VirtualHost *:80>\n    ServerName a\n    # c\n" \
    "    <Directory \"/x y\">\n        Options None\n    </Directory>\n" \
    "    ServerAlias b \"c\"\n</VirtualHost>\n"

/* ---------------------------------------------------------------- looking */

/* A block lists its directives, comments and sections in order. */
START_TEST(listed)
{
    one_t one = open_one("Listen 80\n" HOST);

    ck_assert_str_eq(apr_array_pstrcat(pool, block_words(one.block), '|'),
                     "*:80");
    ck_assert_int_eq(block_nodes(one.block)->nelts, 5);
    ck_assert_str_eq(node(one.block, 0)->name, "ServerName");
    ck_assert_int_eq(node(one.block, 0)->line, 3);
    ck_assert_int_eq(node(one.block, 1)->kind, SCAN_COMMENT);
    ck_assert_int_eq(node(one.block, 2)->kind, SCAN_OPEN);
    ck_assert_str_eq(apr_array_pstrcat(pool, node(one.block, 2)->words, '|'),
                     "/x y");
    ck_assert_int_eq(node(one.block, 3)->depth, 1);
    ck_assert_int_eq(node(one.block, 3)->parent, 2);
    ck_assert_int_eq(node(one.block, 4)->parent, -1);
    ck_assert_str_eq(apr_array_pstrcat(pool, node(one.block, 4)->words, '|'),
                     "b|c");
    ck_assert_int_eq(block_is_edited(one.block), 0);
}
END_TEST

/* A node is found by its name in any case, deep only when asked. */
START_TEST(found)
{
    one_t one = open_one(HOST);

    ck_assert_int_eq(block_find(one.block, "serveralias", 0, 0), 4);
    ck_assert_int_eq(block_find(one.block, "Options", 0, 0), -1);
    ck_assert_int_eq(block_find(one.block, "Options", 0, 1), 3);
    ck_assert_int_eq(block_find(one.block, "Directory", 0, 0), 2);
    ck_assert_int_eq(block_find(one.block, "ServerName", 1, 0), -1);
    ck_assert_int_eq(block_find(one.block, "", 0, 1), -1);
}
END_TEST

/* What httpd and the lens can both read is opened, however odd it looks. */
START_TEST(opened)
{
    static const char *const texts[] = {
        "<VirtualHost *:80>\n</VirtualHost>",
        "<VirtualHost *:80>\r\n\tServerName a\r\n</VirtualHost>\r\n",
        "\t <virtualhost \\\n  *:80 [::1]:80>\n#\n #\t\n\n</VirtualHost>",
        "<VirtualHost *:80>\n# caf\xe9 \xc3\xa9\nServerAdmin \xff\n"
        "</VirtualHost>\n",
        "<VirtualHost *:80>\n# a \\\n b\nServerName \\\n  a\n</VirtualHost>",
        "<VirtualHost *:80>\n<Perl>\nfoo <= 1;\n</Perl>\n</VirtualHost>\n",
        "<VirtualHost *:80>\n<If \"%{A} > 1\">\n</If>\n</VirtualHost>\n",
        "<VirtualHost *:80>\nSSLRequire {a, b}\n</VirtualHost>\n",
        "<VirtualHost *:80>\nA \"b\nC 'd e' \"f \\\" g\"\n</VirtualHost>\n",
        "<IfModule !a.c>\n##\n#x\\y\n</IfModule>\n",
        "<VirtualHost *:80>\n## \xe9 \\\\ x\n</VirtualHost>\n"
    };
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        block_t *block;

        /* Perl with "<" in it is what the lens cannot read. */
        if (strstr(texts[i], "<=")) {
            refused(texts[i], "Augeas cannot read");
            continue;
        }
        unit_ok(block_open(&block, rig_base(), rig_text(texts[i]), 0, &err,
                           pool));
    }
}
END_TEST

/* Bytes that are no UTF-8 are read in any locale. */
START_TEST(any_locale)
{
    if (setlocale(LC_ALL, "C.UTF-8")) {
        open_one("<VirtualHost *:80>\n# caf\xe9\nServerAdmin \xff\xfe\n"
                 "ErrorDocument 500 \"h\xf6 h\xf6\"\n</VirtualHost>\n");
        ck_assert_str_eq(setlocale(LC_ALL, NULL), "C.UTF-8");
    }
}
END_TEST

/* Perl code is no node; its section is one. */
START_TEST(perl)
{
    one_t one = open_one("<VirtualHost *:80>\n<Perl>\n $a = 1;\n</Perl>\n"
                         "A b\n</VirtualHost>\n");

    ck_assert_int_eq(block_nodes(one.block)->nelts, 2);
    ck_assert_str_eq(node(one.block, 0)->name, "Perl");
    ck_assert_int_eq(node(one.block, 0)->kind, SCAN_OPEN);
    unit_ok(block_remove(one.block, 0, &err));
    becomes(&one, "<VirtualHost *:80>\nA b\n</VirtualHost>\n");
}
END_TEST

/* What the lens cannot read is refused with the very line. */
START_TEST(unreadable)
{
    refused("A\n<VirtualHost *:80>\n</VirtualHost>\n", "no section");
    refused("<VirtualHost *:80>\nA b\n<Location ~ \"(?<n>x)/a>>\n"
            "</Location>\nC\n</VirtualHost>\n",
            "site.conf:3: Augeas cannot read this line, change the file by "
            "hand: <Location ~");
    refused("<VirtualHost *:80>\nA\nB {\"a\": 1\n</VirtualHost>\n",
            "site.conf:3:");
    refused("<VirtualHost *:80>\nA\n\v\nB\n</VirtualHost>\n",
            "site.conf:3:");
    refused("<VirtualHost *:80>\nA\n\fB c\n</VirtualHost>\n",
            "site.conf:3:");
    refused("<VirtualHost *:80>\nA b\fc\n# x\\ \n</VirtualHost>\n",
            "site.conf:3:");
    refused("<VirtualHost *:80>\nA 'b\n</VirtualHost>\n", "site.conf:2:");
    refused("<VirtualHost *:80>\n\\\nA b\n</VirtualHost>\n",
            "site.conf:2:");
    refused("<VirtualHost <a>>\nA b\n</VirtualHost>\n", "site.conf:1:");
}
END_TEST

/* What the lens reads otherwise than httpd is refused, too. */
START_TEST(misread)
{
    refused("<VirtualHost *:80>\nServer\\\nName a\n</VirtualHost>\n",
            "site.conf:2: Augeas reads this otherwise");
    refused("<VirtualHost *:80> A b\n</VirtualHost>\n",
            "Augeas reads");
    refused("<VirtualHost *:80>\n</VirtualHost> A\n", "Augeas reads more");
    refused("<VirtualHost *:80>\n<Macro a>\n<If x>\n</If>\n</Macro>\n"
            "</VirtualHost>\n", "site.conf:3: Augeas reads this otherwise");
}
END_TEST

/* ---------------------------------------------------------------- editing */

/* A directive is put where it is asked for, looking like its neighbour. */
START_TEST(inserted)
{
    one_t one = open_one(HOST);

    unit_ok(block_insert(one.block, 0, "A", rig_words("x", NULL), &err));
    unit_ok(block_insert(one.block, 2, "B", rig_words("y z", NULL), &err));
    unit_ok(block_insert(one.block, 3, "C", rig_words(NULL), &err));
    unit_ok(block_insert(one.block, -1, "D", rig_words("", "d", NULL),
                         &err));
    ck_assert_int_eq(block_is_edited(one.block), 1);
    becomes(&one, "<VirtualHost *:80>\n    A x\n    ServerName a\n    # c\n"
            "    B \"y z\"\n    <Directory \"/x y\">\n        C\n"
            "        Options None\n    </Directory>\n"
            "    ServerAlias b \"c\"\n    D \"\" d\n</VirtualHost>\n");
}
END_TEST

/* Several at one place stand in the order of the calls. */
START_TEST(inserted_in_order)
{
    one_t one = open_one(HOST);

    unit_ok(block_insert(one.block, 2, "A", rig_words("1", NULL), &err));
    unit_ok(block_insert(one.block, -1, "X", rig_words("1", NULL), &err));
    unit_ok(block_comment(one.block, 2, "two", &err));
    unit_ok(block_insert(one.block, -1, "Y", rig_words("2", NULL), &err));
    unit_ok(block_insert(one.block, 2, "B", rig_words("3", NULL), &err));
    becomes(&one, "<VirtualHost *:80>\n    ServerName a\n    # c\n"
            "    A 1\n    # two\n    B 3\n"
            "    <Directory \"/x y\">\n        Options None\n"
            "    </Directory>\n    ServerAlias b \"c\"\n    X 1\n    Y 2\n"
            "</VirtualHost>\n");
}
END_TEST

/* Tabs, CRLF and an empty block: what is put looks like the file. */
START_TEST(inserted_looks)
{
    one_t one = open_one("<VirtualHost *:80>\r\n\tA b\r\n</VirtualHost>");

    unit_ok(block_insert(one.block, -1, "C", rig_words("d", NULL), &err));
    unit_ok(block_insert(one.block, 0, "B", rig_words("d", NULL), &err));
    becomes(&one, "<VirtualHost *:80>\r\n\tB d\r\n\tA b\r\n\tC d\r\n"
            "</VirtualHost>");
    one = open_one("  <VirtualHost *:80>\n  </VirtualHost>\n"
                   "<If a>\n\tB c\n</If>\n");
    unit_ok(block_insert(one.block, -1, "C", rig_words("d", NULL), &err));
    becomes(&one, "  <VirtualHost *:80>\n  \tC d\n  </VirtualHost>\n"
            "<If a>\n\tB c\n</If>\n");
    one = open_one("<VirtualHost *:80>\n</VirtualHost>");
    unit_ok(block_insert(one.block, -1, "C", rig_words("d", NULL), &err));
    becomes(&one, "<VirtualHost *:80>\n    C d\n</VirtualHost>");
}
END_TEST

/* In a file of mixed ends each line takes its neighbour's. */
START_TEST(inserted_mixed)
{
    one_t one = open_one("<VirtualHost *:80>\n A b\r\n C d\n E f\r\n"
                         "</VirtualHost>\n");

    unit_ok(block_insert(one.block, 0, "X", rig_words(NULL), &err));
    unit_ok(block_insert(one.block, 1, "Y", rig_words(NULL), &err));
    unit_ok(block_insert(one.block, -1, "Z", rig_words(NULL), &err));
    becomes(&one, "<VirtualHost *:80>\n X\r\n A b\r\n Y\n C d\n E f\r\n"
            " Z\r\n</VirtualHost>\n");
}
END_TEST

/* Comments get a "#"; they are one line. */
START_TEST(commented)
{
    one_t one = open_one("<VirtualHost *:80>\n A b\n</VirtualHost>\n");

    unit_ok(block_comment(one.block, 0, " managed by us ", &err));
    unit_ok(block_comment(one.block, -1, "#caf\xe9", &err));
    becomes(&one, "<VirtualHost *:80>\n # managed by us\n A b\n"
            " # #caf\xe9\n</VirtualHost>\n");
}
END_TEST

/* A line goes with its continuations, a section with all in it. */
START_TEST(removed)
{
    one_t one = open_one("<VirtualHost *:80>\n  A \\\n b\n\n# c\n<If x>\n"
                         "B\n<If y>\n</If>\n</If>\n C d\n</VirtualHost>\n");

    unit_ok(block_remove(one.block, 0, &err));
    becomes(&one, "<VirtualHost *:80>\n\n# c\n<If x>\nB\n<If y>\n</If>\n"
            "</If>\n C d\n</VirtualHost>\n");
    unit_ok(block_remove(one.block, 2, &err));
    unit_ok(block_remove(one.block, 1, &err));
    unit_ok(block_remove(one.block, 5, &err));
    becomes(&one, "<VirtualHost *:80>\n\n</VirtualHost>\n");
}
END_TEST

/* What is removed takes its own edits along; what was put before stays. */
START_TEST(removed_edited)
{
    one_t one = open_one(HOST);

    unit_ok(block_set(one.block, 3, 0, "All", &err));
    unit_ok(block_insert(one.block, 3, "X", rig_words(NULL), &err));
    unit_ok(block_insert(one.block, 2, "Y", rig_words(NULL), &err));
    unit_ok(block_remove(one.block, 3, &err));
    unit_ok(block_remove(one.block, 2, &err));
    unit_ok(block_remove(one.block, 2, &err));
    unit_ok(block_insert(one.block, 2, "Z", rig_words(NULL), &err));
    unit_fails(block_set(one.block, 2, 0, "/", &err), APR_EINVAL,
               "taken away");
    base_err_clear(&err);
    unit_fails(block_insert(one.block, 3, "Z", rig_words(NULL), &err),
               APR_EINVAL, "taken away");
    base_err_clear(&err);
    becomes(&one, "<VirtualHost *:80>\n    ServerName a\n    # c\n"
            "    Y\n    Z\n    ServerAlias b \"c\"\n</VirtualHost>\n");
}
END_TEST

/* An argument is replaced, and nothing around it. */
START_TEST(set)
{
    one_t one = open_one("<VirtualHost   *:80\t>\r\n  A \"b\"   \\\r\n  c \r\n"
                         "</VirtualHost>\r\n");

    unit_ok(block_set(one.block, -1, 0, "*:443", &err));
    unit_ok(block_set(one.block, 0, 0, "x y", &err));
    unit_ok(block_set(one.block, 0, 1, "first", &err));
    unit_ok(block_set(one.block, 0, 1, "z", &err));
    becomes(&one, "<VirtualHost   *:443\t>\r\n  A \"x y\"   \\\r\n  z \r\n"
            "</VirtualHost>\r\n");
}
END_TEST

/* Set to what it is, an argument keeps its quotes, and nothing is edited. */
START_TEST(set_same)
{
    one_t one = open_one(HOST);

    unit_ok(block_set(one.block, 4, 1, "c", &err));
    unit_ok(block_set_all(one.block, 4, rig_words("b", "c", NULL), &err));
    ck_assert_int_eq(block_is_edited(one.block), 0);
    unit_ok(block_set(one.block, 4, 1, "d", &err));
    ck_assert_int_eq(block_is_edited(one.block), 1);
    unit_ok(block_set(one.block, 4, 1, "c", &err));
    ck_assert_int_eq(edits_any(one.edits), 0);
    becomes(&one, HOST);
}
END_TEST

/* All arguments are replaced by more, fewer or none. */
START_TEST(set_all)
{
    one_t one = open_one("<VirtualHost *:80 *:81>\n  A b\\\n c # d\n  B\n"
                         "  C \"d\" e\n</VirtualHost>\n");

    unit_ok(block_set_all(one.block, -1, rig_words("*:443", NULL), &err));
    unit_ok(block_set_all(one.block, 1, rig_words("x", "y", NULL), &err));
    unit_ok(block_set_all(one.block, 2, rig_words(NULL), &err));
    becomes(&one, "<VirtualHost *:443>\n  A b\\\n c # d\n  B x y\n  C\n"
            "</VirtualHost>\n");
    unit_ok(block_set_all(one.block, -1, rig_words("a", "b c", "d", NULL),
                          &err));
    unit_ok(block_set(one.block, -1, 2, "e", &err));
    unit_ok(block_set_all(one.block, 2, rig_words("1", "2", "3", NULL),
                          &err));
    becomes(&one, "<VirtualHost a \"b c\" e>\n  A b\\\n c # d\n  B x y\n"
            "  C 1 2 3\n</VirtualHost>\n");
}
END_TEST

/* Sections without arguments get some, with nodes in them or without. */
START_TEST(set_all_header)
{
    one_t one = open_one("<Foo>\nA\n</Foo>\n");

    unit_ok(block_set_all(one.block, -1, rig_words("x", "y", NULL), &err));
    becomes(&one, "<Foo x y>\nA\n</Foo>\n");
    one = open_one("<Foo>\n</Foo>\n");
    unit_ok(block_set_all(one.block, -1, rig_words("x", NULL), &err));
    becomes(&one, "<Foo x>\n</Foo>\n");
    one = open_one("<Foo a \\\n b>\nA\n</Foo>\n");
    unit_ok(block_set_all(one.block, -1, rig_words(NULL), &err));
    becomes(&one, "<Foo>\nA\n</Foo>\n");
}
END_TEST

/* --------------------------------------------------------------- refusals */

/* Words that no line can hold, names that are none, nodes that are not. */
START_TEST(bad_edits)
{
    one_t one = open_one(HOST);

    unit_fails(block_insert(one.block, 0, "A", rig_words("a\nb", NULL),
                            &err), APR_EINVAL, "end of line");
    base_err_clear(&err);
    unit_fails(block_insert(one.block, 0, "A b", rig_words(NULL), &err),
               APR_EINVAL, "not the name");
    base_err_clear(&err);
    unit_fails(block_insert(one.block, 0, "", rig_words(NULL), &err),
               APR_EINVAL, "not the name");
    base_err_clear(&err);
    unit_fails(block_insert(one.block, 0, "</If>", rig_words(NULL), &err),
               APR_EINVAL, "not the name");
    base_err_clear(&err);
    unit_fails(block_insert(one.block, 5, "A", rig_words(NULL), &err),
               APR_EINVAL, "no such line");
    base_err_clear(&err);
    unit_fails(block_remove(one.block, 9, &err), APR_EINVAL, "no such");
    base_err_clear(&err);
    unit_fails(block_remove(one.block, -1, &err), APR_EINVAL, "no such");
    base_err_clear(&err);
    unit_fails(block_comment(one.block, 0, "a\\", &err), APR_EINVAL,
               "one line");
    base_err_clear(&err);
    unit_fails(block_comment(one.block, 0, "a\nListen 1", &err), APR_EINVAL,
               "one line");
    base_err_clear(&err);
    unit_fails(block_comment(one.block, 0, " \t", &err), APR_EINVAL,
               "one line");
    ck_assert_int_eq(block_is_edited(one.block), 0);
}
END_TEST

/* Arguments that are not there, or that both readers do not share. */
START_TEST(bad_sets)
{
    one_t one = open_one("<VirtualHost *:80>\nA\n# c\nB {a, b}\nC d\\\ne\n"
                         "D \"a\"b\nE a\"b c\"\nF g#\f\"h i\n"
                         "</VirtualHost>\n");

    unit_fails(block_set(one.block, 0, 0, "x", &err), APR_EINVAL,
               "site.conf:2: cannot edit A: it has no such argument");
    base_err_clear(&err);
    unit_fails(block_set(one.block, -1, 1, "x", &err), APR_EINVAL,
               "no such argument");
    base_err_clear(&err);
    unit_fails(block_set(one.block, -1, -1, "x", &err), APR_EINVAL,
               "no such argument");
    base_err_clear(&err);
    unit_fails(block_set(one.block, -1, 0, "${x}", &err), APR_EINVAL,
               "${");
    base_err_clear(&err);
    unit_fails(block_set(one.block, 1, 0, "x", &err), APR_EINVAL,
               "a comment");
    base_err_clear(&err);
    unit_fails(block_set(one.block, 2, 0, "x", &err), APR_EINVAL,
               "other arguments");
    base_err_clear(&err);
    unit_fails(block_set(one.block, 3, 0, "x", &err), APR_EINVAL,
               "other arguments");
    base_err_clear(&err);
    unit_fails(block_set(one.block, 6, 0, "x", &err), APR_EINVAL,
               "cannot edit F: Augeas reads other arguments");
    base_err_clear(&err);
    unit_fails(block_set_all(one.block, 0, rig_words("\r", NULL), &err),
               APR_EINVAL, "end of line");
    ck_assert_int_eq(block_is_edited(one.block), 0);
}
END_TEST

Suite *block_suite(void)
{
    Suite *suite = suite_create("block");
    TCase *tc = unit_case(suite, "looking");

    tcase_add_test(tc, listed);
    tcase_add_test(tc, found);
    tcase_add_test(tc, opened);
    tcase_add_test(tc, any_locale);
    tcase_add_test(tc, perl);
    tcase_add_test(tc, unreadable);
    tcase_add_test(tc, misread);
    tc = unit_case(suite, "editing");
    tcase_add_test(tc, inserted);
    tcase_add_test(tc, inserted_in_order);
    tcase_add_test(tc, inserted_looks);
    tcase_add_test(tc, inserted_mixed);
    tcase_add_test(tc, commented);
    tcase_add_test(tc, removed);
    tcase_add_test(tc, removed_edited);
    tcase_add_test(tc, set);
    tcase_add_test(tc, set_same);
    tcase_add_test(tc, set_all);
    tcase_add_test(tc, set_all_header);
    tc = unit_case(suite, "refusals");
    tcase_add_test(tc, bad_edits);
    tcase_add_test(tc, bad_sets);
    return suite;
}
