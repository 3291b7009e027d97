/* Checkpoints, files and diffs: on a terminal, in a pipe, as JSON. */
#include <apr_strings.h>

#include "display/rig.h"
#include "unit.h"

#define HEAD "{'schema': 'acmectl/1', 'verb': 'x', 'ok': true, 'exit': 0, " \
    "'changed': false, "
#define FILES "'files': [{'path': '/e/a.conf', 'op': 'modify'}, " \
    "{'path': '/e/b.conf', 'op': 'create'}]"
#define ONE "{'id': 3, 'title': 'secure a.test', " \
    "'created': '2026-11-24T10:00:00Z', 'notes': ['why', 'how'], " FILES "}"
#define TWO "{'id': 12, 'title': 'b', 'created': null, 'notes': [], " \
    "'files': [], 'damaged': 'rec.1 is torn'}"
#define DIFF "--- /e/a\\n+++ /e/a\\n@@ -1 +1 @@\\n-old\\n+\\tnew\\n same\\n"

/** What a result with these members looks like. */
static const char *shown(display_color_t color, const char *members)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, color, pool);

    rig_show(rig, apr_pstrcat(pool, HEAD, members, "}", NULL), pool);
    return rig_out(rig);
}

#define plain(members) shown(DISPLAY_COLOR_NEVER, members)

/* Checkpoints are a table; what is wrong with one stands below it. */
START_TEST(checkpoints)
{
    ck_assert_str_eq(plain("'checkpoints': [" TWO ", " ONE "]"),
        "ID  CREATED               FILES  TITLE\n"
        "12  -                     0      b\n"
        "3   2026-11-24T10:00:00Z  2      secure a.test\n"
        "checkpoint 12: rec.1 is torn\n");
    ck_assert_str_eq(plain("'checkpoints': []"), "there is no checkpoint\n");
}
END_TEST

/* One is shown with all that is known of it, its diff last. */
START_TEST(one_checkpoint)
{
    ck_assert_str_eq(plain("'checkpoints': [" ONE "], 'diff': '" DIFF "'"),
        "checkpoint 3, 2026-11-24T10:00:00Z: secure a.test\n"
        "  why\n"
        "  how\n"
        "  modify    /e/a.conf\n"
        "  create    /e/b.conf\n"
        "--- /e/a\n+++ /e/a\n@@ -1 +1 @@\n-old\n+\tnew\n same\n");
}
END_TEST

/* What was undone is told by file, and where a user's version is. */
START_TEST(undone)
{
    ck_assert_str_eq(plain("'undone': [4, 3], 'checkpoint': 2, 'conflicts': "
        "[], 'files': [{'path': '/e/a', 'op': 'modify', 'aside': '/s/1'}, "
        "{'path': '/e/b', 'op': 'symlink'}], 'notes': ['httpd rests']"),
        "checkpoint 4 was undone\n"
        "checkpoint 3 was undone\n"
        "  restored  /e/a\n"
        "            your version is /s/1\n"
        "  removed   /e/b\n"
        "httpd rests\n");
    ck_assert_str_eq(plain("'undone': [], 'files': [], 'conflicts': "
        "[{'path': '/e/a', 'op': 'modify', 'diff': '" DIFF "'}, "
        "{'path': '/e/b', 'op': 'create'}]"),
        "changed since: /e/a\n"
        "--- /e/a\n+++ /e/a\n@@ -1 +1 @@\n-old\n+\tnew\n same\n"
        "changed since: /e/b\n");
}
END_TEST

/* Files of a verb that makes changes are told by what was done to them. */
START_TEST(done)
{
    ck_assert_str_eq(plain("'checkpoint': 4, " FILES),
        "  modify    /e/a.conf\n"
        "  create    /e/b.conf\n");
}
END_TEST

/* A plan is its diff. */
START_TEST(plan)
{
    ck_assert_str_eq(plain("'undone': [], " FILES ", 'conflicts': [], "
                           "'diff': '+x\\n'"), "+x\n");
}
END_TEST

/* An interrupted change stands before all else. */
START_TEST(recovered)
{
    ck_assert_str_eq(plain("'recovered': {'count': 1, 'conflicts': [], "
                           FILES "}, 'results': []"),
        "an interrupted change was undone\n"
        "  restored  /e/a.conf\n"
        "  removed   /e/b.conf\n"
        "nothing to do\n");
    ck_assert_str_eq(plain("'recovered': {'count': 0, 'files': [], "
                           "'conflicts': []}"),
                     "nothing is to be recovered\n");
    ck_assert_str_eq(plain("'recovered': {'count': 0, 'files': [], "
                           "'conflicts': [{'path': '/a', 'op': 'modify'}]}"),
                     "changed since: /a\n");
}
END_TEST

