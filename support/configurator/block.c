/*
 * block.c: a section that is looked at and edited.
 *
 * Edits are only noted here (op_t); change.c turns them into splices of
 * bytes and into the same changes of the tree. They all speak of the nodes
 * as they were when the block was opened, so their order hardly matters:
 * the last one that sets an argument wins, and what is removed takes the
 * edits of it along.
 */
#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "configurator/text_internal.h"

#define NO_WORD "an argument has an end of line in it, or ${, which httpd " \
    "would expand"

static reading_t *reading_at(const block_t *block, int node)
{
    return &APR_ARRAY_IDX(block->readings, node, reading_t);
}

static const block_node_t *node_at(const block_t *block, int node)
{
    return &APR_ARRAY_IDX(block->nodes, node, block_node_t);
}

static op_t *op_at(const block_t *block, int i)
{
    return &APR_ARRAY_IDX(block->ops, i, op_t);
}

/* ----------------------------------------------------------------- opening */

/** Split what was read into the header and the nodes in it. */
static void take(block_t *block, const apr_array_header_t *readings)
{
    int i;

    block->header = APR_ARRAY_IDX(readings, 0, reading_t);
    for (i = 1; i < readings->nelts; i++) {
        reading_t reading = APR_ARRAY_IDX(readings, i, reading_t);

        reading.node.depth--;
        reading.node.parent--;
        APR_ARRAY_PUSH(block->readings, reading_t) = reading;
        APR_ARRAY_PUSH(block->nodes, block_node_t) = reading.node;
    }
}

/** An empty block of a text. */
static block_t *make(augeas_base_t *base, const text_t *text, int open,
                     apr_pool_t *pool)
{
    block_t *block = apr_pcalloc(pool, sizeof(*block));

    block->base = base;
    block->text = text;
    block->open = open;
    block->nodes = apr_array_make(pool, 32, sizeof(block_node_t));
    block->readings = apr_array_make(pool, 32, sizeof(reading_t));
    block->ops = apr_array_make(pool, 8, sizeof(op_t));
    block->pool = pool;
    return block;
}

apr_status_t block_open(block_t **pblock, augeas_base_t *base,
                        const text_t *text, int open, acme_err_t *err,
                        apr_pool_t *result_pool)
{
    block_t *block = make(base, text, open, result_pool);
    apr_array_header_t *readings;
    const scan_line_t *line;
    apr_status_t rv;

    if (open < 0 || open >= text->lines->nelts
        || APR_ARRAY_IDX(text->lines, open, scan_line_t).kind != SCAN_OPEN) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s: there is no section to be edited",
                            text->path);
    }
    line = &APR_ARRAY_IDX(text->lines, open, scan_line_t);
    rv = reading_take(&readings, base, text, open, line->mate, err,
                      result_pool);
    augeas_base_clear(base);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    take(block, readings);
    block->gone = apr_pcalloc(result_pool,
                              (apr_size_t)block->nodes->nelts + 1);
    *pblock = block;
    return APR_SUCCESS;
}

apr_status_t block_copy(block_t **pcopy, const block_t *block,
                        acme_err_t *err, apr_pool_t *result_pool)
{
    block_t *copy = make(block->base, block->text, block->open, result_pool);

    (void)err;
    copy->header = block->header;
    copy->nodes = apr_array_copy(result_pool, block->nodes);
    copy->readings = apr_array_copy(result_pool, block->readings);
    copy->gone = apr_pcalloc(result_pool,
                             (apr_size_t)block->nodes->nelts + 1);
    *pcopy = copy;
    return APR_SUCCESS;
}

/* ----------------------------------------------------------------- looking */

const apr_array_header_t *block_nodes(const block_t *block)
{
    return block->nodes;
}

const apr_array_header_t *block_words(const block_t *block)
{
    return block->header.node.words;
}

int block_find(const block_t *block, const char *name, int from, int deep)
{
    int i;

    for (i = from < 0 ? 0 : from; i < block->nodes->nelts; i++) {
        const block_node_t *node = node_at(block, i);

        if ((deep || node->depth == 0) && node->kind != SCAN_COMMENT
            && strcasecmp(node->name, name) == 0) {
            return i;
        }
    }
    return -1;
}

