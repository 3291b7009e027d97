/*
 * drift.c: tests of plans: what is read is no more believed than a record.
 */
#include "rig.h"

static void plan_of(const char *file)
{
    json_t *plan = json_pack("{s:i, s:[{s:s, s:s, s:s, s:s}]}", "format", 1,
                             "files", "real", in_conf("a.conf"), "from",
                             "absent", "to", "absent", "file", file);

    unit_ok(journal_sealed_write(journal->dir, "plan",
                                 base_json_own(plan, pool), &err, pool));
}

/* A merged content is m.K.I beside its plan, and nothing else. */
START_TEST(a_plan_names_only_its_own_files)
{
    static const char *const names[] = {
        "../a", "m.1", "m..1", "m.1.", "m.1.1/../../x", "m.1.1x", "b.1.1",
        "m.1111111.1111111"
    };
    apr_hash_t *items;
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        plan_of(names[i]);
        unit_fails(journal_plan_read(&items, journal->dir, &err, pool),
                   APR_EINVAL, "plan has not its shape");
        base_err_clear(&err);
    }
    plan_of("m.12.3");
    unit_ok(journal_plan_read(&items, journal->dir, &err, pool));
    ck_assert_uint_eq(apr_hash_count(items), 1);
}
END_TEST

/* No plan is an empty plan. */
START_TEST(no_plan_is_an_empty_one)
{
    apr_array_header_t *none = apr_array_make(pool, 1, sizeof(void *));
    apr_hash_t *items;

    plan_of("m.1.1");
    unit_ok(journal_plan_write(journal->dir, none, &err, pool));
    unit_ok(journal_plan_read(&items, journal->dir, &err, pool));
    ck_assert_uint_eq(apr_hash_count(items), 0);
}
END_TEST

/* Two edits of one file are set aside beside each other. */
START_TEST(versions_set_aside_do_not_meet)
{
    journal_undo_t undo;
    const char *first;

    change_file("a.conf", "A\n");
    change_file("a.conf", "AA\n");
    put("a.conf", "one\n");
    unit_ok(roll_back(1, JOURNAL_DRIFT_FORCE, NULL, &undo));
    first = file_at(undo.files, 0)->aside;
    put("a.conf", "two\n");
    unit_ok(roll_back(1, JOURNAL_DRIFT_FORCE, NULL, &undo));
    ck_assert_str_eq(text_of(first), "one\n");
    ck_assert_str_eq(text_of(file_at(undo.files, 0)->aside), "two\n");
    holds("a.conf", "a\n");
}
END_TEST

Suite *drift_suite(void)
{
    Suite *suite = suite_create("journal/drift");
    TCase *tc = rig_case(suite, "plans");

    tcase_add_test(tc, a_plan_names_only_its_own_files);
    tcase_add_test(tc, no_plan_is_an_empty_one);
    tcase_add_test(tc, versions_set_aside_do_not_meet);
    return suite;
}
