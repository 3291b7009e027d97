/*
 * The engine's host on the worker's side, against the real serving side on
 * the other end of a socket, in a thread.
 */
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"
#include "unit.h"

static int ours;      /* the keeper's end */
static int theirs;    /* the worker's end */
static script_t *script;
static worker_plan_t *plan;
static acme_host_t *proxy;
static pthread_t thread;
static acme_err_t served;
static char done[RIG_JOBS];

static void *serve(void *unused)
{
    apr_pool_t *own;
    int ended;

    apr_pool_create(&own, NULL);
    serve_calls(ours, &script->host, plan, done, &ended, &served, own);
    apr_pool_destroy(own);
    shutdown(ours, SHUT_RDWR);
    return unused;
}

static void bare_setup(void)
{
    int fds[2];

    unit_setup();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ours = fds[0];
    theirs = fds[1];
    script = rig_script(pool);
    plan = rig_plan(2, 3, pool);
    proxy = proxy_host_make(theirs, pool);
    base_err_clear(&served);
}

static void setup(void)
{
    bare_setup();
    ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

static void bare_teardown(void)
{
    close(ours);
    close(theirs);
    unit_teardown();
}

/* The worker says its end; the keeper found nothing wrong with it. */
static void finish(void)
{
    acme_err_t none = { 0 };

    unit_ok(proxy_end(theirs, &none, &err));
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_msg(served.status == APR_SUCCESS, "%s", served.message);
}

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

    ck_assert_msg(json != NULL, "%s", text);
    return base_json_own(json, pool);
}

/* -------------------------------------------------------- calls both ways */

/* Each call arrives with the arguments that it was made with; those with a
 * value bring it back. */
START_TEST(calls_go_both_ways)
{
    acme_sign_t sign = { ACME_SIGN_NEW_ACCOUNT, 1, -1,
                         "https://ca1.example/new", "N", "{\"a\":\"\\n\"}" };
    acme_result_t result = { .requests = 7, .elapsed = 8, .replies = 5,
                             .latency = 900, .slowest = 400 };
    const char *value = NULL;

    unit_ok(proxy->sign(proxy, &sign, &value, &err, pool));
    ck_assert_str_eq(value, "VALUE");
    value = NULL;
    unit_ok(proxy->csr(proxy, 2, &value, &err, pool));
    ck_assert_str_eq(value, "VALUE");
    unit_ok(proxy->challenge_put(proxy, 0, "http-01", "n0.example", "T",
                                 APR_INT64_C(1795460400000000), &err));
    unit_ok(proxy->challenge_remove(proxy, 0, "http-01", "T", &err));
    unit_ok(proxy->directory_save(proxy, 1, parse("{\"x\":[1]}"), &err));
    unit_ok(proxy->account_save(proxy, 0, "U", parse("{}"), &err));
    unit_ok(proxy->order_save(proxy, 1, parse("{\"step\":1}"), &err));
    unit_ok(proxy->order_save(proxy, 1, NULL, &err));
    unit_ok(proxy->certificate_save(proxy, 0, "P\nM and more", 3, &err));
    unit_ok(proxy->staple_save(proxy, 1, (const unsigned char *)"DER", 3,
                               &err));
    proxy->progress(proxy, 2, "walking");
    proxy->done(proxy, 2, &result);
    finish();
    ck_assert_str_eq(script->log,
                     "sign 1 1 -1 https://ca1.example/new N "
                     "{\"a\":\"\\n\"}\ncsr 2\n"
                     "challenge_put 0 http-01 n0.example T "
                     "1795460400000000\nchallenge_remove 0 http-01 T\n"
                     "directory_save 1 {\"x\":[1]}\naccount_save 0 U {}\n"
                     "order_save 1 {\"step\":1}\norder_save 1 NULL\n"
                     "certificate_save 0 3 P\nM\nstaple_save 1 DER\n"
                     "progress 2 walking\n"
                     "done 2\n");
    ck_assert_int_eq(script->results[2].requests, 7);
    ck_assert_int_eq(script->results[2].elapsed, 8);
    ck_assert_int_eq(script->results[2].replies, 5);
    ck_assert_int_eq(script->results[2].latency, 900);
    ck_assert_int_eq(script->results[2].slowest, 400);
    ck_assert_int_eq(script->results[2].err.status, APR_SUCCESS);
}
END_TEST

/* A value of any length within a frame comes back whole. */
START_TEST(long_values_come_back)
{
    char *value = apr_palloc(script->pool, 500001);
    const char *csr;

    memset(value, 'c', 500000);
    value[500000] = '\0';
    script->value = value;
    unit_ok(proxy->csr(proxy, 0, &csr, &err, pool));
    ck_assert_str_eq(csr, value);
    finish();
}
END_TEST

