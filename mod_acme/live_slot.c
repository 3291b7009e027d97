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
#define WRITE_ONCE 20480        /* bytes of records written together */

_Static_assert(sizeof(live_slot_t) == 320, "slots have no holes");
_Static_assert(sizeof(live_pair_t) % 4096 == 0, "pairs are pages");
_Static_assert(sizeof(((live_pair_t *)0)->pem)
               == sizeof(((live_certificate_t *)0)->pem), "copies fit");
_Static_assert(sizeof(((live_pair_t *)0)->staple)
               == sizeof(((live_staple_t *)0)->der), "staples fit");

static apr_size_t page_up(apr_size_t at)
{
    return (at + 4095) / 4096 * 4096;
}

apr_size_t live_pairs_at(uint32_t slots)
{
    return page_up(LIVE_SLOTS_AT + (apr_size_t)slots * sizeof(live_slot_t));
}

apr_size_t live_statuses_at(uint32_t slots)
{
    return live_pairs_at(slots) + (apr_size_t)slots * sizeof(live_pair_t);
}

live_slot_t *live_slot(const live_segment_t *seg, uint32_t slot)
{
    return (live_slot_t *)(seg->map + LIVE_SLOTS_AT) + slot;
}

live_pair_t *live_pair(const live_segment_t *seg, uint32_t slot)
{
    return (live_pair_t *)(seg->map + live_pairs_at(seg->slots)) + slot;
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

apr_status_t live_records_write(int fd, off_t at, apr_size_t size,
                                apr_size_t id_at,
                                const apr_array_header_t *ids)
{
    char records[WRITE_ONCE];
    apr_status_t rv = APR_SUCCESS;
    apr_size_t len = 0;
    int i;

    for (i = 0; i < ids->nelts && rv == APR_SUCCESS; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);

        memset(records + len, 0, size);
        memcpy(records + len + id_at, id, strlen(id));
        len += size;
        if (len + size > sizeof(records) || i == ids->nelts - 1) {
            rv = live_write(fd, records, len, at);
            at += (off_t)len;
            len = 0;
        }
    }
    return rv;
}

apr_status_t live_slots_write(int fd, const apr_array_header_t *ids)
{
    return live_records_write(fd, (off_t)LIVE_SLOTS_AT, sizeof(live_slot_t),
                              offsetof(live_slot_t, id), ids);
}

