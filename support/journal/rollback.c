/*
 * rollback.c: checkpoints taken back, and what a crashed writer left.
 *
 * A rollback makes the newest checkpoint the active transaction again by one
 * rename and undoes it. Killed in between it looks like any interrupted
 * change, and recovery finishes it: the number of checkpoints undone is
 * whole.
 */
#include <string.h>

#include <apr_strings.h>

#include "journal/internal.h"

static apr_status_t must_be_idle(const journal_t *journal, acme_err_t *err)
{
    apr_status_t rv = journal_must_hold(journal, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (journal->txn) {
        return base_err_set(err, APR_EEXIST, BASE_EXIT_FAILED,
                            "a change is under way: end it first");
    }
    return APR_SUCCESS;
}

/* --------------------------------------------------------------- recover */

/* What earlier runs could not delete, or were killed deleting. */
static void empty_trash(const journal_t *journal,
                        const apr_array_header_t *names, apr_pool_t *pool)
{
    acme_err_t ignored = { 0 };
    int i;

    for (i = 0; i < names->nelts; i++) {
        base_dir_remove(journal_path(journal->trash,
                                     APR_ARRAY_IDX(names, i, char *), pool),
                        &ignored, pool);
    }
}

/* A writer that was killed between a rename and its fsync: what everybody
 * sees by now must not vanish any more, and what has left active/ must not
 * come back when its files are being deleted. */
static apr_status_t settle(const journal_t *journal, acme_err_t *err,
                           apr_pool_t *pool)
{
    apr_array_header_t *names;
    apr_status_t rv = base_dir_list(&names, journal->trash, err, pool);

    if (rv != APR_SUCCESS
        || (names->nelts == 0 && !base_lock_was_left(journal->lock))) {
        return rv;
    }
    rv = base_dir_sync(journal->trash, err);
    if (rv == APR_SUCCESS) {
        rv = base_dir_sync(journal->cp, err);
    }
    if (rv == APR_SUCCESS) {
        rv = base_dir_sync(journal->dir, err);
    }
    if (rv == APR_SUCCESS) {
        empty_trash(journal, names, pool);
    }
    return rv;
}

/* After a first pass has met the user's edits: decide, write it down, and
 * undo again. */
static apr_status_t undo_edited(journal_undo_t *undo, journal_t *journal,
                                journal_drift_t drift, acme_err_t *err,
                                apr_pool_t *result_pool,
                                apr_pool_t *scratch_pool)
{
    journal_outlook_t outlook = { journal->active, NULL, NULL };
    journal_view_t view;
    apr_status_t rv;

    base_err_clear(err);
    apr_array_clear(undo->conflicts);
    journal_view_init(&view, scratch_pool);
    rv = journal_look(&outlook, &view, drift, undo, err, result_pool);
    if (rv == APR_SUCCESS) {
        rv = journal_set_aside(journal, &outlook, err, scratch_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = journal_plan_write(journal->active, outlook.items, err,
                                scratch_pool);
    }
    if (rv != APR_SUCCESS) {
        err->exit = BASE_EXIT_JOURNAL;
        return rv;
    }
    apr_array_clear(undo->conflicts);
    return journal_undo_active(undo, journal, err, result_pool,
                               scratch_pool);
}

apr_status_t journal_recover(journal_undo_t *undo, journal_t *journal,
                             journal_drift_t drift, acme_err_t *err,
                             apr_pool_t *result_pool,
                             apr_pool_t *scratch_pool)
{
    apr_status_t rv = must_be_idle(journal, err);

    journal_undo_init(undo, result_pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = settle(journal, err, scratch_pool);
    if (rv != APR_SUCCESS || !journal_is_active(journal)) {
        return rv;
    }
    rv = journal_undo_active(undo, journal, err, result_pool, scratch_pool);
    if (rv != APR_SUCCESS && undo->conflicts->nelts > 0
        && drift != JOURNAL_DRIFT_REFUSE) {
        rv = undo_edited(undo, journal, drift, err, result_pool,
                         scratch_pool);
    }
    if (rv != APR_SUCCESS) {
        base_err_wrap(err, "while undoing an interrupted change");
    }
    return rv;
}

/* -------------------------------------------------------------- rollback */

/* The checkpoints meant by how, the newest first, of journal_outlook_t. */
static apr_status_t choose(apr_array_header_t **poutlooks,
                           const journal_t *journal,
                           const journal_rollback_t *how, acme_err_t *err,
                           apr_pool_t *pool)
{
    journal_outlook_t *outlook;
    apr_array_header_t *ids;
    unsigned long id;
    apr_status_t rv = journal_ids(&ids, journal, err, pool);
    int i, found = 0;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *poutlooks = apr_array_make(pool, 4, sizeof(journal_outlook_t));
    for (i = ids->nelts - 1; i >= 0; i--) {
        id = APR_ARRAY_IDX(ids, i, unsigned long);
        if (how->count > 0 ? ids->nelts - i > how->count : id < how->to) {
            break;
        }
        outlook = apr_array_push(*poutlooks);
        memset(outlook, 0, sizeof(*outlook));
        outlook->dir = journal_cp_path(journal, id, pool);
        found |= id == how->to;
    }
    if (how->count > 0 && (*poutlooks)->nelts < how->count) {
        return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                            ids->nelts == 0
                            ? "there is no checkpoint to undo"
                            : "cannot undo %d checkpoints: there %s %d",
                            how->count, ids->nelts == 1 ? "is" : "are",
                            ids->nelts);
    }
    if (how->count <= 0 && !found) {
        return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                            "cannot undo checkpoint %lu: there is none of "
                            "this number: see \"acmectl checkpoints\"",
                            how->to);
    }
    return APR_SUCCESS;
}

static apr_status_t look_at_all(apr_array_header_t *outlooks,
                                journal_view_t *view, journal_undo_t *undo,
                                const journal_rollback_t *how,
                                acme_err_t *err, apr_pool_t *result_pool)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < outlooks->nelts && rv == APR_SUCCESS; i++) {
        rv = journal_look(&APR_ARRAY_IDX(outlooks, i, journal_outlook_t),
                          view, how->drift, undo, err, result_pool);
    }
    if (rv == APR_SUCCESS && undo->conflicts->nelts > 0) {
        rv = base_err_set(err, APR_EGENERAL, BASE_EXIT_JOURNAL,
                          "nothing was undone: %d file%s changed since, the "
                          "first is %s: --merge keeps such changes where "
                          "they do not overlap, --force sets them aside",
                          undo->conflicts->nelts,
                          undo->conflicts->nelts == 1 ? " was" : "s were",
                          APR_ARRAY_IDX(undo->conflicts, 0,
                                        journal_file_t).path);
    }
    return rv;
}

