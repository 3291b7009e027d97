/*
 * internal.h: what the files of journal/ share.
 *
 *     journal.c     open, lock, status; the paths
 *     state.c       what is at a name: "absent", "file:SHA256", ...
 *     record.c      rec.K: write, read, believe nothing
 *     stage.c       look at a change; transaction: begin, note, commit
 *     save.c        the steps of a save
 *     undo.c        the one routine that undoes
 *     drift.c       the user's edits: find them, decide, plan
 *     rollback.c    several checkpoints at once; recovery
 *     checkpoint.c  list, show, prune
 *     diff.c        lines: difference, unified text, three-way merge
 *     preview.c     a mount namespace with the staged contents
 */
#ifndef ACME_JOURNAL_INTERNAL_H
#define ACME_JOURNAL_INTERNAL_H

#include <apr_hash.h>

#include "journal/journal.h"

#define JOURNAL_DIR_MODE 0700
#define JOURNAL_FILE_MODE 0600

/* Largest of our own files: a record may hold whole new contents. */
#define JOURNAL_RECORD_MAX (256 * 1024 * 1024)

/* Hexadecimal digits of a transaction's id. */
#define JOURNAL_ID_LEN 16

struct journal_t {
    const char *dir;
    const char *active;
    const char *cp;
    const char *trash;
    const char *conflicts;
    base_lock_t *lock;          /* NULL until journal_lock */
    journal_txn_t *txn;         /* under way in this process, or NULL */
};

/* DIR/NAME */
const char *journal_path(const char *dir, const char *name,
                         apr_pool_t *pool);

/* Numbers of the checkpoints, sorted, of unsigned long. */
apr_status_t journal_ids(apr_array_header_t **pids, const journal_t *journal,
                         acme_err_t *err, apr_pool_t *pool);

/* CP/NUMBER */
const char *journal_cp_path(const journal_t *journal, unsigned long id,
                            apr_pool_t *pool);

/* APR_EINVAL unless this process holds the lock. */
apr_status_t journal_must_hold(const journal_t *journal, acme_err_t *err);

/* 1 unless there certainly is no active/. */
int journal_is_active(const journal_t *journal);

/* --------------------------------------------------------------- states */

/* What is at a name, as text that can be compared. */
typedef struct journal_seen_t {
    const char *state;          /* "absent", "file:SHA256", "link:TARGET",
                                   "dir", "other" */
    char *data;                 /* of a file */
    apr_size_t len;
    base_attrs_t attrs;         /* of a file */
    apr_uint64_t inode;
} journal_seen_t;

#define JOURNAL_ABSENT "absent"
#define JOURNAL_DIR "dir"

int journal_state_is_file(const char *state);
const char *journal_state_of_file(const char *data, apr_size_t len,
                                  apr_pool_t *pool);

apr_status_t journal_state_read(journal_seen_t *seen, const base_at_t *at,
                                const char *name, acme_err_t *err,
                                apr_pool_t *pool);

/* Open directories, each once. */
typedef struct journal_dirs_t {
    apr_hash_t *open;           /* path -> base_at_t */
    apr_pool_t *pool;
} journal_dirs_t;

void journal_dirs_init(journal_dirs_t *dirs, apr_pool_t *pool);
apr_status_t journal_dirs_get(base_at_t **pat, journal_dirs_t *dirs,
                              const char *path, acme_err_t *err);
/* fsync each that was opened. */
apr_status_t journal_dirs_sync(journal_dirs_t *dirs, acme_err_t *err);

/* The last component of an absolute path. */
const char *journal_name(const char *path);

/* -------------------------------------------------------------- records */

/* One file in one save. */
typedef struct journal_entry_t {
    journal_op_t op;
    journal_step_t step;
    int save;                   /* K */
    int index;                  /* I */
    const char *id;             /* of the transaction */
    const char *path;           /* as named */
    const char *real;           /* without links */
    const char *temp_dir;       /* where its temporaries lie */
    const char *before;         /* states */
    const char *after;
    base_attrs_t old_attrs;     /* MODIFY */
    base_attrs_t new_attrs;     /* all but SYMLINK */
    apr_size_t old_len;
    apr_size_t new_len;
    apr_size_t splice_at;       /* new = old with one splice */
    apr_size_t splice_remove;
    const char *insert;
    apr_size_t insert_len;
    const char *data;           /* staged only: new content or target */
    const char *old;            /* staged only: old content */
} journal_entry_t;

