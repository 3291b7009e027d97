/* What is asked of the answers to "GET /", and the challenge path. */
#include "unit.h"

#include <apr_strings.h>

#include "validator/rig.h"

/* ----------------------------------------------------------------- http */

static validator_answer_t answer;

/* An ask whose sites answered so; status 0: no answer. */
static validator_ask_t *answered(int http, int https)
{
    static crypto_tls_info_t info;
    validator_ask_t *ask = rig_ask(80, 443, pool);

    ask->http->stage = http ? STAGE_HTTP : STAGE_TLS;
    ask->http->home.status = http;
    ask->http->fault = http ? NULL : "http is mute";
    ask->https->stage = https ? STAGE_HTTP : STAGE_TLS;
    ask->https->home.status = https;
    ask->https->fault = https ? NULL : "https is mute";
    ask->https->tls = &info;
    return ask;
}

static int like(int http, int https)
{
    answer.ok = 7;
    row_http(answered(http, https), &answer);
    return answer.ok;
}

/* https may be better than http, never worse; what is broken on both sides
 * cannot be judged. */
START_TEST(as_http)
{
    ck_assert_int_eq(like(200, 200), 1);
    ck_assert_int_eq(like(404, 200), 1);
    ck_assert_int_eq(like(301, 200), 1);
    ck_assert_int_eq(like(403, 401), 1);
    ck_assert_int_eq(like(404, 302), 1);
    ck_assert_int_eq(like(500, 404), 1);
    ck_assert_int_eq(like(0, 200), 1);
    ck_assert_int_eq(like(200, 404), 0);
    ck_assert_int_eq(like(200, 301), 0);
    ck_assert_int_eq(like(301, 404), 0);
    ck_assert_int_eq(like(200, 503), 0);
    ck_assert_str_eq(answer.detail, "127.0.0.1:443: https answers GET / with "
                     "status 503; http answers with 200");
    ck_assert_int_eq(like(404, 500), 0);
    ck_assert_int_eq(like(200, 0), 0);
    ck_assert_str_eq(answer.detail, "127.0.0.1:443: https is mute; http "
                     "answers with 200");
    ck_assert_int_eq(like(503, 503), -1);
    ck_assert_int_eq(like(503, 0), -1);
    ck_assert_int_eq(like(0, 503), -1);
    ck_assert_int_eq(like(0, 0), -1);
}
END_TEST

/* Behind a redirect to https there is no http to compare with. */
START_TEST(redirected)
{
    validator_ask_t *ask = answered(301, 404);

    ask->http->home.location = "https://a.example/";
    row_http(ask, &answer);
    ck_assert_int_eq(answer.ok, 1);
    ask->https->home.status = 503;
    row_http(ask, &answer);
    ck_assert_int_eq(answer.ok, 0);
}
END_TEST

/* What was broken before need not be whole behind a redirect. */
START_TEST(broken_before)
{
    validator_ask_t *ask = answered(301, 503);
    validator_target_t target = *ask->target;

    ask->http->home.location = "https://a.example/";
    target.broken = 1;
    ask->target = &target;
    row_http(ask, &answer);
    ck_assert_int_eq(answer.ok, -1);
    ck_assert_ptr_nonnull(strstr(answer.detail, "status 503; it was so"));
    ask->https->home.status = 200;
    row_http(ask, &answer);
    ck_assert_int_eq(answer.ok, 1);
}
END_TEST

/* Who is slow behind a redirect may yet answer; who hangs up does not, and
 * where http answers https has to. */
START_TEST(slow)
{
    validator_ask_t *ask = answered(301, 0);

    row_http(ask, &answer);
    ck_assert_int_eq(answer.ok, 0);
    ask->https->slow = 1;
    row_http(ask, &answer);
    ck_assert_int_eq(answer.ok, 0);
    ask->http->home.location = "https://a.example/";
    row_http(ask, &answer);
    ck_assert_int_eq(answer.ok, -1);
    ck_assert_ptr_nonnull(strstr(answer.detail, "perhaps the site is only"));
}
END_TEST

/* Without https the answer of http is judged by itself. */
START_TEST(http_alone)
{
    validator_ask_t *ask = answered(404, 0);

    ask->https_n = 0;
    row_http(ask, &answer);
    ck_assert_int_eq(answer.ok, 1);
    ask->http->home.status = 500;
    row_http(ask, &answer);
    ck_assert_int_eq(answer.ok, 0);
    ask->http->stage = STAGE_TCP;
    ask->http->fault = "http is mute";
    row_http(ask, &answer);
    ck_assert_int_eq(answer.ok, -1);
}
END_TEST

