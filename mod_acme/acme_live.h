/*
 * The live segment: what acmectl tells the running httpd, without a reload.
 *
 * Two files in httpd's runtime directory, 0600 and owned by root, sparse.
 * The httpd parent maps them PROT_READ from descriptors opened O_RDONLY
 * (mprotect cannot make that writable), then closes the descriptors;
 * children inherit the mappings and nothing else. acmectl opens the files by
 * path and is the only writer; writers exclude each other by an OFD write
 * lock on the file itself.
 *
 *   PATH              what belongs to one configuration: its certificates.
 *                     Made anew at each (re)start; children of the last
 *                     configuration keep the file they have.
 *   PATH.challenges   what is pending: it outlives restarts, so that the
 *                     children of all configurations, some of which answer
 *                     for seconds after a restart, know every challenge.
 *                     Its size is the same for all configurations: only a
 *                     damaged file or one of another format is replaced.
 *
 * This header and live.c are the contract between mod_acme and acmectl and
 * are linked by both. Nothing else touches the raw memory.
 *
 * Layout, format LIVE_FORMAT, all numbers in host byte order; each part
 * begins at a multiple of 4096:
 *
 *   PATH
 *      0  live_header_t   magic "ACMELIVE", format, sizes, generation
 *   4096  live_slot_t[slots]        certificates that httpd can serve: who
 *                                   they are, sorted by id, and which state
 *         live_pair_t[slots]        their keys and chains, in that order
 *         live_manager_t            what the manager does; one page
 *         live_status_t[statuses]   what pages show of each certificate,
 *                                   sorted by id; more than those served
 *
 *   PATH.challenges
 *      0  live_header_t   magic "ACMECHAL", format, sizes
 *   4096  uint32_t[LIVE_TOKENS / 32]  one bit a place: 1 if it may be in use
 *         uint32_t[LIVE_NAMES / 32]   the same
 *         live_token_t[LIVE_TOKENS]   pending http-01 tokens, hashed
 *         live_name_t[LIVE_NAMES]     names with a pending tls-alpn-01
 *                                     challenge, hashed
 *
 * Header, bits, slots and what pages show are there from the start. Those of
 * tokens, names and pairs come into being when a writer first uses them, so
 * that a large table costs nothing; a reader looks at bits and slots first
 * and never touches a page that is a hole (on a full tmpfs that alone would
 * kill it with SIGBUS). A file never shrinks in place: that would do the
 * same, and only root can do it.
 *
 * What pages show is no secret. It is written by acmectl, and by the parent
 * what it knows itself; a restart takes it along for the ids that stay.
 *
 * A slot is empty at each (re)start: what httpd has loaded from the store is
 * current. The parent makes the segment before it reads the store, acmectl
 * writes the store before the segment, so that either httpd loads what is
 * new or the new segment tells it.
 *
 * An OCSP response stands in the slot of its certificate and names the
 * store's number of it, so that it is stapled to no other: neither to the
 * one before a swap nor to the one behind.
 *
 * A token, a name, a slot or a status is changed under a sequence counter:
 * odd while a writer is in it. A reader copies the entry between two reads of
 * the same even value; a writer killed inside leaves it odd for ever, so
 * readers give up after a bounded number of tries (a token or name reads as
 * absent, of a certificate the last one stays, a status reads as not known)
 * and the next writer repairs it. A slot's counter guards its pair, too.
 * Tokens and names belong to one of the LIVE_WINDOW places that follow their
 * hash; there are no tombstones: readers look at the whole window. One whose
 * expiry has passed is absent: a dead acmectl leaves nothing served for ever.
 *
 * Source: ours; RFC 8555 8.1 (key authorization), 8.3 (token alphabet); RFC
 * 8737 3 (challenge certificates).
 */
#ifndef ACME_LIVE_H
#define ACME_LIVE_H

