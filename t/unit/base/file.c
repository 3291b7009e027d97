/*
 * file.c: tests of support/base/file.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults.h"
#include "unit.h"

static const char *dir;

/* DIR/name in a fresh directory that dir names. */
static const char *fresh(const char *name)
{
    dir = unit_dir();
    return apr_pstrcat(pool, dir, "/", name, NULL);
}

static const char *beside(const char *name)
{
    return apr_pstrcat(pool, dir, "/", name, NULL);
}

static void put(const char *path, const char *text)
{
    unit_ok(base_file_create(path, text, strlen(text), 0600, &err));
}

static const char *content(const char *path)
{
    char *data = NULL;
    apr_size_t len;

    unit_ok(base_file_read(&data, &len, path, 1 << 20, &err, pool));
    ck_assert_uint_eq(strlen(data), len);
    return data;
}

static int mode_of(const char *path)
{
    struct stat st;

    ck_assert_int_eq(lstat(path, &st), 0);
    return (int)(st.st_mode & 07777);
}

/* Assert how many entries dir has, temporaries included. */
static void check_count(int count)
{
    apr_array_header_t *names;
    acme_err_t fault = { 0 };

    ck_assert_int_eq(base_dir_list(&names, dir, &fault, pool), APR_SUCCESS);
    ck_assert_int_eq(names->nelts, count);
}

/* What may get lost costs no fsync; an existing file is never written. */
START_TEST(puts_without_sync)
{
    const char *lost = fresh("lost");

    fault_fsync_calls = 0;
    unit_ok(base_file_put(lost, "x", 1, 0600, &err));
    ck_assert_int_eq(fault_fsync_calls, 0);
    ck_assert_str_eq(content(lost), "x");
    ck_assert_int_eq(mode_of(lost), 0600);
    unit_fails(base_file_put(lost, "y", 1, 0600, &err), APR_EEXIST, "lost");
}
END_TEST

/* A file is read whole, with a NUL behind it that does not count. */
START_TEST(reads)
{
    const char *path = fresh("f");
    char *data;
    apr_size_t len;

    unit_ok(base_file_create(path, "a\0b", 3, 0600, &err));
    unit_ok(base_file_read(&data, &len, path, 3, &err, pool));
    ck_assert_uint_eq(len, 3);
    ck_assert_mem_eq(data, "a\0b\0", 4);
    unit_ok(base_file_create(beside("empty"), "", 0, 0600, &err));
    unit_ok(base_file_read(&data, &len, beside("empty"), 0, &err, pool));
    ck_assert_uint_eq(len, 0);
    ck_assert_str_eq(data, "");
}
END_TEST

/* A file one byte larger than allowed is refused. */
START_TEST(reads_too_large)
{
    const char *path = fresh("f");
    char *data = NULL;
    apr_size_t len;

    put(path, "abcd");
    unit_fails(base_file_read(&data, &len, path, 3, &err, pool), APR_EINVAL,
               "larger than the 3 bytes");
    ck_assert_ptr_null(data);
}
END_TEST

/* Only a regular file is read: no link, directory, device or FIFO. */
START_TEST(reads_no_other)
{
    const char *path = fresh("f");
    char *data = NULL;
    apr_size_t len;

    put(path, "x");
    ck_assert_int_eq(symlink("f", beside("link")), 0);
    ck_assert_int_eq(mkfifo(beside("fifo"), 0600), 0);
    unit_fails(base_file_read(&data, &len, beside("link"), 9, &err, pool),
               APR_EINVAL, "it is a symbolic link");
    base_err_clear(&err);
    unit_fails(base_file_read(&data, &len, beside("fifo"), 9, &err, pool),
               APR_EINVAL, "not a regular file");
    base_err_clear(&err);
    unit_fails(base_file_read(&data, &len, dir, 9, &err, pool), APR_EINVAL,
               "not a regular file");
    base_err_clear(&err);
    unit_fails(base_file_read(&data, &len, "/dev/null", 9, &err, pool),
               APR_EINVAL, "not a regular file");
    base_err_clear(&err);
    unit_fails(base_file_read(&data, &len, beside("none"), 9, &err, pool),
               APR_ENOENT, "none: No such file or directory");
    base_err_clear(&err);
    unit_fails(base_file_read(&data, &len, beside("f/x"), 9, &err, pool),
               ENOTDIR, "f/x");
    ck_assert_ptr_null(data);
}
END_TEST

/* A file that is longer than its size says is not read half. */
START_TEST(reads_growing)
{
    char *data = NULL;
    apr_size_t len;

    /* of the files of proc(5) the size is always 0 */
    unit_fails(base_file_read(&data, &len, "/proc/self/status", 1 << 20,
                              &err, pool), APR_EINVAL, "it grew meanwhile");
}
END_TEST

