#include "fixture.h"

#define CA "https://ca.test:14000/dir"

static json_t *account_for(const char *ca)
{
    return base_json_own(json_pack("{s:s, s:s}", "directory", ca, "url",
                                   CA "/acct/1"), pool);
}

/* What is kept for a CA is read back, private from the first byte. */
START_TEST(account_is_kept)
{
    json_t *account;

    unit_ok(store_account_write(store, CA, account_for(CA), &err, pool));
    unit_ok(store_account_read(&account, store, CA, &err, pool));
    ck_assert_str_eq(json_string_value(json_object_get(account, "url")),
                     CA "/acct/1");
    ck_assert_int_eq(mode_of(in_store("accounts/ca.test_14000_dir/"
                                      "account.json")), 0600);
    ck_assert_int_eq(mode_of(in_store("accounts/ca.test_14000_dir")), 0700);
}
END_TEST

START_TEST(unknown_account_is_absent)
{
    json_t *account;

    ck_assert(APR_STATUS_IS_ENOENT(store_account_read(&account, store, CA,
                                                      &err, pool)));
}
END_TEST

/* Two URLs may spell the same folder: the second is refused, not mixed
 * with the first. */
START_TEST(folders_are_not_shared)
{
    json_t *account;

    unit_ok(store_account_write(store, "https://ca.test/a_b",
                                account_for("https://ca.test/a_b"), &err,
                                pool));
    unit_fails(store_account_read(&account, store, "https://ca.test/a/b",
                                  &err, pool), APR_EINVAL, "belongs to");
}
END_TEST

/* An account is never written into another CA's folder. */
START_TEST(account_of_another_ca_is_refused)
{
    unit_fails(store_account_write(store, CA,
                                   account_for("https://other.test/"), &err,
                                   pool), APR_EINVAL, "belongs to");
}
END_TEST

/* No directory URL leads out of accounts/. */
START_TEST(urls_stay_inside)
{
    const char *urls[] = { "https://../../x", "https://..", "https:///etc",
                           "../../../etc" };
    size_t i;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        apr_array_header_t *names;

        base_err_clear(&err);
        unit_ok(store_account_write(store, urls[i], account_for(urls[i]),
                                    &err, pool));
        unit_ok(base_dir_list(&names, in_store("accounts"), &err, pool));
        ck_assert_int_eq(names->nelts, (int)i + 1);
    }
}
END_TEST

/* The key is kept as it was given, and never overwritten. */
START_TEST(key_is_never_overwritten)
{
    apr_size_t len;
    char *pem;

    unit_ok(store_account_key_write(store, CA, "KEY", 3, &err, pool));
    unit_fails(store_account_key_write(store, CA, "NEW", 3, &err, pool),
               APR_EEXIST, "never overwritten");
    base_err_clear(&err);
    unit_ok(store_account_key_read(&pem, &len, store, CA, &err, pool));
    ck_assert_str_eq(pem, "KEY");
    ck_assert_uint_eq(len, 3);
    ck_assert_int_eq(mode_of(in_store("accounts/ca.test_14000_dir/"
                                      "key.pem")), 0600);
}
END_TEST

/* The list names directory URLs and leaves out folders without account. */
START_TEST(accounts_are_listed)
{
    apr_array_header_t *cas;

    unit_ok(store_account_list(&cas, store, &err, pool));
    ck_assert_int_eq(cas->nelts, 0);
    unit_ok(store_account_write(store, CA, account_for(CA), &err, pool));
    unit_ok(store_account_key_write(store, "https://b.test/", "K", 1, &err,
                                    pool));
    unit_ok(store_account_list(&cas, store, &err, pool));
    ck_assert_int_eq(cas->nelts, 1);
    ck_assert_str_eq(APR_ARRAY_IDX(cas, 0, const char *), CA);
}
END_TEST

/* A cached directory comes back with the time it was fetched. */
START_TEST(directory_is_cached)
{
    apr_time_t when = apr_time_from_sec(1795500000);
    apr_time_t fetched;
    json_t *directory;

    ck_assert(APR_STATUS_IS_ENOENT(store_directory_read(
        &directory, &fetched, store, CA, &err, pool)));
    base_err_clear(&err);
    directory = base_json_own(json_pack("{s:s}", "newNonce", CA), pool);
    unit_ok(store_directory_write(store, CA, directory, when, &err, pool));
    unit_ok(store_directory_read(&directory, &fetched, store, CA, &err,
                                 pool));
    ck_assert(fetched == when);
    ck_assert_str_eq(json_string_value(json_object_get(directory,
                                                       "newNonce")), CA);
}
END_TEST

/* A damaged cache says that it may be removed. */
START_TEST(damaged_cache_is_an_error)
{
    apr_time_t fetched;
    json_t *directory = base_json_own(json_object(), pool);

    unit_ok(store_directory_write(store, CA, directory, 0, &err, pool));
    unit_ok(base_file_write(in_store("accounts/ca.test_14000_dir/"
                                     "directory.json"),
                            "{\"fetched\":\"then\"}", 18, 0600, &err, pool));
    unit_fails(store_directory_read(&directory, &fetched, store, CA, &err,
                                    pool), APR_EINVAL, "remove it");
}
END_TEST

Suite *account_suite(void)
{
    Suite *suite = suite_create("account");
    TCase *tc = fixture_case(suite, "account");

    tcase_add_test(tc, account_is_kept);
    tcase_add_test(tc, unknown_account_is_absent);
    tcase_add_test(tc, folders_are_not_shared);
    tcase_add_test(tc, account_of_another_ca_is_refused);
    tcase_add_test(tc, urls_stay_inside);
    tcase_add_test(tc, key_is_never_overwritten);
    tcase_add_test(tc, accounts_are_listed);
    tcase_add_test(tc, directory_is_cached);
    tcase_add_test(tc, damaged_cache_is_an_error);
    return suite;
}
