/*
 * record.c: tests of manifests that were damaged, or made by somebody else.
 */
#include "rig.h"

/* A crashed change of a.conf and n.conf, to be tampered with. */
static void crashed(void)
{
    rig_setup();
    begin(JOURNAL_PERMANENT);
    unit_ok(stage(JOURNAL_MODIFY, "a.conf", "A\n"));
    unit_ok(stage(JOURNAL_CREATE, "n.conf", "n\n"));
    save();
    abandon();
}

static json_t *record_json(void)
{
    json_t *json;

    unit_ok(journal_sealed_read(&json, journal->active, "rec.1", &err,
                                pool));
    return json;
}

static json_t *entry_json(json_t *record, size_t n)
{
    return json_array_get(json_object_get(record, "files"), n);
}

static void put_record(json_t *json)
{
    unit_ok(journal_sealed_write(journal->active, "rec.1", json, &err,
                                 pool));
}

/* Recovery refuses in one sentence and touches nothing. */
static void refuses(const char *why)
{
    journal_undo_t undo;

    unit_fails(recover(JOURNAL_DRIFT_FORCE, &undo), APR_EINVAL, why);
    ck_assert_int_eq(err.exit, BASE_EXIT_JOURNAL);
    ck_assert_ptr_null(strchr(err.message, '\n'));
    holds("a.conf", "A\n");
    holds("n.conf", "n\n");
    ck_assert_int_eq(access(in_journal("active"), F_OK), 0);
}

/* What was written is what is read. */
START_TEST(a_record_reads_as_it_was_written)
{
    journal_record_t *record;
    const journal_entry_t *entry;
    apr_size_t len;
    char *data;

    unit_ok(journal_record_read(&record, journal->active, &err, pool));
    ck_assert_int_eq(record->saves, 1);
    ck_assert_int_eq(record->kind, JOURNAL_PERMANENT);
    ck_assert_int_eq(record->created == apr_time_from_sec(1000000), 1);
    ck_assert_int_eq(record->entries->nelts, 2);
    entry = APR_ARRAY_IDX(record->entries, 0, journal_entry_t *);
    ck_assert_int_eq(entry->op, JOURNAL_MODIFY);
    ck_assert_str_eq(entry->path, in_conf("a.conf"));
    unit_ok(journal_old_read(&data, &len, journal->active, entry, &err,
                             pool));
    ck_assert_str_eq(data, "a\n");
    unit_ok(journal_new_read(&data, &len, journal->active, entry, &err,
                             pool));
    ck_assert_str_eq(data, "A\n");
}
END_TEST

/* One bit of a record is enough. */
START_TEST(a_changed_byte_is_noticed)
{
    char *text = text_of(in_journal("active/rec.1"));

    strstr(text, "a.conf")[0] = 'b';
    unit_ok(base_file_write(in_journal("active/rec.1"), text, strlen(text),
                            0600, &err, pool));
    refuses("end line does not fit");
}
END_TEST

/* A record that ends too early. */
START_TEST(a_short_record_is_noticed)
{
    char *text = text_of(in_journal("active/rec.1"));

    unit_ok(base_file_write(in_journal("active/rec.1"), text, 40, 0600,
                            &err, pool));
    refuses("end line is missing");
}
END_TEST

/* A sealed text that is no record. */
START_TEST(another_document_is_refused)
{
    put_record(base_json_own(json_pack("[i]", 1), pool));
    refuses("no record of this format");
}
END_TEST

/* Paths that we never write lead nowhere. */
START_TEST(strange_paths_are_refused)
{
    static const char *const paths[] = {
        "", "conf/a.conf", "/tmp/../etc/passwd", "/tmp//x", "/tmp/./x",
        "/tmp/x/"
    };
    json_t *record = record_json();
    size_t i;

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        json_object_set_new(entry_json(record, 0), "real",
                            json_string(paths[i]));
        put_record(record);
        refuses("a path in it is none that we write");
        base_err_clear(&err);
    }
}
END_TEST

/* A temporary lies above its target and nowhere else. */
START_TEST(a_temporary_elsewhere_is_refused)
{
    json_t *record = record_json();

    json_object_set_new(entry_json(record, 0), "temp", json_string("/etc"));
    put_record(record);
    refuses("a path in it is none that we write");
}
END_TEST