/* A host without http has to answer all the same. */
START_TEST(no_http)
{
    validator_ask_t *ask = answered(0, 404);

    ask->http_n = 0;
    row_http(ask, &answer);
    ck_assert_int_eq(answer.ok, 1);
    ask->https->home.status = 500;
    row_http(ask, &answer);
    ck_assert_int_eq(answer.ok, 0);
}
END_TEST

/* ----------------------------------------------------------------- hsts */

/* RFC 6797 6.1: one max-age, digits, perhaps in quotes, among others. */
START_TEST(max_age)
{
    ck_assert_int_eq(hsts_max_age("max-age=15552000"), 15552000);
    ck_assert_int_eq(hsts_max_age("max-age=0"), 0);
    ck_assert_int_eq(hsts_max_age("MAX-AGE=1; includeSubDomains"), 1);
    ck_assert_int_eq(hsts_max_age("includeSubDomains;max-age=2"), 2);
    ck_assert_int_eq(hsts_max_age(" preload ; max-age = \"3\" ;"), 3);
    ck_assert_int_eq(hsts_max_age("max-age=999999999999999"),
                     APR_INT64_C(999999999999999));
    ck_assert_int_eq(hsts_max_age(""), -1);
    ck_assert_int_eq(hsts_max_age(";;"), -1);
    ck_assert_int_eq(hsts_max_age("max-age"), -1);
    ck_assert_int_eq(hsts_max_age("max-age="), -1);
    ck_assert_int_eq(hsts_max_age("max-age= ;x=1"), -1);
    ck_assert_int_eq(hsts_max_age("max-age=\"\""), -1);
    ck_assert_int_eq(hsts_max_age("max-age=\""), -1);
    ck_assert_int_eq(hsts_max_age("max-age=-1"), -1);
    ck_assert_int_eq(hsts_max_age("max-age=1x"), -1);
    ck_assert_int_eq(hsts_max_age("max-age=1 2"), -1);
    ck_assert_int_eq(hsts_max_age("xmax-age=1"), -1);
    ck_assert_int_eq(hsts_max_age("max-age=1; max-age=2"), -1);
    ck_assert_int_eq(hsts_max_age("max-age=9999999999999999"), -1);
    ck_assert_int_eq(hsts_max_age("includeSubDomains"), -1);
}
END_TEST

static int hsts(int wanted, const char *https, const char *http)
{
    validator_ask_t *ask = answered(200, 200);
    validator_target_t target = *ask->target;

    target.hsts = wanted;
    ask->target = &target;
    ask->https->home.hsts = https;
    ask->http->home.hsts = http;
    answer.ok = answer.required = 7;
    row_hsts(ask, &answer);
    return answer.ok;
}

/* Wanted: on https, for some time, and not on http. Not wanted: nothing, or
 * a max-age that ends it. */
START_TEST(hsts_wanted)
{
    ck_assert_int_eq(hsts(1, "max-age=9", NULL), 1);
    ck_assert_int_eq(answer.required, 1);
    ck_assert_int_eq(hsts(1, NULL, NULL), 0);
    ck_assert_int_eq(hsts(1, "max-age=0", NULL), 0);
    ck_assert_int_eq(hsts(1, "max-age", NULL), 0);
    ck_assert_int_eq(hsts(1, "max-age=9", "max-age=9"), 0);
    ck_assert_ptr_nonnull(strstr(answer.detail, "127.0.0.1:80: "));
    /* that http has it harms nobody */
    ck_assert_int_eq(answer.required, 0);
    ck_assert_int_eq(hsts(0, NULL, NULL), 1);
    ck_assert_int_eq(answer.required, 0);
    ck_assert_int_eq(hsts(0, "max-age=0", NULL), 1);
    ck_assert_int_eq(hsts(0, "max-age=9", NULL), 0);
    ck_assert_int_eq(hsts(-1, "max-age=9", NULL), -1);
    ck_assert_int_eq(hsts(-1, NULL, NULL), -1);
}
END_TEST

/* ------------------------------------------------------------ challenge */

static const char *say;

static void challenge_page(int fd, const char *request)
{
    if (strncmp(request, "GET /.well-known/acme-challenge/", 32) == 0) {
        rig_say(fd, say);
    }
    else {
        rig_say(fd, "HTTP/1.1 500 X\r\n\r\n");
    }
}

