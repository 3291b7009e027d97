/*
 * What ACMENotify's program is told, and when: once for each rung of the
 * ladder, once a day, and only names that are ours.
 */
#include <sys/stat.h>

#include "desk.h"
#include "worker/stall.h"

#define ID "a.example"

static json_t *ledger;
static cmd_subject_t of;

/* ---------------------------------------------------------------- fixtures */

/* A program that writes down its arguments and two variables. */
static void use_program(void)
{
    const char *path = apr_pstrcat(pool, dir, "/hook", NULL);
    const char *text = apr_psprintf(pool, "#!/bin/sh\n"
        "echo \"$*|$ACME_CERTIFICATE|$ACME_NOT_AFTER\" >>%s/told\n", dir);

    unit_ok(base_file_create(path, text, strlen(text), 0700, &err));
    ck_assert_int_eq(chmod(path, 0755), 0);
    json_object_set_new(json_object_get(cmd->config, "server"), "notify",
                        json_pack("[s, s]", path, "x"));
}

static void setup(void)
{
    const char *ca;

    store_setup();
    ck_assert_int_eq(chmod(dir, 0777), 0);
    ca = stall_nobody(pool);
    configure(domain_text("\"a.example\",\"b.example\"",
                          apr_psprintf(pool, "\"ca\":[\"%s\"]", ca)), "");
    use_program();
    cmd->notify = notify_make(pool);
    unit_ok(store_ledger_read(&ledger, cmd->store, &err, pool));
}

/* A certificate of 90 days with so many left. */
static void keep(int days_left)
{
    store_certificate_t kept = { NULL, "C", "", "K" };
    apr_time_t until = NOW + days_left * DAY;

    kept.meta = parse_json(apr_psprintf(pool,
        "{\"schema\":\"acme-certificate/1\",\"name\":\"a.example\","
        "\"names\":[\"a.example\",\"b.example\"],\"key_type\":\"P-256\","
        "\"ca\":\"%s\",\"issuer\":\"I\",\"serial\":\"00\",\"sha256\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000"
        "\",\"not_before\":\"%s\",\"not_after\":\"%s\",\"issued\":\"%s\"}",
        cmd_domain_ca(json_array_get(json_object_get(cmd->config, "domains"),
                                     0), 0),
        base_time_text(until - 90 * DAY, pool), base_time_text(until, pool),
        base_time_text(until - 90 * DAY, pool)));
    unit_ok(store_certificate_write(cmd->store, ID, &kept, &err, pool));
}

static apr_array_header_t *certificates(void)
{
    apr_array_header_t *all = apr_array_make(pool, 1, sizeof(void *));

    cmd_certificates_of(cmd, json_array_get(json_object_get(cmd->config,
                                                            "domains"), 0),
                        ledger, all);
    of.certificate = APR_ARRAY_IDX(all, 0, cmd_certificate_t *);
    of.ca = CA0;
    return all;
}

/* All that was told, when it has been told. */
static const char *told(void)
{
    acme_err_t ignored = { 0 };
    apr_size_t len;
    char *text;

    notify_end(cmd->notify);
    return base_file_read(&text, &len, apr_pstrcat(pool, dir, "/told", NULL),
                          100000, &ignored, pool) == APR_SUCCESS ? text : "";
}

static void told_nothing(void)
{
    ck_assert_str_eq(told(), "");
}

static int count(const char *text, const char *word)
{
    int n = 0;

    for (; (text = strstr(text, word)) != NULL; text++) {
        n++;
    }
    return n;
}

static void advance(apr_interval_time_t by)
{
    base_clock_advance(cmd->clock, by);
}

/* ----------------------------------------------------------------- events */

/* An event has the certificate's path and end, where there is one. */
START_TEST(certificate)
{
    certificates();
    cmd_notify_begin(cmd);
    cmd_notify(cmd, NOTIFY_RENEWING, &of, NULL);
    keep(90);
    cmd_notify(cmd, NOTIFY_RENEWED, &of, NULL);
    ck_assert_str_eq(told(), apr_psprintf(pool, "x renewing a.example||\n"
        "x renewed a.example|%s|2027-04-15T08:00:00Z\n",
        store_certificate_path(cmd->store, ID, "fullchain.pem", pool)));
}
END_TEST

