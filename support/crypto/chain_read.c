/*
 * Read chains as CAs send them: strictly, and bounded. Every byte of them
 * was written by a stranger.
 */
#include <openssl/err.h>

#include <apr_strings.h>

#include "crypto/internal.h"

/* Longest label of a foreign block that is worth showing. */
#define LABEL_MAX 40

static const char block_begin[] = "-----BEGIN CERTIFICATE-----";
static const char block_end[] = "-----END CERTIFICATE-----";
static const char any_begin[] = "-----BEGIN ";

/* A place in the text; at <= end always. */
typedef struct scan_t {
    const char *start;
    const char *at;
    const char *end;
} scan_t;

/* What stands between the lines of one block. */
typedef struct block_t {
    const char *body;
    apr_size_t len;
} block_t;

static int is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
        || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
}

/* Pass text if it is next, followed by white space or the end. */
static int scan_line(scan_t *scan, const char *text)
{
    apr_size_t len = strlen(text);
    const char *behind = scan->at + len;

    if ((apr_size_t)(scan->end - scan->at) < len
        || memcmp(scan->at, text, len) != 0
        || (behind < scan->end && !is_white(*behind))) {
        return 0;
    }
    scan->at = behind;
    return 1;
}

static void scan_white(scan_t *scan)
{
    while (scan->at < scan->end && is_white(*scan->at)) {
        scan->at++;
    }
}

/* Say what stands where a CERTIFICATE block should begin. */
static apr_status_t scan_stranger(const scan_t *scan, acme_err_t *err,
                                  apr_pool_t *pool)
{
    apr_size_t left = (apr_size_t)(scan->end - scan->at);
    apr_size_t len = strlen(any_begin);
    const char *label = scan->at + len;
    apr_size_t i;

    if (left <= len || memcmp(scan->at, any_begin, len) != 0) {
        return crypto_fail(err, APR_EINVAL, "the chain holds text beside "
                           "its CERTIFICATE blocks, at byte %" APR_SIZE_T_FMT
                           ": nothing of it is used; report it to the CA",
                           (apr_size_t)(scan->at - scan->start));
    }
    left -= len;
    for (i = 0; i < left && i < LABEL_MAX && label[i] != '-'; i++) {
        continue;
    }
    return crypto_fail(err, APR_EINVAL, "the chain holds a \"%s\" block: "
                       "only CERTIFICATE is allowed (RFC 8555 11.4), nothing "
                       "of it is used; report it to the CA",
                       crypto_printable((const unsigned char *)label, i,
                                        pool));
}

/* The next block. @return APR_EOF behind the last one; APR_EINVAL */
static apr_status_t scan_block(block_t *block, scan_t *scan,
                               acme_err_t *err, apr_pool_t *pool)
{
    scan_white(scan);
    if (scan->at == scan->end) {
        return APR_EOF;
    }
    if (!scan_line(scan, block_begin)) {
        return scan_stranger(scan, err, pool);
    }
    block->body = scan->at;
    while (scan->at < scan->end
           && (is_white(*scan->at) || is_base64(*scan->at))) {
        scan->at++;
    }
    block->len = (apr_size_t)(scan->at - block->body);
    if (!scan_line(scan, block_end)) {
        return crypto_fail(err, APR_EINVAL, "a CERTIFICATE block of the "
                           "chain is broken at byte %" APR_SIZE_T_FMT ": try "
                           "again, then report it to the CA",
                           (apr_size_t)(scan->at - scan->start));
    }
    return APR_SUCCESS;
}

/* A block's bytes. @return their number; -1 if it is no base64 */
static long block_decode(unsigned char **pder, const block_t *block,
                         apr_pool_t *pool)
{
    EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
    long total = -1;
    int rest = 0;
    int len = 0;

    *pder = apr_palloc(pool, block->len + 1);
    if (ctx) {
        EVP_DecodeInit(ctx);
        if (EVP_DecodeUpdate(ctx, *pder, &len,
                             (const unsigned char *)block->body,
                             (int)block->len) >= 0
            && EVP_DecodeFinal(ctx, *pder + len, &rest) >= 0) {
            total = (long)len + rest;
        }
    }
    EVP_ENCODE_CTX_free(ctx);
    return total;
}

static apr_status_t block_cert(crypto_cert_t **pcert, const block_t *block,
                               int number, acme_err_t *err, apr_pool_t *pool)
{
    const unsigned char *end = NULL;
    unsigned char *der;
    X509 *x509 = NULL;
    long len;

    len = block_decode(&der, block, pool);
    if (len > 0) {
        end = der;
        x509 = d2i_X509(NULL, &end, len);
    }
    if (!x509 || end != der + len) {
        X509_free(x509);
        return crypto_fail(err, APR_EINVAL, "CERTIFICATE block %d of the "
                           "chain is no certificate: try again, then report "
                           "it to the CA", number);
    }
    *pcert = crypto_cert_own(x509, pool);
    return APR_SUCCESS;
}

/* All blocks of a text, at least one, at most CRYPTO_CHAIN_CERTS_MAX. */
static apr_status_t scan_chain(apr_array_header_t *certs, scan_t *scan,
                               acme_err_t *err, apr_pool_t *pool)
{
    block_t block = { NULL, 0 };
    crypto_cert_t *cert = NULL;
    apr_status_t rv;

    while ((rv = scan_block(&block, scan, err, pool)) == APR_SUCCESS) {
        if (certs->nelts == CRYPTO_CHAIN_CERTS_MAX) {
            return crypto_fail(err, APR_EINVAL, "the chain has more than %d "
                               "certificates: report it to the CA",
                               CRYPTO_CHAIN_CERTS_MAX);
        }
        rv = block_cert(&cert, &block, certs->nelts + 1, err, pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        APR_ARRAY_PUSH(certs, crypto_cert_t *) = cert;
    }
    if (rv != APR_EOF) {
        return rv;
    }
    if (certs->nelts == 0) {
        return crypto_fail(err, APR_EINVAL, "the chain is empty: try again, "
                           "then report it to the CA");
    }
    return APR_SUCCESS;
}

apr_status_t crypto_chain_read(apr_array_header_t **pcerts, const char *pem,
                               apr_size_t len, acme_err_t *err,
                               apr_pool_t *result_pool)
{
    apr_array_header_t *certs;
    apr_status_t rv;
    scan_t scan;

    ERR_clear_error();
    if (len > CRYPTO_CHAIN_MAX) {
        return crypto_fail(err, APR_EINVAL, "the chain is larger than %d "
                           "bytes: report it to the CA", CRYPTO_CHAIN_MAX);
    }
    scan.start = scan.at = pem;
    scan.end = pem + len;
    certs = apr_array_make(result_pool, 4, sizeof(crypto_cert_t *));
    rv = scan_chain(certs, &scan, err, result_pool);
    if (rv == APR_SUCCESS) {
        *pcerts = certs;
    }
    return rv;
}
