/*
 * alpn_cert.c: the self-signed certificate that answers a tls-alpn-01
 * challenge (RFC 8737 3).
 *
 * CAs compare it byte by byte, so it has what the RFC names and no more: a
 * subjectAltName of one dNSName, and acmeIdentifier. The subject is the same
 * for every challenge: a CN holds 64 characters at most, and no CA looks for
 * the name there.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "crypto/internal.h"

#define SUBJECT      "tls-alpn-01 challenge"
#define SKEW         86400        /* seconds: our clock may be fast */
#define LIFETIME     (7 * 86400)  /* the segment forgets it much earlier */
#define SERIAL_BYTES 16

/* RFC 8737 3: id-pe-acmeIdentifier, critical, OCTET STRING (SIZE (32)). */
static X509_EXTENSION *identifier_make(const char *keyauth)
{
    unsigned char der[2 + SHA256_DIGEST_LENGTH] = {
        V_ASN1_OCTET_STRING, SHA256_DIGEST_LENGTH
    };
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *ext = NULL;

    SHA256((const unsigned char *)keyauth, strlen(keyauth), der + 2);
    if (oid && value && ASN1_OCTET_STRING_set(value, der, sizeof(der))) {
        ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
    }
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    return ext;
}

static int extensions_add(X509 *x509, const char *name, const char *keyauth,
                          apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 1, sizeof(char *));
    X509_EXTENSION *ext = identifier_make(keyauth);
    GENERAL_NAMES *san;
    int ok;

    APR_ARRAY_PUSH(names, const char *) = name;
    san = crypto_san_make(names);
    ok = ext && san
        && X509_add1_ext_i2d(x509, NID_subject_alt_name, san, 0,
                             X509V3_ADD_DEFAULT) == 1
        && X509_add_ext(x509, ext, -1);
    GENERAL_NAMES_free(san);
    X509_EXTENSION_free(ext);
    return ok;
}

/* RFC 5280 4.1.2.2: positive, at most 20 octets. */
static int serial_set(X509 *x509)
{
    unsigned char bytes[SERIAL_BYTES];
    BIGNUM *number = NULL;
    int ok;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return 0;
    }
    bytes[0] = (unsigned char)((bytes[0] & 0x3f) | 0x40);
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
    BN_free(number);
    return ok;
}

static int body_set(X509 *x509, const crypto_key_t *key, apr_time_t now)
{
    X509_NAME *subject = X509_get_subject_name(x509);
    time_t from = (time_t)apr_time_sec(now) - SKEW;

    return X509_set_version(x509, X509_VERSION_3) && serial_set(x509)
        && X509_NAME_add_entry_by_NID(subject, NID_commonName,
                                      MBSTRING_ASC,
                                      (const unsigned char *)SUBJECT, -1, -1,
                                      0)
        && X509_set_issuer_name(x509, subject)
        && ASN1_TIME_set(X509_getm_notBefore(x509), from)
        && ASN1_TIME_set(X509_getm_notAfter(x509), from + SKEW + LIFETIME)
        && X509_set_pubkey(x509, key->evp);
}

static char *pem_of(X509 *x509, apr_pool_t *pool)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    apr_size_t len;

    if (bio && PEM_write_bio_X509(bio, x509)) {
        pem = crypto_bio_secret(bio, &len, pool);
    }
    BIO_free(bio);
    return pem;
}

apr_status_t crypto_alpn_cert(char **ppem, const crypto_key_t *key,
                              const char *name, const char *keyauth,
                              apr_time_t now, acme_err_t *err,
                              apr_pool_t *result_pool)
{
    char *pem = NULL;
    X509 *x509;

    ERR_clear_error();
    if (base_name_check(&name, name, 0, err, result_pool) != APR_SUCCESS) {
        return err->status;
    }
    x509 = X509_new();
    if (x509 && key->secret && body_set(x509, key, now)
        && extensions_add(x509, name, keyauth, result_pool)
        && X509_sign(x509, key->evp, crypto_kind_digest(key->kind))) {
        pem = pem_of(x509, result_pool);
    }
    X509_free(x509);
    if (!pem) {
        return crypto_fail(err, APR_EGENERAL, "cannot make the challenge "
                           "certificate for %s: check the installation of "
                           "OpenSSL", name);
    }
    *ppem = pem;
    return APR_SUCCESS;
}
