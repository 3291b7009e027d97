/*
 * ocsp.c: the responder is asked for one certificate, and only an answer
 * that a client would believe is believed.
 */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include <apr_strings.h>

#include "unit.h"
#include "fixture.h"

#define HOUR 3600

/* A CA, a leaf, and responders that the CA did or did not appoint. */
static fix_spec_t ca;
static fix_spec_t leaf;
static X509 *ca_cert;
static X509 *leaf_cert;
static apr_array_header_t *chain;

/* What the next answer says; all zero but the times is "good". */
typedef struct answer_t {
    int status;
    int reason;
    long from;              /* thisUpdate, seconds from FIX_NOW */
    long to;                /* nextUpdate; 0: none */
    const char *hash;       /* that names the certificate */
    X509 *about;
    X509 *about_issuer;
    X509 *signer;
    EVP_PKEY *signer_key;
    unsigned long flags;    /* of OCSP_basic_sign */
} answer_t;

static answer_t answer;

static apr_array_header_t *read_chain(X509 *first, X509 *second)
{
    char *pem = fix_pem(pool, first, second, NULL);
    apr_array_header_t *certs;

    unit_ok(crypto_chain_read(&certs, pem, strlen(pem), &err, pool));
    return certs;
}

static void ocsp_setup(void)
{
    unit_setup();
    memset(&ca, 0, sizeof(ca));
    memset(&leaf, 0, sizeof(leaf));
    ca.cn = "root";
    ca.ca = 1;
    ca.key = fix_evp("P-256", pool);
    ca_cert = fix_cert(&ca, pool);
    leaf.san = "DNS:a.example";
    leaf.key = fix_evp("P-256", pool);
    leaf.issuer = ca_cert;
    leaf.issuer_key = ca.key;
    leaf_cert = fix_cert(&leaf, pool);
    chain = read_chain(leaf_cert, ca_cert);
    memset(&answer, 0, sizeof(answer));
    answer.status = V_OCSP_CERTSTATUS_GOOD;
    answer.from = -HOUR;
    answer.to = HOUR;
    answer.hash = "SHA1";
    answer.about = leaf_cert;
    answer.about_issuer = ca_cert;
    answer.signer = ca_cert;
    answer.signer_key = ca.key;
}

/* A certificate of spec with one more extension. */
static X509 *with_extension(fix_spec_t *spec, int nid, const char *value)
{
    X509 *x509 = fix_unsigned(spec, pool);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    ck_assert_ptr_nonnull(ext);
    ck_assert(X509_add_ext(x509, ext, -1));
    X509_EXTENSION_free(ext);
    return fix_sign(x509, spec);
}

/* Let a certificate of spec sign the answers. */
static void signed_by(fix_spec_t *spec, const char *usage)
{
    answer.signer = usage ? with_extension(spec, NID_ext_key_usage, usage)
                          : fix_cert(spec, pool);
    answer.signer_key = spec->key;
}

static ASN1_TIME *at(long seconds)
{
    return ASN1_TIME_adj(NULL, FIX_NOW_SECONDS, 0, seconds);
}

static void add_single(OCSP_BASICRESP *basic)
{
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_get_digestbyname(answer.hash),
                                      answer.about, answer.about_issuer);
    ASN1_TIME *revoked = at(-2 * HOUR);
    ASN1_TIME *from = at(answer.from);
    ASN1_TIME *to = answer.to ? at(answer.to) : NULL;

    ck_assert_ptr_nonnull(OCSP_basic_add1_status(basic, id, answer.status,
                                                 answer.reason, revoked,
                                                 from, to));
    OCSP_CERTID_free(id);
    ASN1_TIME_free(revoked);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
}

/* The DER of a response; frees it. */
static unsigned char *response_der(apr_size_t *plen, OCSP_RESPONSE *response)
{
    unsigned char *der = NULL;
    unsigned char *copy;
    int len = i2d_OCSP_RESPONSE(response, &der);

    ck_assert_int_gt(len, 0);
    copy = apr_pmemdup(pool, der, (apr_size_t)len);
    *plen = (apr_size_t)len;
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    return copy;
}

/* The answer as the responder sends it. */
static unsigned char *make(apr_size_t *plen)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    unsigned char *der;

    add_single(basic);
    ck_assert(OCSP_basic_sign(basic, answer.signer, answer.signer_key,
                              EVP_sha256(), NULL, answer.flags));
    der = response_der(plen, OCSP_response_create(
        OCSP_RESPONSE_STATUS_SUCCESSFUL, basic));
    OCSP_BASICRESP_free(basic);
    return der;
}

