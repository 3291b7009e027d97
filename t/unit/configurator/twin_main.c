/* A virtual host for what the main server serves. */
#include "configurator/site.h"

/* The main server's site gets a host at the end of the main file. */
START_TEST(main_server)
{
    int changed;

    tree = NULL;
    site_main("Listen 80\nDocumentRoot \"@\"\nRewriteEngine on\n"
              "RewriteRule ^/x /y\n");
    site_read();
    unit_ok(site_deploy(CONFIGURATOR_MAIN, "main.test", &changed));
    ck_assert_int_eq(changed, 1);
    site_check("Listen 443\n");
    ck_assert_msg(strstr(site_text("httpd.conf"),
        "\n\n<IfModule ssl_module>\n    <VirtualHost *:443>\n"
        "        ServerName main.test\n        ACMEDomain main.test\n"
        "        SSLEngine on\n    </VirtualHost>\n</IfModule>\n") != NULL,
        "%s", site_text("httpd.conf"));
    ck_assert(site_said(site_result.warnings, "RewriteOptions"));
}
END_TEST

/* Redirects are inherited: one of everything cannot stay. */
START_TEST(main_redirect)
{
    int changed;

    tree = NULL;
    site_main("Listen 80\nRedirect / https://main.test/\n");
    site_read();
    unit_fails(site_deploy(CONFIGURATOR_MAIN, "main.test", &changed),
               APR_ENOTIMPL, "is inherited");
}
END_TEST

Suite *twin_main_suite(void)
{
    Suite *suite = suite_create("configurator/twin_main");
    TCase *tc = unit_case(suite, "twin_main");

    tcase_add_test(tc, main_server);
    tcase_add_test(tc, main_redirect);
    return suite;
}
