/* From the segment's text to what OpenSSL can serve. */
#include "unit.h"
#include "cert_parse.h"
#include "pem_rig.h"

static apr_status_t parsed_cleanup(void *parsed)
{
    acme_parsed_free(parsed);
    return APR_SUCCESS;
}

/* Parse; it must succeed. Freed with the pool. */
static acme_parsed_t *parse(const char *chain, const char *key,
                            const acme_parsed_t *last)
{
    acme_parsed_t *parsed;
    const char *fault = acme_parse(&parsed, chain, strlen(chain), key,
                                   strlen(key), last);

    ck_assert_msg(!fault, "%s", fault);
    apr_pool_cleanup_register(pool, parsed, parsed_cleanup,
                              apr_pool_cleanup_null);
    return parsed;
}

static void fails(const char *chain, const char *key, const char *text)
{
    acme_parsed_t *parsed;
    const char *fault = acme_parse(&parsed, chain, strlen(chain), key,
                                   strlen(key), NULL);

    ck_assert_ptr_nonnull(fault);
    ck_assert_str_eq(fault, text);
    ck_assert_ptr_null(parsed);
    ERR_clear_error();
}

/* Every kind of key that ACMEPrivateKeys knows, one after the other and
 * again, and others that OpenSSL knows, in each form of PEM. */
START_TEST(parses_every_key)
{
    static const char *const types[] = { "P-256", "P-384", "RSA", "P-256",
                                         "P-521", "RSA", NULL };
    int i;

    for (i = 0; types[i]; i++) {
        EVP_PKEY *key = fix_evp(types[i], pool);
        X509 *cert = pem_cert(key);
        const char *chain = fix_pem(pool, cert, NULL);
        acme_parsed_t *parsed = parse(chain, pem_key(key), NULL);

        ck_assert_int_eq(EVP_PKEY_eq(parsed->key, key), 1);
        ck_assert_int_eq(X509_cmp(parsed->leaf, cert), 0);
        ck_assert_int_eq(sk_X509_num(parsed->chain), 0);
        parsed = parse(chain, fix_key_pem(key, pool), NULL);
        ck_assert_int_eq(EVP_PKEY_eq(parsed->key, key), 1);
    }
}
END_TEST

/* A key can be used as soon as it is parsed: it signs what its certificate
 * verifies. */
START_TEST(keys_sign)
{
    EVP_PKEY *key = fix_evp("P-256", pool);
    acme_parsed_t *parsed = parse(fix_pem(pool, pem_cert(key), NULL),
                                  pem_key(key), NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char sig[200];
    size_t len = sizeof(sig);

    ck_assert_int_eq(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL,
                                        parsed->key), 1);
    ck_assert_int_eq(EVP_DigestSign(ctx, sig, &len,
                                    (const unsigned char *)"x", 1), 1);
    EVP_MD_CTX_reset(ctx);
    ck_assert_int_eq(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL,
                                          X509_get0_pubkey(parsed->leaf)),
                     1);
    ck_assert_int_eq(EVP_DigestVerify(ctx, sig, len,
                                      (const unsigned char *)"x", 1), 1);
    EVP_MD_CTX_free(ctx);
}
END_TEST

/* Issuers that stay are not parsed again, and outlive the certificate they
 * came with; others are, however much alike. */
START_TEST(shares_issuers)
{
    EVP_PKEY *key = fix_evp("P-256", pool);
    char *leaf = fix_pem(pool, pem_cert(key), NULL);
    char *next = fix_pem(pool, pem_cert(key), NULL);
    char *ca = pem_issuer("one"), *other = pem_issuer("two");
    char *text = pem_key(key), *chain = apr_pstrcat(pool, leaf, ca, NULL);
    acme_parsed_t *first, *then, *two;

    ck_assert_ptr_null(acme_parse(&first, chain, strlen(chain), text,
                                  strlen(text), NULL));
    then = parse(apr_pstrcat(pool, next, ca, NULL), text, first);
    ck_assert_ptr_ne(then->leaf, first->leaf);
    ck_assert_ptr_eq(sk_X509_value(then->chain, 0),
                     sk_X509_value(first->chain, 0));
    two = parse(apr_pstrcat(pool, next, ca, other, NULL), text, first);
    ck_assert_int_eq(sk_X509_num(two->chain), 2);
    ck_assert_ptr_ne(sk_X509_value(two->chain, 0),
                     sk_X509_value(first->chain, 0));
    ck_assert_int_eq(sk_X509_num(parse(next, text, first)->chain), 0);
    ck_assert_int_eq(X509_NAME_cmp(X509_get_subject_name(sk_X509_value(
        parse(apr_pstrcat(pool, leaf, other, NULL), text, first)->chain, 0)),
        X509_get_subject_name(sk_X509_value(two->chain, 1))), 0);
    acme_parsed_free(first);
    ck_assert_int_eq(X509_NAME_cmp(X509_get_subject_name(sk_X509_value(
        then->chain, 0)), X509_get_subject_name(sk_X509_value(two->chain,
        0))), 0);
}
END_TEST

/* What is kept for the process can go at any time. */
START_TEST(forgets)
{
    EVP_PKEY *key = fix_evp("P-256", pool);
    char *chain = fix_pem(pool, pem_cert(key), NULL), *text = pem_key(key);
    acme_parsed_t *parsed;

    acme_parse_forget();
    parsed = parse(chain, text, NULL);
    acme_parse_forget();
    ck_assert_int_eq(EVP_PKEY_eq(parsed->key, key), 1);
    ck_assert_int_eq(EVP_PKEY_eq(parse(chain, text, NULL)->key, key), 1);
    acme_parse_forget();
    acme_parse_forget();
}
END_TEST

/* What cannot be served is told in one phrase. */
START_TEST(tells_damage)
{
    EVP_PKEY *key = fix_evp("P-256", pool), *rsa = fix_evp("RSA", pool);
    char *chain = fix_pem(pool, pem_cert(key), NULL);
    char *text = pem_key(key), *ca = pem_issuer("one");
    char *bent = apr_pstrdup(pool, text);

    fails("junk\n", text, "its chain is damaged");
    fails(apr_pstrmemdup(pool, chain, 200), text, "its chain is damaged");
    fails(apr_pstrcat(pool, chain, apr_pstrmemdup(pool, ca, 200), NULL),
          text, "its chain is damaged");
    fails(chain, "junk\n", "its key is damaged");
    fails(chain, apr_pstrmemdup(pool, text, 100), "its key is damaged");
    /* The version of PKCS #8, and what the curve's name says. */
    memcpy(strchr(bent, '\n') + 1, "MIIB", 4);
    fails(chain, bent, "its key is damaged");
    bent = apr_pstrdup(pool, text);
    strchr(bent, '\n')[30] ^= 1;
    fails(chain, bent, "its key is damaged");
    fails(chain, pem_key(fix_evp("P-256", pool)),
          "its key belongs to another certificate");
    fails(chain, pem_key(rsa), "its key belongs to another certificate");
    /* None of which is kept. */
    parse(chain, text, NULL);
}
END_TEST

Suite *cert_parse_suite(void)
{
    Suite *suite = suite_create("cert_parse");
    TCase *tc = unit_case(suite, "certificates");

    tcase_add_test(tc, parses_every_key);
    tcase_add_test(tc, keys_sign);
    tcase_add_test(tc, shares_issuers);
    tcase_add_test(tc, forgets);
    tcase_add_test(tc, tells_damage);
    return suite;
}
