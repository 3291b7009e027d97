/*
 * From JSON text to schemas: the first of the three passes that internal.h
 * draws. Whatever is no schema, or is one beyond the subset, is refused
 * here, so that nothing is ignored later.
 */
#include "schema/internal.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

/* Deepest nesting of schemas in a document. */
#define NESTING_MAX 64

static apr_status_t compile_schema(const schema_t **pschema, compiler_t *c,
                                   const json_t *source,
                                   const char *pointer);

/* --------------------------------------------------------------- faults */

apr_status_t schema_refuse(compiler_t *c, apr_status_t status,
                           const char *pointer, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    apr_vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return base_err_set(c->err, status, BASE_EXIT_FAILED,
                        "schema \"%s\", at \"%s\": %s", c->document, pointer,
                        text);
}

/* The same, about the operand of a rule. */
static apr_status_t refuse_operand(compiler_t *c, const schema_t *schema,
                                   const rule_t *rule, const char *expected)
{
    char found[128];

    schema_value_describe(rule->operand, found, sizeof(found));
    return schema_refuse(c, APR_EINVAL, schema->pointer,
                         "\"%s\" is %s, expected %s", rule->keyword->name,
                         found, expected);
}

/* ------------------------------------------------------------- pointers */

/* pointer "/" key, key escaped. Source: RFC 6901 3. */
static const char *pointer_add(const char *pointer, const char *key,
                               apr_pool_t *pool)
{
    char *result = apr_palloc(pool, strlen(pointer) + 2 * strlen(key) + 2);
    char *at = result + strlen(pointer);

    memcpy(result, pointer, strlen(pointer));
    *at++ = '/';
    for (; *key; key++) {
        if (*key == '~' || *key == '/') {
            *at++ = '~';
            *at++ = *key == '~' ? '0' : '1';
        }
        else {
            *at++ = *key;
        }
    }
    *at = '\0';
    return result;
}

static const char *pointer_add_index(const char *pointer, apr_size_t index,
                                     apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s/%lu", pointer, (unsigned long)index);
}

schema_t *schema_compiler_place(compiler_t *c, const char *document,
                                const char *pointer)
{
    return apr_hash_get(c->places, apr_pstrcat(c->scratch, document, "#",
                                               pointer, NULL),
                        APR_HASH_KEY_STRING);
}

/* ------------------------------------------- shapes: what a keyword asks */

typedef apr_status_t shape_fn(compiler_t *c, const schema_t *schema,
                              rule_t *rule);

static apr_status_t shape_any(compiler_t *c, const schema_t *schema,
                              rule_t *rule)
{
    return APR_SUCCESS;
}

static apr_status_t shape_string(compiler_t *c, const schema_t *schema,
                                 rule_t *rule)
{
    if (json_is_string(rule->operand)) {
        return APR_SUCCESS;
    }
    return refuse_operand(c, schema, rule, "a string");
}

static apr_status_t shape_boolean(compiler_t *c, const schema_t *schema,
                                  rule_t *rule)
{
    if (json_is_boolean(rule->operand)) {
        return APR_SUCCESS;
    }
    return refuse_operand(c, schema, rule, "true or false");
}

static apr_status_t shape_array(compiler_t *c, const schema_t *schema,
                                rule_t *rule)
{
    if (json_is_array(rule->operand)) {
        return APR_SUCCESS;
    }
    return refuse_operand(c, schema, rule, "an array");
}

/* "$schema" and "$id" make sense to us at the root alone. */
static apr_status_t shape_at_root(compiler_t *c, const schema_t *schema,
                                  rule_t *rule)
{
    if (!json_is_string(rule->operand)) {
        return refuse_operand(c, schema, rule, "a string");
    }
    if (schema->pointer[0]) {
        return schema_refuse(c, APR_ENOTIMPL, schema->pointer,
                             "\"%s\" below the root is outside the subset",
                             rule->keyword->name);
    }
    return APR_SUCCESS;
}

