/* The live segment's certificates: who finds what, and what cannot happen. */
#include <errno.h>
#include <signal.h>

#include "live_rig.h"

#define KEY "-----BEGIN PRIVATE KEY-----\nkey\n-----END PRIVATE KEY-----\n"
#define CHAIN "-----BEGIN CERTIFICATE-----\nleaf\n-----END CERTIFICATE-----\n"

static void start_with_two(void)
{
    static const char *const two[] = { "a.test", "a.test~rsa-2048", NULL };

    start_with(two);
}

static apr_status_t put_pair(const char *id, uint64_t generation,
                             const char *chain, const char *key)
{
    return live_writer_certificate_put(writer, id, generation, chain, key,
                                       42);
}

static uint32_t slot_of(const char *id)
{
    uint32_t slot = live_parent_slot(live, id);

    ck_assert_uint_ne(slot, LIVE_NO_SLOT);
    return slot;
}

/* What a child finds for id must be this. */
static void holds(const char *id, uint64_t generation, const char *chain,
                  const char *key)
{
    live_certificate_t cert;

    ck_assert_int_eq(live_child_certificate(&cert, live, slot_of(id)),
                     APR_SUCCESS);
    ck_assert_uint_eq(cert.generation, generation);
    ck_assert_uint_eq(cert.version, live_child_version(live, slot_of(id)));
    ck_assert_int_eq(cert.not_after, 42);
    ck_assert_uint_eq(cert.key_len, strlen(key));
    ck_assert_uint_eq(cert.chain_len, strlen(chain));
    ck_assert(!memcmp(cert.pem, key, cert.key_len));
    ck_assert(!memcmp((char *)cert.pem + cert.key_len, chain,
                      cert.chain_len));
}

static void holds_nothing(const char *id)
{
    live_certificate_t cert;

    ck_assert_uint_eq(live_child_version(live, slot_of(id)), 0);
    ck_assert_int_eq(live_child_certificate(&cert, live, slot_of(id)),
                     APR_NOTFOUND);
}

static char *text_of(char c, apr_size_t len)
{
    char *text = apr_palloc(pool, len + 1);

    memset(text, c, len);
    text[len] = '\0';
    return text;
}

/* --------------------------------------------------------------- finding */

/* Children see a certificate in its own slot as soon as it is put; its
 * version changes with each. */
START_TEST(serves_what_is_put)
{
    uint32_t version;

    start_with_two();
    holds_nothing("a.test");
    ck_assert_int_eq(put_pair("a.test", 2, CHAIN, KEY), APR_SUCCESS);
    holds("a.test", 2, CHAIN, KEY);
    holds_nothing("a.test~rsa-2048");
    version = live_child_version(live, slot_of("a.test"));
    ck_assert_int_eq(put_pair("a.test", 3, CHAIN CHAIN, KEY "x"),
                     APR_SUCCESS);
    holds("a.test", 3, CHAIN CHAIN, KEY "x");
    ck_assert_uint_ne(live_child_version(live, slot_of("a.test")), version);
    /* The same once more is another certificate, too. */
    version = live_child_version(live, slot_of("a.test"));
    put_pair("a.test", 3, CHAIN CHAIN, KEY "x");
    ck_assert_uint_ne(live_child_version(live, slot_of("a.test")), version);
}
END_TEST

/* Slots are found by id alone, whatever the order in the configuration. */
START_TEST(finds_by_id)
{
    static const char *const one[] = { "b", "a", "c", NULL };
    static const char *const other[] = { "c", "0", "b", "a", "d", NULL };
    const char *const *id;

    start_with(one);
    for (id = one; *id; id++) {
        ck_assert_int_eq(put_pair(*id, 1, *id, KEY), APR_SUCCESS);
    }
    for (id = one; *id; id++) {
        holds(*id, 1, *id, KEY);
    }
    start_with(other);
    for (id = other; *id; id++) {
        holds_nothing(*id);
        ck_assert_int_eq(put_pair(*id, 2, *id, KEY), APR_SUCCESS);
    }
    for (id = other; *id; id++) {
        holds(*id, 2, *id, KEY);
    }
}
END_TEST

