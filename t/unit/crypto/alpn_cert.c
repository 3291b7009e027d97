/*
 * alpn_cert.c: what CAs look for in the certificate of a tls-alpn-01
 * challenge, in the way they do it: extension by extension, byte by byte.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <apr_strings.h>

#include "unit.h"
#include "fixture.h"

#define KEYAUTH "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA." \
                "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"

static apr_status_t x509_free(void *baton)
{
    X509_free(baton);
    return APR_SUCCESS;
}

static X509 *make_with(crypto_key_type_t type, const char *name,
                       const char *keyauth)
{
    crypto_key_t *key;
    char *pem;
    X509 *x509;
    BIO *bio;

    unit_ok(crypto_key_generate(&key, type, &err, pool));
    unit_ok(crypto_alpn_cert(&pem, key, name, keyauth, FIX_NOW, &err, pool));
    bio = BIO_new_mem_buf(pem, -1);
    x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    ck_assert_ptr_nonnull(x509);
    ck_assert_int_eq(BIO_eof(bio), 1);
    BIO_free(bio);
    apr_pool_cleanup_register(pool, x509, x509_free, apr_pool_cleanup_null);
    return x509;
}

static const crypto_key_type_t types[] = { CRYPTO_P256, CRYPTO_RSA2048 };

/* The extension of an OID; fails if it is not there exactly once. */
static X509_EXTENSION *extension(X509 *x509, const char *oid)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    int at = X509_get_ext_by_OBJ(x509, object, -1);

    ck_assert_int_ne(at, -1);
    ck_assert_int_eq(X509_get_ext_by_OBJ(x509, object, at), -1);
    ASN1_OBJECT_free(object);
    return X509_get_ext(x509, at);
}

static void ext_is(X509_EXTENSION *ext, const void *bytes, size_t len)
{
    ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(ext);

    ck_assert_int_eq(ASN1_STRING_length(value), (int)len);
    ck_assert_mem_eq(ASN1_STRING_get0_data(value), bytes, len);
}

/* acmeIdentifier is critical, and its value is 04 20 and the SHA-256 of the
 * key authorization: RFC 8737 3. */
START_TEST(identifier_is_exact)
{
    X509 *x509 = make_with(types[_i], "example.org", KEYAUTH);
    X509_EXTENSION *ext = extension(x509, "1.3.6.1.5.5.7.1.31");
    unsigned char want[34] = { 0x04, 0x20 };

    SHA256((const unsigned char *)KEYAUTH, strlen(KEYAUTH), want + 2);
    ck_assert_int_eq(X509_EXTENSION_get_critical(ext), 1);
    ext_is(ext, want, sizeof(want));
}
END_TEST

/* subjectAltName is one dNSName in lower case and nothing else; there is no
 * third extension. */
START_TEST(name_is_exact)
{
    static const char want[] = "\x30\x0d\x82\x0b" "example.org";
    X509 *x509 = make_with(types[_i], "Example.ORG", KEYAUTH);

    ext_is(extension(x509, "2.5.29.17"), want, sizeof(want) - 1);
    ck_assert_int_eq(X509_get_ext_count(x509), 2);
}
END_TEST

/* It signs itself: subject and issuer are the same bytes, the signature
 * verifies by its own key, and neither holds the name. */
START_TEST(signs_itself)
{
    X509 *x509 = make_with(types[_i], "example.org", KEYAUTH);
    const unsigned char *subject, *issuer;
    size_t subject_len, issuer_len;
    char text[200];

    X509_NAME_get0_der(X509_get_subject_name(x509), &subject, &subject_len);
    X509_NAME_get0_der(X509_get_issuer_name(x509), &issuer, &issuer_len);
    ck_assert_uint_eq(subject_len, issuer_len);
    ck_assert_mem_eq(subject, issuer, issuer_len);
    ck_assert_int_gt(X509_NAME_entry_count(X509_get_subject_name(x509)), 0);
    X509_NAME_oneline(X509_get_subject_name(x509), text, sizeof(text));
    ck_assert_ptr_null(strstr(text, "example"));
    ck_assert_int_eq(X509_verify(x509, X509_get0_pubkey(x509)), 1);
    ck_assert_int_eq(X509_get_version(x509), X509_VERSION_3);
    ck_assert_int_eq(EVP_PKEY_is_a(X509_get0_pubkey(x509),
                                   _i == 0 ? "EC" : "RSA"), 1);
}
END_TEST

