/*
 * diff.c: differences of texts by lines: the shortest edit script (E. Myers,
 * "An O(ND) Difference Algorithm and Its Variations", 1986), unified text of
 * it, and a three-way merge.
 *
 * Bounded: with more than EDITS_MAX edits what differs is one change. Bytes
 * pass through as they are; content with a NUL is said to differ, no more.
 */
#include <string.h>

#include <apr_strings.h>

#include "journal/internal.h"

#define EDITS_MAX 1500
#define CONTEXT 3

typedef struct line_t {
    const char *text;       /* with its newline, if it has one */
    apr_size_t len;
} line_t;

typedef struct text_t {
    line_t *lines;
    int count;
} text_t;

/* Lines a0 .. a1-1 of one text are b0 .. b1-1 of the other. */
typedef struct change_t {
    int a0, a1, b0, b1;
} change_t;

typedef struct out_t {
    char *data;
    apr_size_t len;
    apr_size_t size;
    apr_pool_t *pool;
} out_t;

static void out_add(out_t *out, const char *data, apr_size_t len)
{
    char *larger;

    if (out->len + len + 1 > out->size) {
        out->size = 2 * (out->len + len + 1);
        larger = apr_palloc(out->pool, out->size);
        if (out->len > 0) {
            memcpy(larger, out->data, out->len);
        }
        out->data = larger;
    }
    if (len > 0) {
        memcpy(out->data + out->len, data, len);
    }
    out->len += len;
    out->data[out->len] = '\0';
}

static void out_text(out_t *out, const char *text)
{
    out_add(out, text, strlen(text));
}

static text_t split(const char *data, apr_size_t len, apr_pool_t *pool)
{
    text_t text = { NULL, 0 };
    const char *end = data + len, *p, *newline;

    for (p = data; len > 0 && p < end; text.count++) {
        newline = memchr(p, '\n', (size_t)(end - p));
        p = newline ? newline + 1 : end;
    }
    text.lines = apr_palloc(pool, sizeof(line_t) * (apr_size_t)
                                  (text.count + 1));
    text.count = 0;
    for (p = data; len > 0 && p < end; p += text.lines[text.count++].len) {
        newline = memchr(p, '\n', (size_t)(end - p));
        text.lines[text.count].text = p;
        text.lines[text.count].len = (apr_size_t)((newline ? newline + 1
                                                   : end) - p);
    }
    return text;
}

