/* Where a result goes, when it is colored, and progress. */
#include "display/rig.h"
#include "unit.h"

#define DONE "{'schema': 'acmectl/1', 'verb': 'renew', 'ok': true, " \
    "'exit': 0, 'changed': false, 'results': []}"
#define FAILED "{'schema': 'acmectl/1', 'verb': 'renew', 'ok': false, " \
    "'exit': 1, 'changed': false, " \
    "'error': {'type': 'acmectl', 'detail': 'it is broken; mend it'}}"

/* ------------------------------------------------------------------ json */

/* --json is exactly one object on stdout, on one line, and nothing on
 * stderr; an error is a member of it. */
START_TEST(json_is_one_object)
{
    rig_t *rig = rig_memory(DISPLAY_JSON, DISPLAY_COLOR_ALWAYS, pool);

    rig_show(rig, FAILED, pool);
    ck_assert_str_eq(rig_out(rig),
        "{\"changed\":false,\"error\":{\"detail\":\"it is broken; mend it\","
        "\"type\":\"acmectl\"},\"exit\":1,\"ok\":false,"
        "\"schema\":\"acmectl/1\",\"verb\":\"renew\"}\n");
    ck_assert_str_eq(rig_err(rig), "");
}
END_TEST

/* As text an error is a sentence on stderr, and stdout stays empty. */
START_TEST(error_is_a_sentence)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);

    rig_show(rig, FAILED, pool);
    ck_assert_str_eq(rig_out(rig), "");
    ck_assert_str_eq(rig_err(rig), "acmectl: it is broken; mend it\n");
}
END_TEST

/* ----------------------------------------------------------------- color */

#define ISSUED "{'schema': 'acmectl/1', 'verb': 'issue', 'ok': true, " \
    "'exit': 0, 'changed': true, 'results': [{'name': 'a.test', " \
    "'result': 'issued', 'error': null, 'requests': 8, 'seconds': 0.43}]}"
#define PLAIN "a.test: issued (8 requests, 0.43 s)\n"
#define COLORED "a.test: \033[32missued\033[0m (8 requests, 0.43 s)\n"

/** What a result looks like on a terminal. */
static const char *on_terminal(display_color_t color)
{
    rig_t *rig = rig_terminal(color, 80, pool);

    rig_show(rig, ISSUED, pool);
    return rig_out(rig);
}

/* auto: color on a terminal and nowhere else. */
START_TEST(color_auto)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_AUTO, pool);

    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
    ck_assert_str_eq(on_terminal(DISPLAY_COLOR_AUTO), COLORED);
    rig_show(rig, ISSUED, pool);
    ck_assert_str_eq(rig_out(rig), PLAIN);
}
END_TEST

/* NO_COLOR and a dumb terminal turn auto off; an empty NO_COLOR does not
 * (no-color.org). */
START_TEST(color_refused)
{
    setenv("TERM", "xterm", 1);
    setenv("NO_COLOR", "1", 1);
    ck_assert_str_eq(on_terminal(DISPLAY_COLOR_AUTO), PLAIN);
    setenv("NO_COLOR", "", 1);
    ck_assert_str_eq(on_terminal(DISPLAY_COLOR_AUTO), COLORED);
    setenv("TERM", "dumb", 1);
    ck_assert_str_eq(on_terminal(DISPLAY_COLOR_AUTO), PLAIN);
}
END_TEST

/* always and never mean what they say. */
START_TEST(color_told)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_ALWAYS, pool);

    setenv("NO_COLOR", "1", 1);
    rig_show(rig, ISSUED, pool);
    ck_assert_str_eq(rig_out(rig), COLORED);
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
    ck_assert_str_eq(on_terminal(DISPLAY_COLOR_NEVER), PLAIN);
}
END_TEST

/* -------------------------------------------------------------- progress */

/** The run has taken two seconds. */
static void wait_two_seconds(rig_t *rig)
{
    rig->display->opened -= 2 * APR_USEC_PER_SEC;
}

/* Nothing is said about what takes less than a second. */
START_TEST(progress_is_patient)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);

    display_progress(rig->display, "a.test", "ordering");
    ck_assert_str_eq(rig_err(rig), "");
    wait_two_seconds(rig);
    display_progress(rig->display, "a.test", "waiting");
    ck_assert_str_eq(rig_err(rig), "a.test: waiting (2 s)\n");
}
END_TEST

