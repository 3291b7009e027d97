#include "fixture.h"

/* A new store is a directory that lets nobody else in and says its format. */
START_TEST(store_is_made)
{
    ck_assert_int_eq(mode_of(store_dir(store)), 0700);
    ck_assert(exists(in_store("format")));
}
END_TEST

/* Opening it again changes nothing. */
START_TEST(store_opens_again)
{
    store_t *again;

    unit_ok(store_open(&again, store_dir(store), 1, &err, pool));
    unit_ok(store_open(&again, store_dir(store), 0, &err, pool));
    ck_assert_str_eq(store_dir(again), store_dir(store));
}
END_TEST

/* Readers do not make a store. */
START_TEST(absent_store_is_absent)
{
    store_t *other;

    unit_fails(store_open(&other, in_store("none"), 0, &err, pool),
               APR_ENOENT, "no store");
    ck_assert(!exists(in_store("none")));
}
END_TEST

/* A store of another version is refused with a sentence, not guessed at. */
START_TEST(unknown_format_is_refused)
{
    static const char *const texts[] = {
        "acme-store 2\n", "acme-store 1", "acme-store 1x\n", "store 1\n", ""
    };
    store_t *other;
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        base_err_clear(&err);
        unit_ok(base_file_write(in_store("format"), texts[i],
                                strlen(texts[i]), 0600, &err, pool));
        unit_fails(store_open(&other, store_dir(store), 1, &err, pool),
                   APR_EINVAL, "format");
    }
}
END_TEST

/* What a run left that was killed while it made the store is in nobody's
 * way. */
START_TEST(half_made_store_is_made)
{
    store_t *other;

    unit_ok(base_file_remove(in_store("format"), &err, pool));
    unit_ok(base_file_write(in_store(".format.tmp-0123456789abcdef"), "acme",
                            4, 0600, &err, pool));
    unit_ok(store_open(&other, store_dir(store), 0, &err, pool));
    unit_ok(store_open(&other, store_dir(store), 1, &err, pool));
    ck_assert(exists(in_store("format")));
}
END_TEST

/* A directory with somebody's files in it does not become a store. */
START_TEST(foreign_directory_is_refused)
{
    store_t *other;

    unit_ok(base_file_remove(in_store("format"), &err, pool));
    unit_ok(base_file_write(in_store("index.html"), "x", 1, 0600, &err,
                            pool));
    unit_fails(store_open(&other, store_dir(store), 1, &err, pool),
               APR_EINVAL, "ACMEStoreDir");
    ck_assert(!exists(in_store("format")));
}
END_TEST

/* A store that others can read is refused, with the command that closes
 * it. */
START_TEST(open_store_is_refused)
{
    store_t *other;

    ck_assert_int_eq(chmod(store_dir(store), 0755), 0);
    unit_fails(store_open(&other, store_dir(store), 1, &err, pool),
               APR_EACCES, "chmod 0700");
}
END_TEST

/* A store of somebody else's is refused. */
START_TEST(foreign_store_is_refused)
{
    store_t *other;

    if (geteuid() != 0) {
        return;
    }
    ck_assert_int_eq(chown(store_dir(store), 65534, 65534), 0);
    unit_fails(store_open(&other, store_dir(store), 1, &err, pool),
               APR_EACCES, "belongs to user 65534");
}
END_TEST

/* A symbolic link in place of the store is not followed. */
START_TEST(linked_store_is_refused)
{
    store_t *other;

    ck_assert_int_eq(symlink(store_dir(store), in_store("../link")), 0);
    unit_fails(store_open(&other, in_store("../link"), 1, &err, pool),
               APR_ENOTDIR, "symbolic link");
}
END_TEST

/* One writer at a time; the loser is told who holds it, exit 75. */
START_TEST(second_writer_is_told)
{
    apr_pool_t *first;

    apr_pool_create(&first, pool);
    unit_ok(store_lock(store, "acmectl renew, pid 42", 0, &err, first));
    unit_fails(store_lock(store, "me", 0, &err, pool), APR_EBUSY,
               "acmectl renew, pid 42");
    ck_assert_int_eq(err.exit, BASE_EXIT_BUSY);
    ck_assert(!exists(in_store("probe")));
    apr_pool_destroy(first);
    base_err_clear(&err);
    unit_ok(store_lock(store, "me", 0, &err, pool));
}
END_TEST

