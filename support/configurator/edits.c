/*
 * edits.c: all that is to be done to one text, and the proof that nothing
 * else was.
 *
 *     blocks, copies, lines --> splices, sorted --> new bytes
 *
 * Proven are, from the smallest to the largest: each edited or copied
 * section, by its trees (change.c); each run of lines that was put, by lens
 * and scanner together with the lines beside it; each line that was to stay
 * as it was, by the scanner; and the whole file, byte by byte.
 */
#include <string.h>

#include <apr_strings.h>

#include "configurator/text_internal.h"

typedef enum place_kind_t { PLACE_COPY, PLACE_LINES, PLACE_CUT } place_kind_t;

/** Something besides the edits of blocks. */
typedef struct place_t {
    place_kind_t kind;
    int line;                     /**< CUT: the line; LINES: before it, -1 at
                                       the end */
    const block_t *block;         /**< COPY */
    int behind;                   /**< COPY: the section that it follows */
    const char *wrap;             /**< COPY; nullable */
    const char *wrap_word;
    apr_array_header_t *lines;    /**< LINES: of const char * */
} place_t;

struct edits_t {
    const text_t *text;
    augeas_base_t *base;
    apr_array_header_t *blocks;   /**< of const block_t * */
    apr_array_header_t *places;   /**< of place_t */
    apr_pool_t *pool;
};

/** Where a splice comes from. */
typedef struct owner_t {
    const place_t *place;         /**< NULL: a block's edit */
    apr_size_t skip;              /**< its bytes before what is to be proven:
                                       a blank line */
} owner_t;

/** What is made while edits are finished. */
typedef struct finish_t {
    const text_t *text;
    const edits_t *edits;
    apr_array_header_t *splices;  /**< of splice_t */
    apr_array_header_t *owners;   /**< of owner_t, by a splice's seq */
    const text_t *after;
    acme_err_t *err;
    apr_pool_t *pool;
} finish_t;

/** Order of splices at the same byte: before those of blocks. */
enum { RANK_COPY = -2, RANK_LINES = -1, RANK_CUT = 1 };

static const scan_line_t *line_at(const text_t *text, int i)
{
    return &APR_ARRAY_IDX(text->lines, i, scan_line_t);
}

static const block_t *block_at(const edits_t *edits, int i)
{
    return APR_ARRAY_IDX(edits->blocks, i, const block_t *);
}

static const place_t *place_at(const edits_t *edits, int i)
{
    return &APR_ARRAY_IDX(edits->places, i, place_t);
}

static splice_t *splice_at(const finish_t *finish, int i)
{
    return &APR_ARRAY_IDX(finish->splices, i, splice_t);
}

static apr_status_t refuse(const edits_t *edits, int line, const char *why,
                           acme_err_t *err)
{
    return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED, "%s:%d: %s",
                        edits->text->path, line >= 0
                        ? line_at(edits->text, line)->line : 1, why);
}

/* ----------------------------------------------------------------- asking */

edits_t *edits_make(const text_t *text, augeas_base_t *base,
                    apr_pool_t *result_pool)
{
    edits_t *edits = apr_pcalloc(result_pool, sizeof(*edits));

    edits->text = text;
    edits->base = base;
    edits->blocks = apr_array_make(result_pool, 4, sizeof(block_t *));
    edits->places = apr_array_make(result_pool, 4, sizeof(place_t));
    edits->pool = result_pool;
    return edits;
}

/** 1 if one of two sections is the other or in it. */
static int do_meet(const block_t *a, const block_t *b)
{
    const scan_line_t *left = line_at(a->text, a->open);
    const scan_line_t *right = line_at(b->text, b->open);

    return a->open <= right->mate && b->open <= left->mate;
}

apr_status_t edits_block(edits_t *edits, const block_t *block,
                         acme_err_t *err)
{
    int i;

    if (block->text != edits->text) {
        return refuse(edits, -1, "the section to be edited is another "
                      "file's", err);
    }
    for (i = 0; i < edits->blocks->nelts; i++) {
        if (block_at(edits, i) == block) {
            return APR_SUCCESS;
        }
        if (do_meet(block_at(edits, i), block)) {
            return refuse(edits, block->open, "this section is edited "
                          "already, or one in or around it", err);
        }
    }
    APR_ARRAY_PUSH(edits->blocks, const block_t *) = block;
    return APR_SUCCESS;
}

apr_status_t edits_copy(edits_t *edits, const block_t *copy,
                        const char *wrap, const char *wrap_word,
                        acme_err_t *err)
{
    if (copy->text != edits->text) {
        return refuse(edits, -1, "the section to be copied is another "
                      "file's", err);
    }
    return edits_copy_behind(edits, copy, copy->open, wrap, wrap_word, err);
}

