/* What a redirect does with one request. */
#include "configurator/rewrite.h"
#include "unit.h"

static const rewrite_request_t plain = { 0, 80, "a.test", "/x/y" };
static const rewrite_request_t tls = { 1, 443, "a.test", "/x/y" };

static apr_array_header_t *words(const char *test, const char *pattern,
                                 const char *flags)
{
    apr_array_header_t *list = apr_array_make(pool, 3, sizeof(char *));

    APR_ARRAY_PUSH(list, const char *) = test;
    APR_ARRAY_PUSH(list, const char *) = pattern;
    if (*flags) {
        APR_ARRAY_PUSH(list, const char *) = flags;
    }
    return list;
}

/* One condition, asked of one request. */
static rewrite_answer_t asked(const rewrite_request_t *r, const char *test,
                              const char *pattern, const char *flags)
{
    apr_array_header_t *list = apr_array_make(pool, 1, sizeof(void *));
    rewrite_parts_t parts = { { NULL } };

    APR_ARRAY_PUSH(list, apr_array_header_t *) = words(test, pattern, flags);
    return rewrite_conditions(list, r, &parts, pool);
}

/* What the configuration knows of a request. */
START_TEST(known)
{
    ck_assert_int_eq(asked(&plain, "%{HTTPS}", "off", ""), REWRITE_YES);
    ck_assert_int_eq(asked(&tls, "%{HTTPS}", "off", ""), REWRITE_NO);
    ck_assert_int_eq(asked(&tls, "%{HTTPS}", "!=on", ""), REWRITE_NO);
    ck_assert_int_eq(asked(&plain, "%{HTTPS}", "!=on", ""), REWRITE_YES);
    ck_assert_int_eq(asked(&tls, "%{SERVER_PORT}", "^443$", ""),
                     REWRITE_YES);
    ck_assert_int_eq(asked(&tls, "%{SERVER_PORT}", "!443", ""), REWRITE_NO);
    ck_assert_int_eq(asked(&tls, "%{REQUEST_SCHEME}", "=http", ""),
                     REWRITE_NO);
    ck_assert_int_eq(asked(&plain, "%{HTTP_HOST}", "^A\\.TEST$", "[NC]"),
                     REWRITE_YES);
    ck_assert_int_eq(asked(&plain, "%{HTTP_HOST}", "^A\\.TEST$", ""),
                     REWRITE_NO);
    ck_assert_int_eq(asked(&plain, "%{REQUEST_URI}", "!^/x/", ""),
                     REWRITE_NO);
    ck_assert_int_eq(asked(&plain, "%{HTTP:X-Forwarded-Proto}", "!https",
                           ""), REWRITE_YES);
    ck_assert_int_eq(asked(&plain, "%{QUERY_STRING}", "=\"\"", ""),
                     REWRITE_YES);
    ck_assert_int_eq(asked(&plain, "%{HTTPS}s%{SERVER_PORT}", "offs80", ""),
                     REWRITE_YES);
}
END_TEST

/* What only a running server knows is perhaps so. */
START_TEST(unknown)
{
    ck_assert_int_eq(asked(&plain, "%{REQUEST_FILENAME}", "!-f", ""),
                     REWRITE_PERHAPS);
    ck_assert_int_eq(asked(&plain, "%{ENV:X}", "y", ""), REWRITE_PERHAPS);
    ck_assert_int_eq(asked(&plain, "expr", "true", ""), REWRITE_PERHAPS);
    ck_assert_int_eq(asked(&plain, "%{REQUEST_URI}", "-d", ""),
                     REWRITE_PERHAPS);
    ck_assert_int_eq(asked(&plain, "%{REQUEST_URI}", "(", ""),
                     REWRITE_PERHAPS);
}
END_TEST

