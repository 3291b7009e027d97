/*
 * undo.c: the one routine that puts files back: the end of a temporary
 * change, a failure, a crash and a rollback all come here.
 *
 * It keeps no log of its own progress. For each file it looks what is at its
 * name and decides from that alone, so it may be stopped anywhere and
 * started again:
 *
 *     what is there           what is done
 *     goal (before)           fsync it: it may only be in memory
 *     known (an after, or     put the goal in its place by one rename
 *       what a plan names)
 *     anything else           the user's: leave it, a conflict
 *
 * Temporaries come first. One that holds neither our new content nor the
 * old one, beside a target that does hold our new content, is the user's:
 * an exchange took it out and was interrupted; it goes back to its name.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "journal/internal.h"

typedef struct undo_run_t {
    journal_undo_t *undo;
    const char *dir;            /* of the record */
    apr_hash_t *items;          /* real -> journal_item_t, the plan */
    journal_dirs_t dirs;
    apr_pool_t *result_pool;
    apr_pool_t *pool;
} undo_run_t;

/* One file being undone. */
typedef struct file_t {
    journal_chain_t *chain;
    const journal_entry_t *newest;  /* that went live; NULL if none did */
    const journal_item_t *item;     /* of the plan, or NULL */
    const char *name;
    const char *goal;
    base_at_t *at;                  /* NULL: its folder is gone */
    base_at_t *temp;                /* NULL: likewise */
    journal_seen_t seen;
} file_t;

void journal_undo_init(journal_undo_t *undo, apr_pool_t *pool)
{
    memset(undo, 0, sizeof(*undo));
    undo->files = apr_array_make(pool, 8, sizeof(journal_file_t));
    undo->conflicts = apr_array_make(pool, 2, sizeof(journal_file_t));
}

static int is(const journal_seen_t *seen, const char *state)
{
    return strcmp(seen->state, state) == 0;
}

/* A folder of the record; one that is gone or is a link now is *pat NULL. */
static apr_status_t open_folder(base_at_t **pat, undo_run_t *run,
                                const char *path, acme_err_t *err)
{
    acme_err_t first = { 0 };
    apr_status_t rv = journal_dirs_get(pat, &run->dirs, path, &first);

    if (APR_STATUS_IS_ENOENT(rv) || APR_STATUS_IS_ENOTDIR(rv)) {
        *pat = NULL;
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        *err = first;
    }
    return rv;
}

/* ----------------------------------------------------------- temporaries */

static apr_status_t remove_any(const base_at_t *at, const char *name,
                               const journal_seen_t *seen, acme_err_t *err)
{
    return is(seen, JOURNAL_DIR) ? base_at_rmdir(at, name, err)
                                 : base_at_remove(at, name, err);
}

/* 1 if a temporary is the beginning of our new content: it was never
 * finished, so it was never exchanged. */
static int is_unfinished(undo_run_t *run, const journal_entry_t *entry,
                         const journal_seen_t *temp)
{
    acme_err_t ignored = { 0 };
    apr_size_t len;
    char *data;

    return journal_state_is_file(temp->state)
           && journal_new_read(&data, &len, run->dir, entry, &ignored,
                               run->pool) == APR_SUCCESS
           && temp->len < len && memcmp(temp->data, data, temp->len) == 0;
}

/* The new content of one save. *plive = 0 if it certainly never replaced
 * what is at the name now. */
static apr_status_t clear_temporary(int *plive, undo_run_t *run,
                                    file_t *file, const base_at_t *at,
                                    const journal_entry_t *entry,
                                    acme_err_t *err)
{
    const char *name = journal_temp_name(entry, 0, run->pool);
    journal_seen_t temp;
    apr_status_t rv = journal_state_read(&temp, at, name, err, run->pool);

    *plive = 1;
    if (rv != APR_SUCCESS || is(&temp, JOURNAL_ABSENT)) {
        return rv;
    }
    if (entry->op != JOURNAL_MODIFY) {
        /* link(2) in place of a rename: both names, one inode */
        *plive = temp.inode == file->seen.inode;
    }
    else if (!is(&temp, entry->before)) {
        *plive = 0;
    }
    if (entry->op == JOURNAL_MODIFY && !*plive
        && !is(&temp, entry->after) && is(&file->seen, entry->after)) {
        if (!is_unfinished(run, entry, &temp)) {
            rv = base_at_exchange(at, name, file->at, file->name, err);
            file->seen = temp;
        }
    }
    return rv == APR_SUCCESS ? remove_any(at, name, &temp, err) : rv;
}

