/*
 * rig.c: the server's side forks once per server and once per connection,
 * so that a handler may simply block.
 */
#include "http/rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <apr_strings.h>

#include "unit.h"

/* ---------------------------------------------------------- certificate */

typedef struct identity_t {
    EVP_PKEY *key;
    X509 *cert;
} identity_t;

static void identity_make(identity_t *id, const rig_options_t *options)
{
    const char *san = options->san ? options->san : "IP:127.0.0.1";
    long days = options->days ? options->days : 1;
    X509_EXTENSION *extension;
    X509_NAME *name;

    id->key = EVP_EC_gen("P-256");
    id->cert = X509_new();
    ck_assert(id->key != NULL && id->cert != NULL);
    X509_set_version(id->cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(id->cert), getpid());
    X509_gmtime_adj(X509_getm_notBefore(id->cert), -30L * 86400);
    X509_gmtime_adj(X509_getm_notAfter(id->cert), days * 86400);
    name = X509_get_subject_name(id->cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"unit test", -1, -1, 0);
    X509_set_issuer_name(id->cert, name);
    X509_set_pubkey(id->cert, id->key);
    extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
    X509_add_ext(id->cert, extension, -1);
    X509_EXTENSION_free(extension);
    ck_assert(X509_sign(id->cert, id->key, EVP_sha256()) > 0);
}

static const char *identity_pem(const identity_t *id, apr_pool_t *p)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const char *pem;
    char *data;
    long len;

    PEM_write_bio_X509(bio, id->cert);
    len = BIO_get_mem_data(bio, &data);
    pem = apr_pstrmemdup(p, data, (apr_size_t)len);
    BIO_free(bio);
    return pem;
}

