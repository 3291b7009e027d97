/* The certificate in a TLS host that is there already. */
#include "configurator/site.h"

#define LISTEN SITE_LISTEN "Listen 443\n"
#define HTTP "<VirtualHost *:80>\n    ServerName a.test\n" \
    "    ServerAlias b.test\n</VirtualHost>\n"

static int changed;

/* The http host and a TLS host with these lines. */
static void with(const char *lines)
{
    base_err_clear(&err);
    tree = NULL;
    site_main(LISTEN);
    tree_put("x.pem", "x\n");
    tree_put("y.pem", "y\n");
    tree_put("snippet", "");
    tree_put("sites/a.conf", HTTP);
    tree_put("sites/b.conf", apr_pstrcat(pool, "<VirtualHost *:443>\n", lines,
                                         "</VirtualHost>\n", NULL));
    site_read();
}

/* Securing names makes of its lines these. */
static void becomes(const char *before, const char *names,
                    const char *after)
{
    with(before);
    unit_ok(site_deploy(0, names, &changed));
    ck_assert_int_eq(changed, strcmp(before, after) != 0);
    site_check("");
    ck_assert_str_eq(site_text("sites/b.conf"),
                     apr_pstrcat(pool, "<VirtualHost *:443>\n", after,
                                 "</VirtualHost>\n", NULL));
    ck_assert_str_eq(site_text("sites/a.conf"), HTTP);
}

/* What it serves by the module's hand already needs nothing. */
START_TEST(done)
{
    becomes("ServerName a.test\nSSLEngine on\nACMEDomain a.test\n", "a.test",
            "ServerName a.test\nSSLEngine on\nACMEDomain a.test\n");
    becomes("ServerName a.test\nServerAlias b.test\nSSLEngine on\n"
            "ACMEDomain\n", "b.test a.test",
            "ServerName a.test\nServerAlias b.test\nSSLEngine on\n"
            "ACMEDomain\n");
    ck_assert_int_eq(site_result.changes->nelts, 0);
}
END_TEST

/* What is missing is put in, and nothing else. */
START_TEST(missing)
{
    becomes("\tServerName a.test\n\tSSLEngine on\n", "a.test",
            "\tServerName a.test\n\tSSLEngine on\n\tACMEDomain a.test\n");
    becomes("\tServerName a.test\n", "a.test",
            "\tServerName a.test\n\tACMEDomain a.test\n\tSSLEngine on\n");
    becomes("\tServerName a.test\n\tSSLEngine off\n", "a.test",
            "\tServerName a.test\n\tSSLEngine on\n\tACMEDomain a.test\n");
}
END_TEST

/* An ACMEDomain that lacks a name gets it; so does ServerAlias. */
START_TEST(extended)
{
    becomes("ServerName a.test\nServerAlias b.test\nSSLEngine on\n"
            "ACMEDomain a.test\n", "a.test b.test",
            "ServerName a.test\nServerAlias b.test\nSSLEngine on\n"
            "ACMEDomain a.test b.test\n");
    becomes("ServerName a.test\nSSLEngine on\nACMEDomain a.test\n",
            "a.test b.test",
            "ServerName a.test\nSSLEngine on\nACMEDomain a.test b.test\n"
            "ServerAlias b.test\n");
    ck_assert(site_said(site_result.steps, "have the names a.test b.test"));
}
END_TEST

/* Another certificate is left alone, unless it is to be replaced. */
START_TEST(own_certificate)
{
    configurator_deploy_t deploy;

    with("ServerName a.test\nSSLEngine on\nSSLCertificateFile \"@/x.pem\"\n"
         "SSLCertificateKeyFile \"@/x.pem\"\nSSLProtocol all\n");
    unit_fails(site_deploy(0, "a.test", &changed), APR_EEXIST,
               "b.conf:1 serves a.test with a certificate of its own, \"/");
    ck_assert_int_eq(changed, 0);
    base_err_clear(&err);
    deploy = site_order(0, "a.test");
    deploy.replace = 1;
    unit_ok(configurator_deploy(site_plan, &changed, &deploy, &err));
    ck_assert_int_eq(changed, 1);
    site_check("");
    ck_assert_str_eq(site_text("sites/b.conf"), "<VirtualHost *:443>\n"
                     "ServerName a.test\nSSLEngine on\nSSLProtocol all\n"
                     "ACMEDomain a.test\n</VirtualHost>\n");
}
END_TEST

/* It cannot be replaced where others have it too. */
START_TEST(foreign_certificate)
{
    configurator_deploy_t deploy;

    with("ServerName a.test\nSSLEngine on\nInclude \"@/snippet\"\n");
    tree_put("snippet", "SSLCertificateFile \"@/x.pem\"\n");
    site_read();
    deploy = site_order(0, "a.test");
    deploy.replace = 1;
    unit_fails(configurator_deploy(site_plan, &changed, &deploy, &err),
               APR_ENOTIMPL, "snippet:1");
    base_err_clear(&err);

    with("ServerName a.test\nSSLEngine on\n");
    site_main(LISTEN "SSLCertificateFile \"@/x.pem\"\n");
    site_read();
    deploy = site_order(0, "a.test");
    deploy.replace = 1;
    unit_fails(configurator_deploy(site_plan, &changed, &deploy, &err),
               APR_ENOTIMPL, "inherits its certificate");
}
END_TEST

