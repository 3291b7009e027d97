/* What is asked of the connection and the certificate. Sites are made by
 * hand where what they showed matters; t/validate.t asks real ones. */
#include "unit.h"

#include <apr_strings.h>

#include "crypto/fixture.h"
#include "validator/rig.h"

static validator_ask_t *ask;
static site_t *site;
static crypto_tls_info_t info;
static fix_spec_t spec;
static validator_answer_t answer;

/* A site of https that showed these certificates. */
static void shown(const char *pem)
{
    unit_ok(crypto_chain_read(&info.certs, pem, strlen(pem), &err, pool));
    site->cert = APR_ARRAY_IDX(info.certs, 0, crypto_cert_t *);
    unit_ok(crypto_cert_info(&site->leaf, site->cert, &err, pool));
}

static void tls_rows_setup(void)
{
    ask = rig_ask(0, 443, pool);
    site = ask->https;
    memset(&info, 0, sizeof(info));
    info.version = "TLSv1.3";
    info.modern = 1;
    info.cipher = "X";
    site->tls = &info;
    site->stage = STAGE_HTTP;
    memset(&spec, 0, sizeof(spec));
    spec.cn = "leaf";
    spec.san = "DNS:a.example,DNS:b.example,DNS:c.example,DNS:d.example";
    spec.key = fix_evp("P-256", pool);
    /* The fixture's certificates are of its own time. */
    spec.from = (long)(apr_time_sec(apr_time_now()) - FIX_NOW_SECONDS)
                - FIX_DAY;
    spec.to = spec.from + 91 * FIX_DAY;
    shown(fix_pem(pool, fix_cert(&spec, pool), NULL));
}

static int asks(void (*row)(validator_ask_t *, validator_answer_t *))
{
    answer.ok = 7;
    answer.required = 1;
    answer.detail = NULL;
    row(ask, &answer);
    ck_assert_ptr_nonnull(answer.detail);
    return answer.ok;
}

static void detail_has(const char *text)
{
    ck_assert_msg(strstr(answer.detail, text) != NULL, "says \"%s\"",
                  answer.detail);
}

/* Without a connection or without TLS nothing else is asked. */
START_TEST(not_asked)
{
    const validator_row_t *rows = validator_rows();
    int i;

    site->stage = STAGE_TCP;
    site->tls = NULL;
    site->fault = "it is no use";
    ck_assert_int_eq(asks(row_tcp), 1);
    ck_assert_int_eq(asks(row_tls), 0);
    detail_has("127.0.0.1:443: it is no use");
    for (i = 2; i < VALIDATOR_ROWS; i++) {
        ck_assert_int_eq(asks(rows[i].ask), -1);
    }
    site->stage = STAGE_NONE;
    ck_assert_int_eq(asks(row_tcp), 0);
    ck_assert_int_eq(asks(row_tls), -1);
    ask->https_n = 0;
    ck_assert_int_eq(asks(row_tls), 0);
    detail_has("no address of https");
    ck_assert_int_eq(asks(row_name), -1);
}
END_TEST

/* Addresses of http have to take connections, too. */
START_TEST(tcp)
{
    site_t http[2] = { { .where = "A", .stage = STAGE_TCP },
                       { .where = "B", .stage = STAGE_NONE,
                         .fault = "broken" } };

    ask->http = http;
    ask->http_n = 1;
    ck_assert_int_eq(asks(row_tcp), 1);
    detail_has("(and 1 more)");
    ask->http_n = 2;
    ck_assert_int_eq(asks(row_tcp), 0);
    detail_has("B: broken");
}
END_TEST

START_TEST(name)
{
    ck_assert_int_eq(asks(row_name), 1);
    ask->host = "x.example";
    ck_assert_int_eq(asks(row_name), 0);
    detail_has("is for a.example, b.example, c.example and 1 more, not for "
               "x.example");
    spec.san = NULL;
    shown(fix_pem(pool, fix_cert(&spec, pool), NULL));
    ck_assert_int_eq(asks(row_name), 0);
    detail_has("is for no name, not for x.example");
}
END_TEST

