/*
 * layout.c: how a system loads modules. Where the Debian way is laid out it
 * is gone, link by link; elsewhere a LoadModule line is put where the others
 * are. Nothing is run: a2enmod may not be there, asks apachectl, and writes
 * by itself what has to go through the journal.
 */
#include "configurator/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_fnmatch.h>
#include <apr_lib.h>
#include <apr_strings.h>

#define LINE_MAX_BYTES 4096

static int is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static walk_line_t *walked(const walk_t *walk, int i)
{
    return APR_ARRAY_IDX(walk->lines, i, walk_line_t *);
}

static int is_include(const walk_line_t *line)
{
    return !line->commented && strncasecmp(line->name, "Include", 7) == 0;
}

static const char *first_word(const walk_line_t *line, int n)
{
    return line->words->nelts > n
           ? APR_ARRAY_IDX(line->words, n, const char *) : "";
}

/* ------------------------------------------------------------ find out */

/** The index among walk's lines of an Include that httpd reads and that
 *  includes the path; -1. */
static int find_include(const walk_t *walk, const char *path,
                        apr_pool_t *pool)
{
    const char *pattern;
    int i;

    for (i = 0; i < walk->lines->nelts; i++) {
        if (is_include(walked(walk, i))
            && walk_is_live(walk, walked(walk, i), NULL) != 0) {
            pattern = walk_pattern(walk, walked(walk, i), pool);
            if (pattern && apr_fnmatch(pattern, path, APR_FNM_PATHNAME
                                                      | APR_FNM_PERIOD)
                           == APR_SUCCESS) {
                return i;
            }
        }
    }
    return -1;
}

static int is_included(const walk_t *walk, const char *path,
                       apr_pool_t *pool)
{
    return find_include(walk, path, pool) >= 0;
}

int layout_included(const walk_t *walk, const layout_t *layout)
{
    return find_include(walk, layout->kind == LAYOUT_LINKS
                        ? apr_pstrcat(walk->pool, layout->enabled,
                                      "/acme.load", NULL)
                        : layout->snippet, walk->pool);
}

static int find_links(layout_t *layout, const walk_t *walk, apr_pool_t *pool)
{
    const char *dir = base_path_dir(walk->options.config, pool);

    layout->available = apr_pstrcat(pool, dir, "/mods-available", NULL);
    layout->enabled = apr_pstrcat(pool, dir, "/mods-enabled", NULL);
    layout->kind = LAYOUT_LINKS;
    return is_directory(layout->available) && is_directory(layout->enabled)
           && is_included(walk, apr_pstrcat(pool, layout->enabled,
                                            "/acme.load", NULL), pool)
           && is_included(walk, apr_pstrcat(pool, layout->enabled,
                                            "/acme.conf", NULL), pool);
}

/** A name for our snippet that the pattern includes; NULL. The numbers let
 *  it come late, behind the modules of the system. */
static const char *snippet_name(const char *pattern, const char *dir,
                                apr_pool_t *pool)
{
    static const char *const names[] = { "90-acme.conf", "900_mod_acme.conf",
                                         "acme.conf" };
    const char *path;
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        path = apr_pstrcat(pool, dir, "/", names[i], NULL);
        if (apr_fnmatch(pattern, path, APR_FNM_PATHNAME | APR_FNM_PERIOD)
            == APR_SUCCESS) {
            return path;
        }
    }
    return NULL;
}

static int find_directory(layout_t *layout, const walk_t *walk,
                          apr_pool_t *pool)
{
    int i;

    layout->kind = LAYOUT_DIRECTORY;
    for (i = 0; i < walk->lines->nelts; i++) {
        const walk_line_t *line = walked(walk, i);
        const char *pattern = is_include(line)
                              && walk_is_live(walk, line, NULL) == 1
                              ? walk_pattern(walk, line, pool) : NULL;
        const char *dir = pattern ? base_path_dir(pattern, pool) : "";
        apr_size_t len = strlen(dir);

        if (len > 10 && strcmp(dir + len - 9, "modules.d") == 0
            && strchr("/.", dir[len - 10]) && is_directory(dir)) {
            layout->snippet = snippet_name(pattern, dir, pool);
            if (layout->snippet) {
                return 1;
            }
        }
    }
    return 0;
}

