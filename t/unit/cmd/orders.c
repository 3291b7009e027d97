/*
 * Which certificates are ordered, which are not, and what the result and
 * the ledger say of it; with a CA that cannot be reached, so that every
 * order that is made fails with its URL.
 */
#include "desk.h"
#include "worker/stall.h"

static const char *url;
static json_t *ledger;

static void setup(void)
{
    store_setup();
    url = stall_nobody(pool);
    configure(domain_text("\"a.example\"",
                          apr_psprintf(pool, "\"ca\":[\"%s\"]", url)), "");
    unit_ok(store_ledger_read(&ledger, cmd->store, &err, pool));
}

/* Run the only domain's certificate with this entry of the ledger. */
static void run(const char *entry)
{
    apr_array_header_t *all = apr_array_make(pool, 1, sizeof(void *));

    if (entry) {
        json_object_set(json_object_get(ledger, "certificates"),
                        "a.example", parse_json(entry));
    }
    cmd_certificates_of(cmd, json_array_get(json_object_get(cmd->config,
                                                            "domains"), 0),
                        ledger, all);
    cmd_certificates_run(cmd, all, ledger);
    ck_assert_msg(cmd->err.status == APR_SUCCESS, "%s", cmd->err.message);
}

/* The only result. */
static const json_t *result(void)
{
    const json_t *results = json_object_get(cmd->result, "results");

    ck_assert_uint_eq(json_array_size(results), 1);
    return json_array_get(results, 0);
}

static void failed_with(base_exit_t exit_status, const char *text)
{
    const char *detail = member(json_object_get(result(), "error"),
                                "detail");

    ck_assert_str_eq(member(result(), "result"), "failed");
    ck_assert_int_eq(cmd->exit, exit_status);
    ck_assert_msg(strstr(detail, text) != NULL, "%s", detail);
}

static int failures(void)
{
    json_t *kept;

    unit_ok(store_ledger_read(&kept, cmd->store, &err, pool));
    return (int)json_integer_value(json_object_get(json_object_get(
        json_object_get(kept, "certificates"), "a.example"), "failures"));
}

/* What is missing is ordered, and a failure counted. */
START_TEST(missing_ones_are_ordered)
{
    run(NULL);
    failed_with(BASE_EXIT_BUSY, url);
    ck_assert_int_eq(failures(), 1);
    ck_assert(!json_is_true(json_object_get(cmd->result, "changed")));
}
END_TEST

/* A CA that asked to wait is not asked before, and that counts as no
 * further failure. */
START_TEST(waits_are_kept)
{
    run("{\"failures\":1,\"retry_at\":\"2027-01-15T08:00:01Z\"}");
    failed_with(BASE_EXIT_BUSY, "the CA asked to wait until "
                "2027-01-15T08:00:01Z; --force asks again now");
    ck_assert_int_eq(failures(), 0);
}
END_TEST

/* Afterwards it is; so it is with --force, and where the time is none. */
START_TEST(waits_end)
{
    static const char *const entries[] = {
        "{\"retry_at\":\"2027-01-15T08:00:00Z\"}",
        "{\"retry_at\":\"2026-01-15T08:00:00Z\"}",
        "{\"retry_at\":\"soon\"}", "{}",
        "{\"retry_at\":\"2027-01-15T09:00:00Z\"}"
    };

    cmd->options.force = _i == 4;
    run(entries[_i]);
    failed_with(BASE_EXIT_BUSY, url);
}
END_TEST

/* A wait that was recorded while the clock was ahead is not kept: it could
 * last for years. One that was recorded before now is. */
START_TEST(waits_from_the_future_are_not_kept)
{
    run("{\"retry_at\":\"2037-01-15T09:00:00Z\",\"last_error\":{\"type\":"
        "\"t\",\"detail\":\"d\",\"at\":\"2037-01-15T08:00:00Z\"}}");
    failed_with(BASE_EXIT_BUSY, url);
}
END_TEST

START_TEST(waits_from_the_past_are_kept)
{
    run("{\"retry_at\":\"2027-01-15T09:00:00Z\",\"last_error\":{\"type\":"
        "\"t\",\"detail\":\"d\",\"at\":\"2027-01-15T07:00:00Z\"}}");
    failed_with(BASE_EXIT_BUSY, "asked to wait");
}
END_TEST

/* Where no challenge could be answered no CA is asked, and the ledger does
 * not hold it against the CA. */
START_TEST(obstacles_keep_from_asking)
{
    unlink(member(json_object_get(cmd->config, "server"), "pid_file"));
    run(NULL);
    failed_with(BASE_EXIT_FAILED, "httpd is not running");
    ck_assert_int_eq(failures(), 0);
}
END_TEST

/* A dry run counts nothing and says what it was. */
START_TEST(dry_runs_count_nothing)
{
    cmd->options.dry_run = 1;
    run(NULL);
    failed_with(BASE_EXIT_BUSY, url);
    ck_assert_int_eq(failures(), 0);
    ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(
        json_object_get(cmd->result, "notes"), 0)), "dry run"));
}
END_TEST

/* What is valid is skipped without a word to anyone. */
START_TEST(valid_ones_are_skipped)
{
    store_certificate_t certificate = { NULL, "C", "", "K" };

    certificate.meta = parse_json(apr_psprintf(pool,
        "{\"schema\":\"acme-certificate/1\",\"name\":\"a.example\","
        "\"names\":[\"a.example\"],\"key_type\":\"P-256\",\"ca\":\"%s\","
        "\"issuer\":\"I\",\"serial\":\"00\",\"sha256\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000"
        "\",\"not_before\":\"2027-01-01T00:00:00Z\",\"not_after\":"
        "\"2027-04-01T00:00:00Z\",\"issued\":\"2027-01-01T00:00:00Z\"}",
        url));
    unit_ok(store_certificate_write(cmd->store, "a.example", &certificate,
                                    &err, pool));
    run(NULL);
    ck_assert_str_eq(member(result(), "result"), "skipped");
    ck_assert(json_is_null(json_object_get(result(), "error")));
    ck_assert_int_eq(cmd->exit, BASE_EXIT_OK);
    json_object_clear(cmd->result);
    cmd->options.force = 1;
    run(NULL);
    failed_with(BASE_EXIT_BUSY, url);
}
END_TEST

/* A run of nothing is a success with an empty list. */
START_TEST(nothing_to_do)
{
    cmd_certificates_run(cmd, apr_array_make(pool, 1, sizeof(void *)),
                         ledger);
    ck_assert_int_eq(cmd->exit, BASE_EXIT_OK);
    ck_assert(json_is_array(json_object_get(cmd->result, "results")));
}
END_TEST

Suite *orders_suite(void);
Suite *orders_suite(void)
{
    Suite *suite = suite_create("orders");
    TCase *tc = desk_case(suite, "orders", setup);

    tcase_add_test(tc, missing_ones_are_ordered);
    tcase_add_test(tc, waits_are_kept);
    tcase_add_loop_test(tc, waits_end, 0, 5);
    tcase_add_test(tc, waits_from_the_future_are_not_kept);
    tcase_add_test(tc, waits_from_the_past_are_kept);
    tcase_add_test(tc, obstacles_keep_from_asking);
    tcase_add_test(tc, dry_runs_count_nothing);
    tcase_add_test(tc, valid_ones_are_skipped);
    tcase_add_test(tc, nothing_to_do);
    return suite;
}
