/*
 * tls.c: what a server shows, and how servers fail. The server is OpenSSL's
 * own (or a few bytes) in a child, at the other end of a pair of sockets.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <apr_strings.h>

#include "unit.h"
#include "fixture.h"

#define SECOND apr_time_from_sec(1)

/* What the server is like; all zero is a good one with a P-256 key. */
typedef struct server_t {
    int min;                     /* lowest and highest version; 0: any */
    int max;
    int copies;                  /* that many more certificates */
    int rsa;                     /* 1: a second, RSA certificate */
    const char *staple;          /* what it staples */
    apr_size_t staple_len;
    const char *alpn;            /* the protocol it takes */
    const char *reply;           /* what it sends when it was asked */
    int flood;                   /* 1: it sends it for ever */
    const char *raw;             /* no TLS: it sends this and */
    int raw_len;
    int stays;                   /* 1: ... keeps the connection */
    int drips;                   /* 1: ... one byte every 5 ms */
} server_t;

static fix_spec_t ca;
static X509 *ca_cert;
static pid_t child;
static int fd;

static apr_time_t mono(void)
{
    return base_clock_system()->mono(base_clock_system());
}

/* --------------------------------------------------------------- server */

static int use_cert(SSL_CTX *ctx, const char *key_type, int copies)
{
    fix_spec_t leaf = { .cn = "leaf", .san = "DNS:a.example" };
    int i;

    leaf.key = fix_evp(key_type, pool);
    leaf.issuer = ca_cert;
    leaf.issuer_key = ca.key;
    ck_assert(SSL_CTX_use_certificate(ctx, fix_cert(&leaf, pool)));
    ck_assert(SSL_CTX_use_PrivateKey(ctx, leaf.key));
    for (i = 0; i < copies; i++) {
        ck_assert(SSL_CTX_add1_chain_cert(ctx, ca_cert));
    }
    return 1;
}

static int staple_cb(SSL *ssl, void *arg)
{
    const server_t *server = arg;
    unsigned char *copy = OPENSSL_memdup(server->staple, server->staple_len);

    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)server->staple_len);
    return SSL_TLSEXT_ERR_OK;
}

static int alpn_cb(SSL *ssl, const unsigned char **out, unsigned char *outlen,
                   const unsigned char *in, unsigned int inlen, void *arg)
{
    const char *alpn = arg;

    (void)ssl;
    if (inlen != strlen(alpn) + 1 || memcmp(in + 1, alpn, inlen - 1) != 0) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    *out = in + 1;
    *outlen = (unsigned char)(inlen - 1);
    return SSL_TLSEXT_ERR_OK;
}

static void serve_tls(int sock, server_t *server)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    char buf[1000];
    SSL *ssl;

    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, server->min);
    SSL_CTX_set_max_proto_version(ctx, server->max);
    use_cert(ctx, "P-256", server->copies);
    if (server->rsa) {
        use_cert(ctx, "RSA", server->copies);
    }
    if (server->staple) {
        SSL_CTX_set_tlsext_status_cb(ctx, staple_cb);
        SSL_CTX_set_tlsext_status_arg(ctx, server);
    }
    if (server->alpn) {
        SSL_CTX_set_alpn_select_cb(ctx, alpn_cb, (void *)server->alpn);
    }
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, sock);
    if (SSL_accept(ssl) != 1 || SSL_read(ssl, buf, sizeof(buf)) <= 0) {
        return;
    }
    if (strncmp(buf, "sni", 3) == 0) {
        const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

        SSL_write(ssl, name ? name : "-", (int)strlen(name ? name : "-"));
    }
    while (server->reply
           && SSL_write(ssl, server->reply, (int)strlen(server->reply)) > 0
           && server->flood) {
        continue;
    }
    SSL_shutdown(ssl);
}

static void serve_raw(int sock, const server_t *server)
{
    char rest[1000];
    int i;

    for (i = 0; i < server->raw_len; i++) {
        if (server->drips) {
            usleep(5000);
        }
        if (write(sock, server->raw + i, 1) != 1) {
            return;
        }
    }
    while (server->stays) {
        pause();
    }
    /* What was not read would make the end a reset. */
    shutdown(sock, SHUT_WR);
    while (read(sock, rest, sizeof(rest)) > 0) {
        continue;
    }
}