/* In color a diff is read by its colors; its bytes are the same. */
START_TEST(colors)
{
    ck_assert_str_eq(shown(DISPLAY_COLOR_ALWAYS, "'diff': '" DIFF "'"),
        "\033[1m--- /e/a\033[0m\n\033[1m+++ /e/a\033[0m\n"
        "\033[36m@@ -1 +1 @@\033[0m\n\033[31m-old\033[0m\n"
        "\033[32m+\tnew\033[0m\n same\n");
}
END_TEST

/** A result with a diff and a path of these bytes. */
static json_t *odd_result(const char *bytes)
{
    json_t *result = rig_result(HEAD "'checkpoint': null}", pool);
    json_t *file = json_object();
    json_t *files = json_array();

    json_object_set_new(file, "path", json_string_nocheck(bytes));
    json_object_set_new(file, "op", json_string("modify"));
    json_array_append_new(files, file);
    json_object_set_new(result, "conflicts", files);
    json_object_set_new(result, "diff", json_string_nocheck(
        apr_pstrcat(pool, "+", bytes, "\n", NULL)));
    return result;
}

/* A pipe gets a diff as it is; a terminal gets no byte that it obeys. */
START_TEST(odd_bytes)
{
    json_t *result = odd_result("\033[2J\xff\t\xc3\xa9\r");
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);

    display_result(rig->display, result);
    ck_assert_str_eq(rig_out(rig),
                     "changed since: \\x1B[2J\\xFF\\x09\xc3\xa9\\x0D\n"
                     "+\033[2J\xff\t\xc3\xa9\r\n");
    rig = rig_terminal(DISPLAY_COLOR_NEVER, 200, pool);
    display_result(rig->display, result);
    ck_assert_ptr_nonnull(strstr(rig_out(rig), "\n+\\x1B[2J\\xFF"));
    ck_assert_ptr_null(strpbrk(rig_out(rig), "\033\xff\r"));
}
END_TEST

/* JSON stays JSON: what is no UTF-8 is written as \xNN, lines and tabs as
 * they are. Strings that are good are not touched. */
START_TEST(odd_json)
{
    rig_t *rig = rig_memory(DISPLAY_JSON, DISPLAY_COLOR_NEVER, pool);
    json_t *read;

    display_result(rig->display, odd_result("a\xff\xc3\xa9\tb\nc\xfe"));
    unit_ok(base_json_parse(&read, rig_out(rig), strlen(rig_out(rig)),
                            1 << 20, "the output", &err, pool));
    ck_assert_str_eq(json_string_value(json_object_get(read, "diff")),
                     "+a\\xFF\xc3\xa9\tb\nc\\xFE\n");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(
        json_object_get(read, "conflicts"), 0), "path")),
        "a\\xFF\xc3\xa9\tb\nc\\xFE");
    ck_assert_str_eq(json_string_value(json_object_get(read, "verb")), "x");
    ck_assert(json_is_null(json_object_get(read, "checkpoint")));
}
END_TEST

/* status tells of the journal. */
START_TEST(journal)
{
    ck_assert_str_eq(plain("'journal': {'checkpoints': 1, 'active': false, "
        "'interrupted': false, 'kind': null, 'holder': null}"),
        "the journal holds 1 checkpoint\n");
    ck_assert_str_eq(plain("'journal': {'checkpoints': 0, 'active': true, "
        "'interrupted': true, 'kind': 'permanent', 'holder': null}"),
        "an interrupted change of the configuration is to be undone: "
        "acmectl recover\nthe journal holds 0 checkpoints\n");
    ck_assert_str_eq(plain("'journal': {'checkpoints': 2, 'active': true, "
        "'interrupted': false, 'kind': 'permanent', 'holder': "
        "'acmectl secure, pid 7'}"),
        "the journal is held by acmectl secure, pid 7\n"
        "the journal holds 2 checkpoints\n");
}
END_TEST

Suite *changes_suite(void);
Suite *changes_suite(void)
{
    Suite *suite = suite_create("display/changes");
    TCase *tc = unit_case(suite, "changes");

    tcase_add_test(tc, checkpoints);
    tcase_add_test(tc, one_checkpoint);
    tcase_add_test(tc, undone);
    tcase_add_test(tc, done);
    tcase_add_test(tc, plan);
    tcase_add_test(tc, recovered);
    tcase_add_test(tc, colors);
    tcase_add_test(tc, odd_bytes);
    tcase_add_test(tc, odd_json);
    tcase_add_test(tc, journal);
    return suite;
}
