/* Where replies send their reader. */
#include "unit.h"

#include <stdio.h>

#include <apr_strings.h>

#include "validator/rig.h"

static validator_ask_t *ask;

static int to_https(int status, const char *location)
{
    reply_t reply = { .status = status, .location = location };

    return redirects_to_https(ask, ask->http, "/a?b=c", &reply);
}

/* The same host by https, on its default port or one of the target's. */
START_TEST(https)
{
    ask = rig_ask(80, 8443, pool);
    ck_assert_int_eq(to_https(301, "https://a.example/"), 1);
    ck_assert_int_eq(to_https(302, "HTTPS://A.Example"), 1);
    ck_assert_int_eq(to_https(303, "https://a.example/?x"), 1);
    ck_assert_int_eq(to_https(307, "https://a.example:8443/"), 1);
    ck_assert_int_eq(to_https(308, "https://a.example:443/"), 1);
    ck_assert_int_eq(to_https(200, "https://a.example/"), 0);
    ck_assert_int_eq(to_https(304, "https://a.example/"), 0);
    ck_assert_int_eq(to_https(301, NULL), 0);
    ck_assert_int_eq(to_https(301, ""), 0);
    ck_assert_int_eq(to_https(301, "/"), 0);
    ck_assert_int_eq(to_https(301, "//a.example/"), 0);
    ck_assert_int_eq(to_https(301, "http://a.example/"), 0);
    ck_assert_int_eq(to_https(301, "https://b.example/"), 0);
    ck_assert_int_eq(to_https(301, "https://a.example.evil/"), 0);
    ck_assert_int_eq(to_https(301, "https://a.example:9/"), 0);
    ck_assert_int_eq(to_https(301, "https://a.example:99999999999/"), 0);
    ck_assert_int_eq(to_https(301, "ftp://a.example/"), 0);
    ck_assert_int_eq(to_https(301, "https:"), 0);
    ck_assert_int_eq(to_https(301, "javascript:alert(1)"), 0);
}
END_TEST

/* /N redirects to /N-1, /0 is a page; other paths are /circle and friends. */
static void steps(int fd, const char *request)
{
    char text[200];
    int n;

    if (sscanf(request, "GET /%d ", &n) == 1 && n > 0) {
        snprintf(text, sizeof(text), "HTTP/1.1 302 X\r\nLocation: /%d\r\n\r\n",
                 n - 1);
        rig_say(fd, text);
    }
    else if (strncmp(request, "GET /circle", 11) == 0) {
        rig_say(fd, "HTTP/1.1 301 X\r\nLocation: /round\r\n\r\n");
    }
    else if (strncmp(request, "GET /round", 10) == 0) {
        rig_say(fd, "HTTP/1.1 301 X\r\nLocation: "
                "http://a.example/circle\r\n\r\n");
    }
    else if (strncmp(request, "GET /cookie", 11) == 0) {
        rig_say(fd, "HTTP/1.1 301 X\r\nSet-Cookie: a=b\r\n"
                "Location: /cookie\r\n\r\n");
    }
    else if (strncmp(request, "GET /other", 10) == 0) {
        rig_say(fd, "HTTP/1.1 301 X\r\nLocation: http://b.example/other"
                "\r\n\r\n");
    }
    else {
        rig_say(fd, "HTTP/1.1 200 OK\r\n\r\n");
    }
}

static const char *detail;

static int followed(const char *path)
{
    reply_t reply;

    detail = "";
    base_err_clear(&err);
    unit_ok(site_ask(&reply, ask, ask->http, path, 0, &err));
    return follow(ask, ask->http, path, &reply, &detail);
}

/* Five redirects are followed; more are as bad as a circle. */
START_TEST(hops)
{
    ask = rig_ask(rig_serve(steps, pool), 0, pool);
    ck_assert_int_eq(followed("/0"), 1);
    ck_assert_int_eq(followed("/1"), 1);
    ck_assert_int_eq(followed("/5"), 1);
    ck_assert_int_eq(followed("/6"), 0);
    ck_assert_str_eq(detail, "GET /6 is still redirected behind 5 redirects, "
                     "to http://a.example/0");
    ck_assert_int_eq(followed("/100"), 0);
}
END_TEST

