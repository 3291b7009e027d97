/* One request: what is sent, which redirects are followed, whom it trusts. */
#include <apr_strings.h>

#include "http/rig.h"
#include "unit.h"

/** The echo server's view of a request. */
static const char *sent(const http_request_t *request,
                        http_transport_t *transport)
{
    rig_reply_t reply;

    rig_send(&reply, transport, request, pool);
    ck_assert_msg(reply.response != NULL, "%s", reply.err.message);
    ck_assert_int_eq(reply.response->status, 200);
    return reply.response->body;
}

#define says(text, part) \
    ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in:\n%s", part, text)
#define lacks(text, part) \
    ck_assert_msg(strstr(text, part) == NULL, "\"%s\" in:\n%s", part, text)

/* Every request names its agent and asks for English texts (RFC 8555 6.1);
 * nothing is sent that was not asked for. */
START_TEST(get_headers)
{
    rig_options_t options = { .serve = rig_serve_echo };
    http_request_t request = rig_request(rig_server(&options, pool),
                                         "/dir", pool);
    const char *text = sent(&request, rig_transport(5000, pool));

    ck_assert_int_eq(strncmp(text, "GET /dir HTTP/1.1\r\n", 19), 0);
    says(text, "\r\nUser-Agent: unit/1\r\n");
    says(text, "\r\nAccept-Language: en\r\n");
    lacks(text, "Content-Type");
    lacks(text, "Expect");
    lacks(text, "Accept-Encoding");
    lacks(text, "Cookie");
    lacks(text, "Authorization");
}
END_TEST

/* A POST carries its body and content type and never waits for a 100. */
START_TEST(post_body)
{
    rig_options_t options = { .serve = rig_serve_echo };
    http_request_t request = rig_request(rig_server(&options, pool), "/new",
                                         pool);
    char body[2000];
    const char *text;

    memset(body, 'x', sizeof(body));
    request.method = "POST";
    request.content_type = "application/jose+json";
    request.accept = "application/pem-certificate-chain";
    request.body = body;
    request.body_len = sizeof(body);
    text = sent(&request, rig_transport(5000, pool));
    ck_assert_int_eq(strncmp(text, "POST /new HTTP/1.1\r\n", 20), 0);
    says(text, "\r\nContent-Type: application/jose+json\r\n");
    says(text, "\r\nAccept: application/pem-certificate-chain\r\n");
    says(text, "\r\nContent-Length: 2000\r\n");
    says(text, "\r\n\r\nxxxx");
    lacks(text, "Expect");
}
END_TEST

/* A POST without a body is a POST with an empty one. */
START_TEST(post_empty)
{
    rig_options_t options = { .serve = rig_serve_echo };
    http_request_t request = rig_request(rig_server(&options, pool), "/",
                                         pool);
    const char *text;

    request.method = "POST";
    text = sent(&request, rig_transport(5000, pool));
    says(text, "\r\nContent-Length: 0\r\n");
    lacks(text, "Content-Type");
}
END_TEST

/* Nothing of a request shows up in the next one on the same handle. */
START_TEST(handle_is_clean)
{
    rig_options_t options = { .serve = rig_serve_echo };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t post = rig_request(server, "/a", pool);
    http_request_t get = rig_request(server, "/b", pool);
    http_transport_t *transport = rig_transport(5000, pool);
    const char *text;

    post.method = "POST";
    post.content_type = "application/jose+json";
    post.body = "secret";
    post.body_len = 6;
    sent(&post, transport);
    text = sent(&get, transport);
    ck_assert_int_eq(strncmp(text, "GET /b ", 7), 0);
    lacks(text, "secret");
    lacks(text, "jose");
}
END_TEST

