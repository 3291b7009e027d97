/*
 * splice.c: bytes that take the place of others, and how the lines around
 * them look.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "configurator/text_internal.h"

static splice_t *splice_at(const apr_array_header_t *splices, int i)
{
    return &APR_ARRAY_IDX(splices, i, splice_t);
}

/* ---------------------------------------------------------------- splices */

static int in_order(const void *a, const void *b)
{
    const splice_t *left = a;
    const splice_t *right = b;

    if (left->start != right->start) {
        return left->start < right->start ? -1 : 1;
    }
    if (left->rank != right->rank) {
        return left->rank - right->rank;
    }
    return left->seq - right->seq;
}

int splice_sort(apr_array_header_t *splices)
{
    int i;

    for (i = 0; i < splices->nelts; i++) {
        splice_at(splices, i)->seq = i;
    }
    qsort(splices->elts, (size_t)splices->nelts, sizeof(splice_t), in_order);
    for (i = 1; i < splices->nelts; i++) {
        if (splice_at(splices, i)->start < splice_at(splices, i - 1)->end) {
            return i;
        }
    }
    return -1;
}

const char *splice_render(apr_size_t *plen, const char *data,
                          apr_size_t from, apr_size_t to,
                          apr_array_header_t *splices,
                          apr_pool_t *result_pool)
{
    apr_size_t size = to - from + 1;
    apr_size_t len = 0;
    char *out;
    int i;

    for (i = 0; i < splices->nelts; i++) {
        size += splice_at(splices, i)->len;
    }
    out = apr_palloc(result_pool, size);
    for (i = 0; i < splices->nelts; i++) {
        splice_t *splice = splice_at(splices, i);

        memcpy(out + len, data + from, splice->start - from);
        len += splice->start - from;
        splice->at = len;
        memcpy(out + len, splice->text, splice->len);
        len += splice->len;
        from = splice->end;
    }
    memcpy(out + len, data + from, to - from);
    len += to - from;
    out[len] = '\0';
    *plen = len;
    return out;
}

int splice_verify(const char *before, apr_size_t before_len,
                  const char *after, apr_size_t after_len,
                  const apr_array_header_t *splices)
{
    apr_size_t old = 0;
    apr_size_t now = 0;
    int i;

    for (i = 0; i <= splices->nelts; i++) {
        const splice_t *splice = i < splices->nelts
            ? splice_at(splices, i) : NULL;
        apr_size_t next = splice ? splice->start : before_len;
        apr_size_t same = next - old;

        if (next < old || next > before_len || same > after_len - now
            || memcmp(before + old, after + now, same) != 0) {
            return 0;
        }
        now += same;
        old = next;
        if (splice) {
            if (splice->len > after_len - now
                || memcmp(after + now, splice->text, splice->len) != 0) {
                return 0;
            }
            now += splice->len;
            old = splice->end;
        }
    }
    return now == after_len;
}

apr_size_t splice_map(const apr_array_header_t *splices, apr_size_t offset)
{
    int low = 0;
    int high = splices->nelts;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (splice_at(splices, middle)->end <= offset) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    if (low == 0) {
        return offset;
    }
    return splice_at(splices, low - 1)->at + splice_at(splices, low - 1)->len
        + offset - splice_at(splices, low - 1)->end;
}

/* ------------------------------------------------------------------- looks */

const char *splice_indent(const text_t *text, int line, apr_pool_t *pool)
{
    const scan_line_t *at = &APR_ARRAY_IDX(text->lines, line, scan_line_t);
    apr_size_t start = at->text;

    while (start > at->start && strchr(" \t", text->data[start - 1])) {
        start--;
    }
    return apr_pstrmemdup(pool, text->data + start, at->text - start);
}

const char *splice_step(const text_t *text, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < text->lines->nelts; i++) {
        const scan_line_t *line = &APR_ARRAY_IDX(text->lines, i,
                                                 scan_line_t);
        const char *inner, *outer;
        apr_size_t len;

        if (line->parent < 0 || (line->kind != SCAN_DIRECTIVE
                                 && line->kind != SCAN_OPEN)) {
            continue;
        }
        inner = splice_indent(text, i, pool);
        outer = splice_indent(text, line->parent, pool);
        len = strlen(outer);
        if (strncmp(inner, outer, len) == 0 && inner[len]) {
            return inner + len;
        }
    }
    return "    ";
}

const char *splice_eol(const text_t *text, int line)
{
    const scan_line_t *at = &APR_ARRAY_IDX(text->lines, line, scan_line_t);
    const char *end = text->data + at->end;

    if (at->end == at->start || end[-1] != '\n') {
        return text->eol;
    }
    return at->end - at->start > 1 && end[-2] == '\r' ? "\r\n" : "\n";
}
