/*
 * acmectl renew: which certificates it takes care of, with names and
 * without. Orders end at a CA that cannot be reached.
 */
#include "desk.h"
#include "worker/stall.h"

#define HOST "{\"server_name\":null,\"aliases\":[],\"addresses\":[]," \
             "\"file\":null,\"line\":null,\"macro\":false," \
             "\"defined\":\"d\",\"ssl\":true,\"certificate_file\":false," \
             "\"stapling\":false,\"require_https\":null," \
             "\"document_root\":null,\"directives\":[]}"

static const char *ca;

static void setup(void)
{
    store_setup();
    ca = stall_nobody(pool);
}

/* A domain of one name with a mode, used by the only host or by none. */
static const char *domain(const char *name, const char *mode, int is_used)
{
    json_t *made = parse_json(domain_text(
        apr_psprintf(pool, "\"%s\"", name),
        apr_psprintf(pool, "\"ca\":[\"%s\"],\"renew_mode\":\"%s\"", ca,
                     mode)));

    if (is_used) {
        json_array_append_new(json_object_get(made, "virtual_hosts"),
                              json_integer(0));
    }
    return base_json_text(made, pool);
}

/* Three modes, each with a host and without. */
static void configure_all(void)
{
    configure(apr_pstrcat(pool,
        domain("auto.example", "auto", 1), ",",
        domain("unused.example", "auto", 0), ",",
        domain("always.example", "always", 0), ",",
        domain("also.example", "always", 1), ",",
        domain("manual.example", "manual", 1), ",",
        domain("no.example", "manual", 0), NULL), HOST);
}

static const char *ids(const apr_array_header_t *certificates)
{
    const char *text = "";
    int i;

    for (i = 0; i < certificates->nelts; i++) {
        text = apr_pstrcat(pool, text, *text ? " " : "",
                           APR_ARRAY_IDX(certificates, i,
                                         cmd_certificate_t *)->id, NULL);
    }
    return text;
}

/* NAME:RESULT of all results. */
static const char *results(void)
{
    const char *text = "";
    json_t *result;
    size_t i;

    ck_assert(json_is_array(json_object_get(cmd->result, "results")));
    json_array_foreach(json_object_get(cmd->result, "results"), i, result) {
        text = apr_pstrcat(pool, text, *text ? " " : "",
                           member(result, "name"), ":",
                           member(result, "result"), NULL);
    }
    return text;
}

static void run(const char *name)
{
    if (name) {
        APR_ARRAY_PUSH(cmd->args, const char *) = name;
    }
    cmd_renew(cmd);
}

/* Without names it takes care of what a host uses, of what is wanted
 * always, and of nothing that is manual. */
START_TEST(modes)
{
    apr_array_header_t *found = apr_array_make(pool, 8, sizeof(void *));
    apr_array_header_t *others = apr_array_make(pool, 8, sizeof(void *));

    configure_all();
    cmd_certificates_automatic(cmd, NULL, found, others);
    ck_assert_str_eq(ids(found),
                     "auto.example always.example also.example");
    ck_assert_str_eq(ids(others),
                     "unused.example manual.example no.example");
    apr_array_clear(found);
    cmd_certificates_automatic(cmd, NULL, found, NULL);
    ck_assert_int_eq(found->nelts, 3);
}
END_TEST

/* All of these are ordered, and nothing else. */
START_TEST(without_names)
{
    configure_all();
    run(NULL);
    unit_ok(cmd->err.status);
    ck_assert_str_eq(results(), "auto.example:failed always.example:failed "
                     "also.example:failed");
    ck_assert_int_eq(cmd->exit, BASE_EXIT_BUSY);
}
END_TEST

/* A name is renewed whatever its mode; twice named, once. */
START_TEST(names)
{
    configure_all();
    APR_ARRAY_PUSH(cmd->args, const char *) = "manual.example";
    APR_ARRAY_PUSH(cmd->args, const char *) = "MANUAL.example";
    run("unused.example");
    ck_assert_str_eq(results(),
                     "manual.example:failed unused.example:failed");
}
END_TEST

/* A stranger among the names is an error; nobody is asked for the others. */
START_TEST(stranger)
{
    configure_all();
    APR_ARRAY_PUSH(cmd->args, const char *) = "auto.example";
    run("stranger.example");
    ck_assert_int_eq(cmd->err.status, APR_ENOENT);
    ck_assert_int_eq(cmd->err.exit, BASE_EXIT_USAGE);
    ck_assert_ptr_nonnull(strstr(cmd->err.message,
                                 "add \"ACMEDomain stranger.example\""));
    ck_assert_ptr_null(json_object_get(cmd->result, "results"));
}
END_TEST

/* Where nothing is managed there is nothing to do. */
START_TEST(nothing)
{
    configure("", "");
    run(NULL);
    unit_ok(cmd->err.status);
    ck_assert_str_eq(results(), "");
    ck_assert_int_eq(cmd->exit, BASE_EXIT_OK);
}
END_TEST

/* A damaged ledger is no licence to ask the CA without limits. */
START_TEST(damaged_ledger)
{
    configure_all();
    write_file(apr_pstrcat(pool, cmd->store_dir, "/ledger.json", NULL),
               "{\"schema\":\"acme-ledger/1\",\"certificates\":[]}");
    run(NULL);
    ck_assert_int_ne(cmd->err.status, APR_SUCCESS);
    ck_assert_ptr_nonnull(strstr(cmd->err.message, "ledger.json"));
    ck_assert_ptr_null(json_object_get(cmd->result, "results"));
}
END_TEST

/* Nor is a store that another acmectl writes. */
START_TEST(locked_store)
{
    configure_all();
    unit_ok(store_lock(cmd->store, "somebody, pid 7", 0, &err, pool));
    run(NULL);
    ck_assert_int_eq(cmd->err.exit, BASE_EXIT_BUSY);
    ck_assert_ptr_nonnull(strstr(cmd->err.message, "somebody, pid 7"));
    ck_assert_ptr_null(json_object_get(cmd->result, "results"));
}
END_TEST

Suite *renew_suite(void);
Suite *renew_suite(void)
{
    Suite *suite = suite_create("renew");
    TCase *tc = desk_case(suite, "renew", setup);

    tcase_add_test(tc, modes);
    tcase_add_test(tc, without_names);
    tcase_add_test(tc, names);
    tcase_add_test(tc, stranger);
    tcase_add_test(tc, nothing);
    tcase_add_test(tc, damaged_ledger);
    tcase_add_test(tc, locked_store);
    return suite;
}
