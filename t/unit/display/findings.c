/* Steps, candidates, checks, warnings and text to paste. */
#include "display/rig.h"
#include "unit.h"

#define HEAD_OF(verb, ok) "{'schema': 'acmectl/1', 'verb': '" verb "', " \
    "'ok': " ok ", 'exit': 0, 'changed': false, "
#define HEAD HEAD_OF("secure", "true")

/** A result with these members as text that goes to a file. */
static const char *shown(const char *members)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);

    rig_show(rig, apr_pstrcat(pool, HEAD, members, "}", NULL), pool);
    ck_assert_str_eq(rig_err(rig), "");
    return rig_out(rig);
}

/** The same on a terminal with color. */
static const char *colored(const char *members)
{
    rig_t *rig = rig_terminal(DISPLAY_COLOR_ALWAYS, 80, pool);

    rig_show(rig, apr_pstrcat(pool, HEAD, members, "}", NULL), pool);
    return rig_out(rig);
}

/* Steps are numbered in their order. */
START_TEST(steps)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);

    ck_assert_str_eq(shown("'steps': ['enable mod_ssl', 'add a host']"),
                     " 1. enable mod_ssl\n 2. add a host\n");
    ck_assert_str_eq(shown("'steps': []"), "");
    /* Of what failed nothing is left. */
    rig_show(rig, HEAD_OF("secure", "false") "'steps': ['a']}", pool);
    ck_assert_str_eq(rig_out(rig), "");
}
END_TEST

#define CHECKS "'checks': [" \
    "{'name': 'a.test', 'check': 'tls', 'ok': true, 'detail': 'TLSv1.3'}, " \
    "{'name': 'a.test', 'check': 'hsts', 'ok': false, 'required': true, " \
    "'detail': 'no header'}, " \
    "{'name': 'a.test', 'check': 'stapling', 'ok': false, " \
    "'required': false, 'detail': 'no response'}, " \
    "{'name': 'b.test', 'check': 'tls', 'ok': null, " \
    "'detail': 'not asked: no TLS'}]"

/* A check is ok, failed, a warning where it is not required, or not
 * answered. */
START_TEST(checks)
{
    ck_assert_str_eq(shown(CHECKS),
        "NAME    CHECK     OK       DETAIL\n"
        "a.test  tls       ok       TLSv1.3\n"
        "a.test  hsts      failed   no header\n"
        "a.test  stapling  warning  no response\n"
        "b.test  tls       -        not asked: no TLS\n");
    ck_assert_str_eq(shown("'checks': []"), "");
}
END_TEST

#define GOOD "'checks': [" \
    "{'name': 'a.test', 'check': 'tls', 'ok': true, 'detail': 'TLSv1.3'}, " \
    "{'name': 'a.test', 'check': 'hsts', 'ok': null, 'detail': 'none'}]"
#define GOOD_TABLE "NAME    CHECK  OK  DETAIL\n" \
    "a.test  tls    ok  TLSv1.3\na.test  hsts   -   none\n"

/* Where none failed a line will do, unless it was asked for. */
START_TEST(checks_without_failure)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);

    ck_assert_str_eq(shown(GOOD), "validated: 2 checks, none failed (1 "
                     "cannot be told or does not apply)\n");
    rig_show(rig, HEAD_OF("validate", "true") GOOD "}", pool);
    ck_assert_str_eq(rig_out(rig), GOOD_TABLE);
    rig = rig_memory(DISPLAY_TEXT, DISPLAY_COLOR_NEVER, pool);
    rig->display->options.verbose = 1;
    rig_show(rig, HEAD GOOD "}", pool);
    ck_assert_str_eq(rig_out(rig), GOOD_TABLE);
}
END_TEST

/* Only how it ended is colored. */
START_TEST(checks_colored)
{
    const char *text = colored(CHECKS);

    ck_assert(strstr(text, "  \033[32mok\033[0m       TLS") != NULL);
    ck_assert(strstr(text, "  \033[31mfailed\033[0m   no") != NULL);
    ck_assert(strstr(text, "  \033[33mwarning\033[0m  no") != NULL);
}
END_TEST

/* Hosts to choose from come with the reason why each may be meant. */
START_TEST(candidates)
{
    ck_assert_str_eq(shown("'candidates': [{'name': 'a.test', "
        "'place': '/etc/x.conf:7', 'why': 'first of its address'}, "
        "{'name': 'a.test', 'place': '', 'why': 'default'}]"),
        "NAME    PLACE          WHY\n"
        "a.test  /etc/x.conf:7  first of its address\n"
        "a.test                 default\n");
    ck_assert_str_eq(shown("'candidates': []"), "");
}
END_TEST

/* Each warning says that it is one; nothing in it moves the cursor. */
START_TEST(warnings)
{
    ck_assert_str_eq(shown("'warnings': ['b.test is not covered', "
                           "'\\u001b[2J\\n']"),
                     "warning: b.test is not covered\n"
                     "warning: \\x1B[2J\\x0A\n");
    ck_assert_str_eq(colored("'warnings': ['x']"),
                     "\033[33mwarning\033[0m: x\n");
}
END_TEST

/* What is to be pasted stands alone, so that it can be taken as it is; only
 * a terminal gets it printable. Lines that look like a diff's are not
 * colored. */
START_TEST(paste)
{
    const char *member = "'paste': '<VirtualHost *:443>\\n"
                         "\\t-\\u001b[2J\\n</VirtualHost>\\n'";

    ck_assert_str_eq(shown(member), "to be added by hand:\n"
                     "<VirtualHost *:443>\n\t-\033[2J\n</VirtualHost>\n");
    ck_assert_str_eq(colored("'paste': '-a\\u001b[2J\\n+b\\n'"),
                     "to be added by hand:\n-a\\x1B[2J\n+b\n");
    ck_assert_str_eq(shown("'paste': 'no end'"),
                     "to be added by hand:\nno end\n");
}
END_TEST

/* All of it comes after what was done, and the text to paste is last. */
START_TEST(order)
{
    ck_assert_str_eq(shown("'paste': 'p\\n', 'warnings': ['w'], "
        "'steps': ['s'], 'notes': ['n'], 'checks': [{'name': 'a', "
        "'check': 'c', 'ok': true, 'detail': 'd'}]"),
        "n\n 1. s\nvalidated: 1 check, none failed\n"
        "warning: w\nto be added by hand:\np\n");
    ck_assert_str_eq(shown("'summary': ['first', 'second'], 'notes': ['n'], "
        "'next': 'last', 'warnings': ['w'], 'steps': ['s'], "
        "'files': [{'op': 'modify', 'path': '/f'}]"),
        "first\nsecond\nn\n 1. s\nwarning: w\nlast\n");
}
END_TEST

Suite *findings_suite(void)
{
    Suite *suite = suite_create("display/findings");
    TCase *tc = unit_case(suite, "findings");

    tcase_add_test(tc, steps);
    tcase_add_test(tc, checks);
    tcase_add_test(tc, checks_without_failure);
    tcase_add_test(tc, checks_colored);
    tcase_add_test(tc, candidates);
    tcase_add_test(tc, warnings);
    tcase_add_test(tc, paste);
    tcase_add_test(tc, order);
    return suite;
}
