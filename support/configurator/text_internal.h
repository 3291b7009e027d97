/*
 * text_internal.h: what the files of the text layer (text.h) share.
 */
#ifndef ACME_CONFIGURATOR_TEXT_INTERNAL_H
#define ACME_CONFIGURATOR_TEXT_INTERNAL_H

#include "configurator/text.h"

/* ----------------------------------------------------------------- scan */

/** text without the blanks around it that httpd skips. */
const char *text_trimmed(const char *text, apr_pool_t *pool);

/** A word of a line: what httpd reads, and the bytes it stands in. */
typedef struct text_word_t {
    const char *value;        /**< quotes and escapes undone */
    apr_size_t start;         /**< offset of its first byte, quotes included */
    apr_size_t end;           /**< behind its last byte */
} text_word_t;

/** The words behind a line's name, of text_word_t. @param pname_end  set:
 *  offset behind the name */
apr_array_header_t *text_spans(const text_t *text, const scan_line_t *line,
                               apr_size_t *pname_end, apr_pool_t *pool);

/** Index of the first line that starts at offset or behind it; the number
 *  of lines if there is none. */
int text_line_from(const text_t *text, apr_size_t offset);

/* ---------------------------------------------------------- augeas_base */

/*
 * One tree at a time: parse makes it, clear removes it. In between it can
 * be listed, changed and written down. Expressions are paths that nodes
 * told, or marks: a mark stays with its node whatever is done around it.
 */

/** A section, directive or comment of the tree. */
typedef struct augeas_node_t {
    scan_kind_t kind;         /**< OPEN, DIRECTIVE or COMMENT */
    const char *path;
    const char *label;
    apr_size_t at;            /**< offset in what was parsed: of the name,
                                   the comment's text, or (of a Perl section)
                                   what is in it */
    apr_size_t len;           /**< bytes of the name or the text */
    int args;                 /**< its children "arg"; -1 if a directive has
                                   others (word lists) */
} augeas_node_t;

/**
 * Parse bytes; a final end of line is added where there is none.
 * @param pline  set with APR_EINVAL: the line, from 1, where the lens gave
 *               up; err is empty then
 */
apr_status_t augeas_base_parse(augeas_base_t *base, int *pline,
                               const char *data, apr_size_t len,
                               acme_err_t *err, apr_pool_t *scratch_pool);

/** The nodes in the order of their bytes, of augeas_node_t. */
apr_status_t augeas_base_nodes(apr_array_header_t **pnodes,
                               augeas_base_t *base, acme_err_t *err,
                               apr_pool_t *result_pool);

/** The whole tree as text: equal texts are equal trees. */
apr_status_t augeas_base_dump(const char **pdump, augeas_base_t *base,
                              acme_err_t *err, apr_pool_t *result_pool);

/** Remove the tree and forget the marks. */
void augeas_base_clear(augeas_base_t *base);

/** Mark the node at path. @return the expression for it */
apr_status_t augeas_base_mark(const char **pmark, augeas_base_t *base,
                              const char *path, acme_err_t *err,
                              apr_pool_t *result_pool);

/** Put a node with args (of const char *) before the one at mark. */
apr_status_t augeas_base_insert(augeas_base_t *base, const char *mark,
                                const char *label, const char *value,
                                const apr_array_header_t *args,
                                acme_err_t *err, apr_pool_t *scratch_pool);

/** Put it behind the last child of the node at parent. */
apr_status_t augeas_base_append(augeas_base_t *base, const char *parent,
                                const char *label, const char *value,
                                const apr_array_header_t *args,
                                acme_err_t *err, apr_pool_t *scratch_pool);

/** Remove the node at mark. */
apr_status_t augeas_base_remove(augeas_base_t *base, const char *mark,
                                acme_err_t *err);

/** Set argument n, from 0, of the node at mark. */
apr_status_t augeas_base_set_arg(augeas_base_t *base, const char *mark,
                                 int n, const char *value, acme_err_t *err,
                                 apr_pool_t *scratch_pool);

/** Let the node at mark have these arguments and no others. */
apr_status_t augeas_base_set_args(augeas_base_t *base, const char *mark,
                                  const apr_array_header_t *args,
                                  acme_err_t *err, apr_pool_t *scratch_pool);

/** Put all of the tree into a section with one argument. */
apr_status_t augeas_base_wrap(augeas_base_t *base, const char *label,
                              const char *arg, acme_err_t *err,
                              apr_pool_t *scratch_pool);

