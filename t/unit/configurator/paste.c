/* The text of a twin for people, where the plan is refused. */
#include "configurator/site.h"

/* Securing a.test in this configuration is refused with that text. */
static void pasted(const char *text, const char *paste)
{
    int changed;

    base_err_clear(&err);
    site_one(text);
    ck_assert_int_eq(site_deploy(0, "a.test", &changed), APR_ENOTIMPL);
    ck_assert_str_eq(configurator_paste(site_plan), paste);
}

#define GENERATED "# AUTOMATICALLY GENERATED. DO NOT EDIT.\n"

/* All lines of the original but those that a twin must not have. */
START_TEST(lines)
{
    pasted(GENERATED "<VirtualHost *:80>\n    ServerName http://a.test:80\n"
           "    # as it is\n    DocumentRoot \\\n        /srv\n"
           "    ACMERequireHTTPS off\n    Redirect / https://a.test/\n"
           "    RewriteEngine on\n    RewriteCond %{HTTPS} off\n"
           "    RewriteRule ^ https://a.test/ [R]\n"
           "    <IfModule no_such>\n        WSGIDaemonProcess a\n"
           "    </IfModule>\n    SSLEngine off\n</VirtualHost>\n",
           "<VirtualHost *:443>\n    ServerName a.test\n"
           "    # as it is\n    DocumentRoot \\\n        /srv\n"
           "    RewriteEngine on\n"
           "    <IfModule no_such>\n    </IfModule>\n"
           "    ACMEDomain a.test\n    SSLEngine on\n</VirtualHost>\n");
}
END_TEST

/* Bytes that no terminal or JSON can show: what httpd tells. */
START_TEST(unshowable)
{
    int changed;

    site_one(GENERATED "<VirtualHost *:80>\nServerName a.test\n"
             "ServerAlias b.test\nDocumentRoot /srv\n# \xe4\n"
             "</VirtualHost>\n");
    ck_assert_int_eq(site_deploy(0, "a.test", &changed), APR_ENOTIMPL);
    ck_assert_str_eq(configurator_paste(site_plan),
        apr_psprintf(pool, "<VirtualHost *:443>\n    ServerName a.test\n"
                     "    ServerAlias b.test\n    ACMEDomain a.test\n"
                     "    SSLEngine on\n    DocumentRoot \"/srv\"\n"
                     "    # ... and the rest of %s/sites/a.conf:2\n"
                     "</VirtualHost>\n", tree));
}
END_TEST

Suite *paste_suite(void)
{
    Suite *suite = suite_create("configurator/paste");
    TCase *tc = unit_case(suite, "paste");

    tcase_add_test(tc, lines);
    tcase_add_test(tc, unshowable);
    return suite;
}
