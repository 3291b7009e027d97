/*
 * What the files of the validator share.
 *
 *     run.c       the parent: children, what they answer, the deadline
 *     asker.c     a child: meets each target, asks the rows
 *     rows.c      the table
 *     tls_rows.c, http_rows.c, redirect.c     the checks
 *     site.c      one conversation with an address
 *     exchange.c  one request and the head of its reply
 *     wire.c      bytes, by TLS or without
 *
 * In a child all memory is a target's and goes with it.
 */
#ifndef ACME_VALIDATOR_INTERNAL_H
#define ACME_VALIDATOR_INTERNAL_H

#include "base/base.h"
#include "crypto/crypto.h"
#include "validator/validator.h"

/* ----------------------------------------------------------------- wire */

/** A connection. */
typedef struct wire_t {
    int fd;                    /**< -1: none */
    crypto_tls_t *tls;         /**< NULL: none */
    apr_time_t until;          /**< of the whole conversation, mono, µs */
} wire_t;

/** Connect to an IP address. @return APR_TIMEUP; the system's error */
apr_status_t wire_open(wire_t *wire, const char *ip, int port,
                       apr_time_t until, acme_err_t *err);

/** Begin TLS on it; options->until is set here. @return crypto_tls_open's */
apr_status_t wire_tls(wire_t *wire, crypto_tls_options_t *options,
                      acme_err_t *err, apr_pool_t *pool);

/** Send all of data. */
apr_status_t wire_write(wire_t *wire, const char *data, apr_size_t len,
                        acme_err_t *err);

/** Receive something; as crypto_tls_read. */
apr_status_t wire_read(wire_t *wire, char *buf, apr_size_t *plen,
                       acme_err_t *err);

/** Close it, whatever its state. */
void wire_close(wire_t *wire);

/* ------------------------------------------------------------- exchange */

/** Largest head of a reply, and largest body that is read, bytes. */
#define HEAD_MAX (16 * 1024)
#define BODY_MAX 1024

/** What is kept of a reply. Header values are printable ASCII of 2048 bytes
 *  at most; others read as absent. */
typedef struct reply_t {
    int status;                /**< 200..599; 0: none came */
    const char *location;      /**< nullable: the first one */
    const char *hsts;          /**< nullable: the first one */
    int cookie;                /**< 1: it sets one */
    const char *body;          /**< its first BODY_MAX bytes, if wanted */
    apr_size_t body_len;
} reply_t;

/**
 * Ask GET path of host and read the head of the reply; of its body only what
 * is wanted.
 * Source: RFC 9112 2, 3, 4, 5.
 *
 * @param body   1: read the body, up to BODY_MAX
 * @return APR_EINVAL for what is no HTTP reply or has too large a head;
 *         wire_read's
 */
apr_status_t exchange(reply_t *reply, wire_t *wire, const char *host,
                      const char *path, int body, acme_err_t *err,
                      apr_pool_t *pool);

/* ----------------------------------------------------------------- site */

/** How far the first conversation came. */
typedef enum stage_t {
    STAGE_NONE, STAGE_TCP, STAGE_TLS, STAGE_HTTP
} stage_t;

/** Said where a server lets nobody in whom it does not know: what it would
 *  answer to one cannot be told. */
#define WANTS_CLIENT "it wants a certificate of its clients, and there is " \
    "none to show"

/** An address and what was seen there. */
typedef struct site_t {
    const char *ip;
    int port;
    int secure;
    int aside;                        /**< as validator_address_t's */
    const char *where;                /**< "127.0.0.1:443", "[::1]:443" */
    stage_t stage;
    const char *fault;                /**< why it came no further */
    int slow;                         /**< 1: because time was up */
    int asks;                         /**< 1: it wants a certificate of its
                                           clients */
    const crypto_tls_info_t *tls;     /**< from STAGE_TLS on, if secure */
    const crypto_cert_t *cert;        /**< with it: its certificate */
    crypto_cert_info_t leaf;
    reply_t home;                     /**< at STAGE_HTTP: of GET / */
} site_t;

/** What the checks of one target have to go by. */
typedef struct validator_ask_t {
    const validator_target_t *target;
    const char *host;                 /**< the name asked for */
    site_t *http;
    int http_n;
    site_t *https;
    int https_n;
    const crypto_trust_t *trust;
    const char *token;                /**< nullable: one that is published */
    const char *keyauth;
    const char *token_fault;          /**< nullable: why none could be */
    int token_denied;                 /**< 1: for want of permission */
    apr_interval_time_t timeout;      /**< of a conversation, µs */
    apr_time_t until;                 /**< of all of it, mono, µs */
    apr_interval_time_t *patience;    /**< left of this child for staples */
    apr_pool_t *pool;
} validator_ask_t;

