/*
 * tls_load: many clients of one https host, as fast as they can: connect, a
 * full handshake, GET /, read to the end, again.
 *
 *   tls_load -p PORT -n NAME [-v 1.2|1.3] [-t THREADS] [-c CONNECTIONS]
 *            [-s SECONDS] [-w MS] [-r ROOTS]
 *
 * -w: each client waits so long between two connections. -r: file of roots;
 * the chain is checked. Ends after so many connections or seconds, or by
 * SIGTERM. Prints:
 *
 *   connections 1234           that got "200" and the whole page
 *   failed 0                   the rest; the first few reasons on stderr
 *   seconds 2.345
 *   longest 12.3 1764025200.1  ms from connect to the last byte of the
 *                              slowest one, and when it began
 *   median 1.2                 ms
 *   certificate SERIAL FIRST LAST COUNT     each leaf that was served: of
 *                              the connections that got it, when the first
 *                              and the last one began, seconds
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#define THREADS_MAX 64
#define LEAVES_MAX  4096
#define TIMES_MAX   200000
#define SERIAL_MAX  64
#define REASONS     3
#define PATIENCE    30           /* seconds for a read or a write */

typedef struct leaf_t {
    char serial[SERIAL_MAX];
    double first;
    double last;
    unsigned long count;
} leaf_t;

/* What is asked for. */
static struct sockaddr_in address;
static const char *name = "localhost";
static const char *roots;
static int version;              /* 0: any */
static long wait_ms;
static unsigned long wanted = 1000000000;
static double until = 1e18;

/* What came of it; under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long begun, good, failed;
static double longest, longest_at;
static float times[TIMES_MAX];   /* ms, of the first so many */
static leaf_t leaves[LEAVES_MAX];
static int leaf_count;
static volatile sig_atomic_t ended;

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void end(int sig)
{
    ended = 1;
}

/* ---------------------------------------------------------------- counting */

/* 1 if there is one more connection to make. */
static int take_turn(void)
{
    int more;

    pthread_mutex_lock(&lock);
    more = !ended && begun < wanted && now() < until;
    begun += more;
    pthread_mutex_unlock(&lock);
    return more;
}

/* Under the lock: note which certificate was served. */
static void leaf_note(const char *serial, double start)
{
    int i = leaf_count - 1;

    while (i >= 0 && strcmp(leaves[i].serial, serial)) {
        i--;
    }
    if (i < 0) {
        if (leaf_count == LEAVES_MAX) {
            return;
        }
        i = leaf_count++;
        memcpy(leaves[i].serial, serial, SERIAL_MAX);
        leaves[i].first = leaves[i].last = start;
    }
    if (start < leaves[i].first) {
        leaves[i].first = start;
    }
    if (start > leaves[i].last) {
        leaves[i].last = start;
    }
    leaves[i].count++;
}

static void count(const char *fault, const char *serial, double start)
{
    double ms = (now() - start) * 1000;

    pthread_mutex_lock(&lock);
    if (fault) {
        if (failed++ < REASONS) {
            fprintf(stderr, "tls_load: %s: %s\n", fault, strerror(errno));
            ERR_print_errors_fp(stderr);
        }
    }
    else {
        if (good < TIMES_MAX) {
            times[good] = (float)ms;
        }
        good++;
        leaf_note(serial, start);
    }
    if (ms > longest) {
        longest = ms;
        longest_at = start;
    }
    pthread_mutex_unlock(&lock);
}

/* ----------------------------------------------------------------- clients */

static int connection_open(void)
{
    struct timeval patience = { PATIENCE, 0 };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1) {
        close(fd);
        return -1;
    }
    return fd;
}

static void serial_read(char *serial, const SSL *ssl)
{
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(leaf), NULL);
    char *hex = BN_bn2hex(number);

    snprintf(serial, SERIAL_MAX, "%s", hex);
    OPENSSL_free(hex);
    BN_free(number);
}

/* GET / and everything until httpd says that it was all. */
static const char *page_get(SSL *ssl)
{
    char buf[4096];
    int n, got = 0;

    n = snprintf(buf, sizeof(buf), "GET / HTTP/1.1\r\nHost: %s\r\n"
                 "Connection: close\r\n\r\n", name);
    if (SSL_write(ssl, buf, n) != n) {
        return "write";
    }
    while ((n = SSL_read(ssl, buf + got, (int)sizeof(buf) - got)) > 0) {
        /* The head is what counts; of longer pages the rest is dropped. */
        got = got + n < 1024 ? got + n : 1024;
    }
    if (SSL_get_error(ssl, n) != SSL_ERROR_ZERO_RETURN) {
        return "the answer was cut off";
    }
    return got > 12 && !memcmp(buf, "HTTP/1.1 200", 12) ? NULL : "status";
}

