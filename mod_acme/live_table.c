/*
 * The live segment's tables of challenges: places, bits, entries. See
 * acme_live.h for the layout.
 *
 * The order in memory that readers rely on, also on machines that reorder
 * stores:
 *
 *   writer: seq odd, release fence, body, seq even (release), bit (release)
 *   reader: bit (acquire), seq even (acquire), body, acquire fence, same seq
 *
 * The body is moved by relaxed atomic words, so that a reader who meets a
 * writer gets old or new words and throws them away, never undefined ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>

#include "live_table.h"

#define LIVE_TRIES   64        /* of a reader, on one entry */
#define LIVE_SPINS   16        /* of those, without giving up the CPU */

/* The words of an entry behind its counter and lengths. */
#define BODY_AT offsetof(live_entry_t, expires)

_Static_assert(sizeof(live_header_t) <= LIVE_BITS_AT, "header too large");
_Static_assert(sizeof(live_entry_t) % 8 == 0, "entries are words");
_Static_assert(BODY_AT == 8, "the body starts at the second word");
_Static_assert(sizeof(live_token_t) % 8 == 0, "tokens are words");
_Static_assert(sizeof(live_name_t) % 4096 == 0, "names are pages");
_Static_assert(LIVE_NAMES_AT % 4096 == 0, "parts are pages");

const live_kind_t live_tokens = {
    LIVE_TOKENS, LIVE_BITS_AT, LIVE_TOKENS_AT, sizeof(live_token_t)
};

const live_kind_t live_names = {
    LIVE_NAMES, LIVE_NAME_BITS_AT, LIVE_NAMES_AT, sizeof(live_name_t)
};

/* ---------------------------------------------------------------- layout */

live_header_t *live_header(const live_segment_t *seg)
{
    return (live_header_t *)seg->map;
}

live_entry_t *live_entry(const live_segment_t *seg, const live_kind_t *kind,
                         uint32_t place)
{
    return (live_entry_t *)(seg->map + kind->at + place * kind->size);
}

char *live_value(live_entry_t *entry)
{
    return (char *)(entry + 1);
}

static apr_size_t value_max(const live_kind_t *kind)
{
    return kind->size - sizeof(live_entry_t) - 1;
}

/* FNV-1a, folded; tokens come from CAs and names from the configuration,
 * not from clients. */
uint32_t live_hash(const char *key, apr_size_t len)
{
    uint64_t hash = 14695981039346656037u;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)key[i]) * 1099511628211u;
    }
    return (uint32_t)(hash ^ (hash >> 32));
}

uint32_t live_place(const live_kind_t *kind, uint32_t hash, uint32_t step)
{
    return (hash + step) & (kind->places - 1);
}

/* ------------------------------------------------------------------ bits */

static uint32_t *bits_of(const live_segment_t *seg, const live_kind_t *kind,
                         uint32_t place)
{
    return (uint32_t *)(seg->map + kind->bits_at) + place / 32;
}

static int bit_get(const live_segment_t *seg, const live_kind_t *kind,
                   uint32_t place)
{
    uint32_t bits = __atomic_load_n(bits_of(seg, kind, place),
                                    __ATOMIC_ACQUIRE);

    return (bits >> (place % 32)) & 1;
}

static void bit_set(const live_segment_t *seg, const live_kind_t *kind,
                    uint32_t place)
{
    __atomic_fetch_or(bits_of(seg, kind, place), (uint32_t)1 << (place % 32),
                      __ATOMIC_RELEASE);
}

static void bit_clear(const live_segment_t *seg, const live_kind_t *kind,
                      uint32_t place)
{
    __atomic_fetch_and(bits_of(seg, kind, place),
                       ~((uint32_t)1 << (place % 32)), __ATOMIC_RELEASE);
}

/* --------------------------------------------------------------- entries */

/* Words of a body whose value has so many bytes. */
static apr_size_t words(apr_size_t value_len)
{
    return (sizeof(live_entry_t) - BODY_AT + value_len + 7) / 8;
}

/* Copy what is there, whole or not. Nothing in a segment is trusted to be
 * in its limits. @return 0 if its lengths cannot be */
static int body_load(live_entry_t *copy, const live_entry_t *entry,
                     const live_kind_t *kind)
{
    const uint64_t *from = (const uint64_t *)entry + BODY_AT / 8;
    uint64_t *to = (uint64_t *)copy + BODY_AT / 8;
    apr_size_t i;

    copy->key_len = __atomic_load_n(&entry->key_len, __ATOMIC_RELAXED);
    copy->value_len = __atomic_load_n(&entry->value_len, __ATOMIC_RELAXED);
    if (copy->key_len == 0 || copy->key_len >= sizeof(copy->key)
        || copy->value_len == 0 || copy->value_len > value_max(kind)) {
        return 0;
    }
    for (i = 0; i < words(copy->value_len); i++) {
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    }
    live_value(copy)[copy->value_len] = '\0';
    return 1;
}

/* The new body, and zeros over what the last one had more. */
static void body_store(live_entry_t *entry, const live_entry_t *value,
                       apr_size_t old)
{
    const uint64_t *from = (const uint64_t *)value + BODY_AT / 8;
    uint64_t *to = (uint64_t *)entry + BODY_AT / 8;
    apr_size_t i;

    __atomic_store_n(&entry->key_len, value->key_len, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->value_len, value->value_len, __ATOMIC_RELAXED);
    for (i = 0; i < words(value->value_len); i++) {
        __atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
    }
    for (; i < words(old); i++) {
        __atomic_store_n(&to[i], 0, __ATOMIC_RELAXED);
    }
}

