/*
 * A client of TLS that wants to see what a server shows, good or bad: every
 * version and certificate is taken, and nothing is trusted.
 *
 * The socket does not block; each call ends at its deadline. What a server
 * may send without an end (tickets, updates of keys, empty records) returns
 * here each time, or OpenSSL counts it.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <apr_strings.h>

#include "crypto/internal.h"

/* Signature algorithms; OpenSSL takes none twice. */
#define P256 "ECDSA+SHA256"
#define P384 "ECDSA+SHA384"
#define P521 "ECDSA+SHA512"
#define RSA "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:" \
    "RSA+SHA384:RSA+SHA512:RSA+SHA1"
#define REST "ed25519"

#define CIPHERS "ALL:!aNULL"
#define EC_FIRST "aECDSA:" CIPHERS

struct crypto_tls_t {
    SSL *ssl;
    int fd;
    crypto_tls_info_t info;
};

/* What a kind of key is preferred by: TLS 1.3 goes by the order of signature
 * algorithms, earlier versions by that of ciphers. */
typedef struct preference_t {
    const char *key_type;    /* its beginning */
    const char *sigalgs;
    const char *ciphers;
} preference_t;

static const preference_t preferences[] = {
    { "P-384", P384 ":" P256 ":" P521 ":" RSA ":" REST, EC_FIRST },
    { "P-521", P521 ":" P256 ":" P384 ":" RSA ":" REST, EC_FIRST },
    { "RSA-", RSA ":" P256 ":" P384 ":" P521 ":" REST, "aRSA:" CIPHERS },
    { "", P256 ":" P384 ":" P521 ":" RSA ":" REST, EC_FIRST }
};

static const preference_t *preference_find(const char *key_type)
{
    const preference_t *preference = preferences;

    while (strncmp(key_type ? key_type : "", preference->key_type,
                   strlen(preference->key_type)) != 0) {
        preference++;
    }
    return preference;
}

/* ----------------------------------------------------------------- make */

/* The server asks who we are: nobody. Source: SSL_CTX_set_client_cert_cb. */
static int on_ask(SSL *ssl, X509 **px509, EVP_PKEY **pkey)
{
    crypto_tls_t *tls = SSL_get_app_data(ssl);

    (void)px509;
    (void)pkey;
    tls->info.asks = 1;
    return 0;
}

static int context_setup(SSL_CTX *ctx, const crypto_tls_options_t *options)
{
    const preference_t *preference = preference_find(options->key_type);

    /* We look; whether it is secure is judged later. */
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_client_cert_cb(ctx, on_ask);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION
                             | SSL_OP_NO_RENEGOTIATION);
    return SSL_CTX_set_cipher_list(ctx, preference->ciphers)
        && SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION)
        && SSL_CTX_set_max_proto_version(ctx, options->old ? TLS1_1_VERSION
                                                           : 0)
        && (options->old
            || SSL_CTX_set1_sigalgs_list(ctx, preference->sigalgs))
        && SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp);
}

/* RFC 7301 3.1: the length stands before each protocol. */
static int alpn_setup(SSL *ssl, const char *alpn)
{
    unsigned char list[256];
    size_t len = alpn ? strlen(alpn) : 0;

    if (len == 0 || len >= sizeof(list)) {
        return len == 0;
    }
    list[0] = (unsigned char)len;
    memcpy(list + 1, alpn, len);
    return SSL_set_alpn_protos(ssl, list, (unsigned int)len + 1) == 0;
}

static apr_status_t ssl_free(void *baton)
{
    SSL_free(baton);
    return APR_SUCCESS;
}

static SSL *ssl_make(int fd, const crypto_tls_options_t *options,
                     apr_pool_t *pool)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = NULL;

    if (ctx && context_setup(ctx, options)) {
        ssl = SSL_new(ctx);
    }
    SSL_CTX_free(ctx);
    if (!ssl) {
        return NULL;
    }
    apr_pool_cleanup_register(pool, ssl, ssl_free, apr_pool_cleanup_null);
    return SSL_set_fd(ssl, fd) && alpn_setup(ssl, options->alpn)
           && (!options->name || SSL_set_tlsext_host_name(ssl, options->name))
           ? ssl : NULL;
}

/* ----------------------------------------------------------------- wait */

static apr_status_t closed(const char *what, acme_err_t *err)
{
    ERR_clear_error();
    return crypto_fail(err, APR_EOF, "the server closed the connection "
                       "during %s", what);
}

static apr_status_t failed(const char *what, int error, acme_err_t *err)
{
    unsigned long code = ERR_peek_error();
    char buf[128];

    if (code == 0 && error != 0 && error != EPIPE && error != ECONNRESET) {
        return crypto_fail(err, APR_FROM_OS_ERROR(error), "%s failed: %s",
                           what, base_strerror(APR_FROM_OS_ERROR(error), buf,
                                               sizeof(buf)));
    }
    if (code == 0 || ERR_GET_REASON(code)
                     == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        return closed(what, err);
    }
    return crypto_fail(err, ERR_GET_REASON(code) == SSL_R_NO_PROTOCOLS_AVAILABLE
                            ? APR_ENOTIMPL : APR_EGENERAL,
                       "%s failed", what);
}

