/*
 * modules.c: plan that a module is loaded, the way the system does it.
 *
 *     LINKS        links in mods-enabled/, as a2enmod makes them; for mod_acme
 *                  the .load file they point to as well, where it is missing
 *     any          a "#LoadModule ..." line that waits for it loses its mark
 *     DIRECTORY    one snippet of our own among those of the system
 *     MAIN         LoadModule lines behind the last one of the main file
 *
 * What loads mod_acme is early: a certificate can be ordered only when it
 * is live. So is what the server says of it, which settings.c puts there.
 */
#include "configurator/internal.h"
#include "configurator/server.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <apr_strings.h>

#define SNIPPET_HEAD "# Modules that acmectl loads.\n"

/** The file of a module: beside the others. */
static const char *module_file(const configurator_plan_t *plan,
                               const char *name)
{
    const char *own = plan->c->options->module;
    const char *dir = json_string_value(json_object_get(
        server_of(plan->c), "modules_dir"));

    if (strcmp(name, "acme") == 0 && own) {
        return own;
    }
    if (!dir) {
        dir = own ? base_path_dir(own, plan->pool) : "/";
    }
    return apr_pstrcat(plan->pool, dir, "/mod_", name, ".so", NULL);
}

static apr_status_t check_file(const configurator_plan_t *plan,
                               const char *name, acme_err_t *err)
{
    const char *file = module_file(plan, name);

    return access(file, F_OK) == 0 ? APR_SUCCESS
           : layout_missing(name, file, LAYOUT_OS_RELEASE, err, plan->pool);
}

layout_links_t server_links_new(const server_plan_t *server)
{
    apr_pool_t *pool = server->plan->pool;
    layout_links_t links = { 0 };

    links.layout = server->layout;
    links.root = server->walk->options.root;
    links.links = apr_array_make(pool, 4, sizeof(layout_link_t));
    links.modules = apr_array_make(pool, 4, sizeof(char *));
    return links;
}

/** "LoadModule ssl_module modules/mod_ssl.so". */
static const char *load_line(const server_plan_t *server, const char *name)
{
    apr_pool_t *pool = server->plan->pool;
    const char *path = layout_spelling(server->walk,
                                       module_file(server->plan, name),
                                       pool);
    const char *quoted = text_quote(path, pool);

    return apr_psprintf(pool, "LoadModule %s_module %s", name,
                        quoted ? quoted : path);
}

static int is_acme(const char *name)
{
    return strcmp(name, "acme") == 0;
}

/* ---------------------------------------------------------------- wanted */

static int is_there(const configurator_t *c, const char *name)
{
    const json_t *json = json_object_get(json_object_get(c->config,
                                                         "modules"), name);

    /* Who says nothing of mod_acme has been told by it. */
    return json ? json_is_true(json) : is_acme(name);
}

static void want(server_plan_t *server, const char *name)
{
    if (!is_there(server->plan->c, name)
        && !base_list_has(server->wanted, name)) {
        APR_ARRAY_PUSH(server->wanted, const char *) = name;
    }
}

void modules_wanted(server_plan_t *server)
{
    /* An order that does not hang on a hash. */
    static const char *const known[] = { "socache_shmcb", "ssl", "headers",
                                         NULL };
    configurator_plan_t *plan = server->plan;
    apr_hash_index_t *hi;
    int i;

    if (plan->stapling_cache) {
        want(server, "socache_shmcb");
    }
    for (i = 0; known[i]; i++) {
        if (apr_hash_get(plan->modules, known[i], APR_HASH_KEY_STRING)) {
            want(server, known[i]);
        }
    }
    for (hi = apr_hash_first(plan->pool, plan->modules); hi;
         hi = apr_hash_next(hi)) {
        want(server, apr_hash_this_key(hi));
    }
    if (plan->acme) {
        want(server, "acme");
    }
}

/** Once mod_ssl is there its settings are read: a session cache of shmcb
 *  needs the module that keeps it. */
static void want_session_cache(server_plan_t *server)
{
    const walk_t *walk = server->walk;
    int i;

    if (!base_list_has(server->wanted, "ssl")) {
        return;
    }
    for (i = 0; i < walk->lines->nelts; i++) {
        const walk_line_t *line = APR_ARRAY_IDX(walk->lines, i,
                                                walk_line_t *);

        if (strcasecmp(line->name, "SSLSessionCache") == 0
            && line->words->nelts
            && strncasecmp(APR_ARRAY_IDX(line->words, 0, const char *),
                           "shmcb", 5) == 0
            && walk_is_live(walk, line, server->wanted)) {
            want(server, "socache_shmcb");
        }
    }
}