/* Start a server; fd is the client's end. */
static void serve(server_t *server)
{
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    child = fork();
    if (child == 0) {
        close(fds[0]);
        if (server->raw) {
            serve_raw(fds[1], server);
        }
        else {
            serve_tls(fds[1], server);
        }
        _exit(0);
    }
    close(fds[1]);
    fd = fds[0];
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void serve_end(void)
{
    if (child > 0) {
        close(fd);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        child = 0;
    }
}

static void tls_setup(void)
{
    memset(&ca, 0, sizeof(ca));
    ca.cn = "root";
    ca.ca = 1;
    ca.key = fix_evp("P-256", pool);
    ca_cert = fix_cert(&ca, pool);
    child = 0;
    signal(SIGPIPE, SIG_IGN);
}

/* Shake hands with a server of that kind. */
static apr_status_t greet(crypto_tls_t **ptls, server_t *server,
                          crypto_tls_options_t *options,
                          apr_interval_time_t within)
{
    apr_status_t rv;

    serve_end();
    base_err_clear(&err);
    serve(server);
    options->until = mono() + within;
    rv = crypto_tls_open(ptls, fd, options, &err, pool);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return rv;
}

static const crypto_tls_info_t *met(server_t *server,
                                    crypto_tls_options_t *options)
{
    crypto_tls_t *tls = NULL;

    unit_ok(greet(&tls, server, options, 20 * SECOND));
    return crypto_tls_info(tls);
}

static const char *key_type(const crypto_tls_info_t *info)
{
    crypto_cert_info_t cert;

    unit_ok(crypto_cert_info(&cert, APR_ARRAY_IDX(info->certs, 0,
                                                  crypto_cert_t *),
                             &err, pool));
    return cert.key_type;
}

/* ------------------------------------------------------------- handshake */

/* Version, cipher and chain are told as they were. */
START_TEST(shows)
{
    server_t server = { .copies = 2 };
    crypto_tls_options_t options = { .name = "a.example" };
    const crypto_tls_info_t *info = met(&server, &options);

    ck_assert_str_eq(info->version, "TLSv1.3");
    ck_assert_int_eq(info->modern, 1);
    ck_assert_str_eq(info->cipher, "TLS_AES_256_GCM_SHA384");
    ck_assert_int_eq(info->certs->nelts, 3);
    ck_assert_str_eq(key_type(info), "P-256");
    ck_assert_ptr_null(info->alpn);
    ck_assert_ptr_null(info->staple);
    server.max = TLS1_2_VERSION;
    info = met(&server, &options);
    ck_assert_str_eq(info->version, "TLSv1.2");
    ck_assert_int_eq(info->modern, 1);
}
END_TEST

/* A server that speaks nothing but old versions is met, too. */
START_TEST(old_server)
{
    server_t server = { .min = TLS1_VERSION, .max = TLS1_1_VERSION };
    crypto_tls_options_t options = { 0 };
    const crypto_tls_info_t *info = met(&server, &options);

    ck_assert_str_eq(info->version, "TLSv1.1");
    ck_assert_int_eq(info->modern, 0);
}
END_TEST

/* The old versions can be offered alone: some take them, others do not. */
START_TEST(old_offer)
{
    server_t lax = { .min = TLS1_VERSION };
    server_t strict = { .min = TLS1_2_VERSION };
    crypto_tls_options_t options = { .old = 1 };
    crypto_tls_t *tls;

    ck_assert_int_eq(met(&lax, &options)->modern, 0);
    unit_fails(greet(&tls, &strict, &options, 20 * SECOND), APR_EGENERAL,
               "the TLS handshake failed");
}
END_TEST

/* The name asked for arrives, and none where none is given. */
START_TEST(server_name)
{
    server_t server = { 0 };
    crypto_tls_options_t options = { .name = "a.example" };
    crypto_tls_t *tls;
    char buf[100];
    apr_size_t len = sizeof(buf);

    unit_ok(greet(&tls, &server, &options, 20 * SECOND));
    unit_ok(crypto_tls_write(tls, "sni", 3, mono() + SECOND, &err));
    unit_ok(crypto_tls_read(tls, buf, &len, mono() + SECOND, &err));
    ck_assert_uint_eq(len, 9);
    ck_assert(memcmp(buf, "a.example", 9) == 0);
    options.name = NULL;
    unit_ok(greet(&tls, &server, &options, 20 * SECOND));
    unit_ok(crypto_tls_write(tls, "sni", 3, mono() + SECOND, &err));
    len = sizeof(buf);
    unit_ok(crypto_tls_read(tls, buf, &len, mono() + SECOND, &err));
    ck_assert_uint_eq(len, 1);
}
END_TEST

/* A protocol is agreed on, or it is not. */
START_TEST(alpn)
{
    server_t server = { .alpn = "http/1.1" };
    crypto_tls_options_t options = { .alpn = "http/1.1" };

    ck_assert_str_eq(met(&server, &options)->alpn, "http/1.1");
    server.alpn = "h2";
    ck_assert_ptr_null(met(&server, &options)->alpn);
}
END_TEST

/* Of two certificates that of the wanted key is shown, whatever the
 * version. */
START_TEST(preference)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    crypto_tls_options_t options = { 0 };
    apr_size_t i;

    for (i = 0; i < 2; i++) {
        server_t server = { .rsa = 1, .min = versions[i],
                            .max = versions[i] };

        options.key_type = "RSA-2048";
        ck_assert_str_eq(key_type(met(&server, &options)), "RSA-2048");
        options.key_type = "P-256";
        ck_assert_str_eq(key_type(met(&server, &options)), "P-256");
        /* What the server lacks keeps nobody from meeting it. */
        options.key_type = "P-521";
        ck_assert_ptr_nonnull(met(&server, &options)->certs);
        server.rsa = 0;
        options.key_type = "RSA-4096";
        ck_assert_str_eq(key_type(met(&server, &options)), "P-256");
    }
}
END_TEST

