/*
 * fixture.c: keys and certificates for the tests. Failures here abort.
 */
#include <stdarg.h>
#include <string.h>

#include <check.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <apr_strings.h>

#include "fixture.h"

/* ----------------------------------------------------------------- keys */

static apr_status_t evp_free(void *baton)
{
    EVP_PKEY_free(baton);
    return APR_SUCCESS;
}

static EVP_PKEY *evp_own(EVP_PKEY *evp, apr_pool_t *p)
{
    ck_assert_ptr_nonnull(evp);
    apr_pool_cleanup_register(p, evp, evp_free, apr_pool_cleanup_null);
    return evp;
}

EVP_PKEY *fix_evp(const char *name, apr_pool_t *p)
{
    if (strcmp(name, "RSA") == 0) {
        return evp_own(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048),
                       p);
    }
    if (strncmp(name, "P-", 2) == 0) {
        return evp_own(EVP_PKEY_Q_keygen(NULL, NULL, "EC", name), p);
    }
    return evp_own(EVP_PKEY_Q_keygen(NULL, NULL, name), p);
}

static BIGNUM *number(const char *text, apr_pool_t *p)
{
    unsigned char *data;
    apr_size_t len;

    ck_assert_int_eq(base_b64url_decode(&data, &len, text, p), APR_SUCCESS);
    return BN_bin2bn(data, (int)len, NULL);
}

static EVP_PKEY *from_data(const char *type, OSSL_PARAM_BLD *bld, int secret,
                           apr_pool_t *p)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY *evp = NULL;

    ck_assert_int_eq(EVP_PKEY_fromdata_init(ctx), 1);
    ck_assert_int_eq(EVP_PKEY_fromdata(ctx, &evp,
                                       secret ? EVP_PKEY_KEYPAIR
                                              : EVP_PKEY_PUBLIC_KEY,
                                       params), 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    return evp_own(evp, p);
}

EVP_PKEY *fix_ec(const char *curve, const char *x, const char *y,
                 const char *d, apr_pool_t *p)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    unsigned char *xs;
    unsigned char *ys;
    unsigned char point[1 + 2 * 66] = { 4 };
    BIGNUM *priv = NULL;
    apr_size_t len;
    EVP_PKEY *evp;

    base_b64url_decode(&xs, &len, x, p);
    memcpy(point + 1, xs, len);
    base_b64url_decode(&ys, &len, y, p);
    memcpy(point + 1 + len, ys, len);
    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, curve,
                                    0);
    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point,
                                     1 + 2 * len);
    if (d) {
        priv = number(d, p);
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, priv);
    }
    evp = from_data("EC", bld, d != NULL, p);
    BN_free(priv);
    return evp;
}

EVP_PKEY *fix_rsa(const char *const *numbers, apr_pool_t *p)
{
    static const char *const params[] = {
        OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_D,
        OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
        OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
        OSSL_PKEY_PARAM_RSA_COEFFICIENT1
    };
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    BIGNUM *values[8] = { NULL };
    EVP_PKEY *evp;
    int i;

    for (i = 0; i < 8 && numbers[i]; i++) {
        values[i] = number(numbers[i], p);
        OSSL_PARAM_BLD_push_BN(bld, params[i], values[i]);
    }
    evp = from_data("RSA", bld, i > 2, p);
    for (i = 0; i < 8; i++) {
        BN_free(values[i]);
    }
    return evp;
}

char *fix_bio_text(BIO *bio, apr_pool_t *p)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = apr_pstrmemdup(p, data, (apr_size_t)len);

    BIO_free(bio);
    return text;
}

char *fix_key_pem(EVP_PKEY *evp, apr_pool_t *p)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (EVP_PKEY_is_a(evp, "EC") || EVP_PKEY_is_a(evp, "RSA")) {
        ck_assert(PEM_write_bio_PrivateKey_traditional(bio, evp, NULL, NULL,
                                                       0, NULL, NULL));
    }
    else {
        ck_assert(PEM_write_bio_PrivateKey(bio, evp, NULL, NULL, 0, NULL,
                                           NULL));
    }
    return fix_bio_text(bio, p);
}

crypto_key_t *fix_key(EVP_PKEY *evp, apr_pool_t *p)
{
    const char *pem = fix_key_pem(evp, p);
    crypto_key_t *key = NULL;
    acme_err_t fault;

    base_err_clear(&fault);
    crypto_key_read(&key, pem, strlen(pem), &fault, p);
    ck_assert_msg(key != NULL, "%s", fault.message);
    return key;
}

