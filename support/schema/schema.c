/*
 * The door of the room: sets of schemas, and messages in and out.
 */
#include "schema/internal.h"

#include <string.h>

#include <apr_strings.h>

struct schema_set_t {
    apr_hash_t *schemas;    /* name → const schema_t * */
};

/* Compile texts in one go, so that they may refer to each other. */
static apr_status_t set_compile(schema_set_t *set, compiler_t *c,
                                const schema_text_t *texts, apr_size_t count)
{
    apr_status_t rv;
    apr_size_t i;

    for (i = 0; i < count; i++) {
        const schema_t *root;

        rv = schema_compiler_add(&root, c, texts[i].name, texts[i].text,
                                 texts[i].len);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        apr_hash_set(set->schemas, texts[i].name, APR_HASH_KEY_STRING, root);
    }
    return schema_compiler_finish(c);
}

apr_status_t schema_set_compile(schema_set_t **pset,
                                const schema_text_t *texts, apr_size_t count,
                                acme_err_t *err, apr_pool_t *result_pool)
{
    schema_set_t *set = apr_pcalloc(result_pool, sizeof(*set));
    apr_pool_t *scratch;
    compiler_t c;
    apr_status_t rv;

    set->schemas = apr_hash_make(result_pool);
    rv = apr_pool_create(&scratch, result_pool);
    if (rv != APR_SUCCESS) {
        return base_err_set(err, rv, BASE_EXIT_FAILED,
                            "cannot compile the schemas: out of memory");
    }
    schema_compiler_init(&c, err, result_pool, scratch);
    rv = set_compile(set, &c, texts, count);
    apr_pool_destroy(scratch);
    if (rv == APR_SUCCESS) {
        *pset = set;
    }
    return rv;
}

apr_status_t schema_set_builtin(schema_set_t **pset, acme_err_t *err,
                                apr_pool_t *result_pool)
{
    return schema_set_compile(pset, schema_texts, schema_texts_count, err,
                              result_pool);
}

apr_status_t schema_compile(schema_t **pschema, const char *text,
                            apr_size_t len, const char *uri, acme_err_t *err,
                            apr_pool_t *result_pool)
{
    schema_text_t one;
    schema_set_t *set;
    apr_status_t rv;

    one.name = apr_pstrdup(result_pool, uri);
    one.text = text;
    one.len = len;
    rv = schema_set_compile(&set, &one, 1, err, result_pool);
    if (rv == APR_SUCCESS) {
        *pschema = apr_hash_get(set->schemas, uri, APR_HASH_KEY_STRING);
    }
    return rv;
}

const schema_t *schema_find(const schema_set_t *set, const char *name)
{
    return apr_hash_get(set->schemas, name, APR_HASH_KEY_STRING);
}

/* The schema of a message; its absence is our own fault, but never a crash. */
static apr_status_t message_schema(const schema_t **pschema,
                                   const schema_set_t *set, const char *name,
                                   acme_err_t *err)
{
    *pschema = schema_find(set, name);
    if (!*pschema) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "there is no schema \"%s\" in this program",
                            name);
    }
    return APR_SUCCESS;
}

/* "the CA's order": the schema's title says it better than its name. */
static const char *message_what(const schema_t *schema, const char *whose,
                                const char *name, apr_pool_t *pool)
{
    return apr_pstrcat(pool, whose, schema->title ? schema->title : name,
                       NULL);
}

apr_status_t schema_message_read(json_t **pmessage, const schema_set_t *set,
                                 const char *name, const char *bytes,
                                 apr_size_t len, acme_err_t *err,
                                 apr_pool_t *result_pool)
{
    const schema_t *schema;
    const char *what;
    json_t *message;
    apr_status_t rv;

    rv = message_schema(&schema, set, name, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    what = message_what(schema, "the CA's ", name, result_pool);
    rv = base_json_parse(&message, bytes, len, SCHEMA_MESSAGE_MAX, what, err,
                         result_pool);
    if (rv == APR_SUCCESS) {
        rv = schema_check(schema, message, what, err);
    }
    if (rv == APR_SUCCESS) {
        *pmessage = message;
    }
    return rv;
}

apr_status_t schema_message_write(char **pbytes, const schema_set_t *set,
                                  const char *name, const json_t *message,
                                  acme_err_t *err, apr_pool_t *result_pool)
{
    const schema_t *schema;
    const char *what;
    char *bytes;
    apr_status_t rv;

    rv = message_schema(&schema, set, name, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    what = message_what(schema, "our ", name, result_pool);
    rv = schema_check(schema, message, what, err);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    bytes = base_json_text(message, result_pool);
    if (!bytes) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s cannot be written as JSON", what);
    }
    if (strlen(bytes) > SCHEMA_MESSAGE_MAX) {
        return base_err_set(err, APR_EINVAL, BASE_EXIT_FAILED,
                            "%s has %lu bytes, more than the %d that are "
                            "allowed: ask for fewer names at once", what,
                            (unsigned long)strlen(bytes),
                            SCHEMA_MESSAGE_MAX);
    }
    *pbytes = bytes;
    return APR_SUCCESS;
}
