/*
 * undo.c: tests of putting files back, and of edits that are in the way.
 */
#include "rig.h"

/* Ends a temporary change: everything as before. */
START_TEST(a_temporary_change_vanishes)
{
    journal_undo_t undo;

    begin(JOURNAL_TEMPORARY);
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    unit_ok(stage(JOURNAL_CREATE, "n.conf", "n\n"));
    save();
    holds("n.conf", "n\n");
    unit_ok(journal_revert(&undo, txn, &err, pool, pool));
    ck_assert_int_eq(undo.count, 1);
    ck_assert_int_eq(undo.reload, 0);
    ck_assert_int_eq(undo.files->nelts, 2);
    holds("a.conf", "a\n");
    holds("n.conf", NULL);
    no_strays();
}
END_TEST

/* When httpd was told to load a state, undoing it needs a reload. */
START_TEST(a_loaded_state_needs_a_reload)
{
    journal_undo_t undo;

    begin(JOURNAL_PERMANENT);
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    save();
    unit_ok(journal_reloading(txn, &err, pool));
    unit_ok(journal_reloading(txn, &err, pool));
    abandon();
    unit_ok(recover(JOURNAL_DRIFT_REFUSE, &undo));
    ck_assert_int_eq(undo.reload, 1);
}
END_TEST

/* An interrupted change with an edit on top of it. */
static void edited_crash(void)
{
    begin(JOURNAL_PERMANENT);
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    unit_ok(stage(JOURNAL_MODIFY, "b.conf", "B\n"));
    save();
    abandon();
    put("a.conf", "A\nby hand\n");
}

/* The edit is left alone and shown, everything else is undone. */
START_TEST(an_edit_is_left_alone)
{
    journal_undo_t undo;
    int i;

    edited_crash();
    for (i = 0; i < 2; i++) {
        unit_fails(recover(JOURNAL_DRIFT_REFUSE, &undo), APR_EGENERAL,
                   "1 file was changed since");
        ck_assert_int_eq(err.exit, BASE_EXIT_JOURNAL);
        ck_assert_int_eq(undo.count, 0);
        ck_assert_int_eq(undo.conflicts->nelts, 1);
        ck_assert_str_eq(file_at(undo.conflicts, 0)->path,
                         in_conf("a.conf"));
        ck_assert_ptr_nonnull(strstr(file_at(undo.conflicts, 0)->diff,
                                     "+by hand\n"));
        holds("a.conf", "A\nby hand\n");
        holds("b.conf", "b\n");
        base_err_clear(&err);
    }
}
END_TEST

/* Keep: the edit stays and the record is forgotten. */
START_TEST(an_edit_can_be_kept)
{
    journal_undo_t undo;

    edited_crash();
    unit_ok(recover(JOURNAL_DRIFT_KEEP, &undo));
    holds("a.conf", "A\nby hand\n");
    holds("b.conf", "b\n");
    ck_assert_int_ne(access(in_journal("active"), F_OK), 0);
}
END_TEST

/* Force: the edit is set aside, whole, and the file is as before. */
START_TEST(an_edit_can_be_set_aside)
{
    journal_undo_t undo;

    edited_crash();
    unit_ok(recover(JOURNAL_DRIFT_FORCE, &undo));
    holds("a.conf", "a\n");
    ck_assert_int_eq(undo.files->nelts, 2);
    ck_assert_str_eq(text_of(file_at(undo.files, 1)->aside),
                     "A\nby hand\n");
}
END_TEST

/* Merge: the edit stays, our part of the file goes. */
START_TEST(an_edit_can_be_merged)
{
    journal_undo_t undo;

    put("a.conf", "1\n2\n3\n4\n5\n");
    begin(JOURNAL_PERMANENT);
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "1\nours\n2\n3\n4\n5\n"));
    save();
    abandon();
    put("a.conf", "1\nours\n2\n3\n4\nfive\n");
    unit_ok(recover(JOURNAL_DRIFT_MERGE, &undo));
    holds("a.conf", "1\n2\n3\n4\nfive\n");
}
END_TEST

/* Files that somebody put into our new directory stay, and so does it. */
START_TEST(files_of_others_keep_a_directory)
{
    journal_undo_t undo;

    begin(JOURNAL_TEMPORARY);
    unit_ok(stage(JOURNAL_MKDIR, "d", NULL));
    unit_ok(stage(JOURNAL_CREATE, "d/ours.conf", "x\n"));
    save();
    put("d/theirs.conf", "t\n");
    unit_fails(journal_revert(&undo, txn, &err, pool, pool), APR_EGENERAL,
               "changed since");
    holds("d/ours.conf", NULL);
    holds("d/theirs.conf", "t\n");
    base_err_clear(&err);
    unit_ok(recover(JOURNAL_DRIFT_FORCE, &undo));
    holds("d/theirs.conf", "t\n");
}
END_TEST

/* A name that leads elsewhere by now is not followed. */
START_TEST(a_repointed_link_is_a_conflict)
{
    journal_undo_t undo;

    ck_assert_int_eq(symlink("a.conf", in_conf("link")), 0);
    begin(JOURNAL_PERMANENT);
    unit_ok(stage(JOURNAL_MODIFY, "link", "A\n"));
    save();
    abandon();
    ck_assert_int_eq(unlink(in_conf("link")), 0);
    ck_assert_int_eq(symlink("b.conf", in_conf("link")), 0);
    unit_fails(recover(JOURNAL_DRIFT_REFUSE, &undo), APR_EGENERAL,
               "changed since");
    holds("b.conf", "b\n");
    base_err_clear(&err);
    unit_ok(recover(JOURNAL_DRIFT_FORCE, &undo));
    holds("a.conf", "a\n");
    holds("b.conf", "b\n");
}
END_TEST