/* Days are told, the last one in hours and as a warning. */
START_TEST(expiry)
{
    ck_assert_int_eq(asks(row_expiry), 1);
    detail_has("443: the certificate is valid until ");
    detail_has(", for 89 days");
    site->leaf.not_after = apr_time_now() + apr_time_from_sec(5 * 3600 + 20);
    ck_assert_int_eq(asks(row_expiry), 1);
    detail_has("443: warning: the certificate is valid until ");
    detail_has(", for 5.0 hours");
    site->leaf.not_after = apr_time_now() - 1;
    ck_assert_int_eq(asks(row_expiry), 0);
    detail_has("expired at ");
    detail_has(", 0.0 hours ago");
    site->leaf.not_after = apr_time_now() + apr_time_from_sec(1000 * 86400);
    site->leaf.not_before = apr_time_now() + apr_time_from_sec(90000);
    ck_assert_int_eq(asks(row_expiry), 0);
    detail_has(", in 25.0 hours: check this machine's clock");
}
END_TEST

/* The chain served is compared byte for byte with the one issued. */
START_TEST(chain)
{
    validator_target_t target = *ask->target;
    const char *one = fix_pem(pool, fix_cert(&spec, pool), NULL);
    const char *two = fix_pem(pool, fix_cert(&spec, pool), NULL);

    ask->target = &target;
    ck_assert_int_eq(asks(row_chain), -1);
    target.chain = one;
    ck_assert_int_eq(asks(row_chain), 0);
    detail_has("certificate 1 of the chain is not the one issued");
    shown(one);
    ck_assert_int_eq(asks(row_chain), 1);
    target.chain = apr_pstrcat(pool, one, two, NULL);
    ck_assert_int_eq(asks(row_chain), 0);
    detail_has("the chain has 1 certificates, the one issued has 2");
    shown(apr_pstrcat(pool, one, one, NULL));
    ck_assert_int_eq(asks(row_chain), 0);
    detail_has("certificate 2 of the chain");
    shown(apr_pstrcat(pool, one, two, one, NULL));
    ck_assert_int_eq(asks(row_chain), 0);
    detail_has("the chain has 3 certificates, the one issued has 2");
    target.chain = "no PEM";
    ck_assert_int_eq(asks(row_chain), -1);
    detail_has("the issued chain cannot be read");
}
END_TEST

/* A certificate that is signed by itself is no fault, except where mod_acme
 * should serve another one. */
START_TEST(verify)
{
    validator_target_t target = *ask->target;
    fix_spec_t ca = spec;
    const char *pem;

    ask->target = &target;
    ck_assert_int_eq(asks(row_verify), -1);
    detail_has("is signed by itself");
    target.managed = 1;
    ck_assert_int_eq(asks(row_verify), 0);
    ca.cn = "Some CA";
    ca.ca = 1;
    ca.key = fix_evp("P-256", pool);
    spec.issuer = fix_cert(&ca, pool);
    spec.issuer_key = ca.key;
    pem = fix_pem(pool, fix_cert(&spec, pool), NULL);
    shown(pem);
    ck_assert_int_eq(asks(row_verify), -1);
    detail_has("of the 1 certificates are right, but their issuer Some CA");
    shown(apr_pstrcat(pool, pem, pem, NULL));
    ck_assert_int_eq(asks(row_verify), 0);
    detail_has("certificate 1 of the chain is not issued by certificate 2");
    spec.issuer_key = spec.key;
    shown(fix_pem(pool, fix_cert(&spec, pool), spec.issuer, NULL));
    ck_assert_int_eq(asks(row_verify), 0);
}
END_TEST

