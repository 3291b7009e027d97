#include "schema_unit.h"

#include <apr_strings.h>

/* Types are found by the names of draft-07 and by no other. */
START_TEST(types_by_name)
{
    ck_assert_uint_eq(schema_type_named("null"), SCHEMA_NULL);
    ck_assert_uint_eq(schema_type_named("integer"), SCHEMA_INTEGER);
    ck_assert_uint_eq(schema_type_named("object"), SCHEMA_OBJECT);
    ck_assert_uint_eq(schema_type_named("Object"), 0);
    ck_assert_uint_eq(schema_type_named("int"), 0);
    ck_assert_uint_eq(schema_type_named(""), 0);
}
END_TEST

/* Every value has its type; a real without fraction is an integer too. */
START_TEST(types_of_values)
{
    ck_assert_uint_eq(schema_type_of(unit_json("null")), SCHEMA_NULL);
    ck_assert_uint_eq(schema_type_of(unit_json("true")), SCHEMA_BOOLEAN);
    ck_assert_uint_eq(schema_type_of(unit_json("false")), SCHEMA_BOOLEAN);
    ck_assert_uint_eq(schema_type_of(unit_json("\"1\"")), SCHEMA_STRING);
    ck_assert_uint_eq(schema_type_of(unit_json("[]")), SCHEMA_ARRAY);
    ck_assert_uint_eq(schema_type_of(unit_json("{}")), SCHEMA_OBJECT);
    ck_assert_uint_eq(schema_type_of(unit_json("1")),
                      SCHEMA_INTEGER | SCHEMA_NUMBER);
    ck_assert_uint_eq(schema_type_of(unit_json("-1.0")),
                      SCHEMA_INTEGER | SCHEMA_NUMBER);
    ck_assert_uint_eq(schema_type_of(unit_json("1.5")), SCHEMA_NUMBER);
    ck_assert_uint_eq(schema_type_of(unit_json("1e300")),
                      SCHEMA_INTEGER | SCHEMA_NUMBER);
}
END_TEST

/* Pairs in ascending order: integers and reals are compared exactly, also
 * where an integer of 64 bits has no double. */
static const struct {
    const char *less;
    const char *more;
} ascending[] = {
    { "1", "2" },
    { "-2", "-1" },
    { "1", "1.5" },
    { "-1.5", "-1" },
    { "9007199254740992.0", "9007199254740993" },
    { "9223372036854775807", "9223372036854775808.0" },
    { "9223372036854775807", "1e300" },
    { "-1e300", "-9223372036854775808" },
    { "0.1", "0.2" },
    { "\"\"", "\"a\"" },
    { "\"a\"", "\"a\\u0000\"" },
    { "\"a\\u0000a\"", "\"a\\u0000b\"" },
    { "\"B\"", "\"a\"" },
    { "[]", "[null]" },
    { "[1]", "[1, 0]" },
    { "[1, 9]", "[2]" },
    { "{}", "{\"a\": null}" },
    { "{\"b\": 1}", "{\"a\": 1, \"b\": 1}" },
    { "{\"b\": 9}", "{\"a\": 1}" },
    { "{\"a\": 1, \"b\": 9}", "{\"a\": 2, \"b\": 1}" },
    { "{\"a\": {\"b\": [1]}}", "{\"a\": {\"b\": [2]}}" }
};

START_TEST(order_ascending)
{
    json_t *less = unit_json(ascending[_i].less);
    json_t *more = unit_json(ascending[_i].more);

    ck_assert_int_lt(schema_value_compare(less, more), 0);
    ck_assert_int_gt(schema_value_compare(more, less), 0);
    ck_assert_int_eq(schema_value_compare(less, less), 0);
    ck_assert_int_eq(schema_value_compare(more, more), 0);
}
END_TEST

/* Values of different types are never equal, 0 and false not either. */
START_TEST(order_of_types)
{
    static const char *const values[] = {
        "null", "false", "true", "0", "\"\"", "[]", "{}"
    };
    int i, k;

    for (i = 0; i < 7; i++) {
        for (k = 0; k < 7; k++) {
            int order = schema_value_compare(unit_json(values[i]),
                                             unit_json(values[k]));

            ck_assert_int_eq(order == 0, i == k);
        }
    }
}
END_TEST

/* Equal is equal in whatever form it is written. */
START_TEST(order_equal)
{
    ck_assert_int_eq(schema_value_compare(unit_json("1"), unit_json("1.0")),
                     0);
    ck_assert_int_eq(schema_value_compare(unit_json("0"), unit_json("-0.0")),
                     0);
    ck_assert_int_eq(schema_value_compare(
        unit_json("{\"a\": 1, \"b\": [2, {\"c\": null}]}"),
        unit_json("{\"b\": [2.0, {\"c\": null}], \"a\": 1.0}")), 0);
}
END_TEST

