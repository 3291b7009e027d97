/* Directives for the whole server, and where they go. */
#include "server_rig.h"

static configurator_settings_t settings;

/** A server whose main file has this text. */
static void source(const char *text)
{
    memset(&settings, 0, sizeof(settings));
    tree_make();
    tree_put("conf/httpd.conf", text);
    rig_make("conf/httpd.conf");
    rig_plan();
}

/** @return 1 if something is to be said */
static int say(void)
{
    int something = -1;

    unit_ok(configurator_settings(plan, &something, &settings, &err));
    return something;
}

static void refused(apr_status_t status, const char *says)
{
    int something = -1;

    unit_fails(configurator_settings(plan, &something, &settings, &err),
               status, says);
    base_err_clear(&err);
}

/* ----------------------------------------------------------------- said */

/* What the server says already is no work: the last one counts, a mail
 * address may have its scheme, a path its root. */
START_TEST(said)
{
    source("");
    rig_loaded("acme");
    rig_directive("ACMEContact", "mailto:old@main.example", "x", 1, NULL);
    rig_directive("ACMEContact", "admin@main.example", "x", 2, NULL);
    rig_directive("ACMEAgreement", "accepted", "x", 3, NULL);
    rig_directive("ACMECertificateAuthority",
                  "\"https://ca.example/dir\" https://two.example/", "x", 4,
                  NULL);
    rig_directive("ACMECACertificateFile", "conf/roots.pem", "x", 5, NULL);
    rig_plan();
    settings.agreement = 1;
    settings.ca = "https://ca.example/dir";
    settings.ca_certificate_file = tree_path("conf/roots.pem");
    settings.contact = "mailto:admin@main.example";
    ck_assert_int_eq(say(), 0);
    ck_assert_int_eq(rig_manage(), 0);
}
END_TEST

/* Nothing asked for, nothing done. */
START_TEST(nothing)
{
    source("");
    ck_assert_int_eq(say(), 0);
    ck_assert_int_eq(rig_manage(), 0);
}
END_TEST

/* A different value is somebody's decision. */
START_TEST(contradicted)
{
    source("");
    rig_loaded("acme");
    rig_directive("ACMEContact", "admin@main.example", "conf/a.conf", 7,
                  NULL);
    rig_directive("ACMECertificateAuthority", "letsencrypt", "conf/a.conf",
                  8, NULL);
    rig_directive("ACMEAgreement", "refused", "conf/a.conf", 9, NULL);
    rig_plan();
    settings.contact = "bob@main.example";
    refused(APR_ENOTIMPL, "conf/a.conf:7 says \"ACMEContact "
            "admin@main.example\"");
    ck_assert_str_eq(configurator_paste(plan),
                     "ACMEContact bob@main.example");
    settings.contact = NULL;
    settings.ca = "https://ca.example/dir";
    refused(APR_ENOTIMPL, "conf/a.conf:8");
    settings.ca = NULL;
    settings.agreement = 1;
    refused(APR_ENOTIMPL, "conf/a.conf:9");
}
END_TEST

/* What cannot be written is not. */
START_TEST(not_a_word)
{
    source("");
    settings.contact = "a@b\nListen 1";
    refused(APR_EINVAL, "cannot be an argument of ACMEContact");
    settings.contact = NULL;
    settings.ca = "https://${HOST}/";
    refused(APR_EINVAL, "cannot be an argument of ACMECertificateAuthority");
    ck_assert_int_eq(rig_manage(), 0);
}
END_TEST

/* A domain's own setting is not the server's. */
START_TEST(of_a_domain)
{
    source("LoadModule acme_module modules/mod_acme.so\n"
           "<ACMEDomain a.example>\nACMEAgreement accepted\n</ACMEDomain>\n");
    rig_loaded("acme");
    rig_directive("ACMEAgreement", "accepted", "conf/httpd.conf", 3,
                  "ACMEDomain a.example");
    rig_plan();
    settings.agreement = 1;
    ck_assert_int_eq(say(), 1);
    ck_assert_int_eq(say(), 0);
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_content(result.changes, "conf/httpd.conf"),
        "LoadModule acme_module modules/mod_acme.so\nACMEAgreement accepted\n"
        "<ACMEDomain a.example>\nACMEAgreement accepted\n</ACMEDomain>\n");
    ck_assert_str_eq(rig_shown(result.early), "");
}
END_TEST

