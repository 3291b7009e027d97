/*
 * The inside of the live segment: the only code that touches its memory is
 * live_table.c (tokens) and live_slot.c (certificates). For them, live.c and
 * the unit tests; nobody else includes this.
 *
 * Functions that write expect the caller to hold the file's lock; with it
 * held an odd counter can only be a dead writer's.
 */
#ifndef ACME_LIVE_TABLE_H
#define ACME_LIVE_TABLE_H

#include <sys/types.h>

#include "acme_live.h"

#define LIVE_NO_PLACE UINT32_MAX

/** A mapped file. */
typedef struct live_segment_t {
    int fd;                /**< -1: closed */
    unsigned char *map;    /**< NULL: not mapped */
    apr_size_t size;       /**< bytes, of file and mapping */
    uint32_t capacity;
    uint32_t slots;
    dev_t dev;             /**< which file it is */
    ino_t ino;
} live_segment_t;

struct live_t {
    live_segment_t seg;    /**< its fd is closed; the map is PROT_READ */
    pid_t parent;          /**< who unmaps it */
};

struct live_writer_t {
    live_segment_t seg;
    const char *path;
};

/* ---------------------------------------------------------------- live.c */

/**
 * Lock the file that path leads to now.
 * @param pfault  set where a sentence needs it, else NULL
 * @return as live_writer_open
 */
apr_status_t live_writer_begin(live_writer_t *writer, const char **pfault);

/** Unlock it. */
void live_writer_end(live_writer_t *writer);

/* ---------------------------------------------------------- live_table.c */

/** Offset of the first entry, bytes. Source: ours (acme_live.h). */
apr_size_t live_tokens_at(uint32_t capacity);

/** Offset of the first slot: behind the tokens. */
apr_size_t live_slots_at(uint32_t capacity);

/** Offset of the first pair: behind the slots. */
apr_size_t live_pairs_at(uint32_t capacity, uint32_t slots);

/** Size of a whole file with so many places and slots, bytes. */
apr_size_t live_size(uint32_t capacity, uint32_t slots);

/**
 * Make sure that storing cannot fail: on a full disk a store into a hole is
 * SIGBUS, while this is an error to report.
 * @param at   where in seg's mapping
 * @return APR_ENOSPC when the file's disk is full
 */
apr_status_t live_allocate(const live_segment_t *seg, const void *at,
                           apr_size_t len);

/** The capacity that suits so many tokens: a power of two. */
uint32_t live_capacity(apr_size_t tokens);

/** The header in seg's mapping. */
live_header_t *live_header(const live_segment_t *seg);

/** An entry in seg's mapping. @param place  less than capacity */
live_token_t *live_entry(const live_segment_t *seg, uint32_t place);

/** A token's hash. */
uint32_t live_hash(const char *token, apr_size_t len);

/** The place so many steps behind a hash. */
uint32_t live_place(const live_segment_t *seg, uint32_t hash, uint32_t step);

/**
 * Find a token without the lock.
 * @param copy  set on success: a whole entry within its limits
 * @return 1 if it is there, expired or not
 */
int live_token_find(live_token_t *copy, const live_segment_t *seg,
                    const char *token, apr_size_t len);

/**
 * Find a token with the lock held; empties what is torn, out of its limits
 * or expired on the way.
 * @param pfree  set to the window's first free place, or LIVE_NO_PLACE
 * @return the token's place, or LIVE_NO_PLACE
 */
uint32_t live_window_find(uint32_t *pfree, const live_segment_t *seg,
                          const char *token, apr_size_t len);

/**
 * Write an entry; the lock is held.
 * @return APR_ENOSPC when the file's disk is full, and nothing is changed
 */
apr_status_t live_place_fill(const live_segment_t *seg, uint32_t place,
                             const live_token_t *value);

/** Empty a place; the lock is held. */
void live_place_clear(const live_segment_t *seg, uint32_t place);

/**
 * Empty a place if it is torn, out of its limits or expired; lock held.
 * @return 1 if a token is left, and copy has it
 */
int live_place_sweep(live_token_t *copy, const live_segment_t *seg,
                     uint32_t place, apr_time_t now);

/* ----------------------------------------------------------- live_slot.c */

/** A slot in seg's mapping. @param slot  less than seg's slots */
live_slot_t *live_slot(const live_segment_t *seg, uint32_t slot);

/** Its pair. */
live_pair_t *live_pair(const live_segment_t *seg, uint32_t slot);

/** The ids that get a slot, sorted, in a new array in pool.
 *  @param ids  nullable: none */
apr_array_header_t *live_ids_sort(const apr_array_header_t *ids,
                                  apr_pool_t *pool);

/** Write the slots of sorted ids into a new file, from its first slot on.
 *  @param fd  open for writing; at its offset */
apr_status_t live_slots_write(int fd, const apr_array_header_t *ids,
                              uint32_t capacity);

/** Write all of data at an offset of a file. */
apr_status_t live_write(int fd, const void *data, apr_size_t len, off_t at);

/** The slot of id, or LIVE_NO_SLOT. */
uint32_t live_slot_find(const live_segment_t *seg, const char *id);

#endif