/* A folder that became a link is not entered. */
START_TEST(a_folder_that_became_a_link_is_not_entered)
{
    journal_undo_t undo;

    ck_assert_int_eq(mkdir(in_conf("d"), 0755), 0);
    put("d/a.conf", "a\n");
    begin(JOURNAL_PERMANENT);
    unit_ok(stage(JOURNAL_MODIFY, "d/a.conf", "A\n"));
    save();
    abandon();
    ck_assert_int_eq(rename(in_conf("d"), in_conf("moved")), 0);
    ck_assert_int_eq(symlink("moved", in_conf("d")), 0);
    unit_fails(recover(JOURNAL_DRIFT_REFUSE, &undo), APR_EGENERAL,
               "changed since");
    holds("moved/a.conf", "A\n");
}
END_TEST

/* A new file that the user removed himself needs no undoing. */
START_TEST(what_is_gone_is_undone)
{
    journal_undo_t undo;

    begin(JOURNAL_TEMPORARY);
    unit_ok(stage(JOURNAL_CREATE, "n.conf", "n\n"));
    save();
    ck_assert_int_eq(unlink(in_conf("n.conf")), 0);
    unit_ok(journal_revert(&undo, txn, &err, pool, pool));
    ck_assert_int_eq(undo.files->nelts, 0);
}
END_TEST

/* A mode that the user gave the file meanwhile is his. */
START_TEST(a_new_mode_is_kept)
{
    struct stat st;

    begin(JOURNAL_TEMPORARY);
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    save();
    ck_assert_int_eq(chmod(in_conf("a.conf"), 0600), 0);
    unit_ok(journal_revert(NULL, txn, &err, pool, pool));
    ck_assert_int_eq(stat(in_conf("a.conf"), &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    holds("a.conf", "a\n");
}
END_TEST

/* What was on its way out of a folder goes, too, when that folder went
 * first: a loss of power may leave it so. */
START_TEST(a_file_on_its_way_out_of_a_lost_folder_goes)
{
    journal_undo_t undo;
    const journal_entry_t *entry;
    journal_record_t *record;
    const char *temp;

    begin(JOURNAL_TEMPORARY);
    unit_ok(stage(JOURNAL_MKDIR, "d", NULL));
    unit_ok(stage(JOURNAL_CREATE, "d/f.conf", "f\n"));
    save();
    abandon();
    unit_ok(journal_record_read(&record, journal->active, &err, pool));
    entry = APR_ARRAY_IDX(record->entries, 1, journal_entry_t *);
    temp = journal_path(entry->temp_dir, journal_temp_name(entry, 1, pool),
                        pool);
    ck_assert_int_eq(rename(in_conf("d/f.conf"), temp), 0);
    ck_assert_int_eq(rmdir(in_conf("d")), 0);
    unit_ok(recover(JOURNAL_DRIFT_REFUSE, &undo));
    ck_assert_int_ne(access(temp, F_OK), 0);
    no_strays();
}
END_TEST

/* There it may be a version of the user: then it stays, a conflict. */
START_TEST(an_edit_on_its_way_out_of_a_lost_folder_stays)
{
    journal_undo_t undo;
    const journal_entry_t *entry;
    journal_record_t *record;
    const char *temp;

    begin(JOURNAL_TEMPORARY);
    unit_ok(stage(JOURNAL_MKDIR, "d", NULL));
    unit_ok(stage(JOURNAL_CREATE, "d/f.conf", "f\n"));
    save();
    abandon();
    put("d/f.conf", "by hand\n");
    unit_ok(journal_record_read(&record, journal->active, &err, pool));
    entry = APR_ARRAY_IDX(record->entries, 1, journal_entry_t *);
    temp = journal_path(entry->temp_dir, journal_temp_name(entry, 1, pool),
                        pool);
    ck_assert_int_eq(rename(in_conf("d/f.conf"), temp), 0);
    ck_assert_int_eq(rmdir(in_conf("d")), 0);
    unit_fails(recover(JOURNAL_DRIFT_REFUSE, &undo), APR_EGENERAL,
               "changed since");
    ck_assert_str_eq(text_of(temp), "by hand\n");
}
END_TEST

Suite *undo_suite(void)
{
    Suite *suite = suite_create("journal/undo");
    TCase *tc = rig_case(suite, "undoing");

    tcase_add_test(tc, a_temporary_change_vanishes);
    tcase_add_test(tc, a_loaded_state_needs_a_reload);
    tcase_add_test(tc, an_edit_is_left_alone);
    tcase_add_test(tc, an_edit_can_be_kept);
    tcase_add_test(tc, an_edit_can_be_set_aside);
    tcase_add_test(tc, an_edit_can_be_merged);
    tcase_add_test(tc, files_of_others_keep_a_directory);
    tcase_add_test(tc, a_repointed_link_is_a_conflict);
    tcase_add_test(tc, a_folder_that_became_a_link_is_not_entered);
    tcase_add_test(tc, what_is_gone_is_undone);
    tcase_add_test(tc, a_new_mode_is_kept);
    tcase_add_test(tc, a_file_on_its_way_out_of_a_lost_folder_goes);
    tcase_add_test(tc, an_edit_on_its_way_out_of_a_lost_folder_stays);
    return suite;
}