/** Make the sites of a target's addresses (of validator_address_t). */
site_t *sites_make(const apr_array_header_t *addresses, int secure,
                   apr_pool_t *pool);

/** Connect, shake hands, ask for "/", note how far it came. */
void site_meet(validator_ask_t *ask, site_t *site);

/** Ask one more question of a site that was met. */
apr_status_t site_ask(reply_t *reply, const validator_ask_t *ask,
                      const site_t *site, const char *path, int body,
                      acme_err_t *err);

/** Shake hands once more. @param old  1: TLS 1.0 and 1.1 only */
apr_status_t site_greet(const crypto_tls_info_t **pinfo,
                        const validator_ask_t *ask, const site_t *site,
                        int old, acme_err_t *err);

/* --------------------------------------------------------------- checks */

/** The answer to a row. */
typedef struct validator_answer_t {
    int ok;
    int required;
    const char *detail;
} validator_answer_t;

/** What one site answers. @param pdetail  set always. @return 1, 0, -1 */
typedef int site_check_fn(validator_ask_t *ask, site_t *site,
                          const char **pdetail);

/** Ask each of n sites; the first that fails counts, then the first that
 *  cannot tell. */
void ask_each(validator_ask_t *ask, site_t *sites, int n, const char *none,
              site_check_fn *check, validator_answer_t *answer);

/** 1 if a reply redirects. */
int reply_redirects(const reply_t *reply);

/** 1 if a reply to GET path redirects to the same host by https. */
int redirects_to_https(const validator_ask_t *ask, const site_t *site,
                       const char *path, const reply_t *reply);

/**
 * Follow redirects that stay on the host, 5 of them at most.
 * @return 1: they end; 0: they go in circles; -1: so it looks, but they set
 *         cookies
 */
int follow(const validator_ask_t *ask, const site_t *site, const char *path,
           const reply_t *reply, const char **pdetail);

/** max-age of a Strict-Transport-Security header. Source: RFC 6797 6.1.
 *  @return -1 if it is malformed */
apr_int64_t hsts_max_age(const char *value);

void row_tcp(validator_ask_t *ask, validator_answer_t *answer);
void row_tls(validator_ask_t *ask, validator_answer_t *answer);
void row_protocol(validator_ask_t *ask, validator_answer_t *answer);
void row_name(validator_ask_t *ask, validator_answer_t *answer);
void row_expiry(validator_ask_t *ask, validator_answer_t *answer);
void row_chain(validator_ask_t *ask, validator_answer_t *answer);
void row_verify(validator_ask_t *ask, validator_answer_t *answer);
void row_key_type(validator_ask_t *ask, validator_answer_t *answer);
void row_http(validator_ask_t *ask, validator_answer_t *answer);
void row_redirect(validator_ask_t *ask, validator_answer_t *answer);
void row_hsts(validator_ask_t *ask, validator_answer_t *answer);
void row_stapling(validator_ask_t *ask, validator_answer_t *answer);
void row_challenge(validator_ask_t *ask, validator_answer_t *answer);

/* ---------------------------------------------------------------- asker */

/** Longest line between child and parent, bytes, its end included. */
#define LINE_MAX_BYTES 8192

/** What the children of a run share. */
typedef struct plan_t {
    const apr_array_header_t *targets;   /**< of validator_target_t */
    const crypto_trust_t **trust;        /**< per target */
    const char *token;
    const char *keyauth;
    const char *token_fault;
    int token_denied;
    apr_interval_time_t timeout;
    apr_time_t until;                    /**< mono, µs */
    apr_time_t settle;                   /**< mono, µs: until then names are
                                              asked again */
    uid_t uid;
    gid_t gid;
} plan_t;

/** Called with each answer. */
typedef void asker_tell_fn(void *baton, int target, int row,
                           const validator_answer_t *answer);

/** How long one child waits for staples, all in all. */
#define STAPLE_WAIT apr_time_from_sec(5)

/** What a child goes by. */
typedef struct asker_t {
    const plan_t *plan;
    asker_tell_fn *tell;
    void *baton;
    apr_interval_time_t patience;        /**< for staples; STAPLE_WAIT at
                                              first */
} asker_t;

/** Meet one target and ask all rows of it; tell each answer when all are
 *  there. */
void asker_target(asker_t *asker, int target, apr_pool_t *pool);

/**
 * The child: targets first, first + step, ... Each answer is one line of
 * JSON on fd: {"target", "row", "ok", "required", "detail"}. Never returns.
 */
void asker_main(int fd, const plan_t *plan, int first, int step,
                pid_t parent, apr_pool_t *pool)
    __attribute__((noreturn));

#endif
