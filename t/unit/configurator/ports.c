/* May httpd have a port, and who has it otherwise? */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "configurator/server.h"
#include "unit.h"

/** Listen on a free port of an address. @return the port; *pfd is open */
static int occupy(int *pfd, const char *address)
{
    struct sockaddr_in6 v6 = { 0 };
    struct sockaddr_in v4 = { 0 };
    int is_v6 = strchr(address, ':') != NULL;
    struct sockaddr *any = is_v6 ? (struct sockaddr *)&v6
                                 : (struct sockaddr *)&v4;
    socklen_t len = is_v6 ? sizeof(v6) : sizeof(v4);
    int one = 1;

    v6.sin6_family = AF_INET6;
    v4.sin_family = AF_INET;
    ck_assert_int_eq(inet_pton(is_v6 ? AF_INET6 : AF_INET, address,
                               is_v6 ? (void *)&v6.sin6_addr
                                     : (void *)&v4.sin_addr), 1);
    *pfd = socket(any->sa_family, SOCK_STREAM, 0);
    ck_assert_int_ge(*pfd, 0);
    setsockopt(*pfd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    ck_assert_int_eq(bind(*pfd, any, len), 0);
    ck_assert_int_eq(listen(*pfd, 1), 0);
    ck_assert_int_eq(getsockname(*pfd, any, &len), 0);
    return ntohs(is_v6 ? v6.sin6_port : v4.sin_port);
}

/* A port that nobody holds may be had, on one address and on all. */
START_TEST(free_port)
{
    int fd, port = occupy(&fd, "127.0.0.1");

    close(fd);
    unit_ok(port_try("127.0.0.1", port, 0, &err, pool));
    unit_ok(port_try("0.0.0.0", port, 0, &err, pool));
    unit_ok(port_try("::", port, 0, &err, pool));
    unit_ok(port_try("::1", port, 0, &err, pool));
    ck_assert_str_eq(err.message, "");
}
END_TEST

/** The address cannot be had: this very process has it, and is named. */
static void held(const char *address, int port)
{
    const char *says = apr_psprintf(pool, "port %d is held by ", port);

    unit_fails(port_try(address, port, 0, &err, pool), EADDRINUSE, says);
    ck_assert_ptr_nonnull(strstr(err.message,
                                 apr_psprintf(pool, ", process %ld: ",
                                              (long)getpid())));
    ck_assert_int_eq(err.exit, BASE_EXIT_FAILED);
    base_err_clear(&err);
}

/* Who holds it is named, whichever address he has of those that we want. */
START_TEST(held_port)
{
    int fd, port = occupy(&fd, "127.0.0.1");

    held("127.0.0.1", port);
    held("0.0.0.0", port);
    held("::", port);
    unit_ok(port_try("127.0.0.2", port, 0, &err, pool));
    close(fd);
}
END_TEST

START_TEST(held_everywhere)
{
    int fd, port = occupy(&fd, "::");

    held("::", port);
    held("0.0.0.0", port);
    held("127.0.0.1", port);
    held("::1", port);
    close(fd);
}
END_TEST

/* What httpd itself holds is no conflict; what another process of that
 * number does not hold still is. */
START_TEST(own_port)
{
    int fd, port = occupy(&fd, "127.0.0.1");

    unit_ok(port_try("127.0.0.1", port, getpid(), &err, pool));
    unit_fails(port_try("127.0.0.1", port, getppid(), &err, pool),
               EADDRINUSE, "is held by");
    close(fd);
}
END_TEST

/* A port that is bound but where nobody listens: no holder is seen, and
 * httpd, which sets SO_REUSEADDR, may have it. */
START_TEST(bound_only)
{
    struct sockaddr_in v4 = { 0 };
    socklen_t len = sizeof(v4);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&v4, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&v4, &len), 0);
    unit_fails(port_try("127.0.0.1", ntohs(v4.sin_port), 0, &err, pool),
               EADDRINUSE, "is held by another program");
    close(fd);
}
END_TEST