/* HEAD asks for a nonce: headers, no body. */
START_TEST(head_has_no_body)
{
    rig_options_t options = {
        .serve = rig_serve_reply,
        .reply = "HTTP/1.1 200 OK\r\nReplay-Nonce: abc\r\n"
                 "Content-Length: 100\r\n\r\n"
    };
    http_request_t request = rig_request(rig_server(&options, pool), "/",
                                         pool);
    rig_reply_t reply;

    request.method = "HEAD";
    request.max = 0;
    rig_send(&reply, rig_transport(5000, pool), &request, pool);
    ck_assert_msg(reply.response != NULL, "%s", reply.err.message);
    ck_assert_str_eq(reply.response->replay_nonce, "abc");
    ck_assert_uint_eq(reply.response->body_len, 0);
    ck_assert_str_eq(reply.response->body, "");
}
END_TEST

/* A URL is sent byte for byte: dot segments, doubled slashes, escapes. */
START_TEST(url_is_opaque)
{
    rig_options_t options = { .serve = rig_serve_echo };
    http_request_t request = rig_request(rig_server(&options, pool),
                                         "/a/../b//c/./%7e%41?x=[1]&&",
                                         pool);
    const char *text = sent(&request, rig_transport(5000, pool));

    ck_assert_int_eq(strncmp(text, "GET /a/../b//c/./%7e%41?x=[1]&& ", 31),
                     0);
}
END_TEST

/* What is not https, or no method a CA knows, is refused before anything
 * is sent. */
START_TEST(refused_at_once)
{
    static const char *const urls[] = {
        "http://127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd",
        "127.0.0.1", "", "https://", "https://user:pw@127.0.0.1/",
        "https://127.0.0.1/ x", "https://127.0.0.1/\r\nX: y"
    };
    rig_options_t options = { .serve = rig_serve_echo };
    http_request_t request = rig_request(rig_server(&options, pool), "/",
                                         pool);
    http_transport_t *transport = rig_transport(5000, pool);
    rig_reply_t reply = { 0 };
    apr_size_t i;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        base_err_clear(&err);
        request.url = urls[i];
        unit_fails(transport->submit(transport, &request, rig_done, &reply,
                                     &err, pool), APR_EINVAL, "URL");
    }
    base_err_clear(&err);
    request = rig_request(rig_server(&options, pool), "/", pool);
    request.method = "DELETE";
    unit_fails(transport->submit(transport, &request, rig_done, &reply, &err,
                                 pool), APR_EINVAL, "cannot send DELETE");
    ck_assert_int_eq(reply.done, 0);
}
END_TEST

/* The environment's proxy and netrc are for people, not for a service. */
START_TEST(environment_is_ignored)
{
    rig_options_t options = { .serve = rig_serve_echo };
    http_request_t request = rig_request(rig_server(&options, pool), "/",
                                         pool);
    const char *proxy = apr_psprintf(pool, "http://127.0.0.1:%d",
                                     rig_closed_port());

    setenv("https_proxy", proxy, 1);
    setenv("HTTPS_PROXY", proxy, 1);
    setenv("ALL_PROXY", proxy, 1);
    says(sent(&request, rig_transport(5000, pool)), "GET / HTTP/1.1");
}
END_TEST

/** A proxy that refuses every tunnel. */
static void serve_proxy(rig_conn_t *conn)
{
    char buf[4096];
    static const char reply[] =
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";

    if (rig_read(conn, buf, sizeof(buf))
        && strncmp(buf, "CONNECT ", 8) == 0) {
        rig_write(conn, reply, sizeof(reply) - 1);
    }
}

/* The configured proxy is used, whatever no_proxy says; one that refuses
 * is a CA that cannot be reached. */
