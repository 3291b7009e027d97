/* A server as its dump tells of it, over a tree of files. */
#ifndef ACME_UNIT_CONFIGURATOR_SERVER_RIG_H
#define ACME_UNIT_CONFIGURATOR_SERVER_RIG_H

#include <errno.h>

#include "configurator/server.h"
#include "tree.h"

/** The document, and what is made of it. */
static json_t *document;
static configurator_options_t options;
static configurator_plan_t *plan;
static configurator_result_t result;

static inline json_t *rig_server(void)
{
    return json_object_get(document, "server");
}

/** Add to an array of the document's "server". */
static inline void rig_add(const char *array, json_t *entry)
{
    ck_assert_ptr_nonnull(entry);
    json_array_append_new(json_object_get(rig_server(), array), entry);
}

/** A server with this main file, that has loaded nothing of what matters
 *  and listens nowhere. */
static inline void rig_make(const char *config)
{
    document = json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:[], s:[], s:b, "
                         "s:{s:s, s:[], s:[]}, s:{s:i, s:i}}, "
                         "s:{s:b, s:b, s:b, s:b}, s:[], s:[]}",
        "server", "binary", "/usr/sbin/httpd", "root", tree,
        "config", tree_path(config), "modules_dir", tree_path("modules"),
        "pid_file", tree_path("run/httpd.pid"), "listeners", "listen",
        "stapling_cache", 0, "main", "server_name", "main.example",
        "aliases", "directives", "port_map", "http", 80, "https", 443,
        "modules", "ssl", 0, "headers", 0, "socache_shmcb", 0, "acme", 0,
        "virtual_hosts", "domains");
    ck_assert_ptr_nonnull(document);
    base_json_own(document, pool);
    memset(&options, 0, sizeof(options));
    options.module = tree_path("modules/mod_acme.so");
    tree_put("modules/mod_ssl.so", "");
    tree_put("modules/mod_headers.so", "");
    tree_put("modules/mod_socache_shmcb.so", "");
    tree_put("modules/mod_acme.so", "");
}

static inline void rig_loaded(const char *module)
{
    json_object_set_new(json_object_get(document, "modules"), module,
                        json_true());
}

/** A Listen directive and the listener it makes. @param file  nullable */
static inline void rig_listen(const char *args, const char *address,
                              int port, const char *file, int line)
{
    rig_add("listen", json_pack("{s:s, s:s?, s:o}", "args", args,
                                "file", file ? tree_path(file) : NULL,
                                "line", file ? json_integer(line)
                                             : json_null()));
    rig_add("listeners", json_pack("{s:s, s:i, s:n}", "address", address,
                                   "port", port, "protocol"));
}

/** A directive of the main server. @param within  nullable */
static inline void rig_directive(const char *name, const char *args,
                                 const char *file, int line,
                                 const char *within)
{
    json_t *sections = json_array();

    if (within) {
        json_array_append_new(sections, json_string(within));
    }
    json_array_append_new(
        json_object_get(json_object_get(rig_server(), "main"), "directives"),
        json_pack("{s:s, s:s, s:s, s:i, s:o}", "name", name, "args", args,
                  "file", tree_path(file), "line", line, "within",
                  sections));
}

/** Begin a plan. */
static inline void rig_plan(void)
{
    configurator_t *c;

    unit_ok(configurator_probe(&c, document, &options, &err, pool));
    unit_ok(configurator_plan(&plan, c, &err, pool));
}

/** Manage and finish it. @return what manage says: 1 if there is work */
static inline int rig_manage(void)
{
    int something = -1;

    unit_ok(configurator_manage(plan, &something, &err));
    unit_ok(configurator_finish(&result, plan, &err, pool));
    ck_assert_int_eq(something, result.changes->nelts > 0);
    return something;
}

/** Manage refuses. */
static inline void rig_refused(apr_status_t status, const char *says)
{
    int something = -1;

    unit_fails(configurator_manage(plan, &something, &err), status, says);
    base_err_clear(&err);
}

/** Changes as "op path>data|" of links, "op path|" of files; paths below
 *  the tree. */
static inline const char *rig_shown(const apr_array_header_t *changes)
{
    const char *all = "";
    int i;

    for (i = 0; i < changes->nelts; i++) {
        const journal_change_t *change = &APR_ARRAY_IDX(changes, i,
                                                        journal_change_t);

        ck_assert(strncmp(change->path, tree, strlen(tree)) == 0);
        all = apr_pstrcat(pool, all, journal_op_name(change->op), " ",
                          change->path + strlen(tree) + 1,
                          change->op == JOURNAL_SYMLINK ? ">" : "",
                          change->op == JOURNAL_SYMLINK ? change->data : "",
                          "|", NULL);
    }
    return all;
}

/** The new content of a file; the tree's path in it is "@". */
static inline const char *rig_content(const apr_array_header_t *changes,
                                      const char *name)
{
    const char *path = tree_path(name), *data = NULL, *at;
    int i;

    for (i = 0; i < changes->nelts; i++) {
        const journal_change_t *change = &APR_ARRAY_IDX(changes, i,
                                                        journal_change_t);

        if (strcmp(change->path, path) == 0) {
            data = change->data;
        }
    }
    ck_assert_msg(data != NULL, "%s is not changed", name);
    while ((at = strstr(data, tree)) != NULL) {
        data = apr_pstrcat(pool, apr_pstrmemdup(pool, data, at - data), "@",
                           at + strlen(tree), NULL);
    }
    return data;
}

#endif
