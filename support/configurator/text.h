/*
 * text: a configuration file as bytes, lines and blocks, and edits of it.
 * Inside this room only. It knows the language of the files (httpd's, read
 * by the Httpd lens of Augeas), not what any directive means.
 *
 *     file's bytes --scan--> lines, sections by line number
 *          |
 *        block: the bytes of one section, parsed by the lens with spans
 *          |
 *        edits: each is a splice of bytes and the same operation on a copy
 *          |    of the tree (the expected tree)
 *        edits_finish: splice, scan and parse again; the tree equals the
 *               expected one, all bytes outside the splices are the same
 */
#ifndef ACME_CONFIGURATOR_TEXT_H
#define ACME_CONFIGURATOR_TEXT_H

#include "base/base.h"

/* ----------------------------------------------------------------- scan */

typedef enum scan_kind_t {
    SCAN_BLANK, SCAN_COMMENT, SCAN_DIRECTIVE, SCAN_OPEN, SCAN_CLOSE
} scan_kind_t;

/** A logical line: continuations are part of it. Offsets are bytes. Between
 *  the tags of Macro and Perl sections tags are directives ("<If"). */
typedef struct scan_line_t {
    scan_kind_t kind;
    int line;                 /**< first physical line, from 1 */
    int last;                 /**< last physical line: httpd's number for it */
    apr_size_t start;         /**< its first byte, the indentation's */
    apr_size_t end;           /**< behind its end of line */
    apr_size_t text;          /**< first byte behind the indentation */
    apr_size_t text_end;      /**< behind its last byte without blanks and
                                   end of line */
    const char *name;         /**< directive or section without < and /, as
                                   it is written; "" where there is none */
    int depth;                /**< sections around it */
    int mate;                 /**< OPEN, CLOSE: index of the other; -1 */
    int parent;               /**< index of the OPEN around it; -1 */
} scan_line_t;

/** A file. */
typedef struct text_t {
    const char *path;         /**< as httpd opened it */
    const char *data;         /**< NUL behind it; no NUL inside */
    apr_size_t len;
    apr_array_header_t *lines;  /**< of scan_line_t */
    const char *eol;          /**< "\n" or "\r\n": what most lines end with */
    int final_eol;            /**< 0: its last line has none */
} text_t;

/** Read and scan a file.
 *  @return the system's error; APR_EINVAL: NUL inside, sections that do not
 *          match, over JOURNAL_FILE_MAX */
apr_status_t text_read(text_t **ptext, const char *path, acme_err_t *err,
                       apr_pool_t *result_pool);

/** The same for bytes at hand (of a new file: ""). Borrows data. */
apr_status_t text_make(text_t **ptext, const char *path, const char *data,
                       apr_size_t len, acme_err_t *err,
                       apr_pool_t *result_pool);

/** The section whose header's last line is line (httpd's number): index
 *  into lines; -1. @param name nullable, any case: "VirtualHost" */
int text_section_at(const text_t *text, const char *name, int line);

/** The words behind a line's name, quotes and continuations undone as httpd
 *  does it (ap_getword_conf), of const char *. */
apr_array_header_t *text_words(const text_t *text, const scan_line_t *line,
                               apr_pool_t *pool);

/** word as an argument of a directive: quoted where it has to be.
 *  @return NULL if it cannot be one (CR, LF, NUL, "${") */
const char *text_quote(const char *word, apr_pool_t *pool);

/* ---------------------------------------------------------------- block */

/** The lens, loaded once a run. */
typedef struct augeas_base_t augeas_base_t;

/** @return APR_EGENERAL if the lens is not there */
apr_status_t augeas_base_open(augeas_base_t **pbase, acme_err_t *err,
                              apr_pool_t *result_pool);

/** A section of a text that is being edited. */
typedef struct block_t block_t;

/** A directive, comment or section inside a block, by the lens. */
typedef struct block_node_t {
    scan_kind_t kind;           /**< COMMENT, DIRECTIVE or OPEN (a section) */
    const char *name;           /**< as it is written; comments: "" */
    apr_array_header_t *words;  /**< const char *: arguments, quotes undone */
    int line;                   /**< httpd's number in the file; in a copy
                                     that of the original */
    int depth;                  /**< 0: directly in the block */
    int parent;                 /**< index of the node around it; -1 */
} block_node_t;

/**
 * Parse the section at lines[open] of text.
 * @return APR_SUCCESS; APR_EINVAL: the lens cannot read it, or reads it
 *         otherwise than the scanner: err names file, line and the line's
 *         text
 */
