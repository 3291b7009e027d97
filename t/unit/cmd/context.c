/*
 * What most verbs begin and end with: the store, the ledger, notes and
 * errors of the result; and a whole run that fails early.
 */
#include "desk.h"

static const char *note(size_t i)
{
    return json_string_value(json_array_get(json_object_get(cmd->result,
                                                            "notes"), i));
}

/* ------------------------------------------------------------------- notes */

/* Notes are sentences of the result, in their order. */
START_TEST(notes_keep_their_order)
{
    cmd_note(cmd, "%s and %d", "one", 2);
    cmd_note(cmd, "three");
    ck_assert_str_eq(note(0), "one and 2");
    ck_assert_str_eq(note(1), "three");
    ck_assert_ptr_null(note(2));
}
END_TEST

/* They are one line of printable text, whatever is put into them. */
START_TEST(notes_are_clean)
{
    cmd_note(cmd, "%s", "a\nb\x1b[2J\xff\xc3\xa9");
    ck_assert_str_eq(note(0), "a\\x0Ab\\x1B[2J\\xFF\xc3\xa9");
}
END_TEST

/* The longest message of an error is a note uncut; what is still longer
 * ends at a character, with dots. */
START_TEST(notes_are_as_long_as_messages)
{
    char text[4096];

    memset(text, 'n', sizeof(text));
    text[sizeof(err.message) - 1] = '\0';
    cmd_note(cmd, "%s", text);
    ck_assert_str_eq(note(0), text);
    text[sizeof(err.message) - 1] = 'n';
    text[sizeof(text) - 1] = '\0';
    memset(text + 2000, '\xc3', 90);
    cmd_note(cmd, "%s", text);
    ck_assert_str_eq(note(1) + strlen(note(1)) - 3, "...");
}
END_TEST

/* ------------------------------------------------------------------ errors */

/* An error of ours is of type "acmectl", one of a CA has its own; the
 * identifier is there where it is known. */
START_TEST(errors_are_shown)
{
    json_t *error;

    base_err_set(&err, APR_EGENERAL, BASE_EXIT_FAILED, "it \"broke\"");
    error = base_json_own(cmd_error_json(&err), pool);
    ck_assert_str_eq(base_json_text(error, pool),
                     "{\"detail\":\"it \\\"broke\\\"\","
                     "\"type\":\"acmectl\"}");
    apr_cpystrn(err.type, "urn:x", sizeof(err.type));
    apr_cpystrn(err.identifier, "a.example", sizeof(err.identifier));
    error = base_json_own(cmd_error_json(&err), pool);
    ck_assert_str_eq(base_json_text(error, pool),
                     "{\"detail\":\"it \\\"broke\\\"\","
                     "\"identifier\":\"a.example\",\"type\":\"urn:x\"}");
}
END_TEST

/* Nothing failed: 0. Some failed: 3. All failed: as the first says. */
START_TEST(exit_statuses)
{
    base_err_set(&err, APR_EGENERAL, BASE_EXIT_BUSY, "busy");
    ck_assert_int_eq(cmd_exit_for(0, 0, &err), BASE_EXIT_OK);
    ck_assert_int_eq(cmd_exit_for(0, 5, &err), BASE_EXIT_OK);
    ck_assert_int_eq(cmd_exit_for(1, 5, &err), BASE_EXIT_PARTIAL);
    ck_assert_int_eq(cmd_exit_for(4, 5, &err), BASE_EXIT_PARTIAL);
    ck_assert_int_eq(cmd_exit_for(5, 5, &err), BASE_EXIT_BUSY);
    ck_assert_int_eq(cmd_exit_for(1, 1, &err), BASE_EXIT_BUSY);
}
END_TEST

/* ------------------------------------------------------------------- store */