/* A stapled response is handed over as it came; one too large is none. */
START_TEST(staple)
{
    server_t server = { .staple = "not DER", .staple_len = 7 };
    crypto_tls_options_t options = { 0 };
    const crypto_tls_info_t *info = met(&server, &options);

    ck_assert_uint_eq(info->staple_len, 7);
    ck_assert(memcmp(info->staple, "not DER", 7) == 0);
    server.staple = apr_pcalloc(pool, CRYPTO_OCSP_MAX + 1);
    server.staple_len = CRYPTO_OCSP_MAX + 1;
    ck_assert_ptr_null(met(&server, &options)->staple);
}
END_TEST

/* ----------------------------------------------------------- evil servers */

/* A server that accepts and says nothing, or hardly anything, costs its time
 * and no more. */
START_TEST(silence)
{
    /* The head of a record of 16 KiB, and a bit of it. */
    static const char drip[16384] = { 22, 3, 3, 64, 0, 2 };
    server_t silent = { .raw = "", .stays = 1 };
    server_t slow = { .raw = drip, .raw_len = sizeof(drip), .drips = 1 };
    crypto_tls_options_t options = { 0 };
    apr_time_t began = mono();
    crypto_tls_t *tls;

    unit_fails(greet(&tls, &silent, &options, 100000), APR_TIMEUP,
               "the TLS handshake did not end in time");
    unit_fails(greet(&tls, &slow, &options, 100000), APR_TIMEUP,
               "the TLS handshake did not end in time");
    ck_assert_int_lt(mono() - began, 2 * SECOND);
}
END_TEST

/* A server that closes at once, or speaks no TLS, is told so. */
START_TEST(no_tls)
{
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    server_t closes = { .raw = "" };
    server_t plain = { .raw = http, .raw_len = sizeof(http) - 1 };
    crypto_tls_options_t options = { 0 };
    crypto_tls_t *tls;

    unit_fails(greet(&tls, &closes, &options, 20 * SECOND), APR_EOF,
               "the server closed the connection during the TLS handshake");
    unit_fails(greet(&tls, &plain, &options, 20 * SECOND), APR_EGENERAL,
               "the TLS handshake failed (OpenSSL: wrong version number)");
}
END_TEST

/* Any garbage ends a handshake with a sentence. */
START_TEST(garbage)
{
    crypto_tls_options_t options = { 0 };
    char bytes[400];
    crypto_tls_t *tls;
    unsigned int seed, i;

    for (seed = 1; seed < 60; seed++) {
        server_t server = { .raw = bytes, .raw_len = sizeof(bytes) };

        for (i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (char)rand_r(&seed);
        }
        /* Every other one begins like a record of a handshake. */
        if (seed % 2) {
            memcpy(bytes, "\x16\x03\x03\x01\x00\x02\x00\x00\xfc", 9);
        }
        ck_assert_int_ne(greet(&tls, &server, &options, 20 * SECOND),
                         APR_SUCCESS);
        ck_assert_int_ne(err.message[0], '\0');
    }
}
END_TEST

