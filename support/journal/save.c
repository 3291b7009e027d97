/*
 * save.c: the steps of a save, numbered as in LAYOUT.
 *
 * Before step 4 has ended nothing live was touched; after it recovery knows
 * everything it needs. A failure anywhere undoes the whole transaction.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "journal/internal.h"

/* What one save works with. */
typedef struct save_t {
    journal_txn_t *txn;
    int number;             /* K */
    journal_dirs_t dirs;
    apr_pool_t *pool;
} save_t;

static journal_entry_t *entry_at(const journal_txn_t *txn, int i)
{
    return APR_ARRAY_IDX(txn->staged, i, journal_entry_t *);
}

/* ------------------------------------------------------------- 1: before */

/* Before-images, contents and our own records need room in the journal. */
static apr_status_t check_room(const journal_txn_t *txn, acme_err_t *err,
                               apr_pool_t *pool)
{
    apr_uint64_t need = 64 * 1024;
    base_at_t *at;
    apr_status_t rv;
    int i;

    for (i = 0; i < txn->staged->nelts; i++) {
        need += entry_at(txn, i)->old_len + 2 * entry_at(txn, i)->insert_len
                + 4096;
    }
    rv = base_at_open(&at, txn->journal->dir, err, pool);
    return rv == APR_SUCCESS ? base_at_room(at, need, err) : rv;
}

/* ----------------------------------------------- 2 to 4: until it is armed */

static apr_status_t make_active(const journal_txn_t *txn, acme_err_t *err,
                                apr_pool_t *pool)
{
    const journal_t *journal = txn->journal;
    const char *text;
    apr_status_t rv;

    if (journal_is_active(journal)) {
        return APR_SUCCESS;
    }
    rv = base_dir_make(journal->active, JOURNAL_DIR_MODE, err, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    text = apr_psprintf(pool, "{\"kind\": \"%s\", \"transaction\": \"%s\", "
                        "\"created\": \"%s\", \"pid\": %ld}\n",
                        txn->kind == JOURNAL_TEMPORARY ? "temporary"
                        : "permanent", txn->id,
                        base_time_text(txn->now, pool), (long)getpid());
    return base_file_put(journal_path(journal->active, "begin.json", pool),
                         text, strlen(text), JOURNAL_FILE_MODE, err);
}

static apr_status_t write_images(save_t *save, acme_err_t *err)
{
    const char *active = save->txn->journal->active;
    journal_entry_t *entry;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < save->txn->staged->nelts && rv == APR_SUCCESS; i++) {
        entry = entry_at(save->txn, i);
        entry->save = save->number;
        entry->index = i + 1;
        if (entry->op == JOURNAL_MODIFY) {
            rv = base_file_create(apr_psprintf(save->pool, "%s/b.%d.%d",
                                               active, entry->save,
                                               entry->index),
                                  entry->old, entry->old_len,
                                  JOURNAL_FILE_MODE, err);
        }
    }
    return rv;
}

static apr_status_t write_notes(save_t *save, acme_err_t *err)
{
    const apr_array_header_t *notes = save->txn->notes;
    char *text;

    if (notes->nelts == 0) {
        return APR_SUCCESS;
    }
    text = apr_pstrcat(save->pool, apr_array_pstrcat(save->pool, notes,
                                                     '\n'), "\n", NULL);
    return base_file_create(apr_psprintf(save->pool, "%s/note.%d",
                                         save->txn->journal->active,
                                         save->number),
                            text, strlen(text), JOURNAL_FILE_MODE, err);
}

static apr_status_t arm(save_t *save, acme_err_t *err)
{
    const journal_txn_t *txn = save->txn;
    apr_status_t rv = make_active(txn, err, save->pool);

    if (rv == APR_SUCCESS) {
        rv = write_images(save, err);
    }
    if (rv == APR_SUCCESS) {
        rv = write_notes(save, err);
    }
    if (rv == APR_SUCCESS) {
        rv = journal_record_write(txn->journal->active, txn->id, txn->kind,
                                  txn->now, save->number, txn->staged, err,
                                  save->pool);
    }
    return rv;
}

/* ----------------------------------------------------------- 5: contents */

