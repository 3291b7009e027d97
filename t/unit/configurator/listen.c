/* A Listen for TLS where nothing listens, and nowhere else. Ports here are
 * those that tests may bind: http is on 8080. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "server_rig.h"

/** A port that is free now. */
static int free_port(void)
{
    struct sockaddr_in v4 = { 0 };
    socklen_t len = sizeof(v4);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    v4.sin_family = AF_INET;
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&v4, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&v4, &len), 0);
    close(fd);
    return ntohs(v4.sin_port);
}

/** The port of TLS, and its text. */
static int tls;

static const char *filled(const char *format)
{
    return apr_psprintf(pool, format, tls, tls, tls);
}

/** A server with mod_ssl whose main file has this text. */
static void source(const char *text)
{
    tls = free_port();
    tree_make();
    tree_put("conf/httpd.conf", text);
    rig_make("conf/httpd.conf");
    json_object_set_new(json_object_get(rig_server(), "port_map"), "http",
                        json_integer(8080));
    rig_loaded("ssl");
    rig_loaded("acme");
}

/** Plan for one listener. @return 1 if there is work */
static int want(const char *address)
{
    rig_plan();
    plan_want_listen(plan, address, tls);
    return rig_manage();
}

static const char *content(void)
{
    return rig_content(result.changes, "conf/httpd.conf");
}

/* ------------------------------------------------------------------ put */

/* Behind the Listen of http, as that one is written. */
START_TEST(like_http)
{
    source("Listen 8080\nUser www\n");
    rig_listen("8080", "::", 8080, "conf/httpd.conf", 1);
    ck_assert_int_eq(want(NULL), 1);
    ck_assert_str_eq(content(), filled("Listen 8080\n<IfModule ssl_module>\n"
        "    Listen %d https\n</IfModule>\nUser www\n"));
    ck_assert_str_eq(rig_shown(result.early), "");
    ck_assert_int_eq(result.warnings->nelts, 0);
}
END_TEST

START_TEST(addresses)
{
    source("User www\n  Listen 127.0.0.1:8080\n  Listen \\\n [::1]:8080\n"
           "  Listen 9999\nGroup www\n");
    rig_listen("127.0.0.1:8080", "127.0.0.1", 8080, "conf/httpd.conf", 2);
    rig_listen("[::1]:8080", "::1", 8080, "conf/httpd.conf", 4);
    rig_listen("9999", "::", 9999, "conf/httpd.conf", 5);
    ck_assert_int_eq(want(NULL), 1);
    ck_assert_str_eq(content(), filled("User www\n  Listen 127.0.0.1:8080\n"
        "  Listen \\\n [::1]:8080\n  <IfModule ssl_module>\n"
        "      Listen 127.0.0.1:%d https\n      Listen [::1]:%d https\n"
        "  </IfModule>\n  Listen 9999\nGroup www\n"));
}
END_TEST

/* A host of one address needs only that one. */
START_TEST(one_address)
{
    source("Listen 127.0.0.1:8080\nListen 127.0.0.2:8080");
    rig_listen("127.0.0.1:8080", "127.0.0.1", 8080, "conf/httpd.conf", 1);
    rig_listen("127.0.0.2:8080", "127.0.0.2", 8080, "conf/httpd.conf", 2);
    ck_assert_int_eq(want("127.0.0.2"), 1);
    ck_assert_str_eq(content(), filled("Listen 127.0.0.1:8080\n"
        "Listen 127.0.0.2:8080\n<IfModule ssl_module>\n"
        "    Listen 127.0.0.2:%d https\n</IfModule>"));
}
END_TEST

/* 443 is https by itself. */
START_TEST(standard_port)
{
    source("Listen *:8080\n");
    rig_listen("*:8080", "::", 8080, "conf/httpd.conf", 1);
    tls = 443;
    if (geteuid() == 0) {
        ck_assert_int_eq(want(NULL), 1);
        ck_assert_str_eq(content(), "Listen *:8080\n<IfModule ssl_module>\n"
                         "    Listen *:443\n</IfModule>\n");
    }
}
END_TEST

/* Each file its own. */
START_TEST(files)
{
    source("Include a.conf\nListen 127.0.0.1:8080\n");
    tree_put("a.conf", "Listen 127.0.0.2:8080\n");
    rig_listen("127.0.0.2:8080", "127.0.0.2", 8080, "a.conf", 1);
    rig_listen("127.0.0.1:8080", "127.0.0.1", 8080, "conf/httpd.conf", 2);
    ck_assert_int_eq(want(NULL), 1);
    ck_assert_str_eq(rig_shown(result.changes),
                     "modify a.conf|modify conf/httpd.conf|");
}
END_TEST