/* 1 if the record or the plan names this state. */
static int is_ours(const file_t *file, const journal_seen_t *seen)
{
    return journal_chain_knows(file->chain, seen->state)
           || (file->item && is(seen, file->item->from));
}

/* What an earlier run of this routine left on its way. A file on its way
 * back is whole elsewhere; a new file that was being taken out is only
 * here, and perhaps the user's. */
static apr_status_t clear_restoring(undo_run_t *run, file_t *file,
                                    acme_err_t *err)
{
    const char *name = journal_temp_name(file->chain->first, 1, run->pool);
    journal_seen_t temp;
    apr_status_t rv = journal_state_read(&temp, file->temp, name, err,
                                         run->pool);

    if (rv != APR_SUCCESS || is(&temp, JOURNAL_ABSENT)) {
        return rv;
    }
    if (journal_state_is_file(file->goal) || is_ours(file, &temp)) {
        return base_at_remove(file->temp, name, err);
    }
    if (file->at) {
        rv = base_at_move(file->temp, name, file->at, file->name, err);
    }
    if (rv == APR_SUCCESS) {
        file->seen = temp;      /* without its folder: a conflict */
    }
    return rv;
}

/* A whole file that was to be exchanged with the target on the way back.
 * It holds the goal, or what came out: ours, or an edit of that moment. */
static apr_status_t clear_returning(undo_run_t *run, file_t *file,
                                    acme_err_t *err)
{
    const char *name = journal_temp_name(file->chain->first, 2, run->pool);
    journal_seen_t temp;
    apr_status_t rv = journal_state_read(&temp, file->temp, name, err,
                                         run->pool);

    if (rv != APR_SUCCESS || is(&temp, JOURNAL_ABSENT)) {
        return rv;
    }
    if (!is(&temp, file->goal) && !is_ours(file, &temp)) {
        if (!is(&file->seen, file->goal)) {
            return APR_SUCCESS;     /* two edits: both stay */
        }
        rv = base_at_exchange(file->temp, name, file->at, file->name, err);
        file->seen = temp;
    }
    return rv == APR_SUCCESS ? base_at_remove(file->temp, name, err) : rv;
}

static apr_status_t clear_temporaries(undo_run_t *run, file_t *file,
                                      acme_err_t *err)
{
    journal_entry_t *entry;
    base_at_t *at;
    apr_status_t rv = APR_SUCCESS;
    int i, live;

    file->newest = NULL;
    for (i = 0; i < file->chain->entries->nelts && rv == APR_SUCCESS; i++) {
        entry = APR_ARRAY_IDX(file->chain->entries, i, journal_entry_t *);
        live = 1;
        rv = open_folder(&at, run, entry->temp_dir, err);
        if (rv == APR_SUCCESS && at) {
            rv = clear_temporary(&live, run, file, at, entry, err);
        }
        file->newest = live ? entry : file->newest;
    }
    /* the target's folder may have gone before these did */
    if (rv == APR_SUCCESS && file->temp) {
        rv = clear_restoring(run, file, err);
    }
    if (rv == APR_SUCCESS && file->temp) {
        rv = clear_returning(run, file, err);
    }
    return rv;
}

/* --------------------------------------------------------------- restore */

/* Content and attributes of the goal: owner and mode are those that the
 * file has now, for we never change them. */
static apr_status_t goal_content(char **pdata, apr_size_t *plen,
                                 base_attrs_t *attrs, undo_run_t *run,
                                 const file_t *file, acme_err_t *err)
{
    const journal_entry_t *first = file->chain->first;

    *attrs = journal_state_is_file(file->seen.state) ? file->seen.attrs
                                                     : first->old_attrs;
    if (file->item && file->item->file) {
        return base_file_read(pdata, plen, journal_path(run->dir,
                                                        file->item->file,
                                                        run->pool),
                              JOURNAL_FILE_MAX, err, run->pool);
    }
    return journal_old_read(pdata, plen, run->dir, first, err, run->pool);
}

