/* The TLS twin of an http host. */
#include "configurator/site.h"

/* The header of the twin of a host with that header. */
static void header_is(const char *before, const char *after,
                      const char *listens)
{
    int changed;

    site_one(apr_pstrcat(pool, "<VirtualHost ", before, ">\n"
                         "ServerName a.test\n</VirtualHost>\n", NULL));
    unit_ok(site_deploy(0, "a.test", &changed));
    site_check(listens);
    ck_assert_msg(strstr(site_text("sites/a.conf"),
                         apr_pstrcat(pool, "\n<VirtualHost ", after, ">\n",
                                     NULL)) != NULL,
                  "%s: %s", before, site_text("sites/a.conf"));
}

/* A twin stands directly behind its original, on the TLS port, with the
 * certificate's names and SSLEngine on; everything else is as it was. */
START_TEST(simplest)
{
    twin_has("    ServerName a.test\n    DocumentRoot /srv/a\n",
             "    ServerName a.test\n    DocumentRoot /srv/a\n");
    ck_assert(site_said(site_result.steps, "a.conf:1"));
    ck_assert_int_eq(site_result.warnings->nelts, 0);
    ck_assert_int_eq(site_result.early->nelts, 0);
}
END_TEST

/* Each address goes to the TLS port, several of one to one. */
START_TEST(headers)
{
    header_is("*", "*:443", "Listen 443\n");
    header_is("*:80", "*:443", "Listen 443\n");
    header_is("_default_:80", "_default_:443", "Listen 443\n");
    header_is("*:*", "*:443", "Listen 443\n");
    header_is("127.0.0.1", "127.0.0.1:443", "Listen 443\n");
    header_is("127.0.0.1:80 [::1]:80", "127.0.0.1:443 [::1]:443",
              "Listen 443\n");
    header_is("*:80 *:8080", "*:443", "Listen 443\nListen 8080\n");
    header_is("\"127.0.0.1:80\" 127.0.0.2:80",
              "127.0.0.1:443 127.0.0.2:443", "Listen 443\n");
}
END_TEST

/* Variables of the header are what httpd made of them. */
START_TEST(header_variable)
{
    int changed;

    site_one("Define IP 127.0.0.1\nDefine PORT 80\n"
             "<VirtualHost ${IP}:${PORT}>\nServerName a.test\n"
             "</VirtualHost>\n");
    unit_ok(site_deploy(0, "a.test", &changed));
    site_check("Listen 443\n");
    ck_assert(strstr(site_text("sites/a.conf"),
                     "\n<VirtualHost 127.0.0.1:443>\n"));
}
END_TEST

/* Another port than 443 is that of the port map or the caller's. */
START_TEST(other_port)
{
    configurator_deploy_t deploy;
    int changed;

    tree = NULL;
    site_main("Listen 8000\nACMEPortMap http:8000 https:8443\n");
    tree_put("sites/a.conf", "<VirtualHost *:8000>\nServerName a.test\n"
             "</VirtualHost>\n");
    site_read();
    unit_ok(site_deploy(0, "a.test", &changed));
    ck_assert_int_eq(APR_ARRAY_IDX(site_plan->listens, 0,
                                   plan_listen_t).port, 8443);
    site_check("Listen 8443\n");
    ck_assert(strstr(site_text("sites/a.conf"), "\n<VirtualHost *:8443>\n"));

    site_one("<VirtualHost *:80>\nServerName a.test\n</VirtualHost>\n");
    deploy = site_order(0, "a.test");
    deploy.port = 4433;
    unit_ok(configurator_deploy(site_plan, &changed, &deploy, &err));
    site_check("Listen 4433\n");
    ck_assert(strstr(site_text("sites/a.conf"), "\n<VirtualHost *:4433>\n"));
}
END_TEST

/* Where no https arrives, nothing can be planned. */
START_TEST(no_port)
{
    int changed;

    tree = NULL;
    site_main("Listen 80\nACMEPortMap https:-\n");
    tree_put("sites/a.conf", "<VirtualHost *:80>\nServerName a.test\n"
             "</VirtualHost>\n");
    site_read();
    unit_fails(site_deploy(0, "a.test", &changed), APR_ENOTIMPL,
               "ACMEPortMap");
}
END_TEST

/* A twin on an address of its own would hide the TLS hosts that answer
 * there: it joins them. */
