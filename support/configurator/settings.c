/*
 * settings.c: directives for the whole server: what acmectl was told of the
 * CA, and a cache for OCSP responses.
 *
 * They go where a reader looks for them: behind the last of their kind;
 * else Debian's way into mods-available/acme.conf; else behind the line
 * that loads mod_acme; else at the end of the main file.
 */
#include "configurator/server.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <apr_strings.h>

#define CONF_HEAD "# mod_acme: settings of the whole server.\n"

/* Bytes for OCSP responses, of some 2 KiB each. */
#define STAPLING_CACHE_SIZE 131072

/* ------------------------------------------------------------------ said */

/** The directive of that name that counts for the whole server: the last
 *  one outside of sections; NULL. */
static const directive_t *said(const configurator_t *c, const char *name)
{
    const directive_t *found = NULL;
    int i = -1;

    while ((i = host_directive(c->main, name, i + 1)) >= 0) {
        const directive_t *one = &APR_ARRAY_IDX(c->main->directives, i,
                                                directive_t);

        if (!*one->within) {
            found = one;
        }
    }
    return found;
}

static const char *without_mailto(const char *contact)
{
    return strncasecmp(contact, "mailto:", 7) == 0 ? contact + 7 : contact;
}

/** 1 if two arguments of that directive mean the same. */
static int is_equal(const configurator_t *c, const char *name,
                    const char *one, const char *other)
{
    const char *root = json_string_value(json_object_get(server_of(c),
                                                         "root"));

    if (strcmp(name, "ACMEContact") == 0) {
        return strcmp(without_mailto(one), without_mailto(other)) == 0;
    }
    if (strcmp(name, "ACMECACertificateFile") == 0) {
        apr_size_t len = strlen(root);

        one += strncmp(one, root, len) == 0 && one[len] == '/' ? len + 1 : 0;
        other += strncmp(other, root, len) == 0 && other[len] == '/'
                 ? len + 1 : 0;
    }
    return strcmp(one, other) == 0;
}

/** Note a directive, unless the server says it already. */
static apr_status_t say(configurator_plan_t *plan, const char *name,
                        const char *value, acme_err_t *err)
{
    const directive_t *there = said(plan->c, name);
    const char *quoted = text_quote(value, plan->pool);
    const char *line;
    apr_array_header_t *words;

    if (!quoted) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_USAGE,
                            "\"%s\" cannot be an argument of %s: it has a "
                            "line break or ${ in it", value, name);
    }
    line = apr_pstrcat(plan->pool, name, " ", quoted, NULL);
    if (there) {
        words = directive_words(there, plan->pool);
        if (words->nelts
            && is_equal(plan->c, name, value,
                        APR_ARRAY_IDX(words, 0, const char *))) {
            return APR_SUCCESS;
        }
        return plan_refuse(plan, line, err, "%s:%d says \"%s %s\", not "
                           "\"%s\": change that line, or ask for what it "
                           "says", *there->file ? there->file
                           : "the command line", there->line, there->name,
                           there->args, line);
    }
    APR_ARRAY_PUSH(plan->settings, const char *) = line;
    plan->acme = 1;
    return APR_SUCCESS;
}

/** 1 if a line is noted. */
static int is_noted(const configurator_plan_t *plan, const char *name)
{
    apr_size_t len = strlen(name);
    int i;

    for (i = 0; i < plan->settings->nelts; i++) {
        const char *line = APR_ARRAY_IDX(plan->settings, i, const char *);

        if (strncmp(line, name, len) == 0 && line[len] == ' ') {
            return 1;
        }
    }
    return 0;
}

apr_status_t configurator_settings(configurator_plan_t *plan, int *presult,
                                   const configurator_settings_t *settings,
                                   acme_err_t *err)
{
    const struct {
        const char *name;
        const char *value;
    } wished[] = {
        { "ACMEAgreement", settings->agreement ? "accepted" : NULL },
        { "ACMECertificateAuthority", settings->ca },
        { "ACMECACertificateFile", settings->ca_certificate_file },
        { "ACMEContact", settings->contact }
    };
    int before = plan->settings->nelts;
    apr_size_t i;

    for (i = 0; i < sizeof(wished) / sizeof(wished[0]); i++) {
        if (wished[i].value && !is_noted(plan, wished[i].name)
            && say(plan, wished[i].name, wished[i].value, err)
               != APR_SUCCESS) {
            return err->status;
        }
    }
    *presult = plan->settings->nelts > before;
    return APR_SUCCESS;
}