/* Temporaries stay out of directories in which httpd reads every file. */
START_TEST(bare_directory)
{
    source("Include conf.d\n");
    tree_put("conf.d/ports", "Listen 8080\n");
    rig_listen("8080", "::", 8080, "conf.d/ports", 1);
    ck_assert_int_eq(want(NULL), 1);
    ck_assert_int_eq(result.changes->nelts, 1);
    ck_assert_int_eq(APR_ARRAY_IDX(result.changes, 0,
                                   journal_change_t).stage_up, 1);
    source("Listen 8080\n");
    rig_listen("8080", "::", 8080, "conf/httpd.conf", 1);
    ck_assert_int_eq(want(NULL), 1);
    ck_assert_int_eq(APR_ARRAY_IDX(result.changes, 0,
                                   journal_change_t).stage_up, 0);
}
END_TEST

/* Where httpd has its Listen from the command line, or only of another
 * port, the main file's end and any Listen serve. */
START_TEST(no_http)
{
    source("User www\n");
    rig_listen("8080", "::", 8080, NULL, 0);
    ck_assert_int_eq(want(NULL), 1);
    ck_assert_str_eq(content(), filled("User www\n<IfModule ssl_module>\n"
                     "    Listen %d https\n</IfModule>\n"));
    source("Listen 8181\nUser www\n");
    rig_listen("8181", "::", 8181, "conf/httpd.conf", 1);
    ck_assert_int_eq(want(NULL), 1);
    ck_assert_str_eq(content(), filled("Listen 8181\n<IfModule ssl_module>\n"
                     "    Listen %d https\n</IfModule>\nUser www\n"));
}
END_TEST

/* --------------------------------------------------------------- enough */

/* What is there is not put again. */
START_TEST(covered)
{
    source("Listen 127.0.0.1:8080\n");
    rig_listen("127.0.0.1:8080", "127.0.0.1", 8080, "conf/httpd.conf", 1);
    rig_listen(filled("%d"), "::", tls, "conf/httpd.conf", 2);
    ck_assert_int_eq(want(NULL), 0);
    ck_assert_int_eq(want("127.0.0.1"), 0);
    ck_assert_int_eq(want("::1"), 0);
    /* No host, no wish. */
    rig_plan();
    ck_assert_int_eq(rig_manage(), 0);
}
END_TEST

/* Two for all addresses and one for one of them would overlap. */
START_TEST(overlap)
{
    source("Listen 8080\n");
    rig_listen("8080", "::", 8080, "conf/httpd.conf", 1);
    rig_listen(filled("127.0.0.1:%d"), "127.0.0.1", tls, "conf/httpd.conf",
               2);
    ck_assert_int_eq(want(NULL), 0);
    ck_assert_int_eq(result.warnings->nelts, 1);
    ck_assert_ptr_nonnull(strstr(APR_ARRAY_IDX(result.warnings, 0,
                                               const char *),
                                 "at 127.0.0.1 only"));
    /* One address beside another is no overlap. */
    ck_assert_int_eq(want("127.0.0.2"), 1);
    ck_assert_str_eq(content(), filled("Listen 8080\n<IfModule ssl_module>\n"
                     "    Listen 127.0.0.2:%d https\n</IfModule>\n"));
    ck_assert_int_eq(want("127.0.0.1"), 0);
}
END_TEST

/* Where IPv6 does not take IPv4, both are needed and both are made. */
START_TEST(not_mapped)
{
    source("Listen 8080\n");
    rig_listen("8080", "::", 8080, "conf/httpd.conf", 1);
    rig_add("listeners", json_pack("{s:s, s:i, s:n}", "address", "0.0.0.0",
                                   "port", 8080, "protocol"));
    rig_listen(filled("%d"), "::", tls, "conf/httpd.conf", 2);
    rig_add("listeners", json_pack("{s:s, s:i, s:n}", "address", "0.0.0.0",
                                   "port", tls, "protocol"));
    ck_assert_int_eq(want(NULL), 0);
    ck_assert_int_eq(want("127.0.0.1"), 0);
}
END_TEST

/* Two directives for all addresses of each kind are no such thing. */
START_TEST(two_kinds)
{
    source("Listen [::]:8080\nListen 0.0.0.0:8080\n");
    rig_listen("[::]:8080", "::", 8080, "conf/httpd.conf", 1);
    rig_listen("0.0.0.0:8080", "0.0.0.0", 8080, "conf/httpd.conf", 2);
    ck_assert_int_eq(want(NULL), 1);
    ck_assert_str_eq(content(), filled(
        "Listen [::]:8080\n<IfModule ssl_module>\n"
        "    Listen [::]:%d https\n</IfModule>\nListen 0.0.0.0:8080\n"));
}
END_TEST