/* What was read is wiped when its pool is cleared, NULs or not. */
START_TEST(wipes)
{
    const char *path = fresh("f");
    apr_pool_t *short_lived;
    char *data, *around;
    apr_size_t len, i;

    unit_ok(base_file_create(path, "key\0key", 7, 0600, &err));
    apr_pool_create(&short_lived, pool);
    /* run the clean-ups but keep the memory: a pool's first block stays */
    unit_ok(base_file_read(&data, &len, path, 9, &err, short_lived));
    around = data;
    apr_pool_clear(short_lived);
    for (i = 0; i < 7; i++) {
        ck_assert_int_eq(around[i], 0);
    }
}
END_TEST

/* Interrupted and short reads and writes lose nothing. */
START_TEST(interrupted)
{
    const char *path = fresh("f");

    fault_short = 1;
    unit_ok(base_file_write(path, "all of it", 9, 0600, &err, pool));
    ck_assert_str_eq(content(path), "all of it");
    fault_short = 0;
    ck_assert_str_eq(content(path), "all of it");
}
END_TEST

/* A new file has exactly the mode asked for, whatever the umask. */
START_TEST(creates)
{
    const char *path = fresh("f");
    mode_t old = umask(077);

    unit_ok(base_file_create(path, "x", 1, 0644, &err));
    ck_assert_int_eq(mode_of(path), 0644);
    umask(0);
    unit_ok(base_file_create(beside("g"), "x", 1, 0600, &err));
    ck_assert_int_eq(mode_of(beside("g")), 0600);
    unit_ok(base_file_create(beside("h"), "x", 1, 0444, &err));
    ck_assert_int_eq(mode_of(beside("h")), 0444);
    umask(old);
    ck_assert_str_eq(content(path), "x");
}
END_TEST

/* A file that is there already, were it a dangling link, stays as it is. */
START_TEST(creates_only_new)
{
    const char *path = fresh("f");

    put(path, "old");
    unit_fails(base_file_create(path, "new", 3, 0600, &err), APR_EEXIST,
               "cannot create");
    base_err_clear(&err);
    ck_assert_str_eq(content(path), "old");
    ck_assert_int_eq(symlink("target", beside("link")), 0);
    unit_fails(base_file_create(beside("link"), "x", 1, 0600, &err),
               APR_EEXIST, "link");
    check_count(2);
}
END_TEST

/* When the bytes do not reach the disk the new file goes again. */
START_TEST(creates_or_nothing)
{
    const char *path = fresh("f");

    fault_write = ENOSPC;
    unit_fails(base_file_create(path, "text", 4, 0600, &err), ENOSPC,
               "make room on that file system");
    check_count(0);
    fault_write = 0;
    base_err_clear(&err);
    fault_fsync = EIO;
    fault_fsync_calls = 0;
    unit_fails(base_file_create(path, "text", 4, 0600, &err), EIO,
               "cannot write");
    /* fsync is never tried twice */
    ck_assert_int_eq(fault_fsync_calls, 1);
    check_count(0);
}
END_TEST

/* A write replaces the whole file and nothing but the file. */
START_TEST(writes)
{
    const char *path = fresh("f");

    unit_ok(base_file_write(path, "one", 3, 0600, &err, pool));
    ck_assert_str_eq(content(path), "one");
    fault_fsync_calls = 0;
    unit_ok(base_file_write(path, "2", 1, 0640, &err, pool));
    /* once for the bytes, once for the name */
    ck_assert_int_eq(fault_fsync_calls, 2);
    ck_assert_str_eq(content(path), "2");
    ck_assert_int_eq(mode_of(path), 0640);
    check_count(1);
}
END_TEST

/* Who has the old file open keeps the old bytes. */
START_TEST(writes_a_new_inode)
{
    const char *path = fresh("f");
    char buf[4] = "";
    int fd;

    put(path, "old");
    fd = open(path, O_RDONLY);
    unit_ok(base_file_write(path, "new", 3, 0600, &err, pool));
    ck_assert_int_eq(read(fd, buf, 3), 3);
    ck_assert_str_eq(buf, "old");
    close(fd);
}
END_TEST

/* A link in the file's place is replaced, its target is not touched. */
START_TEST(writes_over_link)
{
    const char *path = fresh("f");

    put(path, "target");
    ck_assert_int_eq(symlink("f", beside("link")), 0);
    unit_ok(base_file_write(beside("link"), "new", 3, 0600, &err, pool));
    ck_assert_str_eq(content(path), "target");
    ck_assert_str_eq(content(beside("link")), "new");
}
END_TEST

