/*
 * OCSP stapling for the certificates that are ours: a response about the
 * one that this handshake serves, or none. acmectl fetches and checks them;
 * nobody here asks a responder.
 *
 *   post_config      each certificate that is loaded gets the response that
 *                    lies beside it in the store, as it is nobody knows
 *                    better until acmectl says so
 *   mod_ssl's start  is told that stapling is provided for (prime), so that
 *                    it neither asks a responder itself nor complains
 *   ssl init_server  our status callback takes the place of mod_ssl's
 *   handshake        the response of the slot, else the loaded one, if it
 *                    is about the certificate served and not over
 *
 * mod_ssl's own callback finds a certificate by its hash in a table made at
 * the start and knows nothing of one that came later; it is not even
 * installed for a host that starts with a certificate whose issuer is not
 * in its chain. So this one does not depend on it.
 *
 * Source: RFC 6066 8, RFC 8446 4.4.2.1, RFC 7633.
 */
#include "staple.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <http_core.h>
#include <http_log.h>
#include <http_ssl.h>

#include <apr_strings.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

APLOG_USE_MODULE(acme);

#define STAPLE_NAME "ocsp.der"

/* A response out of the store. Constant. */
struct acme_staple_t {
    apr_time_t expires;          /* its nextUpdate, µs UTC */
    apr_size_t len;              /* bytes */
    unsigned char *der;
};

/* A virtual host whose certificates are ours. Constant in children. */
typedef struct staple_host_t {
    const acme_swap_host_t *swap;
    int wanted;                  /* 1: whatever its certificate says */
} staple_host_t;

/* --------------------------------------------------------------- the store */

/* The whole of a small file in p. @return 0 and errno set if it cannot be */
static apr_size_t file_read(unsigned char **pdata, const char *path,
                            apr_pool_t *p)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    unsigned char data[LIVE_STAPLE_MAX + 1];
    ssize_t n;

    if (fd == -1) {
        return 0;
    }
    n = read(fd, data, sizeof(data));
    close(fd);
    if (n <= 0 || n > LIVE_STAPLE_MAX) {
        errno = n == -1 ? errno : EINVAL;
        return 0;
    }
    *pdata = apr_pmemdup(p, data, (apr_size_t)n);
    return (apr_size_t)n;
}

/* An ASN.1 time as µs UTC; 0: it is absent or malformed. */
static apr_time_t time_of(const ASN1_GENERALIZEDTIME *text)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days, seconds;
    apr_time_t t = 0;

    if (epoch && text && ASN1_TIME_diff(&days, &seconds, epoch, text)) {
        t = apr_time_from_sec((apr_time_t)days * 86400 + seconds);
    }
    ASN1_TIME_free(epoch);
    return t;
}

/* The first nextUpdate of its answers; 0: it is no response. */
static apr_time_t staple_expires(const unsigned char *der, apr_size_t len)
{
    const unsigned char *at = der;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)len);
    OCSP_BASICRESP *basic = response ? OCSP_response_get1_basic(response)
                                     : NULL;
    int i, n = basic ? OCSP_resp_count(basic) : 0;
    apr_time_t first = 0;

    for (i = 0; i < n; i++) {
        ASN1_GENERALIZEDTIME *next = NULL;
        apr_time_t t;

        OCSP_single_get0_status(OCSP_resp_get0(basic, i), NULL, NULL, NULL,
                                &next);
        t = time_of(next);
        first = i == 0 || t < first ? t : first;
    }
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return first;
}

const acme_staple_t *acme_staple_load(const char *folder, server_rec *s,
                                      apr_pool_t *p)
{
    const char *path = apr_pstrcat(p, folder, "/" STAPLE_NAME, NULL);
    acme_staple_t *staple = apr_pcalloc(p, sizeof(*staple));

    staple->len = file_read(&staple->der, path, p);
    if (staple->len == 0 && errno == ENOENT) {
        return NULL;
    }
    if (staple->len > 0) {
        staple->expires = staple_expires(staple->der, staple->len);
    }
    if (staple->expires == 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "ACME0900: %s is no "
                     "OCSP response that could be stapled: remove it, "
                     "acmectl fetches another", path);
        return NULL;
    }
    return staple;
}

/* --------------------------------------------------------------- handshake */

/* A copy for OpenSSL, which frees it. @return its length; 0: none */
static apr_size_t copy_make(unsigned char **pcopy, const void *der,
                            apr_size_t len)
{
    *pcopy = OPENSSL_memdup(der, len);
    return *pcopy ? len : 0;
}

/* The newest response about this generation of a certificate. */
static apr_size_t staple_take(unsigned char **pcopy,
                              const acme_certificate_t *certificate,
                              uint64_t generation)
{
    const live_t *live = acme_state_get()->live;
    const acme_staple_t *loaded = certificate->staple;
    apr_time_t now = apr_time_now();
    live_staple_t staple;

    if (certificate->slot != LIVE_NO_SLOT
        && live_child_staple(&staple, live, certificate->slot, generation,
                             now) == APR_SUCCESS) {
        return copy_make(pcopy, staple.der, staple.len);
    }
    if (loaded && certificate->loaded == generation
        && loaded->expires > now) {
        return copy_make(pcopy, loaded->der, loaded->len);
    }
    return 0;
}

/* RFC 7633 4: nobody puts this extension into a certificate for anything
 * else than status_request. */
static int must_staple(const X509 *leaf)
{
    return X509_get_ext_by_NID(leaf, NID_tlsfeature, -1) >= 0;
}

/* OpenSSL's status callback: the client asks for a response, and which
 * certificate it gets is decided. Without one the handshake goes on. */
static int status_give(SSL *ssl, void *data)
{
    const staple_host_t *host = data;
    const X509 *leaf = SSL_get_certificate(ssl);
    const acme_certificate_t *certificate;
    unsigned char *copy = NULL;
    uint64_t generation;
    apr_size_t len;

    if (!leaf || !(host->wanted || must_staple(leaf))) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    certificate = acme_swap_certificate(host->swap, leaf, &generation);
    len = certificate ? staple_take(&copy, certificate, generation) : 0;
    if (len == 0) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)len);
    return SSL_TLSEXT_ERR_OK;
}

/* ----------------------------------------------------------------- startup */

void acme_staple_host(SSL_CTX *ctx, server_rec *s,
                      const acme_swap_host_t *swap, apr_pool_t *p)
{
    staple_host_t *host = apr_palloc(p, sizeof(*host));

    host->swap = swap;
    host->wanted = acme_server_stapling(s)
        || acme_domain_must_staple(acme_server_domain(s));
    SSL_CTX_set_tlsext_status_cb(ctx, status_give);
    SSL_CTX_set_tlsext_status_arg(ctx, host);
}

/* mod_ssl asks who provides for a certificate. The segment is only there in
 * the second pass. */
static int prime(server_rec *s, apr_pool_t *p, const char *id,
                 apr_size_t id_len, const char *pem)
{
    int able = acme_state_get()->live
        || ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG;

    return able && acme_server_conf(s)->managed ? OK : DECLINED;
}

void acme_staple_register(apr_pool_t *p)
{
    ap_hook_ssl_ocsp_prime_hook(prime, NULL, NULL, APR_HOOK_FIRST);
}
