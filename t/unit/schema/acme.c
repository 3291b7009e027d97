#include "message_unit.h"

/* ------------------------------------------------------- what a CA sends */

/* The directory of RFC 8555 7.1.1. Only three resources must be there; null
 * means absent, and members that nobody knows are welcome. */
START_TEST(directory)
{
    static const char good[] =
        "{\"newNonce\": \"https://example.com/acme/new-nonce\","
        "\"newAccount\": \"https://example.com/acme/new-account\","
        "\"newOrder\": \"https://example.com/acme/new-order\","
        "\"newAuthz\": \"https://example.com/acme/new-authz\","
        "\"revokeCert\": \"https://example.com/acme/revoke-cert\","
        "\"keyChange\": \"https://example.com/acme/key-change\","
        "\"meta\": {\"termsOfService\":"
        "\"https://example.com/acme/terms/2017-5-30\","
        "\"website\": \"https://www.example.com/\","
        "\"caaIdentities\": [\"example.com\"],"
        "\"externalAccountRequired\": false}}";
    static const change_t changes[] = {
        { "Kq2x9vRmA0o", "\"https://community.letsencrypt.org/t/x\"", NULL },
        { "random", "[{\"a\": null}]", NULL },
        { "meta/random", "5", NULL },
        { "meta", NULL, NULL },
        { "meta", "null", NULL },
        { "meta/termsOfService", "null", NULL },
        { "meta/termsOfService", "\"http://example.com/\"", NULL },
        { "meta/website", "null", NULL },
        { "meta/caaIdentities", "null", NULL },
        { "meta/externalAccountRequired", "null", NULL },
        { "meta/profiles", "null", NULL },
        { "meta/profiles", "{\"classic\": \"https://x/\", \"b\": null}",
          NULL },
        { "newAuthz", "null", NULL },
        { "newAuthz", NULL, NULL },
        { "revokeCert", "null", NULL },
        { "keyChange", NULL, NULL },
        { "renewalInfo", "\"https://example.com/ari\"", NULL },
        { "renewalInfo", "null", NULL },
        { "newNonce", NULL, "no member \"newNonce\"" },
        { "newAccount", NULL, "no member \"newAccount\"" },
        { "newOrder", NULL, "no member \"newOrder\"" },
        { "newNonce", "null", "it: /newNonce: found null" },
        { "newOrder", "\"\"", "it: /newOrder: found \"\"" },
        { "newOrder", "\"http://example.com/\"", "^https://" },
        { "newOrder", "\"HTTPS://example.com/\"", "^https://" },
        { "newOrder", "\" https://example.com/\"", "^https://" },
        { "newOrder", "\"https://example.com/\\n\"", "^https://" },
        { "newOrder", "\"https://example.com/ x\"", "^https://" },
        { "newOrder", "\"https://ex\\u00e4mple.com/\"", "^https://" },
        { "newOrder", "\"/acme/new-order\"", "^https://" },
        { "newOrder", "[\"https://example.com/\"]", "expected type string" },
        { "renewalInfo", "\"ftp://example.com/\"", "^https://" },
        { "revokeCert", "\"file:///etc/passwd\"", "^https://" },
        { "keyChange", "5", "expected type string or null" },
        { "meta", "[]", "it: /meta: found an array" },
        { "meta/caaIdentities", "\"example.com\"", "expected type array" },
        { "meta/caaIdentities", "[null]", "/meta/caaIdentities/0" },
        { "meta/externalAccountRequired", "\"no\"", "expected type boolean" },
        { "meta/profiles", "[\"classic\"]", "expected type object" },
        { "meta/profiles", "{\"classic\": {}}", "/meta/profiles/classic" }
    };

    message_changes("acme/directory", good, changes);
}
END_TEST

