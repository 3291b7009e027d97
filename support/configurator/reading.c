/*
 * reading.c: lines of a text as both readers see them.
 *
 * The lens knows nothing of httpd's continuations in words, and accepts or
 * refuses what httpd does not. What both find alike is safe to be edited;
 * anything else is refused with the line to look at.
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "configurator/text_internal.h"

/*
 * A section of more is refused: the lens's time grows with the square of
 * lines side by side, of words in a line, and faster with the depth. At
 * these sizes it takes about a second.
 */
#define LINES_MAX 5000
#define WORDS_MAX 10000
#define DEPTH_MAX 400
#define BYTES_MAX (512 * 1024)

static const scan_line_t *line_at(const text_t *text, int i)
{
    return &APR_ARRAY_IDX(text->lines, i, scan_line_t);
}

/** Record what is wrong with a line. */
static apr_status_t refuse(const text_t *text, const scan_line_t *line,
                           const char *why, acme_err_t *err)
{
    apr_size_t len = line->text_end - line->text;

    return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                        "%s:%d: %s: %.*s", text->path, line->line, why,
                        (int)(len > 300 ? 300 : len),
                        text->data + line->text);
}

/** 1 if the line is Perl code, which both readers leave alone. */
static int is_perl(const text_t *text, const scan_line_t *line)
{
    return line->kind != SCAN_CLOSE && line->parent >= 0
        && strcasecmp(line_at(text, line->parent)->name, "Perl") == 0;
}

/* --------------------------------------------------- what the lens refuses */

/** 1 if the lens can read a line on its own (a tag: with its mate). */
static int is_readable(augeas_base_t *base, const text_t *text,
                       const scan_line_t *line, apr_pool_t *pool)
{
    const char *bytes = apr_pstrmemdup(pool, text->data + line->start,
                                       line->end - line->start);
    acme_err_t ignored = { 0 };
    apr_status_t rv;
    int at;

    if (line->kind == SCAN_CLOSE || is_perl(text, line)) {
        return 1;
    }
    if (line->kind == SCAN_OPEN) {
        bytes = apr_pstrcat(pool, bytes, "</", line->name, ">\n", NULL);
    }
    rv = augeas_base_parse(base, &at, bytes, strlen(bytes), &ignored, pool);
    augeas_base_clear(base);
    return rv == APR_SUCCESS;
}

/** The line that the lens cannot read; where it gave up if each is fine on
 *  its own. */
static const scan_line_t *culprit(augeas_base_t *base, const text_t *text,
                                  int first, int last, int number)
{
    const scan_line_t *found = line_at(text, first);
    apr_pool_t *iterpool;
    int i;

    apr_pool_create(&iterpool, text->lines->pool);
    for (i = first; i <= last; i++) {
        const scan_line_t *line = line_at(text, i);

        apr_pool_clear(iterpool);
        if (!is_readable(base, text, line, iterpool)) {
            found = line;
            break;
        }
        if (line->line <= number) {
            found = line;
        }
    }
    apr_pool_destroy(iterpool);
    return found;
}

/* -------------------------------------------------------------- agreement */

/** Comments of nothing but "#" and blanks are no nodes of the lens. */
static int is_empty_comment(const text_t *text, const scan_line_t *line)
{
    apr_size_t at;

    for (at = line->text + 1; at < line->text_end; at++) {
        if (!strchr(" \t\\\r\n", text->data[at])) {
            return 0;
        }
    }
    return 1;
}

/** 1 if the line should be a node of the lens. */
static int is_node(const text_t *text, const scan_line_t *line)
{
    return line->kind != SCAN_BLANK && line->kind != SCAN_CLOSE
        && !(line->kind == SCAN_COMMENT && is_empty_comment(text, line))
        && !is_perl(text, line);
}

/** 1 if a node of the lens, parsed from the bytes at offset, is that line. */
static int is_same(const text_t *text, const scan_line_t *line,
                   const augeas_node_t *node, apr_size_t offset)
{
    const char *bytes = text->data + offset + node->at;
    apr_size_t at = offset + node->at;

    if (node->kind != line->kind || at < line->start || at >= line->end) {
        return 0;
    }
    if (node->kind == SCAN_COMMENT) {
        return 1;
    }
    if (strcmp(node->label, "Perl") == 0
        && strcasecmp(line->name, "Perl") == 0) {
        return 1;
    }
    return strlen(line->name) == node->len
        && memcmp(line->name, bytes, node->len) == 0;
}

/** Fill a reading. @param within  index of the reading around it; -1 */
static void describe(reading_t *reading, const text_t *text, int i,
                     const augeas_node_t *node, int within, apr_pool_t *pool)
{
    const scan_line_t *line = line_at(text, i);

    reading->node.kind = line->kind;
    reading->node.name = line->name;
    reading->node.words = line->kind == SCAN_COMMENT
        ? apr_array_make(pool, 1, sizeof(const char *))
        : text_words(text, line, pool);
    reading->node.line = line->last;
    reading->node.parent = within;
    reading->path = apr_pstrdup(pool, node->path);
    reading->line = i;
    reading->args = node->args;
}

/** What is compared: lines from first to last, and nodes. */
typedef struct agree_t {
    const text_t *text;
    int first;
    int last;
    const apr_array_header_t *nodes;   /**< of augeas_node_t * */
    int n;                             /**< the next of them */
    int *index;                        /**< of a line's reading */
    apr_array_header_t *readings;
} agree_t;

