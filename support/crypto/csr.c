/*
 * Certificate requests: ours, and those that come from outside.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>

#include <apr_strings.h>

#include "crypto/internal.h"

/* What a request is to ask for. */
typedef struct wish_t {
    const crypto_key_t *key;
    const apr_array_header_t *names;
    int must_staple;
} wish_t;

/* ----------------------------------------------------------------- make */

/* Lower-case printable ASCII: anything else is a caller's mistake that must
 * not reach the CA. */
static int name_plain(const char *name)
{
    const char *c;

    for (c = name; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f || (*c >= 'A' && *c <= 'Z')) {
            return 0;
        }
    }
    return c != name;
}

static int san_add(GENERAL_NAMES *san, const char *name)
{
    GENERAL_NAME *entry = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();

    if (!entry || !text || !ASN1_STRING_set(text, name, -1)) {
        ASN1_IA5STRING_free(text);
        GENERAL_NAME_free(entry);
        return 0;
    }
    GENERAL_NAME_set0_value(entry, GEN_DNS, text);
    if (!sk_GENERAL_NAME_push(san, entry)) {
        GENERAL_NAME_free(entry);
        return 0;
    }
    return 1;
}

GENERAL_NAMES *crypto_san_make(const apr_array_header_t *names)
{
    GENERAL_NAMES *san = sk_GENERAL_NAME_new_null();
    int i;

    for (i = 0; san && i < names->nelts; i++) {
        if (!san_add(san, APR_ARRAY_IDX(names, i, const char *))) {
            GENERAL_NAMES_free(san);
            return NULL;
        }
    }
    return san;
}

/* RFC 7633 4.1: SEQUENCE { 5 }, the number of status_request. */
static int feature_add(X509_EXTENSIONS **pexts)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_tlsfeature,
                                              "status_request");
    int ok = ext && X509v3_add_ext(pexts, ext, -1) != NULL;

    X509_EXTENSION_free(ext);
    return ok;
}

/* The extensionRequest attribute with the names in it. */
static int req_add_extensions(X509_REQ *req, const wish_t *wish)
{
    GENERAL_NAMES *san = crypto_san_make(wish->names);
    X509_EXTENSIONS *exts = NULL;
    int ok;

    ok = san && X509V3_add1_i2d(&exts, NID_subject_alt_name, san, 0,
                                X509V3_ADD_DEFAULT) == 1
        && (!wish->must_staple || feature_add(&exts))
        && X509_REQ_add_extensions(req, exts);
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    GENERAL_NAMES_free(san);
    return ok;
}

/* A signed request. The subject stays empty: a CN holds 64 characters at
 * most and the CAs take the names from the extension (RFC 8555 7.4). */
static X509_REQ *req_make(const wish_t *wish)
{
    const crypto_key_t *key = wish->key;
    X509_REQ *req = X509_REQ_new();

    if (!req || !X509_REQ_set_version(req, X509_REQ_VERSION_1)
        || !X509_REQ_set_pubkey(req, key->evp)
        || !req_add_extensions(req, wish)
        || !X509_REQ_sign(req, key->evp, crypto_kind_digest(key->kind))) {
        X509_REQ_free(req);
        return NULL;
    }
    return req;
}

/* req's DER in pool. @return NULL on failure */
static unsigned char *req_der(apr_size_t *plen, X509_REQ *req,
                              apr_pool_t *pool)
{
    unsigned char *der = NULL;
    unsigned char *copy = NULL;
    int len = i2d_X509_REQ(req, &der);

    if (len > 0) {
        copy = apr_pmemdup(pool, der, (apr_size_t)len);
        *plen = (apr_size_t)len;
    }
    OPENSSL_free(der);
    return copy;
}