uint32_t live_record_find(const char *first, apr_size_t size, uint32_t n,
                          const char *id)
{
    uint32_t low = 0, high = n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strncmp(id, first + middle * size, LIVE_ID_MAX + 1);

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

uint32_t live_slot_find(const live_segment_t *seg, const char *id)
{
    return live_record_find(live_slot(seg, 0)->id, sizeof(live_slot_t),
                            seg->slots, id);
}

uint32_t live_parent_slot(const live_t *live, const char *id)
{
    return live_slot_find(&live->main.seg, id);
}

/* --------------------------------------------------------------- reading */

uint32_t live_child_version(const live_t *live, uint32_t slot)
{
    return __atomic_load_n(&live_slot(&live->main.seg, slot)->version,
                           __ATOMIC_ACQUIRE);
}

uint64_t live_child_generation(const live_t *live, uint32_t slot)
{
    return __atomic_load_n(&live_slot(&live->main.seg, slot)->generation,
                           __ATOMIC_RELAXED);
}

/* Words that hold so many bytes. */
static apr_size_t words(apr_size_t len)
{
    return (len + 7) / 8;
}

/* Copies what is there, whole or not. @return 0 if its lengths cannot be */
typedef int load_fn(void *copy, const live_segment_t *seg, uint32_t number);

static int certificate_load(void *into, const live_segment_t *seg,
                            uint32_t number)
{
    const live_slot_t *slot = live_slot(seg, number);
    const live_pair_t *pair = live_pair(seg, number);
    live_certificate_t *copy = into;
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

static int staple_load(void *into, const live_segment_t *seg,
                       uint32_t number)
{
    const live_slot_t *slot = live_slot(seg, number);
    const live_pair_t *pair = live_pair(seg, number);
    live_staple_t *copy = into;
    apr_size_t i;

    copy->generation = __atomic_load_n(&slot->staple_generation,
                                       __ATOMIC_RELAXED);
    copy->expires = __atomic_load_n(&slot->staple_expires, __ATOMIC_RELAXED);
    copy->len = __atomic_load_n(&slot->staple_len, __ATOMIC_RELAXED);
    if (copy->len > LIVE_STAPLE_MAX) {
        return 0;
    }
    for (i = 0; i < words(copy->len); i++) {
        copy->der[i] = __atomic_load_n(&pair->staple[i], __ATOMIC_RELAXED);
    }
    return 1;
}

/* Copy a slot's part whole. @return as live_child_certificate */
static apr_status_t slot_read(void *copy, load_fn *load, const live_t *live,
                              uint32_t number)
{
    const live_slot_t *slot = live_slot(&live->main.seg, number);
    int tries;

    for (tries = 0; tries < SLOT_TRIES; tries++) {
        uint32_t seq = __atomic_load_n(&slot->seq, __ATOMIC_ACQUIRE);

        if (!(seq & 1)) {
            int usable = load(copy, &live->main.seg, number);

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

apr_status_t live_child_certificate(live_certificate_t *pcert,
                                    const live_t *live, uint32_t number)
{
    if (!live_child_version(live, number)) {
        return APR_NOTFOUND;
    }
    return slot_read(pcert, certificate_load, live, number);
}

apr_status_t live_child_staple(live_staple_t *pstaple, const live_t *live,
                               uint32_t number, uint64_t generation,
                               apr_time_t now)
{
    apr_status_t rv = slot_read(pstaple, staple_load, live, number);

    if (rv == APR_SUCCESS && (pstaple->len == 0 || pstaple->expires <= now
                              || pstaple->generation != generation)) {
        rv = APR_NOTFOUND;
    }
    return rv;
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

/* Begin to change a slot; a dead writer's odd counter becomes even at the
 * end, too. @return what slot_end needs */
static uint32_t slot_begin(live_slot_t *slot)
{
    uint32_t seq = __atomic_load_n(&slot->seq, __ATOMIC_RELAXED) | 1;

    __atomic_store_n(&slot->seq, seq, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    return seq;
}

static void slot_end(live_slot_t *slot, uint32_t seq)
{
    __atomic_store_n(&slot->seq, seq + 1, __ATOMIC_RELEASE);
}

/* 1 if a writer died in the slot: what it holds may be torn. */
static int slot_torn(const live_slot_t *slot)
{
    return __atomic_load_n(&slot->seq, __ATOMIC_RELAXED) & 1;
}

/* The OCSP response goes with its certificate, or has come before it. */
static void slot_store(live_slot_t *slot, live_pair_t *pair,
                       const live_certificate_t *value)
{
    uint32_t seq, version = slot->version + 1;
    int keep = slot->staple_generation == value->generation
        && !slot_torn(slot);
    apr_size_t old = (apr_size_t)slot->key_len + slot->chain_len;

    if (old > sizeof(pair->pem)) {
        old = 0;
    }
    seq = slot_begin(slot);
    pair_store(pair, value, old);
    __atomic_store_n(&slot->generation, value->generation, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->not_after, value->not_after, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->key_len, (uint32_t)value->key_len,
                     __ATOMIC_RELAXED);
    __atomic_store_n(&slot->chain_len, (uint32_t)value->chain_len,
                     __ATOMIC_RELAXED);
    if (!keep) {
        __atomic_store_n(&slot->staple_len, 0, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&slot->version, version ? version : 1,
                     __ATOMIC_RELAXED);
    slot_end(slot, seq);
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
    rv = live_writer_begin(&writer->main, &fault);
    if (rv == APR_SUCCESS) {
        rv = certificate_store(&writer->main.seg, id, &value);
        live_writer_end(&writer->main);
    }
    explicit_bzero(&value, sizeof(value));
    return rv;
}

/* Lock the segment and find a slot. @return as live_writer_serves */
static apr_status_t slot_lock(live_slot_t **pslot, live_writer_t *writer,
                              const char *id)
{
    const char *fault;
    uint32_t slot;
    apr_status_t rv = live_writer_begin(&writer->main, &fault);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    slot = live_slot_find(&writer->main.seg, id);
    if (slot == LIVE_NO_SLOT) {
        live_writer_end(&writer->main);
        return APR_NOTFOUND;
    }
    *pslot = live_slot(&writer->main.seg, slot);
    return APR_SUCCESS;
}

apr_status_t live_writer_loaded_put(live_writer_t *writer, const char *id,
                                    uint64_t generation)
{
    live_slot_t *slot;
    apr_status_t rv = slot_lock(&slot, writer, id);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* Readers look at the version first, and never at this without one. */
    if (!slot->version && !slot_torn(slot)) {
        __atomic_store_n(&slot->generation, generation, __ATOMIC_RELAXED);
    }
    live_writer_end(&writer->main);
    return APR_SUCCESS;
}

apr_status_t live_writer_serves(live_writer_t *writer, uint64_t *pgeneration,
                                const char *id)
{
    live_slot_t *slot;
    apr_status_t rv = slot_lock(&slot, writer, id);

    if (rv == APR_SUCCESS) {
        *pgeneration = slot_torn(slot) ? 0 : slot->generation;
        live_writer_end(&writer->main);
    }
    return rv;
}

static void staple_store(live_slot_t *slot, live_pair_t *pair,
                         const live_staple_t *value)
{
    uint32_t seq = slot_begin(slot);
    apr_size_t i;

    for (i = 0; i < words(value->len); i++) {
        __atomic_store_n(&pair->staple[i], value->der[i], __ATOMIC_RELAXED);
    }
    __atomic_store_n(&slot->staple_generation, (uint32_t)value->generation,
                     __ATOMIC_RELAXED);
    __atomic_store_n(&slot->staple_expires, value->expires,
                     __ATOMIC_RELAXED);
    __atomic_store_n(&slot->staple_len, (uint32_t)value->len,
                     __ATOMIC_RELAXED);
    slot_end(slot, seq);
}

static apr_status_t staple_put(const live_segment_t *seg, const char *id,
                               const live_staple_t *value)
{
    uint32_t slot = live_slot_find(seg, id);
    live_pair_t *pair;
    apr_status_t rv;

    if (slot == LIVE_NO_SLOT) {
        return APR_NOTFOUND;
    }
    if (slot_torn(live_slot(seg, slot))) {
        return APR_EAGAIN;
    }
    pair = live_pair(seg, slot);
    rv = live_allocate(seg, pair->staple, sizeof(pair->staple));
    if (rv == APR_SUCCESS) {
        staple_store(live_slot(seg, slot), pair, value);
    }
    return rv;
}

apr_status_t live_writer_staple_put(live_writer_t *writer, const char *id,
                                    const live_staple_t *staple)
{
    const char *fault;
    apr_status_t rv;

    if (staple->generation == 0 || staple->generation > UINT32_MAX
        || staple->len == 0 || staple->len > LIVE_STAPLE_MAX) {
        return APR_EINVAL;
    }
    rv = live_writer_begin(&writer->main, &fault);
    if (rv == APR_SUCCESS) {
        rv = staple_put(&writer->main.seg, id, staple);
        live_writer_end(&writer->main);
    }
    return rv;
}
