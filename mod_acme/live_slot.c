/*
 * The live segment's certificates: slots and their pairs. See acme_live.h
 * for the layout and live_table.c for the order in memory, which is the
 * same here:
 *
 *   writer: seq odd, release fence, pair and slot, seq even (release)
 *   reader: seq even (acquire), slot and pair, acquire fence, same seq
 *
 * A reader looks at a pair only when its slot has a length, and a writer
 * allocates the pages before it stores that length.
 */
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live_table.h"

/* A writer holds a slot for as long as it takes to copy 20 KB. */
#define SLOT_TRIES 256          /* of a reader */
#define SLOT_SPINS 16           /* of those, without giving up the CPU */
#define SLOTS_ONCE 64           /* written together */

_Static_assert(sizeof(live_slot_t) == 320, "slots have no holes");
_Static_assert(sizeof(live_pair_t) % 4096 == 0, "pairs are pages");
_Static_assert(sizeof(((live_pair_t *)0)->pem)
               == sizeof(((live_certificate_t *)0)->pem), "copies fit");

live_slot_t *live_slot(const live_segment_t *seg, uint32_t slot)
{
    return (live_slot_t *)(seg->map + live_slots_at(seg->capacity)) + slot;
}

live_pair_t *live_pair(const live_segment_t *seg, uint32_t slot)
{
    return (live_pair_t *)(seg->map + live_pairs_at(seg->capacity,
                                                    seg->slots)) + slot;
}

/* ------------------------------------------------------------------- ids */

static int id_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

apr_array_header_t *live_ids_sort(const apr_array_header_t *ids,
                                  apr_pool_t *pool)
{
    int i, n = ids ? ids->nelts : 0;
    apr_array_header_t *sorted = apr_array_make(pool, n + 1,
                                                sizeof(const char *));

    for (i = 0; i < n && sorted->nelts < LIVE_SLOTS_MAX; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);

        if (*id && strlen(id) <= LIVE_ID_MAX) {
            APR_ARRAY_PUSH(sorted, const char *) = id;
        }
    }
    qsort(sorted->elts, (size_t)sorted->nelts, sizeof(const char *),
          id_compare);
    return sorted;
}

apr_status_t live_write(int fd, const void *data, apr_size_t len, off_t at)
{
    const char *next = data;

    while (len > 0) {
        ssize_t n = pwrite(fd, next, len, at);

        if (n == -1 && errno != EINTR) {
            return errno;
        }
        if (n > 0) {
            next += n;
            at += n;
            len -= (apr_size_t)n;
        }
    }
    return APR_SUCCESS;
}

apr_status_t live_slots_write(int fd, const apr_array_header_t *ids,
                              uint32_t capacity)
{
    off_t at = (off_t)live_slots_at(capacity);
    live_slot_t slots[SLOTS_ONCE];
    apr_status_t rv = APR_SUCCESS;
    int i, n = 0;

    for (i = 0; i < ids->nelts && rv == APR_SUCCESS; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);

        memset(&slots[n], 0, sizeof(slots[n]));
        memcpy(slots[n].id, id, strlen(id));
        if (++n == SLOTS_ONCE || i == ids->nelts - 1) {
            rv = live_write(fd, slots, (apr_size_t)n * sizeof(*slots), at);
            at += n * (off_t)sizeof(*slots);
            n = 0;
        }
    }
    return rv;
}

uint32_t live_slot_find(const live_segment_t *seg, const char *id)
{
    uint32_t low = 0, high = seg->slots;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strncmp(id, live_slot(seg, middle)->id, LIVE_ID_MAX + 1);

        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            high = middle;
        }
        else {
            low = middle + 1;
        }
    }
    return LIVE_NO_SLOT;
}

uint32_t live_parent_slot(const live_t *live, const char *id)
{
    return live_slot_find(&live->seg, id);
}

/* --------------------------------------------------------------- reading */

uint32_t live_child_version(const live_t *live, uint32_t slot)
{
    return __atomic_load_n(&live_slot(&live->seg, slot)->version,
                           __ATOMIC_ACQUIRE);
}

/* Words that hold so many bytes. */
static apr_size_t words(apr_size_t len)
{
    return (len + 7) / 8;
}

/* Copy what is there, whole or not. @return 0 if its lengths cannot be */
static int slot_load(live_certificate_t *copy, const live_segment_t *seg,
                     uint32_t number)
{
    const live_slot_t *slot = live_slot(seg, number);
    const live_pair_t *pair = live_pair(seg, number);
    apr_size_t i;

    copy->version = __atomic_load_n(&slot->version, __ATOMIC_RELAXED);
    copy->generation = __atomic_load_n(&slot->generation, __ATOMIC_RELAXED);
    copy->not_after = __atomic_load_n(&slot->not_after, __ATOMIC_RELAXED);
    copy->key_len = __atomic_load_n(&slot->key_len, __ATOMIC_RELAXED);
    copy->chain_len = __atomic_load_n(&slot->chain_len, __ATOMIC_RELAXED);
    if (copy->key_len > LIVE_KEY_MAX || copy->chain_len > LIVE_CHAIN_MAX) {
        return 0;
    }
    for (i = 0; i < words(copy->key_len + copy->chain_len); i++) {
        copy->pem[i] = __atomic_load_n(&pair->pem[i], __ATOMIC_RELAXED);
    }
    return copy->key_len > 0 && copy->chain_len > 0;
}

