/*
 * json.c: JSON with limits (RFC 8259).
 *
 * jansson is safe but patient: it takes any depth up to its own 2048 and
 * any number. So the text is scanned once before it is parsed.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/base.h"

#define NUMBER_MAX 20

static apr_status_t json_cleanup(void *json)
{
    json_decref(json);
    return APR_SUCCESS;
}

json_t *base_json_own(json_t *json, apr_pool_t *pool)
{
    if (json) {
        apr_pool_cleanup_register(pool, json, json_cleanup,
                                  apr_pool_cleanup_null);
    }
    return json;
}

/** Skip a string literal; s is behind the opening quote.
 *  @return behind the closing quote, or end */
static const char *skip_string(const char *s, const char *end)
{
    for (; s < end; s++) {
        if (*s == '\\') {
            s++;
        }
        else if (*s == '"') {
            return s + 1;
        }
    }
    return end;
}

static int is_number_char(char c)
{
    return apr_isdigit(c) || c == '-' || c == '+' || c == '.' || c == 'e'
           || c == 'E';
}

/** What is wrong with the text as a whole; NULL if nothing. */
static const char *scan(const char *s, apr_size_t len)
{
    const char *end = s + len;
    int depth = 0;

    if (memchr(s, '\0', len)) {
        return "it contains a NUL byte";
    }
    while (s < end) {
        const char *start = s;

        if (*s == '"') {
            s = skip_string(s + 1, end);
            continue;
        }
        if (*s == '{' || *s == '[') {
            if (++depth > BASE_JSON_DEPTH_MAX) {
                return "it is nested too deeply";
            }
        }
        else if (*s == '}' || *s == ']') {
            depth--;
        }
        else if (apr_isdigit(*s) || *s == '-') {
            while (s < end && is_number_char(*s)) {
                s++;
            }
            if (s - start > NUMBER_MAX) {
                return "it contains an overlong number";
            }
            continue;
        }
        s++;
    }
    return NULL;
}

apr_status_t base_json_parse(json_t **pjson, const char *buf, apr_size_t len,
                             apr_size_t max, const char *what,
                             acme_err_t *err, apr_pool_t *result_pool)
{
    const char *fault;
    json_error_t je;
    json_t *json;

    if (len > max) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s is too large: %" APR_SIZE_T_FMT " bytes "
                            "where %" APR_SIZE_T_FMT " are allowed", what,
                            len, max);
    }
    fault = scan(buf, len);
    if (fault) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s is not acceptable JSON: %s", what, fault);
    }
    json = json_loadb(buf, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                      &je);
    if (!json) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s is not JSON: line %d, column %d: %s", what,
                            je.line, je.column, je.text);
    }
    *pjson = base_json_own(json, result_pool);
    return APR_SUCCESS;
}

apr_status_t base_json_read(json_t **pjson, const char *path, apr_size_t max,
                            acme_err_t *err, apr_pool_t *result_pool,
                            apr_pool_t *scratch_pool)
{
    apr_size_t len;
    char *text;
    apr_status_t rv;

    rv = base_file_read(&text, &len, path, max, err, scratch_pool);
    if (rv == APR_SUCCESS) {
        rv = base_json_parse(pjson, text, len, max, path, err, result_pool);
    }
    return rv;
}

/** json_dumps into a pool. */
static char *dump(const json_t *json, size_t flags, const char *tail,
                  apr_pool_t *pool)
{
    char *text = json_dumps(json, flags | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    char *copy = text ? apr_pstrcat(pool, text, tail, NULL) : NULL;

    free(text);
    return copy;
}

apr_status_t base_json_write(const char *path, const json_t *json, int mode,
                             acme_err_t *err, apr_pool_t *scratch_pool)
{
    char *text = dump(json, JSON_INDENT(2), "\n", scratch_pool);

    if (!text) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "cannot write %s: its content is no JSON value "
                            "(a fault of acmectl's, please report it)",
                            path);
    }
    return base_file_write(path, text, strlen(text), mode, err,
                           scratch_pool);
}

char *base_json_text(const json_t *json, apr_pool_t *pool)
{
    return dump(json, JSON_COMPACT, "", pool);
}
