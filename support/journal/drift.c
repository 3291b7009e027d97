/*
 * drift.c: files that the user edited since we changed them. They are found
 * before anything is undone, and what is to become of each is written down
 * (plan) before it happens, so that recovery decides the same again.
 */
#include <string.h>

#include <apr_strings.h>

#include "journal/internal.h"

#define PLAN "plan"

/* -------------------------------------------------------------- conflicts */

apr_status_t journal_conflict_add(journal_undo_t *undo, const char *dir,
                                  const journal_chain_t *chain,
                                  const journal_seen_t *seen,
                                  acme_err_t *err, apr_pool_t *result_pool)
{
    journal_file_t *file = apr_array_push(undo->conflicts);
    apr_size_t len;
    char *data;
    apr_status_t rv = journal_new_read(&data, &len, dir, chain->last, err,
                                       result_pool);

    memset(file, 0, sizeof(*file));
    file->path = apr_pstrdup(result_pool, chain->first->path);
    file->op = chain->first->op;
    file->diff = rv != APR_SUCCESS ? "" : journal_diff_states(
        file->path, chain->last->after, data, len, seen->state, seen->data,
        seen->len, result_pool);
    return rv;
}

/* ----------------------------------------------------------------- plan */

static json_t *item_to_json(const journal_item_t *item)
{
    json_t *json = json_pack("{s:s, s:s, s:s}", "real", item->real,
                             "from", item->from, "to", item->to);

    if (json && item->file) {
        json_object_set_new(json, "file", json_string(item->file));
    }
    if (json && item->aside) {
        json_object_set_new(json, "aside", json_string(item->aside));
    }
    return json;
}

apr_status_t journal_plan_write(const char *dir,
                                const apr_array_header_t *items,
                                acme_err_t *err, apr_pool_t *scratch_pool)
{
    json_t *files = json_array(), *plan;
    const journal_item_t *item;
    apr_status_t rv = APR_SUCCESS;
    int i;

    plan = base_json_own(json_pack("{s:i, s:o}", "format", JOURNAL_FORMAT,
                                   "files", files), scratch_pool);
    if (items->nelts == 0) {
        return base_file_remove(journal_path(dir, PLAN, scratch_pool), err,
                                scratch_pool);
    }
    for (i = 0; i < items->nelts && rv == APR_SUCCESS; i++) {
        item = APR_ARRAY_IDX(items, i, journal_item_t *);
        json_array_append_new(files, item_to_json(item));
        if (item->file) {
            rv = base_file_write(journal_path(dir, item->file, scratch_pool),
                                 item->data, item->len, JOURNAL_FILE_MODE,
                                 err, scratch_pool);
        }
    }
    return rv == APR_SUCCESS ? journal_sealed_write(dir, PLAN, plan, err,
                                                    scratch_pool) : rv;
}

/* m.K.I and nothing else. */
static int is_merged_name(const char *name)
{
    apr_size_t a, b;

    if (!name) {
        return 1;
    }
    a = strspn(name + (strncmp(name, "m.", 2) == 0 ? 2 : 0), "0123456789");
    if (strncmp(name, "m.", 2) != 0 || a == 0 || name[2 + a] != '.') {
        return 0;
    }
    b = strspn(name + 3 + a, "0123456789");
    return b > 0 && name[3 + a + b] == '\0' && a + b < 12;
}