START_TEST(configured_proxy_is_used)
{
    rig_options_t options = { .serve = rig_serve_echo };
    rig_options_t proxy = { .serve = serve_proxy, .plain = 1 };
    http_request_t request = rig_request(rig_server(&options, pool), "/",
                                         pool);
    rig_server_t *middle = rig_server(&proxy, pool);
    http_options_t http = { .user_agent = "unit/1" };
    http_transport_t *transport;
    rig_reply_t reply;

    setenv("no_proxy", "*", 1);
    http.proxy = apr_psprintf(pool, "http://127.0.0.1:%d", middle->port);
    unit_ok(http_curl_make(&transport, &http, base_clock_system(), &err,
                           pool));
    rig_send(&reply, transport, &request, pool);
    ck_assert(reply.response == NULL);
    ck_assert_int_eq(middle->counts->requests, 1);
    ck_assert_int_eq(reply.err.exit, BASE_EXIT_BUSY);
    says(reply.err.message, "403");
}
END_TEST

/* ------------------------------------------------------------- redirects */

/** "/N": redirect to N - 1 until 0. Any other path: to that text. */
static void serve_hops(rig_conn_t *conn)
{
    char buf[4096];
    char reply[5000];

    while (rig_read(conn, buf, sizeof(buf))) {
        char *path = strchr(buf, ' ') + 1;
        long hops = strtol(path + 1, NULL, 10);

        path[strcspn(path, " ")] = '\0';
        if (strcmp(path, "/0") == 0) {
            rig_answer(conn, "arrived");
            continue;
        }
        if (hops) {
            snprintf(reply, sizeof(reply), "HTTP/1.1 302 Found\r\nLocation: "
                     "%ld\r\nReplay-Nonce: old\r\nContent-Length: 5\r\n\r\n"
                     "moved", hops - 1);
        }
        else {
            snprintf(reply, sizeof(reply), "HTTP/1.1 301 Moved\r\nLocation: "
                     "%s\r\nContent-Length: 0\r\n\r\n", path + 1);
        }
        rig_write(conn, reply, (int)strlen(reply));
    }
}

/* A GET follows as many redirects as it was allowed, within the CA's own
 * origin; what the redirects said is forgotten. */
START_TEST(redirects_within_the_origin)
{
    rig_options_t options = { .serve = serve_hops };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/3", pool);
    rig_reply_t reply;

    request.redirects = 3;
    rig_send(&reply, rig_transport(5000, pool), &request, pool);
    ck_assert_msg(reply.response != NULL, "%s", reply.err.message);
    ck_assert_int_eq(reply.response->status, 200);
    ck_assert_str_eq(reply.response->body, "arrived");
    ck_assert_str_eq(reply.response->url,
                     apr_pstrcat(pool, server->base, "/0", NULL));
    ck_assert(reply.response->replay_nonce == NULL);
    ck_assert_int_eq(server->counts->connections, 1);
}
END_TEST

/* One redirect more than allowed is the reply itself. */
START_TEST(redirects_are_counted)
{
    rig_options_t options = { .serve = serve_hops };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/3", pool);
    rig_reply_t reply;

    request.redirects = 2;
    rig_send(&reply, rig_transport(5000, pool), &request, pool);
    ck_assert_int_eq(reply.response->status, 302);
    ck_assert_str_eq(reply.response->location, "0");
    ck_assert_str_eq(reply.response->body, "moved");
}
END_TEST

/* A POST is signed for one URL, so its redirect is never followed. */
START_TEST(post_is_not_redirected)
{
    rig_options_t options = { .serve = serve_hops };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/3", pool);
    rig_reply_t reply;

    request.method = "POST";
    request.redirects = 3;
    rig_send(&reply, rig_transport(5000, pool), &request, pool);
    ck_assert_int_eq(reply.response->status, 302);
    ck_assert_int_eq(server->counts->requests, 1);
}
END_TEST

/* A redirect to plain http, to another host or port, or to another scheme
 * is a failure; nobody is contacted. */