/* ------------------------------------------------------------------ put */

static void all(void)
{
    settings.agreement = 1;
    settings.ca = "https://ca.example/dir";
    settings.ca_certificate_file = "/etc/my roots.pem";
    settings.contact = "admin@main.example";
}

#define ALL "ACMEAgreement accepted\n" \
    "ACMECertificateAuthority https://ca.example/dir\n" \
    "ACMECACertificateFile \"/etc/my roots.pem\"\n" \
    "ACMEContact admin@main.example\n"

/* With mod_acme they come, early as it is. */
START_TEST(with_module)
{
    source("LoadModule a_module modules/a.so\nListen 80\n");
    all();
    ck_assert_int_eq(say(), 1);
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_content(result.changes, "conf/httpd.conf"),
        "LoadModule a_module modules/a.so\n"
        "LoadModule acme_module modules/mod_acme.so\n" ALL "Listen 80\n");
    ck_assert_str_eq(rig_content(result.early, "conf/httpd.conf"),
                     rig_content(result.changes, "conf/httpd.conf"));
    source("#LoadModule acme_module modules/mod_acme.so\nListen 80\n");
    all();
    ck_assert_int_eq(say(), 1);
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_content(result.early, "conf/httpd.conf"),
        "LoadModule acme_module modules/mod_acme.so\n" ALL "Listen 80\n");
}
END_TEST

/* Beside their like they stand, in the file and the section of those. */
START_TEST(beside)
{
    source("LoadModule acme_module modules/mod_acme.so\nInclude a.conf\n");
    tree_put("a.conf", "<IfModule acme_module>\n\tACMEManager \\\n\ton\n"
             "</IfModule>\n");
    rig_loaded("acme");
    rig_directive("ACMEManager", "on", "a.conf", 3, NULL);
    rig_directive("ACMEDomain", "a.example", "b.conf", 9, NULL);
    rig_plan();
    settings.agreement = 1;
    ck_assert_int_eq(say(), 1);
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_content(result.changes, "a.conf"),
        "<IfModule acme_module>\n\tACMEManager \\\n\ton\n"
        "\tACMEAgreement accepted\n</IfModule>\n");
}
END_TEST

/* A dump that is older than the file. */
START_TEST(moved)
{
    source("Include a.conf\n");
    tree_put("a.conf", "\nACMEManager on\n");
    rig_loaded("acme");
    rig_directive("ACMEManager", "on", "a.conf", 1, NULL);
    rig_plan();
    settings.agreement = 1;
    ck_assert_int_eq(say(), 1);
    rig_refused(APR_ENOTIMPL, "the file has changed since");
}
END_TEST

/* Who loads mod_acme on the command line gets a section at the end. */
START_TEST(nowhere)
{
    source("Listen 80");
    rig_loaded("acme");
    rig_plan();
    settings.agreement = 1;
    ck_assert_int_eq(say(), 1);
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_content(result.changes, "conf/httpd.conf"),
        "Listen 80\n<IfModule acme_module>\n    ACMEAgreement accepted\n"
        "</IfModule>");
}
END_TEST

/* --------------------------------------------------------------- Debian */

static void debian(void)
{
    memset(&settings, 0, sizeof(settings));
    tree_make();
    tree_put("apache2.conf", "IncludeOptional mods-enabled/*.load\n"
             "IncludeOptional mods-enabled/*.conf\nListen 80\n");
    tree_put("mods-enabled/.keep", "");
    tree_put("mods-available/.keep", "");
    rig_make("apache2.conf");
    rig_plan();
}

