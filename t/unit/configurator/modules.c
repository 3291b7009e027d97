/* Modules are loaded the way the system does it. */
#include "server_rig.h"

/* --------------------------------------------------------------- Debian */

static void debian_module(const char *name, const char *comments)
{
    tree_put(apr_psprintf(pool, "mods-available/%s.load", name),
             apr_psprintf(pool, "%sLoadModule %s_module "
                          "@/modules/mod_%s.so\n", comments, name, name));
}

static void debian(void)
{
    tree_make();
    tree_put("apache2.conf", "IncludeOptional mods-enabled/*.load\n"
             "IncludeOptional mods-enabled/*.conf\nInclude ports.conf\n");
    tree_put("ports.conf", "Listen 80\n");
    tree_put("mods-enabled/.keep", "");
    debian_module("ssl", "# Depends: socache_shmcb\n");
    tree_put("mods-available/ssl.conf", "SSLSessionCache shmcb:x\n");
    debian_module("socache_shmcb", "");
    debian_module("headers", "");
    rig_make("apache2.conf");
    rig_plan();
}

/* Links, those of what it depends on first; the files stay as they are. */
START_TEST(debian_links)
{
    debian();
    plan_want_module(plan, "headers", "for HSTS");
    plan_want_module(plan, "ssl", "for TLS");
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_shown(result.changes),
        "symlink mods-enabled/socache_shmcb.load>"
        "../mods-available/socache_shmcb.load|"
        "symlink mods-enabled/ssl.conf>../mods-available/ssl.conf|"
        "symlink mods-enabled/ssl.load>../mods-available/ssl.load|"
        "symlink mods-enabled/headers.load>../mods-available/headers.load|");
    ck_assert_str_eq(rig_shown(result.early), "");
    ck_assert_int_eq(result.steps->nelts, 2);
}
END_TEST

/* mod_acme's .load is made where the system has none, and it is early. */
START_TEST(debian_acme)
{
    debian();
    plan->acme = 1;
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_shown(result.changes),
        "create mods-available/acme.load|"
        "symlink mods-enabled/acme.load>../mods-available/acme.load|");
    ck_assert_str_eq(rig_content(result.changes, "mods-available/acme.load"),
                     "LoadModule acme_module @/modules/mod_acme.so\n");
    ck_assert_str_eq(rig_shown(result.early), rig_shown(result.changes));
}
END_TEST

START_TEST(debian_acme_packaged)
{
    debian();
    debian_module("acme", "# Depends: headers\n");
    tree_put("mods-available/acme.conf", "ACMEAgreement accepted\n");
    plan->acme = 1;
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_shown(result.changes),
        "symlink mods-enabled/headers.load>../mods-available/headers.load|"
        "symlink mods-enabled/acme.conf>../mods-available/acme.conf|"
        "symlink mods-enabled/acme.load>../mods-available/acme.load|");
}
END_TEST

/* Its own file must be there. */
START_TEST(debian_missing)
{
    debian();
    plan->acme = 1;
    unlink(tree_path("modules/mod_acme.so"));
    rig_refused(APR_ENOENT, "install the package mod_acme");
    debian();
    plan_want_module(plan, "ssl", "for TLS");
    unlink(tree_path("modules/mod_ssl.so"));
    rig_refused(APR_ENOENT, "module ssl is not installed");
    debian();
    plan_want_module(plan, "headers", "for HSTS");
    tree_put("mods-enabled/headers.load", "mine\n");
    rig_refused(APR_EGENERAL, "is no link to");
}
END_TEST

/* What is loaded is no work, however it is loaded. */
START_TEST(loaded)
{
    debian();
    rig_loaded("ssl");
    rig_loaded("acme");
    rig_plan();
    plan_want_module(plan, "ssl", "for TLS");
    plan->acme = 1;
    ck_assert_int_eq(rig_manage(), 0);
    /* A dump that was given by mod_acme itself says nothing of it. */
    json_object_del(json_object_get(document, "modules"), "acme");
    rig_plan();
    plan->acme = 1;
    ck_assert_int_eq(rig_manage(), 0);
    /* Nor is what nobody asked for. */
    debian();
    ck_assert_int_eq(rig_manage(), 0);
}
END_TEST

/* -------------------------------------------------------------- sources */

