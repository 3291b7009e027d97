/*
 * chain_check.c: only a chain that fits key, names and dates is installed.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <apr_strings.h>

#include "unit.h"
#include "chain_rig.h"

/* Check a chain for leaf's key, a.example and b.example at FIX_NOW. */
static apr_status_t check(const char *pem)
{
    apr_array_header_t *certs;
    apr_status_t rv;

    base_err_clear(&err);
    certs = read_chain(pem);
    rv = crypto_chain_check(certs, fix_key(leaf.key, pool),
                            fix_names(pool, "a.example", "b.example", NULL),
                            FIX_NOW, &err, pool);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return rv;
}

static apr_status_t check_names(const char *pem, apr_array_header_t *names)
{
    base_err_clear(&err);
    return crypto_chain_check(read_chain(pem), NULL, names, FIX_NOW, &err,
                              pool);
}

static apr_status_t check_at(const char *pem, apr_time_t now)
{
    base_err_clear(&err);
    return crypto_chain_check(read_chain(pem), NULL,
                              fix_names(pool, "a.example", "b.example",
                                        NULL), now, &err, pool);
}

/* A leaf alone, with its issuer, and with the root behind it, is fine. */
START_TEST(good)
{
    X509 *x509 = fix_cert(&leaf, pool);

    unit_ok(check(fix_pem(pool, x509, NULL)));
    unit_ok(check(fix_pem(pool, x509, sub_cert, NULL)));
    unit_ok(check(fix_pem(pool, x509, sub_cert, ca_cert, NULL)));
}
END_TEST

/* The certificate of another key is refused: of the same type or another. */
START_TEST(wrong_key)
{
    EVP_PKEY *ours = leaf.key;
    const char *pem;

    leaf.key = fix_evp("P-256", pool);
    pem = fix_pem(pool, fix_cert(&leaf, pool), sub_cert, NULL);
    leaf.key = ours;
    unit_fails(check(pem), APR_EINVAL, "is for another key");
    leaf.key = fix_evp("RSA", pool);
    pem = fix_pem(pool, fix_cert(&leaf, pool), sub_cert, NULL);
    leaf.key = ours;
    unit_fails(check(pem), APR_EINVAL, "is for another key");
    /* A CSR from outside: there is no key to compare with. */
    unit_ok(check_names(pem, fix_names(pool, "a.example", "b.example",
                                       NULL)));
}
END_TEST

/* Names are compared as sets, without regard to order, case or repeats. */
START_TEST(names_same)
{
    const char *pem;

    leaf.san = "DNS:B.EXAMPLE,DNS:a.Example,DNS:b.example";
    pem = fix_pem(pool, fix_cert(&leaf, pool), NULL);
    unit_ok(check(pem));
    unit_ok(check_names(pem, fix_names(pool, "b.example", "a.example",
                                       NULL)));
    unit_ok(check_names(pem, fix_names(pool, "A.EXAMPLE", "b.example",
                                       "a.example", NULL)));
}
END_TEST

/* A name that was ordered and is missing is refused by its name; neither a
 * CN, a wildcard, a parent nor a longer name stands in for it. */
START_TEST(names_missing)
{
    static const char *const sans[] = {
        "DNS:a.example", "DNS:a.example,DNS:*.example",
        "DNS:a.example,DNS:b.example.org", "DNS:a.example,DNS:bb.example",
        "DNS:a.example,DNS:b.exampl", "DNS:a.example,URI:b.example"
    };
    int i;

    leaf.cn = "b.example";
    for (i = 0; i < (int)(sizeof(sans) / sizeof(sans[0])); i++) {
        leaf.san = sans[i];
        unit_fails(check(fix_pem(pool, fix_cert(&leaf, pool), NULL)),
                   APR_EINVAL, "lacks b.example");
    }
    leaf.san = NULL;
    unit_fails(check(fix_pem(pool, fix_cert(&leaf, pool), NULL)), APR_EINVAL,
               "lacks a.example");
}
END_TEST