/* Every one of many ids has a slot of its own. */
START_TEST(finds_each_of_many)
{
    apr_array_header_t *array = apr_array_make(pool, 8, sizeof(char *));
    char seen[1000] = "";
    int i;

    for (i = 0; i < 1000; i++) {
        APR_ARRAY_PUSH(array, const char *) = apr_psprintf(
            pool, "n%d.test", i * 7919 % 1000);
    }
    ids = array;
    start();
    for (i = 0; i < 1000; i++) {
        uint32_t slot = slot_of(apr_psprintf(pool, "n%d.test", i));

        ck_assert_uint_lt(slot, 1000);
        ck_assert_int_eq(seen[slot]++, 0);
    }
}
END_TEST

/* acmectl can tell what httpd serves: what was put, else what httpd has
 * loaded; of that children know nothing, it is no swap. */
START_TEST(tells_what_is_served)
{
    live_segment_t seg;
    uint64_t generation = 9;

    start_with_two();
    ck_assert_int_eq(live_writer_serves(writer, &generation, "a.test"),
                     APR_SUCCESS);
    ck_assert_uint_eq(generation, 0);
    ck_assert_int_eq(live_writer_loaded_put(writer, "a.test", 4),
                     APR_SUCCESS);
    live_writer_serves(writer, &generation, "a.test");
    ck_assert_uint_eq(generation, 4);
    holds_nothing("a.test");
    put_pair("a.test", 5, CHAIN, KEY);
    live_writer_serves(writer, &generation, "a.test");
    ck_assert_uint_eq(generation, 5);
    /* What was put while httpd loaded is newer. */
    live_writer_loaded_put(writer, "a.test", 4);
    live_writer_serves(writer, &generation, "a.test");
    ck_assert_uint_eq(generation, 5);
    holds("a.test", 5, CHAIN, KEY);
    live_writer_serves(writer, &generation, "a.test~rsa-2048");
    ck_assert_uint_eq(generation, 0);
    ck_assert_int_eq(live_writer_serves(writer, &generation, "b.test"),
                     APR_NOTFOUND);
    ck_assert_int_eq(live_writer_loaded_put(writer, "b.test", 1),
                     APR_NOTFOUND);
    /* Of a slot in which a writer died nothing is known. */
    seg = raw_of(path);
    live_slot(&seg, slot_of("a.test"))->seq |= 1;
    live_writer_serves(writer, &generation, "a.test");
    ck_assert_uint_eq(generation, 0);
    put_pair("a.test", 5, CHAIN, KEY);
    live_writer_serves(writer, &generation, "a.test");
    ck_assert_uint_eq(generation, 5);
}
END_TEST

/* An id that the running httpd does not know is an error of its own: it has
 * to be restarted. */
START_TEST(unknown_ids_are_told)
{
    static const char *const near[] = { "", "a", "a.tes", "a.test ",
        "a.test~", "a.test~rsa-204", "a.test~rsa-20480", "b.test", NULL };
    int i;

    start_with_two();
    for (i = 0; near[i]; i++) {
        ck_assert_uint_eq(live_parent_slot(live, near[i]), LIVE_NO_SLOT);
        ck_assert_int_eq(put_pair(near[i], 1, CHAIN, KEY), APR_NOTFOUND);
    }
    ck_assert_int_eq(put_pair(text_of('a', 5000), 1, CHAIN, KEY),
                     APR_NOTFOUND);
    holds_nothing("a.test");
}
END_TEST

/* Without a certificate in the configuration there is none to put. */
START_TEST(no_ids_no_slots)
{
    start();
    ck_assert_int_eq(put_pair("a.test", 1, CHAIN, KEY), APR_NOTFOUND);
    put(TOKEN);
    ck_assert_uint_ne(get(TOKEN), 0);
}
END_TEST

/* The longest id has a slot; longer ones do without. */
START_TEST(long_ids)
{
    const char *list[] = { text_of('a', LIVE_ID_MAX),
                           text_of('b', LIVE_ID_MAX + 1), "", "z", NULL };

    start_with(list);
    ck_assert_int_eq(put_pair(list[0], 1, CHAIN, KEY), APR_SUCCESS);
    holds(list[0], 1, CHAIN, KEY);
    ck_assert_int_eq(put_pair(list[1], 1, CHAIN, KEY), APR_NOTFOUND);
    ck_assert_int_eq(put_pair(list[3], 1, CHAIN, KEY), APR_SUCCESS);
}
END_TEST

