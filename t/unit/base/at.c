/*
 * at.c: tests of names in an open directory.
 */
#include "unit.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "faults.h"

static base_at_t *at;
static const char *dir;

static void at_setup(void)
{
    unit_setup();
    fault_clear();
    dir = unit_dir();
    unit_ok(base_at_open(&at, dir, &err, pool));
}

static const char *in_dir(const char *name)
{
    return apr_pstrcat(pool, dir, "/", name, NULL);
}

static const base_attrs_t *mode(int m)
{
    base_attrs_t *attrs = apr_pcalloc(pool, sizeof(*attrs));

    attrs->mode = m;
    attrs->uid = geteuid();
    attrs->gid = getegid();
    return attrs;
}

static void make(const char *name, const char *text)
{
    unit_ok(base_at_create(at, name, text, strlen(text), mode(0644), &err,
                           pool));
}

static void has(const char *name, const char *text)
{
    apr_size_t len;
    char *data;

    unit_ok(base_at_read(&data, &len, NULL, at, name, 100, &err, pool));
    ck_assert_str_eq(data, text);
}

/* No component of a directory's path may be a link. */
START_TEST(links_on_the_way_are_refused)
{
    base_at_t *other;

    ck_assert_int_eq(mkdir(in_dir("d"), 0700), 0);
    ck_assert_int_eq(mkdir(in_dir("d/e"), 0700), 0);
    ck_assert_int_eq(symlink("d", in_dir("l")), 0);
    unit_ok(base_at_open(&other, in_dir("d/e"), &err, pool));
    unit_fails(base_at_open(&other, in_dir("l/e"), &err, pool), ENOTDIR,
               "l/e");
    base_err_clear(&err);
    unit_fails(base_at_open(&other, in_dir("l"), &err, pool), ENOTDIR, "/l");
    base_err_clear(&err);
    unit_fails(base_at_open(&other, in_dir("x"), &err, pool), ENOENT, "/x");
}
END_TEST

/* A new file has its mode and attributes before it is seen, and is synced. */
START_TEST(a_new_file_is_complete)
{
    base_attrs_t attrs = *mode(0640), read;
    base_xattr_t *xattr;
    struct stat st;
    apr_size_t len;
    char *data;

    attrs.xattrs = apr_array_make(pool, 1, sizeof(base_xattr_t));
    xattr = apr_array_push(attrs.xattrs);
    xattr->name = "user.note";
    xattr->value = "a\0b";
    xattr->len = 3;
    fault_fsync_calls = 0;
    if (base_at_create(at, "f", "x\n", 2, &attrs, &err, pool) == ENOTSUP) {
        return;                     /* a file system without attributes */
    }
    ck_assert_int_eq(err.status, 0);
    ck_assert_int_eq(fault_fsync_calls, 1);
    unit_ok(base_at_stat(&st, at, "f", &err));
    ck_assert_int_eq(st.st_mode & 07777, 0640);
    unit_ok(base_at_read(&data, &len, &read, at, "f", 100, &err, pool));
    ck_assert_int_eq(read.mode, 0640);
    xattr = NULL;
    for (len = 0; len < (apr_size_t)read.xattrs->nelts; len++) {
        if (strcmp(APR_ARRAY_IDX(read.xattrs, len, base_xattr_t).name,
                   "user.note") == 0) {
            xattr = &APR_ARRAY_IDX(read.xattrs, len, base_xattr_t);
        }
    }
    ck_assert_ptr_nonnull(xattr);
    ck_assert_uint_eq(xattr->len, 3);
    ck_assert_mem_eq(xattr->value, "a\0b", 3);
}
END_TEST

/* A file that cannot be written or synced is not left half-made. */
START_TEST(a_failed_file_is_removed)
{
    struct stat st;

    fault_fsync = EIO;
    unit_fails(base_at_create(at, "f", "x\n", 2, mode(0644), &err, pool),
               EIO, "write");
    ck_assert_int_eq(fault_fsync_calls, 1);
    fault_clear();
    fault_write = ENOSPC;
    base_err_clear(&err);
    unit_fails(base_at_create(at, "f", "xyz\n", 4, mode(0644), &err, pool),
               ENOSPC, "make room");
    fault_clear();
    ck_assert_int_eq(lstat(in_dir("f"), &st), -1);
}
END_TEST

