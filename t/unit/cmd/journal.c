/*
 * What verbs do with the journal: find it, hold it, finish what a killed run
 * left, show it; and rollback, which is built of that.
 */
#include <sys/stat.h>

#include "desk.h"

static const char *target;      /* a file that is changed */

static const char *path(const char *name)
{
    return apr_pstrcat(pool, dir, "/", name, NULL);
}

static const char *content(void)
{
    apr_size_t len;
    char *data;

    unit_ok(base_file_read(&data, &len, target, 1000, &err, pool));
    return data;
}

/** No httpd, and a file to be changed. */
static void journal_setup(void)
{
    store_setup();
    target = path("a.conf");
    write_file(target, "old\n");
    cmd->httpd.binary = path("no-httpd");
}

/** Change target by a writer that ends at once; title NULL: killed. */
static void change(const char *text, const char *title)
{
    journal_change_t change = { JOURNAL_MODIFY, JOURNAL_STEP_UNUSED, target,
                                text, strlen(text), NULL, 0, NULL, 0, 0 };
    journal_undo_t undo;
    journal_t *journal;
    journal_txn_t *txn;
    apr_pool_t *writer;
    unsigned long id;

    apr_pool_create(&writer, pool);
    unit_ok(journal_open(&journal, path("store/journal"), 1, &err, writer));
    unit_ok(journal_lock(journal, "writer", 0, &err, writer));
    unit_ok(journal_recover(&undo, journal, JOURNAL_DRIFT_REFUSE, &err,
                            writer, writer));
    unit_ok(journal_begin(&txn, journal, JOURNAL_PERMANENT, NOW, &err,
                          writer));
    unit_ok(journal_stage(txn, &change, &err));
    unit_ok(journal_save(txn, NULL, NULL, &err, writer));
    if (title) {
        unit_ok(journal_commit(&id, txn, title, &err, writer));
    }
    apr_pool_destroy(writer);
}

/** Run a verb with these arguments on a clean result, to its end: its lock
 *  is let go. */
static void run(cmd_fn *verb, const char *args)
{
    apr_pool_t *whole = cmd->pool;
    char *copy = apr_pstrdup(pool, args);
    char *state;
    char *word = apr_strtok(copy, " ", &state);

    apr_array_clear(cmd->args);
    for (; word; word = apr_strtok(NULL, " ", &state)) {
        APR_ARRAY_PUSH(cmd->args, const char *) = word;
    }
    json_object_clear(cmd->result);
    base_err_clear(&cmd->err);
    cmd->exit = BASE_EXIT_OK;
    apr_pool_create(&cmd->pool, whole);
    verb(cmd);
    apr_pool_destroy(cmd->pool);
    cmd->pool = whole;
}

static const json_t *result(const char *name)
{
    return json_object_get(cmd->result, name);
}

static int ends(base_exit_t status, const char *text)
{
    ck_assert_int_eq(cmd->err.exit, status);
    ck_assert_msg(strstr(cmd->err.message, text) != NULL, "%s",
                  cmd->err.message);
    return 1;
}

/* ---------------------------------------------------------------- reading */

/* A store without a journal has no checkpoint, and gets no journal by being
 * looked at, nor by a verb that begins to write. */
START_TEST(none)
{
    journal_t *journal;

    unit_ok(cmd_journal_open(cmd, &journal));
    ck_assert_ptr_null(journal);
    ck_assert_int_eq(cmd_journal_interrupted(cmd, &journal), 0);
    run(cmd_checkpoints, "");
    ck_assert_int_eq(json_array_size(result("checkpoints")), 0);
    run(cmd_recover, "");
    ck_assert_int_eq(json_integer_value(json_object_get(
        result("recovered"), "count")), 0);
    run(cmd_rollback, "");
    ends(BASE_EXIT_FAILED, "no checkpoint to undo");
    base_err_clear(&cmd->err);
    unit_ok(cmd_journal_json(cmd));
    ck_assert_int_eq(json_integer_value(json_object_get(
        result("journal"), "checkpoints")), 0);
    ck_assert_int_ne(access(path("store/journal"), F_OK), 0);
}
END_TEST

/* A store that was named must be there. */
START_TEST(no_store)
{
    journal_t *journal;

    cmd->store_dir = path("nowhere");
    ck_assert_int_eq(cmd_journal_open(cmd, &journal), APR_ENOENT);
    base_err_clear(&cmd->err);
    ck_assert_int_eq(cmd_journal_interrupted(cmd, &journal), 0);
    ck_assert_int_eq(cmd->err.status, APR_SUCCESS);
}
END_TEST

/* Checkpoints come newest first, as rollback counts them. */
START_TEST(list)
{
    change("one\n", "first");
    change("two\n", "second");
    run(cmd_checkpoints, "");
    ck_assert_int_eq(cmd->err.status, APR_SUCCESS);
    ck_assert_str_eq(member(json_array_get(result("checkpoints"), 0),
                            "title"), "second");
    ck_assert_str_eq(member(json_array_get(result("checkpoints"), 1),
                            "created"), NOW_TEXT);
    run(cmd_checkpoints, "1");
    ck_assert_int_eq(json_array_size(result("checkpoints")), 1);
    ck_assert_ptr_nonnull(strstr(json_string_value(result("diff")),
                                 "-old\n+one\n"));
    run(cmd_checkpoints, "3");
    ends(BASE_EXIT_FAILED, "no checkpoint 3");
}
END_TEST

