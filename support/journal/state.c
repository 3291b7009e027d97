/*
 * state.c: what is at a name, as text that can be compared and recorded.
 */
#include <string.h>

#include <apr_strings.h>

#include "journal/internal.h"

#define FILE_PREFIX "file:"

int journal_state_is_file(const char *state)
{
    return strncmp(state, FILE_PREFIX, strlen(FILE_PREFIX)) == 0;
}

const char *journal_state_of_file(const char *data, apr_size_t len,
                                  apr_pool_t *pool)
{
    char hex[BASE_SHA256_SIZE];

    return apr_pstrcat(pool, FILE_PREFIX, base_sha256(hex, data, len), NULL);
}

const char *journal_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static apr_status_t read_file(journal_seen_t *seen, const base_at_t *at,
                              const char *name, acme_err_t *err,
                              apr_pool_t *pool)
{
    apr_status_t rv = base_at_read(&seen->data, &seen->len, &seen->attrs, at,
                                   name, JOURNAL_FILE_MAX, err, pool);

    if (rv == APR_SUCCESS) {
        seen->state = journal_state_of_file(seen->data, seen->len, pool);
    }
    return rv;
}

static apr_status_t read_link(journal_seen_t *seen, const base_at_t *at,
                              const char *name, acme_err_t *err,
                              apr_pool_t *pool)
{
    const char *target;
    apr_status_t rv = base_at_readlink(&target, at, name, err, pool);

    if (rv == APR_SUCCESS) {
        seen->state = apr_pstrcat(pool, "link:", target, NULL);
    }
    return rv;
}

apr_status_t journal_state_read(journal_seen_t *seen, const base_at_t *at,
                                const char *name, acme_err_t *err,
                                apr_pool_t *pool)
{
    acme_err_t absent = { 0 };
    struct stat st;
    apr_status_t rv;

    memset(seen, 0, sizeof(*seen));
    rv = base_at_stat(&st, at, name, &absent);
    if (APR_STATUS_IS_ENOENT(rv)) {
        seen->state = JOURNAL_ABSENT;
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        *err = absent;
        return rv;
    }
    seen->inode = (apr_uint64_t)st.st_ino;
    if (S_ISREG(st.st_mode) && st.st_size <= JOURNAL_FILE_MAX) {
        return read_file(seen, at, name, err, pool);
    }
    if (S_ISLNK(st.st_mode)) {
        return read_link(seen, at, name, err, pool);
    }
    seen->state = S_ISDIR(st.st_mode) ? JOURNAL_DIR : "other";
    return APR_SUCCESS;
}

void journal_dirs_init(journal_dirs_t *dirs, apr_pool_t *pool)
{
    dirs->open = apr_hash_make(pool);
    dirs->pool = pool;
}

apr_status_t journal_dirs_get(base_at_t **pat, journal_dirs_t *dirs,
                              const char *path, acme_err_t *err)
{
    apr_status_t rv;

    *pat = apr_hash_get(dirs->open, path, APR_HASH_KEY_STRING);
    if (*pat) {
        return APR_SUCCESS;
    }
    rv = base_at_open(pat, path, err, dirs->pool);
    if (rv == APR_SUCCESS) {
        apr_hash_set(dirs->open, (*pat)->path, APR_HASH_KEY_STRING, *pat);
    }
    return rv;
}

apr_status_t journal_dirs_sync(journal_dirs_t *dirs, acme_err_t *err)
{
    apr_hash_index_t *hi;
    apr_status_t rv = APR_SUCCESS;
    void *at;

    for (hi = apr_hash_first(dirs->pool, dirs->open);
         hi && rv == APR_SUCCESS; hi = apr_hash_next(hi)) {
        apr_hash_this(hi, NULL, NULL, &at);
        rv = base_at_sync(at, err);
    }
    return rv;
}
