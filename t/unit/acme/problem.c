#include "unit.h"

#include "acme/engine.h"

#include <apr_strings.h>

#define URN  "urn:ietf:params:acme:error:"
#define WALL apr_time_from_sec(1795460400)

Suite *problem_suite(void);

static http_response_t response;

static acme_react_t reply(int status, const char *body)
{
    schema_set_t *schemas;

    unit_ok(schema_set_builtin(&schemas, &err, pool));
    response.status = status;
    response.url = "https://ca.example/new-order";
    response.content_type = "application/problem+json; charset=utf-8";
    response.body = body;
    response.body_len = strlen(body);
    base_err_clear(&err);
    return acme_problem_reply(&err, &response, schemas, "ordering", WALL,
                              pool);
}

static acme_react_t reply_type(int status, const char *type)
{
    return reply(status, apr_psprintf(pool, "{\"type\":\"" URN "%s\","
                                      "\"detail\":\"so it is\"}", type));
}

static void setup(void)
{
    memset(&response, 0, sizeof(response));
    unit_setup();
    response.links = apr_array_make(pool, 1, sizeof(const char *));
}

/* Every problem type of RFC 8555 6.7 and of the RFCs behind it: how acmectl
 * ends because of it as the reply to a request, how as the "error" of a
 * challenge or an order, and what is done at once. */
static const struct {
    const char *type;
    int status;
    base_exit_t in_reply, in_object;
    acme_react_t react;
} types[] = {
    { "accountDoesNotExist", 400, 7, 7, ACME_REACT_FAIL },
    { "alreadyReplaced", 409, 7, 7, ACME_REACT_FAIL },
    { "alreadyRevoked", 400, 7, 7, ACME_REACT_FAIL },
    { "badCSR", 400, 7, 7, ACME_REACT_FAIL },
    { "badNonce", 400, 75, 75, ACME_REACT_NONCE },
    { "badPublicKey", 400, 7, 7, ACME_REACT_FAIL },
    { "badRevocationReason", 400, 7, 7, ACME_REACT_FAIL },
    { "badSignatureAlgorithm", 400, 7, 7, ACME_REACT_FAIL },
    { "caa", 403, 7, 7, ACME_REACT_FAIL },
    { "connection", 400, 1, 1, ACME_REACT_FAIL },
    { "dns", 400, 1, 1, ACME_REACT_FAIL },
    { "externalAccountRequired", 400, 7, 7, ACME_REACT_FAIL },
    { "incorrectResponse", 403, 1, 1, ACME_REACT_FAIL },
    { "invalidContact", 400, 7, 7, ACME_REACT_FAIL },
    { "invalidProfile", 400, 7, 7, ACME_REACT_FAIL },
    { "malformed", 400, 7, 1, ACME_REACT_FAIL },
    { "orderNotReady", 403, 1, 1, ACME_REACT_FAIL },
    { "rateLimited", 429, 75, 75, ACME_REACT_FAIL },
    { "rejectedIdentifier", 400, 7, 7, ACME_REACT_FAIL },
    { "serverInternal", 500, 75, 75, ACME_REACT_RETRY },
    { "serverInternal", 400, 75, 75, ACME_REACT_RETRY },
    { "tls", 400, 1, 1, ACME_REACT_FAIL },
    { "unauthorized", 401, 7, 1, ACME_REACT_FAIL },
    { "unsupportedContact", 400, 7, 7, ACME_REACT_FAIL },
    { "unsupportedIdentifier", 400, 7, 7, ACME_REACT_FAIL },
    { "userActionRequired", 403, 7, 7, ACME_REACT_FAIL },
    /* Not known here: the status decides. */
    { "unknownDelegation", 400, 7, 1, ACME_REACT_FAIL },
    { "unknownDelegation", 500, 75, 1, ACME_REACT_RETRY },
    { "unknownDelegation", 302, 1, 1, ACME_REACT_FAIL }
};

START_TEST(each_type_has_its_exit_status)
{
    int i = _i;
    json_t *object;

    ck_assert_int_eq(reply_type(types[i].status, types[i].type),
                     types[i].react);
    ck_assert_int_eq(err.exit, types[i].in_reply);
    ck_assert_str_eq(err.type, apr_pstrcat(pool, URN, types[i].type, NULL));
    ck_assert_ptr_nonnull(strstr(err.message, "ordering: "));
    ck_assert_ptr_nonnull(strstr(err.message, "so it is"));
    ck_assert(acme_err_is(&err, types[i].type));
    base_err_clear(&err);
    object = base_json_own(json_pack("{s:s+}", "type", URN, types[i].type),
                           pool);
    acme_problem_object(&err, object, "validating", "a.example", pool);
    ck_assert_int_eq(err.exit, types[i].in_object);
    ck_assert_str_eq(err.identifier, "a.example");
}
END_TEST

