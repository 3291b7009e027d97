/*
 * exchange.c: one request of HTTP/1.1 and the head of its reply. A stranger
 * wrote it: it is bounded, and little of it is kept.
 */
#include "validator/internal.h"

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

/** Longest header value kept, bytes. */
#define VALUE_MAX 2048

/** What was received: the head, NUL behind it, and what came after it. */
typedef struct head_t {
    char *text;
    apr_size_t len;          /**< of all */
    apr_size_t end;          /**< of the head; 0: not complete */
} head_t;

static apr_status_t no_reply(acme_err_t *err, const char *why)
{
    return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                        "the reply is no HTTP: %s", why);
}

/* ----------------------------------------------------------------- head */

/** Where the head ends, behind its empty line; 0 if it has not come. */
static apr_size_t head_end(const head_t *head, apr_size_t from)
{
    apr_size_t i;

    for (i = from > 3 ? from - 3 : 0; i + 1 < head->len; i++) {
        const char *at = head->text + i;

        if (at[0] == '\n' && at[1] == '\n') {
            return i + 2;
        }
        if (i + 2 < head->len && at[0] == '\n' && at[1] == '\r'
            && at[2] == '\n') {
            return i + 3;
        }
    }
    return 0;
}

/** Receive until the head is complete. */
static apr_status_t head_read(head_t *head, wire_t *wire, acme_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && head->end == 0) {
        apr_size_t from = head->len;
        apr_size_t n = HEAD_MAX - from;

        if (n == 0) {
            return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                                "the reply's head has more than %d bytes",
                                HEAD_MAX);
        }
        rv = wire_read(wire, head->text + from, &n, err);
        head->len += n;
        head->end = head_end(head, from);
    }
    return rv;
}

/** The status of a head's first line; RFC 9112 4. @return 0 if it is none */
static int status_parse(const char *line)
{
    int status;

    if (strncmp(line, "HTTP/1.", 7) != 0 || !apr_isdigit(line[7])
        || line[8] != ' ' || !apr_isdigit(line[9]) || !apr_isdigit(line[10])
        || !apr_isdigit(line[11]) || (unsigned char)line[12] > ' ') {
        return 0;
    }
    status = (int)strtol(line + 9, NULL, 10);
    return status >= 100 && status <= 599 ? status : 0;
}

/** A header's value without the blanks around it. @return NULL if it is not
 *  to be kept */
static const char *value_keep(const char *value, apr_pool_t *pool)
{
    apr_size_t len;
    apr_size_t i;

    value += strspn(value, " \t");
    len = strlen(value);
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
        len--;
    }
    for (i = 0; i < len && apr_isprint(value[i]); i++) {
        continue;
    }
    return i == len && len <= VALUE_MAX ? apr_pstrmemdup(pool, value, len)
                                        : NULL;
}

static void header_take(reply_t *reply, const char *line, apr_pool_t *pool)
{
    const char *colon = strchr(line, ':');
    apr_size_t len = colon ? (apr_size_t)(colon - line) : 0;

    if (len == 8 && strncasecmp(line, "Location", 8) == 0) {
        if (!reply->location) {
            reply->location = value_keep(colon + 1, pool);
        }
    }
    else if (len == 25
             && strncasecmp(line, "Strict-Transport-Security", 25) == 0) {
        /* RFC 6797 8.1: of several the first one counts. */
        if (!reply->hsts) {
            reply->hsts = value_keep(colon + 1, pool);
        }
    }
    else if (len == 10 && strncasecmp(line, "Set-Cookie", 10) == 0) {
        reply->cookie = 1;
    }
}

/** Read a complete head. */
static apr_status_t head_parse(reply_t *reply, head_t *head, acme_err_t *err,
                               apr_pool_t *pool)
{
    char *text = apr_pstrmemdup(pool, head->text, head->end);
    char *state;
    char *line;

    memset(reply, 0, sizeof(*reply));
    if (strlen(text) != head->end) {
        return no_reply(err, "there is a NUL in its head");
    }
    line = apr_strtok(text, "\r\n", &state);
    reply->status = line ? status_parse(line) : 0;
    if (reply->status == 0) {
        return no_reply(err, "it does not begin with a status line");
    }
    while ((line = apr_strtok(NULL, "\r\n", &state)) != NULL) {
        header_take(reply, line, pool);
    }
    return APR_SUCCESS;
}

/** Forget a complete head, keep what came behind it. */
static void head_drop(head_t *head)
{
    memmove(head->text, head->text + head->end, head->len - head->end);
    head->len -= head->end;
    head->end = head_end(head, 0);
}

/* ----------------------------------------------------------------- body */

/** Read until the end of the connection, or BODY_MAX. */
static apr_status_t body_read(reply_t *reply, head_t *head, wire_t *wire,
                              acme_err_t *err, apr_pool_t *pool)
{
    apr_size_t len = head->len - head->end;
    char *body = apr_palloc(pool, BODY_MAX + 1);
    apr_status_t rv = APR_SUCCESS;

    len = len > BODY_MAX ? BODY_MAX : len;
    memcpy(body, head->text + head->end, len);
    while (rv == APR_SUCCESS && len < BODY_MAX) {
        apr_size_t n = BODY_MAX - len;

        rv = wire_read(wire, body + len, &n, err);
        len += n;
    }
    body[len] = '\0';
    reply->body = body;
    reply->body_len = len;
    if (rv == APR_EOF) {
        base_err_clear(err);
        return APR_SUCCESS;
    }
    return rv;
}

/* ------------------------------------------------------------- exchange */

/** The head of the final reply: 1xx ones go before it. */
static apr_status_t reply_read(reply_t *reply, head_t *head, wire_t *wire,
                               acme_err_t *err, apr_pool_t *pool)
{
    apr_size_t total = 0;
    apr_status_t rv;

    do {
        head_drop(head);
        rv = head_read(head, wire, err);
        if (rv == APR_SUCCESS) {
            rv = head_parse(reply, head, err, pool);
        }
        total += head->end;
        if (rv == APR_SUCCESS && total > HEAD_MAX) {
            rv = no_reply(err, "nothing but interim replies");
        }
    } while (rv == APR_SUCCESS && reply->status < 200);
    return rv;
}

apr_status_t exchange(reply_t *reply, wire_t *wire, const char *host,
                      const char *path, int body, acme_err_t *err,
                      apr_pool_t *pool)
{
    const char *request = apr_pstrcat(
        pool, "GET ", path, " HTTP/1.1\r\nHost: ", host, "\r\n"
        "User-Agent: acmectl/" ACMECTL_VERSION " validate\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n", NULL);
    head_t head = { apr_palloc(pool, HEAD_MAX), 0, 0 };
    apr_status_t rv = wire_write(wire, request, strlen(request), err);

    memset(reply, 0, sizeof(*reply));
    if (rv == APR_SUCCESS) {
        rv = reply_read(reply, &head, wire, err, pool);
    }
    if (rv == APR_SUCCESS && body) {
        rv = body_read(reply, &head, wire, err, pool);
    }
    if (rv != APR_SUCCESS) {
        reply->status = 0;
    }
    return rv;
}