/* Comparing what is nested 15 deep takes no time to speak of. */
START_TEST(order_is_linear)
{
    const char *text = "0";
    int i;

    for (i = 0; i < 15; i++) {
        text = apr_pstrcat(pool, "{\"a\":1,\"b\":", text, "}", NULL);
    }
    for (i = 0; i < 10000; i++) {
        json_t *a = json_loads(text, 0, NULL);
        json_t *b = json_loads(text, 0, NULL);

        ck_assert_int_eq(schema_value_compare(a, b), 0);
        json_decref(a);
        json_decref(b);
    }
}
END_TEST

/* Multiples in decimal arithmetic: what the digits say, not the doubles. */
static const struct {
    const char *number;
    const char *divisor;
    int divides;
} multiples[] = {
    { "0", "3", 1 },
    { "0.0", "0.1", 1 },
    { "9", "3", 1 },
    { "-9", "3", 1 },
    { "10", "3", 0 },
    { "0.3", "0.1", 1 },
    { "0.0075", "0.0001", 1 },
    { "0.00751", "0.0001", 0 },
    { "19.99", "0.01", 1 },
    { "4.35", "0.01", 1 },
    { "4.355", "0.01", 0 },
    { "35", "1.5", 0 },
    { "4.5", "1.5", 1 },
    { "1e308", "0.5", 1 },
    { "1e308", "3", 0 },
    { "1e-300", "1e-308", 1 },
    { "1e-308", "1e-300", 0 },
    { "9223372036854775807", "7", 1 },
    { "9223372036854775807", "2", 0 },
    { "-9223372036854775808", "2", 1 },
    { "9223372036854775807", "9223372036854775807", 1 },
    { "1e20", "9223372036854775807", 0 }
};

START_TEST(multiple)
{
    ck_assert_int_eq(schema_number_divides(unit_json(multiples[_i].number),
                                           unit_json(multiples[_i].divisor)),
                     multiples[_i].divides);
}
END_TEST

/* Length is counted in code points, not in bytes. */
START_TEST(length)
{
    ck_assert_uint_eq(schema_text_length("", 0), 0);
    ck_assert_uint_eq(schema_text_length("abc", 3), 3);
    ck_assert_uint_eq(schema_text_length("a\0c", 3), 3);
    ck_assert_uint_eq(schema_text_length("\xc3\xa4\xe2\x82\xac", 5), 2);
    ck_assert_uint_eq(schema_text_length("\xf0\x9f\x92\xa9", 4), 1);
}
END_TEST

static const char *describe(const char *text)
{
    static char buf[320];

    return schema_value_describe(unit_json(text), buf, sizeof(buf));
}

/* A value in few words, however long it is; a cut never splits a
 * character. */
START_TEST(descriptions)
{
    const char *umlauts = "";
    int i;

    ck_assert_str_eq(describe("null"), "null");
    ck_assert_str_eq(describe("true"), "true");
    ck_assert_str_eq(describe("false"), "false");
    ck_assert_str_eq(describe("-5"), "-5");
    ck_assert_str_eq(describe("9223372036854775807"), "9223372036854775807");
    ck_assert_str_eq(describe("1.5"), "1.5");
    ck_assert_str_eq(describe("\"abc\""), "\"abc\"");
    ck_assert_str_eq(describe("[]"), "an array of 0 items");
    ck_assert_str_eq(describe("[1]"), "an array of 1 item");
    ck_assert_str_eq(describe("{\"a\": 1, \"b\": 2}"),
                     "an object of 2 members");
    for (i = 0; i < 100; i++) {
        umlauts = apr_pstrcat(pool, umlauts, "\xc3\xa4", NULL);
    }
    umlauts = apr_pstrcat(pool, "\"x", umlauts, "\"", NULL);
    ck_assert_uint_eq(strlen(describe(umlauts)), 1 + 59 + 3 + 1);
}
END_TEST

Suite *value_suite(void)
{
    Suite *suite = suite_create("value");
    TCase *tc = unit_case(suite, "value");

    tcase_add_test(tc, types_by_name);
    tcase_add_test(tc, types_of_values);
    tcase_add_loop_test(tc, order_ascending, 0,
                        sizeof(ascending) / sizeof(ascending[0]));
    tcase_add_test(tc, order_of_types);
    tcase_add_test(tc, order_equal);
    tcase_add_test(tc, order_is_linear);
    tcase_add_loop_test(tc, multiple, 0,
                        sizeof(multiples) / sizeof(multiples[0]));
    tcase_add_test(tc, length);
    tcase_add_test(tc, descriptions);
    return suite;
}
