/*
 * record.c: rec.K, the manifest of a save.
 *
 * Recovery acts on what is written here as root, so reading believes
 * nothing: the end line must fit, every field must have its shape, a path
 * must be absolute and without "." or "..", a temporary must lie in a folder
 * above its target. Names of temporaries and before-images are computed, not
 * read.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "journal/internal.h"

#define END "\nend "
/* END, the digest, a newline */
#define END_LEN (sizeof(END) - 1 + BASE_SHA256_SIZE)

/* Of a target's name in a temporary's; NAME_MAX has to hold the rest. */
#define NAME_PART_MAX 120

static const char *const op_names[] = { "modify", "create", "symlink",
                                        "mkdir" };
static const char *const kind_names[] = { "temporary", "permanent" };

apr_status_t journal_damaged(acme_err_t *err, const char *path,
                             const char *why)
{
    return base_err_set(err, APR_EINVAL, BASE_EXIT_JOURNAL,
                        "the journal is damaged or not ours: %s: %s: undo "
                        "this change by hand from the files beside it, then "
                        "move that directory away", path, why);
}

const char *journal_temp_name(const journal_entry_t *entry, int which,
                              apr_pool_t *pool)
{
    static const char *const ends[] = { "", "~", "=" };

    return apr_psprintf(pool, ".%.*s.acmectl-%s.%d.%d%s", NAME_PART_MAX,
                        journal_name(entry->real), entry->id, entry->save,
                        entry->index, ends[which]);
}

/* --------------------------------------------------------------- sealed */

apr_status_t journal_sealed_write(const char *dir, const char *name,
                                  const json_t *json, acme_err_t *err,
                                  apr_pool_t *scratch_pool)
{
    const char *path = journal_path(dir, name, scratch_pool);
    char *text = base_json_text(json, scratch_pool);
    char hex[BASE_SHA256_SIZE];

    if (!text) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "cannot write %s: a path or name in it is not "
                            "UTF-8: rename it", path);
    }
    text = apr_pstrcat(scratch_pool, text, END,
                       base_sha256(hex, text, strlen(text)), "\n", NULL);
    return base_file_write(path, text, strlen(text), JOURNAL_FILE_MODE, err,
                           scratch_pool);
}

apr_status_t journal_sealed_read(json_t **pjson, const char *dir,
                                 const char *name, acme_err_t *err,
                                 apr_pool_t *result_pool)
{
    const char *path = journal_path(dir, name, result_pool);
    char hex[BASE_SHA256_SIZE], *text;
    acme_err_t fault = { 0 };
    apr_size_t len;
    apr_status_t rv = base_file_read(&text, &len, path, JOURNAL_RECORD_MAX,
                                     err, result_pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (len < END_LEN || memcmp(text + len - END_LEN, END, sizeof(END) - 1)
        || text[len - 1] != '\n') {
        return journal_damaged(err, path, "its end line is missing");
    }
    base_sha256(hex, text, len - END_LEN);
    if (memcmp(text + len - BASE_SHA256_SIZE, hex, BASE_SHA256_SIZE - 1)) {
        return journal_damaged(err, path, "its end line does not fit");
    }
    if (base_json_parse(pjson, text, len - END_LEN, JOURNAL_RECORD_MAX, path,
                        &fault, result_pool) != APR_SUCCESS) {
        return journal_damaged(err, path, fault.message);
    }
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- write */

static json_t *xattrs_to_json(const apr_array_header_t *xattrs,
                              apr_pool_t *pool)
{
    json_t *json = json_object();
    const base_xattr_t *xattr;
    int i;

    for (i = 0; xattrs && i < xattrs->nelts; i++) {
        xattr = &APR_ARRAY_IDX(xattrs, i, base_xattr_t);
        json_object_set_new(json, xattr->name, json_string(
            base_b64url_encode(xattr->value, xattr->len, pool)));
    }
    return json;
}

static json_t *attrs_to_json(const char *state, apr_size_t len,
                             const base_attrs_t *attrs, apr_pool_t *pool)
{
    return json_pack("{s:s, s:I, s:i, s:I, s:I, s:I, s:o}",
                     "state", state, "size", (json_int_t)len,
                     "mode", attrs->mode, "uid", (json_int_t)attrs->uid,
                     "gid", (json_int_t)attrs->gid,
                     "inode", (json_int_t)attrs->inode,
                     "xattrs", xattrs_to_json(attrs->xattrs, pool));
}

static json_t *entry_to_json(const journal_entry_t *entry, apr_pool_t *pool)
{
    json_t *after = attrs_to_json(entry->after, entry->new_len,
                                  &entry->new_attrs, pool);

    json_object_set_new(after, "splice", json_pack(
        "{s:I, s:I, s:s}", "at", (json_int_t)entry->splice_at,
        "remove", (json_int_t)entry->splice_remove, "insert",
        base_b64url_encode(entry->insert ? entry->insert : "",
                           entry->insert_len, pool)));
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}",
                     "op", op_names[entry->op], "path", entry->path,
                     "real", entry->real, "temp", entry->temp_dir,
                     "before", attrs_to_json(entry->before, entry->old_len,
                                             &entry->old_attrs, pool),
                     "after", after);
}

