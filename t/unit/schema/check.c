#include "schema_unit.h"

#include <apr_strings.h>

/* A message says where, what was found and what was expected; at the root
 * there is no pointer. */
START_TEST(messages)
{
    misfits("{\"type\": \"object\"}", "[1]",
            ": found an array of 1 item, expected type object");
    misfits("{\"type\": [\"string\", \"null\"]}", "1",
            ": found 1, expected type string or null");
    misfits("{\"properties\": {\"a\": {\"items\": {\"type\": \"null\"}}}}",
            "{\"a\": [null, true]}",
            ": /a/1: found true, expected type null");
    misfits("{\"additionalProperties\": {\"type\": \"null\"}}",
            "{\"a/b~c\": 1}", ": /a~1b~0c: found 1, expected type null");
    misfits("{\"enum\": [\"a\", 1, null]}", "\"b\"",
            ": found \"b\", expected one of \"a\", 1, null");
    misfits("{\"enum\": [\"a\"]}", "\"b\"", ": found \"b\", expected \"a\"");
    misfits("{\"const\": {\"a\": 1}}", "{}",
            ": found an object of 0 members, expected an object of 1 "
            "member");
}
END_TEST

/* Nothing that a stranger sent can break a line of the log. */
START_TEST(hostile_text)
{
    ck_assert_int_eq(unit_check("{\"additionalProperties\": {\"const\": 1}}",
                                "{\"a\\nb\": \"\\u001b[2J\\r\"}"),
                     APR_EINVAL);
    ck_assert_ptr_null(strpbrk(err.message, "\n\r\x1b"));
    ck_assert_ptr_nonnull(strstr(err.message, "/a\\x0Ab"));
}
END_TEST

/* A key of any length leaves a message that fits. */
START_TEST(long_key)
{
    char *value = apr_palloc(pool, 60010);

    memset(value, '~', 60000);
    memcpy(value, "{\"", 2);
    memcpy(value + 60000, "\":1}", 5);
    ck_assert_int_eq(unit_check("{\"additionalProperties\": false}", value),
                     APR_EINVAL);
    ck_assert_uint_lt(strlen(err.message), sizeof(err.message));
    ck_assert_ptr_nonnull(strstr(err.message, "expected nothing"));
}
END_TEST

/* Numbers: bounds and multiples; other types do not care. */
START_TEST(numbers)
{
    fits("{\"minimum\": 3}", "3");
    misfits("{\"minimum\": 3}", "2.5", ": found 2.5, expected at least 3");
    misfits("{\"exclusiveMinimum\": 3}", "3",
            ": found 3, expected more than 3");
    misfits("{\"maximum\": 3}", "4", ": found 4, expected at most 3");
    misfits("{\"exclusiveMaximum\": 3}", "3.0",
            ": found 3, expected less than 3");
    misfits("{\"multipleOf\": 0.01}", "0.005",
            ": found 0.0050000000000000001, expected a multiple of 0.01");
    fits("{\"minimum\": 3, \"exclusiveMinimum\": 3, \"maximum\": 1,"
         " \"exclusiveMaximum\": 1, \"multipleOf\": 7}", "\"x\"");
}
END_TEST

/* Counts of characters, items and members. */
START_TEST(counts)
{
    misfits("{\"minLength\": 2}", "\"\\u00e4\"",
            ": has 1 character, expected at least 2");
    misfits("{\"maxLength\": 2}", "\"abc\"",
            ": has 3 characters, expected at most 2");
    fits("{\"maxLength\": 2}", "\"\\u00e4\\ud83d\\udca9\"");
    fits("{\"maxLength\": 2}", "\"a\\u0000\"");
    misfits("{\"minItems\": 1}", "[]",
            ": has 0 items, expected at least 1");
    misfits("{\"maxItems\": 1}", "[1, 2]",
            ": has 2 items, expected at most 1");
    misfits("{\"minProperties\": 1}", "{}",
            ": has 0 members, expected at least 1");
    misfits("{\"maxProperties\": 0}", "{\"a\": 1}",
            ": has 1 member, expected at most 0");
    fits("{\"minLength\": 9, \"minItems\": 9, \"minProperties\": 9}", "1");
    fits("{\"maxLength\": 0, \"maxItems\": 0, \"maxProperties\": 0}", "1");
}
END_TEST

/* Patterns search; a text that is too costly gets no verdict, which is a
 * no even where "not" or "anyOf" would like to turn it round. */