/* A name that was not ordered is refused, also one of another kind. */
START_TEST(names_extra)
{
    static const char *const sans[] = {
        "DNS:a.example,DNS:b.example,DNS:evil.example",
        "DNS:evil.example,DNS:a.example,DNS:b.example"
    };
    static const char *const others[] = {
        "DNS:a.example,DNS:b.example,IP:192.0.2.1",
        "DNS:a.example,DNS:b.example,email:a@a.example"
    };
    int i;

    for (i = 0; i < 2; i++) {
        leaf.san = sans[i];
        unit_fails(check(fix_pem(pool, fix_cert(&leaf, pool), NULL)),
                   APR_EINVAL, "names evil.example, which was not ordered");
        leaf.san = others[i];
        unit_fails(check(fix_pem(pool, fix_cert(&leaf, pool), NULL)),
                   APR_EINVAL, "names more than domains");
    }
}
END_TEST

/* An extra name is shown escaped; a malformed extension has no names. */
START_TEST(names_hostile)
{
    leaf.san = "DNS:a.example,DNS:b.example,DNS:c\x1b[2J.example";
    unit_fails(check(fix_pem(pool, fix_cert(&leaf, pool), NULL)), APR_EINVAL,
               "names c\\x1b[2j.example");
    leaf.san = "DER:05:00";
    unit_fails(check(fix_pem(pool, fix_cert(&leaf, pool), NULL)), APR_EINVAL,
               "subjectAltName is malformed");
}
END_TEST

/* A name with a NUL inside is not the name before the NUL. */
START_TEST(names_nul)
{
    static const unsigned char san[] = {
        0x30, 0x1b,
        0x82, 0x0e, 'a', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, '.', 'e',
        'v', 'l',
        0x82, 0x09, 'b', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e'
    };
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *ext;
    X509 *x509;

    leaf.san = NULL;
    x509 = fix_unsigned(&leaf, pool);
    ASN1_OCTET_STRING_set(value, san, (int)sizeof(san));
    ext = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, value);
    X509_add_ext(x509, ext, -1);
    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(value);
    unit_fails(check(fix_pem(pool, fix_sign(x509, &leaf), NULL)), APR_EINVAL,
               "lacks a.example");
}
END_TEST

/* An expired certificate is refused from its last second on. */
START_TEST(expired)
{
    const char *pem = fix_pem(pool, fix_cert(&leaf, pool), NULL);
    apr_time_t end = FIX_NOW + apr_time_from_sec(FIX_DAY);

    unit_ok(check_at(pem, end - 1));
    unit_fails(check_at(pem, end), APR_EINVAL,
               "the certificate expired at 2027-01-16T08:00:00Z");
    unit_fails(check_at(pem, end + apr_time_from_sec(FIX_DAY)), APR_EINVAL,
               "expired");
}
END_TEST

/* A certificate that begins in the future is refused, an hour of clock
 * difference aside. */
START_TEST(not_yet_valid)
{
    apr_time_t hour = apr_time_from_sec(3600);
    apr_time_t from = FIX_NOW - apr_time_from_sec(FIX_DAY);
    const char *pem = fix_pem(pool, fix_cert(&leaf, pool), NULL);

    unit_ok(check_at(pem, from));
    unit_ok(check_at(pem, from - hour));
    unit_fails(check_at(pem, from - hour - 1), APR_EINVAL,
               "not valid before 2027-01-14T08:00:00Z");
    ck_assert_ptr_nonnull(strstr(err.message, "clock"));
    unit_fails(check_at(pem, 0), APR_EINVAL, "not valid before");
}
END_TEST

/* A validity that ends before it begins, or at once, is none. */
START_TEST(validity_reversed)
{
    leaf.from = 1800;
    leaf.to = 600;
    unit_fails(check(fix_pem(pool, fix_cert(&leaf, pool), NULL)), APR_EINVAL,
               "before it begins");
    leaf.to = 1800;
    unit_fails(check(fix_pem(pool, fix_cert(&leaf, pool), NULL)), APR_EINVAL,
               "before it begins");
}
END_TEST