/* More certificates than slots: the rest is restarted for. */
START_TEST(slots_full)
{
    apr_array_header_t *array = apr_array_make(pool, LIVE_SLOTS_MAX + 1,
                                               sizeof(char *));
    int i;

    for (i = 0; i <= LIVE_SLOTS_MAX; i++) {
        APR_ARRAY_PUSH(array, const char *) = apr_psprintf(pool, "n%06d", i);
    }
    ids = array;
    start();
    ck_assert_int_eq(put_pair("n131071", 1, CHAIN, KEY), APR_SUCCESS);
    holds("n131071", 1, CHAIN, KEY);
    ck_assert_int_eq(put_pair("n131072", 1, CHAIN, KEY), APR_NOTFOUND);
}
END_TEST

/* ---------------------------------------------------------------- limits */

/* The longest chain and key pass; one byte more does not. */
START_TEST(keeps_the_limits)
{
    char *chain = text_of('c', LIVE_CHAIN_MAX);
    char *key = text_of('k', LIVE_KEY_MAX);

    start_with_two();
    ck_assert_int_eq(put_pair("a.test", 1, chain, key), APR_SUCCESS);
    holds("a.test", 1, chain, key);
    ck_assert_int_eq(put_pair("a.test", 2, text_of('c', LIVE_CHAIN_MAX + 1),
                              key), APR_EINVAL);
    ck_assert_int_eq(put_pair("a.test", 2, chain,
                              text_of('k', LIVE_KEY_MAX + 1)), APR_EINVAL);
    ck_assert_int_eq(put_pair("a.test", 2, "", key), APR_EINVAL);
    ck_assert_int_eq(put_pair("a.test", 2, chain, ""), APR_EINVAL);
    ck_assert_int_eq(put_pair("a.test", 0, chain, key), APR_EINVAL);
    holds("a.test", 1, chain, key);
    holds_nothing("a.test~rsa-2048");
}
END_TEST

/* Nothing of an old key is left behind a shorter one. */
START_TEST(wipes_the_old_key)
{
    live_segment_t seg;
    unsigned char *pem;
    apr_size_t i;

    start_with_two();
    put_pair("a.test", 1, text_of('c', 9000), text_of('k', 3001));
    put_pair("a.test", 2, "c", "k");
    holds("a.test", 2, "c", "k");
    seg = raw_of(path);
    pem = (unsigned char *)live_pair(&seg, slot_of("a.test"))->pem;
    for (i = 2; i < LIVE_KEY_MAX + LIVE_CHAIN_MAX; i++) {
        ck_assert_int_eq(pem[i], 0);
    }
    raw_end(&seg);
}
END_TEST

/* Slots that nobody has put anything into take no memory. */
START_TEST(costs_nothing_unused)
{
    apr_array_header_t *array = apr_array_make(pool, 10000, sizeof(char *));
    struct stat st, now;
    int i;

    for (i = 0; i < 10000; i++) {
        APR_ARRAY_PUSH(array, const char *) = apr_psprintf(pool, "n%d", i);
    }
    ids = array;
    start();
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_gt(st.st_size, 200 * 1024 * 1024);
    ck_assert_int_lt(st.st_blocks * 512, 4 * 1024 * 1024
                                         + 10000 * sizeof(live_status_t));
    put_pair("n5000", 1, CHAIN, KEY);
    ck_assert_int_eq(stat(path, &now), 0);
    ck_assert_int_le(now.st_blocks - st.st_blocks, 3 * 8);
}
END_TEST

/* --------------------------------------------------------------- restart */

/* A restart begins with empty slots; children of before keep what they had,
 * and an acmectl that was there writes into the new ones. */
START_TEST(restart_empties_slots)
{
    live_t *old;
    live_writer_t *before;
    live_certificate_t cert;

    start_with_two();
    put_pair("a.test", 2, CHAIN, KEY);
    old = live;
    before = writer;
    start_with_two();
    holds_nothing("a.test");
    ck_assert_int_eq(live_child_certificate(&cert, old,
                                            live_parent_slot(old, "a.test")),
                     APR_SUCCESS);
    ck_assert_uint_eq(cert.generation, 2);
    writer = before;
    ck_assert_int_eq(put_pair("a.test", 3, CHAIN, KEY), APR_SUCCESS);
    holds("a.test", 3, CHAIN, KEY);
}
END_TEST

/* A httpd that serves nothing managed leaves no segment, so that acmectl
 * knows to restart it. */
START_TEST(removed_segment_is_told)
{
    start_with_two();
    live_parent_remove(path, pool);
    ck_assert_int_eq(put_pair("a.test", 2, CHAIN, KEY), APR_ENOENT);
    holds_nothing("a.test");
    live_parent_remove(path, pool);
}
END_TEST

