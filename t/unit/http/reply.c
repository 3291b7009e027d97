/* What is read of a reply, and the limits of what is read at all. */
#include <apr_strings.h>

#include "http/rig.h"
#include "unit.h"

static rig_reply_t reply;

/** The reply to GET / when the server sends text. */
static const http_response_t *replied(const char *text)
{
    rig_options_t options = { .serve = rig_serve_reply, .reply = text };

    rig_once(&reply, &options, 5000, pool);
    return reply.response;
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
#define END "\r\nok"

/* Status, body and the headers that RFC 8555 uses are delivered; names are
 * matched in any case, blanks around values are dropped. */
START_TEST(all_headers)
{
    const http_response_t *r = replied(
        "HTTP/1.1 429 Slow down\r\n"
        "content-type: application/problem+json; charset=utf-8\r\n"
        "LOCATION:   /order/1\t \r\n"
        "Replay-Nonce:oFvnlFP1wIhRlYS2jTaXbA\r\n"
        "Retry-After: 120\r\n"
        "Link: <https://ca.test/dir>;rel=\"index\"\r\n"
        "link: <https://ca.test/tos>;rel=\"terms\", </x>;rel=\"y\"\r\n"
        "Content-Length: 3\r\n\r\n{ }");

    ck_assert_int_eq(r->status, 429);
    ck_assert_str_eq(r->content_type,
                     "application/problem+json; charset=utf-8");
    ck_assert_str_eq(r->location, "/order/1");
    ck_assert_str_eq(r->replay_nonce, "oFvnlFP1wIhRlYS2jTaXbA");
    ck_assert_str_eq(r->retry_after, "120");
    ck_assert_int_eq(r->links->nelts, 2);
    ck_assert_str_eq(APR_ARRAY_IDX(r->links, 1, const char *),
                     "<https://ca.test/tos>;rel=\"terms\", </x>;rel=\"y\"");
    ck_assert_uint_eq(r->body_len, 3);
    ck_assert_str_eq(r->body, "{ }");
}
END_TEST

/* A reply without them has NULL for each and no links. */
START_TEST(no_headers)
{
    const http_response_t *r = replied(OK END);

    ck_assert_int_eq(r->status, 200);
    ck_assert(r->content_type == NULL && r->location == NULL);
    ck_assert(r->replay_nonce == NULL && r->retry_after == NULL);
    ck_assert_int_eq(r->links->nelts, 0);
    ck_assert_str_eq(r->body, "ok");
}
END_TEST

/* Control characters and 8-bit bytes in a value make it absent. */
START_TEST(unprintable_values)
{
    const http_response_t *r = replied(
        OK "Location: /a\x1b[31m\r\nReplay-Nonce: caf\xc3\xa9\r\n"
        "Retry-After: 1\x7f\r\nLink: <\x01>;rel=x\r\n"
        "Link: <y>;rel=x\r\n" END);

    ck_assert(r->location == NULL);
    ck_assert(r->replay_nonce == NULL);
    ck_assert(r->retry_after == NULL);
    ck_assert_int_eq(r->links->nelts, 1);
    ck_assert_str_eq(APR_ARRAY_IDX(r->links, 0, const char *), "<y>;rel=x");
}
END_TEST

/* A value of 2048 bytes is read, one of 2049 is absent. */
START_TEST(long_values)
{
    char *text = apr_palloc(pool, 2050);
    const http_response_t *r;

    memset(text, 'a', 2049);
    text[2049] = '\0';
    r = replied(apr_pstrcat(pool, OK "Location: ", text, "\r\n"
                            "Replay-Nonce: ", text + 1, "\r\n" END, NULL));
    ck_assert(r->location == NULL);
    ck_assert_str_eq(r->replay_nonce, text + 1);
}
END_TEST

/* Of a header that must be single the first value counts. */
START_TEST(repeated_values)
{
    const http_response_t *r = replied(
        OK "Location: /first\r\nLocation: /second\r\n" END);

    ck_assert_str_eq(r->location, "/first");
}
END_TEST

/* A folded value (RFC 9112 5.2, obsolete) is absent, not cut. */
START_TEST(folded_values)
{
    const http_response_t *r = replied(
        OK "Location: /first\r\n\t/second\r\nReplay-Nonce: n\r\n" END);

    ck_assert(r->location == NULL);
    ck_assert_str_eq(r->replay_nonce, "n");
}
END_TEST

/* Names that only resemble a wanted one are not taken for it. */
START_TEST(similar_names)
{
    const http_response_t *r = replied(
        OK "Locations: /a\r\nX-Location: /b\r\nLocatio: /c\r\n: /d\r\n"
        "Links: <x>\r\nReplay-Nonce2: x\r\n" END);

    ck_assert(r->location == NULL);
    ck_assert(r->replay_nonce == NULL);
    ck_assert_int_eq(r->links->nelts, 0);
}
END_TEST

/* What an interim reply says is not taken for the final one's. */
START_TEST(interim_replies)
{
    const http_response_t *r = replied(
        "HTTP/1.1 103 Early Hints\r\nLink: </a>;rel=x\r\n"
        "Location: /early\r\n\r\n" OK END);

    ck_assert_int_eq(r->status, 200);
    ck_assert(r->location == NULL);
    ck_assert_int_eq(r->links->nelts, 0);
}
END_TEST

/* NUL bytes belong to the body like all others. */
static void serve_nul(rig_conn_t *conn)
{
    static const char text[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na\0b";
    char buf[4096];

    while (rig_read(conn, buf, sizeof(buf))) {
        rig_write(conn, text, sizeof(text) - 1);
    }
}

START_TEST(body_with_nul)
{
    rig_options_t options = { .serve = serve_nul };

    rig_once(&reply, &options, 5000, pool);
    ck_assert_uint_eq(reply.response->body_len, 3);
    ck_assert_int_eq(memcmp(reply.response->body, "a\0b", 4), 0);
}
END_TEST

/* A compressed body is not unpacked: we never asked for one. */
START_TEST(no_decompression)
{
    const http_response_t *r = replied(
        OK "Content-Encoding: gzip\r\n" END);

    ck_assert_str_eq(r->body, "ok");
}
END_TEST

/* ---------------------------------------------------------------- limits */

static void get_with_max(const char *text, apr_size_t max)
{
    rig_options_t options = { .serve = rig_serve_reply, .reply = text };
    http_request_t request = rig_request(rig_server(&options, pool), "/",
                                         pool);

    request.max = max;
    rig_send(&reply, rig_transport(5000, pool), &request, pool);
}

static void refused(const char *what)
{
    ck_assert(reply.response == NULL);
    ck_assert_int_eq(reply.err.status, APR_EINVAL);
    ck_assert_int_eq(reply.err.exit, BASE_EXIT_FAILED);
    ck_assert_msg(strstr(reply.err.message, what) != NULL, "%s",
                  reply.err.message);
}

/* A body of exactly max bytes is read. */
START_TEST(body_of_max)
{
    get_with_max("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour", 4);
    ck_assert_str_eq(reply.response->body, "four");
    get_with_max("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "4\r\nfour\r\n0\r\n\r\n", 4);
    ck_assert_str_eq(reply.response->body, "four");
}
END_TEST

/* One byte more is refused, whether it was announced or not; 0 is a limit
 * like any other. */
START_TEST(body_over_max)
{
    get_with_max("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfive5", 4);
    refused("a body that is too large");
    get_with_max("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nfive5\r\n0\r\n\r\n", 4);
    refused("a body that is too large");
    get_with_max("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", 0);
    refused("a body that is too large");
}
END_TEST

/** Sends head and then piece for ever. */
static void flood(rig_conn_t *conn, const char *head, const char *piece)
{
    char buf[4096];

    rig_read(conn, buf, sizeof(buf));
    rig_write(conn, head, (int)strlen(head));
    for (;;) {
        rig_write(conn, piece, (int)strlen(piece));
    }
}

static void serve_endless_body(rig_conn_t *conn)
{
    flood(conn, "HTTP/1.1 200 OK\r\n\r\n", "and so on and on ");
}

static void serve_endless_headers(rig_conn_t *conn)
{
    flood(conn, "HTTP/1.1 200 OK\r\n", "X-More: and more\r\n");
}

static void serve_endless_header(rig_conn_t *conn)
{
    flood(conn, "HTTP/1.1 200 OK\r\nX-More: ", "and more ");
}

static void serve_endless_interim(rig_conn_t *conn)
{
    flood(conn, "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
}

static void serve_endless_trailers(rig_conn_t *conn)
{
    flood(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
          "0\r\n", "X-More: and more\r\n");
}

/* Replies without end are refused as soon as they pass a limit, long
 * before the time is up. */
START_TEST(endless_replies)
{
    static const struct {
        rig_serve_fn *serve;
        const char *what;
    } cases[] = {
        { serve_endless_body, "a body that is too large" },
        { serve_endless_headers, "too many header bytes" },
        { serve_endless_header, "a header that is too large" },
        { serve_endless_interim, "too many header bytes" },
        { serve_endless_trailers, "too many header bytes" }
    };
    rig_options_t options = { 0 };

    options.serve = cases[_i].serve;
    rig_once(&reply, &options, 20000, pool);
    ck_assert(reply.response == NULL);
    ck_assert_int_ne(reply.err.status, APR_TIMEUP);
    ck_assert_msg(strstr(reply.err.message, cases[_i].what) != NULL, "%s",
                  reply.err.message);
}
END_TEST

Suite *reply_suite(void)
{
    Suite *suite = suite_create("http/reply");
    TCase *tc = unit_case(suite, "reply");

    tcase_add_test(tc, all_headers);
    tcase_add_test(tc, no_headers);
    tcase_add_test(tc, unprintable_values);
    tcase_add_test(tc, long_values);
    tcase_add_test(tc, repeated_values);
    tcase_add_test(tc, folded_values);
    tcase_add_test(tc, similar_names);
    tcase_add_test(tc, interim_replies);
    tcase_add_test(tc, body_with_nul);
    tcase_add_test(tc, no_decompression);
    tcase_add_test(tc, body_of_max);
    tcase_add_test(tc, body_over_max);
    tcase_add_loop_test(tc, endless_replies, 0, 5);
    return suite;
}
