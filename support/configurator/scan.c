/*
 * scan.c: the lines of a configuration file as httpd reads them.
 *
 * httpd (server/util.c, ap_cfg_getline) joins a physical line with the next
 * where it ends in a backslash, whatever kind of line that is, and looks at
 * what is joined: its first word says which kind it is (server/config.c).
 * Offsets here are always those of the file's bytes; `map` leads from the
 * joined bytes back to them.
 */
#include <string.h>
#include <strings.h>

#include <apr_strings.h>

#include "configurator/text_internal.h"
#include "journal/journal.h"

/** Joined bytes of one logical line, without its end of line. */
typedef struct joined_t {
    char *data;               /**< NUL behind it */
    apr_size_t *map;          /**< offset in the file of each byte, and of
                                   what ends the line */
    apr_size_t len;
    apr_size_t room;          /**< for so many bytes, the NUL besides */
    apr_size_t end;           /**< offset behind its end of line */
    int pieces;               /**< physical lines, as httpd counts them */
    int closed;               /**< 1: it has an end of line of its own */
} joined_t;

static int is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* ------------------------------------------------------------------ lines */

/** The offset behind the physical line at start. */
static apr_size_t piece_end(const text_t *text, apr_size_t start)
{
    const char *lf = memchr(text->data + start, '\n', text->len - start);

    return lf ? (apr_size_t)(lf - text->data) + 1 : text->len;
}

/** 1 if bytes that end in a line feed go on in the next line: then *plen
 *  is without what stands for that, else without the end of line. */
static int is_continued(const char *data, apr_size_t *plen)
{
    apr_size_t n = *plen;

    if (!n || data[n - 1] != '\n') {
        return 0;
    }
    n--;
    n -= n && data[n - 1] == '\r';
    *plen = n;
    if (!n || data[n - 1] != '\\') {
        return 0;
    }
    *plen = n - 1;
    return 1;
}

/** Make room for more bytes. */
static void make_room(joined_t *joined, apr_size_t more, apr_pool_t *pool)
{
    const char *data = joined->data;
    const apr_size_t *map = joined->map;

    if (joined->len + more <= joined->room) {
        return;
    }
    joined->room = 2 * joined->len + more;
    joined->data = apr_palloc(pool, joined->room + 1);
    joined->map = apr_palloc(pool, (joined->room + 1) * sizeof(*map));
    if (joined->len) {
        memcpy(joined->data, data, joined->len);
        memcpy(joined->map, map, joined->len * sizeof(*map));
    }
}

/** Join the logical line that starts at start. */
static void join(joined_t *joined, const text_t *text, apr_size_t start,
                 apr_pool_t *pool)
{
    apr_size_t at = start;
    int more = 1;

    memset(joined, 0, sizeof(*joined));
    while (more) {
        apr_size_t end = piece_end(text, at);

        make_room(joined, end - at + 1, pool);
        joined->pieces++;
        joined->closed = at < end && text->data[end - 1] == '\n';
        for (; at < end; at++) {
            joined->map[joined->len] = at;
            joined->data[joined->len++] = text->data[at];
        }
        more = joined->closed && is_continued(joined->data, &joined->len);
    }
    joined->end = at;
    joined->data[joined->len] = '\0';
    if (!joined->closed) {
        joined->map[joined->len] = at;
    }
}

/** Set text and text_end of a line from its joined bytes. */
static void trim(scan_line_t *line, const joined_t *joined)
{
    apr_size_t from = 0;
    apr_size_t to = joined->len;

    while (from < to && is_space(joined->data[from])) {
        from++;
    }
    while (to > from && is_space(joined->data[to - 1])) {
        to--;
    }
    line->text = joined->map[from];
    line->text_end = to > from ? joined->map[to - 1] + 1 : line->text;
    joined->data[to] = '\0';
}

/* ------------------------------------------------------------------ words */

/** Undo the escapes of a word as httpd does. @param quote  0: it is bare */
static const char *unescape(const char *word, apr_size_t len, char quote,
                            apr_pool_t *pool)
{
    char *out = apr_palloc(pool, len + 1);
    apr_size_t n = 0;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (word[i] == '\\' && i + 1 < len
            && (word[i + 1] == '\\' || (quote && word[i + 1] == quote))) {
            i++;
        }
        out[n++] = word[i];
    }
    out[n] = '\0';
    return out;
}

