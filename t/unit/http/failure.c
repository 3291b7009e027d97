/* Every way in which no reply comes, and the sentence that says so. */
#include <unistd.h>

#include <apr_strings.h>

#include "http/rig.h"
#include "unit.h"

static rig_reply_t reply;

static void failed(base_exit_t exit, const char *text)
{
    ck_assert(reply.response == NULL);
    ck_assert_int_ne(reply.err.status, APR_SUCCESS);
    ck_assert_msg(strstr(reply.err.message, text) != NULL, "says: %s",
                  reply.err.message);
    ck_assert_int_eq(reply.err.exit, exit);
    ck_assert(strchr(reply.err.message, '\n') == NULL);
}

/* Nobody listens. */
START_TEST(connection_refused)
{
    http_request_t request = { .method = "GET", .max = 10 };

    request.url = apr_psprintf(pool, "https://127.0.0.1:%d/dir",
                               rig_closed_port());
    rig_send(&reply, rig_transport(5000, pool), &request, pool);
    ck_assert_str_eq(reply.err.message, apr_psprintf(pool,
        "cannot reach the CA at %s: Connection refused; check "
        "ACMECertificateAuthority and the network", request.url));
    ck_assert_int_eq(reply.err.exit, BASE_EXIT_BUSY);
}
END_TEST

/* The name is unknown: ".invalid" never exists (RFC 6761 6.4). */
START_TEST(unknown_name)
{
    http_request_t request = { .method = "GET", .max = 10,
                               .url = "https://ca.invalid/dir" };

    rig_send(&reply, rig_transport(20000, pool), &request, pool);
    failed(BASE_EXIT_BUSY, "cannot reach the CA at https://ca.invalid/dir: ");
}
END_TEST

/* The server's certificate leads to no root we trust. */
START_TEST(untrusted)
{
    rig_options_t options = { .serve = rig_serve_echo };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);

    request.roots = NULL;
    rig_send(&reply, rig_transport(5000, pool), &request, pool);
    ck_assert_str_eq(reply.err.message, apr_psprintf(pool,
        "the TLS certificate of %s is not trusted (self-signed certificate);"
        " set ACMECACertificateFile to its root", request.url));
    failed(BASE_EXIT_FAILED, "");
    ck_assert_int_eq(server->counts->requests, 0);
}
END_TEST

/* The certificate is trusted, but it is somebody else's. */
START_TEST(wrong_name)
{
    rig_options_t options = { .serve = rig_serve_echo,
                              .san = "DNS:other.test,IP:127.0.0.2" };

    rig_once(&reply, &options, 5000, pool);
    failed(BASE_EXIT_FAILED, "check the host in ACMECertificateAuthority");
}
END_TEST

/* The certificate was good once. */
START_TEST(expired)
{
    rig_options_t options = { .serve = rig_serve_echo, .days = -1 };

    rig_once(&reply, &options, 5000, pool);
    failed(BASE_EXIT_FAILED, "is not trusted (certificate has expired); "
           "check this machine's clock");
}
END_TEST

/* The trust roots are no certificates. */
START_TEST(bad_roots)
{
    rig_options_t options = { .serve = rig_serve_echo };
    http_request_t request = rig_request(rig_server(&options, pool), "/",
                                         pool);

    request.roots = "no certificate";
    rig_send(&reply, rig_transport(5000, pool), &request, pool);
    failed(BASE_EXIT_FAILED, "check ACMECACertificateFile");
}
END_TEST

/* A server that only speaks TLS 1.1 is not spoken with. */
START_TEST(old_tls)
{
    rig_options_t options = { .serve = rig_serve_echo,
                              .version_max = TLS1_1_VERSION };

    rig_once(&reply, &options, 5000, pool);
    failed(BASE_EXIT_FAILED, "TLS 1.2 or later");
}
END_TEST

static void serve_plain(rig_conn_t *conn)
{
    rig_answer(conn, "I speak no TLS");
}

/* The port speaks plain http. */
START_TEST(plain_port)
{
    rig_options_t options = { .serve = serve_plain, .plain = 1 };

    rig_once(&reply, &options, 5000, pool);
    failed(BASE_EXIT_FAILED, "cannot speak TLS with the CA at https://");
}
END_TEST

/* Responders are asked by http, too, and by nobody else; their failures are
 * told as theirs. */
START_TEST(responders)
{
    rig_options_t options = { .serve = serve_plain, .plain = 1 };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);
    http_options_t http = { .user_agent = "unit", .responder = 1 };
    http_transport_t *transport;

    request.url = apr_psprintf(pool, "http://127.0.0.1:%d/", server->port);
    unit_ok(http_curl_make(&transport, &http, base_clock_system(), &err,
                           pool));
    rig_send(&reply, transport, &request, pool);
    ck_assert_ptr_nonnull(reply.response);
    ck_assert_str_eq(reply.response->body, "I speak no TLS");
    request.url = apr_psprintf(pool, "http://127.0.0.1:%d/",
                               rig_closed_port());
    rig_send(&reply, transport, &request, pool);
    failed(BASE_EXIT_BUSY, "cannot reach the OCSP responder at http://");
    request.url = server->base;
    rig_send(&reply, transport, &request, pool);
    failed(BASE_EXIT_FAILED, "cannot speak TLS with the OCSP responder at");
    request.url = "ftp://127.0.0.1/";
    unit_fails(transport->submit(transport, &request, rig_done, &reply, &err,
                                 pool), APR_EINVAL, "http:// or https://");
}
END_TEST

/* A server that accepts and never says a word is one that cannot be
 * reached. */