crypto_key_t *fix_public(EVP_PKEY *evp, apr_pool_t *p)
{
    fix_spec_t ca = { .cn = "CA", .ca = 1 };
    fix_spec_t spec = { .cn = "public", .key = evp };
    apr_array_header_t *certs = NULL;
    crypto_key_t *key = NULL;
    acme_err_t fault;
    char *pem;

    ca.key = fix_evp("P-256", p);
    spec.issuer = fix_cert(&ca, p);
    spec.issuer_key = ca.key;
    pem = fix_pem(p, fix_cert(&spec, p), NULL);
    base_err_clear(&fault);
    ck_assert_int_eq(crypto_chain_read(&certs, pem, strlen(pem), &fault, p),
                     APR_SUCCESS);
    crypto_cert_key(&key, APR_ARRAY_IDX(certs, 0, crypto_cert_t *), &fault,
                    p);
    ck_assert_msg(key != NULL, "%s", fault.message);
    return key;
}

/* --------------------------------------------------------- certificates */

static apr_status_t x509_free(void *baton)
{
    X509_free(baton);
    return APR_SUCCESS;
}

static void extension(X509 *x509, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    ck_assert_msg(ext != NULL, "extension %s", value);
    ck_assert(X509_add_ext(x509, ext, -1));
    X509_EXTENSION_free(ext);
}

X509 *fix_unsigned(const fix_spec_t *spec, apr_pool_t *p)
{
    static long serial = 0x8000;
    time_t now = FIX_NOW_SECONDS;
    X509 *x509 = X509_new();
    X509_NAME *name = X509_get_subject_name(x509);

    apr_pool_cleanup_register(p, x509, x509_free, apr_pool_cleanup_null);
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
    ASN1_TIME_set(X509_getm_notBefore(x509),
                  now + (spec->from ? spec->from : -FIX_DAY));
    ASN1_TIME_set(X509_getm_notAfter(x509),
                  now + (spec->to ? spec->to : FIX_DAY));
    if (spec->cn) {
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                   (const unsigned char *)spec->cn, -1, -1,
                                   0);
    }
    X509_set_issuer_name(x509, spec->issuer
                               ? X509_get_subject_name(spec->issuer) : name);
    ck_assert(X509_set_pubkey(x509, spec->key));
    if (spec->ca) {
        extension(x509, NID_basic_constraints, "critical,CA:TRUE");
    }
    if (spec->san) {
        extension(x509, NID_subject_alt_name, spec->san);
    }
    return x509;
}

X509 *fix_sign(X509 *x509, const fix_spec_t *spec)
{
    EVP_PKEY *key = spec->issuer_key ? spec->issuer_key : spec->key;
    const EVP_MD *md = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();

    ck_assert(X509_sign(x509, key, md));
    return x509;
}

X509 *fix_cert(const fix_spec_t *spec, apr_pool_t *p)
{
    return fix_sign(fix_unsigned(spec, p), spec);
}

char *fix_pem(apr_pool_t *p, ...)
{
    BIO *bio = BIO_new(BIO_s_mem());
    X509 *x509;
    va_list args;

    va_start(args, p);
    while ((x509 = va_arg(args, X509 *)) != NULL) {
        ck_assert(PEM_write_bio_X509(bio, x509));
    }
    va_end(args);
    return fix_bio_text(bio, p);
}

apr_array_header_t *fix_names(apr_pool_t *p, ...)
{
    apr_array_header_t *names = apr_array_make(p, 4, sizeof(char *));
    const char *name;
    va_list args;

    va_start(args, p);
    while ((name = va_arg(args, const char *)) != NULL) {
        APR_ARRAY_PUSH(names, const char *) = name;
    }
    va_end(args);
    return names;
}

/* ----------------------------------------------------------- signatures */

/* R || S back to the DER that OpenSSL verifies. */
static int raw_to_der(unsigned char **pder, const unsigned char *sig,
                      apr_size_t len)
{
    ECDSA_SIG *ecdsa = ECDSA_SIG_new();
    int half = (int)len / 2;
    int der_len;

    ECDSA_SIG_set0(ecdsa, BN_bin2bn(sig, half, NULL),
                   BN_bin2bn(sig + half, half, NULL));
    der_len = i2d_ECDSA_SIG(ecdsa, pder);
    ECDSA_SIG_free(ecdsa);
    return der_len;
}

int fix_verify(EVP_PKEY *evp, const char *digest, const char *data,
               const unsigned char *sig, apr_size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char *der = NULL;
    int good;

    if (EVP_PKEY_is_a(evp, "EC")) {
        len = (apr_size_t)raw_to_der(&der, sig, len);
    }
    ck_assert(EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, evp,
                                      NULL));
    good = EVP_DigestVerify(ctx, der ? der : sig, len,
                            (const unsigned char *)data, strlen(data)) == 1;
    OPENSSL_free(der);
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return good;
}
