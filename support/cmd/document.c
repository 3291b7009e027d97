/*
 * document: documents of DUMP_ACME that a run has parsed already, mostly.
 * Each host and each domain is a line; a line that a document before had in
 * the same list is what it was then:
 *
 *     "virtual_hosts":[
 *       {"server_name":"a.test",...},     known: taken
 *       {"server_name":"b.test",...}      new: parsed, checked, kept
 *     ],
 *
 * Nobody writes elements of these lists, so documents may share them.
 */
#include <string.h>

#include <apr_strings.h>

#include "cmd/internal.h"

#define ELEMENT "    {"

/* A list of a document whose elements are lines. */
typedef struct part_t {
    const char *name;
    char *start;                /* its first line; NULL: not of this form */
    char *end;                  /* the line behind its last */
    apr_hash_t *known;          /* line -> json_t *, of documents before */
    apr_hash_t *added;          /* the same, of this one */
    json_t *all;
    json_t *fresh;              /* those of all that are not known */
} part_t;

static int is_element(const char *line)
{
    return strncmp(line, ELEMENT, strlen(ELEMENT)) == 0;
}

/** Bytes of a line's element; 0 if no comma parts it from the next. */
static apr_size_t element_len(const char *line, const char *newline)
{
    apr_size_t len = (apr_size_t)(newline - line);

    if (!is_element(newline + 1)) {
        return len;
    }
    return line[len - 1] == ',' ? len - 1 : 0;
}

/** Take one line. @return 0: it is no element */
static int line_take(part_t *part, const char *line, apr_size_t len,
                     apr_pool_t *pool)
{
    json_t *element = len ? apr_hash_get(part->known, line, (apr_ssize_t)len)
                          : NULL;
    acme_err_t ignored = { 0 };

    if (!element) {
        if (!len || base_json_parse(&element, line, len, len, part->name,
                                    &ignored, pool) != APR_SUCCESS) {
            return 0;
        }
        json_array_append(part->fresh, element);
        apr_hash_set(part->added, line, (apr_ssize_t)len, element);
    }
    json_array_append(part->all, element);
    return 1;
}

/** Take the lines of a list. @return 0: text is not of this form */
static int part_take(part_t *part, char *text, apr_pool_t *pool)
{
    const char *header = apr_psprintf(pool, "\n  \"%s\":[\n", part->name);
    char *line = strstr(text, header), *newline;

    if (!line) {
        return 1;
    }
    part->start = line + strlen(header);
    for (line = part->start; is_element(line); line = newline + 1) {
        newline = strchr(line, '\n');
        if (!newline || !line_take(part, line, element_len(line, newline),
                                   pool)) {
            return 0;
        }
    }
    part->end = line;
    return 1;
}

/** 1 if the list of the skeleton is the one that lines were taken of: its
 *  name is there once, and cannot be spelt otherwise. */
static int is_the_one(const part_t *part, const char *skeleton,
                      const json_t *root, apr_pool_t *pool)
{
    const char *name = apr_psprintf(pool, "\"%s\"", part->name);
    const char *once = strstr(skeleton, name);
    const json_t *list = json_object_get(root, part->name);

    return !part->start
           || (once && !strstr(once + 1, name) && !strstr(skeleton, "\\u")
               && json_is_array(list) && json_array_size(list) == 0);
}

static void part_put(const part_t *part, json_t *root, const json_t *list)
{
    json_t *target = json_object_get(root, part->name);

    if (part->start) {
        json_array_clear(target);
        json_array_extend(target, (json_t *)list);
    }
}

/** The text without the lines that were taken. */
static const char *skeleton_of(const part_t *parts, const char *text,
                               apr_pool_t *pool)
{
    char *skeleton = apr_pstrdup(pool, text), *end;
    int i;

    for (i = CMD_DOCUMENT_LISTS - 1; i >= 0; i--) {
        if (parts[i].start) {
            end = skeleton + (parts[i].end - text);
            memmove(skeleton + (parts[i].start - text), end,
                    strlen(end) + 1);
        }
    }
    return skeleton;
}

/** Put the document together. @return NULL: it is not of this form */
static json_t *parts_join(const part_t *parts, const char *text,
                          const schema_t *schema, apr_pool_t *pool)
{
    const char *skeleton = skeleton_of(parts, text, pool);
    acme_err_t ignored = { 0 };
    json_t *root;
    int i;

    if (base_json_parse(&root, skeleton, strlen(skeleton), strlen(skeleton),
                        "skeleton", &ignored, pool) != APR_SUCCESS) {
        return NULL;
    }
    for (i = 0; i < CMD_DOCUMENT_LISTS; i++) {
        if (!is_the_one(&parts[i], skeleton, root, pool)) {
            return NULL;
        }
    }
    for (i = 0; i < CMD_DOCUMENT_LISTS; i++) {
        part_put(&parts[i], root, parts[i].fresh);
    }
    if (schema_check(schema, root, "document", &ignored) != APR_SUCCESS) {
        return NULL;
    }
    for (i = 0; i < CMD_DOCUMENT_LISTS; i++) {
        part_put(&parts[i], root, parts[i].all);
    }
    return root;
}

json_t *cmd_document_read(cmd_t *cmd, const char *text, apr_size_t len)
{
    static const char *const names[CMD_DOCUMENT_LISTS] = { "virtual_hosts",
                                                           "domains" };
    char *copy = apr_pstrmemdup(cmd->pool, text, len), *from = copy;
    part_t parts[CMD_DOCUMENT_LISTS];
    json_t *root = NULL;
    int i, ok = strlen(copy) == len;

    for (i = 0; i < CMD_DOCUMENT_LISTS; i++) {
        memset(&parts[i], 0, sizeof(parts[i]));
        parts[i].name = names[i];
        if (!cmd->known[i]) {
            cmd->known[i] = apr_hash_make(cmd->pool);
        }
        parts[i].known = cmd->known[i];
        parts[i].added = apr_hash_make(cmd->pool);
        parts[i].all = base_json_own(json_array(), cmd->pool);
        parts[i].fresh = base_json_own(json_array(), cmd->pool);
        ok = ok && part_take(&parts[i], from, cmd->pool);
        from = parts[i].end ? parts[i].end - 1 : from;
    }
    if (ok) {
        root = parts_join(parts, copy,
                          schema_find(cmd->schemas, "state/config-dump"),
                          cmd->pool);
    }
    for (i = 0; root && i < CMD_DOCUMENT_LISTS; i++) {
        cmd->known[i] = apr_hash_overlay(cmd->pool, parts[i].added,
                                         cmd->known[i]);
    }
    return root;
}
