/* Redirect, HSTS and stapling, on and off. */
#include "configurator/site.h"

#define LISTEN SITE_LISTEN "Listen 443\n"
#define HSTS "Header always set Strict-Transport-Security max-age=15552000\n"

static int changed;

/* An http host and a TLS host with these lines. */
static void with(const char *http, const char *tls)
{
    base_err_clear(&err);
    tree = NULL;
    site_main(LISTEN);
    tree_put("snippet", "");
    tree_put("tls", "");
    tree_put("sites/a.conf", apr_pstrcat(pool, "<VirtualHost *:80>\n"
             "ServerName a.test\n", http, "</VirtualHost>\n", NULL));
    tree_put("sites/b.conf", apr_pstrcat(pool, "<VirtualHost *:443>\n"
             "ServerName a.test\nSSLEngine on\nACMEDomain a.test\n", tls,
             "</VirtualHost>\n", NULL));
    site_read();
}

static apr_status_t enhance(configurator_enhancement_t what, int on)
{
    return configurator_enhance(site_plan, &changed, 0, "A.test", what, on,
                                &err);
}

/* The same, and what comes of the lines. */
static void enhanced(configurator_enhancement_t what, int on,
                     const char *http, const char *tls)
{
    unit_ok(enhance(what, on));
    site_check("");
    ck_assert_str_eq(site_text("sites/a.conf"),
        apr_pstrcat(pool, "<VirtualHost *:80>\nServerName a.test\n", http,
                    "</VirtualHost>\n", NULL));
    ck_assert_str_eq(site_text("sites/b.conf"),
        apr_pstrcat(pool, "<VirtualHost *:443>\nServerName a.test\n"
                    "SSLEngine on\nACMEDomain a.test\n", tls,
                    "</VirtualHost>\n", NULL));
}

/* The redirect is the module's, in the http host; once is enough. */
START_TEST(redirect_on)
{
    with("", "");
    enhanced(CONFIGURATOR_REDIRECT, 1, "ACMERequireHTTPS permanent\n", "");
    ck_assert_int_eq(changed, 1);
    ck_assert_int_eq(site_plan->acme, 1);
    site_read();
    unit_ok(enhance(CONFIGURATOR_REDIRECT, 1));
    ck_assert_int_eq(changed, 0);
    with("ACMERequireHTTPS off\n", "");
    enhanced(CONFIGURATOR_REDIRECT, 1, "ACMERequireHTTPS permanent\n", "");
}
END_TEST

/* A plan that is asked twice puts it in once. */
START_TEST(twice)
{
    with("", "");
    unit_ok(enhance(CONFIGURATOR_REDIRECT, 1));
    unit_ok(enhance(CONFIGURATOR_HSTS, 1));
    unit_ok(enhance(CONFIGURATOR_STAPLING, 1));
    enhanced(CONFIGURATOR_STAPLING, 1, "ACMERequireHTTPS permanent\n",
             HSTS "SSLUseStapling on\n");
    unit_ok(enhance(CONFIGURATOR_REDIRECT, 1));
    ck_assert_int_eq(changed, 0);
    unit_ok(enhance(CONFIGURATOR_HSTS, 1));
    ck_assert_int_eq(changed, 0);
}
END_TEST

/* What redirects already is enough, whoever wrote it. */
START_TEST(redirect_there)
{
    static const char *const lines[] = {
        "Redirect permanent / https://a.test/\n",
        "RedirectMatch ^ https://a.test\n",
        "RewriteEngine on\nRewriteCond %{HTTPS} !=on\n"
        "RewriteRule ^/?(.*) https://%{SERVER_NAME}/$1 [R,L]\n",
        "RewriteEngine on\n"
        "RewriteCond %{REQUEST_URI} !^/\\.well-known/\n"
        "RewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R,L]\n",
        "ACMERequireHTTPS temporary\n"
    };
    apr_size_t i;

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        with(lines[i], "");
        enhanced(CONFIGURATOR_REDIRECT, 1, lines[i], "");
    }
    tree = NULL;
    site_main(LISTEN "ACMERequireHTTPS permanent\n");
    tree_put("sites/a.conf", "<VirtualHost *:80>\nServerName a.test\n"
             "ACMEDomain a.test\n</VirtualHost>\n");
    site_read();
    unit_ok(enhance(CONFIGURATOR_REDIRECT, 1));
    ck_assert_int_eq(changed, 0);
}
END_TEST

