/*
 * The live segment's table: full windows, writers that died, and readers and
 * writers at the same time.
 */
#include <signal.h>

#include "live_rig.h"

/* ---------------------------------------------------------------- window */

/* Tokens of one hash stand beside each other, also around the table's end;
 * as many as the window has places, then acmectl is told. */
START_TEST(window_fills_up)
{
    const char *token[LIVE_WINDOW + 1];
    unsigned int i;

    start();
    for (i = 0; i <= LIVE_WINDOW; i++) {
        token[i] = colliding(i);
    }
    for (i = 0; i < LIVE_WINDOW; i++) {
        put(token[i]);
    }
    ck_assert_int_eq(live_writer_token_put(
        writer, token[LIVE_WINDOW],
        apr_pstrcat(pool, token[LIVE_WINDOW], "." THUMB, NULL), later()),
        APR_ENOSPC);
    for (i = 0; i < LIVE_WINDOW; i++) {
        ck_assert_uint_ne(get(token[i]), 0);
    }
    ck_assert_uint_eq(get(token[LIVE_WINDOW]), 0);
    /* A removal in the middle makes room and hides nobody behind it. */
    live_writer_token_remove(writer, token[7]);
    ck_assert_uint_eq(get(token[7]), 0);
    put(token[LIVE_WINDOW]);
    for (i = 0; i <= LIVE_WINDOW; i++) {
        ck_assert_int_eq(get(token[i]) != 0, i != 7);
    }
}
END_TEST

/* Replacing a token finds it behind a free place: it never stands twice. */
START_TEST(never_twice)
{
    const char *first, *second;

    start();
    first = colliding(0);
    second = colliding(1);
    put(first);
    put(second);
    live_writer_token_remove(writer, first);
    put(second);
    live_writer_token_remove(writer, second);
    ck_assert_uint_eq(get(second), 0);
}
END_TEST

/* What has expired gives its place to the next token. */
START_TEST(expired_make_room)
{
    apr_time_t past = apr_time_now() - 1;
    unsigned int i;

    start();
    for (i = 0; i < 4 * LIVE_WINDOW; i++) {
        const char *token = colliding(i);

        ck_assert_int_eq(live_writer_token_put(
            writer, token, apr_pstrcat(pool, token, "." THUMB, NULL), past),
            APR_SUCCESS);
        ck_assert_uint_eq(get(token), 0);
    }
}
END_TEST

/* Twice what the largest configuration has in flight at the same time has
 * room: 20 orders with 100 names each at two CAs. */
START_TEST(holds_many)
{
    unsigned int i;

    start();
    for (i = 0; i < 8000; i++) {
        put(nth(i));
    }
    for (i = 0; i < 8000; i++) {
        ck_assert_uint_ne(get(nth(i)), 0);
    }
    ck_assert_uint_eq(get(nth(8000)), 0);
}
END_TEST

/* A large table costs nothing before it is used. */
START_TEST(is_sparse)
{
    struct stat st;

    start();
    ck_assert_int_eq(stat(challenges, &st), 0);
    ck_assert_int_gt(st.st_size, 80000000);
    ck_assert_int_lt(st.st_blocks * 512, 100000);
    /* Looking for tokens that are not there makes no page either. */
    ck_assert_uint_eq(get(TOKEN), 0);
    put(TOKEN);
    ck_assert_uint_ne(get(TOKEN), 0);
    ck_assert_int_eq(stat(challenges, &st), 0);
    ck_assert_int_lt(st.st_blocks * 512, 100000);
}
END_TEST

/* ------------------------------------------------------------ dead writer */

/* A place whose value gives way to a shorter one keeps nothing of it. */
START_TEST(keeps_nothing_of_the_last)
{
    live_segment_t seg;
    const char *value;
    int i;

    start();
    put(TOKEN);
    seg = raw_of(challenges);
    value = live_value(entry_for(&seg, TOKEN));
    ck_assert_str_eq(value, KEYAUTH);
    ck_assert_int_eq(live_writer_token_put(writer, TOKEN, TOKEN ".x",
                                           later()), APR_SUCCESS);
    ck_assert_str_eq(value, TOKEN ".x");
    for (i = (int)strlen(TOKEN) + 2; i <= LIVE_KEYAUTH_MAX; i++) {
        ck_assert_int_eq(value[i], 0);
    }
    live_writer_token_remove(writer, TOKEN);
    for (i = 0; i <= LIVE_KEYAUTH_MAX; i++) {
        ck_assert_int_eq(value[i], 0);
    }
    raw_end(&seg);
}
END_TEST

