/* The transport as a whole: many requests at once, waiting, life time. */
#include <unistd.h>

#include <apr_strings.h>

#include "http/rig.h"
#include "unit.h"

#define MANY 100

static rig_reply_t replies[MANY];

/** Submit MANY requests of path and wait for them all. */
static void send_many(http_transport_t *transport,
                      const http_request_t *request)
{
    int i;

    memset(replies, 0, sizeof(replies));
    for (i = 0; i < MANY; i++) {
        unit_ok(transport->submit(transport, request, rig_done, &replies[i],
                                  &err, pool));
    }
    for (i = 0; i < MANY; i++) {
        rig_wait(transport, &replies[i]);
        ck_assert_msg(replies[i].response != NULL, "%d: %s", i,
                      replies[i].err.message);
        ck_assert_int_eq(replies[i].response->status, 200);
    }
}

/* A hundred requests to a CA that speaks HTTP/2 travel at the same time on
 * one connection: the server answers none before it has seen all. */
START_TEST(many_on_one_h2_connection)
{
    rig_options_t options = { .serve = rig_serve_h2, .h2 = 1, .hold = MANY };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);

    request.method = "POST";
    request.content_type = "application/jose+json";
    request.body = "{}";
    request.body_len = 2;
    send_many(rig_transport(20000, pool), &request);
    ck_assert_int_eq(server->counts->connections, 1);
    ck_assert_int_eq(server->counts->requests, MANY);
    ck_assert_str_eq(replies[0].response->body, "stream 1");
}
END_TEST

/* A CA that speaks only HTTP/1.1 is not flooded: at most twenty
 * connections carry a hundred requests, each being used again. */
START_TEST(many_on_few_h1_connections)
{
    rig_options_t options = { .serve = rig_serve_echo };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);

    send_many(rig_transport(20000, pool), &request);
    ck_assert_int_le(server->counts->connections, 20);
    ck_assert_int_eq(server->counts->requests, MANY);
}
END_TEST

/* Requests that follow each other share a connection. */
START_TEST(connection_is_kept)
{
    rig_options_t options = { .serve = rig_serve_echo };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);
    http_transport_t *transport = rig_transport(5000, pool);
    rig_reply_t reply;
    int i;

    for (i = 0; i < 5; i++) {
        rig_send(&reply, transport, &request, pool);
        ck_assert(reply.response != NULL);
    }
    ck_assert_int_eq(server->counts->connections, 1);
}
END_TEST

/* A kept connection that the CA has closed meanwhile is replaced without
 * anybody noticing. */
START_TEST(closed_connection_is_replaced)
{
    rig_options_t options = {
        .serve = rig_serve_reply,
        .reply = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                 "Content-Length: 2\r\n\r\nok"
    };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);
    http_transport_t *transport = rig_transport(5000, pool);
    rig_reply_t reply;
    int i;

    for (i = 0; i < 3; i++) {
        rig_send(&reply, transport, &request, pool);
        ck_assert_str_eq(reply.response->body, "ok");
    }
    ck_assert_int_eq(server->counts->connections, 3);
}
END_TEST

/** Answers the first request and then drops the connection. */
static void serve_once(rig_conn_t *conn)
{
    char buf[4096];

    if (rig_read(conn, buf, sizeof(buf))) {
        rig_answer(conn, "ok");
        if (rig_read(conn, buf, sizeof(buf))) {
            rig_reset(conn);
        }
    }
}

/* A kept connection that breaks when it is used again is replaced, too:
 * nothing of the reply had come. */
START_TEST(broken_connection_is_replaced)
{
    rig_options_t options = { .serve = serve_once };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);
    http_transport_t *transport = rig_transport(5000, pool);
    rig_reply_t reply;

    rig_send(&reply, transport, &request, pool);
    ck_assert_str_eq(reply.response->body, "ok");
    rig_send(&reply, transport, &request, pool);
    ck_assert_msg(reply.response != NULL, "%s", reply.err.message);
    ck_assert_int_eq(server->counts->connections, 2);
}
END_TEST

typedef struct chain_t {
    http_transport_t *transport;
    http_request_t request;
    int left;
    rig_reply_t reply;
} chain_t;

static void chain_done(void *baton, const http_response_t *response,
                       const acme_err_t *e)
{
    chain_t *chain = baton;

    ck_assert_msg(response != NULL, "%s", e->message);
    if (!chain->left--) {
        rig_done(&chain->reply, response, e);
        return;
    }
    unit_ok(chain->transport->submit(chain->transport, &chain->request,
                                     chain_done, chain, &err, pool));
}

