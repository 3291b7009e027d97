/*
 * checkpoint.c: tests of list, show and prune.
 */
#include "rig.h"

static const journal_checkpoint_t *listed(int n, int count)
{
    apr_array_header_t *list;

    unit_ok(journal_list(&list, journal, &err, pool));
    ck_assert_int_eq(list->nelts, count);
    return &APR_ARRAY_IDX(list, n, journal_checkpoint_t);
}

/* A checkpoint says what was done, why, to which files. */
START_TEST(a_checkpoint_tells_what_and_why)
{
    const journal_checkpoint_t *checkpoint;

    begin(JOURNAL_PERMANENT);
    unit_ok(journal_note(txn, "because\nof this", &err));
    unit_ok(journal_note(txn, "and that", &err));
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    unit_ok(stage(JOURNAL_CREATE, "n.conf", "n\n"));
    save();
    unit_ok(stage(JOURNAL_MODIFY, "n.conf", "nn\n"));
    save();
    ck_assert_uint_eq(commit("secure\na"), 1);
    checkpoint = listed(0, 1);
    ck_assert_uint_eq(checkpoint->id, 1);
    ck_assert_str_eq(checkpoint->title, "secure\\x0Aa");
    ck_assert_int_eq(checkpoint->created == apr_time_from_sec(1000000), 1);
    ck_assert_int_eq(checkpoint->notes->nelts, 2);
    ck_assert_str_eq(APR_ARRAY_IDX(checkpoint->notes, 0, const char *),
                     "because\\x0Aof this");
    ck_assert_int_eq(checkpoint->files->nelts, 2);
    ck_assert_int_eq(file_at(checkpoint->files, 1)->op, JOURNAL_CREATE);
    ck_assert_ptr_null(checkpoint->damaged);
}
END_TEST

/* The diff is of what was changed then, whatever is there now. */
START_TEST(show_has_the_diff_of_then)
{
    journal_checkpoint_t *checkpoint;
    const char *diff;

    change_file("a.conf", "A\nB\n");
    put("a.conf", "something else\n");
    unit_ok(journal_show(&checkpoint, &diff, journal, 1, &err, pool));
    ck_assert_str_eq(diff, apr_pstrcat(pool, "--- ", in_conf("a.conf"),
                                       "\n+++ ", in_conf("a.conf"),
                                       "\n@@ -1 +1,2 @@\n-a\n+A\n+B\n",
                                       NULL));
}
END_TEST

/* There is no checkpoint 7. */
START_TEST(an_unknown_one_is_told)
{
    journal_checkpoint_t *checkpoint;
    const char *diff;

    unit_fails(journal_show(&checkpoint, &diff, journal, 7, &err, pool),
               APR_ENOENT, "no checkpoint 7");
}
END_TEST

/* What a stranger put among them is no checkpoint and is never removed. */
START_TEST(strangers_are_passed_over)
{
    journal_undo_t undo;

    change_file("a.conf", "A\n");
    ck_assert_int_eq(mkdir(in_journal("cp/zzz"), 0700), 0);
    ck_assert_int_eq(mkdir(in_journal("cp/123"), 0700), 0);
    listed(0, 1);
    unit_ok(roll_back(1, JOURNAL_DRIFT_REFUSE, NULL, &undo));
    holds("a.conf", "a\n");
    ck_assert_int_eq(access(in_journal("cp/zzz"), F_OK), 0);
}
END_TEST

/* A damaged one is listed as such and stops a rollback. */
START_TEST(a_damaged_one_is_listed_and_not_undone)
{
    journal_checkpoint_t *checkpoint;
    journal_undo_t undo;
    const char *diff;

    change_file("a.conf", "A\n");
    change_file("b.conf", "B\n");
    unit_ok(base_file_write(in_journal("cp/00000001/rec.1"), "x", 1, 0600,
                            &err, pool));
    ck_assert_ptr_nonnull(listed(0, 2)->damaged);
    ck_assert_ptr_null(listed(1, 2)->damaged);
    unit_fails(journal_show(&checkpoint, &diff, journal, 1, &err, pool),
               APR_EINVAL, "damaged");
    base_err_clear(&err);
    unit_fails(roll_back(2, JOURNAL_DRIFT_FORCE, NULL, &undo), APR_EINVAL,
               "damaged");
    holds("b.conf", "B\n");
}
END_TEST

/* Old ones go; so many stay, and young ones stay. */
START_TEST(prune_keeps_number_and_age)
{
    apr_time_t then = apr_time_from_sec(1000000);
    apr_interval_time_t day = apr_time_from_sec(86400);
    int count;

    change_file("a.conf", "1\n");
    change_file("a.conf", "2\n");
    change_file("a.conf", "3\n");
    unit_ok(journal_prune(&count, journal, 1, 30 * day, then + 29 * day,
                          &err, pool));
    ck_assert_int_eq(count, 0);
    unit_ok(journal_prune(&count, journal, 2, 30 * day, then + 31 * day,
                          &err, pool));
    ck_assert_int_eq(count, 1);
    ck_assert_uint_eq(listed(0, 2)->id, 2);
    unit_ok(journal_prune(&count, journal, 5, 0, then + 31 * day, &err,
                          pool));
    ck_assert_int_eq(count, 0);
    ck_assert_uint_eq(change_file("a.conf", "4\n"), 4);
}
END_TEST

Suite *checkpoint_suite(void)
{
    Suite *suite = suite_create("journal/checkpoint");
    TCase *tc = rig_case(suite, "checkpoints");

    tcase_add_test(tc, a_checkpoint_tells_what_and_why);
    tcase_add_test(tc, show_has_the_diff_of_then);
    tcase_add_test(tc, an_unknown_one_is_told);
    tcase_add_test(tc, strangers_are_passed_over);
    tcase_add_test(tc, a_damaged_one_is_listed_and_not_undone);
    tcase_add_test(tc, prune_keeps_number_and_age);
    return suite;
}