/* A dead writer's odd counter becomes even here, too; it may have left
 * anything behind, as lengths that cannot be do. */
static void entry_write(live_entry_t *entry, const live_entry_t *value,
                        const live_kind_t *kind)
{
    uint32_t seq = __atomic_load_n(&entry->seq, __ATOMIC_RELAXED);
    apr_size_t old = entry->value_len;

    if ((seq & 1) || old > value_max(kind)) {
        old = value_max(kind);
    }
    seq |= 1;
    __atomic_store_n(&entry->seq, seq, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    body_store(entry, value, old);
    __atomic_store_n(&entry->seq, seq + 1, __ATOMIC_RELEASE);
}

/* A whole entry, or 0 if it is empty, torn or changes without end. */
static int entry_read(live_entry_t *copy, const live_entry_t *entry,
                      const live_kind_t *kind)
{
    int tries;

    for (tries = 0; tries < LIVE_TRIES; tries++) {
        uint32_t seq = __atomic_load_n(&entry->seq, __ATOMIC_ACQUIRE);

        if (!(seq & 1)) {
            int usable = body_load(copy, entry, kind);

            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            if (__atomic_load_n(&entry->seq, __ATOMIC_RELAXED) == seq) {
                return usable;
            }
        }
        if (tries >= LIVE_SPINS) {
            sched_yield();
        }
    }
    return 0;
}

static int entry_is(const live_entry_t *copy, const char *key,
                    apr_size_t len)
{
    return copy->key_len == len && !memcmp(copy->key, key, len);
}

int live_entry_find(live_entry_t *copy, const live_segment_t *seg,
                    const live_kind_t *kind, const char *key, apr_size_t len)
{
    uint32_t hash = live_hash(key, len), step;

    for (step = 0; step < LIVE_WINDOW; step++) {
        uint32_t place = live_place(kind, hash, step);

        if (bit_get(seg, kind, place)
            && entry_read(copy, live_entry(seg, kind, place), kind)
            && entry_is(copy, key, len)) {
            return 1;
        }
    }
    return 0;
}

/* --------------------------------------------------------------- writing */

static void place_clear(const live_segment_t *seg, const live_kind_t *kind,
                        uint32_t place)
{
    live_entry_t empty;

    memset(&empty, 0, sizeof(empty));
    entry_write(live_entry(seg, kind, place), &empty, kind);
    bit_clear(seg, kind, place);
}

/* Of a value without the lock nobody needs a copy: the lock is held. */
static int entry_usable(const live_entry_t *entry, const live_kind_t *kind,
                        apr_time_t now)
{
    return !(entry->seq & 1)
        && entry->key_len > 0 && entry->key_len < sizeof(entry->key)
        && entry->value_len > 0 && entry->value_len <= value_max(kind)
        && entry->expires > now;
}

/* @return 1 if an entry is left */
static int place_sweep(const live_segment_t *seg, const live_kind_t *kind,
                       uint32_t place, apr_time_t now)
{
    if (!bit_get(seg, kind, place)) {
        return 0;
    }
    if (!entry_usable(live_entry(seg, kind, place), kind, now)) {
        place_clear(seg, kind, place);
        return 0;
    }
    return 1;
}

/* The place of key, or LIVE_NO_PLACE. @param pfree  the window's first free
 * place, or LIVE_NO_PLACE */
static uint32_t window_find(uint32_t *pfree, const live_segment_t *seg,
                            const live_kind_t *kind, const char *key,
                            apr_size_t len)
{
    uint32_t hash = live_hash(key, len), found = LIVE_NO_PLACE, step;
    apr_time_t now = apr_time_now();

    *pfree = LIVE_NO_PLACE;
    for (step = 0; step < LIVE_WINDOW; step++) {
        uint32_t place = live_place(kind, hash, step);

        if (!place_sweep(seg, kind, place, now)) {
            if (*pfree == LIVE_NO_PLACE) {
                *pfree = place;
            }
        }
        else if (entry_is(live_entry(seg, kind, place), key, len)) {
            found = place;
        }
    }
    return found;
}

apr_status_t live_allocate(const live_segment_t *seg, const void *at,
                           apr_size_t len)
{
    off_t offset = (off_t)((const unsigned char *)at - seg->map);
    int rc = posix_fallocate(seg->fd, offset, (off_t)len);

    /* A file system that knows no holes has nothing to allocate. */
    return rc == EOPNOTSUPP || rc == EINVAL ? APR_SUCCESS : rc;
}

apr_status_t live_entry_put(const live_segment_t *seg,
                            const live_kind_t *kind,
                            const live_entry_t *value)
{
    uint32_t unused, place = window_find(&unused, seg, kind, value->key,
                                         value->key_len);
    live_entry_t *entry;
    apr_status_t rv;

    place = place == LIVE_NO_PLACE ? unused : place;
    if (place == LIVE_NO_PLACE) {
        return APR_ENOSPC;
    }
    entry = live_entry(seg, kind, place);
    rv = live_allocate(seg, entry, kind->size);
    if (rv == APR_SUCCESS) {
        entry_write(entry, value, kind);
        bit_set(seg, kind, place);
    }
    return rv;
}

void live_entry_remove(const live_segment_t *seg, const live_kind_t *kind,
                       const char *key, apr_size_t len)
{
    uint32_t unused, place = window_find(&unused, seg, kind, key, len);

    if (place != LIVE_NO_PLACE) {
        place_clear(seg, kind, place);
    }
}

void live_table_sweep(const live_segment_t *seg, const live_kind_t *kind,
                      apr_time_t now)
{
    uint32_t place;

    for (place = 0; place < kind->places; place++) {
        (void)place_sweep(seg, kind, place, now);
    }
}