/* Conditions hold together, those with [OR] one of them. */
START_TEST(together)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(void *));
    rewrite_parts_t parts = { { NULL } };

    APR_ARRAY_PUSH(list, void *) = words("%{HTTPS}", "on", "[NC,OR]");
    APR_ARRAY_PUSH(list, void *) = words("%{SERVER_PORT}", "80", "");
    ck_assert_int_eq(rewrite_conditions(list, &plain, &parts, pool),
                     REWRITE_YES);
    APR_ARRAY_PUSH(list, void *) = words("%{REQUEST_FILENAME}", "-f",
                                         "[ornext]");
    APR_ARRAY_PUSH(list, void *) = words("%{HTTPS}", "on", "");
    ck_assert_int_eq(rewrite_conditions(list, &plain, &parts, pool),
                     REWRITE_PERHAPS);
    APR_ARRAY_PUSH(list, void *) = words("%{HTTPS}", "on", "");
    ck_assert_int_eq(rewrite_conditions(list, &plain, &parts, pool),
                     REWRITE_NO);
    ck_assert_int_eq(rewrite_conditions(list, &tls, &parts, pool),
                     REWRITE_YES);
}
END_TEST

/* Parts, variables and escapes in a target. */
START_TEST(expansion)
{
    rewrite_parts_t rule = { { "/x", "one" } }, cond = { { "c", "two" } };
    int is_known;

    ck_assert_str_eq(rewrite_expand("https://%1.%{HTTP_HOST}/$1\\$1%%$", &plain,
                                    &rule, &cond, &is_known, pool),
                     "https://two.a.test/one$1%%$");
    ck_assert_int_eq(is_known, 1);
    ck_assert_str_eq(rewrite_expand("a%{ENV:X}b$9%{", &plain, &rule, &cond,
                                    &is_known, pool), "ab%{");
    ck_assert_int_eq(is_known, 0);
}
END_TEST

/* The last condition that matches gives the parts. */
START_TEST(parts)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(void *));
    rewrite_parts_t found = { { NULL } };

    APR_ARRAY_PUSH(list, void *) = words("%{HTTP_HOST}", "^(a)\\.(test)$",
                                         "");
    APR_ARRAY_PUSH(list, void *) = words("%{HTTPS}", "!on", "");
    ck_assert_int_eq(rewrite_conditions(list, &plain, &found, pool),
                     REWRITE_YES);
    ck_assert_str_eq(found.text[2], "test");
    ck_assert_str_eq(found.text[3], "");
}
END_TEST

/* Patterns of paths; an expression that would take for ever is given up. */
START_TEST(patterns)
{
    rewrite_parts_t found = { { NULL } };
    char *path = apr_palloc(pool, 50);

    ck_assert_int_eq(rewrite_pattern("^/X/(.*)", "/x/y", 1, &found, pool),
                     REWRITE_YES);
    ck_assert_str_eq(found.text[1], "y");
    ck_assert_int_eq(rewrite_pattern("!^/x", "/x/y", 0, NULL, pool),
                     REWRITE_NO);
    ck_assert_int_eq(rewrite_pattern("*", "/x/y", 0, NULL, pool),
                     REWRITE_PERHAPS);
    memset(path, 'a', 49);
    path[49] = '\0';
    ck_assert_int_eq(rewrite_pattern("(a+)+$x", path, 0, NULL, pool),
                     REWRITE_NO);
    ck_assert_int_eq(rewrite_pattern("(a|aa|a?)+b(?=c)(?<!z)[x]|(x+x+)+y",
                                     path, 0, NULL, pool) == REWRITE_YES, 0);
}
END_TEST

/* Flags by both their names. */
START_TEST(flags)
{
    apr_array_header_t *list = words("a", "b", "[NC, skip=1,R=301]");

    ck_assert_int_eq(rewrite_has_flag(list, 2, "NC", "nocase"), 1);
    ck_assert_int_eq(rewrite_has_flag(list, 2, "S", "skip"), 1);
    ck_assert_int_eq(rewrite_has_flag(list, 2, "R", "redirect"), 1);
    ck_assert_int_eq(rewrite_has_flag(list, 2, "C", "chain"), 0);
    ck_assert_int_eq(rewrite_has_flag(list, 3, "NC", "nocase"), 0);
}
END_TEST

Suite *rewrite_suite(void)
{
    Suite *suite = suite_create("configurator/rewrite");
    TCase *tc = unit_case(suite, "rewrite");

    tcase_add_test(tc, known);
    tcase_add_test(tc, unknown);
    tcase_add_test(tc, together);
    tcase_add_test(tc, expansion);
    tcase_add_test(tc, parts);
    tcase_add_test(tc, patterns);
    tcase_add_test(tc, flags);
    return suite;
}