/* An absent ledger reads as an empty one; what is written is read back. */
START_TEST(ledger_is_kept)
{
    json_t *ledger;

    unit_ok(store_ledger_read(&ledger, store, &err, pool));
    ck_assert_uint_eq(json_object_size(json_object_get(ledger,
                                                       "certificates")), 0);
    json_object_set_new(json_object_get(ledger, "certificates"), "a.test",
                        json_pack("{s:i}", "failures", 3));
    unit_ok(store_ledger_write(store, ledger, &err, pool));
    ck_assert_int_eq(mode_of(in_store("ledger.json")), 0600);
    unit_ok(store_ledger_read(&ledger, store, &err, pool));
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(
        json_object_get(ledger, "certificates"), "a.test"), "failures")), 3);
}
END_TEST

/* A damaged ledger is an error, not an empty one. */
START_TEST(damaged_ledger_is_an_error)
{
    json_t *ledger;

    unit_ok(base_file_write(in_store("ledger.json"), "{", 1, 0600, &err,
                            pool));
    unit_fails(store_ledger_read(&ledger, store, &err, pool), APR_EINVAL,
               "ledger.json");
}
END_TEST

/* ------------------------------------------------- configuration, reload */

/* The last good configuration is there to be read again; what is there is
 * not written twice. */
START_TEST(config_is_kept)
{
    static const char text[] = "{\"a\":1}\n", other[] = "{\"a\":2}\n";
    struct stat before, after;
    json_t *config;

    ck_assert_int_eq(store_config_read(&config, store, &err, pool),
                     APR_ENOENT);
    base_err_clear(&err);
    unit_ok(store_config_write(store, text, strlen(text), &err, pool));
    unit_ok(store_config_read(&config, store, &err, pool));
    ck_assert_int_eq(json_integer_value(json_object_get(config, "a")), 1);
    ck_assert_int_eq(stat(in_store("config.json"), &before), 0);
    unit_ok(store_config_write(store, text, strlen(text), &err, pool));
    ck_assert_int_eq(stat(in_store("config.json"), &after), 0);
    ck_assert_int_eq(before.st_ino, after.st_ino);
    unit_ok(store_config_write(store, other, strlen(other), &err, pool));
    unit_ok(store_config_read(&config, store, &err, pool));
    ck_assert_int_eq(json_integer_value(json_object_get(config, "a")), 2);
}
END_TEST

/* That httpd has to be told is remembered until it was, whoever asks. */
START_TEST(reload_is_remembered)
{
    int restored = 1;

    ck_assert_int_eq(store_reload_is_due(store, pool), 0);
    ck_assert_int_eq(store_reload_since(store, &restored, pool), 0);
    ck_assert_int_eq(restored, 0);
    unit_ok(store_reload_done(store, &err, pool));
    unit_ok(store_reload_due(store, 0, &err, pool));
    ck_assert_int_eq(store_reload_is_due(store, pool), 1);
    ck_assert_int_gt(store_reload_since(store, &restored, pool), 0);
    ck_assert_int_eq(restored, 0);
    unit_ok(store_reload_due(store, 1, &err, pool));
    ck_assert_int_gt(store_reload_since(store, &restored, pool), 0);
    ck_assert_int_eq(restored, 1);
    ck_assert_int_eq(mode_of(in_store("reload")), 0600);
    unit_ok(store_reload_done(store, &err, pool));
    ck_assert_int_eq(store_reload_is_due(store, pool), 0);
}
END_TEST

Suite *store_suite(void)
{
    Suite *suite = suite_create("store");
    TCase *tc = fixture_case(suite, "open");

    tcase_add_test(tc, store_is_made);
    tcase_add_test(tc, store_opens_again);
    tcase_add_test(tc, absent_store_is_absent);
    tcase_add_test(tc, unknown_format_is_refused);
    tcase_add_test(tc, half_made_store_is_made);
    tcase_add_test(tc, foreign_directory_is_refused);
    tcase_add_test(tc, open_store_is_refused);
    tcase_add_test(tc, foreign_store_is_refused);
    tcase_add_test(tc, linked_store_is_refused);
    tcase_add_test(tc, second_writer_is_told);
    tc = fixture_case(suite, "ledger");
    tcase_add_test(tc, ledger_is_kept);
    tcase_add_test(tc, damaged_ledger_is_an_error);
    tc = fixture_case(suite, "config");
    tcase_add_test(tc, config_is_kept);
    tcase_add_test(tc, reload_is_remembered);
    return suite;
}