static int alpn_h2(SSL *ssl, const unsigned char **out, unsigned char *outlen,
                   const unsigned char *in, unsigned int inlen, void *arg)
{
    static const unsigned char h2[] = "\x02h2";
    unsigned char *chosen;

    if (SSL_select_next_proto(&chosen, outlen, h2, 3, in, inlen)
        != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context_make(const identity_t *id,
                             const rig_options_t *options)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    SSL_CTX_use_certificate(ctx, id->cert);
    SSL_CTX_use_PrivateKey(ctx, id->key);
    if (options->version_max) {
        SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
        SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(ctx, options->version_max);
    }
    if (options->h2) {
        SSL_CTX_set_alpn_select_cb(ctx, alpn_h2, NULL);
    }
    return ctx;
}

/* --------------------------------------------------------------- server */

static int listen_loopback(int *port)
{
    struct sockaddr_in sa;
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&sa, 0, sizeof(sa));
    sa.sin_family = AF_INET;
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    ck_assert_int_eq(listen(fd, 200), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

int rig_closed_port(void)
{
    int port;

    close(listen_loopback(&port));
    return port;
}

/** No process of the rig outlives the test, whatever happens. */
static void die_with_parent(void)
{
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    alarm(60);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
}

static void connection_count(rig_counts_t *counts)
{
    int open = __atomic_add_fetch(&counts->open, 1, __ATOMIC_SEQ_CST);

    __atomic_add_fetch(&counts->connections, 1, __ATOMIC_SEQ_CST);
    if (open > counts->most) {
        counts->most = open;
    }
}

static void connection_serve(rig_conn_t *conn, SSL_CTX *ctx,
                             const rig_options_t *options)
{
    int on = 1;

    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (options->plain) {
        options->serve(conn);
        return;
    }
    conn->ssl = SSL_new(ctx);
    SSL_set_fd(conn->ssl, conn->fd);
    if (SSL_accept(conn->ssl) == 1) {
        options->serve(conn);
        SSL_shutdown(conn->ssl);
    }
}

static void server_loop(int listener, SSL_CTX *ctx,
                        const rig_options_t *options, rig_counts_t *counts)
{
    die_with_parent();
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        rig_conn_t conn;

        memset(&conn, 0, sizeof(conn));
        conn.fd = accept(listener, NULL, NULL);
        if (conn.fd < 0) {
            continue;
        }
        conn.counts = counts;
        conn.reply = options->reply;
        conn.hold = options->hold;
        conn.late_ms = options->late_ms;
        connection_count(counts);
        if (fork() == 0) {
            die_with_parent();
            close(listener);
            connection_serve(&conn, ctx, options);
            __atomic_sub_fetch(&counts->open, 1, __ATOMIC_SEQ_CST);
            _exit(0);
        }
        close(conn.fd);
    }
}

static apr_status_t server_kill(void *data)
{
    rig_server_t *server = data;

    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    munmap(server->counts, sizeof(*server->counts));
    return APR_SUCCESS;
}

rig_server_t *rig_server(const rig_options_t *options, apr_pool_t *p)
{
    rig_server_t *server = apr_pcalloc(p, sizeof(*server));
    identity_t id;
    SSL_CTX *ctx;
    int listener;

    identity_make(&id, options);
    ctx = context_make(&id, options);
    server->pem = identity_pem(&id, p);
    listener = listen_loopback(&server->port);
    server->base = apr_psprintf(p, "https://127.0.0.1:%d", server->port);
    server->counts = mmap(NULL, sizeof(*server->counts),
                          PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(server->counts != MAP_FAILED);
    server->pid = fork();
    if (server->pid == 0) {
        server_loop(listener, ctx, options, server->counts);
    }
    ck_assert_int_gt(server->pid, 0);
    close(listener);
    SSL_CTX_free(ctx);
    X509_free(id.cert);
    EVP_PKEY_free(id.key);
    apr_pool_cleanup_register(p, server, server_kill, apr_pool_cleanup_null);
    return server;
}

/* ----------------------------------------------- what a server can do */

static int read_some(rig_conn_t *conn, char *buf, int size)
{
    int n = conn->ssl ? SSL_read(conn->ssl, buf, size)
                      : (int)read(conn->fd, buf, (size_t)size);

    return n > 0 ? n : 0;
}

/** Exactly size bytes. @return 0 at the end */
static int read_all(rig_conn_t *conn, char *buf, int size)
{
    int have = 0;

    while (have < size) {
        int n = read_some(conn, buf + have, size - have);

        if (!n) {
            return 0;
        }
        have += n;
    }
    return size;
}

/** Length of the body that the head announces. */
static int body_len(const char *head)
{
    const char *line = strstr(head, "\r\nContent-Length: ");

    return line ? (int)strtol(line + 18, NULL, 10) : 0;
}

int rig_read(rig_conn_t *conn, char *buf, int size)
{
    int have = 0;

    for (;;) {
        const char *end;

        buf[have] = '\0';
        end = strstr(buf, "\r\n\r\n");
        if (end && have >= end + 4 - buf + body_len(buf)) {
            __atomic_add_fetch(&conn->counts->requests, 1, __ATOMIC_SEQ_CST);
            return have;
        }
        if (have >= size - 1
            || !read_all(conn, buf + have, 1)) {
            return 0;
        }
        have++;
    }
}

void rig_write(rig_conn_t *conn, const char *data, int len)
{
    if (conn->ssl) {
        SSL_write(conn->ssl, data, len);
    }
    else if (write(conn->fd, data, (size_t)len) != len) {
        _exit(1);
    }
}

void rig_answer(rig_conn_t *conn, const char *body)
{
    char head[100];

    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Type: "
             "text/plain\r\nContent-Length: %d\r\n\r\n", (int)strlen(body));
    rig_write(conn, head, (int)strlen(head));
    rig_write(conn, body, (int)strlen(body));
}

void rig_reset(rig_conn_t *conn)
{
    struct linger now = { 1, 0 };

    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(conn->fd);
    _exit(0);
}

void rig_stall(rig_conn_t *conn)
{
    char buf[256];

    while (read(conn->fd, buf, sizeof(buf)) > 0) {
        continue;
    }
}

void rig_serve_echo(rig_conn_t *conn)
{
    char buf[16384];

    while (rig_read(conn, buf, sizeof(buf))) {
        rig_answer(conn, buf);
    }
}

void rig_serve_reply(rig_conn_t *conn)
{
    char buf[16384];

    while (rig_read(conn, buf, sizeof(buf))) {
        rig_write(conn, conn->reply, (int)strlen(conn->reply));
        if (strstr(conn->reply, "Connection: close")) {
            break;
        }
    }
}

/* --------------------------------------------------------------- HTTP/2 */

enum { H2_DATA = 0, H2_HEADERS = 1, H2_SETTINGS = 4, H2_PING = 6 };
#define H2_END_STREAM 1
#define H2_ACK 1
#define H2_END_HEADERS 4

/** Source: RFC 9113 4.1. */
typedef struct frame_t {
    int len;
    int type;
    int flags;
    unsigned int stream;
    char payload[16384];
} frame_t;

static int frame_read(rig_conn_t *conn, frame_t *frame)
{
    unsigned char head[9];

    if (!read_all(conn, (char *)head, 9)) {
        return 0;
    }
    frame->len = head[0] << 16 | head[1] << 8 | head[2];
    frame->type = head[3];
    frame->flags = head[4];
    frame->stream = (unsigned int)(head[5] & 0x7f) << 24 | head[6] << 16
        | head[7] << 8 | head[8];
    return frame->len <= (int)sizeof(frame->payload)
        && read_all(conn, frame->payload, frame->len) == frame->len;
}

static void frame_write(rig_conn_t *conn, int type, int flags,
                        unsigned int stream, const char *payload, int len)
{
    char out[9 + 64];

    out[0] = 0;
    out[1] = 0;
    out[2] = (char)len;
    out[3] = (char)type;
    out[4] = (char)flags;
    out[5] = (char)(stream >> 24);
    out[6] = (char)(stream >> 16);
    out[7] = (char)(stream >> 8);
    out[8] = (char)stream;
    memcpy(out + 9, payload, (size_t)len);
    rig_write(conn, out, 9 + len);
}

/** ":status: 200" is entry 8 of HPACK's static table (RFC 7541 A), so the
 *  server needs to decode nothing. */
static void stream_answer(rig_conn_t *conn, unsigned int stream)
{
    char body[32];

    usleep((useconds_t)conn->late_ms * 1000);
    snprintf(body, sizeof(body), "stream %u", stream);
    frame_write(conn, H2_HEADERS, H2_END_HEADERS, stream, "\x88", 1);
    frame_write(conn, H2_DATA, H2_END_STREAM, stream, body,
                (int)strlen(body));
}

/** Speak HTTP/2. @param ended  called for each stream that was asked for */
static void h2_speak(rig_conn_t *conn,
                     void (*ended)(rig_conn_t *conn, unsigned int stream))
{
    static frame_t frame;
    char preface[24];

    if (!read_all(conn, preface, sizeof(preface))) {
        return;
    }
    frame_write(conn, H2_SETTINGS, 0, 0, "", 0);
    while (frame_read(conn, &frame)) {
        if (frame.type == H2_SETTINGS && !(frame.flags & H2_ACK)) {
            frame_write(conn, H2_SETTINGS, H2_ACK, 0, "", 0);
        }
        if (frame.type == H2_PING && !(frame.flags & H2_ACK)) {
            frame_write(conn, H2_PING, H2_ACK, 0, frame.payload, 8);
        }
        if ((frame.type == H2_HEADERS || frame.type == H2_DATA)
            && frame.flags & H2_END_STREAM) {
            conn->counts->requests++;
            ended(conn, frame.stream);
        }
    }
}

static void hold_and_answer(rig_conn_t *conn, unsigned int stream)
{
    static unsigned int waiting[256];
    static int n;

    waiting[n++] = stream;
    while (n && conn->counts->requests >= conn->hold) {
        stream_answer(conn, waiting[--n]);
    }
}

void rig_serve_h2(rig_conn_t *conn)
{
    h2_speak(conn, hold_and_answer);
}

static void say_nothing(rig_conn_t *conn, unsigned int stream)
{
    (void)conn;
    (void)stream;
}

void rig_serve_h2_second(rig_conn_t *conn)
{
    h2_speak(conn, conn->counts->connections == 1 ? say_nothing
                                                  : hold_and_answer);
}

/** A frame of len zeros at out. @return how long it is */
static int zeros_frame(char *out, int flags, unsigned int stream, int len)
{
    memset(out, 0, (size_t)(9 + len));
    out[1] = (char)(len >> 8);
    out[2] = (char)len;
    out[3] = H2_DATA;
    out[4] = (char)flags;
    out[8] = (char)stream;
    return 9 + len;
}

/**
 * The answers to streams 3 (17000 bytes) and 5 in two TLS records of one
 * packet, the second of which has the end of 3 and all of 5.
 */
static void burst(rig_conn_t *conn)
{
    static char out[16384];
    /* ":status: 200", "content-length: 17000" (RFC 7541 6.1, 6.2.2) */
    static const char head[] = "\x88\x0f\x0d\x05" "17000";
    int on = 1;
    int off = 0;
    int len;

    setsockopt(conn->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
    frame_write(conn, H2_HEADERS, H2_END_HEADERS, 3, head,
                (int)sizeof(head) - 1);
    rig_write(conn, out, zeros_frame(out, 0, 3, 12000));
    len = zeros_frame(out, H2_END_STREAM, 3, 5000);
    memcpy(out + len, "\0\0\1\1\4\0\0\0\5\x88", 10);
    len += 10;
    len += zeros_frame(out + len, H2_END_STREAM, 5, 5);
    rig_write(conn, out, len);
    setsockopt(conn->fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
}

static void burst_at_three(rig_conn_t *conn, unsigned int stream)
{
    if (conn->counts->requests == 3) {
        burst(conn);
    }
    if (conn->counts->requests > 3) {
        stream_answer(conn, 1);
        stream_answer(conn, stream);
    }
}

void rig_serve_h2_burst(rig_conn_t *conn)
{
    h2_speak(conn, burst_at_three);
}

/* --------------------------------------------------------------- client */

void rig_done(void *baton, const http_response_t *response,
              const acme_err_t *e)
{
    rig_reply_t *reply = baton;

    reply->done++;
    reply->response = response;
    reply->err = *e;
}

http_transport_t *rig_transport(int ms, apr_pool_t *p)
{
    http_transport_t *transport;
    http_options_t options;
    acme_err_t e;

    base_err_clear(&e);
    memset(&options, 0, sizeof(options));
    options.user_agent = "unit/1";
    options.connect_timeout = ms * (apr_interval_time_t)1000;
    options.total_timeout = ms * (apr_interval_time_t)1000;
    ck_assert_int_eq(http_curl_make(&transport, &options,
                                    base_clock_system(), &e, p),
                     APR_SUCCESS);
    return transport;
}

http_request_t rig_request(const rig_server_t *server, const char *path,
                           apr_pool_t *p)
{
    http_request_t request;

    memset(&request, 0, sizeof(request));
    request.method = "GET";
    request.url = apr_pstrcat(p, server->base, path, NULL);
    request.max = 65536;
    request.roots = server->pem;
    return request;
}

void rig_wait(http_transport_t *transport, rig_reply_t *reply)
{
    base_clock_t *clock = base_clock_system();
    apr_time_t until = clock->mono(clock) + 30 * APR_USEC_PER_SEC;
    acme_err_t e;

    base_err_clear(&e);
    while (!reply->done && clock->mono(clock) < until) {
        ck_assert_msg(transport->wait(transport, until, &e) == APR_SUCCESS,
                      "wait: %s", e.message);
    }
    ck_assert_int_eq(reply->done, 1);
}

void rig_send(rig_reply_t *reply, http_transport_t *transport,
              const http_request_t *request, apr_pool_t *p)
{
    acme_err_t e;

    base_err_clear(&e);
    memset(reply, 0, sizeof(*reply));
    ck_assert_msg(transport->submit(transport, request, rig_done, reply, &e,
                                    p) == APR_SUCCESS,
                  "submit: %s", e.message);
    ck_assert_int_eq(reply->done, 0);
    rig_wait(transport, reply);
}

void rig_once(rig_reply_t *reply, const rig_options_t *options, int ms,
              apr_pool_t *p)
{
    rig_server_t *server = rig_server(options, p);
    http_request_t request = rig_request(server, "/", p);

    rig_send(reply, rig_transport(ms, p), &request, p);
}
