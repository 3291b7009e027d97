/* How a system loads modules: Debian, Fedora, FreeBSD, the sources. */
#include "configurator/server.h"
#include "tree.h"

static walk_t *walk;
static layout_t *layout;

/** Look at the tree with this main file. */
static void look(const char *config)
{
    walk_options_t options = { 0 };

    options.config = tree_path(config);
    options.root = tree;
    options.modules = base_json_own(json_object(), pool);
    unit_ok(walk_run(&walk, &options, &err, pool));
    layout = layout_find(walk, pool);
}

/** A .load file and the module's own. */
static void module(const char *name, const char *comments)
{
    const char *so = apr_psprintf(pool, "modules/mod_%s.so", name);

    tree_put(so, "");
    tree_put(apr_psprintf(pool, "mods-available/%s.load", name),
             apr_psprintf(pool, "%sLoadModule %s_module @/%s\n", comments,
                          name, so));
}

/** Debian's tree, with a few modules. */
static void debian(void)
{
    tree_make();
    tree_put("apache2.conf", "IncludeOptional mods-enabled/*.load\n"
             "IncludeOptional mods-enabled/*.conf\nInclude ports.conf\n");
    tree_put("ports.conf", "Listen 80\n");
    tree_put("mods-enabled/.keep", "");
    module("ssl", "# Depends: setenvif mime socache_shmcb\n");
    tree_put("mods-available/ssl.conf", "SSLProtocol all\n");
    module("setenvif", "");
    tree_put("mods-available/setenvif.conf", "\n");
    module("mime", "");
    module("socache_shmcb", "");
    module("headers", "");
    look("apache2.conf");
}

static layout_links_t links_new(void)
{
    layout_links_t links = { 0 };

    links.layout = layout;
    links.root = tree;
    links.links = apr_array_make(pool, 4, sizeof(layout_link_t));
    links.modules = apr_array_make(pool, 4, sizeof(char *));
    return links;
}

/** The links, "NAME>TARGET" joined by blanks. */
static const char *shown(const layout_links_t *links)
{
    const char *all = "";
    int i;

    for (i = 0; i < links->links->nelts; i++) {
        const layout_link_t *link = &APR_ARRAY_IDX(links->links, i,
                                                   layout_link_t);

        ck_assert(strncmp(link->path, layout->enabled,
                          strlen(layout->enabled)) == 0);
        all = apr_pstrcat(pool, all, i ? " " : "",
                          strrchr(link->path, '/') + 1, ">", link->target,
                          NULL);
    }
    return all;
}

/** It is refused, and nothing was to be linked of it itself. */
static void refused(const char *name, apr_status_t status, const char *says)
{
    layout_links_t links = links_new();

    unit_fails(layout_enable(&links, name, &err, pool), status, says);
    base_err_clear(&err);
}

/* ------------------------------------------------------------- find out */

/* Debian's way is where both directories are, and something includes the
 * one of links. */
START_TEST(find_debian)
{
    debian();
    ck_assert_int_eq(layout->kind, LAYOUT_LINKS);
    ck_assert_str_eq(layout->available, tree_path("mods-available"));
    ck_assert_str_eq(layout->enabled, tree_path("mods-enabled"));
}
END_TEST

START_TEST(not_debian)
{
    static const char *const mains[] = {
        "Listen 80\n",
        "IncludeOptional mods-enabled/*.load\n",
        "IncludeOptional mods-enabled/*.conf\n",
        "#IncludeOptional mods-enabled/*.load\nInclude mods-enabled/*.conf\n",
        "<IfDefine X>\nInclude mods-enabled/*\n</IfDefine>\n",
        "Include other/mods-enabled/*\n",
        NULL
    };
    int i;

    tree_make();
    tree_put("mods-available/ssl.load", "\n");
    tree_put("mods-enabled/.keep", "");
    for (i = 0; mains[i]; i++) {
        tree_put("httpd.conf", mains[i]);
        look("httpd.conf");
        ck_assert_msg(layout->kind == LAYOUT_MAIN, "%s", mains[i]);
    }
    tree_put("sub/httpd.conf", "Include mods-enabled/*\n");
    look("sub/httpd.conf");
    ck_assert_int_eq(layout->kind, LAYOUT_MAIN);
}
END_TEST