/* Numbers of checkpoints are short and decimal. */
START_TEST(numbers)
{
    ck_assert_uint_eq(cmd_number("1"), 1);
    ck_assert_uint_eq(cmd_number("00000042"), 42);
    ck_assert_uint_eq(cmd_number("99999999"), 99999999);
    ck_assert_uint_eq(cmd_number("0"), 0);
    ck_assert_uint_eq(cmd_number(""), 0);
    ck_assert_uint_eq(cmd_number("-1"), 0);
    ck_assert_uint_eq(cmd_number("1x"), 0);
    ck_assert_uint_eq(cmd_number("0x1"), 0);
    ck_assert_uint_eq(cmd_number("100000000"), 0);
}
END_TEST

/* A file that several checkpoints changed is told once: what became of it
 * says the oldest. */
START_TEST(files_once)
{
    apr_array_header_t *files = apr_array_make(pool, 3,
                                               sizeof(journal_file_t));
    journal_file_t a = { "/a", JOURNAL_MODIFY, "/aside", NULL };
    journal_file_t b = { "/b", JOURNAL_MKDIR, NULL, NULL };
    journal_file_t older = { "/a", JOURNAL_CREATE, NULL, NULL };
    json_t *array;

    APR_ARRAY_PUSH(files, journal_file_t) = a;
    APR_ARRAY_PUSH(files, journal_file_t) = b;
    APR_ARRAY_PUSH(files, journal_file_t) = older;
    array = base_json_own(cmd_files_json(files, pool), pool);
    ck_assert_str_eq(base_json_text(array, pool),
        "[{\"aside\":\"/aside\",\"op\":\"create\",\"path\":\"/a\"},"
        "{\"op\":\"mkdir\",\"path\":\"/b\"}]");
    array = base_json_own(cmd_files_json(NULL, pool), pool);
    ck_assert_int_eq(json_array_size(array), 0);
}
END_TEST

/* ------------------------------------------------------------ interrupted */

/* What a killed run left is found by looking, and undone once. */
START_TEST(recover)
{
    journal_t *journal;

    change("half\n", NULL);
    ck_assert_int_eq(cmd_journal_interrupted(cmd, &journal), 1);
    ck_assert_str_eq(content(), "half\n");
    ck_assert_int_eq(cmd_journal_settle(cmd, journal), 1);
    ck_assert_str_eq(content(), "old\n");
    ck_assert(json_is_true(result("changed")));
    ck_assert_int_eq(json_integer_value(json_object_get(
        result("recovered"), "count")), 1);
    ck_assert_int_eq(cmd_journal_interrupted(cmd, &journal), 0);
}
END_TEST

/* A writer that lives is not disturbed. */
START_TEST(alive)
{
    journal_t *mine, *other;

    change("half\n", NULL);
    unit_ok(journal_open(&other, path("store/journal"), 0, &err, pool));
    unit_ok(journal_lock(other, "somebody", 0, &err, pool));
    ck_assert_int_eq(cmd_journal_interrupted(cmd, &mine), 0);
    unit_ok(cmd_journal_json(cmd));
    ck_assert_str_eq(member(result("journal"), "holder"), "somebody");
    run(cmd_recover, "");
    ends(BASE_EXIT_BUSY, "somebody");
    run(cmd_rollback, "");
    ends(BASE_EXIT_BUSY, "somebody");
    ck_assert_str_eq(content(), "half\n");
}
END_TEST

/* A run that was killed after it had put the files back, and before httpd
 * knew: the next one tells it. */
START_TEST(untold)
{
    journal_t *journal;

    change("one\n", "first");
    unit_ok(store_reload_due(cmd->store, 0, &err, pool));
    ck_assert_int_eq(cmd_journal_interrupted(cmd, &journal), 1);
    ck_assert_int_eq(cmd_journal_settle(cmd, journal), 0);
    ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(
        result("notes"), 0)), "no httpd was told"));
    ck_assert_int_eq(cmd_journal_interrupted(cmd, &journal), 0);
    ck_assert_str_eq(content(), "one\n");
    run(cmd_rollback, "");
    ck_assert_int_eq(store_reload_is_due(cmd->store, pool), 0);
}
END_TEST

/* An edit made meanwhile stays; a verb that edits nothing goes on with a
 * note, recover ends with 5 until it is told what to do. */
