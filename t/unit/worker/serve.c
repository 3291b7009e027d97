/*
 * The keeper's side of the socket. The worker here is the test itself: it
 * writes frames, honest ones and others, and reads the answers.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"
#include "unit.h"

static int ours;      /* the keeper's end */
static int theirs;    /* the worker's end */
static script_t *script;
static worker_plan_t *plan;
static char done[RIG_JOBS];
static int ended;

static void setup(void)
{
    int fds[2];

    unit_setup();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ours = fds[0];
    theirs = fds[1];
    script = rig_script(pool);
    plan = rig_plan(2, 3, pool);
}

static void teardown(void)
{
    close(ours);
    close(theirs);
    unit_teardown();
}

static void tell(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    ck_assert_msg(json != NULL, "%s", text);
    base_json_own(json, pool);
    unit_ok(frame_write(theirs, json, -1, &err));
}

/* The worker says no more. */
static apr_status_t serve(void)
{
    shutdown(theirs, SHUT_WR);
    return serve_calls(ours, &script->host, plan, done, &ended, &err, pool);
}

static const char *next_answer(void)
{
    json_t *answer;

    unit_ok(frame_read(&answer, theirs, 0, &err, pool));
    return base_json_text(answer, pool);
}

static void no_answer(void)
{
    acme_err_t none = { 0 };
    json_t *answer;

    shutdown(ours, SHUT_WR);
    ck_assert_int_eq(frame_read(&answer, theirs, 0, &none, pool), APR_EOF);
}

#define NO_ERROR "{\"exit\":0,\"identifier\":\"\",\"message\":\"\"," \
                 "\"retry_at\":0,\"status\":0,\"type\":\"\"}"
#define TIMING "\"replies\":2,\"latency\":70,\"slowest\":50"
#define END "{\"call\":\"end\",\"error\":" NO_ERROR "}"

/* ----------------------------------------------------------- honest calls */

/* Each call reaches the host with its arguments, and is answered once;
 * progress and done are not answered. */
START_TEST(calls_reach_the_host)
{
    int i;

    tell("{\"call\":\"sign\",\"signer\":1,\"ca\":1,\"job\":-1,"
         "\"url\":\"U\",\"nonce\":\"N\",\"payload\":\"\"}");
    tell("{\"call\":\"sign\",\"signer\":2,\"ca\":0,\"job\":2,"
         "\"url\":\"U\",\"nonce\":\"N\",\"payload\":\"P\"}");
    tell("{\"call\":\"csr\",\"job\":1}");
    tell("{\"call\":\"challenge_put\",\"job\":0,\"type\":\"http-01\","
         "\"identifier\":\"n0.example\",\"token\":\"T\",\"expires\":17}");
    tell("{\"call\":\"challenge_remove\",\"job\":0,\"type\":\"http-01\","
         "\"token\":\"T\"}");
    tell("{\"call\":\"directory_save\",\"ca\":1,\"directory\":{\"a\":1}}");
    tell("{\"call\":\"account_save\",\"ca\":0,\"url\":\"U\","
         "\"account\":{}}");
    tell("{\"call\":\"order_save\",\"job\":2,\"state\":{\"b\":2}}");
    tell("{\"call\":\"order_save\",\"job\":2,\"state\":null}");
    tell("{\"call\":\"certificate_save\",\"job\":0,\"pem\":\"a\\nb\"}");
    tell("{\"call\":\"staple_save\",\"job\":2,\"response\":\"REVS\"}");
    tell("{\"call\":\"progress\",\"job\":0,\"step\":\"walking\"}");
    tell("{\"call\":\"done\",\"job\":0,\"requests\":3,\"elapsed\":4," TIMING
         ",\"error\":" NO_ERROR "}");
    tell(END);
    unit_ok(serve());
    ck_assert_int_eq(ended, 1);
    ck_assert_str_eq(script->log,
                     "sign 1 1 -1 U N \nsign 2 0 2 U N P\ncsr 1\n"
                     "challenge_put 0 http-01 n0.example T 17\n"
                     "challenge_remove 0 http-01 T\n"
                     "directory_save 1 {\"a\":1}\naccount_save 0 U {}\n"
                     "order_save 2 {\"b\":2}\norder_save 2 NULL\n"
                     "certificate_save 0 3 a\nb\nstaple_save 2 DER\n"
                     "progress 0 walking\n"
                     "done 0\n");
    for (i = 0; i < 11; i++) {
        ck_assert_str_eq(next_answer(), i < 3
                         ? "{\"error\":" NO_ERROR ",\"value\":\"VALUE\"}"
                         : "{\"error\":" NO_ERROR ",\"value\":\"\"}");
    }
    no_answer();
}
END_TEST

