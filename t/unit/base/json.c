/*
 * json.c: tests of support/base/json.c.
 */
#include <sys/stat.h>

#include "unit.h"

static apr_status_t parse(json_t **pjson, const char *text)
{
    base_err_clear(&err);
    return base_json_parse(pjson, text, strlen(text), 4096, "the test", &err,
                           pool);
}

/* depth times open, then close. */
static const char *nested(int depth, const char *open, const char *close)
{
    char *text = "";
    int i;

    for (i = 0; i < depth; i++) {
        text = apr_pstrcat(pool, text, open, NULL);
    }
    for (i = 0; i < depth; i++) {
        text = apr_pstrcat(pool, text, close, NULL);
    }
    return text;
}

static const struct {
    const char *in;
    const char *out;
} good[] = {
    { "{}", "{}" },
    { " { \"b\" : 1 , \"a\":[true,false,null]}\r\n\t",
      "{\"a\":[true,false,null],\"b\":1}" },
    { "\"text\"", "\"text\"" },
    { "-9223372036854775808", "-9223372036854775808" },
    { "9223372036854775807", "9223372036854775807" },
    { "[1.5e3,-0.25]", "[1500.0,-0.25]" },
    { "\"\\u00e4\\\\\\\"\\n\"", "\"\xc3\xa4\\\\\\\"\\n\"" },
    /* what looks like structure within a string is none */
    { "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"",
      "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"" },
    { "\"0123456789012345678901234567890123456789\"",
      "\"0123456789012345678901234567890123456789\"" },
    { "[\"\\\"[[[[[[[[[[[[[[[[[[[[[\"]", "[\"\\\"[[[[[[[[[[[[[[[[[[[[[\"]" },
    { "[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]",
      "[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]" },
};

#define GOODS ((int)(sizeof(good) / sizeof(good[0])))

/* Any JSON value is read; the text form is compact with sorted keys. */
START_TEST(reads)
{
    json_t *json = NULL;

    unit_ok(parse(&json, good[_i].in));
    ck_assert_str_eq(base_json_text(json, pool), good[_i].out);
}
END_TEST

static const struct {
    const char *in;
    const char *says;
} bad[] = {
    { "", "the test: not JSON as it may be: line 1" },
    { " ", "line 1" },
    { "{", "line 1" },
    { "{]", "line 1, column 2" },
    { "{}}", "line 1, column 3" },
    { "{} {}", "line 1, column 4" },
    { "[1,]", "line 1" },
    { "[1\n,\n x]", "line 3, column 2" },
    { "{\"a\":1,\"a\":1}", "duplicate object key" },
    { "{\"a\":{\"b\":1,\"\\u0062\":1}}", "duplicate object key" },
    { "'a'", "line 1" },
    { "// c\n1", "line 1" },
    { "[NaN]", "line 1" },
    { "[01]", "line 1" },
    { "[+1]", "line 1" },
    { "[.5]", "line 1" },
    { "[1.]", "line 1" },
    { "[1e999]", "line 1" },
    { "[9223372036854775808]", "line 1" },
    { "\"abc", "line 1" },
    { "\"abc\\", "line 1" },
    { "\"a\nb\"", "line 1" },
    { "\"\\u0000\"", "line 1" },
    { "\"\\ud800\"", "line 1" },
    { "\"\\x\"", "line 1" },
    { "\"\xff\"", "line 1" },
    { "\"\xc0\x80\"", "line 1" },
    { "\"\xed\xa0\x80\"", "line 1" },
    { "\xef\xbb\xbf{}", "line 1" },
    { "nul", "line 1" },
    { "truefalse", "line 1" },
    { "[1,\n 123456789012345678901]",
      "line 2, column 2: a number of more than 20 characters" },
    { "[\"\xc3\xa4\xc3\xa4\", 1.000000000000000000000]",
      "line 1, column 8: a number of more than 20 characters" },
    { "-----------------------------", "a number of more than 20" },
    { "1eeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "a number of more than 20" },
};

#define BADS ((int)(sizeof(bad) / sizeof(bad[0])))

/* What is not JSON is refused with its line and column. */
START_TEST(refuses)
{
    json_t *json = NULL;

    unit_fails(parse(&json, bad[_i].in), APR_EINVAL, bad[_i].says);
    ck_assert_int_eq(err.exit, BASE_EXIT_FAILED);
    ck_assert_ptr_null(json);
}
END_TEST

/* Sixteen levels are read, seventeen are not, of whatever kind. */
START_TEST(depth)
{
    json_t *json;

    unit_ok(parse(&json, nested(16, "[", "]")));
    unit_fails(parse(&json, nested(17, "[", "]")), APR_EINVAL,
               "line 1, column 17: nested too deeply");
    unit_ok(parse(&json, apr_pstrcat(pool, nested(15, "{\"a\":", ""), "{}",
                                     nested(15, "", "}"), NULL)));
    unit_fails(parse(&json, apr_pstrcat(pool, nested(16, "{\"a\":", ""),
                                        "{}", nested(16, "", "}"), NULL)),
               APR_EINVAL, "nested too deeply");
    unit_fails(parse(&json, nested(1000, "[", "")), APR_EINVAL,
               "nested too deeply");
}
END_TEST

/* A NUL byte is refused wherever it stands. */
START_TEST(nul)
{
    static const struct {
        const char *text;
        apr_size_t len;
    } texts[] = {
        { "\0", 1 }, { "{}\0", 3 }, { "\"a\0b\"", 5 }, { "[1\0]", 4 },
        { "[\"\\\0\"]", 6 }, { "{}\0{}", 5 }, { "[1234\0001]", 8 }
    };
    json_t *json;
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        base_err_clear(&err);
        unit_fails(base_json_parse(&json, texts[i].text, texts[i].len, 100,
                                   "the test", &err, pool), APR_EINVAL,
                   "a NUL byte");
    }
}
END_TEST

/* The bytes behind the length are never looked at. */
START_TEST(bounded)
{
    char *exact = malloc(4);
    json_t *json;

    memcpy(exact, "[12]", 4);
    unit_ok(base_json_parse(&json, exact, 4, 4, "it", &err, pool));
    ck_assert_int_ne(base_json_parse(&json, exact, 3, 4, "it", &err, pool),
                     APR_SUCCESS);
    base_err_clear(&err);
    memcpy(exact, "[\"\\\\", 4);
    ck_assert_int_ne(base_json_parse(&json, exact, 3, 4, "it", &err, pool),
                     APR_SUCCESS);
    free(exact);
}
END_TEST

/* A document may be as large as allowed and not one byte larger. */
START_TEST(size)
{
    json_t *json;

    unit_ok(base_json_parse(&json, "[12]", 4, 4, "it", &err, pool));
    unit_fails(base_json_parse(&json, "[12]", 4, 3, "the CA's order", &err,
                               pool), APR_EINVAL,
               "the CA's order: longer than the 3 bytes");
}
END_TEST

/* What stood in a broken document, perhaps a secret, is not repeated. */
START_TEST(discreet)
{
    json_t *json;

    parse(&json, "{\"key\": \"aSecret\" \"x\"}");
    ck_assert_ptr_null(strstr(err.message, "ecret"));
    parse(&json, "{\"key\": aSecret}");
    ck_assert_ptr_null(strstr(err.message, "ecret"));
    parse(&json, "{\"aSecret\":1, \"aSecret\":2}");
    ck_assert_ptr_null(strstr(err.message, "ecret"));
}
END_TEST

/* A value lives as long as its pool, and longer for who holds it too. */
START_TEST(owned)
{
    apr_pool_t *short_lived;
    json_t *json;

    apr_pool_create(&short_lived, pool);
    unit_ok(base_json_parse(&json, "[7]", 3, 3, "it", &err, short_lived));
    json_incref(json);
    ck_assert_uint_eq(json->refcount, 2);
    apr_pool_destroy(short_lived);
    ck_assert_uint_eq(json->refcount, 1);
    json_decref(json);
    ck_assert_ptr_null(base_json_own(NULL, pool));
}
END_TEST

/* A written value is read back; people find it indented and sorted. */
START_TEST(files)
{
    const char *path = apr_pstrcat(pool, unit_dir(), "/a.json", NULL);
    json_t *json, *again;
    struct stat st;
    char *data;
    apr_size_t len;

    unit_ok(parse(&json, "{\"b\":[1],\"a\":\"x\"}"));
    unit_ok(base_json_write(path, json, 0640, &err, pool));
    unit_ok(base_json_read(&again, path, 100, &err, pool, pool));
    ck_assert(json_equal(json, again));
    unit_ok(base_file_read(&data, &len, path, 100, &err, pool));
    ck_assert_str_eq(data, "{\n  \"a\": \"x\",\n  \"b\": [\n    1\n  ]\n}\n");
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0640);
}
END_TEST