/* For a plan: what would change, and how. */
static void describe(journal_undo_t *undo, journal_rollback_t *how,
                     const journal_view_t *view, apr_pool_t *pool)
{
    const journal_viewed_t *viewed;
    journal_file_t *file;
    int i;

    how->diff = "";
    for (i = 0; i < view->order->nelts; i++) {
        viewed = APR_ARRAY_IDX(view->order, i, journal_viewed_t *);
        if (strcmp(viewed->was.state, viewed->now.state) == 0) {
            continue;
        }
        file = apr_array_push(undo->files);
        memset(file, 0, sizeof(*file));
        file->path = viewed->path;
        file->op = viewed->op;
        how->diff = apr_pstrcat(pool, how->diff, journal_diff_states(
            viewed->path, viewed->was.state, viewed->was.data,
            viewed->was.len, viewed->now.state, viewed->now.data,
            viewed->now.len, pool), NULL);
    }
}

static int is_merging(const apr_array_header_t *outlooks)
{
    int i, items = 0;

    for (i = 0; i < outlooks->nelts; i++) {
        items += APR_ARRAY_IDX(outlooks, i, journal_outlook_t).items->nelts;
    }
    return items > 0;
}

/* Content that nobody has written as a whole is tested as a whole. */
static apr_status_t test_merged(journal_t *journal,
                                const journal_rollback_t *how,
                                const journal_view_t *view, acme_err_t *err,
                                apr_pool_t *pool)
{
    apr_array_header_t *pres = apr_array_make(pool, 8,
                                              sizeof(journal_pre_t));
    const journal_viewed_t *viewed;
    journal_pre_t *pre;
    int i;

    if (!how->test) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "a merge needs a test of the configuration");
    }
    for (i = 0; i < view->order->nelts; i++) {
        viewed = APR_ARRAY_IDX(view->order, i, journal_viewed_t *);
        pre = apr_array_push(pres);
        pre->real = viewed->real;
        pre->state = viewed->now.state;
        pre->data = viewed->now.data;
        pre->len = viewed->now.len;
        pre->attrs = &viewed->now.attrs;
    }
    return journal_preview_run(journal, pres, how->test, how->baton, err,
                               pool);
}