/* States that no operation has. */
START_TEST(states_that_do_not_fit_are_refused)
{
    json_t *record = record_json();

    json_object_set_new(json_object_get(entry_json(record, 0), "before"),
                        "state", json_string("absent"));
    put_record(record);
    refuses("states do not fit");
}
END_TEST

/* A splice beyond the end of its file. */
START_TEST(a_splice_beyond_the_end_is_refused)
{
    json_t *record = record_json(), *after;

    after = json_object_get(entry_json(record, 0), "after");
    json_object_set_new(json_object_get(after, "splice"), "at",
                        json_integer(1000));
    put_record(record);
    refuses("states do not fit");
}
END_TEST

/* Modes of more than 12 bits, owners that are no numbers. */
START_TEST(strange_attributes_are_refused)
{
    json_t *record = record_json(), *before;

    before = json_object_get(entry_json(record, 0), "before");
    json_object_set_new(before, "mode", json_integer(0100644));
    put_record(record);
    refuses("attributes have not their shape");
    base_err_clear(&err);
    json_object_set_new(before, "mode", json_integer(0644));
    json_object_set_new(before, "uid", json_string("root"));
    put_record(record);
    refuses("attributes have not their shape");
}
END_TEST

/* A record of another transaction among ours. */
START_TEST(a_foreign_record_is_refused)
{
    json_t *record = record_json();

    json_object_set_new(record, "save", json_integer(2));
    json_object_set_new(record, "transaction",
                        json_string("0123456789abcdef"));
    unit_ok(journal_sealed_write(journal->active, "rec.2", record, &err,
                                 pool));
    refuses("belongs to another transaction");
}
END_TEST

/* Without its before-image nothing can be put back, and nothing is. */
START_TEST(a_missing_image_is_told)
{
    journal_undo_t undo;

    ck_assert_int_eq(unlink(in_journal("active/b.1.1")), 0);
    unit_fails(recover(JOURNAL_DRIFT_REFUSE, &undo), APR_EINVAL,
               "it is missing");
    holds("a.conf", "A\n");
    ck_assert_int_eq(err.exit, BASE_EXIT_JOURNAL);
}
END_TEST

/* Nor is content put back that is not the one that was recorded. */
START_TEST(a_changed_image_is_told)
{
    journal_undo_t undo;

    unit_ok(base_file_write(in_journal("active/b.1.1"), "x\n", 2, 0600, &err,
                            pool));
    unit_fails(recover(JOURNAL_DRIFT_REFUSE, &undo), APR_EINVAL,
               "not the content that was recorded");
    holds("a.conf", "A\n");
}
END_TEST

/* Names of temporaries fit NAME_MAX, whatever the target's. */
START_TEST(temporaries_have_short_names)
{
    char name[256];

    memset(name, 'x', 255);
    name[255] = '\0';
    ck_assert_int_eq(rename(in_journal("active"), in_conf("away")), 0);
    begin(JOURNAL_PERMANENT);
    unit_ok(stage(JOURNAL_CREATE, name, "x\n"));
    save();
    holds(name, "x\n");
    unit_ok(journal_revert(NULL, txn, &err, pool, pool));
    holds(name, NULL);
}
END_TEST

Suite *record_suite(void)
{
    Suite *suite = suite_create("journal/record");
    TCase *tc = tcase_create("records");

    tcase_add_checked_fixture(tc, crashed, unit_teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, a_record_reads_as_it_was_written);
    tcase_add_test(tc, a_changed_byte_is_noticed);
    tcase_add_test(tc, a_short_record_is_noticed);
    tcase_add_test(tc, another_document_is_refused);
    tcase_add_test(tc, strange_paths_are_refused);
    tcase_add_test(tc, a_temporary_elsewhere_is_refused);
    tcase_add_test(tc, states_that_do_not_fit_are_refused);
    tcase_add_test(tc, a_splice_beyond_the_end_is_refused);
    tcase_add_test(tc, strange_attributes_are_refused);
    tcase_add_test(tc, a_foreign_record_is_refused);
    tcase_add_test(tc, a_missing_image_is_told);
    tcase_add_test(tc, a_changed_image_is_told);
    tcase_add_test(tc, temporaries_have_short_names);
    return suite;
}