START_TEST(joins_hosts)
{
    int changed;

    tree = NULL;
    site_main("Listen 80\nListen 443\n");
    tree_put("sites/a.conf",
             "<VirtualHost *:443>\nServerName z.test\nSSLEngine on\n"
             "</VirtualHost>\n"
             "<VirtualHost 127.0.0.1:80>\nServerName a.test\n"
             "</VirtualHost>\n");
    site_read();
    unit_ok(site_deploy(1, "a.test", &changed));
    site_check("");
    ck_assert(strstr(site_text("sites/a.conf"),
                     "<VirtualHost *:443>\nServerName a.test"));

    tree = NULL;
    site_main("Listen 80\nListen 443\n");
    tree_put("sites/a.conf",
             "<VirtualHost 127.0.0.1:443>\nServerName z.test\nSSLEngine on\n"
             "</VirtualHost>\n"
             "<VirtualHost *:80>\nServerName a.test\n"
             "</VirtualHost>\n");
    site_read();
    unit_ok(site_deploy(1, "a.test", &changed));
    site_check("");
    ck_assert(strstr(site_text("sites/a.conf"),
                     "<VirtualHost *:443 127.0.0.1:443>\n"
                     "ServerName a.test"));
}
END_TEST

/* A TLS host of every port would lose the connections to the new one. */
START_TEST(hides_host)
{
    int changed;

    tree = NULL;
    site_main("Listen 80\nListen 443\n");
    tree_put("sites/a.conf",
             "<VirtualHost *:80>\nServerName a.test\n</VirtualHost>\n"
             "<VirtualHost *>\nServerName z.test\nSSLEngine on\n"
             "</VirtualHost>\n");
    site_read();
    unit_fails(site_deploy(0, "a.test", &changed), APR_ENOTIMPL,
               "a.conf:4, which has no port");
}
END_TEST

/* The default TLS host stays it: a twin that would come before it stands
 * behind it, in its file if need be. */
START_TEST(default_host)
{
    int changed;

    tree = NULL;
    site_main("Listen 80\nListen 443\n");
    tree_put("sites/a.conf", "<VirtualHost *:80>\n    ServerName a.test\n"
             "</VirtualHost>\n");
    tree_put("sites/b.conf", "<VirtualHost *:443>\r\n  SSLEngine on\r\n"
             "</VirtualHost>\r\n\r\n<VirtualHost *:443>\r\n"
             "  ServerName b.test\r\n  SSLEngine on\r\n"
             "</VirtualHost>\r\n");
    site_read();
    unit_ok(site_deploy(0, "a.test", &changed));
    site_check("");
    ck_assert_str_eq(site_text("sites/a.conf"), "<VirtualHost *:80>\n"
                     "    ServerName a.test\n</VirtualHost>\n");
    ck_assert_str_eq(site_text("sites/b.conf"),
        "<VirtualHost *:443>\r\n  SSLEngine on\r\n</VirtualHost>\r\n\r\n"
        "<IfModule ssl_module>\r\n"
        "<VirtualHost *:443>\n    ServerName a.test\n"
        "    ACMEDomain a.test\n    SSLEngine on\n</VirtualHost>\n"
        "</IfModule>\r\n\r\n<VirtualHost *:443>\r\n"
        "  ServerName b.test\r\n  SSLEngine on\r\n</VirtualHost>\r\n");
    ck_assert(site_said(site_result.steps, "which so stays the default"));
}
END_TEST

/* Where that one has no text, there is no place for the twin. */
START_TEST(default_macro)
{
    int changed;

    tree = NULL;
    site_main("Listen 80\nListen 443\n");
    tree_put("sites/a.conf", "<VirtualHost *:80>\nServerName a.test\n"
             "</VirtualHost>\n");
    tree_put("sites/b.conf", "<Macro tls $n>\n<VirtualHost *:443>\n"
             "ServerName $n\nSSLEngine on\n</VirtualHost>\n</Macro>\n"
             "Use tls b.test\n");
    site_read();
    unit_fails(site_deploy(0, "a.test", &changed), APR_ENOTIMPL,
               "must stand behind macro 'tls'");
}
END_TEST

/* Names that another TLS host has stay there: the twin stands behind it. */
START_TEST(names_kept)
{
    int changed;

    tree = NULL;
    site_main("Listen 80\nListen 443\n");
    tree_put("sites/a.conf",
             "<VirtualHost *:443>\nServerName d.test\nSSLEngine on\n"
             "</VirtualHost>\n"
             "<VirtualHost *:80>\nServerName a.test\n"
             "ServerAlias b.test *.c.test\n</VirtualHost>\n"
             "<VirtualHost *:443>\nServerName b.test\nSSLEngine on\n"
             "</VirtualHost>\n"
             "<VirtualHost *:443>\nServerName z.test\nSSLEngine on\n"
             "</VirtualHost>\n"
             "<VirtualHost *:443>\nServerName x.c.test\nSSLEngine on\n"
             "</VirtualHost>\n");
    site_read();
    unit_ok(site_deploy(1, "a.test", &changed));
    site_check("");
    site_read();
    ck_assert_str_eq(host_at(site, 4)->server_name, "x.c.test");
    ck_assert_str_eq(host_at(site, 5)->server_name, "a.test");
}
END_TEST

