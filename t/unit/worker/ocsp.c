/*
 * How the net worker asks OCSP responders: a scripted transport stands for
 * the network.
 */
#include <apr_strings.h>

#include "rig.h"
#include "unit.h"

#define MOST 8

/* One request that was sent, and what is to be answered. */
typedef struct sent_t {
    http_request_t request;
    http_done_fn *done;
    void *baton;
    apr_pool_t *pool;
} sent_t;

typedef struct net_t {
    http_transport_t transport;   /**< first: they are cast */
    sent_t sent[MOST];
    int count;
    int answered;
    int status;                   /**< of every reply; 0: none comes */
    const char *retry_after;
    const char *body;
    apr_status_t refuse;          /**< what submit says */
    apr_status_t broken;          /**< what wait says */
} net_t;

static net_t net;
static script_t *script;
static worker_plan_t *plan;

static apr_status_t net_submit(http_transport_t *transport,
                               const http_request_t *request,
                               http_done_fn *done, void *baton,
                               acme_err_t *fault, apr_pool_t *p)
{
    (void)transport;
    if (net.refuse) {
        return base_err_set(fault, net.refuse, BASE_EXIT_FAILED, "no way");
    }
    ck_assert_int_lt(net.count, MOST);
    net.sent[net.count].request = *request;
    net.sent[net.count].done = done;
    net.sent[net.count].baton = baton;
    net.sent[net.count++].pool = p;
    return APR_SUCCESS;
}

static void answer_one(sent_t *sent)
{
    http_response_t *response = apr_pcalloc(sent->pool, sizeof(*response));
    acme_err_t fault = { 0 };

    if (net.status == 0) {
        base_err_set(&fault, APR_TIMEUP, BASE_EXIT_BUSY, "nobody there");
        sent->done(sent->baton, NULL, &fault);
        return;
    }
    response->status = net.status;
    response->url = sent->request.url;
    response->retry_after = net.retry_after;
    response->body = net.body;
    response->body_len = strlen(net.body);
    sent->done(sent->baton, response, &fault);
}

static apr_status_t net_wait(http_transport_t *transport, apr_time_t until,
                             acme_err_t *fault)
{
    (void)transport;
    (void)until;
    if (net.broken) {
        return base_err_set(fault, net.broken, BASE_EXIT_FAILED, "broken");
    }
    if (net.answered < net.count) {
        answer_one(&net.sent[net.answered++]);
    }
    return APR_SUCCESS;
}

static void ask_setup(void)
{
    int i;

    unit_setup();
    memset(&net, 0, sizeof(net));
    net.transport.submit = net_submit;
    net.transport.wait = net_wait;
    net.status = 200;
    net.body = "DER";
    script = rig_script(pool);
    plan = rig_plan(0, 3, pool);
    for (i = 0; i < 3; i++) {
        worker_job_t *job = &APR_ARRAY_IDX(plan->jobs, i, worker_job_t);

        job->kind = WORKER_OCSP;
        job->ocsp.url = apr_psprintf(pool, "http://ocsp%d.example/", i);
        job->ocsp.request = "REQUEST";
        job->ocsp.request_len = 7;
    }
}

static apr_status_t ask(void)
{
    return ocsp_ask(plan, &net.transport, &script->host,
                    base_clock_system(), &err, pool);
}

/* Each is asked once, all at the same time, by POST; the host gets what
 * they answer, and 16 KiB of it at most. */
START_TEST(asks_all)
{
    const http_request_t *request = &net.sent[1].request;

    unit_ok(ask());
    ck_assert_int_eq(net.count, 3);
    ck_assert_str_eq(request->url, "http://ocsp1.example/");
    ck_assert_str_eq(request->method, "POST");
    ck_assert_str_eq(request->content_type, "application/ocsp-request");
    ck_assert_uint_eq(request->body_len, 7);
    ck_assert_uint_eq(request->max, 16 * 1024);
    ck_assert_int_eq(request->redirects, 0);
    ck_assert_str_eq(script->log, "staple_save 0 DER\ndone 0\n"
                     "staple_save 1 DER\ndone 1\nstaple_save 2 DER\n"
                     "done 2\n");
    ck_assert_int_eq(script->results[0].err.status, APR_SUCCESS);
    ck_assert_int_eq(script->results[0].requests, 1);
}
END_TEST

/* A reply that is no 200 is no answer; when to ask again is heard. */
START_TEST(other_statuses)
{
    static const int statuses[] = { 201, 301, 404, 500, 503 };

    net.status = statuses[_i];
    net.retry_after = "120";
    unit_ok(ask());
    ck_assert_str_eq(script->log, "done 0\ndone 1\ndone 2\n");
    ck_assert(strstr(script->results[2].err.message, apr_psprintf(
        pool, "ocsp2.example/ answered with status %d", net.status))
        != NULL);
    ck_assert_int_gt(script->results[2].err.retry_at,
                     apr_time_now() + apr_time_from_sec(100));
}
END_TEST

/* One that cannot be reached does not disturb the others. */
START_TEST(no_reply)
{
    net.status = 0;
    unit_ok(ask());
    ck_assert_str_eq(script->log, "done 0\ndone 1\ndone 2\n");
    ck_assert_int_eq(script->results[1].err.status, APR_TIMEUP);
}
END_TEST

/* What the host refuses is the job's failure. */
START_TEST(refused_by_the_host)
{
    base_err_set(&script->fail, APR_EINVAL, BASE_EXIT_FAILED, "not so");
    unit_ok(ask());
    ck_assert_str_eq(script->results[0].err.message, "not so");
    ck_assert_str_eq(script->results[2].err.message, "not so");
}
END_TEST

/* A question that cannot be sent is done, too. */
START_TEST(not_sent)
{
    net.refuse = APR_ENOMEM;
    unit_ok(ask());
    ck_assert_str_eq(script->log, "done 0\ndone 1\ndone 2\n");
    ck_assert_str_eq(script->results[0].err.message, "no way");
}
END_TEST

/* A transport that breaks ends it all. */
START_TEST(broken_transport)
{
    net.broken = APR_EGENERAL;
    unit_fails(ask(), APR_EGENERAL, "broken");
}
END_TEST

/* Only a plan of questions alone is one. */
START_TEST(plans)
{
    ck_assert(ocsp_plan_is(plan));
    ck_assert(!ocsp_plan_is(rig_plan(1, 2, pool)));
    ck_assert(!ocsp_plan_is(rig_plan(1, 0, pool)));
}
END_TEST

Suite *ocsp_suite(void);
Suite *ocsp_suite(void)
{
    Suite *suite = suite_create("ocsp");
    TCase *tc = tcase_create("ocsp");

    tcase_add_checked_fixture(tc, ask_setup, unit_teardown);
    tcase_add_test(tc, asks_all);
    tcase_add_loop_test(tc, other_statuses, 0, 5);
    tcase_add_test(tc, no_reply);
    tcase_add_test(tc, refused_by_the_host);
    tcase_add_test(tc, not_sent);
    tcase_add_test(tc, broken_transport);
    tcase_add_test(tc, plans);
    suite_add_tcase(suite, tc);
    return suite;
}
