/*
 * cert.c: certificates in PEM and DER, and what they say.
 */
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <apr_strings.h>

#include "unit.h"
#include "fixture.h"

/* The room's certificate of x509. */
static crypto_cert_t *room_cert(X509 *x509)
{
    apr_array_header_t *certs;
    char *pem = fix_pem(pool, x509, NULL);

    unit_ok(crypto_chain_read(&certs, pem, strlen(pem), &err, pool));
    return APR_ARRAY_IDX(certs, 0, crypto_cert_t *);
}

static crypto_cert_info_t info_of(X509 *x509)
{
    crypto_cert_info_t info;

    unit_ok(crypto_cert_info(&info, room_cert(x509), &err, pool));
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return info;
}

/* PEM and DER are the bytes that were read, and OpenSSL's. */
START_TEST(pem_der)
{
    fix_spec_t spec = { .cn = "x", .san = "DNS:a.example" };
    unsigned char *der;
    unsigned char *ours;
    apr_size_t len;
    X509 *x509;
    char *pem;
    int der_len;

    spec.key = fix_evp("P-256", pool);
    x509 = fix_cert(&spec, pool);
    unit_ok(crypto_cert_pem(&pem, room_cert(x509), &err, pool));
    ck_assert_str_eq(pem, fix_pem(pool, x509, NULL));
    unit_ok(crypto_cert_der(&ours, &len, room_cert(x509), &err, pool));
    der = NULL;
    der_len = i2d_X509(x509, &der);
    ck_assert_int_eq((int)len, der_len);
    ck_assert_mem_eq(ours, der, len);
    OPENSSL_free(der);
}
END_TEST

/* The public key of a certificate has its type; one that is not handled is
 * refused by that name. */
START_TEST(public_key)
{
    fix_spec_t spec = { .cn = "x" };
    crypto_key_t *key = NULL;

    spec.key = fix_evp("P-384", pool);
    unit_ok(crypto_cert_key(&key, room_cert(fix_cert(&spec, pool)), &err,
                            pool));
    ck_assert_int_eq(crypto_key_type(key), CRYPTO_P384);
    ck_assert(crypto_key_equal(key, fix_key(spec.key, pool)));
    key = NULL;
    spec.key = fix_evp("ED25519", pool);
    unit_fails(crypto_cert_key(&key, room_cert(fix_cert(&spec, pool)), &err,
                               pool), APR_EINVAL,
               "the certificate's key is of a type");
    ck_assert_ptr_null(key);
}
END_TEST

/* An ordinary leaf: names, issuer, validity, fingerprint, key type. */
START_TEST(info_leaf)
{
    fix_spec_t ca = { .cn = "Example CA, R1", .ca = 1 };
    fix_spec_t spec = { .san = "DNS:B.example,DNS:*.a.example" };
    unsigned char hash[EVP_MAX_MD_SIZE];
    crypto_cert_info_t info;
    unsigned int len;
    char *hex;
    X509 *x509;

    ca.key = fix_evp("P-256", pool);
    spec.key = fix_evp("RSA", pool);
    spec.issuer = fix_cert(&ca, pool);
    spec.issuer_key = ca.key;
    spec.from = -1;
    spec.to = 90 * FIX_DAY;
    x509 = fix_unsigned(&spec, pool);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 0xabc);
    fix_sign(x509, &spec);
    info = info_of(x509);
    ck_assert_str_eq(info.subject, "");
    ck_assert_str_eq(info.issuer, "Example CA, R1");
    ck_assert_str_eq(info.serial, "0abc");
    ck_assert_str_eq(info.key_type, "RSA-2048");
    ck_assert_int_eq(info.not_before, FIX_NOW - apr_time_from_sec(1));
    ck_assert_int_eq(info.not_after,
                     FIX_NOW + apr_time_from_sec((apr_time_t)90 * FIX_DAY));
    ck_assert_int_eq(info.names->nelts, 2);
    ck_assert_str_eq(apr_array_pstrcat(pool, info.names, ' '),
                     "b.example *.a.example");
    ck_assert(X509_digest(x509, EVP_sha256(), hash, &len));
    hex = apr_pcalloc(pool, 65);
    ck_assert(OPENSSL_buf2hexstr_ex(hex, 65, NULL, hash, len, '\0'));
    ck_assert_int_eq(strcasecmp(info.sha256, hex), 0);
    ck_assert_uint_eq(strspn(info.sha256, "0123456789abcdef"), 64);
}
END_TEST