START_TEST(patterns)
{
    char *value = apr_palloc(pool, 5000);

    fits("{\"pattern\": \"b\"}", "\"abc\"");
    fits("{\"pattern\": \"b\"}", "5");
    misfits("{\"pattern\": \"^b\"}", "\"abc\"",
            ": found \"abc\", expected text that matches ^b");
    memset(value, 'a', 4998);
    value[0] = '"';
    memcpy(value + 4997, "!\"", 3);
    misfits("{\"pattern\": \"^(a+)+$\"}", value, ": is text that cannot be "
            "matched with its pattern at a sane cost");
    misfits("{\"not\": {\"pattern\": \"^(a+)+$\"}}", value, ": is text that "
            "cannot be matched with its pattern at a sane cost");
    misfits("{\"anyOf\": [{\"pattern\": \"^(a+)+$\"}, true]}", value,
            ": is text that cannot be matched with its pattern at a sane "
            "cost");
    misfits("{\"if\": {\"pattern\": \"^(a+)+$\"}}", value, ": is text that "
            "cannot be matched with its pattern at a sane cost");
    misfits("{\"contains\": {\"pattern\": \"^(a+)+$\"}}",
            apr_pstrcat(pool, "[", value, ", 1]", NULL),
            ": is text that cannot be matched with its pattern at a sane "
            "cost");
}
END_TEST

/* Arrays: one schema for all, or one a place and one for the rest. */
START_TEST(arrays)
{
    fits("{\"items\": {\"type\": \"string\"}}", "{\"a\": 1}");
    misfits("{\"items\": false}", "[1]",
            ": /0: found 1, expected nothing: it is not allowed here");
    fits("{\"items\": [true, false]}", "[1]");
    misfits("{\"items\": [true], \"additionalItems\": false}", "[1, 2]",
            ": /1: found 2, expected nothing: it is not allowed here");
    fits("{\"items\": true, \"additionalItems\": false}", "[1, 2]");
    fits("{\"contains\": {\"const\": 5}}", "[4, 5]");
    misfits("{\"contains\": {\"const\": 5}}", "[4, 6]",
            ": none of its 2 items is what at least one must be");
    misfits("{\"contains\": true}", "[]",
            ": none of its 0 items is what at least one must be");
    misfits("{\"uniqueItems\": true}", "[{\"a\": 1}, 2, {\"a\": 1.0}]",
            ": found an object of 1 member, expected it only once in this "
            "array");
    fits("{\"uniqueItems\": true}", "[0, false, \"\", null, [], {}]");
    fits("{\"uniqueItems\": false}", "[1, 1]");
    fits("{\"uniqueItems\": true}", "\"aa\"");
}
END_TEST

/* 30,000 items are compared in a moment, not in 30,000 squared. */
START_TEST(long_array)
{
    json_t *array = base_json_own(json_array(), pool);
    const schema_t *schema = unit_schema("{\"uniqueItems\": true}");
    apr_time_t start = apr_time_now();
    int i;

    for (i = 0; i < 30000; i++) {
        json_array_append_new(array, json_integer(i * 7919 % 30011));
    }
    unit_ok(schema_check(schema, array, "value", &err));
    json_array_append_new(array, json_real(0.0));
    unit_fails(schema_check(schema, array, "value", &err), APR_EINVAL,
               "only once");
    ck_assert_int_lt(apr_time_now() - start, apr_time_from_sec(5));
}
END_TEST

/* Objects. */
START_TEST(objects)
{
    misfits("{\"required\": [\"a\", \"b\"]}", "{\"a\": null}",
            ": has no member \"b\", expected one");
    fits("{\"required\": [\"a\"]}", "[]");
    fits("{\"properties\": {\"a\": false}}", "{\"b\": 1}");
    misfits("{\"patternProperties\": {\"^x-\": {\"type\": \"string\"}}}",
            "{\"x-a\": 1}", ": /x-a: found 1, expected type string");
    misfits("{\"patternProperties\": {\"a\": true, \"b\": false}}",
            "{\"ab\": 1}",
            ": /ab: found 1, expected nothing: it is not allowed here");
    fits("{\"properties\": {\"a\": true}, \"patternProperties\":"
         " {\"^x-\": true}, \"additionalProperties\": false}",
         "{\"a\": 1, \"x-b\": 1}");
    misfits("{\"properties\": {\"a\": true}, \"patternProperties\":"
            " {\"^x-\": true}, \"additionalProperties\": false}",
            "{\"a\": 1, \"y\": 1}",
            ": /y: found 1, expected nothing: it is not allowed here");
    misfits("{\"propertyNames\": {\"maxLength\": 2}}", "{\"abc\": 1}",
            ": /abc: has 3 characters, expected at most 2");
    misfits("{\"dependencies\": {\"a\": [\"b\"]}}", "{\"a\": 1}",
            ": has a member \"a\" but no \"b\", expected both");
    misfits("{\"dependencies\": {\"a\": {\"maxProperties\": 1}}}",
            "{\"a\": 1, \"b\": 1}",
            ": has 2 members, expected at most 1");
    fits("{\"dependencies\": {\"a\": false}}", "{\"b\": 1}");
    fits("{\"dependencies\": {\"a\": false}}", "[\"a\"]");
}
END_TEST

