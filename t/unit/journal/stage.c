/*
 * stage.c: tests of what may be changed, and of transactions.
 */
#include "rig.h"

#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>

static void rig_begin(void)
{
    rig_setup();
    begin(JOURNAL_PERMANENT);
}

/* One transaction at a time, of either kind. */
START_TEST(one_kind_excludes_the_other)
{
    journal_txn_t *second;

    unit_fails(journal_begin(&second, journal, JOURNAL_TEMPORARY, 0, &err,
                             pool), APR_EEXIST, "a permanent one is under");
}
END_TEST

/* After a crash nothing begins before recovery. */
START_TEST(a_crash_must_be_recovered_first)
{
    journal_undo_t undo;

    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    save();
    abandon();
    unit_fails(journal_begin(&txn, journal, JOURNAL_PERMANENT, 0, &err,
                             pool), APR_EEXIST, "acmectl recover");
    ck_assert_int_eq(err.exit, BASE_EXIT_JOURNAL);
    base_err_clear(&err);
    unit_ok(recover(JOURNAL_DRIFT_REFUSE, &undo));
    ck_assert_int_eq(undo.count, 1);
    begin(JOURNAL_PERMANENT);
}
END_TEST

/* A temporary change never becomes a checkpoint. */
START_TEST(a_temporary_change_is_not_committed)
{
    unsigned long id;

    unit_ok(journal_revert(NULL, txn, &err, pool, pool));
    begin(JOURNAL_TEMPORARY);
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    save();
    unit_fails(journal_commit(&id, txn, "no", &err, pool), APR_EINVAL,
               "temporary");
    base_err_clear(&err);
    unit_ok(journal_revert(NULL, txn, &err, pool, pool));
    holds("a.conf", "a\n");
}
END_TEST

/* A transaction that has ended takes nothing more. */
START_TEST(an_ended_transaction_takes_nothing)
{
    unit_ok(journal_revert(NULL, txn, &err, pool, pool));
    unit_fails(stage(JOURNAL_MODIFY, "a.conf", "A\n"), APR_EINVAL, "ended");
    base_err_clear(&err);
    unit_fails(journal_note(txn, "x", &err), APR_EINVAL, "ended");
    base_err_clear(&err);
    unit_fails(journal_save(txn, NULL, NULL, &err, pool), APR_EINVAL,
               "ended");
}
END_TEST

/* A file with two names would keep the old content under the other. */
START_TEST(hard_links_are_refused)
{
    ck_assert_int_eq(link(in_conf("a.conf"), in_conf("twin")), 0);
    unit_fails(stage(JOURNAL_MODIFY, "a.conf", "A\n"), APR_EINVAL,
               "hard links");
}
END_TEST

/* Only regular files are modified. */
START_TEST(what_is_no_file_is_refused)
{
    ck_assert_int_eq(mkdir(in_conf("d"), 0755), 0);
    unit_fails(stage(JOURNAL_MODIFY, "d", "A\n"), APR_EINVAL,
               "not a regular file");
    base_err_clear(&err);
    ck_assert(APR_STATUS_IS_ENOENT(stage(JOURNAL_MODIFY, "none", "A\n")));
}
END_TEST

/* A directory of somebody else, or of everybody, is none to write in. */
START_TEST(foreign_directories_are_refused)
{
    ck_assert_int_eq(mkdir(in_conf("d"), 0755), 0);
    put("d/x", "x\n");
    ck_assert_int_eq(chmod(in_conf("d"), 0777), 0);
    unit_fails(stage(JOURNAL_MODIFY, "d/x", "A\n"), APR_EACCES, "chmod o-w");
    base_err_clear(&err);
    unit_fails(stage(JOURNAL_CREATE, "d/y", "A\n"), APR_EACCES, "chmod o-w");
    base_err_clear(&err);
    if (geteuid() == 0) {
        ck_assert_int_eq(chmod(in_conf("d"), 0755), 0);
        ck_assert_int_eq(chown(in_conf("d"), 33, 33), 0);
        unit_fails(stage(JOURNAL_MODIFY, "d/x", "A\n"), APR_EACCES,
                   "belongs to user 33");
    }
}
END_TEST

/* chattr +i and +a mean what they say. */
START_TEST(immutable_files_are_refused)
{
    int fd = open(in_conf("a.conf"), O_RDONLY), flags = 0;
    apr_status_t rv;

    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == -1) {
        close(fd);
        return;
    }
    flags |= FS_IMMUTABLE_FL;
    if (ioctl(fd, FS_IOC_SETFLAGS, &flags) == -1) {
        close(fd);
        return;
    }
    rv = stage(JOURNAL_MODIFY, "a.conf", "A\n");
    flags &= ~FS_IMMUTABLE_FL;
    ck_assert_int_eq(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
    close(fd);
    ck_assert_int_eq(rv, APR_EACCES);
    ck_assert_ptr_nonnull(strstr(err.message, "immutable"));
}
END_TEST

