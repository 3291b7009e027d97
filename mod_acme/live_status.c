/*
 * The live segment's status: what pages show of each certificate, and of
 * the manager. See acme_live.h for the layout and live_table.c for the
 * order in memory, which is the same here:
 *
 *   writer: seq odd, release fence, words, seq even (release)
 *   reader: seq even (acquire), words, acquire fence, same seq
 *
 * Records are written when the file is made, so no writer meets a hole.
 */
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "live_table.h"

#define STATUS_TRIES 64         /* of a reader, on one record */
#define STATUS_SPINS 16         /* of those, without giving up the CPU */

/* Words of a record behind its counter; a status's id never changes. */
#define WORDS_AT     1
#define STATUS_WORDS (offsetof(live_status_t, id) / 8)
#define MANAGER_WORDS (sizeof(live_manager_t) / 8)

_Static_assert(sizeof(live_status_t) == 1296, "records have no holes");
_Static_assert(offsetof(live_status_t, id) % 8 == 0, "records are words");
_Static_assert(sizeof(live_manager_t) % 8 == 0, "records are words");
_Static_assert(sizeof(live_manager_t) <= LIVE_MANAGER_SIZE, "it fits");

/* ---------------------------------------------------------------- layout */

apr_size_t live_size(uint32_t slots, uint32_t statuses)
{
    return live_statuses_at(slots) + LIVE_MANAGER_SIZE
        + (apr_size_t)statuses * sizeof(live_status_t);
}

live_manager_t *live_manager(const live_segment_t *seg)
{
    return (live_manager_t *)(seg->map + live_statuses_at(seg->slots));
}

live_status_t *live_status(const live_segment_t *seg, uint32_t number)
{
    return (live_status_t *)(seg->map + live_statuses_at(seg->slots)
                             + LIVE_MANAGER_SIZE) + number;
}

apr_status_t live_statuses_write(int fd, uint32_t slots,
                                 const apr_array_header_t *ids)
{
    static const char zeros[LIVE_MANAGER_SIZE];
    off_t at = (off_t)live_statuses_at(slots);
    apr_status_t rv = live_write(fd, zeros, sizeof(zeros), at);

    return rv == APR_SUCCESS
           ? live_records_write(fd, at + LIVE_MANAGER_SIZE,
                                sizeof(live_status_t),
                                offsetof(live_status_t, id), ids)
           : rv;
}

uint32_t live_status_find(const live_segment_t *seg, const char *id)
{
    return live_record_find(live_status(seg, 0)->id, sizeof(live_status_t),
                            seg->statuses, id);
}

/* ------------------------------------------------------------------ text */

/* Length of the UTF-8 character at s (RFC 3629 3); 0 if there is none. */
static apr_size_t utf8_length(const unsigned char *s)
{
    apr_size_t i, len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2
        : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

    for (i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    /* Overlong, a surrogate, or behind U+10FFFF. */
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)
        || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) {
        return 0;
    }
    return len;
}

/* 1 for a character of one or two bytes that moves a cursor, or worse. */
static int is_control(const unsigned char *s)
{
    return s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
}

void live_text(char *to, apr_size_t size, const char *from)
{
    const unsigned char *s = (const unsigned char *)(from ? from : "");
    apr_size_t at = 0;

    memset(to, 0, size);
    while (*s) {
        apr_size_t len = utf8_length(s);
        int keep = len > 0 && !is_control(s);
        apr_size_t bytes = keep ? len : 1;

        if (at + bytes >= size) {
            return;
        }
        if (keep) {
            memcpy(to + at, s, len);
        }
        else {
            to[at] = *s == '\n' || *s == '\t' ? ' ' : '?';
        }
        at += bytes;
        s += len > 0 ? len : 1;
    }
}

/* --------------------------------------------------------------- reading */

static void words_load(uint64_t *to, const uint64_t *from, apr_size_t n)
{
    apr_size_t i;

    for (i = WORDS_AT; i < n; i++) {
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    }
}

/* A whole record of n words whose first four bytes are its counter. */
static apr_status_t record_load(void *copy, const void *record, apr_size_t n)
{
    const uint32_t *pseq = record;
    int tries;

    for (tries = 0; tries < STATUS_TRIES; tries++) {
        uint32_t seq = __atomic_load_n(pseq, __ATOMIC_ACQUIRE);

        if (!(seq & 1)) {
            words_load(copy, record, n);
            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            if (__atomic_load_n(pseq, __ATOMIC_RELAXED) == seq) {
                return APR_SUCCESS;
            }
        }
        if (tries >= STATUS_SPINS) {
            sched_yield();
        }
    }
    return APR_EAGAIN;
}

/* Nothing in a segment is trusted to be in its limits. */
static void status_bound(live_status_t *status)
{
    if (status->state > LIVE_STATE_ERROR) {
        status->state = LIVE_STATE_UNKNOWN;
    }
    status->serial[sizeof(status->serial) - 1] = '\0';
    status->issuer[sizeof(status->issuer) - 1] = '\0';
    status->ca[sizeof(status->ca) - 1] = '\0';
    status->why[sizeof(status->why) - 1] = '\0';
    status->error_type[sizeof(status->error_type) - 1] = '\0';
    status->error_detail[sizeof(status->error_detail) - 1] = '\0';
    status->id[sizeof(status->id) - 1] = '\0';
}