/* The account of RFC 8555 7.1.2, and what a CA makes of it. */
START_TEST(account)
{
    static const char good[] =
        "{\"status\": \"valid\", \"contact\":"
        "[\"mailto:cert-admin@example.org\", \"mailto:admin@example.org\"],"
        "\"termsOfServiceAgreed\": true,"
        "\"orders\": \"https://example.com/acme/orders/rzGoeA\"}";
    static const change_t changes[] = {
        { "status", "\"deactivated\"", NULL },
        { "status", "\"revoked\"", NULL },
        { "orders", NULL, NULL },
        { "orders", "null", NULL },
        { "contact", NULL, NULL },
        { "contact", "null", NULL },
        { "contact", "[]", NULL },
        { "contact", "[\"tel:+1\"]", NULL },
        { "key", "{\"kty\": \"EC\"}", NULL },
        { "initialIp", "\"192.0.2.1\"", NULL },
        { "externalAccountBinding", "{}", NULL },
        { "status", NULL, "no member \"status\"" },
        { "status", "null", "it: /status: found null" },
        { "status", "\"Valid\"", "one of \"valid\", \"deactivated\"" },
        { "status", "\"pending\"", "/status" },
        { "contact", "\"mailto:a@example.org\"", "expected type array" },
        { "contact", "[1]", "/contact/0" },
        { "orders", "\"http://example.com/\"", "/orders" },
        { "termsOfServiceAgreed", "\"true\"", "/termsOfServiceAgreed" },
        { "externalAccountBinding", "true", "/externalAccountBinding" }
    };

    message_changes("acme/account", good, changes);
    /* Let's Encrypt's whole answer */
    unit_ok(message_check("acme/account", "{\"status\": \"valid\"}"));
    unit_fails(message_check("acme/account", "null"), APR_EINVAL,
               "expected type object");
}
END_TEST

/* The orders list of RFC 8555 7.1.2.1. */
START_TEST(orders)
{
    static const char good[] =
        "{\"orders\": [\"https://example.com/acme/order/TOlocE8rfgo\","
        "\"https://example.com/acme/order/4E16bbL5iSw\"]}";
    static const change_t changes[] = {
        { "orders", "[]", NULL },
        { "next", "null", NULL },
        { "orders", NULL, "no member \"orders\"" },
        { "orders", "null", "expected type array" },
        { "orders/1", "\"http://example.com/\"", "/orders/1" },
        { "orders/-", "null", "/orders/2" }
    };

    message_changes("acme/orders", good, changes);
}
END_TEST

#define GOOD_ORDER                                                      \
    "{\"status\": \"valid\", \"expires\": \"2016-01-20T14:09:07.99Z\"," \
    "\"identifiers\": [{\"type\": \"dns\", \"value\":"                  \
    "\"www.example.org\"}, {\"type\": \"dns\", \"value\":"              \
    "\"example.org\"}], \"notBefore\": \"2016-01-01T00:00:00Z\","       \
    "\"notAfter\": \"2016-01-08T00:00:00Z\", \"authorizations\":"       \
    "[\"https://example.com/acme/authz/PAniVnsZcis\","                  \
    "\"https://example.com/acme/authz/r4HqLzrSrpI\"], \"finalize\":"    \
    "\"https://example.com/acme/order/TOlocE8rfgo/finalize\","          \
    "\"certificate\": \"https://example.com/acme/cert/mAt3xBGaobw\"}"

/* The order of RFC 8555 7.1.3: what may be missing. */
START_TEST(order_good)
{
    static const change_t changes[] = {
        { "status", "\"pending\"", NULL },
        { "status", "\"ready\"", NULL },
        { "status", "\"processing\"", NULL },
        { "status", "\"invalid\"", NULL },
        { "status", "\"canceled\"", NULL },
        { "expires", NULL, NULL },
        { "expires", "null", NULL },
        { "notBefore", "null", NULL },
        { "certificate", NULL, NULL },
        { "certificate", "null", NULL },
        { "error", "null", NULL },
        { "error", "{}", NULL },
        { "error", "{\"type\": \"urn:ietf:params:acme:error:badCSR\"}",
          NULL },
        { "authorizations", "[]", NULL },
        { "profile", "\"shortlived\"", NULL },
        { "replaces", "\"aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE\"", NULL },
        { "identifiers/-", "{\"type\": \"permanent-identifier\","
          " \"value\": \"x\", \"ancestorDomain\": \"y\"}", NULL },
        { "identifiers/-", "{\"type\": \"ip\", \"value\": \"192.0.2.1\"}",
          NULL }
    };

    message_changes("acme/order", GOOD_ORDER, changes);
}
END_TEST