/* ---------------------------------------------------------------- damage */

/* A writer that died inside: readers give up in time, and keep what they
 * have; the next writer repairs the slot. */
START_TEST(dead_writer_is_repaired)
{
    live_certificate_t cert;
    live_segment_t seg;
    uint32_t version;

    start_with_two();
    put_pair("a.test", 1, CHAIN, KEY);
    seg = raw_of(path);
    live_slot(&seg, slot_of("a.test"))->seq |= 1;
    ck_assert_int_eq(live_child_certificate(&cert, live, slot_of("a.test")),
                     APR_EAGAIN);
    version = live_child_version(live, slot_of("a.test"));
    put_pair("a.test", 2, CHAIN, KEY);
    ck_assert_uint_ne(live_child_version(live, slot_of("a.test")), version);
    holds("a.test", 2, CHAIN, KEY);
    raw_end(&seg);
}
END_TEST

/* Lengths that cannot be are never followed. */
START_TEST(refuses_impossible_lengths)
{
    static const uint32_t lengths[][2] = {
        { 0, 10 }, { 10, 0 }, { LIVE_KEY_MAX + 1, 10 },
        { 10, LIVE_CHAIN_MAX + 1 }, { UINT32_MAX, UINT32_MAX },
        { UINT32_MAX - 9, 20 }
    };
    live_certificate_t cert;
    live_segment_t seg;
    live_slot_t *slot;
    apr_size_t i;

    start_with_two();
    put_pair("a.test", 1, CHAIN, KEY);
    seg = raw_of(path);
    slot = live_slot(&seg, slot_of("a.test"));
    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        slot->key_len = lengths[i][0];
        slot->chain_len = lengths[i][1];
        ck_assert_int_eq(live_child_certificate(&cert, live,
                                                slot_of("a.test")),
                         APR_EINVAL);
        put_pair("a.test", 2, CHAIN, KEY);
        holds("a.test", 2, CHAIN, KEY);
    }
    raw_end(&seg);
}
END_TEST

/* The version goes round without ever being 0, which means "none". */
START_TEST(version_goes_round)
{
    live_segment_t seg;

    start_with_two();
    put_pair("a.test", 1, CHAIN, KEY);
    seg = raw_of(path);
    live_slot(&seg, slot_of("a.test"))->version = UINT32_MAX;
    put_pair("a.test", 2, CHAIN, KEY);
    ck_assert_uint_eq(live_child_version(live, slot_of("a.test")), 1);
    raw_end(&seg);
}
END_TEST

/* --------------------------------------------------------------- staples */

/* A response of so many equal letters. */
static live_staple_t *staple_of(char c, apr_size_t len, uint64_t generation)
{
    live_staple_t *staple = apr_pcalloc(pool, sizeof(*staple));

    staple->generation = generation;
    staple->expires = later();
    staple->len = len;
    memset(staple->der, c, len <= sizeof(staple->der) ? len : 0);
    return staple;
}

static apr_status_t put_staple(char c, apr_size_t len, uint64_t generation)
{
    return live_writer_staple_put(writer, "a.test",
                                  staple_of(c, len, generation));
}

/* What a child finds for a certificate of that number must be this. */
static void stapled(char c, apr_size_t len, uint64_t generation)
{
    live_staple_t staple;
    apr_size_t i;

    ck_assert_int_eq(live_child_staple(&staple, live, slot_of("a.test"),
                                       generation, apr_time_now()),
                     APR_SUCCESS);
    ck_assert_uint_eq(staple.generation, generation);
    ck_assert_uint_eq(staple.len, len);
    for (i = 0; i < len; i++) {
        ck_assert_int_eq(((char *)staple.der)[i], c);
    }
}

static void not_stapled(uint64_t generation)
{
    live_staple_t staple;

    ck_assert_int_eq(live_child_staple(&staple, live, slot_of("a.test"),
                                       generation, apr_time_now()),
                     APR_NOTFOUND);
}

/* A response is for the certificate it was put for, whether that came by
 * the segment or httpd had loaded it. */