/* Name of a temporary: 0 of the new content; on the way back 1 while it is
 * written or taken out, 2 when it is whole. */
const char *journal_temp_name(const journal_entry_t *entry, int which,
                              apr_pool_t *pool);

/* What the records of one transaction say. */
typedef struct journal_record_t {
    const char *id;
    journal_kind_t kind;
    apr_time_t created;
    int saves;
    apr_array_header_t *entries;    /* journal_entry_t *, as they went live */
    apr_array_header_t *chains;     /* journal_chain_t *, in that order */
} journal_record_t;

/* One file through all saves of a transaction. */
typedef struct journal_chain_t {
    journal_entry_t *first;
    journal_entry_t *last;
    apr_array_header_t *entries;    /* journal_entry_t *, first to last */
} journal_chain_t;

/* Write save K's record into dir and make it durable: ARMED. */
apr_status_t journal_record_write(const char *dir, const char *id,
                                  journal_kind_t kind, apr_time_t created,
                                  int save,
                                  const apr_array_header_t *entries,
                                  acme_err_t *err, apr_pool_t *scratch_pool);

/* Read and check all records in dir; none is success with saves 0.
 * @return APR_EINVAL with exit BASE_EXIT_JOURNAL when damaged or foreign */
apr_status_t journal_record_read(journal_record_t **precord,
                                 const char *dir, acme_err_t *err,
                                 apr_pool_t *result_pool);

/* A JSON file with an end line; rename makes it whole, dir is synced. */
apr_status_t journal_sealed_write(const char *dir, const char *name,
                                  const json_t *json, acme_err_t *err,
                                  apr_pool_t *scratch_pool);
apr_status_t journal_sealed_read(json_t **pjson, const char *dir,
                                 const char *name, acme_err_t *err,
                                 apr_pool_t *result_pool);

/* Before-image and content after of an entry, from dir, checked against the
 * record; after of a link or directory is empty. */
apr_status_t journal_old_read(char **pdata, apr_size_t *plen,
                              const char *dir, const journal_entry_t *entry,
                              acme_err_t *err, apr_pool_t *result_pool);
apr_status_t journal_new_read(char **pdata, apr_size_t *plen,
                              const char *dir, const journal_entry_t *entry,
                              acme_err_t *err, apr_pool_t *result_pool);

/* "this journal cannot be used" with exit BASE_EXIT_JOURNAL. */
apr_status_t journal_damaged(acme_err_t *err, const char *path,
                             const char *why);

/* ---------------------------------------------------------------- plans */

/* What to do with a file that the user edited. */
typedef struct journal_item_t {
    const char *real;
    const char *from;           /* the user's state */
    const char *to;             /* what it becomes; from itself: keep */
    const char *file;           /* m.K.I with the merged content, or NULL:
                                   the before-image */
    const char *aside;          /* where the user's version is, or NULL */
    const char *data;           /* in memory: the merged content */
    apr_size_t len;
    const char *user;           /* in memory: content or target to be set
                                   aside, or NULL */
    apr_size_t user_len;
} journal_item_t;

/* dir/plan: none is success with an empty hash of real -> item. */
apr_status_t journal_plan_read(apr_hash_t **pitems, const char *dir,
                               acme_err_t *err, apr_pool_t *result_pool);
/* Write plan and merged contents; no items: remove an old plan. */
apr_status_t journal_plan_write(const char *dir,
                                const apr_array_header_t *items,
                                acme_err_t *err, apr_pool_t *scratch_pool);

/* A file as it was met, and as undoing leaves it. */
typedef struct journal_viewed_t {
    const char *path;
    const char *real;
    journal_op_t op;            /* of the oldest change */
    journal_seen_t was;
    journal_seen_t now;
} journal_viewed_t;

/* What files will be, while several checkpoints are looked at. */
typedef struct journal_view_t {
    apr_hash_t *files;          /* real -> journal_viewed_t */
    apr_array_header_t *order;  /* journal_viewed_t *, as first met */
    apr_pool_t *pool;
} journal_view_t;