/* A reply without a problem document (a proxy's HTML page, nothing at all,
 * JSON of another kind) is judged by its HTTP status alone. */
START_TEST(html_is_judged_by_status)
{
    static const struct {
        int status;
        base_exit_t exit;
        acme_react_t react;
    } rows[] = {
        { 302, 1, ACME_REACT_FAIL }, { 400, 7, ACME_REACT_FAIL },
        { 403, 7, ACME_REACT_FAIL }, { 404, 7, ACME_REACT_FAIL },
        { 408, 75, ACME_REACT_RETRY }, { 409, 7, ACME_REACT_FAIL },
        { 429, 75, ACME_REACT_FAIL }, { 431, 7, ACME_REACT_FAIL },
        { 500, 75, ACME_REACT_RETRY }, { 502, 75, ACME_REACT_RETRY },
        { 503, 75, ACME_REACT_RETRY }, { 599, 75, ACME_REACT_RETRY },
        { 100, 1, ACME_REACT_FAIL }, { 700, 1, ACME_REACT_FAIL }
    };
    static const char *const bodies[] = {
        "<html><h1>Bad %s %n Gateway</h1></html>", "", "[]", "{\"type\": 7}",
        "{\"type\"", "null"
    };
    size_t i, k;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        for (k = 0; k < sizeof(bodies) / sizeof(*bodies); k++) {
            ck_assert_int_eq(reply(rows[i].status, bodies[k]),
                             rows[i].react);
            ck_assert_int_eq(err.exit, rows[i].exit);
            ck_assert_str_eq(err.type, "");
            ck_assert_ptr_nonnull(strstr(err.message,
                                         "without an ACME problem"));
            ck_assert_ptr_null(strstr(err.message, "html"));
        }
    }
}
END_TEST

/* Retry-After is understood as seconds and as a date; where the CA says it
 * in its text alone, it is found there. */
START_TEST(retry_after_in_all_forms)
{
    response.retry_after = "120";
    ck_assert_int_eq(reply_type(429, "rateLimited"), ACME_REACT_WAIT);
    ck_assert_int_eq(err.retry_at, WALL + apr_time_from_sec(120));
    response.retry_after = "Mon, 23 Nov 2026 19:01:00 GMT";
    ck_assert_int_eq(reply(503, "<html>"), ACME_REACT_WAIT);
    ck_assert_int_eq(err.retry_at, WALL + apr_time_from_sec(60));
    response.retry_after = "soon";
    ck_assert_int_eq(reply(503, "<html>"), ACME_REACT_RETRY);
    response.retry_after = NULL;
    ck_assert_int_eq(reply(429, "{\"type\":\"" URN "rateLimited\",\"detail\":"
                           "\"too many certificates, retry after 2026-11-23 "
                           "19:02:00 UTC: see https://x.example\"}"),
                     ACME_REACT_WAIT);
    ck_assert_int_eq(err.retry_at, WALL + apr_time_from_sec(120));
}
END_TEST

/* A time in the text that is none is passed over. */
START_TEST(no_time_in_text)
{
    static const char *const texts[] = {
        "retry after ", "retry after tomorrow", "retry after 2026-11-23",
        "retry after 2026-11-23 19:02:00 CET and more",
        "retry after 2026-13-23 19:02:00 UTC: see",
        "retry after 2026-11-23T19:02:00 UTC: see", "retry"
    };
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        ck_assert_int_eq(reply(429, apr_psprintf(pool,
            "{\"type\":\"" URN "rateLimited\",\"detail\":\"%s\"}",
            texts[i])), ACME_REACT_FAIL);
        ck_assert_int_eq(err.retry_at, 0);
    }
}
END_TEST

/* A refusal for good is not waited for, whatever Retry-After says. */
START_TEST(refused_is_not_waited_for)
{
    response.retry_after = "1";
    ck_assert_int_eq(reply_type(400, "rejectedIdentifier"),
                     ACME_REACT_FAIL);
    ck_assert_int_eq(err.retry_at, 0);
}
END_TEST

/* Subproblems are told one by one, each with its identifier; the first one
 * that names somebody is the culprit. */
START_TEST(subproblems_in_plain_words)
{
    reply(400, "{\"type\":\"" URN "compound\",\"detail\":\"two\","
          "\"subproblems\":["
          "{\"type\":\"" URN "dns\",\"detail\":\"first\"},"
          "{\"type\":\"" URN "rejectedIdentifier\",\"detail\":\"second\","
          "\"identifier\":{\"type\":\"dns\",\"value\":\"b.example\"}},"
          "{\"type\":\"" URN "caa\",\"detail\":\"third\","
          "\"identifier\":{\"type\":\"dns\",\"value\":\"c.example\"}}]}");
    ck_assert_ptr_nonnull(strstr(err.message, "several problems: two; "
                                 "another problem: the CA could not look up "
                                 "the name in DNS: first; b.example: the CA "
                                 "does not issue for this name: second; "
                                 "c.example: a CAA record"));
    ck_assert_str_eq(err.identifier, "b.example");
    ck_assert_str_eq(err.type, URN "compound");
    ck_assert_int_eq(err.exit, BASE_EXIT_REFUSED);
}
END_TEST

