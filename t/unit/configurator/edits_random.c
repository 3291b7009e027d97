/*
 * Random sections and random edits of them, from a fixed seed.
 *
 * A model that knows nothing of bytes, lines or trees says which nodes have
 * to be there afterwards, with which words; a node that was not edited has
 * to have the very bytes it had.
 */
#include <stdio.h>

#include "configurator/text_rig.h"

static unsigned seed;

static int below(int n)
{
    return (int)((unsigned)rand_r(&seed) >> 3) % n;
}

static const char *one_of(const char *const *list, int n)
{
    return list[below(n)];
}

#define ONE_OF(list) one_of(list, (int)(sizeof(list) / sizeof(list[0])))

/* ------------------------------------------------------------ random files */

static const char *const names[] = {
    "ServerName", "serveralias", "A", "RewriteRule", "SSLEngine", "x-y_z.1"
};
static const char *const sections[] = {
    "Directory", "IfModule", "location", "Files"
};
static const char *const raw_words[] = {
    "a", "example.org", "*:80", "[::1]:443", "/var/www", "%{HTTP_HOST}",
    "\"a b\"", "'c d'", "\"q \\\" \\\\ r\"", "\"\"", "caf\xe9", "\xc3\xa9",
    "^(.*)$", "\"x > y\"", "-Indexes", "#1", "a=b", "\"{\"", "a\\.b"
};
static const char *const header_words[] = {
    "*:80", "[::1]:80", "\"/a b\"", "a.c", "!x", "'q'"
};
static const char *const indents[] = { "", " ", "    ", "\t", "\t  " };
static const char *const gaps[] = { " ", "  ", "\t", " \\\n   ", "\\\r\n " };
static const char *const comments[] = {
    "# c", "#", "#x", "  # caf\xe9 \xc3\xa9", "# a \\\n b", "## \\\\ x"
};
static const char *const new_words[] = {
    "b.example", "", "a b", "\"", "back\\slash", "{\"a\": 1", "on", "x>y",
    "'", "caf\xe9", "#", "permanent", "\t", "end\\"
};

/** How lines of the file at hand end: 0 LF, 1 CRLF, 2 mixed. */
static int ends;

static const char *eol(void)
{
    return ends == 1 || (ends == 2 && below(2)) ? "\r\n" : "\n";
}

static void add(apr_array_header_t *parts, const char *part)
{
    APR_ARRAY_PUSH(parts, const char *) = part;
}

/** A name with arguments. */
static void add_words(apr_array_header_t *parts, const char *const *list,
                      int n, int most)
{
    int count = below(most + 1);

    while (count-- > 0) {
        add(parts, ONE_OF(gaps));
        add(parts, one_of(list, n));
    }
}

/** Random lines, sections among them. */
static void add_lines(apr_array_header_t *parts, int depth)
{
    int count = below(depth ? 4 : 9);

    while (count-- > 0) {
        const char *indent = ONE_OF(indents);
        const char *name;

        switch (below(depth < 3 ? 8 : 7)) {
        case 0:
            add(parts, eol());
            break;
        case 1:
            add(parts, ONE_OF(comments));
            add(parts, eol());
            break;
        case 7:
            name = ONE_OF(sections);
            add(parts, indent);
            add(parts, "<");
            add(parts, name);
            add_words(parts, header_words, 6, 2);
            add(parts, ">");
            add(parts, eol());
            add_lines(parts, depth + 1);
            add(parts, indent);
            add(parts, "</");
            add(parts, name);
            add(parts, ">");
            add(parts, eol());
            break;
        default:
            add(parts, indent);
            add(parts, ONE_OF(names));
            add_words(parts, raw_words,
                      (int)(sizeof(raw_words) / sizeof(raw_words[0])), 3);
            add(parts, below(4) ? "" : " \t");
            add(parts, eol());
            break;
        }
    }
}

/** A file with one host, odd lines around it. */
static const char *random_file(apr_pool_t *p)
{
    apr_array_header_t *parts = apr_array_make(p, 64, sizeof(const char *));
    char *data;
    int behind = below(3);

    ends = below(3);
    if (below(2)) {
        add(parts, "Foo {\"a\": 1\nListen 1 \\\r\n 2\n");
    }
    add(parts, below(2) ? "\n" : "");
    add(parts, ONE_OF(indents));
    add(parts, "<VirtualHost");
    add_words(parts, header_words, 6, 3);
    add(parts, ">");
    add(parts, eol());
    add_lines(parts, 0);
    add(parts, "  </virtualhost>");
    add(parts, eol());
    add(parts, behind == 0 ? "" : behind == 1 ? "\n# x\n" : "\fB {x\r\n");
    data = apr_array_pstrcat(p, parts, 0);
    if (below(3) == 0) {
        data[strlen(data) - 1 - (behind == 2
                                 || (behind == 0
                                     && data[strlen(data) - 2] == '\r'))]
            = '\0';
    }
    return data;
}