#include <stdint.h>

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#define LIVE_MAGIC      "ACMELIVE"
#define LIVE_MAGIC_CHALLENGES "ACMECHAL"
#define LIVE_CHALLENGES ".challenges"  /**< behind PATH */
#define LIVE_FORMAT     4
#define LIVE_TOKENS     32768 /**< places, a power of two; 20 MB of holes */
#define LIVE_NAMES      8192  /**< 64 MB of holes */
#define LIVE_WINDOW     32    /**< places that one may stand in */
#define LIVE_TOKEN_MIN  22    /**< 128 bit in base64url, RFC 8555 8.3 */
#define LIVE_TOKEN_MAX  255
#define LIVE_KEYAUTH_MAX 351  /**< token "." 43 characters, with room */
#define LIVE_NAME_MAX   253
#define LIVE_PEMS_MAX   7919  /**< of a name: two certificates, two keys */
#ifndef LIVE_SLOTS_MAX  /* a test sets it lower */
#define LIVE_SLOTS_MAX  (1 << 17)    /**< 3.2 GB of holes */
#endif
#define LIVE_ID_MAX     271   /**< a name of 253, "~", a key type */
#define LIVE_KEY_MAX    4096  /**< PEM; RSA-4096 has 3272 */
#define LIVE_CHAIN_MAX  16384 /**< PEM, the leaf first */
#define LIVE_STAPLE_MAX 4096  /**< DER */
#define LIVE_NO_SLOT    UINT32_MAX
#define LIVE_STATUSES_MAX LIVE_SLOTS_MAX  /**< 170 MB */
#define LIVE_MANAGER_SIZE 4096  /**< bytes that live_manager_t may take */
#define LIVE_CAS_MAX    8     /**< CAs whose answers are timed */
#define LIVE_ORDER_MAX  apr_time_from_sec(20 * 60)  /**< an order that began
                                   before that has died */

typedef struct live_header_t {
    char magic[8];         /**< LIVE_MAGIC or the other, no NUL */
    uint32_t format;       /**< LIVE_FORMAT */
    uint32_t slots;        /**< certificates; 0 in PATH.challenges */
    uint32_t tokens;       /**< LIVE_TOKENS; 0 in PATH */
    uint32_t names;        /**< LIVE_NAMES; 0 in PATH */
    uint32_t statuses;     /**< certificates of which pages show something;
                                0 in PATH.challenges */
    uint32_t reserved;     /**< 0 */
    uint64_t size;         /**< bytes of the whole file */
    uint64_t generation;   /**< raised by the parent at each (re)start;
                                a new file starts at its µs UTC, so that a
                                lost file does not repeat a number; constant
                                in PATH.challenges */
    int64_t started;       /**< of that (re)start, µs UTC */
} live_header_t;

/** What tokens and names have in common; the value follows. */
typedef struct live_entry_t {
    uint32_t seq;          /**< odd: being written */
    uint16_t key_len;      /**< 0: empty */
    uint16_t value_len;
    int64_t expires;       /**< µs UTC */
    char key[256];         /**< the token, or the name in lower case */
} live_entry_t;

typedef struct live_token_t {
    live_entry_t entry;
    char keyauth[LIVE_KEYAUTH_MAX + 1];
} live_token_t;

typedef struct live_name_t {
    live_entry_t entry;
    char pems[LIVE_PEMS_MAX + 1];  /**< certificate and key of each of
                                        live_answer_t's types in order, PEM,
                                        each with its NUL */
} live_name_t;

typedef struct live_slot_t {
    uint32_t seq;          /**< odd: being written, or its pair is */
    uint32_t version;      /**< raised by each certificate; 0: none since
                                httpd's (re)start */
    uint64_t generation;   /**< the store's number of it; with version 0: of
                                the one that httpd has loaded, 0: none */
    int64_t not_after;     /**< µs UTC */
    uint32_t key_len;
    uint32_t chain_len;
    int64_t staple_expires;  /**< µs UTC */
    uint32_t staple_len;     /**< 0: no OCSP response */
    uint32_t staple_generation;  /**< the certificate it is about; perhaps
                                one that httpd has loaded, or that is to
                                come */
    char id[LIVE_ID_MAX + 1];  /**< constant; the rest is NUL */
} live_slot_t;

typedef struct live_pair_t {
    uint64_t pem[(LIVE_KEY_MAX + LIVE_CHAIN_MAX) / 8];  /**< the key, then
                                behind it the chain, then 0 */
    uint64_t staple[LIVE_STAPLE_MAX / 8];
} live_pair_t;

/** How a certificate stands. */
typedef enum live_state_t {
    LIVE_STATE_UNKNOWN,    /**< nobody has said anything yet */
    LIVE_STATE_VALID,
    LIVE_STATE_DUE,        /**< to be renewed */
    LIVE_STATE_EXPIRED,
    LIVE_STATE_MISSING,    /**< there is none yet */
    LIVE_STATE_ERROR       /**< its files are damaged */
} live_state_t;

/** What pages show of a certificate. Texts are UTF-8 without control
 *  characters (live_text); all times are µs UTC, 0: none or not known. */