/* The store is --store's, else the configuration's. */
START_TEST(stores_are_chosen)
{
    configure("", "");
    unit_ok(cmd_open_store(cmd, 0));
    ck_assert_str_eq(store_dir(cmd->store), cmd->store_dir);
    cmd->store_dir = NULL;
    unit_ok(cmd_open_store(cmd, 0));
    ck_assert_str_eq(store_dir(cmd->store),
                     apr_pstrcat(pool, dir, "/store", NULL));
    cmd->store_dir = apr_pstrcat(pool, dir, "/other", NULL);
    ck_assert_int_eq(cmd_open_store(cmd, 0), APR_ENOENT);
}
END_TEST

/* Who writes makes it, locks it and leaves a copy of the configuration;
 * the next one is told who holds it. */
START_TEST(stores_have_one_writer)
{
    cmd_t first = *cmd;

    configure("", "");
    first.config = cmd->config;
    first.config_text = base_json_text(cmd->config, pool);
    first.config_len = strlen(first.config_text);
    first.store_dir = cmd->store_dir = apr_pstrcat(pool, dir, "/new", NULL);
    unit_ok(cmd_open_store(&first, 1));
    ck_assert_int_eq(access(apr_pstrcat(pool, dir, "/new/config.json", NULL),
                            R_OK), 0);
    ck_assert_int_eq(cmd_open_store(cmd, 1), APR_EBUSY);
    ck_assert_int_eq(cmd->err.exit, BASE_EXIT_BUSY);
    ck_assert_msg(strstr(cmd->err.message,
                         apr_psprintf(pool, "acmectl unit, pid %d",
                                      (int)getpid())) != NULL, "%s",
                  cmd->err.message);
    base_err_clear(&cmd->err);
    unit_ok(cmd_open_store(cmd, 0));
}
END_TEST

/* An absent ledger is an empty one; a damaged one is an error that says
 * what to do. */
START_TEST(ledgers_are_checked)
{
    static const char *const damages[] = {
        "{", "[]", "{}", "{\"schema\":\"acme-ledger/2\",\"certificates\":{}}",
        "{\"schema\":\"acme-ledger/1\",\"certificates\":{\"a\":"
        "{\"failures\":-1}}}",
        "{\"schema\":\"acme-ledger/1\",\"certificates\":{\"a\":"
        "{\"failures\":\"1\"}}}"
    };
    const char *path = apr_pstrcat(pool, cmd->store_dir, "/ledger.json",
                                   NULL);
    json_t *ledger;
    size_t i;

    unit_ok(cmd_read_ledger(cmd, &ledger));
    ck_assert_uint_eq(json_object_size(json_object_get(ledger,
                                                       "certificates")), 0);
    for (i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        write_file(path, damages[i]);
        ck_assert_int_eq(cmd_read_ledger(cmd, &ledger), APR_EINVAL);
        ck_assert_msg(strstr(cmd->err.message, "ledger.json") != NULL, "%s",
                      cmd->err.message);
        base_err_clear(&cmd->err);
    }
}
END_TEST

/* ------------------------------------------------------------------- httpd */

/** An httpd whose configuration does not load mod_acme. */
static void bare_httpd(void)
{
    const char *script = apr_pstrcat(pool, dir, "/httpd", NULL);
    const char *document = apr_pstrcat(pool, dir, "/document", NULL);

    configure("", "");
    write_file(document, base_json_text(cmd->config, pool));
    write_file(script, apr_psprintf(pool, "#!/bin/sh\ncase \"$*\" in\n"
        "*'-C LoadModule acme_module \"/m.so\"'*) exec cat '%s';;\n"
        "*) echo Syntax OK >&2;;\nesac\n", document));
    ck_assert_int_eq(chmod(script, 0700), 0);
    cmd->httpd.binary = script;
    cmd->module = "/m.so";
    cmd->config = NULL;
}

/* A verb that may bring mod_acme along reads the configuration with it, and
 * can see that it was not there. */
START_TEST(the_module_is_brought)
{
    bare_httpd();
    cmd->brings_module = 1;
    unit_ok(cmd_read_config(cmd));
    ck_assert(json_is_false(json_object_get(
        json_object_get(cmd->config, "modules"), "acme")));
    ck_assert_str_eq(cmd->httpd.module, "/m.so");
}
END_TEST