/* Names and addresses of a link are compared as they are written. */
START_TEST(names)
{
    source("Listen localhost:8080\nListen [fe80::1%lo]:8080\n");
    rig_listen("localhost:8080", "127.0.0.1", 8080, "conf/httpd.conf", 1);
    rig_listen("[fe80::1%lo]:8080", "fe80::1", 8080, "conf/httpd.conf", 2);
    ck_assert_int_eq(want(NULL), 1);
    ck_assert_ptr_nonnull(strstr(content(), filled(
        "    Listen localhost:%d https\n"
        "    Listen [fe80::1%%lo]:%d https\n")));
    rig_listen(filled("LOCALHOST:%d https"), "127.0.0.1", tls,
               "conf/httpd.conf", 3);
    rig_listen(filled("[fe80::1%%lo]:%d https"), "::", tls,
               "conf/httpd.conf", 4);
    ck_assert_int_eq(want(NULL), 0);
}
END_TEST

/* ------------------------------------------------------------- waiting */

/** Debian's ports.conf, with mod_ssl not loaded. */
static void debian(const char *condition)
{
    source("");
    json_object_set_new(json_object_get(document, "modules"), "ssl",
                        json_false());
    tree_put("conf/httpd.conf", filled(apr_pstrcat(pool,
        "LoadModule a_module modules/a.so\nListen 8080\n", condition,
        "\n\tListen %d\n</IfModule>\n", NULL)));
    rig_listen("8080", "::", 8080, "conf/httpd.conf", 2);
}

static int want_with_ssl(void)
{
    rig_plan();
    plan_want_module(plan, "ssl", "for TLS");
    plan_want_listen(plan, NULL, tls);
    ck_assert_int_eq(rig_manage(), 1);
    return strstr(content(), " https\n") != NULL;
}

/* A Listen that mod_ssl wakes is as good as one of ours. */
START_TEST(waits_for_ssl)
{
    debian("<IfModule ssl_module>");
    ck_assert_int_eq(want_with_ssl(), 0);
    debian("<IfModule mod_ssl.c>");
    ck_assert_int_eq(want_with_ssl(), 0);
}
END_TEST

/* Others do not wake; of them is warned. */
START_TEST(waits_for_others)
{
    static const char *const conditions[] = {
        "<IfModule mod_gnutls.c>", "<IfModule !ssl_module>", NULL
    };
    int i;

    for (i = 0; conditions[i]; i++) {
        debian(conditions[i]);
        ck_assert_int_eq(want_with_ssl(), 1);
        ck_assert_int_eq(result.warnings->nelts, 1);
        ck_assert_ptr_nonnull(strstr(APR_ARRAY_IDX(result.warnings, 0,
                                                   const char *),
                                     "httpd.conf:4 would listen"));
    }
    debian("<IfModule ssl_module>\n<IfDefine SSL>\n</IfDefine>");
    ck_assert_int_eq(want_with_ssl(), 0);
}
END_TEST

/* SUSE's listen.conf wants -D SSL as well. */
START_TEST(waits_for_define)
{
    apr_array_header_t *defines = apr_array_make(pool, 1, sizeof(char *));
    int defined;

    for (defined = 0; defined < 2; defined++) {
        debian("<IfModule ssl_module>");
        tree_put("conf/httpd.conf", filled("Listen 8080\n<IfDefine SSL>\n"
                 "<IfDefine !NOSSL>\n<IfModule mod_ssl.c>\nListen %d\n"
                 "</IfModule>\n</IfDefine>\n</IfDefine>\n"));
        json_array_clear(json_object_get(rig_server(), "listen"));
        rig_listen("8080", "::", 8080, "conf/httpd.conf", 1);
        if (defined) {
            APR_ARRAY_PUSH(defines, const char *) = "SSL";
            options.defines = defines;
        }
        ck_assert_int_eq(want_with_ssl(), !defined);
    }
}
END_TEST

/* An <IfModule> before the line that loads mod_ssl would be false: where
 * Listen comes first, as in httpd's own file, it stands bare. */
