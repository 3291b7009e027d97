/*
 * rollback.c: tests of taking checkpoints back.
 */
#include "rig.h"

static void three_checkpoints(void)
{
    rig_setup();
    ck_assert_uint_eq(change_file("a.conf", "A\n"), 1);
    ck_assert_uint_eq(change_file("b.conf", "B\n"), 2);
    ck_assert_uint_eq(change_file("a.conf", "AA\n"), 3);
}

/* The newest ones go, in turn. */
START_TEST(the_newest_are_undone)
{
    journal_undo_t undo;

    unit_ok(roll_back(1, JOURNAL_DRIFT_REFUSE, NULL, &undo));
    ck_assert_int_eq(undo.count, 1);
    holds("a.conf", "A\n");
    unit_ok(roll_back(2, JOURNAL_DRIFT_REFUSE, NULL, &undo));
    ck_assert_int_eq(undo.count, 2);
    holds("a.conf", "a\n");
    holds("b.conf", "b\n");
}
END_TEST

/* --to ID: this one and all that are newer. */
START_TEST(an_id_is_undone_with_what_follows)
{
    journal_rollback_t how = { 0, 2, JOURNAL_DRIFT_REFUSE, 0, NULL, NULL,
                               NULL };
    journal_undo_t undo;

    unit_ok(journal_rollback(&undo, journal, &how, &err, pool, pool));
    ck_assert_int_eq(undo.count, 2);
    holds("a.conf", "A\n");
    holds("b.conf", "b\n");
}
END_TEST

/* More than there are: nothing happens. */
START_TEST(too_many_is_an_error)
{
    journal_rollback_t how = { 0, 9, JOURNAL_DRIFT_REFUSE, 0, NULL, NULL,
                               NULL };
    journal_undo_t undo;

    unit_fails(roll_back(4, JOURNAL_DRIFT_REFUSE, NULL, &undo), APR_ENOENT,
               "there are 3");
    base_err_clear(&err);
    unit_fails(journal_rollback(&undo, journal, &how, &err, pool, pool),
               APR_ENOENT, "checkpoint 9");
    holds("a.conf", "AA\n");
}
END_TEST

/* All are looked at first: an edit under the oldest stops the newest. */
START_TEST(an_edit_stops_all)
{
    journal_undo_t undo;

    put("b.conf", "B\nby hand\n");
    unit_fails(roll_back(3, JOURNAL_DRIFT_REFUSE, NULL, &undo),
               APR_EGENERAL, "nothing was undone");
    ck_assert_int_eq(err.exit, BASE_EXIT_JOURNAL);
    ck_assert_int_eq(undo.conflicts->nelts, 1);
    ck_assert_ptr_nonnull(strstr(file_at(undo.conflicts, 0)->diff,
                                 "+by hand\n"));
    holds("a.conf", "AA\n");
    holds("b.conf", "B\nby hand\n");
    ck_assert_int_eq(access(in_journal("cp/00000003"), F_OK), 0);
}
END_TEST

/* An edit that is not concerned does not matter. */
START_TEST(an_edit_elsewhere_does_not_matter)
{
    journal_undo_t undo;

    put("b.conf", "by hand\n");
    unit_ok(roll_back(1, JOURNAL_DRIFT_REFUSE, NULL, &undo));
    holds("a.conf", "A\n");
    holds("b.conf", "by hand\n");
}
END_TEST

/* An edit between two checkpoints is found under the older one. */
START_TEST(an_edit_between_checkpoints_is_found)
{
    journal_undo_t undo;

    put("b.conf", "by hand\n");
    change_file("b.conf", "BB\n");
    unit_ok(roll_back(2, JOURNAL_DRIFT_REFUSE, NULL, &undo));
    holds("b.conf", "by hand\n");
    unit_fails(roll_back(1, JOURNAL_DRIFT_REFUSE, NULL, &undo),
               APR_EGENERAL, "nothing was undone");
}
END_TEST

/* Force: what the user has goes aside, with the path it comes from. */
START_TEST(force_sets_the_edit_aside)
{
    journal_undo_t undo;
    const char *aside;

    put("b.conf", "by hand\n");
    unit_ok(roll_back(3, JOURNAL_DRIFT_FORCE, NULL, &undo));
    holds("b.conf", "b\n");
    aside = file_at(undo.files, 1)->aside;
    ck_assert_str_eq(text_of(aside), "by hand\n");
    ck_assert_str_eq(text_of(apr_pstrcat(pool, base_path_dir(aside, pool),
                                         "/1.path", NULL)),
                     apr_pstrcat(pool, in_conf("b.conf"), "\n", NULL));
}
END_TEST

static apr_status_t sees_merged(void *baton, acme_err_t *told,
                                apr_pool_t *p)
{
    const char *text = text_of(in_conf("c.conf"));

    return text && strcmp(text, "1\n2\n3\n4\nfive\n") == 0 ? APR_SUCCESS
           : base_err_set(told, APR_EGENERAL, BASE_EXIT_HTTPD, "unmerged");
}

