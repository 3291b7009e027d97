/* The files of a configuration, in httpd's order. */
#include "configurator/server.h"
#include "tree.h"

static walk_t *walk;

/** Walk over the tree's httpd.conf. @param modules  JSON, of a dump */
static void walk_with(const char *modules)
{
    walk_options_t options = { 0 };

    options.config = tree_path("httpd.conf");
    options.root = tree;
    options.modules = base_json_own(json_loads(modules, 0, NULL), pool);
    ck_assert_ptr_nonnull(options.modules);
    unit_ok(walk_run(&walk, &options, &err, pool));
}

/** Each line that was found: "name words", "#" before what is commented
 *  out, joined by "; ". */
static const char *found(void)
{
    const char *all = "";
    int i;

    for (i = 0; i < walk->lines->nelts; i++) {
        const walk_line_t *line = APR_ARRAY_IDX(walk->lines, i,
                                                walk_line_t *);

        all = apr_pstrcat(pool, all, i ? "; " : "",
                          line->commented ? "#" : "", line->name, " ",
                          apr_array_pstrcat(pool, line->words, ' '), NULL);
    }
    return all;
}

/** Whether the nth line is live. @param loaded  nullable */
static int live(int n, const char *loaded)
{
    apr_array_header_t *modules = apr_array_make(pool, 1, sizeof(char *));

    if (loaded) {
        APR_ARRAY_PUSH(modules, const char *) = loaded;
    }
    ck_assert_int_lt(n, walk->lines->nelts);
    return walk_is_live(walk, APR_ARRAY_IDX(walk->lines, n, walk_line_t *),
                        loaded ? modules : NULL);
}

/* Includes are followed where they stand: files, patterns in order of
 * names, directories, links, names below ServerRoot. */
START_TEST(order)
{
    tree_make();
    tree_put("httpd.conf", "Listen 1\nInclude one.conf\n"
             "IncludeOptional @/d/*.conf\nlisten 5\nInclude sub\n"
             "IncludeOptional nowhere/*.conf\nInclude gone.conf\n");
    tree_put("one.conf", "Listen 2\n");
    tree_put("d/b.conf", "Listen 4\n");
    tree_put("real", "Listen 3\n");
    tree_link("d/a.conf", "../real");
    tree_put("d/c.txt", "Listen 99\n");
    tree_put("sub/x/y", "Listen 6\n");
    walk_with("{}");
    ck_assert_str_eq(found(), apr_psprintf(pool,
        "Listen 1; Include one.conf; Listen 2; IncludeOptional %s/d/*.conf; "
        "Listen 3; Listen 4; listen 5; Include sub; Listen 6; "
        "IncludeOptional nowhere/*.conf; Include gone.conf", tree));
    ck_assert_int_eq(walk->files, 5);
}
END_TEST

/* A LoadModule line that is commented out is seen, prose about it not. */
START_TEST(comments)
{
    tree_make();
    tree_put("httpd.conf",
             "# LoadModule foo_module modules/mod_foo.so\n"
             "  ##LoadModule ssl_module \tmodules/mod_ssl.so\r\n"
             "# Example: LoadModule x_module y\n"
             "# LoadModule lines go here\n"
             "#LoadModule\n#Listen 1\n"
             "LoadModule so_module \"modules/mod so.so\"\n");
    walk_with("{}");
    ck_assert_str_eq(found(),
                     "#LoadModule foo_module modules/mod_foo.so; "
                     "#LoadModule ssl_module modules/mod_ssl.so; "
                     "LoadModule so_module modules/mod so.so");
}
END_TEST

/* Files with none of the lines are not scanned: one that no scanner takes
 * does no harm. */
START_TEST(others)
{
    tree_make();
    tree_put("httpd.conf", "Include *.inc\nListen 1\n");
    tree_put("a.inc", "<VirtualHost *:80>\nServerName a.example\n"
             "# listens\nListenBacklog 5\n</VirtualHost>\n");
    tree_put("b.inc", "</IfModule>\nListen 7\n");
    tree_put("c.inc", "");
    walk_with("{}");
    ck_assert_str_eq(found(), "Include *.inc; Listen 1");
}
END_TEST

/* Variables come from the environment and from Define. */
START_TEST(variables)
{
    tree_make();
    setenv("ACME_UNIT_DIR", "e", 1);
    tree_put("httpd.conf", "Define d_name d\nInclude ${d_name}.conf\n"
             "Include ${ACME_UNIT_DIR}.conf\nInclude ${no_such}.conf\n"
             "Include ${open\nUnDefine d_name\nInclude ${d_name}.conf\n"
             "<IfDefine nope>\nDefine no_such d\n</IfDefine>\n"
             "Include ${no_such}.conf\n");
    tree_put("d.conf", "Listen 1\n");
    tree_put("e.conf", "Listen 2\n");
    walk_with("{}");
    ck_assert_int_eq(walk->files, 3);
    ck_assert_ptr_null(walk_pattern(walk, APR_ARRAY_IDX(walk->lines, 6,
                                                        walk_line_t *),
                                    pool));
    unsetenv("ACME_UNIT_DIR");
}
END_TEST

/* Files that include themselves end somewhere. */
START_TEST(circle)
{
    tree_make();
    tree_put("httpd.conf", "Include httpd.conf\n");
    walk_with("{}");
    ck_assert_int_le(walk->files, 30);
}
END_TEST