START_TEST(staples_one_certificate)
{
    live_staple_t staple;

    start_with_two();
    not_stapled(5);
    ck_assert_int_eq(put_staple('s', 1500, 5), APR_SUCCESS);
    stapled('s', 1500, 5);
    not_stapled(4);
    not_stapled(6);
    holds_nothing("a.test");
    ck_assert_int_eq(live_child_staple(&staple, live,
                                       slot_of("a.test~rsa-2048"), 5,
                                       apr_time_now()), APR_NOTFOUND);
    ck_assert_int_eq(put_staple('t', 7, 5), APR_SUCCESS);
    stapled('t', 7, 5);
    ck_assert_int_eq(live_writer_staple_put(writer, "b.test",
                                            staple_of('s', 1, 1)),
                     APR_NOTFOUND);
}
END_TEST

/* With a new certificate the old response goes, and one that came before
 * its certificate stays. */
START_TEST(staple_follows_its_certificate)
{
    start_with_two();
    put_pair("a.test", 5, CHAIN, KEY);
    put_staple('s', 1500, 5);
    holds("a.test", 5, CHAIN, KEY);
    put_pair("a.test", 6, CHAIN, KEY);
    not_stapled(5);
    not_stapled(6);
    put_staple('t', 900, 7);
    holds("a.test", 6, CHAIN, KEY);
    not_stapled(6);
    put_pair("a.test", 7, CHAIN, KEY);
    stapled('t', 900, 7);
    put_pair("a.test", 7, CHAIN, KEY);
    stapled('t', 900, 7);
}
END_TEST

/* After its nextUpdate a response is absent. */
START_TEST(staples_expire)
{
    live_staple_t *staple = staple_of('s', 1500, 5);
    live_staple_t copy;

    start_with_two();
    live_writer_staple_put(writer, "a.test", staple);
    ck_assert_int_eq(live_child_staple(&copy, live, slot_of("a.test"), 5,
                                       staple->expires - 1), APR_SUCCESS);
    ck_assert_int_eq(live_child_staple(&copy, live, slot_of("a.test"), 5,
                                       staple->expires), APR_NOTFOUND);
}
END_TEST

/* The longest response passes, one byte more does not, nor does none; a
 * refused one leaves the last. */
START_TEST(staples_keep_the_limits)
{
    start_with_two();
    ck_assert_int_eq(put_staple('s', LIVE_STAPLE_MAX, 5), APR_SUCCESS);
    stapled('s', LIVE_STAPLE_MAX, 5);
    ck_assert_int_eq(put_staple('t', LIVE_STAPLE_MAX + 1, 5), APR_EINVAL);
    ck_assert_int_eq(put_staple('t', 0, 5), APR_EINVAL);
    ck_assert_int_eq(put_staple('t', 10, 0), APR_EINVAL);
    ck_assert_int_eq(put_staple('t', 10, (uint64_t)UINT32_MAX + 6),
                     APR_EINVAL);
    stapled('s', LIVE_STAPLE_MAX, 5);
}
END_TEST

/* A length that cannot be is never followed. */
START_TEST(refuses_impossible_staples)
{
    live_staple_t staple;
    live_segment_t seg;

    start_with_two();
    put_staple('s', 1500, 5);
    seg = raw_of(path);
    live_slot(&seg, slot_of("a.test"))->staple_len = LIVE_STAPLE_MAX + 1;
    ck_assert_int_eq(live_child_staple(&staple, live, slot_of("a.test"), 5,
                                       apr_time_now()), APR_EINVAL);
    put_staple('s', 1500, 5);
    stapled('s', 1500, 5);
    raw_end(&seg);
}
END_TEST

/* A writer that died inside may have left half a certificate: a response
 * never makes that readable, nor a certificate half a response. */
START_TEST(staples_repair_nothing)
{
    live_staple_t staple;
    live_segment_t seg;

    start_with_two();
    put_pair("a.test", 5, CHAIN, KEY);
    put_staple('s', 1500, 5);
    seg = raw_of(path);
    live_slot(&seg, slot_of("a.test"))->seq |= 1;
    ck_assert_int_eq(live_child_staple(&staple, live, slot_of("a.test"), 5,
                                       apr_time_now()), APR_EAGAIN);
    ck_assert_int_eq(put_staple('t', 1500, 5), APR_EAGAIN);
    put_pair("a.test", 5, CHAIN, KEY);
    not_stapled(5);
    ck_assert_int_eq(put_staple('t', 1500, 5), APR_SUCCESS);
    stapled('t', 1500, 5);
    raw_end(&seg);
}
END_TEST

/* ----------------------------------------------------------- many at once */