/** The end of a bare word. */
static apr_size_t bare_end(const char *data, apr_size_t from, apr_size_t to)
{
    while (from < to && !is_space(data[from])) {
        from++;
    }
    return from;
}

/** The closing quote of what follows a quote; to if there is none. */
static apr_size_t quote_end(const char *data, apr_size_t from, apr_size_t to,
                            char quote)
{
    while (from < to && data[from] != quote) {
        from += data[from] == '\\' && from + 1 < to
            && (data[from + 1] == quote || data[from + 1] == '\\') ? 2 : 1;
    }
    return from;
}

/** Take the next word off [*pfrom, to); blanks behind it as well.
 *  @return 0 if there is none */
static int next_word(text_word_t *word, const joined_t *joined,
                     apr_size_t *pfrom, apr_size_t to, apr_pool_t *pool)
{
    apr_size_t from = *pfrom;
    apr_size_t end;
    char quote;

    while (from < to && is_space(joined->data[from])) {
        from++;
    }
    if (from >= to) {
        return 0;
    }
    word->start = joined->map[from];
    quote = joined->data[from];
    if (quote == '"' || quote == '\'') {
        from++;
        end = quote_end(joined->data, from, to, quote);
        word->value = unescape(joined->data + from, end - from, quote, pool);
        end += end < to;
    }
    else {
        end = bare_end(joined->data, from, to);
        word->value = unescape(joined->data + from, end - from, 0, pool);
    }
    word->end = joined->map[end - 1] + 1;
    while (end < to && is_space(joined->data[end])) {
        end++;
    }
    *pfrom = end;
    return 1;
}

apr_array_header_t *text_spans(const text_t *text, const scan_line_t *line,
                               apr_size_t *pname_end, apr_pool_t *pool)
{
    apr_array_header_t *spans = apr_array_make(pool, 4, sizeof(text_word_t));
    scan_line_t scratch = { 0 };
    joined_t joined;
    text_word_t word;
    apr_size_t at = 0;
    apr_size_t to;

    join(&joined, text, line->start, pool);
    trim(&scratch, &joined);
    to = strlen(joined.data);
    if (line->kind == SCAN_OPEN) {
        char *bracket = strrchr(joined.data, '>');

        to = bracket ? (apr_size_t)(bracket - joined.data) : to;
    }
    *pname_end = line->text_end;
    if (!next_word(&word, &joined, &at, to, pool)) {
        return spans;
    }
    *pname_end = word.end;
    while (next_word(&word, &joined, &at, to, pool)) {
        APR_ARRAY_PUSH(spans, text_word_t) = word;
    }
    return spans;
}

apr_array_header_t *text_words(const text_t *text, const scan_line_t *line,
                               apr_pool_t *pool)
{
    apr_array_header_t *spans, *words;
    apr_pool_t *scratch;
    apr_size_t name_end;
    int i;

    apr_pool_create(&scratch, pool);
    spans = text_spans(text, line, &name_end, scratch);
    words = apr_array_make(pool, spans->nelts + 1, sizeof(const char *));
    for (i = 0; i < spans->nelts; i++) {
        APR_ARRAY_PUSH(words, const char *) = apr_pstrdup(
            pool, APR_ARRAY_IDX(spans, i, text_word_t).value);
    }
    apr_pool_destroy(scratch);
    return words;
}

const char *text_quote(const char *word, apr_pool_t *pool)
{
    const char *w;
    char *quoted, *q;
    int needed = *word == '\0';

    if (strpbrk(word, "\r\n") || strstr(word, "${")) {
        return NULL;
    }
    for (w = word; *w; w++) {
        needed |= is_space(*w) || strchr("\"'\\{<>", *w) != NULL;
    }
    if (!needed) {
        return apr_pstrdup(pool, word);
    }
    quoted = q = apr_palloc(pool, 2 * strlen(word) + 3);
    *q++ = '"';
    for (w = word; *w; w++) {
        if (*w == '"' || *w == '\\') {
            *q++ = '\\';
        }
        *q++ = *w;
    }
    *q++ = '"';
    *q = '\0';
    return quoted;
}

