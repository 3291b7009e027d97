/*
 * Certificates: from text to OpenSSL's objects. See cert_parse.h.
 *
 * httpd's start parses thousands, and later every process every one that
 * comes, so it has to be cheap. OpenSSL 3
 * looks through all decoders of all providers whenever it is given a key,
 * which takes fifteen times as long as the decoding itself: here a decoder
 * for each kind of key is chosen once. It does the same for the public key
 * of every certificate, which cannot be helped for the leaf, but the
 * certificates behind it seldom change.
 */
#include "cert_parse.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>

/* For one kind of key; guarded by the mutex. */
typedef struct decoder_t {
    const char *type;
    OSSL_DECODER_CTX *ctx;       /* NULL: not made yet */
    EVP_PKEY *key;               /* where ctx puts what it has decoded */
} decoder_t;

/* The parent has one thread when it locks this, so forking is harmless. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static decoder_t ec = { "EC", NULL, NULL };
static decoder_t rsa = { "RSA", NULL, NULL };

/* Nobody is there to be asked for a pass phrase. */
static int no_pass_phrase(char *buf, int size, int rwflag, void *data)
{
    return 0;
}

/* ----------------------------------------------------------------- chain */

/* The certificates behind the leaf, from where the text has been read to. */
static int issuers_read(acme_parsed_t *parsed, BIO *bio)
{
    X509 *cert;

    parsed->chain = sk_X509_new_null();
    if (!parsed->chain) {
        return 0;
    }
    while ((cert = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL))) {
        if (!sk_X509_push(parsed->chain, cert)) {
            X509_free(cert);
            return 0;
        }
    }
    /* The end of the text is "no start line"; all else is damage. */
    return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

/* The same, or those of last where they are no others. */
static int issuers_take(acme_parsed_t *parsed, BIO *bio,
                        const acme_parsed_t *last)
{
    char *text;
    long len = BIO_get_mem_data(bio, &text);

    parsed->issuers = malloc((apr_size_t)len + 1);
    if (!parsed->issuers) {
        return 0;
    }
    memcpy(parsed->issuers, text, (apr_size_t)len);
    parsed->issuers_len = (apr_size_t)len;
    if (last && last->issuers_len == parsed->issuers_len
        && !memcmp(last->issuers, text, last->issuers_len)) {
        parsed->chain = X509_chain_up_ref(last->chain);
        return parsed->chain != NULL;
    }
    return issuers_read(parsed, bio);
}

static int chain_parse(acme_parsed_t *parsed, const char *pem,
                       apr_size_t len, const acme_parsed_t *last)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    int ok;

    if (!bio) {
        return 0;
    }
    parsed->leaf = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL);
    ok = parsed->leaf && issuers_take(parsed, bio, last);
    BIO_free(bio);
    return ok;
}

/* ------------------------------------------------------------------- key */

static EVP_PKEY *key_decode(decoder_t *decoder, const unsigned char *der,
                            size_t len)
{
    EVP_PKEY *key;

    pthread_mutex_lock(&mutex);
    if (!decoder->ctx) {
        decoder->ctx = OSSL_DECODER_CTX_new_for_pkey(&decoder->key, "DER",
            "PrivateKeyInfo", decoder->type, EVP_PKEY_KEYPAIR, NULL, NULL);
    }
    if (decoder->ctx) {
        /* What there is after a failure is no key. */
        if (!OSSL_DECODER_from_data(decoder->ctx, &der, &len)) {
            EVP_PKEY_free(decoder->key);
            decoder->key = NULL;
        }
    }
    key = decoder->key;
    decoder->key = NULL;
    pthread_mutex_unlock(&mutex);
    return key;
}

void acme_parse_forget(void)
{
    pthread_mutex_lock(&mutex);
    OSSL_DECODER_CTX_free(ec.ctx);
    OSSL_DECODER_CTX_free(rsa.ctx);
    ec.ctx = rsa.ctx = NULL;
    pthread_mutex_unlock(&mutex);
}

/* The decoder for a PKCS #8 key, or NULL. */
static decoder_t *decoder_for(const unsigned char *der, long len)
{
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &der, len);
    const ASN1_OBJECT *algorithm;
    decoder_t *found = NULL;

    if (info && PKCS8_pkey_get0(&algorithm, NULL, NULL, NULL, info)) {
        int nid = OBJ_obj2nid(algorithm);

        found = nid == NID_X9_62_id_ecPublicKey ? &ec
            : nid == NID_rsaEncryption ? &rsa : NULL;
    }
    PKCS8_PRIV_KEY_INFO_free(info);
    return found;
}

/* A key as acmectl writes it; NULL: it is not, or is damaged. */
static EVP_PKEY *key_read(BIO *bio)
{
    unsigned char *der;
    long len;
    decoder_t *decoder;
    EVP_PKEY *key = NULL;

    if (PEM_bytes_read_bio_secmem(&der, &len, NULL, PEM_STRING_PKCS8INF, bio,
                                  no_pass_phrase, NULL)) {
        decoder = decoder_for(der, len);
        if (decoder) {
            key = key_decode(decoder, der, (size_t)len);
        }
        OPENSSL_secure_clear_free(der, (size_t)len);
    }
    return key;
}

static int key_parse(acme_parsed_t *parsed, const char *pem, apr_size_t len)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)len);

    if (!bio) {
        return 0;
    }
    parsed->key = key_read(bio);
    if (!parsed->key && BIO_reset(bio) == 1) {
        /* All forms that OpenSSL knows; slow. */
        parsed->key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase,
                                              NULL);
    }
    BIO_free(bio);
    return parsed->key != NULL;
}

/* ------------------------------------------------------------------- all */

void acme_parsed_free(acme_parsed_t *parsed)
{
    X509_free(parsed->leaf);
    sk_X509_pop_free(parsed->chain, X509_free);
    EVP_PKEY_free(parsed->key);
    free(parsed->issuers);
    free(parsed);
}

/* NULL, or what is wrong. */
static const char *parsed_check(const acme_parsed_t *parsed)
{
    return X509_check_private_key(parsed->leaf, parsed->key) == 1 ? NULL
        : "its key belongs to another certificate";
}

const char *acme_parse(acme_parsed_t **pparsed, const char *chain,
                       apr_size_t chain_len, const char *key,
                       apr_size_t key_len, const acme_parsed_t *last)
{
    acme_parsed_t *parsed = calloc(1, sizeof(*parsed));
    const char *fault;

    *pparsed = NULL;
    if (!parsed) {
        return "httpd is out of memory";
    }
    parsed->refs = 1;
    ERR_clear_error();
    fault = !chain_parse(parsed, chain, chain_len, last)
        ? "its chain is damaged"
        : !key_parse(parsed, key, key_len) ? "its key is damaged"
        : parsed_check(parsed);
    if (fault) {
        acme_parsed_free(parsed);
        return fault;
    }
    *pparsed = parsed;
    return NULL;
}
