/*
 * What the files of this room share. Nobody else includes it.
 *
 * A schema document is compiled in three passes:
 *
 *   walk   compile.c  every place of the document that is a schema becomes
 *                     a schema_t with one rule_t for each of its keywords;
 *                     each is entered in places under "NAME#POINTER"
 *   link   link.c     every "$ref" is looked up in places
 *   cycle  link.c     a schema that would apply itself to the same value
 *                     again, for ever, is refused
 *
 * Afterwards nothing changes any more; check.c only reads.
 */
#ifndef ACME_SCHEMA_INTERNAL_H
#define ACME_SCHEMA_INTERNAL_H

#include <apr_hash.h>

#include "schema/schema.h"

/* ------------------------------------------------------------- builtins */

/** One schema that is part of the program. */
typedef struct schema_text_t {
    const char *name;    /**< "acme/order" */
    const char *text;
    apr_size_t len;
} schema_text_t;

/** Sorted by name; embed writes it into embedded.c. */
extern const schema_text_t schema_texts[];
extern const apr_size_t schema_texts_count;

/**
 * Compile texts into a set; schema_set_builtin with other texts.
 * Source: ours.
 *
 * @param texts  borrowed while it runs; the names for as long as the set
 */
apr_status_t schema_set_compile(schema_set_t **pset,
                                const schema_text_t *texts, apr_size_t count,
                                acme_err_t *err, apr_pool_t *result_pool);

/* -------------------------------------------------------------- regexp */

typedef struct schema_regex_t schema_regex_t;

/**
 * Compile an ECMA 262 regular expression.
 * Source: draft-handrews-json-schema-validation-01 6.3.3 and 4.3.
 *
 * @param preason  set on failure: why, one clause
 * @return APR_SUCCESS; APR_EINVAL if it is none; APR_ENOTIMPL if it uses
 *         what README.md leaves out (back references, look-behind)
 */
apr_status_t schema_regex_compile(schema_regex_t **pregex,
                                  const char *pattern, const char **preason,
                                  apr_pool_t *result_pool);

/**
 * Search text for the expression, at a bounded cost.
 * Source: ours (limits of PCRE2).
 *
 * @return APR_SUCCESS; APR_NOTFOUND; APR_EGENERAL if it would cost too much
 *         or text is no UTF-8
 */
apr_status_t schema_regex_match(const schema_regex_t *regex,
                                const char *text, apr_size_t len);

/* --------------------------------------------------------------- values */

/** Types of draft-07, one bit each. */
enum {
    SCHEMA_NULL = 1, SCHEMA_BOOLEAN = 2, SCHEMA_INTEGER = 4,
    SCHEMA_NUMBER = 8, SCHEMA_STRING = 16, SCHEMA_ARRAY = 32,
    SCHEMA_OBJECT = 64
};

/** The bit of a type's name, 0 if there is no such type. */
unsigned schema_type_named(const char *name);

/** All bits that value answers to: 1.0 is INTEGER | NUMBER. */
unsigned schema_type_of(const json_t *value);

/**
 * Total order of values, 0 for those that JSON Schema calls equal.
 * Source: draft-handrews-json-schema-01 4.2.3 (1 and 1.0 are equal, the
 * order of members does not matter).
 */
int schema_value_compare(const json_t *a, const json_t *b);

/** Exact, whatever mix of integers and reals a and b are. */
int schema_number_compare(const json_t *a, const json_t *b);

/** 1 if number / divisor is an integer in decimal arithmetic. */
int schema_number_divides(const json_t *number, const json_t *divisor);

/** Code points of UTF-8. */
apr_size_t schema_text_length(const char *text, apr_size_t len);

/** Value in few words for a message ("the string \"abc\""). @return buf */
const char *schema_value_describe(const json_t *value, char *buf,
                                  apr_size_t size);

/* -------------------------------------------------------------- formats */

/** One checked format. */
typedef struct schema_format_t {
    const char *name;
    const char *expected;    /**< plain words for the message */
    int (*test)(const char *text, apr_size_t len);  /**< 1 = well-formed */
} schema_format_t;

/** @return NULL if this format is not in the subset */
const schema_format_t *schema_format_find(const char *name);

/* ----------------------------------------------------- compiled schemas */

