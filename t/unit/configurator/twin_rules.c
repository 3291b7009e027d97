/* What may not be in a TLS twin as it is in its original. */
#include "configurator/site.h"

/* What the host says of TLS itself gives way, whether mod_ssl is asked for
 * or not; options of TLS stay. */
START_TEST(own_tls)
{
    twin_has("    ServerName a.test\n    SSLEngine off\n"
             "    SSLProtocol -all +TLSv1.3\n",
             "    ServerName a.test\n    SSLProtocol -all +TLSv1.3\n");
    twin_has("    ServerName a.test\n    <IfModule no_such_module>\n"
             "        SSLEngine off\n        SSLCertificateFile /x\n"
             "    </IfModule>\n",
             "    ServerName a.test\n    <IfModule no_such_module>\n"
             "    </IfModule>\n");
}
END_TEST

/* Of the http host alone is its own redirect by the module. */
START_TEST(own_redirect)
{
    twin_has("    ServerName a.test\n    ACMERequireHTTPS permanent\n",
             "    ServerName a.test\n");
}
END_TEST

/* Scheme and port of ServerName are those of http; the twin has none. */
START_TEST(server_name)
{
    twin_has("    ServerName a.test:80\n", "    ServerName a.test\n");
    twin_has("    ServerName http://a.test:80\n", "    ServerName a.test\n");
    twin_has("    servername \"http://a.test\"\n", "    servername a.test\n");
}
END_TEST

/* Redirects of everything to https would go round in circles. */
START_TEST(redirect_left)
{
    twin_has("    ServerName a.test\n    Redirect / https://a.test/\n",
             "    ServerName a.test\n");
    ck_assert(site_said(site_result.steps, "Redirect in"));
    twin_has("    ServerName a.test\n"
             "    Redirect permanent / https://A.test\n"
             "    Redirect /old http://a.test/new\n",
             "    ServerName a.test\n"
             "    Redirect /old https://a.test/new\n");
    twin_has("    ServerName a.test\n"
             "    RedirectMatch 301 ^/(.*)$ https://a.test/$1\n",
             "    ServerName a.test\n");
    twin_has("    ServerName a.test\n    RewriteEngine on\n"
             "    # all by TLS\n"
             "    RewriteCond %{HTTPS} off\n"
             "    RewriteRule ^(.*)$ https://%{HTTP_HOST}$1 [R=301,L]\n"
             "    RewriteRule ^/x /y\n",
             "    ServerName a.test\n    RewriteEngine on\n"
             "    # all by TLS\n"
             "    RewriteRule ^/x /y\n");
    twin_has("    ServerName a.test\n    RewriteEngine On\n"
             "    RewriteCond %{SERVER_NAME} =a.test [OR]\n"
             "    RewriteCond %{SERVER_NAME} =b.test\n"
             "    RewriteRule ^ https://%{SERVER_NAME}%{REQUEST_URI} "
             "[END,NE,R=permanent]\n",
             "    ServerName a.test\n    RewriteEngine On\n");
}
END_TEST

/* Redirects that lead elsewhere, or nowhere again, stay. */
START_TEST(redirect_stays)
{
    static const char *const lines[] = {
        "    Redirect / https://other.test/\n",
        "    Redirect /old https://a.test/new\n",
        "    Redirect gone /old\n",
        "    RedirectMatch ^/old(.*) https://a.test/new$1\n",
        "    RewriteEngine on\n"
        "    RewriteRule ^/(.*) https://other.test/$1 [R]\n",
        "    RewriteEngine on\n"
        "    RewriteRule ^/old https://%{HTTP_HOST}/new [R]\n",
        "    RewriteEngine off\n"
        "    RewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI}\n"
    };
    apr_size_t i;

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const char *text = apr_pstrcat(pool, "    ServerName a.test\n",
                                       lines[i], NULL);

        twin_has(text, text);
    }
}
END_TEST

/* From one of its names to another the twin may lead. */
START_TEST(canonical_stays)
{
    twin_has("    ServerName a.test\n    ServerAlias www.a.test\n"
             "    RewriteEngine on\n"
             "    RewriteCond %{HTTP_HOST} ^www\\.(.+)$ [NC]\n"
             "    RewriteRule ^(.*)$ https://%1$1 [R=301]\n",
             "    ServerName a.test\n    ServerAlias www.a.test\n"
             "    RewriteEngine on\n"
             "    RewriteCond %{HTTP_HOST} ^www\\.(.+)$ [NC]\n"
             "    RewriteRule ^(.*)$ https://%1$1 [R=301]\n");
    ck_assert(site_said(site_result.warnings, "www.a.test"));
}
END_TEST