static apr_status_t names_check(const apr_array_header_t *names,
                                acme_err_t *err)
{
    const char *name;
    int i;

    if (names->nelts == 0) {
        return crypto_fail(err, APR_EINVAL, "a certificate request needs a "
                           "name: give at least one");
    }
    for (i = 0; i < names->nelts; i++) {
        name = APR_ARRAY_IDX(names, i, const char *);
        if (!name_plain(name)) {
            return crypto_fail(err, APR_EINVAL, "\"%s\" cannot stand in a "
                               "certificate request: give the name in lower "
                               "case and its A-label (xn--) form", name);
        }
    }
    return APR_SUCCESS;
}

static apr_status_t wish_make(unsigned char **pder, apr_size_t *plen,
                              const wish_t *wish, acme_err_t *err,
                              apr_pool_t *result_pool)
{
    const apr_array_header_t *names = wish->names;
    unsigned char *der = NULL;
    apr_status_t rv;
    X509_REQ *req;

    ERR_clear_error();
    rv = names_check(names, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!wish->key->secret) {
        return crypto_fail(err, APR_EINVAL, "a public key cannot sign a "
                           "certificate request: give the private key");
    }
    req = req_make(wish);
    if (req) {
        der = req_der(plen, req, result_pool);
        X509_REQ_free(req);
    }
    if (!der) {
        return crypto_fail(err, APR_EGENERAL, "cannot make the certificate "
                           "request for %s: check the installation of "
                           "OpenSSL", APR_ARRAY_IDX(names, 0, const char *));
    }
    *pder = der;
    return APR_SUCCESS;
}

apr_status_t crypto_csr_make(unsigned char **pder, apr_size_t *plen,
                             const crypto_key_t *key,
                             const apr_array_header_t *names,
                             acme_err_t *err, apr_pool_t *result_pool)
{
    const wish_t wish = { key, names, 0 };

    return wish_make(pder, plen, &wish, err, result_pool);
}

apr_status_t crypto_csr_make_must_staple(unsigned char **pder,
                                         apr_size_t *plen,
                                         const crypto_key_t *key,
                                         const apr_array_header_t *names,
                                         acme_err_t *err,
                                         apr_pool_t *result_pool)
{
    const wish_t wish = { key, names, 1 };

    return wish_make(pder, plen, &wish, err, result_pool);
}

/* ----------------------------------------------------------------- read */

/* DER begins with a SEQUENCE, which is no letter of a PEM file. */
static X509_REQ *req_parse(const char *data, apr_size_t len)
{
    const unsigned char *der = (const unsigned char *)data;
    X509_REQ *req = NULL;
    BIO *bio;

    if (len > 0 && *der == 0x30) {
        req = d2i_X509_REQ(NULL, &der, (long)len);
        if (req && der != (const unsigned char *)data + len) {
            X509_REQ_free(req);
            req = NULL;
        }
        return req;
    }
    bio = BIO_new_mem_buf(data, (int)len);
    if (bio) {
        req = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
        BIO_free(bio);
    }
    return req;
}

/* Append name unless it is there already. */
static void names_add(apr_array_header_t *names, const char *name)
{
    if (!base_list_has(names, name)) {
        APR_ARRAY_PUSH(names, const char *) = name;
    }
}

/* A CN that is no domain name ("Example Inc.") asks for nothing. */
static void cn_add(apr_array_header_t *names, const X509_NAME *subject,
                   apr_pool_t *pool)
{
    const ASN1_STRING *cn;
    const char *name;
    acme_err_t ignored;
    int at = -1;

    while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at))
           >= 0) {
        cn = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
        name = crypto_printable(ASN1_STRING_get0_data(cn),
                                (apr_size_t)ASN1_STRING_length(cn), pool);
        base_err_clear(&ignored);
        if (base_name_check(&name, name, 1, &ignored, pool) == APR_SUCCESS) {
            names_add(names, name);
        }
    }
}

