/*
 * What the tests of support/schema share: ask a schema about a value, both
 * written as text.
 */
#ifndef ACME_SCHEMA_UNIT_H
#define ACME_SCHEMA_UNIT_H

#include "unit.h"

#include "schema/internal.h"

/** A JSON text as a value; lives as long as the test. */
static inline json_t *unit_json(const char *text)
{
    json_error_t fault;
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL,
                               &fault);

    ck_assert_msg(value != NULL, "%s: %s", text, fault.text);
    return base_json_own(value, pool);
}

/** Compile a schema that must be right. */
static inline const schema_t *unit_schema(const char *text)
{
    schema_t *schema;

    base_err_clear(&err);
    unit_ok(schema_compile(&schema, text, strlen(text), "test", &err, pool));
    return schema;
}

/** schema_check of two texts; err is fresh. */
static inline apr_status_t unit_check(const char *schema, const char *value)
{
    const schema_t *compiled = unit_schema(schema);

    return schema_check(compiled, unit_json(value), "value", &err);
}

/** schema_compile of a text; err is fresh. */
static inline apr_status_t unit_compile(const char *text)
{
    schema_t *schema;

    base_err_clear(&err);
    return schema_compile(&schema, text, strlen(text), "test", &err, pool);
}

/** The value fits. */
#define fits(schema, value) unit_ok(unit_check(schema, value))

/** The value does not fit, and the message is exactly "value" text. */
#define misfits(schema, value, text) do {                              \
        ck_assert_int_eq(unit_check(schema, value), APR_EINVAL);       \
        ck_assert_int_eq(err.status, APR_EINVAL);                      \
        ck_assert_str_eq(err.message, "value" text);                   \
    } while (0)

#endif
