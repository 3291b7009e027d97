/*
 * walk.c: the files of a configuration as text, in the order in which httpd
 * reads them. DUMP_ACME tells of every directive that is in force, but not
 * of those that httpd acts on while it reads (LoadModule, Include), nor of
 * what a condition hides (Listen 443 where mod_ssl is not loaded yet).
 *
 * A file is scanned only if a first look finds such a line: thousands of
 * virtual hosts have none.
 */
#include "configurator/server.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>

#define FILES_MAX 65536
/* httpd's AP_MAX_INCLUDE_DEPTH. */
#define DEPTH_MAX 20
#define FILE_MAX (16 * 1024 * 1024)

static const char *const wanted[] = {
    "Include", "IncludeOptional", "LoadModule", "Listen", "SSLSessionCache",
    "SSLStaplingCache", "Define", "UnDefine", NULL
};

static int is_wanted(const char *name, apr_size_t len)
{
    int i;

    for (i = 0; wanted[i]; i++) {
        if (strlen(wanted[i]) == len
            && strncasecmp(wanted[i], name, len) == 0) {
            return 1;
        }
    }
    return 0;
}

/** 1 if a line of the file may be wanted. Continued lines begin like any
 *  other, so a line's first word is enough. */
static int look(const char *data, apr_size_t len)
{
    const char *line = data, *stop = data + len;

    while (line < stop) {
        const char *end = memchr(line, '\n', stop - line);
        const char *word;
        apr_size_t n = 0;

        end = end ? end : stop;
        while (line < end && (apr_isspace(*line) || *line == '#')) {
            line++;
        }
        for (word = line; word + n < end && apr_isalpha(word[n]); n++) {
            continue;
        }
        if (n && is_wanted(word, n)) {
            return 1;
        }
        line = end < stop ? end + 1 : stop;
    }
    return 0;
}

/* ------------------------------------------------------------ variables */

/** text with ${NAME} replaced; NULL if one is not known. */
static const char *expand(const walk_t *walk, const char *text,
                          apr_pool_t *pool)
{
    const char *begin, *end, *value, *name;

    while ((begin = strstr(text, "${")) != NULL) {
        end = strchr(begin, '}');
        if (!end) {
            return NULL;
        }
        name = apr_pstrmemdup(pool, begin + 2, end - begin - 2);
        value = apr_hash_get(walk->defines, name, APR_HASH_KEY_STRING);
        value = value ? value : getenv(name);
        if (!value || strstr(value, "${")) {
            return NULL;
        }
        text = apr_pstrcat(pool, apr_pstrmemdup(pool, text, begin - text),
                           value, end + 1, NULL);
    }
    return text;
}

static void define(walk_t *walk, const char *name, const char *value)
{
    apr_hash_set(walk->defines, apr_pstrdup(walk->pool, name),
                 APR_HASH_KEY_STRING, value);
}

static const char *word(const walk_line_t *line, int n)
{
    return line->words->nelts > n
           ? APR_ARRAY_IDX(line->words, n, const char *) : "";
}

const char *walk_path(const walk_t *walk, const char *path, apr_pool_t *pool)
{
    return *path == '/' ? path
           : apr_pstrcat(pool, walk->options.root, "/", path, NULL);
}

const char *walk_pattern(const walk_t *walk, const walk_line_t *line,
                         apr_pool_t *pool)
{
    const char *pattern = expand(walk, word(line, 0), pool);

    return pattern && *pattern ? walk_path(walk, pattern, pool) : NULL;
}

/* ----------------------------------------------------------- conditions */

/** A module's short name: of "ssl_module" or "mod_ssl.c". */
static const char *short_name(const char *module, apr_pool_t *pool)
{
    apr_size_t len = strlen(module);

    if (len > 7 && strcmp(module + len - 7, "_module") == 0) {
        return apr_pstrmemdup(pool, module, len - 7);
    }
    if (strncmp(module, "mod_", 4) == 0 && len > 6
        && strcmp(module + len - 2, ".c") == 0) {
        return apr_pstrmemdup(pool, module + 4, len - 6);
    }
    return module;
}

static int has_module(const walk_t *walk, const char *module,
                      const apr_array_header_t *loaded)
{
    const char *name = short_name(module, walk->pool);
    const json_t *json = json_object_get(walk->options.modules, name);

    if (base_list_has(loaded, name)) {
        return 1;
    }
    return json ? json_is_true(json) : -1;
}

