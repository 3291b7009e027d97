/*
 * chain_read.c: chains are CERTIFICATE blocks, white space and nothing else.
 */
#include <openssl/err.h>

#include <apr_strings.h>

#include "unit.h"
#include "fixture.h"

/* Three certificates as PEM, made once a test. */
static const char *leaf;
static const char *middle;
static const char *root;

static void chain_setup(void)
{
    fix_spec_t ca = { .cn = "root", .ca = 1 };
    fix_spec_t sub = { .cn = "middle", .ca = 1 };
    fix_spec_t end = { .san = "DNS:a.example" };
    X509 *x509;

    ca.key = fix_evp("P-256", pool);
    sub.key = fix_evp("P-256", pool);
    end.key = fix_evp("P-256", pool);
    x509 = fix_cert(&ca, pool);
    root = fix_pem(pool, x509, NULL);
    sub.issuer = x509;
    sub.issuer_key = ca.key;
    x509 = fix_cert(&sub, pool);
    middle = fix_pem(pool, x509, NULL);
    end.issuer = x509;
    end.issuer_key = sub.key;
    leaf = fix_pem(pool, fix_cert(&end, pool), NULL);
}

/* Read text; the number of certificates, 0 on failure (in err). */
static int count_len(const char *text, apr_size_t len)
{
    apr_array_header_t *certs = NULL;
    apr_status_t rv;

    base_err_clear(&err);
    rv = crypto_chain_read(&certs, text, len, &err, pool);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    ck_assert(rv == APR_SUCCESS || rv == APR_EINVAL);
    ck_assert((rv == APR_SUCCESS) == (certs != NULL));
    return certs ? certs->nelts : 0;
}

static int count(const char *text)
{
    return count_len(text, strlen(text));
}

#define CAT(...) apr_pstrcat(pool, __VA_ARGS__, NULL)

/* Assert that text is refused with says. */
#define REFUSED(text, says) do {                                        \
        ck_assert_int_eq(count(text), 0);                               \
        ck_assert_msg(strstr(err.message, (says)) != NULL, "says %s",   \
                      err.message);                                     \
    } while (0)

/* A leaf alone and a leaf with what certifies it, in the order sent. */
START_TEST(good)
{
    const char *text = CAT(leaf, middle, root);
    apr_array_header_t *certs;
    char *pem;

    ck_assert_int_eq(count(leaf), 1);
    unit_ok(crypto_chain_read(&certs, text, strlen(text), &err, pool));
    ck_assert_int_eq(certs->nelts, 3);
    unit_ok(crypto_cert_pem(&pem, APR_ARRAY_IDX(certs, 0, crypto_cert_t *),
                            &err, pool));
    ck_assert_str_eq(pem, leaf);
    unit_ok(crypto_cert_pem(&pem, APR_ARRAY_IDX(certs, 2, crypto_cert_t *),
                            &err, pool));
    ck_assert_str_eq(pem, root);
}
END_TEST

/* text with each line end written as eol. */
static const char *with_eol(const char *text, const char *eol)
{
    char *copy = apr_pstrdup(pool, text);
    char *out = apr_pstrdup(pool, "");
    char *line;
    char *last;

    for (line = apr_strtok(copy, "\n", &last); line;
         line = apr_strtok(NULL, "\n", &last)) {
        out = apr_pstrcat(pool, out, line, eol, NULL);
    }
    return out;
}

/* CRLF, blanks behind lines, empty lines and a missing last line end are
 * white space: real CAs send them. */
START_TEST(white)
{
    const char *text = CAT(leaf, middle);

    ck_assert_int_eq(count(with_eol(text, "\r\n")), 2);
    ck_assert_int_eq(count(with_eol(text, " \n")), 2);
    ck_assert_int_eq(count(with_eol(text, "\n\n")), 2);
    ck_assert_int_eq(count(with_eol(text, "\r")), 2);
    ck_assert_int_eq(count(CAT("\r\n\t \n", leaf, "\n\n", middle, "\n ")),
                     2);
    ck_assert_int_eq(count_len(leaf, strlen(leaf) - 1), 1);
}
END_TEST

/* A certificate whose base64 is a single line is read too. */
START_TEST(one_line)
{
    const char *begin = "-----BEGIN CERTIFICATE-----\n";
    const char *end = "-----END CERTIFICATE-----\n";
    apr_size_t skip = strlen(begin);
    char *body = apr_pstrmemdup(pool, leaf + skip,
                                strlen(leaf) - skip - strlen(end));

    ck_assert_int_eq(count(CAT(begin, with_eol(body, ""), "\n", end)), 1);
}
END_TEST

/* Nothing, and nothing but white space, is no chain. */
START_TEST(empty)
{
    REFUSED("", "the chain is empty");
    REFUSED("\n \r\n\t", "the chain is empty");
}
END_TEST

/* RFC 8555 11.4: a private key in the chain could replace ours. Any block
 * but CERTIFICATE is refused, wherever it stands, by its label. */
