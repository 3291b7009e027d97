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

#include <util_cfgtree.h>

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
    json_t *list;                /* where it goes */
    const char *within[DEPTH_MAX];
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

/* What node says and where; null where no file holds it, as in a macro. */
static void text_set(json_t *object, const ap_directive_t *node,
                     apr_pool_t *p)
{
    int is_file = node->filename && *node->filename == '/';

    json_object_set_new(object, "args",
                        acme_dump_string(node->args ? node->args : "", p));
    json_object_set_new(object, "file",
                        acme_dump_string(is_file ? node->filename : NULL, p));
    json_object_set_new(object, "line", is_file
                        ? json_integer(node->line_num) : json_null());
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

static void directive_add(walk_t *walk, const ap_directive_t *node)
{
    json_t *object = json_object(), *within = json_array();
    int i;

    for (i = 0; i < walk->depth; i++) {
        json_array_append_new(within,
                              acme_dump_string(walk->within[i], walk->p));
    }
    json_object_set_new(object, "name",
                        acme_dump_string(node->directive, walk->p));
    text_set(object, node, walk->p);
    json_object_set_new(object, "within", within);
    json_array_append_new(walk->list, object);
}

static void walk_children(walk_t *walk, const ap_directive_t *section);

/* List node if it is of interest, or what is of it within. */
static void walk_node(walk_t *walk, const ap_directive_t *node)
{
    if (!is_section(node)) {
        if (is_listed(node)) {
            directive_add(walk, node);
        }
    }
    else if (node->first_child && walk->depth < DEPTH_MAX) {
        walk->within[walk->depth++] = section_text(node, walk->p);
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

static void main_note(acme_dump_tree_t *tree, const ap_directive_t *node,
                      apr_pool_t *p)
{
    json_t *object;

    if (strcasecmp(node->directive, "Listen") == 0) {
        object = json_object();
        text_set(object, node, p);
        json_array_append_new(tree->listen, object);
    }
    else if (strcasecmp(node->directive, "ServerName") == 0) {
        tree->named = 1;
    }
    else if (strcasecmp(node->directive, "SSLStaplingCache") == 0) {
        tree->stapling_cache = 1;
    }
}

void acme_dump_tree_read(acme_dump_tree_t *tree,
                         const apr_array_header_t *hosts, apr_pool_t *p)
{
    const ap_directive_t *node;
    walk_t walk = { NULL, { NULL }, 0, p };
    int i, next = 0;

    tree->directives = json_array();
    tree->listen = json_array();
    tree->named = tree->stapling_cache = 0;
    tree->hosts = apr_palloc(p, (hosts->nelts + 1) * sizeof(json_t *));
    for (i = 0; i < hosts->nelts; i++) {
        tree->hosts[i] = json_array();
    }
    for (node = ap_conftree; node; node = node->next) {
        if (strcasecmp(node->directive, "<VirtualHost") == 0) {
            i = host_of(node, hosts, &next);
            if (i >= 0) {
                walk.list = tree->hosts[i];
                walk_children(&walk, node);
            }
        }
        else {
            walk.list = tree->directives;
            walk_node(&walk, node);
            main_note(tree, node, p);
        }
    }
}