/* And what an order must not be. */
START_TEST(order_bad)
{
    static const change_t changes[] = {
        { "status", NULL, "no member \"status\"" },
        { "status", "\"revoked\"", "it: /status: found \"revoked\"" },
        { "status", "1", "/status" },
        { "expires", "\"\"", "/expires" },
        { "expires", "\"soon\"", "/expires" },
        { "expires", "1453298947", "/expires" },
        { "notAfter", "\"2016-01-08\"", "/notAfter" },
        { "identifiers", NULL, "no member \"identifiers\"" },
        { "identifiers", "null", "/identifiers" },
        { "identifiers", "[]", "/identifiers: has 0 items" },
        { "identifiers/1", "\"example.org\"", "/identifiers/1" },
        { "identifiers/1/type", NULL, "/identifiers/1: has no member" },
        { "identifiers/1/value", "null", "/identifiers/1/value" },
        { "identifiers/1/value", "\"\"", "/identifiers/1/value" },
        { "authorizations", NULL, "no member \"authorizations\"" },
        { "authorizations", "null", "/authorizations" },
        { "authorizations/0", "null", "/authorizations/0" },
        { "authorizations/1", "\"http://169.254.169.254/\"",
          "/authorizations/1" },
        { "finalize", NULL, "no member \"finalize\"" },
        { "finalize", "null", "/finalize" },
        { "finalize", "\"http://example.com/\"", "/finalize" },
        { "certificate", "\"-----BEGIN CERTIFICATE-----\"", "/certificate" },
        { "error", "\"badCSR\"", "/error" },
        { "error", "{\"type\": 5}", "/error/type: found 5" },
        { "profile", "5", "/profile" }
    };

    message_changes("acme/order", GOOD_ORDER, changes);
}
END_TEST

/* Orders may have 1000 names; more are refused, and no list is endless. */
START_TEST(order_limits)
{
    json_t *order = unit_json(GOOD_ORDER);
    json_t *names = json_object_get(order, "identifiers");
    json_t *urls = json_object_get(order, "authorizations");
    const schema_t *schema = message_schema("acme/order");

    while (json_array_size(names) < 1000) {
        json_array_append(names, json_array_get(names, 0));
        json_array_append(urls, json_array_get(urls, 0));
    }
    unit_ok(schema_check(schema, order, "it", &err));
    json_array_append(names, json_array_get(names, 0));
    unit_fails(schema_check(schema, order, "it", &err), APR_EINVAL,
               "/identifiers: has 1001 items, expected at most 1000");
    base_err_clear(&err);
    json_array_remove(names, 0);
    json_array_append(urls, json_array_get(urls, 0));
    unit_fails(schema_check(schema, order, "it", &err), APR_EINVAL,
               "/authorizations: has 1001 items");
}
END_TEST

#define GOOD_AUTHZ                                                     \
    "{\"status\": \"valid\", \"expires\": \"2015-03-01T14:09:07.99Z\"," \
    "\"identifier\": {\"type\": \"dns\", \"value\": \"www.example.org\"}," \
    "\"challenges\": [{\"url\":"                                       \
    "\"https://example.com/acme/chall/prV_B7yEyA4\","                  \
    "\"type\": \"http-01\", \"status\": \"valid\","                    \
    "\"token\": \"DGyRejmCefe7v4NfDGDKfA\","                           \
    "\"validated\": \"2014-12-01T12:05:58.16Z\"}],"                    \
    "\"wildcard\": false}"

