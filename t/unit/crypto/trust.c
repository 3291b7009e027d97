/*
 * trust.c: where a served chain leads, and whom a certificate names.
 */
#include <openssl/err.h>

#include <apr_strings.h>

#include "unit.h"
#include "chain_rig.h"

static crypto_trust_t *trust_in(const char *pem)
{
    crypto_trust_t *trust = NULL;

    base_err_clear(&err);
    unit_ok(crypto_trust_make(&trust, pem, pem ? strlen(pem) : 0, &err,
                              pool));
    return trust;
}

/* Check a chain against roots (NULL: the system's) at a time. */
static apr_status_t check_at(const char *pem, const char *roots,
                             apr_time_t now)
{
    crypto_trust_t *trust = trust_in(roots);
    apr_array_header_t *certs = read_chain(pem);
    apr_status_t rv;

    base_err_clear(&err);
    rv = crypto_trust_check(trust, certs, now, &err);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return rv;
}

static apr_status_t check(const char *pem, const char *roots)
{
    return check_at(pem, roots, FIX_NOW);
}

static const char *root_pem(void)
{
    return fix_pem(pool, ca_cert, NULL);
}

/* A chain that leads to a root is fine, with the root in it or without. */
START_TEST(known_root)
{
    X509 *cert = fix_cert(&leaf, pool);

    unit_ok(check(fix_pem(pool, cert, sub_cert, NULL), root_pem()));
    unit_ok(check(fix_pem(pool, cert, sub_cert, ca_cert, NULL), root_pem()));
    leaf.issuer = ca_cert;
    leaf.issuer_key = ca.key;
    unit_ok(check(fix_pem(pool, fix_cert(&leaf, pool), NULL), root_pem()));
}
END_TEST

/* As clients do, what stands in another order, or has nothing to do with it,
 * is put up with where the root is known. */
START_TEST(disorder)
{
    X509 *cert = fix_cert(&leaf, pool);

    unit_ok(check(fix_pem(pool, cert, ca_cert, sub_cert, NULL), root_pem()));
}
END_TEST

/* A root that nobody here knows is no fault: the links are. */
START_TEST(unknown_root)
{
    X509 *cert = fix_cert(&leaf, pool);

    unit_fails(check(fix_pem(pool, cert, sub_cert, NULL), NULL),
               APR_NOTFOUND, "leads to no trust root");
    unit_fails(check(fix_pem(pool, cert, sub_cert, ca_cert, NULL), NULL),
               APR_NOTFOUND, "leads to no trust root");
    unit_fails(check(fix_pem(pool, cert, NULL), NULL), APR_NOTFOUND,
               "leads to no trust root");
    unit_fails(check(fix_pem(pool, cert, ca_cert, sub_cert, NULL), NULL),
               APR_EINVAL, "certificate 1 of the chain is not issued by "
               "certificate 2");
}
END_TEST

/* A self-signed certificate leads nowhere, unless it is a root itself. */
START_TEST(self_signed)
{
    const char *pem;

    leaf.issuer = NULL;
    leaf.issuer_key = NULL;
    pem = fix_pem(pool, fix_cert(&leaf, pool), NULL);
    unit_fails(check(pem, NULL), APR_NOTFOUND, "leads to no trust root");
    unit_ok(check(pem, pem));
    ck_assert_int_eq(crypto_cert_self_signed(
        APR_ARRAY_IDX(read_chain(pem), 0, crypto_cert_t *)), 1);
    ck_assert_int_eq(crypto_cert_self_signed(
        APR_ARRAY_IDX(read_chain(fix_pem(pool, sub_cert, NULL)), 0,
                      crypto_cert_t *)), 0);
}
END_TEST

/* A leaf without its intermediate does not reach a known root. */
START_TEST(missing_intermediate)
{
    unit_fails(check(fix_pem(pool, fix_cert(&leaf, pool), NULL), root_pem()),
               APR_NOTFOUND, "leads to no trust root");
}
END_TEST

/* A signature by another key than the issuer's is a fault, whether the root
 * is known or not. */
START_TEST(forged)
{
    X509 *cert;

    leaf.issuer_key = fix_evp("P-256", pool);
    cert = fix_cert(&leaf, pool);
    unit_fails(check(fix_pem(pool, cert, sub_cert, NULL), root_pem()),
               APR_EINVAL, "certificate 1 of the chain: ");
    unit_fails(check(fix_pem(pool, cert, sub_cert, NULL), NULL), APR_EINVAL,
               "certificate 1 of the chain");
}
END_TEST

/* Who is no CA certifies nobody. */
START_TEST(no_ca)
{
    sub.ca = 0;
    sub_cert = fix_cert(&sub, pool);
    leaf.issuer = sub_cert;
    unit_fails(check(fix_pem(pool, fix_cert(&leaf, pool), sub_cert, NULL),
                     root_pem()),
               APR_EINVAL, "certificate 2 of the chain: ");
}
END_TEST

