/*
 * The keywords that go on to other schemas or other values: items, members
 * and combinations; and the table of all keywords.
 */
#include "schema/check.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

static const member_t *member_at(const apr_array_header_t *members, int i)
{
    return &APR_ARRAY_IDX(members, i, member_t);
}

/* --------------------------------------------------------------- arrays */

/* One schema for all items, or one for each of the first. */
static apr_status_t check_items(check_t *c, const rule_t *rule,
                                const json_t *value)
{
    apr_size_t count = json_array_size(value);
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    if (rule->members && count > (apr_size_t)rule->members->nelts) {
        count = (apr_size_t)rule->members->nelts;
    }
    for (i = 0; rv == APR_SUCCESS && i < count; i++) {
        const schema_t *schema = rule->schema;

        if (rule->members) {
            schema = member_at(rule->members, (int)i)->schema;
        }
        rv = schema_apply_at(c, schema, json_array_get(value, i), NULL, i);
    }
    return rv;
}

/* limit is the number of schemas that "items" has. */
static apr_status_t check_additional_items(check_t *c, const rule_t *rule,
                                           const json_t *value)
{
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    for (i = rule->limit; rv == APR_SUCCESS && i < json_array_size(value);
         i++) {
        rv = schema_apply_at(c, rule->schema, json_array_get(value, i), NULL,
                             i);
    }
    return rv;
}

static apr_status_t check_contains(check_t *c, const rule_t *rule,
                                   const json_t *value)
{
    apr_size_t i;

    if (!json_is_array(value)) {
        return APR_SUCCESS;
    }
    for (i = 0; i < json_array_size(value); i++) {
        apr_status_t rv = schema_apply_quietly(c, rule->schema,
                                               json_array_get(value, i));

        if (rv != APR_EINVAL) {
            return rv;
        }
    }
    return schema_mismatch(c,
                           "none of its %lu items is what at least one must "
                           "be", (unsigned long)json_array_size(value));
}

static int compare_pointed(const void *a, const void *b)
{
    return schema_value_compare(*(json_t *const *)a, *(json_t *const *)b);
}

/* Sort pointers to the items, then look at neighbours: no quadratic time
 * for whoever sends long arrays. */
static apr_status_t check_unique_items(check_t *c, const rule_t *rule,
                                       const json_t *value)
{
    apr_size_t count = json_array_size(value);
    const json_t **items;
    const json_t *twice = NULL;
    apr_size_t i;

    if (!json_is_true(rule->operand) || count < 2) {
        return APR_SUCCESS;
    }
    items = malloc(count * sizeof(*items));
    if (!items) {
        return schema_no_verdict(c, APR_ENOMEM, "out of memory");
    }
    for (i = 0; i < count; i++) {
        items[i] = json_array_get(value, i);
    }
    qsort(items, count, sizeof(*items), compare_pointed);
    for (i = 1; i < count && !twice; i++) {
        if (schema_value_compare(items[i - 1], items[i]) == 0) {
            twice = items[i];
        }
    }
    free(items);
    if (!twice) {
        return APR_SUCCESS;
    }
    return schema_unexpected(c, twice, "it only once in this array");
}

/* -------------------------------------------------------------- objects */

static apr_status_t check_required(check_t *c, const rule_t *rule,
                                   const json_t *value)
{
    apr_size_t i;

    if (!json_is_object(value)) {
        return APR_SUCCESS;
    }
    for (i = 0; i < json_array_size(rule->operand); i++) {
        const char *key =
            json_string_value(json_array_get(rule->operand, i));

        if (!json_object_get(value, key)) {
            return schema_mismatch(c, "has no member \"%s\", expected one",
                                   key);
        }
    }
    return APR_SUCCESS;
}

static apr_status_t check_properties(check_t *c, const rule_t *rule,
                                     const json_t *value)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < rule->members->nelts; i++) {
        const member_t *member = member_at(rule->members, i);
        const json_t *at = json_object_get(value, member->key);

        if (at) {
            rv = schema_apply_at(c, member->schema, at, member->key, 0);
        }
    }
    return rv;
}

/* All patterns that fit one key. */
static apr_status_t check_patterns(check_t *c, const rule_t *rule,
                                   const char *key, const json_t *value)
{
    apr_status_t rv;
    int i;

    for (i = 0; i < rule->members->nelts; i++) {
        const member_t *member = member_at(rule->members, i);

        rv = schema_apply_regex(c, member->regex, key, strlen(key));
        if (rv == APR_SUCCESS) {
            rv = schema_apply_at(c, member->schema, value, key, 0);
        }
        if (rv != APR_SUCCESS && rv != APR_NOTFOUND) {
            return rv;
        }
    }
    return APR_SUCCESS;
}

static apr_status_t check_pattern_properties(check_t *c, const rule_t *rule,
                                             const json_t *value)
{
    apr_status_t rv = APR_SUCCESS;
    const char *key;
    json_t *at;

    json_object_foreach((json_t *)value, key, at) {
        rv = check_patterns(c, rule, key, at);
        if (rv != APR_SUCCESS) {
            break;
        }
    }
    return rv;
}