static apr_status_t shape_dialect(compiler_t *c, const schema_t *schema,
                                  rule_t *rule)
{
    static const char draft[] = "http://json-schema.org/draft-07/schema";
    const char *text = json_string_value(rule->operand);
    apr_status_t rv = shape_at_root(c, schema, rule);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (strncmp(text, draft, sizeof(draft) - 1) != 0
        || (text[sizeof(draft) - 1] && strcmp(text + sizeof(draft) - 1, "#")
            != 0)) {
        return schema_refuse(c, APR_ENOTIMPL, schema->pointer,
                             "the dialect \"%s\" is not \"%s#\"", text, draft);
    }
    return APR_SUCCESS;
}

static apr_status_t shape_id(compiler_t *c, const schema_t *schema,
                             rule_t *rule)
{
    apr_status_t rv = shape_at_root(c, schema, rule);

    if (rv == APR_SUCCESS && strchr(json_string_value(rule->operand), '#')) {
        return schema_refuse(c, APR_ENOTIMPL, schema->pointer,
                             "a \"$id\" with a fragment is outside the "
                             "subset");
    }
    return rv;
}

static apr_status_t shape_number(compiler_t *c, const schema_t *schema,
                                 rule_t *rule)
{
    if (json_is_number(rule->operand)) {
        return APR_SUCCESS;
    }
    return refuse_operand(c, schema, rule, "a number");
}

static apr_status_t shape_positive(compiler_t *c, const schema_t *schema,
                                   rule_t *rule)
{
    if (json_is_number(rule->operand)
        && json_number_value(rule->operand) > 0) {
        return APR_SUCCESS;
    }
    return refuse_operand(c, schema, rule, "a number above 0");
}

static apr_status_t shape_count(compiler_t *c, const schema_t *schema,
                                rule_t *rule)
{
    double count = json_number_value(rule->operand);

    if (!(schema_type_of(rule->operand) & SCHEMA_INTEGER) || count < 0
        || count > 1e9) {
        return refuse_operand(c, schema, rule, "a whole number from 0 to "
                              "1000000000");
    }
    rule->limit = (apr_size_t)count;
    return APR_SUCCESS;
}

/* 1 if names is an array of strings without a repetition. */
static int is_names(const json_t *names)
{
    apr_size_t i, k;

    if (!json_is_array(names)) {
        return 0;
    }
    for (i = 0; i < json_array_size(names); i++) {
        const json_t *name = json_array_get(names, i);

        if (!json_is_string(name)) {
            return 0;
        }
        for (k = 0; k < i; k++) {
            if (json_equal(name, json_array_get(names, k))) {
                return 0;
            }
        }
    }
    return 1;
}

static apr_status_t shape_names(compiler_t *c, const schema_t *schema,
                                rule_t *rule)
{
    if (is_names(rule->operand)) {
        return APR_SUCCESS;
    }
    return refuse_operand(c, schema, rule, "an array of different strings");
}

/* A type's name, or several in an array. */
static apr_status_t shape_type(compiler_t *c, const schema_t *schema,
                               rule_t *rule)
{
    static const char expected[] = "a type of draft-07 or an array of "
        "different ones";
    apr_size_t i;

    if (json_is_string(rule->operand)) {
        rule->types = schema_type_named(json_string_value(rule->operand));
    }
    else if (is_names(rule->operand)) {
        for (i = 0; i < json_array_size(rule->operand); i++) {
            unsigned bit = schema_type_named(
                json_string_value(json_array_get(rule->operand, i)));

            if (!bit) {
                return refuse_operand(c, schema, rule, expected);
            }
            rule->types |= bit;
        }
    }
    if (!rule->types) {
        return refuse_operand(c, schema, rule, expected);
    }
    return APR_SUCCESS;
}

static apr_status_t shape_enum(compiler_t *c, const schema_t *schema,
                               rule_t *rule)
{
    if (json_array_size(rule->operand) > 0) {
        return APR_SUCCESS;
    }
    return refuse_operand(c, schema, rule, "an array that is not empty");
}

static apr_status_t compile_regex(schema_regex_t **pregex, compiler_t *c,
                                  const schema_t *schema, const char *text)
{
    const char *reason;
    apr_status_t rv;

    rv = schema_regex_compile(pregex, text, &reason, c->pool);
    if (rv != APR_SUCCESS) {
        return schema_refuse(c, rv, schema->pointer,
                             "the regular expression \"%s\" is %s: %s", text,
                             rv == APR_ENOTIMPL ? "outside the subset"
                                                : "wrong", reason);
    }
    return APR_SUCCESS;
}

