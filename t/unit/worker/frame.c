/*
 * Frames: one message, whole or not at all, and never a wait without an
 * end.
 */
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"
#include "worker/frame.h"

#define SHORT apr_time_from_msec(50)
#define LONG apr_time_from_sec(20)

/* ours and the other process's end */
static int ours;
static int theirs;

static void setup(void)
{
    int fds[2];

    unit_setup();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ours = fds[0];
    theirs = fds[1];
}

static void teardown(void)
{
    close(ours);
    close(theirs);
    unit_teardown();
}

static TCase *frame_case(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    return tc;
}

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

    ck_assert_msg(json != NULL, "%s", text);
    return base_json_own(json, pool);
}

/* The other process writes text behind a length of its choice. */
static void write_raw(uint32_t len, const char *text, size_t n)
{
    ck_assert_int_eq(write(theirs, &len, sizeof(len)), sizeof(len));
    ck_assert_int_eq(write(theirs, text, n), (ssize_t)n);
}

static void write_text(const char *text)
{
    write_raw((uint32_t)strlen(text), text, strlen(text));
}

static const char *read_text(void)
{
    json_t *message;

    unit_ok(frame_read(&message, ours, LONG, &err, pool));
    return json_dumps(message, JSON_COMPACT | JSON_SORT_KEYS
                               | JSON_ENCODE_ANY);
}

static void reads(const char *expected)
{
    char *text = (char *)read_text();

    ck_assert_str_eq(text, expected);
    free(text);
}

static void read_fails(apr_interval_time_t timeout, apr_status_t status,
                       const char *text)
{
    json_t *message;

    base_err_clear(&err);
    unit_fails(frame_read(&message, ours, timeout, &err, pool), status,
               text);
}

/* Run fn in a process of its own, which has the other end. */
static pid_t elsewhere(void (*fn)(void))
{
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        fn();
        _exit(0);
    }
    return pid;
}