/** The truth of one section for what stands in it. */
static int section_truth(const walk_t *walk, const text_t *text, int index,
                         const apr_array_header_t *loaded)
{
    const scan_line_t *line = &APR_ARRAY_IDX(text->lines, index,
                                             scan_line_t);
    apr_array_header_t *words = text_words(text, line, walk->pool);
    const char *test = words->nelts ? APR_ARRAY_IDX(words, 0, const char *)
                                    : "";
    int negated = *test == '!';
    int truth = -1;

    test += negated;
    if (strcasecmp(line->name, "IfModule") == 0) {
        truth = has_module(walk, test, loaded);
    }
    else if (strcasecmp(line->name, "IfDefine") == 0) {
        truth = apr_hash_get(walk->defines, test, APR_HASH_KEY_STRING)
                != NULL;
    }
    else if (strncasecmp(line->name, "If", 2) != 0) {
        /* A place where none of these lines may stand: a macro. */
        return 0;
    }
    return truth < 0 ? -1 : truth != negated;
}

int walk_is_live(const walk_t *walk, const walk_line_t *line,
                 const apr_array_header_t *loaded)
{
    int live = 1, truth, index;

    for (; line; line = line->via) {
        index = APR_ARRAY_IDX(line->text->lines, line->line,
                              scan_line_t).parent;
        while (index >= 0) {
            truth = section_truth(walk, line->text, index, loaded);
            if (truth == 0) {
                return 0;
            }
            live = truth < 0 ? -1 : live;
            index = APR_ARRAY_IDX(line->text->lines, index,
                                  scan_line_t).parent;
        }
    }
    return live;
}

/* --------------------------------------------------------------- places */

int walk_bare_levels(const walk_t *walk, const char *dir,
                     apr_pool_t *scratch_pool)
{
    struct stat is, other;
    int i, levels = 0;

    for (i = 0; i < walk->directories->nelts; i++) {
        if (stat(dir, &is) == 0
            && stat(APR_ARRAY_IDX(walk->directories, i, const char *),
                    &other) == 0
            && is.st_dev == other.st_dev && is.st_ino == other.st_ino) {
            dir = base_path_dir(dir, scratch_pool);
            levels++;
            i = -1;
        }
    }
    return levels;
}

int walk_index(const walk_t *walk, const char *path, int last)
{
    int i;

    for (i = 0; i < walk->lines->nelts; i++) {
        const walk_line_t *line = APR_ARRAY_IDX(walk->lines, i,
                                                walk_line_t *);

        if (APR_ARRAY_IDX(line->text->lines, line->line, scan_line_t).last
            == last && strcmp(line->text->path, path) == 0) {
            return i;
        }
    }
    return -1;
}

int walk_behind(const walk_t *walk, int place)
{
    int i;

    for (i = 0; place >= 0 && i < walk->lines->nelts; i++) {
        const walk_line_t *line = APR_ARRAY_IDX(walk->lines, i,
                                                walk_line_t *);

        while (line->via) {
            line = line->via;
        }
        if (line->line >= place) {
            return i;
        }
    }
    return walk->lines->nelts;
}

/* ---------------------------------------------------------------- files */

static void walk_path_in(walk_t *walk, const char *path,
                         const walk_line_t *via, int depth);

/** All that a pattern matches. */
static void walk_matches(walk_t *walk, const char *pattern,
                         const walk_line_t *via, int depth)
{
    glob_t found;
    size_t i;

    memset(&found, 0, sizeof(found));
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (i = 0; i < found.gl_pathc; i++) {
            walk_path_in(walk, found.gl_pathv[i], via, depth);
        }
    }
    globfree(&found);
}

/** What the directive does to the walk itself. */
static void obey(walk_t *walk, const walk_line_t *line, int depth)
{
    const char *name = line->name;
    const char *pattern;

    if (strncasecmp(name, "Include", 7) == 0) {
        pattern = walk_pattern(walk, line, walk->pool);
        if (pattern) {
            walk_matches(walk, pattern, line, depth + 1);
        }
    }
    else if (strcasecmp(name, "Define") == 0) {
        if (walk_is_live(walk, line, NULL) == 1) {
            define(walk, word(line, 0), word(line, 1));
        }
    }
    else if (strcasecmp(name, "UnDefine") == 0) {
        if (walk_is_live(walk, line, NULL) == 1) {
            define(walk, word(line, 0), NULL);
        }
    }
}

/** "#LoadModule NAME PATH", as distributions leave it for people to take
 *  the mark away. @return 1 if line was filled in */
