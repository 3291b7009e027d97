/*
 * key.c: private keys are made, read, written and compared.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <apr_strings.h>

#include "unit.h"
#include "fixture.h"

static const char *const type_names[] = {
    "P-256", "P-384", "P-521", "RSA-2048", "RSA-3072", "RSA-4096"
};

/* Each type has the name that ACMEPrivateKeys uses, and back. */
START_TEST(names_round)
{
    crypto_key_type_t type;
    int i;

    for (i = 0; i < 6; i++) {
        ck_assert_str_eq(crypto_key_type_name((crypto_key_type_t)i),
                         type_names[i]);
        ck_assert_int_eq(crypto_key_type_parse(&type, type_names[i]),
                         APR_SUCCESS);
        ck_assert_int_eq(type, i);
    }
    ck_assert_int_eq(crypto_key_type_parse(&type, "rsa-3072"), APR_SUCCESS);
    ck_assert_int_eq(type, CRYPTO_RSA3072);
}
END_TEST

/* Other sizes, curves and spellings are no key types. */
START_TEST(names_unknown)
{
    static const char *const bad[] = {
        "", "P256", "P-25", "P-256 ", "P-2567", "RSA", "RSA-1024",
        "RSA-8192", "Ed25519", "secp256k1"
    };
    crypto_key_type_t type = CRYPTO_P384;
    int i;

    for (i = 0; i < (int)(sizeof(bad) / sizeof(bad[0])); i++) {
        ck_assert_int_eq(crypto_key_type_parse(&type, bad[i]), APR_EINVAL);
    }
    ck_assert_int_eq(type, CRYPTO_P384);
}
END_TEST

/* A new key of any type has the JWS "alg" of RFC 7518 3.1, is written as
 * PKCS#8 and read back as the same. */
