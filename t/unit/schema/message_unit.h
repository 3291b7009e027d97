/*
 * Tests of the message schemas: a whole text, or a good text with one
 * member replaced.
 */
#ifndef ACME_MESSAGE_UNIT_H
#define ACME_MESSAGE_UNIT_H

#include "schema_unit.h"

/** One case: where in a good message which value is put, and what is said
 *  of it; says NULL: it still fits. */
typedef struct change_t {
    const char *path;     /**< member names and indices with "/" between */
    const char *value;    /**< JSON text; NULL: the member is removed */
    const char *says;     /**< a part of the message */
} change_t;

static inline const schema_t *message_schema(const char *name)
{
    schema_set_t *set;
    const schema_t *schema;

    base_err_clear(&err);
    unit_ok(schema_set_builtin(&set, &err, pool));
    schema = schema_find(set, name);
    ck_assert_msg(schema != NULL, "no schema %s", name);
    return schema;
}

static inline apr_status_t message_check(const char *name, const char *text)
{
    return schema_check(message_schema(name), unit_json(text), "it", &err);
}

static inline json_t *message_step(json_t *at, const char *key, size_t len)
{
    char name[100];

    ck_assert_uint_lt(len, sizeof(name));
    memcpy(name, key, len);
    name[len] = '\0';
    if (json_is_array(at)) {
        return json_array_get(at, strtoul(name, NULL, 10));
    }
    return json_object_get(at, name);
}

/** Put value at path; "-" is the end of an array. */
static inline void message_put(json_t *at, const char *path,
                               const char *value)
{
    const char *slash;

    while ((slash = strchr(path, '/')) != NULL) {
        at = message_step(at, path, (size_t)(slash - path));
        ck_assert_msg(at != NULL, "no %s", path);
        path = slash + 1;
    }
    if (!value) {
        ck_assert_int_eq(json_object_del(at, path), 0);
    }
    else if (json_is_object(at)) {
        json_object_set(at, path, unit_json(value));
    }
    else if (*path == '-') {
        json_array_append(at, unit_json(value));
    }
    else {
        json_array_set(at, strtoul(path, NULL, 10), unit_json(value));
    }
}

/** A changed message, as the change says. */
static inline void message_change(const char *name, const char *good,
                                  const change_t *change)
{
    json_t *message = unit_json(good);
    const schema_t *schema = message_schema(name);
    apr_status_t rv;

    message_put(message, change->path, change->value);
    rv = schema_check(schema, message, "it", &err);
    ck_assert_msg((rv == APR_SUCCESS) == !change->says, "%s: %s = %s: %s",
                  name, change->path, change->value ? change->value : "",
                  err.message);
    ck_assert_msg(!change->says || strstr(err.message, change->says),
                  "%s: %s = %s: %s", name, change->path,
                  change->value ? change->value : "", err.message);
}

/** Every change of an array on a good message. */
#define message_changes(name, good, changes) do {                      \
        size_t change_i;                                               \
        unit_ok(message_check(name, good));                            \
        for (change_i = 0;                                             \
             change_i < sizeof(changes) / sizeof((changes)[0]);        \
             change_i++) {                                             \
            message_change(name, good, &(changes)[change_i]);          \
        }                                                              \
    } while (0)

#endif
