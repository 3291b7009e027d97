/*
 * sign.c: signatures as JSON Web Signatures want them.
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "unit.h"
#include "fixture.h"

/* RFC 7515 A.2.1, A.3.1: the signing inputs. */
#define PAYLOAD "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9" \
                "leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
static const char rs256_input[] = "eyJhbGciOiJSUzI1NiJ9." PAYLOAD;
static const char es256_input[] = "eyJhbGciOiJFUzI1NiJ9." PAYLOAD;
/* RFC 7515 A.4.1. */
static const char es512_input[] = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA";

/* RFC 7515 A.2.1: n, e, d, p, q, dp, dq, qi. */
static const char *const rs256_key[] = {
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4q"
    "PCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ4"
    "7soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBE"
    "Ma2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWN"
    "moudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    "AQAB",
    "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMg"
    "vfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU"
    "6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHH"
    "zQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9"
    "pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
    "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ"
    "3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-n"
    "XqhJTBgIPgtldC-KDV5z-y2XDwGUc",
    "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1Z"
    "Se7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltR"
    "J11BKBBypeeF6689rjcJIDEz9RWdc",
    "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9Ykxv"
    "uxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneT"
    "wrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
    "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB7"
    "19rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnO"
    "Z68m6_pbLBSp3nssTdlqvd0tIiTHU",
    "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2"
    "MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_"
    "gh6A5603k2-ZQwVK0JKSHuLFkuQ3U"
};
static const char rs256_sig[] =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4"
    "Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
    "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn"
    "6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI"
    "8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

static const char es256_sig[] =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfK"
    "TUJqPP3-Kg6NU1Q";
static const char es512_sig[] =
    "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-"
    "KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7i"
    "KvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";