/* An entry whose writer died inside it is absent and ends no reader; the
 * next writer that passes repairs it. */
START_TEST(torn_entry_is_absent_then_repaired)
{
    live_segment_t seg;

    start();
    put(TOKEN);
    seg = raw_of(challenges);
    entry_for(&seg, TOKEN)->seq |= 1;
    ck_assert_uint_eq(get(TOKEN), 0);
    put(TOKEN);
    ck_assert_uint_ne(get(TOKEN), 0);
    ck_assert_uint_eq(entry_for(&seg, TOKEN)->seq & 1, 0);

    entry_for(&seg, TOKEN)->seq |= 1;
    ck_assert_int_eq(live_writer_token_remove(writer, TOKEN), APR_SUCCESS);
    ck_assert_uint_eq(entry_for(&seg, TOKEN)->seq & 1, 0);
    ck_assert_uint_eq(get(TOKEN), 0);
    raw_end(&seg);
}
END_TEST

/* A torn neighbour hides nobody. */
START_TEST(torn_neighbour_hides_nobody)
{
    const char *first, *second;
    live_segment_t seg;

    start();
    first = colliding(0);
    second = colliding(1);
    put(first);
    put(second);
    seg = raw_of(challenges);
    entry_for(&seg, first)->seq |= 1;
    ck_assert_uint_eq(get(first), 0);
    ck_assert_uint_ne(get(second), 0);
    raw_end(&seg);
}
END_TEST

/* Lengths in an entry are never trusted. */
START_TEST(wild_lengths_are_absent)
{
    static const uint16_t wild[][2] = {
        { 43, 65535 }, { 43, 352 }, { 43, 43 }, { 65535, 87 }, { 0, 87 },
        { 256, 300 }, { 21, 87 }, { 65535, 65535 }
    };
    live_segment_t seg;
    live_entry_t *entry;
    apr_size_t i;

    start();
    put(TOKEN);
    seg = raw_of(challenges);
    entry = entry_for(&seg, TOKEN);
    for (i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        entry->key_len = wild[i][0];
        entry->value_len = wild[i][1];
        ck_assert_uint_eq(get(TOKEN), 0);
    }
    put(TOKEN);
    ck_assert_uint_ne(get(TOKEN), 0);
    raw_end(&seg);
}
END_TEST

/* A restart of httpd empties what is torn or expired and keeps the rest. */
START_TEST(restart_sweeps)
{
    live_segment_t seg;

    start();
    put(TOKEN);
    put(nth(1));
    put(nth(2));
    seg = raw_of(challenges);
    entry_for(&seg, nth(1))->seq |= 1;
    entry_for(&seg, nth(2))->expires = apr_time_now() - SECOND;
    start();
    ck_assert_uint_ne(get(TOKEN), 0);
    ck_assert_uint_eq(get(nth(1)), 0);
    ck_assert_uint_eq(entry_for(&seg, nth(1))->seq & 1, 0);
    ck_assert_uint_eq(entry_for(&seg, nth(2))->key_len, 0);
    raw_end(&seg);
}
END_TEST

/* ----------------------------------------------------------- many at once */

#define STRESS_TOKENS 8

static const char *stress_keyauth(const char *token, unsigned int n)
{
    char fill[128];

    memset(fill, 'A' + (int)(n % 26), sizeof(fill));
    fill[40 + n % 80] = '\0';
    return apr_pstrcat(pool, token, ".", fill, NULL);
}

/* A child process that puts and removes until it is told to stop. */
static void stress_writer(unsigned int seed)
{
    unsigned int i;

    if (live_writer_open(&writer, path, &error, pool) != APR_SUCCESS) {
        _exit(2);
    }
    for (i = 0; i < 20000; i++) {
        const char *token = nth((seed + i * 7) % STRESS_TOKENS);
        apr_status_t rv = i % 5 == 4
            ? live_writer_token_remove(writer, token)
            : live_writer_token_put(writer, token, stress_keyauth(token, i),
                                    later());

        if (rv != APR_SUCCESS) {
            _exit(3);
        }
        if (i % 64 == 0) {
            apr_pool_t *fresh;

            apr_pool_create(&fresh, NULL);
            pool = fresh;
        }
    }
    _exit(0);
}

