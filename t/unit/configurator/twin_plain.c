/* What says http in a TLS twin. */
#include "configurator/site.h"

/* The twin of a host called a.test with the alias www.a.test and the name
 * b.test, of which the certificate has not the last. */
static void twin_says(const char *before, const char *after, int warnings)
{
    static const char names[] = "    ServerName a.test\n"
                                "    ServerAlias www.a.test b.test\n"
                                "    RewriteEngine on\n";
    int changed;

    site_one(apr_pstrcat(pool, "<VirtualHost *:80>\n", names, before,
                         "</VirtualHost>\n", NULL));
    unit_ok(site_deploy(0, "a.test www.a.test", &changed));
    site_check("Listen 443\n");
    ck_assert_msg(strstr(site_text("sites/a.conf"),
                         apr_pstrcat(pool, "<VirtualHost *:443>\n", names,
                                     after, "    ACMEDomain ", NULL)) != NULL,
                  "%s: %s", before, site_text("sites/a.conf"));
    /* one is about b.test */
    ck_assert_int_eq(site_result.warnings->nelts, 1 + warnings);
}

/* What leads to a name of the certificate by http says https in the twin. */
START_TEST(https_said)
{
    twin_says("    RewriteCond %{HTTP_HOST} ^www\\.\n"
              "    RewriteRule ^ http://a.test%{REQUEST_URI} [R=301,L]\n",
              "    RewriteCond %{HTTP_HOST} ^www\\.\n"
              "    RewriteRule ^ \"https://a.test%{REQUEST_URI}\" [R=301,L]\n",
              0);
    ck_assert(site_said(site_result.steps, "a.conf:6 says https"));
    twin_says("    RewriteCond %{HTTP_HOST} !^a\\.test$ [NC]\n"
              "    RewriteRule ^/(.*)$ http://a.test/$1 [R=301,L]\n",
              "    RewriteCond %{HTTP_HOST} !^a\\.test$ [NC]\n"
              "    RewriteRule ^/(.*)$ https://a.test/$1 [R=301,L]\n", 0);
    twin_says("    RewriteCond %{HTTP_HOST} ^www\\.(.+)$ [NC]\n"
              "    RewriteCond %{HTTP_HOST} !b.test\n"
              "    RewriteRule ^ http://%1%{REQUEST_URI} [R=301,L]\n",
              "    RewriteCond %{HTTP_HOST} ^www\\.(.+)$ [NC]\n"
              "    RewriteCond %{HTTP_HOST} !b.test\n"
              "    RewriteRule ^ \"https://%1%{REQUEST_URI}\" [R=301,L]\n", 0);
    twin_says("    RewriteCond /var/off -f\n"
              "    RewriteRule !^/off http://a.test/off [R,L]\n"
              "    Redirect 301 /old http://www.a.test/new\n"
              "    RedirectMatch ^/x/(.*) \"http://a.test/y/$1\"\n",
              "    RewriteCond /var/off -f\n"
              "    RewriteRule !^/off https://a.test/off [R,L]\n"
              "    Redirect 301 /old https://www.a.test/new\n"
              "    RedirectMatch ^/x/(.*) https://a.test/y/$1\n", 0);
}
END_TEST

/* What is there to send TLS back to http would send it to itself. */
START_TEST(http_forced)
{
    twin_says("    RewriteCond %{HTTPS} =on\n"
              "    RewriteRule ^ http://%{SERVER_NAME}%{REQUEST_URI} [R]\n"
              "    RewriteCond %{SERVER_PORT} !^80$\n"
              "    RewriteRule ^/(.*) http://a.test/$1 [R,L]\n", "", 0);
    ck_assert(site_said(site_result.steps, "a.conf:8 sends TLS requests"));
    /* never asked of a TLS request */
    twin_says("    RewriteCond %{HTTPS} !=on\n"
              "    RewriteCond %{HTTP_HOST} ^www\n"
              "    RewriteRule ^ http://a.test%{REQUEST_URI} [R]\n",
              "    RewriteCond %{HTTPS} !=on\n"
              "    RewriteCond %{HTTP_HOST} ^www\n"
              "    RewriteRule ^ http://a.test%{REQUEST_URI} [R]\n", 0);
}
END_TEST

/* Names that the certificate has not, other ports and other hosts stay. */
START_TEST(http_stays)
{
    static const char lines[] =
        "    RewriteRule ^/a http://b.test/ [R]\n"
        "    Redirect /b http://b.test/\n"
        "    Redirect /c http://a.test:8080/\n"
        "    Redirect /d http://other.test/\n"
        "    RewriteRule ^/e http://other.test/ [R]\n"
        "    Redirect /f http://a.test.other.test/\n"
        "    <If \"%{HTTPS} == 'on'\">\n"
        "        Redirect /g http://a.test/\n"
        "    </If>\n";

    twin_says(lines, lines, 4);
}
END_TEST

Suite *twin_plain_suite(void);
Suite *twin_plain_suite(void)
{
    Suite *suite = suite_create("configurator/twin_plain");
    TCase *tc = unit_case(suite, "twin_plain");

    tcase_add_test(tc, https_said);
    tcase_add_test(tc, http_forced);
    tcase_add_test(tc, http_stays);
    return suite;
}
