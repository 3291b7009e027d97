/*
 * journal.c: the folder itself: open, lock, what is there.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "journal/internal.h"

#define FORMAT_PREFIX "acmectl-journal "
#define FORMAT_LINE FORMAT_PREFIX "1\n"

const char *journal_op_name(journal_op_t op)
{
    switch (op) {
    case JOURNAL_MODIFY: return "modify";
    case JOURNAL_CREATE: return "create";
    case JOURNAL_SYMLINK: return "symlink";
    case JOURNAL_MKDIR: return "mkdir";
    }
    return "";
}

const char *journal_path(const char *dir, const char *name, apr_pool_t *pool)
{
    return apr_pstrcat(pool, dir, "/", name, NULL);
}

static journal_t *journal_make(const char *dir, apr_pool_t *pool)
{
    journal_t *journal = apr_pcalloc(pool, sizeof(*journal));

    journal->dir = apr_pstrdup(pool, dir);
    journal->active = journal_path(dir, "active", pool);
    journal->cp = journal_path(dir, "cp", pool);
    journal->trash = journal_path(dir, "trash", pool);
    journal->conflicts = journal_path(dir, "conflicts", pool);
    return journal;
}

static apr_status_t format_check(const char *path, acme_err_t *err,
                                 apr_pool_t *pool)
{
    apr_size_t len;
    char *line;
    apr_status_t rv = base_file_read(&line, &len, path, 64, err, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (strcmp(line, FORMAT_LINE) != 0) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_JOURNAL,
                            "cannot use the journal: %s says \"%.40s\", not "
                            "\"" FORMAT_PREFIX "1\": use the acmectl that "
                            "made it", path, line);
    }
    return APR_SUCCESS;
}

/* The format is written last: a journal without it was never used. */
static apr_status_t journal_create(journal_t *journal, const char *format,
                                   acme_err_t *err, apr_pool_t *pool)
{
    const char *folders[] = { journal->dir, journal->cp, journal->trash,
                              journal->conflicts };
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    for (i = 0; i < 4 && rv == APR_SUCCESS; i++) {
        rv = base_dir_make(folders[i], JOURNAL_DIR_MODE, err, pool);
    }
    if (rv == APR_SUCCESS && access(format, F_OK) == -1) {
        rv = base_file_write(format, FORMAT_LINE, strlen(FORMAT_LINE),
                             JOURNAL_FILE_MODE, err, pool);
    }
    return rv;
}

apr_status_t journal_open(journal_t **pjournal, const char *dir, int create,
                          acme_err_t *err, apr_pool_t *result_pool)
{
    journal_t *journal = journal_make(dir, result_pool);
    const char *format = journal_path(dir, "format", result_pool);
    apr_status_t rv = APR_SUCCESS;

    if (create) {
        rv = journal_create(journal, format, err, result_pool);
    }
    else if (access(dir, F_OK) == 0) {
        /* it is there: this only checks owner and mode */
        rv = base_dir_make(dir, JOURNAL_DIR_MODE, err, result_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = format_check(format, err, result_pool);
    }
    if (rv == APR_SUCCESS) {
        *pjournal = journal;
    }
    return rv;
}

apr_status_t journal_lock(journal_t *journal, const char *holder,
                          apr_interval_time_t wait, acme_err_t *err,
                          apr_pool_t *pool)
{
    return base_lock_take(&journal->lock,
                          journal_path(journal->dir, "lock", pool), holder,
                          wait, err, pool);
}

apr_status_t journal_must_hold(const journal_t *journal, acme_err_t *err)
{
    if (!journal->lock) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "cannot write the journal %s without its lock",
                            journal->dir);
    }
    return APR_SUCCESS;
}

int journal_is_active(const journal_t *journal)
{
    /* when the system cannot tell it may well be there */
    return access(journal->active, F_OK) == 0
           || (errno != ENOENT && errno != ENOTDIR);
}

/* For people: from begin.json, which may be torn, so errors are dropped. */
static void read_begin(journal_status_t *status, const journal_t *journal,
                       apr_pool_t *pool)
{
    acme_err_t ignored = { 0 };
    const char *created = "";
    json_t *begin;

    if (base_json_read(&begin, journal_path(journal->active, "begin.json",
                                            pool), 4096, &ignored, pool,
                       pool) == APR_SUCCESS) {
        json_unpack(begin, "{s:s, s:s}", "kind", &status->kind, "created",
                    &created);
        if (base_time_parse(&status->begun, created) != APR_SUCCESS) {
            status->begun = 0;
        }
    }
}

static int count_records(const journal_t *journal, apr_pool_t *pool)
{
    int k = 0;

    while (k < JOURNAL_SAVES_MAX
           && access(apr_psprintf(pool, "%s/rec.%d", journal->active, k + 1),
                     F_OK) == 0) {
        k++;
    }
    return k;
}

apr_status_t journal_status(journal_status_t *status,
                            const journal_t *journal, acme_err_t *err,
                            apr_pool_t *result_pool)
{
    const char *holder = NULL;
    apr_array_header_t *ids;
    apr_status_t rv;

    memset(status, 0, sizeof(*status));
    rv = journal_ids(&ids, journal, err, result_pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    status->checkpoints = ids->nelts;
    rv = base_lock_holder(&holder, journal_path(journal->dir, "lock",
                                                result_pool), result_pool);
    if (rv == APR_SUCCESS) {
        status->holder = holder;
    }
    status->kind = "";
    status->active = journal_is_active(journal);
    if (status->active) {
        read_begin(status, journal, result_pool);
        status->saves = count_records(journal, result_pool);
    }
    return APR_SUCCESS;
}