/* --------------------------------------------------------------- sections */

/** What is known while a file is scanned. */
typedef struct scan_t {
    text_t *text;
    int open;                 /**< index of the innermost open section; -1 */
    int depth;
    int raw;                  /**< sections of the raw one's own name that
                                   are open in it */
    acme_err_t *err;
    apr_pool_t *pool;
} scan_t;

static scan_line_t *line_at(const text_t *text, int i)
{
    return &APR_ARRAY_IDX(text->lines, i, scan_line_t);
}

/** mod_macro and mod_perl read up to their own close tag; what is between
 *  need not be balanced. */
static int is_raw(const scan_line_t *line)
{
    return strcasecmp(line->name, "Macro") == 0
        || strcasecmp(line->name, "Perl") == 0;
}

const char *text_trimmed(const char *text, apr_pool_t *pool)
{
    apr_size_t len;

    text += strspn(text, " \t\v\f");
    len = strlen(text);
    while (len && strchr(" \t\v\f", text[len - 1])) {
        len--;
    }
    return apr_pstrmemdup(pool, text, len);
}

/** Set kind and name from the trimmed, joined bytes of a line. */
static void classify(scan_line_t *line, const joined_t *joined,
                     apr_pool_t *pool)
{
    apr_size_t from = 0;
    text_word_t word;
    char *name;

    line->name = "";
    while (is_space(joined->data[from])) {
        from++;
    }
    if (joined->data[from] == '\0' || joined->data[from] == '#') {
        line->kind = joined->data[from] ? SCAN_COMMENT : SCAN_BLANK;
        return;
    }
    next_word(&word, joined, &from, strlen(joined->data), pool);
    name = apr_pstrdup(pool, word.value);
    line->kind = SCAN_DIRECTIVE;
    if (name[0] == '<') {
        line->kind = name[1] == '/' ? SCAN_CLOSE : SCAN_OPEN;
        name += line->kind == SCAN_CLOSE ? 2 : 1;
    }
    if (*name && name[strlen(name) - 1] == '>') {
        name[strlen(name) - 1] = '\0';
    }
    line->name = name;
}

/** Let a tag in a raw section be a directive unless it ends the section. */
static void scan_raw(scan_t *scan, scan_line_t *line)
{
    const scan_line_t *open = line_at(scan->text, scan->open);
    int is_own = strcasecmp(line->name, open->name) == 0;

    if (line->kind == SCAN_OPEN) {
        scan->raw += is_own;
    }
    else if (is_own && scan->raw-- == 0) {
        scan->raw = 0;
        return;
    }
    line->name = apr_pstrcat(scan->pool, line->kind == SCAN_OPEN ? "<" : "</",
                             line->name, NULL);
    line->kind = SCAN_DIRECTIVE;
}

/** Take a close tag. */
static apr_status_t scan_close(scan_t *scan, scan_line_t *line)
{
    scan_line_t *open;

    if (scan->open < 0) {
        return base_err_set(scan->err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s:%d: </%s> closes no section: remove it or "
                            "add what it is to close", scan->text->path,
                            line->last, line->name);
    }
    open = line_at(scan->text, scan->open);
    if (strcasecmp(open->name, line->name) != 0) {
        return base_err_set(scan->err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s:%d: </%s> cannot close <%s> of line %d: "
                            "add </%s>", scan->text->path, line->last,
                            line->name, open->name, open->last, open->name);
    }
    line->mate = scan->open;
    line->parent = open->parent;
    line->depth = --scan->depth;
    open->mate = scan->text->lines->nelts;
    scan->open = open->parent;
    return APR_SUCCESS;
}

