#include "schema_unit.h"

/* Compile several documents as a set. */
static apr_status_t set_make(schema_set_t **pset, schema_text_t *texts,
                             apr_size_t count)
{
    apr_size_t i;

    base_err_clear(&err);
    for (i = 0; i < count; i++) {
        texts[i].len = strlen(texts[i].text);
    }
    return schema_set_compile(pset, texts, count, &err, pool);
}

/* A reference reaches every schema of its document, root included; keys
 * are escaped as JSON pointers and URIs ask. */
START_TEST(within)
{
    misfits("{\"properties\": {\"a\": {\"$ref\": \"#\"}},"
            " \"additionalProperties\": false}", "{\"a\": {\"b\": 1}}",
            ": /a/b: found 1, expected nothing: it is not allowed here");
    misfits("{\"items\": [{\"type\": \"string\"}, {\"$ref\": \"#/items/0\"}]}",
            "[\"a\", 1]", ": /1: found 1, expected type string");
    misfits("{\"definitions\": {\"a~b/c%d \": false},"
            " \"items\": {\"$ref\": \"#/definitions/a~0b~1c%25d%20\"}}",
            "[1]", ": /0: found 1, expected nothing: it is not allowed here");
    misfits("{\"definitions\": {\"a\": {\"$ref\": \"#/definitions/b\"},"
            " \"b\": {\"$ref\": \"#/definitions/c\"},"
            " \"c\": {\"type\": \"null\"}}, \"$ref\": \"#/definitions/a\"}",
            "1", ": found 1, expected type null");
}
END_TEST

/* References that find nothing, or leave what is known. */
static const struct {
    const char *schema;
    apr_status_t status;
    const char *says;
} wrong[] = {
    { "{\"$ref\": \"#/definitions/a\"}", APR_EINVAL, "there is no schema" },
    { "{\"properties\": {\"a\": {\"$ref\": \"#/properties\"}}}", APR_EINVAL,
      "there is no schema" },
    { "{\"enum\": [{\"type\": \"null\"}], \"not\": {\"$ref\": \"#/enum/0\"}}",
      APR_EINVAL, "there is no schema" },
    { "{\"items\": [true], \"not\": {\"$ref\": \"#/items/00\"}}", APR_EINVAL,
      "there is no schema" },
    { "{\"items\": [true], \"not\": {\"$ref\": \"#/items/1\"}}", APR_EINVAL,
      "there is no schema" },
    { "{\"definitions\": {\"a\": true}, \"not\":"
      " {\"$ref\": \"#/definitions/a/\"}}", APR_EINVAL,
      "there is no schema" },
    { "{\"$ref\": \"#a\"}", APR_ENOTIMPL, "no JSON pointer" },
    { "{\"$ref\": \"#/%zz\"}", APR_ENOTIMPL, "no JSON pointer" },
    { "{\"$ref\": \"#/%2\"}", APR_ENOTIMPL, "no JSON pointer" },
    { "{\"$ref\": \"other.json\"}", APR_ENOTIMPL, "leaves the schemas" },
    { "{\"$ref\": \"../test.json\"}", APR_ENOTIMPL, "leaves the schemas" },
    { "{\"$ref\": \"test.json\"}", APR_EINVAL, "without end" },
    { "{\"$ref\": \"/test.json\"}", APR_ENOTIMPL, "leaves the schemas" },
    { "{\"$ref\": \"test\"}", APR_ENOTIMPL, "leaves the schemas" },
    { "{\"$ref\": \".json\"}", APR_ENOTIMPL, "leaves the schemas" },
    { "{\"$ref\": \"http://example.com/x.json\"}", APR_ENOTIMPL,
      "leaves the schemas" },
    { "{\"$id\": \"http://example.com/x\","
      " \"not\": {\"$ref\": \"http://example.com/x#\"}}", APR_ENOTIMPL,
      "leaves the schemas" },
    { "{\"$ref\": \"http://json-schema.org/draft-07/schema#\"}",
      APR_ENOTIMPL, "leaves the schemas" }
};

START_TEST(dangling)
{
    unit_fails(unit_compile(wrong[_i].schema), wrong[_i].status,
               wrong[_i].says);
}
END_TEST

/* A schema that would apply itself to the same value for ever is refused,
 * however the circle is closed; one that goes down into the value is not. */
static const char *const circles[] = {
    "{\"$ref\": \"#\"}",
    "{\"allOf\": [true, {\"$ref\": \"#\"}]}",
    "{\"anyOf\": [{\"$ref\": \"#\"}]}",
    "{\"oneOf\": [{\"$ref\": \"#\"}]}",
    "{\"not\": {\"$ref\": \"#\"}}",
    "{\"if\": {\"$ref\": \"#\"}}",
    "{\"if\": true, \"then\": {\"$ref\": \"#\"}}",
    "{\"if\": true, \"else\": {\"$ref\": \"#\"}}",
    "{\"dependencies\": {\"a\": {\"$ref\": \"#\"}}}",
    ("{\"definitions\": {\"a\": {\"$ref\": \"#/definitions/b\"},"
     " \"b\": {\"$ref\": \"#/definitions/a\"}}}")
};