/* The authorization of RFC 8555 7.1.4. */
START_TEST(authorization)
{
    static const change_t changes[] = {
        { "status", "\"pending\"", NULL },
        { "status", "\"invalid\"", NULL },
        { "status", "\"deactivated\"", NULL },
        { "status", "\"expired\"", NULL },
        { "status", "\"revoked\"", NULL },
        { "expires", NULL, NULL },
        { "expires", "null", NULL },
        { "wildcard", NULL, NULL },
        { "wildcard", "true", NULL },
        { "wildcard", "null", NULL },
        { "challenges", "[]", NULL },
        { "challenges/0/validationRecord", "[{\"url\": \"http://x/\"}]",
          NULL },
        { "challenges/-", "{\"type\": \"dns-persist-01\", \"url\":"
          " \"https://x/1\", \"status\": \"pending\","
          " \"issuer-domain-names\": [\"x\"]}", NULL },
        { "challenges/-", "{\"type\": \"tkauth-01\", \"tkauth-type\": 1}",
          NULL },
        { "status", NULL, "no member \"status\"" },
        { "status", "\"ready\"", "/status: found \"ready\"" },
        { "expires", "\"2015-02-30T14:09:07Z\"", "/expires" },
        { "identifier", NULL, "no member \"identifier\"" },
        { "identifier", "\"www.example.org\"", "/identifier" },
        { "identifier/value", NULL, "/identifier: has no member" },
        { "challenges", NULL, "no member \"challenges\"" },
        { "challenges", "null", "/challenges" },
        { "challenges", "{}", "/challenges" },
        { "challenges/-", "null", "/challenges/1" },
        { "challenges/-", "{\"url\": \"https://x/\"}",
          "/challenges/1: has no member \"type\"" },
        { "challenges/0/token", "\"../../../../../../../../etc/shadow\"",
          "/challenges/0/token" },
        { "challenges/0/url", "\"http://example.com/\"",
          "/challenges/0/url" },
        { "wildcard", "\"yes\"", "/wildcard" }
    };

    message_changes("acme/authorization", GOOD_AUTHZ, changes);
}
END_TEST

/* The challenge of RFC 8555 8.3. A token becomes part of a path: it is base
 * 64 of the URL alphabet, and of 22 characters (128 bits) at least. */
START_TEST(challenge)
{
    static const char good[] =
        "{\"type\": \"http-01\","
        "\"url\": \"https://example.com/acme/chall/prV_B7yEyA4\","
        "\"status\": \"pending\","
        "\"token\": \"LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0\"}";
    static const change_t changes[] = {
        { "type", "\"dns-01\"", NULL },
        { "type", "\"tls-alpn-01\"", NULL },
        { "status", "\"processing\"", NULL },
        { "status", "\"valid\"", NULL },
        { "status", "\"invalid\"", NULL },
        { "token", "\"aaaaaaaaaaaaaaaaaaaaaa\"", NULL },
        { "validated", "null", NULL },
        { "error", "null", NULL },
        { "error", "{\"type\": \"urn:ietf:params:acme:error:connection\","
          " \"detail\": \"timeout\", \"status\": 400}", NULL },
        { "accounturi", "5", NULL },
        { "type", NULL, "no member \"type\"" },
        { "type", "null", "/type" },
        { "type", "\"\"", "/type" },
        { "status", NULL, "no member \"status\"" },
        { "status", "\"ready\"", "/status" },
        { "url", NULL, "no member \"url\"" },
        { "url", "null", "/url" },
        { "token", NULL, "no member \"token\"" },
        { "token", "null", "/token" },
        { "token", "\"\"", "/token" },
        { "token", "\"aaaaaaaaaaaaaaaaaaaaa\"", "/token" },
        { "token", "\"aaaaaaaaaaaaaaaaaaaaaa=\"", "/token" },
        { "token", "\"aaaaaaaaaaa/aaaaaaaaaa\"", "/token" },
        { "token", "\"aaaaaaaaaaaaaaaaaaaaaa\\n\"", "/token" },
        { "token", "\"aaaaaaaaaaaaaaaaaaaaaa\\u0000\"", "/token" },
        { "token", "\"aaaaaaaaaaaaaaaaaaaaa\\u00e4\"", "/token" },
        { "token", "\"..%2f..%2f..%2f..%2fetc\"", "/token" },
        { "token", "\"$(reboot)aaaaaaaaaaaaaaaaa\"", "/token" },
        { "validated", "\"yesterday\"", "/validated" },
        { "error", "\"failed\"", "/error" }
    };

    message_changes("acme/challenge", good, changes);
}
END_TEST