/* A file that is missing, too large or broken says so with its path. */
START_TEST(bad_files)
{
    const char *path = apr_pstrcat(pool, unit_dir(), "/a.json", NULL);
    json_t *json;

    unit_fails(base_json_read(&json, path, 100, &err, pool, pool),
               APR_ENOENT, path);
    base_err_clear(&err);
    unit_ok(base_file_create(path, "[1,\n2", 5, 0600, &err));
    unit_fails(base_json_read(&json, path, 100, &err, pool, pool),
               APR_EINVAL, apr_pstrcat(pool, path, ": not JSON as it may be"
                                       ": line 2", NULL));
    base_err_clear(&err);
    unit_fails(base_json_read(&json, path, 4, &err, pool, pool), APR_EINVAL,
               "larger than the 4 bytes");
}
END_TEST

/* A value that holds itself has no text, and no file is touched. */
START_TEST(no_text)
{
    const char *path = apr_pstrcat(pool, unit_dir(), "/a.json", NULL);
    json_t *json = json_array(), *inner = json_array();

    json_array_append(json, inner);
    json_array_append(inner, json);
    ck_assert_ptr_null(base_json_text(json, pool));
    unit_fails(base_json_write(path, json, 0600, &err, pool), APR_EINVAL,
               "the value is no JSON text");
    base_err_clear(&err);
    unit_fails(base_json_read(&json, path, 100, &err, pool, pool),
               APR_ENOENT, path);
    json_array_clear(inner);
    json_decref(inner);
    json_decref(json);
}
END_TEST

Suite *json_suite(void)
{
    Suite *suite = suite_create("json");
    TCase *tc = unit_case(suite, "json");

    tcase_add_loop_test(tc, reads, 0, GOODS);
    tcase_add_loop_test(tc, refuses, 0, BADS);
    tcase_add_test(tc, depth);
    tcase_add_test(tc, nul);
    tcase_add_test(tc, bounded);
    tcase_add_test(tc, size);
    tcase_add_test(tc, discreet);
    tcase_add_test(tc, owned);
    tcase_add_test(tc, files);
    tcase_add_test(tc, bad_files);
    tcase_add_test(tc, no_text);
    return suite;
}