/* Names that strangers chose cannot break a line or draw on a terminal:
 * what is not printable ASCII is escaped. */
START_TEST(info_escaped)
{
    fix_spec_t spec = { .cn = "a\n\x1b[31m\xc3\xbc,b" };
    crypto_cert_info_t info;
    const char *c;

    spec.key = fix_evp("P-256", pool);
    info = info_of(fix_cert(&spec, pool));
    ck_assert_str_eq(info.subject, "CN=a\\0A\\1B[31m\\C3\\BC\\,b");
    ck_assert_str_eq(info.issuer, "a\\0A\\1B[31m\\C3\\BC,b");
    for (c = info.subject; *c; c++) {
        ck_assert(*c >= ' ' && *c < 0x7f);
    }
}
END_TEST

/* An issuer without a CN is named by its whole subject; of several CNs the
 * last one counts. */
START_TEST(info_issuer)
{
    fix_spec_t spec = { .cn = NULL };
    crypto_cert_info_t info;
    X509_NAME *name;
    X509 *x509;

    spec.key = fix_evp("P-256", pool);
    x509 = fix_unsigned(&spec, pool);
    name = X509_NAME_new();
    X509_NAME_add_entry_by_txt(name, "C", MBSTRING_ASC,
                               (const unsigned char *)"DE", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
                               (const unsigned char *)"Example", -1, -1, 0);
    X509_set_issuer_name(x509, name);
    info = info_of(fix_sign(x509, &spec));
    ck_assert_str_eq(info.issuer, "O=Example,C=DE");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"one", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"two", -1, -1, 0);
    X509_set_issuer_name(x509, name);
    info = info_of(fix_sign(x509, &spec));
    ck_assert_str_eq(info.issuer, "two");
    X509_NAME_free(name);
}
END_TEST

/* Serials keep their zeros, are never cut, and show a sign if they must. */
START_TEST(info_serial)
{
    static const struct {
        const char *hex;
        const char *text;
    } serials[] = {
        { "0", "00" }, { "7f", "7f" }, { "80", "80" }, { "0100", "0100" },
        { "ffffffffffffffffffffffffffffffffffffffff",
          "ffffffffffffffffffffffffffffffffffffffff" },
        { "-1f", "-1f" }
    };
    fix_spec_t spec = { .cn = "x" };
    int i;

    spec.key = fix_evp("P-256", pool);
    for (i = 0; i < (int)(sizeof(serials) / sizeof(serials[0])); i++) {
        X509 *x509 = fix_unsigned(&spec, pool);
        BIGNUM *bn = NULL;

        BN_hex2bn(&bn, serials[i].hex);
        BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x509));
        BN_free(bn);
        ck_assert_str_eq(info_of(fix_sign(x509, &spec)).serial,
                         serials[i].text);
    }
}
END_TEST

/* Dates before 1970 and behind 2038 are right to the second. */
START_TEST(info_dates)
{
    fix_spec_t spec = { .cn = "x" };
    crypto_cert_info_t info;
    X509 *x509;

    spec.key = fix_evp("P-256", pool);
    x509 = fix_unsigned(&spec, pool);
    ck_assert(ASN1_TIME_set_string_X509(X509_getm_notBefore(x509),
                                        "500101000000Z"));
    ck_assert(ASN1_TIME_set_string_X509(X509_getm_notAfter(x509),
                                        "99991231235959Z"));
    info = info_of(fix_sign(x509, &spec));
    ck_assert_int_eq(apr_time_sec(info.not_before), -631152000);
    ck_assert_int_eq(apr_time_sec(info.not_after), 253402300799);
}
END_TEST