/* Fedora and its like: a directory of snippets, each included by name. */
START_TEST(find_fedora)
{
    tree_make();
    tree_put("conf/httpd.conf", "ServerRoot \"@\"\nListen 80\n"
             "Include conf.modules.d/*.conf\nUser apache\n"
             "IncludeOptional conf.d/*.conf\n");
    tree_put("conf.modules.d/00-base.conf",
             "LoadModule headers_module modules/mod_headers.so\n");
    look("conf/httpd.conf");
    ck_assert_int_eq(layout->kind, LAYOUT_DIRECTORY);
    ck_assert_str_eq(layout->snippet,
                     tree_path("conf.modules.d/90-acme.conf"));
}
END_TEST

/* FreeBSD's pattern wants three digits. */
START_TEST(find_freebsd)
{
    tree_make();
    tree_put("etc/apache24/httpd.conf", "Listen 80\n"
             "LoadModule mime_module libexec/apache24/mod_mime.so\n"
             "IncludeOptional etc/apache24/modules.d/"
             "[0-9][0-9][0-9]_*.conf\n");
    tree_put("etc/apache24/modules.d/README_modules.d", "");
    look("etc/apache24/httpd.conf");
    ck_assert_int_eq(layout->kind, LAYOUT_DIRECTORY);
    ck_assert_str_eq(layout->snippet,
                     tree_path("etc/apache24/modules.d/900_mod_acme.conf"));
}
END_TEST

/* A directory that is no such, or whose pattern lets no name of ours in,
 * or is not included for certain. */
START_TEST(no_directory)
{
    static const char *const mains[] = {
        "Include conf.d/*.conf\n",
        "Include conf.modules.d/00-base.conf\n",
        "Include conf.modules.d/[0-9][0-9]-mod*.conf\n",
        "IncludeOptional missing/conf.modules.d/*.conf\n",
        "Include mymodules.d/*.conf\n",
        "#Include conf.modules.d/*.conf\n",
        "<IfModule foo_module>\nInclude conf.modules.d/*.conf\n"
        "</IfModule>\n",
        NULL
    };
    int i;

    tree_make();
    tree_put("conf.modules.d/00-base.conf", "\n");
    tree_put("mymodules.d/a.conf", "\n");
    tree_put("conf.d/a.conf", "\n");
    for (i = 0; mains[i]; i++) {
        tree_put("httpd.conf", mains[i]);
        look("httpd.conf");
        ck_assert_msg(layout->kind == LAYOUT_MAIN, "%s", mains[i]);
    }
}
END_TEST

/* ------------------------------------------------------------- a2enmod */

/* What a module depends on comes first; of each its settings before it. */
START_TEST(enable)
{
    layout_links_t links;

    debian();
    tree_link("mods-enabled/mime.load", "../mods-available/mime.load");
    links = links_new();
    unit_ok(layout_enable(&links, "ssl", &err, pool));
    ck_assert_str_eq(shown(&links),
        "setenvif.conf>../mods-available/setenvif.conf "
        "setenvif.load>../mods-available/setenvif.load "
        "socache_shmcb.load>../mods-available/socache_shmcb.load "
        "ssl.conf>../mods-available/ssl.conf "
        "ssl.load>../mods-available/ssl.load");
    ck_assert_int_eq(links.modules->nelts, 4);
    /* Again, and another with nothing around it. */
    unit_ok(layout_enable(&links, "ssl", &err, pool));
    unit_ok(layout_enable(&links, "headers", &err, pool));
    ck_assert_int_eq(links.links->nelts, 6);
}
END_TEST

/* What is enabled needs nothing, whatever spells its link. */
START_TEST(enabled)
{
    layout_links_t links;

    debian();
    tree_link("mods-enabled/headers.load",
              tree_path("mods-available/headers.load"));
    links = links_new();
    unit_ok(layout_enable(&links, "headers", &err, pool));
    ck_assert_str_eq(shown(&links), "");
}
END_TEST