/* A challenge of a type that we cannot answer may look as it likes. */
START_TEST(challenge_unknown)
{
    static const char *const others[] = {
        "{\"type\": \"dns-persist-01\", \"url\": \"https://x/1\","
        " \"status\": \"pending\", \"issuer-domain-names\": [\"a\"]}",
        "{\"type\": \"x\"}",
        "{\"type\": \"x\", \"token\": null, \"url\": 5, \"status\": [],"
        " \"error\": \"no\", \"validated\": 0}"
    };
    size_t i;

    for (i = 0; i < 3; i++) {
        unit_ok(message_check("acme/challenge", others[i]));
    }
}
END_TEST

/* The problem document of RFC 8555 6.7.1. All is optional: an error must
 * never be lost because it is oddly said. */
START_TEST(problem)
{
    static const char good[] =
        "{\"type\": \"urn:ietf:params:acme:error:malformed\","
        "\"detail\": \"Some of the identifiers requested were rejected\","
        "\"subproblems\": [{"
        "\"type\": \"urn:ietf:params:acme:error:malformed\","
        "\"detail\": \"Invalid underscore in DNS name \\\"_example.org\\\"\","
        "\"identifier\": {\"type\": \"dns\", \"value\": \"_example.org\"}},"
        "{\"type\": \"urn:ietf:params:acme:error:rejectedIdentifier\","
        "\"detail\": \"This CA will not issue for \\\"example.net\\\"\","
        "\"identifier\": {\"type\": \"dns\", \"value\": \"example.net\"}}]}";
    static const change_t changes[] = {
        { "type", NULL, NULL },
        { "type", "null", NULL },
        { "type", "\"about:blank\"", NULL },
        { "detail", "null", NULL },
        { "status", "403", NULL },
        { "status", "null", NULL },
        { "instance", "\"https://example.com/terms\"", NULL },
        { "title", "\"x\"", NULL },
        { "algorithms", "[\"RS256\", \"ES256\"]", NULL },
        { "subproblems", "null", NULL },
        { "subproblems", "[]", NULL },
        { "subproblems/0/identifier", "null", NULL },
        { "subproblems/0/identifier", NULL, NULL },
        { "anything", "{}", NULL },
        { "type", "5", "/type" },
        { "detail", "[\"x\"]", "/detail" },
        { "status", "\"403\"", "/status" },
        { "status", "1000", "/status" },
        { "status", "-1", "/status" },
        { "status", "400.5", "/status" },
        { "algorithms", "\"RS256\"", "/algorithms" },
        { "subproblems", "{}", "/subproblems" },
        { "subproblems/0", "\"x\"", "/subproblems/0" },
        { "subproblems/1/detail", "5", "/subproblems/1/detail" },
        { "subproblems/1/identifier", "\"example.net\"",
          "/subproblems/1/identifier" },
        { "subproblems/1/identifier/value", "5",
          "/subproblems/1/identifier/value" }
    };

    message_changes("acme/problem", good, changes);
    unit_ok(message_check("acme/problem", "{}"));
    unit_fails(message_check("acme/problem", "\"rateLimited\""), APR_EINVAL,
               "expected type object");
}
END_TEST

/* The renewal information of RFC 9773 4.2. */
START_TEST(renewal_info)
{
    static const char good[] =
        "{\"suggestedWindow\": {\"start\": \"2025-01-02T04:00:00Z\","
        "\"end\": \"2025-01-03T04:00:00Z\"}, \"explanationURL\":"
        "\"https://acme.example.com/docs/ari\"}";
    static const change_t changes[] = {
        { "explanationURL", NULL, NULL },
        { "explanationURL", "null", NULL },
        { "suggestedWindow/start", "\"2025-01-02T04:00:00.123+02:00\"",
          NULL },
        { "suggestedWindow", NULL, "no member \"suggestedWindow\"" },
        { "suggestedWindow", "null", "/suggestedWindow" },
        { "suggestedWindow", "[]", "/suggestedWindow" },
        { "suggestedWindow/start", NULL, "no member \"start\"" },
        { "suggestedWindow/end", NULL, "no member \"end\"" },
        { "suggestedWindow/end", "\"\"", "/suggestedWindow/end" },
        { "suggestedWindow/end", "\"2025-01-03\"", "/suggestedWindow/end" },
        { "suggestedWindow/end", "1735876800", "/suggestedWindow/end" },
        { "explanationURL", "{}", "/explanationURL" }
    };

    message_changes("acme/renewal-info", good, changes);
}
END_TEST