typedef struct rule_t rule_t;
typedef struct check_t check_t;

/** What may stand behind a keyword. */
typedef enum shape_t {
    SHAPE_ANY, SHAPE_STRING, SHAPE_BOOLEAN, SHAPE_ARRAY, SHAPE_DIALECT,
    SHAPE_ID, SHAPE_NUMBER, SHAPE_POSITIVE, SHAPE_COUNT, SHAPE_NAMES,
    SHAPE_TYPE, SHAPE_ENUM, SHAPE_PATTERN, SHAPE_FORMAT, SHAPE_REF,
    SHAPE_SCHEMA, SHAPE_SCHEMA_LIST, SHAPE_SCHEMA_MAP, SHAPE_PATTERN_MAP,
    SHAPE_ITEMS, SHAPE_MORE_ITEMS, SHAPE_MORE_PROPERTIES,
    SHAPE_DEPENDENCIES, SHAPE_IF, SHAPE_COUNT_OF_SHAPES
} shape_t;

/** One keyword of the subset: a row of a table. */
typedef struct keyword_t {
    const char *name;
    shape_t shape;
    int in_place;    /**< its schemas apply to the same value */
    /** NULL for an annotation: nothing to check */
    apr_status_t (*check)(check_t *c, const rule_t *rule,
                          const json_t *value);
} keyword_t;

/** A schema under a name, a pattern or a number. */
typedef struct member_t {
    const char *key;          /**< NULL in lists */
    schema_regex_t *regex;    /**< patternProperties */
    const schema_t *schema;   /**< NULL where names is set */
    const json_t *names;      /**< dependencies: array of names */
} member_t;

/** A keyword in use. Which fields matter depends on the keyword. */
struct rule_t {
    const keyword_t *keyword;
    const json_t *operand;        /**< what stands behind the keyword */
    apr_size_t limit;             /**< lengths and counts */
    unsigned types;               /**< type */
    schema_regex_t *regex;        /**< pattern */
    const schema_format_t *format;
    const schema_t *schema;       /**< the one subschema; $ref's target */
    const schema_t *yes, *no;     /**< then, else; NULL if absent */
    const json_t *known;          /**< additionalProperties: properties */
    apr_array_header_t *members;  /**< of member_t, NULL if none */
};

struct schema_t {
    const char *document;    /**< name or URI, for messages */
    const char *pointer;     /**< where in the document, "" = root */
    const char *title;       /**< NULL if it has none */
    const json_t *source;    /**< the document's text as a value */
    int never;               /**< the schema false */
    rule_t *rules;
    int nrules;
    int mark;                /**< cycle pass only: 0, 1 = on the path, 2 */
};

/** All keywords; their order is the order of checks. Ends with name NULL. */
extern const keyword_t schema_keywords[];

/* ------------------------------------------------------------- compiler */

/** A "$ref" that is still to be linked. */
typedef struct ref_t {
    const schema_t *schema;
    rule_t *rule;
} ref_t;

/** What the three passes need; dead when they are done. */
typedef struct compiler_t {
    apr_hash_t *places;          /**< "NAME#POINTER" → schema_t * */
    apr_array_header_t *refs;    /**< of ref_t: still to be linked */
    apr_array_header_t *all;     /**< of schema_t * */
    const char *document;
    int depth;
    acme_err_t *err;
    apr_pool_t *pool;            /**< for the schemas */
    apr_pool_t *scratch;         /**< for the fields above */
} compiler_t;

/** Make c ready. @param scratch  outlives c */
void schema_compiler_init(compiler_t *c, acme_err_t *err, apr_pool_t *pool,
                          apr_pool_t *scratch);

/** Record what is wrong at a place of the document in hand. @return status */
apr_status_t schema_refuse(compiler_t *c, apr_status_t status,
                           const char *pointer, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/** The schema at a place. @return NULL if there is none */
schema_t *schema_compiler_place(compiler_t *c, const char *document,
                                const char *pointer);

/** First pass over one document. */
apr_status_t schema_compiler_add(const schema_t **proot, compiler_t *c,
                                 const char *name, const char *text,
                                 apr_size_t len);

/** Second and third pass, when all documents are added. */
apr_status_t schema_compiler_finish(compiler_t *c);

#endif