/* @return APR_SUCCESS if "properties" or "patternProperties" has key,
 * APR_NOTFOUND if it is an additional one */
static apr_status_t check_known(check_t *c, const rule_t *rule,
                                const char *key)
{
    apr_status_t rv = APR_NOTFOUND;
    int i;

    if (json_object_get(rule->known, key)) {
        return APR_SUCCESS;
    }
    for (i = 0; rule->members && rv == APR_NOTFOUND
             && i < rule->members->nelts; i++) {
        rv = schema_apply_regex(c, member_at(rule->members, i)->regex, key,
                                strlen(key));
    }
    return rv;
}

static apr_status_t check_additional_properties(check_t *c,
                                                const rule_t *rule,
                                                const json_t *value)
{
    apr_status_t rv = APR_SUCCESS;
    const char *key;
    json_t *at;

    json_object_foreach((json_t *)value, key, at) {
        rv = check_known(c, rule, key);
        if (rv == APR_NOTFOUND) {
            rv = schema_apply_at(c, rule->schema, at, key, 0);
        }
        if (rv != APR_SUCCESS) {
            break;
        }
    }
    return rv;
}

/* A key as a value of its own. */
static apr_status_t check_name(check_t *c, const rule_t *rule,
                               const char *key)
{
    json_t *name = json_string(key);
    apr_status_t rv;

    if (!name) {
        return schema_no_verdict(c, APR_ENOMEM, "out of memory");
    }
    rv = schema_apply_at(c, rule->schema, name, key, 0);
    json_decref(name);
    return rv;
}

static apr_status_t check_property_names(check_t *c, const rule_t *rule,
                                         const json_t *value)
{
    apr_status_t rv = APR_SUCCESS;
    const char *key;
    json_t *at;

    json_object_foreach((json_t *)value, key, at) {
        rv = check_name(c, rule, key);
        if (rv != APR_SUCCESS) {
            break;
        }
    }
    return rv;
}

/* What one present key asks of the object. */
static apr_status_t check_dependency(check_t *c, const member_t *member,
                                     const json_t *value)
{
    apr_size_t i;

    if (member->schema) {
        return schema_apply(c, member->schema, value);
    }
    for (i = 0; i < json_array_size(member->names); i++) {
        const char *key =
            json_string_value(json_array_get(member->names, i));

        if (!json_object_get(value, key)) {
            return schema_mismatch(c,
                                   "has a member \"%s\" but no \"%s\", "
                                   "expected both", member->key, key);
        }
    }
    return APR_SUCCESS;
}

static apr_status_t check_dependencies(check_t *c, const rule_t *rule,
                                       const json_t *value)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < rule->members->nelts; i++) {
        const member_t *member = member_at(rule->members, i);

        if (json_object_get(value, member->key)) {
            rv = check_dependency(c, member, value);
        }
    }
    return rv;
}

/* --------------------------------------------------------- combinations */

static apr_status_t check_ref(check_t *c, const rule_t *rule,
                              const json_t *value)
{
    return schema_apply(c, rule->schema, value);
}

static apr_status_t check_all_of(check_t *c, const rule_t *rule,
                                 const json_t *value)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; rv == APR_SUCCESS && i < rule->members->nelts; i++) {
        rv = schema_apply(c, member_at(rule->members, i)->schema, value);
    }
    return rv;
}

/* How many alternatives fit: none, one or (no more are tried) two.
 * @param pnearest  the one whose fault lies deepest in the value */
static apr_status_t count_fitting(check_t *c, const rule_t *rule,
                                  const json_t *value, int *pcount, int most,
                                  const schema_t **pnearest)
{
    int outer = c->deepest;
    int best = -1;
    int i;

    *pcount = 0;
    for (i = 0; *pcount < most && i < rule->members->nelts; i++) {
        const schema_t *schema = member_at(rule->members, i)->schema;
        apr_status_t rv;

        c->deepest = -1;
        rv = schema_apply_quietly(c, schema, value);
        if (rv != APR_SUCCESS && rv != APR_EINVAL) {
            return rv;
        }
        *pcount += rv == APR_SUCCESS;
        if (rv == APR_EINVAL && c->deepest > best) {
            best = c->deepest;
            *pnearest = schema;
        }
    }
    c->deepest = outer > best ? outer : best;
    return APR_SUCCESS;
}

/* No alternative fits: the fault of the one that came nearest says most. */
static apr_status_t none_fits(check_t *c, const rule_t *rule,
                              const schema_t *nearest, const json_t *value)
{
    if (c->quiet) {
        return APR_EINVAL;
    }
    schema_apply(c, nearest, value);
    if (rule->members->nelts > 1) {
        base_err_append(c->err, "none of %d alternatives fits, this is "
                        "the nearest", rule->members->nelts);
    }
    return APR_EINVAL;
}

static apr_status_t check_any_of(check_t *c, const rule_t *rule,
                                 const json_t *value)
{
    const schema_t *nearest = NULL;
    apr_status_t rv;
    int count;

    rv = count_fitting(c, rule, value, &count, 1, &nearest);
    if (rv != APR_SUCCESS || count == 1) {
        return rv;
    }
    return none_fits(c, rule, nearest, value);
}

