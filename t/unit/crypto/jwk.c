/*
 * jwk.c: public keys as JSON Web Keys.
 */
#include <openssl/err.h>

#include "unit.h"
#include "fixture.h"

/* RFC 7638 3.1. */
static const char *const rfc7638[] = {
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7a"
    "PFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArw"
    "l93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0z"
    "gdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2Nc"
    "Rwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "AQAB", NULL
};

/* Multiples of the curves' base points whose x or y begins with a zero
 * byte, computed by arithmetic alone (no OpenSSL). */
static const struct {
    const char *curve;
    crypto_key_type_t type;
    const char *x;
    const char *y;
} zeros[] = {
    { "P-256", CRYPTO_P256,                                   /* 43 G */
      "mGriUG8f8QTQQjCGHY9LSY9LxMbQCbMPdUTcEpuC0o0",
      "ADzMwKZGDgrjKKTZfTx7YdhvxiicGJ8lJREMRBuwfpc" },
    { "P-256", CRYPTO_P256,                                   /* 379 G */
      "AFVDiUrz0A7X10Cr29dclrBod7eH219w7qeLkKjXwAo",
      "u0yFo9jqKe-q-iRAaRLdhNWxTcMr9lbvbGvVil2UP5I" },
    { "P-384", CRYPTO_P384,                                   /* 176 G */
      "0DqnSPX0jrPgxUtoPyXS4tfX4yASgqlbV6Wf-4-Uz0xDsRB8qUS5IRw1ERLeFu0Y",
      "AAoIxgLcXgAx2tCIwZMF9rJSorw_JF96W4C0hMe5n2mBwyN0xxSnaDJV9TMfZrsG" },
    { "P-384", CRYPTO_P384,                                   /* 197 G */
      "AE0QSybuVnH3LBDJhoQdPmXSheJRYWG3uqNBsSYxueMrbw1YlthDHFHV2To3y8kO",
      "8RoeP4t7kFOO5CzADuk0puLuJVQWB9j7ZceosR4viGhTiG7vOGXskzIAufJVmfKf" },
    { "P-521", CRYPTO_P521,                                   /* 73 G */
      "AXU5Dmbpc8nvn_tgUzkHCd42CbJLJNEIkoJ9aKeK25iSK0CjjziZ0eNjggIxDc-Z8jMX"
      "i_-HO7AbRLwWqG6HHOve",
      "AADrd1exXLrze4Sr7SdSvSajtD5gVWlCNL_Yfu76jmczhK9esk8PJJGerQIQgwBeTl8l"
      "pqwlVZxOZZk38T1MHHbH" },
    { "P-521", CRYPTO_P521,                                   /* 273 G */
      "AABgqI2FlqLGWXstxORl39fnSgvLe4Y_VvIcFBSllYtipJWZb9hrjp54pnEseIfnXfzp"
      "cqBOEsuc-eAy_yrBr_8Z",
      "ATPR_AqtuggGE1eNKYDHf-Y8t80KYNGt8rLlCNmsniqLHQxTiNHLsF8OLFjQHLzAWUWS"
      "k9SYKLYfR8Hy7euJFFKK" }
};

#define ZEROS ((int)(sizeof(zeros) / sizeof(zeros[0])))

static const char *member(const json_t *jwk, const char *name)
{
    const char *text = json_string_value(json_object_get(jwk, name));

    ck_assert_ptr_nonnull(text);
    return text;
}

/* The thumbprint of RFC 7638's example is the one printed there. */
START_TEST(thumbprint_rfc7638)
{
    crypto_key_t *key = fix_public(fix_rsa(rfc7638, pool), pool);
    const char *thumbprint;

    unit_ok(crypto_jwk_thumbprint(&thumbprint, key, &err, pool));
    ck_assert_str_eq(thumbprint,
                     "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* An RSA key has e, kty and n and nothing more, without leading zeros. */
START_TEST(jwk_rsa)
{
    crypto_key_t *key = fix_public(fix_rsa(rfc7638, pool), pool);
    json_t *jwk;

    unit_ok(crypto_jwk(&jwk, key, &err, pool));
    ck_assert_uint_eq(json_object_size(jwk), 3);
    ck_assert_str_eq(member(jwk, "kty"), "RSA");
    ck_assert_str_eq(member(jwk, "n"), rfc7638[0]);
    ck_assert_str_eq(member(jwk, "e"), "AQAB");
}
END_TEST

/* Coordinates keep the width of the curve when they begin with zeros. */
START_TEST(jwk_zeros)
{
    crypto_key_t *key;
    json_t *jwk;

    key = fix_public(fix_ec(zeros[_i].curve, zeros[_i].x, zeros[_i].y, NULL,
                            pool), pool);
    ck_assert_int_eq(crypto_key_type(key), zeros[_i].type);
    unit_ok(crypto_jwk(&jwk, key, &err, pool));
    ck_assert_uint_eq(json_object_size(jwk), 4);
    ck_assert_str_eq(member(jwk, "kty"), "EC");
    ck_assert_str_eq(member(jwk, "crv"), zeros[_i].curve);
    ck_assert_str_eq(member(jwk, "x"), zeros[_i].x);
    ck_assert_str_eq(member(jwk, "y"), zeros[_i].y);
}
END_TEST

/* A private key's JWK is its public half: d never leaves the room. */
START_TEST(jwk_private)
{
    crypto_key_t *key = fix_key(
        fix_ec("P-256", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
               "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
               "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI", pool), pool);
    json_t *jwk;

    unit_ok(crypto_jwk(&jwk, key, &err, pool));
    ck_assert_str_eq(base_json_text(jwk, pool),
                     "{\"crv\":\"P-256\",\"kty\":\"EC\","
                     "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}");
}
END_TEST

/* The thumbprint is that of the public half, whoever computes it, and
 * differs from key to key. */
START_TEST(thumbprint_public)
{
    EVP_PKEY *evp = fix_evp("P-384", pool);
    const char *a;
    const char *b;
    const char *c;

    unit_ok(crypto_jwk_thumbprint(&a, fix_key(evp, pool), &err, pool));
    unit_ok(crypto_jwk_thumbprint(&b, fix_public(evp, pool), &err, pool));
    unit_ok(crypto_jwk_thumbprint(&c, fix_key(fix_evp("P-384", pool), pool),
                                  &err, pool));
    ck_assert_str_eq(a, b);
    ck_assert_str_ne(a, c);
    ck_assert_uint_eq(strlen(a), 43);
}
END_TEST

Suite *jwk_suite(void);

Suite *jwk_suite(void)
{
    Suite *suite = suite_create("jwk");
    TCase *tc = unit_case(suite, "jwk");

    tcase_add_test(tc, jwk_rsa);
    tcase_add_loop_test(tc, jwk_zeros, 0, ZEROS);
    tcase_add_test(tc, jwk_private);
    tc = unit_case(suite, "thumbprint");
    tcase_add_test(tc, thumbprint_rfc7638);
    tcase_add_test(tc, thumbprint_public);
    return suite;
}
