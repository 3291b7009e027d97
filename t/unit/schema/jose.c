#include "message_unit.h"

#define X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC "{\"kty\": \"EC\", \"crv\": \"P-256\", \"x\": \"" X "\"," \
           "\"y\": \"" Y "\"}"
/* RFC 7517 A.1 */
#define N \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86z" \
    "wu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5Js" \
    "GY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMic" \
    "AtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-" \
    "bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csF" \
    "Cur-kEgU8awapJzKnqDKgw"

/* Signed requests are flattened JWS without an unprotected header; the
 * payload of POST-as-GET is empty (RFC 8555 6.2, 6.3). */
START_TEST(jws)
{
    static const char good[] =
        "{\"protected\": \"eyJhbGciOiJFUzI1NiJ9\", \"payload\": \"e30\","
        "\"signature\": \"" X Y "\"}";
    static const change_t changes[] = {
        { "payload", "\"\"", NULL },
        { "protected", NULL, "no member \"protected\"" },
        { "payload", NULL, "no member \"payload\"" },
        { "signature", NULL, "no member \"signature\"" },
        { "protected", "\"\"", "/protected" },
        { "protected", "\"e30\"", "/protected" },
        { "protected", "\"eyJhbGciOiJFUzI1NiJ9=\"", "/protected" },
        { "protected", "{\"alg\": \"ES256\"}", "/protected" },
        { "payload", "{}", "/payload" },
        { "payload", "null", "/payload" },
        { "payload", "\"e+0\"", "/payload" },
        { "payload", "\"e30=\"", "/payload" },
        { "payload", "\"e30\\n\"", "/payload" },
        { "signature", "\"\"", "/signature" },
        { "signature", "\"abc\"", "/signature" },
        { "header", "{\"kid\": \"1\"}", "/header" },
        { "signatures", "[]", "/signatures" }
    };

    message_changes("jose/jws", good, changes);
}
END_TEST

/* A payload may fill the message; its pattern costs one step. */
START_TEST(jws_large)
{
    json_t *large = unit_json("{\"protected\": \"eyJhbGciOiJFUzI1NiJ9\","
                              "\"signature\": \"" X Y "\"}");
    static char payload[60001];

    memset(payload, 'A', 60000);
    json_object_set_new(large, "payload", json_string(payload));
    unit_ok(schema_check(message_schema("jose/jws"), large, "it", &err));
    payload[59999] = '=';
    json_object_set_new(large, "payload", json_string(payload));
    unit_fails(schema_check(message_schema("jose/jws"), large, "it", &err),
               APR_EINVAL, "expected text that matches");
}
END_TEST

