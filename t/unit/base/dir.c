/*
 * dir.c: tests of support/base/dir.c.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults.h"
#include "unit.h"

static const char *in(const char *dir, const char *name)
{
    return apr_pstrcat(pool, dir, "/", name, NULL);
}

static void put(const char *path)
{
    unit_ok(base_file_create(path, "x", 1, 0600, &err));
}

static int exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static int mode_of(const char *path)
{
    struct stat st;

    ck_assert_int_eq(stat(path, &st), 0);
    return (int)(st.st_mode & 0777);
}

/* An absent directory is made with exactly the mode, and is on the disk. */
START_TEST(makes)
{
    const char *dir = unit_dir();
    mode_t old = umask(0777);

    fault_fsync_calls = 0;
    unit_ok(base_dir_make(in(dir, "a"), 0700, &err, pool));
    ck_assert_int_eq(fault_fsync_calls, 1);
    ck_assert_int_eq(mode_of(in(dir, "a")), 0700);
    umask(0);
    unit_ok(base_dir_make(in(dir, "b"), 0711, &err, pool));
    ck_assert_int_eq(mode_of(in(dir, "b")), 0711);
    umask(old);
    /* what is there and right is left alone */
    put(in(dir, "a/file"));
    unit_ok(base_dir_make(in(dir, "a"), 0700, &err, pool));
    unit_ok(base_dir_make(in(dir, "a/"), 0700, &err, pool));
    ck_assert(exists(in(dir, "a/file")));
}
END_TEST

/* A directory that inherits its group's bit is as private as another. */
START_TEST(makes_in_setgid)
{
    const char *dir = unit_dir();

    ck_assert_int_eq(chmod(dir, 02700), 0);
    unit_ok(base_dir_make(in(dir, "a"), 0700, &err, pool));
    ck_assert_int_eq(chmod(in(dir, "a"), 02700), 0);
    unit_ok(base_dir_make(in(dir, "a"), 0700, &err, pool));
}
END_TEST

/* A directory with another mode is refused with the command to mend it. */
START_TEST(wrong_mode)
{
    static const int modes[] = { 0755, 0701, 0770, 0500, 0777, 0000 };
    const char *dir = unit_dir(), *path = in(dir, "a");
    size_t i;

    unit_ok(base_dir_make(path, 0700, &err, pool));
    for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        base_err_clear(&err);
        ck_assert_int_eq(chmod(path, (mode_t)modes[i]), 0);
        if (geteuid() != 0 && !(modes[i] & 0400)) {
            continue;
        }
        unit_fails(base_dir_make(path, 0700, &err, pool), APR_EACCES,
                   apr_psprintf(pool, "its mode is %04o: chmod 0700 %s",
                                (unsigned)modes[i], path));
        ck_assert_int_eq(mode_of(path), modes[i]);
    }
    ck_assert_int_eq(chmod(path, 0700), 0);
}
END_TEST

/* A directory of somebody else's is refused with the command to mend it. */
START_TEST(wrong_owner)
{
    const char *dir = unit_dir(), *path = in(dir, "a");

    unit_ok(base_dir_make(path, 0700, &err, pool));
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(path, 65534, (gid_t)-1), 0);
    }
    else {
        path = "/";
    }
    unit_fails(base_dir_make(path, 0700, &err, pool), APR_EACCES,
               apr_psprintf(pool, "chown %lu %s", (unsigned long)geteuid(),
                            path));
}
END_TEST

