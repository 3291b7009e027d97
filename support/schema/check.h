/*
 * What the files of the validator share: one run of schema_check, and the
 * ways to go on from a keyword. Included by check.c, scalar.c and tree.c.
 *
 * Three results: APR_SUCCESS, APR_EINVAL (the value does not fit) and any
 * other status (no verdict: a limit was hit). Only APR_EINVAL may be turned
 * round by "not" or passed over by "anyOf".
 */
#ifndef ACME_SCHEMA_CHECK_H
#define ACME_SCHEMA_CHECK_H

#include "schema/internal.h"

/** Room for schema_value_describe. */
#define DESCRIPTION_SIZE 320

/** A step from the root of the value to the place being checked. */
typedef struct place_t {
    const struct place_t *parent;
    const char *key;      /**< NULL: an item */
    apr_size_t index;
} place_t;

/** One run of schema_check. */
struct check_t {
    const char *what;
    const place_t *place;    /**< NULL at the root */
    int level;               /**< members and items above place */
    int deepest;             /**< level of the deepest fault so far */
    int quiet;               /**< over 0: an alternative, record nothing */
    int depth;               /**< nested calls */
    long steps;
    acme_err_t *err;
};

/** Record that the value does not fit: what was found, what was expected.
 *  Nothing is recorded while alternatives are tried. @return APR_EINVAL */
apr_status_t schema_mismatch(check_t *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** schema_mismatch with "found VALUE, expected TEXT". */
apr_status_t schema_unexpected(check_t *c, const json_t *value,
                               const char *expected);

/** Record why there is no verdict, always. @return status */
apr_status_t schema_no_verdict(check_t *c, apr_status_t status,
                               const char *text);

/** Check value against another schema. */
apr_status_t schema_apply(check_t *c, const schema_t *schema,
                          const json_t *value);

/** Check a member (key) or an item (key NULL, index) of the value. */
apr_status_t schema_apply_at(check_t *c, const schema_t *schema,
                             const json_t *value, const char *key,
                             apr_size_t index);

/** schema_apply as a question: a fault is no fault. */
apr_status_t schema_apply_quietly(check_t *c, const schema_t *schema,
                                  const json_t *value);

/** schema_regex_match. @return APR_SUCCESS; APR_NOTFOUND; no verdict */
apr_status_t schema_apply_regex(check_t *c, const schema_regex_t *regex,
                                const char *text, apr_size_t len);

/** What every keyword offers. */
typedef apr_status_t keyword_fn(check_t *c, const rule_t *rule,
                                const json_t *value);

/* The keywords of scalar.c, under their own names. */
keyword_fn schema_check_type, schema_check_enum, schema_check_const,
    schema_check_minimum, schema_check_exclusive_minimum,
    schema_check_maximum, schema_check_exclusive_maximum,
    schema_check_multiple_of, schema_check_min_length,
    schema_check_max_length, schema_check_pattern, schema_check_format,
    schema_check_min_items, schema_check_max_items,
    schema_check_min_properties, schema_check_max_properties;

#endif