/** The layout of httpd's own sources, with this main file. */
static void source(const char *text)
{
    tree_make();
    tree_put("conf/httpd.conf", text);
    rig_make("conf/httpd.conf");
    rig_plan();
}

/* A line that waits loses its mark; other new lines go behind the last. */
START_TEST(source_lines)
{
    source("ServerRoot \"@\"\nListen 80\n"
           "LoadModule authz_core_module modules/mod_authz_core.so\n"
           "#LoadModule socache_shmcb_module modules/mod_socache_shmcb.so\n"
           "#  LoadModule ssl_module   modules/mod_ssl.so\n"
           "LoadModule dir_module modules/mod_dir.so\n"
           "\nUser www\n#Include conf/ssl.conf\n");
    plan_want_module(plan, "ssl", "for TLS");
    plan_want_module(plan, "headers", "for HSTS");
    plan->acme = 1;
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_content(result.changes, "conf/httpd.conf"),
        "ServerRoot \"@\"\nListen 80\n"
        "LoadModule authz_core_module modules/mod_authz_core.so\n"
        "#LoadModule socache_shmcb_module modules/mod_socache_shmcb.so\n"
        "LoadModule ssl_module modules/mod_ssl.so\n"
        "LoadModule dir_module modules/mod_dir.so\n"
        "LoadModule headers_module modules/mod_headers.so\n"
        "LoadModule acme_module modules/mod_acme.so\n"
        "\nUser www\n#Include conf/ssl.conf\n");
    /* Early is only what has to be. */
    ck_assert_str_eq(rig_content(result.early, "conf/httpd.conf"),
        "ServerRoot \"@\"\nListen 80\n"
        "LoadModule authz_core_module modules/mod_authz_core.so\n"
        "#LoadModule socache_shmcb_module modules/mod_socache_shmcb.so\n"
        "#  LoadModule ssl_module   modules/mod_ssl.so\n"
        "LoadModule dir_module modules/mod_dir.so\n"
        "LoadModule acme_module modules/mod_acme.so\n"
        "\nUser www\n#Include conf/ssl.conf\n");
}
END_TEST

/* A session cache in what mod_ssl will read needs its module. */
START_TEST(session_cache)
{
    static const char *const mains[] = {
        "SSLSessionCache \"shmcb:logs/ssl(512000)\"\n",
        "SSLSessionCache dbm:logs/ssl\n",
        "#SSLSessionCache shmcb:logs/ssl\n",
        NULL
    };
    int i;

    for (i = 0; mains[i]; i++) {
        source(apr_pstrcat(pool, "LoadModule a_module modules/a.so\n"
                           "<IfModule ssl_module>\n", mains[i],
                           "</IfModule>\n", NULL));
        plan_want_module(plan, "ssl", "for TLS");
        ck_assert_int_eq(rig_manage(), 1);
        ck_assert_msg(!strstr(rig_content(result.changes, "conf/httpd.conf"),
                              "LoadModule socache_shmcb_module "
                              "modules/mod_socache_shmcb.so\n") == (i > 0),
                      "%s", mains[i]);
    }
}
END_TEST

/* A mark stays where the file it names is not there, or where httpd does
 * not look. */
START_TEST(wrong_marks)
{
    source("#LoadModule ssl_module old/mod_ssl.so\nListen 80\n"
           "<IfDefine NEVER>\n#LoadModule headers_module "
           "modules/mod_headers.so\n</IfDefine>\n");
    plan_want_module(plan, "ssl", "for TLS");
    plan_want_module(plan, "headers", "for HSTS");
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_content(result.changes, "conf/httpd.conf"),
        "#LoadModule ssl_module old/mod_ssl.so\n"
        "LoadModule ssl_module modules/mod_ssl.so\n"
        "LoadModule headers_module modules/mod_headers.so\nListen 80\n"
        "<IfDefine NEVER>\n#LoadModule headers_module "
        "modules/mod_headers.so\n</IfDefine>\n");
}
END_TEST