/* A failing host call is answered with the whole error, and the worker
 * goes on. */
START_TEST(failures_are_answered)
{
    base_err_set(&script->fail, APR_EACCES, BASE_EXIT_REFUSED, "no");
    script->fail.retry_at = 5;
    apr_cpystrn(script->fail.type, "urn:x", sizeof(script->fail.type));
    tell("{\"call\":\"csr\",\"job\":1}");
    tell(END);
    unit_ok(serve());
    ck_assert_str_eq(next_answer(), apr_psprintf(pool,
                     "{\"error\":{\"exit\":7,\"identifier\":\"\","
                     "\"message\":\"no\",\"retry_at\":5,\"status\":%d,"
                     "\"type\":\"urn:x\"},\"value\":\"VALUE\"}",
                     APR_EACCES));
}
END_TEST

/* A host that fails without a word, or with the status that serve uses for
 * calls that make no sense, is a failure all the same. */
START_TEST(mute_failures_are_answered)
{
    script->mute = APR_EGENERAL;
    tell("{\"call\":\"csr\",\"job\":1}");
    tell(END);
    unit_ok(serve());
    ck_assert_ptr_nonnull(strstr(next_answer(), "failed without a reason"));
}
END_TEST

START_TEST(host_statuses_do_not_end_the_worker)
{
    base_err_set(&script->fail, APR_BADARG, BASE_EXIT_FAILED, "odd");
    tell("{\"call\":\"csr\",\"job\":1}");
    tell(END);
    unit_ok(serve());
    ck_assert_ptr_nonnull(strstr(next_answer(), "\"odd\""));
}
END_TEST

/* A job's result is passed on whole. */
START_TEST(results_are_passed_on)
{
    tell("{\"call\":\"done\",\"job\":2,\"requests\":9," TIMING ","
         "\"elapsed\":1234567890123,\"error\":{\"status\":11,\"exit\":75,"
         "\"retry_at\":99,\"type\":\"urn:r\",\"identifier\":\"i\","
         "\"message\":\"late\"}}");
    tell(END);
    unit_ok(serve());
    ck_assert_int_eq(done[0] + done[1], 0);
    ck_assert_int_eq(done[2], 1);
    ck_assert_int_eq(script->done_count[2], 1);
    ck_assert_int_eq(script->results[2].requests, 9);
    ck_assert_int_eq(script->results[2].elapsed, 1234567890123);
    ck_assert_int_eq(script->results[2].replies, 2);
    ck_assert_int_eq(script->results[2].latency, 70);
    ck_assert_int_eq(script->results[2].slowest, 50);
    ck_assert_int_eq(script->results[2].err.status, 11);
    ck_assert_int_eq(script->results[2].err.exit, BASE_EXIT_BUSY);
    ck_assert_int_eq(script->results[2].err.retry_at, 99);
    ck_assert_str_eq(script->results[2].err.type, "urn:r");
    ck_assert_str_eq(script->results[2].err.message, "late");
}
END_TEST

/* What the worker says at its end is the outcome of the run. */
START_TEST(outcome_is_passed_on)
{
    tell("{\"call\":\"end\",\"error\":{\"status\":11,\"exit\":1,"
         "\"retry_at\":0,\"type\":\"\",\"identifier\":\"\","
         "\"message\":\"the loop broke\"}}");
    unit_fails(serve(), 11, "the loop broke");
    ck_assert_int_eq(ended, 1);
}
END_TEST

/* A step's text is shown on the terminal, so it is made printable. */
START_TEST(steps_are_made_printable)
{
    tell("{\"call\":\"progress\",\"job\":0,\"step\":\"\\u001b[2Jhi\"}");
    tell(END);
    unit_ok(serve());
    ck_assert_str_eq(script->log, "progress 0 \\x1B[2Jhi\n");
}
END_TEST

/* ----------------------------------------------------------------- the end */

/* A worker that is gone without a word has not ended. */
START_TEST(silence_is_no_end)
{
    tell("{\"call\":\"progress\",\"job\":0,\"step\":\"walking\"}");
    unit_fails(serve(), APR_EOF, "it is gone");
    ck_assert_int_eq(ended, 0);
}
END_TEST