static apr_status_t refuse(void *baton, acme_err_t *told, apr_pool_t *p)
{
    return base_err_set(told, APR_EINVAL, BASE_EXIT_HTTPD, "httpd says no");
}

static void edit_beside_ours(void)
{
    put("c.conf", "1\n2\n3\n4\n5\n");
    change_file("c.conf", "1\nours\n2\n3\n4\n5\n");
    put("c.conf", "1\nours\n2\n3\n4\nfive\n");
}

/* Merge: httpd is asked about the merged whole first. */
START_TEST(merge_keeps_the_edit)
{
    journal_undo_t undo;

    if (!rig_may_mount()) {
        return;
    }
    edit_beside_ours();
    unit_fails(roll_back(1, JOURNAL_DRIFT_MERGE, refuse, &undo), APR_EINVAL,
               "httpd says no");
    holds("c.conf", "1\nours\n2\n3\n4\nfive\n");
    base_err_clear(&err);
    unit_ok(roll_back(1, JOURNAL_DRIFT_MERGE, sees_merged, &undo));
    holds("c.conf", "1\n2\n3\n4\nfive\n");
    no_strays();
}
END_TEST

/* Without anybody to ask nothing is merged. */
START_TEST(merge_needs_a_test)
{
    journal_undo_t undo;

    edit_beside_ours();
    unit_fails(roll_back(1, JOURNAL_DRIFT_MERGE, NULL, &undo), APR_EINVAL,
               "needs a test");
}
END_TEST

/* An edit of the very lines that would go is no merge. */
START_TEST(merge_refuses_overlaps)
{
    journal_undo_t undo;

    put("a.conf", "AAA\n");
    unit_fails(roll_back(1, JOURNAL_DRIFT_MERGE, refuse, &undo),
               APR_EGENERAL, "nothing was undone");
    holds("a.conf", "AAA\n");
}
END_TEST

/* --plan: the diff, and nothing else. */
START_TEST(a_plan_changes_nothing)
{
    journal_rollback_t how = { 3, 0, JOURNAL_DRIFT_REFUSE, 1, NULL, NULL,
                               NULL };
    journal_undo_t undo;

    unit_ok(journal_rollback(&undo, journal, &how, &err, pool, pool));
    ck_assert_int_eq(undo.count, 0);
    ck_assert_int_eq(undo.files->nelts, 2);
    ck_assert_ptr_nonnull(strstr(how.diff, "-AA\n+a\n"));
    holds("a.conf", "AA\n");
    ck_assert_int_eq(access(in_journal("cp/00000001"), F_OK), 0);
}
END_TEST

/* A rollback that was killed in the middle is finished by recovery. */
START_TEST(an_interrupted_rollback_is_finished)
{
    journal_undo_t undo;

    ck_assert_int_eq(rename(in_journal("cp/00000003"),
                            in_journal("active")), 0);
    unit_fails(roll_back(1, JOURNAL_DRIFT_REFUSE, NULL, &undo), APR_EEXIST,
               "recover");
    base_err_clear(&err);
    unit_ok(recover(JOURNAL_DRIFT_REFUSE, &undo));
    holds("a.conf", "A\n");
    ck_assert_int_eq(access(in_journal("cp/00000002"), F_OK), 0);
}
END_TEST

/* What could not be deleted is deleted by the next writer. */
START_TEST(trash_is_emptied)
{
    journal_undo_t undo;

    ck_assert_int_eq(mkdir(in_journal("trash/x"), 0700), 0);
    unit_ok(recover(JOURNAL_DRIFT_REFUSE, &undo));
    ck_assert_int_ne(access(in_journal("trash/x"), F_OK), 0);
    ck_assert_int_eq(undo.count, 0);
}
END_TEST

Suite *rollback_suite(void)
{
    Suite *suite = suite_create("journal/rollback");
    TCase *tc = tcase_create("rollbacks");

    tcase_add_checked_fixture(tc, three_checkpoints, unit_teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, the_newest_are_undone);
    tcase_add_test(tc, an_id_is_undone_with_what_follows);
    tcase_add_test(tc, too_many_is_an_error);
    tcase_add_test(tc, an_edit_stops_all);
    tcase_add_test(tc, an_edit_elsewhere_does_not_matter);
    tcase_add_test(tc, an_edit_between_checkpoints_is_found);
    tcase_add_test(tc, force_sets_the_edit_aside);
    tcase_add_test(tc, merge_keeps_the_edit);
    tcase_add_test(tc, merge_needs_a_test);
    tcase_add_test(tc, merge_refuses_overlaps);
    tcase_add_test(tc, a_plan_changes_nothing);
    tcase_add_test(tc, an_interrupted_rollback_is_finished);
    tcase_add_test(tc, trash_is_emptied);
    return suite;
}