/* Only the comment lines at the top are read, and the first that matches. */
START_TEST(depends)
{
    layout_links_t links;

    debian();
    module("headers", "#Depends: nothing\n\n# Depends: mime\n"
           "# Depends: nobody\n");
    module("mime", "LoadModule mime_module @/modules/mod_mime.so\n"
           "# Depends: nobody\n");
    module("a", "# Depends: b\n");
    module("b", "# Depends: a\n");
    links = links_new();
    unit_ok(layout_enable(&links, "headers", &err, pool));
    unit_ok(layout_enable(&links, "a", &err, pool));
    ck_assert_str_eq(shown(&links),
        "mime.load>../mods-available/mime.load "
        "headers.load>../mods-available/headers.load "
        "b.load>../mods-available/b.load a.load>../mods-available/a.load");
}
END_TEST

/* Something stands in the way. */
START_TEST(in_the_way)
{
    debian();
    tree_put("mods-enabled/headers.load", "LoadModule x y\n");
    refused("headers", APR_EGENERAL, "is no link to");
    tree_link("mods-enabled/mime.load", "../mods-available/headers.load");
    refused("mime", APR_EGENERAL, "is no link to");
    tree_link("mods-enabled/setenvif.load", "nowhere");
    refused("setenvif", APR_EGENERAL, "is no link to");
    refused("ssl", APR_EGENERAL, "module ssl needs another");
}
END_TEST

START_TEST(conflicts)
{
    debian();
    module("headers", "# Conflicts: footers other\n");
    module("other", "");
    tree_link("mods-enabled/other.load", "../mods-available/other.load");
    refused("headers", APR_EGENERAL, "a2dismod other");
}
END_TEST

/* Not installed: the .load file, the module, what it depends on. */
START_TEST(not_installed)
{
    debian();
    refused("md", APR_ENOENT, "module md is not installed");
    unlink(tree_path("modules/mod_headers.so"));
    refused("headers", APR_ENOENT, "mod_headers.so");
    unlink(tree_path("mods-available/socache_shmcb.load"));
    refused("ssl", APR_ENOENT, "socache_shmcb");
}
END_TEST

/* ---------------------------------------------------------- LoadModule */

/* The line that loads a module, and the one that would. */
START_TEST(lines)
{
    tree_make();
    tree_put("httpd.conf", "LoadModule acme_module modules/mod_acme.so\n"
             "#LoadModule ssl_module modules/mod_ssl.so\n"
             "<IfDefine X>\nLoadModule md_module m/mod_md.so\n"
             "#LoadModule headers_module m/mod_headers.so\n</IfDefine>\n"
             "<IfModule foo_module>\n"
             "LoadModule a_module m/a.so\n#LoadModule b_module m/b.so\n"
             "</IfModule>\n");
    look("httpd.conf");
    ck_assert_ptr_nonnull(layout_line(walk, "acme", 0));
    ck_assert_ptr_nonnull(layout_line(walk, "ssl", 1));
    ck_assert_ptr_nonnull(layout_line(walk, "a", 0));
    ck_assert_ptr_null(layout_line(walk, "ssl", 0));
    ck_assert_ptr_null(layout_line(walk, "acme", 1));
    ck_assert_ptr_null(layout_line(walk, "md", 0));
    ck_assert_ptr_null(layout_line(walk, "headers", 1));
    ck_assert_ptr_null(layout_line(walk, "b", 1));
    ck_assert_ptr_null(layout_line(walk, "acm", 0));
}
END_TEST

/** The place for a LoadModule line in a main file of this text. */
static int place(const char *text)
{
    tree_put("httpd.conf", text);
    look("httpd.conf");
    return layout_place(walk);
}

/* Behind the last LoadModule and what is around it; else before the first
 * thing that may need it. */
START_TEST(places)
{
    tree_make();
    ck_assert_int_eq(place("LoadModule a_module a\nLoadModule b_module b\n"
                           "Listen 80\n"), 2);
    ck_assert_int_eq(place("Listen 80\nLoadModule a_module a\n"
                           "<IfModule !x>\n<IfModule y>\n"
                           "LoadModule b_module b\n</IfModule>\n"
                           "</IfModule>\nUser x\n"), 7);
    ck_assert_int_eq(place("User x\nListen 80\n<Directory />\n"
                           "</Directory>\n"), 1);
    ck_assert_int_eq(place("User x\n<IfDefine x>\nListen 80\n</IfDefine>\n"),
                     1);
    ck_assert_int_eq(place("User x\nLoadModule a_module a"), -1);
    ck_assert_int_eq(place("User x\n#LoadModule a_module a\n"), -1);
    ck_assert_int_eq(place(""), -1);
}
END_TEST