START_TEST(key_type)
{
    validator_target_t target = *ask->target;

    ask->target = &target;
    ck_assert_int_eq(asks(row_key_type), -1);
    detail_has("the key is P-256; no type is wanted");
    target.key_type = "p-256";
    ck_assert_int_eq(asks(row_key_type), 1);
    target.key_type = "RSA-2048";
    ck_assert_int_eq(asks(row_key_type), 0);
    detail_has("the key is P-256, not RSA-2048");
}
END_TEST

START_TEST(protocol)
{
    info.modern = 0;
    info.version = "TLSv1";
    ck_assert_int_eq(asks(row_protocol), 0);
    detail_has("TLSv1 is the best it offers");
}
END_TEST

/* What is stapled is judged, too, not only whether something is. */
START_TEST(stapling)
{
    validator_target_t target = *ask->target;

    ask->target = &target;
    ask->until = rig_mono();
    ck_assert_int_eq(asks(row_stapling), -1);
    target.stapling = 0;
    ck_assert_int_eq(asks(row_stapling), 1);
    target.stapling = 1;
    ck_assert_int_eq(asks(row_stapling), -1);
    detail_has("names no OCSP responder");
    site->leaf.ocsp = "http://ocsp.example/";
    ck_assert_int_eq(asks(row_stapling), 0);
    detail_has("no OCSP response is stapled");
    info.staple = (const unsigned char *)"garbage";
    info.staple_len = 7;
    ck_assert_int_eq(asks(row_stapling), 0);
    detail_has("what is stapled is no good: the certificate's chain lacks "
               "its issuer");
    target.stapling = 0;
    ck_assert_int_eq(asks(row_stapling), 0);
    detail_has("which was not wanted");
}
END_TEST

/* A certificate that may be served with a staple only needs one, whatever is
 * wanted; then it counts. */
START_TEST(must_staple)
{
    ask->until = rig_mono();
    site->leaf.ocsp = "http://ocsp.example/";
    asks(row_stapling);
    ck_assert_int_eq(answer.ok, -1);
    site->leaf.must_staple = 1;
    answer.required = 0;
    row_stapling(ask, &answer);
    ck_assert_int_eq(answer.ok, 0);
    ck_assert_int_eq(answer.required, 1);
}
END_TEST

static void page(int fd, const char *request)
{
    (void)request;
    rig_say(fd, "HTTP/1.1 200 OK\r\n\r\n");
}

/* A staple is waited for as long as the child has patience, and looked for
 * again once in any case. */
START_TEST(patience)
{
    validator_target_t target;
    apr_time_t began;

    ask = rig_ask(0, rig_serve_tls(page, "P-256", pool), pool);
    target = *ask->target;
    target.stapling = 1;
    ask->target = &target;
    site_meet(ask, ask->https);
    ask->https->leaf.ocsp = "http://ocsp.example/";
    *ask->patience = 700000;
    began = rig_mono();
    ck_assert_int_eq(asks(row_stapling), 0);
    ck_assert_int_ge(rig_mono() - began, 500000);
    ck_assert_int_lt(*ask->patience, 250000);
    began = rig_mono();
    ck_assert_int_eq(asks(row_stapling), 0);
    ck_assert_int_ge(rig_mono() - began, 250000);
    ck_assert_int_lt(rig_mono() - began, 500000);
}
END_TEST

Suite *tls_rows_suite(void);
Suite *tls_rows_suite(void)
{
    Suite *suite = suite_create("tls_rows");
    TCase *tc = unit_case(suite, "tls_rows");

    tcase_add_checked_fixture(tc, tls_rows_setup, NULL);
    tcase_add_test(tc, not_asked);
    tcase_add_test(tc, tcp);
    tcase_add_test(tc, name);
    tcase_add_test(tc, expiry);
    tcase_add_test(tc, chain);
    tcase_add_test(tc, verify);
    tcase_add_test(tc, key_type);
    tcase_add_test(tc, protocol);
    tcase_add_test(tc, stapling);
    tcase_add_test(tc, must_staple);
    tcase_add_test(tc, patience);
    return suite;
}
