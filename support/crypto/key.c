/*
 * Private keys: make, read, write, compare; and what the room shares.
 */
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "crypto/internal.h"

/* The order of crypto_key_type_t. */
static const crypto_kind_t kinds[] = {
    { CRYPTO_P256, "P-256", "EC", NID_X9_62_prime256v1, 256,
      "ES256", "SHA256" },
    { CRYPTO_P384, "P-384", "EC", NID_secp384r1, 384, "ES384", "SHA384" },
    { CRYPTO_P521, "P-521", "EC", NID_secp521r1, 521, "ES512", "SHA512" },
    { CRYPTO_RSA2048, "RSA-2048", "RSA", 0, 2048, "RS256", "SHA256" },
    { CRYPTO_RSA3072, "RSA-3072", "RSA", 0, 3072, "RS256", "SHA256" },
    { CRYPTO_RSA4096, "RSA-4096", "RSA", 0, 4096, "RS256", "SHA256" }
};

#define KINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))

/* --------------------------------------------------------------- errors */

apr_status_t crypto_fail(acme_err_t *err, apr_status_t status,
                         const char *fmt, ...)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    char text[sizeof(err->message)];
    va_list args;

    va_start(args, fmt);
    apr_vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    ERR_clear_error();
    if (reason) {
        return base_err_set(err, status, BASE_EXIT_FAILED,
                            "%s (OpenSSL: %s)", text, reason);
    }
    return base_err_set(err, status, BASE_EXIT_FAILED, "%s", text);
}

/* ---------------------------------------------------------------- kinds */

int crypto_kind_width(const crypto_kind_t *kind)
{
    return (kind->bits + 7) / 8;
}

int crypto_kind_ec(const crypto_kind_t *kind)
{
    return kind->nid != 0;
}

const EVP_MD *crypto_kind_digest(const crypto_kind_t *kind)
{
    return EVP_get_digestbyname(kind->digest);
}

/* The curve's NID, by whichever of its names the provider reports. */
static int curve_nid(const EVP_PKEY *evp)
{
    char group[64];
    int nid;

    if (!EVP_PKEY_get_group_name(evp, group, sizeof(group), NULL)) {
        return NID_undef;
    }
    nid = OBJ_sn2nid(group);
    return nid != NID_undef ? nid : EC_curve_nist2nid(group);
}

const crypto_kind_t *crypto_kind_of(const EVP_PKEY *evp)
{
    int nid = 0;
    int i;

    if (EVP_PKEY_is_a(evp, "EC")) {
        nid = curve_nid(evp);
    }
    for (i = 0; i < KINDS; i++) {
        if (EVP_PKEY_is_a(evp, kinds[i].algorithm) && kinds[i].nid == nid
            && (nid || EVP_PKEY_get_bits(evp) == kinds[i].bits)) {
            return &kinds[i];
        }
    }
    return NULL;
}

const char *crypto_key_type_name(crypto_key_type_t type)
{
    return kinds[type].name;
}

apr_status_t crypto_key_type_parse(crypto_key_type_t *ptype,
                                   const char *name)
{
    int i;

    for (i = 0; i < KINDS; i++) {
        if (apr_cstr_casecmp(kinds[i].name, name) == 0) {
            *ptype = kinds[i].type;
            return APR_SUCCESS;
        }
    }
    return APR_EINVAL;
}

/* -------------------------------------------------------------- secrets */

typedef struct secret_t {
    char *data;
    apr_size_t len;
} secret_t;

static apr_status_t secret_wipe(void *baton)
{
    secret_t *secret = baton;

    OPENSSL_cleanse(secret->data, secret->len);
    return APR_SUCCESS;
}

char *crypto_bio_secret(BIO *bio, apr_size_t *plen, apr_pool_t *pool)
{
    secret_t *secret = apr_palloc(pool, sizeof(*secret));
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);

    secret->len = len > 0 ? (apr_size_t)len : 0;
    secret->data = apr_pstrmemdup(pool, data ? data : "", secret->len);
    apr_pool_cleanup_register(pool, secret, secret_wipe,
                              apr_pool_cleanup_null);
    *plen = secret->len;
    return secret->data;
}

/* EVP_PKEY_free wipes the private half with the last reference. */
static apr_status_t key_free(void *baton)
{
    EVP_PKEY_free(baton);
    return APR_SUCCESS;
}

apr_status_t crypto_key_own(crypto_key_t **pkey, EVP_PKEY *evp, int secret,
                            const char *what, acme_err_t *err,
                            apr_pool_t *result_pool)
{
    const crypto_kind_t *kind = crypto_kind_of(evp);

    if (!kind) {
        EVP_PKEY_free(evp);
        ERR_clear_error();
        return crypto_fail(err, APR_EINVAL, "%s is of a type that is not "
                           "handled: use P-256, P-384, P-521, RSA-2048, "
                           "RSA-3072 or RSA-4096", what);
    }
    *pkey = apr_palloc(result_pool, sizeof(**pkey));
    (*pkey)->evp = evp;
    (*pkey)->kind = kind;
    (*pkey)->secret = secret;
    apr_pool_cleanup_register(result_pool, evp, key_free,
                              apr_pool_cleanup_null);
    return APR_SUCCESS;
}