static void refuse_all(void)
{
    base_err_set(&script->fail, APR_ENOSPC, BASE_EXIT_BUSY, "full");
    script->fail.retry_at = 42;
    apr_cpystrn(script->fail.type, "urn:t", sizeof(script->fail.type));
    apr_cpystrn(script->fail.identifier, "n1.example",
                sizeof(script->fail.identifier));
}

static void check_refused(apr_status_t rv)
{
    ck_assert_int_eq(rv, APR_ENOSPC);
    ck_assert_int_eq(err.status, APR_ENOSPC);
    ck_assert_int_eq(err.exit, BASE_EXIT_BUSY);
    ck_assert_int_eq(err.retry_at, 42);
    ck_assert_str_eq(err.type, "urn:t");
    ck_assert_str_eq(err.identifier, "n1.example");
    ck_assert_str_eq(err.message, "full");
    base_err_clear(&err);
}

/* Each call that the keeper refuses fails here with the keeper's error and
 * all its fields. */
START_TEST(refusals_arrive_whole)
{
    acme_sign_t sign = { ACME_SIGN_ACCOUNT, 0, 0, "U", "N", "" };
    const char *value;

    refuse_all();
    check_refused(proxy->sign(proxy, &sign, &value, &err, pool));
    check_refused(proxy->csr(proxy, 0, &value, &err, pool));
    check_refused(proxy->challenge_put(proxy, 0, "t", "i", "T", 1, &err));
    check_refused(proxy->challenge_remove(proxy, 0, "t", "T", &err));
    check_refused(proxy->directory_save(proxy, 0, parse("{}"), &err));
    check_refused(proxy->account_save(proxy, 0, "U", parse("{}"), &err));
    check_refused(proxy->order_save(proxy, 0, NULL, &err));
    check_refused(proxy->certificate_save(proxy, 0, "P", 1, &err));
    check_refused(proxy->staple_save(proxy, 0, (const unsigned char *)"D", 1,
                                     &err));
    finish();
}
END_TEST

/* The first error wins, also over one from the other process. */
START_TEST(first_error_wins)
{
    const char *value;

    refuse_all();
    base_err_set(&err, APR_EACCES, BASE_EXIT_USAGE, "earlier");
    ck_assert_int_eq(proxy->csr(proxy, 0, &value, &err, pool), APR_ENOSPC);
    ck_assert_str_eq(err.message, "earlier");
    base_err_clear(&err);
    finish();
}
END_TEST

/* A job's failure is passed on whole as well. */
START_TEST(failed_jobs_arrive_whole)
{
    acme_result_t result = { .requests = 1 };

    base_err_set(&result.err, APR_EGENERAL, BASE_EXIT_REFUSED, "denied");
    result.err.retry_at = 9;
    apr_cpystrn(result.err.type, "urn:d", sizeof(result.err.type));
    proxy->done(proxy, 1, &result);
    finish();
    ck_assert_int_eq(script->done_count[1], 1);
    ck_assert_str_eq(script->results[1].err.message, "denied");
    ck_assert_str_eq(script->results[1].err.type, "urn:d");
    ck_assert_int_eq(script->results[1].err.exit, BASE_EXIT_REFUSED);
    ck_assert_int_eq(script->results[1].err.retry_at, 9);
    ck_assert_int_eq(done[1], 1);
}
END_TEST

/* The engine's own failure is the keeper's outcome. */
START_TEST(outcome_is_passed_on)
{
    acme_err_t outcome = { 0 };

    base_err_set(&outcome, APR_ENOMEM, BASE_EXIT_FAILED, "no loop");
    unit_ok(proxy_end(theirs, &outcome, &err));
    pthread_join(thread, NULL);
    ck_assert_int_eq(served.status, APR_ENOMEM);
    ck_assert_str_eq(served.message, "no loop");
}
END_TEST

/* -------------------------------------------------- what a CA can send us */

static const char *nested(int depth)
{
    char *text = apr_palloc(pool, (apr_size_t)depth * 6 + 1);
    int i;

    for (i = 0; i < depth - 1; i++) {
        memcpy(text + 5 * i, "{\"a\":", 5);
    }
    memcpy(text + 5 * i, "{}", 2);
    memset(text + 5 * i + 2, '}', (size_t)i);
    text[6 * i + 2] = '\0';
    return text;
}

/* A directory or account object that is within the limits of JSON, but not
 * inside a frame or when it is written again, fails by itself: the keeper
 * takes no offence at it and the orders at other CAs go on. */
