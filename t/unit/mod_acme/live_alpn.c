/*
 * The live segment's names: who has a pending tls-alpn-01 challenge, and
 * with which certificates it is answered.
 */
#include <signal.h>

#include "live_rig.h"

static live_name_t memory;

static live_answer_t answer_of(char c, apr_size_t len)
{
    live_answer_t answer;
    char *text;
    int i;

    for (i = 0; i < LIVE_ANSWER_TYPES; i++) {
        text = apr_pcalloc(pool, len + 1);
        memset(text, c + i, len);
        answer.cert[i] = text;
        answer.key[i] = apr_psprintf(pool, "key %d of %c", i, c);
    }
    return answer;
}

static apr_status_t name_put(const char *name, char c)
{
    live_answer_t answer = answer_of(c, 700);

    return live_writer_name_put(writer, name, &answer, later());
}

static int name_get(const char *name, live_answer_t *panswer)
{
    return live_child_name(panswer, &memory, live, name, apr_time_now());
}

/* 1 if what was put with c is served for name, whole. */
static int serves(const char *name, char c)
{
    live_answer_t want = answer_of(c, 700), got;
    int i;

    if (!name_get(name, &got)) {
        return 0;
    }
    for (i = 0; i < LIVE_ANSWER_TYPES; i++) {
        ck_assert_str_eq(got.cert[i], want.cert[i]);
        ck_assert_str_eq(got.key[i], want.key[i]);
    }
    return 1;
}

/* A name is pending from the put on until it is removed. */
START_TEST(serves_what_is_put)
{
    start();
    ck_assert(!serves("a.test", 'a'));
    ck_assert_int_eq(name_put("a.test", 'a'), APR_SUCCESS);
    ck_assert_int_eq(name_put("b.test", 'f'), APR_SUCCESS);
    ck_assert(serves("a.test", 'a'));
    ck_assert(serves("b.test", 'f'));
    ck_assert_int_eq(live_writer_name_remove(writer, "a.test"), APR_SUCCESS);
    ck_assert(!serves("a.test", 'a'));
    ck_assert(serves("b.test", 'f'));
    ck_assert_int_eq(live_writer_name_remove(writer, "a.test"), APR_SUCCESS);
}
END_TEST

/* The next challenge of a name replaces the last. */
START_TEST(put_replaces)
{
    start();
    name_put("a.test", 'a');
    name_put("A.TEST", 'k');
    ck_assert(serves("a.test", 'k'));
    live_writer_name_remove(writer, "a.test");
    ck_assert(!serves("a.test", 'k'));
}
END_TEST

/* Names are compared without regard to case, and whole: RFC 4343. */
START_TEST(matches_whole_names)
{
    static const char *const no[] = {
        "a.tes", "a.testx", ".a.test", "a.test.", "xa.test", "a-test", ""
    };
    apr_size_t i;

    start();
    name_put("a.test", 'a');
    ck_assert(serves("A.tEsT", 'a'));
    for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        ck_assert(!serves(no[i], 'a'));
    }
}
END_TEST

/* Any bytes of a client are no name, and do no harm. */
START_TEST(odd_names_are_absent)
{
    char odd[1024];
    int byte;

    start();
    name_put("a.test", 'a');
    for (byte = 1; byte < 256; byte++) {
        apr_snprintf(odd, sizeof(odd), "a%ctest", byte);
        ck_assert_int_eq(serves(odd, 'a'), byte == '.');
    }
    memset(odd, 'a', sizeof(odd) - 1);
    odd[sizeof(odd) - 1] = '\0';
    ck_assert(!serves(odd, 'a'));
    odd[255] = '\0';
    ck_assert(!serves(odd, 'a'));
}
END_TEST

/* Like a token, a name ends by itself. */
START_TEST(expires)
{
    live_answer_t answer = answer_of('a', 10), got;
    apr_time_t end = later();

    start();
    live_writer_name_put(writer, "a.test", &answer, end);
    ck_assert(live_child_name(&got, &memory, live, "a.test", end - 1));
    ck_assert(!live_child_name(&got, &memory, live, "a.test", end));
}
END_TEST

/* The longest name has room for two certificates and keys as large as they
 * get; more, less or other bytes are refused and change nothing. */
START_TEST(has_limits)
{
    live_answer_t answer = answer_of('a', LIVE_PEMS_MAX / 2 - 12), got;
    char name[LIVE_NAME_MAX + 2];

    start();
    memset(name, 'n', sizeof(name));
    name[LIVE_NAME_MAX] = '\0';
    ck_assert_int_eq(live_writer_name_put(writer, name, &answer, later()),
                     APR_SUCCESS);
    ck_assert(name_get(name, &got));
    ck_assert_str_eq(got.cert[1], answer.cert[1]);
    name[LIVE_NAME_MAX] = 'n';
    name[LIVE_NAME_MAX + 1] = '\0';
    ck_assert_int_eq(name_put(name, 'a'), APR_EINVAL);
    ck_assert_int_eq(name_put("", 'a'), APR_EINVAL);
    ck_assert_int_eq(name_put("a b", 'a'), APR_EINVAL);
    ck_assert_int_eq(name_put("../a", 'a'), APR_EINVAL);
    ck_assert_int_eq(live_writer_name_remove(writer, ""), APR_EINVAL);

    name_put("a.test", 'k');
    answer = answer_of('a', LIVE_PEMS_MAX / 2 + 1);
    ck_assert_int_eq(live_writer_name_put(writer, "a.test", &answer,
                                          later()), APR_EINVAL);
    answer = answer_of('a', LIVE_PEMS_MAX);
    ck_assert_int_eq(live_writer_name_put(writer, "a.test", &answer,
                                          later()), APR_EINVAL);
    answer = answer_of('a', 10);
    answer.key[1] = "";
    ck_assert_int_eq(live_writer_name_put(writer, "a.test", &answer,
                                          later()), APR_EINVAL);
    ck_assert(serves("a.test", 'k'));
}
END_TEST