START_TEST(silent_handshake)
{
    rig_options_t options = { .serve = rig_stall, .plain = 1 };

    rig_once(&reply, &options, 200, pool);
    failed(BASE_EXIT_BUSY, "cannot reach the CA at https://127.0.0.1:");
    ck_assert_int_eq(reply.err.status, APR_TIMEUP);
}
END_TEST

static void serve_handshake_reset(rig_conn_t *conn)
{
    rig_reset(conn);
}

/* One that hangs up during the handshake, too. */
START_TEST(reset_handshake)
{
    rig_options_t options = { .serve = serve_handshake_reset, .plain = 1 };

    rig_once(&reply, &options, 5000, pool);
    failed(BASE_EXIT_BUSY, "cannot reach the CA at https://127.0.0.1:");
}
END_TEST

static void serve_silence(rig_conn_t *conn)
{
    char buf[4096];

    rig_read(conn, buf, sizeof(buf));
    rig_stall(conn);
}

static void serve_half(rig_conn_t *conn)
{
    static const char half[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    char buf[4096];

    rig_read(conn, buf, sizeof(buf));
    rig_write(conn, half, sizeof(half) - 1);
    rig_stall(conn);
}

static void serve_half_reset(rig_conn_t *conn)
{
    static const char half[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    char buf[4096];

    rig_read(conn, buf, sizeof(buf));
    rig_write(conn, half, sizeof(half) - 1);
    rig_reset(conn);
}

/** A byte now and then: no stall, but no end either. */
static void serve_drip(rig_conn_t *conn)
{
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    char buf[4096];

    rig_read(conn, buf, sizeof(buf));
    rig_write(conn, head, sizeof(head) - 1);
    for (;;) {
        rig_write(conn, ".", 1);
        usleep(20000);
    }
}

static void serve_hang_up(rig_conn_t *conn)
{
    char buf[4096];

    rig_read(conn, buf, sizeof(buf));
}

static void serve_garbage(rig_conn_t *conn)
{
    char buf[4096];

    rig_read(conn, buf, sizeof(buf));
    rig_write(conn, "\x01\x02 nonsense\r\n\r\n", 15);
}

/** The connection ends among the headers, at the end of a line. */
static void serve_headers_cut(rig_conn_t *conn)
{
    static const char some[] = "HTTP/1.1 200 OK\r\nX-Some: header\r\n";
    char buf[4096];

    rig_read(conn, buf, sizeof(buf));
    rig_write(conn, some, sizeof(some) - 1);
}

/* A reply that does not come, or not to its end, is a CA to be asked later:
 * silence, a stall, a drip and a break. */
START_TEST(no_whole_reply)
{
    static const struct {
        rig_serve_fn *serve;
        int ms;
        apr_status_t status;
        const char *text;
    } cases[] = {
        { serve_silence, 2000, APR_TIMEUP, "did not finish its reply within "
          "2.0 s" },
        { serve_half, 2000, APR_TIMEUP, "did not finish its reply" },
        { serve_drip, 2000, APR_TIMEUP, "did not finish its reply" },
        { serve_half_reset, 5000, APR_EGENERAL, "broke off: " },
        { serve_hang_up, 5000, APR_EGENERAL, "broke off: " },
        { serve_garbage, 5000, APR_EGENERAL, "broke off: " },
        { serve_headers_cut, 5000, APR_EGENERAL, "headers have no end" }
    };
    rig_options_t options = { 0 };

    options.serve = cases[_i].serve;
    rig_once(&reply, &options, cases[_i].ms, pool);
    failed(BASE_EXIT_BUSY, cases[_i].text);
    ck_assert_int_eq(reply.err.status, cases[_i].status);
}
END_TEST

static void serve_slow_circle(rig_conn_t *conn)
{
    static const char text[] =
        "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
    char buf[4096];

    while (rig_read(conn, buf, sizeof(buf))) {
        usleep(50000);
        rig_write(conn, text, sizeof(text) - 1);
    }
}

/* The time limit holds over all redirects together. */
START_TEST(redirects_share_the_time)
{
    rig_options_t options = { .serve = serve_slow_circle };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);

    request.redirects = 1000;
    rig_send(&reply, rig_transport(400, pool), &request, pool);
    ck_assert(reply.response == NULL);
    ck_assert_int_eq(reply.err.status, APR_TIMEUP);
    ck_assert_int_le(server->counts->requests, 10);
}
END_TEST

/* A failure leaves the transport as good as it was. */
START_TEST(life_goes_on)
{
    rig_options_t bad = { .serve = serve_half_reset };
    rig_options_t good = { .serve = rig_serve_echo };
    http_request_t first = rig_request(rig_server(&bad, pool), "/", pool);
    http_request_t second = rig_request(rig_server(&good, pool), "/", pool);
    http_transport_t *transport = rig_transport(5000, pool);

    rig_send(&reply, transport, &first, pool);
    ck_assert(reply.response == NULL);
    rig_send(&reply, transport, &second, pool);
    ck_assert_msg(reply.response != NULL, "%s", reply.err.message);
}
END_TEST

Suite *failure_suite(void)
{
    Suite *suite = suite_create("http/failure");
    TCase *tc = unit_case(suite, "failure");

    tcase_add_test(tc, connection_refused);
    tcase_add_test(tc, unknown_name);
    tcase_add_test(tc, untrusted);
    tcase_add_test(tc, wrong_name);
    tcase_add_test(tc, expired);
    tcase_add_test(tc, bad_roots);
    tcase_add_test(tc, old_tls);
    tcase_add_test(tc, plain_port);
    tcase_add_test(tc, responders);
    tcase_add_test(tc, silent_handshake);
    tcase_add_test(tc, reset_handshake);
    tcase_add_loop_test(tc, no_whole_reply, 0, 7);
    tcase_add_test(tc, redirects_share_the_time);
    tcase_add_test(tc, life_goes_on);
    return suite;
}
