/*
 * journal: changes of configuration files that survive anything.
 *
 * Whatever happens, kill -9, power loss, a full disk, an editor at the same
 * time: afterwards the files are exactly as before or exactly as after, and
 * every permanent change is a checkpoint that can be seen and undone. LAYOUT
 * beside this file draws what is on disk.
 *
 *                       nothing written
 *     journal_begin  +------+
 *    --------------> | OPEN | journal_stage, journal_note, journal_preview
 *                    +------+
 *                       | journal_save: before-images, record, fsync
 *                       v
 *                    +-------+  from here on recovery can undo
 *            +-----> | ARMED | new contents beside their targets
 *            |       +-------+
 *  the next  |          | exchange each, fsync the directories
 *  save      |          v
 *            |       +-------+ journal_commit   +------------+
 *            +------ | SAVED | ---------------> | CHECKPOINT |
 *                    +-------+ rename to cp/N   +------------+
 *                       |                          | journal_rollback:
 *        journal_revert |                          | rename back to active
 *        a failed save  |                          |
 *        a crash        v                          v
 *                    +-----------+  user's edits in the way: stays, exit 5
 *                    | REVERTING | <------------------------------------+
 *                    +-----------+ -------------------------------------+
 *                       | every file as before; rename to trash
 *                       v
 *                     nothing
 *
 * Invariants
 *   1. A live file changes only while a durable record of save K, with the
 *      file's durable before-image, is in active/. (ARMED)
 *   2. active/ exists and the lock is free: its owner died. There is one
 *      active/, so one transaction, of one kind.
 *   3. A target's name holds the whole old or the whole new file at every
 *      moment: it changes by one rename, and what came out is compared.
 *   4. Undoing is one routine that may be stopped and repeated anywhere: it
 *      asks the files, not a log of its own progress.
 *   5. Content that is neither a before nor an after of the record is the
 *      user's: it is never overwritten and never deleted. By order it is set
 *      aside, complete, in conflicts/.
 *   6. A directory leaves active/ or cp/ by one rename, made durable before
 *      anything in it is deleted.
 *   7. An acknowledged commit is durable; a failed call leaves the files as
 *      before, or says with exit 5 that recovery is still to be done.
 *
 * The room knows no httpd: who stages a change says in which order it may
 * go live, and tests the whole configuration by a function of his own.
 */
#ifndef ACME_JOURNAL_H
#define ACME_JOURNAL_H

#include "base/base.h"

/** The number behind "acmectl-journal" in DIR/format. */
#define JOURNAL_FORMAT 1

/** Largest file that is changed, bytes. */
#define JOURNAL_FILE_MAX (16 * 1024 * 1024)
/** Most files in one save, most saves in one transaction. */
#define JOURNAL_FILES_MAX 4096
#define JOURNAL_SAVES_MAX 99

/** A journal. Holds paths, and the lock once it is taken. */
typedef struct journal_t journal_t;

/** A transaction: the one that active/ holds. */
typedef struct journal_txn_t journal_txn_t;

typedef enum journal_kind_t {
    JOURNAL_TEMPORARY,          /**< must vanish; never a checkpoint */
    JOURNAL_PERMANENT           /**< becomes a checkpoint */
} journal_kind_t;

typedef enum journal_op_t {
    JOURNAL_MODIFY,             /**< new content for a file that is there */
    JOURNAL_CREATE,             /**< a new file */
    JOURNAL_SYMLINK,            /**< a new symbolic link */
    JOURNAL_MKDIR               /**< a new directory */
} journal_op_t;

/** The word for op in manifests and results: "modify", ... */
const char *journal_op_name(journal_op_t op);

/**
 * When a change goes live within its save, so that what is live loads at
 * each moment: directories and files that nothing includes yet, then ports,
 * then virtual hosts, then what enables them.
 */
typedef enum journal_step_t {
    JOURNAL_STEP_UNUSED,
    JOURNAL_STEP_PORTS,
    JOURNAL_STEP_HOSTS,
    JOURNAL_STEP_ENABLE
} journal_step_t;

/* ----------------------------------------------------------- open, lock */