/* ---------------------------------------------------------- what we send */

/* newAccount of RFC 8555 7.3: a contact is one mail address. */
START_TEST(new_account)
{
    static const char good[] =
        "{\"termsOfServiceAgreed\": true, \"contact\":"
        "[\"mailto:cert-admin@example.org\", \"mailto:admin@example.org\"]}";
    static const change_t changes[] = {
        { "contact", NULL, NULL },
        { "contact", "[]", NULL },
        { "contact/0", "\"mailto:o'neil+acme@[192.0.2.1]\"", NULL },
        { "onlyReturnExisting", "true", NULL },
        { "contact", "\"mailto:a@example.org\"", "/contact" },
        { "contact/0", "\"admin@example.org\"", "/contact/0" },
        { "contact/0", "\"mailto:\"", "/contact/0" },
        { "contact/0", "\"mailto:admin\"", "/contact/0" },
        { "contact/0", "\"tel:+12025551212\"", "/contact/0" },
        { "contact/0", "\"mailto:a@example.org?subject=x\"", "/contact/0" },
        { "contact/0", "\"mailto:a@example.org,b@example.org\"",
          "/contact/0" },
        { "contact/0", "\"mailto:a@example.org\\n\"", "/contact/0" },
        { "contact/0", "null", "/contact/0" },
        { "termsOfServiceAgreed", "\"yes\"", "/termsOfServiceAgreed" },
        { "onlyReturnExisting", "1", "/onlyReturnExisting" },
        { "externalAccountBinding", "{}", "/externalAccountBinding" },
        { "externalAccountBinding", "null", "/externalAccountBinding" }
    };

    message_changes("acme/new-account", good, changes);
    unit_ok(message_check("acme/new-account",
                          "{\"onlyReturnExisting\": true}"));
}
END_TEST

/* The external account binding of RFC 8555 7.3.4 is a whole JWS. */
START_TEST(external_account)
{
    static const char good[] =
        "{\"externalAccountBinding\": {\"protected\":"
        "\"eyJhbGciOiJIUzI1NiIsImtpZCI6IjEifQ\", \"payload\": \"eyJrdHkifQ\","
        "\"signature\": \"5TWiqIYQfIDfALQv5vVvkuw3xtFMHvJTgXtvXzPQ_ds\"}}";
    static const change_t changes[] = {
        { "externalAccountBinding/signature", NULL, "\"signature\"" },
        { "externalAccountBinding/payload", "\"a=\"", "/payload" },
        { "externalAccountBinding/header", "{}", "/header" }
    };

    message_changes("acme/new-account", good, changes);
}
END_TEST

/* Updates of RFC 8555 7.3.2 and 7.3.6. */
START_TEST(account_update)
{
    static const char good[] = "{\"contact\": [\"mailto:a@example.org\"]}";
    static const change_t changes[] = {
        { "contact", "[]", NULL },
        { "termsOfServiceAgreed", "true", NULL },
        { "status", "\"deactivated\"", NULL },
        { "status", "\"valid\"", "/status" },
        { "termsOfServiceAgreed", "false", "/termsOfServiceAgreed" },
        { "contact/0", "\"a@example.org\"", "/contact/0" }
    };

    message_changes("acme/account-update", good, changes);
    unit_fails(message_check("acme/account-update", "{}"), APR_EINVAL,
               "has 0 members");
}
END_TEST

