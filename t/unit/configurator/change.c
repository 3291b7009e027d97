/* The two ways of an edit: bytes and tree. */
#include "configurator/text_rig.h"

#define HOST "<If a>\n  A b\n  C d\n</If>\n"

/** A block with three edits. */
static block_t *edited(augeas_base_t *base)
{
    block_t *block = rig_block(base, rig_text(HOST), 0);

    unit_ok(block_insert(block, 1, "X", rig_words("y", NULL), &err));
    unit_ok(block_set(block, 0, 0, "z", &err));
    unit_ok(block_remove(block, 1, &err));
    return block;
}

/** Assert that a text is not what the edits make of the block. */
static void differs(const char *data, const char *says)
{
    augeas_base_t *base = rig_base();
    const block_t *block = edited(base);

    unit_fails(change_prove(block, rig_text(data), 0, NULL, NULL, &err,
                            pool), APR_EGENERAL, says);
    ck_assert_ptr_nonnull(strstr(err.message, "nothing is written"));
    base_err_clear(&err);
}

/* Edits are splices of the lines and words they are about. */
START_TEST(splices)
{
    const block_t *block = edited(rig_base());
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(splice_t));
    apr_size_t len;

    change_splices(list, block, pool);
    ck_assert_int_eq(list->nelts, 3);
    ck_assert_int_eq(splice_sort(list), -1);
    ck_assert_str_eq(splice_render(&len, HOST, 0, strlen(HOST), list, pool),
                     "<If a>\n  A z\n  X y\n</If>\n");
}
END_TEST

/* What was planned is proven, however it looks. */
START_TEST(proven)
{
    augeas_base_t *base = rig_base();
    const block_t *block = edited(base);

    unit_ok(change_prove(block, rig_text("<If a>\n  A z\n  X y\n</If>\n"), 0,
                         NULL, NULL, &err, pool));
    unit_ok(change_prove(block, rig_text("# x\n<If a>\nA\tz\r\n\nX \\\n y\n"
                                         "</IF>"), 1, NULL, NULL, &err,
                         pool));
    unit_ok(change_prove(block, rig_text("<IfModule m>\n<If a>\nA z\nX y\n"
                                         "</If>\n</IfModule>"), 0,
                         "IfModule", "m", &err, pool));
}
END_TEST

/* Anything else is not: a word, a case, an order, one more or one less. */
START_TEST(different)
{
    differs(HOST, "would not read as planned");
    differs("<If a>\nA z\nX q\n</If>\n", "= \"q\"\" instead of");
    differs("<If a>\nX y\nA z\n</If>\n", "would not read as planned");
    differs("<If a>\nA z\nx y\n</If>\n", "would not read as planned");
    differs("<If b>\nA z\nX y\n</If>\n", "would not read as planned");
    differs("<If a>\nA z\n</If>\n", "would not read as planned");
    differs("<If a>\nA z\nX y\nQ\n</If>\n", "would not read as planned");
    differs("<If a>\nA z\n# c\nX y\n</If>\n", "would not read as planned");
    differs("<If a>\nA z\nX \"y\"\n</If>\n", "would not read as planned");
    differs("<If a>\nA z\nX {y\n</If>\n", "cannot be proven");
}
END_TEST

/* The section around has to be the one that was asked for. */
START_TEST(wrapped)
{
    augeas_base_t *base = rig_base();
    const block_t *block = edited(base);
    text_t *text = rig_text("<IfModule m>\n<If a>\nA z\nX y\n</If>\n"
                            "</IfModule>");

    unit_fails(change_prove(block, text, 0, NULL, NULL, &err, pool),
               APR_EGENERAL, "would not read");
    base_err_clear(&err);
    unit_fails(change_prove(block, text, 0, "IfModule", "n", &err, pool),
               APR_EGENERAL, "would not read");
    base_err_clear(&err);
    unit_fails(change_prove(block, text, 0, "IfDefine", "m", &err, pool),
               APR_EGENERAL, "would not read");
    base_err_clear(&err);
    unit_fails(change_prove(block, text, 1, "IfModule", "m", &err, pool),
               APR_EGENERAL, "would not read");
}
END_TEST

Suite *change_suite(void)
{
    Suite *suite = suite_create("change");
    TCase *tc = unit_case(suite, "change");

    tcase_add_test(tc, splices);
    tcase_add_test(tc, proven);
    tcase_add_test(tc, different);
    tcase_add_test(tc, wrapped);
    return suite;
}
