/*
 * state.c: tests of what is at a name.
 */
#include "rig.h"

static const char *state_of(const char *name)
{
    journal_seen_t seen;
    base_at_t *at;

    unit_ok(base_at_open(&at, apr_pstrcat(pool, top, "/conf", NULL), &err,
                         pool));
    unit_ok(journal_state_read(&seen, at, name, &err, pool));
    return seen.state;
}

/* Each kind of thing has a state of its own. */
START_TEST(each_kind_has_its_state)
{
    ck_assert_int_eq(symlink("no where", in_conf("l")), 0);
    ck_assert_int_eq(mkdir(in_conf("d"), 0755), 0);
    ck_assert_int_eq(mkfifo(in_conf("f"), 0600), 0);
    ck_assert_str_eq(state_of("none"), "absent");
    ck_assert_str_eq(state_of("l"), "link:no where");
    ck_assert_str_eq(state_of("d"), "dir");
    ck_assert_str_eq(state_of("f"), "other");
    put("e", "");
    ck_assert_str_eq(state_of("e"), "file:e3b0c44298fc1c149afbf4c8996fb924"
                                    "27ae41e4649b934ca495991b7852b855");
}
END_TEST

/* The last name of a path. */
START_TEST(names_are_last)
{
    ck_assert_str_eq(journal_name("/a/b"), "b");
    ck_assert_str_eq(journal_name("/a/"), "");
    ck_assert_str_eq(journal_name("a"), "a");
}
END_TEST

Suite *state_suite(void)
{
    Suite *suite = suite_create("journal/state");
    TCase *tc = rig_case(suite, "states");

    tcase_add_test(tc, each_kind_has_its_state);
    tcase_add_test(tc, names_are_last);
    return suite;
}
