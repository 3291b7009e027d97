/* One request and its reply: what is sent, what is kept, what is refused. */
#include "unit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_strings.h>

#include "validator/rig.h"

static reply_t reply;
static int other;
static wire_t wire;

/* Ask somebody whose reply is len bytes, and who then closes (or not). */
static apr_status_t ask_len(const char *text, apr_size_t len, int body,
                            int closes)
{
    int fds[2];
    int size = 1024 * 1024;
    apr_status_t rv;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    memset(&wire, 0, sizeof(wire));
    wire.fd = fds[0];
    wire.until = rig_mono() + 200000;
    other = fds[1];
    ck_assert_int_eq(write(other, text, len), (ssize_t)len);
    if (closes) {
        shutdown(other, SHUT_WR);
    }
    base_err_clear(&err);
    rv = exchange(&reply, &wire, "a.example", "/x?y=z", body, &err, pool);
    wire_close(&wire);
    return rv;
}

static apr_status_t ask(const char *text)
{
    apr_status_t rv = ask_len(text, strlen(text), 0, 1);

    close(other);
    return rv;
}

/* The request names host and path, and wants the connection closed. */
START_TEST(request)
{
    char buf[1000];
    ssize_t n;

    unit_ok(ask_len("HTTP/1.1 204 No\r\n\r\n", 19, 0, 1));
    n = read(other, buf, sizeof(buf) - 1);
    ck_assert_int_gt(n, 0);
    buf[n] = '\0';
    ck_assert(strncmp(buf, "GET /x?y=z HTTP/1.1\r\nHost: a.example\r\n", 38)
              == 0);
    ck_assert_ptr_nonnull(strstr(buf, "\r\nConnection: close\r\n"));
    ck_assert_str_eq(buf + n - 4, "\r\n\r\n");
    close(other);
}
END_TEST

/* Status and a few headers are kept, whatever their case; more are not. */
START_TEST(head)
{
    unit_ok(ask("HTTP/1.1 301 Moved\r\nServer: x\r\nlocation: \t/there \r\n"
                "STRICT-TRANSPORT-SECURITY:max-age=1\r\n"
                "Location-X: no\r\n\r\nbody"));
    ck_assert_int_eq(reply.status, 301);
    ck_assert_str_eq(reply.location, "/there");
    ck_assert_str_eq(reply.hsts, "max-age=1");
    ck_assert_int_eq(reply.cookie, 0);
    ck_assert_ptr_null(reply.body);
    unit_ok(ask("HTTP/1.0 200\n\n"));
    ck_assert_int_eq(reply.status, 200);
    ck_assert_ptr_null(reply.location);
    ck_assert_ptr_null(reply.hsts);
    unit_ok(ask("HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n\r\n"));
    ck_assert_int_eq(reply.cookie, 1);
}
END_TEST

/* RFC 6797 8.1: of several headers the first one counts. */
START_TEST(first_header)
{
    unit_ok(ask("HTTP/1.1 302 X\r\nLocation: /a\r\nLocation: /b\r\n"
                "Strict-Transport-Security: max-age=1\r\n"
                "Strict-Transport-Security: max-age=2\r\n\r\n"));
    ck_assert_str_eq(reply.location, "/a");
    ck_assert_str_eq(reply.hsts, "max-age=1");
}
END_TEST

/* A value that is not printable ASCII, or too long, is as good as absent. */
START_TEST(bad_values)
{
    char *longest = apr_palloc(pool, 2050);

    memset(longest, 'a', 2049);
    longest[2049] = '\0';
    unit_ok(ask("HTTP/1.1 301 X\r\nLocation: /\x1b[31m\r\n\r\n"));
    ck_assert_ptr_null(reply.location);
    unit_ok(ask("HTTP/1.1 301 X\r\nLocation: /\xc3\xa4\r\n\r\n"));
    ck_assert_ptr_null(reply.location);
    unit_ok(ask(apr_pstrcat(pool, "HTTP/1.1 301 X\r\nLocation: ", longest,
                            "\r\n\r\n", NULL)));
    ck_assert_ptr_null(reply.location);
    longest[2048] = '\0';
    unit_ok(ask(apr_pstrcat(pool, "HTTP/1.1 301 X\r\nLocation: ", longest,
                            "\r\n\r\n", NULL)));
    ck_assert_ptr_nonnull(reply.location);
    unit_ok(ask("HTTP/1.1 301 X\r\nLocation\r\n: x\r\nLocation :y\r\n\r\n"));
    ck_assert_ptr_null(reply.location);
}
END_TEST

/* What does not begin with a status line is no reply. */
START_TEST(no_status)
{
    static const char *const bad[] = {
        "\r\n\r\n", "garbage\r\n\r\n", "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 20\r\n\r\n", "HTTP/1.1 2000\r\n\r\n",
        "HTTP/1.1 099 x\r\n\r\n", "HTTP/1.1 600 x\r\n\r\n",
        "HTTP/1.1  200 x\r\n\r\n", "HTTP/1.x 200 x\r\n\r\n",
        "http/1.1 200 x\r\n\r\n", "HTTP/1.1 -20 x\r\n\r\n",
        "SSH-2.0-x\r\n\r\n"
    };
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        unit_fails(ask(bad[i]), APR_EINVAL, "no HTTP: it does not begin");
        ck_assert_int_eq(reply.status, 0);
    }
    unit_fails(ask_len("HTTP/1.1 200 a\0b\r\n\r\n", 20, 0, 1), APR_EINVAL,
               "no HTTP: there is a NUL in its head");
    close(other);
}
END_TEST