/* A single file that is mounted over cannot be replaced by a rename. */
START_TEST(mounted_files_are_refused)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (unshare(CLONE_NEWNS) == -1
            || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1
            || mount(in_conf("b.conf"), in_conf("a.conf"), NULL, MS_BIND,
                     NULL) == -1) {
            _exit(0);
        }
        _exit(stage(JOURNAL_MODIFY, "a.conf", "A\n") == APR_EACCES
              && strstr(err.message, "mount point") ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* Nothing takes the place of a file that is there. */
START_TEST(a_taken_name_is_refused)
{
    unit_fails(stage(JOURNAL_CREATE, "a.conf", "A\n"), APR_EEXIST,
               "there already");
    base_err_clear(&err);
    unit_fails(stage(JOURNAL_SYMLINK, "a.conf", "b.conf"), APR_EEXIST,
               "there already");
    base_err_clear(&err);
    unit_fails(stage(JOURNAL_MKDIR, "a.conf", NULL), APR_EEXIST,
               "there already");
}
END_TEST

/* A path is whole and ends in a name. */
START_TEST(poor_paths_are_refused)
{
    journal_change_t change = change_of(JOURNAL_CREATE, "x", "x\n");

    change.path = "conf/x";
    unit_fails(journal_stage(txn, &change, &err), APR_EINVAL, "whole path");
    base_err_clear(&err);
    change.path = in_conf("..");
    unit_fails(journal_stage(txn, &change, &err), APR_EINVAL, "no name");
    base_err_clear(&err);
    change.path = in_conf("");
    unit_fails(journal_stage(txn, &change, &err), APR_EINVAL, "no name");
    base_err_clear(&err);
    change.path = in_conf("none/x");
    ck_assert(APR_STATUS_IS_ENOENT(journal_stage(txn, &change, &err)));
}
END_TEST

/* A change fits the content it was computed from and no other. */
START_TEST(a_stale_edit_is_refused)
{
    journal_change_t change = change_of(JOURNAL_MODIFY, "a.conf", "A\n");

    change.parsed = "old\n";
    change.parsed_len = 4;
    unit_fails(journal_stage(txn, &change, &err), APR_EAGAIN,
               "somebody else changed it");
    ck_assert_int_eq(err.exit, BASE_EXIT_BUSY);
    base_err_clear(&err);
    change.parsed = "a\n";
    change.parsed_len = 2;
    unit_ok(journal_stage(txn, &change, &err));
}
END_TEST

/* One file is changed once in a save, under whichever name. */
START_TEST(one_change_a_file)
{
    ck_assert_int_eq(symlink("a.conf", in_conf("link")), 0);
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    unit_fails(stage(JOURNAL_MODIFY, "link", "B\n"), APR_EEXIST, "twice");
}
END_TEST

/* The same content is no change, and nothing is no checkpoint. */
START_TEST(no_change_is_no_checkpoint)
{
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "a\n"));
    save();
    ck_assert_uint_eq(commit("nothing"), 0);
    ck_assert_int_ne(access(in_journal("active"), F_OK), 0);
}
END_TEST

/* --plan: what would change, before anything does. */
START_TEST(the_plan_is_a_diff)
{
    const char *diff;

    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    unit_ok(stage(JOURNAL_CREATE, "n.conf", "n\n"));
    unit_ok(stage(JOURNAL_SYMLINK, "l.conf", "n.conf"));
    unit_ok(journal_staged_diff(&diff, txn, &err, pool));
    ck_assert_ptr_nonnull(strstr(diff, "-a\n+A\n"));
    ck_assert_ptr_nonnull(strstr(diff, "--- /dev/null\n"));
    ck_assert_ptr_nonnull(strstr(diff, "+ symbolic link "));
    holds("a.conf", "a\n");
    ck_assert_int_ne(access(in_journal("active"), F_OK), 0);
}
END_TEST

/* Directories come first, links that enable come last. */
START_TEST(changes_are_ordered)
{
    static const journal_op_t wanted[] = { JOURNAL_MKDIR, JOURNAL_CREATE,
                                           JOURNAL_MODIFY, JOURNAL_MODIFY,
                                           JOURNAL_SYMLINK };
    journal_change_t change = change_of(JOURNAL_MODIFY, "a.conf", "A\n");
    int i;

    unit_ok(stage(JOURNAL_SYMLINK, "l.conf", "d/n.conf"));
    unit_ok(stage(JOURNAL_MODIFY, "b.conf", "B\n"));
    change.step = JOURNAL_STEP_PORTS;
    unit_ok(journal_stage(txn, &change, &err));
    unit_ok(stage(JOURNAL_MKDIR, "d", NULL));
    change = change_of(JOURNAL_CREATE, "d/n.conf", "n\n");
    change.step = JOURNAL_STEP_UNUSED;
    unit_ok(journal_stage(txn, &change, &err));
    for (i = 0; i < 5; i++) {
        ck_assert_int_eq(APR_ARRAY_IDX(txn->staged, i,
                                       journal_entry_t *)->op, wanted[i]);
    }
    ck_assert_str_eq(APR_ARRAY_IDX(txn->staged, 2, journal_entry_t *)->path,
                     in_conf("a.conf"));
}
END_TEST

Suite *stage_suite(void)
{
    Suite *suite = suite_create("journal/stage");
    TCase *tc = tcase_create("changes");

    tcase_add_checked_fixture(tc, rig_begin, unit_teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, one_kind_excludes_the_other);
    tcase_add_test(tc, a_crash_must_be_recovered_first);
    tcase_add_test(tc, a_temporary_change_is_not_committed);
    tcase_add_test(tc, an_ended_transaction_takes_nothing);
    tcase_add_test(tc, hard_links_are_refused);
    tcase_add_test(tc, what_is_no_file_is_refused);
    tcase_add_test(tc, foreign_directories_are_refused);
    tcase_add_test(tc, immutable_files_are_refused);
    tcase_add_test(tc, mounted_files_are_refused);
    tcase_add_test(tc, a_taken_name_is_refused);
    tcase_add_test(tc, poor_paths_are_refused);
    tcase_add_test(tc, a_stale_edit_is_refused);
    tcase_add_test(tc, one_change_a_file);
    tcase_add_test(tc, no_change_is_no_checkpoint);
    tcase_add_test(tc, the_plan_is_a_diff);
    tcase_add_test(tc, changes_are_ordered);
    return suite;
}