apr_status_t edits_copy_behind(edits_t *edits, const block_t *copy,
                               int behind, const char *wrap,
                               const char *wrap_word, acme_err_t *err)
{
    place_t place = { PLACE_COPY, -1, copy, behind, NULL, NULL, NULL };

    if (behind < 0 || behind >= edits->text->lines->nelts
        || line_at(edits->text, behind)->kind != SCAN_OPEN) {
        return refuse(edits, -1, "there is no section to put a copy behind",
                      err);
    }
    if (wrap) {
        place.wrap = apr_pstrdup(edits->pool, wrap);
        place.wrap_word = text_quote(wrap_word, edits->pool);
        if (!place.wrap_word) {
            return refuse(edits, behind, "the word for the section "
                          "around the copy cannot be one", err);
        }
    }
    APR_ARRAY_PUSH(edits->places, place_t) = place;
    return APR_SUCCESS;
}

apr_status_t edits_insert(edits_t *edits, int before,
                          const apr_array_header_t *lines, acme_err_t *err)
{
    place_t place = { PLACE_LINES, before, NULL, -1, NULL, NULL, NULL };
    int i;

    if (before < -1 || before > edits->text->lines->nelts) {
        return refuse(edits, -1, "there is no such line", err);
    }
    place.line = before == edits->text->lines->nelts ? -1 : before;
    place.lines = apr_array_make(edits->pool, lines->nelts + 1,
                                 sizeof(const char *));
    for (i = 0; i < lines->nelts; i++) {
        const char *line = text_trimmed(APR_ARRAY_IDX(lines, i, const char *),
                                   edits->pool);

        if (strpbrk(line, "\r\n") || (*line && line[strlen(line) - 1]
                                      == '\\')) {
            return refuse(edits, before, "a line that is to be put here "
                          "goes on in the next", err);
        }
        APR_ARRAY_PUSH(place.lines, const char *) = line;
    }
    APR_ARRAY_PUSH(edits->places, place_t) = place;
    return APR_SUCCESS;
}

apr_status_t edits_remove(edits_t *edits, int line, acme_err_t *err)
{
    place_t place = { PLACE_CUT, line, NULL, -1, NULL, NULL, NULL };
    int i;

    if (line < 0 || line >= edits->text->lines->nelts
        || line_at(edits->text, line)->kind == SCAN_CLOSE) {
        return refuse(edits, -1, "there is no such line to be taken away",
                      err);
    }
    for (i = 0; i < edits->places->nelts; i++) {
        if (place_at(edits, i)->kind == PLACE_CUT
            && place_at(edits, i)->line == line) {
            return APR_SUCCESS;
        }
    }
    APR_ARRAY_PUSH(edits->places, place_t) = place;
    return APR_SUCCESS;
}

int edits_any(const edits_t *edits)
{
    int i;

    for (i = 0; i < edits->blocks->nelts; i++) {
        if (block_is_edited(block_at(edits, i))) {
            return 1;
        }
    }
    return edits->places->nelts > 0;
}

/* ----------------------------------------------------------------- copies */

/** The line before a section that is not a comment of it; -1. */
static int line_above(const text_t *text, int open)
{
    do {
        open--;
    } while (open >= 0 && line_at(text, open)->kind == SCAN_COMMENT);
    return open;
}

/** 1 if sections here have blank lines between them. */
static int is_separated(const text_t *text, int open)
{
    int above = line_above(text, open);
    int below = line_at(text, open)->mate + 1;
    int has_above = above >= 0 && line_at(text, above)->kind != SCAN_OPEN;
    int has_below = below < text->lines->nelts
        && line_at(text, below)->kind != SCAN_CLOSE;

    if (!has_above && !has_below) {
        return 1;
    }
    return (has_above && line_at(text, above)->kind == SCAN_BLANK)
        || (has_below && line_at(text, below)->kind == SCAN_BLANK);
}

/** The bytes of a copy with its edits, ending in an end of line.
 *  @return NULL if edits contradict each other */
static const char *copy_body(const finish_t *finish, const block_t *copy)
{
    const text_t *text = copy->text;
    const scan_line_t *open = line_at(text, copy->open);
    apr_array_header_t *splices = apr_array_make(finish->pool, 8,
                                                 sizeof(splice_t));
    const char *body;
    apr_size_t len;

    change_splices(splices, copy, finish->pool);
    if (splice_sort(splices) >= 0) {
        return NULL;
    }
    body = splice_render(&len, text->data, open->start,
                         line_at(text, open->mate)->end, splices,
                         finish->pool);
    return body[len - 1] == '\n' ? body
        : apr_pstrcat(finish->pool, body, text->eol, NULL);
}