typedef struct live_status_t {
    uint32_t seq;          /**< odd: being written */
    uint32_t reserved;     /**< 0 */
    uint32_t state;        /**< live_state_t, as it was when written */
    uint32_t failures;     /**< orders that failed since the last success */
    int64_t written;       /**< by acmectl; 0: by httpd's parent at best */
    int64_t not_before;
    int64_t not_after;
    int64_t renew_at;
    int64_t next_try;      /**< a failure holds the next order back */
    int64_t last_success;
    int64_t ordering;      /**< an order is under way since then */
    int64_t seconds;       /**< the last order took so many µs */
    uint64_t issued;       /**< orders that ended well … */
    uint64_t failed;       /**< … or not, since the segment was made */
    char serial[48];       /**< hex; "": none */
    char issuer[128];
    char ca[128];          /**< directory URL */
    char why[128];         /**< why it is due or in error; "": by time */
    char error_type[64];   /**< of the last order; "": it was none */
    char error_detail[432];
    char id[LIVE_ID_MAX + 1];  /**< constant; the rest is NUL */
} live_status_t;

/** How a CA answers. Sums since the segment was made. */
typedef struct live_ca_t {
    char url[128];         /**< directory; "": unused */
    uint64_t requests;
    uint64_t replies;      /**< those that were answered, however */
    int64_t latency;       /**< µs, of all replies together */
    int64_t slowest;       /**< µs, of the last run's replies */
} live_ca_t;

/** What pages show of acmectl as a whole. */
typedef struct live_manager_t {
    uint32_t seq;          /**< odd: being written */
    uint32_t reserved;     /**< 0 */
    uint32_t pid;          /**< of "acmectl serve"; 0: it never ran */
    uint32_t ordering;     /**< orders it has under way */
    int64_t started;       /**< µs UTC */
    int64_t last_pass;
    int64_t next_wake;
    uint64_t issued;       /**< orders that ended well … */
    uint64_t failed;       /**< … or not, of whoever ran them */
    char trouble[432];     /**< why its last pass failed as a whole; "" */
    live_ca_t cas[LIVE_CAS_MAX];
} live_manager_t;

/* ------------------------------------------------------- httpd's parent */

/** The parent's read-only mapping, inherited by children. */
typedef struct live_t live_t;

/**
 * Make a new segment, raise its generation, map it read-only. It replaces
 * the present one by rename and takes along what pages show of the ids that
 * stay; its slots are empty. Challenges stay what they
 * are, expired and torn ones are swept (unless a writer has locked them for
 * 2 seconds and does not go on: then they are replaced by none). A file that
 * is cut short, of another format or no segment at all is replaced, too.
 * When it cannot be made, no segment is left: acmectl must not write into
 * one that httpd does not read.
 * Source: ours.
 *
 * @param plive   set on success; unmapped when pool is cleared
 * @param path    file in httpd's runtime directory
 * @param ids     ids in the store of the certificates that this httpd can
 *                serve, of const char *, each once; borrowed. Those that are
 *                too long, or behind LIVE_SLOTS_MAX others, get no slot
 * @param statuses  ids of the certificates of which pages show something,
 *                in the same way; nullable: none
 * @param perror  set on failure: one sentence in pool
 * @return APR_SUCCESS; APR_EACCES when a file is not a regular file of
 *         this process's effective user with mode 0600 and one name; the
 *         system's error
 */
apr_status_t live_parent_open(live_t **plive, const char *path,
                              const apr_array_header_t *ids,
                              const apr_array_header_t *statuses,
                              const char **perror, apr_pool_t *pool);

/** The slot of a certificate; it holds as long as the mapping.
 *  @return LIVE_NO_SLOT if it has none */
uint32_t live_parent_slot(const live_t *live, const char *id);

/** Remove both files of an httpd that has no domain any more. */
void live_parent_remove(const char *path, apr_pool_t *pool);

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

/** Certificates of one tls-alpn-01 challenge, with their keys: PEM. */
typedef enum live_answer_type_t {
    LIVE_ANSWER_EC,
    LIVE_ANSWER_RSA,
    LIVE_ANSWER_TYPES
} live_answer_type_t;

typedef struct live_answer_t {
    const char *cert[LIVE_ANSWER_TYPES];
    const char *key[LIVE_ANSWER_TYPES];
} live_answer_t;