static void reap(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

/* ------------------------------------------------------------ round trips */

/* What is written as one frame is read as one message, in the order of
 * writing, whatever characters it holds. */
START_TEST(messages_arrive_as_sent)
{
    static const char *const messages[] = {
        "{\"call\":\"csr\",\"job\":0}", "{}", "[]",
        "{\"a\":\"\\n\\t\\\"\\\\\\u0001\"}",
        "{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92\"}",
        "{\"a\":[1,-2,true,null,9223372036854775807]}"
    };
    size_t i;

    for (i = 0; i < 6; i++) {
        unit_ok(frame_write(theirs, parse(messages[i]), LONG, &err));
    }
    for (i = 0; i < 6; i++) {
        reads(messages[i]);
    }
}
END_TEST

static json_t *sized(size_t len)
{
    char *text = apr_palloc(pool, len - 1);

    memset(text, 'x', len - 2);
    text[0] = '[';
    text[1] = '"';
    text[len - 4] = '"';
    text[len - 3] = ']';
    text[len - 2] = '\0';
    return parse(text);
}

static void write_largest(void)
{
    acme_err_t failure = { 0 };

    /* sized makes two bytes less than it says */
    if (frame_write(theirs, sized(FRAME_MAX + 2), LONG, &failure)
        != APR_SUCCESS) {
        _exit(1);
    }
}

/* The largest frame passes, though no socket buffer holds it. */
START_TEST(largest_frame_passes)
{
    pid_t pid = elsewhere(write_largest);
    json_t *message;

    unit_ok(frame_read(&message, ours, LONG, &err, pool));
    ck_assert_uint_eq(json_string_length(json_array_get(message, 0)),
                      FRAME_MAX - 4);
    reap(pid);
}
END_TEST

/* A message that is too long is refused before a byte of it is written, so
 * that the next one is still understood. */
START_TEST(oversize_is_not_written)
{
    unit_fails(frame_write(theirs, sized(FRAME_MAX + 3), LONG, &err),
               APR_EINVAL, "longer than 1048576 bytes");
    base_err_clear(&err);
    unit_ok(frame_write(theirs, parse("{}"), LONG, &err));
    reads("{}");
}
END_TEST

/* What is no JSON document is refused, too. */
START_TEST(no_message_is_not_written)
{
    unit_fails(frame_write(theirs, NULL, LONG, &err), APR_EINVAL,
               "not JSON");
    base_err_clear(&err);
    unit_fails(frame_write(theirs, parse("1"), LONG, &err), APR_EINVAL,
               "not JSON");
    read_fails(0, APR_TIMEUP, "does not answer");
}
END_TEST

/* --------------------------------------------------------------- bad bytes */

/* A length beyond the limit ends the reading at once: nothing is allocated
 * for it and nothing is waited for. */
START_TEST(huge_length_is_refused)
{
    static const uint32_t lengths[] = {
        FRAME_MAX + 1, INT32_MAX, 0x80000000u, UINT32_MAX
    };
    size_t i;

    for (i = 0; i < 4; i++) {
        write_raw(lengths[i], "", 0);
        read_fails(LONG, APR_EINVAL, "too long");
    }
}
END_TEST

/* A socket closed between frames is the end; closed anywhere inside one it
 * is a failure, also right behind the length. */
START_TEST(cut_frames_are_told_from_the_end)
{
    static const char frame[] = "\x0e\0\0\0{\"call\":\"end\"}";
    size_t i;

    for (i = 0; i < sizeof(frame) - 1; i++) {
        int fds[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        ck_assert_int_eq(write(fds[1], frame, i), (ssize_t)i);
        close(fds[1]);
        close(ours);
        ours = fds[0];
        read_fails(LONG, i ? APR_INCOMPLETE : APR_EOF,
                   i ? "it stopped inside a message" : "it is gone");
    }
}
END_TEST

/* Bytes that are no JSON document within its limits are refused; the frame
 * behind them is found all the same. */
START_TEST(garbage_is_refused)
{
    static const char *const garbage[] = {
        "", " ", "{", "{\"a\":1", "{\"a\":1}}", "{\"a\":1}{\"a\":1}",
        "{\"a\":1,\"a\":2}", "{'a':1}", "{\"a\":\"\xff\"}",
        "{\"a\":\"\\u0000\"}", "{\"a\":123456789012345678901}",
        "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "nil", "\177ELF"
    };
    size_t i;

    for (i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        write_text(garbage[i]);
        read_fails(LONG, APR_EINVAL, "a message of the other process");
        write_text("{}");
        base_err_clear(&err);
        reads("{}");
    }
    write_raw(3, "{}\0", 3);
    read_fails(LONG, APR_EINVAL, "NUL");
}
END_TEST

/* ----------------------------------------------------------------- waiting */

/* A silent process is given up. */
START_TEST(silence_has_an_end)
{
    read_fails(SHORT, APR_TIMEUP, "it does not answer any more");
    read_fails(0, APR_TIMEUP, "it does not answer any more");
}
END_TEST

/* One that falls silent inside a frame, too, wherever it does. */
START_TEST(silence_inside_a_frame_has_an_end)
{
    ck_assert_int_eq(write(theirs, "\x0e\0", 2), 2);
    read_fails(SHORT, APR_TIMEUP, "it does not answer any more");
    ck_assert_int_eq(write(theirs, "\x0e\0\0\0{\"ca", 8), 8);
    read_fails(SHORT, APR_TIMEUP, "it does not answer any more");
}
END_TEST

static void drip(void)
{
    static const uint32_t len = 5000;
    int i;

    close(ours);
    if (write(theirs, &len, sizeof(len)) != sizeof(len)) {
        _exit(1);
    }
    for (i = 0; i < 400 && send(theirs, " ", 1, MSG_NOSIGNAL) == 1; i++) {
        apr_sleep(5000);
    }
}

/* The limit is for the frame, not for each byte: one that drips is given
 * up as well. */
START_TEST(dripping_has_an_end)
{
    pid_t pid = elsewhere(drip);

    close(theirs);
    read_fails(apr_time_from_msec(200), APR_TIMEUP, "does not answer");
    close(ours);
    reap(pid);
}
END_TEST

static void on_alarm(int number)
{
    (void)number;
}

/* Signals end no wait early and make none longer. */
START_TEST(signals_do_not_change_the_wait)
{
    base_clock_t *clock = base_clock_system();
    struct itimerval often = { { 0, 10000 }, { 0, 10000 } };
    struct itimerval never = { { 0, 0 }, { 0, 0 } };
    struct sigaction action;
    apr_time_t begun = clock->mono(clock);

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_alarm;
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    read_fails(apr_time_from_msec(100), APR_TIMEUP, "does not answer");
    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    ck_assert_int_ge(clock->mono(clock) - begun, apr_time_from_msec(100));
}
END_TEST

static void write_late(void)
{
    acme_err_t failure = { 0 };

    apr_sleep(SHORT);
    if (frame_write(theirs, parse("{\"late\":true}"), -1, &failure)
        != APR_SUCCESS) {
        _exit(1);
    }
}

/* A timeout of -1 waits as long as it takes. */
START_TEST(no_timeout_waits)
{
    pid_t pid = elsewhere(write_late);
    json_t *message;

    unit_ok(frame_read(&message, ours, -1, &err, pool));
    ck_assert(json_is_true(json_object_get(message, "late")));
    reap(pid);
}
END_TEST

/* A writer is not held up for ever by a reader that does not read. */
START_TEST(deafness_has_an_end)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < 100 && rv == APR_SUCCESS; i++) {
        rv = frame_write(ours, sized(100000), SHORT, &err);
    }
    ck_assert_int_eq(rv, APR_TIMEUP);
    ck_assert_ptr_nonnull(strstr(err.message, "does not answer"));
}
END_TEST

