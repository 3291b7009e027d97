/*
 * rig.c: servers of a few lines. Failures here abort.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>

#include <openssl/ssl.h>

#include "crypto/fixture.h"
#include "validator/rig.h"

/* Of the server in this process, while it answers. */
static SSL *ssl;

apr_time_t rig_mono(void)
{
    return base_clock_system()->mono(base_clock_system());
}

/* A socket bound to some port of loopback. */
static int bound(int *pport)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    *pport = ntohs(in.sin_port);
    return fd;
}

int rig_dead_port(void)
{
    int port;

    close(bound(&port));
    return port;
}

static apr_status_t server_end(void *data)
{
    pid_t *pid = data;

    kill(*pid, SIGKILL);
    waitpid(*pid, NULL, 0);
    return APR_SUCCESS;
}

void rig_say(int fd, const char *text)
{
    apr_size_t len = strlen(text);

    if (ssl) {
        SSL_write(ssl, text, (int)len);
    }
    else if (write(fd, text, len) < 0) {
        return;
    }
}

static void answer(int fd, rig_answer_fn *fn, SSL_CTX *ctx)
{
    char request[8192] = "";
    ssize_t n = 0;

    if (ctx) {
        ssl = SSL_new(ctx);
        SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) == 1) {
            n = SSL_read(ssl, request, sizeof(request) - 1);
        }
    }
    else {
        n = read(fd, request, sizeof(request) - 1);
    }
    if (n > 0) {
        request[n] = '\0';
        fn(fd, request);
    }
    if (ssl) {
        SSL_shutdown(ssl);
        SSL_free(ssl);
        ssl = NULL;
    }
    /* What was not read would make the end a reset. */
    shutdown(fd, SHUT_WR);
    close(fd);
}

static int serve(rig_answer_fn *fn, SSL_CTX *ctx, apr_pool_t *pool)
{
    pid_t *pid = apr_palloc(pool, sizeof(*pid));
    int port;
    int fd = bound(&port);

    ck_assert_int_eq(listen(fd, 64), 0);
    *pid = fork();
    if (*pid == 0) {
        signal(SIGPIPE, SIG_IGN);
        for (;;) {
            answer(accept(fd, NULL, NULL), fn, ctx);
        }
    }
    close(fd);
    apr_pool_cleanup_register(pool, pid, server_end, apr_pool_cleanup_null);
    return port;
}

int rig_serve(rig_answer_fn *fn, apr_pool_t *pool)
{
    return serve(fn, NULL, pool);
}

int rig_serve_tls(rig_answer_fn *fn, const char *key_type, apr_pool_t *pool)
{
    fix_spec_t spec = { .cn = "leaf", .san = "DNS:a.example" };
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    int port;

    spec.key = fix_evp(key_type, pool);
    ck_assert(SSL_CTX_use_certificate(ctx, fix_cert(&spec, pool)));
    ck_assert(SSL_CTX_use_PrivateKey(ctx, spec.key));
    port = serve(fn, ctx, pool);
    SSL_CTX_free(ctx);
    return port;
}

static apr_array_header_t *addresses(int port, apr_pool_t *pool)
{
    apr_array_header_t *array = apr_array_make(pool, 1,
                                               sizeof(validator_address_t));

    if (port) {
        validator_address_t *address = apr_array_push(array);

        address->address = "127.0.0.1";
        address->port = port;
    }
    return array;
}

validator_ask_t *rig_ask(int http_port, int https_port, apr_pool_t *pool)
{
    validator_target_t *target = apr_pcalloc(pool, sizeof(*target));
    validator_ask_t *ask = apr_pcalloc(pool, sizeof(*ask));
    acme_err_t err = { 0 };
    crypto_trust_t *trust;

    target->name = "a.example";
    target->http = addresses(http_port, pool);
    target->https = addresses(https_port, pool);
    target->redirect = target->hsts = target->stapling = -1;
    ck_assert_int_eq(crypto_trust_make(&trust, NULL, 0, &err, pool),
                     APR_SUCCESS);
    ask->target = target;
    ask->host = target->name;
    ask->http = sites_make(target->http, 0, pool);
    ask->http_n = target->http->nelts;
    ask->https = sites_make(target->https, 1, pool);
    ask->https_n = target->https->nelts;
    ask->trust = trust;
    ask->timeout = apr_time_from_sec(1);
    ask->until = rig_mono() + apr_time_from_sec(20);
    ask->patience = apr_pcalloc(pool, sizeof(*ask->patience));
    ask->pool = pool;
    return ask;
}
