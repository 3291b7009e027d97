/* The live segment's status: what pages show, whoever writes meanwhile. */
#include <signal.h>

#include "live_rig.h"

static void start_with_two(void)
{
    static const char *const two[] = { "b.test", "a.test", NULL };

    start_with(two);
}

static live_status_t status_of(const char *id)
{
    live_status_t status;
    uint32_t number = live_child_status_find(live, id);

    ck_assert_uint_lt(number, live_child_statuses(live));
    ck_assert_int_eq(live_child_status(&status, live, number), APR_SUCCESS);
    ck_assert_str_eq(status.id, id);
    return status;
}

/* What the next edit writes, and what it found. */
static live_status_t next, found;
static int edits;

static void edit(void *baton, int i, live_status_t *status)
{
    edits++;
    found = *status;
    memcpy(next.id, status->id, sizeof(next.id));
    *status = next;
}

static apr_status_t write_status(const char *id)
{
    apr_array_header_t *one = apr_array_make(pool, 1, sizeof(char *));

    APR_ARRAY_PUSH(one, const char *) = id;
    edits = 0;
    return live_writer_status_edit(writer, one, edit, NULL);
}

static void fill_manager(void *baton, live_manager_t *manager)
{
    const uint32_t *pid = baton;

    manager->pid = *pid;
    manager->next_wake = *pid;
    live_text(manager->cas[0].url, sizeof(manager->cas[0].url),
              "https://ca.test/dir");
    manager->cas[0].requests += 2;
}

/* -------------------------------------------------------- who sees what */

/* Nothing is known of a certificate until somebody says it; then children
 * see it, and of the others still nothing. */
START_TEST(shows_what_is_written)
{
    start_with_two();
    ck_assert_uint_eq(live_child_statuses(live), 2);
    ck_assert_uint_eq(status_of("a.test").state, LIVE_STATE_UNKNOWN);
    next.state = LIVE_STATE_DUE;
    next.not_after = 42;
    next.issued = UINT64_C(1) << 40;
    live_text(next.error_detail, sizeof(next.error_detail), "no luck");
    ck_assert_int_eq(write_status("a.test"), APR_SUCCESS);
    ck_assert_int_eq(edits, 1);
    ck_assert_uint_eq(status_of("a.test").state, LIVE_STATE_DUE);
    ck_assert_int_eq(status_of("a.test").not_after, 42);
    ck_assert_uint_eq(status_of("a.test").issued, UINT64_C(1) << 40);
    ck_assert_str_eq(status_of("a.test").error_detail, "no luck");
    ck_assert_uint_eq(status_of("b.test").state, LIVE_STATE_UNKNOWN);
    ck_assert_int_eq(status_of("b.test").not_after, 0);
}
END_TEST

/* A writer is given what is known already, and changes what it knows
 * better. */
START_TEST(edits_what_is_there)
{
    start_with_two();
    next.issued = 7;
    write_status("a.test");
    next.issued = 8;
    write_status("a.test");
    ck_assert_uint_eq(found.issued, 7);
    ck_assert_str_eq(found.id, "a.test");
    ck_assert_uint_eq(status_of("a.test").issued, 8);
}
END_TEST

/* The id of a record is whose it is: no writer can change it. */
START_TEST(ids_stay)
{
    live_segment_t seg;

    start_with_two();
    next.state = LIVE_STATE_VALID;
    write_status("a.test");
    memset(next.id, 'x', sizeof(next.id));
    write_status("a.test");
    seg = raw_of(path);
    ck_assert_str_eq(live_status(&seg, 0)->id, "a.test");
    raw_end(&seg);
}
END_TEST

/* An id that the httpd that runs does not have is passed over: it was
 * started with another configuration. */
START_TEST(unknown_ids_are_passed_over)
{
    start_with_two();
    ck_assert_int_eq(write_status("c.test"), APR_SUCCESS);
    ck_assert_int_eq(edits, 0);
    ck_assert_uint_eq(live_child_status_find(live, "c.test"), LIVE_NO_SLOT);
    ck_assert_uint_eq(live_child_status_find(live, ""), LIVE_NO_SLOT);
}
END_TEST

