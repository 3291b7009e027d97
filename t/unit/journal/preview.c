/*
 * preview.c: tests of the namespace in which a configuration is tried.
 */
#include "rig.h"

#include <signal.h>

static void as_root(void)
{
    rig_setup();
    begin(JOURNAL_PERMANENT);
}

/* Looks, in the child, whether a.conf, n.conf, d/m.conf, l.conf are new and
 * all else is as it was. */
static apr_status_t looks(void *baton, acme_err_t *told, apr_pool_t *p)
{
    const char *a = text_of(in_conf("a.conf"));
    const char *b = text_of(in_conf("b.conf"));
    const char *n = text_of(in_conf("n.conf"));
    const char *l = text_of(in_conf("l.conf"));
    const char *s = text_of(in_conf("sub/s.conf"));
    const char *k = text_of(in_conf("link.conf"));

    if (a && strcmp(a, "A\n") == 0 && b && strcmp(b, "b\n") == 0
        && n && strcmp(n, "n\n") == 0 && l && strcmp(l, "m\n") == 0
        && s && strcmp(s, "s\n") == 0 && k && strcmp(k, "A\n") == 0) {
        return APR_SUCCESS;
    }
    return base_err_set(told, APR_EGENERAL, BASE_EXIT_HTTPD, "%s %s %s %s "
                        "%s %s", a, b, n, l, s, k);
}

/* The child sees all changes at their paths, outside nothing is seen. */
START_TEST(the_child_sees_what_will_be)
{
    if (!rig_may_mount()) {
        return;
    }
    ck_assert_int_eq(mkdir(in_conf("sub"), 0755), 0);
    put("sub/s.conf", "s\n");
    ck_assert_int_eq(symlink("a.conf", in_conf("link.conf")), 0);
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    unit_ok(stage(JOURNAL_MKDIR, "d", NULL));
    unit_ok(stage(JOURNAL_CREATE, "d/m.conf", "m\n"));
    unit_ok(stage(JOURNAL_CREATE, "n.conf", "n\n"));
    unit_ok(stage(JOURNAL_SYMLINK, "l.conf", "d/m.conf"));
    unit_ok(journal_preview(txn, looks, NULL, &err, pool));
    holds("a.conf", "a\n");
    holds("n.conf", NULL);
    ck_assert_int_ne(access(in_conf("d"), F_OK), 0);
    no_strays();
    save();
}
END_TEST

static apr_status_t complains(void *baton, acme_err_t *told, apr_pool_t *p)
{
    return base_err_set(told, APR_EINVAL, BASE_EXIT_HTTPD,
                        "AH00526: Syntax error on line 7");
}

/* What the test says comes back as it said it. */
START_TEST(the_reason_comes_back)
{
    if (!rig_may_mount()) {
        return;
    }
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    unit_fails(journal_preview(txn, complains, NULL, &err, pool), APR_EINVAL,
               "AH00526: Syntax error on line 7");
    ck_assert_int_eq(err.exit, BASE_EXIT_HTTPD);
}
END_TEST

static apr_status_t dies(void *baton, acme_err_t *told, apr_pool_t *p)
{
    raise(SIGKILL);
    return APR_SUCCESS;
}

/* A test that dies is no success. */
START_TEST(a_dead_test_is_no_success)
{
    if (!rig_may_mount()) {
        return;
    }
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    unit_fails(journal_preview(txn, dies, NULL, &err, pool), APR_EGENERAL,
               "died");
}
END_TEST

static apr_status_t sees_none(void *baton, acme_err_t *told, apr_pool_t *p)
{
    return access(in_conf("b.conf"), F_OK) == 0
           ? base_err_set(told, APR_EGENERAL, BASE_EXIT_FAILED, "there")
           : APR_SUCCESS;
}

/* A file that will be gone is gone in the child, and there outside. */
START_TEST(what_goes_is_gone)
{
    apr_array_header_t *pres = apr_array_make(pool, 1,
                                              sizeof(journal_pre_t));
    journal_pre_t *pre = apr_array_push(pres);

    if (!rig_may_mount()) {
        return;
    }
    memset(pre, 0, sizeof(*pre));
    pre->real = in_conf("b.conf");
    pre->state = JOURNAL_ABSENT;
    unit_ok(journal_preview_run(journal, pres, sees_none, NULL, &err, pool));
    holds("b.conf", "b\n");
}
END_TEST

/* Still locked by its parent, though the child has closed its copy. */
static apr_status_t is_locked(void *baton, acme_err_t *told, apr_pool_t *p)
{
    journal_t *other;
    acme_err_t busy = { 0 };

    if (journal_open(&other, in_journal(""), 0, told, p) != APR_SUCCESS) {
        return told->status;
    }
    return journal_lock(other, "x", 0, &busy, p) == APR_EBUSY ? APR_SUCCESS
           : base_err_set(told, APR_EGENERAL, BASE_EXIT_FAILED, "free");
}

/* The child's end releases nothing of its parent's. */
START_TEST(the_lock_stays_with_the_parent)
{
    if (!rig_may_mount()) {
        return;
    }
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    unit_ok(journal_preview(txn, is_locked, NULL, &err, pool));
    unit_ok(is_locked(NULL, &err, pool));
}
END_TEST

Suite *preview_suite(void)
{
    Suite *suite = suite_create("journal/preview");
    TCase *tc = tcase_create("previews");

    tcase_add_checked_fixture(tc, as_root, unit_teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, the_child_sees_what_will_be);
    tcase_add_test(tc, the_reason_comes_back);
    tcase_add_test(tc, a_dead_test_is_no_success);
    tcase_add_test(tc, what_goes_is_gone);
    tcase_add_test(tc, the_lock_stays_with_the_parent);
    return suite;
}