apr_status_t journal_plan_read(apr_hash_t **pitems, const char *dir,
                               acme_err_t *err, apr_pool_t *result_pool)
{
    json_t *plan, *files, *json;
    journal_item_t *item;
    apr_status_t rv;
    int format;
    size_t i;

    *pitems = apr_hash_make(result_pool);
    rv = journal_sealed_read(&plan, dir, PLAN, err, result_pool);
    if (APR_STATUS_IS_ENOENT(rv)) {
        base_err_clear(err);
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (json_unpack(plan, "{s:i, s:o}", "format", &format, "files", &files)
        == -1 || format != JOURNAL_FORMAT) {
        return journal_damaged(err, dir, "its plan has not its shape");
    }
    json_array_foreach(files, i, json) {
        item = apr_pcalloc(result_pool, sizeof(*item));
        if (json_unpack(json, "{s:s, s:s, s:s, s?s, s?s}", "real",
                        &item->real, "from", &item->from, "to", &item->to,
                        "file", &item->file, "aside", &item->aside) == -1
            || !is_merged_name(item->file)) {
            return journal_damaged(err, dir, "its plan has not its shape");
        }
        apr_hash_set(*pitems, item->real, APR_HASH_KEY_STRING, item);
    }
    return APR_SUCCESS;
}

/* ----------------------------------------------------------------- views */

void journal_view_init(journal_view_t *view, apr_pool_t *pool)
{
    view->files = apr_hash_make(pool);
    view->order = apr_array_make(pool, 8, sizeof(journal_viewed_t *));
    view->pool = pool;
}

/* What is at a real path; absent when its folder is. */
static apr_status_t read_live(journal_seen_t *seen, const char *real,
                              acme_err_t *err, apr_pool_t *pool)
{
    acme_err_t first = { 0 };
    apr_pool_t *scratch;
    base_at_t *at;
    apr_status_t rv;

    memset(seen, 0, sizeof(*seen));
    seen->state = JOURNAL_ABSENT;
    apr_pool_create(&scratch, pool);
    rv = base_at_open(&at, base_path_dir(real, pool), &first, scratch);
    if (rv == APR_SUCCESS) {
        rv = journal_state_read(seen, at, journal_name(real), err, pool);
    }
    else if (APR_STATUS_IS_ENOENT(rv) || APR_STATUS_IS_ENOTDIR(rv)) {
        rv = APR_SUCCESS;
    }
    else {
        *err = first;
    }
    apr_pool_destroy(scratch);
    return rv;
}

static apr_status_t view_get(journal_viewed_t **pviewed,
                             journal_view_t *view,
                             const journal_entry_t *first, acme_err_t *err)
{
    journal_viewed_t *viewed = apr_hash_get(view->files, first->real,
                                            APR_HASH_KEY_STRING);
    apr_status_t rv;

    if (!viewed) {
        viewed = apr_pcalloc(view->pool, sizeof(*viewed));
        rv = read_live(&viewed->was, first->real, err, view->pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        viewed->now = viewed->was;
        viewed->real = apr_pstrdup(view->pool, first->real);
        apr_hash_set(view->files, viewed->real, APR_HASH_KEY_STRING, viewed);
        APR_ARRAY_PUSH(view->order, journal_viewed_t *) = viewed;
    }
    viewed->path = first->path;
    viewed->op = first->op;
    *pviewed = viewed;
    return APR_SUCCESS;
}

/* 1 if a directory will still hold something: what is there now and will
 * not be gone. */
static apr_status_t dir_stays(int *pstays, const journal_view_t *view,
                              const char *real, acme_err_t *err)
{
    const journal_viewed_t *viewed;
    apr_array_header_t *names;
    apr_status_t rv = base_dir_list(&names, real, err, view->pool);
    int i;

    *pstays = 0;
    for (i = 0; rv == APR_SUCCESS && i < names->nelts; i++) {
        viewed = apr_hash_get(view->files, journal_path(
            real, APR_ARRAY_IDX(names, i, char *), view->pool),
            APR_HASH_KEY_STRING);
        if (!viewed || strcmp(viewed->now.state, JOURNAL_ABSENT) != 0) {
            *pstays = 1;
        }
    }
    return rv;
}

/* ---------------------------------------------------------------- decide */

typedef struct look_t {
    journal_outlook_t *outlook;
    journal_view_t *view;
    journal_drift_t drift;
    journal_undo_t *undo;
    apr_pool_t *pool;
} look_t;

static journal_item_t *item_add(look_t *look, const journal_chain_t *chain,
                                const char *from, const char *to)
{
    journal_item_t *item = apr_pcalloc(look->pool, sizeof(*item));

    item->real = chain->first->real;
    item->from = from;
    item->to = to;
    APR_ARRAY_PUSH(look->outlook->items, journal_item_t *) = item;
    return item;
}

/* The file will be as it was before chain. */
static apr_status_t foresee(look_t *look, const journal_chain_t *chain,
                            journal_viewed_t *viewed, acme_err_t *err)
{
    journal_seen_t *now = &viewed->now;

    if (!journal_state_is_file(now->state)) {
        now->attrs = chain->first->old_attrs;
    }
    now->state = chain->first->before;
    return journal_old_read(&now->data, &now->len, look->outlook->dir,
                            chain->first, err, look->pool);
}

/* The user's edit and the rest of the file as before; *pdone 0 if they
 * overlap. */
static apr_status_t merge(int *pdone, look_t *look,
                          const journal_chain_t *chain,
                          journal_viewed_t *viewed, acme_err_t *err)
{
    const char *dir = look->outlook->dir;
    journal_seen_t *now = &viewed->now;
    apr_size_t base_len, old_len, len;
    char *base, *old, *data;
    journal_item_t *item;
    apr_status_t rv;

    *pdone = 0;
    if (!journal_state_is_file(now->state)
        || !journal_state_is_file(chain->first->before)) {
        return APR_SUCCESS;
    }
    rv = journal_new_read(&base, &base_len, dir, chain->last, err,
                          look->pool);
    if (rv == APR_SUCCESS) {
        rv = journal_old_read(&old, &old_len, dir, chain->first, err,
                              look->pool);
    }
    if (rv != APR_SUCCESS
        || !journal_merge(&data, &len, base, base_len, old, old_len,
                          now->data, now->len, look->pool)) {
        return rv;
    }
    item = item_add(look, chain, now->state,
                    journal_state_of_file(data, len, look->pool));
    item->file = apr_psprintf(look->pool, "m.%d.%d", chain->first->save,
                              chain->first->index);
    item->data = data;
    item->len = len;
    now->state = item->to;
    now->data = data;
    now->len = len;
    *pdone = 1;
    return APR_SUCCESS;
}

/* The file becomes as before; what the user has there is to be set aside. */
static apr_status_t force(look_t *look, const journal_chain_t *chain,
                          journal_viewed_t *viewed, acme_err_t *err)
{
    journal_seen_t *now = &viewed->now;
    journal_item_t *item = item_add(look, chain, now->state,
                                    chain->first->before);

    if (journal_state_is_file(now->state)) {
        item->user = now->data;
        item->user_len = now->len;
    }
    else if (strncmp(now->state, "link:", 5) == 0) {
        item->user = now->state + 5;
        item->user_len = strlen(item->user);
    }
    return foresee(look, chain, viewed, err);
}

static apr_status_t decide(look_t *look, const journal_chain_t *chain,
                           journal_viewed_t *viewed, acme_err_t *err)
{
    const char *state = viewed->now.state;
    int is_dir = strcmp(state, JOURNAL_DIR) == 0
                 || strcmp(state, "other") == 0;
    int done = 0;
    apr_status_t rv = APR_SUCCESS;

    if (look->drift == JOURNAL_DRIFT_KEEP
        || (is_dir && look->drift != JOURNAL_DRIFT_REFUSE)) {
        /* a directory with files of others in it is never removed */
        item_add(look, chain, state, state);
        return APR_SUCCESS;
    }
    if (look->drift == JOURNAL_DRIFT_MERGE) {
        rv = merge(&done, look, chain, viewed, err);
    }
    else if (look->drift == JOURNAL_DRIFT_FORCE) {
        rv = force(look, chain, viewed, err);
        done = 1;
    }
    return rv == APR_SUCCESS && !done
           ? journal_conflict_add(look->undo, look->outlook->dir, chain,
                                  &viewed->now, err, look->pool) : rv;
}

static apr_status_t look_at(look_t *look, const journal_chain_t *chain,
                            acme_err_t *err)
{
    journal_viewed_t *viewed;
    int edited, stays = 0;
    apr_status_t rv = view_get(&viewed, look->view, chain->first, err);

    if (rv != APR_SUCCESS
        || strcmp(viewed->now.state, chain->first->before) == 0) {
        return rv;
    }
    edited = !journal_chain_knows(chain, viewed->now.state)
             || journal_chain_is_repointed(chain, look->pool);
    if (!edited && strcmp(viewed->now.state, JOURNAL_DIR) == 0) {
        rv = dir_stays(&stays, look->view, viewed->real, err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return edited || stays ? decide(look, chain, viewed, err)
                           : foresee(look, chain, viewed, err);
}

apr_status_t journal_look(journal_outlook_t *outlook, journal_view_t *view,
                          journal_drift_t drift, journal_undo_t *undo,
                          acme_err_t *err, apr_pool_t *result_pool)
{
    look_t look = { outlook, view, drift, undo, result_pool };
    apr_status_t rv = journal_record_read(&outlook->record, outlook->dir,
                                          err, result_pool);
    int i;

    outlook->items = apr_array_make(result_pool, 2,
                                    sizeof(journal_item_t *));
    for (i = rv == APR_SUCCESS ? outlook->record->chains->nelts - 1 : -1;
         i >= 0 && rv == APR_SUCCESS; i--) {
        rv = look_at(&look, APR_ARRAY_IDX(outlook->record->chains, i,
                                          journal_chain_t *), err);
    }
    return rv;
}

/* -------------------------------------------------------------- set aside */

static apr_status_t set_one_aside(const char *folder, journal_item_t *item,
                                  acme_err_t *err, apr_pool_t *pool)
{
    const char *note = apr_pstrcat(pool, item->real, "\n", NULL);
    apr_array_header_t *names;
    apr_status_t rv = base_dir_list(&names, folder, err, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    item->aside = apr_psprintf(pool, "%s/%d.%.200s", folder,
                               names->nelts / 2 + 1,
                               journal_name(item->real));
    rv = base_file_write(apr_psprintf(pool, "%s/%d.path", folder,
                                      names->nelts / 2 + 1),
                         note, strlen(note), JOURNAL_FILE_MODE, err, pool);
    return rv == APR_SUCCESS
           ? base_file_write(item->aside, item->user, item->user_len,
                             JOURNAL_FILE_MODE, err, pool) : rv;
}

apr_status_t journal_set_aside(const journal_t *journal,
                               journal_outlook_t *outlook, acme_err_t *err,
                               apr_pool_t *scratch_pool)
{
    const char *folder = NULL;
    journal_item_t *item;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < outlook->items->nelts && rv == APR_SUCCESS; i++) {
        item = APR_ARRAY_IDX(outlook->items, i, journal_item_t *);
        if (!item->user) {
            continue;
        }
        if (!folder) {
            folder = journal_path(journal->conflicts, outlook->record->id,
                                  scratch_pool);
            rv = base_dir_make(folder, JOURNAL_DIR_MODE, err, scratch_pool);
        }
        if (rv == APR_SUCCESS) {
            rv = set_one_aside(folder, item, err, scratch_pool);
        }
    }
    return rv;
}
