/*
 * checkpoint.c: what was changed, for people; and forgetting it.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "journal/internal.h"

#define NUMBER_LEN 8
#define TEXT_MAX (1024 * 1024)

const char *journal_cp_path(const journal_t *journal, unsigned long id,
                            apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s/%08lu", journal->cp, id);
}

apr_status_t journal_ids(apr_array_header_t **pids, const journal_t *journal,
                         acme_err_t *err, apr_pool_t *pool)
{
    apr_array_header_t *names;
    const char *name;
    apr_status_t rv = base_dir_list(&names, journal->cp, err, pool);
    int i;

    *pids = apr_array_make(pool, 16, sizeof(unsigned long));
    for (i = 0; rv == APR_SUCCESS && i < names->nelts; i++) {
        name = APR_ARRAY_IDX(names, i, char *);
        if (strlen(name) == NUMBER_LEN
            && strspn(name, "0123456789") == NUMBER_LEN) {
            APR_ARRAY_PUSH(*pids, unsigned long) = strtoul(name, NULL, 10);
        }
    }
    return rv;
}

/* A text file of dir; "" if there is none. */
static const char *read_text(const char *dir, const char *name,
                             apr_pool_t *pool)
{
    acme_err_t ignored = { 0 };
    apr_size_t len;
    char *text;

    return base_file_read(&text, &len, journal_path(dir, name, pool),
                          TEXT_MAX, &ignored, pool) == APR_SUCCESS
           ? text : "";
}

static const char *read_line(const char *dir, const char *name,
                             apr_pool_t *pool)
{
    const char *text = read_text(dir, name, pool);

    return apr_pstrmemdup(pool, text, strcspn(text, "\n"));
}

static void read_notes(apr_array_header_t *notes, const char *dir, int saves,
                       apr_pool_t *pool)
{
    const char *text;
    apr_size_t len;
    int k;

    for (k = 1; k <= saves; k++) {
        text = read_text(dir, apr_psprintf(pool, "note.%d", k), pool);
        for (; *text; text += len, text += *text == '\n') {
            len = strcspn(text, "\n");
            APR_ARRAY_PUSH(notes, const char *) = apr_pstrmemdup(pool, text,
                                                                 len);
        }
    }
}

/* Fill in checkpoint from dir; a damaged one says why. */
static void read_checkpoint(journal_checkpoint_t *checkpoint,
                            journal_record_t **precord, const char *dir,
                            unsigned long id, apr_pool_t *pool)
{
    acme_err_t fault = { 0 };
    journal_chain_t *chain;
    journal_file_t *file;
    int i;

    memset(checkpoint, 0, sizeof(*checkpoint));
    checkpoint->id = id;
    checkpoint->title = read_line(dir, "title", pool);
    checkpoint->notes = apr_array_make(pool, 2, sizeof(const char *));
    checkpoint->files = apr_array_make(pool, 8, sizeof(journal_file_t));
    if (journal_record_read(precord, dir, &fault, pool) != APR_SUCCESS) {
        checkpoint->damaged = apr_pstrdup(pool, fault.message);
        return;
    }
    if ((*precord)->saves == 0) {
        checkpoint->damaged = "it holds no record of a change";
        return;
    }
    checkpoint->created = (*precord)->created;
    read_notes(checkpoint->notes, dir, (*precord)->saves, pool);
    for (i = 0; i < (*precord)->chains->nelts; i++) {
        chain = APR_ARRAY_IDX((*precord)->chains, i, journal_chain_t *);
        file = apr_array_push(checkpoint->files);
        memset(file, 0, sizeof(*file));
        file->path = chain->first->path;
        file->op = chain->first->op;
    }
}

