/* Connections that come about, and all the ways in which they do not. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "validator/rig.h"

static wire_t wire;

static apr_status_t open_at(const char *ip, int port)
{
    base_err_clear(&err);
    return wire_open(&wire, ip, port, rig_mono() + 200000, &err);
}

static void echo(int fd, const char *request)
{
    rig_say(fd, request);
}

/* What is sent arrives, what comes back is read, then comes the end. */
START_TEST(talk)
{
    char buf[100];
    apr_size_t len = sizeof(buf);

    unit_ok(open_at("127.0.0.1", rig_serve(echo, pool)));
    unit_ok(wire_write(&wire, "hello", 5, &err));
    unit_ok(wire_read(&wire, buf, &len, &err));
    ck_assert_uint_eq(len, 5);
    ck_assert(memcmp(buf, "hello", 5) == 0);
    len = sizeof(buf);
    unit_fails(wire_read(&wire, buf, &len, &err), APR_EOF,
               "the server closed the connection during the reply");
    ck_assert_uint_eq(len, 0);
    wire_close(&wire);
    ck_assert_int_eq(wire.fd, -1);
    wire_close(&wire);
}
END_TEST

/* TLS lies on the same connection. */
START_TEST(talk_tls)
{
    crypto_tls_options_t options = { .name = "a.example" };
    char buf[100];
    apr_size_t len = sizeof(buf);

    unit_ok(open_at("127.0.0.1", rig_serve_tls(echo, "P-256", pool)));
    unit_ok(wire_tls(&wire, &options, &err, pool));
    unit_ok(wire_write(&wire, "hello", 5, &err));
    unit_ok(wire_read(&wire, buf, &len, &err));
    ck_assert_uint_eq(len, 5);
    wire_close(&wire);
    ck_assert_ptr_null(wire.tls);
}
END_TEST

/* Where nobody listens the system says so. */
START_TEST(refused)
{
    unit_fails(open_at("127.0.0.1", rig_dead_port()), ECONNREFUSED,
               "the connection failed: Connection refused");
    wire_close(&wire);
}
END_TEST

/* Only IP addresses and ports are asked; no name is ever resolved. */
START_TEST(no_address)
{
    static const char *const bad[] = { "", "localhost", "example.org",
                                       "127.0.0.1:80", "[::1]", "1.2.3",
                                       "::1%lo", "0x7f.1" };
    apr_size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        unit_fails(open_at(bad[i], 80), APR_EINVAL, "no IP address");
        ck_assert_int_eq(wire.fd, -1);
        wire_close(&wire);
    }
    unit_fails(open_at("127.0.0.1", 0), APR_EINVAL, "no IP address");
    unit_fails(open_at("127.0.0.1", 65536), APR_EINVAL, "no IP address");
    unit_fails(open_at("127.0.0.1", -1), APR_EINVAL, "no IP address");
}
END_TEST

/* A connection that nobody takes costs its time. */
START_TEST(not_taken)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    socklen_t size = sizeof(in);
    wire_t others[2];
    apr_time_t began = rig_mono();
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int port;

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, size), 0);
    ck_assert_int_eq(listen(fd, 0), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &size), 0);
    port = ntohs(in.sin_port);
    /* The backlog holds one more than it is said to. */
    wire_open(&others[0], "127.0.0.1", port, rig_mono() + 200000, &err);
    wire_open(&others[1], "127.0.0.1", port, rig_mono() + 200000, &err);
    unit_fails(open_at("127.0.0.1", port), APR_TIMEUP,
               "the connection did not end in time");
    ck_assert_int_lt(rig_mono() - began, apr_time_from_sec(3));
    wire_close(&wire);
    wire_close(&others[0]);
    wire_close(&others[1]);
    close(fd);
}
END_TEST

/* One end of a pair as a connection; the other end. */
static int paired(apr_interval_time_t within)
{
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    memset(&wire, 0, sizeof(wire));
    wire.fd = fds[0];
    wire.until = rig_mono() + within;
    base_err_clear(&err);
    return fds[1];
}

/* A server that says nothing, or does not read, costs its time; one that is
 * gone none. */
START_TEST(in_time)
{
    static const char much[4 * 1024 * 1024] = "x";
    char buf[10];
    apr_size_t len = sizeof(buf);
    int other = paired(50000);

    unit_fails(wire_read(&wire, buf, &len, &err), APR_TIMEUP,
               "the reply did not end in time");
    wire_close(&wire);
    close(other);
    other = paired(50000);
    unit_fails(wire_write(&wire, much, sizeof(much), &err), APR_TIMEUP,
               "the request did not end in time");
    wire_close(&wire);
    close(other);
    other = paired(apr_time_from_sec(20));
    close(other);
    unit_fails(wire_write(&wire, "x", 1, &err), EPIPE,
               "the request failed: ");
    wire_close(&wire);
}
END_TEST

/* A flood is read until the time is up and no longer. */
START_TEST(flood)
{
    static char buf[65536];
    int other = paired(50000);
    apr_status_t rv = APR_SUCCESS;
    apr_time_t began = rig_mono();

    fcntl(other, F_SETFL, O_NONBLOCK);
    while (rv == APR_SUCCESS
           && rig_mono() - began < apr_time_from_sec(5)) {
        apr_size_t len = 1000;

        if (write(other, buf, sizeof(buf)) < 0) {
            ck_assert_int_eq(errno, EAGAIN);
        }
        rv = wire_read(&wire, buf, &len, &err);
    }
    ck_assert_int_eq(rv, APR_TIMEUP);
    wire_close(&wire);
    close(other);
}
END_TEST

Suite *wire_suite(void);
Suite *wire_suite(void)
{
    Suite *suite = suite_create("wire");
    TCase *tc = unit_case(suite, "wire");

    tcase_add_test(tc, talk);
    tcase_add_test(tc, talk_tls);
    tcase_add_test(tc, refused);
    tcase_add_test(tc, no_address);
    tcase_add_test(tc, not_taken);
    tcase_add_test(tc, in_time);
    tcase_add_test(tc, flood);
    return suite;
}
