/* JSON text as it is told: a parser finds in it what was told. */
#include <errno.h>
#include <stdio.h>

#include <jansson.h>

#include "unit.h"

#include "dump_out.h"

static acme_out_t *out;
static char *text;               /* what was written */
static size_t len;
static int odd_texts;

static void odd_count(const char *ignored)
{
    odd_texts++;
}

static void setup(void)
{
    unit_setup();
    odd_texts = 0;
    out = apr_pcalloc(pool, sizeof(*out));
    out->file = open_memstream(&text, &len);
    out->odd = odd_count;
    ck_assert_ptr_nonnull(out->file);
}

static void teardown(void)
{
    fclose(out->file);
    free(text);
    unit_teardown();
}

/* What was told means this, and ends with a line. */
static void is_document(const char *json)
{
    json_t *want = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    json_t *got;

    ck_assert_int_eq(acme_out_finish(out), 0);
    ck_assert_msg(want != NULL, "%s", json);
    got = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL
                     | JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(json_equal(got, want), "%s", text);
    ck_assert_int_eq(text[len - 1], '\n');
    json_decref(got);
    json_decref(want);
}

/* Objects and arrays within each other, full and empty. */
START_TEST(nested)
{
    acme_out_begin(out, NULL, '{');
    acme_out_text(out, "a", "b");
    acme_out_begin(out, "none", '{');
    acme_out_end(out, '}');
    acme_out_begin(out, "list", '[');
    acme_out_number(out, NULL, 1);
    acme_out_begin(out, NULL, '[');
    acme_out_end(out, ']');
    acme_out_begin(out, NULL, '{');
    acme_out_flag(out, "yes", 1);
    acme_out_flag(out, "no", 0);
    acme_out_end(out, '}');
    acme_out_end(out, ']');
    acme_out_null(out, "nothing");
    acme_out_text(out, "nor this", NULL);
    acme_out_number(out, "less", -9223372036854775807);
    acme_out_end(out, '}');
    is_document("{\"a\":\"b\",\"none\":{},\"list\":[1,[],{\"yes\":true,"
                "\"no\":false}],\"nothing\":null,\"nor this\":null,"
                "\"less\":-9223372036854775807}");
}
END_TEST

/* A line for each value of the first two levels, no blanks within. */
START_TEST(lines)
{
    acme_out_begin(out, NULL, '{');
    acme_out_begin(out, "none", '[');
    acme_out_end(out, ']');
    acme_out_begin(out, "a", '[');
    acme_out_number(out, NULL, 1);
    acme_out_begin(out, NULL, '{');
    acme_out_begin(out, "b", '[');
    acme_out_text(out, NULL, "c");
    acme_out_text(out, NULL, "d");
    acme_out_end(out, ']');
    acme_out_flag(out, "e", 1);
    acme_out_end(out, '}');
    acme_out_end(out, ']');
    acme_out_end(out, '}');
    ck_assert_int_eq(acme_out_finish(out), 0);
    ck_assert_str_eq(text, "{\n  \"none\":[],\n  \"a\":[\n    1,\n"
                     "    {\"b\":[\"c\",\"d\"],\"e\":true}\n  ]\n}\n");
}
END_TEST

/* A document may be one value. */
START_TEST(single)
{
    acme_out_text(out, NULL, "");
    is_document("\"\"");
}
END_TEST

/* Every byte below 0x80 in a string comes back from a parser. */
START_TEST(escapes)
{
    char all[128], *want;
    json_t *value;
    int i;

    for (i = 1; i < 128; i++) {
        all[i - 1] = (char)i;
    }
    all[127] = '\0';
    acme_out_text(out, NULL, all);
    value = json_string(all);
    want = json_dumps(value, JSON_ENCODE_ANY);
    is_document(want);
    ck_assert_int_eq(odd_texts, 0);
    free(want);
    json_decref(value);
}
END_TEST

/* UTF-8 of each length stands as it is, at the end, too. */
START_TEST(utf8)
{
    acme_out_text(out, NULL, "\xc2\x80\xdf\xbf a \xe0\xa0\x80\xed\x9f\xbf"
                  "\xee\x80\x80\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
    is_document("\"\xc2\x80\xdf\xbf a \xe0\xa0\x80\xed\x9f\xbf"
                "\xee\x80\x80\\\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"");
    ck_assert_int_eq(odd_texts, 0);
}
END_TEST

/* Anything else: each byte becomes a replacement character, and is told. */
START_TEST(no_utf8)
{
    static const struct {
        const char *bytes;
        const char *json;
    } cases[] = {
        { "\xe9", "\"\\ufffd\"" },
        { "a\x80z", "\"a\\ufffdz\"" },
        { "\xc0\xaf", "\"\\ufffd\\ufffd\"" },            /* overlong */
        { "\xe0\x9f\xbf", "\"\\ufffd\\ufffd\\ufffd\"" },
        { "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },  /* a surrogate */
        { "\xf0\x8f\xbf\xbf", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
        { "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
        { "\xff\xfe", "\"\\ufffd\\ufffd\"" },
        { "\xe2\x82", "\"\\ufffd\\ufffd\"" },             /* cut off */
        { "\xe2\"", "\"\\ufffd\\\"\"" },
        { "\xf0\x9f\x98", "\"\\ufffd\\ufffd\\ufffd\"" }
    };

    acme_out_text(out, NULL, cases[_i].bytes);
    is_document(cases[_i].json);
    ck_assert_int_eq(odd_texts, 1);
}
END_TEST

/* Nobody has to listen. */
START_TEST(nobody_listens)
{
    out->odd = NULL;
    acme_out_text(out, NULL, "\xff");
    is_document("\"\\ufffd\"");
}
END_TEST

/* Texts longer than the buffer, at every place of its end. */
START_TEST(long_texts)
{
    apr_size_t size = ACME_OUT_SIZE - 20 + (apr_size_t)_i;
    char *one = apr_palloc(pool, size + 1);

    memset(one, 'x', size);
    one[size] = '\0';
    acme_out_begin(out, NULL, '[');
    acme_out_text(out, NULL, one);
    acme_out_text(out, NULL, "\xc3\xa4\n");
    acme_out_text(out, NULL, apr_pstrcat(pool, one, one, one, NULL));
    acme_out_end(out, ']');
    is_document(apr_pstrcat(pool, "[\"", one, "\",\"\xc3\xa4\\n\",\"", one,
                            one, one, "\"]", NULL));
}
END_TEST

/* A disk that is full is told, once, at whatever place. */
START_TEST(full_disk)
{
    acme_out_t *full = apr_pcalloc(pool, sizeof(*full));
    int i;

    full->file = fopen("/dev/full", "w");
    ck_assert_ptr_nonnull(full->file);
    acme_out_begin(full, NULL, '[');
    for (i = 0; i < (_i ? 10000 : 1); i++) {
        acme_out_text(full, NULL, "some text");
    }
    acme_out_end(full, ']');
    ck_assert_int_eq(acme_out_finish(full), ENOSPC);
    fclose(full->file);
}
END_TEST

Suite *dump_out_suite(void)
{
    Suite *suite = suite_create("mod_acme/dump_out");
    TCase *tc = tcase_create("dump_out");

    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, nested);
    tcase_add_test(tc, lines);
    tcase_add_test(tc, single);
    tcase_add_test(tc, escapes);
    tcase_add_test(tc, utf8);
    tcase_add_loop_test(tc, no_utf8, 0, 11);
    tcase_add_test(tc, nobody_listens);
    tcase_add_loop_test(tc, long_texts, 0, 24);
    tcase_add_loop_test(tc, full_disk, 0, 2);
    return suite;
}
