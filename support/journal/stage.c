/*
 * stage.c: a transaction before and around its saves; the look at a change.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "journal/internal.h"

#define NOTE_MAX 1000
#define NOTES_MAX 1000
#define TITLE_MAX 200

/* ---------------------------------------------------------------- begin */

static apr_status_t begin_refused(const journal_t *journal, acme_err_t *err)
{
    if (journal->txn) {
        return base_err_set(err, APR_EEXIST, BASE_EXIT_FAILED,
                            "cannot begin a change: a %s one is under way",
                            journal->txn->kind == JOURNAL_TEMPORARY
                            ? "temporary" : "permanent");
    }
    return base_err_set(err, APR_EEXIST, BASE_EXIT_JOURNAL,
                        "cannot begin a change: an interrupted one is in %s: "
                        "run \"acmectl recover\"", journal->active);
}

apr_status_t journal_begin(journal_txn_t **ptxn, journal_t *journal,
                           journal_kind_t kind, apr_time_t now,
                           acme_err_t *err, apr_pool_t *result_pool)
{
    unsigned char random[JOURNAL_ID_LEN / 2];
    char *id = apr_pcalloc(result_pool, JOURNAL_ID_LEN + 1);
    journal_txn_t *txn;
    apr_status_t rv = journal_must_hold(journal, err);
    apr_size_t i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (journal->txn || journal_is_active(journal)) {
        return begin_refused(journal, err);
    }
    rv = apr_generate_random_bytes(random, sizeof(random));
    if (rv != APR_SUCCESS) {
        return base_err_path(err, rv, "find a number for a change in",
                             journal->dir);
    }
    for (i = 0; i < sizeof(random); i++) {
        snprintf(id + 2 * i, 3, "%02x", random[i]);
    }
    txn = apr_pcalloc(result_pool, sizeof(*txn));
    txn->journal = journal;
    txn->kind = kind;
    txn->now = now;
    txn->id = id;
    txn->staged = apr_array_make(result_pool, 8, sizeof(journal_entry_t *));
    txn->notes = apr_array_make(result_pool, 4, sizeof(const char *));
    txn->pool = result_pool;
    journal->txn = txn;
    *ptxn = txn;
    return APR_SUCCESS;
}

static apr_status_t must_go_on(const journal_txn_t *txn, acme_err_t *err)
{
    if (txn->over) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "this change of the configuration has ended");
    }
    return APR_SUCCESS;
}

apr_status_t journal_note(journal_txn_t *txn, const char *note,
                          acme_err_t *err)
{
    char line[NOTE_MAX];
    apr_status_t rv = must_go_on(txn, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (txn->notes->nelts >= NOTES_MAX) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "a save takes at most %d notes", NOTES_MAX);
    }
    base_clean(line, sizeof(line), note);
    APR_ARRAY_PUSH(txn->notes, const char *) = apr_pstrdup(txn->pool, line);
    return APR_SUCCESS;
}

/* -------------------------------------------------------------- a change */

static apr_status_t refuse(acme_err_t *err, apr_status_t status,
                           const char *path, const char *why)
{
    return base_err_set(err, status, BASE_EXIT_FAILED,
                        "cannot change %s: %s", path, why);
}

/* The staged MKDIR that makes dir. @return NULL if none does */
static const journal_entry_t *staged_dir(const journal_txn_t *txn,
                                         const char *dir)
{
    const journal_entry_t *entry;
    int i;

    for (i = 0; i < txn->staged->nelts; i++) {
        entry = APR_ARRAY_IDX(txn->staged, i, journal_entry_t *);
        if (entry->op == JOURNAL_MKDIR
            && (strcmp(entry->path, dir) == 0
                || strcmp(entry->real, dir) == 0)) {
            return entry;
        }
    }
    return NULL;
}

/* Where a new name will be, and its temporary. */
static apr_status_t resolve_new(journal_entry_t *entry,
                                const journal_txn_t *txn, acme_err_t *err)
{
    const char *name = journal_name(entry->path), *real;
    const char *dir = base_path_dir(entry->path, txn->pool);
    const journal_entry_t *made = staged_dir(txn, dir);
    apr_status_t rv;

    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return refuse(err, APR_EINVAL, entry->path, "it ends in no name");
    }
    if (made) {
        real = made->real;
        entry->temp_dir = made->temp_dir;
    }
    else {
        rv = base_path_real(&real, dir, err, txn->pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        entry->temp_dir = real;
    }
    entry->real = apr_pstrcat(txn->pool, real[1] ? real : "", "/", name,
                              NULL);
    return APR_SUCCESS;
}