/** Put a classified line where it belongs. */
static apr_status_t scan_place(scan_t *scan, scan_line_t *line)
{
    apr_status_t rv = APR_SUCCESS;
    int tag = line->kind == SCAN_OPEN || line->kind == SCAN_CLOSE;

    line->mate = -1;
    line->parent = scan->open;
    line->depth = scan->depth;
    if (tag && scan->open >= 0
        && is_raw(line_at(scan->text, scan->open))) {
        scan_raw(scan, line);
    }
    if (line->kind == SCAN_CLOSE) {
        rv = scan_close(scan, line);
    }
    else if (line->kind == SCAN_OPEN) {
        scan->open = scan->text->lines->nelts;
        scan->depth++;
    }
    APR_ARRAY_PUSH(scan->text->lines, scan_line_t) = *line;
    return rv;
}

/** Cut the whole into lines. */
static apr_status_t scan_lines(scan_t *scan)
{
    text_t *text = scan->text;
    apr_status_t rv = APR_SUCCESS;
    apr_size_t at = 0;
    int number = 1;
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, scan->pool);
    while (rv == APR_SUCCESS && at < text->len) {
        scan_line_t line = { 0 };
        joined_t joined;

        apr_pool_clear(iterpool);
        join(&joined, text, at, iterpool);
        line.line = number;
        line.last = number + joined.pieces - 1;
        line.start = at;
        line.end = joined.end;
        trim(&line, &joined);
        classify(&line, &joined, scan->pool);
        rv = scan_place(scan, &line);
        number += joined.pieces;
        at = joined.end;
        text->final_eol = joined.closed;
    }
    apr_pool_destroy(iterpool);
    return rv;
}

/** What most lines end with. */
static const char *usual_eol(const char *data, apr_size_t len)
{
    const char *at = data;
    long balance = 0;

    while ((at = memchr(at, '\n', len - (apr_size_t)(at - data))) != NULL) {
        balance += at > data && at[-1] == '\r' ? 1 : -1;
        at++;
    }
    return balance > 0 ? "\r\n" : "\n";
}

apr_status_t text_make(text_t **ptext, const char *path, const char *data,
                       apr_size_t len, acme_err_t *err,
                       apr_pool_t *result_pool)
{
    text_t *text = apr_pcalloc(result_pool, sizeof(*text));
    scan_t scan = { text, -1, 0, 0, err, result_pool };
    apr_status_t rv;

    if (memchr(data, '\0', len)) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s has a NUL byte in it: httpd ignores what is "
                            "behind it; remove it", path);
    }
    text->path = apr_pstrdup(result_pool, path);
    text->data = data;
    text->len = len;
    text->eol = usual_eol(data, len);
    text->final_eol = 1;
    text->lines = apr_array_make(result_pool, (int)(len / 32) + 8,
                                 sizeof(scan_line_t));
    rv = scan_lines(&scan);
    if (rv == APR_SUCCESS && scan.open >= 0) {
        const scan_line_t *open = line_at(text, scan.open);

        rv = base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                          "%s:%d: <%s> is not closed: add </%s>", path,
                          open->last, open->name, open->name);
    }
    *ptext = text;
    return rv;
}

apr_status_t text_read(text_t **ptext, const char *path, acme_err_t *err,
                       apr_pool_t *result_pool)
{
    const char *real;
    char *data;
    apr_size_t len;
    apr_status_t rv;

    /* What is in sites-enabled is a link. */
    if ((rv = base_path_real(&real, path, err, result_pool))
        || (rv = base_file_read(&data, &len, real, JOURNAL_FILE_MAX, err,
                                result_pool))) {
        return rv;
    }
    return text_make(ptext, path, data, len, err, result_pool);
}

/* ----------------------------------------------------------------- lookup */

int text_line_from(const text_t *text, apr_size_t offset)
{
    int low = 0;
    int high = text->lines->nelts;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (line_at(text, middle)->start < offset) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low;
}

int text_section_at(const text_t *text, const char *name, int line)
{
    int low = 0;
    int high = text->lines->nelts;
    const scan_line_t *found;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (line_at(text, middle)->last < line) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    if (low == text->lines->nelts) {
        return -1;
    }
    found = line_at(text, low);
    if (found->kind != SCAN_OPEN || found->last != line
        || (name && strcasecmp(found->name, name) != 0)) {
        return -1;
    }
    return low;
}
