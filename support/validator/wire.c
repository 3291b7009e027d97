/*
 * wire.c: bytes to and from an address, by TLS or without, with a deadline.
 */
#include "validator/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static apr_status_t wire_fault(acme_err_t *err, apr_status_t rv,
                               const char *what)
{
    char buf[128];

    if (rv == APR_TIMEUP) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "%s did not end in time", what);
    }
    return base_err_set(err, rv, BASE_EXIT_FAILED, "%s failed: %s", what,
                        base_strerror(rv, buf, sizeof(buf)));
}

/** The socket address of text. @return its length; 0 if it is none */
static socklen_t address_parse(struct sockaddr_storage *address,
                               const char *ip, int port)
{
    struct sockaddr_in *in = (struct sockaddr_in *)address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

    memset(address, 0, sizeof(*address));
    if (port < 1 || port > 65535) {
        return 0;
    }
    if (inet_pton(AF_INET, ip, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons((unsigned short)port);
        return sizeof(*in);
    }
    if (inet_pton(AF_INET6, ip, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((unsigned short)port);
        return sizeof(*in6);
    }
    return 0;
}

/** The end of a connect that was begun. @return errno of it */
static apr_status_t connected(int fd, apr_time_t until)
{
    socklen_t len = sizeof(int);
    apr_status_t rv = base_fd_wait(fd, POLLOUT, until);
    int error = 0;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    return APR_FROM_OS_ERROR(error);
}

apr_status_t wire_open(wire_t *wire, const char *ip, int port,
                       apr_time_t until, acme_err_t *err)
{
    struct sockaddr_storage address;
    socklen_t len = address_parse(&address, ip, port);
    apr_status_t rv = APR_SUCCESS;

    memset(wire, 0, sizeof(*wire));
    wire->fd = -1;
    wire->until = until;
    if (len == 0) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "that is no IP address and port");
    }
    wire->fd = socket(address.ss_family,
                      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wire->fd < 0
        || (connect(wire->fd, (struct sockaddr *)&address, len) != 0
            && errno != EINPROGRESS && errno != EINTR)) {
        rv = APR_FROM_OS_ERROR(errno);
    }
    if (rv == APR_SUCCESS) {
        rv = connected(wire->fd, until);
    }
    return rv == APR_SUCCESS ? rv : wire_fault(err, rv, "the connection");
}

apr_status_t wire_tls(wire_t *wire, crypto_tls_options_t *options,
                      acme_err_t *err, apr_pool_t *pool)
{
    options->until = wire->until;
    return crypto_tls_open(&wire->tls, wire->fd, options, err, pool);
}

apr_status_t wire_write(wire_t *wire, const char *data, apr_size_t len,
                        acme_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;

    if (wire->tls) {
        return crypto_tls_write(wire->tls, data, len, wire->until, err);
    }
    while (len > 0 && rv == APR_SUCCESS) {
        ssize_t n = send(wire->fd, data, len, MSG_NOSIGNAL);

        if (n >= 0) {
            data += n;
            len -= (apr_size_t)n;
        }
        else {
            rv = errno == EAGAIN
                ? base_fd_wait(wire->fd, POLLOUT, wire->until)
                : errno == EINTR ? APR_SUCCESS : APR_FROM_OS_ERROR(errno);
        }
    }
    return rv == APR_SUCCESS ? rv : wire_fault(err, rv, "the request");
}

apr_status_t wire_read(wire_t *wire, char *buf, apr_size_t *plen,
                       acme_err_t *err)
{
    apr_size_t size = *plen;
    apr_status_t rv = APR_SUCCESS;

    if (wire->tls) {
        return crypto_tls_read(wire->tls, buf, plen, wire->until, err);
    }
    *plen = 0;
    /* Waited for first, so that a flood meets the deadline, too. */
    while ((rv = base_fd_wait(wire->fd, POLLIN, wire->until))
           == APR_SUCCESS) {
        ssize_t n = recv(wire->fd, buf, size, 0);

        if (n > 0) {
            *plen = (apr_size_t)n;
            return APR_SUCCESS;
        }
        if (n == 0 || errno == ECONNRESET) {
            return base_err_set(err, APR_EOF, BASE_EXIT_FAILED, "the server "
                                "closed the connection during the reply");
        }
        if (errno != EAGAIN && errno != EINTR) {
            return wire_fault(err, APR_FROM_OS_ERROR(errno), "the reply");
        }
    }
    return wire_fault(err, rv, "the reply");
}

void wire_close(wire_t *wire)
{
    if (wire->tls) {
        crypto_tls_close(wire->tls);
    }
    if (wire->fd >= 0) {
        close(wire->fd);
    }
    wire->tls = NULL;
    wire->fd = -1;
}