/* What is not valid now is a fault, be it the leaf or its issuer. */
START_TEST(times)
{
    const char *pem = fix_pem(pool, fix_cert(&leaf, pool), sub_cert, NULL);

    unit_fails(check_at(pem, root_pem(),
                        FIX_NOW + apr_time_from_sec(2 * FIX_DAY)),
               APR_EINVAL, "expired");
    unit_fails(check_at(pem, NULL, FIX_NOW - apr_time_from_sec(2 * FIX_DAY)),
               APR_EINVAL, "not yet valid");
    sub.to = -10;
    sub_cert = fix_cert(&sub, pool);
    leaf.issuer = sub_cert;
    unit_fails(check(fix_pem(pool, fix_cert(&leaf, pool), sub_cert, NULL),
                     root_pem()),
               APR_EINVAL, "certificate 2 of the chain: certificate has "
               "expired");
}
END_TEST

/* A key that can be broken is no proof. */
START_TEST(weak_key)
{
    EVP_PKEY *weak = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)512);

    leaf.key = weak;
    unit_fails(check(fix_pem(pool, fix_cert(&leaf, pool), sub_cert, NULL),
                     root_pem()),
               APR_EINVAL, "key too weak");
    EVP_PKEY_free(weak);
}
END_TEST

/* A file of roots may hold text, as those that are sold do; it must hold
 * certificates, all whole. */
START_TEST(roots_file)
{
    crypto_trust_t *trust;
    const char *pem = root_pem();
    const char *text = apr_pstrcat(pool, "# our root\n", pem, "Subject: x\n",
                                   fix_pem(pool, sub_cert, NULL), NULL);

    unit_ok(check(fix_pem(pool, fix_cert(&leaf, pool), sub_cert, NULL),
                  text));
    base_err_clear(&err);
    unit_fails(crypto_trust_make(&trust, "", 0, &err, pool), APR_EINVAL,
               "no certificate");
    base_err_clear(&err);
    unit_fails(crypto_trust_make(&trust, "text\n", 5, &err, pool),
               APR_EINVAL, "no certificate");
    base_err_clear(&err);
    unit_fails(crypto_trust_make(&trust, pem, strlen(pem) / 2, &err, pool),
               APR_EINVAL, "broken");
    base_err_clear(&err);
    text = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    unit_fails(crypto_trust_make(&trust, text, strlen(text), &err, pool),
               APR_EINVAL, "broken");
    base_err_clear(&err);
    unit_fails(crypto_trust_make(&trust, pem, CRYPTO_ROOTS_MAX + 1, &err,
                                 pool),
               APR_EINVAL, "no certificate");
}
END_TEST

static int covers(const char *san, const char *name)
{
    apr_array_header_t *certs;

    leaf.san = san;
    certs = read_chain(fix_pem(pool, fix_cert(&leaf, pool), NULL));
    return crypto_cert_covers(APR_ARRAY_IDX(certs, 0, crypto_cert_t *),
                              name);
}

/* RFC 9525 6.3: dNSNames, case ignored; a wildcard is one whole label. */
START_TEST(names)
{
    ck_assert_int_eq(covers("DNS:a.example,DNS:b.example", "b.example"), 1);
    ck_assert_int_eq(covers("DNS:A.example", "a.EXAMPLE"), 1);
    ck_assert_int_eq(covers("DNS:*.example.org", "www.example.org"), 1);
    ck_assert_int_eq(covers("DNS:a.example", "b.example"), 0);
    ck_assert_int_eq(covers("DNS:a.example", "www.a.example"), 0);
    ck_assert_int_eq(covers("DNS:*.example.org", "example.org"), 0);
    ck_assert_int_eq(covers("DNS:*.example.org", "a.b.example.org"), 0);
    ck_assert_int_eq(covers("DNS:w*.example.org", "www.example.org"), 0);
    ck_assert_int_eq(covers("DNS:www.*.org", "www.example.org"), 0);
    ck_assert_int_eq(covers("IP:192.0.2.1", "192.0.2.1"), 0);
}
END_TEST

/* RFC 9525 2: the subject's common name counts for nothing. */
START_TEST(common_name)
{
    leaf.cn = "a.example";
    ck_assert_int_eq(covers(NULL, "a.example"), 0);
    ck_assert_int_eq(covers("DNS:b.example", "a.example"), 0);
}
END_TEST

Suite *trust_suite(void);
Suite *trust_suite(void)
{
    Suite *suite = suite_create("trust");
    TCase *tc = unit_case(suite, "trust");

    tcase_add_checked_fixture(tc, chain_setup, NULL);
    tcase_add_test(tc, known_root);
    tcase_add_test(tc, disorder);
    tcase_add_test(tc, unknown_root);
    tcase_add_test(tc, self_signed);
    tcase_add_test(tc, missing_intermediate);
    tcase_add_test(tc, forged);
    tcase_add_test(tc, no_ca);
    tcase_add_test(tc, times);
    tcase_add_test(tc, weak_key);
    tcase_add_test(tc, roots_file);
    tcase_add_test(tc, names);
    tcase_add_test(tc, common_name);
    return suite;
}