/* What is as it was is not written: a record's counter stays. */
START_TEST(writes_changes_only)
{
    live_segment_t seg;
    uint32_t seq;

    start_with_two();
    next.state = LIVE_STATE_VALID;
    write_status("a.test");
    seg = raw_of(path);
    seq = live_status(&seg, 0)->seq;
    write_status("a.test");
    ck_assert_int_eq(edits, 1);
    ck_assert_uint_eq(live_status(&seg, 0)->seq, seq);
    next.failures = 1;
    write_status("a.test");
    ck_assert_uint_eq(live_status(&seg, 0)->seq, seq + 2);
    raw_end(&seg);
}
END_TEST

/* The manager has one record, which writers add to. */
START_TEST(shows_the_manager)
{
    live_manager_t manager;
    uint32_t pid = 77;

    start_with_two();
    ck_assert_int_eq(live_child_manager(&manager, live), APR_SUCCESS);
    ck_assert_uint_eq(manager.pid, 0);
    ck_assert_int_eq(live_writer_manager_edit(writer, fill_manager, &pid),
                     APR_SUCCESS);
    live_writer_manager_edit(writer, fill_manager, &pid);
    ck_assert_int_eq(live_child_manager(&manager, live), APR_SUCCESS);
    ck_assert_uint_eq(manager.pid, 77);
    ck_assert_str_eq(manager.cas[0].url, "https://ca.test/dir");
    ck_assert_uint_eq(manager.cas[0].requests, 4);
}
END_TEST

/* No certificate, no status; the manager has its record all the same. */
START_TEST(none_at_all)
{
    live_manager_t manager;

    start();
    ck_assert_uint_eq(live_child_statuses(live), 0);
    ck_assert_int_eq(live_child_manager(&manager, live), APR_SUCCESS);
    ck_assert_int_eq(write_status("a.test"), APR_SUCCESS);
}
END_TEST

/* --------------------------------------------------------------- restart */

/* A restart takes along what is known of the certificates that stay, in
 * whatever order, and of the manager; of the others nothing. */
START_TEST(restart_carries)
{
    static const char *const old[] = { "c", "a", "e", "x~rsa-2048", NULL };
    static const char *const new[] = { "0", "x~rsa-2048", "b", "a", "f", "e",
                                       NULL };
    const char *const *id;
    live_manager_t manager;
    uint32_t pid = 99;

    start_with(old);
    for (id = old; *id; id++) {
        next.issued = (uint64_t)(unsigned char)**id;
        write_status(*id);
    }
    live_writer_manager_edit(writer, fill_manager, &pid);
    start_with(new);
    for (id = new; *id; id++) {
        ck_assert_uint_eq(status_of(*id).issued, strchr("aex", **id)
                          ? (uint64_t)(unsigned char)**id : 0);
    }
    live_child_manager(&manager, live);
    ck_assert_uint_eq(manager.pid, 99);
    /* A writer that was open before writes into the new one. */
    next.issued = 5;
    ck_assert_int_eq(write_status("b"), APR_SUCCESS);
    ck_assert_uint_eq(status_of("b").issued, 5);
}
END_TEST

/* Every one of many has a record of its own. */
START_TEST(one_for_each_of_many)
{
    apr_array_header_t *array = apr_array_make(pool, 8, sizeof(char *));
    int i;

    for (i = 0; i < 1000; i++) {
        APR_ARRAY_PUSH(array, const char *) = apr_psprintf(
            pool, "n%d.test", i * 7919 % 1000);
    }
    ids = array;
    start();
    for (i = 0; i < 1000; i++) {
        next.issued = (uint64_t)i + 1;
        write_status(apr_psprintf(pool, "n%d.test", i));
    }
    ids = array;
    start();
    for (i = 0; i < 1000; i++) {
        ck_assert_uint_eq(status_of(apr_psprintf(pool, "n%d.test", i)).issued,
                          (uint64_t)i + 1);
    }
}
END_TEST

