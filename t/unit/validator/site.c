/* Where addresses are asked, and how far a first conversation came. */
#include "unit.h"

#include <unistd.h>

#include "validator/rig.h"

static const char *asked_at(const char *address, int port)
{
    apr_array_header_t *array = apr_array_make(pool, 1,
                                               sizeof(validator_address_t));
    validator_address_t *one = apr_array_push(array);

    one->address = address;
    one->port = port;
    return sites_make(array, 1, pool)[0].where;
}

/* Any address means loopback, of its own family; others are what they are. */
START_TEST(where)
{
    ck_assert_str_eq(asked_at("0.0.0.0", 443), "127.0.0.1:443");
    ck_assert_str_eq(asked_at("*", 80), "127.0.0.1:80");
    ck_assert_str_eq(asked_at("", 80), "127.0.0.1:80");
    ck_assert_str_eq(asked_at(NULL, 80), "127.0.0.1:80");
    ck_assert_str_eq(asked_at("::", 443), "[::1]:443");
    ck_assert_str_eq(asked_at("[::]", 443), "[::1]:443");
    ck_assert_str_eq(asked_at("192.0.2.7", 8443), "192.0.2.7:8443");
    ck_assert_str_eq(asked_at("[2001:db8::1]", 443), "[2001:db8::1]:443");
    ck_assert_ptr_nonnull(sites_make(NULL, 1, pool));
}
END_TEST

static void page(int fd, const char *request)
{
    rig_say(fd, strncmp(request, "GET / ", 6) == 0
            ? "HTTP/1.1 200 OK\r\n\r\n" : "HTTP/1.1 404 X\r\n\r\n");
}

static void garbage(int fd, const char *request)
{
    (void)request;
    rig_say(fd, "garbage\r\n\r\n");
}

static void silence(int fd, const char *request)
{
    (void)request;
    (void)fd;
    sleep(5);
}

static site_t *met(validator_ask_t *ask, int secure)
{
    site_t *site = secure ? ask->https : ask->http;

    site_meet(ask, site);
    return site;
}

/* A good site is met to the end, with what it showed. */
START_TEST(good)
{
    validator_ask_t *ask = rig_ask(rig_serve(page, pool),
                                   rig_serve_tls(page, "P-384", pool), pool);
    site_t *site = met(ask, 1);
    reply_t reply;

    ck_assert_int_eq(site->stage, STAGE_HTTP);
    ck_assert_ptr_null(site->fault);
    ck_assert_int_eq(site->home.status, 200);
    ck_assert_str_eq(site->leaf.key_type, "P-384");
    unit_ok(site_ask(&reply, ask, site, "/other", 0, &err));
    ck_assert_int_eq(reply.status, 404);
    site = met(ask, 0);
    ck_assert_int_eq(site->stage, STAGE_HTTP);
    ck_assert_ptr_null(site->tls);
    unit_ok(site_ask(&reply, ask, site, "/", 0, &err));
    ck_assert_int_eq(reply.status, 200);
}
END_TEST

/* A bad one is met as far as it goes, and says why no further. */
START_TEST(stages)
{
    int plain = rig_serve(garbage, pool);
    validator_ask_t *ask = rig_ask(plain, plain, pool);
    site_t *site = met(ask, 1);

    ck_assert_int_eq(site->stage, STAGE_TCP);
    ck_assert_ptr_nonnull(strstr(site->fault, "the TLS handshake failed"));
    ck_assert_ptr_null(site->tls);
    site = met(ask, 0);
    ck_assert_int_eq(site->stage, STAGE_TLS);
    ck_assert_ptr_nonnull(strstr(site->fault, "the reply is no HTTP"));
    ask = rig_ask(0, rig_serve_tls(garbage, "P-256", pool), pool);
    site = met(ask, 1);
    ck_assert_int_eq(site->stage, STAGE_TLS);
    ck_assert_ptr_nonnull(site->tls);
    ask = rig_ask(0, rig_dead_port(), pool);
    site = met(ask, 1);
    ck_assert_int_eq(site->stage, STAGE_NONE);
    ck_assert_ptr_nonnull(strstr(site->fault, "Connection refused"));
}
END_TEST

/* How long was waited is told; where the time for all is up, that is. */
START_TEST(times)
{
    validator_ask_t *ask = rig_ask(rig_serve(silence, pool), 0, pool);
    apr_time_t began = rig_mono();

    ask->timeout = 200000;
    ck_assert_str_eq(met(ask, 0)->fault, "the reply did not end in time; "
                     "0.2 s were allowed");
    ask->timeout = apr_time_from_sec(10);
    ask->until = rig_mono() + 100000;
    ck_assert_str_eq(met(ask, 0)->fault, "the reply did not end in time; "
                     "the time for all checks is up");
    ask->until = rig_mono();
    ck_assert_ptr_nonnull(strstr(met(ask, 0)->fault,
                                 "the time for all checks is up"));
    ck_assert_int_lt(rig_mono() - began, apr_time_from_sec(3));
}
END_TEST

/* A handshake more, with old versions or without. */
START_TEST(greet)
{
    validator_ask_t *ask = rig_ask(0, rig_serve_tls(page, "P-256", pool),
                                   pool);
    const crypto_tls_info_t *info;

    unit_ok(site_greet(&info, ask, ask->https, 0, &err));
    ck_assert_str_eq(info->version, "TLSv1.3");
    ask = rig_ask(0, rig_serve(garbage, pool), pool);
    unit_fails(site_greet(&info, ask, ask->https, 1, &err), APR_EGENERAL,
               "the TLS handshake failed");
}
END_TEST

Suite *site_suite(void);
Suite *site_suite(void)
{
    Suite *suite = suite_create("site");
    TCase *tc = unit_case(suite, "site");

    tcase_add_test(tc, where);
    tcase_add_test(tc, good);
    tcase_add_test(tc, stages);
    tcase_add_test(tc, times);
    tcase_add_test(tc, greet);
    return suite;
}
