/*
 * server.h: what the files of this room know of the server as a whole: its
 * files in the order in which httpd reads them, how its system loads a
 * module, its ports, and files that somebody else writes. Inside this room
 * only.
 */
#ifndef ACME_CONFIGURATOR_SERVER_H
#define ACME_CONFIGURATOR_SERVER_H

#include "configurator/internal.h"

/* ----------------------------------------------------------------- walk */

/** A line of some file, and the Include that led to the file. */
typedef struct walk_line_t {
    const text_t *text;
    int line;                       /**< index into text->lines */
    const char *name;               /**< of the directive; of one that is
                                         commented out, too */
    apr_array_header_t *words;      /**< const char *: its arguments */
    int commented;                  /**< 1: "#LoadModule ..." */
    const struct walk_line_t *via;  /**< NULL: the main file */
} walk_line_t;

/** What to walk over. Borrowed. */
typedef struct walk_options_t {
    const char *config;             /**< the main file */
    const char *root;               /**< ServerRoot, absolute */
    const apr_array_header_t *defines;  /**< const char *: -D; nullable */
    const json_t *modules;          /**< of DUMP_ACME: name: bool */
} walk_options_t;

/** The files of a configuration as text. */
typedef struct walk_t {
    walk_options_t options;
    apr_array_header_t *lines;      /**< walk_line_t *: Include, LoadModule,
                                         Listen, SSLSessionCache,
                                         SSLStaplingCache; in httpd's order
                                         */
    apr_array_header_t *directories;    /**< const char *: included as such,
                                             with all that is in them */
    const text_t *main;
    apr_hash_t *defines;            /**< name: value, "" without one */
    int files;                      /**< read so far */
    apr_pool_t *pool;
} walk_t;

/**
 * Read the files of a configuration: the main one, and what is included,
 * whatever conditions stand around it. What cannot be read is left out:
 * httpd has read it all just before, and its dump is the truth; this is
 * for lines that the dump cannot have.
 * Source: httpd's server/config.c; ours.
 *
 * @return the error of reading the main file
 */
apr_status_t walk_run(walk_t **pwalk, const walk_options_t *options,
                      acme_err_t *err, apr_pool_t *result_pool);

/**
 * Does httpd read this line?
 *
 * @param loaded  nullable; const char *: short names of modules that are to
 *                be loaded besides those that are
 * @return 1, 0, or -1: it cannot be told
 */
int walk_is_live(const walk_t *walk, const walk_line_t *line,
                 const apr_array_header_t *loaded);

/** How many directories up from dir there is one that httpd does not
 *  include as such. */
int walk_bare_levels(const walk_t *walk, const char *dir,
                     apr_pool_t *scratch_pool);

/** The index among walk's lines of the one that ends in line last of a file;
 *  -1. */
int walk_index(const walk_t *walk, const char *path, int last);

/** The index among walk's lines of the first that is read behind a place in
 *  the main file: the line of that index, or -1 for its end. */
int walk_behind(const walk_t *walk, int place);

/** The pattern of an Include line, absolute; NULL if a variable is not
 *  known. */
const char *walk_pattern(const walk_t *walk, const walk_line_t *line,
                         apr_pool_t *pool);

/** A path as httpd takes it: below ServerRoot if it is relative. */
const char *walk_path(const walk_t *walk, const char *path,
                      apr_pool_t *pool);

/* --------------------------------------------------------------- layout */

typedef enum layout_kind_t {
    LAYOUT_LINKS,       /**< Debian's: mods-available/, mods-enabled/ */
    LAYOUT_DIRECTORY,   /**< a directory of snippets that load modules:
                             conf.modules.d/, modules.d/ */
    LAYOUT_MAIN         /**< LoadModule lines in the main file */
} layout_kind_t;

/** How this system loads modules. */
typedef struct layout_t {
    layout_kind_t kind;
    const char *available;      /**< LINKS: the directories, absolute */
    const char *enabled;
    const char *snippet;        /**< DIRECTORY: the file for ours, which may
                                     be there already */
} layout_t;

/** Find out. Source: Debian's, Fedora's and FreeBSD's packages; ours. */
layout_t *layout_find(const walk_t *walk, apr_pool_t *result_pool);

/** A link to be made. */
typedef struct layout_link_t {
    const char *path;
    const char *target;
} layout_link_t;

/** Modules to be enabled by links. */
typedef struct layout_links_t {
    const layout_t *layout;
    const char *root;               /**< ServerRoot */
    apr_array_header_t *links;      /**< of layout_link_t, in order */
    apr_array_header_t *modules;    /**< const char *: enabled by them, or
                                         before */
} layout_links_t;

/**
 * Add the links that enable a module, those of the modules that it depends
 * on before its own. What is enabled already adds none.
 * Source: Debian's a2enmod.
 *
 * @return APR_SUCCESS; APR_ENOENT if it, or its file, is not installed;
 *         APR_EGENERAL for a conflict, or what stands in a link's place
 */
