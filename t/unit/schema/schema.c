#include "schema_unit.h"

#include <apr_strings.h>

static schema_set_t *builtin(void)
{
    schema_set_t *set;

    unit_ok(schema_set_builtin(&set, &err, pool));
    return set;
}

/* Every schema of schemas/ compiles and says what it is, a message by its
 * RFC; the table is sorted, its lengths are right. */
START_TEST(builtins)
{
    schema_set_t *set = builtin();
    apr_size_t i;

    ck_assert_uint_ge(schema_texts_count, 20);
    for (i = 0; i < schema_texts_count; i++) {
        const schema_text_t *text = &schema_texts[i];
        const schema_t *schema = schema_find(set, text->name);
        const char *description;

        ck_assert_ptr_nonnull(schema);
        ck_assert_ptr_nonnull(schema->title);
        description = json_string_value(json_object_get(schema->source,
                                                        "description"));
        ck_assert_ptr_nonnull(description);
        ck_assert_msg(strncmp(text->name, "state/", 6) == 0
                      || strncmp(description, "RFC ", 4) == 0,
                      "%s cites no RFC", text->name);
        ck_assert_uint_eq(strlen(text->text), text->len);
        ck_assert(i == 0 || strcmp(schema_texts[i - 1].name, text->name)
                  < 0);
    }
}
END_TEST

/* A CA's bytes become a value if they fit. */
START_TEST(read_good)
{
    static const char text[] = "{\"status\": \"valid\", \"more\": [1]}";
    json_t *message;

    unit_ok(schema_message_read(&message, builtin(), "acme/account", text,
                                strlen(text), &err, pool));
    ck_assert_str_eq(json_string_value(json_object_get(message, "status")),
                     "valid");
}
END_TEST

/* What is no JSON, too large, too deep or does not fit, is said to be so in
 * the words of the message, and no value comes out. */
static const struct {
    const char *name;
    const char *text;
    const char *says;
} bad[] = {
    { "acme/account", "", "the CA's account" },
    { "acme/account", "<html>503 Service Unavailable</html>",
      "the CA's account" },
    { "acme/account", "{\"status\": \"valid\"", "the CA's account" },
    { "acme/account", "{\"status\": \"valid\"} {}", "the CA's account" },
    { "acme/account", "{\"status\": \"valid\", \"status\": \"valid\"}",
      "the CA's account" },
    { "acme/account", "{\"status\": \"valid\", \"a\": 1e999999999}",
      "the CA's account" },
    { "acme/account", "{\"status\": \"valid\", \"a\":"
      " 123456789012345678901}", "the CA's account" },
    { "acme/account", "{\"status\": \"valid\", \"a\":"
      " [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}", "the CA's account" },
    { "acme/account", "{\"status\": \"valid\", \"a\": \"\\u0000\"}",
      "the CA's account" },
    { "acme/account", "{\"status\": \"valid\", \"a\": \"\xff\"}",
      "the CA's account" },
    { "acme/account", "[]", "the CA's account: found an array of 0 items, "
      "expected type object" },
    { "acme/account", "{}", "the CA's account: has no member \"status\", "
      "expected one" },
    { "acme/acount", "{}", "there is no schema \"acme/acount\"" }
};

START_TEST(read_bad)
{
    json_t *message = NULL;

    unit_fails(schema_message_read(&message, builtin(), bad[_i].name,
                                   bad[_i].text, strlen(bad[_i].text), &err,
                                   pool), APR_EINVAL, bad[_i].says);
    ck_assert_ptr_null(message);
}
END_TEST

/* 64 KiB are read, one byte more is not. */
START_TEST(read_limit)
{
    char *text = apr_palloc(pool, SCHEMA_MESSAGE_MAX + 2);
    json_t *message;

    memset(text, ' ', SCHEMA_MESSAGE_MAX + 1);
    memcpy(text, "{\"status\": \"valid\"}", 19);
    unit_ok(schema_message_read(&message, builtin(), "acme/account", text,
                                SCHEMA_MESSAGE_MAX, &err, pool));
    unit_fails(schema_message_read(&message, builtin(), "acme/account", text,
                                   SCHEMA_MESSAGE_MAX + 1, &err, pool),
               APR_EINVAL, "the CA's account");
}
END_TEST

/* What we send is checked too, and written compactly. */
START_TEST(write_good)
{
    char *bytes;

    unit_ok(schema_message_write(&bytes, builtin(), "acme/challenge-response",
                                 unit_json("{}"), &err, pool));
    ck_assert_str_eq(bytes, "{}");
    unit_ok(schema_message_write(&bytes, builtin(), "acme/new-account",
                                 unit_json("{\"termsOfServiceAgreed\":true,"
                                           " \"contact\":\n []}"), &err,
                                 pool));
    ck_assert_str_eq(bytes, "{\"contact\":[],\"termsOfServiceAgreed\":true}");
}
END_TEST

START_TEST(write_bad)
{
    char *bytes = NULL;
    json_t *order = unit_json("{\"identifiers\": []}");
    json_t *names = json_object_get(order, "identifiers");

    unit_fails(schema_message_write(&bytes, builtin(), "acme/new-order",
                                    order, &err, pool), APR_EINVAL,
               "our newOrder request: /identifiers: has 0 items, expected "
               "at least 1");
    base_err_clear(&err);
    unit_fails(schema_message_write(&bytes, builtin(), "acme/nothing", order,
                                    &err, pool), APR_EINVAL,
               "there is no schema");
    base_err_clear(&err);
    while (json_array_size(names) < 900) {
        json_array_append_new(names, json_pack(
            "{s:s, s:o}", "type", "dns", "value",
            json_sprintf("a%060d.example.com", (int)json_array_size(names))));
    }
    unit_fails(schema_message_write(&bytes, builtin(), "acme/new-order",
                                    order, &err, pool), APR_EINVAL,
               "our newOrder request has");
    ck_assert_ptr_null(bytes);
}
END_TEST

Suite *schema_suite(void)
{
    Suite *suite = suite_create("schema");
    TCase *tc = unit_case(suite, "schema");

    tcase_add_test(tc, builtins);
    tcase_add_test(tc, read_good);
    tcase_add_loop_test(tc, read_bad, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(tc, read_limit);
    tcase_add_test(tc, write_good);
    tcase_add_test(tc, write_bad);
    return suite;
}
