/*
 * change.c: the edits of a block, as splices of its bytes and as the same
 * changes of its tree.
 *
 *     original bytes --lens--> tree --edits--> expected tree
 *          |                                       |  equal?
 *        splices --> new bytes ------lens-----> actual tree
 *
 * Both come from the same notes (op_t), but by different ways: splices go
 * by the scanner's lines and words, the tree's changes by the lens's nodes.
 */
#include <string.h>

#include <apr_strings.h>

#include "configurator/text_internal.h"

static const scan_line_t *line_at(const text_t *text, int i)
{
    return &APR_ARRAY_IDX(text->lines, i, scan_line_t);
}

static const reading_t *reading_at(const block_t *block, int node)
{
    return node < 0 ? &block->header
        : &APR_ARRAY_IDX(block->readings, node, reading_t);
}

static const op_t *op_at(const block_t *block, int i)
{
    return &APR_ARRAY_IDX(block->ops, i, op_t);
}

/* ---------------------------------------------------------------- splices */

enum { RANK_INSERT, RANK_CHANGE };

static void push(apr_array_header_t *splices, apr_size_t start,
                 apr_size_t end, const char *text, int rank)
{
    splice_t splice = { start, end, text, strlen(text), rank, 0, 0 };

    APR_ARRAY_PUSH(splices, splice_t) = splice;
}

/** The indentation of what is put at the end of a block: that of the last
 *  line directly in it, comments only where there is nothing else. */
static const char *end_indent(const block_t *block, apr_pool_t *pool)
{
    int found = -1;
    int i;

    for (i = block->nodes->nelts - 1; i >= 0; i--) {
        const block_node_t *node = &APR_ARRAY_IDX(block->nodes, i,
                                                  block_node_t);

        if (node->depth == 0 && node->kind != SCAN_COMMENT) {
            found = i;
            break;
        }
        if (node->depth == 0 && found < 0) {
            found = i;
        }
    }
    if (found >= 0) {
        return splice_indent(block->text, reading_at(block, found)->line,
                             pool);
    }
    return apr_pstrcat(pool, splice_indent(block->text, block->open, pool),
                       splice_step(block->text, pool), NULL);
}

static void splice_insert(apr_array_header_t *splices, const block_t *block,
                          const op_t *op, apr_pool_t *pool)
{
    const text_t *text = block->text;
    int close = line_at(text, block->open)->mate;
    int at = op->node < 0 ? close : reading_at(block, op->node)->line;
    int is_comment = strcmp(op->label, "#comment") == 0;
    const char *line = apr_pstrcat(
        pool, op->node < 0 ? end_indent(block, pool)
        : splice_indent(text, at, pool), is_comment ? "# " : "", op->value,
        op->args && op->args->nelts ? " " : "",
        op->args ? apr_array_pstrcat(pool, op->args, ' ') : "",
        splice_eol(text, op->node < 0 ? close - 1 : at), NULL);

    push(splices, line_at(text, at)->start, line_at(text, at)->start, line,
         RANK_INSERT);
}

static void splice_remove(apr_array_header_t *splices, const block_t *block,
                          const op_t *op)
{
    const scan_line_t *line = line_at(block->text,
                                      reading_at(block, op->node)->line);
    const scan_line_t *last = line->mate < 0
        ? line : line_at(block->text, line->mate);

    push(splices, line->start, last->end, "", RANK_CHANGE);
}

/** Put args in the place of all words. */
static void splice_set_all(apr_array_header_t *splices,
                           const apr_array_header_t *spans,
                           apr_size_t name_end,
                           const apr_array_header_t *args, apr_pool_t *pool)
{
    const char *joined = apr_array_pstrcat(pool, args, ' ');
    const text_word_t *first, *last;

    if (!spans->nelts) {
        push(splices, name_end, name_end,
             args->nelts ? apr_pstrcat(pool, " ", joined, NULL) : "",
             RANK_CHANGE);
        return;
    }
    first = &APR_ARRAY_IDX(spans, 0, text_word_t);
    last = &APR_ARRAY_IDX(spans, spans->nelts - 1, text_word_t);
    push(splices, args->nelts ? first->start : name_end, last->end, joined,
         RANK_CHANGE);
}

static void splice_set(apr_array_header_t *splices, const block_t *block,
                       const op_t *op, apr_pool_t *pool)
{
    const scan_line_t *line = line_at(block->text,
                                      reading_at(block, op->node)->line);
    apr_size_t name_end;
    const apr_array_header_t *spans = text_spans(block->text, line,
                                                 &name_end, pool);
    int i;

    if (op->all) {
        splice_set_all(splices, spans, name_end, op->args, pool);
        return;
    }
    for (i = 0; i < op->args->nelts; i++) {
        const char *arg = APR_ARRAY_IDX(op->args, i, const char *);
        const text_word_t *word = &APR_ARRAY_IDX(spans, i, text_word_t);

        if (arg) {
            push(splices, word->start, word->end, arg, RANK_CHANGE);
        }
    }
}

void change_splices(apr_array_header_t *splices, const block_t *block,
                    apr_pool_t *result_pool)
{
    int i;

    for (i = 0; i < block->ops->nelts; i++) {
        const op_t *op = op_at(block, i);

        if (op->dead) {
            continue;
        }
        switch (op->kind) {
        case OP_INSERT:
            splice_insert(splices, block, op, result_pool);
            break;
        case OP_SET:
            splice_set(splices, block, op, result_pool);
            break;
        case OP_REMOVE:
            splice_remove(splices, block, op);
            break;
        }
    }
}

/* ------------------------------------------------------------------- tree */

