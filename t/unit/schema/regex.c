#include "schema_unit.h"

#include <apr_strings.h>
#include <apr_time.h>

/* @return 1 = found, 0 = not found */
static int found_in(const char *pattern, const char *text, size_t len)
{
    schema_regex_t *regex;
    const char *reason = "";
    apr_status_t rv;

    rv = schema_regex_compile(&regex, pattern, &reason, pool);
    ck_assert_msg(rv == APR_SUCCESS, "%s: %s", pattern, reason);
    rv = schema_regex_match(regex, text, len);
    ck_assert(rv == APR_SUCCESS || rv == APR_NOTFOUND);
    return rv == APR_SUCCESS;
}

static int found(const char *pattern, const char *text)
{
    return found_in(pattern, text, strlen(text));
}

/* What ECMA 262 says of a pattern and a text. */
static const struct {
    const char *pattern;
    const char *text;
    int found;
} cases[] = {
    /* unanchored, case matters */
    { "b", "abc", 1 },
    { "B", "abc", 0 },
    { "^b", "abc", 0 },
    { "^a", "abc", 1 },
    { "c$", "abc", 1 },
    /* "$" is the end, not the place before a final newline */
    { "^abc$", "abc\n", 0 },
    { "^abc$", "abc", 1 },
    { "^$", "", 1 },
    { "", "", 1 },
    /* "." is no line terminator, and whole characters otherwise */
    { "^.$", "x", 1 },
    { "^.$", "\xf0\x9f\x92\xa9", 1 },
    { "^.$", "\n", 0 },
    { "^.$", "\r", 0 },
    { "^.$", "\xe2\x80\xa8", 0 },
    { "^.$", "\xe2\x80\xa9", 0 },
    { "^.$", "\x0b", 1 },
    /* classes of ASCII */
    { "^\\d$", "7", 1 },
    { "^\\d$", "\xd9\xa3", 0 },
    { "^\\D$", "\xd9\xa3", 1 },
    { "^\\w$", "_", 1 },
    { "^\\w$", "\xc3\xa9", 0 },
    { "^\\W$", "\xc3\xa9", 1 },
    /* white space of Unicode */
    { "^\\s$", " ", 1 },
    { "^\\s$", "\t", 1 },
    { "^\\s$", "\x0b", 1 },
    { "^\\s$", "\xc2\xa0", 1 },
    { "^\\s$", "\xe2\x80\xa9", 1 },
    { "^\\s$", "\xef\xbb\xbf", 1 },
    { "^\\s$", "\xe2\x80\x8b", 0 },
    { "^\\S$", "\xc2\xa0", 0 },
    { "^\\S$", "x", 1 },
    { "^[\\sx]$", "\xc2\xa0", 1 },
    { "^[^\\s]$", "\xc2\xa0", 0 },
    /* escapes */
    { "^\\x41\\u0042\\cJ\\t\\v$", "AB\n\t\x0b", 1 },
    { "^\\u20AC$", "\xe2\x82\xac", 1 },
    { "^\\.\\*\\/\\-\\$$", ".*/-$", 1 },
    { "^\\.$", "x", 0 },
    { "^[\\]\\\\^-]+$", "]\\^-", 1 },
    { "^[[:alph:]$", "z", 0 },
    { "^[[:alph:]$", "[", 1 },
    { "^[\\b]$", "\b", 1 },
    { "\\bfoo\\b", "a foo b", 1 },
    { "\\bfoo\\b", "afoo", 0 },
    { "o\\B", "foo", 1 },
    { "[]", "a", 0 },
    { "^[^]$", "\n", 1 },
    /* groups, alternatives, look-ahead */
    { "^(a|bc)+$", "abcbc", 1 },
    { "^(?:a|bc){2}$", "abc", 1 },
    { "^(?:a|bc){2}$", "abca", 0 },
    { "^(?=.*x)a", "a.x", 1 },
    { "^(?!.*x)a", "a.x", 0 },
    /* quantifiers */
    { "^a{2,}$", "a", 0 },
    { "^a{2,3}$", "aaa", 1 },
    { "^a{0}$", "", 1 },
    { "^a+?b??$", "aa", 1 },
    { "^a*$", "b", 0 }
};

START_TEST(matches)
{
    ck_assert_msg(found(cases[_i].pattern, cases[_i].text)
                  == cases[_i].found, "%s on %s", cases[_i].pattern,
                  cases[_i].text);
}
END_TEST

/* A NUL in the text is a character like others; it ends nothing. */
START_TEST(nul_in_text)
{
    ck_assert(found_in("^a\\0b$", "a\0b", 3));
    ck_assert(!found_in("^a$", "a\0b", 3));
    ck_assert(!found_in("^[a-z]+$", "abc\0../..", 9));
}
END_TEST