/* Half a call is none. */
START_TEST(half_a_call_is_refused)
{
    ck_assert_int_eq(write(theirs, "\x20\0\0\0{\"call\"", 11), 11);
    unit_fails(serve(), APR_INCOMPLETE, "stopped inside a message");
    ck_assert_str_eq(script->log, "");
}
END_TEST

/* Nothing is done for a worker that has said its end. */
START_TEST(calls_behind_the_end_are_ignored)
{
    tell(END);
    tell("{\"call\":\"csr\",\"job\":1}");
    tell("{\"call\":\"done\",\"job\":0,\"requests\":3,\"elapsed\":4," TIMING
         ",\"error\":" NO_ERROR "}");
    unit_ok(serve());
    ck_assert_str_eq(script->log, "");
    ck_assert_int_eq(done[0], 0);
    no_answer();
}
END_TEST

/* A job that ended once cannot end again. */
START_TEST(done_twice_is_refused)
{
    tell("{\"call\":\"done\",\"job\":0,\"requests\":3,\"elapsed\":4," TIMING
         ",\"error\":" NO_ERROR "}");
    tell("{\"call\":\"done\",\"job\":0,\"requests\":3,\"elapsed\":4," TIMING
         ",\"error\":" NO_ERROR "}");
    unit_fails(serve(), APR_EINVAL, "makes no sense (done)");
    ck_assert_int_eq(script->done_count[0], 1);
    ck_assert_int_eq(ended, 0);
}
END_TEST

/* -------------------------------------------------------------- bad calls */

#define SIGN "\"call\":\"sign\","
#define URLS "\"url\":\"U\",\"nonce\":\"N\",\"payload\":\"P\""
#define PUT "\"call\":\"challenge_put\","
#define REMOVE "\"call\":\"challenge_remove\","
#define DIR "\"call\":\"directory_save\","
#define ACCOUNT "\"call\":\"account_save\","
#define ORDER "\"call\":\"order_save\","
#define CERT "\"call\":\"certificate_save\","
#define STAPLE "\"call\":\"staple_save\","
#define UNTIMED "\"call\":\"done\",\"job\":0,\"requests\":1," \
    "\"elapsed\":1,\"error\":" NO_ERROR
#define DONE "\"call\":\"done\"," TIMING ","