/* The file is gone, as when httpd has no domain any more: an error. */
START_TEST(removed_segment_is_told)
{
    uint32_t pid = 1;

    start_with_two();
    live_parent_remove(path, pool);
    ck_assert_int_eq(write_status("a.test"), APR_ENOENT);
    ck_assert_int_eq(live_writer_manager_edit(writer, fill_manager, &pid),
                     APR_ENOENT);
}
END_TEST

/* ---------------------------------------------------------------- damage */

/* A writer that died in a record: readers give up, a restart takes nothing
 * along, and the next writer begins anew. */
START_TEST(dead_writer_is_repaired)
{
    live_status_t status;
    live_segment_t seg;

    start_with_two();
    next.issued = 3;
    write_status("a.test");
    seg = raw_of(path);
    live_status(&seg, 0)->seq |= 1;
    memset(&status, 'x', sizeof(status));
    ck_assert_int_eq(live_child_status(&status, live, 0), APR_EAGAIN);
    ck_assert_uint_eq(status.issued, 0);
    ck_assert_str_eq(status.id, "a.test");
    raw_end(&seg);
    write_status("a.test");
    ck_assert_uint_eq(found.issued, 0);
    ck_assert_uint_eq(status_of("a.test").issued, 3);
    seg = raw_of(path);
    live_status(&seg, 0)->seq |= 1;
    raw_end(&seg);
    start_with_two();
    ck_assert_uint_eq(status_of("a.test").issued, 0);
}
END_TEST

/* Readers trust no byte: a state that is none is unknown, a text that does
 * not end is cut. */
START_TEST(bounds_what_it_reads)
{
    live_manager_t manager;
    live_segment_t seg;

    start_with_two();
    seg = raw_of(path);
    live_status(&seg, 0)->state = LIVE_STATE_ERROR + 1;
    memset(live_status(&seg, 0)->serial, 'x',
           offsetof(live_status_t, id) - offsetof(live_status_t, serial));
    memset(live_manager(&seg)->cas, 'x', sizeof(manager.cas));
    raw_end(&seg);
    ck_assert_uint_eq(status_of("a.test").state, LIVE_STATE_UNKNOWN);
    ck_assert_uint_eq(strlen(status_of("a.test").serial), 47);
    ck_assert_uint_eq(strlen(status_of("a.test").error_detail), 431);
    live_child_manager(&manager, live);
    ck_assert_uint_eq(strlen(manager.cas[LIVE_CAS_MAX - 1].url), 127);
}
END_TEST

/* ------------------------------------------------------------------ text */

static const char *text_in(apr_size_t size, const char *from)
{
    char *to = apr_palloc(pool, size);
    apr_size_t i;

    memset(to, 'x', size);
    live_text(to, size, from);
    for (i = strlen(to); i < size; i++) {
        ck_assert_int_eq(to[i], 0);
    }
    return to;
}