START_TEST(edited)
{
    journal_t *journal;

    change("half\n", NULL);
    write_file(target, "mine\n");
    ck_assert_int_eq(cmd_journal_interrupted(cmd, &journal), 1);
    ck_assert_int_eq(cmd_journal_settle(cmd, journal), 0);
    ck_assert_int_eq(cmd->err.status, APR_SUCCESS);
    ck_assert_int_eq(json_array_size(result("notes")), 1);
    run(cmd_recover, "");
    ends(BASE_EXIT_JOURNAL, target);
    cmd->options.keep = cmd->options.force = 1;
    run(cmd_recover, "");
    ends(BASE_EXIT_USAGE, "one of");
    cmd->options.force = 0;
    run(cmd_recover, "");
    ck_assert_int_eq(cmd->err.status, APR_SUCCESS);
    ck_assert_str_eq(content(), "mine\n");
}
END_TEST

/* --------------------------------------------------------------- rollback */

/* So many, or to one; what is left is told. No httpd is a note. */
START_TEST(rollback)
{
    change("one\n", "first");
    change("two\n", "second");
    change("three\n", "third");
    run(cmd_rollback, "");
    ck_assert_int_eq(cmd->err.status, APR_SUCCESS);
    ck_assert_str_eq(content(), "two\n");
    ck_assert_int_eq(json_integer_value(result("checkpoint")), 2);
    ck_assert_int_eq(json_integer_value(json_array_get(result("undone"),
                                                       0)), 3);
    ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(
        result("notes"), 0)), "no httpd was told"));
    cmd->options.to = "1";
    run(cmd_rollback, "");
    ck_assert_str_eq(content(), "old\n");
    ck_assert(json_is_null(result("checkpoint")));
    ck_assert_int_eq(json_array_size(result("undone")), 2);
    ck_assert_int_eq(json_array_size(result("files")), 1);
}
END_TEST

/* A plan changes nothing, not even what a killed run left. */
START_TEST(plan)
{
    change("one\n", "first");
    cmd->options.plan = 1;
    run(cmd_rollback, "");
    ck_assert_int_eq(cmd->err.status, APR_SUCCESS);
    ck_assert_ptr_nonnull(strstr(json_string_value(result("diff")),
                                 "-one\n+old\n"));
    ck_assert_ptr_null(result("changed"));
    ck_assert_str_eq(content(), "one\n");
    change("half\n", NULL);
    run(cmd_rollback, "");
    ends(BASE_EXIT_JOURNAL, "acmectl recover");
    ck_assert_str_eq(content(), "half\n");
}
END_TEST

/* After a crash "one" may mean the one that is undone by now: rollback
 * stops. A number is no such question. */
START_TEST(rollback_interrupted)
{
    change("one\n", "first");
    change("half\n", NULL);
    run(cmd_rollback, "");
    ends(BASE_EXIT_FAILED, "say again how many");
    ck_assert_str_eq(content(), "one\n");
    change("half\n", NULL);
    cmd->options.to = "2";
    run(cmd_rollback, "");
    ck_assert_int_eq(cmd->err.status, APR_SUCCESS);
    ck_assert_str_eq(content(), "one\n");
    change("half\n", NULL);
    cmd->options.to = "1";
    run(cmd_rollback, "");
    ck_assert_int_eq(cmd->err.status, APR_SUCCESS);
    ck_assert_str_eq(content(), "old\n");
}
END_TEST

/* An edit is in the way: nothing is undone, and --force sets it aside. */
START_TEST(rollback_edited)
{
    change("one\n", "first");
    write_file(target, "mine\n");
    run(cmd_rollback, "1");
    ends(BASE_EXIT_JOURNAL, "nothing was undone");
    ck_assert_int_eq(json_array_size(result("conflicts")), 1);
    ck_assert_int_eq(json_array_size(result("undone")), 0);
    ck_assert_ptr_null(result("changed"));
    cmd->options.force = 1;
    run(cmd_rollback, "1");
    ck_assert_int_eq(cmd->err.status, APR_SUCCESS);
    ck_assert_str_eq(content(), "old\n");
    cmd->options.merge = 1;
    run(cmd_rollback, "1");
    ends(BASE_EXIT_USAGE, "one of");
}
END_TEST

static apr_status_t journal_cleanup(void *unused)
{
    acme_err_t ignored = { 0 };

    (void)unused;
    return base_dir_remove(path("store/journal"), &ignored, pool);
}

static void deep_setup(void)
{
    journal_setup();
    apr_pool_cleanup_register(pool, NULL, journal_cleanup,
                              apr_pool_cleanup_null);
}

Suite *journal_suite(void);
Suite *journal_suite(void)
{
    Suite *suite = suite_create("journal");
    TCase *tc = desk_case(suite, "reading", deep_setup);

    tcase_add_test(tc, none);
    tcase_add_test(tc, no_store);
    tcase_add_test(tc, list);
    tcase_add_test(tc, numbers);
    tcase_add_test(tc, files_once);
    tc = desk_case(suite, "interrupted", deep_setup);
    tcase_add_test(tc, recover);
    tcase_add_test(tc, alive);
    tcase_add_test(tc, untold);
    tcase_add_test(tc, edited);
    tc = desk_case(suite, "rollback", deep_setup);
    tcase_add_test(tc, rollback);
    tcase_add_test(tc, plan);
    tcase_add_test(tc, rollback_interrupted);
    tcase_add_test(tc, rollback_edited);
    return suite;
}