static const char *const bad_calls[] = {
    /* no call, or none that there is */
    "[]", "{}", "{\"call\":null}", "{\"call\":1}", "{\"call\":\"\"}",
    "{\"call\":\"Sign\"}", "{\"call\":\"sign \"}", "{\"call\":\"exec\"}",
    "{\"job\":0}",
    /* sign: numbers */
    "{" SIGN "\"signer\":3,\"ca\":0,\"job\":0," URLS "}",
    "{" SIGN "\"signer\":-1,\"ca\":0,\"job\":0," URLS "}",
    "{" SIGN "\"signer\":\"0\",\"ca\":0,\"job\":0," URLS "}",
    "{" SIGN "\"ca\":0,\"job\":0," URLS "}",
    "{" SIGN "\"signer\":0,\"ca\":2,\"job\":0," URLS "}",
    "{" SIGN "\"signer\":0,\"ca\":-1,\"job\":0," URLS "}",
    "{" SIGN "\"signer\":0,\"ca\":4294967296,\"job\":0," URLS "}",
    "{" SIGN "\"signer\":0,\"job\":0," URLS "}",
    "{" SIGN "\"signer\":0,\"ca\":0,\"job\":3," URLS "}",
    "{" SIGN "\"signer\":0,\"ca\":0,\"job\":-2," URLS "}",
    "{" SIGN "\"signer\":0,\"ca\":0,\"job\":-1.0," URLS "}",
    "{" SIGN "\"signer\":0,\"ca\":0,\"job\":4294967295," URLS "}",
    "{" SIGN "\"signer\":0,\"ca\":0," URLS "}",
    /* sign: texts */
    "{" SIGN "\"signer\":0,\"ca\":0,\"job\":0,\"nonce\":\"N\","
    "\"payload\":\"P\"}",
    "{" SIGN "\"signer\":0,\"ca\":0,\"job\":0,\"url\":null,"
    "\"nonce\":\"N\",\"payload\":\"P\"}",
    "{" SIGN "\"signer\":0,\"ca\":0,\"job\":0,\"url\":\"U\",\"nonce\":1,"
    "\"payload\":\"P\"}",
    "{" SIGN "\"signer\":0,\"ca\":0,\"job\":0,\"url\":\"U\","
    "\"nonce\":\"N\",\"payload\":{}}",
    /* csr */
    "{\"call\":\"csr\"}", "{\"call\":\"csr\",\"job\":3}",
    "{\"call\":\"csr\",\"job\":-1}", "{\"call\":\"csr\",\"job\":\"0\"}",
    "{\"call\":\"csr\",\"job\":0.0}", "{\"call\":\"csr\",\"job\":true}",
    "{\"call\":\"csr\",\"job\":4294967296}",
    "{\"call\":\"csr\",\"job\":-4294967296}",
    /* challenge_put */
    "{" PUT "\"job\":3,\"type\":\"t\",\"identifier\":\"i\",\"token\":\"T\","
    "\"expires\":1}",
    "{" PUT "\"job\":0,\"identifier\":\"i\",\"token\":\"T\",\"expires\":1}",
    "{" PUT "\"job\":0,\"type\":\"t\",\"identifier\":[\"i\"],"
    "\"token\":\"T\",\"expires\":1}",
    "{" PUT "\"job\":0,\"type\":\"t\",\"identifier\":\"i\",\"token\":null,"
    "\"expires\":1}",
    "{" PUT "\"job\":0,\"type\":\"t\",\"identifier\":\"i\","
    "\"token\":\"T\",\"expires\":\"never\"}",
    "{" PUT "\"job\":0,\"type\":\"t\",\"identifier\":\"i\","
    "\"token\":\"T\",\"expires\":1.5}",
    /* challenge_remove */
    "{" REMOVE "\"type\":\"t\",\"token\":\"T\"}",
    "{" REMOVE "\"job\":0,\"type\":\"t\"}",
    "{" REMOVE "\"job\":0,\"token\":\"T\"}",
    "{" REMOVE "\"job\":9,\"type\":\"t\",\"token\":\"T\"}",
    /* directory_save, account_save */
    "{" DIR "\"ca\":0}", "{" DIR "\"ca\":0,\"directory\":null}",
    "{" DIR "\"ca\":0,\"directory\":[]}",
    "{" DIR "\"ca\":0,\"directory\":\"{}\"}",
    "{" DIR "\"ca\":2,\"directory\":{}}", "{" DIR "\"directory\":{}}",
    "{" ACCOUNT "\"ca\":0,\"url\":\"U\"}",
    "{" ACCOUNT "\"ca\":0,\"account\":{}}",
    "{" ACCOUNT "\"ca\":0,\"url\":null,\"account\":{}}",
    "{" ACCOUNT "\"ca\":0,\"url\":\"U\",\"account\":[]}",
    "{" ACCOUNT "\"ca\":-1,\"url\":\"U\",\"account\":{}}",
    /* order_save, certificate_save */
    "{" ORDER "\"job\":0}", "{" ORDER "\"job\":0,\"state\":[]}",
    "{" ORDER "\"job\":0,\"state\":\"\"}", "{" ORDER "\"state\":null}",
    "{" ORDER "\"job\":3,\"state\":null}",
    "{" CERT "\"job\":0}", "{" CERT "\"job\":0,\"pem\":null}",
    "{" CERT "\"job\":0,\"pem\":[\"a\"]}", "{" CERT "\"pem\":\"a\"}",
    "{" CERT "\"job\":3,\"pem\":\"a\"}",
    /* staple_save */
    "{" STAPLE "\"job\":0}", "{" STAPLE "\"job\":0,\"response\":null}",
    "{" STAPLE "\"job\":3,\"response\":\"REVS\"}",
    "{" STAPLE "\"response\":\"REVS\"}",
    "{" STAPLE "\"job\":0,\"response\":\"R=\"}",
    "{" STAPLE "\"job\":0,\"response\":\"R E VS\"}",
    /* progress */
    "{\"call\":\"progress\",\"job\":0}",
    "{\"call\":\"progress\",\"step\":\"s\"}",
    "{\"call\":\"progress\",\"job\":3,\"step\":\"s\"}",
    "{\"call\":\"progress\",\"job\":0,\"step\":1}",
    /* done */
    "{" DONE "\"job\":3,\"requests\":1,\"elapsed\":1,\"error\":" NO_ERROR
    "}",
    "{" DONE "\"requests\":1,\"elapsed\":1,\"error\":" NO_ERROR "}",
    "{" DONE "\"job\":0,\"elapsed\":1,\"error\":" NO_ERROR "}",
    "{" DONE "\"job\":0,\"requests\":-1,\"elapsed\":1,\"error\":" NO_ERROR
    "}",
    "{" DONE "\"job\":0,\"requests\":4294967296,\"elapsed\":1,\"error\":"
    NO_ERROR "}",
    "{" DONE "\"job\":0,\"requests\":1,\"error\":" NO_ERROR "}",
    "{" DONE "\"job\":0,\"requests\":1,\"elapsed\":-1,\"error\":" NO_ERROR
    "}",
    "{" DONE "\"job\":0,\"requests\":1,\"elapsed\":1.5,\"error\":" NO_ERROR
    "}",
    "{" DONE "\"job\":0,\"requests\":1,\"elapsed\":1}",
    "{" DONE "\"job\":0,\"requests\":1,\"elapsed\":1,\"error\":{}}",
    "{" DONE "\"job\":0,\"requests\":1,\"elapsed\":1,\"error\":null}",
    "{" UNTIMED "}",
    "{" UNTIMED ",\"replies\":-1,\"latency\":1,\"slowest\":1}",
    "{" UNTIMED ",\"replies\":1,\"latency\":-1,\"slowest\":1}",
    "{" UNTIMED ",\"replies\":1,\"latency\":1,\"slowest\":-1}",
    "{" UNTIMED ",\"replies\":1.5,\"latency\":1,\"slowest\":1}",
    "{" UNTIMED ",\"replies\":4294967296,\"latency\":1,\"slowest\":1}",
    "{" UNTIMED ",\"replies\":1,\"latency\":\"1\",\"slowest\":1}",
    "{" UNTIMED ",\"replies\":1,\"latency\":1,\"slowest\":null}",
    "{" UNTIMED ",\"replies\":1,\"latency\":1}",
    /* end */
    "{\"call\":\"end\"}", "{\"call\":\"end\",\"error\":null}",
    "{\"call\":\"end\",\"error\":{\"status\":0}}"
};