/* What redirects a part, or elsewhere, is not. */
START_TEST(redirect_partly)
{
    static const char *const lines[] = {
        "Redirect /shop https://a.test/shop\n",
        "Redirect / https://other.test/\n",
        "RewriteEngine off\nRewriteRule ^ https://a.test/ [R]\n",
        "RewriteEngine on\nRewriteCond %{REQUEST_FILENAME} -f\n"
        "RewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R]\n",
        "RewriteEngine on\nRewriteCond %{HTTP_HOST} ^www\n"
        "RewriteRule ^ https://a.test%{REQUEST_URI} [R]\n"
    };
    apr_size_t i;

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        with(lines[i], "");
        enhanced(CONFIGURATOR_REDIRECT, 1,
                 apr_pstrcat(pool, lines[i], "ACMERequireHTTPS permanent\n",
                             NULL), "");
    }
}
END_TEST

/* Off takes away what the host's own text says, whoever wrote it. */
START_TEST(redirect_off)
{
    with("ACMERequireHTTPS permanent\nRedirect / https://a.test/\n"
         "Redirect /x /y\n", "");
    enhanced(CONFIGURATOR_REDIRECT, 0, "Redirect /x /y\n", "");
    ck_assert_int_eq(changed, 1);
    with("RewriteEngine on\nRewriteCond %{HTTPS} off\n"
         "RewriteCond %{REQUEST_URI} !^/api\n"
         "RewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R]\n"
         "RewriteRule ^/a /b\n", "");
    enhanced(CONFIGURATOR_REDIRECT, 0, "RewriteEngine on\n"
             "RewriteRule ^/a /b\n", "");
    with("Redirect /shop https://a.test/shop\n", "");
    enhanced(CONFIGURATOR_REDIRECT, 0,
             "Redirect /shop https://a.test/shop\n", "");
    ck_assert_int_eq(changed, 0);
}
END_TEST

/* What is said for all is unsaid for the host. */
START_TEST(redirect_off_inherited)
{
    with("", "");
    site_main(LISTEN "ACMERequireHTTPS permanent\n");
    site_read();
    enhanced(CONFIGURATOR_REDIRECT, 0, "ACMERequireHTTPS off\n", "");
}
END_TEST

/* A snippet is not edited. */
START_TEST(snippets)
{
    with("Include \"@/snippet\"\n", "Include \"@/tls\"\n");
    tree_put("snippet", "Redirect / https://a.test/\n");
    tree_put("tls", HSTS "SSLUseStapling on\n");
    site_read();
    unit_ok(enhance(CONFIGURATOR_HSTS, 1));
    ck_assert_int_eq(changed, 0);
    unit_fails(enhance(CONFIGURATOR_REDIRECT, 0), APR_ENOTIMPL,
               "snippet:1, which others may include");
    base_err_clear(&err);
    unit_fails(enhance(CONFIGURATOR_HSTS, 0), APR_ENOTIMPL, "tls:1");
    base_err_clear(&err);
    unit_fails(enhance(CONFIGURATOR_STAPLING, 0), APR_ENOTIMPL, "tls:2");
}
END_TEST

