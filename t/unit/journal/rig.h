/*
 * rig: a folder with a configuration and a journal beside it.
 */
#ifndef ACME_UNIT_JOURNAL_RIG_H
#define ACME_UNIT_JOURNAL_RIG_H

#include "unit.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal/internal.h"

/** The folder of the test; conf/ and journal/ lie in it. */
static const char *top;
static journal_t *journal;
static journal_txn_t *txn;

/** Path of a configuration file. */
static inline const char *in_conf(const char *name)
{
    return apr_pstrcat(pool, top, "/conf/", name, NULL);
}

/** Path in the journal. */
static inline const char *in_journal(const char *name)
{
    return apr_pstrcat(pool, top, "/journal/", name, NULL);
}

/** Write a configuration file, 0644. */
static inline void put(const char *name, const char *text)
{
    int fd = open(in_conf(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

    ck_assert_int_ne(fd, -1);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/** Any file's text, NULL if there is none. */
static inline char *text_of(const char *path)
{
    char *text = apr_pcalloc(pool, 65536);
    int fd = open(path, O_RDONLY);

    if (fd == -1) {
        return NULL;
    }
    ck_assert_int_ge(read(fd, text, 65535), 0);
    close(fd);
    return text;
}

/** Assert what a configuration file holds; NULL: that there is none. */
static inline void holds(const char *name, const char *text)
{
    const char *have = text_of(in_conf(name));

    if (text) {
        ck_assert_pstr_eq(have, text);
    }
    else {
        ck_assert_ptr_null(have);
    }
}

/** Assert that no temporary is left in the configuration. */
static inline void no_strays(void)
{
    apr_array_header_t *names;
    int i;

    unit_ok(base_dir_list(&names, in_conf(""), &err, pool));
    for (i = 0; i < names->nelts; i++) {
        ck_assert_msg(APR_ARRAY_IDX(names, i, char *)[0] != '.', "%s is "
                      "left over", APR_ARRAY_IDX(names, i, char *));
    }
}

/** conf/ with a.conf ("a\n"), b.conf ("b\n"); a journal, locked. */
static void rig_setup(void)
{
    journal_undo_t undo;

    unit_setup();
    top = unit_dir();
    ck_assert_int_eq(mkdir(in_conf(""), 0755), 0);
    put("a.conf", "a\n");
    put("b.conf", "b\n");
    unit_ok(journal_open(&journal, in_journal(""), 1, &err, pool));
    unit_ok(journal_lock(journal, "a unit test", 0, &err, pool));
    unit_ok(journal_recover(&undo, journal, JOURNAL_DRIFT_REFUSE, &err, pool,
                            pool));
    ck_assert_int_eq(undo.count, 0);
}

/** 1 if this process may make a mount namespace of its own: not an ordinary
 *  user, not in most containers, and not where "/" is no mount point. */
static inline int rig_may_mount(void)
{
    int status = 1;
    pid_t pid = fork();

    if (pid == 0) {
        _exit(unshare(CLONE_NEWNS) == -1
              || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/** A test case with this rig. */
static inline TCase *rig_case(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, rig_setup, unit_teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    return tc;
}

/** Begin. */
static inline void begin(journal_kind_t kind)
{
    unit_ok(journal_begin(&txn, journal, kind, apr_time_from_sec(1000000),
                          &err, pool));
}

/** A change as it is staged; data lives as long as the test. */
static inline journal_change_t change_of(journal_op_t op, const char *name,
                                         const char *data)
{
    journal_change_t change;

    memset(&change, 0, sizeof(change));
    change.op = op;
    change.step = op == JOURNAL_SYMLINK ? JOURNAL_STEP_ENABLE
                                        : JOURNAL_STEP_HOSTS;
    change.path = in_conf(name);
    change.data = data;
    change.len = data ? strlen(data) : 0;
    change.mode = op == JOURNAL_MKDIR ? 0755 : 0644;
    return change;
}

static inline apr_status_t stage(journal_op_t op, const char *name,
                                 const char *data)
{
    journal_change_t change = change_of(op, name, data);

    return journal_stage(txn, &change, &err);
}

static inline void save(void)
{
    unit_ok(journal_save(txn, NULL, NULL, &err, pool));
}

static inline unsigned long commit(const char *title)
{
    unsigned long id;

    unit_ok(journal_commit(&id, txn, title, &err, pool));
    return id;
}

/** One file changed and committed. @return the checkpoint */
static inline unsigned long change_file(const char *name, const char *text)
{
    begin(JOURNAL_PERMANENT);
    unit_ok(stage(JOURNAL_MODIFY, name, text));
    save();
    return commit(name);
}

/** Undo count checkpoints. */
static inline apr_status_t roll_back(int count, journal_drift_t drift,
                                     journal_test_fn *test,
                                     journal_undo_t *undo)
{
    journal_rollback_t how = { count, 0, drift, 0, test, NULL, NULL };

    return journal_rollback(undo, journal, &how, &err, pool, pool);
}

static inline apr_status_t recover(journal_drift_t drift,
                                   journal_undo_t *undo)
{
    return journal_recover(undo, journal, drift, &err, pool, pool);
}

/** The n-th file of a list. */
static inline const journal_file_t *file_at(const apr_array_header_t *files,
                                            int n)
{
    return &APR_ARRAY_IDX(files, n, journal_file_t);
}

/** As if this process had died: the transaction is nobody's. */
static inline void abandon(void)
{
    journal->txn = NULL;
}

#endif