/* Of alternatives the one that came nearest explains the failure. */
START_TEST(combinations)
{
    misfits("{\"allOf\": [{\"minimum\": 1}, {\"maximum\": 2}]}", "3",
            ": found 3, expected at most 2");
    fits("{\"anyOf\": [{\"type\": \"null\"}, {\"minimum\": 5}]}", "7");
    misfits("{\"anyOf\": [{\"type\": \"null\"}, {\"properties\":"
            " {\"a\": {\"type\": \"string\"}}}]}", "{\"a\": 1}",
            ": /a: found 1, expected type string; none of 2 alternatives "
            "fits, this is the nearest");
    misfits("{\"oneOf\": [{\"type\": \"null\"}]}", "1",
            ": found 1, expected type null");
    misfits("{\"oneOf\": [true, {\"minimum\": 1}, false]}", "3",
            ": fits more than one of 3 alternatives, expected exactly one");
    fits("{\"oneOf\": [true, {\"minimum\": 1}]}", "0");
    misfits("{\"not\": {\"type\": \"null\"}}", "null",
            ": found null, expected anything else");
    fits("{\"not\": {\"required\": [\"a\"]}}", "{}");
    misfits("{\"if\": {\"const\": 1}, \"then\": false}", "1",
            ": found 1, expected nothing: it is not allowed here");
    fits("{\"if\": {\"const\": 1}, \"then\": false}", "2");
    misfits("{\"if\": {\"const\": 1}, \"else\": false}", "2",
            ": found 2, expected nothing: it is not allowed here");
    fits("{\"then\": false, \"else\": false}", "2");
    fits("true", "2");
    misfits("false", "2",
            ": found 2, expected nothing: it is not allowed here");
}
END_TEST

/* An error that was recorded earlier is kept. */
START_TEST(first_error_wins)
{
    const schema_t *schema = unit_schema("false");

    base_err_set(&err, APR_EGENERAL, BASE_EXIT_BUSY, "earlier");
    ck_assert_int_eq(schema_check(schema, unit_json("1"), "x", &err),
                     APR_EINVAL);
    ck_assert_str_eq(err.message, "earlier");
}
END_TEST

/* Depth and steps of one check are bounded, whatever calls it. */
START_TEST(bounded)
{
    const char *value = "[]";
    int i;

    for (i = 0; i < 600; i++) {
        value = apr_pstrcat(pool, "[", value, "]", NULL);
    }
    ck_assert_int_eq(unit_check("{\"items\": {\"$ref\": \"#\"}}", value),
                     APR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "nested too deeply"));
    /* 2^21 ways through the alternatives */
    value = "[1]";
    for (i = 0; i < 21; i++) {
        value = apr_pstrcat(pool, "[", value, "]", NULL);
    }
    ck_assert_int_eq(unit_check("{\"anyOf\": [{\"const\": 5},"
                                " {\"type\": \"array\", \"items\":"
                                " {\"$ref\": \"#\"}},"
                                " {\"type\": \"array\", \"items\":"
                                " {\"$ref\": \"#\"}}]}", value),
                     APR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "too many steps"));
}
END_TEST

Suite *check_suite(void)
{
    Suite *suite = suite_create("check");
    TCase *tc = unit_case(suite, "check");

    tcase_add_test(tc, messages);
    tcase_add_test(tc, hostile_text);
    tcase_add_test(tc, long_key);
    tcase_add_test(tc, numbers);
    tcase_add_test(tc, counts);
    tcase_add_test(tc, patterns);
    tcase_add_test(tc, arrays);
    tcase_add_test(tc, long_array);
    tcase_add_test(tc, objects);
    tcase_add_test(tc, combinations);
    tcase_add_test(tc, first_error_wins);
    tcase_add_test(tc, bounded);
    return suite;
}
