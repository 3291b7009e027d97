/*
 * csr.c: certificate requests are made, and read when others made them.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <apr_strings.h>

#include "unit.h"
#include "fixture.h"

static apr_status_t req_free(void *baton)
{
    X509_REQ_free(baton);
    return APR_SUCCESS;
}

/* A request of outside: cn nullable, san as in openssl.cnf, nullable. */
static X509_REQ *outside(EVP_PKEY *evp, const char *cn, const char *san)
{
    X509_REQ *req = X509_REQ_new();
    X509_EXTENSIONS *exts = NULL;
    X509_EXTENSION *ext;

    apr_pool_cleanup_register(pool, req, req_free, apr_pool_cleanup_null);
    X509_REQ_set_pubkey(req, evp);
    if (cn) {
        X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN",
                                   MBSTRING_UTF8, (const unsigned char *)cn,
                                   -1, -1, 0);
    }
    if (san) {
        ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
        ck_assert_ptr_nonnull(ext);
        X509v3_add_ext(&exts, ext, -1);
        X509_EXTENSION_free(ext);
        ck_assert(X509_REQ_add_extensions(req, exts));
        sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    }
    ck_assert(X509_REQ_sign(req, evp, EVP_PKEY_is_a(evp, "ED25519")
                                      ? NULL : EVP_sha256()));
    return req;
}

static const char *req_pem(X509_REQ *req)
{
    BIO *bio = BIO_new(BIO_s_mem());

    ck_assert(PEM_write_bio_X509_REQ(bio, req));
    return fix_bio_text(bio, pool);
}

/* Read text and give its names, joined by a blank. */
static const char *names_of(const char *text)
{
    apr_array_header_t *names;
    unsigned char *der;
    apr_size_t len;

    unit_ok(crypto_csr_read(&der, &len, &names, NULL, text, strlen(text),
                            &err, pool));
    return apr_array_pstrcat(pool, names, ' ');
}

static apr_status_t read_it(const char *text, apr_size_t text_len)
{
    apr_array_header_t *names;
    unsigned char *der;
    apr_size_t len;

    base_err_clear(&err);
    return crypto_csr_read(&der, &len, &names, NULL, text, text_len, &err,
                           pool);
}

/* OpenSSL reads back what was made: version 1, an empty subject, the key,
 * one extension with exactly the names in order, not critical, and a
 * signature that verifies. */
START_TEST(make_openssl)
{
    apr_array_header_t *names = fix_names(pool, "example.org",
                                          "*.example.org",
                                          "xn--bcher-kva.example", NULL);
    const unsigned char *at;
    X509_EXTENSIONS *exts;
    GENERAL_NAMES *san;
    crypto_key_t *key;
    unsigned char *der;
    X509_REQ *req;
    apr_size_t len;
    int crit;
    int i;

    unit_ok(crypto_key_generate(&key, (crypto_key_type_t)_i, &err, pool));
    unit_ok(crypto_csr_make(&der, &len, key, names, &err, pool));
    at = der;
    req = d2i_X509_REQ(NULL, &at, (long)len);
    ck_assert_ptr_nonnull(req);
    ck_assert_ptr_eq(at, der + len);
    ck_assert_int_eq(X509_REQ_get_version(req), 0);
    ck_assert_int_eq(X509_NAME_entry_count(X509_REQ_get_subject_name(req)),
                     0);
    ck_assert_int_eq(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)), 1);
    exts = X509_REQ_get_extensions(req);
    ck_assert_int_eq(sk_X509_EXTENSION_num(exts), 1);
    san = X509V3_get_d2i(exts, NID_subject_alt_name, &crit, NULL);
    ck_assert_int_eq(crit, 0);
    ck_assert_int_eq(sk_GENERAL_NAME_num(san), 3);
    for (i = 0; i < 3; i++) {
        GENERAL_NAME *name = sk_GENERAL_NAME_value(san, i);

        ck_assert_int_eq(name->type, GEN_DNS);
        ck_assert_str_eq((const char *)ASN1_STRING_get0_data(name->d.dNSName),
                         APR_ARRAY_IDX(names, i, const char *));
    }
    GENERAL_NAMES_free(san);
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    X509_REQ_free(req);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* A request is signed with the hash of its key: ES384 by SHA-384. */
START_TEST(make_digest)
{
    static const int nids[] = {
        NID_ecdsa_with_SHA256, NID_ecdsa_with_SHA384, NID_ecdsa_with_SHA512,
        NID_sha256WithRSAEncryption
    };
    const unsigned char *at;
    crypto_key_t *key;
    unsigned char *der;
    X509_REQ *req;
    apr_size_t len;

    unit_ok(crypto_key_generate(&key, (crypto_key_type_t)_i, &err, pool));
    unit_ok(crypto_csr_make(&der, &len, key, fix_names(pool, "a.example",
                                                       NULL), &err, pool));
    at = der;
    req = d2i_X509_REQ(NULL, &at, (long)len);
    ck_assert_int_eq(X509_REQ_get_signature_nid(req), nids[_i]);
    X509_REQ_free(req);
}
END_TEST