/* Validity that is no date is an error, not the year 1970. */
START_TEST(info_bad_dates)
{
    fix_spec_t spec = { .cn = "x" };
    crypto_cert_info_t info;
    X509 *x509;

    spec.key = fix_evp("P-256", pool);
    x509 = fix_unsigned(&spec, pool);
    ASN1_STRING_set(X509_getm_notAfter(x509), "991331235959Z", 13);
    fix_sign(x509, &spec);
    unit_fails(crypto_cert_info(&info, room_cert(x509), &err, pool),
               APR_EINVAL, "validity is malformed");
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* A NUL inside a dNSName is shown, not taken for the name's end; names of
 * other kinds are no dNSNames. */
START_TEST(info_names)
{
    static const unsigned char san[] = {
        0x30, 0x1a,
        0x82, 0x0d, 'a', '.', 'e', 'x', 0, '.', 'e', 'v', 'i', 'l', '.',
        'e', 'x',
        0x87, 0x04, 192, 0, 2, 1,
        0x82, 0x03, 'B', '\\', '.'
    };
    fix_spec_t spec = { .cn = "x" };
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    crypto_cert_info_t info;
    X509_EXTENSION *ext;
    X509 *x509;

    spec.key = fix_evp("P-256", pool);
    x509 = fix_unsigned(&spec, pool);
    ASN1_OCTET_STRING_set(value, san, (int)sizeof(san));
    ext = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, value);
    X509_add_ext(x509, ext, -1);
    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(value);
    info = info_of(fix_sign(x509, &spec));
    ck_assert_str_eq(apr_array_pstrcat(pool, info.names, ' '),
                     "a.ex\\x00.evil.ex b\\x5c.");
}
END_TEST

/* A certificate without names has none; one with a malformed or a doubled
 * extension is an error. */
START_TEST(info_no_names)
{
    fix_spec_t spec = { .cn = "x" };
    crypto_cert_info_t info;
    X509 *x509;
    int i;

    spec.key = fix_evp("ED25519", pool);
    info = info_of(fix_cert(&spec, pool));
    ck_assert_int_eq(info.names->nelts, 0);
    ck_assert_str_eq(info.key_type, "other");
    spec.san = "DER:05:00";
    unit_fails(crypto_cert_info(&info, room_cert(fix_cert(&spec, pool)),
                                &err, pool), APR_EINVAL,
               "subjectAltName is malformed");
    base_err_clear(&err);
    spec.san = "DNS:a.example";
    x509 = fix_unsigned(&spec, pool);
    i = X509_get_ext_by_NID(x509, NID_subject_alt_name, -1);
    X509_add_ext(x509, X509_get_ext(x509, i), -1);
    fix_sign(x509, &spec);
    unit_fails(crypto_cert_info(&info, room_cert(x509), &err, pool),
               APR_EINVAL, "subjectAltName is malformed");
}
END_TEST

Suite *cert_suite(void);

Suite *cert_suite(void)
{
    Suite *suite = suite_create("cert");
    TCase *tc = unit_case(suite, "forms");

    tcase_add_test(tc, pem_der);
    tcase_add_test(tc, public_key);
    tc = unit_case(suite, "info");
    tcase_add_test(tc, info_leaf);
    tcase_add_test(tc, info_escaped);
    tcase_add_test(tc, info_issuer);
    tcase_add_test(tc, info_serial);
    tcase_add_test(tc, info_dates);
    tcase_add_test(tc, info_bad_dates);
    tcase_add_test(tc, info_names);
    tcase_add_test(tc, info_no_names);
    return suite;
}