/** Mark the nodes that edits speak of, before the first edit moves any.
 *  @param marks  set: one an edit; NULL: none */
static apr_status_t mark_all(const char **marks, const block_t *block,
                             acme_err_t *err, apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < block->ops->nelts; i++) {
        const op_t *op = op_at(block, i);

        marks[i] = NULL;
        if (!op->dead && !(op->kind == OP_INSERT && op->node < 0)) {
            rv = augeas_base_mark(&marks[i], block->base,
                                  reading_at(block, op->node)->path, err,
                                  pool);
        }
    }
    return rv;
}

static apr_status_t change_args(augeas_base_t *base, const char *mark,
                                const op_t *op, acme_err_t *err,
                                apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (op->all) {
        return augeas_base_set_args(base, mark, op->args, err, pool);
    }
    for (i = 0; rv == APR_SUCCESS && i < op->args->nelts; i++) {
        const char *arg = APR_ARRAY_IDX(op->args, i, const char *);

        if (arg) {
            rv = augeas_base_set_arg(base, mark, i, arg, err, pool);
        }
    }
    return rv;
}

/** Do one edit to the tree. */
static apr_status_t change_node(const block_t *block, const op_t *op,
                                const char *mark, acme_err_t *err,
                                apr_pool_t *pool)
{
    switch (op->kind) {
    case OP_INSERT:
        return mark
            ? augeas_base_insert(block->base, mark, op->label, op->value,
                                 op->args, err, pool)
            : augeas_base_append(block->base, block->header.path, op->label,
                                 op->value, op->args, err, pool);
    case OP_SET:
        return change_args(block->base, mark, op, err, pool);
    case OP_REMOVE:
        return augeas_base_remove(block->base, mark, err);
    }
    return APR_EGENERAL;
}

/** Do all edits to the tree; what is removed goes last, since something may
 *  be put before it. */
static apr_status_t change_tree(const block_t *block, acme_err_t *err,
                                apr_pool_t *pool)
{
    const char **marks = apr_pcalloc(pool, sizeof(*marks)
                                     * (apr_size_t)(block->ops->nelts + 1));
    apr_status_t rv = mark_all(marks, block, err, pool);
    op_kind_t kind;
    int i;

    for (kind = OP_INSERT; kind <= OP_REMOVE; kind++) {
        for (i = 0; rv == APR_SUCCESS && i < block->ops->nelts; i++) {
            const op_t *op = op_at(block, i);

            if (!op->dead && op->kind == kind) {
                rv = change_node(block, op, marks[i], err, pool);
            }
        }
    }
    return rv;
}

/* ------------------------------------------------------------------ proof */

/** The tree that the block should be now. */
static apr_status_t expected(const char **pdump, const block_t *block,
                             const char *wrap, const char *wrap_word,
                             acme_err_t *err, apr_pool_t *pool)
{
    apr_status_t rv = reading_again(block->base, block->text, block->open,
                                    line_at(block->text, block->open)->mate,
                                    err, pool);

    if (rv == APR_SUCCESS) {
        rv = change_tree(block, err, pool);
    }
    if (rv == APR_SUCCESS && wrap) {
        rv = augeas_base_wrap(block->base, wrap, wrap_word, err, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = augeas_base_dump(pdump, block->base, err, pool);
    }
    augeas_base_clear(block->base);
    return rv;
}

/** The tree that the lens reads. */
static apr_status_t actual(const char **pdump, augeas_base_t *base,
                           const text_t *after, int open, acme_err_t *err,
                           apr_pool_t *pool)
{
    apr_array_header_t *readings;
    apr_status_t rv = reading_take(&readings, base, after, open,
                                   line_at(after, open)->mate, err, pool);

    if (rv == APR_SUCCESS) {
        rv = augeas_base_dump(pdump, base, err, pool);
    }
    augeas_base_clear(base);
    return rv;
}

/** The line of a dump in which both differ first. */
static const char *first_difference(const char *dump, const char *other,
                                    apr_pool_t *pool)
{
    apr_size_t at = 0;

    while (dump[at] && dump[at] == other[at]) {
        at++;
    }
    while (at && dump[at - 1] != '\n') {
        at--;
    }
    return dump[at] ? apr_pstrmemdup(pool, dump + at,
                                     strcspn(dump + at, "\n"))
                    : "the end";
}

/** Are the trees equal? */
static apr_status_t compare(const block_t *block, const char *want,
                            const char *is, acme_err_t *err,
                            apr_pool_t *pool)
{
    if (strcmp(want, is) == 0) {
        return APR_SUCCESS;
    }
    return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                        "%s:%d: the edited section would not read as "
                        "planned, nothing is written: \"%s\" instead of "
                        "\"%s\"", block->text->path,
                        block->header.node.line,
                        first_difference(is, want, pool),
                        first_difference(want, is, pool));
}

apr_status_t change_prove(const block_t *block, const text_t *after,
                          int open, const char *wrap, const char *wrap_word,
                          acme_err_t *err, apr_pool_t *scratch_pool)
{
    acme_err_t found = { 0 };
    const char *want, *is;
    apr_pool_t *pool;
    apr_status_t rv;

    apr_pool_create(&pool, scratch_pool);
    if (expected(&want, block, wrap, wrap_word, &found, pool)
        || actual(&is, block->base, after, open, &found, pool)) {
        rv = base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                          "%s:%d: the edited section cannot be proven, "
                          "nothing is written: %s", block->text->path,
                          block->header.node.line, found.message);
    }
    else {
        rv = compare(block, want, is, err, pool);
    }
    apr_pool_destroy(pool);
    return rv;
}