START_TEST(redirects_elsewhere_are_refused)
{
    rig_options_t options = { .serve = serve_hops };
    rig_options_t other = { .serve = rig_serve_echo };
    rig_server_t *server = rig_server(&options, pool);
    rig_server_t *elsewhere = rig_server(&other, pool);
    http_transport_t *transport = rig_transport(5000, pool);
    const char *targets[5];
    apr_size_t i;

    targets[0] = apr_psprintf(pool, "/http://127.0.0.1:%d/", server->port);
    targets[1] = apr_psprintf(pool, "/%s/", elsewhere->base);
    targets[2] = apr_psprintf(pool, "/https://localhost:%d/", server->port);
    targets[3] = "/file:///etc/passwd";
    targets[4] = "///example.org/";
    for (i = 0; i < 5; i++) {
        http_request_t request = rig_request(server, targets[i], pool);
        rig_reply_t reply;

        request.redirects = 3;
        rig_send(&reply, transport, &request, pool);
        ck_assert_msg(reply.response == NULL, "%s", targets[i]);
        ck_assert_int_eq(reply.err.status, APR_EINVAL);
        ck_assert_int_eq(reply.err.exit, BASE_EXIT_FAILED);
        says(reply.err.message, "which is not https on the same host");
    }
    ck_assert_int_eq(elsewhere->counts->connections, 0);
}
END_TEST

/* ----------------------------------------------------------------- trust */

/* A connection that one CA's roots vouch for is not lent to a request that
 * trusts other roots. */
START_TEST(roots_are_not_shared)
{
    rig_options_t options = { .serve = rig_serve_echo };
    rig_server_t *server = rig_server(&options, pool);
    rig_server_t *other = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);
    http_transport_t *transport = rig_transport(5000, pool);
    rig_reply_t reply;

    rig_send(&reply, transport, &request, pool);
    ck_assert(reply.response != NULL);
    request.roots = NULL;
    rig_send(&reply, transport, &request, pool);
    ck_assert(reply.response == NULL);
    says(reply.err.message, "is not trusted");
    request.roots = other->pem;
    rig_send(&reply, transport, &request, pool);
    ck_assert(reply.response == NULL);
    request.roots = server->pem;
    rig_send(&reply, transport, &request, pool);
    ck_assert(reply.response != NULL);
    ck_assert_int_eq(server->counts->requests, 2);
}
END_TEST

/* The roots are read while the request is under way and not afterwards:
 * the kept connection does not look at freed memory. */
START_TEST(roots_may_go)
{
    rig_options_t options = { .serve = rig_serve_echo };
    rig_server_t *server = rig_server(&options, pool);
    http_request_t request = rig_request(server, "/", pool);
    http_transport_t *transport = rig_transport(5000, pool);
    rig_reply_t reply;
    int i;

    for (i = 0; i < 2; i++) {
        char *roots = strdup(server->pem);

        request.roots = roots;
        rig_send(&reply, transport, &request, pool);
        ck_assert(reply.response != NULL);
        memset(roots, 'x', strlen(roots));
        free(roots);
    }
    ck_assert_int_eq(server->counts->connections, 1);
}
END_TEST

Suite *transfer_suite(void)
{
    Suite *suite = suite_create("http/transfer");
    TCase *tc = unit_case(suite, "transfer");

    tcase_add_test(tc, get_headers);
    tcase_add_test(tc, post_body);
    tcase_add_test(tc, post_empty);
    tcase_add_test(tc, handle_is_clean);
    tcase_add_test(tc, head_has_no_body);
    tcase_add_test(tc, url_is_opaque);
    tcase_add_test(tc, refused_at_once);
    tcase_add_test(tc, environment_is_ignored);
    tcase_add_test(tc, configured_proxy_is_used);
    tcase_add_test(tc, redirects_within_the_origin);
    tcase_add_test(tc, redirects_are_counted);
    tcase_add_test(tc, post_is_not_redirected);
    tcase_add_test(tc, redirects_elsewhere_are_refused);
    tcase_add_test(tc, roots_are_not_shared);
    tcase_add_test(tc, roots_may_go);
    return suite;
}
