/*
 * save.c: tests of a save that nothing disturbs, and of its refusals.
 */
#include "rig.h"

#include <sys/wait.h>
#include <sys/xattr.h>

/* Everything that a file has besides its content stays. */
START_TEST(owner_mode_and_attributes_stay)
{
    struct stat st;
    char value[8] = "";

    ck_assert_int_eq(symlink("a.conf", in_conf("link")), 0);
    setxattr(in_conf("a.conf"), "user.note", "kept", 4, 0);
    ck_assert_int_eq(chmod(in_conf("a.conf"), 0640), 0);
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(in_conf("a.conf"), 33, 4), 0);
    }
    begin(JOURNAL_PERMANENT);
    unit_ok(stage(JOURNAL_MODIFY, "link", "A\n"));
    save();
    holds("a.conf", "A\n");
    ck_assert_int_eq(lstat(in_conf("link"), &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    ck_assert_int_eq(stat(in_conf("a.conf"), &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0640);
    if (geteuid() == 0) {
        ck_assert_int_eq(st.st_uid, 33);
        ck_assert_int_eq(st.st_gid, 4);
    }
    if (getxattr(in_conf("a.conf"), "user.note", value, 8) != -1) {
        ck_assert_str_eq(value, "kept");
    }
    no_strays();
}
END_TEST

/* An access control list is an attribute too. */
START_TEST(access_lists_stay)
{
    /* version 2; user::rw-, user:33:r--, group::r--, mask::r--, other::- */
    static const unsigned char acl[] = {
        2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255,
        2, 0, 4, 0, 33, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
        16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255
    };
    char value[64];

    if (setxattr(in_conf("a.conf"), "system.posix_acl_access", acl,
                 sizeof(acl), 0) == -1) {
        return;                     /* a file system without them */
    }
    change_file("a.conf", "A\n");
    ck_assert_int_eq(getxattr(in_conf("a.conf"), "system.posix_acl_access",
                              value, sizeof(value)), (int)sizeof(acl));
    ck_assert_mem_eq(value, acl, sizeof(acl));
}
END_TEST

/* A new file is like another one, or has the mode that was asked for. */
START_TEST(new_files_have_their_mode)
{
    journal_change_t change = change_of(JOURNAL_CREATE, "n.conf", "n\n");
    struct stat st;

    ck_assert_int_eq(chmod(in_conf("a.conf"), 0640), 0);
    change.like = in_conf("a.conf");
    begin(JOURNAL_PERMANENT);
    unit_ok(journal_stage(txn, &change, &err));
    unit_ok(stage(JOURNAL_MKDIR, "d", NULL));
    unit_ok(stage(JOURNAL_CREATE, "d/m.conf", "m\n"));
    unit_ok(stage(JOURNAL_SYMLINK, "l.conf", "d/m.conf"));
    save();
    ck_assert_int_eq(stat(in_conf("n.conf"), &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0640);
    ck_assert_int_eq(stat(in_conf("d/m.conf"), &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0644);
    holds("l.conf", "m\n");
    no_strays();
    unit_ok(journal_revert(NULL, txn, &err, pool, pool));
    ck_assert_int_ne(access(in_conf("d"), F_OK), 0);
    ck_assert_int_ne(access(in_conf("n.conf"), F_OK), 0);
}
END_TEST

/* Where httpd includes a bare directory temporaries go to its parent. */
START_TEST(temporaries_can_go_to_the_parent)
{
    journal_change_t change;

    ck_assert_int_eq(mkdir(in_conf("d"), 0755), 0);
    put("d/x.conf", "x\n");
    change = change_of(JOURNAL_MODIFY, "d/x.conf", "X\n");
    change.stage_up = 1;
    begin(JOURNAL_PERMANENT);
    unit_ok(journal_stage(txn, &change, &err));
    ck_assert_str_eq(APR_ARRAY_IDX(txn->staged, 0,
                                   journal_entry_t *)->temp_dir,
                     apr_pstrcat(pool, top, "/conf", NULL));
    save();
    holds("d/x.conf", "X\n");
    unit_ok(journal_revert(NULL, txn, &err, pool, pool));
    holds("d/x.conf", "x\n");
    change.stage_up = 2;
    begin(JOURNAL_PERMANENT);
    unit_ok(journal_stage(txn, &change, &err));
    ck_assert_str_eq(APR_ARRAY_IDX(txn->staged, 0,
                                   journal_entry_t *)->temp_dir, top);
}
END_TEST

/* Who changes a file between the look and the save is not overwritten. */
START_TEST(an_edit_in_between_stops_the_save)
{
    begin(JOURNAL_PERMANENT);
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    unit_ok(stage(JOURNAL_MODIFY, "b.conf", "B\n"));
    put("b.conf", "by hand\n");
    unit_fails(journal_save(txn, NULL, NULL, &err, pool), APR_EAGAIN,
               "somebody else changed it");
    holds("a.conf", "a\n");
    holds("b.conf", "by hand\n");
    ck_assert_int_ne(access(in_journal("active"), F_OK), 0);
    base_err_clear(&err);
    begin(JOURNAL_PERMANENT);
}
END_TEST

static apr_status_t refuse(void *baton, acme_err_t *told, apr_pool_t *p)
{
    return base_err_set(told, APR_EINVAL, BASE_EXIT_HTTPD,
                        "httpd says no: %s", (const char *)baton);
}

/* The test sees the new content; what it refuses never goes live. */
START_TEST(a_refused_configuration_is_not_live)
{
    begin(JOURNAL_PERMANENT);
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    unit_fails(journal_save(txn, refuse, "line 3", &err, pool), APR_EINVAL,
               "httpd says no: line 3");
    ck_assert_int_eq(err.exit, BASE_EXIT_HTTPD);
    holds("a.conf", "a\n");
    ck_assert_int_ne(access(in_journal("active"), F_OK), 0);
}
END_TEST

static apr_status_t sees_new(void *baton, acme_err_t *told, apr_pool_t *p)
{
    const char *text = text_of(in_conf("a.conf"));

    if (text && strcmp(text, "A\n") == 0) {
        return APR_SUCCESS;
    }
    return base_err_set(told, APR_EGENERAL, BASE_EXIT_FAILED, "old content");
}

/* A user who may make no namespace tests on live files, and undoes. */
static int save_unprivileged(void)
{
    journal_t *own;

    if (setresgid(33, 33, 33) == -1 || setresuid(33, 33, 33) == -1
        || journal_open(&own, in_conf("j"), 1, &err, pool) != APR_SUCCESS
        || journal_lock(own, "x", 0, &err, pool) != APR_SUCCESS) {
        return 2;
    }
    journal = own;
    begin(JOURNAL_PERMANENT);
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    unit_ok(journal_save(txn, sees_new, NULL, &err, pool));
    holds("a.conf", "A\n");
    unit_ok(stage(JOURNAL_MODIFY, "b.conf", "B\n"));
    if (journal_save(txn, refuse, "live", &err, pool) != APR_EINVAL) {
        return 3;
    }
    holds("a.conf", "a\n");
    holds("b.conf", "b\n");
    return 0;
}

START_TEST(without_privilege_the_test_is_live)
{
    int status;
    pid_t pid;

    if (geteuid() != 0) {
        return;
    }
    ck_assert_int_eq(chown(top, 33, 33), 0);
    ck_assert_int_eq(chown(in_conf(""), 33, 33), 0);
    ck_assert_int_eq(chown(in_conf("a.conf"), 33, 33), 0);
    ck_assert_int_eq(chown(in_conf("b.conf"), 33, 33), 0);
    pid = fork();
    if (pid == 0) {
        _exit(save_unprivileged());
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* Several saves are one transaction: one checkpoint, undone at once. */
START_TEST(saves_add_up)
{
    journal_undo_t undo;

    begin(JOURNAL_PERMANENT);
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    unit_ok(journal_note(txn, "first", &err));
    save();
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "AA\n"));
    unit_ok(stage(JOURNAL_MODIFY, "b.conf", "B\n"));
    save();
    ck_assert_uint_eq(commit("both"), 1);
    unit_ok(roll_back(1, JOURNAL_DRIFT_REFUSE, NULL, &undo));
    holds("a.conf", "a\n");
    holds("b.conf", "b\n");
}
END_TEST

Suite *save_suite(void)
{
    Suite *suite = suite_create("journal/save");
    TCase *tc = rig_case(suite, "saves");

    tcase_add_test(tc, owner_mode_and_attributes_stay);
    tcase_add_test(tc, access_lists_stay);
    tcase_add_test(tc, new_files_have_their_mode);
    tcase_add_test(tc, temporaries_can_go_to_the_parent);
    tcase_add_test(tc, an_edit_in_between_stops_the_save);
    tcase_add_test(tc, a_refused_configuration_is_not_live);
    tcase_add_test(tc, without_privilege_the_test_is_live);
    tcase_add_test(tc, saves_add_up);
    return suite;
}
