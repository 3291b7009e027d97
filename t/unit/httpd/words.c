/* One directive in the text of a configuration that httpd refuses. */
#include <unistd.h>
#include <sys/stat.h>

#include <apr_strings.h>

#include "httpd/rig.h"
#include "unit.h"

static const char *dir;
static httpd_args_t args;

static void setup(void)
{
    unit_setup();
    dir = rig_dir(pool);
    memset(&args, 0, sizeof(args));
    args.binary = rig_path(dir, "none", pool);
    args.root = dir;
    args.config = "main.conf";
}

/** What main.conf of this text says; NULL for nothing. */
static const char *found(const char *text)
{
    const char *value = NULL, *where = NULL;
    apr_status_t rv;

    rig_file(dir, "main.conf", text, pool);
    rv = httpd_word_find(&value, &where, &args, "ACMEStoreDir", pool);
    ck_assert_int_eq(rv, value ? APR_SUCCESS : APR_ENOENT);
    return value;
}

/* A value may be quoted, and case does not matter; comments, other
 * directives and longer names do not count. */
START_TEST(values)
{
    ck_assert_str_eq(found("ACMEStoreDir /a/b"), "/a/b");
    ck_assert_str_eq(found("\t acmestoredir\t/a/b  more\r\nx y\n"), "/a/b");
    ck_assert_str_eq(found("ACMEStoreDir \"/a b/\\\"c\"\n"), "/a b/\"c");
    ck_assert_str_eq(found("ACMEStoreDir '/a b'\n"), "/a b");
    ck_assert_ptr_null(found("#ACMEStoreDir /a\n# ACMEStoreDir /a\n"));
    ck_assert_ptr_null(found("ACMEStoreDirs /a\nStore ACMEStoreDir /a\n"));
    ck_assert_ptr_null(found("ACMEStoreDir\nACMEStoreDir \"\"\n"));
    ck_assert_ptr_null(found("ACMEStoreDir ${STORE}/x\n"));
    ck_assert_ptr_null(found(""));
}
END_TEST

/* The last one counts, and it is told where it stands. */
START_TEST(the_last_counts)
{
    const char *value, *where;

    rig_file(dir, "main.conf", "ACMEStoreDir /a\n\nACMEStoreDir /b\nx\n",
             pool);
    unit_ok(httpd_word_find(&value, &where, &args, "ACMEStoreDir", pool));
    ck_assert_str_eq(value, "/b");
    ck_assert_str_eq(where, apr_psprintf(pool, "%s/main.conf:3", dir));
}
END_TEST

/* Includes are followed where they stand: files, patterns, directories;
 * one that is not there is nothing. */
START_TEST(includes)
{
    const char *sub = rig_path(dir, "sub", pool);

    ck_assert_int_eq(mkdir(sub, 0755), 0);
    rig_file(sub, "a.conf", "ACMEStoreDir /a\n", pool);
    rig_file(sub, "b.conf", "ACMEStoreDir /b\n", pool);
    ck_assert_str_eq(found("Include sub/a.conf\n"), "/a");
    ck_assert_str_eq(found("IncludeOptional sub/*.conf\n"), "/b");
    ck_assert_str_eq(found("include sub\n"), "/b");
    ck_assert_str_eq(found(apr_psprintf(pool, "Include \"%s/[a]*\"\n", sub)),
                     "/a");
    ck_assert_str_eq(found("ACMEStoreDir /x\nInclude sub/a.conf\n"), "/a");
    ck_assert_str_eq(found("Include sub/a.conf\nACMEStoreDir /x\n"), "/x");
    ck_assert_ptr_null(found("Include none/*\nInclude sub/none\n"));
}
END_TEST

/* A file that includes itself ends, so does a device. */
START_TEST(no_end)
{
    ck_assert_str_eq(found("Include main.conf\nACMEStoreDir /a\n"
                           "Include /dev/zero\n"), "/a");
}
END_TEST

/* The main file and the root are those that httpd was built with, if the
 * arguments do not say; ServerRoot moves what follows. */
START_TEST(built_in)
{
    const char *value, *where;

    args.root = args.config = NULL;
    ck_assert_int_eq(httpd_word_find(&value, &where, &args, "ACMEStoreDir",
                                     pool), APR_ENOENT);
    args.binary = rig_script(dir, "httpd", apr_psprintf(pool,
        "echo ' -D HTTPD_ROOT=\"%s\"'\n"
        "echo ' -D SERVER_CONFIG_FILE=\"main.conf\"'\n", dir), pool);
    ck_assert_str_eq(found("ACMEStoreDir /a\n"), "/a");
    ck_assert_int_eq(mkdir(rig_path(dir, "other", pool), 0755), 0);
    rig_file(rig_path(dir, "other", pool), "c.conf", "ACMEStoreDir /c\n",
             pool);
    ck_assert_str_eq(found(apr_psprintf(pool, "ServerRoot %s/other\n"
                                        "Include c.conf\n", dir)), "/c");
}
END_TEST

Suite *words_suite(void);
Suite *words_suite(void)
{
    Suite *suite = suite_create("httpd/words");
    TCase *tc = tcase_create("words");

    tcase_add_checked_fixture(tc, setup, unit_teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, values);
    tcase_add_test(tc, the_last_counts);
    tcase_add_test(tc, includes);
    tcase_add_test(tc, no_end);
    tcase_add_test(tc, built_in);
    return suite;
}