/**
 * Open a journal. Reading (status, list, show) needs nothing more.
 * Source: ours (LAYOUT).
 *
 * @param dir     absolute path; its parent must exist
 * @param create  1: make what is missing
 * @return APR_SUCCESS; APR_ENOENT when it is absent and create is 0;
 *         APR_EACCES when its owner or mode let others in; APR_EINVAL for
 *         the format of another version
 */
apr_status_t journal_open(journal_t **pjournal, const char *dir, int create,
                          acme_err_t *err, apr_pool_t *result_pool);

/**
 * Become the one writer until pool is cleared. Call journal_recover next:
 * nothing can begin before it. Children that exec do not inherit the lock.
 * Source: ours.
 *
 * @param holder  this process, one line ("acmectl secure, pid 42")
 * @param wait    how long to try, µs; 0 = once (--wait)
 * @return APR_SUCCESS; APR_EBUSY with exit BASE_EXIT_BUSY and the other
 *         holder's line in err
 */
apr_status_t journal_lock(journal_t *journal, const char *holder,
                          apr_interval_time_t wait, acme_err_t *err,
                          apr_pool_t *pool);

/** What a journal holds now. */
typedef struct journal_status_t {
    int active;             /**< 1: a transaction is there */
    const char *holder;     /**< who holds the lock; NULL: nobody, so that
                                 an active transaction is to be recovered */
    const char *kind;       /**< of the active one: "temporary",
                                 "permanent" or "" */
    int saves;              /**< its records */
    apr_time_t begun;       /**< when it was begun, µs UTC; 0: not known */
    int checkpoints;
} journal_status_t;

/** Tell what is there; needs no lock and changes nothing. */
apr_status_t journal_status(journal_status_t *status,
                            const journal_t *journal, acme_err_t *err,
                            apr_pool_t *result_pool);

/* ---------------------------------------------------------- transaction */

/** One change to be made. All pointers are borrowed until the transaction
 *  ends. */
typedef struct journal_change_t {
    journal_op_t op;
    journal_step_t step;
    const char *path;       /**< absolute, as a user names it; links on the
                                 way are followed, and for JOURNAL_MODIFY
                                 the file's own */
    const char *data;       /**< MODIFY, CREATE: the new content, any bytes;
                                 SYMLINK: the target's text */
    apr_size_t len;         /**< of data, bytes */
    const char *parsed;     /**< MODIFY: nullable; the content this change
                                 was computed from: if the file holds
                                 something else now the save is refused */
    apr_size_t parsed_len;
    const char *like;       /**< CREATE: nullable; a file whose owner, mode
                                 and attributes the new one gets */
    int mode;               /**< CREATE without like, MKDIR: 0644, ... */
    int stage_up;           /**< so many directories up temporaries go: 1
                                 where httpd includes this bare directory
                                 with all its dot-files, 2 where its parent
                                 is one too, ... */
} journal_change_t;

/**
 * Begin a transaction. Nothing is written before the first save.
 * Source: ours (LAYOUT).
 *
 * @param now  for people only, µs UTC
 * @return APR_SUCCESS; APR_EEXIST if one of either kind is under way;
 *         APR_EEXIST with exit BASE_EXIT_JOURNAL if a crashed one is to be
 *         recovered; APR_EINVAL without the lock
 */
apr_status_t journal_begin(journal_txn_t **ptxn, journal_t *journal,
                           journal_kind_t kind, apr_time_t now,
                           acme_err_t *err, apr_pool_t *result_pool);

/**
 * Add a change to the next save and look whether it can be made. Refused,
 * each with its reason: what is no regular file, has hard links, is
 * immutable or a mount point by itself, lies in a directory of somebody
 * else or on a file system that is read-only; a new name that is taken.
 * Source: ours.
 *
 * @return APR_SUCCESS; APR_EINVAL, APR_EACCES, APR_EEXIST, APR_ENOENT or the
 *         system's error; then the change is not added
 */
apr_status_t journal_stage(journal_txn_t *txn,
                           const journal_change_t *change, acme_err_t *err);

/** Add a sentence for people to the next save, 1000 bytes at most. */
apr_status_t journal_note(journal_txn_t *txn, const char *note,
                          acme_err_t *err);

