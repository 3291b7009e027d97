/*
 * augeas_base.c: the calls to Augeas, and nothing of what they are for.
 *
 * A tree is parsed from a string and lives under /t; nothing is loaded,
 * saved or put: what the lens writes is not what was read (spacing moves
 * from one directive to the next), so bytes are spliced elsewhere and the
 * tree only tells what they mean.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <augeas.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "configurator/text_internal.h"

#define LENS "Httpd.lns"
#define INPUT "/in"
#define TREE "/t"
#define ERROR_LINE "/augeas/text" TREE "/error/line"
#define ERROR "/augeas/text" TREE "/error"

struct augeas_base_t {
    augeas *augeas;
    locale_t bytes;           /**< the C locale: the lens's expressions are
                                   to match bytes, not UTF-8 */
    int marks;
};

/* ----------------------------------------------------------------- handle */

static apr_status_t base_cleanup(void *data)
{
    augeas_base_t *base = data;

    aug_close(base->augeas);
    freelocale(base->bytes);
    return APR_SUCCESS;
}

/** Record that a call failed. */
static apr_status_t failed(augeas_base_t *base, const char *what,
                           acme_err_t *err)
{
    const char *minor = aug_error_minor_message(base->augeas);

    return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                        "Augeas cannot %s: %s%s%s: this should not happen, "
                        "please report it", what,
                        aug_error_message(base->augeas), minor ? ": " : "",
                        minor ? minor : "");
}

apr_status_t augeas_base_open(augeas_base_t **pbase, acme_err_t *err,
                              apr_pool_t *result_pool)
{
    augeas_base_t *base = apr_pcalloc(result_pool, sizeof(*base));
    int line;

    base->bytes = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    base->augeas = base->bytes ? aug_init("/", NULL, AUG_NO_LOAD
                                          | AUG_NO_MODL_AUTOLOAD
                                          | AUG_ENABLE_SPAN) : NULL;
    if (!base->augeas) {
        return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                            "cannot start Augeas: out of memory, or its "
                            "installation is broken");
    }
    apr_pool_cleanup_register(result_pool, base, base_cleanup,
                              apr_pool_cleanup_null);
    if (augeas_base_parse(base, &line, "A\n", 2, err, result_pool)) {
        base_err_clear(err);
        return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                            "cannot load the lens " LENS " of Augeas: "
                            "install the package that has httpd.aug "
                            "(augeas-lenses)");
    }
    augeas_base_clear(base);
    *pbase = base;
    return APR_SUCCESS;
}

/* ------------------------------------------------------------------- tree */

/** Parse text by the lens. @return 0, or -1 */
static int store(augeas_base_t *base, const char *text)
{
    locale_t before = uselocale(base->bytes);
    int rc = aug_set(base->augeas, INPUT, text);

    if (rc == 0) {
        rc = aug_text_store(base->augeas, LENS, INPUT, TREE);
    }
    uselocale(before);
    return rc;
}

apr_status_t augeas_base_parse(augeas_base_t *base, int *pline,
                               const char *data, apr_size_t len,
                               acme_err_t *err, apr_pool_t *scratch_pool)
{
    int ends = len && data[len - 1] == '\n';
    const char *text = apr_pstrcat(scratch_pool,
                                   apr_pstrmemdup(scratch_pool, data, len),
                                   ends ? "" : "\n", NULL);
    const char *line = NULL;
    int rc = store(base, text);

    *pline = 0;
    if (rc != 0 && aug_error(base->augeas) != AUG_NOERROR) {
        return failed(base, "parse a section", err);
    }
    if (rc == 0 && aug_match(base->augeas, ERROR, NULL) == 0) {
        return APR_SUCCESS;
    }
    if (aug_get(base->augeas, ERROR_LINE, &line) != 1 || !line) {
        return failed(base, "tell why it parses no section", err);
    }
    *pline = (int)strtol(line, NULL, 10);
    augeas_base_clear(base);
    return APR_EINVAL;
}

void augeas_base_clear(augeas_base_t *base)
{
    char name[16];

    while (base->marks > 0) {
        apr_snprintf(name, sizeof(name), "m%d", base->marks--);
        aug_defvar(base->augeas, name, NULL);
    }
    aug_rm(base->augeas, INPUT);
    aug_rm(base->augeas, TREE);
    aug_rm(base->augeas, "/augeas/text");
}

/** The last name of a path, without its index. */
static const char *path_label(const char *path, apr_pool_t *pool)
{
    const char *last = strrchr(path, '/') + 1;

    return apr_pstrmemdup(pool, last, strcspn(last, "["));
}

/** What a path says of its node, and the span. @return 0 if it is neither
 *  section nor directive nor comment */
