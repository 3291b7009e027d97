/*
 * words.c: one directive in the text of a configuration that httpd refuses.
 *
 * Only httpd's own parse is the truth, and only text is left where there is
 * none. Read so: a line a directive, the last one counts, Include is
 * followed where it stands, conditions and variables are not evaluated.
 */
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "httpd/internal.h"

#define FILE_MAX (16 * 1024 * 1024)
#define FILES_MAX 4096
#define DEPTH_MAX 10
#define VERSION_MAX (64 * 1024)
#define VERSION_DEADLINE (20 * APR_USEC_PER_SEC)

typedef struct search_t {
    const char *directive;
    const char *root;           /* relative names begin here; nullable */
    int root_given;             /* ServerRoot does not change it */
    int files;                  /* read so far */
    const char *value;          /* found; nullable */
    const char *where;
    apr_pool_t *pool;
} search_t;

static const char *from_root(const search_t *search, const char *path)
{
    return path[0] == '/' || !search->root ? path
           : apr_pstrcat(search->pool, search->root, "/", path, NULL);
}

/** The next word at *ptext, without its quotes; "" if there is none. */
static char *next_word(char **ptext, apr_pool_t *pool)
{
    char *text = *ptext;
    char *word = apr_palloc(pool, strlen(text) + 1);
    char *w = word;
    char quote = 0;

    while (apr_isspace(*text)) {
        text++;
    }
    if (*text == '"' || *text == '\'') {
        quote = *text++;
    }
    while (*text && (quote ? *text != quote : !apr_isspace(*text))) {
        if (quote && *text == '\\' && text[1]) {
            text++;
        }
        *w++ = *text++;
    }
    *w = '\0';
    *ptext = *text ? text + 1 : text;
    return word;
}

static void read_path(search_t *search, const char *path, int depth);

/** Every file of a directory, or of a pattern's matches. */
static void read_matches(search_t *search, const char *pattern, int depth)
{
    glob_t found;
    size_t i;

    memset(&found, 0, sizeof(found));
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (i = 0; i < found.gl_pathc; i++) {
            read_path(search, apr_pstrdup(search->pool, found.gl_pathv[i]),
                      depth + 1);
        }
    }
    globfree(&found);
}

static void take_line(search_t *search, char *line, const char *path,
                      int number, int depth)
{
    const char *name = next_word(&line, search->pool);
    const char *value = next_word(&line, search->pool);

    if (!*value || strstr(value, "${")) {
        return;
    }
    if (strcasecmp(name, "Include") == 0
        || strcasecmp(name, "IncludeOptional") == 0) {
        read_matches(search, from_root(search, value), depth);
    }
    else if (strcasecmp(name, "ServerRoot") == 0 && !search->root_given) {
        search->root = value;
    }
    else if (strcasecmp(name, search->directive) == 0) {
        search->value = value;
        search->where = apr_psprintf(search->pool, "%s:%d", path, number);
    }
}

static void read_text(search_t *search, char *text, const char *path,
                      int depth)
{
    int number = 0;
    char *end;

    for (; text; text = end) {
        end = strchr(text, '\n');
        if (end) {
            *end++ = '\0';
        }
        take_line(search, text, path, ++number, depth);
    }
}

static void read_path(search_t *search, const char *path, int depth)
{
    acme_err_t ignored = { 0 };
    char *real = realpath(path, NULL);
    struct stat st;
    apr_size_t len;
    char *text;

    if (real && depth <= DEPTH_MAX && search->files < FILES_MAX
        && stat(real, &st) == 0) {
        search->files++;
        if (S_ISDIR(st.st_mode)) {
            read_matches(search, apr_pstrcat(search->pool, path, "/*",
                                             NULL), depth);
        }
        else if (base_file_read(&text, &len, real, FILE_MAX, &ignored,
                                search->pool) == APR_SUCCESS) {
            read_text(search, text, path, depth);
        }
    }
    free(real);
}

/** The value of -D name="..." in the words of httpd -V; NULL. */
static const char *built_in(const char *text, const char *name,
                            apr_pool_t *pool)
{
    const char *begin = strstr(text, apr_pstrcat(pool, "-D ", name, "=\"",
                                                 NULL));

    if (!begin) {
        return NULL;
    }
    begin = strchr(begin, '"') + 1;
    return apr_pstrmemdup(pool, begin, strcspn(begin, "\"\n"));
}

/** The main file; httpd is asked only for what args do not say. */
static const char *main_file(search_t *search, const httpd_args_t *args)
{
    const char *const argv[] = { args->binary, "-V", NULL };
    const char *file = args->config;
    acme_err_t ignored = { 0 };
    httpd_output_t output;

    search->root = args->root;
    search->root_given = args->root != NULL;
    if (file && (file[0] == '/' || search->root)) {
        return from_root(search, file);
    }
    if (httpd_exec(&output, argv, VERSION_DEADLINE, VERSION_MAX, &ignored,
                   search->pool) != APR_SUCCESS) {
        return NULL;
    }
    if (!search->root) {
        search->root = built_in(output.out, "HTTPD_ROOT", search->pool);
    }
    if (!file) {
        file = built_in(output.out, "SERVER_CONFIG_FILE", search->pool);
    }
    return file ? from_root(search, file) : NULL;
}

apr_status_t httpd_word_find(const char **pvalue, const char **pwhere,
                             const httpd_args_t *args,
                             const char *directive, apr_pool_t *pool)
{
    search_t search;
    const char *file;

    memset(&search, 0, sizeof(search));
    search.directive = directive;
    search.pool = pool;
    file = main_file(&search, args);
    if (file) {
        read_path(&search, file, 0);
    }
    if (!search.value) {
        return APR_ENOENT;
    }
    *pvalue = search.value;
    *pwhere = search.where;
    return APR_SUCCESS;
}