apr_status_t journal_list(apr_array_header_t **pcheckpoints,
                          const journal_t *journal, acme_err_t *err,
                          apr_pool_t *result_pool)
{
    journal_record_t *record;
    apr_array_header_t *ids;
    unsigned long id;
    apr_status_t rv = journal_ids(&ids, journal, err, result_pool);
    int i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pcheckpoints = apr_array_make(result_pool, ids->nelts + 1,
                                   sizeof(journal_checkpoint_t));
    for (i = 0; i < ids->nelts; i++) {
        id = APR_ARRAY_IDX(ids, i, unsigned long);
        read_checkpoint(apr_array_push(*pcheckpoints), &record,
                        journal_cp_path(journal, id, result_pool), id,
                        result_pool);
    }
    return APR_SUCCESS;
}

/* What one file was and became. */
static apr_status_t show_file(const char **pdiff, const char *dir,
                              const journal_chain_t *chain, acme_err_t *err,
                              apr_pool_t *pool)
{
    apr_size_t old_len, new_len = 0;
    char *old, *new = NULL;
    apr_status_t rv = journal_old_read(&old, &old_len, dir, chain->first,
                                       err, pool);

    if (rv == APR_SUCCESS) {
        rv = journal_new_read(&new, &new_len, dir, chain->last, err, pool);
    }
    if (rv == APR_SUCCESS) {
        *pdiff = journal_diff_states(chain->first->path,
                                     chain->first->before, old, old_len,
                                     chain->last->after, new, new_len, pool);
    }
    return rv;
}

apr_status_t journal_show(journal_checkpoint_t **pcheckpoint,
                          const char **pdiff, const journal_t *journal,
                          unsigned long id, acme_err_t *err,
                          apr_pool_t *result_pool)
{
    const char *dir = journal_cp_path(journal, id, result_pool), *diff;
    journal_checkpoint_t *checkpoint = apr_palloc(result_pool,
                                                  sizeof(*checkpoint));
    journal_record_t *record;
    apr_array_header_t *ids;
    apr_status_t rv = journal_ids(&ids, journal, err, result_pool);
    int i;

    for (i = 0; rv == APR_SUCCESS && i < ids->nelts
         && APR_ARRAY_IDX(ids, i, unsigned long) != id; i++) {
        continue;
    }
    if (rv == APR_SUCCESS && i == ids->nelts) {
        return base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                            "there is no checkpoint %lu: see \"acmectl "
                            "checkpoints\"", id);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    read_checkpoint(checkpoint, &record, dir, id, result_pool);
    if (checkpoint->damaged) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_JOURNAL, "%s",
                            checkpoint->damaged);
    }
    *pcheckpoint = checkpoint;
    *pdiff = "";
    for (i = 0; i < record->chains->nelts && rv == APR_SUCCESS; i++) {
        rv = show_file(&diff, dir, APR_ARRAY_IDX(record->chains, i,
                                                 journal_chain_t *), err,
                       result_pool);
        if (rv == APR_SUCCESS) {
            *pdiff = apr_pstrcat(result_pool, *pdiff, diff, NULL);
        }
    }
    return rv;
}

apr_status_t journal_prune(int *pcount, journal_t *journal, int keep,
                           apr_interval_time_t age, apr_time_t now,
                           acme_err_t *err, apr_pool_t *scratch_pool)
{
    apr_array_header_t *checkpoints;
    const journal_checkpoint_t *checkpoint;
    apr_status_t rv = journal_must_hold(journal, err);
    int i;

    *pcount = 0;
    if (rv == APR_SUCCESS) {
        rv = journal_list(&checkpoints, journal, err, scratch_pool);
    }
    for (i = 0; rv == APR_SUCCESS && i < checkpoints->nelts - keep; i++) {
        checkpoint = &APR_ARRAY_IDX(checkpoints, i, journal_checkpoint_t);
        /* a damaged one and all behind it are for a person to look at */
        if (checkpoint->damaged || checkpoint->created > now - age) {
            break;
        }
        rv = journal_discard(journal, journal_cp_path(journal,
                                                      checkpoint->id,
                                                      scratch_pool), err,
                             scratch_pool);
        *pcount += rv == APR_SUCCESS;
    }
    return rv;
}
