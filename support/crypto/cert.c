/*
 * Certificates: their text forms and what they say.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/tls1.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "crypto/internal.h"

/* ----------------------------------------------------------------- text */

char *crypto_hex(const unsigned char *data, apr_size_t len,
                 apr_pool_t *pool)
{
    static const char digits[] = "0123456789abcdef";
    char *hex = apr_palloc(pool, len * 2 + 1);
    apr_size_t i;

    for (i = 0; i < len; i++) {
        hex[i * 2] = digits[data[i] >> 4];
        hex[i * 2 + 1] = digits[data[i] & 15];
    }
    hex[len * 2] = '\0';
    return hex;
}

char *crypto_printable(const unsigned char *data, apr_size_t len,
                       apr_pool_t *pool)
{
    static const char digits[] = "0123456789abcdef";
    char *text = apr_palloc(pool, len * 4 + 1);
    char *out = text;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (data[i] >= ' ' && data[i] < 0x7f && data[i] != '\\') {
            *out++ = (char)data[i];
        }
        else {
            *out++ = '\\';
            *out++ = 'x';
            *out++ = digits[data[i] >> 4];
            *out++ = digits[data[i] & 15];
        }
    }
    *out = '\0';
    return text;
}

/* ---------------------------------------------------------------- names */

char *crypto_lower(char *text)
{
    char *c;

    for (c = text; *c; c++) {
        *c = (char)apr_tolower(*c);
    }
    return text;
}

/* A NUL or a control inside a name becomes visible, so that it can neither
 * be cut short nor equal a name anybody configured. */
static char *name_text(const ASN1_STRING *dns, apr_pool_t *pool)
{
    return crypto_lower(crypto_printable(ASN1_STRING_get0_data(dns),
                                         (apr_size_t)ASN1_STRING_length(dns),
                                         pool));
}

void crypto_san_names(apr_array_header_t *names, int *pothers,
                      const GENERAL_NAMES *san, apr_pool_t *pool)
{
    const GENERAL_NAME *name;
    int i;

    for (i = 0; i < sk_GENERAL_NAME_num(san); i++) {
        name = sk_GENERAL_NAME_value(san, i);
        if (name->type == GEN_DNS) {
            APR_ARRAY_PUSH(names, char *) = name_text(name->d.dNSName, pool);
        }
        else if (pothers) {
            ++*pothers;
        }
    }
}

apr_status_t crypto_cert_names(apr_array_header_t **pnames, int *pothers,
                               const crypto_cert_t *cert, acme_err_t *err,
                               apr_pool_t *pool)
{
    GENERAL_NAMES *san;
    int found = -1;

    *pnames = apr_array_make(pool, 4, sizeof(char *));
    san = X509_get_ext_d2i(cert->x509, NID_subject_alt_name, &found, NULL);
    if (san) {
        crypto_san_names(*pnames, pothers, san, pool);
        GENERAL_NAMES_free(san);
    }
    else if (found != -1) {
        return crypto_fail(err, APR_EINVAL, "the certificate's "
                           "subjectAltName is malformed: report it to the "
                           "CA");
    }
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- owner */

static apr_status_t cert_free(void *baton)
{
    X509_free(baton);
    return APR_SUCCESS;
}

crypto_cert_t *crypto_cert_own(X509 *x509, apr_pool_t *result_pool)
{
    crypto_cert_t *cert = apr_palloc(result_pool, sizeof(*cert));

    cert->x509 = x509;
    apr_pool_cleanup_register(result_pool, x509, cert_free,
                              apr_pool_cleanup_null);
    return cert;
}

/* ---------------------------------------------------------------- times */

int crypto_time(apr_time_t *ptime, const ASN1_TIME *text)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days;
    int secs;
    int ok = epoch && ASN1_TIME_diff(&days, &secs, epoch, text);

    ASN1_TIME_free(epoch);
    if (ok) {
        *ptime = apr_time_from_sec((apr_time_t)days * 86400 + secs);
    }
    return ok;
}

apr_status_t crypto_cert_times(apr_time_t *pnot_before,
                               apr_time_t *pnot_after,
                               const crypto_cert_t *cert, acme_err_t *err)
{
    if (!crypto_time(pnot_before, X509_get0_notBefore(cert->x509))
        || !crypto_time(pnot_after, X509_get0_notAfter(cert->x509))) {
        return crypto_fail(err, APR_EINVAL, "the certificate's validity is "
                           "malformed: report it to the CA");
    }
    return APR_SUCCESS;
}

/* ------------------------------------------------------------- PEM, DER */

apr_status_t crypto_cert_pem(char **ppem, const crypto_cert_t *cert,
                             acme_err_t *err, apr_pool_t *result_pool)
{
    char *pem = NULL;
    char *data;
    BIO *bio;
    long len;

    ERR_clear_error();
    bio = BIO_new(BIO_s_mem());
    if (bio && PEM_write_bio_X509(bio, cert->x509)) {
        len = BIO_get_mem_data(bio, &data);
        pem = apr_pstrmemdup(result_pool, data, (apr_size_t)len);
    }
    BIO_free(bio);
    if (!pem) {
        return crypto_fail(err, APR_EGENERAL, "cannot write a certificate "
                           "as PEM: check the installation of OpenSSL");
    }
    *ppem = pem;
    return APR_SUCCESS;
}

