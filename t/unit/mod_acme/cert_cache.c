/* A process's certificates: what a handshake takes, and when. */
#include <pthread.h>

#include "live_rig.h"
#include "cert_cache.h"
#include "pem_rig.h"

#define THREADS 6

static acme_cached_t cached;
static char fault[ACME_FAULT_MAX];
static uint32_t slot;

static void cache_setup(void)
{
    apr_array_header_t *array;

    live_setup();
    array = apr_array_make(pool, 1, sizeof(char *));
    APR_ARRAY_PUSH(array, const char *) = "a.test";
    ids = array;
    start();
    slot = live_parent_slot(live, "a.test");
    memset(&cached, 0, sizeof(cached));
}

static void cache_teardown(void)
{
    acme_cache_forget(&cached);
    live_teardown();
}

static void put_text(uint64_t generation, const char *chain, const char *key)
{
    ck_assert_int_eq(live_writer_certificate_put(writer, "a.test",
        generation, chain, key, 42), APR_SUCCESS);
}

/* A new certificate. */
static void put_new(uint64_t generation)
{
    EVP_PKEY *key = fix_evp("P-256", pool);

    put_text(generation, fix_pem(pool, pem_cert(key), NULL), pem_key(key));
}

/* The generation that a handshake gets now; 0: none. */
static uint64_t taken(void)
{
    acme_parsed_t *parsed = acme_cache_take(&cached, live, slot, fault);
    uint64_t generation = parsed ? parsed->generation : 0;

    if (parsed) {
        acme_cache_release(parsed);
    }
    return generation;
}

/* Which certificate it is that a handshake has: the present one, or none
 * that is known any more. */
START_TEST(tells_the_generation)
{
    acme_parsed_t *five, *six;

    ck_assert_uint_eq(acme_cache_generation(&cached, NULL), 0);
    put_new(5);
    five = acme_cache_take(&cached, live, slot, fault);
    ck_assert_uint_eq(acme_cache_generation(&cached, five->leaf), 5);
    put_new(6);
    ck_assert_uint_eq(acme_cache_generation(&cached, five->leaf), 5);
    six = acme_cache_take(&cached, live, slot, fault);
    ck_assert_uint_eq(acme_cache_generation(&cached, six->leaf), 6);
    ck_assert_uint_eq(acme_cache_generation(&cached, five->leaf), 0);
    acme_cache_release(five);
    acme_cache_release(six);
}
END_TEST

/* Nothing, then each that is put, from the next handshake on. */
START_TEST(takes_what_is_put)
{
    acme_parsed_t *first, *then;

    ck_assert_uint_eq(taken(), 0);
    ck_assert_int_eq(acme_cache_serves(&cached, live, slot), 0);
    put_new(1);
    ck_assert_int_eq(acme_cache_serves(&cached, live, slot), 1);
    ck_assert_uint_eq(taken(), 1);
    put_new(2);
    first = acme_cache_take(&cached, live, slot, fault);
    ck_assert_uint_eq(first->generation, 2);
    then = acme_cache_take(&cached, live, slot, fault);
    ck_assert_ptr_eq(first, then);
    acme_cache_release(then);
    /* Who still uses it has it for as long as it needs. */
    put_new(3);
    ck_assert_uint_eq(taken(), 3);
    ck_assert_int_eq(X509_check_private_key(first->leaf, first->key), 1);
    acme_cache_release(first);
}
END_TEST

/* One that is no good is told once, and the last good one stays. */
START_TEST(keeps_the_last_good_one)
{
    put_text(1, "junk", "junk");
    ck_assert_uint_eq(taken(), 0);
    ck_assert_str_eq(fault, "its chain is damaged");
    ck_assert_int_eq(acme_cache_serves(&cached, live, slot), 0);
    ck_assert_uint_eq(taken(), 0);
    ck_assert_str_eq(fault, "");
    put_new(2);
    ck_assert_uint_eq(taken(), 2);
    put_text(3, "junk", "junk");
    ck_assert_uint_eq(taken(), 2);
    ck_assert_str_eq(fault, "its chain is damaged");
    ck_assert_int_eq(acme_cache_serves(&cached, live, slot), 1);
    ck_assert_uint_eq(taken(), 2);
    ck_assert_str_eq(fault, "");
}
END_TEST

/* A writer that died inside: the last good one stays, nothing is said, and
 * what its successor writes is taken. */
