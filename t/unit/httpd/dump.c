/* httpd -t and the document of DUMP_ACME, with a false httpd. */
#include <apr_strings.h>

#include "httpd/rig.h"
#include "unit.h"

static const char *text;
static apr_size_t len;

/** httpd_args_t for a script of this body. */
static httpd_args_t httpd(const char *body)
{
    httpd_args_t args;

    memset(&args, 0, sizeof(args));
    args.binary = rig_script(rig_dir(pool), "httpd", body, pool);
    return args;
}

/* The document is what httpd prints on stdout, to the byte. */
START_TEST(document)
{
    httpd_args_t args = httpd("echo 'Syntax OK' >&2; echo '{ \"a\": 1 }'");

    unit_ok(httpd_dump(&text, &len, &args, &err, pool));
    ck_assert_str_eq(text, "{ \"a\": 1 }\n");
    ck_assert_uint_eq(len, 11);
}
END_TEST

/* httpd is called with the same -d, -f and -D as the server, and nothing
 * else is said to it. */
START_TEST(arguments)
{
    httpd_args_t args = httpd("printf '{%s}' \"$*\"");
    apr_array_header_t *defines = apr_array_make(pool, 2, sizeof(char *));

    unit_ok(httpd_dump(&text, &len, &args, &err, pool));
    ck_assert_str_eq(text, "{-t -D DUMP_ACME}");
    APR_ARRAY_PUSH(defines, const char *) = "ONE";
    APR_ARRAY_PUSH(defines, const char *) = "TWO";
    args.root = "/srv/www";
    args.config = "conf/my.conf";
    args.defines = defines;
    args.module = "/opt/a \"b\"/mod_acme.so";
    unit_ok(httpd_dump(&text, &len, &args, &err, pool));
    ck_assert_str_eq(text, "{-d /srv/www -f conf/my.conf -D ONE -D TWO "
                     "-C LoadModule acme_module \"/opt/a \\\"b\\\""
                     "/mod_acme.so\" -t -D DUMP_ACME}");
}
END_TEST

/* A configuration that does not load mod_acme answers only "Syntax OK":
 * the sentence says what to add. */
START_TEST(not_loaded)
{
    httpd_args_t args = httpd("echo 'Syntax OK' >&2");

    unit_fails(httpd_dump(&text, &len, &args, &err, pool), APR_ENOTIMPL,
               "httpd's configuration does not load mod_acme; add "
               "`LoadModule acme_module " ACMECTL_MODULE "` to it");
    ck_assert_int_eq(err.exit, BASE_EXIT_HTTPD);
    base_err_clear(&err);
    args = httpd("echo; echo '  Syntax OK'");
    unit_fails(httpd_dump(&text, &len, &args, &err, pool), APR_ENOTIMPL,
               "does not load mod_acme");
}
END_TEST

/* A refusal is httpd's own complaint and exit status 4. */
START_TEST(refused)
{
    httpd_args_t args = httpd(
        "echo 'AH00526: Syntax error on line 7 of /etc/x.conf:' >&2\n"
        "echo 'ServerName takes one argument' >&2\n"
        "exit 1");

    unit_fails(httpd_dump(&text, &len, &args, &err, pool), APR_EINVAL,
               "httpd refuses its configuration: AH00526: Syntax error on "
               "line 7 of /etc/x.conf: ServerName takes one argument");
    ck_assert_int_eq(err.exit, BASE_EXIT_HTTPD);
    base_err_clear(&err);
    unit_fails(httpd_configtest(&args, &err, pool), APR_EINVAL,
               "Syntax error on line 7");
    ck_assert_int_eq(err.exit, BASE_EXIT_HTTPD);
}
END_TEST

/* A document from an httpd that fails is not one. */
START_TEST(document_and_failure)
{
    httpd_args_t args = httpd("echo '{}'; exit 1");

    unit_fails(httpd_dump(&text, &len, &args, &err, pool), APR_EINVAL,
               "it ended with status 1 and gave no reason");
}
END_TEST

