/* Questions as lines: what is shown, what is understood. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "display/rig.h"
#include "unit.h"

/* ---------------------------------------------------------------- yes, no */

/** Ask a question whose empty answer means otherwise. @return its answer */
static int yesno(const char *typed, int otherwise)
{
    rig_t *rig = rig_asking(80, pool);
    int answer = 7;

    rig_type(rig, typed);
    unit_ok(display_yesno(rig->display, &answer, "Redirect?", otherwise,
                          "--redirect", &err));
    ck_assert_str_eq(rig_out(rig), "");
    return answer;
}

/* yes and no are understood in any case and by their first letter; an
 * empty answer means what stands in capitals. */
START_TEST(yesno_answers)
{
    ck_assert_int_eq(yesno("y\n", 0), 1);
    ck_assert_int_eq(yesno("YES\n", 0), 1);
    ck_assert_int_eq(yesno("  Yes \n", 0), 1);
    ck_assert_int_eq(yesno("n\n", 1), 0);
    ck_assert_int_eq(yesno("No\n", 1), 0);
    ck_assert_int_eq(yesno("\n", 1), 1);
    ck_assert_int_eq(yesno("\n", 0), 0);
    ck_assert_int_eq(yesno("   \n", 1), 1);
    ck_assert_int_eq(yesno("yes\004\004", 0), 1);
}
END_TEST

/* Other words are asked about again. */
START_TEST(yesno_again)
{
    rig_t *rig = rig_asking(80, pool);
    int answer = 7;

    rig_type(rig, "maybe\nyesno\ny\n");
    unit_ok(display_yesno(rig->display, &answer, "Redirect?", 0, "--r",
                          &err));
    ck_assert_int_eq(answer, 1);
    ck_assert_str_eq(rig_err(rig),
                     "Redirect? [y/N] Please answer yes or no.\n"
                     "Redirect? [y/N] Please answer yes or no.\n"
                     "Redirect? [y/N] ");
}
END_TEST

/* After five answers that are none it is given up; an endless one is such
 * an answer. */
START_TEST(yesno_gives_up)
{
    rig_t *rig = rig_asking(80, pool);
    char *endless = apr_palloc(pool, 4002);
    int answer = 7;

    memset(endless, 'y', 4000);
    strcpy(endless + 4000, "\n");
    rig_type(rig, endless);
    rig_type(rig, "1\n0\ntrue\nj\ny\n");
    unit_fails(display_yesno(rig->display, &answer, "Redirect?", 0, "--r",
                             &err), ECANCELED,
               "cancelled; nothing was changed");
    ck_assert_int_eq(err.exit, BASE_EXIT_FAILED);
    ck_assert_int_eq(answer, 7);
}
END_TEST

/* The end of the input is no answer, not even an empty one. */
START_TEST(end_of_file)
{
    rig_t *rig = rig_asking(80, pool);
    int answer = 7;

    rig_type(rig, "\004");
    unit_fails(display_yesno(rig->display, &answer, "Redirect?", 1, "--r",
                             &err), ECANCELED, "cancelled");
    ck_assert_int_eq(answer, 7);
    ck_assert_str_eq(rig_err(rig), "Redirect? [Y/n] \n");
}
END_TEST

/* A terminal that goes away does not answer either. */
START_TEST(hung_up)
{
    rig_t *rig = rig_asking(80, pool);
    int answer = 7;
    pid_t pid = fork();

    if (pid == 0) {
        usleep(100000);
        _exit(0);
    }
    /* Now the child alone holds them. */
    rig_hang_up(rig);
    unit_fails(display_yesno(rig->display, &answer, "Redirect?", 1, "--r",
                             &err), ECANCELED, "cancelled");
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(answer, 7);
}
END_TEST

/* A question may have lines, and no other control character. */
START_TEST(printable)
{
    rig_t *rig = rig_asking(80, pool);
    int answer = 7;

    rig_type(rig, "y\n");
    unit_ok(display_yesno(rig->display, &answer, "One\n\033[2Jtwo?\r", 0,
                          "--r", &err));
    ck_assert_str_eq(rig_err(rig), "One\n\\x1B[2Jtwo?\\x0D [y/N] ");
}
END_TEST

/* ------------------------------------------------------------------ menu */

#define MENU "Which host?\n" \
    "  1  a.test     the first\n" \
    "  2  long.test  the second\n" \
    "  3  \\x1B.test\n"

static apr_array_header_t *hosts(void)
{
    apr_array_header_t *items = rig_items(3, pool);
    display_item_t *item = (display_item_t *)items->elts;

    item[0].tag = "a.test";
    item[0].text = "the first";
    item[1].tag = "long.test";
    item[1].text = "the second";
    item[2].tag = "\033.test";
    item[2].text = "";
    return items;
}

static apr_status_t menu(rig_t *rig, int *choice, const char *typed)
{
    rig_type(rig, typed);
    return display_menu(rig->display, choice, "Which host?", hosts(),
                        "--vhost", &err);
}

/* A choice is a number or the name itself. */
START_TEST(menu_answers)
{
    static const struct {
        const char *typed;
        int choice;
    } rows[] = {
        { "1\n", 0 }, { "3\n", 2 }, { " 2 \n", 1 }, { "002\n", 1 },
        { "long.test\n", 1 }
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rig_t *rig = rig_asking(80, pool);
        int choice = 7;

        unit_ok(menu(rig, &choice, rows[i].typed));
        ck_assert_int_eq(choice, rows[i].choice);
        ck_assert_str_eq(rig_err(rig), MENU "Number (1 to 3): ");
    }
}
END_TEST