/* ----------------------------------------------------------------- keys */

apr_status_t crypto_key_generate(crypto_key_t **pkey, crypto_key_type_t type,
                                 acme_err_t *err, apr_pool_t *result_pool)
{
    const crypto_kind_t *kind = &kinds[type];
    EVP_PKEY *evp;

    ERR_clear_error();
    if (crypto_kind_ec(kind)) {
        evp = EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind->name);
    }
    else {
        evp = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)kind->bits);
    }
    if (!evp) {
        return crypto_fail(err, APR_EGENERAL, "cannot make a %s key: check "
                           "the installation of OpenSSL", kind->name);
    }
    return crypto_key_own(pkey, evp, 1, "the new key", err, result_pool);
}

/* OpenSSL asks for a password only where the key is encrypted. */
static int password_asked(char *buf, int size, int rwflag, void *baton)
{
    *(int *)baton = 1;
    return -1;
}

/* The EC case costs one multiplication; a wrong public half would make the
 * CA refuse every signature with a message that leads nowhere. */
static int key_halves_match(EVP_PKEY *evp)
{
    EVP_PKEY_CTX *ctx;
    int match;

    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, evp, NULL);
    match = ctx && EVP_PKEY_pairwise_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return match;
}

/* The first private key of a PEM text. @return NULL with a reason in err */
static EVP_PKEY *key_parse(const char *pem, apr_size_t len, acme_err_t *err)
{
    int encrypted = 0;
    EVP_PKEY *evp = NULL;
    BIO *bio;

    bio = BIO_new_mem_buf(pem, (int)len);
    if (bio) {
        evp = PEM_read_bio_PrivateKey(bio, NULL, password_asked, &encrypted);
        BIO_free(bio);
    }
    if (!evp && encrypted) {
        ERR_clear_error();
        crypto_fail(err, APR_EINVAL, "the private key is encrypted: store "
                    "it without a password (openssl pkey -in KEY)");
    }
    else if (!evp) {
        crypto_fail(err, APR_EINVAL, "this is no private key in PEM: give "
                    "an unencrypted PKCS#8 or traditional key");
    }
    return evp;
}

apr_status_t crypto_key_read(crypto_key_t **pkey, const char *pem,
                             apr_size_t len, acme_err_t *err,
                             apr_pool_t *result_pool)
{
    crypto_key_t *key;
    EVP_PKEY *evp;
    apr_status_t rv;

    ERR_clear_error();
    if (len > CRYPTO_FILE_MAX) {
        return crypto_fail(err, APR_EINVAL, "the private key is larger than "
                           "%d bytes: give a file with one key",
                           CRYPTO_FILE_MAX);
    }
    evp = key_parse(pem, len, err);
    if (!evp) {
        return APR_EINVAL;
    }
    rv = crypto_key_own(&key, evp, 1, "the private key", err, result_pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!key_halves_match(evp)) {
        return crypto_fail(err, APR_EINVAL, "the private key is damaged, "
                           "its halves do not belong together: restore it "
                           "or make a new one");
    }
    ERR_clear_error();
    *pkey = key;
    return APR_SUCCESS;
}

apr_status_t crypto_key_write(char **ppem, apr_size_t *plen,
                              const crypto_key_t *key, acme_err_t *err,
                              apr_pool_t *result_pool)
{
    BIO *bio;

    ERR_clear_error();
    if (!key->secret) {
        return crypto_fail(err, APR_EINVAL, "a public key cannot be written "
                           "as a private one: give the private key");
    }
    /* The memory of this kind of BIO is wiped when it grows and ends. */
    bio = BIO_new(BIO_s_secmem());
    if (!bio || !PEM_write_bio_PKCS8PrivateKey(bio, key->evp, NULL, NULL, 0,
                                               NULL, NULL)) {
        BIO_free(bio);
        return crypto_fail(err, APR_EGENERAL, "cannot write a %s key as "
                           "PEM: check the installation of OpenSSL",
                           key->kind->name);
    }
    *ppem = crypto_bio_secret(bio, plen, result_pool);
    BIO_free(bio);
    return APR_SUCCESS;
}

crypto_key_type_t crypto_key_type(const crypto_key_t *key)
{
    return key->kind->type;
}

int crypto_key_equal(const crypto_key_t *a, const crypto_key_t *b)
{
    int equal = EVP_PKEY_eq(a->evp, b->evp) == 1;

    ERR_clear_error();
    return equal;
}
