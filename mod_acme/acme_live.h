/*
 * The live segment: what acmectl tells the running httpd, without a reload.
 *
 * A file in httpd's runtime directory, 0600 and owned by root, sparse. The
 * httpd parent makes or keeps it in post_config and maps it PROT_READ from
 * a descriptor opened O_RDONLY (mprotect cannot make that writable), then
 * closes the descriptor; children inherit the mapping and nothing else.
 * acmectl opens the file by path and is the only writer; writers exclude
 * each other by an OFD write lock on the file itself.
 *
 * This header and live.c are the contract between mod_acme and acmectl and
 * are linked by both. Nothing else touches the raw memory.
 *
 * Layout, format LIVE_FORMAT, all numbers in host byte order:
 *
 *      0  live_header_t   magic "ACMELIVE", format, sizes, generation
 *   4096  uint32_t[capacity / 32]   one bit a place: 1 if it may be in use
 *     at  live_token_t[capacity]    pending http-01 tokens, hashed
 *
 * where "at" is the next multiple of 4096. The places' pages come into
 * being when a writer first uses them, so a large table costs nothing; a
 * reader looks at the bits first and never touches a page that is a hole
 * (on a full tmpfs that alone would kill it with SIGBUS). The file never
 * shrinks in place: that would do the same, and only root can do it.
 *
 * An entry is changed under a sequence counter: odd while a writer is in
 * it. A reader copies the entry between two reads of the same even value;
 * a writer killed inside leaves it odd for ever, so readers give up after
 * a bounded number of tries (the entry reads as absent) and the next
 * writer repairs it. An entry belongs to one of the LIVE_WINDOW places
 * that follow its token's hash; there are no tombstones: readers look at
 * the whole window. An entry whose expiry has passed is absent: a dead
 * acmectl leaves nothing served for ever.
 *
 * Source: ours; RFC 8555 8.1 (key authorization), 8.3 (token alphabet).
 */
#ifndef ACME_LIVE_H
#define ACME_LIVE_H

#include <stdint.h>

#include <apr_pools.h>
#include <apr_time.h>

#define LIVE_MAGIC      "ACMELIVE"
#define LIVE_FORMAT     1
#define LIVE_BITS_AT    4096  /**< offset of the bits, bytes */
#define LIVE_WINDOW     32    /**< places a token may stand in */
#define LIVE_CAPACITY_MIN 1024  /**< 0.6 MB of holes; new names fit in
                                   before httpd takes them up */
#define LIVE_CAPACITY_MAX (1 << 22)  /**< 2.6 GB of holes */
#define LIVE_TOKEN_MIN  22    /**< 128 bit in base64url, RFC 8555 8.3 */
#define LIVE_TOKEN_MAX  255
#define LIVE_KEYAUTH_MAX 351  /**< token "." 43 characters, with room */

typedef struct live_header_t {
    char magic[8];         /**< LIVE_MAGIC, no NUL */
    uint32_t format;       /**< LIVE_FORMAT */
    uint32_t capacity;     /**< entries in the token table, power of two */
    uint64_t size;         /**< bytes of the whole file */
    uint64_t generation;   /**< raised by the parent at each (re)start;
                                a new file starts at its µs UTC, so that a
                                lost file does not repeat a number */
    int64_t started;       /**< of that (re)start, µs UTC */
} live_header_t;

typedef struct live_token_t {
    uint32_t seq;          /**< odd: being written */
    uint16_t token_len;    /**< 0: empty */
    uint16_t keyauth_len;
    int64_t expires;       /**< µs UTC */
    char token[LIVE_TOKEN_MAX + 1];
    char keyauth[LIVE_KEYAUTH_MAX + 1];
} live_token_t;

/* ------------------------------------------------------- httpd's parent */

/** The parent's read-only mapping, inherited by children. */
typedef struct live_t live_t;

/**
 * Make the segment, or keep the present one when its format is ours and it
 * is large enough; raise its generation; map it read-only. A larger
 * segment replaces a smaller one by rename and takes its unexpired tokens
 * along, so that a restart in the middle of an order loses nothing. A file
 * that is cut short, of another format or no segment at all is replaced.
 * Source: ours.
 *
 * @param plive   set on success; unmapped when pool is cleared
 * @param path    file in httpd's runtime directory
 * @param tokens  names that may be validated at the same time; more than
 *                the table can ever hold get the largest table
 * @param perror  set on failure: one sentence in pool
 * @return APR_SUCCESS; APR_EACCES when the file is not a regular file of
 *         this process's effective user with mode 0600 and one name;
 *         APR_TIMEUP when a writer holds its lock for 2 seconds; the
 *         system's error
 */
apr_status_t live_parent_open(live_t **plive, const char *path,
                              apr_size_t tokens, const char **perror,
                              apr_pool_t *pool);

/* ------------------------------------------------------ httpd's children */

/**
 * Look up an outstanding token, whatever writers do meanwhile. Allocates
 * nothing, takes no lock and ends after a bounded number of steps.
 * Source: RFC 8555 8.3.
 *
 * @param token    not NUL-terminated; any bytes a client sent
 * @param keyauth  at least LIVE_KEYAUTH_MAX + 1 bytes; NUL-terminated on
 *                 success
 * @param now      µs UTC
 * @return length of keyauth; 0 if there is no such token
 */
apr_size_t live_child_token(const live_t *live, const char *token,
                            apr_size_t len, char *keyauth, apr_time_t now);

/** 1 if s is a token's text: LIVE_TOKEN_MIN..MAX of base64url's alphabet */
int live_token_valid(const char *s, apr_size_t len);

/* --------------------------------------------------------------- acmectl */

/** A writer's mapping. It follows the file when a restart replaces it. */
typedef struct live_writer_t live_writer_t;

/**
 * Open the segment for writing.
 * Source: ours.
 *
 * @param pwriter  set on success; closed when pool is cleared
 * @param perror   set on failure: one sentence in pool
 * @return APR_SUCCESS; APR_ENOENT if httpd has made none; APR_EINVAL for
 *         another format or a file cut short; APR_EACCES as the parent's
 */
apr_status_t live_writer_open(live_writer_t **pwriter, const char *path,
                              const char **perror, apr_pool_t *pool);

/**
 * Serve keyauth for token until expires; replaces an entry of that token.
 * Source: RFC 8555 8.1.
 *
 * @param keyauth  token, "." and base64url: nothing else is ever served
 * @param expires  µs UTC
 * @return APR_SUCCESS once children see it; APR_EINVAL for a token or
 *         keyauth outside its limits, or a file that is no segment any
 *         more; APR_ENOSPC when the window or the disk is full; APR_ENOENT
 *         when the file is gone; APR_TIMEUP as the parent's
 */
apr_status_t live_writer_token_put(live_writer_t *writer, const char *token,
                                   const char *keyauth, apr_time_t expires);

/** Stop serving token; absent is success.
 *  @return as live_writer_token_put, except APR_ENOSPC */
apr_status_t live_writer_token_remove(live_writer_t *writer,
                                      const char *token);

/** The parent's generation now, read from the present file; 0 if there is
 *  no segment any more. */
uint64_t live_writer_generation(live_writer_t *writer);

#endif
