/*
 * notify: tell a program of the administrator's what happens to
 * certificates (ACMENotify).
 *
 *   keeper (root)               notifier (root)               program (nobody)
 *
 *   notify_send ──an event──>   queue, one at a time
 *                               fork, exec ─────────────────> argv, clean
 *                                                             environment
 *                               <───────────── its output ───
 *                               log: a few lines, escaped
 *   notify_waits <──it ended──  or killed after NOTIFY_LIMIT
 *   (challenge-setup)
 *
 * The notifier is forked before a run reads any key. It holds its end of a
 * socket and the log, nothing else: neither the store's lock nor the live
 * segment. When the keeper is gone, however, the socket ends: the notifier
 * kills what it runs and ends, too.
 *
 * Nothing that the program does changes a certificate's fate or an exit
 * status. It can be slow, and it can be waited for; both have their bounds:
 *
 *   - it has NOTIFY_LIMIT, then its process group gets SIGTERM, a second
 *     later SIGKILL; what it leaves in its group when it ends is killed
 *   - only challenge-setup is waited for, NOTIFY_WAIT at most, by its own
 *     order alone; when the program has been too slow once, nothing more is
 *     waited for in that run
 *   - after NOTIFY_STRIKES time-outs in a row, what waits in the queue is
 *     dropped
 *
 * Of what comes from a CA only texts reach the program: cut, escaped, as one
 * argument and one variable. Identifiers are those that are configured.
 */
#ifndef ACME_NOTIFY_H
#define ACME_NOTIFY_H

#include "base/base.h"

/** What a program may take: more than a firewall's slowest interface needs,
 *  less than an administrator waits for without wondering. */
#define NOTIFY_LIMIT apr_time_from_sec(10)

/** What an order waits for its challenge-setup, the queue included: a fifth
 *  of what it has. */
#define NOTIFY_WAIT apr_time_from_sec(120)

/** Time-outs in a row after which the queue is dropped. */
#define NOTIFY_STRIKES 3

/** Bytes of an error's text that reach the program. */
#define NOTIFY_ERROR_MAX 1000

/** The events; README ("ACMENotify") says when they come. */
typedef enum notify_kind_t {
    NOTIFY_RENEWING, NOTIFY_RENEWED, NOTIFY_INSTALLED, NOTIFY_EXPIRING,
    NOTIFY_ERRORED, NOTIFY_CHALLENGE_SETUP, NOTIFY_CHALLENGE_TEARDOWN
} notify_kind_t;

/** An event. Borrowed. */
typedef struct notify_event_t {
    notify_kind_t kind;
    const char *name;                 /**< of the domain */
    const apr_array_header_t *names;  /**< of const char * */
    const char *key_type;
    const char *ca;                   /**< directory URL */
    const char *challenge;            /**< nullable: its type */
    const char *identifier;           /**< nullable: a configured name */
    const char *error_type;           /**< nullable; may be the CA's */
    const char *error;                /**< nullable; may hold the CA's words */
    const char *certificate;          /**< nullable: path of its chain */
    apr_time_t not_after;             /**< 0: there is no certificate */
} notify_event_t;

/** How to tell. Borrowed from notify_begin until the next one. */
typedef struct notify_options_t {
    const apr_array_header_t *program;  /**< of const char *: an absolute
                                             path and its first arguments */
    const char *user;                   /**< who runs it */
    const char *log_target;             /**< of base_log_open */
    base_log_level_t log_level;
    int follow;                         /**< 1: this process's standard error
                                             may change */
    apr_interval_time_t limit;          /**< 0: NOTIFY_LIMIT */
} notify_options_t;

/** What tells events; one a process. */
typedef struct notify_t notify_t;

/** It runs nothing yet; the notifier is killed when pool is cleared. */
notify_t *notify_make(apr_pool_t *result_pool);

/**
 * A run begins: start the notifier unless it is there. To be called while
 * this process holds no key.
 * Source: ours.
 *
 * @return the system's error; then events are not told
 */
apr_status_t notify_begin(notify_t *notify, const notify_options_t *options,
                          acme_err_t *err);

/**
 * Tell an event; what goes wrong is logged.
 *
 * @param awaited  1: somebody will ask notify_waits
 * @return a ticket for notify_waits, greater than 0; 0 if there is nothing
 *         to wait for
 */
unsigned int notify_send(notify_t *notify, const notify_event_t *event,
                         int awaited);

/** 1 as long as the event of ticket is to be waited for; returns at once.
 *  @param ticket  0: never */
int notify_waits(notify_t *notify, unsigned int ticket);

/** Let the notifier come to the end of its queue, and end. */
void notify_end(notify_t *notify);

/** End the notifier now, and what it runs; dropping its queue. */
void notify_stop(notify_t *notify);

#endif