/* Other verbs say what is missing. */
START_TEST(the_module_is_missed)
{
    bare_httpd();
    ck_assert_int_eq(cmd_read_config(cmd), APR_ENOTIMPL);
    ck_assert_int_eq(cmd->err.exit, BASE_EXIT_HTTPD);
    ck_assert_ptr_null(cmd->config);
    ck_assert_ptr_null(cmd->httpd.module);
}
END_TEST

/* -------------------------------------------------------------- whole runs */

/* What a run of these words prints on a descriptor, and how it exits. */
static const char *said(int fd, int *pexit, const char *const *words)
{
    FILE *file = tmpfile();
    char *text = apr_pcalloc(pool, 8192);
    int saved = dup(fd);
    int n = 0;

    while (words[n]) {
        n++;
    }
    fflush(NULL);
    ck_assert_int_ge(dup2(fileno(file), fd), 0);
    *pexit = cmd_main(n, words, pool);
    fflush(NULL);
    dup2(saved, fd);
    close(saved);
    rewind(file);
    ck_assert_uint_lt(fread(text, 1, 8191, file), 8191);
    fclose(file);
    return text;
}

/* A usage error is said on standard error, once more in the log where that
 * is elsewhere, also when no verb is known. */
START_TEST(usage_errors_are_said)
{
    static const char *const plain[] = { "acmectl", "nosuch", NULL };
    static const char *const logged[] = { "acmectl", "--log", "syslog",
                                          "nosuch", NULL };
    const char *text;
    int status;

    text = said(2, &status, plain);
    ck_assert_int_eq(status, BASE_EXIT_USAGE);
    ck_assert_ptr_nonnull(strstr(text, "the verb \"nosuch\" is not known"));
    text = said(2, &status, logged);
    ck_assert_int_eq(status, BASE_EXIT_USAGE);
    ck_assert_ptr_null(strstr(text, "(null)"));
}
END_TEST

/* With --json it is the one object on standard output. */
START_TEST(usage_errors_are_json)
{
    static const char *const words[] = { "acmectl", "--json", "issue", NULL };
    json_t *result;
    int status;

    result = parse_json(said(1, &status, words));
    ck_assert_int_eq(status, BASE_EXIT_USAGE);
    unit_ok(schema_check(schema_find(cmd->schemas, "state/result"), result,
                         "the result", &err));
    ck_assert_str_eq(member(result, "verb"), "issue");
    ck_assert_int_eq(json_integer_value(json_object_get(result, "exit")),
                     BASE_EXIT_USAGE);
    ck_assert(json_is_false(json_object_get(result, "ok")));
}
END_TEST

/* Help is no failure. */
START_TEST(help_exits_with_0)
{
    static const char *const words[] = { "acmectl", "--help", NULL };
    int status;

    ck_assert_ptr_nonnull(strstr(said(1, &status, words), "usage: acmectl"));
    ck_assert_int_eq(status, BASE_EXIT_OK);
}
END_TEST

Suite *context_suite(void);
Suite *context_suite(void)
{
    Suite *suite = suite_create("context");
    TCase *tc = desk_case(suite, "result", desk_setup);

    tcase_add_test(tc, notes_keep_their_order);
    tcase_add_test(tc, notes_are_clean);
    tcase_add_test(tc, notes_are_as_long_as_messages);
    tcase_add_test(tc, errors_are_shown);
    tcase_add_test(tc, exit_statuses);
    tc = desk_case(suite, "store", store_setup);
    tcase_add_test(tc, stores_are_chosen);
    tcase_add_test(tc, stores_have_one_writer);
    tcase_add_test(tc, ledgers_are_checked);
    tcase_add_test(tc, the_module_is_brought);
    tcase_add_test(tc, the_module_is_missed);
    tc = desk_case(suite, "runs", store_setup);
    tcase_add_test(tc, usage_errors_are_said);
    tcase_add_test(tc, usage_errors_are_json);
    tcase_add_test(tc, help_exits_with_0);
    return suite;
}