/* A path is written as its neighbours are. */
START_TEST(spelling)
{
    const char *file;

    tree_make();
    tree_put("libexec/mod_ssl.so", "");
    tree_put("other/mod_x.so", "");
    file = tree_path("libexec/mod_ssl.so");
    place("LoadModule a_module libexec/mod_a.so\n"
          "LoadModule x_module other/mod_x.so\n");
    ck_assert_str_eq(layout_spelling(walk, file, pool),
                     "libexec/mod_ssl.so");
    place("#LoadModule ssl_module libexec/mod_ssl.so\n");
    ck_assert_str_eq(layout_spelling(walk, file, pool),
                     "libexec/mod_ssl.so");
    place("LoadModule a_module @/libexec/mod_a.so\n"
          "LoadModule x_module other/mod_x.so\n"
          "LoadModule y_module ${dir}/mod_y.so\nLoadModule z_module z.so\n");
    ck_assert_str_eq(layout_spelling(walk, file, pool), file);
}
END_TEST

/* -------------------------------------------------------------- package */

/** What is said of a module on a system of that os-release. */
static const char *missing(const char *name, const char *os_release)
{
    tree_put("os-release", os_release);
    base_err_clear(&err);
    ck_assert_int_eq(layout_missing(name, "/m/mod.so",
                                    tree_path("os-release"), &err, pool),
                     APR_ENOENT);
    return strrchr(err.message, ':') + 2;
}

START_TEST(package)
{
    tree_make();
    ck_assert_str_eq(missing("ssl", "NAME=\"Fedora Linux\"\nID=fedora\n"),
                     "install the package mod_ssl");
    ck_assert_str_eq(missing("ssl", "ID=\"almalinux\"\n"
                             "ID_LIKE=\"rhel centos fedora\"\n"),
                     "install the package mod_ssl");
    ck_assert_str_eq(missing("headers", "ID=\"rhel\"\nID_LIKE=\"fedora\"\n"),
                     "install the package httpd");
    ck_assert_str_eq(missing("ssl", "ID=debian\n"),
                     "install the package apache2");
    ck_assert_str_eq(missing("ssl", "ID=\"opensuse-leap\"\n"
                             "ID_LIKE=\"suse opensuse\"\n"),
                     "install the package apache2");
    ck_assert_str_eq(missing("ssl", "ID='alpine'\n"),
                     "install the package apache2-ssl");
    ck_assert_str_eq(missing("acme", "ID=debian\n"),
                     "install the package mod_acme");
    ck_assert_str_eq(missing("ssl", "ID=plan9\nVARIANT_ID=debian\n"),
                     "install it, or build httpd with it");
    ck_assert_str_eq(missing("ssl", ""),
                     "install it, or build httpd with it");
    ck_assert_str_eq(missing("ssl", "ID\nnonsense\nID_LIKE=\n"),
                     "install it, or build httpd with it");
    unlink(tree_path("os-release"));
    base_err_clear(&err);
    unit_fails(layout_missing("ssl", "/m/mod.so", tree_path("os-release"),
                              &err, pool), APR_ENOENT, "build httpd");
}
END_TEST

Suite *layout_suite(void)
{
    Suite *suite = suite_create("configurator/layout");
    TCase *tc = unit_case(suite, "layout");

    tcase_add_test(tc, find_debian);
    tcase_add_test(tc, not_debian);
    tcase_add_test(tc, find_fedora);
    tcase_add_test(tc, find_freebsd);
    tcase_add_test(tc, no_directory);
    tcase_add_test(tc, enable);
    tcase_add_test(tc, enabled);
    tcase_add_test(tc, depends);
    tcase_add_test(tc, in_the_way);
    tcase_add_test(tc, conflicts);
    tcase_add_test(tc, not_installed);
    tcase_add_test(tc, lines);
    tcase_add_test(tc, places);
    tcase_add_test(tc, spelling);
    tcase_add_test(tc, package);
    return suite;
}