/* The subjectAltName of req. @return APR_EINVAL if it is malformed */
static apr_status_t req_san(GENERAL_NAMES **psan, X509_REQ *req,
                            acme_err_t *err)
{
    X509_EXTENSIONS *exts = X509_REQ_get_extensions(req);
    int found = -1;

    *psan = NULL;
    if (exts) {
        *psan = X509V3_get_d2i(exts, NID_subject_alt_name, &found, NULL);
        sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    }
    /* -1: there is none; anything else without a value is a fault. */
    if (!*psan && found != -1) {
        return crypto_fail(err, APR_EINVAL, "the certificate request's "
                           "subjectAltName is malformed: make a new request");
    }
    return APR_SUCCESS;
}

static apr_status_t san_check(apr_array_header_t *names,
                              const GENERAL_NAMES *san, acme_err_t *err,
                              apr_pool_t *pool)
{
    apr_array_header_t *found = apr_array_make(pool, 4, sizeof(char *));
    int others = 0;
    int i;

    crypto_san_names(found, &others, san, pool);
    if (others) {
        return crypto_fail(err, APR_EINVAL, "the certificate request asks "
                           "for more than domain names: make one whose "
                           "subjectAltName has DNS entries only");
    }
    for (i = 0; i < found->nelts; i++) {
        const char *name = APR_ARRAY_IDX(found, i, const char *);
        apr_status_t rv = base_name_check(&name, name, 1, err, pool);

        if (rv != APR_SUCCESS) {
            base_err_wrap(err, "the certificate request cannot be used");
            return rv;
        }
        names_add(names, name);
    }
    return APR_SUCCESS;
}

static apr_status_t req_names(apr_array_header_t **pnames, X509_REQ *req,
                              acme_err_t *err, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 4, sizeof(char *));
    GENERAL_NAMES *san;
    apr_status_t rv;

    rv = req_san(&san, req, err);
    if (rv == APR_SUCCESS && san) {
        rv = san_check(names, san, err, pool);
        GENERAL_NAMES_free(san);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    cn_add(names, X509_REQ_get_subject_name(req), pool);
    if (names->nelts == 0) {
        return crypto_fail(err, APR_EINVAL, "the certificate request names "
                           "no domain: make one with a subjectAltName");
    }
    *pnames = names;
    return APR_SUCCESS;
}

/* Everything crypto_csr_read wants of a parsed request. */
static apr_status_t req_read(unsigned char **pder, apr_size_t *plen,
                             apr_array_header_t **pnames, X509_REQ *req,
                             acme_err_t *err, apr_pool_t *pool)
{
    EVP_PKEY *evp = X509_REQ_get0_pubkey(req);

    /* RFC 2986 3: the signature proves that the requester has the key. */
    if (!evp || X509_REQ_verify(req, evp) != 1) {
        return crypto_fail(err, APR_EINVAL, "the certificate request's own "
                           "signature does not verify: make a new request");
    }
    *pder = req_der(plen, req, pool);
    if (!*pder) {
        return crypto_fail(err, APR_EGENERAL, "cannot write the certificate "
                           "request as DER: make a new request");
    }
    return req_names(pnames, req, err, pool);
}

apr_status_t crypto_csr_read(unsigned char **pder, apr_size_t *plen,
                             apr_array_header_t **pnames,
                             crypto_key_t **pkey, const char *data,
                             apr_size_t len, acme_err_t *err,
                             apr_pool_t *result_pool)
{
    X509_REQ *req;
    apr_status_t rv;

    ERR_clear_error();
    if (len > CRYPTO_FILE_MAX) {
        return crypto_fail(err, APR_EINVAL, "the certificate request is "
                           "larger than %d bytes: give a file with one "
                           "request", CRYPTO_FILE_MAX);
    }
    req = req_parse(data, len);
    if (!req) {
        return crypto_fail(err, APR_EINVAL, "this is no certificate "
                           "request: give one in PEM or DER (openssl req "
                           "-new)");
    }
    rv = req_read(pder, plen, pnames, req, err, result_pool);
    if (rv == APR_SUCCESS && pkey) {
        rv = crypto_key_own(pkey, X509_REQ_get_pubkey(req), 0,
                            "the certificate request's key", err,
                            result_pool);
    }
    X509_REQ_free(req);
    ERR_clear_error();
    return rv;
}