/* ------------------------------------------------------------------- model */

/** A node as it has to be read afterwards. */
typedef struct want_t {
    const char *name;                  /**< "": a comment */
    const apr_array_header_t *words;   /**< NULL: not looked at */
    int line;                          /**< of the text before: its bytes are
                                            the same; -1: new or edited */
} want_t;

typedef struct model_t {
    const block_t *block;
    apr_array_header_t **before;   /**< one a node, of want_t; the last: at
                                        the end */
    apr_array_header_t **set;      /**< one a node, NULL: as it was */
    apr_array_header_t *header;    /**< the same */
    char *gone;
    apr_pool_t *pool;
} model_t;

static const block_node_t *node(const block_t *block, int i)
{
    return &APR_ARRAY_IDX(block_nodes(block), i, block_node_t);
}

static int count(const model_t *model)
{
    return block_nodes(model->block)->nelts;
}

static model_t *model_make(const block_t *block, apr_pool_t *p)
{
    model_t *model = apr_pcalloc(p, sizeof(*model));
    int n, i;

    model->block = block;
    model->pool = p;
    n = count(model) + 1;
    model->before = apr_pcalloc(p, (size_t)n * sizeof(*model->before));
    model->set = apr_pcalloc(p, (size_t)n * sizeof(*model->set));
    model->gone = apr_pcalloc(p, (size_t)n);
    for (i = 0; i < n; i++) {
        model->before[i] = apr_array_make(p, 2, sizeof(want_t));
    }
    return model;
}

/** 1 if one of the sections around a node is gone. */
static int is_within_gone(const model_t *model, int i)
{
    for (i = node(model->block, i)->parent; i >= 0;
         i = node(model->block, i)->parent) {
        if (model->gone[i]) {
            return 1;
        }
    }
    return 0;
}

static apr_array_header_t *random_words(int most, apr_pool_t *p)
{
    apr_array_header_t *words = apr_array_make(p, 4, sizeof(const char *));
    int n = below(most + 1);

    while (n-- > 0) {
        add(words, ONE_OF(new_words));
    }
    return words;
}

static void try_insert(model_t *model, block_t *block, int at)
{
    want_t want = { ONE_OF(names), random_words(3, model->pool), -1 };
    int here = at < 0 ? count(model) : at;

    if (at >= 0 && is_within_gone(model, at)) {
        return;
    }
    if (below(4) == 0) {
        want.name = "";
        unit_ok(block_comment(block, at, "by us", &err));
    }
    else {
        unit_ok(block_insert(block, at, want.name, want.words, &err));
    }
    APR_ARRAY_PUSH(model->before[here], want_t) = want;
}

/** Does the lens see the arguments that httpd does? */
static int can_set(const block_t *block, int at)
{
    const reading_t *reading = at < 0 ? &block->header
        : &APR_ARRAY_IDX(block->readings, at, reading_t);

    return reading->node.kind != SCAN_COMMENT
        && reading->args == reading->node.words->nelts;
}

static void try_set(model_t *model, block_t *block, int at)
{
    apr_array_header_t **set = at < 0 ? &model->header : &model->set[at];
    const apr_array_header_t *was;
    int n;

    if (!can_set(block, at) || (at >= 0 && (model->gone[at]
                                            || is_within_gone(model, at)))) {
        return;
    }
    was = *set ? *set : at < 0 ? block_words(block) : node(block, at)->words;
    if (below(2) || !was->nelts) {
        *set = random_words(3, model->pool);
        unit_ok(block_set_all(block, at, *set, &err));
        return;
    }
    n = below(was->nelts);
    *set = apr_array_copy(model->pool, was);
    APR_ARRAY_IDX(*set, n, const char *) = ONE_OF(new_words);
    unit_ok(block_set(block, at, n, APR_ARRAY_IDX(*set, n, const char *),
                      &err));
}

static void random_edit(model_t *model, block_t *block)
{
    int at = below(count(model) + 1) - 1;

    switch (below(3)) {
    case 0:
        try_insert(model, block, at);
        break;
    case 1:
        try_set(model, block, at);
        break;
    case 2:
        if (at >= 0) {
            unit_ok(block_remove(block, at, &err));
            model->gone[at] = 1;
        }
        break;
    }
}