/* One that has its name by a pattern and another of its names cannot be
 * both before and behind it. */
START_TEST(names_conflict)
{
    int changed;

    tree = NULL;
    site_main("Listen 80\nListen 443\n");
    tree_put("sites/a.conf",
             "<VirtualHost *:443>\nServerName d.org\nSSLEngine on\n"
             "</VirtualHost>\n"
             "<VirtualHost *:80>\nServerName a.test\nServerAlias b.test\n"
             "</VirtualHost>\n"
             "<VirtualHost *:443>\nServerName b.test\nServerAlias *.test\n"
             "SSLEngine on\n</VirtualHost>\n");
    site_read();
    unit_fails(site_deploy(1, "a.test", &changed), APR_ENOTIMPL,
               "would take b.test from the virtual host at");
}
END_TEST

/* A host of both ports speaks http on both, or TLS on both. */
START_TEST(both_ports)
{
    int changed;

    tree = NULL;
    site_main("Listen 80\nListen 443\n");
    tree_put("sites/a.conf", "<VirtualHost *:80 *:443>\n"
             "ServerName a.test\n</VirtualHost>\n");
    site_read();
    unit_fails(site_deploy(0, "a.test", &changed), APR_ENOTIMPL,
               "cannot speak both: take port 443 out");
}
END_TEST

/* The same name on IPv4 and on IPv6: two twins, one certificate. */
START_TEST(two_addresses)
{
    int changed;

    site_one("<VirtualHost 127.0.0.1:80>\nServerName a.test\n"
             "</VirtualHost>\n"
             "<VirtualHost [::1]:80>\nServerName a.test\n"
             "</VirtualHost>\n");
    unit_ok(site_deploy(0, "a.test", &changed));
    unit_ok(site_deploy(1, "a.test", &changed));
    ck_assert_int_eq(changed, 1);
    ck_assert_int_eq(site_plan->listens->nelts, 2);
    site_check("Listen 443\n");
    site_read();
    ck_assert_int_eq(site->hosts->nelts, 4);
    ck_assert_int_eq(json_array_size(json_object_get(site_config,
                                                     "domains")), 1);
}
END_TEST

/* Several twins of one plan keep the order of their originals. */
START_TEST(several)
{
    int changed;

    tree = NULL;
    site_main("Listen 80\n");
    tree_put("sites/a.conf",
             "<VirtualHost *:80>\nServerName c.test\n</VirtualHost>\n"
             "<VirtualHost *:80>\nServerName b.test\n</VirtualHost>\n"
             "<VirtualHost *:80>\nServerName a.test\n</VirtualHost>\n");
    site_read();
    unit_ok(site_deploy(2, "a.test", &changed));
    unit_ok(site_deploy(0, "c.test", &changed));
    unit_ok(site_deploy(1, "b.test", &changed));
    ck_assert_int_eq(site_plan->listens->nelts, 1);
    site_check("Listen 443\n");
    ck_assert_int_eq(site_result.changes->nelts, 1);
    site_read();
    ck_assert_int_eq(site->hosts->nelts, 6);
    ck_assert_str_eq(host_at(site, 1)->server_name, "c.test");
    ck_assert_str_eq(host_at(site, 3)->server_name, "b.test");
    ck_assert_int_eq(host_at(site, 5)->ssl, 1);
}
END_TEST

/* A second run finds nothing to do. */
START_TEST(again)
{
    int changed;

    site_one("<VirtualHost *:80>\nServerName a.test\n</VirtualHost>\n");
    unit_ok(site_deploy(0, "a.test", &changed));
    site_check("Listen 443\n");
    site_read();
    unit_ok(site_deploy(0, "a.test", &changed));
    ck_assert_int_eq(changed, 0);
    site_check("");
    ck_assert_int_eq(site_result.changes->nelts, 0);
    ck_assert_int_eq(site_result.steps->nelts, 0);
}
END_TEST

/* Names that the certificate does not have stay, with a warning. */
START_TEST(uncovered_names)
{
    twin_has("    ServerName a.test\n    ServerAlias b.test *.a.test\n",
             "    ServerName a.test\n    ServerAlias b.test *.a.test\n");
    ck_assert(site_said(site_result.warnings, "b.test, *.a.test"));
}
END_TEST