/* Files instead of the module's hand; the same ones need nothing. */
START_TEST(static_files)
{
    configurator_deploy_t deploy;

    with("ServerName a.test\nSSLEngine on\n");
    deploy = site_order(0, "a.test");
    deploy.certificate = tree_path("x.pem");
    deploy.key = tree_path("y.pem");
    unit_ok(configurator_deploy(site_plan, &changed, &deploy, &err));
    site_check("");
    ck_assert(strstr(site_text("sites/b.conf"), apr_psprintf(pool,
        "SSLCertificateFile %s\nSSLCertificateKeyFile %s\n",
        deploy.certificate, deploy.key)));
    site_read();
    unit_ok(configurator_deploy(site_plan, &changed, &deploy, &err));
    ck_assert_int_eq(changed, 0);
}
END_TEST

/* Names with certificates of their own are not put together. */
START_TEST(two_domains)
{
    with("ServerName a.test\nServerAlias b.test\nSSLEngine on\n"
         "ACMEDomain a.test\nACMEDomain b.test\n");
    unit_fails(site_deploy(0, "a.test b.test", &changed), APR_EEXIST,
               "a.test and b.test are not in one certificate");
}
END_TEST

/* A section <ACMEDomain> is not edited. */
START_TEST(section)
{
    with("ServerName a.test\nServerAlias b.test\nSSLEngine on\n");
    site_main(LISTEN "<ACMEDomain a.test>\n</ACMEDomain>\n");
    site_read();
    unit_fails(site_deploy(0, "a.test b.test", &changed), APR_ENOTIMPL,
               "section <ACMEDomain>");
}
END_TEST

/* One of the main server is, where it stands. */
START_TEST(main_domain)
{
    with("ServerName a.test\nServerAlias b.test\nSSLEngine on\n");
    site_main(LISTEN "ACMEDomain a.test\n# next\n");
    site_read();
    unit_ok(site_deploy(0, "a.test b.test", &changed));
    ck_assert_int_eq(changed, 1);
    site_check("");
    ck_assert(strstr(site_text("httpd.conf"),
                     "\nACMEDomain a.test b.test\n# next\n"));
}
END_TEST

/* Two hosts that claim one certificate must go on doing so. */
START_TEST(claimed_twice)
{
    with("ServerName a.test\nServerAlias b.test\nSSLEngine on\n"
         "ACMEDomain a.test\n");
    tree_put("sites/a.conf", "<VirtualHost *:80>\nServerName a.test\n"
             "ACMEDomain a.test\n</VirtualHost>\n");
    site_read();
    unit_ok(site_deploy(0, "a.test b.test", &changed));
    site_check("");
    ck_assert(strstr(site_text("sites/a.conf"), "ACMEDomain a.test b.test"));
    ck_assert(strstr(site_text("sites/b.conf"), "ACMEDomain a.test b.test"));
}
END_TEST

/* A TLS host that has the name only by a pattern is passed by, if the twin
 * comes before it. */
START_TEST(pattern)
{
    tree = NULL;
    site_main(LISTEN);
    tree_put("sites/a.conf", "<VirtualHost *:443>\nServerName d.test\n"
             "SSLEngine on\n</VirtualHost>\n" HTTP
             "<VirtualHost *:443>\nServerName x.test\nServerAlias *.test\n"
             "SSLEngine on\n</VirtualHost>\n");
    site_read();
    unit_ok(site_deploy(1, "a.test b.test", &changed));
    site_check("");
    site_read();
    ck_assert_int_eq(site->hosts->nelts, 4);
    ck_assert_str_eq(host_at(site, 2)->server_name, "a.test");
    ck_assert_int_eq(host_at(site, 2)->ssl, 1);
}
END_TEST

/* The TLS host itself may be given. */
START_TEST(itself)
{
    with("ServerName a.test\nSSLEngine on\n");
    unit_ok(site_deploy(1, "a.test", &changed));
    ck_assert_int_eq(changed, 1);
    site_check("");
    ck_assert(strstr(site_text("sites/b.conf"), "ACMEDomain a.test\n"));
}
END_TEST

Suite *tls_suite(void)
{
    Suite *suite = suite_create("configurator/tls");
    TCase *tc = unit_case(suite, "tls");

    tcase_add_test(tc, done);
    tcase_add_test(tc, missing);
    tcase_add_test(tc, extended);
    tcase_add_test(tc, own_certificate);
    tcase_add_test(tc, foreign_certificate);
    tcase_add_test(tc, static_files);
    tcase_add_test(tc, two_domains);
    tcase_add_test(tc, section);
    tcase_add_test(tc, main_domain);
    tcase_add_test(tc, claimed_twice);
    tcase_add_test(tc, pattern);
    tcase_add_test(tc, itself);
    return suite;
}