/* Issuers in the wrong order, of another chain or left out are refused. */
START_TEST(wrong_order)
{
    fix_spec_t other = { .cn = "other", .ca = 1 };
    X509 *x509 = fix_cert(&leaf, pool);

    other.key = fix_evp("P-256", pool);
    unit_fails(check(fix_pem(pool, x509, ca_cert, sub_cert, NULL)),
               APR_EINVAL, "certificate 1 of the chain is not issued by "
               "certificate 2");
    unit_fails(check(fix_pem(pool, x509, ca_cert, NULL)), APR_EINVAL,
               "not issued by certificate 2");
    unit_fails(check(fix_pem(pool, x509, fix_cert(&other, pool), NULL)),
               APR_EINVAL, "not issued by certificate 2");
    unit_fails(check(fix_pem(pool, x509, sub_cert, fix_cert(&other, pool),
                             NULL)), APR_EINVAL,
               "certificate 2 of the chain is not issued by certificate 3");
    unit_fails(check(fix_pem(pool, sub_cert, x509, NULL)), APR_EINVAL,
               "another key");
}
END_TEST

/* An issuer's name is not enough: its key must have signed. */
START_TEST(same_name)
{
    fix_spec_t twin = sub;
    X509 *x509 = fix_cert(&leaf, pool);

    twin.key = fix_evp("P-256", pool);
    unit_fails(check(fix_pem(pool, x509, fix_cert(&twin, pool), NULL)),
               APR_EINVAL, "not issued by certificate 2");
    twin.key = fix_evp("RSA", pool);
    unit_fails(check(fix_pem(pool, x509, fix_cert(&twin, pool), NULL)),
               APR_EINVAL, "not issued by certificate 2");
}
END_TEST

/* Nor is the key enough: clients look for the issuer by its name. */
START_TEST(same_key)
{
    fix_spec_t renamed = sub;

    renamed.cn = "another middle";
    unit_fails(check(fix_pem(pool, fix_cert(&leaf, pool),
                             fix_cert(&renamed, pool), NULL)),
               APR_EINVAL, "not issued by certificate 2");
}
END_TEST

/* A certificate that is no CA issues nothing, though it signed. */
START_TEST(no_ca)
{
    X509 *fake;

    sub.ca = 0;
    fake = fix_cert(&sub, pool);
    leaf.issuer = fake;
    unit_fails(check(fix_pem(pool, fix_cert(&leaf, pool), fake, NULL)),
               APR_EINVAL, "not issued by certificate 2");
}
END_TEST

/* A block that stands twice is refused, next to its twin or not, also a
 * root, which would sign itself. */
START_TEST(twice)
{
    X509 *x509 = fix_cert(&leaf, pool);

    unit_fails(check(fix_pem(pool, x509, x509, NULL)), APR_EINVAL,
               "certificates 1 and 2 of the chain are the same");
    unit_fails(check(fix_pem(pool, x509, sub_cert, sub_cert, NULL)),
               APR_EINVAL, "certificates 2 and 3");
    unit_fails(check(fix_pem(pool, x509, sub_cert, ca_cert, ca_cert, NULL)),
               APR_EINVAL, "certificates 3 and 4");
    unit_fails(check(fix_pem(pool, x509, sub_cert, x509, NULL)), APR_EINVAL,
               "certificates 1 and 3");
}
END_TEST

/* No certificate at all is no chain. */
START_TEST(empty)
{
    unit_fails(crypto_chain_check(apr_array_make(pool, 1, sizeof(void *)),
                                  NULL, fix_names(pool, "a.example", NULL),
                                  FIX_NOW, &err, pool), APR_EINVAL,
               "the chain is empty");
}
END_TEST

Suite *chain_check_suite(void);

Suite *chain_check_suite(void)
{
    Suite *suite = suite_create("chain_check");
    TCase *tc = unit_case(suite, "check");

    tcase_add_checked_fixture(tc, chain_setup, NULL);
    tcase_add_test(tc, good);
    tcase_add_test(tc, wrong_key);
    tcase_add_test(tc, names_same);
    tcase_add_test(tc, names_missing);
    tcase_add_test(tc, names_extra);
    tcase_add_test(tc, names_hostile);
    tcase_add_test(tc, names_nul);
    tcase_add_test(tc, expired);
    tcase_add_test(tc, not_yet_valid);
    tcase_add_test(tc, validity_reversed);
    tcase_add_test(tc, wrong_order);
    tcase_add_test(tc, same_name);
    tcase_add_test(tc, same_key);
    tcase_add_test(tc, no_ca);
    tcase_add_test(tc, twice);
    tcase_add_test(tc, empty);
    return suite;
}