/* A clock that is a day off on either side makes it no less valid. */
START_TEST(dates_allow_for_skew)
{
    X509 *x509 = make_with(CRYPTO_P256, "example.org", KEYAUTH);
    time_t early = FIX_NOW_SECONDS - FIX_DAY + 1;
    time_t late = FIX_NOW_SECONDS + FIX_DAY;

    ck_assert_int_eq(X509_cmp_time(X509_get0_notBefore(x509), &early), -1);
    ck_assert_int_eq(X509_cmp_time(X509_get0_notAfter(x509), &late), 1);
}
END_TEST

/* Numbers are positive, at most 20 octets, and no two are the same. */
START_TEST(serials_differ)
{
    X509 *a = make_with(CRYPTO_P256, "example.org", KEYAUTH);
    X509 *b = make_with(CRYPTO_P256, "example.org", KEYAUTH);
    const ASN1_INTEGER *serial = X509_get0_serialNumber(a);

    ck_assert_int_ne(ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(b)), 0);
    ck_assert_int_eq(serial->type & V_ASN1_NEG, 0);
    ck_assert_int_le(serial->length, 20);
}
END_TEST

/* The longest name fits: it does not stand in the subject. */
START_TEST(longest_name)
{
    char name[254];
    int i;

    for (i = 0; i < 253; i++) {
        name[i] = i % 50 == 49 ? '.' : 'a';
    }
    name[253] = '\0';
    make_with(CRYPTO_RSA2048, name, KEYAUTH);
}
END_TEST

/* Two key authorizations, two certificates. */
START_TEST(keyauth_counts)
{
    X509 *x509 = make_with(CRYPTO_P256, "example.org", "other");
    unsigned char want[34] = { 0x04, 0x20 };

    SHA256((const unsigned char *)"other", 5, want + 2);
    ext_is(extension(x509, "1.3.6.1.5.5.7.1.31"), want, sizeof(want));
}
END_TEST

/* A wildcard cannot be proved so, and what is no name at all is refused. */
START_TEST(other_names_are_refused)
{
    static const char *const bad[] = {
        "*.example.org", "", "a", "a b.example", "example.org\n",
        "192.0.2.1", "b\xc3\xbc" "cher.example"
    };
    crypto_key_t *key;
    apr_size_t i;
    char *pem;

    unit_ok(crypto_key_generate(&key, CRYPTO_P256, &err, pool));
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        base_err_clear(&err);
        ck_assert_msg(crypto_alpn_cert(&pem, key, bad[i], KEYAUTH, FIX_NOW,
                                       &err, pool) == APR_EINVAL, "%s",
                      bad[i]);
        ck_assert_str_ne(err.message, "");
    }
}
END_TEST

/* A public key signs nothing. */
START_TEST(needs_a_private_key)
{
    crypto_key_t *key = fix_public(fix_evp("P-256", pool), pool);
    char *pem;

    unit_fails(crypto_alpn_cert(&pem, key, "example.org", KEYAUTH, FIX_NOW,
                                &err, pool), APR_EGENERAL, "example.org");
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

Suite *alpn_cert_suite(void);
Suite *alpn_cert_suite(void)
{
    Suite *suite = suite_create("alpn_cert");
    TCase *tc = unit_case(suite, "make");

    tcase_add_loop_test(tc, identifier_is_exact, 0, 2);
    tcase_add_loop_test(tc, name_is_exact, 0, 2);
    tcase_add_loop_test(tc, signs_itself, 0, 2);
    tcase_add_test(tc, dates_allow_for_skew);
    tcase_add_test(tc, serials_differ);
    tcase_add_test(tc, longest_name);
    tcase_add_test(tc, keyauth_counts);
    tcase_add_test(tc, other_names_are_refused);
    tcase_add_test(tc, needs_a_private_key);
    return suite;
}
