/*
 * What httpd's pages are told: how certificates stand, how orders end, what
 * the manager does, how CAs answer. And that nobody minds where httpd
 * cannot be told.
 */
#include "desk.h"

#define ID "a.example"
#define RSA ID "~rsa-2048"

static live_t *live;
static json_t *ledger;

static void setup(void)
{
    apr_array_header_t *ids;
    const char *error = NULL;
    apr_status_t rv;

    store_setup();
    ids = apr_array_make(pool, 2, sizeof(char *));
    APR_ARRAY_PUSH(ids, const char *) = ID;
    APR_ARRAY_PUSH(ids, const char *) = RSA;
    rv = live_parent_open(&live, apr_pstrcat(pool, dir, "/live", NULL), NULL,
                          ids, &error, pool);
    ck_assert_msg(rv == APR_SUCCESS, "%s", error);
    configure(domain_text("\"" ID "\"", "\"private_keys\":[\"P-256\","
                          "\"RSA-2048\"]"), "");
    unit_ok(store_ledger_read(&ledger, cmd->store, &err, pool));
}

static void keep(const char *id, apr_time_t from, apr_time_t to)
{
    store_certificate_t certificate = { NULL, "C", "", "K" };

    certificate.meta = parse_json(apr_psprintf(pool,
        "{\"schema\":\"acme-certificate/1\",\"name\":\"" ID "\","
        "\"names\":[\"" ID "\"],\"key_type\":\"%s\",\"ca\":\"" CA0 "\","
        "\"issuer\":\"The Issuer\",\"serial\":\"0a\",\"sha256\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000"
        "\",\"not_before\":\"%s\",\"not_after\":\"%s\",\"issued\":\"%s\"}",
        strcmp(id, ID) == 0 ? "P-256" : "RSA-2048",
        base_time_text(from, pool), base_time_text(to, pool),
        base_time_text(from, pool)));
    unit_ok(store_certificate_write(cmd->store, id, &certificate, &err,
                                    pool));
}

static apr_array_header_t *all(void)
{
    apr_array_header_t *certificates = apr_array_make(pool, 2,
                                                      sizeof(void *));

    cmd_certificates_of(cmd, json_array_get(json_object_get(
        cmd->config, "domains"), 0), ledger, certificates);
    return certificates;
}

static live_status_t shown(const char *id)
{
    live_status_t status;

    ck_assert_int_eq(live_child_status(&status, live,
                                       live_child_status_find(live, id)),
                     APR_SUCCESS);
    return status;
}

static live_manager_t shown_manager(void)
{
    live_manager_t manager;

    ck_assert_int_eq(live_child_manager(&manager, live), APR_SUCCESS);
    return manager;
}

/* An order of the n-th certificate ends like this. */
static void end_order(int n, const char *ca, const acme_result_t *result)
{
    const cmd_certificate_t *c = APR_ARRAY_IDX(all(), n,
                                               cmd_certificate_t *);

    cmd_ledger_record(ledger, c->id, &result->err, NOW, pool);
    cmd_report_end(cmd, cmd_certificate_again(cmd, c, ledger), ca, result);
}

/* ------------------------------------------------------------ certificates */

/* Pages show what the store has, for each key type. */
START_TEST(certificates_are_shown)
{
    live_status_t status;

    keep(ID, NOW - 10 * DAY, NOW + 80 * DAY);
    cmd_report(cmd, all());
    status = shown(ID);
    ck_assert_uint_eq(status.state, LIVE_STATE_VALID);
    ck_assert_int_eq(status.not_before, NOW - 10 * DAY);
    ck_assert_int_eq(status.not_after, NOW + 80 * DAY);
    ck_assert_int_gt(status.renew_at, NOW);
    ck_assert_str_eq(status.serial, "0a");
    ck_assert_str_eq(status.issuer, "The Issuer");
    ck_assert_str_eq(status.ca, CA0);
    ck_assert_str_eq(status.why, "");
    ck_assert_int_eq(status.written, NOW);
    ck_assert_uint_eq(shown(RSA).state, LIVE_STATE_MISSING);
    ck_assert_str_eq(shown(RSA).serial, "");
}
END_TEST

/* A certificate that is not the configured one is due, and pages say why. */
START_TEST(reasons_are_shown)
{
    keep(ID, NOW - 10 * DAY, NOW + 80 * DAY);
    keep(RSA, NOW - 100 * DAY, NOW - DAY);
    json_array_append_new(json_object_get(json_array_get(json_object_get(
        cmd->config, "domains"), 0), "names"), json_string("www." ID));
    cmd_report(cmd, all());
    ck_assert_uint_eq(shown(ID).state, LIVE_STATE_DUE);
    ck_assert_str_eq(shown(ID).why, "its names are not the configured ones");
    ck_assert_uint_eq(shown(RSA).state, LIVE_STATE_EXPIRED);
}
END_TEST

