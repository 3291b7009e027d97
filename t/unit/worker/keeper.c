/*
 * The keeper as a whole: it tells how jobs go, and does not grow.
 */
#include <malloc.h>

#include "desk.h"

/* ---------------------------------------------------------------- outcomes */

static const char *told;

static void on_progress(void *baton, int number, const char *step)
{
    told = apr_psprintf(pool, "%s%s %d %s;", told, (char *)baton, number,
                        step);
}

static void on_ended(void *baton, int number)
{
    ck_assert_int_eq(keeper_outcome(keeper, number)->done, 1);
    told = apr_psprintf(pool, "%s%s %d ended;", told, (char *)baton, number);
}

/* Steps and ends are told as they come; a job's outcome is set before its
 * end is told, and unset until then. */
START_TEST(outcomes_are_told)
{
    acme_result_t result = { .requests = 5, .elapsed = 6 };

    told = "";
    options.progress = on_progress;
    options.ended = on_ended;
    options.baton = "b";
    restart();
    ck_assert_int_eq(keeper_outcome(keeper, 1)->done, 0);
    host->progress(host, 1, "ordering");
    base_err_set(&result.err, APR_EAGAIN, BASE_EXIT_BUSY, "later");
    host->done(host, 1, &result);
    ck_assert_str_eq(told, "b 1 ordering;b 1 ended;");
    ck_assert_int_eq(keeper_outcome(keeper, 1)->result.requests, 5);
    ck_assert_str_eq(keeper_outcome(keeper, 1)->result.err.message, "later");
    ck_assert_int_eq(keeper_outcome(keeper, 0)->done, 0);
}
END_TEST

/* Nobody has to listen. */
START_TEST(nobody_has_to_listen)
{
    acme_result_t result = { .requests = 1 };

    host->progress(host, 0, "ordering");
    host->done(host, 0, &result);
    ck_assert_int_eq(keeper_outcome(keeper, 0)->done, 1);
}
END_TEST

/* ------------------------------------------------------------------ memory */

/* What is allocated now, all pools included; 0 if nobody knows. */
extern size_t __sanitizer_get_current_allocated_bytes(void)
    __attribute__((weak));

static size_t allocated(void)
{
    if (__sanitizer_get_current_allocated_bytes) {
        return __sanitizer_get_current_allocated_bytes();
    }
    return mallinfo2().uordblks;
}

/* One of each call that a run repeats. */
static void call_all(int i, apr_pool_t *scratch)
{
    acme_sign_t sign = { ACME_SIGN_CERTIFICATE, 0, 1, REVOKE, "N", "" };
    acme_err_t ignored = { 0 };
    const char *text;
    json_t *state;

    host->sign(host, &sign, &text, &ignored, scratch);
    sign.signer = ACME_SIGN_ACCOUNT;
    host->sign(host, &sign, &text, &ignored, scratch);
    host->csr(host, 0, &text, &ignored, scratch);
    host->challenge_put(host, 0, "http-01", "n0.example", TOKEN, FIX_NOW,
                        &ignored);
    host->directory_save(host, 0, parse(DIRECTORY), &ignored);
    host->account_save(host, 0, ACCOUNT, parse("{\"status\":\"valid\"}"),
                       &ignored);
    state = parse(STATE);
    json_object_set_new(state, "url", json_string(
        apr_psprintf(scratch, ORDER "%d", i)));
    host->order_save(host, 0, state, &ignored);
    host->certificate_save(host, 0, "x", 1, &ignored);
}

/* Calls that a worker repeats, as often as it likes, do not make the keeper
 * grow. */
START_TEST(repeated_calls_need_no_memory)
{
    apr_pool_t *test_pool = pool;
    size_t before = 0;
    int i;

    options.live = apr_pstrcat(pool, dir, "/absent", NULL);
    write_file(revoke_file, fix_key_pem(revoke_evp, pool));
    restart();
    for (i = 0; i < 450; i++) {
        apr_pool_create(&pool, test_pool);
        call_all(i, pool);
        apr_pool_destroy(pool);
        pool = test_pool;
        if (i == 149) {
            before = allocated();
        }
    }
    ck_assert_msg(allocated() < before + 65536, "%lu, then %lu",
                  (unsigned long)before, (unsigned long)allocated());
}
END_TEST

Suite *keeper_suite(void);
Suite *keeper_suite(void)
{
    Suite *suite = suite_create("keeper");
    TCase *tc = desk_case(suite, "outcomes", setup);

    tcase_add_test(tc, outcomes_are_told);
    tcase_add_test(tc, nobody_has_to_listen);
    tc = desk_case(suite, "memory", revoke_setup);
    tcase_add_test(tc, repeated_calls_need_no_memory);
    return suite;
}