/* A certificate that is to be served with an OCSP response alone is asked
 * for by one more extension: RFC 7633's, SEQUENCE { 5 }. */
START_TEST(make_must_staple)
{
    static const unsigned char feature[] = { 0x30, 0x03, 0x02, 0x01, 0x05 };
    const ASN1_OCTET_STRING *value;
    const unsigned char *at;
    X509_EXTENSIONS *exts;
    X509_EXTENSION *ext;
    crypto_key_t *key;
    unsigned char *der;
    X509_REQ *req;
    apr_size_t len;

    unit_ok(crypto_key_generate(&key, CRYPTO_P256, &err, pool));
    unit_ok(crypto_csr_make_must_staple(&der, &len, key,
                                        fix_names(pool, "a.example", NULL),
                                        &err, pool));
    at = der;
    req = d2i_X509_REQ(NULL, &at, (long)len);
    ck_assert_int_eq(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)), 1);
    exts = X509_REQ_get_extensions(req);
    ck_assert_int_eq(sk_X509_EXTENSION_num(exts), 2);
    ext = X509v3_get_ext(exts, X509v3_get_ext_by_NID(exts, NID_tlsfeature,
                                                     -1));
    ck_assert(!X509_EXTENSION_get_critical(ext));
    value = X509_EXTENSION_get_data(ext);
    ck_assert_int_eq(ASN1_STRING_length(value), sizeof(feature));
    ck_assert(!memcmp(ASN1_STRING_get0_data(value), feature,
                      sizeof(feature)));
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    X509_REQ_free(req);
}
END_TEST

/* What was made can be read: same DER, names and key. */
START_TEST(make_read)
{
    apr_array_header_t *names;
    crypto_key_t *key;
    crypto_key_t *back;
    unsigned char *der;
    unsigned char *same;
    apr_size_t len;
    apr_size_t same_len;

    unit_ok(crypto_key_generate(&key, CRYPTO_P256, &err, pool));
    unit_ok(crypto_csr_make(&der, &len, key,
                            fix_names(pool, "b.example", "a.example", NULL),
                            &err, pool));
    unit_ok(crypto_csr_read(&same, &same_len, &names, &back,
                            (const char *)der, len, &err, pool));
    ck_assert_uint_eq(len, same_len);
    ck_assert_mem_eq(der, same, len);
    ck_assert_str_eq(apr_array_pstrcat(pool, names, ' '),
                     "b.example a.example");
    ck_assert(crypto_key_equal(key, back));
}
END_TEST

/* A hundred long names fit: nothing is cut off, CN's limit plays no part. */
START_TEST(make_many)
{
    apr_array_header_t *names = apr_array_make(pool, 100, sizeof(char *));
    apr_array_header_t *back;
    crypto_key_t *key;
    unsigned char *der;
    apr_size_t len;
    int i;

    for (i = 0; i < 100; i++) {
        APR_ARRAY_PUSH(names, const char *) = apr_psprintf(
            pool, "n%d.%060d.%060d.%060d.example", i, 1, 2, 3);
    }
    unit_ok(crypto_key_generate(&key, CRYPTO_P256, &err, pool));
    unit_ok(crypto_csr_make(&der, &len, key, names, &err, pool));
    unit_ok(crypto_csr_read(&der, &len, &back, NULL, (const char *)der, len,
                            &err, pool));
    ck_assert_str_eq(apr_array_pstrcat(pool, names, ' '),
                     apr_array_pstrcat(pool, back, ' '));
}
END_TEST

