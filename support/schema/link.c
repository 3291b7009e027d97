/*
 * The second and third pass over compiled schemas: "$ref"s find their
 * targets, and schemas that would never come to an end are refused.
 */
#include "schema/internal.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

/* ---------------------------------------------------------- second pass */

/* The document that a relative reference names: "problem.json" in
 * "acme/order" is "acme/problem"; NULL if it can be none of ours. */
static const char *ref_document(const char *from, const char *path,
                                apr_pool_t *pool)
{
    apr_size_t len = strlen(path);
    const char *slash = strrchr(from, '/');
    apr_size_t folder = slash ? (apr_size_t)(slash - from) + 1 : 0;

    if (len < 6 || strcmp(path + len - 5, ".json") != 0
        || strchr(path, ':') || path[0] == '/') {
        return NULL;
    }
    if (strncmp(path, "../", 3) == 0) {
        if (folder == 0) {
            return NULL;
        }
        path += 3;
        len -= 3;
        for (folder--; folder > 0 && from[folder - 1] != '/'; folder--) {
        }
    }
    return apr_pstrcat(pool, apr_pstrndup(pool, from, folder),
                       apr_pstrndup(pool, path, len - 5), NULL);
}

static int hex_value(char c)
{
    return apr_isdigit(c) ? c - '0' : apr_tolower(c) - 'a' + 10;
}

/* A fragment without its percent signs, NULL if they are wrong. */
static const char *percent_decode(const char *text, apr_pool_t *pool)
{
    char *result = apr_palloc(pool, strlen(text) + 1);
    char *at = result;

    for (; *text; text++) {
        if (*text != '%') {
            *at++ = *text;
            continue;
        }
        if (!apr_isxdigit(text[1]) || !apr_isxdigit(text[2])) {
            return NULL;
        }
        *at++ = (char)(hex_value(text[1]) * 16 + hex_value(text[2]));
        text += 2;
    }
    *at = '\0';
    return result;
}

/* Split a reference. @param ppointer  NULL if it is no JSON pointer */
static const char *ref_split(const char **ppointer, const char *from,
                             const char *text, apr_pool_t *pool)
{
    const char *hash = strchr(text, '#');
    const char *path = hash ? apr_pstrmemdup(pool, text,
                                             (apr_size_t)(hash - text))
                            : text;

    *ppointer = percent_decode(hash ? hash + 1 : "", pool);
    if (*ppointer && **ppointer && **ppointer != '/') {
        *ppointer = NULL;
    }
    return *path ? ref_document(from, path, pool) : from;
}

static apr_status_t ref_link(compiler_t *c, const ref_t *ref)
{
    const char *text = json_string_value(ref->rule->operand);
    const char *document, *pointer;

    c->document = ref->schema->document;
    document = ref_split(&pointer, c->document, text, c->scratch);
    if (!document || !schema_compiler_place(c, document, "")) {
        return schema_refuse(c, APR_ENOTIMPL, ref->schema->pointer,
                             "\"$ref\" to \"%s\" leaves the schemas that are "
                             "known", text);
    }
    if (!pointer) {
        return schema_refuse(c, APR_ENOTIMPL, ref->schema->pointer,
                             "\"$ref\" to \"%s\" is no JSON pointer", text);
    }
    ref->rule->schema = schema_compiler_place(c, document, pointer);
    if (!ref->rule->schema) {
        return schema_refuse(c, APR_EINVAL, ref->schema->pointer,
                             "\"$ref\" to \"%s\": there is no schema", text);
    }
    return APR_SUCCESS;
}

/* ----------------------------------------------------------- third pass */

static apr_status_t cycle_visit(compiler_t *c, schema_t *schema);

static apr_status_t cycle_step(compiler_t *c, const schema_t *schema)
{
    return schema ? cycle_visit(c, (schema_t *)schema) : APR_SUCCESS;
}

/* All schemas that a rule applies to the same value. */
static apr_status_t cycle_rule(compiler_t *c, const rule_t *rule)
{
    apr_status_t rv = cycle_step(c, rule->schema);
    int i;

    if (rv == APR_SUCCESS) {
        rv = cycle_step(c, rule->yes);
    }
    if (rv == APR_SUCCESS) {
        rv = cycle_step(c, rule->no);
    }
    for (i = 0; rv == APR_SUCCESS && rule->members
             && i < rule->members->nelts; i++) {
        rv = cycle_step(c, APR_ARRAY_IDX(rule->members, i, member_t).schema);
    }
    return rv;
}

/* Depth first: mark is 1 while a schema is on the path, 2 when done. */
static apr_status_t cycle_visit(compiler_t *c, schema_t *schema)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (schema->mark == 2) {
        return APR_SUCCESS;
    }
    if (schema->mark == 1) {
        c->document = schema->document;
        return schema_refuse(c, APR_EINVAL, schema->pointer,
                             "the schema applies itself to the same value "
                             "without end");
    }
    schema->mark = 1;
    for (i = 0; rv == APR_SUCCESS && i < schema->nrules; i++) {
        if (schema->rules[i].keyword->in_place) {
            rv = cycle_rule(c, &schema->rules[i]);
        }
    }
    schema->mark = 2;
    return rv;
}

apr_status_t schema_compiler_finish(compiler_t *c)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < c->refs->nelts; i++) {
        rv = ref_link(c, &APR_ARRAY_IDX(c->refs, i, ref_t));
    }
    for (i = 0; rv == APR_SUCCESS && i < c->all->nelts; i++) {
        rv = cycle_visit(c, APR_ARRAY_IDX(c->all, i, schema_t *));
    }
    return rv;
}
