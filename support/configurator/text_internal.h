/*
 * text_internal.h: what the files of the text layer (text.h) share.
 */
#ifndef ACME_CONFIGURATOR_TEXT_INTERNAL_H
#define ACME_CONFIGURATOR_TEXT_INTERNAL_H

#include "configurator/text.h"

/* ----------------------------------------------------------------- scan */

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

#endif