/* HSTS is a header of the TLS host. */
START_TEST(hsts)
{
    with("", "");
    enhanced(CONFIGURATOR_HSTS, 1, "", HSTS);
    ck_assert_ptr_nonnull(apr_hash_get(site_plan->modules, "headers",
                                       APR_HASH_KEY_STRING));
    site_read();
    unit_ok(enhance(CONFIGURATOR_HSTS, 1));
    ck_assert_int_eq(changed, 0);
    enhanced(CONFIGURATOR_HSTS, 0, "", "");
    ck_assert(site_said(site_result.warnings, "Browsers"));
    with("", "Header set strict-transport-security \"max-age=1\" env=X\n"
         "Header unset Strict-Transport-Security\n");
    unit_ok(enhance(CONFIGURATOR_HSTS, 1));
    ck_assert_int_eq(changed, 0);
    with("", "Header always unset Strict-Transport-Security\n");
    enhanced(CONFIGURATOR_HSTS, 1, "",
             "Header always unset Strict-Transport-Security\n" HSTS);
}
END_TEST

/* Sent by all hosts it cannot be taken from one. */
START_TEST(hsts_of_all)
{
    with("", "");
    site_main(LISTEN HSTS);
    site_read();
    unit_ok(enhance(CONFIGURATOR_HSTS, 1));
    ck_assert_int_eq(changed, 0);
    unit_fails(enhance(CONFIGURATOR_HSTS, 0), APR_ENOTIMPL,
               "sent by all virtual hosts");
}
END_TEST

/* Stapling needs a cache. */
START_TEST(stapling)
{
    with("", "");
    enhanced(CONFIGURATOR_STAPLING, 1, "", "SSLUseStapling on\n");
    ck_assert_int_eq(site_plan->stapling_cache, 1);
    site_read();
    enhanced(CONFIGURATOR_STAPLING, 0, "", "");
    with("", "SSLUseStapling off\n");
    site_main(LISTEN "SSLStaplingCache \"shmcb:@/cache(65536)\"\n");
    site_read();
    enhanced(CONFIGURATOR_STAPLING, 1, "", "SSLUseStapling on\n");
    ck_assert_int_eq(site_plan->stapling_cache, 0);
    site_read();
    unit_ok(enhance(CONFIGURATOR_STAPLING, 1));
    ck_assert_int_eq(changed, 0);
    with("", "");
    site_main(LISTEN "SSLUseStapling on\n");
    site_read();
    enhanced(CONFIGURATOR_STAPLING, 0, "", "SSLUseStapling off\n");
}
END_TEST

/* What cannot be edited is told with the text to write. */
START_TEST(paste)
{
    site_one("<Macro vh $n>\n<VirtualHost *:80>\nServerName $n\n"
             "</VirtualHost>\n</Macro>\nUse vh a.test\n");
    base_err_clear(&err);
    unit_fails(enhance(CONFIGURATOR_REDIRECT, 1), APR_ENOTIMPL, "macro");
    ck_assert_str_eq(configurator_paste(site_plan),
                     "ACMERequireHTTPS permanent\n");
}
END_TEST

/* A twin of the same plan gets them as it is made. */
START_TEST(of_twin)
{
    site_one("<VirtualHost *:80>\nServerName a.test\n</VirtualHost>\n");
    unit_fails(enhance(CONFIGURATOR_HSTS, 1), APR_ENOENT, "run secure");
    base_err_clear(&err);
    unit_ok(site_deploy(0, "a.test", &changed));
    unit_ok(enhance(CONFIGURATOR_REDIRECT, 1));
    unit_ok(enhance(CONFIGURATOR_HSTS, 1));
    unit_ok(enhance(CONFIGURATOR_STAPLING, 1));
    unit_ok(enhance(CONFIGURATOR_STAPLING, 1));
    ck_assert_int_eq(changed, 0);
    site_check("Listen 443\n");
    ck_assert_str_eq(site_text("sites/a.conf"),
        "<VirtualHost *:80>\nServerName a.test\n"
        "ACMERequireHTTPS permanent\n</VirtualHost>\n\n"
        "<IfModule ssl_module>\n<VirtualHost *:443>\nServerName a.test\n"
        "ACMEDomain a.test\nSSLEngine on\n" HSTS "SSLUseStapling on\n"
        "</VirtualHost>\n</IfModule>\n");
}
END_TEST

