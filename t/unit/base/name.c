/*
 * name.c: tests of support/base/name.c.
 */
#include "unit.h"

#define L63 "a23456789012345678901234567890123456789012345678901234567890123"

static const char *const good[][2] = {
    { "example.org", "example.org" },
    { "WWW.Example.ORG", "www.example.org" },
    { "example.org.", "example.org" },
    { "a.b", "a.b" },
    { "1.example", "1.example" },
    { "127.0.0.1.example", "127.0.0.1.example" },
    { "a-b--c.example", "a-b--c.example" },
    { "xn--bcher-kva.example", "xn--bcher-kva.example" },
    { "XN--BCHER-KVA.example", "xn--bcher-kva.example" },
    { "example.xn--p1ai", "example.xn--p1ai" },
    { "a.1b", "a.1b" },
    { L63 ".example", L63 ".example" },
};

#define GOODS ((int)(sizeof(good) / sizeof(good[0])))

/* A domain name is put into lower case and loses its final dot. */
START_TEST(accepts)
{
    const char *name = NULL, *star = NULL;

    unit_ok(base_name_check(&name, good[_i][0], 0, &err, pool));
    ck_assert_str_eq(name, good[_i][1]);
    unit_ok(base_name_check(&star, apr_pstrcat(pool, "*.", good[_i][0],
                                               NULL), 1, &err, pool));
    ck_assert_str_eq(star, apr_pstrcat(pool, "*.", good[_i][1], NULL));
}
END_TEST

static const struct {
    const char *name;
    const char *says;
} bad[] = {
    { "", "it is empty" },
    { ".", "an empty label" },
    { "..", "an empty label" },
    { ".example.org", "an empty label" },
    { "example..org", "an empty label" },
    { "example.org..", "an empty label" },
    { "localhost", "one label only" },
    { "localhost.", "one label only" },
    { "a b.example", "a character other than" },
    { " example.org", "a character other than" },
    { "example.org ", "a character other than" },
    { "example.org\n", "a character other than" },
    { "a_b.example", "a character other than" },
    { "_acme-challenge.example.org", "a character other than" },
    { "example.org/x", "a character other than" },
    { "example.org:443", "a character other than" },
    { "https://example.org", "a character other than" },
    { "user@example.org", "a character other than" },
    { "../example.org", "an empty label" },
    { "a%2eb.example", "a character other than" },
    { "a'b.example", "a character other than" },
    { "b\xc3\xbc" "cher.example", "xn--" },
    { "\xff.example", "xn--" },
    { "-a.example", "a hyphen" },
    { "a-.example", "a hyphen" },
    { "a.-b.example", "a hyphen" },
    { "example.org-", "a hyphen" },
    { "-.example", "a hyphen" },
    { "ab--c.example", "not xn--" },
    { "XX--c.example", "not xn--" },
    { "127.0.0.1", "an address" },
    { "1.2", "an address" },
    { "example.1", "an address" },
    { "::1", "a character other than" },
    { "[::1]", "a character other than" },
    { "*.example.org", "a wildcard is not allowed here" },
    { "*", "the only wildcard" },
    { "a.*.example", "the only wildcard" },
    { "a*.example.org", "the only wildcard" },
    { L63 "x.example", "more than 63 bytes" },
    { L63 "." L63 "." L63 "." L63, "more than 253 bytes" },
};

#define BADS ((int)(sizeof(bad) / sizeof(bad[0])))

/* What no certificate can carry is refused with its reason. */
START_TEST(refuses)
{
    const char *name = NULL;

    unit_fails(base_name_check(&name, bad[_i].name, 0, &err, pool),
               APR_EINVAL, bad[_i].says);
    ck_assert_int_eq(err.exit, BASE_EXIT_USAGE);
    ck_assert_ptr_null(name);
    ck_assert(strstr(err.message, "is not a domain name: ") != NULL);
}
END_TEST

/* A wildcard stands alone, in front, and before two labels at least. */
START_TEST(wildcards)
{
    static const char *const cases[] = {
        "*", "*.", "*..", "*.org", "*.*.example.org", "**.example.org",
        "*a.example.org", "*.example.*", "a.*.example.org", "*example.org",
        "*.127.0.0.1", "*.-a.example"
    };
    const char *name = NULL;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        base_err_clear(&err);
        unit_fails(base_name_check(&name, cases[i], 1, &err, pool),
                   APR_EINVAL, cases[i]);
    }
    ck_assert_ptr_null(name);
}
END_TEST

/* 253 bytes are the longest name, the wildcard and no final dot counted. */
START_TEST(longest)
{
    const char *name, *full = L63 "." L63 "." L63 ".";
    const char *last = "b2345678901234567890123456789012345678901234567890"
                       "1234567890x";

    full = apr_pstrcat(pool, full, last, NULL);
    ck_assert_uint_eq(strlen(full), 253);
    unit_ok(base_name_check(&name, full, 0, &err, pool));
    unit_ok(base_name_check(&name, apr_pstrcat(pool, full, ".", NULL), 0,
                            &err, pool));
    unit_fails(base_name_check(&name, apr_pstrcat(pool, "*.", full, NULL), 1,
                               &err, pool), APR_EINVAL, "253 bytes");
    base_err_clear(&err);
    unit_ok(base_name_check(&name, apr_pstrcat(pool, "*.", full + 2, NULL),
                            1, &err, pool));
    unit_fails(base_name_check(&name, apr_pstrcat(pool, full, "y", NULL), 0,
                               &err, pool), APR_EINVAL, "253 bytes");
}
END_TEST

/* The caller's own name is not changed. */
START_TEST(copies)
{
    char mine[] = "Example.ORG.";
    const char *name;

    unit_ok(base_name_check(&name, mine, 0, &err, pool));
    ck_assert_str_eq(mine, "Example.ORG.");
    mine[0] = 'x';
    ck_assert_str_eq(name, "example.org");
}
END_TEST

/* A list has a text as it is written, a name in any case; one that is not
 * there has nothing. */
START_TEST(lists)
{
    apr_array_header_t *list = apr_array_make(pool, 2, sizeof(char *));

    ck_assert_int_eq(base_list_has(list, "a"), 0);
    ck_assert_int_eq(base_list_has(NULL, "a"), 0);
    ck_assert_int_eq(base_list_has_name(NULL, "a"), 0);
    APR_ARRAY_PUSH(list, const char *) = "first";
    APR_ARRAY_PUSH(list, const char *) = "A.example";
    ck_assert_int_eq(base_list_has(list, "first"), 1);
    ck_assert_int_eq(base_list_has(list, "A.example"), 1);
    ck_assert_int_eq(base_list_has(list, "a.example"), 0);
    ck_assert_int_eq(base_list_has(list, "firs"), 0);
    ck_assert_int_eq(base_list_has(list, "first "), 0);
    ck_assert_int_eq(base_list_has_name(list, "a.EXAMPLE"), 1);
    ck_assert_int_eq(base_list_has_name(list, "b.example"), 0);
    ck_assert_int_eq(base_list_has_name(list, ""), 0);
}
END_TEST

Suite *name_suite(void)
{
    Suite *suite = suite_create("name");
    TCase *tc = unit_case(suite, "name");

    tcase_add_loop_test(tc, accepts, 0, GOODS);
    tcase_add_loop_test(tc, refuses, 0, BADS);
    tcase_add_test(tc, wildcards);
    tcase_add_test(tc, longest);
    tcase_add_test(tc, copies);
    tcase_add_test(tc, lists);
    return suite;
}
