/*
 * frame.c: one length, one JSON document.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <apr_strings.h>

#include "worker/frame.h"

static apr_status_t write_all(int fd, const char *data, apr_size_t len)
{
    while (len > 0) {
        /* MSG_NOSIGNAL: a dead peer is an error here, not a SIGPIPE. */
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return errno == EPIPE || errno == ECONNRESET ? APR_EOF : errno;
        }
        data += n;
        len -= (apr_size_t)n;
    }
    return APR_SUCCESS;
}

apr_status_t frame_write(int fd, const json_t *message, acme_err_t *err)
{
    char *text = json_dumps(message, JSON_COMPACT);
    apr_size_t len = text ? strlen(text) : 0;
    uint32_t head = (uint32_t)len;
    apr_status_t rv = APR_ENOMEM;

    if (text && len <= FRAME_MAX) {
        rv = write_all(fd, (const char *)&head, sizeof(head));
        if (rv == APR_SUCCESS) {
            rv = write_all(fd, text, len);
        }
    }
    free(text);
    if (rv != APR_SUCCESS) {
        char buf[200];

        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "cannot talk to the other process of this run: "
                            "%s", base_strerror(rv, buf, sizeof(buf)));
    }
    return rv;
}

static apr_status_t wait_readable(int fd, apr_interval_time_t timeout)
{
    struct pollfd p = { fd, POLLIN, 0 };
    int n;

    do {
        n = poll(&p, 1, timeout < 0 ? -1 : (int)(timeout / 1000));
    } while (n < 0 && errno == EINTR);
    return n > 0 ? APR_SUCCESS : n == 0 ? APR_TIMEUP : errno;
}

/** @return APR_EOF only when nothing of data was read */
static apr_status_t read_all(int fd, char *data, apr_size_t len,
                             apr_interval_time_t timeout)
{
    apr_size_t got = 0;

    while (got < len) {
        apr_status_t rv = wait_readable(fd, timeout);
        ssize_t n;

        if (rv != APR_SUCCESS) {
            return rv;
        }
        n = read(fd, data + got, len - got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        if (n == 0) {
            return got ? APR_INCOMPLETE : APR_EOF;
        }
        got += (apr_size_t)n;
    }
    return APR_SUCCESS;
}

apr_status_t frame_read(json_t **pmessage, int fd,
                        apr_interval_time_t timeout, acme_err_t *err,
                        apr_pool_t *result_pool)
{
    uint32_t len = 0;
    char *text = NULL;
    char buf[200];
    apr_status_t rv;

    rv = read_all(fd, (char *)&len, sizeof(len), timeout);
    if (rv == APR_SUCCESS && len > FRAME_MAX) {
        rv = APR_EINVAL;
    }
    if (rv == APR_SUCCESS) {
        text = apr_palloc(result_pool, (apr_size_t)len + 1);
        text[len] = '\0';
        rv = read_all(fd, text, len, timeout);
    }
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "lost the other process of this run: %s",
                            base_strerror(rv, buf, sizeof(buf)));
    }
    return base_json_parse(pmessage, text, len, FRAME_MAX,
                           "a message of the other process", err,
                           result_pool);
}

/** A string, or "" where a field was cut inside a character. */
static json_t *text_or_empty(const char *text)
{
    json_t *json = json_string(text);

    return json ? json : json_string("");
}

json_t *frame_err_pack(const acme_err_t *err)
{
    return json_pack("{s:i, s:i, s:I, s:o, s:o, s:o}",
                     "status", (int)err->status, "exit", (int)err->exit,
                     "retry_at", (json_int_t)err->retry_at,
                     "type", text_or_empty(err->type),
                     "identifier", text_or_empty(err->identifier),
                     "message", text_or_empty(err->message));
}

apr_status_t frame_err_unpack(acme_err_t *err, const json_t *packed)
{
    const char *type;
    const char *identifier;
    const char *message;
    json_int_t retry_at;
    int status;
    int exit_status;

    if (json_unpack((json_t *)packed, "{s:i, s:i, s:I, s:s, s:s, s:s}",
                    "status", &status, "exit", &exit_status,
                    "retry_at", &retry_at, "type", &type,
                    "identifier", &identifier, "message", &message) != 0) {
        return APR_EINVAL;
    }
    base_err_clear(err);
    if (status != APR_SUCCESS) {
        base_err_set(err, status, (base_exit_t)exit_status, "%s", message);
        err->retry_at = retry_at;
        apr_cpystrn(err->type, type, sizeof(err->type));
        apr_cpystrn(err->identifier, identifier, sizeof(err->identifier));
    }
    return APR_SUCCESS;
}