/* Without a name, with a name in capitals, with blanks, controls or bytes
 * that are not ASCII, nothing is made. */
START_TEST(make_refused)
{
    static const char *const bad[] = {
        "", "Example.org", "a b.example", "a\n.example", "b\xc3\xbc.example",
        " a.example", "a.example\x7f"
    };
    crypto_key_t *key;
    unsigned char *der = NULL;
    apr_size_t len;
    int i;

    unit_ok(crypto_key_generate(&key, CRYPTO_P256, &err, pool));
    unit_fails(crypto_csr_make(&der, &len, key, fix_names(pool, NULL), &err,
                               pool), APR_EINVAL, "needs a name");
    for (i = 0; i < (int)(sizeof(bad) / sizeof(bad[0])); i++) {
        base_err_clear(&err);
        unit_fails(crypto_csr_make(&der, &len, key,
                                   fix_names(pool, "a.example", bad[i],
                                             NULL), &err, pool),
                   APR_EINVAL, "cannot stand in a certificate request");
    }
    ck_assert_ptr_null(der);
}
END_TEST

/* A name cannot smuggle another one or another kind of entry in. */
START_TEST(make_injection)
{
    crypto_key_t *key;
    unsigned char *der;
    apr_size_t len;

    unit_ok(crypto_key_generate(&key, CRYPTO_P256, &err, pool));
    unit_ok(crypto_csr_make(&der, &len, key,
                            fix_names(pool, "a.example,dns:b.example", NULL),
                            &err, pool));
    unit_fails(read_it((const char *)der, len), APR_EINVAL,
               "a.example,dns:b.example");
}
END_TEST

/* A public key signs no request. */
START_TEST(make_public)
{
    unsigned char *der = NULL;
    apr_size_t len;

    unit_fails(crypto_csr_make(&der, &len,
                               fix_public(fix_evp("P-256", pool), pool),
                               fix_names(pool, "a.example", NULL), &err,
                               pool), APR_EINVAL, "public key");
    ck_assert_ptr_null(der);
}
END_TEST

