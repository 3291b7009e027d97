/*
 * journal.c: tests of the folder: open, lock, status.
 */
#include "rig.h"

#include <sys/wait.h>

/* A new journal is for its owner alone. */
START_TEST(a_new_journal_is_private)
{
    static const char *const folders[] = { "", "cp", "trash", "conflicts" };
    struct stat st;
    int i;

    for (i = 0; i < 4; i++) {
        ck_assert_int_eq(stat(in_journal(folders[i]), &st), 0);
        ck_assert_int_eq(st.st_mode & 0777, 0700);
    }
    ck_assert_str_eq(text_of(in_journal("format")), "acmectl-journal 1\n");
}
END_TEST

/* A journal of another version is refused with a sentence. */
START_TEST(another_format_is_refused)
{
    journal_t *other;

    unit_ok(base_file_write(in_journal("format"), "acmectl-journal 2\n", 18,
                            0600, &err, pool));
    unit_fails(journal_open(&other, in_journal(""), 1, &err, pool),
               APR_EINVAL, "use the acmectl that made it");
    ck_assert_int_eq(err.exit, BASE_EXIT_JOURNAL);
}
END_TEST

/* A journal that others can enter is refused, whoever only reads too. */
START_TEST(an_open_journal_is_refused)
{
    journal_t *other;

    ck_assert_int_eq(chmod(in_journal(""), 0755), 0);
    unit_fails(journal_open(&other, in_journal(""), 0, &err, pool),
               APR_EACCES, "chmod 0700");
}
END_TEST

/* Reading makes no journal. */
START_TEST(reading_makes_none)
{
    journal_t *other;

    ck_assert(APR_STATUS_IS_ENOENT(journal_open(&other, in_conf("none"), 0,
                                                &err, pool)));
    ck_assert_int_ne(access(in_conf("none"), F_OK), 0);
}
END_TEST

/* The second writer is told who the first is, and to come back. */
START_TEST(a_second_writer_is_told_the_first)
{
    journal_t *other;

    unit_ok(journal_open(&other, in_journal(""), 1, &err, pool));
    unit_fails(journal_lock(other, "the loser", 0, &err, pool), APR_EBUSY,
               "held by a unit test");
    ck_assert_int_eq(err.exit, BASE_EXIT_BUSY);
}
END_TEST

/* A holder's name is data: it breaks no line of the message. */
START_TEST(a_holder_cannot_forge_lines)
{
    journal_t *other;
    int fd = open(in_journal("lock"), O_WRONLY | O_TRUNC);

    ck_assert_int_eq(write(fd, "x\033[2J\x01y\nz", 9), 9);
    close(fd);
    unit_ok(journal_open(&other, in_journal(""), 1, &err, pool));
    unit_fails(journal_lock(other, "the loser", 0, &err, pool), APR_EBUSY,
               "held by x\\x1B[2J\\x01y: try");
}
END_TEST

/* --wait: the lock is taken as soon as the first writer ends. */
START_TEST(waiting_gets_the_lock)
{
    journal_t *other;
    int fds[2], status;
    char byte;
    pid_t pid;

    base_lock_release(journal->lock);
    ck_assert_int_eq(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        unit_ok(journal_open(&other, in_journal(""), 1, &err, pool));
        unit_ok(journal_lock(other, "the first", 0, &err, pool));
        ck_assert_int_eq(write(fds[1], "x", 1), 1);
        apr_sleep(apr_time_from_msec(100));
        _exit(0);
    }
    ck_assert_int_eq(read(fds[0], &byte, 1), 1);
    unit_ok(journal_open(&other, in_journal(""), 1, &err, pool));
    unit_ok(journal_lock(other, "the second", apr_time_from_sec(20), &err,
                         pool));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}
END_TEST

/* What we start and leave running does not keep the lock. */
START_TEST(a_child_does_not_inherit_the_lock)
{
    journal_t *other;
    int fds[2], status;
    char byte;
    pid_t pid;

    ck_assert_int_eq(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        dup2(fds[1], 1);
        execl("/bin/sh", "sh", "-c", "echo x; exec sleep 60", (char *)NULL);
        _exit(1);
    }
    ck_assert_int_eq(read(fds[0], &byte, 1), 1);
    /* as a killed process does: close and nothing else */
    base_lock_release(journal->lock);
    unit_ok(journal_open(&other, in_journal(""), 1, &err, pool));
    unit_ok(journal_lock(other, "the next", 0, &err, pool));
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}
END_TEST

/* Status tells a live writer from a dead one. */
START_TEST(status_tells_what_is_there)
{
    journal_status_t status;

    begin(JOURNAL_TEMPORARY);
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    save();
    unit_ok(journal_status(&status, journal, &err, pool));
    ck_assert_int_eq(status.active, 1);
    ck_assert_int_eq(status.saves, 1);
    ck_assert_str_eq(status.kind, "temporary");
    ck_assert_str_eq(status.holder, "a unit test");
    base_lock_release(journal->lock);
    unit_ok(journal_status(&status, journal, &err, pool));
    ck_assert_int_eq(status.active, 1);
    ck_assert_ptr_null(status.holder);
}
END_TEST

/* Nothing is written without the lock. */
START_TEST(writing_needs_the_lock)
{
    journal_undo_t undo;
    journal_t *other;
    int count;

    unit_ok(journal_open(&other, in_journal(""), 1, &err, pool));
    unit_fails(journal_begin(&txn, other, JOURNAL_PERMANENT, 0, &err, pool),
               APR_EINVAL, "without its lock");
    base_err_clear(&err);
    unit_fails(journal_recover(&undo, other, JOURNAL_DRIFT_REFUSE, &err,
                               pool, pool), APR_EINVAL, "without its lock");
    base_err_clear(&err);
    unit_fails(journal_prune(&count, other, 1, 0, 0, &err, pool), APR_EINVAL,
               "without its lock");
}
END_TEST

Suite *journal_suite(void)
{
    Suite *suite = suite_create("journal/journal");
    TCase *tc = rig_case(suite, "folder");

    tcase_add_test(tc, a_new_journal_is_private);
    tcase_add_test(tc, another_format_is_refused);
    tcase_add_test(tc, an_open_journal_is_refused);
    tcase_add_test(tc, reading_makes_none);
    tcase_add_test(tc, a_second_writer_is_told_the_first);
    tcase_add_test(tc, a_holder_cannot_forge_lines);
    tcase_add_test(tc, waiting_gets_the_lock);
    tcase_add_test(tc, a_child_does_not_inherit_the_lock);
    tcase_add_test(tc, status_tells_what_is_there);
    tcase_add_test(tc, writing_needs_the_lock);
    return suite;
}