/* What httpd complains about cannot break a line of ours. */
START_TEST(complaint_is_escaped)
{
    httpd_args_t args = httpd("printf 'Syntax error \\033[2J\\n' >&2;"
                              "exit 1");

    unit_fails(httpd_configtest(&args, &err, pool), APR_EINVAL,
               "Syntax error \\x1");
    ck_assert(strchr(err.message, '\033') == NULL);
}
END_TEST

/* httpd -t alone is a test and nothing else. */
START_TEST(configtest)
{
    httpd_args_t args = httpd("[ \"$*\" = '-t' ] || exit 1");

    unit_ok(httpd_configtest(&args, &err, pool));
}
END_TEST

/* A start check is asked for in a test and for a document alike, and told
 * from a refusal. */
START_TEST(start_check)
{
    httpd_args_t args = httpd("printf '{%s}' \"$*\"");

    args.start_check = 1;
    unit_ok(httpd_dump(&text, &len, &args, &err, pool));
    ck_assert_str_eq(text, "{-t -D DUMP_ACME -D ACME_START_CHECK}");
    args = httpd("[ \"$*\" = '-t -D ACME_START_CHECK' ] || exit 0\n"
                 "echo '[t] [ssl:emerg] AH02572: No certificate' >&2\n"
                 "echo '[t] [acme:crit] ACME0022: would not start' >&2\n"
                 "exit 1");
    unit_ok(httpd_configtest(&args, &err, pool));
    args.start_check = 1;
    unit_fails(httpd_configtest(&args, &err, pool), APR_EINVAL,
               "httpd accepts this configuration but would not start with "
               "it: AH02572: No certificate");
    ck_assert_int_eq(err.exit, BASE_EXIT_HTTPD);
}
END_TEST

/* A module that the configuration does not load is brought along, where one
 * is given and only then; a refusal is none the less one. */
START_TEST(brings)
{
    httpd_args_t args = httpd("printf '{%s}' \"$*\"");

    unit_ok(httpd_dump_with(&text, &len, &args, "/m.so", &err, pool));
    ck_assert_str_eq(text, "{-t -D DUMP_ACME}");
    ck_assert_ptr_null(args.module);
    args = httpd("case \"$*\" in *LoadModule*) printf '{%s}' \"$*\" ;; esac");
    unit_fails(httpd_dump_with(&text, &len, &args, NULL, &err, pool),
               APR_ENOTIMPL, "does not load mod_acme");
    ck_assert_ptr_null(args.module);
    base_err_clear(&err);
    unit_ok(httpd_dump_with(&text, &len, &args, "/m.so", &err, pool));
    ck_assert_str_eq(text, "{-C LoadModule acme_module \"/m.so\" -t -D "
                     "DUMP_ACME}");
    ck_assert_str_eq(args.module, "/m.so");
    args = httpd("exit 1");
    unit_fails(httpd_dump_with(&text, &len, &args, "/m.so", &err, pool),
               APR_EINVAL, "httpd");
    ck_assert_ptr_null(args.module);
}
END_TEST

/* Where there is no httpd, its name is told. */
START_TEST(no_httpd)
{
    httpd_args_t args = { .binary = "/nonexistent/httpd" };

    unit_fails(httpd_dump(&text, &len, &args, &err, pool), APR_ENOENT,
               "/nonexistent/httpd");
    base_err_clear(&err);
    unit_fails(httpd_configtest(&args, &err, pool), APR_ENOENT,
               "/nonexistent/httpd");
}
END_TEST

Suite *dump_suite(void)
{
    Suite *suite = suite_create("httpd/dump");
    TCase *tc = unit_case(suite, "dump");

    tcase_add_test(tc, document);
    tcase_add_test(tc, arguments);
    tcase_add_test(tc, not_loaded);
    tcase_add_test(tc, refused);
    tcase_add_test(tc, document_and_failure);
    tcase_add_test(tc, complaint_is_escaped);
    tcase_add_test(tc, configtest);
    tcase_add_test(tc, start_check);
    tcase_add_test(tc, brings);
    tcase_add_test(tc, no_httpd);
    return suite;
}