/* Two certificates of different length in turn, each of one letter. */
static void write_for_ever(void)
{
    char *chain[] = { text_of('a', 9001), text_of('b', 517) };
    char *key[] = { text_of('a', 3001), text_of('b', 99) };
    uint64_t i;

    for (i = 0;; i++) {
        if (put_pair("a.test", i + 1, chain[i % 2], key[i % 2])) {
            _exit(1);
        }
    }
}

/* A reader beside a writer that never rests gets whole certificates. */
START_TEST(readers_see_whole_certificates)
{
    apr_time_t end;
    uint32_t slot;
    pid_t pid;
    int reads = 0;

    start_with_two();
    slot = slot_of("a.test");
    pid = fork();
    ck_assert_int_ne(pid, -1);
    if (pid == 0) {
        write_for_ever();
    }
    for (end = apr_time_now() + SECOND; apr_time_now() < end || !reads;) {
        live_certificate_t cert;
        const char *pem = (const char *)cert.pem;
        apr_size_t i;

        if (live_child_certificate(&cert, live, slot) != APR_SUCCESS) {
            continue;
        }
        reads++;
        ck_assert_uint_eq(cert.key_len, cert.generation % 2 ? 3001 : 99);
        for (i = 0; i < cert.key_len + cert.chain_len; i++) {
            ck_assert_int_eq(pem[i], cert.generation % 2 ? 'a' : 'b');
        }
    }
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* So it does with responses. */
START_TEST(readers_see_whole_staples)
{
    apr_time_t end;
    int reads = 0;
    pid_t pid;

    start_with_two();
    pid = fork();
    ck_assert_int_ne(pid, -1);
    while (pid == 0) {
        if (put_staple('a', 3001, 5) || put_staple('b', 99, 5)) {
            _exit(1);
        }
    }
    for (end = apr_time_now() + SECOND; apr_time_now() < end || !reads;) {
        live_staple_t staple;
        apr_size_t i;

        if (live_child_staple(&staple, live, slot_of("a.test"), 5,
                              apr_time_now()) != APR_SUCCESS) {
            continue;
        }
        reads++;
        for (i = 0; i < staple.len; i++) {
            ck_assert_int_eq(((char *)staple.der)[i],
                             staple.len == 99 ? 'b' : 'a');
        }
    }
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* A writer killed at any moment leaves a segment that the next one uses. */
START_TEST(killed_writers_do_no_harm)
{
    int i;

    start_with_two();
    for (i = 0; i < 50; i++) {
        pid_t pid = fork();

        ck_assert_int_ne(pid, -1);
        if (pid == 0) {
            write_for_ever();
        }
        apr_sleep(i * 100);
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        ck_assert_int_eq(put_pair("a.test", 7, CHAIN, KEY), APR_SUCCESS);
        holds("a.test", 7, CHAIN, KEY);
    }
}
END_TEST

Suite *live_slot_suite(void)
{
    Suite *suite = suite_create("live_slot");
    TCase *tc = live_case(suite, "certificates");

    tcase_add_test(tc, serves_what_is_put);
    tcase_add_test(tc, finds_by_id);
    tcase_add_test(tc, finds_each_of_many);
    tcase_add_test(tc, tells_what_is_served);
    tcase_add_test(tc, unknown_ids_are_told);
    tcase_add_test(tc, no_ids_no_slots);
    tcase_add_test(tc, long_ids);
    tcase_add_test(tc, slots_full);
    tc = live_case(suite, "limits");
    tcase_add_test(tc, keeps_the_limits);
    tcase_add_test(tc, wipes_the_old_key);
    tcase_add_test(tc, costs_nothing_unused);
    tc = live_case(suite, "restart");
    tcase_add_test(tc, restart_empties_slots);
    tcase_add_test(tc, removed_segment_is_told);
    tc = live_case(suite, "damage");
    tcase_add_test(tc, dead_writer_is_repaired);
    tcase_add_test(tc, refuses_impossible_lengths);
    tcase_add_test(tc, version_goes_round);
    tc = live_case(suite, "staples");
    tcase_add_test(tc, staples_one_certificate);
    tcase_add_test(tc, staple_follows_its_certificate);
    tcase_add_test(tc, staples_expire);
    tcase_add_test(tc, staples_keep_the_limits);
    tcase_add_test(tc, refuses_impossible_staples);
    tcase_add_test(tc, staples_repair_nothing);
    tc = live_case(suite, "many at once");
    tcase_add_test(tc, readers_see_whole_certificates);
    tcase_add_test(tc, readers_see_whole_staples);
    tcase_add_test(tc, killed_writers_do_no_harm);
    return suite;
}
