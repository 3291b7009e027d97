/*
 * Where the store is: --store, httpd's answer, the text of a configuration
 * that httpd refuses, the built-in directory; or a sentence.
 */
#include <sys/stat.h>

#include "desk.h"

static const char *path(const char *name)
{
    return apr_pstrcat(pool, dir, "/", name, NULL);
}

/** A program that is no good httpd. */
static const char *refusing(void)
{
    write_file(path("httpd"), "#!/bin/sh\necho 'AH1: it is broken' >&2\n"
               "exit 1\n");
    ck_assert_int_eq(chmod(path("httpd"), 0755), 0);
    return path("httpd");
}

/** A store, and a main file that says nothing of it; httpd refuses. */
static void where_setup(void)
{
    store_setup();
    cmd->store_dir = NULL;
    cmd->default_store = path("none");
    cmd->httpd.binary = refusing();
    cmd->httpd.config = path("main.conf");
    write_file(cmd->httpd.config, "Broken\n");
}

/** What is found; NULL where that fails. */
static const char *found(void)
{
    const char *place = NULL;

    json_object_clear(cmd->result);
    base_err_clear(&cmd->err);
    cmd->store_dir = NULL;
    return cmd_find_store(cmd, &place) == APR_SUCCESS ? place : NULL;
}

static const char *first_note(void)
{
    const char *text = json_string_value(json_array_get(json_object_get(
        cmd->result, "notes"), 0));

    return text ? text : "";
}

/** Keep this configuration file and root as the last good ones. */
static void keep(const char *config, const char *root)
{
    const char *text;
    store_t *store;
    json_t *server;

    cmd->store_dir = path("store");
    configure("", "");
    server = json_object_get(cmd->config, "server");
    json_object_set_new(server, "config", json_string(config));
    json_object_set_new(server, "root", json_string(root));
    unit_ok(store_open(&store, path("store"), 1, &err, pool));
    text = base_json_text(cmd->config, pool);
    unit_ok(store_config_write(store, text, strlen(text), &err, pool));
    cmd->config = NULL;
    cmd->store_dir = NULL;
}

/* --store is believed, and httpd is not asked. */
START_TEST(given)
{
    const char *place;

    cmd->store_dir = "/some/where";
    cmd->httpd.binary = "/no/such/httpd";
    unit_ok(cmd_find_store(cmd, &place));
    ck_assert_str_eq(place, "/some/where");
    ck_assert_str_eq(first_note(), "");
}
END_TEST

/* httpd's answer comes before everything that is kept. */
START_TEST(told)
{
    cmd->store_dir = path("store");
    configure("", "");
    write_file(cmd->httpd.config, "ACMEStoreDir /other\n");
    ck_assert_str_eq(found(), path("store"));
    ck_assert_str_eq(first_note(), "");
}
END_TEST

/* While httpd refuses its configuration, the text of it tells, and a note
 * says so. A relative name is nothing that httpd would take. */
START_TEST(from_text)
{
    write_file(cmd->httpd.config, "Broken\nACMEStoreDir /the/store\n");
    ck_assert_str_eq(found(), "/the/store");
    ck_assert_msg(strstr(first_note(), "it is broken") != NULL
                  && strstr(first_note(), "store is /the/store by the text")
                     != NULL, "%s", first_note());
    write_file(cmd->httpd.config, "ACMEStoreDir the/store\n");
    ck_assert_ptr_null(found());
}
END_TEST

/* Else it is the built-in one, if it is this configuration's. */
START_TEST(built_in)
{
    cmd->default_store = path("store");
    keep(cmd->httpd.config, "/root");
    ck_assert_str_eq(found(), path("store"));
    ck_assert_ptr_nonnull(strstr(first_note(), "the built-in one"));
    cmd->httpd.config = "etc/main.conf";
    keep("/root/etc/main.conf", "/root");
    ck_assert_str_eq(found(), path("store"));
    cmd->httpd.root = "/other";
    ck_assert_ptr_null(found());
    cmd->httpd.root = "/root";
    ck_assert_str_eq(found(), path("store"));
    keep("/another.conf", "/root");
    ck_assert_ptr_null(found());
}
END_TEST

/* A built-in store that does not tell whose it is serves whoever names no
 * other configuration. */
START_TEST(built_in_unknown)
{
    cmd->default_store = path("store");
    ck_assert_ptr_null(found());
    cmd->httpd.config = NULL;
    ck_assert_str_eq(found(), path("store"));
    cmd->default_store = path("none");
    ck_assert_ptr_null(found());
}
END_TEST

/* Where it cannot be known the sentence asks for --store, with httpd's own
 * reason and exit status. */
START_TEST(unknown)
{
    ck_assert_ptr_null(found());
    ck_assert_int_eq(cmd->err.exit, BASE_EXIT_HTTPD);
    ck_assert_msg(strstr(cmd->err.message, "--store DIR") != NULL
                  && strstr(cmd->err.message, "it is broken") != NULL, "%s",
                  cmd->err.message);
    cmd->httpd.binary = path("no-httpd");
    ck_assert_ptr_null(found());
    ck_assert_int_eq(cmd->err.exit, BASE_EXIT_FAILED);
    ck_assert_msg(strstr(cmd->err.message, "cannot run") != NULL, "%s",
                  cmd->err.message);
}
END_TEST

/* A damaged config.json is as good as none. */
START_TEST(kept_damaged)
{
    static const char *const damages[] = { "", "{", "[]", "{}",
                                           "{\"server\":{}}" };
    size_t i;

    ck_assert_ptr_null(cmd_kept_server(cmd, cmd->store));
    for (i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        write_file(path("store/config.json"), damages[i]);
        ck_assert_ptr_null(cmd_kept_server(cmd, cmd->store));
    }
    keep("/c", "/r");
    ck_assert_str_eq(member(cmd_kept_server(cmd, cmd->store), "config"),
                     "/c");
}
END_TEST

Suite *where_suite(void);
Suite *where_suite(void)
{
    Suite *suite = suite_create("where");
    TCase *tc = desk_case(suite, "store", where_setup);

    tcase_add_test(tc, given);
    tcase_add_test(tc, told);
    tcase_add_test(tc, from_text);
    tcase_add_test(tc, built_in);
    tcase_add_test(tc, built_in_unknown);
    tcase_add_test(tc, unknown);
    tcase_add_test(tc, kept_damaged);
    return suite;
}