/* In a log each step is a line, whatever stdout carries. */
START_TEST(progress_lines)
{
    rig_t *rig = rig_memory(DISPLAY_JSON, DISPLAY_COLOR_ALWAYS, pool);

    wait_two_seconds(rig);
    display_progress(rig->display, "a.test", "ordering");
    display_progress(rig->display, "b.test", "ordering");
    rig_show(rig, DONE, pool);
    ck_assert_str_eq(rig_err(rig), "a.test: ordering (2 s)\n"
                     "b.test: ordering (2 s)\n");
}
END_TEST

/* On a terminal one line is drawn over and over, and is gone when the
 * result comes. */
START_TEST(progress_redrawn)
{
    rig_t *rig = rig_terminal(DISPLAY_COLOR_NEVER, 80, pool);

    wait_two_seconds(rig);
    display_progress(rig->display, "a.test", "ordering");
    display_progress(rig->display, "b.test", "waiting");
    ck_assert_str_eq(rig_err(rig), "\r\033[Ka.test: ordering (2 s)"
                     "\r\033[Kb.test: waiting (2 s)");
    rig_show(rig, DONE, pool);
    ck_assert_str_eq(rig_err(rig), "\r\033[Ka.test: ordering (2 s)"
                     "\r\033[Kb.test: waiting (2 s)\r\033[K");
    ck_assert_str_eq(rig_out(rig), "nothing to do\n");
}
END_TEST

/* A line that is too long for the terminal is cut, because one that wraps
 * could not be removed. */
START_TEST(progress_fits)
{
    rig_t *rig = rig_terminal(DISPLAY_COLOR_NEVER, 20, pool);

    wait_two_seconds(rig);
    display_progress(rig->display, "a.test", "waiting for validation");
    ck_assert_str_eq(rig_err(rig), "\r\033[Ka.test: waiting ...");
}
END_TEST

/** A wait goes on that has taken so many seconds. */
static void tick(rig_t *rig, int seconds)
{
    rig->display->opened -= seconds * APR_USEC_PER_SEC;
    display_tick(rig->display);
}

/* A step that began too early to be shown is shown when the run has taken a
 * second, and in a log only once. */
START_TEST(ticks_in_lines)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);

    tick(rig, 2);
    rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);
    display_progress(rig->display, "a.test", "ordering");
    tick(rig, 0);
    ck_assert_str_eq(rig_err(rig), "");
    tick(rig, 1);
    tick(rig, 1);
    ck_assert_str_eq(rig_err(rig), "a.test: ordering (1 s)\n");
    display_progress(rig->display, "b.test", "ordering");
    tick(rig, 5);
    ck_assert_str_eq(rig_err(rig), "a.test: ordering (1 s)\n"
                     "b.test: ordering (2 s)\n");
}
END_TEST

/* On a terminal the seconds are counted, each drawn once. */
START_TEST(ticks_redrawn)
{
    rig_t *rig = rig_terminal(DISPLAY_COLOR_NEVER, 80, pool);

    display_progress(rig->display, "a.test", "ordering");
    tick(rig, 1);
    tick(rig, 0);
    tick(rig, 2);
    ck_assert_str_eq(rig_err(rig), "\r\033[Ka.test: ordering (1 s)"
                     "\r\033[Ka.test: ordering (3 s)");
}
END_TEST

/* What is over does not go on: neither before any step nor after the
 * result, nor if nobody wants to know. */
START_TEST(ticks_for_nothing)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);

    tick(rig, 2);
    ck_assert_str_eq(rig_err(rig), "");
    rig->display->options.quiet = 1;
    display_progress(rig->display, "a.test", "ordering");
    tick(rig, 2);
    ck_assert_str_eq(rig_err(rig), "");
    rig->display->options.quiet = 0;
    rig_show(rig, DONE, pool);
    tick(rig, 2);
    ck_assert_str_eq(rig_err(rig), "");
}
END_TEST