/* A head that does not end is not waited for, nor read for ever. */
START_TEST(no_end)
{
    char *text = apr_palloc(pool, 2 * HEAD_MAX);

    unit_fails(ask("HTTP/1.1 200 OK\r\nA: b\r\n"), APR_EOF,
               "the server closed the connection");
    unit_fails(ask(""), APR_EOF, "the server closed the connection");
    unit_fails(ask_len("HTTP/1.1 200 OK\r\n", 17, 0, 0), APR_TIMEUP,
               "the reply did not end in time");
    close(other);
    memset(text, 'a', 2 * HEAD_MAX);
    memcpy(text, "HTTP/1.1 200 OK\r\nA: ", 20);
    unit_fails(ask_len(text, 2 * HEAD_MAX, 0, 1), APR_EINVAL,
               "the reply's head has more than 16384 bytes");
    close(other);
    memcpy(text + HEAD_MAX - 4, "\r\n\r\n", 4);
    unit_ok(ask_len(text, HEAD_MAX, 0, 1));
    close(other);
}
END_TEST

/* The end of a head is found wherever it is torn apart. */
START_TEST(torn)
{
    static const char text[] = "HTTP/1.1 302 X\r\nLocation: /a\r\n\r\nbody";
    apr_size_t i;

    for (i = 1; i < sizeof(text) - 1; i++) {
        int fds[2];
        pid_t pid;

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        fcntl(fds[0], F_SETFL, O_NONBLOCK);
        pid = fork();
        if (pid == 0) {
            char buf[1000];

            if (write(fds[1], text, i) < 0 || read(fds[1], buf, 1000) < 0
                || usleep(500) < 0
                || write(fds[1], text + i, sizeof(text) - 1 - i) < 0) {
                _exit(1);
            }
            _exit(0);
        }
        close(fds[1]);
        memset(&wire, 0, sizeof(wire));
        wire.fd = fds[0];
        wire.until = rig_mono() + apr_time_from_sec(5);
        unit_ok(exchange(&reply, &wire, "a.example", "/", 1, &err, pool));
        ck_assert_str_eq(reply.location, "/a");
        ck_assert_str_eq(reply.body, "body");
        wire_close(&wire);
    }
}
END_TEST

/* RFC 9110 15.2: interim replies go before the reply; nothing else does. */
START_TEST(interim)
{
    char *text = "";
    int i;

    unit_ok(ask("HTTP/1.1 103 Early\r\nLocation: /no\r\n\r\n"
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 X\r\n\r\n"));
    ck_assert_int_eq(reply.status, 404);
    ck_assert_ptr_null(reply.location);
    unit_fails(ask("HTTP/1.1 103 Early\r\n\r\n"), APR_EOF, "closed");
    for (i = 0; i < 1000; i++) {
        text = apr_pstrcat(pool, text, "HTTP/1.1 103 Early\r\n\r\n", NULL);
    }
    unit_fails(ask(text), APR_EINVAL, "nothing but interim replies");
}
END_TEST

/* A body is read where it is wanted, its beginning at least. */
START_TEST(body)
{
    char *much = apr_pcalloc(pool, 5000);

    unit_ok(ask_len("HTTP/1.1 200 OK\r\n\r\nthe body", 27, 1, 1));
    ck_assert_uint_eq(reply.body_len, 8);
    ck_assert_str_eq(reply.body, "the body");
    close(other);
    unit_ok(ask_len("HTTP/1.1 200 OK\r\n\r\n", 19, 1, 1));
    ck_assert_uint_eq(reply.body_len, 0);
    close(other);
    memcpy(much, "HTTP/1.1 200 OK\r\n\r\n", 19);
    unit_ok(ask_len(much, 5000, 1, 0));
    ck_assert_uint_eq(reply.body_len, BODY_MAX);
    close(other);
    unit_fails(ask_len("HTTP/1.1 200 OK\r\n\r\nx", 20, 1, 0), APR_TIMEUP,
               "the reply did not end in time");
    close(other);
}
END_TEST

Suite *exchange_suite(void);
Suite *exchange_suite(void)
{
    Suite *suite = suite_create("exchange");
    TCase *tc = unit_case(suite, "exchange");

    tcase_add_test(tc, request);
    tcase_add_test(tc, head);
    tcase_add_test(tc, first_header);
    tcase_add_test(tc, bad_values);
    tcase_add_test(tc, no_status);
    tcase_add_test(tc, no_end);
    tcase_add_test(tc, torn);
    tcase_add_test(tc, interim);
    tcase_add_test(tc, body);
    return suite;
}