/** Of the lines of the walk, the first that is read when mod_ssl is there
 *  that these changes load. */
static void note_ssl(server_plan_t *server, const walk_line_t *waiting)
{
    const walk_t *walk = server->walk;

    if (waiting) {
        server->ssl_from = walk_index(walk, waiting->text->path,
                                      APR_ARRAY_IDX(waiting->text->lines,
                                                    waiting->line,
                                                    scan_line_t).last);
    }
    else if (server->layout->kind == LAYOUT_MAIN) {
        server->ssl_from = walk_behind(walk, layout_place(walk));
    }
    else {
        server->ssl_from = layout_included(walk, server->layout);
    }
}

/* ----------------------------------------------------------------- links */

/* Whatever needs a module is not live before it: hosts come later. */
static void add_link(configurator_plan_t *plan, const layout_link_t *link,
                     int early)
{
    journal_change_t change = { 0 };

    change.op = JOURNAL_SYMLINK;
    change.step = JOURNAL_STEP_PORTS;
    change.path = link->path;
    change.data = link->target;
    change.len = strlen(link->target);
    plan_add(plan, &change);
    if (early) {
        plan_add_early(plan, &change);
    }
}

void server_links(configurator_plan_t *plan, const layout_links_t *links,
                  int from, int early)
{
    int i;

    for (i = from; i < links->links->nelts; i++) {
        add_link(plan, &APR_ARRAY_IDX(links->links, i, layout_link_t),
                 early);
    }
}

/** mod_acme, of which the system's package may know nothing. */
static apr_status_t link_acme(server_plan_t *server, layout_links_t *links,
                              acme_err_t *err)
{
    configurator_plan_t *plan = server->plan;
    const layout_t *layout = server->layout;
    const char *load = apr_pstrcat(plan->pool, layout->available,
                                   "/acme.load", NULL);
    const char *line;

    if (access(load, F_OK) == 0) {
        return layout_enable(links, "acme", err, plan->pool);
    }
    if (check_file(plan, "acme", err) != APR_SUCCESS) {
        return err->status;
    }
    line = apr_pstrcat(plan->pool, load_line(server, "acme"), "\n", NULL);
    server_create(plan, load, JOURNAL_STEP_UNUSED, line, line);
    plan_step(plan, "create %s, to load mod_acme", load);
    APR_ARRAY_PUSH(links->modules, const char *) = "acme";
    return layout_link(links, "acme.load", err, plan->pool);
}