int block_is_edited(const block_t *block)
{
    int i;

    for (i = 0; i < block->ops->nelts; i++) {
        if (!op_at(block, i)->dead) {
            return 1;
        }
    }
    return 0;
}

/* ----------------------------------------------------------------- editing */

/** Record that an edit cannot be done. */
static apr_status_t refuse(const block_t *block, int node, const char *why,
                           acme_err_t *err)
{
    const block_node_t *at = node >= 0 && node < block->nodes->nelts
        ? node_at(block, node) : &block->header.node;

    return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                        "%s:%d: cannot edit %s: %s", block->text->path,
                        at->line, at->kind == SCAN_COMMENT ? "a comment"
                        : at->name, why);
}

/** Check a node's number, -1 for the header or the end. */
static apr_status_t check_node(const block_t *block, int node, int within,
                               acme_err_t *err)
{
    if (node < -1 || node >= block->nodes->nelts) {
        return refuse(block, -1, "it has no such line", err);
    }
    if (node >= 0 && block->gone[node] >= within) {
        return refuse(block, node, "it is taken away already", err);
    }
    return APR_SUCCESS;
}

/** Quote words. @return APR_EINVAL if one cannot be an argument */
static apr_status_t quote_all(apr_array_header_t **pargs,
                              const block_t *block, int node,
                              const apr_array_header_t *words,
                              acme_err_t *err)
{
    int i;

    *pargs = apr_array_make(block->pool, words->nelts + 1,
                            sizeof(const char *));
    for (i = 0; i < words->nelts; i++) {
        const char *word = text_quote(APR_ARRAY_IDX(words, i, const char *),
                                      block->pool);

        if (!word) {
            return refuse(block, node, NO_WORD, err);
        }
        APR_ARRAY_PUSH(*pargs, const char *) = word;
    }
    return APR_SUCCESS;
}

static int is_node_or_within(const block_t *block, int node, int of)
{
    while (node > of) {
        node = node_at(block, node)->parent;
    }
    return node == of;
}

/** Let a removed node take edits of it and in it along; what was put before
 *  it stays. */
static void forget(block_t *block, int node)
{
    int i;

    for (i = 0; i < block->ops->nelts; i++) {
        op_t *op = op_at(block, i);

        op->dead |= op->node >= 0
            && is_node_or_within(block, op->node, node)
            && !(op->kind == OP_INSERT && op->node == node);
    }
}

apr_status_t block_remove(block_t *block, int node, acme_err_t *err)
{
    op_t op = { OP_REMOVE, node, 0, NULL, NULL, NULL, 0 };
    int i;

    if (node < 0 || node >= block->nodes->nelts) {
        return refuse(block, -1, "it has no such line", err);
    }
    if (block->gone[node]) {
        return APR_SUCCESS;
    }
    forget(block, node);
    for (i = node; i < block->nodes->nelts; i++) {
        if (is_node_or_within(block, i, node)) {
            block->gone[i] = i == node ? 1 : 2;
        }
    }
    APR_ARRAY_PUSH(block->ops, op_t) = op;
    return APR_SUCCESS;
}