layout_t *layout_find(const walk_t *walk, apr_pool_t *result_pool)
{
    layout_t *layout = apr_pcalloc(result_pool, sizeof(*layout));

    if (!find_links(layout, walk, result_pool)
        && !find_directory(layout, walk, result_pool)) {
        layout->kind = LAYOUT_MAIN;
    }
    return layout;
}

/* -------------------------------------------------------- the Debian way */

/** The words of a "# Depends:" or "# Conflicts:" line among the first
 *  comments of a .load file. */
static apr_array_header_t *needs(const char *path, const char *what,
                                 apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 4, sizeof(char *));
    const char *mark = apr_pstrcat(pool, "# ", what, ":", NULL);
    FILE *file = fopen(path, "re");
    char line[LINE_MAX_BYTES];
    char *state, *name, *start;

    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, mark, strlen(mark)) == 0) {
            start = apr_pstrdup(pool, line + strlen(mark));
            while ((name = apr_strtok(start, " \t\r\n", &state)) != NULL) {
                APR_ARRAY_PUSH(names, const char *) = name;
                start = NULL;
            }
            break;
        }
        if (line[strspn(line, " \t\r\n")] != '\0'
            && line[strspn(line, " \t")] != '#') {
            break;
        }
    }
    if (file) {
        fclose(file);
    }
    return names;
}

/** 1 if two paths are one file. */
static int is_same(const char *one, const char *other)
{
    struct stat a, b;

    return stat(one, &a) == 0 && stat(other, &b) == 0
           && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int is_link(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

apr_status_t layout_link(layout_links_t *links, const char *name,
                         acme_err_t *err, apr_pool_t *pool)
{
    const char *target = apr_pstrcat(pool, links->layout->available, "/",
                                     name, NULL);
    const char *path = apr_pstrcat(pool, links->layout->enabled, "/", name,
                                   NULL);
    layout_link_t *link;
    struct stat st;

    if (lstat(path, &st) != 0) {
        link = &APR_ARRAY_PUSH(links->links, layout_link_t);
        link->path = path;
        link->target = apr_pstrcat(pool, "../mods-available/", name, NULL);
        return APR_SUCCESS;
    }
    if (is_link(path) && is_same(path, target)) {
        return APR_SUCCESS;
    }
    return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                        "%s is there, but it is no link to %s: move it out "
                        "of the way", path, target);
}

/** The file that a .load file wants must be installed. */
static apr_status_t check_load(const char *load, const char *module,
                               const char *root, acme_err_t *err,
                               apr_pool_t *pool)
{
    acme_err_t ignored = { 0 };
    text_t *text;
    int i;

    if (text_read(&text, load, &ignored, pool) != APR_SUCCESS) {
        return base_err_set(err, ignored.status, BASE_EXIT_FAILED, "%s",
                            ignored.message);
    }
    for (i = 0; i < text->lines->nelts; i++) {
        const scan_line_t *line = &APR_ARRAY_IDX(text->lines, i,
                                                 scan_line_t);
        apr_array_header_t *words;
        const char *file;

        if (line->kind != SCAN_DIRECTIVE
            || strcasecmp(line->name, "LoadModule") != 0) {
            continue;
        }
        words = text_words(text, line, pool);
        file = words->nelts > 1 ? APR_ARRAY_IDX(words, 1, const char *) : "";
        if (*file && *file != '/') {
            file = apr_pstrcat(pool, root, "/", file, NULL);
        }
        if (!strstr(file, "${") && !is_file(file)) {
            return layout_missing(module, file, LAYOUT_OS_RELEASE, err,
                                  pool);
        }
    }
    return APR_SUCCESS;
}

static apr_status_t check_conflicts(const layout_links_t *links,
                                    const char *module, const char *load,
                                    acme_err_t *err, apr_pool_t *pool)
{
    apr_array_header_t *names = needs(load, "Conflicts", pool);
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        if (is_file(apr_pstrcat(pool, links->layout->enabled, "/", name,
                                ".load", NULL))) {
            return base_err_set(err, APR_EGENERAL, BASE_EXIT_FAILED,
                                "module %s cannot be enabled beside %s, "
                                "which is (%s): disable that one first "
                                "(a2dismod %s)", module, name, load, name);
        }
    }
    return APR_SUCCESS;
}