/* A look that finds nothing new writes nothing, whenever it is. */
START_TEST(nothing_new_nothing_written)
{
    keep(ID, NOW - 10 * DAY, NOW + 80 * DAY);
    cmd_report(cmd, all());
    base_clock_advance(cmd->clock, DAY);
    cmd_report(cmd, all());
    ck_assert_int_eq(shown(ID).written, NOW);
    keep(RSA, NOW, NOW + 90 * DAY);
    cmd_report(cmd, all());
    ck_assert_int_eq(shown(ID).written, NOW);
    ck_assert_int_eq(shown(RSA).written, NOW + DAY);
}
END_TEST

/* ------------------------------------------------------------------ orders */

/* An order is under way from its begin to its end; its end says how. */
START_TEST(orders_are_shown)
{
    acme_result_t result = { .requests = 8, .replies = 8, .elapsed = 700,
                             .latency = 300, .slowest = 90 };
    live_status_t status;

    cmd_report(cmd, all());
    cmd_report_begin(cmd, APR_ARRAY_IDX(all(), 0, cmd_certificate_t *));
    ck_assert_int_eq(shown(ID).ordering, NOW);
    ck_assert_int_eq(shown(RSA).ordering, 0);
    /* A look at everything ends no order. */
    cmd_report(cmd, all());
    ck_assert_int_eq(shown(ID).ordering, NOW);
    keep(ID, NOW, NOW + 90 * DAY);
    end_order(0, CA0, &result);
    status = shown(ID);
    ck_assert_int_eq(status.ordering, 0);
    ck_assert_uint_eq(status.state, LIVE_STATE_VALID);
    ck_assert_uint_eq(status.issued, 1);
    ck_assert_uint_eq(status.failed, 0);
    ck_assert_int_eq(status.seconds, 700);
    ck_assert_int_eq(status.last_success, NOW);
    ck_assert_uint_eq(shown_manager().issued, 1);
    ck_assert_uint_eq(shown_manager().failed, 0);
}
END_TEST

/* Failures are shown with the CA's words, bounded and harmless, and with
 * the next try; a success takes them away and leaves the counts. */
START_TEST(failures_are_shown)
{
    acme_result_t result = { .requests = 3 };
    live_status_t status;
    char words[1000];

    memset(words, 'x', sizeof(words));
    memcpy(words, "<b>\n\xff", 5);
    words[sizeof(words) - 1] = '\0';
    base_err_set(&result.err, APR_EGENERAL, BASE_EXIT_FAILED, "%s", words);
    apr_cpystrn(result.err.type, "urn:ietf:params:acme:error:dns",
                sizeof(result.err.type));
    end_order(0, CA0, &result);
    end_order(0, CA0, &result);
    status = shown(ID);
    ck_assert_uint_eq(status.failures, 2);
    ck_assert_uint_eq(status.failed, 2);
    ck_assert_str_eq(status.error_type, "urn:ietf:params:acme:error:dns");
    ck_assert(!strncmp(status.error_detail, "<b>", 3));
    ck_assert_ptr_null(strchr(status.error_detail, '\n'));
    ck_assert_uint_eq(strlen(status.error_detail),
                      sizeof(status.error_detail) - 1);
    ck_assert_int_gt(status.next_try, NOW);
    base_err_clear(&result.err);
    keep(ID, NOW, NOW + 90 * DAY);
    end_order(0, CA0, &result);
    status = shown(ID);
    ck_assert_uint_eq(status.failures, 0);
    ck_assert_str_eq(status.error_type, "");
    ck_assert_str_eq(status.error_detail, "");
    ck_assert_int_eq(status.next_try, 0);
    ck_assert_uint_eq(status.failed, 2);
    ck_assert_uint_eq(shown_manager().failed, 2);
    ck_assert_uint_eq(shown_manager().issued, 1);
}
END_TEST

/* --------------------------------------------------------------------- CAs */