START_TEST(outlives_a_dead_writer)
{
    live_segment_t seg;

    put_new(1);
    ck_assert_uint_eq(taken(), 1);
    seg = raw_of(path);
    live_slot(&seg, slot)->seq |= 1;
    live_slot(&seg, slot)->version++;
    ck_assert_uint_eq(taken(), 1);
    ck_assert_str_eq(fault, "");
    ck_assert_int_eq(cached.parsing, 0);
    put_new(2);
    ck_assert_uint_eq(taken(), 2);
    raw_end(&seg);
}
END_TEST

/* ---------------------------------------------------------- many at once */

static int ended;                /* atomic: 1 when the threads shall end */
static unsigned int writes;      /* atomic: odd while one is under way */

/* NULL, or which promise parsed breaks. @param quiet  nothing was written
 * from the moment that version was there until now */
static const char *promise_broken(const acme_parsed_t *parsed,
                                  uint32_t version, int quiet)
{
    if (!parsed) {
        return "nothing is taken";
    }
    if (quiet && parsed->version < version) {
        return "it is older than when it was asked for";
    }
    if (parsed->version > live_child_version(live, slot)) {
        return "it is newer than what there is";
    }
    return X509_check_private_key(parsed->leaf, parsed->key) == 1 ? NULL
        : "the key of another one";
}

/* Handshakes. @return NULL, or which promise was broken */
static void *handshakes(void *counter)
{
    char says[ACME_FAULT_MAX];

    while (!__atomic_load_n(&ended, __ATOMIC_ACQUIRE)) {
        unsigned int begin = __atomic_load_n(&writes, __ATOMIC_ACQUIRE);
        uint32_t version = live_child_version(live, slot);
        acme_parsed_t *parsed = acme_cache_take(&cached, live, slot, says);
        int quiet = begin % 2 == 0
            && begin == __atomic_load_n(&writes, __ATOMIC_ACQUIRE);
        const char *broken = *says ? "a fault"
            : promise_broken(parsed, version, quiet);

        if (parsed) {
            acme_cache_release(parsed);
        }
        if (broken) {
            return (void *)broken;
        }
        *(unsigned int *)counter += (unsigned int)quiet;
    }
    return NULL;
}

/* Threads whose handshakes follow a change never get one older than what was
 * there when they began, whoever parses it; nor ever a torn one. */
START_TEST(threads_get_what_is_current)
{
    unsigned int done[THREADS] = { 0 };
    pthread_t threads[THREADS];
    char *chain[4], *key[4];
    int i;

    for (i = 0; i < 4; i++) {
        EVP_PKEY *evp = fix_evp(i == 3 ? "RSA" : "P-256", pool);

        chain[i] = apr_pstrcat(pool, fix_pem(pool, pem_cert(evp), NULL),
                               i % 2 ? pem_issuer("one") : "", NULL);
        key[i] = pem_key(evp);
    }
    put_text(1, chain[0], key[0]);
    ck_assert_uint_eq(taken(), 1);
    ended = 0;
    writes = 0;
    for (i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, handshakes,
                                        &done[i]), 0);
    }
    for (i = 1; i < 2000; i++) {
        __atomic_fetch_add(&writes, 1, __ATOMIC_ACQ_REL);
        put_text((uint64_t)i + 1, chain[i % 4], key[i % 4]);
        __atomic_fetch_add(&writes, 1, __ATOMIC_ACQ_REL);
        apr_sleep(i % 50 * 10);
    }
    __atomic_store_n(&ended, 1, __ATOMIC_RELEASE);
    for (i = 0; i < THREADS; i++) {
        void *broken;

        ck_assert_int_eq(pthread_join(threads[i], &broken), 0);
        ck_assert_msg(!broken, "%s", (const char *)broken);
        ck_assert_uint_gt(done[i], 0);
    }
    ck_assert_uint_eq(taken(), 2000);
}
END_TEST

Suite *cert_cache_suite(void)
{
    Suite *suite = suite_create("cert_cache");
    TCase *tc = tcase_create("cache");

    tcase_add_checked_fixture(tc, cache_setup, cache_teardown);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, tells_the_generation);
    tcase_add_test(tc, takes_what_is_put);
    tcase_add_test(tc, keeps_the_last_good_one);
    tcase_add_test(tc, outlives_a_dead_writer);
    tcase_add_test(tc, threads_get_what_is_current);
    return suite;
}