/* A dead reader is an error of the call and kills nobody by SIGPIPE. */
START_TEST(dead_reader_is_an_error)
{
    signal(SIGPIPE, SIG_DFL);
    close(theirs);
    unit_fails(frame_write(ours, parse("{}"), LONG, &err), APR_EOF,
               "cannot talk to the other process of this run: it is gone");
}
END_TEST

/* The system's own errors are passed on. */
START_TEST(bad_descriptors_are_errors)
{
    json_t *message;
    int pipes[2];

    ck_assert_int_eq(pipe(pipes), 0);
    unit_fails(frame_write(pipes[1], parse("{}"), LONG, &err), ENOTSOCK,
               "cannot talk");
    base_err_clear(&err);
    close(pipes[0]);
    close(pipes[1]);
    unit_fails(frame_read(&message, pipes[0], LONG, &err, pool), EBADF,
               "lost the other process");
}
END_TEST

/* ------------------------------------------------------------------ errors */

static acme_err_t pass_on(const acme_err_t *sent)
{
    acme_err_t got;
    json_t *packed = base_json_own(frame_err_pack(sent), pool);

    memset(&got, 0x55, sizeof(got));
    ck_assert_int_eq(frame_err_unpack(&got, packed), APR_SUCCESS);
    return got;
}

/* An error goes from one process to the other with all that it says. */
START_TEST(errors_keep_every_field)
{
    acme_err_t sent = { 0 };
    acme_err_t got;

    base_err_set(&sent, APR_EAGAIN, BASE_EXIT_BUSY, "slow \"down\": 50 %%s");
    sent.retry_at = apr_time_from_sec(1795460400) + 17;
    apr_cpystrn(sent.type, "urn:ietf:params:acme:error:rateLimited",
                sizeof(sent.type));
    apr_cpystrn(sent.identifier, "b\xc3\xbc" "cher.example",
                sizeof(sent.identifier));
    got = pass_on(&sent);
    ck_assert_int_eq(got.status, APR_EAGAIN);
    ck_assert_int_eq(got.exit, BASE_EXIT_BUSY);
    ck_assert_int_eq(got.retry_at, sent.retry_at);
    ck_assert_str_eq(got.type, sent.type);
    ck_assert_str_eq(got.identifier, sent.identifier);
    ck_assert_str_eq(got.message, "slow \"down\": 50 %s");
}
END_TEST

/* No error stays none. */
START_TEST(success_stays_success)
{
    acme_err_t none = { 0 };
    acme_err_t got = pass_on(&none);

    ck_assert_int_eq(got.status, APR_SUCCESS);
    ck_assert_int_eq(got.exit, BASE_EXIT_OK);
    ck_assert_str_eq(got.message, "");
}
END_TEST

/* The longest message, type and identifier arrive uncut, and one that was
 * cut keeps the sign of it. */