/* A compound problem is as permanent as its worst part. */
START_TEST(compound_is_its_worst_part)
{
    static const struct {
        const char *one, *two;
        base_exit_t exit;
    } rows[] = {
        { "rateLimited", "serverInternal", BASE_EXIT_BUSY },
        { "rateLimited", "dns", BASE_EXIT_FAILED },
        { "dns", "rateLimited", BASE_EXIT_FAILED },
        { "dns", "caa", BASE_EXIT_REFUSED },
        { "caa", "rateLimited", BASE_EXIT_REFUSED },
        { "nobodyKnows", "rateLimited", BASE_EXIT_FAILED }
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        reply(400, apr_psprintf(pool, "{\"type\":\"" URN "compound\","
                                "\"subproblems\":[{\"type\":\"" URN "%s\"},"
                                "{\"type\":\"" URN "%s\"}]}",
                                rows[i].one, rows[i].two));
        ck_assert_int_eq(err.exit, rows[i].exit);
    }
    reply(400, "{\"type\":\"" URN "compound\",\"subproblems\":null}");
    ck_assert_int_eq(err.exit, BASE_EXIT_FAILED);
}
END_TEST

/* Where the CA says where to read on, the message says it too. */
START_TEST(says_where_to_read_on)
{
    reply(403, "{\"type\":\"" URN "userActionRequired\",\"instance\":"
          "\"https://ca.example/agree\",\"detail\":\"new terms\"}");
    ck_assert_ptr_nonnull(strstr(err.message,
                                 "(see https://ca.example/agree)"));
    APR_ARRAY_PUSH(response.links, const char *) =
        "</terms/v2>;rel=\"terms-of-service\"";
    reply_type(403, "userActionRequired");
    ck_assert_ptr_nonnull(strstr(err.message,
                                 "(see https://ca.example/terms/v2)"));
}
END_TEST

/* Nothing a CA writes can break a log line or a JSON field: the message is
 * one printable line, and type and identifier are plain or empty. */
START_TEST(strangers_bytes_stay_harmless)
{
    reply(400, "{\"type\":\"" URN "bad\\u001b[0mthing\",\"detail\":"
          "\"one\\ntwo %s%n\\u001b]0;x\\u0007\"}");
    ck_assert_ptr_null(strchr(err.message, '\n'));
    ck_assert_ptr_null(strchr(err.message, '\033'));
    ck_assert_str_eq(err.type, "");
    acme_err_t other = { 0 };
    acme_problem_object(&other, NULL, "validating", "b\nad", pool);
    ck_assert_str_eq(other.identifier, "");
    ck_assert_str_eq(other.message, "validating: the CA gives no reason");
}
END_TEST

/* Members that are null or missing are nothing to stumble over. */
START_TEST(empty_problems)
{
    reply(400, "{}");
    ck_assert_int_eq(err.exit, BASE_EXIT_REFUSED);
    reply(400, "{\"type\":null,\"detail\":null,\"subproblems\":null}");
    ck_assert_int_eq(err.exit, BASE_EXIT_REFUSED);
    reply(400, "{\"type\":\"about:blank\",\"title\":\"Bad Request\"}");
    ck_assert_ptr_nonnull(strstr(err.message, "about:blank: Bad Request"));
    ck_assert(!acme_err_is(&err, "blank"));
}
END_TEST

Suite *problem_suite(void)
{
    Suite *suite = suite_create("acme/problem");
    TCase *tc = tcase_create("problem");

    tcase_add_checked_fixture(tc, setup, unit_teardown);
    suite_add_tcase(suite, tc);
    tcase_add_loop_test(tc, each_type_has_its_exit_status, 0,
                        sizeof(types) / sizeof(*types));
    tcase_add_test(tc, html_is_judged_by_status);
    tcase_add_test(tc, retry_after_in_all_forms);
    tcase_add_test(tc, no_time_in_text);
    tcase_add_test(tc, refused_is_not_waited_for);
    tcase_add_test(tc, subproblems_in_plain_words);
    tcase_add_test(tc, compound_is_its_worst_part);
    tcase_add_test(tc, says_where_to_read_on);
    tcase_add_test(tc, strangers_bytes_stay_harmless);
    tcase_add_test(tc, empty_problems);
    return suite;
}