/* What is no expression of ECMA 262, or of our subset, is refused. */
static const struct {
    const char *pattern;
    apr_status_t status;
    const char *reason;
} refused[] = {
    { "(", APR_EINVAL, "parenthes" },
    { "a)", APR_EINVAL, "parenthes" },
    { "[a", APR_EINVAL, "a [ without its ]" },
    { "[b-a]", APR_EINVAL, "range out of order" },
    { "*a", APR_EINVAL, "does not follow" },
    { "a**", APR_EINVAL, "quantifier behind a quantifier" },
    { "a++", APR_EINVAL, "quantifier behind a quantifier" },
    { "a{2}+", APR_EINVAL, "quantifier behind a quantifier" },
    { "a{2}{3}", APR_EINVAL, "quantifier behind a quantifier" },
    { "a{", APR_EINVAL, "write \\{" },
    { "a{,3}", APR_EINVAL, "write \\{" },
    { "a{1,2", APR_EINVAL, "write \\{" },
    { "a{3,2}", APR_EINVAL, "out of order" },
    { "a]", APR_EINVAL, "write \\]" },
    { "[[:alpha:]]", APR_EINVAL, "write \\]" },
    { "a}", APR_EINVAL, "write \\]" },
    { "a\\", APR_EINVAL, "backslash at the end" },
    { "a\\Z", APR_EINVAL, "letter without meaning" },
    { "\\a", APR_EINVAL, "letter without meaning" },
    { "\\Qa\\E", APR_EINVAL, "letter without meaning" },
    { "\\\xc3\xa4", APR_EINVAL, "no punctuation" },
    { "[\\B]", APR_EINVAL, "letter without meaning" },
    { "\\x4", APR_EINVAL, "hexadecimal" },
    { "\\u12", APR_EINVAL, "hexadecimal" },
    { "\\c1", APR_EINVAL, "letter" },
    { "(*UCP)a", APR_EINVAL, "quantifier" },
    { "(?i)a", APR_EINVAL, "(?" },
    { "(?P<x>a)", APR_EINVAL, "(?" },
    { "(?>a)", APR_EINVAL, "(?" },
    { "\xff", APR_EINVAL, "UTF-8" },
    { "(a)\\1", APR_ENOTIMPL, "back references" },
    { "(?<x>a)\\k<x>", APR_ENOTIMPL, "named groups" },
    { "(?<=a)b", APR_ENOTIMPL, "look-behind" },
    { "\\p{L}", APR_ENOTIMPL, "Unicode properties" },
    { "\\ud83d\\udca9", APR_ENOTIMPL, "surrogates" },
    { "\\01", APR_ENOTIMPL, "octal" },
    { "[\\S]", APR_ENOTIMPL, "\\S in a class" }
};

START_TEST(refusals)
{
    schema_regex_t *regex;
    const char *reason = "";
    apr_status_t rv;

    rv = schema_regex_compile(&regex, refused[_i].pattern, &reason, pool);
    ck_assert_msg(rv == refused[_i].status, "%s: %d %s", refused[_i].pattern,
                  (int)rv, reason);
    ck_assert_msg(strstr(reason, refused[_i].reason) != NULL, "%s: %s",
                  refused[_i].pattern, reason);
}
END_TEST

/* An expression of more than 2048 bytes is refused. */
START_TEST(too_long)
{
    char pattern[2050];
    schema_regex_t *regex;
    const char *reason;

    memset(pattern, 'a', sizeof(pattern));
    pattern[2048] = '\0';
    unit_ok(schema_regex_compile(&regex, pattern, &reason, pool));
    pattern[2048] = 'a';
    pattern[2049] = '\0';
    ck_assert_int_eq(schema_regex_compile(&regex, pattern, &reason, pool),
                     APR_ENOTIMPL);
}
END_TEST

/* A hostile text cannot burn CPU: there is no verdict, and it comes fast. */
START_TEST(bounded_cost)
{
    static const char *const careless[] = {
        "^(a+)+$", "^(a|aa)+$", "^(a*)*$", "^(x+x+)+$"
    };
    schema_regex_t *regex;
    const char *reason;
    char text[4096];
    apr_time_t start = apr_time_now();

    memset(text, strchr(careless[_i], 'x') ? 'x' : 'a', sizeof(text));
    text[sizeof(text) - 1] = '!';
    unit_ok(schema_regex_compile(&regex, careless[_i], &reason, pool));
    ck_assert_int_eq(schema_regex_match(regex, text, sizeof(text)),
                     APR_EGENERAL);
    ck_assert_int_lt(apr_time_now() - start, apr_time_from_sec(5));
}
END_TEST

/* Text that is no UTF-8 gets no verdict. */
START_TEST(not_utf8)
{
    schema_regex_t *regex;
    const char *reason;

    unit_ok(schema_regex_compile(&regex, "^.*$", &reason, pool));
    ck_assert_int_eq(schema_regex_match(regex, "\xc3(", 2), APR_EGENERAL);
}
END_TEST

Suite *regex_suite(void)
{
    Suite *suite = suite_create("regex");
    TCase *tc = unit_case(suite, "regex");

    tcase_add_loop_test(tc, matches, 0, sizeof(cases) / sizeof(cases[0]));
    tcase_add_test(tc, nul_in_text);
    tcase_add_loop_test(tc, refusals, 0,
                        sizeof(refused) / sizeof(refused[0]));
    tcase_add_test(tc, too_long);
    tcase_add_loop_test(tc, bounded_cost, 0, 4);
    tcase_add_test(tc, not_utf8);
    return suite;
}