/* A call of OpenSSL gave rc: wait for what it wants.
 * @return APR_SUCCESS when it may be tried again */
static apr_status_t again(crypto_tls_t *tls, int rc, apr_time_t until,
                          const char *what, acme_err_t *err)
{
    int error = errno;
    int why = SSL_get_error(tls->ssl, rc);
    apr_status_t rv;

    if (why == SSL_ERROR_ZERO_RETURN) {
        return closed(what, err);
    }
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
        return failed(what, why == SSL_ERROR_SYSCALL ? error : 0, err);
    }
    rv = base_fd_wait(tls->fd, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT,
                      until);
    return rv == APR_SUCCESS ? rv
        : crypto_fail(err, rv, "%s did not end in time", what);
}

/* ----------------------------------------------------------------- info */

static apr_status_t chain_take(crypto_tls_t *tls, acme_err_t *err,
                               apr_pool_t *pool)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(tls->ssl);
    int i, n = chain ? sk_X509_num(chain) : 0;

    if (n < 1 || n > CRYPTO_CHAIN_CERTS_MAX) {
        return crypto_fail(err, APR_EGENERAL, "the server shows %d "
                           "certificates; 1 to %d are allowed", n,
                           CRYPTO_CHAIN_CERTS_MAX);
    }
    tls->info.certs = apr_array_make(pool, n, sizeof(crypto_cert_t *));
    for (i = 0; i < n; i++) {
        X509 *x509 = sk_X509_value(chain, i);

        X509_up_ref(x509);
        APR_ARRAY_PUSH(tls->info.certs, crypto_cert_t *) =
            crypto_cert_own(x509, pool);
    }
    return APR_SUCCESS;
}

static apr_status_t info_take(crypto_tls_t *tls, acme_err_t *err,
                              apr_pool_t *pool)
{
    crypto_tls_info_t *info = &tls->info;
    const unsigned char *alpn;
    unsigned char *staple;
    unsigned int alpn_len;
    long len;

    info->version = SSL_get_version(tls->ssl);
    info->modern = SSL_version(tls->ssl) >= TLS1_2_VERSION;
    info->cipher = SSL_get_cipher_name(tls->ssl);
    SSL_get0_alpn_selected(tls->ssl, &alpn, &alpn_len);
    if (alpn_len > 0) {
        info->alpn = crypto_printable(alpn, alpn_len, pool);
    }
    len = SSL_get_tlsext_status_ocsp_resp(tls->ssl, &staple);
    if (len > 0 && len <= CRYPTO_OCSP_MAX) {
        info->staple = apr_pmemdup(pool, staple, (apr_size_t)len);
        info->staple_len = (apr_size_t)len;
    }
    return chain_take(tls, err, pool);
}

/* ---------------------------------------------------------------- calls */

apr_status_t crypto_tls_open(crypto_tls_t **ptls, int fd,
                             const crypto_tls_options_t *options,
                             acme_err_t *err, apr_pool_t *result_pool)
{
    crypto_tls_t *tls = apr_pcalloc(result_pool, sizeof(*tls));
    apr_status_t rv = APR_SUCCESS;
    int rc;

    ERR_clear_error();
    tls->fd = fd;
    tls->ssl = ssl_make(fd, options, result_pool);
    *ptls = tls->ssl ? tls : NULL;
    if (!tls->ssl) {
        return crypto_fail(err, APR_ENOTIMPL, "this OpenSSL cannot begin "
                           "such a TLS handshake");
    }
    SSL_set_app_data(tls->ssl, tls);
    while (rv == APR_SUCCESS && (rc = SSL_connect(tls->ssl)) != 1) {
        rv = again(tls, rc, options->until, "the TLS handshake", err);
    }
    if (rv == APR_SUCCESS) {
        rv = info_take(tls, err, result_pool);
    }
    ERR_clear_error();
    return rv;
}

const crypto_tls_info_t *crypto_tls_info(const crypto_tls_t *tls)
{
    return &tls->info;
}

apr_status_t crypto_tls_write(crypto_tls_t *tls, const void *data,
                              apr_size_t len, apr_time_t until,
                              acme_err_t *err)
{
    apr_status_t rv = APR_SUCCESS;
    size_t sent;
    int rc;

    ERR_clear_error();
    /* Without partial writes all goes at once or has to be tried again. */
    while (rv == APR_SUCCESS
           && (rc = SSL_write_ex(tls->ssl, data, len, &sent)) != 1) {
        rv = again(tls, rc, until, "the request", err);
    }
    return rv;
}

apr_status_t crypto_tls_read(crypto_tls_t *tls, char *buf, apr_size_t *plen,
                             apr_time_t until, acme_err_t *err)
{
    apr_size_t size = *plen;
    apr_status_t rv = APR_SUCCESS;
    int rc;

    *plen = 0;
    ERR_clear_error();
    while (rv == APR_SUCCESS
           && (rc = SSL_read_ex(tls->ssl, buf, size, plen)) != 1) {
        rv = again(tls, rc, until, "the reply", err);
    }
    return rv;
}

void crypto_tls_close(crypto_tls_t *tls)
{
    SSL_shutdown(tls->ssl);
    ERR_clear_error();
}