/* Circles are seen; where cookies are set, they may be the way out. */
START_TEST(circles)
{
    ask = rig_ask(rig_serve(steps, pool), 0, pool);
    ck_assert_int_eq(followed("/circle"), 0);
    ck_assert_str_eq(detail, "GET /circle goes in circles: redirect 2 leads "
                     "back to http://a.example/circle");
    ck_assert_int_eq(followed("/cookie"), -1);
    ck_assert_int_eq(followed("/other"), 1);
}
END_TEST

/* Nobody is followed to where there is no address of ours, or no answer. */
START_TEST(no_way)
{
    reply_t reply = { .status = 301, .location = "https://a.example/" };

    ask = rig_ask(80, 0, pool);
    ck_assert_int_eq(follow(ask, ask->http, "/", &reply, &detail), 1);
    ask = rig_ask(80, rig_dead_port(), pool);
    ck_assert_int_eq(follow(ask, ask->http, "/", &reply, &detail), 1);
}
END_TEST

/* What a site is asked of its redirect; the ask itself is in ask. */
static validator_answer_t redirect_of(int wanted, site_t site)
{
    validator_target_t *target;
    validator_answer_t answer = { 7, 7, NULL };

    ask = rig_ask(rig_dead_port(), 443, pool);
    target = apr_pmemdup(pool, ask->target, sizeof(*target));
    target->redirect = wanted;
    site.where = ask->http->where;
    site.ip = ask->http->ip;
    site.port = ask->http->port;
    *ask->http = site;
    ask->target = target;
    row_redirect(ask, &answer);
    return answer;
}

/* What is required of the redirect depends on what is wanted. */
START_TEST(wanted)
{
    site_t dead = { .stage = STAGE_NONE, .fault = "dead" };
    site_t mute = { .stage = STAGE_TLS, .fault = "mute" };
    site_t page = { .stage = STAGE_HTTP, .home = { .status = 200 } };
    site_t away = { .stage = STAGE_HTTP, .home = {
        .status = 301, .location = "https://a.example/" } };
    site_t deep = away;

    ck_assert_int_eq(redirect_of(1, dead).ok, -1);
    ck_assert_int_eq(redirect_of(1, mute).ok, 0);
    ck_assert_int_eq(redirect_of(1, page).ok, 0);
    ck_assert_int_eq(redirect_of(1, page).required, 1);
    ck_assert_int_eq(redirect_of(0, page).ok, 1);
    ck_assert_int_eq(redirect_of(0, page).required, 0);
    ck_assert_int_eq(redirect_of(-1, page).ok, -1);
    ck_assert_int_eq(redirect_of(0, away).ok, 0);
    ck_assert_int_eq(redirect_of(-1, away).ok, -1);
    /* The deep path is asked, and nobody answers here. */
    ck_assert_int_eq(redirect_of(1, away).ok, 0);
    ck_assert_ptr_nonnull(strstr(redirect_of(1, away).detail,
                                 "/a/b?c=1&d=2: the connection failed"));
    deep.home.location = "https://a.example/elsewhere";
    ck_assert_ptr_nonnull(strstr(redirect_of(1, deep).detail,
                                 "to https://a.example/elsewhere, not to "
                                 "https://a.example/"));
    deep.home.status = 303;
    deep.home.location = "https://a.example/";
    ck_assert_int_eq(redirect_of(1, deep).ok, 0);
}
END_TEST

/* Beside the public port nobody has to redirect, but may. */
START_TEST(aside)
{
    site_t page = { .stage = STAGE_HTTP, .home = { .status = 200 },
                    .aside = 1 };
    site_t away = { .stage = STAGE_HTTP, .aside = 1, .home = {
        .status = 301, .location = "https://a.example/" } };

    ck_assert_int_eq(redirect_of(1, page).ok, 1);
    ck_assert_int_eq(redirect_of(1, away).ok, 1);
    ck_assert_int_eq(redirect_of(0, away).ok, 0);
    ck_assert_int_eq(redirect_of(-1, page).ok, -1);
}
END_TEST

Suite *redirect_suite(void);
Suite *redirect_suite(void)
{
    Suite *suite = suite_create("redirect");
    TCase *tc = unit_case(suite, "redirect");

    tcase_add_test(tc, https);
    tcase_add_test(tc, hops);
    tcase_add_test(tc, circles);
    tcase_add_test(tc, no_way);
    tcase_add_test(tc, wanted);
    tcase_add_test(tc, aside);
    return suite;
}