/* A relative path writes into the current directory. */
START_TEST(writes_relative)
{
    fresh("f");
    ck_assert_int_eq(chdir(dir), 0);
    unit_ok(base_file_write("f", "here", 4, 0600, &err, pool));
    ck_assert_str_eq(content(beside("f")), "here");
    ck_assert_int_eq(chdir("/"), 0);
    check_count(1);
}
END_TEST

/* Whatever fails before the rename leaves the old file and no other. */
START_TEST(writes_or_keeps)
{
    const char *path = fresh("f");

    put(path, "old");
    fault_write = ENOSPC;
    unit_fails(base_file_write(path, "new", 3, 0600, &err, pool), ENOSPC,
               apr_psprintf(pool, "cannot write %s: cannot write %s/.f.tmp-",
                            path, dir));
    fault_write = 0;
    base_err_clear(&err);
    ck_assert_str_eq(content(path), "old");
    fault_fsync = EIO;
    unit_fails(base_file_write(path, "new", 3, 0600, &err, pool), EIO,
               "check the disk");
    fault_fsync = 0;
    base_err_clear(&err);
    ck_assert_str_eq(content(path), "old");
    check_count(1);
}
END_TEST

/* A limit on the size of files is told like any other reason. */
START_TEST(writes_within_limit)
{
    const char *path = fresh("f");
    struct rlimit limit, old;

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 2;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    unit_fails(base_file_write(path, "abc", 3, 0600, &err, pool), EFBIG,
               "ulimit -f");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    check_count(0);
}
END_TEST

/* A path that cannot be written is refused and nothing is left there. */
START_TEST(writes_nowhere)
{
    const char *path = fresh("d");

    ck_assert_int_eq(mkdir(path, 0700), 0);
    unit_fails(base_file_write(path, "x", 1, 0600, &err, pool), EISDIR,
               "cannot replace");
    base_err_clear(&err);
    unit_fails(base_file_write(beside("d/"), "x", 1, 0600, &err, pool),
               APR_EINVAL, "it names a directory");
    base_err_clear(&err);
    unit_fails(base_file_write(beside("none/f"), "x", 1, 0600, &err, pool),
               APR_ENOENT, "none/f");
    base_err_clear(&err);
    unit_fails(base_file_write("", "x", 1, 0600, &err, pool), APR_EINVAL,
               "names a directory");
    check_count(1);
}
END_TEST

/* A user without the right to write is told what would help. */
START_TEST(writes_forbidden)
{
    const char *path = fresh("f");

    if (geteuid() != 0) {
        ck_assert_int_eq(chmod(dir, 0500), 0);
    }
    else {
        ck_assert_int_eq(chmod(dir, 0755), 0);
        ck_assert_int_eq(seteuid(65534), 0);
    }
    unit_fails(base_file_write(path, "x", 1, 0600, &err, pool), APR_EACCES,
               "Permission denied: run this as root");
    if (getuid() == 0) {
        ck_assert_int_eq(seteuid(0), 0);
    }
    ck_assert_int_eq(chmod(dir, 0700), 0);
    check_count(0);
}
END_TEST

/* Removing is done when the file is gone, also if it never was. */
START_TEST(removes)
{
    const char *path = fresh("f");

    put(path, "x");
    fault_fsync_calls = 0;
    unit_ok(base_file_remove(path, &err, pool));
    ck_assert_int_eq(fault_fsync_calls, 1);
    check_count(0);
    unit_ok(base_file_remove(path, &err, pool));
    unit_fails(base_file_remove(dir, &err, pool), EISDIR, "cannot remove");
    base_err_clear(&err);
    put(path, "x");
    fault_fsync = EIO;
    unit_fails(base_file_remove(path, &err, pool), EIO,
               "sync the directory");
}
END_TEST

/* A rename replaces its target and syncs the target's directory. */
START_TEST(renames)
{
    const char *from = fresh("a"), *to = beside("b");

    put(from, "new");
    put(to, "old");
    fault_fsync_calls = 0;
    unit_ok(base_file_rename(from, to, &err, pool));
    ck_assert_int_eq(fault_fsync_calls, 1);
    ck_assert_str_eq(content(to), "new");
    check_count(1);
    unit_fails(base_file_rename(from, to, &err, pool), APR_ENOENT,
               apr_psprintf(pool, "cannot rename %s to %s", from, to));
    base_err_clear(&err);
    fault_fsync = EIO;
    unit_fails(base_file_rename(to, from, &err, pool), EIO,
               "sync the directory");
}
END_TEST