/** All that a copy puts into the file. @param pskip  set: bytes before the
 *  section */
static const char *copy_text(const finish_t *finish, const place_t *place,
                             apr_size_t *pskip)
{
    const text_t *text = finish->text;
    int open = place->behind;
    const char *eol = splice_eol(text, open);
    const char *indent = splice_indent(text, open, finish->pool);
    const char *blank = is_separated(text, open) ? eol : "";
    const char *body = copy_body(finish, place->block);

    *pskip = strlen(blank);
    if (!body || !place->wrap) {
        return body ? apr_pstrcat(finish->pool, blank, body, NULL) : NULL;
    }
    return apr_pstrcat(finish->pool, blank, indent, "<", place->wrap, " ",
                       place->wrap_word, ">", eol, body, indent, "</",
                       place->wrap, ">", eol, NULL);
}

/* ------------------------------------------------------------------ lines */

/** The indentation of lines that are put before a line; of none (-1). */
static const char *lines_indent(const text_t *text, int before,
                                apr_pool_t *pool)
{
    int at = before;

    while (at >= 0 && at < text->lines->nelts
           && line_at(text, at)->kind == SCAN_BLANK) {
        at++;
    }
    if (at < 0 || at == text->lines->nelts) {
        return "";
    }
    return apr_pstrcat(pool, splice_indent(text, at, pool),
                       line_at(text, at)->kind == SCAN_CLOSE
                       ? splice_step(text, pool) : "", NULL);
}

/** The end of line of lines that are put before a line. */
static const char *lines_eol(const text_t *text, int before)
{
    int at = before < 0 ? text->lines->nelts - 1 : before;

    return at < 0 ? text->eol : splice_eol(text, at);
}

/** All that lines put into the file. */
static const char *lines_text(const finish_t *finish, const place_t *place)
{
    const text_t *text = finish->text;
    const char *indent = lines_indent(text, place->line, finish->pool);
    const char *step = splice_step(text, finish->pool);
    const char *eol = lines_eol(text, place->line);
    apr_array_header_t *parts = apr_array_make(finish->pool, 16,
                                               sizeof(const char *));
    int depth = 0;
    int i, k;

    for (i = 0; i < place->lines->nelts; i++) {
        const char *line = APR_ARRAY_IDX(place->lines, i, const char *);

        depth -= line[0] == '<' && line[1] == '/';
        if (*line) {
            APR_ARRAY_PUSH(parts, const char *) = indent;
            for (k = 0; k < depth; k++) {
                APR_ARRAY_PUSH(parts, const char *) = step;
            }
        }
        APR_ARRAY_PUSH(parts, const char *) = line;
        APR_ARRAY_PUSH(parts, const char *) = eol;
        depth += line[0] == '<' && line[1] != '/';
    }
    return apr_array_pstrcat(finish->pool, parts, 0);
}

/* --------------------------------------------------------------- splicing */

/** Add the splice of a place. @return 0 if it contradicts itself */
static int add_place(finish_t *finish, const place_t *place)
{
    const text_t *text = finish->text;
    const scan_line_t *line = place->line >= 0
        ? line_at(text, place->line) : NULL;
    owner_t owner = { place, 0 };
    splice_t splice = { 0 };

    splice.start = line ? line->start : text->len;
    splice.end = splice.start;
    splice.text = "";
    switch (place->kind) {
    case PLACE_COPY:
        line = line_at(text, place->behind);
        splice.start = splice.end = line_at(text, line->mate)->end;
        splice.text = copy_text(finish, place, &owner.skip);
        splice.rank = RANK_COPY;
        break;
    case PLACE_LINES:
        splice.text = lines_text(finish, place);
        splice.rank = RANK_LINES;
        break;
    case PLACE_CUT:
        splice.end = line->mate < 0 ? line->end
            : line_at(text, line->mate)->end;
        splice.rank = RANK_CUT;
        break;
    }
    if (!splice.text) {
        return 0;
    }
    splice.len = strlen(splice.text);
    APR_ARRAY_PUSH(finish->splices, splice_t) = splice;
    APR_ARRAY_PUSH(finish->owners, owner_t) = owner;
    return 1;
}

/** Let what is put behind a last line without an end of line begin with
 *  one, and have none itself. */