/* An identifier is one of the domain's names as it is configured, or it is
 * left out. */
START_TEST(identifiers)
{
    static const char *const rows[][2] = {
        { "a.example", "a.example" }, { "B.Example", "b.example" },
        { "evil.example", "-" }, { "", "-" }, { "*.a.example", "-" }
    };

    certificates();
    cmd_notify_begin(cmd);
    cmd_notify(cmd, NOTIFY_ERRORED, &of, parse_json(apr_psprintf(pool,
        "{\"type\":\"t\",\"detail\":\"d\",\"identifier\":\"%s\"}",
        rows[_i][0])));
    ck_assert_str_eq(told(), apr_psprintf(pool, "x errored a.example %s d"
                                          "||\n", rows[_i][1]));
}
END_TEST

/* Without a program nothing is run. */
START_TEST(no_program)
{
    json_array_clear(json_object_get(json_object_get(cmd->config, "server"),
                                     "notify"));
    keep(1);
    cmd_notify_begin(cmd);
    cmd_notify_expiring(cmd, certificates(), ledger);
    cmd_notify(cmd, NOTIFY_RENEWING, &of, NULL);
    ck_assert_int_eq(cmd_notify_setup(cmd, cmd_setups_make(pool), &of, 0,
                                      "http-01", "a.example"), APR_SUCCESS);
    told_nothing();
    ck_assert_ptr_null(json_object_get(json_object_get(ledger,
        "certificates"), ID));
}
END_TEST

/* ------------------------------------------------------------- challenges */

/* A challenge is set up once however often it is asked for, and waited for;
 * it is torn down once. */
START_TEST(challenges)
{
    apr_array_header_t *setups = cmd_setups_make(pool);
    int i;

    certificates();
    cmd_notify_begin(cmd);
    for (i = 0; i < 1000 && cmd_notify_setup(cmd, setups, &of, 3, "http-01",
                                             "a.example")
                            == APR_EAGAIN; i++) {
        apr_sleep(10000);
    }
    ck_assert_int_lt(i, 1000);
    while (cmd_notify_setup(cmd, setups, &of, 3, "tls-alpn-01", "A.example")
           == APR_EAGAIN) {
        apr_sleep(10000);
    }
    ck_assert_int_eq(cmd_notify_setup(cmd, setups, &of, 3, "http-01",
                                      "stranger.example"), APR_SUCCESS);
    cmd_notify_teardown(cmd, setups, &of, 4);
    cmd_notify_teardown(cmd, setups, &of, 3);
    cmd_notify_teardown(cmd, setups, &of, 3);
    ck_assert_str_eq(told(), "x challenge-setup a.example a.example||\n"
                     "x challenge-setup a.example a.example||\n"
                     "x challenge-teardown a.example a.example||\n"
                     "x challenge-teardown a.example a.example||\n");
}
END_TEST

/* --------------------------------------------------------------- expiring */

/* It is told when less than half of the window of 33 % is left, in vain
 * renewed or not, and not before. */
START_TEST(expiring)
{
    static const struct {
        int days_left, told;
    } rows[] = { { 60, 0 }, { 28, 0 }, { 16, 0 }, { 14, 1 }, { 1, 1 },
                 { 0, 1 }, { -10, 1 } };

    keep(rows[_i].days_left);
    cmd_notify_begin(cmd);
    cmd_notify_expiring(cmd, certificates(), ledger);
    ck_assert_int_eq(count(told(), "x expiring a.example|"), rows[_i].told);
}
END_TEST

/* What is not there cannot expire. */
START_TEST(missing)
{
    cmd_notify_begin(cmd);
    cmd_notify_expiring(cmd, certificates(), ledger);
    told_nothing();
}
END_TEST