/** The unified diff of what is staged and not saved, for --plan. Bytes as
 *  they are in the files; not always UTF-8. */
apr_status_t journal_staged_diff(const char **pdiff,
                                 const journal_txn_t *txn, acme_err_t *err,
                                 apr_pool_t *result_pool);

/**
 * Tells whether the whole configuration is acceptable. It may run in a
 * child, so only err gets back; its programs run with exec.
 *
 * @return APR_SUCCESS; any status with its reason in err
 */
typedef apr_status_t journal_test_fn(void *baton, acme_err_t *err,
                                     apr_pool_t *scratch_pool);

/**
 * Test the configuration with the staged changes while the live files stay
 * as they are: in a child with a mount namespace of its own, where the
 * staged contents are mounted at their absolute paths.
 * Source: unshare(2), mount(2).
 *
 * @return what test returns; APR_ENOTIMPL if this process may not make a
 *         namespace
 */
apr_status_t journal_preview(journal_txn_t *txn, journal_test_fn *test,
                             void *baton, acme_err_t *err,
                             apr_pool_t *scratch_pool);

/**
 * Make the staged changes live, all or none.
 * Source: ours (LAYOUT, "A save").
 *
 * @param test  nullable; tried by journal_preview before anything is
 *              written or, where that cannot be, on the live files
 * @return APR_SUCCESS: all live and durable, the transaction goes on.
 *         Otherwise the whole transaction, with its earlier saves, is
 *         undone and over; with exit BASE_EXIT_JOURNAL it could not be
 *         undone and waits for recovery
 */
apr_status_t journal_save(journal_txn_t *txn, journal_test_fn *test,
                          void *baton, acme_err_t *err,
                          apr_pool_t *scratch_pool);

/** Record that httpd is now told to load this state, so that undoing it
 *  needs another reload. Call it before the reload. */
apr_status_t journal_reloading(journal_txn_t *txn, acme_err_t *err,
                               apr_pool_t *scratch_pool);

/**
 * Make a permanent transaction a checkpoint and end it.
 * Source: ours (LAYOUT, "Commit").
 *
 * @param pid    set on success: the checkpoint's number; 0 if nothing was
 *               saved, and then there is no checkpoint
 * @param title  for people, one line, 200 bytes at most
 * @return APR_SUCCESS: durable; APR_EINVAL for a temporary one; otherwise
 *         it is undone and over, as with journal_save
 */
apr_status_t journal_commit(unsigned long *pid, journal_txn_t *txn,
                            const char *title, acme_err_t *err,
                            apr_pool_t *scratch_pool);

/* -------------------------------------------------------------- undoing */

/** What to do with files the user edited since. */
typedef enum journal_drift_t {
    JOURNAL_DRIFT_REFUSE,   /**< undo nothing (rollback), or all other files
                                 and stay armed (revert, recover) */
    JOURNAL_DRIFT_MERGE,    /**< keep the edit and undo the rest of the
                                 file, if they do not overlap */
    JOURNAL_DRIFT_FORCE,    /**< set the user's version aside */
    JOURNAL_DRIFT_KEEP      /**< leave the user's version, forget ours */
} journal_drift_t;

/** A file of a checkpoint or of something undone. */
typedef struct journal_file_t {
    const char *path;       /**< as it was named */
    journal_op_t op;
    const char *aside;      /**< NULL, or where the user's version is now */
    const char *diff;       /**< NULL, or what the user changed since, where
                                 that is in the way */
} journal_file_t;

/** What undoing did. */
typedef struct journal_undo_t {
    int count;                      /**< transactions or checkpoints undone,
                                         wholly */
    int reload;                     /**< 1: httpd had loaded some of it, so
                                         it must reload now */
    apr_array_header_t *files;      /**< journal_file_t: put back */
    apr_array_header_t *conflicts;  /**< journal_file_t: edited since, and
                                         left alone */
} journal_undo_t;

/**
 * End a transaction by putting every file back as it was.
 * Source: ours (LAYOUT, "Revert").
 *
 * @param undo  nullable; filled in also on failure
 * @return APR_SUCCESS, also if it is over already; otherwise exit is
 *         BASE_EXIT_JOURNAL and the rest waits for recovery
 */