static void manager_bound(live_manager_t *manager)
{
    int i;

    manager->trouble[sizeof(manager->trouble) - 1] = '\0';
    for (i = 0; i < LIVE_CAS_MAX; i++) {
        manager->cas[i].url[sizeof(manager->cas[i].url) - 1] = '\0';
    }
}

uint32_t live_child_statuses(const live_t *live)
{
    return live->main.seg.statuses;
}

uint32_t live_child_status_find(const live_t *live, const char *id)
{
    return live_status_find(&live->main.seg, id);
}

apr_status_t live_child_status(live_status_t *pstatus, const live_t *live,
                               uint32_t number)
{
    const live_status_t *status = live_status(&live->main.seg, number);
    apr_status_t rv = record_load(pstatus, status, STATUS_WORDS);

    if (rv != APR_SUCCESS) {
        memset(pstatus, 0, sizeof(*pstatus));
    }
    memcpy(pstatus->id, status->id, sizeof(pstatus->id));
    status_bound(pstatus);
    return rv;
}

apr_status_t live_child_manager(live_manager_t *pmanager, const live_t *live)
{
    apr_status_t rv = record_load(pmanager, live_manager(&live->main.seg),
                                  MANAGER_WORDS);

    if (rv != APR_SUCCESS) {
        memset(pmanager, 0, sizeof(*pmanager));
    }
    manager_bound(pmanager);
    return rv;
}

apr_time_t live_child_started(const live_t *live)
{
    return __atomic_load_n(&live_header(&live->main.seg)->started,
                           __ATOMIC_RELAXED);
}

/* --------------------------------------------------------------- writing */

/* A dead writer's odd counter becomes even here, too. */
static void record_store(void *record, const void *value, apr_size_t n)
{
    const uint64_t *from = value;
    uint64_t *to = record;
    uint32_t *pseq = record;
    uint32_t seq = __atomic_load_n(pseq, __ATOMIC_RELAXED) | 1;
    apr_size_t i;

    __atomic_store_n(pseq, seq, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    for (i = WORDS_AT; i < n; i++) {
        __atomic_store_n(&to[i], from[i], __ATOMIC_RELAXED);
    }
    __atomic_store_n(pseq, seq + 1, __ATOMIC_RELEASE);
}

/* With the lock held: what a dead writer left half written is nothing. */
static void record_look(void *copy, const void *record, apr_size_t n)
{
    const uint32_t *pseq = record;

    memset(copy, 0, n * 8);
    if (!(__atomic_load_n(pseq, __ATOMIC_RELAXED) & 1)) {
        words_load(copy, record, n);
    }
}

/* Store a record that is not what it was. */
static void record_change(void *record, const void *value, apr_size_t n)
{
    const uint32_t *pseq = record;

    if ((__atomic_load_n(pseq, __ATOMIC_RELAXED) & 1)
        || memcmp((const uint64_t *)record + WORDS_AT,
                  (const uint64_t *)value + WORDS_AT, (n - WORDS_AT) * 8)) {
        record_store(record, value, n);
    }
}

static void status_edit(const live_segment_t *seg, const char *id, int i,
                        live_status_fn *edit, void *baton)
{
    uint32_t number = live_status_find(seg, id);
    live_status_t value;

    if (number == LIVE_NO_SLOT) {
        return;
    }
    record_look(&value, live_status(seg, number), STATUS_WORDS);
    memcpy(value.id, live_status(seg, number)->id, sizeof(value.id));
    status_bound(&value);
    edit(baton, i, &value);
    record_change(live_status(seg, number), &value, STATUS_WORDS);
}

apr_status_t live_writer_status_edit(live_writer_t *writer,
                                     const apr_array_header_t *ids,
                                     live_status_fn *edit, void *baton)
{
    const char *fault;
    apr_status_t rv = live_writer_begin(&writer->main, &fault);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    for (i = 0; i < ids->nelts; i++) {
        status_edit(&writer->main.seg, APR_ARRAY_IDX(ids, i, const char *), i,
                    edit, baton);
    }
    live_writer_end(&writer->main);
    return APR_SUCCESS;
}

apr_status_t live_writer_manager_edit(live_writer_t *writer,
                                      live_manager_fn *edit, void *baton)
{
    live_manager_t value, *manager;
    const char *fault;
    apr_status_t rv = live_writer_begin(&writer->main, &fault);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    manager = live_manager(&writer->main.seg);
    record_look(&value, manager, MANAGER_WORDS);
    manager_bound(&value);
    edit(baton, &value);
    record_change(manager, &value, MANAGER_WORDS);
    live_writer_end(&writer->main);
    return APR_SUCCESS;
}

void live_statuses_carry(const live_segment_t *seg, const live_segment_t *old)
{
    live_manager_t manager;
    live_status_t status;
    uint32_t from = 0, to = 0;

    record_look(&manager, live_manager(old), MANAGER_WORDS);
    record_store(live_manager(seg), &manager, MANAGER_WORDS);
    /* Both are sorted. */
    while (from < old->statuses && to < seg->statuses) {
        int order = strncmp(live_status(old, from)->id,
                            live_status(seg, to)->id, LIVE_ID_MAX + 1);

        if (order == 0) {
            record_look(&status, live_status(old, from), STATUS_WORDS);
            record_store(live_status(seg, to), &status, STATUS_WORDS);
        }
        from += order <= 0;
        to += order >= 0;
    }
}