START_TEST(debian_new)
{
    debian();
    all();
    ck_assert_int_eq(say(), 1);
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_shown(result.changes),
        "create mods-available/acme.load|create mods-available/acme.conf|"
        "symlink mods-enabled/acme.load>../mods-available/acme.load|"
        "symlink mods-enabled/acme.conf>../mods-available/acme.conf|");
    ck_assert_str_eq(rig_content(result.changes, "mods-available/acme.conf"),
        "# mod_acme: settings of the whole server.\n"
        "<IfModule acme_module>\n"
        "    ACMEAgreement accepted\n"
        "    ACMECertificateAuthority https://ca.example/dir\n"
        "    ACMECACertificateFile \"/etc/my roots.pem\"\n"
        "    ACMEContact admin@main.example\n"
        "</IfModule>\n");
    ck_assert_str_eq(rig_shown(result.early), rig_shown(result.changes));
}
END_TEST

/* Its file may be there, linked or not. */
START_TEST(debian_again)
{
    int linked;

    for (linked = 0; linked < 2; linked++) {
        debian();
        tree_put("mods-available/acme.load",
                 "LoadModule acme_module @/modules/mod_acme.so\n");
        tree_put("mods-available/acme.conf", "# mine\n");
        tree_link("mods-enabled/acme.load", "../mods-available/acme.load");
        if (linked) {
            tree_link("mods-enabled/acme.conf",
                      "../mods-available/acme.conf");
        }
        rig_loaded("acme");
        rig_plan();
        settings.agreement = 1;
        ck_assert_int_eq(say(), 1);
        ck_assert_int_eq(rig_manage(), 1);
        ck_assert_str_eq(rig_shown(result.changes), linked
            ? "modify mods-available/acme.conf|"
            : "symlink mods-enabled/acme.conf>../mods-available/acme.conf|"
              "modify mods-available/acme.conf|");
        ck_assert_str_eq(rig_content(result.changes,
                                     "mods-available/acme.conf"),
            "# mine\n<IfModule acme_module>\n    ACMEAgreement accepted\n"
            "</IfModule>\n");
        ck_assert_str_eq(rig_shown(result.early), "");
    }
}
END_TEST

START_TEST(debian_refused)
{
    debian();
    rig_loaded("acme");
    rig_plan();
    tree_put("mods-enabled/acme.conf", "mine\n");
    settings.agreement = 1;
    ck_assert_int_eq(say(), 1);
    rig_refused(APR_EGENERAL, "is no link to");
    debian();
    rig_loaded("acme");
    rig_plan();
    tree_put("mods-available/acme.conf", "# This file is managed by Puppet."
             " DO NOT EDIT.\n");
    settings.agreement = 1;
    ck_assert_int_eq(say(), 1);
    rig_refused(APR_ENOTIMPL, "is written by Puppet");
    ck_assert_ptr_nonnull(strstr(configurator_paste(plan),
                                 "ACMEAgreement accepted"));
}
END_TEST

/* ------------------------------------------------------------- stapling */

/* A place for OCSP responses, where httpd can write. */
START_TEST(stapling)
{
    source("LoadModule a_module modules/a.so\nListen 80\n");
    plan->stapling_cache = 1;
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_content(result.changes, "conf/httpd.conf"),
        "LoadModule a_module modules/a.so\n"
        "LoadModule socache_shmcb_module modules/mod_socache_shmcb.so\n"
        "Listen 80\n<IfModule ssl_module>\n"
        "    SSLStaplingCache shmcb:@/run/ssl_stapling(131072)\n"
        "</IfModule>\n");
    ck_assert_str_eq(rig_shown(result.early), "");
}
END_TEST

/* One that mod_ssl wakes is enough; one that it does not wake is not. */
START_TEST(stapling_waits)
{
    source("LoadModule a_module modules/a.so\n<IfModule ssl_module>\n"
           "SSLStaplingCache shmcb:x\n</IfModule>\n");
    plan_want_module(plan, "ssl", "for TLS");
    plan->stapling_cache = 1;
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_ptr_null(strstr(rig_content(result.changes, "conf/httpd.conf"),
                              "ssl_stapling"));
    source("LoadModule a_module modules/a.so\n<IfDefine NO>\n"
           "SSLStaplingCache shmcb:x\n</IfDefine>\n");
    plan->stapling_cache = 1;
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_ptr_nonnull(strstr(rig_content(result.changes,
                                             "conf/httpd.conf"),
                                 "ssl_stapling"));
}
END_TEST

