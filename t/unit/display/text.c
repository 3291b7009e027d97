/* What each section of a result looks like. */
#include <apr_strings.h>

#include "display/rig.h"
#include "unit.h"

/** The text of a result with these members. */
static const char *shown(display_color_t color, const char *members)
{
    rig_t *rig = rig_memory(DISPLAY_TEXT, color, pool);

    rig_show(rig, apr_pstrcat(pool, "{'schema': 'acmectl/1', 'verb': 'x', "
                              "'ok': true, 'exit': 0, 'changed': false, ",
                              members, "}", NULL), pool);
    return rig_out(rig);
}

#define plain(members) shown(DISPLAY_COLOR_NEVER, members)

#define VALID "{'name': 'example.org', 'names': ['example.org', " \
    "'www.example.org'], 'key_type': 'P-256', " \
    "'not_before': '2026-11-23T00:00:00Z', " \
    "'not_after': '2027-02-21T00:00:00Z', 'serial': '0a', " \
    "'sha256': '0b', 'issuer': 'Unit CA', 'ca': 'https://ca.test/dir', " \
    "'state': 'valid', 'why': null, 'renew_at': '2027-01-22T00:00:00Z', " \
    "'last_error': null, 'files': null, 'used_by': []}"
#define MISSING "{'name': 'b.test', 'names': ['b.test'], " \
    "'key_type': 'RSA-2048', 'not_before': null, 'not_after': null, " \
    "'serial': null, 'sha256': null, 'issuer': null, 'ca': null, " \
    "'state': 'missing', 'why': null, 'renew_at': null, " \
    "'last_error': {'type': 'urn:ietf:params:acme:error:dns', " \
    "'detail': 'no such name', 'at': '2026-11-22T10:00:00Z'}, " \
    "'files': null, 'used_by': []}"

/* Certificates are a table; what went wrong last stands below it. */
START_TEST(certificates)
{
    ck_assert_str_eq(plain("'certificates': [" VALID ", " MISSING "]"),
        "NAME         STATE    KEY       NOT AFTER   RENEW       ISSUER   "
        "NAMES\n"
        "example.org  valid    P-256     2027-02-21  2027-01-22  Unit CA  "
        "example.org www.example.org\n"
        "b.test       missing  RSA-2048  -           -           -        "
        "b.test\n"
        "b.test: last error (2026-11-22T10:00:00Z): no such name\n");
}
END_TEST

/* In color the heading is bold and the states are what they mean. */
START_TEST(certificates_colored)
{
    ck_assert_str_eq(shown(DISPLAY_COLOR_ALWAYS,
                           "'certificates': [" MISSING "]"),
        "\033[1mNAME\033[0m    \033[1mSTATE\033[0m    \033[1mKEY\033[0m"
        "       \033[1mNOT AFTER\033[0m  \033[1mRENEW\033[0m  "
        "\033[1mISSUER\033[0m  \033[1mNAMES\033[0m\n"
        "b.test  \033[33mmissing\033[0m  RSA-2048  -          -      -"
        "       b.test\n"
        "b.test: last error (2026-11-22T10:00:00Z): no such name\n");
}
END_TEST

/* Why a certificate is due or in error is told. */
START_TEST(certificate_why)
{
    const char *text = plain(
        "'certificates': [{'name': 'c.test', 'names': [], 'key_type': "
        "'P-384', 'not_before': null, 'not_after': null, 'serial': null, "
        "'sha256': null, 'issuer': null, 'ca': null, 'state': 'error', "
        "'why': 'meta.json is damaged', 'renew_at': null, 'last_error': "
        "null, 'files': null, 'used_by': []}]");

    ck_assert_str_eq(strchr(text, '\n') + 1,
        "c.test  error  P-384  -          -      -       -\n"
        "c.test: meta.json is damaged\n");
}
END_TEST

/* No certificates is a sentence with the reason. */
START_TEST(no_certificates)
{
    ck_assert_str_eq(plain("'certificates': []"),
        "no certificate is managed: the configuration has no ACMEDomain\n");
}
END_TEST

