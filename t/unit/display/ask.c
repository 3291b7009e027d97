/* Who may be asked, what answers instead, and what a signal means. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "display/rig.h"
#include "unit.h"

static int asked(rig_t *rig, int *answer)
{
    return display_yesno(rig->display, answer, "Redirect to https?", 0,
                         "--redirect or --no-redirect", &err);
}

/* --------------------------------------------------------------- may ask */

/* A terminal on both sides is needed. */
START_TEST(needs_a_terminal)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);
    int answer = 7;

    ck_assert_int_eq(display_can_ask(rig->display), 0);
    unit_fails(asked(rig, &answer), APR_ENOTIMPL,
               "\"Redirect to https?\" cannot be asked without a terminal; "
               "answer it by --redirect or --no-redirect");
    ck_assert_int_eq(err.exit, BASE_EXIT_USAGE);
    ck_assert_int_eq(answer, 7);
    ck_assert_str_eq(rig_err(rig), "");

    rig = rig_terminal(DISPLAY_COLOR_NEVER, 80, pool);
    ck_assert_int_eq(display_can_ask(rig->display), 0);
    rig = rig_asking(80, pool);
    ck_assert_int_eq(display_can_ask(rig->display), 1);
}
END_TEST

/* An answer that comes from a pipe is none. */
START_TEST(needs_a_person)
{
    rig_t *rig = rig_asking(80, pool);
    int fds[2];
    int answer;

    ck_assert_int_eq(pipe(fds), 0);
    rig->display->options.in = fdopen(fds[0], "r");
    ck_assert_int_eq(write(fds[1], "yes\n", 4), 4);
    unit_fails(asked(rig, &answer), APR_ENOTIMPL, "without a terminal");
    fclose(rig->display->options.in);
    close(fds[1]);
}
END_TEST

/* JSON and --non-interactive ask nothing, terminal or not, and the error
 * says which flag answers. */
START_TEST(refuses_to_ask)
{
    rig_t *rig = rig_asking(80, pool);
    apr_array_header_t *items = rig_items(2, pool);
    int answer = 7;

    rig->display->options.silent = 1;
    unit_fails(asked(rig, &answer), APR_ENOTIMPL,
               "cannot be asked with --non-interactive; answer it by "
               "--redirect or --no-redirect");
    base_err_clear(&err);
    unit_fails(display_menu(rig->display, &answer, "Which?", items,
                            "--vhost", &err), APR_ENOTIMPL,
               "answer it by --vhost");
    rig->display->options.silent = 0;
    rig->display->options.kind = DISPLAY_JSON;
    base_err_clear(&err);
    unit_fails(display_checklist(rig->display, "Which?", items, "NAME...",
                                 &err), APR_ENOTIMPL,
               "\"Which?\" cannot be asked with JSON; answer it by NAME...");
    ck_assert_int_eq(err.exit, BASE_EXIT_USAGE);
    ck_assert_int_eq(answer, 7);
    ck_assert_str_eq(rig_err(rig), "");
}
END_TEST

/* --yes answers yes-or-no questions and no others, in every display. */
START_TEST(yes_answers)
{
    rig_t *rig = rig_memory(DISPLAY_JSON, DISPLAY_COLOR_NEVER, pool);
    int answer = 0;

    rig->display->options.yes = 1;
    rig->display->options.silent = 1;
    unit_ok(asked(rig, &answer));
    ck_assert_int_eq(answer, 1);
    unit_fails(display_menu(rig->display, &answer, "Which?",
                            rig_items(2, pool), "--vhost", &err),
               APR_ENOTIMPL, "--vhost");
    ck_assert_str_eq(rig_out(rig), "");
    ck_assert_str_eq(rig_err(rig), "");
}
END_TEST

