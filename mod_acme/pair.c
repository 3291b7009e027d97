/*
 * Certificate files: can mod_ssl serve them, and the stand-in for those
 * that are still to come. See pair.h.
 */
#include "pair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <apr_errno.h>
#include <apr_strings.h>

#include "cert_parse.h"

#define STANDIN_DAYS   365
#define STANDIN_SPARE  (24 * 3600)   /* renewed this long before, seconds */
#define DAY            (24 * 3600)
#define FILE_MAX       (1024 * 1024)

struct acme_pair_t {
    SSL_CTX *ctx;
    acme_parsed_t *last;         /* sound; the next often has its issuers */
};

static apr_status_t pair_cleanup(void *data)
{
    acme_pair_t *pair = data;

    SSL_CTX_free(pair->ctx);
    if (pair->last) {
        acme_parsed_free(pair->last);
    }
    /* The module may be unloaded next, and its variables with it. */
    acme_parse_forget();
    return APR_SUCCESS;
}

/* Nobody is there to be asked for a pass phrase. */
static int no_pass_phrase(char *buf, int size, int rwflag, void *data)
{
    return 0;
}

acme_pair_t *acme_pair_create(apr_pool_t *p)
{
    acme_pair_t *pair = apr_pcalloc(p, sizeof(*pair));

    pair->ctx = SSL_CTX_new(TLS_server_method());
    if (!pair->ctx) {
        return NULL;
    }
    SSL_CTX_set_default_passwd_cb(pair->ctx, no_pass_phrase);
    apr_pool_cleanup_register(p, pair, pair_cleanup, apr_pool_cleanup_null);
    return pair;
}

/* OpenSSL's or the system's words for the last failure. */
static const char *openssl_reason(apr_pool_t *p)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = NULL;

    if (code && ERR_SYSTEM_ERROR(code)) {
        text = strerror((int)ERR_GET_REASON(code));
    }
    else if (code) {
        text = ERR_reason_error_string(code);
    }
    text = apr_pstrdup(p, text ? text : "unknown error");
    ERR_clear_error();
    return text;
}

/* A FIFO or a device would stop httpd's start; a large file, slow it. */
static const char *file_fault(const char *path, apr_pool_t *p)
{
    struct stat st;

    if (stat(path, &st) == -1) {
        return apr_psprintf(p, "cannot read %s: %s", path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
        return apr_psprintf(p, "%s is not a PEM file", path);
    }
    return NULL;
}

/* A whole file, not longer than FILE_MAX; may be a key: wipe it. Not in a
 * pool: there are thousands. */
static char *file_text(size_t *plen, const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = OPENSSL_malloc(FILE_MAX);

    *plen = 0;
    if (file && text) {
        /* Without a second copy in a buffer. */
        setvbuf(file, NULL, _IONBF, 0);
        *plen = fread(text, 1, FILE_MAX, file);
    }
    if (file) {
        fclose(file);
    }
    return text;
}

/* 1 if they are a pair that a SSL_CTX takes, which then holds it. */
static int texts_sound(acme_pair_t *pair, const char *cert, size_t cert_len,
                       const char *key, size_t key_len)
{
    acme_parsed_t *parsed;

    if (acme_parse(&parsed, cert, cert_len, key, key_len, pair->last)) {
        return 0;
    }
    if (SSL_CTX_use_cert_and_key(pair->ctx, parsed->leaf, parsed->key,
                                 parsed->chain, 1) != 1) {
        acme_parsed_free(parsed);
        return 0;
    }
    if (pair->last) {
        acme_parsed_free(pair->last);
    }
    pair->last = parsed;
    return 1;
}

/* The same for files. As good as all pairs are sound, and this is five times
 * as fast as what can tell why one is not. */
static int files_sound(acme_pair_t *pair, const char *cert, const char *key)
{
    size_t cert_len, key_len;
    char *cert_text = file_text(&cert_len, cert);
    char *key_text = file_text(&key_len, key);
    int sound = cert_len > 0 && key_len > 0
        && texts_sound(pair, cert_text, cert_len, key_text, key_len);

    OPENSSL_free(cert_text);
    OPENSSL_clear_free(key_text, key_len);
    ERR_clear_error();
    return sound;
}

const char *acme_pair_fault(acme_pair_t *pair, const char *cert,
                            const char *key, apr_pool_t *p)
{
    const char *fault = file_fault(cert, p);
    X509 *leaf;

    if (!fault) {
        fault = file_fault(key, p);
    }
    if (fault || files_sound(pair, cert, key)) {
        return fault;
    }
    if (SSL_CTX_use_certificate_chain_file(pair->ctx, cert) != 1) {
        return apr_psprintf(p, "%s is not a usable certificate: %s", cert,
                            openssl_reason(p));
    }
    leaf = SSL_CTX_get0_certificate(pair->ctx);
    if (SSL_CTX_use_PrivateKey_file(pair->ctx, key, SSL_FILETYPE_PEM) != 1) {
        return apr_psprintf(p, "%s is not a usable key for %s: %s", key,
                            cert, openssl_reason(p));
    }
    /* The context may hold an earlier pair of another type, so compare these
     * two and not what it calls current. */
    if (X509_check_private_key(leaf, SSL_CTX_get0_privatekey(pair->ctx))
        != 1) {
        ERR_clear_error();
        return apr_psprintf(p, "%s does not belong to %s", key, cert);
    }
    return NULL;
}

/* -------------------------------------------------------------- stand-in */

/* 1 if what was read last came with an issuer. */
static int has_chain(const acme_pair_t *pair)
{
    STACK_OF(X509) *chain = NULL;

    SSL_CTX_get0_chain_certs(pair->ctx, &chain);
    return sk_X509_num(chain) > 0;
}

/* 1 if path is ours alone, can be served and has a day to go. */
static int standin_usable(acme_pair_t *pair, const char *path, apr_pool_t *p)
{
    time_t soon = time(NULL) + STANDIN_SPARE;
    const X509 *leaf;
    struct stat st;

    if (lstat(path, &st) == -1 || !S_ISREG(st.st_mode)
        || st.st_uid != geteuid() || (st.st_mode & 07777) != 0600
        || acme_pair_fault(pair, path, path, p) || !has_chain(pair)) {
        return 0;
    }
    leaf = SSL_CTX_get0_certificate(pair->ctx);
    return X509_cmp_time(X509_get0_notAfter(leaf), &soon) > 0
        && X509_cmp_current_time(X509_get0_notBefore(leaf)) < 0;
}

static int extension_add(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    int ok = ext && X509_add_ext(cert, ext, -1);

    X509_EXTENSION_free(ext);
    return ok;
}

/* It must not look like a certificate for anything. */
static int standin_describe(X509 *cert, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(cert);
    uint64_t serial;

    if (RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1) {
        return 0;
    }
    return X509_set_version(cert, X509_VERSION_3)
        && ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1)
        && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
            (const unsigned char *)"mod_acme stand-in", -1, -1, 0)
        && X509_set_issuer_name(cert, name)
        && X509_gmtime_adj(X509_getm_notBefore(cert), -DAY)
        && X509_gmtime_adj(X509_getm_notAfter(cert),
                           (long)STANDIN_DAYS * DAY)
        && X509_set_pubkey(cert, key)
        && extension_add(cert, NID_basic_constraints, "critical,CA:FALSE")
        && extension_add(cert, NID_subject_alt_name,
                         "DNS:acme-standin.invalid");
}