static int read_comment(walk_line_t *line, const scan_line_t *scanned,
                        apr_pool_t *pool)
{
    const char *data = line->text->data;
    const char *begin = data + scanned->text, *end = data + scanned->text_end;
    char *state, *word, *copy;

    while (begin < end && (*begin == '#' || apr_isspace(*begin))) {
        begin++;
    }
    copy = apr_pstrmemdup(pool, begin, end - begin);
    line->name = apr_strtok(copy, " \t\\\n", &state);
    if (!line->name || strcasecmp(line->name, "LoadModule") != 0) {
        return 0;
    }
    line->words = apr_array_make(pool, 2, sizeof(char *));
    while ((word = apr_strtok(NULL, " \t\\\n", &state)) != NULL) {
        APR_ARRAY_PUSH(line->words, const char *) = word;
    }
    line->commented = 1;
    return line->words->nelts == 2;
}

static void take_line(walk_t *walk, const text_t *text, int index,
                      const walk_line_t *via, int depth)
{
    const scan_line_t *scanned = &APR_ARRAY_IDX(text->lines, index,
                                                scan_line_t);
    walk_line_t line;

    memset(&line, 0, sizeof(line));
    line.text = text;
    line.line = index;
    line.via = via;
    line.name = scanned->name;
    if (scanned->kind == SCAN_COMMENT) {
        if (!read_comment(&line, scanned, walk->pool)) {
            return;
        }
    }
    else if (scanned->kind != SCAN_DIRECTIVE
             || !is_wanted(scanned->name, strlen(scanned->name))) {
        return;
    }
    else {
        line.words = text_words(text, scanned, walk->pool);
    }
    APR_ARRAY_PUSH(walk->lines, walk_line_t *)
        = apr_pmemdup(walk->pool, &line, sizeof(line));
    if (!line.commented) {
        obey(walk, APR_ARRAY_IDX(walk->lines, walk->lines->nelts - 1,
                                 walk_line_t *), depth);
    }
}

static void walk_text(walk_t *walk, const text_t *text,
                      const walk_line_t *via, int depth)
{
    int i;

    for (i = 0; i < text->lines->nelts; i++) {
        take_line(walk, text, i, via, depth);
    }
}

/** 1 if the file is worth scanning. */
static int is_worth(const char *path, apr_size_t size, apr_pool_t *pool)
{
    apr_pool_t *subpool;
    apr_file_t *file;
    char *data;
    int worth = 0;

    apr_pool_create(&subpool, pool);
    data = apr_palloc(subpool, size + 1);
    if (apr_file_open(&file, path, APR_FOPEN_READ, 0, subpool)
        == APR_SUCCESS
        && apr_file_read_full(file, data, size, &size) == APR_SUCCESS) {
        worth = look(data, size);
    }
    apr_pool_destroy(subpool);
    return worth;
}

static void walk_path_in(walk_t *walk, const char *path,
                         const walk_line_t *via, int depth)
{
    acme_err_t ignored = { 0 };
    struct stat st;
    text_t *text;

    if (depth > DEPTH_MAX || walk->files >= FILES_MAX || stat(path, &st)) {
        return;
    }
    path = apr_pstrdup(walk->pool, path);
    if (S_ISDIR(st.st_mode)) {
        APR_ARRAY_PUSH(walk->directories, const char *) = path;
        walk_matches(walk, apr_pstrcat(walk->pool, path, "/*", NULL), via,
                     depth + 1);
    }
    else if (S_ISREG(st.st_mode) && st.st_size <= FILE_MAX) {
        walk->files++;
        if (is_worth(path, st.st_size, walk->pool)
            && text_read(&text, path, &ignored, walk->pool)
               == APR_SUCCESS) {
            walk_text(walk, text, via, depth);
        }
    }
}

apr_status_t walk_run(walk_t **pwalk, const walk_options_t *options,
                      acme_err_t *err, apr_pool_t *result_pool)
{
    walk_t *walk = apr_pcalloc(result_pool, sizeof(*walk));
    text_t *text;
    apr_status_t rv;
    int i;

    walk->options = *options;
    walk->pool = result_pool;
    walk->lines = apr_array_make(result_pool, 64, sizeof(walk_line_t *));
    walk->directories = apr_array_make(result_pool, 1, sizeof(char *));
    walk->defines = apr_hash_make(result_pool);
    for (i = 0; options->defines && i < options->defines->nelts; i++) {
        define(walk, APR_ARRAY_IDX(options->defines, i, const char *), "");
    }
    rv = text_read(&text, options->config, err, result_pool);
    if (rv == APR_SUCCESS) {
        walk->main = text;
        walk->files = 1;
        walk_text(walk, text, NULL, 0);
        *pwalk = walk;
    }
    return rv;
}
