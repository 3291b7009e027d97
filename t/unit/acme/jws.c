#include "unit.h"

#include "acme/acme.h"

#include <apr_strings.h>

Suite *jws_suite(void);

static schema_set_t *schemas;
static apr_status_t sign_status;
static const char *signed_text;

static void setup(void)
{
    unit_setup();
    unit_ok(schema_set_builtin(&schemas, &err, pool));
    sign_status = APR_SUCCESS;
}

static apr_status_t fake_sign(void *baton, const void *data, apr_size_t len,
                              unsigned char **psig, apr_size_t *psig_len,
                              acme_err_t *e, apr_pool_t *p)
{
    signed_text = apr_pstrmemdup(pool, data, len);
    *psig = apr_pcalloc(p, 64);
    *psig_len = 64;
    return sign_status;
}

static acme_sign_t to_sign(acme_signer_t signer, const char *payload)
{
    acme_sign_t sign = { signer, 0, 0, "https://ca.example/order/1",
                         "nonce-1", NULL };

    sign.payload = payload;
    return sign;
}

static json_t *jwk(void)
{
    return base_json_own(json_pack(
        "{s:s, s:s, s:s, s:s}", "kty", "EC", "crv", "P-256",
        "x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"), pool);
}

static const char *member(const char *jws, const char *name, int decode)
{
    json_t *json = base_json_own(json_loads(jws, 0, NULL), pool);
    const char *text = json_string_value(json_object_get(json, name));
    unsigned char *data;
    apr_size_t len;

    if (!decode) {
        return text;
    }
    ck_assert_int_eq(base_b64url_decode(&data, &len, text, pool), 0);
    return apr_pstrmemdup(pool, (char *)data, len);
}

/* A request of an account: the header holds alg, nonce, url and kid and
 * nothing else, and what is signed is header "." payload (RFC 7515 5.1). */
START_TEST(by_account)
{
    acme_sign_t sign = to_sign(ACME_SIGN_ACCOUNT, "{\"a\":1}");
    const char *jws;

    unit_ok(acme_jws_make(&jws, &sign, "ES256", "https://ca.example/acct/1",
                          NULL, fake_sign, NULL, schemas, &err, pool));
    ck_assert_str_eq(member(jws, "protected", 1),
                     "{\"alg\":\"ES256\","
                     "\"kid\":\"https://ca.example/acct/1\","
                     "\"nonce\":\"nonce-1\","
                     "\"url\":\"https://ca.example/order/1\"}");
    ck_assert_str_eq(member(jws, "payload", 1), "{\"a\":1}");
    ck_assert_str_eq(signed_text,
                     apr_pstrcat(pool, member(jws, "protected", 0), ".",
                                 member(jws, "payload", 0), NULL));
    ck_assert_uint_eq(strlen(member(jws, "signature", 0)), 86);
}
END_TEST

/* POST-as-GET: the payload is the empty string, not "{}". */
START_TEST(post_as_get)
{
    acme_sign_t sign = to_sign(ACME_SIGN_ACCOUNT, "");
    const char *jws;

    unit_ok(acme_jws_make(&jws, &sign, "ES256", "https://ca.example/acct/1",
                          NULL, fake_sign, NULL, schemas, &err, pool));
    ck_assert_str_eq(member(jws, "payload", 0), "");
    ck_assert_int_eq(signed_text[strlen(signed_text) - 1], '.');
}
END_TEST

/* newAccount and a revocation by the certificate's key carry the key. */
START_TEST(by_key)
{
    static const acme_signer_t signers[] = {
        ACME_SIGN_NEW_ACCOUNT, ACME_SIGN_CERTIFICATE
    };
    acme_sign_t sign = to_sign(signers[_i], "{}");
    const char *jws;

    unit_ok(acme_jws_make(&jws, &sign, "ES256", NULL, jwk(), fake_sign, NULL,
                          schemas, &err, pool));
    ck_assert_ptr_nonnull(strstr(member(jws, "protected", 1), "\"jwk\":{"));
    ck_assert_ptr_null(strstr(member(jws, "protected", 1), "kid"));
}
END_TEST

/* A wrong pairing of signer and key, a nonce, URL or algorithm that cannot
 * be, and a failing key are refused; nothing is signed with them. */
START_TEST(refused)
{
    acme_sign_t account = to_sign(ACME_SIGN_ACCOUNT, "");
    acme_sign_t fresh = to_sign(ACME_SIGN_NEW_ACCOUNT, "");
    const char *kid = "https://ca.example/acct/1", *jws;

    unit_fails(acme_jws_make(&jws, &account, "ES256", NULL, jwk(), fake_sign,
                             NULL, schemas, &err, pool), APR_EINVAL,
               "account URL");
    base_err_clear(&err);
    unit_fails(acme_jws_make(&jws, &fresh, "ES256", kid, jwk(), fake_sign,
                             NULL, schemas, &err, pool), APR_EINVAL,
               "no account URL");
    base_err_clear(&err);
    unit_fails(acme_jws_make(&jws, &fresh, "ES256", NULL, NULL, fake_sign,
                             NULL, schemas, &err, pool), APR_EINVAL, "key");
    base_err_clear(&err);
    unit_fails(acme_jws_make(&jws, &account, "none", kid, NULL, fake_sign,
                             NULL, schemas, &err, pool), APR_EINVAL, "");
    base_err_clear(&err);
    unit_fails(acme_jws_make(&jws, &account, "HS256", kid, NULL, fake_sign,
                             NULL, schemas, &err, pool), APR_EINVAL, "");
    base_err_clear(&err);
    account.nonce = "no nonce";
    unit_fails(acme_jws_make(&jws, &account, "ES256", kid, NULL, fake_sign,
                             NULL, schemas, &err, pool), APR_EINVAL, "");
    base_err_clear(&err);
    account.nonce = "\xff\xfe";
    unit_fails(acme_jws_make(&jws, &account, "ES256", kid, NULL, fake_sign,
                             NULL, schemas, &err, pool), APR_EINVAL, "");
    base_err_clear(&err);
    account.nonce = "nonce-1";
    account.url = "http://ca.example/order/1";
    unit_fails(acme_jws_make(&jws, &account, "ES256", kid, NULL, fake_sign,
                             NULL, schemas, &err, pool), APR_EINVAL, "");
    base_err_clear(&err);
    account.url = "https://ca.example/order/1";
    sign_status = APR_EGENERAL;
    unit_fails(acme_jws_make(&jws, &account, "ES256", kid, NULL, fake_sign,
                             NULL, schemas, &err, pool), APR_EGENERAL,
               "signing the request to https://ca.example/order/1 failed");
}
END_TEST

Suite *jws_suite(void)
{
    Suite *suite = suite_create("acme/jws");
    TCase *tc = tcase_create("jws");

    tcase_add_checked_fixture(tc, setup, unit_teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, by_account);
    tcase_add_test(tc, post_as_get);
    tcase_add_loop_test(tc, by_key, 0, 2);
    tcase_add_test(tc, refused);
    return suite;
}