START_TEST(foreign_json_ends_nobody_else)
{
    static const char *const documents[] = {
        /* one level is the frame's; a number that grows by rewriting */
        NULL, "{\"n\":1.1e-100}", "{\"n\":-0.011}"
    };
    const char *value;
    size_t i;

    unit_ok(proxy->directory_save(proxy, 0,
                                  parse(nested(BASE_JSON_DEPTH_MAX - 1)),
                                  &err));
    for (i = 0; i < 3; i++) {
        json_t *json = parse(documents[i] ? documents[i]
                             : nested(BASE_JSON_DEPTH_MAX));

        unit_fails(proxy->directory_save(proxy, 0, json, &err), APR_EINVAL,
                   "the CA's directory");
        base_err_clear(&err);
        unit_fails(proxy->account_save(proxy, 0, "U", json, &err),
                   APR_EINVAL, "the CA's account object");
        base_err_clear(&err);
    }
    unit_ok(proxy->csr(proxy, 0, &value, &err, pool));
    finish();
}
END_TEST

/* So does a certificate that is no text, or too much of it. */
START_TEST(foreign_bytes_end_nobody_else)
{
    static const char *const bodies[] = {
        "a\0b", "a\177b", "\xff\xfe-", "\xc3\xa9-", "\x1b[m"
    };
    char *large = apr_palloc(pool, CRYPTO_CHAIN_MAX + 1);
    size_t i;

    for (i = 0; i < 5; i++) {
        unit_fails(proxy->certificate_save(proxy, 0, bodies[i], 3, &err),
                   APR_EINVAL, "is not PEM text");
        base_err_clear(&err);
    }
    memset(large, '\n', CRYPTO_CHAIN_MAX + 1);
    unit_fails(proxy->certificate_save(proxy, 0, large, CRYPTO_CHAIN_MAX + 1,
                                       &err), APR_EINVAL, "is not PEM text");
    base_err_clear(&err);
    unit_ok(proxy->certificate_save(proxy, 0, large, CRYPTO_CHAIN_MAX,
                                    &err));
    finish();
}
END_TEST

/* Text that is not UTF-8 makes no call; a step of it is not shown. */
START_TEST(other_text_makes_no_call)
{
    unit_fails(proxy->challenge_put(proxy, 0, "t", "\xff", "T", 1, &err),
               APR_EINVAL, "not UTF-8");
    base_err_clear(&err);
    proxy->progress(proxy, 0, "\xff");
    finish();
    ck_assert_str_eq(script->log, "");
}
END_TEST

/* ------------------------------------------------------------ lost keepers */

/* Without a keeper each call that wants an answer fails, and the others are
 * over. */
START_TEST(lost_keepers_are_errors)
{
    acme_result_t result = { .requests = 1 };
    acme_err_t none = { 0 };
    const char *value;

    close(ours);
    unit_fails(proxy->csr(proxy, 0, &value, &err, pool), APR_EOF,
               "it is gone");
    base_err_clear(&err);
    proxy->progress(proxy, 0, "walking");
    proxy->done(proxy, 0, &result);
    unit_fails(proxy_end(theirs, &none, &err), APR_EOF, "it is gone");
}
END_TEST

#define NO_ERROR "{\"status\":0,\"exit\":0,\"retry_at\":0,\"type\":\"\"," \
                 "\"identifier\":\"\",\"message\":\"\"}"

/* An answer that is none is an error, and nothing is read from it. */
START_TEST(bad_answers_are_errors)
{
    static const char *const answers[] = {
        "{}", "[]", "{\"value\":\"\"}",
        "{\"error\":{\"status\":0},\"value\":\"\"}",
        "{\"error\":" NO_ERROR ",\"value\":null}"
    };
    size_t i;

    for (i = 0; i < 5; i++) {
        const char *value = "untouched";

        unit_ok(frame_write(ours, parse(answers[i]), -1, &err));
        unit_fails(proxy->csr(proxy, 0, &value, &err, pool), APR_EINVAL,
                   "the keeper's answer cannot be read");
        ck_assert_str_eq(value, "untouched");
        base_err_clear(&err);
    }
}
END_TEST

Suite *proxy_suite(void);
Suite *proxy_suite(void)
{
    Suite *suite = suite_create("proxy");
    TCase *tc = tcase_create("calls");

    tcase_add_checked_fixture(tc, setup, bare_teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, calls_go_both_ways);
    tcase_add_test(tc, long_values_come_back);
    tcase_add_test(tc, refusals_arrive_whole);
    tcase_add_test(tc, first_error_wins);
    tcase_add_test(tc, failed_jobs_arrive_whole);
    tcase_add_test(tc, outcome_is_passed_on);
    tcase_add_test(tc, foreign_json_ends_nobody_else);
    tcase_add_test(tc, foreign_bytes_end_nobody_else);
    tcase_add_test(tc, other_text_makes_no_call);
    tc = tcase_create("lost keepers");
    tcase_add_checked_fixture(tc, bare_setup, bare_teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, lost_keepers_are_errors);
    tcase_add_test(tc, bad_answers_are_errors);
    return suite;
}
