/*
 * frame.c: one length, one JSON document.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/frame.h"

/* The end of the year 9999: no later time has an RFC 3339 text. */
#define RETRY_AT_MAX apr_time_from_sec(APR_INT64_C(253402300799))

/** What is wrong with the other process, for people. @return buf or text */
static const char *fault_text(apr_status_t rv, char *buf, apr_size_t size)
{
    if (APR_STATUS_IS_EOF(rv)) {
        return "it is gone";
    }
    if (APR_STATUS_IS_INCOMPLETE(rv)) {
        return "it stopped inside a message";
    }
    if (APR_STATUS_IS_TIMEUP(rv)) {
        return "it does not answer any more";
    }
    return base_strerror(rv, buf, size);
}

/** When timeout will have passed, on the mono clock; -1: never. */
static apr_time_t deadline_in(apr_interval_time_t timeout)
{
    base_clock_t *clock = base_clock_system();

    return timeout < 0 ? -1 : clock->mono(clock) + timeout;
}

/** Milliseconds until deadline for poll, rounded up. */
static int left_until(apr_time_t deadline)
{
    base_clock_t *clock = base_clock_system();
    apr_interval_time_t left;

    if (deadline < 0) {
        return -1;
    }
    left = deadline - clock->mono(clock);
    if (left <= 0) {
        return 0;
    }
    return left / 1000 < INT_MAX ? (int)((left + 999) / 1000) : INT_MAX;
}

static apr_status_t wait_for(int fd, short events, apr_time_t deadline)
{
    struct pollfd p = { fd, events, 0 };
    int n;

    do {
        n = base_tick_poll(&p, 1, left_until(deadline));
    } while (n < 0 && errno == EINTR);
    return n > 0 ? APR_SUCCESS : n == 0 ? APR_TIMEUP : errno;
}

/* ------------------------------------------------------------------ write */

static apr_status_t write_all(int fd, const char *data, apr_size_t len,
                              apr_time_t deadline)
{
    while (len > 0) {
        apr_status_t rv = wait_for(fd, POLLOUT, deadline);
        ssize_t n;

        if (rv != APR_SUCCESS) {
            return rv;
        }
        /* MSG_NOSIGNAL: a dead peer is an error here, not a SIGPIPE.
         * MSG_DONTWAIT: one that does not read is late, no trap. */
        n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (n < 0) {
            return errno == EPIPE || errno == ECONNRESET ? APR_EOF : errno;
        }
        data += n;
        len -= (apr_size_t)n;
    }
    return APR_SUCCESS;
}

static apr_status_t write_text(int fd, const char *text, uint32_t len,
                               apr_interval_time_t timeout, acme_err_t *err)
{
    apr_time_t deadline = deadline_in(timeout);
    char buf[200];
    apr_status_t rv;

    rv = write_all(fd, (const char *)&len, sizeof(len), deadline);
    if (rv == APR_SUCCESS) {
        rv = write_all(fd, text, len, deadline);
    }
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "cannot talk to the other process of this run: "
                            "%s", fault_text(rv, buf, sizeof(buf)));
    }
    return APR_SUCCESS;
}

apr_status_t frame_write(int fd, const json_t *message,
                         apr_interval_time_t timeout, acme_err_t *err)
{
    char *text = json_dumps(message, JSON_COMPACT);
    apr_size_t len = text ? strlen(text) : 0;
    apr_status_t rv;

    if (!text || len > FRAME_MAX) {
        rv = base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED, text
                          ? "a message to the other process of this run is "
                            "longer than %d bytes"
                          : "a message to the other process of this run is "
                            "not JSON (%d bytes at most)", FRAME_MAX);
    }
    else {
        rv = write_text(fd, text, (uint32_t)len, timeout, err);
    }
    free(text);
    return rv;
}

/* ------------------------------------------------------------------- read */

/** @return APR_EOF only when nothing of data was read */
static apr_status_t read_all(int fd, char *data, apr_size_t len,
                             apr_interval_time_t timeout)
{
    apr_time_t deadline = deadline_in(timeout);
    apr_size_t got = 0;

    while (got < len) {
        apr_status_t rv = wait_for(fd, POLLIN, deadline);
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

/** Read a frame's length and its text, NUL behind it, in pool. */
static apr_status_t read_text(char **ptext, uint32_t *plen, int fd,
                              apr_interval_time_t timeout, apr_pool_t *pool)
{
    apr_status_t rv;

    rv = read_all(fd, (char *)plen, sizeof(*plen), timeout);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (*plen > FRAME_MAX) {
        return APR_EINVAL;
    }
    *ptext = apr_palloc(pool, (apr_size_t)*plen + 1);
    (*ptext)[*plen] = '\0';
    rv = read_all(fd, *ptext, *plen, timeout);
    /* An end behind the length is inside the frame. */
    return APR_STATUS_IS_EOF(rv) ? APR_INCOMPLETE : rv;
}

apr_status_t frame_read(json_t **pmessage, int fd,
                        apr_interval_time_t timeout, acme_err_t *err,
                        apr_pool_t *result_pool)
{
    uint32_t len = 0;
    char *text = NULL;
    char buf[200];
    apr_status_t rv;

    rv = read_text(&text, &len, fd, timeout, result_pool);
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "lost the other process of this run: %s",
                            rv == APR_EINVAL ? "its message is too long"
                            : fault_text(rv, buf, sizeof(buf)));
    }
    return base_json_parse(pmessage, text, len, FRAME_MAX,
                           "a message of the other process", err,
                           result_pool);
}

/* ----------------------------------------------------------------- errors */

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

/** 1 if n is one of base_exit_t. */
static int is_exit(json_int_t n)
{
    static const base_exit_t exits[] = {
        BASE_EXIT_OK, BASE_EXIT_FAILED, BASE_EXIT_USAGE, BASE_EXIT_PARTIAL,
        BASE_EXIT_HTTPD, BASE_EXIT_JOURNAL, BASE_EXIT_VALIDATION,
        BASE_EXIT_REFUSED, BASE_EXIT_CHANGED, BASE_EXIT_BUSY
    };
    apr_size_t i;

    for (i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
        if (n == (json_int_t)exits[i]) {
            return 1;
        }
    }
    return 0;
}

apr_status_t frame_err_unpack(acme_err_t *err, const json_t *packed)
{
    const char *type;
    const char *identifier;
    const char *message;
    json_int_t exit_status;
    json_int_t retry_at;
    json_int_t status;

    if (json_unpack((json_t *)packed, "{s:I, s:I, s:I, s:s, s:s, s:s}",
                    "status", &status, "exit", &exit_status,
                    "retry_at", &retry_at, "type", &type,
                    "identifier", &identifier, "message", &message) != 0
        || status < INT_MIN || status > INT_MAX || !is_exit(exit_status)
        || retry_at < 0 || retry_at > RETRY_AT_MAX) {
        return APR_EINVAL;
    }
    base_err_clear(err);
    if (status != APR_SUCCESS) {
        /* A failure must not end as success. */
        base_err_set(err, (apr_status_t)status, exit_status == BASE_EXIT_OK
                     ? BASE_EXIT_FAILED : (base_exit_t)exit_status, "%s",
                     message);
        err->retry_at = retry_at;
        base_clean(err->type, sizeof(err->type), type);
        base_clean(err->identifier, sizeof(err->identifier), identifier);
    }
    return APR_SUCCESS;
}