/* One lookup; the bytes behind the dot must all be of one put. */
static int stress_read(unsigned int n)
{
    char keyauth[LIVE_KEYAUTH_MAX + 1];
    char token[32];
    apr_size_t len, i;

    apr_snprintf(token, sizeof(token), "token-%016u", n % STRESS_TOKENS);
    len = live_child_token(live, token, strlen(token), keyauth,
                           apr_time_now());
    if (len == 0) {
        return 0;
    }
    ck_assert_uint_eq(strlen(keyauth), len);
    ck_assert(!strncmp(keyauth, token, strlen(token)));
    ck_assert_uint_eq(len, strlen(token) + 1 + 40
                      + (len - strlen(token) - 41));
    for (i = strlen(token) + 1; i < len; i++) {
        ck_assert_int_eq(keyauth[i], keyauth[strlen(token) + 1]);
    }
    return 1;
}

/* Readers meet writers without end and never see half an entry. */
START_TEST(readers_see_whole_entries)
{
    pid_t pid[2];
    unsigned int n, seen = 0, left = 2, i;

    start();
    for (i = 0; i < 2; i++) {
        pid[i] = fork();
        ck_assert_int_ne(pid[i], -1);
        if (pid[i] == 0) {
            stress_writer(i);
        }
    }
    for (n = 0; left > 0; n++) {
        seen += (unsigned int)stress_read(n);
        if (n % 1024 == 0) {
            int status;
            pid_t done = waitpid(-1, &status, WNOHANG);

            if (done > 0) {
                ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
                left--;
            }
        }
    }
    ck_assert_uint_gt(seen, 1000);
}
END_TEST

/* Restarts meanwhile lose no token that was put. */
START_TEST(writers_follow_restarts)
{
    unsigned int i;
    pid_t pid;
    int status;

    start();
    pid = fork();
    ck_assert_int_ne(pid, -1);
    if (pid == 0) {
        stress_writer(0);
    }
    for (i = 100; i < 120; i++) {
        ck_assert_int_eq(live_parent_open(&live, path, ids, ids, &error, pool),
                         APR_SUCCESS);
        put(nth(i));
        ck_assert_uint_ne(get(nth(i)), 0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    for (i = 100; i < 120; i++) {
        ck_assert_uint_ne(get(nth(i)), 0);
    }
}
END_TEST

/* A writer killed anywhere leaves a table that the next one can use. */
START_TEST(killed_writers_leave_a_usable_table)
{
    int i;

    start();
    for (i = 0; i < 50; i++) {
        pid_t pid = fork();
        unsigned int n;

        ck_assert_int_ne(pid, -1);
        if (pid == 0) {
            stress_writer((unsigned int)i);
        }
        usleep((useconds_t)(2000 + i * 37));
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        for (n = 0; n < STRESS_TOKENS; n++) {
            put(nth(n));
            ck_assert_uint_ne(get(nth(n)), 0);
        }
    }
}
END_TEST

static void add_window(Suite *suite)
{
    TCase *tc = live_case(suite, "window");

    tcase_add_test(tc, window_fills_up);
    tcase_add_test(tc, never_twice);
    tcase_add_test(tc, expired_make_room);
    tcase_add_test(tc, holds_many);
    tcase_add_test(tc, is_sparse);
    tcase_add_test(tc, keeps_nothing_of_the_last);
}

static void add_dead_writer(Suite *suite)
{
    TCase *tc = live_case(suite, "dead writer");

    tcase_add_test(tc, torn_entry_is_absent_then_repaired);
    tcase_add_test(tc, torn_neighbour_hides_nobody);
    tcase_add_test(tc, wild_lengths_are_absent);
    tcase_add_test(tc, restart_sweeps);
}

static void add_stress(Suite *suite)
{
    TCase *tc = live_case(suite, "many at once");

    tcase_add_test(tc, readers_see_whole_entries);
    tcase_add_test(tc, writers_follow_restarts);
    tcase_add_test(tc, killed_writers_leave_a_usable_table);
}

Suite *live_table_suite(void)
{
    Suite *suite = suite_create("live_table");

    add_window(suite);
    add_dead_writer(suite);
    add_stress(suite);
    return suite;
}
