/* What is told of httpd's stderr when it refuses something. */
#include <apr_strings.h>

#include "httpd/internal.h"
#include "unit.h"

#define NAME "AH00558: apache2: Could not reliably determine the server's " \
    "fully qualified domain name, using 127.0.0.1. Set the 'ServerName' " \
    "directive globally to suppress this message\n"

static const char *complaint(const char *text, int status)
{
    httpd_output_t output = { 0 };

    output.err = text;
    output.status = status;
    return httpd_complaint(&output, pool);
}

/* The line that names file and line is joined with the one that says why. */
START_TEST(syntax_error)
{
    ck_assert_str_eq(complaint(
        "AH00526: Syntax error on line 3 of /etc/httpd/conf/httpd.conf:\n"
        "Invalid command 'Foo', perhaps misspelled or defined by a module "
        "not included in the server configuration\n", 1),
        "AH00526: Syntax error on line 3 of /etc/httpd/conf/httpd.conf: "
        "Invalid command 'Foo', perhaps misspelled or defined by a module "
        "not included in the server configuration");
}
END_TEST

/* One that is a sentence already is not joined with what follows. */
START_TEST(one_line)
{
    ck_assert_str_eq(complaint(
        "apache2: Syntax error on line 1 of /a: Cannot load /no/x.so into "
        "server: /no/x.so: cannot open shared object file\nAction '-t' "
        "failed.\n", 1),
        "apache2: Syntax error on line 1 of /a: Cannot load /no/x.so into "
        "server: /no/x.so: cannot open shared object file");
}
END_TEST

/* Notices and warnings before it are left out. */
START_TEST(noise_before)
{
    ck_assert_str_eq(complaint(
        NAME "[Mon Nov 23 19:00:00.1 2026] [core:warn] [pid 1] AH00111: x\n"
        "AH00112: Warning: DocumentRoot [/x] does not exist\n"
        "AH00534: httpd: Configuration error: No MPM loaded.\n", 1),
        "AH00534: httpd: Configuration error: No MPM loaded.");
}
END_TEST

#define LOG(level) "[Mon Nov 23 19:00:00 2026] [" level "] [pid 1:tid 2] "

/* Errors in the error log's format count; its fields do not. */
START_TEST(log_format)
{
    ck_assert_str_eq(complaint(
        NAME LOG("ssl:emerg") "AH02572: Failed to configure [x] y\n", 1),
        "AH02572: Failed to configure [x] y");
    ck_assert_str_eq(complaint(LOG("core:crit") "(2)No such file\n", 1),
                     "(2)No such file");
    /* Not a field, and nothing but fields. */
    ck_assert_str_eq(complaint("[half a field: Syntax error\n", 1),
                     "[half a field: Syntax error");
    ck_assert_str_eq(complaint(LOG("a:crit") "\n", 1), "[pid 1:tid 2]");
}
END_TEST

/* What ends a start is told, not an error before it that did not; nor what
 * only closes it. OpenSSL's reason is told with it. */
START_TEST(start)
{
    ck_assert_str_eq(complaint(
        LOG("ssl:warn") "AH01882: Init: warning\n"
        LOG("ssl:error") "AH02217: no issuer\n"
        LOG("ssl:error") "SSL Library Error: error:1:x::y\n"
        LOG("a:crit") "A: b\n"
        LOG("ssl:emerg") "AH01898: Unable to configure ciphers\n"
        LOG("ssl:emerg") "SSL Library Error: error:3:of::before\n"
        LOG("ssl:emerg") "SSL Library Error: error:2:SSL::no match\n"
        LOG("ssl:emerg") "AH02312: Fatal error initialising mod_ssl\n"
        LOG("acme:crit") "ACME0022: would not start\n", 1),
        "AH01898: Unable to configure ciphers (error:2:SSL::no match)");
    ck_assert_str_eq(complaint(LOG("ssl:error") "AH02217: no issuer\n"
                               LOG("a:crit") "A: b\n"
                               LOG("acme:crit") "ACME0022: no\n", 1),
                     "A: b");
    ck_assert_str_eq(complaint(LOG("ssl:warn") "x\n"
                               LOG("acme:crit") "ACME0022: no\n", 1),
                     "ACME0022: no");
}
END_TEST

/* A key that asks for its pass phrase where nobody is: what to do. */
START_TEST(encrypted_key)
{
    ck_assert_str_eq(complaint(
        LOG("ssl:error") "AH02578: Init: Unable to read pass phrase\n"
        LOG("ssl:error") "SSL Library Error: error:1:UI::x\n"
        LOG("ssl:emerg") "AH02312: Fatal error\n"
        LOG("ssl:emerg") "AH02564: Failed to configure encrypted (?) "
        "private key a.test:443:0, check /a.key\n", 1),
        "AH02564: Failed to configure encrypted (?) private key "
        "a.test:443:0, check /a.key (the key is encrypted, and nobody is "
        "there to give its pass phrase: decrypt the key, or name a program "
        "with SSLPassPhraseDialog exec:)");
}
END_TEST

/* Where no line is known as the reason, the first that is no noise is. */
START_TEST(unknown_reason)
{
    ck_assert_str_eq(complaint(NAME "\n  \nCannot do it\nreally\n", 1),
                     "Cannot do it");
    ck_assert_str_eq(complaint("  no line end \t", 1), "no line end");
}
END_TEST

/* A reason that promises more and ends is told as it is. */
START_TEST(nothing_follows)
{
    ck_assert_str_eq(complaint("Syntax error on line 1 of /x:\n", 1),
                     "Syntax error on line 1 of /x:");
}
END_TEST

/* Silence is told as such, with the status or the signal. */
START_TEST(no_reason)
{
    ck_assert_str_eq(complaint("", 3),
                     "it ended with status 3 and gave no reason");
    ck_assert_str_eq(complaint("\r\n \n", 3),
                     "it ended with status 3 and gave no reason");
    ck_assert_str_eq(complaint(NAME, 139), "it was killed by signal 11");
}
END_TEST

/* A variable that only envvars defines is the cause behind the error, so
 * the cure is named. */
START_TEST(undefined_variable)
{
    const char *text = complaint(
        "[Mon Nov 23 19:00:00 2026] [core:warn] [pid 1] AH00111: Config "
        "variable ${APACHE_RUN_DIR} is not defined\n"
        "apache2: Syntax error on line 80 of /etc/apache2/apache2.conf: "
        "DefaultRuntimeDir must be a valid directory\n", 1);

    ck_assert_str_eq(text,
        "apache2: Syntax error on line 80 of /etc/apache2/apache2.conf: "
        "DefaultRuntimeDir must be a valid directory (${APACHE_RUN_DIR} is "
        "not defined: name apachectl with --httpd, or export what httpd's "
        "envvars exports)");
    ck_assert(strstr(complaint("Config variable ${X\nSyntax error", 1),
                     "apachectl") == NULL);
}
END_TEST

Suite *complaint_suite(void)
{
    Suite *suite = suite_create("httpd/complaint");
    TCase *tc = unit_case(suite, "complaint");

    tcase_add_test(tc, syntax_error);
    tcase_add_test(tc, one_line);
    tcase_add_test(tc, noise_before);
    tcase_add_test(tc, log_format);
    tcase_add_test(tc, start);
    tcase_add_test(tc, encrypted_key);
    tcase_add_test(tc, unknown_reason);
    tcase_add_test(tc, nothing_follows);
    tcase_add_test(tc, no_reason);
    tcase_add_test(tc, undefined_variable);
    return suite;
}