START_TEST(stapling_debian)
{
    debian();
    rig_loaded("acme");
    rig_loaded("socache_shmcb");
    rig_plan();
    setenv("APACHE_RUN_DIR", "/run/apache2", 1);
    plan->stapling_cache = 1;
    ck_assert_int_eq(rig_manage(), 1);
    unsetenv("APACHE_RUN_DIR");
    ck_assert_str_eq(rig_content(result.changes, "mods-available/acme.conf"),
        "# mod_acme: settings of the whole server.\n"
        "<IfModule ssl_module>\n"
        "    SSLStaplingCache shmcb:${APACHE_RUN_DIR}/ssl_stapling(131072)\n"
        "</IfModule>\n");
}
END_TEST

/* What is early goes again if the order fails, and httpd would not live
 * through the loss of its cache: that is never early. */
START_TEST(stapling_is_late)
{
    debian();
    rig_loaded("socache_shmcb");
    rig_plan();
    settings.agreement = 1;
    ck_assert_int_eq(say(), 1);
    plan->stapling_cache = 1;
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_ptr_nonnull(strstr(rig_content(result.changes,
                                             "mods-available/acme.conf"),
                                 "SSLStaplingCache"));
    ck_assert_str_eq(rig_content(result.early, "mods-available/acme.conf"),
        "# mod_acme: settings of the whole server.\n"
        "<IfModule acme_module>\n    ACMEAgreement accepted\n"
        "</IfModule>\n");
    ck_assert_int_eq(result.early->nelts, result.changes->nelts);
    /* Without settings its file is not needed early. */
    debian();
    rig_loaded("socache_shmcb");
    rig_plan();
    plan->acme = 1;
    plan->stapling_cache = 1;
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_shown(result.early),
        "create mods-available/acme.load|"
        "symlink mods-enabled/acme.load>../mods-available/acme.load|");
    /* The same where the file is there. */
    debian();
    rig_loaded("socache_shmcb");
    rig_plan();
    tree_put("mods-available/acme.conf", "# mine\n");
    settings.agreement = 1;
    ck_assert_int_eq(say(), 1);
    plan->stapling_cache = 1;
    ck_assert_int_eq(rig_manage(), 1);
    ck_assert_str_eq(rig_content(result.early, "mods-available/acme.conf"),
        "# mine\n<IfModule acme_module>\n    ACMEAgreement accepted\n"
        "</IfModule>\n");
    ck_assert_str_eq(rig_content(result.changes, "mods-available/acme.conf"),
        "# mine\n<IfModule acme_module>\n    ACMEAgreement accepted\n"
        "</IfModule>\n<IfModule ssl_module>\n    SSLStaplingCache "
        "shmcb:@/run/ssl_stapling(131072)\n</IfModule>\n");
}
END_TEST

Suite *settings_suite(void)
{
    Suite *suite = suite_create("configurator/settings");
    TCase *tc = unit_case(suite, "settings");

    tcase_add_test(tc, said);
    tcase_add_test(tc, nothing);
    tcase_add_test(tc, contradicted);
    tcase_add_test(tc, not_a_word);
    tcase_add_test(tc, of_a_domain);
    tcase_add_test(tc, with_module);
    tcase_add_test(tc, beside);
    tcase_add_test(tc, moved);
    tcase_add_test(tc, nowhere);
    tcase_add_test(tc, debian_new);
    tcase_add_test(tc, debian_again);
    tcase_add_test(tc, debian_refused);
    tcase_add_test(tc, stapling);
    tcase_add_test(tc, stapling_waits);
    tcase_add_test(tc, stapling_debian);
    tcase_add_test(tc, stapling_is_late);
    return suite;
}