/* Nothing is overwritten by creating. */
START_TEST(creating_never_replaces)
{
    make("f", "x\n");
    unit_fails(base_at_create(at, "f", "y\n", 2, mode(0644), &err, pool),
               EEXIST, "create");
    base_err_clear(&err);
    unit_fails(base_at_symlink(at, "f", "x", &err), EEXIST, "link");
    base_err_clear(&err);
    unit_fails(base_at_mkdir(at, "f", mode(0700), &err, pool), EEXIST,
               "directory");
    has("f", "x\n");
}
END_TEST

/* Reading follows no link and waits for no FIFO. */
START_TEST(reading_takes_files_only)
{
    apr_size_t len;
    char *data;

    ck_assert_int_eq(symlink("/etc/passwd", in_dir("l")), 0);
    ck_assert_int_eq(mkfifo(in_dir("p"), 0600), 0);
    ck_assert_int_ne(base_at_read(&data, &len, NULL, at, "l", 100, &err,
                                  pool), APR_SUCCESS);
    base_err_clear(&err);
    unit_fails(base_at_read(&data, &len, NULL, at, "p", 100, &err, pool),
               APR_EINVAL, "not a regular file");
    base_err_clear(&err);
    make("f", "0123456789");
    unit_fails(base_at_read(&data, &len, NULL, at, "f", 9, &err, pool),
               APR_EINVAL, "larger than");
}
END_TEST

/* Exchange, move, replace. */
START_TEST(names_change_places)
{
    apr_status_t rv;

    make("a", "a\n");
    make("b", "b\n");
    rv = base_at_exchange(at, "a", at, "b", &err);
    if (rv == APR_ENOTIMPL) {
        return;                     /* a file system without it */
    }
    ck_assert_int_eq(rv, APR_SUCCESS);
    has("a", "b\n");
    has("b", "a\n");
    unit_fails(base_at_move(at, "a", at, "b", &err), EEXIST, "create");
    base_err_clear(&err);
    unit_ok(base_at_move(at, "a", at, "c", &err));
    has("c", "b\n");
    unit_ok(base_at_replace(at, "c", at, "b", &err));
    has("b", "b\n");
    unit_ok(base_at_sync_file(at, "b", &err));
    unit_ok(base_at_sync(at, &err));
}
END_TEST

/* What is gone already is removed. */
START_TEST(removing_nothing_succeeds)
{
    unit_ok(base_at_remove(at, "none", &err));
    unit_ok(base_at_rmdir(at, "none", &err));
    unit_ok(base_at_mkdir(at, "d", mode(0755), &err, pool));
    make("d/f", "x\n");
    ck_assert_int_ne(base_at_rmdir(at, "d", &err), APR_SUCCESS);
    base_err_clear(&err);
    unit_ok(base_at_remove(at, "d/f", &err));
    unit_ok(base_at_rmdir(at, "d", &err));
}
END_TEST

/* There is room for a byte and not for an exabyte. */
START_TEST(room_is_counted)
{
    unit_ok(base_at_room(at, 1, &err));
    unit_fails(base_at_room(at, (apr_uint64_t)1 << 60, &err), ENOSPC,
               "make room");
}
END_TEST

/* An ordinary file and directory may be replaced. */
START_TEST(ordinary_files_are_not_fixed)
{
    make("f", "x\n");
    ck_assert_pstr_eq(base_at_fixed(at, "f"), NULL);
    ck_assert_pstr_eq(base_at_fixed(at, NULL), NULL);
}
END_TEST

/* A path without its links. */
START_TEST(real_paths_have_no_links)
{
    const char *real, *top;

    make("f", "x\n");
    ck_assert_int_eq(symlink("f", in_dir("l")), 0);
    unit_ok(base_path_real(&top, dir, &err, pool));
    unit_ok(base_path_real(&real, in_dir("l"), &err, pool));
    ck_assert_str_eq(real, apr_pstrcat(pool, top, "/f", NULL));
    unit_fails(base_path_real(&real, in_dir("none"), &err, pool), ENOENT,
               "none");
}
END_TEST

Suite *at_suite(void)
{
    Suite *suite = suite_create("base/at");
    TCase *tc = tcase_create("names");

    tcase_add_checked_fixture(tc, at_setup, unit_teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, links_on_the_way_are_refused);
    tcase_add_test(tc, a_new_file_is_complete);
    tcase_add_test(tc, a_failed_file_is_removed);
    tcase_add_test(tc, creating_never_replaces);
    tcase_add_test(tc, reading_takes_files_only);
    tcase_add_test(tc, names_change_places);
    tcase_add_test(tc, removing_nothing_succeeds);
    tcase_add_test(tc, room_is_counted);
    tcase_add_test(tc, ordinary_files_are_not_fixed);
    tcase_add_test(tc, real_paths_have_no_links);
    return suite;
}