static void mend_end(finish_t *finish)
{
    const text_t *text = finish->text;
    apr_size_t eol = strlen(text->eol);
    apr_size_t covered = 0;
    int i;

    for (i = 0; i < finish->splices->nelts; i++) {
        splice_t *splice = splice_at(finish, i);

        if (!text->final_eol && splice->start == text->len
            && covered < text->len && splice->len) {
            apr_size_t len = splice->len - 1;

            len -= len && splice->text[len - 1] == '\r';
            splice->text = apr_pstrcat(
                finish->pool, text->eol,
                apr_pstrmemdup(finish->pool, splice->text, len), NULL);
            splice->len = strlen(splice->text);
            APR_ARRAY_IDX(finish->owners, splice->seq, owner_t).skip += eol;
        }
        covered = splice->end > splice->start ? splice->end : covered;
    }
}

/** Collect all splices, in order. */
static apr_status_t collect(finish_t *finish)
{
    const edits_t *edits = finish->edits;
    owner_t none = { NULL, 0 };
    int clean = 1;
    int i;

    for (i = 0; i < edits->blocks->nelts; i++) {
        change_splices(finish->splices, block_at(edits, i), finish->pool);
    }
    for (i = 0; i < finish->splices->nelts; i++) {
        APR_ARRAY_PUSH(finish->owners, owner_t) = none;
    }
    for (i = 0; clean && i < edits->places->nelts; i++) {
        clean = add_place(finish, place_at(edits, i));
    }
    if (!clean || splice_sort(finish->splices) >= 0) {
        return refuse(edits, -1, "two edits of this file contradict each "
                      "other, nothing is written", finish->err);
    }
    mend_end(finish);
    return APR_SUCCESS;
}

/* ------------------------------------------------------------------ proof */

static apr_status_t unproven(const finish_t *finish, int line,
                             const char *what)
{
    return base_err_set(finish->err, APR_EGENERAL, BASE_EXIT_FAILED,
                        "%s:%d: %s, nothing is written", finish->text->path,
                        line, what);
}

/** Is an untouched line what it was? */
static int is_same_line(const finish_t *finish, const scan_line_t *before)
{
    const text_t *after = finish->after;
    apr_size_t start = splice_map(finish->splices, before->start);
    apr_size_t len = before->end - before->start;
    int i = text_line_from(after, start);
    const scan_line_t *now;

    if (before->end == finish->text->len && !finish->text->final_eol
        && start + len < after->len) {
        len += strlen(finish->text->eol);
    }
    if (i == after->lines->nelts) {
        return 0;
    }
    now = line_at(after, i);
    return now->start == start && now->end - now->start == len
        && now->kind == before->kind && now->depth == before->depth
        && strcmp(now->name, before->name) == 0;
}

/** Each line that no splice is in is the same line as before. */
static apr_status_t prove_rest(const finish_t *finish)
{
    int s = 0;
    int i;

    for (i = 0; i < finish->text->lines->nelts; i++) {
        const scan_line_t *line = line_at(finish->text, i);

        while (s < finish->splices->nelts
               && splice_at(finish, s)->end <= line->start) {
            s++;
        }
        if (s < finish->splices->nelts
            && splice_at(finish, s)->start < line->end) {
            continue;
        }
        if (!is_same_line(finish, line)) {
            return unproven(finish, line->line, "this line would not stay "
                            "the line it is");
        }
    }
    return APR_SUCCESS;
}

/** The section that starts at offset of the new text; -1. */
static int section_from(const finish_t *finish, apr_size_t offset)
{
    int i = text_line_from(finish->after, offset);

    return i < finish->after->lines->nelts
        && line_at(finish->after, i)->start == offset
        && line_at(finish->after, i)->kind == SCAN_OPEN ? i : -1;
}

static apr_status_t prove_block(const finish_t *finish, const block_t *block)
{
    const scan_line_t *line = line_at(finish->text, block->open);
    int open = section_from(finish, splice_map(finish->splices,
                                               line->start));

    if (open < 0) {
        return unproven(finish, line->line, "this section would be lost");
    }
    return change_prove(block, finish->after, open, NULL, NULL, finish->err,
                        finish->pool);
}

static apr_status_t prove_copy(const finish_t *finish, const place_t *place,
                               apr_size_t start, apr_size_t end)
{
    const scan_line_t *line = line_at(finish->text, place->behind);
    int open = section_from(finish, start);

    if (open < 0 || line_at(finish->after, line_at(finish->after, open)
                            ->mate)->end < end) {
        return unproven(finish, line->line, "the copy of this section would "
                        "not be one");
    }
    return change_prove(place->block, finish->after, open, place->wrap,
                        place->wrap_word, finish->err, finish->pool);
}

