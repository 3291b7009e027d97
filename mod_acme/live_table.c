/*
 * The live segment's memory: places, bits, entries. See acme_live.h for the
 * layout.
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

/* Words of an entry behind its counter and lengths. */
#define LIVE_BODY_AT offsetof(live_token_t, expires)
#define LIVE_WORDS   ((sizeof(live_token_t) - LIVE_BODY_AT) / 8)

_Static_assert(sizeof(live_header_t) <= LIVE_BITS_AT, "header too large");
_Static_assert(sizeof(live_token_t) % 8 == 0, "entries are words");
_Static_assert(LIVE_BODY_AT % 8 == 0, "the body starts at a word");

/* ---------------------------------------------------------------- layout */

apr_size_t live_tokens_at(uint32_t capacity)
{
    apr_size_t bits = (apr_size_t)capacity / 8;

    return LIVE_BITS_AT + (bits + 4095) / 4096 * 4096;
}

static apr_size_t page_up(apr_size_t at)
{
    return (at + 4095) / 4096 * 4096;
}

apr_size_t live_slots_at(uint32_t capacity)
{
    return page_up(live_tokens_at(capacity)
                   + (apr_size_t)capacity * sizeof(live_token_t));
}

apr_size_t live_pairs_at(uint32_t capacity, uint32_t slots)
{
    return page_up(live_slots_at(capacity)
                   + (apr_size_t)slots * sizeof(live_slot_t));
}

apr_size_t live_size(uint32_t capacity, uint32_t slots)
{
    return live_pairs_at(capacity, slots)
        + (apr_size_t)slots * sizeof(live_pair_t);
}

/* Twice the tokens, so that windows fill up only by wild chance. */
uint32_t live_capacity(apr_size_t tokens)
{
    uint32_t capacity = LIVE_CAPACITY_MIN;

    while (capacity < LIVE_CAPACITY_MAX && capacity / 2 < tokens) {
        capacity *= 2;
    }
    return capacity;
}

live_header_t *live_header(const live_segment_t *seg)
{
    return (live_header_t *)seg->map;
}

static uint32_t *bits_of(const live_segment_t *seg, uint32_t place)
{
    return (uint32_t *)(seg->map + LIVE_BITS_AT) + place / 32;
}

live_token_t *live_entry(const live_segment_t *seg, uint32_t place)
{
    return (live_token_t *)(seg->map + live_tokens_at(seg->capacity)) + place;
}

/* FNV-1a, folded; tokens come from CAs, not from clients. */
uint32_t live_hash(const char *token, apr_size_t len)
{
    uint64_t hash = 14695981039346656037u;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)token[i]) * 1099511628211u;
    }
    return (uint32_t)(hash ^ (hash >> 32));
}

uint32_t live_place(const live_segment_t *seg, uint32_t hash, uint32_t step)
{
    return (hash + step) & (seg->capacity - 1);
}

/* ------------------------------------------------------------------ bits */

static int bit_get(const live_segment_t *seg, uint32_t place)
{
    uint32_t bits = __atomic_load_n(bits_of(seg, place), __ATOMIC_ACQUIRE);

    return (bits >> (place % 32)) & 1;
}

static void bit_set(const live_segment_t *seg, uint32_t place)
{
    __atomic_fetch_or(bits_of(seg, place), (uint32_t)1 << (place % 32),
                      __ATOMIC_RELEASE);
}

static void bit_clear(const live_segment_t *seg, uint32_t place)
{
    __atomic_fetch_and(bits_of(seg, place), ~((uint32_t)1 << (place % 32)),
                       __ATOMIC_RELEASE);
}

/* --------------------------------------------------------------- entries */

static void body_load(live_token_t *copy, const live_token_t *entry)
{
    const uint64_t *from = (const uint64_t *)entry + LIVE_BODY_AT / 8;
    uint64_t *to = (uint64_t *)copy + LIVE_BODY_AT / 8;
    apr_size_t i;

    copy->token_len = __atomic_load_n(&entry->token_len, __ATOMIC_RELAXED);
    copy->keyauth_len = __atomic_load_n(&entry->keyauth_len,
                                        __ATOMIC_RELAXED);
    for (i = 0; i < LIVE_WORDS; i++) {
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    }
}