/* A file or a link where the directory should be is refused. */
START_TEST(no_directory)
{
    const char *dir = unit_dir();

    put(in(dir, "f"));
    ck_assert_int_eq(mkdir(in(dir, "d"), 0700), 0);
    ck_assert_int_eq(symlink("d", in(dir, "l")), 0);
    ck_assert_int_eq(symlink("none", in(dir, "dangling")), 0);
    unit_fails(base_dir_make(in(dir, "f"), 0700, &err, pool), APR_ENOTDIR,
               "it is a file or a symbolic link");
    base_err_clear(&err);
    unit_fails(base_dir_make(in(dir, "l"), 0700, &err, pool), APR_ENOTDIR,
               "it is a file or a symbolic link");
    base_err_clear(&err);
    unit_fails(base_dir_make(in(dir, "dangling"), 0700, &err, pool),
               APR_ENOTDIR, "it is a file or a symbolic link");
    base_err_clear(&err);
    unit_fails(base_dir_make(in(dir, "no/d"), 0700, &err, pool), APR_ENOENT,
               "make the directory it lies in");
    base_err_clear(&err);
    unit_fails(base_dir_make(in(dir, "f/d"), 0700, &err, pool), ENOTDIR,
               "cannot make the directory");
}
END_TEST

/* A directory that does not reach the disk is not left behind. */
START_TEST(makes_or_nothing)
{
    const char *dir = unit_dir();

    fault_fsync = EIO;
    unit_fails(base_dir_make(in(dir, "a"), 0700, &err, pool), EIO,
               "sync the directory");
    fault_fsync = 0;
    ck_assert(!exists(in(dir, "a")));
}
END_TEST

/* A list is sorted and knows neither "." nor "..". */
START_TEST(lists)
{
    static const char *const names[] = { "b", "a", ".c", "B", "a.b", "..d" };
    const char *dir = unit_dir();
    apr_array_header_t *list;
    int i;

    unit_ok(base_dir_list(&list, dir, &err, pool));
    ck_assert_int_eq(list->nelts, 0);
    for (i = 0; i < 6; i++) {
        put(in(dir, names[i]));
    }
    unit_ok(base_dir_list(&list, dir, &err, pool));
    ck_assert_int_eq(list->nelts, 6);
    for (i = 1; i < 6; i++) {
        ck_assert_str_lt(APR_ARRAY_IDX(list, i - 1, char *),
                         APR_ARRAY_IDX(list, i, char *));
    }
    ck_assert_str_eq(APR_ARRAY_IDX(list, 0, char *), "..d");
    ck_assert_str_eq(APR_ARRAY_IDX(list, 5, char *), "b");
}
END_TEST

/* What is no directory is not listed. */
START_TEST(lists_nothing)
{
    const char *dir = unit_dir();
    apr_array_header_t *list;

    put(in(dir, "f"));
    unit_fails(base_dir_list(&list, in(dir, "f"), &err, pool), ENOTDIR,
               "cannot list the directory");
    base_err_clear(&err);
    unit_fails(base_dir_list(&list, in(dir, "none"), &err, pool), APR_ENOENT,
               "none");
}
END_TEST

/* Four levels of directories go with all that is in them. */
START_TEST(removes)
{
    const char *dir = unit_dir(), *path = in(dir, "1");

    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(mkdir(in(path, "2"), 0700), 0);
    ck_assert_int_eq(mkdir(in(path, "2/3"), 0700), 0);
    ck_assert_int_eq(mkdir(in(path, "2/3/4"), 0700), 0);
    put(in(path, "2/3/4/f"));
    put(in(path, ".hidden"));
    ck_assert_int_eq(mkfifo(in(path, "fifo"), 0600), 0);
    unit_ok(base_dir_remove(path, &err, pool));
    ck_assert(!exists(path));
    /* absent is success */
    unit_ok(base_dir_remove(path, &err, pool));
}
END_TEST

/* Links are removed, what they point to is not. */
START_TEST(removes_links)
{
    const char *dir = unit_dir(), *path = in(dir, "d");

    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(mkdir(in(dir, "kept"), 0700), 0);
    put(in(dir, "kept/f"));
    ck_assert_int_eq(symlink("../kept", in(path, "l")), 0);
    ck_assert_int_eq(symlink("../kept/f", in(path, "f")), 0);
    ck_assert_int_eq(symlink("none", in(path, "dangling")), 0);
    ck_assert_int_eq(symlink("d", in(dir, "link")), 0);
    unit_fails(base_dir_remove(in(dir, "link"), &err, pool), ENOTDIR,
               "cannot remove");
    base_err_clear(&err);
    ck_assert(exists(in(path, "l")));
    unit_ok(base_dir_remove(path, &err, pool));
    ck_assert(!exists(path));
    ck_assert(exists(in(dir, "kept/f")));
}
END_TEST