/* newOrder of RFC 8555 7.4: names as certificates write them. */
START_TEST(new_order)
{
    static const char good[] =
        "{\"identifiers\": [{\"type\": \"dns\", \"value\":"
        "\"www.example.org\"}, {\"type\": \"dns\", \"value\":"
        "\"example.org\"}], \"notBefore\": \"2016-01-01T00:04:00+04:00\","
        "\"notAfter\": \"2016-01-08T00:04:00+04:00\"}";
    static const change_t changes[] = {
        { "notBefore", NULL, NULL },
        { "profile", "\"shortlived\"", NULL },
        { "replaces", "\"aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE\"", NULL },
        { "identifiers/0/value", "\"*.example.org\"", NULL },
        { "identifiers/0/value", "\"xn--bcher-kva.example\"", NULL },
        { "identifiers/0/value", "\"localhost\"", NULL },
        { "identifiers/0", "{\"type\": \"ip\", \"value\": \"192.0.2.1\"}",
          NULL },
        { "identifiers/0", "{\"type\": \"ip\", \"value\": \"2001:db8::1\"}",
          NULL },
        { "identifiers", NULL, "no member \"identifiers\"" },
        { "identifiers", "[]", "/identifiers" },
        { "identifiers/0/value", "\"example.org\"", "only once" },
        { "identifiers/0/value", "\"\"", "/identifiers/0/value" },
        { "identifiers/0/value", "\"WWW.example.org\"",
          "/identifiers/0/value" },
        { "identifiers/0/value", "\"example.org.\"", "/identifiers/0/value" },
        { "identifiers/0/value", "\"a..example.org\"",
          "/identifiers/0/value" },
        { "identifiers/0/value", "\"-a.example.org\"",
          "/identifiers/0/value" },
        { "identifiers/0/value", "\"a_b.example.org\"",
          "/identifiers/0/value" },
        { "identifiers/0/value", "\"b\\u00fccher.example\"",
          "/identifiers/0/value" },
        { "identifiers/0/value", "\"a.*.example.org\"",
          "/identifiers/0/value" },
        { "identifiers/0/value", "\"*.*.example.org\"",
          "/identifiers/0/value" },
        { "identifiers/0/value", "\"*\"", "/identifiers/0/value" },
        { "identifiers/0/value", "\"www.example.org\\n\"",
          "/identifiers/0/value" },
        { "identifiers/0/value", "null", "/identifiers/0/value" },
        { "identifiers/0", "{\"type\": \"ip\", \"value\": \"example.org\"}",
          "/identifiers/0/value" },
        { "identifiers/0", "{\"type\": \"ip\", \"value\": \"[::1]\"}",
          "/identifiers/0/value" },
        { "identifiers/0/type", "\"DNS\"", "/identifiers/0/type" },
        { "identifiers/0/type", NULL, "no member \"type\"" },
        { "notAfter", "\"\"", "/notAfter" },
        { "notAfter", "null", "/notAfter" },
        { "profile", "\"\"", "/profile" },
        { "profile", "null", "/profile" },
        { "replaces", "\"abc\"", "/replaces" },
        { "replaces", "\"a.b.c\"", "/replaces" },
        { "replaces", "\"a=.b\"", "/replaces" }
    };

    message_changes("acme/new-order", good, changes);
}
END_TEST

/* A label has 63 characters at most, a name 253. */
START_TEST(new_order_lengths)
{
    json_t *order = unit_json("{\"identifiers\": [{\"type\": \"dns\"}]}");
    json_t *identifier =
        json_array_get(json_object_get(order, "identifiers"), 0);
    const schema_t *schema = message_schema("acme/new-order");
    static const struct {
        int label, labels, good;
    } names[] = {
        { 63, 3, 1 }, { 64, 1, 0 }, { 1, 127, 1 }, { 1, 128, 0 },
        { 49, 5, 1 }, { 50, 5, 0 }
    };
    size_t i;

    for (i = 0; i < 6; i++) {
        char name[400] = "";
        int at = 0, k;

        for (k = 0; k < names[i].labels; k++) {
            memset(name + at, 'a', (size_t)names[i].label);
            at += names[i].label;
            name[at++] = '.';
        }
        name[at - 1] = '\0';
        json_object_set_new(identifier, "value", json_string(name));
        base_err_clear(&err);
        ck_assert_int_eq(schema_check(schema, order, "it", &err)
                         == APR_SUCCESS, names[i].good);
    }
}
END_TEST

/* Responses and deactivations are one small object each. */
START_TEST(small_requests)
{
    unit_ok(message_check("acme/challenge-response", "{}"));
    unit_fails(message_check("acme/challenge-response",
                             "{\"keyAuthorization\": \"x\"}"), APR_EINVAL,
               "has 1 member, expected at most 0");
    unit_fails(message_check("acme/challenge-response", "\"\""), APR_EINVAL,
               "expected type object");
    unit_ok(message_check("acme/authorization-update",
                          "{\"status\": \"deactivated\"}"));
    unit_fails(message_check("acme/authorization-update",
                             "{\"status\": \"valid\"}"), APR_EINVAL,
               "/status");
    unit_fails(message_check("acme/authorization-update", "{}"), APR_EINVAL,
               "no member \"status\"");
}
END_TEST