static void body_store(live_token_t *entry, const live_token_t *value)
{
    const uint64_t *from = (const uint64_t *)value + LIVE_BODY_AT / 8;
    uint64_t *to = (uint64_t *)entry + LIVE_BODY_AT / 8;
    apr_size_t i;

    __atomic_store_n(&entry->token_len, value->token_len, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->keyauth_len, value->keyauth_len,
                     __ATOMIC_RELAXED);
    for (i = 0; i < LIVE_WORDS; i++) {
        __atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
    }
}

/* A dead writer's odd counter becomes even here, too. */
static void entry_write(live_token_t *entry, const live_token_t *value)
{
    uint32_t seq = __atomic_load_n(&entry->seq, __ATOMIC_RELAXED) | 1;

    __atomic_store_n(&entry->seq, seq, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    body_store(entry, value);
    __atomic_store_n(&entry->seq, seq + 1, __ATOMIC_RELEASE);
}

/* Nothing in a segment is trusted to be in its limits. */
static int lengths_ok(const live_token_t *value)
{
    return value->token_len >= LIVE_TOKEN_MIN
        && value->token_len <= LIVE_TOKEN_MAX
        && value->keyauth_len > value->token_len
        && value->keyauth_len <= LIVE_KEYAUTH_MAX;
}

/* A whole entry, or 0 if it is empty, torn or changes without end. */
static int entry_read(live_token_t *copy, const live_token_t *entry)
{
    int tries;

    for (tries = 0; tries < LIVE_TRIES; tries++) {
        uint32_t seq = __atomic_load_n(&entry->seq, __ATOMIC_ACQUIRE);

        if (!(seq & 1)) {
            body_load(copy, entry);
            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            if (__atomic_load_n(&entry->seq, __ATOMIC_RELAXED) == seq) {
                return lengths_ok(copy);
            }
        }
        if (tries >= LIVE_SPINS) {
            sched_yield();
        }
    }
    return 0;
}

static int entry_is(const live_token_t *copy, const char *token,
                    apr_size_t len)
{
    return copy->token_len == len && !memcmp(copy->token, token, len);
}

int live_token_find(live_token_t *copy, const live_segment_t *seg,
                    const char *token, apr_size_t len)
{
    uint32_t hash = live_hash(token, len), step;

    for (step = 0; step < LIVE_WINDOW; step++) {
        uint32_t place = live_place(seg, hash, step);

        if (bit_get(seg, place) && entry_read(copy, live_entry(seg, place))
            && entry_is(copy, token, len)) {
            return 1;
        }
    }
    return 0;
}

static int entry_torn(const live_token_t *entry)
{
    return __atomic_load_n(&entry->seq, __ATOMIC_RELAXED) & 1;
}

void live_place_clear(const live_segment_t *seg, uint32_t place)
{
    live_token_t empty;

    memset(&empty, 0, sizeof(empty));
    entry_write(live_entry(seg, place), &empty);
    bit_clear(seg, place);
}

int live_place_sweep(live_token_t *copy, const live_segment_t *seg,
                       uint32_t place, apr_time_t now)
{
    if (!bit_get(seg, place)) {
        return 0;
    }
    if (entry_torn(live_entry(seg, place))
        || !entry_read(copy, live_entry(seg, place)) || copy->expires <= now) {
        live_place_clear(seg, place);
        return 0;
    }
    return 1;
}

uint32_t live_window_find(uint32_t *pfree, const live_segment_t *seg,
                            const char *token, apr_size_t len)
{
    uint32_t hash = live_hash(token, len), found = LIVE_NO_PLACE, step;
    apr_time_t now = apr_time_now();
    live_token_t copy;

    *pfree = LIVE_NO_PLACE;
    for (step = 0; step < LIVE_WINDOW; step++) {
        uint32_t place = live_place(seg, hash, step);

        if (!live_place_sweep(&copy, seg, place, now)) {
            if (*pfree == LIVE_NO_PLACE) {
                *pfree = place;
            }
        }
        else if (entry_is(&copy, token, len)) {
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

apr_status_t live_place_fill(const live_segment_t *seg, uint32_t place,
                               const live_token_t *value)
{
    live_token_t *entry = live_entry(seg, place);
    apr_status_t rv = live_allocate(seg, entry, sizeof(*entry));

    if (rv == APR_SUCCESS) {
        entry_write(entry, value);
        bit_set(seg, place);
    }
    return rv;
}