/* Everything that is decided is on disk before the first file changes. */
static apr_status_t prepare(journal_t *journal, apr_array_header_t *outlooks,
                            acme_err_t *err, apr_pool_t *pool)
{
    journal_outlook_t *outlook;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < outlooks->nelts && rv == APR_SUCCESS; i++) {
        outlook = &APR_ARRAY_IDX(outlooks, i, journal_outlook_t);
        rv = journal_set_aside(journal, outlook, err, pool);
        if (rv == APR_SUCCESS) {
            rv = journal_plan_write(outlook->dir, outlook->items, err, pool);
        }
    }
    return rv;
}

static apr_status_t undo_one(journal_undo_t *undo, journal_t *journal,
                             const char *cp, acme_err_t *err,
                             apr_pool_t *result_pool,
                             apr_pool_t *scratch_pool)
{
    apr_status_t rv = base_file_rename(cp, journal->active, err,
                                       scratch_pool);

    if (rv == APR_SUCCESS) {
        rv = base_dir_sync(journal->cp, err);
    }
    if (rv != APR_SUCCESS) {
        if (journal_is_active(journal)) {
            err->exit = BASE_EXIT_JOURNAL;
        }
        return rv;
    }
    return journal_undo_active(undo, journal, err, result_pool,
                               scratch_pool);
}

apr_status_t journal_rollback(journal_undo_t *undo, journal_t *journal,
                              journal_rollback_t *how, acme_err_t *err,
                              apr_pool_t *result_pool,
                              apr_pool_t *scratch_pool)
{
    apr_array_header_t *outlooks;
    journal_view_t view;
    apr_status_t rv = must_be_idle(journal, err);
    int i;

    journal_undo_init(undo, result_pool);
    journal_view_init(&view, result_pool);
    if (rv == APR_SUCCESS && journal_is_active(journal)) {
        return base_err_set(err, APR_EEXIST, BASE_EXIT_JOURNAL,
                            "an interrupted change is in %s: run \"acmectl "
                            "recover\" first", journal->active);
    }
    if (rv == APR_SUCCESS) {
        rv = choose(&outlooks, journal, how, err, scratch_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = look_at_all(outlooks, &view, undo, how, err, result_pool);
    }
    if (rv == APR_SUCCESS && how->drift == JOURNAL_DRIFT_MERGE
        && is_merging(outlooks)) {
        rv = test_merged(journal, how, &view, err, scratch_pool);
    }
    if (rv == APR_SUCCESS && how->plan) {
        describe(undo, how, &view, result_pool);
        return APR_SUCCESS;
    }
    if (rv == APR_SUCCESS) {
        rv = prepare(journal, outlooks, err, scratch_pool);
    }
    for (i = 0; rv == APR_SUCCESS && i < outlooks->nelts; i++) {
        rv = undo_one(undo, journal,
                      APR_ARRAY_IDX(outlooks, i, journal_outlook_t).dir, err,
                      result_pool, scratch_pool);
    }
    return rv;
}