static const char *converse(SSL *ssl, char *serial)
{
    const char *fault = "handshake";

    if (SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_connect(ssl) == 1) {
        serial_read(serial, ssl);
        fault = page_get(ssl);
    }
    if (!fault) {
        SSL_shutdown(ssl);
    }
    return fault;
}

/* One connection from its begin to its end. */
static void client_once(SSL_CTX *ctx)
{
    char serial[SERIAL_MAX] = "";
    const char *fault = "connect";
    double start = now();
    SSL *ssl = SSL_new(ctx);
    int fd;

    errno = 0;
    fd = connection_open();
    if (ssl && fd != -1 && SSL_set_fd(ssl, fd) == 1) {
        fault = converse(ssl, serial);
    }
    count(fault, serial, start);
    SSL_free(ssl);
    if (fd != -1) {
        close(fd);
    }
    ERR_clear_error();
}

static SSL_CTX *context_make(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx) {
        return NULL;
    }
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    if (roots) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        if (SSL_CTX_load_verify_locations(ctx, roots, NULL) != 1) {
            SSL_CTX_free(ctx);
            return NULL;
        }
    }
    return ctx;
}

static void *client(void *unused)
{
    SSL_CTX *ctx = context_make();

    if (!ctx) {
        count("cannot set up TLS", "", now());
        return NULL;
    }
    while (take_turn()) {
        client_once(ctx);
        if (wait_ms) {
            usleep((useconds_t)wait_ms * 1000);
        }
    }
    SSL_CTX_free(ctx);
    return NULL;
}

/* --------------------------------------------------------------------- all */

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void print(double seconds)
{
    size_t n = good < TIMES_MAX ? good : TIMES_MAX;
    int i;

    qsort(times, n, sizeof(*times), compare);
    printf("connections %lu\nfailed %lu\nseconds %.3f\n", good, failed,
           seconds);
    printf("longest %.2f %.3f\nmedian %.2f\n", longest, longest_at,
           n ? (double)times[n / 2] : 0.0);
    for (i = 0; i < leaf_count; i++) {
        printf("certificate %s %.4f %.4f %lu\n", leaves[i].serial,
               leaves[i].first, leaves[i].last, leaves[i].count);
    }
}

/* @return the number of threads; 0: usage */
static long options(int argc, char **argv)
{
    long threads = 4;
    int c;

    while ((c = getopt(argc, argv, "p:n:v:t:c:s:w:r:")) != -1) {
        switch (c) {
        case 'p': address.sin_port = htons((uint16_t)strtol(optarg, NULL, 10));
                  break;
        case 'n': name = optarg; break;
        case 'v': version = strcmp(optarg, "1.2") ? TLS1_3_VERSION
                                                  : TLS1_2_VERSION;
                  break;
        case 't': threads = strtol(optarg, NULL, 10); break;
        case 'c': wanted = strtoul(optarg, NULL, 10); break;
        case 's': until = now() + strtod(optarg, NULL); break;
        case 'w': wait_ms = strtol(optarg, NULL, 10); break;
        case 'r': roots = optarg; break;
        default: return 0;
        }
    }
    return address.sin_port && optind == argc && threads > 0
        && threads <= THREADS_MAX ? threads : 0;
}

int main(int argc, char **argv)
{
    pthread_t thread[THREADS_MAX];
    double start = now();
    long i, threads, running = 0;

    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    threads = options(argc, argv);
    if (!threads) {
        fprintf(stderr, "usage: tls_load -p PORT -n NAME [-v 1.2|1.3] "
                "[-t THREADS] [-c CONNECTIONS] [-s SECONDS] [-w MS] "
                "[-r ROOTS]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, end);
    for (i = 0; i < threads; i++) {
        running += !pthread_create(&thread[running], NULL, client, NULL);
    }
    for (i = 0; i < running; i++) {
        pthread_join(thread[i], NULL);
    }
    print(now() - start);
    return running == threads ? 0 : 1;
}