static apr_status_t shape_pattern(compiler_t *c, const schema_t *schema,
                                  rule_t *rule)
{
    if (!json_is_string(rule->operand)) {
        return refuse_operand(c, schema, rule, "a string");
    }
    return compile_regex(&rule->regex, c, schema,
                         json_string_value(rule->operand));
}

static apr_status_t shape_format(compiler_t *c, const schema_t *schema,
                                 rule_t *rule)
{
    if (!json_is_string(rule->operand)) {
        return refuse_operand(c, schema, rule, "a string");
    }
    rule->format = schema_format_find(json_string_value(rule->operand));
    if (!rule->format) {
        return schema_refuse(c, APR_ENOTIMPL, schema->pointer,
                             "the format \"%s\" is outside the subset",
                             json_string_value(rule->operand));
    }
    return APR_SUCCESS;
}

static apr_status_t shape_ref(compiler_t *c, const schema_t *schema,
                              rule_t *rule)
{
    ref_t *ref;

    if (!json_is_string(rule->operand)) {
        return refuse_operand(c, schema, rule, "a string");
    }
    ref = apr_array_push(c->refs);
    ref->schema = schema;
    ref->rule = rule;
    return APR_SUCCESS;
}

/* ------------------------------------------------ shapes with subschemas */

static member_t *member_add(rule_t *rule, const char *key)
{
    member_t *member = apr_array_push(rule->members);

    memset(member, 0, sizeof(*member));
    member->key = key;
    return member;
}

/* Where the keyword itself stands. */
static const char *rule_pointer(compiler_t *c, const schema_t *schema,
                                const rule_t *rule)
{
    return pointer_add(schema->pointer, rule->keyword->name, c->pool);
}

static apr_status_t shape_schema(compiler_t *c, const schema_t *schema,
                                 rule_t *rule)
{
    return compile_schema(&rule->schema, c, rule->operand,
                          rule_pointer(c, schema, rule));
}

/* An array of schemas. */
static apr_status_t compile_list(compiler_t *c, const schema_t *schema,
                                 rule_t *rule)
{
    const char *pointer = rule_pointer(c, schema, rule);
    apr_size_t count = json_array_size(rule->operand);
    apr_status_t rv = APR_SUCCESS;
    apr_size_t i;

    rule->members = apr_array_make(c->pool, (int)count + 1,
                                   sizeof(member_t));
    for (i = 0; rv == APR_SUCCESS && i < count; i++) {
        rv = compile_schema(&member_add(rule, NULL)->schema, c,
                            json_array_get(rule->operand, i),
                            pointer_add_index(pointer, i, c->pool));
    }
    return rv;
}

static apr_status_t shape_schema_list(compiler_t *c, const schema_t *schema,
                                      rule_t *rule)
{
    if (json_array_size(rule->operand) == 0) {
        return refuse_operand(c, schema, rule,
                              "an array of schemas that is not empty");
    }
    return compile_list(c, schema, rule);
}

static apr_status_t shape_items(compiler_t *c, const schema_t *schema,
                                rule_t *rule)
{
    if (json_is_array(rule->operand)) {
        return compile_list(c, schema, rule);
    }
    return shape_schema(c, schema, rule);
}

/* One entry of properties, definitions, patternProperties, dependencies. */
typedef apr_status_t entry_fn(compiler_t *c, const schema_t *schema,
                              member_t *member, const json_t *source,
                              const char *pointer);

static apr_status_t entry_schema(compiler_t *c, const schema_t *schema,
                                 member_t *member, const json_t *source,
                                 const char *pointer)
{
    return compile_schema(&member->schema, c, source, pointer);
}

static apr_status_t entry_pattern(compiler_t *c, const schema_t *schema,
                                  member_t *member, const json_t *source,
                                  const char *pointer)
{
    apr_status_t rv = compile_regex(&member->regex, c, schema, member->key);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    return compile_schema(&member->schema, c, source, pointer);
}