static int describe(augeas_node_t *node, augeas_base_t *base)
{
    unsigned label, label_end, value, value_end, start, end;

    /* A section of that name is missed, and refused therefore. */
    if (strcmp(node->label, "arg") == 0) {
        return 0;
    }
    if (aug_span(base->augeas, node->path, NULL, &label, &label_end, &value,
                 &value_end, &start, &end) != 0) {
        return 0;
    }
    node->kind = SCAN_OPEN;
    node->at = label;
    node->len = label_end - label;
    if (label_end == label) {
        node->at = value;
        node->len = value_end - value;
        node->kind = strcmp(node->label, "directive") == 0 ? SCAN_DIRECTIVE
            : strcmp(node->label, "#comment") == 0 ? SCAN_COMMENT
            : SCAN_OPEN;
    }
    return node->kind != SCAN_OPEN || label_end > label
        || strcmp(node->label, "Perl") == 0;
}

/** Count what is no node of its own at the node around it. */
static void count_arg(apr_hash_t *by_path, const char *path,
                      const char *label, apr_pool_t *pool)
{
    augeas_node_t *node = apr_hash_get(by_path, apr_pstrmemdup(
        pool, path, (apr_size_t)(strrchr(path, '/') - path)),
        APR_HASH_KEY_STRING);

    if (node && node->args >= 0) {
        node->args = strcmp(label, "arg") == 0 ? node->args + 1 : -1;
    }
}

static int by_offset(const void *a, const void *b)
{
    const augeas_node_t *const *left = a;
    const augeas_node_t *const *right = b;

    return (*left)->at < (*right)->at ? -1 : (*left)->at > (*right)->at;
}

/** Make nodes of paths, in the order of bytes. */
static apr_array_header_t *list(augeas_base_t *base, char *const *paths,
                                int n, apr_pool_t *pool)
{
    apr_array_header_t *nodes = apr_array_make(pool, n + 1,
                                               sizeof(augeas_node_t *));
    apr_hash_t *by_path = apr_hash_make(pool);
    int i;

    /* A node comes before its children. */
    for (i = 0; i < n; i++) {
        augeas_node_t *node = apr_pcalloc(pool, sizeof(*node));

        node->path = apr_pstrdup(pool, paths[i]);
        node->label = path_label(paths[i], pool);
        if (describe(node, base)) {
            APR_ARRAY_PUSH(nodes, augeas_node_t *) = node;
            apr_hash_set(by_path, node->path, APR_HASH_KEY_STRING, node);
        }
        else {
            count_arg(by_path, node->path, node->label, pool);
        }
    }
    qsort(nodes->elts, (size_t)nodes->nelts, sizeof(augeas_node_t *),
          by_offset);
    return nodes;
}

apr_status_t augeas_base_nodes(apr_array_header_t **pnodes,
                               augeas_base_t *base, acme_err_t *err,
                               apr_pool_t *result_pool)
{
    char **paths = NULL;
    int n = aug_match(base->augeas, TREE "//*", &paths);

    if (n < 0) {
        return failed(base, "list what it has parsed", err);
    }
    *pnodes = list(base, paths, n, result_pool);
    while (n > 0) {
        free(paths[--n]);
    }
    free(paths);
    return APR_SUCCESS;
}

apr_status_t augeas_base_dump(const char **pdump, augeas_base_t *base,
                              acme_err_t *err, apr_pool_t *result_pool)
{
    locale_t before = uselocale(base->bytes);
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    int rc = -1;

    if (out) {
        rc = aug_print(base->augeas, out, TREE);
        rc |= fclose(out);
    }
    uselocale(before);
    if (rc == 0) {
        *pdump = apr_pstrmemdup(result_pool, text, len);
    }
    free(text);
    return rc == 0 ? APR_SUCCESS : failed(base, "write a tree down", err);
}

/* ---------------------------------------------------------------- changes */

apr_status_t augeas_base_mark(const char **pmark, augeas_base_t *base,
                              const char *path, acme_err_t *err,
                              apr_pool_t *result_pool)
{
    char *mark = apr_psprintf(result_pool, "$m%d", ++base->marks);

    if (aug_defvar(base->augeas, mark + 1, path) != 1) {
        return failed(base, "find a node again", err);
    }
    *pmark = mark;
    return APR_SUCCESS;
}

/** Give the node at path its value and its arguments. */
static int fill(augeas_base_t *base, const char *path, const char *value,
                const apr_array_header_t *args, apr_pool_t *pool)
{
    int rc = aug_set(base->augeas, path, value);
    int i;

    for (i = 0; rc == 0 && args && i < args->nelts; i++) {
        rc = aug_set(base->augeas,
                     apr_pstrcat(pool, path, "/arg[last()+1]", NULL),
                     APR_ARRAY_IDX(args, i, const char *));
    }
    return rc;
}

