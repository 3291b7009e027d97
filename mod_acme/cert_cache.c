/*
 * The process's certificates: see cert_cache.h.
 *
 *   version of the slot   = good's   -> good, by reference
 *                         = bad      -> good, the last one, or none
 *                         else       -> copy, parse, check; then
 *                                       good := it, or bad := its version
 *
 * Each user holds a reference, so that good can be replaced while another
 * thread's handshake still uses it.
 */
#include "cert_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <apr_strings.h>

/*
 * Not of a pool: in a child that is told to end, pools can go while threads
 * still answer. The same holds for what the cache has; the end of the
 * process frees it. The parent never locks, so forking is harmless.
 */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t parsed_one = PTHREAD_COND_INITIALIZER;

static void cache_lock(void)
{
    pthread_mutex_lock(&mutex);
}

static void cache_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

/* --------------------------------------------------------------- parsing */

/* What came of a parse. */
typedef struct outcome_t {
    acme_parsed_t *parsed;       /* NULL: it cannot be served */
    const char *fault;           /* why; NULL: nothing is known, try again at
                                  * the next handshake */
    uint32_t version;            /* which one it was */
} outcome_t;

static void copy_parse(outcome_t *outcome, const live_certificate_t *copy,
                       const acme_parsed_t *last)
{
    const char *key = (const char *)copy->pem;

    outcome->fault = acme_parse(&outcome->parsed, key + copy->key_len,
                                copy->chain_len, key, copy->key_len, last);
    ERR_clear_error();
    if (outcome->parsed) {
        outcome->parsed->version = copy->version;
        outcome->parsed->generation = copy->generation;
    }
}

/* Parse what the slot holds now. @param last  as acme_parse's */
static void slot_parse(outcome_t *outcome, const live_t *live, uint32_t slot,
                       const acme_parsed_t *last)
{
    live_certificate_t *copy = malloc(sizeof(*copy));
    apr_status_t rv;

    memset(outcome, 0, sizeof(*outcome));
    if (!copy) {
        return;
    }
    rv = live_child_certificate(copy, live, slot);
    if (rv == APR_SUCCESS) {
        copy_parse(outcome, copy, last);
    }
    else if (rv == APR_EINVAL) {
        outcome->fault = "its place in the live segment is damaged";
    }
    outcome->version = copy->version;
    OPENSSL_cleanse(copy, sizeof(*copy));
    free(copy);
}

/* ----------------------------------------------------------------- cache */

/* Under the lock: the last reference frees. */
static void reference_drop(acme_parsed_t *parsed)
{
    if (parsed && --parsed->refs == 0) {
        acme_parsed_free(parsed);
    }
}

static acme_parsed_t *reference_add(acme_parsed_t *parsed)
{
    if (parsed) {
        parsed->refs++;
    }
    return parsed;
}

void acme_cache_release(acme_parsed_t *parsed)
{
    cache_lock();
    reference_drop(parsed);
    cache_unlock();
}

/* Under the lock: does the cache know version? */
static int version_known(const acme_cached_t *cached, uint32_t version)
{
    return version == cached->bad
        || (cached->good && cached->good->version == version);
}

/* Under the lock: keep what came of a parse. @param fault  as the take's */
static void outcome_keep(acme_cached_t *cached, const outcome_t *outcome,
                         char *fault)
{
    if (outcome->parsed) {
        reference_drop(cached->good);
        cached->good = outcome->parsed;
    }
    else if (outcome->fault && outcome->version != cached->bad) {
        cached->bad = outcome->version;
        apr_cpystrn(fault, outcome->fault, ACME_FAULT_MAX);
    }
}

/* Under the lock, which is given up meanwhile: parse what the slot holds. */
static void slot_take_up(acme_cached_t *cached, const live_t *live,
                         uint32_t slot, char *fault)
{
    acme_parsed_t *last = reference_add(cached->good);
    outcome_t outcome;

    cached->parsing = 1;
    cache_unlock();
    slot_parse(&outcome, live, slot, last);
    cache_lock();
    cached->parsing = 0;
    reference_drop(last);
    outcome_keep(cached, &outcome, fault);
    pthread_cond_broadcast(&parsed_one);
}

acme_parsed_t *acme_cache_take(acme_cached_t *cached, const live_t *live,
                               uint32_t slot, char *fault)
{
    uint32_t version = live_child_version(live, slot);
    acme_parsed_t *taken;

    *fault = '\0';
    if (version == 0) {
        return NULL;
    }
    cache_lock();
    /* What is being parsed may be older than version: then look again. */
    while (!version_known(cached, version) && cached->parsing) {
        pthread_cond_wait(&parsed_one, &mutex);
        version = live_child_version(live, slot);
    }
    if (!version_known(cached, version)) {
        slot_take_up(cached, live, slot, fault);
    }
    taken = reference_add(cached->good);
    cache_unlock();
    return taken;
}

int acme_cache_refuse(acme_cached_t *cached, const acme_parsed_t *parsed)
{
    int first;

    cache_lock();
    first = cached->bad != parsed->version;
    cached->bad = parsed->version;
    if (cached->good == parsed) {
        reference_drop(cached->good);
        cached->good = NULL;
    }
    cache_unlock();
    return first;
}

int acme_cache_serves(const acme_cached_t *cached, const live_t *live,
                      uint32_t slot)
{
    uint32_t version = live_child_version(live, slot);

    if (version == 0) {
        return 0;
    }
    return __atomic_load_n(&cached->bad, __ATOMIC_RELAXED) != version
        || __atomic_load_n(&cached->good, __ATOMIC_RELAXED) != NULL;
}

uint64_t acme_cache_generation(const acme_cached_t *cached,
                               const X509 *leaf)
{
    uint64_t generation = 0;

    cache_lock();
    if (cached->good && cached->good->leaf == leaf) {
        generation = cached->good->generation;
    }
    cache_unlock();
    return generation;
}

void acme_cache_forget(acme_cached_t *cached)
{
    cache_lock();
    reference_drop(cached->good);
    cached->good = NULL;
    cached->bad = 0;
    cache_unlock();
}