/**
 * Look up a name with a pending tls-alpn-01 challenge, as
 * live_child_token does.
 * Source: RFC 8737 3.
 *
 * @param panswer  set on success: leads into memory
 * @param memory   the caller's
 * @param name     any bytes a client sent; upper case matches
 * @param now      µs UTC
 * @return 1; 0 if there is no such name
 */
int live_child_name(live_answer_t *panswer, live_name_t *memory,
                    const live_t *live, const char *name, apr_time_t now);

/** 1 if s is a token's text: LIVE_TOKEN_MIN..MAX of base64url's alphabet */
int live_token_valid(const char *s, apr_size_t len);

/** What a slot held at one moment. */
typedef struct live_certificate_t {
    uint32_t version;      /**< never 0 */
    uint64_t generation;
    apr_time_t not_after;
    apr_size_t key_len;    /**< bytes of PEM at pem */
    apr_size_t chain_len;  /**< bytes of PEM behind them */
    uint64_t pem[(LIVE_KEY_MAX + LIVE_CHAIN_MAX) / 8];
} live_certificate_t;

/**
 * Which certificate a slot holds: one atomic load.
 * @param slot  live_parent_slot's, not LIVE_NO_SLOT
 * @return a number that changes with each certificate; 0: none since
 *         httpd's (re)start, what it has loaded is current
 */
uint32_t live_child_version(const live_t *live, uint32_t slot);

/** The store's number of the certificate that a slot holds; 0 if it holds
 *  none. */
uint64_t live_child_generation(const live_t *live, uint32_t slot);

/**
 * Copy the certificate of a slot, whatever writers do meanwhile. Allocates
 * nothing, takes no lock and ends after a bounded number of steps.
 * Source: ours.
 *
 * @param pcert  set on success; holds a private key: wipe it
 * @return APR_SUCCESS; APR_NOTFOUND if there is none; APR_EAGAIN if it
 *         changes without end or its writer died; APR_EINVAL if its lengths
 *         are outside their limits
 */
apr_status_t live_child_certificate(live_certificate_t *pcert,
                                    const live_t *live, uint32_t slot);

/** An OCSP response. */
typedef struct live_staple_t {
    uint64_t generation;   /**< the store's number of the certificate */
    apr_time_t expires;    /**< its nextUpdate, µs UTC */
    apr_size_t len;        /**< bytes at der */
    uint64_t der[LIVE_STAPLE_MAX / 8];
} live_staple_t;

/**
 * Copy the OCSP response of a certificate, whatever writers do meanwhile.
 * Allocates nothing, takes no lock and ends after a bounded number of steps.
 * Source: RFC 6066 8; RFC 6960 4.2.2.1 (never past nextUpdate).
 *
 * @param pstaple     set on success
 * @param generation  the store's number of the certificate that is served
 * @param now         µs UTC
 * @return APR_SUCCESS; APR_NOTFOUND if there is none for this certificate
 *         or it is over; APR_EAGAIN and APR_EINVAL as
 *         live_child_certificate
 */
apr_status_t live_child_staple(live_staple_t *pstaple, const live_t *live,
                               uint32_t slot, uint64_t generation,
                               apr_time_t now);

/** Of how many certificates pages show something. */
uint32_t live_child_statuses(const live_t *live);

/** Where the status of a certificate is; it holds as long as the mapping.
 *  @return LIVE_NO_SLOT if it has none */
uint32_t live_child_status_find(const live_t *live, const char *id);

/**
 * Copy what pages show of a certificate, as live_child_certificate copies.
 * Source: ours.
 *
 * @param pstatus  set; all but the id is 0 on failure
 * @param number   less than live_child_statuses; they are sorted by id
 * @return APR_SUCCESS; APR_EAGAIN if it changes without end or its writer
 *         died
 */
apr_status_t live_child_status(live_status_t *pstatus, const live_t *live,
                               uint32_t number);

/** Copy what pages show of acmectl; as live_child_status. */
apr_status_t live_child_manager(live_manager_t *pmanager, const live_t *live);

/** When httpd was (re)started, µs UTC. */
apr_time_t live_child_started(const live_t *live);

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
 *         another format or a file cut short; APR_EACCES as the parent's;
 *         APR_TIMEUP when another writer holds its lock for 2 seconds
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
 *         when the file is gone; APR_TIMEUP as live_writer_open
 */
apr_status_t live_writer_token_put(live_writer_t *writer, const char *token,
                                   const char *keyauth, apr_time_t expires);

/** Stop serving token; absent is success.
 *  @return as live_writer_token_put, except APR_ENOSPC */