/* A directive that may stand only once in a server is not in the twin, nor
 * where a condition hides it today. */
START_TEST(once_hidden)
{
    twin_has("    ServerName a.test\n    <IfModule wsgi_module>\n"
             "        WSGIDaemonProcess a\n        WSGIProcessGroup a\n"
             "    </IfModule>\n",
             "    ServerName a.test\n    <IfModule wsgi_module>\n"
             "        WSGIProcessGroup a\n    </IfModule>\n");
    ck_assert(site_said(site_result.warnings, "WSGIDaemonProcess in "));
    ck_assert(site_said(site_result.warnings, "a.conf:4 may stand only"));
}
END_TEST

/* Who says http in the twin is named, for it may be wrong there: what leads
 * to the host itself, and what tells programs behind it. */
START_TEST(says_http)
{
    static const char lines[] =
        "    ServerName a.test\n"
        "    RequestHeader set X-Forwarded-Proto \"http\"\n"
        "    RequestHeader set X-Forwarded-Host a.test\n"
        "    RewriteEngine on\n"
        "    RewriteRule ^/a(.*)$ http://A.test$1 [R]\n"
        "    RewriteRule ^/b(.*)$ http://other.test$1 [R]\n"
        "    Redirect /c http://a.test:80/d\n"
        "    Redirect /e https://a.test/f\n";

    twin_has(lines, lines);
    ck_assert_int_eq(site_result.warnings->nelts, 3);
    ck_assert(site_said(site_result.warnings,
                        "RequestHeader in "));
    ck_assert(site_said(site_result.warnings, "a.conf:3 says http"));
    ck_assert(site_said(site_result.warnings, "a.conf:6 says http"));
    ck_assert(site_said(site_result.warnings, "a.conf:8 says http"));
}
END_TEST

/* A name that the twin has by a pattern of the original needs no alias of
 * its own in the next run, and is enhanced there. */
START_TEST(pattern_again)
{
    int changed = 1;

    site_one("<VirtualHost *:80>\n    ServerName a.test\n"
             "    ServerAlias *.a.test\n</VirtualHost>\n"
             "<VirtualHost *:443>\n    ServerName a.test\n"
             "    ServerAlias *.a.test\n    ACMEDomain a.test x.a.test\n"
             "    SSLEngine on\n</VirtualHost>\n");
    unit_ok(site_deploy(0, "a.test x.a.test", &changed));
    ck_assert_int_eq(changed, 0);
    unit_ok(configurator_enhance(site_plan, &changed, 0, "x.a.test",
                                 CONFIGURATOR_HSTS, 1, &err));
    ck_assert_int_eq(changed, 1);
}
END_TEST

/* Conditions around the host are around the twin; where one asks for
 * mod_ssl already, no other does. */
START_TEST(conditions)
{
    site_becomes(
        "<IfDefine !NO>\n  <VirtualHost *:80>\n    ServerName a.test\n"
        "  </VirtualHost>\n</IfDefine>\n",
        "<IfDefine !NO>\n  <VirtualHost *:80>\n    ServerName a.test\n"
        "  </VirtualHost>\n\n  <IfModule ssl_module>\n"
        "  <VirtualHost *:443>\n    ServerName a.test\n"
        "    ACMEDomain a.test\n    SSLEngine on\n  </VirtualHost>\n"
        "  </IfModule>\n</IfDefine>\n");
    site_becomes(
        "<IfModule mod_ssl.c>\n<VirtualHost *:80>\n    ServerName a.test\n"
        "</VirtualHost>\n</IfModule>\n",
        "<IfModule mod_ssl.c>\n<VirtualHost *:80>\n    ServerName a.test\n"
        "</VirtualHost>\n\n"
        "<VirtualHost *:443>\n    ServerName a.test\n"
        "    ACMEDomain a.test\n    SSLEngine on\n</VirtualHost>\n"
        "</IfModule>\n");
}
END_TEST

/* Bytes that are no UTF-8, CRLF, tabs, continued lines and a missing final
 * end of line survive. */
START_TEST(odd_bytes)
{
    site_becomes(
        "<VirtualHost *:80>\r\n\tservername a.test\r\n\t# \xe4\xf6\r\n"
        "\tDocumentRoot \\\r\n\t\t/srv\r\n</virtualhost>",
        "<VirtualHost *:80>\r\n\tservername a.test\r\n\t# \xe4\xf6\r\n"
        "\tDocumentRoot \\\r\n\t\t/srv\r\n</virtualhost>\r\n\r\n"
        "<IfModule ssl_module>\r\n"
        "<VirtualHost *:443>\r\n\tservername a.test\r\n\t# \xe4\xf6\r\n"
        "\tDocumentRoot \\\r\n\t\t/srv\r\n\tACMEDomain a.test\r\n"
        "\tSSLEngine on\r\n</virtualhost>\r\n</IfModule>");
}
END_TEST