static apr_status_t read_der(crypto_ocsp_t *ocsp, const void *der,
                             apr_size_t len)
{
    apr_status_t rv;

    base_err_clear(&err);
    rv = crypto_ocsp_read(ocsp, der, len, chain, FIX_NOW, &err);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return rv;
}

static apr_status_t read_answer(crypto_ocsp_t *ocsp)
{
    apr_size_t len;
    unsigned char *der = make(&len);

    return read_der(ocsp, der, len);
}

static void refused(apr_status_t status, const char *why)
{
    crypto_ocsp_t ocsp;

    unit_fails(read_answer(&ocsp), status, why);
}

/* The request is about the one certificate, named by SHA-1, unsigned and
 * without a nonce, so that a responder may answer it from its cache. */
START_TEST(request)
{
    crypto_cert_t *cert = APR_ARRAY_IDX(chain, 0, crypto_cert_t *);
    const unsigned char *next;
    OCSP_CERTID *wanted = OCSP_cert_to_id(EVP_sha1(), leaf_cert, ca_cert);
    OCSP_REQUEST *ask;
    unsigned char *der;
    apr_size_t len;

    unit_ok(crypto_ocsp_request(&der, &len, cert,
                                APR_ARRAY_IDX(chain, 1, crypto_cert_t *),
                                &err, pool));
    next = der;
    ask = d2i_OCSP_REQUEST(NULL, &next, (long)len);
    ck_assert_ptr_nonnull(ask);
    ck_assert_ptr_eq(next, der + len);
    ck_assert_int_eq(OCSP_request_onereq_count(ask), 1);
    ck_assert_int_eq(OCSP_id_cmp(wanted, OCSP_onereq_get0_id(
        OCSP_request_onereq_get0(ask, 0))), 0);
    ck_assert(!OCSP_request_is_signed(ask));
    ck_assert_int_eq(OCSP_REQUEST_get_ext_count(ask), 0);
    OCSP_REQUEST_free(ask);
    OCSP_CERTID_free(wanted);
}
END_TEST

/* The issuer's own answer is believed, with its times. */
START_TEST(good)
{
    crypto_ocsp_t ocsp;

    unit_ok(read_answer(&ocsp));
    ck_assert_int_eq(ocsp.status, CRYPTO_OCSP_GOOD);
    ck_assert(ocsp.this_update == FIX_NOW - apr_time_from_sec(HOUR));
    ck_assert(ocsp.next_update == FIX_NOW + apr_time_from_sec(HOUR));
}
END_TEST

/* A responder may name the certificate by another hash than was asked. */
START_TEST(other_hashes)
{
    crypto_ocsp_t ocsp;

    answer.hash = "SHA256";
    unit_ok(read_answer(&ocsp));
    ck_assert_int_eq(ocsp.status, CRYPTO_OCSP_GOOD);
}
END_TEST

/* Revoked and unknown are answers, too. */
START_TEST(other_states)
{
    crypto_ocsp_t ocsp;

    answer.status = V_OCSP_CERTSTATUS_REVOKED;
    answer.reason = OCSP_REVOKED_STATUS_KEYCOMPROMISE;
    unit_ok(read_answer(&ocsp));
    ck_assert_int_eq(ocsp.status, CRYPTO_OCSP_REVOKED);
    ck_assert(ocsp.revoked_at == FIX_NOW - apr_time_from_sec(2 * HOUR));
    ck_assert_str_eq(ocsp.reason, "keyCompromise");
    answer.status = V_OCSP_CERTSTATUS_UNKNOWN;
    unit_ok(read_answer(&ocsp));
    ck_assert_int_eq(ocsp.status, CRYPTO_OCSP_UNKNOWN);
}
END_TEST

/* A responder that the issuer has appointed speaks for it: its certificate
 * comes with the answer and says OCSPSigning. */
START_TEST(delegated)
{
    fix_spec_t spec = { .cn = "responder", .key = fix_evp("P-256", pool),
                        .issuer = ca_cert, .issuer_key = ca.key };
    crypto_ocsp_t ocsp;

    signed_by(&spec, "OCSPSigning");
    unit_ok(read_answer(&ocsp));
    ck_assert_int_eq(ocsp.status, CRYPTO_OCSP_GOOD);
}
END_TEST