/* A question without choices is a fault of who asks. */
START_TEST(nothing_to_choose)
{
    rig_t *rig = rig_asking(80, pool);
    apr_array_header_t *none = rig_items(0, pool);
    int choice = 7;

    unit_fails(display_menu(rig->display, &choice, "Which?", none, "--x",
                            &err), APR_EINVAL,
               "\"Which?\": there is nothing to choose from");
    base_err_clear(&err);
    unit_fails(display_checklist(rig->display, "Which?", none, "--x", &err),
               APR_EINVAL, "nothing to choose");
    ck_assert_int_eq(choice, 7);
}
END_TEST

/* What does not end is not told to the error at its full length. */
START_TEST(long_question)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);
    char *question = apr_palloc(pool, 5001);
    int answer;

    memset(question, 'q', 5000);
    question[5000] = '\0';
    unit_fails(display_yesno(rig->display, &answer, question, 0, "--flag",
                             &err), APR_ENOTIMPL, "answer it by --flag");
}
END_TEST

/* --------------------------------------------------------------- signals */

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

/* A signal cancels a question, wherever it comes, and afterwards means
 * what it meant before. */
START_TEST(signal_cancels)
{
    rig_t *rig = rig_asking(80, pool);
    struct sigaction before, after;
    sigset_t set;
    int answer = 7;
    pid_t pid = fork();

    if (pid == 0) {
        usleep(100000);
        kill(getppid(), signals[_i]);
        _exit(0);
    }
    sigaction(signals[_i], NULL, &before);
    unit_fails(asked(rig, &answer), ECANCELED,
               "cancelled; nothing was changed");
    ck_assert_int_eq(err.exit, BASE_EXIT_FAILED);
    ck_assert_int_eq(answer, 7);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    sigaction(signals[_i], NULL, &after);
    ck_assert(before.sa_handler == after.sa_handler);
    sigprocmask(SIG_BLOCK, NULL, &set);
    ck_assert_int_eq(sigismember(&set, signals[_i]), 0);
}
END_TEST

/* Who was told to ignore hang-ups goes on asking. */
START_TEST(ignored_signal)
{
    rig_t *rig = rig_asking(80, pool);
    int answer = 7;
    pid_t pid;

    signal(SIGHUP, SIG_IGN);
    pid = fork();
    if (pid == 0) {
        usleep(50000);
        kill(getppid(), SIGHUP);
        usleep(50000);
        rig_type(rig, "y\n");
        _exit(0);
    }
    unit_ok(asked(rig, &answer));
    ck_assert_int_eq(answer, 1);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert(signal(SIGHUP, SIG_DFL) == SIG_IGN);
}
END_TEST

/* ------------------------------------------------------------------ show */

/* What a question is about is shown where the question will be. */
START_TEST(shows)
{
    rig_t *rig = rig_asking(80, pool);
    json_t *part = rig_part("{'diff': '-a\\n+b\\u001b[2J\\n'}", pool);

    display_show(rig->display, "What would change:", part);
    ck_assert_str_eq(rig_err(rig), "What would change:\n-a\n+b\\x1B[2J\n");
    ck_assert_str_eq(rig_out(rig), "");
}
END_TEST

/* Nothing is shown to nobody. */
START_TEST(shows_nobody)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);

    display_show(rig->display, "What would change:",
                 rig_part("{'diff': '-a\\n'}", pool));
    ck_assert_str_eq(rig_err(rig), "");
    ck_assert_str_eq(rig_out(rig), "");
}
END_TEST

Suite *ask_suite(void)
{
    Suite *suite = suite_create("display/ask");
    TCase *tc = unit_case(suite, "ask");

    tcase_add_test(tc, needs_a_terminal);
    tcase_add_test(tc, needs_a_person);
    tcase_add_test(tc, refuses_to_ask);
    tcase_add_test(tc, yes_answers);
    tcase_add_test(tc, nothing_to_choose);
    tcase_add_test(tc, long_question);
    tcase_add_loop_test(tc, signal_cancels, 0, 3);
    tcase_add_test(tc, ignored_signal);
    tcase_add_test(tc, shows);
    tcase_add_test(tc, shows_nobody);
    return suite;
}
