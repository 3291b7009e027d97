/*
 * The keywords that look at a value itself: its type, its size, its text.
 */
#include "schema/check.h"

#include <string.h>

#include <apr_strings.h>

/* ------------------------------------------------------------- any type */

apr_status_t schema_check_type(check_t *c, const rule_t *rule,
                               const json_t *value)
{
    char expected[128] = "";
    apr_size_t i;

    if (rule->types & schema_type_of(value)) {
        return APR_SUCCESS;
    }
    if (json_is_string(rule->operand)) {
        apr_snprintf(expected, sizeof(expected), "type %s",
                     json_string_value(rule->operand));
        return schema_unexpected(c, value, expected);
    }
    for (i = 0; i < json_array_size(rule->operand); i++) {
        apr_size_t len = strlen(expected);

        apr_snprintf(expected + len, sizeof(expected) - len, "%s%s",
                     i ? " or " : "type ",
                     json_string_value(json_array_get(rule->operand, i)));
    }
    return schema_unexpected(c, value, expected);
}

apr_status_t schema_check_enum(check_t *c, const rule_t *rule,
                               const json_t *value)
{
    char expected[512] = "";
    char one[DESCRIPTION_SIZE];
    apr_size_t count = json_array_size(rule->operand);
    apr_size_t i;

    for (i = 0; i < count; i++) {
        if (schema_value_compare(value, json_array_get(rule->operand, i))
            == 0) {
            return APR_SUCCESS;
        }
    }
    for (i = 0; i < count && !c->quiet; i++) {
        apr_size_t len = strlen(expected);

        apr_snprintf(expected + len, sizeof(expected) - len, "%s%s",
                     i ? ", " : count > 1 ? "one of " : "",
                     schema_value_describe(json_array_get(rule->operand, i),
                                           one, sizeof(one)));
    }
    return schema_unexpected(c, value, expected);
}

apr_status_t schema_check_const(check_t *c, const rule_t *rule,
                                const json_t *value)
{
    char expected[DESCRIPTION_SIZE];

    if (schema_value_compare(value, rule->operand) == 0) {
        return APR_SUCCESS;
    }
    schema_value_describe(rule->operand, expected, sizeof(expected));
    return schema_unexpected(c, value, expected);
}

/* -------------------------------------------------------------- numbers */

static apr_status_t number_expected(check_t *c, const rule_t *rule,
                                    const json_t *value, const char *relation)
{
    char expected[DESCRIPTION_SIZE + 32];
    char bound[DESCRIPTION_SIZE];

    apr_snprintf(expected, sizeof(expected), "%s %s", relation,
                 schema_value_describe(rule->operand, bound, sizeof(bound)));
    return schema_unexpected(c, value, expected);
}

apr_status_t schema_check_minimum(check_t *c, const rule_t *rule,
                                  const json_t *value)
{
    if (!json_is_number(value)
        || schema_number_compare(value, rule->operand) >= 0) {
        return APR_SUCCESS;
    }
    return number_expected(c, rule, value, "at least");
}

apr_status_t schema_check_exclusive_minimum(check_t *c, const rule_t *rule,
                                            const json_t *value)
{
    if (!json_is_number(value)
        || schema_number_compare(value, rule->operand) > 0) {
        return APR_SUCCESS;
    }
    return number_expected(c, rule, value, "more than");
}

apr_status_t schema_check_maximum(check_t *c, const rule_t *rule,
                                  const json_t *value)
{
    if (!json_is_number(value)
        || schema_number_compare(value, rule->operand) <= 0) {
        return APR_SUCCESS;
    }
    return number_expected(c, rule, value, "at most");
}

apr_status_t schema_check_exclusive_maximum(check_t *c, const rule_t *rule,
                                            const json_t *value)
{
    if (!json_is_number(value)
        || schema_number_compare(value, rule->operand) < 0) {
        return APR_SUCCESS;
    }
    return number_expected(c, rule, value, "less than");
}

apr_status_t schema_check_multiple_of(check_t *c, const rule_t *rule,
                                      const json_t *value)
{
    if (!json_is_number(value)
        || schema_number_divides(value, rule->operand)) {
        return APR_SUCCESS;
    }
    return number_expected(c, rule, value, "a multiple of");
}

/* --------------------------------------------------------------- counts */

/* All of minLength ... maxProperties: how many there are, how many there
 * should be. @param most  1: limit is the most allowed, 0: the least */
static apr_status_t check_count(check_t *c, const rule_t *rule,
                                apr_size_t count, int most,
                                const char *noun)
{
    if (most ? count <= rule->limit : count >= rule->limit) {
        return APR_SUCCESS;
    }
    return schema_mismatch(c, "has %lu %s%s, expected at %s %lu",
                           (unsigned long)count, noun, count == 1 ? "" : "s",
                           most ? "most" : "least",
                           (unsigned long)rule->limit);
}

static apr_size_t length_of(const json_t *value)
{
    return schema_text_length(json_string_value(value),
                              json_string_length(value));
}

apr_status_t schema_check_max_length(check_t *c, const rule_t *rule,
                                     const json_t *value)
{
    if (!json_is_string(value)) {
        return APR_SUCCESS;
    }
    return check_count(c, rule, length_of(value), 1, "character");
}

apr_status_t schema_check_min_length(check_t *c, const rule_t *rule,
                                     const json_t *value)
{
    if (!json_is_string(value)) {
        return APR_SUCCESS;
    }
    return check_count(c, rule, length_of(value), 0, "character");
}

apr_status_t schema_check_max_items(check_t *c, const rule_t *rule,
                                    const json_t *value)
{
    if (!json_is_array(value)) {
        return APR_SUCCESS;
    }
    return check_count(c, rule, json_array_size(value), 1, "item");
}

apr_status_t schema_check_min_items(check_t *c, const rule_t *rule,
                                    const json_t *value)
{
    if (!json_is_array(value)) {
        return APR_SUCCESS;
    }
    return check_count(c, rule, json_array_size(value), 0, "item");
}

apr_status_t schema_check_max_properties(check_t *c, const rule_t *rule,
                                         const json_t *value)
{
    if (!json_is_object(value)) {
        return APR_SUCCESS;
    }
    return check_count(c, rule, json_object_size(value), 1, "member");
}

apr_status_t schema_check_min_properties(check_t *c, const rule_t *rule,
                                         const json_t *value)
{
    if (!json_is_object(value)) {
        return APR_SUCCESS;
    }
    return check_count(c, rule, json_object_size(value), 0, "member");
}

/* -------------------------------------------------------------- strings */

apr_status_t schema_check_pattern(check_t *c, const rule_t *rule,
                                  const json_t *value)
{
    char expected[DESCRIPTION_SIZE];
    apr_status_t rv;

    if (!json_is_string(value)) {
        return APR_SUCCESS;
    }
    rv = schema_apply_regex(c, rule->regex, json_string_value(value),
                            json_string_length(value));
    if (rv != APR_NOTFOUND) {
        return rv;
    }
    apr_snprintf(expected, sizeof(expected), "text that matches %s",
                 json_string_value(rule->operand));
    return schema_unexpected(c, value, expected);
}

apr_status_t schema_check_format(check_t *c, const rule_t *rule,
                                 const json_t *value)
{
    if (!json_is_string(value)
        || rule->format->test(json_string_value(value),
                              json_string_length(value))) {
        return APR_SUCCESS;
    }
    return schema_unexpected(c, value, rule->format->expected);
}