START_TEST(before_ssl)
{
    static const char *const loads[] = {
        "LoadModule a_module modules/a.so\n",
        "#LoadModule ssl_module modules/mod_ssl.so\n",
        "Include conf/modules.d/*.conf\n",
        NULL
    };
    int i;

    for (i = 0; loads[i]; i++) {
        source("");
        json_object_set_new(json_object_get(document, "modules"), "ssl",
                            json_false());
        tree_put("conf/httpd.conf", apr_pstrcat(pool, "Listen 8080\n",
                                                loads[i], NULL));
        tree_put("conf/modules.d/00.conf", "LoadModule b_module b.so\n");
        rig_listen("8080", "::", 8080, "conf/httpd.conf", 1);
        options.module = NULL;
        rig_plan();
        plan_want_module(plan, "ssl", "for TLS");
        plan_want_listen(plan, NULL, tls);
        ck_assert_int_eq(rig_manage(), 1);
        ck_assert_msg(strstr(content(), filled("\nListen %d https\n"))
                      && !strstr(content(), "IfModule"), "%s", content());
    }
    /* The same where it is loaded already. */
    source("Listen 8080\nLoadModule ssl_module modules/mod_ssl.so\n");
    rig_listen("8080", "::", 8080, "conf/httpd.conf", 1);
    ck_assert_int_eq(want(NULL), 1);
    ck_assert_str_eq(content(), filled("Listen 8080\nListen %d https\n"
                     "LoadModule ssl_module modules/mod_ssl.so\n"));
    source("LoadModule ssl_module modules/mod_ssl.so\nListen 8080\n");
    rig_listen("8080", "::", 8080, "conf/httpd.conf", 2);
    ck_assert_int_eq(want(NULL), 1);
    ck_assert_str_eq(content(), filled(
                     "LoadModule ssl_module modules/mod_ssl.so\n"
                     "Listen 8080\n<IfModule ssl_module>\n"
                     "    Listen %d https\n</IfModule>\n"));
}
END_TEST

/* ---------------------------------------------------------------- ports */

/* Somebody else has the port: nothing is planned. */
START_TEST(taken)
{
    struct sockaddr_in v4 = { 0 };
    int fd;

    source("Listen 8080\n");
    rig_listen("8080", "::", 8080, "conf/httpd.conf", 1);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v4.sin_port = htons((unsigned short)tls);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&v4, sizeof(v4)), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    rig_plan();
    plan_want_listen(plan, NULL, tls);
    rig_refused(EADDRINUSE, "is held by");
    /* Even where httpd means to have it, but has it not. */
    if (geteuid() == 0) {
        rig_listen(filled("%d"), "::", tls, "conf/httpd.conf", 1);
        rig_plan();
        plan_want_listen(plan, NULL, tls);
        rig_refused(EADDRINUSE, "is held by");
    }
    /* And where mod_ssl would wake the Listen. */
    debian("<IfModule ssl_module>");
    v4.sin_port = htons((unsigned short)tls);
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&v4, sizeof(v4)), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    rig_plan();
    plan_want_module(plan, "ssl", "for TLS");
    plan_want_listen(plan, NULL, tls);
    rig_refused(EADDRINUSE, "is held by");
    close(fd);
}
END_TEST

START_TEST(foreign_address)
{
    source("Listen 192.0.2.77:8080\n");
    rig_listen("192.0.2.77:8080", "192.0.2.77", 8080, "conf/httpd.conf", 1);
    rig_plan();
    plan_want_listen(plan, NULL, tls);
    rig_refused(APR_EINVAL, "no address of this machine");
}
END_TEST

/* The file is not what httpd has read, or is somebody else's. */
START_TEST(not_ours)
{
    source("User www\nListen 8080\n");
    rig_listen("8080", "::", 8080, "conf/httpd.conf", 1);
    rig_plan();
    plan_want_listen(plan, NULL, tls);
    rig_refused(APR_ENOTIMPL, "the file has changed since");
    source("# Managed by Puppet\nListen 8080\n");
    rig_listen("8080", "::", 8080, "conf/httpd.conf", 2);
    rig_plan();
    plan_want_listen(plan, NULL, tls);
    rig_refused(APR_ENOTIMPL, "is written by Puppet");
    ck_assert_str_eq(configurator_paste(plan), filled(
        "<IfModule ssl_module>\nListen %d https\n</IfModule>"));
}
END_TEST

Suite *listen_suite(void)
{
    Suite *suite = suite_create("configurator/listen");
    TCase *tc = unit_case(suite, "listen");

    tcase_add_test(tc, like_http);
    tcase_add_test(tc, addresses);
    tcase_add_test(tc, one_address);
    tcase_add_test(tc, standard_port);
    tcase_add_test(tc, files);
    tcase_add_test(tc, bare_directory);
    tcase_add_test(tc, no_http);
    tcase_add_test(tc, covered);
    tcase_add_test(tc, overlap);
    tcase_add_test(tc, not_mapped);
    tcase_add_test(tc, two_kinds);
    tcase_add_test(tc, names);
    tcase_add_test(tc, waits_for_ssl);
    tcase_add_test(tc, waits_for_others);
    tcase_add_test(tc, waits_for_define);
    tcase_add_test(tc, before_ssl);
    tcase_add_test(tc, taken);
    tcase_add_test(tc, foreign_address);
    tcase_add_test(tc, not_ours);
    return suite;
}