/* ------------------------------------------------------------------- put */

/** The line of a directive that the dump tells of: index; -1. */
static int line_of(const text_t *text, const char *name, int last)
{
    int i;

    for (i = 0; i < text->lines->nelts; i++) {
        const scan_line_t *line = &APR_ARRAY_IDX(text->lines, i,
                                                 scan_line_t);

        if (line->last == last && line->kind == SCAN_DIRECTIVE
            && strcasecmp(line->name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static int behind(const text_t *text, int line)
{
    return line + 1 < text->lines->nelts ? line + 1 : -1;
}

/** Put the settings behind a line. */
static apr_status_t put_behind(server_plan_t *server, const char *path,
                               const char *name, int last, acme_err_t *err)
{
    apr_array_header_t *lines = apr_array_make(server->plan->pool, 4,
                                               sizeof(char *));
    plan_file_t *file;
    int line;

    server_take_settings(server, lines, path);
    if (server_file(&file, server->plan, path, JOURNAL_STEP_PORTS, lines,
                    err) != APR_SUCCESS) {
        return err->status;
    }
    line = line_of(file->text, name, last);
    if (line < 0) {
        return plan_refuse(server->plan, NULL, err, "%s:%d is not the %s "
                           "that httpd has read there: the file has changed "
                           "since", path, last, name);
    }
    return server_insert(server->plan, file, behind(file->text, line),
                         lines, 0, err);
}

/** The last directive of mod_acme's outside of sections; NULL. Those that
 *  name domains are no settings. */
static const directive_t *last_setting(const configurator_t *c)
{
    const directive_t *found = NULL;
    int i;

    for (i = 0; i < c->main->directives->nelts; i++) {
        const directive_t *one = &APR_ARRAY_IDX(c->main->directives, i,
                                                directive_t);

        if (strncmp(one->name, "ACME", 4) == 0 && !*one->within
            && *one->file && strcasecmp(one->name, "ACMEDomain") != 0) {
            found = one;
        }
    }
    return found;
}

/** The text of a new file of such lines. */
static const char *file_text(const apr_array_header_t *lines,
                             apr_pool_t *pool)
{
    const char *text = CONF_HEAD;
    int i;

    for (i = 0; i < lines->nelts; i++) {
        const char *line = APR_ARRAY_IDX(lines, i, const char *);

        text = apr_pstrcat(pool, text, *line == '<' ? "" : "    ", line,
                           "\n", NULL);
    }
    return text;
}

/** The end of a file. */
static apr_status_t put_end(server_plan_t *server, const char *path,
                            const apr_array_header_t *lines, int early,
                            acme_err_t *err)
{
    plan_file_t *file;
    apr_status_t rv = APR_SUCCESS;

    if (lines->nelts) {
        rv = server_file(&file, server->plan, path, JOURNAL_STEP_PORTS,
                         lines, err);
    }
    return rv == APR_SUCCESS && lines->nelts
           ? server_insert(server->plan, file, -1, lines, early, err) : rv;
}

/** Debian's way: the module's .conf. Of new settings only what is said of
 *  a new mod_acme is early: httpd 2.4.71 ends when a restart takes the
 *  cache away, and what is early may go again. */
static apr_status_t put_conf(server_plan_t *server, const char *path,
                             const apr_array_header_t *settings,
                             const apr_array_header_t *cache,
                             acme_err_t *err)
{
    configurator_plan_t *plan = server->plan;
    layout_links_t links = server_links_new(server);
    apr_array_header_t *all = apr_array_append(plan->pool, settings, cache);
    int early = settings->nelts && base_list_has(server->wanted, "acme");
    apr_status_t rv;

    if (access(path, F_OK) != 0) {
        server_create(plan, path, JOURNAL_STEP_UNUSED,
                      file_text(all, plan->pool),
                      early ? file_text(settings, plan->pool) : NULL);
        rv = APR_SUCCESS;
    }
    else {
        rv = put_end(server, path, settings, early, err);
        if (rv == APR_SUCCESS) {
            rv = put_end(server, path, cache, 0, err);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = layout_link(&links, "acme.conf", err, plan->pool);
    }
    server_links(plan, &links, 0, early);
    return rv;
}

/* -------------------------------------------------------------- stapling */

/** Where the cache may be made: beside the pid file, whose directory is
 *  there and httpd's to write. */
static const char *stapling_line(const server_plan_t *server)
{
    apr_pool_t *pool = server->plan->pool;
    const char *pid_file = json_string_value(json_object_get(
        server_of(server->plan->c), "pid_file"));
    const char *dir = server->layout->kind == LAYOUT_LINKS
                      && getenv("APACHE_RUN_DIR")
                      ? "${APACHE_RUN_DIR}" : base_path_dir(pid_file, pool);
    const char *value = apr_psprintf(pool, "shmcb:%s/ssl_stapling(%d)", dir,
                                     STAPLING_CACHE_SIZE);
    const char *quoted = text_quote(value, pool);

    return apr_pstrcat(pool, "SSLStaplingCache ", quoted ? quoted : value,
                       NULL);
}

/** 1 if some line makes such a cache once mod_ssl is there. */
static int has_cache(const server_plan_t *server)
{
    const walk_t *walk = server->walk;
    int i;

    for (i = 0; i < walk->lines->nelts; i++) {
        const walk_line_t *line = APR_ARRAY_IDX(walk->lines, i,
                                                walk_line_t *);

        if (strcasecmp(line->name, "SSLStaplingCache") == 0
            && walk_is_live(walk, line, server->wanted) == 1) {
            return 1;
        }
    }
    return 0;
}

/** All that goes into sections: settings that have no better place, and
 *  the cache. Elsewhere than on Debian they end the main file: behind all
 *  that loads a module. */
static apr_status_t put_sections(server_plan_t *server, acme_err_t *err)
{
    configurator_plan_t *plan = server->plan;
    apr_array_header_t *settings = apr_array_make(plan->pool, 4,
                                                  sizeof(char *));
    apr_array_header_t *cache = apr_array_make(plan->pool, 4,
                                               sizeof(char *));
    int is_links = server->layout->kind == LAYOUT_LINKS;
    const char *path = is_links
        ? apr_pstrcat(plan->pool, server->layout->available, "/acme.conf",
                      NULL)
        : server->walk->main->path;

    if (server->settings->nelts) {
        server_take_settings(server, settings, path);
        settings = server_wrap("acme_module", settings);
    }
    if (plan->stapling_cache && !has_cache(server)) {
        APR_ARRAY_PUSH(cache, const char *) = stapling_line(server);
        cache = server_wrap("ssl_module", cache);
        plan_step(plan, "add SSLStaplingCache to %s", path);
    }
    if (settings->nelts == 0 && cache->nelts == 0) {
        return APR_SUCCESS;
    }
    return is_links ? put_conf(server, path, settings, cache, err)
           : put_end(server, path,
                     apr_array_append(plan->pool, settings, cache), 0, err);
}

apr_status_t settings_put(server_plan_t *server, acme_err_t *err)
{
    const directive_t *last = last_setting(server->plan->c);
    const walk_line_t *load = layout_line(server->walk, "acme", 0);
    apr_status_t rv = APR_SUCCESS;

    if (server->settings->nelts && last) {
        rv = put_behind(server, last->file, last->name, last->line, err);
    }
    else if (server->settings->nelts && load
             && server->layout->kind != LAYOUT_LINKS) {
        rv = put_behind(server, load->text->path, load->name,
                        APR_ARRAY_IDX(load->text->lines, load->line,
                                      scan_line_t).last, err);
    }
    return rv == APR_SUCCESS ? put_sections(server, err) : rv;
}