/** All nodes that have to be there, in order. */
static apr_array_header_t *wanted(const model_t *model)
{
    apr_array_header_t *list = apr_array_make(model->pool, 16,
                                              sizeof(want_t));
    int i;

    for (i = 0; i <= count(model); i++) {
        int is_end = i == count(model);
        want_t want;

        if (!is_end && is_within_gone(model, i)) {
            continue;
        }
        apr_array_cat(list, model->before[i]);
        if (is_end || model->gone[i]) {
            continue;
        }
        want.name = node(model->block, i)->name;
        want.words = model->set[i] ? model->set[i]
            : node(model->block, i)->words;
        want.line = model->set[i] ? -1
            : APR_ARRAY_IDX(model->block->readings, i, reading_t).line;
        APR_ARRAY_PUSH(list, want_t) = want;
    }
    return list;
}

static const char *joined(const apr_array_header_t *words, apr_pool_t *p)
{
    return apr_array_pstrcat(p, words, '|');
}

/** Assert that the section at lines[open] of a text is what was wanted. */
static void compare(const model_t *model, augeas_base_t *base,
                    const text_t *after, int open)
{
    apr_array_header_t *list = wanted(model);
    const text_t *before = model->block->text;
    block_t *block;
    int i;

    unit_ok(block_open(&block, base, after, open, &err, model->pool));
    ck_assert_str_eq(joined(block_words(block), model->pool),
                     joined(model->header ? model->header
                            : block_words(model->block), model->pool));
    ck_assert_int_eq(block_nodes(block)->nelts, list->nelts);
    for (i = 0; i < list->nelts; i++) {
        const want_t *want = &APR_ARRAY_IDX(list, i, want_t);
        const scan_line_t *was, *is;

        ck_assert_str_eq(node(block, i)->name, want->name);
        if (*want->name) {
            ck_assert_str_eq(joined(node(block, i)->words, model->pool),
                             joined(want->words, model->pool));
        }
        if (want->line < 0) {
            continue;
        }
        was = &APR_ARRAY_IDX(before->lines, want->line, scan_line_t);
        is = &APR_ARRAY_IDX(after->lines, APR_ARRAY_IDX(
            block->readings, i, reading_t).line, scan_line_t);
        ck_assert_uint_eq(was->end - was->start, is->end - is->start);
        ck_assert_mem_eq(before->data + was->start, after->data + is->start,
                         is->end - is->start);
    }
}

/* -------------------------------------------------------------------- test */

/** The index of the first section from a line on. */
static int next_section(const text_t *text, int i)
{
    while (APR_ARRAY_IDX(text->lines, i, scan_line_t).kind != SCAN_OPEN) {
        i++;
        ck_assert_int_lt(i, text->lines->nelts);
    }
    return i;
}

/** One file, its host edited, and perhaps a copy of it edited as well. */
static void one_file(augeas_base_t *base, apr_pool_t *p)
{
    const char *data = random_file(p);
    int copies = below(2);
    int is_wrapped = below(2);
    block_t *block, *copy;
    model_t *model, *twin;
    text_t *text, *after;
    const char *now;
    apr_size_t len;
    edits_t *edits;
    int open, i;

    unit_ok(text_make(&text, "site.conf", data, strlen(data), &err, p));
    edits = edits_make(text, base, p);
    unit_ok(block_open(&block, base, text, next_section(text, 0), &err, p));
    unit_ok(block_copy(&copy, block, &err, p));
    model = model_make(block, p);
    twin = model_make(copy, p);
    for (i = below(6); i >= 0; i--) {
        random_edit(model, block);
        random_edit(twin, copy);
    }
    unit_ok(edits_block(edits, block, &err));
    if (copies) {
        unit_ok(edits_copy(edits, copy, is_wrapped ? "IfModule" : NULL,
                           "ssl_module", &err));
    }
    ck_assert_msg(edits_finish(&now, &len, edits, &err, p) == APR_SUCCESS,
                  "%s\n%s", err.message, data);
    unit_ok(text_make(&after, "site.conf", now, len, &err, p));
    open = next_section(after, 0);
    compare(model, base, after, open);
    if (copies) {
        open = APR_ARRAY_IDX(after->lines, open, scan_line_t).mate + 1;
        open = next_section(after, open) + is_wrapped;
        compare(twin, base, after, open);
    }
    ck_assert_int_eq(text->final_eol, after->final_eol);
}

/* Whatever is in a section, and whatever is done to it: what was asked for
 * is there, and all else has its bytes. */
START_TEST(random_edits)
{
    augeas_base_t *base = rig_base();
    apr_pool_t *iterpool;
    int i;

    apr_pool_create(&iterpool, pool);
    for (i = 0; i < 500; i++) {
        apr_pool_clear(iterpool);
        seed = (unsigned)(_i * 500 + i);
        one_file(base, iterpool);
    }
}
END_TEST

Suite *edits_random_suite(void)
{
    Suite *suite = suite_create("edits_random");

    tcase_add_loop_test(unit_case(suite, "random"), random_edits, 0, 6);
    return suite;
}