apr_status_t live_writer_token_remove(live_writer_t *writer,
                                      const char *token);

/**
 * Prove control of a name by tls-alpn-01 until expires; replaces an entry
 * of that name.
 * Source: RFC 8737 3.
 *
 * @param name    a domain name
 * @param answer  all of it set; together LIVE_PEMS_MAX bytes with the NULs
 * @return as live_writer_token_put
 */
apr_status_t live_writer_name_put(live_writer_t *writer, const char *name,
                                  const live_answer_t *answer,
                                  apr_time_t expires);

/** Stop; absent is success. @return as live_writer_token_remove */
apr_status_t live_writer_name_remove(live_writer_t *writer,
                                     const char *name);

/**
 * Let httpd serve a certificate from its next handshake on.
 * Source: ours.
 *
 * @param id          its id in the store
 * @param generation  the store's number of it; not 0
 * @param chain       PEM, the leaf first; up to LIVE_CHAIN_MAX bytes
 * @param key         PEM; up to LIVE_KEY_MAX bytes
 * @param not_after   µs UTC
 * @return APR_SUCCESS once children see it; APR_NOTFOUND if the httpd that
 *         runs has no such certificate in its configuration; APR_EINVAL for
 *         an empty or too long chain or key, or a file that is no segment
 *         any more; APR_ENOSPC when the disk is full; APR_ENOENT when the
 *         file is gone; APR_TIMEUP as live_writer_open
 */
apr_status_t live_writer_certificate_put(live_writer_t *writer,
                                         const char *id, uint64_t generation,
                                         const char *chain, const char *key,
                                         apr_time_t not_after);

/**
 * Note which generation of a certificate httpd has loaded; one that was put
 * meanwhile stays. For httpd's parent, after each (re)start.
 * Source: ours.
 *
 * @return APR_SUCCESS; APR_NOTFOUND as live_writer_certificate_put; as
 *         live_writer_open
 */
apr_status_t live_writer_loaded_put(live_writer_t *writer, const char *id,
                                    uint64_t generation);

/**
 * Which generation of a certificate httpd serves: the one that was put, else
 * the one that it has loaded.
 * Source: ours.
 *
 * @param pgeneration  set on success; 0: none, or a writer died in the slot
 * @return as live_writer_loaded_put
 */
apr_status_t live_writer_serves(live_writer_t *writer, uint64_t *pgeneration,
                                const char *id);

/**
 * Let httpd staple an OCSP response to a certificate, from its next
 * handshake on. One about a certificate that is not served yet is kept when
 * live_writer_certificate_put brings that; any other goes with the next
 * certificate.
 * Source: ours.
 *
 * @param id      the certificate's id in the store
 * @param staple  its generation is not 0; len is 1 to LIVE_STAPLE_MAX
 * @return as live_writer_certificate_put; APR_EAGAIN when a writer died in
 *         the slot: put the certificate once more, then this
 */
apr_status_t live_writer_staple_put(live_writer_t *writer, const char *id,
                                    const live_staple_t *staple);

/**
 * Put text into a field of fixed size, cut between two characters. What is
 * no UTF-8 and what is a control character becomes "?", or a blank.
 * Source: RFC 3629 3; ours.
 *
 * @param size  of to, bytes; the rest is filled with NUL, at least one
 * @param from  nullable: ""
 */
void live_text(char *to, apr_size_t size, const char *from);

/** Change what is known of one certificate.
 *  @param i       its place among the ids
 *  @param status  all that is known; an unknown one is 0 but for its id */
typedef void live_status_fn(void *baton, int i, live_status_t *status);

/**
 * Change what pages show of some certificates, under one lock: call edit
 * for each that the httpd that runs knows. What does not change is not
 * written.
 * Source: ours.
 *
 * @param ids  of const char *
 * @return APR_SUCCESS; as live_writer_token_put, except APR_ENOSPC
 */
apr_status_t live_writer_status_edit(live_writer_t *writer,
                                     const apr_array_header_t *ids,
                                     live_status_fn *edit, void *baton);

/** Change what pages show of acmectl as a whole. */
typedef void live_manager_fn(void *baton, live_manager_t *manager);

/** Call edit under the lock. @return as live_writer_status_edit */
apr_status_t live_writer_manager_edit(live_writer_t *writer,
                                      live_manager_fn *edit, void *baton);

/** The parent's generation now, read from the present file; 0 if there is
 *  no segment any more. */
uint64_t live_writer_generation(live_writer_t *writer);

#endif