/* Five levels, or a file, are nothing that this removes. */
START_TEST(removes_no_other)
{
    const char *dir = unit_dir(), *path = in(dir, "1");

    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(mkdir(in(path, "2"), 0700), 0);
    ck_assert_int_eq(mkdir(in(path, "2/3"), 0700), 0);
    ck_assert_int_eq(mkdir(in(path, "2/3/4"), 0700), 0);
    ck_assert_int_eq(mkdir(in(path, "2/3/4/5"), 0700), 0);
    put(in(path, "2/3/4/5/f"));
    unit_fails(base_dir_remove(path, &err, pool), APR_EINVAL,
               "2/3/4/5: it is nested deeper");
    base_err_clear(&err);
    ck_assert(exists(in(path, "2/3/4/5/f")));
    unit_ok(base_dir_remove(in(path, "2/3/4"), &err, pool));
    put(in(dir, "f"));
    unit_fails(base_dir_remove(in(dir, "f"), &err, pool), ENOTDIR, "f");
    ck_assert(exists(in(dir, "f")));
}
END_TEST

/* A removal that is not on the disk is not done. */
START_TEST(removes_surely)
{
    const char *dir = unit_dir(), *path = in(dir, "d");

    ck_assert_int_eq(mkdir(path, 0700), 0);
    fault_fsync = EIO;
    unit_fails(base_dir_remove(path, &err, pool), EIO, "sync the directory");
    fault_fsync = 0;
}
END_TEST

/* Some file systems have no fsync for directories and do not need it. */
START_TEST(syncs)
{
    const char *dir = unit_dir();

    unit_ok(base_dir_sync(dir, &err));
    fault_fsync = EINVAL;
    unit_ok(base_dir_sync(dir, &err));
    fault_fsync = ENOSPC;
    unit_fails(base_dir_sync(dir, &err), ENOSPC, "make room");
    fault_fsync = 0;
    base_err_clear(&err);
    unit_fails(base_dir_sync(in(dir, "none"), &err), APR_ENOENT,
               "cannot open the directory");
}
END_TEST

/* No call leaves a descriptor open, whether it works or not. */
START_TEST(closes)
{
    const char *dir = unit_dir();
    apr_array_header_t *list;
    int before = dup(0), after, round;

    close(before);
    for (round = 0; round < 2; round++) {
        fault_fsync = round ? EIO : 0;
        base_dir_make(in(dir, "a"), 0700, &err, pool);
        base_dir_make(in(dir, "a"), 0750, &err, pool);
        base_dir_make(in(dir, "a/b"), 0700, &err, pool);
        base_dir_list(&list, dir, &err, pool);
        base_dir_remove(in(dir, "a"), &err, pool);
        base_dir_sync(dir, &err);
    }
    fault_fsync = 0;
    after = dup(0);
    close(after);
    ck_assert_int_eq(before, after);
}
END_TEST

Suite *dir_suite(void)
{
    Suite *suite = suite_create("dir");
    TCase *tc = unit_case(suite, "dir");

    tcase_add_checked_fixture(tc, fault_clear, fault_clear);
    tcase_add_test(tc, makes);
    tcase_add_test(tc, makes_in_setgid);
    tcase_add_test(tc, wrong_mode);
    tcase_add_test(tc, wrong_owner);
    tcase_add_test(tc, no_directory);
    tcase_add_test(tc, makes_or_nothing);
    tcase_add_test(tc, lists);
    tcase_add_test(tc, lists_nothing);
    tcase_add_test(tc, removes);
    tcase_add_test(tc, removes_links);
    tcase_add_test(tc, removes_no_other);
    tcase_add_test(tc, removes_surely);
    tcase_add_test(tc, syncs);
    tcase_add_test(tc, closes);
    return suite;
}