/* Texts are cut between two characters, never in one. */
START_TEST(cuts_between_characters)
{
    ck_assert_str_eq(text_in(6, "plain"), "plain");
    ck_assert_str_eq(text_in(5, "plain"), "plai");
    ck_assert_str_eq(text_in(1, "plain"), "");
    ck_assert_str_eq(text_in(9, NULL), "");
    ck_assert_str_eq(text_in(5, "ab\xc3\xa4z"), "ab\xc3\xa4");
    ck_assert_str_eq(text_in(4, "ab\xc3\xa4z"), "ab");
    ck_assert_str_eq(text_in(5, "a\xe2\x82\xac!"), "a\xe2\x82\xac");
    ck_assert_str_eq(text_in(4, "a\xe2\x82\xac!"), "a");
    ck_assert_str_eq(text_in(5, "\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80");
    ck_assert_str_eq(text_in(4, "\xf0\x9f\x98\x80"), "");
}
END_TEST

/* What is no UTF-8, and what would move a cursor, never gets in. */
START_TEST(keeps_strange_bytes_out)
{
    ck_assert_str_eq(text_in(40, "a\nb\tc\rd\x1b[1m\x7f"), "a b c?d?[1m?");
    ck_assert_str_eq(text_in(40, "\xff\xfe\x80"), "???");
    ck_assert_str_eq(text_in(40, "\xc0\xaf"), "??");
    ck_assert_str_eq(text_in(40, "\xe0\x80\xaf"), "???");
    ck_assert_str_eq(text_in(40, "\xed\xa0\x80"), "???");
    ck_assert_str_eq(text_in(40, "\xf0\x80\x80\xaf"), "????");
    ck_assert_str_eq(text_in(40, "\xf4\x90\x80\x80"), "????");
    ck_assert_str_eq(text_in(40, "\xf8\x88\x80\x80\x80"), "?????");
    ck_assert_str_eq(text_in(40, "\xe2\x82"), "??");
    ck_assert_str_eq(text_in(40, "\xc2\x9b" "31m"), "?31m");
    ck_assert_str_eq(text_in(40, "\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf");
    ck_assert_str_eq(text_in(40, "<&>\"'"), "<&>\"'");
}
END_TEST

/* --------------------------------------------------------- many at once */

/* Every field tells the same number, or the record is torn. */
static void fill_whole(void *baton, int i, live_status_t *status)
{
    uint64_t *n = baton;
    char text[40];

    (*n)++;
    apr_snprintf(text, sizeof(text), "%" APR_UINT64_T_FMT, *n);
    status->issued = status->failed = *n;
    status->not_after = (int64_t)*n;
    live_text(status->serial, sizeof(status->serial), text);
    live_text(status->error_detail, sizeof(status->error_detail), text);
}

static void write_for_ever(void)
{
    apr_array_header_t *one = apr_array_make(pool, 1, sizeof(char *));
    uint64_t n = 0;
    int i;

    APR_ARRAY_PUSH(one, const char *) = "a.test";
    for (i = 0; i < 10000000; i++) {
        live_writer_status_edit(writer, one, fill_whole, &n);
    }
    _exit(0);
}

/* A reader sees whole records only, also of a writer that is killed; the
 * next writer goes on. */
START_TEST(readers_see_whole_records)
{
    live_status_t status;
    int seen = 0, round, i;

    start_with_two();
    for (round = 0; round < 20; round++) {
        pid_t pid = fork();

        ck_assert_int_ne(pid, -1);
        if (pid == 0) {
            write_for_ever();
        }
        for (i = 0; i < 2000; i++) {
            if (live_child_status(&status, live, 0) == APR_SUCCESS) {
                ck_assert_uint_eq(status.issued, status.failed);
                ck_assert_uint_eq(status.issued, (uint64_t)status.not_after);
                ck_assert_str_eq(status.serial, status.error_detail);
                seen += status.issued > 0;
            }
        }
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        next.issued = 0;
        ck_assert_int_eq(write_status("a.test"), APR_SUCCESS);
        ck_assert_uint_eq(status_of("a.test").issued, 0);
    }
    ck_assert_int_gt(seen, 0);
}
END_TEST

Suite *live_status_suite(void)
{
    Suite *suite = suite_create("live_status");
    TCase *tc = live_case(suite, "records");

    tcase_add_test(tc, shows_what_is_written);
    tcase_add_test(tc, edits_what_is_there);
    tcase_add_test(tc, ids_stay);
    tcase_add_test(tc, unknown_ids_are_passed_over);
    tcase_add_test(tc, writes_changes_only);
    tcase_add_test(tc, shows_the_manager);
    tcase_add_test(tc, none_at_all);
    tc = live_case(suite, "restart");
    tcase_add_test(tc, restart_carries);
    tcase_add_test(tc, one_for_each_of_many);
    tcase_add_test(tc, removed_segment_is_told);
    tc = live_case(suite, "damage");
    tcase_add_test(tc, dead_writer_is_repaired);
    tcase_add_test(tc, bounds_what_it_reads);
    tc = live_case(suite, "text");
    tcase_add_test(tc, cuts_between_characters);
    tcase_add_test(tc, keeps_strange_bytes_out);
    tc = live_case(suite, "many at once");
    tcase_add_test(tc, readers_see_whole_records);
    return suite;
}