apr_status_t live_child_certificate(live_certificate_t *pcert,
                                    const live_t *live, uint32_t number)
{
    const live_slot_t *slot = live_slot(&live->seg, number);
    int tries;

    if (!live_child_version(live, number)) {
        return APR_NOTFOUND;
    }
    for (tries = 0; tries < SLOT_TRIES; tries++) {
        uint32_t seq = __atomic_load_n(&slot->seq, __ATOMIC_ACQUIRE);

        if (!(seq & 1)) {
            int usable = slot_load(pcert, &live->seg, number);

            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            if (__atomic_load_n(&slot->seq, __ATOMIC_RELAXED) == seq) {
                return usable ? APR_SUCCESS : APR_EINVAL;
            }
        }
        if (tries >= SLOT_SPINS) {
            sched_yield();
        }
    }
    return APR_EAGAIN;
}

/* --------------------------------------------------------------- writing */

/* The new pair, and zeros over what the last one had more. */
static void pair_store(live_pair_t *pair, const live_certificate_t *value,
                       apr_size_t old)
{
    apr_size_t i, len = words(value->key_len + value->chain_len);

    for (i = 0; i < len; i++) {
        __atomic_store_n(&pair->pem[i], value->pem[i], __ATOMIC_RELAXED);
    }
    for (; i < words(old); i++) {
        __atomic_store_n(&pair->pem[i], 0, __ATOMIC_RELAXED);
    }
}

/* A dead writer's odd counter becomes even here, too. A new certificate has
 * no OCSP response yet. */
static void slot_store(live_slot_t *slot, live_pair_t *pair,
                       const live_certificate_t *value)
{
    uint32_t seq = __atomic_load_n(&slot->seq, __ATOMIC_RELAXED) | 1;
    uint32_t version = slot->version + 1;
    apr_size_t old = (apr_size_t)slot->key_len + slot->chain_len;

    if (old > sizeof(pair->pem)) {
        old = 0;
    }
    __atomic_store_n(&slot->seq, seq, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    pair_store(pair, value, old);
    __atomic_store_n(&slot->generation, value->generation, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->not_after, value->not_after, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->key_len, (uint32_t)value->key_len,
                     __ATOMIC_RELAXED);
    __atomic_store_n(&slot->chain_len, (uint32_t)value->chain_len,
                     __ATOMIC_RELAXED);
    __atomic_store_n(&slot->staple_len, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->staple_expires, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->version, version ? version : 1,
                     __ATOMIC_RELAXED);
    __atomic_store_n(&slot->seq, seq + 1, __ATOMIC_RELEASE);
}

/* Fill value, or say that something is outside its limits. */
static apr_status_t value_make(live_certificate_t *value, const char *chain,
                               const char *key)
{
    apr_size_t chain_len = strlen(chain), key_len = strlen(key);

    if (chain_len == 0 || chain_len > LIVE_CHAIN_MAX || key_len == 0
        || key_len > LIVE_KEY_MAX) {
        return APR_EINVAL;
    }
    memset(value->pem, 0, sizeof(value->pem));
    memcpy(value->pem, key, key_len);
    memcpy((char *)value->pem + key_len, chain, chain_len);
    value->key_len = key_len;
    value->chain_len = chain_len;
    return APR_SUCCESS;
}

static apr_status_t certificate_store(const live_segment_t *seg,
                                      const char *id,
                                      const live_certificate_t *value)
{
    uint32_t slot = live_slot_find(seg, id);
    live_pair_t *pair;
    apr_status_t rv;

    if (slot == LIVE_NO_SLOT) {
        return APR_NOTFOUND;
    }
    pair = live_pair(seg, slot);
    rv = live_allocate(seg, pair->pem, value->key_len + value->chain_len + 7);
    if (rv == APR_SUCCESS) {
        slot_store(live_slot(seg, slot), pair, value);
    }
    return rv;
}

apr_status_t live_writer_certificate_put(live_writer_t *writer,
                                         const char *id, uint64_t generation,
                                         const char *chain, const char *key,
                                         apr_time_t not_after)
{
    live_certificate_t value;
    const char *fault;
    apr_status_t rv = generation ? value_make(&value, chain, key)
                                 : APR_EINVAL;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    value.generation = generation;
    value.not_after = not_after;
    rv = live_writer_begin(writer, &fault);
    if (rv == APR_SUCCESS) {
        rv = certificate_store(&writer->seg, id, &value);
        live_writer_end(writer);
    }
    explicit_bzero(&value, sizeof(value));
    return rv;
}