static apr_status_t entry_dependency(compiler_t *c, const schema_t *schema,
                                     member_t *member, const json_t *source,
                                     const char *pointer)
{
    if (!json_is_array(source)) {
        return compile_schema(&member->schema, c, source, pointer);
    }
    if (!is_names(source)) {
        return schema_refuse(c, APR_EINVAL, pointer,
                             "expected a schema or an array of different "
                             "strings");
    }
    member->names = source;
    return APR_SUCCESS;
}

static apr_status_t compile_map(compiler_t *c, const schema_t *schema,
                                rule_t *rule, entry_fn *entry)
{
    const char *pointer = rule_pointer(c, schema, rule);
    apr_status_t rv;
    const char *key;
    json_t *source;

    if (!json_is_object(rule->operand)) {
        return refuse_operand(c, schema, rule, "an object");
    }
    rule->members = apr_array_make(
        c->pool, (int)json_object_size(rule->operand) + 1, sizeof(member_t));
    json_object_foreach((json_t *)rule->operand, key, source) {
        rv = entry(c, schema, member_add(rule, key), source,
                   pointer_add(pointer, key, c->pool));
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return APR_SUCCESS;
}

static apr_status_t shape_schema_map(compiler_t *c, const schema_t *schema,
                                     rule_t *rule)
{
    return compile_map(c, schema, rule, entry_schema);
}

static apr_status_t shape_pattern_map(compiler_t *c, const schema_t *schema,
                                      rule_t *rule)
{
    return compile_map(c, schema, rule, entry_pattern);
}

static apr_status_t shape_dependencies(compiler_t *c,
                                       const schema_t *schema, rule_t *rule)
{
    return compile_map(c, schema, rule, entry_dependency);
}

/* --------------------------------------- shapes that look at neighbours */

/* "additionalItems" begins behind the schemas of "items"; without an array
 * there it has nothing to say (validation-01 6.4.2). */
static apr_status_t shape_more_items(compiler_t *c, const schema_t *schema,
                                     rule_t *rule)
{
    const json_t *items = json_object_get(schema->source, "items");

    rule->limit = json_is_array(items) ? json_array_size(items)
                                       : (apr_size_t)-1;
    return shape_schema(c, schema, rule);
}

static const rule_t *rule_named(const schema_t *schema, const char *name)
{
    int i;

    for (i = 0; i < schema->nrules; i++) {
        if (strcmp(schema->rules[i].keyword->name, name) == 0) {
            return &schema->rules[i];
        }
    }
    return NULL;
}

/* "patternProperties" stands before it in the table and is compiled. */
static apr_status_t shape_more_properties(compiler_t *c,
                                          const schema_t *schema,
                                          rule_t *rule)
{
    const rule_t *patterns = rule_named(schema, "patternProperties");

    rule->known = json_object_get(schema->source, "properties");
    rule->members = NULL;
    if (patterns) {
        rule->members = patterns->members;
    }
    return shape_schema(c, schema, rule);
}

/* "then" and "else" stand before it in the table and are compiled. */
static apr_status_t shape_if(compiler_t *c, const schema_t *schema,
                             rule_t *rule)
{
    rule->yes = schema_compiler_place(c, c->document,
                           pointer_add(schema->pointer, "then", c->scratch));
    rule->no = schema_compiler_place(c, c->document,
                          pointer_add(schema->pointer, "else", c->scratch));
    return shape_schema(c, schema, rule);
}

/* In the order of shape_t. */
static shape_fn *const shapes[SHAPE_COUNT_OF_SHAPES] = {
    shape_any, shape_string, shape_boolean, shape_array, shape_dialect,
    shape_id, shape_number, shape_positive, shape_count, shape_names,
    shape_type, shape_enum, shape_pattern, shape_format, shape_ref,
    shape_schema, shape_schema_list, shape_schema_map, shape_pattern_map,
    shape_items, shape_more_items, shape_more_properties,
    shape_dependencies, shape_if
};

/* ----------------------------------------------------------- first pass */

static const keyword_t *keyword_find(const char *name)
{
    const keyword_t *keyword;

    for (keyword = schema_keywords; keyword->name; keyword++) {
        if (strcmp(keyword->name, name) == 0) {
            return keyword;
        }
    }
    return NULL;
}

/* Every key must be a keyword. draft-07 ignores what stands beside "$ref"
 * (core-01 8.3); we ignore nothing, so only annotations may stand there. */
static apr_status_t check_keys(compiler_t *c, const schema_t *schema)
{
    int has_ref = json_object_get(schema->source, "$ref") != NULL;
    const char *key;
    json_t *operand;

    json_object_foreach((json_t *)schema->source, key, operand) {
        const keyword_t *keyword = keyword_find(key);

        if (!keyword) {
            return schema_refuse(c, APR_ENOTIMPL, schema->pointer,
                                 "the keyword \"%s\" is outside the subset",
                                 key);
        }
        if (has_ref && keyword->shape != SHAPE_REF
            && (keyword->check || keyword->shape == SHAPE_SCHEMA)) {
            return schema_refuse(c, APR_ENOTIMPL, schema->pointer,
                                 "\"%s\" beside \"$ref\" would be ignored: "
                                 "use \"allOf\"", key);
        }
    }
    return APR_SUCCESS;
}

/* Rules in the table's order; annotations are checked and dropped. */
static apr_status_t compile_rules(compiler_t *c, schema_t *schema)
{
    const keyword_t *keyword;
    apr_status_t rv;

    schema->rules = apr_pcalloc(c->pool, sizeof(rule_t)
                                * (json_object_size(schema->source) + 1));
    for (keyword = schema_keywords; keyword->name; keyword++) {
        rule_t *rule = &schema->rules[schema->nrules];

        memset(rule, 0, sizeof(*rule));
        rule->keyword = keyword;
        rule->operand = json_object_get(schema->source, keyword->name);
        if (!rule->operand) {
            continue;
        }
        rv = shapes[keyword->shape](c, schema, rule);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        schema->nrules += keyword->check != NULL;
    }
    return APR_SUCCESS;
}

static apr_status_t compile_object(compiler_t *c, schema_t *schema)
{
    apr_status_t rv = check_keys(c, schema);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (c->depth >= NESTING_MAX) {
        return schema_refuse(c, APR_ENOTIMPL, schema->pointer,
                             "schemas are nested more than %d deep",
                             NESTING_MAX);
    }
    c->depth++;
    rv = compile_rules(c, schema);
    c->depth--;
    schema->title = json_string_value(json_object_get(schema->source,
                                                      "title"));
    return rv;
}

static apr_status_t compile_schema(const schema_t **pschema, compiler_t *c,
                                   const json_t *source, const char *pointer)
{
    schema_t *schema = apr_pcalloc(c->pool, sizeof(*schema));

    schema->document = c->document;
    schema->pointer = pointer;
    schema->source = source;
    schema->never = json_is_false(source);
    *pschema = schema;
    APR_ARRAY_PUSH(c->all, schema_t *) = schema;
    apr_hash_set(c->places, apr_pstrcat(c->scratch, c->document, "#",
                                        pointer, NULL),
                 APR_HASH_KEY_STRING, schema);
    if (json_is_boolean(source)) {
        return APR_SUCCESS;
    }
    if (!json_is_object(source)) {
        return schema_refuse(c, APR_EINVAL, pointer,
                             "a schema is an object, true or false");
    }
    return compile_object(c, schema);
}

void schema_compiler_init(compiler_t *c, acme_err_t *err, apr_pool_t *pool,
                          apr_pool_t *scratch)
{
    memset(c, 0, sizeof(*c));
    c->places = apr_hash_make(scratch);
    c->refs = apr_array_make(scratch, 32, sizeof(ref_t));
    c->all = apr_array_make(scratch, 256, sizeof(schema_t *));
    c->err = err;
    c->pool = pool;
    c->scratch = scratch;
}

apr_status_t schema_compiler_add(const schema_t **proot, compiler_t *c,
                                 const char *name, const char *text,
                                 apr_size_t len)
{
    json_error_t fault;
    json_t *source;

    c->document = name;
    source = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY
                        | JSON_ALLOW_NUL, &fault);
    if (!source) {
        return base_err_set(c->err, APR_EINVAL, BASE_EXIT_FAILED,
                            "schema \"%s\", line %d: %s", name, fault.line,
                            fault.text);
    }
    base_json_own(source, c->pool);
    return compile_schema(proot, c, source, "");
}