apr_status_t layout_enable(layout_links_t *links, const char *module,
                           acme_err_t *err, apr_pool_t *result_pool)
{
    const char *load = apr_pstrcat(result_pool, links->layout->available,
                                   "/", module, ".load", NULL);
    const char *conf = apr_pstrcat(result_pool, links->layout->available,
                                   "/", module, ".conf", NULL);
    apr_array_header_t *names;
    int i;

    if (base_list_has(links->modules, module)) {
        return APR_SUCCESS;
    }
    if (!is_file(load)) {
        return layout_missing(module, load, LAYOUT_OS_RELEASE, err,
                              result_pool);
    }
    /* Noted before its dependencies: a circle of them ends. */
    APR_ARRAY_PUSH(links->modules, const char *) = module;
    names = needs(load, "Depends", result_pool);
    for (i = 0; i < names->nelts; i++) {
        if (layout_enable(links, APR_ARRAY_IDX(names, i, const char *), err,
                          result_pool) != APR_SUCCESS) {
            return base_err_wrap(err, "module %s needs another", module);
        }
    }
    if (check_conflicts(links, module, load, err, result_pool)
        != APR_SUCCESS
        || check_load(load, module, links->root, err, result_pool)
           != APR_SUCCESS
        || (is_file(conf)
            && layout_link(links, apr_pstrcat(result_pool, module, ".conf",
                                              NULL), err, result_pool)
               != APR_SUCCESS)) {
        return err->status;
    }
    return layout_link(links, apr_pstrcat(result_pool, module, ".load", NULL),
                       err, result_pool);
}

/* --------------------------------------------------------- LoadModule */

const walk_line_t *layout_line(const walk_t *walk, const char *module,
                               int commented)
{
    int i;

    for (i = 0; i < walk->lines->nelts; i++) {
        const walk_line_t *line = walked(walk, i);
        int live;

        if (line->commented == commented
            && strcasecmp(line->name, "LoadModule") == 0
            && strcmp(first_word(line, 0),
                      apr_pstrcat(walk->pool, module, "_module", NULL))
               == 0) {
            live = walk_is_live(walk, line, NULL);
            if (live == 1 || (live && !commented)) {
                return line;
            }
        }
    }
    return NULL;
}

static const scan_line_t *scanned(const text_t *text, int i)
{
    return &APR_ARRAY_IDX(text->lines, i, scan_line_t);
}

/** Index of the line behind line i and all sections around it; -1. */
static int behind(const text_t *text, int i)
{
    while (scanned(text, i)->parent >= 0) {
        i = scanned(text, i)->parent;
    }
    if (scanned(text, i)->kind == SCAN_OPEN) {
        i = scanned(text, i)->mate;
    }
    return i + 1 < text->lines->nelts ? i + 1 : -1;
}

int layout_place(const walk_t *walk)
{
    const text_t *main = walk->main;
    int i, last = -1, first = -1;

    for (i = 0; i < main->lines->nelts; i++) {
        const scan_line_t *line = scanned(main, i);

        if (line->kind == SCAN_DIRECTIVE
            && strcasecmp(line->name, "LoadModule") == 0) {
            last = i;
        }
        if (first < 0 && line->depth == 0
            && (line->kind == SCAN_OPEN
                || (line->kind == SCAN_DIRECTIVE
                    && strcasecmp(line->name, "Listen") == 0))) {
            first = i;
        }
    }
    return last >= 0 ? behind(main, last) : first;
}