static live_name_t *raw_name(const live_segment_t *seg, const char *name)
{
    uint32_t place = live_place(&live_names, live_hash(name, strlen(name)),
                                0);

    return (live_name_t *)live_entry(seg, &live_names, place);
}

/* A name whose writer died inside it is absent; the next one repairs it. */
START_TEST(torn_name_is_absent_then_repaired)
{
    live_segment_t seg;

    start();
    name_put("a.test", 'a');
    seg = raw_of(challenges);
    raw_name(&seg, "a.test")->entry.seq |= 1;
    ck_assert(!serves("a.test", 'a'));
    name_put("a.test", 'a');
    ck_assert(serves("a.test", 'a'));
    raw_end(&seg);
}
END_TEST

/* Nothing in an entry is trusted: lengths, ends of texts, their number. */
START_TEST(wild_entries_are_absent)
{
    live_segment_t seg;
    live_name_t *raw, kept;
    live_answer_t got;
    uint16_t len;

    start();
    name_put("a.test", 'a');
    seg = raw_of(challenges);
    raw = raw_name(&seg, "a.test");
    kept = *raw;
    for (len = 0; len < kept.entry.value_len; len++) {
        raw->entry.value_len = len;
        ck_assert(!name_get("a.test", &got));
    }
    raw->entry.value_len = len + 1;
    ck_assert(!name_get("a.test", &got));
    raw->entry.value_len = LIVE_PEMS_MAX + 1;
    ck_assert(!name_get("a.test", &got));
    raw->entry.value_len = 65535;
    ck_assert(!name_get("a.test", &got));
    raw->entry.value_len = len;
    raw->pems[0] = '\0';
    ck_assert(!name_get("a.test", &got));
    memset(raw->pems, 'x', sizeof(raw->pems));
    ck_assert(!name_get("a.test", &got));
    raw_end(&seg);
}
END_TEST

/* When the challenge is over, its keys are gone. */
START_TEST(removed_keys_are_wiped)
{
    static const live_name_t empty;
    live_segment_t seg;

    start();
    name_put("a.test", 'a');
    seg = raw_of(challenges);
    live_writer_name_remove(writer, "a.test");
    ck_assert_int_eq(memcmp(raw_name(&seg, "a.test")->pems, empty.pems,
                            sizeof(empty.pems)), 0);
    raw_end(&seg);
}
END_TEST

/* A restart keeps pending names, also for the children before it. */
START_TEST(restart_keeps_names)
{
    live_t *old;

    start();
    name_put("a.test", 'a');
    old = live;
    start();
    ck_assert(serves("a.test", 'a'));
    name_put("b.test", 'b');
    live = old;
    ck_assert(serves("b.test", 'b'));
}
END_TEST

static void flip_for_ever(void)
{
    for (;;) {
        live_answer_t a = answer_of('a', 1200), b = answer_of('k', 40);

        live_writer_name_put(writer, "a.test", &a, later());
        live_writer_name_put(writer, "a.test", &b, later());
        apr_pool_clear(pool);
    }
}

/* Readers meet a writer without end and never see half of two answers. */
START_TEST(readers_see_whole_answers)
{
    unsigned int n, seen = 0;
    pid_t pid;

    start();
    name_put("a.test", 'a');
    pid = fork();
    if (pid == 0) {
        apr_pool_t *fresh;

        apr_pool_create(&fresh, NULL);
        pool = fresh;
        flip_for_ever();
    }
    for (n = 0; n < 2000000 && seen < 100000; n++) {
        live_answer_t got;

        if (name_get("a.test", &got)) {
            char c[] = { got.cert[0][0], '\0' };
            size_t len = strlen(got.cert[0]);

            ck_assert_uint_eq(strspn(got.cert[0], c), len);
            ck_assert_uint_eq(strlen(got.cert[1]), len);
            ck_assert_int_eq(got.cert[1][len - 1], *c + 1);
            ck_assert_int_eq(got.key[1][strlen("key 1 of ")], *c);
            seen++;
        }
    }
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_uint_gt(seen, 1000);
}
END_TEST

Suite *live_alpn_suite(void)
{
    Suite *suite = suite_create("live_alpn");
    TCase *tc = live_case(suite, "names");

    tcase_add_test(tc, serves_what_is_put);
    tcase_add_test(tc, put_replaces);
    tcase_add_test(tc, matches_whole_names);
    tcase_add_test(tc, odd_names_are_absent);
    tcase_add_test(tc, expires);
    tcase_add_test(tc, has_limits);
    tcase_add_test(tc, torn_name_is_absent_then_repaired);
    tcase_add_test(tc, wild_entries_are_absent);
    tcase_add_test(tc, removed_keys_are_wiped);
    tcase_add_test(tc, restart_keeps_names);
    tcase_add_test(tc, readers_see_whole_answers);
    return suite;
}
