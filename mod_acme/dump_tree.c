/*
 * The directives of DUMP_ACME: those whose text matters to who edits the
 * configuration, out of the tree that httpd keeps of it.
 *
 * When it is read, conditions, macros and includes are already gone from the
 * tree. What is left of sections stands around other directives:
 *
 *   ap_conftree -> Listen -> <VirtualHost -> <Directory -> ...
 *                                 |              |
 *                             ServerName      Options
 *                                 |
 *                             <Location -> ...
 *
 * Virtual hosts stand in it in the order in which httpd made their records.
 */
#include "dump.h"

#include <apr_strings.h>

/* Sections within sections; httpd sets no limit, files do. */
#define DEPTH_MAX 64

/* What is listed: sorted, lower case. A name that ends in * stands for all
 * that begin so. Those marked may stand only once in the whole server. */
static const char *const listed[] = {
    "acme*",
    "fastcgiexternalserver",     /* once: a file */
    "fastcgiserver",             /* once: a file */
    "header",
    "mdomain",                   /* once: a name */
    "redirect",
    "redirectmatch",
    "redirectpermanent",
    "redirecttemp",
    "rewritecond",
    "rewriteengine",
    "rewritemap",
    "rewriteoptions",
    "rewriterule",
    "ssl*",
    "wsgiapplicationgroup",
    "wsgidaemonprocess",         /* once: a name */
    "wsgiprocessgroup"
};

/* The way to a directive. */
typedef struct walk_t {
    acme_out_t *out;
    const ap_directive_t *host;  /* NULL: the main server */
    int rewrites;            /* 1: tell of rewrite rules */
    int begun;               /* 1: there was one already */
    const ap_directive_t *within[DEPTH_MAX];
    int depth;
    apr_pool_t *p;
} walk_t;

static int is_section(const ap_directive_t *node)
{
    return node->directive[0] == '<';
}

static int is_listed(const ap_directive_t *node)
{
    apr_size_t i, len;
    int order;

    for (i = 0; i < sizeof(listed) / sizeof(listed[0]); i++) {
        len = strlen(listed[i]) - 1;
        order = listed[i][len] == '*'
                ? strncasecmp(node->directive, listed[i], len)
                : strcasecmp(node->directive, listed[i]);
        if (order <= 0) {
            return order == 0;
        }
    }
    return 0;
}

static int begins(const ap_directive_t *node, const char *name)
{
    return strncasecmp(node->directive, name, strlen(name)) == 0;
}

static int says(const ap_directive_t *node, const char *text)
{
    return node->args && ap_strcasestr(node->args, text);
}

/* Rules count each other: where one leads to a URL, all are of interest. */
static int rewrites_to_url(const ap_directive_t *section)
{
    const ap_directive_t *node;

    for (node = section->first_child; node; node = node->next) {
        if (is_section(node) ? rewrites_to_url(node)
            : begins(node, "RewriteRule") && says(node, "://")) {
            return 1;
        }
    }
    return 0;
}

/* Redirects that lead to anything but https, and other headers than that of
 * HSTS: a site may have very many of them, and nothing here depends on
 * one. */
static int is_beside_the_point(const walk_t *walk, const ap_directive_t *node)
{
    if (begins(node, "Redirect")) {
        return !says(node, "https:");
    }
    if (begins(node, "Header")) {
        return !says(node, "Strict-Transport-Security");
    }
    return begins(node, "Rewrite") && !begins(node, "RewriteOptions")
           && !walk->rewrites;
}

/* A section without its brackets: "Location /x". */
static const char *section_text(const ap_directive_t *node, apr_pool_t *p)
{
    const char *args = node->args ? node->args : "";
    const char *end = ap_strrchr_c(args, '>');
    apr_size_t len = end ? (apr_size_t)(end - args) : strlen(args);

    return apr_pstrcat(p, node->directive + 1, len ? " " : "",
                       apr_pstrmemdup(p, args, len), NULL);
}

void acme_dump_place(acme_out_t *out, const char *file, int line)
{
    if (file && *file == '/') {
        acme_out_text(out, "file", file);
        acme_out_number(out, "line", line);
    }
    else {
        acme_out_null(out, "file");
        acme_out_null(out, "line");
    }
}

static void args_put(acme_out_t *out, const ap_directive_t *node)
{
    acme_out_text(out, "args", node->args ? node->args : "");
}

/* Where node stands: the line alone in the file of its host. */
static void place_put(const walk_t *walk, const ap_directive_t *node)
{
    const char *file = walk->host ? walk->host->filename : NULL;

    if (file && *file == '/' && node->filename
        && strcmp(file, node->filename) == 0) {
        acme_out_number(walk->out, "line", node->line_num);
    }
    else {
        acme_dump_place(walk->out, node->filename, node->line_num);
    }
}

