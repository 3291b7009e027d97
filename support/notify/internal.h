/* notify: what the files of the room share. */
#ifndef ACME_NOTIFY_INTERNAL_H
#define ACME_NOTIFY_INTERNAL_H

#include "notify/notify.h"

/* -------------------------------------------------------------- event.c */

/** Largest message, bytes: what a socket takes at once. */
#define NOTIFY_MESSAGE_MAX (128 * 1024)

/**
 * An event for the notifier: {"id", "awaited", "what", "certificate",
 * "user", "argv", "env"}; a new reference.
 *
 * @param id  greater than 0
 */
json_t *notify_message(const notify_event_t *event,
                       const notify_options_t *options, unsigned int id,
                       int awaited, apr_pool_t *scratch_pool);

/* ---------------------------------------------------------------- run.c */

/** How a program stands; drawn in run.c. */
typedef enum notify_state_t {
    NOTIFY_RUNNING,
    NOTIFY_ENDED,     /**< status tells how */
    NOTIFY_OVERDUE    /**< it was killed, or at least left alone */
} notify_state_t;

/** Longest line of a program's output that is told, with its NUL. */
#define NOTIFY_LINE_SIZE 300

/** A program that runs. */
typedef struct notify_run_t {
    pid_t pid;                     /**< 0: none runs */
    int fd;                        /**< of its output; -1 after its end */
    int status;                    /**< as waitpid's */
    int stage;
    apr_time_t until;              /**< mono: the end of the stage */
    const char *what;              /**< for the log; borrowed */
    int lines;                     /**< logged */
    apr_size_t len;                /**< of line */
    char line[NOTIFY_LINE_SIZE];   /**< being read */
    char last[NOTIFY_LINE_SIZE];   /**< the last one that is not empty */
} notify_run_t;

/** Run a program. @param what "renewed a.example" @return errno or 0 */
int notify_run_start(notify_run_t *run, const char *what,
                     const char *const *argv, const char *const *env,
                     const char *user, apr_interval_time_t limit);

/** Read its output, see whether it has ended, end it if it is time. */
notify_state_t notify_run_look(notify_run_t *run);

/** End it now. */
void notify_run_stop(notify_run_t *run);

/** The end of a program in words: "ended with status 3: its last line". */
const char *notify_run_end_text(const notify_run_t *run,
                                notify_state_t state, char *buf,
                                apr_size_t size);

/* ----------------------------------------------------------- notifier.c */

/** What the notifier answers when an event has been told or dropped. */
typedef struct notify_reply_t {
    unsigned int id;
    int timed_out;
} notify_reply_t;

/** Be the notifier on fd, for the process keeper. */
void notify_main(int fd, pid_t keeper, const notify_options_t *options,
                 apr_pool_t *pool) __attribute__((noreturn));

#endif