/* PEM under both labels is read, also behind openssl req -text's text. */
START_TEST(read_pem)
{
    EVP_PKEY *evp = fix_evp("P-256", pool);
    const char *pem = req_pem(outside(evp, NULL, "DNS:a.example"));
    BIO *bio = BIO_new(BIO_s_mem());

    ck_assert_str_eq(names_of(pem), "a.example");
    ck_assert_str_eq(names_of(apr_pstrcat(pool, "Certificate Request:\n",
                                          pem, NULL)), "a.example");
    ck_assert(PEM_write_bio_X509_REQ_NEW(bio, outside(evp, NULL,
                                                      "DNS:b.example")));
    ck_assert_str_eq(names_of(fix_bio_text(bio, pool)), "b.example");
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* Names come in lower case and once each; a CN counts if it is a domain
 * name, wherever it stands, and is left out if it is none. */
START_TEST(read_names)
{
    EVP_PKEY *evp = fix_evp("P-256", pool);

    ck_assert_str_eq(names_of(req_pem(outside(
        evp, "A.example", "DNS:B.Example,DNS:*.c.EXAMPLE,DNS:b.example"))),
        "b.example *.c.example a.example");
    ck_assert_str_eq(names_of(req_pem(outside(
        evp, "a.EXAMPLE", "DNS:a.example"))), "a.example");
    ck_assert_str_eq(names_of(req_pem(outside(evp, "only.example", NULL))),
                     "only.example");
    ck_assert_str_eq(names_of(req_pem(outside(
        evp, "Example Inc.", "DNS:a.example"))), "a.example");
}
END_TEST

/* A request without a domain name is refused. */
START_TEST(read_nameless)
{
    EVP_PKEY *evp = fix_evp("P-256", pool);
    const char *pem = req_pem(outside(evp, NULL, NULL));

    unit_fails(read_it(pem, strlen(pem)), APR_EINVAL, "names no domain");
    pem = req_pem(outside(evp, "Example Inc.", NULL));
    unit_fails(read_it(pem, strlen(pem)), APR_EINVAL, "names no domain");
}
END_TEST

/* Addresses, mail and other entries are refused: an order for domains
 * cannot cover them, and the CA would refuse the whole request. */
START_TEST(read_others)
{
    static const char *const bad[] = {
        "DNS:a.example,IP:192.0.2.1", "email:a@a.example",
        "DNS:a.example,URI:https://a.example/"
    };
    EVP_PKEY *evp = fix_evp("P-256", pool);
    const char *pem;
    int i;

    for (i = 0; i < 3; i++) {
        pem = req_pem(outside(evp, NULL, bad[i]));
        unit_fails(read_it(pem, strlen(pem)), APR_EINVAL,
                   "more than domain names");
    }
}
END_TEST

/* Entries that are no domain names are refused and shown escaped. */
START_TEST(read_bad_names)
{
    static const char *const bad[] = {
        "DNS:a..example", "DNS:-a.example", "DNS:a.*.example", "DNS:a_b"
    };
    EVP_PKEY *evp = fix_evp("P-256", pool);
    const char *pem;
    int i;

    for (i = 0; i < 4; i++) {
        pem = req_pem(outside(evp, NULL, bad[i]));
        unit_fails(read_it(pem, strlen(pem)), APR_EINVAL,
                   "the certificate request cannot be used");
        ck_assert_ptr_nonnull(strstr(err.message, bad[i] + 4));
    }
    pem = req_pem(outside(evp, NULL, "DNS:a\x01.example"));
    unit_fails(read_it(pem, strlen(pem)), APR_EINVAL, "a\\x01.example");
}
END_TEST

/* One changed byte breaks the request's own signature. */
START_TEST(read_signature)
{
    X509_REQ *req = outside(fix_evp("P-256", pool), NULL, "DNS:a.example");
    unsigned char *der = NULL;
    int len = i2d_X509_REQ(req, &der);
    char *copy = apr_pmemdup(pool, der, (apr_size_t)len);
    char *name;

    OPENSSL_free(der);
    for (name = copy; memcmp(name, "a.example", 9) != 0; name++) {
        ck_assert(name < copy + len - 9);
    }
    unit_ok(read_it(copy, (apr_size_t)len));
    *name = 'b';
    unit_fails(read_it(copy, (apr_size_t)len), APR_EINVAL,
               "signature does not verify");
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* What is no request, is cut short, or has bytes behind it, is refused. */
START_TEST(read_garbage)
{
    static const char *const bad[] = {
        "", "0", "text", "-----BEGIN CERTIFICATE REQUEST-----\n",
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"
         "-----END CERTIFICATE REQUEST-----\n")
    };
    X509_REQ *req = outside(fix_evp("P-256", pool), NULL, "DNS:a.example");
    fix_spec_t spec = { .cn = "x" };
    unsigned char *der = NULL;
    apr_size_t len = (apr_size_t)i2d_X509_REQ(req, &der);
    char *copy = apr_pcalloc(pool, len + 1);
    const char *pem;
    int i;

    memcpy(copy, der, len);
    OPENSSL_free(der);
    for (i = 0; i < (int)(sizeof(bad) / sizeof(bad[0])); i++) {
        unit_fails(read_it(bad[i], strlen(bad[i])), APR_EINVAL,
                   "no certificate request");
        ck_assert_uint_eq(ERR_peek_error(), 0);
    }
    unit_fails(read_it(copy, len - 1), APR_EINVAL, "no certificate request");
    unit_fails(read_it(copy, len + 1), APR_EINVAL, "no certificate request");
    spec.key = fix_evp("P-256", pool);
    pem = fix_pem(pool, fix_cert(&spec, pool), NULL);
    unit_fails(read_it(pem, strlen(pem)), APR_EINVAL,
               "no certificate request");
}
END_TEST

/* A file over 64 KiB is refused before it is parsed. */
START_TEST(read_large)
{
    apr_size_t len = 64 * 1024 + 1;
    char *text = apr_palloc(pool, len);
    const char *pem = req_pem(outside(fix_evp("P-256", pool), NULL,
                                      "DNS:a.example"));

    memset(text, '\n', len);
    memcpy(text, pem, strlen(pem));
    unit_fails(read_it(text, len), APR_EINVAL, "larger than 65536 bytes");
    unit_ok(read_it(text, len - 1));
}
END_TEST

/* A key that CAs do not take stops whoever wants the key. */
START_TEST(read_key_type)
{
    const char *pem = req_pem(outside(fix_evp("ED25519", pool), NULL,
                                      "DNS:a.example"));
    apr_array_header_t *names;
    crypto_key_t *key = NULL;
    unsigned char *der;
    apr_size_t len;

    unit_ok(read_it(pem, strlen(pem)));
    unit_fails(crypto_csr_read(&der, &len, &names, &key, pem, strlen(pem),
                               &err, pool), APR_EINVAL,
               "the certificate request's key is of a type");
    ck_assert_ptr_null(key);
}
END_TEST

/* A malformed subjectAltName is not taken for a missing one, which would
 * leave the CN to decide. */
START_TEST(read_malformed_san)
{
    EVP_PKEY *evp = fix_evp("P-256", pool);
    static const char *const values[] = { "DER:05:00", "DER:30:03:82:01" };
    const char *pem;
    int i;

    for (i = 0; i < 2; i++) {
        pem = req_pem(outside(evp, "a.example", values[i]));
        unit_fails(read_it(pem, strlen(pem)), APR_EINVAL,
                   "subjectAltName is malformed");
        ck_assert_uint_eq(ERR_peek_error(), 0);
    }
}
END_TEST

/* Nor is a second one beside the first. */
START_TEST(read_two_sans)
{
    EVP_PKEY *evp = fix_evp("P-256", pool);
    X509_REQ *req = outside(evp, "a.example", NULL);
    X509_EXTENSIONS *exts = NULL;
    X509_EXTENSION *ext;
    const char *pem;

    ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
                              "DNS:a.example");
    X509v3_add_ext(&exts, ext, -1);
    X509v3_add_ext(&exts, ext, -1);
    X509_EXTENSION_free(ext);
    ck_assert(X509_REQ_add_extensions(req, exts));
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    ck_assert(X509_REQ_sign(req, evp, EVP_sha256()));
    pem = req_pem(req);
    unit_fails(read_it(pem, strlen(pem)), APR_EINVAL,
               "subjectAltName is malformed");
}
END_TEST

Suite *csr_suite(void);

Suite *csr_suite(void)
{
    Suite *suite = suite_create("csr");
    TCase *tc = unit_case(suite, "make");

    tcase_add_loop_test(tc, make_openssl, 0, 4);
    tcase_add_test(tc, make_must_staple);
    tcase_add_loop_test(tc, make_digest, 0, 4);
    tcase_add_test(tc, make_read);
    tcase_add_test(tc, make_many);
    tcase_add_test(tc, make_refused);
    tcase_add_test(tc, make_injection);
    tcase_add_test(tc, make_public);
    tc = unit_case(suite, "read");
    tcase_add_test(tc, read_pem);
    tcase_add_test(tc, read_names);
    tcase_add_test(tc, read_nameless);
    tcase_add_test(tc, read_others);
    tcase_add_test(tc, read_bad_names);
    tcase_add_test(tc, read_signature);
    tcase_add_test(tc, read_garbage);
    tcase_add_test(tc, read_large);
    tcase_add_test(tc, read_key_type);
    tcase_add_test(tc, read_malformed_san);
    tcase_add_test(tc, read_two_sans);
    return suite;
}