/* It is told once a day, whoever is asked, with the last error. */
START_TEST(once_a_day)
{
    acme_err_t failure = { 0 };

    base_err_set(&failure, APR_EGENERAL, BASE_EXIT_FAILED, "the last error");
    keep(10);
    cmd_ledger_record(ledger, ID, &failure, NOW, pool);
    cmd_notify_begin(cmd);
    cmd_notify_expiring(cmd, certificates(), ledger);
    cmd_notify_expiring(cmd, certificates(), ledger);
    unit_ok(store_ledger_read(&ledger, cmd->store, &err, pool));
    unit_ok(schema_check(schema_find(cmd->schemas, "state/ledger"), ledger,
                         "the ledger", &err));
    advance(DAY - apr_time_from_sec(1));
    cmd_notify_expiring(cmd, certificates(), ledger);
    ck_assert_int_eq(count(told(), "x expiring a.example - the last error|"),
                     1);
    advance(apr_time_from_sec(1));
    cmd_notify_begin(cmd);
    cmd_notify_expiring(cmd, certificates(), ledger);
    ck_assert_int_eq(count(told(), "expiring"), 2);
    /* A clock that was ahead does not silence it for years. */
    cmd->clock = base_clock_manual(NOW - 5 * DAY, pool);
    keep(0);
    cmd_notify_begin(cmd);
    cmd_notify_expiring(cmd, certificates(), ledger);
    ck_assert_int_eq(count(told(), "expiring"), 3);
}
END_TEST

/* One that was renewed meanwhile is looked at anew. */
START_TEST(renewed_meanwhile)
{
    apr_array_header_t *all;

    keep(1);
    all = certificates();
    keep(90);
    cmd_notify_begin(cmd);
    cmd_notify_expiring(cmd, all, ledger);
    told_nothing();
}
END_TEST

/* ---------------------------------------------------------------- failures */

static void order(void)
{
    cmd_certificates_run(cmd, certificates(), ledger);
}

/* An order that fails is told of, once for each rung of the ladder: trying
 * again by hand is no news, a cron job's failures are now and then. */
START_TEST(failures)
{
    order();
    ck_assert_int_eq(count(told(), "x errored a.example - "), 1);
    order();
    advance(apr_time_from_sec(30));
    order();
    ck_assert_int_eq(count(told(), "errored"), 1);
    /* Three failures: the next rung is 100 minutes, or three quarters. */
    advance(apr_time_from_sec(60 * 70));
    order();
    ck_assert_int_eq(count(told(), "errored"), 1);
    advance(DAY);
    order();
    ck_assert_int_eq(count(told(), "errored"), 2);
    unit_ok(schema_check(schema_find(cmd->schemas, "state/ledger"), ledger,
                         "the ledger", &err));
}
END_TEST

/* A failed order of a certificate near its end tells that, too. */
START_TEST(failing_and_expiring)
{
    keep(3);
    order();
    ck_assert_int_eq(count(told(), "x errored a.example - "), 1);
    ck_assert_int_eq(count(told(), "x expiring a.example - "), 1);
}
END_TEST

/* A dry run tells of no failure and of no end. */
START_TEST(dry_run)
{
    keep(3);
    cmd->options.dry_run = 1;
    order();
    told_nothing();
}
END_TEST

Suite *notify_suite(void);
Suite *notify_suite(void)
{
    Suite *suite = suite_create("notify");
    TCase *tc = desk_case(suite, "events", setup);

    tcase_add_test(tc, certificate);
    tcase_add_loop_test(tc, identifiers, 0, 5);
    tcase_add_test(tc, no_program);
    tc = desk_case(suite, "challenges", setup);
    tcase_add_test(tc, challenges);
    tc = desk_case(suite, "expiring", setup);
    tcase_add_loop_test(tc, expiring, 0, 7);
    tcase_add_test(tc, missing);
    tcase_add_test(tc, once_a_day);
    tcase_add_test(tc, renewed_meanwhile);
    tc = desk_case(suite, "failures", setup);
    tcase_add_test(tc, failures);
    tcase_add_test(tc, failing_and_expiring);
    tcase_add_test(tc, dry_run);
    return suite;
}