/* Key and certificate as PEM in a memory BIO of the secure kind, or NULL.
 * The certificate stands there once more as its own issuer: with
 * SSLUseStapling mod_ssl looks for one and complains if there is none. */
static BIO *standin_pem(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *pem = BIO_new(BIO_s_secmem());

    if (!key || !cert || !pem || !standin_describe(cert, key)
        || !X509_sign(cert, key, EVP_sha256())
        || !PEM_write_bio_X509(pem, cert) || !PEM_write_bio_X509(pem, cert)
        || !PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL)) {
        BIO_free(pem);
        pem = NULL;
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    return pem;
}

static apr_status_t bytes_write(int fd, const char *data, long len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, (size_t)len);

        if (n == -1 && errno != EINTR) {
            return errno;
        }
        if (n > 0) {
            data += n;
            len -= n;
        }
    }
    return APR_SUCCESS;
}

/* Write temp (0600 from the first byte) and rename it to path. */
static apr_status_t file_replace(const char *path, const char *temp,
                                 const char *data, long len)
{
    apr_status_t rv;
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  0600);

    if (fd == -1) {
        return errno;
    }
    rv = fchmod(fd, 0600) == -1 ? errno : bytes_write(fd, data, len);
    if (close(fd) == -1 && rv == APR_SUCCESS) {
        rv = errno;
    }
    if (rv == APR_SUCCESS && rename(temp, path) == -1) {
        rv = errno;
    }
    if (rv != APR_SUCCESS) {
        unlink(temp);
    }
    return rv;
}

apr_status_t acme_pair_standin(acme_pair_t *pair, const char *path,
                               const char **pfault, apr_pool_t *p)
{
    const char *temp = apr_psprintf(p, "%s.%ld", path, (long)getpid());
    apr_status_t rv;
    char *data;
    long len;
    BIO *pem;

    if (standin_usable(pair, path, p)) {
        return APR_SUCCESS;
    }
    ERR_clear_error();
    pem = standin_pem();
    if (!pem) {
        *pfault = apr_psprintf(p, "cannot make a stand-in certificate: %s",
                               openssl_reason(p));
        return APR_EGENERAL;
    }
    len = BIO_get_mem_data(pem, &data);
    rv = file_replace(path, temp, data, len);
    BIO_free(pem);
    if (rv != APR_SUCCESS) {
        *pfault = apr_psprintf(p, "cannot write the stand-in certificate %s:"
                               " %s", path, strerror(rv));
    }
    return rv;
}