static validator_ask_t *challenged(const char *with)
{
    validator_ask_t *ask;
    validator_target_t *target;

    say = with;
    ask = rig_ask(rig_serve(challenge_page, pool), 0, pool);
    target = apr_pmemdup(pool, ask->target, sizeof(*target));
    target->managed = 1;
    ask->target = target;
    ask->http->stage = STAGE_HTTP;
    return ask;
}

static int known(const char *with)
{
    validator_ask_t *ask = challenged(with);

    ask->token = "token";
    ask->keyauth = "token.thumb";
    answer.ok = 7;
    row_challenge(ask, &answer);
    return answer.ok;
}

/* A token that is published has to be answered with its key authorization
 * and nothing else. */
START_TEST(token)
{
    ck_assert_int_eq(known("HTTP/1.1 200 OK\r\n\r\ntoken.thumb"), 1);
    ck_assert_int_eq(known("HTTP/1.1 200 OK\r\n\r\ntoken.thumb\n"), 0);
    ck_assert_int_eq(known("HTTP/1.1 200 OK\r\n\r\ntoken.thum"), 0);
    ck_assert_int_eq(known("HTTP/1.1 200 OK\r\n\r\n"), 0);
    ck_assert_ptr_nonnull(strstr(answer.detail, "somebody else"));
    ck_assert_int_eq(known("HTTP/1.1 404 X\r\n\r\ntoken.thumb"), 0);
    ck_assert_int_eq(known("HTTP/1.1 401 X\r\n\r\n"), 0);
    ck_assert_int_eq(known("HTTP/1.1 301 X\r\nLocation: https://a.example/x"
                           "\r\n\r\n"), 0);
    ck_assert_ptr_nonnull(strstr(answer.detail,
                                 "status 301 to https://a.example/x"));
    ck_assert_int_eq(known("garbage"), 0);
}
END_TEST

static int unknown(const char *with)
{
    validator_ask_t *ask = challenged(with);

    answer.ok = 7;
    row_challenge(ask, &answer);
    return answer.ok;
}

/* Without a published token an open path is good; another one says nothing,
 * since mod_acme answers before the site does. */
START_TEST(no_token)
{
    ck_assert_int_eq(unknown("HTTP/1.1 404 X\r\n\r\n"), 1);
    ck_assert_int_eq(unknown("HTTP/1.1 410 X\r\n\r\n"), 1);
    ck_assert_int_eq(unknown("HTTP/1.1 200 X\r\n\r\n"), 1);
    ck_assert_int_eq(unknown("HTTP/1.1 301 X\r\n\r\n"), -1);
    ck_assert_int_eq(unknown("HTTP/1.1 401 X\r\n\r\n"), -1);
    ck_assert_int_eq(unknown("HTTP/1.1 503 X\r\n\r\n"), -1);
}
END_TEST

/* Where no token can be published nothing would be answered; except where
 * only this user may not. */
START_TEST(token_fault)
{
    validator_ask_t *ask = challenged("");
    validator_target_t target = *ask->target;

    ask->token_fault = "it is gone";
    row_challenge(ask, &answer);
    ck_assert_int_eq(answer.ok, 0);
    ck_assert_str_eq(answer.detail, "it is gone");
    ask->token_denied = 1;
    row_challenge(ask, &answer);
    ck_assert_int_eq(answer.ok, -1);
    target.managed = 0;
    ask->target = &target;
    row_challenge(ask, &answer);
    ck_assert_int_eq(answer.ok, -1);
    ck_assert_ptr_nonnull(strstr(answer.detail, "does not manage"));
}
END_TEST

Suite *http_rows_suite(void);
Suite *http_rows_suite(void)
{
    Suite *suite = suite_create("http_rows");
    TCase *tc = unit_case(suite, "http_rows");

    tcase_add_test(tc, as_http);
    tcase_add_test(tc, redirected);
    tcase_add_test(tc, no_http);
    tcase_add_test(tc, broken_before);
    tcase_add_test(tc, slow);
    tcase_add_test(tc, http_alone);
    tcase_add_test(tc, max_age);
    tcase_add_test(tc, hsts_wanted);
    tcase_add_test(tc, token);
    tcase_add_test(tc, no_token);
    tcase_add_test(tc, token_fault);
    return suite;
}
