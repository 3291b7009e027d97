/*
 * json: jansson behind limits. What jansson does not bound by itself, the
 * nesting and the length of numbers, a scan checks before it sees a byte.
 */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "base/base.h"

/* -2^63 and 2^64 - 1 have 20 characters. */
#define NUMBER_MAX 20

/* Where the scan is; line and column count from 1, columns in characters. */
typedef struct scan_t {
    const char *at;
    const char *end;
    int line;
    int column;
    int depth;
    const char *fault;      /* NULL as long as all is well */
} scan_t;

static void scan_step(scan_t *scan)
{
    if (*scan->at == '\n') {
        scan->line++;
        scan->column = 1;
    }
    else if (((unsigned char)*scan->at & 0xc0) != 0x80) {
        scan->column++;
    }
    scan->at++;
}

/* From the opening quote to behind the closing one, or to the end. */
static void scan_string(scan_t *scan)
{
    scan_step(scan);
    while (scan->at < scan->end && *scan->at != '"' && *scan->at != '\0') {
        if (*scan->at == '\\' && scan->end - scan->at > 1
            && scan->at[1] != '\0') {
            scan_step(scan);
        }
        scan_step(scan);
    }
    if (scan->at < scan->end && *scan->at == '"') {
        scan_step(scan);
    }
}

static void scan_number(scan_t *scan)
{
    const char *start = scan->at;
    scan_t number = *scan;

    while (number.at < number.end && *number.at != '\0'
           && strchr("0123456789+-.eE", *number.at)) {
        scan_step(&number);
    }
    if (number.at - start > NUMBER_MAX) {
        scan->fault = "a number of more than 20 characters";
        return;
    }
    *scan = number;
}

static void scan_token(scan_t *scan)
{
    switch (*scan->at) {
    case '\0':
        scan->fault = "a NUL byte";
        return;
    case '"':
        scan_string(scan);
        return;
    case '[':
    case '{':
        if (++scan->depth > BASE_JSON_DEPTH_MAX) {
            scan->fault = "nested too deeply";
            return;
        }
        break;
    case ']':
    case '}':
        scan->depth--;
        break;
    case '-': case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9':
        scan_number(scan);
        return;
    }
    scan_step(scan);
}

static apr_status_t json_fault(acme_err_t *err, const char *what, int line,
                               int column, const char *fault)
{
    return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                        "%s: not JSON as it may be: line %d, column %d: %s",
                        what, line, column, fault);
}

static apr_status_t json_scan(const char *buf, apr_size_t len,
                              const char *what, acme_err_t *err)
{
    scan_t scan = { buf, buf + len, 1, 1, 0, NULL };

    while (scan.at < scan.end) {
        scan_token(&scan);
        if (scan.fault) {
            return json_fault(err, what, scan.line, scan.column, scan.fault);
        }
    }
    return APR_SUCCESS;
}

apr_status_t base_json_parse(json_t **pjson, const char *buf, apr_size_t len,
                             apr_size_t max, const char *what,
                             acme_err_t *err, apr_pool_t *result_pool)
{
    json_error_t fault;
    json_t *json;
    char *near;
    apr_status_t rv;

    if (len > max) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s: longer than the %lu bytes that are accepted",
                            what, (unsigned long)max);
    }
    rv = json_scan(buf, len, what, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    json = json_loadb(buf, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
                      &fault);
    if (!json) {
        /* jansson quotes the input, which may be a secret */
        near = strstr(fault.text, " near '");
        if (near) {
            *near = '\0';
        }
        return json_fault(err, what, fault.line, fault.column, fault.text);
    }
    *pjson = base_json_own(json, result_pool);
    return APR_SUCCESS;
}

static apr_status_t json_release(void *data)
{
    json_decref(data);
    return APR_SUCCESS;
}

json_t *base_json_own(json_t *json, apr_pool_t *pool)
{
    if (json) {
        apr_pool_cleanup_register(pool, json, json_release,
                                  apr_pool_cleanup_null);
    }
    return json;
}

apr_status_t base_json_read(json_t **pjson, const char *path, apr_size_t max,
                            acme_err_t *err, apr_pool_t *result_pool,
                            apr_pool_t *scratch_pool)
{
    apr_size_t len;
    char *data;
    apr_status_t rv = base_file_read(&data, &len, path, max, err,
                                     scratch_pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    return base_json_parse(pjson, data, len, max, path, err, result_pool);
}

apr_status_t base_json_write(const char *path, const json_t *json, int mode,
                             acme_err_t *err, apr_pool_t *scratch_pool)
{
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_SORT_KEYS
                                  | JSON_ENCODE_ANY);
    apr_size_t len;
    apr_status_t rv;

    if (!text) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "cannot write %s: the value is no JSON text",
                            path);
    }
    /* the newline takes the place of the NUL, which no length counts */
    len = strlen(text);
    text[len] = '\n';
    rv = base_file_write(path, text, len + 1, mode, err, scratch_pool);
    explicit_bzero(text, len + 1);
    free(text);
    return rv;
}

char *base_json_text(const json_t *json, apr_pool_t *pool)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS
                                  | JSON_ENCODE_ANY);
    char *copy;

    if (!text) {
        return NULL;
    }
    copy = apr_pstrdup(pool, text);
    explicit_bzero(text, strlen(text));
    free(text);
    return copy;
}
