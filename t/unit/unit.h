/*
 * What every unit test program shares: Check, a pool per test, TAP out.
 *
 * A program is t/unit/ROOM/main.c (the list of suites) and one file per
 * source file of support/ROOM, each offering `Suite *NAME_suite(void)`.
 */
#ifndef ACME_UNIT_H
#define ACME_UNIT_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>

#include "base/base.h"

/** A fresh pool for one test; set by unit_setup, a checked fixture. */
static apr_pool_t *pool;
/** Empty at the start of each test. */
static acme_err_t err;

static void unit_setup(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    base_err_clear(&err);
}

static void unit_teardown(void)
{
    apr_pool_destroy(pool);
    apr_terminate();
}

static apr_status_t unit_dir_cleanup(void *path)
{
    acme_err_t ignored = { 0 };

    return base_dir_remove(path, &ignored, pool);
}

/** A fresh, empty directory (0700) that goes with the test's pool. */
static inline const char *unit_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    char *path = apr_pstrcat(pool, tmp ? tmp : "/tmp", "/acme-unit-XXXXXX",
                             NULL);

    ck_assert_ptr_nonnull(mkdtemp(path));
    apr_pool_cleanup_register(pool, path, unit_dir_cleanup,
                              apr_pool_cleanup_null);
    return path;
}

/** A test case with the fixture above, added to suite. */
static inline TCase *unit_case(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, unit_setup, unit_teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    return tc;
}

/** Run suites (a NULL behind the last) and print TAP. @return exit status */
static inline int unit_run(Suite *const *suites)
{
    SRunner *runner = srunner_create(*suites);
    int failed;

    while (*++suites) {
        srunner_add_suite(runner, *suites);
    }
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/** Assert success of an apr_status_t call and show err's message if not. */
#define unit_ok(expr) do {                                             \
        apr_status_t unit_rv = (expr);                                 \
        ck_assert_msg(unit_rv == APR_SUCCESS, "%s: %d: %s", #expr,     \
                      (int)unit_rv, err.message);                      \
    } while (0)

/** Assert that a call fails with status and says text in err. */
#define unit_fails(expr, status, text) do {                            \
        apr_status_t unit_rv = (expr);                                 \
        ck_assert_msg(unit_rv == (status), "%s: got %d: %s", #expr,    \
                      (int)unit_rv, err.message);                      \
        ck_assert_msg(strstr(err.message, (text)) != NULL,             \
                      "%s: says \"%s\"", #expr, err.message);          \
    } while (0)

#endif