apr_status_t crypto_cert_der(unsigned char **pder, apr_size_t *plen,
                             const crypto_cert_t *cert, acme_err_t *err,
                             apr_pool_t *result_pool)
{
    unsigned char *der = NULL;
    int len;

    ERR_clear_error();
    len = i2d_X509(cert->x509, &der);
    if (len <= 0) {
        return crypto_fail(err, APR_EGENERAL, "cannot write a certificate "
                           "as DER: check the installation of OpenSSL");
    }
    *pder = apr_pmemdup(result_pool, der, (apr_size_t)len);
    *plen = (apr_size_t)len;
    OPENSSL_free(der);
    return APR_SUCCESS;
}

apr_status_t crypto_cert_key(crypto_key_t **pkey, const crypto_cert_t *cert,
                             acme_err_t *err, apr_pool_t *result_pool)
{
    EVP_PKEY *evp;

    ERR_clear_error();
    evp = X509_get_pubkey(cert->x509);
    if (!evp) {
        return crypto_fail(err, APR_EINVAL, "the certificate's key cannot "
                           "be read: report it to the CA");
    }
    return crypto_key_own(pkey, evp, 0, "the certificate's key", err,
                          result_pool);
}

/* ----------------------------------------------------------------- info */

/* What a BIO holds as text, BIO released. @return NULL without a BIO */
static const char *bio_text(BIO *bio, int written, apr_pool_t *pool)
{
    const char *text = NULL;
    char *data;
    long len;

    if (bio && written >= 0) {
        len = BIO_get_mem_data(bio, &data);
        text = apr_pstrmemdup(pool, len ? data : "", (apr_size_t)len);
    }
    BIO_free(bio);
    return text;
}

static const char *name_rfc2253(const X509_NAME *name, apr_pool_t *pool)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int written = bio ? X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253)
                      : -1;

    return bio_text(bio, written, pool);
}

/* The last CN, which is the most specific one; without one all of name. */
static const char *name_short(const X509_NAME *name, apr_pool_t *pool)
{
    const ASN1_STRING *cn;
    int last = -1;
    int at = -1;
    BIO *bio;

    while ((at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0) {
        last = at;
    }
    if (last < 0) {
        return name_rfc2253(name, pool);
    }
    cn = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last));
    bio = BIO_new(BIO_s_mem());
    return bio_text(bio, bio ? ASN1_STRING_print_ex(bio, cn,
                                                    ASN1_STRFLGS_ESC_CTRL
                                                    | ASN1_STRFLGS_ESC_MSB
                                                    | ASN1_STRFLGS_UTF8_CONVERT)
                             : -1, pool);
}

/* RFC 5280 4.1.2.2 forbids negative serials; they exist. */
static const char *serial_text(const X509 *x509, apr_pool_t *pool)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x509);
    const char *hex = crypto_hex(ASN1_STRING_get0_data(serial),
                                 (apr_size_t)ASN1_STRING_length(serial),
                                 pool);

    if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER) {
        hex = apr_pstrcat(pool, "-", hex, NULL);
    }
    return hex;
}

static const char *sha256_text(const X509 *x509, apr_pool_t *pool)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int len;

    if (!X509_digest(x509, EVP_sha256(), hash, &len)) {
        return NULL;
    }
    return crypto_hex(hash, len, pool);
}

static const char *key_type_text(const X509 *x509)
{
    const EVP_PKEY *evp = X509_get0_pubkey(x509);
    const crypto_kind_t *kind = evp ? crypto_kind_of(evp) : NULL;

    ERR_clear_error();
    return kind ? kind->name : "other";
}

/* The first responder that is named. */
static const char *ocsp_text(X509 *x509, apr_pool_t *pool)
{
    STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(x509);
    const char *url = NULL;

    if (urls && sk_OPENSSL_STRING_num(urls) > 0) {
        const char *first = sk_OPENSSL_STRING_value(urls, 0);

        url = crypto_printable((const unsigned char *)first, strlen(first),
                               pool);
    }
    X509_email_free(urls);
    return url;
}

/* RFC 7633 4.1: the feature status_request (5) must be served. */
static int must_staple(const X509 *x509)
{
    TLS_FEATURE *features = X509_get_ext_d2i(x509, NID_tlsfeature, NULL,
                                             NULL);
    int found = 0;
    int i;

    for (i = 0; i < sk_ASN1_INTEGER_num(features); i++) {
        found |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i))
                 == TLSEXT_TYPE_status_request;
    }
    TLS_FEATURE_free(features);
    return found;
}

apr_status_t crypto_cert_info(crypto_cert_info_t *info,
                              const crypto_cert_t *cert, acme_err_t *err,
                              apr_pool_t *result_pool)
{
    X509 *x509 = cert->x509;
    apr_status_t rv;

    ERR_clear_error();
    info->subject = name_rfc2253(X509_get_subject_name(x509), result_pool);
    info->issuer = name_short(X509_get_issuer_name(x509), result_pool);
    info->serial = serial_text(x509, result_pool);
    info->sha256 = sha256_text(x509, result_pool);
    info->key_type = key_type_text(x509);
    info->ocsp = ocsp_text(x509, result_pool);
    info->must_staple = must_staple(x509);
    if (!info->subject || !info->issuer || !info->sha256) {
        return crypto_fail(err, APR_EINVAL, "the certificate's names are "
                           "malformed: report it to the CA");
    }
    rv = crypto_cert_times(&info->not_before, &info->not_after, cert, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return crypto_cert_names(&info->names, NULL, cert, err, result_pool);
}
