/*
 * journal_put: change files through a journal, for the tests of the verbs
 * that show and undo changes.
 *
 *   journal_put JOURNAL [WORD ARGUMENT...]...
 *
 * Words, in the order in which they are done:
 *   temporary                 instead of a permanent change; first
 *   modify PATH FILE          FILE holds the new content
 *   create PATH FILE
 *   symlink PATH TARGET
 *   mkdir PATH
 *   note TEXT
 *   save
 *   reloading
 *   commit TITLE
 *   hold FILE                 make FILE, then stay until killed
 *   die                       as kill -9 does
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "journal/journal.h"

#define FILE_MAX (1024 * 1024)

static apr_pool_t *pool;
static journal_t *journal;
static journal_txn_t *txn;
static acme_err_t err;

static apr_status_t stage(journal_op_t op, const char *path,
                          const char *data, apr_size_t len)
{
    journal_change_t change;

    memset(&change, 0, sizeof(change));
    change.op = op;
    change.path = path;
    change.data = data;
    change.len = len;
    change.mode = op == JOURNAL_MKDIR ? 0755 : 0644;
    return journal_stage(txn, &change, &err);
}

static apr_status_t stage_file(journal_op_t op, const char *path,
                               const char *file)
{
    apr_size_t len;
    char *data;

    return base_file_read(&data, &len, file, FILE_MAX, &err, pool)
           == APR_SUCCESS ? stage(op, path, data, len) : err.status;
}

static apr_status_t commit(const char *title)
{
    unsigned long id;
    apr_status_t rv = journal_commit(&id, txn, title, &err, pool);

    if (rv == APR_SUCCESS) {
        printf("%lu\n", id);
    }
    return rv;
}

static apr_status_t hold(const char *file)
{
    apr_status_t rv = base_file_put(file, "", 0, 0600, &err);

    if (rv == APR_SUCCESS) {
        pause();
    }
    return rv;
}

/** Do the word and step behind it. */
static apr_status_t act(const char *const **pwords)
{
    const char *const *w = *pwords;
    int two = w[1] && w[2];

    if (two && (!strcmp(*w, "modify") || !strcmp(*w, "create"))) {
        *pwords += 3;
        return stage_file(**w == 'm' ? JOURNAL_MODIFY : JOURNAL_CREATE,
                          w[1], w[2]);
    }
    if (two && !strcmp(*w, "symlink")) {
        *pwords += 3;
        return stage(JOURNAL_SYMLINK, w[1], w[2], strlen(w[2]));
    }
    *pwords += !strcmp(*w, "save") || !strcmp(*w, "reloading") ? 1 : 2;
    if (!strcmp(*w, "save")) {
        return journal_save(txn, NULL, NULL, &err, pool);
    }
    if (!strcmp(*w, "reloading")) {
        return journal_reloading(txn, &err, pool);
    }
    if (!strcmp(*w, "die")) {
        kill(getpid(), SIGKILL);
    }
    if (!w[1]) {
        return base_err_set(&err, APR_EINVAL, BASE_EXIT_USAGE,
                            "what is \"%s\"?", *w);
    }
    return !strcmp(*w, "note") ? journal_note(txn, w[1], &err)
           : !strcmp(*w, "commit") ? commit(w[1])
           : !strcmp(*w, "mkdir") ? stage(JOURNAL_MKDIR, w[1], NULL, 0)
           : !strcmp(*w, "hold") ? hold(w[1])
           : base_err_set(&err, APR_EINVAL, BASE_EXIT_USAGE,
                          "what is \"%s\"?", *w);
}

static apr_status_t run(const char *dir, const char *const *words)
{
    journal_kind_t kind = JOURNAL_PERMANENT;
    journal_undo_t undo;
    apr_status_t rv;

    if (*words && !strcmp(*words, "temporary")) {
        kind = JOURNAL_TEMPORARY;
        words++;
    }
    rv = journal_open(&journal, dir, 1, &err, pool);
    if (rv == APR_SUCCESS) {
        rv = journal_lock(journal, apr_psprintf(pool, "journal_put, pid %d",
                                                (int)getpid()), 0, &err,
                          pool);
    }
    if (rv == APR_SUCCESS) {
        rv = journal_recover(&undo, journal, JOURNAL_DRIFT_REFUSE, &err,
                             pool, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = journal_begin(&txn, journal, kind, apr_time_now(), &err, pool);
    }
    while (rv == APR_SUCCESS && *words) {
        rv = act(&words);
    }
    return rv;
}

int main(int argc, const char *const *argv)
{
    apr_status_t rv;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (argc < 2) {
        fprintf(stderr, "usage: journal_put JOURNAL [WORD ARGUMENT...]...\n");
        return 2;
    }
    rv = run(argv[1], argv + 2);
    if (rv != APR_SUCCESS) {
        fprintf(stderr, "journal_put: %s\n", err.message);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return rv == APR_SUCCESS ? 0 : 1;
}