/* What can be counted shows how much is done, and never more than all. */
START_TEST(progress_counted)
{
    static const struct {
        int done;
        int all;
        const char *line;
    } rows[] = {
        { 0, 8, "hosts: 0 of 8, 0 % (2 s)\n" },
        { 1, 3, "hosts: 1 of 3, 33 % (2 s)\n" },
        { 8, 8, "hosts: 8 of 8, 100 % (2 s)\n" },
        { 9, 8, "hosts: 9 of 8, 100 % (2 s)\n" },
        { 0, 0, "hosts: 0 of 0, 0 % (2 s)\n" },
        { -1, 8, "hosts: -1 of 8, 0 % (2 s)\n" }
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);

        wait_two_seconds(rig);
        display_progress_of(rig->display, rows[i].done, rows[i].all,
                            "hosts");
        ck_assert_str_eq(rig_err(rig), rows[i].line);
    }
}
END_TEST

/* ----------------------------------------------------------------- boxes */

/* Boxes need a terminal; other displays need nothing. */
START_TEST(boxes_refused)
{
    rig_t *rig = rig_memory(DISPLAY_DIALOG, DISPLAY_COLOR_NEVER, pool);
    display_options_t options = rig->display->options;

    unit_fails(display_check(&options, &err, pool), APR_EINVAL,
               "--display dialog needs a terminal; use --display text");
    ck_assert_int_eq(err.exit, BASE_EXIT_USAGE);
    rig_show(rig, FAILED, pool);
    ck_assert_str_eq(rig_err(rig), "acmectl: it is broken; mend it\n");
    options.kind = DISPLAY_TEXT;
    base_err_clear(&err);
    unit_ok(display_check(&options, &err, pool));
    options.kind = DISPLAY_JSON;
    unit_ok(display_check(&options, &err, pool));
}
END_TEST

/* A terminal that TERM does not name, or a program that is none. */
START_TEST(boxes_impossible)
{
    rig_t *rig = rig_asking(80, pool);
    display_options_t options = rig->display->options;

    options.kind = DISPLAY_DIALOG;
    options.program = "/nonexistent/dialog";
    setenv("TERM", "dumb", 1);
    unit_fails(display_check(&options, &err, pool), APR_EINVAL,
               "a terminal that TERM names");
    unsetenv("TERM");
    base_err_clear(&err);
    unit_fails(display_check(&options, &err, pool), APR_EINVAL,
               "a terminal that TERM names");
    setenv("TERM", "xterm", 1);
    base_err_clear(&err);
    unit_fails(display_check(&options, &err, pool), APR_EINVAL,
               "needs /nonexistent/dialog; install the package dialog");
}
END_TEST

/* --quiet shows none. */
START_TEST(progress_quiet)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);

    rig->display->options.quiet = 1;
    wait_two_seconds(rig);
    display_progress(rig->display, "a.test", "ordering");
    ck_assert_str_eq(rig_err(rig), "");
    rig_show(rig, FAILED, pool);
    ck_assert_str_eq(rig_err(rig), "acmectl: it is broken; mend it\n");
}
END_TEST

/* A step cannot move the cursor. */
START_TEST(progress_is_escaped)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);

    wait_two_seconds(rig);
    display_progress(rig->display, "a.test\n", "\033[2Jordering");
    ck_assert(strchr(rig_err(rig), '\033') == NULL);
    ck_assert_ptr_eq(strchr(rig_err(rig), '\n'),
                     rig_err(rig) + strlen(rig_err(rig)) - 1);
}
END_TEST

Suite *display_suite(void)
{
    Suite *suite = suite_create("display/display");
    TCase *tc = unit_case(suite, "display");

    tcase_add_test(tc, json_is_one_object);
    tcase_add_test(tc, error_is_a_sentence);
    tcase_add_test(tc, color_auto);
    tcase_add_test(tc, color_refused);
    tcase_add_test(tc, color_told);
    tcase_add_test(tc, progress_is_patient);
    tcase_add_test(tc, progress_lines);
    tcase_add_test(tc, progress_redrawn);
    tcase_add_test(tc, progress_fits);
    tcase_add_test(tc, ticks_in_lines);
    tcase_add_test(tc, ticks_redrawn);
    tcase_add_test(tc, ticks_for_nothing);
    tcase_add_test(tc, progress_counted);
    tcase_add_test(tc, boxes_refused);
    tcase_add_test(tc, boxes_impossible);
    tcase_add_test(tc, progress_quiet);
    tcase_add_test(tc, progress_is_escaped);
    return suite;
}