/* Ten certificates are a chain, more are a flood. */
START_TEST(flood_of_certificates)
{
    server_t server = { .copies = CRYPTO_CHAIN_CERTS_MAX - 1 };
    crypto_tls_options_t options = { 0 };
    crypto_tls_t *tls;

    ck_assert_int_eq(met(&server, &options)->certs->nelts,
                     CRYPTO_CHAIN_CERTS_MAX);
    server.copies++;
    unit_fails(greet(&tls, &server, &options, 20 * SECOND), APR_EGENERAL,
               "the server shows 11 certificates; 1 to 10 are allowed");
    server.copies = 2000;
    unit_fails(greet(&tls, &server, &options, 20 * SECOND), APR_EGENERAL,
               "the TLS handshake failed");
}
END_TEST

/* ---------------------------------------------------------------- talking */

/* A request and its reply, and the end of it. */
START_TEST(talk)
{
    server_t server = { .reply = "hello" };
    crypto_tls_options_t options = { 0 };
    crypto_tls_t *tls;
    char buf[100];
    apr_size_t len = sizeof(buf);

    unit_ok(greet(&tls, &server, &options, 20 * SECOND));
    unit_ok(crypto_tls_write(tls, "GET", 3, mono() + SECOND, &err));
    unit_ok(crypto_tls_read(tls, buf, &len, mono() + SECOND, &err));
    ck_assert_uint_eq(len, 5);
    ck_assert(memcmp(buf, "hello", 5) == 0);
    len = sizeof(buf);
    unit_fails(crypto_tls_read(tls, buf, &len, mono() + SECOND, &err),
               APR_EOF, "the server closed the connection during the reply");
    crypto_tls_close(tls);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* A server that has no answer costs its time; one that floods is read piece
 * by piece. */
START_TEST(no_reply)
{
    server_t server = { 0 };
    server_t floods = { .reply = "0123456789", .flood = 1 };
    crypto_tls_options_t options = { 0 };
    crypto_tls_t *tls;
    char buf[100];
    apr_size_t len = sizeof(buf);
    int i;

    unit_ok(greet(&tls, &server, &options, 20 * SECOND));
    unit_fails(crypto_tls_read(tls, buf, &len, mono() + 50000, &err),
               APR_TIMEUP, "the reply did not end in time");
    unit_ok(greet(&tls, &floods, &options, 20 * SECOND));
    unit_ok(crypto_tls_write(tls, "GET", 3, mono() + SECOND, &err));
    for (i = 0; i < 10; i++) {
        len = sizeof(buf);
        unit_ok(crypto_tls_read(tls, buf, &len, mono() + SECOND, &err));
        ck_assert_uint_gt(len, 0);
    }
}
END_TEST

/* A server that does not read is not written to for ever. */
START_TEST(unread_request)
{
    static const char much[4 * 1024 * 1024] = "x";
    server_t server = { .reply = "0123456789", .flood = 1 };
    crypto_tls_options_t options = { 0 };
    crypto_tls_t *tls;

    unit_ok(greet(&tls, &server, &options, 20 * SECOND));
    unit_fails(crypto_tls_write(tls, much, sizeof(much), mono() + 100000,
                                &err),
               APR_TIMEUP, "the request did not end in time");
}
END_TEST

Suite *tls_suite(void);
Suite *tls_suite(void)
{
    Suite *suite = suite_create("tls");
    TCase *tc = unit_case(suite, "tls");

    tcase_add_checked_fixture(tc, tls_setup, serve_end);
    tcase_add_test(tc, shows);
    tcase_add_test(tc, old_server);
    tcase_add_test(tc, old_offer);
    tcase_add_test(tc, server_name);
    tcase_add_test(tc, alpn);
    tcase_add_test(tc, preference);
    tcase_add_test(tc, staple);
    tcase_add_test(tc, silence);
    tcase_add_test(tc, no_tls);
    tcase_add_test(tc, garbage);
    tcase_add_test(tc, flood_of_certificates);
    tcase_add_test(tc, talk);
    tcase_add_test(tc, no_reply);
    tcase_add_test(tc, unread_request);
    return suite;
}