/* -------------------------------------------------------------- reading */

/** A node that lens and scanner agree on. */
typedef struct reading_t {
    block_node_t node;
    const char *path;         /**< in the tree */
    int line;                 /**< index into the text's lines */
    int args;                 /**< as in augeas_node_t */
} reading_t;

/**
 * Parse the lines from first to last, sections whole, and compare what the
 * lens finds with what the scanner did: the same nodes with the same names
 * on the same lines. The tree stays in base, also where they disagree.
 * @param preadings  of reading_t, in order
 * @return APR_EINVAL: the lens cannot read them, or reads otherwise (err)
 */
apr_status_t reading_take(apr_array_header_t **preadings,
                          augeas_base_t *base, const text_t *text, int first,
                          int last, acme_err_t *err,
                          apr_pool_t *result_pool);

/** Parse the lines again that both agreed on before. */
apr_status_t reading_again(augeas_base_t *base, const text_t *text,
                           int first, int last, acme_err_t *err,
                           apr_pool_t *scratch_pool);

/* ---------------------------------------------------------------- block */

typedef enum op_kind_t { OP_INSERT, OP_SET, OP_REMOVE } op_kind_t;

/** One edit: of the bytes and, the same, of the tree. */
typedef struct op_t {
    op_kind_t kind;
    int node;                 /**< INSERT: before it, -1 at the end; SET: its
                                   arguments, -1 the header's; REMOVE: it */
    int dead;                 /**< 1: a later edit took it back */
    const char *label;        /**< INSERT: "directive" or "#comment" */
    const char *value;        /**< INSERT: its name or text */
    apr_array_header_t *args; /**< of const char *, quoted; SET: NULL leaves
                                   the argument there as it is */
    int all;                  /**< SET: args are all it has then */
} op_t;

struct block_t {
    augeas_base_t *base;
    const text_t *text;
    int open;                 /**< index of its header's line */
    reading_t header;
    apr_array_header_t *nodes;     /**< of block_node_t */
    apr_array_header_t *readings;  /**< of reading_t, one a node */
    char *gone;               /**< one a node: 1 removed, 2 within one */
    apr_array_header_t *ops;  /**< of op_t */
    apr_pool_t *pool;
};

/* --------------------------------------------------------------- splice */

/** Bytes [start, end) of a text become other bytes. */
typedef struct splice_t {
    apr_size_t start;
    apr_size_t end;
    const char *text;
    apr_size_t len;
    int rank;                 /**< order of those with the same start */
    int seq;                  /**< the same, within a rank */
    apr_size_t at;            /**< set by splice_render: where text is now */
} splice_t;

/** Put splices in order. @return index of the first that overlaps the one
 *  before; -1 */
int splice_sort(apr_array_header_t *splices);

/** The bytes [from, to) of data with sorted splices (absolute offsets). */
const char *splice_render(apr_size_t *plen, const char *data,
                          apr_size_t from, apr_size_t to,
                          apr_array_header_t *splices,
                          apr_pool_t *result_pool);

/** 1 if after is before (both whole) with exactly these splices. Knows
 *  nothing of how it was made. */
int splice_verify(const char *before, apr_size_t before_len,
                  const char *after, apr_size_t after_len,
                  const apr_array_header_t *splices);

/** Where the byte at offset is now: behind all that was put before it. */
apr_size_t splice_map(const apr_array_header_t *splices, apr_size_t offset);

/** Indentation of a line: its blanks before the text. */
const char *splice_indent(const text_t *text, int line, apr_pool_t *pool);

/** What one level of sections adds to it in this text. */
const char *splice_step(const text_t *text, apr_pool_t *pool);

/** A line's end of line; the text's where it has none. */
const char *splice_eol(const text_t *text, int line);

/* --------------------------------------------------------------- change */

/** What the block's edits do to the text's bytes, appended to splices. */
void change_splices(apr_array_header_t *splices, const block_t *block,
                    apr_pool_t *result_pool);

/**
 * Prove that the section at lines[open] of after is the block as edited:
 * the tree that the edits make of the original's equals the one the lens
 * reads now.
 * @param wrap  nullable: the section around it, with wrap_word; open is
 *              the wrapping section's then
 * @return APR_EGENERAL with the first difference
 */
apr_status_t change_prove(const block_t *block, const text_t *after,
                          int open, const char *wrap, const char *wrap_word,
                          acme_err_t *err, apr_pool_t *scratch_pool);

#endif
