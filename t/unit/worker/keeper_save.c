/*
 * What the keeper remembers for the engine, and what it takes no note of.
 */
#include "desk.h"

/* -------------------------------------------------- directories, accounts */

/* A directory is cached with the time; one that has not its shape is
 * refused. */
START_TEST(directories_are_cached)
{
    apr_time_t fetched;
    json_t *cached;

    unit_ok(host->directory_save(host, 0, parse(DIRECTORY), &err));
    unit_ok(store_directory_read(&cached, &fetched, store, CA0, &err, pool));
    ck_assert(json_equal(cached, parse(DIRECTORY)));
    ck_assert_int_eq(fetched, FIX_NOW);
    unit_fails(host->directory_save(host, 0, parse("{\"newNonce\":1}"),
                                    &err), APR_EINVAL, "the CA's directory");
    unit_ok(store_directory_read(&cached, &fetched, store, CA0, &err, pool));
    ck_assert(json_equal(cached, parse(DIRECTORY)));
}
END_TEST

/* An account is kept with what the CA said of it. */
START_TEST(accounts_are_kept)
{
    json_t *account;

    unit_ok(host->account_save(host, 0, ACCOUNT, parse(
        "{\"status\":\"valid\",\"contact\":[\"mailto:a@b.example\"],"
        "\"orders\":\"https://ca0.example/orders\"}"), &err));
    unit_ok(store_account_read(&account, store, CA0, &err, pool));
    unit_ok(schema_check(schema_find(options.schemas, "state/account"),
                         account, "account", &err));
    ck_assert_str_eq(member(account, "url"), ACCOUNT);
    ck_assert_str_eq(member(account, "status"), "valid");
    ck_assert_str_eq(member(account, "checked"), "2027-01-15T08:00:00Z");
    ck_assert_uint_eq(json_array_size(json_object_get(account, "contact")),
                      1);
}
END_TEST

/* An account URL of another origin is refused, as is an object with
 * contacts that are none; neither is kept nor signed for. */
START_TEST(foreign_accounts_are_refused)
{
    static const char *const urls[] = {
        "https://ca1.example/acct/1", "http://ca0.example/acct/1", "",
        "https://ca0.example:444/acct/1", "acct/1"
    };
    size_t i;

    for (i = 0; i < 5; i++) {
        unit_fails(host->account_save(host, 0, urls[i], parse("{}"), &err),
                   APR_EACCES, "which is not its own");
        ck_assert_int_eq(err.exit, BASE_EXIT_REFUSED);
        base_err_clear(&err);
    }
    unit_fails(host->account_save(host, 0, ACCOUNT,
                                  parse("{\"contact\":[1]}"), &err),
               APR_EINVAL, "the CA's account object");
    base_err_clear(&err);
    ck_assert(!exists("accounts/ca0.example_dir/account.json"));
    sign_fails(ACME_SIGN_ACCOUNT, 0, 0, ORDER, APR_EACCES, "no account yet");
}
END_TEST

/* ------------------------------------------------------------------ orders */

/* Where an order stands is kept, and forgotten together with its key. */
START_TEST(orders_are_kept_and_forgotten)
{
    json_t *state;

    csr_of(0);
    unit_ok(host->order_save(host, 0, parse(STATE), &err));
    unit_ok(store_order_read(&state, store, "n0.example", &err, pool));
    ck_assert(json_equal(state, parse(STATE)));
    unit_ok(host->order_save(host, 0, NULL, &err));
    ck_assert(!exists("orders/n0.example"));
    unit_ok(host->order_save(host, 0, NULL, &err));
}
END_TEST

/* An order that is kept is not written at each further step; another one,
 * and one that was forgotten in between, is. */
START_TEST(orders_are_written_once)
{
    const char *path = apr_pstrcat(pool, dir, "/store/orders/n0.example/"
                                   "order.json", NULL);
    json_t *other = parse(STATE);
    json_t *state;

    unit_ok(host->order_save(host, 0, parse(STATE), &err));
    unlink(path);
    json_object_set_new(other, "step", json_string("finalizing"));
    unit_ok(host->order_save(host, 0, other, &err));
    ck_assert_int_ne(access(path, F_OK), 0);
    json_object_set_new(other, "url", json_string(ORDER "0"));
    unit_ok(host->order_save(host, 0, other, &err));
    unit_ok(store_order_read(&state, store, "n0.example", &err, pool));
    ck_assert(json_equal(state, other));
    unit_ok(host->order_save(host, 0, NULL, &err));
    unit_ok(host->order_save(host, 0, other, &err));
    ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

/* A state without its shape is refused, and the kept one stays. */
START_TEST(shapeless_orders_are_refused)
{
    json_t *state;

    unit_ok(host->order_save(host, 0, parse(STATE), &err));
    unit_fails(host->order_save(host, 0, parse("{\"step\":\"x\"}"), &err),
               APR_EINVAL, "the order's state");
    unit_ok(store_order_read(&state, store, "n0.example", &err, pool));
    ck_assert(json_equal(state, parse(STATE)));
}
END_TEST

/* Jobs without a place in the store keep no order. */
START_TEST(jobs_without_id_keep_no_order)
{
    jobs[0].id = NULL;
    unit_ok(host->order_save(host, 0, parse(STATE), &err));
    ck_assert(!exists("orders"));
}
END_TEST

/* A store that cannot be written is an error of the call. */
START_TEST(store_errors_are_passed_on)
{
    write_file(apr_pstrcat(pool, dir, "/store/orders", NULL), "");
    unit_fails(host->order_save(host, 0, parse(STATE), &err), APR_ENOTDIR,
               "/store/orders");
    csr_fails(0, APR_ENOTDIR, "/store/orders");
}
END_TEST

Suite *keeper_save_suite(void);
Suite *keeper_save_suite(void)
{
    Suite *suite = suite_create("keeper_save");
    TCase *tc = desk_case(suite, "saving", setup);

    tcase_add_test(tc, directories_are_cached);
    tcase_add_test(tc, accounts_are_kept);
    tcase_add_test(tc, foreign_accounts_are_refused);
    tcase_add_test(tc, orders_are_kept_and_forgotten);
    tcase_add_test(tc, orders_are_written_once);
    tcase_add_test(tc, shapeless_orders_are_refused);
    tcase_add_test(tc, jobs_without_id_keep_no_order);
    tcase_add_test(tc, store_errors_are_passed_on);
    return suite;
}