/** 1 if a line can be read by the lens along with its neighbour. */
static int is_neighbour(const text_t *text, int i, int depth)
{
    return i >= 0 && i < text->lines->nelts
        && (line_at(text, i)->kind == SCAN_DIRECTIVE
            || line_at(text, i)->kind == SCAN_COMMENT)
        && line_at(text, i)->depth == depth;
}

/** Let the lens read lines, with those beside them where it can. */
static apr_status_t read_lines(const finish_t *finish, int first, int last)
{
    const text_t *after = finish->after;
    augeas_base_t *base = finish->edits->base;
    int depth = line_at(after, first)->depth;
    int from = first - is_neighbour(after, first - 1, depth);
    int to = last + is_neighbour(after, last + 1, depth);
    apr_array_header_t *readings;
    acme_err_t ignored = { 0 };
    apr_status_t rv = reading_take(&readings, base, after, from, to,
                                   &ignored, finish->pool);

    augeas_base_clear(base);
    if (rv == APR_EINVAL) {
        rv = reading_take(&readings, base, after, first, last, finish->err,
                          finish->pool);
        augeas_base_clear(base);
    }
    return rv;
}

static apr_status_t prove_lines(const finish_t *finish, const place_t *place,
                                apr_size_t start, apr_size_t end)
{
    const text_t *after = finish->after;
    int first = text_line_from(after, start);
    int n = place->lines->nelts;
    int i;

    for (i = 0; i < n && first + i < after->lines->nelts; i++) {
        const char *want = APR_ARRAY_IDX(place->lines, i, const char *);
        const scan_line_t *line = line_at(after, first + i);
        apr_size_t len = line->text_end - line->text;

        if ((i == 0 && line->start != start) || strlen(want) != len
            || memcmp(want, after->data + line->text, len) != 0) {
            break;
        }
    }
    if (i < n || (n && line_at(after, first + n - 1)->end < end)) {
        return unproven(finish, place->line < 0 ? 1 : line_at(
            finish->text, place->line)->line,
            "the lines that are to be put here would not be lines");
    }
    return n ? read_lines(finish, first, first + n - 1) : APR_SUCCESS;
}

/** Prove what each splice of a place did. */
static apr_status_t prove_places(const finish_t *finish)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < finish->splices->nelts; i++) {
        const splice_t *splice = splice_at(finish, i);
        const owner_t *owner = &APR_ARRAY_IDX(finish->owners, splice->seq,
                                              owner_t);
        apr_size_t start = splice->at + owner->skip;
        apr_size_t end = splice->at + splice->len;

        if (!owner->place) {
            continue;
        }
        switch (owner->place->kind) {
        case PLACE_COPY:
            rv = prove_copy(finish, owner->place, start, end);
            break;
        case PLACE_LINES:
            rv = prove_lines(finish, owner->place, start, end);
            break;
        case PLACE_CUT:
            break;
        }
    }
    return rv;
}

/** Prove all of it. */
static apr_status_t prove(finish_t *finish, const char *data, apr_size_t len)
{
    const text_t *text = finish->text;
    text_t *after;
    apr_status_t rv;
    int i;

    if (!splice_verify(text->data, text->len, data, len, finish->splices)) {
        return unproven(finish, 1, "bytes beside the edits would change");
    }
    rv = text_make(&after, text->path, data, len, finish->err, finish->pool);
    if (rv != APR_SUCCESS) {
        base_err_wrap(finish->err, "with the edits, which are not written");
        return finish->err->status = APR_EGENERAL;
    }
    finish->after = after;
    rv = prove_rest(finish);
    for (i = 0; rv == APR_SUCCESS && i < finish->edits->blocks->nelts; i++) {
        if (block_is_edited(block_at(finish->edits, i))) {
            rv = prove_block(finish, block_at(finish->edits, i));
        }
    }
    return rv == APR_SUCCESS ? prove_places(finish) : rv;
}

apr_status_t edits_finish(const char **pdata, apr_size_t *plen,
                          const edits_t *edits, acme_err_t *err,
                          apr_pool_t *result_pool)
{
    finish_t finish = { edits->text, edits, NULL, NULL, NULL, err, NULL };
    apr_status_t rv;

    apr_pool_create(&finish.pool, result_pool);
    finish.splices = apr_array_make(finish.pool, 64, sizeof(splice_t));
    finish.owners = apr_array_make(finish.pool, 64, sizeof(owner_t));
    rv = collect(&finish);
    if (rv == APR_SUCCESS) {
        *pdata = splice_render(plen, edits->text->data, 0, edits->text->len,
                               finish.splices, result_pool);
        rv = prove(&finish, *pdata, *plen);
    }
    apr_pool_destroy(finish.pool);
    return rv;
}