static apr_status_t check_one_of(check_t *c, const rule_t *rule,
                                 const json_t *value)
{
    const schema_t *nearest = NULL;
    apr_status_t rv;
    int count;

    rv = count_fitting(c, rule, value, &count, 2, &nearest);
    if (rv != APR_SUCCESS || count == 1) {
        return rv;
    }
    if (count == 0) {
        return none_fits(c, rule, nearest, value);
    }
    return schema_mismatch(c,
                           "fits more than one of %d alternatives, expected "
                           "exactly one", rule->members->nelts);
}

static apr_status_t check_not(check_t *c, const rule_t *rule,
                              const json_t *value)
{
    apr_status_t rv = schema_apply_quietly(c, rule->schema, value);

    if (rv == APR_EINVAL) {
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    return schema_unexpected(c, value, "anything else");
}

static apr_status_t check_if(check_t *c, const rule_t *rule,
                             const json_t *value)
{
    apr_status_t rv = schema_apply_quietly(c, rule->schema, value);
    const schema_t *next = rv == APR_SUCCESS ? rule->yes : rule->no;

    if (rv != APR_SUCCESS && rv != APR_EINVAL) {
        return rv;
    }
    return next ? schema_apply(c, next, value) : APR_SUCCESS;
}

/* ---------------------------------------------------------------- table */

const keyword_t schema_keywords[] = {
    /* annotations, containers and what a neighbour checks */
    { "$schema", SHAPE_DIALECT, 0, NULL },
    { "$id", SHAPE_ID, 0, NULL },
    { "$comment", SHAPE_STRING, 0, NULL },
    { "title", SHAPE_STRING, 0, NULL },
    { "description", SHAPE_STRING, 0, NULL },
    { "default", SHAPE_ANY, 0, NULL },
    { "examples", SHAPE_ARRAY, 0, NULL },
    { "readOnly", SHAPE_BOOLEAN, 0, NULL },
    { "writeOnly", SHAPE_BOOLEAN, 0, NULL },
    { "definitions", SHAPE_SCHEMA_MAP, 0, NULL },
    { "then", SHAPE_SCHEMA, 0, NULL },
    { "else", SHAPE_SCHEMA, 0, NULL },
    /* assertions, cheap and telling ones first */
    { "$ref", SHAPE_REF, 1, check_ref },
    { "type", SHAPE_TYPE, 0, schema_check_type },
    { "const", SHAPE_ANY, 0, schema_check_const },
    { "enum", SHAPE_ENUM, 0, schema_check_enum },
    { "minimum", SHAPE_NUMBER, 0, schema_check_minimum },
    { "exclusiveMinimum", SHAPE_NUMBER, 0, schema_check_exclusive_minimum },
    { "maximum", SHAPE_NUMBER, 0, schema_check_maximum },
    { "exclusiveMaximum", SHAPE_NUMBER, 0, schema_check_exclusive_maximum },
    { "multipleOf", SHAPE_POSITIVE, 0, schema_check_multiple_of },
    { "minLength", SHAPE_COUNT, 0, schema_check_min_length },
    { "maxLength", SHAPE_COUNT, 0, schema_check_max_length },
    { "pattern", SHAPE_PATTERN, 0, schema_check_pattern },
    { "format", SHAPE_FORMAT, 0, schema_check_format },
    { "minItems", SHAPE_COUNT, 0, schema_check_min_items },
    { "maxItems", SHAPE_COUNT, 0, schema_check_max_items },
    { "items", SHAPE_ITEMS, 0, check_items },
    { "additionalItems", SHAPE_MORE_ITEMS, 0, check_additional_items },
    { "contains", SHAPE_SCHEMA, 0, check_contains },
    { "uniqueItems", SHAPE_BOOLEAN, 0, check_unique_items },
    { "minProperties", SHAPE_COUNT, 0, schema_check_min_properties },
    { "maxProperties", SHAPE_COUNT, 0, schema_check_max_properties },
    { "required", SHAPE_NAMES, 0, check_required },
    { "propertyNames", SHAPE_SCHEMA, 0, check_property_names },
    { "properties", SHAPE_SCHEMA_MAP, 0, check_properties },
    { "patternProperties", SHAPE_PATTERN_MAP, 0, check_pattern_properties },
    { "additionalProperties", SHAPE_MORE_PROPERTIES, 0,
      check_additional_properties },
    { "dependencies", SHAPE_DEPENDENCIES, 1, check_dependencies },
    { "allOf", SHAPE_SCHEMA_LIST, 1, check_all_of },
    { "anyOf", SHAPE_SCHEMA_LIST, 1, check_any_of },
    { "oneOf", SHAPE_SCHEMA_LIST, 1, check_one_of },
    { "not", SHAPE_SCHEMA, 1, check_not },
    { "if", SHAPE_IF, 1, check_if },
    { NULL, SHAPE_ANY, 0, NULL }
};