/** The next node of the lens; NULL: none. */
static const augeas_node_t *next_node(const agree_t *agree)
{
    return agree->n < agree->nodes->nelts
        ? APR_ARRAY_IDX(agree->nodes, agree->n, augeas_node_t *) : NULL;
}

/** Pass comments behind a tag: httpd does not look there. */
static void skip_behind_tag(agree_t *agree, const scan_line_t *line)
{
    apr_size_t offset = line_at(agree->text, agree->first)->start;
    const augeas_node_t *node = next_node(agree);

    while (node && node->kind == SCAN_COMMENT
           && offset + node->at >= line->start
           && offset + node->at < line->end) {
        agree->n++;
        node = next_node(agree);
    }
}

/** Add the reading of a line. @return 0 if the readers do not agree */
static int take_line(agree_t *agree, int i)
{
    const scan_line_t *first = line_at(agree->text, agree->first);
    const scan_line_t *line = line_at(agree->text, i);
    const augeas_node_t *node = next_node(agree);
    reading_t *reading;

    if (!node || !is_same(agree->text, line, node, first->start)) {
        return 0;
    }
    agree->index[i - agree->first] = agree->readings->nelts;
    agree->n++;
    reading = apr_array_push(agree->readings);
    describe(reading, agree->text, i, node, line->parent < agree->first
             ? -1 : agree->index[line->parent - agree->first],
             agree->readings->pool);
    reading->node.depth = line->depth - first->depth;
    return 1;
}

/** Compare both lists, line by line. */
static apr_status_t compare(agree_t *agree, acme_err_t *err)
{
    int i;

    for (i = agree->first; i <= agree->last; i++) {
        const scan_line_t *line = line_at(agree->text, i);

        if (is_node(agree->text, line) && !take_line(agree, i)) {
            return refuse(agree->text, line, "Augeas reads this otherwise "
                          "than httpd does, change the file by hand", err);
        }
        if (line->kind == SCAN_OPEN || line->kind == SCAN_CLOSE) {
            skip_behind_tag(agree, line);
        }
    }
    if (next_node(agree)) {
        return refuse(agree->text, line_at(agree->text, agree->last),
                      "Augeas reads more up to here than httpd does, change "
                      "the file by hand", err);
    }
    return APR_SUCCESS;
}

/* -------------------------------------------------------------------- size */

/** Words of a line, more or less. */
static int count_words(const text_t *text, const scan_line_t *line)
{
    apr_size_t at;
    int n = 0;

    for (at = line->text + 1; at < line->text_end; at++) {
        n += strchr(" \t", text->data[at]) != NULL
            && strchr(" \t", text->data[at - 1]) == NULL;
    }
    return n;
}

/** The first line that makes lines too much for the lens; NULL: none. */
static const scan_line_t *too_much(const text_t *text, int first, int last)
{
    const scan_line_t *from = line_at(text, first);
    int i;

    for (i = first; i <= last; i++) {
        const scan_line_t *line = line_at(text, i);

        if (i - first >= LINES_MAX || line->depth - from->depth > DEPTH_MAX
            || line->end - from->start > BYTES_MAX
            || count_words(text, line) > WORDS_MAX) {
            return line;
        }
    }
    return NULL;
}

apr_status_t reading_again(augeas_base_t *base, const text_t *text,
                           int first, int last, acme_err_t *err,
                           apr_pool_t *scratch_pool)
{
    const scan_line_t *from = line_at(text, first);
    apr_status_t rv;
    int at;

    rv = augeas_base_parse(base, &at, text->data + from->start,
                           line_at(text, last)->end - from->start, err,
                           scratch_pool);
    if (rv == APR_EINVAL) {
        return refuse(text, culprit(base, text, first, last,
                                    from->line + at - 1),
                      "Augeas cannot read this line, change the file by "
                      "hand", err);
    }
    return rv;
}

/** Compare what the lens finds. @param scratch  holds its nodes */
static apr_status_t take(apr_array_header_t *readings, augeas_base_t *base,
                         const text_t *text, int first, int last,
                         acme_err_t *err, apr_pool_t *scratch)
{
    agree_t agree = { text, first, last, NULL, 0, NULL, readings };
    apr_array_header_t *nodes;
    apr_status_t rv;

    if ((rv = reading_again(base, text, first, last, err, scratch))
        || (rv = augeas_base_nodes(&nodes, base, err, scratch))) {
        return rv;
    }
    agree.nodes = nodes;
    agree.index = apr_pcalloc(scratch, sizeof(int)
                              * (apr_size_t)(last - first + 1));
    return compare(&agree, err);
}

apr_status_t reading_take(apr_array_header_t **preadings,
                          augeas_base_t *base, const text_t *text, int first,
                          int last, acme_err_t *err,
                          apr_pool_t *result_pool)
{
    const scan_line_t *big = too_much(text, first, last);
    apr_pool_t *scratch;
    apr_status_t rv;

    if (big) {
        return refuse(text, big, "the section is too large, too deep or this "
                      "line too long to be edited, change the file by hand",
                      err);
    }
    *preadings = apr_array_make(result_pool, 32, sizeof(reading_t));
    apr_pool_create(&scratch, result_pool);
    rv = take(*preadings, base, text, first, last, err, scratch);
    apr_pool_destroy(scratch);
    return rv;
}