static apr_status_t main_redirect(int on)
{
    return configurator_enhance(site_plan, &changed, CONFIGURATOR_MAIN,
                                "main.test", CONFIGURATOR_REDIRECT, on,
                                &err);
}

/* And so does the main server's new host. */
START_TEST(of_main)
{
    tree = NULL;
    site_main(SITE_LISTEN);
    site_read();
    unit_ok(site_deploy(CONFIGURATOR_MAIN, "main.test", &changed));
    unit_ok(configurator_enhance(site_plan, &changed, CONFIGURATOR_MAIN,
                                 "main.test", CONFIGURATOR_HSTS, 1, &err));
    unit_ok(main_redirect(1));
    site_check("Listen 443\n");
    ck_assert(strstr(site_text("httpd.conf"), HSTS));
    ck_assert(strstr(site_text("httpd.conf"), "<ACMEDomain main.test>\n"
                     "    ACMERequireHTTPS permanent\n</ACMEDomain>\n"));
    site_read();
    unit_ok(main_redirect(1));
    ck_assert_int_eq(changed, 0);
}
END_TEST

/* The redirect of the main server's site goes and comes without a trace. */
START_TEST(redirect_of_main)
{
    const char *before, *with;

    tree = NULL;
    site_main(SITE_LISTEN);
    site_read();
    unit_ok(site_deploy(CONFIGURATOR_MAIN, "main.test", &changed));
    site_check("Listen 443\n");
    before = site_text("httpd.conf");
    site_read();
    unit_ok(main_redirect(0));
    ck_assert_int_eq(changed, 0);
    unit_ok(main_redirect(1));
    ck_assert_int_eq(changed, 1);
    site_check("");
    with = site_text("httpd.conf");
    ck_assert(strstr(with, "</IfModule>\n<ACMEDomain main.test>\n"
                     "    ACMERequireHTTPS permanent\n</ACMEDomain>\n"));
    site_read();
    unit_ok(main_redirect(0));
    ck_assert_int_eq(changed, 1);
    site_check("");
    ck_assert_str_eq(site_text("httpd.conf"), before);
}
END_TEST

/* What the main server says of all domains, and what is served with files,
 * is not touched. */
START_TEST(redirect_of_all)
{
    tree = NULL;
    site_main(SITE_LISTEN "ACMERequireHTTPS permanent\n"
              "ACMEDomain main.test\n");
    site_read();
    unit_fails(main_redirect(0), APR_ENOTIMPL, "all domains");
    base_err_clear(&err);
    tree = NULL;
    site_main(SITE_LISTEN);
    site_read();
    unit_fails(main_redirect(1), APR_ENOTIMPL, "section <ACMEDomain>");
    ck_assert(strstr(configurator_paste(site_plan), "<ACMEDomain main.test>"));
}
END_TEST

Suite *enhance_suite(void)
{
    Suite *suite = suite_create("configurator/enhance");
    TCase *tc = unit_case(suite, "enhance");

    tcase_add_test(tc, redirect_on);
    tcase_add_test(tc, twice);
    tcase_add_test(tc, redirect_there);
    tcase_add_test(tc, redirect_partly);
    tcase_add_test(tc, redirect_off);
    tcase_add_test(tc, redirect_off_inherited);
    tcase_add_test(tc, snippets);
    tcase_add_test(tc, hsts);
    tcase_add_test(tc, hsts_of_all);
    tcase_add_test(tc, stapling);
    tcase_add_test(tc, paste);
    tcase_add_test(tc, of_twin);
    tcase_add_test(tc, of_main);
    tcase_add_test(tc, redirect_of_main);
    tcase_add_test(tc, redirect_of_all);
    return suite;
}