/* Real path and folder for temporaries; nothing is opened yet. */
static apr_status_t resolve(journal_entry_t *entry, const journal_txn_t *txn,
                            const journal_change_t *change, acme_err_t *err)
{
    apr_status_t rv;
    int i;

    if (*change->path != '/' || strlen(change->path) >= 4096) {
        return refuse(err, APR_EINVAL, change->path,
                      "give its whole path, from / on");
    }
    if (change->op == JOURNAL_MODIFY) {
        rv = base_path_real(&entry->real, entry->path, err, txn->pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        entry->temp_dir = base_path_dir(entry->real, txn->pool);
    }
    else {
        rv = resolve_new(entry, txn, err);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    for (i = 0; i < change->stage_up; i++) {
        entry->temp_dir = base_path_dir(entry->temp_dir, txn->pool);
    }
    return APR_SUCCESS;
}

/* A folder that others can write lets them change what we make root's. */
static apr_status_t check_folder(const base_at_t *at, acme_err_t *err)
{
    const char *why = base_at_fixed(at, NULL);
    struct stat st;
    apr_status_t rv = base_at_stat(&st, at, ".", err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (why) {
        return refuse(err, APR_EACCES, at->path, why);
    }
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                            "cannot change files in %s: the directory "
                            "belongs to user %lu, who could change them "
                            "too: chown %lu %s", at->path,
                            (unsigned long)st.st_uid,
                            (unsigned long)geteuid(), at->path);
    }
    if (st.st_mode & S_IWOTH) {
        return base_err_set(err, APR_EACCES, BASE_EXIT_FAILED,
                            "cannot change files in %s: everybody may write "
                            "in it: chmod o-w %s", at->path, at->path);
    }
    return APR_SUCCESS;
}

/* Folder of the target (unless it is still to be made) and of temporaries,
 * which must be on one file system. */
static apr_status_t check_folders(const journal_entry_t *entry,
                                  const journal_txn_t *txn,
                                  journal_dirs_t *dirs, acme_err_t *err)
{
    const char *dir = base_path_dir(entry->real, dirs->pool);
    struct stat a, b;
    base_at_t *at, *temp;
    apr_status_t rv = journal_dirs_get(&temp, dirs, entry->temp_dir, err);

    if (rv == APR_SUCCESS) {
        rv = check_folder(temp, err);
    }
    if (rv == APR_SUCCESS) {
        rv = base_at_room(temp, entry->new_len, err);
    }
    if (rv != APR_SUCCESS || staged_dir(txn, dir)) {
        return rv;
    }
    rv = journal_dirs_get(&at, dirs, dir, err);
    if (rv == APR_SUCCESS && at != temp) {
        rv = check_folder(at, err);
    }
    if (rv == APR_SUCCESS) {
        rv = base_at_stat(&a, at, ".", err);
    }
    if (rv == APR_SUCCESS) {
        rv = base_at_stat(&b, temp, ".", err);
    }
    if (rv == APR_SUCCESS && a.st_dev != b.st_dev) {
        return base_err_path(err, EXDEV, "stage a new file in",
                             entry->temp_dir);
    }
    return rv;
}

/* The file itself: content, attributes, and that it can be replaced. */
static apr_status_t check_file(journal_seen_t *seen,
                               const journal_entry_t *entry,
                               journal_dirs_t *dirs, acme_err_t *err)
{
    const char *name = journal_name(entry->real), *why;
    struct stat st;
    base_at_t *at;
    apr_status_t rv = journal_dirs_get(&at, dirs,
                                       base_path_dir(entry->real, dirs->pool),
                                       err);

    if (rv == APR_SUCCESS) {
        rv = base_at_stat(&st, at, name, err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!S_ISREG(st.st_mode)) {
        return refuse(err, APR_EINVAL, entry->real, "it is not a regular "
                      "file");
    }
    if (st.st_nlink != 1) {
        return refuse(err, APR_EINVAL, entry->real, "it has other names "
                      "(hard links), which would keep the old content: "
                      "make it a file of its own");
    }
    why = base_at_fixed(at, name);
    if (why) {
        return refuse(err, APR_EACCES, entry->real, why);
    }
    rv = journal_state_read(seen, at, name, err, dirs->pool);
    if (rv == APR_SUCCESS && !journal_state_is_file(seen->state)) {
        return refuse(err, APR_EINVAL, entry->real, "it is too large");
    }
    return rv;
}

/* A name that is to be made must be free, on disk and in this save. */
static apr_status_t check_free(const journal_entry_t *entry,
                               const journal_txn_t *txn,
                               journal_dirs_t *dirs, acme_err_t *err)
{
    const char *dir = base_path_dir(entry->real, dirs->pool);
    journal_seen_t seen;
    base_at_t *at;
    apr_status_t rv;

    if (staged_dir(txn, dir)) {
        return APR_SUCCESS;
    }
    rv = journal_dirs_get(&at, dirs, dir, err);
    if (rv == APR_SUCCESS) {
        rv = journal_state_read(&seen, at, journal_name(entry->real), err,
                                dirs->pool);
    }
    if (rv == APR_SUCCESS && strcmp(seen.state, JOURNAL_ABSENT) != 0) {
        return refuse(err, APR_EEXIST, entry->real, "it is there already");
    }
    return rv;
}

static apr_status_t check_twice(const journal_entry_t *entry,
                                const journal_txn_t *txn, acme_err_t *err)
{
    const journal_entry_t *other;
    int i;

    if (txn->staged->nelts >= JOURNAL_FILES_MAX
        || txn->saves >= JOURNAL_SAVES_MAX) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "one change takes at most %d files and %d saves",
                            JOURNAL_FILES_MAX, JOURNAL_SAVES_MAX);
    }
    for (i = 0; i < txn->staged->nelts; i++) {
        other = APR_ARRAY_IDX(txn->staged, i, journal_entry_t *);
        if (other != entry && strcmp(other->real, entry->real) == 0) {
            return refuse(err, APR_EEXIST, entry->real, "it is changed "
                          "twice in one save");
        }
    }
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- stage */

/* What new differs from old by: one splice. */
static void find_splice(journal_entry_t *entry)
{
    apr_size_t least = entry->old_len < entry->new_len ? entry->old_len
                                                       : entry->new_len;
    apr_size_t head = 0, tail = 0;
    const char *a = entry->old, *b = entry->data;

    while (head < least && a[head] == b[head]) {
        head++;
    }
    while (tail < least - head && a[entry->old_len - 1 - tail]
                                  == b[entry->new_len - 1 - tail]) {
        tail++;
    }
    entry->splice_at = head;
    entry->splice_remove = entry->old_len - head - tail;
    entry->insert = b + head;
    entry->insert_len = entry->new_len - head - tail;
}

static apr_status_t take_modify(journal_entry_t *entry,
                                const journal_change_t *change,
                                journal_dirs_t *dirs, acme_err_t *err)
{
    journal_seen_t seen;
    apr_status_t rv = check_file(&seen, entry, dirs, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (change->parsed
        && (change->parsed_len != seen.len
            || memcmp(change->parsed, seen.data, seen.len) != 0)) {
        return base_err_set(err, APR_EAGAIN, BASE_EXIT_BUSY,
                            "cannot change %s: somebody else changed it "
                            "meanwhile: try again", entry->path);
    }
    entry->before = seen.state;
    entry->old = seen.data;
    entry->old_len = seen.len;
    entry->old_attrs = seen.attrs;
    entry->new_attrs = seen.attrs;
    return APR_SUCCESS;
}

/* Attributes of something new: of the file it is like, or our own. */
static apr_status_t take_attrs(journal_entry_t *entry,
                               const journal_change_t *change,
                               journal_dirs_t *dirs, acme_err_t *err)
{
    journal_seen_t seen;
    const char *real;
    base_at_t *at;
    apr_status_t rv;

    entry->new_attrs.mode = change->mode & 07777;
    entry->new_attrs.uid = geteuid();
    entry->new_attrs.gid = getegid();
    if (!change->like || entry->op != JOURNAL_CREATE) {
        return APR_SUCCESS;
    }
    rv = base_path_real(&real, change->like, err, dirs->pool);
    if (rv == APR_SUCCESS) {
        rv = journal_dirs_get(&at, dirs, base_path_dir(real, dirs->pool),
                              err);
    }
    if (rv == APR_SUCCESS) {
        rv = journal_state_read(&seen, at, journal_name(real), err,
                                dirs->pool);
    }
    if (rv == APR_SUCCESS && !journal_state_is_file(seen.state)) {
        return refuse(err, APR_EINVAL, change->like, "it is no regular file "
                      "to copy owner and mode from");
    }
    entry->new_attrs = seen.attrs;
    return rv;
}

static void take_after(journal_entry_t *entry, apr_pool_t *pool)
{
    switch (entry->op) {
    case JOURNAL_MODIFY:
    case JOURNAL_CREATE:
        entry->after = journal_state_of_file(entry->data, entry->new_len,
                                             pool);
        find_splice(entry);
        break;
    case JOURNAL_SYMLINK:
        entry->after = apr_pstrcat(pool, "link:", entry->data, NULL);
        entry->new_len = 0;
        break;
    case JOURNAL_MKDIR:
        entry->after = JOURNAL_DIR;
        entry->new_len = 0;
        break;
    }
}

static apr_status_t take(journal_entry_t *entry, journal_txn_t *txn,
                         const journal_change_t *change,
                         journal_dirs_t *dirs, acme_err_t *err)
{
    apr_status_t rv = resolve(entry, txn, change, err);

    if (rv == APR_SUCCESS) {
        rv = check_twice(entry, txn, err);
    }
    if (rv == APR_SUCCESS) {
        rv = check_folders(entry, txn, dirs, err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (entry->op == JOURNAL_MODIFY) {
        return take_modify(entry, change, dirs, err);
    }
    entry->before = JOURNAL_ABSENT;
    entry->old = "";
    rv = take_attrs(entry, change, dirs, err);
    return rv == APR_SUCCESS ? check_free(entry, txn, dirs, err) : rv;
}

/* Directories first, then by step; equal ones stay in order. */
static void insert_sorted(apr_array_header_t *staged, journal_entry_t *entry)
{
    journal_entry_t **all;
    int i;

    if (entry->op == JOURNAL_MKDIR) {
        entry->step = JOURNAL_STEP_UNUSED;
    }
    APR_ARRAY_PUSH(staged, journal_entry_t *) = entry;
    all = (journal_entry_t **)staged->elts;
    for (i = staged->nelts - 1;
         i > 0 && (all[i - 1]->step > entry->step
                   || (entry->op == JOURNAL_MKDIR
                       && all[i - 1]->op != JOURNAL_MKDIR)); i--) {
        all[i] = all[i - 1];
    }
    all[i] = entry;
}

/* xattrs and what they point to, into a pool that lives longer. */
static void attrs_keep(base_attrs_t *attrs, apr_pool_t *pool)
{
    base_xattr_t *xattr;
    int i;

    if (!attrs->xattrs) {
        return;
    }
    attrs->xattrs = apr_array_copy(pool, attrs->xattrs);
    for (i = 0; i < attrs->xattrs->nelts; i++) {
        xattr = &APR_ARRAY_IDX(attrs->xattrs, i, base_xattr_t);
        xattr->name = apr_pstrdup(pool, xattr->name);
        xattr->value = apr_pmemdup(pool, xattr->value, xattr->len);
    }
}

/* What was read belongs to the scratch pool, as do the descriptors. */
static void entry_keep(journal_entry_t *entry, apr_pool_t *pool)
{
    entry->real = apr_pstrdup(pool, entry->real);
    entry->temp_dir = apr_pstrdup(pool, entry->temp_dir);
    entry->before = apr_pstrdup(pool, entry->before);
    entry->old = apr_pstrmemdup(pool, entry->old, entry->old_len);
    attrs_keep(&entry->old_attrs, pool);
    attrs_keep(&entry->new_attrs, pool);
}

apr_status_t journal_stage(journal_txn_t *txn,
                           const journal_change_t *change, acme_err_t *err)
{
    journal_entry_t *entry = apr_pcalloc(txn->pool, sizeof(*entry));
    journal_dirs_t dirs;
    apr_pool_t *scratch;
    apr_status_t rv = must_go_on(txn, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    entry->op = change->op;
    entry->step = change->step;
    entry->id = txn->id;
    entry->path = apr_pstrdup(txn->pool, change->path);
    entry->data = change->data ? change->data : "";
    entry->new_len = change->len;
    if (entry->new_len > JOURNAL_FILE_MAX) {
        return refuse(err, APR_EINVAL, entry->path, "it would be too large");
    }
    apr_pool_create(&scratch, txn->pool);
    journal_dirs_init(&dirs, scratch);
    rv = take(entry, txn, change, &dirs, err);
    if (rv == APR_SUCCESS) {
        entry_keep(entry, txn->pool);
        take_after(entry, txn->pool);
        if (strcmp(entry->before, entry->after) != 0) {
            insert_sorted(txn->staged, entry);
        }
    }
    apr_pool_destroy(scratch);
    return rv;
}

apr_status_t journal_stage_check(journal_txn_t *txn, acme_err_t *err,
                                 apr_pool_t *scratch_pool)
{
    journal_entry_t *entry;
    journal_dirs_t dirs;
    journal_seen_t seen;
    apr_status_t rv = APR_SUCCESS;
    int i;

    journal_dirs_init(&dirs, scratch_pool);
    for (i = 0; i < txn->staged->nelts && rv == APR_SUCCESS; i++) {
        entry = APR_ARRAY_IDX(txn->staged, i, journal_entry_t *);
        if (entry->op != JOURNAL_MODIFY) {
            rv = check_free(entry, txn, &dirs, err);
            continue;
        }
        rv = check_file(&seen, entry, &dirs, err);
        if (rv == APR_SUCCESS && strcmp(seen.state, entry->before) != 0) {
            rv = base_err_set(err, APR_EAGAIN, BASE_EXIT_BUSY,
                              "cannot change %s: somebody else changed it "
                              "meanwhile: try again", entry->path);
        }
    }
    return rv;
}

apr_status_t journal_staged_diff(const char **pdiff,
                                 const journal_txn_t *txn, acme_err_t *err,
                                 apr_pool_t *result_pool)
{
    const journal_entry_t *entry;
    const char *diff = "";
    int i;

    for (i = 0; i < txn->staged->nelts; i++) {
        entry = APR_ARRAY_IDX(txn->staged, i, journal_entry_t *);
        diff = apr_pstrcat(result_pool, diff, journal_diff_states(
            entry->path, entry->before, entry->old, entry->old_len,
            entry->after, entry->data, entry->new_len, result_pool), NULL);
    }
    *pdiff = diff;
    return APR_SUCCESS;
}

apr_status_t journal_preview(journal_txn_t *txn, journal_test_fn *test,
                             void *baton, acme_err_t *err,
                             apr_pool_t *scratch_pool)
{
    apr_array_header_t *pres = apr_array_make(scratch_pool, 8,
                                              sizeof(journal_pre_t));
    const journal_entry_t *entry;
    journal_pre_t *pre;
    int i;

    for (i = 0; i < txn->staged->nelts; i++) {
        entry = APR_ARRAY_IDX(txn->staged, i, journal_entry_t *);
        pre = apr_array_push(pres);
        pre->real = entry->real;
        pre->state = entry->after;
        pre->data = entry->data;
        pre->len = entry->new_len;
        pre->attrs = &entry->new_attrs;
    }
    return journal_preview_run(txn->journal, pres, test, baton, err,
                               scratch_pool);
}

/* ------------------------------------------------------------------ end */

static void txn_end(journal_txn_t *txn)
{
    txn->over = 1;
    if (txn->journal->txn == txn) {
        txn->journal->txn = NULL;
    }
}

apr_status_t journal_revert(journal_undo_t *undo, journal_txn_t *txn,
                            acme_err_t *err, apr_pool_t *result_pool,
                            apr_pool_t *scratch_pool)
{
    journal_undo_t ignored;

    undo = undo ? undo : &ignored;
    journal_undo_init(undo, result_pool);
    if (txn->over) {
        return APR_SUCCESS;
    }
    txn_end(txn);
    if (!journal_is_active(txn->journal)) {
        return APR_SUCCESS;
    }
    return journal_undo_active(undo, txn->journal, err, result_pool,
                               scratch_pool);
}

apr_status_t journal_txn_fail(journal_txn_t *txn, acme_err_t *err,
                              apr_pool_t *scratch_pool)
{
    acme_err_t second = { 0 };

    if (journal_revert(NULL, txn, &second, scratch_pool, scratch_pool)
        != APR_SUCCESS) {
        base_err_append(err, "and undoing it failed: %s", second.message);
        err->exit = BASE_EXIT_JOURNAL;
    }
    return err->status;
}

apr_status_t journal_reloading(journal_txn_t *txn, acme_err_t *err,
                               apr_pool_t *scratch_pool)
{
    const char *path = journal_path(txn->journal->active, "reloaded",
                                    scratch_pool);
    apr_status_t rv = must_go_on(txn, err);

    if (rv != APR_SUCCESS || txn->saves == 0 || access(path, F_OK) == 0) {
        return rv;
    }
    rv = base_file_create(path, "", 0, JOURNAL_FILE_MODE, err);
    return rv == APR_SUCCESS ? base_dir_sync(txn->journal->active, err) : rv;
}

/* The number behind the newest; a stranger's names do not count. */
static apr_status_t next_number(unsigned long *pnext,
                                const journal_t *journal, acme_err_t *err,
                                apr_pool_t *scratch_pool)
{
    apr_array_header_t *ids;
    apr_status_t rv = journal_ids(&ids, journal, err, scratch_pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pnext = ids->nelts == 0 ? 1 : APR_ARRAY_IDX(ids, ids->nelts - 1,
                                                 unsigned long) + 1;
    if (*pnext > 99999999) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_JOURNAL,
                            "checkpoints are numbered up to 99999999: move "
                            "the last one in %s away", journal->cp);
    }
    return APR_SUCCESS;
}

/* The commit point is the rename; it counts once both folders are synced. */
static apr_status_t commit_steps(unsigned long *pid, journal_txn_t *txn,
                                 const char *title, acme_err_t *err,
                                 apr_pool_t *pool)
{
    const journal_t *journal = txn->journal;
    acme_err_t second = { 0 };
    char line[TITLE_MAX + 1];
    const char *cp;
    unsigned long id;
    apr_status_t rv = next_number(&id, journal, err, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    base_clean(line, TITLE_MAX, title);
    rv = base_file_create(journal_path(journal->active, "title", pool),
                          apr_pstrcat(pool, line, "\n", NULL),
                          strlen(line) + 1, JOURNAL_FILE_MODE, err);
    if (rv == APR_SUCCESS) {
        rv = base_dir_sync(journal->active, err);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    cp = apr_psprintf(pool, "%s/%08lu", journal->cp, id);
    rv = base_file_rename(journal->active, cp, err, pool);
    if (rv == APR_SUCCESS) {
        rv = base_dir_sync(journal->dir, err);
    }
    if (rv == APR_SUCCESS) {
        *pid = id;
    }
    /* not known to be durable, so it is none: back, to be undone */
    else if (base_file_rename(cp, journal->active, &second, pool)
             != APR_SUCCESS && !journal_is_active(journal)) {
        err->exit = BASE_EXIT_JOURNAL;
        base_err_append(err, "and checkpoint %lu stays, which a loss of "
                        "power may take away: %s", id, second.message);
    }
    return rv;
}

apr_status_t journal_commit(unsigned long *pid, journal_txn_t *txn,
                            const char *title, acme_err_t *err,
                            apr_pool_t *scratch_pool)
{
    apr_status_t rv = must_go_on(txn, err);

    *pid = 0;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (txn->kind == JOURNAL_TEMPORARY) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "a temporary change cannot become a checkpoint");
    }
    if (txn->saves == 0) {
        txn_end(txn);
        return APR_SUCCESS;
    }
    rv = commit_steps(pid, txn, title, err, scratch_pool);
    if (rv != APR_SUCCESS) {
        return journal_txn_fail(txn, err, scratch_pool);
    }
    txn_end(txn);
    return APR_SUCCESS;
}