/* A link is made where there is none and switched where there is one. */
START_TEST(switches)
{
    const char *path = fresh("current"), *target;

    unit_ok(base_link_switch(path, "1", &err, pool));
    unit_ok(base_link_read(&target, path, &err, pool));
    ck_assert_str_eq(target, "1");
    ck_assert_int_eq(mkdir(beside("2"), 0700), 0);
    unit_ok(base_link_switch(path, "2", &err, pool));
    /* to a directory: the link is switched, nothing is put inside */
    unit_ok(base_link_switch(path, "3", &err, pool));
    unit_ok(base_link_read(&target, path, &err, pool));
    ck_assert_str_eq(target, "3");
    check_count(2);
}
END_TEST

/* What is not a link is neither switched nor read as one. */
START_TEST(switches_only_links)
{
    const char *path = fresh("f"), *target = NULL;

    put(path, "x");
    unit_fails(base_link_switch(path, "1", &err, pool), APR_EINVAL,
               "it is not a symbolic link: move it away");
    base_err_clear(&err);
    unit_fails(base_link_switch(dir, "1", &err, pool), APR_EINVAL,
               "not a symbolic link");
    base_err_clear(&err);
    unit_fails(base_link_read(&target, path, &err, pool), APR_EINVAL,
               "not a symbolic link");
    base_err_clear(&err);
    unit_fails(base_link_read(&target, beside("none"), &err, pool),
               APR_ENOENT, "cannot read the link");
    base_err_clear(&err);
    unit_fails(base_link_switch(beside("no/l"), "1", &err, pool),
               APR_ENOENT, "cannot make the link");
    base_err_clear(&err);
    unit_fails(base_link_switch(beside("l"), "", &err, pool), APR_ENOENT,
               "cannot make the link");
    ck_assert_ptr_null(target);
    ck_assert_str_eq((base_err_clear(&err), content(path)), "x");
    check_count(1);
}
END_TEST

/* The directory of a path, with trailing slashes or without any. */
START_TEST(path_dir)
{
    static const char *const pairs[][2] = {
        { "/a/b", "/a" }, { "/a/b/", "/a" }, { "/a", "/" }, { "/", "/" },
        { "a", "." }, { "a/", "." }, { "", "." }, { "a/b", "a" },
        { "a//b//", "a" }, { "//a", "/" }, { "///", "/" }, { "../a", ".." }
    };
    size_t i;

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        ck_assert_str_eq(base_path_dir(pairs[i][0], pool), pairs[i][1]);
    }
}
END_TEST

/* No call leaves a descriptor open, whether it works or not. */
START_TEST(closes)
{
    const char *path = fresh("f"), *target;
    char *data;
    apr_size_t len;
    int before = dup(0), after, round;

    close(before);
    for (round = 0; round < 2; round++) {
        fault_fsync = round ? EIO : 0;
        base_file_write(path, "x", 1, 0600, &err, pool);
        base_file_create(beside("g"), "x", 1, 0600, &err);
        base_file_read(&data, &len, round ? dir : path, 9, &err, pool);
        base_link_switch(beside("l"), "x", &err, pool);
        base_link_read(&target, beside("l"), &err, pool);
        base_file_rename(beside("g"), beside("h"), &err, pool);
        base_file_remove(beside("h"), &err, pool);
    }
    fault_fsync = 0;
    after = dup(0);
    close(after);
    ck_assert_int_eq(before, after);
}
END_TEST

static void add_reads(TCase *tc)
{
    tcase_add_checked_fixture(tc, fault_clear, fault_clear);
    tcase_add_test(tc, puts_without_sync);
    tcase_add_test(tc, reads);
    tcase_add_test(tc, reads_too_large);
    tcase_add_test(tc, reads_no_other);
    tcase_add_test(tc, reads_growing);
    tcase_add_test(tc, wipes);
    tcase_add_test(tc, interrupted);
    tcase_add_test(tc, path_dir);
    tcase_add_test(tc, closes);
}

static void add_writes(TCase *tc)
{
    tcase_add_checked_fixture(tc, fault_clear, fault_clear);
    tcase_add_test(tc, creates);
    tcase_add_test(tc, creates_only_new);
    tcase_add_test(tc, creates_or_nothing);
    tcase_add_test(tc, writes);
    tcase_add_test(tc, writes_a_new_inode);
    tcase_add_test(tc, writes_over_link);
    tcase_add_test(tc, writes_relative);
    tcase_add_test(tc, writes_or_keeps);
    tcase_add_test(tc, writes_within_limit);
    tcase_add_test(tc, writes_nowhere);
    tcase_add_test(tc, writes_forbidden);
    tcase_add_test(tc, removes);
    tcase_add_test(tc, renames);
    tcase_add_test(tc, switches);
    tcase_add_test(tc, switches_only_links);
}

Suite *file_suite(void)
{
    Suite *suite = suite_create("file");

    add_reads(unit_case(suite, "read"));
    add_writes(unit_case(suite, "write"));
    return suite;
}