/* Any other certificate of the same issuer does not, a web server's least
 * of all. */
START_TEST(not_delegated)
{
    fix_spec_t spec = { .cn = "somebody", .key = fix_evp("P-256", pool),
                        .issuer = ca_cert, .issuer_key = ca.key };

    signed_by(&spec, NULL);
    refused(APR_EINVAL, "not signed by the certificate's issuer");
    signed_by(&spec, "serverAuth");
    refused(APR_EINVAL, "not signed by the certificate's issuer");
    answer.signer = leaf_cert;
    answer.signer_key = leaf.key;
    refused(APR_EINVAL, "not signed by the certificate's issuer");
}
END_TEST

/* Nor a responder that another CA has appointed, or nobody. */
START_TEST(strangers)
{
    fix_spec_t other = { .cn = "root", .ca = 1,
                         .key = fix_evp("P-256", pool) };
    fix_spec_t spec = { .cn = "responder", .key = fix_evp("P-256", pool) };

    spec.issuer = fix_cert(&other, pool);
    spec.issuer_key = other.key;
    signed_by(&spec, "OCSPSigning");
    refused(APR_EINVAL, "not signed by the certificate's issuer");
    answer.signer = spec.issuer;
    answer.signer_key = other.key;
    refused(APR_EINVAL, "not signed by the certificate's issuer");
    spec.issuer = NULL;
    spec.issuer_key = NULL;
    signed_by(&spec, "OCSPSigning");
    refused(APR_EINVAL, "not signed by the certificate's issuer");
}
END_TEST

/* A responder's certificate that has expired, or is still to come, counts
 * for nothing. */
START_TEST(responder_out_of_time)
{
    fix_spec_t spec = { .cn = "responder", .key = fix_evp("P-256", pool),
                        .issuer = ca_cert, .issuer_key = ca.key };

    spec.to = -60;
    signed_by(&spec, "OCSPSigning");
    refused(APR_EINVAL, "not signed by the certificate's issuer");
    spec.to = 0;
    spec.from = 60;
    signed_by(&spec, "OCSPSigning");
    refused(APR_EINVAL, "not signed by the certificate's issuer");
}
END_TEST

/* An answer about another certificate, or about one of that number from
 * another CA, says nothing. */
START_TEST(another_certificate)
{
    fix_spec_t other = { .cn = "other", .ca = 1,
                         .key = fix_evp("P-256", pool) };

    answer.about = fix_cert(&leaf, pool);
    refused(APR_EINVAL, "about another certificate");
    answer.about = leaf_cert;
    answer.about_issuer = fix_cert(&other, pool);
    refused(APR_EINVAL, "not signed by the certificate's issuer");
}
END_TEST

/* Of its time: five minutes of skew at the start, not a second at the end,
 * and it must say when it ends. */
START_TEST(times)
{
    crypto_ocsp_t ocsp;

    answer.from = 299;
    unit_ok(read_answer(&ocsp));
    answer.from = 301;
    refused(APR_EINVAL, "from the future");
    answer.from = -HOUR;
    answer.to = 1;
    unit_ok(read_answer(&ocsp));
    answer.to = -1;
    refused(APR_EINVAL, "is over");
    answer.to = -HOUR;
    refused(APR_EINVAL, "make no sense");
    answer.to = 0;
    refused(APR_EINVAL, "nextUpdate");
}
END_TEST

/* A signature over something else is none. */
START_TEST(tampered)
{
    crypto_ocsp_t ocsp;
    unsigned char *der;
    apr_size_t len;
    apr_size_t i;

    /* The signer's certificate is not under the signature. */
    answer.flags = OCSP_NOCERTS;
    der = make(&len);
    for (i = 0; i < len; i++) {
        der[i] ^= 1;
        ck_assert_int_ne(read_der(&ocsp, der, len), APR_SUCCESS);
        der[i] ^= 1;
    }
    unit_ok(read_der(&ocsp, der, len));
}
END_TEST

/* Every answer that is cut short, or has something behind it, or is
 * something else, is refused. */
