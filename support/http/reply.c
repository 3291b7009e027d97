/*
 * reply.c: what comes back. Every byte is counted against a limit at the
 * moment it arrives: header lines and bytes, and the body against the
 * request's max.
 */
#include "http/curl.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

/** What of a reply is kept, and where. Link is kept as a list. */
static const struct {
    const char *name;
    apr_size_t offset;
} headers_kept[] = {
    { "Content-Type", offsetof(http_response_t, content_type) },
    { "Location", offsetof(http_response_t, location) },
    { "Replay-Nonce", offsetof(http_response_t, replay_nonce) },
    { "Retry-After", offsetof(http_response_t, retry_after) }
};

static int is_printable(const char *value, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e) {
            return 0;
        }
    }
    return 1;
}

void http_reply_restart(transfer_t *t)
{
    http_response_t *response = t->response;

    memset(response, 0, sizeof(*response));
    response->links = apr_array_make(t->pool, 2, sizeof(const char *));
    t->last = NULL;
    t->headers_ended = 0;
}

/** Where the value of this header belongs; NULL: it is not wanted. */
static const char **header_slot(transfer_t *t, const char *name,
                                apr_size_t len)
{
    apr_size_t i;

    if (len == 4 && strncasecmp(name, "Link", len) == 0) {
        const char **slot = apr_array_push(t->response->links);

        *slot = NULL;
        return slot;
    }
    for (i = 0; i < sizeof(headers_kept) / sizeof(headers_kept[0]); i++) {
        if (strlen(headers_kept[i].name) == len
            && strncasecmp(name, headers_kept[i].name, len) == 0) {
            return (const char **)((char *)t->response
                                   + headers_kept[i].offset);
        }
    }
    return NULL;
}

static void header_keep(transfer_t *t, const char *line, apr_size_t len)
{
    const char *colon = memchr(line, ':', len);
    const char *value;
    const char **slot;

    t->last = NULL;
    if (!colon) {
        return;
    }
    slot = header_slot(t, line, (apr_size_t)(colon - line));
    if (!slot || *slot) {
        /* Not wanted, or said twice: the first one counts. */
        return;
    }
    value = colon + 1;
    len -= (apr_size_t)(value - line);
    while (len && (*value == ' ' || *value == '\t')) {
        value++;
        len--;
    }
    if (len <= HEADER_VALUE_MAX && is_printable(value, len)) {
        *slot = apr_pstrmemdup(t->pool, value, len);
        t->last = slot;
    }
}

/** One header line without its line end. */
static void header_line(transfer_t *t, const char *line, apr_size_t len)
{
    if (len >= 5 && strncmp(line, "HTTP/", 5) == 0) {
        http_reply_restart(t);
    }
    else if (len && (*line == ' ' || *line == '\t')) {
        /* RFC 9112 5.2: a folded value; we keep none. */
        if (t->last) {
            *t->last = NULL;
        }
    }
    else if (len) {
        header_keep(t, line, len);
    }
    else {
        t->headers_ended = 1;
    }
}

size_t http_reply_header(char *line, size_t size, size_t n, void *baton)
{
    transfer_t *t = baton;
    apr_size_t len = size * n;

    t->moved = 1;
    t->header_lines++;
    t->header_bytes += len;
    if (t->header_lines > HEADER_LINES_MAX
        || t->header_bytes > HEADER_BYTES_MAX) {
        t->refused = "too many header bytes";
        return 0;
    }
    while (len && strchr("\r\n\t ", line[len - 1])) {
        len--;
    }
    header_line(t, line, len);
    return size * n;
}

static int body_grow(transfer_t *t, apr_size_t need)
{
    apr_size_t size = t->body_size ? t->body_size : 4096;
    char *body;

    while (size < need) {
        size *= 2;
    }
    if (size == t->body_size) {
        return 1;
    }
    body = realloc(t->body, size);
    if (!body) {
        return 0;
    }
    t->body = body;
    t->body_size = size;
    return 1;
}

size_t http_reply_body(char *data, size_t size, size_t n, void *baton)
{
    transfer_t *t = baton;
    apr_size_t len = size * n;
    apr_size_t have = t->response->body_len;

    t->moved = 1;
    if (len > t->max - have) {
        t->refused = "a body that is too large";
        return 0;
    }
    if (!body_grow(t, have + len)) {
        return 0;
    }
    memcpy(t->body + have, data, len);
    t->response->body_len = have + len;
    return len;
}

/** Drop the Link values that were not fit to be kept. */
static void links_compact(apr_array_header_t *links)
{
    const char **values = (const char **)links->elts;
    int kept = 0;
    int i;

    for (i = 0; i < links->nelts; i++) {
        if (values[i]) {
            values[kept++] = values[i];
        }
    }
    links->nelts = kept;
}

void http_reply_finish(transfer_t *t, int status)
{
    http_response_t *response = t->response;
    curl_off_t sent = 0;
    curl_off_t total = 0;

    curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
    /* Not STARTTRANSFER: on a reused HTTP/2 connection libcurl counts the
     * first byte sent. */
    curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &total);
    links_compact(response->links);
    response->status = status;
    response->url = t->url;
    response->body = apr_pstrmemdup(t->pool, t->body ? t->body : "",
                                    response->body_len);
    response->elapsed = total > sent ? total - sent : 0;
}
