/* What the tests of the text layer share. */
#ifndef ACME_UNIT_TEXT_RIG_H
#define ACME_UNIT_TEXT_RIG_H

#include <stdarg.h>

#include "configurator/text_internal.h"
#include "unit.h"

/** The lens, for one test. */
static inline augeas_base_t *rig_base(void)
{
    augeas_base_t *base;

    unit_ok(augeas_base_open(&base, &err, pool));
    return base;
}

/** The text of some bytes. */
static inline text_t *rig_text(const char *data)
{
    text_t *text;

    unit_ok(text_make(&text, "site.conf", data, strlen(data), &err, pool));
    return text;
}

/** The section number n, from 0, of a text. */
static inline block_t *rig_block(augeas_base_t *base, const text_t *text,
                                 int n)
{
    block_t *block;
    int i;

    for (i = 0; i < text->lines->nelts; i++) {
        if (APR_ARRAY_IDX(text->lines, i, scan_line_t).kind == SCAN_OPEN
            && n-- == 0) {
            break;
        }
    }
    unit_ok(block_open(&block, base, text, i, &err, pool));
    return block;
}

/** Words up to a NULL. */
static inline apr_array_header_t *rig_words(const char *word, ...)
{
    apr_array_header_t *words = apr_array_make(pool, 4,
                                               sizeof(const char *));
    va_list ap;

    va_start(ap, word);
    for (; word; word = va_arg(ap, const char *)) {
        APR_ARRAY_PUSH(words, const char *) = word;
    }
    va_end(ap);
    return words;
}

/** The new bytes of edits that can be proven. */
static inline const char *rig_finish(const edits_t *edits)
{
    const char *data;
    apr_size_t len;

    unit_ok(edits_finish(&data, &len, edits, &err, pool));
    ck_assert_uint_eq(strlen(data), len);
    return data;
}

#endif
