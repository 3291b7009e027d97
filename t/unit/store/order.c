#include "fixture.h"

/* State and key of an order are kept apart, and forgotten together. */
START_TEST(order_is_kept_and_forgotten)
{
    json_t *state = base_json_own(json_pack("{s:s}", "url", "https://x/1"),
                                  pool);
    apr_size_t len;
    char *pem;

    unit_ok(store_order_key_write(store, "a.test", "KEY", 3, &err, pool));
    unit_ok(store_order_write(store, "a.test", state, &err, pool));
    ck_assert_int_eq(mode_of(in_store("orders/a.test/key.pem")), 0600);
    unit_ok(store_order_read(&state, store, "a.test", &err, pool));
    ck_assert_str_eq(json_string_value(json_object_get(state, "url")),
                     "https://x/1");
    unit_ok(store_order_key_read(&pem, &len, store, "a.test", &err, pool));
    ck_assert_str_eq(pem, "KEY");
    unit_ok(store_order_remove(store, "a.test", &err, pool));
    ck_assert(!exists(in_store("orders/a.test")));
    unit_ok(store_order_remove(store, "a.test", &err, pool));
}
END_TEST

START_TEST(unknown_order_is_absent)
{
    json_t *state;
    apr_size_t len;
    char *pem;

    ck_assert(APR_STATUS_IS_ENOENT(store_order_read(&state, store, "b.test",
                                                    &err, pool)));
    base_err_clear(&err);
    ck_assert(APR_STATUS_IS_ENOENT(store_order_key_read(
        &pem, &len, store, "b.test", &err, pool)));
}
END_TEST

Suite *order_suite(void)
{
    Suite *suite = suite_create("order");
    TCase *tc = fixture_case(suite, "order");

    tcase_add_test(tc, order_is_kept_and_forgotten);
    tcase_add_test(tc, unknown_order_is_absent);
    return suite;
}
