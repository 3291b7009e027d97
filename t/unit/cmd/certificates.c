/*
 * acmectl certificates, acmectl status: the list, whatever is missing, and
 * who runs. Neither writes a thing.
 */
#include "desk.h"

#define ID "b.example"

static void setup(void)
{
    store_setup();
    configure(apr_pstrcat(pool, domain_text("\"a.example\"", ""), ",",
                          domain_text("\"b.example\"", "\"private_keys\":"
                                      "[\"P-256\",\"RSA-2048\"]"), NULL),
              "");
}

static void keep(void)
{
    store_certificate_t kept = { NULL, "C", "", "K" };

    kept.meta = parse_json(
        "{\"schema\":\"acme-certificate/1\",\"name\":\"" ID "\",\"names\":"
        "[\"" ID "\"],\"key_type\":\"P-256\",\"ca\":\"" CA0 "\",\"issuer\":"
        "\"I\",\"serial\":\"0a\",\"sha256\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000"
        "\",\"not_before\":\"2027-01-01T00:00:00Z\",\"not_after\":"
        "\"2027-04-01T00:00:00Z\",\"issued\":\"2027-01-01T00:00:00Z\"}");
    unit_ok(store_certificate_write(cmd->store, ID, &kept, &err, pool));
}

/* NAME:KEY TYPE:STATE of all certificates. */
static const char *listed(void)
{
    const char *text = "";
    json_t *c;
    size_t i;

    unit_ok(cmd->err.status);
    json_array_foreach(json_object_get(cmd->result, "certificates"), i, c) {
        text = apr_pstrcat(pool, text, *text ? " " : "", member(c, "name"),
                           ":", member(c, "key_type"), ":",
                           member(c, "state"), NULL);
    }
    return text;
}

static const json_t *manager(void)
{
    return json_object_get(cmd->result, "manager");
}

/* Every key type of every domain, in order of the configuration. */
START_TEST(all)
{
    keep();
    cmd_certificates(cmd);
    ck_assert_str_eq(listed(), "a.example:P-256:missing "
                     "b.example:P-256:valid b.example:RSA-2048:missing");
    ck_assert_ptr_null(manager());
}
END_TEST

/* A store that is not there yet is empty, and is not made. */
START_TEST(no_store)
{
    cmd->store_dir = apr_pstrcat(pool, dir, "/absent", NULL);
    cmd_certificates(cmd);
    ck_assert_str_eq(listed(), "a.example:P-256:missing "
                     "b.example:P-256:missing b.example:RSA-2048:missing");
    ck_assert_int_ne(access(cmd->store_dir, F_OK), 0);
}
END_TEST

/* One that cannot be read is none of these. */
START_TEST(another_format)
{
    write_file(apr_pstrcat(pool, cmd->store_dir, "/format", NULL), "99\n");
    cmd_certificates(cmd);
    ck_assert_int_ne(cmd->err.status, APR_SUCCESS);
    ck_assert_ptr_null(json_object_get(cmd->result, "certificates"));
}
END_TEST

/* What failed last stands beside its certificate; a ledger that is damaged
 * is said to be so. */
START_TEST(ledgers)
{
    const char *path = apr_pstrcat(pool, cmd->store_dir, "/ledger.json",
                                   NULL);

    write_file(path, "{\"schema\":\"acme-ledger/1\",\"certificates\":{"
               "\"a.example\":{\"failures\":1,\"last_error\":{\"type\":"
               "\"t\",\"detail\":\"d\",\"at\":\"2027-01-15T07:00:00Z\"}}}}");
    cmd_certificates(cmd);
    ck_assert_str_eq(member(json_object_get(json_array_get(json_object_get(
        cmd->result, "certificates"), 0), "last_error"), "detail"), "d");
    json_object_clear(cmd->result);
    write_file(path, "{");
    cmd_certificates(cmd);
    ck_assert_int_ne(cmd->err.status, APR_SUCCESS);
    ck_assert_ptr_nonnull(strstr(cmd->err.message, "ledger.json"));
}
END_TEST

/* Another acmectl at work is no obstacle. */
START_TEST(locked)
{
    unit_ok(store_lock(cmd->store, "somebody, pid 7", 0, &err, pool));
    cmd_certificates(cmd);
    unit_ok(cmd->err.status);
}
END_TEST

/* status tells that httpd runs, and that no manager does. */
START_TEST(httpd)
{
    const json_t *found;

    cmd_status(cmd);
    ck_assert_str_eq(listed(), "a.example:P-256:missing "
                     "b.example:P-256:missing b.example:RSA-2048:missing");
    found = json_object_get(cmd->result, "httpd");
    ck_assert(json_is_true(json_object_get(found, "running")));
    ck_assert_int_eq((int)json_integer_value(json_object_get(found, "pid")),
                     (int)getpid());
    ck_assert(json_is_false(json_object_get(manager(), "enabled")));
    ck_assert(json_is_false(json_object_get(manager(), "running")));
    ck_assert(json_is_null(json_object_get(manager(), "pid")));
    ck_assert_ptr_null(json_object_get(cmd->result, "notes"));
}
END_TEST

/* That it does not run is a note, and no failure. */
START_TEST(no_httpd)
{
    const json_t *found;

    unlink(member(json_object_get(cmd->config, "server"), "pid_file"));
    cmd_status(cmd);
    unit_ok(cmd->err.status);
    found = json_object_get(cmd->result, "httpd");
    ck_assert(json_is_false(json_object_get(found, "running")));
    ck_assert(json_is_null(json_object_get(found, "pid")));
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(
        cmd->result, "notes"), 0)), "httpd is not running");
}
END_TEST

/* The manager is who holds its lock; the lock's line names its process. */
START_TEST(managers)
{
    static const struct {
        const char *holder;
        int pid;
    } rows[] = { { "acmectl serve, pid 4711", 4711 }, { "somebody", 0 } };
    base_lock_t *lock;

    unit_ok(base_lock_take(&lock, cmd_manager_lock(cmd->store, pool),
                           rows[_i].holder, 0, &err, pool));
    cmd_status(cmd);
    ck_assert(json_is_true(json_object_get(manager(), "running")));
    ck_assert_int_eq((int)json_integer_value(json_object_get(manager(),
                                                             "pid")),
                     rows[_i].pid);
}
END_TEST

Suite *certificates_suite(void);
Suite *certificates_suite(void)
{
    Suite *suite = suite_create("certificates");
    TCase *tc = desk_case(suite, "certificates", setup);

    tcase_add_test(tc, all);
    tcase_add_test(tc, no_store);
    tcase_add_test(tc, another_format);
    tcase_add_test(tc, ledgers);
    tcase_add_test(tc, locked);
    tc = desk_case(suite, "status", setup);
    tcase_add_test(tc, httpd);
    tcase_add_test(tc, no_httpd);
    tcase_add_loop_test(tc, managers, 0, 2);
    return suite;
}