void journal_view_init(journal_view_t *view, apr_pool_t *pool);

/* What undoing dir's record would meet, and what becomes of it. */
typedef struct journal_outlook_t {
    const char *dir;
    journal_record_t *record;
    apr_array_header_t *items;      /* journal_item_t * */
} journal_outlook_t;

/* Look ahead: conflicts go to undo->conflicts, decisions to items, the
 * result to view. */
apr_status_t journal_look(journal_outlook_t *outlook, journal_view_t *view,
                          journal_drift_t drift, journal_undo_t *undo,
                          acme_err_t *err, apr_pool_t *result_pool);

/* Set versions of the user aside (FORCE). */
apr_status_t journal_set_aside(const journal_t *journal,
                               journal_outlook_t *outlook, acme_err_t *err,
                               apr_pool_t *scratch_pool);

/* A file with what the user changed since; for undo->conflicts. */
apr_status_t journal_conflict_add(journal_undo_t *undo, const char *dir,
                                  const journal_chain_t *chain,
                                  const journal_seen_t *seen,
                                  acme_err_t *err, apr_pool_t *result_pool);

/* ----------------------------------------------------------------- undo */

void journal_undo_init(journal_undo_t *undo, apr_pool_t *pool);

/* 1 if state is a before or after of chain. */
int journal_chain_knows(const journal_chain_t *chain, const char *state);

/* 1 if the path as named leads to another file today. */
int journal_chain_is_repointed(const journal_chain_t *chain,
                               apr_pool_t *scratch_pool);

/* Undo active/, and throw it away when nothing is in the way. */
apr_status_t journal_undo_active(journal_undo_t *undo, journal_t *journal,
                                 acme_err_t *err, apr_pool_t *result_pool,
                                 apr_pool_t *scratch_pool);

/* Rename from/ away, durably, then delete it. */
apr_status_t journal_discard(const journal_t *journal, const char *from,
                             acme_err_t *err, apr_pool_t *scratch_pool);

/* ---------------------------------------------------------- transaction */

struct journal_txn_t {
    journal_t *journal;
    journal_kind_t kind;
    apr_time_t now;
    const char *id;
    int saves;                  /* made and live */
    int over;
    apr_array_header_t *staged; /* journal_entry_t * */
    apr_array_header_t *notes;  /* const char * */
    apr_pool_t *pool;
};

/* Look at the staged changes again, right before they are made. */
apr_status_t journal_stage_check(journal_txn_t *txn, acme_err_t *err,
                                 apr_pool_t *scratch_pool);

/* After a failure: undo the transaction and end it. @return err->status */
apr_status_t journal_txn_fail(journal_txn_t *txn, acme_err_t *err,
                              apr_pool_t *scratch_pool);

/* -------------------------------------------------------- previews, diff */

/* A path as it is to be seen in a preview. */
typedef struct journal_pre_t {
    const char *real;
    const char *state;          /* its kind: "file:", "link:...", "dir",
                                   "absent" */
    const char *data;
    apr_size_t len;
    const base_attrs_t *attrs;  /* file, dir; NULL: 0600 */
} journal_pre_t;

/* Run test where pres, of journal_pre_t, are as they say. */
apr_status_t journal_preview_run(journal_t *journal,
                                 const apr_array_header_t *pres,
                                 journal_test_fn *test, void *baton,
                                 acme_err_t *err, apr_pool_t *scratch_pool);

/* Unified diff; NULL as content: the file is absent. "" when equal. */
const char *journal_diff(const char *path, const char *a, apr_size_t a_len,
                         const char *b, apr_size_t b_len, apr_pool_t *pool);

/* Apply what differs between base and each of a and b.
 * @return 0 if the changes overlap */
int journal_merge(char **pdata, apr_size_t *plen, const char *base,
                  apr_size_t base_len, const char *a, apr_size_t a_len,
                  const char *b, apr_size_t b_len, apr_pool_t *pool);

/* The unified diff of states before and after a whole view or record. */
const char *journal_diff_states(const char *path, const char *before,
                                const char *a, apr_size_t a_len,
                                const char *after, const char *b,
                                apr_size_t b_len, apr_pool_t *pool);

#endif