/* Conditions around a line, and around the Include that leads to it. */
START_TEST(conditions)
{
    tree_make();
    tree_put("httpd.conf",
             "Listen 0\n"
             "<IfModule ssl_module>\nListen 1\n</IfModule>\n"
             "<IfModule mod_ssl.c>\nListen 2\nInclude in.conf\n</IfModule>\n"
             "<IfModule !ssl_module>\nListen 5\n</IfModule>\n"
             "<IfModule mod_gnutls.c>\nListen 6\n</IfModule>\n"
             "<IfDefine SSL>\n<IfModule ssl_module>\nListen 7\n"
             "</IfModule>\n</IfDefine>\n"
             "<IfDefine !NOSSL>\nListen 8\n</IfDefine>\n"
             "<IfVersion >= 2.4>\nListen 9\n</IfVersion>\n");
    tree_put("in.conf", "Listen 3\n<ifmodule headers_module>\nListen 4\n"
             "</ifmodule>\n");
    walk_with("{\"ssl\": false, \"headers\": false}");
    ck_assert_str_eq(found(), "Listen 0; Listen 1; Listen 2; "
                     "Include in.conf; Listen 3; Listen 4; Listen 5; "
                     "Listen 6; Listen 7; Listen 8; Listen 9");
    ck_assert_int_eq(live(0, NULL), 1);
    ck_assert_int_eq(live(1, NULL), 0);
    ck_assert_int_eq(live(1, "ssl"), 1);
    ck_assert_int_eq(live(2, "ssl"), 1);
    ck_assert_int_eq(live(4, NULL), 0);
    ck_assert_int_eq(live(4, "ssl"), 1);
    ck_assert_int_eq(live(5, "ssl"), 0);
    ck_assert_int_eq(live(6, NULL), 1);
    ck_assert_int_eq(live(6, "ssl"), 0);
    ck_assert_int_eq(live(7, "ssl"), -1);
    ck_assert_int_eq(live(8, "ssl"), 0);
    ck_assert_int_eq(live(9, NULL), 1);
    ck_assert_int_eq(live(10, NULL), -1);
}
END_TEST

/* What -D defines counts; so does a Define before, but none in a section
 * that does not hold. */
START_TEST(defines)
{
    walk_options_t options = { 0 };
    apr_array_header_t *given = apr_array_make(pool, 1, sizeof(char *));

    tree_make();
    tree_put("httpd.conf", "<IfDefine SSL>\nListen 1\n</IfDefine>\n"
             "<IfDefine LATE>\nListen 2\n</IfDefine>\n");
    APR_ARRAY_PUSH(given, const char *) = "SSL";
    options.config = tree_path("httpd.conf");
    options.root = tree;
    options.defines = given;
    options.modules = base_json_own(json_object(), pool);
    unit_ok(walk_run(&walk, &options, &err, pool));
    ck_assert_int_eq(live(0, NULL), 1);
    ck_assert_int_eq(live(1, NULL), 0);
}
END_TEST

/* A macro's lines are in force nowhere. */
START_TEST(macros)
{
    tree_make();
    tree_put("httpd.conf", "<Macro tls $p>\nListen $p\n</Macro>\n"
             "<VirtualHost *:80>\nInclude x.conf\n</VirtualHost>\n");
    tree_put("x.conf", "Listen 2\n");
    walk_with("{}");
    ck_assert_int_eq(live(0, NULL), 0);
    ck_assert_int_eq(live(2, NULL), 0);
}
END_TEST

/* Directories that are included as such, and those in them. */
START_TEST(directories)
{
    tree_make();
    tree_put("httpd.conf", "Include bare\nInclude links\n"
             "IncludeOptional some/*.conf\n");
    tree_put("bare/a/b/x.conf", "\n");
    tree_put("some/x.conf", "\n");
    tree_put("target/x", "\n");
    tree_link("links", "target");
    walk_with("{}");
    ck_assert_int_eq(walk_bare_levels(walk, tree_path("bare"), pool), 1);
    ck_assert_int_eq(walk_bare_levels(walk, tree_path("bare/a/b"), pool), 3);
    ck_assert_int_eq(walk_bare_levels(walk, tree_path("target"), pool), 1);
    ck_assert_int_eq(walk_bare_levels(walk, tree_path("some"), pool), 0);
    ck_assert_int_eq(walk_bare_levels(walk, tree, pool), 0);
    ck_assert_int_eq(walk_bare_levels(walk, tree_path("none"), pool), 0);
}
END_TEST

/* A main file that cannot be read is an error. */
START_TEST(no_main)
{
    walk_options_t options = { 0 };

    tree_make();
    options.config = tree_path("httpd.conf");
    options.root = tree;
    unit_fails(walk_run(&walk, &options, &err, pool), APR_ENOENT,
               "httpd.conf");
    base_err_clear(&err);
    tree_put("httpd.conf", "<IfModule x>\n");
    unit_fails(walk_run(&walk, &options, &err, pool), APR_EINVAL,
               "httpd.conf:1");
}
END_TEST

Suite *walk_suite(void)
{
    Suite *suite = suite_create("configurator/walk");
    TCase *tc = unit_case(suite, "walk");

    tcase_add_test(tc, order);
    tcase_add_test(tc, comments);
    tcase_add_test(tc, others);
    tcase_add_test(tc, variables);
    tcase_add_test(tc, circle);
    tcase_add_test(tc, conditions);
    tcase_add_test(tc, defines);
    tcase_add_test(tc, macros);
    tcase_add_test(tc, directories);
    tcase_add_test(tc, no_main);
    return suite;
}