/** 1 if it can be the name of a directive. */
static int is_name(const char *name)
{
    return apr_isalpha(*name)
        && name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                       "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

apr_status_t block_insert(block_t *block, int before, const char *name,
                          const apr_array_header_t *words, acme_err_t *err)
{
    op_t op = { OP_INSERT, before, 0, "directive", NULL, NULL, 0 };
    apr_status_t rv;

    if ((rv = check_node(block, before, 2, err))
        || (rv = quote_all(&op.args, block, before, words, err))) {
        return rv;
    }
    if (!is_name(name)) {
        return refuse(block, before, "what is to be put there is not the "
                      "name of a directive", err);
    }
    op.value = apr_pstrdup(block->pool, name);
    APR_ARRAY_PUSH(block->ops, op_t) = op;
    return APR_SUCCESS;
}

apr_status_t block_comment(block_t *block, int before, const char *comment,
                           acme_err_t *err)
{
    op_t op = { OP_INSERT, before, 0, "#comment", NULL, NULL, 0 };
    apr_status_t rv = check_node(block, before, 2, err);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    op.value = text_trimmed(comment, block->pool);
    if (!*op.value || strpbrk(op.value, "\r\n\\")) {
        return refuse(block, before, "a comment is one line without a "
                      "backslash", err);
    }
    APR_ARRAY_PUSH(block->ops, op_t) = op;
    return APR_SUCCESS;
}

/* --------------------------------------------------------------- arguments */

static const reading_t *target(const block_t *block, int node)
{
    return node < 0 ? &block->header : reading_at(block, node);
}

/** The edit of a node's arguments; NULL if there is none. */
static op_t *find_setting(const block_t *block, int node)
{
    int i;

    for (i = 0; i < block->ops->nelts; i++) {
        op_t *op = op_at(block, i);

        if (op->kind == OP_SET && !op->dead && op->node == node) {
            return op;
        }
    }
    return NULL;
}

/** The same; one that changes nothing is made where there is none. */
static op_t *setting(block_t *block, int node)
{
    op_t op = { OP_SET, node, 0, NULL, NULL, NULL, 0 };
    op_t *found = find_setting(block, node);
    int i;

    if (found) {
        return found;
    }
    op.args = apr_array_make(block->pool, 4, sizeof(const char *));
    for (i = 0; i < target(block, node)->node.words->nelts; i++) {
        APR_ARRAY_PUSH(op.args, const char *) = NULL;
    }
    APR_ARRAY_PUSH(block->ops, op_t) = op;
    return op_at(block, block->ops->nelts - 1);
}

/** 1 if an edit leaves all arguments as they are. */
static int is_idle(const op_t *op)
{
    int i;

    for (i = 0; i < op->args->nelts; i++) {
        if (APR_ARRAY_IDX(op->args, i, const char *)) {
            return 0;
        }
    }
    return !op->all;
}

static int are_equal(const apr_array_header_t *a,
                     const apr_array_header_t *b)
{
    int i;

    for (i = 0; i < a->nelts && i < b->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(a, i, const char *),
                   APR_ARRAY_IDX(b, i, const char *)) != 0) {
            return 0;
        }
    }
    return a->nelts == b->nelts;
}

/** 1 if a line has blanks in it that are none to the lens. */
static int has_odd_blanks(const text_t *text, int i)
{
    const scan_line_t *line = &APR_ARRAY_IDX(text->lines, i, scan_line_t);
    apr_size_t len = line->end - line->start;

    return memchr(text->data + line->start, '\f', len)
        || memchr(text->data + line->start, '\v', len);
}

/** Check that a node has arguments that can be set. */
static apr_status_t check_args(const block_t *block, int node,
                               acme_err_t *err)
{
    apr_status_t rv = check_node(block, node, 1, err);
    const reading_t *reading;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    reading = target(block, node);
    if (reading->node.kind == SCAN_COMMENT
        || reading->args != reading->node.words->nelts
        || has_odd_blanks(block->text, reading->line)) {
        return refuse(block, node, "Augeas reads other arguments than httpd "
                      "does, change the line by hand", err);
    }
    return APR_SUCCESS;
}

apr_status_t block_set(block_t *block, int node, int n, const char *word,
                       acme_err_t *err)
{
    const char *quoted = text_quote(word, block->pool);
    const apr_array_header_t *words;
    apr_status_t rv = check_args(block, node, err);
    const op_t *before;
    op_t *op;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    words = target(block, node)->node.words;
    before = find_setting(block, node);
    if (n < 0 || n >= (before ? before->args : words)->nelts) {
        return refuse(block, node, "it has no such argument", err);
    }
    if (!quoted) {
        return refuse(block, node, NO_WORD, err);
    }
    op = setting(block, node);
    if (!op->all && strcmp(APR_ARRAY_IDX(words, n, const char *),
                           word) == 0) {
        quoted = NULL;
    }
    APR_ARRAY_IDX(op->args, n, const char *) = quoted;
    op->dead = is_idle(op);
    return APR_SUCCESS;
}

apr_status_t block_set_all(block_t *block, int node,
                           const apr_array_header_t *words,
                           acme_err_t *err)
{
    apr_array_header_t *quoted;
    apr_status_t rv;
    op_t *op;

    if ((rv = check_args(block, node, err))
        || (rv = quote_all(&quoted, block, node, words, err))) {
        return rv;
    }
    op = setting(block, node);
    op->args = quoted;
    op->all = 1;
    op->dead = are_equal(words, target(block, node)->node.words);
    return APR_SUCCESS;
}
