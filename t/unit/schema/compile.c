#include "schema_unit.h"

#include <apr_strings.h>

/* Annotations change nothing and must still have the right shape. */
START_TEST(annotations)
{
    fits("{\"$schema\": \"http://json-schema.org/draft-07/schema#\","
         " \"$id\": \"http://example.com/x\", \"$comment\": \"c\","
         " \"title\": \"t\", \"description\": \"d\", \"default\": 1,"
         " \"examples\": [1], \"readOnly\": true, \"writeOnly\": false,"
         " \"definitions\": {}}", "5");
    unit_fails(unit_compile("{\"title\": 5}"), APR_EINVAL,
               "\"title\" is 5, expected a string");
    unit_fails(unit_compile("{\"description\": null}"), APR_EINVAL,
               "expected a string");
    unit_fails(unit_compile("{\"examples\": {}}"), APR_EINVAL,
               "expected an array");
    unit_fails(unit_compile("{\"readOnly\": 1}"), APR_EINVAL,
               "expected true or false");
}
END_TEST

/* What does not belong to the subset is named when the schema is loaded,
 * wherever it stands: no keyword is ever ignored. */
static const struct {
    const char *schema;
    const char *says;
} beyond[] = {
    { "{\"minimun\": 1}", "the keyword \"minimun\"" },
    { "{\"id\": \"x\"}", "the keyword \"id\"" },
    { "{\"$defs\": {}}", "the keyword \"$defs\"" },
    { "{\"contentEncoding\": \"base64\"}", "\"contentEncoding\"" },
    { "{\"contentMediaType\": \"text/plain\"}", "\"contentMediaType\"" },
    { "{\"minContains\": 1}", "\"minContains\"" },
    { "{\"unevaluatedProperties\": false}", "\"unevaluatedProperties\"" },
    { "{\"properties\": {\"a/b\": {\"x\": 1}}}",
      "schema \"test\", at \"/properties/a~1b\": the keyword \"x\"" },
    { "{\"definitions\": {\"a\": {\"x\": 1}}}", "at \"/definitions/a\"" },
    { "{\"items\": [true, {\"x\": 1}]}", "at \"/items/1\"" },
    { "{\"items\": {\"x\": 1}}", "at \"/items\"" },
    { "{\"additionalItems\": {\"x\": 1}}", "at \"/additionalItems\"" },
    { "{\"then\": {\"x\": 1}}", "at \"/then\"" },
    { "{\"else\": {\"x\": 1}}", "at \"/else\"" },
    { "{\"dependencies\": {\"a\": {\"x\": 1}}}", "at \"/dependencies/a\"" },
    { "{\"patternProperties\": {\"a\": {\"x\": 1}}}",
      "at \"/patternProperties/a\"" },
    { "{\"format\": \"uri\"}", "the format \"uri\"" },
    { "{\"pattern\": \"(?<=a)\"}", "look-behind" },
    { "{\"patternProperties\": {\"(a)\\\\1\": true}}", "back references" },
    { "{\"$schema\": \"http://json-schema.org/draft-04/schema#\"}",
      "the dialect" },
    { "{\"$schema\": \"http://json-schema.org/draft-07/schema#x\"}",
      "the dialect" },
    { "{\"not\": {\"$id\": \"x\"}}", "\"$id\" below the root" },
    { "{\"not\": {\"$schema\": \"x\"}}", "\"$schema\" below the root" },
    { "{\"$id\": \"#a\"}", "with a fragment" },
    { "{\"definitions\": {\"a\": true}, \"$ref\": \"#/definitions/a\","
      " \"minimum\": 1}", "\"minimum\" beside \"$ref\"" },
    { "{\"$ref\": \"#\", \"then\": true}", "\"then\" beside \"$ref\"" }
};

START_TEST(outside)
{
    unit_fails(unit_compile(beyond[_i].schema), APR_ENOTIMPL,
               beyond[_i].says);
}
END_TEST