/* Each result is a line: what happened, and its cost or its reason. */
START_TEST(results)
{
    ck_assert_str_eq(plain(
        "'results': ["
        "{'name': 'a.test', 'result': 'issued', 'error': null, "
        "'requests': 8, 'seconds': 0.4312}, "
        "{'name': 'b.test', 'result': 'skipped', 'error': null, "
        "'requests': 0, 'seconds': 0}, "
        "{'name': 'c.test', 'result': 'failed', 'requests': 5, "
        "'seconds': 1, 'error': {'type': 'acmectl', 'detail': "
        "'the CA cannot reach c.test; open port 80'}}, "
        "{'name': 'd.test', 'result': 'revoked', 'error': null, "
        "'requests': 1, 'seconds': 0.2}]"),
        "a.test: issued (8 requests, 0.43 s)\n"
        "b.test: skipped (the certificate at hand is valid and not due)\n"
        "c.test: failed: the CA cannot reach c.test; open port 80\n"
        "d.test: revoked (1 request, 0.20 s)\n");
    ck_assert_str_eq(plain("'results': []"), "nothing to do\n");
}
END_TEST

/* Accounts are told with what identifies them; what is not there is "-". */
START_TEST(accounts)
{
    ck_assert_str_eq(plain(
        "'accounts': [{'ca': 'https://ca.test/dir', 'url': "
        "'https://ca.test/acct/1', 'status': 'valid', 'contact': "
        "['mailto:a@a.test', 'mailto:b@a.test'], 'thumbprint': 'abc'}, "
        "{'ca': 'https://b.test/dir', 'url': null, 'status': 'none', "
        "'contact': [], 'thumbprint': null}]"),
        "https://ca.test/dir\n"
        "  account     https://ca.test/acct/1\n"
        "  status      valid\n"
        "  contact     mailto:a@a.test mailto:b@a.test\n"
        "  thumbprint  abc\n"
        "https://b.test/dir\n"
        "  account     -\n"
        "  status      none\n"
        "  contact     -\n"
        "  thumbprint  -\n");
    ck_assert_str_eq(plain("'accounts': []"),
        "there is no account, and no ACMEDomain that needs one\n");
}
END_TEST

/* The configuration is printed as the JSON document that it is. */
START_TEST(config)
{
    ck_assert_str_eq(plain("'config': {'schema': 'x', 'domains': [1]}"),
        "{\n  \"schema\": \"x\",\n  \"domains\": [\n    1\n  ]\n}\n");
}
END_TEST

/* httpd and notes are lines of their own, at the end. */
START_TEST(httpd_and_notes)
{
    ck_assert_str_eq(plain("'notes': ['one', 'two'], "
                           "'httpd': {'running': true, 'pid': 42}"),
                     "httpd runs (pid 42)\none\ntwo\n");
    ck_assert_str_eq(plain("'httpd': {'running': false, 'pid': null}"), "");
}
END_TEST

/* The manager: running, missing, or not wanted. */
START_TEST(manager)
{
    ck_assert_str_eq(plain("'manager': {'enabled': true, 'running': true, "
                           "'pid': 7}"), "the manager runs (pid 7)\n");
    ck_assert_str_eq(plain("'manager': {'enabled': true, 'running': false, "
                           "'pid': null}"), "the manager does not run\n");
    ck_assert_str_eq(plain("'manager': {'enabled': false, 'running': false, "
                           "'pid': null}"),
                     "the manager is off (ACMEManager off)\n");
}
END_TEST

/* Nothing that a CA or a file says can break a line or reach the
 * terminal's controls. */
START_TEST(odd_strings)
{
    const char *text = plain(
        "'results': [{'name': 'a\\nb', 'result': 'failed', 'requests': 1, "
        "'seconds': 0, 'error': {'type': 'x', 'detail': "
        "'\\u001b[2J\\u0007bell %s%n \\u202egnp.exe'}}], "
        "'notes': ['line\\r\\nline']");

    ck_assert_msg(strpbrk(text, "\033\007\r") == NULL, "%s", text);
    ck_assert_msg(strstr(text, "\xe2\x80\xae") == NULL, "%s", text);
    ck_assert_msg(strstr(text, "bell %s%n ") != NULL, "%s", text);
    ck_assert_ptr_eq(strchr(strchr(text, '\n') + 1, '\n'),
                     text + strlen(text) - 1);
}
END_TEST

Suite *text_suite(void)
{
    Suite *suite = suite_create("display/text");
    TCase *tc = unit_case(suite, "text");

    tcase_add_test(tc, certificates);
    tcase_add_test(tc, certificates_colored);
    tcase_add_test(tc, certificate_why);
    tcase_add_test(tc, no_certificates);
    tcase_add_test(tc, results);
    tcase_add_test(tc, accounts);
    tcase_add_test(tc, config);
    tcase_add_test(tc, httpd_and_notes);
    tcase_add_test(tc, manager);
    tcase_add_test(tc, odd_strings);
    return suite;
}