/* The reply to a request may be the reason for the next one: done may
 * submit. */
START_TEST(done_may_submit)
{
    rig_options_t options = { .serve = rig_serve_echo };
    rig_server_t *server = rig_server(&options, pool);
    chain_t chain;

    memset(&chain, 0, sizeof(chain));
    chain.transport = rig_transport(5000, pool);
    chain.request = rig_request(server, "/", pool);
    chain.left = 10;
    unit_ok(chain.transport->submit(chain.transport, &chain.request,
                                    chain_done, &chain, &err, pool));
    rig_wait(chain.transport, &chain.reply);
    ck_assert_int_eq(server->counts->requests, 11);
    ck_assert_int_eq(server->counts->connections, 1);
}
END_TEST

/* wait comes back at its time when nothing is done, and at once when that
 * time is past. */
START_TEST(wait_keeps_its_deadline)
{
    rig_options_t options = { .serve = rig_stall };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);
    http_transport_t *transport = rig_transport(20000, pool);
    base_clock_t *clock = base_clock_system();
    rig_reply_t reply;
    apr_time_t start;

    memset(&reply, 0, sizeof(reply));
    unit_ok(transport->submit(transport, &request, rig_done, &reply, &err,
                              pool));
    start = clock->mono(clock);
    unit_ok(transport->wait(transport, start + 150000, &err));
    ck_assert_int_ge(clock->mono(clock) - start, 150000);
    ck_assert_int_lt(clock->mono(clock) - start, 5000000);
    start = clock->mono(clock);
    unit_ok(transport->wait(transport, start - 1, &err));
    ck_assert_int_lt(clock->mono(clock) - start, 1000000);
    ck_assert_int_eq(reply.done, 0);
}
END_TEST

/* Waiting with nothing to carry is a sleep, not an error. */
START_TEST(wait_for_nothing)
{
    http_transport_t *transport = rig_transport(1000, pool);
    base_clock_t *clock = base_clock_system();
    apr_time_t start = clock->mono(clock);

    unit_ok(transport->wait(transport, start + 50000, &err));
    ck_assert_int_ge(clock->mono(clock) - start, 50000);
}
END_TEST

/* A transport that goes away drops what it carries and calls nobody. */
START_TEST(destroyed_in_flight)
{
    rig_options_t options = { .serve = rig_stall };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);
    base_clock_t *clock = base_clock_system();
    http_transport_t *transport;
    apr_pool_t *sub;
    rig_reply_t reply;

    memset(&reply, 0, sizeof(reply));
    apr_pool_create(&sub, pool);
    transport = rig_transport(20000, sub);
    unit_ok(transport->submit(transport, &request, rig_done, &reply, &err,
                              pool));
    unit_ok(transport->wait(transport, clock->mono(clock) + 50000, &err));
    apr_pool_destroy(sub);
    ck_assert_int_eq(reply.done, 0);
}
END_TEST

/** Answers a little late. */
static void serve_late(rig_conn_t *conn)
{
    char buf[4096];

    while (rig_read(conn, buf, sizeof(buf))) {
        usleep(30000);
        rig_answer(conn, "ok");
    }
}

/* elapsed is the time the CA took to answer: at least what it waited. */
START_TEST(elapsed_is_the_answer_time)
{
    rig_options_t options = { .serve = serve_late };
    rig_reply_t reply;

    rig_once(&reply, &options, 5000, pool);
    ck_assert(reply.response != NULL);
    ck_assert_int_ge(reply.response->elapsed, 30000);
    ck_assert_int_lt(reply.response->elapsed, 5000000);
}
END_TEST

/* On a reused HTTP/2 connection, too: there libcurl reports the first byte
 * sent as the first one received. */
START_TEST(elapsed_on_a_reused_connection)
{
    rig_options_t options = { .serve = rig_serve_h2, .h2 = 1, .late_ms = 30 };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);
    http_transport_t *transport = rig_transport(5000, pool);
    int i;

    request.method = "POST";
    request.body = "{}";
    request.body_len = 2;
    for (i = 0; i < 3; i++) {
        rig_reply_t reply;

        rig_send(&reply, transport, &request, pool);
        ck_assert_msg(reply.response != NULL, "%s", reply.err.message);
        ck_assert_int_ge(reply.response->elapsed, 30000);
    }
    ck_assert_int_eq(server->counts->connections, 1);
}
END_TEST