apr_status_t block_open(block_t **pblock, augeas_base_t *base,
                        const text_t *text, int open, acme_err_t *err,
                        apr_pool_t *result_pool);

/** Its nodes in order, of block_node_t; of the text as it was opened. */
const apr_array_header_t *block_nodes(const block_t *block);

/** The header's arguments, of const char *. */
const apr_array_header_t *block_words(const block_t *block);

/** Index of the next node of that name (any case) at depth 0 (or any, with
 *  deep) from index from on; -1. */
int block_find(const block_t *block, const char *name, int from, int deep);

/** Take away a node with the whole of its lines; edits in it go along, what
 *  was put before it stays. */
apr_status_t block_remove(block_t *block, int node, acme_err_t *err);

/** Put a directive before node, or with -1 at the end of the block. It
 *  takes indentation and end of line from its neighbours.
 *  @param words  const char *, not quoted yet */
apr_status_t block_insert(block_t *block, int before, const char *name,
                          const apr_array_header_t *words, acme_err_t *err);

/** Put a comment ("# " is added): one line without a backslash. */
apr_status_t block_comment(block_t *block, int before, const char *comment,
                           acme_err_t *err);

/** Replace argument n, from 0, of a node; with node -1 of the header. What
 *  it is already is no edit.
 *  @return APR_EINVAL: there is none, or the lens splits the line into other
 *          arguments than httpd */
apr_status_t block_set(block_t *block, int node, int n, const char *word,
                       acme_err_t *err);

/** Replace all arguments of a node; with node -1 of the header. */
apr_status_t block_set_all(block_t *block, int node,
                           const apr_array_header_t *words,
                           acme_err_t *err);

/** 1 if there is an edit. */
int block_is_edited(const block_t *block);

/**
 * A copy of the block, as the text has it, to be edited on its own and put
 * behind the original; edits of the original are not in it. The copy's nodes
 * are the original's, with the same numbers.
 */
apr_status_t block_copy(block_t **pcopy, const block_t *block,
                        acme_err_t *err, apr_pool_t *result_pool);

/* ---------------------------------------------------------------- edits */

/** All that is to be done to one text. Blocks are borrowed, and looked at
 *  when the edits are finished: they may be edited further until then. */
typedef struct edits_t edits_t;

edits_t *edits_make(const text_t *text, augeas_base_t *base,
                    apr_pool_t *result_pool);

/** The block's own edits; a block given again is the same.
 *  @return APR_EINVAL if it meets another one that is edited */
apr_status_t edits_block(edits_t *edits, const block_t *block,
                         acme_err_t *err);

/**
 * A copy, directly behind the original's last line; behind a blank line if
 * the original has one before or behind it, or stands alone.
 * @param wrap       nullable: the name of a section around it, "IfModule",
 *                   as deep as the original; the copy's bytes stay what they
 *                   are, so it is not indented further
 * @param wrap_word  its argument, "ssl_module"
 */
apr_status_t edits_copy(edits_t *edits, const block_t *copy,
                        const char *wrap, const char *wrap_word,
                        acme_err_t *err);

/** The same behind another section, at lines[behind] of this text; the copy
 *  may be one of another text. */
apr_status_t edits_copy_behind(edits_t *edits, const block_t *copy,
                               int behind, const char *wrap,
                               const char *wrap_word, acme_err_t *err);

/** Lines (each without indentation and end of line; sections among them
 *  whole, what is in them is indented further; "" is a blank line) put
 *  before line index before of the text, or with -1 at its end. Indented
 *  like the line there. Several at one place stand in the order of the
 *  calls, behind a copy that ends there. */
apr_status_t edits_insert(edits_t *edits, int before,
                          const apr_array_header_t *lines, acme_err_t *err);

/** Take away the logical line of that index; of a section all of it. */
apr_status_t edits_remove(edits_t *edits, int line, acme_err_t *err);

/** 1 if there is one. */
int edits_any(const edits_t *edits);

/**
 * The new bytes, proven: what lies outside the splices is as it was, the
 * lens reads each changed block as expected, and the scanner finds the
 * sections balanced.
 * @return APR_EINVAL: edits contradict each other, or the lens cannot read a
 *         line that is put; APR_EGENERAL: the proof failed (err says where)
 */
apr_status_t edits_finish(const char **pdata, apr_size_t *plen,
                          const edits_t *edits, acme_err_t *err,
                          apr_pool_t *result_pool);

#endif