static apr_status_t make_temporary(save_t *save, journal_entry_t *entry,
                                   acme_err_t *err)
{
    const char *name = journal_temp_name(entry, 0, save->pool);
    base_at_t *at;
    apr_status_t rv = journal_dirs_get(&at, &save->dirs, entry->temp_dir,
                                       err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    switch (entry->op) {
    case JOURNAL_MODIFY:
    case JOURNAL_CREATE:
        return base_at_create(at, name, entry->data, entry->new_len,
                              &entry->new_attrs, err, save->pool);
    case JOURNAL_SYMLINK:
        return base_at_symlink(at, name, entry->data, err);
    case JOURNAL_MKDIR:
        return base_at_mkdir(at, name, &entry->new_attrs, err, save->pool);
    }
    return APR_EINVAL;
}

/* ------------------------------------------------------------ 6: go live */

static apr_status_t too_late(acme_err_t *err, const journal_entry_t *entry)
{
    return base_err_set(err, APR_EAGAIN, BASE_EXIT_BUSY,
                        "cannot change %s: somebody else changed it at the "
                        "same moment: try again", entry->path);
}

static int same_as_before(const journal_seen_t *seen,
                          const journal_entry_t *entry)
{
    return strcmp(seen->state, entry->before) == 0
           && seen->attrs.mode == entry->old_attrs.mode
           && seen->attrs.uid == entry->old_attrs.uid
           && seen->attrs.gid == entry->old_attrs.gid;
}

/* Without RENAME_EXCHANGE: look once more, and rename. */
static apr_status_t swap_by_rename(save_t *save, journal_entry_t *entry,
                                   base_at_t *temp, base_at_t *at,
                                   acme_err_t *err)
{
    const char *name = journal_name(entry->real);
    journal_seen_t seen;
    apr_status_t rv = journal_state_read(&seen, at, name, err, save->pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!same_as_before(&seen, entry)) {
        return too_late(err, entry);
    }
    return base_at_replace(temp, journal_temp_name(entry, 0, save->pool), at,
                           name, err);
}

static apr_status_t swap(save_t *save, journal_entry_t *entry,
                         base_at_t *temp, base_at_t *at, acme_err_t *err)
{
    const char *name = journal_name(entry->real);
    const char *temp_name = journal_temp_name(entry, 0, save->pool);
    acme_err_t second = { 0 };
    journal_seen_t out;
    apr_status_t rv = base_at_exchange(temp, temp_name, at, name, err);

    if (rv == APR_ENOTIMPL) {
        return swap_by_rename(save, entry, temp, at, err);
    }
    if (rv == APR_SUCCESS) {
        rv = journal_state_read(&out, temp, temp_name, err, save->pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (same_as_before(&out, entry)) {
        return base_at_remove(temp, temp_name, err);
    }
    too_late(err, entry);
    if (base_at_exchange(temp, temp_name, at, name, &second)
        != APR_SUCCESS) {
        base_err_append(err, "and %s", second.message);
    }
    return err->status;
}

/* A new name. A directory must be found under it, not under that of its
 * temporary, before anything lies in it: its folder is synced at once. */
static apr_status_t appear(save_t *save, journal_entry_t *entry,
                           base_at_t *temp, base_at_t *at, acme_err_t *err)
{
    const char *temp_name = journal_temp_name(entry, 0, save->pool);
    const char *name = journal_name(entry->real);
    acme_err_t first = { 0 };
    apr_status_t rv = base_at_move(temp, temp_name, at, name, &first);

    if (rv == EPERM && entry->op == JOURNAL_MKDIR) {
        /* no RENAME_NOREPLACE here, and link(2) makes no directories */
        rv = base_at_rmdir(temp, temp_name, err);
        if (rv == APR_SUCCESS) {
            rv = base_at_mkdir(at, name, &entry->new_attrs, err, save->pool);
        }
    }
    else if (rv != APR_SUCCESS) {
        *err = first;
    }
    if (rv == APR_SUCCESS && entry->op == JOURNAL_MKDIR) {
        rv = base_at_sync(at, err);
    }
    return rv;
}

static apr_status_t go_live(save_t *save, journal_entry_t *entry,
                            acme_err_t *err)
{
    base_at_t *temp, *at;
    apr_status_t rv = journal_dirs_get(&temp, &save->dirs, entry->temp_dir,
                                       err);

    if (rv == APR_SUCCESS) {
        rv = journal_dirs_get(&at, &save->dirs,
                              base_path_dir(entry->real, save->pool), err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return entry->op == JOURNAL_MODIFY ? swap(save, entry, temp, at, err)
                                       : appear(save, entry, temp, at, err);
}

/* ------------------------------------------------------------------ save */

static apr_status_t save_steps(save_t *save, acme_err_t *err)
{
    apr_array_header_t *staged = save->txn->staged;
    apr_status_t rv = arm(save, err);
    int i;

    for (i = 0; i < staged->nelts && rv == APR_SUCCESS; i++) {
        rv = make_temporary(save, entry_at(save->txn, i), err);
    }
    for (i = 0; i < staged->nelts && rv == APR_SUCCESS; i++) {
        rv = go_live(save, entry_at(save->txn, i), err);
    }
    if (rv == APR_SUCCESS) {
        rv = journal_dirs_sync(&save->dirs, err);
    }
    return rv;
}

/* Step 1, the test of the whole configuration. Sets *pleft if it could only
 * be made on live files and so is left. */
static apr_status_t test_before(int *pleft, journal_txn_t *txn,
                                journal_test_fn *test, void *baton,
                                acme_err_t *err, apr_pool_t *pool)
{
    acme_err_t first = { 0 };
    apr_status_t rv;

    *pleft = 0;
    if (!test) {
        return APR_SUCCESS;
    }
    rv = journal_preview(txn, test, baton, &first, pool);
    if (rv == APR_ENOTIMPL) {
        *pleft = 1;
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        *err = first;
    }
    return rv;
}

apr_status_t journal_save(journal_txn_t *txn, journal_test_fn *test,
                          void *baton, acme_err_t *err,
                          apr_pool_t *scratch_pool)
{
    save_t save = { txn, txn->saves + 1, { NULL, NULL }, scratch_pool };
    int test_live = 0;
    apr_status_t rv;

    if (txn->over) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "this change of the configuration has ended");
    }
    if (txn->staged->nelts == 0) {
        return APR_SUCCESS;
    }
    journal_dirs_init(&save.dirs, scratch_pool);
    rv = journal_stage_check(txn, err, scratch_pool);
    if (rv == APR_SUCCESS) {
        rv = check_room(txn, err, scratch_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = test_before(&test_live, txn, test, baton, err, scratch_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = save_steps(&save, err);
    }
    if (rv == APR_SUCCESS && test_live) {
        rv = test(baton, err, scratch_pool);
    }
    if (rv != APR_SUCCESS) {
        return journal_txn_fail(txn, err, scratch_pool);
    }
    txn->saves++;
    apr_array_clear(txn->staged);
    apr_array_clear(txn->notes);
    return APR_SUCCESS;
}