START_TEST(generate_write_read)
{
    static const char *const algs[] = {
        "ES256", "ES384", "ES512", "RS256", "RS256", "RS256"
    };
    crypto_key_t *key;
    crypto_key_t *back;
    apr_size_t len;
    char *pem;

    unit_ok(crypto_key_generate(&key, (crypto_key_type_t)_i, &err, pool));
    ck_assert_int_eq(crypto_key_type(key), _i);
    ck_assert_str_eq(crypto_sign_alg(key), algs[_i]);
    unit_ok(crypto_key_write(&pem, &len, key, &err, pool));
    ck_assert_uint_eq(strlen(pem), len);
    ck_assert(strncmp(pem, "-----BEGIN PRIVATE KEY-----\n", 28) == 0);
    unit_ok(crypto_key_read(&back, pem, len, &err, pool));
    ck_assert_int_eq(crypto_key_type(back), _i);
    ck_assert(crypto_key_equal(key, back));
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* Two new keys are never the same, nor are keys of different types. */
START_TEST(generate_differs)
{
    crypto_key_t *a;
    crypto_key_t *b;
    crypto_key_t *c;
    crypto_key_t *d;

    unit_ok(crypto_key_generate(&a, CRYPTO_P256, &err, pool));
    unit_ok(crypto_key_generate(&b, CRYPTO_P256, &err, pool));
    unit_ok(crypto_key_generate(&c, CRYPTO_P384, &err, pool));
    unit_ok(crypto_key_generate(&d, CRYPTO_RSA2048, &err, pool));
    ck_assert(crypto_key_equal(a, a));
    ck_assert(!crypto_key_equal(a, b));
    ck_assert(!crypto_key_equal(a, c));
    ck_assert(!crypto_key_equal(a, d));
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* A private key equals the public key in its certificate. */
START_TEST(equal_public)
{
    EVP_PKEY *evp = fix_evp("P-256", pool);

    ck_assert(crypto_key_equal(fix_key(evp, pool), fix_public(evp, pool)));
    ck_assert(!crypto_key_equal(fix_key(fix_evp("P-256", pool), pool),
                                fix_public(evp, pool)));
}
END_TEST

/* Traditional PEM is read, also behind text and behind EC PARAMETERS. */
START_TEST(read_traditional)
{
    static const char parameters[] =
        "Made by openssl ecparam -genkey:\n"
        "-----BEGIN EC PARAMETERS-----\n"
        "BggqhkjOPQMBBw==\n"
        "-----END EC PARAMETERS-----\n";
    EVP_PKEY *ec = fix_evp("P-256", pool);
    EVP_PKEY *rsa = fix_evp("RSA", pool);
    const char *pem = fix_key_pem(ec, pool);
    crypto_key_t *key;

    ck_assert_ptr_nonnull(strstr(pem, "BEGIN EC PRIVATE KEY"));
    unit_ok(crypto_key_read(&key, pem, strlen(pem), &err, pool));
    ck_assert(crypto_key_equal(key, fix_public(ec, pool)));
    pem = apr_pstrcat(pool, parameters, pem, NULL);
    unit_ok(crypto_key_read(&key, pem, strlen(pem), &err, pool));
    ck_assert_int_eq(crypto_key_type(key), CRYPTO_P256);
    pem = fix_key_pem(rsa, pool);
    ck_assert_ptr_nonnull(strstr(pem, "BEGIN RSA PRIVATE KEY"));
    unit_ok(crypto_key_read(&key, pem, strlen(pem), &err, pool));
    ck_assert_int_eq(crypto_key_type(key), CRYPTO_RSA2048);
}
END_TEST

/* What is no PEM key is refused, with nothing left in OpenSSL's queue. */
START_TEST(read_garbage)
{
    static const char *const bad[] = {
        "", "\n", "key", "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN EC PRIVATE KEY-----\n!!!!\n-----END EC PRIVATE KEY-----\n"
    };
    crypto_key_t *key = NULL;
    int i;

    for (i = 0; i < (int)(sizeof(bad) / sizeof(bad[0])); i++) {
        base_err_clear(&err);
        unit_fails(crypto_key_read(&key, bad[i], strlen(bad[i]), &err, pool),
                   APR_EINVAL, "no private key in PEM");
        ck_assert_uint_eq(ERR_peek_error(), 0);
    }
    ck_assert_ptr_null(key);
}
END_TEST

/* A public key, a certificate or a key cut short is no private key. */
START_TEST(read_other)
{
    fix_spec_t spec = { .cn = "x" };
    BIO *bio = BIO_new(BIO_s_mem());
    crypto_key_t *key = NULL;
    const char *pem;

    spec.key = fix_evp("P-256", pool);
    ck_assert(PEM_write_bio_PUBKEY(bio, spec.key));
    pem = fix_bio_text(bio, pool);
    unit_fails(crypto_key_read(&key, pem, strlen(pem), &err, pool),
               APR_EINVAL, "no private key in PEM");
    base_err_clear(&err);
    pem = fix_pem(pool, fix_cert(&spec, pool), NULL);
    unit_fails(crypto_key_read(&key, pem, strlen(pem), &err, pool),
               APR_EINVAL, "no private key in PEM");
    base_err_clear(&err);
    pem = fix_key_pem(spec.key, pool);
    unit_fails(crypto_key_read(&key, pem, strlen(pem) / 2, &err, pool),
               APR_EINVAL, "no private key in PEM");
    ck_assert_ptr_null(key);
}
END_TEST

/* An encrypted key is refused with what to do; no password is asked for. */
START_TEST(read_encrypted)
{
    EVP_PKEY *evp = fix_evp("P-256", pool);
    BIO *pkcs8 = BIO_new(BIO_s_mem());
    BIO *old = BIO_new(BIO_s_mem());
    crypto_key_t *key = NULL;
    const char *pem;

    ck_assert(PEM_write_bio_PKCS8PrivateKey(pkcs8, evp, EVP_aes_256_cbc(),
                                            FIX_PASSWORD,
                                            (int)strlen(FIX_PASSWORD), NULL,
                                            NULL));
    pem = fix_bio_text(pkcs8, pool);
    ck_assert_ptr_nonnull(strstr(pem, "ENCRYPTED"));
    unit_fails(crypto_key_read(&key, pem, strlen(pem), &err, pool),
               APR_EINVAL, "is encrypted: store it without a password");
    ck_assert_uint_eq(ERR_peek_error(), 0);
    base_err_clear(&err);
    ck_assert(PEM_write_bio_PrivateKey_traditional(
                  old, evp, EVP_aes_128_cbc(),
                  (const unsigned char *)FIX_PASSWORD,
                  (int)strlen(FIX_PASSWORD), NULL, NULL));
    pem = fix_bio_text(old, pool);
    ck_assert_ptr_nonnull(strstr(pem, "ENCRYPTED"));
    unit_fails(crypto_key_read(&key, pem, strlen(pem), &err, pool),
               APR_EINVAL, "is encrypted");
    ck_assert_ptr_null(key);
}
END_TEST

/* Keys that CAs do not take are refused with the list of those they do. */
START_TEST(read_type)
{
    EVP_PKEY *bad[4];
    crypto_key_t *key = NULL;
    const char *pem;
    int i;

    bad[0] = fix_evp("ED25519", pool);
    bad[1] = fix_evp("X25519", pool);
    bad[2] = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
    bad[3] = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1");
    for (i = 0; i < 4; i++) {
        base_err_clear(&err);
        pem = fix_key_pem(bad[i], pool);
        unit_fails(crypto_key_read(&key, pem, strlen(pem), &err, pool),
                   APR_EINVAL, "use P-256, P-384");
        ck_assert_uint_eq(ERR_peek_error(), 0);
    }
    ck_assert_ptr_null(key);
    EVP_PKEY_free(bad[2]);
    EVP_PKEY_free(bad[3]);
}
END_TEST

/* A key whose public half belongs to another one is refused: it would sign
 * what nobody can verify. */
START_TEST(read_halves)
{
    /* RFC 7515 A.3's d with another point of the curve (43 times the base
     * point) in traditional form, without checks by the encoder. */
    EVP_PKEY *evp = fix_ec("P-256",
                           "mGriUG8f8QTQQjCGHY9LSY9LxMbQCbMPdUTcEpuC0o0",
                           "ADzMwKZGDgrjKKTZfTx7YdhvxiicGJ8lJREMRBuwfpc",
                           "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
                           pool);
    const char *pem = fix_key_pem(evp, pool);
    crypto_key_t *key = NULL;

    unit_fails(crypto_key_read(&key, pem, strlen(pem), &err, pool),
               APR_EINVAL, "halves do not belong together");
    ck_assert_uint_eq(ERR_peek_error(), 0);
    ck_assert_ptr_null(key);
}
END_TEST

/* A text over 64 KiB is refused before anything of it is parsed. */
START_TEST(read_large)
{
    apr_size_t len = 64 * 1024 + 1;
    char *text = apr_palloc(pool, len);
    const char *pem = fix_key_pem(fix_evp("P-256", pool), pool);
    crypto_key_t *key = NULL;

    memset(text, '\n', len);
    memcpy(text, pem, strlen(pem));
    unit_fails(crypto_key_read(&key, text, len, &err, pool), APR_EINVAL,
               "larger than 65536 bytes");
    base_err_clear(&err);
    unit_ok(crypto_key_read(&key, text, len - 1, &err, pool));
}
END_TEST

/* The public key of a certificate cannot be written as a private one. */
START_TEST(write_public)
{
    crypto_key_t *key = fix_public(fix_evp("P-256", pool), pool);
    char *pem = NULL;
    apr_size_t len;

    unit_fails(crypto_key_write(&pem, &len, key, &err, pool), APR_EINVAL,
               "public key");
    ck_assert_ptr_null(pem);
}
END_TEST

/* The text of a written key is wiped before its pool's memory is used by
 * anybody else: the cleanup is observed while the memory is still there. */
static struct {
    const char *pem;
    apr_size_t len;
    int wiped;
} watched;

static apr_status_t watch(void *baton)
{
    apr_size_t i;

    watched.wiped = 1;
    for (i = 0; i < watched.len; i++) {
        if (watched.pem[i]) {
            watched.wiped = 0;
        }
    }
    return APR_SUCCESS;
}

START_TEST(write_wiped)
{
    apr_pool_t *sub;
    crypto_key_t *key;
    char *pem;

    unit_ok(crypto_key_generate(&key, CRYPTO_P256, &err, pool));
    apr_pool_create(&sub, pool);
    /* Cleanups run last in, first out: this one behind the wiping. */
    apr_pool_cleanup_register(sub, NULL, watch, apr_pool_cleanup_null);
    unit_ok(crypto_key_write(&pem, &watched.len, key, &err, sub));
    ck_assert(watched.len > 200);
    watched.pem = pem;
    apr_pool_destroy(sub);
    ck_assert_int_eq(watched.wiped, 1);
}
END_TEST

Suite *key_suite(void);

Suite *key_suite(void)
{
    Suite *suite = suite_create("key");
    TCase *tc = unit_case(suite, "names");

    tcase_add_test(tc, names_round);
    tcase_add_test(tc, names_unknown);
    tc = unit_case(suite, "generate");
    tcase_add_loop_test(tc, generate_write_read, 0, 6);
    tcase_add_test(tc, generate_differs);
    tcase_add_test(tc, equal_public);
    tc = unit_case(suite, "read");
    tcase_add_test(tc, read_traditional);
    tcase_add_test(tc, read_garbage);
    tcase_add_test(tc, read_other);
    tcase_add_test(tc, read_encrypted);
    tcase_add_test(tc, read_type);
    tcase_add_test(tc, read_halves);
    tcase_add_test(tc, read_large);
    tc = unit_case(suite, "write");
    tcase_add_test(tc, write_public);
    tcase_add_test(tc, write_wiped);
    return suite;
}
