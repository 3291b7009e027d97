/* What was reached and what comes next, as sentences. */
#include "desk.h"

static const char *listed(int count)
{
    static const char *const all[] = { "a", "b", "c", "d", "e", "f" };
    apr_array_header_t *names = apr_array_make(pool, 6, sizeof(char *));
    int i;

    for (i = 0; i < count; i++) {
        APR_ARRAY_PUSH(names, const char *) = all[i];
    }
    return cmd_and(names, "https://", pool);
}

/* A sentence has all names, or the first ones and how many more. */
START_TEST(names_are_listed)
{
    ck_assert_str_eq(listed(0), "");
    ck_assert_str_eq(listed(1), "https://a");
    ck_assert_str_eq(listed(2), "https://a and https://b");
    ck_assert_str_eq(listed(4),
                     "https://a, https://b, https://c and https://d");
    ck_assert_str_eq(listed(5),
                     "https://a, https://b, https://c and 2 more");
    ck_assert_str_eq(listed(6),
                     "https://a, https://b, https://c and 3 more");
}
END_TEST

static const char *summary(size_t i)
{
    return json_string_value(json_array_get(json_object_get(
        cmd->result, "summary"), i));
}

/* Nothing was reached where nothing was changed, or it failed, or it was a
 * plan. */
START_TEST(nothing_is_no_success)
{
    cmd_reached(cmd, "x");
    ck_assert_ptr_null(json_object_get(cmd->result, "summary"));
    json_object_set_new(cmd->result, "changed", json_true());
    cmd->options.plan = 1;
    cmd_reached(cmd, "x");
    ck_assert_ptr_null(json_object_get(cmd->result, "summary"));
    cmd->options.plan = 0;
    base_err_set(&cmd->err, APR_EGENERAL, BASE_EXIT_FAILED, "no");
    cmd_reached(cmd, "x");
    ck_assert_ptr_null(json_object_get(cmd->result, "summary"));
}
END_TEST

/* A change of files says how it is undone; one without files does not. */
START_TEST(success_says_how_to_undo)
{
    json_object_set_new(cmd->result, "changed", json_true());
    json_object_set_new(cmd->result, "checkpoint", json_null());
    cmd_reached(cmd, "one");
    ck_assert_str_eq(summary(0), "one");
    ck_assert_ptr_null(summary(1));
    json_object_set_new(cmd->result, "checkpoint", json_integer(7));
    cmd_reached(cmd, "two");
    ck_assert_str_eq(summary(1), "two");
    ck_assert_str_eq(summary(2), "this is checkpoint 7: \"acmectl rollback\" "
                     "undoes it");
}
END_TEST

/* Only a plan that plans something says that nothing was changed. */
START_TEST(plans_say_so)
{
    cmd_planned(cmd, "");
    cmd->options.plan = 1;
    cmd_planned(cmd, "");
    ck_assert_ptr_null(json_object_get(cmd->result, "next"));
    json_object_set_new(cmd->result, "diff", json_string("+x\n"));
    base_err_set(&cmd->err, APR_EGENERAL, BASE_EXIT_FAILED, "no");
    cmd_planned(cmd, "");
    ck_assert_ptr_null(json_object_get(cmd->result, "next"));
    base_err_clear(&cmd->err);
    cmd_planned(cmd, " with --x");
    ck_assert_str_eq(json_string_value(json_object_get(cmd->result, "next")),
                     "this was a plan: nothing was changed; without --plan "
                     "it is done with --x");
}
END_TEST

Suite *summary_suite(void);
Suite *summary_suite(void)
{
    Suite *suite = suite_create("cmd/summary");
    TCase *tc = desk_case(suite, "summary", desk_setup);

    tcase_add_test(tc, names_are_listed);
    tcase_add_test(tc, nothing_is_no_success);
    tcase_add_test(tc, success_says_how_to_undo);
    tcase_add_test(tc, plans_say_so);
    return suite;
}