/* Answers that lie ready are taken up within seconds, also those that
 * libcurl has read together with the end of another one and then forgets
 * (7.88 does: nothing tells it of them, as nothing more comes). */
START_TEST(answers_are_not_forgotten)
{
    rig_options_t options = { .serve = rig_serve_h2_burst, .h2 = 1 };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);
    http_transport_t *transport = rig_transport(20000, pool);
    base_clock_t *clock = base_clock_system();
    apr_time_t begin = clock->mono(clock);
    rig_reply_t reply[4];
    int i;

    memset(reply, 0, sizeof(reply));
    for (i = 0; i < 3; i++) {
        unit_ok(transport->submit(transport, &request, rig_done, &reply[i],
                                  &err, pool));
    }
    for (i = 1; i < 3; i++) {
        rig_wait(transport, &reply[i]);
        ck_assert_msg(reply[i].response != NULL, "%s", reply[i].err.message);
    }
    ck_assert_int_eq(reply[1].response->body_len, 17000);
    ck_assert_int_eq(reply[2].response->body_len, 5);
    ck_assert_int_lt(clock->mono(clock) - begin, 6 * APR_USEC_PER_SEC);
    /* The others are as they were. */
    rig_send(&reply[3], transport, &request, pool);
    rig_wait(transport, &reply[0]);
    ck_assert_str_eq(reply[0].response->body, "stream 1");
    ck_assert_int_eq(server->counts->connections, 1);
}
END_TEST

/* A connection on which nothing comes any more is not used again: who tries
 * once more gets another one, and the requests after that share it. */
START_TEST(dead_connection_is_left)
{
    rig_options_t options = { .serve = rig_serve_h2_second, .h2 = 1 };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);
    http_transport_t *transport = rig_transport(4000, pool);
    rig_reply_t reply[3];
    int i;

    memset(reply, 0, sizeof(reply));
    for (i = 0; i < 3; i++) {
        unit_ok(transport->submit(transport, &request, rig_done, &reply[i],
                                  &err, pool));
    }
    for (i = 0; i < 3; i++) {
        rig_wait(transport, &reply[i]);
        ck_assert_ptr_null(reply[i].response);
        ck_assert_int_eq(reply[i].err.status, APR_TIMEUP);
    }
    for (i = 0; i < 3; i++) {
        rig_send(&reply[i], transport, &request, pool);
        ck_assert_msg(reply[i].response != NULL, "%s", reply[i].err.message);
    }
    ck_assert_int_eq(server->counts->connections, 2);
}
END_TEST

/* As long as something waits on such a connection, others avoid it. */
START_TEST(doubtful_connection_is_avoided)
{
    rig_options_t options = { .serve = rig_serve_h2_second, .h2 = 1 };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);
    http_transport_t *transport = rig_transport(6000, pool);
    base_clock_t *clock = base_clock_system();
    rig_reply_t reply[2];

    memset(reply, 0, sizeof(reply));
    unit_ok(transport->submit(transport, &request, rig_done, &reply[0], &err,
                              pool));
    unit_ok(transport->wait(transport, clock->mono(clock)
                            + 3500 * 1000, &err));
    ck_assert_int_eq(reply[0].done, 0);
    rig_send(&reply[1], transport, &request, pool);
    ck_assert_msg(reply[1].response != NULL, "%s", reply[1].err.message);
    ck_assert_int_eq(server->counts->connections, 2);
    rig_wait(transport, &reply[0]);
    ck_assert_int_eq(reply[0].err.status, APR_TIMEUP);
}
END_TEST

Suite *curl_suite(void)
{
    Suite *suite = suite_create("http/curl");
    TCase *tc = unit_case(suite, "curl");

    tcase_add_test(tc, many_on_one_h2_connection);
    tcase_add_test(tc, many_on_few_h1_connections);
    tcase_add_test(tc, connection_is_kept);
    tcase_add_test(tc, closed_connection_is_replaced);
    tcase_add_test(tc, broken_connection_is_replaced);
    tcase_add_test(tc, done_may_submit);
    tcase_add_test(tc, wait_keeps_its_deadline);
    tcase_add_test(tc, wait_for_nothing);
    tcase_add_test(tc, destroyed_in_flight);
    tcase_add_test(tc, elapsed_is_the_answer_time);
    tcase_add_test(tc, elapsed_on_a_reused_connection);
    tcase_add_test(tc, answers_are_not_forgotten);
    tcase_add_test(tc, dead_connection_is_left);
    tcase_add_test(tc, doubtful_connection_is_avoided);
    return suite;
}