/* 1 if what is at the name is still what was seen. */
static apr_status_t still_there(int *psame, undo_run_t *run, file_t *file,
                                const base_at_t *at, const char *name,
                                acme_err_t *err)
{
    const char *state = file->seen.state;
    journal_seen_t now;
    apr_status_t rv = journal_state_read(&now, at, name, err, run->pool);

    *psame = rv == APR_SUCCESS && strcmp(now.state, state) == 0;
    if (rv == APR_SUCCESS) {
        file->seen = now;
    }
    return rv;
}

/* Where names cannot be exchanged: another look, and rename. */
static apr_status_t put_by_rename(int *pdone, undo_run_t *run, file_t *file,
                                  const char *temp, acme_err_t *err)
{
    apr_status_t rv = still_there(pdone, run, file, file->at, file->name,
                                  err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    return *pdone ? base_at_replace(file->temp, temp, file->at, file->name,
                                    err)
                  : base_at_remove(file->temp, temp, err);
}

/* As in a save: what comes out is compared. */
static apr_status_t put_by_exchange(int *pdone, undo_run_t *run,
                                    file_t *file, const char *temp,
                                    acme_err_t *err)
{
    apr_status_t rv = base_at_exchange(file->temp, temp, file->at,
                                       file->name, err);

    if (rv == APR_ENOTIMPL) {
        return put_by_rename(pdone, run, file, temp, err);
    }
    if (rv == APR_SUCCESS) {
        rv = still_there(pdone, run, file, file->temp, temp, err);
    }
    if (rv == APR_SUCCESS && !*pdone) {
        rv = base_at_exchange(file->temp, temp, file->at, file->name, err);
    }
    return rv == APR_SUCCESS ? base_at_remove(file->temp, temp, err) : rv;
}

/* Content of the goal, checked, under the name of what is whole. */
static apr_status_t make_goal(const char **ptemp, undo_run_t *run,
                              const file_t *file, acme_err_t *err)
{
    const char *part = journal_temp_name(file->chain->first, 1, run->pool);
    base_attrs_t attrs;
    apr_size_t len;
    char *data;
    apr_status_t rv = goal_content(&data, &len, &attrs, run, file, err);

    if (rv == APR_SUCCESS
        && strcmp(journal_state_of_file(data, len, run->pool), file->goal)) {
        return journal_damaged(err, run->dir, "a merged content is not the "
                               "one that was planned");
    }
    if (rv == APR_SUCCESS) {
        rv = base_at_create(file->temp, part, data, len, &attrs, err,
                            run->pool);
    }
    *ptemp = journal_temp_name(file->chain->first, 2, run->pool);
    return rv == APR_SUCCESS ? base_at_move(file->temp, part, file->temp,
                                            *ptemp, err) : rv;
}

static apr_status_t put_file(int *pdone, undo_run_t *run, file_t *file,
                             acme_err_t *err)
{
    const char *temp = NULL;
    apr_status_t rv = make_goal(&temp, run, file, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (is(&file->seen, JOURNAL_ABSENT)) {
        *pdone = 1;
        return base_at_move(file->temp, temp, file->at, file->name, err);
    }
    return put_by_exchange(pdone, run, file, temp, err);
}

/* A new file or link goes: out of the way, another look, and away. */
static apr_status_t take_out(int *pdone, undo_run_t *run, file_t *file,
                             acme_err_t *err)
{
    const char *temp = journal_temp_name(file->chain->first, 1, run->pool);
    apr_status_t rv = base_at_move(file->at, file->name, file->temp, temp,
                                   err);

    if (rv == APR_SUCCESS) {
        rv = still_there(pdone, run, file, file->temp, temp, err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return *pdone ? base_at_remove(file->temp, temp, err)
                  : base_at_move(file->temp, temp, file->at, file->name,
                                 err);
}

/* A directory that somebody put files into stays. */
static apr_status_t take_out_dir(int *pdone, const file_t *file,
                                 acme_err_t *err)
{
    acme_err_t first = { 0 };
    apr_status_t rv = base_at_rmdir(file->at, file->name, &first);

    *pdone = rv == APR_SUCCESS;
    if (rv == ENOTEMPTY || rv == EEXIST) {
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        *err = first;
    }
    return rv;
}

static apr_status_t put_goal(int *pdone, undo_run_t *run, file_t *file,
                             acme_err_t *err)
{
    *pdone = 0;
    if (!file->at || !file->temp) {
        return APR_SUCCESS;
    }
    if (journal_state_is_file(file->goal)) {
        return put_file(pdone, run, file, err);
    }
    if (is(&file->seen, JOURNAL_DIR)) {
        return take_out_dir(pdone, file, err);
    }
    return take_out(pdone, run, file, err);
}

/* ---------------------------------------------------------------- decide */

int journal_chain_knows(const journal_chain_t *chain, const char *state)
{
    const journal_entry_t *entry;
    int i;

    for (i = 0; i < chain->entries->nelts; i++) {
        entry = APR_ARRAY_IDX(chain->entries, i, journal_entry_t *);
        if (strcmp(state, entry->after) == 0
            || strcmp(state, entry->before) == 0) {
            return 1;
        }
    }
    return 0;
}

int journal_chain_is_repointed(const journal_chain_t *chain,
                               apr_pool_t *scratch_pool)
{
    acme_err_t ignored = { 0 };
    const char *real;

    return chain->first->op == JOURNAL_MODIFY
           && base_path_real(&real, chain->first->path, &ignored,
                             scratch_pool) == APR_SUCCESS
           && strcmp(real, chain->first->real) != 0;
}

/* 1 if this state is ours to replace. */
static int is_known(undo_run_t *run, const file_t *file)
{
    if (file->item) {
        return is(&file->seen, file->item->from)
               || journal_chain_knows(file->chain, file->seen.state);
    }
    return journal_chain_knows(file->chain, file->seen.state)
           && !journal_chain_is_repointed(file->chain, run->pool);
}

static apr_status_t sync_goal(const file_t *file, acme_err_t *err)
{
    return file->at && journal_state_is_file(file->seen.state)
           ? base_at_sync_file(file->at, file->name, err) : APR_SUCCESS;
}

static void add_file(undo_run_t *run, const file_t *file)
{
    journal_file_t *put = apr_array_push(run->undo->files);

    memset(put, 0, sizeof(*put));
    put->path = apr_pstrdup(run->result_pool, file->chain->first->path);
    put->op = file->chain->first->op;
    put->aside = file->item && file->item->aside
                 ? apr_pstrdup(run->result_pool, file->item->aside) : NULL;
}

static apr_status_t decide(undo_run_t *run, file_t *file, acme_err_t *err)
{
    int done = 0;
    apr_status_t rv;

    if (is(&file->seen, file->goal)) {
        return sync_goal(file, err);
    }
    if (!file->newest) {
        return APR_SUCCESS;         /* never ours: whatever it is */
    }
    if (file->item && strcmp(file->item->from, file->item->to) == 0
        && is(&file->seen, file->item->from)) {
        return APR_SUCCESS;         /* the user keeps it */
    }
    if (is_known(run, file)) {
        rv = put_goal(&done, run, file, err);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    if (!done) {
        return journal_conflict_add(run->undo, run->dir, file->chain,
                                    &file->seen, err, run->result_pool);
    }
    add_file(run, file);
    return APR_SUCCESS;
}

static apr_status_t undo_file(undo_run_t *run, journal_chain_t *chain,
                              acme_err_t *err)
{
    file_t file = { chain, NULL, NULL, NULL, NULL, NULL, NULL,
                    { NULL, NULL, 0, { 0, 0, 0, 0, NULL }, 0 } };
    const char *real = chain->first->real;
    apr_status_t rv;

    file.item = apr_hash_get(run->items, real, APR_HASH_KEY_STRING);
    file.goal = file.item ? file.item->to : chain->first->before;
    file.name = journal_name(real);
    file.seen.state = JOURNAL_ABSENT;
    rv = open_folder(&file.temp, run, chain->first->temp_dir, err);
    if (rv == APR_SUCCESS) {
        rv = open_folder(&file.at, run, base_path_dir(real, run->pool), err);
    }
    if (rv == APR_SUCCESS && file.at) {
        rv = journal_state_read(&file.seen, file.at, file.name, err,
                                run->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = clear_temporaries(run, &file, err);
    }
    return rv == APR_SUCCESS ? decide(run, &file, err) : rv;
}

/* Later files first. One that fails does not keep the others from being
 * put back; the first error is the one that is told. */
static apr_status_t undo_files(undo_run_t *run,
                               const journal_record_t *record,
                               acme_err_t *err)
{
    acme_err_t one;
    int i;

    for (i = record->chains->nelts - 1; i >= 0; i--) {
        memset(&one, 0, sizeof(one));
        if (undo_file(run, APR_ARRAY_IDX(record->chains, i,
                                         journal_chain_t *), &one)
            != APR_SUCCESS && err->status == APR_SUCCESS) {
            *err = one;
        }
    }
    if (err->status == APR_SUCCESS) {
        journal_dirs_sync(&run->dirs, err);
    }
    return err->status;
}

/* ------------------------------------------------------------------ away */

apr_status_t journal_discard(const journal_t *journal, const char *from,
                             acme_err_t *err, apr_pool_t *scratch_pool)
{
    acme_err_t ignored = { 0 };
    apr_uint64_t random;
    const char *to;
    apr_status_t rv = apr_generate_random_bytes((unsigned char *)&random,
                                                sizeof(random));

    if (rv != APR_SUCCESS) {
        return base_err_path(err, rv, "find a name in", journal->trash);
    }
    to = apr_psprintf(scratch_pool, "%s/%016" APR_UINT64_T_HEX_FMT,
                      journal->trash, random);
    rv = base_file_rename(from, to, err, scratch_pool);
    if (rv == APR_SUCCESS) {
        rv = base_dir_sync(base_path_dir(from, scratch_pool), err);
    }
    if (rv == APR_SUCCESS) {
        /* what stays in trash/ means nothing and goes next time */
        base_dir_remove(to, &ignored, scratch_pool);
    }
    return rv;
}

static apr_status_t in_the_way(const journal_undo_t *undo,
                               const journal_t *journal, acme_err_t *err)
{
    const journal_file_t *file = &APR_ARRAY_IDX(undo->conflicts, 0,
                                                journal_file_t);

    return base_err_set(err, APR_EGENERAL, BASE_EXIT_JOURNAL,
                        "%d file%s changed since and left alone, the first "
                        "is %s: merge, force or keep the edits; until then "
                        "the record stays in %s", undo->conflicts->nelts,
                        undo->conflicts->nelts == 1 ? " was" : "s were",
                        file->path, journal->active);
}

/* 0 if httpd certainly was not told to load what is being undone. */
static int was_loaded(const char *dir, apr_pool_t *pool)
{
    acme_err_t ignored = { 0 };
    apr_size_t len;
    char *data;

    return !APR_STATUS_IS_ENOENT(base_file_read(
        &data, &len, journal_path(dir, "reloaded", pool), 0, &ignored,
        pool));
}

apr_status_t journal_undo_active(journal_undo_t *undo, journal_t *journal,
                                 acme_err_t *err, apr_pool_t *result_pool,
                                 apr_pool_t *scratch_pool)
{
    undo_run_t run = { undo, journal->active, NULL, { NULL, NULL },
                       result_pool, scratch_pool };
    int conflicts = undo->conflicts->nelts;
    journal_record_t *record;
    apr_status_t rv = journal_record_read(&record, run.dir, err,
                                          scratch_pool);

    journal_dirs_init(&run.dirs, scratch_pool);
    if (rv == APR_SUCCESS) {
        rv = journal_plan_read(&run.items, run.dir, err, scratch_pool);
    }
    if (rv == APR_SUCCESS) {
        undo->reload |= was_loaded(run.dir, scratch_pool);
        rv = undo_files(&run, record, err);
    }
    if (rv == APR_SUCCESS && undo->conflicts->nelts > conflicts) {
        rv = in_the_way(undo, journal, err);
    }
    if (rv == APR_SUCCESS) {
        rv = journal_discard(journal, journal->active, err, scratch_pool);
    }
    if (rv != APR_SUCCESS) {
        err->exit = BASE_EXIT_JOURNAL;
        return rv;
    }
    undo->count++;
    return APR_SUCCESS;
}