/* EC keys have coordinates of the curve's width, left zeros included. */
START_TEST(jwk_ec)
{
    static const change_t changes[] = {
        { "kid", "\"1\"", NULL },
        { "use", "\"sig\"", NULL },
        { "kty", NULL, "no member \"kty\"" },
        { "kty", "\"ec\"", "/kty" },
        { "kty", "\"oct\"", "/kty" },
        { "kty", "\"OKP\"", "/kty" },
        { "kty", "\"RSA\"", "no member \"n\"" },
        { "crv", NULL, "no member \"crv\"" },
        { "crv", "\"P-384\"", "none of 3 alternatives" },
        { "crv", "\"secp256k1\"", "/crv" },
        { "x", NULL, "no member \"x\"" },
        { "x", "\"\"", "/x" },
        { "x", "\"" X "A\"", "/x" },
        { "y", NULL, "no member \"y\"" },
        { "y", "\"x/FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"", "/y" },
        { "y", "5", "/y" }
    };

    message_changes("jose/jwk", EC, changes);
}
END_TEST

/* RSA keys have 2048 bits at least. */
START_TEST(jwk_rsa)
{
    static const char good[] =
        "{\"kty\": \"RSA\", \"n\": \"" N "\", \"e\": \"AQAB\"}";
    static const change_t changes[] = {
        { "n", "\"" N N "\"", NULL },
        { "n", NULL, "no member \"n\"" },
        { "n", "\"AQAB\"", "/n: has 4 characters" },
        { "n", "\"" N N N N "a\"", "/n" },
        { "n", "\"" N "=\"", "/n" },
        { "e", NULL, "no member \"e\"" },
        { "e", "65537", "/e" },
        { "e", "\"\"", "/e" },
        { "kty", "\"EC\"", "no member \"crv\"" }
    };

    message_changes("jose/jwk", good, changes);
}
END_TEST

/* A private member is never taken for a public key's. */
START_TEST(jwk_private)
{
    static const char *const members[] = {
        "d", "p", "q", "dp", "dq", "qi", "oth", "k"
    };
    change_t change = { NULL, "\"AQAB\"", "it is not allowed here" };
    size_t i;

    for (i = 0; i < 8; i++) {
        change.path = members[i];
        message_change("jose/jwk", EC, &change);
    }
}
END_TEST

/* The header of a request: nonce, url, and either jwk or kid. */
START_TEST(protected_header)
{
    static const char good[] =
        "{\"alg\": \"ES256\","
        "\"kid\": \"https://example.com/acme/acct/evOfKhNU60wg\","
        "\"nonce\": \"5XJ1L3lEkMG7tR6pA00clA\","
        "\"url\": \"https://example.com/acme/new-order\"}";
    static const change_t changes[] = {
        { "alg", "\"RS256\"", NULL },
        { "alg", "\"none\"", "/alg" },
        { "alg", "\"HS256\"", "/alg" },
        { "alg", NULL, "no member \"alg\"" },
        { "nonce", NULL, "no member \"nonce\"" },
        { "nonce", "\"\"", "/nonce" },
        { "nonce", "\"a b\"", "/nonce" },
        { "nonce", "\"a\\n\"", "/nonce" },
        { "url", NULL, "no member \"url\"" },
        { "url", "\"http://example.com/\"", "/url" },
        { "kid", NULL, "no member" },
        { "kid", "\"1\"", "/kid" },
        { "jwk", EC, "fits more than one of 2 alternatives" },
        { "jwk", "{}", "/jwk" },
        { "b64", "true", NULL },
        { "b64", "false", "/b64" },
        { "crit", "[\"b64\"]", "/crit" }
    };

    message_changes("jose/protected-header", good, changes);
    unit_ok(message_check("jose/protected-header",
                          "{\"alg\": \"ES256\", \"nonce\": \"a\","
                          "\"url\": \"https://x/\", \"jwk\": " EC "}"));
}
END_TEST

/* Inner headers have no nonce: external account binding with a MAC and the
 * CA's kid, keyChange with a signature and the new jwk. */
START_TEST(inner_header)
{
    static const char binding[] =
        "{\"alg\": \"HS256\", \"kid\": \"kid-1\","
        "\"url\": \"https://example.com/acme/new-account\"}";
    static const char change[] =
        "{\"alg\": \"ES256\", \"jwk\": " EC ","
        "\"url\": \"https://example.com/acme/key-change\"}";
    static const change_t binding_changes[] = {
        { "alg", "\"HS512\"", NULL },
        { "alg", "\"ES256\"", "/alg" },
        { "alg", NULL, "no member \"alg\"" },
        { "kid", "\"\"", "/kid" },
        { "kid", "\"\\u00e4\"", "/kid" },
        { "kid", NULL, "no member \"jwk\"" },
        { "nonce", "\"a\"", "/nonce" },
        { "jwk", EC, "/jwk" },
        { "url", NULL, "no member \"url\"" }
    };
    static const change_t change_changes[] = {
        { "alg", "\"HS256\"", "/alg" },
        { "jwk", NULL, "no member \"jwk\"" },
        { "jwk/kty", "\"oct\"", "/jwk/kty" },
        { "nonce", "\"a\"", "/nonce" },
        { "kid", "\"1\"", "/" }
    };

    message_changes("jose/inner-header", binding, binding_changes);
    message_changes("jose/inner-header", change, change_changes);
}
END_TEST

Suite *jose_suite(void)
{
    Suite *suite = suite_create("jose");
    TCase *tc = unit_case(suite, "jose");

    tcase_add_test(tc, jws);
    tcase_add_test(tc, jws_large);
    tcase_add_test(tc, jwk_ec);
    tcase_add_test(tc, jwk_rsa);
    tcase_add_test(tc, jwk_private);
    tcase_add_test(tc, protected_header);
    tcase_add_test(tc, inner_header);
    return suite;
}