static void within_put(const walk_t *walk)
{
    int i;

    acme_out_begin(walk->out, "within", '[');
    for (i = 0; i < walk->depth; i++) {
        acme_out_text(walk->out, NULL, section_text(walk->within[i],
                                                    walk->p));
    }
    acme_out_end(walk->out, ']');
}

/* Who edits what a directive says needs no other encoding than UTF-8. */
static void directive_put(walk_t *walk, const ap_directive_t *node)
{
    acme_out_t *out = walk->out;
    void (*odd)(const char *) = out->odd;

    if (!walk->begun) {
        acme_out_begin(out, "directives", '[');
        walk->begun = 1;
    }
    out->odd = NULL;
    acme_out_begin(out, NULL, '{');
    acme_out_text(out, "name", node->directive);
    args_put(out, node);
    place_put(walk, node);
    if (walk->depth) {
        within_put(walk);
    }
    acme_out_end(out, '}');
    out->odd = odd;
}

static void walk_children(walk_t *walk, const ap_directive_t *section);

/* Tell of node if it is of interest, or of what is so within. */
static void walk_node(walk_t *walk, const ap_directive_t *node)
{
    if (!is_section(node)) {
        if (is_listed(node) && !is_beside_the_point(walk, node)) {
            directive_put(walk, node);
        }
    }
    else if (node->first_child && walk->depth < DEPTH_MAX) {
        walk->within[walk->depth++] = node;
        walk_children(walk, node);
        walk->depth--;
    }
}

static void walk_children(walk_t *walk, const ap_directive_t *section)
{
    const ap_directive_t *node;

    for (node = section->first_child; node; node = node->next) {
        walk_node(walk, node);
    }
}

static int is_host(const ap_directive_t *node)
{
    return strcasecmp(node->directive, "<VirtualHost") == 0;
}

static void walk_main(walk_t *walk)
{
    const ap_directive_t *node;

    for (node = ap_conftree; node; node = node->next) {
        if (!is_host(node)) {
            walk_node(walk, node);
        }
    }
}

void acme_dump_directives(acme_out_t *out, const ap_directive_t *node,
                          apr_pool_t *p)
{
    walk_t walk = { out, node, 1, 0, { NULL }, 0, p };

    if (node) {
        walk.rewrites = rewrites_to_url(node);
        walk_children(&walk, node);
    }
    else {
        walk_main(&walk);
    }
    if (walk.begun) {
        acme_out_end(out, ']');
    }
}

void acme_dump_listen(acme_out_t *out)
{
    const ap_directive_t *node;

    acme_out_begin(out, "listen", '[');
    for (node = ap_conftree; node; node = node->next) {
        if (strcasecmp(node->directive, "Listen") == 0) {
            acme_out_begin(out, NULL, '{');
            args_put(out, node);
            acme_dump_place(out, node->filename, node->line_num);
            acme_out_end(out, '}');
        }
    }
    acme_out_end(out, ']');
}

/* The host that node defines, from *pnext on; -1 if there is none. Both
 * stand in the same order. */
static int host_of(const ap_directive_t *node,
                   const apr_array_header_t *hosts, int *pnext)
{
    int i;

    for (i = *pnext; i < hosts->nelts; i++) {
        const server_rec *s = APR_ARRAY_IDX(hosts, i, const server_rec *);

        if (s->defn_name && node->filename
            && s->defn_line_number == (unsigned)node->line_num
            && strcmp(s->defn_name, node->filename) == 0) {
            *pnext = i + 1;
            return i;
        }
    }
    return -1;
}

void acme_dump_tree_read(acme_dump_tree_t *tree,
                         const apr_array_header_t *hosts, apr_pool_t *p)
{
    const ap_directive_t *node;
    int i, next = 0;

    tree->named = tree->stapling_cache = 0;
    tree->nodes = apr_pcalloc(p, (apr_size_t)(hosts->nelts + 1)
                                 * sizeof(*tree->nodes));
    for (node = ap_conftree; node; node = node->next) {
        if (is_host(node)) {
            i = host_of(node, hosts, &next);
            if (i >= 0) {
                tree->nodes[i] = node;
            }
        }
        else if (strcasecmp(node->directive, "ServerName") == 0) {
            tree->named = 1;
        }
        else if (strcasecmp(node->directive, "SSLStaplingCache") == 0) {
            tree->stapling_cache = 1;
        }
    }
}