apr_status_t journal_record_write(const char *dir, const char *id,
                                  journal_kind_t kind, apr_time_t created,
                                  int save,
                                  const apr_array_header_t *entries,
                                  acme_err_t *err, apr_pool_t *scratch_pool)
{
    json_t *files = json_array(), *record;
    int i;

    for (i = 0; i < entries->nelts; i++) {
        json_array_append_new(files, entry_to_json(
            APR_ARRAY_IDX(entries, i, journal_entry_t *), scratch_pool));
    }
    record = base_json_own(json_pack("{s:i, s:s, s:s, s:I, s:i, s:o}",
                                     "format", JOURNAL_FORMAT,
                                     "transaction", id,
                                     "kind", kind_names[kind],
                                     "created", (json_int_t)created,
                                     "save", save, "files", files),
                           scratch_pool);
    /* a path that is no UTF-8 made an entry NULL and its array shorter */
    if (!record || json_array_size(files) != (size_t)entries->nelts) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "cannot record the change: a path or a link's "
                            "target is not UTF-8: rename it");
    }
    return journal_sealed_write(dir, apr_psprintf(scratch_pool, "rec.%d",
                                                  save), record, err,
                                scratch_pool);
}

/* ----------------------------------------------------------------- read */

/* Index of name in names. @return -1 if it is none of them */
static int word(const char *name, const char *const *names, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

/* Absolute, no empty component, no "." or "..", no slash at the end. */
static int path_is_plain(const char *path)
{
    apr_size_t len;

    if (strcmp(path, "/") == 0) {
        return 1;
    }
    if (strlen(path) >= 4096 || *path != '/') {
        return 0;
    }
    while (*path == '/') {
        len = strcspn(++path, "/");
        if (len == 0 || len > 255 || (len == 1 && path[0] == '.')
            || (len == 2 && path[0] == '.' && path[1] == '.')) {
            return 0;
        }
        path += len;
    }
    return 1;
}

/* 1 if dir is a folder above path. */
static int path_is_above(const char *dir, const char *path)
{
    apr_size_t len = strlen(dir);

    return strcmp(dir, "/") == 0
           || (strncmp(path, dir, len) == 0 && path[len] == '/');
}

static int state_is_file(const char *state)
{
    const char *hex = state + 5;

    return journal_state_is_file(state) && strlen(hex) == 64
           && strspn(hex, "0123456789abcdef") == 64;
}

/* The states that an op has, before and after. */
static int states_fit(const journal_entry_t *entry)
{
    int absent = strcmp(entry->before, JOURNAL_ABSENT) == 0;

    switch (entry->op) {
    case JOURNAL_MODIFY:
        return state_is_file(entry->before) && state_is_file(entry->after);
    case JOURNAL_CREATE:
        return absent && state_is_file(entry->after);
    case JOURNAL_SYMLINK:
        return absent && strncmp(entry->after, "link:", 5) == 0;
    case JOURNAL_MKDIR:
        return absent && strcmp(entry->after, JOURNAL_DIR) == 0;
    }
    return 0;
}

static int splice_fits(const journal_entry_t *entry)
{
    return entry->old_len <= JOURNAL_FILE_MAX
           && entry->splice_at <= entry->old_len
           && entry->splice_remove <= entry->old_len - entry->splice_at
           && entry->new_len == entry->old_len - entry->splice_remove
                                + entry->insert_len;
}

static int read_xattrs(apr_array_header_t **pxattrs, json_t *json,
                       apr_pool_t *pool)
{
    unsigned char *value;
    base_xattr_t *xattr;
    const char *name;
    json_t *text;

    *pxattrs = apr_array_make(pool, 2, sizeof(base_xattr_t));
    json_object_foreach(json, name, text) {
        xattr = apr_array_push(*pxattrs);
        xattr->name = name;
        if (!json_is_string(text)
            || base_b64url_decode(&value, &xattr->len,
                                  json_string_value(text), pool)
               != APR_SUCCESS) {
            return 0;
        }
        xattr->value = (const char *)value;
    }
    return 1;
}

/* "before" or "after". @return 0 on a fault */
static int read_side(const char **pstate, apr_size_t *plen,
                     base_attrs_t *attrs, json_t *json, apr_pool_t *pool)
{
    json_int_t size, uid, gid;
    json_t *xattrs;

    if (json_unpack(json, "{s:s, s:I, s:i, s:I, s:I, s:o}", "state", pstate,
                    "size", &size, "mode", &attrs->mode, "uid", &uid,
                    "gid", &gid, "xattrs", &xattrs) == -1) {
        return 0;
    }
    *plen = (apr_size_t)size;
    attrs->uid = (uid_t)uid;
    attrs->gid = (gid_t)gid;
    return size >= 0 && size <= JOURNAL_FILE_MAX
           && (attrs->mode & ~07777) == 0
           && read_xattrs(&attrs->xattrs, xattrs, pool);
}

static int read_splice(journal_entry_t *entry, json_t *after,
                       apr_pool_t *pool)
{
    json_int_t at, removed;
    const char *insert;
    unsigned char *bytes;

    if (json_unpack(after, "{s:{s:I, s:I, s:s}}", "splice", "at", &at,
                    "remove", &removed, "insert", &insert) == -1
        || at < 0 || removed < 0
        || base_b64url_decode(&bytes, &entry->insert_len, insert, pool)
           != APR_SUCCESS) {
        return 0;
    }
    entry->splice_at = (apr_size_t)at;
    entry->splice_remove = (apr_size_t)removed;
    entry->insert = (const char *)bytes;
    return 1;
}

/* One entry; json outlives it. @return NULL, or what is wrong */
static const char *read_entry(journal_entry_t *entry, json_t *json,
                              apr_pool_t *pool)
{
    json_t *before, *after;
    const char *op;
    int n;

    if (json_unpack(json, "{s:s, s:s, s:s, s:s, s:o, s:o}", "op", &op,
                    "path", &entry->path, "real", &entry->real,
                    "temp", &entry->temp_dir, "before", &before,
                    "after", &after) == -1
        || (n = word(op, op_names, 4)) == -1) {
        return "a file's entry lacks something";
    }
    entry->op = (journal_op_t)n;
    if (*entry->path != '/' || !path_is_plain(entry->real)
        || !path_is_plain(entry->temp_dir)
        || !path_is_above(entry->temp_dir, entry->real)) {
        return "a path in it is none that we write";
    }
    if (!read_side(&entry->before, &entry->old_len, &entry->old_attrs,
                   before, pool)
        || !read_side(&entry->after, &entry->new_len, &entry->new_attrs,
                      after, pool)
        || !read_splice(entry, after, pool)) {
        return "a file's attributes have not their shape";
    }
    return states_fit(entry) && splice_fits(entry)
           ? NULL : "a file's states do not fit each other";
}

/* Put entry where its file's other entries are; a chain stands where its
 * first entry does. */
static void chain_add(journal_record_t *record, apr_hash_t *by_real,
                      journal_entry_t *entry, apr_pool_t *pool)
{
    journal_chain_t *chain = apr_hash_get(by_real, entry->real,
                                          APR_HASH_KEY_STRING);

    if (!chain) {
        chain = apr_pcalloc(pool, sizeof(*chain));
        chain->first = entry;
        chain->entries = apr_array_make(pool, 1, sizeof(journal_entry_t *));
        apr_hash_set(by_real, entry->real, APR_HASH_KEY_STRING, chain);
        APR_ARRAY_PUSH(record->chains, journal_chain_t *) = chain;
    }
    chain->last = entry;
    APR_ARRAY_PUSH(chain->entries, journal_entry_t *) = entry;
}

/* The head of rec.K. @return NULL, or what is wrong */
static const char *read_head(journal_record_t *record, json_t **pfiles,
                             json_t *json, int save)
{
    const char *id, *kind;
    json_int_t created;
    int format, n, number;

    if (json_unpack(json, "{s:i, s:s, s:s, s:I, s:i, s:o}", "format",
                    &format, "transaction", &id, "kind", &kind, "created",
                    &created, "save", &number, "files", pfiles) == -1
        || format != JOURNAL_FORMAT || number != save
        || (n = word(kind, kind_names, 2)) == -1
        || !json_is_array(*pfiles)
        || json_array_size(*pfiles) > JOURNAL_FILES_MAX) {
        return "it is no record of this format and number";
    }
    if (strlen(id) != JOURNAL_ID_LEN
        || strspn(id, "0123456789abcdef") != JOURNAL_ID_LEN
        || (record->id && strcmp(record->id, id) != 0)) {
        return "it belongs to another transaction";
    }
    record->id = id;
    record->kind = (journal_kind_t)n;
    record->created = record->saves ? record->created : created;
    return NULL;
}

static const char *read_save(journal_record_t *record, apr_hash_t *by_real,
                             json_t *json, int save, apr_pool_t *pool)
{
    journal_entry_t *entry;
    json_t *files;
    const char *fault = read_head(record, &files, json, save);
    size_t i;

    for (i = 0; !fault && i < json_array_size(files); i++) {
        entry = apr_pcalloc(pool, sizeof(*entry));
        entry->save = save;
        entry->index = (int)i + 1;
        entry->id = record->id;
        fault = read_entry(entry, json_array_get(files, i), pool);
        if (!fault) {
            APR_ARRAY_PUSH(record->entries, journal_entry_t *) = entry;
            chain_add(record, by_real, entry, pool);
        }
    }
    return fault;
}

apr_status_t journal_record_read(journal_record_t **precord,
                                 const char *dir, acme_err_t *err,
                                 apr_pool_t *result_pool)
{
    journal_record_t *record = apr_pcalloc(result_pool, sizeof(*record));
    apr_hash_t *by_real = apr_hash_make(result_pool);
    const char *name, *fault;
    json_t *json;
    apr_status_t rv;

    record->entries = apr_array_make(result_pool, 8,
                                     sizeof(journal_entry_t *));
    record->chains = apr_array_make(result_pool, 8,
                                    sizeof(journal_chain_t *));
    while (record->saves < JOURNAL_SAVES_MAX) {
        name = apr_psprintf(result_pool, "rec.%d", record->saves + 1);
        rv = journal_sealed_read(&json, dir, name, err, result_pool);
        if (APR_STATUS_IS_ENOENT(rv)) {
            base_err_clear(err);
            break;
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
        fault = read_save(record, by_real, json, record->saves + 1,
                          result_pool);
        if (fault) {
            return journal_damaged(err, journal_path(dir, name, result_pool),
                                   fault);
        }
        record->saves++;
    }
    *precord = record;
    return APR_SUCCESS;
}

/* ------------------------------------------------------------- contents */

apr_status_t journal_old_read(char **pdata, apr_size_t *plen,
                              const char *dir, const journal_entry_t *entry,
                              acme_err_t *err, apr_pool_t *result_pool)
{
    const char *path = apr_psprintf(result_pool, "%s/b.%d.%d", dir,
                                    entry->save, entry->index);
    apr_status_t rv;

    *pdata = apr_pstrdup(result_pool, "");
    *plen = 0;
    if (entry->op != JOURNAL_MODIFY) {
        return APR_SUCCESS;
    }
    rv = base_file_read(pdata, plen, path, JOURNAL_FILE_MAX, err,
                        result_pool);
    if (APR_STATUS_IS_ENOENT(rv)) {
        base_err_clear(err);
        return journal_damaged(err, path, "it is missing");
    }
    if (rv == APR_SUCCESS
        && strcmp(journal_state_of_file(*pdata, *plen, result_pool),
                  entry->before) != 0) {
        return journal_damaged(err, path, "it is not the content that was "
                               "recorded");
    }
    return rv;
}

apr_status_t journal_new_read(char **pdata, apr_size_t *plen,
                              const char *dir, const journal_entry_t *entry,
                              acme_err_t *err, apr_pool_t *result_pool)
{
    apr_size_t old_len, at = entry->splice_at, tail;
    char *old, *data;
    apr_status_t rv = journal_old_read(&old, &old_len, dir, entry, err,
                                       result_pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (old_len != entry->old_len) {
        return journal_damaged(err, dir, "a before-image has another size");
    }
    tail = old_len - at - entry->splice_remove;
    data = apr_pcalloc(result_pool, entry->new_len + 1);
    memcpy(data, old, at);
    if (entry->insert_len > 0) {
        memcpy(data + at, entry->insert, entry->insert_len);
    }
    memcpy(data + at + entry->insert_len, old + old_len - tail, tail);
    *pdata = data;
    *plen = entry->new_len;
    if (journal_state_is_file(entry->after)
        && strcmp(journal_state_of_file(data, *plen, result_pool),
                  entry->after) != 0) {
        return journal_damaged(err, dir, "a file's content after cannot be "
                               "made from its content before");
    }
    return APR_SUCCESS;
}