/* Everything else is none. */
START_TEST(menu_refuses)
{
    static const char *const bad[] = {
        "", "0", "4", "-1", "1 2", "1x", "x1", "99999999999999999999", "1-2",
        "A.TEST", "long", "+1", "1.0", "%s%n"
    };
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        rig_t *rig = rig_asking(80, pool);
        int choice = 7;

        unit_ok(menu(rig, &choice, apr_pstrcat(pool, bad[i], "\n3\n",
                                               NULL)));
        ck_assert_int_eq(choice, 2);
        ck_assert_str_eq(rig_err(rig), MENU "Number (1 to 3): "
                         "Please give a number, 1 to 3.\n"
                         "Number (1 to 3): ");
    }
}
END_TEST

/* Five answers, and it is over. */
START_TEST(menu_gives_up)
{
    rig_t *rig = rig_asking(80, pool);
    int choice = 7;

    unit_fails(menu(rig, &choice, "0\n0\n0\n0\n0\n1\n"), ECANCELED,
               "cancelled");
    ck_assert_int_eq(choice, 7);
}
END_TEST

/* -------------------------------------------------------------- checklist */

/** "x-x": which of five items are on, of which the last was. */
static const char *checklist(const char *typed, apr_status_t want)
{
    rig_t *rig = rig_asking(80, pool);
    apr_array_header_t *items = rig_items(5, pool);
    display_item_t *item = (display_item_t *)items->elts;
    char *on = apr_pcalloc(pool, 6);
    int i;

    item[4].on = 1;
    rig_type(rig, typed);
    ck_assert_int_eq(display_checklist(rig->display, "Which names?", items,
                                       "NAME...", &err), want);
    for (i = 0; i < 5; i++) {
        on[i] = item[i].on ? 'x' : '-';
    }
    return on;
}

/* Numbers, ranges, all and none; an empty answer takes what is marked. */
START_TEST(checklist_answers)
{
    ck_assert_str_eq(checklist("\n", APR_SUCCESS), "----x");
    ck_assert_str_eq(checklist("1\n", APR_SUCCESS), "x----");
    ck_assert_str_eq(checklist("1 3\n", APR_SUCCESS), "x-x--");
    ck_assert_str_eq(checklist("1,3\n", APR_SUCCESS), "x-x--");
    ck_assert_str_eq(checklist("1, 3-5 ,\n", APR_SUCCESS), "x-xxx");
    ck_assert_str_eq(checklist("2-2 2\n", APR_SUCCESS), "-x---");
    ck_assert_str_eq(checklist("1-5\n", APR_SUCCESS), "xxxxx");
    ck_assert_str_eq(checklist("ALL\n", APR_SUCCESS), "xxxxx");
    ck_assert_str_eq(checklist("none\n", APR_SUCCESS), "-----");
}
END_TEST

static const char *const nonsense[] = {
    "0", "6", "1-6", "3-1", "1-", "-1", "1--2", "1-2-3", "x", "1 x", "1;2",
    "all none", "alle", "1 all", ",", "99999999999999999999",
    "1-99999999999999999999", "1.5"
};

/* Nonsense changes nothing: the next, empty answer takes what is marked. */
START_TEST(checklist_refuses)
{
    ck_assert_str_eq(checklist(apr_pstrcat(pool, nonsense[_i], "\n\n", NULL),
                               APR_SUCCESS), "----x");
}
END_TEST

/* Nor does a cancelled one. */
START_TEST(checklist_cancelled)
{
    ck_assert_str_eq(checklist("1 x\n\004", ECANCELED), "----x");
    base_err_clear(&err);
    ck_assert_str_eq(checklist("x\nx\nx\nx\nx\n1\n", ECANCELED), "----x");
}
END_TEST

/* It shows what is marked, and numbers line up. */
START_TEST(checklist_shown)
{
    rig_t *rig = rig_asking(80, pool);
    apr_array_header_t *items = rig_items(10, pool);

    APR_ARRAY_IDX(items, 9, display_item_t).on = 1;
    APR_ARRAY_IDX(items, 9, display_item_t).text = "ticked";
    rig_type(rig, "all\n");
    unit_ok(display_checklist(rig->display, "Which names?", items, "NAME...",
                              &err));
    ck_assert(strstr(rig_err(rig), "Which names?\n"
                     "   1  [ ] item1\n") != NULL);
    ck_assert(strstr(rig_err(rig),
                     "  10  [x] item10  ticked\n"
                     "Numbers, ranges, all or none (Enter: as marked): ")
              != NULL);
}
END_TEST

Suite *ask_text_suite(void)
{
    Suite *suite = suite_create("display/ask_text");
    TCase *tc = unit_case(suite, "ask_text");

    tcase_add_test(tc, yesno_answers);
    tcase_add_test(tc, yesno_again);
    tcase_add_test(tc, yesno_gives_up);
    tcase_add_test(tc, end_of_file);
    tcase_add_test(tc, hung_up);
    tcase_add_test(tc, printable);
    tcase_add_test(tc, menu_answers);
    tcase_add_test(tc, menu_refuses);
    tcase_add_test(tc, menu_gives_up);
    tcase_add_test(tc, checklist_answers);
    tcase_add_loop_test(tc, checklist_refuses, 0,
                        (int)(sizeof(nonsense) / sizeof(nonsense[0])));
    tcase_add_test(tc, checklist_cancelled);
    tcase_add_test(tc, checklist_shown);
    return suite;
}