START_TEST(garbage)
{
    static const char html[] = "<html>404 Not Found</html>";
    crypto_ocsp_t ocsp;
    unsigned char *der;
    apr_size_t len;
    apr_size_t i;

    der = make(&len);
    for (i = 0; i < len; i++) {
        unit_fails(read_der(&ocsp, der, i), APR_EINVAL, "OCSP response");
    }
    der = (unsigned char *)apr_pstrmemdup(pool, (char *)der, len);
    unit_fails(read_der(&ocsp, der, len + 1), APR_EINVAL, "OCSP response");
    unit_fails(read_der(&ocsp, html, sizeof(html)), APR_EINVAL,
               "no OCSP response");
    der = apr_pcalloc(pool, CRYPTO_OCSP_MAX + 1);
    unit_fails(read_der(&ocsp, der, CRYPTO_OCSP_MAX + 1), APR_EINVAL,
               "no OCSP response");
}
END_TEST

/* A responder that cannot answer says so. */
START_TEST(responder_errors)
{
    static const struct {
        int status;
        const char *word;
    } errors[] = {
        { OCSP_RESPONSE_STATUS_UNAUTHORIZED, "unauthorized" },
        { OCSP_RESPONSE_STATUS_TRYLATER, "trylater" },
        { OCSP_RESPONSE_STATUS_INTERNALERROR, "internalerror" }
    };
    crypto_ocsp_t ocsp;
    unsigned char *der;
    apr_size_t len;

    der = response_der(&len, OCSP_response_create(errors[_i].status, NULL));
    unit_fails(read_der(&ocsp, der, len), APR_EGENERAL, errors[_i].word);
}
END_TEST

/* Without its issuer nothing can be said of a certificate. */
START_TEST(no_issuer)
{
    crypto_ocsp_t ocsp;
    unsigned char *der;
    apr_size_t len;

    der = make(&len);
    chain->nelts = 1;
    unit_fails(read_der(&ocsp, der, len), APR_EINVAL, "lacks its issuer");
}
END_TEST

/* A certificate tells where its responder is, and whether it may be served
 * without an answer. */
START_TEST(info)
{
    crypto_cert_info_t told;
    X509 *x509;

    unit_ok(crypto_cert_info(&told, APR_ARRAY_IDX(chain, 0, crypto_cert_t *),
                             &err, pool));
    ck_assert_ptr_null(told.ocsp);
    ck_assert_int_eq(told.must_staple, 0);
    x509 = with_extension(&leaf, NID_info_access,
                          "caIssuers;URI:http://ca.example/ca.cer,"
                          "OCSP;URI:http://ocsp.example/x,"
                          "OCSP;URI:http://other.example/");
    unit_ok(crypto_cert_info(&told, APR_ARRAY_IDX(read_chain(x509, ca_cert),
                                                  0, crypto_cert_t *),
                             &err, pool));
    ck_assert_str_eq(told.ocsp, "http://ocsp.example/x");
    ck_assert_int_eq(told.must_staple, 0);
    x509 = with_extension(&leaf, NID_tlsfeature, "status_request_v2");
    unit_ok(crypto_cert_info(&told, APR_ARRAY_IDX(read_chain(x509, ca_cert),
                                                  0, crypto_cert_t *),
                             &err, pool));
    ck_assert_int_eq(told.must_staple, 0);
    x509 = with_extension(&leaf, NID_tlsfeature, "status_request");
    unit_ok(crypto_cert_info(&told, APR_ARRAY_IDX(read_chain(x509, ca_cert),
                                                  0, crypto_cert_t *),
                             &err, pool));
    ck_assert_int_eq(told.must_staple, 1);
}
END_TEST

Suite *ocsp_suite(void)
{
    Suite *suite = suite_create("ocsp");
    TCase *tc = tcase_create("ocsp");

    tcase_add_checked_fixture(tc, ocsp_setup, unit_teardown);
    tcase_add_test(tc, request);
    tcase_add_test(tc, good);
    tcase_add_test(tc, other_hashes);
    tcase_add_test(tc, other_states);
    tcase_add_test(tc, delegated);
    tcase_add_test(tc, not_delegated);
    tcase_add_test(tc, strangers);
    tcase_add_test(tc, responder_out_of_time);
    tcase_add_test(tc, another_certificate);
    tcase_add_test(tc, times);
    tcase_add_test(tc, tampered);
    tcase_add_test(tc, garbage);
    tcase_add_loop_test(tc, responder_errors, 0, 3);
    tcase_add_test(tc, no_issuer);
    tcase_add_test(tc, info);
    suite_add_tcase(suite, tc);
    return suite;
}