apr_status_t augeas_base_insert(augeas_base_t *base, const char *mark,
                                const char *label, const char *value,
                                const apr_array_header_t *args,
                                acme_err_t *err, apr_pool_t *scratch_pool)
{
    const char *path = apr_pstrcat(scratch_pool, mark,
                                   "/preceding-sibling::*[1]", NULL);
    int rc = aug_insert(base->augeas, mark, label, 1);

    if (rc == 0) {
        rc = fill(base, path, value, args, scratch_pool);
    }
    return rc == 0 ? APR_SUCCESS : failed(base, "insert a node", err);
}

apr_status_t augeas_base_append(augeas_base_t *base, const char *parent,
                                const char *label, const char *value,
                                const apr_array_header_t *args,
                                acme_err_t *err, apr_pool_t *scratch_pool)
{
    const char *fresh = apr_pstrcat(scratch_pool, parent, "/", label,
                                    "[last()+1]", NULL);
    const char *path = apr_pstrcat(scratch_pool, parent, "/", label,
                                   "[last()]", NULL);
    int rc = aug_set(base->augeas, fresh, value);

    if (rc == 0) {
        rc = fill(base, path, value, args, scratch_pool);
    }
    return rc == 0 ? APR_SUCCESS : failed(base, "append a node", err);
}

apr_status_t augeas_base_remove(augeas_base_t *base, const char *mark,
                                acme_err_t *err)
{
    return aug_rm(base->augeas, mark) > 0
        ? APR_SUCCESS : failed(base, "remove a node", err);
}

apr_status_t augeas_base_set_arg(augeas_base_t *base, const char *mark,
                                 int n, const char *value, acme_err_t *err,
                                 apr_pool_t *scratch_pool)
{
    const char *path = apr_psprintf(scratch_pool, "%s/arg[%d]", mark, n + 1);

    return aug_match(base->augeas, path, NULL) == 1
        && aug_set(base->augeas, path, value) == 0
        ? APR_SUCCESS : failed(base, "set an argument", err);
}

/** Put an argument behind those of the node at mark that it has. */
static int add_arg(augeas_base_t *base, const char *mark, int has,
                   const char *value, apr_pool_t *pool)
{
    const char *first = apr_pstrcat(pool, mark, "/*[1]", NULL);
    const char *last = apr_pstrcat(pool, mark, "/arg[last()]", NULL);
    int rc = 0;

    if (has > 0) {
        rc = aug_insert(base->augeas, last, "arg", 0);
    }
    else if (aug_match(base->augeas, first, NULL) == 1) {
        rc = aug_insert(base->augeas, first, "arg", 1);
    }
    else {
        last = apr_pstrcat(pool, mark, "/arg", NULL);
    }
    return rc ? rc : aug_set(base->augeas, last, value);
}

apr_status_t augeas_base_set_args(augeas_base_t *base, const char *mark,
                                  const apr_array_header_t *args,
                                  acme_err_t *err, apr_pool_t *scratch_pool)
{
    const char *all = apr_pstrcat(scratch_pool, mark, "/arg", NULL);
    int rc = aug_rm(base->augeas, all) < 0;
    int i;

    for (i = 0; rc == 0 && i < args->nelts; i++) {
        rc = add_arg(base, mark, i, APR_ARRAY_IDX(args, i, const char *),
                     scratch_pool);
    }
    return rc == 0 ? APR_SUCCESS : failed(base, "set arguments", err);
}

apr_status_t augeas_base_wrap(augeas_base_t *base, const char *label,
                              const char *arg, acme_err_t *err,
                              apr_pool_t *scratch_pool)
{
    const char *outer = apr_pstrcat(scratch_pool, "/w/", label, NULL);
    const char *args = apr_pstrcat(scratch_pool, outer, "/arg", NULL);
    int rc = aug_set(base->augeas, args, arg);

    while (rc == 0 && aug_match(base->augeas, TREE "/*[1]", NULL) == 1) {
        char **first = NULL;

        aug_match(base->augeas, TREE "/*[1]", &first);
        rc = aug_mv(base->augeas, first[0],
                    apr_pstrcat(scratch_pool, outer, "/",
                                path_label(first[0], scratch_pool),
                                "[last()+1]", NULL));
        free(first[0]);
        free(first);
    }
    if (rc != 0 || aug_mv(base->augeas, "/w", TREE) != 0) {
        return failed(base, "wrap a section", err);
    }
    return APR_SUCCESS;
}