/* Rules that count each other cannot be taken apart. */
START_TEST(counted_rules)
{
    twin_refused("    RewriteEngine on\n"
                 "    RewriteRule ^/x - [S=1]\n"
                 "    RewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI}\n"
                 "    RewriteRule ^/y /z\n", "a.conf:5 would send");
}
END_TEST

/* A snippet is in the twin as it is: what loops there is refused. */
START_TEST(snippet_redirect)
{
    int changed;

    tree = NULL;
    site_main(SITE_LISTEN);
    tree_put("snippet", "# shared\nRedirect / https://a.test/\n");
    tree_put("sites/a.conf", "<VirtualHost *:80>\nServerName a.test\n"
             "Include \"@/snippet\"\n</VirtualHost>\n");
    site_read();
    unit_fails(site_deploy(0, "a.test", &changed), APR_ENOTIMPL,
               "snippet:2 would send");
}
END_TEST

/* A macro's directives have no line to be taken away. */
START_TEST(macro_redirect)
{
    int changed;

    site_one("<Macro up $n>\nRedirect / https://$n/\n</Macro>\n"
             "<VirtualHost *:80>\nServerName a.test\nUse up a.test\n"
             "</VirtualHost>\n");
    unit_fails(site_deploy(0, "a.test", &changed), APR_ENOTIMPL,
               "a macro would send");
}
END_TEST

/* A certificate for all, or in a snippet, would take the place of ours. */
START_TEST(other_certificate)
{
    configurator_deploy_t deploy;
    int changed;

    tree = NULL;
    site_main(SITE_LISTEN "SSLCertificateFile \"@/x.pem\"\n");
    tree_put("x.pem", "\n");
    tree_put("sites/a.conf", "<VirtualHost *:80>\nServerName a.test\n"
             "</VirtualHost>\n");
    site_read();
    unit_fails(site_deploy(0, "a.test", &changed), APR_ENOTIMPL,
               "--static-files");
    base_err_clear(&err);
    deploy = site_order(0, "a.test");
    deploy.certificate = "/store/full chain.pem";
    deploy.key = "/store/key.pem";
    unit_ok(configurator_deploy(site_plan, &changed, &deploy, &err));
    site_write("");
    ck_assert(strstr(site_text("sites/a.conf"),
                     "SSLCertificateFile \"/store/full chain.pem\"\n"
                     "SSLCertificateKeyFile /store/key.pem\n"
                     "SSLEngine on\n"));
}
END_TEST

/* The main server's redirects are every host's, its rules only of those
 * that ask for them. */
START_TEST(inherited)
{
    static const struct { const char *main, *host; int refused; } cases[] = {
        { "Redirect / https://a.test/\n", "", 1 },
        { "Redirect / https://other.test/\n", "", 0 },
        { "RewriteEngine on\nRewriteRule ^ https://%{HTTP_HOST}/\n",
          "RewriteEngine on\nRewriteOptions Inherit\n", 1 },
        { "RewriteEngine on\nRewriteRule ^ https://%{HTTP_HOST}/\n",
          "RewriteEngine on\n", 0 },
        { "RewriteOptions InheritDown\nRewriteEngine on\n"
          "RewriteRule ^ https://%{HTTP_HOST}/\n", "RewriteEngine on\n", 1 }
    };
    apr_size_t i;
    int changed;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        base_err_clear(&err);
        tree = NULL;
        site_main(apr_pstrcat(pool, SITE_LISTEN, cases[i].main, NULL));
        tree_put("sites/a.conf", apr_pstrcat(pool, "<VirtualHost *:80>\n"
                 "ServerName a.test\n", cases[i].host, "</VirtualHost>\n",
                 NULL));
        site_read();
        ck_assert_int_eq(site_deploy(0, "a.test", &changed),
                         cases[i].refused ? APR_ENOTIMPL : APR_SUCCESS);
    }
}
END_TEST

Suite *twin_rules_suite(void)
{
    Suite *suite = suite_create("configurator/twin_rules");
    TCase *tc = unit_case(suite, "twin_rules");

    tcase_add_test(tc, own_tls);
    tcase_add_test(tc, own_redirect);
    tcase_add_test(tc, server_name);
    tcase_add_test(tc, redirect_left);
    tcase_add_test(tc, redirect_stays);
    tcase_add_test(tc, canonical_stays);
    tcase_add_test(tc, counted_rules);
    tcase_add_test(tc, snippet_redirect);
    tcase_add_test(tc, macro_redirect);
    tcase_add_test(tc, other_certificate);
    tcase_add_test(tc, inherited);
    return suite;
}