apr_status_t journal_revert(journal_undo_t *undo, journal_txn_t *txn,
                            acme_err_t *err, apr_pool_t *result_pool,
                            apr_pool_t *scratch_pool);

/**
 * Undo or finish whatever a crashed writer left. Needs the lock, and
 * nothing else: no valid configuration, no httpd, no network.
 * Source: ours (LAYOUT, "Recovery").
 *
 * @param undo   filled in also on failure; count 0: there was nothing
 * @param drift  for files the user edited since; JOURNAL_DRIFT_MERGE is not
 *               tested, for recovery must work without httpd
 * @return APR_SUCCESS; otherwise exit is BASE_EXIT_JOURNAL; APR_EINVAL if
 *         the journal is damaged or foreign
 */
apr_status_t journal_recover(journal_undo_t *undo, journal_t *journal,
                             journal_drift_t drift, acme_err_t *err,
                             apr_pool_t *result_pool,
                             apr_pool_t *scratch_pool);

/** How far back, and how. */
typedef struct journal_rollback_t {
    int count;              /**< the newest so many checkpoints; 0: see to */
    unsigned long to;       /**< undo this checkpoint and all newer ones */
    journal_drift_t drift;  /**< REFUSE, MERGE or FORCE */
    int plan;               /**< 1: change nothing, only fill in undo, and
                                 diff with all that would change */
    journal_test_fn *test;  /**< MERGE: required; accepts the merged whole
                                 configuration, run as by journal_preview.
                                 Otherwise not called: rolling back works
                                 while the configuration is broken */
    void *baton;
    const char *diff;       /**< set when plan is 1 */
} journal_rollback_t;

/**
 * Undo checkpoints, the newest first. All are looked at before the first
 * is touched; a crash in the middle is finished by recovery and leaves a
 * whole number of them undone.
 * Source: ours (LAYOUT, "Rollback").
 *
 * @param undo  filled in also on failure
 * @return APR_SUCCESS; APR_ENOENT if there are not so many or not this one;
 *         APR_EGENERAL with exit BASE_EXIT_JOURNAL if edits are in the way
 *         (undo->conflicts); what test returns
 */
apr_status_t journal_rollback(journal_undo_t *undo, journal_t *journal,
                              journal_rollback_t *how, acme_err_t *err,
                              apr_pool_t *result_pool,
                              apr_pool_t *scratch_pool);

/* ---------------------------------------------------------- checkpoints */

typedef struct journal_checkpoint_t {
    unsigned long id;
    const char *title;
    apr_time_t created;         /**< when it was begun, µs UTC */
    apr_array_header_t *notes;  /**< const char *, in order */
    apr_array_header_t *files;  /**< journal_file_t, in order; a file is
                                     named once, with its first op */
    const char *damaged;        /**< NULL, or why it cannot be read; then
                                     notes and files are empty */
} journal_checkpoint_t;

/**
 * All checkpoints, the oldest first, of journal_checkpoint_t. What a
 * stranger put among them is passed over.
 * @return the system's error
 */
apr_status_t journal_list(apr_array_header_t **pcheckpoints,
                          const journal_t *journal, acme_err_t *err,
                          apr_pool_t *result_pool);

/**
 * One checkpoint with the unified diff of what it changed.
 * Source: ours; POSIX diff -u.
 *
 * @param pdiff  bytes as they were in the files, not always UTF-8
 * @return APR_ENOENT; APR_EINVAL if it is damaged
 */
apr_status_t journal_show(journal_checkpoint_t **pcheckpoint,
                          const char **pdiff, const journal_t *journal,
                          unsigned long id, acme_err_t *err,
                          apr_pool_t *result_pool);

/**
 * Forget old checkpoints, the oldest first. Needs the lock.
 * Source: ours.
 *
 * @param pcount  set: how many were forgotten
 * @param keep    so many of the newest stay in any case
 * @param age     younger ones stay in any case, µs
 */
apr_status_t journal_prune(int *pcount, journal_t *journal, int keep,
                           apr_interval_time_t age, apr_time_t now,
                           acme_err_t *err, apr_pool_t *scratch_pool);

#endif