#define BAD_CALLS ((int)(sizeof(bad_calls) / sizeof(bad_calls[0])))

/* A call that there is not, that lacks a member, has one of another type,
 * or names a CA or job outside the plan: nothing reaches the host, nothing
 * is answered and the worker is given up. */
START_TEST(bad_calls_end_the_worker)
{
    tell(bad_calls[_i]);
    tell("{\"call\":\"csr\",\"job\":1}");
    unit_fails(serve(), APR_EINVAL, "a call that makes no sense");
    ck_assert_str_eq(script->log, "");
    ck_assert_int_eq(ended, 0);
    ck_assert_int_eq(done[0], 0);
    no_answer();
}
END_TEST

/* A plan without CAs and jobs takes no number at all. */
START_TEST(empty_plans_take_no_number)
{
    plan = rig_plan(0, 0, pool);
    tell("{" SIGN "\"signer\":0,\"ca\":0,\"job\":-1," URLS "}");
    unit_fails(serve(), APR_EINVAL, "(sign)");
    ck_assert_str_eq(script->log, "");
}
END_TEST

/* A worker that asks and is gone when the answer is ready is given up. */
START_TEST(gone_readers_end_the_serving)
{
    tell("{\"call\":\"csr\",\"job\":1}");
    tell(END);
    shutdown(theirs, SHUT_RD);
    unit_fails(serve_calls(ours, &script->host, plan, done, &ended, &err,
                           pool), APR_EOF, "cannot talk");
    ck_assert_int_eq(ended, 0);
}
END_TEST

Suite *serve_suite(void);
Suite *serve_suite(void)
{
    Suite *suite = suite_create("serve");
    TCase *tc = tcase_create("calls");

    tcase_add_checked_fixture(tc, setup, teardown);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, calls_reach_the_host);
    tcase_add_test(tc, failures_are_answered);
    tcase_add_test(tc, mute_failures_are_answered);
    tcase_add_test(tc, host_statuses_do_not_end_the_worker);
    tcase_add_test(tc, results_are_passed_on);
    tcase_add_test(tc, outcome_is_passed_on);
    tcase_add_test(tc, steps_are_made_printable);
    tcase_add_test(tc, silence_is_no_end);
    tcase_add_test(tc, half_a_call_is_refused);
    tcase_add_test(tc, calls_behind_the_end_are_ignored);
    tcase_add_test(tc, done_twice_is_refused);
    tcase_add_loop_test(tc, bad_calls_end_the_worker, 0, BAD_CALLS);
    tcase_add_test(tc, empty_plans_take_no_number);
    tcase_add_test(tc, gone_readers_end_the_serving);
    return suite;
}