/* 100 characters of base64url that begin like DER. */
#define DER "MIIBPTCBxAIBADBFMQswCQYDVQQGEwJBVTETMBEGA1UECAwKU29tZS1T" \
            "dGF0ZTEhMB8GA1UECgwYSW50ZXJuZXQgV2lkZ2l0cyBQd"

/* finalize of RFC 8555 7.4. */
START_TEST(finalize)
{
    static const char good[] = "{\"csr\": \"" DER "\"}";
    static const change_t changes[] = {
        { "csr", NULL, "no member \"csr\"" },
        { "csr", "null", "/csr" },
        { "csr", "\"\"", "/csr" },
        { "csr", "\"MIIB\"", "/csr" },
        { "csr", "\"" DER "==\"", "/csr" },
        { "csr", "\"" DER "+/\"", "/csr" },
        { "csr", "\"" DER "\\n\"", "/csr" },
        { "csr", "\"-----BEGIN CERTIFICATE REQUEST-----" DER "\"", "/csr" }
    };

    message_changes("acme/finalize", good, changes);
}
END_TEST

/* revokeCert of RFC 8555 7.6, with the reasons of RFC 5280. */
START_TEST(revoke_cert)
{
    static const char good[] = "{\"certificate\": \"" DER "\","
                               "\"reason\": 4}";
    static const change_t changes[] = {
        { "reason", NULL, NULL },
        { "reason", "0", NULL },
        { "reason", "10", NULL },
        { "reason", "7", "/reason" },
        { "reason", "11", "/reason" },
        { "reason", "-1", "/reason" },
        { "reason", "1.5", "/reason" },
        { "reason", "\"keyCompromise\"", "/reason" },
        { "reason", "null", "/reason" },
        { "certificate", NULL, "no member \"certificate\"" },
        { "certificate", "\"-----BEGIN CERTIFICATE-----" DER "\"",
          "/certificate" }
    };

    message_changes("acme/revoke-cert", good, changes);
}
END_TEST

/* The inner payload of keyChange, RFC 8555 7.3.5. */
START_TEST(key_change)
{
    static const char good[] =
        "{\"account\": \"https://example.com/acme/acct/evOfKhNU60wg\","
        "\"oldKey\": {\"kty\": \"EC\", \"crv\": \"P-256\","
        "\"x\": \"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\": \"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}}";
    static const change_t changes[] = {
        { "account", NULL, "no member \"account\"" },
        { "account", "\"/acme/acct/1\"", "/account" },
        { "oldKey", NULL, "no member \"oldKey\"" },
        { "oldKey", "{}", "/oldKey" },
        { "oldKey/d", "\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"",
          "/oldKey/d" }
    };

    message_changes("acme/key-change", good, changes);
}
END_TEST

static void add_received(Suite *suite)
{
    TCase *tc = unit_case(suite, "received");

    tcase_add_test(tc, directory);
    tcase_add_test(tc, account);
    tcase_add_test(tc, orders);
    tcase_add_test(tc, order_good);
    tcase_add_test(tc, order_bad);
    tcase_add_test(tc, order_limits);
    tcase_add_test(tc, authorization);
    tcase_add_test(tc, challenge);
    tcase_add_test(tc, challenge_unknown);
    tcase_add_test(tc, problem);
    tcase_add_test(tc, renewal_info);
}

static void add_sent(Suite *suite)
{
    TCase *tc = unit_case(suite, "sent");

    tcase_add_test(tc, new_account);
    tcase_add_test(tc, external_account);
    tcase_add_test(tc, account_update);
    tcase_add_test(tc, new_order);
    tcase_add_test(tc, new_order_lengths);
    tcase_add_test(tc, small_requests);
    tcase_add_test(tc, finalize);
    tcase_add_test(tc, revoke_cert);
    tcase_add_test(tc, key_change);
}

Suite *acme_suite(void)
{
    Suite *suite = suite_create("acme");

    add_received(suite);
    add_sent(suite);
    return suite;
}