static apr_status_t load_by_links(server_plan_t *server, acme_err_t *err)
{
    configurator_plan_t *plan = server->plan;
    layout_links_t links = server_links_new(server);
    int i, done;

    if (base_list_has(server->wanted, "ssl")) {
        note_ssl(server, NULL);
    }
    for (i = 0; i < server->wanted->nelts; i++) {
        const char *name = APR_ARRAY_IDX(server->wanted, i, const char *);
        apr_status_t rv;

        done = links.links->nelts;
        rv = is_acme(name) ? link_acme(server, &links, err)
             : layout_enable(&links, name, err, plan->pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        server_links(plan, &links, done, is_acme(name));
        plan_step(plan, "enable the module %s by links in %s", name,
                  server->layout->enabled);
    }
    for (i = 0; i < links.modules->nelts; i++) {
        const char *name = APR_ARRAY_IDX(links.modules, i, const char *);

        if (!base_list_has(server->wanted, name)) {
            APR_ARRAY_PUSH(server->wanted, const char *) = name;
        }
    }
    return APR_SUCCESS;
}

/* ------------------------------------------------------------ LoadModule */

/** Take the mark away from the line that waits for it. */
static apr_status_t uncomment(server_plan_t *server, const char *name,
                              const walk_line_t *line, acme_err_t *err)
{
    configurator_plan_t *plan = server->plan;
    apr_array_header_t *lines = apr_array_make(plan->pool, 8,
                                               sizeof(char *));
    const char *path = text_quote(APR_ARRAY_IDX(line->words, 1,
                                                const char *), plan->pool);
    plan_file_t *file;

    APR_ARRAY_PUSH(lines, const char *) =
        apr_psprintf(plan->pool, "LoadModule %s_module %s", name, path);
    if (is_acme(name)) {
        server_take_settings(server, lines, line->text->path);
    }
    if (server_file(&file, plan, line->text->path, JOURNAL_STEP_PORTS,
                    lines, err) != APR_SUCCESS
        || server_insert(plan, file, line->line, lines, is_acme(name), err)
           != APR_SUCCESS
        || server_remove(plan, file, line->line, is_acme(name), err)
           != APR_SUCCESS) {
        return err->status;
    }
    plan_step(plan, "uncomment LoadModule %s_module in %s:%d", name,
              file->text->path, APR_ARRAY_IDX(file->text->lines, line->line,
                                              scan_line_t).last);
    return APR_SUCCESS;
}

/** The commented line of a module whose file is there; NULL. */
static const walk_line_t *waiting_line(const server_plan_t *server,
                                       const char *name)
{
    const walk_line_t *line = layout_line(server->walk, name, 1);
    apr_pool_t *pool = server->plan->pool;
    const char *path;

    if (!line) {
        return NULL;
    }
    path = APR_ARRAY_IDX(line->words, 1, const char *);
    return text_quote(path, pool)
           && access(walk_path(server->walk, path, pool), F_OK) == 0
           ? line : NULL;
}

/** Lines in a file, those that are early apart. */
static apr_status_t put_lines(server_plan_t *server, const char *path,
                              int place, const apr_array_header_t *lines,
                              const apr_array_header_t *early,
                              acme_err_t *err)
{
    configurator_plan_t *plan = server->plan;
    plan_file_t *file;

    if (server_file(&file, plan, path, JOURNAL_STEP_PORTS,
                    apr_array_append(plan->pool, lines, early), err)
        != APR_SUCCESS
        || (lines->nelts
            && server_insert(plan, file, place, lines, 0, err)
               != APR_SUCCESS)) {
        return err->status;
    }
    return early->nelts ? server_insert(plan, file, place, early, 1, err)
                        : APR_SUCCESS;
}

/** The text of our snippet; NULL without lines. */
static const char *snippet_text(const apr_array_header_t *lines,
                                apr_pool_t *pool)
{
    return lines->nelts ? apr_pstrcat(pool, SNIPPET_HEAD,
                                      apr_array_pstrcat(pool, lines, '\n'),
                                      "\n", NULL) : NULL;
}

/** Our own snippet, new or with more in it. */
static apr_status_t put_snippet(server_plan_t *server,
                                apr_array_header_t *lines,
                                const apr_array_header_t *early,
                                acme_err_t *err)
{
    configurator_plan_t *plan = server->plan;
    const char *path = server->layout->snippet;

    if (access(path, F_OK) == 0) {
        return put_lines(server, path, -1, lines, early, err);
    }
    apr_array_cat(lines, early);
    server_create(plan, path, JOURNAL_STEP_PORTS,
                  snippet_text(lines, plan->pool),
                  snippet_text(early, plan->pool));
    return APR_SUCCESS;
}

static apr_status_t load_by_lines(server_plan_t *server, acme_err_t *err)
{
    configurator_plan_t *plan = server->plan;
    apr_array_header_t *lines = apr_array_make(plan->pool, 4,
                                               sizeof(char *));
    apr_array_header_t *early = apr_array_make(plan->pool, 4,
                                               sizeof(char *));
    int is_main = server->layout->kind == LAYOUT_MAIN;
    const char *path = is_main ? server->walk->main->path
                               : server->layout->snippet;
    int i;

    for (i = 0; i < server->wanted->nelts; i++) {
        const char *name = APR_ARRAY_IDX(server->wanted, i, const char *);
        const walk_line_t *line = waiting_line(server, name);
        apr_status_t rv = line ? uncomment(server, name, line, err)
                          : check_file(plan, name, err);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (strcmp(name, "ssl") == 0) {
            note_ssl(server, line);
        }
        if (!line) {
            APR_ARRAY_PUSH(is_acme(name) ? early : lines, const char *)
                = load_line(server, name);
            plan_step(plan, "add LoadModule %s_module to %s", name, path);
        }
    }
    if (early->nelts) {
        server_take_settings(server, early, path);
    }
    if (lines->nelts == 0 && early->nelts == 0) {
        return APR_SUCCESS;
    }
    return is_main ? put_lines(server, path, layout_place(server->walk),
                               lines, early, err)
                   : put_snippet(server, lines, early, err);
}

apr_status_t modules_load(server_plan_t *server, acme_err_t *err)
{
    const walk_line_t *ssl = layout_line(server->walk, "ssl", 0);

    want_session_cache(server);
    if (ssl) {
        note_ssl(server, ssl);
    }
    if (server->wanted->nelts == 0) {
        return APR_SUCCESS;
    }
    return server->layout->kind == LAYOUT_LINKS
           ? load_by_links(server, err) : load_by_lines(server, err);
}