/* Addresses of other machines, and no addresses at all. */
START_TEST(bad_address)
{
    unit_fails(port_try("192.0.2.77", 44399, 0, &err, pool), APR_EINVAL,
               "192.0.2.77 is no address of this machine");
    base_err_clear(&err);
    unit_fails(port_try("2001:db8::77", 44399, 0, &err, pool), APR_EINVAL,
               "no address of this machine");
    base_err_clear(&err);
    unit_fails(port_try("www.example.org", 44399, 0, &err, pool), APR_EINVAL,
               "no IP address");
    base_err_clear(&err);
    unit_fails(port_try("", 44399, 0, &err, pool), APR_EINVAL,
               "no IP address");
}
END_TEST

/* An ordinary user may not have a port below 1024. */
START_TEST(privileged)
{
    if (geteuid() == 0) {
        ck_assert_int_eq(seteuid(65534), 0);
        unit_fails(port_try("127.0.0.1", 443, 0, &err, pool), APR_EACCES,
                   "as root");
        ck_assert_int_eq(seteuid(0), 0);
    }
    else {
        unit_fails(port_try("127.0.0.1", 443, 0, &err, pool), APR_EACCES,
                   "as root");
    }
}
END_TEST

/* Who listens on all addresses answers at each of its kind. */
START_TEST(covers)
{
    ck_assert_int_eq(port_covers("::", "::", 1), 1);
    ck_assert_int_eq(port_covers("::", "0.0.0.0", 1), 1);
    ck_assert_int_eq(port_covers("::", "192.0.2.1", 1), 1);
    ck_assert_int_eq(port_covers("::", "2001:db8::1", 0), 1);
    ck_assert_int_eq(port_covers("0.0.0.0", "192.0.2.1", 0), 1);
    ck_assert_int_eq(port_covers("192.0.2.1", "192.0.2.1", 1), 1);
    ck_assert_int_eq(port_covers("2001:db8::1", "2001:DB8:0::1", 1), 1);

    ck_assert_int_eq(port_covers("::", "192.0.2.1", 0), 0);
    ck_assert_int_eq(port_covers("::", "0.0.0.0", 0), 0);
    ck_assert_int_eq(port_covers("0.0.0.0", "2001:db8::1", 1), 0);
    ck_assert_int_eq(port_covers("0.0.0.0", "::", 1), 0);
    ck_assert_int_eq(port_covers("192.0.2.1", "192.0.2.2", 1), 0);
    ck_assert_int_eq(port_covers("192.0.2.1", "0.0.0.0", 1), 0);
    ck_assert_int_eq(port_covers("192.0.2.1", "::", 1), 0);
    ck_assert_int_eq(port_covers("name", "name", 1), 0);
}
END_TEST

/** A document whose httpd listens on these ports of 127.0.0.1; 0: none. */
static json_t *listening(int one, int two)
{
    json_t *list = json_array();
    int ports[2] = { one, two };
    int i;

    for (i = 0; i < 2; i++) {
        if (ports[i]) {
            json_array_append_new(list, json_pack(
                "{s:s, s:i, s:n}", "address", "127.0.0.1", "port", ports[i],
                "protocol"));
        }
    }
    return base_json_own(json_pack(
        "{s:{s:s, s:s, s:o}}", "server", "pid_file", "/nonexistent/pid",
        "binary", "/bin/sh", "listeners", list), pool);
}

/* Only what is new has to be free, right before the restart. */
START_TEST(new_ports)
{
    int fd, other, held_one = occupy(&fd, "127.0.0.1");
    int free_one = occupy(&other, "127.0.0.1");

    close(other);
    unit_ok(configurator_ports(listening(held_one, 0),
                               listening(held_one, free_one), &err, pool));
    unit_ok(configurator_ports(listening(held_one, free_one),
                               listening(0, 0), &err, pool));
    unit_fails(configurator_ports(listening(free_one, 0),
                                  listening(free_one, held_one), &err, pool),
               EADDRINUSE, apr_psprintf(pool, "port %d is held by ",
                                        held_one));
    close(fd);
}
END_TEST

Suite *ports_suite(void)
{
    Suite *suite = suite_create("configurator/ports");
    TCase *tc = unit_case(suite, "ports");

    tcase_add_test(tc, free_port);
    tcase_add_test(tc, held_port);
    tcase_add_test(tc, held_everywhere);
    tcase_add_test(tc, own_port);
    tcase_add_test(tc, bound_only);
    tcase_add_test(tc, bad_address);
    tcase_add_test(tc, privileged);
    tcase_add_test(tc, covers);
    tcase_add_test(tc, new_ports);
    return suite;
}