/* Hosts that are not text of a file, or of one that is included twice, are
 * refused. */
START_TEST(no_text)
{
    int changed;

    site_one("<Macro vh $n>\n<VirtualHost *:80>\nServerName $n\n"
             "</VirtualHost>\n</Macro>\nUse vh a.test\n");
    unit_fails(site_deploy(0, "a.test", &changed), APR_ENOTIMPL, "macro");
    ck_assert(strstr(configurator_paste(site_plan),
                     "<VirtualHost *:443>\n    ServerName a.test\n"
                     "    ACMEDomain a.test\n    SSLEngine on\n"));
    base_err_clear(&err);
    tree = NULL;
    site_main(SITE_LISTEN "Include \"@/twice\"\nInclude \"@/twice\"\n");
    tree_put("twice", "<VirtualHost *:80>\nServerName a.test\n"
             "</VirtualHost>\n");
    site_read();
    unit_fails(site_deploy(0, "a.test", &changed), APR_ENOTIMPL,
               "twice:1 is included more than once");
}
END_TEST

/* What a panel wrote it will write again. */
START_TEST(generated)
{
    int changed;

    site_one("# AUTOMATICALLY GENERATED. DO NOT EDIT.\n"
             "<VirtualHost *:80>\nServerName a.test\n</VirtualHost>\n");
    unit_fails(site_deploy(0, "a.test", &changed), APR_ENOTIMPL,
               "is written by");
}
END_TEST

/* What the lens cannot read is named with its line. */
START_TEST(unreadable)
{
    twin_refused("    <Location ~ \"/x>\n    </Location>\n", "a.conf:3");
}
END_TEST

/* A file that was changed since httpd read it. */
START_TEST(changed_file)
{
    int changed;

    site_one("<VirtualHost *:80>\nServerName a.test\n</VirtualHost>\n");
    tree_put("sites/a.conf", "# new\n<VirtualHost *:80>\n"
             "ServerName a.test\n</VirtualHost>\n");
    unit_fails(site_deploy(0, "a.test", &changed), APR_ENOTIMPL,
               "has changed");
}
END_TEST

/* A header that goes on in the next line; a domain that is there. */
START_TEST(odd_header)
{
    int changed;

    site_one("<VirtualHost \\\n    *:80>\n    ServerName a.test\n"
             "    ACMEDomain a.test\n</VirtualHost>\n");
    unit_ok(site_deploy(0, "a.test", &changed));
    site_check("Listen 443\n");
    ck_assert_str_eq(site_text("sites/a.conf"),
        "<VirtualHost \\\n    *:80>\n    ServerName a.test\n"
        "    ACMEDomain a.test\n</VirtualHost>\n\n<IfModule ssl_module>\n"
        "<VirtualHost \\\n    *:443>\n    ServerName a.test\n"
        "    SSLEngine on\n</VirtualHost>\n</IfModule>\n");
}
END_TEST

Suite *twin_suite(void)
{
    Suite *suite = suite_create("configurator/twin");
    TCase *tc = unit_case(suite, "twin");

    tcase_add_test(tc, simplest);
    tcase_add_test(tc, headers);
    tcase_add_test(tc, header_variable);
    tcase_add_test(tc, other_port);
    tcase_add_test(tc, no_port);
    tcase_add_test(tc, joins_hosts);
    tcase_add_test(tc, hides_host);
    tcase_add_test(tc, default_host);
    tcase_add_test(tc, default_macro);
    tcase_add_test(tc, names_kept);
    tcase_add_test(tc, names_conflict);
    tcase_add_test(tc, both_ports);
    tcase_add_test(tc, two_addresses);
    tcase_add_test(tc, several);
    tcase_add_test(tc, again);
    tcase_add_test(tc, uncovered_names);
    tcase_add_test(tc, once_hidden);
    tcase_add_test(tc, says_http);
    tcase_add_test(tc, pattern_again);
    tcase_add_test(tc, conditions);
    tcase_add_test(tc, odd_bytes);
    tcase_add_test(tc, no_text);
    tcase_add_test(tc, generated);
    tcase_add_test(tc, unreadable);
    tcase_add_test(tc, changed_file);
    tcase_add_test(tc, odd_header);
    return suite;
}