/* No LoadModule at all, CRLF, no end of line, a module beside mod_acme. */
START_TEST(bare_main)
{
    source("User www\r\nListen 80\r\n");
    json_object_set_new(rig_server(), "modules_dir", json_null());
    rig_plan();
    plan_want_module(plan, "ssl", "for TLS");
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_content(result.changes, "conf/httpd.conf"),
        "User www\r\nLoadModule ssl_module @/modules/mod_ssl.so\r\n"
        "Listen 80\r\n");
    source("User www");
    plan->acme = 1;
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_content(result.changes, "conf/httpd.conf"),
        "User www\nLoadModule acme_module @/modules/mod_acme.so");
}
END_TEST

START_TEST(source_missing)
{
    source("Listen 80\n#LoadModule ssl_module modules/mod_ssl.so\n");
    unlink(tree_path("modules/mod_ssl.so"));
    plan_want_module(plan, "ssl", "for TLS");
    rig_refused(APR_ENOENT, "module ssl is not installed");
}
END_TEST

/* A file that a panel writes is not touched; the text is there to paste. */
START_TEST(generated_main)
{
    source("# DO NOT EDIT THIS FILE\nListen 80\n");
    plan_want_module(plan, "ssl", "for TLS");
    rig_refused(APR_ENOTIMPL, "is written by another program");
    ck_assert_ptr_nonnull(strstr(configurator_paste(plan),
                                 "LoadModule ssl_module "));
}
END_TEST

/* -------------------------------------------------------------- snippets */

/** Fedora's tree. */
static void fedora(void)
{
    tree_make();
    tree_put("conf/httpd.conf", "ServerRoot \"@\"\nListen 80\n"
             "Include conf.modules.d/*.conf\n");
    tree_put("conf.modules.d/00-base.conf",
             "LoadModule dir_module modules/mod_dir.so\n"
             "#LoadModule headers_module modules/mod_headers.so\n");
    rig_make("conf/httpd.conf");
    rig_plan();
}

/* One file of ours beside those of the system. */
START_TEST(snippet)
{
    fedora();
    plan_want_module(plan, "ssl", "for TLS");
    plan_want_module(plan, "headers", "for HSTS");
    plan->acme = 1;
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_shown(result.changes),
                     "create conf.modules.d/90-acme.conf|"
                     "modify conf.modules.d/00-base.conf|");
    ck_assert_str_eq(rig_content(result.changes,
                                 "conf.modules.d/90-acme.conf"),
        "# Modules that acmectl loads.\n"
        "LoadModule ssl_module modules/mod_ssl.so\n"
        "LoadModule acme_module modules/mod_acme.so\n");
    ck_assert_str_eq(rig_content(result.changes,
                                 "conf.modules.d/00-base.conf"),
        "LoadModule dir_module modules/mod_dir.so\n"
        "LoadModule headers_module modules/mod_headers.so\n");
    /* Early is only what has to be. */
    ck_assert_str_eq(rig_shown(result.early),
                     "create conf.modules.d/90-acme.conf|");
    ck_assert_str_eq(rig_content(result.early,
                                 "conf.modules.d/90-acme.conf"),
        "# Modules that acmectl loads.\n"
        "LoadModule acme_module modules/mod_acme.so\n");
    fedora();
    plan_want_module(plan, "ssl", "for TLS");
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_shown(result.early), "");
}
END_TEST

/* It may be there already. */
START_TEST(snippet_again)
{
    fedora();
    tree_put("conf.modules.d/90-acme.conf", "# mine\n");
    plan->acme = 1;
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_shown(result.changes),
                     "modify conf.modules.d/90-acme.conf|");
    ck_assert_str_eq(rig_content(result.early,
                                 "conf.modules.d/90-acme.conf"),
        "# mine\nLoadModule acme_module modules/mod_acme.so\n");
}
END_TEST

Suite *modules_suite(void)
{
    Suite *suite = suite_create("configurator/modules");
    TCase *tc = unit_case(suite, "modules");

    tcase_add_test(tc, debian_links);
    tcase_add_test(tc, debian_acme);
    tcase_add_test(tc, debian_acme_packaged);
    tcase_add_test(tc, debian_missing);
    tcase_add_test(tc, loaded);
    tcase_add_test(tc, source_lines);
    tcase_add_test(tc, session_cache);
    tcase_add_test(tc, wrong_marks);
    tcase_add_test(tc, bare_main);
    tcase_add_test(tc, source_missing);
    tcase_add_test(tc, generated_main);
    tcase_add_test(tc, snippet);
    tcase_add_test(tc, snippet_again);
    return suite;
}