/* What is no schema of draft-07 at all. */
static const struct {
    const char *schema;
    const char *says;
} wrong[] = {
    { "", "line 1" },
    { "{", "line 1" },
    { "{\"type\": \"string\", \"type\": \"null\"}", "duplicate" },
    { "5", "a schema is an object, true or false" },
    { "null", "a schema is an object, true or false" },
    { "[]", "a schema is an object, true or false" },
    { "{\"not\": 5}", "at \"/not\": a schema is an object" },
    { "{\"properties\": []}", "expected an object" },
    { "{\"properties\": {\"a\": null}}", "at \"/properties/a\"" },
    { "{\"type\": \"strin\"}", "expected a type" },
    { "{\"type\": []}", "expected a type" },
    { "{\"type\": [\"string\", \"string\"]}", "expected a type" },
    { "{\"type\": [\"string\", 5]}", "expected a type" },
    { "{\"type\": [\"string\", \"x\"]}", "expected a type" },
    { "{\"type\": 5}", "expected a type" },
    { "{\"enum\": []}", "that is not empty" },
    { "{\"enum\": 5}", "that is not empty" },
    { "{\"minimum\": \"5\"}", "expected a number" },
    { "{\"exclusiveMaximum\": true}", "expected a number" },
    { "{\"multipleOf\": 0}", "a number above 0" },
    { "{\"multipleOf\": -1}", "a number above 0" },
    { "{\"minLength\": -1}", "a whole number" },
    { "{\"minLength\": 1.5}", "a whole number" },
    { "{\"maxItems\": \"1\"}", "a whole number" },
    { "{\"maxItems\": 1e10}", "a whole number" },
    { "{\"uniqueItems\": 1}", "expected true or false" },
    { "{\"pattern\": 5}", "expected a string" },
    { "{\"pattern\": \"[\"}", "regular expression" },
    { "{\"patternProperties\": {\"[\": true}}", "regular expression" },
    { "{\"format\": 5}", "expected a string" },
    { "{\"required\": \"a\"}", "an array of different strings" },
    { "{\"required\": [1]}", "an array of different strings" },
    { "{\"required\": [\"a\", \"a\"]}", "an array of different strings" },
    { "{\"dependencies\": {\"a\": [\"b\", \"b\"]}}",
      "at \"/dependencies/a\"" },
    { "{\"dependencies\": {\"a\": 5}}", "at \"/dependencies/a\"" },
    { "{\"dependencies\": []}", "expected an object" },
    { "{\"allOf\": []}", "that is not empty" },
    { "{\"anyOf\": {}}", "that is not empty" },
    { "{\"oneOf\": [5]}", "at \"/oneOf/0\"" },
    { "{\"items\": 5}", "at \"/items\"" },
    { "{\"$ref\": 5}", "expected a string" },
    { "{\"$id\": 5}", "expected a string" },
    { "{\"$schema\": 5}", "expected a string" }
};

START_TEST(no_schema)
{
    unit_fails(unit_compile(wrong[_i].schema), APR_EINVAL, wrong[_i].says);
}
END_TEST

/* 2.0 is a count as good as 2; the dialect may lack its "#". */
START_TEST(tolerated)
{
    fits("{\"maxLength\": 2.0}", "\"ab\"");
    fits("{\"$schema\": \"http://json-schema.org/draft-07/schema\"}", "1");
    fits("{\"required\": []}", "{}");
    fits("{\"properties\": {\"$ref\": {\"type\": \"string\"}}}",
         "{\"$ref\": \"a\"}");
    fits("{\"enum\": [{\"$ref\": 5, \"unknown\": 1}]}",
         "{\"$ref\": 5, \"unknown\": 1}");
}
END_TEST

/* Schemas in schemas in schemas: 64 levels and no more. */
START_TEST(nesting)
{
    const char *text = "true";
    int i;

    for (i = 0; i < 64; i++) {
        text = apr_pstrcat(pool, "{\"not\":", text, "}", NULL);
    }
    unit_ok(unit_compile(text));
    text = apr_pstrcat(pool, "{\"not\":", text, "}", NULL);
    unit_fails(unit_compile(text), APR_ENOTIMPL, "more than 64 deep");
}
END_TEST

Suite *compile_suite(void)
{
    Suite *suite = suite_create("compile");
    TCase *tc = unit_case(suite, "compile");

    tcase_add_test(tc, annotations);
    tcase_add_loop_test(tc, outside, 0, sizeof(beyond) / sizeof(beyond[0]));
    tcase_add_loop_test(tc, no_schema, 0, sizeof(wrong) / sizeof(wrong[0]));
    tcase_add_test(tc, tolerated);
    tcase_add_test(tc, nesting);
    return suite;
}