START_TEST(hidden_key)
{
    static const char *const labels[] = {
        "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY", "EC PARAMETERS", "DH PARAMETERS",
        "TRUSTED CERTIFICATE", "X509 CERTIFICATE", "CERTIFICATE REQUEST",
        "PKCS7", "X509 CRL", "certificate", "CERTIFICATE ", " CERTIFICATE"
    };
    const char *block;
    const char *says;
    int i;

    for (i = 0; i < (int)(sizeof(labels) / sizeof(labels[0])); i++) {
        block = CAT("-----BEGIN ", labels[i], "-----\nAAAA\n-----END ",
                    labels[i], "-----\n");
        says = CAT("holds a \"", labels[i], "\" block");
        REFUSED(block, says);
        REFUSED(CAT(block, leaf), says);
        REFUSED(CAT(leaf, block, middle), says);
        REFUSED(CAT(leaf, middle, block), says);
        REFUSED(CAT(leaf, " ", block), says);
    }
}
END_TEST

/* A real key behind a real chain, as an attacker would send it. */
START_TEST(real_key)
{
    const char *key = fix_key_pem(fix_evp("P-256", pool), pool);

    REFUSED(CAT(leaf, middle, key), "RFC 8555 11.4");
    REFUSED(CAT(key, leaf, middle), "RFC 8555 11.4");
}
END_TEST

/* A label is shown escaped and at most 40 characters of it. */
START_TEST(label)
{
    char many[200];

    memset(many, 'A', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    REFUSED("-----BEGIN \x1b[2J\n-----\n", "\\x1b[2J\\x0a\" block");
    REFUSED(CAT("-----BEGIN ", many), "AAAA\" block");
    ck_assert_ptr_null(strstr(err.message, CAT(many + 158)));
    REFUSED("-----BEGIN X", "\"X\" block");
    REFUSED("-----BEGIN ", "at byte 0");
}
END_TEST

/* Text before, between and behind the blocks is refused with its place. */
START_TEST(stray_text)
{
    const char *at = apr_psprintf(pool, "at byte %d", (int)strlen(leaf));

    REFUSED(CAT("subject=CN = a\n", leaf), "at byte 0");
    REFUSED(CAT("\n#\n", leaf), "at byte 1");
    REFUSED(CAT(leaf, "garbage\n", middle), at);
    REFUSED(CAT(leaf, "."), at);
    REFUSED(CAT(leaf, "-"), at);
    REFUSED("<html>Bad gateway</html>", "at byte 0");
    REFUSED("{\"type\":\"about:blank\"}", "at byte 0");
    REFUSED("\xef\xbb\xbf", "at byte 0");
    REFUSED(CAT("\x0b", leaf), "at byte 0");
}
END_TEST

/* A NUL is no white space and ends nothing. */
START_TEST(nul)
{
    apr_size_t len = strlen(leaf);
    char *text = apr_pcalloc(pool, len * 2 + 2);

    memcpy(text, leaf, len);
    ck_assert_int_eq(count_len(text, len), 1);
    ck_assert_int_eq(count_len(text, len + 1), 0);
    memcpy(text + len + 1, middle, len);
    ck_assert_int_eq(count_len(text, len * 2), 0);
    memcpy(text, leaf, len);
    text[len / 2] = '\0';
    ck_assert_int_eq(count_len(text, len), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "broken at byte"));
}
END_TEST

/* A chain cut at any byte is refused, never read in part, unless the cut
 * leaves whole blocks. */
START_TEST(cut)
{
    const char *text = CAT(leaf, middle);
    apr_size_t whole = strlen(leaf);
    apr_size_t len;
    int found;

    for (len = 0; len < strlen(text) - 1; len++) {
        found = count_len(text, len);
        ck_assert_int_eq(found, len == whole - 1 || len == whole);
    }
}
END_TEST