const char *layout_spelling(const walk_t *walk, const char *file,
                            apr_pool_t *pool)
{
    const char *dir = base_path_dir(file, pool);
    int i;

    for (i = walk->lines->nelts - 1; i >= 0; i--) {
        const walk_line_t *line = walked(walk, i);
        const char *path = first_word(line, 1);

        if (strcasecmp(line->name, "LoadModule") == 0 && *path
            && *path != '/' && !strstr(path, "${") && strchr(path, '/')
            && is_same(walk_path(walk, base_path_dir(path, pool), pool),
                       dir)) {
            return apr_pstrcat(pool, base_path_dir(path, pool),
                               strrchr(file, '/'), NULL);
        }
    }
    return file;
}

/* -------------------------------------------------------------- package */

/** Packages by what os-release says of a system. */
static const struct {
    const char *system;
    const char *module;     /* "": any other */
    const char *package;
} packages[] = {
    { "debian", "", "apache2" },
    { "ubuntu", "", "apache2" },
    { "rhel", "ssl", "mod_ssl" },
    { "rhel", "", "httpd" },
    { "centos", "ssl", "mod_ssl" },
    { "centos", "", "httpd" },
    { "fedora", "ssl", "mod_ssl" },
    { "fedora", "", "httpd-core" },
    { "suse", "", "apache2" },
    { "sles", "", "apache2" },
    { "arch", "", "apache" },
    { "alpine", "ssl", "apache2-ssl" },
    { "alpine", "", "apache2" },
    { "gentoo", "", "www-servers/apache" },
    { "freebsd", "", "apache24" }
};

/** The words of ID and ID_LIKE, with a blank before and behind each. */
static const char *system_names(const char *os_release, apr_pool_t *pool)
{
    FILE *file = fopen(os_release, "re");
    const char *id = "", *like = "";
    char line[LINE_MAX_BYTES];
    char *value, *c;

    while (file && fgets(line, sizeof(line), file)) {
        value = strchr(line, '=');
        for (c = value ? value : line; *c; c++) {
            *c = strchr("=\"'\r\n", *c) ? ' ' : *c;
        }
        if (value && strncmp(line, "ID ", 3) == 0) {
            id = apr_pstrdup(pool, value);
        }
        else if (value && strncmp(line, "ID_LIKE ", 8) == 0) {
            like = apr_pstrdup(pool, value);
        }
    }
    if (file) {
        fclose(file);
    }
    return apr_pstrcat(pool, " ", id, " ", like, " ", NULL);
}

static const char *find_package(const char *module, const char *os_release,
                                apr_pool_t *pool)
{
    const char *names = system_names(os_release, pool);
    apr_size_t i;

    for (i = 0; i < sizeof(packages) / sizeof(packages[0]); i++) {
        if (strstr(names, apr_pstrcat(pool, " ", packages[i].system, " ",
                                      NULL))
            && (!*packages[i].module
                || strcmp(packages[i].module, module) == 0)) {
            return packages[i].package;
        }
    }
    return NULL;
}

apr_status_t layout_missing(const char *module, const char *file,
                            const char *os_release, acme_err_t *err,
                            apr_pool_t *scratch_pool)
{
    const char *package = strcmp(module, "acme") == 0 ? "mod_acme"
                          : find_package(module, os_release, scratch_pool);

    return package
        ? base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                       "httpd's module %s is not installed (there is no "
                       "%s): install the package %s", module, file, package)
        : base_err_set(err, APR_ENOENT, BASE_EXIT_FAILED,
                       "httpd's module %s is not installed (there is no "
                       "%s): install it, or build httpd with it", module,
                       file);
}