/* How CAs answer is summed up for each of them, of revocations, too. */
START_TEST(answers_are_timed)
{
    acme_result_t result = { .requests = 8, .replies = 7, .latency = 300,
                             .slowest = 90 };
    live_manager_t manager;

    end_order(0, CA0, &result);
    end_order(1, CA1, &result);
    result.slowest = 50;
    cmd_report_end(cmd, NULL, CA0, &result);
    manager = shown_manager();
    ck_assert_str_eq(manager.cas[0].url, CA0);
    ck_assert_uint_eq(manager.cas[0].requests, 16);
    ck_assert_uint_eq(manager.cas[0].replies, 14);
    ck_assert_int_eq(manager.cas[0].latency, 600);
    ck_assert_int_eq(manager.cas[0].slowest, 50);
    ck_assert_str_eq(manager.cas[1].url, CA1);
    ck_assert_uint_eq(manager.cas[1].requests, 8);
    ck_assert_str_eq(manager.cas[2].url, "");
    ck_assert_uint_eq(manager.issued, 2);
}
END_TEST

/* There is room for some CAs; the others are left out, and harm none. */
START_TEST(more_cas_than_room)
{
    acme_result_t result = { .requests = 1, .replies = 1 };
    live_manager_t manager;
    int i;

    for (i = 0; i < LIVE_CAS_MAX + 3; i++) {
        cmd_report_end(cmd, NULL, apr_psprintf(
            pool, "https://ca%d.example/dir", i), &result);
    }
    manager = shown_manager();
    for (i = 0; i < LIVE_CAS_MAX; i++) {
        ck_assert_uint_eq(manager.cas[i].requests, 1);
    }
    ck_assert_uint_eq(manager.issued, 0);
}
END_TEST

/* ------------------------------------------------------------- the manager */

/* The manager tells that it is there, what it does and what troubles it;
 * orders that end make its number smaller, those of others do not. */
START_TEST(manager_is_shown)
{
    cmd_manager_t now = { NOW - DAY, NOW, NOW + DAY, 2, "port 80" };
    acme_result_t result = { .requests = 1 };
    live_manager_t manager;

    cmd_report_manager(cmd, &now);
    manager = shown_manager();
    ck_assert_uint_eq(manager.pid, (unsigned int)getpid());
    ck_assert_int_eq(manager.started, NOW - DAY);
    ck_assert_int_eq(manager.last_pass, NOW);
    ck_assert_int_eq(manager.next_wake, NOW + DAY);
    ck_assert_uint_eq(manager.ordering, 2);
    ck_assert_str_eq(manager.trouble, "port 80");
    end_order(0, CA0, &result);
    ck_assert_uint_eq(shown_manager().ordering, 2);
    cmd->resident = 1;
    end_order(0, CA0, &result);
    ck_assert_uint_eq(shown_manager().ordering, 1);
    now.trouble = NULL;
    now.last_pass = 0;
    now.ordering = 0;
    cmd_report_manager(cmd, &now);
    ck_assert_str_eq(shown_manager().trouble, "");
    ck_assert_int_eq(shown_manager().last_pass, NOW);
    ck_assert_uint_eq(shown_manager().issued, 2);
}
END_TEST

/* ------------------------------------------------------------- no segment */

/* Where httpd has no live segment, or none of this version, nothing is
 * shown and nothing fails. */
START_TEST(no_segment_no_fault)
{
    cmd_manager_t now = { NOW, NOW, NOW, 0, NULL };
    acme_result_t result = { .requests = 1 };

    live_parent_remove(apr_pstrcat(pool, dir, "/live", NULL), pool);
    if (_i == 1) {
        write_file(apr_pstrcat(pool, dir, "/live", NULL), "another one");
    }
    cmd_report(cmd, all());
    cmd_report_begin(cmd, APR_ARRAY_IDX(all(), 0, cmd_certificate_t *));
    end_order(0, CA0, &result);
    cmd_report_manager(cmd, &now);
    ck_assert_int_eq(cmd->err.status, APR_SUCCESS);
    ck_assert_int_eq(cmd->exit, BASE_EXIT_OK);
    ck_assert_uint_eq(json_object_size(cmd->result), 0);
}
END_TEST

Suite *report_suite(void)
{
    Suite *suite = suite_create("report");
    TCase *tc = desk_case(suite, "certificates", setup);

    tcase_add_test(tc, certificates_are_shown);
    tcase_add_test(tc, reasons_are_shown);
    tcase_add_test(tc, nothing_new_nothing_written);
    tc = desk_case(suite, "orders", setup);
    tcase_add_test(tc, orders_are_shown);
    tcase_add_test(tc, failures_are_shown);
    tc = desk_case(suite, "CAs", setup);
    tcase_add_test(tc, answers_are_timed);
    tcase_add_test(tc, more_cas_than_room);
    tc = desk_case(suite, "manager", setup);
    tcase_add_test(tc, manager_is_shown);
    tc = desk_case(suite, "without", setup);
    tcase_add_loop_test(tc, no_segment_no_fault, 0, 2);
    return suite;
}