static int same_line(const line_t *a, const line_t *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* ---------------------------------------------------------------- Myers */

/* What is compared: the lines between the common head and tail. */
typedef struct middle_t {
    const line_t *a;
    const line_t *b;
    int n, m;
    char *gone;             /* per line of a: 1 if it is not in b */
    char *new;              /* per line of b: 1 if it is not in a */
} middle_t;

/* The diagonal from which d edits reach furthest on diagonal k: k - 1 takes
 * a line of a away, k + 1 brings one of b in. *px is the line of a that is
 * reached, -1 if none is, for it would lie outside. */
static int origin(int *px, const middle_t *mid, const int *v, int k, int d)
{
    int gone = k > -d && v[k - 1] >= 0 && v[k - 1] < mid->n ? v[k - 1] + 1
                                                            : -1;
    int new = k < d && v[k + 1] >= 0 && v[k + 1] - k <= mid->m ? v[k + 1]
                                                               : -1;

    *px = gone > new ? gone : new;
    return gone > new ? k - 1 : k + 1;
}

/* One round of the greedy search: v[k] is the furthest line of a on
 * diagonal k with d edits. @return 1 when the end is reached */
static int search_round(const middle_t *mid, int *v, int d)
{
    int k, x = 0;

    for (k = -d; k <= d; k += 2) {
        if (d > 0) {
            origin(&x, mid, v, k, d);
        }
        while (x >= 0 && x < mid->n && x - k < mid->m
               && same_line(&mid->a[x], &mid->b[x - k])) {
            x++;
        }
        v[k] = x;
        if (x == mid->n && x - k == mid->m) {
            return 1;
        }
    }
    return 0;
}

/* Walk back from the end along the rounds that were kept. */
static void search_back(middle_t *mid, int *const *rounds, int d)
{
    int x, k = mid->n - mid->m, from;
    const int *v;

    for (; d > 0; d--) {
        v = rounds[d - 1] + (d - 1);
        from = origin(&x, mid, v, k, d);
        x = v[from];
        if (from == k + 1) {
            mid->new[x - from] = 1;
        }
        else {
            mid->gone[x] = 1;
        }
        k = from;
    }
}

/* Mark what differs; everything when it takes too many edits. */
static void search(middle_t *mid, apr_pool_t *pool)
{
    int max = mid->n + mid->m < EDITS_MAX ? mid->n + mid->m : EDITS_MAX, d;
    int *v = apr_pcalloc(pool, sizeof(int) * (apr_size_t)(2 * max + 3));
    int **rounds = apr_palloc(pool, sizeof(int *) * (apr_size_t)(max + 1));

    v += max + 1;
    for (d = 0; d <= max; d++) {
        if (search_round(mid, v, d)) {
            search_back(mid, rounds, d);
            return;
        }
        rounds[d] = apr_pmemdup(pool, v - d,
                                sizeof(int) * (apr_size_t)(2 * d + 1));
    }
    memset(mid->gone, 1, (size_t)mid->n);
    memset(mid->new, 1, (size_t)mid->m);
}

/* Runs of marked lines, of change_t. */
static apr_array_header_t *collect(const middle_t *mid, int head,
                                   apr_pool_t *pool)
{
    apr_array_header_t *changes = apr_array_make(pool, 8, sizeof(change_t));
    change_t change;
    int i = 0, j = 0;

    while (i < mid->n || j < mid->m) {
        change.a0 = i + head;
        change.b0 = j + head;
        while (i < mid->n && mid->gone[i]) {
            i++;
        }
        while (j < mid->m && mid->new[j]) {
            j++;
        }
        change.a1 = i + head;
        change.b1 = j + head;
        if (change.a0 != change.a1 || change.b0 != change.b1) {
            APR_ARRAY_PUSH(changes, change_t) = change;
        }
        i += i < mid->n;
        j += j < mid->m;
    }
    return changes;
}

static apr_array_header_t *compare(const text_t *a, const text_t *b,
                                   apr_pool_t *pool)
{
    int least = a->count < b->count ? a->count : b->count;
    int head = 0, tail = 0;
    middle_t mid;

    while (head < least && same_line(&a->lines[head], &b->lines[head])) {
        head++;
    }
    while (tail < least - head && same_line(&a->lines[a->count - 1 - tail],
                                            &b->lines[b->count - 1 - tail])) {
        tail++;
    }
    mid.a = a->lines + head;
    mid.b = b->lines + head;
    mid.n = a->count - head - tail;
    mid.m = b->count - head - tail;
    mid.gone = apr_pcalloc(pool, (apr_size_t)mid.n + 1);
    mid.new = apr_pcalloc(pool, (apr_size_t)mid.m + 1);
    search(&mid, pool);
    return collect(&mid, head, pool);
}

/* -------------------------------------------------------------- unified */

static void put_lines(out_t *out, char sign, const text_t *text, int from,
                      int to)
{
    const line_t *line;
    int i;

    for (i = from; i < to; i++) {
        line = &text->lines[i];
        out_add(out, &sign, 1);
        out_add(out, line->text, line->len);
        if (line->text[line->len - 1] != '\n') {
            out_text(out, "\n\\ No newline at end of file\n");
        }
    }
}

/* POSIX diff: an empty range is named by the line before it. */
static void put_range(out_t *out, char sign, int from, int to)
{
    char text[64];

    if (to - from == 1) {
        apr_snprintf(text, sizeof(text), "%c%d", sign, from + 1);
    }
    else {
        apr_snprintf(text, sizeof(text), "%c%d,%d", sign,
                     to > from ? from + 1 : from, to - from);
    }
    out_text(out, text);
}

/* Changes first .. last, that are near each other, with context. */
static void put_hunk(out_t *out, const text_t *a, const text_t *b,
                     const change_t *first, const change_t *last)
{
    int before = first->a0 < CONTEXT ? first->a0 : CONTEXT;
    int after = a->count - last->a1 < CONTEXT ? a->count - last->a1
                                              : CONTEXT;
    const change_t *change;
    int at = first->a0 - before;

    out_text(out, "@@ ");
    put_range(out, '-', first->a0 - before, last->a1 + after);
    out_text(out, " ");
    put_range(out, '+', first->b0 - before, last->b1 + after);
    out_text(out, " @@\n");
    for (change = first; change <= last; change++) {
        put_lines(out, ' ', a, at, change->a0);
        put_lines(out, '-', a, change->a0, change->a1);
        put_lines(out, '+', b, change->b0, change->b1);
        at = change->a1;
    }
    put_lines(out, ' ', a, at, last->a1 + after);
}

static void put_hunks(out_t *out, const text_t *a, const text_t *b,
                      const apr_array_header_t *changes)
{
    const change_t *all = (const change_t *)changes->elts;
    int i, first = 0;

    for (i = 0; i < changes->nelts; i++) {
        if (i + 1 == changes->nelts
            || all[i + 1].a0 - all[i].a1 > 2 * CONTEXT) {
            put_hunk(out, a, b, all + first, all + i);
            first = i + 1;
        }
    }
}

const char *journal_diff(const char *path, const char *a, apr_size_t a_len,
                         const char *b, apr_size_t b_len, apr_pool_t *pool)
{
    out_t out = { NULL, 0, 0, pool };
    char clean[1024];
    apr_array_header_t *changes;
    text_t left, right;

    base_clean(clean, sizeof(clean), path);
    if ((a && memchr(a, '\0', a_len)) || (b && memchr(b, '\0', b_len))) {
        return apr_psprintf(pool, "Binary file %s differs\n", clean);
    }
    left = split(a, a ? a_len : 0, pool);
    right = split(b, b ? b_len : 0, pool);
    changes = compare(&left, &right, pool);
    if (changes->nelts == 0 && a && b) {
        return "";
    }
    out_text(&out, apr_pstrcat(pool, "--- ", a ? clean : "/dev/null",
                               "\n+++ ", b ? clean : "/dev/null", "\n",
                               NULL));
    put_hunks(&out, &left, &right, changes);
    return out.data;
}

/* A link or a directory in one line, with sign. */
static const char *say_state(const char *sign, const char *path,
                             const char *state, apr_pool_t *pool)
{
    char clean[1024], target[1024];

    base_clean(clean, sizeof(clean), path);
    if (strncmp(state, "link:", 5) == 0) {
        base_clean(target, sizeof(target), state + 5);
        return apr_psprintf(pool, "%s symbolic link %s -> %s\n", sign, clean,
                            target);
    }
    if (strcmp(state, JOURNAL_ABSENT) == 0 || journal_state_is_file(state)) {
        return "";
    }
    return apr_psprintf(pool, "%s %s %s\n", sign,
                        strcmp(state, JOURNAL_DIR) == 0 ? "directory"
                        : "something else at", clean);
}

const char *journal_diff_states(const char *path, const char *before,
                                const char *a, apr_size_t a_len,
                                const char *after, const char *b,
                                apr_size_t b_len, apr_pool_t *pool)
{
    int a_file = journal_state_is_file(before);
    int b_file = journal_state_is_file(after);
    const char *diff = "";

    if (strcmp(before, after) == 0) {
        return "";
    }
    if (a_file || b_file) {
        diff = journal_diff(path, a_file ? a : NULL, a_len,
                            b_file ? b : NULL, b_len, pool);
    }
    return apr_pstrcat(pool, say_state("-", path, before, pool), diff,
                       say_state("+", path, after, pool), NULL);
}

/* ---------------------------------------------------------------- merge */

/* One side of a merge and how far it has got. */
typedef struct side_t {
    text_t text;
    const change_t *next;
    const change_t *end;
} side_t;

static side_t side_make(const text_t *base, const char *data, apr_size_t len,
                        apr_pool_t *pool)
{
    side_t side;
    apr_array_header_t *changes;

    side.text = split(data, len, pool);
    changes = compare(base, &side.text, pool);
    side.next = (const change_t *)changes->elts;
    side.end = side.next + changes->nelts;
    return side;
}

static int same_change(const side_t *a, const side_t *b)
{
    const change_t *x = a->next, *y = b->next;
    int i;

    if (x->a0 != y->a0 || x->a1 != y->a1
        || x->b1 - x->b0 != y->b1 - y->b0) {
        return 0;
    }
    for (i = 0; i < x->b1 - x->b0; i++) {
        if (!same_line(&a->text.lines[x->b0 + i],
                       &b->text.lines[y->b0 + i])) {
            return 0;
        }
    }
    return 1;
}

/* Base up to the side's next change, then that. */
static void take_change(out_t *out, int *pat, const text_t *base,
                        side_t *side)
{
    const change_t *change = side->next++;
    int i;

    for (; *pat < change->a0; (*pat)++) {
        out_add(out, base->lines[*pat].text, base->lines[*pat].len);
    }
    for (i = change->b0; i < change->b1; i++) {
        out_add(out, side->text.lines[i].text, side->text.lines[i].len);
    }
    *pat = change->a1;
}

int journal_merge(char **pdata, apr_size_t *plen, const char *base,
                  apr_size_t base_len, const char *a, apr_size_t a_len,
                  const char *b, apr_size_t b_len, apr_pool_t *pool)
{
    text_t text = split(base, base_len, pool);
    side_t x = side_make(&text, a, a_len, pool);
    side_t y = side_make(&text, b, b_len, pool);
    out_t out = { NULL, 0, 0, pool };
    int at = 0;

    out_add(&out, "", 0);
    while (x.next < x.end || y.next < y.end) {
        if (x.next < x.end && y.next < y.end
            && x.next->a0 <= y.next->a1 && y.next->a0 <= x.next->a1) {
            /* they touch: one edit made by both, or a conflict */
            if (!same_change(&x, &y)) {
                return 0;
            }
            y.next++;
            take_change(&out, &at, &text, &x);
        }
        else if (y.next == y.end
                 || (x.next < x.end && x.next->a0 < y.next->a0)) {
            take_change(&out, &at, &text, &x);
        }
        else {
            take_change(&out, &at, &text, &y);
        }
    }
    for (; at < text.count; at++) {
        out_add(&out, text.lines[at].text, text.lines[at].len);
    }
    *pdata = out.data;
    *plen = out.len;
    return 1;
}