START_TEST(circular)
{
    unit_fails(unit_compile(circles[_i]), APR_EINVAL,
               "applies itself to the same value without end");
}
END_TEST

static const char *const descending[] = {
    "{\"properties\": {\"a\": {\"$ref\": \"#\"}}}",
    "{\"additionalProperties\": {\"$ref\": \"#\"}}",
    "{\"patternProperties\": {\"a\": {\"$ref\": \"#\"}}}",
    "{\"items\": {\"$ref\": \"#\"}}",
    "{\"items\": [{\"$ref\": \"#\"}]}",
    "{\"items\": [], \"additionalItems\": {\"$ref\": \"#\"}}",
    "{\"contains\": {\"$ref\": \"#\"}}",
    ("{\"definitions\": {\"a\": {\"items\": {\"$ref\": \"#\"}}},"
     " \"allOf\": [{\"$ref\": \"#/definitions/a\"}]}")
};

START_TEST(not_circular)
{
    fits(descending[_i], "[{}, 1, \"a\", [{}]]");
}
END_TEST

/* In a set a reference may name a neighbour, one folder up too. */
START_TEST(across)
{
    schema_text_t texts[] = {
        { "acme/order", "{\"properties\": {"
          "\"error\": {\"$ref\": \"problem.json\"},"
          "\"jws\": {\"$ref\": \"../jose/jws.json#/definitions/s\"},"
          "\"self\": {\"$ref\": \"order.json\"}}}", 0 },
        { "acme/problem", "{\"type\": \"object\"}", 0 },
        { "jose/jws", "{\"definitions\": {\"s\": {\"type\": \"string\"}}}",
          0 }
    };
    schema_set_t *set;
    const schema_t *order;

    unit_ok(set_make(&set, texts, 3));
    order = schema_find(set, "acme/order");
    unit_ok(schema_check(order, unit_json("{\"error\": {}, \"jws\": \"\","
                                          " \"self\": {\"error\": {}}}"),
                         "x", &err));
    unit_fails(schema_check(order, unit_json("{\"self\": {\"error\": 1}}"),
                            "x", &err), APR_EINVAL,
               "x: /self/error: found 1, expected type object");
    base_err_clear(&err);
    unit_fails(schema_check(order, unit_json("{\"jws\": 1}"), "x", &err),
               APR_EINVAL, "x: /jws: found 1, expected type string");
    ck_assert_ptr_null(schema_find(set, "acme/nonce"));
    ck_assert_ptr_null(schema_find(set, "acme/order.json"));
}
END_TEST

/* A set's references must hit; the document at fault is named. */
START_TEST(across_wrong)
{
    static const struct {
        const char *ref;
        apr_status_t status;
        const char *says;
    } refs[] = {
        { "nonce.json", APR_ENOTIMPL, "leaves the schemas" },
        { "../../acme/b.json", APR_ENOTIMPL, "leaves the schemas" },
        { "jose/b.json", APR_ENOTIMPL, "leaves the schemas" },
        { "b.json#/definitions/a", APR_EINVAL, "there is no schema" },
        { "b.json", APR_EINVAL, "without end" }
    };
    schema_text_t texts[] = {
        { "acme/a", NULL, 0 },
        { "acme/b", "{\"$ref\": \"a.json\"}", 0 }
    };
    char text[200];
    schema_set_t *set;
    int i;

    for (i = 0; i < 5; i++) {
        snprintf(text, sizeof(text), "{\"$ref\": \"%s\"}", refs[i].ref);
        texts[0].text = text;
        unit_fails(set_make(&set, texts, 2), refs[i].status, refs[i].says);
        unit_fails(err.status, refs[i].status, "schema \"acme/a\"");
    }
}
END_TEST

Suite *link_suite(void)
{
    Suite *suite = suite_create("link");
    TCase *tc = unit_case(suite, "link");

    tcase_add_test(tc, within);
    tcase_add_loop_test(tc, dangling, 0, sizeof(wrong) / sizeof(wrong[0]));
    tcase_add_loop_test(tc, circular, 0,
                        sizeof(circles) / sizeof(circles[0]));
    tcase_add_loop_test(tc, not_circular, 0,
                        sizeof(descending) / sizeof(descending[0]));
    tcase_add_test(tc, across);
    tcase_add_test(tc, across_wrong);
    return suite;
}
