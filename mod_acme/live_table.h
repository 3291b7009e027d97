/*
 * The inside of the live segment: the only code that touches its memory is
 * live_table.c (places of tokens and names), live_slot.c (certificates) and
 * live_status.c (what pages show). For them, live.c, live_token.c,
 * live_alpn.c and the unit tests; nobody else includes this.
 *
 * Functions that write expect the caller to hold the file's lock; with it
 * held an odd counter can only be a dead writer's.
 */
#ifndef ACME_LIVE_TABLE_H
#define ACME_LIVE_TABLE_H

#include <sys/types.h>

#include "acme_live.h"

#define LIVE_NO_PLACE UINT32_MAX

/** Offsets in PATH.challenges, bytes (acme_live.h). */
#define LIVE_BITS_AT       4096
#define LIVE_NAME_BITS_AT  (LIVE_BITS_AT + LIVE_TOKENS / 8)
#define LIVE_TOKENS_AT     (LIVE_NAME_BITS_AT + 4096)
#define LIVE_NAMES_AT      (LIVE_TOKENS_AT \
                            + LIVE_TOKENS * sizeof(live_token_t))
#define LIVE_CHALLENGES_SIZE (LIVE_NAMES_AT \
                              + LIVE_NAMES * sizeof(live_name_t))
/** Offset in PATH, bytes. */
#define LIVE_SLOTS_AT      4096

/** A mapped file. */
typedef struct live_segment_t {
    int fd;                /**< -1: closed */
    unsigned char *map;    /**< NULL: not mapped */
    apr_size_t size;       /**< bytes, of file and mapping */
    uint32_t slots;
    uint32_t statuses;
    dev_t dev;             /**< which file it is */
    ino_t ino;
} live_segment_t;

/** A file as a writer has it. */
typedef struct live_file_t {
    live_segment_t seg;
    const char *path;
    const char *magic;     /**< which of the two files it is */
} live_file_t;

struct live_t {
    live_file_t main;        /**< fd is closed; the map is PROT_READ */
    live_file_t challenges;  /**< the same */
    pid_t parent;            /**< who unmaps them */
};

struct live_writer_t {
    live_file_t main;
    live_file_t challenges;
};

/* ---------------------------------------------------------------- live.c */

/**
 * Lock the file that its path leads to now.
 * @param pfault  set where a sentence needs it, else NULL
 * @return as live_writer_open
 */
apr_status_t live_writer_begin(live_file_t *file, const char **pfault);

/** Unlock it. */
void live_writer_end(live_file_t *file);

/* ---------------------------------------------------------- live_table.c */

/** A table of PATH.challenges. */
typedef struct live_kind_t {
    uint32_t places;         /**< a power of two */
    apr_size_t bits_at;      /**< offset, bytes */
    apr_size_t at;           /**< of the first entry */
    apr_size_t size;         /**< of an entry */
} live_kind_t;

extern const live_kind_t live_tokens;
extern const live_kind_t live_names;

/**
 * Make sure that storing cannot fail: on a full disk a store into a hole is
 * SIGBUS, while this is an error to report.
 * @param at   where in seg's mapping
 * @return APR_ENOSPC when the file's disk is full
 */
apr_status_t live_allocate(const live_segment_t *seg, const void *at,
                           apr_size_t len);

/** The header in seg's mapping. */
live_header_t *live_header(const live_segment_t *seg);

/** An entry in seg's mapping. @param place  less than kind's places */
live_entry_t *live_entry(const live_segment_t *seg, const live_kind_t *kind,
                         uint32_t place);

/** The value behind an entry. */
char *live_value(live_entry_t *entry);

/** A token's or name's hash. */
uint32_t live_hash(const char *key, apr_size_t len);

/** The place so many steps behind a hash. */
uint32_t live_place(const live_kind_t *kind, uint32_t hash, uint32_t step);

/**
 * Find an entry without the lock.
 * @param copy  the size of kind's entries; set on success: a whole entry
 *              within its limits, with a NUL behind its value
 * @return 1 if it is there, expired or not
 */
int live_entry_find(live_entry_t *copy, const live_segment_t *seg,
                    const live_kind_t *kind, const char *key,
                    apr_size_t len);

/**
 * Put value where its key stands already, else into a free place of its
 * window; lock held. Empties what is torn, out of its limits or expired on
 * the way.
 * @param value  as kind's entries
 * @return APR_ENOSPC when the window or the file's disk is full, and
 *         nothing is changed
 */
apr_status_t live_entry_put(const live_segment_t *seg,
                            const live_kind_t *kind,
                            const live_entry_t *value);

/** Empty the place of key, if it has one; lock held. */
void live_entry_remove(const live_segment_t *seg, const live_kind_t *kind,
                       const char *key, apr_size_t len);

/** Empty each place of kind that is torn, out of its limits or expired;
 *  lock held. */
void live_table_sweep(const live_segment_t *seg, const live_kind_t *kind,
                      apr_time_t now);

/* ----------------------------------------------------------- live_slot.c */

/** Offset of the first pair: behind the slots. */
apr_size_t live_pairs_at(uint32_t slots);

/** Offset of what pages show: behind the pairs. */
apr_size_t live_statuses_at(uint32_t slots);

/** A slot in seg's mapping. @param slot  less than seg's slots */
live_slot_t *live_slot(const live_segment_t *seg, uint32_t slot);

/** Its pair. */
live_pair_t *live_pair(const live_segment_t *seg, uint32_t slot);

/** The ids that get a slot or a status, sorted, in a new array in pool.
 *  @param ids  nullable: none */
apr_array_header_t *live_ids_sort(const apr_array_header_t *ids,
                                  apr_pool_t *pool);

/** Write the slots of sorted ids into a new file, from its first slot on.
 *  @param fd  open for writing; at its offset */
apr_status_t live_slots_write(int fd, const apr_array_header_t *ids);

/** Write a record of size bytes for each of the sorted ids into a new file:
 *  zeros, but for the id at id_at. */
apr_status_t live_records_write(int fd, off_t at, apr_size_t size,
                                apr_size_t id_at,
                                const apr_array_header_t *ids);

/**
 * Find id among the sorted ids of n records of size bytes each.
 * @param first  the id in the first record
 * @return its number, or LIVE_NO_SLOT
 */
uint32_t live_record_find(const char *first, apr_size_t size, uint32_t n,
                          const char *id);

/** Write all of data at an offset of a file. */
apr_status_t live_write(int fd, const void *data, apr_size_t len, off_t at);

/** The slot of id, or LIVE_NO_SLOT. */
uint32_t live_slot_find(const live_segment_t *seg, const char *id);

/* --------------------------------------------------------- live_status.c */

/** The manager's record in seg's mapping. */
live_manager_t *live_manager(const live_segment_t *seg);

/** A status in seg's mapping. @param number  less than seg's statuses */
live_status_t *live_status(const live_segment_t *seg, uint32_t number);

/** Size of a whole file PATH with so many slots and statuses, bytes. */
apr_size_t live_size(uint32_t slots, uint32_t statuses);

/** Write the manager and the statuses of sorted ids, empty, into a new file
 *  with so many slots. */
apr_status_t live_statuses_write(int fd, uint32_t slots,
                                 const apr_array_header_t *ids);

/** The status of id, or LIVE_NO_SLOT. */
uint32_t live_status_find(const live_segment_t *seg, const char *id);

/** Copy into seg, which is new, what old shows of the ids that stay, and of
 *  the manager; both locks are held, or nobody knows seg. */
void live_statuses_carry(const live_segment_t *seg,
                         const live_segment_t *old);

#endif