apr_status_t layout_enable(layout_links_t *links, const char *module,
                           acme_err_t *err, apr_pool_t *result_pool);

/** Add the link of one file ("acme.conf") that is there or will be, unless
 *  it is there. @return APR_EGENERAL for what stands in its place */
apr_status_t layout_link(layout_links_t *links, const char *name,
                         acme_err_t *err, apr_pool_t *pool);

/** The line that loads a module, or may; with commented, one that would if
 *  its mark were taken away. NULL: none. */
const walk_line_t *layout_line(const walk_t *walk, const char *module,
                               int commented);

/** The index among walk's lines of the Include that brings our snippet, or
 *  Debian's .load files. */
int layout_included(const walk_t *walk, const layout_t *layout);

/** Where a LoadModule line goes in the main file: before the line of that
 *  index; -1: at its end. */
int layout_place(const walk_t *walk);

/** The path of a module's file as the LoadModule lines around write it:
 *  relative to ServerRoot where they do so. */
const char *layout_spelling(const walk_t *walk, const char *file,
                            apr_pool_t *pool);

/**
 * Say that a module's file is not there, with the package that usually has
 * it.
 *
 * @param os_release  "/etc/os-release"
 * @return APR_ENOENT
 */
apr_status_t layout_missing(const char *module, const char *file,
                            const char *os_release, acme_err_t *err,
                            apr_pool_t *scratch_pool);

#define LAYOUT_OS_RELEASE "/etc/os-release"

/* ---------------------------------------------------------------- ports */

/**
 * Try whether a port can be listened on, as httpd would do it.
 * Source: httpd's server/listen.c; proc(5).
 *
 * @param address  IP address; 0.0.0.0 and :: are all
 * @param own      httpd's own process, which may hold it; 0: not running
 * @return APR_SUCCESS; EADDRINUSE, with the holder where it can be
 *         seen; APR_EACCES; APR_EINVAL if the address is none of this
 *         machine
 */
apr_status_t port_try(const char *address, int port, pid_t own,
                      acme_err_t *err, apr_pool_t *scratch_pool);

/** 1 if who listens on listener answers at address, too (same port).
 *  @param mapped  1: :: takes IPv4 as well */
int port_covers(const char *listener, const char *address, int mapped);

/* --------------------------------------------------------------- manage */

/** What configurator_manage works with. */
typedef struct server_plan_t {
    configurator_plan_t *plan;
    walk_t *walk;
    layout_t *layout;
    apr_array_header_t *wanted;     /**< const char *: modules to be loaded,
                                         by short name */
    apr_array_header_t *settings;   /**< const char *: lines for the whole
                                         server that have no place yet */
    int ssl_from;                   /**< index among walk's lines: from there
                                         on mod_ssl is there */
} server_plan_t;

/** Open a file for edits of the whole server's. @param lines  const char *:
 *  what would be put there, to paste where the file is somebody else's */
apr_status_t server_file(plan_file_t **pfile, configurator_plan_t *plan,
                         const char *path, journal_step_t step,
                         const apr_array_header_t *lines, acme_err_t *err);

/** edits_insert; early: for what is early as well. */
apr_status_t server_insert(configurator_plan_t *plan, plan_file_t *file,
                           int before, const apr_array_header_t *lines,
                           int early, acme_err_t *err);

/** edits_remove, likewise. */
apr_status_t server_remove(configurator_plan_t *plan, plan_file_t *file,
                           int line, int early, acme_err_t *err);

/** Move the settings that have no place yet to lines of that file, and say
 *  so. */
void server_take_settings(server_plan_t *server, apr_array_header_t *lines,
                          const char *path);

/** Keep the temporaries of changes (of journal_change_t) out of directories
 *  in which httpd reads every file. */
void server_stage_up(configurator_plan_t *plan, apr_array_header_t *changes);

/** Lines in an <IfModule>. */
apr_array_header_t *server_wrap(const char *module,
                                const apr_array_header_t *lines);

/** Plan a new file, readable by all. @param early  nullable; what of its
 *  content is early */
void server_create(configurator_plan_t *plan, const char *path,
                   journal_step_t step, const char *data, const char *early);

/** Links to be filled in. */
layout_links_t server_links_new(const server_plan_t *server);

/** Plan the links from the one of that index on. */
void server_links(configurator_plan_t *plan, const layout_links_t *links,
                  int from, int early);

/** modules.c: note in wanted what the plan needs and httpd has not. */
void modules_wanted(server_plan_t *server);

/** modules.c: plan that they are loaded; takes the settings along where
 *  mod_acme's LoadModule line is new. */
apr_status_t modules_load(server_plan_t *server, acme_err_t *err);

/** settings.c: plan the rest of the settings, and the stapling cache. */
apr_status_t settings_put(server_plan_t *server, acme_err_t *err);

/** listen.c: 1 if httpd has all listeners that the plan needs. */
int listen_is_complete(const configurator_plan_t *plan);

/** listen.c: plan those that are missing, and try their ports. */
apr_status_t listen_put(server_plan_t *server, acme_err_t *err);

#endif