START_TEST(longest_fields_arrive_uncut)
{
    acme_err_t sent = { 0 };
    char text[4096];
    acme_err_t got;

    memset(text, 'm', sizeof(text));
    text[sizeof(sent.message) - 1] = '\0';
    base_err_set(&sent, APR_EGENERAL, BASE_EXIT_FAILED, "%s", text);
    memset(sent.type, 't', sizeof(sent.type) - 1);
    memset(sent.identifier, 'i', sizeof(sent.identifier) - 1);
    got = pass_on(&sent);
    ck_assert_uint_eq(strlen(got.message), sizeof(sent.message) - 1);
    ck_assert_str_eq(got.message, sent.message);
    ck_assert_str_eq(got.type, sent.type);
    ck_assert_str_eq(got.identifier, sent.identifier);

    base_err_clear(&sent);
    memset(text, '\xc3', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    base_err_set(&sent, APR_EGENERAL, BASE_EXIT_FAILED, "%s", text);
    got = pass_on(&sent);
    ck_assert_str_eq(got.message, sent.message);
    ck_assert_str_eq(got.message + strlen(got.message) - 3, "...");
}
END_TEST

/* A field that is not UTF-8 travels as an empty one, not as a lost error. */
START_TEST(broken_fields_travel_empty)
{
    acme_err_t sent = { 0 };
    acme_err_t got;

    base_err_set(&sent, APR_EGENERAL, BASE_EXIT_FAILED, "reason");
    apr_cpystrn(sent.type, "urn:\xc3", sizeof(sent.type));
    got = pass_on(&sent);
    ck_assert_str_eq(got.message, "reason");
    ck_assert_str_eq(got.type, "");
}
END_TEST

#define PACKED "{\"status\": 1, \"exit\": 1, \"retry_at\": 0, " \
               "\"type\": \"\", \"identifier\": \"\", \"message\": \"m\"}"

/* What the worker says is shown to people, so controls, line breaks and
 * overlong fields of a worker that was taken over do not get through. */
START_TEST(hostile_text_is_cleaned)
{
    json_t *packed = parse(PACKED);
    char text[1024];
    acme_err_t got;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    json_object_set_new(packed, "type", json_string("a\nb\x1b[2J"));
    json_object_set_new(packed, "message", json_string("fine\r\nroot: ok"));
    json_object_set_new(packed, "identifier", json_string(text));
    ck_assert_int_eq(frame_err_unpack(&got, packed), APR_SUCCESS);
    ck_assert_str_eq(got.type, "a\\x0Ab\\x1B[2J");
    ck_assert_str_eq(got.message, "fine\\x0D\\x0Aroot: ok");
    ck_assert_uint_eq(strlen(got.identifier), sizeof(got.identifier) - 1);
}
END_TEST

/* Every member has to be there and of its type; numbers have to be some
 * that an honest worker sends. What is refused changes nothing. */
START_TEST(misshaped_errors_are_refused)
{
    static const struct {
        const char *member;
        const char *value;     /* NULL: absent */
    } faults[] = {
        { "status", NULL }, { "status", "\"1\"" }, { "status", "1.5" },
        { "status", "4294967296" }, { "status", "-4294967297" },
        { "exit", NULL }, { "exit", "true" }, { "exit", "256" },
        { "exit", "-1" }, { "exit", "8" }, { "exit", "4294967297" },
        { "retry_at", NULL }, { "retry_at", "null" }, { "retry_at", "-1" },
        { "retry_at", "9223372036854775807" },
        { "type", NULL }, { "type", "1" }, { "identifier", NULL },
        { "identifier", "[]" }, { "message", NULL }, { "message", "null" }
    };
    size_t i;

    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        json_t *packed = parse(PACKED);
        acme_err_t got = { 0 };

        json_object_del(packed, faults[i].member);
        if (faults[i].value) {
            json_object_set(packed, faults[i].member,
                            parse(faults[i].value));
        }
        ck_assert_msg(frame_err_unpack(&got, packed) == APR_EINVAL,
                      "%s %s", faults[i].member, faults[i].value);
        ck_assert_int_eq(got.status, APR_SUCCESS);
    }
    ck_assert_int_eq(frame_err_unpack(&err, NULL), APR_EINVAL);
    ck_assert_int_eq(frame_err_unpack(&err, parse("[]")), APR_EINVAL);
}
END_TEST

/* A failure that claims to end the process as a success does not. */
START_TEST(failures_never_exit_as_success)
{
    json_t *packed = parse(PACKED);
    acme_err_t got;

    json_object_set_new(packed, "exit", json_integer(0));
    ck_assert_int_eq(frame_err_unpack(&got, packed), APR_SUCCESS);
    ck_assert_int_eq(got.exit, BASE_EXIT_FAILED);
}
END_TEST

Suite *frame_suite(void);
Suite *frame_suite(void)
{
    Suite *suite = suite_create("frame");
    TCase *tc = frame_case(suite, "round trips");

    tcase_add_test(tc, messages_arrive_as_sent);
    tcase_add_test(tc, largest_frame_passes);
    tcase_add_test(tc, oversize_is_not_written);
    tcase_add_test(tc, no_message_is_not_written);
    tc = frame_case(suite, "bad bytes");
    tcase_add_test(tc, huge_length_is_refused);
    tcase_add_test(tc, cut_frames_are_told_from_the_end);
    tcase_add_test(tc, garbage_is_refused);
    tc = frame_case(suite, "waiting");
    tcase_add_test(tc, silence_has_an_end);
    tcase_add_test(tc, silence_inside_a_frame_has_an_end);
    tcase_add_test(tc, dripping_has_an_end);
    tcase_add_test(tc, signals_do_not_change_the_wait);
    tcase_add_test(tc, no_timeout_waits);
    tcase_add_test(tc, deafness_has_an_end);
    tcase_add_test(tc, dead_reader_is_an_error);
    tcase_add_test(tc, bad_descriptors_are_errors);
    tc = frame_case(suite, "errors");
    tcase_add_test(tc, errors_keep_every_field);
    tcase_add_test(tc, success_stays_success);
    tcase_add_test(tc, longest_fields_arrive_uncut);
    tcase_add_test(tc, broken_fields_travel_empty);
    tcase_add_test(tc, hostile_text_is_cleaned);
    tcase_add_test(tc, misshaped_errors_are_refused);
    tcase_add_test(tc, failures_never_exit_as_success);
    return suite;
}