/* Lines that are not quite the block's lines are refused. */
START_TEST(lines)
{
    REFUSED("-----BEGIN CERTIFICATE-----", "broken at byte 27");
    REFUSED("-----BEGIN CERTIFICATE-----x\n", "block");
    REFUSED("-----BEGIN CERTIFICATE----\n", "block");
    REFUSED("----BEGIN CERTIFICATE-----\n", "at byte 0");
    REFUSED("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE----\n",
            "broken");
    REFUSED("-----BEGIN CERTIFICATE-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "broken");
    REFUSED("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----x",
            "broken");
    REFUSED("-----BEGIN CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n",
            "broken");
    REFUSED("-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n"
            "-----END CERTIFICATE-----\n", "broken");
    REFUSED("-----BEGIN CERTIFICATE-----\nAA_A\n-----END CERTIFICATE-----\n",
            "broken");
}
END_TEST

/* A block whose base64 or DER is wrong is refused by its number. */
START_TEST(blocks)
{
    static const char *const bodies[] = {
        "", "AAAA", "A", "AAA", "====", "AA==AA==", "MAA=", "MIID"
    };
    const char *block;
    int i;

    for (i = 0; i < (int)(sizeof(bodies) / sizeof(bodies[0])); i++) {
        block = CAT("-----BEGIN CERTIFICATE-----\n", bodies[i],
                    "\n-----END CERTIFICATE-----\n");
        REFUSED(block, "block 1 of the chain is no certificate");
        REFUSED(CAT(leaf, block), "block 2 of the chain is no certificate");
    }
}
END_TEST

/* A block with DER behind its certificate is refused: it would hide what
 * other readers see. */
START_TEST(trailing_der)
{
    apr_array_header_t *certs;
    unsigned char *der;
    unsigned char *more;
    apr_size_t len;
    char *b64;

    unit_ok(crypto_chain_read(&certs, leaf, strlen(leaf), &err, pool));
    unit_ok(crypto_cert_der(&der, &len,
                            APR_ARRAY_IDX(certs, 0, crypto_cert_t *), &err,
                            pool));
    more = apr_pcalloc(pool, len + 1);
    memcpy(more, der, len);
    b64 = apr_pcalloc(pool, len * 2 + 8);
    EVP_EncodeBlock((unsigned char *)b64, more, (int)len);
    ck_assert_int_eq(count(CAT("-----BEGIN CERTIFICATE-----\n", b64,
                               "\n-----END CERTIFICATE-----\n")), 1);
    EVP_EncodeBlock((unsigned char *)b64, more, (int)len + 1);
    REFUSED(CAT("-----BEGIN CERTIFICATE-----\n", b64,
                "\n-----END CERTIFICATE-----\n"), "is no certificate");
}
END_TEST

/* Ten certificates are read, eleven are refused. */
START_TEST(cap_certs)
{
    const char *ten = CAT(leaf, middle, root, leaf, middle, root, leaf,
                          middle, root, leaf);

    ck_assert_int_eq(count(ten), CRYPTO_CHAIN_CERTS_MAX);
    REFUSED(CAT(ten, middle), "more than 10 certificates");
}
END_TEST

/* 256 KiB are read, one byte more is refused before it is looked at. */
START_TEST(cap_bytes)
{
    char *text = apr_palloc(pool, CRYPTO_CHAIN_MAX + 1);

    memset(text, '\n', CRYPTO_CHAIN_MAX + 1);
    memcpy(text, leaf, strlen(leaf));
    ck_assert_int_eq(count_len(text, CRYPTO_CHAIN_MAX), 1);
    ck_assert_int_eq(count_len(text, CRYPTO_CHAIN_MAX + 1), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "larger than 262144 bytes"));
}
END_TEST

/* A block that fills the whole cap with base64 is refused in time that
 * grows with its size, not with its square (the case has a deadline). */
START_TEST(cap_time)
{
    const char *begin = "-----BEGIN CERTIFICATE-----\n";
    const char *end = "\n-----END CERTIFICATE-----\n";
    char *text = apr_palloc(pool, CRYPTO_CHAIN_MAX);
    apr_size_t skip = strlen(begin);
    int i;

    memset(text, 'A', CRYPTO_CHAIN_MAX);
    memcpy(text, begin, skip);
    memcpy(text + CRYPTO_CHAIN_MAX - strlen(end), end, strlen(end));
    for (i = 0; i < 50; i++) {
        ck_assert_int_eq(count_len(text, CRYPTO_CHAIN_MAX), 0);
    }
    memset(text, '-', CRYPTO_CHAIN_MAX);
    ck_assert_int_eq(count_len(text, CRYPTO_CHAIN_MAX), 0);
    for (i = 0; i + (int)skip < CRYPTO_CHAIN_MAX; i += (int)skip) {
        memcpy(text + i, begin, skip);
    }
    ck_assert_int_eq(count_len(text, CRYPTO_CHAIN_MAX), 0);
}
END_TEST

Suite *chain_read_suite(void);

Suite *chain_read_suite(void)
{
    Suite *suite = suite_create("chain_read");
    TCase *tc = unit_case(suite, "blocks");

    tcase_add_checked_fixture(tc, chain_setup, NULL);
    tcase_add_test(tc, good);
    tcase_add_test(tc, white);
    tcase_add_test(tc, one_line);
    tcase_add_test(tc, empty);
    tcase_add_test(tc, hidden_key);
    tcase_add_test(tc, real_key);
    tcase_add_test(tc, label);
    tcase_add_test(tc, stray_text);
    tcase_add_test(tc, nul);
    tcase_add_test(tc, cut);
    tcase_add_test(tc, lines);
    tcase_add_test(tc, blocks);
    tcase_add_test(tc, trailing_der);
    tc = unit_case(suite, "caps");
    tcase_add_checked_fixture(tc, chain_setup, NULL);
    tcase_add_test(tc, cap_certs);
    tcase_add_test(tc, cap_bytes);
    tcase_add_test(tc, cap_time);
    return suite;
}