/* RFC 7515 A.3.1. */
static EVP_PKEY *es256_key(void)
{
    return fix_ec("P-256", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                  "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                  "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI", pool);
}

/* RFC 7515 A.4.1. */
static EVP_PKEY *es512_key(void)
{
    return fix_ec("P-521",
                  "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_N"
                  "jFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
                  "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly"
                  "79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
                  "AY5pb7A0UFiB3RELSD64fTLOSV_jazdF7fLYyuTw8lOfRhWg6Y6rUrPAx"
                  "erEzgdRhajnu0ferB0d53vM9mE15j2C", pool);
}

/* RS256 has one right answer, and it is RFC 7515 A.2.1's. */
START_TEST(rs256_rfc7515)
{
    crypto_key_t *key = fix_key(fix_rsa(rs256_key, pool), pool);
    unsigned char *sig;
    apr_size_t len;

    unit_ok(crypto_sign(&sig, &len, key, rs256_input, strlen(rs256_input),
                        &err, pool));
    ck_assert_uint_eq(len, 256);
    ck_assert_str_eq(base_b64url_encode(sig, len, pool), rs256_sig);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* The test's own verifier takes the signatures of RFC 7515 A.3 and A.4 and
 * refuses them with one bit changed. */
static void verifier(EVP_PKEY *evp, const char *digest, const char *input,
                     const char *text, apr_size_t width)
{
    unsigned char *sig;
    apr_size_t len;

    ck_assert_int_eq(base_b64url_decode(&sig, &len, text, pool),
                     APR_SUCCESS);
    ck_assert_uint_eq(len, 2 * width);
    ck_assert(fix_verify(evp, digest, input, sig, len));
    sig[len - 1] ^= 1;
    ck_assert(!fix_verify(evp, digest, input, sig, len));
}

START_TEST(verifier_works)
{
    verifier(es256_key(), "SHA256", es256_input, es256_sig, 32);
    verifier(es512_key(), "SHA512", es512_input, es512_sig, 66);
}
END_TEST

/* Our signatures by the keys of RFC 7515 A.3 and A.4 verify, as R || S of
 * the curve's width every time: a short R or S is padded, and the test goes
 * on until it has seen at least shorts of them. */
static void sign_often(EVP_PKEY *evp, const char *digest, const char *input,
                       apr_size_t width, int shorts)
{
    crypto_key_t *key = fix_key(evp, pool);
    unsigned char *sig;
    apr_size_t len;
    int zeros = 0;
    int i;

    for (i = 0; i < 10 || (zeros < shorts && i < 4000); i++) {
        unit_ok(crypto_sign(&sig, &len, key, input, strlen(input), &err,
                            pool));
        ck_assert_uint_eq(len, 2 * width);
        ck_assert(fix_verify(evp, digest, input, sig, len));
        zeros += sig[0] == 0 || sig[width] == 0;
    }
    ck_assert_int_ge(zeros, shorts);
}

START_TEST(es256_width)
{
    sign_often(es256_key(), "SHA256", es256_input, 32, 1);
}
END_TEST

START_TEST(es384_width)
{
    sign_often(fix_evp("P-384", pool), "SHA384", "data", 48, 0);
}
END_TEST

START_TEST(es512_width)
{
    sign_often(es512_key(), "SHA512", es512_input, 66, 1);
}
END_TEST

/* Each key has the "alg" of RFC 7518 3.1, and signs with its hash. */
START_TEST(algorithms)
{
    static const char *const algs[] = {
        "ES256", "ES384", "ES512", "RS256"
    };
    static const char *const digests[] = {
        "SHA256", "SHA384", "SHA512", "SHA256"
    };
    crypto_key_t *key;
    unsigned char *sig;
    apr_size_t len;
    EVP_PKEY *evp;
    BIO *bio;
    char *pem;

    unit_ok(crypto_key_generate(&key, (crypto_key_type_t)_i, &err, pool));
    ck_assert_str_eq(crypto_sign_alg(key), algs[_i]);
    unit_ok(crypto_sign(&sig, &len, key, "data", 4, &err, pool));
    unit_ok(crypto_key_write(&pem, &len, key, &err, pool));
    bio = BIO_new_mem_buf(pem, (int)len);
    evp = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    unit_ok(crypto_sign(&sig, &len, key, "data", 4, &err, pool));
    ck_assert(fix_verify(evp, digests[_i], "data", sig, len));
    ck_assert(!fix_verify(evp, digests[_i], "date", sig, len));
    EVP_PKEY_free(evp);
}
END_TEST

/* Nothing at all can be signed too: POST-as-GET has an empty payload. */
START_TEST(empty)
{
    EVP_PKEY *evp = es256_key();
    unsigned char *sig;
    apr_size_t len;

    unit_ok(crypto_sign(&sig, &len, fix_key(evp, pool), "", 0, &err, pool));
    ck_assert(fix_verify(evp, "SHA256", "", sig, len));
}
END_TEST

/* A certificate's key has no private half and cannot sign. */
START_TEST(public_refused)
{
    unsigned char *sig = NULL;
    apr_size_t len;

    unit_fails(crypto_sign(&sig, &len, fix_public(es256_key(), pool), "x", 1,
                           &err, pool), APR_EINVAL, "public key cannot sign");
    base_err_clear(&err);
    unit_fails(crypto_sign(&sig, &len, fix_public(fix_rsa(rs256_key, pool),
                                                  pool), "x", 1, &err, pool),
               APR_EINVAL, "public key cannot sign");
    ck_assert_ptr_null(sig);
}
END_TEST

/* What OpenSSL had queued for somebody else does not show up in our
 * messages. */
START_TEST(stale_reason)
{
    unsigned char *sig = NULL;
    apr_size_t len;
    crypto_key_t *key = fix_public(es256_key(), pool);

    ERR_raise(ERR_LIB_PEM, PEM_R_NO_START_LINE);
    unit_fails(crypto_sign(&sig, &len, key, "x", 1, &err, pool), APR_EINVAL,
               "cannot sign");
    ck_assert_ptr_null(strstr(err.message, "OpenSSL"));
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

Suite *sign_suite(void);

Suite *sign_suite(void)
{
    Suite *suite = suite_create("sign");
    TCase *tc = unit_case(suite, "vectors");

    tcase_add_test(tc, rs256_rfc7515);
    tcase_add_test(tc, verifier_works);
    tc = unit_case(suite, "sign");
    tcase_add_test(tc, es256_width);
    tcase_add_test(tc, es384_width);
    tcase_add_test(tc, es512_width);
    tcase_add_loop_test(tc, algorithms, 0, 4);
    tcase_add_test(tc, empty);
    tcase_add_test(tc, public_refused);
    tcase_add_test(tc, stale_reason);
    return suite;
}
