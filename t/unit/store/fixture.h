/* A store of its own for each test, below a temporary directory. */
#ifndef UNIT_STORE_FIXTURE_H
#define UNIT_STORE_FIXTURE_H

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "store/store.h"
#include "unit.h"

static char temp_dir[] = "/tmp/unit-store-XXXXXX";
static store_t *store;

static inline void fixture_setup(void)
{
    unit_setup();
    ck_assert_ptr_nonnull(mkdtemp(temp_dir));
    unit_ok(store_open(&store, apr_pstrcat(pool, temp_dir, "/s", NULL), 1,
                       &err, pool));
}

static inline void fixture_teardown(void)
{
    base_err_clear(&err);
    unit_ok(base_dir_remove(apr_pstrcat(pool, temp_dir, "/s/domains", NULL),
                            &err, pool));
    unit_ok(base_dir_remove(temp_dir, &err, pool));
    unit_teardown();
}

static inline TCase *fixture_case(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
    suite_add_tcase(suite, tc);
    return tc;
}

/** STORE/path */
static inline const char *in_store(const char *path)
{
    return apr_pstrcat(pool, store_dir(store), "/", path, NULL);
}

static inline int exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static inline int mode_of(const char *path)
{
    struct stat st;

    ck_assert_int_eq(lstat(path, &st), 0);
    return (int)(st.st_mode & 07777);
}

#endif
