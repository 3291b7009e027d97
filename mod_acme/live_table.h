/*
 * The inside of the live segment: the only code that touches its memory is
 * live_table.c. For live.c and the unit tests; nobody else includes this.
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
    dev_t dev;             /**< which file it is */
    ino_t ino;
} live_segment_t;

/** Offset of the first entry, bytes. Source: ours (acme_live.h). */
apr_size_t live_tokens_at(uint32_t capacity);

/** Size of a whole file with so many places, bytes. */
apr_size_t live_size(uint32_t capacity);

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

#endif
